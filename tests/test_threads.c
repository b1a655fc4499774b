/* test_threads.c - one thread appends, others query, poll, create and close, all at once.
 *
 * Every row is a function of its number, so that whoever reads it can check it. Threads count
 * their own failures; what they share is read and written with atomics. Meant for
 * ThreadSanitizer as well. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "test.h"

enum { READERS = 3, WINDOW = 100, RUN_MS = 400, MAX_ROWS = 300000 };

typedef struct shared {
    sst_store *store;
    bool deferred;
    int stop;                       /* atomic */
    uint64_t scalar_rows;           /* atomic: appends that have returned */
    uint64_t vector_rows;
    uint64_t ragged_rows;
    const char *path;
} shared;

/* One thread's own. */
typedef struct worker {
    shared *with;
    uint64_t seed;
    unsigned long rounds, failures;
    char first[200];                /* the first failure */
} worker;

static void expect(worker *w, bool condition, int line, const char *text) {
    if (condition) return;
    if (w->failures++ == 0) snprintf(w->first, sizeof w->first, "line %d: %s", line, text);
}
#define EXPECT(w, condition) expect((w), (condition), __LINE__, #condition)

static bool stopped(const shared *s) {
    return __atomic_load_n(&s->stop, __ATOMIC_ACQUIRE) != 0;
}

static void rest(long microseconds) {
    struct timespec pause = {0, 0};
    pause.tv_nsec = microseconds * 1000;
    nanosleep(&pause, NULL);
}

/* How long, in milliseconds: so long that every thread has its turn on a busy machine. */
static uint64_t run_ms(uint64_t quick, uint64_t full) {
    uint64_t ms = test_rounds(quick, full);
    return ms < RUN_MS ? RUN_MS : ms;
}

/* --- rows by number ----------------------------------------------------------------------- */

static int64_t row_time(uint64_t row) { return (int64_t)row * 10 - 5000; }
static int64_t row_clock(uint64_t row) { return (int64_t)(row / 3) * 7; }
static int64_t row_value(uint64_t row) { return (int64_t)(row * 0x9E3779B97F4A7C15u >> 1); }
static float row_part(uint64_t row, int k) { return (float)(row % 100000) + (float)k * 0.25f; }

static void check_scalar(worker *w, const sst_view *view, uint64_t first, uint64_t count) {
    uint64_t i;
    EXPECT(w, view->count == count);
    if (view->count != count || count == 0) return;
    EXPECT(w, view->first_row == first);
    for (i = 0; i < count; i++) {
        EXPECT(w, view->times[i] == row_time(first + i));
        EXPECT(w, ((const int64_t *)view->values)[i] == row_value(first + i));
    }
}

static void check_vector(worker *w, const sst_view *view, uint64_t first, uint64_t count) {
    uint64_t i;
    int k;
    EXPECT(w, view->count == count);
    if (view->count != count || count == 0) return;
    EXPECT(w, view->first_row == first);
    for (i = 0; i < count; i++) {
        EXPECT(w, view->times[i] == row_time(first + i));
        EXPECT(w, view->timelines[0][i] == row_clock(first + i));
        for (k = 0; k < 3; k++) {
            EXPECT(w, ((const float *)view->values)[i * 3 + (uint64_t)k] == row_part(first + i, k));
        }
    }
}

/* --- the threads -------------------------------------------------------------------------- */

/* Goes on until the append is not refused for a full tail; that is another thread's work. */
#define RETRY(w, result, call) \
    do { \
        (result) = (call); \
        if ((result) == SST_ERR_BUSY) sched_yield(); \
    } while ((result) == SST_ERR_BUSY && !stopped((w)->with))

