/* demo.c - records this machine for two seconds, as three streams of different rates.
 *
 *     cc demo.c && ./a.out
 *
 * cpu (10 Hz): jiffies from /proc/stat; memory (5 Hz): kilobytes from /proc/meminfo; sleep
 * (1 kHz): by how many nanoseconds a sleep to the next millisecond ended late. Times are those of
 * the monotonic clock, from the start on. Without /proc only sleep is recorded. */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS ((int64_t)1000000)

enum { CPU, MEMORY, SLEEP, STREAMS };
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, CPU_FIELDS = 8 };
enum { TOTAL, FREE, AVAILABLE, MEMORY_FIELDS };

static sst_stream *streams[STREAMS];

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
    static const char *const names[MEMORY_FIELDS] = {"MemTotal:", "MemFree:", "MemAvailable:"};
    FILE *file = fopen("/proc/meminfo", "r");
    char line[256], name[64];
    unsigned long long number;
    int i, found = 0;
    if (file == NULL) return false;
    while (fgets(line, sizeof line, file) != NULL && found < MEMORY_FIELDS) {
        for (i = 0; i < MEMORY_FIELDS; i++) {
            if (sscanf(line, "%63s %llu", name, &number) == 2 && strcmp(name, names[i]) == 0) {
                out[i] = number;
                found++;
            }
        }
    }
    fclose(file);
    return found == MEMORY_FIELDS;
}

static int record(int64_t start, int64_t duration, bool proc) {
    int64_t tick, late, last = -1;
    int result = SST_OK;
    for (tick = MS; tick <= duration && result == SST_OK; tick += MS) {
        int64_t time;
        sleep_until(start + tick);
        time = now() - start;
        if (time <= last) time = last + 1;          /* a clock too coarse for two rows */
        last = time;
        late = time - tick;
        result = sst_append_i64(streams[SLEEP], time, late);
        if (proc && tick % (100 * MS) == 0 && result == SST_OK) {
            uint64_t cpu[CPU_FIELDS];
            if (read_cpu(cpu)) result = sst_append(streams[CPU], time, cpu);
        }
        if (proc && tick % (200 * MS) == 0 && result == SST_OK) {
            uint64_t memory[MEMORY_FIELDS];
            if (read_memory(memory)) result = sst_append(streams[MEMORY], time, memory);
        }
    }
    return result;
}

/* Windows of a quarter second: how late the sleeps ended. */
static int print_sleep(int64_t duration) {
    int64_t start;
    printf("\nsleep, in windows of 250 ms      rows   min us  mean us   max us\n");
    for (start = 0; start < duration; start += 250 * MS) {
        sst_view view;
        int64_t least = INT64_MAX, most = 0, sum = 0;
        uint64_t i;
        int result = sst_window_ex(streams[SLEEP], start, start + 250 * MS, SST_HALF_OPEN, &view);
        if (result != SST_OK) return result;
        for (i = 0; i < view.count; i++) {
            int64_t late = ((const int64_t *)view.values)[i];
            if (late < least) least = late;
            if (late > most) most = late;
            sum += late;
        }
        if (view.count == 0) continue;
        printf("  [%4d ms, %4d ms)           %6d %8.1f %8.1f %8.1f\n", (int)(start / MS),
               (int)(start / MS) + 250, (int)view.count, (double)least / 1e3,
               (double)sum / 1e3 / (double)view.count, (double)most / 1e3);
    }
    return SST_OK;
}

/* A window of half a second: what the processors did between two rows. */
static int print_cpu(void) {
    sst_view view;
    uint64_t i;
    int k, result = sst_window(streams[CPU], 500 * MS, 1000 * MS + 50 * MS, &view);
    if (result != SST_OK) return result;
    printf("\ncpu, window [500 ms, 1050 ms]   user  nice system   idle iowait  (jiffies)\n");
    for (i = 1; i < view.count; i++) {
        const uint64_t *row = (const uint64_t *)view.values + i * CPU_FIELDS;
        printf("  %7.1f ms to %7.1f ms     ", (double)view.times[i - 1] / 1e6,
               (double)view.times[i] / 1e6);
        for (k = USER; k <= IOWAIT; k++) {
            printf("%7lld", (long long)(row[k] - row[k - CPU_FIELDS]));
        }
        printf("\n");
    }
    return SST_OK;
}

/* The rows in force at a few moments, each with the time it was recorded. */
static int print_moments(int64_t duration, bool proc) {
    int64_t moment;
    int result = SST_OK;
    printf("\nin force at      sleep late        recorded%s\n",
           proc ? "   memory free of total    recorded" : "");
    for (moment = duration / 4; moment <= duration && result == SST_OK; moment += duration / 4) {
        sst_view view;
        result = sst_at(streams[SLEEP], moment, &view);
        if (result != SST_OK) break;
        printf("  %7.1f ms    %7.1f us   %10.3f ms", (double)moment / 1e6,
               (double)*(const int64_t *)view.values / 1e3, (double)view.times[0] / 1e6);
        if (proc) {
            const uint64_t *memory;
            result = sst_at(streams[MEMORY], moment, &view);
            if (result != SST_OK) {
                printf("\n");
                break;
            }
            memory = (const uint64_t *)view.values;
            printf("  %6lld of %6lld MiB  %9.3f ms", (long long)memory[FREE] / 1024,
                   (long long)memory[TOTAL] / 1024, (double)view.times[0] / 1e6);
        }
        printf("\n");
    }
    return result == SST_ERR_NOT_FOUND ? SST_OK : result;      /* nothing was in force yet */
}

int main(void) {
    static const char *const names[STREAMS] = {"cpu", "memory", "sleep"};
    static const uint32_t fields[STREAMS] = {CPU_FIELDS, MEMORY_FIELDS, 0};
    static const int64_t duration = 2000 * MS;
    uint64_t probe[CPU_FIELDS];
    bool proc = read_cpu(probe) && read_memory(probe);
    sst_store *store = NULL;
    const void *image;
    size_t size = 0;
    sst_report report = {0};
    int i, result = sst_create(NULL, NULL, &store);
    for (i = proc ? 0 : SLEEP; i < STREAMS && result == SST_OK; i++) {
        sst_stream_desc desc = {0};
        desc.name = names[i];
        desc.type = i == SLEEP ? SST_I64 : SST_U64;
        desc.shape[0] = fields[i];
        result = sst_stream_create(store, &desc, &streams[i]);
    }
    if (!proc) printf("no /proc here: only the stream \"sleep\" is recorded\n");
    printf("recording %d ms ...\n", (int)(duration / MS));
    if (result == SST_OK) result = record(now(), duration, proc);
    for (i = 0; i < STREAMS; i++) {
        printf("  %-6s %6d rows\n", names[i], (int)sst_rows(streams[i]));
    }
    if (result == SST_OK) result = print_sleep(duration);
    if (result == SST_OK && proc) result = print_cpu();
    if (result == SST_OK) result = print_moments(duration, proc);
    if (result == SST_OK) result = sst_image(store, &image, &size);
    if (result == SST_OK) result = sst_verify(store, &report);
    printf("\nimage of the store: %lu bytes, %d rows verified: %s\n", (unsigned long)size,
           (int)report.rows, sst_result_name(result));
    if (result != SST_OK) fprintf(stderr, "%s\n", sst_result_text(result));
    sst_close(store);
    return result == SST_OK ? 0 : 1;
}
