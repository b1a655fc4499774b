/* test_live.c - the companion: readers beside a recorder, kills, torn and foreign companions,
 * forks, deferred appending, many streams.
 *
 * Values and times are functions of stream and row, so that whoever reads a row can check it. What
 * runs in another process or thread counts its own failures, in shared memory. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "ragged_row.h"
#include "test.h"

/* The layout of the companion, as >>live describes it. */
enum { LIVE_TABLES = 128, LIVE_SLOT = 512, LIVE_HALF = 256, LIVE_DESCRIPTOR = 64 };

#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif
#ifndef ASAN
#define ASAN 0
#endif
#define SLOW_BUILD (ASAN || TSAN)

/* ThreadSanitizer wants no process that forks while it has threads. */
#define NEEDS_FORK() do { if (TSAN) SKIP("forks"); } while (0)

/* ---- files -------------------------------------------------------------------------------- */

static char folder[300], elsewhere[400], path[400], live[420];
static uint64_t seed_base;

static void empty_folder(const char *name) {
    DIR *d = opendir(name);
    struct dirent *e;
    char file[800];
    while (d != NULL && (e = readdir(d)) != NULL) {
        snprintf(file, sizeof file, "%s/%s", name, e->d_name);
        if (e->d_name[0] != '.') (void)unlink(file);
    }
    if (d != NULL) closedir(d);
}

static void wipe(void) {
    empty_folder(elsewhere);
    empty_folder(folder);
}

static bool exists(const char *name) { return access(name, F_OK) == 0; }

/* Bytes of a file, of which `size` count. */
typedef struct bytes {
    uint8_t *at;
    size_t size;
} bytes;

static bytes get_file(const char *name) {
    bytes b = {NULL, 0};
    struct stat st;
    FILE *f = fopen(name, "rb");
    if (f == NULL || fstat(fileno(f), &st) != 0) {
        test_fail(__FILE__, __LINE__, "a file is not there");
        if (f != NULL) fclose(f);
        b.at = (uint8_t *)calloc(1, 64);
        return b;
    }
    b.at = (uint8_t *)malloc((size_t)st.st_size + 1);
    if (b.at == NULL) exit(1);
    b.size = fread(b.at, 1, (size_t)st.st_size, f);
    fclose(f);
    return b;
}

static void put_file(const char *name, const void *at, size_t size) {
    FILE *f = fopen(name, "wb");
    if (f == NULL || fwrite(at, 1, size, f) != size) {
        test_fail(__FILE__, __LINE__, "a file cannot be written");
    }
    if (f != NULL) fclose(f);
}

static bytes copy_of(bytes b) {
    bytes c;
    c.size = b.size;
    c.at = (uint8_t *)malloc(b.size + 1);
    if (c.at == NULL) exit(1);
    memcpy(c.at, b.at, b.size);
    return c;
}

/* Names and contents of everything in the two folders, as one number. */
static uint64_t folder_sum(void) {
    const char *names[2];
    uint64_t sum = 0;
    int i;
    names[0] = folder;
    names[1] = elsewhere;
    for (i = 0; i < 2; i++) {
        DIR *d = opendir(names[i]);
        struct dirent *e;
        char file[800];
        while (d != NULL && (e = readdir(d)) != NULL) {
            struct stat st;
            bytes b;
            snprintf(file, sizeof file, "%s/%s", names[i], e->d_name);
            if (stat(file, &st) != 0 || !S_ISREG(st.st_mode)) continue;
            b = get_file(file);
            sum += ((uint64_t)sst_crc32c(b.at, b.size, 0) << 32 |
                    sst_crc32c(file, strlen(file), 0)) * (b.size * 2 + 1);
            free(b.at);
        }
        if (d != NULL) closedir(d);
    }
    return sum;
}

static int64_t now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void *shared_memory(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) exit(1);
    return p;
}

static uint64_t load64(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static void store64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

/* Waits for a child; one that takes too long is killed, which fails the check of its status. */
static int join_child(pid_t pid, int64_t limit_ms) {
    int64_t until = now_ms() + limit_ms;
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() > until) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            break;
        }
        usleep(500);
    }
    return status;
}

/* ---- streams whose rows can be told again ------------------------------------------------- */

enum { SMALL, VECTOR, SLOW, IMAGE, FRAMES, RECORDS, LATE, KINDS };

#define IMAGE_BYTES 9000        /* of a row that is larger than a quarter of its block */

#define RECORD_BYTES 1500       /* at most */

static const char *const kind_names[KINDS] = {"small", "vector", "slow", "image", "frames",
                                              "records", "late"};
static const size_t kind_bytes[KINDS] = {8, 24, 4, IMAGE_BYTES, 12, 4, 24};

static bool is_ragged(int kind) { return kind == FRAMES || kind == RECORDS; }

static void make_value(int kind, uint64_t row, uint8_t *value) {
    uint64_t state = row * 8 + (uint64_t)kind;
    size_t i, size = kind_bytes[kind];
    for (i = 0; i < size; i += 8) {
        uint64_t word = test_random(&state);
        memcpy(value + i, &word, size - i < 8 ? size - i : 8);
    }
}

static int64_t row_time(int kind, uint64_t row) { return (int64_t)(row * 10) - 1000 + kind; }

/* Sizes change by a factor of 100 from time to time. */
static void make_ragged(int kind, uint64_t row, ragged_row *r) {
    uint64_t state = row * 8 + (uint64_t)kind;
    size_t most = row / 150 % 2 == 0 ? 4 : 400, i;
    if (test_below(&state, 80) == 0) most = kind == FRAMES ? FRAME_ITEMS : RECORD_BYTES;
    r->items = (size_t)test_below(&state, most + 1);
    r->number = (uint32_t)test_random(&state);
    r->key_bytes = (size_t)test_below(&state, KEY_MAX);
    r->removed = test_below(&state, 9) == 0;
    for (i = 0; i < KEY_MAX; i++) r->key[i] = (uint8_t)(row + i);
    for (i = 0; i < r->items * (kind == FRAMES ? 4 : 1); i++) {
        r->bytes[i] = (uint8_t)(r->number + i * 7);
    }
}

/* Are rows of a view, the first of which is row `first`, what they must be? */
static bool ragged_right(const sst_view *view, int kind, uint64_t first) {
    size_t item = kind == FRAMES ? 4 : 1;
    uint64_t i;
    ragged_row r;
    for (i = 0; i < view->count; i++) {
        const uint8_t *items = (const uint8_t *)view->values + view->offsets[i] * item;
        make_ragged(kind, first + i, &r);
        if (view->offsets[i + 1] - view->offsets[i] != r.items) return false;
        if (memcmp(items, r.bytes, r.items * item) != 0) return false;
        if (kind == RECORDS) {
            if (view->times != NULL || !ragged_key_right(view, i, &r)) return false;
            continue;
        }
        if (view->times[i] != row_time(kind, first + i) || view->tags[i] != ~r.number ||
            ((const uint32_t *)view->columns[1].values)[i] != r.number) return false;
    }
    return true;
}

static void describe(int kind, sst_stream_desc *desc) {
    static const sst_type types[KINDS] = {SST_F64, SST_F32, SST_I32, SST_U8, (sst_type)0,
                                          (sst_type)0, SST_F64};
    static const uint32_t shapes[KINDS] = {0, 6, 0, IMAGE_BYTES, 0, 0, 3};
    static const uint32_t blocks[KINDS] = {512, 0, 0, 16384, 0, 0, 1024};
    memset(desc, 0, sizeof *desc);
    desc->name = kind_names[kind];
    desc->flags = SST_OPEN_EXISTING;
    desc->type = types[kind];
    desc->shape[0] = shapes[kind];
    desc->block_bytes = blocks[kind];
    if (is_ragged(kind)) ragged_describe(desc, kind == FRAMES);
}

static int append_row(sst_stream *stream, int kind, uint64_t row) {
    uint8_t value[IMAGE_BYTES];
    ragged_row r;
    if (is_ragged(kind)) {
        make_ragged(kind, row, &r);
        return ragged_append(stream, kind == FRAMES, row_time(kind, row), &r);
    }
    make_value(kind, row, value);
    return sst_append(stream, row_time(kind, row), value);
}

/* Are these rows what they must be? */
static bool rows_right(sst_stream *stream, int kind, uint64_t first, uint64_t count) {
    uint8_t want[IMAGE_BYTES];
    size_t size = kind_bytes[kind];
    sst_view view;
    uint64_t i;
    if (sst_slice(stream, first, count, &view) != SST_OK || view.count != count) return false;
    if (is_ragged(kind)) return ragged_right(&view, kind, first);
    for (i = 0; i < count; i++) {
        make_value(kind, first + i, want);
        if (view.times[i] != row_time(kind, first + i) ||
            memcmp((const uint8_t *)view.values + i * size, want, size) != 0) return false;
    }
    return true;
}

/* A recorder's handles and how far each stream is. */
typedef struct recorder {
    sst_store *store;
    sst_stream *streams[KINDS];
    uint64_t rows[KINDS];
} recorder;

static void recorder_streams(recorder *r, int kinds) {
    int k;
    for (k = 0; k < kinds; k++) {
        sst_stream_desc desc;
        describe(k, &desc);
        CHECK_INT(sst_stream_create(r->store, &desc, &r->streams[k]), SST_OK);
        r->rows[k] = sst_rows(r->streams[k]);
    }
}

static void record(recorder *r, int kind, uint64_t rows) {
    for (; rows != 0 && test_errors == 0; rows--) {
        CHECK_INT(append_row(r->streams[kind], kind, r->rows[kind]), SST_OK);
        r->rows[kind]++;
    }
}

/* Every row of every stream, from `least` to `most` of them; how many there are goes to `found`. */
static void check_store(sst_store *store, const uint64_t *least, const uint64_t *most,
                        uint64_t *found) {
    int k;
    for (k = 0; k < KINDS; k++) {
        sst_stream *stream;
        uint64_t rows, first;
        int result = sst_stream_open(store, kind_names[k], &stream);
        if (found != NULL) found[k] = 0;
        if (result == SST_ERR_NOT_FOUND && least[k] == 0) continue;
        CHECK_INT(result, SST_OK);
        if (result != SST_OK) continue;
        rows = sst_rows(stream);
        if (found != NULL) found[k] = rows;
        if (rows < least[k]) CHECK_INT(rows, least[k]);
        if (rows > most[k]) CHECK_INT(rows, most[k]);
        for (first = 0; first < rows && test_errors == 0; first += 1000) {
            CHECK(rows_right(stream, k, first, rows - first < 1000 ? rows - first : 1000));
        }
        sst_stream_close(stream);
    }
}

static sst_info info_of(sst_store *store) {
    sst_info info;
    memset(&info, 0, sizeof info);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    return info;
}

/* ---- an sst_io that counts, and is full when told; it does not sync, which is slow ---------- */

static struct watch {
    uint64_t calls;                 /* of anything but the clock. Atomic */
    uint64_t writes_left;           /* until the disk is full */
} watch;

static void watched(void) { (void)__atomic_fetch_add(&watch.calls, 1, __ATOMIC_RELAXED); }

static int watch_open(void *user, const char *name, uint32_t mode, void **file) {
    watched();
    return sst_io_default()->open(user, name, mode, file);
}

static int watch_close(void *user, void *file) {
    watched();
    return sst_io_default()->close(user, file);
}

static int watch_write(void *user, void *file, uint64_t offset, const void *at, size_t size,
                       size_t *done) {
    watched();
    *done = 0;
    if (watch.writes_left == 0) return SST_ERR_FULL;
    if (watch.writes_left != UINT64_MAX) watch.writes_left--;
    return sst_io_default()->write_at(user, file, offset, at, size, done);
}

