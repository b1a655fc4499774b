/* test_query.c - every query against plain arrays, on tails, blocks and images. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include "test.h"

#define FOREIGN_BIT 0x80000000u     /* belongs to no family of flags */

/* --- recordings --------------------------------------------------------------------------- */

static sst_store *make_store(uint32_t block_bytes) {
    sst_options options;
    sst_io io = *sst_io_default();
    sst_store *store = NULL;
    memset(&options, 0, sizeof options);
    io.now_ns = NULL;                               /* the same bytes in every run */
    options.io = &io;
    options.block_bytes = block_bytes;
    options.seed = 11;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    return store;
}

static sst_stream *make_stream(sst_store *store, const char *name, sst_type type, uint32_t width) {
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = type;
    desc.shape[0] = width;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

static sst_stream *open_stream(sst_store *store, const char *name) {
    sst_stream *stream = NULL;
    CHECK_INT(sst_stream_open(store, name, &stream), SST_OK);
    return stream;
}

/* Where the rows are when they are asked for. */
typedef enum place {
    IN_TAIL,            /* a memory store, sealed only where blocks got full */
    IN_SMALL_BLOCKS,    /* flushed now and then, the last row in the tail */
    IN_IMAGE,           /* opened from an aligned copy */
    IN_ODD_IMAGE,       /* opened from a copy at an odd address, every checksum first */
    IN_CUT_IMAGE,       /* the same without its last 64 bytes: read by hopping, no checksums */
    IN_FILE,            /* opened from a file, mapped */
    IN_UNMAPPED_FILE,   /* the same, read */
    PLACES
} place;

typedef struct recording {
    sst_store *writer, *store;      /* the one to ask; the same for stores being written */
    unsigned char *memory;
    const unsigned char *image;     /* inside memory */
    size_t size;
} recording;

/* Opens the bytes as a file, which has no name any more afterwards. */
static sst_store *open_as_file(const void *bytes, size_t size, uint32_t flags) {
    const char *folder = getenv("TMPDIR");
    sst_options options;
    sst_store *store = NULL;
    char name[512];
    int fd;
    FILE *file;
    snprintf(name, sizeof name, "%s/sst-query-XXXXXX", folder != NULL ? folder : "/tmp");
    fd = mkstemp(name);
    file = fd < 0 ? NULL : fdopen(fd, "wb");
    CHECK(file != NULL);
    if (file == NULL) return NULL;
    CHECK(fwrite(bytes, 1, size, file) == size);
    CHECK_INT(fclose(file), 0);
    memset(&options, 0, sizeof options);
    options.flags = flags;
    CHECK_INT(sst_open(name, &options, &store), SST_OK);
    CHECK_INT(remove(name), 0);
    return store;
}

/* Takes over a store with rows in it. */
static recording place_it(sst_store *writer, place where) {
    recording r = {NULL, NULL, NULL, NULL, 0};
    sst_options options;
    const void *bytes = NULL;
    r.writer = r.store = writer;
    if (where == IN_TAIL || where == IN_SMALL_BLOCKS) return r;
    CHECK_INT(sst_image(writer, &bytes, &r.size), SST_OK);
    if (bytes == NULL) return r;
    if (where == IN_FILE || where == IN_UNMAPPED_FILE) {
        r.store = open_as_file(bytes, r.size, where == IN_FILE ? 0 : SST_NO_MAP);
        return r;
    }
    r.memory = (unsigned char *)malloc(r.size + 1);
    r.image = r.memory + (where == IN_ODD_IMAGE ? 1 : 0);
    memcpy(r.memory + (where == IN_ODD_IMAGE ? 1 : 0), bytes, r.size);
    if (where == IN_CUT_IMAGE) r.size -= 64;
    memset(&options, 0, sizeof options);
    if (where == IN_ODD_IMAGE) options.flags = SST_VERIFY;
    if (where == IN_CUT_IMAGE) options.flags = SST_TRUST;
    CHECK_INT(sst_open_memory(r.image, r.size, &options, &r.store), SST_OK);
    return r;
}

static void drop(recording *r) {
    if (r->store != r->writer) CHECK_INT(sst_close(r->store), SST_OK);
    CHECK_INT(sst_close(r->writer), SST_OK);
    free(r->memory);
}

static uint64_t get_le(const unsigned char *bytes, int count) {
    uint64_t value = 0;
    while (count-- > 0) value = value << 8 | bytes[count];
    return value;
}

/* Rows of the first block in an image: how many fit. */
static size_t first_block_rows(const unsigned char *image, size_t size) {
    uint64_t offset = 64;
    while (offset + 64 <= size && memcmp(image + offset, "SREC", 4) == 0) {
        if (image[offset + 4] == 2) return (size_t)get_le(image + offset + 20, 4);
        offset += 64 + (get_le(image + offset + 24, 8) + 63) / 64 * 64;
    }
    return 0;
}

/* --- the rows: i32 [2], and what every query has to say about them ------------------------ */

enum { MAX_ROWS = 1200, MAX_POINTS = 64, PATTERNS = 5 };

typedef struct plain {
    size_t count;
    int64_t times[MAX_ROWS];
    int32_t values[MAX_ROWS][2];
} plain;

static int64_t pattern_time(int pattern, size_t i, size_t count) {
    uint64_t seed = 99 + i;
    switch (pattern) {
    case 0: return (int64_t)i * 10;
    case 1: return -1000 + (int64_t)i * 7;
    case 2: return (int64_t)(i * 1000000 + test_below(&seed, 1000000));
    case 3: return (int64_t)i + (i < count / 2 ? 0 : (int64_t)1 << 62);
    default:
        if (i == 0) return INT64_MIN;
        return i == count - 1 ? INT64_MAX : (int64_t)i * 3;
    }
}

static void make_rows(plain *r, int pattern, size_t count) {
    size_t i;
    r->count = count;
    for (i = 0; i < count; i++) {
        r->times[i] = pattern_time(pattern, i, count);
        r->values[i][0] = (int32_t)i * 3 - 100;
        r->values[i][1] = (int32_t)(i ^ (i << 20));
    }
}

static sst_store *record_rows(const plain *r, place where) {
    sst_store *store = make_store(512);
    sst_stream *stream = make_stream(store, "x", SST_I32, 2);
    size_t i;
    for (i = 0; i < r->count; i++) {
        CHECK_INT(sst_append(stream, r->times[i], r->values[i]), SST_OK);
        if (where == IN_SMALL_BLOCKS && i + 1 < r->count && (i * 7 % 31 == 3 || i % 100 == 50)) {
            CHECK_INT(sst_flush(store), SST_OK);
        }
    }
    return store;
}

/* Moments to ask for: rows at edges of blocks, their neighbours, the ends of time. */
typedef struct points {
    size_t count;
    int64_t at[MAX_POINTS];
    size_t below[MAX_POINTS];       /* rows with a smaller time */
    size_t upto[MAX_POINTS];        /* rows with a time not larger */
} points;

static void add_point(points *p, int64_t time) {
    size_t i;
    for (i = 0; i < p->count; i++) {
        if (p->at[i] == time) return;
    }
    if (p->count < MAX_POINTS) p->at[p->count++] = time;
}

static void make_points(points *p, const plain *r, size_t capacity) {
    size_t edges[10], i, k;
    edges[0] = 0;
    edges[1] = 1;
    edges[2] = capacity - 1;
    edges[3] = capacity;
    edges[4] = capacity + 1;
    edges[5] = 2 * capacity - 1;
    edges[6] = 2 * capacity;
    edges[7] = r->count / 2;
    edges[8] = r->count - 2;
    edges[9] = r->count - 1;
    p->count = 0;
    add_point(p, INT64_MIN);
    add_point(p, INT64_MAX);
    add_point(p, INT64_MIN + 1);
    add_point(p, INT64_MAX - 1);
    add_point(p, 0);
    add_point(p, -1);
    for (i = 0; i < 10; i++) {
        if (edges[i] >= r->count) continue;
        add_point(p, r->times[edges[i]]);
        if (r->times[edges[i]] > INT64_MIN) add_point(p, r->times[edges[i]] - 1);
        if (r->times[edges[i]] < INT64_MAX) add_point(p, r->times[edges[i]] + 1);
    }
    for (i = 0; i < p->count; i++) {
        p->below[i] = p->upto[i] = 0;
        for (k = 0; k < r->count; k++) {
            p->below[i] += r->times[k] < p->at[i];
            p->upto[i] += r->times[k] <= p->at[i];
        }
    }
}

/* The pointers of a view of a stream without timelines, tags and keys. */
static void check_pointers(const sst_view *view) {
    int k;
    CHECK(view->times != NULL && view->values != NULL);
    CHECK(view->offsets == NULL && view->tags == NULL);
    CHECK(view->key_offsets == NULL && view->keys == NULL && view->row_flags == NULL);
    for (k = 0; k < SST_MAX_TIMELINES; k++) CHECK(view->timelines[k] == NULL);
    CHECK_INT(view->column_count, 1);
    if (view->columns == NULL) {
        CHECK(view->columns != NULL);
    } else {
        CHECK(view->columns[0].values == view->values);
        CHECK(view->columns[0].offsets == NULL);
    }
}

/* The view is these rows. carried: the first one's time is given as start. */
static void check_rows(const sst_view *view, const plain *r, size_t first, size_t count,
                       const int64_t *carried) {
    check_pointers(view);
    CHECK_INT(view->count, count);
    if (view->count != count || count == 0) return;
    CHECK_INT(view->first_row, first);
    if (carried != NULL) {
        CHECK_INT(view->times[0], *carried);
        CHECK_BYTES(view->times + 1, r->times + first + 1, (count - 1) * sizeof(int64_t));
    } else {
        CHECK_BYTES(view->times, r->times + first, count * sizeof(int64_t));
    }
    CHECK_BYTES(view->values, r->values[first], count * sizeof r->values[0]);
}

static void check_windows(sst_stream *stream, const plain *r, const points *p) {
    static const uint32_t flags[4] = {0, SST_HALF_OPEN, SST_CARRY, SST_HALF_OPEN | SST_CARRY};
    size_t a, b, f;
    for (a = 0; a < p->count; a++) {
        for (b = 0; b < p->count; b++) {
            for (f = 0; f < 4; f++) {
                bool half = (flags[f] & SST_HALF_OPEN) != 0;
                bool empty = p->at[a] > p->at[b] || (half && p->at[a] == p->at[b]);
                size_t first = p->below[a], end = half ? p->below[b] : p->upto[b];
                bool carry = (flags[f] & SST_CARRY) != 0 && first > 0 && p->upto[a] == first;
                sst_view view;
                memset(&view, 0xFF, sizeof view);
                if (empty) end = first;
                if (!empty && carry) first--;
                CHECK_INT(sst_window_ex(stream, p->at[a], p->at[b], flags[f], &view), SST_OK);
                check_rows(&view, r, first, end - first, !empty && carry ? &p->at[a] : NULL);
                if (flags[f] != 0) continue;
                memset(&view, 0xFF, sizeof view);
                CHECK_INT(sst_window(stream, p->at[a], p->at[b], &view), SST_OK);
                check_rows(&view, r, first, end - first, NULL);
            }
        }
    }
}

/* The nearest row; of two equally near the earlier. count is not 0. */
static size_t nearest(const plain *r, const points *p, size_t point) {
    size_t before = p->upto[point];
    if (before == 0) return 0;
    if (before == r->count) return r->count - 1;
    return (uint64_t)p->at[point] - (uint64_t)r->times[before - 1] <=
           (uint64_t)r->times[before] - (uint64_t)p->at[point] ? before - 1 : before;
}

/* The row that a way of matching finds, or -1. */
static int64_t expected_row(const plain *r, const points *p, size_t point, sst_match match) {
    bool exact = p->upto[point] > p->below[point];
    if (r->count == 0) return -1;
    switch (match) {
    case SST_AT_OR_BEFORE: return (int64_t)p->upto[point] - 1;
    case SST_AT_OR_AFTER: return p->below[point] < r->count ? (int64_t)p->below[point] : -1;
    case SST_NEAREST: return (int64_t)nearest(r, p, point);
    default: return exact ? (int64_t)p->below[point] : -1;
    }
}

static void check_locate(sst_stream *stream, const plain *r, const points *p) {
    static const sst_match all[4] = {SST_AT_OR_BEFORE, SST_AT_OR_AFTER, SST_NEAREST, SST_EXACT};
    size_t i, m;
    for (i = 0; i < p->count; i++) {
        int64_t want = expected_row(r, p, i, SST_AT_OR_BEFORE);
        sst_view view;
        memset(&view, 0xFF, sizeof view);
        CHECK_INT(sst_at(stream, p->at[i], &view), want < 0 ? SST_ERR_NOT_FOUND : SST_OK);
        check_rows(&view, r, want < 0 ? 0 : (size_t)want, want < 0 ? 0 : 1, NULL);
        for (m = 0; m < 4; m++) {
            uint64_t row = 0xABCDEF;
            want = expected_row(r, p, i, all[m]);
            CHECK_INT(sst_locate(stream, p->at[i], all[m], &row),
                      want < 0 ? SST_ERR_NOT_FOUND : SST_OK);
            CHECK_INT(row, want < 0 ? 0xABCDEF : want);
        }
    }
}

static void check_slices(sst_stream *stream, const plain *r, size_t capacity) {
    uint64_t numbers[12];
    size_t a, b;
    numbers[0] = 0;
    numbers[1] = 1;
    numbers[2] = capacity - 1;
    numbers[3] = capacity;
    numbers[4] = capacity + 1;
    numbers[5] = 3 * capacity;
    numbers[6] = r->count / 2;
    numbers[7] = r->count;
    numbers[8] = r->count + 1;
    numbers[9] = (uint64_t)1 << 32;
    numbers[10] = UINT64_MAX - 1;
    numbers[11] = UINT64_MAX;
    for (a = 0; a < 12; a++) {
        for (b = 0; b < 12; b++) {
            uint64_t first = numbers[a], count = numbers[b];
            sst_view view;
            if (first >= r->count) count = 0;
            else if (count > r->count - first) count = r->count - first;
            memset(&view, 0xFF, sizeof view);
            CHECK_INT(sst_slice(stream, first, numbers[b], &view), SST_OK);
            check_rows(&view, r, (size_t)first, (size_t)count, NULL);
        }
    }
}

static double linear_between(const plain *r, size_t row, size_t k, int64_t time) {
    double a = r->values[row][k], part;
    if (row + 1 >= r->count) return a;
    part = (double)((uint64_t)time - (uint64_t)r->times[row]) /
           (double)((uint64_t)r->times[row + 1] - (uint64_t)r->times[row]);
    return a + ((double)r->values[row + 1][k] - a) * part;
}

static void check_sampling(sst_stream *stream, const plain *r, const points *p) {
    static const sst_sampling all[3] = {SST_SAMPLE_PREVIOUS, SST_SAMPLE_NEAREST, SST_SAMPLE_EXACT};
    static const sst_match like[3] = {SST_AT_OR_BEFORE, SST_NEAREST, SST_EXACT};
    enum { TIMES = 200 };
    size_t order[TIMES], i, k, m;
    int64_t times[TIMES], found[TIMES], found_only[TIMES];
    int32_t values[TIMES][2], values_only[TIMES][2], none[2] = {0, 0};
    double lines[TIMES][2];
    uint64_t seed = 5;
    for (i = 0; i < TIMES; i++) {                   /* any order, repeats */
        order[i] = (size_t)test_below(&seed, p->count);
        times[i] = p->at[order[i]];
    }
    for (m = 0; m < 3; m++) {
        memset(values, 0xEE, sizeof values);
        memset(found, 0xEE, sizeof found);
        CHECK_INT(sst_sample(stream, times, TIMES, all[m], values, found), SST_OK);
        CHECK_INT(sst_sample(stream, times, TIMES, all[m], values_only, NULL), SST_OK);
        CHECK_INT(sst_sample(stream, times, TIMES, all[m], NULL, found_only), SST_OK);
        CHECK_BYTES(values_only, values, sizeof values);
        CHECK_BYTES(found_only, found, sizeof found);
        for (i = 0; i < TIMES; i++) {
            int64_t want = expected_row(r, p, order[i], like[m]);
            CHECK_INT(found[i], want);
            CHECK_BYTES(values[i], want < 0 ? none : r->values[want], sizeof none);
        }
    }
    memset(lines, 0xEE, sizeof lines);
    CHECK_INT(sst_sample(stream, times, TIMES, SST_SAMPLE_LINEAR, lines, found), SST_OK);
    for (i = 0; i < TIMES; i++) {
        int64_t want = expected_row(r, p, order[i], SST_AT_OR_BEFORE);
        CHECK_INT(found[i], want);
        for (k = 0; k < 2; k++) {
            double line = want < 0 ? 0 : linear_between(r, (size_t)want, k, times[i]);
            double off = lines[i][k] - line;
            CHECK(off < 1e-5 && off > -1e-5);
        }
    }
    CHECK_INT(sst_sample(stream, times, 0, SST_SAMPLE_PREVIOUS, values, found), SST_OK);
}

static void check_gather(sst_stream *stream, const plain *r) {
    enum { COUNT = 100 };
    int64_t numbers[COUNT], times[COUNT], times_only[COUNT];
    int32_t values[COUNT][2], values_only[COUNT][2], none[2] = {0, 0};
    static const int64_t wrong[4] = {-2, INT64_MIN, INT64_MAX, 0};
    uint64_t seed = 3;
    size_t i;
    for (i = 0; i < COUNT; i++) numbers[i] = (int64_t)test_below(&seed, r->count + 1) - 1;
    memset(values, 0xEE, sizeof values);
    memset(times, 0xEE, sizeof times);
    CHECK_INT(sst_gather(stream, numbers, COUNT, values, times), SST_OK);
    CHECK_INT(sst_gather(stream, numbers, COUNT, values_only, NULL), SST_OK);
    CHECK_INT(sst_gather(stream, numbers, COUNT, NULL, times_only), SST_OK);
    CHECK_BYTES(values_only, values, sizeof values);
    CHECK_BYTES(times_only, times, sizeof times);
    for (i = 0; i < COUNT; i++) {
        int64_t n = numbers[i];
        CHECK_INT(times[i], n < 0 ? 0 : r->times[n]);
        CHECK_BYTES(values[i], n < 0 ? none : r->values[n], sizeof none);
    }
    for (i = 0; i < 4; i++) {                       /* nothing is written */
        memset(values, 0xEE, sizeof values);
        memset(times, 0xEE, sizeof times);
        numbers[COUNT - 1] = wrong[i] != 0 ? wrong[i] : (int64_t)r->count;
        CHECK_INT(sst_gather(stream, numbers, COUNT, values, times), SST_ERR_ARG);
        CHECK_INT(((unsigned char *)values)[0], 0xEE);
        CHECK_INT(((unsigned char *)times)[0], 0xEE);
        CHECK_INT(((unsigned char *)values)[sizeof values - 9], 0xEE);
        CHECK_INT(((unsigned char *)times)[sizeof times - 9], 0xEE);
    }
    CHECK_INT(sst_gather(stream, numbers, 0, values, times), SST_OK);
}

static void check_everything(const plain *r, place where, size_t capacity) {
    recording it = place_it(record_rows(r, where), where);
    sst_stream *stream = open_stream(it.store, "x");
    static points p;
    uint64_t count = 99;
    int64_t first = 99, last = 99;
    make_points(&p, r, capacity);
    CHECK_INT(sst_rows(stream), r->count);
    CHECK_INT(sst_first_row(stream), 0);
    CHECK_INT(sst_stream_info(stream, NULL, &count, &first, &last), SST_OK);
    CHECK_INT(count, r->count);
    CHECK_INT(first, r->count > 0 ? r->times[0] : 0);
    CHECK_INT(last, r->count > 0 ? r->times[r->count - 1] : 0);
    check_locate(stream, r, &p);
    check_windows(stream, r, &p);
    check_slices(stream, r, capacity);
    check_sampling(stream, r, &p);
    check_gather(stream, r);
    drop(&it);
}

static size_t block_capacity(void) {
    static plain r;
    recording it;
    size_t capacity;
    make_rows(&r, 0, MAX_ROWS);
    it = place_it(record_rows(&r, IN_IMAGE), IN_IMAGE);
    capacity = it.image != NULL ? first_block_rows(it.image, it.size) : 0;
    drop(&it);
    return capacity;
}

static void every_query_everywhere(void) {
    static plain r;
    size_t capacity = block_capacity(), counts[9], i;
    int pattern;
    int where;
    REQUIRE(capacity >= 4 && capacity * 10 + 7 < MAX_ROWS);
    counts[0] = 0;
    counts[1] = 1;
    counts[2] = 2;
    counts[3] = capacity - 1;
    counts[4] = capacity;
    counts[5] = capacity + 1;
    counts[6] = 2 * capacity;
    counts[7] = 3 * capacity + 2;
    counts[8] = 10 * capacity + 7;
    for (pattern = 0; pattern < PATTERNS; pattern++) {
        for (i = 0; i < 9; i++) {
            if (pattern > 0 && i % 2 == 0 && i < 8) continue;
            make_rows(&r, pattern, counts[i]);
            for (where = 0; where < PLACES; where++) {
                check_everything(&r, (place)where, capacity);
            }
        }
    }
}

/* --- the recorder's contract, word for word ----------------------------------------------- */

static int32_t value_at(sst_stream *stream, int64_t time, int64_t *found) {
    sst_view view;
    CHECK_INT(sst_at(stream, time, &view), SST_OK);
    CHECK_INT(view.count, 1);
    if (view.count != 1) return -1;
    *found = view.times[0];
    return *(const int32_t *)view.values;
}

static void at_examples(void) {
    int where;
    for (where = 0; where < PLACES; where++) {      /* {1000: 42, 2000: 43} */
        sst_store *store = make_store(512);
        sst_stream *stream = make_stream(store, "x", SST_I32, 0);
        recording it;
        sst_view view;
        int64_t time = 0;
        CHECK_INT(sst_append_i32(stream, 1000, 42), SST_OK);
        CHECK_INT(sst_append_i32(stream, 2000, 43), SST_OK);
        CHECK_INT(sst_append_i32(stream, 2000, 44), SST_ERR_ORDER);     /* not increasing */
        CHECK_INT(sst_append_i32(stream, 1500, 44), SST_ERR_ORDER);
        it = place_it(store, (place)where);
        stream = open_stream(it.store, "x");
        memset(&view, 0xFF, sizeof view);
        CHECK_INT(sst_at(stream, 999, &view), SST_ERR_NOT_FOUND);
        CHECK_INT(view.count, 0);
        CHECK_INT(sst_at(stream, INT64_MIN, &view), SST_ERR_NOT_FOUND);
        CHECK_INT(value_at(stream, 1000, &time), 42);
        CHECK_INT(time, 1000);
        CHECK_INT(value_at(stream, 1500, &time), 42);
        CHECK_INT(time, 1000);
        CHECK_INT(value_at(stream, 2000, &time), 43);
        CHECK_INT(time, 2000);
        CHECK_INT(value_at(stream, 3000, &time), 43);
        CHECK_INT(time, 2000);
        CHECK_INT(value_at(stream, INT64_MAX, &time), 43);
        drop(&it);
    }
}

static void check_times(sst_stream *stream, int64_t start, int64_t end, uint32_t flags,
                        const int64_t *want, uint64_t count) {
    sst_view view;
    CHECK_INT(sst_window_ex(stream, start, end, flags, &view), SST_OK);
    CHECK_INT(view.count, count);
    if (view.count == count && count > 0) CHECK_BYTES(view.times, want, count * sizeof *want);
}

static void window_examples(void) {
    static const int64_t all[4] = {1000, 2000, 3000, 4000};
    static const int64_t carried[3] = {1500, 2000, 3000}, late[1] = {5000}, at_row[1] = {2000};
    static const int64_t between[1] = {2400};
    int where, i;
    for (where = 0; where < PLACES; where++) {
        sst_store *store = make_store(512);
        sst_stream *stream = make_stream(store, "x", SST_I32, 0);
        recording it;
        sst_view view;
        for (i = 0; i < 4; i++) CHECK_INT(sst_append_i32(stream, all[i], i), SST_OK);
        it = place_it(store, (place)where);
        stream = open_stream(it.store, "x");
        check_times(stream, 1500, 3500, 0, all + 1, 2);     /* 2000, 3000 */
        check_times(stream, 2000, 2000, 0, all + 1, 1);     /* 2000 */
        check_times(stream, 1000, 4000, 0, all, 4);         /* both ends included */
        check_times(stream, 0, 999, 0, NULL, 0);            /* before: empty, not an error */
        check_times(stream, 4001, 9000, 0, NULL, 0);        /* after */
        check_times(stream, 2001, 2999, 0, NULL, 0);        /* between */
        check_times(stream, INT64_MIN, INT64_MAX, 0, all, 4);

        check_times(stream, 1000, 4000, SST_HALF_OPEN, all, 3);
        check_times(stream, 2000, 2001, SST_HALF_OPEN, all + 1, 1);
        check_times(stream, 1500, 3500, SST_CARRY, carried, 3);
        check_times(stream, 1500, 4000, SST_CARRY | SST_HALF_OPEN, carried, 3);
        check_times(stream, 2000, 2500, SST_CARRY, at_row, 1);      /* a row is there: as it is */
        check_times(stream, 2400, 2600, SST_CARRY, between, 1);
        check_times(stream, 5000, 6000, SST_CARRY, late, 1);
        check_times(stream, 0, 999, SST_CARRY, NULL, 0);            /* nothing was in force */
        check_times(stream, 0, 1500, SST_CARRY, all, 1);
        CHECK_INT(sst_window_ex(stream, 1500, 3500, SST_CARRY, &view), SST_OK);
        CHECK_INT(view.first_row, 0);
        CHECK_INT(((const int32_t *)view.values)[0], 0);
        CHECK_INT(((const int32_t *)view.values)[2], 2);

        check_times(stream, 3000, 2000, 0, NULL, 0);                /* a > b is always empty */
        check_times(stream, 3000, 2000, SST_CARRY, NULL, 0);
        check_times(stream, 3000, 2000, SST_HALF_OPEN | SST_CARRY, NULL, 0);
        check_times(stream, INT64_MAX, INT64_MIN, SST_CARRY, NULL, 0);
        check_times(stream, 2000, 2000, SST_HALF_OPEN, NULL, 0);    /* half-open: a >= b */
        check_times(stream, 2000, 2000, SST_HALF_OPEN | SST_CARRY, NULL, 0);
        check_times(stream, 2500, 2500, SST_HALF_OPEN | SST_CARRY, NULL, 0);
        check_times(stream, 2400, 2400, SST_CARRY, between, 1);
        check_times(stream, 2400, 2400, 0, NULL, 0);
        drop(&it);
    }
}

/* An image-like stream: raw rows that are larger than a block go straight to one of their own. */
static void image_streams(void) {
    enum { HEIGHT = 48, WIDTH = 64, BYTES = HEIGHT * WIDTH * 3 };
    sst_store *store = make_store(512);
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    static unsigned char picture[BYTES];
    recording it;
    sst_view view;
    int i;
    memset(&desc, 0, sizeof desc);
    desc.name = "camera";
    desc.type = SST_U8;
    desc.shape[0] = HEIGHT;
    desc.shape[1] = WIDTH;
    desc.shape[2] = 3;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (i = 0; i < 10; i++) {
        memset(picture, i, sizeof picture);
        CHECK_INT(sst_append(stream, i * 33, picture), SST_OK);
    }
    it = place_it(store, IN_IMAGE);
    stream = open_stream(it.store, "camera");
    for (i = 0; i < 10; i++) {
        memset(picture, i, sizeof picture);
        CHECK_INT(sst_at(stream, i * 33 + 20, &view), SST_OK);
        CHECK_INT(view.times[0], i * 33);
        CHECK_BYTES(view.values, picture, sizeof picture);
        CHECK(view.stable);
    }
    CHECK_INT(sst_window(stream, 0, 1000, &view), SST_OK);
    CHECK_INT(view.count, 10);
    for (i = 0; i < (int)view.count; i++) {
        CHECK_INT(((const unsigned char *)view.values)[(size_t)i * BYTES + BYTES - 1], i);
    }
    drop(&it);
}

/* --- nearest, and times whose difference is not an int64 ---------------------------------- */

static void check_nearest(const int64_t *times, size_t count, int64_t time, int64_t want) {
    int where;
    for (where = 0; where < PLACES; where++) {
        sst_store *store = make_store(512);
        sst_stream *stream = make_stream(store, "x", SST_I32, 0);
        recording it;
        uint64_t row = 99;
        int64_t found = 99;
        int32_t value = 99;
        size_t i;
        for (i = 0; i < count; i++) {
            CHECK_INT(sst_append_i32(stream, times[i], (int32_t)i), SST_OK);
        }
        it = place_it(store, (place)where);
        stream = open_stream(it.store, "x");
        CHECK_INT(sst_locate(stream, time, SST_NEAREST, &row), SST_OK);
        CHECK_INT(row, want);
        CHECK_INT(sst_sample(stream, &time, 1, SST_SAMPLE_NEAREST, &value, &found), SST_OK);
        CHECK_INT(found, want);
        CHECK_INT(value, want);
        drop(&it);
    }
}

static void nearest_rows(void) {
    static const int64_t few[3] = {10, 20, 40}, ends[2] = {INT64_MIN, INT64_MAX};
    static const int64_t even[2] = {INT64_MIN, INT64_MAX - 1}, one[1] = {INT64_MAX};
    check_nearest(few, 3, INT64_MIN, 0);
    check_nearest(few, 3, 14, 0);
    check_nearest(few, 3, 15, 0);                   /* equally near: the earlier */
    check_nearest(few, 3, 16, 1);
    check_nearest(few, 3, 30, 1);
    check_nearest(few, 3, 31, 2);
    check_nearest(few, 3, INT64_MAX, 2);
    check_nearest(ends, 2, -1, 0);
    check_nearest(ends, 2, 0, 1);
    check_nearest(ends, 2, INT64_MIN, 0);
    check_nearest(ends, 2, INT64_MIN + 1, 0);
    check_nearest(ends, 2, INT64_MAX - 1, 1);
    check_nearest(ends, 2, INT64_MAX, 1);
    check_nearest(even, 2, -1, 0);                  /* 2^63 - 1 on both sides */
    check_nearest(even, 2, -2, 0);
    check_nearest(even, 2, 0, 1);
    check_nearest(one, 1, INT64_MIN, 0);
}

/* --- linear ------------------------------------------------------------------------------- */

typedef struct line {
    sst_type type;
    const void *rows;               /* three, at times 0, 10 and 20 */
    double exact[3];                /* the three as doubles */
    double slack;                   /* of what is between them */
} line;

static void check_line(const line *l) {
    static const int64_t times[9] = {25, 20, 15, 12, 10, 5, 0, -1, INT64_MAX};
    static const int64_t want_rows[9] = {2, 2, 1, 1, 1, 0, 0, -1, 2};
    static const unsigned char sizes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
    int where, i;
    for (where = 0; where < PLACES; where++) {
        sst_store *store = make_store(512);
        sst_stream *stream = make_stream(store, "x", l->type, 0);
        recording it;
        double out[9], want[9];
        int64_t found[9];
        want[0] = want[1] = want[8] = l->exact[2];
        want[2] = l->exact[1] + (l->exact[2] - l->exact[1]) * 0.5;
        want[3] = l->exact[1] + (l->exact[2] - l->exact[1]) * 0.2;
        want[4] = l->exact[1];
        want[5] = l->exact[0] + (l->exact[1] - l->exact[0]) * 0.5;
        want[6] = l->exact[0];
        want[7] = 0;
        for (i = 0; i < 3; i++) {
            CHECK_INT(sst_append(stream, i * 10,
                                 (const unsigned char *)l->rows + (size_t)i * sizes[l->type]),
                      SST_OK);
        }
        it = place_it(store, (place)where);
        stream = open_stream(it.store, "x");
        CHECK_INT(sst_sample(stream, times, 9, SST_SAMPLE_LINEAR, out, found), SST_OK);
        for (i = 0; i < 9; i++) {
            double off = out[i] - want[i];
            bool at_row = times[i] % 10 == 0 || i == 0 || i == 7 || i == 8;
            CHECK_INT(found[i], want_rows[i]);
            CHECK(at_row ? out[i] == want[i] : off <= l->slack && off >= -l->slack);
        }
        drop(&it);
    }
}

static void linear_on_every_type(void) {
    static const int8_t i8[3] = {-128, 127, 0};
    static const int16_t i16[3] = {INT16_MIN, INT16_MAX, -1};
    static const int32_t i32[3] = {INT32_MIN, INT32_MAX, 7};
    static const int64_t i64[3] = {INT64_MIN, INT64_MAX, ((int64_t)1 << 53) + 1};
    static const int64_t i64_near[3] = {((int64_t)1 << 62) + 1024, ((int64_t)1 << 62) + 3072, 5};
    static const uint8_t u8[3] = {0, 255, 100};
    static const uint16_t u16[3] = {0, 65535, 1};
    static const uint32_t u32[3] = {UINT32_MAX, 0, UINT32_MAX};
    static const uint64_t u64[3] = {UINT64_MAX, 0, ((uint64_t)1 << 63) + 2048};
    static const uint16_t f16[3] = {0x3C00, 0x7BFF, 0xB800};        /* 1, 65504, -0.5 */
    static const uint16_t f16_small[3] = {0x0001, 0x0400, 0x8001};  /* 2^-24, 2^-14, -2^-24 */
    static const uint16_t bf16[3] = {0x3F80, 0xC020, 0x7F7F};       /* 1, -2.5, the largest */
    static const uint16_t bf16_small[3] = {0x0001, 0x0080, 0x8000}; /* 2^-133, 2^-126, -0 */
    static const float f32[3] = {0.1f, -1.7e38f, 1e-40f};
    static const double f64[3] = {0.1, -1e300, 5e-324};
    static const line lines[] = {
        {SST_I8, i8, {-128, 127, 0}, 1e-12},
        {SST_I16, i16, {-32768, 32767, -1}, 1e-10},
        {SST_I32, i32, {-2147483648.0, 2147483647.0, 7}, 1e-5},
        {SST_I64, i64, {-9223372036854775808.0, 9223372036854775808.0, 9007199254740992.0}, 8192},
        {SST_I64, i64_near, {4611686018427388928.0, 4611686018427390976.0, 5}, 2048},
        {SST_U8, u8, {0, 255, 100}, 1e-12},
        {SST_U16, u16, {0, 65535, 1}, 1e-10},
        {SST_U32, u32, {4294967295.0, 0, 4294967295.0}, 1e-5},
        {SST_U64, u64, {18446744073709551616.0, 0, 9223372036854777856.0}, 8192},
        {SST_F16, f16, {1, 65504, -0.5}, 1e-9},
        {SST_F16, f16_small, {1.0 / 16777216, 1.0 / 16384, -1.0 / 16777216}, 1e-18},
        {SST_BF16, bf16, {1, -2.5, 3.38953138925153547590470800371487866880e38}, 1e24},
        {SST_BF16, bf16_small, {9.1835496157991211560057541970488e-41,
                                1.17549435082228750796873653722225e-38, -0.0}, 1e-52},
        {SST_F32, f32, {0.1f, -1.7e38f, 1e-40f}, 1e24},
        {SST_F64, f64, {0.1, -1e300, 5e-324}, 1e286},
    };
    size_t i;
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) check_line(&lines[i]);
}

