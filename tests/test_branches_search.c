/* Branches of the time tables and of the quick search: tables that cannot be made because memory
 * or a read fails halfway, tables and times that lie, columns that nobody has looked at. */
#define SSTI_PIECE_BYTES 128
#define SSTI_TABLE_MIN_BLOCKS 1
#define SSTI_TABLE_ROWS 1u
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "meter.h"
#include "scratch.h"

#define MOST_ROWS 2000
#define IMAGE_BYTES 131072
#define BATCH 64

/* ---- recordings: the value of row i is 3 * i ------------------------------------------------ */

static struct {
    union {
        uint8_t bytes[IMAGE_BYTES];
        uint64_t aligned;
    } u;
    size_t size, rows;
    int64_t times[MOST_ROWS];
} of;

/* Crowds in crowds, which end within blocks. */
static void torn_times(void) {
    int64_t time = 5;
    size_t i;
    of.rows = 360;
    for (i = 0; i < of.rows; i++) {
        of.times[i] = time;
        if (i % 127 == 0) time += (int64_t)1 << 58;
        else if (i % 41 == 11) time += (int64_t)1 << 40;
        else if (i % 17 == 3) time += (int64_t)1 << 20;
        else time += 1 + (int64_t)(i % 3);
    }
}

/* Seven near each other, again and again: about a row in a bucket, but not evenly. */
static void uneven_times(void) {
    int64_t time = 1000;
    size_t i;
    of.rows = 1600;
    for (i = 0; i < of.rows; i++) {
        of.times[i] = time;
        time += i % 7 == 6 ? 700 + (int64_t)(i % 5) : 1 + (int64_t)(i % 3);
    }
}

static int no_sync(void *user, void *file) {
    (void)user;
    (void)file;
    return SST_OK;
}

static int record(sst_store *store) {
    sst_stream_desc desc = {0};
    sst_stream *stream;
    size_t i;
    int result;
    desc.name = "s";
    desc.type = SST_I64;
    result = sst_stream_create(store, &desc, &stream);
    for (i = 0; i < of.rows && result == SST_OK; i++) {
        result = sst_append_i64(stream, of.times[i], 3 * (int64_t)i);
    }
    return result;
}

