/* Memory: every allocation of a scenario that does everything fails once, and fails from there on;
 * the arena; the bound that sst_memory_bound promises. */
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_INDEX_BLOCKS 8
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 1u
#include "../streamstore.h"
#include "test.h"
#include "meter.h"
#include "model.h"

/* ---- the scenario --------------------------------------------------------------------------- */

/* Streams: 0 f64, 1 i32[2] with two timelines, 2 u8[200] (skips the tail), 3 f64, a copy of
 * rows of 0. Every row follows from its number. */
#define STREAMS 4

typedef struct scene {
    meter memory;
    sst_allocator allocator;
    sst_options options;
    sst_store *store, *opened;
    sst_stream *stream[STREAMS], *second, *opened_stream[STREAMS];
    uint8_t *image;
    size_t image_size;
} scene;

static const size_t row_bytes[STREAMS] = {8, 8, 200, 8};

static int64_t row_time(uint64_t row) {
    return (int64_t)row * 10 - 700;
}

static void row_value(int stream, uint64_t row, uint8_t *value) {
    double f64 = (double)row * 1.5;
    int32_t pair[2];
    pair[0] = (int32_t)row;
    pair[1] = -(int32_t)row;
    if (stream == 1) memcpy(value, pair, 8);
    else if (stream == 2) memset(value, (int)row + 1, 200);
    else memcpy(value, &f64, 8);
}

static int make_stream(scene *s, int i) {
    sst_stream_desc desc;
    int result;
    memset(&desc, 0, sizeof desc);
    desc.name = i == 0 ? "a" : i == 1 ? "b" : i == 2 ? "c" : "d";
    desc.type = i == 1 ? SST_I32 : i == 2 ? SST_U8 : SST_F64;
    desc.shape[0] = i == 1 ? 2 : i == 2 ? 200 : 0;
    if (i == 1) desc.timelines[0] = "capture";
    if (i == 1) desc.timelines[1] = "arrival";
    result = sst_stream_create(s->store, &desc, &s->stream[i]);
    CHECK((result == SST_OK) == (s->stream[i] != NULL));
    return result;
}

static int append_one(scene *s, int i, uint64_t row) {
    uint8_t value[200];
    int64_t lines[2];
    sst_row full;
    row_value(i, row, value);
    if (i != 1) return sst_append(s->stream[i], row_time(row), value);
    memset(&full, 0, sizeof full);
    lines[0] = row_time(row) / 3;
    lines[1] = (int64_t)(row * 7919 % 1000);
    full.time = row_time(row);
    full.timelines = lines;
    full.value = value;
    return sst_append_row(s->stream[i], &full);
}

/* Appends until the stream has `rows`; a failed append adds nothing. */
static int append_up_to(scene *s, int i, uint64_t rows) {
    uint64_t row = sst_rows(s->stream[i]);
    int result = SST_OK;
    for (; row < rows && result == SST_OK; row++) {
        result = append_one(s, i, row);
        CHECK_INT(sst_rows(s->stream[i]), row + (result == SST_OK));
    }
    return result;
}

/* The same in one call, which may have added leading rows when it fails. */
static int append_rows_up_to(scene *s, uint64_t rows) {
    uint64_t first = sst_rows(s->stream[0]), i;
    int64_t times[200];
    double values[200];
    int result;
    if (first >= rows) return SST_OK;
    for (i = first; i < rows; i++) {
        times[i - first] = row_time(i);
        row_value(0, i, (uint8_t *)&values[i - first]);
    }
    result = sst_append_rows(s->stream[0], times, values, (size_t)(rows - first));
    CHECK(sst_rows(s->stream[0]) >= first && sst_rows(s->stream[0]) <= rows);
    if (result == SST_OK) CHECK_INT(sst_rows(s->stream[0]), rows);
    return result;
}

static int append_view_up_to(scene *s, uint64_t rows) {
    uint64_t first = sst_rows(s->stream[3]);
    sst_view view;
    int result;
    if (first >= rows) return SST_OK;
    result = sst_slice(s->stream[0], first, rows - first, &view);
    if (result != SST_OK) return result;
    CHECK_INT(view.count, rows - first);
    result = sst_append_view(s->stream[3], &view);
    CHECK(sst_rows(s->stream[3]) >= first && sst_rows(s->stream[3]) <= rows);
    return result;
}

static bool right_values(int i, const sst_view *view) {
    uint8_t value[200];
    uint64_t k;
    for (k = 0; k < view->count; k++) {
        row_value(i, view->first_row + k, value);
        if (view->times[k] != row_time(view->first_row + k)) return false;
        if (memcmp((const uint8_t *)view->values + k * row_bytes[i], value, row_bytes[i]) != 0) {
            return false;
        }
    }
    return true;
}

#define TRY(call) do { int tried = (call); if (tried != SST_OK) return tried; } while (0)

