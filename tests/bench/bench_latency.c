/* bench_latency.c - how long one append of 64 bytes (f64[8]) takes, every one of them timed.
 *
 *     BENCH_ROWS (2,000,000, in each round)   BENCH_ROUNDS (5)   BENCH_DIR
 *     BENCH_PACE_NS (1,000: the time from one append to the next; it also runs without a pace)
 *
 * By default append writes a full half of the tail to the file itself. With SST_DEFERRED another
 * thread does, which polls; an append that finds both halves full is tried again until it
 * succeeds, counted, and timed as a whole. One append in 3,072 turns to the other half of the tail
 * (blocks of 1 MiB: in some 14,000), so p99.99 is what a turn costs. What the machine itself takes
 * now and then shows in the reference, a memcpy of row and time into a ring. Appender and poller
 * want a processor each. Percentiles are the medians of all rounds, the maximum that of all. */
#define STREAMSTORE_IMPLEMENTATION
#include "../../streamstore.h"

#include <pthread.h>

#include "bench.h"

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define HAVE_TSC 1
#else
#define HAVE_TSC 0
#endif

/* A clock that waits for the instructions before it. */
static inline uint64_t ticks(void) {
#if HAVE_TSC
    uint64_t t;
    __builtin_ia32_lfence();
    t = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return t;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

static double ns_of_tick;

static void calibrate(void) {
    struct timespec pause = {0, 100000000}, a, b;
    uint64_t begin, end;
    clock_gettime(CLOCK_MONOTONIC, &a);
    begin = ticks();
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    end = ticks();
    ns_of_tick = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
                 (double)(end - begin);
}

/* ---- what is timed ---- */

enum { WIDTH = 8, RING = 4096 };

typedef struct row72 {
    int64_t time;
    double value[WIDTH];
} row72;

static row72 ring[RING];
static uint32_t *samples;               /* [rows] in ticks */
static uint64_t rows, pace, busy;

/* Times `call` for every row, `pace` ticks from one to the next. A late row delays those behind it:
 * there is no catching up in a burst. */
#define TIME_ALL(call) do { \
    uint64_t next = ticks(), begin, end, i; \
    for (i = 0; i < rows; i++) { \
        double value[WIDTH]; \
        int k; \
        for (k = 0; k < WIDTH; k++) value[k] = (double)i + k; \
        do begin = ticks(); while (begin < next); \
        call; \
        end = ticks(); \
        samples[i] = end - begin < UINT32_MAX ? (uint32_t)(end - begin) : UINT32_MAX; \
        next = begin + pace; \
    } \
} while (0)

static void run_nothing(void) { TIME_ALL((void)value); }

/* As a call, which an append is. */
__attribute__((noinline)) static void ring_put(uint64_t i, const double *value) {
    row72 *to = &ring[i % RING];
    to->time = (int64_t)i;
    memcpy(to->value, value, sizeof to->value);
}

static void run_ring(void) { TIME_ALL(ring_put(i, value)); }

typedef struct poller {
    sst_store *store;
    int stop, result;
    pthread_t thread;
} poller;

