/* Files without threads: no locks, no atomics. Large columns in pieces of 1 KiB and time tables,
 * so that what threads share is made here too. */
#define STREAMSTORE_NO_THREADS
#define SSTI_PIECE_BYTES 1024
#define SSTI_TABLE_MIN_BLOCKS 1
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <unistd.h>

#include "test.h"

static char path[300];

#define ROWS 20000

/* Rows go into a companion whose halves grow, and come back at once and from the file. */
static void check_rows(sst_store *store) {
    sst_stream *stream;
    sst_view view;
    uint64_t row;
    int64_t t;
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    CHECK_INT(sst_rows(stream), ROWS);
    for (t = 0; t < ROWS; t += 101) {
        CHECK_INT(sst_locate(stream, 10 * t + 3, SST_AT_OR_BEFORE, &row), SST_OK);
        CHECK_INT(row, t);
        CHECK_INT(sst_slice(stream, row, 1, &view), SST_OK);
        CHECK(view.count == 1 && ((const int64_t *)view.values)[0] == 3 * t);
    }
    sst_stream_close(stream);
}

static void recording(void) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    sst_info info;
    int64_t t;
    options.flags = SST_REPLACE;
    desc.name = "s";
    desc.type = SST_I64;
    desc.block_bytes = 65536;
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < ROWS; t++) CHECK_INT(sst_append_i64(stream, 10 * t, 3 * t), SST_OK);
    CHECK(store->spare_count > 0 || !info.kill_safe);   /* what was outgrown is in the companion */
    check_rows(store);
    CHECK_INT(sst_close(store), SST_OK);
    options.flags = SST_VERIFY;
    REQUIRE(sst_open(path, &options, &store) == SST_OK);
    check_rows(store);
    CHECK_INT(sst_close(store), SST_OK);
    options.flags = SST_NO_MAP;
    REQUIRE(sst_open(path, &options, &store) == SST_OK);
    check_rows(store);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(unlink(path), 0);
}

int main(void) {
    const char *top = getenv("TMPDIR");
    snprintf(path, sizeof path, "%.200s/test_branches_serial.%ld",
             top != NULL && top[0] != '\0' ? top : "/tmp", (long)getpid());
    TEST_RUN(recording);
    return test_done("test_branches_serial");
}
