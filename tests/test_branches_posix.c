/* The layer on POSIX above a kernel that interrupts and refuses. */
#include "kernel.h"

#define SSTI_BUFFER_FROM 65536u
#define SSTI_BUFFER_RESERVE 1048576u
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#include "test.h"
#include "folder.h"

static const sst_io *io;

/* An open file of the layer, made anew. */
static void *fresh(const char *name) {
    void *file = NULL;
    (void)io->remove(io->user, at(name));
    if (io->open(io->user, at(name), SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE, &file) != SST_OK) {
        printf("no file\n");
        exit(1);
    }
    return file;
}

static const uint64_t beyond = UINT64_MAX - 63;     /* no off_t says that */

/* ---- what each errno means ------------------------------------------------------------------ */

static void errno_results(void) {
    static const struct { int error, result; } table[] = {
        {ENOSPC, SST_ERR_FULL}, {EDQUOT, SST_ERR_FULL}, {EFBIG, SST_ERR_FULL},
        {EEXIST, SST_ERR_EXISTS}, {ENOENT, SST_ERR_NOT_FOUND}, {ENOMEM, SST_ERR_MEMORY},
        {EIO, SST_ERR_IO}, {EROFS, SST_ERR_IO}
    };
    void *file = fresh("errno");
    size_t i, done;
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
        arm(ON_PWRITE, 1, table[i].error);
        done = 99;
        CHECK_INT(io->write_at(io->user, file, 0, "abc", 3, &done), table[i].result);
        CHECK_INT(done, 0);
        arm(ON_TRUNCATE, 1, table[i].error);
        CHECK_INT(io->resize(io->user, file, 4096), table[i].result);
    }
    arm(ON_NOTHING, 0, 0);
    CHECK_INT(io->close(io->user, file), SST_OK);
}

/* ---- calls that are interrupted are made again ---------------------------------------------- */

static void interrupted(void) {
    void *file, *base = NULL;
    uint64_t size = 1;
    size_t done = 0;
    char back[4] = {0};
    arm(ON_OPEN, 3, EINTR);
    file = fresh("eintr");
    CHECK_INT(fault.calls, 4);
    arm(ON_PWRITE, 2, EINTR);
    CHECK_INT(io->write_at(io->user, file, 0, "abcd", 4, &done), SST_OK);
    CHECK(done == 4 && fault.calls == 3);
    arm(ON_PREAD, 2, EINTR);
    CHECK_INT(io->read_at(io->user, file, 1, back, 3, &done), SST_OK);
    CHECK(done == 3 && fault.calls == 3 && memcmp(back, "bcd", 3) == 0);
    arm(ON_TRUNCATE, 2, EINTR);
    CHECK_INT(io->resize(io->user, file, 4096), SST_OK);
    CHECK_INT(fault.calls, 3);
    CHECK_INT(io->size(io->user, file, &size), SST_OK);
    CHECK_INT(size, 4096);
    arm(ON_SYNC, 2, EINTR);
    CHECK_INT(io->sync(io->user, file), SST_OK);
    CHECK_INT(fault.calls, 3);
    arm(ON_FCNTL, 2, EINTR);
    CHECK_INT(io->lock(io->user, file, SST_IO_LOCK), SST_OK);
    CHECK_INT(fault.calls, 3);
    arm(ON_SYNC_DIR, 2, EINTR);
    CHECK_INT(io->sync_dir(io->user, at("eintr")), SST_OK);
    CHECK_INT(fault.calls, 3);
    arm(ON_OPEN, 2, EINTR);
    CHECK_INT(io->sync_dir(io->user, at("eintr")), SST_OK);
    CHECK_INT(fault.calls, 3);
    CHECK_INT(io->map(io->user, file, 0, 4096, SST_IO_READ, &base), SST_OK);
    CHECK(base != NULL && memcmp(base, "abcd", 4) == 0);
    CHECK_INT(io->unmap(io->user, file, base, 4096), SST_OK);
    arm(ON_CLOSE, 1, EINTR);            /* never again: the number may be another file's by now */
    CHECK_INT(io->close(io->user, file), SST_OK);
    CHECK_INT(fault.calls, 1);
    arm(ON_NOTHING, 0, 0);
}