/* Windows and slices, each of which may need scratch. */
static int ask_views(sst_stream *stream, int i) {
    uint64_t rows = sst_rows(stream);
    sst_view view;
    TRY(sst_slice(stream, 0, rows, &view));
    CHECK(view.count == rows && right_values(i, &view));
    TRY(sst_window(stream, row_time(1), row_time(rows - 2), &view));
    CHECK(view.count == rows - 2 && right_values(i, &view));
    TRY(sst_window_ex(stream, row_time(0) + 5, INT64_MAX, SST_CARRY, &view));
    CHECK(view.count == rows && view.times[0] == row_time(0) + 5);
    TRY(sst_at(stream, row_time(rows - 1) + 3, &view));
    CHECK(view.count == 1 && right_values(i, &view));
    if (i == 1) {
        TRY(sst_window_on(stream, 0, INT64_MIN, INT64_MAX, SST_HALF_OPEN, &view));
        CHECK(view.count == rows && right_values(i, &view));
        CHECK(view.timelines[0][rows - 1] == row_time(rows - 1) / 3);
    }
    return SST_OK;
}

static int ask_numbers(sst_stream *stream, int i) {
    int64_t times[3] = {-800, -690, INT64_MAX}, rows[3], numbers[2] = {-1, 1};
    uint8_t got[600], value[200];
    double line[600];
    uint64_t row = 0;
    int how;
    row_value(i, 1, value);
    TRY(sst_locate(stream, row_time(2) + 1, SST_AT_OR_AFTER, &row));
    CHECK_INT(row, 3);
    for (how = 0; how < 4; how++) {
        void *out = how == SST_SAMPLE_LINEAR ? (void *)line : (void *)got;
        TRY(sst_sample(stream, times, 3, (sst_sampling)how, out, rows));
        CHECK_INT(rows[1], 1);
        if (how != SST_SAMPLE_LINEAR) CHECK(memcmp(got + row_bytes[i], value, row_bytes[i]) == 0);
    }
    TRY(sst_gather(stream, numbers, 2, got, times));
    CHECK(times[1] == row_time(1) && memcmp(got + row_bytes[i], value, row_bytes[i]) == 0);
    if (i != 1) return SST_OK;
    TRY(sst_locate_on(stream, 0, row_time(5) / 3, SST_EXACT, &row));
    CHECK_INT(row, 5);
    how = sst_locate_on(stream, 1, 0, SST_EXACT, &row);
    return how == SST_ERR_ORDER ? SST_OK : how;
}

/* ---- the steps ------------------------------------------------------------------------------ */

static int step_create(scene *s) {
    sst_error error;
    int result;
    s->options.error = &error;
    result = sst_create(NULL, &s->options, &s->store);
    s->options.error = NULL;
    CHECK_INT(error.result, result);
    CHECK((result == SST_OK) == (s->store != NULL));
    if (result != SST_OK) CHECK(s->memory.now == 0 && s->memory.blocks == 0);
    return result;
}

static int step_stream_0(scene *s) { return make_stream(s, 0); }
static int step_stream_1(scene *s) { return make_stream(s, 1); }
static int step_stream_2(scene *s) { return make_stream(s, 2); }
static int step_stream_3(scene *s) { return make_stream(s, 3); }

static int step_second(scene *s) {
    return sst_stream_open(s->store, "a", &s->second);
}

static int step_open_existing(scene *s) {
    sst_stream_desc desc;
    sst_stream *stream;
    int result;
    CHECK_INT(sst_stream_info(s->stream[1], &desc, NULL, NULL, NULL), SST_OK);
    desc.flags |= SST_OPEN_EXISTING;
    result = sst_stream_create(s->store, &desc, &stream);
    sst_stream_close(stream);
    return result;
}

static int step_meta_set(scene *s) { return sst_set_meta(s->store, "key", "first", 5); }
static int step_meta_replace(scene *s) { return sst_set_meta(s->store, "key", "the second", 10); }
static int step_meta_other(scene *s) { return sst_set_meta(s->store, "other", NULL, 0); }

static int step_meta_remove(scene *s) { return sst_remove_meta(s->store, "other"); }

static int step_meta_stream(scene *s) {
    static const char large[3000] = "x";
    return sst_stream_set_meta(s->stream[1], "frame", large, sizeof large);
}

static int step_append_0(scene *s) { return append_up_to(s, 0, 140); }
static int step_append_1(scene *s) { return append_up_to(s, 1, 60); }
static int step_append_2(scene *s) { return append_up_to(s, 2, 5); }
static int step_rows(scene *s) { return append_rows_up_to(s, 330); }
static int step_view(scene *s) { return append_view_up_to(s, 150); }
static int step_flush(scene *s) { return sst_flush(s->store); }
static int step_poll(scene *s) { return sst_poll(s->store); }
static int step_more(scene *s) { return append_up_to(s, 0, 400); }
static int step_finish(scene *s) { return sst_stream_finish(s->stream[0]); }
static int step_verify(scene *s) { return sst_verify(s->store, NULL); }

