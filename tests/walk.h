/* walk.h - asks an opened store everything, whatever is in it, and reads every byte that it
 * lends: for hostile images and the fuzzer, under a sanitizer. Nothing is compared except what
 * must hold of any answer. Include streamstore.h before. */
#ifndef WALK_H
#define WALK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALK_STREAMS 24         /* looked at in one store */
#define WALK_ROWS 400           /* of one stream, in one view */
#define WALK_FIELDS 8           /* of one stream, one by one */

static volatile uint32_t walk_sink;

/* Ends the program, so that a fuzzer takes notice. */
#define WALK(condition) \
    do { if (!(condition)) walk_fail(__FILE__, __LINE__, #condition); } while (0)

static inline void walk_fail(const char *file, int line, const char *text) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    abort();
}

static inline void walk_read(const void *bytes, size_t size) {
    const uint8_t *p = (const uint8_t *)bytes;
    uint32_t sum = 0;
    size_t i;
    for (i = 0; i < size; i++) sum += p[i];
    walk_sink = sum;
}

/* A field of the stream, of which rows are walked. */
typedef struct walk_field {
    size_t row_bytes, items;
} walk_field;

typedef struct walk_state {
    sst_stream *stream;
    sst_stream_desc desc;
    uint32_t fields, lines;
    uint64_t rows;
    int64_t times[8];           /* to ask for */
} walk_state;

/* The numbers in a declaration are anybody's, but no row is larger than the limit. */
static inline walk_field walk_field_at(const walk_state *w, uint32_t at) {
    static const size_t bytes[16] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0, 0};
    const sst_field *field = w->desc.fields != NULL ? &w->desc.fields[at] : NULL;
    sst_type type = field != NULL ? field->type : w->desc.type;
    const uint32_t *shape = field != NULL ? field->shape : w->desc.shape;
    walk_field out = {0, 1};
    int i;
    WALK((uint32_t)type >= 1 && (uint32_t)type <= SST_F64);
    for (i = 0; i < 4 && shape[i] != 0; i++) out.items *= shape[i];
    out.row_bytes = out.items * bytes[type];
    WALK(out.row_bytes <= SST_MAX_ROW_BYTES);
    return out;
}

static inline void walk_columns(const walk_state *w, const sst_view *view) {
    uint32_t k;
    WALK(view->column_count == w->fields && view->columns != NULL);
    WALK(view->columns[0].values == view->values);
    for (k = 0; k < w->fields; k++) {
        WALK(view->columns[k].offsets == NULL);
        walk_read(view->columns[k].values, (size_t)view->count * walk_field_at(w, k).row_bytes);
    }
}

/* Rows of a stream may change while it is walked: when an index is found to lie. */
static inline void walk_view(const walk_state *w, const sst_view *view) {
    uint64_t rows = sst_rows(w->stream);
    uint32_t k;
    WALK(view->count <= rows);
    WALK((view->times != NULL) == ((w->desc.flags & SST_UNTIMED) == 0));
    WALK((view->tags != NULL) == ((w->desc.flags & SST_TAGGED) != 0));
    if (view->count == 0) return;
    WALK(view->first_row < rows && view->count <= rows - view->first_row);
    if (view->times != NULL) walk_read(view->times, (size_t)view->count * 8);
    if (view->tags != NULL) walk_read(view->tags, (size_t)view->count * 4);
    for (k = 0; k < SST_MAX_TIMELINES; k++) {
        WALK((view->timelines[k] != NULL) == (k < w->lines));
        if (k < w->lines) walk_read(view->timelines[k], (size_t)view->count * 8);
    }
    walk_columns(w, view);
}