/* Allocating, which not every file system does. */
static void allocation(void) {
    void *file = fresh("allocate");
    struct stat st;
    CHECK_INT(io->reserve(io->user, file, 0), SST_OK);
#if defined(__linux__)
    arm(ON_ALLOCATE, 2, EINTR);
    CHECK(io->reserve(io->user, file, 8192) != SST_ERR_IO);
    CHECK_INT(fault.calls, 3);
    arm(ON_ALLOCATE, 1, EOPNOTSUPP);
    CHECK_INT(io->reserve(io->user, file, 8192), SST_ERR_UNSUPPORTED);
    arm(ON_ALLOCATE, 1, ENOSYS);
    CHECK_INT(io->reserve(io->user, file, 8192), SST_ERR_UNSUPPORTED);
    arm(ON_ALLOCATE, 1, ENOSPC);
    CHECK_INT(io->reserve(io->user, file, 8192), SST_ERR_FULL);
#endif
    arm(ON_NOTHING, 0, 0);
    CHECK(stat(at("allocate"), &st) == 0 && st.st_size == 0);   /* the size is as it was */
    CHECK_INT(io->close(io->user, file), SST_OK);
}

/* ---- calls that fail for good --------------------------------------------------------------- */

static void refused(void) {
    void *file = fresh("refused"), *base = &file, *other = &file;
    uint64_t size = 7;
    size_t done = 7;
    char back[4];
    arm(ON_STAT, 1, EIO);
    CHECK_INT(io->size(io->user, file, &size), SST_ERR_IO);
    CHECK_INT(size, 0);
    arm(ON_PREAD, 1, EIO);
    CHECK_INT(io->read_at(io->user, file, 0, back, 4, &done), SST_ERR_IO);
    CHECK_INT(done, 0);
    arm(ON_SYNC, 1, EIO);
    CHECK_INT(io->sync(io->user, file), SST_ERR_IO);
    arm(ON_SYNC, 1, ENOSPC);
    CHECK_INT(io->sync(io->user, file), SST_ERR_FULL);
    arm(ON_MMAP, 1, ENOMEM);
    CHECK_INT(io->map(io->user, file, 0, 4096, SST_IO_READ, &base), SST_ERR_MEMORY);
    CHECK(base == NULL);
    arm(ON_FCNTL, 1, EAGAIN);
    CHECK_INT(io->lock(io->user, file, SST_IO_LOCK), SST_ERR_LOCKED);
    arm(ON_FCNTL, 1, EACCES);
    CHECK_INT(io->lock(io->user, file, SST_IO_LOCK), SST_ERR_LOCKED);
    arm(ON_FCNTL, 1, ENOLCK);
    CHECK_INT(io->lock(io->user, file, SST_IO_LOCK), SST_ERR_IO);
    arm(ON_OPEN, 1, ENOENT);
    CHECK_INT(io->open(io->user, at("refused"), SST_IO_READ, &other), SST_ERR_NOT_FOUND);
    CHECK(other == NULL);
    CHECK_INT(io->resize(io->user, file, 4096), SST_OK);
    CHECK_INT(io->map(io->user, file, 0, 4096, SST_IO_READ, &base), SST_OK);
    arm(ON_MUNMAP, 1, EINVAL);
    CHECK_INT(io->unmap(io->user, file, base, 4096), SST_ERR_IO);
    arm(ON_CLOSE, 1, EIO);
    CHECK_INT(io->close(io->user, file), SST_ERR_IO);
    arm(ON_NOTHING, 0, 0);
    CHECK_INT(io->remove(io->user, at("refused")), SST_OK);
    CHECK_INT(io->remove(io->user, at("refused")), SST_ERR_NOT_FOUND);
    CHECK_INT(io->rename(io->user, at("refused"), at("elsewhere")), SST_ERR_NOT_FOUND);
}

