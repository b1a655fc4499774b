/* The header where it only records (STREAMSTORE_NO_READ), with an operating system and malloc: what
 * it writes, what it has in memory meanwhile, what it refuses. That its files are read by a header
 * that can is what tests/compile/read_back.c looks at. */
#define SSTI_INDEX_BLOCKS 64
#define STREAMSTORE_NO_READ
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include "test.h"
#include "meter.h"
#include "mend.h"
#include "scratch.h"

static int append(sst_stream *stream, uint64_t row) {
    return sst_append_i64(stream, (int64_t)row * 10, (int64_t)row * 3);
}

/* Blocks that rows of a time and a value of 8 bytes each fill, and one that is not full. */
static uint64_t rows_of_blocks(uint32_t block_bytes, uint64_t blocks) {
    return blocks * (block_bytes / 16) + 3;
}

static sst_store *create(const char *path, const sst_options *options, uint32_t block_bytes,
                         sst_stream **stream) {
    sst_stream_desc desc = {0};
    sst_store *store = NULL;
    desc.name = "s";
    desc.type = SST_I64;
    desc.block_bytes = block_bytes;
    CHECK_INT(sst_create(path, options, &store), SST_OK);
    if (store == NULL) exit(1);
    CHECK_INT(sst_stream_create(store, &desc, stream), SST_OK);
    return store;
}

/* All rows are there, in order, in blocks; so many records of an INDEX. */
static void check_file(const char *path, uint64_t rows, uint32_t *indexes) {
    FILE *file = fopen(path, "rb");
    uint64_t offset = 64, next = 0, i;
    uint8_t *bytes;
    mend_record r;
    long size;
    REQUIRE(file != NULL && fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    bytes = (uint8_t *)take((size_t)size);
    CHECK(fseek(file, 0, SEEK_SET) == 0 && fread(bytes, 1, (size_t)size, file) == (size_t)size);
    CHECK_INT(fclose(file), 0);
    *indexes = 0;
    while (mend_next(bytes, (uint64_t)size, &offset, &r)) {
        *indexes += r.type == MEND_INDEX;
        if (r.type != MEND_BLOCK) continue;
        CHECK_INT(r.first_row, next);
        for (i = 0; i < 2; i++) {
            mend_column c;
            uint64_t k;
            if (!mend_column_at(bytes, &r, (uint32_t)i, &c) || c.size != 8 * (uint64_t)r.rows) {
                CHECK(!"a column is as large as its rows");
                break;
            }
            CHECK_INT(mend_u32(c.entry + 12), sst_crc32c(bytes + c.start, (size_t)c.size, 0));
            for (k = 0; k < r.rows; k++) {
                CHECK_INT(mend_u64(bytes + c.start + 8 * k), (next + k) * (i == 0 ? 10 : 3));
            }
        }
        next += r.rows;
    }
    CHECK_INT(next, rows);
    free(bytes);
}

/* Whatever a block's size, what is known of blocks goes once an INDEX has them. */
static void bounded(void) {
    static const struct { uint32_t block_bytes, between; } sizes[] = {
        {512, 8}, {2048, 32}, {4096, 64}, {16384, 64}      /* blocks between two of an INDEX */
    };
    char path[300];
    size_t i;
    make_path(path, sizeof path);
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        meter m;
        sst_allocator a = meter_allocator(&m);
        sst_options options = {0};
        uint64_t rows = rows_of_blocks(sizes[i].block_bytes, 20 * sizes[i].between), n;
        uint64_t settled = rows / 5;
        sst_stream *stream;
        sst_store *store;
        uint32_t indexes;
        size_t now = 0;
        options.allocator = &a;
        options.block_bytes = sizes[i].block_bytes;
        options.flags = SST_REPLACE | SST_NO_SYNC;
        store = create(path, &options, 0, &stream);
        for (n = 0; n < rows && test_errors == 0; n++) {
            CHECK_INT(append(stream, n), SST_OK);
            if (n == settled) now = m.now;
        }
        CHECK_INT(m.now, now);
        CHECK_INT(sst_rows(stream), rows);
        CHECK_INT(sst_first_row(stream), 0);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(m.now, 0);
        check_file(path, rows, &indexes);
        CHECK(indexes >= 19 && indexes <= 22);
    }
    CHECK_INT(remove(path), 0);
}

/* Each allocation fails once, of a list of blocks that grows, too, since the store's are larger and
 * an INDEX comes late: the call is refused, succeeds when repeated, and no row is lost. */
static void each_allocation(void) {
    uint64_t rows = rows_of_blocks(512, 150), nth, most = 1;
    char path[300];
    make_path(path, sizeof path);
    for (nth = 1; nth <= most && test_errors == 0; nth++) {
        meter m;
        sst_allocator a = meter_allocator(&m);
        sst_options options = {0};
        sst_stream *stream;
        sst_store *store;
        uint64_t before, n;
        uint32_t indexes;
        options.allocator = &a;
        options.block_bytes = 4096;
        options.flags = SST_REPLACE | SST_NO_SYNC;
        store = create(path, &options, 512, &stream);
        before = m.calls;
        m.fail_at = before + nth;
        for (n = 0; n < rows; n++) {
            int result = append(stream, n);
            if (result == SST_ERR_MEMORY) result = append(stream, n);
            CHECK_INT(result, SST_OK);
        }
        if (most < m.calls - before) most = m.calls - before;
        if (sst_close(store) != SST_OK) CHECK(m.fail_at > m.calls);
        CHECK_INT(m.now, 0);
        check_file(path, rows, &indexes);
    }
    CHECK(most > 6);
    CHECK_INT(remove(path), 0);
}

/* Rows are not dropped from what nobody reads. */
static void refused(void) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_stream *stream = NULL;
    sst_store *store;
    char path[300];
    make_path(path, sizeof path);
    options.flags = SST_REPLACE;
    store = create(path, &options, 0, &stream);
    desc.name = "kept";
    desc.type = SST_I64;
    desc.retain_rows = 10;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_ERR_UNSUPPORTED);
    CHECK_INT(sst_memory_bound(NULL, &desc, 1), 0);
    desc.retain_rows = 0;
    desc.retain_time = 10;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_ERR_UNSUPPORTED);
    desc.retain_time = 0;
    CHECK(sst_memory_bound(NULL, &desc, 1) != 0);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    CHECK_INT(sst_stream_count(store), 2);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(remove(path), 0);
}

int main(void) {
    TEST_RUN(bounded);
    TEST_RUN(each_allocation);
    TEST_RUN(refused);
    return test_done("test_branches_record");
}
