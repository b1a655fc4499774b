/* sst_compact on a simulated disk: what comes out, and what is left when it fails. That the rows
 * are the same, however they were recorded, is test_model_file's to say. */
#define SSTI_PIECE_BYTES 4096
#define SSTI_COPY_BYTES 3000u
#define SSTI_COPY_BLOCK 3000u
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include "test.h"
#include "meter.h"
#define MEND_PIECE_BYTES 4096
#include "mend.h"
#include "simdisk.h"

#define ROWS 5000
#define TEXTS 600

static sim_disk disk;
static sst_options options;
static meter memory;
static const sst_allocator counted = {&memory, meter_resize};

static sst_stream *make(sst_store *store, const char *name, sst_type type, uint32_t items,
                        const char *timeline) {
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = type;
    desc.shape[0] = items;
    desc.timelines[0] = timeline;
    desc.block_bytes = 2048;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

static double value_of(int row, int item) { return row * 0.5 + item; }

static char letters[4000];

/* How long text `row` is: now and then more than is copied at once. */
static size_t text_size(int row) {
    return row % 100 == 99 ? 3500 : row % 100 == 50 ? 700 : (size_t)(row * 7 % 23);
}

static void fill_texts(sst_store *store) {
    sst_stream *stream = make(store, "text", SST_TEXT, 0, NULL);
    int i;
    for (i = 0; i < (int)sizeof letters; i++) letters[i] = (char)('a' + i % 26);
    for (i = 0; i < TEXTS; i++) {
        CHECK_INT(sst_append_n(stream, i, letters + i % 26, text_size(i)), SST_OK);
    }
}

static void check_texts(sst_store *store) {
    sst_stream *stream;
    sst_view view;
    int i;
    REQUIRE(sst_stream_open(store, "text", &stream) == SST_OK);
    REQUIRE(sst_slice(stream, 0, TEXTS, &view) == SST_OK);
    REQUIRE(view.count == TEXTS);
    for (i = 0; i < TEXTS && test_errors == 0; i++) {
        const char *text = (const char *)view.values + view.offsets[i];
        CHECK_INT(view.offsets[i + 1] - view.offsets[i], text_size(i));
        CHECK_BYTES(text, letters + i % 26, text_size(i));
    }
}

/* "plain": f64 with a further clock that goes back once; "wide": f64[3]; "empty"; "text". */
static void fill(sst_store *store) {
    sst_stream *plain = make(store, "plain", SST_F64, 0, "other"),
               *wide = make(store, "wide", SST_F64, 3, NULL), *empty;
    int i, k;
    for (i = 0; i < ROWS && test_errors == 0; i++) {
        int64_t other = i == 3000 ? 0 : i;
        double values[3];
        sst_row row;
        for (k = 0; k < 3; k++) values[k] = value_of(i, k);
        memset(&row, 0, sizeof row);
        row.time = 10 * i;
        row.timelines = &other;
        row.value = values;
        CHECK_INT(sst_append_row(plain, &row), SST_OK);
        if (i < ROWS / 2) CHECK_INT(sst_append(wide, 10 * i + 5, values), SST_OK);
    }
    empty = make(store, "empty", SST_U8, 0, NULL);
    CHECK_INT(sst_set_meta(store, "who", "me", 2), SST_OK);
    CHECK_INT(sst_set_meta(store, "gone", "x", 1), SST_OK);
    CHECK_INT(sst_remove_meta(store, "gone"), SST_OK);
    CHECK_INT(sst_stream_set_meta(wide, "unit", "m", 1), SST_OK);
    CHECK_INT(sst_stream_finish(empty), SST_OK);
    fill_texts(store);
}

static void begin(void) {
    sim_free(&disk);
    sim_init(&disk, 5);
    memset(&options, 0, sizeof options);
    options.io = &disk.io;
    options.allocator = &counted;
    memory.calls = memory.fail_at = 0;
}

/* A recorded file "a", open for reading. */
static sst_store *recorded(void) {
    sst_store *store = NULL;
    begin();
    CHECK_INT(sst_create("a", &options, &store), SST_OK);
    fill(store);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_open("a", &options, &store), SST_OK);
    return store;
}

static void end(sst_store *store) {
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(disk.open_handles, 0);
    CHECK_INT(disk.open_maps, 0);
    CHECK_INT(memory.now, 0);
    sim_free(&disk);
}