/* Syncing a folder: none there, a path that is too long, and file systems that do not offer it. */
static void folders(void) {
    char longest[5000];
    arm(ON_SYNC_DIR, 1, EINVAL);
    CHECK_INT(io->sync_dir(io->user, at("x")), SST_OK);
    arm(ON_SYNC_DIR, 1, EIO);
    CHECK_INT(io->sync_dir(io->user, at("x")), SST_ERR_IO);
    CHECK_INT(fault.calls, 1);
    arm(ON_NOTHING, 0, 0);
    CHECK_INT(io->sync_dir(io->user, at("none/x")), SST_ERR_NOT_FOUND);
    CHECK_INT(io->sync_dir(io->user, "no_slash"), SST_OK);
    memset(longest, 'a', sizeof longest);
    longest[4094] = '/';
    longest[4999] = 0;
    CHECK_INT(io->sync_dir(io->user, longest), SST_ERR_LIMIT);
    longest[4094] = 'a';
    longest[4093] = '/';                /* fits the buffer; the kernel has a word to say */
    CHECK(io->sync_dir(io->user, longest) < 0);
}

/* Offsets that off_t cannot say: nothing is written there, and nothing can be there to read. */
static void far_offsets(void) {
    void *file = fresh("far"), *base = &file;
    size_t done = 9;
    char back[2];
    CHECK_INT(io->write_at(io->user, file, beyond, "x", 1, &done), SST_ERR_FULL);
    CHECK_INT(done, 0);
    done = 9;
    CHECK_INT(io->read_at(io->user, file, beyond, back, 2, &done), SST_OK);
    CHECK_INT(done, 0);
    CHECK_INT(io->resize(io->user, file, beyond), SST_ERR_FULL);
    CHECK_INT(io->reserve(io->user, file, beyond), SST_ERR_FULL);
    CHECK_INT(io->map(io->user, file, beyond, 4096, SST_IO_READ, &base), SST_ERR_ARG);
    CHECK(base == NULL);
    CHECK_INT(io->map(io->user, file, 0, 0, SST_IO_READ, &base), SST_ERR_ARG);
    CHECK_INT(io->close(io->user, file), SST_OK);
}

/* One transfer is a GiB at most; the caller asks again. The bytes are not looked at: both fail. */
static void large_transfers(void) {
    void *file = fresh("large");
    static char byte[1];
    size_t done;
    arm(ON_PWRITE, 1, ENOSPC);
    CHECK_INT(io->write_at(io->user, file, 0, byte, (size_t)0x40000000u + 1, &done), SST_ERR_FULL);
    CHECK_INT(fault.asked, 0x40000000);
    arm(ON_PREAD, 1, EIO);
    CHECK_INT(io->read_at(io->user, file, 0, byte, (size_t)0x40000000u + 1, &done), SST_ERR_IO);
    CHECK_INT(fault.asked, 0x40000000);
    arm(ON_NOTHING, 0, 0);
    CHECK_INT(io->close(io->user, file), SST_OK);
}

static void clocks(void) {
    int64_t before = io->now_ns(io->user, SST_CLOCK_MONOTONIC);
    CHECK(before > 0 && io->now_ns(io->user, SST_CLOCK_MONOTONIC) >= before);
    CHECK(io->now_ns(io->user, SST_CLOCK_REALTIME) > 1500000000ll * 1000000000);
    arm(ON_CLOCK, 1, EINVAL);
    CHECK_INT(io->now_ns(io->user, SST_CLOCK_REALTIME), 0);
    arm(ON_NOTHING, 0, 0);
}