static int step_ask(scene *s) {
    int i;
    for (i = 0; i < STREAMS; i++) {
        TRY(ask_views(s->stream[i], i));
        TRY(ask_numbers(s->stream[i], i));
    }
    return ask_views(s->second, 0);
}

/* Keeps a copy of the image. */
static int step_image(scene *s) {
    const void *bytes;
    size_t size;
    TRY(sst_image(s->store, &bytes, &size));
    free(s->image);
    s->image = (uint8_t *)model_duplicate(bytes, size);
    s->image_size = size;
    return SST_OK;
}

static int open_image(scene *s, size_t size, uint32_t flags) {
    size_t live = s->memory.now;
    uint64_t blocks = s->memory.blocks;
    int result;
    s->options.flags = flags;
    result = sst_open_memory(s->image, size, &s->options, &s->opened);
    s->options.flags = 0;
    CHECK((result == SST_OK) == (s->opened != NULL));
    if (result != SST_OK) CHECK(s->memory.now == live && s->memory.blocks == blocks);
    return result;
}

static int step_open(scene *s) { return open_image(s, s->image_size, 0); }
static int step_open_verify(scene *s) { return open_image(s, s->image_size, SST_VERIFY); }
static int step_open_cut(scene *s) { return open_image(s, s->image_size - 64, 0); }

static int step_ask_opened(scene *s) {
    static const char *const names[STREAMS] = {"a", "b", "c", "d"};
    int i;
    for (i = 0; i < STREAMS; i++) {
        if (s->opened_stream[i] == NULL) {
            TRY(sst_stream_open(s->opened, names[i], &s->opened_stream[i]));
        }
        CHECK_INT(sst_rows(s->opened_stream[i]), sst_rows(s->stream[i]));
        TRY(ask_numbers(s->opened_stream[i], i));
        TRY(ask_views(s->opened_stream[i], i));
    }
    return sst_verify(s->opened, NULL);
}

static int step_close_opened(scene *s) {
    int result = sst_close(s->opened);
    s->opened = NULL;
    memset(s->opened_stream, 0, sizeof s->opened_stream);
    return result;
}

static int step_close_second(scene *s) {
    sst_stream_close(s->second);
    s->second = NULL;
    return SST_OK;
}

typedef struct scene_step {
    const char *name;
    int (*run)(scene *s);
    bool progress;              /* may leave rows behind when it fails */
} scene_step;

static const scene_step steps[] = {
    {"create", step_create, false}, {"stream 0", step_stream_0, false},
    {"meta set", step_meta_set, false}, {"stream 1", step_stream_1, false},
    {"stream 2", step_stream_2, false}, {"second handle", step_second, false},
    {"append 0", step_append_0, true}, {"meta replace", step_meta_replace, false},
    {"append 1", step_append_1, true}, {"append 2", step_append_2, true},
    {"poll", step_poll, true}, {"stream 3", step_stream_3, false},
    {"meta other", step_meta_other, false}, {"rows", step_rows, true},
    {"view", step_view, true}, {"ask", step_ask, false}, {"image", step_image, true},
    {"open", step_open, false}, {"ask opened", step_ask_opened, false},
    {"close opened", step_close_opened, false}, {"meta stream", step_meta_stream, false},
    {"meta remove", step_meta_remove, false}, {"verify", step_verify, false},
    {"more", step_more, true}, {"flush", step_flush, true},
    {"open existing", step_open_existing, false}, {"finish", step_finish, true},
    {"ask again", step_ask, false}, {"close second", step_close_second, false},
    {"image again", step_image, true}, {"open cut", step_open_cut, false},
    {"ask cut", step_ask_opened, false}, {"close cut", step_close_opened, false},
    {"open verify", step_open_verify, false}, {"ask verified", step_ask_opened, false},
    {"close verified", step_close_opened, false}};

/* ---- failing -------------------------------------------------------------------------------- */

/* What a failed call may not change, read without memory. */
typedef struct state {
    uint32_t streams, metas, stream_metas;
    uint64_t rows[STREAMS];
    size_t meta_bytes;
} state;

static state state_of(scene *s) {
    state now;
    const void *value;
    size_t size;
    int i;
    memset(&now, 0, sizeof now);
    if (s->store == NULL) return now;
    now.streams = sst_stream_count(s->store);
    while (sst_meta_at(s->store, now.metas, NULL, &value, &size) == SST_OK) {
        now.metas++;
        now.meta_bytes += size;
    }
    for (i = 0; i < STREAMS; i++) {
        if (s->stream[i] != NULL) now.rows[i] = sst_rows(s->stream[i]);
    }
    if (s->stream[1] != NULL) {
        while (sst_stream_meta_at(s->stream[1], now.stream_metas, NULL, NULL, &size) == SST_OK) {
            now.stream_metas++;
            now.meta_bytes += size;
        }
    }
    return now;
}