static int watch_read(void *user, void *file, uint64_t offset, void *at, size_t size,
                      size_t *done) {
    watched();
    return sst_io_default()->read_at(user, file, offset, at, size, done);
}

static int watch_size(void *user, void *file, uint64_t *size) {
    watched();
    return sst_io_default()->size(user, file, size);
}

static int watch_resize(void *user, void *file, uint64_t size) {
    watched();
    return sst_io_default()->resize(user, file, size);
}

static int watch_sync(void *user, void *file) {
    (void)user;
    (void)file;
    watched();
    return SST_OK;
}

static int watch_reserve(void *user, void *file, uint64_t size) {
    watched();
    if (watch.writes_left == 0) return SST_ERR_FULL;
    return sst_io_default()->reserve(user, file, size);
}

static int watch_map(void *user, void *file, uint64_t offset, size_t size, uint32_t mode,
                     void **base) {
    watched();
    return sst_io_default()->map(user, file, offset, size, mode, base);
}

static int watch_sync_dir(void *user, const char *name) {
    (void)user;
    (void)name;
    watched();
    return SST_OK;
}

static sst_io watch_io;

static void watch_begin(void) {
    watch_io = *sst_io_default();
    watch_io.open = watch_open;
    watch_io.close = watch_close;
    watch_io.write_at = watch_write;
    watch_io.read_at = watch_read;
    watch_io.size = watch_size;
    watch_io.resize = watch_resize;
    watch_io.sync = watch_sync;
    watch_io.reserve = watch_reserve;
    watch_io.map = watch_map;
    watch_io.sync_dir = watch_sync_dir;
    watch.writes_left = UINT64_MAX;
}

/* An allocator that counts calls, what is not freed, and the most there was. It refuses what only
 * a wrong size can ask for. */
static struct heap {
    uint64_t calls;                 /* atomic */
    int64_t now, peak;
    uint64_t refused;
} heap;

static void *heap_resize(void *user, void *old, size_t old_size, size_t new_size) {
    void *p = NULL;
    int64_t now;
    (void)user;
    (void)__atomic_fetch_add(&heap.calls, 1, __ATOMIC_RELAXED);
    if (new_size > (size_t)1 << 30) {
        heap.refused++;
        return NULL;
    }
    if (new_size == 0) free(old);
    else if ((p = realloc(old, new_size)) == NULL) return NULL;
    now = __atomic_add_fetch(&heap.now, (int64_t)new_size - (old == NULL ? 0 : (int64_t)old_size),
                             __ATOMIC_RELAXED);
    if (now > heap.peak) __atomic_store_n(&heap.peak, now, __ATOMIC_RELAXED);
    return p;
}

static const sst_allocator heap_allocator = {NULL, heap_resize};

static sst_options options_of(uint32_t flags) {
    sst_options options;
    memset(&options, 0, sizeof options);
    options.io = &watch_io;
    options.flags = flags;
    return options;
}

/* ---- readers beside a recorder ------------------------------------------------------------ */

enum { READERS = 3 };

/* The recorder's phases. Between two of them it is at what leads from one to the next. */
enum { NOTHING = 0, FIRST = 1, CLOSED = 3, SECOND = 5, FINISHED = 7 };

typedef struct reader {
    uint64_t rounds, advances, misses, failures, crashed, tail_missing;
    uint64_t phases;                /* bits: in which rows were missed or a state was wrong */
    int64_t slowest_ms;
    char first[500];                /* the first failures */
} reader;

typedef struct stage {
    uint64_t phase;
    uint64_t rows[KINDS];           /* appended: their append has returned */
    uint64_t hurry;                 /* readers stop */
    reader readers[READERS];
} stage;

static void complain(reader *r, bool right, int line, const char *text, long long got,
                     long long want) {
    if (right) return;
    {
        size_t used = strlen(r->first);
        snprintf(r->first + used, sizeof r->first - used, "line %d: %s (%lld, %lld); ", line, text,
                 got, want);
        r->failures++;
    }
}

static void complain_int(reader *r, long long got, long long want, int line, const char *text) {
    complain(r, got == want, line, text, got, want);
}

#define EXPECT(r, condition) complain((r), (condition), __LINE__, #condition, 0, 0)
#define EXPECT_INT(r, got, want) \
    complain_int((r), (long long)(got), (long long)(want), __LINE__, #got)

/* What one reader holds between its looks at the store. */
typedef struct sight {
    sst_store *store;
    sst_stream *streams[KINDS];
    uint64_t seen[KINDS], random;
} sight;

/* Rows that were seen stay; those that were appended before the look began are there; all those
 * looked at are right. */
static void look_at_stream(reader *r, sight *s, int k, uint64_t least) {
    uint64_t rows, first;
    if (s->streams[k] == NULL) {
        int result = sst_stream_open(s->store, kind_names[k], &s->streams[k]);
        if (result == SST_ERR_NOT_FOUND) {
            EXPECT_INT(r, s->seen[k], 0);
            if (least != 0) r->misses++;
            return;
        }
        EXPECT_INT(r, result, SST_OK);
        if (result != SST_OK) return;
    }
    rows = sst_rows(s->streams[k]);
    complain(r, rows >= s->seen[k], __LINE__, "rows vanished", (long long)rows,
             (long long)s->seen[k]);
    if (rows < least) r->misses++;
    if (rows > s->seen[k]) r->advances++;
    first = s->seen[k] < 50 ? 0 : s->seen[k] - 50;
    if (rows - first > 1500) first = rows - 1500;
    if (rows > first) EXPECT(r, rows_right(s->streams[k], k, first, rows - first));
    if (rows != 0) {
        uint64_t row = test_below(&s->random, rows), found = 0;
        uint64_t count = rows - row < 60 ? rows - row : 60;
        EXPECT(r, rows_right(s->streams[k], k, row, count));
        s->seen[k] = rows;
        if (k == RECORDS) return;                       /* no times */
        EXPECT_INT(r, sst_locate(s->streams[k], row_time(k, rows - 1), SST_EXACT, &found), SST_OK);
        EXPECT_INT(r, found, rows - 1);
    }
    s->seen[k] = rows;
}

static void leave(sight *s) {
    if (s->store != NULL) sst_close(s->store);
    s->store = NULL;
    memset(s->streams, 0, sizeof s->streams);
}

/* One look. how 0: one store for ever; 1: opened anew each time; 2: opened anew now and then. */
static void look_once(stage *t, reader *r, sight *s, int how, uint32_t flags) {
    uint64_t least[KINDS], phase = load64(&t->phase), bad;
    int64_t begin, took;
    sst_info info;
    int k, result;
    for (k = 0; k < KINDS; k++) least[k] = load64(&t->rows[k]);
    if (how == 1 || (how == 2 && test_below(&s->random, 40) == 0)) leave(s);
    begin = now_ms();
    if (s->store != NULL) {
        result = sst_refresh(s->store);
    } else {
        sst_options options;
        memset(&options, 0, sizeof options);
        options.flags = flags;
        result = sst_open(path, &options, &s->store);
        if (phase == NOTHING && (result == SST_ERR_NOT_FOUND || result == SST_ERR_FORMAT)) return;
    }
    took = now_ms() - begin;
    if (took > r->slowest_ms) r->slowest_ms = took;
    EXPECT_INT(r, result, SST_OK);
    r->rounds++;
    if (result != SST_OK) {
        leave(s);
        return;
    }
    bad = r->misses;
    for (k = 0; k < KINDS; k++) look_at_stream(r, s, k, least[k]);
    if (r->misses != bad) r->phases |= 1u << phase | 256u << load64(&t->phase);
    EXPECT_INT(r, sst_store_info(s->store, &info), SST_OK);
    if (phase != NOTHING && info.state == SST_CRASHED) r->crashed++;
    if (load64(&t->phase) != phase) return;
    if (phase == FIRST || phase == SECOND) {
        EXPECT_INT(r, info.state, SST_RECORDING);
        if (info.tail_missing) r->tail_missing++;
    }
    if (phase == CLOSED || phase == FINISHED) EXPECT_INT(r, info.state, SST_FINISHED);
}

static void read_on(stage *t, reader *r, int how, uint32_t flags) {
    sight s;
    uint64_t phase;
    memset(&s, 0, sizeof s);
    s.random = seed_base + (uint64_t)how;
    do {
        phase = load64(&t->phase);
        look_once(t, r, &s, how, flags);
    } while (phase != FINISHED && r->failures == 0 && load64(&t->hurry) == 0);
    leave(&s);
}

/* Records in bursts at full speed, for so long; readers shall not have too much to look at. */
static void record_for(recorder *r, stage *t, int64_t ms, uint64_t *random) {
    int64_t begin = now_ms(), until = begin + ms;
    uint64_t n;
    for (n = 0; test_errors == 0; n++) {
        int kind = n % 500 == 499 ? IMAGE : n % 2000 == 77 ? SLOW : n % 8 == 0 ? VECTOR : SMALL;
        int result;
        if (r->streams[LATE] != NULL && n % 16 == 3) kind = LATE;
        if (n % 8 == 5) kind = n / 8 % 2 == 0 ? FRAMES : RECORDS;
        result = append_row(r->streams[kind], kind, r->rows[kind]);
        CHECK_INT(result, SST_OK);
        if (result != SST_OK) return;
        store64(&t->rows[kind], ++r->rows[kind]);
        if (n % 4096 == 0) {
            uint64_t what = test_below(random, 30);
            if (what == 0) CHECK_INT(sst_sync(r->store), SST_OK);
            if (what == 1) CHECK_INT(sst_flush(r->store), SST_OK);
            if (what == 2) CHECK_INT(sst_poll(r->store), SST_OK);
            if (what < 6) usleep(2000);
        }
        if (n % 128 == 0) {
            int64_t now = now_ms();
            if (now >= until) return;
            if ((int64_t)n > (now - begin + 20) * (SLOW_BUILD ? 50 : 200)) usleep(10000);
            if (r->streams[LATE] == NULL && now >= begin + ms / 2) {
                sst_stream_desc desc;
                describe(LATE, &desc);
                CHECK_INT(sst_stream_create(r->store, &desc, &r->streams[LATE]), SST_OK);
            }
        }
    }
}

/* Two sessions and the pause between them. */
static void record_sessions(stage *t) {
    recorder r;
    uint64_t random = seed_base;
    int round;
    memset(&r, 0, sizeof r);
    for (round = 0; round < 2 && test_errors == 0; round++) {
        CHECK_INT(round == 0 ? sst_create(path, NULL, &r.store)
                             : sst_open_append(path, NULL, &r.store), SST_OK);
        if (r.store == NULL) return;
        recorder_streams(&r, round == 0 ? LATE : KINDS);
        store64(&t->phase, round == 0 ? FIRST : SECOND);
        record_for(&r, t, round == 0 ? 600 : 400, &random);
        store64(&t->phase, round == 0 ? FIRST + 1 : SECOND + 1);
        CHECK_INT(sst_close(r.store), SST_OK);
        memset(r.streams, 0, sizeof r.streams);
        store64(&t->phase, round == 0 ? CLOSED : FINISHED);
        usleep(round == 0 ? 60000 : 0);
        store64(&t->phase, round == 0 ? CLOSED + 1 : FINISHED);
    }
}

static void report(const stage *t) {
    int i;
    for (i = 0; i < READERS; i++) {
        const reader *r = &t->readers[i];
        if (r->failures != 0) test_fail(__FILE__, __LINE__, r->first);
        CHECK_INT(r->failures, 0);
        CHECK_INT(r->misses, 0);            /* rows appended before the look began */
        CHECK_INT(r->crashed, 0);
        CHECK_INT(r->tail_missing, 0);
        CHECK(r->rounds >= 5);
        CHECK(r->advances >= 5);
        CHECK(r->slowest_ms < 10000);
        if (getenv("TEST_VERBOSE") != NULL) {
            printf("note reader %d: %llu looks, %llu advances, slowest %lld ms, phases %llx\n", i,
                   (unsigned long long)r->rounds, (unsigned long long)r->advances,
                   (long long)r->slowest_ms, (unsigned long long)r->phases);
        }
    }
}

static uint32_t reader_flags(int i) { return i == 2 ? (uint32_t)SST_NO_MAP : 0; }

static void readers_in_processes(void) {
    stage *t;
    pid_t pids[READERS];
    int i;
    NEEDS_FORK();
    wipe();
    t = (stage *)shared_memory(sizeof *t);
    for (i = 0; i < READERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            alarm(60);
            read_on(t, &t->readers[i], i, reader_flags(i));
            _exit(0);
        }
    }
    record_sessions(t);
    if (test_errors != 0) store64(&t->hurry, 1);
    for (i = 0; i < READERS; i++) {
        int status = join_child(pids[i], 20000);
        CHECK(WIFEXITED(status));
    }
    report(t);
    {
        sst_store *store = NULL;
        CHECK_INT(sst_open(path, NULL, &store), SST_OK);
        if (store != NULL) {
            CHECK_INT(sst_verify(store, NULL), SST_OK);
            check_store(store, t->rows, t->rows, NULL);
            sst_close(store);
        }
    }
    CHECK(!exists(live));
    munmap(t, sizeof *t);
}

