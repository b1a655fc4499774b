/* test_replay.c - snapshots and replays of several streams, against one array of all rows. */
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_PIECE_BYTES 2048u          /* large columns in blocks of a few KiB */
#define SSTI_REPLAY_COPY 1000u
#include "../streamstore.h"

#include <sys/wait.h>

#define MEND_PIECE_BYTES 2048u
#include "test.h"
#include "meter.h"
#include "scratch.h"
#include "mend.h"

static uint64_t seed;

/* --- rows ------------------------------------------------------------------------------------ */

typedef struct element {
    sst_type type;
    uint32_t shape[2];
    size_t bytes;                       /* of a row's value */
} element;

enum { ELEMENTS = 7, MOST_BYTES = 3000 };

static const element elements[ELEMENTS] = {
    {SST_F64, {0, 0}, 8},   {SST_U8, {0, 0}, 1},   {SST_I16, {3, 0}, 6}, {SST_F32, {2, 4}, 32},
    {SST_U8, {300, 0}, 300}, {SST_BOOL, {0, 0}, 1}, {SST_U8, {MOST_BYTES, 0}, MOST_BYTES}};

enum {
    IN_MEMORY,          /* being written, the last rows in tails */
    IN_GROWING_FILE,    /* the same in a file */
    IN_FOLLOWED_FILE,   /* the same, read by another handle */
    IN_IMAGE,
    IN_ODD_IMAGE,       /* at an odd address */
    IN_TRUSTED_IMAGE,   /* no checksums of columns */
    IN_FILE,
    IN_UNMAPPED_FILE,
    PLACES
};

enum { MAX_STREAMS = 12, MAX_STORES = 2, MAX_ROWS = 900 };

typedef struct stream {
    element of;
    uint32_t timelines, store, number;  /* number: in the file, from 1 */
    uint64_t seed;
    uint64_t rows;                      /* there are now */
    int64_t times[MAX_ROWS];
    bool unreadable[MAX_ROWS];
    char name[16];
    sst_stream *appender, *handle;
} stream;

typedef struct entry {                  /* a row of the replay */
    int64_t time;
    size_t place;                       /* in the array of streams */
    uint64_t row;
} entry;

typedef struct place_of_store {
    sst_store *writer, *store;          /* the one to ask; the same for stores being written */
    unsigned char *memory, *image;
    size_t size;
    char path[512];
} place_of_store;

typedef struct set {
    int place;
    size_t streams, places;
    stream all[MAX_STREAMS];
    uint32_t stores;
    place_of_store in[MAX_STORES];
    size_t which[MAX_STREAMS + 1];      /* streams in the array that is given; some twice */
    sst_stream *handles[MAX_STREAMS + 1];
    entry *merged;
    size_t count;
    const sst_allocator *allocator;
} set;

static sst_options options_of(const set *s, uint32_t flags) {
    sst_options options = scratch_options(7);
    options.flags = flags;
    options.allocator = s->allocator;
    return options;
}

/* Bytes and further times of a row follow from its stream and number. */
static void make_value(const stream *s, uint64_t row, uint8_t *value) {
    uint64_t state = s->seed + row * 1000003u;
    size_t i;
    for (i = 0; i < s->of.bytes; i++) {
        uint64_t word = i % 8 == 0 ? test_random(&state) : 0;
        value[i] = (uint8_t)(i % 8 == 0 ? word : value[i - i % 8] + i);
        if (s->of.type == SST_BOOL) value[i] &= 1;
    }
}

static int64_t line_time(const stream *s, uint32_t line, uint64_t row) {
    return (int64_t)(s->seed >> 40) + (int64_t)(row * 7919 % 1000) * (line + 1);
}

static void append_row(stream *s, int64_t time) {
    uint8_t value[MOST_BYTES];
    int64_t lines[SST_MAX_TIMELINES];
    sst_row row;
    uint32_t i;
    REQUIRE(s->rows < MAX_ROWS);
    make_value(s, s->rows, value);
    for (i = 0; i < s->timelines; i++) lines[i] = line_time(s, i, s->rows);
    memset(&row, 0, sizeof row);
    row.time = time;
    row.timelines = s->timelines != 0 ? lines : NULL;
    row.value = value;
    CHECK_INT(sst_append_row(s->appender, &row), SST_OK);
    s->times[s->rows] = time;
    s->unreadable[s->rows++] = false;
}

/* Rows with times that are small numbers, so that many are equal to those of other streams. */
static void append_some(stream *s, size_t rows, int64_t first, uint64_t *random) {
    uint64_t widest = 1 + test_below(random, 6);
    int64_t time = first;
    size_t i;
    if (s->rows != 0 && s->times[s->rows - 1] >= time) time = s->times[s->rows - 1] + 1;
    for (i = 0; i < rows && s->rows < MAX_ROWS; i++) {
        append_row(s, time);
        time += 1 + (int64_t)test_below(random, widest);
    }
}

static void make_stream(set *s, stream *t, uint32_t number, uint64_t *random) {
    static const uint32_t blocks[] = {512, 600, 1024, 4096, 20000};
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    t->of = elements[test_below(random, ELEMENTS)];
    t->timelines = (uint32_t)test_below(random, 3);
    t->store = (uint32_t)test_below(random, s->stores);
    t->seed = test_random(random);
    snprintf(t->name, sizeof t->name, "s%u", (unsigned)number);
    desc.name = t->name;
    desc.type = t->of.type;
    memcpy(desc.shape, t->of.shape, sizeof t->of.shape);
    if (t->timelines > 0) desc.timelines[0] = "arrival";
    if (t->timelines > 1) desc.timelines[1] = "sent";
    desc.block_bytes = blocks[test_below(random, 5)];
    CHECK_INT(sst_stream_create(s->in[t->store].writer, &desc, &t->appender), SST_OK);
    t->number = sst_stream_count(s->in[t->store].writer);
}

