/* car_can.c - the CAN bus of a car as a tagged ragged stream, replayed with its accelerometer.
 *
 *     cc car_can.c && ./a.out [folder]
 *
 * A frame's address is the row's tag, its payload the row's bytes; frames may have equal times. The
 * folder, ../shared/data, has recordings of comma2k19; without them it makes some frames. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

enum { MOST = 20000, SOME = 300 };
/* Numbers of a .npy file (NumPy's format, version 1), 8 bytes each. Returns how many it has. */
static size_t load(const char *folder, const char *name, long first, void *numbers, size_t most) {
    uint8_t head[10];
    char path[500];
    FILE *f;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/car_%s.npy", folder, name);
    f = fopen(path, "rb");
    if (f == NULL) return 0;
    if (fread(head, 1, 10, f) == 10 &&
        fseek(f, 10 + head[8] + 256 * head[9] + 8 * first, SEEK_SET) == 0 &&
        fread(numbers, 8, most, f) == most && fseek(f, 0, SEEK_END) == 0) {
        n = (size_t)(ftell(f) - 10 - head[8] - 256 * head[9]) / 8;
    }
    fclose(f);
    return n;
}

static int record(sst_stream *can, sst_stream *force, const char *folder) {
    static double t[MOST], x[SOME], y[SOME], z[SOME];
    static uint64_t address[MOST], data[MOST];
    size_t i, n = SOME, rows = load(folder, "accelerometer_t", 0, t, SOME);
    bool there = rows != 0 && load(folder, "accelerometer_value", 0, x, SOME) &&
                 load(folder, "accelerometer_value", (long)rows, y, SOME) &&
                 load(folder, "accelerometer_value", 2 * (long)rows, z, SOME);
    int result = SST_OK;
    for (i = 0; i < SOME && result == SST_OK; i++) {
        double xyz[3] = {x[i], y[i], there ? z[i] : 9.81};      /* the file has them by columns */
        result = sst_append(force, (int64_t)((there ? t[i] : 0.01 * (double)i) * 1e9), xyz);
    }
    if (load(folder, "can_t", 0, t, MOST) && load(folder, "can_data", 0, data, MOST) &&
        load(folder, "can_address", 0, address, MOST)) n = MOST;
    for (i = 0; i < n && result == SST_OK; i++) {
        sst_row row = {0};
        if (!there) data[i] = address[i] = i % 3 + 1;
        row.time = (int64_t)((there ? t[i] : 0.001 * (double)i) * 1e9);
        row.tag = (uint32_t)address[i];
        row.value = &data[i];
        for (row.count = 8; row.count != 0 && data[i] >> (8 * row.count - 8) == 0;) row.count--;
        result = sst_append_row(can, &row);
    }
    return result;
}

int main(int count, char **arguments) {
    sst_stream_desc frames = {0}, force = {0};
    sst_stream *streams[2];
    sst_store *store;
    sst_replay *replay;
    size_t which, shown;
    sst_view row;
    frames.name = "can";
    frames.type = SST_BYTES;
    frames.flags = SST_TAGGED | SST_EQUAL_TIMES;
    force.name = "accelerometer";
    force.type = SST_F64, force.shape[0] = 3;
    if (sst_create(NULL, NULL, &store) || sst_stream_create(store, &frames, &streams[0]) ||
        sst_stream_create(store, &force, &streams[1]) ||
        record(streams[0], streams[1], count > 1 ? arguments[1] : "../shared/data") ||
        sst_replay_open(streams, 2, INT64_MIN, &replay)) return 1;
    for (shown = 0; shown < 40 && sst_replay_next(replay, &which, &row) == SST_OK; shown++) {
        printf("%.6f s: ", (double)row.times[0] * 1e-9);
        if (which == 1) printf("%.3f m/s2 ahead\n", *(const double *)row.values);
        else printf("frame 0x%03X, %u bytes\n", row.tags[0], row.offsets[1] - row.offsets[0]);
    }
    sst_replay_close(replay);
    return sst_close(store) == SST_OK && shown == 40 ? 0 : 1;
}
