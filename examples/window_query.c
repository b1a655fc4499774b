/* window_query.c - every row of an interval: closed, half-open, with the value carried in.
 *
 *     cc window_query.c && ./a.out
 *
 * A temperature is recorded whenever it changes. A window gives the rows in an interval as plain
 * arrays; nothing is copied where they lie in one block.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

static int print_window(sst_stream *stream, int64_t start, int64_t end, uint32_t flags,
                        const char *title) {
    sst_view view;
    const double *values;
    uint64_t i;
    int result = sst_window_ex(stream, start, end, flags, &view);
    if (result != SST_OK) {
        fprintf(stderr, "sst_window_ex: %s\n", sst_result_text(result));
        return result;
    }
    values = (const double *)view.values;
    printf("%-28s %llu rows:", title, (unsigned long long)view.count);
    for (i = 0; i < view.count; i++) {
        printf("  %.1f s %g C", (double)view.times[i] * 1e-9, values[i]);
    }
    printf("\n");
    return SST_OK;
}

int main(void) {
    static const int64_t second = 1000000000;
    static const double recorded[5] = {20.5, 20.75, 21.0, 21.5, 21.25};
    sst_store *store = NULL;
    sst_stream *room = NULL;
    sst_stream_desc desc = {0};
    int result, i;

    desc.name = "room temperature";
    desc.type = SST_F64;                            /* a scalar: no shape */
    result = sst_create(NULL, NULL, &store);
    if (result == SST_OK) result = sst_stream_create(store, &desc, &room);
    for (i = 0; i < 5 && result == SST_OK; i++) {
        result = sst_append_f64(room, i * second, recorded[i]);
    }

    if (result == SST_OK) {
        result = print_window(room, 1 * second, 3 * second, 0, "[1 s, 3 s]");
    }
    if (result == SST_OK) {
        result = print_window(room, 1 * second, 3 * second, SST_HALF_OPEN, "[1 s, 3 s)");
    }
    if (result == SST_OK) {                         /* what holds from 1.5 s on is that of 1 s */
        result = print_window(room, 3 * second / 2, 3 * second, SST_CARRY, "[1.5 s, 3 s], carried");
    }
    if (result == SST_OK) {
        result = print_window(room, 60 * second, 61 * second, 0, "[60 s, 61 s]");
    }
    if (result == SST_OK) {
        result = print_window(room, 60 * second, 61 * second, SST_CARRY, "[60 s, 61 s], carried");
    }
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    sst_close(store);
    return result == SST_OK ? 0 : 1;
}
