// bench_query.cpp - sst_at and sst_sample against std::lower_bound over the same times in an array.
//
//     BENCH_ROWS (100,000,000)   BENCH_QUERIES (1,000,000, in each round)   BENCH_ROUNDS (5)
//
// For each pattern of times a file is recorded, closed, opened (mapped) and asked for rows at
// random times; then the same of a copy that sst_compact made with SST_SINGLE_BLOCK.
#define STREAMSTORE_IMPLEMENTATION
#include "../../streamstore.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench.h"

static volatile uint64_t sink;

enum { REGULAR, GAPPY, POISSON, BURSTS, PATTERNS };
static const char *const names[PATTERNS] = {"regular", "gappy", "Poisson", "outlier and bursts"};

static std::vector<int64_t> make_times(int pattern, size_t rows) {
    std::vector<int64_t> times(rows);
    uint64_t random = 7;
    int64_t t = pattern == BURSTS ? 0 : 1700000000000000000;
    for (size_t i = 0; i < rows; i++) {
        times[i] = t;
        uint64_t r = bench_random(&random);
        switch (pattern) {
        case REGULAR: t += 1000; break;
        case GAPPY: t += r % 10000 == 0 ? 1000 * (int64_t)(r >> 40) : 1000; break;
        case POISSON:
            t += 1 + (int64_t)(-1000.0 * std::log1p(-(double)(r >> 11) / 9007199254740992.0));
            break;
        default:
            if (i == 0) t = 1700000000000000000;
            else t += i % 4096 == 0 ? 1000000000 + (int64_t)(r % 1000000000) : 1 + (int64_t)(r % 3);
        }
    }
    return times;
}

static void record(const char *path, const std::vector<int64_t> &times) {
    sst_store *store;
    sst_stream *stream;
    sst_options options = sst_options();
    sst_stream_desc desc = sst_stream_desc();
    std::vector<double> values(65536);
    options.flags = SST_REPLACE | SST_NO_SYNC;
    desc.name = "x";
    desc.type = SST_F64;
    int result = sst_create(path, &options, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &stream);
    for (size_t i = 0; i < times.size() && result == SST_OK; i += values.size()) {
        size_t n = std::min(values.size(), times.size() - i);
        for (size_t k = 0; k < n; k++) values[k] = (double)(i + k);
        result = sst_append_rows(stream, &times[i], values.data(), n);
    }
    if (result == SST_OK) result = sst_sync(store);
    int closed = sst_close(store);
    if (result != SST_OK || closed != SST_OK) bench_stop("recording", result);
}

struct asked {
    bench_figure bound, at, sample;
};

/* One round: each contender answers the same questions. */
static void round_of(sst_stream *stream, const std::vector<int64_t> &times,
                     const std::vector<int64_t> &questions, asked *a) {
    size_t n = questions.size();
    std::vector<double> values(n);
    std::vector<int64_t> rows(n);
    uint64_t sum = 0, other = 0;
    double t0 = bench_now();
    for (size_t i = 0; i < n; i++) {
        sum += (uint64_t)(std::lower_bound(times.begin(), times.end(), questions[i]) -
                          times.begin());
    }
    double t1 = bench_now();
    for (size_t i = 0; i < n; i++) {
        sst_view view;
        int result = sst_at(stream, questions[i], &view);
        if (result != SST_OK) bench_stop("sst_at", result);
        other += view.first_row;
    }
    double t2 = bench_now();
    int result = sst_sample(stream, questions.data(), n, SST_SAMPLE_PREVIOUS, values.data(),
                            rows.data());
    double t3 = bench_now();
    if (result != SST_OK) bench_stop("sst_sample", result);
    for (size_t i = 0; i < n; i++) {
        other -= (uint64_t)rows[i];
        if (values[i] != (double)rows[i] || times[(size_t)rows[i]] > questions[i]) {
            bench_stop("a wrong answer", 0);
        }
    }
    if (other != 0) bench_stop("answers differ", 0);
    sink = sum;
    bench_add(&a->bound, t0, t1, (double)n);
    bench_add(&a->at, t1, t2, (double)n);
    bench_add(&a->sample, t2, t3, (double)n);
}

static void ask(const char *path, const char *what, const std::vector<int64_t> &times,
                double at_target, double sample_target) {
    size_t queries = bench_setting("BENCH_QUERIES", 1000000);
    int rounds = (int)bench_setting("BENCH_ROUNDS", 5);
    std::vector<int64_t> questions(queries);
    asked a = asked();
    sst_store *store;
    sst_stream *stream;
    uint64_t random = 99;
    char label[100];
    double begin = bench_now();
    int result = sst_open(path, NULL, &store);
    double opened = bench_now();
    if (result == SST_OK) result = sst_stream_open(store, "x", &stream);
    if (result != SST_OK) bench_stop("opening", result);
    for (int r = 0; r <= rounds; r++) {
        for (size_t i = 0; i < queries; i++) {
            uint64_t row = bench_random(&random) % times.size();
            questions[i] = times[row] + (int64_t)(bench_random(&random) % 1000);
        }
        asked warm = asked();                   /* the first round checks checksums */
        round_of(stream, times, questions, r == 0 ? &warm : &a);
    }
    printf("%s, opened in %.0f us\n", what, (opened - begin) * 1e6);
    snprintf(label, sizeof label, "  sst_at, %s", what);
    bench_row(label, &a.at, "std::lower_bound", &a.bound, at_target);
    snprintf(label, sizeof label, "  sst_sample, %s", what);
    bench_row(label, &a.sample, "std::lower_bound", &a.bound, sample_target);
    sst_close(store);
}

int main() {
    static const double at_targets[PATTERNS] = {5, 5, 5, 4};
    static const double sample_targets[PATTERNS] = {12, 12, 8, 8};
    size_t rows = bench_setting("BENCH_ROWS", 100000000);
    char path[300], single[320];
    bench_machine("rows at random times");
    printf("%zu rows of int64 time and double\n", rows);
    bench_path(path, sizeof path, "query");
    snprintf(single, sizeof single, "%s-single", path);
    for (int p = 0; p < PATTERNS; p++) {
        std::vector<int64_t> times = make_times(p, rows);
        char what[64];
        record(path, times);
        ask(path, names[p], times, at_targets[p], sample_targets[p]);
        if (p == REGULAR || p == GAPPY) {
            sst_options options = sst_options();
            sst_store *store;
            options.flags = SST_SINGLE_BLOCK | SST_REPLACE | SST_NO_SYNC;
            int result = sst_open(path, NULL, &store);
            if (result == SST_OK) result = sst_compact(store, single, &options);
            if (result != SST_OK) bench_stop("compacting", result);
            sst_close(store);
            snprintf(what, sizeof what, "%s, one block", names[p]);
            ask(single, what, times, 10, 30);
            unlink(single);
        }
        unlink(path);
    }
    return 0;
}
