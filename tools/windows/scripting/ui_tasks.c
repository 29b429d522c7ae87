/* OBS's UI thread. Libobs and scripts queue tasks for it; here the main thread runs them whenever it waits. */
#include <stdlib.h>
#include <windows.h>
#include "host.h"

/* As often as OBS renews a panel: while Python builds one, the graphics thread has to wait for Python's lock. */
enum { LOOK_AGAIN_MS = 500 };

struct task {
	obs_task_t run;
	void *param;
	HANDLE done; /* NULL: nobody waits for it */
	struct task *next;
};

static SRWLOCK lock = SRWLOCK_INIT;
static struct task *first, **end = &first;
static HANDLE arrived;
static DWORD ui_thread;

static void queue_task(obs_task_t run, void *param, bool wait)
{
	if (wait && GetCurrentThreadId() == ui_thread) {
		run(param);
		return;
	}
	HANDLE done = wait ? CreateEventW(NULL, FALSE, FALSE, NULL) : NULL;
	struct task *task = malloc(sizeof *task);
	*task = (struct task){run, param, done, NULL};
	AcquireSRWLockExclusive(&lock);
	*end = task;
	end = &task->next;
	ReleaseSRWLockExclusive(&lock);
	SetEvent(arrived);
	if (wait) {
		WaitForSingleObject(done, INFINITE);
		CloseHandle(done);
	}
}

static struct task *next_task(void)
{
	AcquireSRWLockExclusive(&lock);
	struct task *task = first;
	if (task)
		first = task->next;
	if (!first)
		end = &first;
	ReleaseSRWLockExclusive(&lock);
	return task;
}

static void run_tasks(void)
{
	struct task *task;
	while ((task = next_task())) {
		task->run(task->param);
		if (task->done)
			SetEvent(task->done);
		free(task);
	}
}

void become_ui_thread(void)
{
	ui_thread = GetCurrentThreadId();
	arrived = CreateEventW(NULL, FALSE, FALSE, NULL);
	obs_set_ui_task_handler(queue_task);
}

/* Run tasks until a state holds; false if it does not within the limit. */
bool wait_until(bool (*holds)(void *), void *param)
{
	ULONGLONG now = GetTickCount64();
	ULONGLONG ends = now + (ULONGLONG)(LIMIT_S * 1000);
	ULONGLONG looks = now;
	for (;;) {
		run_tasks();
		now = GetTickCount64();
		if (now < looks) {
			WaitForSingleObject(arrived, (DWORD)(looks - now));
			continue;
		}
		if (holds(param))
			return true;
		now = GetTickCount64();
		if (now >= ends)
			return false;
		looks = now + LOOK_AGAIN_MS;
	}
}
