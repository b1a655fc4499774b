/* Rows of their own number of items: text, bytes, point clouds, several ragged fields beside fixed
 * ones, with tags and keys, through tail, blocks, files, readers and recovery, against plain
 * arrays. */
#ifndef SSTI_TABLE_MIN_BLOCKS
#define SSTI_TABLE_MIN_BLOCKS 2
#endif
#define SSTI_PIECE_BYTES 4096u
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#include "test.h"
#include "folder.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 3000
#define KEY_MAX 40

/* One row as it was appended: points f32 [n][3], name text, health i32, and a key. */
typedef struct entity {
    int64_t time;
    uint32_t tag;
    int32_t health;
    size_t points, name;            /* how many of each */
    float *point;
    char *text;
    uint8_t key[KEY_MAX];
    size_t key_bytes;               /* 0: an integer */
    bool removed;
} entity;

typedef struct world {
    uint64_t random;
    uint32_t flags;
    size_t largest;                 /* of points and name */
    entity *rows;
    size_t count;
} world;

static void world_make(world *w, uint32_t flags, size_t largest, uint64_t seed) {
    memset(w, 0, sizeof *w);
    w->random = seed;
    w->flags = flags;
    w->largest = largest;
    w->rows = (entity *)calloc(ROWS, sizeof *w->rows);
    if (w->rows == NULL) abort();
}

static void world_free(world *w) {
    size_t i;
    for (i = 0; i < ROWS; i++) {
        free(w->rows[i].point);
        free(w->rows[i].text);
    }
    free(w->rows);
}

/* The next row; now and then one much larger than the others, or empty. */
static entity *world_next(world *w) {
    entity *e = &w->rows[w->count];
    size_t i, most = test_below(&w->random, 40) == 0 ? w->largest : 20;
    e->time = w->count == 0 ? -5 : e[-1].time + (int64_t)test_below(&w->random, 4);
    if (w->count != 0 && (w->flags & SST_EQUAL_TIMES) == 0) e->time++;
    e->tag = (w->flags & SST_TAGGED) != 0 ? (uint32_t)test_random(&w->random) : 0;
    e->health = (int32_t)test_random(&w->random);
    e->points = (size_t)test_below(&w->random, most);
    e->name = (size_t)test_below(&w->random, most);
    e->point = (float *)calloc(e->points * 3 + 1, sizeof(float));
    e->text = (char *)calloc(e->name + 1, 1);
    if (e->point == NULL || e->text == NULL) abort();
    for (i = 0; i < e->points * 3; i++) e->point[i] = (float)test_below(&w->random, 1000);
    for (i = 0; i < e->name; i++) e->text[i] = (char)test_below(&w->random, 128);
    e->key_bytes = (size_t)test_below(&w->random, KEY_MAX);
    for (i = 0; i < KEY_MAX; i++) e->key[i] = (uint8_t)test_random(&w->random);
    e->removed = test_below(&w->random, 9) == 0;
    return e;
}

