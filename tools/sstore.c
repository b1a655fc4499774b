/* sstore - looks at recordings, and after them, from the command line.
 *
 *     cc -O2 -o sstore tools/sstore.c && ./sstore help
 *
 * Exit status: 0 done; 1 it failed (verify: something is damaged); 2 wrong arguments; 3 verify: the
 * end is torn, nothing else is. Results go to standard output, all else to standard error. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, TORN = 3 };

/* ---- what the command line said ----------------------------------------------------------- */

typedef struct arguments {
    const char *command, *path, *target;
    const char *stream, *from, *to, *live;
    uint64_t rows, block_bytes;     /* tail -n; compact --block-bytes */
    bool json, follow, single, replace, no_sync;
} arguments;

static int complain(const char *what, const char *about) {
    fprintf(stderr, "sstore: %s%s%s\n", what, about[0] != '\0' ? ": " : "", about);
    return FAILED;
}

static int complain_result(const char *path, int result, const sst_error *error) {
    fprintf(stderr, "sstore: %s: %s", path, sst_result_text(result));
    if (error->what != NULL && error->what[0] != '\0') fprintf(stderr, " (%s)", error->what);
    if (error->os_error != 0) fprintf(stderr, ": %s", strerror(error->os_error));
    fprintf(stderr, "\n");
    return FAILED;
}

static int complain_store(const char *path, sst_store *store, int result) {
    sst_error error;
    sst_store_error(store, &error);
    return complain_result(path, result, &error);
}

static int complain_stream(const char *path, sst_stream *stream, int result) {
    sst_error error;
    sst_stream_error(stream, &error);
    return complain_result(path, result, &error);
}

/* ---- progress: counts the bytes that pass through the store's I/O --------------------------- */

typedef struct progress {
    sst_io io;                      /* wraps the default one, which does not look at `user` */
    const char *what;
    uint64_t done, total;
    bool writes;                    /* counts what is written, else what is read */
    bool shown;
    double begun, last;
} progress;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* 1536 becomes "1.5 KiB". */
static const char *human(double bytes, char *text, size_t size) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit < 5) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return text;
}

static void progress_show(progress *p, uint64_t bytes) {
    double t = now(), rate;
    char done[32], total[32], speed[32];
    p->done += bytes;
    if (t - p->begun < 1 || t - p->last < 0.2) return;
    p->last = t;
    p->shown = true;
    rate = (double)p->done / (t - p->begun);
    fprintf(stderr, "\r%s: %s of %s, %s/s", p->what, human((double)p->done, done, sizeof done),
            human((double)p->total, total, sizeof total), human(rate, speed, sizeof speed));
    if (p->total > p->done && rate > 0) {
        fprintf(stderr, ", %.0f s left", (double)(p->total - p->done) / rate);
    }
    fprintf(stderr, "   ");
}

static int progress_read(void *user, void *file, uint64_t offset, void *bytes, size_t size,
                         size_t *done) {
    progress *p = (progress *)user;
    int result = sst_io_default()->read_at(NULL, file, offset, bytes, size, done);
    if (!p->writes) progress_show(p, *done);
    return result;
}

static int progress_write(void *user, void *file, uint64_t offset, const void *bytes, size_t size,
                          size_t *done) {
    progress *p = (progress *)user;
    int result = sst_io_default()->write_at(NULL, file, offset, bytes, size, done);
    if (p->writes) progress_show(p, *done);
    return result;
}

/* NULL where nobody watches: then the default I/O, which maps, is used. */
static const sst_io *progress_begin(progress *p, const char *what, uint64_t total, bool writes) {
    memset(p, 0, sizeof *p);
    if (!isatty(STDERR_FILENO)) return NULL;
    p->io = *sst_io_default();
    p->io.user = p;
    p->io.read_at = progress_read;
    p->io.write_at = progress_write;
    p->what = what;
    p->total = total;
    p->writes = writes;
    p->begun = now();
    return &p->io;
}

static void progress_end(progress *p) {
    if (p->shown) fprintf(stderr, "\r%60s\r", "");
}

/* ---- opening -------------------------------------------------------------------------------- */

static int open_store(const arguments *a, const sst_io *io, uint32_t flags, sst_store **store) {
    sst_options options;
    sst_error error;
    int result;
    memset(&options, 0, sizeof options);
    memset(&error, 0, sizeof error);
    options.live_path = a->live;
    options.error = &error;
    options.io = io;
    options.flags = flags;
    result = sst_open(a->path, &options, store);
    return result == SST_OK ? DONE : complain_result(a->path, result, &error);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static double half_value(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    double fraction = (double)(bits & 1023), value;
    if (exponent == 31) value = fraction == 0 ? HUGE_VAL : (double)NAN;
    else if (exponent == 0) value = ldexp(fraction, -24);
    else value = ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -value : value;
}

static double brain_value(uint16_t bits) {
    uint32_t word = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &word, sizeof value);
    return (double)value;
}

/* Does a decimal text mean this number, to a reader of its type? For the 16-bit types that is
 * whether no neighbour is nearer. */
static bool reads_back(sst_type type, const char *text, double value, uint16_t bits) {
    double read = strtod(text, NULL), below, above, distance;
    if (type == SST_F64) return read == value;
    if (type == SST_F32) return strtof(text, NULL) == (float)value;
    below = type == SST_F16 ? half_value((uint16_t)(bits - 1)) : brain_value((uint16_t)(bits - 1));
    above = type == SST_F16 ? half_value((uint16_t)(bits + 1)) : brain_value((uint16_t)(bits + 1));
    distance = fabs(read - value);
    return (bits & 0x7FFF) == 0 ? read == 0
                                : distance < fabs(read - below) && distance < fabs(read - above);
}