static void linear_details(void) {
    sst_store *store = make_store(512);
    sst_stream *flag = make_stream(store, "flag", SST_BOOL, 0);
    sst_stream *far = make_stream(store, "far", SST_F32, 3);
    sst_stream *wild = make_stream(store, "wild", SST_F64, 0);
    int64_t base = ((int64_t)1 << 62) + 1, times[5];
    double out[15], infinite = 1e300 * 1e300;
    float row[3];
    int64_t found[5];
    int i;
    CHECK_INT(sst_append_bool(flag, 0, true), SST_OK);
    times[0] = 0;
    CHECK_INT(sst_sample(flag, times, 1, SST_SAMPLE_LINEAR, out, found), SST_ERR_TYPE);
    CHECK_INT(sst_sample(flag, times, 1, SST_SAMPLE_LINEAR, NULL, found), SST_ERR_TYPE);

    /* Differences of times are integers: near 2^62 doubles would be 512 apart. */
    for (i = 0; i < 100; i++) {
        row[0] = (float)i * 10;
        row[1] = (float)i * -100;
        row[2] = 5;
        CHECK_INT(sst_append(far, base + i * 10, row), SST_OK);
    }
    times[0] = base + 3;
    times[1] = base + 455;
    times[2] = base;
    times[3] = base - 1;
    times[4] = INT64_MAX;
    CHECK_INT(sst_sample(far, times, 5, SST_SAMPLE_LINEAR, out, found), SST_OK);
    for (i = 0; i < 5; i++) {
        static const double first[5] = {3, 455, 0, 0, 990};
        double a = out[3 * i] - first[i], b = out[3 * i + 1] + first[i] * 10;
        CHECK(a < 1e-9 && a > -1e-9);
        CHECK(b < 1e-8 && b > -1e-8);
        CHECK(out[3 * i + 2] == (i == 3 ? 0.0 : 5.0));
    }
    CHECK_INT(found[1], 45);
    CHECK_INT(found[3], -1);

    /* A row's own value is not touched by an infinite neighbour. */
    CHECK_INT(sst_append_f64(wild, INT64_MIN, 1), SST_OK);
    CHECK_INT(sst_append_f64(wild, 0, infinite), SST_OK);
    CHECK_INT(sst_append_f64(wild, 2, 4), SST_OK);
    CHECK_INT(sst_append_f64(wild, INT64_MAX, 8), SST_OK);
    times[0] = INT64_MIN;
    times[1] = -5;
    times[2] = 0;
    times[3] = 2;
    times[4] = INT64_MAX;
    CHECK_INT(sst_sample(wild, times, 5, SST_SAMPLE_LINEAR, out, NULL), SST_OK);
    CHECK(out[0] == 1);
    CHECK(out[1] == infinite);
    CHECK(out[2] == infinite);
    CHECK(out[3] == 4);
    CHECK(out[4] == 8);
    times[0] = INT64_MAX / 2 + 2;
    CHECK_INT(sst_sample(wild, times, 1, SST_SAMPLE_LINEAR, out, NULL), SST_OK);
    CHECK(out[0] > 5.999999 && out[0] < 6.000001);
    sst_close(store);
}

