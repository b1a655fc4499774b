/* test_store.c - stores: options, images, metadata, information, verify; files, clocks, memory. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"
#include "folder.h"
#include "meter.h"

#define FOREIGN_BIT 0x80000000u     /* belongs to no family of flags */

static sst_options no_options(void) {
    sst_options options;
    memset(&options, 0, sizeof options);
    return options;
}

static sst_store *make_store(void) {
    sst_options options = no_options();
    sst_store *store = NULL;
    options.block_bytes = 512;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    return store;
}

static sst_stream *make_stream(sst_store *store, const char *name) {
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = SST_I64;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

static void append_some(sst_stream *stream, int64_t first, int64_t count) {
    int64_t i;
    for (i = first; i < first + count; i++) CHECK_INT(sst_append_i64(stream, i, i * i), SST_OK);
}

/* A copy of the image that belongs to the caller. */
static unsigned char *copy_image(sst_store *store, size_t *size) {
    const void *bytes = NULL;
    unsigned char *copy;
    *size = 0;
    CHECK_INT(sst_image(store, &bytes, size), SST_OK);
    copy = (unsigned char *)malloc(*size + 1);
    if (bytes != NULL) memcpy(copy, bytes, *size);
    return copy;
}

static sst_store *open_image(const void *bytes, size_t size) {
    sst_store *store = NULL;
    CHECK_INT(sst_open_memory(bytes, size, NULL, &store), SST_OK);
    return store;
}

/* The stream is there and has these rows, as append_some makes them. */
static void check_stream(sst_store *store, const char *name, int64_t rows) {
    sst_stream *stream = NULL;
    sst_view view;
    int64_t i;
    CHECK_INT(sst_stream_open(store, name, &stream), SST_OK);
    CHECK_INT(sst_rows(stream), rows);
    CHECK_INT(sst_slice(stream, 0, UINT64_MAX, &view), SST_OK);
    CHECK_INT(view.count, rows);
    for (i = 0; i < (int64_t)view.count; i++) {
        CHECK_INT(view.times[i], i);
        CHECK_INT(((const int64_t *)view.values)[i], i * i);
    }
    sst_stream_close(stream);
}

/* --- results and hashes ------------------------------------------------------------------- */

static void results(void) {
    static const char *const names[] = {
        "SST_OK", "SST_ERR_ARG", "SST_ERR_MEMORY", "SST_ERR_IO", "SST_ERR_FULL", "SST_ERR_EXISTS",
        "SST_ERR_NOT_FOUND", "SST_ERR_ORDER", "SST_ERR_TYPE", "SST_ERR_SHAPE", "SST_ERR_FINISHED",
        "SST_ERR_READ_ONLY", "SST_ERR_LOCKED", "SST_ERR_FORMAT", "SST_ERR_CORRUPT",
        "SST_ERR_LIMIT", "SST_ERR_UNSUPPORTED", "SST_ERR_TIMEOUT", "SST_ERR_STATE",
        "SST_ERR_BUSY",
    };
    static const int unknown[] = {1, 2, -20, -1000, INT32_MAX, INT32_MIN};
    size_t i, k;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK_TEXT(sst_result_name(-(int)i), names[i]);
        CHECK(sst_result_text(-(int)i)[0] != '\0');
        for (k = 0; k < i; k++) {
            CHECK(strcmp(sst_result_text(-(int)i), sst_result_text(-(int)k)) != 0);
        }
    }
    CHECK_TEXT(sst_result_text(SST_ERR_ORDER), "time is not increasing");
    CHECK_INT(SST_ERR_BUSY, -19);
    for (i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        CHECK_TEXT(sst_result_name(unknown[i]), "SST_ERR_UNKNOWN");
        CHECK(sst_result_text(unknown[i]) != NULL);
    }
}

