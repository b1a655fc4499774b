/* bench_gather.c - sst_gather of random rows from a store of one block, against numpy.
 *
 *     BENCH_BYTES (2,147,483,648 of values)   BENCH_QUERIES (65,536 rows in each call)
 *     BENCH_CALLS (16, in each round)   BENCH_ROUNDS (5)   BENCH_DIR   BENCH_PYTHON (python3)
 *
 * Rows of 64 and of 256 bytes. numpy (bench_gather.py, in a process of its own that stays for all
 * rounds) has the same rows as an array in memory, and again as a mapped file, and is given indices
 * in turn with us, new ones for every way and round: a[idx], which makes a new array, and
 * np.take(a, idx, axis=0, out=out), which like sst_gather writes into one that is there, but by way
 * of a buffer unless told mode="clip" (which takes wrong indices for the nearest right one). numpy
 * asks for huge pages for its array in memory; a mapped file has none. */
#define STREAMSTORE_IMPLEMENTATION
#include "../../streamstore.h"

#include <sys/wait.h>

#include "bench.h"

/* Word k of row r is r * words of a row + k: both sides can check what they gathered. */
static void record(const char *path, const char *single, uint32_t width, uint64_t rows) {
    enum { BATCH = 65536 };
    static int64_t times[BATCH];
    static uint64_t values[BATCH / 8];
    size_t words = width / 8, batch = sizeof values / width, k;
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    uint64_t i;
    options.flags = SST_REPLACE | SST_NO_SYNC;
    options.block_bytes = 8u << 20;
    desc.name = "x";
    desc.type = SST_U8;
    desc.shape[0] = width;
    bench_check("sst_create", sst_create(path, &options, &store));
    bench_check("sst_stream_create", sst_stream_create(store, &desc, &stream));
    for (i = 0; i < rows; i += batch) {
        size_t n = rows - i < batch ? (size_t)(rows - i) : batch;
        for (k = 0; k < n; k++) times[k] = (int64_t)(i + k) * 1000;
        for (k = 0; k < n * words; k++) values[k] = i * words + k;
        bench_check("sst_append_rows", sst_append_rows(stream, times, values, n));
    }
    bench_check("sst_flush", sst_flush(store));
    options.flags |= SST_SINGLE_BLOCK;
    options.block_bytes = 0;
    bench_check("sst_compact", sst_compact(store, single, &options));
    bench_check("sst_close", sst_close(store));
    bench_remove(path);
}

/* ---- numpy ---- */

typedef struct numpy {
    pid_t child;
    FILE *to, *from;                    /* NULL: there is no numpy */
} numpy;

/* What numpy measures in one round. */
enum { WAYS = 6 };

static const char *const ways[WAYS] = {
    "a[idx]", "np.take(out=)", "np.take, clip", "mapped: a[idx]", "mapped: np.take(out=)",
    "mapped: np.take, clip"
};
static const double targets[WAYS] = {3, 1.5, 0, 3, 1.5, 0};

typedef struct answer {
    double ns[WAYS];                    /* for all calls together */
    unsigned long long sum;             /* of what was gathered, all ways together */
} answer;

static void numpy_start(numpy *n, uint32_t width, uint64_t rows, const char *file) {
    int to[2], from[2];
    char a[32], b[32], line[64] = "";
    const char *python = getenv("BENCH_PYTHON");
    if (python == NULL) python = "python3";
    memset(n, 0, sizeof *n);
    if (access("tests/bench/bench_gather.py", R_OK) != 0) return;
    if (pipe(to) != 0 || pipe(from) != 0) bench_stop("pipe", 0);
    snprintf(a, sizeof a, "%u", (unsigned)width);
    snprintf(b, sizeof b, "%llu", (unsigned long long)rows);
    n->child = fork();
    if (n->child < 0) bench_stop("fork", 0);
    if (n->child == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[0]), close(to[1]), close(from[0]), close(from[1]);
        execlp(python, python, "tests/bench/bench_gather.py", a, b, file, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    n->to = fdopen(to[1], "w");
    n->from = fdopen(from[0], "r");
    if (n->to == NULL || n->from == NULL) bench_stop("fdopen", 0);
    if (fgets(line, sizeof line, n->from) != NULL && strncmp(line, "numpy ", 6) == 0) {
        line[strcspn(line, "\n")] = '\0';
        printf("%s\n", line);
        return;
    }
    fclose(n->to);
    fclose(n->from);
    n->to = n->from = NULL;
    waitpid(n->child, NULL, 0);
}

static answer numpy_ask(numpy *n, const char *indices, size_t calls, size_t queries) {
    answer a;
    int i;
    char line[400] = "", *p = line;
    fprintf(n->to, "%s %zu %zu\n", indices, calls, queries);
    fflush(n->to);
    if (fgets(line, sizeof line, n->from) == NULL) bench_stop("numpy did not answer", 0);
    for (i = 0; i < WAYS; i++) a.ns[i] = strtod(p, &p);
    if (sscanf(p, "%llu", &a.sum) != 1) bench_stop("numpy did not answer", 0);
    return a;
}

static void numpy_stop(numpy *n) {
    if (n->to == NULL) return;
    fclose(n->to);
    fclose(n->from);
    waitpid(n->child, NULL, 0);
}

/* ---- ours ---- */

typedef struct figures {
    bench_figure ours, way[WAYS];
} figures;

static void put_indices(const char *path, const int64_t *indices, size_t n) {
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(indices, sizeof *indices, n, f) != n || fclose(f) != 0) {
        bench_stop("writing the indices", 0);
    }
}

