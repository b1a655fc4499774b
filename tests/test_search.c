/* test_search.c - searching: the quick ways, and what they fall back on, against plain arrays. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include "test.h"
#include "scratch.h"
#include "mend.h"

/* --- rows ---------------------------------------------------------------------------------- */

enum { F64, F32, F64X8, U8X3, KINDS };

typedef struct element {
    sst_type type;
    uint32_t width, items;          /* shape[0], numbers in a row */
    size_t bytes;                   /* of a row's value */
} element;

static const element elements[KINDS] = {
    {SST_F64, 0, 1, 8}, {SST_F32, 0, 1, 4}, {SST_F64, 8, 8, 64}, {SST_U8, 3, 3, 3}};

enum {
    REGULAR, STEP_ONE, JITTERED, GAPPY, POISSON, FIRST_OUT, LAST_OUT, BURSTS, NEGATIVE, EXTREMES,
    WHOLE_RANGE, HALF_DENSE, DOUBLING, PATTERNS
};

static int64_t first_time(int pattern) {
    switch (pattern) {
    case BURSTS: return -5000;
    case NEGATIVE: return -1000000000000000000;
    case EXTREMES:
    case WHOLE_RANGE: return INT64_MIN;
    default: return 0;
    }
}

/* Numbers of every size. */
static uint64_t any_size(uint64_t *random, uint64_t least_shift) {
    uint64_t shift = least_shift + test_below(random, 64 - least_shift);
    return test_random(random) >> shift;
}

/* From row i - 1 to row i of n. */
static uint64_t time_step(int pattern, size_t i, size_t n, uint64_t *random) {
    switch (pattern) {
    case STEP_ONE: return 1;
    case JITTERED: return 900 + test_below(random, 200);
    case GAPPY: return test_below(random, 500) == 0 ? 1024ull << test_below(random, 40) : 10;
    case POISSON: return 1 + any_size(random, 34);
    case FIRST_OUT: return i == 1 ? 1700000000000000000u : 1000000;
    case LAST_OUT: return i == n - 1 ? 1700000000000000000u : 1000000;
    case BURSTS:
        return test_below(random, 2000) == 0 ? 1ull << (20 + test_below(random, 33))
                                             : 1 + test_below(random, 3);
    case NEGATIVE: return 1 + test_below(random, 2000);
    case EXTREMES: return i == 1 ? ((uint64_t)1 << 63) - 1000 * n : 1 + test_below(random, 1000);
    case WHOLE_RANGE: return UINT64_MAX / n;
    case HALF_DENSE: return i < n / 2 ? 1 : (uint64_t)1 << 40;
    default: return 1000;
    }
}

static void make_times(int pattern, uint64_t *random, int64_t *times, size_t n) {
    uint64_t time = (uint64_t)first_time(pattern);
    size_t i;
    for (i = 0; i < n; i++) {
        if (i != 0) time += time_step(pattern, i, n, random);
        times[i] = (int64_t)time;
        if (pattern == DOUBLING) times[i] = (int64_t)(i + ((uint64_t)1 << (62 * i / n)));
    }
    if (pattern == EXTREMES && n > 2) times[n - 1] = INT64_MAX;
    for (i = 1; i < n; i++) {
        if (times[i] <= times[i - 1]) break;
    }
    CHECK(n == 0 || i == n);
}

static void make_values(const element *of, uint64_t *random, uint8_t *to, size_t n) {
    size_t i;
    for (i = 0; i < n * of->items; i++) {
        double d = ((double)test_below(random, 2000001) - 1e6) / 64;
        float f = (float)d;
        uint8_t u = (uint8_t)test_random(random);
        if (of->type == SST_F64) memcpy(to + i * 8, &d, 8);
        else if (of->type == SST_F32) memcpy(to + i * 4, &f, 4);
        else to[i] = u;
    }
}

/* --- where they are ------------------------------------------------------------------------ */

enum { SMALL_BLOCKS, RAGGED_BLOCKS, LARGE_BLOCKS, ONE_BLOCK, LAYOUTS };

enum {
    IN_MEMORY,          /* being written, the last rows in the tail */
    IN_GROWING_FILE,    /* the same in a file */
    IN_IMAGE,
    IN_ODD_IMAGE,       /* at an odd address */
    IN_FILE,            /* mapped */
    IN_UNMAPPED_FILE,
    IN_VERIFIED_FILE,
    IN_TRUSTED_IMAGE,   /* no checksums of columns */
    PLACES
};

typedef struct config {
    int pattern, layout, place, kind;
    size_t rows;
    uint64_t seed;
} config;

enum { LOST = 1, BAD_TIME = 2, BAD_VALUE = 4, BEGINS = 8 };     /* a row; the last: its block */

typedef struct recording {
    config made;
    element of;
    size_t count;                   /* rows there are now */
    int64_t *times;
    uint8_t *values, *state;
    bool damaged;                   /* some rows are LOST or BAD */
    sst_store *writer, *store;      /* the one to ask; the same for stores being written */
    sst_stream *appender, *stream;
    unsigned char *memory;
    unsigned char *image;           /* inside memory */
    size_t size;
    char path[512];
} recording;

static sst_options options_of(uint32_t flags, size_t block_bytes) {
    sst_options options = scratch_options(11);
    options.flags = flags;
    options.block_bytes = (uint32_t)block_bytes;
    return options;
}

static size_t block_bytes_of(const recording *r) {
    if (r->made.layout == SMALL_BLOCKS) return 512;
    if (r->made.layout == RAGGED_BLOCKS) return 4096;
    return 20000 * (8 + r->of.bytes);
}

/* Appends rows up to `end`. */
static void append_up_to(recording *r, size_t end) {
    uint64_t random = r->made.seed ^ end;
    while (r->count < end) {
        size_t n = end - r->count;
        if (r->made.layout == RAGGED_BLOCKS && n > 1) {
            size_t most = (size_t)1 << test_below(&random, 9);
            n = 1 + (size_t)test_below(&random, most < n - 1 ? most : n - 1);
        }
        CHECK_INT(sst_append_rows(r->appender, r->times + r->count,
                                  r->values + r->count * r->of.bytes, n), SST_OK);
        r->count += n;
        if (r->made.layout == RAGGED_BLOCKS && r->count < end) {
            CHECK_INT(sst_flush(r->writer), SST_OK);
        }
    }
}

/* Notes which rows begin blocks. */
static void mark_blocks(recording *r) {
    const ssti_list *list = r->stream->series->list;
    uint32_t i;
    for (i = 0; i < list->count; i++) {
        uint64_t row = ssti_list_at(list, i)->first_row;
        if (row < r->count) r->state[row] |= BEGINS;
    }
}

static void open_stream(recording *r) {
    r->stream = NULL;
    CHECK_INT(sst_stream_open(r->store, "x", &r->stream), SST_OK);
    mark_blocks(r);
}

/* A store with nothing in it, and the rows that it will have. */
static recording begin_recording(const config *c) {
    recording r;
    uint64_t random = c->seed;
    bool file = c->place == IN_GROWING_FILE;
    sst_options options;
    sst_stream_desc desc;
    memset(&r, 0, sizeof r);
    r.made = *c;
    r.of = elements[c->kind];
    r.times = (int64_t *)take(c->rows * 8);
    r.values = (uint8_t *)take(c->rows * r.of.bytes);
    r.state = (uint8_t *)take(c->rows);
    memset(r.state, 0, c->rows);
    make_times(c->pattern, &random, r.times, c->rows);
    make_values(&r.of, &random, r.values, c->rows);
    options = options_of(0, block_bytes_of(&r));
    if (file) {
        make_path(r.path, sizeof r.path);
        options.flags = SST_REPLACE | SST_NO_SYNC | SST_NO_LIVE;
        if (c->seed % 4 == 0) options.flags |= SST_NO_MAP;
    }
    CHECK_INT(sst_create(file ? r.path : NULL, &options, &r.writer), SST_OK);
    memset(&desc, 0, sizeof desc);
    desc.name = "x";
    desc.type = r.of.type;
    desc.shape[0] = r.of.width;
    CHECK_INT(sst_stream_create(r.writer, &desc, &r.appender), SST_OK);
    r.store = r.writer;
    open_stream(&r);
    return r;
}

static void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL);
    CHECK(fwrite(bytes, 1, size, file) == size);
    CHECK_INT(fclose(file), 0);
}