/* --- where they are -------------------------------------------------------------------------- */

static bool is_written(const set *s) { return s->place <= IN_FOLLOWED_FILE; }

static void create_store(set *s, place_of_store *in, uint64_t *random) {
    sst_options options = options_of(s, 0);
    bool file = s->place == IN_GROWING_FILE || s->place == IN_FOLLOWED_FILE;
    if (file) {
        make_path(in->path, sizeof in->path);
        options.flags = SST_REPLACE | SST_NO_SYNC;
        if (s->place == IN_GROWING_FILE && test_below(random, 2) == 0) {
            options.flags |= SST_NO_LIVE | SST_NO_MAP;
        }
    }
    CHECK_INT(sst_create(file ? in->path : NULL, &options, &in->writer), SST_OK);
}

static void write_image(place_of_store *in) {
    FILE *file;
    make_path(in->path, sizeof in->path);
    file = fopen(in->path, "wb");
    REQUIRE(file != NULL);
    CHECK(fwrite(in->image, 1, in->size, file) == in->size);
    CHECK_INT(fclose(file), 0);
}

static void open_image(set *s, place_of_store *in) {
    sst_options options = options_of(s, s->place == IN_TRUSTED_IMAGE ? SST_TRUST : 0);
    if (s->place == IN_FILE || s->place == IN_UNMAPPED_FILE) {
        write_image(in);
        if (s->place == IN_UNMAPPED_FILE) options.flags = SST_NO_MAP;
        CHECK_INT(sst_open(in->path, &options, &in->store), SST_OK);
    } else {
        CHECK_INT(sst_open_memory(in->image, in->size, &options, &in->store), SST_OK);
    }
}

static void take_image(set *s, place_of_store *in) {
    size_t odd = s->place == IN_ODD_IMAGE;
    const void *bytes = NULL;
    CHECK_INT(sst_image(in->writer, &bytes, &in->size), SST_OK);
    in->memory = (unsigned char *)take(in->size + odd);
    in->image = in->memory + odd;
    if (bytes != NULL) memcpy(in->image, bytes, in->size);
}

static void open_readers(set *s) {
    uint32_t i;
    for (i = 0; i < s->stores; i++) {
        place_of_store *in = &s->in[i];
        if (s->place == IN_FOLLOWED_FILE) {
            sst_options options = options_of(s, i == 0 ? 0 : SST_NO_MAP);
            CHECK_INT(sst_open(in->path, &options, &in->store), SST_OK);
        } else if (is_written(s)) {
            in->store = in->writer;
        } else {
            open_image(s, in);
        }
    }
}

static void open_handles(set *s) {
    size_t i;
    for (i = 0; i < s->streams; i++) {
        stream *t = &s->all[i];
        CHECK_INT(sst_stream_open(s->in[t->store].store, t->name, &t->handle), SST_OK);
    }
    for (i = 0; i < s->places; i++) s->handles[i] = s->all[s->which[i]].handle;
}

static void refresh(set *s) {
    uint32_t i;
    for (i = 0; i < s->stores; i++) {
        if (s->place == IN_FOLLOWED_FILE) CHECK_INT(sst_refresh(s->in[i].store), SST_OK);
    }
}

static void drop_set(set *s) {
    uint32_t i;
    if (test_errors != 0) {
        printf("place %d, %u streams, %u stores\n", s->place, (unsigned)s->streams,
               (unsigned)s->stores);
    }
    for (i = 0; i < s->stores; i++) {
        place_of_store *in = &s->in[i];
        if (in->store != in->writer) CHECK_INT(sst_close(in->store), SST_OK);
        CHECK_INT(sst_close(in->writer), SST_OK);
        if (in->path[0] != 0) CHECK_INT(remove(in->path), 0);
        free(in->memory);
    }
    free(s->merged);
    free(s);
}

/* --- what is right --------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b) {
    const entry *x = (const entry *)a, *y = (const entry *)b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Every row that can be read, in the order of the replay. */
static void merge(set *s) {
    size_t i, most = 0;
    uint64_t row;
    for (i = 0; i < s->places; i++) most += (size_t)s->all[s->which[i]].rows;
    free(s->merged);
    s->merged = (entry *)take(most * sizeof *s->merged);
    s->count = 0;
    for (i = 0; i < s->places; i++) {
        const stream *t = &s->all[s->which[i]];
        for (row = 0; row < t->rows; row++) {
            entry *e = &s->merged[s->count];
            if (t->unreadable[row]) continue;
            e->time = t->times[row];
            e->place = i;
            e->row = row;
            s->count++;
        }
    }
    qsort(s->merged, s->count, sizeof *s->merged, compare_entries);
}

/* Where a cursor is that was put before a time. */
static size_t place_of_time(const set *s, int64_t time) {
    size_t i = 0;
    while (i < s->count && s->merged[i].time < time) i++;
    return i;
}

/* Streams with rows, and in which order they are in the array. A stream may be there twice. */
static set *begin_set(int place, const sst_allocator *allocator, uint64_t *random) {
    set *s = (set *)take(sizeof *s);
    size_t i;
    memset(s, 0, sizeof *s);
    s->place = place;
    s->allocator = allocator;
    s->stores = 1 + (uint32_t)test_below(random, MAX_STORES);
    s->streams = 1 + (size_t)test_below(random, MAX_STREAMS);
    for (i = 0; i < s->stores; i++) create_store(s, &s->in[i], random);
    for (i = 0; i < s->streams; i++) {
        make_stream(s, &s->all[i], (uint32_t)i, random);
        s->which[i] = i;
    }
    s->places = s->streams;
    for (i = s->streams; i-- > 1;) {
        size_t k = (size_t)test_below(random, i + 1), w = s->which[i];
        s->which[i] = s->which[k];
        s->which[k] = w;
    }
    if (test_below(random, 4) == 0) {
        s->which[s->places++] = (size_t)test_below(random, s->streams);
    }
    return s;
}

