/* test_retain.c - streams of memory stores that keep their newest rows: which rows are there, that
 * memory is bounded, and that nothing is taken away from who looks at it. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <pthread.h>
#include <sched.h>

#include "test.h"
#include "meter.h"
#include "mend.h"
#include "scratch.h"

/* ---- rows by number ---- */

static int64_t time_of(uint64_t row) { return (int64_t)row * 10; }
static double value_of(uint64_t row) { return (double)row * 0.5; }

/* Row i has i % 7 items. */
static uint32_t items_of(uint64_t row) { return (uint32_t)(row % 7); }
static uint16_t item_of(uint64_t row, uint32_t i) { return (uint16_t)(row * 7 + i); }

static sst_store *make(const sst_options *options) {
    sst_store *store = NULL;
    CHECK_INT(sst_create(NULL, options, &store), SST_OK);
    return store;
}

static sst_stream_desc scalar(uint64_t rows, int64_t time, uint32_t block_bytes) {
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = "scalar";
    desc.type = SST_F64;
    desc.retain_rows = rows;
    desc.retain_time = time;
    desc.block_bytes = block_bytes;
    return desc;
}

/* A store whose memory is counted, with a stream. */
static sst_store *make_metered(meter *m, uint32_t block_bytes, const sst_stream_desc *desc,
                               sst_stream **stream) {
    sst_allocator a = meter_allocator(m);
    sst_options options = {0};
    sst_store *store;
    options.allocator = &a;
    options.block_bytes = block_bytes;
    store = make(&options);
    CHECK_INT(sst_stream_create(store, desc, stream), SST_OK);
    if (*stream == NULL) exit(1);
    return store;
}

static void append_to(sst_stream *stream, uint64_t end) {
    uint64_t row;
    for (row = sst_rows(stream); row < end; row++) {
        CHECK_INT(sst_append_f64(stream, time_of(row), value_of(row)), SST_OK);
    }
}

static void check_view(const sst_view *view, uint64_t first, uint64_t count) {
    uint64_t i, wrong = 0;
    CHECK_INT(view->first_row, first);
    CHECK_INT(view->count, count);
    CHECK(!view->stable);
    for (i = 0; i < view->count; i++) {
        wrong += view->times[i] != time_of(view->first_row + i) ||
                 ((const double *)view->values)[i] != value_of(view->first_row + i);
    }
    CHECK_INT(wrong, 0);
}

/* Every query, on a stream whose rows [first, rows) are kept. */
static void check_queries(sst_stream *s, uint64_t first, uint64_t rows) {
    sst_view view;
    uint64_t row = 77;
    int64_t begin, end, numbers[3], times[3], found[3];
    double values[3];
    CHECK_INT(sst_rows(s), rows);
    CHECK_INT(sst_first_row(s), first);
    CHECK_INT(sst_stream_info(s, NULL, NULL, &begin, &end), SST_OK);
    CHECK_INT(begin, rows == 0 ? 0 : time_of(first));
    CHECK_INT(end, rows == 0 ? 0 : time_of(rows - 1));
    if (rows == 0) return;
    CHECK_INT(sst_window(s, INT64_MIN, INT64_MAX, &view), SST_OK);
    check_view(&view, first, rows - first);
    CHECK_INT(sst_window(s, time_of(first), time_of(first) + 5, &view), SST_OK);
    check_view(&view, first, 1);
    CHECK_INT(sst_slice(s, first, UINT64_MAX, &view), SST_OK);
    check_view(&view, first, rows - first);
    CHECK_INT(sst_at(s, time_of(first), &view), SST_OK);
    check_view(&view, first, 1);
    CHECK_INT(sst_at(s, time_of(rows) + 1000, &view), SST_OK);
    check_view(&view, rows - 1, 1);
    CHECK_INT(sst_locate(s, INT64_MIN, SST_AT_OR_AFTER, &row), SST_OK);
    CHECK_INT(row, first);
    CHECK_INT(sst_locate(s, INT64_MIN, SST_NEAREST, &row), SST_OK);
    CHECK_INT(row, first);
    CHECK_INT(sst_window_ex(s, time_of(first) + 1, INT64_MAX, SST_CARRY, &view), SST_OK);
    CHECK_INT(view.first_row, first);
    CHECK_INT(view.times[0], time_of(first) + 1);
    CHECK_INT(view.count, rows - first);
    times[0] = time_of(first) - 1;
    times[1] = time_of(first);
    times[2] = time_of(rows - 1) + 3;
    CHECK_INT(sst_sample(s, times, 3, SST_SAMPLE_PREVIOUS, values, found), SST_OK);
    CHECK_INT(found[0], -1);
    CHECK_INT(found[1], (int64_t)first);
    CHECK_INT(found[2], (int64_t)rows - 1);
    CHECK(values[0] == 0 && values[1] == value_of(first) && values[2] == value_of(rows - 1));
    numbers[0] = (int64_t)rows - 1;
    numbers[1] = -1;
    numbers[2] = (int64_t)first;
    CHECK_INT(sst_gather(s, numbers, 3, values, times), SST_OK);
    CHECK(values[0] == value_of(rows - 1) && values[1] == 0 && values[2] == value_of(first));
    CHECK_INT(times[2], time_of(first));
    if (first == 0) return;
    row = 77;
    CHECK_INT(sst_at(s, time_of(first) - 1, &view), SST_ERR_NOT_FOUND);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_locate(s, time_of(first) - 1, SST_AT_OR_BEFORE, &row), SST_ERR_NOT_FOUND);
    CHECK_INT(sst_locate(s, time_of(first - 1), SST_EXACT, &row), SST_ERR_NOT_FOUND);
    CHECK_INT(row, 77);
    CHECK_INT(sst_slice(s, first - 1, 2, &view), SST_ERR_NOT_FOUND);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_window(s, INT64_MIN, time_of(first) - 1, &view), SST_OK);
    CHECK_INT(view.count, 0);
    numbers[2] = (int64_t)first - 1;
    values[0] = 4.5;
    CHECK_INT(sst_gather(s, numbers, 3, values, NULL), SST_ERR_NOT_FOUND);
    CHECK(values[0] == 4.5);
}

/* ---- which rows are kept ---- */

