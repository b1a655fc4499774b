/* test_stream.c - streams: descriptions, names, every way to append and every error of it. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include "test.h"

#define FOREIGN_BIT 0x80000000u     /* belongs to no family of flags */

/* --- stores that are the same in every run ------------------------------------------------ */

static sst_io fixed_io;

static int64_t fixed_now(void *user, int clock) {
    (void)user;
    (void)clock;
    return 1700000000000000000;
}

/* A memory store of a fixed identity; small blocks make many of them. */
static sst_store *make_store(uint32_t block_bytes, uint32_t flags) {
    sst_options options;
    sst_store *store = NULL;
    memset(&options, 0, sizeof options);
    fixed_io = *sst_io_default();
    fixed_io.now_ns = fixed_now;
    options.io = &fixed_io;
    options.seed = 7;
    options.block_bytes = block_bytes;
    options.flags = flags;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    return store;
}

static sst_stream_desc describe(const char *name, sst_type type) {
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = type;
    return desc;
}

static sst_stream *make_stream(sst_store *store, const sst_stream_desc *desc) {
    sst_stream *stream = NULL;
    CHECK_INT(sst_stream_create(store, desc, &stream), SST_OK);
    return stream;
}

static sst_stream *make_scalar(sst_store *store, const char *name, sst_type type) {
    sst_stream_desc desc = describe(name, type);
    return make_stream(store, &desc);
}

/* A copy of the store's image, opened for reading. */
typedef struct copy {
    unsigned char *bytes;
    size_t size;
    sst_store *store;
} copy;

static copy copy_of(sst_store *store) {
    copy c = {NULL, 0, NULL};
    const void *bytes = NULL;
    CHECK_INT(sst_image(store, &bytes, &c.size), SST_OK);
    if (bytes == NULL) return c;
    c.bytes = (unsigned char *)malloc(c.size);
    memcpy(c.bytes, bytes, c.size);
    CHECK_INT(sst_open_memory(c.bytes, c.size, NULL, &c.store), SST_OK);
    return c;
}

static void drop(copy *c) {
    CHECK_INT(sst_close(c->store), SST_OK);
    free(c->bytes);
}

static sst_stream *open_stream(sst_store *store, const char *name) {
    sst_stream *stream = NULL;
    CHECK_INT(sst_stream_open(store, name, &stream), SST_OK);
    return stream;
}

static int64_t last_time(const sst_stream *stream) {
    int64_t last = 0;
    CHECK_INT(sst_stream_info(stream, NULL, NULL, NULL, &last), SST_OK);
    return last;
}