static void fill_set(set *s, uint64_t *random) {
    size_t i;
    for (i = 0; i < s->streams; i++) {
        stream *t = &s->all[i];
        uint64_t kind = test_below(random, 8);
        size_t rows = (size_t)test_below(random, t->of.bytes > 200 ? 30 : 400);
        if (kind == 0) rows = 0;
        if (kind == 1) append_row(t, INT64_MIN);
        append_some(t, rows / 2, (int64_t)test_below(random, 300) - 100, random);
        if (test_below(random, 2) == 0) CHECK_INT(sst_flush(s->in[t->store].writer), SST_OK);
        append_some(t, rows - rows / 2, 0, random);
        if (kind <= 2) append_row(t, INT64_MAX);
    }
}

static set *make_set(int place, const sst_allocator *allocator, uint64_t *random) {
    set *s = begin_set(place, allocator, random);
    uint32_t i;
    fill_set(s, random);
    for (i = 0; i < s->stores && !is_written(s); i++) take_image(s, &s->in[i]);
    open_readers(s);
    open_handles(s);
    merge(s);
    return s;
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool check_row(const set *s, const entry *want, size_t place, const sst_view *view) {
    const stream *t = &s->all[s->which[want->place]];
    uint8_t value[MOST_BYTES];
    uint32_t i;
    int errors = test_errors;
    CHECK_INT(place, want->place);
    CHECK_INT(view->count, 1);
    CHECK_INT(view->first_row, want->row);
    if (test_errors != errors) return false;
    make_value(t, want->row, value);
    CHECK_INT(view->times[0], want->time);
    CHECK_BYTES(view->values, value, t->of.bytes);
    CHECK_INT(view->column_count, 1);
    CHECK(view->columns[0].values == view->values && view->columns[0].offsets == NULL);
    for (i = 0; i < SST_MAX_TIMELINES; i++) {
        CHECK((view->timelines[i] != NULL) == (i < t->timelines));
        if (i < t->timelines) CHECK_INT(view->timelines[i][0], line_time(t, i, want->row));
    }
    CHECK(view->offsets == NULL && view->tags == NULL && view->keys == NULL);
    return test_errors == errors;
}

/* A replay and where it must be. */
typedef struct walk {
    const set *s;
    sst_replay *replay;
    size_t at;                          /* rows before the cursor */
    size_t corrupt;                     /* how often SST_ERR_CORRUPT was the answer */
} walk;

static void check_step(walk *w, bool forwards) {
    const set *s = w->s;
    bool there = forwards ? w->at < s->count : w->at > 0;
    size_t place = 999, tries;
    sst_view view;
    int result = SST_ERR_CORRUPT;
    for (tries = 0; result == SST_ERR_CORRUPT && tries < 1000; tries++) {
        memset(&view, 0xEE, sizeof view);
        result = forwards ? sst_replay_next(w->replay, &place, &view)
                          : sst_replay_prev(w->replay, &place, &view);
        if (result != SST_ERR_CORRUPT) break;
        w->corrupt++;
        CHECK(place < s->places);
        CHECK_INT(view.count, 0);
    }
    CHECK_INT(result, there ? SST_OK : SST_ERR_NOT_FOUND);
    if (result != SST_OK) {
        CHECK_INT(view.count, 0);
        return;
    }
    if (!there || !check_row(s, &s->merged[forwards ? w->at : w->at - 1], place, &view)) return;
    w->at += forwards ? 1 : (size_t)-1;
}

static void check_seek(walk *w, int64_t time) {
    CHECK_INT(sst_replay_seek(w->replay, time), SST_OK);
    w->at = place_of_time(w->s, time);
}

static int64_t any_time(const set *s, uint64_t *random) {
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1000, 0, 100000, INT64_MAX};
    if (s->count == 0 || test_below(random, 5) == 0) return ends[test_below(random, 6)];
    {
        int64_t time = s->merged[test_below(random, s->count)].time;
        if (time == INT64_MIN || time == INT64_MAX) return time;
        return time + (int64_t)test_below(random, 3) - 1;
    }
}

/* All rows one way and the other. */
static void check_all(walk *w) {
    size_t i;
    for (i = w->at; i <= w->s->count && test_errors == 0; i++) check_step(w, true);
    check_step(w, true);
    for (i = 0; i <= w->s->count && test_errors == 0; i++) check_step(w, false);
    check_step(w, false);
    for (i = 0; i <= w->s->count && test_errors == 0; i++) check_step(w, true);
}

static void check_walk(walk *w, size_t steps, bool seeks, uint64_t *random) {
    size_t i, k;
    for (i = 0; i < steps && test_errors == 0; i++) {
        size_t run = 1 + (size_t)test_below(random, (uint64_t)1 << test_below(random, 6));
        bool forwards = test_below(random, 2) == 0;
        if (seeks && test_below(random, 4) == 0) check_seek(w, any_time(w->s, random));
        for (k = 0; k < run && test_errors == 0; k++) check_step(w, forwards);
    }
}

static walk open_walk(const set *s, int64_t start) {
    walk w;
    memset(&w, 0, sizeof w);
    w.s = s;
    w.replay = NULL;
    CHECK_INT(sst_replay_open(s->handles, s->places, start, &w.replay), SST_OK);
    w.at = place_of_time(s, start);
    return w;
}

static int64_t true_row(const stream *t, int64_t time) {
    int64_t row = -1;
    uint64_t i;
    for (i = 0; i < t->rows && t->times[i] <= time; i++) row = (int64_t)i;
    return row;
}

