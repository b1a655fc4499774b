/* The crash lab: power loss and kills at every call on the disk, checked against a plain model.
 *
 * A WORKLOAD is a list of operations on a store on a simulated disk (simdisk.h). Before and after
 * every call that changes the disk, and between operations, is a POINT: there STATES of the disk
 * are made, what a kill or a power loss would leave, and each is opened, compared with the model,
 * recovered, compared, and opened again. Some go deeper: a new world begins with the state as its
 * disk, whose first operation is the recovery, and whose points make states like the first one's.
 *
 * All follows from the number of the workload, that of the point and that of the state, so one
 * state can be looked at alone: what a failure prints, as CRASH_REPLAY in the environment.
 *
 * The last test asks whether the lab is any good: it breaks the protocol in one place after the
 * other, and each time a check has to fail.
 *
 * A new kind of stream is a line in lab_kinds, a new operation a line in lab_ops. */
#define STREAMSTORE_IMPLEMENTATION

/* The rule that the last test breaks, SSTI_RULE_..., or 0. */
static int lab_broken;
#define SSTI_BROKEN(rule) (lab_broken == SSTI_RULE_##rule)

/* Short recordings have INDEX and TABLE records in the middle, too. */
#define SSTI_INDEX_BLOCKS 6u
#define SSTI_TABLE_MIN_BLOCKS 4u
#include "../streamstore.h"

#include <time.h>

#include "test.h"
#include "mend.h"
#include "simdisk.h"

/* Worlds within worlds: with all of every stack noted, most of the time would go there. */
#if defined(__SANITIZE_ADDRESS__)
#define LAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LAB_ASAN 1
#endif
#endif
#ifdef LAB_ASAN
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "malloc_context_size=5"; }
#endif

#define LAB_PATH "run"
#define LAB_TORN LAB_PATH "-torn"

static uint64_t lab_mix(uint64_t a, uint64_t b) {
    uint64_t state = a * 0xD1342543DE82EF95u + b;
    return test_random(&state);
}

/* ---- the model ---------------------------------------------------------------------------- */

#define LAB_SETS 3
#define LAB_STREAMS 3           /* of a set */
#define LAB_FIELDS 3            /* of a stream, at most */

typedef struct lab_field {
    sst_type type;              /* 0: there is none */
    uint32_t shape;             /* 0: scalar */
    uint32_t most;              /* items of a row, as a rule; 0: fixed */
} lab_field;

typedef struct lab_kind {
    const char *name;
    lab_field fields[LAB_FIELDS];
    uint32_t flags;             /* of the stream, without SST_RAGGED */
    bool clock;                 /* has a timeline */
    bool direct;                /* rows are too large for a tail */
    bool seldom;                /* not in every workload */
    uint32_t block_bytes;       /* 0: the store's, 512 */
    uint32_t fill;              /* rows that a fill appends: more than a half */
} lab_kind;

#define LAB_LARGE 300

/* A workload has the streams of one set. A half begins with room for 32 scalars, 18 vectors, 64
 * steps; that of ragged rows, for 17 points, 8 notes, 7 of the mixed, is full by rows or by items.
 * Now and then such a row is too large for a tail. */
static const lab_kind lab_kinds[LAB_SETS][LAB_STREAMS] = {
    {{"scalar", {{SST_F64, 0, 0}}, 0, false, false, false, 0, 40},
     {"vector", {{SST_F32, 3, 0}}, 0, true, false, false, 0, 22},
     {"large", {{SST_U8, LAB_LARGE, 0}}, 0, false, true, true, 0, 2}},
    {{"points", {{SST_U16, 2, 30}}, 0, false, false, false, 1024, 18},
     {"notes", {{SST_TEXT, 0, 80}}, SST_TAGGED | SST_KEYED, false, false, false, 1024, 10},
     {"frames", {{SST_U8, LAB_LARGE, 0}, {SST_F32, 0, 9}}, SST_TAGGED, false, true, true, 0, 2}},
    {{"mixed", {{SST_F32, 3, 0}, {SST_BYTES, 0, 140}, {SST_U16, 2, 40}}, SST_EQUAL_TIMES,
      true, false, false, 1024, 8},
     {"steps", {{SST_I32, 0, 0}}, SST_UNTIMED | SST_TAGGED, false, false, false, 0, 70},
     {"states", {{SST_I64, 0, 0}}, SST_KEYED | SST_EQUAL_TIMES, true, false, true, 0, 8}}
};

/* What rows can have. A key is as the file has it, a ragged column of bytes. */
enum {
    LAB_TIME, LAB_CLOCK, LAB_TAG, LAB_KEY, LAB_FLAG, LAB_FIELD, LAB_COLUMNS = LAB_FIELD + LAB_FIELDS
};

/* What is counted: per stream its rows, whether it was made and whether it was finished; and the
 * number of the newest value of two keys. */
enum { LAB_ROWS, LAB_MADE, LAB_FINISHED, LAB_PER_STREAM };
#define LAB_STORE_META (LAB_PER_STREAM * LAB_STREAMS)
#define LAB_STREAM_META (LAB_STORE_META + 1)
#define LAB_LEVELS (LAB_STORE_META + 2)

typedef struct lab_level {
    uint64_t issued;            /* there may be so much: the call has begun */
    uint64_t done;              /* the call has returned */
    uint64_t safe;              /* survives a kill */
    uint64_t asked;             /* was done when the last sync was called */
    uint64_t synced;            /* survives power loss */
    uint64_t base, first;       /* what lies between was lost in an earlier crash */
} lab_level;

/* Of fixed columns, too, row i has the items from offsets[i] to offsets[i + 1]. */
typedef struct lab_column {
    uint8_t *items;
    uint32_t *offsets;
    uint64_t items_room, offsets_room;
} lab_column;

typedef struct lab_rows {       /* every row that was issued */
    lab_column columns[LAB_COLUMNS];
} lab_rows;

typedef struct lab_model {
    const lab_kind *kinds;      /* of its streams */
    uint64_t seed;              /* of the values; another one after each crash */
    uint64_t meta_seed;
    lab_level levels[LAB_LEVELS];
    lab_rows rows[LAB_STREAMS];
    bool created;               /* sst_create has returned */
    bool named;                 /* and a sync: power loss leaves a store */
    bool closed;                /* sst_close has returned */
    bool padded;                /* what is durable fills its sectors */
} lab_model;

static lab_level *lab_level_of(lab_model *m, uint32_t stream, uint32_t what) {
    return &m->levels[LAB_PER_STREAM * stream + what];
}

static void *lab_resize(void *old, uint64_t size) {
    void *memory = realloc(old, (size_t)size);
    if (memory == NULL) {
        printf("out of memory\n");
        exit(1);
    }
    return memory;
}

/* Bytes of an item of a column, where that is a whole row if it is fixed; 0: there is no such
 * column. */
static uint32_t lab_width(const lab_kind *kind, uint32_t column) {
    const lab_field *f;
    switch (column) {
        case LAB_TIME: return (kind->flags & SST_UNTIMED) != 0 ? 0 : 8;
        case LAB_CLOCK: return kind->clock ? 8 : 0;
        case LAB_TAG: return (kind->flags & SST_TAGGED) != 0 ? 4 : 0;
        case LAB_KEY: case LAB_FLAG: return (kind->flags & SST_KEYED) != 0 ? 1 : 0;
        default: break;
    }
    f = &kind->fields[column - LAB_FIELD];
    if (f->type == 0) return 0;
    return (f->shape == 0 ? 1 : f->shape) * (uint32_t)ssti_type_bytes(f->type);
}

static bool lab_is_ragged(const lab_kind *kind, uint32_t column) {
    if (column == LAB_KEY) return lab_width(kind, column) != 0;
    return column >= LAB_FIELD && kind->fields[column - LAB_FIELD].most != 0;
}

static uint32_t lab_field_count(const lab_kind *kind) {
    uint32_t n = 0;
    while (n < LAB_FIELDS && kind->fields[n].type != 0) n++;
    return n;
}

static void lab_column_room(lab_column *c, uint64_t offsets, uint64_t bytes) {
    if (offsets > c->offsets_room) {
        c->offsets_room = offsets < 64 ? 64 : 2 * offsets;
        c->offsets = (uint32_t *)lab_resize(c->offsets, c->offsets_room * 4);
    }
    if (bytes > c->items_room || c->items == NULL) {
        c->items_room = bytes < 512 ? 512 : 2 * bytes;
        c->items = (uint8_t *)lab_resize(c->items, c->items_room);
    }
}

/* The items of one more row: anything. */
static uint8_t *lab_column_add(lab_column *c, uint64_t row, uint64_t count, uint32_t width,
                               uint64_t *random) {
    uint64_t start = row == 0 ? 0 : c->offsets[row], size = count * width, done;
    uint8_t *p;
    lab_column_room(c, row + 2, (start + count) * width);
    c->offsets[row] = (uint32_t)start;
    c->offsets[row + 1] = (uint32_t)(start + count);
    p = c->items + start * width;
    for (done = 0; done < size; done += 8) {
        uint64_t word = test_random(random);
        memcpy(p + done, &word, size - done < 8 ? (size_t)(size - done) : 8);
    }
    return p;
}

/* Some rows in turn have many items and hardly any, one field then when another has not: halves
 * are full by rows and by items, and are laid out for other rows than they get. */
static uint64_t lab_items(uint32_t most, uint64_t turn, uint64_t *random) {
    if (test_below(random, 24) == 0) return test_below(random, 4 * most);
    return test_below(random, turn % 2 == 0 ? most + 1 : most / 16 + 1);
}

static int64_t lab_time(const lab_kind *kind, const lab_rows *r, uint64_t row, uint64_t *random) {
    int64_t time = (int64_t)(row * 1000 + test_below(random, 900));
    if ((kind->flags & SST_EQUAL_TIMES) == 0 || row == 0) return time;
    if (test_below(random, 2) == 0) memcpy(&time, r->columns[LAB_TIME].items + (row - 1) * 8, 8);
    return time;
}

static void lab_ascii(uint8_t *text, uint64_t size) {
    for (; size != 0; size--) *text++ &= 0x7F;
}

/* A kind, and a number or up to 23 bytes. */
static void lab_add_key(lab_column *c, uint64_t row, uint64_t *random) {
    uint32_t kind = SST_KEY_I64 + (uint32_t)test_below(random, 3);
    uint64_t count = kind == SST_KEY_I64 ? 9 : 1 + test_below(random, 24);
    uint8_t *p = lab_column_add(c, row, count, 1, random);
    if (kind == SST_KEY_TEXT) lab_ascii(p, count);
    p[0] = (uint8_t)kind;
}

