/* Steps that make and remove sources and filters. */
#include <stdio.h>
#include <string.h>
#include "host.h"

enum { MOST_SOURCES = 4 };

static struct held sources[MOST_SOURCES];
static uint32_t count;

struct held *find_source(const char *name)
{
	for (uint32_t index = 0; index < count; index++)
		if (strcmp(sources[index].name, name) == 0)
			return &sources[index];
	fail("There is no source %s.", name);
}

/* type ID: the name under which OBS offers a type of source */
void show_type(char **words)
{
	const char *name = obs_source_get_display_name(words[1]);
	if (!name)
		fail("The type %s is not registered.", words[1]);
	report("type", "%s", name);
}

/* source ID NAME SETTINGS: shown, on a channel of its own */
void add_source(char **words)
{
	if (count == MOST_SOURCES)
		fail("There is no place for the source %s.", words[2]);
	obs_data_t *settings = obs_data_create_from_json(words[3]);
	obs_source_t *source = obs_source_create(words[1], words[2], settings, NULL);
	obs_data_release(settings);
	if (!source)
		fail("The source %s cannot be made.", words[2]);
	struct held *held = &sources[count];
	snprintf(held->name, sizeof held->name, "%s", words[2]);
	held->source = source;
	obs_set_output_source(count, source);
	count++;
}

/* filter ID SOURCE */
void add_filter(char **words)
{
	struct held *held = find_source(words[2]);
	held->filter = obs_source_create(words[1], words[1], NULL, NULL);
	if (!held->filter)
		fail("The filter for %s cannot be made.", words[2]);
	obs_source_filter_add(held->source, held->filter);
}

/* remove_filter SOURCE */
void remove_filter(char **words)
{
	struct held *held = find_source(words[1]);
	obs_source_filter_remove(held->source, held->filter);
	obs_source_release(held->filter);
	held->filter = NULL;
}

/* remove_sources: all of them, with the filters that they still have */
void remove_sources(char **words)
{
	(void)words;
	while (count > 0) {
		struct held *held = &sources[--count];
		obs_set_output_source(count, NULL);
		obs_source_release(held->filter);
		obs_source_release(held->source);
	}
}

struct status {
	const obs_source_t *filter;
	const char *beginning;
	char text[1024];
};

static bool has_status(void *param)
{
	struct status *status = param;
	obs_properties_t *properties = obs_source_properties(status->filter);
	obs_property_t *property = obs_properties_get(properties, "status");
	snprintf(status->text, sizeof status->text, "%s", property ? obs_property_description(property) : "nothing");
	obs_properties_destroy(properties);
	return strncmp(status->text, status->beginning, strlen(status->beginning)) == 0;
}

static uint32_t frames_drawn(void)
{
	return obs_get_total_frames() - obs_get_lagged_frames();
}

/* await_status SOURCE BEGINNING: until the panel of its filter says what begins with this */
void await_status(char **words)
{
	struct status status = {.filter = find_source(words[1])->filter, .beginning = words[2]};
	uint32_t before = frames_drawn();
	if (!wait_until(has_status, &status))
		fail("OBS has drawn %u frames in %.0f s, and the filter of %s still says: %s",
		     frames_drawn() - before, LIMIT_S, words[1], status.text);
	report("status", "%s: %s", words[1], status.text);
}
