/* live_reader.c - a recorder and a live reader, two processes on one file.
 *
 *     cc live_reader.c && ./a.out
 *
 * The reader follows the file with sst_refresh: it takes no lock, writes nothing, and sees rows
 * that are still in the recorder's tail. It looks every 2 ms and prints the rate and the delay.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>
#include <sys/wait.h>

enum { ROWS = 1000 };
static const char path[] = "live_reader.sstore";

static int64_t now(void) {                          /* the same clock in both processes */
    return sst_io_default()->now_ns(sst_io_default()->user, SST_CLOCK_MONOTONIC);
}

static int record(void) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store = NULL;
    sst_stream *counter;
    int i, result;
    options.flags = SST_REPLACE;
    desc.name = "counter";
    desc.type = SST_I32;
    result = sst_create(path, &options, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &counter);
    for (i = 0; i < ROWS && result == SST_OK; i++, usleep(1000)) {
        result = sst_append_i32(counter, now(), i);
    }
    return sst_close(store) == SST_OK ? result : SST_ERR_IO;
}

/* Reads on until the recorder has closed the file. *seen: rows so far, all of them right. */
static int follow(sst_store *store, uint64_t *seen) {
    sst_stream *counter = NULL;
    sst_info info = {0};
    int64_t since = now(), delay = 0;
    uint64_t i, before = 0;
    int result;
    do {
        sst_view view = {0};
        usleep(2000);
        result = sst_refresh(store);
        if (result == SST_OK) result = sst_store_info(store, &info);
        if (counter == NULL && info.streams != 0) sst_stream_open(store, "counter", &counter);
        if (counter == NULL || result != SST_OK) continue;
        result = sst_slice(counter, *seen, UINT64_MAX, &view);
        for (i = 0; i < view.count && result == SST_OK; i++, ++*seen) {
            if (now() - view.times[i] > delay) delay = now() - view.times[i];
            if (((const int32_t *)view.values)[i] != (int32_t)*seen) result = SST_ERR_CORRUPT;
        }
        if (now() - since < 200000000) continue;
        printf("%5.0f rows/s, seen within %.2f ms\n",
               (double)(*seen - before) * 1e9 / (double)(now() - since), (double)delay / 1e6);
        before = *seen;
        since = now();
        delay = 0;
    } while (result == SST_OK && info.state == SST_RECORDING);
    return result == SST_OK && info.state != SST_FINISHED ? SST_ERR_STATE : result;
}

int main(void) {
    sst_store *store = NULL;
    uint64_t seen = 0;
    int result, tries = 0, status = 1;
    remove(path);
    if (fork() == 0) _exit(record() == SST_OK ? 0 : 1);     /* before anything is opened */
    while ((result = sst_open(path, NULL, &store)) != SST_OK && tries++ < 5000) usleep(1000);
    if (result == SST_OK) result = follow(store, &seen);
    printf("%d rows: %s\n", (int)seen, result == SST_OK ? "closed" : sst_result_text(result));
    sst_close(store);
    wait(&status);
    remove(path);
    return result == SST_OK && status == 0 && seen == ROWS ? 0 : 1;
}
