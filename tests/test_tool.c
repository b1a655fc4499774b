/* tools/sstore.c, as a user calls it: what it prints and how it ends, for finished, crashed, torn
 * and damaged files, and for one that is being recorded. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "test.h"

static char folder[256], path[300], tool[400];
static char output[1 << 16];        /* standard output of the last call */
static char complaints[4096];       /* and standard error */

static void slurp(const char *name, char *text, size_t size) {
    FILE *file = fopen(name, "rb");
    size_t n = 0;
    if (file != NULL) {
        n = fread(text, 1, size - 1, file);
        fclose(file);
    }
    text[n] = '\0';
}

/* Runs the tool; arguments as in a shell, %s is the file. Its exit status, or -1. */
static int run(const char *arguments) {
    char line[2000], rest[700], out[300], err[300];
    const char *place = strstr(arguments, "%s");
    int status;
    if (place != NULL) {
        snprintf(rest, sizeof rest, "%.*s'%s'%s", (int)(place - arguments), arguments, path,
                 place + 2);
    } else {
        snprintf(rest, sizeof rest, "%s", arguments);
    }
    snprintf(out, sizeof out, "%s/out", folder);
    snprintf(err, sizeof err, "%s/err", folder);
    snprintf(line, sizeof line, "'%s' %s > '%s' 2> '%s' < /dev/null", tool, rest, out, err);
    status = system(line);
    slurp(out, output, sizeof output);
    slurp(err, complaints, sizeof complaints);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Runs the tool and compares what it prints. */
static void prints(const char *arguments, int status, const char *want) {
    int got = run(arguments);
    if (got != status || strcmp(output, want) != 0) {
        printf("sstore %s: status %d, expected %d, printed:\n%s%s", arguments, got, status, output,
               complaints);
        test_fail(__FILE__, __LINE__, "that is not what it should print");
    }
}

static bool says(const char *text) { return strstr(output, text) != NULL; }

static void remove_all(void) {
    static const char *const names[] = {"run.sstore", "run.sstore-live", "run.sstore-torn",
                                        "new.sstore", "out", "err"};
    char name[300];
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        remove(name);
    }
}

/* ---- recordings ----------------------------------------------------------------------------- */

static sst_stream *make(sst_store *store, const char *name, sst_type type, uint32_t items) {
    sst_stream *stream = NULL;
    sst_stream_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.name = name;
    desc.type = type;
    desc.shape[0] = items;
    desc.time_unit = SST_MILLISECONDS;
    CHECK_INT(sst_stream_create(store, &desc, &stream), SST_OK);
    return stream;
}

static sst_store *create(uint32_t flags) {
    sst_options options;
    sst_store *store = NULL;
    remove_all();
    memset(&options, 0, sizeof options);
    options.flags = flags;
    CHECK_INT(sst_create(path, &options, &store), SST_OK);
    return store;
}

/* Two streams: "acc" f32[2] at 0, 10, ... 90 ms; "a,b" i16 at 5 and 45 ms. */
static sst_store *record(uint32_t flags) {
    sst_store *store = create(flags);
    sst_stream *acc = make(store, "acc", SST_F32, 2), *other = make(store, "a,b", SST_I16, 0);
    int16_t number;
    int i;
    for (i = 0; i < 10; i++) {
        float value[2];
        value[0] = (float)i / 10;
        value[1] = -1.5f;
        CHECK_INT(sst_append(acc, 10 * i, value), SST_OK);
    }
    number = -7;
    CHECK_INT(sst_append(other, 5, &number), SST_OK);
    number = 300;
    CHECK_INT(sst_append(other, 45, &number), SST_OK);
    return store;
}

