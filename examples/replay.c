/* replay.c - three sensors of different rates in one file, replayed in the order of time.
 *
 *     cc replay.c && ./a.out
 *
 * The replay gives the rows of all three as they happened, from any moment on, and goes back as
 * well. A snapshot is the state at one moment: the last row of each.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

#define MS ((int64_t)1000000)
static const char *const names[3] = {"height", "battery", "beacon"};
static const int every[3] = {100, 1000, 230};      /* ms from one row to the next */

static int record(const char *path) {
    sst_store *store = NULL;
    sst_stream *streams[3] = {NULL, NULL, NULL};
    sst_stream_desc desc = {0};
    sst_options options = {0};
    int i, t, closed, result;
    options.flags = SST_REPLACE;
    result = sst_create(path, &options, &store);
    desc.type = SST_F64;
    for (i = 0; i < 3 && result == SST_OK; i++) {
        desc.name = names[i];
        result = sst_stream_create(store, &desc, &streams[i]);
    }
    for (t = 0; t < 3000 && result == SST_OK; t += 10) {
        for (i = 0; i < 3 && result == SST_OK; i++) {
            if (t % every[i] == 0) result = sst_append_f64(streams[i], t * MS, t * 0.5);
        }
    }
    closed = sst_close(store);
    return result != SST_OK ? result : closed;
}

static void print(size_t stream, const sst_view *row) {
    printf("%5d ms  %-8s %g\n", (int)(row->times[0] / MS), names[stream],
           *(const double *)row->values);
}

static int play(sst_stream *const *streams) {
    sst_replay *replay;
    sst_view row, state[3];
    size_t stream, i;
    int result = sst_replay_open(streams, 3, 950 * MS, &replay);
    printf("from 950 ms to 1500 ms:\n");
    while (result == SST_OK) {
        result = sst_replay_next(replay, &stream, &row);
        if (result != SST_OK || row.times[0] > 1500 * MS) break;
        print(stream, &row);
    }
    printf("the last three rows, backwards:\n");
    if (result == SST_OK) result = sst_replay_seek(replay, INT64_MAX);
    for (i = 0; i < 3 && result == SST_OK; i++) {
        result = sst_replay_prev(replay, &stream, &row);
        if (result == SST_OK) print(stream, &row);
    }
    sst_replay_close(replay);
    printf("the state at 1250 ms:\n");
    if (result == SST_OK) result = sst_snapshot(streams, 3, 1250 * MS, state);
    for (i = 0; i < 3 && result == SST_OK; i++) print(i, &state[i]);
    return result;
}

int main(void) {
    sst_store *store = NULL;
    sst_stream *streams[3] = {NULL, NULL, NULL};
    int i, result = record("replay.sstore");
    if (result == SST_OK) result = sst_open("replay.sstore", NULL, &store);
    for (i = 0; i < 3 && result == SST_OK; i++) {
        result = sst_stream_open(store, names[i], &streams[i]);
    }
    if (result == SST_OK) result = play(streams);
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    sst_close(store);
    return result == SST_OK ? 0 : 1;
}
