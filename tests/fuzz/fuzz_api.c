/* fuzz_api.c - an input is a program: calls of the library on a store in memory, or in a file on a
 * simulated disk that is closed, killed, loses power and is read meanwhile. Every answer is that
 * of plain arrays (../model.h); the calls are those of ../test_model.c.
 *
 *     0     1   0 modulo 4: in memory; else in a file
 *     1     1   options: API_*
 *     2     1   size of blocks
 *     3     5   seed
 *     8     3   per step: which call, and a seed from which all else in it follows, so that a
 *               mutation of one step leaves the others as they are
 *
 * fuzz.h says how to compile. */
#define MODEL_BORROWED
#define MODEL_TEST_NAME "fuzz_api"
#define MODEL_BLOCK_SPAN 4096
#define SSTI_INDEX_BLOCKS 8
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 1u
#define SSTI_TAIL_FIRST_BYTES 256
#include "../test_model.c"
#include "../simdisk.h"
#include "fuzz.h"

#define API_HEAD 8u
#define API_STEP 3u
#define API_STEPS 60u
#define API_PATH "a"
#define API_RESTARTS 6              /* the disk remembers every companion until it is synced */

enum { API_NO_MAP = 1, API_NO_SYNC = 2, API_DEFERRED = 4, API_VERIFY = 8, API_NO_LIVE = 16 };

typedef struct api {
    run r;
    bool file;
    sim_disk disk[2], *now;
    int restarts;
    bool replaced;                  /* the companion of the file before may come back */
    bool loose;                     /* what was lost may come back: see api_restart */
    /* what power loss must leave */
    bool durable;                   /* the file, at least */
    uint32_t synced_streams;
    uint64_t synced_rows[MODEL_STREAMS];
    bool meta_changed;              /* since the last sync */
} api;

static void api_synced(api *a) {
    uint32_t i;
    a->durable = true;
    a->loose = false;
    a->meta_changed = false;
    a->synced_streams = a->r.model.count;
    for (i = 0; i < a->r.model.count; i++) a->synced_rows[i] = a->r.model.stream[i].rows;
}

/* ---- the file: opening, and how sessions end ------------------------------------------------ */

static void api_flags(api *a, uint32_t options) {
    run *r = &a->r;
    r->deferred = (options & API_DEFERRED) != 0;
    r->options.flags = r->deferred ? SST_DEFERRED : 0;
    if ((options & API_NO_MAP) != 0) r->options.flags |= SST_NO_MAP;
    if ((options & API_NO_SYNC) != 0) r->options.flags |= SST_NO_SYNC;
    if ((options & API_VERIFY) != 0) r->options.flags |= SST_VERIFY;
    if ((options & API_NO_LIVE) != 0) r->options.flags |= SST_NO_LIVE;
}

static void api_forget_stream(api *a, uint32_t i) {
    model_stream_free(&a->r.model.stream[i]);
    memset(&a->r.model.stream[i], 0, sizeof a->r.model.stream[i]);
}

/* Takes the metadata as they are: what was set since the last sync may be lost, in part. */
static void api_adopt_meta(model_meta *meta, sst_store *store, sst_stream *stream) {
    const void *value;
    const char *key;
    size_t size;
    uint32_t i;
    meta->count = 0;
    for (i = 0; i <= MODEL_METAS; i++) {
        int result = stream != NULL ? sst_stream_meta_at(stream, i, &key, &value, &size)
                                    : sst_meta_at(store, i, &key, &value, &size);
        if (result == SST_ERR_NOT_FOUND) return;
        if (!MODEL_INT(result, SST_OK) || !MODEL(i < MODEL_METAS)) return;
        if (!MODEL(size <= MODEL_META_BYTES && strlen(key) < sizeof meta->key[0])) return;
        model_meta_set(meta, key, value, size);
    }
}