/* --- timelines ---------------------------------------------------------------------------- */

enum { CLOCK_ROWS = 330 };

/* Timeline 0 never decreases and repeats times, 1 decreases in between, 2 counts down over one
 * edge, 3 only grows. */
static int64_t clock_time(int timeline, int i, int capacity) {
    switch (timeline) {
    case 0: return i / 5 * 100 - 2000;
    case 1: return i == 200 ? 5 : i * 2;
    case 2: return i % capacity;
    default: return (int64_t)i * i + 7;
    }
}

static sst_store *record_clocks(place where, int capacity) {
    sst_store *store = make_store(512);
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    int i, k;
    memset(&desc, 0, sizeof desc);
    desc.name = "x";
    desc.type = SST_I32;
    desc.timelines[0] = "repeats";
    desc.timelines[1] = "unsorted";
    desc.timelines[2] = "wraps";
    desc.timelines[3] = "grows";
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (i = 0; i < CLOCK_ROWS; i++) {
        int64_t clocks[4];
        int32_t value = i;
        sst_row row;
        for (k = 0; k < 4; k++) clocks[k] = clock_time(k, i, capacity);
        memset(&row, 0, sizeof row);
        row.time = i * 10;
        row.timelines = clocks;
        row.value = &value;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
        if (where == IN_SMALL_BLOCKS && i % 13 == 7) CHECK_INT(sst_flush(store), SST_OK);
    }
    return store;
}

