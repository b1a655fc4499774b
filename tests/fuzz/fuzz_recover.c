/* fuzz_recover.c - opens a store and its companion to append. An input is either the bytes of
 * both (see pair.h), or, with RECOVER_PROGRAM in its first byte, a program that records them, ends
 * in a crash and perhaps damages what is left.
 *
 * Of any bytes: what a reader saw before is there after recovery and stays, whatever happens then:
 * another recovery, one that is interrupted, rows that are appended, a kill, closing. Of a crash:
 * rows that had to survive are there, and every row that can be read is the one that was appended.
 *
 * fuzz.h says how to compile. */
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

#define RECOVER_PROGRAM 128u
#define SEEN_STREAMS 6u
#define SEEN_ROWS 24u               /* of a stream: half of them first, half of them last ones */
#define SEEN_ROW_BYTES 4096u        /* larger rows are not looked at */
#define MOST_STEPS 40u

static fuzz_memory memory;
static sst_allocator allocator;

/* ---- what there is in a store --------------------------------------------------------------- */

typedef struct seen_stream {
    uint64_t rows, row[SEEN_ROWS];
    uint64_t least;                 /* up to the last row that can be read */
    uint64_t hash[SEEN_ROWS];       /* 0: cannot be read */
    char name[32];                  /* empty: it is of a kind that cannot be read */
} seen_stream;

typedef struct seen {
    uint32_t streams;
    bool foreign;                   /* some streams are of kinds that cannot be read */
    bool lies;                      /* the index was found to be wrong */
    seen_stream stream[SEEN_STREAMS];
} seen;

#define SEEN_FIELDS 8u

/* Bytes of a fixed value, or of one item. */
static size_t field_bytes(const sst_field *f) {
    size_t n = ssti_type_bytes(f->type);
    int i;
    for (i = 0; i < 4 && f->shape[i] != 0; i++) n = n > SEEN_ROW_BYTES ? n : n * f->shape[i];
    return n;
}

static bool field_ragged(const sst_field *f) {
    return f->type > SST_F64 || (f->flags & SST_RAGGED) != 0;
}

/* The fields of a description, whether it names them or not. */
static const sst_field *fields_of(const sst_stream_desc *desc, sst_field *only, uint32_t *count) {
    *count = desc->fields != NULL ? desc->field_count : 1;
    if (desc->fields != NULL) return desc->fields;
    memset(only, 0, sizeof *only);
    only->type = desc->type;
    only->flags = desc->flags & SST_RAGGED;
    memcpy(only->shape, desc->shape, sizeof only->shape);
    return only;
}

/* The bytes of a row's fixed fields and of an item of each other; 0: too many, or too many
 * fields. */
static size_t row_bytes(const sst_stream_desc *desc) {
    sst_field only;
    uint32_t i, count;
    const sst_field *f = fields_of(desc, &only, &count);
    size_t n = 0;
    for (i = 0; i < count && n <= SEEN_ROW_BYTES; i++) n += field_bytes(&f[i]);
    return n > SEEN_ROW_BYTES || count > SEEN_FIELDS ? 0 : n;
}

/* A row's hash: of its time and timelines, then of its cells, one after the other. */
static uint64_t hash_clocks(int64_t time, const int64_t *lines) {
    uint64_t hash = ssti_check_step(1, (uint64_t)time);
    int i;
    for (i = 0; i < SST_MAX_TIMELINES; i++) hash = ssti_check_step(hash, (uint64_t)lines[i]);
    return hash;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size) {
    return ssti_check_bytes(ssti_check_step(hash, size), (const uint8_t *)bytes, size);
}