/* Reads the file into memory of just its size. */
static void read_image(recording *r, const char *path, size_t odd) {
    FILE *file = fopen(path, "rb");
    long size;
    REQUIRE(file != NULL);
    CHECK_INT(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    CHECK(size > 0);
    rewind(file);
    r->size = (size_t)size;
    r->memory = (unsigned char *)take(r->size + odd);
    r->image = r->memory + odd;
    CHECK(fread(r->image, 1, r->size, file) == r->size);
    CHECK_INT(fclose(file), 0);
}

/* The whole recording as the bytes of a file that was closed, where it is wanted. */
static void take_image(recording *r) {
    size_t odd = r->made.place == IN_ODD_IMAGE;
    const void *bytes = NULL;
    char path[512];
    if (r->made.layout == ONE_BLOCK) {
        sst_options options = options_of(SST_SINGLE_BLOCK | SST_REPLACE, 0);
        make_path(path, sizeof path);
        CHECK_INT(sst_compact(r->writer, path, &options), SST_OK);
        read_image(r, path, odd);
        CHECK_INT(remove(path), 0);
        return;
    }
    CHECK_INT(sst_image(r->writer, &bytes, &r->size), SST_OK);
    r->memory = (unsigned char *)take(r->size + odd);
    r->image = r->memory + odd;
    if (bytes != NULL) memcpy(r->image, bytes, r->size);
}

/* Opens the image, as it is now, in the place where it is wanted. */
static void open_image(recording *r) {
    sst_options options = options_of(0, 0);
    int place = r->made.place;
    if (place == IN_FILE || place == IN_UNMAPPED_FILE || place == IN_VERIFIED_FILE) {
        options.flags = place == IN_UNMAPPED_FILE ? SST_NO_MAP
                        : place == IN_VERIFIED_FILE ? SST_VERIFY : 0;
        make_path(r->path, sizeof r->path);
        write_file(r->path, r->image, r->size);
        CHECK_INT(sst_open(r->path, &options, &r->store), SST_OK);
        CHECK_INT(remove(r->path), 0);
        r->path[0] = 0;
    } else {
        options.flags = place == IN_TRUSTED_IMAGE ? SST_TRUST : 0;
        CHECK_INT(sst_open_memory(r->image, r->size, &options, &r->store), SST_OK);
    }
    open_stream(r);
}

/* All rows, in their place, not yet asked for. Stores being written get the last rows in a tail. */
static recording make_recording(const config *c) {
    recording r = begin_recording(c);
    append_up_to(&r, c->rows - c->rows / 40);
    CHECK_INT(sst_flush(r.writer), SST_OK);
    append_up_to(&r, c->rows);
    if (c->place == IN_MEMORY || c->place == IN_GROWING_FILE) {
        mark_blocks(&r);
    } else {
        take_image(&r);
        open_image(&r);
    }
    return r;
}

static void drop_recording(recording *r) {
    if (test_errors != 0) {
        printf("pattern %d, layout %d, place %d, kind %d, rows %llu, seed %llu\n",
               r->made.pattern, r->made.layout, r->made.place, r->made.kind,
               (unsigned long long)r->made.rows, (unsigned long long)r->made.seed);
    }
    if (r->store != r->writer) CHECK_INT(sst_close(r->store), SST_OK);
    CHECK_INT(sst_close(r->writer), SST_OK);
    if (r->path[0] != 0) CHECK_INT(remove(r->path), 0);
    free(r->memory);
    free(r->times);
    free(r->values);
    free(r->state);
}

static ssti_look look_at(const recording *r) {
    ssti_look k;
    CHECK_INT(ssti_look_stream(&k, r->stream), SST_OK);
    return k;
}

/* --- what is right ------------------------------------------------------------------------- */

static bool has(const recording *r, size_t row, int what) {
    return (r->state[row] & what) != 0;
}

/* Is it unknown how many rows, n in truth, are at or before a time? Within a block that is told by
 * its times. Where rows were lost it is known at the row before, and just before the row after. */
static bool unknown_rank(const recording *r, int64_t time, size_t n) {
    size_t start = n, end = n;
    if (n > 0 && n < r->count && !has(r, n, BEGINS) && has(r, n - 1, BAD_TIME)) return true;
    if (!(n > 0 && has(r, n - 1, LOST)) && !(n < r->count && has(r, n, LOST))) return false;
    while (start > 0 && has(r, start - 1, LOST)) start--;
    while (end < r->count && has(r, end, LOST)) end++;
    if (start > 0 && time == r->times[start - 1]) return false;
    return !(end < r->count && time + 1 == r->times[end]);
}

/* How many rows are at or before a time. *corrupt is only ever set. */
static size_t true_rank(const recording *r, int64_t time, bool *corrupt) {
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->times[middle] <= time) low = middle + 1;
        else high = middle;
    }
    if (r->damaged && unknown_rank(r, time, low)) *corrupt = true;
    return low;
}

static size_t true_rank_before(const recording *r, int64_t time, bool *corrupt) {
    return time == INT64_MIN ? 0 : true_rank(r, time - 1, corrupt);
}

/* The row that a way of matching finds, or -1. */
static int64_t true_row(const recording *r, int64_t time, sst_match match, bool *corrupt) {
    size_t n;
    if (match == SST_AT_OR_AFTER) {
        n = true_rank_before(r, time, corrupt);
        return n < r->count ? (int64_t)n : -1;
    }
    n = true_rank(r, time, corrupt);
    if (match == SST_NEAREST && r->count != 0) {
        if (n == 0) return 0;
        if (n == r->count) return (int64_t)n - 1;
        if (has(r, n - 1, LOST | BAD_TIME) || has(r, n, LOST | BAD_TIME)) *corrupt = true;
        return (uint64_t)r->times[n] - (uint64_t)time < (uint64_t)time - (uint64_t)r->times[n - 1]
               ? (int64_t)n : (int64_t)n - 1;
    }
    if (n == 0) return -1;
    if (match == SST_EXACT) {
        if (has(r, n - 1, LOST | BAD_TIME)) *corrupt = true;
        return r->times[n - 1] == time ? (int64_t)n - 1 : -1;
    }
    return (int64_t)n - 1;
}

/* Is the answer as it should be, and one to compare? */
static bool answered(const char *query, int64_t time, int result, int want, bool corrupt) {
    char text[100];
    if (corrupt) want = SST_ERR_CORRUPT;
    if (result != want) {
        snprintf(text, sizeof text, "%s at %lld", query, (long long)time);
        test_fail_int(__FILE__, __LINE__, text, result, want);
    }
    return result == want && want != SST_ERR_CORRUPT;
}

/* --- questions ----------------------------------------------------------------------------- */

static int64_t shifted(int64_t time, int64_t by) {
    if (by < 0 && time < INT64_MIN - by) return INT64_MIN;
    if (by > 0 && time > INT64_MAX - by) return INT64_MAX;
    return time + by;
}

/* Any row, often one at the edge of a block. */
static size_t pick_row(const recording *r, uint64_t *random) {
    const ssti_list *list = r->stream->series->list;
    size_t row = (size_t)test_below(random, r->count), edge;
    uint32_t block = (uint32_t)test_below(random, list->count + 1u);
    if (test_below(random, 3) != 0) return row;
    edge = (size_t)(block < list->count ? ssti_list_at(list, block)->first_row
                                        : ssti_list_end(list, block));
    edge += (size_t)test_below(random, 3) - 1;
    return edge < r->count ? edge : row;
}

/* The time of a row, and a share of the way to the next. Outside: a unit per row. */
static int64_t time_between(const recording *r, double at) {
    uint64_t gap, way;
    size_t row;
    if (at < 0) return shifted(r->times[0], (int64_t)at);
    row = (size_t)at;
    if (row + 1 >= r->count) {
        return shifted(r->times[r->count - 1], (int64_t)(at - (double)(r->count - 1)));
    }
    gap = (uint64_t)r->times[row + 1] - (uint64_t)r->times[row];
    way = (uint64_t)((at - (double)row) * (double)gap);
    return (int64_t)((uint64_t)r->times[row] + (way < gap ? way : gap - 1));
}

static int64_t make_question(const recording *r, uint64_t *random) {
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    size_t row = pick_row(r, random);
    int64_t first = r->times[0], last = r->times[r->count - 1];
    switch (test_below(random, 12)) {
    case 0: return shifted(first, -(int64_t)(1ull << test_below(random, 62)));
    case 1: return shifted(last, (int64_t)(1ull << test_below(random, 62)));
    case 2: return ends[test_below(random, sizeof ends / sizeof ends[0])];
    case 3:
        return (int64_t)((uint64_t)first + test_below(random, (uint64_t)last - (uint64_t)first));
    case 4:
    case 5: return r->times[row];
    case 6: return shifted(r->times[row], -1);
    case 7: return shifted(r->times[row], 1);
    default: return time_between(r, (double)row + (double)test_below(random, 1000) / 1000);
    }
}

enum { MAX_BATCH = 1000, MERGE_BATCH = sizeof ((ssti_spots *)NULL)->quick / sizeof(bool) };

typedef struct batch {
    size_t n;
    int64_t times[MAX_BATCH], want[MAX_BATCH];
} batch;

/* Sorted questions, on average so many rows apart, each asked `times_each` times. */
static void make_walk(const recording *r, double apart, size_t times_each, batch *b,
                      uint64_t *random) {
    double at = (double)pick_row(r, random);
    size_t i;
    if (test_below(random, 8) == 0) at = -10 * apart;
    if (test_below(random, 8) == 0) at = (double)r->count - (double)b->n * apart / 2;
    for (i = 0; i < b->n; i++) {
        if (i % times_each == 0) at += apart * (double)test_below(random, 2000) / 1000;
        b->times[i] = time_between(r, at);
    }
}

static void swap_times(batch *b, size_t i, size_t k) {
    int64_t time = b->times[i];
    b->times[i] = b->times[k];
    b->times[k] = time;
}

static void make_batch(const recording *r, batch *b, uint64_t *random) {
    static const size_t sizes[] = {0, 1, 7, 63, 64, 65, 128, 130, 192, 200, 320, MAX_BATCH};
    static const double apart[] = {0.2, 1, 3, 10, 100};
    double rows = apart[test_below(random, 5)];
    size_t i;
    b->n = sizes[test_below(random, sizeof sizes / sizeof sizes[0])];
    switch (test_below(random, 10)) {
    case 0:
    case 1:
        for (i = 0; i < b->n; i++) b->times[i] = make_question(r, random);
        break;
    case 2:
        make_walk(r, 1, 1 + (size_t)test_below(random, 70), b, random);
        break;
    case 3:                                         /* not quite sorted */
        make_walk(r, rows, 1, b, random);
        for (i = test_below(random, 64); i + 1 < b->n; i += 64) {
            if (test_below(random, 2) == 0) swap_times(b, i, i + 1);
            else b->times[i] = make_question(r, random);
        }
        break;
    case 4:
        make_walk(r, rows, 1, b, random);
        for (i = 0; i < b->n / 2; i++) swap_times(b, i, b->n - 1 - i);
        break;
    default:
        make_walk(r, rows, 1, b, random);
    }
}

/* --- asking -------------------------------------------------------------------------------- */