/* Opens a handle on every stream; lost: rows, and whole streams at the end, may be missing. */
static void api_streams(api *a, bool lost) {
    run *r = &a->r;
    uint32_t i, count = sst_stream_count(r->store);
    if (!MODEL(count == r->model.count || (lost && count < r->model.count))) return;
    if (!MODEL(count >= a->synced_streams)) return;
    for (i = count; i < r->model.count; i++) {
        api_forget_stream(a, i);
        a->synced_rows[i] = 0;
    }
    r->model.count = count;
    check_names(r->store, &r->model);
    for (i = 0; i < count && !model_failed; i++) {
        model_stream *m = &r->model.stream[i];
        model_source source = {m, NULL, NULL, false};
        uint64_t rows;
        r->reader[i] = NULL;
        r->owner[i] = r->made[i] = false;
        if (!MODEL_INT(sst_stream_open(r->store, m->name, &r->writer[i]), SST_OK)) return;
        rows = sst_rows(r->writer[i]);
        if (!MODEL(rows == m->rows || (lost && rows < m->rows))) return;
        if (!MODEL(rows >= a->synced_rows[i])) return;
        m->rows = m->sealed = rows;
        source.handle = r->writer[i];
        model_check_all(&source);
        if (lost) api_adopt_meta(&m->meta, r->store, r->writer[i]);
        else model_check_meta(&m->meta, r->store, r->writer[i]);
        if (lost && m->finished) MODEL_INT(sst_stream_finish(r->writer[i]), SST_OK);
    }
}

/* A new file, whatever is there. */
static void api_create(api *a) {
    run *r = &a->r;
    while (r->model.count > 0) api_forget_stream(a, --r->model.count);
    r->model.meta.count = 0;
    a->durable = false;
    a->loose = a->replaced;             /* the file before may come back too */
    a->synced_streams = 0;
    memset(a->synced_rows, 0, sizeof a->synced_rows);
    r->options.flags |= SST_REPLACE;
    MODEL_INT(sst_create(API_PATH, &r->options, &r->store), SST_OK);
    r->options.flags &= ~(uint32_t)SST_REPLACE;
}

/* Where power was lost before the first sync there may be nothing to open. */
static void api_open(api *a, bool lost) {
    run *r = &a->r;
    int result;
    result = sst_open_append(API_PATH, &r->options, &r->store);
    if (result == SST_ERR_EXISTS && a->replaced) {
        r->options.flags |= SST_REPLACE;
        result = sst_open_append(API_PATH, &r->options, &r->store);
        r->options.flags &= ~(uint32_t)SST_REPLACE;
    }
    if (lost && !a->durable && result != SST_OK) {
        MODEL(result == SST_ERR_NOT_FOUND || result == SST_ERR_FORMAT ||
              result == SST_ERR_EXISTS);
        a->replaced = true;
        api_create(a);
        return;
    }
    if (!MODEL_INT(result, SST_OK)) return;
    if (lost && a->meta_changed) api_adopt_meta(&r->model.meta, r->store, NULL);
    else model_check_meta(&r->model.meta, r->store, NULL);
    api_streams(a, lost);
    if ((r->options.flags & SST_NO_SYNC) == 0) api_synced(a);
    else if (lost) a->loose = true;
}

/* The disk goes on as what a kill or the loss of power leaves of it. */
static void api_crash(api *a, bool power) {
    run *r = &a->r;
    sim_disk *next = a->now == &a->disk[0] ? &a->disk[1] : &a->disk[0];
    uint32_t i;
    close_snapshot(&r->snap[0]);
    close_snapshot(&r->snap[1]);
    for (i = 0; i < r->model.count && power; i++) {
        uint64_t rows = sst_durable_rows(r->writer[i]);
        if (!MODEL(rows <= r->model.stream[i].rows)) return;
        if (rows > a->synced_rows[i]) a->synced_rows[i] = rows;
    }
    if (power) {
        sim_loss loss;
        memset(&loss, 0, sizeof loss);
        loss.seed = test_random(&r->random);
        loss.garbage = chance(r, 2);
        sim_crash(a->now, next, &loss);
    } else {
        sim_copy(a->now, next, test_random(&r->random));
    }
    MODEL_INT(sst_close(r->store), SST_OK);
    sim_free(a->now);
    a->now = next;
    r->options.io = &next->io;
}

