/* Random sequences of calls on the library and on plain arrays (model.h), blocks shrunk so that
 * boundaries are everywhere. test_model_pieces.c is the same with other limits. */
#ifndef MODEL_TEST_NAME
#define MODEL_TEST_NAME "test_model"
#define MODEL_BLOCK_SPAN 4096
#define SSTI_INDEX_BLOCKS 8
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 1u
#endif
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#include "test.h"
#include "model.h"

/* With MODEL_FILES the stores are files, which are closed, crash and are reopened. */
#ifdef MODEL_FILES
#define MODEL_STORE_OPS 23
#define MODEL_ROUNDS 600
static char model_folder[300];
#else
#define MODEL_STORE_OPS 17
#define MODEL_ROUNDS 5000
#endif

/* An image of the store as it was, opened, and what it should hold. */
typedef struct snapshot {
    sst_store *store;
    uint8_t *memory;
    bool aligned;
    model_store model;
    sst_stream *handle[MODEL_STREAMS];
    model_holds holds;
    bool live;                  /* a reader of the file that is being recorded */
} snapshot;

/* A value lent by the store's metadata. */
typedef struct lent_meta {
    const void *value;          /* NULL: none */
    int place;                  /* stream, or -1 */
    char key[24];
    size_t size;
    uint8_t copy[MODEL_META_BYTES];
} lent_meta;

typedef struct run {
    uint64_t random;
    sst_options options;
    bool deferred;
    bool retains, dropping;     /* streams may keep their newest rows only; some do */
    sst_store *store;
    model_store model;
    sst_stream *writer[MODEL_STREAMS], *reader[MODEL_STREAMS];
    bool owner[MODEL_STREAMS];  /* writer has appended: another handle may not */
    bool made[MODEL_STREAMS];   /* writer came from sst_stream_create and knows the offsets */
    model_holds holds;
    lent_meta lent;
    snapshot snap[2];
    char path[400];             /* of a file */
    uint64_t sessions;
    bool torn;                  /* the session before ended by power loss */
    uint8_t *bytes;             /* of the file as it was */
} run;

static bool chance(run *r, uint64_t one_in) {
    return test_below(&r->random, one_in) == 0;
}

static model_source source_of(run *r, uint32_t i) {
    model_source s;
    s.model = &r->model.stream[i];
    s.handle = r->reader[i] != NULL && chance(r, 2) ? r->reader[i] : r->writer[i];
    model_refresh(&r->model.stream[i], s.handle);
    s.holds = &r->holds;
    s.aligned = (r->options.flags & SST_NO_MAP) == 0;
    return s;
}

/* ---- streams ------------------------------------------------------------------------------ */

/* A stream that keeps its newest rows: a few, a block or more, or those of some time. */
static void retain_random(run *r, model_stream *m) {
    uint64_t bits = test_below(&r->random, 62);
    m->retain_rows = 1 + test_below(&r->random, chance(r, 2) ? 20 : 200);
    if (!model_timed(m) || chance(r, 2)) return;
    m->retain_time = (int64_t)(test_random(&r->random) >> (63 - bits)) + 1;
    if (chance(r, 2)) m->retain_rows = 0;
}

static void op_create(run *r) {
    uint32_t i = r->model.count;
    model_stream *m = &r->model.stream[i];
    sst_stream_desc desc;
    sst_field field[MODEL_FIELDS];
    char name[32];
    if (i == MODEL_STREAMS) return;
    snprintf(name, sizeof name, chance(r, 2) ? "s%u" : "\xC3\xA9 strom/%u", i);
    model_stream_random(m, name, r->options.block_bytes, &r->random);
    if (i > 0 && chance(r, 3)) {            /* like an earlier one, so that views can be copied */
        model_become_like(m, &r->model.stream[test_below(&r->random, i)], &r->random);
    }
    if (r->retains && chance(r, 2)) retain_random(r, m);
    model_describe(m, &desc, field);
    if (chance(r, 4)) desc.flags |= SST_OPEN_EXISTING;
    if (!MODEL_INT(sst_stream_create(r->store, &desc, &r->writer[i]), SST_OK)) return;
    r->model.count++;
    r->dropping = r->dropping || model_retained(m);
    r->reader[i] = NULL;
    r->owner[i] = false;
    r->made[i] = true;
}

/* One fault in the fields, of which there may be one only. Returns what it must be refused with. */
static int spoil_fields(run *r, sst_stream_desc *desc, sst_field *field) {
    sst_field *f = &field[test_below(&r->random, desc->field_count)];
    bool described = desc->fields != NULL;
    bool text = model_is_text(described ? f->type : desc->type);
    uint64_t fault = test_below(&r->random, 7);
    if (text && fault == 3) fault = 5;          /* it need not say that it is ragged */
    switch (fault) {
    case 0:
        if (described) f->type = (sst_type)(f->type % 13 + 1);
        else desc->type = (sst_type)(desc->type % 13 + 1);
        return SST_ERR_TYPE;
    case 1:
        if (described) f->shape[0] += 1;
        else desc->shape[0] += 1;
        return text ? SST_ERR_ARG : SST_ERR_SHAPE;
    case 2:
        desc->name = "other";
        f->shape[0] = desc->shape[0] = SST_MAX_ROW_BYTES;
        f->shape[1] = desc->shape[1] = 2;
        return text ? SST_ERR_ARG : SST_ERR_LIMIT;
    case 3:
        if (((f->flags | desc->flags) & SST_RAGGED) != 0) {
            f->flags = 0;
            desc->flags &= ~(uint32_t)SST_RAGGED;
        } else if (described) {
            f->flags |= SST_RAGGED;
        } else {
            desc->flags |= SST_RAGGED;
        }
        return SST_ERR_SHAPE;
    case 4:
        f->name = "another";
        if (!described) desc->field_count = 1;          /* and no fields */
        return SST_ERR_ARG;
    case 5:
        f->flags |= SST_TAGGED;
        if (!described) desc->flags |= SST_ROW_REMOVED;
        return SST_ERR_ARG;
    default:
        if (desc->field_count < 2) {
            desc->fields = field;
            desc->field_count = 0;
        } else if (chance(r, 3)) {
            desc->field_count--;
        } else if (chance(r, 2)) {
            desc->type = field[0].type;
        } else {
            desc->name = "other";
            field[0].name = field[1].name = "twice";
        }
        return SST_ERR_ARG;
    }
}

/* Kinds that the stream has not, or that cannot be together. */
static int spoil_kinds(run *r, sst_stream_desc *desc) {
    switch (test_below(&r->random, 7)) {
    case 0: desc->flags ^= SST_TAGGED; break;
    case 5: desc->flags ^= SST_KEYED; break;
    case 6:                                     /* of several fields each says it */
        if (desc->field_count > 1) desc->flags |= SST_RAGGED;
        else desc->flags ^= SST_KEYED | SST_TAGGED;
        break;
    case 1: desc->flags ^= (desc->flags & SST_UNTIMED) != 0 ? SST_UNTIMED : SST_EQUAL_TIMES; break;
    case 2:
        desc->name = "other";
        desc->flags |= SST_UNTIMED | SST_EQUAL_TIMES;
        break;
    case 3:
        desc->name = "other";
        desc->flags = SST_UNTIMED;
        desc->timelines[0] = "arrival";
        break;
    default:
        desc->name = "other";
        desc->codec = SST_CODEC_AUTO;
        return SST_ERR_UNSUPPORTED;
    }
    return SST_ERR_ARG;
}

/* Descriptions that must be refused, each with one fault, and equal ones that must not be. */
static void op_create_bad(run *r, uint32_t i) {
    sst_stream_desc desc;
    sst_field field[MODEL_FIELDS];
    sst_stream *out = r->writer[i];
    int want = SST_ERR_ARG;
    model_describe(&r->model.stream[i], &desc, field);
    desc.flags |= SST_OPEN_EXISTING;
    switch (test_below(&r->random, 16)) {
    case 0: desc.flags &= ~(uint32_t)SST_OPEN_EXISTING; want = SST_ERR_EXISTS; break;
    case 1: desc.name = NULL; break;
    case 2: desc.name = ""; break;
    case 3: desc.name = "\xC3("; break;
    case 4: desc.time_unit = (sst_unit)((desc.time_unit + 1) % 5); break;
    case 5: desc.time_unit = (sst_unit)5; break;
    case 6: desc.flags |= SST_DEFERRED; break;
    case 7: desc.timelines[0] = desc.timelines[0] != NULL ? NULL : "more"; break;
    case 8: case 9: case 10: want = spoil_kinds(r, &desc); break;
    default: want = spoil_fields(r, &desc, field); break;
    }
    MODEL_INT(sst_stream_create(r->store, &desc, &out), want);
    MODEL(out == NULL);
    MODEL_INT(sst_stream_create(r->store, &desc, NULL), SST_ERR_ARG);
}

