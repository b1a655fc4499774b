/* Faults: workloads on the simulated disk in which the nth call of a kind, or the nth allocation,
 * fails: once, until somebody has tried again twice, or from then on. After each the error is the
 * one that was injected, what was readable is readable, and what is on the disk, as it is or after
 * a loss of power, holds what was promised and can be recorded on.
 *
 * A trial is named workload:kind:n:result:mode; TEST_FAULT=name runs only those that begin so.
 * The workloads with ragged fields are those of test_fault_ragged.c. */
#ifndef FAULT_TEST_NAME
#define FAULT_TEST_NAME "test_fault"
#define FAULT_RAGGED false
#endif
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_INDEX_BLOCKS 8
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 1u
#define SSTI_TAIL_FIRST_BYTES 128
#include "../streamstore.h"
#include "test.h"
#include "meter.h"
#include "mend.h"
#include "simdisk.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- rows: everything follows from stream and number ---------------------------------------- */

/* 0: f64. 1: i32[2] with two timelines, of which one is sorted. 2: rows too large for a tail.
 * 3: f32, made late and finished. 4: ragged points, a number and a ragged name, tagged. 5: bytes,
 * keyed, without times. A ragged row is large where one before it was refused. */
#define STREAMS 6
#define RAGGED 4                /* the first of those with ragged fields */
#define PATH "run"
#define COPY "copy"
#define BLOCK_BYTES 1024
#define LARGE 300
#define OTHER_ROWS 7            /* appended when a disk is looked at */

static const size_t row_bytes[RAGGED] = {8, 8, LARGE, 4};
static const char *const stream_names[STREAMS] = {"a", "b", "c", "d", "e", "f"};

static int64_t row_time(uint64_t row) { return (int64_t)row * 10 - 700; }
static int64_t row_line(int line, uint64_t row) {
    return line == 0 ? row_time(row) / 3 : (int64_t)(row * 7919 % 1000);
}

static void row_value(int stream, uint64_t row, uint8_t *value) {
    double f64 = (double)row * 1.5;
    float f32 = (float)row - 0.5f;
    int32_t pair[2];
    size_t k;
    pair[0] = (int32_t)row;
    pair[1] = -(int32_t)row * 3;
    if (stream == 0) memcpy(value, &f64, 8);
    else if (stream == 1) memcpy(value, pair, 8);
    else if (stream == 3) memcpy(value, &f32, 4);
    else for (k = 0; k < LARGE; k++) value[k] = (uint8_t)(row * 31 + k);
}

#define RAGGED_ROWS 512         /* more than there are */
#define POINTS 90

typedef struct ragged_row {
    size_t points, name;        /* items */
    uint32_t number;
    int16_t point[POINTS][2];
    char text[4 * POINTS];
} ragged_row;

static bool large_rows[STREAMS - RAGGED][RAGGED_ROWS];

static void make_ragged(int i, uint64_t row, ragged_row *r) {
    uint64_t state = row * 2 + (uint64_t)i;
    size_t k, most = row / 30 % 2 == 0 ? 4 : 40;
    r->points = (size_t)test_below(&state, most);
    r->name = (size_t)test_below(&state, most);
    r->number = (uint32_t)test_random(&state);
    if (large_rows[i - RAGGED][row]) r->points = POINTS, r->name = 4 * POINTS;
    for (k = 0; k < r->points; k++) {
        r->point[k][0] = (int16_t)(row + k);
        r->point[k][1] = (int16_t)(row - k);
    }
    for (k = 0; k < r->name; k++) r->text[k] = (char)('a' + (row + k) % 26);
}

static int append_ragged(sst_stream *stream, int i, uint64_t row) {
    sst_cell cells[3];
    sst_row full;
    ragged_row r;
    make_ragged(i, row, &r);
    memset(&full, 0, sizeof full);
    if (i == RAGGED) {
        full.time = row_time(row);
        full.tag = ~r.number;
        cells[0].data = r.point;
        cells[0].count = r.points;
        cells[1].data = &r.number;
        cells[1].count = 1;
        cells[2].data = r.text;
        cells[2].count = r.name;
        full.cells = cells;
    } else {
        full.value = r.text;
        full.count = r.name;
        full.key.kind = r.number % 2 == 0 ? SST_KEY_I64 : SST_KEY_TEXT;
        full.key.number = r.number;
        full.key.bytes = "some key";
        full.key.size = r.number % 2 == 0 ? 0 : r.number % 9;
        full.flags = r.number % 5 == 0 ? SST_ROW_REMOVED : 0;
    }
    return sst_append_row(stream, &full);
}

static bool keys_right(const sst_view *view, uint64_t k, const ragged_row *r) {
    const uint8_t *key = view->keys + view->key_offsets[k];
    size_t size = view->key_offsets[k + 1] - view->key_offsets[k];
    int64_t number = r->number;
    if (view->row_flags[k] != (r->number % 5 == 0 ? SST_ROW_REMOVED : 0)) return false;
    if (r->number % 2 == 0) {
        return size == 9 && key[0] == SST_KEY_I64 && memcmp(key + 1, &number, 8) == 0;
    }
    return size == 1 + r->number % 9 && key[0] == SST_KEY_TEXT &&
           memcmp(key + 1, "some key", size - 1) == 0;
}

static bool ragged_right(int i, const sst_view *view, uint64_t first, uint64_t count) {
    const sst_column *text = &view->columns[i == RAGGED ? 2 : 0];
    uint64_t k;
    ragged_row r;
    if (view->count != count || (count != 0 && view->first_row != first)) return false;
    for (k = 0; k < count; k++) {
        const uint32_t *at = view->columns[0].offsets + k;
        make_ragged(i, first + k, &r);
        if (text->offsets[k + 1] - text->offsets[k] != r.name) return false;
        if (memcmp((const char *)text->values + text->offsets[k], r.text, r.name) != 0) {
            return false;
        }
        if (i != RAGGED) {
            if (!keys_right(view, k, &r)) return false;
            continue;
        }
        if (view->times[k] != row_time(first + k) || view->tags[k] != ~r.number) return false;
        if (((const uint32_t *)view->columns[1].values)[k] != r.number) return false;
        if (at[1] - at[0] != r.points ||
            memcmp((const uint8_t *)view->values + at[0] * 4, r.point, r.points * 4) != 0) {
            return false;
        }
    }
    return true;
}

static void describe_ragged(int i, sst_stream_desc *desc) {
    static const sst_field fields[3] = {
        {"points", SST_I16, {2}, SST_RAGGED, 0}, {"number", SST_U32, {0}, 0, 0},
        {"name", SST_TEXT, {0}, 0, 0},
    };
    memset(desc->shape, 0, sizeof desc->shape);
    if (i == RAGGED) {
        desc->type = (sst_type)0;
        desc->fields = fields;
        desc->field_count = 3;
        desc->flags |= SST_TAGGED;
    } else {
        desc->type = SST_BYTES;
        desc->flags |= SST_KEYED | SST_UNTIMED;
    }
}

static int make_stream(sst_store *store, int i, sst_stream **out) {
    sst_stream_desc desc;
    int result;
    memset(&desc, 0, sizeof desc);
    desc.name = stream_names[i];
    desc.type = i == 0 ? SST_F64 : i == 1 ? SST_I32 : i == 2 ? SST_U8 : SST_F32;
    desc.shape[0] = i == 1 ? 2 : i == 2 ? LARGE : 0;
    desc.flags = SST_OPEN_EXISTING;
    if (i == 1) desc.timelines[0] = "capture";
    if (i == 1) desc.timelines[1] = "arrival";
    if (i >= RAGGED) describe_ragged(i, &desc);
    *out = (sst_stream *)&desc;     /* has to become NULL */
    result = sst_stream_create(store, &desc, out);
    CHECK((result == SST_OK) == (*out != NULL));
    return result;
}

static int append_one(sst_stream *stream, int i, uint64_t row) {
    uint8_t value[LARGE];
    int64_t lines[2];
    sst_row full;
    if (i >= RAGGED) return append_ragged(stream, i, row);
    row_value(i, row, value);
    if (i != 1) return sst_append(stream, row_time(row), value);
    memset(&full, 0, sizeof full);
    lines[0] = row_line(0, row);
    lines[1] = row_line(1, row);
    full.time = row_time(row);
    full.timelines = lines;
    full.value = value;
    return sst_append_row(stream, &full);
}

