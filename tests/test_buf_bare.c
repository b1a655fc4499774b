/* test_buf_bare.c - growable buffers without an operating system: the C library's memory. */
#include <stdlib.h>
static void *faulty_realloc(void *old, size_t size);
static void counted_free(void *p);
#define realloc faulty_realloc
#define free counted_free
#define STREAMSTORE_NO_OS
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"
#undef realloc
#undef free
#include "test.h"

static int blocks;                  /* of memory in use; one at a time */
static size_t held;                 /* its bytes */
static size_t room;                 /* bytes that it can have without moving */
static size_t longest = SIZE_MAX;   /* that there is */
static size_t spare;                /* room beyond what is asked for */

static void *faulty_realloc(void *old, size_t size) {
    void *p;
    if (size > longest) return NULL;
    if (old != NULL && size > held && size <= room) {
        memset((uint8_t *)old + held, 0xA5, size - held);
        held = size;
        return old;
    }
    p = malloc(size + spare);       /* moves, however little there was to add */
    if (p == NULL) return NULL;
    room = size + spare;
    memset(p, 0xA5, size);
    if (old != NULL) memcpy(p, old, size < held ? size : held);
    free(old);
    blocks += old == NULL;
    held = size;
    return p;
}

static void counted_free(void *p) {
    blocks -= p != NULL;
    free(p);
}

static void kinds(void) {
    sst_buf buf = {0}, none = {0};
    sst_buf_desc desc = {SST_BUF_FILE, "file", NULL, 0, 0, 0};
    uint8_t memory[10];
    CHECK_INT(sst_buf_open(&buf, &desc), SST_ERR_UNSUPPORTED);
    desc.kind = SST_BUF_TEMP;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_ERR_UNSUPPORTED);
    CHECK_BYTES(&buf, &none, sizeof buf);
    desc.kind = SST_BUF_FIXED;
    desc.memory = memory;
    desc.capacity = sizeof memory;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "0123456789", 10), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "x", 1), SST_ERR_FULL);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_BYTES(memory, "0123456789", 10);
    CHECK_INT(blocks, 0);
}

static void growing(void) {
    sst_buf buf = {0}, before;
    size_t i;
    CHECK_INT(sst_buf_open(&buf, NULL), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "growing", 7), SST_OK);
    CHECK(buf.capacity >= 7 && buf.reserve == buf.capacity && buf.moves == 0);
    CHECK_INT(sst_buf_resize(&buf, 1000), SST_OK);
    for (i = 7; i < 1000; i++) CHECK_INT(((uint8_t *)buf.data)[i], 0);
    CHECK_INT(sst_buf_resize(&buf, 7), SST_OK);
    while (buf.size < 60000) {
        CHECK_INT(sst_buf_append(&buf, buf.data, (size_t)buf.size), SST_OK);
    }
    for (i = 0; i < buf.size; i++) CHECK_INT(((uint8_t *)buf.data)[i], "growing"[i % 7]);
    before = buf;
    longest = 200000;
    CHECK_INT(sst_buf_append(&buf, buf.data, (size_t)buf.size), SST_ERR_MEMORY);
    CHECK_INT(sst_buf_resize(&buf, 200001), SST_ERR_MEMORY);
    CHECK_BYTES(&buf, &before, sizeof buf);
    CHECK_INT(sst_buf_resize(&buf, 190000), SST_OK);    /* for the double there is none */
    CHECK(buf.moves == before.moves + 1 && buf.capacity == 190000);
    for (i = 0; i < before.size; i++) {
        CHECK_INT(((uint8_t *)buf.data)[i], "growing"[i % 7]);
    }
    for (i = (size_t)before.size; i < 190000; i++) CHECK_INT(((uint8_t *)buf.data)[i], 0);
    longest = SIZE_MAX;
    CHECK_INT(blocks, 1);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(blocks, 0);
}

static void from_the_beginning(void) {
    sst_buf_desc desc = {SST_BUF_ANON, NULL, NULL, 5000, 0, 3000};
    sst_buf buf = {0};
    longest = 4999;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_ERR_MEMORY);
    longest = SIZE_MAX;
    CHECK_INT(sst_buf_open(&buf, &desc), SST_OK);
    CHECK_INT(buf.capacity, 5000);
    CHECK_INT(sst_buf_resize(&buf, 5001), SST_OK);
    CHECK_INT(buf.capacity, 6000);
    CHECK_INT(buf.moves, 1);
    CHECK_INT(sst_buf_resize(&buf, UINT64_MAX), SST_ERR_MEMORY);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(blocks, 0);
}

/* Only a change of address counts as a move. */
static void growing_in_place(void) {
    sst_buf buf = {0};
    uint8_t *first;
    size_t i;
    spare = 1000000;
    CHECK_INT(sst_buf_open(&buf, NULL), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "growing", 7), SST_OK);
    spare = 0;
    first = (uint8_t *)buf.data;
    REQUIRE(first != NULL);
    CHECK_INT(sst_buf_resize(&buf, 200000), SST_OK);
    CHECK_INT(sst_buf_resize(&buf, 900000), SST_OK);
    CHECK(buf.data == first && buf.capacity >= 900000 && buf.moves == 0);
    CHECK_BYTES(buf.data, "growing", 7);
    for (i = 7; i < 900000 && first[i] == 0; i++) continue;
    CHECK_INT(i, 900000);
    CHECK_INT(sst_buf_resize(&buf, 3000000), SST_OK);
    CHECK(buf.data != NULL && buf.moves == 1);
    CHECK_BYTES(buf.data, "growing", 7);
    CHECK_INT(blocks, 1);
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_INT(blocks, 0);
}

/* One that never had memory has none to give back. */
static void never_used(void) {
    sst_buf buf = {0}, none = {0};
    longest = 0;
    CHECK_INT(sst_buf_open(&buf, NULL), SST_OK);
    CHECK(buf.data == NULL && buf.size == 0 && buf.capacity == 0);
    CHECK_INT(sst_buf_resize(&buf, 0), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "x", 0), SST_OK);
    CHECK_INT(sst_buf_append(&buf, "x", 1), SST_ERR_MEMORY);
    CHECK(buf.data == NULL && buf.size == 0);
    longest = SIZE_MAX;
    CHECK_INT(sst_buf_close(&buf), SST_OK);
    CHECK_BYTES(&buf, &none, sizeof buf);
    CHECK_INT(blocks, 0);
}

int main(void) {
    TEST_RUN(kinds);
    TEST_RUN(growing);
    TEST_RUN(from_the_beginning);
    TEST_RUN(growing_in_place);
    TEST_RUN(never_used);
    return test_done("test_buf_bare");
}
