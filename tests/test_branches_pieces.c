/* Large columns, checked in pieces: of 1 KiB here, so that small blocks have several. Their
 * checksums damaged, changed between two looks, unreadable; time tables that lie about them; two
 * readers that look for the first time at the same moment. A host where addresses are scarce. */
#define SSTI_PIECE_BYTES 1024
#define SSTI_BUFFER_FROM 65536u
#define SSTI_BUFFER_RESERVE ((uint64_t)1 << 60)     /* more than there are */
#define MEND_PIECE_BYTES 1024
#define SSTI_TABLE_MIN_BLOCKS 1
#define SSTI_TABLE_ROWS 1u
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <unistd.h>

#include "test.h"
#include "meter.h"
#include "scratch.h"
#include "mend.h"

#define ROWS 3500
#define IMAGE_BYTES 262144

/* Rows have times 10, 20, ..., a clock of 5 per row, and their number as value. */
static struct {
    union {
        uint8_t bytes[IMAGE_BYTES];
        uint64_t aligned;
    } u;
    size_t size;
} whole, changed;

static int record(sst_store *store) {
    sst_stream_desc desc = {0};
    sst_stream *stream;
    sst_row row = {0};
    int64_t t;
    desc.name = "s";
    desc.type = SST_I64;
    desc.timelines[0] = "clock";
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < ROWS; t++) {
        int64_t clock = 5 * t;
        int result;
        row.time = 10 * (t + 1);
        row.timelines = &clock;
        row.value = &t;
        result = sst_append_row(stream, &row);
        if (result != SST_OK) return result;
    }
    return SST_OK;
}

static void make_whole(void) {
    sst_options options = {0};
    sst_store *store;
    const void *bytes;
    size_t size;
    options.seed = 6;
    options.block_bytes = 32768;
    if (sst_create(NULL, &options, &store) != SST_OK || record(store) != SST_OK ||
        sst_image(store, &bytes, &size) != SST_OK || size > IMAGE_BYTES) exit(1);
    memcpy(whole.u.bytes, bytes, size);
    whole.size = size;
    CHECK_INT(sst_close(store), SST_OK);
}

static void restore(void) { memcpy(&changed, &whole, sizeof changed); }

static sst_store *look(const sst_allocator *a, sst_stream **stream) {
    sst_options options = {0};
    sst_store *store = NULL;
    options.allocator = a;
    if (sst_open_memory(changed.u.bytes, changed.size, &options, &store) != SST_OK ||
        sst_stream_open(store, "s", stream) != SST_OK) {
        printf("does not open\n");
        exit(1);
    }
    return store;
}

/* One row, checked. */
static int slice(sst_stream *stream, uint64_t row) {
    sst_view view;
    int result = sst_slice(stream, row, 1, &view);
    if (result != SST_OK) {
        CHECK_INT(view.count, 0);
        return result;
    }
    CHECK_INT(view.count, 1);
    CHECK_INT(view.times[0], 10 * ((int64_t)row + 1));
    CHECK_INT(view.timelines[0][0], 5 * (int64_t)row);
    CHECK_INT(((const int64_t *)view.values)[0], (int64_t)row);
    return SST_OK;
}

/* The block with a row near the middle of the stream, and its columns: three, and their pieces. */
static mend_record block;

static void find_block(mend_column *columns) {
    uint32_t i;
    if (!mend_find(changed.u.bytes, changed.size, MEND_BLOCK, 0, 2, &block) || block.rows < 1000 ||
        mend_columns(changed.u.bytes, &block) != 6) {
        printf("no such block\n");
        exit(1);
    }
    for (i = 0; i < 6; i++) {
        if (!mend_column_at(changed.u.bytes, &block, i, &columns[i])) exit(1);
        if ((columns[i].kind == MEND_PIECES) != (i >= 3)) exit(1);
    }
}