static void check_unchanged(scene *s, const state *before, bool progress) {
    state after = state_of(s);
    int i;
    CHECK_INT(after.streams, before->streams);
    CHECK_INT(after.metas, before->metas);
    CHECK_INT(after.stream_metas, before->stream_metas);
    CHECK_INT(after.meta_bytes, before->meta_bytes);
    for (i = 0; i < STREAMS; i++) {
        if (progress) CHECK(after.rows[i] >= before->rows[i]);
        else CHECK_INT(after.rows[i], before->rows[i]);
    }
}

/* One step; when memory runs out in it nothing has changed, and with memory it succeeds. */
static void run_step(scene *s, const scene_step *step) {
    state before = state_of(s);
    int result = step->run(s);
    if (result == SST_ERR_MEMORY) {
        CHECK(s->memory.failures > 0);
        check_unchanged(s, &before, step->progress);
        if (s->memory.forever) {
            result = step->run(s);
            CHECK(result == SST_ERR_MEMORY || result == SST_OK);
            if (result != SST_OK) check_unchanged(s, &before, step->progress);
        }
        s->memory.fail_at = 0;
        if (result != SST_OK) result = step->run(s);
    }
    if (result != SST_OK) {
        printf("step \"%s\", allocation %llu: %s\n", step->name,
               (unsigned long long)s->memory.calls, sst_result_name(result));
    }
    CHECK_INT(result, SST_OK);
}

/* The contents at the end. */
static void check_contents(scene *s) {
    const void *value = NULL;
    size_t size = 0;
    int i;
    CHECK_INT(sst_get_meta(s->store, "key", &value, &size), SST_OK);
    CHECK(size == 10 && value != NULL && memcmp(value, "the second", 11) == 0);
    CHECK_INT(sst_get_meta(s->store, "other", &value, &size), SST_ERR_NOT_FOUND);
    CHECK_INT(sst_stream_get_meta(s->stream[1], "frame", &value, &size), SST_OK);
    CHECK_INT(size, 3000);
    CHECK_INT(sst_rows(s->stream[0]), 400);
    CHECK_INT(sst_rows(s->stream[1]), 60);
    CHECK_INT(sst_rows(s->stream[2]), 5);
    CHECK_INT(sst_rows(s->stream[3]), 150);
    for (i = 0; i < STREAMS; i++) {
        CHECK_INT(ask_views(s->stream[i], i), SST_OK);
        CHECK_INT(ask_numbers(s->stream[i], i), SST_OK);
    }
    CHECK_INT(append_one(s, 0, 400), SST_ERR_FINISHED);
}

/* The whole scenario. Returns how often it asked for memory. */
static uint64_t run_scene(uint64_t fail_at, bool forever) {
    scene *s = (scene *)calloc(1, sizeof *s);
    uint64_t calls;
    size_t i;
    int errors = test_errors;
    if (s == NULL) exit(1);
    s->allocator = meter_allocator(&s->memory);
    s->memory.fail_at = fail_at;
    s->memory.forever = forever;
    s->options.allocator = &s->allocator;
    s->options.block_bytes = 512;
    s->options.seed = 5;
    for (i = 0; i < sizeof steps / sizeof steps[0] && test_errors == errors; i++) {
        run_step(s, &steps[i]);
    }
    s->memory.fail_at = 0;
    if (test_errors == errors) check_contents(s);
    CHECK_INT(sst_close(s->opened), SST_OK);
    CHECK_INT(sst_close(s->store), SST_OK);
    CHECK_INT(s->memory.now, 0);
    CHECK_INT(s->memory.blocks, 0);
    if (test_errors != errors) {
        printf("when allocation %llu failed %s\n", (unsigned long long)fail_at,
               forever ? "and all after it" : "once");
    }
    calls = s->memory.calls;
    free(s->image);
    free(s);
    return calls;
}

static void nothing_fails(void) {
    uint64_t calls = run_scene(0, false);
    CHECK(calls > 20);
}

static void each_fails_once(void) {
    uint64_t n, calls = run_scene(0, false);
    for (n = 1; n <= calls && test_errors == 0; n++) run_scene(n, false);
}

static void each_and_all_after_fail(void) {
    uint64_t n, calls = run_scene(0, false);
    for (n = 1; n <= calls && test_errors == 0; n++) run_scene(n, true);
}

/* ---- streams of every kind, any allocation fails -------------------------------------------- */

#define KINDS 4

typedef struct kinds {
    uint64_t random;
    meter memory;
    sst_store *store;
    sst_stream *stream[KINDS];
    model_stream model[KINDS];
} kinds;

/* A call until there is memory for it. */
#define PERSIST(result, call) \
    do { \
        int tries = 0; \
        do (result) = (call); while ((result) == SST_ERR_MEMORY && ++tries < 2000); \
    } while (0)

