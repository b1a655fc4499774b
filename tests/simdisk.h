/* simdisk.h - a simulated disk behind sst_io: it forgets what was not synced.
 *
 * A sim_disk holds files in memory. Each has what the programs see (`content`), what the medium
 * surely holds (`base`), and between them the log of writes and changes of size that no sync has
 * made durable yet; likewise the directory. From one disk, other disks are made:
 *
 *     sim_copy     the process was killed: everything the kernel was told is there, durably;
 *     sim_clone    the same, but what was not durable is not;
 *     sim_crash    the machine lost power: any subset of what was not synced is there.
 *
 * What sim_crash may do with what was not synced (Pillai et al., "All File Systems Are Not Created
 * Equal", OSDI 2014; Zheng et al., "Torturing Databases for Fun and Profit", OSDI 2014): every
 * sector (512 bytes) of every write is on the medium or not; of a sector in flight garbage may be
 * left; the size is what it was at any moment since the last sync; new space that no write reached
 * has zeros, what these places held before (of this file, of another one), or garbage; renames,
 * removals and new names are kept or not. A failed sync may drop what it was to write for good
 * (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
 *
 * One thread. Mappings are the memory of the file itself. POSIX (mmap); include streamstore.h and
 * test.h before. */
#ifndef SIMDISK_H
#define SIMDISK_H

#include <sys/mman.h>

#define SIM_SECTOR 512u
#define SIM_CAPACITY ((size_t)64 << 20)     /* address range of a file: a segment of the library */
#define SIM_FILES 24                        /* names of a disk, and files that lost theirs */
#define SIM_NAME 64
#define SIM_POOL 64                         /* address ranges kept for the next files */
#define SIM_POOL_DIRTY ((uint64_t)1 << 20)  /* only those that are soon zero again */

typedef enum sim_kind {
    SIM_OPEN, SIM_CLOSE, SIM_WRITE, SIM_READ, SIM_SIZE, SIM_RESIZE, SIM_SYNC, SIM_RESERVE, SIM_MAP,
    SIM_UNMAP, SIM_LOCK, SIM_REMOVE, SIM_RENAME, SIM_SYNC_DIR, SIM_KINDS
} sim_kind;

static inline const char *sim_kind_name(sim_kind kind) {
    static const char *const names[SIM_KINDS] = {
        "open", "close", "write", "read", "size", "resize", "sync", "reserve", "map", "unmap",
        "lock", "remove", "rename", "sync_dir"
    };
    return (unsigned)kind < SIM_KINDS ? names[kind] : "?";
}

/* A write (bytes != NULL) or a change of size that is not durable. */
typedef struct sim_change {
    struct sim_change *next;
    uint64_t offset;            /* of a change of size: the new size */
    size_t size;
    uint8_t *bytes;
    bool lost;                  /* a sync failed on it: later ones do not help */
} sim_change;

typedef struct sim_file {
    uint8_t *content;           /* SIM_CAPACITY of address range */
    uint8_t *base;              /* what is durable, base_size of base_capacity bytes */
    uint64_t size, base_size, base_capacity;
    uint64_t touched;           /* no byte of content at or behind is other than 0 */
    uint64_t reserved;
    sim_change *first, **last;
    uint8_t *ghost;             /* what the space behind a truncation held: [ghost_start, _end) */
    uint64_t ghost_start, ghost_end;
    bool mapped;                /* for writing: its bytes change without our knowing */
    bool locked;
    uint32_t handles, names;
} sim_file;

/* A change of the directory: `name` is `file` from now on (NULL: is gone). A rename is two changes
 * of the same number, kept or lost together. */
typedef struct sim_entry {
    char name[SIM_NAME];
    sim_file *file;
    uint32_t number;
} sim_entry;

/* What to do with calls of one kind: from the nth (1, 2, ...) on, `count` of them fail. */
typedef struct sim_fault {
    bool armed;
    sim_kind kind;
    uint64_t nth, count;
    int result;                 /* what a failing call returns; SST_OK: a short transfer, 1 byte */
} sim_fault;

typedef struct sim_disk {
    sst_io io;
    sim_file *files[SIM_FILES];
    uint32_t file_count;
    sim_entry names[SIM_FILES], base_names[SIM_FILES];
    uint32_t name_count, base_name_count;
    sim_entry changes[4 * SIM_FILES];       /* of the directory, not durable */
    uint32_t change_count, change_number;
    const uint8_t *stale;       /* what unused space of the medium may hold; not owned */
    size_t stale_size;
    uint8_t *freed;             /* what the last file that is gone and was mapped held */
    uint64_t freed_size;
    bool plain;                 /* no power will be lost: nothing is noted for sim_crash */
    uint64_t space;             /* bytes the disk has for all files; 0: no limit */
    uint64_t random;            /* entropy: two disks never give the same salt */
    int64_t now;
    sim_fault fault;
    uint64_t calls[SIM_KINDS];  /* since sim_arm, or ever */
    uint64_t open_handles, open_maps;
    /* Called before and after every call that changes something or makes it durable. */
    void (*watch)(void *context, struct sim_disk *disk, sim_kind kind, bool after);
    void *watch_context;
} sim_disk;

typedef struct sim_handle {
    sim_file *file;
    bool locked, writes;
} sim_handle;