static void check_plain(sst_stream *stream, uint64_t rows, bool stable) {
    sst_view view;
    uint64_t i;
    REQUIRE(sst_slice(stream, 0, rows, &view) == SST_OK);
    CHECK_INT(view.count, rows);
    CHECK_INT(view.stable, stable);
    for (i = 0; i < rows && test_errors == 0; i++) {
        CHECK_INT(view.times[i], 10 * (int64_t)i);
        CHECK_INT(view.timelines[0][i], i == 3000 ? 0 : (int64_t)i);
        CHECK(((const double *)view.values)[i] == value_of((int)i, 0));
    }
}

/* The compacted file holds all of it. single: in one block a stream. */
static void check_file(const char *path, bool single) {
    sst_store *store = NULL;
    sst_stream *stream;
    sst_report report;
    const void *value;
    size_t size;
    uint64_t row, bytes;
    const uint8_t *file = sim_bytes(&disk, path, &bytes);
    REQUIRE(sst_open(path, &options, &store) == SST_OK);
    memset(&report, 0, sizeof report);
    CHECK_INT(sst_verify(store, &report), SST_OK);
    CHECK_INT(report.rows, ROWS + ROWS / 2 + TEXTS);
    CHECK_INT(sst_stream_count(store), 4);
    check_texts(store);
    REQUIRE(sst_stream_open(store, "plain", &stream) == SST_OK);
    check_plain(stream, ROWS, single);
    CHECK_INT(sst_locate_on(stream, 0, 5, SST_EXACT, &row), SST_ERR_ORDER);
    REQUIRE(sst_stream_open(store, "wide", &stream) == SST_OK);
    CHECK_INT(sst_rows(stream), ROWS / 2);
    CHECK_INT(sst_locate(stream, 10 * 777 + 5, SST_EXACT, &row), SST_OK);
    CHECK_INT(row, 777);
    CHECK_INT(sst_stream_get_meta(stream, "unit", &value, &size), SST_OK);
    CHECK(size == 1 && memcmp(value, "m", 1) == 0);
    CHECK_INT(sst_get_meta(store, "who", &value, &size), SST_OK);
    CHECK_INT(sst_get_meta(store, "gone", NULL, NULL), SST_ERR_NOT_FOUND);
    CHECK_INT(sst_close(store), SST_OK);
    if (single) CHECK_INT(mend_count(file, bytes, MEND_BLOCK, 0), 3);
    REQUIRE(sst_open_append(path, &options, &store) == SST_OK);
    REQUIRE(sst_stream_open(store, "empty", &stream) == SST_OK);
    CHECK_INT(sst_append_u8(stream, 1, 1), SST_ERR_FINISHED);
    REQUIRE(sst_stream_open(store, "plain", &stream) == SST_OK);
    CHECK_INT(sst_append_f64(stream, 10 * ROWS, 1), SST_ERR_ARG);       /* it has a timeline */
    CHECK_INT(sst_close(store), SST_OK);
}

static void holds_everything(void) {
    sst_store *store = recorded();
    sst_options target = options;
    CHECK_INT(sst_compact(store, "b", &target), SST_OK);
    check_file("b", false);
    target.flags = SST_SINGLE_BLOCK;
    CHECK_INT(sst_compact(store, "c", &target), SST_OK);
    check_file("c", true);
    target.flags = SST_NO_SYNC | SST_REPLACE;
    target.block_bytes = 512;
    CHECK_INT(sst_compact(store, "b", &target), SST_OK);
    check_file("b", false);
    end(store);
}

/* A store that is being recorded, to a file or in memory, is flushed first and goes on. */
static void of_a_writer(void) {
    const char *paths[2] = {"a", NULL};
    int i;
    for (i = 0; i < 2; i++) {
        sst_store *store = NULL;
        sst_stream *stream;
        begin();
        CHECK_INT(sst_create(paths[i], &options, &store), SST_OK);
        fill(store);
        options.flags = SST_SINGLE_BLOCK;
        CHECK_INT(sst_compact(store, "b", &options), SST_OK);
        options.flags = 0;
        check_file("b", true);
        CHECK_INT(sst_stream_open(store, "wide", &stream), SST_OK);
        CHECK_INT(sst_rows(stream), ROWS / 2);
        end(store);
    }
}

