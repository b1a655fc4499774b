/* threads.c - four threads record a stream each, one more thread polls.
 *
 *     cc threads.c -pthread && ./a.out
 *
 * Each thread appends to a stream of its own, and rows that fit the tail go in without a lock.
 * The polling thread writes full halves of tails to the file, and syncs it every 50 ms, so that
 * appending seldom has to. (With SST_DEFERRED it never does, and can be SST_ERR_BUSY.)
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, ROWS = 100000 };

static sst_store *store;
static int failed, stop;                            /* atomic */

static void check(bool right) {
    if (!right) __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
}

static void *record(void *argument) {
    const char *name = (const char *)argument;
    sst_stream_desc desc = {0};
    sst_stream *stream = NULL;
    int32_t i, value[3];
    desc.name = name;
    desc.type = SST_I32;
    desc.shape[0] = 3;
    check(sst_stream_create(store, &desc, &stream) == SST_OK);
    for (i = 0; i < ROWS; i++) {
        value[0] = name[0];
        value[1] = i;
        value[2] = -i;
        check(sst_append(stream, i, value) == SST_OK);
    }
    sst_stream_close(stream);
    return NULL;
}

static void *poll_store(void *argument) {
    for (; __atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0; usleep(1000)) {
        check(sst_poll(store) == SST_OK);
    }
    return argument;
}

int main(void) {
    static const char path[] = "threads.sstore";
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS], poller;
    sst_options options = {0};
    int i;
    options.flags = SST_REPLACE;
    options.sync_interval_ms = 50;
    if (sst_create(path, &options, &store) != SST_OK) return 1;
    if (pthread_create(&poller, NULL, poll_store, NULL) != 0) return 1;
    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, record, names[i]) != 0) return 1;
    }
    for (i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    pthread_join(poller, NULL);
    check(sst_close(store) == SST_OK);              /* alone: no other thread is in a call */

    if (sst_open(path, NULL, &store) != SST_OK) return 1;
    for (i = 0; i < THREADS; i++) {
        sst_stream *stream = NULL;
        sst_view view = {0};
        check(sst_stream_open(store, names[i], &stream) == SST_OK && sst_rows(stream) == ROWS);
        check(sst_at(stream, 777, &view) == SST_OK && ((const int32_t *)view.values)[2] == -777);
        printf("stream %s: %d rows\n", names[i], (int)sst_rows(stream));
    }
    sst_close(store);
    remove(path);
    return failed;
}
