/* Streams of several fields, with tags, without times, or with equal ones: descriptions, every way
 * of appending and of asking, files, crashes, damage. A row is a function of stream and number. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <signal.h>
#include <sys/wait.h>

#include "test.h"
#include "mend.h"
#include "walk.h"

#define FIELDS_MAX 300
#define ROW_MAX 4096u               /* bytes of the largest row's fields */
#define VIEW_MAX 50                 /* rows that are appended as one view */

static char folder[256], path[300], other_path[300];

/* ---- kinds of streams ----------------------------------------------------------------------- */

typedef struct kind {
    const char *name;
    uint32_t fields, flags, lines;
    int64_t step;                   /* times are row / runs * step - 300 */
    uint64_t runs;                  /* rows of one time */
} kind;

#define KINDS 9
static const kind kinds[KINDS] = {
    {"struct", 7, 0, 0, 10, 1},
    {"tagged", 1, SST_TAGGED, 0, 7, 1},
    {"events", 5, SST_TAGGED, 2, 10, 1},
    {"untimed", 1, SST_UNTIMED, 0, 0, 1},
    {"table", 4, SST_UNTIMED | SST_TAGGED, 0, 0, 1},
    {"equal", 1, SST_EQUAL_TIMES, 0, 20, 3},
    {"equal events", 6, SST_EQUAL_TIMES | SST_TAGGED, 0, 5, 4},
    {"equal clocks", 3, SST_EQUAL_TIMES, 3, 9, 70},
    {"wide", FIELDS_MAX, SST_TAGGED, 0, 10, 1},
};

static const struct {
    sst_type type;
    uint32_t shape[2], bytes;
} forms[8] = {
    {SST_F32, {3, 0}, 12}, {SST_F32, {4, 0}, 16}, {SST_I32, {0, 0}, 4}, {SST_U8, {0, 0}, 1},
    {SST_F64, {0, 0}, 8}, {SST_U16, {2, 3}, 12}, {SST_I64, {0, 0}, 8}, {SST_I8, {5, 0}, 5},
};

static uint32_t form_of(int which, uint32_t field) { return (field + (uint32_t)which) % 8; }

static uint32_t bytes_of(int which, uint32_t field) { return forms[form_of(which, field)].bytes; }

/* Fields lie in the caller's structure in the opposite order, with a byte between two. */
static uint32_t offsets_of[KINDS][FIELDS_MAX];

static void make_offsets(void) {
    int which;
    for (which = 0; which < KINDS; which++) {
        uint32_t at = 1, f;
        for (f = kinds[which].fields; f-- > 0; at += bytes_of(which, f) + 1) {
            offsets_of[which][f] = at;
        }
    }
}

static int64_t time_of(int which, uint64_t row) {
    return (int64_t)(row / kinds[which].runs) * kinds[which].step - 300;
}

static int64_t line_of(uint32_t line, uint64_t row) { return (int64_t)(row * 3 + 100 * line); }

/* Rows come in by one way after the other; those of two of them have no tag. */
enum { BY_CELLS, BY_STRUCT, BY_VIEW, BY_ROWS };

static bool wide(int which) { return kinds[which].fields == FIELDS_MAX; }

/* Rows that come in by the same way. */
static uint64_t run_of(int which) { return wide(which) ? 5 : VIEW_MAX; }

/* Of a wide stream, which takes long, there are fewer. */
static uint64_t rows_of(int which, uint64_t rows) { return wide(which) ? rows / 10 : rows; }

static int way_of(int which, uint64_t row) {
    int way = (int)(row / run_of(which) % 4);
    if (way == BY_ROWS && kinds[which].fields != 1) way = BY_STRUCT;
    return way;
}

static uint32_t tag_of(int which, uint64_t row) {
    int way = way_of(which, row);
    if ((kinds[which].flags & SST_TAGGED) == 0 || way == BY_STRUCT || way == BY_ROWS) return 0;
    return (uint32_t)row * 2654435761u + 1;
}

static void value_of(int which, uint64_t row, uint32_t field, uint8_t *to) {
    uint64_t state = (row * 512 + field) * 16 + (uint64_t)which, word = test_random(&state);
    uint32_t bytes = bytes_of(which, field);
    memcpy(to, &word, bytes < 8 ? bytes : 8);
    if (bytes > 8) memcpy(to + 8, (const uint8_t *)&word, bytes - 8);
}

static sst_field described[FIELDS_MAX];
static char names[FIELDS_MAX][24];

/* The description is good until the next one. */
static sst_stream_desc describe(int which) {
    static const char *const lines[SST_MAX_TIMELINES] = {"arrival", "capture", "device", "host"};
    const kind *k = &kinds[which];
    sst_stream_desc desc;
    uint32_t i;
    memset(&desc, 0, sizeof desc);
    memset(described, 0, sizeof described);
    for (i = 0; i < k->fields; i++) {
        snprintf(names[i], sizeof names[i], "field %u", (unsigned)i);
        described[i].name = i % 5 == 4 ? NULL : names[i];
        described[i].type = forms[form_of(which, i)].type;
        memcpy(described[i].shape, forms[form_of(which, i)].shape, 8);
        described[i].offset = offsets_of[which][i];
    }
    desc.name = k->name;
    desc.fields = described;
    desc.field_count = k->fields;
    desc.flags = k->flags;
    desc.time_unit = SST_MICROSECONDS;
    for (i = 0; i < k->lines; i++) desc.timelines[i] = lines[i];
    return desc;
}