/* The call fails so, and neither rows nor times of the stream change. */
#define FAILS(stream, call, want) \
    do { \
        uint64_t rows_before = sst_rows(stream); \
        int64_t last_before = last_time(stream); \
        test_check_int(__FILE__, __LINE__, #call, (call), (want)); \
        CHECK_INT(sst_rows(stream), rows_before); \
        CHECK_INT(last_time(stream), last_before); \
    } while (0)

static size_t type_size(sst_type type) {
    static const unsigned char sizes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
    return sizes[type];
}

static size_t row_bytes(sst_type type, const uint32_t *shape) {
    size_t bytes = type_size(type);
    int i;
    for (i = 0; i < 4 && shape[i] != 0; i++) bytes *= shape[i];
    return bytes;
}

/* Any bits at all, but a bool is 0 or 1. */
static void fill(unsigned char *out, size_t size, sst_type type, uint64_t seed) {
    size_t i;
    for (i = 0; i < size; i++) {
        out[i] = (unsigned char)test_random(&seed);
        if (type == SST_BOOL) out[i] &= 1;
    }
}

static const uint32_t shapes[][4] = {
    {0}, {1}, {3}, {7}, {2, 3}, {1, 1}, {2, 3, 4}, {2, 1, 3, 2}, {1, 1, 1, 1}, {5, 1, 1, 3},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* --- descriptions ------------------------------------------------------------------------- */

static void check_typed_rows(sst_store *store, const char *name, sst_type type, int shape) {
    unsigned char row[8 * 64];
    size_t size = row_bytes(type, shapes[shape]);
    sst_stream *stream = open_stream(store, name);
    sst_stream_desc desc;
    sst_view view;
    uint64_t i;
    int k;
    REQUIRE(stream != NULL);
    CHECK_INT(sst_stream_info(stream, &desc, NULL, NULL, NULL), SST_OK);
    CHECK_TEXT(desc.name, name);
    CHECK_INT(desc.type, type);
    for (k = 0; k < 4; k++) CHECK_INT(desc.shape[k], shapes[shape][k]);
    CHECK_INT(sst_rows(stream), 50);
    CHECK_INT(sst_slice(stream, 0, 50, &view), SST_OK);
    REQUIRE(view.count == 50);
    for (i = 0; i < 50; i++) {
        fill(row, size, type, i + 1);
        CHECK_INT(view.times[i], (int64_t)i * 3);
        CHECK_BYTES((const unsigned char *)view.values + i * size, row, size);
    }
    CHECK_INT(sst_at(stream, 20, &view), SST_OK);
    fill(row, size, type, 7);
    CHECK_BYTES(view.values, row, size);
    sst_stream_close(stream);
}

static void types_and_shapes(void) {
    sst_store *store = make_store(512, 0);
    copy c;
    int type, shape, i;
    for (type = SST_BOOL; type <= SST_F64; type++) {
        for (shape = 0; shape < SHAPES; shape++) {
            unsigned char row[8 * 64];
            char name[32];
            sst_stream_desc desc;
            sst_stream *stream;
            snprintf(name, sizeof name, "t%d s%d", type, shape);
            desc = describe(name, (sst_type)type);
            memcpy(desc.shape, shapes[shape], sizeof desc.shape);
            stream = make_stream(store, &desc);
            for (i = 0; i < 50; i++) {
                fill(row, row_bytes(desc.type, desc.shape), desc.type, (uint64_t)i + 1);
                CHECK_INT(sst_append(stream, i * 3, row), SST_OK);
            }
            check_typed_rows(store, name, (sst_type)type, shape);
            sst_stream_close(stream);
        }
    }
    CHECK_INT(sst_stream_count(store), 13 * SHAPES);
    c = copy_of(store);
    CHECK_INT(sst_stream_count(c.store), 13 * SHAPES);
    for (type = SST_BOOL; type <= SST_F64; type++) {
        for (shape = 0; shape < SHAPES; shape++) {
            char name[32];
            snprintf(name, sizeof name, "t%d s%d", type, shape);
            check_typed_rows(c.store, name, (sst_type)type, shape);
        }
    }
    drop(&c);
    sst_close(store);
}

static void good_names(void) {
    static const char *const names[] = {
        "a", "with space/and slash", "\x7F", "\x01", "\xC2\x80", "\xC3\xA9t\xC3\xA9",
        "\xE0\xA0\x80", "\xE6\x97\xA5\xE6\x9C\xAC", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80", "\xF0\x9F\x9A\x80", "\xF4\x8F\xBF\xBF", "A", "a ",
    };
    enum { COUNT = sizeof names / sizeof names[0] };
    sst_store *store = make_store(0, 0);
    char *longest = (char *)malloc(SST_MAX_NAME + 1u);
    copy c;
    uint32_t i;
    memset(longest, 'x', SST_MAX_NAME);
    longest[SST_MAX_NAME] = '\0';
    for (i = 0; i < COUNT; i++) {
        char buffer[32];
        sst_stream *stream;
        snprintf(buffer, sizeof buffer, "%s", names[i]);
        stream = make_scalar(store, buffer, SST_U8);
        memset(buffer, '?', sizeof buffer - 1);             /* names are copied */
        CHECK_INT(sst_append_u8(stream, 1, (uint8_t)i), SST_OK);
    }
    make_scalar(store, longest, SST_U8);
    c = copy_of(store);
    CHECK_INT(sst_stream_count(c.store), COUNT + 1);
    for (i = 0; i < COUNT; i++) {
        sst_stream *stream = open_stream(c.store, names[i]);
        sst_view view;
        CHECK_TEXT(sst_stream_name(store, i), names[i]);
        CHECK_TEXT(sst_stream_name(c.store, i), names[i]);
        CHECK_INT(sst_at(stream, 1, &view), SST_OK);
        CHECK_INT(*(const uint8_t *)view.values, i);
        sst_stream_close(stream);
    }
    CHECK_TEXT(sst_stream_name(c.store, COUNT), longest);
    CHECK(sst_stream_name(c.store, COUNT + 1) == NULL);
    CHECK(sst_stream_name(c.store, UINT32_MAX) == NULL);
    sst_stream_close(open_stream(c.store, longest));
    drop(&c);
    sst_close(store);
    free(longest);
}

/* The description is refused and leaves no trace. */
static void refused(sst_store *store, const sst_stream_desc *desc, int want, int line) {
    sst_stream *stream = (sst_stream *)&stream;
    uint32_t streams = sst_stream_count(store);
    test_check_int(__FILE__, line, "sst_stream_create", sst_stream_create(store, desc, &stream),
                   want);
    test_check_int(__FILE__, line, "*out is NULL", stream == NULL, 1);
    test_check_int(__FILE__, line, "streams", sst_stream_count(store), streams);
}

static void bad_names(void) {
    static const char *const names[] = {
        "", "\x80", "\xBF", "\xC3", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xFF", "a\xE2\x82", "\xE2\x82z",
        "\xC3\xC3\xA9", "ok\xF0\x9F\x9A",
    };
    sst_store *store = make_store(0, 0);
    sst_stream_desc desc = describe(NULL, SST_F64);
    sst_field field;
    char *too_long = (char *)malloc(SST_MAX_NAME + 2u);
    size_t i;
    memset(too_long, 'x', SST_MAX_NAME + 1u);
    too_long[SST_MAX_NAME + 1u] = '\0';
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        desc = describe(names[i], SST_F64);
        refused(store, &desc, SST_ERR_ARG, __LINE__);
        desc = describe("good", SST_F64);
        desc.timelines[0] = names[i];
        refused(store, &desc, SST_ERR_ARG, __LINE__);
        if (names[i][0] == '\0') continue;          /* a field's name may be empty */
        memset(&field, 0, sizeof field);
        field.type = SST_F64;
        field.name = names[i];
        desc = describe("good", (sst_type)0);
        desc.fields = &field;
        desc.field_count = 1;
        refused(store, &desc, SST_ERR_ARG, __LINE__);
    }
    desc = describe(too_long, SST_F64);
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc = describe("good", SST_F64);
    desc.timelines[0] = too_long;
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    CHECK_INT(sst_stream_count(store), 0);
    sst_close(store);
    free(too_long);
}

static void impossible_descriptions(void) {
    static const uint32_t foreign[] = {
        FOREIGN_BIT, 0x40000000u, SST_ROW_REMOVED, SST_HALF_OPEN, SST_CARRY, SST_NO_REPLACE,
        SST_IO_READ, SST_REPLACE, SST_DEFERRED, SST_TRUST, SST_SINGLE_BLOCK,
    };
    sst_store *store = make_store(0, 0);
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    sst_field field;
    size_t i;
    desc = describe("x", (sst_type)0);
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc = describe("x", (sst_type)(SST_BYTES + 1));
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc = describe("x", (sst_type)1000);
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    for (i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        desc = describe("x", SST_F64);
        desc.flags = foreign[i];
        refused(store, &desc, SST_ERR_ARG, __LINE__);
        memset(&field, 0, sizeof field);
        field.type = SST_F64;
        field.flags = foreign[i];
        desc = describe("x", (sst_type)0);
        desc.fields = &field;
        desc.field_count = 1;
        refused(store, &desc, SST_ERR_ARG, __LINE__);
    }
    desc = describe("x", (sst_type)0);
    desc.field_count = 1;                           /* without fields */
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc = describe("x", SST_F64);
    desc.time_unit = (sst_unit)(SST_TICKS + 1);
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc = describe("x", SST_F64);
    desc.block_bytes = 511;
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc.block_bytes = 0x40000001u;
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc = describe("x", SST_F64);
    CHECK_INT(sst_stream_create(NULL, &desc, &stream), SST_ERR_ARG);
    CHECK_INT(sst_stream_create(store, NULL, &stream), SST_ERR_ARG);
    CHECK_INT(sst_stream_create(store, &desc, NULL), SST_ERR_ARG);
    CHECK_INT(sst_stream_count(store), 0);
    desc.block_bytes = 512;
    make_stream(store, &desc);                      /* and the name is free still */
    sst_close(store);
}

static void unsupported_descriptions(void) {
    sst_store *store = make_store(0, 0);
    sst_stream_desc desc = describe("x", SST_F64);
    desc.codec = SST_CODEC_AUTO;
    refused(store, &desc, SST_ERR_UNSUPPORTED, __LINE__);
    desc = describe("x", SST_F64);
    desc.retain_time = -1;
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    sst_close(store);
}

/* What cannot be beside each other; text and bytes have no shape. */
static void contradictions(void) {
    sst_store *store = make_store(0, 0);
    sst_stream_desc desc = describe("x", SST_TEXT);
    sst_field fields[2];
    desc.shape[0] = 3;
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc = describe("x", SST_F64);
    desc.flags = SST_UNTIMED | SST_EQUAL_TIMES;
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc.flags = SST_UNTIMED;
    desc.timelines[0] = "capture";
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    memset(fields, 0, sizeof fields);
    fields[0].type = fields[1].type = SST_F64;
    desc = describe("x", (sst_type)0);
    desc.fields = fields;
    desc.field_count = 2;
    desc.flags = SST_RAGGED;                        /* which of them? */
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc.flags = 0;
    desc.type = SST_F64;
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    desc.type = (sst_type)0;
    fields[0].name = fields[1].name = "twice";
    refused(store, &desc, SST_ERR_ARG, __LINE__);
    sst_close(store);
}

static void limit_of_a_row(void) {
    sst_store *store = make_store(0, 0);
    sst_stream_desc desc = describe("large", SST_U8);
    desc.shape[0] = SST_MAX_ROW_BYTES + 1u;
    refused(store, &desc, SST_ERR_LIMIT, __LINE__);
    desc.type = SST_F64;
    desc.shape[0] = 32768;
    desc.shape[1] = 32768;
    refused(store, &desc, SST_ERR_LIMIT, __LINE__);
    desc.shape[0] = desc.shape[1] = desc.shape[2] = desc.shape[3] = UINT32_MAX;
    refused(store, &desc, SST_ERR_LIMIT, __LINE__);
    desc.shape[0] = 0x80000000u;                    /* 2^64 bytes: 0 where it wraps */
    desc.shape[1] = 0x40000000u;
    desc.shape[2] = 0;
    refused(store, &desc, SST_ERR_LIMIT, __LINE__);
    desc = describe("largest", SST_U8);
    desc.shape[0] = SST_MAX_ROW_BYTES;
    make_stream(store, &desc);
    sst_close(store);
}

static void existing_names(void) {
    sst_store *store = make_store(0, 0);
    sst_stream_desc desc = describe("x", SST_F32), other;
    sst_stream *first, *second;
    sst_field field;
    float value[3] = {1, 2, 3};
    desc.shape[0] = 3;
    desc.timelines[0] = "capture";
    desc.time_unit = SST_MICROSECONDS;
    first = make_stream(store, &desc);
    refused(store, &desc, SST_ERR_EXISTS, __LINE__);
    other = describe("x", SST_I8);
    refused(store, &other, SST_ERR_EXISTS, __LINE__);

    desc.flags = SST_OPEN_EXISTING;
    second = make_stream(store, &desc);
    CHECK(second != first);
    CHECK_INT(sst_stream_count(store), 1);
    {
        sst_row row;
        int64_t capture = 5;
        memset(&row, 0, sizeof row);
        row.time = 10;
        row.value = value;
        row.timelines = &capture;
        CHECK_INT(sst_append_row(second, &row), SST_OK);
    }
    CHECK_INT(sst_rows(first), 1);

    other = desc;
    other.type = SST_I32;
    refused(store, &other, SST_ERR_TYPE, __LINE__);
    other = desc;
    other.shape[0] = 4;
    refused(store, &other, SST_ERR_SHAPE, __LINE__);
    other = desc;
    other.shape[1] = 1;
    refused(store, &other, SST_ERR_SHAPE, __LINE__);
    other = desc;
    other.shape[0] = 0;
    refused(store, &other, SST_ERR_SHAPE, __LINE__);
    other = desc;
    other.timelines[0] = "arrival";
    refused(store, &other, SST_ERR_ARG, __LINE__);
    other = desc;
    other.timelines[0] = NULL;
    refused(store, &other, SST_ERR_ARG, __LINE__);
    other = desc;
    other.timelines[1] = "arrival";
    refused(store, &other, SST_ERR_ARG, __LINE__);
    other = desc;
    other.time_unit = SST_NANOSECONDS;
    refused(store, &other, SST_ERR_ARG, __LINE__);
    memset(&field, 0, sizeof field);
    field.type = SST_F32;
    field.shape[0] = 3;
    field.name = "field";
    other = desc;
    other.type = (sst_type)0;
    memset(other.shape, 0, sizeof other.shape);
    other.fields = &field;
    other.field_count = 1;
    refused(store, &other, SST_ERR_ARG, __LINE__);
    field.name = NULL;                              /* a field without a name is no difference */
    sst_stream_close(make_stream(store, &other));
    field.name = "";
    sst_stream_close(make_stream(store, &other));
    CHECK_INT(sst_stream_count(store), 1);

    other = describe("new", SST_F64);               /* and what is not there is made */
    other.flags = SST_OPEN_EXISTING;
    make_stream(store, &other);
    CHECK_INT(sst_stream_count(store), 2);
    sst_close(store);
}

static void open_and_close(void) {
    sst_store *store = make_store(0, 0);
    sst_stream *stream = make_scalar(store, "a", SST_I64), *none = stream;
    CHECK_INT(sst_stream_open(store, "b", &none), SST_ERR_NOT_FOUND);
    CHECK(none == NULL);
    CHECK_INT(sst_stream_open(store, "", &none), SST_ERR_NOT_FOUND);
    CHECK_INT(sst_stream_open(store, "A", &none), SST_ERR_NOT_FOUND);
    none = stream;
    CHECK_INT(sst_stream_open(store, NULL, &none), SST_ERR_ARG);
    CHECK(none == NULL);
    CHECK_INT(sst_stream_open(NULL, "a", &none), SST_ERR_ARG);
    CHECK_INT(sst_stream_open(store, "a", NULL), SST_ERR_ARG);
    CHECK_INT(sst_append_i64(stream, 5, 50), SST_OK);
    sst_stream_close(stream);
    sst_stream_close(NULL);
    stream = open_stream(store, "a");               /* rows and last time stay */
    CHECK_INT(sst_rows(stream), 1);
    FAILS(stream, sst_append_i64(stream, 5, 51), SST_ERR_ORDER);
    CHECK_INT(sst_append_i64(stream, 6, 60), SST_OK);
    CHECK_INT(sst_rows(NULL), 0);
    CHECK_INT(sst_first_row(NULL), 0);
    CHECK_INT(sst_first_row(stream), 0);
    CHECK_INT(sst_stream_count(NULL), 0);
    CHECK(sst_stream_name(NULL, 0) == NULL);
    sst_close(store);
}

static void many_streams(void) {
    enum { STREAMS = 2000 };
    sst_store *store = make_store(512, 0);
    sst_stream **streams = (sst_stream **)calloc(STREAMS, sizeof *streams);
    char name[32];
    copy c;
    int i, k;
    for (i = 0; i < STREAMS; i++) {
        snprintf(name, sizeof name, "stream %d", i);
        streams[i] = make_scalar(store, name, SST_I32);
    }
    for (k = 0; k < 3; k++) {
        for (i = 0; i < STREAMS; i++) {
            CHECK_INT(sst_append_i32(streams[i], k, i * 10 + k), SST_OK);
        }
    }
    c = copy_of(store);
    CHECK_INT(sst_stream_count(c.store), STREAMS);
    for (i = 0; i < STREAMS; i++) {
        sst_stream *stream;
        sst_view view;
        snprintf(name, sizeof name, "stream %d", i);
        CHECK_TEXT(sst_stream_name(c.store, (uint32_t)i), name);
        stream = open_stream(c.store, name);
        CHECK_INT(sst_slice(stream, 0, 10, &view), SST_OK);
        CHECK_INT(view.count, 3);
        CHECK_INT(((const int32_t *)view.values)[2], i * 10 + 2);
        sst_stream_close(stream);
    }
    drop(&c);
    sst_close(store);
    free(streams);
}

static void limit_of_streams(void) {
    sst_store *store = make_store(512, 0);
    sst_stream_desc desc = describe("one too many", SST_U8);
    char name[32];
    uint32_t i;
    copy c;
    for (i = 0; i < SST_MAX_STREAMS; i++) {
        snprintf(name, sizeof name, "%lu", (unsigned long)i);
        sst_stream_close(make_scalar(store, name, SST_U8));
    }
    refused(store, &desc, SST_ERR_LIMIT, __LINE__);
    CHECK_INT(sst_stream_count(store), SST_MAX_STREAMS);
    c = copy_of(store);
    CHECK_INT(sst_stream_count(c.store), SST_MAX_STREAMS);
    sst_stream_close(open_stream(c.store, "65535"));
    drop(&c);
    sst_close(store);
}

/* --- timelines and fields ----------------------------------------------------------------- */

static void check_timelines(sst_store *store, int count) {
    static const char *const names[4] = {"capture", "arrival", "\xC3\xA9", "d"};
    char name[32];
    sst_stream *stream;
    sst_stream_desc desc;
    sst_view view;
    int i, k;
    snprintf(name, sizeof name, "with %d", count);
    stream = open_stream(store, name);
    REQUIRE(stream != NULL);
    CHECK_INT(sst_stream_info(stream, &desc, NULL, NULL, NULL), SST_OK);
    for (k = 0; k < 4; k++) {
        if (k < count) CHECK_TEXT(desc.timelines[k], names[k]);
        if (k >= count) CHECK(desc.timelines[k] == NULL);
    }
    CHECK_INT(sst_slice(stream, 0, 1000, &view), SST_OK);
    REQUIRE(view.count == 100);
    for (k = 0; k < 4; k++) {
        CHECK((view.timelines[k] != NULL) == (k < count));
        for (i = 0; k < count && i < 100; i++) {
            CHECK_INT(view.timelines[k][i], (k % 2 != 0 ? -1 : 1) * (i * 10 + k));
        }
    }
    for (i = 0; i < 100; i++) {
        CHECK_INT(view.times[i], i);
        CHECK_INT(((const uint16_t *)view.values)[i], i * 7);
    }
    sst_stream_close(stream);
}

static void timelines(void) {
    static const char *const names[4] = {"capture", "arrival", "\xC3\xA9", "d"};
    sst_store *store = make_store(512, 0);
    copy c;
    int count, i, k;
    for (count = 0; count <= 4; count++) {
        char name[32];
        sst_stream_desc desc;
        sst_stream *stream;
        snprintf(name, sizeof name, "with %d", count);
        desc = describe(name, SST_U16);
        for (k = 0; k < count; k++) desc.timelines[k] = names[k];
        stream = make_stream(store, &desc);
        for (i = 0; i < 100; i++) {
            int64_t times[4];
            uint16_t value = (uint16_t)(i * 7);
            sst_row row;
            for (k = 0; k < 4; k++) times[k] = (k % 2 != 0 ? -1 : 1) * (i * 10 + k);
            memset(&row, 0, sizeof row);
            row.time = i;
            row.value = &value;
            row.timelines = count > 0 ? times : NULL;
            CHECK_INT(sst_append_row(stream, &row), SST_OK);
        }
        check_timelines(store, count);
    }
    c = copy_of(store);
    for (count = 0; count <= 4; count++) check_timelines(c.store, count);
    drop(&c);
    sst_close(store);
}

/* Up to the first NULL, up to the first 0. */
static void gaps_end_a_description(void) {
    sst_store *store = make_store(0, 0);
    sst_stream_desc desc = describe("x", SST_I16), info;
    sst_stream *stream;
    int16_t value[2] = {1, 2};
    sst_row row;
    int64_t times[1] = {3};
    desc.timelines[0] = "a";
    desc.timelines[2] = "c";
    desc.shape[0] = 2;
    desc.shape[2] = 9;
    stream = make_stream(store, &desc);
    CHECK_INT(sst_stream_info(stream, &info, NULL, NULL, NULL), SST_OK);
    CHECK_TEXT(info.timelines[0], "a");
    CHECK(info.timelines[1] == NULL && info.timelines[2] == NULL);
    CHECK_INT(info.shape[0], 2);
    CHECK_INT(info.shape[1], 0);
    CHECK_INT(info.shape[2], 0);
    memset(&row, 0, sizeof row);
    row.value = value;
    row.timelines = times;
    CHECK_INT(sst_append_row(stream, &row), SST_OK);
    sst_close(store);
}

typedef struct sample {
    int64_t stamp;
    char label[5];
    float force[3];
} sample;

static void one_field(void) {
    sst_store *store = make_store(512, 0);
    sst_stream_desc desc = describe("force", (sst_type)0), info;
    sst_field field;
    sst_stream *stream, *again;
    sst_view view;
    float rows[2][3] = {{7, 8, 9}, {10, 11, 12}};
    int64_t times[2] = {100, 101};
    copy c;
    int i;
    memset(&field, 0, sizeof field);
    field.name = "newton";
    field.type = SST_F32;
    field.shape[0] = 3;
    field.offset = offsetof(sample, force);
    desc.fields = &field;
    desc.field_count = 1;
    stream = make_stream(store, &desc);
    memset(&field, 0xFF, sizeof field);             /* was copied */
    for (i = 0; i < 100; i++) {
        sample s;
        memset(&s, 0x55, sizeof s);
        s.force[0] = (float)i;
        s.force[1] = (float)i + 0.5f;
        s.force[2] = -(float)i;
        CHECK_INT(sst_append(stream, i, &s), SST_OK);
    }
    CHECK_INT(sst_append_rows(stream, times, rows, 2), SST_OK);     /* tightly packed */
    FAILS(stream, sst_append(stream, 500, NULL), SST_ERR_ARG);
    CHECK_INT(sst_stream_info(stream, &info, NULL, NULL, NULL), SST_OK);
    CHECK_INT(info.field_count, 1);
    REQUIRE(info.fields != NULL);
    CHECK_TEXT(info.fields[0].name, "newton");
    CHECK_INT(info.fields[0].type, SST_F32);
    CHECK_INT(info.fields[0].shape[0], 3);
    CHECK_INT(info.fields[0].shape[1], 0);

    c = copy_of(store);
    again = open_stream(c.store, "force");
    CHECK_INT(sst_slice(again, 0, 200, &view), SST_OK);
    REQUIRE(view.count == 102);
    for (i = 0; i < 100; i++) {
        const float *v = (const float *)view.values + 3 * i;
        CHECK(v[0] == (float)i && v[1] == (float)i + 0.5f && v[2] == -(float)i);
    }
    CHECK(((const float *)view.values)[3 * 101 + 2] == 12.0f);
    CHECK_INT(sst_stream_info(again, &info, NULL, NULL, NULL), SST_OK);
    REQUIRE(info.fields != NULL && info.field_count == 1);
    CHECK_TEXT(info.fields[0].name, "newton");
    drop(&c);

    /* Where the value lies is the caller's affair, not the stream's: no difference. */
    memset(&field, 0, sizeof field);
    field.name = "newton";
    field.type = SST_F32;
    field.shape[0] = 3;
    desc.flags = SST_OPEN_EXISTING;
    sst_stream_close(stream);
    again = make_stream(store, &desc);
    CHECK_INT(sst_append(again, 200, rows[1]), SST_OK);
    CHECK_INT(sst_at(again, 200, &view), SST_OK);
    CHECK_BYTES(view.values, rows[1], sizeof rows[1]);
    sst_close(store);
}

/* --- appending ---------------------------------------------------------------------------- */

static void check_one(sst_store *store, const char *name, int64_t time, const void *want,
                      size_t size) {
    sst_stream *stream = open_stream(store, name);
    sst_view view;
    CHECK_INT(sst_at(stream, time, &view), SST_OK);
    CHECK_INT(view.times[0], time);
    CHECK_BYTES(view.values, want, size);
    sst_stream_close(stream);
}

static const double f64_value = -1.5e300;
static const float f32_value = 0.1f;
static const int64_t i64_value = INT64_MIN + 1;
static const int32_t i32_value = INT32_MIN;
static const uint8_t u8_value = 255, bool_value = 1;

enum { FORMS = 6 };
static const sst_type form_type[FORMS] = {SST_F64, SST_F32, SST_I64, SST_I32, SST_U8, SST_BOOL};
static const void *const form_value[FORMS] = {&f64_value, &f32_value, &i64_value,
                                              &i32_value, &u8_value, &bool_value};

static int append_form(int form, sst_stream *stream, int64_t time) {
    switch (form) {
    case 0: return sst_append_f64(stream, time, f64_value);
    case 1: return sst_append_f32(stream, time, f32_value);
    case 2: return sst_append_i64(stream, time, i64_value);
    case 3: return sst_append_i32(stream, time, i32_value);
    case 4: return sst_append_u8(stream, time, u8_value);
    default: return sst_append_bool(stream, time, true);
    }
}

static void typed_forms(void) {
    sst_store *store = make_store(512, 0);
    copy c;
    int form, type, i;
    for (type = SST_BOOL; type <= SST_F64; type++) {
        char name[32];
        sst_stream_desc desc;
        sst_stream *scalar, *vector;
        snprintf(name, sizeof name, "%d[1]", type);
        desc = describe(name, (sst_type)type);
        desc.shape[0] = 1;
        vector = make_stream(store, &desc);
        snprintf(name, sizeof name, "%d", type);
        scalar = make_scalar(store, name, (sst_type)type);
        for (form = 0; form < FORMS; form++) {
            if (form_type[form] == (sst_type)type) {
                FAILS(vector, append_form(form, vector, 1), SST_ERR_SHAPE);
                for (i = 0; i < 100; i++) {
                    CHECK_INT(append_form(form, scalar, i * 2), SST_OK);
                    FAILS(scalar, append_form(form, scalar, i * 2), SST_ERR_ORDER);
                }
            } else {
                FAILS(scalar, append_form(form, scalar, 1000), SST_ERR_TYPE);
            }
            CHECK_INT(append_form(form, NULL, 1), SST_ERR_ARG);
        }
        CHECK_INT(sst_rows(vector), 0);
        sst_stream_close(scalar);
    }
    {
        sst_stream *stream = open_stream(store, "1");
        sst_view view;
        CHECK_INT(sst_append_bool(stream, 1000, false), SST_OK);
        CHECK_INT(sst_at(stream, 1000, &view), SST_OK);
        CHECK_INT(*(const uint8_t *)view.values, 0);
    }
    c = copy_of(store);
    for (form = 0; form < FORMS; form++) {
        char name[32];
        snprintf(name, sizeof name, "%d", (int)form_type[form]);
        for (i = 0; i < 100; i += 33) {
            check_one(store, name, i * 2, form_value[form], type_size(form_type[form]));
            check_one(c.store, name, i * 2, form_value[form], type_size(form_type[form]));
        }
    }
    drop(&c);
    sst_close(store);
}

/* The same rows by every form that takes vectors: the same answers. */
static void vector_forms(void) {
    enum { ROWS = 600 };
    static const char *const names[5] = {"append", "rows", "row value", "row cells", "view"};
    sst_store *store = make_store(512, 0);
    sst_stream_desc desc = describe(NULL, SST_I16);
    sst_stream *s[5];
    static int64_t times[ROWS];
    static int16_t values[ROWS][3];
    copy c;
    int i, k;
    desc.shape[0] = 3;
    for (i = 0; i < 5; i++) {
        desc.name = names[i];
        s[i] = make_stream(store, &desc);
    }
    for (i = 0; i < ROWS; i++) {
        times[i] = i * i - 100;
        for (k = 0; k < 3; k++) values[i][k] = (int16_t)(i * 50 + k);
    }
    for (i = 0; i < ROWS; i++) {
        sst_row row;
        sst_cell cell;
        cell.data = values[i];
        cell.count = 1;
        CHECK_INT(sst_append(s[0], times[i], values[i]), SST_OK);
        memset(&row, 0, sizeof row);
        row.time = times[i];
        row.value = values[i];
        row.count = (size_t)(i % 2);
        if (i % 3 == 0) {
            row.type = SST_I16;
            row.shape[0] = 3;
        }
        CHECK_INT(sst_append_row(s[2], &row), SST_OK);
        row.value = NULL;
        row.count = 0;
        row.cells = &cell;
        CHECK_INT(sst_append_row(s[3], &row), SST_OK);
    }
    for (i = 0; i < ROWS; i += k) {                 /* 0, 1, 2, ... rows at a time */
        k = i / 10 + 1 < ROWS - i ? i / 10 + 1 : ROWS - i;
        CHECK_INT(sst_append_rows(s[1], times + i, values + i, 0), SST_OK);
        CHECK_INT(sst_append_rows(s[1], times + i, values + i, (size_t)k), SST_OK);
        CHECK_INT(sst_rows(s[1]), i + k);
    }
    for (i = 0; i < ROWS; i += 97) {
        sst_view view;
        CHECK_INT(sst_slice(s[0], (uint64_t)i, 97, &view), SST_OK);
        CHECK_INT(sst_append_view(s[4], &view), SST_OK);
    }
    c = copy_of(store);
    for (i = 0; i < 10; i++) {
        sst_stream *stream = open_stream(i < 5 ? store : c.store, names[i % 5]);
        sst_view view;
        CHECK_INT(sst_slice(stream, 0, UINT64_MAX, &view), SST_OK);
        CHECK_INT(view.count, ROWS);
        if (view.count == ROWS) {
            CHECK_BYTES(view.times, times, sizeof times);
            CHECK_BYTES(view.values, values, sizeof values);
        }
        sst_stream_close(stream);
    }
    drop(&c);
    sst_close(store);
}

/* The streams that the wrong calls are tried on. */
typedef struct victims {
    sst_store *store;
    sst_stream *vector;             /* f32 [3] */
    sst_stream *clocked;            /* i64, two timelines */
    sst_stream *done;               /* f64, finished */
    sst_stream *owned, *other;      /* i64, two handles: the first is the writer */
} victims;

static void wrong_appends(const victims *v, int64_t last) {
    float value[3] = {1, 2, 3}, two[2][3] = {{1, 2, 3}, {4, 5, 6}};
    int64_t times[2], i64 = 1;
    double f64 = 1;
    sst_view view;
    times[0] = last + 1;
    times[1] = last + 2;
    CHECK_INT(sst_append(NULL, last + 1, value), SST_ERR_ARG);
    CHECK_INT(sst_append_rows(NULL, times, two, 2), SST_ERR_ARG);
    FAILS(v->vector, sst_append(v->vector, last + 1, NULL), SST_ERR_ARG);
    FAILS(v->vector, sst_append(v->vector, last, value), SST_ERR_ORDER);
    FAILS(v->vector, sst_append(v->vector, last - 1, value), SST_ERR_ORDER);
    FAILS(v->vector, sst_append(v->vector, INT64_MIN, value), SST_ERR_ORDER);
    FAILS(v->vector, sst_append_rows(v->vector, NULL, two, 2), SST_ERR_ARG);
    FAILS(v->vector, sst_append_rows(v->vector, times, NULL, 2), SST_ERR_ARG);
    times[1] = last + 1;
    FAILS(v->vector, sst_append_rows(v->vector, times, two, 2), SST_ERR_ORDER);
    times[1] = last - 5;
    FAILS(v->vector, sst_append_rows(v->vector, times, two, 2), SST_ERR_ORDER);
    times[0] = last;
    times[1] = last + 1;
    FAILS(v->vector, sst_append_rows(v->vector, times, two, 2), SST_ERR_ORDER);
    FAILS(v->vector, sst_append_f32(v->vector, last + 1, 1.0f), SST_ERR_SHAPE);
    FAILS(v->owned, sst_append_f64(v->owned, last + 1, 1), SST_ERR_TYPE);

    times[0] = last + 1;
    times[1] = last + 2;
    FAILS(v->clocked, sst_append(v->clocked, last + 1, &i64), SST_ERR_ARG);
    FAILS(v->clocked, sst_append_rows(v->clocked, times, times, 2), SST_ERR_ARG);
    FAILS(v->clocked, sst_append_i64(v->clocked, last + 1, 1), SST_ERR_ARG);

    FAILS(v->done, sst_append(v->done, last + 1, &f64), SST_ERR_FINISHED);
    FAILS(v->done, sst_append(v->done, -5, &f64), SST_ERR_FINISHED);
    FAILS(v->done, sst_append_rows(v->done, times, &f64, 1), SST_ERR_FINISHED);
    FAILS(v->done, sst_append_f64(v->done, last + 1, 1), SST_ERR_FINISHED);

    FAILS(v->other, sst_append(v->other, last + 1, &i64), SST_ERR_STATE);
    FAILS(v->other, sst_append_i64(v->other, last + 1, 1), SST_ERR_STATE);
    FAILS(v->other, sst_append_rows(v->other, times, times, 2), SST_ERR_STATE);
    CHECK_INT(sst_slice(v->owned, 0, 1, &view), SST_OK);
    FAILS(v->other, sst_append_view(v->other, &view), SST_ERR_STATE);
}

static void wrong_rows(const victims *v, int64_t last) {
    float value[6] = {1, 2, 3, 4, 5, 6};
    int64_t clocks[2] = {1, 2};
    double f64 = 1;
    sst_cell cell;
    sst_row good, row;
    memset(&good, 0, sizeof good);
    good.time = last + 1;
    good.value = value;
    cell.data = value;
    cell.count = 1;
    CHECK_INT(sst_append_row(NULL, &good), SST_ERR_ARG);
    FAILS(v->vector, sst_append_row(v->vector, NULL), SST_ERR_ARG);
    row = good;
    row.value = NULL;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.cells = &cell;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.tag = 1;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.key.kind = SST_KEY_I64;
    row.key.number = 1;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.flags = SST_ROW_REMOVED;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.flags = FOREIGN_BIT;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.timelines = clocks;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.count = 2;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_SHAPE);
    row = good;
    row.value = NULL;
    row.cells = &cell;
    cell.count = 2;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_SHAPE);
    cell.count = 1;
    cell.data = NULL;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ARG);
    row = good;
    row.type = SST_F64;
    row.shape[0] = 3;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_TYPE);
    row.type = SST_I32;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_TYPE);
    row.type = SST_F32;
    row.shape[0] = 4;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_SHAPE);
    row.shape[0] = 3;
    row.shape[1] = 1;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_SHAPE);
    row.shape[0] = 0;
    row.shape[1] = 0;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_SHAPE);
    row = good;
    row.time = last;
    FAILS(v->vector, sst_append_row(v->vector, &row), SST_ERR_ORDER);

    row = good;
    row.value = clocks;
    FAILS(v->clocked, sst_append_row(v->clocked, &row), SST_ERR_ARG);
    row.timelines = clocks;
    row.time = last;
    FAILS(v->clocked, sst_append_row(v->clocked, &row), SST_ERR_ORDER);
    row = good;
    row.value = &f64;
    FAILS(v->done, sst_append_row(v->done, &row), SST_ERR_FINISHED);
    row.value = clocks;
    FAILS(v->other, sst_append_row(v->other, &row), SST_ERR_STATE);
}