static void newest_rows(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(100, 0, 512);     /* 32 rows */
    sst_stream *s, *other;
    uint64_t n;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    REQUIRE(sst_stream_open(store, "scalar", &other) == SST_OK);
    check_queries(other, 0, 0);
    for (n = 1; n < 1000; n += 1 + n % 13) {
        append_to(s, n);
        check_queries(n % 2 ? s : other, n < 100 ? 0 : n - 100, n);
    }
    CHECK_INT(sst_flush(store), SST_OK);
    check_queries(s, n > 100 ? sst_rows(s) - 100 : 0, sst_rows(s));
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    sst_close(store);
}

/* The rows of a time, with the one in force when it began; a block more at most. */
static void newest_times(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(0, 995, 512);
    sst_stream *s;
    uint64_t n, first, least;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    for (n = 1; n < 1000; n += 1 + n % 11) {
        append_to(s, n);
        first = sst_first_row(s);
        least = n > 100 ? n - 101 : 0;              /* in force 995 before the newest */
        CHECK(first <= least);
        CHECK(least - first < 32);
        check_queries(s, first, n);
    }
    /* after a long pause only its block is needed of the rows before */
    CHECK_INT(sst_append_f64(s, time_of(100000), 1.5), SST_OK);
    CHECK(sst_first_row(s) + 32 >= sst_rows(s) - 1);
    sst_close(store);
}

