/* sd_logger.c - a microcontroller logs to an SD card in 4 KiB of static memory; no heap, no system.
 *
 *     cc sd_logger.c && ./a.out && sstore info sd_logger.sstore
 *
 * The card is written through FatFs, for five functions of which stdio stands in here. A recorder
 * that never reads needs no more memory the longer it runs; its file is read on the host.
 */
#define STREAMSTORE_IMPLEMENTATION
#define STREAMSTORE_NO_OS
#define STREAMSTORE_NO_MALLOC
#define STREAMSTORE_NO_READ
#define STREAMSTORE_NO_TEXT
#include "../streamstore.h"
#include <stdio.h>

/* What FatFs has: FR_OK is 0. */
typedef struct FIL { FILE *file; } FIL;
static int f_open(FIL *f, const char *path) { return (f->file = fopen(path, "wb")) == NULL; }
static int f_close(FIL *f) { return fclose(f->file); }
static int f_sync(FIL *f) { return fflush(f->file); }
static int f_lseek(FIL *f, long at) { return fseek(f->file, at, SEEK_SET); }
static int f_write(FIL *f, const void *bytes, unsigned size, unsigned *done) {
    *done = (unsigned)fwrite(bytes, 1, size, f->file);
    return ferror(f->file);
}

static int result_of(int fresult) { return fresult == 0 ? SST_OK : SST_ERR_IO; }

/* What the store needs of it. */
static int card_open(void *user, const char *path, uint32_t mode, void **file) {
    *file = user;
    if ((mode & SST_IO_CREATE) == 0) return SST_ERR_NOT_FOUND;      /* every log is a new file */
    return result_of(f_open((FIL *)user, path));
}
static int card_close(void *user, void *file) {
    return file == user ? result_of(f_close((FIL *)file)) : SST_ERR_ARG;
}
static int card_sync(void *user, void *file) {
    return file == user ? result_of(f_sync((FIL *)file)) : SST_ERR_ARG;
}
static int card_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                      size_t *done) {
    unsigned n = 0;                                 /* stays 0 where the card is full */
    int failed = f_lseek((FIL *)user, (long)offset);
    if (!failed) failed = f_write((FIL *)file, bytes, (unsigned)size, &n);
    *done = n;
    return result_of(failed);
}

int main(void) {
    static uint64_t memory[4096 / 8];               /* all there is */
    static FIL card;
    sst_arena arena = {memory, sizeof memory, 0, 0};
    sst_allocator allocator = sst_arena_allocator(&arena);
    sst_io io = {0};
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store;
    sst_stream *imu;
    int32_t t;
    io.user = &card;
    io.open = card_open, io.close = card_close, io.write_at = card_write, io.sync = card_sync;
    options.allocator = &allocator;
    options.io = &io;
    options.block_bytes = options.sync_align = 512; /* a sector */
    options.seed = 20260101;                        /* such as a serial number and a boot count */
    desc.name = "imu";
    desc.type = SST_I16;
    desc.shape[0] = 3;                              /* rows of int16_t[3] */
    desc.time_unit = SST_MILLISECONDS;
    if (sst_create("sd_logger.sstore", &options, &store) != SST_OK ||
        sst_stream_create(store, &desc, &imu) != SST_OK) return 1;
    for (t = 0; t < 100000; t++) {                  /* a sample each millisecond */
        int16_t sample[3] = {(int16_t)(t % 1000), (int16_t)(t % 77 - 38), 9810};
        if (sst_append(imu, t, sample) != SST_OK) return 1;
        if (t % 1000 == 999 && sst_sync(store) != SST_OK) return 1;
    }
    printf("%d rows, %d of %d bytes used\n", (int)sst_rows(imu), (int)arena.peak, (int)arena.size);
    return sst_close(store) == SST_OK ? 0 : 1;
}
