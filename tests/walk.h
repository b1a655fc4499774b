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

/* Rows of a stream may change while it is walked: when an index is found to lie. */
static inline void walk_view(sst_stream *stream, const sst_view *view, size_t row_bytes) {
    uint64_t rows = sst_rows(stream);
    uint32_t k;
    WALK(view->count <= rows);
    if (view->count == 0) return;
    WALK(view->first_row < rows && view->count <= rows - view->first_row);
    if (view->times != NULL) walk_read(view->times, (size_t)view->count * 8);
    if (view->tags != NULL) walk_read(view->tags, (size_t)view->count * 4);
    walk_read(view->values, (size_t)view->count * row_bytes);
    WALK(view->column_count != 0 && view->columns[0].values == view->values);
    for (k = 1; k < view->column_count; k++) {
        walk_read(view->columns[k].values, (size_t)view->count);
    }
    for (k = 0; k < SST_MAX_TIMELINES; k++) {
        if (view->timelines[k] != NULL) walk_read(view->timelines[k], (size_t)view->count * 8);
    }
}

typedef struct walk_state {
    sst_stream *stream;
    size_t row_bytes, items;
    sst_type type;
    uint32_t lines, fields;
    uint64_t rows;
    int64_t times[8];           /* to ask for */
} walk_state;

static inline void walk_windows(const walk_state *w) {
    static const uint32_t flags[4] = {0, SST_HALF_OPEN, SST_CARRY, SST_HALF_OPEN | SST_CARRY};
    sst_view view;
    uint32_t i, k;
    for (i = 0; i < 8; i++) {
        int64_t start = w->times[i], end = w->times[(i + 3) % 8];
        if (sst_window_ex(w->stream, start, end, flags[i % 4], &view) == SST_OK) {
            walk_view(w->stream, &view, w->row_bytes);
        }
        for (k = 0; k < w->lines; k++) {
            if (sst_window_on(w->stream, k, start, end, flags[i / 2], &view) == SST_OK) {
                walk_view(w->stream, &view, w->row_bytes);
            }
        }
    }
    if (sst_window(w->stream, INT64_MIN, INT64_MAX, &view) == SST_OK) {
        walk_view(w->stream, &view, w->row_bytes);
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
            walk_view(w->stream, &view, w->row_bytes);
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

static inline void walk_samples(const walk_state *w) {
    size_t cell = w->items * 8 > w->row_bytes ? w->items * 8 : w->row_bytes;
    uint8_t *values = (uint8_t *)malloc(8 * cell + 1);
    int64_t rows[8];
    int how, i;
    for (how = 0; values != NULL && how < 4; how++) {
        if (sst_sample(w->stream, w->times, 8, (sst_sampling)how, values, rows) != SST_OK) continue;
        for (i = 0; i < 8; i++) {
            WALK(rows[i] >= -1);
            WALK(rows[i] < 0 || (uint64_t)rows[i] < sst_rows(w->stream));
        }
        walk_read(values, 8 * (how == SST_SAMPLE_LINEAR ? w->items * 8 : w->row_bytes));
    }
    free(values);
}

/* Row by row, each column alone, from both ends. */
static inline void walk_rows(const walk_state *w) {
    uint8_t *value = (uint8_t *)malloc(w->row_bytes + 1);
    sst_view view;
    uint64_t i, row;
    int64_t number, time;
    for (i = 0; value != NULL && i < 2 * w->rows && i < WALK_ROWS / 2; i++) {
        row = i % 2 == 0 ? i / 2 : w->rows - 1 - i / 2;
        if (row > (uint64_t)INT64_MAX) continue;
        number = (int64_t)row;
        if (sst_gather(w->stream, &number, 1, value, NULL) == SST_OK) {
            walk_read(value, w->row_bytes);
        }
        if (sst_gather(w->stream, &number, 1, NULL, &time) == SST_OK) walk_read(&time, 8);
        if (sst_gather_field(w->stream, w->fields - 1, &number, 1, NULL) == SST_OK) {
            WALK(row < sst_rows(w->stream));
        }
        if (i % 8 == 0 && sst_slice(w->stream, row, 1, &view) == SST_OK) {
            walk_view(w->stream, &view, w->row_bytes);
        }
    }
    free(value);
    if (sst_slice(w->stream, 0, WALK_ROWS, &view) == SST_OK) {
        walk_view(w->stream, &view, w->row_bytes);
    }
    if (sst_slice(w->stream, w->rows / 2, UINT64_MAX, &view) == SST_OK) {
        walk_view(w->stream, &view, w->row_bytes);
    }
}

static inline void walk_stream(sst_stream *stream) {
    static const size_t bytes[16] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0, 0};
    sst_stream_desc desc;
    int64_t first = 0, last = 0;
    const void *value;
    const char *key;
    size_t size;
    uint32_t i;
    walk_state w;
    memset(&w, 0, sizeof w);
    w.stream = stream;
    WALK(sst_stream_info(stream, &desc, &w.rows, NULL, NULL) == SST_OK);
    sst_stream_info(stream, NULL, NULL, &first, &last);
    WALK(desc.name != NULL && w.rows == sst_rows(stream));
    walk_read(desc.name, strlen(desc.name));
    w.fields = desc.fields != NULL ? desc.field_count : 1;
    WALK(w.fields >= 1 && w.fields <= SST_MAX_FIELDS);
    w.type = desc.fields != NULL ? desc.fields[0].type : desc.type;
    w.items = 1;
    for (i = 0; i < 4; i++) {
        uint32_t n = desc.fields != NULL ? desc.fields[0].shape[i] : desc.shape[i];
        if (n == 0) break;
        w.items *= n;
    }
    WALK((uint32_t)w.type >= 1 && (uint32_t)w.type <= SST_F64);
    w.row_bytes = w.items * bytes[w.type];
    WALK(w.row_bytes <= SST_MAX_ROW_BYTES);
    while (w.lines < SST_MAX_TIMELINES && desc.timelines[w.lines] != NULL) w.lines++;
    for (i = 0; i < 8; i++) {
        w.times[i] = (int64_t)((uint64_t)first + ((uint64_t)last - (uint64_t)first) / 6 * i);
    }
    w.times[6] = INT64_MIN;
    w.times[7] = INT64_MAX;
    for (i = 0; i < 64 && sst_stream_meta_at(stream, i, &key, &value, &size) == SST_OK; i++) {
        walk_read(value, size + 1);
        walk_read(key, strlen(key));
    }
    walk_points(&w);
    walk_windows(&w);
    if (w.row_bytes <= 1u << 16) {
        walk_samples(&w);
        walk_rows(&w);
    }
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