/* A block that no row of the time is in is there as long as its last row is in force. */
static void rows_in_force(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(0, 100, 512);
    sst_stream *s;
    sst_view view;
    int64_t t;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    for (t = 0; t < 100; t++) CHECK_INT(sst_append_f64(s, t, 1.0), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    for (t = 10000; t < 10400; t += 10) CHECK_INT(sst_append_f64(s, t, 2.0), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_append_f64(s, INT64_MAX, 3.0), SST_OK);
    CHECK_INT(sst_at(s, INT64_MAX - 100, &view), SST_OK);
    CHECK_INT(view.times[0], 10390);
    CHECK_INT(sst_at(s, 5000, &view), SST_ERR_NOT_FOUND);
    sst_close(store);
    /* times so small that nothing is long ago */
    store = make(NULL);
    desc = scalar(0, INT64_MAX, 512);
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    for (t = INT64_MIN; t < INT64_MIN + 200; t++) CHECK_INT(sst_append_f64(s, t, 1.0), SST_OK);
    CHECK_INT(sst_first_row(s), 0);
    sst_close(store);
}

/* Both: what one of them keeps is kept. */
static void either(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(50, 2000, 512);
    sst_stream *s;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    append_to(s, 1000);
    CHECK(sst_first_row(s) <= 1000 - 200 && sst_first_row(s) > 1000 - 200 - 33);
    CHECK_INT(sst_append_f64(s, time_of(50000), 1.0), SST_OK);
    CHECK_INT(sst_first_row(s), 1001 - 50);         /* a block has 32 rows, so time keeps fewer */
    sst_close(store);
}

static void empty_and_one(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(1, 0, 0), back;
    sst_stream *s;
    uint64_t n;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    check_queries(s, 0, 0);
    for (n = 1; n < 300; n++) {
        append_to(s, n);
        check_queries(s, n - 1, n);
    }
    CHECK_INT(sst_stream_info(s, &back, NULL, NULL, NULL), SST_OK);
    CHECK_INT(back.retain_rows, 1);
    CHECK_INT(back.retain_time, 0);
    CHECK_INT(sst_stream_finish(s), SST_OK);
    check_queries(s, n - 2, n - 1);
    CHECK_INT(sst_append_f64(s, INT64_MAX, 1), SST_ERR_FINISHED);
    sst_close(store);
}

/* Rows that are too large for a tail, and blocks of one row. */
static void large_rows(void) {
    meter m;
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *s;
    sst_view view;
    static uint8_t image[100000];
    uint64_t n, before = 0;
    desc.name = "camera";
    desc.type = SST_U8;
    desc.shape[0] = sizeof image;
    desc.retain_rows = 5;
    store = make_metered(&m, 0, &desc, &s);
    for (n = 0; n < 200; n++) {
        memset(image, (int)n, sizeof image);
        CHECK_INT(sst_append(s, (int64_t)n, image), SST_OK);
        CHECK_INT(sst_first_row(s), n < 5 ? 0 : n - 4);
        CHECK_INT(sst_at(s, (int64_t)n - 2, &view), n < 2 ? SST_ERR_NOT_FOUND : SST_OK);
        if (n >= 2) CHECK_INT(((const uint8_t *)view.values)[sizeof image - 1], (n - 2) % 256);
        if (n == 20) before = m.calls;
    }
    CHECK_INT(m.calls, before);                     /* memory is used again */
    CHECK(m.peak < 9 * sizeof image);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* ---- every kind of row ---- */

static sst_stream_desc every_kind(uint64_t rows) {
    static const sst_field fields[2] = {
        {"items", SST_U16, {0}, SST_RAGGED, 0},
        {"number", SST_I32, {0}, 0, 0}
    };
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = "kinds";
    desc.fields = fields;
    desc.field_count = 2;
    desc.flags = SST_TAGGED | SST_KEYED | SST_EQUAL_TIMES;
    desc.timelines[0] = "clock";
    desc.block_bytes = 1024;
    desc.retain_rows = rows;
    return desc;
}

static sst_key number_key(int64_t number) {
    sst_key key;
    memset(&key, 0, sizeof key);
    key.kind = SST_KEY_I64;
    key.number = number;
    return key;
}

static int append_kind(sst_stream *s, uint64_t row) {
    uint16_t items[8];
    int32_t number = (int32_t)row;
    int64_t clock = (int64_t)row * 3;
    sst_cell cells[2];
    sst_row r;
    uint32_t i;
    for (i = 0; i < items_of(row); i++) items[i] = item_of(row, i);
    cells[0].data = items;
    cells[0].count = items_of(row);
    cells[1].data = &number;
    cells[1].count = 1;
    memset(&r, 0, sizeof r);
    r.time = (int64_t)(row / 2);
    r.timelines = &clock;
    r.tag = (uint32_t)row + 1;
    r.key = number_key(row % 2 ? (int64_t)row : -5);
    r.flags = row % 5 == 0 ? SST_ROW_REMOVED : 0;
    r.cells = cells;
    return sst_append_row(s, &r);
}

static void check_kinds(const sst_view *v, uint64_t first, uint64_t count) {
    uint64_t i, wrong = 0;
    uint32_t k;
    CHECK_INT(v->first_row, first);
    CHECK_INT(v->count, count);
    for (i = 0; i < v->count; i++) {
        uint64_t row = v->first_row + i;
        const uint16_t *items = (const uint16_t *)v->values + v->offsets[i];
        wrong += v->offsets[i + 1] - v->offsets[i] != items_of(row);
        for (k = 0; k < items_of(row) && wrong == 0; k++) wrong += items[k] != item_of(row, k);
        wrong += ((const int32_t *)v->columns[1].values)[i] != (int32_t)row;
        wrong += v->times[i] != (int64_t)(row / 2) || v->tags[i] != row + 1 ||
                 v->timelines[0][i] != (int64_t)row * 3 ||
                 v->row_flags[i] != (row % 5 == 0 ? SST_ROW_REMOVED : 0) ||
                 v->key_offsets[i + 1] - v->key_offsets[i] != 9;
    }
    CHECK_INT(wrong, 0);
}

static void kinds(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = every_kind(70);
    sst_stream *s;
    sst_view view;
    uint64_t row, n, at;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    for (n = 1; n < 2000; n++) {
        uint64_t first = n < 70 ? 0 : n - 70;
        CHECK_INT(append_kind(s, n - 1), SST_OK);
        if (n % 53 == 0) CHECK_INT(sst_flush(store), SST_OK);
        if (n % 7 != 0) continue;
        CHECK_INT(sst_window(s, INT64_MIN, INT64_MAX, &view), SST_OK);
        check_kinds(&view, first, n - first);
        at = first + (n - first) / 2;
        CHECK_INT(sst_slice(s, at, 20, &view), SST_OK);
        check_kinds(&view, at, n - at < 20 ? n - at : 20);
        CHECK_INT(sst_locate_on(s, 0, (int64_t)at * 3 + 1, SST_AT_OR_BEFORE, &row), SST_OK);
        CHECK_INT(row, at);
        CHECK_INT(sst_locate_on(s, 0, -1, SST_AT_OR_AFTER, &row), SST_OK);
        CHECK_INT(row, first);
        CHECK_INT(sst_window_on(s, 0, 0, (int64_t)at * 3, 0, &view), SST_OK);
        check_kinds(&view, first, at - first + 1);
    }
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    sst_close(store);
}

/* Rows without times are kept by their number. */
static void untimed(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(10, 0, 512);
    sst_stream *s;
    sst_view view;
    int i;
    desc.flags = SST_UNTIMED;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    for (i = 0; i < 1000; i++) CHECK_INT(sst_append_f64(s, 0, i), SST_OK);
    CHECK_INT(sst_first_row(s), 990);
    CHECK_INT(sst_slice(s, 990, 10, &view), SST_OK);
    CHECK_INT(view.count, 10);
    CHECK(((const double *)view.values)[0] == 990.0);
    CHECK_INT(sst_slice(s, 989, 10, &view), SST_ERR_NOT_FOUND);
    sst_close(store);
}

/* ---- what is refused ---- */

static void refused(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(10, 0, 0);
    sst_stream *s = NULL, *again;
    char path[300];
    const void *bytes;
    size_t size;
    desc.retain_time = -1;
    CHECK_INT(sst_stream_create(store, &desc, &s), SST_ERR_ARG);
    desc.retain_time = 5;
    desc.flags = SST_UNTIMED;
    CHECK_INT(sst_stream_create(store, &desc, &s), SST_ERR_ARG);
    CHECK(s == NULL);
    desc = scalar(10, 0, 0);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    CHECK_INT(sst_image(store, &bytes, &size), SST_ERR_UNSUPPORTED);
    CHECK(bytes == NULL && size == 0);
    make_path(path, sizeof path);
    CHECK_INT(sst_compact(store, path, NULL), SST_ERR_UNSUPPORTED);
    desc.retain_rows = 20;                          /* stays as it was */
    desc.flags = SST_OPEN_EXISTING;
    CHECK_INT(sst_stream_create(store, &desc, &again), SST_OK);
    append_to(s, 100);
    CHECK_INT(sst_first_row(again), 90);
    sst_close(store);

    remove(path);
    REQUIRE(sst_create(path, NULL, &store) == SST_OK);
    desc = scalar(10, 0, 0);
    CHECK_INT(sst_stream_create(store, &desc, &s), SST_ERR_ARG);
    desc = scalar(0, 10, 0);
    CHECK_INT(sst_stream_create(store, &desc, &s), SST_ERR_ARG);
    CHECK_INT(sst_abort(store), SST_OK);
}

/* ---- memory ---- */

/* However much is appended, and however often halves are sealed before they are full, no more is
 * taken; the other streams of the store keep all. */
static void bounded(void) {
    meter m;
    sst_stream_desc desc = scalar(1000, 0, 1024);
    sst_store *store;
    sst_stream *s, *all;
    sst_view view;
    uint64_t n, seed = 5, calls = 0;
    size_t now = 0;
    store = make_metered(&m, 0, &desc, &s);
    desc = scalar(0, 0, 0);
    desc.name = "all";
    REQUIRE(sst_stream_create(store, &desc, &all) == SST_OK);
    append_to(all, 500);
    for (n = 1; n < 60000; n++) {
        append_to(s, n);
        if (n < 50000 && test_below(&seed, 40) == 0) CHECK_INT(sst_flush(store), SST_OK);
        if (n % 100 == 0) {
            CHECK_INT(sst_window(s, INT64_MIN, INT64_MAX, &view), SST_OK);
            check_view(&view, n < 1000 ? 0 : n - 1000, n < 1000 ? n : 1000);
        }
        if (n == 30000) {
            calls = m.calls;
            now = m.now;
        }
    }
    CHECK(m.calls - calls <= 20);
    CHECK(m.now - now <= 8192);
    CHECK(m.peak < 200000);
    CHECK_INT(sst_rows(all), 500);
    CHECK_INT(sst_first_row(all), 0);
    CHECK_INT(sst_window(all, 0, INT64_MAX, &view), SST_OK);
    CHECK_INT(view.count, 500);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* sst_memory_bound is enough for ever. */
static void fixed_memory(void) {
    sst_arena arena = {NULL, 0, 0, 0};
    sst_allocator a = sst_arena_allocator(&arena);
    uint64_t seed = test_seed(3);
    int round, rounds = (int)test_rounds(60, 2000);
    for (round = 0; round < rounds; round++) {
        sst_options options = {0};
        sst_stream_desc desc = scalar(1 + test_below(&seed, 2000), 0, 0);
        sst_store *store;
        sst_stream *s;
        uint64_t rows = 3 * desc.retain_rows + 3000, i;
        static const double value[64] = {0};
        options.allocator = &a;
        options.block_bytes = 512u << test_below(&seed, 4);
        options.flags = test_below(&seed, 2) == 0 ? SST_DEFERRED : 0;
        if (round % 8 == 7) options.block_bytes = 16384u << test_below(&seed, 3);
        if (test_below(&seed, 2) == 0) desc.block_bytes = options.block_bytes;
        desc.shape[0] = (uint32_t)test_below(&seed, 64);
        if (desc.shape[0] > 16) desc.retain_rows = desc.retain_rows % 100 + 1;
        arena.size = sst_memory_bound(&options, &desc, 1);
        arena.used = arena.peak = 0;
        REQUIRE(arena.size != 0);
        arena.memory = take(arena.size);
        store = make(&options);
        REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
        for (i = 0; i < rows; i++) {
            int result = sst_append(s, (int64_t)i, value);
            if (result == SST_ERR_BUSY) {
                CHECK_INT(sst_poll(store), SST_OK);
                result = sst_append(s, (int64_t)i, value);
            }
            if (result != SST_OK) {
                printf("round %d: %d values, block %d of %d, retain %d, row %d, %d bytes of %d\n",
                       round, (int)desc.shape[0], (int)desc.block_bytes, (int)options.block_bytes,
                       (int)desc.retain_rows, (int)i, (int)arena.used,
                       (int)arena.size);
                CHECK_INT(result, SST_OK);
                break;
            }
        }
        CHECK_INT(sst_first_row(s), i < desc.retain_rows ? 0 : i - desc.retain_rows);
        sst_close(store);
        free(arena.memory);
    }
}

/* Without memory nothing is lost: rows wait in the tail until there is some. */
static void out_of_memory(void) {
    meter m;
    sst_stream_desc desc = scalar(0, 320, 512);
    sst_store *store;
    sst_stream *s;
    uint64_t row;
    int result = SST_OK;
    store = make_metered(&m, 0, &desc, &s);
    m.forever = true;
    append_to(s, 10);
    m.fail_at = 1;
    for (row = 10; row < 100 && result == SST_OK; row++) {
        result = sst_append_f64(s, time_of(row), value_of(row));
    }
    CHECK_INT(result, SST_ERR_MEMORY);
    CHECK_INT(sst_rows(s), 32);
    m.fail_at = 0;
    append_to(s, 10000);
    m.fail_at = 1;                                  /* what there is is enough from now on */
    append_to(s, 20000);
    m.fail_at = 0;
    check_queries(s, sst_first_row(s), 20000);
    CHECK(sst_first_row(s) >= 20000 - 33 - 32);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* A call once more, when there was no memory for it. */
#define AGAIN(call) \
    do { \
        int result_of_call = (call); \
        if (result_of_call == SST_ERR_MEMORY) result_of_call = (call); \
        CHECK_INT(result_of_call, SST_OK); \
    } while (0)

/* Every allocation fails, one after the other: the call is refused, and succeeds when repeated. */
static void each_allocation(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_options options = {0};
    uint64_t nth, most = 1;
    char path[300];
    make_path(path, sizeof path);
    options.allocator = &a;
    for (nth = 1; nth <= most && test_errors == 0; nth++) {
        sst_options to = options;
        sst_stream_desc desc = every_kind(60), plain = scalar(0, 900, 512);
        sst_store *store = NULL;
        sst_stream *s = NULL, *other = NULL;
        sst_view view;
        uint64_t n;
        to.flags = SST_REPLACE | SST_NO_SYNC;
        m.calls = 0;
        m.fail_at = nth;
        AGAIN(sst_create(NULL, &options, &store));
        REQUIRE(store != NULL);
        AGAIN(sst_stream_create(store, &desc, &s));
        AGAIN(sst_stream_create(store, &plain, &other));
        REQUIRE(s != NULL && other != NULL);
        for (n = 1; n <= 300; n++) {
            AGAIN(append_kind(s, n - 1));
            AGAIN(sst_append_f64(other, time_of(n - 1), value_of(n - 1)));
            if (n % 40 != 0) continue;
            AGAIN(sst_window(s, INT64_MIN, INT64_MAX, &view));
            check_kinds(&view, n < 60 ? 0 : n - 60, n < 60 ? n : 60);
            AGAIN(sst_slice(other, n - 5, 5, &view));
            CHECK_INT(view.count, 5);
        }
        AGAIN(sst_save(store, path, INT64_MIN, INT64_MAX, &to));
        AGAIN(sst_verify(store, NULL));
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(m.now, 0);
        if (most < m.calls) most = m.calls;
    }
    CHECK(most > 50);
    remove(path);
}

/* The ring of blocks is enlarged while rows come, with each allocation failing once. */
static void each_ring(void) {
    uint64_t nth, most = 1;
    for (nth = 1; nth <= most && test_errors == 0; nth++) {
        meter m;
        sst_stream_desc desc = scalar(1500, 0, 512);
        sst_store *store;
        sst_stream *s;
        uint64_t n, before;
        store = make_metered(&m, 512, &desc, &s);
        before = m.calls;
        m.fail_at = before + nth;
        for (n = 0; n < 2000; n++) AGAIN(sst_append_f64(s, time_of(n), value_of(n)));
        CHECK_INT(sst_rows(s), 2000);
        if (most < m.calls - before) most = m.calls - before;
        m.fail_at = 0;
        check_queries(s, 500, 2000);
        sst_close(store);
        CHECK_INT(m.now, 0);
    }
    CHECK(most > 50);
}

/* More rows than there can be are all rows, in blocks like those of any stream; so is all time. */
static void all_rows(void) {
    sst_store *store = make(NULL);
    int i;
    for (i = 0; i < 2; i++) {
        sst_stream_desc desc = i == 0 ? scalar(UINT64_MAX, 0, 0) : scalar(0, INT64_MAX, 0);
        sst_stream *s;
        desc.name = i == 0 ? "rows" : "time";
        REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
        append_to(s, 50000);
        CHECK_INT(sst_first_row(s), 0);
        check_queries(s, 0, 50000);
    }
    sst_close(store);
}

/* Rows that grow: memory that became too small goes. */
static void growing_rows(void) {
    meter m;
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *s;
    static uint8_t bytes[100000];
    size_t n;
    desc.name = "growing";
    desc.type = SST_BYTES;
    desc.retain_rows = 3;
    store = make_metered(&m, 0, &desc, &s);
    for (n = 0; n < sizeof bytes; n += 50) {
        CHECK_INT(sst_append_n(s, (int64_t)n, bytes, n), SST_OK);
    }
    CHECK(m.peak < 12 * sizeof bytes);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* A stream that keeps all beside one that does not: the image has nothing of the latter. */
static void beside_others(void) {
    meter m;
    sst_stream_desc desc = scalar(40, 0, 512);
    sst_store *store;
    sst_stream *s, *all;
    sst_info info;
    uint64_t i;
    store = make_metered(&m, 512, &desc, &s);
    desc = scalar(0, 0, 0);
    desc.name = "all";
    REQUIRE(sst_stream_create(store, &desc, &all) == SST_OK);
    for (i = 0; i < 300000; i++) {
        CHECK_INT(sst_append_f64(s, time_of(i), value_of(i)), SST_OK);
        if (i % 1000 == 0) CHECK_INT(sst_append_f64(all, time_of(i), value_of(i)), SST_OK);
    }
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK(info.file_bytes < 20000);
    CHECK(m.now < 100000);
    CHECK_INT(sst_rows(all), 300);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* An append that fails has dropped nothing, though its row is far in the future. */
static void failing_far_row(void) {
    meter m;
    sst_stream_desc desc = scalar(0, 100, 512);
    sst_store *store;
    sst_stream *s;
    sst_view view;
    double value[100] = {0};
    int64_t t;
    desc.shape[0] = 100;                            /* too large for a tail */
    store = make_metered(&m, 0, &desc, &s);
    m.forever = true;
    for (t = 0; t < 5; t++) CHECK_INT(sst_append(s, t * 10, value), SST_OK);
    m.fail_at = 1;
    CHECK_INT(sst_append(s, 1000000, value), SST_ERR_MEMORY);
    m.fail_at = 0;
    CHECK_INT(sst_rows(s), 5);
    CHECK_INT(sst_first_row(s), 0);
    CHECK_INT(sst_slice(s, 0, 5, &view), SST_OK);
    CHECK_INT(view.count, 5);
    CHECK_INT(sst_append(s, 1000000, value), SST_OK);
    CHECK_INT(sst_first_row(s), 4);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* ---- what is looked at stays ---- */

/* A query that says too late with which block it begins, and will look again: nothing is dropped
 * that was not due. */
static void stale_pin(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(40, 0, 512);
    sst_stream *s, *other;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    REQUIRE(sst_stream_open(store, "scalar", &other) == SST_OK);
    append_to(s, 1000);
    CHECK(s->series->kept_block > 3);
    other->pinned = 2;
    append_to(s, 1100);
    check_queries(s, 1060, 1100);
    other->pinned = 0;
    append_to(s, 1200);
    check_queries(other, 1160, 1200);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    sst_close(store);
}

static void lent_views(void) {
    meter m;
    sst_store *store;
    sst_stream_desc desc = scalar(64, 0, 512);
    sst_stream *s, *other[3];
    sst_view views[3], more;
    uint64_t n, i;
    size_t now;
    store = make_metered(&m, 0, &desc, &s);
    for (i = 0; i < 3; i++) REQUIRE(sst_stream_open(store, "scalar", &other[i]) == SST_OK);
    append_to(s, 96);
    for (i = 0; i < 3; i++) {                       /* in place: within blocks 1, 1 and 2 */
        CHECK_INT(sst_slice(other[i], i < 2 ? 40 + i : 70, 5, &views[i]), SST_OK);
    }
    append_to(s, 10000);
    for (i = 0; i < 3; i++) {
        check_view(&views[i], i < 2 ? 40 + i : 70, 5);
        CHECK_INT(sst_rows(other[i]), 10000);       /* no query */
        CHECK_INT(sst_first_row(other[i]), 10000 - 64);
        check_view(&views[i], i < 2 ? 40 + i : 70, 5);
    }
    sst_stream_close(other[0]);
    append_to(s, 11000);
    check_view(&views[1], 41, 5);
    CHECK_INT(sst_at(other[1], INT64_MAX, &more), SST_OK);
    now = m.now;
    for (n = 11000; n < 20000; n += 100) {
        append_to(s, n);
        CHECK_INT(sst_window_ex(other[1], time_of(n - 30) + 1, INT64_MAX, SST_CARRY, &more),
                  SST_OK);
        CHECK_INT(more.times[0], time_of(n - 30) + 1);
    }
    CHECK(m.now - now <= 4096);
    check_view(&views[2], 70, 5);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* SST_CARRY changes a time of a view in place: not in the block. */
static void carried(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(64, 0, 512);
    sst_stream *s;
    sst_view view;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    append_to(s, 128);
    CHECK_INT(sst_window_ex(s, time_of(70) + 1, time_of(75), SST_CARRY, &view), SST_OK);
    CHECK_INT(view.count, 6);
    CHECK_INT(view.times[0], time_of(70) + 1);
    CHECK_INT(view.times[1], time_of(71));
    CHECK(((const double *)view.values)[5] == value_of(75));
    CHECK_INT(sst_slice(s, 64, 32, &view), SST_OK);
    check_view(&view, 64, 32);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    sst_close(store);
}

/* ---- replay and files ---- */

static void replayed(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(64, 0, 512);
    sst_stream *s[2];
    sst_replay *r;
    sst_view view = {0};
    size_t which;
    uint64_t count = 0;
    REQUIRE(sst_stream_create(store, &desc, &s[0]) == SST_OK);
    desc.name = "other";
    desc.retain_rows = 10;
    REQUIRE(sst_stream_create(store, &desc, &s[1]) == SST_OK);
    append_to(s[0], 1000);
    append_to(s[1], 1000);
    REQUIRE(sst_replay_open(s, 2, INT64_MIN, &r) == SST_OK);
    while (sst_replay_next(r, &which, &view) == SST_OK) {
        if (count++ == 0) CHECK_INT(view.first_row, 936);
        CHECK(which == 0 ? view.first_row >= 936 : view.first_row >= 990);
        CHECK(((const double *)view.values)[0] == value_of(view.first_row));
    }
    CHECK_INT(count, 74);
    while (sst_replay_prev(r, &which, &view) == SST_OK) count--;
    CHECK_INT(count, 0);
    CHECK_INT(view.count, 0);
    /* the cursor is at row 936; it is dropped now, and the next one that is there comes */
    append_to(s[0], 2000);
    CHECK_INT(sst_replay_seek(r, INT64_MIN), SST_OK);
    CHECK_INT(sst_replay_next(r, &which, &view), SST_OK);
    CHECK_INT(which, 1);
    append_to(s[0], 5000);
    append_to(s[1], 5000);
    CHECK_INT(sst_replay_seek(r, time_of(4940)), SST_OK);
    append_to(s[0], 6000);
    CHECK_INT(sst_replay_next(r, &which, &view), SST_OK);
    CHECK_INT(which, 1);
    CHECK_INT(view.first_row, 4990);
    CHECK_INT(sst_replay_seek(r, time_of(5990)), SST_OK);
    append_to(s[0], 9000);
    CHECK_INT(sst_replay_next(r, &which, &view), SST_OK);
    CHECK_INT(which, 0);
    CHECK_INT(view.first_row, 9000 - 64);
    sst_replay_close(r);
    sst_close(store);
}

/* A seek that fails leaves the cursor where it was, and rows as they are. */
static void failing_seek(void) {
    meter m;
    sst_stream_desc desc = scalar(64, 0, 512);
    sst_store *store;
    sst_stream *s[2];
    sst_replay *r;
    sst_view view = {0};
    size_t which;
    store = make_metered(&m, 0, &desc, &s[0]);
    m.forever = true;
    desc.name = "other";
    REQUIRE(sst_stream_create(store, &desc, &s[1]) == SST_OK);
    append_to(s[0], 256);
    REQUIRE(sst_replay_open(s, 2, INT64_MIN, &r) == SST_OK);
    CHECK_INT(sst_replay_next(r, &which, &view), SST_OK);
    CHECK_INT(view.first_row, 192);
    append_to(s[1], 280);                           /* nobody has looked at these */
    m.fail_at = 1;
    CHECK_INT(sst_replay_seek(r, time_of(230)), SST_ERR_MEMORY);
    m.fail_at = 0;
    append_to(s[0], 270);
    CHECK_INT(sst_replay_prev(r, &which, &view), SST_ERR_NOT_FOUND);    /* dropped */
    append_to(s[0], 900);
    append_to(s[1], 900);
    CHECK_INT(sst_replay_next(r, &which, &view), SST_OK);
    CHECK_INT(view.first_row, 836);
    CHECK_INT(view.times[0], time_of(836));
    CHECK(((const double *)view.values)[0] == value_of(836));
    sst_replay_close(r);
    sst_close(store);
    CHECK_INT(m.now, 0);
}

/* The last seconds, as a file; numbered from 0. */
static void saved(void) {
    sst_store *store = make(NULL), *file;
    sst_stream_desc desc = scalar(100, 0, 512), back;
    sst_stream *s, *k;
    sst_view view;
    char path[300];
    uint64_t rows;
    sst_options options = {0};
    make_path(path, sizeof path);
    options.flags = SST_REPLACE;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    append_to(s, 1000);
    desc = every_kind(50);
    REQUIRE(sst_stream_create(store, &desc, &k) == SST_OK);
    for (rows = 0; rows < 300; rows++) CHECK_INT(append_kind(k, rows), SST_OK);
    CHECK_INT(sst_set_meta(store, "why", "crash", 5), SST_OK);
    CHECK_INT(sst_save(store, path, INT64_MIN, INT64_MAX, &options), SST_OK);
    REQUIRE(sst_open(path, NULL, &file) == SST_OK);
    CHECK_INT(sst_verify(file, NULL), SST_OK);
    REQUIRE(sst_stream_open(file, "scalar", &s) == SST_OK);
    CHECK_INT(sst_rows(s), 100);
    CHECK_INT(sst_first_row(s), 0);
    CHECK_INT(sst_stream_info(s, &back, NULL, NULL, NULL), SST_OK);
    CHECK_INT(back.retain_rows, 0);
    CHECK_INT(sst_window(s, INT64_MIN, INT64_MAX, &view), SST_OK);
    CHECK_INT(view.times[0], time_of(900));
    REQUIRE(sst_stream_open(file, "kinds", &k) == SST_OK);
    CHECK_INT(sst_window(k, INT64_MIN, INT64_MAX, &view), SST_OK);
    CHECK_INT(view.count, 50);
    CHECK_INT(view.tags[0], 251);
    sst_close(file);
    CHECK_INT(sst_save(store, path, time_of(950), time_of(959), &options), SST_OK);
    REQUIRE(sst_open(path, NULL, &file) == SST_OK);
    REQUIRE(sst_stream_open(file, "scalar", &s) == SST_OK);
    CHECK_INT(sst_rows(s), 10);
    sst_close(file);
    sst_close(store);
    remove(path);
}

/* A block that rots in memory is found by sst_verify, with its rows. */
static void rotten(void) {
    sst_store *store = make(NULL);
    sst_stream_desc desc = scalar(64, 0, 512);
    sst_stream *s;
    sst_view view;
    sst_report report;
    sst_damage damage[4];
    int i;
    REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
    append_to(s, 1000);
    memset(&report, 0, sizeof report);
    report.damage = damage;
    report.damage_capacity = 4;
    CHECK_INT(sst_verify(store, &report), SST_OK);
    CHECK(report.rows >= 64 && report.rows <= 96);
    CHECK_INT(sst_slice(s, 965, 1, &view), SST_OK);
    ((uint8_t *)(uintptr_t)view.values)[3] ^= 16;
    CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
    CHECK_INT(report.damage_count, 1);
    CHECK_INT(damage[0].first_row, 960);
    CHECK_INT(damage[0].rows, 32);
    CHECK_INT(damage[0].stream, 1);
    ((uint8_t *)(uintptr_t)view.values)[3] ^= 16;
    {   /* its header */
        const ssti_block *b = ssti_list_at(s->series->list, s->series->list->count - 1);
        uint8_t *head = (uint8_t *)(uintptr_t)b->data;
        head[33] ^= 1;
        CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
        head[33] ^= 1;
        head[64 + 5] ^= 1;                          /* and its directory */
        CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
        CHECK_INT(damage[0].first_row, b->first_row);
        head[64 + 5] ^= 1;
        for (i = 0; i < 2; i++) {                   /* a header that is of another block */
            uint8_t *p = head + (i == 0 ? 20 : 32), offset[8];
            p[0] ^= 1;
            mend_put(offset, b->offset, 8);
            mend_put(head + 60, sst_crc32c(offset, 8, sst_crc32c(head, 60, 0)), 4);
            CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
            CHECK_INT(damage[0].first_row, b->first_row);
            CHECK_INT(damage[0].rows, b->rows);
            p[0] ^= 1;
            mend_put(head + 60, sst_crc32c(offset, 8, sst_crc32c(head, 60, 0)), 4);
        }
    }
    CHECK_INT(sst_verify(store, &report), SST_OK);
    sst_close(store);
}

/* ---- random ---- */

/* Rows of random size, sealed at random, kept by random rules; several handles with views. */
static void at_random(void) {
    uint64_t seed = test_seed(9);
    int round, rounds = (int)test_rounds(40, 4000);
    for (round = 0; round < rounds; round++) {
        sst_options options = {0};
        sst_stream_desc desc = scalar(1 + test_below(&seed, 300), 0, 512);
        sst_store *store;
        sst_stream *s, *reader[4];
        sst_view view[4];
        uint64_t expect[4][2], n = 0, i, first, least;
        int steps = 300, result;
        bool deferred = test_below(&seed, 3) == 0;
        if (test_below(&seed, 3) == 0) desc.retain_time = (int64_t)test_below(&seed, 3000);
        if (test_below(&seed, 4) == 0) desc.retain_rows = 0;
        if (desc.retain_rows == 0 && desc.retain_time == 0) desc.retain_time = 500;
        options.flags = deferred ? SST_DEFERRED : 0;
        store = make(&options);
        REQUIRE(sst_stream_create(store, &desc, &s) == SST_OK);
        memset(view, 0, sizeof view);
        for (i = 0; i < 4; i++) REQUIRE(sst_stream_open(store, "scalar", &reader[i]) == SST_OK);
        while (steps-- > 0) {
            uint64_t end = n + test_below(&seed, 40), k = test_below(&seed, 4);
            for (; n < end; n++) {
                result = sst_append_f64(s, time_of(n), value_of(n));
                if (result == SST_ERR_BUSY) {
                    CHECK(deferred);
                    CHECK_INT(sst_poll(store), SST_OK);
                    result = sst_append_f64(s, time_of(n), value_of(n));
                }
                CHECK_INT(result, SST_OK);
            }
            if (test_below(&seed, 8) == 0) CHECK_INT(sst_flush(store), SST_OK);
            for (i = 0; i < 4; i++) {               /* views are as they were */
                if (view[i].count != 0) check_view(&view[i], expect[i][0], expect[i][1]);
            }
            first = sst_first_row(reader[k]);
            least = n;
            if (desc.retain_rows != 0) least = n > desc.retain_rows ? n - desc.retain_rows : 0;
            if (desc.retain_time != 0 && n != 0) {
                uint64_t by_time = (uint64_t)(desc.retain_time + 9) / 10 + 1;
                by_time = n > by_time ? n - by_time : 0;
                if (by_time < least) least = by_time;
                CHECK(first <= least && least - first < 33);
            } else {
                CHECK_INT(first, least);
            }
            if (n == 0) continue;
            expect[k][0] = first + test_below(&seed, n - first);
            expect[k][1] = 1 + test_below(&seed, n - expect[k][0] < 20 ? n - expect[k][0] : 20);
            CHECK_INT(sst_slice(reader[k], expect[k][0], expect[k][1], &view[k]), SST_OK);
            check_view(&view[k], expect[k][0], expect[k][1]);
            if (test_below(&seed, 20) == 0) check_queries(s, first, n);
        }
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        sst_close(store);
        if (test_errors != 0) {
            printf("round %d\n", round);
            return;
        }
    }
}

/* ---- threads ---- */

enum { READERS = 2, THREAD_ROWS = 200000 };

typedef struct crowd {
    sst_store *store;
    int stop;
    unsigned long wrong, answers;
} crowd;

static bool view_right(const sst_view *v) {
    uint64_t i;
    for (i = 0; i < v->count; i++) {
        if (v->times[i] != time_of(v->first_row + i) ||
            ((const double *)v->values)[i] != value_of(v->first_row + i)) return false;
    }
    return true;
}

static void note(crowd *c, bool right) {
    __atomic_fetch_add(right ? &c->answers : &c->wrong, 1, __ATOMIC_RELAXED);
}

/* Asks about rows that are about to be dropped, while they are. */
static void *ask(void *argument) {
    crowd *c = (crowd *)argument;
    sst_stream *s;
    uint64_t seed = 1;
    if (sst_stream_open(c->store, "scalar", &s) != SST_OK) return NULL;
    while (__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE) == 0) {
        uint64_t first = sst_first_row(s), rows = sst_rows(s), at;
        int64_t times[10], found[10], t;
        double values[10];
        sst_view view;
        int i, result;
        note(c, first <= rows);
        at = first + test_below(&seed, rows - first + 1);
        result = sst_slice(s, at, 50, &view);
        note(c, result == SST_OK ? view_right(&view) : result == SST_ERR_NOT_FOUND);
        sched_yield();
        note(c, view_right(&view));
        result = sst_at(s, time_of(at) + 3, &view);
        note(c, result == SST_ERR_NOT_FOUND || (result == SST_OK && view.first_row >= at &&
                                                view_right(&view)) || view.first_row < at);
        result = sst_window(s, time_of(at), time_of(at + 100), &view);
        note(c, result == SST_OK && view_right(&view));
        for (i = 0; i < 10; i++) times[i] = time_of(first + test_below(&seed, rows - first + 1));
        result = sst_sample(s, times, 10, SST_SAMPLE_PREVIOUS, values, found);
        for (i = 0; i < 10 && result == SST_OK; i++) {
            note(c, found[i] == -1 || values[i] == value_of((uint64_t)found[i]));
        }
        note(c, result == SST_OK);
        note(c, sst_stream_info(s, NULL, &rows, &t, NULL) == SST_OK && t % 10 == 0);
    }
    sst_stream_close(s);
    return NULL;
}

static void *poll(void *argument) {
    crowd *c = (crowd *)argument;
    while (__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE) == 0) {
        note(c, sst_poll(c->store) == SST_OK);
        sched_yield();
    }
    return NULL;
}

static void threads_with(uint32_t flags, uint64_t retain_rows, int64_t retain_time) {
    sst_options options = {0};
    sst_stream_desc desc = scalar(retain_rows, retain_time, 512);
    pthread_t readers[READERS], poller;
    crowd c;
    sst_stream *s;
    uint64_t row = 0;
    int i;
    memset(&c, 0, sizeof c);
    options.flags = flags;
    c.store = make(&options);
    REQUIRE(sst_stream_create(c.store, &desc, &s) == SST_OK);
    for (i = 0; i < READERS; i++) CHECK_INT(pthread_create(&readers[i], NULL, ask, &c), 0);
    if (flags != 0) CHECK_INT(pthread_create(&poller, NULL, poll, &c), 0);
    while (row < THREAD_ROWS || (row < 100u * THREAD_ROWS &&
                                 __atomic_load_n(&c.answers, __ATOMIC_RELAXED) < 1000)) {
        int result = sst_append_f64(s, time_of(row), value_of(row));
        if (result == SST_OK) row++;
        else if (result == SST_ERR_BUSY) sched_yield();
        else break;
    }
    CHECK(row >= THREAD_ROWS);
    __atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
    for (i = 0; i < READERS; i++) CHECK_INT(pthread_join(readers[i], NULL), 0);
    if (flags != 0) CHECK_INT(pthread_join(poller, NULL), 0);
    CHECK_INT(c.wrong, 0);
    CHECK(c.answers >= 1000);
    check_queries(s, sst_first_row(s), row);
    sst_close(c.store);
}

static void readers_beside(void) { threads_with(0, 40, 0); }
static void readers_beside_time(void) { threads_with(0, 0, 1000); }
static void polled_beside(void) { threads_with(SST_DEFERRED, 100, 0); }

/* sst_save sees the rows that there were when it came to the stream, though they are dropped. */
static void *save(void *argument) {
    crowd *c = (crowd *)argument;
    char path[300];
    sst_options options = {0};
    make_path(path, sizeof path);
    options.flags = SST_REPLACE | SST_NO_SYNC;
    while (__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE) == 0) {
        sst_store *file;
        sst_stream *s;
        sst_view view;
        bool right = sst_save(c->store, path, INT64_MIN, INT64_MAX, &options) == SST_OK;
        note(c, right);
        if (!right || sst_open(path, NULL, &file) != SST_OK) break;
        right = sst_stream_open(file, "scalar", &s) == SST_OK &&
                sst_window(s, INT64_MIN, INT64_MAX, &view) == SST_OK;
        if (right && view.count != 0) {
            int64_t first = view.times[0] / 10;
            uint64_t i;
            right = view.count == 500 || first == 0;
            for (i = 0; i < view.count; i++) {
                right = right && view.times[i] == time_of((uint64_t)first + i) &&
                        ((const double *)view.values)[i] == value_of((uint64_t)first + i);
            }
        }
        note(c, right);
        sst_close(file);
    }
    remove(path);
    return NULL;
}

static void saved_beside(void) {
    sst_stream_desc desc = scalar(500, 0, 512);
    pthread_t saver;
    crowd c;
    sst_stream *s;
    uint64_t row;
    memset(&c, 0, sizeof c);
    c.store = make(NULL);
    REQUIRE(sst_stream_create(c.store, &desc, &s) == SST_OK);
    CHECK_INT(pthread_create(&saver, NULL, save, &c), 0);
    for (row = 0; row < THREAD_ROWS * 2 || (__atomic_load_n(&c.answers, __ATOMIC_RELAXED) < 20 &&
                                            row < 100u * THREAD_ROWS); row++) {
        if (sst_append_f64(s, time_of(row), value_of(row)) != SST_OK) break;
    }
    __atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
    CHECK_INT(pthread_join(saver, NULL), 0);
    CHECK_INT(c.wrong, 0);
    CHECK(c.answers >= 2);
    CHECK_INT(sst_rows(s), row);
    sst_close(c.store);
}

int main(void) {
    TEST_RUN(newest_rows);
    TEST_RUN(newest_times);
    TEST_RUN(rows_in_force);
    TEST_RUN(either);
    TEST_RUN(empty_and_one);
    TEST_RUN(large_rows);
    TEST_RUN(kinds);
    TEST_RUN(untimed);
    TEST_RUN(refused);
    TEST_RUN(bounded);
    TEST_RUN(fixed_memory);
    TEST_RUN(out_of_memory);
    TEST_RUN(each_allocation);
    TEST_RUN(each_ring);
    TEST_RUN(all_rows);
    TEST_RUN(growing_rows);
    TEST_RUN(beside_others);
    TEST_RUN(failing_far_row);
    TEST_RUN(stale_pin);
    TEST_RUN(failing_seek);
    TEST_RUN(lent_views);
    TEST_RUN(carried);
    TEST_RUN(replayed);
    TEST_RUN(saved);
    TEST_RUN(rotten);
    TEST_RUN(at_random);
#if !STREAMSTORE_COVERAGE               /* there what threads race for counts as impossible */
    TEST_RUN(readers_beside);
    TEST_RUN(readers_beside_time);
    TEST_RUN(polled_beside);
    TEST_RUN(saved_beside);
#endif
    return test_done("retain");
}
