/* fuzz_seeds.c - writes valid inputs for every target into folders of their names, which it makes:
 * fuzz_seeds folder. In folder/open are images; in folder/live and folder/recover stores with
 * their companions, see pair.h, as they are at different moments of a recording; in
 * folder/recover and folder/api random programs. */
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_INDEX_BLOCKS 4
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 1u
#define SSTI_TAIL_FIRST_BYTES 256
#include "../../streamstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../test.h"
#include "../simdisk.h"

static const char *folder;
static char directory[1100];
static int failed;

static void must(int result, const char *what) {
    if (result == SST_OK) return;
    fprintf(stderr, "%s: %s\n", what, sst_result_name(result));
    exit(1);
}

/* mkdir -p */
static void make_directory(const char *path) {
    char name[1200];
    size_t i;
    snprintf(name, sizeof name, "%s", path);
    for (i = 1; name[i] != '\0'; i++) {
        if (name[i] != '/') continue;
        name[i] = '\0';
        mkdir(name, 0777);
        name[i] = '/';
    }
    mkdir(name, 0777);
}

static void write_file(const char *name, const void *bytes, size_t size) {
    char path[1300];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot be written\n", path);
        failed = 1;
    }
    if (file != NULL && fclose(file) != 0) failed = 1;
}

static sst_store *new_store(void) {
    sst_options options;
    sst_store *store;
    memset(&options, 0, sizeof options);
    options.seed = 1;
    options.block_bytes = 512;
    must(sst_create(NULL, &options, &store), "sst_create");
    return store;
}

static sst_stream *new_stream(sst_store *store, const char *name, sst_type type,
                              uint32_t dimension, uint32_t timelines) {
    sst_stream_desc desc;
    sst_stream *stream;
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = type;
    desc.shape[0] = dimension;
    if (timelines > 0) desc.timelines[0] = "capture";
    if (timelines > 1) desc.timelines[1] = "arrival";
    must(sst_stream_create(store, &desc, &stream), "sst_stream_create");
    return stream;
}

/* Rows from a number on: times with gaps, the first timeline sorted, the second not. */
static void append(sst_stream *stream, int64_t first, int64_t rows) {
    static uint8_t value[1024];
    int64_t lines[2];
    sst_stream_desc desc;
    sst_row row;
    int64_t i;
    sst_stream_info(stream, &desc, NULL, NULL, NULL);
    for (i = 0; i < rows; i++) {
        memset(&row, 0, sizeof row);
        memset(value, (int)((first + i) & 1), sizeof value);
        row.time = (first + i) * (first + i) * 3 - 1000;
        row.value = value;
        lines[0] = row.time / 7;
        lines[1] = (first + i) * 7919 % 100;
        if (desc.timelines[0] != NULL) row.timelines = lines;
        must(sst_append_row(stream, &row), "sst_append_row");
    }
}

static void finish(sst_store *store, const char *name) {
    const void *bytes;
    size_t size;
    char cut[64];
    must(sst_image(store, &bytes, &size), "sst_image");
    write_file(name, bytes, size);
    snprintf(cut, sizeof cut, "%s_crashed", name);      /* without END */
    write_file(cut, bytes, size - 64);
    snprintf(cut, sizeof cut, "%s_short", name);
    write_file(cut, bytes, size * 2 / 3);
    must(sst_close(store), "sst_close");
}

/* A stream of the other kinds: points, a number and a name, with what the flags say. */
static sst_stream *new_mixed(sst_store *store, const char *name, uint32_t flags) {
    sst_field fields[3];
    sst_stream_desc desc;
    sst_stream *stream;
    memset(&desc, 0, sizeof desc);
    memset(fields, 0, sizeof fields);
    fields[0].name = "points";
    fields[0].type = SST_U16;
    fields[0].shape[0] = 3;
    fields[0].flags = SST_RAGGED;
    fields[1].name = "health";
    fields[1].type = SST_I32;
    fields[2].name = "text";
    fields[2].type = SST_TEXT;
    desc.name = name;
    desc.flags = flags;
    desc.fields = fields;
    desc.field_count = 3;
    must(sst_stream_create(store, &desc, &stream), "sst_stream_create");
    return stream;
}