static bool bad_rows(const recording *r, size_t first, size_t end) {
    size_t i;
    for (i = first; r->damaged && i < end; i++) {
        if (has(r, i, LOST | BAD_TIME | BAD_VALUE)) return true;
    }
    return false;
}

/* The view is these rows. carried: the first one's time is given as start. */
static void check_view(const recording *r, const sst_view *view, size_t first, size_t count,
                       const int64_t *carried) {
    size_t skip = carried != NULL;
    CHECK(view->times != NULL && view->values != NULL);
    CHECK_INT(view->count, count);
    if (view->count != count || count == 0) return;
    CHECK_INT(view->first_row, first);
    if (carried != NULL) CHECK_INT(view->times[0], *carried);
    CHECK_BYTES(view->times + skip, r->times + first + skip, (count - skip) * 8);
    CHECK_BYTES(view->values, r->values + first * r->of.bytes, count * r->of.bytes);
}

static void check_points(const recording *r, int64_t time) {
    int match;
    bool corrupt = false;
    int64_t want = true_row(r, time, SST_AT_OR_BEFORE, &corrupt);
    int result;
    sst_view view;
    memset(&view, 0xFF, sizeof view);
    if (!corrupt && want >= 0) corrupt = bad_rows(r, (size_t)want, (size_t)want + 1);
    result = sst_at(r->stream, time, &view);
    if (answered("sst_at", time, result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK, corrupt)) {
        check_view(r, &view, want < 0 ? 0 : (size_t)want, want >= 0, NULL);
    } else {
        CHECK_INT(view.count, 0);
    }
    for (match = SST_AT_OR_BEFORE; match <= SST_EXACT; match++) {
        uint64_t row = 0xABCDEF;
        corrupt = false;
        want = true_row(r, time, (sst_match)match, &corrupt);
        result = sst_locate(r->stream, time, (sst_match)match, &row);
        if (answered("sst_locate", time, result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK, corrupt)) {
            CHECK_INT(row, want < 0 ? 0xABCDEF : want);
        } else {
            CHECK_INT(row, 0xABCDEF);
        }
    }
}

static void check_window(const recording *r, int64_t start, int64_t end, uint32_t flags) {
    bool half = (flags & SST_HALF_OPEN) != 0, carry = false, corrupt = false;
    size_t first = 0, last = 0;
    sst_view view;
    int result;
    if (start < end || (start == end && !half)) {
        first = true_rank_before(r, start, &corrupt);
        last = true_rank(r, half ? end - 1 : end, &corrupt);
        carry = (flags & SST_CARRY) != 0 && first > 0;
        if (carry && first < last && has(r, first, LOST | BAD_TIME)) corrupt = true;
        if (carry && first < last && r->times[first] == start) carry = false;
        if (carry) first--;
        if (!corrupt) corrupt = bad_rows(r, first, last);
    }
    memset(&view, 0xFF, sizeof view);
    result = sst_window_ex(r->stream, start, end, flags, &view);
    if (answered("sst_window_ex", start, result, SST_OK, corrupt)) {
        check_view(r, &view, first, last - first, carry ? &start : NULL);
    } else {
        CHECK_INT(view.count, 0);
    }
}

static void check_windows(const recording *r, uint64_t *random) {
    static const uint32_t flags[4] = {0, SST_HALF_OPEN, SST_CARRY, SST_HALF_OPEN | SST_CARRY};
    int64_t start = make_question(r, random), end;
    uint64_t kind = test_below(random, 20);
    size_t i, row, before;
    bool unused = false;
    row = before = true_rank(r, start, &unused);
    row += (size_t)test_below(random, 1u << test_below(random, 11));
    if (kind == 0 && (before < 3000 || test_below(random, 10) == 0)) start = INT64_MIN;
    end = row < r->count ? r->times[row] : INT64_MAX;
    if (kind < 8 && row < r->count) end = shifted(end, (int64_t)test_below(random, 3) - 1);
    if (kind == 1) end = make_question(r, random);
    if (kind == 2) end = start;
    if (kind == 3) end = shifted(start, -(int64_t)test_below(random, 1000));
    if (kind == 4 && before + 3000 > r->count) end = INT64_MAX;
    if (kind == 5) end = shifted(start, 1);
    for (i = 0; i < 4; i++) check_window(r, start, end, flags[i]);
}

/* --- asking for samples -------------------------------------------------------------------- */

/* A question about the stream's only field. */
static ssti_samples sample_of(const recording *r) {
    const ssti_series *s = r->stream->series;
    ssti_samples in;
    memset(&in, 0, sizeof in);
    in.column = s->field_columns[0];
    in.element = s->columns[in.column].element;
    in.type = s->fields[0].type;
    return in;
}

static double number(const recording *r, size_t row, size_t item) {
    const uint8_t *p = r->values + row * r->of.bytes;
    double d;
    float f;
    memcpy(&d, p + (r->of.type == SST_F64 ? item * 8 : 0), r->of.type == SST_F64 ? 8 : 0);
    if (r->of.type == SST_F64) return d;
    if (r->of.type != SST_F32) return p[item];
    memcpy(&f, p + item * 4, 4);
    return f;
}

/* The slow way gives the same to the last bit, and both what a line between two rows is. */
static void check_linear(const recording *r, int64_t time, int64_t row, const double *got) {
    static const double none[8] = {0};
    double slow[8], share = 0;
    size_t i, n = (size_t)row;
    ssti_samples in;
    ssti_look k = look_at(r);
    if (row < 0) {
        CHECK_BYTES(got, none, r->of.items * 8);
        return;
    }
    if (n + 1 < r->count) {
        share = (double)((uint64_t)time - (uint64_t)r->times[n]) /
                (double)((uint64_t)r->times[n + 1] - (uint64_t)r->times[n]);
    }
    for (i = 0; i < r->of.items; i++) {
        double a = number(r, n, i), b = n + 1 < r->count ? number(r, n + 1, i) : a;
        double off = got[i] - (a + (b - a) * share);
        CHECK(off < 1e-9 && off > -1e-9);
    }
    in = sample_of(r);
    in.times = &time;
    in.n = 1;
    in.how = SST_SAMPLE_LINEAR;
    in.values = (uint8_t *)slow;
    in.bytes = r->of.items * sizeof(double);
    CHECK_INT(ssti_sample_one(r->stream, &k, &in, 0), SST_OK);
    CHECK_BYTES(got, slow, in.bytes);
}

/* What a sample should be; true: SST_ERR_CORRUPT. */
static bool true_sample(const recording *r, int64_t time, sst_sampling how, bool values,
                        int64_t *row) {
    sst_match match = how == SST_SAMPLE_NEAREST ? SST_NEAREST
                      : how == SST_SAMPLE_EXACT ? SST_EXACT : SST_AT_OR_BEFORE;
    bool corrupt = false;
    size_t n;
    *row = true_row(r, time, match, &corrupt);
    if (*row < 0 || !values) return corrupt;
    n = (size_t)*row;
    if (has(r, n, LOST | BAD_VALUE)) return true;
    if (how != SST_SAMPLE_LINEAR) return corrupt;
    if (has(r, n, BAD_TIME)) return true;
    if (r->times[n] == time || n + 1 == r->count) return corrupt;
    return corrupt || bad_rows(r, n + 1, n + 2);
}

static void compare_samples(const recording *r, const batch *b, sst_sampling how,
                            const uint8_t *values, const int64_t *rows) {
    static const uint8_t none[64] = {0};
    size_t i, bytes = r->of.bytes;
    int errors = test_errors;
    for (i = 0; i < b->n && test_errors == errors; i++) {
        int64_t want = b->want[i];
        if (rows != NULL) CHECK_INT(rows[i], want);
        if (values != NULL && how == SST_SAMPLE_LINEAR) {
            check_linear(r, b->times[i], want, (const double *)(const void *)values +
                                               i * r->of.items);
        } else if (values != NULL) {
            CHECK_BYTES(values + i * bytes,
                        want < 0 ? none : r->values + (size_t)want * bytes, bytes);
        }
    }
}

/* outputs: 1 values, 2 rows, 3 both. */
static void check_samples(const recording *r, batch *b, sst_sampling how, int outputs) {
    bool corrupt = false;
    size_t i, bytes = how == SST_SAMPLE_LINEAR ? r->of.items * sizeof(double) : r->of.bytes;
    uint8_t *values = (outputs & 1) != 0 ? (uint8_t *)take(b->n * bytes) : NULL;
    int64_t *rows = (outputs & 2) != 0 ? (int64_t *)take(b->n * 8) : NULL;
    int result;
    for (i = 0; i < b->n; i++) {
        if (true_sample(r, b->times[i], how, values != NULL, &b->want[i])) corrupt = true;
    }
    if (values != NULL) memset(values, 0xEE, b->n * bytes);
    if (rows != NULL) memset(rows, 0xEE, b->n * 8);
    result = sst_sample(r->stream, b->times, b->n, how, values, rows);
    if (answered("sst_sample", b->n != 0 ? b->times[0] : 0, result, SST_OK, corrupt)) {
        compare_samples(r, b, how, values, rows);
    }
    free(values);
    free(rows);
}

/* Leaves out what would be found corrupt. */
static void keep_sound(const recording *r, batch *b, sst_sampling how, bool values) {
    size_t i, n = 0;
    int64_t row;
    for (i = 0; i < b->n; i++) {
        if (!true_sample(r, b->times[i], how, values, &row)) b->times[n++] = b->times[i];
    }
    b->n = n;
}

static void check_batch(const recording *r, uint64_t *random) {
    static batch all, sound;
    int how, outputs;
    make_batch(r, &all, random);
    for (how = SST_SAMPLE_PREVIOUS; how <= SST_SAMPLE_LINEAR; how++) {
        for (outputs = 0; outputs < 4; outputs++) {
            check_samples(r, &all, (sst_sampling)how, outputs);
            if (!r->damaged) continue;
            sound = all;
            keep_sound(r, &sound, (sst_sampling)how, (outputs & 1) != 0);
            check_samples(r, &sound, (sst_sampling)how, outputs);
        }
    }
}

