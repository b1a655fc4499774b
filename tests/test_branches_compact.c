/* sst_compact where it stops half way: every write and every read of it fails once, with pieces and
 * staging so small that each place is met; times that are not in order; a path that cannot be told
 * from the source's own; forked children. And blocks too small for a directory. */
#define SSTI_PIECE_BYTES 256
#define SSTI_COPY_BYTES 3000u
#define SSTI_COPY_BLOCK 3000u
#define MEND_PIECE_BYTES 256
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "mend.h"
#include "simdisk.h"

/* ---- a disk, and rows on it ------------------------------------------------------------------ */

static sim_disk disk;

static void prepare(void) {
    sim_free(&disk);
    sim_init(&disk, 17);
}

static sst_options options_of(uint32_t flags) {
    sst_options o;
    memset(&o, 0, sizeof o);
    o.io = &disk.io;
    o.flags = flags;
    return o;
}

static sst_store *open_as(const char *name, uint32_t flags) {
    sst_options o = options_of(flags);
    sst_store *store = NULL;
    CHECK_INT(sst_open(name, &o, &store), SST_OK);
    if (store == NULL) exit(1);
    return store;
}

/* Compacts to a path on the disk. */
static int compact(sst_store *source, const char *name, uint32_t flags) {
    sst_options o = options_of(flags);
    return sst_compact(source, name, &o);
}

static int64_t time_of(uint64_t row) { return 10 * (int64_t)row + 10; }
static uint8_t value_of(uint64_t row) { return (uint8_t)(row * 7 + row / 256); }

static bool ragged;             /* a row has as many values, from none to four, as follow from it */
static size_t values_of(uint64_t row) { return ragged ? (size_t)(row % 5) : 1; }

static int append(sst_stream *stream, uint64_t rows) {
    uint64_t row = sst_rows(stream), end = row + rows;
    int result = SST_OK;
    for (; row < end && result == SST_OK; row++) {
        uint8_t values[4];
        memset(values, value_of(row), sizeof values);
        result = ragged ? sst_append_n(stream, time_of(row), values, values_of(row))
                        : sst_append_u8(stream, time_of(row), value_of(row));
    }
    return result;
}

/* A store "a" on the disk that is being recorded, with rows in its stream "s". */
static sst_store *recording(uint64_t rows) {
    sst_options o = options_of(0);
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = "s";
    desc.type = ragged ? SST_BYTES : SST_U8;
    CHECK_INT(sst_create("a", &o, &store), SST_OK);
    if (store == NULL) exit(1);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    if (stream == NULL) exit(1);
    CHECK_INT(append(stream, rows), SST_OK);
    return store;
}

/* The same finished, and open for reading. */
static sst_store *recorded(uint64_t rows, uint32_t flags) {
    CHECK_INT(sst_close(recording(rows)), SST_OK);
    return open_as("a", flags);
}

static void end(sst_store *store) {
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(disk.open_handles, 0);
    CHECK_INT(disk.open_maps, 0);
}

static bool exists(const char *name) { return sim_lookup(&disk, name) != NULL; }

/* Are all rows there, and what was appended? */
static bool rows_right(sst_store *store, uint64_t rows) {
    sst_stream *stream;
    const uint8_t *value;
    sst_view view;
    uint64_t i;
    size_t k;
    if (sst_stream_open(store, "s", &stream) != SST_OK || sst_rows(stream) != rows) return false;
    if (sst_slice(stream, 0, rows, &view) != SST_OK || view.count != rows) return false;
    value = (const uint8_t *)view.values + (ragged ? view.offsets[0] : 0);
    for (i = 0; i < rows; i++) {
        if (view.times[i] != time_of(i)) return false;
        if (ragged && view.offsets[i + 1] - view.offsets[i] != values_of(i)) return false;
        for (k = 0; k < values_of(i); k++) {
            if (*value++ != value_of(i)) return false;
        }
    }
    return true;
}

static void check_file(const char *name, uint64_t rows) {
    sst_store *store = open_as(name, 0);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK(rows_right(store, rows));
    CHECK_INT(sst_close(store), SST_OK);
}

/* Durably: the disk keeps what is not. */
static void remove_target(void) {
    CHECK_INT(disk.io.remove(disk.io.user, "b"), SST_OK);
    CHECK_INT(disk.io.sync_dir(disk.io.user, "b"), SST_OK);
}

/* ---- half way -------------------------------------------------------------------------------- */

/* Every write fails once, wherever what waits in staging ends: before a column, within one, in what
 * fills up to the next, among the checksums of pieces. */
