/* What is left between two processes, two sessions and two allocations: names that others take,
 * companions that are not ours, headers and blocks that are lost, recoveries that stop half way. */
#define SSTI_INDEX_BLOCKS 3
#define SSTI_TABLE_MIN_BLOCKS 4
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#include "test.h"
#include "meter.h"
#include "mend.h"
#include "simdisk.h"

#define NAME "run"
#define LIVE "run-live"

/* ---- a disk, and rows on it ------------------------------------------------------------------ */

static sim_disk disk, other;
static sst_io plain;                /* that of the disk, whatever the hooks */

static void hooks_reset(void);

static void prepare(void) {
    sim_free(&disk);
    sim_free(&other);
    sim_init(&disk, 11);
    plain = disk.io;
    hooks_reset();
}

/* On a disk, with small blocks. */
static sst_options options_on(const sim_disk *on, uint32_t flags) {
    sst_options o;
    memset(&o, 0, sizeof o);
    o.io = &on->io;
    o.flags = flags;
    o.block_bytes = 1024;
    return o;
}

static sst_store *create(uint32_t flags) {
    sst_options o = options_on(&disk, flags);
    sst_store *store = NULL;
    CHECK_INT(sst_create(NAME, &o, &store), SST_OK);
    if (store == NULL) exit(1);
    return store;
}

static sst_store *open_on(const sim_disk *on, uint32_t flags) {
    sst_options o = options_on(on, flags);
    sst_store *store = NULL;
    CHECK_INT(sst_open(NAME, &o, &store), SST_OK);
    if (store == NULL) exit(1);
    return store;
}

static int try_append(const sim_disk *on, uint32_t flags, sst_store **store) {
    sst_options o = options_on(on, flags);
    int result = sst_open_append(NAME, &o, store);
    CHECK((result == SST_OK) == (*store != NULL));
    return result;
}

static sst_store *append_to(const sim_disk *on, uint32_t flags) {
    sst_store *store = NULL;
    CHECK_INT(try_append(on, flags, &store), SST_OK);
    if (store == NULL) exit(1);
    return store;
}

/* A stream of int64, made where it is not there. */
static sst_stream *stream_of(sst_store *store, const char *name) {
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    int result = sst_stream_open(store, name, &stream);
    if (result != SST_OK) {
        memset(&desc, 0, sizeof desc);
        desc.name = name;
        desc.type = SST_I64;
        CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    }
    if (stream == NULL) exit(1);
    return stream;
}

static int64_t time_of(uint64_t row) { return 10 * (int64_t)row + 10; }
static int64_t value_of(uint64_t row) { return 3 * (int64_t)row; }

/* The stream's next rows; each follows from its number. */
static int append(sst_stream *stream, uint64_t rows) {
    uint64_t row = sst_rows(stream), end = row + rows;
    int result = SST_OK;
    for (; row < end && result == SST_OK; row++) {
        result = sst_append_i64(stream, time_of(row), value_of(row));
    }
    return result;
}

/* Rows are there, and what was appended. */
static bool rows_right(sst_stream *stream, uint64_t first, uint64_t end) {
    sst_view view;
    uint64_t i;
    if (sst_slice(stream, first, end - first, &view) != SST_OK) return false;
    if (view.count != end - first || view.first_row != first) return false;
    for (i = first; i < end; i++) {
        if (view.times[i - first] != time_of(i)) return false;
        if (((const int64_t *)view.values)[i - first] != value_of(i)) return false;
    }
    return true;
}

/* How many rows "s" has in the file, all of them right; -1: some are not. */
static int64_t rows_on(const sim_disk *on) {
    sst_store *store = open_on(on, 0);
    sst_stream *stream = stream_of(store, "s");
    int64_t rows = (int64_t)sst_rows(stream);
    if (!rows_right(stream, 0, (uint64_t)rows)) rows = -1;
    CHECK_INT(sst_close(store), SST_OK);
    return rows;
}

/* The bytes of a file as they are now; the caller frees them. */
static uint8_t *bytes_of(sim_disk *on, const char *name, size_t *size) {
    uint64_t n;
    const uint8_t *bytes = sim_bytes(on, name, &n);
    uint8_t *copy = (uint8_t *)sim_memory((size_t)n + 1);
    if (n != 0) memcpy(copy, bytes, (size_t)n);
    *size = (size_t)n;
    return copy;
}

static bool exists(sim_disk *on, const char *name) {
    uint64_t size;
    return sim_bytes(on, name, &size) != NULL;
}

static bool same_bytes(sim_disk *on, const char *name, const uint8_t *want, size_t size) {
    uint64_t n;
    const uint8_t *bytes = sim_bytes(on, name, &n);
    return bytes != NULL && n == size && memcmp(bytes, want, size) == 0;
}

/* ---- names that others take ------------------------------------------------------------------ */

static int armed, hooked;           /* what a hook is to do; how often it did */
static sst_store *rival;            /* what the other process has open */

static void hooks_reset(void) {
    armed = hooked = 0;
    rival = NULL;
}

/* Another process takes the name: removes the file and makes one of its own, with rows. */
static void rival_takes(bool stays) {
    sst_options o = options_on(&disk, 0);
    o.io = &plain;
    CHECK_INT(plain.remove(plain.user, NAME), SST_OK);
    REQUIRE(sst_create(NAME, &o, &rival) == SST_OK);
    CHECK_INT(append(stream_of(rival, "s"), 20), SST_OK);
    if (!stays) CHECK_INT(sst_close(rival), SST_OK);
}

static int late_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                      size_t *done) {
    int what = armed;
    armed = 0;
    if (what != 0) rival_takes(what == 1);
    return sim_io_write(user, file, offset, bytes, size, done);
}

/* Whose new file is unlinked before its header is written does not go on in it, nor takes away the
 * one that has the name now. */
static void name_lost_while_creating(void) {
    int how;
    for (how = 1; how <= 2; how++) {
        sst_options o;
        sst_store *store;
        uint8_t *before;
        size_t size;
        prepare();
        disk.io.write_at = late_write;
        armed = how;
        o = options_on(&disk, 0);
        CHECK_INT(sst_create(NAME, &o, &store), SST_ERR_LOCKED);
        CHECK(store == NULL && armed == 0);
        before = bytes_of(&disk, NAME, &size);
        CHECK(size > 64);
        CHECK(exists(&disk, LIVE) == (how == 1));
        CHECK_INT(sst_create(NAME, &o, &store), SST_ERR_EXISTS);
        CHECK(same_bytes(&disk, NAME, before, size));
        free(before);
        CHECK_INT(rows_on(&disk), 20);
        if (how == 1) CHECK_INT(sst_close(rival), SST_OK);
        CHECK_INT(rows_on(&disk), 20);
        CHECK_INT(disk.open_handles, 0);
    }
}

static int late_lock(void *user, void *file, int how) {
    if (how == SST_IO_LOCK && hooked < armed) {
        hooked++;
        rival_takes(false);
    }
    return sim_io_lock(user, file, how);
}