static sst_stream *make_or_open(sst_store *store, int which) {
    sst_stream_desc desc = describe(which);
    sst_stream *stream = NULL;
    desc.flags |= SST_OPEN_EXISTING;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

/* ---- appending ------------------------------------------------------------------------------ */

static int append_cells(sst_stream *stream, int which, uint64_t row) {
    static uint8_t values[FIELDS_MAX][16];
    sst_cell cells[FIELDS_MAX];
    int64_t lines[SST_MAX_TIMELINES];
    sst_row r;
    uint32_t i;
    memset(&r, 0, sizeof r);
    for (i = 0; i < kinds[which].fields; i++) {
        value_of(which, row, i, values[i]);
        cells[i].data = values[i];
        cells[i].count = i % 2;
    }
    for (i = 0; i < kinds[which].lines; i++) lines[i] = line_of(i, row);
    r.time = time_of(which, row);
    r.timelines = kinds[which].lines != 0 ? lines : NULL;
    r.tag = tag_of(which, row);
    if (kinds[which].fields == 1 && row % 2 == 0) r.value = values[0];
    else r.cells = cells;
    return sst_append_row(stream, &r);
}

static int append_struct(sst_stream *stream, int which, uint64_t row) {
    static uint8_t bytes[ROW_MAX];
    uint32_t i;
    if (kinds[which].lines != 0) return append_cells(stream, which, row);
    memset(bytes, 0xEE, sizeof bytes);
    for (i = 0; i < kinds[which].fields; i++) {
        value_of(which, row, i, bytes + offsets_of[which][i]);
    }
    return sst_append(stream, time_of(which, row), bytes);
}

/* Columns of rows that are appended at once. */
typedef struct batch {
    int64_t times[VIEW_MAX], lines[SST_MAX_TIMELINES][VIEW_MAX];
    uint32_t tags[VIEW_MAX];
    uint8_t bytes[FIELDS_MAX][VIEW_MAX * 16];
    sst_column columns[FIELDS_MAX];
} batch;

static batch batches;

static void make_view(int which, uint64_t first, uint64_t count, sst_view *view) {
    const kind *k = &kinds[which];
    batch *b = &batches;
    uint64_t r;
    uint32_t i;
    memset(view, 0, sizeof *view);
    for (r = 0; r < count; r++) {
        b->times[r] = time_of(which, first + r);
        b->tags[r] = tag_of(which, first + r);
        for (i = 0; i < k->lines; i++) b->lines[i][r] = line_of(i, first + r);
        for (i = 0; i < k->fields; i++) {
            value_of(which, first + r, i, b->bytes[i] + r * bytes_of(which, i));
        }
    }
    for (i = 0; i < k->fields; i++) {
        b->columns[i].values = b->bytes[i];
        b->columns[i].offsets = NULL;
    }
    for (i = 0; i < k->lines; i++) view->timelines[i] = b->lines[i];
    view->count = count;
    view->times = (k->flags & SST_UNTIMED) == 0 ? b->times : NULL;
    view->tags = (k->flags & SST_TAGGED) != 0 ? b->tags : NULL;
    view->values = b->bytes[0];
    view->columns = b->columns;
    view->column_count = k->fields;
}

static int append_batch(sst_stream *stream, int which, uint64_t first, uint64_t count) {
    sst_view view;
    make_view(which, first, count, &view);
    if (way_of(which, first) == BY_VIEW) return sst_append_view(stream, &view);
    return sst_append_rows(stream, view.times, view.values, (size_t)count);
}

static void append_range(sst_stream *stream, int which, uint64_t first, uint64_t end) {
    uint64_t row = first, count;
    int result;
    while (row < end && test_errors == 0) {
        int way = way_of(which, row);
        count = run_of(which) - row % run_of(which);
        if (count > end - row) count = end - row;
        if (way == BY_CELLS || way == BY_STRUCT) count = 1;
        if (way == BY_CELLS) result = append_cells(stream, which, row);
        else if (way == BY_STRUCT) result = append_struct(stream, which, row);
        else result = append_batch(stream, which, row, count);
        CHECK_INT(result, SST_OK);
        row += count;
    }
    CHECK_INT(sst_rows(stream), end);
}

/* Makes or opens the streams and appends to all of them. */
static void append_all(sst_store *store, uint64_t first, uint64_t end) {
    int which;
    for (which = 0; which < KINDS && test_errors == 0; which++) {
        sst_stream *stream = make_or_open(store, which);
        REQUIRE(stream != NULL);
        append_range(stream, which, rows_of(which, first), rows_of(which, end));
        sst_stream_close(stream);
    }
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void check_row(int which, const sst_view *view, uint64_t at) {
    uint64_t row = view->first_row + at;
    uint8_t want[16];
    uint32_t i;
    if (view->times != NULL) CHECK_INT(view->times[at], time_of(which, row));
    if (view->tags != NULL) CHECK_INT(view->tags[at], tag_of(which, row));
    for (i = 0; i < kinds[which].lines; i++) {
        CHECK_INT(view->timelines[i][at], line_of(i, row));
    }
    i = wide(which) ? (uint32_t)row % 16 : 0;       /* of many fields some */
    for (; i < kinds[which].fields; i += wide(which) ? 16 : 1) {
        uint32_t bytes = bytes_of(which, i);
        value_of(which, row, i, want);
        CHECK_BYTES((const uint8_t *)view->columns[i].values + at * bytes, want, bytes);
    }
}

/* A view has the columns of its stream, and no other. */
static void check_form(int which, const sst_view *view) {
    const kind *k = &kinds[which];
    uint32_t i;
    CHECK((view->times != NULL) == ((k->flags & SST_UNTIMED) == 0));
    CHECK((view->tags != NULL) == ((k->flags & SST_TAGGED) != 0));
    CHECK(view->key_offsets == NULL && view->keys == NULL && view->row_flags == NULL);
    for (i = 0; i < SST_MAX_TIMELINES; i++) {
        CHECK((view->timelines[i] != NULL) == (i < k->lines));
    }
    REQUIRE(view->columns != NULL && view->column_count == k->fields);
    CHECK(view->values == view->columns[0].values && view->offsets == NULL);
    for (i = 0; i < k->fields; i++) {
        CHECK(view->columns[i].values != NULL && view->columns[i].offsets == NULL);
    }
}

static void check_view(int which, const sst_view *view, uint64_t first, uint64_t count) {
    uint64_t i;
    CHECK_INT(view->count, count);
    check_form(which, view);
    if (count == 0 || view->count != count) return;
    CHECK_INT(view->first_row, first);
    for (i = 0; i < count && test_errors == 0; i++) check_row(which, view, i);
}

static void check_slice(sst_stream *stream, int which, uint64_t first, uint64_t count) {
    sst_view view;
    CHECK_INT(sst_slice(stream, first, count, &view), SST_OK);
    if (test_errors == 0) check_view(which, &view, first, count);
}

/* Fields one by one, rows in any order. */
static void check_fields(sst_stream *stream, int which, uint64_t rows) {
    int64_t wanted[5];
    uint8_t values[5 * 16], want[16];
    uint32_t i, k, bytes;
    wanted[0] = (int64_t)rows - 1;
    wanted[1] = -1;
    wanted[2] = 0;
    wanted[3] = (int64_t)rows / 2;
    wanted[4] = (int64_t)rows / 3;
    for (i = 0; i < kinds[which].fields && test_errors == 0; i += 1 + i / 8) {
        bytes = bytes_of(which, i);
        CHECK_INT(sst_gather_field(stream, i, wanted, 5, values), SST_OK);
        for (k = 0; k < 5; k++) {
            memset(want, 0, sizeof want);
            if (wanted[k] >= 0) value_of(which, (uint64_t)wanted[k], i, want);
            CHECK_BYTES(values + k * bytes, want, bytes);
        }
        CHECK_INT(sst_gather_field(stream, i, wanted, 1, NULL), SST_OK);
    }
    CHECK_INT(sst_gather_field(stream, kinds[which].fields, wanted, 1, values), SST_ERR_ARG);
    CHECK_INT(sst_gather_field(stream, UINT32_MAX, wanted, 1, values), SST_ERR_ARG);
}

/* The last row at or before a time; -1: none. */
static int64_t row_at(int which, uint64_t rows, int64_t time) {
    int64_t row = (int64_t)rows - 1;
    while (row >= 0 && time_of(which, (uint64_t)row) > time) row--;
    return row;
}

static void check_time(sst_stream *stream, int which, uint64_t rows, int64_t time) {
    uint32_t last = kinds[which].fields - 1, bytes = bytes_of(which, last);
    int64_t row = row_at(which, rows, time), before, got = -7;
    uint8_t value[16], want[16];
    sst_view view;
    memset(want, 0, sizeof want);
    if (row >= 0) value_of(which, (uint64_t)row, last, want);
    CHECK_INT(sst_sample_field(stream, last, &time, 1, SST_SAMPLE_PREVIOUS, value, &got), SST_OK);
    CHECK_INT(got, row);
    CHECK_BYTES(value, want, bytes);
    CHECK_INT(sst_at(stream, time, &view), row < 0 ? SST_ERR_NOT_FOUND : SST_OK);
    if (row >= 0) check_view(which, &view, (uint64_t)row, 1);
    else CHECK_INT(view.count, 0);
    before = row_at(which, rows, time - 100);
    CHECK_INT(sst_window_ex(stream, time - 100, time, SST_HALF_OPEN, &view), SST_OK);
    got = row_at(which, rows, time - 1);
    if (row_at(which, rows, time - 101) == before) {
        check_view(which, &view, (uint64_t)(before + 1), (uint64_t)(got - before));
    }
}

static void refuses_times(sst_stream *stream) {
    int64_t time = 0, row = -7, rows[1];
    uint8_t value[16];
    uint64_t number = 77;
    sst_replay *replay;
    sst_view view;
    CHECK_INT(sst_locate(stream, 0, SST_AT_OR_BEFORE, &number), SST_ERR_STATE);
    CHECK_INT(number, 77);
    CHECK_INT(sst_at(stream, 0, &view), SST_ERR_STATE);
    CHECK_INT(sst_window(stream, 0, 1, &view), SST_ERR_STATE);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_window_ex(stream, 0, 1, SST_CARRY, &view), SST_ERR_STATE);
    CHECK_INT(sst_sample(stream, &time, 1, SST_SAMPLE_NEAREST, NULL, &row), SST_ERR_STATE);
    CHECK_INT(sst_sample_field(stream, 0, &time, 1, SST_SAMPLE_EXACT, value, NULL), SST_ERR_STATE);
    CHECK_INT(row, -7);
    CHECK_INT(sst_snapshot(&stream, 1, 0, &view), SST_ERR_STATE);
    CHECK_INT(sst_snapshot_rows(&stream, 1, &time, 1, rows), SST_ERR_STATE);
    CHECK_INT(sst_replay_open(&stream, 1, 0, &replay), SST_ERR_STATE);
    CHECK(replay == NULL);
    CHECK_INT(sst_gather(stream, &time, 1, value, &row), SST_ERR_STATE);
    CHECK_INT(sst_gather(stream, &time, 1, value, NULL), SST_OK);
}

static void check_stream(sst_stream *stream, int which, uint64_t rows) {
    int64_t first = 7, last = 7;
    uint64_t i, n = 99;
    CHECK_INT(sst_rows(stream), rows);
    CHECK_INT(sst_stream_info(stream, NULL, &n, &first, &last), SST_OK);
    CHECK_INT(n, rows);
    check_slice(stream, which, 0, rows);
    check_slice(stream, which, rows, 0);
    if (rows == 0) return;
    check_slice(stream, which, rows / 3, rows / 2);
    for (i = 0; i < rows && test_errors == 0; i += 1 + rows / 9) check_slice(stream, which, i, 1);
    check_fields(stream, which, rows);
    if ((kinds[which].flags & SST_UNTIMED) != 0) {
        CHECK(first == 0 && last == 0);
        refuses_times(stream);
        return;
    }
    CHECK_INT(first, time_of(which, 0));
    CHECK_INT(last, time_of(which, rows - 1));
    for (i = 0; i < rows && test_errors == 0; i += 1 + rows / 7) {
        check_time(stream, which, rows, time_of(which, i));
        check_time(stream, which, rows, time_of(which, i) + 1);
    }
    check_time(stream, which, rows, first - 1);
    check_time(stream, which, rows, INT64_MAX);
}

static void check_store(sst_store *store, uint64_t rows) {
    int which;
    for (which = 0; which < KINDS && test_errors == 0; which++) {
        sst_stream *stream;
        REQUIRE(sst_stream_open(store, kinds[which].name, &stream) == SST_OK);
        check_stream(stream, which, rows_of(which, rows));
        sst_stream_close(stream);
        if (test_errors != 0) printf("stream %s of %d rows\n", kinds[which].name, (int)rows);
    }
}

static void remove_files(void) {
    static const char *const ends[] = {"", "-live", "-live-new", "-torn"};
    char name[340];
    size_t i;
    for (i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "%s%s", i < 4 ? path : other_path, ends[i % 4]);
        unlink(name);
    }
}

static sst_store *create(const char *where, uint32_t block_bytes, uint32_t flags) {
    sst_options options;
    sst_store *store = NULL;
    memset(&options, 0, sizeof options);
    options.block_bytes = block_bytes;
    options.flags = flags;
    if (where != NULL) remove_files();
    CHECK_INT(sst_create(where, &options, &store), SST_OK);
    return store;
}

static sst_store *open_append(uint32_t block_bytes, uint32_t flags) {
    sst_options options;
    sst_store *store = NULL;
    memset(&options, 0, sizeof options);
    options.block_bytes = block_bytes;
    options.flags = flags;
    CHECK_INT(sst_open_append(path, &options, &store), SST_OK);
    return store;
}

/* ---- descriptions --------------------------------------------------------------------------- */

static int try_create(sst_store *store, const sst_stream_desc *desc) {
    uint32_t before = sst_stream_count(store);
    sst_stream *stream = NULL;
    int result = sst_stream_create(store, desc, &stream);
    CHECK((result == SST_OK) == (stream != NULL));
    if (result != SST_OK) CHECK_INT(sst_stream_count(store), before);
    sst_stream_close(stream);
    return result;
}

static void descriptions_refused(void) {
    sst_store *store = create(NULL, 0, 0);
    sst_stream_desc desc;
    sst_stream *stream;
    REQUIRE(store != NULL);
    desc = describe(0);
    described[3].name = described[1].name;              /* two of one name */
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    described[3].name = described[4].name = "";         /* none is no name */
    CHECK_INT(try_create(store, &desc), SST_OK);
    desc = describe(0);
    desc.name = "x";
    desc.type = SST_F32;                                /* fields are instead of a type */
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    desc.type = (sst_type)0;
    desc.fields = NULL;
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    desc.fields = described;
    desc.field_count = 0;
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    desc.field_count = 7;
    described[6].type = (sst_type)0;
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    described[6].type = (sst_type)(SST_BYTES + 1);
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    described[6].type = SST_TEXT;                       /* text has no shape */
    described[6].shape[0] = 2;
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    described[6].type = SST_I8;
    described[6].shape[0] = 0;
    described[5].flags = SST_TAGGED;                    /* no flag of a field */
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    described[5].flags = 0;
    described[2].name = "\xFF";
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    described[2].name = "ok";
    desc.codec = SST_CODEC_AUTO;
    CHECK_INT(try_create(store, &desc), SST_ERR_UNSUPPORTED);
    desc.codec = SST_CODEC_RAW;
    desc.flags = SST_UNTIMED | SST_EQUAL_TIMES;
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    desc.flags = SST_UNTIMED;
    desc.timelines[0] = "clock";
    CHECK_INT(try_create(store, &desc), SST_ERR_ARG);
    desc.timelines[0] = NULL;
    CHECK_INT(try_create(store, &desc), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_ERR_EXISTS);
    CHECK_INT(sst_close(store), SST_OK);
}