static void kinds_create(kinds *k, const sst_options *options) {
    uint32_t i;
    int result;
    char name[16];
    PERSIST(result, sst_create(NULL, options, &k->store));
    if (!MODEL_INT(result, SST_OK)) return;
    for (i = 0; i < KINDS; i++) {
        sst_stream_desc desc;
        sst_field field[MODEL_FIELDS];
        snprintf(name, sizeof name, "s%u", (unsigned)i);
        model_stream_random(&k->model[i], name, options->block_bytes, &k->random);
        model_describe(&k->model[i], &desc, field);
        PERSIST(result, sst_stream_create(k->store, &desc, &k->stream[i]));
        if (!MODEL_INT(result, SST_OK)) return;
    }
}

/* The prepared rows, in calls for one or for all of them. A call for one that fails adds none. */
static void kinds_append(kinds *k, uint32_t i, uint64_t rows) {
    model_stream *m = &k->model[i];
    bool one = test_below(&k->random, 2) == 0;
    int result, tries = 0;
    while (rows > 0 && !model_failed && ++tries < 2000) {
        sst_column columns[MODEL_FIELDS];
        sst_view view = model_view(m, m->rows, rows, columns);
        uint64_t added;
        result = one ? model_append(m, m->rows, k->stream[i])
                     : sst_append_view(k->stream[i], &view);
        added = sst_rows(k->stream[i]) - m->rows;
        MODEL(result == SST_OK ? added == (one ? 1 : rows) : added < (one ? 1 : rows));
        MODEL(result == SST_OK || result == SST_ERR_MEMORY || result == SST_ERR_BUSY);
        if (!MODEL(added <= rows)) return;
        model_commit(m, added);
        rows -= added;
        if (result == SST_ERR_BUSY) (void)sst_poll(k->store);
    }
    MODEL_INT(rows, 0);
}

static void kinds_ask(kinds *k, uint32_t i, sst_stream *stream) {
    model_source source = {&k->model[i], stream, NULL, false};
    uint64_t rows = source.model->rows;
    model_range range = {0, 0, -1, 0};
    sst_view view;
    int result;
    range.first = test_below(&k->random, rows);
    range.count = test_below(&k->random, rows - range.first + 1);
    PERSIST(result, sst_slice(stream, range.first, range.count, &view));
    if (MODEL_INT(result, SST_OK)) model_check_view(&source, &view, &range);
}

/* The image, opened. */
static void kinds_image(kinds *k, const sst_options *options) {
    sst_store *opened = NULL;
    const void *bytes = NULL;
    size_t size = 0;
    uint32_t i;
    int result;
    PERSIST(result, sst_image(k->store, &bytes, &size));
    if (!MODEL_INT(result, SST_OK)) return;
    k->memory.one_in *= 32;         /* begins anew each time, and needs more memory */
    PERSIST(result, sst_open_memory(bytes, size, options, &opened));
    for (i = 0; i < KINDS && MODEL_INT(result, SST_OK); i++) {
        sst_stream *stream = NULL;
        PERSIST(result, sst_stream_open(opened, k->model[i].name, &stream));
        if (!MODEL_INT(result, SST_OK)) break;
        MODEL_INT(sst_rows(stream), k->model[i].rows);
        kinds_ask(k, i, stream);
        kinds_ask(k, i, stream);
    }
    if (!model_failed) {
        PERSIST(result, sst_verify(opened, NULL));
        MODEL_INT(result, SST_OK);
    }
    MODEL_INT(sst_close(opened), SST_OK);
}

static void kinds_seed(uint64_t seed) {
    kinds *k = (kinds *)calloc(1, sizeof *k);
    sst_allocator allocator;
    sst_options options;
    uint64_t calls;
    uint32_t i;
    if (k == NULL) exit(1);
    k->random = model_seed = seed;
    allocator = meter_allocator(&k->memory);
    memset(&options, 0, sizeof options);
    options.allocator = &allocator;
    options.block_bytes = 512 + (uint32_t)test_below(&k->random, 3000);
    if (test_below(&k->random, 2) == 0) options.flags = SST_DEFERRED;
    kinds_create(k, &options);
    options.flags = 0;
    k->memory.random = seed;
    k->memory.one_in = 1 + test_below(&k->random, 8);
    if (k->memory.one_in == 1) k->memory.one_in = 2;
    calls = 10 + test_below(&k->random, 60);
    for (model_step = 0; model_step < calls && !model_failed; model_step++) {
        i = (uint32_t)test_below(&k->random, KINDS);
        if (test_below(&k->random, 20) == 0) (void)sst_flush(k->store);
        kinds_append(k, i, model_prepare(&k->model[i], test_below(&k->random, 12), &k->random));
        if (!model_failed) kinds_ask(k, i, k->stream[i]);
    }
    if (!model_failed) kinds_image(k, &options);
    k->memory.one_in = 0;
    CHECK_INT(sst_close(k->store), SST_OK);
    CHECK(k->memory.now == 0 && k->memory.blocks == 0);
    for (i = 0; i < KINDS; i++) model_stream_free(&k->model[i]);
    free(k);
}

