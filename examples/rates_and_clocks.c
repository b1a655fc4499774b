/* rates_and_clocks.c - streams of different rates, and more than one clock per row.
 *
 *     cc rates_and_clocks.c && ./a.out
 *
 * A position comes five times a second. Its time is that of capture; when it arrived, late, is a
 * timeline of its own. Wheel speed comes a hundred times a second. Asked by capture: which
 * position belongs to a moment. Asked by arrival: which was the newest known at that moment.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

#define MS ((int64_t)1000000)

static int record(sst_stream *position, sst_stream *speed) {
    int i, result = SST_OK;
    for (i = 0; i < 10 && result == SST_OK; i++) {
        double place[2];
        int64_t arrival = i * 200 * MS + 90 * MS + (i % 3) * 20 * MS;
        sst_row row = {0};
        place[0] = 47.0 + i * 0.25;
        place[1] = 8.0 - i * 0.125;
        row.time = i * 200 * MS;
        row.timelines = &arrival;
        row.value = place;
        result = sst_append_row(position, &row);
    }
    for (i = 0; i < 200 && result == SST_OK; i++) {
        result = sst_append_f32(speed, i * 10 * MS, 3.0f + (float)i * 0.5f);
    }
    return result;
}

static int compare(sst_stream *position, sst_stream *speed) {
    static const int64_t moments[4] = {250 * MS, 650 * MS, 805 * MS, 1500 * MS};
    int64_t captured[4];
    double speeds[4];
    sst_view late;
    int i, result = sst_sample(position, moments, 4, SST_SAMPLE_PREVIOUS, NULL, captured);
    if (result == SST_OK) result = sst_sample(speed, moments, 4, SST_SAMPLE_LINEAR, speeds, NULL);
    printf("moment    captured by then  arrived by then  speed\n");
    for (i = 0; i < 4 && result == SST_OK; i++) {
        uint64_t arrived;
        result = sst_locate_on(position, 0, moments[i], SST_AT_OR_BEFORE, &arrived);
        if (result != SST_OK) break;
        printf("%4d ms   row %-12d  row %-11d  %g\n", (int)(moments[i] / MS), (int)captured[i],
               (int)arrived, speeds[i]);
    }
    if (result == SST_OK) result = sst_window_on(position, 0, 500 * MS, 1000 * MS, 0, &late);
    for (i = 0; result == SST_OK && i < (int)late.count; i++) {
        printf("arrived at %d ms: captured at %d ms\n", (int)(late.timelines[0][i] / MS),
               (int)(late.times[i] / MS));
    }
    return result;
}

int main(void) {
    sst_store *store = NULL;
    sst_stream *position = NULL, *speed = NULL;
    sst_stream_desc fix = {0}, wheel = {0};
    int result = sst_create(NULL, NULL, &store);
    fix.name = "position";
    fix.type = SST_F64;
    fix.shape[0] = 2;
    fix.timelines[0] = "arrival";
    wheel.name = "speed";
    wheel.type = SST_F32;
    if (result == SST_OK) result = sst_stream_create(store, &fix, &position);
    if (result == SST_OK) result = sst_stream_create(store, &wheel, &speed);
    if (result == SST_OK) result = record(position, speed);
    if (result == SST_OK) result = compare(position, speed);
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    sst_close(store);
    return result == SST_OK ? 0 : 1;
}