static void lab_add_field(const lab_kind *kind, lab_rows *r, uint32_t column, uint64_t row,
                          uint64_t *random) {
    const lab_field *f = &kind->fields[column - LAB_FIELD];
    uint64_t count = f->most == 0 ? 1 : lab_items(f->most, row / 8 + column, random);
    uint32_t width = lab_width(kind, column);
    uint8_t *p = lab_column_add(&r->columns[column], row, count, width, random);
    if (f->type == SST_TEXT) lab_ascii(p, count);
}

/* Notes one more row: all it has follows from seed, stream and row number. */
static uint64_t lab_row_add(lab_model *m, uint32_t stream) {
    const lab_kind *kind = &m->kinds[stream];
    lab_rows *r = &m->rows[stream];
    uint64_t row = lab_level_of(m, stream, LAB_ROWS)->issued++;
    uint64_t random = lab_mix(m->seed + stream, row);
    uint32_t i;
    for (i = 0; i < LAB_COLUMNS; i++) {
        uint32_t width = lab_width(kind, i);
        lab_column *c = &r->columns[i];
        uint8_t *p;
        if (width == 0) continue;
        if (i >= LAB_FIELD) {
            lab_add_field(kind, r, i, row, &random);
        } else if (i == LAB_KEY) {
            lab_add_key(c, row, &random);
        } else {
            int64_t time = i == LAB_TIME ? lab_time(kind, r, row, &random) : 0;
            p = lab_column_add(c, row, 1, width, &random);
            if (i == LAB_TIME) memcpy(p, &time, 8);
            if (i == LAB_FLAG) *p = *p % 4 == 0 ? SST_ROW_REMOVED : 0;
        }
    }
    return row;
}

/* A column of the model from a row on, as views have it. */
static sst_column lab_column_at(const lab_model *m, uint32_t stream, uint32_t column,
                                uint64_t row) {
    const lab_kind *kind = &m->kinds[stream];
    const lab_column *c = &m->rows[stream].columns[column];
    uint32_t width = lab_width(kind, column);
    sst_column at = {NULL, NULL};
    if (width == 0) return at;
    at.values = c->items;
    if (lab_is_ragged(kind, column)) at.offsets = c->offsets + row;
    else at.values = c->items + row * width;
    return at;
}

static void lab_model_free(lab_model *m) {
    uint32_t i, c;
    for (i = 0; i < LAB_STREAMS; i++) {
        for (c = 0; c < LAB_COLUMNS; c++) {
            free(m->rows[i].columns[c].items);
            free(m->rows[i].columns[c].offsets);
        }
    }
    memset(m, 0, sizeof *m);
}

/* From now on there is what a crash has left. durable: power loss takes nothing of that, either. */
static void lab_model_cut(lab_model *m, const uint64_t *seen, bool durable) {
    uint32_t i;
    for (i = 0; i < LAB_LEVELS; i++) {
        lab_level *l = &m->levels[i];
        if (i >= LAB_STORE_META && seen[i] != l->issued) {  /* numbers are not given twice */
            l->base = seen[i];
            l->first = l->issued + 1;
        }
        l->done = l->safe = seen[i];
        if (i < LAB_STORE_META) l->issued = seen[i];
        if (durable) l->synced = seen[i];
    }
}

/* The first rows of *from, which has as many. */
static void lab_rows_copy(const lab_kind *kind, const lab_rows *from, lab_rows *to, uint64_t n) {
    uint32_t i;
    memset(to, 0, sizeof *to);
    for (i = 0; i < LAB_COLUMNS && n != 0; i++) {
        const lab_column *c = &from->columns[i];
        uint32_t width = lab_width(kind, i);
        if (width == 0) continue;
        lab_column_room(&to->columns[i], n + 1, c->offsets[n] * (uint64_t)width);
        memcpy(to->columns[i].offsets, c->offsets, (size_t)(n + 1) * 4);
        if (c->offsets[n] == 0) continue;
        memcpy(to->columns[i].items, c->items, (size_t)c->offsets[n] * width);
    }
}

/* A copy with `seen` instead of what there was, whose later rows have other values. */
static void lab_model_fork(const lab_model *from, lab_model *to, const uint64_t *seen,
                           bool durable, uint64_t seed) {
    uint32_t i;
    *to = *from;
    to->seed = lab_mix(from->seed, seed);
    lab_model_cut(to, seen, durable);
    for (i = 0; i < LAB_STREAMS; i++) {
        uint64_t rows = lab_level_of(to, i, LAB_ROWS)->issued;
        lab_rows_copy(&to->kinds[i], &from->rows[i], &to->rows[i], rows);
    }
}

/* The value of a key: its number, and bytes that follow from it. Returns their count. */
static size_t lab_meta_value(const lab_model *m, uint32_t level, uint64_t number, uint8_t *value) {
    uint64_t random = lab_mix(m->meta_seed + level, number);
    size_t i, size = 16 + (size_t)test_below(&random, 300);
    memcpy(value, &number, 8);
    for (i = 8; i < size; i++) value[i] = (uint8_t)test_random(&random);
    return size;
}

#define LAB_META_MAX 316

/* ---- workloads ---------------------------------------------------------------------------- */

#define LAB_OPS_MAX 128

typedef struct lab_workload {
    uint64_t id, seed;
    uint32_t flags, sync_align;
    uint64_t sync_interval_bytes;
    uint32_t set;               /* of streams */
    bool lazy;                  /* streams are made when they are needed */
    bool all;                   /* also those that are seldom there */
    bool faults;                /* syncs may fail */
    uint8_t ops[LAB_OPS_MAX];
    uint32_t count;
} lab_workload;

typedef struct lab_world {
    sim_disk *disk;
    const lab_workload *workload;
    lab_model model;
    sst_store *store;           /* NULL: closed, or about to be opened */
    sst_stream *streams[LAB_STREAMS];
    bool kill_safe;
    bool sticky;                /* a sync has failed */
    const struct lab_world *outer;
    uint64_t outer_state;       /* with which it began */
    uint32_t depth;
    uint32_t op;                /* how many operations there were */
    uint32_t opened;            /* of these before the session began */
    const char *doing;
    uint64_t points;            /* so far */
    uint64_t state;             /* that is being looked at */
    uint8_t *torn;              /* records that are in the -torn file whatever happens */
    size_t torn_size;
} lab_world;

static struct {
    uint64_t seed;
    uint64_t states, deep, points;
    double per_point;           /* states at a point of the first depth */
    uint64_t deep_odds;         /* one of so many begins a world */
    bool line_up;               /* what is lost, and done then, may come to the same places */
    uint32_t set;               /* of the streams of all workloads, */
    bool every;                 /* unless each has its own */
    bool quiet;                 /* no states at all */
    bool stopped;
    uint32_t failures;
    char text[256];             /* the first failure */
    uint64_t replay[8];         /* workload, point, state, point, state, ... */
    uint32_t replay_count;
} lab;

#define LAB_DEEP 60             /* deep_odds as a rule */
#define LAB_DEEP_PER_POINT 0.6  /* states at a point of the second depth */

/* What failed; the text is good until the next one. */
static const char *lab_text(const char *what, const char *name, uint64_t got, uint64_t want) {
    static char text[200];
    snprintf(text, sizeof text, "%s%s%s: %llu, expected %llu", what, name[0] == 0 ? "" : " ", name,
             (unsigned long long)got, (unsigned long long)want);
    return text;
}

static const char *lab_text_result(const char *what, int result) {
    static char text[200];
    snprintf(text, sizeof text, "%s is %s", what, sst_result_name(result));
    return text;
}

static const char *lab_op_name(uint32_t op);

static void lab_print_world(const lab_world *w) {
    const lab_workload *k = w->workload;
    uint32_t i;
    printf("  depth %u, workload %llu: set %u, flags 0x%x, sync_align %u, interval %llu%s%s\n  ",
           w->depth, (unsigned long long)k->id, k->set, k->flags, k->sync_align,
           (unsigned long long)k->sync_interval_bytes, k->lazy ? ", lazy" : "",
           k->all ? ", all" : "");
    for (i = 0; i < k->count && i <= w->op; i++) {
        printf(" %s%s", i == w->op ? ">" : "", lab_op_name(k->ops[i]));
    }
    printf("\n  in %s, point %llu\n", w->doing, (unsigned long long)w->points);
}

static void lab_print_path(const lab_world *w) {
    if (w->outer != NULL) lab_print_path(w->outer);
    else printf("  TEST_SEED=%llu CRASH_REPLAY=%llu", (unsigned long long)lab.seed,
                (unsigned long long)w->workload->id);
    if (w->state != 0) {
        printf(":%llu.%llu", (unsigned long long)w->points, (unsigned long long)w->state);
    }
}

/* Only the first few are printed; those that a broken protocol is to cause are not. */
static void lab_fail(const lab_world *w, const char *text) {
    if (lab.failures++ == 0) snprintf(lab.text, sizeof lab.text, "%s", text);
    if (lab.failures >= 5 || lab_broken != 0) lab.stopped = true;
    if (lab_broken != 0) return;
    printf("crash lab: %s\n", text);
    lab_print_world(w);
    lab_print_path(w);
    printf("\n");
}

/* ---- looking at a store ------------------------------------------------------------------- */

/* What is there. */
typedef struct lab_seen {
    uint64_t levels[LAB_LEVELS];
    bool opened;
    sst_info info;
} lab_seen;

/* The same column of a view. */
static sst_column lab_column_seen(const sst_view *view, uint32_t column) {
    sst_column seen = {NULL, NULL};
    switch (column) {
        case LAB_TIME: seen.values = view->times; break;
        case LAB_CLOCK: seen.values = view->timelines[0]; break;
        case LAB_TAG: seen.values = view->tags; break;
        case LAB_KEY:
            seen.values = view->keys;
            seen.offsets = view->key_offsets;
            break;
        case LAB_FLAG: seen.values = view->row_flags; break;
        default:
            if (column - LAB_FIELD < view->column_count) seen = view->columns[column - LAB_FIELD];
    }
    return seen;
}

/* Are `count` rows of a column, from row `at` of the view on, those of the model? */
static bool lab_column_equal(const sst_column *got, uint64_t at, const sst_column *want,
                             uint32_t width, uint64_t count) {
    const uint8_t *a = (const uint8_t *)got->values, *b = (const uint8_t *)want->values;
    const uint32_t *ends = got->offsets;
    uint64_t start, i;
    if (want->offsets == NULL) return memcmp(a + at * width, b, (size_t)count * width) == 0;
    ends += at;
    start = *want->offsets;
    for (i = 1; i <= count; i++) {
        if (ends[i] - ends[0] != want->offsets[i] - start) return false;
    }
    count = want->offsets[count] - start;
    return memcmp(a + (uint64_t)ends[0] * width, b + start * width, (size_t)count * width) == 0;
}