/* The shortest decimal that reads back equal. JSON has no word for what is not finite. */
static void print_real(FILE *out, sst_type type, double value, uint16_t bits, bool json) {
    char text[40];
    int digits;
    if (isnan(value) || isinf(value)) {
        fputs(json ? "null" : isnan(value) ? "nan" : value < 0 ? "-inf" : "inf", out);
        return;
    }
    if (value == floor(value) && fabs(value) < 1e15) {      /* 10, not 1e+01 */
        fprintf(out, "%.0f", value);
        return;
    }
    for (digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (reads_back(type, text, value, bits)) break;
    }
    fputs(text, out);
}

static void print_item(FILE *out, sst_type type, const uint8_t *p, bool json) {
    int64_t i64;
    uint64_t u64;
    int32_t i32;
    uint32_t u32;
    int16_t i16;
    uint16_t u16;
    float f32;
    double f64;
    switch (type) {
    case SST_BOOL: fputs(json ? *p ? "true" : "false" : *p ? "1" : "0", out); break;
    case SST_I8: fprintf(out, "%d", (int)(int8_t)*p); break;
    case SST_U8: fprintf(out, "%d", (int)*p); break;
    case SST_I16: memcpy(&i16, p, 2); fprintf(out, "%d", (int)i16); break;
    case SST_U16: memcpy(&u16, p, 2); fprintf(out, "%u", (unsigned)u16); break;
    case SST_I32: memcpy(&i32, p, 4); fprintf(out, "%" PRId32, i32); break;
    case SST_U32: memcpy(&u32, p, 4); fprintf(out, "%" PRIu32, u32); break;
    case SST_I64: memcpy(&i64, p, 8); fprintf(out, "%" PRId64, i64); break;
    case SST_U64: memcpy(&u64, p, 8); fprintf(out, "%" PRIu64, u64); break;
    case SST_F16: memcpy(&u16, p, 2); print_real(out, type, half_value(u16), u16, json); break;
    case SST_BF16: memcpy(&u16, p, 2); print_real(out, type, brain_value(u16), u16, json); break;
    case SST_F32: memcpy(&f32, p, 4); print_real(out, type, (double)f32, 0, json); break;
    case SST_F64: memcpy(&f64, p, 8); print_real(out, type, f64, 0, json); break;
    default: break;
    }
}

static size_t type_bytes(sst_type type) {
    static const uint8_t bytes[16] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 1, 1};
    return bytes[(unsigned)type & 15];
}

static const char *type_name(sst_type type) {
    static const char *const names[16] = {"?", "bool", "i8", "i16", "i32", "i64", "u8", "u16",
                                          "u32", "u64", "f16", "bf16", "f32", "f64", "text",
                                          "bytes"};
    return names[(unsigned)type & 15];
}

static const char *unit_name(sst_unit unit) {
    static const char *const names[5] = {"ns", "us", "ms", "s", "ticks"};
    return (unsigned)unit < 5 ? names[unit] : "?";
}

/* Seconds of one unit; 0: it has no length. */
static double unit_seconds(sst_unit unit) {
    static const double seconds[5] = {1e-9, 1e-6, 1e-3, 1, 0};
    return (unsigned)unit < 5 ? seconds[unit] : 0;
}

static void print_json_text(FILE *out, const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    fputc('"', out);
    for (; *p != 0; p++) {
        if (*p == '"' || *p == '\\') fprintf(out, "\\%c", *p);
        else if (*p < 32) fprintf(out, "\\u%04x", *p);
        else fputc(*p, out);
    }
    fputc('"', out);
}

