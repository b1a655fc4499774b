/* pair.h - an input that is a store file, its companion, and what happens to them while somebody
 * looks: how it is cut into these parts, put on a simulated disk, and mutated.
 *
 *     0     1   options: PAIR_*
 *     1     1   what changes meanwhile: PAIR_STILL, ...
 *     4     4   bytes of the store; what follows them is the companion
 *     8     4   bytes of the store at first
 *     12    4   bytes of the companion at first
 *     16    8   seed of what else is left to chance
 *     32    .   the store, the companion
 *
 * Include streamstore.h with its implementation, ../test.h, ../simdisk.h, fuzz.h before. */
#ifndef PAIR_H
#define PAIR_H

#include "../mend_live.h"

#define PAIR_HEAD 32u
#define PAIR_STREAMS 8u             /* whose halves are changed and mended */
#define PAIR_PATH "a"

enum {                              /* options */
    PAIR_NO_MAP = 1, PAIR_VERIFY = 2, PAIR_TRUST = 4, PAIR_ALONE = 8, PAIR_LOCKED = 16,
    PAIR_NO_LIVE = 32, PAIR_NO_SYNC = 64
};

enum { PAIR_STILL, PAIR_GROWS, PAIR_CHANGES, PAIR_REPLACED, PAIR_CHANGE_KINDS };

typedef struct pair {
    uint8_t options, change;
    uint64_t seed;
    uint64_t store_first, live_first;
    mend_pair bytes;
} pair;

static uint8_t pair_buffer[2 * FUZZ_BYTES_MAX];

/* Cuts an input into its parts, which lie in pair_buffer; false: too short or too long. */
static inline bool pair_read(const uint8_t *data, size_t size, pair *p) {
    uint64_t rest = size - PAIR_HEAD;
    if (size < PAIR_HEAD || size > FUZZ_BYTES_MAX) return false;
    p->options = data[0];
    p->change = data[1] % PAIR_CHANGE_KINDS;
    p->seed = mend_u64(data + 16);
    p->bytes.store_size = mend_u32(data + 4);
    if (p->bytes.store_size > rest) p->bytes.store_size = rest;
    p->bytes.live_size = rest - p->bytes.store_size;
    p->store_first = mend_u32(data + 8);
    if (p->store_first > p->bytes.store_size) p->store_first = p->bytes.store_size;
    p->live_first = mend_u32(data + 12);
    if (p->live_first > p->bytes.live_size) p->live_first = p->bytes.live_size;
    p->bytes.store = pair_buffer;
    p->bytes.live = pair_buffer + FUZZ_BYTES_MAX;
    memcpy(p->bytes.store, data + PAIR_HEAD, (size_t)p->bytes.store_size);
    memcpy(p->bytes.live, data + PAIR_HEAD + p->bytes.store_size, (size_t)p->bytes.live_size);
    return true;
}

/* The other way; what does not fit is dropped. Returns the size. */
static inline size_t pair_write(const pair *p, uint8_t *data, size_t max_size) {
    uint64_t store = p->bytes.store_size, live = p->bytes.live_size;
    if (max_size < PAIR_HEAD) return 0;
    if (store > max_size - PAIR_HEAD) store = max_size - PAIR_HEAD;
    if (live > max_size - PAIR_HEAD - store) live = max_size - PAIR_HEAD - store;
    memset(data, 0, PAIR_HEAD);
    data[0] = p->options;
    data[1] = p->change;
    mend_put(data + 4, store, 4);
    mend_put(data + 8, p->store_first, 4);
    mend_put(data + 12, p->live_first, 4);
    mend_put(data + 16, p->seed, 8);
    memcpy(data + PAIR_HEAD, p->bytes.store, (size_t)store);
    memcpy(data + PAIR_HEAD + store, p->bytes.live, (size_t)live);
    return PAIR_HEAD + (size_t)(store + live);
}

/* The options of a store that is opened. */
static inline sst_options pair_options(const pair *p, const sim_disk *disk,
                                       const sst_allocator *allocator, sst_error *error) {
    sst_options o;
    memset(&o, 0, sizeof o);
    o.io = &disk->io;
    o.allocator = allocator;
    o.error = error;
    o.block_bytes = 512;
    o.sync_align = SIM_SECTOR;
    if ((p->options & PAIR_NO_MAP) != 0) o.flags |= SST_NO_MAP;
    if ((p->options & PAIR_VERIFY) != 0) o.flags |= SST_VERIFY;
    else if ((p->options & PAIR_TRUST) != 0) o.flags |= SST_TRUST;
    return o;
}

/* The files, at first or as they are in the end. */
static inline void pair_put(const pair *p, sim_disk *disk, bool first) {
    uint64_t store = first ? p->store_first : p->bytes.store_size;
    uint64_t live = first ? p->live_first : p->bytes.live_size;
    sim_put(disk, PAIR_PATH, p->bytes.store, (size_t)store);
    if ((p->options & PAIR_ALONE) == 0) {
        sim_put(disk, PAIR_PATH "-live", p->bytes.live, (size_t)live);
    }
}

/* ---- changes of a companion that keep checksums and check words right ----------------------- */

