/* game_entity.c - records a game entity frame by frame from a C struct, and scrubs through it.
 *
 *     cc game_entity.c && ./a.out
 *
 * A field for each member that is to be kept says where it lies in the struct. In the file it is a
 * column of its own, so a query for the position reads nothing else. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

enum { FRAMES = 600, frame_ns = 1000000000 / 60 };  /* ten seconds */
static const char path[] = "game_entity.sstore";

typedef struct entity {
    float position[3], rotation[4];
    void *target;                                   /* not recorded: no field says where it is */
    int32_t health;
    uint8_t flags;
} entity;

static const sst_field fields[4] = {
    {"position", SST_F32, {3}, 0, offsetof(entity, position)},
    {"rotation", SST_F32, {4}, 0, offsetof(entity, rotation)},
    {"health", SST_I32, {0}, 0, offsetof(entity, health)},
    {"flags", SST_U8, {0}, 0, offsetof(entity, flags)},
};

static int record(void) {
    entity player = {{0, 0, 0}, {0, 0, 0, 1}, NULL, 100, 0};
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    int frame, result;
    options.flags = SST_REPLACE;
    desc.name = "player";
    desc.fields = fields;
    desc.field_count = 4;
    result = sst_create(path, &options, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &stream);
    for (frame = 0; frame < FRAMES && result == SST_OK; frame++) {
        player.position[0] = (float)frame * 0.1f;
        player.health = 100 - frame / 10;
        player.flags = frame % 120 < 10;            /* jumps every two seconds */
        result = sst_append(stream, (int64_t)frame * frame_ns, &player);
    }
    if (sst_close(store) != SST_OK && result == SST_OK) result = SST_ERR_IO;
    return result;
}

/* The state at a time, and the position between two frames. */
static int scrub(sst_stream *stream, int64_t time) {
    double position[3];
    sst_view view;
    int result = sst_sample_field(stream, 0, &time, 1, SST_SAMPLE_LINEAR, position, NULL);
    if (result == SST_OK) result = sst_at(stream, time, &view);
    if (result != SST_OK) return result;
    printf("%.3f s: frame %d, x %.4f (recorded %.1f), health %d%s\n", (double)time * 1e-9,
           (int)view.first_row, position[0], (double)*(const float *)view.columns[0].values,
           (int)*(const int32_t *)view.columns[2].values,
           *(const uint8_t *)view.columns[3].values != 0 ? ", jumping" : "");
    return SST_OK;
}

int main(void) {
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    int64_t time;
    int result = record();
    if (result == SST_OK) result = sst_open(path, NULL, &store);
    if (result == SST_OK) result = sst_stream_open(store, "player", &stream);
    for (time = 25000000; time < 10000000000 && result == SST_OK; time += 2000000000) {
        result = scrub(stream, time);
    }
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    sst_close(store);
    remove(path);
    return result == SST_OK ? 0 : 1;
}