/* Are the rows of a view, and all they have, the model's? */
static const char *lab_look_view(const lab_model *m, uint32_t stream, const sst_view *view) {
    static const char *const names[LAB_COLUMNS] = {
        "time", "timeline", "tag", "key", "flag", "value", "second value", "third value"
    };
    static char text[100];
    const lab_kind *kind = &m->kinds[stream];
    uint64_t row = view->first_row;
    uint32_t i;
    if (view->column_count != lab_field_count(kind) || view->values != view->columns[0].values ||
        view->offsets != view->columns[0].offsets) return "a view of other columns";
    for (i = 0; i < LAB_COLUMNS; i++) {
        sst_column got = lab_column_seen(view, i), want = lab_column_at(m, stream, i, row);
        uint32_t width = lab_width(kind, i);
        if ((got.values == NULL) != (width == 0) ||
            (got.offsets == NULL) == lab_is_ragged(kind, i)) return "a view of other columns";
        if (width == 0 || lab_column_equal(&got, 0, &want, width, view->count)) continue;
        while (lab_column_equal(&got, row - view->first_row, &want, width, 1)) {
            row++;
            want = lab_column_at(m, stream, i, row);
        }
        snprintf(text, sizeof text, "a %s that never was, in row of %s", names[i], kind->name);
        return lab_text(text, "", row, view->first_row + view->count);
    }
    return NULL;
}

/* A row is found by its time, or by its number, and is what it is among the others. */
static const char *lab_look_row(const lab_model *m, uint32_t i, sst_stream *stream,
                                uint64_t row, uint64_t rows) {
    const int64_t *times = (const int64_t *)lab_column_at(m, i, LAB_TIME, 0).values;
    uint64_t found;
    sst_view view;
    int result;
    if (times != NULL) {
        while (row + 1 < rows && times[row + 1] == times[row]) row++;
        result = sst_locate(stream, times[row], SST_EXACT, &found);
        if (result != SST_OK) return lab_text_result("sst_locate", result);
        if (found != row) return lab_text("row by its time", "", found, row);
    }
    result = sst_slice(stream, row, 1, &view);
    if (result != SST_OK) return lab_text_result("sst_slice of a row", result);
    if (view.count != 1 || view.first_row != row) return lab_text("row", "", view.first_row, row);
    return lab_look_view(m, i, &view);
}

/* The rows of a stream are the first ones of the model's. */
static const char *lab_look_rows(const lab_model *m, uint32_t i, sst_stream *stream,
                                 uint64_t rows) {
    const lab_kind *kind = &m->kinds[i];
    uint64_t issued = m->levels[LAB_PER_STREAM * i + LAB_ROWS].issued;
    const char *text;
    sst_view view;
    int result;
    if (rows > issued) return lab_text("rows of", kind->name, rows, issued);
    if (rows == 0) return NULL;
    result = sst_slice(stream, 0, rows, &view);
    if (result != SST_OK) return lab_text_result("sst_slice", result);
    if (view.count != rows || view.first_row != 0) {
        return lab_text("rows in a view of", kind->name, view.count, rows);
    }
    text = lab_look_view(m, i, &view);
    return text == NULL ? lab_look_row(m, i, stream, rows / 2, rows) : text;
}

static const char *lab_look_stream(const lab_model *m, uint32_t i, sst_store *store,
                                   uint64_t *seen) {
    sst_stream *stream;
    const char *text;
    int result = sst_stream_open(store, m->kinds[i].name, &stream);
    if (result == SST_ERR_NOT_FOUND) return NULL;
    if (result != SST_OK) return lab_text_result("sst_stream_open", result);
    seen[LAB_MADE] = 1;
    seen[LAB_ROWS] = sst_rows(stream);
    seen[LAB_FINISHED] = stream->series->finished != 0;
    text = lab_look_rows(m, i, stream, seen[LAB_ROWS]);
    sst_stream_close(stream);
    return text;
}

/* A value is one that was set at some time. */
static const char *lab_look_value(const lab_model *m, uint32_t level, int result,
                                  const void *value, size_t size, uint64_t *seen) {
    uint8_t want[LAB_META_MAX];
    uint64_t number;
    if (result == SST_ERR_NOT_FOUND) return NULL;
    if (result != SST_OK) return lab_text_result("sst_get_meta", result);
    if (size < 8) return lab_text("bytes of metadata", "", size, 16);
    memcpy(&number, value, 8);
    if (lab_meta_value(m, level, number, want) != size || memcmp(value, want, size) != 0) {
        return lab_text("metadata that was never set", "", number, m->levels[level].issued);
    }
    seen[level] = number;
    return NULL;
}

static const char *lab_look_metas(const lab_model *m, sst_store *store, uint64_t *seen) {
    const void *value;
    sst_stream *stream;
    size_t size;
    int result = sst_get_meta(store, "key", &value, &size);
    const char *text = lab_look_value(m, LAB_STORE_META, result, value, size, seen);
    if (text != NULL || seen[LAB_MADE] == 0) return text;
    if (sst_stream_open(store, m->kinds[0].name, &stream) != SST_OK) return "no stream";
    result = sst_stream_get_meta(stream, "key", &value, &size);
    text = lab_look_value(m, LAB_STREAM_META, result, value, size, seen);
    sst_stream_close(stream);
    return text;
}

/* Reads everything. Nothing may be there that the model has never had. */
static const char *lab_look(const lab_model *m, sst_store *store, lab_seen *seen) {
    const char *text = NULL;
    uint32_t i, made = 0;
    memset(seen->levels, 0, sizeof seen->levels);
    for (i = 0; i < LAB_STREAMS && text == NULL; i++) {
        text = lab_look_stream(m, i, store, &seen->levels[LAB_PER_STREAM * i]);
        if (seen->levels[LAB_PER_STREAM * i + LAB_MADE] != 0) made++;
    }
    if (text == NULL && made != sst_stream_count(store)) {
        text = lab_text("streams", "", sst_stream_count(store), made);
    }
    if (text == NULL) text = lab_look_metas(m, store, seen->levels);
    sst_store_info(store, &seen->info);
    return text;
}

static const char *lab_level_name(const lab_model *m, uint32_t level) {
    static char name[40];
    static const char *const what[LAB_PER_STREAM] = {"rows", "stream", "finish"};
    if (level >= LAB_STORE_META) return level == LAB_STORE_META ? "metadata" : "stream metadata";
    snprintf(name, sizeof name, "%s of %s", what[level % LAB_PER_STREAM],
             m->kinds[level / LAB_PER_STREAM].name);
    return name;
}

/* Not less than survives the crash, not more than there ever was. */
static const char *lab_compare(const lab_model *m, const lab_seen *seen, bool kill) {
    uint32_t i;
    for (i = 0; i < LAB_LEVELS; i++) {
        const lab_level *l = &m->levels[i];
        uint64_t got = seen->levels[i], least = kill ? l->safe : l->synced;
        if (got < least) return lab_text("lost:", lab_level_name(m, i), got, least);
        if (got > l->issued || (got != l->base && got < l->first)) {
            return lab_text("never was:", lab_level_name(m, i), got, l->issued);
        }
    }
    return NULL;
}

static const char *lab_equal(const lab_model *m, const lab_seen *a, const lab_seen *b,
                             const char *what) {
    uint32_t i;
    static char text[80];
    for (i = 0; i < LAB_LEVELS; i++) {
        if (a->levels[i] == b->levels[i]) continue;
        snprintf(text, sizeof text, "%s: %s", what, lab_level_name(m, i));
        return lab_text(text, "", a->levels[i], b->levels[i]);
    }
    return NULL;
}

/* ---- checking a state --------------------------------------------------------------------- */

/* The number of a state says all about it. */
#define LAB_KEPT 0xFFFu         /* which sectors are kept, with LAB_EXACT */
#define LAB_EXACT 0x1000u
#define LAB_GARBAGE 0x2000u     /* sectors in flight may be garbage */
#define LAB_KILL 0x4000u
#define LAB_NO_MAP 0x8000u      /* read without mapping */
#define LAB_CLOSE 0x10000u      /* after recovery close, and open; else be killed, and recover */
#define LAB_CLONE 0x20000u      /* a kill: when going deeper, nothing becomes durable */
#define LAB_PLAN 0xC0000u       /* a sim_plan; LAB_KEPT counts changes */
#define LAB_PLAN_SHIFT 18
#define LAB_RANDOM 0x100000u    /* from here on: any bits */

static void lab_options(const lab_workload *k, const sim_disk *disk, sst_options *o) {
    memset(o, 0, sizeof *o);
    o->io = &disk->io;
    o->block_bytes = 512;
    o->sync_align = k->sync_align;
    o->sync_interval_bytes = k->sync_interval_bytes;
    o->flags = k->flags;
}

static uint64_t lab_changing_calls(const sim_disk *disk) {
    return disk->calls[SIM_WRITE] + disk->calls[SIM_RESIZE] + disk->calls[SIM_SYNC] +
           disk->calls[SIM_RESERVE] + disk->calls[SIM_REMOVE] + disk->calls[SIM_RENAME] +
           disk->calls[SIM_SYNC_DIR] + disk->name_count;
}

/* All of a state is durable: its files are what they were. */
static bool lab_unchanged(const sim_disk *state) {
    uint32_t i;
    for (i = 0; i < state->file_count; i++) {
        const sim_file *f = state->files[i];
        if (f->size != f->base_size) return false;
        if (f->size != 0 && memcmp(f->content, f->base, (size_t)f->size) != 0) return false;
    }
    return true;
}

static const char *lab_check_left(const sim_disk *disk) {
    if (disk->open_handles != 0) return lab_text("open handles", "", disk->open_handles, 0);
    if (disk->open_maps != 0) return lab_text("open mappings", "", disk->open_maps, 0);
    return NULL;
}

/* Must there be a store? */
static bool lab_must_open(const lab_world *w, uint64_t id) {
    return (id & LAB_KILL) != 0 ? w->model.created : w->model.named;
}

/* Before the first sync has returned, what is there need not be a store, nor be ours: the space may
 * hold the beginning of an older one. All that is asked of it then is an answer. */
static bool lab_is_ours(const lab_world *w, sim_disk *state, uint64_t id) {
    uint64_t size, own;
    const uint8_t *bytes = sim_bytes(state, LAB_PATH, &size);
    const uint8_t *ours = sim_bytes(w->disk, LAB_PATH, &own);
    return lab_must_open(w, id) || (size >= 64 && own >= 64 && memcmp(bytes, ours, 64) == 0);
}

static const char *lab_check_foreign(const lab_world *w, sim_disk *state) {
    sst_options o;
    sst_store *store;
    lab_options(w->workload, state, &o);
    (void)sst_open(LAB_PATH, &o, &store);
    (void)sst_close(store);
    (void)sst_open_append(LAB_PATH, &o, &store);
    (void)sst_close(store);
    return lab_check_left(state);
}

