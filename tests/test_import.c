/* test_import.c - the CSV importer: what it makes of real recordings, of numbers, and of rubbish.
 *
 * The importer is an example; here its main runs inside the test. */
#define main import_csv_main
#include "../examples/import_csv.c"
#undef main

#include <unistd.h>

#include "test.h"
#include "folder.h"

/* Runs the importer with what it prints sent to files "out" and "err"; gives its exit status. */
static int import(const char *unit, const char *csv, const char *image) {
    char *arguments[6];
    int count = 0, status, saved[2], k;
    FILE *files[2];
    arguments[count++] = (char *)(uintptr_t)"import_csv";
    if (unit != NULL) {
        arguments[count++] = (char *)(uintptr_t)"--unit";
        arguments[count++] = (char *)(uintptr_t)unit;
    }
    arguments[count++] = (char *)(uintptr_t)csv;
    if (image != NULL) arguments[count++] = (char *)(uintptr_t)image;
    arguments[count] = NULL;
    fflush(stdout);
    fflush(stderr);
    for (k = 0; k < 2; k++) {
        files[k] = fopen(at(k == 0 ? "out" : "err"), "wb");
        saved[k] = dup(k + 1);
        if (files[k] != NULL) dup2(fileno(files[k]), k + 1);
    }
    status = import_csv_main(count, arguments);
    fflush(stdout);
    fflush(stderr);
    for (k = 0; k < 2; k++) {
        dup2(saved[k], k + 1);
        close(saved[k]);
        if (files[k] != NULL) fclose(files[k]);
    }
    return status;
}

/* A file as text; the caller frees it. */
static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *text = (char *)malloc(16u << 20);
    *size = 0;
    if (file != NULL) {
        *size = fread(text, 1, (16u << 20) - 1, file);
        fclose(file);
    }
    text[*size] = '\0';
    return text;
}

static bool printed(const char *name, const char *text) {
    size_t size;
    char *all = read_file(at(name), &size);
    bool found = strstr(all, text) != NULL;
    if (!found) printf("not in %s: %s; but: %.300s\n", name, text, all);
    free(all);
    return found;
}

/* --- numbers ------------------------------------------------------------------------------ */

typedef struct number {
    const char *text;
    int digits;
    int64_t value;
    const char *rest;               /* NULL: no number */
} number;

static void times_are_exact(void) {
    static const number numbers[] = {
        {"0", 9, 0, ""},
        {"1", 9, 1000000000, ""},
        {"1,5", 9, 1000000000, ",5"},
        {"0.1", 9, 100000000, ""},
        {".5", 9, 500000000, ""},
        {"5.", 9, 5000000000, ""},
        {"0.010078907", 9, 10078907, ""},
        {"1700000000.123456789", 9, 1700000000123456789, ""},       /* no double holds it */
        {"1700000000.1234567894", 9, 1700000000123456789, ""},
        {"1700000000.1234567895", 9, 1700000000123456790, ""},
        {"-1700000000.1234567895", 9, -1700000000123456790, ""},
        {"0.0000000005", 9, 1, ""},
        {"0.00000000049999999999999999999", 9, 0, ""},
        {"-0.0000000005", 9, -1, ""},
        {"0.00000000005", 9, 0, ""},
        {"-0.00000000005", 9, 0, ""},
        {"-0", 9, 0, ""},
        {"+2.5", 3, 2500, ""},
        {"112614307", 3, 112614307000, ""},
        {"1.0005", 3, 1001, ""},
        {"0.5", 0, 1, ""},
        {"0.4999", 0, 0, ""},
        {"12e3", 0, 12000, ""},
        {"1.25E-3", 9, 1250000, ""},
        {"1.5e+1x", 9, 15000000000, "x"},
        {"00000000000000000000000000007", 0, 7, ""},
        {"0e9999", 9, 0, ""},
        {"1e-9999", 9, 0, ""},
        {"9223372036854775807", 0, INT64_MAX, ""},
        {"-9223372036854775808", 0, INT64_MIN, ""},
        {"9223372036.854775807", 9, INT64_MAX, ""},
        {"-9223372036.854775808", 9, INT64_MIN, ""},
        {"9223372036.8547758074", 9, INT64_MAX, ""},
        {"9223372036.8547758075", 9, 0, NULL},
        {"9223372036854775808", 0, 0, NULL},
        {"-9223372036854775809", 0, 0, NULL},
        {"18446744073709551616", 0, 0, NULL},
        {"1e300", 9, 0, NULL},
        {"1e99999999999999999999", 9, 0, NULL},
        {"", 9, 0, NULL},
        {"-", 9, 0, NULL},
        {".", 9, 0, NULL},
        {"+.e1", 9, 0, NULL},
        {"time", 9, 0, NULL},
        {"nan", 9, 0, NULL},
        {"1e", 9, 1000000000, "e"},
        {"0x10", 9, 0, "x10"},
    };
    size_t i;
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t value = 0;
        const char *rest = parse_time(numbers[i].text, numbers[i].digits, &value);
        if ((rest == NULL) != (numbers[i].rest == NULL) || value != numbers[i].value ||
            (rest != NULL && strcmp(rest, numbers[i].rest) != 0)) {
            printf("%s\n", numbers[i].text);
            CHECK(!"parse_time");
        }
    }
}

