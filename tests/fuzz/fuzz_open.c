/* fuzz_open.c - opens arbitrary bytes as an image and walks everything in it.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined fuzz_open.c -o fuzz_open
 *     ./fuzz_open corpus/                     (seeds: fuzz_seeds corpus)
 *
 * fuzz.h has the other ways to compile it. */
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_INDEX_BLOCKS 4
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 1u
#include "../../streamstore.h"

#include "fuzz.h"

static void open_and_walk(const uint8_t *data, size_t size, uint32_t flags) {
    fuzz_memory memory;
    sst_allocator allocator = fuzz_allocator(&memory, 64 * size + (16u << 20));
    walk_bytes(data, size, flags, &allocator);
    WALK(memory.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy;
    if (size > FUZZ_BYTES_MAX) return 0;
    copy = (uint8_t *)calloc(1, size + 3);
    if (copy == NULL) return 0;
    if (size > 0) memcpy(copy, data, size);
    open_and_walk(copy, size, 0);
    open_and_walk(copy, size, SST_VERIFY);
    if (size > 0) memmove(copy + 3, data, size);    /* where nothing is aligned, to the last byte */
    open_and_walk(copy + 3, size, SST_TRUST);
    free(copy);
    return 0;
}

static size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    uint64_t how = fuzz_below(state, 10);
    if (how > 2) return fuzz_store(data, size, max_size, state);
    size = LLVMFuzzerMutate(data, size, max_size);
    if (how != 0) mend_all(data, size);
    return size;
}
