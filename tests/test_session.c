/* Sessions: what must hold between two handles, two threads, two stores at one path, and a writer
 * and what an earlier session has left. Faults come from hooks in the allocator and the I/O. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "test.h"

static char folder[256], path[300], live[320];

static sst_store *store;            /* what hooks and helper threads work on */
static sst_stream *second;
static sst_io io;
static sst_options hooked;          /* options with `io` */
static int armed, syncs, dir_syncs;

static void remove_files(void) {
    static const char *const ends[] = {"", "-live", "-live-new", "-torn"};
    char name[340];
    size_t i;
    for (i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void prepare(void) {
    remove_files();
    io = *sst_io_default();
    memset(&hooked, 0, sizeof hooked);
    hooked.io = &io;
    armed = syncs = dir_syncs = 0;
    store = NULL;
    second = NULL;
}

static int make_stream(sst_store *s, const char *name, uint32_t items, sst_stream **stream) {
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = SST_I64;
    desc.shape[0] = items;
    return sst_stream_create(s, &desc, stream);
}

/* Rows first to end - 1 of a scalar stream: time 10 * row + 10, value row. */
static void append_rows(sst_stream *stream, int first, int end) {
    int i;
    for (i = first; i < end && test_errors == 0; i++) {
        CHECK_INT(sst_append_i64(stream, 10 * (int64_t)i + 10, i), SST_OK);
    }
}

static void check_rows(sst_stream *stream, uint64_t rows) {
    sst_view view;
    uint64_t i;
    CHECK_INT(sst_rows(stream), rows);
    REQUIRE(sst_slice(stream, 0, rows, &view) == SST_OK);
    REQUIRE(view.count == rows);
    for (i = 0; i < rows && test_errors == 0; i++) {
        CHECK_INT(view.times[i], 10 * (int64_t)i + 10);
        CHECK_INT(((const int64_t *)view.values)[i], i);
    }
}

static void check_stream(sst_store *s, const char *name, uint64_t rows) {
    sst_stream *stream;
    REQUIRE(sst_stream_open(s, name, &stream) == SST_OK);
    check_rows(stream, rows);
}

/* The same in the file at path. */
static void check_file(const char *name, uint64_t rows) {
    sst_store *s;
    REQUIRE(sst_open(path, NULL, &s) == SST_OK);
    check_stream(s, name, rows);
    CHECK_INT(sst_close(s), SST_OK);
}

/* Runs the function in a process that ends without closing anything. */
static void in_crashing_process(void (*function)(void)) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        function();
        _exit(test_errors > 0);
    }
    REQUIRE(pid > 0);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The file at path, up to 1 MiB of it; the caller frees it. */
static uint8_t *read_file(size_t *size) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = (uint8_t *)malloc(1 << 20);
    *size = 0;
    if (file != NULL && bytes != NULL) *size = fread(bytes, 1, 1 << 20, file);
    if (file != NULL) fclose(file);
    return bytes;
}

static void write_file(const uint8_t *bytes, size_t size) {
    FILE *file = fopen(path, "r+b");
    REQUIRE(file != NULL);
    CHECK_INT(fwrite(bytes, 1, size, file), size);
    CHECK_INT(fclose(file), 0);
}

/* ---- two handles of one stream ---- */

/* Polls when a query asks for new memory: the tail it copies is sealed meanwhile. */
static void *polling_resize(void *user, void *old, size_t old_size, size_t new_size) {
    (void)user;
    (void)old_size;
    if (armed && old == NULL && new_size > 500) {
        armed = 0;
        CHECK_INT(sst_poll(store), SST_OK);
    }
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, new_size);
}

/* A second handle reads a tail that has grown since it was opened and is sealed during the
 * query: every row is what was appended. */