static void wrong_views(const victims *v, int64_t last) {
    sst_view good, view;
    sst_column column, columns[2];
    float values[3] = {1, 2, 3};
    int64_t times[2];
    uint32_t tags[2] = {0, 0};
    times[0] = last + 1;
    times[1] = last + 2;
    memset(&good, 0, sizeof good);
    column.values = values;
    column.offsets = NULL;
    columns[0] = columns[1] = column;
    good.count = 1;
    good.times = times;
    good.values = values;
    good.columns = &column;
    good.column_count = 1;
    CHECK_INT(sst_append_view(NULL, &good), SST_ERR_ARG);
    FAILS(v->vector, sst_append_view(v->vector, NULL), SST_ERR_ARG);
    view = good;
    view.times = NULL;
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ARG);
    view = good;
    view.timelines[0] = times;
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ARG);
    view = good;
    view.columns = columns;
    view.column_count = 2;
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ARG);
    view = good;
    view.tags = tags;
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ARG);
    view = good;
    view.offsets = tags;
    column.offsets = tags;
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ARG);
    column.offsets = NULL;
    view = good;
    view.key_offsets = tags;
    view.keys = (const uint8_t *)values;
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ARG);
    view = good;
    times[0] = last;
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ORDER);
    times[0] = last + 1;
    column.values = times;
    view.values = times;
    FAILS(v->clocked, sst_append_view(v->clocked, &view), SST_ERR_ARG);
    view.timelines[0] = times;
    FAILS(v->clocked, sst_append_view(v->clocked, &view), SST_ERR_ARG);
    view.timelines[0] = NULL;
    FAILS(v->done, sst_append_view(v->done, &view), SST_ERR_FINISHED);
    CHECK_INT(sst_window(v->vector, INT64_MIN, INT64_MAX, &view), SST_OK);
    FAILS(v->vector, sst_append_view(v->vector, &view), SST_ERR_ORDER);
}