static void *poll_thread(void *p) {
    poller *q = (poller *)p;
    struct timespec pause = {0, 50000};
    while (!__atomic_load_n(&q->stop, __ATOMIC_ACQUIRE) && q->result == SST_OK) {
        q->result = sst_poll(q->store);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static int append_deferred(sst_stream *stream, int64_t time, const double *value) {
    int result = sst_append(stream, time, value);
    if (result != SST_ERR_BUSY) return result;
    busy++;
    do result = sst_append(stream, time, value); while (result == SST_ERR_BUSY);
    return result;
}

static void run_store(const char *path, uint32_t flags, uint32_t block_bytes) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_stream *stream;
    poller poll = {0};
    int result = SST_OK;
    options.flags = flags | SST_NO_SYNC;
    options.block_bytes = block_bytes;
    desc.name = "x";
    desc.type = SST_F64;
    desc.shape[0] = WIDTH;
    bench_check("sst_create", sst_create(path, &options, &poll.store));
    bench_check("sst_stream_create", sst_stream_create(poll.store, &desc, &stream));
    if ((flags & SST_DEFERRED) != 0) {
        bench_check("pthread_create", pthread_create(&poll.thread, NULL, poll_thread, &poll));
        TIME_ALL(result |= append_deferred(stream, (int64_t)i, value));
        __atomic_store_n(&poll.stop, 1, __ATOMIC_RELEASE);
        pthread_join(poll.thread, NULL);
        bench_check("sst_poll", poll.result);
    } else {
        TIME_ALL(result |= sst_append(stream, (int64_t)i, value));
    }
    bench_check("appending", result);
    if (sst_rows(stream) != rows) bench_stop("rows are missing", 0);
    bench_check("sst_close", sst_close(poll.store));
    bench_remove(path);
}

/* ---- the table ---- */

enum { P50, P99, P999, P9999, MAXIMUM, FIGURES };
enum { NOTHING, BARE, DEFAULT, DEFERRED, DEFERRED_LARGE, BARE_FAST, DEFAULT_FAST, CONTENDERS };

static const char *const names[CONTENDERS] = {
    "the timer itself (counted in all below)", "  memcpy into a ring", "  default",
    "  SST_DEFERRED and a polling thread", "  the same, blocks of 1 MiB",
    "  memcpy into a ring, no pace", "  default, no pace"
};

static bench_figure figures[CONTENDERS][FIGURES];

static int compare_samples(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void note(bench_figure *f) {
    static const double shares[MAXIMUM] = {0.5, 0.99, 0.999, 0.9999};
    int p;
    qsort(samples, (size_t)rows, sizeof *samples, compare_samples);
    for (p = 0; p < FIGURES; p++) {
        uint64_t at = p == MAXIMUM ? rows - 1 : (uint64_t)((double)rows * shares[p]);
        bench_add(&f[p], 0, samples[at] * ns_of_tick * 1e-9, 1);
    }
}

static void print_table(void) {
    double p9999 = bench_median(&figures[DEFERRED][P9999]);
    double large = bench_median(&figures[DEFERRED_LARGE][P9999]);
    int c, r;
    printf("%-44s %9s %9s %9s %9s %11s\n", "nanoseconds", "p50", "p99", "p99.9", "p99.99",
           "maximum");
    for (c = 0; c < CONTENDERS; c++) {
        bench_figure *f = figures[c];
        double maximum = 0;
        for (r = 0; r < f[MAXIMUM].count; r++) {
            if (f[MAXIMUM].value[r] > maximum) maximum = f[MAXIMUM].value[r];
        }
        printf("%-44s %9.0f %9.0f %9.0f %9.0f %11.0f\n", names[c], bench_median(&f[P50]),
               bench_median(&f[P99]), bench_median(&f[P999]), bench_median(&f[P9999]), maximum);
    }
    printf("SST_DEFERRED: p99.99 %.0f ns (target below 200 ns: %s), blocks of 1 MiB %.0f ns (%s)\n"
           "an append found both halves full %llu times\n", p9999, p9999 < 200 ? "met" : "missed",
           large, large < 200 ? "met" : "missed", (unsigned long long)busy);
}

int main(void) {
    int c, r, rounds = (int)bench_setting("BENCH_ROUNDS", 5);
    uint64_t pace_ns = bench_setting("BENCH_PACE_NS", 1000);
    char path[300];
    rows = bench_setting("BENCH_ROWS", 2000000);
    samples = (uint32_t *)malloc((size_t)rows * sizeof *samples);
    if (samples == NULL || rows == 0) bench_stop("no memory for the samples", 0);
    memset(samples, 0, (size_t)rows * sizeof *samples);
    memset(ring, 0, sizeof ring);
    bench_machine("one append of 64 bytes");
    bench_path(path, sizeof path, "latency");
    calibrate();
    printf("%llu appends, one every %llu ns, %d rounds, timed with %s\n",
           (unsigned long long)rows, (unsigned long long)pace_ns, rounds,
           HAVE_TSC ? "rdtsc between lfences" : "clock_gettime");
    for (r = 0; r < rounds; r++) {
        for (c = 0; c < CONTENDERS; c++) {
            bool paced = c != NOTHING && c < BARE_FAST;
            bool deferred = c == DEFERRED || c == DEFERRED_LARGE;
            pace = paced ? (uint64_t)((double)pace_ns / ns_of_tick) : 0;
            if (c == NOTHING) run_nothing();
            else if (c == BARE || c == BARE_FAST) run_ring();
            else run_store(path, deferred ? SST_DEFERRED : 0, c == DEFERRED_LARGE ? 1u << 20 : 0);
            note(figures[c]);
        }
    }
    print_table();
    free(samples);
    return 0;
}