static void append_mixed(sst_stream *stream, int64_t first, int64_t rows) {
    static const char text[] = "some text, none of it long; but now and then there is much more";
    sst_stream_desc desc;
    sst_cell cells[3];
    sst_row row;
    int32_t health;
    int64_t i;
    sst_stream_info(stream, &desc, NULL, NULL, NULL);
    for (i = first; i < first + rows; i++) {
        memset(&row, 0, sizeof row);
        row.time = (desc.flags & SST_EQUAL_TIMES) != 0 ? i / 3 : i * 5;
        row.tag = (desc.flags & SST_TAGGED) != 0 ? (uint32_t)i % 3 : 0;
        if ((desc.flags & SST_KEYED) != 0) {
            row.key.kind = i % 2 == 0 ? SST_KEY_I64 : SST_KEY_TEXT;
            row.key.number = i;
            row.key.bytes = text;
            row.key.size = (uint32_t)i % 9;
            row.flags = i % 5 == 0 ? SST_ROW_REMOVED : 0;
        }
        health = (int32_t)i;
        cells[0].data = text;
        cells[0].count = i % 11 == 10 ? 10 : (size_t)i % 4;
        cells[1].data = &health;
        cells[1].count = 1;
        cells[2].data = text;
        cells[2].count = (size_t)(i * 7 % 13);
        row.cells = cells;
        must(sst_append_row(stream, &row), "sst_append_row");
    }
}

static void mixed_streams(void) {
    sst_store *store = new_store();
    sst_stream *stream = new_mixed(store, "m", SST_TAGGED | SST_EQUAL_TIMES);
    append_mixed(stream, 0, 30);
    must(sst_flush(store), "sst_flush");
    append_mixed(stream, 30, 5);
    finish(store, "mixed");
    store = new_store();
    append_mixed(new_mixed(store, "k", SST_KEYED | SST_UNTIMED), 0, 40);
    finish(store, "keyed");
}

static void empty_stores(void) {
    sst_store *store = new_store();
    finish(store, "empty");
    store = new_store();
    must(sst_set_meta(store, "robot", "arm", 3), "sst_set_meta");
    new_stream(store, "nothing", SST_F64, 0, 0);
    finish(store, "no_rows");
}

static void one_stream(void) {
    sst_store *store = new_store();
    sst_stream *stream = new_stream(store, "imu", SST_F32, 3, 0);
    append(stream, 0, 10);
    must(sst_flush(store), "sst_flush");
    append(stream, 10, 1);
    must(sst_stream_finish(stream), "sst_stream_finish");
    finish(store, "one");
}

/* With a chain of INDEX records and time tables. */
static void several_streams(void) {
    sst_store *store = new_store();
    sst_stream *a = new_stream(store, "a", SST_I64, 0, 2);
    sst_stream *b = new_stream(store, "b", SST_BOOL, 0, 1);
    sst_stream *c = new_stream(store, "c", SST_F16, 4, 0);
    int i;
    must(sst_stream_set_meta(a, "frame", "base", 4), "sst_stream_set_meta");
    must(sst_set_meta(store, "gone", "x", 1), "sst_set_meta");
    must(sst_remove_meta(store, "gone"), "sst_remove_meta");
    for (i = 0; i < 4; i++) {
        append(a, 6 * i, 6);
        append(b, 5 * i, 5);
        if (i % 2 == 0) append(c, 4 * i, 4);
        must(sst_flush(store), "sst_flush");
    }
    finish(store, "several");
}

static void large_rows(void) {
    sst_store *store = new_store();
    sst_stream *image = new_stream(store, "image", SST_U8, 600, 0);
    sst_stream *number = new_stream(store, "number", SST_U32, 0, 0);
    append(image, 0, 2);
    append(number, 0, 3);
    append(image, 2, 1);
    finish(store, "large");
}

/* Rows of several fields with tags, those with equal times or without any. */
static void all_kinds(void) {
    sst_store *store = new_store();
    sst_field fields[3];
    sst_stream_desc desc;
    sst_stream *stream[2];
    sst_cell cells[3] = {{"pose and", 0}, {"name", 0}, {"of an event", 0}};
    sst_row row;
    int i, k;
    memset(fields, 0, sizeof fields);
    memset(&desc, 0, sizeof desc);
    fields[0].type = SST_F64;
    fields[1].type = SST_I32;
    fields[1].name = "number";
    fields[2].type = SST_U8;
    fields[2].shape[0] = 5;
    desc.fields = fields;
    desc.field_count = 3;
    desc.name = "event";
    desc.flags = SST_TAGGED | SST_EQUAL_TIMES;
    desc.timelines[0] = "capture";
    must(sst_stream_create(store, &desc, &stream[0]), "sst_stream_create");
    desc.name = "step";
    desc.flags = SST_TAGGED | SST_UNTIMED;
    desc.timelines[0] = NULL;
    must(sst_stream_create(store, &desc, &stream[1]), "sst_stream_create");
    for (i = 0; i < 40; i++) {
        for (k = 0; k < 2; k++) {
            memset(&row, 0, sizeof row);
            row.time = i / 3 * 100;
            row.timelines = k == 0 ? &row.time : NULL;
            row.tag = (uint32_t)i % 4;
            row.cells = cells;
            must(sst_append_row(stream[k], &row), "sst_append_row");
        }
        if (i % 15 == 14) must(sst_flush(store), "sst_flush");
    }
    finish(store, "kinds");
}

