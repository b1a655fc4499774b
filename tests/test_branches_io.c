/* Hosts that offer less: every member of sst_io missing in turn, transfers that are short or lie,
 * files that are swapped or vanish between two calls, memory at its end beside files. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "folder.h"
#include "meter.h"
#include "mend.h"

/* ---- files ---------------------------------------------------------------------------------- */

static bool exists(const char *path) { return access(path, F_OK) == 0; }

static uint8_t *file_read(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = (uint8_t *)calloc(1, 1 << 22);
    if (bytes == NULL || f == NULL) {
        printf("cannot read %s\n", path);
        exit(1);
    }
    *size = fread(bytes, 1, 1 << 22, f);
    (void)fclose(f);
    return bytes;
}

static void file_write(const char *path, const void *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        printf("cannot write %s\n", path);
        exit(1);
    }
}

static void file_copy(const char *from, const char *to) {
    size_t size;
    uint8_t *bytes = file_read(from, &size);
    file_write(to, bytes, size);
    free(bytes);
}

static void wipe(const char *name) {
    char beside[64];
    (void)unlink(at(name));
    snprintf(beside, sizeof beside, "%s-live", name);
    (void)unlink(at(beside));
    snprintf(beside, sizeof beside, "%s-torn", name);
    (void)unlink(at(beside));
}

/* ---- rows ----------------------------------------------------------------------------------- */

static sst_stream *stream_of(sst_store *store, const char *name) {
    sst_stream_desc desc = {0};
    sst_stream *stream = NULL;
    desc.name = name;
    desc.type = SST_I64;
    desc.flags = SST_OPEN_EXISTING;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    if (stream == NULL) exit(1);
    return stream;
}

static int append(sst_stream *stream, int64_t rows) {
    int64_t t = (int64_t)sst_rows(stream), end = t + rows;
    int result = SST_OK;
    for (; t < end && result == SST_OK; t++) result = sst_append_i64(stream, t, 3 * t);
    return result;
}

/* How many rows "s" has, each checked; -1: the store does not open. */
static int64_t rows_in(const char *path, const sst_options *options) {
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    int64_t rows, i;
    if (sst_open(path, options, &store) != SST_OK) return -1;
    CHECK_INT(sst_stream_open(store, "s", &stream), SST_OK);
    if (stream == NULL) exit(1);
    rows = (int64_t)sst_rows(stream);
    CHECK_INT(sst_slice(stream, 0, (uint64_t)rows, &view), SST_OK);
    CHECK_INT(view.count, rows);
    for (i = 0; i < (int64_t)view.count; i++) {
        CHECK_INT(((const int64_t *)view.values)[i], 3 * i);
    }
    CHECK_INT(sst_close(store), SST_OK);
    return rows;
}

/* A store as a kill leaves it: 100 rows in blocks and synced, `tail` in the companion. */
static void crashed(const char *name, int64_t tail) {
    sst_options options = {0};
    sst_store *store;
    sst_stream *stream;
    char live[64], live_copy[64];
    options.flags = SST_REPLACE;
    wipe(name);
    snprintf(live, sizeof live, "maker-live");
    snprintf(live_copy, sizeof live_copy, "%s-live", name);
    CHECK_INT(sst_create(at("maker"), &options, &store), SST_OK);
    stream = stream_of(store, "s");
    CHECK_INT(append(stream, 100), SST_OK);
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(append(stream, tail), SST_OK);
    file_copy(at("maker"), at(name));
    file_copy(at(live), at(live_copy));
    CHECK_INT(sst_close(store), SST_OK);
    wipe("maker");
}

/* ---- members that are missing --------------------------------------------------------------- */

typedef struct member {
    const char *name;
    size_t place;
    /* what comes of it: creating, syncing, reading, going on after a crash, replacing, aborting */
    int create, sync, open, reopen, replace, abort;
    bool kill_safe;
} member;

#define ALL_OK SST_OK, SST_OK, SST_OK, SST_OK, SST_OK, SST_OK
#define NO SST_ERR_UNSUPPORTED

static const member members[] = {
    {"none", 0, ALL_OK, true},
    {"open", offsetof(sst_io, open), NO, NO, NO, NO, NO, NO, false},
    {"close", offsetof(sst_io, close), NO, NO, NO, NO, NO, NO, false},
    {"write_at", offsetof(sst_io, write_at), NO, NO, SST_OK, NO, NO, NO, false},
    {"read_at", offsetof(sst_io, read_at), SST_OK, SST_OK, NO, NO, SST_ERR_EXISTS, SST_OK, true},
    {"size", offsetof(sst_io, size), SST_OK, SST_OK, NO, NO, SST_OK, SST_OK, true},
    {"resize", offsetof(sst_io, resize), ALL_OK, false},
    {"sync", offsetof(sst_io, sync), SST_OK, NO, SST_OK, SST_OK, SST_OK, SST_OK, true},
    {"reserve", offsetof(sst_io, reserve), ALL_OK, false},
    {"map", offsetof(sst_io, map), ALL_OK, false},
    {"unmap", offsetof(sst_io, unmap), ALL_OK, true},
    {"lock", offsetof(sst_io, lock), ALL_OK, true},
    {"remove", offsetof(sst_io, remove), SST_OK, SST_OK, SST_OK, SST_OK, NO, NO, true},
    {"rename", offsetof(sst_io, rename), ALL_OK, false},
    {"sync_dir", offsetof(sst_io, sync_dir), ALL_OK, true},
    {"now_ns", offsetof(sst_io, now_ns), ALL_OK, true},
    {"entropy", offsetof(sst_io, entropy), ALL_OK, true}
};

