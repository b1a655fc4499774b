/* memory_store.c - a store in memory, saved to a file with one write, and opened again.
 *
 *     cc memory_store.c && ./a.out [file]
 *
 * The image of a memory store is a finished file: an array of bytes. Any copy of it, on any
 * machine, is opened with sst_open_memory.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what, int result) {
    fprintf(stderr, "%s: %s\n", what, sst_result_text(result));
    return 1;
}

static int save(const char *path) {
    sst_store *store = NULL;
    sst_stream *level = NULL;
    sst_stream_desc desc = {0};
    const void *bytes = NULL;
    size_t size = 0, written = 0;
    FILE *file;
    int i, result = sst_create(NULL, NULL, &store);
    desc.name = "level";
    desc.type = SST_I32;
    desc.time_unit = SST_MILLISECONDS;
    if (result == SST_OK) result = sst_set_meta(store, "site", "tank 7", 6);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &level);
    for (i = 0; i < 10000 && result == SST_OK; i++) {
        result = sst_append_i32(level, i * 20, 500 + i % 100);
    }
    if (result == SST_OK) result = sst_image(store, &bytes, &size);
    file = result == SST_OK ? fopen(path, "wb") : NULL;
    if (file != NULL) {
        written = fwrite(bytes, 1, size, file);
        if (fclose(file) != 0) written = 0;
    }
    sst_close(store);
    if (result != SST_OK) return failed("recording", result);
    printf("saved %lu rows\n", (unsigned long)i);
    return size > 0 && written == size ? 0 : failed(path, SST_ERR_IO);
}

static int load(const char *path) {
    static uint64_t memory[128 * 1024];             /* 1 MiB, aligned */
    sst_store *store = NULL;
    sst_stream *level = NULL;
    sst_view view;
    const void *site = NULL;
    size_t size;
    int result;
    FILE *file = fopen(path, "rb");
    if (file == NULL) return failed(path, SST_ERR_NOT_FOUND);
    size = fread(memory, 1, sizeof memory, file);
    fclose(file);
    result = sst_open_memory(memory, size, NULL, &store);
    if (result == SST_OK) result = sst_get_meta(store, "site", &site, NULL);
    if (result == SST_OK) result = sst_stream_open(store, "level", &level);
    if (result == SST_OK) result = sst_window(level, 100000, 100100, &view);
    if (result == SST_OK) {
        printf("%s, %lu rows, %d of them between 100.0 s and 100.1 s, the first is %d\n",
               (const char *)site, (unsigned long)sst_rows(level), (int)view.count,
               (int)((const int32_t *)view.values)[0]);
    }
    sst_close(store);
    return result == SST_OK ? 0 : failed("reading", result);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "memory_store.sstore";
    int status = save(path);
    if (status == 0) status = load(path);
    if (argc <= 1) remove(path);
    return status;
}