/* Rows of both streams, one by one and many at once. */
static void *append_rows(void *argument) {
    worker *w = (worker *)argument;
    sst_stream *scalar = NULL, *vector = NULL;
    uint64_t n = 0, v = 0;
    int result = SST_OK;
    EXPECT(w, sst_stream_open(w->with->store, "scalar", &scalar) == SST_OK);
    EXPECT(w, sst_stream_open(w->with->store, "vector", &vector) == SST_OK);
    while (!stopped(w->with) && n < MAX_ROWS && result == SST_OK) {
        if (test_below(&w->seed, 10) == 0) {
            int64_t times[20], values[20];
            uint64_t count = test_below(&w->seed, 20) + 1, i, before = n;
            for (i = 0; i < count; i++) {
                times[i] = row_time(n + i);
                values[i] = row_value(n + i);
            }
            do {                                    /* leading rows may have been added */
                uint64_t at = sst_rows(scalar) - before;
                result = sst_append_rows(scalar, times + at, values + at, (size_t)(count - at));
                if (result == SST_ERR_BUSY) sched_yield();
            } while (result == SST_ERR_BUSY && !stopped(w->with));
            n = sst_rows(scalar);
            EXPECT(w, result == SST_ERR_BUSY ? n <= before + count : n == before + count);
        } else {
            RETRY(w, result, sst_append_i64(scalar, row_time(n), row_value(n)));
            if (result == SST_OK) n++;
        }
        __atomic_store_n(&w->with->scalar_rows, n, __ATOMIC_RELEASE);
        if (result == SST_OK && n % 2 == 0) {
            float parts[3];
            int64_t clock = row_clock(v);
            sst_row row;
            int k;
            for (k = 0; k < 3; k++) parts[k] = row_part(v, k);
            memset(&row, 0, sizeof row);
            row.time = row_time(v);
            row.timelines = &clock;
            row.value = parts;
            RETRY(w, result, sst_append_row(vector, &row));
            if (result == SST_OK) v++;
            __atomic_store_n(&w->with->vector_rows, v, __ATOMIC_RELEASE);
        }
        w->rounds++;
    }
    EXPECT(w, result == SST_OK || (result == SST_ERR_BUSY && w->with->deferred));
    sst_stream_close(scalar);
    sst_stream_close(vector);
    return NULL;
}

/* Rows once seen stay, and are right. */
static void query_scalar(worker *w, sst_stream *stream, uint64_t *seen) {
    uint64_t least = __atomic_load_n(&w->with->scalar_rows, __ATOMIC_ACQUIRE);
    uint64_t rows = sst_rows(stream), row = 0, first, count;
    int64_t time, numbers[4], values[4], times[4];
    sst_view view;
    int i;
    EXPECT(w, rows >= least);                       /* as soon as their append has returned */
    EXPECT(w, rows >= *seen);
    *seen = rows;
    if (rows == 0) return;
    EXPECT(w, sst_at(stream, INT64_MAX, &view) == SST_OK);      /* the newest */
    EXPECT(w, view.count == 1 && view.first_row >= rows - 1);
    check_scalar(w, &view, view.first_row, 1);
    first = rows > WINDOW ? rows - WINDOW : 0;
    EXPECT(w, sst_window(stream, row_time(first), row_time(rows - 1), &view) == SST_OK);
    check_scalar(w, &view, first, rows - first);

    first = test_below(&w->seed, rows);
    count = test_below(&w->seed, WINDOW) + 1;
    if (count > rows - first) count = rows - first;
    EXPECT(w, sst_slice(stream, first, count, &view) == SST_OK);
    check_scalar(w, &view, first, count);
    EXPECT(w, sst_window_ex(stream, row_time(first) + 3, row_time(first + count), SST_HALF_OPEN,
                            &view) == SST_OK);
    check_scalar(w, &view, first + 1, count - 1);
    time = row_time(first) + 4;
    EXPECT(w, sst_locate(stream, time, SST_AT_OR_BEFORE, &row) == SST_OK && row == first);
    EXPECT(w, sst_locate(stream, time - 4, SST_EXACT, &row) == SST_OK && row == first);
    for (i = 0; i < 4; i++) {
        numbers[i] = (int64_t)test_below(&w->seed, rows);
        times[i] = row_time((uint64_t)numbers[i]) + i;
    }
    EXPECT(w, sst_sample(stream, times, 4, SST_SAMPLE_PREVIOUS, values, NULL) == SST_OK);
    for (i = 0; i < 4; i++) EXPECT(w, values[i] == row_value((uint64_t)numbers[i]));
    EXPECT(w, sst_gather(stream, numbers, 4, values, times) == SST_OK);
    for (i = 0; i < 4; i++) {
        EXPECT(w, values[i] == row_value((uint64_t)numbers[i]));
        EXPECT(w, times[i] == row_time((uint64_t)numbers[i]));
    }
}

