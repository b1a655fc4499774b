/* growing_buffer.c - a buffer that grows far beyond what was planned and never moves.
 *
 *     cc growing_buffer.c && ./a.out
 *
 * A range of addresses is taken at the beginning, memory for it as it is needed: pointers into the
 * buffer stay good, and nothing is copied. With SST_BUF_TEMP the bytes lie in a file without a
 * name, so that they may be more than there is memory; a full disk is a result.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

typedef struct event { uint64_t number, square; } event;

/* Adds events until there are so many. */
static int add(sst_buf *buf, uint64_t count) {
    int result = SST_OK;
    while (result == SST_OK && buf->size < count * sizeof(event)) {
        event e;
        e.number = buf->size / sizeof e;
        e.square = e.number * e.number;
        result = sst_buf_append(buf, &e, sizeof e);
    }
    return result;
}

static int grow(sst_buf_kind kind, const char *name) {
    sst_buf_desc desc = {SST_BUF_ANON, NULL, NULL, 0, 0, 0};
    sst_buf buf = {0};
    const event *first;
    int result;
    desc.kind = kind;
    desc.capacity = 1000 * sizeof(event);           /* what was planned */
    desc.reserve = 64 * 1024 * 1024;                /* addresses, not memory */
    result = sst_buf_open(&buf, &desc);
    first = (const event *)buf.data;
    if (result == SST_OK) result = add(&buf, 500000);           /* what came */
    if (result == SST_OK) {
        printf("%s: %lu bytes of %lu, moved %lu times; event 499999: %lu\n", name,
               (unsigned long)buf.size, (unsigned long)buf.capacity, (unsigned long)buf.moves,
               (unsigned long)first[499999].square);
        if (first != buf.data || first[499999].number != 499999) result = SST_ERR_STATE;
    }
    if (result != SST_OK) fprintf(stderr, "%s: %s\n", name, sst_result_text(result));
    (void)sst_buf_close(&buf);
    return result;
}

int main(void) {
    int result = grow(SST_BUF_ANON, "in memory");
    if (result == SST_OK) result = grow(SST_BUF_TEMP, "on a file without a name");
    if (result == SST_ERR_UNSUPPORTED || result == SST_ERR_NOT_FOUND) {
        printf("$TMPDIR is no place for it\n");
        result = SST_OK;
    }
    return result == SST_OK ? 0 : 1;
}