enum { API_CLOSED, API_KILLED, API_POWER };

/* A session ends, and another one begins. */
static void api_restart(api *a, int how) {
    run *r = &a->r;
    bool lost = how == API_POWER;
    sst_info info;
    if (!a->file || ++a->restarts > API_RESTARTS) return;
    model_check_holds(&r->holds);
    memset(&r->holds, 0, sizeof r->holds);
    memset(&r->lent, 0, sizeof r->lent);
    if (!MODEL_INT(sst_store_info(r->store, &info), SST_OK)) return;
    if (how == API_CLOSED) {
        MODEL_INT(sst_close(r->store), SST_OK);
        if ((r->options.flags & SST_NO_SYNC) == 0) api_synced(a);
    } else {
        if (!info.kill_safe) lost = true;
        api_crash(a, how == API_POWER);
    }
    r->store = NULL;
    r->torn = how == API_POWER;
    api_flags(a, (uint32_t)test_below(&r->random, 32) & (uint32_t)test_below(&r->random, 32));
    /* A recovery that was never synced may be lost with the power too. Then what it had not found
     * may be there again, and the model knows nothing of it: a new file. */
    if (how == API_POWER && a->loose && !model_failed) {
        a->replaced = true;
        api_create(a);
    } else if (!model_failed) {
        api_open(a, lost);
    }
}

/* ---- a reader of the file that is being recorded -------------------------------------------- */

/* What a reader sees now: everything, unless tails are in the writer's memory. */
static void api_reader_rows(api *a, snapshot *s) {
    run *r = &a->r;
    model_store before = s->model;
    uint32_t i, had = before.count;
    sst_info info;
    if (!MODEL_INT(sst_store_info(r->store, &info), SST_OK)) return;
    model_store_copy(&s->model, &r->model);
    model_store_free(&before);
    check_names(s->store, &s->model);
    model_check_meta(&s->model.meta, s->store, NULL);
    for (i = 0; i < s->model.count && !model_failed; i++) {
        model_stream *m = &s->model.stream[i];
        model_source source = {m, NULL, &s->holds, s->aligned};
        uint64_t rows;
        if (i >= had) MODEL_INT(sst_stream_open(s->store, m->name, &s->handle[i]), SST_OK);
        source.handle = s->handle[i];
        rows = sst_rows(source.handle);
        m->sealed = r->model.stream[i].sealed;
        if (!MODEL(rows == m->rows || (!info.kill_safe && rows < m->rows))) return;
        if (!MODEL(rows >= m->sealed)) return;
        m->rows = rows;
        model_check_all(&source);
        model_check_meta(&m->meta, s->store, source.handle);
    }
}

static void api_reader(api *a) {
    static const uint32_t flags[5] = {0, SST_VERIFY, SST_TRUST, SST_NO_MAP,
                                      SST_NO_MAP | SST_VERIFY};
    run *r = &a->r;
    snapshot *s = &r->snap[test_below(&r->random, 2)];
    sst_options options = r->options;
    sst_info info;
    close_snapshot(s);
    options.flags = flags[test_below(&r->random, 5)];
    s->aligned = (options.flags & SST_NO_MAP) == 0;
    s->live = true;
    if (!MODEL_INT(sst_open(API_PATH, &options, &s->store), SST_OK)) return;
    MODEL_INT(sst_store_info(s->store, &info), SST_OK);
    MODEL_INT(info.state, SST_RECORDING);
    api_reader_rows(a, s);
}