/* RFC 4180. */
static void print_csv_text(FILE *out, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/* ---- streams and their rows ------------------------------------------------------------------ */

#define PART_ROWS 4096u             /* taken at once */

/* A stream that is being printed, from a row on. */
typedef struct reader {
    sst_stream *stream;
    sst_stream_desc desc;
    sst_field only;                 /* what a stream has without a list of fields */
    uint32_t field_count, lines;
    size_t row_bytes;
    bool timed, tagged;
    uint64_t next, end;             /* rows */
    sst_view view;                  /* rows [view.first_row, + view.count) of it */
} reader;

static size_t field_items(const sst_field *f) {
    size_t items = 1;
    int i;
    for (i = 0; i < 4 && f->shape[i] != 0; i++) items *= f->shape[i];
    return items;
}

/* A field. The reader moves when there are more of them, so this is no member. */
static const sst_field *reader_field(const reader *r, uint32_t i) {
    return r->desc.fields != NULL ? &r->desc.fields[i] : &r->only;
}

/* What follows from r->desc. */
static void reader_describe(reader *r) {
    uint32_t i;
    r->timed = (r->desc.flags & SST_UNTIMED) == 0;
    r->tagged = (r->desc.flags & SST_TAGGED) != 0;
    while (r->lines < SST_MAX_TIMELINES && r->desc.timelines[r->lines] != NULL) r->lines++;
    r->only.type = r->desc.type;
    memcpy(r->only.shape, r->desc.shape, sizeof r->only.shape);
    r->field_count = r->desc.fields != NULL ? r->desc.field_count : 1;
    r->row_bytes = 8 * ((r->timed ? 1 : 0) + (size_t)r->lines) + (r->tagged ? 4 : 0);
    for (i = 0; i < r->field_count; i++) {
        const sst_field *f = reader_field(r, i);
        r->row_bytes += field_items(f) * type_bytes(f->type);
    }
}

static int reader_open(const arguments *a, sst_store *store, const char *name, reader *r) {
    int result = sst_stream_open(store, name, &r->stream);
    if (result != SST_OK) return complain_store(name, store, result);
    result = sst_stream_info(r->stream, &r->desc, &r->end, NULL, NULL);
    if (result != SST_OK) return complain_stream(a->path, r->stream, result);
    reader_describe(r);
    return DONE;
}

/* Makes sure that the view has the next row; false: there is none, or *status tells. */
static bool reader_ready(const arguments *a, reader *r, int *status) {
    int result;
    if (r->next >= r->end || *status != DONE) return false;
    if (r->next >= r->view.first_row && r->next - r->view.first_row < r->view.count) return true;
    result = sst_slice(r->stream, r->next, r->end - r->next < PART_ROWS ? r->end - r->next
                                                                        : PART_ROWS, &r->view);
    if (result != SST_OK) *status = complain_stream(a->path, r->stream, result);
    return result == SST_OK && r->view.count != 0;
}

/* Does a row come before that of another stream? Rows without times come first, stream by
 * stream. */
static bool reader_before(const reader *r, const reader *other) {
    if (!r->timed || !other->timed) return !r->timed && other->timed;
    return r->view.times[r->next - r->view.first_row] <
           other->view.times[other->next - other->view.first_row];
}

/* A field without a name is "value" where it is the only one, and else "value0", "value1", ... */
static void field_name(const reader *r, uint32_t field, char *text, size_t size) {
    const char *name = reader_field(r, field)->name;
    if (name != NULL && name[0] != '\0') snprintf(text, size, "%s", name);
    else if (r->field_count == 1) snprintf(text, size, "value");
    else snprintf(text, size, "value%" PRIu32, field);
}

/* "x[1][2]" for the items of an array, "x" for a scalar. */
static void print_item_name(FILE *out, const reader *r, uint32_t field, size_t item) {
    const uint32_t *shape = reader_field(r, field)->shape;
    char text[SST_MAX_NAME + 64];
    size_t place[4], n = 0, used;
    int i;
    while (n < 4 && shape[n] != 0) n++;
    for (i = (int)n - 1; i >= 0; i--) {
        place[i] = item % shape[i];
        item /= shape[i];
    }
    field_name(r, field, text, sizeof text);
    used = strlen(text);
    for (i = 0; i < (int)n && used < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "[%zu]", place[i]);
    }
    print_csv_text(out, text);
}

/* What stands between two columns: nothing before the first. */
static void print_comma(bool *any) {
    if (*any) putchar(',');
    *any = true;
}

static void print_head(const reader *r) {
    bool any = false;
    uint32_t k;
    size_t i;
    if (r->timed) {
        print_comma(&any);
        printf("time");
    }
    for (k = 0; k < r->lines; k++) {
        print_comma(&any);
        print_csv_text(stdout, r->desc.timelines[k]);
    }
    if (r->tagged) {
        print_comma(&any);
        printf("tag");
    }
    for (k = 0; k < r->field_count; k++) {
        for (i = 0; i < field_items(reader_field(r, k)); i++) {
            print_comma(&any);
            print_item_name(stdout, r, k, i);
        }
    }
    putchar('\n');
}

/* One field of a row: its items in CSV, a number or a flat array in JSON. */
static void print_field(const reader *r, uint32_t field, uint64_t at, bool json) {
    const sst_field *f = reader_field(r, field);
    size_t items = field_items(f), bytes = type_bytes(f->type), i;
    const uint8_t *p = (const uint8_t *)r->view.columns[field].values + (size_t)at * items * bytes;
    if (json && f->shape[0] != 0) putchar('[');
    for (i = 0; i < items; i++) {
        if (i > 0) putchar(',');
        print_item(stdout, f->type, p + i * bytes, json);
    }
    if (json && f->shape[0] != 0) putchar(']');
}

/* The value of a stream of one field, the values of several by their names. */
static void print_fields_json(const reader *r, uint64_t at) {
    char name[SST_MAX_NAME + 64];
    uint32_t k;
    if (r->field_count == 1) {
        printf(",\"value\":");
        print_field(r, 0, at, true);
        return;
    }
    printf(",\"values\":{");
    for (k = 0; k < r->field_count; k++) {
        if (k > 0) putchar(',');
        field_name(r, k, name, sizeof name);
        print_json_text(stdout, name);
        putchar(':');
        print_field(r, k, at, true);
    }
    putchar('}');
}

static void print_row_json(const reader *r, uint64_t at) {
    uint32_t k;
    printf("{\"stream\":");
    print_json_text(stdout, r->desc.name);
    printf(",\"row\":%" PRIu64, r->next);
    if (r->timed) printf(",\"time\":%" PRId64, r->view.times[at]);
    for (k = 0; k < r->lines; k++) {
        printf(k == 0 ? ",\"timelines\":{" : ",");
        print_json_text(stdout, r->desc.timelines[k]);
        printf(":%" PRId64, r->view.timelines[k][at]);
    }
    if (r->lines > 0) putchar('}');
    if (r->tagged) printf(",\"tag\":%" PRIu32, r->view.tags[at]);
    print_fields_json(r, at);
    printf("}\n");
}