/* Opens for reading and looks: what is there is what the model allows, nothing is called damaged,
 * and nothing on the disk has changed. */
static const char *lab_check_reading(const lab_world *w, const lab_model *m, sim_disk *state,
                                     uint64_t id, lab_seen *seen) {
    uint64_t calls = lab_changing_calls(state);
    const char *text;
    sst_options o;
    sst_store *store;
    int result;
    memset(&o, 0, sizeof o);
    o.io = &state->io;
    if ((id & LAB_NO_MAP) != 0) o.flags = SST_NO_MAP;
    result = sst_open(LAB_PATH, &o, &store);
    if ((result == SST_ERR_NOT_FOUND || result == SST_ERR_FORMAT) && !lab_must_open(w, id)) {
        return lab_check_left(state);
    }
    if (result != SST_OK) return lab_text_result("sst_open", result);
    seen->opened = true;
    text = lab_look(m, store, seen);
    if (text == NULL) text = lab_compare(m, seen, (id & LAB_KILL) != 0);
    result = sst_verify(store, NULL);
    if (text == NULL && result != SST_OK) text = lab_text_result("sst_verify", result);
    result = sst_close(store);
    if (text == NULL && result != SST_OK) text = lab_text_result("sst_close of a reader", result);
    if (text == NULL && (calls != lab_changing_calls(state) || !lab_unchanged(state))) {
        text = "reading has changed the disk";
    }
    if (text == NULL && m->closed && (id & LAB_KILL) != 0 &&
        seen->info.state != SST_FINISHED) text = "a closed file is not finished";
    return text == NULL ? lab_check_left(state) : text;
}

/* The records behind the cut that recovery has to save, one behind the other. The caller frees. */
static uint8_t *lab_torn_expected(sim_disk *state, const sst_info *info, size_t *size) {
    uint64_t length, at = info->file_bytes - info->torn_bytes;
    const uint8_t *bytes = sim_bytes(state, LAB_PATH, &length);
    uint8_t *torn = NULL;
    mend_record r;
    *size = 0;
    for (at = (at + 63) / 64 * 64; at < length; at += 64) {
        uint8_t offset[8];
        size_t n;
        mend_put(offset, at, 8);
        if (!mend_at(bytes, length, at, &r) || memcmp(bytes + at + 8, bytes + 12, 4) != 0 ||
            mend_u32(bytes + at + 60) !=
                sst_crc32c(offset, 8, sst_crc32c(bytes + at, 60, 0))) continue;
        n = (size_t)(64 + r.size);
        torn = (uint8_t *)lab_resize(torn, *size + n);
        memcpy(torn + *size, bytes + at, n);
        *size += n;
        at = (r.payload + r.size + 63) / 64 * 64 - 64;
    }
    return torn;
}

/* Are these bytes somewhere in the -torn file? */
static bool lab_torn_has(sim_disk *state, const uint8_t *torn, size_t size) {
    uint64_t length, at;
    const uint8_t *bytes = sim_bytes(state, LAB_TORN, &length);
    if (size == 0) return true;
    for (at = 0; at + size <= length; at++) {
        if (bytes[at] == torn[0] && memcmp(bytes + at, torn, size) == 0) return true;
    }
    return false;
}

/* Recovers, or finds that there is nothing, and looks again: the same as reading has shown. */
static const char *lab_check_recovery(const lab_world *w, const lab_model *m, sim_disk *state,
                                      const lab_seen *seen, sst_store **store) {
    const char *text;
    lab_seen now;
    sst_options o;
    int result;
    lab_options(w->workload, state, &o);
    result = sst_open_append(LAB_PATH, &o, store);
    if (!seen->opened) {
        if (result == SST_ERR_NOT_FOUND || result == SST_ERR_FORMAT) return NULL;
        return lab_text_result("sst_open_append of nothing", result);
    }
    if (result != SST_OK) return lab_text_result("sst_open_append", result);
    text = lab_look(m, *store, &now);
    if (text == NULL) text = lab_equal(m, &now, seen, "recovered other than read");
    result = sst_verify(*store, NULL);
    if (text == NULL && result != SST_OK) {
        text = lab_text_result("sst_verify after recovery", result);
    }
    return text;
}

/* Closes after recovery: the file is finished and has the same. */
static const char *lab_check_closed(const lab_world *w, const lab_model *m, sim_disk *state,
                                    const lab_seen *seen, sst_store *store) {
    const char *text;
    lab_seen now;
    sst_options o;
    int result = sst_close(store);
    if (result != SST_OK) return lab_text_result("sst_close after recovery", result);
    text = lab_check_left(state);
    if (text != NULL) return text;
    if (sim_lookup(state, LAB_PATH "-live") != NULL && (w->workload->flags & SST_NO_LIVE) == 0) {
        return "a companion is left after closing";
    }
    memset(&o, 0, sizeof o);
    o.io = &state->io;
    result = sst_open(LAB_PATH, &o, &store);
    if (result != SST_OK) return lab_text_result("sst_open after closing", result);
    text = lab_look(m, store, &now);
    if (text == NULL) text = lab_equal(m, &now, seen, "closed with other than recovered");
    if (text == NULL && now.info.state != SST_FINISHED) text = "not finished after closing";
    sst_close(store);
    return text;
}

/* Is killed after recovery: recovering again gives the same. */
static const char *lab_check_twice(const lab_world *w, const lab_model *m, sim_disk *state,
                                   const lab_seen *seen, sst_store *store) {
    sim_disk again;
    const char *text;
    memset(&again, 0, sizeof again);
    sim_copy(state, &again, 1);
    again.plain = true;
    sst_close(store);
    store = NULL;
    text = lab_check_recovery(w, m, &again, seen, &store);
    sst_close(store);
    if (text == NULL) text = lab_check_left(&again);
    sim_free(&again);
    return text == NULL ? lab_check_left(state) : text;
}

/* Everything that must hold in a state. Recovers it. */
static const char *lab_check(const lab_world *w, const lab_model *m, sim_disk *state, uint64_t id,
                             lab_seen *seen) {
    const char *text;
    sst_store *store = NULL;
    uint8_t *torn = NULL;
    size_t size = 0;
    seen->opened = false;
    if (!lab_is_ours(w, state, id)) return lab_check_foreign(w, state);
    text = lab_check_reading(w, m, state, id, seen);
    if (text != NULL) return text;
    if (seen->opened && seen->info.torn_bytes != 0) {
        torn = lab_torn_expected(state, &seen->info, &size);
    }
    text = lab_check_recovery(w, m, state, seen, &store);
    if (text == NULL && !lab_torn_has(state, torn, size)) text = "a torn record was not saved";
    if (text == NULL && w->torn_size != 0 && ((id & LAB_KILL) != 0 || w->model.named) &&
        !lab_torn_has(state, w->torn, w->torn_size)) text = "a saved torn record is lost";
    free(torn);
    if (text != NULL || store == NULL) {
        sst_close(store);
        return text == NULL ? lab_check_left(state) : text;
    }
    return (id & LAB_CLOSE) != 0 ? lab_check_closed(w, m, state, seen, store)
                                 : lab_check_twice(w, m, state, seen, store);
}

/* ---- points and states -------------------------------------------------------------------- */

/* A kill after which nothing has become durable. Not after a failed sync: nobody can know then what
 * the kernel has dropped. */
static bool lab_is_clone(const lab_world *w, uint64_t id) {
    return (id & LAB_KILL) != 0 && (id & LAB_CLONE) != 0 && !w->sticky;
}

/* The disk as a crash leaves it. */
static void lab_make_state(const lab_world *w, uint64_t id, bool clone, sim_disk *state) {
    sim_loss loss;
    memset(state, 0, sizeof *state);
    if ((id & LAB_KILL) != 0) {
        if (clone && lab_is_clone(w, id)) sim_clone(w->disk, state, id);
        else sim_copy(w->disk, state, id);
        return;
    }
    memset(&loss, 0, sizeof loss);
    loss.seed = lab_mix(w->workload->seed, id);
    loss.exact = (id & LAB_EXACT) != 0;
    loss.kept = id & LAB_KEPT;
    loss.plan = (sim_plan)((id & LAB_PLAN) >> LAB_PLAN_SHIFT);
    loss.garbage = (id & LAB_GARBAGE) != 0;
    sim_crash(w->disk, state, &loss);
}

/* What a crash before has hidden may come to light again where the file grows, as long as nothing
 * was synced since: then the disk is once more as it was, and that is the history that counts.
 * True: *m is that one. Its rows are the outer world's own. */
static bool lab_before(const lab_world *w, uint64_t id, lab_model *m) {
    uint32_t i;
    if (w->outer == NULL || (id & LAB_KILL) != 0 || w->disk->calls[SIM_SYNC] != 0) return false;
    *m = w->outer->model;
    for (i = 0; i < LAB_LEVELS; i++) m->levels[i].synced = w->model.levels[i].synced;
    m->named = w->model.named;
    m->closed = false;
    return true;
}

static void lab_deeper(lab_world *w, uint64_t id, const lab_seen *seen);

/* To be looked at only: a disk that loses nothing. */
static void lab_make_plain(const lab_world *w, uint64_t id, sim_disk *state) {
    lab_make_state(w, id, false, state);
    state->plain = true;
}

static void lab_state(lab_world *w, uint64_t id, bool deeper) {
    sim_disk state;
    lab_seen seen;
    lab_model before;
    const char *text;
    w->state = id;
    lab_make_plain(w, id, &state);
    lab.states++;
    if (w->depth > 1) lab.deep++;
    text = lab_check(w, &w->model, &state, id, &seen);
    sim_free(&state);
    if (text != NULL && lab_before(w, id, &before)) {
        lab_make_plain(w, id, &state);
        if (lab_check(w, &before, &state, id, &seen) == NULL) text = NULL;
        sim_free(&state);
    }
    if (text != NULL) lab_fail(w, text);
    else if (deeper && seen.opened) lab_deeper(w, id, &seen);
    w->state = 0;
}

/* A sector that is being written may become garbage. That must not touch what a sync has made sure:
 * it pads to sync_align. What a crash has left ends anywhere, until the recovery has padded it. */
static bool lab_garbage_allowed(const lab_world *w) {
    return w->workload->sync_align >= 512 && (w->outer == NULL || w->model.padded);
}

static bool lab_anything_lost(const sim_disk *disk) {
    uint32_t i;
    if (disk->change_count != 0) return true;
    for (i = 0; i < disk->file_count; i++) {
        if (!disk->files[i]->mapped && disk->files[i]->first != NULL) return true;
    }
    return false;
}