typedef struct thread_reader {
    stage *stage;
    int which;
} thread_reader;

static void *read_in_thread(void *user) {
    const thread_reader *a = (const thread_reader *)user;
    read_on(a->stage, &a->stage->readers[a->which], a->which, reader_flags(a->which));
    return NULL;
}

/* The same within one process, for ThreadSanitizer. */
static void readers_in_threads(void) {
    static stage t;
    pthread_t threads[READERS];
    thread_reader arguments[READERS];
    int i;
    wipe();
    memset(&t, 0, sizeof t);
    for (i = 0; i < READERS; i++) {
        arguments[i].stage = &t;
        arguments[i].which = i;
        pthread_create(&threads[i], NULL, read_in_thread, &arguments[i]);
    }
    record_sessions(&t);
    if (test_errors != 0) store64(&t.hurry, 1);
    for (i = 0; i < READERS; i++) pthread_join(threads[i], NULL);
    report(&t);
}

/* A reader comes to the last moments of a session, again and again: what was appended before it
 * looked must not fall between the companion that is gone and the END that it did not see. */
typedef struct closing {
    uint64_t round, appended;       /* rounds that have begun; rows of this one */
    uint64_t stop;
    reader reader;
} closing;

static void *look_while_closing(void *user) {
    closing *c = (closing *)user;
    reader *r = &c->reader;
    while (load64(&c->stop) == 0 && r->failures == 0) {
        uint64_t round = load64(&c->round), least = load64(&c->appended), rows;
        sst_store *store = NULL;
        sst_stream *stream = NULL;
        sst_info info;
        int result = sst_open(path, NULL, &store);
        if (load64(&c->round) != round || round % 2 == 0) {
            sst_close(store);               /* between two stores */
            continue;
        }
        EXPECT_INT(r, result, SST_OK);
        if (result != SST_OK) break;
        r->rounds++;
        rows = sst_stream_open(store, kind_names[SLOW], &stream) == SST_OK ? sst_rows(stream) : 0;
        if (rows < least) r->misses++;
        sst_store_info(store, &info);
        if (info.state == SST_CRASHED) r->crashed++;
        if (info.tail_missing && info.state != SST_RECORDING) r->tail_missing++;
        if (rows != 0) EXPECT(r, rows_right(stream, SLOW, 0, rows));
        sst_close(store);
    }
    return NULL;
}

static void looked_at_while_closing(void) {
    static closing c;
    pthread_t thread;
    int64_t until = now_ms() + 700;
    sst_options options = options_of(0);
    memset(&c, 0, sizeof c);
    wipe();
    pthread_create(&thread, NULL, look_while_closing, &c);
    while (now_ms() < until && test_errors == 0) {
        recorder r;
        int session;
        memset(&r, 0, sizeof r);
        wipe();
        store64(&c.appended, 0);
        for (session = 0; session < 3 && test_errors == 0; session++) {
            CHECK_INT(session == 0 ? sst_create(path, &options, &r.store)
                                   : sst_open_append(path, &options, &r.store), SST_OK);
            if (r.store == NULL) break;
            recorder_streams(&r, SLOW + 1);
            if (session == 0) store64(&c.round, c.round + 1);
            record(&r, SLOW, 20);
            store64(&c.appended, r.rows[SLOW]);
            usleep(100);
            CHECK_INT(sst_close(r.store), SST_OK);
        }
        store64(&c.round, c.round + 1);
    }
    store64(&c.stop, 1);
    pthread_join(thread, NULL);
    if (c.reader.failures != 0) test_fail(__FILE__, __LINE__, c.reader.first);
    CHECK(c.reader.rounds > 10);
    CHECK_INT(c.reader.misses, 0);
    CHECK_INT(c.reader.crashed, 0);
    CHECK_INT(c.reader.tail_missing, 0);
    if (getenv("TEST_VERBOSE") != NULL) {
        printf("note closing: %llu looks\n", (unsigned long long)c.reader.rounds);
    }
}

/* The recorder does something between any two calls that a reader makes of the host. */
typedef enum step_action {
    STEP_FLUSH, STEP_TURN, STEP_LATE, STEP_CLOSE, STEP_REOPEN, STEP_BEGIN, STEP_RECORD_CLOSE, STEPS
} step_action;

static struct stepper {
    uint64_t left;                  /* calls until it happens; 0: it has */
    step_action action;
    recorder *recorder;
    sst_io io;
} stepper;

static void step_reopen(recorder *w) {
    sst_options options = options_of(0);
    CHECK_INT(sst_open_append(path, &options, &w->store), SST_OK);
    if (w->store == NULL) return;
    recorder_streams(w, RECORDS + 1);
    record(w, SMALL, 10);
    record(w, SLOW, 5);
    record(w, FRAMES, 7);
}

static void step(void) {
    recorder *w = stepper.recorder;
    if (stepper.left == 0 || --stepper.left != 0) return;
    if (stepper.action == STEP_FLUSH) CHECK_INT(sst_flush(w->store), SST_OK);
    if (stepper.action == STEP_TURN || stepper.action == STEP_RECORD_CLOSE) {
        record(w, SMALL, 300);
        record(w, SLOW, 40);
        record(w, FRAMES, 90);
        record(w, RECORDS, 150);
    }
    if (stepper.action == STEP_LATE) {
        recorder_streams(w, KINDS);
        record(w, LATE, 5);
    }
    if (stepper.action == STEP_CLOSE || stepper.action == STEP_REOPEN ||
        stepper.action == STEP_RECORD_CLOSE) {
        CHECK_INT(sst_close(w->store), SST_OK);
        w->store = NULL;
    }
    if (stepper.action == STEP_REOPEN || stepper.action == STEP_BEGIN) step_reopen(w);
}

static int step_open(void *user, const char *name, uint32_t mode, void **file) {
    step();
    return sst_io_default()->open(user, name, mode, file);
}

static int step_close(void *user, void *file) {
    step();
    return sst_io_default()->close(user, file);
}

static int step_read(void *user, void *file, uint64_t offset, void *at, size_t size,
                     size_t *done) {
    step();
    return sst_io_default()->read_at(user, file, offset, at, size, done);
}

static int step_size(void *user, void *file, uint64_t *size) {
    step();
    return sst_io_default()->size(user, file, size);
}

static int step_map(void *user, void *file, uint64_t offset, size_t size, uint32_t mode,
                    void **base) {
    step();
    return sst_io_default()->map(user, file, offset, size, mode, base);
}

static int step_lock(void *user, void *file, int how) {
    step();
    return sst_io_default()->lock(user, file, how);
}

/* One look with the action before its nth call; false: it has fewer calls. */
static bool step_round(step_action action, bool refresh, uint64_t nth) {
    sst_options options = options_of(0);
    sst_options reading = options_of(nth % 2 == 0 ? (uint32_t)SST_NO_MAP : 0);
    uint64_t least[KINDS];
    sst_store *store = NULL;
    recorder w;
    bool happened;
    int errors = test_errors;
    memset(&w, 0, sizeof w);
    wipe();
    stepper.left = 0;
    reading.io = &stepper.io;
    CHECK_INT(sst_create(path, &options, &w.store), SST_OK);
    if (w.store == NULL) return false;
    recorder_streams(&w, RECORDS + 1);
    record(&w, SMALL, 50);
    record(&w, FRAMES, 30);
    record(&w, RECORDS, 20);
    if (refresh) CHECK_INT(sst_open(path, &reading, &store), SST_OK);
    record(&w, SMALL, 77);
    record(&w, VECTOR, 3);
    record(&w, SLOW, 9);
    record(&w, FRAMES, 25);
    record(&w, RECORDS, 35);
    if (action == STEP_BEGIN) CHECK_INT(sst_close(w.store), SST_OK);
    memcpy(least, w.rows, sizeof least);
    stepper.action = action;
    stepper.recorder = &w;
    stepper.left = nth;
    if (refresh) CHECK_INT(sst_refresh(store), SST_OK);
    else CHECK_INT(sst_open(path, &reading, &store), SST_OK);
    happened = stepper.left == 0;
    stepper.left = 0;
    if (store != NULL) {
        check_store(store, least, w.rows, NULL);
        CHECK(info_of(store).state != SST_CRASHED);
        CHECK_INT(sst_refresh(store), SST_OK);
        check_store(store, w.rows, w.rows, NULL);
        CHECK_INT(info_of(store).state, w.store == NULL || (action == STEP_BEGIN && !happened)
                                            ? SST_FINISHED : SST_RECORDING);
        CHECK(!info_of(store).tail_missing);
        CHECK_INT(sst_close(store), SST_OK);
    }
    if (w.store != NULL && (action != STEP_BEGIN || happened)) {
        CHECK_INT(sst_close(w.store), SST_OK);
    }
    if (test_errors != errors) {
        printf("action %d, %s, before call %llu\n", (int)action, refresh ? "refresh" : "open",
               (unsigned long long)nth);
    }
    return happened;
}

static void between_any_two_calls(void) {
    int action, refresh;
    uint64_t nth;
    stepper.io = *sst_io_default();
    stepper.io.open = step_open;
    stepper.io.close = step_close;
    stepper.io.read_at = step_read;
    stepper.io.size = step_size;
    stepper.io.map = step_map;
    stepper.io.lock = step_lock;
    for (action = 0; action < STEPS; action++) {
        for (refresh = 0; refresh < 2; refresh++) {
            for (nth = 1; test_errors < 12; nth++) {
                if (!step_round((step_action)action, refresh == 1, nth)) break;
            }
        }
    }
}

