/* bench.h - what the benchmarks share: a clock, medians of interleaved rounds, a table.
 *
 * A benchmark runs its contenders one after the other in every round, so that a slow moment of the
 * machine hits all of them, and quotes medians and their ratios. */
#ifndef BENCH_H
#define BENCH_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_ROUNDS 32         /* at most */

/* CFLAGS=-DBENCH_CLOCK=CLOCK_PROCESS_CPUTIME_ID counts processor time instead: for a rough look on
 * a machine that has other work. */
#ifndef BENCH_CLOCK
#define BENCH_CLOCK CLOCK_MONOTONIC
#endif

static inline double bench_now(void) {
    struct timespec t;
    clock_gettime(BENCH_CLOCK, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Nanoseconds of one operation, a number for every round. */
typedef struct bench_figure {
    double value[BENCH_ROUNDS];
    int count;
} bench_figure;

static inline void bench_add(bench_figure *f, double begin, double end, double operations) {
    if (f->count < BENCH_ROUNDS) f->value[f->count++] = (end - begin) * 1e9 / operations;
}

static inline int bench_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static inline double bench_median(const bench_figure *f) {
    double sorted[BENCH_ROUNDS];
    if (f->count == 0) return 0;
    memcpy(sorted, f->value, sizeof sorted);
    qsort(sorted, (size_t)f->count, sizeof *sorted, bench_compare);
    return f->count % 2 != 0 ? sorted[f->count / 2]
                             : (sorted[f->count / 2 - 1] + sorted[f->count / 2]) / 2;
}

/* A row of the table: both medians and how many times faster ours is; target 0: none. */
static inline void bench_row(const char *what, const bench_figure *ours, const char *peer,
                             const bench_figure *theirs, double target) {
    double a = bench_median(ours), b = bench_median(theirs);
    printf("%-44s %9.1f ns   %-22s %9.1f ns   %7.2f x", what, a, peer, b, b / a);
    if (target > 0) printf("  (target %g: %s)", target, b / a >= target ? "met" : "missed");
    printf("\n");
    fflush(stdout);
}

/* The same where ours may take so many times as long as the peer. */
static inline void bench_within(const char *what, const bench_figure *ours, const char *peer,
                                const bench_figure *theirs, double limit) {
    double a = bench_median(ours), b = bench_median(theirs);
    printf("%-44s %9.1f ns   %-22s %9.1f ns   takes %5.2f x  (target within %g: %s)\n", what, a,
           peer, b, a / b, limit, a <= b * limit ? "met" : "missed");
    fflush(stdout);
}

/* A row without a peer; limit: nanoseconds, 0: none. */
static inline void bench_single(const char *what, const bench_figure *ours, double limit) {
    double a = bench_median(ours);
    printf("%-44s %9.1f ns", what, a);
    if (limit > 0) printf("   (target below %g ns: %s)", limit, a < limit ? "met" : "missed");
    printf("\n");
    fflush(stdout);
}

/* A number from the environment. */
static inline uint64_t bench_setting(const char *name, uint64_t preset) {
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : preset;
}

/* Names the machine. */
static inline void bench_machine(const char *title) {
    char line[256], model[200] = "unknown processor";
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            snprintf(model, sizeof model, "%.190s", strchr(line, ':') + 2);
            model[strcspn(model, "\n")] = '\0';
            break;
        }
    }
    if (f != NULL) fclose(f);
    printf("\n== %s\n%s, %ld processors, %s\n", title, model, sysconf(_SC_NPROCESSORS_ONLN),
#ifdef __VERSION__
           "compiler " __VERSION__
#else
           "unknown compiler"
#endif
           );
    fflush(stdout);
}

/* The files of this run, so that none is left behind when it stops early. */
enum { BENCH_PATHS = 16 };
static char bench_paths[BENCH_PATHS][320];
static int bench_path_count;

static inline void bench_remove(const char *path) {
    static const char *const suffixes[] = {"", "-live", "-torn", "-lock"};
    char name[400];
    size_t i;
    for (i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static inline void bench_remove_all(void) {
    int i;
    for (i = 0; i < bench_path_count; i++) bench_remove(bench_paths[i]);
}

static inline void bench_killed(int sig) {
    (void)sig;
    bench_remove_all();
    _exit(1);
}

/* Where files are written: BENCH_DIR, TMPDIR or /tmp. */
static inline void bench_path(char *path, size_t size, const char *name) {
    const char *folder = getenv("BENCH_DIR");
    if (folder == NULL) folder = getenv("TMPDIR");
    snprintf(path, size, "%s/sst-bench-%ld-%s", folder != NULL ? folder : "/tmp", (long)getpid(),
             name);
    if (bench_path_count == 0) {
        (void)atexit(bench_remove_all);
        (void)signal(SIGINT, bench_killed);
        (void)signal(SIGTERM, bench_killed);
        (void)signal(SIGPIPE, bench_killed);
    }
    if (bench_path_count < BENCH_PATHS) {
        snprintf(bench_paths[bench_path_count++], sizeof *bench_paths, "%s", path);
    }
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t bench_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* The numbers below count, shuffled: what one contender leaves to do costs the next one. */
static inline void bench_shuffle(size_t *order, size_t count, uint64_t *random) {
    size_t i;
    for (i = 0; i < count; i++) {
        size_t k = (size_t)(bench_random(random) % (i + 1));
        if (k != i) order[i] = order[k];
        order[k] = i;
    }
}

static inline void bench_stop(const char *what, int result) {
    printf("%s: %d\n", what, result);
    exit(1);
}

/* Stops unless the result is 0. */
static inline void bench_check(const char *what, int result) {
    if (result != 0) bench_stop(what, result);
}

#endif
