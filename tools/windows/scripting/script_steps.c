/* Steps that do to one script what OBS's window Tools > Scripts does. */
#include "host.h"

static obs_script_t *script;

static void report_settings(void)
{
	obs_data_t *settings = obs_script_get_settings(script);
	report("settings", "%s", obs_data_get_json(settings));
	obs_data_release(settings);
}

/* script FILE SETTINGS: add the script, with the settings that a scene collection has of it */
void add_script(char **words)
{
	obs_data_t *settings = obs_data_create_from_json(words[2]);
	script = obs_script_create(words[1], settings);
	obs_data_release(settings);
	if (!script || !obs_script_loaded(script))
		fail("The script %s does not load.", words[1]);
	report_settings();
}

/* change SETTINGS: somebody moves a slider in the script's panel */
void change_settings(char **words)
{
	obs_data_t *settings = obs_data_create_from_json(words[1]);
	obs_script_update(script, settings);
	obs_data_release(settings);
	report_settings();
}

/* panel: what the script's panel has, by name */
void show_panel(char **words)
{
	(void)words;
	obs_properties_t *properties = obs_script_get_properties(script);
	obs_property_t *property = properties ? obs_properties_first(properties) : NULL;
	while (property) {
		report("panel", "%s", obs_property_name(property));
		if (!obs_property_next(&property))
			break;
	}
	obs_properties_destroy(properties);
}

/* reload: the button of that name; the script is unloaded and loaded before this returns */
void reload_script(char **words)
{
	(void)words;
	if (!obs_script_reload(script))
		fail("The script does not load again.");
}

/* remove_script: it is unloaded; the filters stay where they are, and draw nothing */
void remove_script(char **words)
{
	(void)words;
	obs_script_destroy(script);
	script = NULL;
}