static void check_clock_view(const sst_view *view, int first, int count, int capacity,
                             const int64_t *start, int timeline) {
    int i, k;
    CHECK_INT(view->count, count);
    if (view->count != (uint64_t)count || count == 0) return;
    CHECK_INT(view->first_row, first);
    for (k = 0; k < 4; k++) REQUIRE(view->timelines[k] != NULL);
    for (i = 0; i < count; i++) {
        CHECK_INT(view->times[i], (first + i) * 10);
        CHECK_INT(((const int32_t *)view->values)[i], first + i);
        for (k = 0; k < 4; k++) {
            bool carried = i == 0 && start != NULL && k == timeline;
            CHECK_INT(view->timelines[k][i],
                      carried ? *start : clock_time(k, first + i, capacity));
        }
    }
}

/* What locate and window have to say on a sorted timeline, by counting. */
static void check_clock(sst_stream *stream, int timeline, int64_t time, int capacity) {
    int below = 0, upto = 0, i, near;
    uint64_t row = 12345;
    sst_view view;
    for (i = 0; i < CLOCK_ROWS; i++) {
        below += clock_time(timeline, i, capacity) < time;
        upto += clock_time(timeline, i, capacity) <= time;
    }
    CHECK_INT(sst_locate_on(stream, (uint32_t)timeline, time, SST_AT_OR_BEFORE, &row),
              upto > 0 ? SST_OK : SST_ERR_NOT_FOUND);
    CHECK_INT(row, upto > 0 ? upto - 1 : 12345);
    row = 12345;
    CHECK_INT(sst_locate_on(stream, (uint32_t)timeline, time, SST_AT_OR_AFTER, &row),
              below < CLOCK_ROWS ? SST_OK : SST_ERR_NOT_FOUND);
    CHECK_INT(row, below < CLOCK_ROWS ? below : 12345);
    row = 12345;
    CHECK_INT(sst_locate_on(stream, (uint32_t)timeline, time, SST_EXACT, &row),
              upto > below ? SST_OK : SST_ERR_NOT_FOUND);
    CHECK_INT(row, upto > below ? upto - 1 : 12345);

    near = upto == 0 ? 0 : upto - 1;                /* of rows with one time any will do */
    if (upto > 0 && upto < CLOCK_ROWS &&
        (uint64_t)clock_time(timeline, upto, capacity) - (uint64_t)time <
        (uint64_t)time - (uint64_t)clock_time(timeline, upto - 1, capacity)) {
        near = upto;
    }
    CHECK_INT(sst_locate_on(stream, (uint32_t)timeline, time, SST_NEAREST, &row), SST_OK);
    CHECK_INT(clock_time(timeline, (int)row, capacity), clock_time(timeline, near, capacity));

    CHECK_INT(sst_window_on(stream, (uint32_t)timeline, time, time, 0, &view), SST_OK);
    check_clock_view(&view, below, upto - below, capacity, NULL, timeline);
    CHECK_INT(sst_window_on(stream, (uint32_t)timeline, time, INT64_MAX, 0, &view), SST_OK);
    check_clock_view(&view, below, CLOCK_ROWS - below, capacity, NULL, timeline);
    CHECK_INT(sst_window_on(stream, (uint32_t)timeline, INT64_MIN, time, 0, &view), SST_OK);
    check_clock_view(&view, 0, upto, capacity, NULL, timeline);
    CHECK_INT(sst_window_on(stream, (uint32_t)timeline, INT64_MIN, time, SST_HALF_OPEN, &view),
              SST_OK);
    check_clock_view(&view, 0, below, capacity, NULL, timeline);
    if (time > INT64_MIN) {
        CHECK_INT(sst_window_on(stream, (uint32_t)timeline, time, time - 1, SST_CARRY, &view),
                  SST_OK);
        CHECK_INT(view.count, 0);
    }
    if (below < upto) {                             /* rows are there: nothing is carried */
        CHECK_INT(sst_window_on(stream, (uint32_t)timeline, time, INT64_MAX, SST_CARRY, &view),
                  SST_OK);
        check_clock_view(&view, below, CLOCK_ROWS - below, capacity, NULL, timeline);
    }
    if (below == upto && below > 0) {               /* something to carry: no row is there */
        CHECK_INT(sst_window_on(stream, (uint32_t)timeline, time, INT64_MAX, SST_CARRY, &view),
                  SST_OK);
        check_clock_view(&view, below - 1, CLOCK_ROWS - below + 1, capacity, &time, timeline);
        CHECK_INT(sst_window_on(stream, (uint32_t)timeline, time, time, SST_CARRY, &view), SST_OK);
        check_clock_view(&view, below - 1, 1, capacity, &time, timeline);
    }
}