/* A field of a descriptor; then, perhaps, the bytes that go with it. */
static inline void pair_descriptor(pair *p, uint64_t *state) {
    static const uint8_t field[5][2] = {{0, 4}, {4, 4}, {8, 8}, {16, 8}, {24, 8}};
    uint32_t stream = 1 + (uint32_t)fuzz_below(state, PAIR_STREAMS);
    uint32_t other = 1 + (uint32_t)fuzz_below(state, PAIR_STREAMS);
    uint8_t *d = mend_descriptor(&p->bytes, stream, (uint32_t)fuzz_below(state, 4));
    uint8_t *from = mend_descriptor(&p->bytes, other, (uint32_t)fuzz_below(state, 4));
    uint64_t i = fuzz_below(state, 6), old = 0;
    mend_layout l;
    if (d == NULL || from == NULL) return;
    if (i == 5) {
        memmove(d, from, MEND_LIVE_DESCRIPTOR);
    } else {
        memcpy(&old, d + field[i][0], field[i][1]);
        mend_put(d + field[i][0], fuzz_number(state, old), field[i][1]);
    }
    if (fuzz_below(state, 3) != 0 && mend_layout_of(&p->bytes, stream, &l)) {
        uint32_t capacity = mend_u32(d + 4);
        if (capacity > 4096) capacity %= 4096;
        mend_put(d + 4, capacity, 4);
        mend_put(d + 24, mend_half_bytes(&l, capacity), 8);
    }
    mend_descriptor_crc(d);
}

/* Rows of a half: other bytes, or one more row; with the check words that go with them. */
static inline void pair_rows(pair *p, uint64_t *state) {
    uint32_t stream = 1 + (uint32_t)fuzz_below(state, PAIR_STREAMS), row, n, c;
    const uint8_t *d = mend_descriptor(&p->bytes, stream, (uint32_t)fuzz_below(state, 4));
    mend_layout l;
    mend_half h;
    if (d == NULL || !mend_layout_of(&p->bytes, stream, &l)) return;
    if (!mend_half_at(&p->bytes, &l, d, &h)) return;
    row = (uint32_t)fuzz_below(state, h.capacity);
    for (n = (uint32_t)fuzz_below(state, 4); n < 4 && row < h.capacity; n++, row++) {
        uint8_t *time = h.column[0] + (uint64_t)row * 8;
        c = (uint32_t)fuzz_below(state, l.columns);
        if (fuzz_below(state, 2) == 0) {
            uint8_t *at = h.column[c] + row * l.bytes[c] + fuzz_below(state, l.bytes[c]);
            at[0] = (uint8_t)fuzz_number(state, at[0]);
        }
        if (row > 0 && fuzz_below(state, 2) == 0) {
            mend_put(time, mend_u64(time - 8) + fuzz_below(state, 3), 8);
        }
        mend_half_row(&p->bytes, &l, &h, row);
    }
}

/* A number in the first page. */
static inline void pair_first_page(pair *p, uint64_t *state) {
    static const uint8_t field[6][2] = {{8, 4}, {12, 4}, {32, 8}, {64, 8}, {128, 8}, {136, 8}};
    uint64_t i = fuzz_below(state, 6), old = 0;
    if (p->bytes.live_size < 256) return;
    memcpy(&old, p->bytes.live + field[i][0], field[i][1]);
    mend_put(p->bytes.live + field[i][0], fuzz_number(state, old), field[i][1]);
    mend_live_head(&p->bytes);
}

/* How much of the files there is at first, and what happens then. */
static inline void pair_head(pair *p, uint64_t *state) {
    uint64_t kind = fuzz_below(state, 5);
    if (kind == 0) p->options = (uint8_t)(p->options ^ 1u << fuzz_below(state, 8));
    if (kind == 1) p->change = (uint8_t)fuzz_below(state, PAIR_CHANGE_KINDS);
    if (kind == 2) p->seed = fuzz_next(state) >> fuzz_below(state, 64);
    if (kind == 3) p->live_first = fuzz_below(state, p->bytes.live_size / 64 + 1) * 64;
    if (kind == 4) {
        mend_record r;
        p->store_first = p->bytes.store_size;
        if (fuzz_pick(p->bytes.store, (size_t)p->bytes.store_size, state, &r)) {
            p->store_first = fuzz_below(state, 4) == 0 ? r.offset + 1 : r.next;
        }
    }
}

/* One change of the pair, of every kind there is. */
static inline void pair_change(pair *p, uint64_t *state) {
    switch (fuzz_below(state, 12)) {
    case 0: case 1: case 2: pair_descriptor(p, state); break;
    case 3: case 4: case 5: case 6: pair_rows(p, state); break;
    case 7: pair_first_page(p, state); break;
    default: {
        bool whole = p->store_first == p->bytes.store_size;
        p->bytes.store_size = fuzz_store(p->bytes.store, (size_t)p->bytes.store_size,
                                         FUZZ_BYTES_MAX, state);
        if (whole || p->store_first > p->bytes.store_size) p->store_first = p->bytes.store_size;
        break;
    }
    }
}

static inline size_t pair_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    pair p;
    uint64_t kind = fuzz_below(state, 16);
    if (!pair_read(data, size, &p) || kind == 0) return LLVMFuzzerMutate(data, size, max_size);
    if (kind == 1) {
        p.bytes.store_size = LLVMFuzzerMutate(p.bytes.store, (size_t)p.bytes.store_size,
                                              FUZZ_BYTES_MAX);
        if (fuzz_below(state, 3) != 0) mend_all(p.bytes.store, p.bytes.store_size);
    } else if (kind == 2) {
        p.bytes.live_size = LLVMFuzzerMutate(p.bytes.live, (size_t)p.bytes.live_size,
                                             FUZZ_BYTES_MAX);
        if (fuzz_below(state, 3) != 0) mend_live_all(&p.bytes, PAIR_STREAMS);
    } else if (kind < 6) {
        pair_head(&p, state);
    } else {
        pair_change(&p, state);
    }
    if (kind > 6 && fuzz_below(state, 2) == 0) mend_live_match(&p.bytes);
    return pair_write(&p, data, max_size);
}

#endif