/* What sst_stream_info says describes a like stream, and opens the same one. */
static void op_open_existing(run *r, uint32_t i) {
    model_source s = source_of(r, i);
    sst_stream_desc desc;
    if (!MODEL_INT(sst_stream_info(s.handle, &desc, NULL, NULL, NULL), SST_OK)) return;
    desc.flags |= SST_OPEN_EXISTING;
    if (!MODEL_INT(sst_stream_create(r->store, &desc, &s.handle), SST_OK)) return;
    model_check_all(&s);
    sst_stream_close(s.handle);
}

/* Closes the writing handle; another one, opened by name, goes on. */
static void op_reopen(run *r, uint32_t i) {
    sst_stream *out;
    sst_stream_close(r->writer[i]);
    r->writer[i] = r->reader[i];
    r->reader[i] = NULL;
    r->owner[i] = r->made[i] = false;
    if (r->writer[i] != NULL) return;
    if (MODEL_INT(sst_stream_open(r->store, r->model.stream[i].name, &out), SST_OK)) {
        r->writer[i] = out;
    }
    out = r->writer[i];
    MODEL_INT(sst_stream_open(r->store, "absent", &out), SST_ERR_NOT_FOUND);
    MODEL(out == NULL);
}

static void op_second_handle(run *r, uint32_t i) {
    if (r->reader[i] != NULL) {
        sst_stream_close(r->reader[i]);
        r->reader[i] = NULL;
    } else {
        MODEL_INT(sst_stream_open(r->store, r->model.stream[i].name, &r->reader[i]), SST_OK);
    }
}

static void op_finish(run *r, uint32_t i) {
    model_source s = source_of(r, i);
    MODEL_INT(sst_stream_finish(s.handle), SST_OK);
    MODEL_INT(sst_stream_finish(s.handle), SST_OK);
    r->model.stream[i].finished = true;
    r->model.stream[i].sealed = r->model.stream[i].rows;
    MODEL_INT(sst_stream_finish(NULL), SST_ERR_ARG);
}

/* ---- appending ---------------------------------------------------------------------------- */

/* After SST_ERR_BUSY: makes room. */
static void make_room(run *r) {
    MODEL(r->deferred);
    MODEL_INT(sst_poll(r->store), SST_OK);
}

static int append_as_row(run *r, uint32_t i, uint64_t row) {
    const model_stream *m = &r->model.stream[i];
    model_parts parts;
    sst_row out = model_row(m, row, &parts);
    if (m->fields == 1) {
        if (!m->ragged) out.count = (size_t)test_below(&r->random, 2);
        if (chance(r, 2)) {
            out.type = m->field[0].type;
            memcpy(out.shape, m->field[0].shape, sizeof out.shape);
        }
    }
    if (chance(r, 4)) {
        out.cells = parts.cells;
        out.value = NULL;
    }
    return sst_append_row(r->writer[i], &out);
}

/* The function for the element type. kind of another stream's type: it must be refused. */
static int append_typed(sst_stream *stream, sst_type kind, int64_t time, const uint8_t *value) {
    double f64;
    float f32;
    int64_t i64;
    int32_t i32;
    switch (kind) {
    case SST_F64: memcpy(&f64, value, 8); return sst_append_f64(stream, time, f64);
    case SST_F32: memcpy(&f32, value, 4); return sst_append_f32(stream, time, f32);
    case SST_I64: memcpy(&i64, value, 8); return sst_append_i64(stream, time, i64);
    case SST_I32: memcpy(&i32, value, 4); return sst_append_i32(stream, time, i32);
    case SST_U8: return sst_append_u8(stream, time, value[0]);
    default: return sst_append_bool(stream, time, value[0] != 0);
    }
}

static bool has_typed(const model_stream *m) {
    sst_type type = m->field[0].type;
    return m->fields == 1 && !m->ragged && m->field[0].shape[0] == 0 &&
           (type == SST_F64 || type == SST_F32 || type == SST_I64 || type == SST_I32 ||
            type == SST_U8 || type == SST_BOOL);
}

/* A row as the caller's structure. A handle that knows no offsets takes one field as it is. */
static uint8_t *pack_row(const model_stream *m, uint64_t row, bool offsets) {
    uint8_t *packed = (uint8_t *)model_memory(m->struct_bytes);
    uint32_t k;
    memset(packed, 0x5A, m->struct_bytes);
    for (k = 0; k < m->fields; k++) {
        memcpy(packed + (offsets ? m->field[k].offset : 0), model_value(m, k, row),
               model_value_bytes(m, k, row));
    }
    return packed;
}

/* sst_append. A handle that knows no offsets refuses several fields. */
static int append_plain(run *r, uint32_t i, uint64_t row) {
    const model_stream *m = &r->model.stream[i];
    uint8_t *packed = pack_row(m, row, r->made[i]);
    int result = sst_append(r->writer[i], m->times[row], packed);
    free(packed);
    return result;
}

/* sst_append_n. Where there are no items, now and then NULL. */
static int append_items(run *r, uint32_t i, uint64_t row) {
    const model_stream *m = &r->model.stream[i];
    const uint8_t *items = model_value(m, 0, row);
    size_t count = model_count(&m->field[0], row);
    return sst_append_n(r->writer[i], m->times[row], count == 0 && chance(r, 2) ? NULL : items,
                        count);
}

/* Those functions that take no tag give 0. */
static int append_one(run *r, uint32_t i, uint64_t row) {
    const model_stream *m = &r->model.stream[i];
    uint64_t form = test_below(&r->random, 3);
    bool plain = m->ragged ? m->fields == 1 : m->fields == 1 || r->made[i];
    if (!model_simple(m) || form == 0 || !plain) return append_as_row(r, i, row);
    m->tags[row] = 0;
    if (m->ragged) return append_items(r, i, row);
    if (form == 1 && has_typed(m)) {
        return append_typed(r->writer[i], m->field[0].type, m->times[row],
                            model_value(m, 0, row));
    }
    return append_plain(r, i, row);
}

/* Appends the prepared rows one by one. */
static void append_single(run *r, uint32_t i, uint64_t rows) {
    model_stream *m = &r->model.stream[i];
    int result, tries;
    while (rows-- > 0 && !model_failed) {
        result = append_one(r, i, m->rows);
        for (tries = 0; result == SST_ERR_BUSY && tries < 3; tries++) {
            MODEL_INT(sst_rows(r->writer[i]), m->rows);
            make_room(r);
            result = append_one(r, i, m->rows);
        }
        if (!MODEL_INT(result, SST_OK)) return;
        model_commit(m, 1);
        MODEL_INT(sst_rows(r->writer[i]), m->rows);
    }
}

/* The prepared rows by sst_append_rows, which gives them the tag 0. */
static int append_array(run *r, uint32_t i, uint64_t rows) {
    model_stream *m = &r->model.stream[i];
    const int64_t *times = m->times + m->rows;
    memset(m->tags + m->rows, 0, (size_t)rows * 4);
    if (!model_timed(m) && chance(r, 2)) times = NULL;
    return sst_append_rows(r->writer[i], times, model_value(m, 0, m->rows), (size_t)rows);
}

/* Makes the offsets of rows begin at another number, in memory that the caller frees. */
static uint32_t *shift_offsets(run *r, const model_field *f, uint64_t first, uint64_t rows,
                               sst_column *column) {
    uint32_t *offsets, start = f->starts[first], shift;
    uint64_t i;
    if (chance(r, 2)) return NULL;              /* as they are in the model */
    shift = chance(r, 2) ? start : (uint32_t)test_below(&r->random, (uint64_t)start + 1);
    offsets = (uint32_t *)model_memory((size_t)(rows + 1) * 4);
    for (i = 0; i <= rows; i++) offsets[i] = f->starts[first + i] - shift;
    column->offsets = offsets;
    column->values = (const uint8_t *)column->values + shift * f->row_bytes;
    return offsets;
}

/* The prepared rows as a view of the model's own arrays. */
static int append_arrays(run *r, uint32_t i, uint64_t rows) {
    const model_stream *m = &r->model.stream[i];
    sst_column columns[MODEL_FIELDS];
    sst_view view = model_view(m, m->rows, rows, columns);
    uint32_t *made[MODEL_FIELDS], k;
    int result;
    for (k = 0; k < m->fields; k++) {
        made[k] = m->field[k].ragged
                      ? shift_offsets(r, &m->field[k], m->rows, rows, &columns[k]) : NULL;
    }
    view.values = columns[0].values;
    view.offsets = columns[0].offsets;
    if (m->fields == 1 && chance(r, 2)) {       /* such a view may do without columns */
        view.columns = NULL;
        view.column_count = 0;
    }
    result = sst_append_view(r->writer[i], &view);
    for (k = 0; k < m->fields; k++) free(made[k]);
    return result;
}