static void make_image(void (*make_times)(void), uint32_t block_bytes) {
    sst_options options = {0};
    sst_store *store;
    const void *bytes;
    options.seed = 6;
    options.block_bytes = block_bytes;
    make_times();
    if (sst_create(NULL, &options, &store) != SST_OK || record(store) != SST_OK ||
        sst_image(store, &bytes, &of.size) != SST_OK || of.size > IMAGE_BYTES) {
        printf("no image\n");
        exit(1);
    }
    memcpy(of.u.bytes, bytes, of.size);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The table of the file is not to be used. */
static sst_store *look(const sst_allocator *a, uint32_t flags, sst_stream **stream) {
    sst_options options = {0};
    sst_store *store = NULL;
    options.allocator = a;
    options.flags = flags;
    if (sst_open_memory(of.u.bytes, of.size, &options, &store) != SST_OK ||
        sst_stream_open(store, "s", stream) != SST_OK) {
        printf("does not open\n");
        exit(1);
    }
    (*stream)->series->table_offset = 0;
    return store;
}

/* ---- questions ------------------------------------------------------------------------------ */

/* The row in force at a time, or -1. */
static int64_t true_row(int64_t time) {
    int64_t row = -1;
    while (row + 1 < (int64_t)of.rows && of.times[row + 1] <= time) row++;
    return row;
}

static int at(sst_stream *stream, int64_t time) {
    int64_t want = true_row(time);
    sst_view view;
    int result = sst_at(stream, time, &view);
    if (result != SST_OK || want < 0) {
        CHECK_INT(view.count, 0);
        return result;
    }
    CHECK_INT(view.count, 1);
    CHECK_INT(view.first_row, want);
    CHECK_INT(view.times[0], of.times[want]);
    CHECK_INT(((const int64_t *)view.values)[0], 3 * want);
    return result;
}

static int locate(sst_stream *stream, int64_t time) {
    uint64_t row = UINT64_MAX;
    int result = sst_locate(stream, time, SST_AT_OR_BEFORE, &row);
    if (result == SST_OK) CHECK_INT(row, true_row(time));
    return result;
}

static void check_rows(sst_stream *stream, size_t step) {
    size_t i;
    for (i = 0; i < of.rows; i += step) {
        CHECK_INT(at(stream, of.times[i]), SST_OK);
        CHECK_INT(locate(stream, of.times[i] + 1), SST_OK);
    }
}

/* Another table, of the blocks there are. */
static void check_new_table(sst_stream *stream) {
    ssti_table *before = stream->series->table;
    stream->series->table_tried = 0;
    CHECK_INT(locate(stream, of.times[of.rows / 2]), SST_OK);
    CHECK(stream->series->table != NULL && stream->series->table != before);
    check_rows(stream, 7);
}

/* ---- tables that cannot be made ------------------------------------------------------------- */

/* The nth time that memory is asked for there is none: without a table rows are found too. */
static void tables_without_memory(void) {
    static const uint32_t sizes[2] = {512, 2048};
    int size;
    for (size = 0; size < 2; size++) {
        uint64_t n, without = 0;
        make_image(torn_times, sizes[size]);
        for (n = 1; n < 200; n++) {
            meter m;
            sst_allocator a = meter_allocator(&m);
            sst_stream *stream;
            sst_store *store;
            int result;
            bool done;
            store = look(&a, 0, &stream);
            m.calls = 0;
            m.fail_at = n;
            result = locate(stream, of.times[200]);
            CHECK(result == SST_OK || result == SST_ERR_MEMORY);
            without += result == SST_OK && stream->series->table == NULL;
            done = m.calls < n;
            m.fail_at = 0;
            check_rows(stream, 5);
            check_new_table(stream);
            CHECK_INT(sst_close(store), SST_OK);
            CHECK_INT(m.now, 0);
            if (done) break;
        }
        CHECK(without >= 3 && n < 200);
    }
}

/* The nth read fails, while the table is made or later. */
static void tables_without_reads(void) {
    static const uint32_t sizes[2] = {512, 2048};
    sst_io io = *sst_io_default();
    int size;
    io.read_at = failing_read_at;
    io.sync = no_sync;
    for (size = 0; size < 2; size++) {
        sst_options options = {0};
        uint64_t n, without = 0;
        sst_store *store;
        sst_stream *stream;
        torn_times();
        options.io = &io;
        options.block_bytes = sizes[size];
        options.flags = SST_REPLACE | SST_NO_LIVE;
        failing_read = 0;
        REQUIRE(sst_create(file(), &options, &store) == SST_OK);
        CHECK_INT(record(store), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
        options.flags = SST_NO_MAP;
        for (n = 1; n < 3000; n++) {
            int result;
            bool done;
            REQUIRE(sst_open(file(), &options, &store) == SST_OK);
            REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
            stream->series->table_offset = 0;
            reads = 0;
            failing_read = n;
            result = at(stream, of.times[200]);
            CHECK(result == SST_OK || result == SST_ERR_IO);
            without += result == SST_OK && stream->series->table == NULL;
            CHECK(result == SST_OK || reads >= n);
            done = reads < n;
            failing_read = 0;
            check_rows(stream, 41);
            if (n % 8 == 1) check_new_table(stream);
            CHECK_INT(sst_close(store), SST_OK);
            if (done) break;
        }
        CHECK(without > 50 && n < 3000);
    }
}

/* ---- what the quick way does not do --------------------------------------------------------- */

/* In a child the store is not to be used, though there is a table. */
static void forked(void) {
    sst_stream *stream;
    sst_store *store;
    sst_view view;
    sst_options options = {0};
    uint32_t *guard = sstp_guard_make();
    pid_t child;
    int status = -1;
    if (guard == NULL) SKIP("the host does not wipe pages on fork");
    sstp_guard_free(guard);
    options.flags = SST_REPLACE | SST_NO_SYNC;
    options.block_bytes = 4096;
    uneven_times();
    REQUIRE(sst_create(file(), &options, &store) == SST_OK);
    CHECK_INT(record(store), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    check_rows(stream, 3);
    REQUIRE(stream->series->table != NULL);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        int result = sst_at(stream, of.times[300], &view);
        _exit(result == SST_ERR_STATE ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    CHECK_INT(at(stream, of.times[300]), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The row is found, but nobody has looked at the values of its block. */
static void values_not_looked_at(void) {
    size_t i;
    make_image(uneven_times, 4096);
    for (i = 20; i < of.rows; i += 100) {
        const ssti_table *t;
        sst_stream *stream;
        sst_store *store = look(NULL, 0, &stream);
        ssti_look k;
        ssti_spot spot;
        int64_t rows[2];
        CHECK_INT(locate(stream, of.times[i]), SST_OK);
        CHECK_INT(sst_sample(stream, of.times + i, 2, SST_SAMPLE_PREVIOUS, NULL, rows), SST_OK);
        CHECK_INT(rows[0], i);
        CHECK_INT(rows[1], i + 1);
        t = ssti_look_quick(&k, stream);
        REQUIRE(t != NULL && ssti_spot_find(&k, t, of.times[i], &spot));
        CHECK(ssti_column_ready(&spot.ready, 1) == NULL);
        CHECK_INT(at(stream, of.times[i]), SST_OK);
        CHECK_INT(at(stream, of.times[i + 1] - 1), SST_OK);
        CHECK_INT(sst_close(store), SST_OK);
    }
}

/* Four rows on at once, until they are behind the last. */
static void steps(void) {
    int64_t times[16];
    uint32_t i;
    for (i = 0; i < 16; i++) times[i] = 10 * (int64_t)i;
    CHECK_INT(ssti_sample_step((const uint8_t *)times, 0, 3, 1000), 4);
    CHECK_INT(ssti_sample_step((const uint8_t *)times, 0, 4, 1000), 8);
    CHECK_INT(ssti_sample_step((const uint8_t *)times, 2, 11, 1000), 14);
    CHECK_INT(ssti_sample_step((const uint8_t *)times, 0, 11, 95), 9);
    CHECK_INT(ssti_sample_step((const uint8_t *)times, 5, 11, 55), 5);
}

/* ---- tables and times that lie -------------------------------------------------------------- */

typedef struct lies {
    sst_store *store;
    sst_stream *stream;
    ssti_look k;
    ssti_table *t;
    uint8_t *real;                  /* entries */
} lies;

/* Blocks of about 200 rows that are not checked, all of them looked at. */
static bool begin_lies(lies *l) {
    sst_view view;
    make_image(uneven_times, 4096);
    l->store = look(NULL, SST_TRUST, &l->stream);
    CHECK_INT(sst_slice(l->stream, 0, of.rows, &view), SST_OK);
    check_rows(l->stream, 1);
    CHECK_INT(ssti_look_stream(&l->k, l->stream), SST_OK);
    l->t = l->stream->series->table;
    l->real = NULL;
    if (l->t == NULL || l->t->memory == NULL || l->k.blocks < 4) return false;
    l->real = (uint8_t *)malloc(l->t->memory_bytes);
    if (l->real != NULL) memcpy(l->real, l->t->memory, l->t->memory_bytes);
    return l->real != NULL;
}

static void restore(const lies *l) { memcpy(l->t->memory, l->real, l->t->memory_bytes); }

static void end_lies(lies *l) {
    free(l->real);
    CHECK_INT(sst_close(l->store), SST_OK);
}

static uint64_t bucket(const lies *l, int64_t time) {
    return ((uint64_t)time - (uint64_t)l->t->first) >> l->t->shift;
}

static uint64_t place(const lies *l, uint32_t block, uint64_t row) {
    return (uint64_t)block << l->t->row_bits | row;
}

/* A bucket goes from one place to another one now. */
static void lie(const lies *l, uint64_t b, uint64_t low, uint64_t high) {
    uint8_t *to = (uint8_t *)l->t->memory + b * l->t->width;
    if (l->t->width == 4) {
        ssti_put32(to, (uint32_t)low);
        ssti_put32(to + 4, (uint32_t)high);
    } else {
        ssti_put64(to, low);
        ssti_put64(to + 8, high);
    }
}

/* Writes over the time of a row of a block. */
static void set_time(const lies *l, uint32_t block, size_t row, int64_t time) {
    ssti_ready r;
    const uint8_t *p = ssti_block_ready(&l->k, block, &r) ? ssti_column_ready(&r, 0) : NULL;
    REQUIRE(p != NULL && row < r.b->rows);
    ssti_put64(of.u.bytes + (p - of.u.bytes) + 8 * row, (uint64_t)time);
}

/* Two times of every row from one on. */
static void ask_from(const lies *l, uint32_t block, size_t row, int64_t *times) {
    size_t first = (size_t)ssti_list_at(l->k.list, block)->first_row + row, i;
    for (i = 0; i < BATCH; i++) times[i] = of.times[first + i / 2];
}

/* right: every answer has to be; otherwise those of rows before `until`, and the others have to be
 * rows that are there. */
static void check_samples(const lies *l, const int64_t *times, bool right, int64_t until) {
    int64_t rows[BATCH], values[BATCH];
    size_t i;
    memset(rows, 0xEE, sizeof rows);
    memset(values, 0xEE, sizeof values);
    CHECK_INT(sst_sample(l->stream, times, BATCH, SST_SAMPLE_PREVIOUS, values, rows), SST_OK);
    for (i = 0; i < BATCH; i++) {
        int64_t want = true_row(times[i]);
        CHECK(rows[i] >= 0 && rows[i] < (int64_t)of.rows);
        CHECK_INT(values[i], 3 * rows[i]);
        if (right || want < until) CHECK_INT(rows[i], want);
    }
}

/* Is a batch answered by merging? */
static bool merges(const lies *l, const int64_t *times) {
    int64_t rows[BATCH];
    ssti_samples in;
    memset(&in, 0, sizeof in);
    in.times = times;
    in.n = BATCH;
    in.how = SST_SAMPLE_PREVIOUS;
    in.rows = rows;
    return ssti_sample_merge(&l->k, &in, 0);
}

/* The table leads nowhere for one of the times at which lanes begin. */
static void lanes_not_found(void) {
    int64_t times[BATCH];
    lies l;
    size_t lane;
    if (!begin_lies(&l)) CHECK(false);
    else {
        ask_from(&l, 1, 40, times);
        CHECK(merges(&l, times));
        check_samples(&l, times, true, 0);
        for (lane = 1; lane < 4; lane++) {
            uint64_t b = bucket(&l, times[lane * 16]);
            CHECK(b > bucket(&l, times[0]) + 1 && b + 1 < bucket(&l, times[BATCH - 1]));
            lie(&l, b, place(&l, l.k.blocks, 0), place(&l, l.k.blocks, 0));
            CHECK(!merges(&l, times));
            check_samples(&l, times, true, 0);
            restore(&l);
        }
    }
    end_lies(&l);
}

/* The first and the last time are found in the block after, where times are in no order: a lane
 * begins in another block. */
static void lanes_in_another_block(void) {
    int64_t times[BATCH];
    lies l;
    size_t i, right = 0;
    if (!begin_lies(&l)) CHECK(false);
    else {
        uint64_t first, last;
        int64_t rows[BATCH], values[BATCH];
        ask_from(&l, 1, 40, times);
        CHECK(merges(&l, times));
        first = bucket(&l, times[0]);
        last = bucket(&l, times[BATCH - 1]);
        CHECK(first + 2 < bucket(&l, times[16]) && bucket(&l, times[16]) + 2 < last);
        set_time(&l, 2, 9, 0);
        lie(&l, first, place(&l, 2, 10), place(&l, 2, 17));
        lie(&l, last, place(&l, 2, 10), place(&l, 2, 17));
        CHECK(!merges(&l, times));
        CHECK_INT(sst_sample(l.stream, times, BATCH, SST_SAMPLE_PREVIOUS, values, rows), SST_OK);
        for (i = 0; i < BATCH; i++) {
            int64_t lied = (int64_t)ssti_list_at(l.k.list, 2)->first_row + 9;
            uint64_t b = bucket(&l, times[i]);
            bool either = b == first || b == last;
            CHECK(rows[i] == true_row(times[i]) || (either && rows[i] == lied));
            CHECK_INT(values[i], 3 * rows[i]);
            right += rows[i] == true_row(times[i]);
        }
        CHECK(right >= BATCH / 2 && right < BATCH);
        restore(&l);
        check_samples(&l, times, true, 0);
    }
    end_lies(&l);
}

/* The last time is found among rows in no order, before the row at which a lane begins. */
static void lanes_behind_the_last(void) {
    static const size_t later[] = {2, 3, 5, 9};
    int64_t times[BATCH];
    lies l;
    size_t i;
    if (!begin_lies(&l)) CHECK(false);
    else {
        int64_t first = (int64_t)ssti_list_at(l.k.list, 1)->first_row;
        size_t row = 40;
        while ((first + (int64_t)row + 8) % 7 != 0) row++;      /* seven begin with the lane */
        ask_from(&l, 1, row, times);
        CHECK(merges(&l, times));
        CHECK(bucket(&l, times[48]) + 2 < bucket(&l, times[BATCH - 1]));
        for (i = 0; i < 4; i++) set_time(&l, 1, row + later[i], times[BATCH - 1] + 1);
        lie(&l, bucket(&l, times[BATCH - 1]), place(&l, 1, row + 2), place(&l, 1, row + 9));
        CHECK(!merges(&l, times));
        check_samples(&l, times, false, first + (int64_t)row + 1);
    }
    end_lies(&l);
}

/* One of the rows behind the last time is as early as the first: a lane that counts it goes beyond
 * the last one's row. */
static void lanes_beyond_the_last(void) {
    size_t j, beyond = 0;
    for (j = 1; j <= 4; j++) {
        int64_t times[BATCH];
        lies l;
        if (!begin_lies(&l)) CHECK(false);
        else {
            int64_t first = (int64_t)ssti_list_at(l.k.list, 1)->first_row;
            ask_from(&l, 1, 40, times);
            CHECK(merges(&l, times));
            set_time(&l, 1, 40 + BATCH / 2 - 1 + j, times[0]);
            beyond += !merges(&l, times);
            check_samples(&l, times, false, first + 40 + BATCH / 2 - 5);
        }
        end_lies(&l);
    }
    CHECK(beyond != 0);
}

/* A table that says that there is more behind the last block, or in it, than there is; and what it
 * says of the blocks before. */
static void guesses_behind_a_block(void) {
    lies l;
    if (!begin_lies(&l)) CHECK(false);
    else {
        uint64_t mask = ((uint64_t)1 << l.t->row_bits) - 1;
        uint32_t block;
        for (block = 0; block < l.k.blocks; block++) {
            const ssti_block *b = ssti_list_at(l.k.list, block);
            size_t row;
            for (row = 0; row < b->rows; row++) {
                size_t i = (size_t)b->first_row + row;
                int64_t end = i + 1 < of.rows ? of.times[i + 1] : of.times[i] + 1, time;
                int step = end - of.times[i] > 24 ? 24 : 1;
                for (time = of.times[i]; time < end; time += step) {
                    uint64_t in = bucket(&l, time), low = row > 5 ? row - 5 : 0;
                    if (in + 2 >= l.t->count) continue;
                    lie(&l, in, place(&l, block, low), place(&l, block + 1, mask));
                    CHECK_INT(at(l.stream, time), SST_OK);
                    lie(&l, in, place(&l, block, low), place(&l, block, mask));
                    CHECK_INT(at(l.stream, time), SST_OK);
                    restore(&l);
                }
            }
            if (b->rows > 0) CHECK_INT(at(l.stream, b->last_time), SST_OK);
        }
        check_rows(l.stream, 1);
    }
    end_lies(&l);
}

/* A crowded bucket whose table says of each bucket that it is crowded, and leads to itself. */
static void table_within_itself(void) {
    lies l;
    if (!begin_lies(&l)) CHECK(false);
    else {
        uint64_t mark = ssti_table_mark(l.t), unit = 100, b;
        uint8_t *head = (uint8_t *)l.t->memory + unit * 16;
        int64_t time = of.times[of.rows / 2];
        ssti_place found;
        CHECK(l.t->width == 4 && l.t->bytes > (unit + 4) * 16);
        b = bucket(&l, time);
        CHECK(b > unit * 4 + 16);
        ssti_put64(head, (uint64_t)of.times[0]);
        ssti_put64(head + 8, INT64_MAX);
        ssti_put64(head + 16, place(&l, 0, 3));
        ssti_put32(head + 24, 3);
        head[28] = 63;
        ssti_put32(head + 32, (uint32_t)(mark | unit));
        ssti_put32(head + 36, (uint32_t)place(&l, 1, 0));
        lie(&l, b, mark | unit, place(&l, 1, 0));
        CHECK(!ssti_table_find(l.t, time, &found));
        check_rows(l.stream, 1);
        restore(&l);
        CHECK(ssti_table_find(l.t, time, &found));
        check_rows(l.stream, 1);
    }
    end_lies(&l);
}

/* All of time between two rows: no bucket is wider than half of it. */
static void all_of_time(void) {
    sst_store *store;
    sst_stream *stream;
    of.rows = 2;
    of.times[0] = INT64_MIN;
    of.times[1] = INT64_MAX;
    REQUIRE(sst_create(NULL, NULL, &store) == SST_OK);
    CHECK_INT(record(store), SST_OK);
    CHECK_INT(sst_flush(store), SST_OK);
    REQUIRE(sst_stream_open(store, "s", &stream) == SST_OK);
    CHECK_INT(at(stream, INT64_MIN), SST_OK);
    CHECK_INT(at(stream, -1), SST_OK);
    CHECK_INT(at(stream, 0), SST_OK);
    CHECK_INT(at(stream, INT64_MAX - 1), SST_OK);
    CHECK_INT(at(stream, INT64_MAX), SST_OK);
    REQUIRE(stream->series->table != NULL);
    CHECK_INT(stream->series->table->shift, 63);
    CHECK_INT(stream->series->table->count, 3);
    CHECK_INT(sst_close(store), SST_OK);
}

int main(void) {
    if (!make_folder("test_branches_search")) {
        perror(folder);
        return 1;
    }
    TEST_RUN(tables_without_memory);
    TEST_RUN(tables_without_reads);
    TEST_RUN(forked);
    TEST_RUN(values_not_looked_at);
    TEST_RUN(steps);
    TEST_RUN(lanes_not_found);
    TEST_RUN(lanes_in_another_block);
    TEST_RUN(lanes_behind_the_last);
    TEST_RUN(lanes_beyond_the_last);
    TEST_RUN(guesses_behind_a_block);
    TEST_RUN(table_within_itself);
    TEST_RUN(all_of_time);
    (void)unlink(file());
    CHECK_INT(rmdir(folder), 0);
    return test_done("test_branches_search");
}
