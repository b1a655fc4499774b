/* test_buf.c - growable mapped buffers, above a kernel whose calls fail when they are told to. */
#include "kernel.h"

#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#undef open
#undef close
#undef read
#undef pread
#undef pwrite
#undef fstat
#undef ftruncate
#undef fdatasync
#undef fsync
#undef mmap
#undef munmap
#undef mprotect
#undef madvise
#undef clock_gettime
#undef fcntl
#undef syscall

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "test.h"
#include "folder.h"

#define KIB 1024u
#define MIB 1048576u
#define PAGE 65536u                 /* what a capacity is a multiple of */
#define MODEL_BYTES (1024u * KIB)

static char file_path[310];

/* Entries of a folder, the two that are always there too; -1: it cannot be read. */
static int entries(const char *path) {
    DIR *dir = opendir(path);
    int count = 0;
    if (dir == NULL) return -1;
    while (readdir(dir) != NULL) count++;
    (void)closedir(dir);
    return count;
}

/* What a test must leave as it was: descriptors, and addresses. */
typedef struct held { int files; int64_t mapped; } held;

static held held_now(void) {
    held h;
    h.files = entries("/proc/self/fd");
    h.mapped = mapped;
    return h;
}

static void check_held(held before) {
    CHECK_INT(entries("/proc/self/fd"), before.files);
    CHECK_INT(mapped, before.mapped);
}