/* --- asking for rows by number ------------------------------------------------------------- */

static void make_rows(const recording *r, int64_t *rows, size_t n, uint64_t *random) {
    uint64_t kind = test_below(random, 5), none = test_below(random, 3), far = 1;
    size_t i, at = pick_row(r, random);
    if (kind == 3) far = 1 + r->count / (n + 1);
    for (i = 0; i < n; i++) {
        if (kind == 0) at = pick_row(r, random);
        else if (kind == 4) at = (at + r->count - 1) % r->count;
        else at = (at + (size_t)test_below(random, 2 * far + 1)) % r->count;
        rows[i] = none != 0 && test_below(random, 5 * none) == 0 ? -1 : (int64_t)at;
    }
}

static void check_gather(const recording *r, const int64_t *rows, size_t n, int outputs) {
    static const uint8_t none[64] = {0};
    size_t i, bytes = r->of.bytes;
    uint8_t *values = (outputs & 1) != 0 ? (uint8_t *)take(n * bytes) : NULL;
    int64_t *times = (outputs & 2) != 0 ? (int64_t *)take(n * 8) : NULL;
    int bad = (values != NULL ? LOST | BAD_VALUE : 0) | (times != NULL ? LOST | BAD_TIME : 0);
    int errors = test_errors, result;
    bool corrupt = false;
    for (i = 0; i < n; i++) corrupt = corrupt || (rows[i] >= 0 && has(r, (size_t)rows[i], bad));
    if (values != NULL) memset(values, 0xEE, n * bytes);
    if (times != NULL) memset(times, 0xEE, n * 8);
    result = sst_gather(r->stream, rows, n, values, times);
    if (answered("sst_gather", n, result, SST_OK, corrupt)) {
        for (i = 0; i < n && errors == test_errors; i++) {
            size_t row = (size_t)rows[i];
            if (times != NULL) CHECK_INT(times[i], rows[i] < 0 ? 0 : r->times[row]);
            if (values != NULL) {
                CHECK_BYTES(values + i * bytes, rows[i] < 0 ? none : r->values + row * bytes,
                            bytes);
            }
        }
    }
    free(values);
    free(times);
}

static void check_gathers(const recording *r, uint64_t *random) {
    static const size_t sizes[] = {0, 1, 4, 5, 31, 32, 33, 64, 100, 300};
    size_t n = sizes[test_below(random, sizeof sizes / sizeof sizes[0])], i, sound;
    int64_t *rows = (int64_t *)take(n * 8), time = 77;
    int outputs;
    make_rows(r, rows, n, random);
    for (outputs = 0; outputs < 4; outputs++) check_gather(r, rows, n, outputs);
    if (n != 0) {
        int64_t kept = rows[n - 1];
        rows[n - 1] = test_below(random, 2) == 0 ? -2 : (int64_t)r->count;
        CHECK_INT(sst_gather(r->stream, rows, n, NULL, &time), SST_ERR_ARG);
        CHECK_INT(time, 77);
        rows[n - 1] = kept;
    }
    if (r->damaged) {
        for (i = sound = 0; i < n; i++) {
            if (rows[i] < 0 || !bad_rows(r, (size_t)rows[i], (size_t)rows[i] + 1)) {
                rows[sound++] = rows[i];
            }
        }
        check_gather(r, rows, sound, 3);
    }
    free(rows);
}

/* --- asking everything --------------------------------------------------------------------- */

static uint64_t quick_answers, merged_batches;

/* What the quick ways find, where they find something. */
static void check_spots(const recording *r, uint64_t *random) {
    static batch b;
    ssti_look k = look_at(r);
    const ssti_table *t = ssti_table_get(&k);
    ssti_spot spot;
    bool unused = false;
    ssti_samples in;
    int64_t rows[MERGE_BATCH];
    size_t i;
    for (i = 0; i < 30; i++) {
        int64_t time = make_question(r, random);
        if (!ssti_spot_find(&k, t, time, &spot)) continue;
        quick_answers++;
        CHECK_INT(spot.ready.b->first_row + spot.row + 1, true_rank(r, time, &unused));
    }
    b.n = MERGE_BATCH;
    make_walk(r, 1.5, 1, &b, random);
    in = sample_of(r);
    in.times = b.times;
    in.n = b.n;
    in.rows = rows;
    if (!ssti_sample_merge(&k, &in, 0)) return;
    merged_batches++;
    for (i = 0; i < b.n; i++) CHECK_INT(rows[i] + 1, true_rank(r, b.times[i], &unused));
    memset(&spot, 0, sizeof spot);
    CHECK(ssti_spot_find(&k, t, b.times[b.n - 1], &spot));
    CHECK(spot.ready.b != NULL && spot.row + 4 < spot.ready.b->rows);   /* it looks ahead */
}

static void check_group(const recording *r, uint64_t group, uint64_t questions,
                        uint64_t *random) {
    uint64_t i;
    switch (group) {
    case 0:
        for (i = 0; i < questions; i++) check_points(r, make_question(r, random));
        break;
    case 1:
        for (i = 0; i < questions; i++) check_windows(r, random);
        break;
    case 2:
        for (i = 0; i < questions / 8 + 1; i++) check_batch(r, random);
        break;
    case 3:
        for (i = 0; i < questions / 6 + 1; i++) check_gathers(r, random);
        break;
    default:
        for (i = 0; i < questions / 20 + 1; i++) check_spots(r, random);
    }
}

/* Every query, in an order of the seed's. */
static void check_once(const recording *r, uint64_t asked, uint64_t questions) {
    uint64_t random = asked, first = test_below(&random, 5), i;
    bool slow = r->made.layout >= LARGE_BLOCKS && r->made.place == IN_UNMAPPED_FILE;
    if (slow) questions = questions / 4 + 1;
    CHECK_INT(sst_rows(r->stream), r->count);
    for (i = 0; i < 5; i++) check_group(r, (first + i) % 5, questions, &random);
}

/* Twice: at first columns may not have been looked at, later they have. */
static void check_everything(const recording *r, uint64_t asked, uint64_t questions) {
    check_once(r, asked, questions);
    check_once(r, asked, questions);
}

static size_t rows_for(int layout, int kind, uint64_t *random) {
    size_t few = kind == F64X8 ? 1 : 2;
    if (layout == SMALL_BLOCKS) return 200 + (size_t)test_below(random, 1000 * few);
    if (layout == RAGGED_BLOCKS) return 200 + (size_t)test_below(random, 1500 * few);
    return 17000 + (size_t)test_below(random, 20000);
}

enum { ANY = -1, ANY_IMAGE = -2 };     /* instead of a pattern, ... */

static config make_config(int pattern, int layout, int place, int kind, uint64_t *random) {
    config c;
    if (pattern == ANY) pattern = (int)test_below(random, PATTERNS);
    if (layout == ANY) layout = (int)test_below(random, LAYOUTS);
    if (place == ANY) place = (int)test_below(random, PLACES);
    if (place == ANY_IMAGE) place = IN_IMAGE + (int)test_below(random, PLACES - IN_IMAGE);
    if (kind == ANY) kind = (int)test_below(random, KINDS);
    if (layout == ONE_BLOCK && (place == IN_MEMORY || place == IN_GROWING_FILE)) {
        place = place == IN_MEMORY ? IN_IMAGE : IN_FILE;
    }
    c.pattern = pattern;
    c.layout = layout;
    c.place = place;
    c.kind = kind;
    c.rows = rows_for(layout, kind, random);
    c.seed = test_random(random);
    return c;
}

static void check_config(const config *c, uint64_t questions) {
    recording r = make_recording(c);
    check_everything(&r, c->seed, questions);
    drop_recording(&r);
}

static uint64_t seed;

/* Every pattern in every layout, in places and of types that take turns. */
static void every_pattern(void) {
    uint64_t random = seed;
    int pattern, layout, turn = 0;
    for (pattern = 0; pattern < PATTERNS && test_errors == 0; pattern++) {
        for (layout = 0; layout < LAYOUTS; layout++, turn++) {
            int place = (turn + turn / PLACES) % PLACES;
            config c = make_config(pattern, layout, place, (turn + turn / 4) % KINDS, &random);
            check_config(&c, 16);
        }
    }
    CHECK(quick_answers > 200);
    CHECK(merged_batches > 5);
}

/* In a block that was looked at every time is found the quick way, and every dense batch. */
static void quick_ways_are_taken(void) {
    uint64_t random = seed + 16;
    config c = make_config(JITTERED, ONE_BLOCK, IN_IMAGE, F64, &random);
    recording r = make_recording(&c);
    ssti_samples in;
    ssti_spot spot;
    ssti_look k;
    batch *b = (batch *)take(sizeof *b);
    int i;
    check_once(&r, c.seed, 16);
    k = look_at(&r);
    for (i = 0; i < 1000; i++) {
        size_t row = (size_t)test_below(&random, r.count - 1);
        int64_t time = time_between(&r, (double)row + 0.5);
        CHECK(ssti_spot_find(&k, r.stream->series->table, time, &spot));
    }
    in = sample_of(&r);
    in.times = b->times;
    in.n = b->n = MERGE_BATCH;
    in.rows = b->want;
    for (i = 0; i < 100; i++) {
        double row = (double)test_below(&random, 16000);
        size_t at;
        for (at = 0; at < b->n; at++, row += 1.5) b->times[at] = time_between(&r, row);
        CHECK(ssti_sample_merge(&k, &in, 0));
        if (i >= 4) continue;
        row = (double)(r.count - b->n - (size_t)i);         /* four more rows are looked at */
        for (at = 0; at < b->n; at++, row++) b->times[at] = time_between(&r, row);
        CHECK(!ssti_sample_merge(&k, &in, 0));
    }
    free(b);
    drop_recording(&r);
}

