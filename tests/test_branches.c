/* Branches that other tests do not come by: limits too large to reach, odd arguments, checksums
 * that collide, an arena or a half in an odd state, memory that runs out at one place. Where the
 * public functions do not lead there, internal ones are called. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#include "test.h"
#include "meter.h"

/* ---- stores and streams --------------------------------------------------------------------- */

static sst_store *memory_store(const sst_allocator *a, uint32_t flags) {
    sst_options options = {0};
    sst_store *store = NULL;
    options.allocator = a;
    options.seed = 5;
    options.flags = flags;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    if (store == NULL) exit(1);
    return store;
}

static sst_stream *scalar_stream(sst_store *store, const char *name, uint32_t block_bytes) {
    sst_stream_desc desc = {0};
    sst_stream *stream = NULL;
    desc.name = name;
    desc.type = SST_I64;
    desc.block_bytes = block_bytes;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    if (stream == NULL) exit(1);
    return stream;
}

/* ---- text, arrays, the arena ---------------------------------------------------------------- */

/* Four bytes each: the last one has to be a continuation too. */
static void utf8_last_byte(void) {
    sst_store *store = memory_store(NULL, 0);
    CHECK_INT(sst_set_meta(store, "\xF0\x9F\x92\xA1", "x", 1), SST_OK);
    CHECK_INT(sst_set_meta(store, "\xF0\x9F\x92\x41", "x", 1), SST_ERR_ARG);
    CHECK_INT(sst_set_meta(store, "\xF0\x9F\x92\xC1", "x", 1), SST_ERR_ARG);
    CHECK_INT(sst_set_meta(store, "\xF4\x8F\xBF\x7F", "x", 1), SST_ERR_ARG);
    CHECK_INT(sst_close(store), SST_OK);
}

static void growing_arrays(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    uint32_t capacity = 0;
    void *items = NULL;
    CHECK_INT(ssti_grow(&a, &items, &capacity, UINT32_MAX, 1), SST_ERR_LIMIT);
    CHECK_INT(ssti_grow(&a, &items, &capacity, UINT32_MAX / 2, SIZE_MAX / 4), SST_ERR_MEMORY);
    CHECK(items == NULL && capacity == 0 && m.calls == 0);
    CHECK_INT(ssti_grow(&a, &items, &capacity, 9, 8), SST_OK);
    CHECK(items != NULL && capacity == 9);
    ssti_free(&a, items, capacity * 8);
}

static void arena_without_memory(void) {
    static uint64_t room[4];
    uint8_t *odd = (uint8_t *)room + 1;
    sst_arena arena = {0};
    sst_allocator a = sst_arena_allocator(&arena);
    sst_options options = {0};
    sst_store *store;
    CHECK(a.resize(a.user, NULL, 0, 1) == NULL);
    options.allocator = &a;
    options.seed = 1;
    CHECK_INT(sst_create(NULL, &options, &store), SST_ERR_MEMORY);
    arena.memory = odd;         /* shorter than the way to the next multiple of 16 */
    arena.size = 3;
    CHECK(a.resize(a.user, NULL, 0, 1) == NULL);
    CHECK_INT(arena.used, 0);
    arena.size = 31;
    CHECK(a.resize(a.user, NULL, 0, 1) != NULL);
    CHECK_INT(arena.used, 31);
}

/* ---- checksums ------------------------------------------------------------------------------ */

/* Without the processor's instruction, at every length and alignment of eight bytes. */
static void crc_in_software(void) {
    uint8_t bytes[300];
    uint64_t random = 8;
    size_t i, at;
    for (i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)test_random(&random);
    CHECK_INT(~ssti_crc_soft(~0u, (const uint8_t *)"123456789", 9), 0xE3069283u);
    for (at = 0; at < 8; at++) {
        for (i = 0; i + at <= sizeof bytes; i++) {
            uint32_t want = ~ssti_crc_bytes(~7u, bytes + at, i);
            CHECK_INT(~ssti_crc_soft(~7u, bytes + at, i), want);
            CHECK_INT(sst_crc32c(bytes + at, i, 7), want);
        }
    }
}

typedef struct hashed {
    uint32_t crc, number;
} hashed;

static int hashed_order(const void *a, const void *b) {
    const hashed *x = (const hashed *)a, *y = (const hashed *)b;
    return x->crc < y->crc ? -1 : x->crc > y->crc;
}

#define NAMES 400000u

static void name_of(uint32_t number, bool same_length, char *to) {
    uint64_t random = number;
    uint32_t i, n = same_length ? 10 : 9 + number % 2;
    for (i = 0; i < n; i++) to[i] = (char)('a' + test_below(&random, 26));
    to[n] = 0;
}

