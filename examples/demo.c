/* demo.c - a black box: records this machine, is killed, and tells what was before that.
 *
 *     cc demo.c && ./a.out
 *
 * A child process records three streams into blackbox.sstore: latency (1 kHz): by how many
 * nanoseconds a sleep to the next millisecond ended late; cpu (10 Hz): jiffies from /proc/stat;
 * memory (5 Hz): kilobytes from /proc/meminfo. It tells in shared memory which appends have
 * returned, and ends with SIGKILL. Then the file is opened again: every row whose append had
 * returned is there, the seconds before the end are shown, and recording goes on in the same file.
 * Times are those of the monotonic clock. DEMO_SECONDS: 6, or how long.
 * Without /proc only latency is recorded. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define MS ((int64_t)1000000)
#define SECOND (1000 * MS)
#define PATH "blackbox.sstore"

enum { CPU, MEMORY, LATENCY, STREAMS };
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, CPU_FIELDS = 8 };
enum { TOTAL, FREE, AVAILABLE, MEMORY_FIELDS };

static const char *const names[STREAMS] = {"cpu", "memory", "latency"};
static sst_stream *streams[STREAMS];

/* What the recording process tells the other one: appends that have returned. */
static uint64_t *returned;

static int64_t now(void) {
    return sst_io_default()->now_ns(sst_io_default()->user, SST_CLOCK_MONOTONIC);
}

static void sleep_until(int64_t time) {
    struct timespec rest = {0, 0};
    int64_t left = time - now();
    if (left <= 0) return;
    rest.tv_nsec = (long)left;                      /* less than a second */
    nanosleep(&rest, NULL);
}

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal. */
static bool read_cpu(uint64_t *out) {
    FILE *file = fopen("/proc/stat", "r");
    int i, count = 0;
    if (file == NULL) return false;
    memset(out, 0, CPU_FIELDS * sizeof *out);
    if (fscanf(file, "cpu%*[ ]") == 0) {
        for (i = 0; i < CPU_FIELDS; i++) {
            unsigned long long number;
            if (fscanf(file, "%llu", &number) != 1) break;
            out[i] = number;
            count++;
        }
    }
    fclose(file);
    return count > IDLE;
}

static bool read_memory(uint64_t *out) {
    static const char *const keys[MEMORY_FIELDS] = {"MemTotal:", "MemFree:", "MemAvailable:"};
    FILE *file = fopen("/proc/meminfo", "r");
    char line[256], name[64];
    unsigned long long number;
    int i, found = 0;
    if (file == NULL) return false;
    while (fgets(line, sizeof line, file) != NULL && found < MEMORY_FIELDS) {
        for (i = 0; i < MEMORY_FIELDS; i++) {
            if (sscanf(line, "%63s %llu", name, &number) == 2 && strcmp(name, keys[i]) == 0) {
                out[i] = number;
                found++;
            }
        }
    }
    fclose(file);
    return found == MEMORY_FIELDS;
}

static int append(int stream, int64_t time, const void *value) {
    int result = sst_append(streams[stream], time, value);
    if (result == SST_OK) __atomic_add_fetch(&returned[stream], 1, __ATOMIC_RELEASE);
    return result;
}

/* Opens the file, new or as it was left, and its streams. */
static int open_box(sst_store **store, bool proc) {
    static const uint32_t fields[STREAMS] = {CPU_FIELDS, MEMORY_FIELDS, 0};
    sst_options options = {0};
    int i, result;
    options.flags = SST_CREATE;
    result = sst_open_append(PATH, &options, store);
    for (i = proc ? 0 : LATENCY; i < STREAMS && result == SST_OK; i++) {
        sst_stream_desc desc = {0};
        desc.name = names[i];
        desc.type = i == LATENCY ? SST_I64 : SST_U64;
        desc.shape[0] = fields[i];
        desc.flags = SST_OPEN_EXISTING;
        result = sst_stream_create(*store, &desc, &streams[i]);
    }
    return result;
}

/* Records for a while. lethal: and kills this process on the way out of an append. */
static int record(int64_t duration, bool proc, bool lethal) {
    int64_t start = now(), tick, last = 0;
    int result = sst_stream_info(streams[LATENCY], NULL, NULL, NULL, &last);
    for (tick = MS; tick <= duration && result == SST_OK; tick += MS) {
        int64_t time, late;
        uint64_t numbers[CPU_FIELDS];
        sleep_until(start + tick);
        time = now();
        if (time <= last) time = last + 1;          /* a clock too coarse for two rows */
        last = time;
        late = time - (start + tick);
        result = append(LATENCY, time, &late);
        if (proc && tick % (100 * MS) == 0 && result == SST_OK && read_cpu(numbers)) {
            result = append(CPU, time, numbers);
        }
        if (proc && tick % (200 * MS) == 0 && result == SST_OK && read_memory(numbers)) {
            result = append(MEMORY, time, numbers);
        }
    }
    if (lethal) kill(getpid(), SIGKILL);
    return result;
}

/* Busy share of the processors between the rows in force at two times, in percent. */
static double busy(int64_t from, int64_t to) {
    uint64_t all = 0, idle = 0;
    sst_view view;
    int k, side;
    for (side = 0; side < 2; side++) {
        const uint64_t *row;
        if (sst_at(streams[CPU], side == 0 ? from : to, &view) != SST_OK) return 0;
        row = (const uint64_t *)view.values;
        for (k = 0; k < CPU_FIELDS; k++) all = side == 0 ? all - row[k] : all + row[k];
        idle += side == 0 ? 0 - row[IDLE] - row[IOWAIT] : row[IDLE] + row[IOWAIT];
    }
    return all == 0 ? 0 : 100.0 - 100.0 * (double)idle / (double)all;
}

