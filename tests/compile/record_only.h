/* record_only.h - what record_only.c and read_back.c agree on. */
#include <stddef.h>
#include <stdint.h>

enum { RECORD_STREAMS = 4, RECORD_ITEMS = 3 };

typedef struct record_disk {
    uint8_t *bytes;
    size_t capacity, size;
} record_disk;

typedef struct record_job {
    void *memory;
    size_t memory_bytes;
    uint32_t block_bytes, streams, sync_every;
    uint64_t turns;
} record_job;

static int64_t record_time(uint32_t stream, uint64_t row) {
    return (int64_t)(row * 10) - 70 * (int64_t)stream;
}

static uint32_t record_value(uint32_t stream, uint64_t row, uint32_t item) {
    return (uint32_t)row * 2654435761u + stream * 7 + item;
}

int record(const record_job *job, record_disk *disk, uint64_t *rows, size_t *peak);