/* Records the same rows, with or without calls that fail in between; gives the image. */
static unsigned char *record(bool with_failures, size_t *size) {
    victims v;
    sst_stream_desc desc;
    const void *bytes = NULL;
    unsigned char *out;
    int64_t i;
    v.store = make_store(512, 0);
    desc = describe("vector", SST_F32);
    desc.shape[0] = 3;
    v.vector = make_stream(v.store, &desc);
    desc = describe("clocked", SST_I64);
    desc.timelines[0] = "a";
    desc.timelines[1] = "b";
    v.clocked = make_stream(v.store, &desc);
    v.done = make_scalar(v.store, "done", SST_F64);
    v.owned = make_scalar(v.store, "owned", SST_I64);
    v.other = open_stream(v.store, "owned");
    CHECK_INT(sst_append_f64(v.done, 7, 70), SST_OK);
    CHECK_INT(sst_stream_finish(v.done), SST_OK);
    for (i = 0; i < 200; i++) {
        float value[3];
        int64_t clocks[2];
        sst_row row;
        value[0] = (float)i;
        value[1] = 0.5f;
        value[2] = -1.0f;
        clocks[0] = -i;
        clocks[1] = i * i;
        memset(&row, 0, sizeof row);
        row.time = i;
        row.timelines = clocks;
        row.value = &i;
        CHECK_INT(sst_append(v.vector, i, value), SST_OK);
        CHECK_INT(sst_append_row(v.clocked, &row), SST_OK);
        CHECK_INT(sst_append_i64(v.owned, i, i), SST_OK);
        if (with_failures) {
            wrong_appends(&v, i);
            wrong_rows(&v, i);
            wrong_views(&v, i);
        }
    }
    CHECK_INT(sst_image(v.store, &bytes, size), SST_OK);
    out = (unsigned char *)malloc(*size + 1);
    memcpy(out, bytes, *size);
    if (with_failures) {
        wrong_appends(&v, i - 1);
        CHECK_INT(sst_image(v.store, &bytes, size), SST_OK);
        CHECK_BYTES(bytes, out, *size);
    }
    sst_close(v.store);
    return out;
}