static void timelines(void) {
    sst_store *store = record_clocks(IN_IMAGE, 1000);
    recording it = place_it(store, IN_IMAGE);
    int capacity = it.image != NULL ? (int)first_block_rows(it.image, it.size) : 0, where, i;
    drop(&it);
    REQUIRE(capacity > 0 && capacity * 4 < CLOCK_ROWS);
    for (where = 0; where < PLACES; where++) {
        sst_stream *stream;
        sst_view view;
        uint64_t row = 5;
        it = place_it(record_clocks((place)where, capacity), (place)where);
        stream = open_stream(it.store, "x");
        for (i = -2; i < CLOCK_ROWS + 2; i++) {
            check_clock(stream, 0, i * 20 - 2000, capacity);
            check_clock(stream, 0, i * 20 - 1999, capacity);
            check_clock(stream, 3, (int64_t)i * i + 7, capacity);
            check_clock(stream, 3, (int64_t)i * i + 8, capacity);
        }
        check_clock(stream, 0, INT64_MIN, capacity);
        check_clock(stream, 0, INT64_MAX, capacity);
        for (i = 1; i <= 2; i++) {
            uint32_t k = (uint32_t)i;
            CHECK_INT(sst_locate_on(stream, k, 5, SST_NEAREST, &row), SST_ERR_ORDER);
            CHECK_INT(row, 5);
            CHECK_INT(sst_locate_on(stream, k, 5, SST_EXACT, &row), SST_ERR_ORDER);
            CHECK_INT(sst_window_on(stream, k, 0, 10, 0, &view), SST_ERR_ORDER);
        }
        CHECK_INT(sst_locate_on(stream, 4, 5, SST_NEAREST, &row), SST_ERR_ARG);
        CHECK_INT(sst_locate_on(stream, UINT32_MAX, 5, SST_NEAREST, &row), SST_ERR_ARG);
        CHECK_INT(sst_window_on(stream, 4, 0, 10, 0, &view), SST_ERR_ARG);
        CHECK_INT(sst_window_on(stream, 0, 0, 10, FOREIGN_BIT, &view), SST_ERR_ARG);
        CHECK_INT(sst_window_on(stream, 0, 0, 10, SST_REPLACE, &view), SST_ERR_ARG);
        CHECK_INT(sst_window_on(stream, 0, 0, 10, 0, NULL), SST_ERR_ARG);
        CHECK_INT(sst_window_on(NULL, 0, 0, 10, 0, &view), SST_ERR_ARG);
        CHECK_INT(sst_locate_on(NULL, 0, 0, SST_EXACT, &row), SST_ERR_ARG);
        CHECK_INT(sst_locate_on(stream, 0, 0, SST_EXACT, NULL), SST_ERR_ARG);
        CHECK_INT(sst_locate_on(stream, 0, 0, (sst_match)4, &row), SST_ERR_ARG);
        CHECK_INT(row, 5);
        drop(&it);
    }
}