static bool view_right(int i, const sst_view *view, uint64_t first, uint64_t count) {
    uint8_t value[LARGE];
    uint64_t k, row;
    if (view->count != count || (count != 0 && view->first_row != first)) return false;
    for (k = 0, row = first; k < count; k++, row++) {
        row_value(i, row, value);
        if (view->times[k] != row_time(row)) return false;
        if (memcmp((const uint8_t *)view->values + k * row_bytes[i], value, row_bytes[i]) != 0) {
            return false;
        }
        if (i == 1 && (view->timelines[0][k] != row_line(0, row) ||
                       view->timelines[1][k] != row_line(1, row))) return false;
    }
    return true;
}

#define TRY(call) do { int tried = (call); if (tried != SST_OK) return tried; } while (0)

/* Windows and slices, each of which may need scratch, and reads. */
static int ask_views(sst_stream *stream, int i, uint64_t rows) {
    sst_view view;
    TRY(sst_slice(stream, 0, rows, &view));
    CHECK(view_right(i, &view, 0, rows));
    if (rows < 4) return SST_OK;
    TRY(sst_window(stream, row_time(1), row_time(rows - 2), &view));
    CHECK(view_right(i, &view, 1, rows - 2));
    TRY(sst_at(stream, row_time(rows - 1) + 3, &view));
    CHECK(view_right(i, &view, rows - 1, 1));
    TRY(sst_at(stream, row_time(rows / 2) + 3, &view));
    CHECK(view_right(i, &view, rows / 2, 1));
    if (i != 1) return SST_OK;
    TRY(sst_window_on(stream, 0, INT64_MIN, INT64_MAX, SST_HALF_OPEN, &view));
    CHECK(view_right(i, &view, 0, rows));
    return SST_OK;
}

static int ask_numbers(sst_stream *stream, int i, uint64_t rows) {
    int64_t times[3] = {-800, -690, INT64_MAX}, got_rows[3], numbers[2] = {-1, 1};
    int64_t first = 1, last = 1;
    uint8_t got[3 * LARGE], value[LARGE];
    uint64_t row = 0;
    int result;
    if (rows < 8) return SST_OK;
    row_value(i, 1, value);
    TRY(sst_locate(stream, row_time(2) + 1, SST_AT_OR_AFTER, &row));
    CHECK_INT(row, 3);
    TRY(sst_sample(stream, times, 3, SST_SAMPLE_PREVIOUS, got, got_rows));
    CHECK(got_rows[0] == -1 && got_rows[1] == 1 && got_rows[2] == (int64_t)rows - 1);
    CHECK_BYTES(got + row_bytes[i], value, row_bytes[i]);
    TRY(sst_gather(stream, numbers, 2, got, times));
    CHECK_INT(times[1], row_time(1));
    CHECK_BYTES(got + row_bytes[i], value, row_bytes[i]);
    TRY(sst_stream_info(stream, NULL, &row, &first, &last));
    CHECK(row == rows && first == row_time(0) && last == row_time(rows - 1));
    if (i != 1) return SST_OK;
    TRY(sst_locate_on(stream, 0, row_line(0, 5), SST_EXACT, &row));
    CHECK_INT(row, 5);
    result = sst_locate_on(stream, 1, 0, SST_EXACT, &row);
    return result == SST_ERR_ORDER ? SST_OK : result;
}

static int ask_ragged(sst_stream *stream, int i, uint64_t rows) {
    sst_view view;
    uint64_t row;
    TRY(sst_slice(stream, 0, rows, &view));
    CHECK(ragged_right(i, &view, 0, rows));
    if (rows < 4) return SST_OK;
    TRY(sst_slice(stream, rows / 3, rows / 2, &view));
    CHECK(ragged_right(i, &view, rows / 3, rows / 2));
    if (i != RAGGED) return SST_OK;
    TRY(sst_window(stream, row_time(1), row_time(rows - 2), &view));
    CHECK(ragged_right(i, &view, 1, rows - 2));
    TRY(sst_at(stream, row_time(rows / 2) + 3, &view));
    CHECK(ragged_right(i, &view, rows / 2, 1));
    TRY(sst_locate(stream, row_time(2) + 1, SST_AT_OR_AFTER, &row));
    CHECK_INT(row, 3);
    return SST_OK;
}

static int ask(sst_stream *stream, int i, uint64_t rows) {
    if (i >= RAGGED) return ask_ragged(stream, i, rows);
    TRY(ask_views(stream, i, rows));
    return ask_numbers(stream, i, rows);
}

/* ---- a trial ------------------------------------------------------------------------------ */

#define KIND_MEMORY SIM_KINDS   /* behind the kinds of calls: allocations, */
#define KIND_SPACE (SIM_KINDS + 1)      /* and a disk that is full */
#define KINDS (SIM_KINDS + 2)
#define SPACE_UNIT 512          /* n of KIND_SPACE: the disk has room for so many of them */

typedef enum mode {
    ONCE,                       /* one call fails; what failed is done again, and works */
    HEALED,                     /* all fail, until a step has failed twice */
    FOREVER,
    MODES
} mode;

typedef struct fault {
    int kind;
    uint64_t nth;               /* 0: none */
    int result;                 /* SST_OK: a short transfer */
    mode how;
} fault;

typedef struct trial trial;

typedef struct step {
    const char *name;
    int (*run)(trial *t);
    bool closes;                /* cannot be done again */
    bool syncs;                 /* may report an earlier failed sync */
} step;

typedef struct workload {
    const char *name;
    const step *steps;
    void (*prepare)(trial *t);  /* the disk before; NULL: empty */
    uint32_t flags;             /* of the writer */
    uint64_t interval;
    bool reads_only;
    bool ragged;                /* streams: those with ragged fields; false: the others */
} workload;

struct trial {
    const workload *w;
    fault f;
    sim_disk disk;
    meter memory;
    sst_allocator allocator;
    sst_store *store, *reader;
    sst_stream *stream[STREAMS], *seen[STREAMS];
    /* What there is: rows that were appended; those that are sealed for sure; those that are said
     * to survive a loss of power; and the most that a crash may bring back. */
    bool made, kill_safe, finished;
    bool replacing;             /* the file that is there may go away */
    bool gone;                  /* aborted */
    bool unwritten;             /* a file without contents may be there */
    bool there[STREAMS];
    uint64_t rows[STREAMS], sealed[STREAMS], durable[STREAMS], most[STREAMS];
    uint64_t low[STREAMS], high[STREAMS];   /* what the reader sees */
    uint32_t meta, large_meta, other_meta;  /* versions; 0: none */
    uint32_t ends;              /* END records before */
    int sticky;
    bool dropped;               /* a sync failed, and the file was opened again: see crash_check */
    uint8_t torn[64];           /* the header of a record behind the cut */
    uint64_t torn_at;           /* 0: there is none */
    uint64_t space;             /* bytes that were in use */
    uint64_t failures;
};

static uint64_t injected, states, left_behind;

static sst_options options_of(trial *t, uint32_t flags) {
    sst_options options;
    memset(&options, 0, sizeof options);
    t->allocator.user = &t->memory;
    t->allocator.resize = meter_resize;
    options.allocator = &t->allocator;
    options.io = &t->disk.io;
    options.block_bytes = BLOCK_BYTES;
    options.sync_align = 512;
    options.sync_interval_bytes = t->w->interval;
    options.flags = flags;
    return options;
}

/* While we look, nothing fails. */
static void quiet(trial *t, bool on) {
    t->memory.quiet = on;
    t->disk.fault.armed = !on && t->f.nth != 0 && t->f.kind < SIM_KINDS;
}

static void heal(trial *t) {
    t->f.nth = t->memory.fail_at = 0;
    t->disk.fault.armed = false;
    t->disk.space = 0;
}

static bool fired(const trial *t) {
    if (t->f.kind == KIND_SPACE) return true;
    if (t->f.kind == KIND_MEMORY) return t->memory.calls >= t->f.nth;
    return t->disk.calls[t->f.kind] >= t->f.nth;
}