static void print_row_csv(const reader *r, uint64_t at, bool named) {
    bool any = false;
    uint32_t k;
    if (named) {
        print_comma(&any);
        print_csv_text(stdout, r->desc.name);
    }
    if (r->timed) {
        print_comma(&any);
        printf("%" PRId64, r->view.times[at]);
    }
    for (k = 0; k < r->lines; k++) {
        print_comma(&any);
        printf("%" PRId64, r->view.timelines[k][at]);
    }
    if (r->tagged) {
        print_comma(&any);
        printf("%" PRIu32, r->view.tags[at]);
    }
    for (k = 0; k < r->field_count; k++) {
        print_comma(&any);
        print_field(r, k, at, false);
    }
    putchar('\n');
}

/* The next row: CSV, with the stream's name first where rows of several streams follow one
 * another, or one JSON object a line, arrays flat. */
static void print_row(const arguments *a, reader *r, bool named) {
    uint64_t at = r->next - r->view.first_row;
    if (a->json) print_row_json(r, at);
    else print_row_csv(r, at, named);
    r->next++;
}

typedef struct readers {
    reader *items;
    uint32_t count;
} readers;

static void readers_free(readers *all) {
    free(all->items);
    all->items = NULL;
    all->count = 0;
}

/* Opens the stream that was asked for, or those from all->count on. */
static int readers_open(const arguments *a, sst_store *store, readers *all) {
    uint32_t n = a->stream != NULL ? 1 : sst_stream_count(store), i;
    reader *items;
    if (n <= all->count) return DONE;
    items = (reader *)realloc(all->items, n * sizeof *items);
    if (items == NULL) return complain("out of memory", "");
    all->items = items;
    for (i = all->count; i < n; i++) {
        const char *name = a->stream != NULL ? a->stream : sst_stream_name(store, i);
        int status;
        memset(&items[i], 0, sizeof *items);
        status = reader_open(a, store, name, &items[i]);
        if (status != DONE) return status;
        all->count = i + 1;
    }
    return DONE;
}

/* Prints what is left of all readers in the order of time; equal times in that of the streams, and
 * rows without times before all others. */
static int print_merged(const arguments *a, readers *all) {
    int status = DONE;
    while (status == DONE && !ferror(stdout)) {
        reader *first = NULL;
        uint32_t i;
        for (i = 0; i < all->count; i++) {
            reader *r = &all->items[i];
            if (!reader_ready(a, r, &status)) continue;
            if (first == NULL || reader_before(r, first)) first = r;
        }
        if (first == NULL || status != DONE) break;
        if (all->count > 1) {
            print_row(a, first, true);
        } else {
            while (reader_ready(a, first, &status) && !ferror(stdout)) print_row(a, first, false);
        }
    }
    return status;
}

/* ---- times on the command line -------------------------------------------------------------- */

/* A number with a unit, or without one in the stream's; false: it is none. */
static bool parse_span(const char *text, sst_unit unit, int64_t *out) {
    static const char *const names[4] = {"ns", "us", "ms", "s"};
    char *end;
    long long whole;
    double value, scale = unit_seconds(unit);
    int i;
    errno = 0;
    whole = strtoll(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0) {
        *out = whole;
        return true;
    }
    value = strtod(text, &end);
    for (i = 0; i < 4 && strcmp(end, names[i]) != 0; i++) continue;
    if (end == text || i == 4 || scale == 0) return false;
    value = value * unit_seconds((sst_unit)i) / scale;
    if (!(value > -9e18 && value < 9e18)) return false;
    *out = (int64_t)llround(value);
    return true;
}

/* A time: a number, or start+SPAN, or end-SPAN. */
static bool parse_time(const char *text, const reader *r, int64_t *out) {
    int64_t first = 0, last = 0, span = 0;
    if (sst_stream_info(r->stream, NULL, NULL, &first, &last) != SST_OK) return false;
    if (strncmp(text, "start", 5) == 0 && (text[5] == '\0' || text[5] == '+')) {
        if (text[5] == '+' && !parse_span(text + 6, r->desc.time_unit, &span)) return false;
        *out = span > 0 && first > INT64_MAX - span ? INT64_MAX : first + span;
        return true;
    }
    if (strncmp(text, "end", 3) == 0 && (text[3] == '\0' || text[3] == '-')) {
        if (text[3] == '-' && !parse_span(text + 4, r->desc.time_unit, &span)) return false;
        *out = span > 0 && last < INT64_MIN + span ? INT64_MIN : last - span;
        return true;
    }
    return parse_span(text, r->desc.time_unit, out);
}

/* Limits the rows to --from and --to, both included. */
static int reader_limit(const arguments *a, reader *r) {
    int64_t time;
    uint64_t row;
    int result;
    if (!r->timed && (a->from != NULL || a->to != NULL)) {
        (void)complain("the stream has no times", r->desc.name);
        return USAGE;
    }
    if (a->from != NULL) {
        if (!parse_time(a->from, r, &time)) return complain("not a time", a->from) + 1;
        result = sst_locate(r->stream, time, SST_AT_OR_AFTER, &row);
        if (result == SST_OK) r->next = row;
        else if (result == SST_ERR_NOT_FOUND) r->next = r->end;
        else return complain_stream(a->path, r->stream, result);
    }
    if (a->to != NULL) {
        if (!parse_time(a->to, r, &time)) return complain("not a time", a->to) + 1;
        result = sst_locate(r->stream, time, SST_AT_OR_BEFORE, &row);
        if (result == SST_OK) r->end = row + 1;
        else if (result == SST_ERR_NOT_FOUND) r->end = 0;
        else return complain_stream(a->path, r->stream, result);
    }
    return DONE;
}

/* ---- commands ------------------------------------------------------------------------------- */