/* A whole number of this mean. */
static uint64_t lab_round(double mean, uint64_t *random) {
    uint64_t n = (uint64_t)mean;
    double rest = mean - (double)n;
    return n + ((double)(test_random(random) >> 40) / 16777216.0 < rest ? 1 : 0);
}

/* One way to lose power, of those that there are with so many sectors in flight. */
static uint64_t lab_loss(const lab_world *w, uint64_t units, uint64_t *random) {
    uint64_t id = test_random(random) & ~(uint64_t)(LAB_RANDOM - 1);
    uint64_t pick = test_below(random, 8);
    if (lab.line_up) pick = w->depth - 1;
    id |= test_random(random) & (LAB_NO_MAP | LAB_CLOSE);
    if (pick < 2) {
        id |= (uint64_t)(pick == 0 ? SIM_BYTES_FIRST : SIM_SIZES_FIRST) << LAB_PLAN_SHIFT;
        id |= test_below(random, units < 7 ? units + 1 : 8);
    } else if (units != 0 && units <= 12 && pick < 5) {
        id |= LAB_EXACT | test_below(random, (uint64_t)1 << units);
    }
    if (lab_garbage_allowed(w) && test_below(random, 3) == 0) id |= LAB_GARBAGE;
    return id;
}

/* Loses power n times. Where there are few sectors in flight, and states for all subsets of them,
 * all are tried. */
static void lab_losses(lab_world *w, uint64_t n, uint64_t random) {
    uint64_t units = sim_units(w->disk), i, all = units <= 12 ? (uint64_t)1 << units : 0;
    if (!lab_anything_lost(w->disk) && n > 2) n = 2;
    for (i = 0; i < n && !lab.stopped; i++) {
        uint64_t id = lab_loss(w, units, &random);
        if (all != 0 && all <= n && i < all) {
            id = (id & ~(uint64_t)(LAB_PLAN | LAB_KEPT)) | LAB_EXACT | i;
        }
        lab_state(w, id, w->depth == 1 && test_below(&random, lab.deep_odds) == 0);
    }
}

static void lab_replay_point(lab_world *w) {
    uint32_t at = 2 * w->depth - 1;
    if (at + 1 >= lab.replay_count || lab.replay[at] != w->points) return;
    lab_state(w, lab.replay[at + 1], true);
}

/* A moment at which the machine may stop. */
static void lab_point(lab_world *w, bool after) {
    double mean = w->depth == 1 ? lab.per_point : LAB_DEEP_PER_POINT;
    uint64_t random = lab_mix(lab_mix(w->workload->seed, w->outer_state), ++w->points);
    if (lab.quiet || lab.stopped) return;
    lab.points++;
    if (lab.replay_count != 0) {
        lab_replay_point(w);
        return;
    }
    if (test_below(&random, 1000) < (uint64_t)(mean * (after ? 250 : 125))) {
        uint64_t id = test_random(&random) & ~(uint64_t)(LAB_RANDOM - 1 - LAB_CLOSE - LAB_CLONE);
        bool deeper = w->depth == 1 && test_below(&random, lab.deep_odds / 8 + 1) == 0;
        lab_state(w, id | LAB_KILL, deeper);
    }
    if (after) {
        uint64_t n = lab_round(mean, &random);
        lab_losses(w, n, random);
    }
}

static void lab_watch(void *context, sim_disk *disk, sim_kind kind, bool after) {
    lab_world *w = (lab_world *)context;
    if (disk == w->disk) lab_point(w, after);
    (void)kind;
}

/* ---- operations --------------------------------------------------------------------------- */

/* What was begun is done. */
static void lab_done(lab_world *w, uint32_t level) {
    lab_level *l = &w->model.levels[level];
    bool tail = level < LAB_STORE_META && level % LAB_PER_STREAM == LAB_ROWS &&
                !w->model.kinds[level / LAB_PER_STREAM].direct;
    l->done = l->issued;
    if (w->kill_safe || !tail) l->safe = l->done;
}

static void lab_all_safe(lab_model *m) {
    uint32_t i;
    for (i = 0; i < LAB_LEVELS; i++) m->levels[i].safe = m->levels[i].done;
}

static void lab_sync_begin(lab_model *m) {
    uint32_t i;
    for (i = 0; i < LAB_LEVELS; i++) m->levels[i].asked = m->levels[i].done;
}

static void lab_sync_done(lab_model *m) {
    uint32_t i;
    for (i = 0; i < LAB_LEVELS; i++) {
        if (m->levels[i].asked > m->levels[i].synced) m->levels[i].synced = m->levels[i].asked;
    }
    m->named = true;
}

/* What the library says is durable has to be. */
static const char *lab_durable(lab_world *w) {
    uint32_t i;
    for (i = 0; i < LAB_STREAMS; i++) {
        const char *name = w->model.kinds[i].name;
        lab_level *l = lab_level_of(&w->model, i, LAB_ROWS);
        uint64_t rows = w->streams[i] == NULL ? 0 : sst_durable_rows(w->streams[i]);
        if (rows > l->done) return lab_text("durable rows of", name, rows, l->done);
        if (rows > l->synced) l->synced = rows;
        if (rows != 0) w->model.named = true;
    }
    return NULL;
}

static const char *lab_started(lab_world *w) {
    sst_info info;
    sst_store_info(w->store, &info);
    w->kill_safe = info.kill_safe;
    if (info.kill_safe != ((w->workload->flags & SST_NO_LIVE) == 0)) return "kill_safe is wrong";
    return NULL;
}

static const char *lab_create(lab_world *w) {
    sst_options o;
    int result;
    lab_options(w->workload, w->disk, &o);
    result = sst_create(LAB_PATH, &o, &w->store);
    if (result != SST_OK) return lab_text_result("sst_create", result);
    w->model.created = true;
    return lab_started(w);
}

/* Opens to append: after a kill with what that left, else with everything. */
static const char *lab_open(lab_world *w) {
    const char *text;
    sst_options o;
    lab_seen seen;
    int result;
    lab_options(w->workload, w->disk, &o);
    w->doing = "opening";
    w->opened = w->op;
    w->model.closed = false;
    result = sst_open_append(LAB_PATH, &o, &w->store);
    if (result != SST_OK) return lab_text_result("sst_open_append", result);
    text = lab_look(&w->model, w->store, &seen);
    if (text == NULL) text = lab_compare(&w->model, &seen, true);
    if (text != NULL) return text;
    lab_model_cut(&w->model, seen.levels, false);
    w->model.padded = w->model.padded || (w->workload->flags & SST_NO_SYNC) == 0;
    return lab_started(w);
}

/* What sst_stream_create is given. fields: LAB_FIELDS of them. */
static void lab_describe(const lab_kind *kind, sst_stream_desc *desc, sst_field *fields) {
    static const char *const names[LAB_FIELDS] = {"first", "second", "third"};
    uint32_t i, n = lab_field_count(kind);
    memset(desc, 0, sizeof *desc);
    memset(fields, 0, LAB_FIELDS * sizeof *fields);
    for (i = 0; i < n; i++) {
        fields[i].name = names[i];
        fields[i].type = kind->fields[i].type;
        fields[i].shape[0] = kind->fields[i].shape;
        fields[i].flags = kind->fields[i].most != 0 ? SST_RAGGED : 0;
    }
    desc->name = kind->name;
    desc->flags = kind->flags | SST_OPEN_EXISTING;
    desc->block_bytes = kind->block_bytes;
    if (kind->clock) desc->timelines[0] = "clock";
    if (n > 1) {
        desc->fields = fields;
        desc->field_count = n;
        return;
    }
    desc->type = fields[0].type;
    desc->shape[0] = fields[0].shape[0];
    desc->flags |= fields[0].flags;
}

/* A handle to append with; makes the stream when it is not there. */
static const char *lab_stream(lab_world *w, uint32_t i) {
    lab_level *made = lab_level_of(&w->model, i, LAB_MADE);
    sst_field fields[LAB_FIELDS];
    sst_stream_desc desc;
    int result;
    if (w->streams[i] != NULL) return NULL;
    lab_describe(&w->model.kinds[i], &desc, fields);
    made->issued = 1;
    result = sst_stream_create(w->store, &desc, &w->streams[i]);
    if (result != SST_OK) return lab_text_result("sst_stream_create", result);
    lab_done(w, LAB_PER_STREAM * i + LAB_MADE);
    return NULL;
}

/* Has the workload such a stream? */
static bool lab_has(const lab_world *w, uint32_t i) {
    return !w->model.kinds[i].seldom || w->workload->all;
}

/* Makes ready what an operation needs: an open store, and streams. */
static const char *lab_ready(lab_world *w) {
    const char *text = NULL;
    uint32_t i;
    if (w->store == NULL) text = lab_open(w);
    for (i = 0; i < LAB_STREAMS && text == NULL; i++) {
        if (lab_has(w, i) && (i == 0 || !w->workload->lazy)) text = lab_stream(w, i);
    }
    return text;
}

/* Rows of the model as a view. columns: LAB_FIELDS of them. */
static void lab_view(const lab_model *m, uint32_t i, uint64_t row, uint64_t count,
                     sst_column *columns, sst_view *view) {
    sst_column key = lab_column_at(m, i, LAB_KEY, row);
    uint32_t f;
    memset(view, 0, sizeof *view);
    view->first_row = row;
    view->count = count;
    view->column_count = lab_field_count(&m->kinds[i]);
    for (f = 0; f < LAB_FIELDS; f++) columns[f] = lab_column_at(m, i, LAB_FIELD + f, row);
    view->columns = columns;
    view->values = columns[0].values;
    view->offsets = columns[0].offsets;
    view->times = (const int64_t *)lab_column_at(m, i, LAB_TIME, row).values;
    view->timelines[0] = (const int64_t *)lab_column_at(m, i, LAB_CLOCK, row).values;
    view->tags = (const uint32_t *)lab_column_at(m, i, LAB_TAG, row).values;
    view->key_offsets = key.offsets;
    view->keys = (const uint8_t *)key.values;
    view->row_flags = (const uint8_t *)lab_column_at(m, i, LAB_FLAG, row).values;
}

static void lab_row_key(const sst_view *row, sst_key *key) {
    const uint8_t *p = row->keys + row->key_offsets[0];
    key->kind = p[0];
    key->size = row->key_offsets[1] - row->key_offsets[0] - 1;
    key->bytes = p + 1;
    if (key->kind == SST_KEY_I64) key->number = ssti_signed(ssti_get64(p + 1));
}

