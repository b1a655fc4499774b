/* fuzz.h - what the fuzz targets fuzz_*.c share: bounded memory, numbers from a seed, changes of
 * stores that keep checksums right, and the ways into a target.
 *
 * A target defines LLVMFuzzerTestOneInput and fuzz_mutate. Compiled as it is, it is for clang's
 * libFuzzer and for the driver of AFL++ that takes such targets; with -DFUZZ_AFL, as a shared
 * object, it is the mutator that AFL++ loads (AFL_CUSTOM_MUTATOR_LIBRARY); with -DFUZZ_MAIN it is
 * a plain program that does the same with the files named as arguments.
 *
 * Include streamstore.h with its implementation before. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../mend.h"
#include "../walk.h"

#define FUZZ_BYTES_MAX 65536u       /* larger inputs are not looked at: they only take time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* Changes an input in place, by what the target knows of it. Returns its new size. */
static size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t *state);

/* ---- bounded memory ------------------------------------------------------------------------- */

/* What a store takes may not grow out of proportion to the bytes it was made from. */
typedef struct fuzz_memory {
    size_t live, limit;
} fuzz_memory;

static inline void *fuzz_resize(void *user, void *old, size_t old_size, size_t new_size) {
    fuzz_memory *m = (fuzz_memory *)user;
    void *memory;
    if (new_size == 0) {
        free(old);
        m->live -= old_size;
        return NULL;
    }
    if (new_size > m->limit || m->live - old_size > m->limit - new_size) {
        walk_fail(__FILE__, __LINE__, "memory in proportion to the input");
    }
    memory = realloc(old, new_size);
    if (memory != NULL) m->live += new_size - old_size;
    return memory;
}

static inline sst_allocator fuzz_allocator(fuzz_memory *memory, size_t limit) {
    sst_allocator a;
    memory->live = 0;
    memory->limit = limit;
    a.user = memory;
    a.resize = fuzz_resize;
    return a;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static inline uint64_t fuzz_next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);       /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint64_t fuzz_below(uint64_t *state, uint64_t bound) {
    return bound == 0 ? 0 : fuzz_next(state) % bound;
}

/* A number that breaks things, or one near the old one. */
static inline uint64_t fuzz_number(uint64_t *state, uint64_t old) {
    static const uint64_t numbers[] = {0, 1, 2, 63, 64, 65, 128, 255, 256, 512, 4096, 0xFFFF,
        0x10000, 0x10001, 0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu, 0x100000000u,
        0x7FFFFFFFFFFFFFFFu, 0x8000000000000000u, 0xFFFFFFFFFFFFFFC0u, 0xFFFFFFFFFFFFFFFFu};
    uint64_t kind = fuzz_below(state, 4);
    if (kind == 0) return numbers[fuzz_below(state, sizeof numbers / sizeof numbers[0])];
    if (kind == 1) return old + fuzz_below(state, 5) - 2;
    if (kind == 2) return old + 64 * (fuzz_below(state, 9) - 4);
    return fuzz_next(state) >> fuzz_below(state, 64);
}

/* ---- changes of a store that keep checksums right ------------------------------------------- */

static inline bool fuzz_pick(const uint8_t *data, size_t size, uint64_t *state, mend_record *r) {
    uint64_t offset = 64, n = 0, at;
    while (mend_next(data, size, &offset, r)) n++;
    if (n == 0) return false;
    offset = 64;
    for (at = fuzz_below(state, n); mend_next(data, size, &offset, r); at--) {
        if (at == 0) return true;
    }
    return false;
}

/* A byte of the file header. */
static inline void fuzz_file_header(uint8_t *data, size_t size, uint64_t *state) {
    uint64_t at = 8 + fuzz_below(state, 52);
    if (size < 64) return;
    data[at] = (uint8_t)fuzz_number(state, data[at]);
    mend_file_header(data, size);
}

/* A field of a record header. */
static inline void fuzz_header(uint8_t *data, size_t size, uint64_t *state) {
    static const uint8_t field[10][2] = {{4, 1}, {5, 1}, {12, 4}, {16, 4}, {20, 4}, {24, 8},
                                         {32, 8}, {40, 8}, {48, 8}, {56, 4}};
    uint64_t i = fuzz_below(state, 10), old = 0;
    mend_record r;
    uint8_t *p;
    if (!fuzz_pick(data, size, state, &r)) return;
    p = data + r.offset + field[i][0];
    memcpy(&old, p, field[i][1]);
    mend_put(p, fuzz_number(state, old), field[i][1]);
    mend_header(data, &r);
}