static void query_vector(worker *w, sst_stream *stream, uint64_t *seen) {
    uint64_t least = __atomic_load_n(&w->with->vector_rows, __ATOMIC_ACQUIRE);
    uint64_t rows = 0, first, row = 0;
    int64_t first_time = 0, last_time = 0, clock;
    sst_view view;
    EXPECT(w, sst_stream_info(stream, NULL, &rows, &first_time, &last_time) == SST_OK);
    EXPECT(w, rows >= least);
    EXPECT(w, rows >= *seen);
    *seen = rows;
    if (rows == 0) return;
    EXPECT(w, first_time == row_time(0) && last_time >= row_time(rows - 1));
    first = test_below(&w->seed, rows);
    EXPECT(w, sst_at(stream, row_time(first) + 9, &view) == SST_OK);
    check_vector(w, &view, first, 1);
    first = rows > WINDOW ? rows - WINDOW : 0;
    EXPECT(w, sst_slice(stream, first, rows - first, &view) == SST_OK);
    check_vector(w, &view, first, rows - first);
    first = test_below(&w->seed, rows) / 3 * 3;     /* the first of those with one clock time */
    clock = row_clock(first);
    EXPECT(w, sst_locate_on(stream, 0, clock, SST_AT_OR_AFTER, &row) == SST_OK && row == first);
    EXPECT(w, sst_window_on(stream, 0, clock, clock, 0, &view) == SST_OK);
    EXPECT(w, view.count >= 1 && view.count <= 3);
    check_vector(w, &view, first, view.count);
}

static void *query_rows(void *argument) {
    worker *w = (worker *)argument;
    sst_stream *scalar = NULL, *vector = NULL;
    uint64_t scalar_seen = 0, vector_seen = 0;
    EXPECT(w, sst_stream_open(w->with->store, "scalar", &scalar) == SST_OK);
    EXPECT(w, sst_stream_open(w->with->store, "vector", &vector) == SST_OK);
    while (!stopped(w->with)) {
        query_scalar(w, scalar, &scalar_seen);
        query_vector(w, vector, &vector_seen);
        if (++w->rounds % 100 == 0) {               /* other handles see the same */
            sst_stream_close(scalar);
            EXPECT(w, sst_stream_open(w->with->store, "scalar", &scalar) == SST_OK);
        }
    }
    sst_stream_close(scalar);
    sst_stream_close(vector);
    return NULL;
}

static void *seal_rows(void *argument) {
    worker *w = (worker *)argument;
    while (!stopped(w->with)) {
        EXPECT(w, sst_poll(w->with->store) == SST_OK);
        if (w->rounds % 16 == 0) EXPECT(w, sst_flush(w->with->store) == SST_OK);
        w->rounds++;
        rest(50);
    }
    return NULL;
}

static void use_stream(worker *w, unsigned long number) {
    sst_store *store = w->with->store;
    sst_stream *stream = NULL, *second = NULL;
    sst_stream_desc desc;
    sst_view view;
    char name[32];
    int64_t i;
    int result = SST_OK;
    snprintf(name, sizeof name, "short %lu", number);
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = SST_I64;
    EXPECT(w, sst_stream_create(store, &desc, &stream) == SST_OK);
    for (i = 0; i < 40 && result == SST_OK; i++) {
        RETRY(w, result, sst_append_i64(stream, i, i * (int64_t)number));
    }
    if (result != SST_OK) i--;
    EXPECT(w, result == SST_OK || (result == SST_ERR_BUSY && w->with->deferred));
    EXPECT(w, sst_stream_set_meta(stream, "number", name, strlen(name)) == SST_OK);
    EXPECT(w, sst_stream_open(store, name, &second) == SST_OK);
    EXPECT(w, sst_slice(second, 0, 100, &view) == SST_OK && view.count == (uint64_t)i);
    if (view.count == (uint64_t)i && i > 0) {
        EXPECT(w, ((const int64_t *)view.values)[i - 1] == (i - 1) * (int64_t)number);
    }
    if (number % 2 == 0) EXPECT(w, sst_stream_finish(stream) == SST_OK);
    sst_stream_close(stream);
    sst_stream_close(second);
}