static void fault_name(const workload *w, const fault *f, char *name, size_t size) {
    static const char *const modes[MODES] = {"once", "healed", "forever"};
    const char *result = f->result == SST_OK ? "short" : sst_result_name(f->result) + 8;
    snprintf(name, size, "%s:%s:%llu:%s:%s", w->name,
             f->kind == KIND_MEMORY ? "memory" : f->kind == KIND_SPACE ? "space"
                                    : sim_kind_name((sim_kind)f->kind),
             (unsigned long long)f->nth, result, modes[f->how]);
}

/* A call that succeeded should have removed a file: counted, see nothing_left_behind. */
static void check_removed(trial *t, const char *file) {
    char name[100];
    uint64_t size;
    if (sim_bytes(&t->disk, file, &size) == NULL) return;
    fault_name(t->w, &t->f, name, sizeof name);
    if (left_behind++ < 5) printf("%s is left behind: TEST_FAULT=%s\n", file, name);
}

static uint64_t promised(const trial *t, int i) {
    return t->kill_safe || t->sealed[i] > t->rows[i] ? t->rows[i] : t->sealed[i];
}

/* The metadata of a store are those that were set. */
static void check_meta(const trial *t, sst_store *store) {
    static const char *const texts[3] = {NULL, "first", "the second"};
    const void *value;
    sst_stream *stream;
    size_t size;
    int result = sst_get_meta(store, "key", &value, &size);
    CHECK_INT(result, t->meta == 0 ? SST_ERR_NOT_FOUND : SST_OK);
    if (result == SST_OK && t->meta != 0) CHECK_TEXT((const char *)value, texts[t->meta]);
    CHECK_INT(sst_get_meta(store, "other", &value, &size),
              t->other_meta == 0 ? SST_ERR_NOT_FOUND : SST_OK);
    if (!t->there[1]) return;
    CHECK_INT(sst_stream_open(store, stream_names[1], &stream), SST_OK);
    result = sst_stream_get_meta(stream, "large", &value, &size);
    CHECK_INT(result, t->large_meta == 0 ? SST_ERR_NOT_FOUND : SST_OK);
    if (result == SST_OK) CHECK_INT(size, 3000);
    sst_stream_close(stream);
}

/* ---- steps of the writer: each does what is still to be done -------------------------------- */

static int take_store(trial *t, int result) {
    sst_info info;
    CHECK((result == SST_OK) == (t->store != NULL));
    if (result != SST_OK) return result;
    CHECK_INT(sst_store_info(t->store, &info), SST_OK);
    t->made = true;
    t->replacing = false;
    t->sticky = SST_OK;
    t->kill_safe = info.kill_safe;
    CHECK_INT(info.sticky, SST_OK);
    return SST_OK;
}

static int step_create(trial *t) {
    sst_options options = options_of(t, t->w->flags);
    int result;
    if (t->store != NULL) return SST_OK;
    t->dropped = t->dropped || (t->f.kind == SIM_SYNC && t->f.nth != 0 && fired(t));
    t->store = (sst_store *)t;      /* has to become NULL */
    result = take_store(t, sst_create(PATH, &options, &t->store));
    if (result != SST_OK) return result;
    memset(t->rows, 0, sizeof t->rows);
    memset(t->sealed, 0, sizeof t->sealed);
    memset(t->durable, 0, sizeof t->durable);
    memset(t->there, 0, sizeof t->there);
    t->meta = t->large_meta = t->other_meta = 0;
    t->ends = 0;
    return SST_OK;
}

static void count_ends(trial *t) {
    uint64_t size;
    const uint8_t *bytes = sim_bytes(&t->disk, PATH, &size);
    t->ends = mend_count(bytes, size, MEND_END, 0);
}

static int step_open_append(trial *t) {
    sst_options options = options_of(t, t->w->flags);
    int result, i;
    if (t->store != NULL) return SST_OK;
    t->dropped = t->dropped || (t->f.kind == SIM_SYNC && t->f.nth != 0 && fired(t));
    t->store = (sst_store *)t;
    result = take_store(t, sst_open_append(PATH, &options, &t->store));
    if (result != SST_OK) return result;
    for (i = 0; i < STREAMS; i++) t->sealed[i] = t->rows[i];
    count_ends(t);
    return SST_OK;
}

static int make_streams(trial *t, int first, int end) {
    int i;
    for (i = first; i < end && t->store != NULL; i++) {
        if (t->stream[i] != NULL) continue;
        TRY(make_stream(t->store, i, &t->stream[i]));
        t->there[i] = true;
        CHECK_INT(sst_rows(t->stream[i]), t->rows[i]);
    }
    return SST_OK;
}

static int step_streams(trial *t) { return make_streams(t, 0, 3); }
static int step_late(trial *t) { return make_streams(t, 3, 4); }

/* The next row was refused: in its place comes one that is too large for a tail. */
static void refused(trial *t, int i, int result) {
    if (i < RAGGED || (result != SST_ERR_FULL && result != SST_ERR_BUSY)) return;
    if (result == SST_ERR_BUSY && t->rows[i] % 2 == 0) return;
    large_rows[i - RAGGED][t->rows[i]] = true;
}

static int append_up_to(trial *t, int i, uint64_t rows) {
    int result = SST_OK;
    if (t->stream[i] == NULL || (i == 3 && t->finished)) return SST_OK;
    while (t->rows[i] < rows && result == SST_OK) {
        result = append_one(t->stream[i], i, t->rows[i]);
        refused(t, i, result);
        if (result == SST_ERR_BUSY && (t->w->flags & SST_DEFERRED) != 0) {
            result = sst_poll(t->store);
            if (result != SST_OK && result == t->sticky) result = SST_OK;
            continue;
        }
        t->rows[i] += result == SST_OK;
        CHECK_INT(sst_rows(t->stream[i]), t->rows[i]);
        if (i == 2) t->sealed[i] = t->rows[i];
    }
    if (t->most[i] < t->rows[i]) t->most[i] = t->rows[i];
    return result;
}

static int append_to(trial *t, uint64_t a, uint64_t b, uint64_t c) {
    TRY(append_up_to(t, 0, a));
    TRY(append_up_to(t, 1, b));
    return append_up_to(t, 2, c);
}

static int step_few(trial *t) { return append_to(t, 9, 7, 1); }
static int step_more(trial *t) { return append_to(t, 130, 90, 3); }
static int step_yet_more(trial *t) { return append_to(t, 260, 150, 5); }
static int step_at_last(trial *t) { return append_to(t, 300, 160, 6); }
static int step_late_rows(trial *t) { return append_up_to(t, 3, 40); }

/* Many in one call, which may have added leading rows when it fails. */
static int step_rows(trial *t) {
    int64_t times[200];
    double values[200];
    uint64_t first = t->rows[0], rows = 220, i;
    int result;
    if (t->stream[0] == NULL || first >= rows || first < 20) return SST_OK;
    for (i = first; i < rows; i++) {
        times[i - first] = row_time(i);
        row_value(0, i, (uint8_t *)&values[i - first]);
    }
    result = sst_append_rows(t->stream[0], times, values, (size_t)(rows - first));
    t->rows[0] = sst_rows(t->stream[0]);
    if (t->most[0] < t->rows[0]) t->most[0] = t->rows[0];
    CHECK(t->rows[0] >= first && t->rows[0] <= rows);
    if (result == SST_OK) CHECK_INT(t->rows[0], rows);
    if (result != SST_ERR_BUSY || (t->w->flags & SST_DEFERRED) == 0) return result;
    result = sst_poll(t->store);
    if (result != SST_OK && result == t->sticky) result = SST_OK;
    return result == SST_OK ? step_rows(t) : result;
}

/* Rows of ragged streams in turns. */
static int append_in_turns(trial *t, uint64_t e, uint64_t f) {
    uint64_t rows;
    for (rows = 20; rows < e + 20; rows += 20) {
        TRY(append_up_to(t, 4, rows < e ? rows : e));
        TRY(append_up_to(t, 5, rows < f ? rows : f));
    }
    return SST_OK;
}