/* 0: it cannot be read. */
static uint64_t look_at_row(sst_stream *stream, uint64_t row) {
    int64_t lines[SST_MAX_TIMELINES] = {0};
    sst_stream_desc desc;
    sst_field only;
    const sst_field *f;
    uint64_t hash;
    uint32_t i, count;
    sst_view view;
    if (sst_slice(stream, row, 1, &view) != SST_OK || view.count != 1) return 0;
    WALK(sst_stream_info(stream, &desc, NULL, NULL, NULL) == SST_OK);
    f = fields_of(&desc, &only, &count);
    for (i = 0; i < SST_MAX_TIMELINES; i++) {
        if (view.timelines[i] != NULL) lines[i] = view.timelines[i][0];
    }
    hash = hash_clocks(view.times == NULL ? 0 : view.times[0], lines);
    if (view.tags != NULL) hash = hash_bytes(hash, view.tags, 4);
    if (view.key_offsets != NULL) {
        hash = hash_bytes(hash, view.keys + view.key_offsets[0],
                          view.key_offsets[1] - view.key_offsets[0]);
    }
    for (i = 0; i < count; i++) {
        const uint8_t *values = (const uint8_t *)view.columns[i].values;
        const uint32_t *offsets = view.columns[i].offsets;
        size_t bytes = field_bytes(&f[i]);
        size_t first = offsets == NULL ? 0 : offsets[0] * bytes;
        if (offsets != NULL) bytes *= offsets[1] - offsets[0];
        hash = hash_bytes(hash, values + first, bytes);
    }
    return hash | 1;
}

static void look_at_stream(sst_stream *stream, seen_stream *s) {
    sst_stream_desc desc;
    sst_view view;
    size_t size;
    uint32_t i;
    WALK(sst_stream_info(stream, &desc, NULL, NULL, NULL) == SST_OK);
    snprintf(s->name, sizeof s->name, "%.31s", desc.name);
    size = row_bytes(&desc);
    /* Whoever asks for everything finds out whether the index lies. */
    if (size != 0) (void)sst_slice(stream, 0, UINT64_MAX, &view);
    s->rows = sst_rows(stream);
    for (i = 0; i < SEEN_ROWS; i++) {
        s->row[i] = i < SEEN_ROWS / 2 ? i : s->rows - 1 - (i - SEEN_ROWS / 2);
        s->hash[i] = i >= s->rows || size == 0 ? 0 : look_at_row(stream, s->row[i]);
        if (s->hash[i] != 0 && s->row[i] >= s->least) s->least = s->row[i] + 1;
    }
}

static void look(sst_store *store, seen *what) {
    sst_stream *stream;
    uint32_t i;
    memset(what, 0, sizeof *what);
    what->streams = sst_stream_count(store);
    for (i = 0; i < what->streams; i++) {
        if (sst_stream_open(store, sst_stream_name(store, i), &stream) != SST_OK) {
            what->foreign = true;
            continue;
        }
        if (i < SEEN_STREAMS) look_at_stream(stream, &what->stream[i]);
        sst_stream_close(stream);
    }
    what->lies = store->index_lies != 0;
}

static void same_stream(sst_stream *stream, const seen_stream *s, bool exactly) {
    uint32_t k;
    WALK(sst_rows(stream) >= s->rows && (!exactly || sst_rows(stream) <= s->rows));
    for (k = 0; k < SEEN_ROWS; k++) {
        if (s->hash[k] == 0) continue;
        WALK(look_at_row(stream, s->row[k]) == s->hash[k]);
    }
}

/* Everything that was seen before is there; `exactly`: and nothing else. */
static void same(sst_store *store, const seen *before, bool exactly) {
    sst_stream *stream;
    uint32_t i;
    WALK(sst_stream_count(store) >= before->streams);
    for (i = 0; i < before->streams && i < SEEN_STREAMS; i++) {
        const char *name = sst_stream_name(store, i);
        WALK(strncmp(before->stream[i].name, name, 31) == 0);
        WALK(sst_stream_open(store, name, &stream) == SST_OK);
        same_stream(stream, &before->stream[i], exactly);
        sst_stream_close(stream);
    }
}

/* ---- appending to any stream ---------------------------------------------------------------- */