static void writes_fail(void) {
    uint64_t rows;              /* those of a staging, and of two */
    for (rows = 1780; rows < 3990 && test_errors == 0; rows = rows == 1830 ? 3930 : rows + 1) {
        sst_store *store;
        uint64_t nth, closing = 0;
        prepare();
        disk.plain = true;
        store = recorded(rows, 0);
        for (nth = 1; test_errors == 0; nth++) {
            int result;
            sim_arm(&disk, SIM_WRITE, nth, 1, SST_ERR_FULL);
            result = compact(store, "b", SST_SINGLE_BLOCK);
            sim_disarm(&disk);
            if (disk.calls[SIM_WRITE] < nth) {          /* there are not so many */
                CHECK_INT(result, SST_OK);
                break;
            }
            CHECK_INT(result, SST_ERR_FULL);
            if (!exists("b")) {
                CHECK_INT(closing, 0);
                continue;
            }
            closing++;                                  /* the rows were written */
            check_file("b", rows);
            remove_target();
        }
        CHECK(nth > 4 && closing < nth - 3);
        check_file("b", rows);
        CHECK(rows_right(store, rows));
        end(store);
    }
}

/* Every read of a source that is not mapped fails once, those of the second pass too: it ends with
 * what the host said, or, where it looked at more than it needs, without harm. */
static void each_read_fails(uint32_t flags) {
    uint64_t nth, failed = 0;
    bool more = true;
    for (nth = 1; more && test_errors == 0; nth++) {
        sst_store *store;
        int result;
        prepare();
        disk.plain = true;
        store = recorded(3000, 0);
        CHECK_INT(sst_close(store), SST_OK);
        store = open_as("a", SST_NO_MAP);
        sim_arm(&disk, SIM_READ, nth, 1, SST_ERR_TIMEOUT);
        result = compact(store, "b", flags);
        sim_disarm(&disk);
        more = disk.calls[SIM_READ] >= nth;
        failed += result == SST_ERR_TIMEOUT;
        if (result != SST_OK) CHECK_INT(result, SST_ERR_TIMEOUT);
        CHECK(exists("b") == (result == SST_OK));
        CHECK(more || result == SST_OK);
        if (result == SST_OK) check_file("b", 3000);
        end(store);
    }
    CHECK(nth > 30 && failed > nth / 2);
}

static void reads_fail(void) { each_read_fails(SST_SINGLE_BLOCK); }

static void ragged_reads_fail(void) {
    ragged = true;
    each_read_fails(SST_SINGLE_BLOCK);
    each_read_fails(0);
    ragged = false;
}

/* ---- times ----------------------------------------------------------------------------------- */

/* Puts a time into a row of the first block of a file; mended: with all checksums. */
static void put_time(const char *name, uint64_t row, int64_t time, bool mended) {
    uint64_t size;
    uint8_t *bytes = sim_bytes(&disk, name, &size);
    mend_record r;
    mend_column c;
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 0, &r));
    REQUIRE(mend_column_at(bytes, &r, 0, &c));
    REQUIRE(row * 8 + 8 <= c.size);
    mend_put(bytes + c.start + 8 * row, (uint64_t)time, 8);
    if (mended) mend_all(bytes, size);
}

/* Times that are not in order, of a column checked by pieces or of a file that is trusted: nothing
 * is made. Mended, the file is compacted. */
static void times_not_in_order(void) {
    int round;
    for (round = 0; round < 12; round++) {
        uint64_t rows = round % 2 == 0 ? 2000 : 20, row = rows / 2;
        const int64_t wrong[3] = {time_of(row - 1), time_of(row - 1) - 1, time_of(row + 1)};
        bool trusted = round / 2 % 2 != 0;
        sst_store *store;
        sst_error error;
        prepare();
        store = recorded(rows, 0);
        end(store);
        put_time("a", row, wrong[round / 4], !trusted);
        store = open_as("a", trusted ? SST_TRUST : 0);
        CHECK_INT(compact(store, "b", 0), SST_ERR_CORRUPT);
        CHECK(!exists("b"));
        sst_store_error(store, &error);
        CHECK_INT(error.result, SST_ERR_CORRUPT);
        end(store);
        put_time("a", row, time_of(row), true);
        store = open_as("a", 0);
        CHECK_INT(compact(store, "b", 0), SST_OK);
        check_file("b", rows);
        end(store);
    }
}

/* ---- a path for another file ---------------------------------------------------------------- */

