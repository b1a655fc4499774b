/* bench_append.c - appending rows of 16 bytes (int64 time, double) to a new file.
 *
 *     BENCH_ROWS (50,000,000)   BENCH_ROUNDS (5)   BENCH_DIR
 *
 * From the first row until all rows are in the file and it is closed; creating it is not counted.
 * Nothing is synced, by nobody. Ours is recorded with its companion: a killed process loses no
 * row. Nothing else here can say that of a row whose append has just returned, except that what
 * LMDB has written lies in pages of the file, too (but only the commit at the end makes it count).
 *
 * Every contender writes to the same folder, in every round, in another order each time, and its
 * file is removed right after. The slow ones write fewer rows; every figure is for one row. */
/* bench-peer LMDB lmdb.h lmdb -llmdb */
/* bench-peer SQLITE sqlite3.h sqlite3 -lsqlite3 */
/* bench-peer ROCKSDB rocksdb/c.h rocksdb -lrocksdb */
/* bench-peer HDF5 hdf5_hl.h hdf5 -lhdf5_hl -lhdf5 */
#define STREAMSTORE_IMPLEMENTATION
#include "../../streamstore.h"

#include <fcntl.h>

#include "bench.h"

#if BENCH_LMDB
#include "peer_lmdb.h"
#endif
#if BENCH_SQLITE
#include <sqlite3.h>
#endif
#if BENCH_ROCKSDB
#include <rocksdb/c.h>
#endif
#if BENCH_HDF5
#include <hdf5_hl.h>
#endif

enum { BATCH = 4096 };

typedef struct row16 {
    int64_t time;
    double value;
} row16;

/* Row i is the same for everyone. */
static inline int64_t time_of(uint64_t i) { return 1700000000000000000 + (int64_t)i * 1000; }
static inline double value_of(uint64_t i) { return (double)i * 0.5; }

/* ---- ours ---- */

static void ours(const char *path, uint64_t rows, bench_figure *f, size_t batch) {
    static int64_t times[BATCH];
    static double values[BATCH];
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_info info;
    sst_store *store;
    sst_stream *stream;
    uint64_t i;
    double begin;
    int result = SST_OK;
    options.flags = SST_NO_SYNC;
    desc.name = "x";
    desc.type = SST_F64;
    bench_check("sst_create", sst_create(path, &options, &store));
    bench_check("sst_stream_create", sst_stream_create(store, &desc, &stream));
    begin = bench_now();
    if (batch == 1) {
        for (i = 0; i < rows && result == SST_OK; i++) {
            result = sst_append_f64(stream, time_of(i), value_of(i));
        }
    } else {
        for (i = 0; i < rows && result == SST_OK; i += batch) {
            size_t k, n = rows - i < batch ? (size_t)(rows - i) : batch;
            for (k = 0; k < n; k++) {
                times[k] = time_of(i + k);
                values[k] = value_of(i + k);
            }
            result = sst_append_rows(stream, times, values, n);
        }
    }
    bench_check("appending", result);
    if (sst_rows(stream) != rows) bench_stop("rows are missing", 0);
    bench_check("sst_store_info", sst_store_info(store, &info));
    bench_check("sst_close", sst_close(store));
    bench_add(f, begin, bench_now(), (double)rows);
    if (!info.kill_safe) bench_stop("there is no companion in this file system", 0);
}

static void ours_single(const char *path, uint64_t rows, bench_figure *f) {
    ours(path, rows, f, 1);
}

static void ours_batches(const char *path, uint64_t rows, bench_figure *f) {
    ours(path, rows, f, BATCH);
}

/* ---- the bare loop: the least that writing these rows costs ---- */

static void bare(const char *path, uint64_t rows, bench_figure *f) {
    enum { ROWS = 262144 / sizeof(row16) };
    static row16 buffer[ROWS];
    uint64_t i, offset = 0;
    size_t fill = 0;
    double begin;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (file < 0) bench_stop("open", file);
    begin = bench_now();
    for (i = 0; i < rows; i++) {
        buffer[fill].time = time_of(i);
        buffer[fill++].value = value_of(i);
        if (fill == ROWS || i + 1 == rows) {
            size_t bytes = fill * sizeof *buffer;
            if (pwrite(file, buffer, bytes, (off_t)offset) != (ssize_t)bytes) {
                bench_stop("pwrite", 0);
            }
            offset += bytes;
            fill = 0;
        }
    }
    close(file);
    bench_add(f, begin, bench_now(), (double)rows);
}

