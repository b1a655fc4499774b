/* mend.h - the bytes of a store file, for tests that damage them and for the fuzzer: finding
 * records by hopping, and mending checksums after a change. Nothing here trusts the bytes.
 * Include streamstore.h before (sst_crc32c). See >>format there for the layouts. */
#ifndef MEND_H
#define MEND_H

#include <string.h>

#define MEND_STREAM 1u
#define MEND_BLOCK 2u
#define MEND_META 3u
#define MEND_INDEX 4u
#define MEND_SYNC 5u
#define MEND_END 6u
#define MEND_SKIP 7u
#define MEND_FINISH 8u
#define MEND_TABLE 9u

#define MEND_TIMES 1u           /* kinds of columns */
#define MEND_TIMELINE 2u
#define MEND_KEY_OFFSETS 4u
#define MEND_KEYS 5u
#define MEND_OFFSETS 6u
#define MEND_VALUES 7u
#define MEND_ROW_FLAGS 8u
#define MEND_PIECES 9u

#ifndef MEND_PIECE_BYTES
#define MEND_PIECE_BYTES (1u << 20)
#endif

static inline uint32_t mend_u16(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t mend_u32(const uint8_t *p) {
    return mend_u16(p) | mend_u16(p + 2) << 16;
}

static inline uint64_t mend_u64(const uint8_t *p) {
    return (uint64_t)mend_u32(p) | (uint64_t)mend_u32(p + 4) << 32;
}

static inline void mend_put(uint8_t *p, uint64_t value, int size) {
    int i;
    for (i = 0; i < size; i++) p[i] = (uint8_t)(value >> (8 * i));
}

/* A record that seems to be there. */
typedef struct mend_record {
    uint64_t offset;
    uint32_t type, stream, rows, sequence;
    uint64_t payload;           /* where it begins */
    uint64_t size;              /* its bytes; all lie within the file */
    uint64_t next;              /* where the next record begins, at most the end of the file */
    uint64_t first_row;         /* BLOCK; INDEX offset of END; synced length of SYNC */
} mend_record;

/* Looks at one offset. Checks the magic and that the payload fits, no checksum. */
static inline bool mend_at(const uint8_t *bytes, uint64_t size, uint64_t offset, mend_record *r) {
    const uint8_t *p = bytes + offset;
    if (offset > size || size - offset < 64 || memcmp(p, "SREC", 4) != 0) return false;
    r->offset = offset;
    r->type = p[4];
    r->sequence = mend_u32(p + 12);
    r->stream = mend_u32(p + 16);
    r->rows = mend_u32(p + 20);
    r->size = mend_u64(p + 24);
    r->first_row = mend_u64(p + 32);
    r->payload = offset + 64;
    if (r->size > size - r->payload) return false;
    r->next = r->payload + (r->size + 63) / 64 * 64;
    if (r->next > size) r->next = size;
    return true;
}

/* The first record at or behind *offset, which moves behind it. Start with 64. */
static inline bool mend_next(const uint8_t *bytes, uint64_t size, uint64_t *offset,
                             mend_record *r) {
    uint64_t at = *offset;
    while (at < size && !mend_at(bytes, size, at, r)) at += 64;
    if (at >= size) return false;
    *offset = r->next;
    return true;
}

/* The nth (from 0) record of a type; stream 0: of any. */
static inline bool mend_find(const uint8_t *bytes, uint64_t size, uint32_t type, uint32_t stream,
                             uint32_t nth, mend_record *r) {
    uint64_t offset = 64;
    while (mend_next(bytes, size, &offset, r)) {
        if (r->type == type && (stream == 0 || r->stream == stream) && nth-- == 0) return true;
    }
    memset(r, 0, sizeof *r);
    return false;
}

static inline uint32_t mend_count(const uint8_t *bytes, uint64_t size, uint32_t type,
                                  uint32_t stream) {
    mend_record r;
    uint32_t n = 0;
    while (mend_find(bytes, size, type, stream, n, &r)) n++;
    return n;
}

/* ---- columns ------------------------------------------------------------------------------ */

typedef struct mend_column {
    uint8_t *entry;             /* 32 bytes in the directory */
    uint32_t kind, codec, part;
    uint64_t start, size;       /* the stored bytes in the file */
} mend_column;

/* Columns in the directory of a block, as many as fit its payload. */
static inline uint32_t mend_columns(const uint8_t *bytes, const mend_record *r) {
    uint64_t fit = r->size < 32 ? 0 : (r->size - 32) / 32;
    uint32_t n = r->size < 32 ? 0 : mend_u32(bytes + r->payload);
    return n < fit ? n : (uint32_t)fit;
}

/* Bytes that the crc in a block's header covers. */
static inline uint64_t mend_directory_bytes(const uint8_t *bytes, const mend_record *r) {
    return r->size < 32 ? r->size : 32 + 32 * (uint64_t)mend_columns(bytes, r);
}

/* The column of one entry; false if its bytes do not lie within the payload. */
static inline bool mend_column_at(uint8_t *bytes, const mend_record *r, uint32_t index,
                                  mend_column *c) {
    uint8_t *p = bytes + r->payload + 32 + 32 * (uint64_t)index;
    uint64_t offset = (uint64_t)mend_u32(p + 8) * 64;
    c->entry = p;
    c->kind = p[0];
    c->codec = p[1];
    c->part = mend_u16(p + 2);
    c->size = mend_u64(p + 16);
    c->start = r->payload + offset;
    return offset <= r->size && c->size <= r->size - offset;
}

/* ---- checksums ---------------------------------------------------------------------------- */

static inline void mend_file_header(uint8_t *bytes, uint64_t size) {
    if (size >= 64) mend_put(bytes + 60, sst_crc32c(bytes, 60, 0), 4);
}

static inline void mend_header(uint8_t *bytes, const mend_record *r) {
    uint8_t *p = bytes + r->offset, offset[8];
    mend_put(offset, r->offset, 8);
    mend_put(p + 60, sst_crc32c(offset, 8, sst_crc32c(p, 60, 0)), 4);
}

/* The payload's crc (of a block: its directory's) and the header's. */
static inline void mend_payload(uint8_t *bytes, const mend_record *r) {
    uint64_t covered = r->type == MEND_BLOCK ? mend_directory_bytes(bytes, r) : r->size;
    uint32_t crc = r->type == MEND_SKIP ? 0
                                        : sst_crc32c(bytes + r->payload, (size_t)covered, 0);
    mend_put(bytes + r->offset + 56, crc, 4);
    mend_header(bytes, r);
}

/* The crcs of a large column's pieces, in its column of kind 9. */
static inline void mend_pieces(uint8_t *bytes, const mend_column *large, const mend_column *crcs) {
    uint64_t i, done, part;
    for (i = 0, done = 0; done < large->size && i * 4 + 4 <= crcs->size; i++, done += part) {
        part = large->size - done < MEND_PIECE_BYTES ? large->size - done : MEND_PIECE_BYTES;
        mend_put(bytes + crcs->start + i * 4,
                 sst_crc32c(bytes + large->start + done, (size_t)part, 0), 4);
    }
}

/* The crcs of all columns of a block, of its directory and of its header. */
static inline void mend_block(uint8_t *bytes, const mend_record *r) {
    uint32_t n = mend_columns(bytes, r), i;
    mend_column c, large;
    uint32_t crc;
    for (i = 0; i < n; i++) {
        if (!mend_column_at(bytes, r, i, &c) || c.kind == MEND_PIECES) continue;
        mend_put(c.entry + 12, sst_crc32c(bytes + c.start, (size_t)c.size, 0), 4);
    }
    for (i = 0; i < n; i++) {
        if (!mend_column_at(bytes, r, i, &c) || c.kind != MEND_PIECES || c.part >= n) continue;
        if (!mend_column_at(bytes, r, c.part, &large)) continue;
        mend_pieces(bytes, &large, &c);
        crc = sst_crc32c(bytes + c.start, (size_t)c.size, 0);
        mend_put(c.entry + 12, crc, 4);
        mend_put(large.entry + 12, crc, 4);
    }
    mend_payload(bytes, r);
}

/* Everything of one record. */
static inline void mend_one(uint8_t *bytes, const mend_record *r) {
    if (r->type == MEND_BLOCK) mend_block(bytes, r);
    else mend_payload(bytes, r);
}

/* Every checksum of a file. */
static inline void mend_all(uint8_t *bytes, uint64_t size) {
    uint64_t offset = 64;
    mend_record r;
    mend_file_header(bytes, size);
    while (mend_next(bytes, size, &offset, &r)) mend_one(bytes, &r);
}

/* ---- inside an INDEX ---------------------------------------------------------------------- */

/* Where the sections of the streams begin in an INDEX; 0: not within it. */
static inline uint64_t mend_index_streams(const uint8_t *bytes, const mend_record *r) {
    uint64_t definitions;
    if (r->type != MEND_INDEX || r->size < 96) return 0;
    definitions = mend_u64(bytes + r->payload + 80);
    return definitions > r->size - 96 ? 0 : r->payload + 96 + definitions;
}

/* Where the section of a stream begins; 0: not there. *blocks: where its list of blocks does. */
static inline uint64_t mend_index_stream(const uint8_t *bytes, const mend_record *r,
                                         uint32_t stream, uint64_t *blocks) {
    uint64_t at = mend_index_streams(bytes, r), end = r->payload + r->size;
    while (at != 0 && at <= end && end - at >= 64) {
        uint64_t list = at + 64 + 24 * (uint64_t)mend_u32(bytes + at + 4);
        if (list > end) return 0;
        *blocks = list;
        if (mend_u32(bytes + at) == stream) return at;
        at = list + 40 * (uint64_t)mend_u32(bytes + at + 48);
    }
    return 0;
}

/* Where the payload of the nth definition of a type and stream begins in an INDEX; 0: none. */
static inline uint64_t mend_index_definition(const uint8_t *bytes, const mend_record *r,
                                             uint32_t type, uint32_t stream, uint32_t nth) {
    uint64_t at = r->payload + 96, end = mend_index_streams(bytes, r), size;
    while (end != 0 && at <= end && end - at >= 16) {
        size = mend_u64(bytes + at + 8);
        if (size > end - at - 16) return 0;
        if (bytes[at] == type && mend_u32(bytes + at + 4) == stream && nth-- == 0) return at + 16;
        at += 16 + (size + 7) / 8 * 8;
    }
    return 0;
}

#endif