static void api_refresh(api *a) {
    snapshot *s = &a->r.snap[test_below(&a->r.random, 2)];
    if (s->store == NULL || !s->live) return;
    model_check_holds(&s->holds);
    if (!MODEL_INT(sst_refresh(s->store), SST_OK)) return;
    model_check_holds(&s->holds);
    api_reader_rows(a, s);
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* Calls that must be refused. */
static void api_odd(api *a) {
    run *r = &a->r;
    sst_options options = r->options;
    sst_store *store = r->store;
    sst_info info;
    MODEL_INT(sst_store_info(NULL, &info), SST_ERR_ARG);
    MODEL_INT(sst_store_info(r->store, NULL), SST_ERR_ARG);
    MODEL_INT(sst_flush(NULL), SST_ERR_ARG);
    MODEL_INT(sst_sync(NULL), SST_ERR_ARG);
    MODEL_INT(sst_refresh(r->store), SST_OK);
    MODEL_INT(sst_open(NULL, &options, &store), SST_ERR_ARG);
    MODEL(store == NULL);
    if (!a->file) return;
    MODEL_INT(sst_open("absent", &options, &store), SST_ERR_NOT_FOUND);
    MODEL_INT(sst_open_append(API_PATH, &options, &store), SST_ERR_LOCKED);
    MODEL_INT(sst_create(API_PATH, &options, &store), SST_ERR_EXISTS);
    options.flags |= SST_REPLACE;
    MODEL_INT(sst_create(API_PATH, &options, &store), SST_ERR_LOCKED);
    options.flags |= SST_HALF_OPEN;
    MODEL_INT(sst_create(API_PATH, &options, &store), SST_ERR_ARG);
}

static void api_queries(run *r) {
    uint64_t n = 1 + test_below(&r->random, 6);
    for (; n > 0 && r->model.count > 0 && !model_failed; n--) {
        model_source s = source_of(r, (uint32_t)test_below(&r->random, r->model.count));
        model_query(&s, &r->random);
    }
}

static void api_on_stream(run *r, uint32_t what) {
    uint32_t i = (uint32_t)test_below(&r->random, r->model.count);
    if (r->model.count == 0) {
        op_create(r);
        return;
    }
    switch (what) {
    case 0: op_append_view(r, i); break;
    case 1: op_append_bad(r, i); break;
    case 2: op_create_bad(r, i); break;
    case 3: op_open_existing(r, i); break;
    case 4: op_reopen(r, i); break;
    case 5: op_second_handle(r, i); break;
    case 6: if (chance(r, 4)) op_finish(r, i); break;
    default: op_append(r, i); break;
    }
}

static void api_seal(api *a, uint32_t what) {
    run *r = &a->r;
    uint32_t i;
    if (what == 0) MODEL_INT(sst_flush(r->store), SST_OK);
    if (what == 1) MODEL_INT(sst_sync(r->store), SST_OK);
    if (what == 2) MODEL_INT(sst_poll(r->store), SST_OK);
    if (what < 2) all_sealed(r);
    if (what == 1) api_synced(a);
    for (i = 0; i < r->model.count && what == 1; i++) {
        uint64_t rows = a->file ? r->model.stream[i].rows : 0;
        MODEL_INT(sst_durable_rows(r->writer[i]), rows);
    }
}

static void api_step(api *a, uint8_t what) {
    run *r = &a->r;
    switch (what % 32) {
    case 12: op_create(r); break;
    case 13: case 14:
        op_meta(r);
        a->meta_changed = true;
        break;
    case 15: case 16: case 17: api_seal(a, what % 32u - 15); break;
    case 18: op_verify(r); break;
    case 19:
        check_names(r->store, &r->model);
        model_check_holds(&r->holds);
        check_lent(r);
        break;
    case 20: case 21: api_queries(r); break;
    case 22: op_together(r); break;
    case 23: if (a->file) api_reader(a); else op_open_image(r); break;
    case 24: case 25: op_snapshot(r); break;
    case 26: op_snapshot_refuses(r); break;
    case 27: if (a->file) api_refresh(a); else op_open_short(r); break;
    case 28: api_restart(a, API_CLOSED); break;
    case 29: api_restart(a, API_KILLED); break;
    case 30: api_restart(a, API_POWER); break;
    case 31: api_odd(a); break;
    default: api_on_stream(r, what % 32u); break;
    }
}

/* ---- one input ------------------------------------------------------------------------------ */

static void api_begin(api *a, const uint8_t *head, const sst_allocator *allocator) {
    run *r = &a->r;
    a->now = &a->disk[0];
    a->file = head[0] % 4 != 0;
    sim_init(a->now, mend_u32(head + 3));
    r->random = mend_u32(head + 4);
    r->options.allocator = allocator;
    r->options.block_bytes = 512u + head[2] * 16u;
    r->options.seed = head[3] | 1u;
    r->options.sync_align = SIM_SECTOR;
    if (a->file) r->options.seed = 0;
    r->options.io = &a->now->io;
    api_flags(a, a->file ? head[1] : head[1] & API_DEFERRED);
    r->retains = !a->file && (head[1] & API_VERIFY) != 0;
    if (a->file) api_create(a);
    else MODEL_INT(sst_create(NULL, &r->options, &r->store), SST_OK);
}

/* A file is closed and read once more. */
static void api_finish(api *a) {
    run *r = &a->r;
    uint32_t i;
    if (!a->file) {
        finish_run(r);
        return;
    }
    a->restarts = 0;
    api_restart(a, API_CLOSED);
    for (i = 0; i < 2; i++) close_snapshot(&r->snap[i]);
    MODEL_INT(sst_close(r->store), SST_OK);
    model_store_free(&r->model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_memory memory;
    sst_allocator allocator = fuzz_allocator(&memory, 256u << 20);
    api *a;
    size_t at;
    if (size < API_HEAD) return 0;
    a = (api *)calloc(1, sizeof *a);
    if (a == NULL) return 0;
    api_begin(a, data, &allocator);
    for (at = API_HEAD; at + API_STEP <= size && !model_failed; at += API_STEP) {
        model_step = (at - API_HEAD) / API_STEP;
        if (model_step == API_STEPS) break;
        a->r.random = mend_u16(data + at + 1) * 0x9E3779B97F4A7C15u + data[at];
        api_step(a, data[at]);
    }
    if (!model_failed) api_finish(a);
    if (!model_failed) {
        MODEL(memory.live == 0);
        MODEL(a->now->open_handles == 0 && a->now->open_maps == 0);
    }
    if (model_failed) {
        fflush(stdout);
        abort();
    }
    sim_free(&a->disk[0]);
    sim_free(&a->disk[1]);
    free(a);
    return 0;
}

/* Whole steps are put in, taken out, moved and changed. */
static size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t *state) {
    size_t steps = size < API_HEAD ? 0 : (size - API_HEAD) / API_STEP, at, to, i;
    uint8_t step[API_STEP];
    if (steps == 0 || fuzz_below(state, 8) == 0) return LLVMFuzzerMutate(data, size, max_size);
    at = API_HEAD + API_STEP * (size_t)fuzz_below(state, steps);
    to = API_HEAD + API_STEP * (size_t)fuzz_below(state, steps);
    memcpy(step, data + at, API_STEP);
    switch (fuzz_below(state, 6)) {
    case 0: data[fuzz_below(state, API_HEAD)] = (uint8_t)fuzz_next(state); break;
    case 1: data[at] = (uint8_t)fuzz_next(state); break;
    case 2: mend_put(data + at + 1, fuzz_next(state), 2); break;
    case 3:
        memmove(data + at, data + at + API_STEP, size - at - API_STEP);
        return size - API_STEP;
    case 4:
        if (size + API_STEP > max_size || steps >= API_STEPS) break;
        memmove(data + to + API_STEP, data + to, size - to);
        for (i = 0; i < API_STEP; i++) data[to + i] = (uint8_t)fuzz_next(state);
        if (fuzz_below(state, 2) == 0) memcpy(data + to, step, API_STEP);
        return size + API_STEP;
    default:
        memcpy(data + at, data + to, API_STEP);
        memcpy(data + to, step, API_STEP);
        break;
    }
    return size;
}
