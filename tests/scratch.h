/* scratch.h - memory and files that tests make for themselves. Include streamstore.h and test.h
 * before. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory, or the end of the program. */
static inline void *take(size_t size) {
    void *p = malloc(size == 0 ? 1 : size);
    if (p == NULL) {
        printf("out of memory\n");
        exit(1);
    }
    return p;
}

static inline const char *scratch_base(void) {
    const char *folder = getenv("TMPDIR");
    return folder != NULL ? folder : "/tmp";
}

/* A name that no other file has: the file is there and empty. */
static inline void make_path(char *name, size_t size) {
    int fd;
    snprintf(name, size, "%s/sst-test-XXXXXX", scratch_base());
    fd = mkstemp(name);
    CHECK(fd >= 0);
    if (fd >= 0) CHECK_INT(close(fd), 0);
}

static inline int scratch_no_sync(void *user, void *file) {
    (void)user;
    (void)file;
    return SST_OK;
}

/* Options for files that need not survive the test and have the same bytes in every run. */
static inline sst_options scratch_options(uint64_t seed) {
    static sst_io io;
    sst_options options;
    memset(&options, 0, sizeof options);
    io = *sst_io_default();
    io.now_ns = NULL;
    io.sync = scratch_no_sync;
    options.io = &io;
    options.seed = seed;
    return options;
}

/* ---- a folder with one store in it, of which one reading fails ---- */

static char folder[300];
static uint64_t reads, failing_read;

static inline bool make_folder(const char *name) {
    snprintf(folder, sizeof folder, "%s/%s-XXXXXX", scratch_base(), name);
    return mkdtemp(folder) != NULL;
}

static inline const char *file(void) {
    static char path[400];
    snprintf(path, sizeof path, "%s/store", folder);
    return path;
}

static inline int failing_read_at(void *user, void *f, uint64_t offset, void *bytes, size_t size,
                                  size_t *done) {
    *done = 0;
    if (++reads == failing_read) return SST_ERR_IO;
    return sst_io_default()->read_at(user, f, offset, bytes, size, done);
}

#endif