static void entropy(void) {
    uint8_t bytes[64] = {0};
    size_t i, zeros = 0;
    arm(ON_OPEN, 2, EINTR);
    CHECK_INT(io->entropy(io->user, bytes, sizeof bytes), SST_OK);
    CHECK_INT(fault.calls, 3);
    for (i = 0; i < sizeof bytes; i++) zeros += bytes[i] == 0;
    CHECK(zeros < 32);                          /* filled, in pieces of three bytes */
    arm(ON_READ, 2, EINTR);
    CHECK_INT(io->entropy(io->user, bytes, 2), SST_OK);
    CHECK_INT(fault.calls, 3);
    arm(ON_READ, 1, 0);                         /* the end of the file */
    CHECK_INT(io->entropy(io->user, bytes, 2), SST_ERR_IO);
    arm(ON_READ, 1, EIO);
    CHECK_INT(io->entropy(io->user, bytes, 2), SST_ERR_IO);
    arm(ON_OPEN, 1, ENOENT);
    CHECK_INT(io->entropy(io->user, bytes, 2), SST_ERR_NOT_FOUND);
    arm(ON_NOTHING, 0, 0);
}

/* ---- the same seen from a store ------------------------------------------------------------- */

/* Records a few rows and closes; the results of sst_create and sst_close, and of reading back. */
static void record(const char *name, bool *kill_safe, int *created, int *closed, uint64_t *rows) {
    sst_stream_desc desc = {0};
    sst_options options = {0};
    sst_store *store;
    sst_stream *stream;
    sst_info info;
    int64_t t;
    options.flags = SST_REPLACE;
    *kill_safe = false;
    *closed = 1;
    *rows = 0;
    *created = sst_create(at(name), &options, &store);
    if (*created != SST_OK) return;
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    *kill_safe = info.kill_safe;
    desc.name = "s";
    desc.type = SST_I64;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < 5000; t++) CHECK_INT(sst_append_i64(stream, t, 3 * t), SST_OK);
    *closed = sst_close(store);
    fault.kind = ON_NOTHING;
    REQUIRE(sst_open(at(name), NULL, &store) == SST_OK);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    *rows = sst_rows(stream);
    CHECK_INT(sst_close(store), SST_OK);
}

/* On a file system that may fail a store into an allocated page the tails are in memory. */
static void unsafe_file_systems(void) {
#if defined(__linux__)
    static const uint32_t magics[] = {0x9123683Eu, 0x6969u, 0x65735546u, 0xFF534D42u};
    bool safe;
    int created, closed;
    uint64_t rows;
    size_t i;
    for (i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        fault.magic = magics[i];
        record("unsafe", &safe, &created, &closed, &rows);
        CHECK(created == SST_OK && closed == SST_OK && !safe && rows == 5000);
    }
    fault.magic = 0xEF53u;                      /* ext4 */
    record("unsafe", &safe, &created, &closed, &rows);
    CHECK(created == SST_OK && closed == SST_OK && safe && rows == 5000);
    fault.magic = 0;
    arm(ON_STATFS, 1000, EIO);
    record("unsafe", &safe, &created, &closed, &rows);
    CHECK(created == SST_OK && closed == SST_OK && !safe && rows == 5000);
    CHECK(fault.calls > 0);
    arm(ON_NOTHING, 0, 0);
#else
    SKIP("Linux");
#endif
}

/* Without a page that is wiped on fork a store does without. */
static void no_guard(void) {
#if defined(__linux__)
    bool safe;
    int created, closed;
    uint64_t rows;
    uint32_t *guard;
    arm(ON_MADVISE, 1, EINVAL);
    CHECK(sstp_guard_make() == NULL);
    arm(ON_MMAP, 1, ENOMEM);
    CHECK(sstp_guard_make() == NULL);
    arm(ON_NOTHING, 0, 0);
    guard = sstp_guard_make();
    CHECK(guard == NULL || *guard == 1);        /* NULL: an old kernel, or not quite Linux */
    sstp_guard_free(guard);
    arm(ON_MADVISE, 1000, EINVAL);
    record("guard", &safe, &created, &closed, &rows);
    CHECK(created == SST_OK && closed == SST_OK && safe && rows == 5000);
    arm(ON_NOTHING, 0, 0);
#else
    SKIP("Linux");
#endif
}