#define MEMBERS (sizeof members / sizeof members[0])

static sst_io without(const member *m) {
    sst_io io = *sst_io_default();
    if (m->place != 0) memset((char *)&io + m->place, 0, sizeof io.open);
    return io;
}

static void explain(const member *m) {
    if (test_errors != 0) printf("... without %s\n", m->name);
}

/* Recording, syncing by hand and by interval, closing, and what a whole host then reads. */
static void missing_while_recording(void) {
    size_t i;
    for (i = 0; i < MEMBERS; i++) {
        const member *m = &members[i];
        sst_io io = without(m);
        sst_options options = {0};
        sst_store *store;
        sst_stream *stream;
        sst_info info;
        wipe("store");
        options.io = &io;
        options.seed = 9;
        options.sync_interval_ms = 1;
        CHECK_INT(sst_create(at("store"), &options, &store), m->create);
        if (m->create != SST_OK) {
            CHECK(store == NULL && !exists(at("store")));
            continue;
        }
        CHECK_INT(sst_store_info(store, &info), SST_OK);
        CHECK(info.kill_safe == m->kill_safe && info.state == SST_RECORDING);
        CHECK((info.created_ns != 0) == (io.now_ns != NULL));
        stream = stream_of(store, "s");
        CHECK_INT(append(stream, 50), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
        CHECK_INT(sst_sync(store), m->sync);
        CHECK_INT(sst_durable_rows(stream), m->sync == SST_OK ? 50 : 0);
        CHECK_INT(append(stream, 50), SST_OK);
        usleep(2000);
        CHECK_INT(sst_poll(store), m->sync);
        CHECK_INT(sst_durable_rows(stream),
                  m->sync != SST_OK ? 0 : io.now_ns == NULL ? 50 : 100);
        CHECK_INT(append(stream, 50), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_in(at("store"), NULL), 150);
        CHECK(exists(at("store-live")) == (io.remove == NULL));
        explain(m);
    }
    wipe("store");
}

/* Reading a finished file, replacing it, aborting. */
static void missing_elsewhere(void) {
    size_t i;
    for (i = 0; i < MEMBERS; i++) {
        const member *m = &members[i];
        sst_io io = without(m);
        sst_options options = {0}, plain = {0};
        sst_store *store;
        wipe("store");
        CHECK_INT(sst_create(at("store"), &plain, &store), SST_OK);
        CHECK_INT(append(stream_of(store, "s"), 2000), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        options.io = &io;
        options.seed = 9;
        CHECK_INT(rows_in(at("store"), &options), m->open == SST_OK ? 2000 : -1);
        CHECK_INT(sst_open(at("store"), &options, &store), m->open);
        if (store != NULL) CHECK_INT(sst_close(store), SST_OK);
        options.flags = SST_REPLACE;
        CHECK_INT(sst_create(at("store"), &options, &store), m->replace);
        if (m->replace == SST_OK) CHECK_INT(sst_abort(store), SST_OK);
        CHECK(exists(at("store")) == (m->replace != SST_OK));
        if (m->replace != SST_OK) CHECK_INT(rows_in(at("store"), NULL), 2000);
        wipe("store");
        if (m->create == SST_OK) {
            CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
            CHECK_INT(sst_abort(store), m->abort);
            CHECK(exists(at("store")) == (m->abort != SST_OK));
        }
        wipe("store");
        file_write(at("store"), "", 0);         /* never written: taken over */
        options.flags = 0;
        CHECK_INT(sst_create(at("store"), &options, &store),
                  m->place == offsetof(sst_io, read_at) ? SST_ERR_EXISTS : m->create);
        if (store != NULL) CHECK_INT(sst_close(store), SST_OK);
        wipe("store");
        file_write(at("store-live"), "somebody's", 10);
        CHECK(sst_create(at("store"), &options, &store) < 0);
        options.flags = SST_REPLACE;
        CHECK_INT(sst_create(at("store"), &options, &store),
                  m->place == offsetof(sst_io, remove) ? SST_ERR_UNSUPPORTED : m->create);
        if (store != NULL) CHECK_INT(sst_close(store), SST_OK);
        explain(m);
    }
    wipe("store");
}

/* Going on after a crash; with a torn end there is also something to cut. */
static void missing_after_crash(void) {
    size_t i;
    int torn;
    for (i = 0; i < 2 * MEMBERS; i++) {
        const member *m = &members[i / 2];
        sst_io io = without(m);
        sst_options options = {0};
        sst_store *store;
        int want = m->reopen;
        torn = i % 2;
        crashed("store", 7);
        if (torn) {
            FILE *f = fopen(at("store"), "ab");
            CHECK(f != NULL && fwrite("SREC torn", 1, 9, f) == 9 && fclose(f) == 0);
            if (m->place == offsetof(sst_io, resize)) want = SST_ERR_UNSUPPORTED;
        }
        options.io = &io;
        options.seed = 9;
        CHECK_INT(sst_open_append(at("store"), &options, &store), want);
        if (store != NULL) {
            sst_info info;
            CHECK_INT(sst_store_info(store, &info), SST_OK);
            CHECK(info.recovered_rows == 7 && info.kill_safe == m->kill_safe);
            CHECK_INT(append(stream_of(store, "s"), 3), SST_OK);
            CHECK_INT(sst_close(store), SST_OK);
            CHECK_INT(rows_in(at("store"), NULL), 110);
        } else {
            CHECK_INT(rows_in(at("store"), NULL), 107);
        }
        explain(m);
    }
    wipe("store");
}

/* A host that cannot read: blocks are written and the file is whole, there are only no queries. */
static void blocks_without_reading(void) {
    sst_io io = *sst_io_default();
    sst_options options = {0};
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    io.read_at = NULL;
    options.io = &io;
    options.block_bytes = 512;
    wipe("store");
    CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
    stream = stream_of(store, "s");
    CHECK_INT(append(stream, 2000), SST_OK);
    CHECK_INT(sst_slice(stream, 0, 1, &view), SST_ERR_UNSUPPORTED);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(rows_in(at("store"), NULL), 2000);
    wipe("store");
}

/* Without a seed the host has to give one. */
static void no_entropy(void) {
    sst_io io = *sst_io_default();
    sst_options options = {0};
    sst_store *store;
    io.entropy = NULL;
    options.io = &io;
    CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_ARG);
    CHECK_INT(sst_create(NULL, &options, &store), SST_ERR_ARG);
    CHECK(!exists(at("store")));
}

/* ---- calls that do something else once ------------------------------------------------------ */

/* The next call of a kind, from `after` on, does `what`. */
typedef enum twist {
    TWIST_NONE, WRITE_NOTHING, WRITE_TOO_MUCH, READ_TOO_MUCH, READ_NOTHING, READ_FAILS, LOCK_FILLS,
    LOCK_FAILS, REMOVE_LATE, REMOVE_FAILS, RESIZE_FAILS, MAP_FAILS
} twist;

static struct {
    twist what;
    int after;
    const char *path;
    void *file;                 /* the last that was opened whose name ends with "-live" */
    bool live_only;             /* reads of others are as they should be */
} twisted;

static bool twist_now(twist what) {
    if (twisted.what != what) return false;
    if (twisted.after-- != 0) return false;
    twisted.what = TWIST_NONE;
    return true;
}

static int twisted_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                         size_t *done) {
    if (twist_now(WRITE_NOTHING)) {
        *done = 0;
        return SST_OK;
    }
    if (twist_now(WRITE_TOO_MUCH)) {
        *done = size + 1;
        return SST_OK;
    }
    return sst_io_default()->write_at(user, file, offset, bytes, size, done);
}