/* 1,024 fields of one byte each are recorded; a field more is refused. */
static void many_fields(void) {
    static sst_field fields[SST_MAX_FIELDS + 1];
    static char texts[SST_MAX_FIELDS + 1][16];
    static uint8_t row[SST_MAX_FIELDS];
    sst_store *store = create(NULL, 0, 0), *again;
    sst_stream_desc desc;
    sst_stream *stream;
    const void *bytes;
    sst_view view;
    size_t size;
    uint32_t i;
    memset(&desc, 0, sizeof desc);
    memset(fields, 0, sizeof fields);
    for (i = 0; i <= SST_MAX_FIELDS; i++) {
        snprintf(texts[i], sizeof texts[i], "f%u", (unsigned)i);
        fields[i].name = texts[i];
        fields[i].type = SST_U8;
        fields[i].offset = i;
        if (i < SST_MAX_FIELDS) row[i] = (uint8_t)(i * 7);
    }
    desc.name = "many";
    desc.fields = fields;
    desc.field_count = SST_MAX_FIELDS + 1;
    CHECK_INT(try_create(store, &desc), SST_ERR_LIMIT);
    desc.field_count = SST_MAX_FIELDS;
    REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
    CHECK_INT(sst_append(stream, 1, row), SST_OK);
    CHECK_INT(sst_append(stream, 2, row), SST_OK);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    REQUIRE(sst_open_memory(bytes, size, NULL, &again) == SST_OK);
    REQUIRE(sst_stream_open(again, "many", &stream) == SST_OK);
    CHECK_INT(sst_at(stream, 2, &view), SST_OK);
    REQUIRE(view.column_count == SST_MAX_FIELDS);
    for (i = 0; i < SST_MAX_FIELDS; i++) {
        CHECK_INT(*(const uint8_t *)view.columns[i].values, row[i]);
    }
    CHECK_INT(sst_close(again), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* So many small columns make a large block of few bytes, for which there has to be room in front of
 * a half that becomes one. */
static void many_fields_in_a_file(void) {
    static sst_field fields[SST_MAX_FIELDS];
    static char texts[SST_MAX_FIELDS][16];
    static uint8_t row[SST_MAX_FIELDS];
    sst_store *store = create(path, 0, SST_NO_LIVE);
    sst_stream_desc desc;
    sst_stream *stream;
    sst_view view;
    int64_t i;
    memset(&desc, 0, sizeof desc);
    memset(fields, 0, sizeof fields);
    for (i = 0; i < SST_MAX_FIELDS; i++) {
        snprintf(texts[i], sizeof texts[i], "f%d", (int)i);
        fields[i].name = texts[i];
        fields[i].type = SST_U8;
        fields[i].offset = (uint32_t)i;
    }
    desc.name = "many";
    desc.fields = fields;
    desc.field_count = SST_MAX_FIELDS;
    REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
    for (i = 0; i < 300; i++) {
        memset(row, (int)i & 255, sizeof row);
        CHECK_INT(sst_append(stream, i, row), SST_OK);
    }
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open(path, NULL, &store) == SST_OK);
    REQUIRE(sst_stream_open(store, "many", &stream) == SST_OK);
    REQUIRE(sst_slice(stream, 0, 300, &view) == SST_OK && view.count == 300);
    for (i = 0; i < 300; i++) {
        CHECK_INT(((const uint8_t *)view.columns[i].values)[i], i & 255);
    }
    CHECK_INT(sst_close(store), SST_OK);
}

/* A row has at most 1 GiB, whatever its fields. */
static void large_rows(void) {
    sst_store *store = create(NULL, 0, 0);
    sst_field fields[3];
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    memset(fields, 0, sizeof fields);
    desc.name = "large";
    desc.fields = fields;
    desc.field_count = 3;
    fields[0].type = SST_U8;
    fields[0].shape[0] = SST_MAX_ROW_BYTES / 2;
    fields[1].type = SST_F64;
    fields[1].shape[0] = SST_MAX_ROW_BYTES / 16;
    fields[2].type = SST_BOOL;
    CHECK_INT(try_create(store, &desc), SST_ERR_LIMIT);
    fields[2].shape[0] = fields[2].shape[1] = fields[2].shape[2] = fields[2].shape[3] = UINT32_MAX;
    CHECK_INT(try_create(store, &desc), SST_ERR_LIMIT);
    fields[2].type = SST_F64;
    CHECK_INT(try_create(store, &desc), SST_ERR_LIMIT);
    CHECK_INT(sst_memory_bound(NULL, &desc, 1), 0);
    desc.field_count = 2;                               /* exactly so large */
    CHECK_INT(try_create(store, &desc), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* What differs in type comes before what differs in shape, and that before the rest. */
static void existing_streams(void) {
    static const int results[] = {SST_OK, SST_ERR_TYPE, SST_ERR_SHAPE, SST_ERR_ARG, SST_ERR_ARG,
        SST_ERR_ARG, SST_ERR_ARG, SST_ERR_ARG, SST_ERR_ARG, SST_ERR_ARG, SST_ERR_TYPE,
        SST_ERR_SHAPE, SST_ERR_TYPE, SST_ERR_SHAPE, SST_OK, SST_ERR_ARG, SST_ERR_SHAPE};
    sst_store *store = create(NULL, 0, 0);
    int i;
    (void)make_or_open(store, 2);
    for (i = 0; i < (int)(sizeof results / sizeof *results); i++) {
        sst_stream_desc desc = describe(2);
        desc.flags |= SST_OPEN_EXISTING;
        if (i == 1 || i == 12) described[4].type = SST_U64;
        if (i == 2 || i == 10 || i == 12 || i == 16) described[0].shape[0] = 2;
        if (i == 3 || i == 13 || i == 16) described[1].name = "another";
        if (i == 4) described[1].name = NULL;
        if (i == 5) desc.flags |= SST_EQUAL_TIMES;
        if (i == 6) desc.flags &= ~(uint32_t)SST_TAGGED;
        if (i == 7) desc.timelines[2] = "third";
        if (i == 8) desc.timelines[0] = "other";
        if (i == 9) desc.field_count--;
        if (i == 10) described[3].type = SST_F32;       /* type and shape */
        if (i == 11 || i == 13) described[3].shape[1] = 4;
        if (i == 11) desc.time_unit = SST_TICKS;        /* shape and unit */
        if (i == 14) described[3].offset += 100;        /* is not compared */
        if (i == 15) desc.time_unit = SST_TICKS;
        CHECK_INT(try_create(store, &desc), results[i]);
        if (test_errors != 0) printf("difference %d\n", i);
    }
    CHECK_INT(sst_stream_count(store), 1);
    CHECK_INT(sst_close(store), SST_OK);
}

static void check_like(const sst_stream_desc *a, const sst_stream_desc *b) {
    uint32_t i;
    CHECK_TEXT(a->name, b->name);
    CHECK_INT(a->flags, b->flags);
    CHECK_INT(a->time_unit, b->time_unit);
    REQUIRE(a->field_count == b->field_count && a->fields != NULL);
    for (i = 0; i < a->field_count; i++) {
        CHECK_TEXT(a->fields[i].name, b->fields[i].name == NULL ? "" : b->fields[i].name);
        CHECK_INT(a->fields[i].type, b->fields[i].type);
        CHECK_BYTES(a->fields[i].shape, b->fields[i].shape, sizeof a->fields[i].shape);
    }
    for (i = 0; i < SST_MAX_TIMELINES; i++) {
        CHECK((a->timelines[i] == NULL) == (b->timelines[i] == NULL));
        if (a->timelines[i] != NULL) CHECK_TEXT(a->timelines[i], b->timelines[i]);
    }
}

/* What sst_stream_info tells makes a like stream, and opens the same one. */
static void info_describes(void) {
    sst_store *store = create(NULL, 0, 0), *second = create(NULL, 0, 0);
    int which;
    for (which = 0; which < KINDS && test_errors == 0; which++) {
        sst_stream *stream = make_or_open(store, which), *like = NULL;
        sst_stream_desc want = describe(which), desc, again;
        sst_view view;
        REQUIRE(stream != NULL);
        CHECK_INT(sst_stream_info(stream, &desc, NULL, NULL, NULL), SST_OK);
        check_like(&desc, &want);
        REQUIRE(sst_stream_create(second, &desc, &like) == SST_OK);
        CHECK_INT(sst_stream_info(like, &again, NULL, NULL, NULL), SST_OK);
        check_like(&again, &want);
        append_range(stream, which, 0, 130);
        CHECK_INT(sst_slice(stream, 0, 130, &view), SST_OK);
        CHECK_INT(sst_append_view(like, &view), SST_OK);
        check_stream(like, which, 130);
        desc.flags |= SST_OPEN_EXISTING;
        CHECK_INT(try_create(store, &desc), SST_OK);
    }
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_close(second), SST_OK);
}

/* ---- appending ------------------------------------------------------------------------------ */

/* Every kind, in memory, with small blocks, large ones, and blocks that a row does not fit into. */
static void in_memory(void) {
    static const uint32_t sizes[3] = {512, 4096, 0};
    const void *bytes;
    sst_store *store, *image;
    size_t size;
    int i;
    for (i = 0; i < 4 && test_errors == 0; i++) {
        store = create(NULL, sizes[i % 3], 0);
        REQUIRE(store != NULL);
        append_all(store, 0, 210);
        check_store(store, 210);
        if (i % 2 == 0) CHECK_INT(sst_flush(store), SST_OK);
        append_all(store, 210, 260);
        check_store(store, 260);
        CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
        REQUIRE(sst_open_memory(bytes, size, NULL, &image) == SST_OK);
        check_store(image, 260);
        CHECK_INT(sst_verify(image, NULL), SST_OK);
        walk_store(image);
        CHECK_INT(sst_close(image), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Within what sst_memory_bound says, and not a byte is lost. */
static void bounded_memory(void) {
    int which;
    for (which = 0; which < KINDS && test_errors == 0; which++) {
        sst_stream_desc desc = describe(which);
        sst_options options;
        sst_allocator allocator;
        sst_stream *stream;
        sst_store *store;
        sst_arena arena;
        memset(&options, 0, sizeof options);
        memset(&arena, 0, sizeof arena);
        options.block_bytes = 16384;
        arena.size = sst_memory_bound(&options, &desc, 1);
        REQUIRE(arena.size != 0);
        arena.memory = malloc(arena.size);
        REQUIRE(arena.memory != NULL);
        allocator = sst_arena_allocator(&arena);
        options.allocator = &allocator;
        CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
        CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
        CHECK_INT(append_cells(stream, which, 0), SST_OK);
        CHECK_INT(append_cells(stream, which, 1), SST_OK);
        CHECK_INT(sst_rows(stream), 2);
        if (!wide(which)) CHECK_INT(sst_flush(store), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        free(arena.memory);
    }
}

static void refused_rows(sst_stream *stream) {
    sst_cell cells[5];
    int64_t lines[2] = {1, 2};
    uint8_t value[16] = {0};
    sst_row row;
    uint32_t i;
    memset(&row, 0, sizeof row);
    for (i = 0; i < 5; i++) {
        cells[i].data = value;
        cells[i].count = 1;
    }
    row.time = 1000000;
    row.timelines = lines;
    CHECK_INT(sst_append_row(stream, NULL), SST_ERR_ARG);
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ARG);       /* neither */
    row.value = value;
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ARG);       /* one value for five */
    row.cells = cells;
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ARG);       /* both */
    row.value = NULL;
    row.timelines = NULL;
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ARG);
    row.timelines = lines;
    row.key.kind = SST_KEY_I64;
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ARG);
    row.key.kind = 0;
    row.flags = SST_ROW_REMOVED;
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ARG);
    row.flags = 0;
    cells[4].data = NULL;
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ARG);
    cells[4].data = value;
    cells[3].count = 2;
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_SHAPE);
    cells[3].count = 0;
    row.time = time_of(2, 9);
    CHECK_INT(sst_append_row(stream, &row), SST_ERR_ORDER);     /* the time of the last row */
}

