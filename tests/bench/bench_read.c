/* bench_read.c - opening, windows, samples in the order of time, and following a recording.
 *
 *     BENCH_ROWS (100,000,000 of int64 time and double)   BENCH_MERGE_ROWS (10,000,000)
 *     BENCH_QUERIES (1,000,000 windows in each round)   BENCH_LIVE_ROWS (20,000)
 *     BENCH_LIVE_NS (20,000 from one row to the next)   BENCH_ROUNDS (5)   BENCH_DIR */
#define STREAMSTORE_IMPLEMENTATION
#include "../../streamstore.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"

enum { STEP = 1000 };                   /* from one row to the next; some rows are later */

static int64_t time_of(uint64_t i, uint64_t r) {
    return 1700000000000000000 + (int64_t)i * STEP + (int64_t)(r % (STEP / 2));
}

/* Rows of regular times that jitter; times: where they are noted, or NULL. */
static void record(const char *path, uint64_t rows, int64_t *times, double *values) {
    enum { BATCH = 65536 };
    static int64_t t[BATCH];
    static double v[BATCH];
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    uint64_t i, random = 3;
    options.flags = SST_REPLACE;            /* synced when closed: END proves what is before it */
    desc.name = "x";
    desc.type = SST_F64;
    bench_check("sst_create", sst_create(path, &options, &store));
    bench_check("sst_stream_create", sst_stream_create(store, &desc, &stream));
    for (i = 0; i < rows; i += BATCH) {
        size_t k, n = rows - i < BATCH ? (size_t)(rows - i) : (size_t)BATCH;
        for (k = 0; k < n; k++) {
            t[k] = time_of(i + k, bench_random(&random));
            v[k] = (double)(i + k);
            if (times != NULL) times[i + k] = t[k];
            if (values != NULL) values[i + k] = v[k];
        }
        bench_check("sst_append_rows", sst_append_rows(stream, t, v, n));
    }
    bench_check("sst_close", sst_close(store));
}

static sst_stream *open_stream(const char *path, sst_store **store) {
    sst_stream *stream = NULL;
    bench_check("sst_open", sst_open(path, NULL, store));
    bench_check("sst_stream_open", sst_stream_open(*store, "x", &stream));
    return stream;
}

/* ---- opening ---- */

static void opening(const char *path, int rounds) {
    enum { TIMES = 20 };
    bench_figure open = {{0}, 0}, first = {{0}, 0};
    sst_store *store;
    sst_view view;
    double begin, opened, asked;
    int r, i;
    for (r = -1; r < rounds; r++) {
        double opens = 0, firsts = 0;
        for (i = 0; i < TIMES; i++) {
            sst_stream *stream;
            begin = bench_now();
            stream = open_stream(path, &store);
            opened = bench_now();
            bench_check("sst_at", sst_at(stream, time_of(sst_rows(stream) / 2, 0), &view));
            asked = bench_now();
            opens += opened - begin;
            firsts += asked - opened;
            bench_check("sst_close", sst_close(store));
        }
        if (r < 0) continue;
        bench_add(&open, 0, opens, TIMES);
        bench_add(&first, 0, firsts, TIMES);
    }
    bench_single("  sst_open and sst_stream_open", &open, 1e6);
    bench_single("  the first sst_at after it", &first, 0);
}

/* ---- windows ---- */

enum { WINDOW = 1000 };

/* Where windows of 1,000 rows begin, in the first `spread` rows. whole: only such as one block
 * holds. */
static void choose_windows(sst_stream *stream, uint64_t spread, bool whole, int64_t *starts,
                           size_t n) {
    uint64_t random = 11;
    size_t i = 0;
    if (spread > sst_rows(stream)) spread = sst_rows(stream);
    if (spread <= WINDOW) bench_stop("too few rows for a window", 0);
    while (i < n) {
        sst_view view;
        uint64_t row = bench_random(&random) % (spread - WINDOW);
        bench_check("sst_window", sst_window(stream, time_of(row, 0),
                                             time_of(row + WINDOW, 0) - 1, &view));
        if (view.count != WINDOW || view.first_row != row) bench_stop("a wrong window", 0);
        if (view.stable || !whole) starts[i++] = view.times[0];
    }
}