/* New random rows for one way; returns the sum of their first words. */
static unsigned long long choose(int64_t *indices, size_t n, uint64_t rows, uint32_t width) {
    static uint64_t random = 5;
    unsigned long long sum = 0;
    size_t i;
    for (i = 0; i < n; i++) {
        uint64_t row = bench_random(&random) % rows;
        indices[i] = (int64_t)row;
        sum += row * (width / 8);
    }
    return sum;
}

static void compare(sst_stream *stream, numpy *python, uint32_t width, const char *indices_path,
                    figures *f) {
    size_t queries = (size_t)bench_setting("BENCH_QUERIES", 65536);
    size_t calls = (size_t)bench_setting("BENCH_CALLS", 16), i, c, total = queries * calls;
    int r, rounds = (int)bench_setting("BENCH_ROUNDS", 5);
    int64_t *indices = (int64_t *)malloc(WAYS * total * sizeof *indices);
    uint8_t *out = (uint8_t *)calloc(queries, width);
    uint64_t rows = sst_rows(stream);
    double counted = (double)(total - queries);
    if (calls < 2) bench_stop("BENCH_CALLS is 2 at least", 0);
    if (indices == NULL || out == NULL) bench_stop("no memory", 0);
    for (r = -1; r < rounds; r++) {         /* in the first, checksums are verified */
        unsigned long long sum = choose(indices, total, rows, width), word;
        double t = 0;
        answer a;
        for (c = 0; c < calls; c++) {
            const int64_t *idx = indices + c * queries;
            double begin = bench_now();
            bench_check("sst_gather", sst_gather(stream, idx, queries, out, NULL));
            if (c != 0) t += bench_now() - begin;
            for (i = 0; i < queries; i++) {
                memcpy(&word, out + i * width, sizeof word);
                sum -= word;
            }
        }
        if (sum != 0) bench_stop("sst_gather: wrong rows", 0);
        if (r >= 0) bench_add(&f->ours, 0, t, counted);
        if (python->to == NULL) continue;
        sum = choose(indices, WAYS * total, rows, width);
        put_indices(indices_path, indices, WAYS * total);
        a = numpy_ask(python, indices_path, calls, queries);
        if (a.sum != sum) bench_stop("numpy: wrong rows", 0);
        for (i = 0; i < WAYS && r >= 0; i++) {
            bench_add(&f->way[i], 0, a.ns[i] * 1e-9, counted);
        }
    }
    free(indices);
    free(out);
}

static void run(uint32_t width, const char *path) {
    uint64_t rows = bench_setting("BENCH_BYTES", 2147483648u) / width;
    char single[320], indices[320], plain[320], what[64];
    int i;
    figures f;
    numpy python;
    sst_store *store;
    sst_stream *stream;
    memset(&f, 0, sizeof f);
    snprintf(single, sizeof single, "%s-single", path);
    snprintf(indices, sizeof indices, "%s-indices", path);
    snprintf(plain, sizeof plain, "%s-plain", path);
    printf("%llu rows of %u bytes\n", (unsigned long long)rows, (unsigned)width);
    fflush(stdout);
    record(path, single, width, rows);
    numpy_start(&python, width, rows, plain);
    bench_check("sst_open", sst_open(single, NULL, &store));
    bench_check("sst_stream_open", sst_stream_open(store, "x", &stream));
    compare(stream, &python, width, indices, &f);
    bench_check("sst_close", sst_close(store));
    numpy_stop(&python);
    bench_remove(single);
    bench_remove(indices);
    bench_remove(plain);
    snprintf(what, sizeof what, "  sst_gather, %u bytes", (unsigned)width);
    if (python.to == NULL) {
        bench_single(what, &f.ours, 0);
        printf("numpy is left out: not installed\n");
        return;
    }
    for (i = 0; i < WAYS; i++) bench_row(what, &f.ours, ways[i], &f.way[i], targets[i]);
}

int main(void) {
    char path[300], other[300];
    bench_machine("rows at random numbers");
    bench_path(other, sizeof other, "gather-single");       /* so that they are removed, too */
    bench_path(other, sizeof other, "gather-indices");
    bench_path(other, sizeof other, "gather-plain");
    bench_path(path, sizeof path, "gather");
    run(64, path);
    run(256, path);
    return 0;
}
