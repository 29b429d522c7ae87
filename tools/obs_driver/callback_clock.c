/* Measure what OBS's graphics thread spends in Python callbacks, the wait for Python's lock (the GIL) apart.
 *
 * Python cannot see how long it waited to be allowed to run. So tools/bench/obs.py compiles this and puts it in front
 * of libpython with LD_PRELOAD; ctypes then calls these four functions around every callback and every call that drops
 * the lock. The product itself is not touched and does not know.
 *
 * One line per outermost callback goes to $EOAM_CALLBACK_LOG, times in nanoseconds:
 *     thread, time of the frame in OBS, start (CLOCK_MONOTONIC), whole, lock dropped, waiting for it, on a processor
 * "Whole" includes the others. "Lock dropped" is time in libobs and GL. "On a processor" is the processor time of what
 * is left, Python; for the rest of it the thread waited for a processor, which software GL's threads compete for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int log_file = -1;
static uint64_t (*frame_time)(void);
static int (*ensure)(void);
static void (*release)(int);
static void *(*save)(void);
static void (*restore)(void *);

static __thread int thread_counts = -1; /* -1: not looked at yet */
static __thread int depth;              /* a callback may draw a source whose filter is Python, too */
static __thread uint64_t started, dropped_at, dropped, waited;
static __thread uint64_t ran_from, ran; /* the thread's processor time in Python */

static uint64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

__attribute__((constructor)) static void find(void)
{
    const char *name = getenv("EOAM_CALLBACK_LOG");
    if (name)
        log_file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ensure = (int (*)(void))dlsym(RTLD_NEXT, "PyGILState_Ensure");
    release = (void (*)(int))dlsym(RTLD_NEXT, "PyGILState_Release");
    save = (void *(*)(void))dlsym(RTLD_NEXT, "PyEval_SaveThread");
    restore = (void (*)(void *))dlsym(RTLD_NEXT, "PyEval_RestoreThread");
    frame_time = (uint64_t (*)(void))dlsym(RTLD_DEFAULT, "obs_get_video_frame_time");
}

static int counts(void)
{
    if (thread_counts < 0) {
        char name[16] = "";
        prctl(PR_GET_NAME, name);
        thread_counts = log_file >= 0 && frame_time && strncmp(name, "libobs: graphic", 15) == 0;
    }
    return thread_counts;
}

/* Only what takes the lock begins a callback; a thread that has it already may ask for it once more and keep it. */
enum { HAD_LOCK, HAD_NOT };

int PyGILState_Ensure(void)
{
    if (!counts())
        return ensure();
    uint64_t begun = now(CLOCK_MONOTONIC);
    int state = ensure();
    if (state == HAD_NOT && depth++ == 0) {
        started = begun;
        dropped = ran = 0;
        waited = now(CLOCK_MONOTONIC) - begun;
        ran_from = now(CLOCK_THREAD_CPUTIME_ID);
    }
    return state;
}

void PyGILState_Release(int state)
{
    release(state);
    if (!counts() || state == HAD_LOCK || --depth > 0)
        return;
    ran += now(CLOCK_THREAD_CPUTIME_ID) - ran_from;
    uint64_t whole = now(CLOCK_MONOTONIC) - started;
    dprintf(log_file, "%ld %llu %llu %llu %llu %llu %llu\n", syscall(SYS_gettid), (unsigned long long)frame_time(),
            (unsigned long long)started, (unsigned long long)whole, (unsigned long long)dropped,
            (unsigned long long)waited, (unsigned long long)ran);
}

void *PyEval_SaveThread(void)
{
    void *state = save();
    if (depth == 1) {
        ran += now(CLOCK_THREAD_CPUTIME_ID) - ran_from;
        dropped_at = now(CLOCK_MONOTONIC);
    }
    return state;
}

void PyEval_RestoreThread(void *state)
{
    if (depth != 1) {
        restore(state);
        return;
    }
    uint64_t begun = now(CLOCK_MONOTONIC);
    dropped += begun - dropped_at;
    restore(state);
    waited += now(CLOCK_MONOTONIC) - begun;
    ran_from = now(CLOCK_THREAD_CPUTIME_ID);
}