/* Some numbers in a payload; checksums of columns are mended or not. */
static inline void fuzz_payload(uint8_t *data, size_t size, uint64_t *state) {
    uint64_t n = 1 + fuzz_below(state, 3), at, reach;
    mend_record r;
    if (!fuzz_pick(data, size, state, &r) || r.size < 8) return;
    reach = r.type == MEND_BLOCK && fuzz_below(state, 2) == 0 ? mend_directory_bytes(data, &r)
                                                              : r.size;
    for (; n > 0 && reach >= 8; n--) {
        at = r.payload + fuzz_below(state, reach / 4 - 1) * 4;
        if (fuzz_below(state, 4) == 0) {
            at += fuzz_below(state, 4);
            mend_put(data + at, fuzz_number(state, data[at]), 1);
        } else if (fuzz_below(state, 2) == 0) {
            mend_put(data + at, fuzz_number(state, mend_u32(data + at)), 4);
        } else {
            mend_put(data + at, fuzz_number(state, mend_u64(data + at)), 8);
        }
    }
    if (fuzz_below(state, 3) == 0) mend_payload(data, &r);
    else mend_one(data, &r);
}

/* Numbers the records from the first one on. */
static inline void fuzz_renumber(uint8_t *data, size_t size) {
    uint64_t offset = 64;
    uint32_t sequence = 0;
    mend_record r;
    while (mend_next(data, size, &offset, &r)) {
        mend_put(data + r.offset + 12, sequence++, 4);
        if (size >= 16) memcpy(data + r.offset + 8, data + 12, 4);
    }
    mend_all(data, size);
}

/* Takes a record out, or puts another copy of it somewhere. */
static inline size_t fuzz_records(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    static uint8_t record[FUZZ_BYTES_MAX];
    mend_record from, to;
    size_t length;
    if (!fuzz_pick(data, size, state, &from) || !fuzz_pick(data, size, state, &to)) return size;
    length = (size_t)(from.next - from.offset);
    if (fuzz_below(state, 2) == 0) {
        memmove(data + from.offset, data + from.next, size - (size_t)from.next);
        size -= length;
    } else if (length <= sizeof record && length <= max_size - size) {
        memcpy(record, data + from.offset, length);
        memmove(data + to.offset + length, data + to.offset, size - (size_t)to.offset);
        memcpy(data + to.offset, record, length);
        size += length;
    }
    fuzz_renumber(data, size);
    return size;
}

/* One of these changes. */
static inline size_t fuzz_store(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    switch (fuzz_below(state, 8)) {
    case 0: case 1: return fuzz_records(data, size, max_size, state);
    case 2: case 3: case 4: fuzz_header(data, size, state); break;
    case 5: fuzz_file_header(data, size, state); break;
    default: fuzz_payload(data, size, state); break;
    }
    return size;
}

/* ---- the ways in ---------------------------------------------------------------------------- */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    uint64_t state = seed;
    return fuzz_mutate(data, size, max_size, &state);
}

#if defined(FUZZ_MAIN) || defined(FUZZ_AFL)

static uint64_t fuzz_plain_state = 1;

/* libFuzzer has a better one. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) {
    uint64_t *state = &fuzz_plain_state, n = 1 + fuzz_below(state, 4), at;
    if (size == 0 || (size < max_size && fuzz_below(state, 8) == 0)) {
        if (size == max_size) return size;
        at = fuzz_below(state, size + 1);
        memmove(data + at + 1, data + at, size - (size_t)at);
        data[at] = (uint8_t)fuzz_next(state);
        return size + 1;
    }
    if (fuzz_below(state, 8) == 0) {
        at = fuzz_below(state, size);
        memmove(data + at, data + at + 1, size - (size_t)at - 1);
        return size - 1;
    }
    for (; n > 0; n--) {
        at = fuzz_below(state, size);
        if (fuzz_below(state, 2) == 0) data[at] = (uint8_t)fuzz_number(state, data[at]);
        else data[at] = (uint8_t)(data[at] ^ 1u << fuzz_below(state, 8));
    }
    return size;
}

#endif

#if defined(FUZZ_AFL)

typedef struct fuzz_afl {
    uint8_t bytes[FUZZ_BYTES_MAX];
} fuzz_afl;

void *afl_custom_init(void *afl, unsigned int seed);
size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max_size);
void afl_custom_deinit(void *data);

void *afl_custom_init(void *afl, unsigned int seed) {
    (void)afl;
    fuzz_plain_state = seed;
    return calloc(1, sizeof(fuzz_afl));
}

size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max_size) {
    fuzz_afl *m = (fuzz_afl *)data;
    (void)other;
    (void)other_size;
    if (max_size > sizeof m->bytes) max_size = sizeof m->bytes;
    if (size > max_size) size = max_size;
    memcpy(m->bytes, bytes, size);
    *out = m->bytes;
    return fuzz_mutate(m->bytes, size, max_size, &fuzz_plain_state);
}

void afl_custom_deinit(void *data) { free(data); }

#endif

#if defined(FUZZ_MAIN)

static int fuzz_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = (uint8_t *)malloc(FUZZ_BYTES_MAX + 1);
    size_t size = 0;
    if (file == NULL || bytes == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
    } else {
        size = fread(bytes, 1, FUZZ_BYTES_MAX + 1, file);
        LLVMFuzzerTestOneInput(bytes, size);
    }
    if (file != NULL) fclose(file);
    free(bytes);
    return file == NULL;
}

int main(int count, char **arguments) {
    int i, failed = 0;
    for (i = 1; i < count; i++) failed |= fuzz_file(arguments[i]);
    printf("%d files\n", count - 1);
    return failed;
}

#endif

#endif