static void check_snapshot(const set *s, int64_t time) {
    sst_view views[MAX_STREAMS];
    size_t i;
    memset(views, 0xEE, sizeof views);
    CHECK_INT(sst_snapshot(s->handles, s->streams, time, views), SST_OK);
    for (i = 0; i < s->streams && test_errors == 0; i++) {
        const stream *t = &s->all[s->which[i]];
        entry want;
        int64_t row = true_row(t, time);
        CHECK_INT(views[i].count, row < 0 ? 0 : 1);
        if (row < 0) continue;
        want.row = (uint64_t)row;
        want.place = i;
        want.time = t->times[row];
        check_row(s, &want, i, &views[i]);
    }
}

static void check_snapshots(const set *s, uint64_t *random) {
    enum { MOST = 150 };
    int64_t times[MOST], rows[(MOST + 1) * (MAX_STREAMS + 1)];
    size_t m = (size_t)test_below(random, MOST + 1), i, k;
    for (i = 0; i < 10; i++) check_snapshot(s, any_time(s, random));
    for (i = 0; i < m; i++) times[i] = any_time(s, random);
    memset(rows, 0xEE, sizeof rows);
    CHECK_INT(sst_snapshot_rows(s->handles, s->places, times, m, rows), SST_OK);
    for (i = 0; i < m && test_errors == 0; i++) {
        for (k = 0; k < s->places; k++) {
            CHECK_INT(rows[i * s->places + k], true_row(&s->all[s->which[k]], times[i]));
        }
    }
    CHECK(rows[m * s->places] == (int64_t)0xEEEEEEEEEEEEEEEEu);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void any_set(void) {
    uint64_t rounds = test_rounds(64, 1500), random = seed, i, k;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        set *s = make_set((int)(i % PLACES), NULL, &random);
        walk w = open_walk(s, INT64_MIN);
        for (k = 0; k < s->streams && test_below(&random, 2) == 0; k++) {
            sst_stream_close(s->all[k].handle);         /* the replay has its own */
            s->all[k].handle = NULL;
        }
        check_all(&w);
        check_walk(&w, 40, true, &random);
        sst_replay_close(w.replay);
        for (k = 0; k < s->streams; k++) sst_stream_close(s->all[k].handle);
        open_handles(s);
        w = open_walk(s, any_time(s, &random));
        check_walk(&w, 20, false, &random);
        CHECK_INT(w.corrupt, 0);
        check_snapshots(s, &random);
        sst_replay_close(w.replay);
        drop_set(s);
    }
}

/* Between the steps rows come that belong behind the cursor: also of streams that were at their
 * end while others were not. */
static void while_they_grow(void) {
    uint64_t rounds = test_rounds(45, 1000), random = seed + 1, i, k, n;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        set *s = begin_set((int)(i % 3), NULL, &random);
        walk w;
        if (i % 2 == 0) fill_set(s, &random);
        open_readers(s);
        open_handles(s);
        merge(s);
        w = open_walk(s, INT64_MIN);
        for (k = 0; k < 40 && test_errors == 0; k++) {
            int64_t first = w.at > 0 ? s->merged[w.at - 1].time : -50;
            for (n = test_below(&random, 4); n > 0 && first < INT64_MAX; n--) {
                stream *t = &s->all[test_below(&random, s->streams)];
                if (t->rows != 0 && t->times[t->rows - 1] == INT64_MAX) continue;
                append_some(t, (size_t)test_below(&random, 12), first + 1, &random);
                if (test_below(&random, 5) == 0) {
                    CHECK_INT(sst_flush(s->in[t->store].writer), SST_OK);
                }
            }
            refresh(s);
            merge(s);
            check_walk(&w, 1 + (size_t)test_below(&random, 6), test_below(&random, 4) == 0,
                       &random);
            while (k % 8 == 7 && w.at < s->count && test_errors == 0) check_step(&w, true);
        }
        check_all(&w);
        check_snapshots(s, &random);
        sst_replay_close(w.replay);
        drop_set(s);
    }
}

/* A late row, whose time is before rows that were given out: it is the next one, and going back
 * gives it again. */
static void late_rows(void) {
    static const int64_t late[3] = {5, 6, 7};
    double value = 1;
    sst_stream_desc desc;
    sst_store *store;
    sst_stream *two[2];
    sst_replay *replay;
    sst_view view;
    size_t place, i;
    memset(&desc, 0, sizeof desc);
    desc.type = SST_F64;
    CHECK_INT(sst_create(NULL, NULL, &store), SST_OK);
    for (i = 0; i < 2; i++) {
        desc.name = i == 0 ? "a" : "b";
        CHECK_INT(sst_stream_create(store, &desc, &two[i]), SST_OK);
    }
    CHECK_INT(sst_append(two[0], 100, &value), SST_OK);
    CHECK_INT(sst_replay_open(two, 2, 0, &replay), SST_OK);
    CHECK_INT(sst_replay_next(replay, &place, &view), SST_OK);
    for (i = 0; i < 3; i++) {
        CHECK_INT(sst_replay_next(replay, &place, &view), SST_ERR_NOT_FOUND);
        CHECK_INT(sst_append(two[1], late[i], &value), SST_OK);
        CHECK_INT(sst_replay_next(replay, NULL, &view), SST_OK);
        CHECK_INT(view.times[0], late[i]);
        CHECK_INT(sst_replay_prev(replay, &place, &view), SST_OK);
        CHECK(place == 1 && view.times[0] == late[i]);
        CHECK_INT(sst_replay_next(replay, &place, &view), SST_OK);
        CHECK(place == 1 && view.times[0] == late[i] && view.first_row == i);
    }
    sst_replay_close(replay);
    CHECK_INT(sst_close(store), SST_OK);
}

/* --- damage ---------------------------------------------------------------------------------- */