static int step_ragged(trial *t) { return make_streams(t, RAGGED, STREAMS); }
static int step_ragged_few(trial *t) { return append_in_turns(t, 25, 20); }
static int step_ragged_more(trial *t) { return append_in_turns(t, 110, 90); }
static int step_ragged_last(trial *t) { return append_in_turns(t, 160, 150); }

static void all_sealed(trial *t) {
    memcpy(t->sealed, t->rows, sizeof t->rows);
}

static int step_flush(trial *t) {
    if (t->store == NULL) return SST_OK;
    TRY(sst_flush(t->store));
    all_sealed(t);
    return SST_OK;
}

static int step_sync(trial *t) {
    int i;
    if (t->store == NULL) return SST_OK;
    TRY(sst_sync(t->store));
    all_sealed(t);
    for (i = 0; i < STREAMS; i++) {
        if (t->stream[i] != NULL) CHECK_INT(sst_durable_rows(t->stream[i]), t->rows[i]);
    }
    return SST_OK;
}

static int step_poll(trial *t) {
    return t->store == NULL ? SST_OK : sst_poll(t->store);
}

static int set_meta(trial *t, uint32_t version) {
    const char *text = version == 1 ? "first" : "the second";
    if (t->store == NULL || t->meta >= version) return SST_OK;
    TRY(sst_set_meta(t->store, "key", text, strlen(text)));
    t->meta = version;
    return SST_OK;
}

static int step_meta(trial *t) {
    TRY(set_meta(t, 1));
    if (t->store == NULL || t->other_meta != 0) return SST_OK;
    TRY(sst_set_meta(t->store, "other", NULL, 0));
    t->other_meta = 1;
    return SST_OK;
}

static int step_meta_again(trial *t) {
    static const char large[3000] = "x";
    TRY(set_meta(t, 2));
    if (t->stream[1] != NULL && t->large_meta == 0) {
        TRY(sst_stream_set_meta(t->stream[1], "large", large, sizeof large));
        t->large_meta = 1;
    }
    if (t->store == NULL || t->other_meta != 1) return SST_OK;
    TRY(sst_remove_meta(t->store, "other"));
    t->other_meta = 0;
    return SST_OK;
}

static int step_finish(trial *t) {
    if (t->stream[3] == NULL) return SST_OK;
    TRY(sst_stream_finish(t->stream[3]));
    t->finished = true;
    t->sealed[3] = t->rows[3];
    CHECK_INT(append_one(t->stream[3], 3, t->rows[3]), SST_ERR_FINISHED);
    return SST_OK;
}

static int step_ask(trial *t) {
    int i;
    for (i = 0; i < STREAMS; i++) {
        if (t->stream[i] != NULL) TRY(ask(t->stream[i], i, t->rows[i]));
    }
    return SST_OK;
}

static int step_verify(trial *t) {
    return t->store == NULL ? SST_OK : sst_verify(t->store, NULL);
}

static void crash_check(trial *t);
static void kill_check(trial *t);

static int step_close(trial *t) {
    uint64_t size;
    const uint8_t *bytes;
    int result, i;
    if (t->store == NULL) return SST_OK;
    crash_check(t);
    kill_check(t);
    result = sst_close(t->store);
    t->store = NULL;
    memset(t->stream, 0, sizeof t->stream);
    bytes = sim_bytes(&t->disk, PATH, &size);
    if (t->sticky != SST_OK && (t->w->flags & SST_NO_SYNC) == 0) {
        CHECK_INT(result, t->sticky);
        CHECK(bytes != NULL && mend_count(bytes, size, MEND_END, 0) == t->ends);
    }
    if (result == SST_OK) {
        check_removed(t, PATH "-live");
        all_sealed(t);
        for (i = 0; i < STREAMS && (t->w->flags & SST_NO_SYNC) == 0; i++) {
            t->durable[i] = t->rows[i];
        }
    }
    return result;
}

static int step_abort(trial *t) {
    int result;
    if (t->store == NULL) return SST_OK;
    result = sst_abort(t->store);
    t->store = NULL;
    memset(t->stream, 0, sizeof t->stream);
    memset(t->durable, 0, sizeof t->durable);
    t->gone = true;
    if (result != SST_OK) return result;
    check_removed(t, PATH);
    check_removed(t, PATH "-live");
    return SST_OK;
}

/* ---- steps of a reader ---------------------------------------------------------------------- */

/* What the reader may see now: all that was appended, as far as it is not in the process. */
static void look_now(trial *t) {
    int i;
    for (i = 0; i < STREAMS; i++) {
        t->low[i] = promised(t, i);
        t->high[i] = t->rows[i];
    }
}

static int open_reader(trial *t, uint32_t flags) {
    sst_options options = options_of(t, flags);
    int result;
    if (t->reader != NULL || !t->made) return SST_OK;
    t->reader = (sst_store *)t;
    result = sst_open(PATH, &options, &t->reader);
    CHECK((result == SST_OK) == (t->reader != NULL));
    if (result == SST_OK) look_now(t);
    return result;
}

static int step_open(trial *t) { return open_reader(t, 0); }
static int step_open_no_map(trial *t) { return open_reader(t, SST_NO_MAP); }
static int step_open_verify(trial *t) { return open_reader(t, SST_VERIFY); }

static int step_refresh(trial *t) {
    uint64_t low[STREAMS];
    int result, i;
    if (t->reader == NULL) return SST_OK;
    memcpy(low, t->low, sizeof low);
    result = sst_refresh(t->reader);
    look_now(t);
    for (i = 0; i < STREAMS; i++) {
        if (result != SST_OK || t->low[i] < low[i]) t->low[i] = low[i];
    }
    return result;
}

static int step_ask_reader(trial *t) {
    int i;
    for (i = 0; i < STREAMS && t->reader != NULL; i++) {
        uint64_t rows;
        if (!t->there[i]) continue;
        if (t->seen[i] == NULL) {
            int result = sst_stream_open(t->reader, stream_names[i], &t->seen[i]);
            CHECK((result == SST_OK) == (t->seen[i] != NULL));
            if (result == SST_ERR_NOT_FOUND) CHECK_INT(t->low[i], 0);
            if (result == SST_ERR_NOT_FOUND) continue;
            if (result != SST_OK) return result;
        }
        rows = sst_rows(t->seen[i]);
        CHECK(rows >= t->low[i] && rows <= t->high[i]);
        TRY(ask(t->seen[i], i, rows));
    }
    return SST_OK;
}

static int step_verify_reader(trial *t) {
    return t->reader == NULL ? SST_OK : sst_verify(t->reader, NULL);
}

static int step_close_reader(trial *t) {
    int result = sst_close(t->reader);
    t->reader = NULL;
    memset(t->seen, 0, sizeof t->seen);
    return result;
}

/* Compacts the reader's store, or else the writer's, and looks at the copy. */
static int step_compact(trial *t) {
    sst_options options = options_of(t, SST_REPLACE);
    sst_store *source = t->reader != NULL ? t->reader : t->store, *copy;
    int i, result;
    if (source == NULL) return SST_OK;
    TRY(sst_compact(source, COPY, &options));
    quiet(t, true);
    options.flags = 0;
    CHECK_INT(sst_open(COPY, &options, &copy), SST_OK);
    for (i = RAGGED; i < STREAMS && copy != NULL; i++) {
        sst_stream *from, *to;
        if (sst_stream_open(source, stream_names[i], &from) != SST_OK) continue;
        CHECK_INT(sst_stream_open(copy, stream_names[i], &to), SST_OK);
        CHECK_INT(sst_rows(to), sst_rows(from));
        CHECK_INT(ask(to, i, sst_rows(from)), SST_OK);
        sst_stream_close(from);
    }
    if (copy != NULL) CHECK_INT(sst_verify(copy, NULL), SST_OK);
    CHECK_INT(sst_close(copy), SST_OK);
    result = t->disk.io.remove(t->disk.io.user, COPY);
    quiet(t, false);
    return result;
}

/* ---- what is on a disk ---------------------------------------------------------------------- */