/* An image that was taken and written on. */
static void two_images(void) {
    sst_store *store = new_store();
    sst_stream *stream = new_stream(store, "x", SST_I32, 0, 0);
    const void *bytes;
    size_t size;
    append(stream, 0, 50);
    must(sst_image(store, &bytes, &size), "sst_image");
    append(stream, 50, 60);
    finish(store, "twice");
}

/* ---- stores with their companions ----------------------------------------------------------- */

typedef struct recording {
    sim_disk disk;
    sst_store *store;
    sst_stream *stream[3];
    int64_t rows[3];
} recording;

#define PAIR_HEAD 32u
#define PATH "a"

/* Without the zeros at the end, which say nothing. */
static size_t trimmed(const uint8_t *bytes, size_t size) {
    while (size >= 64 && bytes[size - 1] == 0) size--;
    return (size + 63) / 64 * 64;
}

/* The files as they are now; `first` bytes of the store are there at first. */
static void save_pair(recording *r, const char *name, uint8_t options, uint64_t first) {
    static uint8_t bytes[1 << 17];
    uint64_t store_size, live_size;
    const uint8_t *store = sim_bytes(&r->disk, PATH, &store_size);
    const uint8_t *live = sim_bytes(&r->disk, PATH "-live", &live_size);
    if (live != NULL) live_size = trimmed(live, (size_t)live_size);
    if (PAIR_HEAD + store_size + live_size > sizeof bytes) {
        fprintf(stderr, "%s: too large\n", name);
        exit(1);
    }
    memset(bytes, 0, PAIR_HEAD);
    bytes[0] = options;
    bytes[1] = first == 0 ? 0 : 1;
    ssti_put32(bytes + 4, (uint32_t)store_size);
    ssti_put32(bytes + 8, (uint32_t)(first == 0 ? store_size : first));
    ssti_put32(bytes + 12, (uint32_t)live_size);
    memcpy(bytes + PAIR_HEAD, store, (size_t)store_size);
    if (live != NULL) memcpy(bytes + PAIR_HEAD + store_size, live, (size_t)live_size);
    write_file(name, bytes, (size_t)(PAIR_HEAD + store_size + live_size));
}

static void recording_open(recording *r, uint32_t flags) {
    static const char *const names[3] = {"a", "b", "c"};
    sst_options options;
    int i;
    memset(&options, 0, sizeof options);
    options.io = &r->disk.io;
    options.block_bytes = 512;
    options.sync_align = 64;
    options.flags = flags | SST_CREATE;
    must(sst_open_append(PATH, &options, &r->store), "sst_open_append");
    for (i = 0; i < 3; i++) {
        r->stream[i] = NULL;
        if (i < (int)sst_stream_count(r->store)) {
            must(sst_stream_open(r->store, names[i], &r->stream[i]), "sst_stream_open");
        }
    }
}

static recording *recording_new(uint32_t flags, int streams) {
    recording *r = (recording *)calloc(1, sizeof *r);
    if (r == NULL) exit(1);
    sim_init(&r->disk, 7);
    recording_open(r, flags);
    if (streams > 0) r->stream[0] = new_stream(r->store, "a", SST_I64, 0, 0);
    if (streams > 1) r->stream[1] = new_stream(r->store, "b", SST_F32, 3, 2);
    if (streams > 2) r->stream[2] = new_stream(r->store, "c", SST_U8, 150, 0);
    return r;
}

static void record(recording *r, int which, int64_t rows) {
    append(r->stream[which], r->rows[which], rows);
    r->rows[which] += rows;
}

static uint64_t length(recording *r) {
    uint64_t size;
    sim_bytes(&r->disk, PATH, &size);
    return size;
}