static int64_t file_size(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* The size of the file that a buffer stands on, name or not. */
static int64_t stands_on(const sst_buf *buf) {
    struct stat st;
    return buf->file != NULL && fstat(ssti_fd(buf->file), &st) == 0 ? (int64_t)st.st_size : -1;
}

static sst_buf_desc desc_of(sst_buf_kind kind) {
    static uint64_t memory[MODEL_BYTES / 8];
    sst_buf_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.kind = kind;
    if (kind == SST_BUF_FILE) desc.path = file_path;
    if (kind == SST_BUF_TEMP) desc.path = folder;
    if (kind == SST_BUF_FIXED) {
        memset(memory, 0xA5, sizeof memory);
        desc.memory = memory;
        desc.capacity = sizeof memory;
    }
    return desc;
}

static bool all_zero(const void *bytes, size_t size) {
    const uint8_t *p = (const uint8_t *)bytes;
    while (size > 0 && *p == 0) p++, size--;
    return size == 0;
}

/* Bytes that differ from those of another place or seed. */
static void fill(uint8_t *to, size_t size, uint64_t seed) {
    size_t i;
    for (i = 0; i < size; i++) to[i] = (uint8_t)((seed + i) * 0x9E3779B97F4A7C15u >> 56);
}

static bool filled(const void *bytes, size_t size, uint64_t seed) {
    const uint8_t *p = (const uint8_t *)bytes;
    size_t i;
    for (i = 0; i < size; i++) {
        if (p[i] != (uint8_t)((seed + i) * 0x9E3779B97F4A7C15u >> 56)) return false;
    }
    return true;
}

/* Runs a test in a child of its own, whose limits and mounts are nobody else's. The child's result:
 * 0, 1: a check failed, 77: the host does not let it. */
static int in_child(void (*function)(void)) {
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        test_errors = 0;
        test_skip_reason = NULL;
        function();
        fflush(stdout);
        _exit(test_errors > 0 ? 1 : test_skip_reason != NULL ? 77 : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Sanitizers and valgrind need more addresses than a limit leaves them. */
static bool is_watched(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
    return true;
#endif
#endif
    return getenv("LD_PRELOAD") != NULL && strstr(getenv("LD_PRELOAD"), "vgpreload") != NULL;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void refuse(const sst_buf_desc *desc, int want) {
    sst_buf buf, before;
    memset(&buf, 0, sizeof buf);
    before = buf;
    CHECK_INT(sst_buf_open(&buf, desc), want);
    CHECK_BYTES(&buf, &before, sizeof buf);
}

static void arguments(void) {
    held before = held_now();
    sst_buf_desc desc = desc_of(SST_BUF_ANON);
    sst_buf buf = {0};
    uint8_t byte = 7;
    uint64_t too_much = (uint64_t)INT64_MAX / 4 + 1;
    CHECK_INT(sst_buf_open(NULL, &desc), SST_ERR_ARG);
    desc.kind = (sst_buf_kind)4;
    refuse(&desc, SST_ERR_ARG);
    desc.kind = SST_BUF_KIND_32BIT;
    refuse(&desc, SST_ERR_ARG);
    desc = desc_of(SST_BUF_FILE);
    desc.path = NULL;
    refuse(&desc, SST_ERR_ARG);
    desc.path = "";
    refuse(&desc, SST_ERR_NOT_FOUND);
    desc.path = at("none/file");
    refuse(&desc, SST_ERR_NOT_FOUND);
    desc.path = folder;
    refuse(&desc, SST_ERR_IO);
    desc.path = at("link");
    CHECK_INT(symlink("nothing", desc.path), 0);
    refuse(&desc, SST_ERR_EXISTS);
    CHECK_INT(unlink(at("link")), 0);
    CHECK_INT(file_size(at("nothing")), -1);
    desc = desc_of(SST_BUF_TEMP);
    desc.path = at("none");
    refuse(&desc, SST_ERR_NOT_FOUND);
    desc = desc_of(SST_BUF_FIXED);
    desc.memory = NULL;
    refuse(&desc, SST_ERR_ARG);
    desc = desc_of(SST_BUF_ANON);
    desc.capacity = too_much;
    refuse(&desc, SST_ERR_ARG);
    desc.capacity = too_much - 1;
    refuse(&desc, SST_ERR_MEMORY);
    desc.capacity = 0;
    desc.step = too_much;
    refuse(&desc, SST_ERR_ARG);
    desc.step = 0;
    desc.reserve = too_much;
    refuse(&desc, SST_ERR_ARG);

    CHECK_INT(sst_buf_append(NULL, &byte, 1), SST_ERR_ARG);
    CHECK_INT(sst_buf_resize(NULL, 1), SST_ERR_ARG);
    CHECK_INT(sst_buf_append(&buf, NULL, 1), SST_ERR_ARG);
    CHECK_INT(sst_buf_append(&buf, &byte, 1), SST_ERR_STATE);
    CHECK_INT(sst_buf_append(&buf, NULL, 0), SST_ERR_STATE);
    CHECK_INT(sst_buf_resize(&buf, 0), SST_ERR_STATE);
    sst_buf_reset(&buf);
    sst_buf_reset(NULL);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(sst_buf_close(NULL), SST_OK);
    CHECK(all_zero(&buf, sizeof buf));
    check_held(before);
}

/* Calls that an open buffer refuses leave it alone. */
static void refused_when_open(void) {
    static const sst_buf_kind kinds[] = {SST_BUF_ANON, SST_BUF_TEMP, SST_BUF_FILE, SST_BUF_FIXED};
    held first = held_now();
    size_t i;
    for (i = 0; i < 4; i++) {
        sst_buf_desc desc = desc_of(kinds[i]);
        sst_buf buf = {0}, before;
        int no_room = kinds[i] == SST_BUF_FIXED ? SST_ERR_FULL : SST_ERR_MEMORY;
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK_INT(buf.size, 0);
        CHECK_INT(sst_buf_append(&buf, "four", 4), SST_OK);
        before = buf;
        CHECK_INT(sst_buf_open(&buf, &desc), SST_ERR_STATE);
        CHECK_INT(sst_buf_open(&buf, NULL), SST_ERR_STATE);
        CHECK_INT(sst_buf_append(&buf, NULL, 3), SST_ERR_ARG);
        CHECK_INT(sst_buf_append(&buf, NULL, 0), SST_OK);
        CHECK_INT(sst_buf_append(&buf, "x", 0), SST_OK);
        CHECK_INT(sst_buf_append(&buf, "x", SIZE_MAX), no_room);
        CHECK_INT(sst_buf_append(&buf, "x", SIZE_MAX - 3), no_room);
        CHECK_INT(sst_buf_resize(&buf, UINT64_MAX), no_room);
        CHECK_INT(sst_buf_resize(&buf, (uint64_t)INT64_MAX / 4 + 1), no_room);
        if (kinds[i] == SST_BUF_ANON || kinds[i] == SST_BUF_FIXED) {    /* no real disk is asked */
            CHECK_INT(sst_buf_resize(&buf, (uint64_t)INT64_MAX / 4), no_room);
            CHECK_INT(sst_buf_resize(&buf, (uint64_t)1 << 50), no_room);
        }
        CHECK_BYTES(&buf, &before, sizeof buf);
        CHECK_BYTES(buf.data, "four", 4);
        if (buf.file != NULL) CHECK_INT(stands_on(&buf), buf.capacity);
        CHECK_INT(sst_buf_close(&buf), SST_OK);
        CHECK(all_zero(&buf, sizeof buf));
        CHECK_INT(sst_buf_close(&buf), SST_OK);
    }
    CHECK_INT(file_size(file_path), 4);
    CHECK_INT(unlink(file_path), 0);
    check_held(first);
}

/* ---- against a plain array ------------------------------------------------------------------ */

typedef struct model {
    sst_buf buf;
    sst_buf_desc desc;
    uint8_t *bytes;
    size_t size;
} model;

static void model_check(const model *m) {
    CHECK_INT(m->buf.size, m->size);
    CHECK(m->buf.capacity >= m->size && m->buf.reserve >= m->buf.capacity);
    CHECK(m->size == 0 || memcmp(m->buf.data, m->bytes, m->size) == 0);
    if (m->desc.kind != SST_BUF_FIXED) CHECK_INT(m->buf.capacity % PAGE, 0);
    if (m->buf.file != NULL && m->buf.capacity > 0) CHECK_INT(stands_on(&m->buf), m->buf.capacity);
}

static size_t some_size(uint64_t *seed) {
    static const size_t bounds[] = {2, 100, 5000, 70000, 300000};
    return (size_t)test_below(seed, bounds[test_below(seed, 5)]);
}

static void model_append(model *m, uint64_t *seed) {
    size_t size = some_size(seed), from = 0;
    bool own = test_below(seed, 3) == 0 && m->size > 0;
    if (size > MODEL_BYTES - m->size) size = MODEL_BYTES - m->size;
    if (own) {
        from = (size_t)test_below(seed, m->size);
        if (size > m->size - from) size = m->size - from;
        memcpy(m->bytes + m->size, m->bytes + from, size);
        CHECK_INT(sst_buf_append(&m->buf, (uint8_t *)m->buf.data + from, size), SST_OK);
    } else {
        fill(m->bytes + m->size, size, test_random(seed));
        CHECK_INT(sst_buf_append(&m->buf, m->bytes + m->size, size), SST_OK);
    }
    m->size += size;
}

static void model_resize(model *m, uint64_t *seed) {
    size_t size = some_size(seed), i;
    if (test_below(seed, 2) == 0) size += m->size;
    if (size > MODEL_BYTES) size = MODEL_BYTES;
    if (size > m->size) memset(m->bytes + m->size, 0, size - m->size);
    CHECK_INT(sst_buf_resize(&m->buf, size), SST_OK);
    m->size = size;
    for (i = 0; i < 10 && size > 0; i++) {      /* what it gives may be written */
        size_t k = (size_t)test_below(seed, size);
        m->bytes[k] = ((uint8_t *)m->buf.data)[k] = (uint8_t)test_random(seed);
    }
}

static void model_reopen(model *m, uint64_t *seed) {
    CHECK_INT(sst_buf_close(&m->buf), SST_OK);
    CHECK(all_zero(&m->buf, sizeof m->buf));
    if (m->desc.kind == SST_BUF_FILE) CHECK_INT(file_size(m->desc.path), m->size);
    else m->size = 0;
    if (m->desc.kind != SST_BUF_FIXED) {
        static const uint64_t steps[] = {0, 1, 1000, PAGE, 200000};
        m->desc.reserve = test_below(seed, 2) == 0 ? 0 : 1 + test_below(seed, 2 * MIB);
        m->desc.step = steps[test_below(seed, 5)];
        m->desc.capacity = test_below(seed, 2) == 0 ? 0 : some_size(seed);
    }
    CHECK_INT(sst_buf_open(&m->buf, &m->desc), SST_OK);
    CHECK(m->buf.capacity >= m->desc.capacity && m->buf.moves == 0);
}

static void model_run(sst_buf_kind kind, uint64_t seed, uint64_t rounds) {
    held before = held_now();
    model m;
    memset(&m, 0, sizeof m);
    m.desc = desc_of(kind);
    m.desc.reserve = kind == SST_BUF_FIXED ? 0 : PAGE;
    m.bytes = (uint8_t *)malloc(MODEL_BYTES);
    CHECK_INT(sst_buf_open(&m.buf, &m.desc), SST_OK);
    while (rounds-- > 0 && test_errors == 0) {
        uint64_t what = test_below(&seed, 100);
        if (what < 60) model_append(&m, &seed);
        else if (what < 93) model_resize(&m, &seed);
        else if (what < 96) sst_buf_reset(&m.buf), m.size = 0;
        else model_reopen(&m, &seed);
        model_check(&m);
    }
    CHECK_INT(sst_buf_close(&m.buf), SST_OK);
    free(m.bytes);
    (void)unlink(file_path);
    check_held(before);
}

static void random_operations(void) {
    uint64_t seed = test_seed(20), round, rounds = test_rounds(2, 100);
    for (round = 0; round < rounds && test_errors == 0; round++, seed++) {
        model_run(SST_BUF_ANON, seed, 300);
        model_run(SST_BUF_TEMP, seed, 300);
        model_run(SST_BUF_FILE, seed, 300);
        model_run(SST_BUF_FIXED, seed, 300);
        fault.cannot_allocate = true;
        model_run(SST_BUF_FILE, seed, 100);
        fault.cannot_allocate = false;
    }
}

/* ---- growing -------------------------------------------------------------------------------- */

/* Inside the reserve it stays put; beyond, it moves, and says so. */
static void stays_put(sst_buf_kind kind) {
    held before = held_now();
    sst_buf_desc desc = desc_of(kind);
    sst_buf buf = {0};
    uint8_t bytes[1000];
    const void *data;
    uint64_t size = 0, reserve, moves = 0;
    desc.reserve = 3 * MIB;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK(buf.reserve == 3 * MIB && buf.capacity == 0 && buf.moves == 0 && buf.data != NULL);
    data = buf.data;
    reserve = buf.reserve;
    while (size < 8 * MIB && test_errors == 0) {
        fill(bytes, sizeof bytes, size);
        CHECK_INT(sst_buf_append(&buf, bytes, sizeof bytes), SST_OK);
        size += sizeof bytes;
        if (buf.data != data) {
            CHECK(size > reserve / 2 && buf.reserve >= 2 * reserve);
            data = buf.data;
            reserve = buf.reserve;
            moves++;
        }
        CHECK_INT((uintptr_t)data % 64, 0);
        CHECK_INT(buf.moves, moves);
        CHECK_INT(buf.reserve, reserve);
    }
    CHECK(moves >= 1 && moves <= 3);
    CHECK(filled(buf.data, (size_t)size, 0));
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    (void)unlink(file_path);
    check_held(before);
}

static void addresses(void) {
    stays_put(SST_BUF_ANON);
    stays_put(SST_BUF_TEMP);
    stays_put(SST_BUF_FILE);
}

/* With nothing said a buffer in memory has 64 GiB of addresses and doubles. */
static void doubling(void) {
    sst_buf buf = {0};
    uint64_t capacity = PAGE;
    CHECK_INT(sst_buf_open(&buf, NULL), SST_OK);
    CHECK(buf.size == 0 && buf.capacity == 0 && buf.data != NULL);
    if (sizeof(void *) >= 8 && !is_watched()) CHECK_INT(buf.reserve, (int64_t)1 << 36);
    while (buf.size < 2 * MIB && test_errors == 0) {
        CHECK_INT(sst_buf_append(&buf, "0123456789", 10), SST_OK);
        if (buf.size > capacity) capacity *= 2;
        CHECK_INT(buf.capacity, capacity);
    }
    CHECK_INT(sst_buf_resize(&buf, 40 * MIB), SST_OK);      /* more than the double */
    CHECK_INT(buf.capacity, 40 * MIB);
    CHECK_INT(sst_buf_resize(&buf, 0), SST_OK);
    CHECK_INT(buf.capacity, 40 * MIB);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
}

static void steps(void) {
    static const uint64_t wanted[] = {PAGE, 3 * PAGE, 1000, 5 * MIB};
    size_t i;
    for (i = 0; i < 4; i++) {
        sst_buf_desc desc = desc_of(SST_BUF_TEMP);
        sst_buf buf = {0};
        uint64_t size;
        desc.step = wanted[i];
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        for (size = 1; size < 4 * MIB && test_errors == 0; size += 50001) {
            uint64_t want = (size + desc.step - 1) / desc.step * desc.step;
            want = (want + PAGE - 1) / PAGE * PAGE;
            CHECK_INT(sst_buf_resize(&buf, size), SST_OK);
            CHECK(buf.capacity >= size && buf.capacity <= want + PAGE);
            if (desc.step % PAGE == 0) CHECK_INT(buf.capacity, want);
        }
        CHECK_INT(sst_buf_close(&buf), SST_OK);
    }
}

/* Bytes that resize adds are 0, whatever was there. */
static void zeros(void) {
    static const sst_buf_kind kinds[] = {SST_BUF_ANON, SST_BUF_TEMP, SST_BUF_FILE, SST_BUF_FIXED};
    size_t i;
    for (i = 0; i < 4; i++) {
        sst_buf_desc desc = desc_of(kinds[i]);
        sst_buf buf = {0};
        uint8_t *data;
        if (kinds[i] != SST_BUF_FIXED) desc.reserve = PAGE;
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK_INT(sst_buf_resize(&buf, 50000), SST_OK);
        CHECK(all_zero(buf.data, 50000));
        memset(buf.data, 1, 50000);
        CHECK_INT(sst_buf_resize(&buf, 100), SST_OK);
        CHECK_INT(sst_buf_resize(&buf, 20000), SST_OK);
        data = (uint8_t *)buf.data;
        CHECK(data[0] == 1 && data[99] == 1 && all_zero(data + 100, 19900));
        CHECK_INT(sst_buf_resize(&buf, 300000), SST_OK);
        data = (uint8_t *)buf.data;
        CHECK(data[99] == 1 && all_zero(data + 100, 299900));
        memset(buf.data, 2, 300000);
        sst_buf_reset(&buf);
        CHECK_INT(buf.size, 0);
        CHECK_INT(sst_buf_append(&buf, "abc", 3), SST_OK);
        CHECK_INT(sst_buf_resize(&buf, MODEL_BYTES), SST_OK);
        data = (uint8_t *)buf.data;
        CHECK(memcmp(data, "abc", 3) == 0 && all_zero(data + 3, MODEL_BYTES - 3));
        CHECK_INT(sst_buf_close(&buf), SST_OK);
    }
    CHECK_INT(unlink(file_path), 0);
}

/* Its own bytes, all of them, again and again: across every move. */
static void own_bytes(void) {
    static const sst_buf_kind kinds[] = {SST_BUF_ANON, SST_BUF_TEMP, SST_BUF_FILE};
    size_t i, k;
    for (k = 0; k < 3; k++) {
        sst_buf_desc desc = desc_of(kinds[k]);
        sst_buf buf = {0};
        desc.reserve = 1;
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK_INT(sst_buf_append(&buf, "growing", 7), SST_OK);
        while (buf.size < 3 * MIB && test_errors == 0) {
            CHECK_INT(sst_buf_append(&buf, buf.data, (size_t)buf.size), SST_OK);
        }
        CHECK(buf.moves >= 3);
        for (i = 0; i + 7 <= buf.size; i += 7) {
            if (memcmp((const uint8_t *)buf.data + i, "growing", 7) != 0) break;
        }
        CHECK_INT(i, buf.size);
        CHECK_INT(sst_buf_close(&buf), SST_OK);
    }
    CHECK_INT(unlink(file_path), 0);
}

static void fixed(void) {
    uint8_t memory[103];
    sst_buf_desc desc = desc_of(SST_BUF_FIXED);
    sst_buf buf = {0}, before;
    memset(memory, 0xEE, sizeof memory);
    desc.memory = memory + 1;                   /* no alignment is asked for */
    desc.capacity = 100;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK(buf.data == memory + 1 && buf.size == 0 && buf.capacity == 100);
    CHECK_INT(sst_buf_append(&buf, "0123456789", 10), SST_OK);
    CHECK_INT(sst_buf_resize(&buf, 95), SST_OK);
    CHECK(all_zero(memory + 11, 85) && memory[96] == 0xEE);
    before = buf;
    CHECK_INT(sst_buf_append(&buf, "012345", 6), SST_ERR_FULL);
    CHECK_INT(sst_buf_resize(&buf, 101), SST_ERR_FULL);
    CHECK_BYTES(&buf, &before, sizeof buf);
    CHECK_INT(memory[96], 0xEE);
    CHECK_INT(sst_buf_append(&buf, buf.data, 5), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "x", 1), SST_ERR_FULL);
    CHECK_BYTES(memory + 96, "01234", 5);
    CHECK(memory[0] == 0xEE && memory[101] == 0xEE && memory[102] == 0xEE);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_BYTES(memory + 1, "0123456789", 10);  /* it is the caller's */
    desc.capacity = 0;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "x", 1), SST_ERR_FULL);
    CHECK_INT(sst_buf_resize(&buf, 0), SST_OK);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void file_keeps(void) {
    held before = held_now();
    sst_buf_desc desc = desc_of(SST_BUF_FILE);
    sst_buf buf = {0};
    uint8_t bytes[5000];
    uint64_t size = 0, round;
    for (round = 0; round < 40 && test_errors == 0; round++) {
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK(buf.size == size && buf.capacity >= size && filled(buf.data, (size_t)size, 0));
        fill(bytes, sizeof bytes, size);
        CHECK_INT(sst_buf_append(&buf, bytes, (size_t)(1 + round * 100)), SST_OK);
        size += 1 + round * 100;
        CHECK_INT(sst_buf_close(&buf), SST_OK);
        CHECK_INT(file_size(desc.path), size);
    }
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(sst_buf_resize(&buf, 200000), SST_OK);        /* zeros behind what it had */
    CHECK(all_zero((uint8_t *)buf.data + size, (size_t)(200000 - size)));
    CHECK_INT(sst_buf_resize(&buf, 10), SST_OK);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(file_size(desc.path), 10);
    desc.capacity = 10 * MIB;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK(buf.size == 10 && buf.capacity == 10 * MIB && filled(buf.data, 10, 0));
    sst_buf_reset(&buf);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(file_size(desc.path), 0);
    CHECK_INT(unlink(desc.path), 0);
    check_held(before);
}

/* A file larger than the range of addresses that is asked for. */
static void large_file(void) {
    sst_buf_desc desc = desc_of(SST_BUF_FILE);
    sst_buf buf = {0};
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(sst_buf_resize(&buf, 3 * MIB + 5), SST_OK);
    fill((uint8_t *)buf.data, 3 * MIB + 5, 9);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    desc.reserve = PAGE;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK(buf.size == 3 * MIB + 5 && filled(buf.data, 3 * MIB + 5, 9));
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(unlink(desc.path), 0);
}

/* One buffer at a time, and not the file of a recording; who is refused leaves the file alone. */
static void locked(void) {
    held before = held_now();
    sst_buf_desc desc = desc_of(SST_BUF_FILE);
    sst_buf buf = {0};
    sst_options options;
    sst_stream_desc stream_desc;
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    int64_t i, size;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "precious", 8), SST_OK);
    refuse(&desc, SST_ERR_LOCKED);
    CHECK_INT(file_size(desc.path), buf.capacity);
    CHECK_BYTES(buf.data, "precious", 8);
    memset(&options, 0, sizeof options);
    options.flags = SST_REPLACE | SST_NO_SYNC;
    CHECK_INT(sst_create(desc.path, &options, &store), SST_ERR_LOCKED);
    CHECK_BYTES(buf.data, "precious", 8);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(file_size(desc.path), 8);

    options.block_bytes = 4096;
    CHECK_INT(sst_create(desc.path, &options, &store), SST_OK);
    memset(&stream_desc, 0, sizeof stream_desc);
    stream_desc.name = "s";
    stream_desc.type = SST_I64;
    REQUIRE(sst_stream_create(store, &stream_desc, &stream) == SST_OK);
    for (i = 0; i < 3000; i++) CHECK_INT(sst_append_i64(stream, i, i), SST_OK);
    size = file_size(desc.path);
    CHECK(size > 4096);
    refuse(&desc, SST_ERR_LOCKED);
    CHECK_INT(file_size(desc.path), size);
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open(desc.path, NULL, &store) == SST_OK);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_stream_open(store, "s", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), 3000);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(unlink(desc.path), 0);
    check_held(before);
}