static void any_fails_in_kinds(void) {
    uint64_t seed = test_seed(21), rounds = test_rounds(150, 3000), i;
    for (i = 0; i < rounds && test_errors == 0; i++) kinds_seed(seed + i);
}

/* sst_abort frees as sst_close does. */
static void abort_frees(void) {
    scene *s = (scene *)calloc(1, sizeof *s);
    if (s == NULL) exit(1);
    s->allocator = meter_allocator(&s->memory);
    s->options.allocator = &s->allocator;
    s->options.block_bytes = 512;
    CHECK_INT(step_create(s), SST_OK);
    CHECK_INT(make_stream(s, 0), SST_OK);
    CHECK_INT(append_up_to(s, 0, 333), SST_OK);
    CHECK_INT(ask_views(s->stream[0], 0), SST_OK);
    CHECK_INT(sst_abort(s->store), SST_OK);
    CHECK(s->memory.now == 0 && s->memory.blocks == 0);
    free(s);
}

/* ---- the arena ------------------------------------------------------------------------------ */

static void arena_is_a_stack(void) {
    static uint8_t memory[4096 + 16];
    sst_arena arena;
    sst_allocator a;
    uint8_t *one, *two, *three;
    size_t used;
    memset(&arena, 0, sizeof arena);
    arena.memory = memory;
    arena.size = 4096;
    a = sst_arena_allocator(&arena);
    one = (uint8_t *)a.resize(a.user, NULL, 0, 100);
    REQUIRE(one != NULL);
    CHECK((uintptr_t)one % 16 == 0);
    memset(one, 1, 100);
    used = arena.used;
    CHECK(used >= 100 && used <= 100 + 32);
    two = (uint8_t *)a.resize(a.user, NULL, 0, 7);
    REQUIRE(two != NULL);
    CHECK((uintptr_t)two % 16 == 0 && two >= one + 100);
    memset(two, 2, 7);
    CHECK(a.resize(a.user, two, 7, 1000) == two);       /* the newest grows in place */
    CHECK(two[0] == 2 && two[6] == 2);
    CHECK(arena.peak >= 1100 && arena.peak == arena.used);
    CHECK(a.resize(a.user, two, 1000, 10) == two);
    CHECK(a.resize(a.user, two, 10, 0) == NULL);        /* the newest is given back */
    CHECK_INT(arena.used, used);
    CHECK(arena.peak >= 1100);
    three = (uint8_t *)a.resize(a.user, NULL, 0, 64);
    CHECK(three == two);
    two = (uint8_t *)a.resize(a.user, one, 100, 200);   /* an older one moves */
    REQUIRE(two != NULL);
    CHECK(two != one && two[0] == 1 && two[99] == 1);
    CHECK(a.resize(a.user, NULL, 0, 5000) == NULL);
    CHECK(a.resize(a.user, NULL, 0, SIZE_MAX) == NULL);
    CHECK(a.resize(a.user, two, 200, SIZE_MAX - 8) == NULL);
    CHECK(two[0] == 1 && two[99] == 1);
    CHECK(arena.peak <= arena.size && arena.used <= arena.size);
}

/* Random calls against a plain list of blocks: aligned, apart from each other, inside, kept. */
static void arena_random(void) {
    static uint8_t memory[8192 + 16];
    uint64_t random = test_seed(11), rounds = test_rounds(200, 5000), i, k;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        uint8_t *block[16];
        size_t size[16], n = 0, at, next, shift = (size_t)test_below(&random, 16), b;
        sst_arena arena;
        sst_allocator a;
        memset(&arena, 0, sizeof arena);
        arena.memory = memory + shift;
        arena.size = 64 + (size_t)test_below(&random, 8192 - 64);
        memset(memory, 0xEE, sizeof memory);
        a = sst_arena_allocator(&arena);
        for (k = 0; k < 40; k++) {
            bool fresh = n == 0 || (n < 16 && test_below(&random, 2) == 0);
            uint8_t *got;
            at = fresh ? n : (size_t)test_below(&random, n);
            if (!fresh && test_below(&random, 2) == 0) at = n - 1;
            next = fresh ? 1 + (size_t)test_below(&random, 900)
                         : (size_t)test_below(&random, 1200);
            got = (uint8_t *)a.resize(a.user, fresh ? NULL : block[at], fresh ? 0 : size[at],
                                      next);
            CHECK(arena.used <= arena.size && arena.peak >= arena.used);
            CHECK(arena.peak <= arena.size);
            if (got == NULL && next > 0) continue;
            if (next == 0) {
                CHECK(got == NULL);
                n--;
                block[at] = block[n];
                size[at] = size[n];
                if (at < n && n > 0) memset(block[at], (int)at + 1, size[at]);
                continue;
            }
            CHECK((uintptr_t)got % 16 == 0);
            CHECK(got >= memory + shift && got + next <= memory + shift + arena.size);
            for (b = 0; !fresh && b < size[at] && b < next; b++) CHECK(got[b] == at + 1);
            block[at] = got;
            size[at] = next;
            if (fresh) n++;
            memset(got, (int)at + 1, next);
            for (at = 0; at < n; at++) {
                CHECK(block[at][0] == at + 1 && block[at][size[at] - 1] == at + 1);
            }
        }
        for (b = 0; b < shift; b++) CHECK(memory[b] == 0xEE);
        for (b = shift + arena.size; b < sizeof memory; b++) CHECK(memory[b] == 0xEE);
    }
}