/* Rows in a tail take part in what is known of a timeline. */
static void timelines_of_tails(void) {
    sst_options options = options_of(0);
    sst_store *store, *view_store;
    sst_stream *stream, *seen;
    sst_stream_desc desc;
    sst_view view;
    int64_t clock, times[4] = {10, 20, 15, 30};
    uint64_t row;
    int i;
    wipe();
    REQUIRE(sst_create(path, &options, &store) == SST_OK);
    memset(&desc, 0, sizeof desc);
    desc.name = "clocked";
    desc.type = SST_I64;
    desc.timelines[0] = "arrival";
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    REQUIRE(sst_open(path, &options, &view_store) == SST_OK);
    CHECK_INT(sst_stream_open(view_store, "clocked", &seen), SST_OK);
    for (i = 0; i < 4; i++) {
        sst_row r;
        int64_t value = i;
        memset(&r, 0, sizeof r);
        clock = times[i];
        r.time = i;
        r.value = &value;
        r.timelines = &clock;
        CHECK_INT(sst_append_row(stream, &r), SST_OK);
        CHECK_INT(sst_refresh(view_store), SST_OK);
        CHECK_INT(sst_rows(seen), i + 1);
        CHECK_INT(sst_locate_on(seen, 0, times[i], SST_AT_OR_BEFORE, &row),
                  i < 2 ? SST_OK : SST_ERR_ORDER);
        if (i < 2) CHECK_INT(row, i);
        CHECK_INT(sst_slice(seen, 0, 10, &view), SST_OK);
        CHECK(view.count == (uint64_t)i + 1 && view.timelines[0] != NULL &&
              view.timelines[0][i] == times[i]);
    }
    CHECK_INT(sst_close(view_store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- after a kill ------------------------------------------------------------------------- */

/* A child records until it is killed. */
static void record_until_killed(stage *t, const sst_options *options, int kinds, uint64_t seed) {
    recorder r;
    uint64_t random = seed, n;
    memset(&r, 0, sizeof r);
    if (sst_open_append(path, options, &r.store) != SST_OK) _exit(2);
    recorder_streams(&r, kinds);
    for (n = 0; n < (uint64_t)kinds; n++) {
        if (r.rows[n] < t->rows[n]) _exit(3);
        store64(&t->rows[n], r.rows[n]);
    }
    for (n = 0;; n++) {
        int kind = (int)test_below(&random, 40);
        if (n == 1000) store64(&t->phase, FIRST);
        kind = kind < kinds ? kind : SMALL;
        if (append_row(r.streams[kind], kind, r.rows[kind]) != SST_OK) _exit(4);
        store64(&t->rows[kind], ++r.rows[kind]);
        if (n % 3000 == 2999) (void)sst_flush(r.store);
    }
}

/* Has such a child killed after so many milliseconds; what it told is in *t. */
static void kill_a_recorder(stage *t, const sst_options *options, int64_t ms) {
    static uint64_t seed;
    pid_t pid;
    int status = 0, waited = 0;
    store64(&t->phase, NOTHING);
    seed++;
    pid = fork();
    if (pid == 0) {
        alarm(30);
        record_until_killed(t, options, KINDS, seed_base + seed);
        _exit(5);
    }
    while (load64(&t->phase) == NOTHING && waited == 0) {
        waited = waitpid(pid, &status, WNOHANG);
        usleep(200);
    }
    if (waited == 0) {
        usleep((useconds_t)(ms * 1000));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    CHECK(WIFSIGNALED(status));
    if (!WIFSIGNALED(status)) CHECK_INT(WEXITSTATUS(status), 0);
}

/* Rows that only the companion has. */
static uint64_t tail_rows(const uint64_t *all, const uint64_t *sealed) {
    uint64_t rows = 0;
    int k;
    for (k = 0; k < KINDS; k++) rows += all[k] - sealed[k];
    return rows;
}

static void most_of(const uint64_t *least, uint64_t *most) {
    int k;
    for (k = 0; k < KINDS; k++) most[k] = least[k] + 1;
}

/* Opens for reading: state, rows, and nothing is changed. */
static void read_crashed(const stage *t, const sst_options *options, bool tail, uint64_t *found) {
    static const uint64_t none[KINDS];
    uint64_t most[KINDS], sum = folder_sum();
    sst_store *store = NULL;
    sst_info info;
    most_of(t->rows, most);
    CHECK_INT(sst_open(path, options, &store), SST_OK);
    if (store == NULL) return;
    info = info_of(store);
    CHECK_INT(info.state, SST_CRASHED);
    CHECK_INT(info.tail_missing, !tail);
    CHECK(!info.kill_safe);
    check_store(store, tail ? t->rows : none, most, found);
    CHECK_INT(sst_refresh(store), SST_OK);
    check_store(store, found, found, found);
    CHECK_INT(sst_append(NULL, 0, NULL), SST_ERR_ARG);
    CHECK_INT(sst_flush(store), SST_ERR_READ_ONLY);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK(folder_sum() == sum);
}

/* Recovers, goes on, closes; returns what was recovered from the tails. */
static uint64_t go_on(const uint64_t *least, const uint64_t *most, const sst_options *options,
                      uint64_t *found) {
    static const uint64_t more[KINDS] = {100, 50, 3, 2, 160, 30, 70};
    uint64_t recovered;
    recorder r;
    int k;
    memset(&r, 0, sizeof r);
    CHECK_INT(sst_open_append(path, options, &r.store), SST_OK);
    if (r.store == NULL) return 0;
    recovered = info_of(r.store).recovered_rows;
    check_store(r.store, least, most, found);
    recorder_streams(&r, KINDS);
    for (k = 0; k < KINDS; k++) record(&r, k, more[k]);
    check_store(r.store, r.rows, r.rows, NULL);
    CHECK_INT(sst_close(r.store), SST_OK);
    CHECK_INT(sst_open(path, options, &r.store), SST_OK);
    if (r.store == NULL) return 0;
    CHECK_INT(info_of(r.store).state, SST_FINISHED);
    check_store(r.store, r.rows, r.rows, NULL);
    CHECK_INT(sst_close(r.store), SST_OK);
    return recovered;
}

static void read_after_kill(void) {
    stage *t;
    sst_options plain = options_of(SST_CREATE), unmapped = options_of(SST_NO_MAP);
    uint64_t found[KINDS], most[KINDS], fewer[KINDS], tails = 0;
    char away[500];
    int round;
    NEEDS_FORK();
    t = (stage *)shared_memory(sizeof *t);
    snprintf(away, sizeof away, "%s/away", elsewhere);
    wipe();
    for (round = 0; round < 3 && test_errors == 0; round++) {
        kill_a_recorder(t, &plain, 8);
        plain.flags = 0;
        read_crashed(t, &plain, true, found);
        read_crashed(t, &unmapped, true, found);
        CHECK_INT(rename(live, away), 0);
        read_crashed(t, &plain, false, fewer);
        tails += tail_rows(found, fewer);
        CHECK_INT(rename(away, live), 0);
        plain.flags = SST_CREATE;
    }
    CHECK(tails != 0);
    CHECK_INT(go_on(found, found, &plain, most), tail_rows(found, fewer));
    CHECK(!exists(live));
    munmap(t, sizeof *t);
}

/* A reader that holds the store sees it crash, recovered, and recorded again. */
static void kill_under_a_reader(void) {
    stage *t;
    sst_options plain = options_of(SST_CREATE);
    sst_store *store = NULL;
    uint64_t most[KINDS], found[KINDS];
    pid_t pid;
    int k;
    NEEDS_FORK();
    t = (stage *)shared_memory(sizeof *t);
    wipe();
    pid = fork();
    if (pid == 0) {
        alarm(30);
        record_until_killed(t, &plain, KINDS, seed_base);
        _exit(5);
    }
    while (load64(&t->phase) == NOTHING && waitpid(pid, NULL, WNOHANG) == 0) usleep(100);
    CHECK_INT(sst_open(path, NULL, &store), SST_OK);
    if (store != NULL) CHECK_INT(info_of(store).state, SST_RECORDING);
    usleep(5000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    REQUIRE(store != NULL);
    most_of(t->rows, most);
    CHECK_INT(sst_refresh(store), SST_OK);
    CHECK_INT(info_of(store).state, SST_CRASHED);
    CHECK(!info_of(store).tail_missing);
    check_store(store, t->rows, most, found);
    go_on(found, found, NULL, most);
    CHECK_INT(sst_refresh(store), SST_OK);
    CHECK_INT(info_of(store).state, SST_FINISHED);
    most_of(found, most);
    for (k = 0; k < KINDS; k++) most[k] += 200;
    check_store(store, found, most, NULL);
    CHECK_INT(sst_close(store), SST_OK);
    munmap(t, sizeof *t);
}

static void companion_elsewhere(void) {
    stage *t;
    sst_options there = options_of(SST_CREATE), plain = options_of(0);
    uint64_t found[KINDS], most[KINDS], sealed[KINDS];
    char place[500];
    NEEDS_FORK();
    t = (stage *)shared_memory(sizeof *t);
    snprintf(place, sizeof place, "%s/tails", elsewhere);
    there.live_path = place;
    wipe();
    kill_a_recorder(t, &there, 10);
    CHECK(exists(place));
    CHECK(!exists(live));
    read_crashed(t, &there, true, found);
    read_crashed(t, &plain, false, sealed);
    CHECK_INT(go_on(found, found, &there, most), tail_rows(found, sealed));
    CHECK(!exists(place));
    CHECK(!exists(live));
    munmap(t, sizeof *t);
}

static void without_companion(void) {
    stage *t;
    sst_options none = options_of(SST_CREATE | SST_NO_LIVE), plain = options_of(SST_CREATE);
    sst_store *store = NULL;
    uint64_t found[KINDS], most[KINDS], sealed[KINDS];
    NEEDS_FORK();
    t = (stage *)shared_memory(sizeof *t);
    wipe();
    CHECK_INT(sst_create(path, &none, &store), SST_OK);
    if (store != NULL) {
        CHECK(!info_of(store).kill_safe);
        CHECK(!exists(live));
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK_INT(sst_open_append(path, &plain, &store), SST_OK);
    if (store != NULL) {
        CHECK(info_of(store).kill_safe);
        CHECK(exists(live));
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK(!exists(live));
    CHECK_INT(sst_open_append(path, &none, &store), SST_OK);
    if (store != NULL) {
        CHECK(!info_of(store).kill_safe);
        CHECK(!exists(live));
        CHECK_INT(sst_close(store), SST_OK);
    }
    kill_a_recorder(t, &plain, 10);
    CHECK(exists(live));
    /* Recovered without a companion of its own: the rows are taken, the old one is removed. */
    read_crashed(t, &plain, true, found);
    plain.live_path = path;                 /* which is no companion */
    read_crashed(t, &plain, false, sealed);
    CHECK_INT(sst_open_append(path, &none, &store), SST_OK);
    REQUIRE(store != NULL);
    CHECK(!info_of(store).kill_safe);
    CHECK_INT(info_of(store).recovered_rows, tail_rows(found, sealed));
    CHECK(!exists(live));
    check_store(store, found, found, NULL);
    CHECK_INT(sst_close(store), SST_OK);
    go_on(found, found, &none, most);
    munmap(t, sizeof *t);
}

/* ---- torn companions ---------------------------------------------------------------------- */

enum { SHOTS = 3, SECTOR = 512 };

/* The files at some moments of a recording, and what had been appended at the last. */
typedef struct shots {
    bytes store[SHOTS], tails[SHOTS];
    uint64_t sealed[SHOTS][KINDS];  /* rows in the blocks of the store then */
    uint64_t rows[SHOTS][KINDS];
} shots;

static void shoot(shots *s, int i, const recorder *r) {
    s->store[i] = get_file(path);
    s->tails[i] = get_file(live);
    memcpy(s->rows[i], r->rows, sizeof r->rows);
}

static void shots_free(shots *s) {
    int i;
    for (i = 0; i < SHOTS; i++) {
        free(s->store[i].at);
        free(s->tails[i].at);
    }
}

/* Records a while, with tails in all states, and keeps the files of three moments. */
static void shots_make(shots *s, uint64_t *random) {
    sst_options options = options_of(0);
    static const uint64_t none[KINDS];
    recorder r;
    int i;
    memset(&r, 0, sizeof r);
    memset(s, 0, sizeof *s);
    wipe();
    options.block_bytes = 4096;
    CHECK_INT(sst_create(path, &options, &r.store), SST_OK);
    if (r.store == NULL) return;
    recorder_streams(&r, KINDS);
    for (i = 0; i < SHOTS; i++) {
        int steps = 3 + (int)test_below(random, 6);
        for (; steps > 0; steps--) {
            record(&r, SMALL, test_below(random, 60));
            record(&r, VECTOR, test_below(random, 200));
            record(&r, SLOW, test_below(random, 30));
            record(&r, LATE, test_below(random, 30));
            record(&r, FRAMES, test_below(random, 60));
            record(&r, RECORDS, test_below(random, 40));
            if (test_below(random, 8) == 0) record(&r, IMAGE, 1);
            if (test_below(random, 6) == 0) CHECK_INT(sst_flush(r.store), SST_OK);
            if (test_below(random, 12) == 0) CHECK_INT(sst_sync(r.store), SST_OK);
        }
        shoot(s, i, &r);
    }
    CHECK_INT(sst_close(r.store), SST_OK);
    for (i = 0; i < SHOTS; i++) {
        sst_store *store = NULL;
        wipe();
        put_file(path, s->store[i].at, s->store[i].size);
        CHECK_INT(sst_open(path, &options, &store), SST_OK);
        if (store == NULL) return;
        CHECK(info_of(store).tail_missing);
        check_store(store, none, s->rows[i], s->sealed[i]);
        sst_close(store);
        put_file(live, s->tails[i].at, s->tails[i].size);
        CHECK_INT(sst_open(path, &options, &store), SST_OK);
        if (store == NULL) return;
        check_store(store, s->rows[i], s->rows[i], NULL);
        sst_close(store);
    }
}

/* A companion of sectors of all shots; some are zeros or garbage. */
static bytes mix(const shots *s, uint64_t *random) {
    uint64_t bad = test_below(random, 4) == 0 ? 8 : test_below(random, 2) == 0 ? 100 : 0;
    uint64_t newest = test_below(random, 3) == 0 ? 10 : 2;
    bytes m;
    size_t at;
    m.size = s->tails[SHOTS - 1].size;
    m.at = (uint8_t *)calloc(1, m.size + SECTOR);
    if (m.at == NULL) exit(1);
    for (at = 0; at < m.size; at += SECTOR) {
        size_t n = m.size - at < SECTOR ? m.size - at : SECTOR, i;
        const bytes *from = &s->tails[SHOTS - 1];
        if (test_below(random, newest) == 0) from = &s->tails[test_below(random, SHOTS)];
        if (at + n <= from->size) memcpy(m.at + at, from->at + at, n);
        if (bad == 0 || at == 0 || test_below(random, bad) != 0) continue;
        for (i = 0; i < n; i++) m.at[at + i] = 0;
        if (test_below(random, 2) == 0) {
            for (i = 0; i < n; i++) m.at[at + i] = (uint8_t)test_random(random);
        }
    }
    if (test_below(random, 20) == 0) m.size = test_below(random, m.size);
    return m;
}

/* Recovers; recovers what a crash right behind that would leave; goes on. */
static void recover_twice(const uint64_t *found) {
    sst_options options = options_of(0);
    sst_store *store = NULL;
    uint64_t again[KINDS];
    bytes a, b;
    options.block_bytes = 4096;
    CHECK_INT(sst_open_append(path, &options, &store), SST_OK);
    if (store == NULL) return;
    check_store(store, found, found, NULL);
    a = get_file(path);
    b = get_file(live);
    CHECK_INT(sst_close(store), SST_OK);
    wipe();
    put_file(path, a.at, a.size);
    put_file(live, b.at, b.size);
    free(a.at);
    free(b.at);
    go_on(found, found, &options, again);
}

/* What interrupted recoveries leave: the companion is still there, and the store has some of its
 * rows. */
static void recover_in_steps(const uint64_t *found, uint64_t *random) {
    sst_options options = options_of(0);
    uint64_t again[KINDS];
    int tries = 0;
    options.block_bytes = 4096;
    for (;;) {
        sst_store *store = NULL;
        uint64_t writes = test_below(random, 6);
        int result;
        watch.writes_left = tries < 6 ? writes : UINT64_MAX;
        result = sst_open_append(path, &options, &store);
        watch.writes_left = UINT64_MAX;
        if (result != SST_OK) {
            CHECK_INT(result, SST_ERR_FULL);
            CHECK(tries < 6);
            tries++;
            if (test_errors != 0) return;
            continue;
        }
        check_store(store, found, found, NULL);
        CHECK_INT(sst_close(store), SST_OK);
        break;
    }
    go_on(found, found, &options, again);
}

static uint64_t torn_found, torn_lost;

static void torn_round(const shots *s, uint64_t *random) {
    sst_options options = options_of(test_below(random, 4) == 0 ? (uint32_t)SST_NO_MAP : 0);
    int which = test_below(random, 2) == 0 ? SHOTS - 1 : (int)test_below(random, SHOTS), k;
    uint64_t found[KINDS], sum;
    sst_store *store = NULL;
    bytes m = mix(s, random);
    wipe();
    put_file(path, s->store[which].at, s->store[which].size);
    put_file(live, m.at, m.size);
    free(m.at);
    sum = folder_sum();
    CHECK_INT(sst_open(path, &options, &store), SST_OK);
    if (store == NULL) return;
    check_store(store, s->sealed[which], s->rows[SHOTS - 1], found);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK(folder_sum() == sum);
    for (k = 0; k < KINDS; k++) {
        torn_found += found[k] - s->sealed[which][k];
        torn_lost += s->rows[which][k] > found[k] ? s->rows[which][k] - found[k] : 0;
    }
    switch (test_below(random, 6)) {
    case 0: recover_twice(found); break;
    case 1: recover_in_steps(found, random); break;
    default: break;
    }
}

static void torn_companion(void) {
    uint64_t rounds = test_rounds(200, 5000), i, random = seed_base + 3;
    if (SLOW_BUILD) rounds = rounds / 2 + 1;
    for (i = 0; i < rounds && test_errors == 0; i += 20) {
        shots s;
        int k;
        shots_make(&s, &random);
        for (k = 0; k < 20 && test_errors == 0; k++) torn_round(&s, &random);
        shots_free(&s);
    }
    CHECK(torn_found != 0 && torn_lost != 0);
}

/* ---- companions that are not of this session ------------------------------------------------ */

static bool other_store;        /* the companion is that of another store */

/* Opens what lies there, both ways: rows from `least` to `most`, no error, no large allocation. */
static void open_foreign(const shots *s, const bytes *tails, const uint64_t *least,
                         bool append) {
    const int last = SHOTS - 1;
    sst_options options = options_of(0);
    sst_store *store = NULL;
    uint64_t found[KINDS];
    int64_t bound = 1 << 20;
    options.allocator = &heap_allocator;
    options.block_bytes = 4096;
    wipe();
    put_file(path, s->store[last].at, s->store[last].size);
    put_file(live, tails->at, tails->size);
    memset(&heap, 0, sizeof heap);
    CHECK_INT(sst_open(path, &options, &store), SST_OK);
    if (store == NULL) return;
    check_store(store, least, s->rows[last], found);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(heap.now, 0);
    CHECK_INT(heap.refused, 0);
    CHECK(heap.peak < bound + 3 * (int64_t)(s->store[last].size + tails->size));
    if (!append) return;
    if (other_store) {                              /* its rows may be the only copy */
        CHECK_INT(sst_open_append(path, &options, &store), SST_ERR_EXISTS);
        CHECK(exists(live));
        options.flags = SST_REPLACE;
    }
    CHECK_INT(sst_open_append(path, &options, &store), SST_OK);
    if (store == NULL) return;
    check_store(store, found, found, NULL);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK(!exists(live));
    CHECK_INT(heap.now, 0);
    CHECK_INT(heap.refused, 0);
}

static void foreign_companions(void) {
    const int last = SHOTS - 1;
    shots s, other;
    bytes older, newer, tails;
    uint64_t random = seed_base + 4, all[KINDS];
    sst_options options = options_of(0);
    recorder r;
    size_t i;
    shots_make(&s, &random);
    open_foreign(&s, &s.tails[last], s.rows[last], true);
    /* of the session before: its rows were sealed; sealed rows are not to come twice */
    wipe();
    put_file(path, s.store[last].at, s.store[last].size);
    put_file(live, s.tails[last].at, s.tails[last].size);
    older = copy_of(s.tails[last]);
    memset(&r, 0, sizeof r);
    CHECK_INT(sst_open_append(path, &options, &r.store), SST_OK);
    REQUIRE(r.store != NULL);
    recorder_streams(&r, KINDS);
    CHECK_INT(sst_sync(r.store), SST_OK);
    memcpy(all, r.rows, sizeof all);
    record(&r, SMALL, 10);
    newer = get_file(live);
    free(s.store[last].at);
    s.store[last] = get_file(path);
    memcpy(s.rows[last], r.rows, sizeof r.rows);
    CHECK_INT(sst_close(r.store), SST_OK);
    open_foreign(&s, &older, all, true);
    memcpy(s.sealed[last], all, sizeof all);
    open_foreign(&s, &newer, r.rows, true);
    /* of another store */
    shots_make(&other, &random);
    other_store = true;
    open_foreign(&s, &other.tails[last], all, true);
    other_store = false;
    /* of a future version, with and without a checksum that holds; another salt, uuid, session */
    for (i = 0; i < 40; i++) {
        tails = copy_of(newer);
        tails.at[i] ^= 1;
        open_foreign(&s, &tails, all, i == 8);
        ssti_put32(tails.at + 40, sst_crc32c(tails.at, 40, 0));
        open_foreign(&s, &tails, all, i == 8 || i == 33);
        free(tails.at);
    }
    /* cut short, at every multiple of 64 at first */
    for (i = 0; i < newer.size && test_errors == 0; i += i < 8192 ? 64 : 1984) {
        tails = newer;
        tails.size = i;
        open_foreign(&s, &tails, all, i % 640 == 0);
    }
    /* longer than it was, empty, random */
    tails.size = newer.size + 100000;
    tails.at = (uint8_t *)calloc(1, tails.size);
    REQUIRE(tails.at != NULL);
    memcpy(tails.at, newer.at, newer.size);
    open_foreign(&s, &tails, r.rows, true);
    for (i = 0; i < tails.size; i++) tails.at[i] = (uint8_t)test_random(&random);
    open_foreign(&s, &tails, all, true);
    memcpy(tails.at, newer.at, 128);
    open_foreign(&s, &tails, all, true);
    free(tails.at);
    free(older.at);
    free(newer.at);
    shots_free(&s);
    shots_free(&other);
}

/* A number that somebody might choose to do harm with. */
static uint64_t evil(uint64_t *random, uint64_t size) {
    const uint64_t list[] = {0, 1, 63, 64, 4096, size, size - 64, size + 64, size / 2, 0x7FFFFFFF,
                             0xFFFFFFFF, 0x100000000u, INT64_MAX, UINT64_MAX, UINT64_MAX - 63,
                             UINT64_MAX / 2, UINT64_MAX / 12, UINT64_MAX / 16 + 1};
    uint64_t n = sizeof list / sizeof list[0], i = test_below(random, n + 2);
    if (i < n) return list[i];
    return i == n ? test_below(random, size) : test_random(random);
}

static void hostile_descriptors(void) {
    const int last = SHOTS - 1;
    uint64_t random = seed_base + 5, rounds = test_rounds(250, 10000), i;
    shots s;
    if (SLOW_BUILD) rounds = rounds / 2 + 1;
    shots_make(&s, &random);
    for (i = 0; i < rounds && test_errors == 0; i++) {
        bytes m = copy_of(s.tails[last]);
        int changes = 1 + (int)test_below(&random, 4);
        uint64_t table = ssti_get64(m.at + LIVE_TABLES);   /* of the first 8 streams */
        REQUIRE(table != 0 && table <= m.size - 8 * LIVE_SLOT);
        for (; changes > 0; changes--) {
            uint8_t *d = m.at + table + test_below(&random, KINDS) * LIVE_SLOT +
                         test_below(&random, 2) * LIVE_HALF +
                         test_below(&random, 2) * LIVE_DESCRIPTOR;
            switch (test_below(&random, 8)) {
            case 0: ssti_put32(d + 4, (uint32_t)evil(&random, m.size)); break;
            case 1: ssti_put64(d + 8, evil(&random, s.rows[last][SMALL])); break;
            case 2: ssti_put64(d + 16, evil(&random, m.size)); break;
            case 3: ssti_put64(d + 24, evil(&random, m.size)); break;
            case 4: {       /* two halves in one place */
                const uint8_t *from = m.at + table + test_below(&random, KINDS) * LIVE_SLOT;
                memcpy(d, from, LIVE_DESCRIPTOR);
                break;
            }
            case 5:         /* all of the file, with capacities and sizes that fit */
                ssti_put32(d + 4, (uint32_t)(m.size / 40));
                ssti_put64(d + 16, 0);
                ssti_put64(d + 24, m.size);
                break;
            case 6: {       /* room for the items of a ragged column */
                uint64_t place = ssti_get64(d + 16) + 8 * test_below(&random, 2);
                if (place < m.size - 8) ssti_put64(m.at + place, evil(&random, m.size));
                break;
            }
            default:
                ssti_put64(m.at + LIVE_TABLES + 8 * test_below(&random, 3),
                           evil(&random, m.size));
                break;
            }
            ssti_put32(d + 60, sst_crc32c(d, 60, 0));
        }
        open_foreign(&s, &m, s.sealed[last], i % 5 == 0);
        free(m.at);
    }
    shots_free(&s);
}

/* A companion of a terabyte, most of it a hole, whose descriptors point at most of it. */
static void huge_companion(void) {
    const int last = SHOTS - 1;
    const uint64_t huge = (uint64_t)1 << 40;
    uint64_t random = seed_base + 8;
    sst_options options = options_of(0);
    uint32_t capacities[4] = {4, 1 << 20, 1 << 30, UINT32_MAX};
    int64_t begin = now_ms();
    shots s;
    int i, k;
    shots_make(&s, &random);
    options.allocator = &heap_allocator;
    for (i = 0; i < 4 && test_errors == 0; i++) {
        uint64_t table = ssti_get64(s.tails[last].at + LIVE_TABLES);
        sst_store *store = NULL;
        wipe();
        for (k = 0; k < KINDS * 4; k++) {
            uint8_t *d = s.tails[last].at + table + (uint64_t)(k / 4) * LIVE_SLOT +
                         k % 4 / 2 * LIVE_HALF + k % 2 * LIVE_DESCRIPTOR;
            ssti_put32(d + 4, capacities[i]);
            ssti_put64(d + 8, s.sealed[last][k / 4]);
            ssti_put64(d + 16, 4096);
            ssti_put64(d + 24, huge - 4096);
            ssti_put32(d + 60, sst_crc32c(d, 60, 0));
        }
        put_file(path, s.store[last].at, s.store[last].size);
        put_file(live, s.tails[last].at, s.tails[last].size);
        if (truncate(live, (off_t)huge) != 0) {
            shots_free(&s);
            SKIP("no files of a terabyte here");
        }
        memset(&heap, 0, sizeof heap);
        CHECK_INT(sst_open(path, &options, &store), SST_OK);
        CHECK_INT(heap.refused, 0);
        if (store == NULL) break;
        check_store(store, s.sealed[last], s.rows[last], NULL);
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK(now_ms() - begin < 2000);
    shots_free(&s);
}

/* Descriptors that point at halves as large as can be, in a companion that is mostly a hole. */
static void huge_halves(void) {
    const int last = SHOTS - 1;
    uint64_t random = seed_base + 9, table;
    sst_options options = options_of(0);
    sst_store *store = NULL;
    int64_t begin = now_ms();
    shots s;
    int k;
    shots_make(&s, &random);
    wipe();
    table = ssti_get64(s.tails[last].at + LIVE_TABLES);
    for (k = 0; k < KINDS * 4; k++) {
        uint64_t size = kind_bytes[k / 4], rows = ((uint64_t)1 << 30) / (size + 8);
        uint64_t columns = (rows * 8 + 63) / 64 * 64 + (rows * size + 63) / 64 * 64;
        uint8_t *d = s.tails[last].at + table + (uint64_t)(k / 4) * LIVE_SLOT +
                     k % 4 / 2 * LIVE_HALF + k % 2 * LIVE_DESCRIPTOR;
        ssti_put32(d + 4, (uint32_t)rows);
        ssti_put64(d + 8, s.sealed[last][k / 4]);
        ssti_put64(d + 16, 1 << 20);
        ssti_put64(d + 24, columns + (rows * 4 + 63) / 64 * 64 + (is_ragged(k / 4) ? 1024 : 0));
        ssti_put32(d + 60, sst_crc32c(d, 60, 0));
    }
    put_file(path, s.store[last].at, s.store[last].size);
    put_file(live, s.tails[last].at, s.tails[last].size);
    if (truncate(live, (off_t)1 << 40) != 0) {
        shots_free(&s);
        SKIP("no files of a terabyte here");
    }
    options.allocator = &heap_allocator;
    memset(&heap, 0, sizeof heap);
    CHECK_INT(sst_open(path, &options, &store), SST_OK);
    CHECK_INT(heap.refused, 0);
    if (store != NULL) {
        check_store(store, s.sealed[last], s.rows[last], NULL);
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK(now_ms() - begin < 2000);
    shots_free(&s);
}

/* ---- a full disk ---------------------------------------------------------------------------- */

/* The disk becomes full after `writes` more writes; everything that was appended is there once it
 * has room again. */
static void full_round(uint64_t *random, uint64_t writes, bool close_only, uint32_t flags) {
    sst_options options = options_of(flags);
    uint64_t found[KINDS];
    recorder r;
    int result = SST_OK, k;
    memset(&r, 0, sizeof r);
    wipe();
    options.block_bytes = 4096;
    CHECK_INT(sst_create(path, &options, &r.store), SST_OK);
    if (r.store == NULL) return;
    recorder_streams(&r, KINDS);
    for (k = 0; k < KINDS; k++) record(&r, k, 1 + test_below(random, k == IMAGE ? 3 : 300));
    watch.writes_left = writes;
    while (!close_only && result == SST_OK) {
        int kind = (int)test_below(random, KINDS);
        result = append_row(r.streams[kind], kind, r.rows[kind]);
        if (result == SST_OK) r.rows[kind]++;
    }
    if (!close_only) CHECK_INT(result, SST_ERR_FULL);
    check_store(r.store, r.rows, r.rows, NULL);
    result = sst_close(r.store);
    watch.writes_left = UINT64_MAX;
    if (result != SST_OK) CHECK_INT(result, SST_ERR_FULL);
    if (!close_only) CHECK_INT(result, SST_ERR_FULL);
    CHECK_INT(exists(live), result != SST_OK);
    CHECK_INT(sst_open(path, NULL, &r.store), SST_OK);
    if (r.store == NULL) return;
    CHECK_INT(info_of(r.store).state, result == SST_OK ? SST_FINISHED : SST_CRASHED);
    check_store(r.store, r.rows, r.rows, NULL);
    CHECK_INT(sst_close(r.store), SST_OK);
    go_on(r.rows, r.rows, &options, found);
}

static void full_when_closing(void) {
    uint64_t random = seed_base + 6, writes, i;
    for (writes = 0; writes < 14 && test_errors == 0; writes++) {
        full_round(&random, writes, true, 0);
        full_round(&random, writes, true, SST_NO_MAP);
    }
    for (i = 0; i < 20 && test_errors == 0; i++) {
        full_round(&random, test_below(&random, 40), false, 0);
    }
}

/* ---- a forked child ------------------------------------------------------------------------- */

/* Everything a child may try on its parent's handles. */
static void child_calls(reader *r, sst_store *store, sst_stream *stream, sst_stream *second) {
    double value = 1, values[2] = {1, 2};
    int64_t times[2] = {INT64_MAX - 5, INT64_MAX - 4}, rows[2];
    const void *at;
    size_t size;
    uint64_t row;
    sst_view view;
    sst_row one;
    sst_stream_desc desc;
    sst_stream *opened;
    sst_info info;
    describe(LATE, &desc);
    memset(&one, 0, sizeof one);
    memset(&view, 0, sizeof view);
    one.time = times[0];
    one.value = &value;
    EXPECT_INT(r, sst_append(stream, times[0], &value), SST_ERR_STATE);
    EXPECT_INT(r, sst_append_f64(stream, times[0], 1.0), SST_ERR_STATE);
    EXPECT_INT(r, sst_append_rows(stream, times, values, 2), SST_ERR_STATE);
    EXPECT_INT(r, sst_append_row(stream, &one), SST_ERR_STATE);
    EXPECT_INT(r, sst_append_view(stream, &view), SST_ERR_STATE);
    EXPECT_INT(r, sst_stream_finish(stream), SST_ERR_STATE);
    EXPECT_INT(r, sst_stream_create(store, &desc, &opened), SST_ERR_STATE);
    EXPECT_INT(r, sst_stream_open(store, "small", &opened), SST_ERR_STATE);
    EXPECT_INT(r, sst_flush(store), SST_ERR_STATE);
    EXPECT_INT(r, sst_poll(store), SST_ERR_STATE);
    EXPECT_INT(r, sst_sync(store), SST_ERR_STATE);
    EXPECT_INT(r, sst_abort(store), SST_ERR_STATE);
    EXPECT_INT(r, sst_image(store, &at, &size), SST_ERR_STATE);
    EXPECT_INT(r, sst_set_meta(store, "k", "v", 1), SST_ERR_STATE);
    EXPECT_INT(r, sst_remove_meta(store, "kept"), SST_ERR_STATE);
    EXPECT_INT(r, sst_stream_set_meta(stream, "k", "v", 1), SST_ERR_STATE);
    EXPECT_INT(r, sst_stream_remove_meta(stream, "kept"), SST_ERR_STATE);
    EXPECT_INT(r, sst_locate(second, 0, SST_AT_OR_AFTER, &row), SST_ERR_STATE);
    EXPECT_INT(r, sst_at(second, 0, &view), SST_ERR_STATE);
    EXPECT_INT(r, sst_window(second, 0, 100, &view), SST_ERR_STATE);
    EXPECT_INT(r, sst_window_ex(second, 0, 100, SST_CARRY, &view), SST_ERR_STATE);
    EXPECT_INT(r, sst_slice(second, 0, 10, &view), SST_ERR_STATE);
    rows[0] = rows[1] = 0;
    EXPECT_INT(r, sst_gather(second, rows, 2, values, times), SST_ERR_STATE);
    EXPECT_INT(r, sst_sample(second, times, 2, SST_SAMPLE_PREVIOUS, values, rows), SST_ERR_STATE);
    EXPECT_INT(r, sst_verify(store, NULL), SST_ERR_STATE);
    EXPECT_INT(r, sst_stream_info(second, NULL, &row, times, times + 1), SST_ERR_STATE);
    EXPECT_INT(r, sst_store_info(store, &info), SST_ERR_STATE);
    EXPECT_INT(r, sst_get_meta(store, "kept", &at, &size), SST_ERR_STATE);
    EXPECT_INT(r, sst_meta_at(store, 0, NULL, &at, &size), SST_ERR_STATE);
    EXPECT_INT(r, sst_refresh(store), SST_ERR_STATE);
}

/* A process that has nothing to do with the store. */
static void third_process(reader *r) {
    sst_store *store = NULL;
    EXPECT_INT(r, sst_open_append(path, NULL, &store), SST_ERR_LOCKED);
    EXPECT(r, store == NULL);
    EXPECT_INT(r, sst_open(path, NULL, &store), SST_OK);
    if (store != NULL) {
        sst_info info;
        EXPECT_INT(r, sst_store_info(store, &info), SST_OK);
        EXPECT_INT(r, info.state, SST_RECORDING);
        sst_close(store);
    }
}

static bool guarded(void) {
    uint32_t *guard = sstp_guard_make();
    bool there = guard != NULL;
    sstp_guard_free(guard);
    return there;
}

static void run_child(reader *r, int what, sst_store *store, sst_stream *stream,
                      sst_stream *second) {
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        alarm(10);
        if (what == 0) child_calls(r, store, stream, second);
        if (what == 1) {
            sst_stream_close(second);
            EXPECT_INT(r, sst_close(store), SST_ERR_STATE);
        }
        if (what == 2) third_process(r);
        if (what == 3) {                    /* a grandchild is no owner either */
            pid_t grandchild = fork();
            if (grandchild == 0) {
                EXPECT_INT(r, sst_append_f64(stream, INT64_MAX, 1.0), SST_ERR_STATE);
                EXPECT_INT(r, sst_close(store), SST_ERR_STATE);
                _exit(0);
            }
            waitpid(grandchild, NULL, 0);
        }
        _exit(0);
    }
    status = join_child(pid, 12000);
    if (!WIFEXITED(status)) CHECK_INT(what * 1000 + WTERMSIG(status), 0);
    if (r->failures != 0) test_fail(__FILE__, __LINE__, r->first);
    memset(r, 0, sizeof *r);
}

static void forked_child(void) {
    sst_options options = options_of(0);
    sst_stream *second;
    reader *r;
    recorder w;
    uint64_t sum;
    int what;
    NEEDS_FORK();
    if (!guarded()) SKIP("no page that is wiped in a forked child");
    r = (reader *)shared_memory(sizeof *r);
    memset(&w, 0, sizeof w);
    wipe();
    REQUIRE(sst_create(path, &options, &w.store) == SST_OK);
    recorder_streams(&w, KINDS);
    CHECK_INT(sst_set_meta(w.store, "kept", "value", 5), SST_OK);
    CHECK_INT(sst_stream_set_meta(w.streams[SMALL], "kept", "value", 5), SST_OK);
    CHECK_INT(sst_stream_open(w.store, "small", &second), SST_OK);
    record(&w, SMALL, 100);
    record(&w, VECTOR, 100);
    record(&w, IMAGE, 3);
    sum = folder_sum();
    for (what = 0; what < 4; what++) {
        run_child(r, what, w.store, w.streams[SMALL], second);
        CHECK(folder_sum() == sum);
        run_child(r, 2, w.store, w.streams[SMALL], second);
        record(&w, SMALL, 50);
        CHECK(rows_right(second, SMALL, 0, w.rows[SMALL]));
        sum = folder_sum();
    }
    CHECK_INT(sst_close(w.store), SST_OK);
    CHECK_INT(sst_open(path, NULL, &w.store), SST_OK);
    if (w.store != NULL) {
        check_store(w.store, w.rows, w.rows, NULL);
        CHECK_INT(sst_close(w.store), SST_OK);
    }
    munmap(r, sizeof *r);
}

/* A fork at a moment when another thread holds the store's lock. */
static struct gate {
    uint64_t shut, waiting;
} gate;

static int gate_write(void *user, void *file, uint64_t offset, const void *at, size_t size,
                      size_t *done) {
    while (load64(&gate.shut) != 0) {
        store64(&gate.waiting, 1);
        usleep(100);
    }
    return sst_io_default()->write_at(user, file, offset, at, size, done);
}

static void *flush_in_thread(void *user) {
    (void)sst_flush((sst_store *)user);
    return NULL;
}

static void forked_while_sealing(void) {
    sst_io io = *sst_io_default();
    sst_options options;
    pthread_t thread;
    recorder w;
    reader *r;
    pid_t pid;
    int status;
    NEEDS_FORK();
    if (!guarded()) SKIP("no page that is wiped in a forked child");
    r = (reader *)shared_memory(sizeof *r);
    memset(&w, 0, sizeof w);
    memset(&gate, 0, sizeof gate);
    memset(&options, 0, sizeof options);
    io.write_at = gate_write;
    options.io = &io;
    wipe();
    REQUIRE(sst_create(path, &options, &w.store) == SST_OK);
    recorder_streams(&w, 1);
    record(&w, SMALL, 10);
    store64(&gate.shut, 1);
    pthread_create(&thread, NULL, flush_in_thread, w.store);
    while (load64(&gate.waiting) == 0) usleep(100);
    pid = fork();
    if (pid == 0) {
        sst_store *own = NULL;
        EXPECT_INT(r, sst_append_f64(w.streams[SMALL], INT64_MAX, 1.0), SST_ERR_STATE);
        EXPECT_INT(r, sst_flush(w.store), SST_ERR_STATE);
        EXPECT_INT(r, sst_close(w.store), SST_ERR_STATE);
        EXPECT_INT(r, sst_create(NULL, NULL, &own), SST_OK);
        EXPECT_INT(r, sst_close(own), SST_OK);
        _exit(0);
    }
    status = join_child(pid, 1500);
    CHECK(WIFEXITED(status));               /* it must not wait for a thread that it has not */
    store64(&gate.shut, 0);
    pthread_join(thread, NULL);
    if (r->failures != 0) test_fail(__FILE__, __LINE__, r->first);
    record(&w, SMALL, 10);
    CHECK_INT(sst_close(w.store), SST_OK);
    munmap(r, sizeof *r);
}

/* ---- deferred ------------------------------------------------------------------------------- */

typedef struct polled {
    sst_store *store;
    uint64_t stop, turn;            /* whose turn: 0 the appender's, 1 the poller's */
    int result;
} polled;

/* Polls when it is told to. */
static void *poll_in_turns(void *user) {
    polled *p = (polled *)user;
    while (load64(&p->stop) == 0) {
        if (load64(&p->turn) == 1) {
            int result = sst_poll(p->store);
            if (result != SST_OK) p->result = result;
            store64(&p->turn, 0);
        } else {
            usleep(20);
        }
    }
    return NULL;
}

/* Appends until there is no room; nothing but the clock may be asked of the host meanwhile. */
static void fill_deferred(recorder *w, uint64_t *calls) {
    int k, busy = 0;
    bool full[KINDS] = {false};
    uint64_t before = load64(&watch.calls), allocations = load64(&heap.calls), n;
    for (n = 0; busy < 4 && n < 100000 && test_errors == 0; n++) {
        int result;
        k = (int)(n % KINDS);
        if (k == IMAGE || is_ragged(k) || full[k]) continue;    /* may be too large for a tail */
        result = append_row(w->streams[k], k, w->rows[k]);
        if (result == SST_ERR_BUSY) {
            full[k] = true;
            busy++;
            CHECK_INT(append_row(w->streams[k], k, w->rows[k]), SST_ERR_BUSY);
            continue;
        }
        CHECK_INT(result, SST_OK);
        if (result == SST_OK) w->rows[k]++;
    }
    CHECK_INT(busy, 4);
    *calls += load64(&watch.calls) - before;
    CHECK_INT(load64(&heap.calls) - allocations, 0);
}

static void deferred_session(recorder *w, bool create) {
    sst_options options = options_of(SST_DEFERRED);
    pthread_t thread;
    polled p;
    uint64_t calls = 0;
    int round;
    options.allocator = &heap_allocator;
    options.block_bytes = 8192;
    options.sync_interval_bytes = 10000;
    CHECK_INT(create ? sst_create(path, &options, &w->store)
                     : sst_open_append(path, &options, &w->store), SST_OK);
    if (w->store == NULL) return;
    recorder_streams(w, KINDS);
    memset(&p, 0, sizeof p);
    p.store = w->store;
    pthread_create(&thread, NULL, poll_in_turns, &p);
    for (round = 0; round < 8 && test_errors == 0; round++) {
        fill_deferred(w, &calls);
        store64(&p.turn, 1);
        while (load64(&p.turn) != 0) usleep(20);
        record(w, IMAGE, 1);                /* too large for a tail: written at once */
        record(w, FRAMES, 1);
        record(w, RECORDS, 1);
    }
    CHECK_INT(calls, 0);
    store64(&p.stop, 1);
    pthread_join(thread, NULL);
    CHECK_INT(p.result, SST_OK);
    check_store(w->store, w->rows, w->rows, NULL);
    CHECK_INT(sst_close(w->store), SST_OK);
    w->store = NULL;
}

static void deferred_appends_only(void) {
    recorder w;
    memset(&w, 0, sizeof w);
    wipe();
    deferred_session(&w, true);
    CHECK_INT(test_errors, 0);
    deferred_session(&w, false);
    CHECK_INT(sst_open(path, NULL, &w.store), SST_OK);
    if (w.store == NULL) return;
    check_store(w.store, w.rows, w.rows, NULL);
    CHECK_INT(sst_close(w.store), SST_OK);
}

/* Polled, flushed and looked at from other threads, while tails of four rows turn all the time. */
typedef struct rush {
    sst_store *store;
    sst_stream *stream;
    uint64_t stop, rows, number;
    int result;
    bool flush;
} rush;

static uint64_t rush_value(uint64_t number, uint64_t row) {
    return (row + 1) * 0x9E3779B97F4A7C15u ^ number;
}

static void *rush_append(void *user) {
    rush *a = (rush *)user;
    uint64_t wide[15];
    int i;
    while (load64(&a->stop) == 0 && a->result == SST_OK) {
        for (i = 0; i < 15; i++) wide[i] = rush_value(a->number, a->rows) + (uint64_t)i;
        do {
            a->result = sst_append(a->stream, (int64_t)a->rows, wide);
            if (a->result == SST_ERR_BUSY) sched_yield();
        } while (a->result == SST_ERR_BUSY && load64(&a->stop) == 0);
        if (a->result == SST_OK) a->rows++;
    }
    if (a->result == SST_ERR_BUSY) a->result = SST_OK;
    return NULL;
}

static void *rush_poll(void *user) {
    rush *a = (rush *)user;
    uint64_t n;
    for (n = 0; load64(&a->stop) == 0 && a->result == SST_OK; n++) {
        a->result = a->flush && n % 3 == 0 ? sst_flush(a->store) : sst_poll(a->store);
    }
    return NULL;
}

static void rush_check(const char *name, uint64_t number, uint64_t rows) {
    sst_store *store = NULL;
    sst_stream *stream;
    uint64_t row;
    CHECK_INT(sst_open(path, NULL, &store), SST_OK);
    if (store == NULL) return;
    CHECK_INT(sst_stream_open(store, name, &stream), SST_OK);
    CHECK_INT(sst_rows(stream), rows);
    for (row = 0; row < rows && test_errors == 0; row += 1000) {
        uint64_t i;
        sst_view view;
        CHECK_INT(sst_slice(stream, row, 1000, &view), SST_OK);
        CHECK(view.count == (rows - row < 1000 ? rows - row : 1000));
        for (i = 0; i < view.count && test_errors == 0; i++) {
            CHECK_INT(view.times[i], row + i);
            CHECK(((const uint64_t *)view.values)[i * 15] == rush_value(number, row + i));
        }
    }
    CHECK_INT(sst_close(store), SST_OK);
}

static void polled_beside(uint32_t flags, bool flush) {
    enum { STREAMS = 3 };
    sst_options options = options_of(flags);
    rush appenders[STREAMS], poller;
    pthread_t threads[STREAMS + 1];
    sst_store *store = NULL;
    char name[20];
    int i;
    wipe();
    options.block_bytes = 512;
    REQUIRE(sst_create(path, &options, &store) == SST_OK);
    memset(appenders, 0, sizeof appenders);
    memset(&poller, 0, sizeof poller);
    poller.store = store;
    poller.flush = flush;
    for (i = 0; i < STREAMS; i++) {
        sst_stream_desc desc;
        memset(&desc, 0, sizeof desc);
        snprintf(name, sizeof name, "s%d", i);
        desc.name = name;
        desc.type = SST_U64;
        desc.shape[0] = 15;                 /* 128 bytes a row: four rows in a half */
        CHECK_INT(sst_stream_create(store, &desc, &appenders[i].stream), SST_OK);
        appenders[i].number = (uint64_t)i;
        pthread_create(&threads[i], NULL, rush_append, &appenders[i]);
    }
    pthread_create(&threads[STREAMS], NULL, rush_poll, &poller);
    usleep(150000);
    for (i = 0; i < STREAMS; i++) {
        store64(&appenders[i].stop, 1);
        pthread_join(threads[i], NULL);
        CHECK_INT(appenders[i].result, SST_OK);
        CHECK_INT(sst_rows(appenders[i].stream), appenders[i].rows);
    }
    store64(&poller.stop, 1);
    pthread_join(threads[STREAMS], NULL);
    CHECK_INT(poller.result, SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    for (i = 0; i < STREAMS && test_errors == 0; i++) {
        snprintf(name, sizeof name, "s%d", i);
        rush_check(name, (uint64_t)i, appenders[i].rows);
    }
}

static void polled_while_appending(void) {
    polled_beside(SST_DEFERRED, false);
    polled_beside(SST_DEFERRED, true);
    polled_beside(0, true);
}

/* ---- many streams --------------------------------------------------------------------------- */

static uint64_t disk_bytes(const char *name) {
    struct stat st;
    return stat(name, &st) == 0 ? (uint64_t)st.st_blocks * 512 : UINT64_MAX;
}

/* Bytes of the companion after the same recording with and without a limit of the tails. */
static uint64_t tails_of(uint64_t tail_bytes_max) {
    enum { STREAMS = 20, ROWS = 60000 };
    sst_options options = options_of(SST_NO_SYNC);
    sst_stream *streams[STREAMS];
    sst_store *store = NULL;
    uint64_t bytes_then, row;
    int i;
    wipe();
    options.tail_bytes_max = tail_bytes_max;
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    if (store == NULL) return 0;
    for (i = 0; i < STREAMS; i++) {
        sst_stream_desc desc;
        char name[20];
        memset(&desc, 0, sizeof desc);
        snprintf(name, sizeof name, "s%d", i);
        desc.name = name;
        desc.type = SST_I64;
        CHECK_INT(sst_stream_create(store, &desc, &streams[i]), SST_OK);
    }
    for (row = 0; row < ROWS && test_errors == 0; row++) {
        for (i = 0; i < STREAMS; i++) {
            CHECK(sst_append_i64(streams[i], (int64_t)row, (int64_t)row * i) == SST_OK);
        }
    }
    bytes_then = disk_bytes(live);
    for (i = 0; i < STREAMS; i++) {
        sst_view view;
        CHECK_INT(sst_slice(streams[i], ROWS - 1, 1, &view), SST_OK);
        CHECK(view.count == 1 && *(const int64_t *)view.values == (int64_t)(ROWS - 1) * i);
    }
    CHECK_INT(sst_close(store), SST_OK);
    return bytes_then;
}

static void tails_are_bounded(void) {
    const uint64_t limit = 1 << 20;
    uint64_t bounded = tails_of(limit), free_of_it = tails_of(0);
    CHECK(bounded <= 3 * limit);
    CHECK(free_of_it > 8 * limit);
    CHECK(free_of_it < 64 * limit);
}

enum { MANY_THREADS = 4 };

typedef struct many_writer {
    sst_store *store;
    uint64_t *rows;                 /* of all streams, shared */
    uint32_t from, to;
    int result;
} many_writer;

static uint32_t many_streams(void) { return SLOW_BUILD ? 400 : 5000; }

static int64_t many_value(uint32_t stream, uint64_t row) {
    return (int64_t)((row + 1) * 0x9E3779B97F4A7C15u + stream);
}

static void many_name(uint32_t i, char *name, size_t size) {
    snprintf(name, size, "sensor/%u", (unsigned)i);
}

/* Rows after which a stream rests: one of 100 goes on for ever, one half fills a first half. */
static uint64_t many_rests(uint32_t i) {
    return i % 100 == 0 ? UINT64_MAX : i % 2 == 0 ? 1500 : 200;
}

/* Makes its streams, then appends to them at rates from 1 to 1/128, for ever. */
static void *many_append(void *user) {
    many_writer *w = (many_writer *)user;
    sst_stream **streams = (sst_stream **)calloc(w->to - w->from, sizeof *streams);
    uint64_t round;
    uint32_t i;
    if (streams == NULL) return NULL;
    for (i = w->from; i < w->to && w->result == SST_OK; i++) {
        sst_stream_desc desc;
        char name[40];
        memset(&desc, 0, sizeof desc);
        many_name(i, name, sizeof name);
        desc.name = name;
        desc.type = SST_I64;
        w->result = sst_stream_create(w->store, &desc, &streams[i - w->from]);
    }
    for (round = 0; w->result == SST_OK; round++) {
        for (i = w->from; i < w->to && w->result == SST_OK; i++) {
            uint64_t row = w->rows[i];
            if (round % ((uint64_t)1 << i % 8) != 0 || row >= many_rests(i)) continue;
            w->result = sst_append_i64(streams[i - w->from], (int64_t)row * 3, many_value(i, row));
            store64(&w->rows[i], row + 1);
        }
    }
    _exit(7);
}

static void many_child(uint64_t *rows) {
    many_writer writers[MANY_THREADS];
    pthread_t threads[MANY_THREADS];
    sst_options options = options_of(SST_NO_SYNC);
    sst_store *store;
    uint32_t i, n = many_streams() / MANY_THREADS;
    alarm(60);
    if (sst_create(path, &options, &store) != SST_OK) _exit(2);
    memset(writers, 0, sizeof writers);
    for (i = 0; i < MANY_THREADS; i++) {
        writers[i].store = store;
        writers[i].rows = rows;
        writers[i].from = i * n;
        writers[i].to = i * n + n;
        pthread_create(&threads[i], NULL, many_append, &writers[i]);
    }
    for (;;) usleep(1000);
}

/* Every row of every stream, at least as many as were published. */
static void many_check(sst_store *store, uint64_t *rows, uint64_t slack, bool append) {
    uint32_t i, n = many_streams();
    uint64_t total = 0;
    for (i = 0; i < n && test_errors == 0; i++) {
        sst_stream *stream = NULL;
        sst_view view;
        uint64_t row;
        char name[40];
        many_name(i, name, sizeof name);
        CHECK_INT(sst_stream_open(store, name, &stream), SST_OK);
        if (stream == NULL) return;
        CHECK(sst_rows(stream) >= rows[i] && sst_rows(stream) <= rows[i] + slack);
        rows[i] = sst_rows(stream);
        CHECK_INT(sst_slice(stream, 0, rows[i], &view), SST_OK);
        CHECK_INT(view.count, rows[i]);
        for (row = 0; row < view.count && test_errors == 0; row++) {
            if (view.times[row] != (int64_t)row * 3 ||
                ((const int64_t *)view.values)[row] != many_value(i, row)) CHECK_INT(row, -1);
        }
        total += rows[i];
        if (append) {
            CHECK_INT(sst_append_i64(stream, (int64_t)rows[i] * 3, many_value(i, rows[i])), SST_OK);
            rows[i]++;
        }
        sst_stream_close(stream);
    }
    if (getenv("TEST_VERBOSE") != NULL) {
        printf("note many: %llu rows\n", (unsigned long long)total);
    }
}

static void many_streams_killed(void) {
    sst_options options = options_of(SST_NO_SYNC);
    sst_store *store = NULL;
    struct statvfs fs;
    uint64_t *rows, count;
    int64_t until = now_ms() + 10000;
    uint32_t i, begun = 0;
    pid_t pid;
    NEEDS_FORK();
    if (statvfs(folder, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < (uint64_t)1 << 30) {
        SKIP("less than 1 GB free");
    }
    wipe();
    count = many_streams();
    rows = (uint64_t *)shared_memory(count * sizeof *rows);
    pid = fork();
    if (pid == 0) {
        many_child(rows);
        _exit(6);
    }
    while (begun < count && now_ms() < until && waitpid(pid, NULL, WNOHANG) == 0) {
        usleep(2000);
        for (begun = 0; begun < count && load64(&rows[begun]) > 3; begun++) { }
    }
    CHECK_INT(begun, count);
    usleep(300000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(disk_bytes(live) < (uint64_t)250 << 20);
    if (getenv("TEST_VERBOSE") != NULL) {
        printf("note companion %llu KB\n", (unsigned long long)disk_bytes(live) >> 10);
    }
    CHECK_INT(sst_open(path, &options, &store), SST_OK);
    if (store != NULL) {
        many_check(store, rows, 1, false);
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK_INT(sst_open_append(path, &options, &store), SST_OK);
    if (store != NULL) {
        many_check(store, rows, 0, true);
        CHECK_INT(sst_close(store), SST_OK);
    }
    CHECK(!exists(live));
    CHECK_INT(sst_open(path, &options, &store), SST_OK);
    if (store != NULL) {
        many_check(store, rows, 0, false);
        CHECK_INT(sst_close(store), SST_OK);
    }
    for (i = 0, begun = 0; i < count; i++) begun += rows[i] > 5;
    CHECK(begun != 0);
    munmap(rows, count * sizeof *rows);
    wipe();
}

/* With TEST_ONLY: those tests whose names begin so. */
#define RUN(function) \
    do { \
        const char *only = getenv("TEST_ONLY"); \
        if (only == NULL || strncmp(#function, only, strlen(only)) == 0) TEST_RUN(function); \
    } while (0)

int main(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sst-live-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    if (mkdir(elsewhere, 0700) != 0) return 1;
    snprintf(path, sizeof path, "%s/run.sstore", folder);
    snprintf(live, sizeof live, "%s-live", path);
    watch_begin();
    seed_base = test_seed(11);
    RUN(readers_in_processes);
    RUN(readers_in_threads);
    RUN(looked_at_while_closing);
    RUN(between_any_two_calls);
    RUN(timelines_of_tails);
    RUN(read_after_kill);
    RUN(kill_under_a_reader);
    RUN(companion_elsewhere);
    RUN(without_companion);
    RUN(torn_companion);
    RUN(foreign_companions);
    RUN(hostile_descriptors);
    RUN(huge_companion);
    RUN(huge_halves);
    RUN(full_when_closing);
    RUN(forked_child);
    RUN(forked_while_sealing);
    RUN(deferred_appends_only);
    RUN(polled_while_appending);
    RUN(tails_are_bounded);
    RUN(many_streams_killed);
    wipe();
    rmdir(elsewhere);
    rmdir(folder);
    return test_done("live");
}