/* A row for every second before the end. */
static void print_table(int64_t end, int seconds, bool proc) {
    int i;
    printf("\nsecond   rows   late mean us    max us%s\n", proc ? "   cpu busy   memory available"
                                                                : "");
    for (i = seconds; i > 0; i--) {
        int64_t from = end - i * SECOND, most = 0, sum = 0;
        sst_view view;
        uint64_t k;
        if (sst_window_ex(streams[LATENCY], from, from + SECOND, SST_HALF_OPEN, &view)) return;
        for (k = 0; k < view.count; k++) {
            int64_t late = ((const int64_t *)view.values)[k];
            if (late > most) most = late;
            sum += late;
        }
        printf("%5d  %6d   %12.1f  %8.1f", -i, (int)view.count,
               view.count == 0 ? 0 : (double)sum / 1e3 / (double)view.count, (double)most / 1e3);
        if (proc && sst_at(streams[MEMORY], from + SECOND, &view) == SST_OK) {
            printf("    %5.1f %%   %8.0f MiB", busy(from, from + SECOND),
                   (double)((const uint64_t *)view.values)[AVAILABLE] / 1024);
        }
        printf("\n");
    }
}

/* The worst latency of every tenth of a second: a column each, a line for every doubling. */
static void print_plot(int64_t end, int seconds) {
    int64_t worst[600];
    int columns = seconds * 10, i, level;
    for (i = 0; i < columns && i < 600; i++) {
        int64_t from = end - (columns - i) * 100 * MS;
        sst_view view;
        uint64_t k;
        worst[i] = 0;
        if (sst_window_ex(streams[LATENCY], from, from + 100 * MS, SST_HALF_OPEN, &view)) return;
        for (k = 0; k < view.count; k++) {
            int64_t late = ((const int64_t *)view.values)[k];
            if (late > worst[i]) worst[i] = late;
        }
    }
    printf("\nworst latency of every 100 ms\n");
    for (level = 9; level >= 0; level--) {
        int64_t least = (int64_t)16000 << level;        /* 16 us and up */
        printf("%8.0f us |", (double)least / 1e3);
        for (i = 0; i < columns && i < 600; i++) putchar(worst[i] >= least ? '#' : ' ');
        printf("\n");
    }
    printf("            +");
    for (i = 0; i < columns && i < 600; i++) putchar(i % 10 == 0 ? '|' : '-');
    printf("x\n");
}

/* The process that recorded is dead: what is in the file? */
static int after(int seconds, bool proc) {
    int64_t end = 0;
    sst_store *store = NULL;
    sst_info info = {0};
    int i, result = open_box(&store, proc);
    if (result == SST_OK) result = sst_store_info(store, &info);
    if (result == SST_OK) result = sst_stream_info(streams[LATENCY], NULL, NULL, NULL, &end);
    printf("opened again: %d rows were recovered from %s-live\n\n", (int)info.recovered_rows, PATH);
    printf("stream    appends that had returned   rows in the file\n");
    for (i = proc ? 0 : LATENCY; i < STREAMS && result == SST_OK; i++) {
        uint64_t rows = sst_rows(streams[i]);
        printf("%-8s  %25d   %16d   %s\n", names[i], (int)returned[i], (int)rows,
               rows >= returned[i] ? "all there" : "ROWS ARE LOST");
        if (rows < returned[i]) result = SST_ERR_CORRUPT;
    }
    if (result == SST_OK) print_table(end, seconds, proc);
    if (result == SST_OK) print_plot(end, seconds);
    printf("\nrecording goes on in the same file ...\n");
    if (result == SST_OK) result = record(SECOND, proc, false);
    for (i = proc ? 0 : LATENCY; i < STREAMS && result == SST_OK; i++) {
        printf("%-8s  %d rows\n", names[i], (int)sst_rows(streams[i]));
    }
    if (sst_close(store) != SST_OK && result == SST_OK) result = SST_ERR_IO;
    return result;
}

int main(void) {
    const char *text = getenv("DEMO_SECONDS");
    int seconds = text != NULL && text[0] >= '1' && text[0] <= '9' ? text[0] - '0' : 6, result;
    int shown = seconds > 1 ? seconds - 1 : 1;
    uint64_t probe[CPU_FIELDS];
    bool proc = read_cpu(probe) && read_memory(probe);
    sst_store *store = NULL;
    pid_t child;
    remove(PATH);
    remove(PATH "-live");
    remove(PATH "-torn");
    returned = (uint64_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                                -1, 0);
    if ((void *)returned == MAP_FAILED) return 1;
    if (!proc) printf("no /proc here: only the stream \"latency\" is recorded\n");
    printf("recording %d seconds into %s, then kill -9 ...\n", seconds, PATH);
    fflush(stdout);
    child = fork();
    if (child < 0) return 1;
    if (child == 0) _exit(open_box(&store, proc) != SST_OK ||
                          record(seconds * SECOND, proc, true) != SST_OK);
    waitpid(child, NULL, 0);
    result = after(shown, proc);
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    return result == SST_OK ? 0 : 1;
}
