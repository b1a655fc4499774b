/* Kills: a child records, tells in shared memory what each append that returned has added, and is
 * killed with SIGKILL at a random moment; every such row has to be there, bit for bit. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "ragged_row.h"
#include "test.h"

enum { SMALL, VECTOR, SLOW, PICTURE, FRAMES, RECORDS, STREAMS };
#define IMAGE 9000              /* bytes of a row that is larger than a quarter of its block */
#define RECORD_BYTES 3000       /* at most */
#define LARGE_ROWS (1u << 20)   /* more than there are in a file */

static const char *const names[STREAMS] = {"small", "vector", "slow", "image", "frames",
                                           "records"};

typedef struct shared_page {
    uint64_t rows[STREAMS];     /* appended: their append has returned */
    uint64_t refusals;
    uint32_t ready;
    uint8_t large[2][LARGE_ROWS];   /* 1: a row of frames or records is as large as can be */
} shared_page;

typedef struct writer {
    sst_stream *stream;
    shared_page *page;
    sst_store *store;           /* when nobody else polls it */
    int which;
    uint64_t row;
} writer;

static uint64_t kept, recovered;    /* rows that were checked, and those that only tails had */
static uint64_t kept_ragged, refused;

static char folder[256], path[300], live[320], torn[320];

/* Row values are a function of stream and row, so that the parent knows them. */
static void make_value(int which, uint64_t row, uint8_t *value, size_t size) {
    uint64_t state = row * 8 + (uint64_t)which;
    size_t i;
    for (i = 0; i < size; i += 8) {
        uint64_t word = test_random(&state);
        memcpy(value + i, &word, size - i < 8 ? size - i : 8);
    }
}

static size_t row_bytes(int which) {
    static const size_t bytes[STREAMS] = {8, 24, 4, IMAGE, 0, 0};
    return bytes[which];
}

static int64_t row_time(int which, uint64_t row) { return (int64_t)(row * 10) - 1000 + which; }

/* Sizes change by a factor of 100 from time to time. */
static void make_ragged(const shared_page *page, int which, uint64_t row, ragged_row *r) {
    uint64_t state = row * 8 + (uint64_t)which;
    bool large = page->large[which - FRAMES][row % LARGE_ROWS] != 0;
    size_t most = row / 200 % 2 == 0 ? 6 : 200;
    if (test_below(&state, 50) == 0) most = which == FRAMES ? FRAME_ITEMS : RECORD_BYTES;
    r->items = (size_t)test_below(&state, most + 1);
    if (large) r->items = which == FRAMES ? FRAME_ITEMS : RECORD_BYTES;
    r->number = (uint32_t)test_random(&state);
    r->key_bytes = which == FRAMES ? 0 : (size_t)test_below(&state, KEY_MAX);
    r->removed = which == RECORDS && test_below(&state, 9) == 0;
    make_value(which, row, r->bytes, r->items * (which == FRAMES ? 4 : 1));
    make_value(which + 8, row, r->key, KEY_MAX);
}

static void describe(int which, sst_stream_desc *desc) {
    memset(desc, 0, sizeof *desc);
    desc->name = names[which];
    desc->flags = SST_OPEN_EXISTING;
    desc->type = which == SMALL ? SST_F64 : which == PICTURE ? SST_U8 : SST_F32;
    desc->shape[0] = which == VECTOR ? 6 : which == PICTURE ? IMAGE : 0;
    desc->block_bytes = which == SMALL ? 4096 : which == PICTURE ? 16384 : 0;
    if (which >= FRAMES) ragged_describe(desc, which == FRAMES);
}

/* Both halves are full, and perhaps we have to poll; or a row too large for them comes next. */
static void make_room(writer *w) {
    __atomic_add_fetch(&w->page->refusals, 1, __ATOMIC_RELAXED);
    if (w->store == NULL) return;
    if (w->which < FRAMES || w->row % 3 == 0) (void)sst_poll(w->store);
    else w->page->large[w->which - FRAMES][w->row % LARGE_ROWS] = 1;
}