static void second_handle_reads_grown_tail(void) {
    sst_allocator allocator = {NULL, polling_resize};
    sst_stream *writer, *reader;
    sst_options options;
    sst_view view;
    int64_t i;
    prepare();
    memset(&options, 0, sizeof options);
    options.allocator = &allocator;
    options.flags = SST_DEFERRED;
    REQUIRE(sst_create(path, &options, &store) == SST_OK);
    CHECK_INT(make_stream(store, "a", 0, &writer), SST_OK);
    CHECK_INT(sst_stream_open(store, "a", &reader), SST_OK);
    append_rows(writer, 0, 1500);
    armed = 1;
    CHECK_INT(sst_slice(reader, 0, 1000, &view), SST_OK);
    CHECK_INT(view.count, 1000);
    for (i = 0; i < 1000 && test_errors == 0; i++) {
        CHECK_INT(view.times[i], 10 * i + 10);
        CHECK_INT(((const int64_t *)view.values)[i], i);
    }
    armed = 0;
    CHECK_INT(sst_close(store), SST_OK);
}

/* A stream that is opened again with larger blocks: neither handle loses rows. */
static void existing_with_other_block_bytes(void) {
    sst_stream_desc desc;
    sst_stream *stream, *again;
    int64_t value[64] = {0};
    int i;
    prepare();
    memset(&desc, 0, sizeof desc);
    desc.name = "a";
    desc.type = SST_I64;
    desc.shape[0] = 64;
    desc.block_bytes = 1024;
    REQUIRE(sst_create(path, NULL, &store) == SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (i = 0; i < 10; i++) CHECK_INT(sst_append(stream, i + 1, value), SST_OK);
    desc.block_bytes = 65536;
    desc.flags = SST_OPEN_EXISTING;
    CHECK_INT(sst_stream_create(store, &desc, &again), SST_OK);
    for (; i < 15; i++) CHECK_INT(sst_append(stream, i + 1, value), SST_OK);
    CHECK_INT(sst_rows(stream), 15);
    CHECK_INT(sst_rows(again), 15);
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open(path, NULL, &store) == SST_OK);
    CHECK_INT(sst_stream_open(store, "a", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), 15);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- syncing ---- */

static void *append_and_flush(void *user) {
    (void)user;
    CHECK_INT(sst_append_i64(second, 10, 0), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    return NULL;
}

static int sync_while_flushing(void *user, void *file) {
    pthread_t thread;
    syncs++;
    if (armed) {
        armed = 0;
        if (pthread_create(&thread, NULL, append_and_flush, NULL) != 0) return SST_ERR_IO;
        pthread_join(thread, NULL);
    }
    return sst_io_default()->sync(user, file);
}

/* A block that another thread seals during a sync is not covered by it: it is not durable yet,
 * and the next sst_sync syncs it. */
static void sealed_during_sync(void) {
    sst_stream *first;
    int before;
    prepare();
    io.sync = sync_while_flushing;
    REQUIRE(sst_create(path, &hooked, &store) == SST_OK);
    CHECK_INT(make_stream(store, "a", 0, &first), SST_OK);
    CHECK_INT(make_stream(store, "b", 0, &second), SST_OK);
    append_rows(first, 0, 1);
    armed = 1;
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(armed, 0);
    CHECK_INT(sst_durable_rows(first), 1);
    CHECK_INT(sst_rows(second), 1);
    CHECK_INT(sst_durable_rows(second), 0);
    before = syncs;
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK(syncs > before);
    CHECK_INT(sst_durable_rows(second), 1);
    CHECK_INT(sst_close(store), SST_OK);
}

static int counting_sync_dir(void *user, const char *name) {
    dir_syncs++;
    return sst_io_default()->sync_dir(user, name);
}

static void create_only(void) { CHECK_INT(sst_create(path, &hooked, &store), SST_OK); }

/* Rows of a later session are durable only when the name of the file is: the session that made
 * it has never synced the directory. */
static void later_session_syncs_directory(void) {
    sst_stream *stream;
    prepare();
    io.sync_dir = counting_sync_dir;
    in_crashing_process(create_only);
    REQUIRE(sst_open_append(path, &hooked, &store) == SST_OK);
    CHECK_INT(make_stream(store, "a", 0, &stream), SST_OK);
    append_rows(stream, 0, 1);
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(sst_durable_rows(stream), 1);
    CHECK(dir_syncs > 0);
    CHECK_INT(sst_close(store), SST_OK);
}

static int in_second, release_second, fail_second;  /* of the second of two syncs */
static int thread_result;
static pthread_t sync_thread;

/* Until the flag is set, at most so many milliseconds; the flag. */
static int wait_for(const int *flag, int milliseconds) {
    int i;
    for (i = 0; i < milliseconds && __atomic_load_n(flag, __ATOMIC_ACQUIRE) == 0; i++) {
        usleep(1000);
    }
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void *append_and_sync(void *user) {
    (void)user;
    if (sst_append_i64(second, 10, 0) == SST_OK) thread_result = sst_sync(store);
    return NULL;
}

/* The first sync gives the other thread's some time to begin, should it not wait. */
static int overlapping_sync(void *user, void *file) {
    int number = __atomic_add_fetch(&syncs, 1, __ATOMIC_ACQ_REL);
    if (number == 1) {
        if (pthread_create(&sync_thread, NULL, append_and_sync, NULL) != 0) return SST_ERR_IO;
        wait_for(&in_second, 50);
    } else if (number == 2) {
        __atomic_store_n(&in_second, 1, __ATOMIC_RELEASE);
        wait_for(&release_second, 5000);
        if (fail_second) return SST_ERR_IO;
    }
    return sst_io_default()->sync(user, file);
}

/* While a thread's sync has not returned, what it is for is not durable, whatever other sync
 * ends meanwhile; if it fails, it never is. */
static void overlapping_syncs(int fail) {
    sst_stream *first;
    int i;
    prepare();
    in_second = release_second = 0;
    fail_second = fail;
    thread_result = SST_ERR_STATE;
    io.sync = overlapping_sync;
    hooked.sync_interval_bytes = 1;
    hooked.block_bytes = 4096;
    REQUIRE(sst_create(path, &hooked, &store) == SST_OK);
    CHECK_INT(make_stream(store, "a", 0, &first), SST_OK);
    CHECK_INT(make_stream(store, "b", 0, &second), SST_OK);
    for (i = 0; i < 5000 && __atomic_load_n(&syncs, __ATOMIC_ACQUIRE) == 0; i++) {
        CHECK_INT(sst_append_i64(first, i + 1, i), SST_OK);
    }
    REQUIRE(__atomic_load_n(&syncs, __ATOMIC_ACQUIRE) > 0);
    CHECK(wait_for(&in_second, 5000));
    CHECK_INT(sst_durable_rows(second), 0);
    __atomic_store_n(&release_second, 1, __ATOMIC_RELEASE);
    pthread_join(sync_thread, NULL);
    CHECK_INT(thread_result, fail ? SST_ERR_IO : SST_OK);
    CHECK_INT(sst_durable_rows(second), fail ? 0 : 1);
    CHECK_INT(sst_close(store), fail ? SST_ERR_IO : SST_OK);
}

static void overlapping_syncs_succeed(void) { overlapping_syncs(0); }
static void overlapping_sync_fails(void) { overlapping_syncs(1); }

/* ---- what other sessions have left ---- */

static void record_hundred(void) {
    sst_stream *stream;
    REQUIRE(sst_create(path, NULL, &store) == SST_OK);
    REQUIRE(make_stream(store, "a", 0, &stream) == SST_OK);
    append_rows(stream, 0, 100);
}

static int open_without_companion(void *user, const char *name, uint32_t mode, void **file) {
    if (armed && mode == SST_IO_READ && strcmp(name, live) == 0) {
        *file = NULL;
        errno = EMFILE;
        return SST_ERR_IO;
    }
    return sst_io_default()->open(user, name, mode, file);
}

/* A writer that cannot open the companion now, though it is there, must not go on without it:
 * the rows of the tail are there for the next one. */
static void companion_cannot_be_opened(void) {
    prepare();
    io.open = open_without_companion;
    in_crashing_process(record_hundred);
    armed = 1;
    CHECK_INT(sst_open_append(path, &hooked, &store), SST_ERR_IO);
    armed = 0;
    check_file("a", 100);
    REQUIRE(sst_open_append(path, &hooked, &store) == SST_OK);
    check_stream(store, "a", 100);
    CHECK_INT(sst_close(store), SST_OK);
    check_file("a", 100);
}

/* A store whose file was unlinked, and another one at its path. */
static void two_at_one_path(sst_store **old) {
    sst_options options;
    sst_stream *stream;
    memset(&options, 0, sizeof options);
    options.flags = SST_REPLACE;
    REQUIRE(sst_create(path, NULL, old) == SST_OK);
    CHECK_INT(unlink(path), 0);
    REQUIRE(sst_create(path, &options, &store) == SST_OK);
    REQUIRE(make_stream(store, "a", 0, &stream) == SST_OK);
    append_rows(stream, 0, 100);
}

static void close_old_and_crash(void) {
    sst_store *old = NULL;
    sst_info info;
    two_at_one_path(&old);
    REQUIRE(test_errors == 0);
    CHECK_INT(sst_close(old), SST_OK);
    sst_store_info(store, &info);
    CHECK(info.kill_safe);
    CHECK_INT(access(live, F_OK), 0);
}

/* Closing a store leaves the companion of another one at its path: its rows survive a crash. */
static void close_leaves_files_of_another(void) {
    prepare();
    in_crashing_process(close_old_and_crash);
    REQUIRE(sst_open_append(path, NULL, &store) == SST_OK);
    check_stream(store, "a", 100);
    CHECK_INT(sst_close(store), SST_OK);
}

/* So does sst_abort, which removes only what the store itself has made. */
static void abort_leaves_files_of_another(void) {
    sst_store *old = NULL;
    prepare();
    two_at_one_path(&old);
    REQUIRE(test_errors == 0);
    CHECK_INT(sst_abort(old), SST_OK);
    CHECK_INT(access(path, F_OK), 0);
    CHECK_INT(access(live, F_OK), 0);
    CHECK_INT(sst_close(store), SST_OK);
    check_file("a", 100);
}

static void record_two_streams(void) {
    sst_stream *lost, *kept;
    REQUIRE(sst_create(path, NULL, &store) == SST_OK);
    REQUIRE(make_stream(store, "lost-one", 0, &lost) == SST_OK);
    REQUIRE(make_stream(store, "kept", 0, &kept) == SST_OK);
    append_rows(lost, 0, 10);
    append_rows(kept, 0, 10);
    CHECK_INT(sst_sync(store), SST_OK);
}

/* A new stream does not take the number of one whose declaration is damaged: it would be taken
 * for the owner of the lost one's blocks. */
static void number_of_lost_stream(void) {
    sst_stream *stream;
    uint8_t *bytes;
    size_t size, i;
    prepare();
    in_crashing_process(record_two_streams);
    bytes = read_file(&size);
    for (i = 0; i + 8 <= size && memcmp(bytes + i, "lost-one", 8) != 0; i++) { }
    CHECK(i + 8 <= size);
    if (i + 8 <= size) bytes[i] ^= 0x55;
    write_file(bytes, size);
    free(bytes);
    REQUIRE(sst_open_append(path, NULL, &store) == SST_OK);
    CHECK_INT(sst_stream_count(store), 1);
    CHECK_INT(make_stream(store, "new", 0, &stream), SST_OK);
    append_rows(stream, 0, 20);
    CHECK_INT(sst_close(store), SST_OK);
    check_file("kept", 10);
    check_file("new", 20);
}

static int full;        /* the next write finds no room */

/* Armed, tears a write that begins with a SKIP record (byte 4 is the type): 8,192 bytes of it. */
static int tearing_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                         size_t *done) {
    if (full) {
        full = 0;
        *done = 0;
        return SST_ERR_FULL;
    }
    if (armed && size > 65536 && ((const uint8_t *)bytes)[4] == 7) {
        armed = 0;
        full = 1;
        size = 8192;
    }
    return sst_io_default()->write_at(user, file, offset, bytes, size, done);
}

/* A reader that has seen the torn end of a failed write follows when the writer goes on. */
static void reader_follows_after_failed_write(void) {
    static int64_t value[512];
    sst_stream *writer, *stream;
    sst_store *reader;
    sst_info info;
    int i = 0, result;
    prepare();
    full = 0;
    io.write_at = tearing_write;
    REQUIRE(sst_create(path, &hooked, &store) == SST_OK);
    CHECK_INT(make_stream(store, "a", 512, &writer), SST_OK);
    armed = 1;
    while ((result = sst_append(writer, i + 1, value)) == SST_OK && i < 1000) i++;
    CHECK_INT(result, SST_ERR_FULL);
    REQUIRE(sst_open(path, NULL, &reader) == SST_OK);
    CHECK_INT(sst_stream_open(reader, "a", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), i);
    CHECK_INT(sst_set_meta(store, "k", "v", 1), SST_OK);
    for (; i < 400; i++) CHECK_INT(sst_append(writer, i + 1, value), SST_OK);
    for (i = 0; i < 3; i++) CHECK_INT(sst_refresh(reader), SST_OK);
    CHECK_INT(sst_rows(stream), 400);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_refresh(reader), SST_OK);
    sst_store_info(reader, &info);
    CHECK_INT(sst_rows(stream), 400);
    CHECK_INT(info.state, SST_FINISHED);
    CHECK_INT(info.torn_bytes, 0);
    CHECK_INT(sst_close(reader), SST_OK);
}

/* In the INDEX of a file with one stream of two blocks, makes the first block's last time wrong
 * by one, with valid checksums. */
static void make_index_lie(void) {
    size_t size, i, at = 0;
    uint8_t *bytes = read_file(&size), *payload, *entry;
    uint64_t length;
    for (i = 64; i + 64 <= size; i += 64) {
        if (memcmp(bytes + i, "SREC", 4) == 0 && bytes[i + 4] == 4) at = i;
    }
    length = at > 0 ? ssti_get64(bytes + at + 24) : 0;
    CHECK(at > 0 && length >= 80);
    if (at > 0 && length >= 80) {
        payload = bytes + at + 64;
        entry = payload + length - 80;
        ssti_put64(entry + 24, ssti_get64(entry + 24) - 1);
        ssti_put32(bytes + at + 56, sst_crc32c(payload, (size_t)length, 0));
        ssti_put32(bytes + at + 60, ssti_header_crc(bytes + at, at));
        write_file(bytes, size);
    }
    free(bytes);
}

/* A writer goes on in a file whose INDEX lies, and a query finds out: the rows of this session,
 * before and after it, are in the file in the end. */
static void appending_behind_lying_index(void) {
    sst_stream *stream;
    sst_view view;
    prepare();
    REQUIRE(sst_create(path, NULL, &store) == SST_OK);
    CHECK_INT(make_stream(store, "a", 0, &stream), SST_OK);
    append_rows(stream, 0, 10);
    CHECK_INT(sst_flush(store), SST_OK);
    append_rows(stream, 10, 20);
    CHECK_INT(sst_close(store), SST_OK);
    make_index_lie();
    REQUIRE(sst_open_append(path, NULL, &store) == SST_OK);
    CHECK_INT(sst_stream_open(store, "a", &stream), SST_OK);
    append_rows(stream, 20, 5000);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_slice(stream, 0, 20, &view), SST_OK);
    CHECK_INT(view.count, 20);
    append_rows(stream, 5000, 8000);
    CHECK_INT(sst_close(store), SST_OK);
    check_file("a", 8000);
}

