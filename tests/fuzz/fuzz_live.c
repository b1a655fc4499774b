/* fuzz_live.c - opens a store file and its companion for reading, closed, crashed or being
 * recorded, walks everything in it, changes the files under the reader, refreshes, walks again.
 * Whatever the bytes are: nothing crashes, leaks, hangs, takes memory out of proportion, or
 * changes a file.
 *
 * The input is that of pair.h; fuzz.h says how to compile. */
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_INDEX_BLOCKS 4
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 1u
#define SSTI_TAIL_FIRST_BYTES 256
#include "../../streamstore.h"

#include "../test.h"
#include "../simdisk.h"
#include "fuzz.h"
#include "pair.h"

/* A reader changes nothing, not even for a moment. */
static void disk_unchanged(const sim_disk *disk) {
    WALK(disk->calls[SIM_WRITE] == 0 && disk->calls[SIM_RESIZE] == 0);
    WALK(disk->calls[SIM_REMOVE] == 0 && disk->calls[SIM_RENAME] == 0);
    WALK(disk->calls[SIM_SYNC] == 0 && disk->calls[SIM_RESERVE] == 0);
    WALK(disk->calls[SIM_SYNC_DIR] == 0 && disk->file_count <= 3);
}

static void file_unchanged(sim_disk *disk, const char *name, const uint8_t *bytes,
                           uint64_t size) {
    uint64_t now;
    const uint8_t *content = sim_bytes(disk, name, &now);
    if (content == NULL) return;
    WALK(now == size && memcmp(content, bytes, (size_t)size) == 0);
}

static void lock_file(sim_disk *disk, bool locked) {
    sim_lookup(disk, PAIR_PATH)->locked = locked;
}

/* What somebody else does to the files. */
static void change_files(pair *p, sim_disk *disk) {
    uint64_t state = p->seed, n = 1 + fuzz_below(&state, 3);
    if (p->change == PAIR_CHANGES) {
        for (; n > 0; n--) pair_change(p, &state);
        if (fuzz_below(&state, 2) == 0) mend_live_match(&p->bytes);
    }
    if (p->change == PAIR_REPLACED) {           /* its name goes to another file */
        sim_name_set(disk->names, &disk->name_count, PAIR_PATH "-live", NULL);
        if (fuzz_below(&state, 2) == 0) p->options |= PAIR_ALONE;
    }
    pair_put(p, disk, false);
    if (fuzz_below(&state, 2) == 0) lock_file(disk, (p->options & PAIR_LOCKED) == 0);
}

static void walk_pair(pair *p, sim_disk *disk, const sst_allocator *allocator) {
    sst_error error;
    sst_options options = pair_options(p, disk, allocator, &error);
    sst_store *store;
    int result;
    lock_file(disk, (p->options & PAIR_LOCKED) != 0);
    result = sst_open(PAIR_PATH, &options, &store);
    WALK((result == SST_OK) == (store != NULL) && error.result == result && error.what != NULL);
    if (result == SST_OK) {
        walk_store(store);
        walk_changing = p->change != PAIR_STILL;
        if (p->change != PAIR_STILL) change_files(p, disk);
        if (p->change != PAIR_STILL || p->seed % 4 == 0) {
            result = sst_refresh(store);
            WALK(result <= SST_OK);
            walk_store(store);
        }
        walk_changing = false;
    }
    WALK(sst_close(store) == SST_OK);
    if (result == SST_OK && p->change != PAIR_STILL) {
        file_unchanged(disk, PAIR_PATH, p->bytes.store, p->bytes.store_size);
        if ((p->options & PAIR_ALONE) == 0) {
            file_unchanged(disk, PAIR_PATH "-live", p->bytes.live, p->bytes.live_size);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_memory memory;
    sst_allocator allocator = fuzz_allocator(&memory, 64 * size + (16u << 20));
    sim_disk disk;
    pair p;
    if (!pair_read(data, size, &p)) return 0;
    sim_init(&disk, 1);
    pair_put(&p, &disk, true);
    walk_pair(&p, &disk, &allocator);
    disk_unchanged(&disk);
    WALK(memory.live == 0 && disk.open_handles == 0 && disk.open_maps == 0);
    sim_free(&disk);
    return 0;
}

static size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    return pair_mutate(data, size, max_size, state);
}