static void refuses(void) {
    sst_store *store = recorded();
    const uint8_t *bytes;
    uint64_t size;
    CHECK_INT(sst_compact(NULL, "b", &options), SST_ERR_ARG);
    CHECK_INT(sst_compact(store, NULL, &options), SST_ERR_ARG);
    CHECK_INT(sst_compact(store, "a", &options), SST_ERR_ARG);
    bytes = sim_bytes(&disk, "a", &size);
    sim_put(&disk, "copy", bytes, (size_t)size);
    options.flags = SST_REPLACE;
    CHECK_INT(sst_compact(store, "copy", &options), SST_ERR_ARG);   /* by another name, perhaps */
    options.flags = SST_KEYED;
    CHECK_INT(sst_compact(store, "b", &options), SST_ERR_ARG);
    options.flags = 0;
    sim_put(&disk, "b", "something", 9);
    CHECK_INT(sst_compact(store, "b", &options), SST_OK);       /* never written: taken over */
    CHECK_INT(sst_compact(store, "b", &options), SST_ERR_EXISTS);
    check_file("b", false);
    end(store);
}

/* Durably: the disk keeps what is not. */
static void remove_target(void) {
    (void)disk.io.remove(disk.io.user, "b");
    CHECK_INT(disk.io.sync_dir(disk.io.user, "b"), SST_OK);
}

/* Whatever fails, the source stays as it is and nothing is left of the target. */
static void faults(void) {
    static const sim_kind kinds[] = {SIM_OPEN, SIM_WRITE, SIM_RESERVE, SIM_SYNC, SIM_SYNC_DIR,
                                     SIM_LOCK, SIM_RESIZE};
    sst_store *store = recorded();
    size_t i;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint64_t nth;
        for (nth = 1; nth < 500 && test_errors == 0; nth++) {
            int result;
            sim_arm(&disk, kinds[i], nth, 1, SST_ERR_FULL);
            options.flags = nth % 2 == 0 ? SST_SINGLE_BLOCK : 0;
            result = sst_compact(store, "b", &options);
            options.flags = 0;
            sim_disarm(&disk);
            if (disk.calls[kinds[i]] < nth) {           /* there are not so many calls */
                CHECK_INT(result, SST_OK);
                CHECK(nth > 1);
                break;
            }
            CHECK(result == SST_OK || result == SST_ERR_FULL);
            if (result != SST_OK) CHECK(sim_lookup(&disk, "b") == NULL);
            if (result == SST_OK) check_file("b", nth % 2 == 0);
            remove_target();
        }
        remove_target();
    }
    end(store);
}

static void without_memory(void) {
    sst_store *store = recorded();
    size_t n;
    for (n = 1; n < 2000 && test_errors == 0; n++) {
        int result;
        memory.calls = 0;
        memory.fail_at = n;
        result = sst_compact(store, "b", &options);
        memory.fail_at = 0;
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        if (result == SST_OK) check_file("b", false);
        else CHECK(sim_lookup(&disk, "b") == NULL);
        remove_target();
        if (memory.calls < n) break;
    }
    CHECK(n > 20);
    end(store);
}

/* Damaged rows are not copied: nothing is made. */
static void damaged(void) {
    sst_store *store = recorded();
    uint64_t size;
    uint8_t *bytes;
    mend_record r;
    mend_column c;
    CHECK_INT(sst_close(store), SST_OK);
    bytes = sim_bytes(&disk, "a", &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 3, &r));
    REQUIRE(mend_column_at(bytes, &r, 1, &c));
    bytes[c.start + 5] ^= 1;
    REQUIRE(sst_open("a", &options, &store) == SST_OK);
    CHECK_INT(sst_compact(store, "b", &options), SST_ERR_CORRUPT);
    CHECK(sim_lookup(&disk, "b") == NULL);
    end(store);
}

/* The same where text is, its offsets and its letters. */
static void damaged_texts(void) {
    uint32_t column, block;
    for (column = 0; column < 3; column++) {
        for (block = 0; block < 12; block++) {
            sst_store *store = recorded();
            uint64_t size;
            uint8_t *bytes;
            mend_record r;
            mend_column c;
            CHECK_INT(sst_close(store), SST_OK);
            bytes = sim_bytes(&disk, "a", &size);
            REQUIRE(mend_find(bytes, size, MEND_BLOCK, 4, block, &r));
            REQUIRE(mend_column_at(bytes, &r, column, &c));
            bytes[c.start + c.size - 1] ^= 1;
            REQUIRE(sst_open("a", &options, &store) == SST_OK);
            options.flags = block % 2 == 0 ? SST_SINGLE_BLOCK : 0;
            CHECK_INT(sst_compact(store, "b", &options), SST_ERR_CORRUPT);
            CHECK_INT(sst_save(store, "b", 0, INT64_MAX, &options), SST_ERR_CORRUPT);
            if (column == 0 && r.rows > 2) {
                CHECK_INT(sst_save(store, "b", (int64_t)r.first_row + 1, INT64_MAX, &options),
                          SST_ERR_CORRUPT);
            }
            options.flags = 0;
            CHECK(sim_lookup(&disk, "b") == NULL);
            end(store);
        }
    }
}