/* Makes a row for any stream, and its hash. */
static uint64_t make_row(const sst_stream_desc *desc, sst_row *row, sst_cell *cells,
                         uint64_t *state) {
    static uint8_t value[4 * SEEN_ROW_BYTES], key[9];
    static int64_t lines[SST_MAX_TIMELINES];
    sst_field only;
    uint32_t i, count;
    const sst_field *f = fields_of(desc, &only, &count);
    uint64_t hash;
    memset(value, (int)fuzz_below(state, 2), sizeof value);
    memset(lines, 0, sizeof lines);
    for (i = 0; i < SST_MAX_TIMELINES && desc->timelines[i] != NULL; i++) {
        lines[i] = (int64_t)fuzz_below(state, 1000);
    }
    row->timelines = desc->timelines[0] == NULL ? NULL : lines;
    row->cells = cells;
    hash = hash_clocks((desc->flags & SST_UNTIMED) != 0 ? 0 : row->time, lines);
    if ((desc->flags & SST_TAGGED) != 0) {
        row->tag = (uint32_t)fuzz_next(state);
        hash = hash_bytes(hash, &row->tag, 4);
    }
    if ((desc->flags & SST_KEYED) != 0) {
        row->key.kind = SST_KEY_BYTES;
        row->key.size = (uint32_t)fuzz_below(state, sizeof key);
        row->key.bytes = key + 1;
        key[0] = SST_KEY_BYTES;
        hash = hash_bytes(hash, key, row->key.size + 1);
    }
    for (i = 0; i < count; i++) {
        cells[i].data = value;
        cells[i].count = field_ragged(&f[i]) ? (size_t)fuzz_below(state, 4) : 1;
        hash = hash_bytes(hash, value, cells[i].count * field_bytes(&f[i]));
    }
    return hash | 1;
}

/* Appends to a stream, whatever it is, and finds the rows there. */
static void append_some(sst_stream *stream, uint64_t *state) {
    int64_t last;
    uint64_t rows, n = fuzz_below(state, 12), hash;
    sst_cell cells[SEEN_FIELDS];
    sst_stream_desc desc;
    sst_row row;
    if (sst_stream_info(stream, &desc, &rows, NULL, &last) != SST_OK) return;
    for (; n > 0 && row_bytes(&desc) != 0 && (rows == 0 || last < INT64_MAX); n--) {
        uint64_t before = sst_rows(stream);
        int result;
        memset(&row, 0, sizeof row);
        row.time = rows == 0 ? 0 : last + 1;
        hash = make_row(&desc, &row, cells, state);
        result = sst_append_row(stream, &row);
        WALK(result == SST_OK || result == SST_ERR_FINISHED || result == SST_ERR_LIMIT ||
             result == SST_ERR_FULL);
        if (result != SST_OK) return;
        WALK(sst_rows(stream) == before + 1);
        WALK(look_at_row(stream, before) == hash);
        last = row.time;
        rows = before + 1;
    }
}

static void append_everywhere(sst_store *store, uint64_t *state) {
    uint32_t i, n = sst_stream_count(store);
    for (i = 0; i < n && i < SEEN_STREAMS; i++) {
        sst_stream *stream;
        if (sst_stream_open(store, sst_stream_name(store, i), &stream) != SST_OK) continue;
        append_some(stream, state);
        sst_stream_close(stream);
    }
    switch (fuzz_below(state, 4)) {
    case 0: WALK(sst_flush(store) == SST_OK); break;
    case 1: WALK(sst_sync(store) == SST_OK); break;
    default: break;
    }
}

/* ---- recovering ----------------------------------------------------------------------------- */

static int open_on(const pair *p, sim_disk *disk, bool append, sst_store **store) {
    sst_error error;
    sst_options options = pair_options(p, disk, &allocator, &error);
    int result;
    if (append && (p->options & PAIR_NO_LIVE) != 0) options.flags |= SST_NO_LIVE;
    if (append && (p->options & PAIR_NO_SYNC) != 0) options.flags |= SST_NO_SYNC;
    result = append ? sst_open_append(PAIR_PATH, &options, store)
                    : sst_open(PAIR_PATH, &options, store);
    WALK((result == SST_OK) == (*store != NULL) && error.result == result);
    return result;
}