/* Sorted until it is not; and what is empty or has one row is sorted. */
static void a_timeline_stops_being_sorted(void) {
    int at;
    for (at = 1; at < 120; at += 7) {
        sst_store *store = make_store(512);
        sst_stream *stream = NULL;
        sst_stream_desc desc;
        recording it;
        uint64_t row = 0;
        int64_t clock = 0;
        int32_t value = 0;
        sst_row r;
        sst_view view;
        int i;
        memset(&desc, 0, sizeof desc);
        memset(&r, 0, sizeof r);
        desc.name = "x";
        desc.type = SST_I32;
        desc.timelines[0] = "clock";
        CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
        CHECK_INT(sst_locate_on(stream, 0, 5, SST_NEAREST, &row), SST_ERR_NOT_FOUND);
        CHECK_INT(sst_window_on(stream, 0, 5, 9, SST_CARRY, &view), SST_OK);
        CHECK_INT(view.count, 0);
        CHECK(view.timelines[0] != NULL);
        r.timelines = &clock;
        r.value = &value;
        for (i = 0; i < at; i++) {
            r.time = i;
            clock = i - 50;
            CHECK_INT(sst_append_row(stream, &r), SST_OK);
            if (i % 29 == 5) CHECK_INT(sst_flush(store), SST_OK);
        }
        CHECK_INT(sst_locate_on(stream, 0, at - 51, SST_EXACT, &row), SST_OK);
        CHECK_INT(row, at - 1);
        r.time = at;
        clock = at - 52;
        CHECK_INT(sst_append_row(stream, &r), SST_OK);
        CHECK_INT(sst_locate_on(stream, 0, at - 51, SST_EXACT, &row), SST_ERR_ORDER);
        CHECK_INT(sst_window(stream, 0, 1000, &view), SST_OK);
        CHECK_INT(view.count, at + 1);
        for (i = 0; i < 50; i++) {                  /* and it stays so */
            r.time = at + 1 + i;
            clock = 1000 + i;
            CHECK_INT(sst_append_row(stream, &r), SST_OK);
        }
        CHECK_INT(sst_window_on(stream, 0, 0, 1, 0, &view), SST_ERR_ORDER);
        it = place_it(store, at % 2 == 0 ? IN_IMAGE : IN_CUT_IMAGE);
        stream = open_stream(it.store, "x");
        CHECK_INT(sst_window_on(stream, 0, 0, 1, 0, &view), SST_ERR_ORDER);
        CHECK_INT(sst_locate_on(stream, 0, 5, SST_AT_OR_BEFORE, &row), SST_ERR_ORDER);
        drop(&it);
    }
}