static int twisted_read(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                        size_t *done) {
    int result = sst_io_default()->read_at(user, file, offset, bytes, size, done);
    if (twisted.live_only && file != twisted.file) return result;
    if (twist_now(READ_TOO_MUCH)) *done = size + 1;
    if (twist_now(READ_NOTHING)) *done = 0;
    if (twist_now(READ_FAILS)) {
        *done = 0;
        return SST_ERR_IO;
    }
    return result;
}

static int twisted_open(void *user, const char *path, uint32_t mode, void **file) {
    int result = sst_io_default()->open(user, path, mode, file);
    size_t n = strlen(path);
    if (n > 5 && strcmp(path + n - 5, "-live") == 0) twisted.file = *file;
    return result;
}

static int twisted_map(void *user, void *file, uint64_t offset, size_t size, uint32_t mode,
                       void **base) {
    if (twist_now(MAP_FAILS)) return SST_ERR_UNSUPPORTED;
    return sst_io_default()->map(user, file, offset, size, mode, base);
}

/* Somebody writes the file between our looking at it and our lock. */
static int twisted_lock(void *user, void *file, int how) {
    if (how == SST_IO_LOCK && twist_now(LOCK_FILLS)) {
        char full[64];
        memset(full, 'x', sizeof full);
        file_write(twisted.path, full, sizeof full);
    }
    if (how == SST_IO_LOCK && twist_now(LOCK_FAILS)) return SST_ERR_IO;
    return sst_io_default()->lock(user, file, how);
}

static int twisted_remove(void *user, const char *path) {
    int result;
    if (twist_now(REMOVE_FAILS)) return SST_ERR_IO;
    result = sst_io_default()->remove(user, path);
    return twist_now(REMOVE_LATE) ? SST_ERR_NOT_FOUND : result;
}

static int twisted_resize(void *user, void *file, uint64_t size) {
    if (twist_now(RESIZE_FAILS)) return SST_ERR_IO;
    return sst_io_default()->resize(user, file, size);
}

static sst_io twisted_io(void) {
    sst_io io = *sst_io_default();
    io.open = twisted_open;
    io.map = twisted_map;
    io.write_at = twisted_write;
    io.read_at = twisted_read;
    io.lock = twisted_lock;
    io.remove = twisted_remove;
    io.resize = twisted_resize;
    return io;
}

static void twist_next(twist what, int after) {
    twisted.what = what;
    twisted.after = after;
    twisted.live_only = false;
}

/* A write that transfers nothing means a full disk, one that says too much is broken. The rows
 * stay where they are and are written later. */
static void lying_transfers(void) {
    static const struct { twist what; int result; } table[] = {
        {WRITE_NOTHING, SST_ERR_FULL}, {WRITE_TOO_MUCH, SST_ERR_IO}
    };
    sst_io io = twisted_io();
    sst_options options = {0};
    size_t i;
    options.io = &io;
    for (i = 0; i < 2; i++) {
        sst_store *store;
        sst_stream *stream;
        wipe("store");
        CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
        stream = stream_of(store, "s");
        CHECK_INT(append(stream, 20), SST_OK);
        twist_next(table[i].what, 0);
        CHECK_INT(sst_flush(store), table[i].result);
        CHECK_INT(sst_rows(stream), 20);
        CHECK_INT(sst_flush(store), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_in(at("store"), NULL), 20);
        CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_EXISTS);
        options.flags = SST_REPLACE;
        twist_next(READ_TOO_MUCH, 0);           /* it looks like a file that was cut short ... */
        CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_EXISTS);
        CHECK_INT(rows_in(at("store"), NULL), 20);      /* ... but not under the lock */
        options.flags = 0;
    }
    twist_next(TWIST_NONE, 0);
    wipe("store");
}