static int command_cat(const arguments *a) {
    sst_store *store;
    readers all = {NULL, 0};
    uint32_t i;
    int status = open_store(a, NULL, 0, &store);
    if (status != DONE) return status;
    status = readers_open(a, store, &all);
    for (i = 0; i < all.count && status == DONE; i++) status = reader_limit(a, &all.items[i]);
    if (status == DONE && !a->json && all.count == 1) print_head(&all.items[0]);
    if (status == DONE) status = print_merged(a, &all);
    readers_free(&all);
    sst_close(store);
    return status;
}

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

/* Shows the rows that came since; *over: nobody is recording any more. */
static int tail_more(const arguments *a, sst_store *store, readers *all, bool *over) {
    sst_info info;
    uint32_t i;
    int result = sst_store_info(store, &info), status;
    *over = info.state != SST_RECORDING;        /* asked before: what came until then is seen */
    if (result == SST_OK) result = sst_refresh(store);
    if (result != SST_OK) return complain_store(a->path, store, result);
    status = readers_open(a, store, all);
    for (i = 0; i < all->count; i++) all->items[i].end = sst_rows(all->items[i].stream);
    if (status == DONE) status = print_merged(a, all);
    fflush(stdout);
    if (*over && status == DONE && info.state == SST_CRASHED) complain("not finished", a->path);
    return status;
}

static int command_tail(const arguments *a) {
    sst_store *store;
    readers all = {NULL, 0};
    bool over = !a->follow;
    uint32_t i;
    int status = open_store(a, NULL, 0, &store);
    if (status != DONE) return status;
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    status = readers_open(a, store, &all);
    for (i = 0; i < all.count && status == DONE; i++) {
        reader *r = &all.items[i];
        if (r->end > a->rows) r->next = r->end - a->rows;
    }
    if (status == DONE && !a->json && all.count == 1) print_head(&all.items[0]);
    if (status == DONE) status = print_merged(a, &all);
    fflush(stdout);
    while (status == DONE && !over && !stopped && !ferror(stdout)) {
        struct timespec pause = {0, 50000000};
        nanosleep(&pause, NULL);
        status = tail_more(a, store, &all, &over);
    }
    readers_free(&all);
    sst_close(store);
    return status;
}

static const char *state_name(uint32_t state) {
    return state == SST_FINISHED ? "finished" : state == SST_RECORDING ? "being recorded"
           : state == SST_CRASHED ? "crashed" : "in memory";
}

static void print_type(const sst_field *f) {
    int i;
    printf("%s", type_name(f->type));
    for (i = 0; i < 4 && f->shape[i] != 0; i++) printf("[%" PRIu32 "]", f->shape[i]);
}

static void print_kind(const reader *r) {
    if (r->field_count == 1) print_type(reader_field(r, 0));
    else printf("%" PRIu32 " fields", r->field_count);
    if (r->tagged) printf(", tagged");
    if (!r->timed) printf(", untimed");
    if ((r->desc.flags & SST_EQUAL_TIMES) != 0) printf(", equal times");
}

static void print_type_json(const sst_field *f) {
    int i;
    printf("\"type\":\"%s\",\"shape\":[", type_name(f->type));
    for (i = 0; i < 4 && f->shape[i] != 0; i++) {
        printf(i > 0 ? ",%" PRIu32 : "%" PRIu32, f->shape[i]);
    }
    printf("]");
}

/* A stream of one field has its type and shape, every stream its fields. */
static void print_kind_json(const reader *r) {
    char name[SST_MAX_NAME + 64];
    uint32_t k;
    if (r->field_count == 1) {
        print_type_json(reader_field(r, 0));
        putchar(',');
    }
    printf("\"fields\":[");
    for (k = 0; k < r->field_count; k++) {
        printf("%s{\"name\":", k > 0 ? "," : "");
        field_name(r, k, name, sizeof name);
        print_json_text(stdout, name);
        putchar(',');
        print_type_json(reader_field(r, k));
        putchar('}');
    }
    printf("],\"tagged\":%s,\"untimed\":%s,\"equal_times\":%s", r->tagged ? "true" : "false",
           r->timed ? "false" : "true",
           (r->desc.flags & SST_EQUAL_TIMES) != 0 ? "true" : "false");
}

static void info_fields(const reader *r) {
    char name[SST_MAX_NAME + 64];
    uint32_t k;
    for (k = 0; k < r->field_count && r->desc.fields != NULL; k++) {
        field_name(r, k, name, sizeof name);
        printf("    field    %s: ", name);
        print_type(reader_field(r, k));
        printf("\n");
    }
}

/* Rows in a second; 0: not known. */
static double rate_of(const reader *r, int64_t first, int64_t last) {
    double seconds = ((double)last - (double)first) * unit_seconds(r->desc.time_unit);
    return r->timed && r->end > 1 && seconds > 0 ? (double)(r->end - 1) / seconds : 0;
}

static void info_stream(const reader *r, int64_t first, int64_t last) {
    uint64_t bytes = r->end * r->row_bytes;
    double rate = rate_of(r, first, last), seconds = unit_seconds(r->desc.time_unit);
    const char *key;
    const void *value;
    char size[32];
    uint32_t k;
    size_t n;
    printf("\n%s: ", r->desc.name);
    print_kind(r);
    printf(", %" PRIu64 " rows, %s", r->end, human((double)bytes, size, sizeof size));
    if (rate > 0) printf(", %.6g rows/s", rate);
    printf("\n");
    if (r->end > 0 && r->timed) {
        printf("    times    %" PRId64 " to %" PRId64 " %s", first, last,
               unit_name(r->desc.time_unit));
        if (seconds > 0) printf(" (%.6g s)", ((double)last - (double)first) * seconds);
        printf("\n");
    }
    for (k = 0; k < r->lines; k++) printf("    timeline %s\n", r->desc.timelines[k]);
    info_fields(r);
    for (k = 0; sst_stream_meta_at(r->stream, k, &key, &value, &n) == SST_OK; k++) {
        printf("    meta     %s (%zu bytes)\n", key, n);
    }
}

