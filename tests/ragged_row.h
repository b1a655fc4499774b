/* ragged_row.h - rows of two streams with SST_RAGGED, for tests that tell them again: `frames` has
 * items of four bytes, a tag, and a number in a second field; `records` has bytes, a key and no
 * time. What is in a row is the test's. Include streamstore.h before. */
#ifndef RAGGED_ROW_H
#define RAGGED_ROW_H

#include <string.h>

#define FRAME_ITEMS 900         /* at most; a row of so many is too large for a tail */
#define KEY_MAX 24

typedef struct ragged_row {
    size_t items, key_bytes;        /* key_bytes 0: the key is the number */
    uint32_t number;
    bool removed;
    uint8_t key[KEY_MAX], bytes[FRAME_ITEMS * 4];
} ragged_row;

/* What makes a description one of frames, or of records. */
static inline void ragged_describe(sst_stream_desc *desc, bool frames) {
    static const sst_field fields[2] = {
        {"points", SST_U16, {2}, SST_RAGGED, 0}, {"number", SST_U32, {0}, 0, 0},
    };
    desc->type = frames ? (sst_type)0 : SST_BYTES;
    desc->flags |= frames ? SST_TAGGED : SST_KEYED | SST_UNTIMED;
    desc->block_bytes = frames ? 8192 : 4096;
    if (frames) {
        desc->fields = fields;
        desc->field_count = 2;
    }
}

/* time: of a frame. */
static inline int ragged_append(sst_stream *stream, bool frames, int64_t time,
                                const ragged_row *r) {
    sst_cell cells[2];
    sst_row row;
    memset(&row, 0, sizeof row);
    if (frames) {
        row.time = time;
        row.tag = ~r->number;
        cells[0].data = r->bytes;
        cells[0].count = r->items;
        cells[1].data = &r->number;
        cells[1].count = 1;
        row.cells = cells;
    } else {
        row.value = r->bytes;
        row.count = r->items;
        row.key.kind = r->key_bytes == 0 ? SST_KEY_I64 : SST_KEY_BYTES;
        row.key.number = r->number;
        row.key.size = (uint32_t)r->key_bytes;
        row.key.bytes = r->key;
        row.flags = r->removed ? SST_ROW_REMOVED : 0;
    }
    return sst_append_row(stream, &row);
}

/* Has a row of a view of records this key, and is it removed or not? */
static inline bool ragged_key_right(const sst_view *view, uint64_t at, const ragged_row *r) {
    const uint8_t *key = view->keys + view->key_offsets[at];
    size_t size = view->key_offsets[at + 1] - view->key_offsets[at];
    int64_t number = r->number;
    if (view->row_flags[at] != (r->removed ? SST_ROW_REMOVED : 0)) return false;
    if (size != 1 + (r->key_bytes == 0 ? 8 : r->key_bytes)) return false;
    if (key[0] != (r->key_bytes == 0 ? SST_KEY_I64 : SST_KEY_BYTES)) return false;
    /* A number is the host's, which is little-endian. */
    if (r->key_bytes == 0) return memcmp(key + 1, &number, 8) == 0;
    return memcmp(key + 1, r->key, r->key_bytes) == 0;
}

#endif
