/* A library that shifts the wall clock of a process by the seconds in a file, for LD_PRELOAD.

   The file in the variable WALL_CLOCK_FILE holds a double; it may change at any time. Monotonic
   clocks and sleeping stay as they are: libfaketime 0.9.10 breaks the time.sleep of Python 3.11. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile double *ahead_s;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void open_file(void) {
    const char *path = getenv("WALL_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY) : -1;
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (file >= 0) {
        void *place = mmap(NULL, sizeof(double), PROT_READ, MAP_SHARED, file, 0);
        if (place != MAP_FAILED) ahead_s = place;
        close(file);
    }
}

int clock_gettime(clockid_t clock, struct timespec *found) {
    if (!real_clock_gettime) open_file();
    int result = real_clock_gettime(clock, found);
    if (result == 0 && ahead_s && clock == CLOCK_REALTIME) found->tv_sec += (time_t)*ahead_s;
    return result;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
