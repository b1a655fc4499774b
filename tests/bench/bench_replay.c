/* bench_replay.c - several streams at once: the rows of 8 in the order of time, and the state of
 * 20 at a moment.
 *
 *     BENCH_ROWS (20,000,000 of int64 time and double, in 8 streams together)
 *     BENCH_STATE_ROWS (1,000,000 in each of 20 streams)   BENCH_QUERIES (100,000 snapshots in each
 *     round)   BENCH_ROUNDS (5)   BENCH_DIR */
#define STREAMSTORE_IMPLEMENTATION
#include "../../streamstore.h"

#include "bench.h"

enum { STEP = 1000, MOST = 20 };        /* from one row of a stream to the next */

static const int64_t begin_time = 1700000000000000000;

static void stream_name(char *name, size_t size, size_t i) {
    snprintf(name, size, "stream %u", (unsigned)i);
}

/* Rows of regular times that jitter. */
static void record_stream(sst_stream *stream, uint64_t rows, uint64_t random) {
    enum { BATCH = 4096 };
    static int64_t times[BATCH];
    static double values[BATCH];
    uint64_t i;
    for (i = 0; i < rows; i += BATCH) {
        size_t k, n = rows - i < BATCH ? (size_t)(rows - i) : (size_t)BATCH;
        for (k = 0; k < n; k++) {
            times[k] = begin_time + (int64_t)(i + k) * STEP +
                       (int64_t)(bench_random(&random) % STEP);
            values[k] = (double)(i + k);
        }
        bench_check("sst_append_rows", sst_append_rows(stream, times, values, n));
    }
}

/* A closed file of n streams, and handles to read them. */
static void record(const char *path, size_t n, uint64_t rows, sst_store **store,
                   sst_stream **streams) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    char name[32];
    size_t i;
    options.flags = SST_REPLACE;
    desc.type = SST_F64;
    desc.name = name;
    bench_check("sst_create", sst_create(path, &options, store));
    for (i = 0; i < n; i++) {
        stream_name(name, sizeof name, i);
        bench_check("sst_stream_create", sst_stream_create(*store, &desc, &streams[i]));
        record_stream(streams[i], rows, i + 1);
    }
    bench_check("sst_close", sst_close(*store));
    bench_check("sst_open", sst_open(path, NULL, store));
    for (i = 0; i < n; i++) {
        stream_name(name, sizeof name, i);
        bench_check("sst_stream_open", sst_stream_open(*store, name, &streams[i]));
    }
}

/* ---- replay ---- */

/* Every row one way; each value is read. */
static void time_replay(sst_replay *replay, uint64_t rows, bool forwards, bench_figure *f) {
    double begin = bench_now(), sum = 0, per = (double)(rows / 8);
    int64_t last = forwards ? INT64_MIN : INT64_MAX;
    uint64_t count = 0;
    size_t stream;
    sst_view row;
    int result;
    while ((result = forwards ? sst_replay_next(replay, &stream, &row)
                              : sst_replay_prev(replay, &stream, &row)) == SST_OK) {
        if (forwards ? row.times[0] < last : row.times[0] > last) bench_stop("a wrong order", 0);
        last = row.times[0];
        sum += *(const double *)row.values;
        count++;
    }
    bench_add(f, begin, bench_now(), (double)rows);
    if (result != SST_ERR_NOT_FOUND || count != rows) bench_stop("sst_replay", result);
    if (sum != 8 * (per * (per - 1) / 2)) bench_stop("wrong values", 0);
}

static void replays(const char *path, uint64_t rows, int rounds) {
    bench_figure next = {{0}, 0}, prev = {{0}, 0}, none = {{0}, 0};
    sst_stream *streams[8];
    sst_replay *replay;
    sst_store *store;
    int r;
    record(path, 8, rows / 8, &store, streams);
    bench_check("sst_replay_open", sst_replay_open(streams, 8, INT64_MIN, &replay));
    for (r = -1; r < rounds; r++) {
        time_replay(replay, rows, true, r < 0 ? &none : &next);
        time_replay(replay, rows, false, r < 0 ? &none : &prev);
    }
    sst_replay_close(replay);
    bench_check("sst_close", sst_close(store));
    bench_remove(path);
    printf("8 streams, %llu rows together, in a closed mapped file\n", (unsigned long long)rows);
    bench_single("  sst_replay_next, a row", &next, 50);
    bench_single("  sst_replay_prev, a row", &prev, 0);
}

/* ---- snapshots ---- */

static void snapshots(const char *path, uint64_t rows, int rounds) {
    size_t n = (size_t)bench_setting("BENCH_QUERIES", 100000), i, k;
    bench_figure one = {{0}, 0}, many = {{0}, 0};
    int64_t *times = (int64_t *)malloc(n * 8), *found = (int64_t *)malloc(n * MOST * 8);
    sst_stream *streams[MOST];
    sst_store *store;
    uint64_t random = 5;
    int r;
    if (times == NULL || found == NULL) bench_stop("no memory", 0);
    record(path, MOST, rows, &store, streams);
    for (r = -1; r < rounds; r++) {
        uint64_t sum = 0;
        double t0, t1, t2;
        for (i = 0; i < n; i++) {
            times[i] = begin_time + STEP + (int64_t)(bench_random(&random) % (rows * STEP));
        }
        t0 = bench_now();
        for (i = 0; i < n; i++) {
            sst_view state[MOST];
            int result = sst_snapshot(streams, MOST, times[i], state);
            if (result != SST_OK) bench_stop("sst_snapshot", result);
            for (k = 0; k < MOST; k++) sum += state[k].first_row;
        }
        t1 = bench_now();
        bench_check("sst_snapshot_rows", sst_snapshot_rows(streams, MOST, times, n, found));
        t2 = bench_now();
        for (i = 0; i < n * MOST; i++) sum -= (uint64_t)found[i];
        if (sum != 0) bench_stop("sst_snapshot and sst_snapshot_rows differ", 0);
        if (r < 0) continue;
        bench_add(&one, t0, t1, (double)n);
        bench_add(&many, t1, t2, (double)n);
    }
    bench_check("sst_close", sst_close(store));
    bench_remove(path);
    free(times);
    free(found);
    printf("20 streams of %llu rows each, random times\n", (unsigned long long)rows);
    bench_single("  sst_snapshot", &one, 2000);
    bench_single("  sst_snapshot_rows, a time", &many, 0);
}

int main(void) {
    uint64_t rows = bench_setting("BENCH_ROWS", 20000000) / 8 * 8;
    int rounds = (int)bench_setting("BENCH_ROUNDS", 5);
    char path[300];
    bench_machine("several streams at once");
    bench_path(path, sizeof path, "replay");
    replays(path, rows, rounds);
    snapshots(path, bench_setting("BENCH_STATE_ROWS", 1000000), rounds);
    return 0;
}
