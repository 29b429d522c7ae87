/* The module that OBS's scripts import: the part of it that this project's scripts use, and no more.
 *
 * OBS makes its own from libobs's headers with SWIG, but no package brings it. What counts is that obs-scripting.dll
 * exchanges objects with it through SWIG's table of types, which SWIG 4.1 makes as OBS's SWIG does.
 */
%module(threads="0") obspython

%constant int LOG_ERROR = 100;
%constant int LOG_WARNING = 200;
%constant int LOG_INFO = 300;
%constant int LOG_DEBUG = 400;
%constant int OBS_TEXT_INFO = 3;

%{
#include <stdbool.h>
%}

%inline %{
typedef struct calldata calldata_t;
typedef struct obs_data obs_data_t;
typedef struct obs_data_array obs_data_array_t;
typedef struct obs_hotkey obs_hotkey_t;
typedef struct obs_properties obs_properties_t;
typedef struct obs_property obs_property_t;
typedef struct obs_scene obs_scene_t;
typedef struct obs_sceneitem obs_sceneitem_t;
typedef struct obs_source obs_source_t;
typedef struct signal_handler signal_handler_t;

extern const char *obs_get_locale(void);

extern void obs_data_addref(obs_data_t *data);
extern void obs_data_release(obs_data_t *data);
extern const char *obs_data_get_json(obs_data_t *data);
extern bool obs_data_get_bool(obs_data_t *data, const char *name);
extern const char *obs_data_get_string(obs_data_t *data, const char *name);
extern void obs_data_erase(obs_data_t *data, const char *name);
extern void obs_data_set_bool(obs_data_t *data, const char *name, bool value);
extern void obs_data_set_double(obs_data_t *data, const char *name, double value);
extern void obs_data_set_int(obs_data_t *data, const char *name, long long value);
extern void obs_data_set_string(obs_data_t *data, const char *name, const char *value);
extern void obs_data_set_default_bool(obs_data_t *data, const char *name, bool value);
extern void obs_data_set_default_double(obs_data_t *data, const char *name, double value);
extern void obs_data_set_default_int(obs_data_t *data, const char *name, long long value);
extern void obs_data_set_default_string(obs_data_t *data, const char *name, const char *value);

extern obs_properties_t *obs_properties_create(void);
extern obs_property_t *obs_properties_add_text(obs_properties_t *properties, const char *name, const char *text,
					       int type);

/* obs-scripting asks for these types too, so they must be in the table. */
static void all_types(calldata_t *, obs_data_array_t *, obs_hotkey_t *, obs_scene_t *, obs_sceneitem_t *,
		      obs_source_t *, signal_handler_t *)
{
}
%}
