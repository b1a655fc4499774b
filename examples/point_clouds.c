/* point_clouds.c - records point clouds, each with its own number of points, and looks at a window.
 *
 *     cc point_clouds.c -lm && ./a.out
 *
 * The stream is ragged: a row is any number of items of the shape, here float[3]. Row i of a view
 * has the items from offsets[i] up to offsets[i + 1], not included. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <math.h>
#include <stdio.h>

enum { SCANS = 200, MOST = 400, scan_ns = 100000000 };      /* ten a second */
static const char path[] = "point_clouds.sstore";

/* What a lidar sees that turns in a room: more points where walls are far. Returns how many. */
static size_t scan(int number, float (*points)[3]) {
    size_t n = 100 + (size_t)(number * 37 % (MOST - 100)), i;
    for (i = 0; i < n; i++) {
        double angle = 6.283185307179586 * (double)i / (double)n;
        double distance = 4 + cos(2 * angle) + 0.01 * number;
        points[i][0] = (float)(distance * cos(angle));
        points[i][1] = (float)(distance * sin(angle));
        points[i][2] = (float)(0.1 * number);
    }
    return n;
}

static int record(void) {
    float points[MOST][3];
    sst_stream_desc desc = {0};
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    int i, result;
    desc.name = "lidar";
    desc.type = SST_F32;
    desc.shape[0] = 3;
    desc.flags = SST_RAGGED;
    result = sst_create(path, NULL, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &stream);
    for (i = 0; i < SCANS && result == SST_OK; i++) {
        size_t n = scan(i, points);
        result = sst_append_n(stream, (int64_t)i * scan_ns, points, n);
    }
    if (sst_close(store) != SST_OK && result == SST_OK) result = SST_ERR_IO;
    return result;
}

/* The scans of an interval: how many points each has, and how far the farthest is. */
static int look(sst_stream *stream, int64_t start, int64_t end) {
    sst_view view;
    uint64_t i;
    int result = sst_window(stream, start, end, &view);
    for (i = 0; result == SST_OK && i < view.count; i++) {
        const float *points = (const float *)view.values;
        uint32_t k;
        double most = 0;
        for (k = view.offsets[i]; k < view.offsets[i + 1]; k++) {
            double x = (double)points[3 * k], y = (double)points[3 * k + 1];
            if (x * x + y * y > most) most = x * x + y * y;
        }
        printf("%4.1f s: %u points, the farthest %.2f m away\n", (double)view.times[i] * 1e-9,
               (unsigned)(view.offsets[i + 1] - view.offsets[i]), sqrt(most));
    }
    return result;
}

int main(void) {
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    int result = record();
    if (result == SST_OK) result = sst_open(path, NULL, &store);
    if (result == SST_OK) result = sst_stream_open(store, "lidar", &stream);
    if (result == SST_OK) result = look(stream, 10000000000, 10500000000);
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    sst_close(store);
    remove(path);
    return result == SST_OK ? 0 : 1;
}