/* ---- other processes at the same path ---- */

static sst_store *rival;            /* what the other process has opened */

/* Another process replaces the file, and records a hundred rows. */
static void rival_replaces(void) {
    sst_options options;
    sst_stream *stream;
    memset(&options, 0, sizeof options);
    options.flags = SST_REPLACE;
    REQUIRE(sst_create(path, &options, &rival) == SST_OK);
    REQUIRE(make_stream(rival, "a", 0, &stream) == SST_OK);
    append_rows(stream, 0, 100);
}

static void rival_replaces_and_closes(void) {
    rival_replaces();
    CHECK_INT(sst_close(rival), SST_OK);
}

static void (*rival_acts)(void);

/* Another process is faster: between opening a file and locking it. */
static int late_lock(void *user, void *file, int how) {
    if (armed && how == SST_IO_LOCK) {
        armed = 0;
        rival_acts();
    }
    return sst_io_default()->lock(user, file, how);
}

/* A closed file at path; the next lock is late. */
static void prepare_rival(void (*acts)(void)) {
    sst_stream *stream;
    prepare();
    io.lock = late_lock;
    rival_acts = acts;
    rival = NULL;
    REQUIRE(sst_create(path, NULL, &store) == SST_OK);
    REQUIRE(make_stream(store, "old", 0, &stream) == SST_OK);
    append_rows(stream, 0, 7);
    CHECK_INT(sst_close(store), SST_OK);
    armed = 1;
}

