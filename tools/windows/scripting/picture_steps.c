/* Steps that look at what a source and its filter draw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include "host.h"

enum { HALF_OPAQUE = 128 };

struct picture {
	obs_source_t *source;
	uint32_t width, height;
	uint8_t *rgba;
};

static struct picture new_picture(const char *name)
{
	obs_source_t *source = find_source(name)->source;
	uint32_t width = obs_source_get_width(source);
	uint32_t height = obs_source_get_height(source);
	return (struct picture){source, width, height, malloc((size_t)width * height * 4)};
}

static bool read_picture(struct picture *picture)
{
	return read_pixels(picture->source, 0, 0, picture->width, picture->height, picture->rgba);
}

static bool has_size(void *param)
{
	return obs_source_get_width(param) > 0;
}

/* await_picture SOURCE: until its file is open */
void await_picture(char **words)
{
	if (!wait_until(has_size, find_source(words[1])->source))
		fail("%s has no picture after %.0f s.", words[1], LIMIT_S);
}

static bool has_alpha(const struct picture *picture)
{
	size_t size = (size_t)picture->width * picture->height * 4;
	for (size_t at = 3; at < size; at += 4)
		if (picture->rgba[at])
			return true;
	return false;
}

static bool is_drawn(void *param)
{
	return read_picture(param) && has_alpha(param);
}

static bool is_clear(void *param)
{
	return read_picture(param) && !has_alpha(param);
}

/* await_drawn SOURCE and await_clear SOURCE: until any of its pixels, or none, has alpha */
void await_alpha(char **words)
{
	struct picture picture = new_picture(words[1]);
	bool drawn = strcmp(words[0], "await_drawn") == 0;
	if (!wait_until(drawn ? is_drawn : is_clear, &picture))
		fail("%s is %s after %.0f s.", words[1], drawn ? "not drawn" : "still drawn", LIMIT_S);
	free(picture.rgba);
}

/* obs.dll has os_fopen, but its FILE is another C library's. */
static FILE *open_to_write(const char *path)
{
	wchar_t wide[MAX_PATH];
	MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, MAX_PATH);
	return _wfopen(wide, L"wb");
}

/* save SOURCE FILE: what is drawn as soon as anything is, RGBA, line by line */
void save_picture(char **words)
{
	struct picture picture = new_picture(words[1]);
	size_t pixels = (size_t)picture.width * picture.height;
	FILE *file = open_to_write(words[2]);
	if (!wait_until(is_drawn, &picture))
		fail("%s is not drawn after %.0f s.", words[1], LIMIT_S);
	if (!file || fwrite(picture.rgba, 4, pixels, file) != pixels)
		fail("%s cannot be written.", words[2]);
	fclose(file);
	free(picture.rgba);
	report("size", "%s %u %u", words[1], picture.width, picture.height);
}

/* On the graphics thread, after each frame of OBS. */
static void look(void *param)
{
	struct held *held = param;
	uint8_t pixel[4];
	if (!read_pixels(held->source, held->x, held->y, 1, 1, pixel))
		return;
	held->frames++;
	held->opaque += pixel[3] >= HALF_OPAQUE;
}

/* watch SOURCE X Y: look at this pixel in every frame from now on */
void watch_place(char **words)
{
	struct held *held = find_source(words[1]);
	held->x = strtof(words[2], NULL);
	held->y = strtof(words[3], NULL);
	obs_add_main_rendered_callback(look, held);
}

static bool was_seen(void *param)
{
	const struct held *held = param;
	return held->frames > 0;
}

/* watched SOURCE: no longer; how many frames there were, and in how many the pixel was opaque */
void show_watched(char **words)
{
	struct held *held = find_source(words[1]);
	if (!wait_until(was_seen, held))
		fail("OBS has drawn no frame after %.0f s.", LIMIT_S);
	obs_remove_main_rendered_callback(look, held);
	report("watched", "%s %ld %ld", words[1], held->frames, held->opaque);
}