static void *create_streams(void *argument) {
    worker *w = (worker *)argument;
    sst_store *store = w->with->store;
    uint64_t vector_rows = 0;
    while (!stopped(w->with)) {
        sst_stream *stream = NULL;
        sst_info info;
        const void *value = NULL;
        size_t size = 0;
        char key[32];
        uint32_t streams;
        if (w->rounds < 100) use_stream(w, w->rounds);
        snprintf(key, sizeof key, "key %lu", w->rounds % 10);
        EXPECT(w, sst_set_meta(store, key, &w->rounds, sizeof w->rounds) == SST_OK);
        EXPECT(w, sst_get_meta(store, key, &value, &size) == SST_OK);
        EXPECT(w, size == sizeof w->rounds && memcmp(value, &w->rounds, size) == 0);
        if (w->rounds % 7 == 0) EXPECT(w, sst_remove_meta(store, key) == SST_OK);
        EXPECT(w, sst_stream_open(store, "vector", &stream) == SST_OK);
        EXPECT(w, sst_rows(stream) >= vector_rows);
        vector_rows = sst_rows(stream);
        sst_stream_close(stream);
        streams = sst_stream_count(store);
        EXPECT(w, streams >= 2 && sst_stream_name(store, streams - 1) != NULL);
        EXPECT(w, strcmp(sst_stream_name(store, 0), "scalar") == 0);
        EXPECT(w, sst_store_info(store, &info) == SST_OK && info.streams == streams);
        w->rounds++;
        rest(w->rounds < 100 ? 0 : 200);
    }
    return NULL;
}

/* --- all of them -------------------------------------------------------------------------- */

static void check_end(sst_store *store, const shared *s) {
    worker w;
    sst_stream *scalar = NULL, *vector = NULL;
    sst_view view;
    memset(&w, 0, sizeof w);
    CHECK_INT(sst_stream_open(store, "scalar", &scalar), SST_OK);
    CHECK_INT(sst_stream_open(store, "vector", &vector), SST_OK);
    CHECK_INT(sst_rows(scalar), s->scalar_rows);
    CHECK_INT(sst_rows(vector), s->vector_rows);
    CHECK_INT(sst_slice(scalar, 0, UINT64_MAX, &view), SST_OK);
    check_scalar(&w, &view, 0, s->scalar_rows);
    CHECK_INT(sst_slice(vector, 0, UINT64_MAX, &view), SST_OK);
    check_vector(&w, &view, 0, s->vector_rows);
    CHECK_INT(w.failures, 0);
    sst_stream_close(scalar);
    sst_stream_close(vector);
}

static void make_streams(sst_store *store) {
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    memset(&desc, 0, sizeof desc);
    desc.name = "scalar";
    desc.type = SST_I64;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    sst_stream_close(stream);
    desc.name = "vector";
    desc.type = SST_F32;
    desc.shape[0] = 3;
    desc.timelines[0] = "clock";
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    sst_stream_close(stream);
}

static void run(bool deferred) {
    enum { APPEND, SEAL, CREATE, QUERY, THREADS = QUERY + READERS };
    static void *(*const work[THREADS])(void *) = {append_rows, seal_rows, create_streams,
                                                   query_rows, query_rows, query_rows};
    static const char *const names[THREADS] = {"append", "seal", "create", "query", "query",
                                               "query"};
    worker workers[THREADS];
    pthread_t threads[THREADS];
    shared s;
    sst_options options;
    sst_store *image = NULL;
    const void *bytes = NULL;
    size_t size = 0;
    uint64_t ms = run_ms(RUN_MS, 4 * RUN_MS);
    int i, started = 0;
    memset(&s, 0, sizeof s);
    memset(&options, 0, sizeof options);
    memset(workers, 0, sizeof workers);
    options.block_bytes = 512;
    options.flags = deferred ? SST_DEFERRED : 0;
    s.deferred = deferred;
    CHECK_INT(sst_create(NULL, &options, &s.store), SST_OK);
    REQUIRE(s.store != NULL);
    make_streams(s.store);
    for (i = 0; i < THREADS; i++) {
        workers[i].with = &s;
        workers[i].seed = 1000u + (uint64_t)i;
        if (pthread_create(&threads[i], NULL, work[i], &workers[i]) != 0) break;
        started++;
    }
    CHECK_INT(started, THREADS);
    for (; ms > 0; ms--) rest(1000);
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
    for (i = 0; i < started; i++) pthread_join(threads[i], NULL);
    for (i = 0; i < started; i++) {
        if (workers[i].failures > 0) printf("%s: %s\n", names[i], workers[i].first);
        CHECK_INT(workers[i].failures, 0);
        CHECK(workers[i].rounds > 0);
    }
    CHECK(s.scalar_rows > 100 && s.vector_rows > 10);
    check_end(s.store, &s);
    CHECK_INT(sst_image(s.store, &bytes, &size), SST_OK);
    CHECK_INT(sst_open_memory(bytes, size, NULL, &image), SST_OK);
    CHECK_INT(sst_verify(image, NULL), SST_OK);
    check_end(image, &s);
    CHECK_INT(sst_stream_count(image), sst_stream_count(s.store));
    CHECK_INT(sst_close(image), SST_OK);
    CHECK_INT(sst_close(s.store), SST_OK);
}