static inline void *sim_memory(size_t size) {
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) {
        printf("out of memory\n");
        exit(1);
    }
    return memory;
}

/* ---- files -------------------------------------------------------------------------------- */

/* Address ranges of files that are gone, all zero: to make one anew takes longer than a test. */
static uint8_t *sim_pool[SIM_POOL];
static uint32_t sim_pooled;

static inline uint8_t *sim_range_take(void) {
    void *range;
    if (sim_pooled != 0) return sim_pool[--sim_pooled];
    range = mmap(NULL, SIM_CAPACITY, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
        printf("simdisk: no address range\n");
        exit(1);
    }
    return (uint8_t *)range;
}

/* `dirty`: no byte from there on was written to. */
static inline void sim_range_drop(uint8_t *range, uint64_t dirty) {
    if (sim_pooled == SIM_POOL || dirty > SIM_POOL_DIRTY) {
        munmap(range, SIM_CAPACITY);
        return;
    }
    memset(range, 0, (size_t)dirty);
    sim_pool[sim_pooled++] = range;
}

static inline sim_file *sim_file_new(sim_disk *disk) {
    sim_file *file;
    if (disk->file_count == SIM_FILES) {
        printf("simdisk: too many files\n");
        exit(1);
    }
    file = (sim_file *)sim_memory(sizeof *file);
    file->content = sim_range_take();
    file->last = &file->first;
    disk->files[disk->file_count++] = file;
    return file;
}

static inline void sim_forget_changes(sim_file *file) {
    while (file->first != NULL) {
        sim_change *change = file->first;
        file->first = change->next;
        free(change->bytes);
        free(change);
    }
    file->last = &file->first;
}

static inline void sim_file_free(sim_file *file) {
    sim_forget_changes(file);
    sim_range_drop(file->content, file->touched > file->size ? file->touched : file->size);
    free(file->base);
    free(file->ghost);
    free(file);
}

/* What the programs may have put into content reaches at most this far. */
static inline uint64_t sim_reach(const sim_file *file) {
    return file->mapped || file->touched > file->size ? file->size : file->touched;
}

static inline void sim_base_resize(sim_file *file, uint64_t size) {
    if (size > file->base_capacity) {
        uint64_t capacity = size + size / 2 + 4096;
        file->base = (uint8_t *)realloc(file->base, (size_t)capacity);
        if (file->base == NULL) {
            printf("out of memory\n");
            exit(1);
        }
        file->base_capacity = capacity;
    }
    if (size > file->base_size) {
        memset(file->base + file->base_size, 0, (size_t)(size - file->base_size));
    }
    file->base_size = size;
}

/* What the space behind a truncation held may come back where the file grows again. */
static inline void sim_keep_ghost(sim_file *file, uint64_t size) {
    uint64_t end = sim_reach(file), start = size;
    uint8_t *ghost;
    if (size >= end) return;
    if (file->ghost != NULL && file->ghost_end > end) end = file->ghost_end;
    if (file->ghost != NULL && file->ghost_start < start) start = file->ghost_start;
    ghost = (uint8_t *)sim_memory((size_t)(end - start));
    if (file->ghost != NULL) {
        memcpy(ghost + (file->ghost_start - start), file->ghost,
               (size_t)(file->ghost_end - file->ghost_start));
    }
    memcpy(ghost + (size - start), file->content + size, (size_t)(sim_reach(file) - size));
    free(file->ghost);
    file->ghost = ghost;
    file->ghost_start = start;
    file->ghost_end = end;
}

/* Content beyond the size is always zero. */
static inline void sim_content_resize(sim_file *file, uint64_t size) {
    if (size < file->size) {
        uint64_t end = sim_reach(file);
        sim_keep_ghost(file, size);
        if (size < end) memset(file->content + size, 0, (size_t)(end - size));
        if (file->touched > size) file->touched = size;
    }
    file->size = size;
}

static inline void sim_log(sim_file *file, uint64_t offset, const void *bytes, size_t size) {
    sim_change *change = (sim_change *)sim_memory(sizeof *change);
    change->offset = offset;
    change->size = size;
    if (bytes != NULL) {
        change->bytes = (uint8_t *)sim_memory(size);
        memcpy(change->bytes, bytes, size);
    }
    *file->last = change;
    file->last = &change->next;
}

static inline void sim_content_write(sim_file *file, uint64_t offset, const void *bytes,
                                     size_t size) {
    memcpy(file->content + offset, bytes, size);
    if (offset + size > file->touched) file->touched = offset + size;
    if (offset + size > file->size) file->size = offset + size;
}

static inline void sim_base_write(sim_file *file, uint64_t offset, const void *bytes,
                                  size_t size) {
    if (size == 0) return;
    if (offset + size > file->base_size) sim_base_resize(file, offset + size);
    memcpy(file->base + offset, bytes, size);
}

/* Everything logged is durable, except what an earlier failed sync lost. */
static inline void sim_file_sync(sim_file *file) {
    sim_change **at = &file->first;
    while (*at != NULL) {
        sim_change *change = *at;
        if (change->lost) {
            at = &change->next;
            continue;
        }
        if (change->bytes == NULL) sim_base_resize(file, change->offset);
        else sim_base_write(file, change->offset, change->bytes, change->size);
        *at = change->next;
        free(change->bytes);
        free(change);
    }
    file->last = at;
    if (file->mapped) sim_base_write(file, 0, file->content, (size_t)file->size);
}

