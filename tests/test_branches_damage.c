/* Files put together by hand, record by record, with every checksum right: definitions, indexes
 * and sequence numbers as no writer makes them. */
#define SSTI_INDEX_BLOCKS 3
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#include "test.h"
#include "mend.h"

/* ---- an image made of records --------------------------------------------------------------- */

#define IMAGE_BYTES 65536u

typedef struct image {
    union {
        uint8_t bytes[IMAGE_BYTES];
        uint64_t aligned;
    } u;
    size_t size;
    uint32_t sequence;
} image;

/* File header and the session's SYNC of an empty store. */
static void image_begin(image *m) {
    sst_options options = {0};
    sst_store *store;
    const void *bytes;
    size_t size;
    options.seed = 3;
    memset(m, 0, sizeof *m);
    if (sst_create(NULL, &options, &store) != SST_OK ||
        sst_image(store, &bytes, &size) != SST_OK) exit(1);
    memcpy(m->u.bytes, bytes, 128);
    m->size = 128;
    m->sequence = 1;
    CHECK_INT(sst_close(store), SST_OK);
}

typedef struct record {
    uint8_t type, flags;
    uint32_t stream, rows;
    uint64_t first_row;
    int64_t first_time, last_time;
} record;

/* Appends a record with the next sequence number; returns where it begins. */
static uint64_t image_add(image *m, const record *r, const void *payload, size_t size) {
    uint8_t *p = m->u.bytes + m->size;
    uint64_t offset = m->size;
    mend_record done;
    if (m->size + 64 + size + 64 > IMAGE_BYTES) exit(1);
    memset(p, 0, 64 + (size + 63) / 64 * 64);
    memcpy(p, "SREC", 4);
    p[4] = r->type;
    p[5] = r->flags;
    memcpy(p + 8, m->u.bytes + 12, 4);
    mend_put(p + 12, m->sequence++, 4);
    mend_put(p + 16, r->stream, 4);
    mend_put(p + 20, r->rows, 4);
    mend_put(p + 24, size, 8);
    mend_put(p + 32, r->first_row, 8);
    mend_put(p + 40, (uint64_t)r->first_time, 8);
    mend_put(p + 48, (uint64_t)r->last_time, 8);
    if (size != 0) memcpy(p + 64, payload, size);
    m->size += 64 + (size + 63) / 64 * 64;
    if (!mend_at(m->u.bytes, m->size, offset, &done)) exit(1);
    mend_one(m->u.bytes, &done);
    return offset;
}

/* The payload of a STREAM: 8 fixed bytes, 32 for each field, then the texts. */
typedef struct declared {
    uint8_t bytes[512];
    size_t size;
} declared;

static void declare_text(declared *d, const char *text) {
    size_t n = strlen(text);
    mend_put(d->bytes + d->size, n, 2);
    memcpy(d->bytes + d->size + 2, text, n);
    d->size += 2 + n;
}

static void declare(declared *d, const char *name, uint32_t fields, uint32_t timelines) {
    uint32_t i;
    memset(d, 0, sizeof *d);
    d->bytes[5] = (uint8_t)timelines;
    d->bytes[6] = (uint8_t)fields;
    for (i = 0; i < fields; i++) d->bytes[8 + 32 * i] = SST_I64;
    d->size = 8 + 32 * (size_t)fields;
    declare_text(d, name);
    for (i = 0; i < timelines; i++) declare_text(d, "clock");
    for (i = 0; i < fields; i++) declare_text(d, "");
}

static void image_stream(image *m, uint32_t number, const declared *d) {
    record r = {MEND_STREAM, 0, 0, 0, 0, 0, 0};
    r.stream = number;
    (void)image_add(m, &r, d->bytes, d->size);
}

/* A block of at most 8 rows of one int64: times 10, 20, ... and the row's number as value. */
static uint64_t image_block(image *m, uint32_t stream, uint64_t first_row, uint32_t rows) {
    uint8_t p[256] = {0};
    record r = {MEND_BLOCK, 0, 0, 0, 0, 0, 0};
    uint32_t i;
    mend_put(p, 2, 4);
    p[32] = MEND_TIMES;
    p[64] = MEND_VALUES;
    for (i = 0; i < 2; i++) {
        mend_put(p + 32 + 32 * i + 8, 2 + i, 4);
        mend_put(p + 32 + 32 * i + 16, 8 * rows, 8);
        mend_put(p + 32 + 32 * i + 24, 8 * rows, 8);
    }
    for (i = 0; i < rows; i++) {
        mend_put(p + 128 + 8 * i, 10 * (first_row + i + 1), 8);
        mend_put(p + 192 + 8 * i, first_row + i, 8);
    }
    r.stream = stream;
    r.rows = rows;
    r.first_row = first_row;
    r.first_time = (int64_t)(10 * (first_row + 1));
    r.last_time = (int64_t)(10 * (first_row + rows));
    return image_add(m, &r, p, 192 + 8 * (size_t)rows);
}

