/* roundtrip.h - proves that an implementation is really there, whatever switches it was built
 * with: records rows, takes the image, opens it again, checks what comes out.
 *
 * The store has a seed and an sst_io without a clock, so that the image must be the same bytes
 * on every machine and with every compiler. Includes no system header of its own: the drivers
 * decide which come before streamstore.h. */
#ifndef ROUNDTRIP_H
#define ROUNDTRIP_H

#include "streamstore.h"

#define ROUNDTRIP_ROWS 3000

#define ROUNDTRIP_NEED(condition) do { if (!(condition)) return __LINE__; } while (0)

typedef struct roundtrip_image {
    unsigned long size, crc;
} roundtrip_image;

/* Exact in binary, and the same with integer arithmetic alone. */
static int64_t roundtrip_value(int row) { return (int64_t)row * row - 1000; }

/* The options that every build can work with. */
static void roundtrip_options(sst_options *options) {
    static sst_io nothing;
    static sst_options defaults;
    *options = defaults;
    options->io = &nothing;
    options->seed = 7;
    options->block_bytes = 4096;    /* several blocks, and a rest in the tail */
#if defined(STREAMSTORE_NO_MALLOC)
    {
        static union {
            int64_t align[2];
            unsigned char bytes[4 << 20];
        } memory;
        static sst_arena arena;
        static sst_allocator allocator;
        arena.memory = memory.bytes;
        arena.size = sizeof memory;
        arena.used = 0;
        allocator = sst_arena_allocator(&arena);
        options->allocator = &allocator;
    }
#endif
}

/* Fills a store with two streams of ROUNDTRIP_ROWS rows at times 10, 20, ... 0 or a line. */
static int roundtrip_record(sst_store *store) {
    static sst_stream_desc no_desc;     /* static: zero in C and in C++ */
    static sst_row no_row;
    sst_stream_desc desc = no_desc;
    sst_stream *count, *vector;
    int i;

    desc.name = "count";
    desc.type = SST_I64;
    ROUNDTRIP_NEED(sst_stream_create(store, &desc, &count) == SST_OK);
    desc.name = "vector";
    desc.type = SST_I16;
    desc.shape[0] = 3;
    desc.timelines[0] = "arrival";
    ROUNDTRIP_NEED(sst_stream_create(store, &desc, &vector) == SST_OK);
    ROUNDTRIP_NEED(sst_set_meta(store, "robot", "r2", 2) == SST_OK);
    for (i = 0; i < ROUNDTRIP_ROWS; i++) {
        sst_row row = no_row;
        int64_t arrival = 10 * (int64_t)(i + 1) + 3;
        int16_t three[3];
        three[0] = (int16_t)i;
        three[1] = (int16_t)-i;
        three[2] = 7;
        row.time = 10 * (int64_t)(i + 1);
        row.timelines = &arrival;
        row.value = three;
        row.type = SST_I16;
        row.shape[0] = 3;
        ROUNDTRIP_NEED(sst_append_row(vector, &row) == SST_OK);
        ROUNDTRIP_NEED(sst_append_i64(count, row.time, roundtrip_value(i)) == SST_OK);
    }
    ROUNDTRIP_NEED(sst_append_i64(count, 10, 0) == SST_ERR_ORDER);
    ROUNDTRIP_NEED(sst_rows(count) == ROUNDTRIP_ROWS);
    ROUNDTRIP_NEED(sst_rows(vector) == ROUNDTRIP_ROWS);
    return 0;
}