/* What a failure of a call comes out as at the top. */
static void seen_from_above(void) {
    static const struct { call kind; int times, error, created; } table[] = {
        {ON_OPEN, 1, EMFILE, SST_ERR_IO},
        {ON_OPEN, 1, EINTR, SST_OK},
        {ON_FCNTL, 1, EAGAIN, SST_ERR_LOCKED},
        {ON_FCNTL, 1, ENOLCK, SST_ERR_IO},
        {ON_PWRITE, 1, ENOSPC, SST_ERR_FULL},
        {ON_PWRITE, 1, EINTR, SST_OK}
    };
    bool safe;
    int created, closed;
    uint64_t rows;
    size_t i;
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
        (void)unlink(at("above"));
        arm(table[i].kind, table[i].times, table[i].error);
        record("above", &safe, &created, &closed, &rows);
        CHECK_INT(created, table[i].created);
        if (table[i].created == SST_OK) CHECK(closed == SST_OK && rows == 5000);
        arm(ON_NOTHING, 0, 0);
    }
}

/* ---- a lock that another thread holds ------------------------------------------------------- */

/* The texts of sst_create and sst_open_append tell these apart. */
static void create_texts(void) {
    sst_store *store;
    sst_error error = {0};
    sst_options options = {0};
    char path[500];
    options.error = &error;
    snprintf(path, sizeof path, "%s/none/file", folder);
    CHECK_INT(sst_create(path, &options, &store), SST_ERR_NOT_FOUND);
    CHECK_TEXT(error.what, "there is no such file or folder");
    arm(ON_FCNTL, 1, EAGAIN);
    CHECK_INT(sst_create(at("texts"), &options, &store), SST_ERR_LOCKED);
    CHECK_TEXT(error.what, "another process records to it");
    arm(ON_NOTHING, 0, 0);
    CHECK_INT(error.result, SST_ERR_LOCKED);
}

/* ---- the buffer of a large image ------------------------------------------------------------ */

static char filling[2000000];

/* A store in memory whose image has so many records of so many bytes, of a letter each. */
static int fill(sst_store *store, int first, int records, size_t bytes) {
    int i, result = SST_OK;
    for (i = first; i < first + records && result == SST_OK; i++) {
        char key[2] = {0, 0};
        key[0] = (char)('a' + i);
        memset(filling, key[0], bytes);
        result = sst_set_meta(store, key, filling, bytes);
    }
    return result;
}

/* All are in the image. */
static void check_filled(sst_store *store, int records, size_t bytes) {
    sst_store *copy = NULL;
    const void *image, *value;
    size_t size;
    int i;
    REQUIRE(sst_image(store, &image, &size) == SST_OK);
    REQUIRE(sst_open_memory(image, size, NULL, &copy) == SST_OK);
    CHECK_INT(sst_verify(copy, NULL), SST_OK);
    for (i = 0; i < records; i++) {
        char key[2] = {0, 0};
        key[0] = (char)('a' + i);
        memset(filling, key[0], bytes);
        CHECK_INT(sst_get_meta(copy, key, &value, &size), SST_OK);
        CHECK(size == bytes && memcmp(value, filling, bytes) == 0);
    }
    CHECK_INT(sst_close(copy), SST_OK);
}

static sst_store *memory_store(void) {
    sst_store *store = NULL;
    CHECK_INT(sst_create(NULL, NULL, &store), SST_OK);
    if (store == NULL) exit(1);
    return store;
}