static void any_recording(void) {
    uint64_t rounds = test_rounds(40, 600), random = seed + 1, i;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        config c = make_config(ANY, ANY, ANY, ANY, &random);
        if (test_below(&random, 8) == 0) c.rows = 1 + (size_t)test_below(&random, 60);
        check_config(&c, 16);
    }
}

/* Between questions rows come: tables are of fewer blocks than there are. */
static void while_it_grows(void) {
    uint64_t rounds = test_rounds(8, 150), random = seed + 2, i;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        int layout = (int)(i % 3), place = i / 3 % 2 == 0 ? IN_MEMORY : IN_GROWING_FILE;
        config c = make_config(ANY, layout, place, ANY, &random);
        recording r = begin_recording(&c);
        while (r.count < c.rows) {
            size_t more = 1 + (size_t)test_below(&random, c.rows / 3);
            append_up_to(&r, more < c.rows - r.count ? r.count + more : c.rows);
            if (test_below(&random, 3) == 0) CHECK_INT(sst_flush(r.writer), SST_OK);
            mark_blocks(&r);
            check_everything(&r, test_random(&random), 6);
        }
        drop_recording(&r);
    }
}

/* Columns of more than 1 MiB, of which only some pieces are looked at. */
static void large_columns(void) {
    static const int patterns[] = {REGULAR, BURSTS, GAPPY, WHOLE_RANGE, FIRST_OUT, HALF_DENSE};
    uint64_t rounds = test_rounds(4, 60), random = seed + 3, i;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        config c = make_config(patterns[i % 6], i % 8 == 7 ? LARGE_BLOCKS : ONE_BLOCK,
                               IN_IMAGE + (int)(i % 6), (int)(i % KINDS), &random);
        recording r;
        c.rows = 140000 + (size_t)test_below(&random, 200000);
        if (c.kind == F64X8) c.rows = 17000 + (size_t)test_below(&random, 50000);
        r = make_recording(&c);
        check_everything(&r, c.seed, 10);
        if (c.kind != U8X3) {                       /* a view of all: every piece is checked */
            check_window(&r, INT64_MIN, INT64_MAX, 0);
            check_once(&r, c.seed, 10);
        }
        drop_recording(&r);
    }
}

/* --- the searches themselves --------------------------------------------------------------- */

/* Times in memory of just their size, `odd` bytes after an aligned address. */
typedef struct array {
    uint8_t *memory, *times;
    size_t n;
} array;

static array make_array(const int64_t *times, size_t n, size_t odd) {
    array a;
    a.memory = (uint8_t *)take(n * 8 + odd);
    a.times = a.memory + odd;
    a.n = n;
    memcpy(a.times, times, n * 8);
    return a;
}

static uint32_t count_upto(const int64_t *times, size_t n, int64_t time) {
    uint32_t count = 0;
    size_t i;
    for (i = 0; i < n; i++) count += times[i] <= time;
    return count;
}

/* Any time that is not before the first row and before the last. */
static int64_t time_inside(const int64_t *times, size_t n, uint64_t *random) {
    size_t i = (size_t)test_below(random, n - 1);
    uint64_t gap = (uint64_t)times[i + 1] - (uint64_t)times[i];
    switch (test_below(random, 4)) {
    case 0: return times[i];
    case 1: return times[i + 1] - 1;
    default: return (int64_t)((uint64_t)times[i] + test_below(random, gap));
    }
}

static void check_sorted_array(const int64_t *times, size_t n, uint64_t *random) {
    array a = make_array(times, n, test_below(random, 2));
    int asked;
    for (asked = 0; asked < 40; asked++) {
        int64_t time = time_inside(times, n, random);
        uint32_t rank = count_upto(times, n, time), low, high, few;
        low = 1 + (uint32_t)test_below(random, asked % 4 == 0 ? 1 : rank);
        high = rank + (uint32_t)test_below(random, n - rank);
        if (asked % 4 == 1) high = (uint32_t)n - 1;
        CHECK_INT(ssti_rank_array(a.times, low, high, time), rank);
        CHECK_INT(ssti_rank_array(a.times, rank, rank, time), rank);
        few = (uint32_t)test_below(random, n + 1 - low);
        CHECK_INT(ssti_rank_few(a.times, low, few, time), rank < low + few ? rank : low + few);
        low = rank + (uint32_t)test_below(random, n + 1 - rank);
        CHECK_INT(ssti_rank_few(a.times, low, (uint32_t)n - low, time), low);
    }
    CHECK_INT(ssti_rank_few(a.times, 0, (uint32_t)n, INT64_MAX), n);
    CHECK_INT(ssti_rank_few(a.times, 0, (uint32_t)n, INT64_MIN), times[0] == INT64_MIN);
    free(a.memory);
}

static void ranks_in_sorted_arrays(void) {
    uint64_t rounds = test_rounds(6, 60), random = seed + 4, round;
    size_t n;
    for (round = 0; round < rounds; round++) {
        int pattern;
        for (pattern = 0; pattern < PATTERNS; pattern++) {
            for (n = 2; n < 600; n += 1 + n / 5) {
                static int64_t times[1000];
                size_t rows = n + (size_t)test_below(&random, n / 5 + 1);
                make_times(pattern, &random, times, rows);
                check_sorted_array(times, rows, &random);
            }
        }
    }
}

static int64_t any_time(uint64_t *random) {
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    uint64_t time;
    if (test_below(random, 4) == 0) return ends[test_below(random, 7)];
    time = any_size(random, 0);
    return (int64_t)(test_below(random, 2) == 0 ? time : 0 - time);
}

/* Times in no order. */
static void make_hostile_times(int64_t *times, size_t n, uint64_t *random) {
    uint64_t kind = test_below(random, 6);
    size_t i;
    for (i = 0; i < n; i++) {
        int64_t k = (int64_t)i;
        switch (kind) {
        case 0: times[i] = any_time(random); break;
        case 1: times[i] = -k; break;
        case 2: times[i] = 5; break;
        case 3: times[i] = i % 2 == 0 ? INT64_MIN : INT64_MAX; break;
        case 4: times[i] = test_below(random, 8) == 0 ? any_time(random) : k * 10; break;
        default: times[i] = k * 10 % 170; break;
        }
    }
}

/* The answer lies between low and high, and hangs on nothing outside [low - 1, high]. */
static void check_hostile_array(size_t n, uint64_t *random) {
    static int64_t times[400];
    array a, changed;
    uint32_t low = 1 + (uint32_t)test_below(random, n), high, rank, most;
    int64_t time = any_time(random);
    size_t i;
    high = (uint32_t)test_below(random, n);
    if (test_below(random, 4) != 0 && high < low) {
        high = (uint32_t)n - 1;
        low = 1 + (uint32_t)test_below(random, n - 1);
    }
    make_hostile_times(times, n, random);
    if (test_below(random, 2) == 0) time = times[test_below(random, n)];
    a = make_array(times, n, test_below(random, 2));
    most = low < high ? high : low;
    rank = ssti_rank_array(a.times, low, high, time);
    CHECK(rank >= low && rank <= most);
    for (i = 0; i < n; i++) {
        if (i + 1 < low || i > high) times[i] = any_time(random);
    }
    changed = make_array(times, n, 0);
    CHECK_INT(ssti_rank_array(changed.times, low, high, time), rank);
    rank = ssti_rank_few(a.times, low, most - low, time);
    CHECK(rank >= low && rank <= most);
    CHECK_INT(ssti_rank_few(changed.times, low, most - low, time), rank);
    free(a.memory);
    free(changed.memory);
}

static void ranks_in_hostile_arrays(void) {
    uint64_t rounds = test_rounds(20000, 200000), random = seed + 5, i;
    for (i = 0; i < rounds; i++) {
        size_t n = 2 + (size_t)test_below(&random, i % 3 == 0 ? 399 : 60);
        check_hostile_array(n, &random);
    }
}

/* An array that ends where the search does, and begins where it does. */
static void ranks_at_the_edges(void) {
    uint64_t random = seed + 6;
    uint32_t n;
    for (n = 2; n < 400; n++) {
        static int64_t times[400];
        int asked;
        for (asked = 0; asked < 20; asked++) {
            int64_t time = any_time(&random);
            uint32_t rank;
            array a;
            make_hostile_times(times, n, &random);
            a = make_array(times, n, 0);
            rank = ssti_rank_array(a.times, 1, n - 1, time);
            CHECK(rank >= 1 && rank <= n - 1);
            CHECK_INT(ssti_rank_array(a.times, n, n - 1, time), n);
            CHECK_INT(ssti_rank_array(a.times, n - 1, 0, time), n - 1);
            CHECK_INT(ssti_rank_array(a.times, n, n, time), n);
            CHECK(ssti_rank_few(a.times, 0, n, time) <= n);
            free(a.memory);
        }
    }
}

static void interpolation(void) {
    uint64_t rounds = test_rounds(50000, 1000000), random = seed + 7, i;
    for (i = 0; i < rounds; i++) {
        int64_t before = any_time(&random), after = any_time(&random), time, later;
        uint32_t low = (uint32_t)any_size(&random, 32), high = (uint32_t)any_size(&random, 32);
        uint32_t guess;
        if (before > after) {
            time = before;
            before = after;
            after = time;
        }
        if (high < low) high = low;
        time = (int64_t)((uint64_t)before +
                         test_below(&random, (uint64_t)after - (uint64_t)before));
        later = (int64_t)((uint64_t)time + test_below(&random, (uint64_t)after - (uint64_t)time));
        guess = ssti_interpolate(before, after, time, low, high);
        CHECK(guess == low || (guess > low && guess < high));
        CHECK(before == after || ssti_interpolate(before, after, before, low, high) == low);
        CHECK(guess <= ssti_interpolate(before, after, later, low, high));
        (void)ssti_interpolate(after, before, any_time(&random), high, low);
    }
    for (i = 0; i < 1000; i++) {                    /* rows 0, 10, 20, ...: one off at most */
        uint32_t guess = ssti_interpolate(10, 10010, 10 + (int64_t)i * 10 + 5, 2, 1001);
        CHECK(guess + 1 >= i + 2 && guess <= i + 3);
    }
}

