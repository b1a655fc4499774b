/* black_box.c - a simulator keeps its last two seconds in memory, and writes them to a file when
 * something goes wrong.
 *
 *     cc black_box.c && ./a.out
 *
 * Streams of a memory store can keep their newest rows only: those of a time, or so many. Memory is
 * bounded however long it runs, and rows keep their numbers. sst_save makes a file of what is there.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

typedef struct state {
    double height, speed;
} state;

static const sst_field state_fields[2] = {
    {"height", SST_F64, {0}, 0, offsetof(state, height)},
    {"speed", SST_F64, {0}, 0, offsetof(state, speed)}
};

/* A ball that falls, and bounces: a step of a millisecond. */
static void step(state *s) {
    s->speed -= 9.81 * 0.001;
    s->height += s->speed * 0.001;
    if (s->height < 0) {
        s->height = 0;
        s->speed *= -0.999;
    }
}

static int read_back(const char *path) {
    sst_store *file;
    sst_stream *ball;
    sst_view view;
    if (sst_open(path, NULL, &file) != SST_OK) return 1;
    if (sst_stream_open(file, "ball", &ball) != SST_OK ||
        sst_window(ball, INT64_MIN, INT64_MAX, &view) != SST_OK || view.count == 0) return 1;
    printf("the file: %d rows, from %d ms to %d ms, in flight at %.3f m\n", (int)view.count,
           (int)view.times[0], (int)view.times[view.count - 1],
           ((const double *)view.columns[0].values)[view.count - 1]);
    return sst_close(file) == SST_OK && view.count == 2001 ? 0 : 1;
}

int main(void) {
    static const char path[] = "black_box.sstore";
    state s = {10.0, 0.0};
    sst_options replace = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *ball;
    int64_t ms;
    int result;
    replace.flags = SST_REPLACE;
    desc.name = "ball";
    desc.fields = state_fields;
    desc.field_count = 2;
    desc.time_unit = SST_MILLISECONDS;
    desc.retain_time = 2000;                        /* the last two seconds, a block more at most */
    desc.block_bytes = 4096;
    if (sst_create(NULL, NULL, &store) != SST_OK ||
        sst_stream_create(store, &desc, &ball) != SST_OK) return 1;
    for (ms = 0; ms < 600000; ms++) {               /* ten minutes */
        step(&s);
        if (sst_append(ball, ms, &s) != SST_OK) return 1;
    }
    printf("rows %d, of which those from %d on are kept\n", (int)sst_rows(ball),
           (int)sst_first_row(ball));
    result = sst_save(store, path, ms - 2001, ms, &replace);        /* "it crashed" */
    if (result == SST_OK) result = read_back(path);
    sst_close(store);
    remove(path);
    return result;
}
