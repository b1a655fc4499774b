/* Ways through the code of ragged rows that no recording takes by itself: hostile offsets, memory
 * of a tail that somebody else has written to, no memory, no room. */
#define SSTI_TABLE_ROWS 1u
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include "test.h"
#include "meter.h"
#include "scratch.h"
#include "mend.h"

#include <sys/wait.h>

static meter memory;
static const sst_allocator counted = {&memory, meter_resize};

static sst_stream *make(sst_store *store, const char *name, sst_type type, uint32_t flags) {
    sst_stream_desc desc = {0};
    sst_stream *stream = NULL;
    desc.name = name;
    desc.type = type;
    desc.flags = flags;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

static sst_store *memory_store(uint32_t block_bytes, uint32_t flags) {
    sst_options options = {0};
    sst_store *store = NULL;
    options.block_bytes = block_bytes;
    options.flags = flags;
    options.allocator = &counted;
    memory.fail_at = 0;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    return store;
}

static sst_store *file_store(uint32_t block_bytes, uint32_t flags) {
    sst_options options = scratch_options(5);
    sst_store *store = NULL;
    options.block_bytes = block_bytes;
    options.flags = flags | SST_REPLACE;
    CHECK_INT(sst_create(file(), &options, &store), SST_OK);
    return store;
}

/* Row i has i % most bytes, all of the same letter. */
static void append_bytes(sst_stream *stream, int64_t first, int rows, size_t most) {
    static uint8_t bytes[100000];
    int64_t i;
    for (i = first; i < first + rows && test_errors == 0; i++) {
        size_t n = (size_t)i % most;
        memset(bytes, (int)('a' + i % 26), n);
        CHECK_INT(sst_append_n(stream, i, bytes, n), SST_OK);
    }
}

/* Time and number of a row are the same. */
static void check_bytes(sst_stream *stream, int64_t first, uint64_t rows, size_t most) {
    sst_view view;
    uint64_t i;
    REQUIRE(sst_slice(stream, (uint64_t)first, rows, &view) == SST_OK && view.count == rows);
    for (i = 0; i < rows && test_errors == 0; i++) {
        size_t n = view.offsets[i + 1] - view.offsets[i], k;
        const uint8_t *p = (const uint8_t *)view.values + view.offsets[i];
        int64_t row = first + (int64_t)i;
        CHECK_INT(n, (size_t)row % most);
        for (k = 0; k < n; k++) CHECK_INT(p[k], 'a' + row % 26);
    }
}

/* ---- hostile files ------------------------------------------------------------------------- */

static uint8_t *image;
static size_t image_size;

static void keep_image(const void *bytes, size_t size) {
    free(image);
    image = (uint8_t *)take(size);
    image_size = size;
    memcpy(image, bytes, size);
}

/* An image of a stream of bytes: one block of so many rows, or two of so many that a tail has. */
static void make_image(int blocks, int rows, size_t most) {
    sst_options options = scratch_options(3);
    sst_store *store = memory_store(1u << 16, 0), *single;
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    const void *bytes;
    size_t size;
    int b;
    for (b = 0; b < blocks; b++) {
        append_bytes(stream, (int64_t)b * rows, rows, most);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    keep_image(bytes, size);
    options.flags = SST_REPLACE | SST_SINGLE_BLOCK;
    if (blocks == 1) {
        uint64_t all;
        void *f;
        CHECK_INT(sst_compact(store, file(), &options), SST_OK);
        options.flags = 0;
        REQUIRE(sst_open(file(), &options, &single) == SST_OK);
        f = single->file;
        CHECK_INT(sst_io_default()->size(NULL, f, &all), SST_OK);
        free(image);
        image_size = (size_t)all;
        image = (uint8_t *)take(image_size);
        CHECK_INT(sst_io_default()->read_at(NULL, f, 0, image, image_size, &size), SST_OK);
        CHECK_INT(size, image_size);
        CHECK_INT(sst_close(single), SST_OK);
    }
    CHECK_INT(sst_close(store), SST_OK);
}

static bool column_of(uint32_t block, uint32_t column, mend_column *c) {
    mend_record r;
    return mend_find(image, image_size, MEND_BLOCK, 1, block, &r) &&
           mend_column_at(image, &r, column, c);
}

static sst_store *open_image(uint32_t flags, sst_stream **stream) {
    sst_options options = {0};
    sst_store *store = NULL;
    options.flags = flags;
    CHECK_INT(sst_open_memory(image, image_size, &options, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "s", stream), SST_OK);
    return store;
}

/* Offsets whose checksums hold, but which go back, begin above 0, or lead beyond the items: of a
 * column that is looked at in parts, and of one in pieces. */
static void hostile_offsets(void) {
    static const int sizes[3] = {40, 3000, 300000};
    static const uint32_t flags[2] = {0, SST_TRUST};
    int size, kind, flag;
    for (size = 0; size < 3; size++) {
        for (kind = 0; kind < 4; kind++) {
            for (flag = 0; flag < 2 && test_errors == 0; flag++) {
                uint32_t rows = (uint32_t)sizes[size];
                sst_stream *stream;
                sst_store *store;
                sst_view view;
                mend_column c;
                make_image(1, (int)rows, size == 2 ? 3 : 11);
                REQUIRE(column_of(0, 1, &c) && c.kind == 6);
                if (kind == 0) mend_put(image + c.start, 1, 4);
                if (kind == 1) mend_put(image + c.start + 4 * (rows / 2), 0, 4);
                if (kind == 2) mend_put(image + c.start + 4 * rows, 0xFFFFFFFFu, 4);
                if (kind == 3) mend_put(image + c.start + 4 * (rows / 2), 0xFFFFFFF0u, 4);
                mend_all(image, image_size);
                store = open_image(flags[flag], &stream);
                if (size < 2 || kind != 0) {
                    CHECK_INT(sst_slice(stream, 0, rows, &view), SST_ERR_CORRUPT);
                }
                if (size < 2 || kind % 2 != 0) {    /* in pieces only what is asked for counts */
                    CHECK_INT(sst_slice(stream, rows / 2 - 1, 3, &view), SST_ERR_CORRUPT);
                    CHECK_INT(sst_slice(stream, rows / 2 - 3, 3, &view), SST_ERR_CORRUPT);
                }
                CHECK(sst_gather(stream, NULL, 0, NULL, NULL) == SST_OK);
                CHECK_INT(sst_close(store), SST_OK);
            }
        }
    }
}

/* A piece of items that is damaged costs the rows in it. */
static void damaged_piece(void) {
    uint32_t i;
    for (i = 0; i < 2; i++) {
        sst_stream *stream;
        sst_store *store;
        sst_error error;
        sst_view view;
        mend_column c;
        make_image(1, 3000, 1000);
        REQUIRE(column_of(0, 2, &c) && c.size > 1u << 20 && c.size < 2u << 20);
        image[c.start + (i == 0 ? 0 : c.size - 1)] ^= 1;
        store = open_image(0, &stream);
        CHECK_INT(sst_slice(stream, 0, 3000, &view), SST_ERR_CORRUPT);
        sst_stream_error(stream, &error);
        CHECK_INT(error.offset, c.start + (i == 0 ? 0 : 1u << 20));
        check_bytes(stream, i == 0 ? 2980 : 2, 10, 1000);
        CHECK_INT(sst_slice(stream, i == 0 ? 1 : 2999, 1, &view), SST_ERR_CORRUPT);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Offsets in pieces of which the second is damaged, where rows end that begin in the first. */
static void damaged_offsets(void) {
    sst_stream *stream;
    sst_store *store;
    sst_view view;
    mend_column c;
    make_image(1, 540000, 3);
    REQUIRE(column_of(0, 1, &c) && c.size > 2u << 20);
    image[c.start + (3u << 19)] ^= 1;
    store = open_image(0, &stream);
    check_bytes(stream, 0, 1000, 3);
    CHECK_INT(sst_slice(stream, 262000, 400, &view), SST_ERR_CORRUPT);
    CHECK_INT(sst_slice(stream, 400000, 400, &view), SST_ERR_CORRUPT);
    check_bytes(stream, 261000, 400, 3);
    check_bytes(stream, 530000, 400, 3);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A second block whose items are not what its offsets say: rows of both cannot be put together. */
static void blocks_that_disagree(void) {
    uint32_t column;
    for (column = 1; column < 3; column++) {
        sst_stream *stream;
        sst_store *store;
        sst_view view;
        mend_column c;
        make_image(2, 50, 11);
        REQUIRE(column_of(1, column, &c));
        mend_put(c.entry + 16, c.size - 1, 8);
        mend_put(c.entry + 24, c.size - 1, 8);
        mend_all(image, image_size);
        store = open_image(0, &stream);
        check_bytes(stream, 0, 50, 11);
        CHECK_INT(sst_slice(stream, 20, 60, &view), SST_ERR_CORRUPT);
        CHECK_INT(sst_slice(stream, 60, 10, &view), SST_ERR_CORRUPT);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Equal times beyond a damaged block: the nearest row is known, the last at its time is not. */
static void nearest_before_damage(void) {
    sst_store *store = memory_store(1u << 16, 0);
    sst_stream *stream = make(store, "s", SST_I64, SST_EQUAL_TIMES);
    const void *bytes;
    mend_column c;
    uint64_t row;
    size_t size;
    int i;
    CHECK_INT(sst_append_i64(stream, 0, 0), SST_OK);
    for (i = 0; i < 2; i++) {
        CHECK_INT(sst_append_i64(stream, 100, 1), SST_OK);
        CHECK_INT(sst_append_i64(stream, 100, 2), SST_OK);
        CHECK_INT(sst_append_i64(stream, i == 0 ? 100 : 110, 3), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    CHECK_INT(sst_locate(stream, 90, SST_NEAREST, &row), SST_OK);
    CHECK_INT(row, 5);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    keep_image(bytes, size);
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(column_of(1, 0, &c));
    image[c.start + 8] ^= 1;
    store = open_image(0, &stream);
    CHECK_INT(sst_locate(stream, 90, SST_NEAREST, &row), SST_ERR_CORRUPT);
    CHECK_INT(sst_locate(stream, 40, SST_NEAREST, &row), SST_OK);
    CHECK_INT(row, 0);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Reading that fails is no damage. */
static void failing_reads(void) {
    sst_store *store = file_store(4096, 0);
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    sst_options options = scratch_options(5);
    sst_io io = *sst_io_default();
    sst_view view;
    uint64_t n;
    append_bytes(stream, 0, 900, 30);
    CHECK_INT(sst_close(store), SST_OK);
    io.read_at = failing_read_at;
    options.io = &io;
    options.flags = SST_NO_MAP;
    for (n = 1; n < 3000 && test_errors == 0; n++) {
        int result;
        reads = failing_read = 0;
        REQUIRE(sst_open(file(), &options, &store) == SST_OK);
        REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
        reads = 0;
        failing_read = n;
        result = sst_slice(stream, 0, 900, &view);
        failing_read = 0;
        CHECK(result == SST_OK || result == SST_ERR_IO);
        CHECK_INT(sst_slice(stream, 0, 900, &view), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        if (result == SST_OK && reads < n) break;
    }
    CHECK(n > 10 && n < 3000);
}

/* ---- tails --------------------------------------------------------------------------------- */

/* Numbers of a tail that somebody else has written over: nothing outside of it is read. */
static void scribbled_tails(void) {
    static const uint32_t numbers[3] = {0, 0x7FFFFFFFu, 0xFFFFFFFFu};
    int i, at;
    for (i = 0; i < 3; i++) {
        for (at = 0; at < 3; at++) {
            sst_store *store = file_store(4096, 0);
            sst_stream *stream = make(store, "s", SST_BYTES, 0);
            uint8_t *offsets;
            sst_view view;
            append_bytes(stream, 0, 40, 11);
            REQUIRE(stream->series->fill_count == 40);
            offsets = stream->series->fill[1];
            memcpy(offsets + (at == 0 ? -4 : at == 1 ? 80 : 156), &numbers[i], 4);
            (void)sst_slice(stream, 0, 40, &view);
            (void)sst_slice(stream, 20, 2, &view);
            (void)sst_slice(stream, 39, 1, &view);
            if (i == 2 || (i == 0 && at != 0)) CHECK_INT(sst_flush(store), SST_ERR_CORRUPT);
            if (i == 1 && at == 2) CHECK_INT(sst_flush(store), SST_ERR_CORRUPT);
            (void)sst_close(store);
        }
    }
}

/* Full halves are written from where they are: without staging, unless rows were flushed before or
 * had more bytes than the half was planned for. */
static void sealed_in_place(void) {
    int i;
    for (i = 0; i < 3; i++) {
        sst_store *store = file_store(1u << 17, i == 0 ? SST_NO_LIVE : 0);
        sst_stream *stream = make(store, "s", SST_BYTES, 0);
        sst_options options = scratch_options(5);
        int rows = 20000;
        options.flags = SST_VERIFY;
        append_bytes(stream, 0, rows, 80);
        CHECK(store->staging_bytes < 32768);
        CHECK(stream->series->list->count > 6);
        if (i == 1) {
            CHECK_INT(sst_flush(store), SST_OK);
            append_bytes(stream, rows, 8000, 80);
            check_bytes(stream, 0, (uint64_t)rows + 8000, 80);
        } else if (i == 2) {
            append_bytes(stream, rows, 8000, 1000);
            check_bytes(stream, rows, 8000, 1000);
            CHECK(store->staging_bytes >= 65536);
        }
        check_bytes(stream, 0, (uint64_t)rows, 80);
        CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(sst_open(file(), &options, &store) == SST_OK);
        REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
        CHECK_INT(sst_rows(stream), i == 0 ? rows : rows + 8000);
        check_bytes(stream, 0, (uint64_t)rows, 80);
        if (i == 1) check_bytes(stream, rows, 8000, 80);
        if (i == 2) check_bytes(stream, rows, 8000, 1000);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* The first offset of a full half is not 0: then it is not written from where it is. */
static void scribbled_start(void) {
    sst_store *store = file_store(4096, 0);
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    const uint32_t one = 1;
    sst_view view;
    int rows;
    append_bytes(stream, 1, 4, 80);
    memcpy(stream->series->fill[1] - 4, &one, 4);
    for (rows = 4; rows < 1000 && stream->series->list->count < 2; rows++) {
        append_bytes(stream, 1 + rows, 1, 80);
    }
    REQUIRE(sst_slice(stream, 0, (uint64_t)rows, &view) == SST_OK);
    CHECK_INT(view.count, rows);
    CHECK_INT(view.offsets[1], 0);      /* it has lost its only byte */
    CHECK(view.offsets[2] == 2 && memcmp(view.values, "ccddd", 5) == 0);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The room that a companion says a half has for items, for readers. */
static void scribbled_regions(void) {
    uint64_t huge[2] = {UINT64_MAX / 2, 1u << 20};
    int i;
    for (i = 0; i < 2; i++) {
        sst_store *store = file_store(4096, 0), *reader;
        sst_stream *stream = make(store, "s", SST_BYTES, 0);
        sst_options options = scratch_options(5);
        sst_info info;
        CHECK_INT(sst_store_info(store, &info), SST_OK);
        append_bytes(stream, 0, 40, 11);
        if (info.kill_safe) {
            const ssti_half *half = &stream->series->halves[0];
            memcpy(half->base + half->bytes - 64, &huge[i], 8);
            REQUIRE(sst_open(file(), &options, &reader) == SST_OK);
            REQUIRE(sst_stream_open(reader, "s", &stream) == SST_OK);
            CHECK_INT(sst_rows(stream), 0);
            CHECK_INT(sst_close(reader), SST_OK);
        }
        (void)sst_close(store);
    }
}

/* A companion that cannot be read at one place: rows of it are missing, or the host's error. */
static void failing_companion(void) {
    sst_store *store = file_store(4096, 0), *reader;
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    sst_options options = scratch_options(5);
    sst_io io = *sst_io_default();
    sst_info info;
    uint64_t n, failed = 0;
    append_bytes(stream, 0, 40, 11);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    io.read_at = failing_read_at;
    options.io = &io;
    for (n = 1; info.kill_safe && n < 200 && test_errors == 0; n++) {
        uint64_t rows = 0;
        int result;
        reads = 0;
        failing_read = n;
        result = sst_open(file(), &options, &reader);
        failing_read = 0;
        CHECK(result == SST_OK || result == SST_ERR_IO);
        failed += result != SST_OK;
        if (result != SST_OK) continue;
        if (sst_stream_open(reader, "s", &stream) == SST_OK) rows = sst_rows(stream);
        CHECK(rows <= 40 && (reads >= n || rows == 40));
        CHECK_INT(sst_close(reader), SST_OK);
        if (reads < n) break;
    }
    CHECK(!info.kill_safe || (n > 10 && n < 200 && failed != 0));
    CHECK_INT(sst_close(store), SST_OK);
}

/* A row that needs more of the room that several fields share than its field has, in halves of
 * which a block is several, or not quite two. */
static void shared_room(void) {
    static const uint32_t block_bytes[2] = {262144, 40000};
    static const size_t sizes[2] = {3400, 9000};
    static const char *const names[6] = {"a", "b", "c", "d", "e", "f"};
    static uint8_t bytes[9000];
    size_t i, k;
    memset(bytes, 'x', sizeof bytes);
    for (i = 0; i < 2; i++) {
        sst_store *store = memory_store(block_bytes[i], 0);
        sst_field fields[6];
        sst_cell cells[6];
        sst_stream_desc desc = {0};
        sst_stream *stream = NULL;
        sst_view view;
        sst_row row;
        memset(&row, 0, sizeof row);
        memset(fields, 0, sizeof fields);
        memset(cells, 0, sizeof cells);
        for (k = 0; k < 6; k++) {
            fields[k].name = names[k];
            fields[k].type = SST_BYTES;
        }
        desc.name = "s";
        desc.fields = fields;
        desc.field_count = 6;
        REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
        cells[2].data = bytes;
        cells[2].count = sizes[i];
        row.cells = cells;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
        CHECK_INT(stream->series->list->count, 0);          /* it became no block of its own */
        CHECK_INT(sst_slice(stream, 0, 1, &view), SST_OK);
        for (k = 0; k < 6; k++) {
            const uint32_t *offsets = view.columns[k].offsets;
            CHECK_INT(offsets[1] - offsets[0], k == 2 ? sizes[i] : 0);
        }
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Tails that may not grow: rows that they have no room for become blocks. */
static void no_room(void) {
    sst_options options = {0};
    sst_stream *stream;
    sst_store *store;
    int n;
    options.block_bytes = 20000;
    options.tail_bytes_max = 1;
    options.allocator = &counted;
    for (n = 0; n < 3; n++) {
        REQUIRE(sst_create(NULL, &options, &store) == SST_OK);
        stream = make(store, "s", SST_BYTES, 0);
        append_bytes(stream, 4800, 60, 5000);       /* the first are large */
        append_bytes(stream, 5050, 3000, 7);
        CHECK_INT(sst_rows(stream), 3060);
        CHECK_INT(sst_close(store), SST_OK);
        options.tail_bytes_max = n == 0 ? 1000000 : 0;
    }
}

/* A half that is being changed for good: rows that are nowhere end the search. */
static void rows_nowhere(void) {
    sst_store *store = memory_store(4096, 0);
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    ssti_half *half = &stream->series->halves[0];
    uint32_t hint = 0, offsets[11];
    uint8_t items[100];
    sst_error error;
    ssti_range rows;
    uint64_t count;
    ssti_look k;
    append_bytes(stream, 0, 10, 11);
    ssti_look_begin(&k, stream->series, &error, &hint);
    rows.first = 0;
    rows.count = 10;
    CHECK_INT(ssti_items_count(&k, 2, rows, &count), SST_OK);
    CHECK_INT(count, 45);
    offsets[0] = 0;
    CHECK_INT(ssti_fetch(&k, 1, rows, (uint8_t *)(offsets + 1)), SST_OK);
    CHECK_INT(ssti_fetch_items(&k, 2, rows, (uint8_t *)(offsets + 1), items), SST_OK);
    CHECK(!ssti_half_fetch_items(stream->series, half, 2, 3, 1u << 30, items));
    half->generation++;
    half[1].generation++;
    CHECK_INT(sst_rows(stream), 0);
    half[1].generation++;
    CHECK_INT(ssti_items_count(&k, 2, rows, &count), SST_ERR_CORRUPT);
    CHECK_INT(ssti_fetch(&k, 1, rows, (uint8_t *)(offsets + 1)), SST_ERR_CORRUPT);
    CHECK_INT(ssti_fetch_items(&k, 2, rows, (uint8_t *)(offsets + 1), items), SST_ERR_CORRUPT);
    half->generation++;
    check_bytes(stream, 0, 10, 11);
    memset(stream->series->fill[1] + 8, 0x7F, 4);
    CHECK(!ssti_half_fetch_items(stream->series, half, 2, 3, 1, items));
    (void)sst_close(store);
}

/* Many small rows: a half is planned for a multiple of 1,024 of them. */
static void small_rows(void) {
    sst_store *store = memory_store(1u << 16, 0);
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    append_bytes(stream, 0, 30000, 3);
    CHECK_INT(stream->series->halves[0].capacity % 1024, 0);
    check_bytes(stream, 0, 30000, 3);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The first row is too large for a tail; and rows of which that is true without their items. */
static void large_at_first(void) {
    sst_store *store = memory_store(4096, 0);
    sst_stream *stream = make(store, "s", SST_BYTES, 0), *fixed;
    sst_field fields[2] = {{0}};
    sst_stream_desc desc = {0};
    static uint8_t bytes[3000];
    sst_cell cells[2];
    sst_row row = {0};
    sst_view view;
    append_bytes(stream, 2999, 3, 3000);
    check_bytes(stream, 0, 0, 3000);
    fields[0].type = SST_U8;
    fields[0].shape[0] = 3000;
    fields[1].type = SST_BYTES;
    desc.name = "fixed";
    desc.fields = fields;
    desc.field_count = 2;
    REQUIRE(sst_stream_create(store, &desc, &fixed) == SST_OK);
    cells[0].data = cells[1].data = bytes;
    cells[0].count = 1;
    row.cells = cells;
    for (row.time = 0; row.time < 4; row.time++) {
        cells[1].count = (size_t)row.time;
        CHECK_INT(sst_append_row(fixed, &row), SST_OK);
    }
    CHECK_INT(sst_slice(fixed, 0, 4, &view), SST_OK);
    CHECK_INT(view.columns[1].offsets[4], 6);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Every allocation fails once: the row is not there, and the next one is. */
static void no_memory(void) {
    size_t n;
    for (n = 1; n < 200 && test_errors == 0; n++) {
        sst_store *store = memory_store(4096, 0);
        sst_stream *stream = make(store, "s", SST_BYTES, SST_KEYED);
        static uint8_t bytes[2000];
        uint64_t rows = 0;
        sst_row row = {0};
        row.value = bytes;
        memory.calls = 0;
        memory.fail_at = n;
        for (row.time = 0; row.time < 60; row.time++) {
            int result;
            row.count = row.time % 20 == 19 ? 1500 : (size_t)row.time;
            row.key.kind = SST_KEY_BYTES;
            row.key.bytes = bytes;
            row.key.size = (uint32_t)row.time * 30;
            result = sst_append_row(stream, &row);
            CHECK(result == SST_OK || result == SST_ERR_MEMORY);
            rows += result == SST_OK;
            CHECK_INT(sst_rows(stream), rows);
        }
        memory.fail_at = 0;
        CHECK_INT(sst_close(store), SST_OK);
        if (memory.calls < n) break;
    }
    CHECK(n > 5 && n < 200);
}

/* ---- what is refused ----------------------------------------------------------------------- */

static void refused_rows(void) {
    sst_store *store = memory_store(4096, 0);
    sst_stream *text = make(store, "text", SST_TEXT, 0), *keyed = make(store, "k", SST_BYTES,
                                                                       SST_KEYED | SST_UNTIMED);
    sst_row row = {0};
    int64_t time = 1;
    CHECK_INT(sst_append_n(NULL, 1, "a", 1), SST_ERR_ARG);
    CHECK_INT(sst_append_n(text, 1, NULL, 1), SST_ERR_ARG);
    CHECK_INT(sst_append_n(text, 1, "\xFF", 1), SST_ERR_ARG);
    CHECK_INT(sst_append_n(text, 1, "a\0\xC3", 3), SST_ERR_ARG);
    CHECK_INT(sst_append_n(text, 1, "", SST_MAX_ROW_BYTES + (size_t)1), SST_ERR_LIMIT);
    if (sizeof(size_t) > 4) {
        CHECK_INT(sst_append_n(text, 1, "", (size_t)UINT32_MAX + 1), SST_ERR_LIMIT);
    }
    CHECK_INT(sst_append_n(keyed, 1, "a", 1), SST_ERR_ARG);
    CHECK_INT(sst_append(text, 1, "a"), SST_ERR_SHAPE);
    CHECK_INT(sst_append_rows(text, &time, "a", 1), SST_ERR_SHAPE);
    CHECK_INT(sst_append_u8(text, 1, 1), SST_ERR_TYPE);
    row.value = "abc";
    row.count = 3;
    CHECK_INT(sst_append_row(keyed, &row), SST_ERR_ARG);            /* no key */
    row.key.kind = 4;
    CHECK_INT(sst_append_row(keyed, &row), SST_ERR_ARG);
    row.key.kind = SST_KEY_TEXT;
    row.key.size = 2;
    CHECK_INT(sst_append_row(keyed, &row), SST_ERR_ARG);            /* no bytes */
    row.key.bytes = "\xFFx";
    CHECK_INT(sst_append_row(keyed, &row), SST_ERR_ARG);
    row.key.kind = SST_KEY_BYTES;
    row.key.size = SST_MAX_NAME + 1;
    CHECK_INT(sst_append_row(keyed, &row), SST_ERR_ARG);
    row.key.size = 0;
    row.key.bytes = NULL;
    CHECK_INT(sst_append_row(keyed, &row), SST_OK);
    row.key.kind = SST_KEY_TEXT;
    row.key.size = 1;
    row.key.bytes = "k";
    row.flags = SST_ROW_REMOVED;
    CHECK_INT(sst_append_row(keyed, &row), SST_OK);
    row.flags = SST_ROW_REMOVED | SST_CARRY;
    CHECK_INT(sst_append_row(keyed, &row), SST_ERR_ARG);
    row.flags = 0;
    CHECK_INT(sst_append_row(text, &row), SST_ERR_ARG);             /* a key */
    memset(&row, 0, sizeof row);
    CHECK_INT(sst_append_row(text, &row), SST_OK);                  /* nothing is no NULL */
    CHECK(sst_rows(text) == 1 && sst_rows(keyed) == 2);
    CHECK_INT(sst_stream_finish(text), SST_OK);
    CHECK_INT(sst_append_n(text, 2, "a", 1), SST_ERR_FINISHED);
    CHECK_INT(sst_close(store), SST_OK);
}

/* What is refused although there is a half with room for it: the short way in is not taken. */
static void refused_quickly(void) {
    sst_store *store = file_store(4096, 0);
    sst_stream *text = make(store, "text", SST_TEXT, 0), *points = make(store, "points", SST_F32,
                                                                        SST_RAGGED);
    sst_stream *other = NULL;
    float floats[30] = {1, 2, 3};
    sst_row row = {0};
    sst_view view;
    CHECK_INT(sst_stream_open(store, "text", &other), SST_OK);
    CHECK_INT(sst_append_n(text, 1, "a", 1), SST_OK);
    CHECK_INT(sst_append_n(text, 2, "\xC3\xBC", 2), SST_OK);
    CHECK_INT(sst_append_n(text, 3, "a\xC3", 2), SST_ERR_ARG);
    CHECK_INT(sst_append_n(text, 2, "b", 1), SST_ERR_ORDER);
    CHECK_INT(sst_append_n(text, 3, NULL, 1), SST_ERR_ARG);
    CHECK_INT(sst_append_n(text, 3, "", SST_MAX_ROW_BYTES + (size_t)1), SST_ERR_LIMIT);
    CHECK_INT(sst_append_n(text, 3, "", UINT32_MAX), SST_ERR_LIMIT);
    CHECK_INT(sst_append_n(other, 3, "b", 1), SST_ERR_STATE);
    CHECK_INT(sst_append_n(text, 3, NULL, 0), SST_OK);
    CHECK_INT(sst_append_n(points, 1, floats, 3), SST_OK);
    CHECK_INT(sst_append_n(points, 1, floats, 3), SST_ERR_ORDER);
    CHECK_INT(sst_append_n(points, 2, floats, 30), SST_OK);
    row.time = 3;                       /* the long way goes on where the short one was */
    row.value = floats;
    row.count = 2;
    CHECK_INT(sst_append_row(points, &row), SST_OK);
    CHECK_INT(sst_append_n(points, 4, floats, 1), SST_OK);
    REQUIRE(sst_slice(points, 0, 4, &view) == SST_OK && view.count == 4);
    CHECK(view.offsets[1] == 3 && view.offsets[2] == 33 && view.offsets[3] == 35);
    CHECK(view.offsets[4] == 36 && ((const float *)view.values)[34] == 2);
    REQUIRE(sst_slice(text, 0, 3, &view) == SST_OK && view.count == 3);
    CHECK(view.offsets[3] == 3 && memcmp(view.values, "a\xC3\xBC", 3) == 0);
    CHECK_INT(sst_stream_finish(text), SST_OK);
    CHECK_INT(sst_append_n(text, 4, "b", 1), SST_ERR_FINISHED);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Both halves are full of items, not of rows: a row that would still fit in is not taken, as the
 * half is no longer the writer's. */
static void both_full(void) {
    sst_store *store = file_store(4096, SST_DEFERRED);
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    static const uint8_t bytes[400];
    int64_t rows = 0;
    int result, round;
    for (round = 0; round < 5; round++) {
        do {
            result = sst_append_n(stream, rows, bytes, 400);
            rows += result == SST_OK;
        } while (result == SST_OK && rows < 1000);
        CHECK_INT(result, SST_ERR_BUSY);
        CHECK_INT(sst_append_n(stream, rows, bytes, 1), SST_ERR_BUSY);
        CHECK_INT(sst_rows(stream), rows);
        CHECK_INT(sst_poll(store), SST_OK);
    }
    CHECK_INT(sst_close(store), SST_OK);
}

static void refused_views(void) {
    sst_store *store = memory_store(4096, 0);
    sst_stream *text = make(store, "text", SST_TEXT, 0), *keyed = make(store, "k", SST_BYTES,
                                                                       SST_KEYED | SST_UNTIMED);
    const uint32_t back[3] = {0, 3, 1}, large[3] = {0, 1, 0x40000002u}, two[3] = {0, 1, 3},
                   zero[3] = {0, 0, 1};
    const int64_t times[2] = {1, 2};
    const uint8_t flags[2] = {0, 0}, keys[4] = {SST_KEY_BYTES, SST_KEY_I64, 1, 2};
    sst_view view = {0};
    view.count = 2;
    view.times = times;
    view.values = "a\xC3\xA9";
    CHECK_INT(sst_append_view(text, &view), SST_ERR_ARG);           /* no offsets */
    view.offsets = back;
    CHECK_INT(sst_append_view(text, &view), SST_ERR_ARG);
    view.offsets = large;
    CHECK_INT(sst_append_view(keyed, &view), SST_ERR_ARG);
    view.values = NULL;
    CHECK_INT(sst_append_view(text, &view), SST_ERR_ARG);
    view.values = "a\xC3\xC3";
    view.offsets = two;
    CHECK_INT(sst_append_view(text, &view), SST_ERR_ARG);           /* no text */
    view.values = "a\xC3\xA9";
    CHECK_INT(sst_append_view(text, &view), SST_OK);
    view.times = NULL;
    view.key_offsets = two;
    CHECK_INT(sst_append_view(keyed, &view), SST_ERR_ARG);          /* no keys */
    view.keys = keys;
    CHECK_INT(sst_append_view(keyed, &view), SST_ERR_ARG);          /* no flags */
    view.row_flags = flags;
    CHECK_INT(sst_append_view(keyed, &view), SST_ERR_ARG);          /* a number of two bytes */
    view.key_offsets = zero;
    CHECK_INT(sst_append_view(keyed, &view), SST_ERR_ARG);          /* a key of none */
    view.key_offsets = two;
    view.keys = (const uint8_t *)"\3\2x";
    CHECK_INT(sst_append_view(keyed, &view), SST_OK);
    view.keys = (const uint8_t *)"\3\4x";
    CHECK_INT(sst_append_view(keyed, &view), SST_ERR_ARG);          /* an unknown kind */
    view.keys = (const uint8_t *)"\3\2x";
    view.offsets = large;
    CHECK_INT(sst_append_view(keyed, &view), SST_ERR_LIMIT);
    CHECK(sst_rows(text) == 2 && sst_rows(keyed) == 2);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Two ragged fields, each of which may be as large, but not both. */
static void rows_too_large(void) {
    static const uint32_t large[2] = {0, 0x30000000u};
    sst_store *store = memory_store(4096, 0);
    sst_field fields[2] = {{0}};
    sst_stream_desc desc = {0};
    sst_column columns[2];
    sst_stream *stream;
    sst_view view = {0};
    int64_t time = 1;
    fields[0].type = fields[1].type = SST_BYTES;
    desc.name = "two";
    desc.fields = fields;
    desc.field_count = 2;
    REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
    columns[0].values = columns[1].values = "";
    columns[0].offsets = columns[1].offsets = large;
    view.count = 1;
    view.times = &time;
    view.columns = columns;
    view.column_count = 2;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_LIMIT);
    CHECK_INT(sst_rows(stream), 0);
    CHECK_INT(sst_close(store), SST_OK);
}

/* More streams than are looked at together. */
static void many_streams(void) {
    enum { STREAMS = 20 };
    sst_store *store = memory_store(4096, 0);
    sst_stream *streams[STREAMS];
    sst_view views[STREAMS];
    int i, row;
    for (i = 0; i < STREAMS; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        streams[i] = make(store, name, SST_I64, 0);
        for (row = 0; row < 2000; row++) CHECK_INT(sst_append_i64(streams[i], row, i), SST_OK);
    }
    CHECK_INT(sst_flush(store), SST_OK);
    for (row = 0; row < 2000; row += 100) {
        CHECK_INT(sst_snapshot(streams, STREAMS, row, views), SST_OK);
        for (i = 0; i < STREAMS; i++) {
            CHECK_INT(views[i].first_row, row);
            CHECK_INT(*(const int64_t *)views[i].values, i);
        }
    }
    CHECK_INT(sst_close(store), SST_OK);
}

/* A bound for streams of every kind holds for what is taken until the first block. */
static void bounds(void) {
    sst_stream_desc desc = {0};
    sst_options options = {0};
    sst_field fields[3] = {{0}};
    sst_allocator allocator;
    sst_arena arena = {0};
    sst_stream *stream;
    sst_store *store;
    sst_cell cells[3];
    sst_row row = {0};
    int32_t number = 5;
    fields[0].type = SST_TEXT;
    fields[1].type = SST_I32;
    fields[2].type = SST_F64;
    fields[2].flags = SST_RAGGED;
    desc.name = "s";
    desc.fields = fields;
    desc.field_count = 3;
    desc.flags = SST_KEYED | SST_TAGGED;
    options.block_bytes = 4096;
    arena.size = sst_memory_bound(&options, &desc, 1);
    arena.memory = take(arena.size);
    allocator = sst_arena_allocator(&arena);
    options.allocator = &allocator;
    REQUIRE(arena.size > 0 && sst_create(NULL, &options, &store) == SST_OK);
    REQUIRE(sst_stream_create(store, &desc, &stream) == SST_OK);
    cells[0].data = "text";
    cells[0].count = 4;
    cells[1].data = &number;
    cells[1].count = 1;
    cells[2].data = NULL;
    cells[2].count = 0;
    row.cells = cells;
    row.key.kind = SST_KEY_I64;
    for (; row.time < 20; row.time++) CHECK_INT(sst_append_row(stream, &row), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    free(arena.memory);
}

/* A forked child saves nothing of its parent's, and appends nothing. */
static void forked(void) {
    sst_store *store = file_store(4096, 0);
    sst_stream *stream = make(store, "s", SST_BYTES, 0);
    int status = 0;
    pid_t child;
    append_bytes(stream, 0, 10, 5);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        int result = sst_save(store, file(), 0, 1, NULL);
        bool wiped = *store->alive == 0;
        if (wiped && sst_append_n(stream, 100, "abc", 3) != SST_ERR_STATE) _exit(2);
        (void)sst_close(store);
        _exit(!wiped || result == SST_ERR_STATE ? 0 : 1);
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A table of few rows over all of time, in a stream that claims to have had many. */
static void widest_buckets(void) {
    sst_store *store = memory_store(4096, 0);
    sst_stream *stream = make(store, "s", SST_I64, 0);
    sst_error error;
    uint32_t hint = 0;
    ssti_table *table;
    ssti_look look;
    int64_t i;
    for (i = -8; i < 8; i++) CHECK_INT(sst_append_i64(stream, i * ((int64_t)1 << 60), i), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    ssti_look_begin(&look, stream->series, &error, &hint);
    look.sealed = (uint64_t)1 << 40;
    table = ssti_table_make(&look);
    REQUIRE(table != NULL);
    CHECK(table->shift <= 63);
    ssti_table_free(&store->allocator, table);
    CHECK_INT(sst_close(store), SST_OK);
}

int main(void) {
    if (!make_folder("test_branches_ragged")) {
        perror(folder);
        return 1;
    }
    TEST_RUN(hostile_offsets);
    TEST_RUN(damaged_piece);
    TEST_RUN(damaged_offsets);
    TEST_RUN(blocks_that_disagree);
    TEST_RUN(nearest_before_damage);
    TEST_RUN(failing_reads);
    TEST_RUN(scribbled_tails);
    TEST_RUN(sealed_in_place);
    TEST_RUN(scribbled_start);
    TEST_RUN(scribbled_regions);
    TEST_RUN(failing_companion);
    TEST_RUN(shared_room);
    TEST_RUN(no_room);
    TEST_RUN(rows_nowhere);
    TEST_RUN(small_rows);
    TEST_RUN(large_at_first);
    TEST_RUN(no_memory);
    TEST_RUN(refused_rows);
    TEST_RUN(refused_quickly);
    TEST_RUN(both_full);
    TEST_RUN(refused_views);
    TEST_RUN(rows_too_large);
    TEST_RUN(many_streams);
    TEST_RUN(bounds);
    TEST_RUN(forked);
    TEST_RUN(widest_buckets);
    free(image);
    (void)unlink(file());
    {
        char live[420];
        snprintf(live, sizeof live, "%s-live", file());
        (void)unlink(live);
    }
    CHECK_INT(rmdir(folder), 0);
    return test_done("test_branches_ragged");
}