static uint64_t image_bare(image *m, uint8_t type, uint64_t first_row) {
    record r = {0, 0, 0, 0, 0, 0, 0};
    r.type = type;
    r.first_row = first_row;
    return image_add(m, &r, NULL, 0);
}

static sst_store *look(const image *m) {
    sst_store *store = NULL;
    CHECK_INT(sst_open_memory(m->u.bytes, m->size, NULL, &store), SST_OK);
    return store;
}

/* How many rows of the stream "s" an image has, each checked; -1: there is no such stream. */
static int64_t rows_of(const image *m) {
    sst_store *store = look(m);
    sst_stream *stream;
    sst_view view;
    int64_t rows = -1;
    if (store == NULL) return -2;
    if (sst_stream_open(store, "s", &stream) == SST_OK) {
        rows = (int64_t)sst_rows(stream);
        CHECK_INT(sst_slice(stream, 0, (uint64_t)rows, &view), SST_OK);
        CHECK_INT(view.count, rows);
        while (rows != 0 && view.count-- != 0) {
            CHECK_INT(((const int64_t *)view.values)[view.count], (int64_t)view.count);
        }
    }
    CHECK_INT(sst_close(store), SST_OK);
    return rows;
}

static image shared, other;     /* large: not on the stack */

/* ---- definitions ---------------------------------------------------------------------------- */

static int64_t rows_with(const declared *d) {
    image_begin(&shared);
    image_stream(&shared, 1, d);
    (void)image_block(&shared, 1, 0, 5);
    return rows_of(&shared);
}

/* Every way in which the declaration of a stream can make no sense. */
static void hostile_streams(void) {
    declared whole, d;
    size_t n;
    declare(&whole, "s", 1, 0);
    CHECK_INT(rows_with(&whole), 5);
    for (n = 0; n < whole.size; n++) {          /* cut short */
        d = whole;
        d.size = n;
        CHECK_INT(rows_with(&d), -1);
    }
    d = whole;
    d.bytes[4] = SST_TICKS + 1;
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[5] = SST_MAX_TIMELINES + 1;
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[6] = 0;                             /* no field */
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[7] = 0xFF;                          /* too many */
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[8] = 0;                             /* no type */
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[8] = SST_BYTES + 1;
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[9] = 5;                             /* rank */
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[9] = 1;                             /* a shape of zero */
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[9] = 1;
    mend_put(d.bytes + 16, 0x08000001u, 4);     /* of I64: just over a GiB */
    CHECK_INT(rows_with(&d), -1);
    d = whole;
    d.bytes[9] = 4;
    memset(d.bytes + 16, 0xFF, 16);             /* 2^128 of them */
    CHECK_INT(rows_with(&d), -1);
    declare(&d, "", 1, 0);
    CHECK_INT(rows_with(&d), -1);
}

