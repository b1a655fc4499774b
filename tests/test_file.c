/* test_file.c - stores in files: sessions, crashes, recovery, syncing, faults, live readers. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "meter.h"
#include "mend.h"

/* ---- files -------------------------------------------------------------------------------- */

static char folder[300];

/* A path that stays. */
static const char *keep(const char *path) {
    static char *paths[300];
    int i;
    for (i = 0; i < 299 && paths[i] != NULL; i++) {
        if (strcmp(paths[i], path) == 0) return paths[i];
    }
    if (paths[i] == NULL) paths[i] = strdup(path);
    if (paths[i] == NULL || i == 299) exit(1);
    return paths[i];
}

static const char *beside(const char *path, const char *suffix) {
    char out[700];
    snprintf(out, sizeof out, "%s%s", path, suffix);
    return keep(out);
}

/* A path in the folder of this run. */
static const char *at(const char *name) {
    return beside(beside(folder, "/"), name);
}

static bool exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

static uint64_t file_size(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : UINT64_MAX;
}

/* The file and what may lie beside it. */
static void wipe(const char *path) {
    (void)unlink(path);
    (void)unlink(beside(path, "-live"));
    (void)unlink(beside(path, "-torn"));
}

static void empty_folder(const char *path) {
    DIR *d = opendir(path);
    struct dirent *e;
    char name[700];
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) != 0) (void)rmdir(name);
    }
    if (d != NULL) closedir(d);
}

static uint8_t *get_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;
    *size = 0;
    if (f == NULL) {
        test_fail(__FILE__, __LINE__, "a file is not there");
        return (uint8_t *)calloc(1, 256);
    }
    bytes = (uint8_t *)malloc((size_t)file_size(path) + 1);
    if (bytes == NULL) exit(1);
    *size = fread(bytes, 1, (size_t)file_size(path), f);
    fclose(f);
    return bytes;
}

static void put_file(const char *path, const void *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, size, f) != size) {
        test_fail(__FILE__, __LINE__, "a file cannot be written");
    }
    if (f != NULL) fclose(f);
}

/* What a crash would leave of the store: the file's bytes as they are now. */
static void copy_file(const char *from, const char *to) {
    size_t size;
    uint8_t *bytes = get_file(from, &size);
    wipe(to);
    put_file(to, bytes, size);
    free(bytes);
}

/* ---- an sst_io that counts, and fails when told ------------------------------------------- */

enum { ON_OPEN, ON_CLOSE, ON_WRITE, ON_READ, ON_SIZE, ON_RESIZE, ON_SYNC, ON_RESERVE, ON_MAP,
       ON_LOCK, ON_REMOVE, ON_RENAME, ON_SYNC_DIR, ON_ENTROPY, ONS };

static struct watch {
    uint64_t calls[ONS];
    uint64_t read_bytes;
    int fail_on;                /* -1: nothing */
    uint64_t fail_at;           /* the nth call from now, from 1 */
    bool stays;                 /* and all later ones */
    int result;                 /* SST_OK: a transfer of one byte; if it stays, of up to 40 */
    bool failed;
    int files, maps;            /* open now */
    bool clock_set;
    int64_t clock;
    bool real_sync;
} watch;

static void watch_none(void) {
    watch.fail_on = -1;
    watch.failed = false;
}

static void watch_fail(int on, uint64_t nth, bool stays, int result) {
    watch.fail_on = on;
    watch.fail_at = nth;
    watch.stays = stays;
    watch.result = result;
    watch.failed = false;
}

/* Is this the call that fails? */
static bool watched(int on) {
    watch.calls[on]++;
    if (watch.fail_on != on) return false;
    if (watch.fail_at > 1) {
        watch.fail_at--;
        return false;
    }
    if (watch.failed && !watch.stays) return false;
    watch.failed = true;
    return true;
}

static int watch_open(void *user, const char *path, uint32_t mode, void **file) {
    int result;
    *file = NULL;
    if (watched(ON_OPEN)) return watch.result;
    result = sst_io_default()->open(user, path, mode, file);
    if (result == SST_OK) watch.files++;
    return result;
}

static int watch_close(void *user, void *file) {
    int result = sst_io_default()->close(user, file);
    watch.files--;
    return watched(ON_CLOSE) ? watch.result : result;
}

static int watch_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                       size_t *done) {
    *done = 0;
    if (watched(ON_WRITE)) {
        if (watch.result != SST_OK) {               /* not before a part of it was written */
            (void)sst_io_default()->write_at(user, file, offset, bytes, size - size / 4, done);
            *done = 0;
            return watch.result;
        }
        if (size > 0) size = watch.stays && size > 40 ? 40 : 1;
    }
    return sst_io_default()->write_at(user, file, offset, bytes, size, done);
}

static int watch_read(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                      size_t *done) {
    int result;
    *done = 0;
    if (watched(ON_READ)) {
        if (watch.result != SST_OK) return watch.result;
        if (size > 0) size = watch.stays && size > 40 ? 40 : 1;
    }
    result = sst_io_default()->read_at(user, file, offset, bytes, size, done);
    watch.read_bytes += *done;
    return result;
}

static int watch_size(void *user, void *file, uint64_t *size) {
    *size = 0;
    return watched(ON_SIZE) ? watch.result : sst_io_default()->size(user, file, size);
}

static int watch_resize(void *user, void *file, uint64_t size) {
    return watched(ON_RESIZE) ? watch.result : sst_io_default()->resize(user, file, size);
}

static int watch_sync(void *user, void *file) {
    if (watched(ON_SYNC)) return watch.result;
    return watch.real_sync ? sst_io_default()->sync(user, file) : SST_OK;
}

static int watch_reserve(void *user, void *file, uint64_t size) {
    return watched(ON_RESERVE) ? watch.result : sst_io_default()->reserve(user, file, size);
}

static int watch_map(void *user, void *file, uint64_t offset, size_t size, uint32_t mode,
                     void **base) {
    int result;
    *base = NULL;
    if (watched(ON_MAP)) return watch.result;
    result = sst_io_default()->map(user, file, offset, size, mode, base);
    if (result == SST_OK) watch.maps++;
    return result;
}

static int watch_unmap(void *user, void *file, void *base, size_t size) {
    watch.maps--;
    return sst_io_default()->unmap(user, file, base, size);
}

static int watch_lock(void *user, void *file, int how) {
    return watched(ON_LOCK) ? watch.result : sst_io_default()->lock(user, file, how);
}

static int watch_remove(void *user, const char *path) {
    return watched(ON_REMOVE) ? watch.result : sst_io_default()->remove(user, path);
}

static int watch_rename(void *user, const char *from, const char *to) {
    return watched(ON_RENAME) ? watch.result : sst_io_default()->rename(user, from, to);
}

static int watch_sync_dir(void *user, const char *path) {
    if (watched(ON_SYNC_DIR)) return watch.result;
    return watch.real_sync ? sst_io_default()->sync_dir(user, path) : SST_OK;
}

static int64_t watch_now(void *user, int clock) {
    return watch.clock_set ? watch.clock : sst_io_default()->now_ns(user, clock);
}

static int watch_entropy(void *user, void *bytes, size_t size) {
    return watched(ON_ENTROPY) ? watch.result : sst_io_default()->entropy(user, bytes, size);
}

static sst_io watch_io = {
    NULL,         watch_open,  watch_close, watch_write,  watch_read,   watch_size,
    watch_resize, watch_sync,  watch_reserve, watch_map,  watch_unmap,  watch_lock,
    watch_remove, watch_rename, watch_sync_dir, watch_now, watch_entropy
};

static meter memory;
static const sst_allocator counting = {&memory, meter_resize};

static sst_options options_of(uint32_t flags) {
    sst_options options;
    memset(&options, 0, sizeof options);
    options.io = &watch_io;
    options.allocator = &counting;
    options.block_bytes = 512;
    options.flags = flags;
    return options;
}

/* Nothing may be left open. */
static void check_leaks(void) {
    CHECK_INT(watch.files, 0);
    CHECK_INT(watch.maps, 0);
    CHECK_INT(memory.now, 0);
    watch.files = watch.maps = 0;
    memory.now = 0;
}

static int create(const char *path, uint32_t flags, sst_store **store) {
    sst_options options = options_of(flags);
    return sst_create(path, &options, store);
}

static int reopen(const char *path, uint32_t flags, sst_store **store) {
    sst_options options = options_of(flags);
    return sst_open_append(path, &options, store);
}

static int look(const char *path, uint32_t flags, sst_store **store) {
    sst_options options = options_of(flags);
    return sst_open(path, &options, store);
}

static sst_info info_of(sst_store *store) {
    sst_info info;
    memset(&info, 0, sizeof info);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    return info;
}

/* ---- streams whose rows can be told again ------------------------------------------------- */

#define KINDS 5
#define ROW_MAX 4000

typedef struct kind {
    const char *name;
    sst_type type;
    uint32_t shape[4];
    uint32_t block_bytes;
    bool timeline;
    size_t row_bytes;
} kind;

static const kind kinds[KINDS] = {
    {"small", SST_I64, {0}, 0, false, 8},
    {"vector", SST_F32, {3}, 1024, true, 12},
    {"large", SST_U8, {700}, 0, false, 700},
    {"image", SST_U16, {40, 50}, 2000, true, 4000},
    {"slow", SST_F64, {0}, 4096, false, 8},
};

static int64_t time_of(int k, uint64_t row) { return 10 * (int64_t)row + k; }

static void value_of(int k, uint64_t row, uint8_t *value) {
    uint64_t state = row * 1000 + (uint64_t)k, word;
    size_t i;
    for (i = 0; i < kinds[k].row_bytes; i += 8) {
        word = test_random(&state);
        memcpy(value + i, &word, kinds[k].row_bytes - i < 8 ? kinds[k].row_bytes - i : 8);
    }
}

static int open_kind(sst_store *store, int k, uint32_t flags, sst_stream **stream) {
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = kinds[k].name;
    desc.type = kinds[k].type;
    memcpy(desc.shape, kinds[k].shape, sizeof desc.shape);
    desc.block_bytes = kinds[k].block_bytes;
    if (kinds[k].timeline) desc.timelines[0] = "capture";
    desc.flags = flags;
    return sst_stream_create(store, &desc, stream);
}

static sst_stream *make_kind(sst_store *store, int k) {
    sst_stream *stream = NULL;
    CHECK_INT(open_kind(store, k, SST_OPEN_EXISTING, &stream), SST_OK);
    return stream;
}

static int append_kind(sst_stream *stream, int k, uint64_t row) {
    uint8_t value[ROW_MAX];
    int64_t line = 10 * (int64_t)row + 3;
    sst_row r;
    value_of(k, row, value);
    if (!kinds[k].timeline && row % 3 != 0) return sst_append(stream, time_of(k, row), value);
    memset(&r, 0, sizeof r);
    r.time = time_of(k, row);
    r.timelines = kinds[k].timeline ? &line : NULL;
    r.value = value;
    return sst_append_row(stream, &r);
}

/* Appends rows behind the last. */
static void more(sst_stream *stream, int k, uint64_t rows) {
    while (rows-- > 0) {
        if (append_kind(stream, k, sst_rows(stream)) == SST_OK) continue;
        test_fail(__FILE__, __LINE__, "a row cannot be appended");
        return;
    }
}

/* Every row of the stream is as it was appended. Returns how many; a stream that is not there has
 * none. */
static uint64_t rows_right(sst_store *store, int k) {
    sst_stream *stream = NULL;
    uint64_t rows, row, i, found;
    uint8_t value[ROW_MAX];
    sst_view view;
    int result = sst_stream_open(store, kinds[k].name, &stream), errors = test_errors;
    if (result == SST_ERR_NOT_FOUND) return 0;
    CHECK_INT(result, SST_OK);
    rows = sst_rows(stream);
    for (row = 0; row < rows && test_errors == errors; row += view.count) {
        CHECK_INT(sst_slice(stream, row, 97, &view), SST_OK);
        CHECK(view.count == (rows - row < 97 ? rows - row : 97));
        if (view.count == 0) break;
        for (i = 0; i < view.count && test_errors == errors; i++) {
            value_of(k, row + i, value);
            CHECK_INT(view.times[i], time_of(k, row + i));
            CHECK_BYTES((const uint8_t *)view.values + i * kinds[k].row_bytes, value,
                        kinds[k].row_bytes);
            if (kinds[k].timeline) CHECK_INT(view.timelines[0][i], time_of(k, row + i) - k + 3);
        }
    }
    for (i = 0; i < 5 && rows > 0 && test_errors == errors; i++) {
        row = (rows - 1) * i / 4;
        CHECK_INT(sst_locate(stream, time_of(k, row) + 4, SST_AT_OR_BEFORE, &found), SST_OK);
        CHECK_INT(found, row);
        if (!kinds[k].timeline) continue;
        CHECK_INT(sst_locate_on(stream, 0, 10 * (int64_t)row + 3, SST_EXACT, &found), SST_OK);
        CHECK_INT(found, row);
    }
    sst_stream_close(stream);
    return rows;
}