static void temp_folder(const char *tmpdir, const char *path, int want) {
    held before = held_now();
    sst_buf_desc desc = desc_of(SST_BUF_TEMP);
    sst_buf buf = {0};
    int names = entries(folder), result;
    if (tmpdir != NULL) (void)setenv("TMPDIR", tmpdir, 1);
    else (void)unsetenv("TMPDIR");
    desc.path = path;
    result = sst_buf_open(&buf, &desc);
    CHECK_INT(result, want);
    if (result == SST_OK) {
        const char *top = path != NULL && path[0] != 0 ? path
                          : tmpdir != NULL && tmpdir[0] != 0 ? tmpdir : "/tmp";
        struct stat st;
        CHECK(fstat(ssti_fd(buf.file), &st) == 0 && st.st_nlink == 0);
        CHECK(strncmp(last_made, top, strlen(top)) == 0 && last_made[strlen(top)] == '/');
        CHECK_INT(entries(folder), names);
        CHECK_INT(sst_buf_append(&buf, "x", 1), SST_OK);
        CHECK_INT(entries(folder), names);
    } else {
        CHECK(all_zero(&buf, sizeof buf));
    }
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(entries(folder), names);
    check_held(before);
}

static void temp(void) {
    char *old = getenv("TMPDIR") != NULL ? strdup(getenv("TMPDIR")) : NULL;
    char longest[4100];
    struct stat st;
    memset(longest, '/', sizeof longest);
    longest[4065] = 0;
    temp_folder(NULL, folder, SST_OK);
    temp_folder(folder, NULL, SST_OK);
    temp_folder(folder, "", SST_OK);
    temp_folder(at("none"), NULL, SST_ERR_NOT_FOUND);
    temp_folder(at("none"), folder, SST_OK);
    temp_folder(NULL, longest, SST_ERR_LIMIT);
    temp_folder(longest, NULL, SST_ERR_LIMIT);
    if (stat("/tmp", &st) == 0 && access("/tmp", W_OK) == 0) {
        temp_folder(NULL, NULL, SST_OK);
        temp_folder("", NULL, SST_OK);
    }
    if (old != NULL) (void)setenv("TMPDIR", old, 1);
    else (void)unsetenv("TMPDIR");
    free(old);
}