/* An empty file that is empty no more, cannot be read or cut, once it is locked. */
static void create_races(void) {
    sst_io io = twisted_io();
    sst_options options = {0};
    sst_store *store;
    size_t size;
    uint8_t *bytes;
    options.io = &io;
    file_write(at("store"), "", 0);
    twisted.path = at("store");
    twist_next(LOCK_FILLS, 0);
    CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_EXISTS);
    bytes = file_read(at("store"), &size);
    CHECK(size == 64 && bytes[0] == 'x');
    free(bytes);
    file_write(at("store"), "", 0);
    twist_next(READ_FAILS, 1);
    CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_IO);
    twist_next(RESIZE_FAILS, 0);
    CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_IO);
    CHECK(store == NULL && exists(at("store")));
    CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    wipe("store");
}

/* What cannot be removed after a failure stays; a companion that cannot be is in the way. */
static void without_removing(void) {
    sst_io io = twisted_io();
    sst_options options = {0};
    sst_store *store;
    sst_info info;
    options.io = &io;
    file_write(at("store-live"), "somebody's", 10);
    options.flags = SST_REPLACE;
    twist_next(REMOVE_FAILS, 0);
    CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_IO);
    CHECK(exists(at("store-live")) && !exists(at("store")));
    wipe("store");
    options.flags = 0;
    io.remove = NULL;
    twist_next(LOCK_FAILS, 0);
    CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_IO);
    CHECK(store == NULL && exists(at("store")));        /* of no bytes: taken over below */
    twist_next(WRITE_NOTHING, 0);
    CHECK_INT(sst_create(at("store"), &options, &store), SST_ERR_FULL);
    CHECK(store == NULL && exists(at("store")));
    twist_next(MAP_FAILS, 0);
    CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK(!info.kill_safe);
    CHECK_INT(append(stream_of(store, "s"), 5), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(rows_in(at("store"), NULL), 5);
    wipe("store");
    (void)unlink(at("store-live-new"));
    crashed("store", 3);                        /* neither a companion nor a way to remove one */
    io.map = NULL;
    CHECK_INT(sst_open_append(at("store"), &options, &store), SST_OK);
    CHECK_INT(append(stream_of(store, "s"), 5), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(rows_in(at("store"), NULL), 108);
    CHECK(exists(at("store-live")));
    wipe("store");
}

/* At the end the companion is gone already, or another file lies there, or it goes this moment. */
static void companion_gone(void) {
    sst_io io = twisted_io();
    sst_options options = {0};
    int how;
    options.io = &io;
    for (how = 0; how < 4; how++) {
        sst_store *store;
        wipe("store");
        CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
        CHECK_INT(append(stream_of(store, "s"), 30), SST_OK);
        if (how == 0) CHECK_INT(unlink(at("store-live")), 0);
        if (how == 1 || how == 2) {
            CHECK_INT(unlink(at("store-live")), 0);
            file_write(at("store-live"), "0123456789012345678901234567890123456789012345678",
                       how == 1 ? 10 : 49);
        }
        if (how == 3) twist_next(REMOVE_LATE, 0);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK(exists(at("store-live")) == (how == 1 || how == 2));
        CHECK_INT(rows_in(at("store"), NULL), 30);
    }
    wipe("store");
}

/* ---- recovery ------------------------------------------------------------------------------- */

/* The file header is damaged: the salt of a record tells which companion is ours. */
static void companion_without_header(void) {
    uint8_t *bytes;
    size_t size;
    crashed("store", 11);
    bytes = file_read(at("store"), &size);
    bytes[17] ^= 0xFF;
    file_write(at("store"), bytes, size);
    CHECK_INT(rows_in(at("store"), NULL), 111);
    free(bytes);
    wipe("store");
}

/* The companion shrinks, or its reads lie, while it is read: rows of it are missing at most. */
static void lying_companion(void) {
    static const twist twists[2] = {READ_NOTHING, READ_TOO_MUCH};
    sst_io io = twisted_io();
    sst_options options = {0};
    int i, n, less = 0;
    options.io = &io;
    crashed("store", 7);
    for (i = 0; i < 2; i++) {
        for (n = 0; n < 40; n++) {
            sst_store *store;
            sst_stream *stream;
            twist_next(twists[i], n);
            twisted.live_only = true;
            REQUIRE(sst_open(at("store"), &options, &store) == SST_OK);
            REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
            CHECK(sst_rows(stream) == 107 || sst_rows(stream) == 100);
            less += sst_rows(stream) == 100;
            CHECK_INT(sst_close(store), SST_OK);
        }
    }
    twist_next(TWIST_NONE, 0);
    CHECK(less > 0);
    CHECK_INT(rows_in(at("store"), &options), 107);
    wipe("store");
}

/* Rows of the companion whose times do not follow on those of the last block are not taken. */
static void companion_out_of_order(void) {
    mend_record block;
    sst_store *store;
    sst_stream *stream;
    uint8_t *bytes;
    size_t size;
    int64_t last;
    for (last = 99; last < 102; last++) {
        crashed("store", 7);
        bytes = file_read(at("store"), &size);
        REQUIRE(mend_find(bytes, size, MEND_BLOCK, 0, 0, &block));
        mend_put(bytes + block.offset + 48, (uint64_t)last, 8);
        mend_header(bytes, &block);
        file_write(at("store"), bytes, size);
        free(bytes);
        CHECK_INT(sst_open(at("store"), NULL, &store), SST_OK);
        CHECK_INT(sst_stream_open(store, "s", &stream), SST_OK);
        CHECK_INT(sst_rows(stream), last == 99 ? 107 : 100);
        CHECK_INT(sst_close(store), SST_OK);
    }
    wipe("store");
}

/* A stream of a kind that this version does not know: its tail is left alone, and so is a file
 * that one would have to write to. */
static void newer_stream_and_companion(void) {
    mend_record first, last = {0};
    sst_store *store;
    sst_stream *stream;
    uint64_t offset = 64;
    uint8_t *bytes;
    size_t size;
    crashed("store", 7);
    bytes = file_read(at("store"), &size);
    REQUIRE(mend_find(bytes, size, MEND_STREAM, 1, 0, &first));
    while (mend_next(bytes, size, &offset, &last)) {}
    memcpy(bytes + last.next, bytes + first.offset, (size_t)(first.next - first.offset));
    last.offset = last.next;
    last.payload = last.offset + 64;
    last.size = first.size;
    last.type = MEND_STREAM;
    mend_put(bytes + last.offset + 12, last.sequence + 1, 4);
    mend_put(bytes + last.offset + 16, 2, 4);
    mend_put(bytes + last.payload + 8 + 4, 0x80000, 4);         /* a flag of its field */
    bytes[last.payload + 8 + 32 + 2] = 'n';                     /* its name */
    mend_payload(bytes, &last);
    file_write(at("store"), bytes, (size_t)(last.offset + first.next - first.offset));
    free(bytes);
    CHECK_INT(rows_in(at("store"), NULL), 107);
    CHECK_INT(sst_open(at("store"), NULL, &store), SST_OK);
    CHECK_INT(sst_stream_count(store), 2);
    CHECK_INT(sst_stream_open(store, "n", &stream), SST_ERR_UNSUPPORTED);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_open_append(at("store"), NULL, &store), SST_ERR_UNSUPPORTED);
    CHECK_INT(rows_in(at("store"), NULL), 107);
    wipe("store");
}