/* Who opens a file that is replaced before it has the lock goes on with the new one. */
static void replaced_before_lock(void) {
    sst_stream *stream;
    prepare_rival(rival_replaces_and_closes);
    REQUIRE(sst_open_append(path, &hooked, &store) == SST_OK);
    CHECK_INT(armed, 0);
    REQUIRE(sst_stream_open(store, "a", &stream) == SST_OK);
    append_rows(stream, 100, 200);
    CHECK_INT(sst_close(store), SST_OK);
    check_file("a", 200);
}

/* It is not taken away from the process that records it. */
static void replaced_and_recorded(void) {
    prepare_rival(rival_replaces);
    CHECK_INT(sst_open_append(path, &hooked, &store), SST_ERR_LOCKED);
    CHECK_INT(sst_close(rival), SST_OK);
    check_file("a", 100);
}

/* Of two that replace a file, the slower one does not unlink what the faster one has made. */
static void replaced_twice(void) {
    int result;
    prepare_rival(rival_replaces);
    hooked.flags = SST_REPLACE;
    result = sst_create(path, &hooked, &store);
    CHECK(result == SST_ERR_EXISTS || result == SST_ERR_LOCKED);
    CHECK(store == NULL);
    CHECK_INT(sst_close(rival), SST_OK);
    check_file("a", 100);
}

