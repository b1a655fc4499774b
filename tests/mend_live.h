/* mend_live.h - the bytes of a companion, for tests that damage them and for the fuzzers: finding
 * its halves, and mending checksums and check words after a change. Nothing here trusts the bytes.
 * Include streamstore.h with its implementation (for the hash of the check words) and mend.h
 * before. See >>live there for the layouts. */
#ifndef MEND_LIVE_H
#define MEND_LIVE_H

#define MEND_LIVE_LENGTH 64u
#define MEND_LIVE_TABLES 128u
#define MEND_LIVE_SLOT 512u
#define MEND_LIVE_HALF 256u
#define MEND_LIVE_DESCRIPTOR 64u
#define MEND_LIVE_COLUMNS (2 + SST_MAX_TIMELINES)

/* A store and its companion. */
typedef struct mend_pair {
    uint8_t *store, *live;
    uint64_t store_size, live_size;
} mend_pair;

/* The columns of a stream's rows: bytes of each. */
typedef struct mend_layout {
    uint32_t stream, columns;
    uint64_t bytes[MEND_LIVE_COLUMNS];
} mend_layout;

/* A half whose rows lie within the companion. */
typedef struct mend_half {
    uint32_t capacity;
    uint64_t first_row, place;
    uint8_t *column[MEND_LIVE_COLUMNS], *check;
} mend_half;

/* From the first declaration of the stream in the store; false: there is none that is like those
 * of this version. */
static inline bool mend_layout_of(const mend_pair *p, uint32_t stream, mend_layout *l) {
    static const uint8_t types[16] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0, 0};
    mend_record r;
    const uint8_t *d;
    uint64_t bytes;
    uint32_t i;
    if (!mend_find(p->store, p->store_size, MEND_STREAM, stream, 0, &r) || r.size < 40) {
        return false;
    }
    d = p->store + r.payload;
    if (d[5] > SST_MAX_TIMELINES || d[8] > 13 || d[9] > 4) return false;
    l->stream = stream;
    l->columns = 2u + d[5];
    for (i = 0; i + 1 < l->columns; i++) l->bytes[i] = 8;
    bytes = types[d[8]];
    for (i = 0; i < d[9] && bytes < 1u << 20; i++) bytes *= mend_u32(d + 16 + 4 * i);
    l->bytes[l->columns - 1] = bytes;
    return bytes > 0 && bytes < 1u << 20;
}

static inline uint64_t mend_half_bytes(const mend_layout *l, uint32_t capacity) {
    uint64_t bytes = ((uint64_t)capacity * 4 + 63) / 64 * 64;
    uint32_t i;
    for (i = 0; i < l->columns; i++) bytes += (capacity * l->bytes[i] + 63) / 64 * 64;
    return bytes;
}

/* One of the four descriptors (two per half) of a stream; NULL: not within the companion. */
static inline uint8_t *mend_descriptor(const mend_pair *p, uint32_t stream, uint32_t which) {
    uint32_t place, chunk = ssti_chunk(stream - 1, &place);
    uint64_t table;
    if (p->live_size < MEND_LIVE_TABLES + 8 * (uint64_t)(chunk + 1)) return NULL;
    table = mend_u64(p->live + MEND_LIVE_TABLES + 8 * chunk);
    if (table == 0 || table > p->live_size) return NULL;
    if (p->live_size - table < (uint64_t)(place + 1) * MEND_LIVE_SLOT) return NULL;
    return p->live + table + (uint64_t)place * MEND_LIVE_SLOT + which / 2 * MEND_LIVE_HALF +
           which % 2 * MEND_LIVE_DESCRIPTOR;
}

static inline void mend_descriptor_crc(uint8_t *d) {
    mend_put(d + 60, sst_crc32c(d, 60, 0), 4);
}

/* The half that a descriptor points at; false: its rows do not lie within the companion. */
static inline bool mend_half_at(const mend_pair *p, const mend_layout *l, const uint8_t *d,
                                mend_half *h) {
    uint8_t *at;
    uint32_t i;
    h->capacity = mend_u32(d + 4);
    h->first_row = mend_u64(d + 8);
    h->place = mend_u64(d + 16);
    if (h->capacity == 0 || h->place > p->live_size ||
        mend_half_bytes(l, h->capacity) > p->live_size - h->place) return false;
    at = p->live + h->place;
    for (i = 0; i < l->columns; i++) {
        h->column[i] = at;
        at += (h->capacity * l->bytes[i] + 63) / 64 * 64;
    }
    h->check = at;
    return true;
}

/* The check word of one row of a half, counted from 0 within it. */
static inline void mend_half_row(const mend_pair *p, const mend_layout *l, const mend_half *h,
                                 uint32_t at) {
    uint64_t hash = ssti_check_seed(mend_u64(p->live + 32), l->stream);
    uint32_t i;
    hash = ssti_check_step(hash, h->first_row + at);
    for (i = 0; i < l->columns; i++) {
        hash = ssti_check_column(hash, h->column[i] + at * l->bytes[i], (size_t)l->bytes[i]);
    }
    mend_put(h->check + (size_t)at * 4, ssti_check_fold(hash), 4);
}

static inline void mend_live_head(const mend_pair *p) {
    if (p->live_size >= 64) mend_put(p->live + 40, sst_crc32c(p->live, 40, 0), 4);
}

/* Makes the companion one of the store's newest session. */
static inline void mend_live_match(const mend_pair *p) {
    uint64_t offset = 64;
    mend_record r;
    if (p->live_size < 64 || p->store_size < 64) return;
    memcpy(p->live + 12, p->store + 12, 20);                    /* salt, uuid */
    while (mend_next(p->store, p->store_size, &offset, &r)) {
        uint64_t session = mend_u64(p->store + r.offset + 40);
        if (r.type == MEND_SYNC && session != 0) mend_put(p->live + 32, session, 8);
    }
    mend_live_head(p);
}

/* Every checksum and every check word of the streams up to a number. */
static inline void mend_live_all(const mend_pair *p, uint32_t streams) {
    uint32_t stream, which, row;
    mend_layout l;
    mend_half h;
    mend_live_head(p);
    for (stream = 1; stream <= streams; stream++) {
        if (!mend_layout_of(p, stream, &l)) continue;
        for (which = 0; which < 4; which++) {
            uint8_t *d = mend_descriptor(p, stream, which);
            if (d == NULL) break;
            mend_descriptor_crc(d);
            if (!mend_half_at(p, &l, d, &h)) continue;
            for (row = 0; row < h.capacity; row++) mend_half_row(p, &l, &h, row);
        }
    }
}

#endif