/* ---- the directory ------------------------------------------------------------------------ */

static inline sim_entry *sim_find(sim_entry *names, uint32_t count, const char *name) {
    uint32_t i;
    for (i = 0; i < count; i++) {
        if (strcmp(names[i].name, name) == 0) return &names[i];
    }
    return NULL;
}

/* Sets or removes one name in a list. */
static inline void sim_name_set(sim_entry *names, uint32_t *count, const char *name,
                                sim_file *file) {
    sim_entry *entry = sim_find(names, *count, name);
    if (file == NULL) {
        if (entry != NULL) *entry = names[--*count];
        return;
    }
    if (entry == NULL) {
        if (*count == SIM_FILES || strlen(name) >= SIM_NAME) {
            printf("simdisk: too many or too long names\n");
            exit(1);
        }
        entry = &names[(*count)++];
        strcpy(entry->name, name);
    }
    entry->file = file;
}

static inline bool sim_named(const sim_disk *disk, const sim_file *file) {
    uint32_t i;
    for (i = 0; i < disk->name_count; i++) {
        if (disk->names[i].file == file) return true;
    }
    for (i = 0; i < disk->base_name_count; i++) {
        if (disk->base_names[i].file == file) return true;
    }
    for (i = 0; i < disk->change_count; i++) {
        if (disk->changes[i].file == file) return true;
    }
    return false;
}

/* The next mapped file may get the space of one that is gone. */
static inline void sim_keep_freed(sim_disk *disk, const sim_file *file) {
    if (!file->mapped || disk->plain || file->size == 0) return;
    free(disk->freed);
    disk->freed = (uint8_t *)sim_memory((size_t)file->size);
    disk->freed_size = file->size;
    memcpy(disk->freed, file->content, (size_t)file->size);
}

/* Frees the files that no name, durable or not, and no handle refers to. */
static inline void sim_collect(sim_disk *disk) {
    uint32_t i = 0;
    while (i < disk->file_count) {
        if (disk->files[i]->handles == 0 && !sim_named(disk, disk->files[i])) {
            sim_keep_freed(disk, disk->files[i]);
            sim_file_free(disk->files[i]);
            disk->files[i] = disk->files[--disk->file_count];
        } else {
            i++;
        }
    }
}

static inline void sim_dir_sync(sim_disk *disk) {
    memcpy(disk->base_names, disk->names, sizeof disk->names);
    disk->base_name_count = disk->name_count;
    disk->change_count = 0;
    sim_collect(disk);
}

static inline void sim_dir_log(sim_disk *disk, const char *name, sim_file *file) {
    if (disk->change_count == sizeof disk->changes / sizeof disk->changes[0]) sim_dir_sync(disk);
    strcpy(disk->changes[disk->change_count].name, name);
    disk->changes[disk->change_count].file = file;
    disk->changes[disk->change_count++].number = disk->change_number;
}

/* A name is `file` from now on (NULL: gone), for programs at once, on the medium some time. */
static inline void sim_dir_change(sim_disk *disk, const char *name, sim_file *file) {
    sim_dir_log(disk, name, file);
    sim_name_set(disk->names, &disk->name_count, name, file);
}

static inline sim_file *sim_lookup(sim_disk *disk, const char *name) {
    sim_entry *entry = sim_find(disk->names, disk->name_count, name);
    return entry == NULL ? NULL : entry->file;
}

/* ---- sst_io ------------------------------------------------------------------------------- */

static inline void sim_watch(sim_disk *disk, sim_kind kind, bool after) {
    if (disk->watch != NULL) disk->watch(disk->watch_context, disk, kind, after);
}

/* Counts a call; true: it fails now, with disk->fault.result. */
static inline bool sim_fails(sim_disk *disk, sim_kind kind) {
    uint64_t call = ++disk->calls[kind];
    const sim_fault *fault = &disk->fault;
    return fault->armed && fault->kind == kind && call >= fault->nth &&
           call - fault->nth < fault->count;
}

/* What a failing call of a kind that transfers nothing returns. */
static inline int sim_failure(const sim_disk *disk) {
    return disk->fault.result == SST_OK ? SST_ERR_IO : disk->fault.result;
}

static inline int sim_io_open(void *user, const char *path, uint32_t mode, void **out) {
    sim_disk *disk = (sim_disk *)user;
    sim_file *file = sim_lookup(disk, path);
    sim_handle *handle;
    *out = NULL;
    if (sim_fails(disk, SIM_OPEN)) return sim_failure(disk);
    if (file != NULL && (mode & SST_IO_EXCLUSIVE) != 0) return SST_ERR_EXISTS;
    if (file == NULL && (mode & SST_IO_CREATE) == 0) return SST_ERR_NOT_FOUND;
    if (file == NULL) {
        sim_watch(disk, SIM_OPEN, false);
        file = sim_file_new(disk);
        disk->change_number++;
        sim_dir_change(disk, path, file);
        sim_watch(disk, SIM_OPEN, true);
    }
    handle = (sim_handle *)sim_memory(sizeof *handle);
    handle->file = file;
    handle->writes = (mode & SST_IO_WRITE) != 0;
    file->handles++;
    disk->open_handles++;
    *out = handle;
    return SST_OK;
}