#if !defined(STREAMSTORE_NO_READ)
/* Checks an image that roundtrip_record has filled. 0 or a line. */
static int roundtrip_read(const void *bytes, size_t size, const sst_options *options) {
    static const int64_t times[3] = {9, 15, 99999};
    const void *meta;
    sst_store *store;
    sst_stream *stream;
    sst_report report;
    sst_view view;
    int64_t rows[3], values[3];
    uint64_t row, i;
    size_t length;

    report.damage = NULL;
    report.damage_capacity = 0;
    ROUNDTRIP_NEED(sst_open_memory(bytes, size, options, &store) == SST_OK);
    ROUNDTRIP_NEED(sst_verify(store, &report) == SST_OK && report.damage_count == 0);
    ROUNDTRIP_NEED(sst_get_meta(store, "robot", &meta, &length) == SST_OK && length == 2);
    ROUNDTRIP_NEED(((const char *)meta)[0] == 'r');
    ROUNDTRIP_NEED(sst_stream_count(store) == 2);

    ROUNDTRIP_NEED(sst_stream_open(store, "count", &stream) == SST_OK);
    ROUNDTRIP_NEED(sst_rows(stream) == ROUNDTRIP_ROWS);
    ROUNDTRIP_NEED(sst_window(stream, 0, 1000000, &view) == SST_OK);
    ROUNDTRIP_NEED(view.count == ROUNDTRIP_ROWS);
    for (i = 0; i < view.count; i++) {
        ROUNDTRIP_NEED(view.times[i] == 10 * (int64_t)(i + 1));
        ROUNDTRIP_NEED(((const int64_t *)view.values)[i] == roundtrip_value((int)i));
    }
    ROUNDTRIP_NEED(sst_at(stream, 20005, &view) == SST_OK && view.count == 1);
    ROUNDTRIP_NEED(view.times[0] == 20000 && view.first_row == 1999);
    ROUNDTRIP_NEED(sst_locate(stream, 5, SST_AT_OR_BEFORE, &row) == SST_ERR_NOT_FOUND);
    ROUNDTRIP_NEED(sst_sample(stream, times, 3, SST_SAMPLE_PREVIOUS, values, rows) == SST_OK);
    ROUNDTRIP_NEED(rows[0] == -1 && rows[1] == 0 && rows[2] == ROUNDTRIP_ROWS - 1);
    ROUNDTRIP_NEED(values[0] == 0 && values[1] == roundtrip_value(0));
    {
        double linear[3];
        int result = sst_sample(stream, times, 3, SST_SAMPLE_LINEAR, linear, rows);
#if defined(STREAMSTORE_NO_FLOAT)
        ROUNDTRIP_NEED(result == SST_ERR_UNSUPPORTED);
#else
        ROUNDTRIP_NEED(result == SST_OK);
        ROUNDTRIP_NEED(linear[1] > -999.75 && linear[1] < -999.25);
#endif
    }
    ROUNDTRIP_NEED(sst_append_i64(stream, 1000000, 0) == SST_ERR_READ_ONLY);

    ROUNDTRIP_NEED(sst_stream_open(store, "vector", &stream) == SST_OK);
    ROUNDTRIP_NEED(sst_slice(stream, 2000, 5, &view) == SST_OK && view.count == 5);
    ROUNDTRIP_NEED(((const int16_t *)view.values)[0] == 2000);
    ROUNDTRIP_NEED(((const int16_t *)view.values)[1] == -2000);
    ROUNDTRIP_NEED(view.timelines[0][0] == 20013);
    ROUNDTRIP_NEED(sst_locate_on(stream, 0, 20013, SST_EXACT, &row) == SST_OK && row == 2000);
    ROUNDTRIP_NEED(sst_close(store) == SST_OK);
    return 0;
}
#endif

/* Everything. 0, or the line of this file that failed. */
static int roundtrip(roundtrip_image *image) {
    sst_options options;
    sst_store *store;
    const void *bytes;
    size_t size;
    int line;

    roundtrip_options(&options);
    ROUNDTRIP_NEED(sst_create(NULL, &options, &store) == SST_OK);
    line = roundtrip_record(store);
    if (line != 0) return line;
    ROUNDTRIP_NEED(sst_image(store, &bytes, &size) == SST_OK);
    ROUNDTRIP_NEED(size > (8 + 8 + 8 + 8 + 6) * ROUNDTRIP_ROWS);
    ROUNDTRIP_NEED(((const unsigned char *)bytes)[0] == 0x89);
    ROUNDTRIP_NEED(sst_crc32c("123456789", 9, 0) == 0xE3069283u);
    image->size = (unsigned long)size;
    image->crc = (unsigned long)sst_crc32c(bytes, size, 0);
#if !defined(STREAMSTORE_NO_READ)
    line = roundtrip_read(bytes, size, &options);
    if (line != 0) return line;
#endif
#if defined(STREAMSTORE_NO_OS)
    ROUNDTRIP_NEED(sst_io_default() == NULL);
#else
    ROUNDTRIP_NEED(sst_io_default() != NULL);
#endif
#if defined(STREAMSTORE_NO_TEXT)
    ROUNDTRIP_NEED(sst_result_text(SST_ERR_ORDER)[0] == '\0');
#else
    ROUNDTRIP_NEED(sst_result_text(SST_ERR_ORDER)[0] != '\0');
#endif
    ROUNDTRIP_NEED(sst_close(store) == SST_OK);

    /* The default allocator, clock and randomness. */
    store = NULL;
#if defined(STREAMSTORE_NO_MALLOC)
    ROUNDTRIP_NEED(sst_create(NULL, NULL, &store) == SST_ERR_ARG && store == NULL);
#elif !defined(STREAMSTORE_NO_OS)
    ROUNDTRIP_NEED(sst_create(NULL, NULL, &store) == SST_OK);
    ROUNDTRIP_NEED(sst_close(store) == SST_OK);
#endif
    return 0;
}

#endif