static inline void walk_windows(const walk_state *w) {
    static const uint32_t flags[4] = {0, SST_HALF_OPEN, SST_CARRY, SST_HALF_OPEN | SST_CARRY};
    sst_view view;
    uint32_t i, k;
    for (i = 0; i < 8; i++) {
        int64_t start = w->times[i], end = w->times[(i + 3) % 8];
        if (sst_window_ex(w->stream, start, end, flags[i % 4], &view) == SST_OK) {
            walk_view(w, &view);
        }
        for (k = 0; k < w->lines; k++) {
            if (sst_window_on(w->stream, k, start, end, flags[i / 2], &view) == SST_OK) {
                walk_view(w, &view);
            }
        }
    }
    if (sst_window(w->stream, INT64_MIN, INT64_MAX, &view) == SST_OK) {
        walk_view(w, &view);
    }
}

static inline void walk_points(const walk_state *w) {
    sst_view view;
    uint64_t row;
    uint32_t i, k;
    int match;
    for (i = 0; i < 8; i++) {
        if (sst_at(w->stream, w->times[i], &view) == SST_OK) {
            WALK(view.count == 1);
            walk_view(w, &view);
        }
        for (match = 0; match < 4; match++) {
            if (sst_locate(w->stream, w->times[i], (sst_match)match, &row) == SST_OK) {
                WALK(row < sst_rows(w->stream));
            }
            for (k = 0; k < w->lines; k++) {
                if (sst_locate_on(w->stream, k, w->times[i], (sst_match)match, &row) == SST_OK) {
                    WALK(row < sst_rows(w->stream));
                }
            }
        }
    }
}

static inline void walk_samples(const walk_state *w, uint32_t at) {
    walk_field f = walk_field_at(w, at);
    size_t cell = f.items * 8 > f.row_bytes ? f.items * 8 : f.row_bytes;
    uint8_t *values = (uint8_t *)malloc(8 * cell + 1);
    int64_t rows[8];
    int how, i;
    for (how = 0; values != NULL && how < 4; how++) {
        if (sst_sample_field(w->stream, at, w->times, 8, (sst_sampling)how, values, rows) !=
            SST_OK) {
            continue;
        }
        for (i = 0; i < 8; i++) {
            WALK(rows[i] >= -1);
            WALK(rows[i] < 0 || (uint64_t)rows[i] < sst_rows(w->stream));
        }
        walk_read(values, 8 * (how == SST_SAMPLE_LINEAR ? f.items * 8 : f.row_bytes));
    }
    free(values);
}

/* Rows from both ends in turn; -1: one that cannot be asked for. */
static inline int64_t walk_row(const walk_state *w, uint64_t i) {
    uint64_t row = i % 2 == 0 ? i / 2 : w->rows - 1 - i / 2;
    return row > (uint64_t)INT64_MAX ? -1 : (int64_t)row;
}

static inline void walk_values(const walk_state *w, uint32_t at) {
    size_t bytes = walk_field_at(w, at).row_bytes;
    uint8_t *value = (uint8_t *)malloc(bytes + 1);
    uint64_t i;
    for (i = 0; value != NULL && i < 2 * w->rows && i < WALK_ROWS / 2; i++) {
        int64_t row = walk_row(w, i);
        if (row < 0) continue;
        if (sst_gather_field(w->stream, at, &row, 1, value) == SST_OK) walk_read(value, bytes);
    }
    free(value);
}

/* Row by row, each column alone, from both ends. */
static inline void walk_rows(const walk_state *w) {
    sst_view view;
    uint64_t i;
    int64_t row, time;
    for (i = 0; i < 2 * w->rows && i < WALK_ROWS / 2; i++) {
        row = walk_row(w, i);
        if (row < 0) continue;
        if (sst_gather(w->stream, &row, 1, NULL, &time) == SST_OK) walk_read(&time, 8);
        if (i % 8 == 0 && sst_slice(w->stream, (uint64_t)row, 1, &view) == SST_OK) {
            walk_view(w, &view);
        }
    }
    if (sst_slice(w->stream, 0, WALK_ROWS, &view) == SST_OK) walk_view(w, &view);
    if (sst_slice(w->stream, w->rows / 2, UINT64_MAX, &view) == SST_OK) walk_view(w, &view);
}