/* ---- the bound ------------------------------------------------------------------------------ */

typedef struct recording {
    sst_options options;
    sst_allocator allocator;
    sst_stream_desc desc[5];
    sst_field field[5][MODEL_FIELDS];
    model_stream model[5];
    uint32_t count;
    meter memory;
    size_t used_before, used_after;     /* the most in use before, and with, the first seal */
} recording;

static void random_recording(recording *r, uint64_t *random) {
    uint32_t i;
    char name[40];
    memset(r, 0, sizeof *r);
    r->count = (uint32_t)test_below(random, 6);
    r->options.seed = 1 + test_below(random, 1000);
    if (test_below(random, 4) != 0) {
        r->options.block_bytes = 512u << test_below(random, 10);
        r->options.block_bytes += (uint32_t)test_below(random, 500);
    }
    for (i = 0; i < r->count; i++) {
        snprintf(name, sizeof name, "s%u %.*s", (unsigned)i % 8,
                 (int)test_below(random, 20), "with a longer name than others");
        do model_stream_random(&r->model[i], name, 4096, random);
        while (r->model[i].ragged && r->model[i].row_bytes > 200);
        if (r->model[i].ragged || model_keyed(&r->model[i])) r->model[i].large = 0;
        r->model[i].time_style = 0;
        model_describe(&r->model[i], &r->desc[i], r->field[i]);
    }
}

static int append_random(sst_stream *stream, model_stream *m, uint64_t *random) {
    int result;
    model_prepare(m, 1, random);
    result = model_append(m, m->rows, stream);
    if (result == SST_OK) model_commit(m, 1);
    return result;
}

/* A store with the streams from..until, which are empty again. Returns the bytes of its file. */
static uint64_t start_recording(recording *r, uint32_t from, uint32_t until, sst_store **store,
                                sst_stream **stream) {
    sst_info info;
    uint32_t i;
    memset(&info, 0, sizeof info);
    CHECK_INT(sst_create(NULL, &r->options, store), SST_OK);
    for (i = from; i < until && *store != NULL; i++) {
        CHECK_INT(sst_stream_create(*store, &r->desc[i], &stream[i]), SST_OK);
        r->model[i].rows = 0;
    }
    if (*store != NULL) CHECK_INT(sst_store_info(*store, &info), SST_OK);
    return info.file_bytes;
}

static uint64_t file_bytes(sst_store *store) {
    sst_info info;
    CHECK_INT(sst_store_info(store, &info), SST_OK);
    return info.file_bytes;
}

/* How many rows a stream takes before one is sealed. */
static uint64_t rows_before_seal(recording *r, uint32_t i) {
    sst_stream *stream[5];
    sst_store *store;
    uint64_t start = start_recording(r, i, i + 1, &store, stream), rows, random = 1;
    for (rows = 0; rows < 100000 && test_errors == 0; rows++) {
        CHECK_INT(append_random(stream[i], &r->model[i], &random), SST_OK);
        if (file_bytes(store) > start) break;
    }
    CHECK_INT(sst_close(store), SST_OK);
    return rows;
}

/* Fills all tails so far that nothing is sealed, with the rows that were counted; one more row,
 * where there is memory for it. */
static void fill_tails(recording *r, const uint64_t *rows, bool one_more, uint64_t random) {
    sst_stream *stream[5];
    sst_store *store;
    uint64_t start = start_recording(r, 0, r->count, &store, stream), left = 0, each[5];
    uint32_t i;
    for (i = 0; i < r->count; i++) {
        left += rows[i];
        each[i] = 1;
    }
    while (left > 0 && test_errors == 0) {
        i = (uint32_t)test_below(&random, r->count);
        if (r->model[i].rows == rows[i]) continue;
        CHECK_INT(append_random(stream[i], &r->model[i], &each[i]), SST_OK);
        left--;
    }
    if (store != NULL) CHECK_INT(file_bytes(store), start);
    r->used_before = r->used_after = r->memory.peak;
    if (one_more && r->count > 0) {
        CHECK_INT(append_random(stream[0], &r->model[0], &each[0]), SST_OK);
        r->used_after = r->memory.peak;
    }
    CHECK_INT(sst_close(store), SST_OK);
}

