/* import_csv.c - makes a stream of a CSV file whose first column is the time.
 *
 *     cc import_csv.c -o import_csv && ./import_csv [--unit s|ms|us|ns] FILE.csv [IMAGE]
 *
 * The other columns become one row of doubles, as strtod reads them. Times become nanoseconds,
 * rounded to the nearest, ties away from zero, on the decimal text and not through a double. A
 * first line that does not begin with a number names the columns: metadata "columns" of the
 * stream. Empty lines are skipped, quotes are not known. IMAGE: the store is written there. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct importer {
    const char *path;
    FILE *file;
    int digits;                     /* of the unit: 9 for seconds, 0 for nanoseconds */
    unsigned long line_number;
    double *values;                 /* [columns] */
    uint32_t columns;               /* without the time */
    sst_store *store;
    sst_stream *stream;
} importer;

static int failed(const importer *in, int result, const char *what) {
    fprintf(stderr, "%s: line %lu: %s\n", in->path, in->line_number,
            what != NULL ? what : sst_result_text(result));
    return result;
}

/* Reads a decimal number times 10^digits as an integer; returns its end, NULL when there is none
 * or it does not fit. */
static const char *parse_time(const char *text, int digits, int64_t *out) {
    static const char ten[] = "0123456789";
    const char *p = text + (*text == '-' || *text == '+'), *first = p;
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + (*text == '-' ? 1 : 0);
    size_t whole = strspn(p, ten), part = 0, i;
    long keep = (long)whole + digits;               /* digits before the point of the result */
    p += whole;
    if (*p == '.') {
        part = strspn(p + 1, ten);
        p += 1 + part;
    }
    if (whole + part == 0) return NULL;
    if ((*p == 'e' || *p == 'E') && strspn(p + 1, "+-0123456789") > 0) {
        char *end;
        long exponent = strtol(p + 1, &end, 10);
        if (end == p + 1 || exponent < -9999 || exponent > 9999) return NULL;
        keep += exponent;
        p = end;
    }
    for (i = 0; keep >= 0 && i <= (size_t)keep; i++) {
        unsigned digit = i < whole + part ? (unsigned)(first[i + (i >= whole)] - '0') : 0;
        unsigned base = i < (size_t)keep ? 10 : 1;
        if (base == 1) digit = digit >= 5;          /* the first one behind it rounds */
        if (value > (limit - digit) / base) return NULL;
        value = value * base + digit;
    }
    *out = *text == '-' && value > 0 ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return p;
}

/* Makes the stream by what the first line says; *header: there is no row in it. */
static int make_stream(importer *in, const char *line, bool *header) {
    sst_stream_desc desc = {0};
    const char *p;
    int64_t time;
    int result;
    for (p = line; (p = strchr(p, ',')) != NULL; p++) in->columns++;
    if (in->columns == 0) return failed(in, SST_ERR_SHAPE, "no column besides the time");
    in->values = (double *)malloc(in->columns * sizeof(double));
    if (in->values == NULL) return failed(in, SST_ERR_MEMORY, NULL);
    desc.name = "csv";
    desc.type = SST_F64;
    desc.shape[0] = in->columns;
    result = sst_stream_create(in->store, &desc, &in->stream);
    *header = parse_time(line, in->digits, &time) == NULL;
    p = strchr(line, ',') + 1;
    if (result == SST_OK && *header) {
        result = sst_stream_set_meta(in->stream, "columns", p, strlen(p));
    }
    return result == SST_OK ? SST_OK : failed(in, result, NULL);
}

static int append_line(importer *in, const char *line) {
    int64_t time;
    uint32_t i;
    int result;
    const char *p = parse_time(line, in->digits, &time);
    if (p == NULL) return failed(in, SST_ERR_FORMAT, "column 1 is not a time");
    for (i = 0; i < in->columns; i++) {
        char *end = NULL;
        bool there = *p == ',' && p[1] != ',' && p[1] != '\0';
        if (there) in->values[i] = strtod(p + 1, &end);
        if (!there || end == p + 1 || (*end != ',' && *end != '\0')) {
            return failed(in, SST_ERR_FORMAT, "a column is missing or not a number");
        }
        p = end;
    }
    if (*p != '\0') return failed(in, SST_ERR_FORMAT, "more columns than in the first line");
    result = sst_append(in->stream, time, in->values);
    return result == SST_OK ? SST_OK : failed(in, result, NULL);
}