/* What the stream is, and when. */
static inline void walk_begin(walk_state *w, sst_stream *stream) {
    int64_t first = 0, last = 0;
    uint32_t i;
    memset(w, 0, sizeof *w);
    w->stream = stream;
    WALK(sst_stream_info(stream, &w->desc, &w->rows, NULL, NULL) == SST_OK);
    sst_stream_info(stream, NULL, NULL, &first, &last);
    WALK(w->desc.name != NULL && w->rows == sst_rows(stream));
    walk_read(w->desc.name, strlen(w->desc.name));
    w->fields = w->desc.fields != NULL ? w->desc.field_count : 1;
    WALK(w->fields >= 1 && w->fields <= SST_MAX_FIELDS);
    for (i = 0; i < w->fields && w->desc.fields != NULL; i++) {
        if (w->desc.fields[i].name != NULL) walk_read(w->desc.fields[i].name,
                                                      strlen(w->desc.fields[i].name));
    }
    while (w->lines < SST_MAX_TIMELINES && w->desc.timelines[w->lines] != NULL) w->lines++;
    for (i = 0; i < 8; i++) {
        w->times[i] = (int64_t)((uint64_t)first + ((uint64_t)last - (uint64_t)first) / 6 * i);
    }
    w->times[6] = INT64_MIN;
    w->times[7] = INT64_MAX;
}

static inline void walk_stream(sst_stream *stream) {
    const void *value;
    const char *key;
    size_t size, bytes = 0;
    uint32_t i;
    walk_state w;
    walk_begin(&w, stream);
    for (i = 0; i < 64 && sst_stream_meta_at(stream, i, &key, &value, &size) == SST_OK; i++) {
        walk_read(value, size + 1);
        walk_read(key, strlen(key));
    }
    walk_points(&w);
    walk_windows(&w);
    for (i = 0; i < w.fields; i++) bytes += walk_field_at(&w, i).row_bytes;
    if (bytes > 1u << 16) return;
    for (i = 0; i < w.fields && i < WALK_FIELDS; i++) {
        walk_samples(&w, i);
        walk_values(&w, i);
    }
    walk_rows(&w);
}

static inline void walk_store(sst_store *store) {
    uint32_t streams = sst_stream_count(store), i;
    sst_damage damage[4];
    sst_report report;
    sst_stream *stream;
    sst_info info;
    const void *value;
    const char *key;
    size_t size;
    int result;
    memset(&report, 0, sizeof report);
    report.damage = damage;
    report.damage_capacity = 4;
    WALK(sst_store_info(store, &info) == SST_OK && info.streams == streams);
    for (i = 0; i < 64 && sst_meta_at(store, i, &key, &value, &size) == SST_OK; i++) {
        walk_read(value, size + 1);
        walk_read(key, strlen(key));
    }
    for (i = 0; i < streams && i < WALK_STREAMS; i++) {
        const char *name = sst_stream_name(store, i);
        WALK(name != NULL);
        if (sst_stream_open(store, name, &stream) != SST_OK) continue;
        walk_stream(stream);
        if (i % 2 == 0) sst_stream_close(stream);
    }
    result = sst_verify(store, &report);
    WALK(result == SST_OK || result == SST_ERR_CORRUPT || result == SST_ERR_MEMORY);
    WALK((result == SST_ERR_CORRUPT) == (report.damage_count > 0) || result == SST_ERR_MEMORY);
}

/* Opens bytes and walks them. Returns what opening did. */
static inline int walk_bytes(const void *bytes, size_t size, uint32_t flags,
                             const sst_allocator *allocator) {
    sst_options options;
    sst_store *store;
    sst_error error;
    int result;
    memset(&options, 0, sizeof options);
    options.flags = flags;
    options.allocator = allocator;
    options.error = &error;
    result = sst_open_memory(bytes, size, &options, &store);
    WALK((result == SST_OK) == (store != NULL) && error.result == result && error.what != NULL);
    if (result == SST_OK) walk_store(store);
    WALK(sst_close(store) == SST_OK);
    return result;
}

#endif