static void no_timelines(void) {
    sst_store *store = make_store(512);
    sst_stream *stream = make_stream(store, "x", SST_I32, 0);
    uint64_t row;
    sst_view view;
    CHECK_INT(sst_append_i32(stream, 1, 1), SST_OK);
    CHECK_INT(sst_locate_on(stream, 0, 1, SST_EXACT, &row), SST_ERR_ARG);
    CHECK_INT(sst_window_on(stream, 0, 0, 5, 0, &view), SST_ERR_ARG);
    sst_close(store);
}

/* --- views -------------------------------------------------------------------------------- */

static bool inside(const void *p, size_t size, const recording *it) {
    uintptr_t at = (uintptr_t)p, start = (uintptr_t)it->image;
    return at >= start && at + size <= start + it->size;
}

/* In an aligned image a view of one block points into it, and stays right whatever is asked. */
static void stable_views(void) {
    enum { ROWS = 1000, VIEWS = 40 };
    sst_store *store = make_store(512);
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    recording it;
    sst_view views[VIEWS], view;
    size_t capacity;
    int i, k, stable = 0;
    memset(&desc, 0, sizeof desc);
    desc.name = "x";
    desc.type = SST_I64;
    desc.timelines[0] = "clock";
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (i = 0; i < ROWS; i++) {
        int64_t clock = 3 * i, value = -i;
        sst_row row;
        memset(&row, 0, sizeof row);
        row.time = i;
        row.timelines = &clock;
        row.value = &value;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
    }
    it = place_it(store, IN_IMAGE);
    stream = open_stream(it.store, "x");
    REQUIRE(it.image != NULL);
    capacity = first_block_rows(it.image, it.size);
    REQUIRE(capacity >= 4 && capacity < 100);
    for (i = 0; i < VIEWS; i++) {
        int64_t first = i * 25, last = first + i % 20;
        CHECK_INT(sst_window(stream, first, last, &views[i]), SST_OK);
        if (first / (int64_t)capacity == last / (int64_t)capacity) CHECK(views[i].stable);
        if (first / (int64_t)capacity != last / (int64_t)capacity) CHECK(!views[i].stable);
    }
    for (i = 0; i < ROWS; i++) {                    /* other queries on the same handle */
        int64_t row = i, value = 0;
        CHECK_INT(sst_at(stream, i, &view), SST_OK);
        CHECK(view.stable);
        CHECK_INT(sst_window(stream, i, i + 200, &view), SST_OK);
        CHECK_INT(sst_gather(stream, &row, 1, &value, NULL), SST_OK);
        CHECK_INT(value, -i);
    }
    for (i = 0; i < VIEWS; i++) {
        if (!views[i].stable) continue;
        stable++;
        CHECK(inside(views[i].times, 8 * views[i].count, &it));
        CHECK(inside(views[i].values, 8 * views[i].count, &it));
        CHECK(inside(views[i].timelines[0], 8 * views[i].count, &it));
        CHECK_INT(views[i].count, i % 20 + 1);
        for (k = 0; k < i % 20 + 1; k++) {
            CHECK_INT(views[i].times[k], i * 25 + k);
            CHECK_INT(((const int64_t *)views[i].values)[k], -(i * 25 + k));
            CHECK_INT(views[i].timelines[0][k], 3 * (i * 25 + k));
        }
    }
    CHECK(stable > VIEWS / 4);
    sst_stream_close(stream);                       /* valid until sst_close, not until here */
    CHECK_INT(views[0].times[0], 0);
    drop(&it);
}