static int import_lines(importer *in) {
    char *line = NULL;
    size_t capacity = 0;
    int result = SST_OK;
    while (result == SST_OK) {
        bool header = false;
        long long length = getline(&line, &capacity, in->file);
        if (length < 0) break;
        in->line_number++;
        if (strlen(line) != (size_t)length) result = failed(in, SST_ERR_FORMAT, "a zero byte");
        while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL) length--;
        line[length] = '\0';
        if (length == 0 || result != SST_OK) continue;
        if (in->stream == NULL) result = make_stream(in, line, &header);
        if (result == SST_OK && !header) result = append_line(in, line);
    }
    free(line);
    if (ferror(in->file)) return failed(in, SST_ERR_IO, "cannot be read");
    return result == SST_OK && in->stream == NULL ? failed(in, SST_ERR_FORMAT, "empty") : result;
}

/* Prints a summary and the rows of a hundredth of the time, from the middle on. */
static int print_rows(const importer *in) {
    int64_t first, last, middle;
    uint64_t rows, i;
    sst_view view;
    int result = sst_stream_info(in->stream, NULL, &rows, &first, &last);
    if (result != SST_OK) return result;
    printf("%llu rows, %lld to %lld ns\n", (unsigned long long)rows, (long long)first,
           (long long)last);
    middle = first / 2 + last / 2;
    result = sst_window(in->stream, middle, middle + (last / 100 - middle / 100), &view);
    for (i = 0; result == SST_OK && i < view.count * in->columns && i < 5 * in->columns; i++) {
        if (i % in->columns == 0) printf("%lld", (long long)view.times[i / in->columns]);
        printf(",%.17g%s", ((const double *)view.values)[i],
               (i + 1) % in->columns == 0 ? "\n" : "");
    }
    return result;
}

static int write_image(sst_store *store, const char *path) {
    const void *bytes;
    size_t size;
    int result = sst_image(store, &bytes, &size);
    FILE *file = result == SST_OK ? fopen(path, "wb") : NULL;
    if (file == NULL) return result == SST_OK ? SST_ERR_IO : result;
    result = fwrite(bytes, 1, size, file) == size ? SST_OK : SST_ERR_IO;
    return fclose(file) == 0 ? result : SST_ERR_IO;
}

int main(int argc, char **argv) {
    static const char *const units[4] = {"ns", "us", "ms", "s"};
    importer in = {0};
    int result, unit = 3, next = 1;
    if (argc > 3 && strcmp(argv[1], "--unit") == 0) {
        for (unit = 0; unit < 4 && strcmp(argv[2], units[unit]) != 0; unit++) continue;
        next = 3;
    }
    if (unit == 4 || argc - next < 1 || argc - next > 2 || argv[next][0] == '-') {
        fprintf(stderr, "import_csv [--unit s|ms|us|ns] FILE.csv [IMAGE]\n");
        return 2;
    }
    in.digits = 3 * unit;
    in.path = argv[next];
    in.file = fopen(in.path, "rb");
    if (in.file == NULL) {
        perror(in.path);
        return 1;
    }
    result = sst_create(NULL, NULL, &in.store);
    if (result == SST_OK) result = import_lines(&in);
    if (result == SST_OK) result = print_rows(&in);
    if (result == SST_OK && argc - next == 2) result = write_image(in.store, argv[next + 1]);
    if (result != SST_OK) fprintf(stderr, "%s: %s\n", in.path, sst_result_text(result));
    fclose(in.file);
    sst_close(in.store);
    free(in.values);
    return result == SST_OK ? 0 : 1;
}
