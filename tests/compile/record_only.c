/* record_only.c - with read_back.c: what a copy of the library that only records, in fixed memory
 * and without a system, leaves on a disk that is an array, is read by one that can. */
#define STREAMSTORE_PREFIX rec_
#define STREAMSTORE_NO_OS
#define STREAMSTORE_NO_READ
#define STREAMSTORE_NO_MALLOC
#define STREAMSTORE_IMPLEMENTATION
#include "streamstore.h"
#include "record_only.h"

static int disk_open(void *user, const char *path, uint32_t mode, void **file) {
    (void)path;
    *file = user;
    return (mode & SST_IO_CREATE) != 0 ? SST_OK : SST_ERR_NOT_FOUND;
}

static int disk_close(void *user, void *file) {
    return user == file ? SST_OK : SST_ERR_ARG;
}

static int disk_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                      size_t *done) {
    record_disk *d = (record_disk *)user;
    size_t room = d->capacity - (size_t)offset;
    *done = size < room ? size : room;
    memcpy(d->bytes + offset, bytes, *done);
    if (d->size < offset + *done) d->size = (size_t)offset + *done;
    return user == file ? SST_OK : SST_ERR_ARG;
}

static int disk_sync(void *user, void *file) { return disk_close(user, file); }

/* As many rows as there is room for, in turns; how often a stream's turn is, its number says. */
static int fill(const record_job *job, sst_store *store, sst_stream **streams, uint64_t *rows) {
    uint32_t i, k;
    uint64_t turn;
    for (turn = 0; turn < job->turns; turn++) {
        for (i = 0; i < job->streams; i++) {
            uint32_t value[RECORD_ITEMS];
            int result;
            if (turn % (i + 1) != 0) continue;
            for (k = 0; k < RECORD_ITEMS; k++) value[k] = record_value(i, rows[i], k);
            result = sst_append(streams[i], record_time(i, rows[i]), value);
            if (result != SST_OK) return result;
            rows[i]++;
        }
        if (job->sync_every != 0 && turn % job->sync_every == 0) {
            int result = sst_sync(store);
            if (result != SST_OK) return result;
        }
    }
    return SST_OK;
}

int record(const record_job *job, record_disk *disk, uint64_t *rows, size_t *peak) {
    sst_arena arena;
    sst_allocator allocator;
    sst_options options;
    sst_io io;
    sst_store *store;
    sst_stream *streams[RECORD_STREAMS];
    uint32_t i;
    int result;
    memset(&options, 0, sizeof options);
    memset(&io, 0, sizeof io);
    arena.memory = job->memory;
    arena.size = job->memory_bytes;
    arena.used = arena.peak = 0;
    allocator = sst_arena_allocator(&arena);
    io.user = disk;
    io.open = disk_open;
    io.close = disk_close;
    io.write_at = disk_write;
    io.sync = disk_sync;
    options.allocator = &allocator;
    options.io = &io;
    options.block_bytes = job->block_bytes;
    options.sync_align = 512;
    options.seed = 99;
    result = sst_create("disk", &options, &store);
    if (result != SST_OK) return result;
    for (i = 0; i < job->streams && result == SST_OK; i++) {
        sst_stream_desc desc;
        char name[2] = {0, 0};
        memset(&desc, 0, sizeof desc);
        name[0] = (char)('a' + i);
        desc.name = name;
        desc.type = SST_U32;
        desc.shape[0] = RECORD_ITEMS;
        result = sst_stream_create(store, &desc, &streams[i]);
        rows[i] = 0;
    }
    if (result == SST_OK) result = fill(job, store, streams, rows);
    if (result == SST_OK) result = sst_close(store);
    else (void)sst_close(store);
    *peak = arena.peak;
    return result;
}