static void info_stream_json(const reader *r, int64_t first, int64_t last, bool more) {
    uint32_t k;
    printf("{\"name\":");
    print_json_text(stdout, r->desc.name);
    putchar(',');
    print_kind_json(r);
    printf(",\"unit\":\"%s\",\"timelines\":[", unit_name(r->desc.time_unit));
    for (k = 0; k < r->lines; k++) {
        if (k > 0) putchar(',');
        print_json_text(stdout, r->desc.timelines[k]);
    }
    printf("],\"rows\":%" PRIu64, r->end);
    if (r->end > 0 && r->timed) printf(",\"first\":%" PRId64 ",\"last\":%" PRId64, first, last);
    if (rate_of(r, first, last) > 0) printf(",\"rate\":%.6g", rate_of(r, first, last));
    printf("}%s", more ? "," : "");
}

static void info_store(const arguments *a, const sst_info *info) {
    char size[32], created[64] = "unknown";
    time_t seconds = (time_t)(info->created_ns / 1000000000);
    struct tm *utc = info->created_ns > 0 ? gmtime(&seconds) : NULL;
    if (utc != NULL) strftime(created, sizeof created, "%Y-%m-%d %H:%M:%S UTC", utc);
    printf("%s: %s, %s, %" PRIu32 " streams, created %s\n", a->path, state_name(info->state),
           human((double)info->file_bytes, size, sizeof size), info->streams, created);
    if (info->torn_bytes > 0) {
        printf("torn end: %" PRIu64 " bytes do not count\n", info->torn_bytes);
    }
    if (info->tail_missing) printf("rows may be missing: the companion is gone, or has a gap\n");
}

static int info_streams(const arguments *a, sst_store *store, readers *all) {
    uint32_t i;
    int status = readers_open(a, store, all);
    for (i = 0; i < all->count && status == DONE; i++) {
        reader *r = &all->items[i];
        int64_t first = 0, last = 0;
        int result = sst_stream_info(r->stream, NULL, &r->end, &first, &last);
        if (result != SST_OK) return complain_stream(a->path, r->stream, result);
        if (a->json) info_stream_json(r, first, last, i + 1 < all->count);
        else info_stream(r, first, last);
    }
    return status;
}

static int command_info(const arguments *a) {
    sst_store *store;
    sst_info info;
    readers all = {NULL, 0};
    int i, status = open_store(a, NULL, 0, &store);
    if (status != DONE) return status;
    sst_store_info(store, &info);
    if (a->json) {
        printf("{\"path\":");
        print_json_text(stdout, a->path);
        printf(",\"state\":\"%s\",\"uuid\":\"", state_name(info.state));
        for (i = 0; i < 16; i++) printf("%02x", info.uuid[i]);
        printf("\",\"created_ns\":%" PRId64 ",\"file_bytes\":%" PRIu64 ",\"synced_bytes\":%" PRIu64
               ",\"torn_bytes\":%" PRIu64 ",\"tail_missing\":%s,\"streams\":[",
               info.created_ns, info.file_bytes, info.synced_bytes, info.torn_bytes,
               info.tail_missing ? "true" : "false");
    } else {
        info_store(a, &info);
    }
    status = info_streams(a, store, &all);
    if (a->json) printf("]}\n");
    readers_free(&all);
    sst_close(store);
    return status;
}

static void print_damage(const arguments *a, sst_store *store, const sst_damage *d, bool more) {
    const char *name = d->stream > 0 ? sst_stream_name(store, d->stream - 1) : NULL;
    if (a->json) {
        printf("{\"stream\":%" PRIu32 ",\"offset\":%" PRIu64 ",\"size\":%" PRIu64
               ",\"first_row\":%" PRIu64 ",\"rows\":%" PRIu64 "}%s",
               d->stream, d->offset, d->size, d->first_row, d->rows, more ? "," : "");
        return;
    }
    printf("damaged: %" PRIu64 " bytes at %" PRIu64, d->size, d->offset);
    if (d->rows > 0) {
        printf(", rows %" PRIu64 " to %" PRIu64 " of %s", d->first_row, d->first_row + d->rows - 1,
               name != NULL ? name : "an unknown stream");
    }
    printf("\n");
}

static void print_report(const arguments *a, sst_store *store, const sst_report *r) {
    uint64_t i, n = r->damage_count < r->damage_capacity ? r->damage_count : r->damage_capacity;
    if (a->json) {
        printf("{\"records\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"torn_bytes\":%" PRIu64 ",\"damage_count\":%" PRIu64 ",\"damage\":[",
               r->records, r->rows, r->bytes, r->torn_bytes, r->damage_count);
    }
    for (i = 0; i < n; i++) print_damage(a, store, &r->damage[(size_t)i], i + 1 < n);
    if (a->json) {
        printf("]}\n");
        return;
    }
    if (n < r->damage_count) printf("and %" PRIu64 " more\n", r->damage_count - n);
    if (r->torn_bytes > 0) printf("torn end: %" PRIu64 " bytes do not count\n", r->torn_bytes);
    printf("%s: %s, %" PRIu64 " records, %" PRIu64 " rows, %" PRIu64 " bytes\n", a->path,
           r->damage_count > 0 ? "damaged" : r->torn_bytes > 0 ? "torn, otherwise sound" : "sound",
           r->records, r->rows, r->bytes);
}