/* The process that records to `disk` is killed: the next one finds everything, and nothing to
 * repair but what tails held. clean: no tails either. */
static void kill_and_recover(const pair *p, const sim_disk *disk, const seen *before, bool clean) {
    sim_disk after;
    sst_store *store;
    sst_info info;
    memset(&after, 0, sizeof after);
    sim_copy(disk, &after, 1);
    WALK(open_on(p, &after, true, &store) == SST_OK);
    WALK(sst_store_info(store, &info) == SST_OK);
    WALK(info.torn_bytes == 0 && (!clean || info.recovered_rows == 0));
    same(store, before, true);
    WALK(sst_close(store) == SST_OK);
    sim_free(&after);
}

/* A recovery that fails somewhere loses nothing that a later one finds. */
static void fail_and_recover(const pair *p, const sim_disk *disk, const seen *before,
                             uint64_t *state) {
    static const sim_kind kinds[6] = {SIM_WRITE, SIM_RESIZE, SIM_SYNC, SIM_RENAME, SIM_RESERVE,
                                      SIM_READ};
    sim_kind kind;
    sim_disk other;
    sst_store *store;
    memset(&other, 0, sizeof other);
    sim_copy(disk, &other, 2);
    kind = kinds[fuzz_below(state, 6)];
    sim_arm(&other, kind, 1 + fuzz_below(state, 12), 1, SST_ERR_IO);
    if (open_on(p, &other, true, &store) == SST_OK) same(store, before, false);
    (void)sst_close(store);
    sim_disarm(&other);
    WALK(open_on(p, &other, true, &store) == SST_OK);
    same(store, before, false);
    WALK(sst_close(store) == SST_OK);
    sim_free(&other);
}

/* A store that was recovered is recorded to, killed, closed, read. */
static void go_on(const pair *p, sim_disk *disk, sst_store *store, uint64_t *state) {
    sst_info info;
    seen found;
    look(store, &found);
    if (fuzz_below(state, 2) == 0) kill_and_recover(p, disk, &found, true);
    append_everywhere(store, state);
    same(store, &found, false);
    look(store, &found);
    WALK(sst_store_info(store, &info) == SST_OK);
    if (info.kill_safe && fuzz_below(state, 2) == 0) kill_and_recover(p, disk, &found, false);
    WALK(sst_close(store) == SST_OK);
    WALK(open_on(p, disk, false, &store) == SST_OK);
    same(store, &found, true);
    WALK(sst_close(store) == SST_OK);
}

/* Does the INDEX of a closed file say something else than its records, all checksums being right,
 * or do they not lead to its END? Then it says one thing while it is believed, and another one when
 * it is not any more. */
static bool contradicts_itself(const pair *p, const seen *by_index) {
    const mend_pair *b = &p->bytes;
    uint64_t end = b->store_size - 64;
    sim_disk other;
    sst_store *store;
    mend_record r;
    sst_info info;
    uint32_t i;
    seen found;
    bool differs;
    if (by_index->lies) return true;
    if (b->store_size < 128 || !mend_at(b->store, b->store_size, end, &r)) return false;
    if (r.type != MEND_END) return false;
    sim_init(&other, 1);
    pair_put(p, &other, false);
    mend_put(sim_bytes(&other, PAIR_PATH, &end) + r.offset + 32, 0, 8);     /* it has no INDEX */
    mend_header(sim_bytes(&other, PAIR_PATH, &end), &r);
    differs = open_on(p, &other, false, &store) != SST_OK;
    if (!differs) {
        look(store, &found);
        WALK(sst_store_info(store, &info) == SST_OK);
        differs = found.streams != by_index->streams || found.foreign != by_index->foreign ||
                  info.torn_bytes != 0;
    }
    for (i = 0; !differs && i < SEEN_STREAMS; i++) {
        differs = found.stream[i].rows != by_index->stream[i].rows ||
                  memcmp(found.stream[i].hash, by_index->stream[i].hash,
                         sizeof found.stream[i].hash) != 0 ||
                  strcmp(found.stream[i].name, by_index->stream[i].name) != 0;
    }
    WALK(sst_close(store) == SST_OK);
    sim_free(&other);
    return differs;
}