/* A file like the source is not written over; where it cannot be told, SST_REPLACE says. */
static void paths_like_it(void) {
    sst_store *store;
    uint64_t size;
    uint8_t *bytes;
    prepare();
    store = recorded(100, 0);
    bytes = sim_bytes(&disk, "a", &size);
    sim_put(&disk, "b", bytes, (size_t)size);
    CHECK_INT(compact(store, "b", 0), SST_ERR_ARG);
    sim_arm(&disk, SIM_SIZE, 1, 1, SST_ERR_IO);         /* of the other */
    CHECK_INT(compact(store, "b", 0), SST_ERR_EXISTS);
    CHECK(disk.calls[SIM_SIZE] >= 2);
    sim_arm(&disk, SIM_SIZE, 2, 1, SST_ERR_IO);         /* its own */
    CHECK_INT(compact(store, "b", 0), SST_ERR_EXISTS);
    sim_disarm(&disk);
    CHECK_INT(compact(store, "b", 0), SST_ERR_ARG);
    sim_arm(&disk, SIM_READ, 1, 1, SST_ERR_IO);         /* the other's header */
    CHECK_INT(compact(store, "b", 0), SST_ERR_EXISTS);
    sim_disarm(&disk);
    sim_put(&disk, "b", bytes, (size_t)size - 64);      /* of another size */
    CHECK_INT(compact(store, "b", 0), SST_ERR_EXISTS);
    sim_put(&disk, "b", bytes, (size_t)size);
    sim_bytes(&disk, "b", &size)[17] ^= 1;              /* of another identity */
    mend_file_header(sim_bytes(&disk, "b", &size), size);
    CHECK_INT(compact(store, "b", 0), SST_ERR_EXISTS);
    CHECK_INT(compact(store, "b", SST_REPLACE), SST_OK);
    check_file("b", 100);
    CHECK(rows_right(store, 100));
    end(store);
}

/* The host of the source does not tell sizes: only its own name is known. */
static void no_sizes(void) {
    sst_store *store;
    uint64_t size;
    uint8_t *bytes;
    sst_options full;
    sst_io whole;
    prepare();
    whole = disk.io;
    disk.io.size = NULL;
    store = recording(100);
    full = options_of(0);
    full.io = &whole;
    CHECK_INT(sst_flush(store), SST_OK);
    bytes = sim_bytes(&disk, "a", &size);
    sim_put(&disk, "b", bytes, (size_t)size);
    CHECK_INT(sst_compact(store, "a", &full), SST_ERR_ARG);
    CHECK_INT(sst_compact(store, "b", &full), SST_ERR_EXISTS);
    full.flags = SST_REPLACE;
    CHECK_INT(sst_compact(store, "b", &full), SST_OK);
    disk.io.size = whole.size;
    check_file("b", 100);
    end(store);
}

/* ---- the source ------------------------------------------------------------------------------ */

/* What waits of a source that is recorded cannot be written: nothing is made. */
static void flush_fails(void) {
    sst_store *store;
    prepare();
    store = recording(100);
    sim_arm(&disk, SIM_WRITE, 1, 1, SST_ERR_FULL);
    CHECK_INT(compact(store, "b", 0), SST_ERR_FULL);
    CHECK_INT(disk.calls[SIM_WRITE], 1);
    CHECK(!exists("b"));
    sim_disarm(&disk);
    CHECK_INT(compact(store, "b", 0), SST_OK);
    check_file("b", 100);
    end(store);
    check_file("a", 100);
}

static bool can_fork(void) {
    uint32_t *guard = sstp_guard_make();
    bool can = guard != NULL;
    sstp_guard_free(guard);
    return can;
}

static int status_of(pid_t child) {
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

/* In a forked child the parent's store is not compacted. */
static void in_a_child(void) {
    sst_store *store;
    pid_t child;
    if (!can_fork()) SKIP("the host does not wipe pages on fork");
    prepare();
    store = recording(100);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sst_error error;
        int result = compact(store, "b", 0);
        sst_store_error(store, &error);
        _exit(result == SST_ERR_STATE && error.result == SST_ERR_STATE && !exists("b") &&
              compact(store, "a", 0) == SST_ERR_STATE ? 0 : 1);
    }
    CHECK_INT(status_of(child), 0);
    CHECK_INT(compact(store, "b", 0), SST_OK);
    check_file("b", 100);
    end(store);
}

static uint64_t fork_at, writes;
static pid_t child_made = -1;   /* 0 in the child */

static void forking(void *context, sim_disk *on, sim_kind kind, bool after) {
    (void)context;
    (void)on;
    if (kind != SIM_WRITE || !after || ++writes != fork_at) return;
    child_made = fork();
}

/* A host that forks in the midst of it: the child gets no further than to the end of closing, if it
 * is there already; the parent does. */
static void forked_half_way(void) {
    uint64_t refused = 0;
    sst_store *store;
    bool more = true, closing = false;
    if (!can_fork()) SKIP("the host does not wipe pages on fork");
    prepare();
    disk.plain = true;
    store = recording(500);
    CHECK_INT(sst_flush(store), SST_OK);
    for (fork_at = 1; more && test_errors == 0; fork_at++) {
        int result, status;
        fflush(stdout);
        writes = 0;
        disk.watch = forking;
        result = compact(store, "b", 0);
        disk.watch = NULL;
        if (child_made == 0) {
            if (sst_close(store) != SST_ERR_STATE) _exit(3);
            _exit(result == SST_ERR_STATE ? 1 : result == SST_OK ? 0 : 2);
        }
        CHECK_INT(result, SST_OK);
        check_file("b", 500);
        remove_target();
        more = writes >= fork_at;
        if (!more) break;
        status = status_of(child_made);
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        CHECK(!closing || WEXITSTATUS(status) == 0);
        closing = WEXITSTATUS(status) == 0;
        refused += !closing;
    }
    CHECK(refused > 3 && closing);
    end(store);
}

