/* Steps that start and end libobs, as OBS's own program does. */
#include <stdio.h>
#include "host.h"

enum { WIDTH = 640, HEIGHT = 360, FPS = 30 };

/* start GRAPHICS FOLDER: the renderer's name, and a folder for what modules store */
void start_obs(char **words)
{
	base_set_log_handler(log_of_obs, NULL);
	if (!obs_startup("en-US", words[2], NULL))
		fail("obs_startup failed.");
	report_crashes();
	become_ui_thread();
	report("libobs", "%s", obs_get_version_string());
	obs_add_data_path("../../data/libobs/");
	lend_missing_functions(words[1]);
	struct obs_video_info video = {
		.graphics_module = words[1],
		.fps_num = FPS,
		.fps_den = 1,
		.base_width = WIDTH,
		.base_height = HEIGHT,
		.output_width = WIDTH,
		.output_height = HEIGHT,
		.output_format = VIDEO_FORMAT_NV12,
		.gpu_conversion = true,
		.colorspace = VIDEO_CS_709,
		.range = VIDEO_RANGE_PARTIAL,
		.scale_type = OBS_SCALE_BICUBIC,
	};
	int error = obs_reset_video(&video);
	if (error)
		fail("obs_reset_video says %d for %s.", error, words[1]);
	struct obs_audio_info audio = {48000, SPEAKERS_STEREO};
	if (!obs_reset_audio(&audio))
		fail("obs_reset_audio failed.");
}

/* module NAME */
void load_module(char **words)
{
	char path[256];
	char data[256];
	snprintf(path, sizeof path, "../../obs-plugins/64bit/%s.dll", words[1]);
	snprintf(data, sizeof data, "../../data/obs-plugins/%s", words[1]);
	obs_module_t *module;
	int error = obs_open_module(&module, path, data);
	if (error)
		fail("obs_open_module says %d for %s.", error, path);
	if (!obs_init_module(module))
		fail("The module %s does not load.", words[1]);
}

/* scripting FOLDER: of the Python that OBS is set to use */
void load_scripting(char **words)
{
	char version[64] = "";
	obs_post_load_modules();
	if (!obs_scripting_load())
		fail("obs_scripting_load failed.");
	if (!obs_scripting_load_python(words[1]))
		fail("obs-scripting does not load the Python in %s.", words[1]);
	obs_scripting_python_version(version, sizeof version);
	report("python", "%s", version);
}

static bool nothing_to_destroy(void *param)
{
	(void)param;
	return !obs_wait_for_destroy_queue();
}

/* end: the module end_scripting.dll ends Python meanwhile */
void end_obs(char **words)
{
	(void)words;
	if (!wait_until(nothing_to_destroy, NULL))
		fail("libobs is still destroying sources after %.0f s.", LIMIT_S);
	obs_shutdown();
	report("allocations", "%ld", bnum_allocs());
}