static void damage_image(place_of_store *in, uint64_t *random) {
    uint32_t n = mend_count(in->image, in->size, MEND_BLOCK, 0);
    uint64_t times = 1 + test_below(random, 4), offset = 64;
    mend_record r;
    mend_column c;
    if (n == 0) return;
    while (times-- > 0) {
        if (!mend_find(in->image, in->size, MEND_BLOCK, 0, (uint32_t)test_below(random, n), &r)) {
            continue;
        }
        if (test_below(random, 3) == 0) {
            memset(in->image + r.offset, 0, 64);                        /* lost */
        } else if (mend_column_at(in->image, &r, (uint32_t)test_below(
                       random, mend_columns(in->image, &r)), &c) && c.size != 0) {
            in->image[c.start + test_below(random, c.size)] ^= 16;
        }
        n = mend_count(in->image, in->size, MEND_BLOCK, 0);
        if (n == 0) break;
    }
    if (test_below(random, 2) == 0) return;
    while (mend_next(in->image, in->size, &offset, &r)) {               /* read by hopping then */
        if (r.type == MEND_INDEX) in->image[r.payload + 100] ^= 4;
    }
}

/* Asks for every row by itself, in a store of its own. *runs: how often it changes what is there.
 * False: a stream is gone. */
static bool find_unreadable(set *s, size_t *runs) {
    size_t i;
    uint64_t row;
    uint32_t k;
    sst_store *store[MAX_STORES] = {NULL, NULL};
    bool there = true;
    for (k = 0; k < s->stores; k++) {
        CHECK_INT(sst_open_memory(s->in[k].image, s->in[k].size, NULL, &store[k]), SST_OK);
    }
    *runs = 0;
    for (i = 0; i < s->streams && there; i++) {
        stream *t = &s->all[i];
        sst_stream *handle;
        sst_view view;
        there = sst_stream_open(store[t->store], t->name, &handle) == SST_OK;
        if (!there) break;
        if (sst_rows(handle) < t->rows) t->rows = sst_rows(handle);
        for (row = 0; row < t->rows; row++) {
            int result = sst_slice(handle, row, 1, &view);
            CHECK(result == SST_OK || result == SST_ERR_CORRUPT);
            t->unreadable[row] = result != SST_OK;
            if (row == 0 || t->unreadable[row] != t->unreadable[row - 1]) ++*runs;
        }
    }
    for (k = 0; k < s->stores; k++) CHECK_INT(sst_close(store[k]), SST_OK);
    return there;
}

/* Every row that can be read comes once, and what cannot is reported a few times. */
static void damaged(void) {
    static const int places[] = {IN_IMAGE, IN_ODD_IMAGE, IN_FILE, IN_UNMAPPED_FILE};
    uint64_t rounds = test_rounds(90, 3000), random = seed + 2, i;
    size_t reports = 0, lost = 0;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        set *s = begin_set(places[i % 4], NULL, &random);
        size_t runs, k;
        uint32_t n;
        fill_set(s, &random);
        for (n = 0; n < s->stores; n++) {
            take_image(s, &s->in[n]);
            damage_image(&s->in[n], &random);
        }
        open_readers(s);
        if (find_unreadable(s, &runs)) {
            walk w;
            size_t whole;
            open_handles(s);
            whole = 0;
            for (k = 0; k < s->places; k++) whole += (size_t)s->all[s->which[k]].rows;
            merge(s);
            w = open_walk(s, INT64_MIN);
            for (k = 0; k <= s->count && test_errors == 0; k++) check_step(&w, true);
            /* a run of rows may be several blocks, each of several pieces */
            CHECK(w.corrupt <= whole - s->count && (w.corrupt != 0) == (whole != s->count));
            CHECK(w.corrupt <= 40 * runs);
            reports += w.corrupt;
            lost += whole - s->count;
            w.corrupt = 0;
            for (k = 0; k <= s->count && test_errors == 0; k++) check_step(&w, false);
            CHECK((w.corrupt != 0) == (whole != s->count));
            check_walk(&w, 30, false, &random);
            sst_replay_close(w.replay);
        }
        drop_set(s);
    }
    CHECK(reports * 5 < lost);
    if (rounds > 50) CHECK(reports > 50);
}

/* One piece of a large column is damaged: the rows of the others come, whatever view they are in;
 * two columns have pieces of different numbers of rows. */