static int append_one(writer *w) {
    uint8_t value[IMAGE];
    int64_t time = row_time(w->which, w->row);
    ragged_row r;
    int result;
    make_value(w->which, w->row, value, row_bytes(w->which));
    for (;;) {
        if (w->which < FRAMES) {
            result = sst_append(w->stream, time, value);
        } else {
            make_ragged(w->page, w->which, w->row, &r);
            result = ragged_append(w->stream, w->which == FRAMES, time, &r);
        }
        if (result != SST_ERR_BUSY) break;
        make_room(w);
    }
    if (result != SST_OK) return result;
    w->row++;
    __atomic_store_n(&w->page->rows[w->which], w->row, __ATOMIC_RELEASE);
    return SST_OK;
}

static void *write_stream(void *user) {
    while (append_one((writer *)user) == SST_OK) { }
    return NULL;
}

enum { ONE_THREAD, DEFERRED, MANY_THREADS, CLOSING };

/* Opens or makes the store, and its streams. */
static sst_store *child_open(int mode, shared_page *page, writer *writers) {
    sst_options options;
    sst_store *store;
    int i;
    memset(&options, 0, sizeof options);
    options.flags = SST_CREATE | (mode == DEFERRED ? SST_DEFERRED : 0);
    options.sync_interval_bytes = mode == MANY_THREADS ? 1 << 20 : 0;
    if (sst_open_append(path, &options, &store) != SST_OK) _exit(2);
    for (i = 0; i < STREAMS; i++) {
        sst_stream_desc desc;
        describe(i, &desc);
        if (sst_stream_create(store, &desc, &writers[i].stream) != SST_OK) _exit(3);
        writers[i].page = page;
        writers[i].which = i;
        writers[i].store = mode == DEFERRED ? store : NULL;
        writers[i].row = sst_rows(writers[i].stream);
        if (writers[i].row < page->rows[i]) _exit(4);
        __atomic_store_n(&page->rows[i], writers[i].row, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&page->ready, 1u, __ATOMIC_RELEASE);
    return store;
}

/* One thread, perhaps deferred and polled by itself, or closing and opening all the time; or a
 * thread per stream and one that polls. */
static void child(int mode, shared_page *page, uint64_t seed) {
    writer writers[STREAMS];
    pthread_t threads[STREAMS];
    uint64_t random = seed, n;
    sst_store *store = child_open(mode, page, writers);
    int i;
    if (mode == MANY_THREADS) {
        for (i = 0; i < STREAMS; i++) pthread_create(&threads[i], NULL, write_stream, &writers[i]);
        for (;;) sst_poll(store);
    }
    for (n = 0;; n++) {
        int which = n % 64 == 0 ? PICTURE : n % 7 == 0 ? SLOW : (int)test_below(&random, 4);
        if (n % 64 != 0 && n % 7 != 0 && which >= 2) which += FRAMES - 2;
        if (mode == DEFERRED && n % 2048 == 0) sst_poll(store);
        if (mode == CLOSING && n % 200 == 199) {
            if (sst_close(store) != SST_OK) _exit(7);
            store = child_open(mode, page, writers);
        }
        if (n % 1000 == 999) {
            if (test_below(&random, 2) == 0) sst_flush(store);
            else sst_sync(store);
        }
        if (append_one(&writers[which]) != SST_OK) _exit(5);
    }
}

static void check_fixed(int which, const sst_view *view) {
    uint64_t row;
    size_t size = row_bytes(which);
    uint8_t want[IMAGE];
    for (row = 0; row < view->count && test_errors == 0; row++) {
        make_value(which, row, want, size);
        CHECK_INT(view->times[row], row_time(which, row));
        CHECK_BYTES((const uint8_t *)view->values + row * size, want, size);
    }
}

static void check_ragged(const shared_page *page, int which, const sst_view *view) {
    size_t item = which == FRAMES ? 4 : 1;
    uint64_t row;
    ragged_row r;
    CHECK(view->times != NULL || which == RECORDS);
    for (row = 0; row < view->count && test_errors == 0; row++) {
        const uint8_t *items = (const uint8_t *)view->values + view->offsets[row] * item;
        make_ragged(page, which, row, &r);
        CHECK_INT(view->offsets[row + 1] - view->offsets[row], r.items);
        if (test_errors != 0) return;
        CHECK_BYTES(items, r.bytes, r.items * item);
        if (which == RECORDS) {
            CHECK(ragged_key_right(view, row, &r));
            continue;
        }
        CHECK_INT(view->times[row], row_time(which, row));
        CHECK_INT(view->tags[row], ~r.number);
        CHECK_INT(((const uint32_t *)view->columns[1].values)[row], r.number);
    }
}

static void check_rows(sst_store *store, const shared_page *page) {
    int i;
    for (i = 0; i < STREAMS; i++) {
        sst_stream *stream;
        sst_view view;
        uint64_t rows;
        int result = sst_stream_open(store, names[i], &stream);
        if (result == SST_ERR_NOT_FOUND && page->rows[i] == 0) continue;
        CHECK_INT(result, SST_OK);
        if (result != SST_OK) continue;
        rows = sst_rows(stream);
        CHECK(rows >= page->rows[i]);
        CHECK(rows <= page->rows[i] + 1);
        CHECK(rows < LARGE_ROWS || i < FRAMES);
        kept += rows;
        if (i >= FRAMES) kept_ragged += rows;
        CHECK_INT(sst_slice(stream, 0, rows, &view), SST_OK);
        CHECK_INT(view.count, rows);
        if (test_errors != 0) return;
        if (i < FRAMES) check_fixed(i, &view);
        else check_ragged(page, i, &view);
    }
}

static void open_and_check(const shared_page *page, bool append) {
    sst_store *store;
    sst_info info;
    int result = append ? sst_open_append(path, NULL, &store) : sst_open(path, NULL, &store);
    CHECK_INT(result, SST_OK);
    if (result != SST_OK) return;
    check_rows(store, page);
    sst_store_info(store, &info);
    recovered += info.recovered_rows;
    CHECK_INT(info.kill_safe, append);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

static void remove_files(void) {
    unlink(path);
    unlink(live);
    unlink(torn);
}

/* A few kills in the same file, then a fresh one. */
static void round_of_kills(int mode, uint64_t *random) {
    shared_page *page = (shared_page *)mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int kills = 1 + (int)test_below(random, 3), i;
    remove_files();
    for (i = 0; i < kills && test_errors == 0; i++) {
        uint64_t wait = test_below(random, 12000), seed = test_random(random);
        bool early = test_below(random, 4) == 0;     /* perhaps in create or recovery */
        pid_t pid;
        int status;
        page->ready = 0;
        pid = fork();
        if (pid == 0) {
            child(mode, page, seed);
            _exit(6);
        }
        while (!early && __atomic_load_n(&page->ready, __ATOMIC_ACQUIRE) == 0 &&
               waitpid(pid, &status, WNOHANG) == 0) usleep(100);
        usleep((useconds_t)(early ? wait / 4 : wait));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        CHECK(WIFSIGNALED(status));
        if (access(path, F_OK) != 0) continue;      /* killed before it was made */
        if (early) {
            sst_store *store;
            int result = sst_open(path, NULL, &store);
            if (result == SST_ERR_FORMAT) continue;  /* killed before it had a header */
            CHECK_INT(result, SST_OK);
            if (result == SST_OK) sst_close(store);
        }
        open_and_check(page, false);
        if (test_below(random, 2) == 0) open_and_check(page, true);
    }
    refused += page->refusals;
    munmap(page, sizeof *page);
}

static uint64_t seed_base;

static void kills(int mode) {
    uint64_t rounds = test_rounds(17, 667), i, random = seed_base + (uint64_t)mode;
    for (i = 0; i < rounds && test_errors == 0; i++) round_of_kills(mode, &random);
    remove_files();
}

static void one_thread(void) { kills(ONE_THREAD); }
static void deferred(void) {
    kills(DEFERRED);
    CHECK(refused != 0);
}
static void many_threads(void) { kills(MANY_THREADS); }
static void closing(void) { kills(CLOSING); }

int main(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/sst-kill-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/run.sstore", folder);
    snprintf(live, sizeof live, "%s-live", path);
    snprintf(torn, sizeof torn, "%s-torn", path);
    seed_base = test_seed(7);
    TEST_RUN(one_thread);
    TEST_RUN(deferred);
    TEST_RUN(many_threads);
    TEST_RUN(closing);
    snprintf(torn, sizeof torn, "%s-live-new", path);
    unlink(torn);
    rmdir(folder);
    printf("note %llu rows checked, %llu of them ragged, %llu recovered from tails, %llu refused\n",
           (unsigned long long)kept, (unsigned long long)kept_ragged,
           (unsigned long long)recovered, (unsigned long long)refused);
    return test_done("kill");
}