static void recover(const pair *p, sim_disk *disk) {
    uint64_t state = p->seed;
    sst_store *store;
    seen before;
    int read = open_on(p, disk, false, &store), result;
    memset(&before, 0, sizeof before);
    if (read == SST_OK) look(store, &before);
    WALK(sst_close(store) == SST_OK);
    if (read == SST_OK && contradicts_itself(p, &before)) return;
    if (read == SST_OK && !before.foreign && (p->options & PAIR_ALONE) != 0 &&
        fuzz_below(&state, 4) == 0) {
        fail_and_recover(p, disk, &before, &state);
    }
    result = open_on(p, disk, true, &store);
    if (read != SST_OK) {
        WALK(result == read);
        return;
    }
    if (result != SST_OK) {     /* an INDEX of ours would not know it all; not our companion */
        WALK((result == SST_ERR_UNSUPPORTED && before.foreign) ||
             (result == SST_ERR_EXISTS && (p->options & PAIR_ALONE) == 0));
        return;
    }
    WALK(!before.foreign);
    same(store, &before, false);
    go_on(p, disk, store, &state);
}

/* ---- programs ------------------------------------------------------------------------------- */

#define KINDS 3u

typedef struct program {
    const pair *p;
    sim_disk *disk;
    sst_store *store;
    sst_stream *stream[KINDS];
    uint64_t rows[KINDS], synced[KINDS];
    int reopened;               /* the disk remembers every companion until it is synced */
} program;

static const char *const kind_names[KINDS] = {"a", "b", "c"};
static const uint32_t kind_shapes[KINDS] = {0, 3, 200};
static const sst_type kind_types[KINDS] = {SST_I64, SST_F32, SST_U8};
static const size_t kind_bytes[KINDS] = {8, 12, 200};

/* The row: a function of stream and number. */
static int64_t kind_row(uint32_t kind, uint64_t row, int64_t *lines, uint8_t *value) {
    size_t i;
    for (i = 0; i < kind_bytes[kind]; i++) value[i] = (uint8_t)(row * 37 + kind + (i >> 2));
    lines[0] = kind == 1 ? (int64_t)(row / 2) : 0;
    return (int64_t)(row * row + 5 * row + kind);
}

static void program_open(program *g) {
    uint32_t k;
    sst_stream_desc desc;
    if (g->store == NULL) WALK(open_on(g->p, g->disk, true, &g->store) == SST_OK);
    for (k = 0; k < KINDS; k++) {
        memset(&desc, 0, sizeof desc);
        desc.name = kind_names[k];
        desc.type = kind_types[k];
        desc.shape[0] = kind_shapes[k];
        desc.flags = SST_OPEN_EXISTING;
        if (k == 1) desc.timelines[0] = "arrival";
        WALK(sst_stream_create(g->store, &desc, &g->stream[k]) == SST_OK);
        WALK(sst_rows(g->stream[k]) == g->rows[k]);
    }
}

static void program_create(program *g) {
    sst_error error;
    sst_options options = pair_options(g->p, g->disk, &allocator, &error);
    options.flags &= ~(uint32_t)(SST_VERIFY | SST_TRUST);
    WALK(sst_create(PAIR_PATH, &options, &g->store) == SST_OK);
    program_open(g);
}

static void program_append(program *g, uint32_t kind, uint64_t rows) {
    uint8_t value[256];
    int64_t lines[SST_MAX_TIMELINES] = {0};
    sst_row row;
    for (; rows > 0; rows--) {
        memset(&row, 0, sizeof row);
        row.time = kind_row(kind, g->rows[kind], lines, value);
        row.value = value;
        row.timelines = kind == 1 ? lines : NULL;
        WALK(sst_append_row(g->stream[kind], &row) == SST_OK);
        g->rows[kind]++;
    }
}

static void program_synced(program *g) { memcpy(g->synced, g->rows, sizeof g->rows); }

