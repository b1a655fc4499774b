/* read_back.c - see record_only.c. */
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"

#include <stdio.h>

#include "record_only.h"

static int line_of_failure;
#define EXPECT(condition) \
    do { \
        if (!(condition) && line_of_failure == 0) { \
            line_of_failure = __LINE__; \
            printf("read_back.c:%d: failed: %s\n", __LINE__, #condition); \
        } \
    } while (0)

/* The rows of one stream: those that are there are right, and the first ones. */
static void check_stream(sst_store *store, uint32_t i, uint64_t least, uint64_t most) {
    const char *name = sst_stream_name(store, i);
    sst_stream *stream;
    sst_view view;
    uint64_t row, n;
    uint32_t k;
    EXPECT(name != NULL && name[0] == (char)('a' + i));
    if (name == NULL || sst_stream_open(store, name, &stream) != SST_OK) {
        EXPECT(least == 0);
        return;
    }
    n = sst_rows(stream);
    EXPECT(n >= least && n <= most);
    for (row = 0; row < n && line_of_failure == 0; row += view.count) {
        uint64_t at;
        EXPECT(sst_slice(stream, row, 1000, &view) == SST_OK && view.count != 0);
        for (at = 0; at < view.count && line_of_failure == 0; at++) {
            EXPECT(view.times[at] == record_time(i, row + at));
            for (k = 0; k < RECORD_ITEMS; k++) {
                EXPECT(((const uint32_t *)view.values)[at * RECORD_ITEMS + k] ==
                       record_value(i, row + at, k));
            }
        }
    }
    if (n != 0) {
        EXPECT(sst_at(stream, record_time(i, n / 2), &view) == SST_OK && view.first_row == n / 2);
    }
}

/* Records and reads; returns the memory that it took, or 0 where that was not enough. */
static size_t round_trip(record_job job, record_disk *disk, bool full) {
    uint64_t rows[RECORD_STREAMS] = {0};
    size_t peak = 0;
    sst_store *store;
    sst_info info;
    uint32_t i;
    int result;
    disk->size = 0;
    result = record(&job, disk, rows, &peak);
    if (result == SST_ERR_MEMORY) return 0;
    EXPECT(result == (full ? SST_ERR_FULL : SST_OK));
    EXPECT(sst_open_memory(disk->bytes, disk->size, NULL, &store) == SST_OK);
    if (line_of_failure != 0) return peak;
    EXPECT(sst_store_info(store, &info) == SST_OK);
    EXPECT(info.state == (full ? SST_CRASHED : SST_FINISHED));
    EXPECT(full || store->indexed);
    EXPECT(sst_verify(store, NULL) == SST_OK);
    for (i = 0; i < job.streams; i++) check_stream(store, i, full ? 0 : rows[i], rows[i]);
    EXPECT(sst_close(store) == SST_OK);
    return peak;
}

int main(void) {
    static uint64_t memory[8192];
    static uint8_t bytes[4000000];
    record_disk disk = {bytes, sizeof bytes, 0};
    record_job job = {memory, sizeof memory, 512, 1, 0, 300};
    size_t few, many, least;
    /* memory does not depend on how much is recorded */
    few = round_trip(job, &disk, false);
    job.turns = 60000;
    many = round_trip(job, &disk, false);
    EXPECT(few != 0 && many == few);
    job.sync_every = 100;
    EXPECT(round_trip(job, &disk, false) == many);
    /* several streams, whose blocks are gathered */
    for (job.streams = 2; job.streams <= RECORD_STREAMS; job.streams++) {
        job.turns = 1000;
        few = round_trip(job, &disk, false);
        job.turns = 10000;
        many = round_trip(job, &disk, false);
        EXPECT(few != 0 && many == few);
    }
    /* larger blocks, of which an INDEX has more */
    for (job.block_bytes = 700; job.block_bytes < 9000; job.block_bytes *= 3) {
        job.streams = 2;
        EXPECT(round_trip(job, &disk, false) != 0);
    }
    /* any amount of memory: enough, or SST_ERR_MEMORY */
    job.block_bytes = 512;
    job.streams = 2;
    job.turns = 3000;
    for (least = 0, job.memory_bytes = 1024; job.memory_bytes < 16384; job.memory_bytes += 64) {
        size_t took = round_trip(job, &disk, false);
        EXPECT(took <= job.memory_bytes);
        EXPECT(took != 0 || least == 0);
        if (took != 0 && least == 0) least = job.memory_bytes;
    }
    EXPECT(least > 2048);
    job.memory_bytes = sizeof memory;
    /* a disk that is full somewhere */
    for (disk.capacity = 3000; disk.capacity < 60000; disk.capacity += 1511) {
        (void)round_trip(job, &disk, true);
    }
    return line_of_failure != 0;
}