/* Without options a file of the system is made. */
static void without_options(void) {
    char folder[300], path[400];
    const char *base = getenv("TMPDIR");
    sst_store *store, *made = NULL;
    snprintf(folder, sizeof folder, "%s/compact-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) SKIP("no folder");
    snprintf(path, sizeof path, "%s/b", folder);
    prepare();
    store = recorded(1000, 0);
    CHECK_INT(sst_compact(store, path, NULL), SST_OK);
    CHECK_INT(sst_compact(store, path, NULL), SST_ERR_EXISTS);
    CHECK_INT(sst_open(path, NULL, &made), SST_OK);
    if (made != NULL) {
        CHECK_INT(sst_verify(made, NULL), SST_OK);
        CHECK(rows_right(made, 1000));
        CHECK_INT(sst_close(made), SST_OK);
    }
    end(store);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(rmdir(folder), 0);
}

/* ---- rows and blocks of other sizes ---------------------------------------------------------- */

#define WIDE 1000

/* Rows wider than a block, and than what is taken at once. */
static void wide_rows(void) {
    static double values[WIDE];
    sst_options o;
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    sst_view view;
    int i, k, single;
    prepare();
    o = options_of(0);
    memset(&desc, 0, sizeof desc);
    desc.name = "wide";
    desc.type = SST_F64;
    desc.shape[0] = WIDE;
    REQUIRE(sst_create("a", &o, &store) == SST_OK);
    REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
    for (i = 0; i < 10; i++) {
        for (k = 0; k < WIDE; k++) values[k] = i * WIDE + k;
        CHECK_INT(sst_append(stream, i, values), SST_OK);
    }
    for (single = 0; single < 2; single++) {
        sst_store *made;
        uint64_t size;
        const uint8_t *bytes;
        CHECK_INT(compact(store, "b", single ? SST_SINGLE_BLOCK : 0), SST_OK);
        bytes = sim_bytes(&disk, "b", &size);
        CHECK_INT(mend_count(bytes, size, MEND_BLOCK, 0), single ? 1 : 10);
        made = open_as("b", 0);
        CHECK_INT(sst_verify(made, NULL), SST_OK);
        REQUIRE(sst_stream_open(made, "wide", &stream) == SST_OK);
        REQUIRE(sst_slice(stream, 0, 10, &view) == SST_OK);
        CHECK_INT(view.count, 10);
        for (i = 0; i < 10 * WIDE; i++) CHECK(((const double *)view.values)[i] == i);
        CHECK_INT(sst_close(made), SST_OK);
        remove_target();
    }
    end(store);
}

/* A header that validates, of a block with room for its rows but none for a directory. */
static void no_room_for_a_directory(void) {
    static const uint32_t flags[3] = {0, SST_NO_MAP, SST_TRUST};
    int i;
    for (i = 0; i < 3; i++) {
        sst_store *store;
        sst_stream *stream;
        sst_view view;
        uint64_t size;
        uint8_t *bytes;
        mend_record r;
        prepare();
        store = recorded(3, 0);
        end(store);
        bytes = sim_bytes(&disk, "a", &size);
        REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 0, &r));
        CHECK_INT(r.rows, 3);
        mend_put(bytes + r.offset + 24, 31, 8);         /* three rows have 27 bytes */
        mend_header(bytes, &r);
        store = open_as("a", flags[i]);
        REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
        CHECK_INT(sst_rows(stream), 3);
        CHECK_INT(sst_slice(stream, 0, 3, &view), SST_ERR_CORRUPT);
        CHECK_INT(compact(store, "b", 0), SST_ERR_CORRUPT);
        CHECK(!exists("b"));
        CHECK_INT(sst_verify(store, NULL), SST_ERR_CORRUPT);
        end(store);
    }
}

int main(void) {
    TEST_RUN(writes_fail);
    TEST_RUN(reads_fail);
    TEST_RUN(ragged_reads_fail);
    TEST_RUN(times_not_in_order);
    TEST_RUN(paths_like_it);
    TEST_RUN(no_sizes);
    TEST_RUN(flush_fails);
    TEST_RUN(in_a_child);
    TEST_RUN(forked_half_way);
    TEST_RUN(without_options);
    TEST_RUN(wide_rows);
    TEST_RUN(no_room_for_a_directory);
    sim_free(&disk);
    return test_done("test_branches_compact");
}