/* --- tables that say what is not so --------------------------------------------------------- */

enum { TABLE_WAYS = 21 };

static uint64_t place_of(const ssti_table *t, uint64_t block, uint64_t row) {
    return block << t->row_bits | (row & (((uint64_t)1 << t->row_bits) - 1));
}

static uint64_t get_entry(const ssti_table *t, uint64_t i) {
    const uint8_t *p = t->entries + (size_t)i * t->width;
    return t->width == 4 ? ssti_get32(p) : ssti_get64(p);
}

/* Entry i of the first table as it should not be. units: of 16 bytes, where others may begin. */
static uint64_t spoilt_entry(const ssti_table *t, const ssti_table *real, uint64_t i, int way,
                             uint64_t *random) {
    uint64_t any = test_random(random), most = (uint64_t)1 << t->row_bits, at = i, entry;
    uint64_t crowded = (uint64_t)1 << (8 * t->width - 1), units = t->bytes / 16 + 2;
    if (at >= real->count) at = real->count - 1;
    entry = get_entry(real, at);
    switch (way) {
    case 0: return any;
    case 1: return 0;
    case 2: return UINT64_MAX;
    case 3: return get_entry(real, at + 1 < real->count ? at + 1 : at);
    case 4: return get_entry(real, at > 0 ? at - 1 : 0);
    case 5: return get_entry(real, real->count - 1 - at);
    case 6: return place_of(t, test_below(random, t->blocks + 2u), any % most);
    case 7: return entry + any % 5 - 2;
    case 8: return get_entry(real, (at ^ 1) < real->count ? at ^ 1 : at);
    case 9: return place_of(t, t->blocks, any % 2);
    case 10: return place_of(t, i * t->blocks / t->count, i * (most / t->count + 1));
    case 11: return any % 16 == 0 ? any : entry;
    case 12: return crowded | test_below(random, units);
    case 13: return entry ^ (any % 4 == 0 ? crowded : 0);
    case 18: return place_of(t, test_below(random, t->blocks + 1u), most - 1 - any % 10);
    case 19: return place_of(t, test_below(random, t->blocks + 1u), any % 3 - 1);
    case 20: return place_of(t, t->blocks - (i + 1 < t->count), 0);     /* all in the last block */
    default: return entry;
    }
}

/* Spoils one number in the head of every table that the first one leads to. */
static void spoil_heads(const ssti_table *t, const ssti_table *real, uint8_t *bytes,
                        uint64_t *random) {
    uint64_t crowded = (uint64_t)1 << (8 * real->width - 1), i, at, entry;
    for (i = 0; i < real->count; i++) {
        entry = get_entry(real, i);
        at = (entry & ~crowded) * 16;
        if ((entry & crowded) == 0 || at + 32 > t->bytes) continue;
        switch (test_below(random, 6)) {
        case 0: ssti_put64(bytes + at, test_random(random)); break;
        case 1: ssti_put64(bytes + at + 8, any_size(random, 0)); break;
        case 2: ssti_put64(bytes + at + 16, any_size(random, 0)); break;
        case 3: ssti_put32(bytes + at + 24, (uint32_t)any_size(random, 32)); break;
        case 4: bytes[at + 28] = (uint8_t)test_random(random); break;
        default: bytes[at + 28] = (uint8_t)test_below(random, 70);
        }
    }
}

/* Spoils what is behind the first table, and in two ways everything. */
static void spoil_bytes(const ssti_table *t, uint8_t *bytes, int way, uint64_t *random) {
    uint64_t i, start = way < 14 ? t->count * t->width : 0;
    for (i = start; i < t->bytes && way % 2 == 0; i++) {
        if (test_below(random, 50) == 0) bytes[i] = (uint8_t)test_random(random);
    }
    for (i = (start + 7) / 8 * 8; i + 8 <= t->bytes && way % 2 == 1; i += 8) {
        if (test_below(random, 8) == 0) ssti_put64(bytes + i, test_below(random, 4000));
    }
}

/* Asks by tables that are spoilt, in memory of just their size. t: the stream's own. */
static void check_spoilt(const recording *r, ssti_table *t, const ssti_table *real, int way,
                         uint64_t *random) {
    uint8_t *bytes = (uint8_t *)take((size_t)t->bytes);
    uint64_t i;
    for (i = 0; i < t->bytes; i++) bytes[i] = real->entries[i % real->bytes];
    for (i = 0; i < t->count; i++) {
        uint64_t entry = spoilt_entry(t, real, i, way, random);
        if (t->width == 4) ssti_put32(bytes + (size_t)i * 4, (uint32_t)entry);
        else ssti_put64(bytes + (size_t)i * 8, entry);
    }
    if (way == 16 || way == 17) spoil_heads(t, real, bytes, random);
    else if (way > 10) spoil_bytes(t, bytes, way, random);
    t->entries = bytes;
    check_once(r, test_random(random), 8);
    *t = *real;
    free(bytes);
}

/* Another table that ssti_table_load would take. */
static void bend_table(const recording *r, ssti_table *t, uint64_t *random) {
    uint64_t span, most = test_below(random, 5000);
    uint32_t blocks = r->stream->series->list->count;
    t->blocks = 1 + (uint32_t)test_below(random, blocks);
    t->width = test_below(random, 2) == 0 ? 4 : 8;
    if (test_below(random, 3) != 0) t->row_bits = (uint8_t)test_below(random, 33);
    else t->row_bits = t->width == 8 ? 32 : 24;
    if (test_below(random, 3) != 0) t->first = make_question(r, random);
    if (test_below(random, 3) != 0) t->last = make_question(r, random);
    if (test_below(random, 3) == 0) t->last = INT64_MAX;
    if (t->first > t->last) {
        int64_t first = t->first;
        t->first = t->last;
        t->last = first;
    }
    span = (uint64_t)t->last - (uint64_t)t->first;
    t->shift = (uint8_t)test_below(random, 64);
    while (t->shift < 63 && span >> t->shift > most) t->shift++;
    t->count = (span >> t->shift) + 2;
    t->bytes = t->count * t->width + test_below(random, 3000);
}

/* Two buckets for all of time. */
static void bend_wide(ssti_table *t) {
    t->first = INT64_MIN;
    t->last = INT64_MAX;
    t->shift = 63;
    t->count = 3;
    t->bytes = 3u * t->width;
}

static ssti_table *table_of(const recording *r) {
    ssti_look k = look_at(r);
    (void)ssti_table_get(&k);
    return r->stream->series->table;
}

static void check_hostile_tables(const recording *r, uint64_t bends, uint64_t *random) {
    ssti_table *t = table_of(r), real;
    uint64_t i;
    int way;
    CHECK(t != NULL);
    if (t == NULL) return;
    real = *t;
    for (way = 0; way < TABLE_WAYS && test_errors == 0; way++) {
        check_spoilt(r, t, &real, way, random);
    }
    for (i = 0; i < bends && test_errors == 0; i++) {
        static const int ways[] = {6, 18, 20};
        if (i < 3) bend_wide(t);
        else bend_table(r, t, random);
        way = i < 6 ? ways[i % 3] : (int)test_below(random, TABLE_WAYS);
        check_spoilt(r, t, &real, way, random);
    }
    check_once(r, test_random(random), 8);
}

static void hostile_tables(void) {
    uint64_t rounds = test_rounds(8, 90), random = seed + 8, i;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        static const int crowded[] = {FIRST_OUT, BURSTS, HALF_DENSE, DOUBLING, LAST_OUT};
        int place = i % 8 == 2 ? IN_MEMORY : ANY;
        config c = make_config(i % 2 == 0 ? crowded[i / 2 % 5] : ANY, (int)(i % LAYOUTS), place,
                               ANY, &random);
        recording r;
        if (i % 4 < 2) c.rows += 1000;
        if (i % 8 == 3 && c.kind != F64X8) c.rows = 140000;     /* large columns */
        r = make_recording(&c);
        check_hostile_tables(&r, 9, &random);
        drop_recording(&r);
    }
}

/* The same in TABLE records, which are taken where their checksums and sizes are right. */
static void hostile_table_records(void) {
    uint64_t rounds = test_rounds(25, 400), random = seed + 9, i, at, taken = 0;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        config c = make_config(ANY, (int)(i % 2), ANY_IMAGE, ANY, &random);
        recording r;
        mend_record table;
        ssti_table *t;
        uint64_t how = test_below(&random, 5);
        c.rows += 1000;
        r = begin_recording(&c);
        append_up_to(&r, c.rows);
        take_image(&r);
        CHECK(mend_find(r.image, r.size, MEND_TABLE, 1, 0, &table));
        for (at = 64; at < table.size && how != 0; at++) {
            uint8_t *p = r.image + table.payload + at;
            if (how == 4 && test_below(&random, 40) != 0) continue;
            *p = how == 2 ? 0xFF : how == 3 ? 0 : (uint8_t)test_random(&random);
        }
        if (how == 0) {                             /* a number of its head */
            at = test_below(&random, 37);
            r.image[table.payload + at] = (uint8_t)test_random(&random);
        }
        if (table.size != 0) mend_payload(r.image, &table);
        open_image(&r);
        t = table_of(&r);
        taken += t != NULL && t->entries != t->memory;      /* not made anew */
        check_everything(&r, c.seed, 8);
        drop_recording(&r);
    }
    CHECK(taken > rounds / 3);
}

/* --- damage ---------------------------------------------------------------------------------- */