/* Appends the row of a view with all it has. */
static int lab_append_row(const lab_model *m, uint32_t i, sst_stream *stream,
                          const sst_view *row) {
    sst_cell cells[LAB_FIELDS];
    sst_row general;
    uint32_t f;
    memset(&general, 0, sizeof general);
    if (row->times != NULL) general.time = row->times[0];
    general.timelines = row->timelines[0];
    if (row->tags != NULL) general.tag = row->tags[0];
    if (row->keys != NULL) {
        lab_row_key(row, &general.key);
        general.flags = row->row_flags[0];
    }
    for (f = 0; f < row->column_count; f++) {
        const sst_column *c = &row->columns[f];
        const uint32_t *ends = c->offsets;
        uint64_t skipped = ends == NULL ? 0 : ends[0];
        uint32_t width = lab_width(&m->kinds[i], LAB_FIELD + f);
        cells[f].data = (const uint8_t *)c->values + skipped * width;
        cells[f].count = ends == NULL ? 1 : ends[1] - ends[0];
    }
    general.cells = cells;
    return sst_append_row(stream, &general);
}

/* Are rows a time and a value? */
static bool lab_is_plain(const lab_kind *kind) {
    return (kind->flags & (SST_TAGGED | SST_KEYED | SST_UNTIMED)) == 0 && !kind->clock &&
           lab_field_count(kind) == 1;
}

static int lab_append_call(lab_world *w, uint32_t i, uint64_t row, uint64_t count) {
    const lab_kind *kind = &w->model.kinds[i];
    sst_stream *stream = w->streams[i];
    sst_column columns[LAB_FIELDS];
    sst_view v;
    const uint8_t *value;
    lab_view(&w->model, i, row, count, columns, &v);
    value = (const uint8_t *)v.values;
    if (lab_is_plain(kind) && v.offsets == NULL) {
        if (count > 1) return sst_append_rows(stream, v.times, value, (size_t)count);
        return sst_append(stream, v.times[0], value);
    }
    if (count > 1) return sst_append_view(stream, &v);
    if (!lab_is_plain(kind)) return lab_append_row(&w->model, i, stream, &v);
    return sst_append_n(stream, v.times[0], value + v.offsets[0] * lab_width(kind, LAB_FIELD),
                        v.offsets[1] - v.offsets[0]);
}

/* Appends so many rows with one call. */
static const char *lab_append_rows(lab_world *w, uint32_t i, uint64_t count) {
    lab_level *l;
    uint64_t row, k;
    int result;
    const char *text = lab_stream(w, i);
    if (text != NULL) return text;
    l = lab_level_of(&w->model, i, LAB_ROWS);
    row = l->issued;
    for (k = 0; k < count; k++) lab_row_add(&w->model, i);
    while ((result = lab_append_call(w, i, row, count)) == SST_ERR_BUSY) {
        uint64_t taken = sst_rows(w->streams[i]) - row;     /* leading rows may have been */
        row += taken;
        count -= taken;
        result = sst_poll(w->store);
        if (result != SST_OK && !w->sticky) return lab_text_result("sst_poll", result);
    }
    if (lab_level_of(&w->model, i, LAB_FINISHED)->done != 0) {
        l->issued = l->done;
        return result == SST_ERR_FINISHED ? NULL : lab_text_result("append when finished", result);
    }
    if (result != SST_OK) return lab_text_result("append", result);
    lab_done(w, LAB_PER_STREAM * i + LAB_ROWS);
    return NULL;
}

static const char *lab_append_each(lab_world *w, const uint32_t *counts) {
    const char *text = NULL;
    uint32_t i, k;
    for (i = 0; i < LAB_STREAMS; i++) {
        if (!lab_has(w, i)) continue;
        for (k = 0; k < counts[i] && text == NULL; k++) text = lab_append_rows(w, i, 1);
    }
    return text;
}

static const char *lab_op_append(lab_world *w) {
    static const uint32_t few[LAB_STREAMS] = {3, 2, 1};
    return lab_append_each(w, few);
}

static const char *lab_op_fill(lab_world *w) {
    uint32_t counts[LAB_STREAMS], i;
    for (i = 0; i < LAB_STREAMS; i++) counts[i] = w->model.kinds[i].fill;
    return lab_append_each(w, counts);
}

static const char *lab_op_batch(lab_world *w) {
    uint64_t random = lab_mix(w->workload->seed, w->op);
    uint32_t i = (uint32_t)test_below(&random, LAB_STREAMS);
    if (!lab_has(w, i)) i = 0;
    return lab_append_rows(w, i, 1 + test_below(&random, 2 * w->model.kinds[i].fill));
}

static const char *lab_op_flush(lab_world *w) {
    int result = sst_flush(w->store);
    if (result != SST_OK) return lab_text_result("sst_flush", result);
    lab_all_safe(&w->model);
    return NULL;
}

static const char *lab_op_sync(lab_world *w) {
    int result;
    lab_sync_begin(&w->model);
    result = sst_sync(w->store);
    if (w->sticky && result != SST_OK) return NULL;
    if (result != SST_OK) return lab_text_result("sst_sync", result);
    lab_sync_done(&w->model);
    lab_all_safe(&w->model);
    return NULL;
}

/* A sync fails, and what it was to write is dropped for good: no later one may succeed. */
static const char *lab_op_fail(lab_world *w) {
    int result;
    if (!w->workload->faults || w->sticky) return NULL;
    lab_sync_begin(&w->model);
    sim_arm(w->disk, SIM_SYNC, 1, 1, SST_ERR_IO);
    result = sst_sync(w->store);
    w->sticky = w->disk->calls[SIM_SYNC] != 0;
    sim_disarm(w->disk);
    if ((result == SST_OK) == w->sticky) return lab_text_result("sst_sync that fails", result);
    lab_all_safe(&w->model);
    return NULL;
}

/* Has so much been written since the last sync that the next poll has to do one? */
static bool lab_poll_due(lab_world *w) {
    uint64_t interval = w->workload->sync_interval_bytes;
    sst_info info;
    sst_store_info(w->store, &info);
    return interval != 0 && (w->workload->flags & SST_NO_SYNC) == 0 &&
           info.file_bytes - info.synced_bytes >= interval;
}

static const char *lab_op_poll(lab_world *w) {
    bool due = lab_poll_due(w);
    int result = sst_poll(w->store);
    uint32_t i;
    if (w->sticky) return result != SST_OK ? NULL : "sst_poll does not tell of the failed sync";
    if (result != SST_OK) return lab_text_result("sst_poll", result);
    for (i = 0; due && i < LAB_STREAMS; i++) {
        const char *name = w->model.kinds[i].name;
        uint64_t done = lab_level_of(&w->model, i, LAB_ROWS)->done;
        uint64_t rows = w->streams[i] == NULL ? done : sst_durable_rows(w->streams[i]);
        if (rows != done) return lab_text("poll has not synced", name, rows, done);
    }
    return NULL;
}

static const char *lab_op_meta(lab_world *w) {
    uint8_t value[LAB_META_MAX];
    uint64_t number = ++w->model.levels[LAB_STORE_META].issued;
    size_t size = lab_meta_value(&w->model, LAB_STORE_META, number, value);
    int result = sst_set_meta(w->store, "key", value, size);
    if (result != SST_OK) return lab_text_result("sst_set_meta", result);
    lab_done(w, LAB_STORE_META);
    return NULL;
}

static const char *lab_op_stream_meta(lab_world *w) {
    uint8_t value[LAB_META_MAX];
    uint64_t number = ++w->model.levels[LAB_STREAM_META].issued;
    size_t size = lab_meta_value(&w->model, LAB_STREAM_META, number, value);
    int result = sst_stream_set_meta(w->streams[0], "key", value, size);
    if (result != SST_OK) return lab_text_result("sst_stream_set_meta", result);
    lab_done(w, LAB_STREAM_META);
    return NULL;
}

/* Finishes the first stream that is not finished. */
static const char *lab_op_finish(lab_world *w) {
    uint32_t i = 0;
    int result;
    while (i + 1 < LAB_STREAMS && (w->streams[i] == NULL ||
                                   lab_level_of(&w->model, i, LAB_FINISHED)->done != 0)) i++;
    if (w->streams[i] == NULL) i = 0;
    lab_level_of(&w->model, i, LAB_FINISHED)->issued = 1;
    result = sst_stream_finish(w->streams[i]);
    if (result != SST_OK) return lab_text_result("sst_stream_finish", result);
    lab_done(w, LAB_PER_STREAM * i + LAB_FINISHED);
    lab_level_of(&w->model, i, LAB_ROWS)->safe = lab_level_of(&w->model, i, LAB_ROWS)->done;
    return NULL;
}

static const char *lab_op_close(lab_world *w) {
    sst_store *store = w->store;
    int result;
    if (store == NULL) return NULL;
    memset(w->streams, 0, sizeof w->streams);
    w->store = NULL;
    lab_sync_begin(&w->model);
    result = sst_close(store);
    if (w->sticky && result != SST_OK) return lab_check_left(w->disk);
    if (result != SST_OK) return lab_text_result("sst_close", result);
    if ((w->workload->flags & SST_NO_SYNC) == 0) lab_sync_done(&w->model);
    lab_all_safe(&w->model);
    w->model.closed = true;
    return lab_check_left(w->disk);
}

/* The process is killed: its disk goes on without it. What it takes with it is given back on a
 * disk that nobody looks at. */
static void lab_kill(lab_world *w) {
    sim_disk *left = (sim_disk *)sim_memory(sizeof *left);
    sim_clone(w->disk, left, w->op);
    w->disk->watch = NULL;
    w->disk->plain = true;
    sst_close(w->store);
    w->store = NULL;
    memset(w->streams, 0, sizeof w->streams);
    sim_free(w->disk);
    free(w->disk);
    w->disk = left;
    left->watch = lab_watch;
    left->watch_context = w;
}

/* Opens a closed store; kills the process of an open one first. */
static const char *lab_op_reopen(lab_world *w) {
    if (w->sticky) return NULL;
    if (w->store != NULL) lab_kill(w);
    return lab_open(w);
}

typedef struct lab_op {
    const char *name;
    const char *(*run)(lab_world *w);
    uint32_t weight;            /* in random workloads */
    bool bare;                  /* wants no open store */
} lab_op;

#define LAB_OPS 12
#define LAB_OPS_BASIC 8         /* of which all sequences are tried */
#define LAB_OP_CLOSE 6
#define LAB_OP_REOPEN 7
static const lab_op lab_ops[LAB_OPS] = {
    {"append", lab_op_append, 8, false}, {"fill", lab_op_fill, 6, false},
    {"flush", lab_op_flush, 3, false}, {"sync", lab_op_sync, 3, false},
    {"meta", lab_op_meta, 3, false}, {"finish", lab_op_finish, 1, false},
    {"close", lab_op_close, 2, true}, {"reopen", lab_op_reopen, 3, true},
    {"poll", lab_op_poll, 2, false}, {"batch", lab_op_batch, 3, false},
    {"stream_meta", lab_op_stream_meta, 2, false}, {"failing_sync", lab_op_fail, 1, false}
};

