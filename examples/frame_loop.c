/* frame_loop.c - records in a 60 Hz loop in which appending must not wait for the disk.
 *
 *     cc frame_loop.c && ./a.out
 *
 * With SST_DEFERRED sst_append does no I/O: it stores rows in memory that is there already. Full
 * halves of tails go to the file in sst_poll, at the end of the frame. When both halves of a
 * stream are full append is SST_ERR_BUSY and adds nothing. A half starts with 16 KiB of rows and
 * doubles, each time it was full, up to options.block_bytes.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

enum { FRAMES = 60, BODIES = 200 };                 /* one second */
static const int64_t frame_ns = 1000000000 / 60;

static int64_t now(void) {
    return sst_io_default()->now_ns(sst_io_default()->user, SST_CLOCK_MONOTONIC);
}

/* One frame: a row per body. Times of a stream increase, so each body is a nanosecond later. */
static int frame(sst_stream *poses, int number, int64_t *worst) {
    int i, result = SST_OK;
    for (i = 0; i < BODIES && result == SST_OK; i++) {
        float pose[7] = {0, 0, 0, 0, 0, 0, 1};
        int64_t before, took;
        pose[0] = (float)i;
        pose[1] = (float)number;
        before = now();
        result = sst_append(poses, number * frame_ns + i, pose);
        took = now() - before;                      /* with a call of the clock in it */
        if (took > *worst) *worst = took;
    }
    return result;
}

int main(void) {
    static const char path[] = "frame_loop.sstore";
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store = NULL;
    sst_stream *poses = NULL;
    sst_view view = {0};
    int64_t start = now(), worst = 0, worst_poll = 0;
    int number, result;
    options.flags = SST_REPLACE | SST_DEFERRED;
    desc.name = "poses";
    desc.type = SST_F32;
    desc.shape[0] = 7;                              /* a position and a quaternion */
    result = sst_create(path, &options, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &poses);
    for (number = 0; number < FRAMES && result == SST_OK; number++) {
        int64_t before, left;
        result = frame(poses, number, &worst);      /* SST_ERR_BUSY: poll more often */
        before = now();
        if (result == SST_OK) result = sst_poll(store);
        if (now() - before > worst_poll) worst_poll = now() - before;
        left = start + (number + 1) * frame_ns - now();
        if (left > 0) usleep((useconds_t)(left / 1000));
    }
    printf("%d rows in %d frames: worst append %ld ns, worst poll %ld ns\n", (int)sst_rows(poses),
           number, (long)worst, (long)worst_poll);

    if (result == SST_OK) {                         /* frame 30 is a window */
        result = sst_window_ex(poses, 30 * frame_ns, 31 * frame_ns, SST_HALF_OPEN, &view);
    }
    printf("frame 30: %d bodies\n", (int)view.count);
    if (result == SST_OK && view.count != BODIES) result = SST_ERR_NOT_FOUND;
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    if (sst_close(store) != SST_OK) result = SST_ERR_IO;
    remove(path);
    return result == SST_OK ? 0 : 1;
}