enum { FROM_ARRAY, FROM_ARRAYS, FROM_SOURCE };

/* One call for several rows; `source`, if they come from there, has them from `first` on. Goes on
 * after SST_ERR_BUSY. */
static void append_many(run *r, uint32_t i, uint64_t rows, int how, sst_stream *source,
                        uint64_t first) {
    model_stream *m = &r->model.stream[i];
    sst_view view;
    uint64_t added;
    int result, stuck = 0;
    while (rows > 0 && !model_failed) {
        if (how == FROM_SOURCE) {
            if (!MODEL_INT(sst_slice(source, first, rows, &view), SST_OK)) return;
            result = sst_append_view(r->writer[i], &view);
        } else {
            result = how == FROM_ARRAY ? append_array(r, i, rows) : append_arrays(r, i, rows);
        }
        added = sst_rows(r->writer[i]) - m->rows;
        if (!MODEL(added <= rows) || !MODEL(result == SST_OK || result == SST_ERR_BUSY)) return;
        MODEL(result != SST_OK || added == rows);
        if (result == SST_ERR_BUSY) make_room(r);
        stuck = added > 0 || result == SST_OK ? 0 : stuck + 1;
        if (!MODEL(stuck < 3)) return;
        model_commit(m, added);
        rows -= added;
        first += added;
    }
}

/* The prepared rows by way of a store of their own, whose view is appended. */
static void append_from_store(run *r, uint32_t i, uint64_t rows) {
    model_stream *m = &r->model.stream[i];
    sst_options options = r->options;
    sst_stream_desc desc;
    sst_field field[MODEL_FIELDS];
    sst_store *store;
    sst_stream *stream;
    uint64_t k;
    options.flags &= ~(uint32_t)SST_DEFERRED;
    options.block_bytes = 512 + (uint32_t)test_below(&r->random, 1000);
    model_describe(m, &desc, field);
    desc.retain_rows = 0;
    desc.retain_time = 0;
    if (!MODEL_INT(sst_create(NULL, &options, &store), SST_OK)) return;
    if (MODEL_INT(sst_stream_create(store, &desc, &stream), SST_OK)) {
        for (k = 0; k < rows; k++) MODEL_INT(model_append(m, m->rows + k, stream), SST_OK);
        if (chance(r, 2)) MODEL_INT(sst_flush(store), SST_OK);
        append_many(r, i, rows, FROM_SOURCE, stream, 0);
    }
    MODEL_INT(sst_close(store), SST_OK);
}

/* Rows of another stream, or of this one, that may follow its last row, taken as the prepared ones.
 * Returns how many, from *first. */
static uint64_t borrow_rows(run *r, uint32_t i, const model_stream *from, uint64_t *first) {
    model_stream *m = &r->model.stream[i];
    uint64_t rows, at = 0;
    if (model_retained(from) && r->deferred) return 0;      /* they may be dropped meanwhile */
    at = from->first;
    if (!model_timed(m)) at += test_below(&r->random, from->rows - from->first);
    while (at < from->rows && m->rows > 0 && model_timed(m)) {
        int64_t last = m->times[m->rows - 1];
        if (from->times[at] > last) break;
        if (from->times[at] == last && (m->flags & SST_EQUAL_TIMES) != 0) break;
        at++;
    }
    rows = from->rows - at;
    if (rows > 100) rows = 1 + test_below(&r->random, 100);
    model_borrow(m, from, at, rows);
    *first = at;
    return rows;
}

/* A view of a like stream of this store or of an opened image, or of the stream's own rows. */
static void op_append_view(run *r, uint32_t i) {
    model_stream *m = &r->model.stream[i];
    snapshot *snap = &r->snap[test_below(&r->random, 2)];
    bool other = snap->store != NULL && chance(r, 2);
    const model_store *from = other ? &snap->model : &r->model;
    uint32_t j, start = (uint32_t)test_below(&r->random, from->count), at;
    uint64_t first = 0, rows;
    if (m->finished) return;
    for (j = 0; j < from->count; j++) {
        at = (start + j) % from->count;
        if (!model_alike(m, &from->stream[at])) continue;
        if (!other) model_refresh(&r->model.stream[at], r->writer[at]);
        rows = borrow_rows(r, i, &from->stream[at], &first);
        if (rows == 0) continue;
        append_many(r, i, rows, FROM_SOURCE, other ? snap->handle[at] : r->writer[at], first);
        r->owner[i] = true;
        return;
    }
}

static void op_append(run *r, uint32_t i) {
    model_stream *m = &r->model.stream[i];
    uint64_t rows = 1 + test_below(&r->random, chance(r, 4) ? 150 : 12), form;
    if (m->row_bytes > 128 && rows > 6) rows = 6;
    rows = model_prepare(m, rows, &r->random);
    if (rows == 0) return;
    if (m->finished) {
        MODEL_INT(append_one(r, i, m->rows), SST_ERR_FINISHED);
        MODEL_INT(sst_rows(r->writer[i]), m->rows);
        return;
    }
    form = test_below(&r->random, 6);
    if (form < 2 && model_simple(m) && m->fields == 1 && !m->ragged && chance(r, 2)) {
        append_many(r, i, rows, FROM_ARRAY, NULL, 0);
    }
    else if (form < 2) append_many(r, i, rows, FROM_ARRAYS, NULL, 0);
    else if (form == 2) append_from_store(r, i, rows);
    else append_single(r, i, rows);
    r->owner[i] = true;
}

/* ---- appends that must be refused --------------------------------------------------------- */

/* The latest time that may not follow, or an earlier one; false: every time may. */
static bool late_time(run *r, const model_stream *m, int64_t *time) {
    bool equal = (m->flags & SST_EQUAL_TIMES) != 0;
    if (m->rows == 0 || !model_timed(m)) return false;
    *time = m->times[m->rows - 1];
    if (equal && *time == INT64_MIN) return false;
    if (*time > INT64_MIN && (equal || chance(r, 2))) *time -= 1;
    return true;
}

/* Of three rows the last one is too early. */
static void bad_order_rows(run *r, uint32_t i) {
    model_stream *m = &r->model.stream[i];
    size_t size = 3 * m->field[0].row_bytes;
    uint8_t *values = (uint8_t *)model_memory(size);
    bool equal = (m->flags & SST_EQUAL_TIMES) != 0;
    int64_t times[3];
    memset(values, 1, size);
    times[0] = m->times[m->rows - 1] + 1;
    times[1] = times[0] + 1;
    times[2] = !equal && chance(r, 2) ? times[1] : m->times[0];
    MODEL_INT(sst_append_rows(r->writer[i], times, values, 3), SST_ERR_ORDER);
    free(values);
}

static void bad_order(run *r, uint32_t i) {
    model_stream *m = &r->model.stream[i];
    model_parts parts;
    sst_row row = model_row(m, m->rows, &parts);
    if (!late_time(r, m, &row.time)) return;
    MODEL_INT(sst_append_row(r->writer[i], &row), SST_ERR_ORDER);
    if (!model_simple(m)) return;
    if (m->ragged) {
        if (m->fields > 1) return;
        MODEL_INT(sst_append_n(r->writer[i], row.time, row.value, row.count), SST_ERR_ORDER);
        return;
    }
    if (m->fields == 1 || r->made[i]) {
        uint8_t *packed = pack_row(m, m->rows, r->made[i]);
        MODEL_INT(sst_append(r->writer[i], row.time, packed), SST_ERR_ORDER);
        free(packed);
    }
    if (m->fields == 1 && m->times[m->rows - 1] < INT64_MAX - 2) bad_order_rows(r, i);
}

static void bad_typed(run *r, uint32_t i) {
    static const sst_type typed[6] = {SST_F64, SST_F32, SST_I64, SST_I32, SST_U8, SST_BOOL};
    static const uint8_t zero[8];
    const model_stream *m = &r->model.stream[i];
    sst_type kind = typed[test_below(&r->random, 6)];
    bool scalar = m->fields == 1 && m->field[0].shape[0] == 0 && !m->ragged;
    int result;
    if (m->lines > 0) return;
    if (kind == m->field[0].type && scalar && !model_keyed(m)) return;
    result = append_typed(r->writer[i], kind, m->times[m->rows], zero);
    if (model_keyed(m) && kind == m->field[0].type && scalar) MODEL_INT(result, SST_ERR_ARG);
    else if (model_keyed(m)) MODEL(result == SST_ERR_ARG || result == SST_ERR_TYPE ||
                                   result == SST_ERR_SHAPE);
    else if (kind == m->field[0].type) MODEL_INT(result, SST_ERR_SHAPE);
    else if (scalar) MODEL_INT(result, SST_ERR_TYPE);
    else MODEL(result == SST_ERR_TYPE || result == SST_ERR_SHAPE);
}