/* --- real recordings ---------------------------------------------------------------------- */

/* The test's own reading: whole and fraction apart, at most 9 places, no exponents. */
static int64_t time_of(const char *text, int digits) {
    int64_t time = strtoll(text, NULL, 10);
    const char *p = strpbrk(text, ".,\r\n");
    p = p != NULL && *p == '.' ? p + 1 : "";
    for (; digits > 0; digits--) time = time * 10 + (*p >= '0' && *p <= '9' ? *p++ - '0' : 0);
    return time;
}

/* Every number of the file, and windows of it, against the rows that were imported. */
static void check_recording(const char *name, const char *unit, int digits, uint32_t columns) {
    char csv[700], *text, *line, *image_path;
    unsigned char *image;
    size_t size, image_size, rows = 0, i;
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    sst_view view;
    const void *header = NULL;
    double *values;
    int64_t *times;
    uint64_t seed = 17;
    int round;
    snprintf(csv, sizeof csv, "%s/%s", test_data(), name);
    if (access(csv, R_OK) != 0) SKIP("the recording is not here");
    REQUIRE(make_folder("test_import"));
    image_path = (char *)(uintptr_t)at("image");
    CHECK_INT(import(unit, csv, image_path), 0);
    image = (unsigned char *)read_file(at("image"), &image_size);
    text = read_file(csv, &size);
    times = (int64_t *)malloc(size * sizeof *times / 2);
    values = (double *)malloc(size * sizeof *values);
    line = strchr(text, '\n') + 1;                  /* behind the names of the columns */
    for (; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *p = line;
        times[rows] = time_of(line, digits);
        for (i = 0; i < columns; i++) {
            p = strchr(p, ',') + 1;
            values[rows * columns + i] = strtod(p, NULL);
        }
        rows++;
    }
    CHECK(rows > 10000);

    CHECK_INT(sst_open_memory(image, image_size, NULL, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "csv", &stream), SST_OK);
    REQUIRE(stream != NULL);
    CHECK_INT(sst_rows(stream), rows);
    CHECK_INT(sst_stream_info(stream, &desc, NULL, NULL, NULL), SST_OK);
    CHECK_INT(desc.type, SST_F64);
    CHECK_INT(desc.shape[0], columns);
    CHECK_INT(desc.time_unit, SST_NANOSECONDS);
    CHECK_INT(sst_stream_get_meta(stream, "columns", &header, &size), SST_OK);
    CHECK(header != NULL && strncmp(strchr(text, ',') + 1, (const char *)header, size) == 0);
    CHECK_INT(sst_verify(store, NULL), SST_OK);

    CHECK_INT(sst_window(stream, INT64_MIN, INT64_MAX, &view), SST_OK);
    CHECK_INT(view.count, rows);
    if (view.count == rows) {
        CHECK_BYTES(view.times, times, rows * sizeof *times);
        CHECK_BYTES(view.values, values, rows * columns * sizeof *values);
    }
    for (round = 0; round < 2000; round++) {        /* windows from some row's time on */
        size_t first = (size_t)test_below(&seed, rows), last = first;
        int64_t start = times[first] - (int64_t)(round % 2), end = start;
        end += (int64_t)test_below(&seed, 1000000000);
        if (round % 2 != 0 && first > 0 && times[first - 1] == start) first--;
        while (last < rows && times[last] <= end) last++;
        CHECK_INT(sst_window(stream, start, end, &view), SST_OK);
        CHECK_INT(view.count, last - first);
        CHECK_INT(view.first_row, first);
        if (view.count != last - first || view.count == 0) continue;
        CHECK_BYTES(view.times, times + first, view.count * sizeof *times);
        CHECK_BYTES(view.values, values + first * columns,
                    view.count * columns * sizeof *values);
    }
    CHECK(printed("out", " rows, "));
    sst_close(store);
    free(image);
    free(text);
    free(times);
    free(values);
    remove(at("image"));
    remove(at("out"));
    remove(at("err"));
    CHECK_INT(rmdir(folder), 0);
}