static void time_windows(sst_stream *stream, const int64_t *starts, size_t n, bench_figure *f) {
    uint64_t sum = 0;
    double begin = bench_now();
    size_t i;
    for (i = 0; i < n; i++) {
        sst_view view;
        int result = sst_window(stream, starts[i],
                                starts[i] + (int64_t)WINDOW * STEP - STEP / 2 - 1, &view);
        if (result != SST_OK) bench_stop("sst_window", result);
        sum += view.count;
    }
    bench_add(f, begin, bench_now(), (double)n);
    if (sum != n * WINDOW) bench_stop("wrong windows", 0);
}

static void windows(const char *path, int rounds) {
    size_t n = (size_t)bench_setting("BENCH_QUERIES", 1000000);
    int64_t *starts[3];
    bench_figure f[3];
    sst_store *store;
    sst_stream *stream = open_stream(path, &store);
    int r, i;
    memset(f, 0, sizeof f);
    for (i = 0; i < 3; i++) {
        starts[i] = (int64_t *)malloc(n * sizeof **starts);
        if (starts[i] == NULL) bench_stop("no memory", 0);
        choose_windows(stream, i == 1 ? 8192 : sst_rows(stream), i != 2, starts[i], n);
    }
    for (r = 0; r < rounds; r++) {
        for (i = 0; i < 3; i++) time_windows(stream, starts[i], n, &f[i]);
    }
    for (i = 0; i < 3; i++) free(starts[i]);
    bench_check("sst_close", sst_close(store));
    bench_single("  sst_window of 1,000 rows, within a block", &f[0], 200);
    bench_single("  the same, all in one block", &f[1], 200);
    bench_single("  anywhere (across blocks: copied)", &f[2], 0);
}

/* ---- samples in the order of time ---- */