static void failed_appends_change_nothing(void) {
    size_t size[2];
    unsigned char *image[2];
    image[0] = record(false, &size[0]);
    image[1] = record(true, &size[1]);
    CHECK_INT(size[1], size[0]);
    if (size[0] == size[1]) CHECK_BYTES(image[1], image[0], size[0]);
    free(image[0]);
    free(image[1]);
}

/* An order error in the middle of many rows: none of them is added, wherever blocks would end. */
static void many_rows_all_or_none(void) {
    enum { ROWS = 300 };
    sst_store *store = make_store(512, 0);
    sst_stream *stream = make_scalar(store, "x", SST_F64);
    static int64_t times[ROWS];
    static double values[ROWS];
    sst_view view;
    sst_column column;
    int i, bad;
    CHECK_INT(sst_append_f64(stream, -1, 0), SST_OK);
    for (i = 0; i < ROWS; i++) times[i] = i;
    for (bad = 0; bad < ROWS; bad += 7) {
        times[bad] = bad - 1;
        FAILS(stream, sst_append_rows(stream, times, values, ROWS), SST_ERR_ORDER);
        memset(&view, 0, sizeof view);
        column.values = values;
        column.offsets = NULL;
        view.count = ROWS;
        view.times = times;
        view.values = values;
        view.columns = &column;
        view.column_count = 1;
        FAILS(stream, sst_append_view(stream, &view), SST_ERR_ORDER);
        times[bad] = bad;
    }
    CHECK_INT(sst_append_rows(stream, times, values, ROWS), SST_OK);
    CHECK_INT(sst_rows(stream), ROWS + 1);
    sst_close(store);
}

static uint64_t get_le(const unsigned char *bytes, int count) {
    uint64_t value = 0;
    while (count-- > 0) value = value << 8 | bytes[count];
    return value;
}

/* How many records of a type the image has for a stream. */
static int count_records(const unsigned char *image, size_t size, int type, uint32_t stream) {
    uint64_t offset = 64;
    int count = 0;
    while (offset + 64 <= size && memcmp(image + offset, "SREC", 4) == 0) {
        if (image[offset + 4] == type && get_le(image + offset + 16, 4) == stream) count++;
        offset += 64 + (get_le(image + offset + 24, 8) + 63) / 64 * 64;
    }
    CHECK_INT(offset, size);
    return count;
}