static void an_imu(void) { check_recording("imu_xio.csv", NULL, 9, 9); }
static void a_drone(void) { check_recording("px4_sensor_combined.csv", "us", 3, 6); }

/* --- small files -------------------------------------------------------------------------- */

static int import_text(const char *unit, const char *text, size_t size) {
    FILE *file = fopen(at("csv"), "wb");
    if (file == NULL) return -1;
    CHECK_INT(fwrite(text, 1, size, file), size);
    fclose(file);
    return import(unit, at("csv"), at("image"));
}

/* What the image of the last import has, as text: times and values. */
static void imported(char *out, size_t capacity) {
    size_t size, used = 0;
    unsigned char *image = (unsigned char *)read_file(at("image"), &size);
    sst_store *store = NULL;
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    sst_view view;
    uint64_t i, k;
    out[0] = '\0';
    CHECK_INT(sst_open_memory(image, size, NULL, &store), SST_OK);
    CHECK_INT(sst_stream_open(store, "csv", &stream), SST_OK);
    REQUIRE(stream != NULL);
    CHECK_INT(sst_stream_info(stream, &desc, NULL, NULL, NULL), SST_OK);
    CHECK_INT(sst_slice(stream, 0, 100, &view), SST_OK);
    for (i = 0; i < view.count; i++) {
        used += (size_t)snprintf(out + used, capacity - used, "%lld:", (long long)view.times[i]);
        for (k = 0; k < desc.shape[0]; k++) {
            used += (size_t)snprintf(out + used, capacity - used, " %g",
                                     ((const double *)view.values)[i * desc.shape[0] + k]);
        }
        used += (size_t)snprintf(out + used, capacity - used, ";");
    }
    sst_close(store);
    free(image);
}

static void good(const char *unit, const char *text, const char *want) {
    char got[1000];
    CHECK_INT(import_text(unit, text, strlen(text)), 0);
    imported(got, sizeof got);
    if (strcmp(got, want) != 0) printf("%s\n", got);
    CHECK_TEXT(got, want);
    remove(at("image"));
}

static void bad(const char *text, size_t size, const char *want) {
    CHECK_INT(import_text(NULL, text, size), 1);
    CHECK(printed("err", want));
    CHECK(access(at("image"), F_OK) != 0);   /* nothing is written */
}

static void small_files(void) {
    REQUIRE(make_folder("test_import"));
    good(NULL, "t,a,b\n0,1,2\n0.5,3,4\n", "0: 1 2;500000000: 3 4;");
    good(NULL, "0,1\n1,2\n", "0: 1;1000000000: 2;");            /* no names */
    good("ms", "t,a\r\n1,10\r\n2.5,-1e3\r\n", "1000000: 10;2500000: -1000;");
    good("us", "t,a\n1,0x10\n\n\n2, 5\n", "1000: 16;2000: 5;"); /* empty lines */
    good("ns", "t,a\n-7,.5\n9223372036854775807,inf", "-7: 0.5;9223372036854775807: inf;");
    good("s", "only,names\n", "");

    bad("", 0, "line 0");
    bad("t\n1\n", 4, "line 1: no column");
    bad("t,a\n0,1\nx,2\n", 12, "line 3: column 1");
    bad("t,a\n0,1\n\n1,zwei\n", 16, "line 4: a column");
    bad("t,a\n0,1\n1,\n", 11, "line 3: a column");
    bad("t,a\n0,1\n1\n", 10, "line 3: a column");
    bad("t,a\n0,1\n1,2,3\n", 14, "line 3: more columns");
    bad("t,a\n0,1\n1,2x\n", 13, "line 3: a column");
    bad("t,a,b\n0,1\n", 10, "line 2: a column");
    bad("t,a,b\n0,,1\n", 11, "line 2: a column");
    bad("t,a\n5,1\n5,2\n", 12, "line 3: time is not increasing");
    bad("t,a\n5,1\n4,2\n", 12, "line 3: time is not increasing");
    bad("t,a\n1e30,1\n", 11, "line 2: column 1");
    bad("t,a\n0,1\0,\n", 11, "line 2: a zero byte");
    bad("\0\0\0", 3, "line 1: a zero byte");
    CHECK_INT(import(NULL, at("absent"), NULL), 1);
    CHECK_INT(import("hours", at("csv"), NULL), 2);
    CHECK_INT(import(NULL, at("csv"), at("no/image")), 1);
    remove(at("csv"));
    remove(at("out"));
    remove(at("err"));
    CHECK_INT(rmdir(folder), 0);
}

int main(void) {
    TEST_RUN(times_are_exact);
    TEST_RUN(an_imu);
    TEST_RUN(a_drone);
    TEST_RUN(small_files);
    return test_done("import");
}
