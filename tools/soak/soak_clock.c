/* Move the system's clock for one process: put in front of OBS with LD_PRELOAD.
 *
 * $EOAM_SOAK_CLOCK is a file of eight bytes: the seconds, signed, by which the clock of this process is off. It is
 * mapped, so that writing to it moves the clock at once. The clocks that nobody can set (CLOCK_MONOTONIC and the
 * like) stay as they are. Deadlines that were computed by the moved clock are moved back where they are waited for, as
 * they would be in a machine whose clock was set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *offset;

__attribute__((constructor)) static void begin(void)
{
	const char *name = getenv("EOAM_SOAK_CLOCK");
	int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return;
	void *mapped = mmap(NULL, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
	close(file);
	if (mapped != MAP_FAILED)
		offset = mapped;
}

static long long moved(void)
{
	return offset ? *offset : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		real = dlsym(RTLD_NEXT, "clock_gettime");
	int result = real ? real(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += moved();
	return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec found;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &found);
	now->tv_sec = found.tv_sec;
	now->tv_usec = found.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *where)
{
	struct timespec found;
	clock_gettime(CLOCK_REALTIME, &found);
	if (where)
		*where = found.tv_sec;
	return found.tv_sec;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline)
{
	static int (*real)(sem_t *, const struct timespec *);
	if (!real)
		real = dlsym(RTLD_NEXT, "sem_timedwait");
	struct timespec back = *deadline;
	back.tv_sec -= moved();
	return real(semaphore, &back);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
			   const struct timespec *restrict deadline)
{
	static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	if (!real)
		real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	if (!real)
		real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
	struct timespec back = *deadline;
	struct timespec now;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	/* A condition may use either clock, and does not say which: no monotonic clock is decades ahead. */
	if (back.tv_sec - now.tv_sec > 10LL * 365 * 86400)
		back.tv_sec -= moved();
	return real(condition, mutex, &back);
}