static void damaged_pieces(void) {
    enum { ROWS = 800, WIDE = 24 };
    int64_t times[ROWS];
    uint8_t *values = (uint8_t *)take(ROWS * WIDE);
    uint64_t i, byte, step = test_rounds(997, 97);
    const void *bytes = NULL;
    size_t size;
    set none;
    sst_options options;
    sst_stream_desc desc;
    sst_store *store;
    sst_stream *x;
    uint8_t *image;
    mend_record r;
    mend_column c;
    memset(&none, 0, sizeof none);
    options = options_of(&none, 0);
    options.block_bytes = ROWS * (8 + WIDE);
    memset(&desc, 0, sizeof desc);
    desc.name = "x";
    desc.type = SST_U8;
    desc.shape[0] = WIDE;
    for (i = 0; i < ROWS; i++) times[i] = (int64_t)i * 3;
    memset(values, 3, ROWS * WIDE);
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    CHECK_INT(sst_stream_create(store, &desc, &x), SST_OK);
    CHECK_INT(sst_append_rows(x, times, values, ROWS), SST_OK);
    CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
    image = (uint8_t *)take(size);
    memcpy(image, bytes, size);
    CHECK(mend_find(image, size, MEND_BLOCK, 1, 0, &r) && r.rows > 500);
    for (i = 0; mend_column_at(image, &r, (uint32_t)i, &c) && c.kind != MEND_VALUES; i++) continue;
    CHECK(c.size > 5 * MEND_PIECE_BYTES);
    for (byte = 0; byte < c.size && test_errors == 0; byte += step) {
        uint64_t piece = byte / MEND_PIECE_BYTES, got = 0, lost = 0, reports = 0, row;
        bool forwards = byte % 2 == 0;
        sst_store *opened;
        sst_stream *y;
        sst_replay *replay;
        sst_view view;
        int result;
        image[c.start + byte] ^= 1;
        CHECK_INT(sst_open_memory(image, size, &options, &opened), SST_OK);
        CHECK_INT(sst_stream_open(opened, "x", &y), SST_OK);
        CHECK_INT(sst_replay_open(&y, 1, forwards ? INT64_MIN : INT64_MAX, &replay), SST_OK);
        for (row = 0; row < r.rows; row++) {
            lost += row * WIDE < (piece + 1) * MEND_PIECE_BYTES &&
                    (row + 1) * WIDE > piece * MEND_PIECE_BYTES;
        }
        while ((result = forwards ? sst_replay_next(replay, NULL, &view)
                                  : sst_replay_prev(replay, NULL, &view)) != SST_ERR_NOT_FOUND) {
            if (result == SST_OK) got++;
            else CHECK_INT(result, SST_ERR_CORRUPT);
            if (result != SST_OK && ++reports > 10) break;
        }
        CHECK_INT(got, ROWS - lost);
        CHECK(reports >= 1 && reports <= 5);
        sst_replay_close(replay);
        CHECK_INT(sst_close(opened), SST_OK);
        image[c.start + byte] ^= 1;
    }
    CHECK_INT(sst_close(store), SST_OK);
    free(image);
    free(values);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* Opens and reads everything; SST_ERR_MEMORY, once, and the next call goes on. */
static void read_with_failures(const set *s, meter *m) {
    walk w;
    size_t before = m->now, failures = 0, place;
    sst_view view;
    int result;
    memset(&w, 0, sizeof w);
    w.replay = (sst_replay *)&w;
    result = sst_replay_open(s->handles, s->places, INT64_MIN, &w.replay);
    if (result != SST_OK) {
        CHECK_INT(result, SST_ERR_MEMORY);
        CHECK(w.replay == NULL && m->now == before);
        return;
    }
    while (w.at < s->count && test_errors == 0) {
        result = sst_replay_next(w.replay, &place, &view);
        if (result == SST_ERR_MEMORY) {
            CHECK_INT(view.count, 0);
            CHECK(failures++ == 0);
            continue;
        }
        CHECK_INT(result, SST_OK);
        if (result == SST_OK) check_row(s, &s->merged[w.at++], place, &view);
    }
    while (w.at > 0 && test_errors == 0) {
        result = sst_replay_prev(w.replay, &place, &view);
        if (result == SST_ERR_MEMORY) {
            CHECK(failures++ == 0);
            continue;
        }
        CHECK_INT(result, SST_OK);
        if (result == SST_OK) check_row(s, &s->merged[--w.at], place, &view);
    }
    sst_replay_close(w.replay);
}

static void every_allocation(void) {
    uint64_t rounds = test_rounds(8, 40), random = seed + 3, i, n;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        uint64_t same = test_random(&random), failed = 0;
        bool more = true;
        for (n = 1; more && test_errors == 0; n += 1 + n / 12) {
            uint64_t state = same;
            meter m;
            sst_allocator allocator = meter_allocator(&m);
            set *s;
            s = make_set((int)(i % PLACES), &allocator, &state);
            m.calls = 0;
            m.fail_at = n;
            read_with_failures(s, &m);
            more = m.calls >= n;
            failed += more;
            m.fail_at = 0;
            read_with_failures(s, &m);
            drop_set(s);
            CHECK_INT(m.now, 0);
        }
        CHECK(failed >= 3);
    }
}

/* --- the rest -------------------------------------------------------------------------------- */

static void wrong_arguments(void) {
    uint64_t random = seed + 4;
    set *s = make_set(IN_MEMORY, NULL, &random);
    sst_replay *replay = (sst_replay *)s;
    sst_stream *two[2];
    sst_view view, views[2];
    int64_t time = 0, rows[2];
    size_t place = 77;
    two[0] = s->handles[0];
    two[1] = NULL;
    CHECK_INT(sst_replay_open(two, 2, 0, NULL), SST_ERR_ARG);
    CHECK_INT(sst_replay_open(two, 2, 0, &replay), SST_ERR_ARG);
    CHECK(replay == NULL);
    CHECK_INT(sst_replay_open(NULL, 1, 0, &replay), SST_ERR_ARG);
    CHECK_INT(sst_replay_open(two, 0, 0, &replay), SST_ERR_ARG);
    CHECK_INT(sst_replay_open(two, SIZE_MAX, 0, &replay), SST_ERR_ARG);
    CHECK_INT(sst_replay_open(two, 1, 0, &replay), SST_OK);
    CHECK_INT(sst_replay_next(NULL, &place, &view), SST_ERR_ARG);
    CHECK_INT(sst_replay_prev(NULL, &place, &view), SST_ERR_ARG);
    CHECK_INT(sst_replay_next(replay, &place, NULL), SST_ERR_ARG);
    CHECK_INT(sst_replay_prev(replay, &place, NULL), SST_ERR_ARG);
    CHECK_INT(sst_replay_seek(NULL, 0), SST_ERR_ARG);
    CHECK_INT(place, 77);
    sst_replay_close(replay);
    sst_replay_close(NULL);
    CHECK_INT(sst_snapshot(NULL, 0, 0, NULL), SST_OK);
    CHECK_INT(sst_snapshot(NULL, 1, 0, views), SST_ERR_ARG);
    CHECK_INT(sst_snapshot(two, 1, 0, NULL), SST_ERR_ARG);
    CHECK_INT(sst_snapshot(two, 2, 0, views), SST_ERR_ARG);
    CHECK_INT(sst_snapshot_rows(NULL, 0, NULL, SIZE_MAX, NULL), SST_OK);
    CHECK_INT(sst_snapshot_rows(NULL, 5, NULL, 0, NULL), SST_OK);
    CHECK_INT(sst_snapshot_rows(NULL, 1, &time, 1, rows), SST_ERR_ARG);
    CHECK_INT(sst_snapshot_rows(two, 1, NULL, 1, rows), SST_ERR_ARG);
    CHECK_INT(sst_snapshot_rows(two, 1, &time, 1, NULL), SST_ERR_ARG);
    CHECK_INT(sst_snapshot_rows(two, 2, &time, 1, rows), SST_ERR_ARG);
    two[1] = two[0];
    CHECK_INT(sst_snapshot(two, 2, 0, views), SST_ERR_ARG);
    CHECK_INT(sst_snapshot_rows(two, 2, &time, 1, rows), SST_OK);
    CHECK_INT(rows[0], rows[1]);
    drop_set(s);
}