/* A stream whose blocks have not the columns that it declares. */
static void missing_columns(void) {
    declared d;
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    uint64_t row;
    declare(&d, "s", 1, 2);
    image_begin(&shared);
    image_stream(&shared, 1, &d);
    (void)image_block(&shared, 1, 0, 5);
    store = look(&shared);
    REQUIRE(store != NULL);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    CHECK_INT(sst_rows(stream), 5);
    CHECK_INT(sst_slice(stream, 0, 5, &view), SST_ERR_CORRUPT);
    CHECK_INT(sst_locate_on(stream, 1, 20, SST_AT_OR_BEFORE, &row), SST_ERR_CORRUPT);
    CHECK_INT(sst_locate(stream, 20, SST_AT_OR_BEFORE, &row), SST_OK);
    CHECK_INT(row, 1);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A timeline without a name. */
static void hostile_timelines(void) {
    declared whole, d;
    size_t n;
    declare(&whole, "s", 1, 1);
    for (n = 42; n < whole.size; n++) {
        d = whole;
        d.size = n;
        CHECK_INT(rows_with(&d), -1);
    }
    memset(&d, 0, sizeof d);
    d.bytes[5] = d.bytes[6] = 1;
    d.bytes[8] = SST_I64;
    d.size = 40;
    declare_text(&d, "s");
    declare_text(&d, "");
    declare_text(&d, "");
    CHECK_INT(rows_with(&d), -1);
}

/* What a newer version may write is there, but is not opened, nor taken for what it is not. */
static void newer_streams(void) {
    size_t i;
    for (i = 0; i < 3; i++) {
        declared d;
        sst_store *store;
        sst_stream *stream;
        declare(&d, "new", 1, 0);
        if (i == 0) mend_put(d.bytes, 0x1000000, 4);                    /* flags of the stream */
        if (i == 1) mend_put(d.bytes + 12, 0x1000000, 4);               /* of the field */
        if (i == 2) mend_put(d.bytes, SST_UNTIMED | SST_EQUAL_TIMES, 4);
        image_begin(&shared);
        image_stream(&shared, 1, &d);
        declare(&d, "s", 1, 0);
        image_stream(&shared, 2, &d);
        (void)image_block(&shared, 1, 0, 3);    /* in the other stream's own way */
        (void)image_block(&shared, 2, 0, 3);
        CHECK_INT(rows_of(&shared), 3);
        store = look(&shared);
        REQUIRE(store != NULL);
        CHECK_INT(sst_stream_count(store), 2);
        CHECK_INT(sst_stream_open(store, "new", &stream), SST_ERR_UNSUPPORTED);
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Streams of one name, of no number; what belongs to no stream. */
static void hostile_numbers(void) {
    record r = {MEND_FINISH, 0, 0, 0, 0, 0, 0};
    declared d;
    sst_store *store;
    declare(&d, "s", 1, 0);
    image_begin(&shared);
    image_stream(&shared, 1, &d);
    image_stream(&shared, 2, &d);               /* the name is taken */
    image_stream(&shared, 0, &d);
    image_stream(&shared, SST_MAX_STREAMS + 1, &d);
    (void)image_add(&shared, &r, NULL, 0);      /* the store is finished? */
    r.stream = 7;
    (void)image_add(&shared, &r, NULL, 0);
    (void)image_block(&shared, 2, 0, 3);
    (void)image_block(&shared, 1, 0, 2);
    CHECK_INT(rows_of(&shared), 2);
    store = look(&shared);
    REQUIRE(store != NULL);
    CHECK_INT(sst_stream_count(store), 1);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- sequence numbers ----------------------------------------------------------------------- */

static int64_t rows_after_step(uint8_t type, uint32_t step, uint32_t named) {
    record r = {0, 0, 0, 0, 0, 0, 0};
    declared d;
    declare(&d, "s", 1, 0);
    image_begin(&shared);
    image_stream(&shared, 1, &d);
    (void)image_block(&shared, 1, 0, 2);
    r.type = type;
    r.rows = shared.sequence - 1 + named;       /* the record before it, or not */
    shared.sequence += step - 1;
    (void)image_add(&shared, &r, NULL, 0);
    (void)image_block(&shared, 1, 2, 3);
    return rows_of(&shared);
}

/* Only a SYNC may go ahead, no further than a session's step, of the record that it names. */
static void sequence_steps(void) {
    CHECK_INT(rows_after_step(MEND_SYNC, 1, 0), 5);
    CHECK_INT(rows_after_step(MEND_SYNC, 0x1000000, 0), 5);
    CHECK_INT(rows_after_step(MEND_SYNC, 0x1000000, 1), 2);
    CHECK_INT(rows_after_step(MEND_SYNC, 0x1000001, 0), 2);
    CHECK_INT(rows_after_step(MEND_SYNC, 0, 0), 2);
    CHECK_INT(rows_after_step(MEND_SYNC, 0u - 1, 0), 2);
    CHECK_INT(rows_after_step(MEND_FINISH, 2, 0), 2);
    CHECK_INT(rows_after_step(MEND_FINISH, 1, 0), 5);
}

/* Before the newest synced point damage is stepped over; what comes after it has to be newer. */
static void sequence_after_damage(void) {
    declared d;
    int newer;
    declare(&d, "s", 1, 0);
    for (newer = -1; newer < 2; newer++) {
        uint64_t bad, second;
        sst_store *store;
        sst_stream *stream;
        sst_view view;
        image_begin(&shared);
        image_stream(&shared, 1, &d);
        (void)image_block(&shared, 1, 0, 2);
        bad = image_block(&shared, 1, 2, 2);
        if (newer < 1) shared.sequence -= newer == 0 ? 2 : 20;
        second = image_block(&shared, 1, 4, 2);
        shared.sequence += newer < 1 ? 30 : 0;
        (void)image_bare(&shared, MEND_SYNC, shared.size);
        shared.u.bytes[bad] ^= 1;
        (void)second;
        store = look(&shared);
        REQUIRE(store != NULL);
        REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
        CHECK_INT(sst_rows(stream), newer == 1 ? 6 : 2);
        CHECK_INT(sst_slice(stream, 0, 2, &view), SST_OK);
        CHECK_INT(sst_verify(store, NULL), SST_ERR_CORRUPT);
        if (newer == 1) CHECK_INT(sst_slice(stream, 0, 6, &view), SST_ERR_CORRUPT);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* The newest synced point lies inside of what is damaged: there is the cut. */
static void cut_inside_damage(void) {
    declared d;
    uint64_t bad, synced;
    sst_store *store;
    sst_info info;
    declare(&d, "s", 1, 0);
    image_begin(&shared);
    image_stream(&shared, 1, &d);
    (void)image_block(&shared, 1, 0, 2);
    bad = image_block(&shared, 1, 2, 2);
    synced = image_block(&shared, 1, 4, 2);
    (void)image_bare(&shared, MEND_SYNC, synced);
    shared.u.bytes[bad] ^= 1;
    shared.u.bytes[synced] ^= 1;
    store = look(&shared);
    REQUIRE(store != NULL);
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    CHECK_INT(info.synced_bytes, synced);
    CHECK_INT(info.file_bytes - info.torn_bytes, synced);
    CHECK_INT(info.torn_bytes, shared.size - synced);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- END and INDEX -------------------------------------------------------------------------- */

/* A finished image of the library: two streams, one with a timeline, and metadata. */
static void finished_image(image *m) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *stream;
    const void *bytes;
    size_t size;
    int64_t t, early;
    sst_row row = {0};
    options.seed = 4;
    options.block_bytes = 512;
    if (sst_create(NULL, &options, &store) != SST_OK) exit(1);
    desc.name = "s";
    desc.type = SST_I64;
    CHECK_INT(sst_set_meta(store, "key", "value", 5), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < 100; t++) CHECK_INT(sst_append_i64(stream, 10 * (t + 1), t), SST_OK);
    desc.name = "clocked";
    desc.timelines[0] = "clock";
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    for (t = 0; t < 50; t++) {
        early = t / 2;
        row.time = t;
        row.timelines = &early;
        row.value = &t;
        CHECK_INT(sst_append_row(stream, &row), SST_OK);
    }
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    if (size > IMAGE_BYTES) exit(1);
    memset(m, 0, sizeof *m);
    memcpy(m->u.bytes, bytes, size);
    m->size = size;
    CHECK_INT(sst_close(store), SST_OK);
}

/* Opens an image that is `m` with its last records changed; everything must still be there, since
 * an index is only a cache. indexed: whether it was taken. */
static void still_whole(const image *m, bool indexed, int line) {
    sst_store *store = look(m);
    sst_stream *stream;
    const void *value;
    uint64_t row;
    size_t size;
    if (store == NULL) {
        test_fail(__FILE__, line, "opens");
        return;
    }
    if (store->indexed != indexed) test_fail(__FILE__, line, "by its index, or not");
    if (sst_get_meta(store, "key", &value, &size) != SST_OK || size != 5) {
        test_fail(__FILE__, line, "metadata");
    }
    if (sst_stream_open(store, "clocked", &stream) != SST_OK || sst_rows(stream) != 50 ||
        sst_locate_on(stream, 0, 7, SST_AT_OR_BEFORE, &row) != SST_OK || row != 15) {
        test_fail(__FILE__, line, "the second stream");
    }
    CHECK_INT(sst_close(store), SST_OK);
    if (rows_of(m) != 100) test_fail(__FILE__, line, "rows");
}

/* The newest INDEX; blocks are listed in this one or in those before. */
static bool newest_index(const image *m, mend_record *index) {
    uint32_t n = mend_count(m->u.bytes, m->size, MEND_INDEX, 0);
    return n != 0 && mend_find(m->u.bytes, m->size, MEND_INDEX, 0, n - 1, index);
}

static void end_records(void) {
    mend_record end, index;
    uint8_t *p;
    finished_image(&other);
    still_whole(&other, true, __LINE__);
    REQUIRE(mend_find(other.u.bytes, other.size, MEND_END, 0, 0, &end));
    REQUIRE(newest_index(&other, &index));
    CHECK_INT(end.first_row, index.offset);
    shared = other;
    p = shared.u.bytes + end.offset;
    p[5] = 1;                                   /* the file was not synced before */
    mend_header(shared.u.bytes, &end);
    still_whole(&shared, false, __LINE__);
    shared = other;
    mend_put(p + 32, 0, 8);                     /* no INDEX */
    mend_header(shared.u.bytes, &end);
    still_whole(&shared, false, __LINE__);
    mend_put(p + 32, end.offset, 8);            /* itself */
    mend_header(shared.u.bytes, &end);
    still_whole(&shared, false, __LINE__);
    mend_put(p + 32, index.offset + 8, 8);
    mend_header(shared.u.bytes, &end);
    still_whole(&shared, false, __LINE__);
    mend_put(p + 32, 64, 8);                    /* another record */
    mend_header(shared.u.bytes, &end);
    still_whole(&shared, false, __LINE__);
    shared = other;
    p[4] = MEND_SYNC;                           /* no END */
    mend_put(p + 32, 0, 8);
    mend_header(shared.u.bytes, &end);
    still_whole(&shared, false, __LINE__);
}

/* Changes one number of an INDEX. */
static void index_with(uint64_t at, uint64_t value, int size, int line) {
    mend_record index;
    uint32_t n;
    shared = other;
    mend_put(shared.u.bytes + at, value, size);
    for (n = 0; mend_find(shared.u.bytes, shared.size, MEND_INDEX, 0, n, &index); n++) {
        mend_payload(shared.u.bytes, &index);
    }
    still_whole(&shared, false, line);
}

static void index_records(void) {
    mend_record index;
    uint64_t head, definitions, blocks = 0, s, clocked, later;
    uint32_t count;
    finished_image(&other);
    REQUIRE(newest_index(&other, &index));
    REQUIRE(mend_index_stream(other.u.bytes, &index, 2, &later) != 0);
    head = index.payload;
    count = mend_u32(other.u.bytes + head + 72);
    definitions = head + 96;
    CHECK_INT(count, 3);
    index_with(head + 72, count + 1, 4, __LINE__);      /* definitions that are not there */
    index_with(head + 72, count - 1, 4, __LINE__);
    index_with(head + 80, UINT64_MAX, 8, __LINE__);
    index_with(head + 80, 8, 8, __LINE__);
    index_with(head + 80, mend_u64(other.u.bytes + head + 80) - 1, 8, __LINE__);    /* padding */
    index_with(head + 76, 3, 4, __LINE__);              /* streams */
    index_with(head + 76, 1, 4, __LINE__);
    index_with(head + 64, index.offset, 8, __LINE__);   /* the INDEX before: itself */
    index_with(head + 64, 64, 8, __LINE__);
    index_with(definitions, MEND_SYNC, 1, __LINE__);    /* a definition of another type */
    index_with(definitions, MEND_FINISH, 1, __LINE__);  /* of no stream */
    index_with(definitions + 8, UINT64_MAX - 3, 8, __LINE__);   /* its size */
    index_with(definitions + 8, mend_u64(other.u.bytes + head + 80) - 16, 8, __LINE__);
    REQUIRE(mend_find(other.u.bytes, other.size, MEND_INDEX, 0, 0, &index));
    s = mend_index_stream(other.u.bytes, &index, 1, &blocks);
    REQUIRE(s != 0 && mend_u32(other.u.bytes + s + 48) == 3);
    index_with(blocks, 63, 8, __LINE__);                /* where the first block is */
    index_with(blocks, 0, 8, __LINE__);
    index_with(blocks, other.size / 64 * 64 - 64, 8, __LINE__);         /* no room for one */
    index_with(blocks, (uint64_t)1 << 40, 8, __LINE__);
    index_with(blocks + 8, 1, 8, __LINE__);
    index_with(blocks + 32, 0, 4, __LINE__);
    index_with(s + 4, 1, 4, __LINE__);                  /* timelines that it has not */
    index_with(s + 48, UINT32_MAX, 4, __LINE__);
    index_with(s, 9, 4, __LINE__);
    REQUIRE(newest_index(&other, &index));
    clocked = mend_index_stream(other.u.bytes, &index, 2, &later);
    REQUIRE(clocked != 0);
    index_with(clocked + 4, 0x10000000, 4, __LINE__);
    /* the same in an older one, of which only the blocks are read */
    REQUIRE(mend_find(other.u.bytes, other.size, MEND_INDEX, 0, 0, &index));
    REQUIRE(mend_count(other.u.bytes, other.size, MEND_INDEX, 0) > 2);
    index_with(index.payload + 80, UINT64_MAX, 8, __LINE__);
    index_with(index.payload + 80, index.size, 8, __LINE__);
    index_with(index.payload + 76, 2, 4, __LINE__);
    index_with(index.payload + 76, UINT32_MAX, 4, __LINE__);
}

/* An INDEX that ends in the middle of something. */
static void short_indexes(void) {
    mend_record index, end;
    uint64_t size, whole, clocked, blocks = 0;
    finished_image(&other);
    REQUIRE(newest_index(&other, &index));
    REQUIRE(mend_find(other.u.bytes, other.size, MEND_END, 0, 0, &end));
    clocked = mend_index_stream(other.u.bytes, &index, 2, &blocks);
    REQUIRE(clocked != 0);
    whole = index.size;
    for (size = 0; size < whole; size += size + 8 > clocked - index.payload ? 4 : 48) {
        shared = other;
        mend_put(shared.u.bytes + index.offset + 24, size, 8);
        index.size = size;
        mend_payload(shared.u.bytes, &index);
        /* The hop from it no longer leads to END; by position END is still found. */
        {
            sst_store *store = look(&shared);
            REQUIRE(store != NULL);
            CHECK(!store->indexed);
            CHECK_INT(sst_close(store), SST_OK);
        }
        CHECK_INT(rows_of(&shared), 100);
    }
}

/* The file header has a copy in the INDEX. */
static void damaged_header(void) {
    mend_record index;
    uint32_t n;
    sst_info info, want;
    sst_store *store;
    int i;
    finished_image(&other);
    store = look(&other);
    REQUIRE(store != NULL && sst_store_info(store, &want) == SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    for (i = 0; i < 4; i++) {
        shared = other;
        shared.u.bytes[20] ^= 1;
        for (n = 0; mend_find(shared.u.bytes, shared.size, MEND_INDEX, 0, n, &index); n++) {
            if (i == 1) shared.u.bytes[index.payload + 20] ^= 1;    /* the copies too */
            if (i == 1) mend_payload(shared.u.bytes, &index);
            if (i == 2) shared.u.bytes[index.payload + 90] ^= 1;    /* no INDEX is sound */
        }
        if (i == 3) {                                               /* there is none */
            REQUIRE(mend_find(shared.u.bytes, shared.size, MEND_INDEX, 0, 0, &index));
            shared.size = index.offset;
        }
        store = look(&shared);
        REQUIRE(store != NULL && sst_store_info(store, &info) == SST_OK);
        CHECK((memcmp(info.uuid, want.uuid, 16) == 0) == (i == 0));
        CHECK((info.created_ns == want.created_ns) == (i == 0 || want.created_ns == 0));
        /* Where nothing says that the header was ever on the disk, its loss is no damage. */
        CHECK_INT(sst_verify(store, NULL), i == 3 ? SST_OK : SST_ERR_CORRUPT);
        CHECK_INT(sst_close(store), SST_OK);
        CHECK_INT(rows_of(&shared), i == 3 ? 96 : 100);
    }
}

/* An INDEX that leads to a block of another store. */
static void block_of_another_store(void) {
    mend_record block;
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    finished_image(&shared);
    REQUIRE(mend_find(shared.u.bytes, shared.size, MEND_BLOCK, 1, 1, &block));
    shared.u.bytes[block.offset + 8] ^= 1;
    mend_header(shared.u.bytes, &block);
    store = look(&shared);
    REQUIRE(store != NULL && store->indexed);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    CHECK_INT(sst_slice(stream, block.first_row, 1, &view), SST_ERR_CORRUPT);
    CHECK_INT(sst_slice(stream, 0, block.first_row, &view), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The only declaration of a stream is lost, and the INDEX that should have it makes no sense. */
static void index_after_damage(void) {
    int good;
    for (good = 0; good < 2; good++) {
        mend_record stream, index;
        uint32_t n;
        sst_store *store;
        finished_image(&shared);
        REQUIRE(mend_find(shared.u.bytes, shared.size, MEND_STREAM, 1, 0, &stream));
        shared.u.bytes[stream.offset] ^= 1;
        for (n = 0; mend_find(shared.u.bytes, shared.size, MEND_INDEX, 0, n, &index); n++) {
            if (!good) mend_put(shared.u.bytes + index.payload + 72, 1000, 4);
            mend_payload(shared.u.bytes, &index);
        }
        store = look(&shared);
        REQUIRE(store != NULL);
        CHECK(store->indexed == (good != 0));
        CHECK_INT(sst_stream_count(store), good ? 2 : 1);
        CHECK_INT(sst_verify(store, NULL), SST_ERR_CORRUPT);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* ---- files of other sizes than their bytes ------------------------------------------------- */

/* A file that has the bytes of `shared`, the last fake_tail of them at its end, and zeros in
 * between. */
static uint64_t fake_size, fake_tail;

static int fake_open(void *user, const char *path, uint32_t mode, void **file) {
    (void)user;
    (void)mode;
    *file = NULL;
    if (strcmp(path, "fake") != 0) return SST_ERR_NOT_FOUND;
    *file = &shared;
    return SST_OK;
}

static int fake_close(void *user, void *file) {
    (void)user;
    return file == &shared ? SST_OK : SST_ERR_ARG;
}

static int fake_read(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                     size_t *done) {
    uint64_t head = shared.size - fake_tail, behind = fake_size - fake_tail;
    uint64_t i;
    (void)user;
    (void)file;
    *done = 0;
    if (offset >= fake_size) return SST_OK;
    if (size > fake_size - offset) size = (size_t)(fake_size - offset);
    memset(bytes, 0, size);
    *done = size;
    if (offset < head) {
        memcpy(bytes, shared.u.bytes + offset,
               size < head - offset ? size : (size_t)(head - offset));
    }
    for (i = offset < behind ? behind : offset; i < offset + size; i++) {
        ((uint8_t *)bytes)[i - offset] = shared.u.bytes[head + (i - behind)];
    }
    return SST_OK;
}

static int fake_file_size(void *user, void *file, uint64_t *size) {
    (void)user;
    (void)file;
    *size = fake_size;
    return SST_OK;
}

static sst_store *fake_look(void) {
    sst_options options = {0};
    sst_store *store = NULL;
    sst_io io;
    memset(&io, 0, sizeof io);
    io.open = fake_open;
    io.close = fake_close;
    io.read_at = fake_read;
    io.size = fake_file_size;
    options.io = &io;
    CHECK_INT(sst_open("fake", &options, &store), SST_OK);
    return store;
}

/* A block of more than 128 GiB: its second column begins further than can be kept in mind. */
static void far_column(void) {
    static const uint8_t zeros[16] = {0};
    const uint64_t far = (uint64_t)1 << 37;
    declared d;
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    uint64_t offset, behind, row;
    mend_record r;
    uint8_t place[8], *p;
    int beyond;
    for (beyond = 0; beyond < 2; beyond++) {
        uint64_t at = beyond != 0 ? far : far - 64;
        declare(&d, "s", 1, 0);
        image_begin(&shared);
        image_stream(&shared, 1, &d);
        offset = image_block(&shared, 1, 0, 2);
        p = shared.u.bytes + offset;
        mend_put(p + 24, at - 64 + 16, 8);      /* the payload ends with that column */
        mend_put(p + 64 + 64 + 8, at / 64 - 1, 4);
        mend_put(p + 64 + 64 + 12, sst_crc32c(zeros, 16, 0), 4);
        memset(&r, 0, sizeof r);
        r.offset = offset;
        mend_put(p + 56, sst_crc32c(p + 64, 96, 0), 4);
        mend_header(shared.u.bytes, &r);
        /* With a record behind it, or the block would be read through in search of one. */
        behind = image_block(&shared, 1, 2, 2);
        fake_tail = shared.size - behind;
        fake_size = offset + at + 64 + fake_tail;
        p = shared.u.bytes + behind;
        mend_put(place, offset + at + 64, 8);   /* covered by the header's checksum */
        mend_put(p + 60, sst_crc32c(place, 8, sst_crc32c(p, 60, 0)), 4);
        store = fake_look();
        REQUIRE(store != NULL);
        REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
        CHECK_INT(sst_rows(stream), 4);
        CHECK_INT(sst_locate(stream, 20, SST_EXACT, &row), SST_OK);
        CHECK_INT(row, 1);
        CHECK_INT(sst_slice(stream, 0, 2, &view), beyond != 0 ? SST_ERR_LIMIT : SST_OK);
        CHECK_INT(view.count, beyond != 0 ? 0 : 2);
        if (beyond == 0) CHECK_INT(((const int64_t *)view.values)[1], 0);
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        fake_tail = 0;
    }
}

/* A reader of a file that grows: by blocks that cannot follow on those before, and by good ones. */
static void growing_file(void) {
    declared d;
    sst_store *store;
    sst_stream *stream;
    sst_view view;
    declare(&d, "s", 1, 0);
    image_begin(&shared);
    image_stream(&shared, 1, &d);
    (void)image_block(&shared, 1, 0, 4);
    fake_size = shared.size;
    store = fake_look();
    REQUIRE(store != NULL);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    CHECK_INT(sst_rows(stream), 4);
    (void)image_block(&shared, 1, 2, 4);        /* has rows that there are already */
    (void)image_block(&shared, 9, 0, 4);        /* of no stream */
    fake_size = shared.size;
    CHECK_INT(sst_refresh(store), SST_OK);
    CHECK_INT(sst_rows(stream), 4);
    (void)image_block(&shared, 1, 4, 3);
    fake_size = shared.size;
    CHECK_INT(sst_refresh(store), SST_OK);
    CHECK_INT(sst_rows(stream), 7);
    CHECK_INT(sst_slice(stream, 0, 7, &view), SST_OK);
    CHECK(view.count == 7 && ((const int64_t *)view.values)[6] == 6);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The same with a block that says more rows than it has room for: that the file grows makes no room
 * for them, neither to who looks on nor to who comes later. */
static void growing_file_without_room(void) {
    declared d;
    sst_store *store, *later;
    sst_stream *stream;
    sst_view view;
    mend_record r;
    uint64_t block;
    int i;
    declare(&d, "s", 1, 0);
    image_begin(&shared);
    image_stream(&shared, 1, &d);
    block = image_block(&shared, 1, 0, 4);
    REQUIRE(mend_at(shared.u.bytes, shared.size, block, &r));
    mend_put(shared.u.bytes + r.offset + 20, 60, 4);
    mend_put(shared.u.bytes + r.offset + 48, 80, 8);    /* a last time, so that there may be 60 */
    mend_header(shared.u.bytes, &r);
    (void)image_block(&shared, 1, 8, 4);
    CHECK(shared.size < r.offset + 60 * 16);
    fake_size = shared.size;
    store = fake_look();
    REQUIRE(store != NULL && sst_stream_open(store, "s", &stream) == SST_OK);
    for (i = 0; i < 5; i++) {
        later = fake_look();
        REQUIRE(later != NULL);
        CHECK_INT(sst_refresh(store), SST_OK);
        CHECK_INT(sst_rows(stream), 12 + 4 * i);
        CHECK_INT(sst_slice(stream, 0, 1, &view), SST_ERR_CORRUPT);
        CHECK_INT(sst_slice(stream, 8, 100, &view), SST_OK);
        CHECK_INT(view.count, 4 + 4 * i);
        CHECK_INT(ssti_series_at(later, 0)->list->count, 1 + i);
        CHECK_INT(ssti_sealed_rows(ssti_series_at(later, 0)), 12 + 4 * i);
        CHECK_INT(sst_close(later), SST_OK);
        (void)image_block(&shared, 1, 12 + 4 * (uint64_t)i, 4);
        fake_size = shared.size;
    }
    CHECK(shared.size > r.offset + 60 * 16);
    CHECK_INT(sst_close(store), SST_OK);
}

int main(void) {
    TEST_RUN(hostile_streams);
    TEST_RUN(missing_columns);
    TEST_RUN(hostile_timelines);
    TEST_RUN(newer_streams);
    TEST_RUN(hostile_numbers);
    TEST_RUN(sequence_steps);
    TEST_RUN(sequence_after_damage);
    TEST_RUN(cut_inside_damage);
    TEST_RUN(end_records);
    TEST_RUN(index_records);
    TEST_RUN(short_indexes);
    TEST_RUN(damaged_header);
    TEST_RUN(block_of_another_store);
    TEST_RUN(index_after_damage);
    TEST_RUN(far_column);
    TEST_RUN(growing_file);
    TEST_RUN(growing_file_without_room);
    return test_done("test_branches_damage");
}