/* Runs a function in a process that is killed afterwards. */
static void killed(void (*function)(void)) {
    pid_t child = fork();
    int status;
    if (child == 0) {
        function();
        kill(getpid(), SIGKILL);
    }
    REQUIRE(child > 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
}

/* "events": position f32[2] and hits u8 with a tag, two rows of one time; "log": f64, untimed;
 * "bare": fields without names, untimed and tagged. */
static sst_store *record_kinds(void) {
    sst_store *store = create(0);
    sst_stream *events = NULL, *log = NULL, *bare = NULL;
    sst_field fields[2];
    sst_stream_desc desc;
    struct { float position[2]; uint8_t hits; } value = {{0.5f, -1}, 3};
    int i;
    memset(&desc, 0, sizeof desc);
    memset(fields, 0, sizeof fields);
    fields[0].name = "position";
    fields[0].type = SST_F32;
    fields[0].shape[0] = 2;
    fields[1].name = "hits, all";
    fields[1].type = SST_U8;
    fields[1].offset = 8;
    desc.name = "events";
    desc.fields = fields;
    desc.field_count = 2;
    desc.flags = SST_TAGGED | SST_EQUAL_TIMES;
    desc.timelines[0] = "arrival";
    CHECK_INT(sst_stream_create(store, &desc, &events), SST_OK);
    for (i = 0; i < 3 && events != NULL; i++) {
        int64_t arrival = 100 + i;
        sst_cell cells[2] = {{value.position, 1}, {&value.hits, 1}};
        sst_row row;
        memset(&row, 0, sizeof row);
        row.time = i < 2 ? 10 : 20;
        row.timelines = &arrival;
        row.tag = 7 * (uint32_t)i;
        row.cells = cells;
        CHECK_INT(sst_append_row(events, &row), SST_OK);
        value.hits++;
    }
    memset(&desc, 0, sizeof desc);
    desc.name = "log";
    desc.type = SST_F64;
    desc.flags = SST_UNTIMED;
    CHECK_INT(sst_stream_create(store, &desc, &log), SST_OK);
    for (i = 0; i < 3 && log != NULL; i++) CHECK_INT(sst_append_f64(log, 0, i + 0.5), SST_OK);
    fields[0].name = fields[1].name = NULL;
    desc.name = "bare";
    desc.type = (sst_type)0;
    desc.fields = fields;
    desc.field_count = 2;
    desc.flags = SST_UNTIMED | SST_TAGGED;
    CHECK_INT(sst_stream_create(store, &desc, &bare), SST_OK);
    CHECK_INT(sst_append(bare, 0, &value), SST_OK);
    return store;
}

static void record_kinds_and_die(void) { (void)record_kinds(); }

static void record_and_die(void) { (void)record(0); }

/* ---- what it prints ------------------------------------------------------------------------- */

static void cat_one(void) {
    CHECK_INT(sst_close(record(0)), SST_OK);
    prints("cat --stream acc --to 20 %s", 0,
           "time,value[0],value[1]\n0,0,-1.5\n10,0.1,-1.5\n20,0.2,-1.5\n");
    prints("cat --stream=acc --from start+75ms --to end-0.01s %s", 0,
           "time,value[0],value[1]\n80,0.8,-1.5\n");
    prints("cat --stream acc --from 91 %s", 0, "time,value[0],value[1]\n");
    prints("cat --stream acc --to -1 %s", 0, "time,value[0],value[1]\n");
    prints("cat --json --stream a,b %s", 0,
           "{\"stream\":\"a,b\",\"row\":0,\"time\":5,\"value\":-7}\n"
           "{\"stream\":\"a,b\",\"row\":1,\"time\":45,\"value\":300}\n");
}

/* Several streams come in the order of time, each row with its stream's name. */
static void cat_all(void) {
    CHECK_INT(sst_close(record(0)), SST_OK);
    prints("cat --from 30 --to 50 %s", 0,
           "acc,30,0.3,-1.5\nacc,40,0.4,-1.5\n\"a,b\",45,300\nacc,50,0.5,-1.5\n");
    CHECK_INT(run("cat %s"), 0);
    CHECK(strncmp(output, "acc,0,0,-1.5\n\"a,b\",5,-7\nacc,10,", 31) == 0);
}

/* Columns by the names of fields, a tag, no time where there is none. */
static void cat_kinds(void) {
    CHECK_INT(sst_close(record_kinds()), SST_OK);
    prints("cat --stream events %s", 0,
           "time,arrival,tag,position[0],position[1],\"hits, all\"\n"
           "10,100,0,0.5,-1,3\n10,101,7,0.5,-1,4\n20,102,14,0.5,-1,5\n");
    prints("cat --stream events --from 11 --to end %s", 0,
           "time,arrival,tag,position[0],position[1],\"hits, all\"\n20,102,14,0.5,-1,5\n");
    prints("cat --stream events --to 10 --from start --json %s", 0,
           "{\"stream\":\"events\",\"row\":0,\"time\":10,\"timelines\":{\"arrival\":100},\"tag\":0,"
           "\"values\":{\"position\":[0.5,-1],\"hits, all\":3}}\n"
           "{\"stream\":\"events\",\"row\":1,\"time\":10,\"timelines\":{\"arrival\":101},\"tag\":7,"
           "\"values\":{\"position\":[0.5,-1],\"hits, all\":4}}\n");
    prints("cat --stream log %s", 0, "value\n0.5\n1.5\n2.5\n");
    prints("cat --json --stream bare %s", 0,
           "{\"stream\":\"bare\",\"row\":0,\"tag\":0,"
           "\"values\":{\"value0\":[0.5,-1],\"value1\":6}}\n");
    prints("cat --stream bare %s", 0, "tag,value0[0],value0[1],value1\n0,0.5,-1,6\n");
    prints("cat %s", 0, "log,0.5\nlog,1.5\nlog,2.5\nbare,0,0.5,-1,6\nevents,10,100,0,0.5,-1,3\n"
                        "events,10,101,7,0.5,-1,4\nevents,20,102,14,0.5,-1,5\n");
    prints("tail -n 1 %s", 0, "log,2.5\nbare,0,0.5,-1,6\nevents,20,102,14,0.5,-1,5\n");
    prints("tail -n 2 --stream log %s", 0, "value\n1.5\n2.5\n");
    prints("cat --stream log --from 0 %s", 2, "");
    CHECK(strstr(complaints, "no times") != NULL && strstr(complaints, "log") != NULL);
    prints("cat --stream bare --to end-1s %s", 2, "");
    prints("cat --to 10 %s", 2, "");                /* some of them have none */
    CHECK(strstr(complaints, "no times") != NULL);
}

static void info_kinds(void) {
    CHECK_INT(sst_close(record_kinds()), SST_OK);
    CHECK_INT(run("info %s"), 0);
    CHECK(says("\nevents: 2 fields, tagged, equal times, 3 rows, 87 B"));
    CHECK(says("    times    10 to 20 ns") && says("    timeline arrival\n"));
    CHECK(says("    field    position: f32[2]\n    field    hits, all: u8\n"));
    CHECK(says("\nlog: f64, untimed, 3 rows, 24 B\n\nbare: 2 fields, tagged, untimed, 1 rows"));
    CHECK(says("    field    value0: f32[2]\n    field    value1: u8\n"));
    CHECK_INT(run("info --json --stream events %s"), 0);
    CHECK(says("{\"name\":\"events\",\"fields\":[{\"name\":\"position\",\"type\":\"f32\","
               "\"shape\":[2]},{\"name\":\"hits, all\",\"type\":\"u8\",\"shape\":[]}],"
               "\"tagged\":true,\"untimed\":false,\"equal_times\":true,\"unit\":\"ns\""));
    CHECK(says("\"rows\":3,\"first\":10,\"last\":20"));
    CHECK_INT(run("info --json --stream log %s"), 0);
    CHECK(says("\"type\":\"f64\",\"shape\":[]") && says("\"untimed\":true"));
    CHECK(says("\"rows\":3}") && !says("\"first\""));
}

/* They survive a kill and compaction, and verify. */
static void other_commands_on_kinds(void) {
    char line[600], first[sizeof output];
    killed(record_kinds_and_die);
    CHECK_INT(run("cat %s"), 0);
    memcpy(first, output, sizeof first);
    CHECK(says("log,2.5") && says("events,20,102,14,0.5,-1,5"));
    CHECK_INT(run("recover %s"), 0);
    CHECK(says("7 rows recovered"));
    prints("cat %s", 0, first);
    CHECK_INT(run("verify %s"), 0);
    CHECK(says("7 rows"));
    snprintf(line, sizeof line, "compact --single %%s '%s/new.sstore'", folder);
    CHECK_INT(run(line), 0);
    snprintf(line, sizeof line, "cat '%s/new.sstore'", folder);
    prints(line, 0, first);
}

/* Whatever is printed reads back as the same bits. */
static void shortest_numbers(void) {
    static const double values[] = {0.1, 1.0 / 3, 1e23, 5e-324, 1.7976931348623157e308, 123456789,
                                    -0.0, 1e15, 0.30000000000000004, 4503599627370497.5};
    sst_store *store = create(0);
    sst_stream *f64 = make(store, "x", SST_F64, 0);
    uint64_t random = 3;
    char *at;
    int i;
    for (i = 0; i < 510; i++) {
        double value = i < 10 ? values[i] : ldexp((double)(int64_t)test_random(&random),
                                                  (int)test_below(&random, 200) - 160);
        CHECK_INT(sst_append_f64(f64, i, value), SST_OK);
    }
    CHECK_INT(sst_close(store), SST_OK);
    REQUIRE(run("cat %s") == 0);
    REQUIRE(sst_open(path, NULL, &store) == SST_OK);
    REQUIRE(sst_stream_open(store, "x", &f64) == SST_OK);
    at = strchr(output, '\n');
    for (i = 0; i < 510 && at != NULL && test_errors == 0; i++) {
        double want, got;
        sst_view view;
        CHECK_INT(strtol(at + 1, &at, 10), i);
        got = strtod(at + 1, &at);
        CHECK_INT(sst_slice(f64, (uint64_t)i, 1, &view), SST_OK);
        memcpy(&want, view.values, sizeof want);
        CHECK(memcmp(&got, &want, sizeof got) == 0);
    }
    CHECK(strstr(output, "\n0,0.1\n1,0.3333333333333333\n2,1e+23\n") != NULL);
    CHECK(strstr(output, "\n6,-0\n") != NULL);
    CHECK_INT(sst_close(store), SST_OK);
}

/* The 16-bit floats, every one of them, with as few digits as tell them apart. */
static void half_numbers(void) {
    sst_store *store = create(0);
    sst_stream *half = make(store, "h", SST_F16, 4), *brain = make(store, "b", SST_BF16, 3);
    const uint16_t halves[4] = {0x3C00, 0x2E66, 0x0001, 0x7BFF};    /* 1, 0.1, 2^-24, 65504 */
    const uint16_t brains[3] = {0x3F80, 0x3DCD, 0xFF80};            /* 1, 0.1, -inf */
    CHECK_INT(sst_append(half, 0, halves), SST_OK);
    CHECK_INT(sst_append(brain, 0, brains), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    prints("cat --stream h %s", 0,
           "time,value[0],value[1],value[2],value[3]\n0,1,0.1,6e-08,65504\n");
    prints("cat --stream b %s", 0, "time,value[0],value[1],value[2]\n0,1,0.1,-inf\n");
    CHECK_INT(run("cat --json --stream b %s"), 0);
    CHECK(says("[1,0.1,null]"));
}

static void tells_what_there_is(void) {
    sst_store *store = record(0);
    CHECK_INT(sst_set_meta(store, "who", "me", 2), SST_OK);
    CHECK_INT(run("info %s"), 0);
    CHECK(says("being recorded") && says("2 streams"));
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(run("info %s"), 0);
    CHECK(says(": finished, ") && says("acc: f32[2], 10 rows") && says("100 rows/s"));
    CHECK(says("0 to 90 ms (0.09 s)") && says("a,b: i16, 2 rows"));
    CHECK_INT(run("info --json %s"), 0);
    CHECK(says("\"state\":\"finished\""));
    CHECK(says("\"name\":\"acc\",\"type\":\"f32\",\"shape\":[2]"));
    killed(record_and_die);
    CHECK_INT(run("info %s"), 0);
    CHECK(says(": crashed, ") && says("acc: f32[2], 10 rows"));
}

/* ---- after a crash -------------------------------------------------------------------------- */

static void recovers(void) {
    killed(record_and_die);
    CHECK_INT(run("recover %s"), 0);
    CHECK(says("finished now, 12 rows recovered"));
    prints("cat --stream a,b %s", 0, "time,value\n5,-7\n45,300\n");
    CHECK_INT(run("recover --json %s"), 0);
    CHECK(says("{\"recovered_rows\":0,\"torn_bytes\":0,\"tail_missing\":false}"));
    CHECK_INT(run("info %s"), 0);
    CHECK(says(": finished, "));
}

static void change_byte(long offset, int whence) {
    FILE *file = fopen(path, "r+b");
    int byte;
    REQUIRE(file != NULL);
    CHECK_INT(fseek(file, offset, whence), 0);
    byte = fgetc(file);
    CHECK_INT(fseek(file, -1, SEEK_CUR), 0);
    CHECK(fputc(byte ^ 1, file) != EOF);
    CHECK_INT(fclose(file), 0);
}

static void verifies(void) {
    sst_store *store = record(0);
    CHECK_INT(sst_sync(store), SST_OK);
    CHECK_INT(sst_close(store), SST_OK);
    CHECK_INT(run("verify %s"), 0);
    CHECK(says(": sound, ") && says("12 rows"));
    CHECK_INT(run("verify --json %s"), 0);
    CHECK(says("\"damage_count\":0,\"damage\":[]"));
    change_byte(-10, SEEK_END);                 /* END: what is before it is all there */
    CHECK_INT(run("verify %s"), 3);
    CHECK(says("torn end: ") && says("torn, otherwise sound"));
    CHECK_INT(run("recover %s"), 0);
    CHECK_INT(run("verify %s"), 0);
    change_byte(900, SEEK_SET);                 /* before what was synced */
    CHECK_INT(run("verify %s"), 1);
    CHECK(says("damaged: ") && says(": damaged, "));
    CHECK_INT(run("verify --json %s"), 1);
    CHECK(!says("\"damage_count\":0"));
}

static void compacts(void) {
    char line[600], first[sizeof output];
    CHECK_INT(sst_close(record(0)), SST_OK);
    CHECK_INT(run("cat %s"), 0);
    memcpy(first, output, sizeof first);
    snprintf(line, sizeof line, "compact --single %%s '%s/new.sstore'", folder);
    CHECK_INT(run(line), 0);
    CHECK_INT(run(line), 1);                    /* it is there already */
    CHECK(strstr(complaints, "there is a file") != NULL);
    snprintf(line, sizeof line, "compact --replace --block-bytes=4096 %%s '%s/new.sstore'", folder);
    CHECK_INT(run(line), 0);
    snprintf(line, sizeof line, "cat '%s/new.sstore'", folder);
    prints(line, 0, first);
    snprintf(line, sizeof line, "compact %%s '%s'", path);
    CHECK_INT(run(line), 1);                    /* onto itself */
    CHECK_INT(run("verify %s"), 0);
}

/* ---- beside a writer ------------------------------------------------------------------------ */

/* Records a row every 5 ms, from its own process, and closes. */
static void record_slowly(void) {
    sst_store *store = create(0);
    sst_stream *x = make(store, "x", SST_I32, 0);
    int i;
    for (i = 0; i < 100; i++) {
        if (sst_append_i32(x, i, i * i) != SST_OK) _exit(1);
        usleep(5000);
    }
    _exit(sst_close(store) != SST_OK);
}

/* tail -f prints every row once, in order, whatever was there when it began, and ends when the
 * recording does. */
static void follows(void) {
    char want[64], *at;
    pid_t child = fork();
    int status, i;
    if (child == 0) record_slowly();
    REQUIRE(child > 0);
    usleep(200000);
    CHECK_INT(run("tail -f -n 1000 %s"), 0);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(strncmp(output, "time,value\n", 11) == 0);
    at = output + 11;
    for (i = 0; i < 100 && test_errors == 0; i++) {
        snprintf(want, sizeof want, "%d,%d\n", i, i * i);
        CHECK(strncmp(at, want, strlen(want)) == 0);
        at += strlen(want);
    }
    CHECK(*at == '\0');
    prints("tail -n 2 %s", 0, "time,value\n98,9604\n99,9801\n");
}

/* ---- wrong calls ---------------------------------------------------------------------------- */

static void wrong_calls(void) {
    CHECK_INT(sst_close(record(0)), SST_OK);
    CHECK_INT(run(""), 2);
    CHECK_INT(run("nonsense %s"), 2);
    CHECK_INT(run("cat"), 2);
    CHECK_INT(run("cat --nonsense %s"), 2);
    CHECK_INT(run("cat --stream"), 2);
    CHECK_INT(run("tail -n x %s"), 2);
    CHECK_INT(run("cat --json=1 %s"), 2);
    CHECK_INT(run("cat %s extra"), 2);
    CHECK_INT(run("cat --from yesterday %s"), 2);
    CHECK_INT(output[0], 0);
    CHECK_INT(run("cat --stream none %s"), 1);
    CHECK(complaints[0] != '\0' && output[0] == '\0');
    CHECK_INT(run("cat /nonexistent/file"), 1);
    CHECK(strstr(complaints, "/nonexistent/file") != NULL);
    CHECK_INT(run("info /dev/null"), 1);
    CHECK_INT(run("help"), 0);
    CHECK(says("verify") && says("compact"));
    CHECK_INT(run("tail --help"), 0);
    CHECK(says("usage: sstore tail") && says("-f"));
    CHECK_INT(run("--version"), 0);
    CHECK(says(SST_VERSION));
}

int main(void) {
    const char *base = getenv("TMPDIR"), *build = getenv("BUILD");
    snprintf(tool, sizeof tool, "%.300s/tools/sstore", build != NULL ? build : "build");
    if (access(tool, X_OK) != 0) {
        printf("skipped: %s is not there\ntest_tool: 0 passed, 0 failed, 1 skipped\n", tool);
        return 0;
    }
    snprintf(folder, sizeof folder, "%.200s/sst-tool-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/run.sstore", folder);
    TEST_RUN(cat_one);
    TEST_RUN(cat_all);
    TEST_RUN(cat_kinds);
    TEST_RUN(info_kinds);
    TEST_RUN(other_commands_on_kinds);
    TEST_RUN(shortest_numbers);
    TEST_RUN(half_numbers);
    TEST_RUN(tells_what_there_is);
    TEST_RUN(recovers);
    TEST_RUN(verifies);
    TEST_RUN(compacts);
    TEST_RUN(follows);
    TEST_RUN(wrong_calls);
    remove_all();
    rmdir(folder);
    return test_done("test_tool");
}