/* Nor of two that create it. */
static void created_twice(void) {
    prepare_rival(rival_replaces);
    remove_files();
    CHECK_INT(sst_create(path, &hooked, &store), SST_ERR_LOCKED);
    CHECK(store == NULL);
    CHECK_INT(sst_close(rival), SST_OK);
    check_file("a", 100);
}

/* ---- the blocks of one flush ---- */

#define FLUSH_STREAMS 100

static int writes;

static int counted_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                         size_t *done) {
    writes++;
    *done = 0;
    if (armed == 1) return SST_ERR_FULL;
    if (armed == 2) size = (size + 1) / 2;      /* half of it, then nothing more */
    if (armed == 2) armed = 1;
    return sst_io_default()->write_at(user, file, offset, bytes, size, done);
}

/* Many small blocks are a few writes; where those fail no row is lost, and none is there twice. */
static void flush_gathers(void) {
    sst_stream *streams[FLUSH_STREAMS];
    char name[16];
    int i, fault, rows = 0;
    prepare();
    io.write_at = counted_write;
    REQUIRE(sst_create(path, &hooked, &store) == SST_OK);
    for (i = 0; i < FLUSH_STREAMS; i++) {
        snprintf(name, sizeof name, "s%d", i);
        REQUIRE(make_stream(store, name, i % 10 == 9 ? 1000 : 0, &streams[i]) == SST_OK);
    }
    for (fault = 0; fault < 4; fault++) {
        for (i = 0; i < FLUSH_STREAMS; i++) {
            if (i % 10 != 9) append_rows(streams[i], rows, rows + 3 + fault);
        }
        rows += 3 + fault;
        writes = 0;
        armed = fault == 3 ? 0 : fault;
        CHECK_INT(sst_flush(store), armed ? SST_ERR_FULL : SST_OK);
        armed = 0;
        CHECK(writes > 0 && writes <= 5);
        for (i = 0; i < FLUSH_STREAMS; i++) {
            if (i % 10 != 9) check_rows(streams[i], (uint64_t)rows);
        }
        check_file("s17", (uint64_t)rows);
    }
    CHECK_INT(sst_close(store), SST_OK);
    for (i = 0; i < FLUSH_STREAMS; i += 7) {
        snprintf(name, sizeof name, "s%d", i);
        if (i % 10 != 9) check_file(name, (uint64_t)rows);
    }
}