static uint64_t file_size(const char *path) {
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    if (file != NULL) fclose(file);
    return size > 0 ? (uint64_t)size : 0;
}

static int command_verify(const arguments *a) {
    progress p;
    sst_damage damage[100];
    sst_report report;
    sst_store *store;
    const sst_io *io = progress_begin(&p, "verifying", file_size(a->path), false);
    int result, status = open_store(a, io, io != NULL ? SST_NO_MAP : 0, &store);
    if (status != DONE) return status;
    memset(&report, 0, sizeof report);
    report.damage = damage;
    report.damage_capacity = sizeof damage / sizeof *damage;
    result = sst_verify(store, &report);
    progress_end(&p);
    if (result != SST_OK && result != SST_ERR_CORRUPT) {
        status = complain_store(a->path, store, result);
    } else {
        print_report(a, store, &report);
        status = report.damage_count > 0 ? FAILED : report.torn_bytes > 0 ? TORN : DONE;
    }
    sst_close(store);
    return status;
}

static int command_recover(const arguments *a) {
    progress p;
    sst_options options;
    sst_error error;
    sst_store *store;
    sst_info before, info;
    arguments look = *a;
    int result, status = open_store(&look, NULL, 0, &store);
    if (status != DONE) return status;
    sst_store_info(store, &before);
    sst_close(store);
    memset(&options, 0, sizeof options);
    memset(&error, 0, sizeof error);
    options.live_path = a->live;
    options.error = &error;
    options.io = progress_begin(&p, "recovering", file_size(a->path), false);
    result = sst_open_append(a->path, &options, &store);
    if (result == SST_OK) {
        sst_store_info(store, &info);
        result = sst_close(store);
    }
    progress_end(&p);
    if (result != SST_OK) return complain_result(a->path, result, &error);
    if (a->json) {
        printf("{\"recovered_rows\":%" PRIu64 ",\"torn_bytes\":%" PRIu64 ",\"tail_missing\":%s}\n",
               info.recovered_rows, before.torn_bytes, info.tail_missing ? "true" : "false");
        return DONE;
    }
    printf("%s: %s, %" PRIu64 " rows recovered, %" PRIu64 " bytes of a torn end cut off\n", a->path,
           before.state == SST_FINISHED ? "was finished" : "finished now", info.recovered_rows,
           before.torn_bytes);
    if (info.tail_missing) printf("rows may be missing: the companion is gone, or has a gap\n");
    return DONE;
}

static int command_compact(const arguments *a) {
    progress p;
    sst_options options;
    sst_store *store;
    char before[32], after[32];
    int result, status = open_store(a, NULL, 0, &store);
    if (status != DONE) return status;
    memset(&options, 0, sizeof options);
    options.block_bytes = (uint32_t)a->block_bytes;
    if (a->single) options.flags |= SST_SINGLE_BLOCK;
    if (a->replace) options.flags |= SST_REPLACE;
    if (a->no_sync) options.flags |= SST_NO_SYNC;
    options.io = progress_begin(&p, "compacting", file_size(a->path), true);
    result = sst_compact(store, a->target, &options);
    progress_end(&p);
    if (result != SST_OK) status = complain_store(a->target, store, result);
    sst_close(store);
    if (status != DONE) return status;
    if (a->json) {
        printf("{\"before\":%" PRIu64 ",\"after\":%" PRIu64 "}\n", file_size(a->path),
               file_size(a->target));
    } else {
        printf("%s: %s, was %s\n", a->target,
               human((double)file_size(a->target), after, sizeof after),
               human((double)file_size(a->path), before, sizeof before));
    }
    return DONE;
}

/* ---- the command line ----------------------------------------------------------------------- */

typedef struct command {
    const char *name, *arguments, *options;     /* options: letters of those that it takes */
    int (*run)(const arguments *a);
    const char *what, *help;
} command;

static const command commands[] = {
    {"info", "FILE", "jlS", command_info, "what is in a recording",
     "Streams with type, rows, times and rates; size and state: finished, being recorded,\n"
     "crashed. Changes nothing, whoever is recording.\n"},
    {"cat", "FILE", "jlsft", command_cat, "rows as CSV",
     "One stream: a head line, then time, further clocks, tag, values. Several: every row begins\n"
     "with the name of its stream, in the order of time; streams without times come first.\n"
     "Numbers are the shortest that read back equal.\n"},
    {"tail", "FILE", "jlsFn", command_tail, "the newest rows, and those to come",
     "Prints the last rows of every stream and, with -f, those that are recorded from then on,\n"
     "until the recording ends.\n"},
    {"verify", "FILE", "jl", command_verify, "is every checksum right?",
     "Exit status: 0 sound, 1 something is damaged (told by bytes and rows), 3 only the end is\n"
     "torn, which is what a crash leaves.\n"},
    {"recover", "FILE", "jl", command_recover, "completes a recording that crashed",
     "Takes over what the companion FILE-live holds, cuts off a torn end (kept in FILE-torn),\n"
     "writes an index and finishes the file. Does no harm to a finished one.\n"},
    {"compact", "FILE NEW", "jl1brN", command_compact, "rewrites a recording in large blocks",
     "Writes everything that FILE holds to NEW: faster to search, nothing dead in it.\n"},
};