/* A source that is read and not mapped, and in the midst of it not even that. */
static void unreadable(void) {
    uint64_t nth;
    for (nth = 1; nth < 100000 && test_errors == 0; nth += 1 + nth / 12) {
        sst_store *store = NULL, *copy = NULL;
        uint64_t calls;
        int result;
        begin();
        CHECK_INT(sst_create("a", &options, &store), SST_OK);
        fill_texts(store);
        CHECK_INT(sst_close(store), SST_OK);
        options.flags = SST_NO_MAP;
        CHECK_INT(sst_open("a", &options, &store), SST_OK);
        options.flags = 0;
        sim_arm(&disk, SIM_READ, nth, 1, SST_ERR_IO);
        result = sst_compact(store, "b", &options);
        sim_disarm(&disk);
        CHECK(result == SST_OK || result == SST_ERR_IO || result == SST_ERR_CORRUPT);
        calls = disk.calls[SIM_READ];
        if (result == SST_OK) {
            REQUIRE(sst_open("b", &options, &copy) == SST_OK);
            check_texts(copy);
            CHECK_INT(sst_close(copy), SST_OK);
        } else {
            CHECK(sim_lookup(&disk, "b") == NULL);
        }
        CHECK_INT(sst_compact(store, "c", &options), SST_OK);
        end(store);
        if (result == SST_OK && calls < nth) break;
    }
    CHECK(nth > 20);
}

/* Times that are checked by pieces, and so not in order for whoever has not looked, stop it. */
static void times_out_of_order(void) {
    sst_store *store = recorded();
    uint64_t size;
    uint8_t *bytes;
    mend_record r;
    mend_column c;
    options.flags = SST_SINGLE_BLOCK;
    CHECK_INT(sst_compact(store, "c", &options), SST_OK);
    options.flags = 0;
    CHECK_INT(sst_close(store), SST_OK);
    bytes = sim_bytes(&disk, "c", &size);
    REQUIRE(mend_find(bytes, size, MEND_BLOCK, 1, 0, &r));
    REQUIRE(mend_column_at(bytes, &r, 0, &c));
    mend_put(bytes + c.start + 8 * 100, 5, 8);
    mend_all(bytes, size);
    REQUIRE(sst_open("c", &options, &store) == SST_OK);
    CHECK_INT(sst_compact(store, "b", &options), SST_ERR_CORRUPT);
    CHECK(sim_lookup(&disk, "b") == NULL);
    end(store);
}

/* An INDEX whose checksum holds, but which lies, is found out and passed by. */
static void lying_index(void) {
    sst_store *store = recorded();
    uint64_t size, blocks;
    uint8_t *bytes;
    mend_record r;
    CHECK_INT(sst_close(store), SST_OK);
    bytes = sim_bytes(&disk, "a", &size);
    REQUIRE(mend_find(bytes, size, MEND_INDEX, 0, mend_count(bytes, size, MEND_INDEX, 0) - 1, &r));
    REQUIRE(mend_index_stream(bytes, &r, 1, &blocks) != 0);
    blocks += 40 + 24;                          /* the last time of the second block */
    mend_put(bytes + blocks, mend_u64(bytes + blocks) - 1, 8);
    mend_payload(bytes, &r);
    REQUIRE(sst_open("a", &options, &store) == SST_OK);
    CHECK_INT(sst_compact(store, "b", &options), SST_OK);
    check_file("b", false);
    end(store);
}

int main(void) {
    TEST_RUN(holds_everything);
    TEST_RUN(of_a_writer);
    TEST_RUN(refuses);
    TEST_RUN(faults);
    TEST_RUN(without_memory);
    TEST_RUN(damaged);
    TEST_RUN(damaged_texts);
    TEST_RUN(unreadable);
    TEST_RUN(times_out_of_order);
    TEST_RUN(lying_index);
    sim_free(&disk);
    return test_done("test_compact");
}
