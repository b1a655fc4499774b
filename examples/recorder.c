/* recorder.c - records to a file, is killed, and goes on where it was killed.
 *
 *     cc recorder.c && ./a.out
 *
 * A child process records until kill -9 ends it in the middle of its work. It says in shared
 * memory how many appends have returned; every one of those rows is there afterwards. start() does
 * not have to know whether the file is new, was closed or crashed.
 */
#define STREAMSTORE_IMPLEMENTATION
#include "../streamstore.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static const char path[] = "recorder.sstore";

static int start(sst_store **store, sst_stream **level) {
    sst_options options = {0};
    sst_stream_desc desc = {0};
    int result;
    options.flags = SST_CREATE;                     /* made if absent, recovered if it crashed */
    desc.name = "level";
    desc.type = SST_F64;
    desc.flags = SST_OPEN_EXISTING;
    result = sst_open_append(path, &options, store);
    return result == SST_OK ? sst_stream_create(*store, &desc, level) : result;
}

static int record(sst_stream *level, uint64_t end, uint64_t *returned) {
    int result = SST_OK;
    uint64_t n;
    for (n = sst_rows(level); n < end && result == SST_OK; n++) {
        result = sst_append_f64(level, (int64_t)n * 1000, (double)n / 8);
        if (result == SST_OK) __atomic_store_n(returned, n + 1, __ATOMIC_RELEASE);
    }
    return result;
}

static void remove_files(void) {
    remove(path);
    remove("recorder.sstore-live");
    remove("recorder.sstore-torn");
}

int main(void) {
    uint64_t *returned = (uint64_t *)mmap(NULL, sizeof *returned, PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS, -1, 0), i, told;
    sst_store *store = NULL;
    sst_stream *level = NULL;
    sst_view view = {0};
    sst_info info = {0};
    pid_t child;
    int result;
    remove_files();
    if ((void *)returned == MAP_FAILED || (child = fork()) < 0) return 1;
    if (child == 0) _exit(start(&store, &level) != SST_OK || record(level, UINT64_MAX, returned));
    while (__atomic_load_n(returned, __ATOMIC_ACQUIRE) < 100000 &&
           waitpid(child, NULL, WNOHANG) == 0) usleep(1000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    told = *returned;

    result = start(&store, &level);                 /* the same again */
    if (result == SST_OK) result = sst_store_info(store, &info);
    if (result == SST_OK) result = sst_slice(level, 0, UINT64_MAX, &view);
    for (i = 0; i < view.count && result == SST_OK; i++) {
        if (view.times[i] != (int64_t)i * 1000) result = SST_ERR_CORRUPT;
        if (((const double *)view.values)[i] != (double)i / 8) result = SST_ERR_CORRUPT;
    }
    printf("killed: %lu appends had returned, %lu rows are there, %lu of them from the tail\n",
           (unsigned long)told, (unsigned long)i, (unsigned long)info.recovered_rows);
    if (!info.kill_safe) printf("on this file system a kill costs the tail\n");
    if (told < 100000 || (i < told && info.kill_safe)) result = SST_ERR_NOT_FOUND;
    if (result == SST_OK) result = record(level, i + 1000, returned);
    printf("recorded on to row %lu: %s\n", (unsigned long)sst_rows(level), sst_result_text(result));
    if (sst_close(store) != SST_OK) result = SST_ERR_IO;
    remove_files();
    return result == SST_OK ? 0 : 1;
}