/* A key that cannot be, or none. */
static void spoil_key(run *r, sst_key *key) {
    static const uint8_t bytes[SST_MAX_NAME + 1] = {'k', 0xC3, 0x28};
    key->kind = SST_KEY_BYTES;
    key->bytes = bytes;
    key->size = 3;
    switch (test_below(&r->random, 5)) {
    case 0: key->kind = 0; break;
    case 1: key->kind = SST_KEY_BYTES + 1 + (uint32_t)test_below(&r->random, 400); break;
    case 2: key->kind = SST_KEY_TEXT; break;
    case 3: key->bytes = NULL; break;
    default: key->size = SST_MAX_NAME + 1; break;
    }
}

/* One fault in what a row has beside its values. */
static int spoil_row(run *r, const model_stream *m, sst_row *row) {
    static const int64_t lines[SST_MAX_TIMELINES];
    switch (test_below(&r->random, 4)) {
    case 0: row->flags |= !model_keyed(m) && chance(r, 2) ? SST_ROW_REMOVED : 0x40000000u; break;
    case 1:
        if (model_keyed(m)) spoil_key(r, &row->key);
        else row->key.kind = SST_KEY_I64;
        break;
    case 2:
        if (model_tagged(m)) row->key.kind = model_keyed(m) ? 0 : SST_KEY_BYTES;
        else row->tag = 1 + (uint32_t)test_below(&r->random, UINT32_MAX);
        break;
    default: row->timelines = m->lines > 0 ? NULL : lines; break;
    }
    return SST_ERR_ARG;
}

/* One fault in type and shape, which are given where there is one field. */
static int spoil_type(run *r, const model_stream *m, sst_row *row) {
    const model_field *f = &m->field[0];
    row->type = chance(r, 2) ? (sst_type)(f->type % 13 + 1) : (sst_type)77;
    if (m->fields > 1 || chance(r, 2)) return SST_ERR_TYPE;
    row->type = f->type;
    memcpy(row->shape, f->shape, sizeof row->shape);
    row->shape[0] += 1;
    return SST_ERR_SHAPE;
}

/* One fault in the items of a field: NULL, too many of them, which are not looked at, or text that
 * is none. */
static int spoil_items(run *r, const model_field *f, sst_cell *cell) {
    static const char *const bad[6] = {"\x80", "a\xC3", "\xE2\x82(", "\xED\xA0\x80", "\xC0\x80",
                                       "ok \xF4\x90\x80\x80"};
    uint64_t fault = test_below(&r->random, f->type == SST_TEXT ? 5 : 3);
    cell->count = 1 + (size_t)test_below(&r->random, 5);
    if (fault == 0) cell->data = NULL;
    if (fault == 0) return SST_ERR_ARG;
    if (fault < 3) {
        cell->data = bad;
        cell->count = SST_MAX_ROW_BYTES / f->row_bytes + 1;
        if (sizeof(size_t) > 4 && chance(r, 4)) cell->count = SIZE_MAX / (1 + f->row_bytes);
        if (sizeof(size_t) > 4 && chance(r, 4)) cell->count = (size_t)UINT32_MAX + 2;
        return SST_ERR_LIMIT;
    }
    cell->data = bad[test_below(&r->random, 6)];
    cell->count = strlen((const char *)cell->data);
    return SST_ERR_ARG;
}

/* sst_append_n with one fault, or to a stream that it is not for. */
static void bad_items(run *r, uint32_t i) {
    const model_stream *m = &r->model.stream[i];
    int64_t time = m->times[m->rows];
    sst_cell cell = {&time, 1};
    int want = !model_simple(m) ? SST_ERR_ARG : SST_ERR_SHAPE;
    MODEL_INT(sst_append_n(NULL, time, &time, 1), SST_ERR_ARG);
    if (model_simple(m) && model_only_items(m)) want = spoil_items(r, &m->field[0], &cell);
    MODEL_INT(sst_append_n(r->writer[i], time, cell.data, cell.count), want);
}

/* sst_append_row with one fault. */
static void bad_row(run *r, uint32_t i) {
    const model_stream *m = &r->model.stream[i];
    model_parts parts;
    sst_row row = model_row(m, m->rows, &parts);
    uint32_t k = (uint32_t)test_below(&r->random, m->fields);
    const model_field *f = &m->field[k];
    sst_cell *cell = &parts.cells[k];
    int want = SST_ERR_ARG;
    if (chance(r, 2)) {
        row.cells = parts.cells;
        row.value = NULL;
    }
    switch (test_below(&r->random, 7)) {
    case 0: case 1: want = spoil_row(r, m, &row); break;
    case 2: want = spoil_type(r, m, &row); break;
    case 3:
        row.value = row.cells = NULL;
        row.count = 1;
        break;
    case 4:                                     /* both, or a value for several fields */
        row.cells = m->fields > 1 && chance(r, 2) ? NULL : parts.cells;
        row.value = &row;
        break;
    case 5:
        if (f->ragged) {
            want = spoil_items(r, f, cell);
            row.count = cell->count;
            if (row.value != NULL || row.cells == NULL) row.value = cell->data;
            break;
        }
        cell->count = row.count = 2;
        want = SST_ERR_SHAPE;
        break;
    default:
        cell->data = NULL;
        if (f->ragged) cell->count = 1 + (size_t)test_below(&r->random, UINT32_MAX);
        row.cells = parts.cells;
        row.value = NULL;
        break;
    }
    MODEL_INT(sst_append_row(r->writer[i], &row), want);
}

static void bad_pointers(run *r, uint32_t i) {
    const model_stream *m = &r->model.stream[i];
    const uint8_t *value = model_value(m, 0, m->rows);
    int64_t time = m->times[m->rows];
    bool other = m->fields > 1 || m->ragged;
    int want = model_simple(m) && other ? SST_ERR_SHAPE : SST_ERR_ARG;
    MODEL_INT(sst_append(NULL, time, value), SST_ERR_ARG);
    MODEL_INT(sst_append(r->writer[i], time, NULL), SST_ERR_ARG);
    MODEL_INT(sst_append_rows(NULL, &time, value, 1), SST_ERR_ARG);
    if (model_timed(m)) MODEL_INT(sst_append_rows(r->writer[i], NULL, value, 1), want);
    MODEL_INT(sst_append_rows(r->writer[i], &time, NULL, 1), want);
    MODEL_INT(sst_append_row(r->writer[i], NULL), SST_ERR_ARG);
    MODEL_INT(sst_append_view(r->writer[i], NULL), SST_ERR_ARG);
    MODEL_INT(sst_append_f64(NULL, time, 0), SST_ERR_ARG);
    if (other) MODEL_INT(sst_append_rows(r->writer[i], &time, value, 1), want);
    if (m->ragged) MODEL_INT(sst_append(r->writer[i], time, value), want);
    if (!model_simple(m)) {
        MODEL_INT(sst_append(r->writer[i], time, value), SST_ERR_ARG);
        MODEL_INT(sst_append_rows(r->writer[i], &time, value, 1), SST_ERR_ARG);
        if (has_typed(m)) {
            MODEL_INT(append_typed(r->writer[i], m->field[0].type, time, value), SST_ERR_ARG);
        }
    }
}

/* Another handle is the writer, or the handle knows no offsets of several fields. */
static void bad_writer(run *r, uint32_t i) {
    const model_stream *m = &r->model.stream[i];
    sst_column columns[MODEL_FIELDS];
    sst_view view = model_view(m, m->rows, 1, columns);
    int64_t time = m->times[m->rows];
    uint8_t *packed = m->ragged ? NULL : pack_row(m, m->rows, true);
    if (r->reader[i] != NULL && r->owner[i]) {
        MODEL_INT(model_append(m, m->rows, r->reader[i]), SST_ERR_STATE);
        MODEL_INT(sst_append_view(r->reader[i], &view), SST_ERR_STATE);
        MODEL_INT(sst_append_n(r->reader[i], time, NULL, 0), SST_ERR_STATE);
        if (model_simple(m) && !m->ragged) {
            MODEL_INT(sst_append(r->reader[i], time, packed), SST_ERR_STATE);
            MODEL_INT(sst_append_rows(r->reader[i], &time, packed, 1), SST_ERR_STATE);
        }
    }
    if (!r->made[i] && m->fields > 1 && model_simple(m) && !m->ragged) {
        MODEL_INT(sst_append(r->writer[i], time, packed), SST_ERR_STATE);
    }
    free(packed);
}