static void mark_rows(recording *r, uint64_t first, uint64_t count, int what) {
    uint64_t i;
    for (i = first; i < first + count && i < r->count; i++) r->state[i] |= (uint8_t)what;
    r->damaged = true;
}

static bool find_column(const recording *r, const mend_record *block, uint32_t kind,
                        mend_column *c) {
    uint32_t i;
    for (i = 0; i < mend_columns(r->image, block); i++) {
        if (mend_column_at(r->image, block, i, c) && c->kind == kind) return true;
    }
    CHECK(!"no such column");
    return false;
}

static void flip_bit(recording *r, uint64_t at, uint64_t *random) {
    r->image[at] = (uint8_t)(r->image[at] ^ 1u << test_below(random, 8));
}

/* A bit in the time or value column of a block that was not looked at. */
static void damage_block(recording *r, uint32_t block, uint64_t *random) {
    uint32_t kinds = 1 + (uint32_t)test_below(random, 3);
    mend_record b;
    mend_column c;
    if (!mend_find(r->image, r->size, MEND_BLOCK, 1, block, &b)) {
        CHECK(!"no such block");
        return;
    }
    if ((kinds & 1) != 0 && find_column(r, &b, MEND_TIMES, &c)) {
        flip_bit(r, c.start + test_below(random, c.size), random);
        mark_rows(r, b.first_row, b.rows, BAD_TIME);
    }
    if ((kinds & 2) != 0 && find_column(r, &b, MEND_VALUES, &c)) {
        flip_bit(r, c.start + test_below(random, c.size), random);
        mark_rows(r, b.first_row, b.rows, BAD_VALUE);
    }
}

/* A bit flips in a block before it is looked at, and in the others nothing is wrong. By the table
 * in the file, and, where there is none, without one. */
static void damaged_columns(void) {
    uint64_t rounds = test_rounds(30, 500), random = seed + 10, i, k;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        config c = make_config(ANY, (int)(i / 2 % 3), i % 3 == 0 ? IN_ODD_IMAGE : IN_IMAGE, ANY,
                               &random);
        recording r = make_recording(&c);
        uint32_t blocks = mend_count(r.image, r.size, MEND_BLOCK, 1);
        if (i % 4 == 3) r.stream->series->table_offset = 0;
        else CHECK(r.stream->series->table_offset != 0 || (blocks < 8 && c.rows < 16384));
        for (k = 0; k < 1 + i % 3; k++) {
            damage_block(&r, (uint32_t)test_below(&random, blocks), &random);
        }
        check_everything(&r, c.seed, 10);
        drop_recording(&r);
    }
}

/* The rows of a piece of a column. */
static void mark_piece(recording *r, const mend_column *c, uint64_t piece, size_t row_bytes) {
    uint64_t end = (piece + 1) * MEND_PIECE_BYTES;
    uint64_t first = piece * MEND_PIECE_BYTES / row_bytes;
    if (end > c->size) end = c->size;
    mark_rows(r, first, (end + row_bytes - 1) / row_bytes - first,
              c->kind == MEND_TIMES ? BAD_TIME : BAD_VALUE);
}

/* Far from the edges of the piece: what the table says leads to the one side or the other. */
static void check_far_times(recording *r, const uint8_t *state, uint64_t *random) {
    size_t far = 10000;
    int asked;
    for (asked = 0; asked < 200; asked++) {
        size_t row = far + (size_t)test_below(random, r->count - 2 * far);
        bool bad = state[row] != 0;
        sst_view view;
        if (state[row - far] != state[row] || state[row + far] != state[row]) continue;
        if (!bad) {
            check_points(r, r->times[row] + (int64_t)test_below(random, 1000));
            check_window(r, r->times[row - 40], r->times[row + 40], SST_CARRY);
        } else {
            CHECK_INT(sst_at(r->stream, r->times[row], &view), SST_ERR_CORRUPT);
        }
    }
}

/* A flip in one piece costs the rows of this piece and no others. */
static void damaged_pieces(void) {
    uint64_t rounds = test_rounds(3, 30), random = seed + 11, i, k;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        config c = make_config(REGULAR, ONE_BLOCK, IN_IMAGE, i % 3 == 0 ? U8X3 : F64, &random);
        bool times = c.kind == U8X3 || test_below(&random, 2) == 0;
        recording r;
        mend_record b;
        mend_column column;
        uint64_t at;
        c.rows = c.kind == U8X3 ? 400000 : 300000;
        r = make_recording(&c);
        CHECK(mend_find(r.image, r.size, MEND_BLOCK, 1, 0, &b));
        if (find_column(&r, &b, times ? MEND_TIMES : MEND_VALUES, &column)) {
            at = test_below(&random, column.size);
            flip_bit(&r, column.start + at, &random);
            mark_piece(&r, &column, at / MEND_PIECE_BYTES, times ? 8 : r.of.bytes);
        }
        for (k = 0; k < 3; k++) {
            check_group(&r, 3, 100, &random);
            check_far_times(&r, r.state, &random);
        }
        drop_recording(&r);
    }
}

/* Nothing of a block's header is left; what: what that makes of its rows. Not of the last block. */
static void lose_block(recording *r, uint32_t block, int what) {
    mend_record b;
    if (!mend_find(r->image, r->size, MEND_BLOCK, 1, block + 1, &b)) return;
    CHECK(mend_find(r->image, r->size, MEND_BLOCK, 1, block, &b));
    memset(r->image + b.offset, 0, 64);
    mark_rows(r, b.first_row, b.rows, what);
}

/* The file is read by hopping then. */
static void break_index(recording *r) {
    uint64_t offset = 64;
    mend_record index;
    while (mend_next(r->image, r->size, &offset, &index)) {
        if (index.type == MEND_INDEX) r->image[index.payload + 100] ^= 4;
    }
}

/* Blocks are gone, not the last: their columns by an INDEX that still has their times, or, where
 * that is damaged too, all that was known of them. */
static void lost_blocks(void) {
    static const int places[] = {IN_IMAGE, IN_FILE, IN_ODD_IMAGE, IN_UNMAPPED_FILE};
    uint64_t rounds = test_rounds(30, 500), random = seed + 12, i, k;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        config c = make_config(ANY, (int)(i / 2 % 2), places[i % 4], ANY, &random);
        int what = i % 3 == 0 ? BAD_TIME | BAD_VALUE : LOST;
        recording r = begin_recording(&c);
        uint32_t blocks;
        append_up_to(&r, c.rows);
        take_image(&r);
        blocks = mend_count(r.image, r.size, MEND_BLOCK, 1);
        for (k = 0; k < 1 + i % 5; k++) {
            lose_block(&r, (uint32_t)test_below(&random, blocks - 1 - k), what);
        }
        if (i % 5 == 0) lose_block(&r, 0, what);
        if (what == LOST) break_index(&r);
        open_image(&r);
        check_everything(&r, c.seed, 10);
        drop_recording(&r);
    }
}

/* A block says that 2^40 rows before it are lost: what is made to search by goes by the rows there
 * are. */
static void far_row_numbers(void) {
    uint64_t random = seed + 17, far = (uint64_t)1 << 40, i;
    int layout;
    for (layout = SMALL_BLOCKS; layout <= LARGE_BLOCKS && test_errors == 0; layout++) {
        config c = make_config(REGULAR, layout, IN_IMAGE, F64, &random);
        recording r;
        mend_record b;
        uint32_t n;
        c.rows += layout == LARGE_BLOCKS ? 5000 : 1000;
        r = begin_recording(&c);
        append_up_to(&r, c.rows);
        take_image(&r);
        n = mend_count(r.image, r.size, MEND_BLOCK, 1);
        CHECK(n > 1 && mend_find(r.image, r.size, MEND_BLOCK, 1, n - 1, &b));
        mend_put(r.image + b.offset + 32, b.first_row + far, 8);
        mend_header(r.image, &b);
        break_index(&r);
        open_image(&r);
        for (i = 0; i < 300; i++) {
            uint64_t row = i % 2 == 0 ? b.first_row + test_below(&random, b.rows)
                                      : test_below(&random, b.first_row);
            sst_view view;
            CHECK_INT(sst_at(r.stream, r.times[row], &view), SST_OK);
            CHECK_INT(view.first_row, row + (i % 2 == 0 ? far : 0));
            if (view.count == 1) CHECK_BYTES(view.values, r.values + row * 8, 8);
        }
        CHECK(table_of(&r) != NULL && table_of(&r)->bytes < 100000);
        drop_recording(&r);
    }
}

/* --- times that are in no order --------------------------------------------------------------- */

static bool in_order(const int64_t *times, size_t n, const int64_t *want) {
    size_t i;
    for (i = 1; i < n; i++) {
        if (times[i] <= times[i - 1]) return false;
    }
    return n == 0 || (times[0] == want[0] && times[n - 1] == want[n - 1]);
}

/* Here and there two that are near each other change places; the first and the last stay. */
static void disorder(int64_t *times, size_t n, uint64_t *random) {
    size_t most = (size_t)1 << (1 + test_below(random, 6)), i, k;
    for (i = 1; i + 2 < n; i += 1 + (size_t)test_below(random, most)) {
        int64_t time = times[i];
        k = i + 1 + (size_t)test_below(random, n - 2 - i < most ? n - 2 - i : most);
        times[i] = times[k];
        times[k] = time;
    }
}

/* Writes other times over those of blocks. found: checksums are mended, so that the times
 * themselves tell; otherwise they become what the plain array says. */
