/* What the parts of the host know of each other. */
#pragma once
#include "libobs.h"

#define LIMIT_S 120.0 /* for everything that is waited for */

/* host.c */
void report(const char *what, const char *format, ...);
_Noreturn void fail(const char *format, ...);
void log_of_obs(int level, const char *format, va_list arguments, void *param);

/* obs_steps.c */
void start_obs(char **words);
void load_module(char **words);
void load_scripting(char **words);
void end_obs(char **words);

/* script_steps.c */
void add_script(char **words);
void change_settings(char **words);
void show_panel(char **words);
void reload_script(char **words);
void remove_script(char **words);

/* source_steps.c */
void show_type(char **words);
void add_source(char **words);
void add_filter(char **words);
void remove_filter(char **words);
void remove_sources(char **words);
void await_status(char **words);

/* picture_steps.c */
void await_picture(char **words);
void await_alpha(char **words);
void save_picture(char **words);
void watch_place(char **words);
void show_watched(char **words);

struct held {
	char name[64];
	obs_source_t *source;
	obs_source_t *filter;         /* NULL: it has none */
	float x, y;                   /* the place that is watched */
	volatile long frames, opaque; /* how many were seen there since, and in how many the source was opaque */
};
struct held *find_source(const char *name);

/* pixels.c */
bool read_pixels(obs_source_t *source, float left, float top, uint32_t width, uint32_t height, uint8_t *rgba);

/* ui_tasks.c */
void become_ui_thread(void);
bool wait_until(bool (*holds)(void *), void *param);

/* crash.c */
void report_crashes(void);

/* missing_in_wine.c */
void lend_missing_functions(const char *module);