static void refused_views(sst_stream *stream, int which) {
    static const uint32_t offsets[2] = {0, 1};
    sst_view good, view;
    make_view(which, 10, 5, &good);
    view = good;
    CHECK_INT(sst_append_view(stream, NULL), SST_ERR_ARG);
    view.times = view.times == NULL ? batches.times : NULL;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view = good;
    view.tags = view.tags == NULL ? batches.tags : NULL;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view = good;
    view.timelines[kinds[which].lines] = batches.times;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view.timelines[kinds[which].lines] = NULL;
    if (kinds[which].lines != 0) {
        view.timelines[kinds[which].lines - 1] = NULL;
        CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    }
    view = good;
    view.column_count++;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view.key_offsets = offsets;
    view.column_count--;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view.key_offsets = NULL;
    batches.columns[0].offsets = offsets;
    view.offsets = offsets;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view.offsets = batches.columns[0].offsets = NULL;
    batches.columns[0].values = view.values = NULL;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    if (kinds[which].fields > 1) {
        batches.columns[0].values = view.values = batches.bytes[0];
        view.columns = NULL;
        CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    }
    view.count = 0;
    CHECK_INT(sst_append_view(stream, &view), SST_OK);
    if ((kinds[which].flags & SST_UNTIMED) != 0) return;
    make_view(which, 10, 5, &good);
    batches.times[4] = batches.times[3] - 1;        /* all times are looked at first */
    CHECK_INT(sst_append_view(stream, &good), SST_ERR_ORDER);
}

/* Scalar and packed rows, where they do not fit. */
static void refused_scalars(sst_stream *stream, int which) {
    int64_t times[2] = {1000000, 1000001};
    uint8_t values[64] = {0};
    bool clocks = kinds[which].lines != 0;
    if (kinds[which].fields > 1) {
        CHECK_INT(sst_append_rows(stream, times, values, 2), clocks ? SST_ERR_ARG : SST_ERR_SHAPE);
    } else {
        CHECK_INT(sst_append_rows(stream, times, NULL, 2), SST_ERR_ARG);
        if ((kinds[which].flags & SST_UNTIMED) == 0) {
            CHECK_INT(sst_append_rows(stream, NULL, values, 2), SST_ERR_ARG);
            times[0] = times[1] + 1;
            CHECK_INT(sst_append_rows(stream, times, values, 2), SST_ERR_ORDER);
        }
    }
    if (described[0].shape[0] != 0 || kinds[which].fields > 1) {
        CHECK(sst_append_f32(stream, 1000000, 1) != SST_OK);
        CHECK(sst_append_i32(stream, 1000000, 1) != SST_OK);
    }
    CHECK_INT(sst_append_bool(stream, 1000000, true), SST_ERR_TYPE);
    CHECK_INT(sst_append(stream, 1000000, NULL), SST_ERR_ARG);
    if (clocks) CHECK_INT(sst_append(stream, 1000000, values), SST_ERR_ARG);
}

/* Whatever is refused adds nothing. */
static void refusals(void) {
    sst_store *store = create(NULL, 512, 0);
    int which;
    for (which = 0; which < KINDS && test_errors == 0; which++) {
        sst_stream *stream = make_or_open(store, which), *second;
        uint64_t more = wide(which) ? 20 : 120;
        sst_view view;
        REQUIRE(stream != NULL);
        append_range(stream, which, 0, 10);
        if (which == 2) refused_rows(stream);
        refused_views(stream, which);
        refused_scalars(stream, which);
        CHECK_INT(sst_rows(stream), 10);
        REQUIRE(sst_stream_open(store, kinds[which].name, &second) == SST_OK);
        CHECK_INT(append_cells(second, which, 10), SST_ERR_STATE);
        CHECK_INT(append_struct(second, which, 10), SST_ERR_STATE);
        make_view(which, 10, 5, &view);
        CHECK_INT(sst_append_view(second, &view), SST_ERR_STATE);
        append_range(stream, which, 10, more);
        check_stream(second, which, more);
        CHECK_INT(sst_stream_finish(stream), SST_OK);
        CHECK_INT(append_cells(stream, which, more), SST_ERR_FINISHED);
        CHECK_INT(append_struct(stream, which, more), SST_ERR_FINISHED);
        CHECK_INT(sst_append_view(stream, &view), SST_ERR_FINISHED);
        check_stream(stream, which, more);
    }
    CHECK_INT(sst_close(store), SST_OK);
}