static void program_step(program *g, uint8_t what, uint8_t number) {
    switch (what % 12) {
    case 7: WALK(sst_flush(g->store) == SST_OK); break;
    case 8:
        WALK(sst_sync(g->store) == SST_OK);
        program_synced(g);
        break;
    case 9: WALK(sst_poll(g->store) == SST_OK); break;
    case 10: WALK(sst_set_meta(g->store, "key", kind_names, number % 16) == SST_OK); break;
    case 11:
        if (++g->reopened > 5) break;
        WALK(sst_close(g->store) == SST_OK);
        g->store = NULL;
        if ((g->p->options & PAIR_NO_SYNC) == 0) program_synced(g);
        program_open(g);
        break;
    default: program_append(g, what % KINDS, 1u + number % 24u); break;
    }
}

/* Bytes that the medium forgot. */
static void damage(sim_disk *disk, uint64_t *state) {
    uint64_t n = 1 + fuzz_below(state, 3), i, at, size;
    uint8_t *bytes;
    for (; n > 0; n--) {
        const char *name = fuzz_below(state, 3) == 0 ? PAIR_PATH "-live" : PAIR_PATH;
        bytes = sim_bytes(disk, name, &size);
        if (size == 0) continue;
        at = fuzz_below(state, size);
        switch (fuzz_below(state, 3)) {
        case 0: bytes[at] = (uint8_t)(bytes[at] ^ 1u << fuzz_below(state, 8)); break;
        case 1: bytes[at] = (uint8_t)fuzz_next(state); break;
        default:
            at -= at % 64;
            for (i = at; i < size && i < at + 64; i++) bytes[i] = 0;
            break;
        }
    }
}

/* Is row `at` of the view the one that was appended? */
static bool right_row(const sst_view *view, uint32_t kind, uint64_t at) {
    uint8_t value[256];
    int64_t lines[SST_MAX_TIMELINES] = {0};
    int64_t time = kind_row(kind, view->first_row + at, lines, value);
    const uint8_t *values = (const uint8_t *)view->values;
    return view->times[at] == time &&
           (kind != 1 || view->timelines[0][at] == lines[0]) &&
           memcmp(values + at * kind_bytes[kind], value, kind_bytes[kind]) == 0;
}

static void right_stream(sst_stream *stream, uint32_t kind, bool damaged) {
    uint64_t rows = sst_rows(stream), row, at;
    uint64_t step = damaged ? 1 : 1000;     /* a view has all its rows or none */
    sst_view view;
    for (row = 0; row < rows; row += step) {
        int result = sst_slice(stream, row, step, &view);
        WALK(result == SST_OK || (damaged && result == SST_ERR_CORRUPT));
        if (result != SST_OK) continue;
        WALK(view.first_row == row && view.count == (step < rows - row ? step : rows - row));
        for (at = 0; at < view.count; at++) WALK(right_row(&view, kind, at));
    }
}

/* Every row that can be read is the one that was appended. least: so many can be. */
static void right(sst_store *store, const program *g, const uint64_t *least, bool damaged) {
    uint32_t k;
    for (k = 0; k < KINDS; k++) {
        sst_stream *stream;
        int result = sst_stream_open(store, kind_names[k], &stream);
        if (result != SST_OK) {
            WALK(damaged || (least[k] == 0 && result == SST_ERR_NOT_FOUND));
            continue;
        }
        WALK(damaged || sst_rows(stream) >= least[k]);
        WALK(sst_rows(stream) <= g->rows[k]);
        right_stream(stream, k, damaged);
        sst_stream_close(stream);
    }
    WALK(damaged || sst_verify(store, NULL) == SST_OK);
}

