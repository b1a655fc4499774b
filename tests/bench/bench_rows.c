/* bench_rows.c - appending rows of other kinds to a new file: a structure of 64 bytes as six fields
 * or as one, and rows of 100 bytes each, ragged.
 *
 *     BENCH_KIND_ROWS (10,000,000)   BENCH_ROUNDS (5)   BENCH_DIR
 *
 * As in bench_append.c: from the first row until the file is closed, nothing synced, kill-safe, in
 * another order in every round. LMDB appends in one transaction, without syncing, to a writable
 * map. The bare loop copies each row into a buffer of 256 KiB and writes that. */
/* bench-peer LMDB lmdb.h lmdb -llmdb */
#define STREAMSTORE_IMPLEMENTATION
#include "../../streamstore.h"

#include <fcntl.h>

#include "bench.h"

#if BENCH_LMDB
#include "peer_lmdb.h"
#endif

enum { BYTES = 100 };

typedef struct pose {
    double position[3];
    float rotation[4];
    int64_t battery;
    uint32_t state, mode;
    double effort;
} pose;

static const sst_field fields[6] = {
    {"position", SST_F64, {3}, 0, offsetof(pose, position)},
    {"rotation", SST_F32, {4}, 0, offsetof(pose, rotation)},
    {"battery", SST_I64, {0}, 0, offsetof(pose, battery)},
    {"state", SST_U32, {0}, 0, offsetof(pose, state)},
    {"mode", SST_U32, {0}, 0, offsetof(pose, mode)},
    {"effort", SST_F64, {0}, 0, offsetof(pose, effort)},
};

static inline int64_t time_of(uint64_t i) { return 1700000000000000000 + (int64_t)i * 1000; }

/* Row i, the same for everyone. */
static inline const void *pose_of(uint64_t i) {
    static pose p;
    p.position[0] = (double)i;
    p.battery = (int64_t)i;
    return &p;
}

static inline const void *bytes_of(uint64_t i) {
    static uint64_t bytes[BYTES / 8 + 1];
    bytes[0] = i;
    return bytes;
}

static void ours(const char *path, uint64_t rows, bench_figure *f, const sst_stream_desc *desc) {
    sst_options options = {0};
    sst_info info;
    sst_store *store;
    sst_stream *stream;
    uint64_t i;
    double begin;
    int result = SST_OK;
    options.flags = SST_NO_SYNC;
    bench_check("sst_create", sst_create(path, &options, &store));
    bench_check("sst_stream_create", sst_stream_create(store, desc, &stream));
    begin = bench_now();
    if (desc->type == SST_BYTES) {
        for (i = 0; i < rows && result == SST_OK; i++) {
            result = sst_append_n(stream, time_of(i), bytes_of(i), BYTES);
        }
    } else {
        for (i = 0; i < rows && result == SST_OK; i++) {
            result = sst_append(stream, time_of(i), pose_of(i));
        }
    }
    bench_check("appending", result);
    if (sst_rows(stream) != rows) bench_stop("rows are missing", 0);
    bench_check("sst_store_info", sst_store_info(store, &info));
    bench_check("sst_close", sst_close(store));
    bench_add(f, begin, bench_now(), (double)rows);
    if (!info.kill_safe) bench_stop("there is no companion in this file system", 0);
}

static void six_fields(const char *path, uint64_t rows, bench_figure *f) {
    sst_stream_desc desc = {0};
    desc.name = "x";
    desc.fields = fields;
    desc.field_count = 6;
    ours(path, rows, f, &desc);
}

static void one_field(const char *path, uint64_t rows, bench_figure *f) {
    sst_stream_desc desc = {0};
    desc.name = "x";
    desc.type = SST_U64;
    desc.shape[0] = sizeof(pose) / 8;
    ours(path, rows, f, &desc);
}

static void ragged(const char *path, uint64_t rows, bench_figure *f) {
    sst_stream_desc desc = {0};
    desc.name = "x";
    desc.type = SST_BYTES;
    ours(path, rows, f, &desc);
}

static void bare(const char *path, uint64_t rows, bench_figure *f) {
    static uint8_t buffer[262144];
    uint64_t i, offset = 0;
    size_t fill = 0;
    double begin;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (file < 0) bench_stop("open", file);
    begin = bench_now();
    for (i = 0; i < rows; i++) {
        int64_t time = time_of(i);
        memcpy(buffer + fill, &time, 8);
        memcpy(buffer + fill + 8, bytes_of(i), BYTES);
        fill += 8 + BYTES;
        if (fill > sizeof buffer - 8 - BYTES || i + 1 == rows) {
            if (pwrite(file, buffer, fill, (off_t)offset) != (ssize_t)fill) bench_stop("pwrite", 0);
            offset += fill;
            fill = 0;
        }
    }
    close(file);
    bench_add(f, begin, bench_now(), (double)rows);
}

#if BENCH_LMDB
static void lmdb(const char *path, uint64_t rows, bench_figure *f) {
    lmdb_peer peer;
    uint64_t i;
    double begin;
    int result = 0;
    lmdb_open(&peer, path, (size_t)rows * 160 + (64u << 20));
    begin = bench_now();
    for (i = 0; i < rows && result == 0; i++) {
        result = lmdb_put(&peer, time_of(i), bytes_of(i), BYTES);
    }
    bench_check("mdb_cursor_put", result);
    lmdb_close(&peer, rows);
    bench_add(f, begin, bench_now(), (double)rows);
}
#endif

typedef struct contender {
    void (*run)(const char *path, uint64_t rows, bench_figure *f);
    bench_figure figure;
} contender;

enum { SIX, ONE, RAGGED, BARE, LMDB };

static contender contenders[] = {
    {six_fields, {{0}, 0}}, {one_field, {{0}, 0}}, {ragged, {{0}, 0}}, {bare, {{0}, 0}},
#if BENCH_LMDB
    {lmdb, {{0}, 0}},
#endif
};

int main(void) {
    enum { COUNT = sizeof contenders / sizeof *contenders };
    uint64_t rows = bench_setting("BENCH_KIND_ROWS", 10000000), random = 1;
    int r, rounds = (int)bench_setting("BENCH_ROUNDS", 5);
    size_t i;
    char path[300];
    bench_machine("appending rows of several fields, and ragged ones, to a new file");
    bench_path(path, sizeof path, "rows");
    printf("%llu rows, median of %d rounds, nothing synced, in the folder of %s\n",
           (unsigned long long)rows, rounds, path);
    if (!BENCH_LMDB) printf("LMDB is left out: not installed\n");
    for (r = 0; r < rounds; r++) {
        size_t order[COUNT];
        bench_shuffle(order, COUNT, &random);
        for (i = 0; i < COUNT; i++) {
            contenders[order[i]].run(path, rows, &contenders[order[i]].figure);
            bench_remove(path);
        }
    }
    bench_within("  six fields of a struct of 64 bytes", &contenders[SIX].figure,
                 "one field of 64 bytes", &contenders[ONE].figure, 1.5);
    bench_row("  ragged rows of 100 bytes", &contenders[RAGGED].figure, "bare loop, pwrite",
              &contenders[BARE].figure, 0);
#if BENCH_LMDB
    bench_row("  ragged rows of 100 bytes", &contenders[RAGGED].figure, "LMDB",
              &contenders[LMDB].figure, 8);
#endif
    return 0;
}