/* ---- a companion with a gap ---- */

static void record_two_halves(void) {
    sst_options options;
    sst_stream *stream;
    int row = 0;
    memset(&options, 0, sizeof options);
    options.flags = SST_DEFERRED;
    options.block_bytes = 1024;
    REQUIRE(sst_create(path, &options, &store) == SST_OK);
    REQUIRE(make_stream(store, "a", 0, &stream) == SST_OK);
    while (sst_append_i64(stream, 10 * (int64_t)row + 10, row) == SST_OK) row++;
    CHECK_INT(row, 128);            /* both halves are full */
}

/* Where the half that begins with row 0 lies in the companion, by the newer descriptor of each
 * half; >>live says where those are. */
static long first_half(FILE *file) {
    uint8_t head[256], slot[512];
    int half;
    CHECK_INT(fread(head, 1, sizeof head, file), sizeof head);
    CHECK_INT(fseek(file, (long)ssti_get64(head + 128), SEEK_SET), 0);
    CHECK_INT(fread(slot, 1, sizeof slot, file), sizeof slot);
    for (half = 0; half < 2; half++) {
        const uint8_t *d = slot + half * 256;
        if (ssti_get32(d + 64) > ssti_get32(d)) d += 64;
        if (ssti_get64(d + 8) == 0) return (long)ssti_get64(d + 16);
    }
    return 0;
}