static void finishing(void) {
    sst_store *store = make_store(512, 0);
    sst_stream *stream = make_scalar(store, "x", SST_I64), *empty, *second, *again;
    const void *bytes = NULL;
    size_t size = 0, before;
    sst_view view;
    copy c;
    int i;
    empty = make_scalar(store, "empty", SST_I64);
    second = open_stream(store, "x");
    for (i = 0; i < 45; i++) CHECK_INT(sst_append_i64(stream, i, i), SST_OK);
    CHECK_INT(sst_stream_finish(NULL), SST_ERR_ARG);
    CHECK_INT(sst_stream_finish(stream), SST_OK);
    CHECK_INT(sst_stream_finish(empty), SST_OK);
    FAILS(stream, sst_append_i64(stream, 100, 1), SST_ERR_FINISHED);
    FAILS(second, sst_append_i64(second, 100, 1), SST_ERR_FINISHED);
    FAILS(empty, sst_append_i64(empty, 100, 1), SST_ERR_FINISHED);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    before = size;
    CHECK_INT(sst_stream_finish(stream), SST_OK);
    CHECK_INT(sst_stream_finish(second), SST_OK);
    CHECK_INT(sst_stream_finish(empty), SST_OK);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    CHECK_INT(size, before);
    CHECK_INT(count_records((const unsigned char *)bytes, size, 8, 1), 1);
    CHECK_INT(count_records((const unsigned char *)bytes, size, 8, 2), 1);
    FAILS(stream, sst_append_i64(stream, 100, 1), SST_ERR_FINISHED);
    sst_stream_close(stream);
    sst_stream_close(second);
    stream = open_stream(store, "x");
    FAILS(stream, sst_append_i64(stream, 100, 1), SST_ERR_FINISHED);

    /* Everything else goes on: other streams, queries, and an empty one answers with nothing. */
    again = make_scalar(store, "later", SST_I64);
    CHECK_INT(sst_append_i64(again, 1, 1), SST_OK);
    CHECK_INT(sst_window(stream, 0, 100, &view), SST_OK);
    CHECK_INT(view.count, 45);
    c = copy_of(store);
    for (i = 0; i < 2; i++) {
        sst_stream *s = open_stream(i == 0 ? store : c.store, "empty");
        int64_t first = 1, last = 1, time = 3, row = 5;
        uint64_t rows = 1, number = 77;
        CHECK_INT(sst_stream_info(s, NULL, &rows, &first, &last), SST_OK);
        CHECK_INT(rows, 0);
        CHECK_INT(first, 0);
        CHECK_INT(last, 0);
        CHECK_INT(sst_at(s, 0, &view), SST_ERR_NOT_FOUND);
        CHECK_INT(sst_window(s, INT64_MIN, INT64_MAX, &view), SST_OK);
        CHECK_INT(view.count, 0);
        CHECK_INT(sst_slice(s, 0, 10, &view), SST_OK);
        CHECK_INT(view.count, 0);
        CHECK_INT(sst_locate(s, 0, SST_NEAREST, &number), SST_ERR_NOT_FOUND);
        CHECK_INT(number, 77);
        CHECK_INT(sst_sample(s, &time, 1, SST_SAMPLE_PREVIOUS, NULL, &row), SST_OK);
        CHECK_INT(row, -1);
        sst_stream_close(s);
    }
    drop(&c);
    sst_close(store);
}

static void one_writer(void) {
    sst_store *store = make_store(512, 0);
    sst_stream *a = make_scalar(store, "x", SST_I64), *b = open_stream(store, "x");
    sst_view view;
    int64_t i;
    /* Nobody has appended: whoever does first becomes the writer. */
    CHECK_INT(sst_append_i64(b, 0, 0), SST_OK);
    FAILS(a, sst_append_i64(a, 1, 1), SST_ERR_STATE);
    for (i = 1; i < 40; i++) CHECK_INT(sst_append_i64(b, i, i), SST_OK);
    CHECK_INT(sst_rows(a), 40);
    CHECK_INT(sst_at(a, 1000, &view), SST_OK);      /* and sees what the writer appends */
    CHECK_INT(view.times[0], 39);
    sst_stream_close(b);
    CHECK_INT(sst_append_i64(a, 40, 40), SST_OK);
    b = open_stream(store, "x");
    FAILS(b, sst_append_i64(b, 41, 41), SST_ERR_STATE);
    sst_stream_close(a);
    FAILS(b, sst_append_i64(b, 40, 41), SST_ERR_ORDER);
    CHECK_INT(sst_append_i64(b, 41, 41), SST_OK);
    CHECK_INT(sst_rows(b), 42);
    CHECK_INT(sst_slice(b, 0, 100, &view), SST_OK);
    for (i = 0; i < (int64_t)view.count; i++) {
        CHECK_INT(view.times[i], i);
        CHECK_INT(((const int64_t *)view.values)[i], i);
    }
    sst_close(store);
}

/* A call that fails changes nothing: it makes no writer either. */
static void a_failed_append_makes_no_writer(void) {
    sst_store *store = make_store(512, 0);
    sst_stream *a = make_scalar(store, "x", SST_I64), *b = open_stream(store, "x");
    FAILS(a, sst_append_rows(a, NULL, NULL, 1), SST_ERR_ARG);
    FAILS(a, sst_append_f64(a, 0, 0), SST_ERR_TYPE);
    CHECK_INT(sst_append_i64(b, 0, 0), SST_OK);
    sst_stream_close(b);
    FAILS(a, sst_append_i64(a, 0, 0), SST_ERR_ORDER);
    b = open_stream(store, "x");
    CHECK_INT(sst_append_i64(b, 1, 1), SST_OK);
    FAILS(a, sst_append_i64(a, 2, 2), SST_ERR_STATE);
    sst_close(store);
}

static void reading_only(void) {
    sst_store *store = make_store(512, 0);
    sst_stream *stream = make_scalar(store, "x", SST_F64), *s, *none;
    sst_stream_desc desc = describe("new", SST_F64);
    double value = 1;
    int64_t time = 100;
    sst_row row;
    sst_view view;
    copy c;
    CHECK_INT(sst_append_f64(stream, 1, 1), SST_OK);
    CHECK_INT(sst_stream_set_meta(stream, "k", "v", 1), SST_OK);
    stream = make_scalar(store, "done", SST_F64);
    CHECK_INT(sst_stream_finish(stream), SST_OK);
    c = copy_of(store);
    s = open_stream(c.store, "x");
    memset(&row, 0, sizeof row);
    row.time = 100;
    row.value = &value;
    FAILS(s, sst_append(s, 100, &value), SST_ERR_READ_ONLY);
    FAILS(s, sst_append(s, 1, &value), SST_ERR_READ_ONLY);      /* before ORDER */
    FAILS(s, sst_append_f64(s, 100, 1), SST_ERR_READ_ONLY);
    FAILS(s, sst_append_rows(s, &time, &value, 1), SST_ERR_READ_ONLY);
    FAILS(s, sst_append_row(s, &row), SST_ERR_READ_ONLY);
    CHECK_INT(sst_window(s, 0, 10, &view), SST_OK);
    FAILS(s, sst_append_view(s, &view), SST_ERR_READ_ONLY);
    FAILS(s, sst_stream_finish(s), SST_ERR_READ_ONLY);
    FAILS(s, sst_stream_set_meta(s, "k", "w", 1), SST_ERR_READ_ONLY);
    FAILS(s, sst_stream_remove_meta(s, "k"), SST_ERR_READ_ONLY);
    FAILS(s, sst_stream_remove_meta(s, "absent"), SST_ERR_READ_ONLY);
    none = s;
    CHECK_INT(sst_stream_create(c.store, &desc, &none), SST_ERR_READ_ONLY);
    CHECK(none == NULL);
    desc.name = "x";                                /* before EXISTS */
    CHECK_INT(sst_stream_create(c.store, &desc, &none), SST_ERR_READ_ONLY);
    CHECK_INT(sst_stream_count(c.store), 2);
    s = open_stream(c.store, "done");
    FAILS(s, sst_append_f64(s, 100, 1), SST_ERR_READ_ONLY);     /* before FINISHED */
    FAILS(s, sst_stream_finish(s), SST_ERR_READ_ONLY);
    drop(&c);
    sst_close(store);
}

static void deferred(void) {
    sst_store *store = make_store(512, SST_DEFERRED);
    sst_stream *stream = make_scalar(store, "x", SST_F64);
    int64_t n = 0, i;
    int result = SST_OK, polls = 0;
    sst_view view;
    copy c;
    while (n < 100000 && (result = sst_append_f64(stream, n, (double)n)) == SST_OK) n++;
    CHECK_INT(result, SST_ERR_BUSY);
    CHECK(n >= 8);
    FAILS(stream, sst_append_f64(stream, n, 0), SST_ERR_BUSY);
    FAILS(stream, sst_append_f64(stream, n, 0), SST_ERR_BUSY);
    CHECK_INT(sst_slice(stream, 0, UINT64_MAX, &view), SST_OK);     /* all are there, busy or not */
    CHECK_INT(view.count, n);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(sst_append_f64(stream, n, (double)n), SST_OK);
    for (n++; n < 3000; n++) {
        result = sst_append_f64(stream, n, (double)n);
        if (result == SST_ERR_BUSY) {
            polls++;
            CHECK_INT(sst_poll(store), SST_OK);
            result = sst_append_f64(stream, n, (double)n);
        }
        CHECK_INT(result, SST_OK);
    }
    CHECK(polls > 1);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(sst_poll(store), SST_OK);             /* nothing to do */
    while (n < 100000 && (result = sst_append_f64(stream, n, (double)n)) == SST_OK) n++;
    CHECK_INT(result, SST_ERR_BUSY);
    CHECK_INT(sst_flush(store), SST_OK);            /* helps as well */
    CHECK_INT(sst_append_f64(stream, n, (double)n), SST_OK);
    n++;
    c = copy_of(store);
    stream = open_stream(c.store, "x");
    CHECK_INT(sst_slice(stream, 0, UINT64_MAX, &view), SST_OK);
    CHECK_INT(view.count, n);
    for (i = 0; i < (int64_t)view.count; i++) {
        CHECK_INT(view.times[i], i);
        CHECK(((const double *)view.values)[i] == (double)i);
    }
    drop(&c);
    sst_close(store);
}