/* Where a disk is looked at: which rows must be there, and which may. */
typedef struct look {
    const trial *t;
    sim_disk *disk;
    bool whole;                 /* nothing was lost: metadata and streams are those of the trial */
    uint64_t low[STREAMS], high[STREAMS], rows[STREAMS];
} look;

static sst_options look_options(const look *l, uint32_t flags) {
    sst_options options;
    memset(&options, 0, sizeof options);
    options.io = &l->disk->io;
    options.block_bytes = BLOCK_BYTES;
    options.flags = flags;
    return options;
}

/* The rows of every stream: right, between low and high, and from now on just these. */
static void look_rows(look *l, sst_store *store) {
    int i;
    for (i = 0; i < STREAMS; i++) {
        sst_stream *stream;
        int result = sst_stream_open(store, stream_names[i], &stream);
        if (result == SST_ERR_NOT_FOUND) {
            CHECK_INT(l->low[i], 0);
            if (l->whole) CHECK(!l->t->there[i]);
            l->high[i] = 0;
            continue;
        }
        CHECK_INT(result, SST_OK);
        if (result != SST_OK) continue;
        l->rows[i] = sst_rows(stream);
        if (l->rows[i] < l->low[i] || l->rows[i] > l->high[i]) {
            printf("stream %s has %llu rows, not %llu to %llu\n", stream_names[i],
                   (unsigned long long)l->rows[i], (unsigned long long)l->low[i],
                   (unsigned long long)l->high[i]);
            CHECK(false);
        }
        CHECK_INT(ask(stream, i, l->rows[i]), SST_OK);
        l->low[i] = l->high[i] = l->rows[i];
        sst_stream_close(stream);
    }
}