/* What a counting allocator sees fits the bound; the bound is no more than twice that (of ragged
 * rows four times: how large a tail they get depends on them) and the first block of the image,
 * which it is said to contain; an arena of just the bound suffices. */
static void check_bound(uint64_t seed) {
    recording *r = (recording *)model_memory(sizeof *r);
    uint64_t random = seed, rows[5];
    size_t bound, block, times = 2;
    sst_arena arena;
    uint32_t i;
    random_recording(r, &random);
    for (i = 0; i < r->count; i++) {
        if (r->model[i].ragged || model_keyed(&r->model[i])) times = 4;
    }
    bound = sst_memory_bound(&r->options, r->count > 0 ? r->desc : NULL, r->count);
    block = r->options.block_bytes != 0 ? r->options.block_bytes : 256u << 10;
    for (i = 0; i < r->count; i++) rows[i] = rows_before_seal(r, i);
    r->allocator = meter_allocator(&r->memory);
    r->options.allocator = &r->allocator;
    fill_tails(r, rows, true, seed);
    CHECK(r->used_before <= bound);
    CHECK(bound <= times * r->used_after + block + 4096);
    memset(&arena, 0, sizeof arena);
    arena.memory = model_memory(bound);
    arena.size = bound;
    r->allocator = sst_arena_allocator(&arena);
    if (test_errors == 0) fill_tails(r, rows, false, seed);
    CHECK(arena.peak <= arena.size);
    if (test_errors != 0) {
        printf("seed %llu: bound %zu, used %zu before and %zu with the first seal, %u streams\n",
               (unsigned long long)seed, bound, r->used_before, r->used_after, r->count);
    }
    free(arena.memory);
    for (i = 0; i < r->count; i++) model_stream_free(&r->model[i]);
    free(r);
}

static void bound_suffices(void) {
    uint64_t seed = test_seed(1), rounds = test_rounds(400, 4000), i;
    for (i = 0; i < rounds && test_errors == 0; i++) check_bound(seed + i);
}

/* Many streams with long names: their records alone are more than the image's first extent. */
static void bound_of_many_streams(void) {
    static char names[300][200];
    static sst_stream_desc desc[300];
    size_t counts[2] = {20, 300}, k, i;
    for (i = 0; i < 300; i++) {
        memset(names[i], 'n', sizeof names[i] - 1);
        snprintf(names[i], 8, "%07d", (int)i);
        names[i][7] = '_';
        memset(&desc[i], 0, sizeof desc[i]);
        desc[i].name = names[i];
        desc[i].type = SST_F64;
        desc[i].block_bytes = 512;
    }
    for (k = 0; k < 2; k++) {
        sst_arena arena = {NULL, 0, 0, 0};
        sst_allocator a = sst_arena_allocator(&arena);
        sst_options options = {0};
        sst_store *store = NULL;
        sst_stream *stream = NULL;
        options.allocator = &a;
        options.block_bytes = 512;
        arena.size = sst_memory_bound(&options, desc, counts[k]);
        CHECK(arena.size > sst_memory_bound(&options, desc, counts[k] - 1));
        arena.memory = model_memory(arena.size);
        CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
        for (i = 0; i < counts[k] && store != NULL; i++) {
            CHECK_INT(sst_stream_create(store, &desc[i], &stream), SST_OK);
            CHECK_INT(sst_append_f64(stream, 0, 1.0), SST_OK);
        }
        CHECK(arena.peak <= arena.size && sst_stream_count(store) == counts[k]);
        sst_close(store);
        free(arena.memory);
    }
}

static void bound_of_bad_streams(void) {
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = "x";
    desc.type = SST_F64;
    CHECK(sst_memory_bound(NULL, NULL, 0) > 0);
    CHECK(sst_memory_bound(NULL, &desc, 1) > sst_memory_bound(NULL, NULL, 0));
    CHECK(sst_memory_bound(NULL, NULL, 1) == 0);
    desc.type = (sst_type)0;
    CHECK_INT(sst_memory_bound(NULL, &desc, 1), 0);
    desc.type = SST_F64;
    desc.name = NULL;
    CHECK_INT(sst_memory_bound(NULL, &desc, 1), 0);
    desc.name = "x";
    desc.retain_rows = UINT64_MAX;              /* more than there is */
    CHECK_INT(sst_memory_bound(NULL, &desc, 1), 0);
    desc.retain_rows = 1;
    CHECK(sst_memory_bound(NULL, &desc, 1) > 0);
}

int main(void) {
    TEST_RUN(nothing_fails);
    TEST_RUN(each_fails_once);
    TEST_RUN(each_and_all_after_fail);
    TEST_RUN(any_fails_in_kinds);
    TEST_RUN(abort_frees);
    TEST_RUN(arena_is_a_stack);
    TEST_RUN(arena_random);
    TEST_RUN(bound_suffices);
    TEST_RUN(bound_of_many_streams);
    TEST_RUN(bound_of_bad_streams);
    return test_done("test_alloc");
}