/* Rows that are lost where a cursor is to be put: it stays where it is. */
static void seek_into_damage(void) {
    uint64_t random = seed + 5;
    set *s;
    mend_record r;
    walk w;
    uint32_t blocks;
    stream *t;
    int64_t last;
    bool fits;
    do {
        s = begin_set(IN_IMAGE, NULL, &random);
        t = &s->all[0];
        append_some(t, 600, 0, &random);
        take_image(s, &s->in[t->store]);
        blocks = mend_count(s->in[t->store].image, s->in[t->store].size, MEND_BLOCK, t->number);
        fits = blocks > 2 && s->stores == 1 && mend_find(s->in[0].image, s->in[0].size,
                                                         MEND_BLOCK, t->number, 1, &r) &&
               r.first_row > 2 && r.rows > 2;
        if (!fits) drop_set(s);
    } while (!fits);
    memset(s->in[0].image + r.payload, 0, (size_t)r.size);
    last = t->times[r.first_row + 1];
    open_readers(s);
    open_handles(s);
    merge(s);
    w = open_walk(s, 0);
    check_step(&w, true);
    check_step(&w, true);
    CHECK_INT(sst_replay_seek(w.replay, last), SST_ERR_CORRUPT);
    check_step(&w, true);
    check_step(&w, false);
    sst_replay_close(w.replay);
    w.replay = (sst_replay *)s;
    CHECK_INT(sst_replay_open(s->handles, s->places, last, &w.replay), SST_ERR_CORRUPT);
    CHECK(w.replay == NULL);
    drop_set(s);
}

/* A set of one store and the image of it, not opened yet; *r: the second block of its first
 * stream, which is not its last, and whose times leave one out. */
static set *blocks_set(int place, mend_record *r, uint64_t *random) {
    for (;;) {
        set *s = begin_set(place, NULL, random);
        place_of_store *in = &s->in[0];
        stream *t = &s->all[0];
        fill_set(s, random);
        if (s->stores == 1 && (t->rows == 0 || t->times[t->rows - 1] < 100000)) {
            append_some(t, 300, 0, random);
            take_image(s, in);
            if (mend_count(in->image, in->size, MEND_BLOCK, t->number) > 2 &&
                mend_find(in->image, in->size, MEND_BLOCK, t->number, 1, r) && r->rows > 3 &&
                r->first_row > 3 && t->times[r->first_row + r->rows - 1] -
                t->times[r->first_row] >= (int64_t)r->rows) {
                return s;
            }
        }
        drop_set(s);
    }
}

/* How often the first stream is in the array. */
static size_t times_given(const set *s) {
    size_t i, n = 0;
    for (i = 0; i < s->places; i++) n += s->which[i] == 0;
    return n;
}

/* The rows of one stream that were lost are passed by with one report, either way, and a question
 * for one of them fails for all streams. */
static void check_lost(const set *s, uint64_t first, uint64_t count) {
    const stream *t = &s->all[0];
    sst_view views[MAX_STREAMS];
    int64_t times[100], rows[100 * (MAX_STREAMS + 1)];
    size_t i, reports = times_given(s);
    walk w;
    CHECK_INT(sst_rows(t->handle), t->rows);
    for (i = 0; i < 100; i++) times[i] = INT64_MIN;
    CHECK_INT(sst_snapshot_rows(s->handles, s->places, times, 100, rows), SST_OK);
    for (i = 0; i < s->places; i++) {
        CHECK_INT(rows[i], true_row(&s->all[s->which[i]], INT64_MIN));
    }
    times[99] = t->times[first + 1];
    CHECK_INT(sst_snapshot(s->handles, s->streams, times[99], views), SST_ERR_CORRUPT);
    CHECK_INT(sst_snapshot_rows(s->handles, s->places, times, 100, rows), SST_ERR_CORRUPT);
    check_snapshot(s, t->times[first - 2]);
    w = open_walk(s, INT64_MIN);
    for (i = 0; i <= s->count && test_errors == 0; i++) check_step(&w, true);
    CHECK_INT(w.corrupt, reports);
    w.corrupt = 0;
    for (i = 0; i <= s->count && test_errors == 0; i++) check_step(&w, false);
    CHECK_INT(w.corrupt, reports);
    CHECK_INT(sst_replay_seek(w.replay, t->times[first + 1]), SST_ERR_CORRUPT);
    check_step(&w, true);                       /* the cursor is where it was */
    check_seek(&w, t->times[first - 2]);
    for (i = 0; i < 20 && test_errors == 0; i++) check_step(&w, true);
    if (first + count < t->rows) {
        check_seek(&w, t->times[first + count + 1]);
        w.corrupt = 0;
        while (w.at < s->count && test_errors == 0) check_step(&w, true);
        check_step(&w, true);
        CHECK_INT(w.corrupt, 0);
    }
    sst_replay_close(w.replay);
}