/* A handle of sst_stream_open knows no offsets; cells and views go in. */
static void handles_without_offsets(void) {
    sst_store *store = create(NULL, 0, 0);
    sst_stream *stream, *writer;
    sst_view view;
    uint8_t bytes[256] = {0};
    sst_stream_close(make_or_open(store, 0));
    REQUIRE(sst_stream_open(store, kinds[0].name, &stream) == SST_OK);
    CHECK_INT(sst_append(stream, 0, bytes), SST_ERR_STATE);
    CHECK_INT(append_cells(stream, 0, 0), SST_OK);
    make_view(0, 1, 10, &view);
    CHECK_INT(sst_append_view(stream, &view), SST_OK);
    CHECK_INT(sst_append(stream, 1000000, bytes), SST_ERR_STATE);
    CHECK_INT(sst_rows(stream), 11);
    sst_stream_close(stream);
    writer = make_or_open(store, 0);                    /* gives the offsets again */
    append_range(writer, 0, 11, 60);
    check_stream(writer, 0, 60);
    sst_stream_close(make_or_open(store, 3));
    REQUIRE(sst_stream_open(store, kinds[3].name, &stream) == SST_OK);
    value_of(3, 0, 0, bytes);                           /* of one field: the value itself */
    CHECK_INT(sst_append(stream, 77, bytes), SST_OK);
    check_stream(stream, 3, 1);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Scalars, and a check of the type of a row, on tagged, untimed and equally timed streams. */
static void scalars(void) {
    static const uint32_t flags[4] = {SST_TAGGED, SST_UNTIMED, SST_EQUAL_TIMES,
                                      SST_TAGGED | SST_EQUAL_TIMES};
    static const char *const texts[4] = {"a", "b", "c", "d"};
    sst_store *store = create(NULL, 512, 0);
    double value = 3;
    sst_stream_desc desc;
    sst_stream *stream;
    sst_view view;
    sst_row row;
    int i, r;
    memset(&desc, 0, sizeof desc);
    desc.type = SST_F64;
    for (i = 0; i < 4 && test_errors == 0; i++) {
        desc.name = texts[i];
        desc.flags = flags[i];
        REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
        for (r = 0; r < 200; r++) CHECK_INT(sst_append_f64(stream, r, r), SST_OK);
        CHECK_INT(sst_append_f64(stream, 198, 1), i == 1 ? SST_OK : SST_ERR_ORDER);
        CHECK_INT(sst_append_f64(stream, 199, 1), i == 0 ? SST_ERR_ORDER : SST_OK);
        CHECK_INT(sst_append_i64(stream, 300, 1), SST_ERR_TYPE);
        memset(&row, 0, sizeof row);
        row.time = 500;
        row.tag = i % 3 == 0 ? 9 : 0;
        row.value = &value;
        row.count = 1;
        row.type = SST_I64;
        CHECK_INT(sst_append_row(stream, &row), SST_ERR_TYPE);
        row.type = SST_F64;
        row.shape[0] = 1;
        CHECK_INT(sst_append_row(stream, &row), SST_ERR_SHAPE);
        row.shape[0] = 0;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
        row.time++;
        row.tag = 9;
        CHECK_INT(sst_append_row(stream, &row), i % 3 == 0 ? SST_OK : SST_ERR_ARG);
        CHECK_INT(sst_slice(stream, 0, 200, &view), SST_OK);
        for (r = 0; r < 200 && view.count == 200; r++) {
            CHECK(((const double *)view.values)[r] == r);
            if (view.tags != NULL) CHECK_INT(view.tags[r], 0);
        }
        CHECK_INT(sst_at(stream, 1000, &view), i == 1 ? SST_ERR_STATE : SST_OK);
        if (i % 3 == 0) CHECK_INT(view.tags[0], 9);
    }
    CHECK_INT(sst_close(store), SST_OK);
}

/* A thousand rows at once on a tagged stream: into tails, and where a row is too large for one. */
static void rows_of_no_tag(void) {
    static const uint32_t sizes[3] = {0, 4096, 512};
    static int32_t values[1000][40];
    static int64_t times[1000];
    int i, r;
    for (r = 0; r < 1000; r++) {
        times[r] = r * 5;
        for (i = 0; i < 40; i++) values[r][i] = r * 40 + i;
    }
    for (i = 0; i < 12 && test_errors == 0; i++) {
        uint32_t flags = SST_TAGGED | (i % 2 == 0 ? (uint32_t)SST_UNTIMED : 0);
        sst_store *store = create(i < 6 ? NULL : path, sizes[i / 2 % 3], 0);
        sst_stream_desc desc;
        sst_stream *stream;
        sst_view view;
        memset(&desc, 0, sizeof desc);
        desc.name = "s";
        desc.type = SST_I32;
        desc.shape[0] = 40;
        desc.flags = flags;
        REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
        CHECK_INT(sst_append_rows(stream, i % 2 == 0 ? NULL : times, values, 1000), SST_OK);
        CHECK_INT(sst_rows(stream), 1000);
        CHECK_INT(sst_slice(stream, 0, 1000, &view), SST_OK);
        REQUIRE(view.count == 1000 && view.tags != NULL);
        for (r = 0; r < 1000; r++) CHECK_INT(view.tags[r], 0);
        CHECK_BYTES(view.values, values, sizeof values);
        if (i % 2 != 0) CHECK_BYTES(view.times, times, sizeof times);
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* ---- views ---------------------------------------------------------------------------------- */

static bool within(const void *p, const void *bytes, size_t size) {
    return (const uint8_t *)p >= (const uint8_t *)bytes &&
           (const uint8_t *)p < (const uint8_t *)bytes + size;
}

/* In one block every column is lent from where it lies; across blocks and in the tail none is. */
static void views(void) {
    int which;
    for (which = 0; which < KINDS && test_errors == 0; which++) {
        sst_store *store = create(NULL, 0, 0), *image;
        sst_stream *stream = make_or_open(store, which);
        const void *bytes;
        sst_view view;
        size_t size;
        uint32_t n = wide(which) ? 2 : 20, i;     /* fit into a tail of 16 KiB */
        REQUIRE(stream != NULL);
        append_range(stream, which, 0, n);
        CHECK_INT(sst_flush(store), SST_OK);
        append_range(stream, which, n, 2 * n);
        CHECK_INT(sst_slice(stream, 0, n, &view), SST_OK);
        CHECK(view.stable);
        CHECK_INT(sst_slice(stream, n / 2, n, &view), SST_OK);
        CHECK(!view.stable);
        check_view(which, &view, n / 2, n);
        CHECK_INT(sst_slice(stream, n + 1, n / 2, &view), SST_OK);
        CHECK(!view.stable);
        check_view(which, &view, n + 1, n / 2);
        CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
        REQUIRE(sst_open_memory(bytes, size, NULL, &image) == SST_OK);
        REQUIRE(sst_stream_open(image, kinds[which].name, &stream) == SST_OK);
        CHECK_INT(sst_slice(stream, n + 1, n / 2, &view), SST_OK);
        CHECK(view.stable);
        check_view(which, &view, n + 1, n / 2);
        if (view.times != NULL) CHECK(within(view.times, bytes, size));
        if (view.tags != NULL) CHECK(within(view.tags, bytes, size));
        for (i = 0; i < view.column_count; i++) {
            CHECK(within(view.columns[i].values, bytes, size));
        }
        CHECK_INT(sst_slice(stream, n / 2, n, &view), SST_OK);
        CHECK(!view.stable);
        check_view(which, &view, n / 2, n);
        if (view.tags != NULL) CHECK(!within(view.tags, bytes, size));
        CHECK_INT(sst_close(image), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Linear samples of any field; bool has none. */
static void samples_of_fields(void) {
    sst_store *store = create(NULL, 512, 0);
    struct { float at[3]; bool on; int16_t count; } value;
    int64_t times[4] = {-5, 5, 12, 9999}, rows[4];
    sst_field fields[3];
    sst_stream_desc desc;
    sst_stream *stream;
    double linear[12];
    int i;
    memset(&desc, 0, sizeof desc);
    memset(fields, 0, sizeof fields);
    fields[0].type = SST_BOOL;
    fields[0].offset = offsetof(__typeof__(value), on);
    fields[1].type = SST_F32;
    fields[1].shape[0] = 3;
    fields[1].offset = offsetof(__typeof__(value), at);
    fields[2].type = SST_I16;
    fields[2].offset = offsetof(__typeof__(value), count);
    desc.name = "s";
    desc.fields = fields;
    desc.field_count = 3;
    REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
    memset(&value, 0, sizeof value);
    for (i = 0; i < 100; i++) {
        value.at[0] = (float)i;
        value.at[1] = (float)(-2 * i);
        value.at[2] = 7;
        value.count = (int16_t)(i * 100);
        value.on = i % 2 != 0;
        CHECK_INT(sst_append(stream, i * 10, &value), SST_OK);
    }
    CHECK_INT(sst_sample_field(stream, 1, times, 4, SST_SAMPLE_LINEAR, linear, rows), SST_OK);
    CHECK(rows[0] == -1 && rows[1] == 0 && rows[2] == 1 && rows[3] == 99);
    CHECK(linear[0] == 0 && linear[1] == 0 && linear[2] == 0);
    CHECK(linear[3] == 0.5 && linear[4] == -1 && linear[5] == 7);
    CHECK(linear[9] == 99 && linear[10] == -198 && linear[11] == 7);
    CHECK_INT(sst_sample_field(stream, 2, times, 4, SST_SAMPLE_LINEAR, linear, NULL), SST_OK);
    CHECK(linear[0] == 0 && linear[1] == 50 && linear[2] > 119.99 && linear[2] < 120.01);
    CHECK_INT(sst_sample_field(stream, 0, times, 4, SST_SAMPLE_LINEAR, linear, NULL), SST_ERR_TYPE);
    CHECK_INT(sst_sample(stream, times, 4, SST_SAMPLE_LINEAR, linear, NULL), SST_ERR_TYPE);
    CHECK_INT(sst_sample_field(stream, 3, times, 4, SST_SAMPLE_LINEAR, linear, NULL), SST_ERR_ARG);
    CHECK_INT(sst_sample_field(stream, 1, NULL, 4, SST_SAMPLE_LINEAR, linear, NULL), SST_ERR_ARG);
    CHECK_INT(sst_sample_field(stream, 1, NULL, 0, SST_SAMPLE_LINEAR, linear, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

#define BATCH 300

/* The row that is sampled at a time, and the time it has. */
static int64_t sampled_row(int which, int64_t rows, int64_t time, sst_sampling how) {
    int64_t row = row_at(which, (uint64_t)rows, time), next, gap;
    if (how == SST_SAMPLE_EXACT) {
        return row >= 0 && time_of(which, (uint64_t)row) == time ? row : -1;
    }
    if (how != SST_SAMPLE_NEAREST || row == rows - 1) return row;
    next = row_at(which, (uint64_t)rows, time_of(which, (uint64_t)(row + 1)));
    gap = time_of(which, (uint64_t)next) - time;
    return row < 0 || gap < time - time_of(which, (uint64_t)row) ? next : row;
}

/* Many samples at once, of the last field but one, in order or not. */
static void check_batch(sst_stream *stream, int which, int64_t rows, uint64_t *random) {
    static int64_t times[BATCH], got[BATCH];
    static uint8_t values[BATCH * 16];
    uint32_t n = kinds[which].fields, field = n > 1 ? n - 2 : 0, bytes = bytes_of(which, field);
    int64_t first = time_of(which, 0), span = time_of(which, (uint64_t)rows - 1) - first;
    uint8_t want[16];
    int i, how, sorted;
    for (sorted = 0; sorted < 2; sorted++) {
        for (i = 0; i < BATCH; i++) {
            times[i] = first - 20 + (int64_t)test_below(random, (uint64_t)span + 40);
            if (sorted) times[i] = first - 20 + i * (span + 40) / BATCH;
            if (i % 3 == 0) times[i] = time_of(which, test_below(random, (uint64_t)rows));
        }
        for (how = 0; how < SST_SAMPLE_LINEAR && test_errors == 0; how++) {
            CHECK_INT(sst_sample_field(stream, field, times, BATCH, (sst_sampling)how, values,
                                       got), SST_OK);
            for (i = 0; i < BATCH && test_errors == 0; i++) {
                int64_t row = sampled_row(which, rows, times[i], (sst_sampling)how);
                memset(want, 0, sizeof want);
                if (row >= 0) value_of(which, (uint64_t)row, field, want);
                CHECK_INT(got[i], row);
                CHECK_BYTES(values + (size_t)i * bytes, want, bytes);
            }
        }
    }
}

/* The rows of a window on a clock, which here increases by 3 a row. */
static void check_clock(sst_stream *stream, int which, uint32_t line, uint64_t rows) {
    sst_view view;
    uint64_t row = 0, i;
    for (i = 3; i + 5 < rows && test_errors == 0; i += rows / 5) {
        int64_t time = line_of(line, i);
        CHECK_INT(sst_locate_on(stream, line, time + 1, SST_AT_OR_BEFORE, &row), SST_OK);
        CHECK_INT(row, i);
        CHECK_INT(sst_locate_on(stream, line, time + 1, SST_AT_OR_AFTER, &row), SST_OK);
        CHECK_INT(row, i + 1);
        CHECK_INT(sst_window_on(stream, line, time, time + 9, 0, &view), SST_OK);
        check_view(which, &view, i, 4);
        CHECK_INT(sst_window_on(stream, line, time + 1, time + 9, SST_CARRY, &view), SST_OK);
        CHECK_INT(view.count, 4);
        CHECK_INT(view.first_row, i);
        if (view.count != 0) CHECK_INT(view.timelines[line][0], time + 1);
        if (view.count != 0) CHECK_INT(view.times[0], time_of(which, i));
    }
}

/* In memory with a tail, in a finished file with its tables, in one block. */
static void many_samples_and_clocks(void) {
    static const int of[5] = {0, 1, 2, 6, 7};
    uint64_t random = test_seed(99);
    const int64_t rows = 500;
    int i, where;
    uint32_t line;
    for (i = 0; i < 5 && test_errors == 0; i++) {
        sst_store *store = create(path, 1024, 0);
        sst_stream *stream = make_or_open(store, of[i]);
        sst_options options;
        memset(&options, 0, sizeof options);
        options.flags = SST_SINGLE_BLOCK;
        append_range(stream, of[i], 0, rows);
        for (where = 0; where < 3 && test_errors == 0; where++) {
            if (where == 1) CHECK_INT(sst_compact(store, other_path, &options), SST_OK);
            if (where != 0) {
                CHECK_INT(sst_close(store), SST_OK);
                REQUIRE(sst_open(where == 1 ? path : other_path, NULL, &store) == SST_OK);
                REQUIRE(sst_stream_open(store, kinds[of[i]].name, &stream) == SST_OK);
            }
            check_batch(stream, of[i], rows, &random);
            for (line = 0; line < kinds[of[i]].lines; line++) {
                check_clock(stream, of[i], line, (uint64_t)rows);
            }
        }
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* ---- equal times ---------------------------------------------------------------------------- */

#define EQUAL_ROWS 1200

static int64_t equal_times[EQUAL_ROWS];

/* Rows with a time below, or at most, so large. */
static int64_t rows_below(int64_t n, int64_t time, bool at) {
    int64_t row = 0;
    while (row < n && (equal_times[row] < time || (at && equal_times[row] == time))) row++;
    return row;
}

/* What sst_locate has to say; -1: there is none. */
static int64_t located(int64_t n, int64_t time, sst_match match) {
    int64_t before = rows_below(n, time, true) - 1, after = rows_below(n, time, false);
    if (match == SST_AT_OR_BEFORE) return before;
    if (match == SST_AT_OR_AFTER) return after < n ? after : -1;
    if (match == SST_EXACT) return before >= 0 && equal_times[before] == time ? before : -1;
    if (before < 0) return n == 0 ? -1 : rows_below(n, equal_times[0], true) - 1;
    if (before + 1 == n || time - equal_times[before] <= equal_times[before + 1] - time) {
        return before;
    }
    return rows_below(n, equal_times[before + 1], true) - 1;
}

static void check_equal_window(sst_stream *stream, int64_t n, int64_t start, int64_t end) {
    int64_t first = rows_below(n, start, false), last = rows_below(n, end, true), open;
    sst_view view;
    if (last < first) last = first;
    CHECK_INT(sst_window(stream, start, end, &view), SST_OK);
    CHECK_INT(view.count, last - first);
    if (view.count != 0) CHECK_INT(view.first_row, first);
    open = start < end ? rows_below(n, end, false) : first;
    CHECK_INT(sst_window_ex(stream, start, end, SST_HALF_OPEN, &view), SST_OK);
    CHECK_INT(view.count, open - first);
    CHECK_INT(sst_window_ex(stream, start, end, SST_CARRY, &view), SST_OK);
    if (start <= end && first > 0 && (first == n || equal_times[first] != start)) {
        CHECK_INT(view.count, last - first + 1);
        CHECK_INT(view.first_row, first - 1);
        if (view.count != 0) CHECK_INT(view.times[0], start);
    } else {
        CHECK_INT(view.count, last - first);
    }
}

static void check_equal_time(sst_stream *stream, int64_t n, int64_t time) {
    static const sst_match as[3] = {SST_AT_OR_BEFORE, SST_NEAREST, SST_EXACT};
    static const sst_sampling how[3] = {SST_SAMPLE_PREVIOUS, SST_SAMPLE_NEAREST, SST_SAMPLE_EXACT};
    int64_t want, row, times[3], rows[3];
    double linear;
    int i;
    for (i = 0; i < 4; i++) {
        uint64_t got = 0;
        int result = sst_locate(stream, time, (sst_match)i, &got);
        want = located(n, time, (sst_match)i);
        CHECK_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK);
        if (result == SST_OK) CHECK_INT(got, want);
    }
    for (i = 0; i < 3; i++) {
        int32_t value = 0;
        want = located(n, time, as[i]);
        CHECK_INT(sst_sample(stream, &time, 1, how[i], &value, &row), SST_OK);
        CHECK_INT(row, want);
        CHECK_INT(value, want < 0 ? 0 : want * 3);
        times[0] = times[1] = times[2] = time;          /* several take another way */
        CHECK_INT(sst_sample(stream, times, 3, how[i], NULL, rows), SST_OK);
        CHECK(rows[0] == want && rows[1] == want && rows[2] == want);
    }
    want = located(n, time, SST_AT_OR_BEFORE);
    CHECK_INT(sst_sample(stream, &time, 1, SST_SAMPLE_LINEAR, &linear, &row), SST_OK);
    CHECK_INT(row, want);
    if (want < 0) CHECK(linear == 0);
    else if (want + 1 == n || equal_times[want] == time) CHECK(linear == (double)(want * 3));
    else CHECK(linear > (double)(want * 3) && linear < (double)(want * 3 + 3));
}

static void check_equal(sst_stream *stream, int64_t n, uint64_t *random) {
    int64_t i, time, span = n == 0 ? 1 : equal_times[n - 1] - equal_times[0];
    sst_stream *streams[1];
    int64_t rows[2], times[2];
    for (i = 0; i < 60 && test_errors == 0; i++) {
        time = equal_times[0] - 3 + (int64_t)test_below(random, (uint64_t)span + 7);
        if (i % 2 == 0 && n != 0) time = equal_times[test_below(random, (uint64_t)n)];
        check_equal_time(stream, n, time);
        check_equal_window(stream, n, time, time + (int64_t)test_below(random, 40) - 4);
        times[0] = time;
        times[1] = time + 1;
        streams[0] = stream;
        CHECK_INT(sst_snapshot_rows(streams, 1, times, 2, rows), SST_OK);
        CHECK_INT(rows[0], located(n, times[0], SST_AT_OR_BEFORE));
        CHECK_INT(rows[1], located(n, times[1], SST_AT_OR_BEFORE));
    }
    check_equal_time(stream, n, INT64_MIN);
    check_equal_time(stream, n, INT64_MAX);
}

/* Runs of one time from one row to many blocks, asked against a search from end to end: in tails,
 * in blocks, in a finished file with its tables, and in one large block. */
static void equal_against_model(void) {
    uint64_t random = test_seed(20261), round, rounds = test_rounds(3, 40);
    for (round = 0; round < rounds && test_errors == 0; round++) {
        uint64_t longest = round % 3 == 0 ? 2 : round % 3 == 1 ? 12 : 300;
        int64_t i, time = (int64_t)test_below(&random, 100) - 50;
        sst_store *store = create(path, 512, 0), *image;
        sst_options options;
        sst_stream_desc desc;
        sst_stream *stream;
        memset(&options, 0, sizeof options);
        memset(&desc, 0, sizeof desc);
        desc.name = "s";
        desc.type = SST_I32;
        desc.flags = SST_EQUAL_TIMES;
        REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
        for (i = 0; i < EQUAL_ROWS && test_errors == 0; i++) {
            if (test_below(&random, longest) == 0) time += 1 + (int64_t)test_below(&random, 9);
            equal_times[i] = time;
            CHECK_INT(sst_append_i32(stream, time, (int32_t)(i * 3)), SST_OK);
            if (i == 20 || i == 700) check_equal(stream, i + 1, &random);
        }
        check_equal(stream, EQUAL_ROWS, &random);
        CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(sst_open(path, NULL, &store) == SST_OK);
        REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
        check_equal(stream, EQUAL_ROWS, &random);
        options.flags = SST_SINGLE_BLOCK | SST_REPLACE;
        CHECK_INT(sst_compact(store, other_path, &options), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(sst_open(other_path, NULL, &image) == SST_OK);
        REQUIRE(sst_stream_open(image, "s", &stream) == SST_OK);
        check_equal(stream, EQUAL_ROWS, &random);
        CHECK_INT(sst_close(image), SST_OK);
    }
}

/* ---- several streams ------------------------------------------------------------------------ */

#define REPLAYED 4
#define REPLAY_ROWS 130

static const int replayed[REPLAYED] = {6, 0, 5, 7};

typedef struct place {
    int64_t time;
    size_t stream;
    uint64_t row;
} place;

static int place_order(const void *a, const void *b) {
    const place *x = (const place *)a, *y = (const place *)b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    if (x->stream != y->stream) return x->stream < y->stream ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static place merged[REPLAYED * REPLAY_ROWS];

/* The row at a place of the merged order is what the replay gave. */
static void check_place(int result, size_t at, size_t stream, const sst_view *view) {
    if (at >= REPLAYED * REPLAY_ROWS) {
        CHECK_INT(result, SST_ERR_NOT_FOUND);
        CHECK_INT(view->count, 0);
        return;
    }
    CHECK_INT(result, SST_OK);
    CHECK_INT(stream, merged[at].stream);
    if (test_errors == 0) check_view(replayed[stream], view, merged[at].row, 1);
}

static void walk_replay(sst_replay *replay, uint64_t *random) {
    const size_t n = REPLAYED * REPLAY_ROWS;
    size_t at, stream, i, k;
    sst_view view;
    int result;
    for (at = 0; at <= n && test_errors == 0; at++) {
        result = sst_replay_next(replay, &stream, &view);
        check_place(result, at, stream, &view);
    }
    for (at = n; at-- > 0 && test_errors == 0;) {
        result = sst_replay_prev(replay, &stream, &view);
        check_place(result, at, stream, &view);
    }
    CHECK_INT(sst_replay_prev(replay, &stream, &view), SST_ERR_NOT_FOUND);
    for (i = 0; i < 40 && test_errors == 0; i++) {
        int64_t time = merged[test_below(random, n)].time + (int64_t)(i % 3) - 1;
        for (at = 0; at < n && merged[at].time < time; at++) { }
        CHECK_INT(sst_replay_seek(replay, time), SST_OK);
        for (k = 0; k < 30 && test_errors == 0; k++) {
            if (test_below(random, 3) != 0) {
                result = sst_replay_next(replay, &stream, &view);
                check_place(result, at, stream, &view);
                if (at < n) at++;
            } else if (at > 0) {
                result = sst_replay_prev(replay, &stream, &view);
                check_place(result, --at, stream, &view);
            }
        }
    }
}

static void check_snapshots(sst_stream **streams, uint64_t *random) {
    int64_t times[8], rows[8 * REPLAYED];
    sst_view seen[REPLAYED];
    size_t i, k;
    for (i = 0; i < 8; i++) {
        times[i] = merged[test_below(random, REPLAYED * REPLAY_ROWS)].time + (int64_t)(i % 3) - 1;
    }
    times[7] = INT64_MIN;
    CHECK_INT(sst_snapshot_rows(streams, REPLAYED, times, 8, rows), SST_OK);
    for (i = 0; i < 8; i++) {
        CHECK_INT(sst_snapshot(streams, REPLAYED, times[i], seen), SST_OK);
        for (k = 0; k < REPLAYED && test_errors == 0; k++) {
            int64_t row = row_at(replayed[k], REPLAY_ROWS, times[i]);
            CHECK_INT(rows[i * REPLAYED + k], row);
            if (row >= 0) check_view(replayed[k], &seen[k], (uint64_t)row, 1);
            else CHECK_INT(seen[k].count, 0);
        }
    }
}

/* Rows of one time come by stream and then by row, forwards and backwards. */
static void replays_and_snapshots(void) {
    uint64_t random = test_seed(7), row;
    sst_stream *streams[REPLAYED], *untimed;
    sst_store *store = create(NULL, 512, 0);
    sst_replay *replay;
    int64_t times[1] = {0}, rows[2];
    sst_view seen[2];
    size_t i, n = 0;
    for (i = 0; i < REPLAYED; i++) {
        REQUIRE((streams[i] = make_or_open(store, replayed[i])) != NULL);
        append_range(streams[i], replayed[i], 0, REPLAY_ROWS);
        for (row = 0; row < REPLAY_ROWS; row++, n++) {
            merged[n].time = time_of(replayed[i], row);
            merged[n].stream = i;
            merged[n].row = row;
        }
    }
    qsort(merged, n, sizeof *merged, place_order);
    check_snapshots(streams, &random);
    REQUIRE(sst_replay_open(streams, REPLAYED, INT64_MIN, &replay) == SST_OK);
    walk_replay(replay, &random);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_replay_seek(replay, INT64_MIN), SST_OK);
    walk_replay(replay, &random);
    check_snapshots(streams, &random);
    untimed = make_or_open(store, 3);
    append_range(untimed, 3, 0, 5);
    sst_replay_close(replay);
    streams[2] = untimed;                       /* one is enough to refuse all */
    CHECK_INT(sst_replay_open(streams, REPLAYED, 0, &replay), SST_ERR_STATE);
    CHECK(replay == NULL);
    CHECK_INT(sst_snapshot(streams + 1, 2, 0, seen), SST_ERR_STATE);
    CHECK_INT(sst_snapshot_rows(streams + 1, 2, times, 1, rows), SST_ERR_STATE);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void recorded_in_files(void) {
    static const uint32_t sizes[3] = {512, 4096, 0};
    int i;
    for (i = 0; i < 4 && test_errors == 0; i++) {
        uint32_t flags = i == 2 ? (uint32_t)SST_NO_LIVE : i == 3 ? (uint32_t)SST_NO_MAP : 0;
        sst_store *store = create(path, sizes[i % 3], flags);
        REQUIRE(store != NULL);
        append_all(store, 0, 210);
        check_store(store, 210);
        CHECK_INT(sst_close(store), SST_OK);
        store = open_append(sizes[i % 3], flags);
        REQUIRE(store != NULL);
        check_store(store, 210);
        append_all(store, 210, 333);
        check_store(store, 333);
        CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(sst_open(path, NULL, &store) == SST_OK);
        check_store(store, 333);
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Appending without I/O; sealing when polled. Rows too large for a tail are written at once. */
static void deferred(void) {
    sst_store *store = create(path, 16384, SST_DEFERRED);
    int which;
    uint64_t row;
    for (which = 0; which < KINDS && test_errors == 0; which++) {
        sst_stream *stream = make_or_open(store, which);
        REQUIRE(stream != NULL);
        for (row = 0; row < rows_of(which, 300) && test_errors == 0; row++) {
            int result = way_of(which, row) == BY_STRUCT ? append_struct(stream, which, row)
                         : way_of(which, row) == BY_CELLS ? append_cells(stream, which, row)
                                                          : append_batch(stream, which, row, 1);
            if (result == SST_ERR_BUSY) {
                CHECK_INT(sst_rows(stream), row);
                CHECK_INT(sst_poll(store), SST_OK);
                row--;
                continue;
            }
            CHECK_INT(result, SST_OK);
        }
    }
    check_store(store, 300);
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open(path, NULL, &store) == SST_OK);
    check_store(store, 300);
    CHECK_INT(sst_close(store), SST_OK);
}

/* How many rows are durable: none before the first sync, then those that were there. */
static void durable(void) {
    sst_store *store = create(path, 4096, 0);
    sst_stream *stream;
    int which;
    append_all(store, 0, 60);
    for (which = 0; which < KINDS; which++) {
        REQUIRE(sst_stream_open(store, kinds[which].name, &stream) == SST_OK);
        CHECK_INT(sst_durable_rows(stream), 0);
    }
    CHECK_INT(sst_sync(store), SST_OK);
    append_all(store, 60, 80);
    for (which = 0; which < KINDS; which++) {
        REQUIRE(sst_stream_open(store, kinds[which].name, &stream) == SST_OK);
        CHECK_INT(sst_durable_rows(stream), rows_of(which, 60));
    }
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open(path, NULL, &store) == SST_OK);
    for (which = 0; which < KINDS; which++) {
        REQUIRE(sst_stream_open(store, kinds[which].name, &stream) == SST_OK);
        CHECK_INT(sst_durable_rows(stream), rows_of(which, 80));
    }
    CHECK_INT(sst_close(store), SST_OK);
}

/* A reader in the same process sees the rows in the tails when it opens, and those that came when
 * it looks again. */
static void live_reader(void) {
    static const uint32_t sizes[3] = {0, 4096, 512};
    int i;
    for (i = 0; i < 3 && test_errors == 0; i++) {
        sst_store *store = create(path, sizes[i], 0), *reader;
        sst_info info;
        CHECK_INT(sst_store_info(store, &info), SST_OK);
        append_all(store, 0, 30);
        REQUIRE(sst_open(path, NULL, &reader) == SST_OK);
        if (info.kill_safe) check_store(reader, 30);
        append_all(store, 30, 120);
        CHECK_INT(sst_refresh(reader), SST_OK);
        if (info.kill_safe) check_store(reader, 120);
        CHECK_INT(sst_flush(store), SST_OK);
        append_all(store, 120, 250);
        CHECK_INT(sst_refresh(reader), SST_OK);
        if (info.kill_safe) check_store(reader, 250);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(sst_refresh(reader), SST_OK);
        check_store(reader, 250);
        CHECK_INT(sst_close(reader), SST_OK);
    }
}

/* Records, says so, and waits to be killed. The exit status 2: rows are not kill-safe here. */
static void record_until_killed(uint32_t block_bytes, int told) {
    sst_store *store = create(path, block_bytes, 0);
    sst_info info;
    int status = 1;
    alarm(100);                     /* when there is nobody left to do it */
    if (store != NULL && sst_store_info(store, &info) == SST_OK) {
        status = info.kill_safe ? 1 : 2;
        if (status == 1) append_all(store, 0, 77);
        while (status == 1 && test_errors == 0 && write(told, "", 1) == 1) pause();
    }
    (void)sst_close(store);
    _exit(status);
}

/* Records in a process that is killed; false: rows are not kill-safe here. */
static bool record_and_die(uint32_t block_bytes) {
    int status = 0, ends[2];
    char byte;
    pid_t pid;
    remove_files();
    fflush(stdout);
    if (pipe(ends) != 0 || (pid = fork()) < 0) {
        CHECK(false);
        return false;
    }
    if (pid == 0) record_until_killed(block_bytes, ends[1]);
    close(ends[1]);
    if (read(ends[0], &byte, 1) == 1) CHECK_INT(kill(pid, SIGKILL), 0);
    close(ends[0]);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) return false;
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return true;
}

/* Every row whose append had returned is there: for a reader, and after recovery. */
static void recovered_after_kill(void) {
    static const uint32_t sizes[3] = {0, 4096, 512};
    int i;
    for (i = 0; i < 3 && test_errors == 0; i++) {
        sst_store *store;
        sst_info info;
        if (!record_and_die(sizes[i])) SKIP("rows are not kill-safe here");
        REQUIRE(sst_open(path, NULL, &store) == SST_OK);
        CHECK_INT(sst_store_info(store, &info), SST_OK);
        CHECK(info.state == SST_CRASHED && !info.tail_missing);
        check_store(store, 77);
        CHECK_INT(sst_close(store), SST_OK);
        store = open_append(sizes[i], 0);
        REQUIRE(store != NULL);
        CHECK_INT(sst_store_info(store, &info), SST_OK);
        CHECK(info.recovered_rows != 0);
        check_store(store, 77);
        append_all(store, 77, 200);
        CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(sst_open(path, NULL, &store) == SST_OK);
        check_store(store, 200);
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

static void compacted(void) {
    int i;
    for (i = 0; i < 4 && test_errors == 0; i++) {
        sst_store *store = create(path, 512, 0), *copy;
        sst_options options;
        memset(&options, 0, sizeof options);
        append_all(store, 0, 300);
        options.flags = SST_REPLACE | (i == 1 ? (uint32_t)SST_SINGLE_BLOCK : 0);
        options.block_bytes = i == 2 ? 4096 : i == 3 ? 512 : 0;
        CHECK_INT(sst_compact(store, other_path, &options), SST_OK);
        REQUIRE(sst_open(other_path, NULL, &copy) == SST_OK);
        check_store(copy, 300);
        CHECK_INT(sst_verify(copy, NULL), SST_OK);
        if (i < 2) {                            /* every stream is one block */
            int which;
            for (which = 0; which < KINDS; which++) {
                sst_stream *stream;
                sst_view view;
                REQUIRE(sst_stream_open(copy, kinds[which].name, &stream) == SST_OK);
                CHECK_INT(sst_slice(stream, 0, 300, &view), SST_OK);
                CHECK(view.stable && view.count == rows_of(which, 300));
            }
        }
        CHECK_INT(sst_close(copy), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* ---- damage --------------------------------------------------------------------------------- */

/* The image of one stream's rows in blocks of 40; the caller frees it. */
static uint8_t *image_of(int which, uint64_t rows, size_t *size) {
    sst_store *store = create(NULL, 0, 0);
    sst_stream *stream = make_or_open(store, which);
    const void *bytes = NULL;
    uint8_t *copy;
    uint64_t row;
    for (row = 0; row < rows && stream != NULL; row += 40) {
        append_range(stream, which, row, row + 40 < rows ? row + 40 : rows);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    CHECK_INT(sst_image(store, &bytes, size), SST_OK);
    copy = (uint8_t *)malloc(*size);
    if (copy != NULL) memcpy(copy, bytes, *size);
    CHECK_INT(sst_close(store), SST_OK);
    return copy;
}

/* A byte of a column of the second block becomes another. */
static void damage_column(uint8_t *bytes, size_t size, uint32_t what, uint32_t part) {
    mend_record r;
    mend_column c;
    uint32_t i;
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 1, &r));
    for (i = 0; i < mend_columns(bytes, &r); i++) {
        if (!mend_column_at(bytes, &r, i, &c) || c.kind != what || c.part != part) continue;
        bytes[c.start + c.size / 2] ^= 0x10;
        return;
    }
    CHECK(false);
}

#define MEND_TAGS 3u

static void check_damaged(sst_store *store, int which, int field) {
    sst_stream *stream;
    sst_error error;
    sst_report report;
    sst_replay *replay;
    sst_view view;
    uint8_t value[16], want[16];
    int64_t row = 60, time = time_of(which, 60);
    uint64_t number, seen = 0, lost = 0;
    uint32_t i;
    int result;
    REQUIRE(sst_stream_open(store, kinds[which].name, &stream) == SST_OK);
    for (i = 0; i < kinds[which].fields; i++) {
        int expected = (int)i == field ? SST_ERR_CORRUPT : SST_OK;
        CHECK_INT(sst_gather_field(stream, i, &row, 1, value), expected);
        if (expected == SST_OK) {
            value_of(which, 60, i, want);
            CHECK_BYTES(value, want, bytes_of(which, i));
        } else {
            sst_stream_error(stream, &error);
            CHECK_INT(error.result, SST_ERR_CORRUPT);
            CHECK(error.offset != 0 && error.row >= 40 && error.row < 80);
        }
        CHECK_INT(sst_sample_field(stream, i, &time, 1, SST_SAMPLE_PREVIOUS, value, NULL),
                  expected);
    }
    CHECK_INT(sst_locate(stream, time, SST_AT_OR_BEFORE, &number), SST_OK);
    CHECK_INT(number, row_at(which, 120, time));
    CHECK_INT(sst_gather(stream, &row, 1, NULL, &time), SST_OK);
    CHECK_INT(sst_slice(stream, 50, 3, &view), SST_ERR_CORRUPT);
    CHECK_INT(view.count, 0);
    CHECK_INT(sst_at(stream, time, &view), SST_ERR_CORRUPT);
    check_slice(stream, which, 0, 40);
    check_slice(stream, which, 80, 40);
    memset(&report, 0, sizeof report);
    CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
    CHECK_INT(report.damage_count, 1);
    remove_files();
    CHECK_INT(sst_compact(store, other_path, NULL), SST_ERR_CORRUPT);
    REQUIRE(sst_replay_open(&stream, 1, INT64_MIN, &replay) == SST_OK);
    while (seen + lost < 200) {
        result = sst_replay_next(replay, NULL, &view);
        if (result == SST_ERR_NOT_FOUND) break;
        if (result == SST_OK) seen++;
        else lost++;
    }
    CHECK_INT(seen, 80);
    CHECK(lost != 0);
    sst_replay_close(replay);
}

/* Only what needs the damaged column fails. */
static void damaged_columns(void) {
    static const int which[2] = {2, 6};
    int i, field;
    for (i = 0; i < 2 && test_errors == 0; i++) {
        for (field = -1; field < (int)kinds[which[i]].fields && test_errors == 0; field++) {
            size_t size;
            uint8_t *bytes = image_of(which[i], 120, &size);
            sst_store *store = NULL;
            REQUIRE(bytes != NULL);
            if (field < 0) damage_column(bytes, size, MEND_TAGS, 0);
            else damage_column(bytes, size, MEND_VALUES, (uint32_t)field);
            CHECK_INT(sst_open_memory(bytes, size, NULL, &store), SST_OK);
            if (store != NULL) check_damaged(store, which[i], field);
            CHECK_INT(sst_close(store), SST_OK);
            free(bytes);
        }
    }
}

/* A STREAM record is changed: itself, its copy in the INDEX, or both. Every checksum is right. */
enum { IN_RECORD = 1, IN_INDEX = 2, IN_BOTH = 3 };

static void put_stream(uint8_t *bytes, size_t size, int where, uint64_t at, uint64_t value,
                       int width) {
    mend_record r, index;
    uint64_t copy;
    REQUIRE(mend_find(bytes, size, MEND_STREAM, 1, 0, &r));
    REQUIRE(at + (uint64_t)width <= r.size);
    if ((where & IN_RECORD) != 0) mend_put(bytes + r.payload + at, value, width);
    mend_one(bytes, &r);
    if ((where & IN_INDEX) == 0 || !mend_find(bytes, size, MEND_INDEX, 0, 0, &index)) return;
    copy = mend_index_definition(bytes, &index, MEND_STREAM, 1, 0);
    REQUIRE(copy != 0);
    mend_put(bytes + copy + at, value, width);
    mend_one(bytes, &index);
}

/* Streams of what a file declares; -1: it is not opened. */
static int streams_in(const uint8_t *bytes, size_t size) {
    sst_store *store;
    sst_stream *stream;
    int streams = 0;
    if (sst_open_memory(bytes, size, NULL, &store) != SST_OK) return -1;
    if (sst_stream_count(store) != 0) {
        streams = sst_stream_open(store, sst_stream_name(store, 0), &stream) == SST_OK;
    }
    CHECK_INT(sst_close(store), SST_OK);
    return streams;
}

/* Declarations that cannot be: there is no such stream, or nothing is opened. */
static void impossible_declarations(void) {
    static const struct { uint32_t at, width; uint64_t value; } wrong[] = {
        {6, 2, 0}, {6, 2, 1025}, {6, 2, 6}, {6, 2, 0xFFFF}, {4, 1, 5}, {5, 1, 5},
        {8 + 32, 1, 0}, {8 + 32, 1, 16}, {8 + 64, 1, 255},
        {8 + 33, 1, 5}, {8 + 33, 1, 255}, {8 + 33, 1, 1}, {8 + 97, 1, 1}, {8 + 97, 1, 3},
        {8 + 104, 4, 0}, {8 + 104, 4, 0x0AAAAAAA}, {8 + 104, 4, UINT32_MAX},
        {8 + 32 * 5, 2, 0xFFFF}, {8 + 32 * 5, 2, 7},    /* the length of the name */
    };
    size_t size, i;
    uint8_t *bytes = image_of(2, 120, &size), *copy;
    REQUIRE(bytes != NULL && (copy = (uint8_t *)malloc(size)) != NULL);
    CHECK_INT(streams_in(bytes, size), 1);
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(copy, bytes, size);
        put_stream(copy, size, IN_BOTH, wrong[i].at, wrong[i].value, (int)wrong[i].width);
        CHECK(streams_in(copy, size) <= 0);
        if (test_errors != 0) printf("declaration %d\n", (int)i);
        (void)walk_bytes(copy, size, 0, NULL);
    }
    free(copy);
    free(bytes);
}

/* Whatever one byte of a declaration becomes, there is an answer to every question. */
static void hostile_declarations(void) {
    static const uint8_t values[] = {0, 1, 2, 5, 8, 10, 13, 14, 0x10, 0x40, 0xFF};
    static const int which[3] = {2, 4, 7};
    uint64_t at;
    int i;
    for (i = 0; i < 3 && test_errors == 0; i++) {
        size_t size, k;
        uint8_t *bytes = image_of(which[i], 20, &size), *copy;
        mend_record r;
        REQUIRE(bytes != NULL && (copy = (uint8_t *)malloc(size)) != NULL);
        REQUIRE(mend_find(bytes, size, MEND_STREAM, 1, 0, &r));
        for (at = 0; at < r.size; at++) {
            k = (size_t)(at % (sizeof values));
            memcpy(copy, bytes, size);
            put_stream(copy, size, 1 + (int)(at % 3), at, values[k], 1);
            (void)walk_bytes(copy, size, 0, NULL);
            put_stream(copy, size, IN_BOTH, at, values[(k + 3) % sizeof values], 1);
            (void)walk_bytes(copy, size, SST_TRUST, NULL);
        }
        free(copy);
        free(bytes);
    }
}

/* A block that lacks the tag column, or whose columns are of another field. */
static void missing_columns(void) {
    size_t size;
    uint8_t *bytes = image_of(2, 40, &size), value[16];
    sst_store *store;
    sst_stream *stream;
    mend_record r;
    mend_column c;
    sst_view view;
    int64_t row = 3;
    uint32_t i;
    REQUIRE(bytes != NULL && mend_find(bytes, size, MEND_BLOCK, 1, 0, &r));
    for (i = 0; i < mend_columns(bytes, &r); i++) {
        REQUIRE(mend_column_at(bytes, &r, i, &c));
        if (c.kind == MEND_TAGS) c.entry[0] = 200;      /* a kind that nobody knows */
        if (c.kind == MEND_VALUES && c.part == 3) mend_put(c.entry + 2, 77, 2);
    }
    mend_one(bytes, &r);
    REQUIRE(sst_open_memory(bytes, size, NULL, &store) == SST_OK);
    REQUIRE(sst_stream_open(store, kinds[2].name, &stream) == SST_OK);
    CHECK_INT(sst_slice(stream, 0, 5, &view), SST_ERR_CORRUPT);
    CHECK_INT(sst_gather_field(stream, 3, &row, 1, value), SST_ERR_CORRUPT);
    CHECK_INT(sst_gather_field(stream, 2, &row, 1, value), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    (void)walk_bytes(bytes, size, 0, NULL);
    free(bytes);
}

/* Rows of one time may lie on both sides of where a block is lost: what cannot be known is said to
 * be damaged. Where times increase, the row at the last time before is known. */
static void lost_block(void) {
    static const int which[2] = {5, 0};
    int i;
    for (i = 0; i < 2; i++) {
        size_t size;
        uint8_t *bytes = image_of(which[i], 120, &size);
        int64_t last = time_of(which[i], 39), next = time_of(which[i], 80);
        int known = i == 0 ? SST_ERR_CORRUPT : SST_OK;
        sst_store *store;
        sst_stream *stream;
        mend_record r;
        uint64_t row = 0;
        REQUIRE(bytes != NULL && mend_find(bytes, size, MEND_BLOCK, 1, 1, &r));
        bytes[r.offset] = 0;
        REQUIRE(mend_find(bytes, size, MEND_INDEX, 0, 0, &r));
        bytes[r.offset] = 0;                    /* it would know the times of the lost block */
        REQUIRE(sst_open_memory(bytes, size, NULL, &store) == SST_OK);
        REQUIRE(sst_stream_open(store, kinds[which[i]].name, &stream) == SST_OK);
        CHECK_INT(sst_rows(stream), 120);
        CHECK_INT(sst_locate(stream, last - 1, SST_AT_OR_BEFORE, &row), SST_OK);
        CHECK_INT(row, 38);
        CHECK_INT(sst_locate(stream, last, SST_AT_OR_BEFORE, &row), known);
        CHECK_INT(sst_locate(stream, last, SST_AT_OR_AFTER, &row), SST_OK);
        CHECK_INT(row, 39);
        CHECK_INT(sst_locate(stream, last + 1, SST_AT_OR_BEFORE, &row), SST_ERR_CORRUPT);
        CHECK_INT(sst_locate(stream, next, SST_AT_OR_AFTER, &row), known);
        CHECK_INT(sst_locate(stream, next, SST_AT_OR_BEFORE, &row), SST_OK);
        CHECK_INT(row, 80);
        check_slice(stream, which[i], 0, 40);
        check_slice(stream, which[i], 80, 40);
        CHECK_INT(sst_close(store), SST_OK);
        free(bytes);
    }
}

int main(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.200s/sst-fields-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/run.sstore", folder);
    snprintf(other_path, sizeof other_path, "%s/copy.sstore", folder);
    make_offsets();
    TEST_RUN(descriptions_refused);
    TEST_RUN(many_fields);
    TEST_RUN(many_fields_in_a_file);
    TEST_RUN(large_rows);
    TEST_RUN(existing_streams);
    TEST_RUN(info_describes);
    TEST_RUN(in_memory);
    TEST_RUN(bounded_memory);
    TEST_RUN(refusals);
    TEST_RUN(handles_without_offsets);
    TEST_RUN(scalars);
    TEST_RUN(rows_of_no_tag);
    TEST_RUN(views);
    TEST_RUN(samples_of_fields);
    TEST_RUN(many_samples_and_clocks);
    TEST_RUN(equal_against_model);
    TEST_RUN(replays_and_snapshots);
    TEST_RUN(recorded_in_files);
    TEST_RUN(deferred);
    TEST_RUN(durable);
    TEST_RUN(live_reader);
    TEST_RUN(recovered_after_kill);
    TEST_RUN(compacted);
    TEST_RUN(damaged_columns);
    TEST_RUN(impossible_declarations);
    TEST_RUN(hostile_declarations);
    TEST_RUN(missing_columns);
    TEST_RUN(lost_block);
    remove_files();
    rmdir(folder);
    return test_done("test_fields");
}
