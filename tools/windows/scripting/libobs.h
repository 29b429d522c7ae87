/* What the host calls of obs.dll and obs-scripting.dll, as it is in OBS 31; no package brings their headers. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FROM_DLL __declspec(dllimport)

typedef struct obs_data obs_data_t;
typedef struct obs_module obs_module_t;
typedef struct obs_properties obs_properties_t;
typedef struct obs_property obs_property_t;
typedef struct obs_script obs_script_t;
typedef struct obs_source obs_source_t;
typedef struct gs_stage_surface gs_stagesurf_t;
typedef struct gs_texture gs_texture_t;
typedef struct gs_texture_render gs_texrender_t;
typedef void (*obs_task_t)(void *param);

struct obs_video_info {
	const char *graphics_module;
	uint32_t fps_num, fps_den;
	uint32_t base_width, base_height;
	uint32_t output_width, output_height;
	int output_format;
	uint32_t adapter;
	bool gpu_conversion;
	int colorspace, range, scale_type;
};

struct obs_audio_info {
	uint32_t samples_per_sec;
	int speakers;
};

enum { LOG_ERROR = 100 };
enum { VIDEO_FORMAT_NV12 = 2, VIDEO_CS_709 = 2, VIDEO_RANGE_PARTIAL = 1, OBS_SCALE_BICUBIC = 2, SPEAKERS_STEREO = 2 };
enum { GS_RGBA = 3, GS_ZS_NONE = 0, GS_CLEAR_COLOR = 1, GS_BLEND_ZERO = 0, GS_BLEND_ONE = 1 };

FROM_DLL bool obs_startup(const char *locale, const char *module_config_path, void *profiler_names);
FROM_DLL void obs_shutdown(void);
FROM_DLL void obs_add_data_path(const char *path);
FROM_DLL const char *obs_get_version_string(void);
FROM_DLL void base_set_log_handler(void (*handler)(int, const char *, va_list, void *), void *param);
FROM_DLL int obs_reset_video(struct obs_video_info *video);
FROM_DLL bool obs_reset_audio(const struct obs_audio_info *audio);
FROM_DLL int obs_open_module(obs_module_t **module, const char *path, const char *data_path);
FROM_DLL bool obs_init_module(obs_module_t *module);
FROM_DLL void obs_post_load_modules(void);
FROM_DLL void obs_set_ui_task_handler(void (*handler)(obs_task_t, void *, bool));
FROM_DLL uint32_t obs_get_total_frames(void);
FROM_DLL uint32_t obs_get_lagged_frames(void);
FROM_DLL bool obs_wait_for_destroy_queue(void);
FROM_DLL long bnum_allocs(void);

FROM_DLL obs_data_t *obs_data_create_from_json(const char *json);
FROM_DLL const char *obs_data_get_json(obs_data_t *data);
FROM_DLL void obs_data_release(obs_data_t *data);

FROM_DLL obs_source_t *obs_source_create(const char *id, const char *name, obs_data_t *settings, obs_data_t *hotkeys);
FROM_DLL void obs_source_release(obs_source_t *source);
FROM_DLL const char *obs_source_get_display_name(const char *id);
FROM_DLL uint32_t obs_source_get_width(obs_source_t *source);
FROM_DLL uint32_t obs_source_get_height(obs_source_t *source);
FROM_DLL void obs_source_filter_add(obs_source_t *source, obs_source_t *filter);
FROM_DLL void obs_source_filter_remove(obs_source_t *source, obs_source_t *filter);
FROM_DLL void obs_source_video_render(obs_source_t *source);
FROM_DLL obs_properties_t *obs_source_properties(const obs_source_t *source);
FROM_DLL void obs_set_output_source(uint32_t channel, obs_source_t *source);

FROM_DLL void obs_properties_destroy(obs_properties_t *properties);
FROM_DLL obs_property_t *obs_properties_first(obs_properties_t *properties);
FROM_DLL obs_property_t *obs_properties_get(obs_properties_t *properties, const char *name);
FROM_DLL bool obs_property_next(obs_property_t **property);
FROM_DLL const char *obs_property_name(obs_property_t *property);
FROM_DLL const char *obs_property_description(obs_property_t *property);

FROM_DLL void obs_add_main_rendered_callback(void (*rendered)(void *param), void *param);
FROM_DLL void obs_remove_main_rendered_callback(void (*rendered)(void *param), void *param);
FROM_DLL void obs_enter_graphics(void);
FROM_DLL void obs_leave_graphics(void);
FROM_DLL gs_texrender_t *gs_texrender_create(int format, int zstencil_format);
FROM_DLL void gs_texrender_destroy(gs_texrender_t *render);
FROM_DLL bool gs_texrender_begin(gs_texrender_t *render, uint32_t width, uint32_t height);
FROM_DLL void gs_texrender_end(gs_texrender_t *render);
FROM_DLL gs_texture_t *gs_texrender_get_texture(const gs_texrender_t *render);
FROM_DLL gs_stagesurf_t *gs_stagesurface_create(uint32_t width, uint32_t height, int format);
FROM_DLL void gs_stagesurface_destroy(gs_stagesurf_t *surface);
FROM_DLL bool gs_stagesurface_map(gs_stagesurf_t *surface, uint8_t **data, uint32_t *line_size);
FROM_DLL void gs_stagesurface_unmap(gs_stagesurf_t *surface);
FROM_DLL void gs_stage_texture(gs_stagesurf_t *surface, gs_texture_t *texture);
FROM_DLL void gs_clear(uint32_t flags, const float *colour, float depth, uint8_t stencil);
FROM_DLL void gs_ortho(float left, float right, float top, float bottom, float near_plane, float far_plane);
FROM_DLL void gs_blend_state_push(void);
FROM_DLL void gs_blend_state_pop(void);
FROM_DLL void gs_blend_function(int source, int destination);

FROM_DLL bool obs_scripting_load(void);
FROM_DLL void obs_scripting_unload(void);
FROM_DLL bool obs_scripting_load_python(const char *folder);
FROM_DLL void obs_scripting_python_version(char *version, size_t size);
FROM_DLL obs_script_t *obs_script_create(const char *path, obs_data_t *settings);
FROM_DLL void obs_script_destroy(obs_script_t *script);
FROM_DLL bool obs_script_loaded(const obs_script_t *script);
FROM_DLL bool obs_script_reload(obs_script_t *script);
FROM_DLL obs_properties_t *obs_script_get_properties(obs_script_t *script);
FROM_DLL obs_data_t *obs_script_get_settings(obs_script_t *script);
FROM_DLL void obs_script_update(obs_script_t *script, obs_data_t *settings);