/* A file that is replaced each time before the lock is there: given up after eight of them. */
static void name_lost_while_opening(void) {
    int times;
    for (times = 7; times <= 8; times++) {
        sst_store *store;
        prepare();
        store = create(0);
        CHECK_INT(append(stream_of(store, "s"), 5), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        disk.io.lock = late_lock;
        armed = times;
        if (times == 8) {
            CHECK_INT(try_append(&disk, 0, &store), SST_ERR_LOCKED);
        } else {
            store = append_to(&disk, 0);
            CHECK_INT(sst_rows(stream_of(store, "s")), 20);
            CHECK_INT(sst_close(store), SST_OK);
        }
        CHECK_INT(hooked, times);
        CHECK_INT(rows_on(&disk), 20);
        CHECK_INT(disk.open_handles, 0);
    }
}

static int not_found_rename(void *user, const char *from, const char *to) {
    if (armed == 0) return sim_io_rename(user, from, to);
    hooked++;
    return SST_ERR_NOT_FOUND;
}

static int not_found_sync(void *user, void *file) {
    if (armed == 0) return sim_io_sync(user, file);
    hooked++;
    return SST_ERR_NOT_FOUND;
}

/* A host that says "not found" of an open file does not mean that there is none to go on with:
 * SST_CREATE makes no other in its place. */
static void not_found_is_not_none(void) {
    int sync;
    for (sync = 0; sync < 2; sync++) {
        sst_store *store, *killed;
        sst_stream *stream;
        prepare();
        killed = create(0);
        stream = stream_of(killed, "s");
        CHECK_INT(append(stream, 30), SST_OK);
        CHECK_INT(sst_flush(killed), SST_OK);
        CHECK_INT(append(stream, 7), SST_OK);
        sim_copy(&disk, &other, 3);
        other.io.rename = not_found_rename;
        if (sync) other.io.sync = not_found_sync;
        armed = 1;
        CHECK_INT(try_append(&other, SST_CREATE, &store), SST_ERR_NOT_FOUND);
        CHECK(hooked > 0);
        armed = 0;
        CHECK_INT(rows_on(&other), 37);
        store = append_to(&other, SST_CREATE);
        CHECK_INT(append(stream_of(store, "s"), 3), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_on(&other), 40);
        CHECK_INT(sst_close(killed), SST_OK);
    }
}

/* Where there is none it is made, if that was asked for. */
static void none_is_made(void) {
    sst_store *store;
    prepare();
    CHECK_INT(try_append(&disk, 0, &store), SST_ERR_NOT_FOUND);
    CHECK(!exists(&disk, NAME));
    store = append_to(&disk, SST_CREATE);
    CHECK_INT(append(stream_of(store, "s"), 3), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(rows_on(&disk), 3);
}

/* A new file that cannot be locked, or written, is taken away again, where the host can do that. */
static void creating_fails(void) {
    static const sim_kind kinds[2] = {SIM_LOCK, SIM_WRITE};
    int i;
    for (i = 0; i < 4; i++) {
        sst_options o;
        sst_store *store;
        prepare();
        if (i / 2 != 0) disk.io.remove = NULL;
        sim_arm(&disk, kinds[i % 2], 1, 1, SST_ERR_IO);
        o = options_on(&disk, 0);
        CHECK_INT(sst_create(NAME, &o, &store), SST_ERR_IO);
        CHECK(exists(&disk, NAME) == (i / 2 != 0));
        sim_disarm(&disk);
        CHECK_INT(sst_create(NAME, &o, &store), SST_OK);    /* never written: nobody's */
        CHECK_INT(append(stream_of(store, "s"), 3), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_on(&disk), 3);
    }
}

/* An abort whose file is gone, or cannot be removed. */
static void aborting(void) {
    sst_store *store;
    prepare();
    store = create(0);
    CHECK_INT(sst_abort(store), SST_OK);
    CHECK(!exists(&disk, NAME) && !exists(&disk, LIVE));
    store = create(0);
    CHECK_INT(disk.io.remove(&disk, NAME), SST_OK);
    CHECK_INT(sst_abort(store), SST_OK);
    CHECK(!exists(&disk, LIVE));
    store = create(0);
    sim_arm(&disk, SIM_REMOVE, 1, 1, SST_ERR_IO);
    CHECK_INT(sst_abort(store), SST_ERR_IO);
    sim_disarm(&disk);
    CHECK(exists(&disk, NAME) && exists(&disk, LIVE));
    CHECK_INT(disk.open_handles, 0);
}

/* ---- companions that are not ours ------------------------------------------------------------ */

/* A companion of another store (1), or of a version to come (2), beside the file. */
static void alter_companion(int how, const uint8_t *live, size_t size) {
    uint8_t *bytes = (uint8_t *)sim_memory(size);
    memcpy(bytes, live, size);
    if (how == 1) bytes[12] ^= 0x55;
    else bytes[8]++;
    mend_put(bytes + 40, sst_crc32c(bytes, 40, 0), 4);
    sim_put(&other, LIVE, bytes, size);
    free(bytes);
}

/* Who goes on without a companion removes that of the session before, but none that it does not
 * know: its rows may be the only copy. Beside a finished file and one of a killed process. */
static void unknown_companion_stays(void) {
    int round;
    for (round = 0; round < 6; round++) {
        int how = round % 3, finished = round / 3;
        sst_store *store, *killed;
        uint8_t *live, *before;
        size_t size, n;
        prepare();
        killed = create(0);
        CHECK_INT(append(stream_of(killed, "s"), 30), SST_OK);
        CHECK_INT(sst_flush(killed), SST_OK);
        live = bytes_of(&disk, LIVE, &size);
        if (finished) CHECK_INT(sst_close(killed), SST_OK);
        sim_copy(&disk, &other, 5);
        if (how == 0) sim_put(&other, LIVE, live, size);
        else alter_companion(how, live, size);
        before = bytes_of(&other, LIVE, &n);
        store = append_to(&other, SST_NO_LIVE);
        CHECK(how == 0 ? !exists(&other, LIVE) : same_bytes(&other, LIVE, before, n));
        CHECK_INT(append(stream_of(store, "s"), 3), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK(how == 0 || same_bytes(&other, LIVE, before, n));
        CHECK_INT(rows_on(&other), 33);
        if (!finished) CHECK_INT(sst_close(killed), SST_OK);
        free(live);
        free(before);
    }
}

/* The companion of the session before beside a file that went on: its rows are in the file, or are
 * not of this session. */
static void stale_companion(void) {
    sst_store *first, *second;
    sst_info info;
    uint8_t *live;
    size_t size;
    prepare();
    first = create(0);
    CHECK_INT(append(stream_of(first, "s"), 30), SST_OK);
    CHECK_INT(sst_flush(first), SST_OK);
    sim_copy(&disk, &other, 5);
    live = bytes_of(&disk, LIVE, &size);
    second = append_to(&other, 0);
    CHECK_INT(append(stream_of(second, "s"), 5), SST_OK);
    CHECK_INT(sst_close(first), SST_OK);
    sim_copy(&other, &disk, 6);
    CHECK_INT(rows_on(&disk), 35);          /* its own */
    sim_put(&disk, LIVE, live, size);
    CHECK_INT(rows_on(&disk), 30);
    first = open_on(&disk, 0);
    CHECK(sst_store_info(first, &info) == SST_OK && info.tail_missing);
    CHECK_INT(sst_close(first), SST_OK);
    CHECK_INT(sst_close(second), SST_OK);
    free(live);
}

/* ---- a header that is lost ------------------------------------------------------------------- */

/* A file of 20 rows in blocks, 5 in the tail, whose process was killed and whose header is
 * damaged, on `other`. */
static void killed_without_header(bool synced) {
    sst_store *killed;
    sst_stream *stream;
    uint64_t size;
    prepare();
    killed = create(0);
    stream = stream_of(killed, "s");
    CHECK_INT(append(stream, 20), SST_OK);
    CHECK_INT(synced ? sst_sync(killed) : sst_flush(killed), SST_OK);
    CHECK_INT(append(stream, 5), SST_OK);
    sim_copy(&disk, &other, 9);
    sim_bytes(&other, NAME, &size)[20] ^= 1;
    CHECK_INT(sst_close(killed), SST_OK);
}

/* Is the header what sst_verify reports, and nothing else? */
static bool header_reported(sst_store *store) {
    sst_damage damage[4];
    sst_report report;
    memset(&report, 0, sizeof report);
    report.damage = damage;
    report.damage_capacity = 4;
    return sst_verify(store, &report) == SST_ERR_CORRUPT && report.damage_count == 1 &&
           damage[0].offset == 0 && damage[0].size == 64;
}

/* A header that was on stable storage and is not right any more is damage: it stays, is told each
 * time, and keeps nobody from going on. */
static void synced_header_is_lost(void) {
    uint8_t before[64];
    uint64_t size;
    int round;
    killed_without_header(true);
    memcpy(before, sim_bytes(&other, NAME, &size), 64);
    for (round = 0; round < 3; round++) {
        sst_store *store = open_on(&other, 0);
        CHECK(header_reported(store));
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_on(&other), 25 + 10 * round);
        store = append_to(&other, 0);
        CHECK(header_reported(store));
        CHECK_INT(append(stream_of(store, "s"), 10), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_BYTES(sim_bytes(&other, NAME, &size), before, 64);
    }
    CHECK_INT(rows_on(&other), 55);
}

static int failing_header(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                          size_t *done) {
    if (armed == 0 || offset != 0) return sim_io_write(user, file, offset, bytes, size, done);
    hooked++;
    *done = 0;
    return SST_ERR_FULL;
}

/* One that never was on stable storage is made anew; where that fails it is the next time. */
static void header_cannot_be_made(void) {
    sst_store *store;
    killed_without_header(false);
    other.io.write_at = failing_header;
    armed = 1;
    CHECK_INT(try_append(&other, 0, &store), SST_ERR_FULL);
    CHECK_INT(hooked, 1);
    armed = 0;
    CHECK_INT(rows_on(&other), 25);
    store = append_to(&other, 0);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(append(stream_of(store, "s"), 5), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(rows_on(&other), 30);
    store = open_on(&other, 0);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Every read of opening a finished file fails once: with what the host said, or without harm. Where
 * the header is lost an INDEX is read for it. */
static void reads_fail(void) {
    int headless;
    for (headless = 0; headless < 2; headless++) {
        sst_options o;
        sst_store *store;
        sst_info want, info;
        uint64_t nth, size;
        prepare();
        store = create(0);
        CHECK_INT(append(stream_of(store, "s"), 100), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        store = open_on(&disk, 0);
        CHECK_INT(sst_store_info(store, &want), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        if (headless) sim_bytes(&disk, NAME, &size)[33] ^= 1;
        o = options_on(&disk, SST_NO_MAP);
        for (nth = 1; nth < 100; nth++) {
            int result;
            sim_arm(&disk, SIM_READ, nth, 1, SST_ERR_TIMEOUT);
            result = sst_open(NAME, &o, &store);
            if (disk.calls[SIM_READ] < nth) break;
            sim_disarm(&disk);
            CHECK_INT(result, SST_ERR_TIMEOUT);
            CHECK(store == NULL);
        }
        sim_disarm(&disk);
        CHECK(nth > 4 && nth < 100);
        REQUIRE(store != NULL);
        CHECK_INT(sst_store_info(store, &info), SST_OK);
        CHECK_BYTES(info.uuid, want.uuid, 16);
        CHECK_INT(info.created_ns, want.created_ns);
        CHECK(rows_right(stream_of(store, "s"), 0, 100));
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* ---- memory that runs out -------------------------------------------------------------------- */

static meter memory;
static const sst_allocator scarce = {&memory, meter_resize};

/* Once for every allocation that an attempt asks for: that one fails, or all from there on. Returns
 * how many there are. */
static uint64_t each_allocation(void (*attempt)(void)) {
    uint64_t n = 0;
    int forever;
    for (forever = 0; forever < 2; forever++) {
        n = 0;
        do {
            int errors = test_errors;
            memset(&memory, 0, sizeof memory);
            memory.fail_at = ++n;
            memory.forever = forever != 0;
            attempt();
            CHECK_INT(memory.now, 0);
            if (test_errors != errors) {
                printf("... allocation %d failing%s\n", (int)n, forever ? ", and all behind" : "");
                return 0;
            }
        } while (memory.failures != 0);
    }
    return n - 1;
}

/* A file on `disk` of two streams, of so many blocks each. */
static sst_store *two_streams(uint32_t blocks, uint64_t rows) {
    sst_store *store;
    sst_stream *s, *t;
    uint32_t i;
    prepare();
    store = create(0);
    s = stream_of(store, "s");
    t = stream_of(store, "t");
    for (i = 0; i < blocks; i++) {
        CHECK_INT(append(s, rows), SST_OK);
        CHECK_INT(append(t, rows), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    sst_stream_close(s);
    sst_stream_close(t);
    return store;
}

/* One that is finished, on `other`: many blocks have a chain of INDEX records, and tables. */
static void finished_file(uint32_t blocks, uint64_t rows) {
    CHECK_INT(sst_close(two_streams(blocks, rows)), SST_OK);
    sim_copy(&disk, &other, 7);
}

/* How the attempts open the file on `other`, and what they may find. */
static struct {
    uint32_t flags;
    int verify;                 /* what sst_verify says with memory enough */
    bool lies;                  /* its INDEX does: that is damage, where there is no memory */
    uint8_t uuid[16];
} attempt;

static bool allowed(int result) {
    return result == SST_OK || result == SST_ERR_MEMORY ||
           (attempt.lies && result == SST_ERR_CORRUPT && memory.failures != 0);
}

/* Asks a stream of `rows` rows what takes memory. True: each answer was there, and right. */
static bool ask(sst_stream *stream, uint64_t rows) {
    int64_t number = (int64_t)rows / 2, value = 0, last = 0;
    uint64_t row = 0;
    sst_view view;
    int results[4];
    bool all = true;
    int i;
    CHECK_INT(sst_rows(stream), rows);
    results[0] = sst_slice(stream, 0, rows, &view);
    if (results[0] == SST_OK) CHECK(rows_right(stream, 0, rows));
    else CHECK_INT(view.count, 0);
    results[1] = sst_locate(stream, time_of(rows / 3), SST_EXACT, &row);
    if (results[1] == SST_OK) CHECK_INT(row, rows / 3);
    results[2] = sst_gather(stream, &number, 1, &value, NULL);
    if (results[2] == SST_OK) CHECK_INT(value, value_of(rows / 2));
    results[3] = sst_stream_info(stream, NULL, NULL, NULL, &last);
    if (results[3] == SST_OK) CHECK_INT(last, time_of(rows - 1));
    for (i = 0; i < 4; i++) {
        CHECK(allowed(results[i]));
        all = all && results[i] == SST_OK;
    }
    return all;
}

#define ATTEMPT_ROWS 80u

/* The store on a disk has this uuid. */
static void check_uuid(const sim_disk *on) {
    sst_store *store = open_on(on, 0);
    sst_info info;
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK_BYTES(info.uuid, attempt.uuid, 16);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A stream as it is asked while memory fails, and again with memory enough. */
static void ask_twice(sst_store *store) {
    sst_stream *stream = NULL;
    int result = sst_stream_open(store, "s", &stream);
    CHECK(result == SST_OK || result == SST_ERR_MEMORY);
    if (result == SST_OK) (void)ask(stream, ATTEMPT_ROWS);
    result = sst_verify(store, NULL);
    CHECK(result == attempt.verify || result == SST_ERR_MEMORY);
    memory.fail_at = 0;
    CHECK(ask(stream_of(store, "s"), ATTEMPT_ROWS));
    CHECK_INT(sst_verify(store, NULL), attempt.verify);
}

static void attempt_reading(void) {
    sst_options o = options_on(&other, attempt.flags);
    sst_store *store;
    int result;
    o.allocator = &scarce;
    result = sst_open(NAME, &o, &store);
    CHECK(result == SST_OK || result == SST_ERR_MEMORY);
    if (result != SST_OK) return;
    ask_twice(store);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The same by a writer, who then goes on, in a file of its own. */
static void attempt_appending(void) {
    sst_options o;
    sst_store *store;
    int result;
    sim_copy(&other, &disk, 3);
    o = options_on(&disk, attempt.flags);
    o.allocator = &scarce;
    result = sst_open_append(NAME, &o, &store);
    CHECK(result == SST_OK || result == SST_ERR_MEMORY);
    if (result == SST_OK) {
        ask_twice(store);
        CHECK_INT(append(stream_of(store, "s"), 10), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
    memory.fail_at = 0;
    CHECK_INT(rows_on(&disk), result == SST_OK ? ATTEMPT_ROWS + 10 : ATTEMPT_ROWS);
    check_uuid(&disk);
}

static void attempts(uint32_t flags, int verify, bool lies) {
    sst_store *store = open_on(&other, 0);
    sst_info info;
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    attempt.flags = flags;
    attempt.verify = verify;
    attempt.lies = lies;
    memcpy(attempt.uuid, info.uuid, 16);
    CHECK(each_allocation(attempt_reading) > 10);
    CHECK(each_allocation(attempt_appending) > 10);
}

/* A finished file with a chain of INDEX records, mapped or not. */
static void finished_out_of_memory(void) {
    finished_file(8, 10);
    attempts(SST_NO_MAP, SST_OK, false);
    attempts(0, SST_OK, false);
}

/* The header is damaged, and an INDEX has a copy. */
static void header_out_of_memory(void) {
    uint64_t size;
    finished_file(8, 10);
    sim_bytes(&other, NAME, &size)[33] ^= 1;
    attempts(SST_NO_MAP, SST_ERR_CORRUPT, false);
}

/* The first INDEX, whose checksum holds, says of the last time in the first block of "s" what the
 * block does not. */
static void make_index_lie(sim_disk *on) {
    mend_record r;
    uint64_t size, blocks = 0;
    uint8_t *bytes = sim_bytes(on, NAME, &size);
    REQUIRE(mend_find(bytes, size, MEND_INDEX, 0, 0, &r));
    REQUIRE(mend_index_stream(bytes, &r, 1, &blocks) != 0);
    mend_put(bytes + blocks + 24, mend_u64(bytes + blocks + 24) - 1, 8);
    mend_payload(bytes, &r);
}

/* The blocks are read by hopping when a query finds out: when there is memory for that. */
static void lying_index_out_of_memory(void) {
    finished_file(1, 80);
    make_index_lie(&other);
    attempts(SST_NO_MAP, SST_OK, true);
    attempts(0, SST_OK, true);
}

#define TABLE_ROWS (200u * 64u)

/* A time table that is larger than all that was written before: without memory to write it from
 * closing fails, and what it leaves has all rows. */
static void closing_out_of_memory(void) {
    uint64_t n, failed = 0;
    for (n = 1; n < 50; n++) {
        sst_options o;
        sst_store *store;
        int result;
        prepare();
        memset(&memory, 0, sizeof memory);
        o = options_on(&disk, 0);
        o.allocator = &scarce;
        REQUIRE(sst_create(NAME, &o, &store) == SST_OK);
        CHECK_INT(append(stream_of(store, "s"), TABLE_ROWS), SST_OK);
        memory.calls = 0;
        memory.fail_at = n;
        result = sst_close(store);
        memory.fail_at = 0;
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        CHECK(exists(&disk, LIVE) == (result != SST_OK));
        CHECK_INT(rows_on(&disk), TABLE_ROWS);
        store = append_to(&disk, 0);
        CHECK_INT(append(stream_of(store, "s"), 5), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_on(&disk), TABLE_ROWS + 5);
        CHECK_INT(memory.now, 0);
        failed += result != SST_OK;
        if (memory.failures == 0) break;
    }
    CHECK(failed > 0 && n < 50);
}

/* ---- blocks that are lost, and whose rows an INDEX knows ------------------------------------- */

#define LOST_BLOCKS 6u
#define LOST_ROWS 10u                       /* of a block */
#define LOST_ALL (LOST_BLOCKS * LOST_ROWS)

/* What a stream should look like whose blocks from row `first` to row `end` - 1 are lost. */
typedef struct loss {
    uint64_t first, end, rows;
    bool listed;                /* by an INDEX: the times at the edges of a block are known */
} loss;

/* Spoils one byte of the header of a stream's nth block, from 0. */
static void spoil_block(sim_disk *on, uint32_t stream, uint32_t nth) {
    uint64_t size;
    uint8_t *bytes = sim_bytes(on, NAME, &size);
    mend_record r;
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, stream, nth, &r));
    bytes[r.offset + 20] ^= 0x10;
}

/* The last 64 bytes of a finished file: without them it is read by hopping. */
static void lose_end(sim_disk *on) {
    size_t size;
    uint8_t *bytes = bytes_of(on, NAME, &size);
    REQUIRE(size > 64 && bytes[size - 64 + 4] == MEND_END);
    sim_put(on, NAME, bytes, size - 64);
    free(bytes);
}

/* All of it synced. */
static sst_store *synced_file(void) {
    sst_store *store = two_streams(LOST_BLOCKS, LOST_ROWS);
    CHECK_INT(sst_sync(store), SST_OK);
    return store;
}

/* Closes one, and spoils the blocks of "s" from one on; `hop`: END too. */
static loss lost_file(uint32_t from, bool hop) {
    loss l;
    uint32_t i;
    CHECK_INT(sst_close(synced_file()), SST_OK);
    for (i = from; i < LOST_BLOCKS; i++) spoil_block(&disk, 1, i);
    if (hop) lose_end(&disk);
    l.first = from * LOST_ROWS;
    l.end = l.rows = LOST_ALL;
    l.listed = !hop;
    return l;
}

/* One row: there, and found by its time, or lost. */
static void check_row(sst_stream *stream, const loss *l, uint64_t row) {
    bool there = row < l->first || row >= l->end;
    int64_t number = (int64_t)row, time = 0, value = 0;
    uint64_t at = 0;
    sst_view view;
    int result = sst_slice(stream, row, 1, &view);
    CHECK_INT(result, there ? SST_OK : SST_ERR_CORRUPT);
    CHECK_INT(sst_gather(stream, &number, 1, &value, &time), result);
    if (there) CHECK(rows_right(stream, row, row + 1) && time == time_of(row));
    if (there) CHECK_INT(value, value_of(row));
    result = sst_locate(stream, time_of(row), SST_EXACT, &at);
    CHECK_INT(result, there ? SST_OK : SST_ERR_CORRUPT);
    if (there) CHECK_INT(at, row);
    result = sst_locate(stream, time_of(row) + 3, SST_AT_OR_BEFORE, &at);
    if (there && row + 1 != l->first) CHECK_INT(result, SST_OK);
    if (!there && !l->listed) CHECK_INT(result, SST_ERR_CORRUPT);
    if (result == SST_OK) CHECK_INT(at, row);
    else CHECK_INT(result, SST_ERR_CORRUPT);
}

/* Rows keep their numbers, whatever was lost; what is left can be asked for, and what is lost is
 * damage, and told. */
static void check_stream(sst_store *store, const loss *l) {
    sst_stream *s = stream_of(store, "s"), *t = stream_of(store, "t");
    sst_view view;
    uint64_t row, rows = 0;
    int64_t first = 0, last = 0;
    bool edges = l->listed || (l->first != 0 && l->end < l->rows);
    CHECK_INT(sst_rows(s), l->rows);
    CHECK_INT(sst_stream_info(s, NULL, &rows, NULL, NULL), SST_OK);
    CHECK_INT(rows, l->rows);
    CHECK_INT(sst_stream_info(s, NULL, NULL, &first, &last), edges ? SST_OK : SST_ERR_CORRUPT);
    if (edges) CHECK(first == time_of(0) && last == time_of(l->rows - 1));
    CHECK(sst_rows(t) >= LOST_ALL && rows_right(t, 0, sst_rows(t)));
    for (row = 0; row < l->rows && test_errors < 10; row++) check_row(s, l, row);
    CHECK(rows_right(s, 0, l->first));
    CHECK(rows_right(s, l->end, l->rows));
    CHECK_INT(sst_slice(s, 0, l->rows, &view), SST_ERR_CORRUPT);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_slice(s, l->rows, 5, &view), SST_OK);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_window(s, time_of(l->first), time_of(l->end), &view), SST_ERR_CORRUPT);
    if (l->first != 0) {
        CHECK_INT(sst_window(s, INT64_MIN, time_of(l->first - 1), &view), SST_OK);
        CHECK_INT(view.count, l->first);
    }
    if (l->end < l->rows) {
        CHECK_INT(sst_window(s, time_of(l->end), INT64_MAX, &view), SST_OK);
        CHECK_INT(view.count, l->rows - l->end);
    }
}

/* The lost rows are what sst_verify reports, once each. */
static void check_reported(sst_store *store, const loss *l) {
    sst_damage damage[16];
    sst_report report;
    uint64_t i, rows = 0;
    memset(&report, 0, sizeof report);
    report.damage = damage;
    report.damage_capacity = 16;
    CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
    REQUIRE(report.damage_count <= 16);
    for (i = 0; i < report.damage_count; i++) {
        if (damage[i].stream == 0) continue;
        CHECK_INT(damage[i].stream, 1);
        CHECK(damage[i].first_row >= l->first && damage[i].first_row < l->end);
        rows += damage[i].rows;
    }
    CHECK_INT(rows, l->end - l->first);
}

static void check_store(sst_store *store, const loss *l) {
    check_stream(store, l);
    check_reported(store, l);
}

static void check_file(const sim_disk *on, const loss *l) {
    sst_store *store = open_on(on, 0);
    check_store(store, l);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Five more rows of "s", and of "t". */
static void append_five(sst_store *store, loss *l) {
    sst_stream *s = stream_of(store, "s"), *t = stream_of(store, "t");
    CHECK_INT(append(s, 5), SST_OK);
    CHECK_INT(append(t, 5), SST_OK);
    sst_stream_close(s);        /* so that another handle may go on */
    sst_stream_close(t);
    l->rows += 5;
}

/* Says which one of many looks at a store went wrong first. */
static void explain(const char *what, const loss *l) {
    if (test_errors == 0) return;
    printf("... %s: %d rows, of which from %d on %d are lost\n", what, (int)l->rows,
           (int)l->first, (int)(l->end - l->first));
}

static void check_file_then(const sim_disk *on, const loss *l, const char *what) {
    int errors = test_errors;
    check_file(on, l);
    if (test_errors != errors) explain(what, l);
}

/* The process that records on `disk` is killed here: what there is then, and what comes of it. */
static void kill_here(loss l) {
    sst_store *store;
    sim_copy(&disk, &other, l.rows);
    l.listed = false;
    check_file_then(&other, &l, "killed");
    store = append_to(&other, 0);
    check_store(store, &l);
    append_five(store, &l);
    check_store(store, &l);
    CHECK_INT(sst_close(store), SST_OK);
    check_file_then(&other, &l, "recovered and closed");
    lose_end(&other);
    check_file_then(&other, &l, "recovered and closed, by hopping");
    store = append_to(&other, 0);
    check_store(store, &l);
    CHECK_INT(sst_close(store), SST_OK);
    check_file_then(&other, &l, "recovered twice");
}

/* Opened, left as it is or gone on with, sealed, closed, opened again. */
static void lost_from(uint32_t from, bool hop) {
    loss l = lost_file(from, hop);
    sst_store *store;
    int round;
    check_file_then(&disk, &l, "first");
    for (round = 0; round < 3; round++) {
        store = append_to(&disk, 0);
        check_store(store, &l);
        kill_here(l);
        if (round != 0) {
            append_five(store, &l);
            check_store(store, &l);
            kill_here(l);
            CHECK_INT(sst_flush(store), SST_OK);
            check_store(store, &l);
            append_five(store, &l);
            check_store(store, &l);
            kill_here(l);
        }
        CHECK_INT(sst_close(store), SST_OK);
        check_file_then(&disk, &l, round == 0 ? "opened and closed" : "gone on with and closed");
    }
}

/* The block before the rows of a companion rots after the kill: these keep their numbers, and are
 * not lost with it. */
static void lost_before_tail(void) {
    sst_store *store = synced_file(), *next;
    loss l;
    l.first = LOST_ALL - LOST_ROWS;
    l.end = l.rows = LOST_ALL;
    l.listed = false;
    append_five(store, &l);
    sim_copy(&disk, &other, 3);
    spoil_block(&other, 1, LOST_BLOCKS - 1);
    check_file_then(&other, &l, "killed");
    next = append_to(&other, 0);
    check_store(next, &l);
    append_five(next, &l);
    check_store(next, &l);
    CHECK_INT(sst_close(next), SST_OK);
    check_file_then(&other, &l, "recovered and closed");
    CHECK_INT(sst_close(store), SST_OK);
}

/* A writer finds out by a query that the INDEX lies, and that blocks are lost only then. */
static void lost_behind_lying_index(void) {
    uint32_t from;
    for (from = 1; from < LOST_BLOCKS; from++) {
        loss l = lost_file(from, false);
        sst_store *store;
        sst_stream *s;
        sst_view view;
        make_index_lie(&disk);
        l.listed = false;
        store = append_to(&disk, 0);
        append_five(store, &l);
        s = stream_of(store, "s");
        CHECK_INT(sst_rows(s), l.rows);
        CHECK_INT(sst_slice(s, 0, LOST_ROWS, &view), SST_OK);
        CHECK(rows_right(s, 0, LOST_ROWS));
        check_store(store, &l);
        kill_here(l);
        CHECK_INT(sst_close(store), SST_OK);
        check_file_then(&disk, &l, "closed");
        lose_end(&disk);
        check_file_then(&disk, &l, "closed, by hopping");
    }
}

static void last_block_lost(void) { lost_from(LOST_BLOCKS - 1, false); }
static void last_block_lost_by_hopping(void) { lost_from(LOST_BLOCKS - 1, true); }
static void all_blocks_lost(void) { lost_from(0, false); }
static void all_blocks_lost_by_hopping(void) { lost_from(0, true); }

static sst_stream *clocked(sst_store *store) {
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    memset(&desc, 0, sizeof desc);
    desc.name = "s";
    desc.type = SST_I64;
    desc.timelines[0] = "clock";
    if (sst_stream_open(store, "s", &stream) != SST_OK) {
        CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    }
    if (stream == NULL) exit(1);
    return stream;
}

/* Row r has the time 7 r on the further clock. */
static void append_clocked(sst_stream *stream, uint64_t rows) {
    for (; rows != 0; rows--) {
        uint64_t r = sst_rows(stream);
        int64_t clock = 7 * (int64_t)r, value = value_of(r);
        sst_row row;
        memset(&row, 0, sizeof row);
        row.time = time_of(r);
        row.timelines = &clock;
        row.value = &value;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
    }
}

/* What can be said by the further clock: of rows in [sure, rows) all, of others perhaps damage;
 * rows [20, 30) are lost. */
static void check_clock(sst_store *store, uint64_t sure, uint64_t rows) {
    sst_stream *stream = clocked(store);
    uint64_t r, at = 0;
    CHECK_INT(sst_rows(stream), rows);
    for (r = 0; r < rows; r++) {
        int result = sst_locate_on(stream, 0, 7 * (int64_t)r, SST_EXACT, &at);
        if (r >= sure) CHECK_INT(result, SST_OK);
        CHECK(result == SST_OK || result == SST_ERR_CORRUPT);
        CHECK(result != SST_OK || (at == r && (r < 20 || r >= 30)));
        result = sst_locate_on(stream, 0, 7 * (int64_t)r, SST_AT_OR_AFTER, &at);
        CHECK(result == SST_OK || result == SST_ERR_CORRUPT);
        CHECK(result != SST_OK || (at == r && (r < 20 || r > 30)));
    }
}

static void check_clock_on(const sim_disk *on, uint64_t sure, uint64_t rows) {
    sst_store *store = open_on(on, 0);
    check_clock(store, sure, rows);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Lost rows, and a clock that never went back as far as is known: no answer passes over them. */
static void further_clock_and_lost_rows(void) {
    sst_store *store;
    sst_stream *stream;
    int i;
    prepare();
    store = create(0);
    stream = clocked(store);
    for (i = 0; i < 3; i++) {
        append_clocked(stream, 10);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    spoil_block(&disk, 1, 2);
    lose_end(&disk);
    check_clock_on(&disk, 30, 30);
    store = append_to(&disk, 0);
    check_clock(store, 30, 30);
    append_clocked(clocked(store), 5);
    check_clock(store, 30, 35);
    sim_copy(&disk, &other, 3);
    check_clock_on(&other, 35, 35);         /* whether the clock is sorted is not known yet */
    CHECK_INT(sst_flush(store), SST_OK);
    check_clock(store, 30, 35);
    CHECK_INT(sst_close(store), SST_OK);
    check_clock_on(&disk, 30, 35);
}

/* How many rows "s" has where the first INDEX behind the loss of its last block says something
 * else: at `at` of its payload or, with a stream's number, of the section of that stream. */
static uint64_t rows_with_index(uint32_t stream, uint64_t at, uint64_t value, int bytes) {
    loss l = lost_file(LOST_BLOCKS - 1, true);
    uint64_t size, rows, blocks, place;
    uint8_t *file = sim_bytes(&disk, NAME, &size);
    mend_record block, r;
    sst_store *store;
    uint32_t nth = 0;
    CHECK(mend_find(file, size, MEND_BLOCK, 1, LOST_BLOCKS - 1, &block));
    while (mend_find(file, size, MEND_INDEX, 0, nth, &r) && r.offset < block.offset) nth++;
    CHECK(r.offset > block.offset);
    place = stream == 0 ? r.payload : mend_index_stream(file, &r, stream, &blocks);
    CHECK(place != 0);
    mend_put(file + place + at, value, bytes);
    mend_payload(file, &r);
    store = open_on(&disk, 0);
    rows = sst_rows(stream_of(store, "s"));
    CHECK(rows_right(stream_of(store, "s"), 0, l.first));
    CHECK(rows_right(stream_of(store, "t"), 0, LOST_ALL));
    CHECK_INT(sst_verify(store, NULL), SST_ERR_CORRUPT);
    CHECK_INT(sst_close(store), SST_OK);
    return rows;
}

/* What an INDEX says of lost rows is believed as far as it makes sense: a lie does no more harm
 * than that rows are not known. */
static void index_lies_about_lost_rows(void) {
    const uint64_t none = LOST_ALL - LOST_ROWS;
    CHECK_INT(rows_with_index(0, 76, 2, 4), LOST_ALL);              /* as it is */
    CHECK_INT(rows_with_index(0, 76, 1000, 4), LOST_ALL);           /* streams */
    CHECK_INT(rows_with_index(0, 80, 1u << 20, 8), LOST_ALL);       /* bytes: the next one knows */
    CHECK_INT(rows_with_index(1, 0, 99, 4), none);                  /* a stream that is not there */
    CHECK_INT(rows_with_index(1, 8, 80, 8), 80);                    /* rows: could be */
    CHECK_INT(rows_with_index(1, 8, 1000, 8), none);                /* more than fit */
    CHECK_INT(rows_with_index(1, 8, UINT64_MAX, 8), none);
    CHECK_INT(rows_with_index(1, 4, 0xFFFFFFFFu, 4), LOST_ALL);     /* timelines */
    CHECK_INT(rows_with_index(1, 48, 0xFFFFFFFFu, 4), LOST_ALL);    /* blocks */
    CHECK_INT(rows_with_index(2, 8, 20, 8), LOST_ALL);              /* less than there are of "t" */
}

/* ---- the end of a file ----------------------------------------------------------------------- */

/* A finished file with a finished stream "s" of 100 rows, on `other`; *end: its END. */
static uint8_t *ended_file(mend_record *end, uint64_t *size) {
    sst_store *store;
    sst_stream *stream;
    uint8_t *bytes;
    prepare();
    store = create(0);
    stream = stream_of(store, "s");
    CHECK_INT(append(stream, 100), SST_OK);
    CHECK_INT(sst_stream_finish(stream), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    sim_copy(&disk, &other, 5);
    bytes = sim_bytes(&other, NAME, size);
    if (!mend_find(bytes, *size, MEND_END, 0, 0, end)) exit(1);
    return bytes;
}

static bool finished_state(void) {
    sst_store *store = open_on(&other, 0);
    sst_info info;
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    return info.state == SST_FINISHED;
}

/* An END that leads nowhere, or is not the last: all rows are found by hopping. */
static void ends_that_lead_nowhere(void) {
    mend_record end;
    uint64_t size;
    uint8_t *bytes, *copy;
    int i;
    for (i = 0; i < 7; i++) {
        bytes = ended_file(&end, &size);
        if (i == 1) mend_put(bytes + end.offset + 32, 0, 8);
        if (i == 2) mend_put(bytes + end.offset + 32, end.offset, 8);
        if (i == 3) bytes[end.offset + 5] = 1;          /* not synced */
        if (i == 4) bytes[end.offset + 4] = MEND_SKIP;
        mend_header(bytes, &end);
        if (i == 5) bytes[end.offset + 62] ^= 1;
        if (i == 6) {
            copy = (uint8_t *)sim_memory((size_t)size + 1);
            memcpy(copy, bytes, (size_t)size);
            sim_put(&other, NAME, copy, (size_t)size + 1);
            free(copy);
        }
        CHECK_INT(rows_on(&other), 100);
        CHECK(finished_state() == (i < 4));
    }
    bytes = ended_file(&end, &size);
    copy = (uint8_t *)sim_memory(64);
    memcpy(copy, bytes, 64);
    sim_put(&other, NAME, copy, 64);                    /* no record at all */
    CHECK(!finished_state());
    free(copy);
}

/* Definitions in an INDEX that make no sense: the file is read by hopping, and nothing is lost. */
static void index_defines_nonsense(void) {
    static const struct {
        size_t at;
        uint8_t value;
    } lies[] = {{0, MEND_FINISH}, {0, MEND_SYNC}, {4, 0}, {4, 7}};
    size_t i;
    for (i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        mend_record end, index;
        uint64_t size, at;
        uint8_t *bytes = ended_file(&end, &size);
        sst_store *store;
        REQUIRE(mend_at(bytes, size, end.first_row, &index));
        at = mend_index_definition(bytes, &index, MEND_FINISH, 1, 0);
        REQUIRE(at != 0);
        bytes[at - 16 + lies[i].at] = lies[i].value;
        mend_payload(bytes, &index);
        CHECK_INT(rows_on(&other), 100);
        store = append_to(&other, 0);
        CHECK_INT(append(stream_of(store, "s"), 1), SST_ERR_FINISHED);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Damages the header of a file that was never synced and has an INDEX, of 40 rows, on `other`.
 * foreign: the copy of the header in the INDEX is that of another store. */
static void killed_with_index(bool foreign, uint8_t *header) {
    sst_store *killed;
    sst_stream *stream;
    uint64_t size;
    uint8_t *bytes;
    mend_record r;
    int i;
    prepare();
    killed = create(SST_NO_LIVE);
    stream = stream_of(killed, "s");
    for (i = 0; i < 4; i++) {
        CHECK_INT(append(stream, 10), SST_OK);
        CHECK_INT(sst_flush(killed), SST_OK);
    }
    sim_copy(&disk, &other, 9);
    CHECK_INT(sst_close(killed), SST_OK);
    bytes = sim_bytes(&other, NAME, &size);
    memcpy(header, bytes, 64);
    bytes[1] ^= 1;
    REQUIRE(mend_find(bytes, size, MEND_INDEX, 0, 0, &r));
    CHECK_BYTES(bytes + r.payload, header, 64);
    if (!foreign) return;
    bytes[r.payload + 12] ^= 1;
    mend_file_header(bytes + r.payload, 64);
    mend_payload(bytes, &r);
}

/* A header that never was on stable storage, and of which an INDEX has a copy, is put back: the
 * file is whole again. One of another store is not taken for it. */
static void header_comes_back(void) {
    int foreign;
    for (foreign = 0; foreign < 2; foreign++) {
        uint8_t header[64];
        uint64_t size;
        sst_store *store;
        killed_with_index(foreign != 0, header);
        store = open_on(&other, SST_VERIFY);
        CHECK_INT(sst_close(store), SST_OK);
        store = append_to(&other, SST_VERIFY | SST_NO_LIVE);
        CHECK_INT(append(stream_of(store, "s"), 5), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK((memcmp(sim_bytes(&other, NAME, &size), header, 64) == 0) == (foreign == 0));
        store = open_on(&other, SST_VERIFY);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_on(&other), 45);
        lose_end(&other);
        CHECK_INT(rows_on(&other), 45);
    }
}

/* ---- blocks that say more rows than they have room for ------------------------------------- */

/* The nth block of "s", its checksums right, says that it has so many rows. */
static void claim_rows(sim_disk *on, uint32_t nth, uint32_t rows) {
    uint64_t size;
    uint8_t *bytes = sim_bytes(on, NAME, &size);
    mend_record r;
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, nth, &r));
    CHECK(rows * 16u > r.size);                 /* times and values */
    mend_put(bytes + r.offset + 20, rows, 4);
    mend_header(bytes, &r);
}

/* The first ten rows are lost, the others are there. */
static void check_roomless(const sim_disk *on, sst_store *opened, uint64_t rows) {
    sst_store *store = opened == NULL ? open_on(on, 0) : opened;
    sst_stream *s = stream_of(store, "s");
    sst_view view;
    CHECK_INT(sst_rows(s), rows);
    CHECK_INT(sst_slice(s, 0, 1, &view), SST_ERR_CORRUPT);
    CHECK(rows_right(s, 10, rows));
    sst_stream_close(s);
    if (opened == NULL) CHECK_INT(sst_close(store), SST_OK);
}

/* Such a block is none of the stream's, however long the file is: as long as it is short, and when
 * it has grown so much that the rows would lie within it. */
static void rows_without_room(void) {
    uint64_t size, short_size;
    sst_store *store;
    sst_stream *s;
    prepare();
    store = create(SST_NO_LIVE);
    s = stream_of(store, "s");
    CHECK_INT(append(s, 10), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(append(s, 10), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    sim_copy(&disk, &other, 1);                 /* killed */
    CHECK_INT(sst_close(store), SST_OK);
    claim_rows(&other, 0, 90);
    (void)sim_bytes(&other, NAME, &short_size);
    CHECK(short_size < 90u * 16u);
    check_roomless(&other, NULL, 20);
    store = append_to(&other, SST_NO_LIVE);
    check_roomless(&other, store, 20);
    CHECK_INT(append(stream_of(store, "s"), 200), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    check_roomless(&other, store, 220);
    (void)sim_bytes(&other, NAME, &size);
    CHECK(size > short_size + 90u * 16u);
    sim_copy(&other, &disk, 2);                 /* killed again */
    check_roomless(&disk, NULL, 220);
    CHECK_INT(sst_close(store), SST_OK);
    check_roomless(&other, NULL, 220);
    lose_end(&other);
    check_roomless(&other, NULL, 220);
}

/* An INDEX that lists such a block lies: there are the same rows with it and without. */
static void index_without_room(void) {
    uint64_t size, blocks = 0, section;
    uint8_t *bytes;
    mend_record r;
    sst_store *store;
    sst_stream *s;
    sst_view view;
    finished_file(1, 10);
    claim_rows(&other, 0, 25);
    bytes = sim_bytes(&other, NAME, &size);
    REQUIRE(mend_find(bytes, size, MEND_INDEX, 0, 0, &r));
    section = mend_index_stream(bytes, &r, 1, &blocks);
    REQUIRE(section != 0);
    mend_put(bytes + section + 8, 25, 8);
    mend_put(bytes + blocks + 32, 25, 4);
    mend_payload(bytes, &r);
    store = open_on(&other, 0);
    CHECK(store->indexed);
    s = stream_of(store, "s");
    CHECK_INT(sst_rows(s), 25);                 /* nobody has looked at the block yet */
    CHECK_INT(sst_slice(s, 0, 10, &view), SST_OK);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_rows(s), 0);
    CHECK(rows_right(stream_of(store, "t"), 0, 10));
    CHECK_INT(sst_close(store), SST_OK);
    lose_end(&other);
    CHECK_INT(rows_on(&other), 0);
}

/* ---- lies that a longer file would make true ------------------------------------------------ */

/* A block's size, its checksums right, reaches beyond the end of the file: the block is lost. When
 * the file has grown it hides nothing of what is recorded there. */
static void size_beyond_the_end(void) {
    loss l;
    sst_store *store = synced_file();
    sst_stream *t;
    uint64_t size;
    uint8_t *bytes;
    mend_record r;
    sim_copy(&disk, &other, 1);
    CHECK_INT(sst_close(store), SST_OK);
    bytes = sim_bytes(&other, NAME, &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 1, &r));
    mend_put(bytes + r.offset + 24, size, 8);
    mend_header(bytes, &r);
    memset(&l, 0, sizeof l);
    l.first = LOST_ROWS;
    l.end = 2 * LOST_ROWS;
    l.rows = LOST_ALL;
    check_file_then(&other, &l, "as it was");
    store = append_to(&other, 0);
    t = stream_of(store, "t");
    CHECK_INT(append(t, 10 * size / 16), SST_OK);
    sst_stream_close(t);
    append_five(store, &l);
    CHECK_INT(sst_flush(store), SST_OK);
    check_store(store, &l);
    sim_copy(&other, &disk, 2);
    check_file_then(&disk, &l, "killed");
    CHECK_INT(sst_close(store), SST_OK);
    check_file_then(&other, &l, "closed");
    lose_end(&other);
    check_file_then(&other, &l, "by hopping");
}

/* Such a block that an INDEX lists: who appends finds what a reader finds. */
static void size_beyond_the_end_listed(void) {
    sst_store *store;
    uint64_t size;
    uint8_t *bytes;
    mend_record r;
    int appends;
    finished_file(1, 10);
    bytes = sim_bytes(&other, NAME, &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 0, &r));
    mend_put(bytes + r.offset + 24, size, 8);
    mend_header(bytes, &r);
    for (appends = 0; appends < 2; appends++) {
        sst_view view;
        store = appends ? append_to(&other, 0) : open_on(&other, 0);
        CHECK(store->indexed);
        CHECK_INT(sst_slice(stream_of(store, "s"), 0, 1, &view), SST_ERR_CORRUPT);
        CHECK(rows_right(stream_of(store, "t"), 0, 10));
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* A synced length, its checksum right, lies between two records: what is damaged before it is
 * damage, and nothing behind it is cut off. */
static void synced_length_between(void) {
    sst_store *store;
    sst_stream *s;
    uint64_t size;
    uint8_t *bytes;
    mend_record r;
    int round;
    prepare();
    store = create(SST_NO_LIVE);
    s = stream_of(store, "s");
    CHECK_INT(append(s, 10), SST_OK);
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(append(s, 10), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    sim_copy(&disk, &other, 1);
    CHECK_INT(sst_close(store), SST_OK);
    bytes = sim_bytes(&other, NAME, &size);
    REQUIRE(mend_find(bytes, size, MEND_SYNC, 0, 1, &r));
    CHECK_INT(r.first_row, r.offset);
    memset(bytes + r.offset - 64, 0, 64);       /* the SKIP before it, or the block */
    mend_put(bytes + r.offset + 32, r.first_row - 1, 8);
    mend_header(bytes, &r);
    spoil_block(&other, 1, 0);
    for (round = 0; round < 3; round++) {
        store = open_on(&other, 0);
        CHECK_INT(sst_rows(stream_of(store, "s")), 20 + 5 * round);
        CHECK(rows_right(stream_of(store, "s"), 10, 20 + 5 * (uint64_t)round));
        CHECK_INT(sst_close(store), SST_OK);
        store = append_to(&other, SST_NO_LIVE);
        CHECK_INT(append(stream_of(store, "s"), 5), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
        sim_copy(&other, &disk, 1);             /* killed */
        CHECK_INT(sst_close(store), SST_OK);
        sim_copy(&disk, &other, 1);
    }
}

/* A column of a further clock is encoded in a way that is not known: that keeps nobody from going
 * on. */
static void clock_in_unknown_codec(void) {
    sst_store *store;
    uint64_t size, row;
    uint8_t *bytes;
    mend_record r;
    mend_column c;
    prepare();
    store = create(SST_NO_LIVE);
    append_clocked(clocked(store), 10);
    CHECK_INT(sst_flush(store), SST_OK);
    sim_copy(&disk, &other, 1);
    CHECK_INT(sst_close(store), SST_OK);
    bytes = sim_bytes(&other, NAME, &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 0, &r) && mend_column_at(bytes, &r, 1, &c));
    CHECK_INT(c.kind, MEND_TIMELINE);
    c.entry[1] = 7;
    mend_block(bytes, &r);
    store = append_to(&other, SST_NO_LIVE);
    append_clocked(clocked(store), 5);
    CHECK_INT(sst_rows(clocked(store)), 15);
    CHECK_INT(sst_locate_on(clocked(store), 0, 7, SST_EXACT, &row), SST_ERR_ORDER);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- stores of all kinds --------------------------------------------------------------------- */

/* What is only of files is nothing for a store in memory. */
static void kinds_of_stores(void) {
    sst_options o;
    sst_store *writer, *reader, *image, *written;
    sst_stream *stream;
    const void *bytes;
    size_t size;
    sst_view view;
    prepare();
    memset(&o, 0, sizeof o);
    o.seed = 3;
    REQUIRE(sst_create(NULL, &o, &writer) == SST_OK);
    stream = stream_of(writer, "s");
    CHECK_INT(append(stream, 5), SST_OK);
    CHECK_INT(sst_sync(writer), SST_OK);
    CHECK_INT(sst_durable_rows(stream), 0);
    CHECK_INT(sst_durable_rows(NULL), 0);
    CHECK_INT(sst_refresh(writer), SST_OK);
    CHECK_INT(sst_image(writer, &bytes, &size), SST_OK);
    REQUIRE(sst_open_memory(bytes, size, NULL, &image) == SST_OK);
    CHECK_INT(sst_refresh(image), SST_OK);
    CHECK_INT(sst_durable_rows(stream_of(image, "s")), 0);
    written = create(0);
    stream = stream_of(written, "s");
    CHECK_INT(append(stream, 5), SST_OK);
    reader = open_on(&disk, 0);
    CHECK_INT(append(stream, 2), SST_OK);
    CHECK_INT(sst_sync(written), SST_OK);
    CHECK_INT(sst_durable_rows(stream), 7);
    CHECK_INT(sst_refresh(written), SST_OK);
    CHECK_INT(sst_rows(stream_of(reader, "s")), 5);
    CHECK_INT(sst_refresh(reader), SST_OK);
    CHECK_INT(sst_rows(stream_of(reader, "s")), 7);
    CHECK_INT(sst_durable_rows(stream_of(reader, "s")), 7);
    CHECK_INT(sst_window(stream, 20, 20, &view), SST_OK);
    CHECK_INT(view.count, 1);
    CHECK_INT(sst_window_ex(stream, 20, 20, SST_HALF_OPEN, &view), SST_OK);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_window_ex(stream, 20, 30, SST_HALF_OPEN, &view), SST_OK);
    CHECK_INT(view.count, 1);
    CHECK_INT(sst_window(stream, 30, 20, &view), SST_OK);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_close(image), SST_OK);
    CHECK_INT(sst_close(writer), SST_OK);
    CHECK_INT(sst_close(reader), SST_OK);
    CHECK_INT(sst_close(written), SST_OK);
}

/* A field and the description of its stream say the same, where both say something. */
static void field_and_stream(void) {
    sst_store *store;
    int i;
    prepare();
    store = create(0);
    for (i = 0; i < 4; i++) {
        sst_stream_desc desc;
        sst_field field;
        sst_stream *stream;
        memset(&desc, 0, sizeof desc);
        memset(&field, 0, sizeof field);
        field.type = SST_F32;
        field.shape[0] = 3;
        desc.name = i == 0 ? "a" : "b";
        desc.fields = &field;
        desc.field_count = 1;
        if (i != 0) desc.type = i == 1 ? SST_I16 : SST_F32;
        if (i == 3) desc.shape[0] = 3;
        CHECK_INT(sst_stream_create(store, &desc, &stream),
                  i == 0 || i == 3 ? SST_OK : SST_ERR_ARG);
    }
    CHECK_INT(sst_stream_count(store), 2);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A memory store that cannot be made is none. */
static void no_memory_for_store(void) {
    uint64_t n, failed = 0;
    for (n = 1; n < 20; n++) {
        sst_options o;
        sst_store *store;
        int result;
        memset(&o, 0, sizeof o);
        memset(&memory, 0, sizeof memory);
        o.seed = 3;
        o.allocator = &scarce;
        memory.fail_at = n;
        result = sst_create(NULL, &o, &store);
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        CHECK((result == SST_OK) == (store != NULL));
        failed += result != SST_OK;
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(memory.now, 0);
        if (memory.failures == 0) break;
    }
    CHECK(failed > 0 && n < 20);
}

/* ---- recoveries that stop half way ----------------------------------------------------------- */

#define SEEN_ROWS 320u

/* Which rows of two streams could be read. */
typedef struct seen {
    uint64_t rows[2];
    bool there[2][SEEN_ROWS];
} seen;

static const char *const seen_names[2] = {"s", "t"};

static seen look_at(sst_store *store) {
    seen v;
    uint64_t row;
    int i;
    memset(&v, 0, sizeof v);
    for (i = 0; i < 2; i++) {
        sst_stream *stream = NULL;
        if (sst_stream_open(store, seen_names[i], &stream) != SST_OK) continue;
        v.rows[i] = sst_rows(stream);
        CHECK(v.rows[i] <= SEEN_ROWS);
        for (row = 0; row < v.rows[i] && row < SEEN_ROWS; row++) {
            v.there[i][row] = rows_right(stream, row, row + 1);
        }
        sst_stream_close(stream);
    }
    return v;
}

static seen look_on(const sim_disk *on) {
    sst_store *store = open_on(on, 0);
    seen v = look_at(store);
    CHECK_INT(sst_close(store), SST_OK);
    return v;
}

/* How many rows that could be read before cannot be now. */
static int forgotten(const seen *before, const seen *now) {
    int i, n = 0;
    uint64_t row;
    for (i = 0; i < 2; i++) {
        n += now->rows[i] < before->rows[i];
        for (row = 0; row < SEEN_ROWS; row++) n += before->there[i][row] && !now->there[i][row];
    }
    return n;
}

static sst_store *recording;
static sst_stream *flushed_late;    /* gets two blocks while the store is being synced */

static int flushing_sync(void *user, void *file) {
    if (armed != 0) {
        armed = 0;
        CHECK_INT(append(flushed_late, 10), SST_OK);
        CHECK_INT(sst_flush(recording), SST_OK);
        CHECK_INT(append(flushed_late, 10), SST_OK);
        CHECK_INT(sst_flush(recording), SST_OK);
    }
    return sim_io_sync(user, file);
}

/* What a kill leaves, on `other`: four blocks of "s", of which the companion has only the last rows
 * still; the point S up to which the file was synced; blocks of "t" that were sealed meanwhile; the
 * SYNC that tells S; rows in both tails. Then the first block rots, and the last one before the
 * SYNC is not whole: there is the cut, with the SYNC behind. */
static void sync_behind_cut(void) {
    sst_stream *s;
    sst_info info;
    mend_record last, sync;
    const uint8_t *bytes;
    uint64_t size;
    prepare();
    disk.io.sync = flushing_sync;
    recording = create(0);
    s = stream_of(recording, "s");
    flushed_late = stream_of(recording, "t");
    CHECK_INT(append(s, 256), SST_OK);
    armed = 1;
    CHECK_INT(sst_sync(recording), SST_OK);
    CHECK_INT(append(s, 5), SST_OK);
    CHECK_INT(append(flushed_late, 5), SST_OK);
    CHECK_INT(sst_store_info(recording, &info), SST_OK);
    sim_copy(&disk, &other, 5);
    bytes = sim_bytes(&other, NAME, &size);
    CHECK(mend_find(bytes, size, MEND_BLOCK, 2, 1, &last));
    CHECK(mend_find(bytes, size, MEND_SYNC, 0, 1, &sync));
    CHECK(sync.first_row == info.synced_bytes && info.synced_bytes < last.offset);
    CHECK(last.offset < sync.offset);
    spoil_block(&other, 1, 0);
    spoil_block(&other, 2, 1);
    disk.io.sync = plain.sync;
    CHECK_INT(sst_close(recording), SST_OK);
}

/* The power is lost after a recovery that failed; whatever comes of that, the next one finds what
 * was there: all of it was durable. */
static void power_lost(const sim_disk *failed, const seen *before) {
    sim_disk left;
    uint64_t seed;
    memset(&left, 0, sizeof left);
    for (seed = 1; seed <= 4; seed++) {
        sim_loss how;
        sst_store *store;
        seen now;
        memset(&how, 0, sizeof how);
        how.seed = seed;
        sim_crash(failed, &left, &how);
        store = append_to(&left, 0);
        now = look_at(store);
        CHECK_INT(forgotten(before, &now), 0);
        CHECK_INT(sst_close(store), SST_OK);
    }
    sim_free(&left);
}

/* Recovers a copy of `other`, of whose calls of a kind `count` fail from the nth on. false: none
 * had to. */
static bool recover_twice(sim_kind kind, uint64_t nth, uint64_t count, const seen *before) {
    sst_store *store = NULL;
    int result, errors = test_errors;
    bool failed;
    seen now;
    sim_copy(&other, &disk, nth);
    sim_arm(&disk, kind, nth, count, SST_ERR_IO);
    result = try_append(&disk, 0, &store);
    failed = disk.calls[kind] >= nth;
    sim_disarm(&disk);
    CHECK(failed || result == SST_OK);
    if (store == NULL) {
        now = look_on(&disk);
        CHECK_INT(forgotten(before, &now), 0);
        power_lost(&disk, before);
        store = append_to(&disk, 0);
    }
    now = look_at(store);
    CHECK_INT(forgotten(before, &now), 0);
    CHECK_INT(append(stream_of(store, "s"), 3), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    now = look_on(&disk);
    CHECK_INT(forgotten(before, &now), 0);
    CHECK_INT(now.rows[0], before->rows[0] + 3);
    if (test_errors != errors) {
        printf("... %s %d failing (%d)\n", sim_kind_name(kind), (int)nth, (int)count);
    }
    return failed;
}

/* The SYNC that told how far the file was synced is cut off: the recovery that cut it knows, and
 * the one that has to finish its work must still. Else what rots before would be where the file
 * ends, and all rows behind it were gone. */
static void recovery_interrupted(void) {
    static const sim_kind kinds[] = {SIM_WRITE, SIM_RESIZE, SIM_SYNC, SIM_RENAME, SIM_OPEN,
                                     SIM_SYNC_DIR, SIM_MAP, SIM_RESERVE};
    seen before;
    uint64_t nth;
    size_t i;
    sync_behind_cut();
    before = look_on(&other);
    CHECK(before.rows[0] == 261 && before.rows[1] == 25);
    CHECK(!before.there[0][63] && before.there[0][64] && before.there[0][260]);
    CHECK(before.there[1][0] && before.there[1][24]);
    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (nth = 1; recover_twice(kinds[i], nth, 1, &before) && nth < 100; nth++) continue;
        CHECK(nth < 100 && (nth > 1 || kinds[i] == SIM_SYNC_DIR));
        for (nth = 1; recover_twice(kinds[i], nth, 1000, &before) && nth < 100; nth++) continue;
    }
}

int main(void) {
    TEST_RUN(name_lost_while_creating);
    TEST_RUN(name_lost_while_opening);
    TEST_RUN(not_found_is_not_none);
    TEST_RUN(none_is_made);
    TEST_RUN(creating_fails);
    TEST_RUN(aborting);
    TEST_RUN(unknown_companion_stays);
    TEST_RUN(stale_companion);
    TEST_RUN(synced_header_is_lost);
    TEST_RUN(header_cannot_be_made);
    TEST_RUN(reads_fail);
    TEST_RUN(finished_out_of_memory);
    TEST_RUN(header_out_of_memory);
    TEST_RUN(lying_index_out_of_memory);
    TEST_RUN(closing_out_of_memory);
    TEST_RUN(last_block_lost);
    TEST_RUN(last_block_lost_by_hopping);
    TEST_RUN(all_blocks_lost);
    TEST_RUN(all_blocks_lost_by_hopping);
    TEST_RUN(lost_before_tail);
    TEST_RUN(lost_behind_lying_index);
    TEST_RUN(further_clock_and_lost_rows);
    TEST_RUN(index_lies_about_lost_rows);
    TEST_RUN(ends_that_lead_nowhere);
    TEST_RUN(index_defines_nonsense);
    TEST_RUN(header_comes_back);
    TEST_RUN(rows_without_room);
    TEST_RUN(index_without_room);
    TEST_RUN(size_beyond_the_end);
    TEST_RUN(size_beyond_the_end_listed);
    TEST_RUN(synced_length_between);
    TEST_RUN(clock_in_unknown_codec);
    TEST_RUN(kinds_of_stores);
    TEST_RUN(field_and_stream);
    TEST_RUN(no_memory_for_store);
    TEST_RUN(recovery_interrupted);
    sim_free(&disk);
    sim_free(&other);
    return test_done("test_branches_rest");
}