/* After the last sequence number comes 0. */
static void last_sequence(void) {
    mend_record end;
    sst_store *store;
    uint8_t *bytes;
    size_t size;
    int i;
    wipe("store");
    CHECK_INT(sst_create(at("store"), NULL, &store), SST_OK);
    CHECK_INT(append(stream_of(store, "s"), 10), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    bytes = file_read(at("store"), &size);
    REQUIRE(mend_find(bytes, size, MEND_END, 0, 0, &end));
    mend_put(bytes + end.offset + 12, UINT32_MAX, 4);
    mend_header(bytes, &end);
    file_write(at("store"), bytes, size);
    free(bytes);
    for (i = 1; i < 3; i++) {
        CHECK_INT(sst_open_append(at("store"), NULL, &store), SST_OK);
        CHECK_INT(append(stream_of(store, "s"), 10), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_in(at("store"), NULL), 10 + 10 * i);
    }
    wipe("store");
}

/* A blank file with a right header, and nothing behind it. */
static void header_only(void) {
    sst_options options = {0};
    sst_store *store;
    uint8_t *bytes;
    size_t size;
    crashed("store", 0);
    bytes = file_read(at("store"), &size);
    wipe("store");
    file_write(at("store"), bytes, 64);
    free(bytes);
    CHECK_INT(sst_open_append(at("store"), &options, &store), SST_OK);
    CHECK_INT(append(stream_of(store, "s"), 12), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(rows_in(at("store"), NULL), 12);
    wipe("store");
}

/* What is cut off is saved: a whole record of more than one part, with and without syncs. */
static void torn_records(void) {
    sst_io io = *sst_io_default();
    int how;
    for (how = 0; how < 3; how++) {
        sst_options options = {0};
        sst_store *store;
        sst_stream *stream;
        sst_info info;
        mend_record end;
        uint8_t *bytes;
        size_t size, torn;
        wipe("store");
        CHECK_INT(sst_create(at("store"), NULL, &store), SST_OK);
        stream = stream_of(store, "s");
        CHECK_INT(append(stream, 100), SST_OK);
        CHECK_INT(sst_sync(store), SST_OK);
        CHECK_INT(append(stream, 20), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
        {
            char large[10000];
            memset(large, 'm', sizeof large);
            CHECK_INT(sst_set_meta(store, "large", large, sizeof large), SST_OK);
        }
        file_copy(at("store"), at("copy"));
        CHECK_INT(sst_close(store), SST_OK);
        bytes = file_read(at("copy"), &size);
        REQUIRE(mend_find(bytes, size, MEND_BLOCK, 0, 1, &end));
        bytes[end.offset] ^= 1;                 /* the first thing behind the synced point */
        file_write(at("copy"), bytes, size);
        free(bytes);
        options.flags = how == 1 ? SST_NO_SYNC : 0;
        options.io = &io;
        io.sync_dir = how == 2 ? NULL : sst_io_default()->sync_dir;
        CHECK_INT(sst_open_append(at("copy"), &options, &store), SST_OK);
        CHECK_INT(sst_store_info(store, &info), SST_OK);
        CHECK(info.torn_bytes >= 10000);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_in(at("copy"), NULL), 100);
        bytes = file_read(at("copy-torn"), &torn);
        CHECK(torn > 10000 && memcmp(bytes, "SREC", 4) == 0 && bytes[4] == MEND_META);
        CHECK_BYTES(bytes + torn - 4, "mmmm", 4);
        free(bytes);
        wipe("copy");
    }
    wipe("store");
}

/* Before going on, everything is verified if that was asked for. */
static void verified_append(void) {
    sst_options options = {0};
    sst_store *store;
    mend_record block;
    uint8_t *bytes;
    size_t size;
    crashed("store", 0);
    bytes = file_read(at("store"), &size);
    options.flags = SST_VERIFY;
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 0, 0, &block));
    CHECK_INT(sst_open_append(at("store"), &options, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    crashed("store", 0);
    free(bytes);
    bytes = file_read(at("store"), &size);
    bytes[block.payload + 200] ^= 1;
    file_write(at("store"), bytes, size);
    CHECK_INT(sst_open_append(at("store"), &options, &store), SST_ERR_CORRUPT);
    CHECK(store == NULL);
    free(bytes);
    options.flags = 0;                          /* without, the damage is stepped over */
    CHECK_INT(sst_open_append(at("store"), &options, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    wipe("store");
}

/* Rows larger than what is looked at of a tail in one part. */
static void large_rows_in_tail(void) {
    static uint8_t value[70000];
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    size_t i;
    options.flags = SST_REPLACE;
    options.block_bytes = 1 << 20;
    desc.name = "large";
    desc.type = SST_U8;
    desc.shape[0] = sizeof value;
    wipe("store");
    CHECK_INT(sst_create(at("maker"), &options, &store), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (i = 0; i < 3; i++) {
        memset(value, (int)i + 1, sizeof value);
        CHECK_INT(sst_append(stream, (int64_t)i, value), SST_OK);
    }
    file_copy(at("maker"), at("store"));
    file_copy(at("maker-live"), at("store-live"));
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_open(at("store"), NULL, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "large", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), 3);
    CHECK_INT(sst_slice(stream, 2, 1, &view), SST_OK);
    CHECK_BYTES(view.values, value, sizeof value);
    CHECK_INT(sst_close(store), SST_OK);
    wipe("store");
    wipe("maker");
}

/* A live reader of a session that does not sync: finished, but what is durable nobody knows. */
static void unsynced_end(void) {
    sst_options options = {0};
    sst_store *store, *reader;
    sst_info info;
    uint32_t no_sync;
    for (no_sync = 0; no_sync < 2; no_sync++) {
        wipe("store");
        options.flags = no_sync != 0 ? SST_NO_SYNC : 0;
        CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
        CHECK_INT(append(stream_of(store, "s"), 40), SST_OK);
        CHECK_INT(sst_open(at("store"), NULL, &reader), SST_OK);
        CHECK_INT(sst_store_info(reader, &info), SST_OK);
        CHECK_INT(info.state, SST_RECORDING);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(sst_refresh(reader), SST_OK);
        CHECK_INT(sst_store_info(reader, &info), SST_OK);
        CHECK_INT(info.state, SST_FINISHED);
        CHECK((info.synced_bytes == 0) == (no_sync != 0));
        CHECK_INT(sst_close(reader), SST_OK);
    }
    wipe("store");
}

/* A file read by hopping does not say whether a timeline is sorted: it is looked at, unless there
 * is nothing to look at; with a damaged column it counts as unsorted. */
static void timelines_after_crash(void) {
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *empty, *good, *bad;
    sst_row row = {0};
    mend_record block;
    uint8_t *bytes;
    size_t size;
    int64_t t;
    uint64_t found;
    wipe("store");
    wipe("maker");
    CHECK_INT(sst_create(at("maker"), NULL, &store), SST_OK);
    desc.type = SST_I64;
    desc.timelines[0] = "clock";
    desc.name = "empty";
    CHECK_INT(sst_stream_create(store, &desc, &empty), SST_OK);
    desc.name = "good";
    CHECK_INT(sst_stream_create(store, &desc, &good), SST_OK);
    desc.name = "bad";
    CHECK_INT(sst_stream_create(store, &desc, &bad), SST_OK);
    for (t = 0; t < 20; t++) {
        row.time = t;
        row.timelines = &t;
        row.value = &t;
        CHECK_INT(sst_append_row(good, &row), SST_OK);
        CHECK_INT(sst_append_row(bad, &row), SST_OK);
    }
    CHECK_INT(sst_sync(store), SST_OK);
    file_copy(at("maker"), at("store"));
    CHECK_INT(sst_close(store), SST_OK);
    bytes = file_read(at("store"), &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 3, 0, &block));
    {
        mend_column column;
        REQUIRE(mend_column_at(bytes, &block, 1, &column) && column.kind == MEND_TIMELINE);
        bytes[column.start] ^= 1;
    }
    file_write(at("store"), bytes, size);
    free(bytes);
    CHECK_INT(sst_open_append(at("store"), NULL, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "good", &good), SST_OK);
    CHECK_INT(sst_stream_open(store, "bad", &bad), SST_OK);
    CHECK_INT(sst_stream_open(store, "empty", &empty), SST_OK);
    CHECK_INT(sst_locate_on(good, 0, 7, SST_EXACT, &found), SST_OK);
    CHECK_INT(found, 7);
    CHECK_INT(sst_locate_on(bad, 0, 7, SST_EXACT, &found), SST_ERR_ORDER);
    CHECK_INT(sst_locate_on(empty, 0, 7, SST_EXACT, &found), SST_ERR_NOT_FOUND);
    CHECK_INT(sst_close(store), SST_OK);
    wipe("store");
    wipe("maker");
}

/* A live reader looks at the end of a sorted timeline again: a read that fails there is told. */
static void timeline_unreadable(void) {
    sst_io io = twisted_io();
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    sst_row row = {0};
    int64_t t;
    uint64_t found;
    int n, failed = 0;
    wipe("store");
    wipe("maker");
    CHECK_INT(sst_create(at("maker"), NULL, &store), SST_OK);
    desc.name = "s";
    desc.type = SST_I64;
    desc.timelines[0] = "clock";
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < 30; t++) {
        row.time = t;
        row.timelines = row.value = &t;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
        if (t == 19) CHECK_INT(sst_sync(store), SST_OK);
    }
    file_copy(at("maker"), at("store"));
    file_copy(at("maker-live"), at("store-live"));
    CHECK_INT(sst_close(store), SST_OK);
    options.io = &io;
    options.flags = SST_NO_MAP;
    REQUIRE(sst_open(at("store"), &options, &store) == SST_OK);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    CHECK_INT(sst_rows(stream), 30);
    CHECK_INT(sst_locate_on(stream, 0, 25, SST_EXACT, &found), SST_OK);
    CHECK_INT(found, 25);
    for (n = 0; n < 5; n++) {
        int result;
        CHECK_INT(sst_slice(stream, 5, 1, &view), SST_OK);      /* something else in the cache */
        twist_next(READ_FAILS, n);
        result = sst_locate_on(stream, 0, 26, SST_EXACT, &found);
        CHECK(result == SST_ERR_IO || (result == SST_OK && found == 26));
        failed += result != SST_OK;
        twist_next(TWIST_NONE, 0);
        CHECK_INT(sst_locate_on(stream, 0, 27, SST_EXACT, &found), SST_OK);
        CHECK_INT(found, 27);
    }
    CHECK(failed > 0);
    CHECK_INT(sst_close(store), SST_OK);
    wipe("store");
    wipe("maker");
}

/* A read that ends too soon, or a header that is not one any more, is damage; the next may be
 * right again. */
static void reads_that_end(void) {
    sst_io io = twisted_io();
    sst_options options = {0};
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    FILE *f;
    int n, failed = 0;
    crashed("store", 0);
    options.io = &io;
    options.flags = SST_NO_MAP;
    for (n = 0; n < 6; n++) {
        int result;
        REQUIRE(sst_open(at("store"), &options, &store) == SST_OK);
        REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
        twist_next(READ_NOTHING, n);
        result = sst_slice(stream, 50, 1, &view);
        CHECK(result == SST_ERR_CORRUPT || result == SST_OK);
        failed += result != SST_OK;
        twist_next(TWIST_NONE, 0);
        CHECK_INT(sst_slice(stream, 50, 1, &view), SST_OK);
        CHECK_INT(((const int64_t *)view.values)[0], 150);
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK(failed > 2);
    wipe("store");
    CHECK_INT(sst_create(at("store"), NULL, &store), SST_OK);
    stream = stream_of(store, "s");
    CHECK_INT(append(stream, 10), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    f = fopen(at("store"), "r+b");
    REQUIRE(f != NULL);
    CHECK(fseek(f, (long)ssti_list_at(stream->series->list, 0)->offset, SEEK_SET) == 0);
    CHECK(fputc('X', f) == 'X' && fclose(f) == 0);
    CHECK_INT(sst_slice(stream, 0, 10, &view), SST_ERR_CORRUPT);
    CHECK_INT(sst_abort(store), SST_OK);
}

/* ---- memory that runs out beside files ------------------------------------------------------ */

/* Recovery with the nth allocation failing: the file is as good as before. */
static void recovery_out_of_memory(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_options options = {0};
    sst_store *store;
    uint64_t n, failed = 0;
    options.allocator = &a;
    for (n = 1; n < 100; n++) {
        FILE *f;
        int result;
        crashed("store", 7);
        f = fopen(at("store"), "ab");
        CHECK(f != NULL && fwrite("SREC torn", 1, 9, f) == 9 && fclose(f) == 0);
        m.calls = 0;
        m.fail_at = n;
        result = sst_open_append(at("store"), &options, &store);
        m.fail_at = 0;
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        failed += result != SST_OK;
        if (store != NULL) CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_in(at("store"), NULL), 107);
        if (m.calls < n) break;
    }
    CHECK(failed > 8 && n < 100);
    wipe("store");
}

/* Many tails are sealed in one call, in several writes; with an allocation failing between. */
static void many_tails(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_options options = {0};
    uint64_t n, failed = 0;
    options.allocator = &a;
    options.flags = SST_REPLACE;
    for (n = 0; n < 20; n++) {
        sst_store *store;
        sst_stream *streams[24];
        int i, result;
        CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
        for (i = 0; i < 24; i++) {
            char name[8];
            snprintf(name, sizeof name, "s%d", i);
            streams[i] = stream_of(store, i == 0 ? "s" : name);
            CHECK_INT(append(streams[i], 1000), SST_OK);
        }
        m.calls = 0;
        m.fail_at = n;
        result = sst_flush(store);
        m.fail_at = 0;
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        failed += result != SST_OK;
        CHECK_INT(sst_flush(store), SST_OK);
        for (i = 0; i < 24; i++) CHECK_INT(sst_rows(streams[i]), 1000);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_in(at("store"), NULL), 1000);
        if (n != 0 && m.calls < n) break;
    }
    CHECK(failed > 0);
    wipe("store");
}

/* ---- forked children, and states that should not be ----------------------------------------- */

static void durable_in_child(void) {
    sst_store *store;
    sst_stream *stream;
    uint32_t *guard = sstp_guard_make();
    pid_t child;
    int status = -1;
    if (guard == NULL) SKIP("the host does not wipe pages on fork");
    sstp_guard_free(guard);
    wipe("store");
    CHECK_INT(sst_create(at("store"), NULL, &store), SST_OK);
    stream = stream_of(store, "s");
    CHECK_INT(append(stream, 10), SST_OK);
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(sst_durable_rows(stream), 10);
    fflush(stdout);
    child = fork();
    if (child == 0) _exit(sst_durable_rows(stream) == 0 ? 0 : 1);
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(sst_durable_rows(stream), 10);
    CHECK_INT(status, 0);
    CHECK_INT(sst_close(store), SST_OK);
    wipe("store");
}

/* Halves that claim rows far behind the blocks: they are not sealed, the companion with the only
 * copy of them is not deleted, and no half with rows is written over. */
static void rows_that_do_not_follow(void) {
    sst_store *store;
    sst_stream *stream;
    ssti_series *s;
    ssti_half *full;
    int64_t t = 0;
    wipe("store");
    CHECK_INT(sst_create(at("store"), NULL, &store), SST_OK);
    stream = stream_of(store, "s");
    s = stream->series;
    CHECK_INT(sst_append_i64(stream, t++, 0), SST_OK);
    while (s->half == 0 && t < 1000000) CHECK_INT(sst_append_i64(stream, t++, 0), SST_OK);
    full = &s->halves[0];                       /* full, and not yet sealed */
    REQUIRE(s->half == 1 && ssti_list_end(s->list, s->list->count) == 0);
    full->first_row += 1000;
    while (t < 1000000 && sst_append_i64(stream, t, 0) == SST_OK) t++;
    CHECK_INT(sst_append_i64(stream, t, 0), SST_ERR_BUSY);
    full->first_row -= 1000;
    CHECK_INT(sst_append_i64(stream, t, 0), SST_OK);
    CHECK_INT(sst_rows(stream), t + 1);
    CHECK_INT(sst_flush(store), SST_OK);
    s->halves[s->half].first_row += 5;
    CHECK_INT(sst_close(store), SST_ERR_CORRUPT);
    CHECK(exists(at("store-live")));
    wipe("store");
}

static uint64_t reserve_asked;

static int note_reserve(void *user, void *file, uint64_t size) {
    (void)user;
    (void)file;
    reserve_asked = size;
    return SST_OK;
}

/* Inside: what a sync that is over notes, and what is asked for ahead. */
static void sync_inside(void) {
    sst_store *store;
    uint64_t synced;
    wipe("store");
    CHECK_INT(sst_create(at("store"), NULL, &store), SST_OK);
    CHECK_INT(append(stream_of(store, "s"), 10), SST_OK);
    CHECK_INT(sst_sync(store), SST_OK);
    synced = store->synced;
    CHECK(synced > 64);
    CHECK_INT(ssti_sync_done(store, 64), SST_OK);       /* an older one, that took longer */
    CHECK(store->synced == synced);
    store->sticky = SST_ERR_IO;
    CHECK_INT(ssti_sync_done(store, store->end), SST_ERR_IO);
    CHECK(store->synced == synced);
    store->sticky = SST_OK;
    store->io.sync = NULL;
    CHECK_INT(ssti_sync_file(store), SST_ERR_UNSUPPORTED);
    store->io.sync = sst_io_default()->sync;
    store->io.reserve = note_reserve;
    ssti_file_reserve(store, 1 << 20);          /* as much again, and 64 MiB at most */
    CHECK_INT(reserve_asked, 2 << 20);
    ssti_file_reserve(store, 1 << 30);
    CHECK_INT(reserve_asked, (1 << 30) + (64 << 20));
    store->reserved = 0;
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(rows_in(at("store"), NULL), 10);
    wipe("store");
}

/* ---- a companion of several mappings -------------------------------------------------------- */

static void large_companion(void) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream, *second;
    uint8_t *value = (uint8_t *)calloc(1, 17 << 20);
    if (value == NULL) exit(1);
    options.block_bytes = 72 << 20;
    options.flags = SST_REPLACE | SST_NO_SYNC;
    desc.name = "large";
    desc.type = SST_U8;
    desc.shape[0] = 17 << 20;
    CHECK_INT(sst_create(at("store"), &options, &store), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    value[5] = 7;
    if (sst_append(stream, 1, value) == SST_OK) {
        CHECK(store->part_count == 2 && store->parts[1].capacity > (64 << 20));
        second = stream_of(store, "s");         /* its slot is in the first mapping */
        CHECK_INT(append(second, 10), SST_OK);
        CHECK_INT(sst_rows(second), 10);
    } else {
        CHECK(store->part_count >= 1);          /* the disk is too small for this */
    }
    CHECK_INT(sst_abort(store), SST_OK);
    CHECK(!exists(at("store")) && !exists(at("store-live")));
    free(value);
}

int main(void) {
    if (!make_folder("test_branches_io")) return 1;
    TEST_RUN(missing_while_recording);
    TEST_RUN(missing_elsewhere);
    TEST_RUN(missing_after_crash);
    TEST_RUN(blocks_without_reading);
    TEST_RUN(no_entropy);
    TEST_RUN(lying_transfers);
    TEST_RUN(create_races);
    TEST_RUN(without_removing);
    TEST_RUN(companion_gone);
    TEST_RUN(companion_without_header);
    TEST_RUN(lying_companion);
    TEST_RUN(companion_out_of_order);
    TEST_RUN(newer_stream_and_companion);
    TEST_RUN(header_only);
    TEST_RUN(last_sequence);
    TEST_RUN(torn_records);
    TEST_RUN(verified_append);
    TEST_RUN(large_rows_in_tail);
    TEST_RUN(unsynced_end);
    TEST_RUN(timelines_after_crash);
    TEST_RUN(timeline_unreadable);
    TEST_RUN(reads_that_end);
    TEST_RUN(recovery_out_of_memory);
    TEST_RUN(many_tails);
    TEST_RUN(durable_in_child);
    TEST_RUN(rows_that_do_not_follow);
    TEST_RUN(sync_inside);
    TEST_RUN(large_companion);
    remove_folder();
    return test_done("test_branches_io");
}