/* Many rows at once: as many as there is room for, and sst_rows tells how many. */
static void deferred_rows(void) {
    enum { ROWS = 2000 };
    sst_store *store = make_store(512, SST_DEFERRED);
    sst_stream *stream = make_scalar(store, "x", SST_I64);
    static int64_t times[ROWS];
    sst_view view;
    uint64_t rows = 0;
    int i, rounds = 0, result = SST_ERR_BUSY;
    for (i = 0; i < ROWS; i++) times[i] = i;
    while (result == SST_ERR_BUSY && rounds++ < ROWS) {
        result = sst_append_rows(stream, times + rows, times + rows, (size_t)(ROWS - rows));
        CHECK(sst_rows(stream) >= rows);
        rows = sst_rows(stream);
        CHECK_INT(rounds == 1 ? SST_ERR_BUSY : result, result);
        CHECK_INT(sst_poll(store), SST_OK);
    }
    CHECK_INT(result, SST_OK);
    CHECK(rounds > 2);
    CHECK_INT(rows, ROWS);
    CHECK_INT(sst_slice(stream, 0, ROWS, &view), SST_OK);
    REQUIRE(view.count == ROWS);
    CHECK_BYTES(view.times, times, sizeof times);
    CHECK_BYTES(view.values, times, sizeof times);
    sst_close(store);
}

static void never_busy_otherwise(void) {
    sst_store *store = make_store(512, 0);
    sst_stream *stream = make_scalar(store, "x", SST_I64);
    int64_t i;
    for (i = 0; i < 5000; i++) CHECK_INT(sst_append_i64(stream, i, i), SST_OK);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(sst_rows(stream), 5000);
    sst_close(store);
}

/* Rows that are large beside a block, with and without SST_DEFERRED. */
static void large_rows(void) {
    static const uint32_t sizes[] = {100, 128, 129, 500, 512, 513, 5000, 1048576, 1048577, 3000000};
    int deferred_too, k;
    for (deferred_too = 0; deferred_too < 2; deferred_too++) {
        sst_store *store = make_store(512, deferred_too ? SST_DEFERRED : 0);
        copy c;
        for (k = 0; k < (int)(sizeof sizes / sizeof sizes[0]); k++) {
            unsigned char *value = (unsigned char *)malloc(2u * sizes[k]);
            char name[32];
            sst_stream_desc desc;
            sst_stream *stream;
            int64_t times[2] = {100, 101};
            int i, result;
            snprintf(name, sizeof name, "%lu", (unsigned long)sizes[k]);
            desc = describe(name, SST_U8);
            desc.shape[0] = sizes[k];
            stream = make_stream(store, &desc);
            for (i = 0; i < 5; i++) {
                fill(value, sizes[k], SST_U8, (uint64_t)i);
                result = sst_append(stream, i, value);
                if (result == SST_ERR_BUSY) {
                    CHECK_INT(sst_poll(store), SST_OK);
                    result = sst_append(stream, i, value);
                }
                CHECK_INT(result, SST_OK);
            }
            CHECK_INT(sst_flush(store), SST_OK);
            fill(value, sizes[k], SST_U8, 100);
            fill(value + sizes[k], sizes[k], SST_U8, 101);
            CHECK_INT(sst_append_rows(stream, times, value, 2), SST_OK);
            CHECK_INT(sst_rows(stream), 7);
            free(value);
        }
        c = copy_of(store);
        CHECK_INT(sst_verify(c.store, NULL), SST_OK);
        for (k = 0; k < (int)(sizeof sizes / sizeof sizes[0]); k++) {
            unsigned char *value = (unsigned char *)malloc(sizes[k]);
            char name[32];
            int i;
            snprintf(name, sizeof name, "%lu", (unsigned long)sizes[k]);
            for (i = 0; i < 7; i++) {
                int64_t time = i < 5 ? i : 95 + i;
                fill(value, sizes[k], SST_U8, (uint64_t)time);
                check_one(store, name, time, value, sizes[k]);
                check_one(c.store, name, time, value, sizes[k]);
            }
            free(value);
        }
        drop(&c);
        sst_close(store);
    }
}

/* --- information and copies --------------------------------------------------------------- */

static void same_description(const sst_stream_desc *a, const sst_stream_desc *b) {
    int k;
    CHECK_TEXT(a->name, b->name);
    CHECK_INT(a->time_unit, b->time_unit);
    CHECK_INT(a->field_count, b->field_count);
    CHECK((a->fields != NULL) == (b->fields != NULL));
    if (a->fields == NULL || b->fields == NULL) {
        CHECK_INT(a->type, b->type);
        for (k = 0; k < 4; k++) CHECK_INT(a->shape[k], b->shape[k]);
    } else {
        CHECK_INT(a->fields[0].type, b->fields[0].type);
        CHECK_TEXT(a->fields[0].name, b->fields[0].name);
        for (k = 0; k < 4; k++) CHECK_INT(a->fields[0].shape[k], b->fields[0].shape[k]);
    }
    for (k = 0; k < 4; k++) {
        CHECK((a->timelines[k] != NULL) == (b->timelines[k] != NULL));
        if (a->timelines[k] != NULL && b->timelines[k] != NULL) {
            CHECK_TEXT(a->timelines[k], b->timelines[k]);
        }
    }
}

static void information_makes_a_like_stream(void) {
    sst_store *store = make_store(512, 0), *third;
    sst_field field;
    sst_stream_desc desc[4], got, again;
    copy c;
    int i;
    memset(&field, 0, sizeof field);
    field.name = "torque";
    field.type = SST_BF16;
    field.shape[0] = 6;
    desc[0] = describe("plain", SST_BOOL);
    desc[1] = describe("shaped", SST_F16);
    desc[1].shape[0] = 2;
    desc[1].shape[1] = 3;
    desc[1].shape[2] = 4;
    desc[1].shape[3] = 5;
    desc[1].time_unit = SST_TICKS;
    desc[2] = describe("clocks", SST_U64);
    desc[2].timelines[0] = "x";
    desc[2].timelines[1] = "y";
    desc[2].timelines[2] = "z";
    desc[2].timelines[3] = "w";
    desc[2].time_unit = SST_SECONDS;
    desc[2].block_bytes = 4096;
    desc[3] = describe("named", (sst_type)0);
    desc[3].fields = &field;
    desc[3].field_count = 1;
    desc[3].timelines[0] = "t";
    for (i = 0; i < 4; i++) make_stream(store, &desc[i]);
    c = copy_of(store);
    third = make_store(0, 0);
    for (i = 0; i < 4; i++) {
        sst_stream *s = open_stream(store, desc[i].name), *r = open_stream(c.store, desc[i].name);
        sst_stream *t = NULL;
        uint64_t rows = 9;
        int64_t first = 9, last = 9;
        CHECK_INT(sst_stream_info(s, &got, &rows, &first, &last), SST_OK);
        CHECK_INT(rows, 0);
        CHECK_INT(first, 0);
        CHECK_INT(last, 0);
        CHECK_INT(sst_stream_info(r, &again, NULL, NULL, NULL), SST_OK);
        same_description(&again, &got);
        CHECK_INT(sst_stream_create(third, &again, &t), SST_OK);
        CHECK_INT(sst_stream_info(t, &got, NULL, NULL, NULL), SST_OK);
        same_description(&got, &again);
        got.flags |= SST_OPEN_EXISTING;             /* and it is equal to the first one */
        sst_stream_close(s);
        CHECK_INT(sst_stream_create(store, &got, &s), SST_OK);
        CHECK_INT(sst_stream_count(store), 4);
    }
    CHECK_INT(sst_stream_info(NULL, &got, NULL, NULL, NULL), SST_ERR_ARG);
    CHECK_INT(sst_stream_info(open_stream(store, "plain"), NULL, NULL, NULL, NULL), SST_OK);
    sst_close(third);
    drop(&c);
    sst_close(store);
}

static void information_follows_rows(void) {
    sst_store *store = make_store(512, 0);
    sst_stream *stream = make_scalar(store, "x", SST_U8), *second = open_stream(store, "x");
    int64_t i;
    for (i = 0; i < 300; i++) {
        uint64_t rows = 0;
        int64_t first = 0, last = 0;
        CHECK_INT(sst_append_u8(stream, 5 + i * 2, 0), SST_OK);
        CHECK_INT(sst_stream_info(second, NULL, &rows, &first, &last), SST_OK);
        CHECK_INT(rows, i + 1);
        CHECK_INT(first, 5);
        CHECK_INT(last, 5 + i * 2);
        CHECK_INT(sst_rows(second), i + 1);
        if (i % 37 == 0) CHECK_INT(sst_flush(store), SST_OK);
    }
    sst_close(store);
}

/* Rows go from one store to another in chunks of any size, from images and from live stores. */
static void copying_views(void) {
    enum { ROWS = 1000 };
    sst_store *store = make_store(512, 0);
    sst_stream_desc desc = describe("x", SST_U32);
    sst_stream *stream;
    copy c;
    int i, k, round;
    desc.shape[0] = 2;
    desc.timelines[0] = "a";
    desc.timelines[1] = "b";
    stream = make_stream(store, &desc);
    for (i = 0; i < ROWS; i++) {
        uint32_t value[2];
        int64_t clocks[2];
        sst_row row;
        value[0] = (uint32_t)i;
        value[1] = UINT32_MAX - (uint32_t)i;
        clocks[0] = 3 * i;
        clocks[1] = -i;
        memset(&row, 0, sizeof row);
        row.time = 10 * i;
        row.value = value;
        row.timelines = clocks;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
        if (i % 171 == 0) CHECK_INT(sst_flush(store), SST_OK);
    }
    c = copy_of(store);
    for (round = 0; round < 2; round++) {
        sst_stream *from = open_stream(round == 0 ? store : c.store, "x"), *to = NULL;
        sst_store *other = make_store(round == 0 ? 512 : 1024, 0);
        sst_stream_desc like;
        sst_view view, empty;
        copy second;
        CHECK_INT(sst_stream_info(from, &like, NULL, NULL, NULL), SST_OK);
        CHECK_INT(sst_stream_create(other, &like, &to), SST_OK);
        CHECK_INT(sst_window(from, 5, 5, &empty), SST_OK);
        CHECK_INT(sst_append_view(to, &empty), SST_OK);         /* count 0 */
        for (i = 0, k = 1; i < ROWS; i += k, k = k * 2 % 301) {
            CHECK_INT(sst_slice(from, (uint64_t)i, (uint64_t)k, &view), SST_OK);
            CHECK_INT(sst_append_view(to, &view), SST_OK);
            FAILS(to, sst_append_view(to, &view), SST_ERR_ORDER);
        }
        second = copy_of(other);
        to = open_stream(second.store, "x");
        CHECK_INT(sst_slice(to, 0, ROWS + 1, &view), SST_OK);
        CHECK_INT(view.count, ROWS);
        for (i = 0; i < (int)view.count; i++) {
            CHECK_INT(view.times[i], 10 * i);
            CHECK_INT(((const uint32_t *)view.values)[2 * i], i);
            CHECK_INT(((const uint32_t *)view.values)[2 * i + 1], UINT32_MAX - (uint32_t)i);
            CHECK_INT(view.timelines[0][i], 3 * i);
            CHECK_INT(view.timelines[1][i], -i);
        }
        drop(&second);
        sst_close(other);
    }
    drop(&c);
    sst_close(store);
}