/* A view of sealed rows of a store that goes on recording. */
static void stable_views_of_a_growing_store(void) {
    sst_store *store = make_store(512);
    sst_stream *stream = make_stream(store, "x", SST_I64, 0), *other;
    const void *bytes;
    size_t size;
    sst_view views[10];
    int i, k, stable = 0;
    for (i = 0; i < 10; i++) {
        for (k = 0; k < 5; k++) CHECK_INT(sst_append_i64(stream, i * 5 + k, i), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    for (i = 0; i < 10; i++) {
        CHECK_INT(sst_slice(stream, (uint64_t)i * 5, 5, &views[i]), SST_OK);
    }
    for (i = 50; i < 30000; i++) CHECK_INT(sst_append_i64(stream, i, i), SST_OK);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    other = make_stream(store, "other", SST_I64, 0);
    for (i = 0; i < 3000; i++) CHECK_INT(sst_append_i64(other, i, i), SST_OK);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    sst_stream_close(stream);
    for (i = 0; i < 10; i++) {
        if (!views[i].stable) continue;
        stable++;
        CHECK_INT(views[i].count, 5);
        for (k = 0; k < 5; k++) {
            CHECK_INT(views[i].times[k], i * 5 + k);
            CHECK_INT(((const int64_t *)views[i].values)[k], i);
        }
    }
    CHECK(stable >= 8);                             /* the tail may have been full in between */
    sst_close(store);
}

/* What was assembled is good until the next query on the handle: other handles and appending do
 * not touch it. */
static void unstable_views(void) {
    sst_store *store = make_store(512);
    sst_stream *stream = make_stream(store, "x", SST_I64, 0), *second = open_stream(store, "x");
    sst_view tail, crossing, view;
    int64_t i;
    for (i = 0; i < 200; i++) CHECK_INT(sst_append_i64(stream, i, -i), SST_OK);
    CHECK_INT(sst_slice(stream, 0, 200, &crossing), SST_OK);
    CHECK_INT(sst_slice(second, 199, 1, &tail), SST_OK);
    CHECK(!crossing.stable);
    for (; i < 500; i++) CHECK_INT(sst_append_i64(stream, i, -i), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    for (i = 0; i < 200; i++) {
        CHECK_INT(crossing.times[i], i);
        CHECK_INT(((const int64_t *)crossing.values)[i], -i);
    }
    CHECK_INT(tail.times[0], 199);
    CHECK_INT(((const int64_t *)tail.values)[0], -199);
    CHECK_INT(crossing.columns[0].values == crossing.values, 1);
    CHECK_INT(sst_slice(stream, 0, 500, &view), SST_OK);
    CHECK_INT(view.count, 500);
    CHECK_INT(tail.times[0], 199);                  /* the other handle's */
    sst_close(store);
}

/* A sealed time column is read, a tail is copied: both while rows come one by one. */
static void queries_while_it_grows(void) {
    sst_store *store = make_store(512);
    sst_stream *stream = make_stream(store, "x", SST_I64, 0), *second = open_stream(store, "x");
    int64_t i;
    for (i = 0; i < 1000; i++) {
        sst_stream *asked = i % 2 == 0 ? stream : second;
        sst_view view;
        uint64_t row = 0;
        int64_t back = i < 70 ? i : 70, time = i * 4 + 1, found = 0, value = 0;
        CHECK_INT(sst_append_i64(stream, i * 4, i * i), SST_OK);
        CHECK_INT(sst_at(asked, INT64_MAX, &view), SST_OK);
        CHECK_INT(view.first_row, i);
        CHECK_INT(*(const int64_t *)view.values, i * i);
        CHECK_INT(sst_window(asked, (i - back) * 4, i * 4, &view), SST_OK);
        CHECK_INT(view.count, back + 1);
        CHECK_INT(view.times[0], (i - back) * 4);
        CHECK_INT(((const int64_t *)view.values)[back], i * i);
        CHECK_INT(sst_locate(asked, i * 2, SST_AT_OR_AFTER, &row), SST_OK);
        CHECK_INT(row, (i + 1) / 2);
        CHECK_INT(sst_sample(asked, &time, 1, SST_SAMPLE_PREVIOUS, &value, &found), SST_OK);
        CHECK_INT(found, i);
        CHECK_INT(value, i * i);
    }
    sst_close(store);
}

/* --- arguments ---------------------------------------------------------------------------- */

static void arguments(void) {
    static const uint32_t foreign[] = {FOREIGN_BIT, 0x40000000u, SST_ROW_REMOVED, SST_NO_REPLACE,
                                       SST_IO_READ, SST_REPLACE, SST_RAGGED, SST_OPEN_EXISTING};
    sst_store *store = make_store(512);
    sst_stream *s = make_stream(store, "x", SST_I64, 0);
    int64_t time = 1, row = 0, value = 0;
    uint64_t number = 7;
    sst_view view;
    size_t i;
    CHECK_INT(sst_append_i64(s, 1, 1), SST_OK);
    for (i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        CHECK_INT(sst_window_ex(s, 0, 5, foreign[i], &view), SST_ERR_ARG);
        CHECK_INT(sst_window_ex(s, 0, 5, foreign[i] | SST_CARRY, &view), SST_ERR_ARG);
    }
    CHECK_INT(sst_locate(NULL, 1, SST_EXACT, &number), SST_ERR_ARG);
    CHECK_INT(sst_locate(s, 1, SST_EXACT, NULL), SST_ERR_ARG);
    CHECK_INT(sst_locate(s, 1, (sst_match)4, &number), SST_ERR_ARG);
    CHECK_INT(sst_locate(s, 1, (sst_match)1000, &number), SST_ERR_ARG);
    CHECK_INT(number, 7);
    CHECK_INT(sst_at(NULL, 1, &view), SST_ERR_ARG);
    CHECK_INT(sst_at(s, 1, NULL), SST_ERR_ARG);
    CHECK_INT(sst_window(NULL, 0, 5, &view), SST_ERR_ARG);
    CHECK_INT(sst_window(s, 0, 5, NULL), SST_ERR_ARG);
    CHECK_INT(sst_window_ex(NULL, 0, 5, 0, &view), SST_ERR_ARG);
    CHECK_INT(sst_window_ex(s, 0, 5, 0, NULL), SST_ERR_ARG);
    CHECK_INT(sst_slice(NULL, 0, 5, &view), SST_ERR_ARG);
    CHECK_INT(sst_slice(s, 0, 5, NULL), SST_ERR_ARG);
    CHECK_INT(sst_sample(NULL, &time, 1, SST_SAMPLE_PREVIOUS, &value, &row), SST_ERR_ARG);
    CHECK_INT(sst_sample(s, NULL, 1, SST_SAMPLE_PREVIOUS, &value, &row), SST_ERR_ARG);
    CHECK_INT(sst_sample(s, &time, 1, (sst_sampling)4, &value, &row), SST_ERR_ARG);
    CHECK_INT(sst_gather(NULL, &row, 1, &value, &time), SST_ERR_ARG);
    CHECK_INT(sst_gather(s, NULL, 1, &value, &time), SST_ERR_ARG);
    CHECK_INT(value, 0);
    CHECK_INT(row, 0);
    sst_close(store);
}

/* Queries change nothing: a store answers the same, and its image is the same, however often. */
static void queries_change_nothing(void) {
    static plain r;
    sst_store *a, *b;
    sst_stream *stream;
    const void *image[2] = {NULL, NULL};
    size_t size[2] = {0, 0};
    static points p;
    make_rows(&r, 0, 50);
    make_points(&p, &r, 32);
    a = record_rows(&r, IN_TAIL);
    b = record_rows(&r, IN_TAIL);
    stream = open_stream(b, "x");
    check_locate(stream, &r, &p);
    check_windows(stream, &r, &p);
    check_sampling(stream, &r, &p);
    CHECK_INT(sst_image(a, &image[0], &size[0]), SST_OK);
    CHECK_INT(sst_image(b, &image[1], &size[1]), SST_OK);
    CHECK_INT(size[1], size[0]);
    if (size[0] == size[1]) CHECK_BYTES(image[1], image[0], size[0]);
    sst_close(a);
    sst_close(b);
}

int main(void) {
    TEST_RUN(every_query_everywhere);
    TEST_RUN(at_examples);
    TEST_RUN(window_examples);
    TEST_RUN(image_streams);
    TEST_RUN(nearest_rows);
    TEST_RUN(linear_on_every_type);
    TEST_RUN(linear_details);
    TEST_RUN(timelines);
    TEST_RUN(a_timeline_stops_being_sorted);
    TEST_RUN(no_timelines);
    TEST_RUN(stable_views);
    TEST_RUN(stable_views_of_a_growing_store);
    TEST_RUN(unstable_views);
    TEST_RUN(queries_while_it_grows);
    TEST_RUN(arguments);
    TEST_RUN(queries_change_nothing);
    return test_done("query");
}