/* The memory of files is shared with a forked child, the process's own is not. */
static sst_buf shared, own;

static void child_writes(void) {
    CHECK(memcmp(shared.data, "shared", 6) == 0 && memcmp(own.data, "own", 3) == 0);
    memcpy(shared.data, "SHARED", 6);
    memcpy(own.data, "OWN", 3);
}

static void forked(void) {
    sst_buf_desc desc = desc_of(SST_BUF_TEMP);
    CHECK_INT(sst_buf_open(&shared, &desc), SST_OK);
    CHECK_INT(sst_buf_open(&own, NULL), SST_OK);
    CHECK_INT(sst_buf_append(&shared, "shared", 6), SST_OK);
    CHECK_INT(sst_buf_append(&own, "own", 3), SST_OK);
    CHECK_INT(in_child(child_writes), 0);
    CHECK_BYTES(shared.data, "SHARED", 6);
    CHECK_BYTES(own.data, "own", 3);
    CHECK_INT(sst_buf_close(&shared), SST_OK);
    CHECK_INT(sst_buf_close(&own), SST_OK);
}

/* ---- file systems ---------------------------------------------------------------------------- */

/* Without fallocate zeros are written, into the holes of a file that is there too. */
static void no_fallocate(void) {
    sst_buf_desc desc = desc_of(SST_BUF_FILE);
    sst_buf buf = {0};
    struct stat st;
    uint8_t bytes[100];
    int fd = open(desc.path, O_RDWR | O_CREAT, 0666);
    fill(bytes, sizeof bytes, 1);
    CHECK(pwrite(fd, bytes, 100, 300000) == 100 && ftruncate(fd, 1000001) == 0);
    CHECK_INT(pwrite(fd, bytes, 100, 1000), 100);
    CHECK_INT(close(fd), 0);
    fault.cannot_allocate = true;
    desc.reserve = PAGE;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(buf.size, 1000001);
    CHECK_BYTES((uint8_t *)buf.data + 300000, bytes, 100);
    CHECK_BYTES((uint8_t *)buf.data + 1000, bytes, 100);
    CHECK(all_zero(buf.data, 1000) && all_zero((uint8_t *)buf.data + 1100, 298900));
    CHECK(all_zero((uint8_t *)buf.data + 300100, 699901));
    CHECK(fstat(ssti_fd(buf.file), &st) == 0);
    CHECK_INT(st.st_size, buf.capacity);
    CHECK((uint64_t)st.st_blocks * 512 >= buf.capacity);        /* no holes */
    CHECK_INT(sst_buf_resize(&buf, 3000000), SST_OK);
    CHECK(fstat(ssti_fd(buf.file), &st) == 0 && (uint64_t)st.st_blocks * 512 >= buf.capacity);
    CHECK(all_zero((uint8_t *)buf.data + 300100, 2699900));
    CHECK_INT(sst_buf_resize(&buf, 5000), SST_OK);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    fault.cannot_allocate = false;
    CHECK_INT(file_size(desc.path), 5000);
    CHECK_INT(unlink(desc.path), 0);
}