/* Keys for a stream that has none, or one that is missing or cannot be. */
static void spoil_keys(run *r, const model_stream *m, sst_view *view) {
    static const uint32_t offsets[4][2] = {{0, 0}, {9, 0}, {0, SST_MAX_NAME + 2}, {0, 3}};
    static uint8_t key[SST_MAX_NAME + 2];
    uint64_t fault = test_below(&r->random, 9);
    memset(key, 0, sizeof key);
    if (!model_keyed(m)) {
        view->keys = key;
        if (fault < 3) view->row_flags = key;
        else view->key_offsets = offsets[0];
        return;
    }
    key[0] = fault < 2 ? SST_KEY_I64 : SST_KEY_BYTES;
    switch (fault) {
    case 0: key[0] = (uint8_t)(chance(r, 2) ? 0 : 4 + test_below(&r->random, 250)); break;
    case 1: break;                              /* a number of another size */
    case 2: view->key_offsets = NULL; return;
    case 3: view->row_flags = NULL; return;
    case 4: view->keys = NULL; return;
    case 5:                                     /* text that is none */
        key[0] = SST_KEY_TEXT;
        key[1] = 0xC3;
        view->keys = key;
        view->key_offsets = offsets[3];
        return;
    case 6:
        key[0] = 0x80;
        view->row_flags = key;
        return;
    default: break;
    }
    view->keys = key;
    view->key_offsets = offsets[fault < 2 ? 2 : test_below(&r->random, 3)];
}

/* One fault in the offsets of a field, the offsets of a fixed one, or text that is none. Returns
 * what it must be refused with. */
static int spoil_offsets(run *r, const model_field *f, sst_column *column) {
    static const uint32_t offsets[3][2] = {{5, 4}, {0, 3}, {UINT32_MAX, 0}};
    static uint32_t many[2];
    if (!f->ragged || chance(r, 3)) {
        column->offsets = f->ragged ? NULL : offsets[0];
        return SST_ERR_ARG;
    }
    column->offsets = offsets[test_below(&r->random, 2) * 2];
    if (chance(r, 2)) return SST_ERR_ARG;
    if (f->type == SST_TEXT && chance(r, 2)) {
        column->values = "a\xC3(";
        column->offsets = offsets[1];
        return SST_ERR_ARG;
    }
    many[0] = (uint32_t)test_below(&r->random, 1000);
    many[1] = many[0] + (uint32_t)(SST_MAX_ROW_BYTES / f->row_bytes) + 1;
    column->offsets = many;
    return SST_ERR_LIMIT;
}

/* One fault in a view of a prepared row, whose columns are in columns[MODEL_FIELDS]. Returns what
 * it must be refused with. */
static int spoil_view(run *r, const model_stream *m, sst_view *view, sst_column *columns) {
    static const uint32_t number[3];
    static const int64_t time[1];
    uint64_t k = test_below(&r->random, m->fields);
    int want;
    switch (test_below(&r->random, 8)) {
    case 0: view->times = model_timed(m) ? NULL : time; break;
    case 1: view->tags = model_tagged(m) ? NULL : number; break;
    case 2: spoil_keys(r, m, view); break;
    case 3: view->column_count = m->fields + 1; break;
    case 4: view->timelines[0] = m->lines > 0 ? NULL : time; break;
    case 5:
        want = spoil_offsets(r, &m->field[k], &columns[k]);
        view->values = columns[0].values;
        view->offsets = columns[0].offsets;
        return want;
    case 6:
        columns[k].values = NULL;
        if (k == 0) view->values = NULL;
        break;
    default:
        view->column_count = m->fields > 1 ? m->fields - 1 : 2;
        if (chance(r, 2)) view->columns = NULL;
        break;
    }
    return SST_ERR_ARG;
}

/* Views that do not fit. */
static void bad_view(run *r, uint32_t i) {
    const model_stream *m = &r->model.stream[i];
    sst_column columns[MODEL_FIELDS];
    sst_view view = model_view(m, m->rows, 1, columns);
    int64_t late;
    int want;
    view.count = 0;
    MODEL_INT(sst_append_view(r->writer[i], &view), SST_OK);
    view.count = 1;
    if (late_time(r, m, &late)) {
        view.times = &late;
        MODEL_INT(sst_append_view(r->writer[i], &view), SST_ERR_ORDER);
        view.times = m->times + m->rows;
    }
    want = spoil_view(r, m, &view, columns);
    MODEL_INT(sst_append_view(r->writer[i], &view), want);
}

static void op_append_bad(run *r, uint32_t i) {
    model_stream *m = &r->model.stream[i];
    if (m->finished || model_prepare(m, 1, &r->random) == 0) return;
    if (r->deferred) MODEL_INT(sst_poll(r->store), SST_OK);
    switch (test_below(&r->random, 9)) {
    case 0: bad_order(r, i); break;
    case 1: bad_typed(r, i); break;
    case 2: bad_pointers(r, i); break;
    case 3: bad_writer(r, i); break;
    case 4: bad_view(r, i); break;
    case 5: bad_items(r, i); break;
    default: bad_row(r, i); break;
    }
    MODEL_INT(sst_rows(r->writer[i]), m->rows);
}

/* ---- several streams at once -------------------------------------------------------------- */

/* Replays and snapshots of some streams; one without times among them is refused. */
static void op_together(run *r) {
    model_source s[MODEL_STREAMS];
    sst_stream *handles[MODEL_STREAMS];
    sst_replay *replay = NULL;
    sst_view views[MODEL_STREAMS];
    size_t n = 0;
    uint32_t i, start = (uint32_t)test_below(&r->random, r->model.count);
    bool timed = true, any = chance(r, 8);
    for (i = 0; i < r->model.count; i++) {
        s[n] = source_of(r, (start + i) % r->model.count);
        if (chance(r, 3) || (!any && !model_timed(s[n].model))) continue;
        timed = timed && model_timed(s[n].model);
        handles[n] = s[n].handle;
        n++;
    }
    if (n == 0) return;
    if (timed) {
        model_query_replay(s, n, &r->random);
        model_query_snapshot(s, n, &r->random);
    } else {
        MODEL_INT(sst_replay_open(handles, n, 0, &replay), SST_ERR_STATE);
        MODEL_INT(sst_snapshot(handles, n, 0, views), SST_ERR_STATE);
    }
}

/* ---- metadata ----------------------------------------------------------------------------- */

/* Remembers a lent value, which stays until its key is set or removed. */
static void lend_meta(run *r, const model_meta *meta, sst_stream *stream, int place) {
    uint32_t at = (uint32_t)test_below(&r->random, meta->count);
    lent_meta *l = &r->lent;
    if (meta->count == 0) return;
    memset(l, 0, sizeof *l);
    l->place = place;
    memcpy(l->key, meta->key[at], sizeof l->key);
    if (stream != NULL) sst_stream_get_meta(stream, l->key, &l->value, &l->size);
    else sst_get_meta(r->store, l->key, &l->value, &l->size);
    if (MODEL(l->value != NULL && l->size <= sizeof l->copy)) memcpy(l->copy, l->value, l->size);
}

static void check_lent(const run *r) {
    const lent_meta *l = &r->lent;
    if (l->value != NULL) MODEL(memcmp(l->value, l->copy, l->size) == 0);
}

static void meta_bad(run *r, sst_stream *stream) {
    const void *value;
    size_t size;
    MODEL_INT(sst_set_meta(r->store, NULL, "x", 1), SST_ERR_ARG);
    MODEL_INT(sst_set_meta(r->store, "", "x", 1), SST_ERR_ARG);
    MODEL_INT(sst_set_meta(r->store, "\xFF", "x", 1), SST_ERR_ARG);
    MODEL_INT(sst_set_meta(r->store, "k0", NULL, 1), SST_ERR_ARG);
    MODEL_INT(sst_set_meta(NULL, "k0", "x", 1), SST_ERR_ARG);
    MODEL_INT(sst_stream_set_meta(stream, "", "x", 1), SST_ERR_ARG);
    MODEL_INT(sst_stream_set_meta(stream, "k0", NULL, 1), SST_ERR_ARG);
    MODEL_INT(sst_get_meta(r->store, NULL, &value, &size), SST_ERR_ARG);
    MODEL_INT(sst_remove_meta(r->store, "absent"), SST_ERR_NOT_FOUND);
    MODEL_INT(sst_stream_remove_meta(stream, "absent"), SST_ERR_NOT_FOUND);
}