/* In the buffer as far as that goes, in one piece; behind it in others. */
static void large_images(void) {
    static const struct { int records; size_t bytes; uint32_t pieces; } table[] = {
        {3, 10000, 0}, {20, 10000, 1}, {2, 400000, 1}, {9, 100000, 1}, {13, 100000, 2},
        {1, 2000000, 0}
    };
    size_t i;
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
        sst_store *store = memory_store();
        CHECK_INT(fill(store, 0, table[i].records, table[i].bytes), SST_OK);
        CHECK_INT(store->buffer.open != 0, table[i].pieces != 0);
        if (table[i].pieces != 0) CHECK_INT(store->extent_count, table[i].pieces);
        check_filled(store, table[i].records, table[i].bytes);
        CHECK_INT(sst_close(store), SST_OK);
    }
    {   /* a record that needs more than twice what the buffer has */
        sst_store *store = memory_store();
        CHECK_INT(fill(store, 0, 20, 10000), SST_OK);
        CHECK_INT(fill(store, 20, 1, 700000), SST_OK);
        CHECK(store->buffer.open != 0 && store->extent_count == 1);
        check_filled(store, 20, 10000);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* There is no buffer, then: no memory for what it takes, or no addresses. */
static void no_buffer(void) {
    static const call kinds[3] = {ON_REALLOC, ON_MMAP, ON_MPROTECT};
    unsigned kind, n, without = 0;
    for (kind = 0; kind < 3; kind++) {
        for (n = 0; n < 20; n++) {
            sst_store *store = memory_store();
            unsigned fired;
            int result;
            CHECK_INT(fill(store, 0, 5, 10000), SST_OK);
            arm_after(kinds[kind], n, 1, ENOMEM);
            result = fill(store, 5, 1, 40000);
            fired = fault.fired;
            arm(ON_NOTHING, 0, 0);
            CHECK(result == SST_OK || result == SST_ERR_MEMORY);
            without += result == SST_OK && fired != 0;
            if (result == SST_OK && fired != 0) CHECK(store->buffer.open == 0 && !store->buffered);
            CHECK_INT(fill(store, 5, 5, 10000), SST_OK);
            check_filled(store, 10, 10000);
            CHECK_INT(sst_close(store), SST_OK);
            if (fired == 0) break;
        }
        CHECK(n < 20);
    }
    CHECK(without >= 3);
}

/* The buffer does not grow as far as it should, or not at all. */
static void buffer_stays(void) {
    unsigned times;
    for (times = 1; times < 3; times++) {
        sst_store *store = memory_store();
        int i, refused = 0;
        CHECK_INT(fill(store, 0, 10, 20000), SST_OK);
        CHECK(store->buffer.open != 0);
        for (i = 10; i < 26; i++) {
            int result;
            arm(ON_MPROTECT, times, ENOMEM);
            result = fill(store, i, 1, 20000);
            if (result != SST_OK) {
                CHECK_INT(result, SST_ERR_MEMORY);
                refused++;
                result = fill(store, i, 1, 20000);
            }
            arm(ON_NOTHING, 0, 0);
            CHECK_INT(result, SST_OK);
        }
        CHECK_INT(refused != 0, times == 2);
        CHECK_INT(store->extent_count, 1);
        check_filled(store, 26, 20000);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

int main(void) {
    if (!make_folder("test_branches_posix")) return 1;
    io = sst_io_default();
    fault.most_read = 3;                /* always in small pieces */
    TEST_RUN(errno_results);
    TEST_RUN(interrupted);
    TEST_RUN(allocation);
    TEST_RUN(refused);
    TEST_RUN(folders);
    TEST_RUN(far_offsets);
    TEST_RUN(large_transfers);
    TEST_RUN(clocks);
    TEST_RUN(entropy);
    TEST_RUN(unsafe_file_systems);
    TEST_RUN(no_guard);
    TEST_RUN(seen_from_above);
    TEST_RUN(create_texts);
    TEST_RUN(large_images);
    TEST_RUN(no_buffer);
    TEST_RUN(buffer_stays);
    remove_folder();
    return test_done("test_branches_posix");
}