static void recording_end(recording *r) {
    must(sst_close(r->store), "sst_close");
    sim_free(&r->disk);
    free(r);
}

/* One stream, from nothing to rows in both halves and in blocks. */
static void short_recording(void) {
    recording *r = recording_new(0, 0);
    uint64_t first = length(r);
    save_pair(r, "fresh", 16, 0);
    r->stream[0] = new_stream(r->store, "a", SST_I64, 0, 0);
    save_pair(r, "no_rows", 0, 0);
    record(r, 0, 5);
    save_pair(r, "tail", 0, 0);
    save_pair(r, "tail_found", 16, first);
    record(r, 0, 17);
    save_pair(r, "halves", 1, 0);
    must(sst_flush(r->store), "sst_flush");
    record(r, 0, 3);
    save_pair(r, "halves_flushed", 16 + 1, first);
    recording_end(r);
}

/* The other kinds of rows, in the tail and in blocks. */
static void mixed_recording(uint32_t flags, const char *name) {
    recording *r = recording_new(0, 0);
    char other[64];
    uint64_t first = length(r);
    r->stream[0] = new_mixed(r->store, "a", flags);
    append_mixed(r->stream[0], 0, 9);
    save_pair(r, name, 0, 0);
    append_mixed(r->stream[0], 9, 40);
    snprintf(other, sizeof other, "%s_on", name);
    save_pair(r, other, 0, 0);
    snprintf(other, sizeof other, "%s_grows", name);
    save_pair(r, other, 16, first);
    recording_end(r);
}

static void long_recording(void) {
    recording *r = recording_new(0, 3);
    uint64_t first = length(r);
    int i;
    for (i = 0; i < 4; i++) {
        record(r, 0, 9);
        record(r, 1, 4);
        if (i % 2 == 0) record(r, 2, 1);
        if (i == 1) must(sst_sync(r->store), "sst_sync");
    }
    must(sst_set_meta(r->store, "k", "value", 5), "sst_set_meta");
    save_pair(r, "long", 0, 0);
    save_pair(r, "long_grows", 16, first);
    record(r, 0, 40);
    must(sst_stream_finish(r->stream[1]), "sst_stream_finish");
    save_pair(r, "long_on", 2, 0);
    must(sst_close(r->store), "sst_close");
    save_pair(r, "closed", 0, 0);
    first = length(r);
    recording_open(r, 0);
    record(r, 0, 6);
    record(r, 2, 1);
    save_pair(r, "again", 0, 0);
    save_pair(r, "again_grows", 16, first);
    recording_end(r);
}

static void odd_recordings(void) {
    recording *r = recording_new(SST_DEFERRED, 1);
    record(r, 0, 32);
    save_pair(r, "deferred", 0, 0);
    recording_end(r);
    r = recording_new(SST_NO_LIVE, 2);
    record(r, 0, 50);
    record(r, 1, 9);
    save_pair(r, "no_companion", 8, 0);
    recording_end(r);
}

static void pairs(void) {
    short_recording();
    long_recording();
    mixed_recording(SST_TAGGED | SST_EQUAL_TIMES, "mixed");
    mixed_recording(SST_KEYED | SST_UNTIMED, "keyed");
    odd_recordings();
}

/* ---- programs ------------------------------------------------------------------------------- */

/* Random bytes behind a head whose first byte says which kind it is. */
static void programs(uint8_t kind, int count, size_t size) {
    uint64_t random = 1;
    uint8_t bytes[400];
    char file[64];
    size_t k;
    int i;
    for (i = 0; i < count; i++) {
        for (k = 0; k < size; k++) bytes[k] = (uint8_t)test_random(&random);
        bytes[0] = (uint8_t)(kind + i);
        snprintf(file, sizeof file, "program%d", i);
        write_file(file, bytes, size);
    }
}

static void enter(const char *name) {
    snprintf(directory, sizeof directory, "%s/%s", folder, name);
    make_directory(directory);
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: fuzz_seeds folder\n");
        return 2;
    }
    folder = arguments[1];
    enter("open");
    empty_stores();
    one_stream();
    several_streams();
    mixed_streams();
    large_rows();
    all_kinds();
    two_images();
    enter("live");
    pairs();
    enter("recover");
    pairs();
    programs(128, 12, 72);
    enter("api");
    programs(0, 32, 8 + 3 * 30);
    return failed;
}