static const char *lab_op_name(uint32_t op) { return lab_ops[op].name; }

/* ---- worlds ------------------------------------------------------------------------------- */

static void lab_world_begin(lab_world *w, const lab_workload *k, sim_disk *disk) {
    memset(w, 0, sizeof *w);
    w->workload = k;
    w->model.kinds = lab_kinds[k->set];
    w->disk = disk;
    w->depth = 1;
    w->doing = "creating";
    disk->watch = lab_watch;
    disk->watch_context = w;
}

static void lab_world_end(lab_world *w) {
    w->disk->watch = NULL;
    sst_close(w->store);
    sim_free(w->disk);
    free(w->disk);
    lab_model_free(&w->model);
    free(w->torn);
}

static const char *lab_run_ops(lab_world *w) {
    const lab_workload *k = w->workload;
    const char *text = NULL;
    for (w->op = 0; w->op < k->count && text == NULL && !lab.stopped; w->op++) {
        const lab_op *op = &lab_ops[k->ops[w->op]];
        if (w->sticky && w->store == NULL) break;   /* only a new start of the machine helps */
        w->doing = "getting ready";
        if (!op->bare) text = lab_ready(w);
        w->doing = op->name;
        if (text == NULL) text = op->run(w);
        if (text == NULL && w->store != NULL) text = lab_durable(w);
        if (text == NULL) lab_point(w, true);
    }
    return text;
}

static void lab_random_ops(lab_workload *k, uint32_t count, uint64_t *random) {
    uint32_t total = 0, i;
    for (i = 0; i < LAB_OPS; i++) total += lab_ops[i].weight;
    for (k->count = 0; k->count < count; k->count++) {
        uint64_t pick = test_below(random, total);
        for (i = 0; pick >= lab_ops[i].weight; i++) pick -= lab_ops[i].weight;
        k->ops[k->count] = (uint8_t)i;
    }
}

/* What is done after recovery: any few operations, or those that the session has begun with, so
 * that what it has left on the medium may line up. */
static void lab_deeper_ops(const lab_world *outer, lab_workload *k, uint64_t *random) {
    const lab_workload *from = outer->workload;
    uint32_t count = 2 + (uint32_t)test_below(random, 6), left = from->count - outer->opened;
    if (left == 0 || (!lab.line_up && test_below(random, 2) == 0)) {
        lab_random_ops(k, count, random);
        return;
    }
    k->count = count < left ? count : left;
    memcpy(k->ops, from->ops + outer->opened, k->count);
}

/* A world that begins with a state of another one: with its recovery. Of a disk on which all is
 * durable recovery loses nothing, whenever it is cut; without syncs, only a kill does not. */
static void lab_deeper(lab_world *outer, uint64_t id, const lab_seen *seen) {
    sim_disk *disk = (sim_disk *)sim_memory(sizeof *disk);
    lab_workload k = *outer->workload;
    uint64_t random = lab_mix(k.seed, id);
    bool clone = lab_is_clone(outer, id);
    bool durable = !clone && (k.flags & SST_NO_SYNC) == 0;
    const char *text;
    lab_world w;
    lab_deeper_ops(outer, &k, &random);
    lab_make_state(outer, id, true, disk);
    lab_world_begin(&w, &k, disk);
    lab_model_fork(&outer->model, &w.model, seen->levels, durable, id);
    w.model.named = w.model.named || !clone;
    w.model.padded = clone;
    w.outer = outer;
    w.outer_state = id;
    w.depth = outer->depth + 1;
    if (durable && seen->info.torn_bytes != 0) {
        w.torn = lab_torn_expected(disk, &seen->info, &w.torn_size);
    }
    text = lab_open(&w);
    if (text == NULL) lab_point(&w, true);
    if (text == NULL) text = lab_run_ops(&w);
    if (text != NULL) lab_fail(&w, text);
    lab_world_end(&w);
}

/* What a recording of the same form has left on the medium: of another store, with other values. */
static uint8_t *lab_stale(const lab_workload *k, size_t *size) {
    sim_disk *disk = (sim_disk *)sim_memory(sizeof *disk);
    const uint8_t *bytes;
    uint8_t *copy;
    uint64_t length;
    lab_world w;
    bool quiet = lab.quiet;
    lab.quiet = true;
    sim_init(disk, lab_mix(k->seed, 2));
    lab_world_begin(&w, k, disk);
    w.model.seed = w.model.meta_seed = lab_mix(k->seed, 3);
    if (lab_create(&w) == NULL) (void)lab_run_ops(&w);
    bytes = sim_bytes(w.disk, LAB_PATH, &length);
    copy = (uint8_t *)sim_memory((size_t)length);
    if (bytes != NULL) memcpy(copy, bytes, (size_t)length);
    *size = (size_t)length;
    lab_world_end(&w);
    lab.quiet = quiet;
    return copy;
}

static void lab_run(const lab_workload *k) {
    sim_disk *disk = (sim_disk *)sim_memory(sizeof *disk);
    const char *text;
    lab_world w;
    size_t size;
    uint8_t *stale = lab_stale(k, &size);
    sim_init(disk, lab_mix(k->seed, 1));
    disk->stale = stale;
    disk->stale_size = size;
    lab_world_begin(&w, k, disk);
    w.model.seed = w.model.meta_seed = k->seed;
    text = lab_create(&w);
    if (text == NULL) lab_point(&w, true);
    if (text == NULL) text = lab_run_ops(&w);
    if (text != NULL) lab_fail(&w, text);
    lab_world_end(&w);
    free(stale);
}

/* ---- all short sequences, and random long ones -------------------------------------------- */

#define LAB_SEQUENCES 4680u     /* 8 + 64 + 512 + 4,096 */
#define LAB_SHORT (LAB_SEQUENCES * LAB_SETS)
#define LAB_LINE_UP 0x100000000u

/* Workload `id`: below LAB_SHORT one of the sequences of up to four basic operations, in order of
 * their length, with one set of streams after the other; else a random one. */
static void lab_workload_make(lab_workload *k, uint64_t id) {
    static const uint32_t aligns[4] = {512, 512, 4096, 64};
    static const uint8_t line_up[] = {0, 6, 0, 2, 0, 2};
    uint64_t random = lab_mix(lab.seed, id), rest = id / LAB_SETS, all = LAB_OPS_BASIC;
    memset(k, 0, sizeof *k);
    k->id = id;
    k->seed = test_random(&random);
    k->sync_align = 512;
    k->set = lab.every ? (uint32_t)(id % LAB_SETS) : lab.set;
    if (id >= LAB_LINE_UP) {
        k->all = true;
        k->count = (uint32_t)sizeof line_up;
        memcpy(k->ops, line_up, sizeof line_up);
        return;
    }
    if (id < LAB_SHORT) {
        for (k->count = 1; rest >= all; k->count++, all *= LAB_OPS_BASIC) rest -= all;
        for (all = 0; all < k->count; all++, rest /= LAB_OPS_BASIC) {
            k->ops[all] = (uint8_t)(rest % LAB_OPS_BASIC);
        }
        return;
    }
    k->sync_align = aligns[test_below(&random, 4)];
    if (test_below(&random, 5) == 0) k->flags |= SST_NO_SYNC;
    if (test_below(&random, 4) == 0) k->flags |= SST_DEFERRED;
    if (test_below(&random, 6) == 0) k->flags |= SST_NO_LIVE;
    if (test_below(&random, 4) == 0) {
        k->sync_interval_bytes = 512u << test_below(&random, 4);
    }
    k->lazy = test_below(&random, 3) == 0;
    k->all = test_below(&random, 3) == 0;
    k->faults = test_below(&random, 4) == 0;
    rest = 1 + test_below(&random, 81);         /* most are not so long, or they take longest */
    lab_random_ops(k, 20 + (uint32_t)test_below(&random, rest), &random);
}

/* Runs a workload with about so many states, by what the ones before have come to. */
static void lab_run_some(uint64_t id, double states) {
    static double points_per_op = 8, per_mean = 1.5;
    double gain;
    uint64_t before = lab.points, had;
    lab_workload k;
    lab_workload_make(&k, id);
    lab.per_point = states / (points_per_op * (k.count + 2)) / per_mean;
    had = lab.states;
    lab_run(&k);
    gain = states > 50 ? 0.3 : 0.03;
    per_mean *= 1 - gain + gain * (double)(lab.states - had) / states;
    points_per_op = 0.95 * points_per_op +
                    0.05 * (double)(lab.points - before) / (double)(k.count + 2);
}

/* ---- damage ------------------------------------------------------------------------------- */

/* What a damaged byte, or a record in another's place, may do: what can be read is right, and what
 * is missing was reported. all: nothing may be missing. */
static const char *lab_damage_look(const lab_model *m, sim_disk *disk, bool all) {
    uint64_t row, rows, missing = 0;
    const char *text = NULL;
    sst_options o;
    sst_store *store;
    sst_view view;
    uint32_t i;
    memset(&o, 0, sizeof o);
    o.io = &disk->io;
    if (sst_open(LAB_PATH, &o, &store) != SST_OK) return all ? "does not open" : NULL;
    for (i = 0; i < LAB_STREAMS && text == NULL; i++) {
        const char *name = m->kinds[i].name;
        uint64_t issued = m->levels[LAB_PER_STREAM * i + LAB_ROWS].issued;
        sst_stream *stream;
        if (issued == 0) continue;
        missing += issued;
        if (sst_stream_open(store, name, &stream) != SST_OK) continue;
        rows = sst_rows(stream);
        if (rows > issued) text = lab_text("rows after damage of", name, rows, issued);
        for (row = 0; row < rows && text == NULL; row++) {
            if (sst_slice(stream, row, 1, &view) != SST_OK || view.count != 1) continue;
            missing--;
            if (view.first_row != row || lab_look_view(m, i, &view) != NULL) {
                text = lab_text("wrong data after damage, row of", name, row, rows);
            }
        }
    }
    if (text == NULL && missing != 0 && all) text = lab_text("unreadable rows", "", missing, 0);
    if (text == NULL && missing != 0 && sst_verify(store, NULL) == SST_OK) {
        text = lab_text("rows missing silently", "", missing, 0);
    }
    sst_close(store);
    return text;
}

/* Records a closed file with blocks, an INDEX or two, tables and metadata. */
static void lab_damage_record(lab_world *w, lab_workload *k, uint32_t set) {
    static const uint8_t ops[] = {0, 1, 4, 1, 2, 0, 1, 4, 1, 2, 0, 6};
    memset(k, 0, sizeof *k);
    k->set = set;
    k->all = true;
    k->seed = lab_mix(lab.seed, 77);
    k->sync_align = 512;
    memcpy(k->ops, ops, sizeof ops);
    k->count = (uint32_t)sizeof ops;
    lab_world_begin(w, k, (sim_disk *)sim_memory(sizeof(sim_disk)));
    sim_init(w->disk, k->seed);
    w->model.seed = w->model.meta_seed = k->seed;
    lab.quiet = true;
    if (lab_create(w) != NULL || lab_run_ops(w) != NULL) lab_fail(w, "the file to be damaged");
    lab.quiet = false;
}