/* The last blocks of a stream are lost, and how many rows they had is known: an INDEX says so. Rows
 * that are appended to what is left come behind them. */
static void lost_end(void) {
    uint64_t rounds = test_rounds(9, 100), random = seed + 7, i, row, first;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        mend_record r, later;
        set *s = blocks_set(i % 3 == 0 ? IN_IMAGE : IN_FILE, &r, &random);
        place_of_store *in = &s->in[0];
        stream *t = &s->all[0];
        uint32_t n = mend_count(in->image, in->size, MEND_BLOCK, t->number);
        for (; n > 2; n--) {                    /* all from the second on */
            CHECK(mend_find(in->image, in->size, MEND_BLOCK, t->number, n - 1, &later));
            memset(in->image + later.offset, 0, 64);
        }
        memset(in->image + r.offset, 0, 64);
        CHECK(mend_at(in->image, in->size, in->size - 64, &later) && later.type == MEND_END);
        mend_put(in->image + later.offset + 32, 0, 8);      /* leads to no list of blocks */
        mend_header(in->image, &later);
        first = r.first_row;
        for (row = first; row < t->rows; row++) t->unreadable[row] = true;
        if (i % 3 == 2) {
            sst_options options = options_of(s, 0);
            s->place = IN_GROWING_FILE;
            CHECK_INT(sst_close(in->writer), SST_OK);
            write_image(in);
            CHECK_INT(sst_open_append(in->path, &options, &in->writer), SST_OK);
        }
        open_readers(s);
        open_handles(s);
        merge(s);
        check_lost(s, first, t->rows - first);
        if (s->place == IN_GROWING_FILE) {
            uint64_t lost = t->rows - first;
            CHECK_INT(sst_stream_open(in->writer, t->name, &t->appender), SST_OK);
            append_some(t, 6, 0, &random);
            merge(s);
            check_lost(s, first, lost);         /* in a tail */
            CHECK_INT(sst_flush(in->writer), SST_OK);
            append_some(t, 4, 0, &random);
            merge(s);
            check_lost(s, first, lost);         /* in a block of their own */
        }
        drop_set(s);
    }
}

/* An INDEX that lies of a block is found out where the block is looked at: by a step either way, or
 * by a seek. Nothing is lost, and nothing reported. */
static void lying_index(void) {
    uint64_t rounds = test_rounds(12, 120), random = seed + 8, i;
    for (i = 0; i < rounds && test_errors == 0; i++) {
        mend_record r, index;
        set *s = blocks_set(i % 2 == 0 ? IN_IMAGE : IN_UNMAPPED_FILE, &r, &random);
        place_of_store *in = &s->in[0];
        stream *t = &s->all[0];
        uint32_t n = mend_count(in->image, in->size, MEND_INDEX, 0);
        uint64_t blocks = 0, middle = r.first_row + r.rows / 2;
        bool sought = i % 3 == 0;
        uint8_t *last;
        walk w;
        CHECK(n != 0 && mend_find(in->image, in->size, MEND_INDEX, 0, n - 1, &index));
        REQUIRE(mend_index_stream(in->image, &index, t->number, &blocks) != 0);
        last = in->image + blocks + 40 + 24;    /* the last time of the second block */
        CHECK_INT((int64_t)mend_u64(last), t->times[r.first_row + r.rows - 1]);
        mend_put(last, mend_u64(last) - 1, 8);  /* it could be */
        mend_payload(in->image, &index);
        open_readers(s);
        open_handles(s);
        merge(s);
        w = open_walk(s, sought || i % 3 == 1 ? INT64_MIN : INT64_MAX);
        CHECK_INT(in->store->index_lies, 0);
        if (sought) check_seek(&w, t->times[middle]);
        CHECK_INT(in->store->index_lies, sought ? 2 : 0);
        while (i % 3 == 1 && w.at < s->count && test_errors == 0) check_step(&w, true);
        while (i % 3 == 2 && w.at > 0 && test_errors == 0) check_step(&w, false);
        CHECK_INT(in->store->index_lies, 2);
        check_all(&w);
        check_walk(&w, 20, true, &random);
        CHECK_INT(w.corrupt, 0);
        sst_replay_close(w.replay);
        check_snapshots(s, &random);
        drop_set(s);
    }
}

/* In a forked child the parent's recording is not read. */
static void forked(void) {
#if defined(__linux__)
    uint64_t random = seed + 6;
    set *s = make_set(IN_GROWING_FILE, NULL, &random);
    walk w = open_walk(s, INT64_MIN);
    int status = 1;
    pid_t child;
    while (w.at * 2 < s->count && test_errors == 0) check_step(&w, true);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        sst_view view;
        int bad = sst_replay_next(w.replay, NULL, &view) != SST_ERR_STATE;
        bad |= sst_replay_prev(w.replay, NULL, &view) != SST_ERR_STATE;
        bad |= sst_replay_seek(w.replay, 0) != SST_ERR_STATE;
        sst_replay_close(w.replay);
        _exit(bad);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    check_all(&w);
    sst_replay_close(w.replay);
    drop_set(s);
#else
    SKIP("no pages that are wiped on fork");
#endif
}

int main(void) {
    seed = test_seed(40);
    TEST_RUN(any_set);
    TEST_RUN(while_they_grow);
    TEST_RUN(late_rows);
    TEST_RUN(damaged);
    TEST_RUN(damaged_pieces);
    TEST_RUN(every_allocation);
    TEST_RUN(wrong_arguments);
    TEST_RUN(seek_into_damage);
    TEST_RUN(lost_end);
    TEST_RUN(lying_index);
    TEST_RUN(forked);
    return test_done("replay");
}