static void at_once(void) { run(false); }
static void at_once_deferred(void) { run(true); }

/* --- ragged rows ------------------------------------------------------------------------- */

/* They are appended by one thread and read by others through handles of their own, also of
 * another store on the same file. Sizes change by a factor of 100 from time to time, so that halves
 * are laid out anew, and some rows are too large for a tail. */

#define ITEMS 700

typedef struct ragged_row {
    size_t items, name;
    uint16_t item[ITEMS][2];
    char text[ITEMS];
} ragged_row;

static void make_ragged(uint64_t row, ragged_row *r) {
    uint64_t state = row;
    size_t most = row / 100 % 2 == 0 ? 4 : 200, i;
    if (test_below(&state, 100) == 0) most = ITEMS;
    r->items = (size_t)test_below(&state, most);
    r->name = (size_t)test_below(&state, most / 2);
    for (i = 0; i < r->items; i++) r->item[i][0] = r->item[i][1] = (uint16_t)(row + i);
    for (i = 0; i < r->name; i++) r->text[i] = (char)((row + i) % 128);
}

static int make_ragged_stream(sst_store *store) {
    static const sst_field fields[3] = {
        {"points", SST_U16, {2}, SST_RAGGED, 0}, {"number", SST_I64, {0}, 0, 0},
        {"name", SST_TEXT, {0}, 0, 0},
    };
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    int result;
    memset(&desc, 0, sizeof desc);
    desc.name = "ragged";
    desc.fields = fields;
    desc.field_count = 3;
    desc.flags = SST_KEYED | SST_TAGGED;
    desc.block_bytes = 8192;
    result = sst_stream_create(store, &desc, &stream);
    sst_stream_close(stream);
    return result;
}

static void check_ragged(worker *w, const sst_view *view, uint64_t first, uint64_t count) {
    const sst_column *c = view->columns;
    uint64_t i;
    ragged_row r;
    EXPECT(w, view->count == count);
    if (view->count != count || count == 0) return;
    EXPECT(w, view->first_row == first);
    for (i = 0; i < count; i++) {
        int64_t number = row_value(first + i);
        const uint8_t *key = view->keys + view->key_offsets[i];
        make_ragged(first + i, &r);
        EXPECT(w, view->times[i] == row_time(first + i));
        EXPECT(w, view->tags[i] == (uint32_t)(first + i));
        EXPECT(w, ((const int64_t *)c[1].values)[i] == number);
        EXPECT(w, view->key_offsets[i + 1] - view->key_offsets[i] == 9);
        EXPECT(w, memcmp(key + 1, &number, 8) == 0);
        if (c[0].offsets[i + 1] - c[0].offsets[i] != r.items ||
            c[2].offsets[i + 1] - c[2].offsets[i] != r.name) {
            EXPECT(w, false);
            return;
        }
        EXPECT(w, memcmp((const uint16_t *)c[0].values + c[0].offsets[i] * 2, r.item,
                         r.items * 4) == 0);
        EXPECT(w, memcmp((const char *)c[2].values + c[2].offsets[i], r.text, r.name) == 0);
    }
}