static const struct {
    char letter;
    const char *name, *value, *what;
} option_table[] = {
    {'j', "--json", NULL, "print JSON"},
    {'l', "--live", "PATH", "where the companion is (FILE-live)"},
    {'s', "--stream", "NAME", "only this stream"},
    {'S', "--stream", "NAME", "only this stream"},
    {'f', "--from", "TIME", "from this time on: a number, start+SPAN or end-SPAN; with a unit\n"
     "                   (ns, us, ms, s) or in the stream's own"},
    {'t', "--to", "TIME", "up to this time, included"},
    {'F', "-f", NULL, "go on while it is recorded"},
    {'n', "-n", "ROWS", "how many rows of every stream (10)"},
    {'1', "--single", NULL, "one block a stream: each is one view without a copy"},
    {'b', "--block-bytes", "N", "size of blocks (1048576)"},
    {'r', "--replace", NULL, "NEW may be there"},
    {'N', "--no-sync", NULL, "do not wait for the disk"},
};

#define COMMANDS (sizeof commands / sizeof *commands)
#define OPTIONS (sizeof option_table / sizeof *option_table)

static void help(FILE *out) {
    size_t i;
    fprintf(out, "usage: sstore COMMAND [OPTION]... FILE\n\n");
    for (i = 0; i < COMMANDS; i++) {
        fprintf(out, "  %-8s %-9s %s\n", commands[i].name, commands[i].arguments, commands[i].what);
    }
    fprintf(out, "\nsstore COMMAND --help tells more. This is streamstore %s.\n",
            SST_VERSION);
}

static int help_command(const command *c) {
    size_t i;
    printf("usage: sstore %s [OPTION]... %s\n\n%s\n", c->name, c->arguments, c->help);
    for (i = 0; i < OPTIONS; i++) {
        char option[40];
        if (strchr(c->options, option_table[i].letter) == NULL) continue;
        snprintf(option, sizeof option, "%s %s", option_table[i].name,
                 option_table[i].value != NULL ? option_table[i].value : "");
        printf("  %-16s %s\n", option, option_table[i].what);
    }
    return DONE;
}

static bool parse_count(const char *text, uint64_t most, uint64_t *out) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && text[0] != '-' && *out <= most;
}

/* Sets one option; false: its value is none. */
static bool set_option(arguments *a, char letter, const char *value) {
    switch (letter) {
    case 'j': a->json = true; break;
    case 'l': a->live = value; break;
    case 's': case 'S': a->stream = value; break;
    case 'f': a->from = value; break;
    case 't': a->to = value; break;
    case 'F': a->follow = true; break;
    case '1': a->single = true; break;
    case 'r': a->replace = true; break;
    case 'N': a->no_sync = true; break;
    case 'n': return parse_count(value, UINT64_MAX, &a->rows);
    default: return parse_count(value, UINT32_MAX, &a->block_bytes);
    }
    return true;
}

static int usage(const char *what, const char *about) {
    (void)complain(what, about);
    fprintf(stderr, "sstore help tells what there is\n");
    return USAGE;
}

/* Takes the option at argv[*i], with its value behind it or behind '='. */
static int take_option(const command *c, arguments *a, int argc, char **argv, int *i) {
    const char *text = argv[*i], *equals = strchr(text, '='), *value = NULL;
    size_t size = equals != NULL ? (size_t)(equals - text) : strlen(text), k;
    for (k = 0; k < OPTIONS; k++) {
        const char *name = option_table[k].name;
        if (strlen(name) == size && strncmp(name, text, size) == 0 &&
            strchr(c->options, option_table[k].letter) != NULL) break;
    }
    if (k == OPTIONS) return usage("no such option", text);
    if (option_table[k].value != NULL) {
        if (equals != NULL) value = equals + 1;
        else if (*i + 1 < argc) value = argv[++*i];
        else return usage("a value is missing", text);
    } else if (equals != NULL) {
        return usage("takes no value", text);
    }
    return set_option(a, option_table[k].letter, value) ? DONE : usage("not a number", text);
}

static int run(const command *c, int argc, char **argv) {
    arguments a;
    bool plain = false;
    int i, status;
    memset(&a, 0, sizeof a);
    a.command = c->name;
    a.rows = 10;
    for (i = 2; i < argc; i++) {
        if (!plain && strcmp(argv[i], "--help") == 0) return help_command(c);
        if (!plain && strcmp(argv[i], "--") == 0) {
            plain = true;
        } else if (!plain && argv[i][0] == '-' && argv[i][1] != '\0') {
            status = take_option(c, &a, argc, argv, &i);
            if (status != DONE) return status;
        } else if (a.path == NULL) {
            a.path = argv[i];
        } else if (a.target == NULL && strchr(c->arguments, ' ') != NULL) {
            a.target = argv[i];
        } else {
            return usage("too many arguments", argv[i]);
        }
    }
    if (a.path == NULL || (a.target == NULL && strchr(c->arguments, ' ') != NULL)) {
        return usage("a file is missing", c->name);
    }
    status = c->run(&a);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE) return complain("standard output", strerror(errno));
        return status;
    }
    return status;
}

int main(int argc, char **argv) {
    size_t i;
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        help(argc < 2 ? stderr : stdout);
        return argc < 2 ? USAGE : DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sstore %s\n", SST_VERSION);
        return DONE;
    }
    for (i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) return run(&commands[i], argc, argv);
    }
    return usage("no such command", argv[1]);
}