static void op_meta(run *r) {
    int place = (int)test_below(&r->random, r->model.count + 1) - 1, at, result;
    sst_stream *stream = place >= 0 ? r->writer[place] : NULL;
    model_meta *meta = place >= 0 ? &r->model.stream[place].meta : &r->model.meta;
    uint8_t value[MODEL_META_BYTES];
    size_t size = (size_t)test_below(&r->random, chance(r, 4) ? sizeof value : 30), i;
    char key[24];
    snprintf(key, sizeof key, "k\xC3\xBC%u", (unsigned)test_below(&r->random, MODEL_METAS));
    at = model_meta_find(meta, key);
    if (r->lent.place == place && strcmp(r->lent.key, key) == 0) r->lent.value = NULL;
    for (i = 0; i < size; i++) value[i] = (uint8_t)test_random(&r->random);
    if (chance(r, 3)) {
        result = stream != NULL ? sst_stream_remove_meta(stream, key)
                                : sst_remove_meta(r->store, key);
        MODEL_INT(result, at >= 0 ? SST_OK : SST_ERR_NOT_FOUND);
        if (at >= 0) model_meta_remove(meta, at);
    } else {
        result = stream != NULL
                     ? sst_stream_set_meta(stream, key, size > 0 ? value : NULL, size)
                     : sst_set_meta(r->store, key, size > 0 ? value : NULL, size);
        MODEL_INT(result, SST_OK);
        model_meta_set(meta, key, value, size);
    }
    if (stream != NULL && chance(r, 4)) meta_bad(r, stream);
    model_check_meta(meta, r->store, stream);
    if (chance(r, 4)) lend_meta(r, meta, stream, place);
}

/* ---- images ------------------------------------------------------------------------------- */

static void all_sealed(run *r) {
    uint32_t i;
    for (i = 0; i < r->model.count; i++) r->model.stream[i].sealed = r->model.stream[i].rows;
}

#ifndef MODEL_FILES

/* The image; asking again gives the same bytes. */
static bool take_image(run *r, const uint8_t **bytes, size_t *size) {
    const void *first, *second;
    size_t again;
    uint8_t *copy;
    sst_info info;
    if (r->dropping) {
        MODEL_INT(sst_image(r->store, &first, size), SST_ERR_UNSUPPORTED);
        return MODEL(first == NULL && *size == 0) && false;
    }
    if (!MODEL_INT(sst_image(r->store, &first, size), SST_OK)) return false;
    all_sealed(r);
    MODEL(*size % 64 == 0 && *size >= 64);
    if (chance(r, 4)) {
        copy = (uint8_t *)model_duplicate(first, *size);
        MODEL_INT(sst_image(r->store, &second, &again), SST_OK);
        MODEL(again == *size && memcmp(copy, second, again) == 0);
        first = second;
        free(copy);
    }
    MODEL_INT(sst_store_info(r->store, &info), SST_OK);
    MODEL_INT(info.file_bytes, *size);
    MODEL(info.state == SST_MEMORY && info.streams == r->model.count);
    *bytes = (const uint8_t *)first;
    return true;
}

#else

static void file_path(const run *r, int which, char *path, size_t size) {
    static const char *const ends[4] = {"", ".0", ".1", ".crash"};
    snprintf(path, size, "%s%s", r->path, ends[which]);
}

static void file_remove(const char *path) {
    static const char *const ends[3] = {"", "-live", "-torn"};
    char name[450];
    int i;
    for (i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)remove(name);
    }
}

static void file_write(const char *path, const void *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    MODEL(f != NULL && fwrite(bytes, 1, size, f) == size);
    if (f != NULL) fclose(f);
}

/* The file as it is when every row was flushed or synced: what a crash leaves. */
static bool take_image(run *r, const uint8_t **bytes, size_t *size) {
    bool sync = chance(r, 2);
    uint32_t i;
    sst_info info;
    FILE *f;
    long end = -1;
    if (!MODEL_INT(sync ? sst_sync(r->store) : sst_flush(r->store), SST_OK)) return false;
    all_sealed(r);
    MODEL_INT(sst_store_info(r->store, &info), SST_OK);
    MODEL(info.state == SST_RECORDING && info.streams == r->model.count);
    for (i = 0; i < r->model.count && sync; i++) {
        MODEL_INT(sst_durable_rows(r->writer[i]), r->model.stream[i].rows);
    }
    f = fopen(r->path, "rb");
    if (!MODEL(f != NULL)) return false;
    if (fseek(f, 0, SEEK_END) == 0) end = ftell(f);
    rewind(f);
    free(r->bytes);
    r->bytes = (uint8_t *)model_memory(end > 0 ? (size_t)end : 0);
    *bytes = r->bytes;
    *size = fread(r->bytes, 1, end > 0 ? (size_t)end : 0, f);
    fclose(f);
    return MODEL(*size >= 128 && *size == info.file_bytes);
}

#endif

static void close_snapshot(snapshot *s) {
    if (s->store == NULL) return;
    model_check_holds(&s->holds);
    MODEL_INT(sst_close(s->store), SST_OK);
    model_store_free(&s->model);
    free(s->memory);
    memset(s, 0, sizeof *s);
}

static void check_names(sst_store *store, const model_store *model) {
    uint32_t i;
    MODEL_INT(sst_stream_count(store), model->count);
    for (i = 0; i < model->count; i++) {
        const char *name = sst_stream_name(store, i);
        MODEL(name != NULL && strcmp(name, model->stream[i].name) == 0);
    }
    MODEL(sst_stream_name(store, model->count) == NULL);
}

static void open_streams(snapshot *s) {
    uint32_t i;
    for (i = 0; i < s->model.count; i++) {
        model_source source = {&s->model.stream[i], NULL, &s->holds, s->aligned};
        if (!MODEL_INT(sst_stream_open(s->store, source.model->name, &s->handle[i]), SST_OK)) {
            return;
        }
        source.handle = s->handle[i];
        if (s->model.stream[i].rows % 2 == 0) model_check_all(&source);
        model_check_meta(&source.model->meta, s->store, source.handle);
    }
}

#ifndef MODEL_FILES

/* Opens a copy of the image, sometimes at an odd address, sometimes without its END. */
static void op_open_image(run *r) {
    snapshot *s = &r->snap[test_below(&r->random, 2)];
    static const uint32_t flags[3] = {0, SST_VERIFY, SST_TRUST};
    sst_options options = r->options;
    size_t size, shift = chance(r, 2) ? 0 : (size_t)test_below(&r->random, 9);
    const uint8_t *bytes;
    sst_info info;
    bool cut = chance(r, 4);
    options.flags = flags[test_below(&r->random, 3)];
    close_snapshot(s);
    if (!take_image(r, &bytes, &size)) return;
    if (cut) size -= 64;
    s->memory = (uint8_t *)model_memory(size + shift);
    memcpy(s->memory + shift, bytes, size);
    s->aligned = shift % 8 == 0;
    model_store_copy(&s->model, &r->model);
    if (!MODEL_INT(sst_open_memory(s->memory + shift, size, &options, &s->store), SST_OK)) return;
    MODEL_INT(sst_store_info(s->store, &info), SST_OK);
    MODEL_INT(info.state, cut ? SST_CRASHED : SST_FINISHED);
    MODEL_INT(info.file_bytes, size);
    MODEL(info.torn_bytes == 0 && info.recovered_rows == 0 && info.sticky == SST_OK);
    check_names(s->store, &s->model);
    model_check_meta(&s->model.meta, s->store, NULL);
    open_streams(s);
}

#else

/* Compacts a store into a file at path, in blocks of some size, or one for each stream. */
static bool compact(run *r, sst_store *source, const char *path, bool *single) {
    sst_options options = r->options;
    options.flags = SST_REPLACE;
    *single = chance(r, 2);
    if (*single) options.flags |= SST_SINGLE_BLOCK;
    options.block_bytes = chance(r, 3) ? 0 : 512 + (uint32_t)test_below(&r->random, 4000);
    return MODEL_INT(sst_compact(source, path, &options), SST_OK);
}

/* All rows of a stream that is one block are lent where they are. */
static void check_single(const snapshot *s) {
    uint32_t i;
    sst_view view;
    for (i = 0; i < s->model.count && !model_failed; i++) {
        MODEL_INT(sst_slice(s->handle[i], 0, UINT64_MAX, &view), SST_OK);
        MODEL(view.stable || s->model.stream[i].rows == 0);
    }
}

/* Opens the file that is being recorded, a copy as a crash leaves it, one that was recovered and
 * closed, or one that was compacted. */