static sst_stream *entities(sst_store *store, const world *w, bool make) {
    sst_field fields[3];
    sst_stream_desc desc;
    sst_stream *stream = NULL;
    if (!make) {
        CHECK_INT(sst_stream_open(store, "entities", &stream), SST_OK);
        return stream;
    }
    memset(fields, 0, sizeof fields);
    memset(&desc, 0, sizeof desc);
    fields[0].name = "points";
    fields[0].type = SST_F32;
    fields[0].shape[0] = 3;
    fields[0].flags = SST_RAGGED;
    fields[1].name = "health";
    fields[1].type = SST_I32;
    fields[2].name = "name";
    fields[2].type = SST_TEXT;
    desc.name = "entities";
    desc.fields = fields;
    desc.field_count = 3;
    desc.flags = w->flags | SST_OPEN_EXISTING;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

static int append(sst_stream *stream, const world *w, const entity *e) {
    sst_cell cells[3];
    sst_row row;
    memset(&row, 0, sizeof row);
    row.time = e->time;
    row.tag = e->tag;
    cells[0].data = e->points == 0 ? NULL : e->point;
    cells[0].count = e->points;
    cells[1].data = &e->health;
    cells[1].count = 1;
    cells[2].data = e->text;
    cells[2].count = e->name;
    row.cells = cells;
    if ((w->flags & SST_KEYED) != 0) {
        row.key.kind = e->key_bytes == 0 ? SST_KEY_I64 : SST_KEY_BYTES;
        row.key.number = e->health;
        row.key.size = (uint32_t)e->key_bytes;
        row.key.bytes = e->key;
        row.flags = e->removed ? SST_ROW_REMOVED : 0;
    }
    return sst_append_row(stream, &row);
}

/* Is row `at` of a view row `row` of the world? */
static bool same_row(const world *w, const sst_view *v, size_t at, size_t row) {
    const entity *e = &w->rows[row];
    const uint32_t *points = v->columns[0].offsets, *names = v->columns[2].offsets;
    const float *point = (const float *)v->columns[0].values + (size_t)points[at] * 3;
    const char *text = (const char *)v->columns[2].values + names[at];
    if (v->columns[1].offsets != NULL || v->column_count != 3) return false;
    if (v->offsets != points || v->values != v->columns[0].values) return false;
    if ((v->times != NULL) != ((w->flags & SST_UNTIMED) == 0)) return false;
    if (v->times != NULL && v->times[at] != e->time) return false;
    if ((v->tags != NULL) != ((w->flags & SST_TAGGED) != 0)) return false;
    if (v->tags != NULL && v->tags[at] != e->tag) return false;
    if (points[at + 1] - points[at] != e->points || names[at + 1] - names[at] != e->name) {
        return false;
    }
    if (memcmp(point, e->point, e->points * 12) != 0) return false;
    if (memcmp(text, e->text, e->name) != 0) return false;
    if ((v->key_offsets != NULL) != ((w->flags & SST_KEYED) != 0)) return false;
    if (v->key_offsets != NULL) {
        const uint8_t *key = v->keys + v->key_offsets[at];
        size_t n = v->key_offsets[at + 1] - v->key_offsets[at];
        uint8_t number[8];
        if (v->row_flags[at] != e->removed) return false;
        ssti_put64(number, (uint64_t)(int64_t)e->health);
        if (e->key_bytes == 0) {
            if (n != 9 || key[0] != SST_KEY_I64 || memcmp(key + 1, number, 8) != 0) return false;
        } else if (n != e->key_bytes + 1 || key[0] != SST_KEY_BYTES ||
                   memcmp(key + 1, e->key, e->key_bytes) != 0) return false;
    }
    return ((const int32_t *)v->columns[1].values)[at] == e->health;
}

static bool same_rows(const world *w, const sst_view *v, size_t first, size_t count) {
    size_t i;
    if (v->count != count || (count != 0 && v->first_row != first)) return false;
    for (i = 0; i < count; i++) {
        if (!same_row(w, v, i, first + i)) return false;
    }
    return true;
}

/* How many rows are at or before a time. */
static size_t rank_of(const world *w, int64_t time) {
    size_t i = 0;
    while (i < w->count && w->rows[i].time <= time) i++;
    return i;
}

/* Every kind of query, at random. */
static void check_queries(world *w, sst_stream *stream, int tries) {
    sst_view view;
    REQUIRE(sst_rows(stream) == w->count);
    CHECK_INT(sst_slice(stream, 0, w->count, &view), SST_OK);
    CHECK(same_rows(w, &view, 0, w->count));
    for (; tries > 0 && test_errors == 0; tries--) {
        size_t first = (size_t)test_below(&w->random, w->count), before, after;
        size_t count = (size_t)test_below(&w->random, tries % 3 == 0 ? w->count : 30);
        int64_t start = w->rows[first].time, end = start + (int64_t)count;
        if (count > w->count - first) count = w->count - first;
        CHECK_INT(sst_slice(stream, first, count, &view), SST_OK);
        CHECK(same_rows(w, &view, first, count));
        if ((w->flags & SST_UNTIMED) != 0) {
            CHECK_INT(sst_at(stream, start, &view), SST_ERR_STATE);
            continue;
        }
        before = rank_of(w, start - 1);
        after = rank_of(w, end);
        CHECK_INT(sst_window(stream, start, end, &view), SST_OK);
        CHECK(same_rows(w, &view, before, after - before));
        CHECK_INT(sst_at(stream, end, &view), SST_OK);
        CHECK(same_rows(w, &view, after - 1, 1));
    }
}

static void check_replay(const world *w, sst_stream *stream) {
    sst_replay *replay;
    sst_view view;
    size_t i, which;
    if ((w->flags & SST_UNTIMED) != 0) return;
    REQUIRE(sst_replay_open(&stream, 1, INT64_MIN, &replay) == SST_OK);
    for (i = 0; i < w->count && test_errors == 0; i++) {
        CHECK_INT(sst_replay_next(replay, &which, &view), SST_OK);
        CHECK(same_rows(w, &view, i, 1));
    }
    CHECK_INT(sst_replay_next(replay, &which, &view), SST_ERR_NOT_FOUND);
    while (i-- > 0 && test_errors == 0) {
        CHECK_INT(sst_replay_prev(replay, &which, &view), SST_OK);
        CHECK(same_rows(w, &view, i, 1));
    }
    sst_replay_close(replay);
}

/* Snapshots and row numbers of ragged streams; their values are no matter of sampling. */
static void check_snapshots(world *w, sst_stream *stream) {
    int64_t times[40], rows[40], values[40];
    sst_view view;
    size_t i;
    if ((w->flags & SST_UNTIMED) != 0) return;
    for (i = 0; i < 40; i++) times[i] = w->rows[test_below(&w->random, w->count)].time - 1;
    CHECK_INT(sst_snapshot_rows(&stream, 1, times, 40, rows), SST_OK);
    for (i = 0; i < 40; i++) {
        int result = sst_snapshot(&stream, 1, times[i], &view);
        CHECK_INT(result, SST_OK);
        CHECK_INT(rows[i], (int64_t)rank_of(w, times[i]) - 1);
        CHECK(rows[i] < 0 ? view.count == 0 : same_rows(w, &view, (size_t)rows[i], 1));
    }
    CHECK_INT(sst_sample(stream, times, 40, SST_SAMPLE_PREVIOUS, values, rows), SST_ERR_TYPE);
    CHECK_INT(sst_sample_field(stream, 2, times, 40, SST_SAMPLE_EXACT, values, NULL), SST_ERR_TYPE);
    CHECK_INT(sst_sample_field(stream, 1, times, 40, SST_SAMPLE_EXACT, values, NULL), SST_OK);
    CHECK_INT(sst_gather(stream, rows, 1, values, NULL), SST_ERR_TYPE);
}

/* Copies by view, and by compacting. */
static void check_copies(world *w, sst_store *store, sst_stream *stream, const char *path) {
    sst_options options;
    sst_store *other;
    sst_stream *copy;
    sst_view view;
    size_t at, n;
    memset(&options, 0, sizeof options);
    options.block_bytes = 4096;
    REQUIRE(sst_create(NULL, &options, &other) == SST_OK);
    copy = entities(other, w, true);
    for (at = 0; at < w->count && test_errors == 0; at += n) {
        n = (size_t)test_below(&w->random, 200) + 1;
        CHECK_INT(sst_slice(stream, at, n, &view), SST_OK);
        n = (size_t)view.count;
        CHECK_INT(sst_append_view(copy, &view), SST_OK);
    }
    check_queries(w, copy, 5);
    CHECK_INT(sst_close(other), SST_OK);
    if (path == NULL) return;
    for (n = 0; n < 3 && test_errors == 0; n++) {
        memset(&options, 0, sizeof options);
        options.flags = SST_REPLACE | (n == 1 ? SST_SINGLE_BLOCK : 0);
        options.block_bytes = n == 2 ? 2048 : 0;
        CHECK_INT(sst_compact(store, path, &options), SST_OK);
        options.flags = n == 2 ? SST_NO_MAP : 0;
        REQUIRE(sst_open(path, &options, &other) == SST_OK);
        CHECK_INT(sst_verify(other, NULL), SST_OK);
        copy = entities(other, w, false);
        check_queries(w, copy, 20);
        if (n == 1) {
            CHECK_INT(sst_slice(copy, 0, w->count, &view), SST_OK);
            CHECK(view.stable);
        }
        CHECK_INT(sst_close(other), SST_OK);
    }
}

static const uint32_t kinds[] = {
    0, SST_TAGGED, SST_EQUAL_TIMES, SST_UNTIMED, SST_KEYED, SST_KEYED | SST_TAGGED | SST_UNTIMED,
    SST_KEYED | SST_EQUAL_TIMES | SST_TAGGED,
};

static void in_memory(void) {
    size_t kind, i;
    for (kind = 0; kind < sizeof kinds / sizeof kinds[0] && test_errors == 0; kind++) {
        sst_options options;
        sst_store *store, *image;
        sst_stream *stream;
        const void *bytes;
        size_t size;
        world w;
        memset(&options, 0, sizeof options);
        options.block_bytes = kind % 2 == 0 ? 4096 : 16384;
        world_make(&w, kinds[kind], kind % 3 == 0 ? 900 : 300, 7 + kind);
        REQUIRE(sst_create(NULL, &options, &store) == SST_OK);
        stream = entities(store, &w, true);
        for (i = 0; i < 1500 && test_errors == 0; i++) {
            CHECK_INT(append(stream, &w, world_next(&w)), SST_OK);
            w.count++;
            if (i % 100 == 0) check_queries(&w, stream, 3);
        }
        check_queries(&w, stream, 30);
        check_replay(&w, stream);
        check_snapshots(&w, stream);
        check_copies(&w, store, stream, NULL);
        CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
        REQUIRE(sst_open_memory(bytes, size, NULL, &image) == SST_OK);
        CHECK_INT(sst_verify(image, NULL), SST_OK);
        check_queries(&w, entities(image, &w, false), 30);
        CHECK_INT(sst_close(image), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        world_free(&w);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Records, is read by another store meanwhile, closed, opened and copied. */
static void file_round(size_t kind, uint32_t flags) {
    sst_options options;
    sst_store *store, *live;
    sst_stream *stream, *second, *reader;
    size_t i;
    world w;
    memset(&options, 0, sizeof options);
    options.block_bytes = kind % 2 == 0 ? 4096 : 65536;
    options.flags = SST_REPLACE | (flags & (SST_NO_LIVE | SST_DEFERRED));
    world_make(&w, kinds[kind], kind % 3 == 0 ? 900 : 300, 70 + kind);
    REQUIRE(sst_create(at("run"), &options, &store) == SST_OK);
    stream = entities(store, &w, true);
    second = entities(store, &w, false);
    CHECK_INT(append(stream, &w, world_next(&w)), SST_OK);
    w.count++;
    options.flags = flags & SST_NO_MAP;
    REQUIRE(sst_open(at("run"), &options, &live) == SST_OK);
    CHECK_INT(sst_refresh(live), SST_OK);
    reader = entities(live, &w, false);
    for (i = 0; i < 800 && test_errors == 0; i++) {
        entity *e = world_next(&w);
        int result = append(stream, &w, e);
        if (result == SST_ERR_BUSY) {
            CHECK_INT(sst_poll(store), SST_OK);
            result = append(stream, &w, e);
        }
        CHECK_INT(result, SST_OK);
        w.count++;
        if (test_below(&w.random, 300) == 0) CHECK_INT(sst_flush(store), SST_OK);
        if (i % 50 == 0) {
            check_queries(&w, second, 3);
            if ((flags & SST_NO_LIVE) == 0) {
                CHECK_INT(sst_refresh(live), SST_OK);
                check_queries(&w, reader, 3);
            }
        }
    }
    check_queries(&w, second, 20);
    CHECK_INT(sst_close(live), SST_OK);
    check_copies(&w, store, stream, at("copy"));
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(sst_open(at("run"), &options, &store) == SST_OK);
    CHECK_INT(sst_verify(store, NULL), SST_OK);
    stream = entities(store, &w, false);
    check_queries(&w, stream, 40);
    check_replay(&w, stream);
    CHECK_INT(sst_close(store), SST_OK);
    world_free(&w);
}

static void in_files(void) {
    size_t kind;
    for (kind = 0; kind < sizeof kinds / sizeof kinds[0] && test_errors == 0; kind++) {
        file_round(kind, kind % 2 == 0 ? 0 : SST_NO_MAP);
        file_round(kind, kind % 2 == 0 ? SST_NO_LIVE : SST_DEFERRED);
    }
}

/* Are the rows of a saved file those from `first` on? */
static void check_saved(const world *w, size_t first, size_t count, uint32_t flags) {
    sst_options options;
    sst_store *saved;
    sst_stream *stream;
    sst_view view;
    const void *value;
    size_t i, size;
    memset(&options, 0, sizeof options);
    options.flags = flags;
    REQUIRE(sst_open(at("saved"), &options, &saved) == SST_OK);
    CHECK_INT(sst_verify(saved, NULL), SST_OK);
    CHECK_INT(sst_get_meta(saved, "robot", &value, &size), SST_OK);
    stream = entities(saved, w, false);
    CHECK_INT(sst_rows(stream), count);
    CHECK_INT(sst_slice(stream, 0, UINT64_MAX, &view), SST_OK);
    CHECK(view.first_row == 0 && view.count == count);
    for (i = 0; i < view.count && test_errors == 0; i++) CHECK(same_row(w, &view, i, first + i));
    CHECK_INT(sst_close(saved), SST_OK);
}

/* The rows of an interval as a file of their own, also those that are in no block yet. */
static void saved_intervals(void) {
    size_t kind, i;
    for (kind = 0; kind < sizeof kinds / sizeof kinds[0] && test_errors == 0; kind++) {
        sst_options options;
        sst_store *store;
        sst_stream *stream;
        sst_info before, after;
        world w;
        memset(&options, 0, sizeof options);
        options.block_bytes = 16384;
        options.flags = SST_REPLACE;
        world_make(&w, kinds[kind], 300, 7000 + kind);
        REQUIRE(sst_create(kind % 2 == 0 ? NULL : at("run"), &options, &store) == SST_OK);
        CHECK_INT(sst_set_meta(store, "robot", "arm", 3), SST_OK);
        stream = entities(store, &w, true);
        for (i = 0; i < 700; i++) {
            CHECK_INT(append(stream, &w, world_next(&w)), SST_OK);
            w.count++;
        }
        CHECK_INT(sst_store_info(store, &before), SST_OK);
        for (i = 0; i < 12 && test_errors == 0; i++) {
            size_t first = (size_t)test_below(&w.random, w.count), last;
            int64_t start = w.rows[first].time, end = start + (int64_t)test_below(&w.random, 900);
            if (i == 10) end = start - 1;
            if (i == 11) start = INT64_MIN, end = INT64_MAX;
            first = (w.flags & SST_UNTIMED) != 0 || start == INT64_MIN ? 0 : rank_of(&w, start - 1);
            last = (w.flags & SST_UNTIMED) != 0 ? w.count : rank_of(&w, end);
            options.flags = SST_REPLACE | (i % 3 == 0 ? SST_SINGLE_BLOCK : 0);
            CHECK_INT(sst_save(store, at("saved"), start, end, &options), SST_OK);
            check_saved(&w, first, last > first ? last - first : 0, i % 2 == 0 ? SST_NO_MAP : 0);
        }
        CHECK_INT(sst_store_info(store, &after), SST_OK);
        CHECK(before.file_bytes == after.file_bytes);           /* nothing was sealed for it */
        CHECK_INT(sst_save(store, NULL, 0, 1, NULL), SST_ERR_ARG);
        CHECK_INT(sst_save(store, at("saved"), 0, 1, NULL), SST_ERR_EXISTS);
        if (kind % 2 != 0) CHECK_INT(sst_save(store, at("run"), 0, 1, &options), SST_ERR_ARG);
        CHECK_INT(sst_save(NULL, at("saved"), 0, 1, NULL), SST_ERR_ARG);
        CHECK_INT(sst_close(store), SST_OK);
        world_free(&w);
    }
}

/* A process that is killed in the midst of appending: every row whose append returned is there. */
static void killed(void) {
    size_t kind, i;
    for (kind = 0; kind < sizeof kinds / sizeof kinds[0] && test_errors == 0; kind++) {
        sst_options options;
        sst_store *store;
        sst_stream *stream;
        uint64_t stop = 50 + 111 * kind;
        pid_t child;
        int status;
        world w;
        memset(&options, 0, sizeof options);
        options.block_bytes = 16384;
        options.flags = SST_REPLACE;
        world_make(&w, kinds[kind], 500, 700 + kind);
        fflush(stdout);
        child = fork();
        if (child == 0) {
            if (sst_create(at("dead"), &options, &store) != SST_OK) _exit(1);
            stream = entities(store, &w, true);
            for (; w.count < stop; w.count++) {
                if (append(stream, &w, world_next(&w)) != SST_OK) _exit(2);
            }
            (void)kill(getpid(), SIGKILL);
        }
        REQUIRE(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        while (w.count < stop) {
            (void)world_next(&w);
            w.count++;
        }
        options.flags = 0;
        REQUIRE(sst_open(at("dead"), &options, &store) == SST_OK);
        check_queries(&w, entities(store, &w, false), 20);
        CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(sst_open_append(at("dead"), &options, &store) == SST_OK);
        stream = entities(store, &w, false);
        for (i = 0; i < 300; i++) {
            CHECK_INT(append(stream, &w, world_next(&w)), SST_OK);
            w.count++;
        }
        check_queries(&w, stream, 20);
        CHECK_INT(sst_close(store), SST_OK);
        REQUIRE(sst_open(at("dead"), NULL, &store) == SST_OK);
        check_queries(&w, entities(store, &w, false), 20);
        CHECK_INT(sst_close(store), SST_OK);
        world_free(&w);
    }
}

/* ---- refused rows ---------------------------------------------------------------------------- */

static bool disk_full;

static int write_or_full(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                         size_t *done) {
    *done = 0;
    if (disk_full) return SST_ERR_FULL;
    return sst_io_default()->write_at(user, file, offset, bytes, size, done);
}

/* A stream of bytes: row i has the time i and is made of one number. */
static sst_store *bytes_store(const char *path, uint32_t flags, sst_stream **stream) {
    static sst_io io;
    sst_options options;
    sst_stream_desc desc;
    sst_store *store = NULL;
    io = *sst_io_default();
    io.write_at = write_or_full;
    memset(&options, 0, sizeof options);
    memset(&desc, 0, sizeof desc);
    options.block_bytes = 4096;
    options.flags = flags | (path != NULL ? (uint32_t)SST_REPLACE : 0);
    options.io = &io;
    desc.name = "a";
    desc.type = SST_BYTES;
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    if (store != NULL) CHECK_INT(sst_stream_create(store, &desc, stream), SST_OK);
    return store;
}

static int append_bytes(sst_stream *stream, uint64_t row, size_t count) {
    static uint8_t bytes[5000];
    memset(bytes, (int)(row % 251), count);
    return sst_append_n(stream, (int64_t)row, bytes, count);
}

static void check_bytes(sst_stream *stream, uint64_t rows) {
    sst_view view;
    uint64_t i;
    CHECK_INT(sst_rows(stream), rows);
    CHECK_INT(sst_slice(stream, 0, UINT64_MAX, &view), SST_OK);
    CHECK_INT(view.count, rows);
    for (i = 0; i < view.count && test_errors == 0; i++) {
        size_t first = view.offsets[i], end = view.offsets[i + 1];
        CHECK_INT(view.times[i], i);
        for (; first < end; first++) CHECK_INT(((const uint8_t *)view.values)[first], i % 251);
    }
}

/* Both halves are full and an append was refused. A large row writes them and itself; small ones
 * go on behind it. */
static void large_after_refusal(void) {
    int kind;
    for (kind = 0; kind < 4 && test_errors == 0; kind++) {
        bool file = kind % 2 != 0, deferred = kind < 2;
        sst_stream *stream;
        sst_store *store;
        uint64_t rows = 0, i;
        int result = SST_OK;
        if (!file && !deferred) continue;               /* nothing can be refused */
        store = bytes_store(file ? at("run") : NULL, deferred ? SST_DEFERRED : 0, &stream);
        REQUIRE(store != NULL && stream != NULL);
        disk_full = !deferred;
        while (result == SST_OK && rows < 10000) {
            result = append_bytes(stream, rows, 40);
            rows += result == SST_OK;
        }
        CHECK_INT(result, deferred ? SST_ERR_BUSY : SST_ERR_FULL);
        if (!deferred) CHECK_INT(append_bytes(stream, rows, 5000), SST_ERR_FULL);
        disk_full = false;
        CHECK_INT(append_bytes(stream, rows++, 5000), SST_OK);
        for (i = 0; i < 5; i++) CHECK_INT(append_bytes(stream, rows++, 40), SST_OK);
        check_bytes(stream, rows);
        CHECK_INT(sst_flush(store), SST_OK);
        check_bytes(stream, rows);
        CHECK_INT(sst_close(store), SST_OK);
        if (!file) continue;
        REQUIRE(sst_open(at("run"), NULL, &store) == SST_OK);
        CHECK_INT(sst_verify(store, NULL), SST_OK);
        CHECK_INT(sst_stream_open(store, "a", &stream), SST_OK);
        check_bytes(stream, rows);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

static struct {
    sst_stream *stream;
    uint64_t rows;
    int left;                   /* reads until rows are appended; 0: they were */
} between;

static int read_between(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                        size_t *done) {
    int i;
    if (between.left > 0 && --between.left == 0) {
        for (i = 0; i < 6; i++, between.rows++) {
            CHECK_INT(append_bytes(between.stream, between.rows, 100), SST_OK);
        }
    }
    return sst_io_default()->read_at(user, file, offset, bytes, size, done);
}

/* A reader comes while rows are appended, in a half that has offsets of earlier rows behind those
 * of its own: it sees at least what was there before. */
static void opened_while_appending(void) {
    sst_options options;
    sst_io io = *sst_io_default();
    int nth;
    memset(&options, 0, sizeof options);
    io.read_at = read_between;
    options.io = &io;
    for (nth = 1; nth < 1000 && test_errors == 0; nth++) {
        sst_store *store, *reader;
        sst_stream *seen;
        uint64_t i, before;
        store = bytes_store(at("run"), 0, &between.stream);
        REQUIRE(store != NULL && between.stream != NULL);
        for (i = 0; i < 24; i++) {              /* the large one begins the half anew */
            CHECK_INT(append_bytes(between.stream, i, i == 20 ? 4900 : 4), SST_OK);
        }
        before = between.rows = i;
        between.left = nth;
        REQUIRE(sst_open(at("run"), &options, &reader) == SST_OK);
        CHECK_INT(sst_stream_open(reader, "a", &seen), SST_OK);
        CHECK(sst_rows(seen) >= before);
        check_bytes(seen, sst_rows(seen));
        CHECK_INT(sst_close(reader), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        if (between.left > 0) break;
    }
    CHECK(nth > 20);
}

/* A row that was not appended is made anew. */
static entity *world_other(world *w) {
    free(w->rows[w->count].point);
    free(w->rows[w->count].text);
    return world_next(w);
}

/* Appends rows while the disk is full now and then, or nobody polls. A row that is refused is tried
 * again, or another one in its place. */
static void record_refused(world *w, sst_store *store, sst_stream *stream, uint32_t flags) {
    uint64_t refused = 0, tries;
    for (tries = 0; tries < 4000 && w->count < 1500 && test_errors == 0; tries++) {
        entity *e = world_other(w);
        int result;
        if (test_below(&w->random, 60) == 0) disk_full = false;
        else if (test_below(&w->random, 60) == 0) disk_full = (flags & SST_NO_MAP) == 0;
        if (test_below(&w->random, 90) == 0) w->largest = w->largest == 20 ? 900 : 20;
        result = append(stream, w, e);
        if (result != SST_OK && test_below(&w->random, 2) == 0) result = append(stream, w, e);
        if (result == SST_OK) {
            w->count++;
        } else {
            CHECK(result == SST_ERR_BUSY || (disk_full && result == SST_ERR_FULL));
            if (result == SST_ERR_BUSY && test_below(&w->random, 12) == 0) (void)sst_poll(store);
            refused++;
        }
        CHECK_INT(sst_rows(stream), w->count);
        if (tries % 200 == 0) check_queries(w, stream, 2);
    }
    disk_full = false;
    CHECK(refused > 4);
}

static void refused_at_random(void) {
    size_t kind;
    for (kind = 0; kind < 2 * (sizeof kinds / sizeof kinds[0]) && test_errors == 0; kind++) {
        uint32_t flags = kind % 3 == 0 ? SST_DEFERRED | SST_NO_MAP : kind % 3 == 1 ? 0 :
                         SST_DEFERRED;
        sst_options options;
        sst_stream *stream;
        sst_store *store;
        sst_io io = *sst_io_default();
        world w;
        world_make(&w, kinds[kind / 2], 900, 70000 + kind);
        memset(&options, 0, sizeof options);
        io.write_at = write_or_full;
        options.io = &io;
        options.block_bytes = kind % 4 < 2 ? 4096 : 16384;
        options.flags = flags | SST_REPLACE;
        REQUIRE(sst_create(kind % 3 == 0 ? NULL : at("run"), &options, &store) == SST_OK);
        stream = entities(store, &w, true);
        CHECK_INT(append(stream, &w, world_next(&w)), SST_OK);
        w.count++;
        record_refused(&w, store, stream, flags);
        check_queries(&w, stream, 20);
        check_replay(&w, stream);
        CHECK_INT(sst_close(store), SST_OK);
        world_free(&w);
    }
}

int main(void) {
    if (!make_folder("test_ragged")) return 1;
    TEST_RUN(in_memory);
    TEST_RUN(in_files);
    TEST_RUN(saved_intervals);
    TEST_RUN(killed);
    TEST_RUN(large_after_refusal);
    TEST_RUN(opened_while_appending);
    TEST_RUN(refused_at_random);
    remove_folder();
    return test_done("ragged");
}