/* Two texts of one checksum: of one length, or of two. */
static bool collision(bool same_length, char *a, char *b) {
    hashed *all = (hashed *)malloc(NAMES * sizeof *all);
    char text[40];
    uint32_t i;
    bool found = false;
    if (all == NULL) exit(1);
    for (i = 0; i < NAMES; i++) {
        name_of(i, same_length, text);
        all[i].number = i;
        all[i].crc = sst_crc32c(text, strlen(text), 0);
    }
    qsort(all, NAMES, sizeof *all, hashed_order);
    for (i = 1; i < NAMES && !found; i++) {
        if (all[i].crc != all[i - 1].crc) continue;
        name_of(all[i - 1].number, same_length, a);
        name_of(all[i].number, same_length, b);
        found = (strlen(a) == strlen(b)) == same_length;
    }
    free(all);
    return found;
}

/* Keys and names that hash alike are still two. */
static void colliding_names(void) {
    int same;
    for (same = 0; same < 2; same++) {
        sst_store *store = memory_store(NULL, 0);
        sst_stream *stream, *other;
        const void *value;
        char a[40], b[40];
        size_t size;
        REQUIRE(collision(same != 0, a, b));    /* of so many texts there are some 18 pairs */
        CHECK_INT(sst_set_meta(store, a, "of a", 4), SST_OK);
        CHECK_INT(sst_get_meta(store, b, &value, &size), SST_ERR_NOT_FOUND);
        CHECK_INT(sst_set_meta(store, b, "b's", 3), SST_OK);
        REQUIRE(sst_get_meta(store, a, &value, &size) == SST_OK && size == 4);
        CHECK_BYTES(value, "of a", 4);
        REQUIRE(sst_get_meta(store, b, &value, &size) == SST_OK && size == 3);
        CHECK_BYTES(value, "b's", 3);
        stream = scalar_stream(store, a, 0);
        CHECK_INT(sst_stream_open(store, b, &other), SST_ERR_NOT_FOUND);
        other = scalar_stream(store, b, 0);
        CHECK_INT(sst_append_i64(stream, 1, 1), SST_OK);
        CHECK(sst_rows(stream) == 1 && sst_rows(other) == 0);
        CHECK_INT(sst_stream_open(store, b, &other), SST_OK);
        CHECK_INT(sst_rows(other), 0);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* ---- sizes that no machine has -------------------------------------------------------------- */

static void impossible_sizes(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_store *store = memory_store(&a, 0);
    sst_stream *stream = scalar_stream(store, "s", 0);
    uint64_t calls, end = store->end;
    ssti_map map = {NULL, 0x20000000u, 0x10000000u};
    ssti_extent extent;
    ssti_draft draft;
    ssti_list list;
    memset(&list, 0, sizeof list);
    calls = m.calls;
    CHECK_INT(ssti_map_room(&a, &map), SST_ERR_LIMIT);
    CHECK_INT(ssti_extent_make(&a, &extent, SIZE_MAX - 10), SST_ERR_MEMORY);
    CHECK_INT(ssti_record_begin(store, &draft, 3, SIZE_MAX / 2, 0), SST_ERR_MEMORY);
    list.count = UINT32_MAX;
    CHECK_INT(ssti_list_room(&list, &a), SST_ERR_LIMIT);
    CHECK_INT(ssti_scratch(stream, (uint64_t)SIZE_MAX / 2 + 100), SST_ERR_MEMORY);
    CHECK_INT(m.calls, calls);                  /* nobody was asked for them */
    CHECK_INT(ssti_scratch(stream, (uint64_t)SIZE_MAX / 2 - 100), SST_ERR_MEMORY);
    CHECK_INT(sst_set_meta(store, "k", "v", SIZE_MAX / 2), SST_ERR_MEMORY);
    CHECK_INT(sst_set_meta(store, "k", "v", SIZE_MAX - 5), SST_ERR_MEMORY);
    CHECK_INT(sst_meta_at(store, 0, NULL, NULL, NULL), SST_ERR_NOT_FOUND);
    m.most = 1 << 20;                           /* an extent as large as all before it */
    store->end = SIZE_MAX / 2;
    CHECK_INT(ssti_extent_room(store, 300000), SST_OK);
    CHECK_INT(store->extents[store->extent_count - 1].capacity, 300000);
    CHECK_INT(ssti_extents_join(store), SST_ERR_LIMIT);
    store->end = end;
    store->extents[store->extent_count - 1].base = end;
    m.most = 0;
    calls = m.calls;
    CHECK_INT(ssti_live_grow(store, SIZE_MAX / 2), SST_ERR_MEMORY);
    {
        sst_view view = {0};
        view.stable = true;
        view.count = UINT64_MAX / 8;
        CHECK_INT(ssti_view_carry(stream, &view, 0, 1), SST_ERR_MEMORY);
    }
    CHECK_INT(m.calls, calls);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Inside, ranges are checked where they are used too, whoever has checked them before. */
static void ranges(void) {
    sst_store *store = memory_store(NULL, 0), *reader;
    sst_stream *stream = scalar_stream(store, "s", 0);
    sst_error error;
    ssti_loaded loaded;
    ssti_cache cache;
    ssti_cursor cursor = {NULL, 10};
    ssti_look k;
    ssti_block block;
    const uint8_t *bytes;
    const void *image;
    size_t size;
    uint64_t end;
    uint32_t crc;
    CHECK_INT(sst_append_i64(stream, 1, 2), SST_OK);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    CHECK_INT(sst_open_memory(image, size, NULL, &reader), SST_OK);
    CHECK(ssti_bytes(reader, 64, size - 64) == (const uint8_t *)image + 64);
    CHECK(ssti_bytes(reader, 64, size - 63) == NULL);
    CHECK(ssti_bytes(reader, size + 1, 0) == NULL);
    CHECK(ssti_crc_at(reader, 0, size, &crc) && crc == sst_crc32c(image, size, 0));
    CHECK_INT(ssti_load(reader, size, 1, &loaded), SST_ERR_CORRUPT);
    CHECK_INT(ssti_load(reader, size + 64, 0, &loaded), SST_ERR_CORRUPT);
    CHECK_INT(ssti_load(reader, 64, size - 64, &loaded), SST_OK);
    CHECK(loaded.bytes == (const uint8_t *)image + 64 && loaded.memory == NULL);
    CHECK_INT(ssti_index_define(reader, cursor), SST_ERR_CORRUPT);
    CHECK_INT(sst_close(reader), SST_OK);
    end = store->end;
    store->end = UINT64_MAX;
    CHECK_INT(ssti_load(store, 64, SIZE_MAX / 2, &loaded), SST_ERR_CORRUPT);
    store->end = end;
    memset(&cache, 0, sizeof cache);
    memset(&block, 0, sizeof block);
    memset(&k, 0, sizeof k);
    k.series = stream->series;
    k.error = &error;
    CHECK_INT(ssti_cache_read(&k, &block, 0, 8, &bytes), SST_ERR_STATE);
    k.cache = &cache;
    CHECK_INT(ssti_cache_read(&k, &block, 0, SIZE_MAX / 2, &bytes), SST_ERR_MEMORY);
    ssti_series_free(&store->allocator, NULL);
    CHECK(ssti_type_bytes(SST_F64) == 8 && ssti_type_bytes((sst_type)99) == 0);
    CHECK(ssti_double(SST_BOOL, (const uint8_t *)"\1") == 0.0);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The bits of the pieces of a block of 2^32 rows; blocks of that size in a time table. */
static void huge_blocks(void) {
    sst_store *store = memory_store(NULL, 0);
    sst_stream *stream = scalar_stream(store, "s", 0);
    ssti_series *s = stream->series;
    ssti_list list;
    ssti_block blocks[8];
    ssti_look k;
    ssti_table table;
    ssti_table_draft draft;
    ssti_part part;
    memset(&list, 0, sizeof list);
    memset(blocks, 0, sizeof blocks);
    memset(&k, 0, sizeof k);
    blocks[0].rows = blocks[1].rows = UINT32_MAX;
    blocks[1].first_row = UINT32_MAX;
    blocks[0].last_time = 1000;
    blocks[1].first_time = 1001;
    blocks[1].last_time = 2000;
    list.chunks[0] = blocks;
    list.count = 2;
    k.series = s;
    k.list = &list;
    k.blocks = 2;
    memset(&draft, 0, sizeof draft);
    draft.k = &k;
    draft.t = &table;
    CHECK_INT(ssti_table_plan(&draft, &part), SST_OK);
    CHECK_INT(table.row_bits, 32);
    CHECK_INT(table.width, 8);
    CHECK(table.first == 0 && table.last == 2000 && table.blocks == 2);
    CHECK(part.count == 2002 && part.high == (uint64_t)2 << 32);
    ssti_draft_set(&draft, &part, 1, (uint64_t)1 << 32 | 77);
    CHECK(ssti_draft_entry(&draft, &part, 1) == ((uint64_t)1 << 32 | 77));
    CHECK(ssti_draft_entry(&draft, &part, 0) == 0 && ssti_draft_entry(&draft, &part, 2) == 0);
    ssti_free(&store->allocator, table.memory, (size_t)draft.capacity * 16);
    if (ssti_piece_bits(&k, 0, 1, (uint64_t)1 << 48) != NULL) {     /* there is room for them */
        uint32_t *bits = list.known[0].pieces[1];
        CHECK_INT(bits[0] % 4, 0);
        CHECK(bits[0] / 4 > 4096u * 2048u);
        ssti_free(&store->allocator, bits, bits[0]);
    }
    ssti_free(&store->allocator, list.known[0].pieces, 8 * 2 * sizeof(uint32_t *));
    CHECK_INT(sst_close(store), SST_OK);
}

static void segments(void) {
    sst_store *store = memory_store(NULL, 0);
    ssti_extent segment;
    static uint8_t bytes[100];
    memset(&segment, 0, sizeof segment);
    segment.data = bytes;
    segment.base = 1000;
    segment.capacity = sizeof bytes;
    store->segments = &segment;
    store->segment_count = 1;
    CHECK(ssti_segment_find(store, 1000, 100) == &segment);
    CHECK(ssti_segment_find(store, 1090, 10) == &segment);
    CHECK(ssti_segment_find(store, 1090, 11) == NULL);      /* across its end */
    CHECK(ssti_segment_find(store, 1000, 101) == NULL);
    CHECK(ssti_segment_find(store, 999, 1) == NULL);
    segment.used = 50;                          /* so much of it counts */
    CHECK(ssti_extent_bytes(&segment, 1010, 40) == bytes + 10);
    CHECK(ssti_extent_bytes(&segment, 1010, 41) == NULL);
    CHECK(ssti_extent_bytes(&segment, 999, 1) == NULL);
    CHECK(ssti_segment_map(store, 64, SIZE_MAX / 2) == NULL);
    CHECK_INT(store->segment_count, 1);
    store->segments = NULL;
    store->segment_count = 0;
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void option_arguments(void) {
    sst_allocator none = {0};
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    size_t plain;
    options.seed = 1;
    options.flags = SST_VERIFY | SST_TRUST;
    CHECK_INT(sst_create(NULL, &options, &store), SST_ERR_ARG);
    CHECK_INT(sst_open_append("/none", &options, &store), SST_ERR_ARG);
    CHECK_INT(sst_memory_bound(&options, NULL, 0), 0);
    options.flags = SST_VERIFY;
    options.allocator = &none;
    CHECK_INT(sst_create(NULL, &options, &store), SST_ERR_ARG);
    CHECK(store == NULL);
    options.allocator = NULL;
    desc.name = "s";
    desc.type = SST_F32;
    plain = sst_memory_bound(&options, &desc, 1);
    CHECK(plain > sst_memory_bound(&options, NULL, 0));
    CHECK_INT(sst_memory_bound(&options, &desc, SST_MAX_STREAMS + 1), 0);
    options.flags = SST_DEFERRED;       /* two halves instead of one */
    CHECK(sst_memory_bound(&options, &desc, 1) > plain + 12000);
}

static int create(sst_store *store, const sst_stream_desc *desc) {
    sst_stream *stream;
    int result = sst_stream_create(store, desc, &stream);
    CHECK((result == SST_OK) == (stream != NULL));
    if (stream != NULL) sst_stream_close(stream);
    return result;
}

static void stream_arguments(void) {
    sst_store *store = memory_store(NULL, 0);
    sst_stream_desc desc = {0};
    sst_field field = {0};
    desc.name = "s";
    field.name = "f";
    field.type = SST_I32;
    desc.fields = &field;
    desc.field_count = SST_MAX_FIELDS + 1;
    CHECK_INT(create(store, &desc), SST_ERR_LIMIT);
    desc.field_count = 1;
    desc.type = SST_I64;                /* one thing here, another there */
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    desc.type = SST_I32;
    desc.shape[0] = 2;
    field.shape[0] = 3;
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    field.shape[0] = 2;
    desc.time_unit = (sst_unit)(SST_TICKS + 1);
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    desc.time_unit = SST_TICKS;
    desc.retain_time = -1;
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    desc.retain_time = 0;
    desc.timelines[0] = "a";
    desc.timelines[1] = "b";
    desc.timelines[2] = "a";
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    desc.timelines[2] = "c";
    CHECK_INT(create(store, &desc), SST_OK);
    CHECK_INT(sst_stream_count(store), 1);
    /* the same again, with one thing changed */
    desc.flags = SST_OPEN_EXISTING;
    CHECK_INT(create(store, &desc), SST_OK);
    field.name = "g";
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    field.name = "ff";
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    field.name = "f";
    desc.timelines[1] = "d";
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    desc.timelines[1] = "b";
    desc.timelines[2] = NULL;
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    desc.timelines[2] = "c";
    desc.time_unit = SST_SECONDS;
    CHECK_INT(create(store, &desc), SST_ERR_ARG);
    desc.time_unit = SST_TICKS;
    CHECK_INT(create(store, &desc), SST_OK);
    desc.name = "last";
    store->series_last = SST_MAX_STREAMS - 1;
    CHECK_INT(create(store, &desc), SST_OK);
    desc.name = "one more";
    CHECK_INT(create(store, &desc), SST_ERR_LIMIT);
    CHECK_INT(sst_stream_count(store), 2);
    CHECK_INT(sst_close(store), SST_OK);
}

static void row_arguments(void) {
    sst_store *store = memory_store(NULL, 0);
    sst_stream *stream = scalar_stream(store, "s", 0);
    sst_view view = {0};
    int64_t values[3] = {1, 2, 3}, times[3] = {10, 20, 30}, back[3] = {9, 9, 9};
    view.times = times;
    view.count = 3;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);             /* no values */
    view.values = values;
    view.times = NULL;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view.times = times;
    view.count = SIZE_MAX / 8;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    view.count = 3;
    view.column_count = 2;
    CHECK_INT(sst_append_view(stream, &view), SST_ERR_ARG);
    CHECK_INT(sst_rows(stream), 0);
    view.column_count = 1;
    CHECK_INT(sst_append_view(stream, &view), SST_OK);
    CHECK_INT(sst_rows(stream), 3);
    /* n = 0 with nothing to read or write */
    CHECK_INT(sst_sample(stream, NULL, 0, SST_SAMPLE_PREVIOUS, NULL, NULL), SST_OK);
    CHECK_INT(sst_gather(stream, NULL, 0, NULL, NULL), SST_OK);
    CHECK_INT(sst_sample(stream, NULL, 1, SST_SAMPLE_PREVIOUS, back, NULL), SST_ERR_ARG);
    CHECK_INT(sst_gather(stream, NULL, 1, back, NULL), SST_ERR_ARG);
    CHECK(back[0] == 9);
    CHECK_INT(sst_stream_finish(stream), SST_OK);
    CHECK_INT(sst_append(stream, 40, NULL), SST_ERR_FINISHED);
    CHECK_INT(sst_append(stream, 40, values), SST_ERR_FINISHED);
    CHECK_INT(sst_append(NULL, 40, values), SST_ERR_ARG);
    CHECK_INT(sst_close(store), SST_OK);
}

static void store_arguments(void) {
    sst_store *store = memory_store(NULL, 0), *reader;
    sst_stream *stream = scalar_stream(store, "s", 0);
    const void *image;
    size_t size;
    CHECK_INT(sst_append_i64(stream, 1, 2), SST_OK);
    CHECK_INT(sst_refresh(NULL), SST_ERR_ARG);
    CHECK_INT(sst_refresh(store), SST_OK);
    CHECK_INT(sst_sync(store), SST_OK);         /* there is no file */
    CHECK_INT(sst_durable_rows(NULL), 0);
    CHECK_INT(sst_durable_rows(stream), 0);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    CHECK_INT(sst_open_memory(image, size, NULL, &reader), SST_OK);
    CHECK_INT(sst_refresh(reader), SST_OK);
    CHECK_INT(sst_stream_open(reader, "s", &stream), SST_OK);
    CHECK(sst_rows(stream) == 1 && sst_durable_rows(stream) == 0);
    CHECK_INT(sst_append(stream, 5, NULL), SST_ERR_READ_ONLY);
    CHECK_INT(sst_close(reader), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- halves in an odd state ----------------------------------------------------------------- */

/* While a half is laid out anew its generation is odd: nothing in it counts. */
static void odd_generation(void) {
    sst_store *store = memory_store(NULL, 0);
    sst_stream *stream = scalar_stream(store, "s", 512);
    ssti_series *s = stream->series;
    sst_error error;
    uint32_t hint = 0;
    ssti_look k;
    uint64_t sealed, rows;
    int64_t out[1], t;
    ssti_range range = {0, 1};
    for (t = 0; t < 33; t++) CHECK_INT(sst_append_i64(stream, t, t), SST_OK);
    sealed = ssti_list_end(s->list, s->list->count);
    rows = sst_rows(stream);
    CHECK(rows == 33 && sealed > 0 && sealed < rows);
    range.first = sealed;
    CHECK_INT(ssti_half_fetch(s, &s->halves[0], 1, range, (uint8_t *)out), 1);
    CHECK_INT(out[0], (int64_t)sealed);
    ssti_look_begin(&k, s, &error, &hint);
    CHECK_INT(ssti_fetch(&k, 1, range, (uint8_t *)out), SST_OK);
    s->halves[0].generation++;
    CHECK_INT(ssti_half_fetch(s, &s->halves[0], 1, range, (uint8_t *)out), 0);
    CHECK_INT(ssti_fetch(&k, 1, range, (uint8_t *)out), SST_ERR_CORRUPT);       /* nowhere */
    CHECK_INT(sst_rows(stream), sealed);
    s->halves[0].generation++;
    CHECK_INT(sst_rows(stream), 33);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Two handles that passed the first check at the same moment: one of them is the writer. */
static void two_writers(void) {
    sst_store *store = memory_store(NULL, 0);
    sst_stream *stream = scalar_stream(store, "s", 0), *other;
    int64_t times[2] = {1, 2};
    const uint8_t *columns[2];
    ssti_rows rows;
    memset(&rows, 0, sizeof rows);
    columns[0] = columns[1] = (const uint8_t *)times;
    rows.columns = columns;
    rows.count = 2;
    CHECK_INT(sst_stream_open(store, "s", &other), SST_OK);
    CHECK_INT(sst_append_i64(stream, 0, 0), SST_OK);
    CHECK_INT(sst_append_i64(other, 1, 1), SST_ERR_STATE);
    CHECK_INT(ssti_append_rows(other, &rows), SST_ERR_STATE);
    CHECK_INT(sst_rows(stream), 1);
    sst_stream_close(stream);
    CHECK_INT(ssti_append_rows(other, &rows), SST_OK);
    CHECK_INT(sst_rows(other), 3);
    CHECK_INT(sst_close(store), SST_OK);
}

/* ---- memory that runs out ------------------------------------------------------------------- */

/* Everything that a memory store does at its end: from the nth allocation on all fail. Afterwards
 * there is memory again, and nothing was lost. */
static void image_out_of_memory(void) {
    uint64_t n, failures = 0;
    for (n = 1; n < 200; n++) {
        meter m;
        sst_allocator a = meter_allocator(&m);
        sst_store *store = memory_store(&a, 0), *reader;
        sst_stream *streams[3];
        const void *image;
        size_t size;
        int64_t t;
        int result, i;
        bool done;
        for (i = 0; i < 3; i++) {
            char name[8];
            sprintf(name, "s%d", i);
            streams[i] = scalar_stream(store, name, 512);
        }
        for (t = 0; t < 6000; t++) {
            for (i = 0; i < 3; i++) CHECK_INT(sst_append_i64(streams[i], t, t + i), SST_OK);
        }
        m.calls = 0;
        m.fail_at = n;
        m.forever = true;
        result = sst_image(store, &image, &size);
        done = result == SST_OK;
        CHECK(done || result == SST_ERR_MEMORY);
        CHECK(done == (image != NULL) && done == (size != 0));
        failures += !done;
        m.fail_at = 0;
        CHECK_INT(sst_image(store, &image, &size), SST_OK);
        REQUIRE(sst_open_memory(image, size, NULL, &reader) == SST_OK);
        CHECK_INT(sst_verify(reader, NULL), SST_OK);
        for (i = 0; i < 3; i++) {
            sst_view view;
            char name[8];
            sprintf(name, "s%d", i);
            REQUIRE(sst_stream_open(reader, name, &streams[i]) == SST_OK);
            REQUIRE(sst_slice(streams[i], 5999, 5, &view) == SST_OK && view.count == 1);
            CHECK_INT(((const int64_t *)view.values)[0], 5999 + i);
        }
        CHECK_INT(sst_close(reader), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        if (done) break;
    }
    CHECK(failures > 0 && n < 200);
}

/* Metadata: a key that could not be written, or removed, is as it was. */
static void meta_out_of_memory(void) {
    uint64_t n;
    char *large = (char *)calloc(1, 400000);
    if (large == NULL) exit(1);
    for (n = 1; n < 20; n++) {
        meter m;
        sst_allocator a = meter_allocator(&m);
        sst_store *store = memory_store(&a, 0);
        const void *value;
        size_t size;
        int result;
        CHECK_INT(sst_set_meta(store, "key", "old", 3), SST_OK);
        m.calls = 0;
        m.fail_at = n;
        m.forever = true;
        result = sst_set_meta(store, "key", large, 400000);     /* more than an extent */
        CHECK(result == SST_OK || result == SST_ERR_MEMORY);
        REQUIRE(sst_get_meta(store, "key", &value, &size) == SST_OK);
        CHECK_INT(size, result == SST_OK ? 400000 : 3);
        CHECK_INT(sst_close(store), SST_OK);
        if (result == SST_OK) break;
    }
    CHECK(n > 2 && n < 20);
    free(large);
}

/* Fills the newest extent up to a few bytes, so that the next record needs a new one. */
static void fill_extent(sst_store *store) {
    const ssti_extent *e = &store->extents[store->extent_count - 1];
    size_t left = e->capacity - e->used;
    static char zeros[300000];
    if (left >= 192) CHECK_INT(sst_set_meta(store, "fill", zeros, left / 64 * 64 - 70), SST_OK);
    e = &store->extents[store->extent_count - 1];
    CHECK(e->capacity - e->used < 64);
}

static void full_extent(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_store *store = memory_store(&a, 0);
    sst_stream *stream = scalar_stream(store, "s", 0), *second;
    sst_stream_desc desc = {0};
    const void *value;
    size_t size;
    CHECK_INT(sst_set_meta(store, "key", "value", 5), SST_OK);
    CHECK_INT(sst_append_i64(stream, 1, 1), SST_OK);
    fill_extent(store);
    m.most = 1;                                 /* nothing any more */
    CHECK_INT(sst_remove_meta(store, "key"), SST_ERR_MEMORY);
    CHECK_INT(sst_get_meta(store, "key", &value, &size), SST_OK);
    CHECK_INT(sst_stream_finish(stream), SST_ERR_MEMORY);
    CHECK_INT(sst_flush(store), SST_ERR_MEMORY);
    desc.name = "second";
    desc.type = SST_I8;
    CHECK_INT(sst_stream_create(store, &desc, &second), SST_ERR_MEMORY);
    CHECK(second == NULL && sst_rows(stream) == 1);
    m.most = 0;
    CHECK_INT(sst_append_i64(stream, 2, 2), SST_OK);    /* it was not finished */
    CHECK_INT(sst_remove_meta(store, "key"), SST_OK);
    CHECK_INT(sst_get_meta(store, "key", &value, &size), SST_ERR_NOT_FOUND);
    CHECK_INT(sst_stream_finish(stream), SST_OK);
    CHECK_INT(sst_append_i64(stream, 3, 3), SST_ERR_FINISHED);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Room for some of the last records, but not for all of them. */
static void image_in_a_full_extent(void) {
    static char zeros[300000];
    size_t left, failed = 0, n = 0;
    int tail;
    for (tail = 0; tail < 2; tail++) {
        for (left = 0; left < 1024; left += 64) {
            meter m;
            sst_allocator a = meter_allocator(&m);
            sst_store *store = memory_store(&a, 0);
            sst_stream *stream = scalar_stream(store, "s", 0);
            const ssti_extent *e = &store->extents[0];
            const void *image;
            size_t size, room;
            int result;
            CHECK_INT(sst_append_i64(stream, 1, 7), SST_OK);
            if (tail == 0) CHECK_INT(sst_flush(store), SST_OK);
            room = e->capacity - e->used;
            CHECK_INT(sst_set_meta(store, "fill", zeros, room / 64 * 64 - left - 198), SST_OK);
            CHECK_INT(sst_remove_meta(store, "fill"), SST_OK);  /* or it would be in the INDEX */
            CHECK(e->capacity - e->used - left < 64);
            m.most = 1;
            result = sst_image(store, &image, &size);
            CHECK(result == SST_ERR_MEMORY || result == SST_OK);
            failed += result != SST_OK;
            n++;
            m.most = 0;
            CHECK_INT(sst_image(store, &image, &size), SST_OK);
            CHECK(size > 15000 && sst_rows(stream) == 1);
            CHECK_INT(sst_close(store), SST_OK);
        }
    }
    CHECK(failed > 8 && failed < n);
}

/* Halves that could not be had when the stream was made are asked for by the first append. */
static void late_halves(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_store *store = memory_store(&a, SST_DEFERRED);
    sst_stream *stream;
    m.most = 8000;
    stream = scalar_stream(store, "s", 0);
    CHECK_INT(sst_append_i64(stream, 1, 1), SST_ERR_MEMORY);
    CHECK_INT(sst_rows(stream), 0);
    m.most = 0;
    CHECK_INT(sst_append_i64(stream, 1, 1), SST_OK);
    CHECK_INT(sst_rows(stream), 1);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A view whose first time has to be another one, without memory for a copy of the times. */
static void carry_out_of_memory(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_store *store = memory_store(&a, 0);
    sst_stream *stream = scalar_stream(store, "s", 0);
    sst_view view;
    int64_t t;
    for (t = 0; t < 2000; t++) CHECK_INT(sst_append_i64(stream, 10 * t, t), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_slice(stream, 0, 1, &view), SST_OK);  /* what is noted at a first look */
    CHECK_INT(sst_window(stream, 15, 1000, &view), SST_OK);
    m.most = 1;
    CHECK_INT(sst_window_ex(stream, 15, 1000, SST_CARRY, &view), SST_ERR_MEMORY);
    m.most = 0;
    CHECK_INT(sst_window_ex(stream, 15, 1000, SST_CARRY, &view), SST_OK);
    CHECK_INT(view.count, 100);
    CHECK(view.times[0] == 15 && view.times[1] == 20 && !view.stable);
    CHECK_INT(((const int64_t *)view.values)[0], 1);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A record in a memory store that somebody wrote over, in the middle of several extents. */
static void damaged_memory_store(void) {
    meter m;
    sst_allocator a = meter_allocator(&m);
    sst_store *store = memory_store(&a, 0);
    sst_stream *stream = scalar_stream(store, "s", 0);
    sst_report report = {0};
    uint64_t last = 0;
    ssti_walk w;
    int64_t t;
    for (t = 0; t < 200000; t++) CHECK_INT(sst_append_i64(stream, t, t), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_verify(store, &report), SST_OK);
    CHECK(report.rows == 200000 && store->extent_count > 1);
    ssti_walk_begin(&w, store);
    while (ssti_walk_next(&w) && w.offset < store->extents[1].base) last = w.offset;
    store->extents[0].data[last] ^= 1;          /* the magic of the last one in the first extent */
    CHECK_INT(sst_verify(store, &report), SST_ERR_CORRUPT);
    CHECK(report.damage_count >= 1 && report.rows < 200000);
    store->extents[0].data[last] ^= 1;
    CHECK_INT(sst_verify(store, &report), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* Without an allocator a large image is in one buffer, which never moves: views stay where they
 * are, and sst_image copies nothing. A small one is moved into it. */
static void image_in_a_buffer(void) {
    sst_store *store = memory_store(NULL, 0);
    sst_stream *stream = scalar_stream(store, "s", 0);
    sst_view first, second, view;
    const void *image, *again;
    size_t size;
    int64_t t;
    for (t = 0; t < 20000; t++) CHECK_INT(sst_append_i64(stream, t, t), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_slice(stream, 100, 10, &first), SST_OK);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    CHECK(store->buffer.open == 0 && size < 1000000);
    for (; t < 200000; t++) CHECK_INT(sst_append_i64(stream, t, t), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    CHECK_INT(sst_slice(stream, 150000, 10, &second), SST_OK);
    CHECK(first.stable && second.stable);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    for (; t < 1000000; t++) CHECK_INT(sst_append_i64(stream, t, t), SST_OK);
    CHECK_INT(sst_image(store, &again, &size), SST_OK);
    CHECK(size > 16000000);
    if (sizeof(void *) >= 8) CHECK(store->buffer.open != 0 && image == again);
    CHECK_INT(sst_slice(stream, 150000, 10, &view), SST_OK);
    CHECK(sizeof(void *) < 8 || view.values == second.values);
    CHECK_INT(((const int64_t *)first.values)[9], 109);
    CHECK_INT(((const int64_t *)second.values)[9], 150009);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* A record that is larger than all before. */
static void buffer_at_once(void) {
    static char bytes[3000000];
    sst_store *store = memory_store(NULL, 0);
    const void *image, *value;
    size_t size;
    CHECK_INT(sst_set_meta(store, "large", bytes, sizeof bytes), SST_OK);
    CHECK_INT(sst_set_meta(store, "small", bytes, 10), SST_OK);
    CHECK(sizeof(void *) < 8 || store->buffer.open != 0);
    CHECK_INT(sst_image(store, &image, &size), SST_OK);
    CHECK(size > sizeof bytes);
    CHECK_INT(sst_get_meta(store, "large", &value, &size), SST_OK);
    CHECK_INT(size, sizeof bytes);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

int main(void) {
    TEST_RUN(utf8_last_byte);
    TEST_RUN(growing_arrays);
    TEST_RUN(arena_without_memory);
    TEST_RUN(crc_in_software);
    TEST_RUN(colliding_names);
    TEST_RUN(impossible_sizes);
    TEST_RUN(ranges);
    TEST_RUN(huge_blocks);
    TEST_RUN(segments);
    TEST_RUN(option_arguments);
    TEST_RUN(stream_arguments);
    TEST_RUN(row_arguments);
    TEST_RUN(store_arguments);
    TEST_RUN(odd_generation);
    TEST_RUN(two_writers);
    TEST_RUN(image_out_of_memory);
    TEST_RUN(meta_out_of_memory);
    TEST_RUN(full_extent);
    TEST_RUN(image_in_a_full_extent);
    TEST_RUN(late_halves);
    TEST_RUN(carry_out_of_memory);
    TEST_RUN(damaged_memory_store);
    TEST_RUN(image_in_a_buffer);
    TEST_RUN(buffer_at_once);
    return test_done("test_branches");
}