/* Spoils row 5. */
static void spoil_companion(void) {
    FILE *file = fopen(live, "r+b");
    REQUIRE(file != NULL);
    CHECK_INT(fseek(file, first_half(file) + 8 * 5, SEEK_SET), 0);
    CHECK_INT(fputc(0xFF, file), 0xFF);
    CHECK_INT(fclose(file), 0);
}

/* Rows behind a damaged one are not joined to those before it, and that is told. */
static void gap_in_companion(void) {
    sst_info info;
    prepare();
    in_crashing_process(record_two_halves);
    REQUIRE(sst_open(path, NULL, &store) == SST_OK);
    check_stream(store, "a", 128);
    CHECK(sst_store_info(store, &info) == SST_OK && !info.tail_missing);
    CHECK_INT(sst_close(store), SST_OK);
    spoil_companion();
    REQUIRE(sst_open(path, NULL, &store) == SST_OK);
    check_stream(store, "a", 5);
    CHECK(sst_store_info(store, &info) == SST_OK && info.tail_missing);
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open_append(path, NULL, &store) == SST_OK);
    check_stream(store, "a", 5);
    CHECK(sst_store_info(store, &info) == SST_OK && info.tail_missing);
    CHECK_INT(info.recovered_rows, 5);
    CHECK_INT(sst_close(store), SST_OK);
    check_file("a", 5);
}

int main(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sst-session-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/run.sstore", folder);
    snprintf(live, sizeof live, "%s-live", path);
    TEST_RUN(second_handle_reads_grown_tail);
    TEST_RUN(existing_with_other_block_bytes);
    TEST_RUN(sealed_during_sync);
    TEST_RUN(later_session_syncs_directory);
    TEST_RUN(overlapping_syncs_succeed);
    TEST_RUN(overlapping_sync_fails);
    TEST_RUN(companion_cannot_be_opened);
    TEST_RUN(close_leaves_files_of_another);
    TEST_RUN(abort_leaves_files_of_another);
    TEST_RUN(number_of_lost_stream);
    TEST_RUN(reader_follows_after_failed_write);
    TEST_RUN(appending_behind_lying_index);
    TEST_RUN(replaced_before_lock);
    TEST_RUN(replaced_and_recorded);
    TEST_RUN(replaced_twice);
    TEST_RUN(created_twice);
    TEST_RUN(flush_gathers);
    TEST_RUN(gap_in_companion);
    remove_files();
    rmdir(folder);
    return test_done("session");
}
