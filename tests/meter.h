/* meter.h - an allocator that counts, checks and fails. Include streamstore.h and test.h before.
 *
 *     meter m;
 *     sst_allocator a = meter_allocator(&m);
 *     m.fail_at = m.calls + 3;
 *
 * A resize always moves, so that nothing can count on memory that stays. New memory is not zero,
 * and what is given back is written over. A size given back that is not the one asked for, or a
 * block of somebody else, is a failed check. Not for several threads. */
#ifndef METER_H
#define METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define METER_MAGIC 0x6D656D6F72792121u

typedef struct meter {
    size_t now, peak;           /* bytes in use; both blocks of a resize are, while it copies */
    uint64_t blocks;
    uint64_t calls;             /* that asked for memory */
    uint64_t fail_at;           /* this call fails; 0: none */
    bool forever;               /* and all behind it */
    size_t most;                /* a larger size fails; 0: none */
    uint64_t one_in, random;    /* or so many fail, at random; 0: none */
    uint64_t failures;
    bool quiet;                 /* nothing fails or counts as a call */
} meter;

typedef struct meter_head {     /* 16 bytes, so that what follows is aligned */
    uint64_t size, magic;
} meter_head;

static inline bool meter_fails(meter *m, size_t size) {
    bool fails;
    if (m->quiet) return false;
    m->calls++;
    fails = m->fail_at != 0 && (m->forever ? m->calls >= m->fail_at : m->calls == m->fail_at);
    fails = fails || (m->most != 0 && size > m->most);
    fails = fails || (m->one_in != 0 && test_below(&m->random, m->one_in) == 0);
    m->failures += fails;
    return fails;
}

/* NULL for a size that no machine has, too. */
static inline meter_head *meter_take(meter *m, size_t size) {
    meter_head *head = NULL;
    if (size <= SIZE_MAX - sizeof *head) head = (meter_head *)malloc(sizeof *head + size);
    if (head == NULL) return NULL;
    head->size = size;
    head->magic = METER_MAGIC;
    memset(head + 1, 0xAA, size);
    m->now += size;
    m->blocks++;
    if (m->now > m->peak) m->peak = m->now;
    return head;
}

static inline void meter_free(meter *m, meter_head *head) {
    size_t size = (size_t)head->size;
    m->now -= size;
    m->blocks--;
    head->magic = 0;
    memset(head + 1, 0xDD, size);
    free(head);
}

static inline void *meter_resize(void *user, void *old, size_t old_size, size_t new_size) {
    meter *m = (meter *)user;
    meter_head *from = old != NULL ? (meter_head *)old - 1 : NULL, *to = NULL;
    size_t kept = from != NULL ? (size_t)from->size : 0;
    if (from == NULL) CHECK(old_size == 0 && new_size != 0);
    else CHECK(from->magic == METER_MAGIC && from->size == old_size);
    if (new_size != 0) {
        if (meter_fails(m, new_size)) return NULL;
        to = meter_take(m, new_size);
        if (to == NULL) return NULL;
        if (from != NULL) memcpy(to + 1, old, kept < new_size ? kept : new_size);
    }
    if (from != NULL) meter_free(m, from);
    return to != NULL ? to + 1 : NULL;
}

/* Begins to count. */
static inline sst_allocator meter_allocator(meter *m) {
    sst_allocator a;
    memset(m, 0, sizeof *m);
    a.user = m;
    a.resize = meter_resize;
    return a;
}

#endif