static void spoil_times(recording *r, bool mended, bool found, uint64_t *random) {
    int64_t *made = (int64_t *)take(r->count * 8);
    uint32_t n, i;
    mend_record b;
    mend_column c;
    for (n = 0; mend_find(r->image, r->size, MEND_BLOCK, 1, n, &b); n++) {
        int64_t *times = r->times + b.first_row;
        if (!find_column(r, &b, MEND_TIMES, &c) || b.first_row + b.rows > r->count) continue;
        make_hostile_times(made, b.rows, random);
        if (test_below(random, 2) == 0) {
            memcpy(made, times, c.size);
            disorder(made, b.rows, random);
        }
        if (test_below(random, 4) == 0 && (found || n != 0)) continue;
        if (found && in_order(made, b.rows, times)) continue;
        for (i = 0; i < b.rows; i++) mend_put(r->image + c.start + 8 * i, (uint64_t)made[i], 8);
        if (found) mark_rows(r, b.first_row, b.rows, BAD_TIME);
        else memcpy(times, made, c.size);
        if (mended) mend_block(r->image, &b);
    }
    free(made);
}

static bool allowed(int result) {
    return result == SST_OK || result == SST_ERR_NOT_FOUND || result == SST_ERR_CORRUPT ||
           result == SST_ERR_MEMORY;
}

/* Whatever was found, the rows are the ones that are there. */
static void check_found(const recording *r, int result, const sst_view *view, const char *query) {
    bool inside = view->count <= r->count && view->first_row <= r->count - view->count;
    if (!allowed(result)) test_fail_int(__FILE__, __LINE__, query, result, SST_OK);
    if (result != SST_OK) {
        CHECK_INT(view->count, 0);
        return;
    }
    CHECK(inside);
    if (!inside || view->count == 0) return;
    CHECK_BYTES(view->times + 1, r->times + view->first_row + 1, (view->count - 1) * 8);
    CHECK_BYTES(view->values, r->values + view->first_row * r->of.bytes,
                view->count * r->of.bytes);
}

static void check_found_samples(const recording *r, const batch *b, int how) {
    static const uint8_t none[64] = {0};
    size_t i, bytes = r->of.bytes;
    bool linear = how == SST_SAMPLE_LINEAR;
    uint8_t *values = (uint8_t *)take(b->n * (linear ? r->of.items * 8 : bytes));
    int64_t *rows = (int64_t *)take(b->n * 8);
    int result = sst_sample(r->stream, b->times, b->n, (sst_sampling)how, values, rows);
    CHECK(allowed(result));
    for (i = 0; i < b->n && result == SST_OK; i++) {
        bool inside = rows[i] >= -1 && rows[i] < (int64_t)r->count;
        CHECK(inside);
        if (!inside || linear) continue;
        CHECK_BYTES(values + i * bytes,
                    rows[i] < 0 ? none : r->values + (size_t)rows[i] * bytes, bytes);
    }
    free(values);
    free(rows);
}

static void check_found_everything(const recording *r, uint64_t *random) {
    static batch b;
    sst_view view;
    int i, how;
    for (i = 0; i < 100; i++) {
        int64_t time = make_question(r, random), end = make_question(r, random);
        uint64_t row = 0;
        size_t near = pick_row(r, random);
        int result = sst_at(r->stream, time, &view);
        check_found(r, result, &view, "sst_at");
        if (result == SST_OK) CHECK_INT(view.times[0], r->times[view.first_row]);
        result = sst_window_ex(r->stream, time, end, i % 2 != 0 ? SST_CARRY : 0, &view);
        check_found(r, result, &view, "sst_window_ex");
        time = r->times[near];
        end = r->times[(near + (size_t)test_below(random, 20)) % r->count];
        result = sst_window_ex(r->stream, time, end, i % 4 == 3 ? SST_HALF_OPEN : 0, &view);
        check_found(r, result, &view, "sst_window_ex");
        for (how = SST_AT_OR_BEFORE; how <= SST_EXACT; how++) {
            CHECK(allowed(sst_locate(r->stream, time, (sst_match)how, &row)));
            CHECK(row < r->count);
        }
    }
    for (i = 0; i < 6; i++) {
        make_batch(r, &b, random);
        for (how = SST_SAMPLE_PREVIOUS; how <= SST_SAMPLE_LINEAR; how++) {
            check_found_samples(r, &b, how);
        }
    }
}

/* Checksums are right or not looked at, but the times are in no order: nothing can be demanded but
 * rows that are there, and rows by number. Large columns are searched without a look at all. */
static void hostile_times(void) {
    uint64_t rounds = test_rounds(24, 400), random = seed + 13, i;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        bool large = i % 8 == 7;
        config c = make_config(ANY, (int)(i % LAYOUTS), large ? IN_IMAGE : IN_TRUSTED_IMAGE, ANY,
                               &random);
        recording r;
        if (large) {
            c.rows = 140000;
            c.kind = i % 16 == 15 ? U8X3 : F32;
        }
        r = begin_recording(&c);
        append_up_to(&r, c.rows);
        take_image(&r);
        spoil_times(&r, large, false, &random);
        open_image(&r);
        if (i % 3 == 0) r.stream->series->table_offset = 0;
        check_found_everything(&r, &random);
        if (large) sst_slice(r.stream, 0, r.count, &(sst_view){0});     /* every piece */
        check_found_everything(&r, &random);
        check_group(&r, 3, 20, &random);
        drop_recording(&r);
    }
}

/* In small columns the times are looked at. */
static void times_not_in_order(void) {
    uint64_t rounds = test_rounds(12, 200), random = seed + 15, i;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        int place = i % 4 == 0 ? IN_ODD_IMAGE : i % 4 == 1 ? IN_FILE : IN_IMAGE;
        config c = make_config(ANY, (int)(i / 2 % 3), place, ANY, &random);
        recording r = begin_recording(&c);
        append_up_to(&r, c.rows);
        take_image(&r);
        spoil_times(&r, true, true, &random);
        open_image(&r);
        check_everything(&r, c.seed, 10);
        drop_recording(&r);
    }
}

/* --- the block of a row ----------------------------------------------------------------------- */

/* Every row with every kind of hint. */
static void check_blocks_of_rows(const recording *r, uint64_t *random) {
    ssti_look k = look_at(r);
    uint32_t at = 0, hint, i;
    uint64_t row;
    k.hint = &hint;
    CHECK(k.blocks != 0 && k.sealed <= r->count);
    for (row = 0; row < k.sealed && test_errors == 0; row++) {
        const ssti_block *b = ssti_list_at(k.list, at);
        uint32_t hints[7], block = UINT32_MAX;
        bool there;
        while (at + 1 < k.blocks && ssti_list_at(k.list, at + 1)->first_row <= row) {
            b = ssti_list_at(k.list, ++at);
        }
        there = row >= b->first_row && row - b->first_row < b->rows;
        CHECK_INT(there, !has(r, row, LOST));
        hints[0] = 0;
        hints[1] = at;
        hints[2] = at + 1;
        hints[3] = k.blocks - 1;
        hints[4] = k.blocks;
        hints[5] = UINT32_MAX;
        hints[6] = (uint32_t)test_below(random, k.blocks);
        for (i = 0; i < 7; i++) {
            hint = hints[i];
            CHECK_INT(ssti_block_of_row(&k, row, &block), there ? SST_OK : SST_ERR_CORRUPT);
            if (there) CHECK_INT(block, at);
            CHECK(hint < k.blocks);
        }
    }
}

/* Blocks of 1, 2, 4, ... rows, and the other way round. */
static void append_doubling(recording *r, bool down) {
    size_t rows, end = 0, most = 1;
    while (2 * most - 1 <= r->made.rows / 2) most *= 2;
    for (rows = down ? most : 1; rows != 0 && rows <= most; rows = down ? rows / 2 : rows * 2) {
        end += rows;
        append_up_to(r, end);
        CHECK_INT(sst_flush(r->writer), SST_OK);
    }
    while (end < r->made.rows && down) {
        append_up_to(r, ++end);
        if (end % 2 == 0) CHECK_INT(sst_flush(r->writer), SST_OK);
    }
    r->made.rows = end;
}

static void blocks_of_rows(void) {
    uint64_t rounds = test_rounds(16, 150), random = seed + 14, i, k;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        uint64_t shape = i % 4, lose = test_below(&random, 5);
        config c = make_config(REGULAR, shape < 2 ? (int)shape : LARGE_BLOCKS,
                               i % 8 < 4 ? IN_MEMORY : IN_IMAGE, (int)(i % KINDS), &random);
        recording r;
        if (shape >= 2) c.rows = 1 + (size_t)test_below(&random, 3000);
        r = begin_recording(&c);
        if (shape < 2) append_up_to(&r, c.rows);
        else append_doubling(&r, shape == 3);
        if (c.place == IN_IMAGE) {
            take_image(&r);
            for (k = 0; k < lose; k++) {
                uint32_t n = mend_count(r.image, r.size, MEND_BLOCK, 1);
                lose_block(&r, k == 0 ? 0 : (uint32_t)test_below(&random, n), LOST);
            }
            break_index(&r);
            open_image(&r);
        }
        check_blocks_of_rows(&r, &random);
        if (shape < 2 || c.place == IN_IMAGE) check_everything(&r, c.seed, 3);
        drop_recording(&r);
    }
}

int main(void) {
    seed = test_seed(20);
    TEST_RUN(ranks_in_sorted_arrays);
    TEST_RUN(ranks_in_hostile_arrays);
    TEST_RUN(ranks_at_the_edges);
    TEST_RUN(interpolation);
    TEST_RUN(every_pattern);
    TEST_RUN(quick_ways_are_taken);
    TEST_RUN(any_recording);
    TEST_RUN(while_it_grows);
    TEST_RUN(large_columns);
    TEST_RUN(hostile_tables);
    TEST_RUN(hostile_table_records);
    TEST_RUN(damaged_columns);
    TEST_RUN(damaged_pieces);
    TEST_RUN(lost_blocks);
    TEST_RUN(far_row_numbers);
    TEST_RUN(hostile_times);
    TEST_RUN(times_not_in_order);
    TEST_RUN(blocks_of_rows);
    return test_done("search");
}
