/* arena.c - a recorder that lives in memory of the caller, without malloc.
 *
 *     cc arena.c && ./a.out
 *
 * For firmware and for programs that allocate once. STREAMSTORE_NO_MALLOC leaves no call of
 * malloc in the library; where there is no operating system either, add STREAMSTORE_NO_OS and
 * give a seed, since a store's identity then has no other source of randomness.
 */
#define STREAMSTORE_IMPLEMENTATION
#define STREAMSTORE_NO_MALLOC
#include "../streamstore.h"

#include <stdio.h>

static uint64_t memory[32 * 1024];                  /* 256 KiB for everything */

/* Goes on until the stream has so many rows, or appending fails. */
static int record(sst_stream *adc, uint64_t rows) {
    int result = SST_OK;
    while (result == SST_OK && sst_rows(adc) < rows) {
        uint64_t n = sst_rows(adc);
        uint16_t sample[4];
        sample[0] = (uint16_t)n;
        sample[1] = (uint16_t)(n * 3);
        sample[2] = (uint16_t)(n * 5);
        sample[3] = (uint16_t)(n * 7);
        result = sst_append(adc, (int64_t)n, sample);
    }
    return result;
}

int main(void) {
    sst_arena arena = {0};
    sst_allocator allocator;
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store = NULL;
    sst_stream *adc = NULL;
    sst_view view;
    size_t bound;
    int result;

    arena.memory = memory;
    arena.size = sizeof memory;
    allocator = sst_arena_allocator(&arena);
    options.allocator = &allocator;
    options.block_bytes = 4096;
    options.seed = 12345;                           /* a device would use its serial number */
    desc.name = "adc";
    desc.type = SST_U16;
    desc.shape[0] = 4;
    desc.time_unit = SST_TICKS;

    bound = sst_memory_bound(&options, &desc, 1);
    printf("before the first block at most %lu bytes\n", (unsigned long)bound);
    if (bound == 0 || bound > sizeof memory) return 1;

    result = sst_create(NULL, &options, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &adc);
    if (result == SST_OK) result = record(adc, 1000);
    if (result == SST_OK) result = sst_at(adc, 100, &view);
    if (result == SST_OK) {
        const uint16_t *v = (const uint16_t *)view.values;
        printf("row 100: %u %u %u %u\n", v[0], v[1], v[2], v[3]);
        result = record(adc, UINT64_MAX);           /* until the memory is full */
        printf("%s after %lu rows, %lu of %lu bytes used\n", sst_result_name(result),
               (unsigned long)sst_rows(adc), (unsigned long)arena.used,
               (unsigned long)arena.size);
        if (result == SST_ERR_MEMORY) result = SST_OK;          /* nothing is lost by it */
    }
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    sst_close(store);
    return result == SST_OK ? 0 : 1;
}