static inline int sim_io_close(void *user, void *file) {
    sim_disk *disk = (sim_disk *)user;
    sim_handle *handle = (sim_handle *)file;
    int result = sim_fails(disk, SIM_CLOSE) ? sim_failure(disk) : SST_OK;
    if (handle->locked) handle->file->locked = false;
    handle->file->handles--;
    disk->open_handles--;
    free(handle);
    sim_collect(disk);
    return result;
}

/* Bytes that all files together may still grow by. */
static inline uint64_t sim_room(const sim_disk *disk) {
    uint64_t used = 0;
    uint32_t i;
    if (disk->space == 0) return SIM_CAPACITY;
    for (i = 0; i < disk->file_count; i++) {
        const sim_file *file = disk->files[i];
        used += file->size > file->reserved ? file->size : file->reserved;
    }
    return used > disk->space ? 0 : disk->space - used;
}

static inline int sim_io_write(void *user, void *file, uint64_t offset, const void *bytes,
                               size_t size, size_t *done) {
    sim_disk *disk = (sim_disk *)user;
    sim_handle *handle = (sim_handle *)file;
    sim_file *f = handle->file;
    uint64_t allocated = f->size > f->reserved ? f->size : f->reserved;
    *done = 0;
    if (!handle->writes) return SST_ERR_IO;
    if (sim_fails(disk, SIM_WRITE)) {
        if (disk->fault.result != SST_OK) return disk->fault.result;
        size = size > 1 ? 1 : size;
    }
    if (offset > SIM_CAPACITY || size > SIM_CAPACITY - offset) return SST_ERR_FULL;
    if (offset + size > allocated && offset + size - allocated > sim_room(disk)) {
        uint64_t end = allocated + sim_room(disk);
        if (end <= offset) return SST_ERR_FULL;
        size = (size_t)(end - offset);
    }
    sim_watch(disk, SIM_WRITE, false);
    sim_content_write(f, offset, bytes, size);
    if (!disk->plain) sim_log(f, offset, bytes, size);
    *done = size;
    sim_watch(disk, SIM_WRITE, true);
    return SST_OK;
}

static inline int sim_io_read(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                              size_t *done) {
    sim_disk *disk = (sim_disk *)user;
    const sim_file *f = ((sim_handle *)file)->file;
    *done = 0;
    if (sim_fails(disk, SIM_READ)) {
        if (disk->fault.result != SST_OK) return disk->fault.result;
        size = size > 1 ? 1 : size;
    }
    if (offset >= f->size) return SST_OK;
    if (size > f->size - offset) size = (size_t)(f->size - offset);
    memcpy(bytes, f->content + offset, size);
    *done = size;
    return SST_OK;
}

static inline int sim_io_size(void *user, void *file, uint64_t *size) {
    *size = ((sim_handle *)file)->file->size;
    return sim_fails((sim_disk *)user, SIM_SIZE) ? sim_failure((sim_disk *)user) : SST_OK;
}

static inline int sim_io_resize(void *user, void *file, uint64_t size) {
    sim_disk *disk = (sim_disk *)user;
    sim_file *f = ((sim_handle *)file)->file;
    if (!((sim_handle *)file)->writes) return SST_ERR_IO;
    if (sim_fails(disk, SIM_RESIZE)) return sim_failure(disk);
    if (size > SIM_CAPACITY) return SST_ERR_FULL;
    sim_watch(disk, SIM_RESIZE, false);
    sim_content_resize(f, size);
    if (!disk->plain) sim_log(f, size, NULL, 0);
    if (f->reserved > size) f->reserved = size;
    sim_watch(disk, SIM_RESIZE, true);
    return SST_OK;
}

static inline int sim_io_sync(void *user, void *file) {
    sim_disk *disk = (sim_disk *)user;
    sim_file *f = ((sim_handle *)file)->file;
    if (sim_fails(disk, SIM_SYNC)) {
        sim_change *change;
        for (change = f->first; change != NULL; change = change->next) change->lost = true;
        return sim_failure(disk);
    }
    sim_watch(disk, SIM_SYNC, false);
    if (!disk->plain) sim_file_sync(f);
    sim_watch(disk, SIM_SYNC, true);
    return SST_OK;
}

static inline int sim_io_reserve(void *user, void *file, uint64_t size) {
    sim_disk *disk = (sim_disk *)user;
    sim_file *f = ((sim_handle *)file)->file;
    uint64_t allocated = f->size > f->reserved ? f->size : f->reserved;
    if (sim_fails(disk, SIM_RESERVE)) return sim_failure(disk);
    if (size > SIM_CAPACITY) return SST_ERR_FULL;
    if (size > allocated && size - allocated > sim_room(disk)) return SST_ERR_FULL;
    sim_watch(disk, SIM_RESERVE, false);
    if (size > f->reserved) f->reserved = size;
    sim_watch(disk, SIM_RESERVE, true);
    return SST_OK;
}