static void *append_ragged(void *argument) {
    worker *w = (worker *)argument;
    sst_stream *stream = NULL;
    int result = SST_OK;
    uint64_t n = 0;
    EXPECT(w, sst_stream_open(w->with->store, "ragged", &stream) == SST_OK);
    while (!stopped(w->with) && n < MAX_ROWS / 10 && result == SST_OK) {
        int64_t number = row_value(n);
        sst_cell cells[3];
        sst_row row;
        ragged_row r;
        make_ragged(n, &r);
        memset(&row, 0, sizeof row);
        row.time = row_time(n);
        row.tag = (uint32_t)n;
        row.key.kind = SST_KEY_I64;
        row.key.number = number;
        cells[0].data = r.item;
        cells[0].count = r.items;
        cells[1].data = &number;
        cells[1].count = 1;
        cells[2].data = r.text;
        cells[2].count = r.name;
        row.cells = cells;
        RETRY(w, result, sst_append_row(stream, &row));
        if (result == SST_OK) n++;
        __atomic_store_n(&w->with->ragged_rows, n, __ATOMIC_RELEASE);
        if (++w->rounds % 2000 == 0) rest(1000);
    }
    EXPECT(w, result == SST_OK || (result == SST_ERR_BUSY && w->with->deferred));
    sst_stream_close(stream);
    return NULL;
}

static void query_ragged(worker *w, sst_stream *stream, uint64_t least, uint64_t *seen) {
    uint64_t rows = sst_rows(stream), first, count;
    sst_view view;
    EXPECT(w, rows >= least);
    EXPECT(w, rows >= *seen);
    *seen = rows;
    if (rows == 0) return;
    first = rows > WINDOW ? rows - WINDOW : 0;
    EXPECT(w, sst_window(stream, row_time(first), row_time(rows - 1), &view) == SST_OK);
    check_ragged(w, &view, first, rows - first);
    first = test_below(&w->seed, rows);
    count = test_below(&w->seed, WINDOW) + 1;
    if (count > rows - first) count = rows - first;
    EXPECT(w, sst_slice(stream, first, count, &view) == SST_OK);
    check_ragged(w, &view, first, count);
    EXPECT(w, sst_at(stream, row_time(first) + 4, &view) == SST_OK);
    check_ragged(w, &view, first, 1);
}

static void *query_ragged_rows(void *argument) {
    worker *w = (worker *)argument;
    sst_stream *stream = NULL;
    uint64_t seen = 0;
    EXPECT(w, sst_stream_open(w->with->store, "ragged", &stream) == SST_OK);
    for (; !stopped(w->with); w->rounds++) {
        uint64_t least = __atomic_load_n(&w->with->ragged_rows, __ATOMIC_ACQUIRE);
        query_ragged(w, stream, least, &seen);
    }
    sst_stream_close(stream);
    return NULL;
}

/* Another store on the file, as another process would have it. */
static void *follow_ragged_rows(void *argument) {
    worker *w = (worker *)argument;
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    uint64_t seen = 0;
    EXPECT(w, sst_open(w->with->path, NULL, &store) == SST_OK);
    EXPECT(w, sst_stream_open(store, "ragged", &stream) == SST_OK);
    for (; !stopped(w->with) && w->failures == 0; w->rounds++) {
        uint64_t least = __atomic_load_n(&w->with->ragged_rows, __ATOMIC_ACQUIRE);
        EXPECT(w, sst_refresh(store) == SST_OK);
        query_ragged(w, stream, least, &seen);
    }
    EXPECT(w, sst_close(store) == SST_OK);
    return NULL;
}

static void check_ragged_end(const shared *s, sst_store *store) {
    sst_stream *stream = NULL;
    sst_view view;
    worker w;
    memset(&w, 0, sizeof w);
    CHECK_INT(sst_stream_open(store, "ragged", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), s->ragged_rows);
    CHECK_INT(sst_slice(stream, 0, UINT64_MAX, &view), SST_OK);
    check_ragged(&w, &view, 0, s->ragged_rows);
    CHECK_INT(w.failures, 0);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
}

