/* A minimal OBS: the real libobs and the real obs-scripting, which embeds Python, and no window.
 *
 *     host.exe FILE     in bin/64bit of OBS's folder
 *
 * Does what FILE says, one step a line, in UTF-8, the words parted by tabs; *_steps.c describe the steps. Prints lines
 * of two words, parted by a tab: what it found and what was logged. At the first step that fails it prints "failed"
 * and why, and ends with 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include "host.h"

enum { MOST_WORDS = 4, LONGEST_LINE = 1 << 14 };

static const struct {
	const char *name;
	int words;
	void (*run)(char **words);
} steps[] = {
	{"start", 3, start_obs},
	{"module", 2, load_module},
	{"scripting", 2, load_scripting},
	{"end", 1, end_obs},
	{"script", 3, add_script},
	{"change", 2, change_settings},
	{"panel", 1, show_panel},
	{"reload", 1, reload_script},
	{"remove_script", 1, remove_script},
	{"type", 2, show_type},
	{"source", 4, add_source},
	{"filter", 3, add_filter},
	{"remove_filter", 2, remove_filter},
	{"remove_sources", 1, remove_sources},
	{"await_picture", 2, await_picture},
	{"await_status", 3, await_status},
	{"await_drawn", 2, await_alpha},
	{"await_clear", 2, await_alpha},
	{"save", 3, save_picture},
	{"watch", 4, watch_place},
	{"watched", 2, show_watched},
};

static ULONGLONG began;

static void write_line(const char *what, const char *format, va_list arguments)
{
	char text[LONGEST_LINE];
	vsnprintf(text, sizeof text, format, arguments);
	for (char *at = text; (at = strpbrk(at, "\r\n"));)
		*at = ' ';
	printf("%s\t%s\n", what, text);
	fflush(stdout);
}

void report(const char *what, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	write_line(what, format, arguments);
	va_end(arguments);
}

void fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	write_line("failed", format, arguments);
	va_end(arguments);
	/* libobs's threads are running: an orderly exit could hang in one of them. */
	TerminateProcess(GetCurrentProcess(), 1);
	abort();
}

void log_of_obs(int level, const char *format, va_list arguments, void *param)
{
	(void)param;
	write_line(level <= LOG_ERROR ? "error" : "log", format, arguments);
}

static void run_step(char *line)
{
	char *words[MOST_WORDS] = {NULL};
	int count = 0;
	for (char *word = strtok(line, "\t"); word && count < MOST_WORDS; word = strtok(NULL, "\t"))
		words[count++] = word;
	for (size_t index = 0; index < sizeof steps / sizeof *steps; index++) {
		if (strcmp(steps[index].name, words[0]) != 0)
			continue;
		if (steps[index].words != count)
			fail("The step %s has %d words, need %d.", words[0], count, steps[index].words);
		report("seconds", "%.1f", (double)(GetTickCount64() - began) / 1000);
		report("step", "%s%s%s", words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
		steps[index].run(words);
		return;
	}
	fail("There is no step %s.", words[0]);
}

int wmain(int count, wchar_t **arguments)
{
	began = GetTickCount64();
	char line[LONGEST_LINE];
	FILE *file = count == 2 ? _wfopen(arguments[1], L"rb") : NULL;
	if (!file)
		fail("The one argument must be the file of the steps.");
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\r\n")] = '\0';
		run_step(line);
	}
	fclose(file);
	return 0;
}