/* --- values and times at the edges -------------------------------------------------------- */

static void extreme_times(void) {
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    enum { ROWS = sizeof times / sizeof times[0] };
    int flush_each;
    for (flush_each = 0; flush_each < 2; flush_each++) {
        sst_store *store = make_store(512, 0);
        sst_stream *stream = make_scalar(store, "x", SST_I64);
        sst_view view;
        copy c;
        int i, k;
        for (i = 0; i < ROWS; i++) {
            CHECK_INT(sst_append_i64(stream, times[i], i), SST_OK);
            FAILS(stream, sst_append_i64(stream, times[i], i), SST_ERR_ORDER);
            FAILS(stream, sst_append_i64(stream, INT64_MIN, i), SST_ERR_ORDER);
            if (flush_each) CHECK_INT(sst_flush(store), SST_OK);
        }
        FAILS(stream, sst_append_i64(stream, INT64_MAX, 0), SST_ERR_ORDER);
        c = copy_of(store);
        for (k = 0; k < 2; k++) {
            sst_stream *s = open_stream(k == 0 ? store : c.store, "x");
            int64_t first = 0, last = 0;
            CHECK_INT(sst_stream_info(s, NULL, NULL, &first, &last), SST_OK);
            CHECK_INT(first, INT64_MIN);
            CHECK_INT(last, INT64_MAX);
            for (i = 0; i < ROWS; i++) {
                CHECK_INT(sst_at(s, times[i], &view), SST_OK);
                CHECK_INT(view.times[0], times[i]);
                CHECK_INT(*(const int64_t *)view.values, i);
                CHECK_INT(sst_window(s, times[i], times[i], &view), SST_OK);
                CHECK_INT(view.count, 1);
            }
            CHECK_INT(sst_window(s, INT64_MIN, INT64_MAX, &view), SST_OK);
            CHECK_INT(view.count, ROWS);
            CHECK_INT(sst_window_ex(s, INT64_MIN, INT64_MAX, SST_HALF_OPEN, &view), SST_OK);
            CHECK_INT(view.count, ROWS - 1);
            sst_stream_close(s);
        }
        drop(&c);
        sst_close(store);
    }
}

/* NaN payloads, signalling NaNs and negative zeros, by every way out. */
static void bits_survive(void) {
    static const uint64_t f64[] = {0x8000000000000000u, 0x7FF8000000000000u, 0x7FF8DEADBEEF1234u,
                                   0x7FF0000000000001u, 0xFFF4000000000000u, 0xFFFFFFFFFFFFFFFFu,
                                   0x7FF0000000000000u, 0xFFF0000000000000u, 1u, 0u};
    static const uint32_t f32[] = {0x80000000u, 0x7FC00000u, 0x7FC12345u, 0x7F800001u, 0xFFA00000u,
                                   0xFFFFFFFFu, 0x7F800000u, 0xFF800000u, 1u, 0u};
    static const uint16_t half[] = {0x8000, 0x7E00, 0x7E42, 0x7C01, 0xFD00, 0xFFFF, 0x7F81, 0xFF80,
                                    1, 0};
    static const sst_type types[4] = {SST_F64, SST_F32, SST_F16, SST_BF16};
    static const char *const names[4] = {"f64", "f32", "f16", "bf16"};
    const unsigned char *values[4];
    sst_store *store = make_store(512, 0);
    copy c;
    int type, i, k;
    values[0] = (const unsigned char *)f64;
    values[1] = (const unsigned char *)f32;
    values[2] = values[3] = (const unsigned char *)half;
    for (type = 0; type < 4; type++) {
        sst_stream *stream = make_scalar(store, names[type], types[type]);
        for (i = 0; i < 10; i++) {
            CHECK_INT(sst_append(stream, i, values[type] + (size_t)i * type_size(types[type])),
                      SST_OK);
        }
    }
    c = copy_of(store);
    for (type = 0; type < 4; type++) {
        size_t size = type_size(types[type]);
        for (k = 0; k < 2; k++) {
            sst_stream *s = open_stream(k == 0 ? store : c.store, names[type]);
            int64_t order[10], rows[10];
            unsigned char out[80];
            sst_view view;
            for (i = 0; i < 10; i++) order[i] = 9 - i;
            CHECK_INT(sst_slice(s, 0, 10, &view), SST_OK);
            CHECK_BYTES(view.values, values[type], 10 * size);
            CHECK_INT(sst_sample(s, order, 10, SST_SAMPLE_PREVIOUS, out, rows), SST_OK);
            for (i = 0; i < 10; i++) {
                CHECK_BYTES(out + i * size, values[type] + (9 - i) * size, size);
            }
            CHECK_INT(sst_gather(s, order, 10, out, NULL), SST_OK);
            for (i = 0; i < 10; i++) {
                CHECK_BYTES(out + i * size, values[type] + (9 - i) * size, size);
            }
            sst_stream_close(s);
        }
    }
    {
        sst_stream *stream = make_scalar(store, "typed", SST_F64);
        double number;
        memcpy(&number, &f64[0], sizeof number);
        CHECK_INT(sst_append_f64(stream, 0, number), SST_OK);
        check_one(store, "typed", 0, &f64[0], 8);
        memcpy(&number, &f64[2], sizeof number);    /* a quiet NaN */
        CHECK_INT(sst_append_f64(stream, 1, number), SST_OK);
        check_one(store, "typed", 1, &f64[2], 8);
    }
    drop(&c);
    sst_close(store);
}

static void errors_of_streams(void) {
    sst_store *store = make_store(512, 0);
    sst_stream *stream = make_scalar(store, "x", SST_F64);
    sst_error error;
    sst_view view;
    memset(&error, 0xFF, sizeof error);
    sst_stream_error(stream, &error);
    CHECK_INT(error.result, SST_OK);
    CHECK_INT(error.os_error, 0);
    CHECK(error.what != NULL);
    CHECK_INT(sst_append_f64(stream, 5, 1), SST_OK);
    CHECK_INT(sst_append_f64(stream, 5, 1), SST_ERR_ORDER);
    sst_stream_error(stream, &error);
    CHECK_INT(error.result, SST_ERR_ORDER);
    CHECK(error.what != NULL && error.what[0] != '\0');
    CHECK_INT(sst_append_i64(stream, 6, 1), SST_ERR_TYPE);
    sst_stream_error(stream, &error);
    CHECK_INT(error.result, SST_ERR_TYPE);
    CHECK_INT(sst_window_ex(stream, 0, 1, FOREIGN_BIT, &view), SST_ERR_ARG);
    sst_stream_error(stream, &error);
    CHECK_INT(error.result, SST_ERR_ARG);
    memset(&error, 0xFF, sizeof error);
    sst_stream_error(NULL, &error);
    CHECK_INT(error.result, SST_OK);
    CHECK_INT(error.row, 0);
    CHECK_INT(error.offset, 0);
    sst_stream_error(stream, NULL);
    sst_close(store);
}

int main(void) {
    TEST_RUN(types_and_shapes);
    TEST_RUN(good_names);
    TEST_RUN(bad_names);
    TEST_RUN(impossible_descriptions);
    TEST_RUN(unsupported_descriptions);
    TEST_RUN(contradictions);
    TEST_RUN(limit_of_a_row);
    TEST_RUN(existing_names);
    TEST_RUN(open_and_close);
    TEST_RUN(many_streams);
    TEST_RUN(limit_of_streams);
    TEST_RUN(timelines);
    TEST_RUN(gaps_end_a_description);
    TEST_RUN(one_field);
    TEST_RUN(typed_forms);
    TEST_RUN(vector_forms);
    TEST_RUN(failed_appends_change_nothing);
    TEST_RUN(many_rows_all_or_none);
    TEST_RUN(finishing);
    TEST_RUN(one_writer);
    TEST_RUN(a_failed_append_makes_no_writer);
    TEST_RUN(reading_only);
    TEST_RUN(deferred);
    TEST_RUN(deferred_rows);
    TEST_RUN(never_busy_otherwise);
    TEST_RUN(large_rows);
    TEST_RUN(information_makes_a_like_stream);
    TEST_RUN(information_follows_rows);
    TEST_RUN(copying_views);
    TEST_RUN(extreme_times);
    TEST_RUN(bits_survive);
    TEST_RUN(errors_of_streams);
    return test_done("stream");
}