static void op_open_image(run *r) {
    static const uint32_t flags[5] = {0, SST_VERIFY, SST_TRUST, SST_NO_MAP,
                                      SST_NO_MAP | SST_VERIFY};
    int which = (int)test_below(&r->random, 2);
    snapshot *s = &r->snap[which];
    bool closed = chance(r, 3), compacted = chance(r, 3), single = false;
    sst_options options = r->options;
    const uint8_t *bytes;
    char path[450];
    size_t size;
    sst_info info;
    close_snapshot(s);
    if (!take_image(r, &bytes, &size)) return;
    s->live = !compacted && chance(r, 3);
    closed = closed || compacted;
    file_path(r, s->live ? 0 : 1 + which, path, sizeof path);
    if (!s->live) file_remove(path);
    if (!s->live && !compacted) file_write(path, bytes, size);
    if (compacted) {
        if (!compact(r, r->store, path, &single)) return;
    } else if (!s->live && closed) {
        if (!MODEL_INT(sst_open_append(path, &options, &s->store), SST_OK)) return;
        MODEL_INT(sst_close(s->store), SST_OK);
        s->store = NULL;
    }
    options.flags = flags[test_below(&r->random, 5)];
    s->aligned = (options.flags & SST_NO_MAP) == 0;
    model_store_copy(&s->model, &r->model);
    if (!MODEL_INT(sst_open(path, &options, &s->store), SST_OK)) return;
    MODEL_INT(sst_store_info(s->store, &info), SST_OK);
    MODEL_INT(info.state, s->live ? SST_RECORDING : closed ? SST_FINISHED : SST_CRASHED);
    MODEL(s->live || info.torn_bytes == 0);
    MODEL(info.recovered_rows == 0 && info.sticky == SST_OK);
    if (!s->live && !closed) MODEL_INT(info.file_bytes, size);
    check_names(s->store, &s->model);
    model_check_meta(&s->model.meta, s->store, NULL);
    open_streams(s);
    if (single && s->aligned && !model_failed) check_single(s);
}

/* Are rows that are not sealed in the companion? */
static bool kill_safe(run *r) {
    sst_info info;
    return MODEL_INT(sst_store_info(r->store, &info), SST_OK) && info.kill_safe;
}

static void file_copy(const char *from, const char *to) {
    FILE *f = fopen(from, "rb");
    uint8_t *bytes;
    long end = -1;
    if (!MODEL(f != NULL)) return;
    if (fseek(f, 0, SEEK_END) == 0) end = ftell(f);
    rewind(f);
    bytes = (uint8_t *)model_memory(end > 0 ? (size_t)end : 0);
    MODEL(end >= 0 && fread(bytes, 1, (size_t)end, f) == (size_t)end);
    fclose(f);
    if (!model_failed) file_write(to, bytes, (size_t)end);
    free(bytes);
}

/* The process is killed: file and companion stay as they are, with rows in the tails. */
static void kill_session(run *r) {
    char path[2][420], crash[2][420];
    int i;
    for (i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s%s", r->path, i == 0 ? "" : "-live");
        snprintf(crash[i], sizeof crash[i], "%s.crash%s", r->path, i == 0 ? "" : "-live");
        file_copy(path[i], crash[i]);
    }
    MODEL_INT(sst_close(r->store), SST_OK);
    file_remove(r->path);
    for (i = 0; i < 2 && !model_failed; i++) MODEL(rename(crash[i], path[i]) == 0);
}

/* A live reader sees what is new when it asks; handles and stable views stay. */
static void refresh_snapshot(run *r, snapshot *s) {
    model_store now;
    uint32_t i, before = s->model.count;
    if (!kill_safe(r) || chance(r, 3)) {        /* otherwise it reads the tails */
        MODEL_INT(sst_flush(r->store), SST_OK);
        all_sealed(r);
    }
    model_check_holds(&s->holds);
    MODEL_INT(sst_refresh(s->store), SST_OK);
    model_store_copy(&now, &r->model);
    for (i = 0; i < now.count; i++) now.stream[i].sealed = r->model.stream[i].sealed;
    model_store_free(&s->model);
    s->model = now;
    check_names(s->store, &s->model);
    model_check_meta(&s->model.meta, s->store, NULL);
    for (i = 0; i < s->model.count && !model_failed; i++) {
        model_source source = {&s->model.stream[i], s->handle[i], &s->holds, s->aligned};
        if (i >= before) {
            MODEL_INT(sst_stream_open(s->store, source.model->name, &s->handle[i]), SST_OK);
        }
        source.handle = s->handle[i];
        model_check_all(&source);
        model_check_meta(&source.model->meta, s->store, source.handle);
    }
}

/* A reader of a store that is recorded follows it. */
static void op_refresh(run *r) {
    snapshot *s = &r->snap[test_below(&r->random, 2)];
    uint64_t n = 1 + test_below(&r->random, 5);
    if (s->store == NULL || !s->live) return;
    refresh_snapshot(r, s);
    for (; n > 0 && r->model.count > 0 && !model_failed; n--) {
        op_append(r, (uint32_t)test_below(&r->random, r->model.count));
        if (!model_failed) refresh_snapshot(r, s);
    }
}

/* Ends the session, by closing, by a crash or killed, and begins another. */
static void op_restart(run *r) {
    char crash[450];
    const uint8_t *bytes;
    size_t size;
    uint32_t i;
    bool crashed, killed;
    model_check_holds(&r->holds);
    memset(&r->holds, 0, sizeof r->holds);
    memset(&r->lent, 0, sizeof r->lent);
    killed = chance(r, 3) && kill_safe(r);
    crashed = !killed && chance(r, 2);
    if (crashed && !take_image(r, &bytes, &size)) return;
    if (killed) kill_session(r);
    else MODEL_INT(sst_close(r->store), SST_OK);
    r->store = NULL;
    if (killed) r->snap[0].live = r->snap[1].live = false;
    if (crashed) {
        file_path(r, 3, crash, sizeof crash);
        file_write(crash, bytes, size);
        file_remove(r->path);
        MODEL(rename(crash, r->path) == 0);
        r->snap[0].live = r->snap[1].live = false;      /* they have the old file */
    }
    r->options.flags = r->deferred ? SST_DEFERRED : 0;
    if (chance(r, 3)) r->options.flags |= SST_NO_MAP;
    if (chance(r, 4)) r->options.flags |= SST_NO_SYNC;
    if (chance(r, 4)) r->options.flags |= SST_VERIFY;
    if (!MODEL_INT(sst_open_append(r->path, &r->options, &r->store), SST_OK)) return;
    r->sessions++;
    all_sealed(r);
    check_names(r->store, &r->model);
    model_check_meta(&r->model.meta, r->store, NULL);
    for (i = 0; i < r->model.count && !model_failed; i++) {
        model_stream *m = &r->model.stream[i];
        sst_stream_desc desc;
        sst_field field[MODEL_FIELDS];
        model_describe(m, &desc, field);
        desc.flags |= SST_OPEN_EXISTING;
        r->reader[i] = NULL;
        r->owner[i] = false;
        r->made[i] = chance(r, 2);
        if (r->made[i]) MODEL_INT(sst_stream_create(r->store, &desc, &r->writer[i]), SST_OK);
        else MODEL_INT(sst_stream_open(r->store, m->name, &r->writer[i]), SST_OK);
        if (!model_failed) MODEL_INT(sst_rows(r->writer[i]), m->rows);
        if (!model_failed) model_check_meta(&m->meta, r->store, r->writer[i]);
    }
}

#endif

/* An image cut short: every stream that is there is a prefix of what it was. */
static void op_open_short(run *r) {
    const uint8_t *bytes;
    uint8_t *copy;
    sst_store *store;
    size_t size;
    uint32_t i;
    int result;
    if (!take_image(r, &bytes, &size)) return;
    size = (size_t)test_below(&r->random, size);
    copy = (uint8_t *)model_duplicate(bytes, size);
    result = sst_open_memory(copy, size, NULL, &store);
    MODEL(result == SST_OK || (size < 256 && result == SST_ERR_FORMAT && store == NULL));
    for (i = 0; result == SST_OK && i < sst_stream_count(store) && !model_failed; i++) {
        model_stream prefix = r->model.stream[i];
        model_source source = {&prefix, NULL, NULL, true};
        if (!MODEL_INT(sst_stream_open(store, prefix.name, &source.handle), SST_OK)) break;
        if (!MODEL(sst_rows(source.handle) <= prefix.rows)) break;
        prefix.rows = prefix.sealed = sst_rows(source.handle);
        model_check_all(&source);
        model_query(&source, &r->random);
    }
    if (result == SST_OK) MODEL_INT(sst_verify(store, NULL), SST_OK);
    sst_close(result == SST_OK ? store : NULL);
    free(copy);
}