/* What a crash left is read, recovered, recovered again and recorded to. */
static void program_after(program *g, sim_disk *disk, const uint64_t *least, bool damaged) {
    uint64_t state = g->p->seed ^ 0x5555, k;
    sst_store *store;
    seen before;
    int result = open_on(g->p, disk, false, &store);
    if (result != SST_OK) {
        for (k = 0; k < KINDS; k++) WALK(damaged || least[k] == 0);
        return;
    }
    right(store, g, least, damaged);
    look(store, &before);
    WALK(sst_close(store) == SST_OK);
    if (fuzz_below(&state, 4) == 0) fail_and_recover(g->p, disk, &before, &state);
    result = open_on(g->p, disk, true, &store);
    WALK(result == SST_OK || (damaged && result == SST_ERR_EXISTS));
    if (result != SST_OK) return;
    right(store, g, least, damaged);
    same(store, &before, false);
    go_on(g->p, disk, store, &state);
}

static void run_program(const pair *p, const uint8_t *steps, size_t count) {
    static const uint64_t none[KINDS];
    uint64_t state = p->seed;
    sim_disk disk, after;
    bool loss = fuzz_below(&state, 2) == 0, damaged = fuzz_below(&state, 4) == 0;
    program g;
    size_t i;
    memset(&g, 0, sizeof g);
    memset(&after, 0, sizeof after);
    sim_init(&disk, p->seed);
    g.p = p;
    g.disk = &disk;
    program_create(&g);
    for (i = 0; i + 1 < count && i < 2 * MOST_STEPS; i += 2) {
        program_step(&g, steps[i], steps[i + 1]);
    }
    if (loss) {
        sim_loss how;
        memset(&how, 0, sizeof how);
        how.seed = fuzz_next(&state);
        how.garbage = fuzz_below(&state, 2) == 0;
        sim_crash(&disk, &after, &how);
    } else {
        sim_copy(&disk, &after, 3);
    }
    if (damaged) damage(&after, &state);
    WALK(sst_close(g.store) == SST_OK);
    sim_free(&disk);
    if (sim_lookup(&after, PAIR_PATH) != NULL) {
        program_after(&g, &after, damaged ? none : loss ? g.synced : g.rows, damaged);
    }
    WALK(memory.live == 0 && after.open_handles == 0 && after.open_maps == 0);
    sim_free(&after);
}

/* ---- one input ------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sim_disk disk;
    pair p;
    allocator = fuzz_allocator(&memory, 64 * size + (64u << 20));
    if (!pair_read(data, size, &p)) return 0;
    if ((p.options & RECOVER_PROGRAM) != 0) {
        p.options &= PAIR_NO_MAP | PAIR_NO_SYNC;
        run_program(&p, data + PAIR_HEAD, size - PAIR_HEAD);
        return 0;
    }
    sim_init(&disk, 1);
    pair_put(&p, &disk, false);
    recover(&p, &disk);
    WALK(memory.live == 0 && disk.open_handles == 0 && disk.open_maps == 0);
    sim_free(&disk);
    return 0;
}

/* A program is mutated step by step, two bytes each. */
static size_t mutate_program(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    size_t steps = (size - PAIR_HEAD) / 2, at = PAIR_HEAD + 2 * (size_t)fuzz_below(state, steps);
    switch (fuzz_below(state, 6)) {
    case 0: mend_put(data + 16, fuzz_next(state) >> fuzz_below(state, 64), 8); return size;
    case 1: data[0] = (uint8_t)(fuzz_next(state) | RECOVER_PROGRAM); return size;
    case 2:
        if (steps < 2) break;
        memmove(data + at, data + at + 2, size - at - 2);
        return size - 2;
    case 3:
        if (steps == 0 || size + 2 > max_size || steps >= MOST_STEPS) break;
        memmove(data + at + 2, data + at, size - at);
        data[at] = (uint8_t)fuzz_next(state);
        return size + 2;
    default: break;
    }
    return PAIR_HEAD + LLVMFuzzerMutate(data + PAIR_HEAD, size - PAIR_HEAD, max_size - PAIR_HEAD);
}

static size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    if (size >= PAIR_HEAD && max_size > PAIR_HEAD && (data[0] & RECOVER_PROGRAM) != 0) {
        return mutate_program(data, size, max_size, state);
    }
    return pair_mutate(data, size, max_size, state);
}
