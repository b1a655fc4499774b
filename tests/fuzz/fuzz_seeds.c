/* fuzz_seeds.c - writes small images of different kinds into a directory, which it makes:
 * fuzz_seeds corpus */
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_INDEX_BLOCKS 4
#define SSTI_TABLE_MIN_BLOCKS 2
#include "../../streamstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *directory;
static int failed;

static void must(int result, const char *what) {
    if (result == SST_OK) return;
    fprintf(stderr, "%s: %s\n", what, sst_result_name(result));
    exit(1);
}

/* mkdir -p */
static void make_directory(const char *path) {
    char name[1024];
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
    char path[1200];
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
static void append(sst_stream *stream, int64_t first, int rows) {
    static uint8_t value[1024];
    int64_t lines[2];
    sst_stream_desc desc;
    sst_row row;
    int i;
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

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: fuzz_seeds directory\n");
        return 2;
    }
    directory = arguments[1];
    make_directory(directory);
    empty_stores();
    one_stream();
    several_streams();
    large_rows();
    two_images();
    return failed;
}