/* Questions to an opened image, and changing calls that it must refuse. */
static void op_snapshot(run *r) {
    snapshot *s = &r->snap[test_below(&r->random, 2)];
    uint32_t i;
    uint64_t n = 1 + test_below(&r->random, 6);
    model_source source = {NULL, NULL, &s->holds, s->aligned};
    if (s->store == NULL || s->model.count == 0) return;
    for (; n > 0; n--) {
        i = (uint32_t)test_below(&r->random, s->model.count);
        source.model = &s->model.stream[i];
        source.handle = s->handle[i];
        model_query(&source, &r->random);
    }
}

static void op_snapshot_refuses(run *r) {
    snapshot *s = &r->snap[test_below(&r->random, 2)];
    const void *bytes;
    size_t size;
    sst_row row;
    sst_stream_desc desc;
    sst_stream *stream;
    memset(&row, 0, sizeof row);
    memset(&desc, 0, sizeof desc);
    row.value = &row;
    desc.name = "new";
    desc.type = SST_F64;
    if (s->store == NULL || s->model.count == 0) return;
    MODEL_INT(sst_append_row(s->handle[0], &row), SST_ERR_READ_ONLY);
    MODEL_INT(sst_stream_finish(s->handle[0]), SST_ERR_READ_ONLY);
    MODEL_INT(sst_stream_set_meta(s->handle[0], "k", "v", 1), SST_ERR_READ_ONLY);
    MODEL_INT(sst_set_meta(s->store, "k", "v", 1), SST_ERR_READ_ONLY);
    MODEL_INT(sst_remove_meta(s->store, "k"), SST_ERR_READ_ONLY);
    MODEL_INT(sst_stream_create(s->store, &desc, &stream), SST_ERR_READ_ONLY);
    MODEL_INT(sst_image(s->store, &bytes, &size), SST_ERR_READ_ONLY);
    MODEL_INT(sst_sync(s->store), SST_ERR_READ_ONLY);
    MODEL_INT(sst_flush(s->store), SST_ERR_READ_ONLY);
    MODEL_INT(sst_poll(s->store), SST_ERR_READ_ONLY);
    MODEL_INT(sst_abort(s->store), SST_ERR_STATE);
    check_names(s->store, &s->model);
}

static void op_verify(run *r) {
    snapshot *s = &r->snap[test_below(&r->random, 2)];
    sst_store *store = s->store != NULL && chance(r, 2) ? s->store : r->store;
    const model_store *model = store == r->store ? &r->model : &s->model;
    uint64_t rows = 0, sealed = 0;
    sst_report report;
    uint32_t i;
    memset(&report, 0, sizeof report);
    for (i = 0; i < model->count; i++) {
        rows += model->stream[i].rows;
        if (!model_retained(&model->stream[i])) sealed += model->stream[i].sealed;
    }
    MODEL_INT(sst_verify(store, &report), SST_OK);
    MODEL(report.damage_count == 0 && (report.torn_bytes == 0 || r->torn));
    MODEL(report.rows >= sealed && report.rows <= rows && report.records >= model->count);
    MODEL_INT(sst_verify(store, NULL), SST_OK);
    MODEL_INT(sst_verify(NULL, &report), SST_ERR_ARG);
}

/* ---- the run ------------------------------------------------------------------------------ */

#ifndef MODEL_BORROWED          /* by the fuzzer, which has its own way to choose the calls */

static void op_on_stream(run *r) {
    uint32_t i = (uint32_t)test_below(&r->random, r->model.count);
    switch (test_below(&r->random, 24)) {
    case 0: op_create_bad(r, i); break;
    case 1: op_open_existing(r, i); break;
    case 2: op_reopen(r, i); break;
    case 3: case 4: op_second_handle(r, i); break;
    case 5: if (chance(r, 10)) op_finish(r, i); break;
    case 6: case 7: op_append_view(r, i); break;
    case 8: case 9: case 10: op_append_bad(r, i); break;
    default: op_append(r, i); break;
    }
}

static void op_on_store(run *r) {
    switch (test_below(&r->random, MODEL_STORE_OPS)) {
    case 0:
        MODEL_INT(sst_flush(r->store), SST_OK);
        all_sealed(r);
        break;
    case 1: MODEL_INT(sst_poll(r->store), SST_OK); break;
    case 2: case 3: op_meta(r); break;
    case 4: op_open_image(r); break;
    case 5: if (chance(r, 3)) op_open_short(r); break;
    case 6: case 7: case 8: case 9: op_snapshot(r); break;
    case 10: op_snapshot_refuses(r); break;
    case 11: op_verify(r); break;
    case 14: op_together(r); break;
    case 12: check_names(r->store, &r->model); break;
    case 13: model_check_holds(&r->holds); check_lent(r); break;
#ifdef MODEL_FILES
    case 16: case 17: op_refresh(r); break;
    case 18: op_restart(r); break;
    case 19:
        MODEL_INT(sst_sync(r->store), SST_OK);
        all_sealed(r);
        break;
#endif
    default: op_create(r); break;
    }
}

static void one_step(run *r) {
    uint64_t n = test_below(&r->random, 3);
    if (r->model.count == 0 || chance(r, 3)) op_on_store(r);
    else op_on_stream(r);
    for (; n > 0 && r->model.count > 0 && !model_failed; n--) {
        model_source s = source_of(r, (uint32_t)test_below(&r->random, r->model.count));
        model_query(&s, &r->random);
    }
}

#endif

static void finish_run(run *r) {
    uint32_t i;
    for (i = 0; i < r->model.count && !model_failed; i++) {
        model_source s = source_of(r, i);
        model_check_all(&s);
        model_check_meta(&s.model->meta, r->store, s.handle);
    }
    if (!model_failed) op_open_image(r);
    if (!model_failed) model_check_holds(&r->holds);
    if (!model_failed) check_lent(r);
    for (i = 0; i < 2; i++) close_snapshot(&r->snap[i]);
    if (chance(r, 4) && r->sessions == 0) MODEL_INT(sst_abort(r->store), SST_OK);
    else MODEL_INT(sst_close(r->store), SST_OK);
    model_store_free(&r->model);
}

#ifndef MODEL_BORROWED

static int create_store(run *r) {
#ifdef MODEL_FILES
    snprintf(r->path, sizeof r->path, "%s/run.sstore", model_folder);
    file_remove(r->path);
    return sst_create(r->path, &r->options, &r->store);
#else
    return sst_create(NULL, &r->options, &r->store);
#endif
}

static void one_seed(uint64_t seed) {
    run *r = (run *)calloc(1, sizeof *r);
    uint64_t steps;
    if (r == NULL) exit(1);
    r->random = seed;
    r->options.block_bytes = 512 + (uint32_t)test_below(&r->random, MODEL_BLOCK_SPAN);
    if (chance(r, 3)) r->options.block_bytes = 512;
    r->options.seed = chance(r, 2) ? 0 : test_random(&r->random) | 1;
    r->deferred = chance(r, 3);
#ifndef MODEL_FILES
    r->retains = chance(r, 3);
#endif
    if (r->deferred) r->options.flags = SST_DEFERRED;
    steps = 10 + test_below(&r->random, 120);
    model_seed = seed;
    model_step = 0;
    if (MODEL_INT(create_store(r), SST_OK)) {
        for (; model_step < steps && !model_failed; model_step++) one_step(r);
        if (r->store != NULL) finish_run(r);
    }
    free(r->bytes);
    free(r);
}

#ifdef MODEL_FILES
static void file_folder_remove(void) {
    run r;
    int i;
    char path[450];
    snprintf(r.path, sizeof r.path, "%s/run.sstore", model_folder);
    for (i = 0; i < 4; i++) {
        file_path(&r, i, path, sizeof path);
        file_remove(path);
    }
    (void)rmdir(model_folder);
}
#endif

static void random_sequences(void) {
    uint64_t seed = test_seed(1), rounds = test_rounds(MODEL_ROUNDS / 2, 8 * MODEL_ROUNDS), i;
    for (i = 0; i < rounds && !model_failed; i++) one_seed(seed + i);
    CHECK_INT(i, rounds);
}

int main(void) {
#ifdef MODEL_FILES
    const char *base = getenv("TMPDIR");
    snprintf(model_folder, sizeof model_folder, "%.200s/test_model.XXXXXX",
             base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(model_folder) == NULL) {
        perror(model_folder);
        return 1;
    }
#endif
    TEST_RUN(random_sequences);
#ifdef MODEL_FILES
    file_folder_remove();
#endif
    return test_done(MODEL_TEST_NAME);
}

#endif