/* path NULL: in memory, where nobody else can follow. */
static void ragged_at_once(const char *path, uint32_t flags) {
    enum { APPEND, SEAL, QUERY, QUERY_TOO, FOLLOW, THREADS };
    static void *(*const work[THREADS])(void *) = {append_ragged, seal_rows, query_ragged_rows,
                                                   query_ragged_rows, follow_ragged_rows};
    int threads_used = path == NULL ? FOLLOW : THREADS, i;
    worker workers[THREADS];
    pthread_t threads[THREADS];
    shared s;
    sst_options options;
    uint64_t ms = run_ms(RUN_MS / 2, 2 * RUN_MS);
    memset(&s, 0, sizeof s);
    memset(&options, 0, sizeof options);
    memset(workers, 0, sizeof workers);
    options.flags = flags | (path != NULL ? (uint32_t)SST_REPLACE : 0);
    s.deferred = (flags & SST_DEFERRED) != 0;
    s.path = path;
    REQUIRE(sst_create(path, &options, &s.store) == SST_OK);
    CHECK_INT(make_ragged_stream(s.store), SST_OK);
    for (i = 0; i < threads_used; i++) {
        workers[i].with = &s;
        workers[i].seed = 77u + (uint64_t)i;
        REQUIRE(pthread_create(&threads[i], NULL, work[i], &workers[i]) == 0);
    }
    for (; ms > 0; ms--) rest(1000);
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
    for (i = 0; i < threads_used; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].failures > 0) printf("thread %d: %s\n", i, workers[i].first);
        CHECK_INT(workers[i].failures, 0);
        CHECK(workers[i].rounds > 0);
    }
    CHECK(s.ragged_rows > 300);
    check_ragged_end(&s, s.store);
    CHECK_INT(sst_close(s.store), SST_OK);
    if (path == NULL) return;
    REQUIRE(sst_open(path, NULL, &s.store) == SST_OK);
    check_ragged_end(&s, s.store);
    CHECK_INT(sst_close(s.store), SST_OK);
    (void)remove(path);
}

static void ragged_in_memory(void) {
    ragged_at_once(NULL, 0);
    ragged_at_once(NULL, SST_DEFERRED);
}

static void ragged_in_files(void) {
    const char *base = getenv("TMPDIR");
    char folder[300], path[320];
    snprintf(folder, sizeof folder, "%s/threads-XXXXXX", base != NULL ? base : "/tmp");
    REQUIRE(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/run", folder);
    ragged_at_once(path, 0);
    ragged_at_once(path, SST_DEFERRED);
    (void)remove(folder);
}

/* Several appenders, each with a stream of its own, and nobody else. */
static void *append_own(void *argument) {
    worker *w = (worker *)argument;
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    char name[32];
    uint64_t n;
    snprintf(name, sizeof name, "own %llu", (unsigned long long)w->seed);
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = SST_I64;
    EXPECT(w, sst_stream_create(w->with->store, &desc, &stream) == SST_OK);
    for (n = 0; n < 5000; n++) {
        EXPECT(w, sst_append_i64(stream, row_time(n), row_value(n)) == SST_OK);
    }
    sst_stream_close(stream);
    return NULL;
}

static void appenders_side_by_side(void) {
    enum { THREADS = 4 };
    worker workers[THREADS];
    pthread_t threads[THREADS];
    shared s;
    sst_options options;
    int i;
    memset(&s, 0, sizeof s);
    memset(&options, 0, sizeof options);
    memset(workers, 0, sizeof workers);
    options.block_bytes = 512;
    CHECK_INT(sst_create(NULL, &options, &s.store), SST_OK);
    for (i = 0; i < THREADS; i++) {
        workers[i].with = &s;
        workers[i].seed = (uint64_t)i;
        REQUIRE(pthread_create(&threads[i], NULL, append_own, &workers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (i = 0; i < THREADS; i++) {
        sst_stream *stream = NULL;
        sst_view view;
        char name[32];
        CHECK_INT(workers[i].failures, 0);
        snprintf(name, sizeof name, "own %d", i);
        CHECK_INT(sst_stream_open(s.store, name, &stream), SST_OK);
        CHECK_INT(sst_slice(stream, 0, 5000, &view), SST_OK);
        check_scalar(&workers[i], &view, 0, 5000);
        CHECK_INT(workers[i].failures, 0);
    }
    CHECK_INT(sst_close(s.store), SST_OK);
}

int main(void) {
    TEST_RUN(at_once);
    TEST_RUN(at_once_deferred);
    TEST_RUN(ragged_in_memory);
    TEST_RUN(ragged_in_files);
    TEST_RUN(appenders_side_by_side);
    return test_done("threads");
}