/* One bit at a time, as the polynomial is written. */
static uint32_t slow_crc(const unsigned char *bytes, size_t size, uint32_t crc) {
    int bit;
    crc = ~crc;
    while (size-- > 0) {
        crc ^= *bytes++;
        for (bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void checksums(void) {
    unsigned char bytes[700];
    uint64_t seed = test_seed(1);
    size_t i, at, size;
    CHECK_INT(sst_crc32c("123456789", 9, 0), 0xE3069283u);
    CHECK_INT(sst_crc32c("", 0, 0), 0);
    CHECK_INT(sst_crc32c(NULL, 0, 0), 0);
    CHECK_INT(sst_crc32c(NULL, 0, 77), 77);
    memset(bytes, 0, 32);                           /* RFC 3720, appendix B.4 */
    CHECK_INT(sst_crc32c(bytes, 32, 0), 0x8A9136AAu);
    memset(bytes, 0xFF, 32);
    CHECK_INT(sst_crc32c(bytes, 32, 0), 0x62A8AB43u);
    for (i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    CHECK_INT(sst_crc32c(bytes, 32, 0), 0x46DD794Eu);
    for (i = 0; i < 32; i++) bytes[i] = (unsigned char)(31 - i);
    CHECK_INT(sst_crc32c(bytes, 32, 0), 0x113FDB5Cu);
    for (i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)test_random(&seed);
    for (at = 0; at < 17; at++) {                   /* every alignment and length */
        for (size = 0; size < 300; size++) {
            uint32_t want = slow_crc(bytes + at, size, 0);
            CHECK_INT(sst_crc32c(bytes + at, size, 0), want);
            CHECK_INT(sst_crc32c(bytes + at + size / 3, size - size / 3,
                                 sst_crc32c(bytes + at, size / 3, 0)), want);
        }
    }
    CHECK_INT(sst_crc32c(bytes, sizeof bytes, 0), slow_crc(bytes, sizeof bytes, 0));
}

/* --- making and closing ------------------------------------------------------------------- */

static void create_and_close(void) {
    sst_store *store = NULL;
    sst_options options = no_options();
    CHECK_INT(sst_create(NULL, NULL, &store), SST_OK);
    REQUIRE(store != NULL);
    CHECK_INT(sst_stream_count(store), 0);
    CHECK(sst_stream_name(store, 0) == NULL);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    append_some(make_stream(store, "x"), 0, 1000);
    CHECK_INT(sst_close(store), SST_OK);            /* with rows and an open handle */
    CHECK_INT(sst_close(NULL), SST_OK);
    CHECK_INT(sst_create(NULL, NULL, NULL), SST_ERR_ARG);
    store = (sst_store *)&options;
    CHECK_INT(sst_create("no such folder/run.sstore", NULL, &store), SST_ERR_NOT_FOUND);
    CHECK(store == NULL);
    CHECK_INT(sst_flush(NULL), SST_ERR_ARG);
    CHECK_INT(sst_poll(NULL), SST_ERR_ARG);
}

static void abandon(void) {
    sst_store *store = make_store(), *image;
    size_t size;
    unsigned char *bytes;
    append_some(make_stream(store, "x"), 0, 100);
    bytes = copy_image(store, &size);
    CHECK_INT(sst_abort(store), SST_OK);
    image = open_image(bytes, size);
    CHECK_INT(sst_abort(image), SST_ERR_STATE);
    check_stream(image, "x", 100);                  /* nothing happened */
    CHECK_INT(sst_close(image), SST_OK);
    CHECK_INT(sst_abort(NULL), SST_ERR_ARG);
    free(bytes);
}

static void check_option(const sst_options *options, int want) {
    sst_store *store = (sst_store *)&store;
    sst_options with_error = *options;
    sst_error error;
    memset(&error, 0xFF, sizeof error);
    with_error.error = &error;
    CHECK_INT(sst_create(NULL, &with_error, &store), want);
    CHECK_INT(error.result, want);
    CHECK(error.what != NULL);
    CHECK((store != NULL) == (want == SST_OK));
    if (want == SST_OK) CHECK_INT(sst_close(store), SST_OK);
}

static void options_are_checked(void) {
    static const uint32_t foreign[] = {FOREIGN_BIT, 0x40000000u, SST_ROW_REMOVED, SST_HALF_OPEN,
                                       SST_CARRY, SST_NO_REPLACE, SST_IO_READ, SST_IO_CREATE,
                                       SST_RAGGED, SST_UNTIMED, SST_OPEN_EXISTING};
    static const uint32_t known[] = {SST_REPLACE, SST_CREATE, SST_NO_LIVE, SST_NO_MAP,
                                     SST_NO_SYNC, SST_DEFERRED, SST_VERIFY, SST_TRUST};
    static const uint32_t bad_block[] = {1, 511, 0x40000001u, UINT32_MAX};
    static const uint32_t good_block[] = {512, 513, 4096, 0x40000000u};
    static const uint32_t bad_align[] = {1, 3, 32, 63, 65, 4095, 6144, 0x200000u, 0x80000000u};
    static const uint32_t good_align[] = {64, 512, 4096, 0x100000u};
    sst_options options = no_options();
    sst_store *store = NULL;
    size_t i, size;
    unsigned char *bytes;
    check_option(&options, SST_OK);
    for (i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        options = no_options();
        options.flags = foreign[i];
        check_option(&options, SST_ERR_ARG);
        options.flags |= SST_DEFERRED;
        check_option(&options, SST_ERR_ARG);
    }
    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        options = no_options();
        options.flags = known[i];
        check_option(&options, SST_OK);
    }
    options = no_options();
    for (i = 0; i < sizeof bad_block / sizeof bad_block[0]; i++) {
        options.block_bytes = bad_block[i];
        check_option(&options, SST_ERR_ARG);
    }
    for (i = 0; i < sizeof good_block / sizeof good_block[0]; i++) {
        options.block_bytes = good_block[i];
        check_option(&options, SST_OK);
    }
    options = no_options();
    for (i = 0; i < sizeof bad_align / sizeof bad_align[0]; i++) {
        options.sync_align = bad_align[i];
        check_option(&options, SST_ERR_ARG);
    }
    for (i = 0; i < sizeof good_align / sizeof good_align[0]; i++) {
        options.sync_align = good_align[i];
        check_option(&options, SST_OK);
    }
    store = make_store();                           /* opening checks them too */
    bytes = copy_image(store, &size);
    sst_close(store);
    options = no_options();
    options.flags = SST_HALF_OPEN;
    CHECK_INT(sst_open_memory(bytes, size, &options, &store), SST_ERR_ARG);
    CHECK(store == NULL);
    options = no_options();
    options.block_bytes = 511;
    CHECK_INT(sst_open_memory(bytes, size, &options, &store), SST_ERR_ARG);
    free(bytes);
}

/* --- identity ----------------------------------------------------------------------------- */

static int64_t fixed_now(void *user, int clock) {
    (void)user;
    (void)clock;
    return 1234567890123456789;
}

static int entropy_calls;

static int no_entropy(void *user, void *bytes, size_t size) {
    (void)user;
    (void)bytes;
    (void)size;
    entropy_calls++;
    return SST_ERR_IO;
}

/* Records the same every time; gives the image. */
static unsigned char *record_with(const sst_options *options, size_t *size) {
    sst_store *store = NULL;
    sst_stream *stream;
    unsigned char *bytes;
    CHECK_INT(sst_create(NULL, options, &store), SST_OK);
    CHECK_INT(sst_set_meta(store, "who", "test", 4), SST_OK);
    stream = make_stream(store, "x");
    append_some(stream, 0, 500);
    CHECK_INT(sst_stream_set_meta(stream, "unit", "m", 1), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    append_some(stream, 500, 20);
    CHECK_INT(sst_stream_finish(stream), SST_OK);
    bytes = copy_image(store, size);
    sst_close(store);
    return bytes;
}

static void a_seed_is_reproducible(void) {
    sst_options options = no_options();
    sst_io io = *sst_io_default();
    unsigned char *image[3];
    size_t size[3];
    io.now_ns = fixed_now;
    io.entropy = no_entropy;                        /* nothing else is asked for randomness */
    options.io = &io;
    options.block_bytes = 512;
    options.seed = 42;
    entropy_calls = 0;
    image[0] = record_with(&options, &size[0]);
    image[1] = record_with(&options, &size[1]);
    CHECK_INT(entropy_calls, 0);
    options.seed = 43;
    image[2] = record_with(&options, &size[2]);
    CHECK_INT(size[1], size[0]);
    CHECK_INT(size[2], size[0]);
    if (size[0] == size[1]) CHECK_BYTES(image[1], image[0], size[0]);
    CHECK(memcmp(image[2] + 16, image[0] + 16, 16) != 0);       /* another uuid */
    CHECK(memcmp(image[2] + 12, image[0] + 12, 4) != 0);        /* another salt */
    free(image[0]);
    free(image[1]);
    free(image[2]);
}

static void identity(void) {
    sst_options options = no_options();
    sst_io io = *sst_io_default();
    sst_store *a = NULL, *b = NULL, *image;
    sst_info ia, ib;
    unsigned char zero[16] = {0}, *bytes;
    sst_error error;
    size_t size;
    a = make_store();
    b = make_store();
    CHECK_INT(sst_store_info(a, &ia), SST_OK);
    CHECK_INT(sst_store_info(b, &ib), SST_OK);
    CHECK(memcmp(ia.uuid, ib.uuid, 16) != 0);
    CHECK(memcmp(ia.uuid, zero, 16) != 0);
    CHECK(ia.created_ns > 1500000000000000000);
    sst_close(a);
    sst_close(b);

    io.now_ns = fixed_now;
    options.io = &io;
    CHECK_INT(sst_create(NULL, &options, &a), SST_OK);
    memset(&io, 0xFF, sizeof io);                   /* was copied */
    CHECK_INT(sst_store_info(a, &ia), SST_OK);
    CHECK_INT(ia.created_ns, 1234567890123456789);
    bytes = copy_image(a, &size);
    image = open_image(bytes, size);
    CHECK_INT(sst_store_info(image, &ib), SST_OK);
    CHECK_INT(ib.created_ns, ia.created_ns);
    CHECK_BYTES(ib.uuid, ia.uuid, 16);
    CHECK_BYTES(bytes + 16, ia.uuid, 16);
    sst_close(image);
    sst_close(a);
    free(bytes);

    memset(&io, 0, sizeof io);                      /* a host that offers nothing */
    options.io = &io;
    options.error = &error;
    CHECK_INT(sst_create(NULL, &options, &a), SST_ERR_ARG);
    CHECK(a == NULL);
    CHECK_INT(error.result, SST_ERR_ARG);
    options.seed = 1;
    CHECK_INT(sst_create(NULL, &options, &a), SST_OK);
    CHECK_INT(sst_store_info(a, &ia), SST_OK);
    CHECK_INT(ia.created_ns, 0);
    append_some(make_stream(a, "x"), 0, 100);
    check_stream(a, "x", 100);
    sst_close(a);

    io.entropy = no_entropy;
    options.seed = 0;
    CHECK_INT(sst_create(NULL, &options, &a), SST_ERR_IO);
    CHECK(a == NULL);
    CHECK_INT(error.result, SST_ERR_IO);
}

/* --- images ------------------------------------------------------------------------------- */

static void images(void) {
    sst_store *store = make_store(), *image;
    sst_stream *stream = make_stream(store, "x"), *other;
    const void *bytes = NULL, *again = NULL;
    unsigned char *first, *second, *third;
    size_t size = 0, size_again = 0, first_size, second_size, third_size;
    CHECK_INT(sst_image(NULL, &bytes, &size), SST_ERR_ARG);
    CHECK_INT(sst_image(store, NULL, &size), SST_ERR_ARG);
    CHECK_INT(sst_image(store, &bytes, NULL), SST_ERR_ARG);

    append_some(stream, 0, 10);
    first = copy_image(store, &first_size);
    CHECK(first_size % 64 == 0 && first_size > 64);
    CHECK_BYTES(first, "\x89SST\r\n\x1A\n", 8);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);         /* nothing new: the same */
    CHECK_INT(size, first_size);
    if (size == first_size) CHECK_BYTES(bytes, first, size);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_poll(store), SST_OK);
    CHECK_INT(sst_image(store, &again, &size_again), SST_OK);
    CHECK_INT(size_again, first_size);

    append_some(stream, 10, 500);                   /* it goes on behind what there was */
    second = copy_image(store, &second_size);
    CHECK(second_size > first_size);
    CHECK_BYTES(second, first, first_size);
    other = make_stream(store, "y");
    append_some(other, 0, 1);
    CHECK_INT(sst_set_meta(store, "k", "v", 1), SST_OK);
    third = copy_image(store, &third_size);
    CHECK(third_size > second_size);
    CHECK_BYTES(third, second, second_size);
    append_some(stream, 510, 5);
    CHECK_INT(sst_close(store), SST_OK);

    image = open_image(first, first_size);          /* each is whole, and stays what it was */
    check_stream(image, "x", 10);
    CHECK_INT(sst_stream_count(image), 1);
    sst_close(image);
    image = open_image(second, second_size);
    check_stream(image, "x", 510);
    sst_close(image);
    image = open_image(third, third_size);
    check_stream(image, "x", 510);
    check_stream(image, "y", 1);
    CHECK_INT(sst_image(image, &bytes, &size), SST_ERR_READ_ONLY);
    CHECK_INT(sst_flush(image), SST_ERR_READ_ONLY);
    CHECK_INT(sst_poll(image), SST_ERR_READ_ONLY);
    sst_close(image);
    free(first);
    free(second);
    free(third);
}

static void image_of_nothing(void) {
    sst_store *store = make_store(), *image;
    size_t size;
    unsigned char *bytes = copy_image(store, &size);
    image = open_image(bytes, size);
    CHECK_INT(sst_stream_count(image), 0);
    CHECK_INT(sst_verify(image, NULL), SST_OK);
    sst_close(image);
    free(bytes);
    make_stream(store, "empty");                    /* a stream without rows */
    bytes = copy_image(store, &size);
    image = open_image(bytes, size);
    check_stream(image, "empty", 0);
    sst_close(image);
    free(bytes);
    sst_close(store);
}

/* The image as it is lent, without a copy, opened several times. */
static void lent_image(void) {
    sst_store *store = make_store(), *a, *b;
    const void *bytes = NULL;
    size_t size = 0;
    append_some(make_stream(store, "x"), 0, 300);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    a = open_image(bytes, size);
    b = open_image(bytes, size);
    check_stream(a, "x", 300);
    check_stream(b, "x", 300);
    check_stream(store, "x", 300);
    sst_close(a);
    check_stream(b, "x", 300);
    sst_close(b);
    sst_close(store);
}

static void image_in_a_file(void) {
    sst_store *store = make_store(), *image;
    const void *bytes = NULL;
    unsigned char *memory;
    size_t size = 0, length;
    FILE *file = tmpfile();
    REQUIRE(file != NULL);
    append_some(make_stream(store, "x"), 0, 10000);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    CHECK_INT(fwrite(bytes, 1, size, file), size);
    sst_close(store);
    rewind(file);
    memory = (unsigned char *)malloc(size + 1);
    length = fread(memory, 1, size + 1, file);
    CHECK_INT(length, size);
    fclose(file);
    image = open_image(memory, length);
    check_stream(image, "x", 10000);
    CHECK_INT(sst_verify(image, NULL), SST_OK);
    sst_close(image);
    free(memory);
}

/* A large one: it has grown many times. */
static void large_image(void) {
    sst_store *store = NULL, *image;
    sst_stream *stream;
    size_t size;
    unsigned char *bytes;
    int64_t i;
    CHECK_INT(sst_create(NULL, NULL, &store), SST_OK);          /* blocks of the default size */
    stream = make_stream(store, "x");
    for (i = 0; i < 300000; i++) {
        if (sst_append_i64(stream, i, i * i) != SST_OK) {
            CHECK(!"appended");
            break;
        }
    }
    bytes = copy_image(store, &size);
    CHECK(size > 300000u * 16);
    CHECK(size < 300000u * 16 + 300000u * 16 / 10);             /* little besides the rows */
    sst_close(store);
    image = open_image(bytes, size);
    check_stream(image, "x", 300000);
    sst_close(image);
    free(bytes);
}

/* Header fields as in >>format; mended checksums. */
static void put_header(unsigned char *image, size_t at, unsigned char value) {
    uint32_t crc;
    int i;
    image[at] = value;
    crc = sst_crc32c(image, 60, 0);
    for (i = 0; i < 4; i++) image[60 + i] = (unsigned char)(crc >> 8 * i);
}

static int opens(const unsigned char *bytes, size_t size) {
    sst_store *store = NULL;
    int result = sst_open_memory(bytes, size, NULL, &store);
    CHECK((store != NULL) == (result == SST_OK));
    sst_close(store);
    return result;
}

static void what_is_not_a_store(void) {
    sst_store *store = make_store();
    size_t size;
    unsigned char *bytes, *copy, junk[256];
    sst_options options = no_options();
    sst_error error;
    append_some(make_stream(store, "x"), 0, 50);
    bytes = copy_image(store, &size);
    copy = (unsigned char *)malloc(size);
    sst_close(store);

    CHECK_INT(sst_open_memory(NULL, 10, NULL, &store), SST_ERR_ARG);
    CHECK(store == NULL);
    CHECK_INT(sst_open_memory(bytes, size, NULL, NULL), SST_ERR_ARG);
    CHECK_INT(opens(bytes, 0), SST_ERR_FORMAT);
    CHECK_INT(opens(bytes, 1), SST_ERR_FORMAT);
    CHECK_INT(opens(bytes, 63), SST_ERR_FORMAT);
    memset(junk, 0, sizeof junk);
    CHECK_INT(opens(junk, sizeof junk), SST_ERR_FORMAT);
    memset(junk, 0x5A, sizeof junk);
    CHECK_INT(opens(junk, sizeof junk), SST_ERR_FORMAT);
    options.error = &error;
    CHECK_INT(sst_open_memory(junk, sizeof junk, &options, &store), SST_ERR_FORMAT);
    CHECK_INT(error.result, SST_ERR_FORMAT);
    CHECK(error.what != NULL);
    CHECK_INT(sst_open_memory(bytes, size, &options, &store), SST_OK);
    CHECK_INT(error.result, SST_OK);
    sst_close(store);

    memcpy(copy, bytes, size);
    put_header(copy, 8, 2);                         /* another major version */
    CHECK_INT(opens(copy, size), SST_ERR_UNSUPPORTED);
    memcpy(copy, bytes, size);
    put_header(copy, 10, 9);                        /* a larger minor one */
    CHECK_INT(opens(copy, size), SST_OK);
    memcpy(copy, bytes, size);
    put_header(copy, 40, 1);                        /* a feature that may be ignored */
    CHECK_INT(opens(copy, size), SST_OK);
    memcpy(copy, bytes, size);
    put_header(copy, 43, 0x40);                     /* one that must be understood */
    CHECK_INT(opens(copy, size), SST_ERR_UNSUPPORTED);
    free(bytes);
    free(copy);
}

/* --- information, verify ------------------------------------------------------------------ */

static void information(void) {
    sst_store *store = make_store(), *image;
    sst_stream *stream = make_stream(store, "x");
    sst_info info;
    size_t size;
    unsigned char *bytes;
    uint64_t before;
    CHECK_INT(sst_store_info(NULL, &info), SST_ERR_ARG);
    CHECK_INT(sst_store_info(store, NULL), SST_ERR_ARG);
    memset(&info, 0xFF, sizeof info);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK_INT(info.state, SST_MEMORY);
    CHECK_INT(info.streams, 1);
    CHECK_INT(info.synced_bytes, 0);
    CHECK_INT(info.torn_bytes, 0);
    CHECK_INT(info.recovered_rows, 0);
    CHECK_INT(info.sticky, SST_OK);
    CHECK(!info.kill_safe && !info.tail_missing);
    before = info.file_bytes;
    append_some(stream, 0, 100);
    CHECK_INT(sst_flush(store), SST_OK);
    make_stream(store, "y");
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK(info.file_bytes > before + 1600);
    CHECK_INT(info.streams, 2);
    bytes = copy_image(store, &size);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK_INT(info.file_bytes, size);
    CHECK_INT(info.state, SST_MEMORY);
    image = open_image(bytes, size);
    memset(&info, 0xFF, sizeof info);
    CHECK_INT(sst_store_info(image, &info), SST_OK);
    CHECK_INT(info.state, SST_FINISHED);
    CHECK_INT(info.streams, 2);
    CHECK_INT(info.file_bytes, size);
    CHECK_INT(info.torn_bytes, 0);
    CHECK_INT(info.sticky, SST_OK);
    CHECK(!info.tail_missing);
    sst_close(image);
    image = open_image(bytes, size - 64);           /* without END */
    CHECK_INT(sst_store_info(image, &info), SST_OK);
    CHECK_INT(info.state, SST_CRASHED);
    CHECK_INT(info.file_bytes + info.torn_bytes, size - 64);
    check_stream(image, "x", 100);
    sst_close(image);
    sst_close(store);
    free(bytes);
}

static void errors_of_stores(void) {
    sst_store *store = make_store();
    sst_stream *stream;
    sst_error error;
    memset(&error, 0xFF, sizeof error);
    sst_store_error(store, &error);
    CHECK_INT(error.result, SST_OK);
    CHECK(error.what != NULL);
    CHECK_INT(sst_stream_open(store, "absent", &stream), SST_ERR_NOT_FOUND);
    sst_store_error(store, &error);
    CHECK_INT(error.result, SST_ERR_NOT_FOUND);
    CHECK(error.what != NULL && error.what[0] != '\0');
    CHECK_INT(sst_set_meta(store, "", "v", 1), SST_ERR_ARG);
    sst_store_error(store, &error);
    CHECK_INT(error.result, SST_ERR_ARG);
    memset(&error, 0xFF, sizeof error);
    sst_store_error(NULL, &error);
    CHECK_INT(error.result, SST_OK);
    CHECK_INT(error.offset, 0);
    sst_store_error(store, NULL);
    sst_close(store);
}

static uint64_t get_le(const unsigned char *bytes, int count) {
    uint64_t value = 0;
    while (count-- > 0) value = value << 8 | bytes[count];
    return value;
}

static uint64_t count_records(const unsigned char *image, size_t size) {
    uint64_t offset = 64, count = 0;
    while (offset + 64 <= size && memcmp(image + offset, "SREC", 4) == 0) {
        count++;
        offset += 64 + (get_le(image + offset + 24, 8) + 63) / 64 * 64;
    }
    CHECK_INT(offset, size);
    return count;
}

static void verify_sound_stores(void) {
    sst_store *store = make_store(), *image;
    sst_stream *x = make_stream(store, "x"), *y = make_stream(store, "y");
    sst_report report;
    sst_damage damage[2];
    size_t size;
    unsigned char *bytes;
    CHECK_INT(sst_verify(NULL, &report), SST_ERR_ARG);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    append_some(x, 0, 1000);
    append_some(y, 0, 3);
    CHECK_INT(sst_set_meta(store, "k", "v", 1), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    append_some(y, 3, 1);                           /* a tail is not counted */
    memset(&report, 0xFF, sizeof report);
    memset(damage, 0xEE, sizeof damage);
    report.damage = damage;
    report.damage_capacity = 2;
    CHECK_INT(sst_verify(store, &report), SST_OK);
    CHECK_INT(report.rows, 1003);
    CHECK_INT(report.damage_count, 0);
    CHECK_INT(report.torn_bytes, 0);
    CHECK_INT(((unsigned char *)damage)[0], 0xEE);
    bytes = copy_image(store, &size);
    image = open_image(bytes, size);
    memset(&report, 0xFF, sizeof report);
    report.damage = NULL;
    report.damage_capacity = 0;
    CHECK_INT(sst_verify(image, &report), SST_OK);
    CHECK_INT(report.rows, 1004);
    CHECK_INT(report.records, count_records(bytes, size));
    CHECK_INT(report.bytes, size);
    CHECK_INT(report.torn_bytes, 0);
    CHECK_INT(report.damage_count, 0);
    check_stream(image, "x", 1000);
    sst_close(image);
    sst_close(store);
    free(bytes);
}

/* --- metadata ----------------------------------------------------------------------------- */

/* The same tests on the metadata of a store and of a stream. */
typedef struct owner {
    sst_store *store;
    sst_stream *stream;             /* NULL: the store's */
} owner;

static int set(owner o, const char *key, const void *value, size_t size) {
    return o.stream != NULL ? sst_stream_set_meta(o.stream, key, value, size)
                            : sst_set_meta(o.store, key, value, size);
}

static int get(owner o, const char *key, const void **value, size_t *size) {
    return o.stream != NULL ? sst_stream_get_meta(o.stream, key, value, size)
                            : sst_get_meta(o.store, key, value, size);
}

static int unset(owner o, const char *key) {
    return o.stream != NULL ? sst_stream_remove_meta(o.stream, key)
                            : sst_remove_meta(o.store, key);
}

static int meta_at(owner o, uint32_t index, const char **key, const void **value, size_t *size) {
    return o.stream != NULL ? sst_stream_meta_at(o.stream, index, key, value, size)
                            : sst_meta_at(o.store, index, key, value, size);
}

static void check_value(owner o, const char *key, const void *want, size_t want_size) {
    const void *value = NULL;
    size_t size = 12345;
    CHECK_INT(get(o, key, &value, &size), SST_OK);
    CHECK_INT(size, want_size);
    CHECK(value != NULL);
    if (value == NULL || size != want_size) return;
    CHECK_BYTES(value, want, size);
    CHECK_INT(((const char *)value)[size], 0);
}

/* What use_metadata leaves behind. */
static void check_metadata(owner o, const char *long_key, const char *big) {
    static const char *const order[] = {"first", "second", "binary", "empty", "\xC3\xA9"};
    const char *key;
    const void *value;
    size_t size;
    uint32_t i;
    check_value(o, "first", "changed", 7);
    check_value(o, "second", "2", 1);
    check_value(o, "binary", "\0\xFF\0", 3);
    check_value(o, "empty", "", 0);
    check_value(o, "\xC3\xA9", "e", 1);
    check_value(o, long_key, big, 100000);
    CHECK_INT(get(o, "third", &value, &size), SST_ERR_NOT_FOUND);
    for (i = 0; i < 6; i++) {
        key = NULL;
        CHECK_INT(meta_at(o, i, &key, &value, &size), SST_OK);
        REQUIRE(key != NULL);
        CHECK_TEXT(key, i < 5 ? order[i] : long_key);
        check_value(o, key, value, size);
    }
    CHECK_INT(meta_at(o, 6, &key, &value, &size), SST_ERR_NOT_FOUND);
    CHECK_INT(meta_at(o, UINT32_MAX, &key, &value, &size), SST_ERR_NOT_FOUND);
    CHECK_INT(meta_at(o, 0, NULL, NULL, NULL), SST_OK);
    CHECK_INT(get(o, "first", NULL, NULL), SST_OK);
    CHECK_INT(get(o, "first", NULL, &size), SST_OK);
    CHECK_INT(size, 7);
}

static void use_metadata(owner o, const char *long_key, const char *too_long, const char *big) {
    static const char *const bad[] = {"", "\x80", "\xC0\x80", "\xED\xA0\x80", "a\xF4\x90\x80\x80"};
    const void *value = NULL, *kept = NULL;
    const char *key;
    size_t size = 5, i;
    char buffer[8] = "first";
    CHECK_INT(get(o, "first", &value, &size), SST_ERR_NOT_FOUND);
    CHECK_INT(meta_at(o, 0, &key, &value, &size), SST_ERR_NOT_FOUND);
    CHECK_INT(unset(o, "first"), SST_ERR_NOT_FOUND);
    CHECK_INT(set(o, buffer, "1", 1), SST_OK);
    buffer[0] = 'F';                                /* was copied */
    CHECK_INT(set(o, "second", "2", 1), SST_OK);
    CHECK_INT(get(o, "second", &kept, NULL), SST_OK);
    CHECK_INT(set(o, "third", "3", 1), SST_OK);
    CHECK_INT(set(o, "binary", "\0\xFF\0", 3), SST_OK);
    CHECK_INT(set(o, "empty", NULL, 0), SST_OK);
    CHECK_INT(set(o, "first", "changed", 7), SST_OK);           /* keeps its place */
    CHECK_INT(set(o, "\xC3\xA9", "e", 1), SST_OK);
    CHECK_INT(set(o, long_key, big, 100000), SST_OK);
    CHECK_INT(unset(o, "third"), SST_OK);
    CHECK_INT(unset(o, "third"), SST_ERR_NOT_FOUND);
    CHECK_TEXT((const char *)kept, "2");            /* lent all the while */

    CHECK_INT(set(o, NULL, "v", 1), SST_ERR_ARG);
    CHECK_INT(set(o, "first", NULL, 1), SST_ERR_ARG);
    CHECK_INT(set(o, too_long, "v", 1), SST_ERR_ARG);
    CHECK_INT(get(o, NULL, &value, &size), SST_ERR_ARG);
    CHECK_INT(unset(o, NULL), SST_ERR_ARG);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_INT(set(o, bad[i], "v", 1), SST_ERR_ARG);
    }
    check_metadata(o, long_key, big);
}

static void metadata(void) {
    sst_store *store = make_store();
    char *long_key = (char *)malloc(SST_MAX_NAME + 1u);
    char *too_long = (char *)malloc(SST_MAX_NAME + 2u);
    char *big = (char *)malloc(100000);
    unsigned char *bytes;
    size_t image_size, size, i;
    const void *value;
    owner owners[3], image[3];
    int k;
    memset(long_key, 'k', SST_MAX_NAME);
    long_key[SST_MAX_NAME] = '\0';
    memset(too_long, 'k', SST_MAX_NAME + 1u);
    too_long[SST_MAX_NAME + 1u] = '\0';
    for (i = 0; i < 100000; i++) big[i] = (char)(i * 31);
    owners[0].store = owners[1].store = owners[2].store = store;
    owners[0].stream = NULL;
    owners[1].stream = make_stream(store, "one");
    owners[2].stream = make_stream(store, "two");
    use_metadata(owners[0], long_key, too_long, big);
    append_some(owners[1].stream, 0, 40);
    use_metadata(owners[1], long_key, too_long, big);
    CHECK_INT(get(owners[2], "first", &value, &size), SST_ERR_NOT_FOUND);
    CHECK_INT(sst_stream_finish(owners[2].stream), SST_OK);

    bytes = copy_image(store, &image_size);
    for (k = 0; k < 2; k++) {                       /* by the index, and by hopping */
        image[0].store = open_image(bytes, k == 0 ? image_size : image_size - 64);
        image[0].stream = NULL;
        image[1] = image[2] = image[0];
        CHECK_INT(sst_stream_open(image[0].store, "one", &image[1].stream), SST_OK);
        CHECK_INT(sst_stream_open(image[0].store, "two", &image[2].stream), SST_OK);
        check_metadata(image[0], long_key, big);
        check_metadata(image[1], long_key, big);
        CHECK_INT(get(image[2], "first", &value, &size), SST_ERR_NOT_FOUND);
        CHECK_INT(set(image[0], "first", "x", 1), SST_ERR_READ_ONLY);
        CHECK_INT(set(image[1], "first", "x", 1), SST_ERR_READ_ONLY);
        CHECK_INT(unset(image[0], "first"), SST_ERR_READ_ONLY);
        CHECK_INT(unset(image[0], "absent"), SST_ERR_READ_ONLY);
        CHECK_INT(unset(image[1], "first"), SST_ERR_READ_ONLY);
        check_metadata(image[0], long_key, big);
        sst_close(image[0].store);
    }
    CHECK_INT(sst_set_meta(NULL, "k", "v", 1), SST_ERR_ARG);
    CHECK_INT(sst_get_meta(NULL, "k", &value, &size), SST_ERR_ARG);
    CHECK_INT(sst_remove_meta(NULL, "k"), SST_ERR_ARG);
    CHECK_INT(sst_meta_at(NULL, 0, NULL, &value, &size), SST_ERR_ARG);
    CHECK_INT(sst_stream_set_meta(NULL, "k", "v", 1), SST_ERR_ARG);
    CHECK_INT(sst_stream_get_meta(NULL, "k", &value, &size), SST_ERR_ARG);
    CHECK_INT(sst_stream_remove_meta(NULL, "k"), SST_ERR_ARG);
    CHECK_INT(sst_stream_meta_at(NULL, 0, NULL, &value, &size), SST_ERR_ARG);
    sst_close(store);
    free(bytes);
    free(long_key);
    free(too_long);
    free(big);
}

/* Set and removed many times: what is in force at each image. */
static void metadata_over_time(void) {
    sst_store *store = make_store();
    int i;
    for (i = 0; i < 200; i++) {
        char text[32];
        const void *value;
        size_t size;
        snprintf(text, sizeof text, "value %d", i);
        CHECK_INT(sst_set_meta(store, "k", text, strlen(text)), SST_OK);
        CHECK_INT(sst_set_meta(store, "k", text, strlen(text)), SST_OK);
        if (i % 3 == 0) CHECK_INT(sst_remove_meta(store, "k"), SST_OK);
        if (i % 50 < 2) {
            unsigned char *bytes = copy_image(store, &size);
            sst_store *image = open_image(bytes, size);
            CHECK_INT(sst_get_meta(image, "k", &value, &size),
                      i % 3 == 0 ? SST_ERR_NOT_FOUND : SST_OK);
            if (i % 3 != 0) CHECK_TEXT((const char *)value, text);
            sst_close(image);
            free(bytes);
        }
    }
    sst_close(store);
}

/* --- memory ------------------------------------------------------------------------------- */

static void memory_bounds(void) {
    enum { STREAMS = 5 };
    static const uint32_t blocks[3] = {0, 512, 70000};
    sst_stream_desc descs[STREAMS];
    sst_options options = no_options();
    size_t none, bound;
    int i, k;
    memset(descs, 0, sizeof descs);
    descs[0].name = "a";
    descs[0].type = SST_U8;
    descs[1].name = "a rather long name, to be copied, as all names are";
    descs[1].type = SST_F64;
    descs[1].shape[0] = 6;
    descs[2].name = "c";
    descs[2].type = SST_I64;
    descs[2].timelines[0] = "capture";
    descs[2].timelines[1] = "arrival";
    descs[3].name = "d";
    descs[3].type = SST_U8;
    descs[3].shape[0] = 640;
    descs[3].shape[1] = 480;
    descs[4].name = "e";
    descs[4].type = SST_F32;
    descs[4].block_bytes = 8192;
    for (k = 0; k < 3; k++) {
        sst_arena arena;
        sst_allocator allocator;
        sst_store *store = NULL;
        sst_stream *stream = NULL;
        options = no_options();
        options.block_bytes = blocks[k];
        options.seed = 9;
        none = sst_memory_bound(&options, NULL, 0);
        bound = sst_memory_bound(&options, descs, STREAMS);
        CHECK(none > 0 && bound > none);
        memset(&arena, 0, sizeof arena);
        arena.memory = malloc(bound);
        arena.size = bound;
        allocator = sst_arena_allocator(&arena);
        options.allocator = &allocator;
        CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
        for (i = 0; i < STREAMS; i++) {
            CHECK_INT(sst_stream_create(store, &descs[i], &stream), SST_OK);
            if (i == 4) CHECK_INT(sst_append_f32(stream, 1, 2), SST_OK);
        }
        CHECK(arena.used <= arena.peak && arena.peak <= bound && arena.used > 0);
        CHECK_INT(sst_close(store), SST_OK);
        free(arena.memory);
    }
    CHECK(sst_memory_bound(NULL, NULL, 0) > 0);
    options = no_options();
    descs[2].name = "";
    CHECK_INT(sst_memory_bound(&options, descs, STREAMS), 0);
    descs[2].name = "c";
    descs[2].type = (sst_type)99;
    CHECK_INT(sst_memory_bound(&options, descs, STREAMS), 0);
}

/* Records until the arena is full: what was appended stays readable, and an image may still fit. */
static void full_arena(void) {
    size_t size;
    for (size = 0; size < 100000; size = size * 5 / 4 + 64) {
        sst_arena arena;
        sst_allocator allocator;
        sst_options options = no_options();
        sst_stream_desc desc;
        sst_store *store = NULL;
        sst_stream *stream = NULL;
        int64_t rows = 0;
        int result;
        memset(&arena, 0, sizeof arena);
        memset(&desc, 0, sizeof desc);
        arena.memory = malloc(size + 1);
        arena.size = size;
        allocator = sst_arena_allocator(&arena);
        options.allocator = &allocator;
        options.block_bytes = 512;
        options.seed = 5;
        desc.name = "x";
        desc.type = SST_I64;
        result = sst_create(NULL, &options, &store);
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        CHECK((store != NULL) == (result == SST_OK));
        if (result == SST_OK) {
            result = sst_stream_create(store, &desc, &stream);
            CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        }
        while (result == SST_OK && (result = sst_append_i64(stream, rows, rows * rows)) == SST_OK) {
            rows++;
        }
        CHECK_INT(result, SST_ERR_MEMORY);
        CHECK_INT(sst_rows(stream), rows);
        if (rows > 0) {
            int64_t row = rows - 1, value = 0;
            uint64_t number = 99;
            result = sst_locate(stream, rows, SST_AT_OR_BEFORE, &number);
            CHECK(result == SST_OK || result == SST_ERR_MEMORY);
            if (result == SST_OK) CHECK_INT(number, rows - 1);
            result = sst_gather(stream, &row, 1, &value, NULL);
            CHECK(result == SST_OK || result == SST_ERR_MEMORY);
            if (result == SST_OK) CHECK_INT(value, row * row);
        }
        CHECK(arena.used <= arena.size && arena.peak <= arena.size);
        CHECK_INT(sst_close(store), SST_OK);
        free(arena.memory);
    }
}

/* Every size the library gives back is the one it asked for, and nothing is left. */
static void allocator_contract(void) {
    meter m;
    sst_allocator allocator = meter_allocator(&m);
    sst_options options = no_options();
    sst_store *store = NULL, *image = NULL;
    unsigned char *bytes;
    size_t size;
    uint64_t calls, blocks;
    options.allocator = &allocator;
    options.block_bytes = 512;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    memset(&allocator, 0xFF, sizeof allocator);     /* was copied */
    append_some(make_stream(store, "x"), 0, 2000);
    CHECK_INT(sst_set_meta(store, "k", "v", 1), SST_OK);
    check_stream(store, "x", 2000);
    bytes = copy_image(store, &size);
    CHECK(m.blocks > 0 && m.now >= size);
    sst_close(store);
    CHECK_INT(m.blocks, 0);
    CHECK_INT(m.now, 0);
    allocator = meter_allocator(&m);
    CHECK_INT(sst_open_memory(bytes, size, &options, &image), SST_OK);
    check_stream(image, "x", 2000);
    {
        sst_stream *stream = NULL;
        sst_view view;
        int64_t i;
        CHECK_INT(sst_stream_open(image, "x", &stream), SST_OK);
        for (i = 0; i < 2; i++) {                   /* scratch grows once */
            calls = m.calls;
            blocks = m.blocks;
            CHECK_INT(sst_slice(stream, 3, 1900, &view), SST_OK);
            CHECK_INT(sst_window(stream, 10, 700, &view), SST_OK);
            CHECK_INT(sst_at(stream, 55, &view), SST_OK);
        }
        CHECK(m.calls == calls && m.blocks == blocks);
    }
    sst_close(image);
    CHECK_INT(m.blocks, 0);
    free(bytes);
}

/* The append path asks for no memory except when a block is sealed. */
static void appending_allocates_nothing(void) {
    meter m;
    sst_allocator allocator = meter_allocator(&m);
    sst_options options = no_options();
    sst_store *store = NULL;
    sst_stream *stream;
    uint64_t calls, blocks;
    options.allocator = &allocator;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    stream = make_stream(store, "x");
    append_some(stream, 0, 1);
    calls = m.calls;
    blocks = m.blocks;
    append_some(stream, 1, 500);                    /* less than 16 KiB of columns */
    CHECK(m.calls == calls && m.blocks == blocks);
    sst_close(store);
}

/* --- files, clocks, randomness ------------------------------------------------------------ */

static void write_all(const sst_io *io, void *file, uint64_t offset, const void *bytes,
                      size_t size) {
    size_t done = 0, step = 0;
    while (done < size) {
        CHECK_INT(io->write_at(io->user, file, offset + done, (const char *)bytes + done,
                               size - done, &step), SST_OK);
        REQUIRE(step > 0 && step <= size - done);
        done += step;
    }
}

static size_t read_some(const sst_io *io, void *file, uint64_t offset, void *bytes, size_t size) {
    size_t done = 0, step = 1;
    while (done < size && step > 0) {
        step = 0;
        CHECK_INT(io->read_at(io->user, file, offset + done, (char *)bytes + done, size - done,
                              &step), SST_OK);
        if (step > size - done) return SIZE_MAX;
        done += step;
    }
    return done;
}

static uint64_t file_size(const sst_io *io, void *file) {
    uint64_t size = UINT64_MAX;
    CHECK_INT(io->size(io->user, file, &size), SST_OK);
    return size;
}

static void io_open_modes(void) {
    const sst_io *io = sst_io_default();
    void *file = NULL;
    unsigned char byte = 7;
    size_t done = 0;
    REQUIRE(io != NULL);
    CHECK(io == sst_io_default());
    REQUIRE(make_folder("test_store"));
    CHECK_INT(io->open(io->user, at("a"), SST_IO_READ, &file), SST_ERR_NOT_FOUND);
    CHECK_INT(io->open(io->user, at("a"), SST_IO_READ | SST_IO_WRITE, &file),
              SST_ERR_NOT_FOUND);
    CHECK_INT(io->open(io->user, at("no/a"), SST_IO_WRITE | SST_IO_CREATE, &file),
              SST_ERR_NOT_FOUND);
    CHECK_INT(io->open(io->user, at("a"), SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE |
                       SST_IO_EXCLUSIVE, &file), SST_OK);
    write_all(io, file, 0, "hello", 5);
    CHECK_INT(io->close(io->user, file), SST_OK);
    CHECK_INT(io->open(io->user, at("a"), SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE |
                       SST_IO_EXCLUSIVE, &file), SST_ERR_EXISTS);
    CHECK_INT(io->open(io->user, at("a"), SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE,
                       &file), SST_OK);
    CHECK_INT(file_size(io, file), 5);              /* present is opened, never truncated */
    CHECK_INT(io->close(io->user, file), SST_OK);
    CHECK_INT(io->open(io->user, at("a"), SST_IO_READ, &file), SST_OK);
    CHECK(io->write_at(io->user, file, 0, &byte, 1, &done) != SST_OK);
    CHECK_INT(io->read_at(io->user, file, 4, &byte, 1, &done), SST_OK);
    CHECK_INT(done, 1);
    CHECK_INT(byte, 'o');
    CHECK_INT(io->close(io->user, file), SST_OK);

    CHECK_INT(io->rename(io->user, at("a"), at("b")), SST_OK);
    CHECK_INT(io->sync_dir(io->user, at("b")), SST_OK);
    CHECK_INT(io->open(io->user, at("a"), SST_IO_READ, &file), SST_ERR_NOT_FOUND);
    CHECK_INT(io->rename(io->user, at("a"), at("c")), SST_ERR_NOT_FOUND);
    CHECK_INT(io->remove(io->user, at("a")), SST_ERR_NOT_FOUND);
    CHECK_INT(io->remove(io->user, at("b")), SST_OK);
    CHECK_INT(io->open(io->user, at("b"), SST_IO_READ, &file), SST_ERR_NOT_FOUND);
    CHECK_INT(rmdir(folder), 0);
}

static void io_contents(void) {
    const sst_io *io = sst_io_default();
    void *file = NULL, *base = NULL;
    unsigned char bytes[300], zero[300];
    int result;
    memset(zero, 0, sizeof zero);
    REQUIRE(make_folder("test_store"));
    CHECK_INT(io->open(io->user, at("f"), SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE,
                       &file), SST_OK);
    REQUIRE(file != NULL);
    CHECK_INT(file_size(io, file), 0);
    CHECK_INT(read_some(io, file, 0, bytes, 10), 0);
    write_all(io, file, 1000, "abc", 3);            /* beyond the end: a hole of zeros */
    CHECK_INT(file_size(io, file), 1003);
    memset(bytes, 0xFF, sizeof bytes);
    CHECK_INT(read_some(io, file, 900, bytes, sizeof bytes), 103);
    CHECK_BYTES(bytes, zero, 100);
    CHECK_BYTES(bytes + 100, "abc", 3);
    CHECK_INT(bytes[103], 0xFF);
    CHECK_INT(read_some(io, file, 1003, bytes, 10), 0);
    CHECK_INT(read_some(io, file, 5000, bytes, 10), 0);
    write_all(io, file, 1001, "XY", 2);
    CHECK_INT(read_some(io, file, 1000, bytes, 3), 3);
    CHECK_BYTES(bytes, "aXY", 3);
    CHECK_INT(io->sync(io->user, file), SST_OK);

    result = io->reserve(io->user, file, 200000);
    CHECK(result == SST_OK || result == SST_ERR_UNSUPPORTED);
    CHECK_INT(file_size(io, file), 1003);
    CHECK_INT(io->resize(io->user, file, 8192), SST_OK);
    CHECK_INT(file_size(io, file), 8192);
    CHECK_INT(read_some(io, file, 1003, bytes, 300), 300);
    CHECK_BYTES(bytes, zero, 300);
    CHECK_INT(io->resize(io->user, file, 1002), SST_OK);
    CHECK_INT(file_size(io, file), 1002);
    CHECK_INT(read_some(io, file, 1000, bytes, 10), 2);
    CHECK_INT(io->resize(io->user, file, 65536 * 2), SST_OK);

    CHECK_INT(io->map(io->user, file, 65536, 4096, SST_IO_READ | SST_IO_WRITE, &base), SST_OK);
    REQUIRE(base != NULL);
    CHECK_BYTES(base, zero, 300);
    memcpy((char *)base + 10, "mapped", 6);         /* shared: seen by reading */
    CHECK_INT(read_some(io, file, 65546, bytes, 6), 6);
    CHECK_BYTES(bytes, "mapped", 6);
    write_all(io, file, 65600, "written", 7);
    CHECK_BYTES((const char *)base + 64, "written", 7);
    CHECK_INT(io->unmap(io->user, file, base, 4096), SST_OK);
    CHECK_INT(io->map(io->user, file, 0, 65536 * 2, SST_IO_READ, &base), SST_OK);
    CHECK_BYTES((const char *)base + 1000, "aX", 2);
    CHECK_BYTES((const char *)base + 65546, "mapped", 6);
    CHECK_INT(io->unmap(io->user, file, base, 65536 * 2), SST_OK);
    CHECK_INT(io->close(io->user, file), SST_OK);
    CHECK_INT(io->remove(io->user, at("f")), SST_OK);
    CHECK_INT(rmdir(folder), 0);
}

/* What another process gets for taking and for asking; -1: it could not even open. */
static void in_child(int *taken, int *asked) {
    const sst_io *io = sst_io_default();
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        void *file = NULL;
        if (io->open(io->user, at("f"), SST_IO_READ | SST_IO_WRITE, &file) != SST_OK) {
            _exit(255);
        }
        *asked = io->lock(io->user, file, SST_IO_LOCK_QUERY);
        *taken = io->lock(io->user, file, SST_IO_LOCK);
        _exit((*asked == SST_OK ? 0 : *asked == SST_ERR_LOCKED ? 1 : 2) * 4 +
              (*taken == SST_OK ? 0 : *taken == SST_ERR_LOCKED ? 1 : 2));
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    status = WEXITSTATUS(status);
    *asked = status / 4 == 0 ? SST_OK : status / 4 == 1 ? SST_ERR_LOCKED : -1000;
    *taken = status % 4 == 0 ? SST_OK : status % 4 == 1 ? SST_ERR_LOCKED : -1000;
}

static void io_locks(void) {
    const sst_io *io = sst_io_default();
    void *first = NULL, *second = NULL;
    int taken = 0, asked = 0;
    REQUIRE(make_folder("test_store"));
    CHECK_INT(io->open(io->user, at("f"), SST_IO_READ | SST_IO_WRITE | SST_IO_CREATE,
                       &first), SST_OK);
    CHECK_INT(io->open(io->user, at("f"), SST_IO_READ | SST_IO_WRITE, &second), SST_OK);
    REQUIRE(first != NULL && second != NULL);
    CHECK_INT(io->lock(io->user, first, SST_IO_LOCK_QUERY), SST_OK);    /* takes nothing */
    in_child(&taken, &asked);
    CHECK_INT(asked, SST_OK);
    CHECK_INT(taken, SST_OK);                       /* and gave it back when it ended */
    CHECK_INT(io->lock(io->user, second, SST_IO_LOCK_QUERY), SST_OK);
    CHECK_INT(io->lock(io->user, first, SST_IO_LOCK), SST_OK);
    CHECK_INT(io->lock(io->user, second, SST_IO_LOCK), SST_ERR_LOCKED);
    CHECK_INT(io->lock(io->user, second, SST_IO_LOCK_QUERY), SST_ERR_LOCKED);
    in_child(&taken, &asked);
    CHECK_INT(asked, SST_ERR_LOCKED);
    CHECK_INT(taken, SST_ERR_LOCKED);
    CHECK_INT(io->lock(io->user, second, SST_IO_LOCK), SST_ERR_LOCKED);
    CHECK_INT(io->close(io->user, first), SST_OK);
    CHECK_INT(io->lock(io->user, second, SST_IO_LOCK_QUERY), SST_OK);
    CHECK_INT(io->lock(io->user, second, SST_IO_LOCK), SST_OK);
    in_child(&taken, &asked);
    CHECK_INT(taken, SST_ERR_LOCKED);
    CHECK_INT(io->close(io->user, second), SST_OK);
    CHECK_INT(io->remove(io->user, at("f")), SST_OK);
    CHECK_INT(rmdir(folder), 0);
}

static void io_clocks_and_randomness(void) {
    const sst_io *io = sst_io_default();
    unsigned char a[64], b[64], zero[64];
    struct timespec pause = {0, 2000000};
    int64_t before = io->now_ns(io->user, SST_CLOCK_MONOTONIC), after;
    int64_t real = io->now_ns(io->user, SST_CLOCK_REALTIME);
    int i;
    for (i = 0; i < 1000; i++) {
        after = io->now_ns(io->user, SST_CLOCK_MONOTONIC);
        CHECK(after >= before);
        before = after;
    }
    nanosleep(&pause, NULL);
    after = io->now_ns(io->user, SST_CLOCK_MONOTONIC);
    CHECK(after - before >= 1900000);
    CHECK(real / 1000000000 >= (int64_t)time(NULL) - 2);
    CHECK(real / 1000000000 <= (int64_t)time(NULL) + 2);
    memset(zero, 0, sizeof zero);
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    CHECK_INT(io->entropy(io->user, a, sizeof a), SST_OK);
    CHECK_INT(io->entropy(io->user, b, sizeof b), SST_OK);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(memcmp(a, zero, sizeof a) != 0);
    CHECK(memcmp(a + 48, zero, 16) != 0);           /* filled to the end */
    memset(a, 0x77, sizeof a);
    CHECK_INT(io->entropy(io->user, a, 0), SST_OK);
    CHECK_INT(io->entropy(io->user, a, 1), SST_OK);
    CHECK_INT(a[1], 0x77);
}

/* A wrapper of the default that counts: the store uses what it was given. */
static int wrapped_calls;

static int wrapped_entropy(void *user, void *bytes, size_t size) {
    const sst_io *io = (const sst_io *)user;
    wrapped_calls++;
    return io->entropy(io->user, bytes, size);
}

static void wrapped_io(void) {
    sst_io io;
    sst_options options = no_options();
    sst_store *store = NULL;
    memset(&io, 0, sizeof io);
    io.user = (void *)(uintptr_t)sst_io_default();
    io.entropy = wrapped_entropy;
    options.io = &io;
    wrapped_calls = 0;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    CHECK(wrapped_calls > 0);
    append_some(make_stream(store, "x"), 0, 100);
    check_stream(store, "x", 100);
    sst_close(store);
}

int main(void) {
    TEST_RUN(results);
    TEST_RUN(checksums);
    TEST_RUN(create_and_close);
    TEST_RUN(abandon);
    TEST_RUN(options_are_checked);
    TEST_RUN(a_seed_is_reproducible);
    TEST_RUN(identity);
    TEST_RUN(images);
    TEST_RUN(image_of_nothing);
    TEST_RUN(lent_image);
    TEST_RUN(image_in_a_file);
    TEST_RUN(large_image);
    TEST_RUN(what_is_not_a_store);
    TEST_RUN(information);
    TEST_RUN(errors_of_stores);
    TEST_RUN(verify_sound_stores);
    TEST_RUN(metadata);
    TEST_RUN(metadata_over_time);
    TEST_RUN(memory_bounds);
    TEST_RUN(full_arena);
    TEST_RUN(allocator_contract);
    TEST_RUN(appending_allocates_nothing);
    TEST_RUN(io_open_modes);
    TEST_RUN(io_contents);
    TEST_RUN(io_locks);
    TEST_RUN(io_clocks_and_randomness);
    TEST_RUN(wrapped_io);
    return test_done("store");
}
