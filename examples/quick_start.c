/* quick_start.c - records a few rows and asks for the one in force at a time.
 *
 *     cc quick_start.c && ./a.out
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>

static int failed(const char *what, int result) {
    fprintf(stderr, "%s: %s\n", what, sst_result_text(result));
    return 1;
}

int main(void) {
    sst_store *store = NULL;
    sst_stream *imu = NULL;
    sst_stream_desc desc = {0};
    sst_view view;
    const float *v;
    int64_t time;
    int result;

    result = sst_create(NULL, NULL, &store);        /* NULL path: in memory */
    if (result != SST_OK) return failed("sst_create", result);

    desc.name = "imu";
    desc.type = SST_F32;
    desc.shape[0] = 3;                              /* each row is float[3] */
    result = sst_stream_create(store, &desc, &imu);
    if (result != SST_OK) return failed("sst_stream_create", result);

    for (time = 1000; time <= 5000; time += 1000) {
        float value[3];
        value[0] = 0.1f;
        value[1] = 0.2f;
        value[2] = 9.8f + (float)time / 1000.0f;
        result = sst_append(imu, time, value);      /* times only grow */
        if (result != SST_OK) return failed("sst_append", result);
    }

    result = sst_at(imu, 2500, &view);              /* the row in force at 2500 */
    if (result != SST_OK) return failed("sst_at", result);
    v = (const float *)view.values;
    printf("in force at 2500: row %llu of time %lld: %g %g %g\n",
           (unsigned long long)view.first_row, (long long)view.times[0], v[0], v[1], v[2]);

    result = sst_at(imu, 999, &view);               /* before the first row there is none */
    printf("in force at 999: %s\n", sst_result_name(result));
    if (result != SST_ERR_NOT_FOUND) return 1;

    result = sst_append(imu, 5000, v);              /* an error is a number, and changes nothing */
    printf("appending time 5000 again: %s, %llu rows\n", sst_result_name(result),
           (unsigned long long)sst_rows(imu));
    if (result != SST_ERR_ORDER) return 1;

    result = sst_close(store);                      /* closes the stream too */
    return result == SST_OK ? 0 : failed("sst_close", result);
}
