/* kernel.h - a kernel that interrupts and refuses: the header's system calls are sent through here,
 * where the next ones of a kind fail with an errno of the test's choice.
 *
 * Include before everything else. What else the program calls is sent through here, too, unless it
 * undefines the names after streamstore.h. */
#ifndef KERNEL_H
#define KERNEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

typedef enum call {
    ON_NOTHING, ON_OPEN, ON_CLOSE, ON_READ, ON_PREAD, ON_PWRITE, ON_STAT, ON_TRUNCATE, ON_SYNC,
    ON_SYNC_DIR, ON_ALLOCATE, ON_FCNTL, ON_MMAP, ON_MPROTECT, ON_MUNMAP, ON_MADVISE, ON_STATFS,
    ON_CLOCK, ON_REALLOC
} call;

/* After `skip` calls of a kind the next `times` of them fail. */
static struct {
    call kind;
    unsigned skip, times;
    int error;
    unsigned calls, fired;      /* of that kind since it was armed, and those that failed */
    size_t asked;               /* bytes that the last transfer was asked for */
    size_t most_read;           /* bytes that a read gives, and a pwrite takes; 0: all */
    size_t most_written;
    bool cannot_allocate;       /* the file system has no fallocate */
    size_t longest;             /* mapping that there are addresses for; 0: as it is */
    uint32_t magic;             /* of the file system; 0: what it really is */
    off_t cut;                  /* somebody else cuts the file before it is read; 0: nobody */
} fault;

static int64_t mapped;          /* bytes */
static char last_made[5000];      /* the path of the last file to be made */

static inline int fails(call kind) {
    if (fault.kind != kind) return 0;
    fault.calls++;
    if (fault.skip > 0) {
        fault.skip--;
        return 0;
    }
    if (fault.times == 0) return 0;
    fault.times--;
    fault.fired++;
    errno = fault.error;
    return 1;
}

static inline void arm_after(call kind, unsigned skip, unsigned times, int error) {
    fault.kind = kind;
    fault.skip = skip;
    fault.times = times;
    fault.error = error;
    fault.calls = fault.fired = 0;
}

static inline void arm(call kind, unsigned times, int error) { arm_after(kind, 0, times, error); }

static inline int faulty_open(const char *path, int flags, ...) {
    va_list list;
    unsigned mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_start(list, flags);
        mode = va_arg(list, unsigned);
        va_end(list);
        (void)snprintf(last_made, sizeof last_made, "%s", path);
    }
    return fails(ON_OPEN) ? -1 : open(path, flags, mode);
}

/* A close that fails gives the descriptor back all the same, as Linux does. */
static inline int faulty_close(int fd) {
    int result = close(fd);
    return fails(ON_CLOSE) ? -1 : result;
}

/* A transfer that fails without an errno is the end of the file, or a device that takes nothing. */
static inline ssize_t faulty_read(int fd, void *to, size_t size) {
    if (fails(ON_READ)) return fault.error == 0 ? 0 : -1;
    if (fault.most_read != 0 && size > fault.most_read) size = fault.most_read;
    return read(fd, to, size);
}

static inline ssize_t faulty_pread(int fd, void *to, size_t size, off_t offset) {
    fault.asked = size;
    if (fault.cut != 0 && ftruncate(fd, fault.cut) != 0) return -1;
    fault.cut = 0;
    return fails(ON_PREAD) ? -1 : pread(fd, to, size, offset);
}

static inline ssize_t faulty_pwrite(int fd, const void *from, size_t size, off_t offset) {
    fault.asked = size;
    if (fails(ON_PWRITE)) return fault.error == 0 ? 0 : -1;
    if (fault.most_written != 0 && size > fault.most_written) size = fault.most_written;
    return pwrite(fd, from, size, offset);
}

static inline int faulty_fstat(int fd, struct stat *st) {
    return fails(ON_STAT) ? -1 : fstat(fd, st);
}

static inline int faulty_ftruncate(int fd, off_t size) {
    return fails(ON_TRUNCATE) ? -1 : ftruncate(fd, size);
}

static inline void *faulty_realloc(void *old, size_t size) {
    return fails(ON_REALLOC) ? NULL : realloc(old, size);
}

static inline int faulty_fdatasync(int fd) { return fails(ON_SYNC) ? -1 : fdatasync(fd); }
static inline int faulty_fsync(int fd) { return fails(ON_SYNC_DIR) ? -1 : fsync(fd); }

static inline void *faulty_mmap(void *p, size_t size, int protection, int flags, int fd,
                                off_t offset) {
    void *at;
    if (fails(ON_MMAP)) return MAP_FAILED;
    if (fault.longest != 0 && size > fault.longest) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    at = mmap(p, size, protection, flags, fd, offset);
    if (at != MAP_FAILED) mapped += (int64_t)size;
    return at;
}

static inline int faulty_munmap(void *p, size_t size) {
    int result = munmap(p, size);
    mapped -= (int64_t)size;
    return fails(ON_MUNMAP) ? -1 : result;
}

static inline int faulty_mprotect(void *p, size_t size, int protection) {
    return fails(ON_MPROTECT) ? -1 : mprotect(p, size, protection);
}

static inline int faulty_madvise(void *p, size_t size, int advice) {
    return fails(ON_MADVISE) ? -1 : madvise(p, size, advice);
}

static inline int faulty_clock(clockid_t clock, struct timespec *ts) {
    return fails(ON_CLOCK) ? -1 : clock_gettime(clock, ts);
}

static inline int faulty_fcntl(int fd, int command, struct flock *l) {
    return fails(ON_FCNTL) ? -1 : fcntl(fd, command, l);
}

#if defined(__linux__)
static inline int faulty_fstatfs(int fd, struct statfs *fs) {
    int result = fails(ON_STATFS) ? -1 : fstatfs(fd, fs);
    if (result == 0 && fault.magic != 0) fs->f_type = (__typeof__(fs->f_type))fault.magic;
    return result;
}

static inline bool allocation_fails(void) {
    if (fault.cannot_allocate) errno = EOPNOTSUPP;
    return fault.cannot_allocate || fails(ON_ALLOCATE);
}

#if UINTPTR_MAX > 0xFFFFFFFFu
static inline long faulty_syscall(long number, int fd, int mode, off_t from, off_t size) {
    return allocation_fails() ? -1 : syscall(number, fd, mode, from, size);
}
#else
static inline long faulty_syscall(long number, int fd, int mode, long from, long from_high,
                                  unsigned long size, unsigned long size_high) {
    return allocation_fails() ? -1
           : syscall(number, fd, mode, from, from_high, size, size_high);
}
#endif

#define fstatfs(fd, fs) faulty_fstatfs(fd, fs)
#define syscall faulty_syscall
#endif
#define open faulty_open
#define close faulty_close
#define read faulty_read
#define pread faulty_pread
#define pwrite faulty_pwrite
#define fstat(fd, st) faulty_fstat(fd, st)
#define ftruncate faulty_ftruncate
#define fdatasync faulty_fdatasync
#define fsync faulty_fsync
#define mmap faulty_mmap
#define munmap faulty_munmap
#define mprotect faulty_mprotect
#define madvise faulty_madvise
#define clock_gettime faulty_clock
#define realloc faulty_realloc
#define fcntl faulty_fcntl

#endif