/* Flips a bit in one of `step` bytes of every payload. In an INDEX or TABLE that takes nothing
 * away. */
static void lab_damage_flips(lab_world *w, uint64_t step) {
    uint64_t size, at = 64, i;
    const uint8_t *bytes = sim_bytes(w->disk, LAB_PATH, &size);
    mend_record r;
    while (mend_next(bytes, size, &at, &r) && !lab.stopped) {
        bool all = r.type == MEND_INDEX || r.type == MEND_TABLE;
        for (i = r.offset + 64; i < r.payload + r.size && !lab.stopped; i += step) {
            sim_disk disk;
            const char *text;
            memset(&disk, 0, sizeof disk);
            sim_copy(w->disk, &disk, i);
            sim_bytes(&disk, LAB_PATH, &size)[i] ^= (uint8_t)(1u << i % 8);
            text = lab_damage_look(&w->model, &disk, all);
            lab.states++;
            sim_free(&disk);
            if (text != NULL) lab_fail(w, text);
        }
    }
}

#define LAB_IMAGE 2048

/* Records forty rows behind a large value, synced but not closed. Two such recordings differ in the
 * rows and in the value. The caller frees disk and model. */
static const char *lab_image_record(sim_disk *disk, lab_model *m, const uint8_t *value) {
    const int64_t *times;
    const uint8_t *values;
    sst_field fields[LAB_FIELDS];
    sst_stream_desc desc;
    sst_options o;
    sst_store *store;
    sst_stream *stream;
    uint32_t i;
    int result;
    m->kinds = lab_kinds[0];
    lab_describe(m->kinds, &desc, fields);
    memset(&o, 0, sizeof o);
    o.io = &disk->io;
    o.block_bytes = 512;
    o.seed = 1;
    for (i = 0; i < 40; i++) lab_row_add(m, 0);
    times = (const int64_t *)lab_column_at(m, 0, LAB_TIME, 0).values;
    values = (const uint8_t *)lab_column_at(m, 0, LAB_FIELD, 0).values;
    if (sst_create(LAB_PATH, &o, &store) != SST_OK) return "sst_create";
    result = sst_stream_create(store, &desc, &stream);
    if (result == SST_OK) result = sst_append_rows(stream, times, values, 1);
    if (result == SST_OK) result = sst_flush(store);
    if (result == SST_OK) result = sst_set_meta(store, "key", value, LAB_IMAGE);
    for (i = 1; i < 40 && result == SST_OK; i += 13) {
        result = sst_append_rows(stream, times + i, values + i * 8, 13);
        if (result == SST_OK) result = sst_flush(store);
    }
    if (result == SST_OK) result = sst_sync(store);
    if (result == SST_OK) {
        sim_disk left;
        memset(&left, 0, sizeof left);
        sim_copy(disk, &left, 1);
        sst_close(store);
        sim_free(disk);
        *disk = left;
        disk->io.user = disk;
        return NULL;
    }
    sst_close(store);
    return "the recording with an image";
}

/* A value of this recording holds records of another one with the same random numbers, those that
 * come behind that value there, with other rows. The record of the value is damaged: what is in it
 * must not pass for records, since it lies somewhere else. */
static const char *lab_damage_image(void) {
    uint8_t value[LAB_IMAGE], *bytes;
    lab_model models[2];
    sim_disk disks[2];
    const char *text = NULL;
    mend_record meta;
    uint64_t size;
    uint32_t i;
    memset(value, 0, sizeof value);
    memset(models, 0, sizeof models);
    memset(disks, 0, sizeof disks);
    for (i = 0; i < 2 && text == NULL; i++) {
        sim_init(&disks[i], 1);
        models[i].seed = i;
        text = lab_image_record(&disks[i], &models[i], value);
        bytes = sim_bytes(&disks[i], LAB_PATH, &size);
        if (text != NULL || !mend_find(bytes, size, MEND_META, 0, 0, &meta)) break;
        size -= meta.next;
        if (size > sizeof value - 64) size = sizeof value - 64;
        /* the value begins behind the key and its length, 5 bytes behind a multiple of 64 */
        if (i == 0) memcpy(value + 59, bytes + meta.next, (size_t)size);
        else bytes[meta.offset + 24] ^= 1;
    }
    if (text == NULL) text = i == 2 ? lab_damage_look(&models[1], &disks[1], false) : "no image";
    for (i = 0; i < 2; i++) {
        sim_free(&disks[i]);
        lab_model_free(&models[i]);
    }
    lab.states++;
    return text;
}

/* Damage of a closed file, and of one with an image in it. */
static void lab_damage(uint32_t set, uint64_t step) {
    const char *text;
    lab_workload k;
    lab_world w;
    lab_damage_record(&w, &k, set);
    lab_damage_flips(&w, step);
    text = lab_damage_image();
    if (text != NULL) lab_fail(&w, text);
    lab_world_end(&w);
}

/* ---- the tests ---------------------------------------------------------------------------- */

static uint64_t lab_total;      /* states of the first two tests */

static double lab_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool lab_is_short(void) { return lab_total < 200000; }

static void lab_reset(void) {
    lab.states = lab.deep = lab.points = 0;
    lab.failures = 0;
    lab.stopped = false;
    lab.deep_odds = LAB_DEEP;
    lab.line_up = false;
    lab.text[0] = 0;
}

static void lab_report(const char *what, uint64_t workloads, double start) {
    double seconds = lab_seconds() - start;
    printf("note crash: %llu %s, %llu states (%llu in a second crash), %.3f M per second\n",
           (unsigned long long)workloads, what, (unsigned long long)lab.states,
           (unsigned long long)lab.deep, 1e-6 * (double)lab.states / seconds);
    CHECK_INT(lab.failures, 0);
}

/* Every sequence of up to four operations: in a short run with any one of the sets of streams, else
 * with all of them. */
static void short_workloads(void) {
    double start = lab_seconds();
    uint64_t sets = lab_is_short() ? 1 : LAB_SETS, n;
    lab_reset();
    for (n = 0; n < LAB_SEQUENCES * sets && !lab.stopped; n++) {
        uint64_t sequence = n / sets, set = (lab_mix(lab.seed, sequence) + n) % LAB_SETS;
        lab_run_some(sequence * LAB_SETS + set, 0.65 * (double)lab_total / LAB_SEQUENCES / sets);
    }
    lab_report("short sequences", n, start);
}

static void random_workloads(void) {
    double start = lab_seconds();
    uint64_t n = lab_total / 2500 < 40 ? 40 : lab_total / 2500, i;
    lab_reset();
    for (i = 0; i < n && !lab.stopped; i++) {
        lab_run_some(LAB_SHORT + i, 0.36 * (double)lab_total / (double)n);
    }
    lab_report("long workloads", n, start);
}

/* A session whose file loses its new size but not its bytes, and then one that does the same again:
 * what comes to light behind its records must not line up with them. */
static void lab_run_line_up(uint64_t n) {
    lab.line_up = true;
    lab.deep_odds = 4;
    lab_run_some(LAB_LINE_UP + n, 100);
    lab.line_up = false;
    lab.deep_odds = LAB_DEEP;
}

/* Long and short workloads in turn, and damage, until something fails. */
static void lab_battery(uint64_t most) {
    uint64_t random = lab_mix(lab.seed, 99), n = 0;
    lab_reset();
    for (; lab.states < most && !lab.stopped; n++) {
        if (n % 4 == 0) lab_run_some(LAB_SHORT + n, 300);
        else if (n % 4 == 2) lab_run_line_up(n);
        else lab_run_some(test_below(&random, LAB_SHORT), 40);
        if (n == 3) lab_damage(lab.set, 13);
    }
}

static void sound_protocol(void) {
    lab_battery(lab_total / 10);
    for (lab.set = 1; lab.set < LAB_SETS; lab.set++) lab_damage(lab.set, lab_is_short() ? 61 : 13);
    lab.set = 0;
    CHECK_INT(lab.failures, 0);
}

/* With a rule broken something has to fail. Returns the number of states. */
static uint64_t lab_break(int rule, const char *name, int *caught) {
    lab_broken = rule;
    lab_battery(150000);
    lab_broken = 0;
    if (lab.failures != 0) ++*caught;
    printf("%s broken, %s after %llu states: %s\n", name,
           lab.failures != 0 ? "caught" : "NOT CAUGHT", (unsigned long long)lab.states, lab.text);
    return lab.states;
}

/* Is the lab any good? One rule after the other is broken: in a short run with workloads of all
 * sets, else for each set with its own alone. */
static void broken_protocols(void) {
    static const char *const rules[SSTI_RULES] = {
        "none", "salt", "offset", "jump", "sync", "sync_dir", "sync_order", "end_order",
        "padding", "sticky", "cut", "columns", "index", "torn", "torn_sync", "tail_order",
        "check_words", "session", "gap", "recovery_order", "close_order"
    };
    uint64_t states = 0;
    int caught = 0, all = 0, rule;
    for (lab.set = 0; lab.set < LAB_SETS; lab.set++) {
        lab.every = lab_is_short();
        for (rule = 1; rule < SSTI_RULES; rule++) states += lab_break(rule, rules[rule], &caught);
        all += SSTI_RULES - 1;
        if (lab.every) break;
    }
    lab.set = 0;
    lab.every = true;
    printf("note crash: %d of %d broken rules caught, within %llu states\n", caught, all,
           (unsigned long long)states);
    CHECK_INT(caught, all);
}

/* One state, and all that leads to it: workload:point.state[:point.state] */
static bool lab_replay(void) {
    const char *text = getenv("CRASH_REPLAY");
    char *end;
    if (text == NULL) return false;
    while (*text != 0 && lab.replay_count < sizeof lab.replay / sizeof lab.replay[0]) {
        lab.replay[lab.replay_count++] = strtoull(text, &end, 10);
        text = *end == 0 ? end : end + 1;
    }
    lab_reset();
    lab_run_some(lab.replay[0], 1);
    printf("%llu states, %u failures\n", (unsigned long long)lab.states, lab.failures);
    return true;
}

int main(void) {
    lab.seed = test_seed(4);
    lab_total = test_rounds(20000, 900000);
    lab.every = true;
    if (lab_replay()) return lab.failures != 0;
    TEST_RUN(short_workloads);
    TEST_RUN(random_workloads);
    TEST_RUN(sound_protocol);
    TEST_RUN(broken_protocols);
    return test_done("crash");
}