/* The file is cut by somebody else while its holes are filled: what is gone is zeros, and is
 * allocated like all the rest. */
static void no_fallocate_and_cut(void) {
    held before = held_now();
    sst_buf_desc desc = desc_of(SST_BUF_FILE);
    sst_buf buf = {0};
    struct stat st;
    uint8_t bytes[20000];
    int fd = open(desc.path, O_RDWR | O_CREAT, 0666);
    fill(bytes, sizeof bytes, 6);
    CHECK_INT(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
    CHECK_INT(close(fd), 0);
    fault.cannot_allocate = true;
    fault.cut = 1024;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(fault.cut, 0);
    fault.cannot_allocate = false;
    CHECK_INT(buf.size, sizeof bytes);
    REQUIRE(buf.data != NULL);
    CHECK_BYTES(buf.data, bytes, 1024);
    CHECK(all_zero((uint8_t *)buf.data + 1024, (size_t)buf.capacity - 1024));
    CHECK(fstat(ssti_fd(buf.file), &st) == 0 && (uint64_t)st.st_size == buf.capacity);
    CHECK((uint64_t)st.st_blocks * 512 >= buf.capacity);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(file_size(desc.path), sizeof bytes);
    CHECK_INT(unlink(desc.path), 0);
    check_held(before);
}

/* One that can fail a store into an allocated page is refused at once. */
static void unsafe_file_systems(void) {
#if defined(__linux__)
    static const uint32_t magics[] = {0x9123683Eu, 0x2FC12FC1u, 0x6969u, 0x65735546u, 0xFF534D42u};
    held before = held_now();
    sst_buf_desc file = desc_of(SST_BUF_FILE), temporary = desc_of(SST_BUF_TEMP);
    int names = entries(folder);
    FILE *there;
    size_t i;
    for (i = 0; i < 5; i++) {
        fault.magic = magics[i];
        refuse(&file, SST_ERR_UNSUPPORTED);
        refuse(&temporary, SST_ERR_UNSUPPORTED);
        CHECK_INT(entries(folder), names);
    }
    there = fopen(file.path, "wb");
    CHECK(there != NULL && fputs("precious", there) >= 0 && fclose(there) == 0);
    refuse(&file, SST_ERR_UNSUPPORTED);
    CHECK_INT(file_size(file.path), 8);
    fault.magic = 0;
    CHECK_INT(unlink(file.path), 0);
    check_held(before);
#else
    SKIP("Linux");
#endif
}

/* ---- no room -------------------------------------------------------------------------------- */

static uint64_t append_all(sst_buf *buf, int *result) {
    uint8_t bytes[1000];
    do {
        sst_buf before = *buf;
        fill(bytes, sizeof bytes, buf->size);
        *result = sst_buf_append(buf, bytes, sizeof bytes);
        if (*result != SST_OK) CHECK_BYTES(buf, &before, sizeof before);
    } while (*result == SST_OK && buf->size < 64 * MIB);
    return buf->size;
}

/* Files may not be larger than a limit, which is what a full disk looks like. */
static void limited_size(sst_buf_kind kind, bool cannot_allocate) {
    held first = held_now();
    sst_buf_desc desc = desc_of(kind);
    sst_buf buf = {0};
    struct rlimit before, limit;
    uint64_t size;
    int result;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    fault.cannot_allocate = cannot_allocate;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    limit = before;
    limit.rlim_cur = 700000;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    size = append_all(&buf, &result);
    CHECK_INT(result, SST_ERR_FULL);
    CHECK(size > 600000 && size <= 700000);     /* where doubling fails a little is still had */
    CHECK(filled(buf.data, (size_t)size, 0));
    CHECK_INT(stands_on(&buf), buf.capacity);
    CHECK_INT(sst_buf_resize(&buf, 800000), SST_ERR_FULL);
    CHECK_INT(buf.size, size);
    CHECK_INT(append_all(&buf, &result), size);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_INT(sst_buf_resize(&buf, 800000), SST_OK);
    CHECK(filled(buf.data, (size_t)size, 0));
    CHECK(all_zero((uint8_t *)buf.data + size, (size_t)(800000 - size)));
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    if (kind == SST_BUF_FILE) {                 /* what cannot be opened is as it was */
        CHECK_INT(file_size(desc.path), 800000);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
        refuse(&desc, SST_ERR_FULL);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
        CHECK_INT(file_size(desc.path), 800000);
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK(buf.size == 800000 && filled(buf.data, (size_t)size, 0));
        CHECK_INT(sst_buf_close(&buf), SST_OK);
        CHECK_INT(unlink(desc.path), 0);
        desc.capacity = 800000;                 /* and one that could not be made is not there */
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
        refuse(&desc, SST_ERR_FULL);
        CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
        CHECK_INT(file_size(desc.path), -1);
    }
    fault.cannot_allocate = false;
    (void)signal(SIGXFSZ, SIG_DFL);
    check_held(first);
}

static void file_size_limit(void) {
    limited_size(SST_BUF_FILE, false);
    limited_size(SST_BUF_TEMP, false);
    limited_size(SST_BUF_FILE, true);
    limited_size(SST_BUF_TEMP, true);
}

static void on_small_disk(sst_buf_kind kind, const char *disk, const char *path) {
    sst_buf_desc desc = desc_of(kind);
    sst_buf buf = {0};
    struct statfs fs;
    char ballast[400];
    uint64_t size;
    int fd, result;
    snprintf(ballast, sizeof ballast, "%.300s/ballast", disk);
    fd = open(ballast, O_RDWR | O_CREAT, 0666);
    CHECK_INT(posix_fallocate(fd, 0, 300000), 0);
    desc.path = path;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    size = append_all(&buf, &result);
    CHECK_INT(result, SST_ERR_FULL);
    CHECK(size > 300000 && size < MIB && filled(buf.data, (size_t)size, 0));
    CHECK_INT(stands_on(&buf), buf.capacity);
    CHECK(statfs(disk, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < PAGE);
    CHECK(ftruncate(fd, 0) == 0 && close(fd) == 0);     /* room again */
    CHECK(append_all(&buf, &result) >= size + 200000);
    CHECK_INT(result, SST_ERR_FULL);
    size = buf.size;
    CHECK(filled(buf.data, (size_t)size, 0));
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    if (kind == SST_BUF_FILE) {
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK(buf.size == size && filled(buf.data, (size_t)size, 0));
        CHECK_INT(sst_buf_close(&buf), SST_OK);
        CHECK_INT(truncate(path, (off_t)(4 * MIB)), 0);     /* holes larger than the disk */
        CHECK_INT(sst_buf_open(&buf, &desc), SST_ERR_FULL);
        CHECK(all_zero(&buf, sizeof buf));
        CHECK_INT(file_size(path), 4 * MIB);
        CHECK_INT(truncate(path, (off_t)size), 0);
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK(buf.size == size && filled(buf.data, (size_t)size, 0));
        CHECK_INT(sst_buf_close(&buf), SST_OK);
        CHECK_INT(unlink(path), 0);
    }
}

static void small_disk(void) {
#if defined(__linux__)
    char disk[400], path[500];
    snprintf(disk, sizeof disk, "%.300s/disk", folder);
    snprintf(path, sizeof path, "%s/file", disk);
    CHECK(mkdir(disk, 0777) == 0 || errno == EEXIST);
    if (unshare(CLONE_NEWNS) != 0) SKIP("no mounts of its own");
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0) SKIP("no private mounts");
    if (mount("tmpfs", disk, "tmpfs", 0, "size=1m") != 0) SKIP("no tmpfs");
    on_small_disk(SST_BUF_FILE, disk, path);
    on_small_disk(SST_BUF_TEMP, disk, disk);
    fault.cannot_allocate = true;
    on_small_disk(SST_BUF_FILE, disk, path);
    on_small_disk(SST_BUF_TEMP, disk, disk);
    fault.cannot_allocate = false;
    CHECK_INT(umount(disk), 0);
#else
    SKIP("Linux");
#endif
}

static void full_disk(void) {
    int status = in_child(small_disk);
    if (status == 77) SKIP("a disk of its own cannot be mounted");
    CHECK_INT(status, 0);
}

/* A smaller range is taken where there is no larger one; at the end there is no memory. */
static void few_addresses(void) {
    static const sst_buf_kind kinds[] = {SST_BUF_ANON, SST_BUF_TEMP, SST_BUF_FILE};
    held before = held_now();
    size_t i;
    for (i = 0; i < 3; i++) {
        sst_buf_desc desc = desc_of(kinds[i]);
        sst_buf buf = {0};
        uint64_t size;
        int result;
        fault.longest = 8 * MIB;
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK(buf.reserve >= PAGE && buf.reserve <= 8 * MIB);
        size = append_all(&buf, &result);
        CHECK_INT(result, SST_ERR_MEMORY);
        CHECK(size > 5 * MIB && size <= 8 * MIB && filled(buf.data, (size_t)size, 0));
        if (buf.file != NULL) CHECK_INT(stands_on(&buf), buf.capacity);
        CHECK_INT(sst_buf_append(&buf, buf.data, 3 * MIB), SST_ERR_MEMORY);
        fault.longest = 0;
        CHECK_INT(sst_buf_append(&buf, buf.data, (size_t)size), SST_OK);
        CHECK(filled(buf.data, (size_t)size, 0));
        CHECK(filled((uint8_t *)buf.data + size, (size_t)size, 0));
        CHECK_INT(sst_buf_close(&buf), SST_OK);
        fault.longest = 16384;
        (void)unlink(file_path);
        refuse(&desc, SST_ERR_MEMORY);
        CHECK_INT(file_size(file_path), -1);
        fault.longest = 0;
    }
    check_held(before);
}

static void small_process(void) {
    static const sst_buf_kind kinds[] = {SST_BUF_ANON, SST_BUF_TEMP, SST_BUF_FILE};
    unsigned long pages = 0;
    struct rlimit limit;
    FILE *file = fopen("/proc/self/statm", "r");
    size_t i;
    if (file == NULL) SKIP("/proc");
    CHECK_INT(fscanf(file, "%lu", &pages), 1);
    (void)fclose(file);
    limit.rlim_cur = limit.rlim_max = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + 32 * MIB;
    if (setrlimit(RLIMIT_AS, &limit) != 0) SKIP("limits");
    if (mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
        SKIP("the limit is none");
    }
    for (i = 0; i < 3; i++) {
        sst_buf_desc desc = desc_of(kinds[i]);
        sst_buf buf = {0};
        uint64_t size;
        int result;
        CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
        CHECK(buf.reserve >= PAGE && buf.reserve <= 32 * MIB);
        size = append_all(&buf, &result);
        CHECK_INT(result, SST_ERR_MEMORY);
        CHECK(size > 8 * MIB && size <= 32 * MIB && filled(buf.data, (size_t)size, 0));
        CHECK_INT(sst_buf_resize(&buf, 33 * MIB), SST_ERR_MEMORY);
        CHECK_INT(sst_buf_resize(&buf, size), SST_OK);
        CHECK_INT(sst_buf_close(&buf), SST_OK);
    }
    CHECK_INT(unlink(file_path), 0);
}

static void address_limit(void) {
    int status;
    if (is_watched()) SKIP("needs its addresses for itself");
    status = in_child(small_process);
    if (status == 77) SKIP("no limits");
    CHECK_INT(status, 0);
}

/* ---- every call fails, once and from then on ------------------------------------------------- */

typedef struct failing { call kind; int error, result; } failing;

static const failing failings[] = {
    {ON_MMAP, ENOMEM, SST_ERR_MEMORY}, {ON_MPROTECT, ENOMEM, SST_ERR_MEMORY},
    {ON_ALLOCATE, ENOSPC, SST_ERR_FULL}, {ON_ALLOCATE, EIO, SST_ERR_IO},
    {ON_TRUNCATE, EIO, SST_ERR_IO}, {ON_TRUNCATE, EFBIG, SST_ERR_FULL},
    {ON_OPEN, EMFILE, SST_ERR_IO}, {ON_FCNTL, ENOLCK, SST_ERR_IO},
    {ON_FCNTL, EAGAIN, SST_ERR_LOCKED},
    {ON_STAT, EIO, SST_ERR_IO}, {ON_PWRITE, ENOSPC, SST_ERR_FULL}, {ON_PWRITE, 0, SST_ERR_FULL},
    {ON_PREAD, EIO, SST_ERR_IO}, {ON_CLOSE, EIO, SST_ERR_IO}, {ON_STATFS, EIO, SST_ERR_UNSUPPORTED}
};

static unsigned failures;           /* results other than SST_OK */

/* The result is one that may be; whether it is SST_OK. */
static bool went_well(const failing *f, int result) {
    if (result == SST_OK) return true;
    failures++;
    CHECK_INT(result, f->result);
    CHECK(fault.fired > 0);
    return false;
}

/* A step that fails leaves everything as it was, and is made again without the fault. */
static void step(model *m, const failing *f, bool once, uint64_t size, bool append) {
    sst_buf before = m->buf;
    int64_t length = stands_on(&m->buf);
    unsigned times = fault.times;
    int result = append ? sst_buf_append(&m->buf, m->bytes, (size_t)size)
                        : sst_buf_resize(&m->buf, size);
    if (!went_well(f, result)) {
        CHECK_BYTES(&m->buf, &before, sizeof before);
        CHECK(memcmp(m->buf.data, m->bytes, m->size) == 0);
        if (f->kind != ON_TRUNCATE || once) CHECK_INT(stands_on(&m->buf), length);
        times = fault.times;
        fault.times = 0;
        result = append ? sst_buf_append(&m->buf, m->bytes, (size_t)size)
                        : sst_buf_resize(&m->buf, size);
        CHECK_INT(result, SST_OK);
        fault.times = times;
    }
    if (append) memmove(m->bytes + m->size, m->bytes, (size_t)size);
    else if (size > m->size) memset(m->bytes + m->size, 0, (size_t)size - m->size);
    m->size = append ? m->size + (size_t)size : (size_t)size;
    model_check(m);
}

/* A file with a hole, or none. */
static size_t file_before(uint8_t *bytes, bool there) {
    int fd;
    (void)unlink(file_path);
    if (!there) return 0;
    fd = open(file_path, O_RDWR | O_CREAT, 0666);
    memset(bytes, 0, 90000);
    fill(bytes, 10000, 5);
    CHECK(pwrite(fd, bytes, 10000, 0) == 10000 && ftruncate(fd, 90000) == 0);
    CHECK_INT(close(fd), 0);
    return 90000;
}

static bool file_is(const uint8_t *bytes, size_t size) {
    uint8_t *read_back = (uint8_t *)malloc(size + 1);
    FILE *file = fopen(file_path, "rb");
    bool same = file != NULL && fread(read_back, 1, size + 1, file) == size &&
                memcmp(read_back, bytes, size) == 0;
    if (file != NULL) (void)fclose(file);
    free(read_back);
    return same;
}

/* A life of a buffer; whether the fault came up. */
static bool life(sst_buf_kind kind, bool there, const failing *f, unsigned skip, bool once) {
    static uint8_t bytes[MODEL_BYTES];
    held before = held_now();
    bool fired, opened, was_cut = f->kind == ON_TRUNCATE && !once;
    int names, result;
    model m;
    memset(&m, 0, sizeof m);
    m.bytes = bytes;
    fill(bytes, 1000, 3);
    m.desc = desc_of(kind);
    m.desc.reserve = 2 * PAGE;
    m.size = kind == SST_BUF_FILE ? file_before(bytes, there) : 0;
    names = entries(folder);
    arm_after(f->kind, skip, once ? 1 : UINT32_MAX, f->error);
    opened = went_well(f, sst_buf_open(&m.buf, &m.desc));
    if (!opened) {
        sst_buf none;
        memset(&none, 0, sizeof none);
        CHECK_BYTES(&m.buf, &none, sizeof none);
        check_held(before);
        /* the file that it made is gone, if it is not somebody else's */
        CHECK_INT(entries(folder), names + (f->result == SST_ERR_LOCKED && !there));
        if (there && !was_cut) CHECK(file_is(bytes, m.size));
        if (there) CHECK_INT(truncate(file_path, (off_t)m.size), 0);
        fault.times = 0;
        result = sst_buf_open(&m.buf, &m.desc);
        CHECK_INT(result, SST_OK);
        if (result != SST_OK) return false;
        fault.times = once ? 0 : UINT32_MAX;
    }
    CHECK(memcmp(m.buf.data, bytes, m.size) == 0);
    step(&m, f, once, 1000, true);
    step(&m, f, once, 100000, false);
    step(&m, f, once, 90000, true);         /* beyond the range: it moves */
    step(&m, f, once, 400000, false);
    step(&m, f, once, 300000, false);
    step(&m, f, once, 390000, true);
    result = sst_buf_close(&m.buf);
    went_well(f, result);
    fired = fault.fired > 0;
    arm(ON_NOTHING, 0, 0);
    CHECK(all_zero(&m.buf, sizeof m.buf));
    if (kind == SST_BUF_FILE && (result == SST_OK || f->kind == ON_CLOSE)) {
        CHECK(file_is(bytes, m.size));
    }
    (void)unlink(file_path);
    check_held(before);
    return fired;
}

/* Each call of a kind in a buffer's life in turn, of many some. Whether a failure was ever seen. */
static bool each_call(sst_buf_kind kind, bool there, const failing *f) {
    unsigned skip, every = f->kind == ON_PWRITE || f->kind == ON_PREAD ? 5 : 60;
    failures = 0;
    for (skip = 0; skip < 3000 && test_errors == 0; skip += skip < every ? 1 : 89) {
        bool fired = life(kind, there, f, skip, true);
        if (!life(kind, there, f, skip, false) && !fired) break;
    }
    CHECK(skip < 3000);
    return failures > 0;
}

static void all_calls_fail(void) {
    size_t i;
    for (i = 0; i < sizeof failings / sizeof failings[0] && test_errors == 0; i++) {
        const failing *f = &failings[i];
        bool data = f->kind == ON_PWRITE || f->kind == ON_PREAD, seen;
#if !defined(__linux__)
        if (f->kind == ON_ALLOCATE || f->kind == ON_STATFS) continue;
#endif
        fault.cannot_allocate = data;
        seen = each_call(SST_BUF_ANON, false, f);
        CHECK_INT(seen, f->kind == ON_MMAP || f->kind == ON_MPROTECT);
        seen = each_call(SST_BUF_TEMP, false, f);
        CHECK_INT(seen, f->kind != ON_MPROTECT && f->kind != ON_FCNTL && f->kind != ON_STAT &&
                        f->kind != ON_PREAD);
        seen = each_call(SST_BUF_FILE, false, f);
        CHECK_INT(seen, f->kind != ON_MPROTECT && f->kind != ON_PREAD);
        seen = each_call(SST_BUF_FILE, true, f);
        CHECK_INT(seen, f->kind != ON_MPROTECT);
        fault.cannot_allocate = false;
    }
    fault.cannot_allocate = false;
}

/* These are many files: in memory where there is a place for it. */
static void calls_fail(void) {
    char before[sizeof folder], name[] = "/dev/shm/test_buf.XXXXXX";
    bool in_memory = mkdtemp(name) != NULL;
    memcpy(before, folder, sizeof folder);
    if (in_memory) memcpy(folder, name, sizeof name);
    snprintf(file_path, sizeof file_path, "%s/file", folder);
    all_calls_fail();
    if (in_memory) CHECK_INT(rmdir(name), 0);
    memcpy(folder, before, sizeof folder);
    snprintf(file_path, sizeof file_path, "%s/file", folder);
}

int main(void) {
    if (!make_folder("test_buf")) return 1;
    snprintf(file_path, sizeof file_path, "%s/file", folder);
    fault.most_written = 3000;          /* always in pieces */
    TEST_RUN(arguments);
    TEST_RUN(refused_when_open);
    TEST_RUN(random_operations);
    TEST_RUN(addresses);
    TEST_RUN(doubling);
    TEST_RUN(steps);
    TEST_RUN(zeros);
    TEST_RUN(own_bytes);
    TEST_RUN(fixed);
    TEST_RUN(file_keeps);
    TEST_RUN(large_file);
    TEST_RUN(locked);
    TEST_RUN(temp);
    TEST_RUN(forked);
    TEST_RUN(no_fallocate);
    TEST_RUN(no_fallocate_and_cut);
    TEST_RUN(unsafe_file_systems);
    TEST_RUN(file_size_limit);
    TEST_RUN(full_disk);
    TEST_RUN(few_addresses);
    TEST_RUN(address_limit);
    TEST_RUN(calls_fail);
    remove_folder();
    return test_done("test_buf");
}
