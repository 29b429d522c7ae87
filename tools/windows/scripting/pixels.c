/* Draw a source as OBS does, and read back what came out. */
#include <string.h>
#include "host.h"

static gs_texrender_t *draw(obs_source_t *source, float left, float top, uint32_t width, uint32_t height)
{
	_Alignas(16) static const float nothing[4];
	gs_texrender_t *render = gs_texrender_create(GS_RGBA, GS_ZS_NONE);
	if (!gs_texrender_begin(render, width, height))
		return render;
	gs_clear(GS_CLEAR_COLOR, nothing, 0.0f, 0);
	gs_ortho(left, left + (float)width, top, top + (float)height, -100.0f, 100.0f);
	gs_blend_state_push();
	gs_blend_function(GS_BLEND_ONE, GS_BLEND_ZERO);
	obs_source_video_render(source);
	gs_blend_state_pop();
	gs_texrender_end(render);
	return render;
}

static bool copy_out(gs_texrender_t *render, uint32_t width, uint32_t height, uint8_t *rgba)
{
	gs_texture_t *texture = gs_texrender_get_texture(render);
	gs_stagesurf_t *surface = gs_stagesurface_create(width, height, GS_RGBA);
	uint8_t *data;
	uint32_t line_size;
	gs_stage_texture(surface, texture);
	bool mapped = gs_stagesurface_map(surface, &data, &line_size);
	if (mapped) {
		for (uint32_t y = 0; y < height; y++)
			memcpy(rgba + (size_t)y * width * 4, data + (size_t)y * line_size, (size_t)width * 4);
		gs_stagesurface_unmap(surface);
	}
	gs_stagesurface_destroy(surface);
	return mapped;
}

/* Draw a part of a source, filters included, and read it back: width * height * 4 bytes. */
bool read_pixels(obs_source_t *source, float left, float top, uint32_t width, uint32_t height, uint8_t *rgba)
{
	obs_enter_graphics();
	gs_texrender_t *render = draw(source, left, top, width, height);
	bool read = copy_out(render, width, height, rgba);
	gs_texrender_destroy(render);
	obs_leave_graphics();
	return read;
}