static inline int sim_io_map(void *user, void *file, uint64_t offset, size_t size, uint32_t mode,
                             void **base) {
    sim_disk *disk = (sim_disk *)user;
    sim_file *f = ((sim_handle *)file)->file;
    *base = NULL;
    if (sim_fails(disk, SIM_MAP)) return sim_failure(disk);
    if (offset > SIM_CAPACITY || size > SIM_CAPACITY - offset) return SST_ERR_MEMORY;
    if ((mode & SST_IO_WRITE) != 0) f->mapped = true;
    disk->open_maps++;
    *base = f->content + offset;
    return SST_OK;
}

static inline int sim_io_unmap(void *user, void *file, void *base, size_t size) {
    sim_disk *disk = (sim_disk *)user;
    (void)file;
    (void)base;
    (void)size;
    disk->open_maps--;
    return sim_fails(disk, SIM_UNMAP) ? sim_failure(disk) : SST_OK;
}

static inline int sim_io_lock(void *user, void *file, int how) {
    sim_disk *disk = (sim_disk *)user;
    sim_handle *handle = (sim_handle *)file;
    if (sim_fails(disk, SIM_LOCK)) return sim_failure(disk);
    if (handle->file->locked && !handle->locked) return SST_ERR_LOCKED;
    if (how == SST_IO_LOCK_QUERY) return SST_OK;
    handle->locked = handle->file->locked = true;
    return SST_OK;
}

static inline int sim_io_remove(void *user, const char *path) {
    sim_disk *disk = (sim_disk *)user;
    if (sim_fails(disk, SIM_REMOVE)) return sim_failure(disk);
    if (sim_lookup(disk, path) == NULL) return SST_ERR_NOT_FOUND;
    sim_watch(disk, SIM_REMOVE, false);
    disk->change_number++;
    sim_dir_change(disk, path, NULL);
    sim_collect(disk);
    sim_watch(disk, SIM_REMOVE, true);
    return SST_OK;
}

static inline int sim_io_rename(void *user, const char *from, const char *to) {
    sim_disk *disk = (sim_disk *)user;
    sim_file *file = sim_lookup(disk, from);
    if (sim_fails(disk, SIM_RENAME)) return sim_failure(disk);
    if (file == NULL) return SST_ERR_NOT_FOUND;
    sim_watch(disk, SIM_RENAME, false);
    disk->change_number++;
    sim_dir_change(disk, to, file);
    sim_dir_change(disk, from, NULL);
    sim_collect(disk);
    sim_watch(disk, SIM_RENAME, true);
    return SST_OK;
}

static inline int sim_io_sync_dir(void *user, const char *path) {
    sim_disk *disk = (sim_disk *)user;
    (void)path;
    if (sim_fails(disk, SIM_SYNC_DIR)) return sim_failure(disk);
    sim_watch(disk, SIM_SYNC_DIR, false);
    sim_dir_sync(disk);
    sim_watch(disk, SIM_SYNC_DIR, true);
    return SST_OK;
}

static inline int64_t sim_io_now(void *user, int clock) {
    (void)clock;
    return ((sim_disk *)user)->now += 1000000;
}

static inline int sim_io_entropy(void *user, void *bytes, size_t size) {
    uint8_t *to = (uint8_t *)bytes;
    size_t i;
    for (i = 0; i < size; i++) to[i] = (uint8_t)(test_random(&((sim_disk *)user)->random) >> 17);
    return SST_OK;
}

/* Makes an empty disk. seed: of what the library takes for entropy. */
static inline void sim_init(sim_disk *disk, uint64_t seed) {
    memset(disk, 0, sizeof *disk);
    disk->random = seed;
    disk->now = 1000000000;
    disk->io.user = disk;
    disk->io.open = sim_io_open;
    disk->io.close = sim_io_close;
    disk->io.write_at = sim_io_write;
    disk->io.read_at = sim_io_read;
    disk->io.size = sim_io_size;
    disk->io.resize = sim_io_resize;
    disk->io.sync = sim_io_sync;
    disk->io.reserve = sim_io_reserve;
    disk->io.map = sim_io_map;
    disk->io.unmap = sim_io_unmap;
    disk->io.lock = sim_io_lock;
    disk->io.remove = sim_io_remove;
    disk->io.rename = sim_io_rename;
    disk->io.sync_dir = sim_io_sync_dir;
    disk->io.now_ns = sim_io_now;
    disk->io.entropy = sim_io_entropy;
}

static inline void sim_free(sim_disk *disk) {
    uint32_t i;
    for (i = 0; i < disk->file_count; i++) sim_file_free(disk->files[i]);
    free(disk->freed);
    memset(disk, 0, sizeof *disk);
}

/* From the nth call of a kind on (1 is the next one), `count` calls fail with result. */
static inline void sim_arm(sim_disk *disk, sim_kind kind, uint64_t nth, uint64_t count,
                           int result) {
    memset(disk->calls, 0, sizeof disk->calls);
    disk->fault.armed = true;
    disk->fault.kind = kind;
    disk->fault.nth = nth;
    disk->fault.count = count;
    disk->fault.result = result;
}

static inline void sim_disarm(sim_disk *disk) { disk->fault.armed = false; }