/* ---- LMDB ---- */

#if BENCH_LMDB
static void lmdb(const char *path, uint64_t rows, bench_figure *f) {
    lmdb_peer peer;
    uint64_t i;
    double begin;
    int result = 0;
    lmdb_open(&peer, path, (size_t)rows * 40 + (64u << 20));
    begin = bench_now();
    for (i = 0; i < rows && result == 0; i++) {
        double value = value_of(i);
        result = lmdb_put(&peer, time_of(i), &value, sizeof value);
    }
    bench_check("mdb_cursor_put", result);
    lmdb_close(&peer, rows);
    bench_add(f, begin, bench_now(), (double)rows);
}
#endif

/* ---- SQLite ---- */

#if BENCH_SQLITE
static void sqlite_do(sqlite3 *db, const char *sql) {
    bench_check(sql, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static void sqlite(const char *path, uint64_t rows, bench_figure *f) {
    sqlite3 *db;
    sqlite3_stmt *insert;
    uint64_t i;
    double begin;
    bench_check("sqlite3_open", sqlite3_open(path, &db));
    sqlite_do(db, "PRAGMA journal_mode = OFF");
    sqlite_do(db, "PRAGMA synchronous = OFF");
    sqlite_do(db, "CREATE TABLE x (time INTEGER PRIMARY KEY, value REAL)");
    bench_check("sqlite3_prepare", sqlite3_prepare_v2(db, "INSERT INTO x VALUES (?, ?)", -1,
                                                      &insert, NULL));
    begin = bench_now();
    sqlite_do(db, "BEGIN");
    for (i = 0; i < rows; i++) {
        sqlite3_bind_int64(insert, 1, time_of(i));
        sqlite3_bind_double(insert, 2, value_of(i));
        if (sqlite3_step(insert) != SQLITE_DONE) bench_stop("sqlite3_step", 0);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sqlite_do(db, "COMMIT");
    bench_check("sqlite3_close", sqlite3_close(db));
    bench_add(f, begin, bench_now(), (double)rows);
}
#endif

/* ---- RocksDB ---- */

#if BENCH_ROCKSDB
static void rocksdb(const char *path, uint64_t rows, bench_figure *f) {
    char *error = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_writeoptions_t *how = rocksdb_writeoptions_create();
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_t *db;
    uint64_t i;
    double begin, end;
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_writeoptions_disable_WAL(how, 1);
    db = rocksdb_open(options, path, &error);
    if (error != NULL) bench_stop(error, 0);
    begin = bench_now();
    for (i = 0; i < rows && error == NULL; i++) {
        uint64_t time = (uint64_t)time_of(i);
        double value = value_of(i);
        char key[8];
        int k;
        for (k = 0; k < 8; k++) key[k] = (char)(time >> (56 - 8 * k));
        rocksdb_put(db, how, key, sizeof key, (const char *)&value, sizeof value, &error);
    }
    if (error == NULL) rocksdb_flush(db, flush, &error);    /* what is in memory, to the file */
    if (error != NULL) bench_stop(error, 0);
    rocksdb_close(db);
    end = bench_now();
    bench_add(f, begin, end, (double)rows);
    rocksdb_destroy_db(options, path, &error);
    rocksdb_flushoptions_destroy(flush);
    rocksdb_writeoptions_destroy(how);
    rocksdb_options_destroy(options);
    (void)rmdir(path);
}
#endif

/* ---- HDF5 ---- */

#if BENCH_HDF5
static void hdf5(const char *path, uint64_t rows, bench_figure *f, size_t batch) {
    static row16 buffer[BATCH];
    hid_t file = H5Fcreate(path, H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(row16)), table;
    uint64_t i;
    double begin;
    if (file < 0 || H5Tinsert(type, "time", offsetof(row16, time), H5T_NATIVE_INT64) < 0 ||
        H5Tinsert(type, "value", offsetof(row16, value), H5T_NATIVE_DOUBLE) < 0) {
        bench_stop("H5Fcreate", 0);
    }
    table = H5PTcreate(file, "x", type, 16384, H5P_DEFAULT);    /* a chunk: 256 KiB */
    if (table < 0) bench_stop("H5PTcreate", 0);
    begin = bench_now();
    for (i = 0; i < rows; i += batch) {
        size_t k, n = rows - i < batch ? (size_t)(rows - i) : batch;
        for (k = 0; k < n; k++) {
            buffer[k].time = time_of(i + k);
            buffer[k].value = value_of(i + k);
        }
        if (H5PTappend(table, n, buffer) < 0) bench_stop("H5PTappend", 0);
    }
    if (H5PTclose(table) < 0 || H5Tclose(type) < 0 || H5Fclose(file) < 0) {
        bench_stop("H5Fclose", 0);
    }
    bench_add(f, begin, bench_now(), (double)rows);
}

static void hdf5_single(const char *path, uint64_t rows, bench_figure *f) {
    hdf5(path, rows, f, 1);
}

static void hdf5_batches(const char *path, uint64_t rows, bench_figure *f) {
    hdf5(path, rows, f, BATCH);
}
#endif

/* ---- the table ---- */

typedef struct contender {
    const char *name;
    void (*run)(const char *path, uint64_t rows, bench_figure *f);
    uint64_t share;                 /* it writes so small a part of the rows */
    double target;                  /* how many times faster sst_append_f64 is to be */
    bench_figure figure;
} contender;

enum { OURS, BATCHES, BARE, PEERS };

static contender contenders[] = {
    {"sst_append_f64", ours_single, 1, 0, {{0}, 0}},
    {"sst_append_rows, 4,096", ours_batches, 1, 0, {{0}, 0}},
    {"bare loop, pwrite", bare, 1, 0, {{0}, 0}},
#if BENCH_LMDB
    {"LMDB", lmdb, 1, 12, {{0}, 0}},
#endif
#if BENCH_SQLITE
    {"SQLite", sqlite, 10, 0, {{0}, 0}},
#endif
#if BENCH_ROCKSDB
    {"RocksDB, WAL off", rocksdb, 50, 0, {{0}, 0}},
#endif
#if BENCH_HDF5
    {"HDF5, one record", hdf5_single, 50, 0, {{0}, 0}},
    {"HDF5, 4,096 records", hdf5_batches, 1, 0, {{0}, 0}},
#endif
};

int main(void) {
    enum { COUNT = sizeof contenders / sizeof *contenders };
    uint64_t rows = bench_setting("BENCH_ROWS", 50000000), random = 1;
    int r, rounds = (int)bench_setting("BENCH_ROUNDS", 5);
    size_t i;
    char path[300];
    bench_machine("appending rows of 16 bytes to a new file");
    bench_path(path, sizeof path, "append");
    printf("%llu rows (SQLite a tenth, RocksDB and HDF5 by single records a fiftieth), median of "
           "%d rounds, nothing synced, in the folder of %s\n", (unsigned long long)rows, rounds,
           path);
    if (!BENCH_LMDB) printf("LMDB is left out: not installed\n");
    if (!BENCH_SQLITE) printf("SQLite is left out: not installed\n");
    if (!BENCH_ROCKSDB) printf("RocksDB is left out: not installed\n");
    if (!BENCH_HDF5) printf("HDF5 is left out: not installed\n");
    for (r = 0; r < rounds; r++) {
        size_t order[COUNT];
        bench_shuffle(order, COUNT, &random);       /* removing the file before costs, too */
        for (i = 0; i < COUNT; i++) {
            contender *c = &contenders[order[i]];
            uint64_t n = rows / c->share;
            c->run(path, n > 0 ? n : 1, &c->figure);
            bench_remove(path);
        }
    }
    bench_within("  sst_append_f64", &contenders[OURS].figure, contenders[BARE].name,
                 &contenders[BARE].figure, 2.2);
    bench_within("  sst_append_rows, 4,096 rows", &contenders[BATCHES].figure,
                 contenders[BARE].name, &contenders[BARE].figure, 2.2);
    for (i = PEERS; i < COUNT; i++) {
        bench_row("  sst_append_f64", &contenders[OURS].figure, contenders[i].name,
                  &contenders[i].figure, contenders[i].target);
        bench_row("  sst_append_rows, 4,096 rows", &contenders[BATCHES].figure,
                  contenders[i].name, &contenders[i].figure, contenders[i].target);
    }
    return 0;
}
