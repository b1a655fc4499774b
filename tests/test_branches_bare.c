/* The header with everything off that can be: no operating system, no malloc, no threads, no
 * floating point, no texts. */
#define STREAMSTORE_NO_OS
#define STREAMSTORE_NO_MALLOC
#define STREAMSTORE_NO_THREADS
#define STREAMSTORE_NO_FLOAT
#define STREAMSTORE_NO_TEXT
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#include "test.h"
#include "meter.h"
#include "mend.h"

static meter counted;
static const sst_allocator allocator = {&counted, meter_resize};

static void what_is_required(void) {
    sst_options options = {0};
    sst_store *store = NULL;
    CHECK(sst_io_default() == NULL);
    CHECK_INT(sst_create(NULL, NULL, &store), SST_ERR_ARG);
    CHECK_INT(sst_memory_bound(NULL, NULL, 0), 0);
    options.seed = 1;
    CHECK_INT(sst_create(NULL, &options, &store), SST_ERR_ARG);     /* no allocator */
    CHECK_INT(sst_memory_bound(&options, NULL, 0), 0);
    options.allocator = &allocator;
    CHECK(sst_memory_bound(&options, NULL, 0) > 0);
    CHECK_INT(sst_create("file", &options, &store), SST_ERR_UNSUPPORTED);
    CHECK_INT(sst_open("file", &options, &store), SST_ERR_UNSUPPORTED);
    CHECK_INT(sst_open_append("file", &options, &store), SST_ERR_UNSUPPORTED);
    options.seed = 0;
    CHECK_INT(sst_create(NULL, &options, &store), SST_ERR_ARG);     /* no entropy */
    CHECK(store == NULL && counted.now == 0);
}

/* Rows go in and come out, through halves that grow. */
static void recording(void) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store, *reader;
    sst_stream *stream;
    sst_error error = {0};
    sst_view view;
    const void *image;
    size_t size;
    int64_t t, time = 999, row = 0;
    double value = 5.0;
    options.seed = 1;
    options.allocator = &allocator;
    options.error = &error;
    desc.name = "s";
    desc.type = SST_I64;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    CHECK_TEXT(error.what, "");
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < 50000; t++) CHECK_INT(sst_append_i64(stream, t, 2 * t), SST_OK);
    CHECK_INT(sst_append_i64(stream, 0, 0), SST_ERR_ORDER);
    sst_stream_error(stream, &error);
    CHECK(error.result == SST_ERR_ORDER && error.what[0] == 0);
    CHECK_TEXT(sst_result_text(SST_ERR_ORDER), "");
    CHECK_INT(sst_sample(stream, &time, 1, SST_SAMPLE_LINEAR, &value, NULL), SST_ERR_UNSUPPORTED);
    CHECK(value == 5.0);
    CHECK_INT(sst_sample(stream, &time, 1, SST_SAMPLE_PREVIOUS, NULL, &row), SST_OK);
    CHECK_INT(row, 999);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    CHECK_INT(sst_open_memory(image, size, &options, &reader), SST_OK);
    CHECK_INT(sst_verify(reader, NULL), SST_OK);
    CHECK_INT(sst_stream_open(reader, "s", &stream), SST_OK);
    CHECK_INT(sst_window(stream, 10, 49990, &view), SST_OK);
    CHECK_INT(view.count, 49981);
    CHECK(((const int64_t *)view.values)[0] == 20 &&
          ((const int64_t *)view.values)[view.count - 1] == 2 * 49990);
    CHECK_INT(sst_close(reader), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(counted.now, 0);
}

/* With two halves, polled. What was outgrown is given back at once: nobody else is reading. */
static void deferred(void) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    int64_t t, busy = 0, before;
    options.seed = 1;
    options.allocator = &allocator;
    options.flags = SST_DEFERRED;
    desc.name = "s";
    desc.type = SST_I64;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    before = counted.now;
    CHECK(before > 2 * 16384);
    for (t = 0; t < 50000; t++) {
        int result = sst_append_i64(stream, t, 2 * t);
        if (result == SST_ERR_BUSY) {
            busy++;
            CHECK_INT(sst_poll(store), SST_OK);
            result = sst_append_i64(stream, t, 2 * t);
        }
        CHECK_INT(result, SST_OK);
    }
    CHECK(busy > 2 && busy < 25);               /* the halves have grown */
    CHECK_INT(store->spare_count, 0);
    CHECK_INT(sst_rows(stream), 50000);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(counted.now, 0);
}

/* An INDEX that does not say what a block says: the blocks are read by hopping. */
static void lying_index(void) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store, *reader;
    sst_stream *stream;
    sst_view view;
    mend_record index;
    const void *image;
    uint64_t *copy, blocks = 0;
    uint8_t *bytes;
    size_t size;
    int64_t t;
    options.seed = 1;
    options.allocator = &allocator;
    desc.name = "s";
    desc.type = SST_I64;
    desc.block_bytes = 512;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < 100; t++) CHECK_INT(sst_append_i64(stream, 10 * t, t), SST_OK);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    copy = (uint64_t *)malloc(size);
    REQUIRE(copy != NULL);
    memcpy(copy, image, size);
    bytes = (uint8_t *)copy;
    REQUIRE(mend_find(bytes, size, MEND_INDEX, 0, 0, &index));
    REQUIRE(mend_index_stream(bytes, &index, 1, &blocks) != 0);
    mend_put(bytes + blocks + 40 + 24, mend_u64(bytes + blocks + 40 + 24) - 1, 8);
    mend_payload(bytes, &index);
    CHECK_INT(sst_open_memory(copy, size, &options, &reader), SST_OK);
    CHECK_INT(sst_stream_open(reader, "s", &stream), SST_OK);
    CHECK_INT(sst_slice(stream, 0, 100, &view), SST_OK);
    CHECK_INT(view.count, 100);
    CHECK(((const int64_t *)view.values)[99] == 99 && reader->index_lies == 2);
    ssti_index_distrust(reader);                /* once and for all */
    CHECK_INT(reader->index_lies, 2);
    CHECK_INT(sst_close(reader), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    free(copy);
    CHECK_INT(counted.now, 0);
}

/* Of the growable buffers only those in the caller's memory are left. */
static void buffers(void) {
    sst_buf_desc desc = {SST_BUF_FIXED, NULL, NULL, 8, 0, 0};
    sst_buf buf = {0};
    uint64_t memory = 0;
    CHECK_INT(sst_buf_open(&buf, NULL), SST_ERR_UNSUPPORTED);
    CHECK_INT(buf.open, 0);
    desc.memory = &memory;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "12345678", 8), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "9", 1), SST_ERR_FULL);
    CHECK_BYTES(&memory, "12345678", 8);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
}

int main(void) {
    TEST_RUN(what_is_required);
    TEST_RUN(recording);
    TEST_RUN(deferred);
    TEST_RUN(lying_index);
    TEST_RUN(buffers);
    return test_done("test_branches_bare");
}