/* The bytes of a file as programs see them; NULL: no such file. */
static inline uint8_t *sim_bytes(sim_disk *disk, const char *name, uint64_t *size) {
    sim_file *file = sim_lookup(disk, name);
    *size = file == NULL ? 0 : file->size;
    return file == NULL ? NULL : file->content;
}

/* Makes a file, durably, or replaces its bytes. */
static inline void sim_put(sim_disk *disk, const char *name, const void *bytes, size_t size) {
    sim_file *file = sim_lookup(disk, name);
    if (file == NULL) file = sim_file_new(disk);
    sim_forget_changes(file);
    sim_content_resize(file, 0);
    sim_content_write(file, 0, bytes, size);
    file->base_size = 0;
    sim_base_write(file, 0, bytes, size);
    sim_name_set(disk->names, &disk->name_count, name, file);
    sim_name_set(disk->base_names, &disk->base_name_count, name, file);
}

/* ---- what is left ------------------------------------------------------------------------- */

/* An empty disk that goes on where another one was: its own entropy, no watch, no fault. */
static inline void sim_successor(const sim_disk *from, sim_disk *to, uint64_t seed) {
    sim_free(to);
    sim_init(to, from->random ^ (seed * 0x9E3779B97F4A7C15u + 1));
    to->now = from->now;
    to->stale = from->stale;
    to->stale_size = from->stale_size;
    to->space = from->space;
}

/* A file whose bytes are durable, filled by the caller. */
static inline sim_file *sim_file_like(const sim_file *from, sim_disk *to) {
    sim_file *file = sim_file_new(to);
    if (from->ghost != NULL) {
        size_t size = (size_t)(from->ghost_end - from->ghost_start);
        file->ghost = (uint8_t *)sim_memory(size);
        memcpy(file->ghost, from->ghost, size);
        file->ghost_start = from->ghost_start;
        file->ghost_end = from->ghost_end;
    }
    return file;
}

static inline void sim_settle(sim_file *file) {
    file->touched = file->size;
    sim_base_resize(file, file->size);
    if (file->size != 0) memcpy(file->base, file->content, (size_t)file->size);
}

/* The machine goes on, the process is gone: *to (zeroed, or a disk that is dropped) holds all that
 * was written or stored into mappings, as if durable. */
static inline void sim_copy(const sim_disk *from, sim_disk *to, uint64_t seed) {
    uint32_t i;
    sim_successor(from, to, seed);
    for (i = 0; i < from->name_count; i++) {
        const sim_file *old = from->names[i].file;
        sim_file *file = sim_file_like(old, to);
        uint64_t reach = sim_reach(old);
        if (reach != 0) memcpy(file->content, old->content, (size_t)reach);
        file->size = old->size;
        sim_settle(file);
        sim_name_set(to->names, &to->name_count, from->names[i].name, file);
    }
    sim_dir_sync(to);
}

/* Names that mean files of one disk mean those that were made after them. */
static inline void sim_rename_files(const sim_disk *from, sim_file *const *made, sim_entry *names,
                                    uint32_t count) {
    uint32_t i, k;
    for (i = 0; i < count; i++) {
        for (k = 0; k < from->file_count && from->files[k] != names[i].file; k++) continue;
        names[i].file = k < from->file_count ? made[k] : NULL;
    }
}

/* The process was killed, and the machine goes on without having written anything back: *to
 * (zeroed, or a disk that is dropped) has the same files, and the same is not durable. */
static inline void sim_clone(const sim_disk *from, sim_disk *to, uint64_t seed) {
    sim_file *made[SIM_FILES];
    const sim_change *change;
    uint32_t i;
    sim_successor(from, to, seed);
    for (i = 0; i < from->file_count; i++) {
        const sim_file *old = from->files[i];
        uint64_t reach = sim_reach(old);
        sim_file *file = made[i] = sim_file_like(old, to);
        if (reach != 0) memcpy(file->content, old->content, (size_t)reach);
        file->size = old->size;
        file->touched = reach;
        file->reserved = old->reserved;
        file->mapped = old->mapped;
        sim_base_resize(file, old->base_size);
        if (old->base_size != 0) memcpy(file->base, old->base, (size_t)old->base_size);
        for (change = old->first; change != NULL; change = change->next) {
            sim_log(file, change->offset, change->bytes, change->size);
            ((sim_change *)(void *)file->last)->lost = change->lost;
        }
    }
    memcpy(to->names, from->names, sizeof to->names);
    memcpy(to->base_names, from->base_names, sizeof to->base_names);
    memcpy(to->changes, from->changes, sizeof to->changes);
    to->name_count = from->name_count;
    to->base_name_count = from->base_name_count;
    to->change_count = from->change_count;
    to->change_number = from->change_number;
    sim_rename_files(from, made, to->names, to->name_count);
    sim_rename_files(from, made, to->base_names, to->base_name_count);
    sim_rename_files(from, made, to->changes, to->change_count);
    sim_collect(to);
}

/* How many sectors of how many writes are not durable, in all files; the mapped ones apart. */
static inline uint64_t sim_units(const sim_disk *disk) {
    uint64_t units = 0;
    uint32_t i;
    const sim_change *change;
    for (i = 0; i < disk->file_count; i++) {
        if (disk->files[i]->mapped) continue;
        for (change = disk->files[i]->first; change != NULL; change = change->next) {
            if (change->bytes == NULL || change->size == 0) continue;
            units += (change->offset + change->size - 1) / SIM_SECTOR -
                     change->offset / SIM_SECTOR + 1;
        }
    }
    return units;
}

