/* custom_io.c - counts what goes to the disk, and lets the disk be full for a while.
 *
 *     cc custom_io.c && ./a.out
 *
 * sst_io is a table of functions: here the operating system's, of which writing and syncing are
 * replaced. Firmware would fill in what its flash can do. The companion is not counted: it is
 * mapped memory, which nobody writes with a call.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

typedef struct disk {
    unsigned long bytes, writes, syncs;
    bool full;
} disk;

static int counting_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                          size_t *done) {
    disk *d = (disk *)user;
    int result;
    *done = 0;
    if (d->full) return SST_ERR_FULL;
    result = sst_io_default()->write_at(sst_io_default()->user, file, offset, bytes, size, done);
    d->bytes += *done;
    d->writes++;
    return result;
}

static int counting_sync(void *user, void *file) {
    ((disk *)user)->syncs++;
    return sst_io_default()->sync(sst_io_default()->user, file);
}

/* Appends until there are so many rows, or to the first error. */
static int record(sst_stream *speed, uint64_t rows, const char *what) {
    int result = SST_OK;
    while (result == SST_OK && sst_rows(speed) < rows) {
        result = sst_append_f32(speed, (int64_t)sst_rows(speed), 2.5f);
    }
    printf("%-17s %5lu rows: %s\n", what, (unsigned long)sst_rows(speed), sst_result_text(result));
    return result;
}

int main(void) {
    static const char path[] = "custom_io.sstore";
    disk d = {0, 0, 0, false};
    sst_io io = *sst_io_default();
    sst_options options = {0};
    sst_stream_desc desc = {0};
    sst_store *store = NULL;
    sst_stream *speed = NULL;
    int result, closed;
    io.user = &d;                                   /* the functions that stay do not look at it */
    io.write_at = counting_write;
    io.sync = counting_sync;
    options.io = &io;
    options.flags = SST_REPLACE;
    desc.name = "speed";
    desc.type = SST_F32;
    result = sst_create(path, &options, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &speed);
    if (result == SST_OK) result = record(speed, 10000, "recording");
    d.full = true;
    if (result == SST_OK) result = record(speed, 50000, "the disk is full");    /* and the tail */
    d.full = false;
    if (result == SST_ERR_FULL) result = record(speed, 50000, "there is room");
    if (result == SST_OK) result = sst_sync(store);
    closed = sst_close(store);
    printf("%lu bytes in %lu writes, %lu syncs\n", d.bytes, d.writes, d.syncs);

    if (result == SST_OK && closed == SST_OK) result = sst_open(path, NULL, &store);
    if (result == SST_OK) result = sst_stream_open(store, "speed", &speed);
    if (result == SST_OK && sst_rows(speed) != 50000) result = SST_ERR_NOT_FOUND;
    if (result == SST_OK) sst_close(store);
    remove(path);
    return result == SST_OK && closed == SST_OK ? 0 : 1;
}