static void whole_image(void) {
    sst_stream *stream;
    sst_store *store;
    mend_column columns[6];
    uint64_t row;
    restore();
    find_block(columns);
    store = look(NULL, &stream);
    CHECK_INT(sst_rows(stream), ROWS);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    for (row = 0; row < ROWS; row += 7) CHECK_INT(slice(stream, row), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- checksums of pieces that are not what they should be ----------------------------------- */

static void bad_pieces(void) {
    int column, how;
    for (column = 0; column < 3; column++) {
        for (how = 0; how < 8; how++) {
            mend_column c[6];
            sst_stream *stream;
            sst_store *store;
            uint8_t *entry;
            restore();
            find_block(c);
            entry = c[3 + column].entry;
            if (how == 0) entry[0] = 8;                         /* no pieces */
            if (how == 1) entry[1] = 1;                         /* a codec */
            if (how == 2) mend_put(entry + 2, 77, 2);           /* of another column */
            if (how == 3) mend_put(entry + 16, c[3 + column].size - 4, 8);
            if (how == 4) entry[12] ^= 1;                       /* their checksum */
            if (how == 5) changed.u.bytes[c[3 + column].start] ^= 1;
            if (how == 6) mend_put(entry + 8, 0x7FFFFFFF, 4);   /* elsewhere */
            if (how == 7) changed.u.bytes[c[column].start + 3000] ^= 1;
            mend_payload(changed.u.bytes, &block);
            store = look(NULL, &stream);
            CHECK_INT(sst_verify(store, NULL), SST_ERR_CORRUPT);
            /* Piece 2 of the column alone is damaged in the last case, row 375 to 383 of it. */
            CHECK_INT(slice(stream, block.first_row + 375), SST_ERR_CORRUPT);
            CHECK_INT(slice(stream, block.first_row), how == 7 ? SST_OK : SST_ERR_CORRUPT);
            CHECK_INT(slice(stream, block.first_row - 1), SST_OK);
            CHECK_INT(sst_close(store), SST_OK);
        }
    }
}

/* The memory changes after the first look, which checked the directory and one piece. */
static void changed_between(void) {
    int how;
    for (how = 0; how < 6; how++) {
        mend_column c[6];
        sst_stream *stream;
        sst_store *store;
        restore();
        find_block(c);
        store = look(NULL, &stream);
        CHECK_INT(slice(stream, block.first_row + 1), SST_OK);
        if (how == 0) changed.u.bytes[block.offset] ^= 1;
        if (how == 1) changed.u.bytes[block.payload] ^= 1;
        if (how == 2) c[2].entry[0] = 8;
        if (how == 3) mend_put(c[2].entry + 16, c[2].size - 8, 8);
        if (how == 4) changed.u.bytes[c[5].start + 8] ^= 1;
        if (how == 5) changed.u.bytes[c[2].start + 900] ^= 1;   /* of the piece that was checked */
        if (how == 2 || how == 3) mend_payload(changed.u.bytes, &block);
        CHECK_INT(slice(stream, block.first_row + 400), how == 5 ? SST_OK : SST_ERR_CORRUPT);
        CHECK_INT(slice(stream, block.first_row + 1), SST_OK);
        CHECK_INT(slice(stream, block.first_row - 1), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* ---- memory: none, or somebody else is faster ----------------------------------------------- */

static void out_of_memory(void) {
    uint64_t n, failed = 0;
    restore();
    for (n = 1; n < 30; n++) {
        meter m;
        sst_allocator a = meter_allocator(&m);
        sst_stream *stream;
        sst_store *store;
        int result;
        store = look(&a, &stream);
        m.calls = 0;
        m.fail_at = n;
        result = slice(stream, 1500);
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        CHECK_INT(slice(stream, 1500), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(m.now, 0);
        failed += result != SST_OK;
        if (m.calls < n) break;
    }
    CHECK(failed >= 3 && n < 30);
}

/* At one call for memory somebody else does something, before there is any. */
typedef struct meddling {
    meter memory;
    uint64_t at;                /* this call; 0: none */
    void (*between)(struct meddling *m);
    sst_stream *other;
} meddling;

static void *meddling_resize(void *user, void *old, size_t old_size, size_t new_size) {
    meddling *m = (meddling *)user;
    if (new_size != 0 && m->memory.calls + 1 == m->at) {
        m->at = 0;
        m->between(m);
    }
    return meter_resize(&m->memory, old, old_size, new_size);
}

/* The other reader asks the same while memory is fetched for the first one. */
static void other_slice(meddling *m) { CHECK_INT(slice(m->other, 1500), SST_OK); }

static void other_table(meddling *m) {
    uint64_t row;
    m->other->series->table_tried = 0;          /* as if the blocks had doubled meanwhile */
    CHECK_INT(sst_locate(m->other, 10 * 2000, SST_EXACT, &row), SST_OK);
    CHECK_INT(row, 1999);
}

static void two_at_once(void) {
    uint64_t n, row;
    int table;
    restore();
    for (table = 0; table < 2; table++) {
        for (n = 1; n < 12; n++) {
            meddling m = {0};
            sst_allocator a;
            sst_stream *stream;
            sst_store *store;
            a.user = &m;
            a.resize = meddling_resize;
            store = look(&a, &stream);
            CHECK_INT(sst_stream_open(store, "s", &m.other), SST_OK);
            m.between = table != 0 ? other_table : other_slice;
            m.memory.calls = 0;
            m.at = n;
            if (table != 0) {
                CHECK_INT(sst_locate(stream, 10 * 1501, SST_EXACT, &row), SST_OK);
                CHECK_INT(row, 1500);
            }
            CHECK_INT(slice(stream, 1500), SST_OK);
            CHECK_INT(slice(m.other, 1501), SST_OK);
            CHECK_INT(sst_close(store), SST_OK);
            CHECK_INT(m.memory.now, 0);
        }
    }
}

/* ---- searching in large columns ------------------------------------------------------------- */

/* A table is only a hint: whatever its entries say, the answers are the same. */
static void lying_tables(void) {
    uint64_t random = test_seed(12);
    mend_record table;
    int round;
    for (round = 0; round < 120; round++) {
        sst_stream *stream;
        sst_store *store;
        uint64_t i, n;
        restore();
        REQUIRE(mend_find(changed.u.bytes, changed.size, MEND_TABLE, 0, 0, &table));
        n = (table.size - 64) / 4;
        for (i = 0; i < n; i++) {
            uint64_t rows = test_below(&random, 3) == 0 ? 2048 : 1200;
            uint64_t value = test_below(&random, 5) << 11 | test_below(&random, rows);
            if (round % 3 == 0) {               /* not far from the truth */
                value = mend_u32(changed.u.bytes + table.payload + 64 + 4 * i);
                value += test_below(&random, 200);
                value -= test_below(&random, 200);
            }
            mend_put(changed.u.bytes + table.payload + 64 + 4 * i, value, 4);
        }
        mend_payload(changed.u.bytes, &table);
        store = look(NULL, &stream);
        for (i = 0; i < 60; i++) {
            uint64_t row = test_below(&random, ROWS), found = 0;
            int64_t time = 10 * ((int64_t)row + 1) + (int64_t)test_below(&random, 10);
            CHECK_INT(sst_locate(stream, time, SST_AT_OR_BEFORE, &found), SST_OK);
            CHECK_INT(found, row);
        }
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Every head that a table can have wrong, and entries of eight bytes. */
static void other_tables(void) {
    mend_record table;
    int how;
    for (how = 0; how < 10; how++) {
        sst_stream *stream;
        sst_store *store;
        uint64_t i, row, n;
        uint8_t *p;
        restore();
        REQUIRE(mend_find(changed.u.bytes, changed.size, MEND_TABLE, 0, 0, &table));
        p = changed.u.bytes + table.payload;
        n = mend_u64(p + 32);
        if (how == 0) mend_put(changed.u.bytes + table.offset + 24, 32, 8);     /* no head */
        if (how == 0) table.size = 32;
        if (how == 1) mend_put(p, 2, 4);                        /* another kind */
        if (how == 2) mend_put(p + 4, 0, 4);                    /* blocks */
        if (how == 3) mend_put(p + 4, 99, 4);
        if (how == 4) mend_put(p + 8, INT64_MAX, 8);            /* first after last */
        if (how == 5) p[24] = 64;                               /* shift */
        if (how == 6) p[25] = 33;                               /* row bits */
        if (how == 7) p[26] = 5;                                /* width */
        if (how == 8) mend_put(p + 32, n + 1, 8);
        if (how == 9) {                                         /* a quarter of the buckets */
            uint64_t span = mend_u64(p + 16) - mend_u64(p + 8), less;
            p[24] = (uint8_t)(p[24] + 2);
            p[26] = 8;
            less = (span >> p[24]) + 2;
            for (i = 0; i < less; i++) {
                uint64_t from = 4 * i < n ? 4 * i : n - 1;
                uint64_t entry = mend_u32(whole.u.bytes + table.payload + 64 + 4 * from);
                mend_put(p + 64 + 8 * i, entry, 8);
            }
            mend_put(p + 32, less, 8);
        }
        mend_payload(changed.u.bytes, &table);
        store = look(NULL, &stream);
        for (i = 0; i < ROWS; i += 11) {
            CHECK_INT(sst_locate(stream, 10 * ((int64_t)i + 1) + 3, SST_AT_OR_BEFORE, &row),
                      SST_OK);
            CHECK_INT(row, i);
        }
        CHECK((stream->series->table->width == 8) == (how == 9));
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* One piece of the times or of the clock is damaged: what does not need it is answered. With the
 * table removed every row is searched for from the ends of the block. */
static void damaged_piece(void) {
    int column, piece, hints;
    for (column = 0; column < 2; column++) {
        for (piece = 0; piece < 8; piece++) {
            for (hints = 0; hints < 2; hints++) {
                mend_column c[6];
                mend_record table;
                sst_stream *stream;
                sst_store *store;
                uint64_t i, row, corrupt = 0, right = 0;
                restore();
                find_block(c);
                changed.u.bytes[c[column].start + 1024 * (uint64_t)piece + 500] ^= 1;
                REQUIRE(mend_find(changed.u.bytes, changed.size, MEND_TABLE, 0, 0, &table));
                if (hints == 0) changed.u.bytes[table.offset] ^= 1;
                store = look(NULL, &stream);
                for (i = 0; i < block.rows; i += 5) {
                    uint64_t want = block.first_row + i;
                    int result = column == 0
                        ? sst_locate(stream, 10 * ((int64_t)want + 1), SST_AT_OR_BEFORE, &row)
                        : sst_locate_on(stream, 0, 5 * (int64_t)want, SST_AT_OR_BEFORE, &row);
                    CHECK(result == SST_ERR_CORRUPT || (result == SST_OK && row == want));
                    right += result == SST_OK;
                    corrupt += result != SST_OK;
                }
                CHECK(corrupt > 0);
                CHECK(right > 0 || hints == 0 || column == 1);
                CHECK_INT(sst_close(store), SST_OK);
            }
        }
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Full halves with large columns are written with their pieces. */
static void file_with_pieces(void) {
    sst_options options = {0};
    sst_store *store;
    sst_stream *stream;
    uint64_t row;
    options.block_bytes = 32768;
    CHECK_INT(sst_create(file(), &options, &store), SST_OK);
    CHECK_INT(record(store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    options.flags = SST_VERIFY;
    REQUIRE(sst_open(file(), &options, &store) == SST_OK);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    for (row = 0; row < ROWS; row++) CHECK_INT(slice(stream, row), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The nth read fails, while a large column is verified or asked for: that is no damage. */
static void failing_reads(void) {
    sst_io io = *sst_io_default();
    sst_options options = {0};
    int what;
    io.read_at = failing_read_at;
    options.io = &io;
    options.flags = SST_NO_MAP;
    for (what = 0; what < 3; what++) {
        uint64_t n, failed = 0, row;
        sst_store *store;
        sst_stream *stream;
        for (n = 1; n < 500; n++) {
            int result;
            bool done;
            REQUIRE(sst_open(file(), &options, &store) == SST_OK);
            REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
            reads = 0;
            failing_read = n;
            if (what == 0) result = sst_verify(store, NULL);
            else if (what == 1) result = slice(stream, 1500);
            else result = sst_locate(stream, 10 * 1501, SST_EXACT, &row);
            CHECK(result == SST_ERR_IO || result == SST_OK);
            failed += result == SST_ERR_IO;
            CHECK(result == SST_OK || reads >= n);
            done = reads < n;
            failing_read = 0;
            CHECK_INT(slice(stream, 1500), SST_OK);         /* the next time it can be read */
            CHECK_INT(sst_close(store), SST_OK);
            if (done) break;
        }
        CHECK(failed > 3 && n < 500);
    }
    failing_read = 0;
}

/* Full halves of two streams, which become blocks: one is written from where it is, the other has
 * columns that need piece checksums, and is put together. */
static void halves_of_both_kinds(void) {
    static const char *const names[2] = {"small", "large"};
    sst_stream *streams[2];
    sst_store *store;
    int64_t t;
    int i;
    CHECK(unlink(file()) == 0 || access(file(), F_OK) != 0);
    REQUIRE(sst_create(file(), NULL, &store) == SST_OK);
    for (i = 0; i < 2; i++) {
        sst_stream_desc desc = {0};
        desc.name = names[i];
        desc.type = SST_I64;
        desc.block_bytes = i == 0 ? 1024 : 8192;
        REQUIRE(sst_stream_create(store, &desc, &streams[i]) == SST_OK);
        for (t = 0; t < 2000; t++) CHECK_INT(sst_append_i64(streams[i], 10 * t, 3 * t), SST_OK);
    }
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open(file(), NULL, &store) == SST_OK);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    for (i = 0; i < 2; i++) {
        sst_view view;
        REQUIRE(sst_stream_open(store, names[i], &streams[i]) == SST_OK);
        REQUIRE(sst_slice(streams[i], 0, 2000, &view) == SST_OK && view.count == 2000);
        for (t = 0; t < 2000 && test_errors == 0; t++) {
            CHECK_INT(view.times[t], 10 * t);
            CHECK_INT(((const int64_t *)view.values)[t], 3 * t);
        }
    }
    CHECK_INT(sst_close(store), SST_OK);
}

/* An image in memory does without a buffer then. */
static void scarce_addresses(void) {
    static char bytes[200000];
    sst_store *store = NULL;
    const void *image, *value;
    size_t size;
    int i;
    REQUIRE(sst_create(NULL, NULL, &store) == SST_OK);
    for (i = 0; i < 3; i++) {
        bytes[0] = (char)('a' + i);
        CHECK_INT(sst_set_meta(store, "large", bytes, sizeof bytes), SST_OK);
    }
    CHECK(store->buffer.open == 0 && !store->buffered && store->extent_count > 1);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    CHECK(size > 3 * sizeof bytes);
    CHECK_INT(sst_get_meta(store, "large", &value, &size), SST_OK);
    CHECK(size == sizeof bytes && ((const char *)value)[0] == 'c');
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

int main(void) {
    if (!make_folder("test_branches_pieces")) {
        perror(folder);
        return 1;
    }
    make_whole();
    TEST_RUN(whole_image);
    TEST_RUN(bad_pieces);
    TEST_RUN(changed_between);
    TEST_RUN(out_of_memory);
    TEST_RUN(two_at_once);
    TEST_RUN(lying_tables);
    TEST_RUN(other_tables);
    TEST_RUN(damaged_piece);
    TEST_RUN(file_with_pieces);
    TEST_RUN(failing_reads);
    TEST_RUN(halves_of_both_kinds);
    TEST_RUN(scarce_addresses);
    (void)unlink(file());
    CHECK_INT(rmdir(folder), 0);
    return test_done("test_branches_pieces");
}