enum {                          /* what new space holds where no write reached it */
    SIM_ZERO, SIM_GARBAGE, SIM_OLD, SIM_STALE, SIM_SHIFTED, SIM_FILLS
};

enum { SIM_ALL, SIM_NONE, SIM_PREFIX, SIM_SUFFIX, SIM_SOME };   /* sectors of one write */

/* Orders in which a disk may come to hold things; `kept` says how far it came in each file. */
typedef enum sim_plan {
    SIM_ANY,
    SIM_BYTES_FIRST,            /* all bytes are there, the first changes of size only */
    SIM_SIZES_FIRST             /* the size is, the first writes only; old bytes behind them */
} sim_plan;

/* One way to lose power. Everything follows from it. */
typedef struct sim_loss {
    uint64_t seed;
    bool exact;                 /* which sectors are kept: bit i of `kept` for the ith unit */
    uint64_t kept;              /* with a plan: how many changes */
    bool garbage;               /* a sector in flight may be left as garbage */
    sim_plan plan;
} sim_loss;

typedef struct sim_losing {     /* while one file is made */
    uint64_t random;
    uint64_t unit;              /* of sim_units */
    uint64_t until;             /* changes of size that count */
    int fill;
    const sim_loss *loss;
    uint64_t ordered;           /* writes kept whole before the rest is lost; UINT64_MAX: any */
} sim_losing;

/* Random bytes, eight at a time. */
static inline void sim_garbage(uint8_t *to, uint64_t size, uint64_t *random) {
    while (size != 0) {
        uint64_t word = test_random(random);
        size_t n = size < sizeof word ? (size_t)size : sizeof word;
        memcpy(to, &word, n);
        to += n;
        size -= n;
    }
}

/* Copies the part of [start, end) that lies in [from, until) from `bytes`, which begins at from. */
static inline void sim_fill_from(sim_file *to, uint64_t start, uint64_t end, uint64_t from,
                                 uint64_t until, const uint8_t *bytes) {
    uint64_t first = start > from ? start : from, last = end < until ? end : until;
    if (first < last) {
        memcpy(to->content + first, bytes + (first - from), (size_t)(last - first));
    }
}

/* Fills new space [start, end). */
static inline void sim_fill(const sim_disk *disk, const sim_file *from, sim_file *to,
                            uint64_t start, uint64_t end, sim_losing *l) {
    uint64_t i, shift = SIM_SECTOR * (1 + test_below(&l->random, 12));
    memset(to->content + start, 0, (size_t)(end - start));
    switch (l->fill) {
    case SIM_GARBAGE: sim_garbage(to->content + start, end - start, &l->random); break;
    case SIM_STALE: sim_fill_from(to, start, end, 0, disk->stale_size, disk->stale); break;
    case SIM_OLD:
        sim_fill_from(to, start, end, from->ghost_start, from->ghost_end, from->ghost);
        break;
    case SIM_SHIFTED:
        for (i = start; i < end; i++) to->content[i] = i >= shift ? to->content[i - shift] : 0;
        break;
    default: break;
    }
    if (end > to->touched) to->touched = end;
}

/* Whether a sector of a write reaches the medium. */
static inline bool sim_sector_kept(sim_losing *l, int style, uint64_t index, uint64_t edge) {
    uint64_t unit = l->unit++;
    if (l->loss->exact) return unit < 64 && (l->loss->kept >> unit & 1) != 0;
    switch (style) {
    case SIM_ALL: return true;
    case SIM_NONE: return false;
    case SIM_PREFIX: return index < edge;
    case SIM_SUFFIX: return index >= edge;
    default: return test_below(&l->random, 2) == 0;
    }
}

/* What is left of one write. */
static inline void sim_lose_write(sim_file *to, const sim_change *change, sim_losing *l) {
    uint64_t first = change->offset / SIM_SECTOR;
    uint64_t end = change->offset + change->size;
    uint64_t sectors = change->size == 0 ? 0 : (end - 1) / SIM_SECTOR - first + 1;
    uint64_t edge = test_below(&l->random, sectors + 1), i;
    int style = (int)test_below(&l->random, 5);
    if (l->ordered != UINT64_MAX) style = l->ordered > 0 ? SIM_ALL : SIM_NONE;
    if (l->ordered == 1) style = (int)test_below(&l->random, 5);
    if (l->ordered != UINT64_MAX && l->ordered > 0) l->ordered--;
    for (i = 0; i < sectors; i++) {
        uint64_t start = (first + i) * SIM_SECTOR, stop = start + SIM_SECTOR;
        if (start < change->offset) start = change->offset;
        if (stop > end) stop = end;
        if (sim_sector_kept(l, style, i, edge)) {
            memcpy(to->content + start, change->bytes + (start - change->offset),
                   (size_t)(stop - start));
        } else if (l->loss->garbage && test_below(&l->random, 4) == 0) {
            start = (first + i) * SIM_SECTOR;
            sim_garbage(to->content + start, SIM_SECTOR, &l->random);
            stop = start + SIM_SECTOR;
        } else {
            continue;
        }
        if (stop > to->touched) to->touched = stop;
    }
}