static int compare_times(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* What a program with the arrays in memory would write. */
static void merge(const int64_t *times, const double *values, uint64_t rows,
                  const int64_t *questions, size_t n, double *out, int64_t *out_rows) {
    uint64_t row = 0;                       /* the first later than the question */
    size_t i;
    for (i = 0; i < n; i++) {
        while (row < rows && times[row] <= questions[i]) row++;
        out_rows[i] = (int64_t)row - 1;
        out[i] = row > 0 ? values[row - 1] : 0;
    }
}

static void sorted_samples(const char *path, int rounds) {
    static const uint64_t shares[] = {1, 10, 100};
    uint64_t rows = bench_setting("BENCH_MERGE_ROWS", 10000000), random = 17;
    int64_t *times = (int64_t *)malloc((size_t)rows * 8);
    double *values = (double *)malloc((size_t)rows * 8);
    int64_t *questions = (int64_t *)malloc((size_t)rows * 8);
    double *out[2];
    int64_t *out_rows[2];
    sst_store *store;
    sst_stream *stream;
    size_t s, i;
    int r;
    for (i = 0; i < 2; i++) {
        out[i] = (double *)calloc((size_t)rows, 8);
        out_rows[i] = (int64_t *)calloc((size_t)rows, 8);
        if (out[i] == NULL || out_rows[i] == NULL) bench_stop("no memory", 0);
    }
    if (times == NULL || values == NULL || questions == NULL) bench_stop("no memory", 0);
    record(path, rows, times, values);
    stream = open_stream(path, &store);
    for (s = 0; s < sizeof shares / sizeof *shares; s++) {
        size_t n = (size_t)(rows / shares[s]);
        bench_figure ours = {{0}, 0}, theirs = {{0}, 0};
        char what[80];
        for (r = -1; r < rounds; r++) {
            double t0, t1, t2;
            for (i = 0; i < n; i++) {
                questions[i] = time_of(bench_random(&random) % rows, 0) +
                               (int64_t)(bench_random(&random) % STEP);
            }
            qsort(questions, n, sizeof *questions, compare_times);
            t0 = bench_now();
            merge(times, values, rows, questions, n, out[0], out_rows[0]);
            t1 = bench_now();
            bench_check("sst_sample", sst_sample(stream, questions, n, SST_SAMPLE_PREVIOUS, out[1],
                                                 out_rows[1]));
            t2 = bench_now();
            if (memcmp(out[0], out[1], n * 8) != 0 ||
                memcmp(out_rows[0], out_rows[1], n * 8) != 0) {
                bench_stop("sst_sample and the merge differ", 0);
            }
            if (r < 0) continue;
            bench_add(&theirs, t0, t1, (double)n);
            bench_add(&ours, t1, t2, (double)n);
        }
        snprintf(what, sizeof what, "  sst_sample, %llu sorted times", (unsigned long long)n);
        bench_row(what, &ours, "linear merge", &theirs, 1.5);
    }
    bench_check("sst_close", sst_close(store));
    bench_remove(path);
    for (i = 0; i < 2; i++) free(out[i]), free(out_rows[i]);
    free(times);
    free(values);
    free(questions);
}

/* ---- following a recording ---- */

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

typedef struct shared {
    uint32_t ready;                     /* the reader follows */
    int result;
    uint64_t seen, refreshes;
    double refresh_ns;                  /* all of them together */
    double delays[];
} shared;

/* Another process: asks again and again, and notes how old each new row is once it is read. */
static void follow(const char *path, uint64_t rows, shared *s) {
    sst_store *store;
    sst_stream *stream;
    int64_t limit = clock_ns() + 60000000000;
    s->result = sst_open(path, NULL, &store);
    if (s->result != SST_OK) return;
    s->result = sst_stream_open(store, "x", &stream);
    __atomic_store_n(&s->ready, 1u, __ATOMIC_RELEASE);
    while (s->result == SST_OK && s->seen < rows && clock_ns() < limit) {
        sst_view view;
        int64_t now, begin = clock_ns();
        uint64_t i;
        s->result = sst_refresh(store);
        s->refresh_ns += (double)(clock_ns() - begin);
        s->refreshes++;
        if (s->result != SST_OK || sst_rows(stream) == s->seen) continue;
        s->result = sst_slice(stream, s->seen, rows, &view);
        now = clock_ns();
        for (i = 0; s->result == SST_OK && i < view.count; i++) {
            s->delays[s->seen++] = (double)(now - view.times[i]);
        }
    }
    sst_close(store);
}

static void live(const char *path) {
    uint64_t rows = bench_setting("BENCH_LIVE_ROWS", 20000), i;
    int64_t pace = (int64_t)bench_setting("BENCH_LIVE_NS", 20000), next;
    size_t bytes = sizeof(shared) + (size_t)rows * sizeof(double);
    shared *s = (shared *)mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                               0);
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    pid_t child;
    if (s == MAP_FAILED || rows == 0) bench_stop("mmap", 0);
    options.flags = SST_REPLACE | SST_NO_SYNC;
    desc.name = "x";
    desc.type = SST_F64;
    bench_check("sst_create", sst_create(path, &options, &store));
    bench_check("sst_stream_create", sst_stream_create(store, &desc, &stream));
    child = fork();
    if (child < 0) bench_stop("fork", 0);
    if (child == 0) {
        follow(path, rows, s);
        __atomic_store_n(&s->ready, 1u, __ATOMIC_RELEASE);
        _exit(0);
    }
    while (__atomic_load_n(&s->ready, __ATOMIC_ACQUIRE) == 0) usleep(1000);
    next = clock_ns() + 1000000;
    for (i = 0; i < rows; i++) {
        int64_t now;
        while ((now = clock_ns()) < next) continue;
        bench_check("sst_append_f64", sst_append_f64(stream, now, (double)i));
        next = now + pace;
    }
    waitpid(child, NULL, 0);
    bench_check("sst_close", sst_close(store));
    bench_remove(path);
    bench_check("the reader", s->result);
    if (s->seen != rows) bench_stop("the reader missed rows", 0);
    qsort(s->delays, (size_t)rows, sizeof *s->delays, bench_compare);
    printf("  live reader, from append to read, %llu rows: p50 %.0f ns, p99 %.0f ns, maximum %.0f "
           "ns\n  an sst_refresh took %.0f ns (a reader that never sleeps, a row every %lld ns)\n",
           (unsigned long long)rows, s->delays[rows / 2], s->delays[rows * 99 / 100],
           s->delays[rows - 1], s->refresh_ns / (double)s->refreshes, (long long)pace);
    munmap(s, bytes);
}

int main(void) {
    uint64_t rows = bench_setting("BENCH_ROWS", 100000000);
    int rounds = (int)bench_setting("BENCH_ROUNDS", 5);
    char path[300];
    bench_machine("reading a file and following a recording");
    bench_path(path, sizeof path, "read");
    printf("a closed file of %llu rows of int64 time and double, in the page cache, median of %d "
           "rounds\n", (unsigned long long)rows, rounds);
    fflush(stdout);                     /* before the fork */
    record(path, rows, NULL, NULL);
    opening(path, rounds);
    windows(path, rounds);
    bench_remove(path);
    sorted_samples(path, rounds);
    live(path);
    return 0;
}