/* Opens the file for reading; every stream has exactly so many rows. NULL: just right ones. */
static void check_file(const char *path, uint32_t flags, const uint64_t *rows, int state) {
    sst_store *store;
    int k;
    CHECK_INT(look(path, flags, &store), SST_OK);
    if (store == NULL) return;
    for (k = 0; k < KINDS; k++) {
        uint64_t got = rows_right(store, k);
        if (rows != NULL) CHECK_INT(got, rows[k]);
    }
    if (state >= 0) CHECK_INT(info_of(store).state, state);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The same in all ways there are to read it: by its index and, END cut off, by hopping. */
static void check_closed(const char *path, const uint64_t *rows) {
    const char *hopped = at("hopped.sst");
    sst_store *store;
    sst_report report;
    size_t size;
    uint8_t *bytes = get_file(path, &size);
    CHECK(size % 64 == 0 && size > 128);
    check_file(path, 0, rows, SST_FINISHED);
    check_file(path, SST_NO_MAP, rows, SST_FINISHED);
    check_file(path, SST_VERIFY, rows, SST_FINISHED);
    put_file(hopped, bytes, size >= 64 ? size - 64 : 0);
    check_file(hopped, 0, rows, SST_CRASHED);
    check_file(hopped, SST_NO_MAP | SST_VERIFY, rows, SST_CRASHED);
    memset(&report, 0, sizeof report);
    CHECK_INT(look(path, 0, &store), SST_OK);
    CHECK_INT(sst_verify(store, &report), SST_OK);
    CHECK_INT(report.damage_count, 0);
    CHECK_INT(report.torn_bytes, 0);
    CHECK_INT(sst_close(store), SST_OK);
    wipe(hopped);
    free(bytes);
}

/* A file with some rows of every kind. */
static void make_file(const char *path, uint64_t rows) {
    sst_store *store;
    int k;
    wipe(path);
    CHECK_INT(create(path, 0, &store), SST_OK);
    for (k = 0; k < KINDS && store != NULL; k++) more(make_kind(store, k), k, rows);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Sequence numbers and the chain of INDEX records, read by the format alone. */
static void check_chain(const char *path, uint32_t sessions) {
    size_t size;
    uint8_t *bytes = get_file(path, &size);
    uint64_t offset = 64, index = 0, chain;
    uint32_t begun = 0, salt = mend_u32(bytes + 12), before = UINT32_MAX, ends = 0;
    mend_record r;
    while (mend_next(bytes, size, &offset, &r)) {
        uint32_t step = r.sequence - before;
        bool session = r.type == MEND_SYNC && mend_u64(bytes + r.offset + 40) != 0;
        CHECK_INT(mend_u32(bytes + r.offset + 8), salt);
        if (session) begun++;
        if (r.type == MEND_SYNC && step != 1) CHECK(r.rows == before && step - 1 < 0x1000000u);
        else CHECK_INT(step, 1);
        before = r.sequence;
        if (r.type == MEND_INDEX) {
            chain = mend_u64(bytes + r.payload + 64);
            CHECK(chain == index || chain == 0);
            CHECK(chain < r.offset);
            index = r.offset;
        }
        if (r.type == MEND_END) {
            CHECK_INT(r.first_row, index);
            ends++;
        }
        if (r.type == MEND_SYNC) CHECK(r.first_row <= r.offset);
    }
    CHECK_INT(offset, size);
    CHECK_INT(begun, sessions);
    CHECK(ends >= 1);
    free(bytes);
}

/* ---- making, closing, opening ------------------------------------------------------------- */

static void meta_is(sst_store *store, const char *key, const char *want) {
    const void *value = NULL;
    size_t size = 0;
    int result = sst_get_meta(store, key, &value, &size);
    CHECK_INT(result, want == NULL ? SST_ERR_NOT_FOUND : SST_OK);
    if (want != NULL && result == SST_OK) CHECK_TEXT((const char *)value, want);
}

static void create_and_read(void) {
    const char *path = at("first.sst");
    uint64_t rows[KINDS] = {1000, 300, 5, 4, 0}, row;
    sst_store *store;
    sst_stream *stream[KINDS], *other;
    const void *bytes;
    size_t size;
    sst_info info;
    sst_view view;
    uint32_t flags[3] = {0, SST_NO_MAP, SST_TRUST}, f;
    int k;
    CHECK_INT(create(path, 0, &store), SST_OK);
    REQUIRE(store != NULL);
    info = info_of(store);
    CHECK_INT(info.state, SST_RECORDING);
    CHECK_INT(info.streams, 0);
    CHECK_INT(info.sticky, SST_OK);
    CHECK_INT(info.synced_bytes, 0);
    CHECK(info.created_ns != 0);
    for (k = 0; k < KINDS; k++) stream[k] = make_kind(store, k);
    CHECK_INT(open_kind(store, 0, 0, &other), SST_ERR_EXISTS);
    CHECK_INT(sst_set_meta(store, "site", "roof", 4), SST_OK);
    CHECK_INT(sst_set_meta(store, "gone", "x", 1), SST_OK);
    CHECK_INT(sst_stream_set_meta(stream[1], "unit", "m", 1), SST_OK);
    for (row = 0; row < 1000; row++) {
        for (k = 0; k < KINDS; k++) {
            if (row < rows[k]) CHECK_INT(append_kind(stream[k], k, row), SST_OK);
        }
        if (row == 500) CHECK_INT(sst_remove_meta(store, "gone"), SST_OK);
        if (row == 700) CHECK_INT(sst_flush(store), SST_OK);
    }
    for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(store, k), rows[k]);
    CHECK_INT(sst_image(store, &bytes, &size), SST_ERR_UNSUPPORTED);
    CHECK_INT(sst_refresh(store), SST_OK);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_stream_finish(stream[2]), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    check_leaks();
    check_closed(path, rows);
    check_chain(path, 1);
    CHECK(!exists(beside(path, "-live")) && !exists(beside(path, "-torn")));
    for (f = 0; f < 3; f++) {
        CHECK_INT(look(path, flags[f], &store), SST_OK);
        meta_is(store, "site", "roof");
        meta_is(store, "gone", NULL);
        CHECK_INT(info_of(store).file_bytes, file_size(path));
        CHECK_INT(info_of(store).synced_bytes, file_size(path) - 64);
        CHECK(memcmp(info_of(store).uuid, info.uuid, 16) == 0);
        CHECK_INT(info_of(store).created_ns, info.created_ns);
        CHECK(!info_of(store).tail_missing);
        CHECK_INT(sst_stream_open(store, "small", &other), SST_OK);
        CHECK_INT(sst_durable_rows(other), 1000);
        CHECK_INT(sst_append_i64(other, 1 << 20, 1), SST_ERR_READ_ONLY);
        CHECK_INT(sst_slice(other, 3, 1, &view), SST_OK);
        CHECK(view.stable == (flags[f] != SST_NO_MAP));
        CHECK_INT(sst_sync(store), SST_ERR_READ_ONLY);
        CHECK_INT(sst_flush(store), SST_ERR_READ_ONLY);
        CHECK_INT(sst_poll(store), SST_ERR_READ_ONLY);
        CHECK_INT(sst_set_meta(store, "a", "b", 1), SST_ERR_READ_ONLY);
        CHECK_INT(sst_abort(store), SST_ERR_STATE);
        CHECK_INT(sst_refresh(store), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK_INT(reopen(path, 0, &store), SST_OK);
    CHECK_INT(sst_abort(store), SST_ERR_STATE);
    CHECK_INT(sst_stream_open(store, "large", &other), SST_OK);
    CHECK_INT(append_kind(other, 2, 5), SST_ERR_FINISHED);
    CHECK_INT(sst_close(store), SST_OK);
    check_closed(path, rows);
    CHECK_INT(sst_open(path, NULL, &store), SST_OK);        /* with io and memory of the system */
    CHECK_INT(rows_right(store, 0), 1000);
    CHECK_INT(sst_close(store), SST_OK);
    wipe(path);
    CHECK_INT(create(path, 0, &store), SST_OK);
    more(make_kind(store, 0), 0, 100);
    CHECK_INT(sst_abort(store), SST_OK);
    CHECK(!exists(path) && !exists(beside(path, "-live")));
    check_leaks();
}

/* Many sessions, some ended by a crash: the rows join. */
static void sessions(void) {
    const char *path = at("sessions.sst"), *crash = at("crash.sst");
    uint64_t random = test_seed(7), rows[KINDS] = {0}, round, n, session;
    uint64_t rounds = test_rounds(4, 60);
    for (round = 0; round < rounds && test_errors == 0; round++) {
        uint32_t begun = 0;
        memset(rows, 0, sizeof rows);
        wipe(path);
        for (session = 0; session < 12 && test_errors == 0; session++) {
            sst_store *store;
            sst_stream *stream[KINDS], *existing;
            char text[16];
            uint64_t how = test_below(&random, 4), live[KINDS];
            uint32_t flags = test_below(&random, 3) == 0 ? SST_NO_MAP : 0;
            int k;
            if (test_below(&random, 4) == 0) flags |= SST_NO_SYNC;
            if (test_below(&random, 4) == 0) flags |= SST_VERIFY;
            CHECK_INT(reopen(path, flags | (session == 0 ? SST_CREATE : 0), &store), SST_OK);
            REQUIRE(store != NULL);
            begun++;
            for (k = 0; k < KINDS; k++) {
                stream[k] = NULL;
                if (k > (int)session) continue;
                CHECK_INT(rows_right(store, k), rows[k]);
                stream[k] = make_kind(store, k);
                CHECK_INT(sst_rows(stream[k]), rows[k]);
                if (k > 0) CHECK_INT(sst_stream_open(store, kinds[k].name, &existing), SST_OK);
            }
            for (n = test_below(&random, 30); n > 0; n--) {
                k = (int)test_below(&random, session + 1 < KINDS ? session + 1 : KINDS);
                more(stream[k], k, test_below(&random, k == 2 || k == 3 ? 3 : 60));
                if (test_below(&random, 8) == 0) CHECK_INT(sst_flush(store), SST_OK);
                if (test_below(&random, 8) == 0) CHECK_INT(sst_sync(store), SST_OK);
            }
            snprintf(text, sizeof text, "%u", (unsigned)session);
            CHECK_INT(sst_set_meta(store, "session", text, strlen(text)), SST_OK);
            for (k = 0; k < KINDS; k++) {
                live[k] = rows_right(store, k);
                if (stream[k] != NULL) CHECK_INT(live[k], sst_rows(stream[k]));
            }
            memcpy(rows, live, sizeof rows);
            if (how < 2) {
                CHECK_INT(sst_close(store), SST_OK);
                check_closed(path, rows);
                check_chain(path, begun);
            } else {
                CHECK_INT(how == 2 ? sst_sync(store) : sst_flush(store), SST_OK);
                copy_file(path, crash);
                CHECK_INT(sst_close(store), SST_OK);
                wipe(path);
                CHECK_INT(rename(crash, path), 0);
                check_file(path, 0, rows, SST_CRASHED);
            }
            CHECK_INT(look(path, 0, &store), SST_OK);
            meta_is(store, "session", text);
            CHECK_INT(sst_close(store), SST_OK);
            CHECK(!exists(beside(path, "-torn")));
        }
    }
    wipe(path);
    check_leaks();
}

/* The time of the last row counts in the next session. */
static void order_across_sessions(void) {
    const char *path = at("order.sst"), *crash = at("crash.sst");
    int way;
    for (way = 0; way < 3; way++) {
        sst_store *store;
        sst_stream *stream;
        int64_t times[2] = {time_of(0, 99), time_of(0, 99) + 5}, values[2] = {1, 2};
        sst_view view;
        sst_row row;
        make_file(path, 100);
        if (way == 1) {                             /* by hopping */
            CHECK_INT(truncate(path, (off_t)file_size(path) - 64), 0);
        } else if (way == 2) {
            CHECK_INT(reopen(path, 0, &store), SST_OK);
            CHECK_INT(sst_flush(store), SST_OK);
            copy_file(path, crash);
            CHECK_INT(sst_close(store), SST_OK);
            CHECK_INT(rename(crash, path), 0);
        }
        CHECK_INT(reopen(path, 0, &store), SST_OK);
        CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
        CHECK_INT(sst_append_i64(stream, time_of(0, 99), 1), SST_ERR_ORDER);
        CHECK_INT(sst_append_i64(stream, INT64_MIN, 1), SST_ERR_ORDER);
        CHECK_INT(sst_append_rows(stream, times, values, 2), SST_ERR_ORDER);
        memset(&row, 0, sizeof row);
        row.time = times[0];
        row.value = values;
        CHECK_INT(sst_append_row(stream, &row), SST_ERR_ORDER);
        CHECK_INT(sst_slice(stream, 99, 1, &view), SST_OK);
        CHECK_INT(sst_append_view(stream, &view), SST_ERR_ORDER);
        CHECK_INT(sst_rows(stream), 100);
        CHECK_INT(append_kind(stream, 0, 100), SST_OK);
        CHECK_INT(sst_append_i64(stream, time_of(0, 100), 1), SST_ERR_ORDER);
        CHECK_INT(sst_stream_open(store, "image", &stream), SST_OK);
        CHECK_INT(append_kind(stream, 3, 99), SST_ERR_ORDER);
        CHECK_INT(append_kind(stream, 3, 100), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        check_closed(path, NULL);
        wipe(path);
    }
    check_leaks();
}

static int append_line(sst_stream *stream, int64_t time, int64_t line) {
    sst_row row;
    memset(&row, 0, sizeof row);
    row.time = time;
    row.timelines = &line;
    row.value = &time;
    return sst_append_row(stream, &row);
}

static sst_stream *line_stream(sst_store *store) {
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    memset(&desc, 0, sizeof desc);
    desc.name = "line";
    desc.type = SST_I64;
    desc.timelines[0] = "capture";
    desc.flags = SST_OPEN_EXISTING;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

static void check_sorted(sst_store *store, bool sorted, uint64_t rows) {
    sst_stream *stream = NULL;
    uint64_t row;
    sst_view view;
    int want = sorted ? SST_OK : SST_ERR_ORDER;
    CHECK_INT(sst_stream_open(store, "line", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), rows);
    CHECK_INT(sst_locate_on(stream, 0, -99, SST_AT_OR_AFTER, &row), want);
    CHECK_INT(sst_window_on(stream, 0, -99, INT64_MAX, 0, &view), want);
    if (sorted) CHECK_INT(view.count, rows);
    sst_stream_close(stream);
}

/* Whether a timeline is sorted is known across sessions, whatever their end was. */
static void timelines_across_sessions(void) {
    const char *path = at("lines.sst"), *crash = at("crash.sst");
    int fall, way, s, i;                            /* fall: the session where it decreases */
    uint32_t flags;
    for (fall = 0; fall < 4; fall++) {
        for (way = 0; way < 32; way++) {            /* a bit per session: crashed */
            int64_t time = -50;
            flags = way & 16 ? SST_NO_SYNC : 0;
            wipe(path);
            for (s = 0; s < 3; s++) {
                bool sorted = fall > s;
                sst_store *store;
                sst_stream *stream;
                CHECK_INT(reopen(path, SST_CREATE | flags, &store), SST_OK);
                REQUIRE(store != NULL);
                stream = line_stream(store);
                if (s > 0) check_sorted(store, fall > s - 1, (uint64_t)s * 100);
                for (i = 0; i < 100; i++, time++) {     /* the first row of a session is lower */
                    int64_t line = s == fall && fall > 0 && i == 0 ? time - 2 : time;
                    if (s == 0 && fall == 0 && i == 50) line = -10;
                    CHECK_INT(append_line(stream, time, line), SST_OK);
                }
                check_sorted(store, sorted, (uint64_t)(s + 1) * 100);
                if (way & 1 << s) {
                    CHECK_INT(sst_flush(store), SST_OK);
                    check_sorted(store, sorted, (uint64_t)(s + 1) * 100);
                    copy_file(path, crash);
                    CHECK_INT(sst_close(store), SST_OK);
                    CHECK_INT(rename(crash, path), 0);
                } else {
                    CHECK_INT(sst_close(store), SST_OK);
                }
                CHECK_INT(look(path, way & 8 ? SST_NO_MAP : 0, &store), SST_OK);
                check_sorted(store, sorted, (uint64_t)(s + 1) * 100);
                CHECK_INT(sst_close(store), SST_OK);
            }
        }
    }
    wipe(path);
    check_leaks();
}

/* ---- what is there already ---------------------------------------------------------------- */

static void create_options(void) {
    const char *path = at("options.sst"), *link_path = at("link.sst");
    static const uint8_t zeros[200];
    uint64_t rows[KINDS] = {10, 10, 10, 10, 10}, none[KINDS] = {0};
    sst_store *store = (sst_store *)&rows;
    sst_options options = options_of(0);
    sst_error error;
    uint8_t bytes[200];
    size_t size;
    CHECK_INT(look(at("absent.sst"), 0, &store), SST_ERR_NOT_FOUND);
    CHECK(store == NULL);
    CHECK_INT(reopen(at("absent.sst"), 0, &store), SST_ERR_NOT_FOUND);
    CHECK(!exists(at("absent.sst")));
    CHECK_INT(create(at("none/x.sst"), 0, &store), SST_ERR_NOT_FOUND);
    CHECK_INT(create(at("none/x.sst"), SST_REPLACE, &store), SST_ERR_NOT_FOUND);
    CHECK_INT(reopen(at("none/x.sst"), SST_CREATE, &store), SST_ERR_NOT_FOUND);
    CHECK_INT(look(at("none/x.sst"), 0, &store), SST_ERR_NOT_FOUND);
    CHECK(store == NULL);
    CHECK(create(folder, 0, &store) < 0 && store == NULL);      /* a folder */
    CHECK(create(folder, SST_REPLACE, &store) < 0 && store == NULL);
    CHECK(look(folder, 0, &store) < 0 && store == NULL);
    CHECK(reopen(folder, SST_CREATE, &store) < 0 && store == NULL);
    CHECK(exists(folder));
    make_file(path, 10);
    options.error = &error;
    CHECK_INT(sst_create(path, &options, &store), SST_ERR_EXISTS);
    CHECK(error.result == SST_ERR_EXISTS && error.what[0] != '\0');
    check_file(path, 0, rows, SST_FINISHED);
    CHECK_INT(reopen(path, SST_CREATE, &store), SST_OK);        /* there is one */
    CHECK_INT(sst_close(store), SST_OK);
    check_file(path, 0, rows, SST_FINISHED);
    CHECK_INT(create(path, SST_REPLACE, &store), SST_OK);
    CHECK_INT(sst_stream_count(store), 0);
    CHECK_INT(sst_close(store), SST_OK);
    check_closed(path, none);
    /* Never written: taken over, also by SST_CREATE, without SST_REPLACE. */
    for (size = 0; size <= 200; size += size == 0 ? 63 : size == 63 ? 1 : 136) {
        wipe(path);
        put_file(path, zeros, size);
        CHECK_INT(reopen(path, 0, &store), SST_ERR_FORMAT);
        CHECK_INT(file_size(path), size);
        CHECK_INT(look(path, 0, &store), SST_ERR_FORMAT);
        CHECK_INT(create(path, 0, &store), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        check_closed(path, none);
        wipe(path);
        put_file(path, zeros, size);
        CHECK_INT(reopen(path, SST_CREATE, &store), SST_OK);
        more(make_kind(store, 0), 0, 10);
        CHECK_INT(sst_close(store), SST_OK);
        check_closed(path, NULL);
    }
    memset(bytes, 'x', sizeof bytes);
    put_file(path, bytes, 63);                                  /* no room for a header */
    CHECK_INT(create(path, 0, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    put_file(path, bytes, 200);                                 /* somebody else's file */
    CHECK_INT(create(path, 0, &store), SST_ERR_EXISTS);
    CHECK_INT(look(path, 0, &store), SST_ERR_FORMAT);
    CHECK_INT(reopen(path, 0, &store), SST_ERR_FORMAT);
    CHECK_INT(reopen(path, SST_CREATE, &store), SST_ERR_FORMAT);
    CHECK_INT(file_size(path), 200);
    CHECK_INT(create(path, SST_REPLACE, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    make_file(path, 10);                                        /* through links */
    CHECK_INT(symlink(path, link_path), 0);
    CHECK_INT(create(link_path, 0, &store), SST_ERR_EXISTS);
    CHECK_INT(reopen(link_path, 0, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    check_file(path, 0, rows, SST_FINISHED);
    wipe(link_path);
    wipe(path);
    check_leaks();
}

/* What cannot work must not cost the old file. */
static void replace_keeps(void) {
    const char *path = at("keep.sst");
    uint64_t rows[KINDS] = {10, 10, 10, 10, 10};
    sst_store *store;
    sst_options options = options_of(SST_REPLACE);
    sst_io io = watch_io;
    make_file(path, 10);
    io.entropy = NULL;                              /* and no seed */
    options.io = &io;
    CHECK_INT(sst_create(path, &options, &store), SST_ERR_ARG);
    CHECK(exists(path));
    if (exists(path)) check_file(path, 0, rows, SST_FINISHED);
    else make_file(path, 10);
    watch_fail(ON_ENTROPY, 1, true, SST_ERR_IO);
    CHECK_INT(create(path, SST_REPLACE, &store), SST_ERR_IO);
    watch_none();
    CHECK(exists(path));
    if (exists(path)) check_file(path, 0, rows, SST_FINISHED);
    options.flags = SST_REPLACE | SST_HALF_OPEN;
    CHECK_INT(sst_create(path, &options, &store), SST_ERR_ARG);
    options.flags = SST_REPLACE;
    options.block_bytes = 1;
    CHECK_INT(sst_create(path, &options, &store), SST_ERR_ARG);
    if (exists(path)) check_file(path, 0, rows, SST_FINISHED);
    wipe(path);
    check_leaks();
}

static void companion_there(void) {
    const char *path = at("pair.sst"), *live = beside(path, "-live"), *other = at("other-live");
    sst_store *store;
    sst_options options = options_of(0);
    put_file(live, "rows of another store", 21);
    CHECK_INT(create(path, 0, &store), SST_ERR_EXISTS);
    CHECK_INT(reopen(path, SST_CREATE, &store), SST_ERR_EXISTS);
    CHECK(!exists(path));
    CHECK_INT(file_size(live), 21);
    put_file(path, "", 0);
    CHECK_INT(create(path, 0, &store), SST_ERR_EXISTS);
    CHECK_INT(file_size(live), 21);
    wipe(path);
    put_file(live, "rows of another store", 21);
    CHECK_INT(create(path, SST_REPLACE, &store), SST_OK);
    CHECK(file_size(live) != 21);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK(!exists(live));
    wipe(path);
    put_file(other, "rows of another store", 21);       /* a path of its own */
    options.live_path = other;
    CHECK_INT(sst_create(path, &options, &store), SST_ERR_EXISTS);
    options.flags = SST_REPLACE;
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    wipe(path);
    wipe(other);
    check_leaks();
}

static void replace_mapped(void) {
    const char *path = at("mapped.sst");
    uint64_t rows[KINDS] = {200, 200, 200, 200, 200}, i;
    uint32_t flags;
    for (flags = 0; flags <= SST_NO_MAP; flags += SST_NO_MAP) {
        sst_store *reader, *store;
        sst_stream *stream;
        sst_view view;
        make_file(path, 200);
        CHECK_INT(look(path, flags, &reader), SST_OK);
        CHECK_INT(sst_stream_open(reader, "small", &stream), SST_OK);
        CHECK_INT(sst_slice(stream, 5, 10, &view), SST_OK);
        CHECK(view.stable == (flags == 0));
        CHECK_INT(create(path, SST_REPLACE, &store), SST_OK);
        more(make_kind(store, 0), 0, 3);
        CHECK_INT(sst_sync(store), SST_OK);
        for (i = 0; i < 10; i++) CHECK_INT(view.times[i], time_of(0, 5 + i));
        for (i = 0; i < KINDS; i++) CHECK_INT(rows_right(reader, (int)i), rows[i]);
        CHECK_INT(sst_refresh(reader), SST_OK);
        CHECK_INT(rows_right(reader, 0), 200);
        CHECK_INT(info_of(reader).state, SST_FINISHED);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_right(reader, 2), 200);
        CHECK_INT(sst_close(reader), SST_OK);
        CHECK_INT(look(path, 0, &reader), SST_OK);
        CHECK_INT(rows_right(reader, 0), 3);
        CHECK_INT(sst_close(reader), SST_OK);
    }
    wipe(path);
    check_leaks();
}

/* ---- the lock ----------------------------------------------------------------------------- */

/* Every way to write is refused, reading is not. */
static bool all_locked(const char *path, uint64_t rows) {
    sst_store *store;
    bool ok = create(path, SST_REPLACE, &store) == SST_ERR_LOCKED && store == NULL;
    ok = create(path, 0, &store) == SST_ERR_EXISTS && ok;
    ok = reopen(path, 0, &store) == SST_ERR_LOCKED && store == NULL && ok;
    ok = reopen(path, SST_CREATE, &store) == SST_ERR_LOCKED && ok;
    ok = look(path, 0, &store) == SST_OK && ok;
    if (store == NULL) return false;
    ok = info_of(store).state == SST_RECORDING && rows_right(store, 0) >= rows && ok;
    return sst_close(store) == SST_OK && ok;
}

/* Waits for a child that ends with 0 when all was well. */
static void join(pid_t child) {
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void locks(void) {
    const char *path = at("lock.sst"), *hard = at("hard.sst"), *soft = at("soft.sst");
    sst_store *store, *reader;
    sst_stream *stream;
    pid_t child;
    int session, end;
    for (session = 0; session < 2; session++) {
        CHECK_INT(session == 0 ? create(path, 0, &store) : reopen(path, 0, &store), SST_OK);
        REQUIRE(store != NULL);
        stream = make_kind(store, 0);
        more(stream, 0, 50);
        CHECK_INT(sst_flush(store), SST_OK);
        (void)unlink(hard);
        (void)unlink(soft);
        CHECK_INT(link(path, hard), 0);
        CHECK_INT(symlink(path, soft), 0);
        CHECK(all_locked(path, 50));
        CHECK(all_locked(hard, 50));
        CHECK(all_locked(soft, 50));
        CHECK(exists(path) && exists(hard) && exists(soft));
        fflush(stdout);
        child = fork();
        if (child == 0) {
            _exit(all_locked(path, 50) && all_locked(hard, 50) && all_locked(soft, 50) ? 0 : 1);
        }
        join(child);
        /* Opening and closing beside it must not have dropped the lock. */
        CHECK(all_locked(path, 50));
        more(stream, 0, 10);
        CHECK_INT(sst_close(store), SST_OK);
        for (end = 0; end < 2; end++) {
            CHECK_INT(look(path, 0, &reader), SST_OK);
            CHECK_INT(info_of(reader).state, SST_FINISHED);
            CHECK_INT(sst_close(reader), SST_OK);
            CHECK_INT(reopen(hard, 0, &store), SST_OK);
            CHECK(all_locked(path, 60));
            CHECK_INT(sst_close(store), SST_OK);
        }
        fflush(stdout);
        child = fork();                             /* the lock of another process */
        if (child == 0) {
            bool ok = reopen(path, 0, &store) == SST_OK && sst_close(store) == SST_OK;
            _exit(ok ? 0 : 1);
        }
        join(child);
        CHECK_INT(create(at("lock2.sst"), 0, &store), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        wipe(at("lock2.sst"));
    }
    wipe(path);
    wipe(hard);
    wipe(soft);
    check_leaks();
}

/* Created and not yet written to: locked all the same. */
static void lock_of_the_dead(void) {
    const char *path = at("dead.sst");
    sst_store *store, *reader;
    sst_stream *stream;
    int pipes[2], status;
    char byte;
    pid_t child;
    REQUIRE(pipe(pipes) == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (create(path, 0, &store) != SST_OK) _exit(1);
        more(make_kind(store, 0), 0, 500);
        if (sst_flush(store) != SST_OK || write(pipes[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(pipes[1]);
    CHECK_INT(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    CHECK(all_locked(path, 500));
    CHECK_INT(look(path, 0, &reader), SST_OK);
    CHECK_INT(info_of(reader).state, SST_RECORDING);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK_INT(sst_refresh(reader), SST_OK);
    CHECK_INT(info_of(reader).state, SST_CRASHED);
    CHECK_INT(rows_right(reader, 0), 500);
    CHECK_INT(reopen(path, 0, &store), SST_OK);
    stream = make_kind(store, 0);
    CHECK_INT(sst_rows(stream), 500);
    more(stream, 0, 100);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_refresh(reader), SST_OK);         /* a reader follows into the next session */
    CHECK_INT(info_of(reader).state, SST_RECORDING);
    CHECK_INT(rows_right(reader, 0), 600);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_refresh(reader), SST_OK);
    CHECK_INT(info_of(reader).state, SST_FINISHED);
    CHECK_INT(sst_close(reader), SST_OK);
    check_closed(path, NULL);
    wipe(path);
    check_leaks();
}

/* ---- crashes ------------------------------------------------------------------------------ */

/* Opens a file that a crash left, in both ways; says how many rows each stream has. False: there
 * is no store in it. */
static bool crashed_rows(const char *path, uint64_t *rows) {
    sst_store *store;
    int k, way, result;
    for (way = 0; way < 2; way++) {
        result = look(path, way == 0 ? 0 : SST_NO_MAP, &store);
        if (result != SST_OK) CHECK_INT(result, SST_ERR_FORMAT);
        if (result != SST_OK) return false;
        for (k = 0; k < KINDS; k++) {
            uint64_t got = rows_right(store, k);
            if (way == 0) rows[k] = got;
            else CHECK_INT(got, rows[k]);
        }
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
    return true;
}

/* Recovers, compares with what reading found, goes on recording. */
static void recover_and_go_on(const char *path, const uint64_t *rows, bool close_look) {
    uint64_t after[KINDS];
    sst_store *store;
    int k;
    CHECK_INT(reopen(path, 0, &store), SST_OK);
    if (store == NULL) return;
    for (k = 0; k < KINDS; k++) {
        sst_stream *stream;
        CHECK_INT(rows_right(store, k), rows[k]);
        stream = make_kind(store, k);
        CHECK_INT(sst_durable_rows(stream), rows[k]);
        more(stream, k, (uint64_t)k + 5);
        after[k] = rows[k] + (uint64_t)k + 5;
    }
    CHECK_INT(sst_close(store), SST_OK);
    if (close_look) check_closed(path, after);
    else check_file(path, 0, after, SST_FINISHED);
}

/* A small file with blocks of every kind, some synced. Copied before and after it is closed. */
static void make_small(const char *path, const char *open_copy, bool sync) {
    sst_store *store;
    sst_stream *stream[KINDS];
    int k, round;
    wipe(path);
    CHECK_INT(create(path, 0, &store), SST_OK);
    CHECK_INT(sst_set_meta(store, "key", "value", 5), SST_OK);
    for (k = 0; k < 3; k++) stream[k] = make_kind(store, k);
    for (round = 0; round < 4; round++) {
        for (k = 0; k < 3; k++) more(stream[k], k, k == 2 ? 1 : 13);
        CHECK_INT(round == 1 && sync ? sst_sync(store) : sst_flush(store), SST_OK);
    }
    copy_file(path, open_copy);
    CHECK_INT(sst_close(store), SST_OK);
}

static void cut_anywhere(void) {
    const char *path = at("small.sst"), *copy = at("copy.sst"), *cut = at("cut.sst");
    uint64_t random = test_seed(3), rows[KINDS], again[KINDS];
    size_t size, length, next;
    int way;
    for (way = 0; way < 4; way += test_rounds(3, 0) == 3 ? 3 : 1) {
        uint64_t before[KINDS] = {0};
        uint8_t *bytes;
        make_small(path, copy, way & 1);
        bytes = get_file(way & 2 ? copy : path, &size);
        for (length = 0; length <= size && test_errors == 0; length = next) {
            bool is_store;
            int k;
            next = (length / 64 + 1) * 64;          /* every step, and odd lengths between */
            if (test_below(&random, 3) == 0) next = length + 1 + test_below(&random, next - length);
            wipe(cut);
            put_file(cut, bytes, length);
            is_store = crashed_rows(cut, rows);
            CHECK(is_store == (length >= 64));
            CHECK_INT(file_size(cut), length);
            if (!is_store) {
                sst_store *store;
                CHECK_INT(reopen(cut, 0, &store), SST_ERR_FORMAT);
                continue;
            }
            for (k = 0; k < KINDS; k++) CHECK(rows[k] >= before[k]);
            memcpy(before, rows, sizeof before);
            if (test_below(&random, 4) == 0) {      /* recovered twice, with a crash between */
                sst_store *store;
                CHECK_INT(reopen(cut, 0, &store), SST_OK);
                copy_file(cut, at("twice.sst"));
                CHECK_INT(sst_close(store), SST_OK);
                CHECK(crashed_rows(at("twice.sst"), again));
                CHECK_BYTES(again, rows, sizeof rows);
                recover_and_go_on(at("twice.sst"), rows, false);
                wipe(at("twice.sst"));
            }
            CHECK(!exists(beside(cut, "-torn")));
            recover_and_go_on(cut, rows, test_below(&random, 8) == 0);
        }
        if (way & 2) CHECK(rows[0] == 52 && rows[1] == 52 && rows[2] == 4);
        free(bytes);
    }
    wipe(path);
    wipe(copy);
    wipe(cut);
    check_leaks();
}

/* Any record that is damaged behind the synced point ends the file; what follows is kept beside. */
static void torn_records(void) {
    const char *path = at("small.sst"), *copy = at("copy.sst"), *cut = at("cut.sst");
    const char *torn = beside(cut, "-torn");
    size_t size, torn_size, kept;
    uint64_t synced = 0, offset = 64, rows[KINDS], all[KINDS];
    uint8_t *bytes, *torn_bytes;
    mend_record r, behind;
    make_small(path, copy, true);
    bytes = get_file(copy, &size);
    while (mend_next(bytes, size, &offset, &r)) {
        if (r.type == MEND_SYNC && r.first_row > synced) synced = r.first_row;
    }
    CHECK(synced > 0);
    put_file(cut, bytes, size);
    CHECK(crashed_rows(cut, all));
    for (offset = 64; mend_next(bytes, size, &offset, &r) && test_errors == 0;) {
        int where;
        for (where = 0; where < 2; where++) {       /* in the header; in the last byte */
            uint64_t at_byte = where == 0 ? r.offset + 33 : r.payload + r.size - 1;
            uint64_t next = r.next, whole = 0;
            sst_store *store;
            if (where == 1 && (r.size == 0 || r.type == MEND_SKIP)) continue;
            bytes[at_byte] ^= 0x10;
            wipe(cut);
            put_file(cut, bytes, size);
            if (r.offset < synced) {                /* damage: reported, not cut */
                sst_report report;
                memset(&report, 0, sizeof report);
                CHECK_INT(reopen(cut, 0, &store), SST_OK);
                CHECK_INT(info_of(store).torn_bytes, 0);
                CHECK(file_size(cut) >= size);
                CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
                CHECK(report.damage_count >= 1);
                CHECK_INT(sst_close(store), SST_OK);
                CHECK(!exists(torn));
                CHECK_INT(look(cut, SST_VERIFY, &store), SST_ERR_CORRUPT);
                CHECK_INT(look(cut, 0, &store), SST_OK);
                CHECK_INT(sst_close(store), SST_OK);
            } else {
                CHECK(crashed_rows(cut, rows));
                CHECK_INT(look(cut, 0, &store), SST_OK);
                CHECK_INT(info_of(store).torn_bytes, size - r.offset);
                CHECK_INT(info_of(store).state, SST_CRASHED);
                CHECK_INT(sst_close(store), SST_OK);
                recover_and_go_on(cut, rows, true);
                while (mend_next(bytes, size, &next, &behind)) {
                    whole += 64 + behind.size;
                }
                if (where == 1) whole += 64 + r.size;   /* its header holds: somebody may want it */
                CHECK(exists(torn) == (whole > 0));
                if (exists(torn)) {
                    torn_bytes = get_file(torn, &torn_size);
                    CHECK(torn_size >= whole && torn_size <= whole + 64 * 64);
                    CHECK(memcmp(torn_bytes, "SREC", 4) == 0);
                    free(torn_bytes);
                    kept = torn_size;
                    /* The same again: appended, what was there stays. */
                    put_file(cut, bytes, size);
                    CHECK_INT(reopen(cut, 0, &store), SST_OK);
                    CHECK_INT(sst_close(store), SST_OK);
                    CHECK_INT(file_size(torn), 2 * kept);
                }
            }
            bytes[at_byte] ^= 0x10;
        }
    }
    free(bytes);
    wipe(path);
    wipe(copy);
    wipe(cut);
    check_leaks();
}

/* Damage before the synced point: the rows of that block cannot be read, all others can. */
static void damage_before_sync(void) {
    const char *path = at("damage.sst");
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    sst_error error;
    size_t size;
    uint8_t *bytes;
    mend_record r;
    mend_column c;
    uint64_t first, i, before;
    int way, k;
    for (way = 0; way < 2; way++) {                 /* closed; crashed behind the sync */
        wipe(path);
        CHECK_INT(create(path, 0, &store), SST_OK);
        stream = make_kind(store, 0);
        more(stream, 0, 300);
        CHECK_INT(sst_sync(store), SST_OK);
        if (way == 0) CHECK_INT(sst_close(store), SST_OK);
        bytes = get_file(path, &size);
        if (way == 1) CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(mend_find(bytes, size, MEND_BLOCK, 0, 2, &r));
        for (i = 0; i < mend_columns(bytes, &r); i++) {
            REQUIRE(mend_column_at(bytes, &r, (uint32_t)i, &c));
            if (c.kind == MEND_VALUES) bytes[c.start + 9] ^= 1;
        }
        put_file(path, bytes, size);
        first = r.first_row;
        for (k = 0; k < 3; k++) {
            before = file_size(path);
            if (k < 2) CHECK_INT(look(path, k == 0 ? 0 : SST_NO_MAP, &store), SST_OK);
            else CHECK_INT(reopen(path, 0, &store), SST_OK);
            REQUIRE(store != NULL);
            if (k < 2) CHECK_INT(file_size(path), before);
            else CHECK(file_size(path) >= before);
            CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
            CHECK_INT(sst_rows(stream), 300);
            for (i = 0; i < 300; i++) {
                bool bad = i >= first && i < first + r.rows;
                CHECK_INT(sst_slice(stream, i, 1, &view), bad ? SST_ERR_CORRUPT : SST_OK);
                if (!bad) continue;
                sst_stream_error(stream, &error);
                CHECK(error.row >= first && error.row < first + r.rows);
                CHECK(error.offset >= r.offset && error.offset < r.next);
            }
            if (k == 2) more(stream, 0, 10);
            CHECK_INT(sst_close(store), SST_OK);
        }
        CHECK(!exists(beside(path, "-torn")));
        free(bytes);
    }
    wipe(path);
    check_leaks();
}

/* The newest INDEX, or an older one, is damaged: the rows are the same, and it can go on. */
static void damaged_index(void) {
    const char *path = at("indexes.sst");
    uint64_t rows[KINDS] = {0};
    uint32_t nth, k;
    for (nth = 0; nth < 3; nth++) {
        sst_store *store;
        size_t size;
        uint8_t *bytes;
        mend_record r;
        make_file(path, 40);
        for (k = 0; k < 2; k++) {
            CHECK_INT(reopen(path, 0, &store), SST_OK);
            more(make_kind(store, 0), 0, 100);
            CHECK_INT(sst_close(store), SST_OK);
        }
        for (k = 0; k < KINDS; k++) rows[k] = k == 0 ? 240 : 40;
        check_closed(path, rows);
        watch.read_bytes = 0;
        CHECK_INT(look(path, SST_NO_MAP, &store), SST_OK);
        CHECK(watch.read_bytes < file_size(path) / 4);
        CHECK_INT(sst_close(store), SST_OK);
        bytes = get_file(path, &size);
        REQUIRE(mend_find(bytes, size, MEND_INDEX, 0, nth, &r));
        bytes[r.payload + r.size - 3] ^= 4;
        put_file(path, bytes, size);
        free(bytes);
        check_file(path, 0, rows, SST_FINISHED);
        check_file(path, SST_NO_MAP, rows, SST_FINISHED);
        CHECK_INT(reopen(path, 0, &store), SST_OK);
        more(make_kind(store, 0), 0, 60);
        CHECK_INT(sst_close(store), SST_OK);
        rows[0] = 300;
        check_file(path, 0, rows, SST_FINISHED);
        watch.read_bytes = 0;
        CHECK_INT(look(path, SST_NO_MAP, &store), SST_OK);  /* and by its index again */
        CHECK(watch.read_bytes < file_size(path) / 4);
        CHECK_INT(sst_close(store), SST_OK);
    }
    wipe(path);
    check_leaks();
}

/* ---- syncing ------------------------------------------------------------------------------ */

static void sync_makes_durable(void) {
    static const uint32_t aligns[] = {0, 64, 512, 0x10000};
    const char *path = at("sync.sst");
    size_t i;
    for (i = 0; i < 4; i++) {
        sst_options options = options_of(0);
        uint64_t align = aligns[i] == 0 ? 4096 : aligns[i], size;
        sst_store *store;
        sst_stream *stream, *other;
        sst_info info;
        options.sync_align = aligns[i];
        memset(watch.calls, 0, sizeof watch.calls);
        CHECK_INT(sst_create(path, &options, &store), SST_OK);
        stream = make_kind(store, 0);
        other = make_kind(store, 1);
        CHECK_INT(sst_durable_rows(stream), 0);
        more(stream, 0, 100);
        more(other, 1, 3);
        CHECK_INT(sst_flush(store), SST_OK);
        CHECK_INT(sst_durable_rows(stream), 0);
        more(stream, 0, 5);
        CHECK_INT(watch.calls[ON_SYNC], 0);
        CHECK_INT(sst_sync(store), SST_OK);
        CHECK_INT(watch.calls[ON_SYNC], 1);
        CHECK_INT(watch.calls[ON_SYNC_DIR], 1);
        CHECK_INT(sst_durable_rows(stream), 105);
        CHECK_INT(sst_durable_rows(other), 3);
        info = info_of(store);
        CHECK(info.synced_bytes > 0 && info.synced_bytes % align == 0);
        CHECK_INT(info.file_bytes, info.synced_bytes + 64);
        CHECK_INT(file_size(path), info.file_bytes);
        CHECK_INT(info.sticky, SST_OK);
        size = file_size(path);
        CHECK_INT(sst_sync(store), SST_OK);         /* nothing is new */
        CHECK_INT(sst_flush(store), SST_OK);
        CHECK_INT(sst_poll(store), SST_OK);
        CHECK_INT(sst_sync(store), SST_OK);
        CHECK_INT(file_size(path), size);
        CHECK_INT(watch.calls[ON_SYNC], 1);
        more(stream, 0, 1);
        CHECK_INT(sst_durable_rows(stream), 105);
        CHECK_INT(sst_sync(store), SST_OK);
        CHECK_INT(sst_durable_rows(stream), 106);
        CHECK_INT(sst_durable_rows(other), 3);
        CHECK_INT(info_of(store).synced_bytes % align, 0);
        CHECK_INT(watch.calls[ON_SYNC], 2);
        CHECK_INT(watch.calls[ON_SYNC_DIR], 1);     /* the folder once */
        CHECK_INT(sst_set_meta(store, "k", "v", 1), SST_OK);
        CHECK_INT(sst_sync(store), SST_OK);         /* metadata is new as well */
        CHECK_INT(watch.calls[ON_SYNC], 3);
        copy_file(path, at("crash.sst"));
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(look(at("crash.sst"), 0, &store), SST_OK);
        CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
        CHECK_INT(sst_durable_rows(stream), 106);
        CHECK_INT(sst_rows(stream), 106);
        meta_is(store, "k", "v");
        CHECK_INT(sst_close(store), SST_OK);
        wipe(at("crash.sst"));
        CHECK_INT(reopen(path, 0, &store), SST_OK);
        CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
        CHECK_INT(sst_durable_rows(stream), 106);
        more(stream, 0, 4);
        CHECK_INT(sst_durable_rows(stream), 106);
        CHECK_INT(sst_sync(store), SST_OK);
        CHECK_INT(sst_durable_rows(stream), 110);
        CHECK_INT(sst_close(store), SST_OK);
        wipe(path);
    }
    {
        sst_options options = options_of(0);
        sst_io io = watch_io;
        sst_store *store;
        io.sync = NULL;
        options.io = &io;
        CHECK_INT(sst_create(path, &options, &store), SST_OK);
        more(make_kind(store, 0), 0, 10);
        CHECK_INT(sst_sync(store), SST_ERR_UNSUPPORTED);
        CHECK_INT(sst_close(store), SST_OK);
        check_file(path, 0, NULL, SST_FINISHED);
        wipe(path);
    }
    check_leaks();
}

static void intervals(void) {
    const char *path = at("interval.sst");
    sst_options options = options_of(0);
    sst_store *store;
    sst_stream *stream;
    uint64_t row, last = 0;
    memset(watch.calls, 0, sizeof watch.calls);
    options.sync_interval_bytes = 10000;
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    stream = make_kind(store, 0);
    for (row = 0; row < 5000; row++) {
        CHECK_INT(append_kind(stream, 0, row), SST_OK);
        CHECK(info_of(store).file_bytes - info_of(store).synced_bytes < 10000 + 4096 + 2000);
        CHECK(sst_durable_rows(stream) >= last);
        last = sst_durable_rows(stream);
    }
    CHECK(watch.calls[ON_SYNC] >= 5 && watch.calls[ON_SYNC] < 30);
    CHECK(last > 3500 && last < 5000);
    CHECK_INT(sst_close(store), SST_OK);
    check_closed(path, NULL);
    wipe(path);

    options.sync_interval_bytes = 0;
    options.sync_interval_ms = 100;
    watch.clock_set = true;
    watch.clock = 1000000000;
    memset(watch.calls, 0, sizeof watch.calls);
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    stream = make_kind(store, 0);
    more(stream, 0, 1000);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(watch.calls[ON_SYNC], 0);
    watch.clock += 99999999;
    more(stream, 0, 1000);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(watch.calls[ON_SYNC], 0);
    watch.clock += 1;
    more(stream, 0, 100);                           /* a block is sealed: due */
    CHECK_INT(watch.calls[ON_SYNC], 1);
    CHECK(sst_durable_rows(stream) >= 1900);
    watch.clock += 100000000;
    CHECK_INT(sst_poll(store), SST_OK);             /* due by the clock: the tail too */
    CHECK_INT(sst_durable_rows(stream), 2100);
    watch.clock += 100000000;
    last = watch.calls[ON_SYNC];
    CHECK_INT(sst_poll(store), SST_OK);             /* nothing is new */
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(watch.calls[ON_SYNC], last);
    more(stream, 0, 1);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(sst_durable_rows(stream), 2101);
    CHECK_INT(sst_close(store), SST_OK);
    watch.clock_set = false;
    check_closed(path, NULL);
    wipe(path);
    check_leaks();
}

/* A failed sync stays: nobody tries again, nothing claims what it does not know. */
static void sync_fails(void) {
    const char *path = at("sticky.sst");
    int way;
    for (way = 0; way < 5; way++) {
        sst_options options = options_of(0);
        sst_store *store;
        sst_stream *stream;
        uint64_t calls, durable;
        size_t size;
        uint8_t *bytes;
        mend_record r;
        if (way == 1) options.sync_interval_bytes = 2000;
        CHECK_INT(sst_create(path, &options, &store), SST_OK);
        stream = make_kind(store, 0);
        more(stream, 0, 50);
        CHECK_INT(sst_sync(store), SST_OK);
        durable = sst_durable_rows(stream);
        CHECK_INT(durable, 50);
        watch_fail(ON_SYNC, 1, false, way == 4 ? SST_ERR_FULL : SST_ERR_IO);
        if (way == 1) {                             /* inside of append */
            more(stream, 0, 1000);
            CHECK_INT(sst_rows(stream), 1050);
            CHECK_INT(sst_poll(store), SST_ERR_IO);
            CHECK_INT(sst_sync(store), SST_ERR_IO);
        } else if (way == 2) {                      /* on closing only */
            more(stream, 0, 1000);
        } else {
            more(stream, 0, 1000);
            CHECK_INT(sst_sync(store), way == 4 ? SST_ERR_FULL : SST_ERR_IO);
        }
        if (way != 2) {
            CHECK(watch.failed);
            calls = watch.calls[ON_SYNC];
            CHECK_INT(info_of(store).sticky, way == 4 ? SST_ERR_FULL : SST_ERR_IO);
            CHECK(sst_sync(store) == info_of(store).sticky);
            CHECK(sst_poll(store) == info_of(store).sticky);
            more(stream, 0, 500);
            CHECK_INT(sst_flush(store), SST_OK);
            CHECK(sst_sync(store) == info_of(store).sticky);
            CHECK_INT(watch.calls[ON_SYNC], calls);
            CHECK_INT(sst_durable_rows(stream), durable);
            CHECK_INT(sst_verify(store, NULL), SST_OK);
            CHECK_INT(rows_right(store, 0), 1550);
            CHECK_INT(sst_close(store), way == 4 ? SST_ERR_FULL : SST_ERR_IO);
            CHECK_INT(watch.calls[ON_SYNC], calls);
        } else {
            CHECK_INT(sst_close(store), SST_ERR_IO);
        }
        watch_none();
        bytes = get_file(path, &size);
        CHECK(!mend_find(bytes, size, MEND_END, 0, 0, &r));
        free(bytes);
        CHECK_INT(look(path, 0, &store), SST_OK);
        CHECK_INT(info_of(store).state, SST_CRASHED);
        CHECK_INT(rows_right(store, 0), way == 2 ? 1050 : 1550);
        CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
        CHECK_INT(sst_durable_rows(stream), 50);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(reopen(path, 0, &store), SST_OK);     /* a new handle begins anew */
        CHECK_INT(info_of(store).sticky, SST_OK);
        more(make_kind(store, 0), 0, 5);
        CHECK_INT(sst_sync(store), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        check_closed(path, NULL);
        wipe(path);
    }
    check_leaks();
}

static void no_sync(void) {
    const char *path = at("nosync.sst"), *crash = at("crash.sst");
    sst_options options = options_of(SST_NO_SYNC);
    uint64_t rows[KINDS] = {1000, 0, 0, 0, 0};
    sst_store *store;
    sst_stream *stream;
    size_t size;
    uint8_t *bytes;
    mend_record r;
    int way;
    for (way = 0; way < 2; way++) {
        options.sync_interval_bytes = way == 0 ? 1000 : 0;      /* NO_SYNC wins */
        wipe(path);
        memset(watch.calls, 0, sizeof watch.calls);
        CHECK_INT(sst_create(path, &options, &store), SST_OK);
        stream = make_kind(store, 0);
        more(stream, 0, 1000);
        CHECK_INT(sst_poll(store), SST_OK);
        CHECK_INT(sst_durable_rows(stream), 0);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(watch.calls[ON_SYNC], 0);
        CHECK_INT(watch.calls[ON_SYNC_DIR], 0);
    }
    bytes = get_file(path, &size);
    REQUIRE(mend_find(bytes, size, MEND_END, 0, 0, &r));
    CHECK_INT(bytes[r.offset + 5] & 1, 1);
    CHECK_INT(r.next, size);
    free(bytes);
    check_file(path, 0, rows, SST_FINISHED);
    check_file(path, SST_NO_MAP, rows, SST_FINISHED);
    CHECK_INT(look(path, 0, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
    CHECK_INT(sst_durable_rows(stream), 0);
    CHECK_INT(info_of(store).synced_bytes, 0);
    CHECK_INT(sst_close(store), SST_OK);
    /* Going on must not claim that this was synced, unless it is. */
    memset(watch.calls, 0, sizeof watch.calls);
    CHECK_INT(reopen(path, 0, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
    if (watch.calls[ON_SYNC] == 0) {
        CHECK_INT(sst_durable_rows(stream), 0);
        CHECK_INT(info_of(store).synced_bytes, 0);
    }
    CHECK_INT(sst_sync(store), SST_OK);             /* though nothing was appended */
    CHECK_INT(sst_durable_rows(stream), 1000);
    CHECK(watch.calls[ON_SYNC] > 0);
    CHECK_INT(sst_flush(store), SST_OK);
    copy_file(path, crash);
    CHECK_INT(sst_close(store), SST_OK);
    check_file(crash, 0, rows, SST_CRASHED);
    wipe(path);
    CHECK_INT(create(path, SST_NO_SYNC, &store), SST_OK);       /* but when asked for */
    stream = make_kind(store, 0);
    more(stream, 0, 10);
    memset(watch.calls, 0, sizeof watch.calls);
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(watch.calls[ON_SYNC], 1);
    CHECK_INT(sst_durable_rows(stream), 10);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(watch.calls[ON_SYNC], 1);
    wipe(path);
    wipe(crash);
    check_leaks();
}

/* ---- faults ------------------------------------------------------------------------------- */

/* The nth write fails: nothing that was acknowledged is lost or there twice. */
static void writes_fail(void) {
    static const int results[3] = {SST_ERR_FULL, SST_ERR_IO, SST_OK};
    const char *path = at("faults.sst");
    uint64_t random = test_seed(11), nth, k;
    uint64_t last = test_rounds(16, 90);
    int how, io_kind;
    for (io_kind = 0; io_kind < 2; io_kind++) {     /* with and without preallocation */
        sst_io io = watch_io;
        sst_options options = options_of(0);
        if (io_kind == 1) io.reserve = NULL;
        options.io = &io;
        for (how = 0; how < 6; how++) {
            for (nth = 1; nth < last && test_errors == 0; nth++) {
                uint64_t rows[KINDS] = {0}, failures = 0;
                sst_stream *stream[KINDS] = {NULL};
                sst_store *store;
                int result, step;
                bool stays = how >= 3;
                watch_fail(ON_WRITE, nth, stays, results[how % 3]);
                wipe(path);
                result = sst_create(path, &options, &store);
                if (result != SST_OK) {
                    CHECK_INT(result, results[how % 3]);
                    CHECK(!exists(path));
                    continue;
                }
                for (step = 0; step < 160 && test_errors == 0; step++) {
                    int kind_of = (int)test_below(&random, KINDS);
                    if (stream[kind_of] == NULL) {
                        result = open_kind(store, kind_of, SST_OPEN_EXISTING, &stream[kind_of]);
                    } else {
                        result = append_kind(stream[kind_of], kind_of, rows[kind_of]);
                        if (result == SST_OK) rows[kind_of]++;
                        CHECK_INT(sst_rows(stream[kind_of]), rows[kind_of]);
                    }
                    if (result != SST_OK) {
                        CHECK_INT(result, results[how % 3]);
                        failures++;
                        if (stays && failures == 3) watch_none();   /* healed */
                    }
                    if (test_below(&random, 16) == 0) {
                        result = test_below(&random, 2) ? sst_flush(store) : sst_sync(store);
                        if (result != SST_OK) CHECK_INT(result, results[how % 3]);
                    }
                    if (test_below(&random, 16) == 0) {
                        for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(store, (int)k), rows[k]);
                    }
                }
                watch_none();
                for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(store, (int)k), rows[k]);
                CHECK_INT(sst_verify(store, NULL), SST_OK);
                CHECK_INT(sst_flush(store), SST_OK);
                if (nth % 2 == 0) {
                    copy_file(path, at("crash.sst"));
                    check_file(at("crash.sst"), 0, rows, SST_CRASHED);
                    wipe(at("crash.sst"));
                }
                CHECK_INT(sst_close(store), SST_OK);
                check_file(path, 0, rows, SST_FINISHED);
                check_file(path, SST_NO_MAP | SST_VERIFY, rows, SST_FINISHED);
            }
        }
    }
    wipe(path);
    check_leaks();
}

/* What a failed write left behind the end does not stay behind END. */
static void stale_bytes(void) {
    const char *path = at("stale.sst");
    int way;
    for (way = 0; way < 4; way++) {
        sst_io io = watch_io;
        sst_options options = options_of(way & 2 ? SST_NO_SYNC : 0);
        uint64_t rows[KINDS] = {5, 0, 0, 1, 0};
        sst_store *store;
        sst_stream *stream;
        if (way & 1) io.reserve = NULL;
        options.io = &io;
        CHECK_INT(sst_create(path, &options, &store), SST_OK);
        more(make_kind(store, 0), 0, 5);
        stream = make_kind(store, 3);
        more(stream, 3, 1);
        watch_fail(ON_WRITE, 1, true, SST_ERR_FULL);
        CHECK_INT(append_kind(stream, 3, 1), SST_ERR_FULL);
        watch_none();
        CHECK_INT(sst_close(store), SST_OK);
        check_file(path, 0, rows, SST_FINISHED);
        CHECK_INT(look(path, 0, &store), SST_OK);
        CHECK_INT(info_of(store).torn_bytes, 0);
        CHECK_INT(sst_close(store), SST_OK);
        wipe(path);
    }
    check_leaks();
}

/* A write fails while closing: no END, and what was sealed is there. */
static void close_fails(void) {
    const char *path = at("close.sst");
    uint64_t nth, row = 0;
    for (nth = 1; nth < 30; nth++) {
        uint64_t rows[KINDS] = {100, 100, 100, 100, 100}, got[KINDS];
        sst_store *store;
        int k, result;
        wipe(path);
        CHECK_INT(create(path, 0, &store), SST_OK);
        for (k = 0; k < KINDS; k++) more(make_kind(store, k), k, 100);
        watch_fail(ON_WRITE, nth, true, SST_ERR_FULL);
        result = sst_close(store);
        watch_none();
        CHECK(result == SST_OK || result == SST_ERR_FULL);
        if (result == SST_OK) {
            check_closed(path, rows);
            CHECK(nth > 3);
            break;
        }
        CHECK(crashed_rows(path, got));
        for (k = 0; k < KINDS; k++) CHECK(got[k] <= 100);
        row += got[0];
        CHECK_INT(reopen(path, 0, &store), SST_OK);
        for (k = 0; k < KINDS; k++) more(make_kind(store, k), k, 3);
        CHECK_INT(sst_close(store), SST_OK);
        check_closed(path, NULL);
    }
    CHECK(nth < 30 && row > 0);
    wipe(path);
    check_leaks();
}

/* What a fault does to each way to open. The file is `kept`, which must survive it. */
static void fault_round(int on, uint64_t nth, bool stays, int error, int step, bool *failed) {
    static const char *const sources[3] = {"closed.src", "crashed.src", "torn.src"};
    const char *path = at("victim.sst"), *source = at(sources[step % 3]);
    sst_store *store, *writer = NULL;
    uint64_t rows[KINDS], got[KINDS];
    size_t size, after_size;
    uint8_t *bytes, *after;
    int result, k;
    bytes = get_file(source, &size);
    wipe(path);
    put_file(path, bytes, size);
    CHECK(crashed_rows(path, rows));
    watch_fail(on, nth, stays, error);
    if (step < 3) {
        result = look(path, nth % 2 ? 0 : SST_NO_MAP, &store);
    } else if (step < 6) {
        result = reopen(path, 0, &store);
    } else if (step == 6) {
        result = create(path, SST_REPLACE, &store);
        if (result == SST_OK) memset(rows, 0, sizeof rows);
    } else {
        result = reopen(at("fresh.sst"), SST_CREATE, &store);
        writer = store;
    }
    *failed = watch.failed;
    watch_none();
    if (result != SST_OK) CHECK(store == NULL);
    if (result != SST_OK && !(error == SST_OK && (result == SST_ERR_IO || result == SST_ERR_FULL)))
        CHECK_INT(result, error);
    if (step < 3) {
        after = get_file(path, &after_size);
        CHECK(after_size == size && memcmp(bytes, after, size) == 0);
        free(after);
    }
    free(bytes);
    if (result == SST_OK && step < 6) {
        for (k = 0; k < KINDS; k++) {
            uint64_t right = rows_right(store, k);
            CHECK_INT(right, rows[k]);
        }
    }
    if (step == 5 && result == SST_OK) CHECK(file_size(beside(path, "-torn")) < 1 << 20);
    CHECK_INT(sst_close(store), SST_OK);
    if (writer == NULL && step != 6) {
        CHECK(crashed_rows(path, got));
        CHECK_BYTES(got, rows, sizeof got);
    } else if (step == 6 && result == SST_OK) {
        check_closed(path, rows);
    }
    if (step == 5 && exists(beside(path, "-torn")) == false) CHECK(result != SST_OK);
    if (step >= 3 && step < 6 && result != SST_OK) {        /* it works the next time */
        CHECK_INT(reopen(path, 0, &store), SST_OK);
        for (k = 0; k < KINDS && store != NULL; k++) CHECK_INT(rows_right(store, k), rows[k]);
        CHECK_INT(sst_close(store), SST_OK);
        check_closed(path, rows);
        if (step == 5) CHECK(exists(beside(path, "-torn")));
    }
    wipe(path);
    wipe(at("fresh.sst"));
}

static void openings_fail(void) {
    static const int ons[] = {ON_OPEN, ON_WRITE, ON_READ, ON_SIZE, ON_RESIZE, ON_SYNC, ON_RESERVE,
                              ON_MAP, ON_LOCK, ON_REMOVE, ON_RENAME, ON_SYNC_DIR, ON_ENTROPY};
    static const int errors[] = {SST_ERR_IO, SST_ERR_MEMORY, SST_OK};
    size_t size, i;
    uint64_t limit = test_rounds(8, 400), nth;
    uint8_t *bytes;
    mend_record r;
    int step, e, stays;
    make_small(at("closed.src"), at("crashed.src"), true);
    bytes = get_file(at("crashed.src"), &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 0, mend_count(bytes, size, MEND_BLOCK, 0) - 3, &r));
    bytes[r.offset + 40] ^= 1;                      /* some records follow */
    put_file(at("torn.src"), bytes, size);
    free(bytes);
    for (step = 0; step < 8; step++) {
        for (i = 0; i < sizeof ons / sizeof ons[0]; i++) {
            for (e = 0; e < 3; e++) {
                if (errors[e] == SST_OK && ons[i] != ON_READ && ons[i] != ON_WRITE) continue;
                for (stays = 0; stays < 2; stays++) {
                    bool failed = true;
                    for (nth = 1; nth <= limit && failed && test_errors == 0; nth++) {
                        fault_round(ons[i], nth, stays, errors[e], step, &failed);
                        check_leaks();
                        if (test_errors > 0) {
                            printf("step %d, call %d, nth %d, stays %d, error %d\n", step, ons[i],
                                   (int)nth, stays, errors[e]);
                        }
                    }
                }
            }
        }
    }
    wipe(at("closed.src"));
    wipe(at("crashed.src"));
    wipe(at("torn.src"));
}

/* The copy beside has every whole record behind the cut, whatever reading did. */
static void torn_is_whole(void) {
    const char *path = at("victim.sst"), *torn = beside(path, "-torn");
    size_t size, want_size, got_size;
    uint64_t nth;
    uint8_t *bytes, *want, *got;
    mend_record r;
    sst_store *store;
    int result;
    bool failed;
    make_small(at("closed.src"), at("crashed.src"), true);
    bytes = get_file(at("crashed.src"), &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 0, mend_count(bytes, size, MEND_BLOCK, 0) - 3, &r));
    bytes[r.offset + 40] ^= 1;
    put_file(path, bytes, size);
    CHECK_INT(reopen(path, SST_NO_MAP, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    want = get_file(torn, &want_size);
    for (nth = 1; nth < 2000 && test_errors == 0; nth++) {
        wipe(path);
        put_file(path, bytes, size);
        watch_fail(ON_READ, nth, false, SST_ERR_IO);
        result = reopen(path, SST_NO_MAP, &store);
        if (result != SST_OK) {
            CHECK_INT(result, SST_ERR_IO);
            if (file_size(path) != size) {          /* cut: then what was behind it is saved */
                got = get_file(torn, &got_size);
                CHECK(got_size == want_size && memcmp(got, want, want_size) == 0);
                free(got);
            }
            CHECK(watch.failed);
        } else {
            got = get_file(torn, &got_size);
            CHECK(got_size == want_size && memcmp(got, want, want_size) == 0);
            free(got);
        }
        failed = watch.failed;
        watch_none();
        CHECK_INT(sst_close(store), SST_OK);
        if (!failed) break;
    }
    CHECK(nth > 20 && nth < 2000);
    watch_none();
    free(want);
    free(bytes);
    wipe(path);
    wipe(at("closed.src"));
    wipe(at("crashed.src"));
    check_leaks();
}

/* A timeline stays sorted although looking at it failed once. */
static void timeline_survey_fails(void) {
    const char *path = at("survey.sst"), *crash = at("crash.sst");
    sst_store *store;
    sst_stream *stream;
    uint64_t nth;
    int64_t i;
    for (nth = 1; nth < 500 && test_errors == 0; nth++) {
        int result;
        bool failed;
        wipe(path);
        CHECK_INT(create(path, 0, &store), SST_OK);
        stream = line_stream(store);
        for (i = 0; i < 100; i++) CHECK_INT(append_line(stream, i, i), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
        copy_file(path, crash);
        CHECK_INT(sst_close(store), SST_OK);
        watch_fail(ON_READ, nth, false, SST_ERR_IO);
        result = reopen(crash, SST_NO_MAP, &store);
        failed = watch.failed;
        watch_none();
        if (result == SST_OK) check_sorted(store, true, 100);
        else CHECK_INT(result, SST_ERR_IO);
        CHECK_INT(sst_close(store), SST_OK);
        if (!failed) break;
    }
    wipe(path);
    wipe(crash);
    check_leaks();
}

/* A read fails in a query: an error, and the right answer the next time. */
static void reads_fail(void) {
    const char *path = at("reads.sst");
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    uint64_t nth, row;
    make_file(path, 300);
    for (nth = 1; nth < 60 && test_errors == 0; nth++) {
        CHECK_INT(look(path, SST_NO_MAP, &store), SST_OK);
        CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
        watch_fail(ON_READ, nth, false, SST_ERR_IO);
        for (row = 0; row < 300; row += 37) {
            int result = sst_slice(stream, row, 50, &view);
            if (result != SST_OK) CHECK_INT(result, SST_ERR_IO);
            result = sst_at(stream, time_of(0, row), &view);
            if (result != SST_OK) CHECK_INT(result, SST_ERR_IO);
        }
        watch_none();
        CHECK_INT(rows_right(store, 0), 300);
        CHECK_INT(rows_right(store, 2), 300);
        watch_fail(ON_READ, nth, false, SST_ERR_IO);
        CHECK(sst_verify(store, NULL) == (watch.failed ? SST_ERR_IO : SST_OK));
        watch_none();
        CHECK_INT(sst_close(store), SST_OK);
    }
    wipe(path);
    check_leaks();
}

/* A failed refresh has taken a prefix of what is new; the next one takes the rest. */
static void refreshes_fail(void) {
    static const int ons[] = {ON_READ, ON_SIZE, ON_MAP, ON_LOCK, ON_OPEN};
    const char *path = at("refresh.sst");
    size_t i;
    uint64_t nth;
    int k, flags;
    for (i = 0; i < sizeof ons / sizeof ons[0]; i++) {
        for (flags = 0; flags < 2; flags++) {
            bool failed = true;
            for (nth = 1; nth < 200 && failed && test_errors == 0; nth++) {
                sst_store *store, *reader;
                sst_stream *stream;
                int result;
                wipe(path);
                CHECK_INT(create(path, 0, &store), SST_OK);
                stream = make_kind(store, 0);
                more(stream, 0, 20);
                CHECK_INT(sst_flush(store), SST_OK);
                CHECK_INT(look(path, flags ? SST_NO_MAP : 0, &reader), SST_OK);
                more(stream, 0, 20);
                for (k = 1; k < 3; k++) more(make_kind(store, k), k, 20);
                CHECK_INT(sst_set_meta(store, "new", "1", 1), SST_OK);
                CHECK_INT(sst_flush(store), SST_OK);
                watch_fail(ons[i], nth, nth % 3 == 0, SST_ERR_IO);
                result = sst_refresh(reader);
                failed = watch.failed;
                watch_none();
                if (!failed) CHECK_INT(result, SST_OK);
                if (result != SST_OK) CHECK_INT(result, SST_ERR_IO);
                for (k = 0; k < 3; k++) {
                    uint64_t right = rows_right(reader, k);
                    CHECK(right <= (k == 0 ? 40 : 20));
                }
                CHECK_INT(sst_refresh(reader), SST_OK);
                CHECK_INT(rows_right(reader, 0), 40);
                CHECK_INT(rows_right(reader, 1), 20);
                CHECK_INT(rows_right(reader, 2), 20);
                meta_is(reader, "new", "1");
                if (test_errors > 0) printf("call %d, nth %d\n", ons[i], (int)nth);
                CHECK_INT(sst_close(reader), SST_OK);
                CHECK_INT(sst_close(store), SST_OK);
            }
        }
    }
    wipe(path);
    check_leaks();
}

/* ---- a full disk -------------------------------------------------------------------------- */

static void full_disk(void) {
    const char *disk = at("disk"), *path, *filler;
    uint8_t *bytes = (uint8_t *)calloc(1, 700000);
    uint64_t rows[KINDS] = {0}, k;
    sst_store *store;
    sst_stream *stream[KINDS];
    int result = SST_OK, step, mounted;
    mkdir(disk, 0700);
    mounted = geteuid() == 0 ? mount("none", disk, "tmpfs", 0, "size=1m") : -1;
    if (mounted != 0 || bytes == NULL) {
        free(bytes);
        rmdir(disk);
        SKIP("a small file system cannot be mounted");
    }
    path = at("disk/full.sst");
    filler = at("disk/filler");
    put_file(filler, bytes, 700000);
    CHECK_INT(create(path, 0, &store), SST_OK);
    for (k = 0; k < KINDS; k++) stream[k] = make_kind(store, (int)k);
    for (step = 0; step < 100000 && result == SST_OK; step++) {
        k = (uint64_t)step % KINDS;
        result = append_kind(stream[k], (int)k, rows[k]);
        if (result == SST_OK) rows[k]++;
    }
    CHECK_INT(result, SST_ERR_FULL);
    for (step = 0; step < 100; step++) {
        k = (uint64_t)step % KINDS;
        result = append_kind(stream[k], (int)k, rows[k]);
        if (result == SST_OK) rows[k]++;
        else CHECK_INT(result, SST_ERR_FULL);
        CHECK_INT(sst_rows(stream[k]), rows[k]);
    }
    for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(store, (int)k), rows[k]);
    result = sst_sync(store);
    CHECK(result == SST_ERR_FULL || result == SST_OK);
    CHECK_INT(info_of(store).sticky, SST_OK);
    (void)unlink(filler);
    for (step = 0; step < 300; step++) {
        k = (uint64_t)step % KINDS;
        CHECK_INT(append_kind(stream[k], (int)k, rows[k]), SST_OK);
        rows[k]++;
    }
    for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(store, (int)k), rows[k]);
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    check_file(path, 0, rows, SST_FINISHED);
    CHECK_INT(create(at("disk/second.sst"), 0, &store), SST_OK);    /* full when it is closed */
    if (store != NULL) {
        stream[0] = make_kind(store, 0);
        while (append_kind(stream[0], 0, sst_rows(stream[0])) == SST_OK) {}
        result = sst_close(store);
        CHECK(result == SST_ERR_FULL);
        check_file(at("disk/second.sst"), 0, NULL, -1);
    }
    CHECK_INT(umount(disk), 0);
    rmdir(disk);
    free(bytes);
    check_leaks();
}

/* ---- live readers ------------------------------------------------------------------------- */

/* A view that was lent. */
static void check_lent(const sst_view *view) {
    uint64_t i;
    for (i = 0; i < view->count; i++) {
        uint8_t value[8];
        value_of(0, view->first_row + i, value);
        CHECK_INT(view->times[i], time_of(0, view->first_row + i));
        CHECK_BYTES((const uint8_t *)view->values + i * 8, value, 8);
    }
}

static void refresh_shows(void) {
    const char *path = at("refresh.sst");
    uint32_t flags;
    for (flags = 0; flags <= SST_NO_MAP; flags += SST_NO_MAP) {
        sst_store *store, *early, *late;
        sst_stream *stream[KINDS], *read, *line;
        sst_view view[20];
        uint64_t rows[KINDS] = {0}, seen, row;
        int round, k, views = 0;
        wipe(path);
        CHECK_INT(create(path, 0, &store), SST_OK);
        CHECK_INT(look(path, flags, &early), SST_OK);
        CHECK_INT(info_of(early).state, SST_RECORDING);
        CHECK_INT(sst_stream_count(early), 0);
        stream[0] = make_kind(store, 0);
        line = line_stream(store);
        more(stream[0], 0, 30);
        CHECK_INT(sst_flush(store), SST_OK);
        CHECK_INT(look(path, flags, &late), SST_OK);
        CHECK_INT(sst_stream_open(late, "small", &read), SST_OK);
        CHECK_INT(sst_rows(read), 30);
        CHECK_INT(sst_stream_count(early), 0);      /* stays as it is */
        for (round = 0; round < 20; round++) {
            if (round % 4 == 0 && round > 0) stream[round / 4] = make_kind(store, round / 4);
            seen = sst_rows(read);
            for (k = 0; k <= round / 4; k++) more(stream[k], k, k == 0 ? 40 : 2);
            for (k = 0; k < 10; k++) {              /* sorted, up to the last round */
                row = sst_rows(line);
                CHECK_INT(append_line(line, (int64_t)row, round == 19 ? 0 : (int64_t)row), SST_OK);
            }
            if (round == 7) CHECK_INT(sst_set_meta(store, "seven", "7", 1), SST_OK);
            if (round == 9) CHECK_INT(sst_remove_meta(store, "seven"), SST_OK);
            CHECK_INT(round % 2 ? sst_flush(store) : sst_sync(store), SST_OK);
            for (k = 0; k <= round / 4; k++) rows[k] = sst_rows(stream[k]);
            CHECK_INT(sst_rows(read), seen);        /* nothing without a refresh */
            CHECK_INT(rows_right(late, 0), seen);
            CHECK_INT(sst_refresh(late), SST_OK);
            CHECK_INT(sst_refresh(early), SST_OK);
            CHECK_INT(sst_rows(read), rows[0]);
            for (k = 0; k <= round / 4; k++) {
                CHECK_INT(rows_right(late, k), rows[k]);
                CHECK_INT(rows_right(early, k), rows[k]);
            }
            check_sorted(late, round != 19, (uint64_t)(round + 1) * 10);
            meta_is(late, "seven", round == 7 || round == 8 ? "7" : NULL);
            CHECK_INT(info_of(late).state, SST_RECORDING);
            CHECK_INT(sst_durable_rows(read), round % 2 ? seen : rows[0]);
            CHECK_INT(sst_slice(read, rows[0] - 3, 2, &view[views]), SST_OK);
            CHECK(view[views].stable == (flags == 0));
            if (view[views].stable) views++;
            for (k = 0; k < views; k++) check_lent(&view[k]);
        }
        CHECK_INT(sst_stream_finish(stream[1]), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(info_of(late).state, SST_RECORDING);
        CHECK_INT(sst_refresh(late), SST_OK);
        CHECK_INT(info_of(late).state, SST_FINISHED);
        CHECK_INT(info_of(late).file_bytes, file_size(path));
        CHECK_INT(sst_refresh(late), SST_OK);
        CHECK_INT(info_of(late).state, SST_FINISHED);
        for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(late, k), rows[k]);
        CHECK_INT(reopen(path, 0, &store), SST_OK);     /* and on into the next session */
        stream[4] = make_kind(store, 4);
        more(stream[4], 4, 5);
        CHECK_INT(sst_flush(store), SST_OK);
        CHECK_INT(sst_refresh(late), SST_OK);
        CHECK_INT(info_of(late).state, SST_RECORDING);
        CHECK_INT(rows_right(late, 4), rows[4] + 5);
        CHECK_INT(sst_refresh(early), SST_OK);
        CHECK_INT(rows_right(early, 4), rows[4] + 5);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(sst_refresh(early), SST_OK);
        CHECK_INT(info_of(early).state, SST_FINISHED);
        CHECK_INT(sst_verify(early, NULL), SST_OK);
        for (k = 0; k < views; k++) check_lent(&view[k]);
        CHECK_INT(sst_close(early), SST_OK);
        CHECK_INT(sst_close(late), SST_OK);
    }
    wipe(path);
    check_leaks();
}

/* A reader that was opened by the INDEX learns that a timeline is not sorted any more. */
static void refresh_unsorts(void) {
    const char *path = at("unsort.sst");
    sst_store *store, *reader;
    sst_stream *stream;
    int64_t i;
    wipe(path);
    CHECK_INT(create(path, 0, &store), SST_OK);
    stream = line_stream(store);
    for (i = 0; i < 200; i++) CHECK_INT(append_line(stream, i, i), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(look(path, 0, &reader), SST_OK);
    check_sorted(reader, true, 200);
    CHECK_INT(reopen(path, 0, &store), SST_OK);
    stream = line_stream(store);
    for (; i < 300; i++) CHECK_INT(append_line(stream, i, i - 100), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    check_sorted(reader, true, 200);
    CHECK_INT(sst_refresh(reader), SST_OK);
    check_sorted(reader, false, 300);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_close(reader), SST_OK);
    wipe(path);
    check_leaks();
}

/* A reader in another process sees rows come, all of them right, and the end. */
static void refresh_in_a_child(void) {
    const char *path = at("child.sst");
    sst_store *store;
    sst_stream *stream[2];
    int pipes[2], round;
    pid_t child;
    CHECK_INT(create(path, 0, &store), SST_OK);
    stream[0] = make_kind(store, 0);
    stream[1] = make_kind(store, 1);
    REQUIRE(pipe(pipes) == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sst_store *reader;
        uint64_t seen[2] = {0, 0}, rows;
        uint32_t state = SST_RECORDING;
        int k;
        test_errors = 0;
        close(pipes[0]);
        if (look(path, 0, &reader) != SST_OK) _exit(1);
        if (write(pipes[1], "x", 1) != 1) _exit(1);
        while (state == SST_RECORDING && test_errors == 0) {
            CHECK_INT(sst_refresh(reader), SST_OK);
            state = info_of(reader).state;
            for (k = 0; k < 2; k++) {
                rows = rows_right(reader, k);
                CHECK(rows >= seen[k]);
                seen[k] = rows;
            }
            if (seen[0] >= 20000) break;
        }
        CHECK(seen[0] == 20000 && seen[1] == 2000);
        CHECK_INT(sst_close(reader), SST_OK);
        fflush(stdout);
        _exit(test_errors > 0);
    }
    {
        char byte;
        CHECK_INT(read(pipes[0], &byte, 1), 1);
    }
    close(pipes[0]);
    close(pipes[1]);
    for (round = 0; round < 100; round++) {
        more(stream[0], 0, 200);
        more(stream[1], 1, 20);
        if (round % 3 == 0) CHECK_INT(sst_sync(store), SST_OK);
    }
    CHECK_INT(sst_flush(store), SST_OK);
    join(child);
    CHECK_INT(sst_close(store), SST_OK);
    wipe(path);
    check_leaks();
}

/* ---- reading without mapping; opening costs little ---------------------------------------- */

static bool same_view(const sst_view *a, const sst_view *b, size_t row_bytes) {
    if (a->count != b->count || a->column_count != b->column_count) return false;
    if ((a->timelines[0] == NULL) != (b->timelines[0] == NULL)) return false;
    if (a->count == 0) return true;
    return a->first_row == b->first_row &&
           memcmp(a->times, b->times, (size_t)a->count * 8) == 0 &&
           memcmp(a->values, b->values, (size_t)a->count * row_bytes) == 0 &&
           (a->timelines[0] == NULL ||
            memcmp(a->timelines[0], b->timelines[0], (size_t)a->count * 8) == 0);
}

/* One random question to both. */
static void ask_both(sst_stream *a, sst_stream *b, int k, uint64_t rows, uint64_t *random) {
    int64_t from = (int64_t)test_below(random, rows * 10 + 40) - 20;
    int64_t to = from + (int64_t)test_below(random, 600), ra[8], rb[8], ta[8], tb[8];
    uint32_t flags = (uint32_t)test_below(random, 4) * SST_HALF_OPEN;
    uint64_t one = 1, two = 1;
    sst_view va, vb;
    uint8_t values[2][8 * ROW_MAX];
    double linear[2][8 * 2000];
    int result = 1, i;
    memset(&va, 0, sizeof va);
    memset(&vb, 0, sizeof vb);
    for (i = 0; i < 8; i++) ta[i] = (int64_t)test_below(random, rows * 10 + 40) - 20;
    switch (test_below(random, 9)) {
    case 0:
        result = sst_at(a, from, &va);
        CHECK_INT(sst_at(b, from, &vb), result);
        break;
    case 1:
        result = sst_window_ex(a, from, to, flags, &va);
        CHECK_INT(sst_window_ex(b, from, to, flags, &vb), result);
        break;
    case 2:
        result = sst_slice(a, (uint64_t)from, 30, &va);
        CHECK_INT(sst_slice(b, (uint64_t)from, 30, &vb), result);
        break;
    case 3:
        result = sst_window_on(a, 0, from, to, flags, &va);
        CHECK_INT(sst_window_on(b, 0, from, to, flags, &vb), result);
        break;
    case 4:
        CHECK_INT(sst_locate_on(b, 0, from, SST_NEAREST, &one),
                  sst_locate_on(a, 0, from, SST_NEAREST, &two));
        break;
    case 5:
        for (i = 0; i < 4; i++) {
            CHECK_INT(sst_locate(b, from, (sst_match)i, &one),
                      sst_locate(a, from, (sst_match)i, &two));
            CHECK_INT(one, two);
        }
        break;
    case 6:
        i = (int)test_below(random, 3);
        CHECK_INT(sst_sample(a, ta, 8, (sst_sampling)i, values[0], ra), SST_OK);
        CHECK_INT(sst_sample(b, ta, 8, (sst_sampling)i, values[1], rb), SST_OK);
        CHECK_BYTES(values[0], values[1], 8 * kinds[k].row_bytes);
        CHECK_BYTES(ra, rb, sizeof ra);
        break;
    case 7:
        if (kinds[k].row_bytes > 1400) break;
        memset(linear, 0, sizeof linear);
        CHECK_INT(sst_sample(a, ta, 8, SST_SAMPLE_LINEAR, linear[0], ra), SST_OK);
        CHECK_INT(sst_sample(b, ta, 8, SST_SAMPLE_LINEAR, linear[1], rb), SST_OK);
        CHECK_BYTES(linear[0], linear[1], sizeof linear[0]);
        break;
    default:
        for (i = 0; i < 8; i++) ra[i] = (int64_t)test_below(random, rows + 1) - 1;
        CHECK_INT(sst_gather(a, ra, 8, values[0], ta), SST_OK);
        CHECK_INT(sst_gather(b, ra, 8, values[1], tb), SST_OK);
        CHECK_BYTES(values[0], values[1], 8 * kinds[k].row_bytes);
        CHECK_BYTES(ta, tb, sizeof ta);
        break;
    }
    CHECK_INT(one, two);
    CHECK(same_view(&va, &vb, kinds[k].row_bytes));
    CHECK(!vb.stable);
}

static void read_without_mapping(void) {
    const char *path = at("nomap.sst");
    uint64_t random = test_seed(5), round, rounds = test_rounds(3000, 30000);
    sst_store *a, *b;
    sst_stream *sa, *sb;
    uint64_t maps;
    int k;
    make_file(path, 500);
    CHECK_INT(look(path, 0, &a), SST_OK);
    maps = watch.calls[ON_MAP];
    CHECK_INT(look(path, SST_NO_MAP, &b), SST_OK);
    for (k = 0; k < KINDS; k++) {
        CHECK_INT(sst_stream_open(a, kinds[k].name, &sa), SST_OK);
        CHECK_INT(sst_stream_open(b, kinds[k].name, &sb), SST_OK);
        for (round = 0; round < rounds && test_errors == 0; round++) {
            ask_both(sa, sb, k, 500, &random);
        }
    }
    CHECK_INT(watch.calls[ON_MAP], maps);
    CHECK_INT(sst_close(a), SST_OK);
    CHECK_INT(sst_close(b), SST_OK);
    wipe(path);
    check_leaks();
}

/* The writer itself, without a mapping of what it wrote. */
static void record_without_mapping(void) {
    const char *path = at("nomap.sst");
    sst_store *store;
    uint64_t rows[KINDS] = {2000, 2000, 50, 20, 2000};
    sst_io io = watch_io;
    sst_options options;
    int way, k;
    for (way = 0; way < 3; way++) {
        options = options_of(way == 0 ? SST_NO_MAP : 0);
        options.io = &io;
        if (way == 1) io.map = NULL;
        if (way == 2) watch_fail(ON_MAP, 1, true, SST_ERR_IO);
        if (way == 2) io = watch_io;
        k = sst_create(path, &options, &store);
        if (way == 2 && k == SST_ERR_IO) break;     /* the companion cannot be mapped */
        CHECK_INT(k, SST_OK);
        for (k = 0; k < KINDS; k++) more(make_kind(store, k), k, rows[k]);
        for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(store, k), rows[k]);
        CHECK_INT(sst_flush(store), SST_OK);
        for (k = 0; k < KINDS; k++) CHECK_INT(rows_right(store, k), rows[k]);
        CHECK_INT(sst_close(store), SST_OK);
        watch_none();
        check_closed(path, rows);
        wipe(path);
    }
    watch_none();
    wipe(path);
    check_leaks();
}

/* Blocks are mapped where they are first used, in whatever order that is. */
static void mapped_in_any_order(void) {
    const char *path = at("order.sst");
    sst_store *store, *reader;
    sst_stream *stream, *again;
    uint64_t random = test_seed(9), maps, row, i;
    sst_view view;
    int way;
    for (way = 0; way < 3; way++) {
        sst_store *look_at;
        wipe(path);
        CHECK_INT(create(path, 0, &store), SST_OK);
        stream = make_kind(store, 3);
        more(stream, 3, 1);
        CHECK_INT(look(path, 0, &reader), SST_OK);
        more(stream, 3, 399);
        CHECK_INT(sst_refresh(reader), SST_OK);
        maps = watch.calls[ON_MAP];
        look_at = way < 2 ? store : reader;
        CHECK_INT(sst_stream_open(look_at, "image", &again), SST_OK);
        for (i = 0; i < 400; i++) {                 /* backwards; anywhere; backwards */
            row = way == 1 ? test_below(&random, 400) : 399 - i;
            CHECK_INT(sst_slice(again, row, 1, &view), SST_OK);
            CHECK(view.stable && view.count == 1 && view.times[0] == time_of(3, row));
        }
        CHECK(watch.calls[ON_MAP] - maps <= 4);     /* of 64 MiB each; the file has 2 */
        CHECK_INT(sst_close(reader), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
    wipe(path);
    check_leaks();
}

static void opening_is_cheap(void) {
    const char *path = at("cheap.sst");
    sst_store *store;
    sst_stream *stream;
    sst_options options = options_of(0);
    int64_t times[1000], values[1000];
    uint64_t index = 0, round, i, sessions_done, offset = 64;
    size_t size;
    uint8_t *bytes;
    mend_record r;
    options.block_bytes = 0;
    for (sessions_done = 0; sessions_done < 3; sessions_done++) {
        CHECK_INT(sessions_done == 0 ? sst_create(path, &options, &store)
                                     : sst_open_append(path, &options, &store), SST_OK);
        stream = make_kind(store, 0);
        for (round = 0; round < 200; round++) {
            for (i = 0; i < 1000; i++) {
                times[i] = (int64_t)(sst_rows(stream) + i);
                values[i] = times[i] * 3;
            }
            CHECK_INT(sst_append_rows(stream, times, values, 1000), SST_OK);
        }
        CHECK_INT(sst_close(store), SST_OK);
    }
    bytes = get_file(path, &size);
    while (mend_next(bytes, size, &offset, &r)) {
        if (r.type == MEND_INDEX) index += r.size;
    }
    free(bytes);
    CHECK(size > 9000000);
    watch.read_bytes = 0;
    memset(watch.calls, 0, sizeof watch.calls);
    CHECK_INT(look(path, SST_NO_MAP, &store), SST_OK);
    CHECK(watch.read_bytes <= 4096 + 2 * index);
    CHECK(watch.calls[ON_READ] < 30);
    CHECK_INT(watch.calls[ON_WRITE] + watch.calls[ON_RESIZE] + watch.calls[ON_SYNC], 0);
    CHECK_INT(sst_stream_open(store, "small", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), 600000);
    CHECK_INT(sst_close(store), SST_OK);
    watch.read_bytes = 0;
    CHECK_INT(sst_open_append(path, &options, &store), SST_OK);     /* so does going on */
    CHECK(watch.read_bytes <= 8192 + 2 * index);
    CHECK_INT(sst_close(store), SST_OK);
    wipe(path);
    check_leaks();
}

int main(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.200s/test_file.XXXXXX",
             base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    watch_none();
    TEST_RUN(create_and_read);
    TEST_RUN(sessions);
    TEST_RUN(order_across_sessions);
    TEST_RUN(timelines_across_sessions);
    TEST_RUN(create_options);
    TEST_RUN(replace_keeps);
    TEST_RUN(companion_there);
    TEST_RUN(replace_mapped);
    TEST_RUN(locks);
    TEST_RUN(lock_of_the_dead);
    TEST_RUN(cut_anywhere);
    TEST_RUN(torn_records);
    TEST_RUN(damage_before_sync);
    TEST_RUN(damaged_index);
    TEST_RUN(sync_makes_durable);
    TEST_RUN(intervals);
    TEST_RUN(sync_fails);
    TEST_RUN(no_sync);
    TEST_RUN(writes_fail);
    TEST_RUN(stale_bytes);
    TEST_RUN(close_fails);
    TEST_RUN(openings_fail);
    TEST_RUN(torn_is_whole);
    TEST_RUN(timeline_survey_fails);
    TEST_RUN(reads_fail);
    TEST_RUN(refreshes_fail);
    TEST_RUN(full_disk);
    TEST_RUN(refresh_shows);
    TEST_RUN(refresh_unsorts);
    TEST_RUN(refresh_in_a_child);
    TEST_RUN(read_without_mapping);
    TEST_RUN(record_without_mapping);
    TEST_RUN(mapped_in_any_order);
    TEST_RUN(opening_is_cheap);
    empty_folder(folder);
    (void)rmdir(folder);
    return test_done("test_file");
}