/* What the medium holds of a file with ordinary writes. */
static inline void sim_lose_file(const sim_disk *disk, const sim_file *from, sim_file *to,
                                 sim_losing *l) {
    uint64_t count = 0, size = from->base_size, index = 0, end = from->base_size;
    const sim_change *change;
    for (change = from->first; change != NULL; change = change->next) {
        count++;
        if (change->bytes != NULL && change->offset + change->size > end) {
            end = change->offset + change->size;
        }
        if (change->bytes == NULL && change->offset > end) end = change->offset;
    }
    l->until = test_below(&l->random, 3) == 0 ? test_below(&l->random, count + 1) : count;
    l->ordered = test_below(&l->random, 3) == 0 ? test_below(&l->random, count + 2) : UINT64_MAX;
    if (l->loss->plan == SIM_BYTES_FIRST) {
        l->until = l->loss->kept < count ? l->loss->kept : count;
        l->ordered = count + 2;
    } else if (l->loss->plan == SIM_SIZES_FIRST) {
        l->until = count;
        l->ordered = l->loss->kept + 1;
    }
    if (from->base_size != 0) memcpy(to->content, from->base, (size_t)from->base_size);
    to->size = SIM_CAPACITY;            /* while it is made, everything may be written */
    to->touched = from->base_size;
    if (end > from->base_size) sim_fill(disk, from, to, from->base_size, end, l);
    for (change = from->first; change != NULL; change = change->next, index++) {
        if (change->bytes != NULL) {
            sim_lose_write(to, change, l);
            if (index < l->until && change->offset + change->size > size) {
                size = change->offset + change->size;
            }
        } else if (index < l->until) {
            if (change->offset < size && size > change->offset) {
                sim_fill(disk, from, to, change->offset, size, l);
            }
            size = change->offset;
        }
    }
    if (to->touched > size) {           /* on the medium, though no file reaches so far */
        to->size = to->touched;
        sim_keep_ghost(to, size);
        memset(to->content + size, 0, (size_t)(to->touched - size));
    }
    to->size = size;
}

/* A file that was stored into through a mapping: any sector of it may be what it was at the last
 * sync, what it is, nothing, garbage, or what a file before it held there. */
static inline void sim_lose_mapped(const sim_disk *disk, const sim_file *from, sim_file *to,
                                   sim_losing *l) {
    uint64_t at, odds = 1 + test_below(&l->random, 20);
    bool old = test_below(&l->random, 2) == 0;
    bool whole = test_below(&l->random, 2) == 0;
    to->size = from->size;
    if (test_below(&l->random, 4) == 0) to->size = test_below(&l->random, from->size + 1);
    for (at = 0; at < to->size; at += SIM_SECTOR) {
        size_t n = to->size - at < SIM_SECTOR ? (size_t)(to->size - at) : SIM_SECTOR;
        uint64_t pick = whole ? 1 : test_below(&l->random, odds);
        if (pick != 0) {
            memcpy(to->content + at, from->content + at, n);
        } else if (old && at + n <= disk->freed_size) {
            memcpy(to->content + at, disk->freed + at, n);
        } else if (test_below(&l->random, 3) == 0) {
            sim_garbage(to->content + at, n, &l->random);
        } else if (at + n <= from->base_size) {
            memcpy(to->content + at, from->base + at, n);
        }
    }
}

/* The machine lost power: *to (zeroed, or a disk that is dropped) holds what the medium does when
 * it comes back. */
static inline void sim_crash(const sim_disk *from, sim_disk *to, const sim_loss *loss) {
    sim_file *made[SIM_FILES];
    sim_losing l;
    uint32_t i, k;
    memset(&l, 0, sizeof l);
    l.random = loss->seed;
    l.loss = loss;
    sim_successor(from, to, loss->seed);
    for (i = 0; i < from->file_count; i++) {
        const sim_file *file = from->files[i];
        made[i] = sim_file_like(file, to);
        l.fill = (int)test_below(&l.random, SIM_FILLS);
        if (loss->plan == SIM_SIZES_FIRST) l.fill = SIM_OLD;
        if (file->mapped) sim_lose_mapped(from, file, made[i], &l);
        else sim_lose_file(from, file, made[i], &l);
        sim_settle(made[i]);
    }
    memcpy(to->base_names, from->base_names, sizeof to->base_names);
    to->base_name_count = from->base_name_count;
    k = (uint32_t)test_below(&l.random, 4);             /* 0, 1: all, 2: none, 3: any of them */
    for (i = 0; i < from->change_count; i++) {
        const sim_entry *change = &from->changes[i];
        bool kept = k < 2;
        if (k == 3) {
            uint64_t mixed = loss->seed + change->number;
            kept = test_below(&mixed, 2) == 0;
        }
        if (kept) sim_name_set(to->base_names, &to->base_name_count, change->name, change->file);
    }
    sim_rename_files(from, made, to->base_names, to->base_name_count);
    memcpy(to->names, to->base_names, sizeof to->names);
    to->name_count = to->base_name_count;
    sim_collect(to);
}

#endif