/* Reads, recovers, goes on, closes; and it is whole. */
static void look_go_on(look *l) {
    /* A loss of power may leave the companion of a store that is gone in the place of ours, as it
     * may the store that was to be replaced. */
    uint32_t replace = l->whole ? l->t->w->flags & SST_REPLACE : (uint32_t)SST_REPLACE;
    sst_options options = look_options(l, replace);
    sst_store *store;
    int i, result = sst_open_append(PATH, &options, &store);
    CHECK_INT(result, SST_OK);
    if (result != SST_OK) return;
    look_rows(l, store);
    for (i = 0; i < STREAMS; i++) {
        sst_stream *stream;
        uint64_t end = l->rows[i] + OTHER_ROWS;
        bool finished = false;
        if (i < RAGGED && l->t->w->ragged) continue;
        if (i >= RAGGED && !l->t->w->ragged) continue;
        CHECK_INT(make_stream(store, i, &stream), SST_OK);
        for (; stream != NULL && l->rows[i] < end && !finished; l->rows[i] += !finished) {
            result = append_one(stream, i, l->rows[i]);
            finished = i == 3 && l->t->finished && result == SST_ERR_FINISHED;
            if (!finished) CHECK_INT(result, SST_OK);
        }
        if (i == 3 && l->whole) CHECK(finished == l->t->finished);
        l->low[i] = l->high[i] = l->rows[i];
    }
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    options = look_options(l, SST_VERIFY);
    CHECK_INT(sst_open(PATH, &options, &store), SST_OK);
    if (store != NULL) look_rows(l, store);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A disk with a store on it. */
static void look_store(look *l) {
    sst_options options = look_options(l, l->t->f.nth % 2 == 0 ? 0 : SST_NO_MAP);
    sst_store *store;
    int result = sst_open(PATH, &options, &store);
    CHECK_INT(result, SST_OK);
    if (result != SST_OK) return;
    look_rows(l, store);
    if (l->whole) check_meta(l->t, store);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    look_go_on(l);
    CHECK_INT(l->disk->open_handles, 0);
    CHECK_INT(l->disk->open_maps, 0);
}

/* A disk without one: nothing is there, or a file that was never written. */
static void look_nothing(look *l) {
    sst_options options = look_options(l, l->t->w->flags & SST_REPLACE);
    uint64_t size;
    sst_store *store;
    const uint8_t *bytes = sim_bytes(l->disk, PATH, &size);
    CHECK(bytes == NULL || (l->t->unwritten && bytes[0] == 0));
    CHECK_INT(sst_create(PATH, &options, &store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* What lies behind the cut is there until it is in PATH-torn, from then on there. */
static void look_torn(const trial *t, sim_disk *disk) {
    uint64_t size, at;
    const uint8_t *bytes = sim_bytes(disk, PATH, &size);
    if (t->torn_at == 0) return;
    if (bytes != NULL && size >= t->torn_at + 64 &&
        memcmp(bytes + t->torn_at, t->torn, 64) == 0) return;
    bytes = sim_bytes(disk, PATH "-torn", &size);
    for (at = 0; bytes != NULL && at + 64 <= size; at++) {
        if (memcmp(bytes + at, t->torn, 64) == 0) return;
    }
    printf("what was torn is gone\n");
    CHECK(false);
}

/* Besides the store, its companion and what was torn there is nothing on the disk; or a copy, which
 * stays when all is in it but its file cannot be closed. */
static void look_names(const trial *t) {
    uint32_t i;
    for (i = 0; i < t->disk.name_count; i++) {
        const char *name = t->disk.names[i].name;
        bool ours = strcmp(name, PATH) == 0 || strcmp(name, PATH "-live") == 0 ||
                    strcmp(name, PATH "-torn") == 0;
        if (strcmp(name, COPY) == 0 && t->f.how == FOREVER) ours = true;    /* closing failed */
        if (!ours) printf("there is a file %s\n", name);
        CHECK(ours);
    }
}

/* The process is killed here: what was promised is there. */
static void kill_check(trial *t) {
    sim_disk disk;
    uint64_t size;
    look l;
    int i;
    if (t->gone) return;
    memset(&disk, 0, sizeof disk);
    memset(&l, 0, sizeof l);
    sim_copy(&t->disk, &disk, t->f.nth);
    disk.space = 0;
    l.t = t;
    l.disk = &disk;
    l.whole = true;
    for (i = 0; i < STREAMS; i++) {
        l.low[i] = promised(t, i);
        l.high[i] = t->rows[i];
    }
    look_torn(t, &disk);
    (void)sim_bytes(&disk, PATH, &size);
    if (t->made && !(t->replacing && size == 0)) look_store(&l);
    else look_nothing(&l);
    states++;
    sim_free(&disk);
}

/* The machine loses power here: what is durable is there. Not after a failed sync and another
 * opening: the pages that the system has dropped look as if they had been written, and nobody can
 * tell. */
static void crash_check(trial *t) {
    uint64_t rounds = test_rounds(1, 2), i;
    int k;
    if (t->gone || t->dropped) return;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        sst_options options;
        sst_store *store;
        sim_loss loss;
        sim_disk disk;
        bool any = false;
        look l;
        int result;
        memset(&disk, 0, sizeof disk);
        memset(&l, 0, sizeof l);
        memset(&loss, 0, sizeof loss);
        loss.seed = t->f.nth * 977 + i * 31 + (uint64_t)t->f.kind;
        loss.garbage = i % 2 == 0;
        sim_crash(&t->disk, &disk, &loss);
        disk.space = 0;
        look_torn(t, &disk);
        l.t = t;
        l.disk = &disk;
        memcpy(l.low, t->durable, sizeof l.low);
        memcpy(l.high, t->most, sizeof l.high);
        for (k = 0; k < STREAMS; k++) any = any || t->durable[k] != 0;
        options = look_options(&l, 0);
        result = sst_open(PATH, &options, &store);
        if (!any && (result == SST_ERR_NOT_FOUND || result == SST_ERR_FORMAT)) result = SST_OK;
        CHECK_INT(result, SST_OK);
        if (store != NULL) {
            CHECK_INT(sst_close(store), SST_OK);
            look_store(&l);
        }
        if (test_errors != 0) printf("after a loss of power, seed %d\n", (int)loss.seed);
        states++;
        sim_free(&disk);
    }
}

/* ---- running a trial ------------------------------------------------------------------------ */

/* A failed sync stays: nothing is tried again. */
static void check_sticky(trial *t) {
    uint64_t calls = t->disk.calls[SIM_SYNC], durable[STREAMS];
    int i;
    CHECK_INT(t->sticky, t->f.result);
    CHECK(t->f.kind == SIM_SYNC || t->f.kind == SIM_SYNC_DIR);
    for (i = 0; i < STREAMS; i++) durable[i] = sst_durable_rows(t->stream[i]);
    CHECK_INT(sst_sync(t->store), t->sticky);
    CHECK_INT(sst_poll(t->store), t->sticky);
    CHECK_INT(t->disk.calls[SIM_SYNC], calls);
    for (i = 0; i < STREAMS; i++) CHECK_INT(sst_durable_rows(t->stream[i]), durable[i]);
}

/* The most that the files ever needed. */
static void measure_space(trial *t) {
    uint64_t used = 0;
    uint32_t i;
    for (i = 0; i < t->disk.file_count; i++) {
        const sim_file *file = t->disk.files[i];
        used += file->size > file->reserved ? file->size : file->reserved;
    }
    if (used > t->space) t->space = used;
}

/* What can be seen after every step, whatever it did. */
static void observe(trial *t) {
    sst_info info;
    int i;
    measure_space(t);
    if (t->store == NULL) return;
    CHECK_INT(sst_store_info(t->store, &info), SST_OK);
    for (i = 0; i < STREAMS; i++) {
        uint64_t durable = sst_durable_rows(t->stream[i]);
        if (t->stream[i] == NULL) continue;
        CHECK(durable >= t->durable[i] || t->dropped || t->f.nth != 0);
        CHECK(durable <= t->rows[i]);
        CHECK_INT(sst_rows(t->stream[i]), t->rows[i]);
        if (durable > t->durable[i]) t->durable[i] = durable;
    }
    CHECK(t->sticky == SST_OK || info.sticky == t->sticky);
    if (info.sticky == t->sticky) return;
    t->sticky = info.sticky;
    quiet(t, true);
    check_sticky(t);
    quiet(t, false);
}

/* Everything that was there before the fault is there. */
static void check_readable(trial *t) {
    int i;
    quiet(t, true);
    if (t->store != NULL) check_meta(t, t->store);
    for (i = 0; i < STREAMS && test_errors == 0; i++) {
        if (t->stream[i] != NULL) CHECK_INT(ask(t->stream[i], i, t->rows[i]), SST_OK);
        if (t->seen[i] != NULL) {
            uint64_t rows = sst_rows(t->seen[i]);
            CHECK(rows >= t->low[i] && rows <= t->high[i]);
            CHECK_INT(ask(t->seen[i], i, rows), SST_OK);
        }
    }
    quiet(t, false);
}

static void step_failed(trial *t, const step *s, int result) {
    bool right = t->f.result != SST_OK && result == t->f.result && fired(t);
    t->failures++;
    if (!right) printf("step \"%s\" says %s\n", s->name, sst_result_name(result));
    CHECK(right);
    check_readable(t);
    if (t->failures != 1 || test_errors != 0) return;
    kill_check(t);                      /* killed, or without power, right here */
    crash_check(t);
}

static void run_step(trial *t, const step *s) {
    int result = s->run(t), tries = 0;
    observe(t);
    while (result != SST_OK && test_errors == 0) {
        bool sticky = s->syncs && t->sticky != SST_OK && result == t->sticky;
        step_failed(t, s, result);
        if (s->closes || sticky || t->f.how == FOREVER || test_errors != 0) return;
        tries++;
        if (t->f.how == HEALED && tries == 2) heal(t);
        if (t->f.how == ONCE || tries == 2) {
            result = s->run(t);
            observe(t);
            sticky = s->syncs && t->sticky != SST_OK && result == t->sticky;
            if (result != SST_OK && !sticky) {
                printf("step \"%s\" says %s again\n", s->name, sst_result_name(result));
                CHECK(false);
            }
            return;
        }
        result = s->run(t);
        observe(t);
    }
}

/* Sets up, arms, runs all steps; then everything is closed and what is left is looked at. Returns
 * what was counted. */
static void run_trial(trial *t, uint64_t *calls) {
    const step *s;
    if (t->w->prepare != NULL) t->w->prepare(t);
    sim_arm(&t->disk, (sim_kind)t->f.kind, t->f.nth, t->f.how == ONCE ? 1 : UINT64_MAX,
            t->f.result);
    quiet(t, false);
    if (t->f.kind == KIND_SPACE) t->disk.space = t->f.nth * SPACE_UNIT;
    if (t->f.kind == KIND_MEMORY) {
        t->memory.fail_at = t->f.nth;
        t->memory.forever = t->f.how != ONCE;
    }
    for (s = t->w->steps; s->run != NULL && test_errors == 0; s++) run_step(t, s);
    if (test_errors == 0 && calls == NULL) CHECK(fired(t) || t->f.nth == 0);
    if (calls != NULL) {
        memcpy(calls, t->disk.calls, sizeof t->disk.calls);
        calls[KIND_MEMORY] = t->memory.calls;
        calls[KIND_SPACE] = t->space / SPACE_UNIT;
    }
    if (t->w->reads_only) {
        CHECK(t->disk.calls[SIM_WRITE] == 0 && t->disk.calls[SIM_RESIZE] == 0);
        CHECK(t->disk.calls[SIM_RENAME] == 0 && t->disk.calls[SIM_REMOVE] == 0);
        CHECK(t->disk.calls[SIM_RESERVE] == 0 && t->disk.calls[SIM_SYNC] == 0);
    }
    t->disk.fault.armed = false;
    if (test_errors != 0) {             /* printed; what is left open would only hide it */
        sst_close(t->reader);
        sst_close(t->store);
        sim_free(&t->disk);
        return;
    }
    CHECK(t->store == NULL && t->reader == NULL);
    CHECK_INT(t->disk.open_handles, 0);
    CHECK_INT(t->disk.open_maps, 0);
    CHECK_INT(t->memory.blocks, 0);
    if (test_errors == 0) look_names(t);
    if (test_errors == 0) kill_check(t);
    if (test_errors == 0) crash_check(t);
    sim_free(&t->disk);
}

static void run_fault(const workload *w, const fault *f, uint64_t *calls) {
    const char *only = getenv("TEST_FAULT");
    trial *t;
    char name[100];
    fault_name(w, f, name, sizeof name);
    if (calls == NULL && only != NULL && strncmp(only, name, strlen(only)) != 0) return;
    t = (trial *)calloc(1, sizeof *t);
    if (t == NULL) exit(1);
    t->w = w;
    t->f = *f;
    memset(large_rows, 0, sizeof large_rows);
    sim_init(&t->disk, 12345);
    run_trial(t, calls);
    if (test_errors != 0) printf("TEST_FAULT=%s\n", name);
    if (calls == NULL) injected++;
    free(t);
}

/* ---- workloads ------------------------------------------------------------------------------ */

#define STEP(name) {#name, step_##name, false, false}
#define STEP_SYNCS(name) {#name, step_##name, false, true}
#define STEP_CLOSES(name) {#name, step_##name, true, true}
#define STEP_END {NULL, NULL, false, false}

static const step record_steps[] = {
    STEP(create), STEP(streams), STEP(meta), STEP(few), STEP(flush), STEP(ask), STEP(more),
    STEP_SYNCS(sync), STEP(late), STEP(late_rows), STEP(meta_again), STEP(rows), STEP_SYNCS(poll),
    STEP(ask), STEP(finish), STEP_SYNCS(sync), STEP(yet_more), STEP(verify), STEP(ask),
    STEP(at_last), STEP_CLOSES(close), STEP_END
};

static const step live_steps[] = {
    STEP(create), STEP(streams), STEP(few), STEP(open), STEP(ask_reader), STEP(more),
    STEP(refresh), STEP(ask_reader), STEP(flush), STEP(late), STEP(late_rows), STEP(rows),
    STEP(refresh), STEP(ask_reader), STEP_CLOSES(close_reader), STEP(open_no_map),
    STEP(ask_reader), STEP_SYNCS(sync), STEP(at_last), STEP(refresh), STEP(ask_reader),
    STEP_CLOSES(close), STEP(refresh), STEP(ask_reader), STEP(verify_reader),
    STEP_CLOSES(close_reader), STEP_END
};

static const step read_steps[] = {
    STEP(open), STEP(ask_reader), STEP(refresh), STEP(verify_reader), STEP_CLOSES(close_reader),
    STEP(open_no_map), STEP(ask_reader), STEP(verify_reader), STEP(refresh), STEP(ask_reader),
    STEP_CLOSES(close_reader), STEP(open_verify), STEP(ask_reader), STEP_CLOSES(close_reader),
    STEP_END
};

static const step append_steps[] = {
    STEP(open_append), STEP(streams), STEP(ask), STEP(late), STEP(yet_more), STEP(meta_again),
    STEP(late_rows), STEP_SYNCS(sync), STEP(at_last), STEP(ask), STEP_CLOSES(close), STEP_END
};

static const step twice_steps[] = {
    STEP(open_append), STEP(streams), STEP(more), STEP_CLOSES(close), STEP(open_append),
    STEP(streams), STEP(at_last), STEP_SYNCS(sync), STEP_CLOSES(close), STEP_END
};

static const step abort_steps[] = {
    STEP(create), STEP(streams), STEP(few), STEP_SYNCS(sync), STEP(more), STEP_CLOSES(abort),
    STEP_END
};

static const step ragged_steps[] = {
    STEP(create), STEP(ragged), STEP(ragged_few), STEP(flush), STEP(ask), STEP(ragged_more),
    STEP_SYNCS(sync), STEP(ask), STEP(compact), STEP_SYNCS(poll), STEP(ragged_last), STEP(ask),
    STEP(verify), STEP_CLOSES(close), STEP_END
};

static const step ragged_live_steps[] = {
    STEP(create), STEP(ragged), STEP(ragged_few), STEP(open), STEP(ask_reader), STEP(ragged_more),
    STEP(refresh), STEP(ask_reader), STEP(flush), STEP(ragged_last), STEP(refresh),
    STEP(ask_reader), STEP(compact), STEP_CLOSES(close_reader), STEP(open_no_map),
    STEP(ask_reader), STEP_CLOSES(close), STEP(refresh), STEP(ask_reader),
    STEP_CLOSES(close_reader), STEP_END
};

static const step ragged_append_steps[] = {
    STEP(open_append), STEP(ragged), STEP(ask), STEP(ragged_more), STEP(ask), STEP_SYNCS(sync),
    STEP(ragged_last), STEP(compact), STEP_CLOSES(close), STEP_END
};

/* A recording by a process that nobody disturbs. What it has goes to the trial. */
static void begin_before(trial *t, uint64_t rows) {
    sst_options options = options_of(t, 0);
    int i;
    CHECK_INT(sst_create(PATH, &options, &t->store), SST_OK);
    t->made = t->kill_safe = true;
    if (t->w->ragged) {
        CHECK_INT(step_ragged(t), SST_OK);
        CHECK_INT(append_in_turns(t, 60, 60), SST_OK);
        large_rows[0][60] = true;
        CHECK_INT(sst_sync(t->store), SST_OK);
        CHECK_INT(append_in_turns(t, 80, 75), SST_OK);
        for (i = 0; i < STREAMS; i++) t->durable[i] = sst_durable_rows(t->stream[i]);
        return;
    }
    CHECK_INT(make_streams(t, 0, 3), SST_OK);
    CHECK_INT(step_meta(t), SST_OK);
    CHECK_INT(append_to(t, rows, rows / 2, 2), SST_OK);
    CHECK_INT(sst_sync(t->store), SST_OK);
    CHECK_INT(append_to(t, rows + 60, rows / 2 + 20, 3), SST_OK);
    for (i = 0; i < STREAMS; i++) t->durable[i] = sst_durable_rows(t->stream[i]);
}

/* Lets go of the handles; the disk is `left`, as if the process had never closed them. */
static void end_before(trial *t, sim_disk *left) {
    (void)sst_close(t->store);
    t->store = NULL;
    memset(t->stream, 0, sizeof t->stream);
    t->memory.calls = 0;
    sim_copy(left, &t->disk, 99);
    t->disk.now = left->now;
    sim_free(left);
}

static void before_closed(trial *t) {
    begin_before(t, 90);
    CHECK_INT(sst_close(t->store), SST_OK);
    t->store = NULL;
    memset(t->stream, 0, sizeof t->stream);
    memcpy(t->durable, t->rows, sizeof t->rows);
    sim_dir_sync(&t->disk);
    t->memory.calls = 0;
    all_sealed(t);
}

static void before_replaced(trial *t) {
    before_closed(t);
    t->replacing = true;
    memset(t->durable, 0, sizeof t->durable);
}

/* A file that was made, and then the machine lost power. */
static void before_unwritten(trial *t) {
    static const uint8_t zeros[4096];
    sim_put(&t->disk, PATH, zeros, sizeof zeros);
    t->unwritten = true;
}

static void before_crashed(trial *t) {
    sim_disk left;
    memset(&left, 0, sizeof left);
    begin_before(t, 90);
    sim_copy(&t->disk, &left, 1);
    end_before(t, &left);
    all_sealed(t);
}

/* A block behind the synced point is damaged: it and what follows do not count, and only some of
 * its rows are in the companion. How many rows are left, an opening without faults says. */
static void before_torn(trial *t) {
    sst_options options = options_of(t, 0);
    sim_disk left;
    mend_record r;
    uint64_t size, offset = 64;
    uint8_t *bytes;
    int i;
    memset(&left, 0, sizeof left);
    begin_before(t, 90);
    CHECK_INT(sst_flush(t->store), SST_OK);
    CHECK_INT(append_to(t, 200, 100, 5), SST_OK);
    sim_copy(&t->disk, &left, 1);
    bytes = sim_bytes(&left, PATH, &size);
    while (mend_next(bytes, size, &offset, &r) && r.type != MEND_SYNC) continue;
    while (mend_next(bytes, size, &offset, &r) && r.type != MEND_SYNC) continue;
    for (i = 0; i < 4; i++) CHECK(mend_next(bytes, size, &offset, &r));
    bytes[r.offset + 33] ^= 1;
    t->torn_at = r.next;
    memcpy(t->torn, bytes + r.next, 64);
    CHECK(memcmp(t->torn, "SREC", 4) == 0);
    end_before(t, &left);
    CHECK_INT(sst_open(PATH, &options, &t->reader), SST_OK);
    for (i = 0; i < STREAMS && t->there[i]; i++) {
        CHECK_INT(sst_stream_open(t->reader, stream_names[i], &t->seen[i]), SST_OK);
        CHECK(sst_rows(t->seen[i]) >= t->durable[i]);
        t->rows[i] = t->most[i] = sst_rows(t->seen[i]);
    }
    CHECK_INT(step_close_reader(t), SST_OK);
    t->memory.calls = 0;
    all_sealed(t);
}

static const workload workloads[] = {
    {"ragged", ragged_steps, NULL, 0, 0, false, true},
    {"ragged_interval", ragged_steps, NULL, SST_NO_MAP, 1500, false, true},
    {"ragged_deferred", ragged_steps, NULL, SST_DEFERRED, 0, false, true},
    {"ragged_nolive", ragged_steps, NULL, SST_NO_LIVE, 0, false, true},
    {"ragged_live", ragged_live_steps, NULL, 0, 0, false, true},
    {"ragged_read", read_steps, before_closed, 0, 0, true, true},
    {"ragged_read_crashed", read_steps, before_crashed, 0, 0, true, true},
    {"ragged_append", ragged_append_steps, before_closed, 0, 0, false, true},
    {"ragged_recover", ragged_append_steps, before_crashed, 0, 0, false, true},
    {"record", record_steps, NULL, 0, 0, false, false},
    {"interval", record_steps, NULL, SST_NO_MAP, 1500, false, false},
    {"deferred", record_steps, NULL, SST_DEFERRED, 0, false, false},
    {"deferred_interval", record_steps, NULL, SST_DEFERRED, 1500, false, false},
    {"unwritten", record_steps, before_unwritten, 0, 0, false, false},
    {"nolive", record_steps, NULL, SST_NO_LIVE, 0, false, false},
    {"nosync", record_steps, NULL, SST_NO_SYNC, 0, false, false},
    {"live", live_steps, NULL, 0, 0, false, false},
    {"read", read_steps, before_closed, 0, 0, true, false},
    {"read_crashed", read_steps, before_crashed, 0, 0, true, false},
    {"append", append_steps, before_closed, 0, 0, false, false},
    {"append_create", append_steps, NULL, SST_CREATE, 0, false, false},
    {"append_unwritten", append_steps, before_unwritten, SST_CREATE, 0, false, false},
    {"append_no_map", append_steps, before_closed, SST_NO_MAP | SST_NO_LIVE, 0, false, false},
    {"recover", append_steps, before_crashed, 0, 0, false, false},
    {"recover_no_live", append_steps, before_crashed, SST_NO_LIVE, 0, false, false},
    {"torn", append_steps, before_torn, 0, 0, false, false},
    {"twice", twice_steps, before_crashed, 0, 0, false, false},
    {"replace", record_steps, before_replaced, SST_REPLACE, 0, false, false},
    {"abort", abort_steps, NULL, 0, 0, false, false}
};

/* ---- faults --------------------------------------------------------------------------------- */

/* The results that a call of a kind fails with. 0: no more. */
static uint32_t results_of(int kind, int *results) {
    uint32_t n = 0;
    if (kind == KIND_MEMORY) {
        results[n++] = SST_ERR_MEMORY;
        return n;
    }
    if (kind == KIND_SPACE) {
        results[n++] = SST_ERR_FULL;
        return n;
    }
    results[n++] = SST_ERR_IO;
    if (kind == SIM_MAP) results[n++] = SST_ERR_MEMORY;
    if (kind == SIM_OPEN || kind == SIM_WRITE || kind == SIM_RESIZE || kind == SIM_SYNC ||
        kind == SIM_RESERVE || kind == SIM_RENAME || kind == SIM_SYNC_DIR) {
        results[n++] = SST_ERR_FULL;
    }
    if (kind == SIM_WRITE || kind == SIM_READ) results[n++] = SST_OK;
    return n;
}

/* Some n of 1 to calls, others for every combination; or all, where one of them is asked for. */
static void inject_some(const workload *w, fault *f, uint64_t calls, uint64_t salt) {
    uint64_t most = test_rounds(3, 3000), count, n, i, first;
    if (most < 3000) most = most / 10 + 3;      /* most kinds have few calls: a part is a part */
    if (getenv("TEST_FAULT") != NULL) most = calls;
    count = calls < most ? calls : most;
    first = count == 0 ? 0 : test_below(&salt, calls);
    for (i = 0; i < count && test_errors == 0; i++) {
        n = count == calls ? i : (first + i * calls / count) % calls;
        f->nth = n + 1;
        run_fault(w, f, NULL);
    }
}

static void inject(const workload *w) {
    uint64_t calls[KINDS];
    fault f;
    int results[4], how;
    uint32_t n, i;
    memset(&f, 0, sizeof f);
    run_fault(w, &f, calls);
    for (f.kind = 0; f.kind < KINDS && test_errors == 0; f.kind++) {
        n = results_of(f.kind, results);
        for (i = 0; i < n; i++) {
            for (how = 0; how < MODES; how++) {
                f.result = results[i];
                f.how = (mode)how;
                if (f.result == SST_OK && f.how == HEALED) continue;
                if (f.kind == KIND_SPACE && (f.how == ONCE || w->reads_only)) continue;
                inject_some(w, &f, calls[f.kind], (uint64_t)(f.kind * 16 + results[i] * 5 + how));
            }
        }
    }
}

static const workload *workload_now;
static void one_workload(void) { inject(workload_now); }

/* What the system calls a full disk, and everything else. */
static void errors_of_the_system(void) {
    static const int full[] = {ENOSPC, EDQUOT, EFBIG};
    sst_io io = *sst_io_default();
    void *file = NULL;
    size_t i, done = 1;
    for (i = 0; i < sizeof full / sizeof full[0]; i++) {
        errno = full[i];
        CHECK_INT(ssti_errno_result(), SST_ERR_FULL);
    }
    errno = EIO;
    CHECK_INT(ssti_errno_result(), SST_ERR_IO);
    errno = EROFS;
    CHECK_INT(ssti_errno_result(), SST_ERR_IO);
    if (io.open(io.user, "/dev/full", SST_IO_WRITE, &file) != SST_OK) SKIP("no /dev/full");
    CHECK_INT(io.write_at(io.user, file, 0, "x", 1, &done), SST_ERR_FULL);
    CHECK_INT(done, 0);
    CHECK_INT(io.close(io.user, file), SST_OK);
}

/* A file may not grow any more (EFBIG): an error, all is readable, and it can go on. */
static void file_size_limit(void) {
    const char *base = getenv("TMPDIR");
    char folder[300], path[310], live[320];
    struct rlimit before, limit;
    sst_options options;
    sst_store *store;
    sst_stream *stream = NULL;
    uint64_t rows = 0;
    int result = SST_OK;
    snprintf(folder, sizeof folder, "%.200s/test_fault.XXXXXX",
             base != NULL && base[0] != '\0' ? base : "/tmp");
    REQUIRE(mkdtemp(folder) != NULL && getrlimit(RLIMIT_FSIZE, &before) == 0);
    snprintf(path, sizeof path, "%s/x", folder);
    snprintf(live, sizeof live, "%s-live", path);
    memset(&options, 0, sizeof options);
    options.block_bytes = BLOCK_BYTES;
    options.flags = SST_NO_SYNC;
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    CHECK_INT(make_stream(store, 0, &stream), SST_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    limit = before;
    limit.rlim_cur = 20000;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    while (result == SST_OK && rows < 100000) {
        result = append_one(stream, 0, rows);
        rows += result == SST_OK;
    }
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_INT(result, SST_ERR_FULL);
    CHECK(rows > 100);
    CHECK_INT(sst_rows(stream), rows);
    CHECK_INT(ask(stream, 0, rows), SST_OK);
    CHECK_INT(append_one(stream, 0, rows), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_open(path, NULL, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "a", &stream), SST_OK);
    CHECK_INT(sst_rows(stream), rows + 1);
    CHECK_INT(ask(stream, 0, rows + 1), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    (void)unlink(path);
    (void)unlink(live);
    (void)rmdir(folder);
}

/* With SST_NO_SYNC too a sync that was asked for and failed stays. */
static void sticky_without_sync(void) {
    sim_disk disk;
    sst_options options;
    sst_store *store;
    sst_stream *stream;
    uint64_t size;
    uint8_t *bytes;
    sim_init(&disk, 5);
    memset(&options, 0, sizeof options);
    options.io = &disk.io;
    options.flags = SST_NO_SYNC;
    CHECK_INT(sst_create(PATH, &options, &store), SST_OK);
    CHECK_INT(make_stream(store, 0, &stream), SST_OK);
    CHECK_INT(append_one(stream, 0, 0), SST_OK);
    sim_arm(&disk, SIM_SYNC, 1, 1, SST_ERR_IO);
    CHECK_INT(sst_sync(store), SST_ERR_IO);
    CHECK_INT(sst_close(store), SST_ERR_IO);
    bytes = sim_bytes(&disk, PATH, &size);
    CHECK_INT(mend_count(bytes, size, MEND_END, 0), 0);
    sim_free(&disk);
}

/* A call that says SST_OK has also removed what it should. */
static void nothing_left_behind(void) { CHECK_INT(left_behind, 0); }

int main(void) {
    size_t i;
    for (i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        char name[40];
        workload_now = &workloads[i];
        if (workload_now->ragged != FAULT_RAGGED) continue;
        snprintf(name, sizeof name, "faults in %s", workload_now->name);
        test_run(name, one_workload);
    }
    if (!FAULT_RAGGED) {
        TEST_RUN(errors_of_the_system);
        TEST_RUN(file_size_limit);
        TEST_RUN(sticky_without_sync);
    }
    TEST_RUN(nothing_left_behind);
    printf("note faults: %llu injected, %llu disks looked at\n", (unsigned long long)injected,
           (unsigned long long)states);
    return test_done(FAULT_TEST_NAME);
}
