/* test.h - the test harness: no dependency, one program per file.
 *
 *     #include "test.h"
 *     static void empty_store(void) { CHECK(1 + 1 == 2); CHECK_INT(2 + 2, 4); }
 *     int main(void) { TEST_RUN(empty_store); return test_done("example"); }
 *
 * A test that fails a CHECK goes on (REQUIRE leaves it). Every program ends with a line
 * `name: N passed, N failed`; tests/run.sh adds them up. Random tests take their seed from
 * test_seed(), which prints it, and their number of rounds from test_rounds(quick, full):
 * `make test` runs the quick number, `make check SCALE=x` x times the full one. */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_passed_count, test_failed_count, test_skipped_count;
static int test_errors;             /* failed checks of the running test */
static const char *test_skip_reason;

static void test_fail(const char *file, int line, const char *text) {
    test_errors++;
    if (test_errors <= 20) {
        printf("%s:%d: failed: %s\n", file, line, text);
        fflush(stdout);
    }
}

static void test_fail_int(const char *file, int line, const char *text, long long got,
                          long long want) {
    char message[512];
    snprintf(message, sizeof message, "%s is %lld, expected %lld", text, got, want);
    test_fail(file, line, message);
}

#define CHECK(condition) \
    ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, #condition))
#define CHECK_INT(got, want) \
    test_check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))
#define CHECK_TEXT(got, want) \
    (strcmp((got), (want)) == 0 ? (void)0 : test_fail(__FILE__, __LINE__, #got " is not " #want))
#define CHECK_BYTES(got, want, size) \
    (memcmp((got), (want), (size)) == 0 ? (void)0 : \
     test_fail(__FILE__, __LINE__, #got " differs from " #want))
/* Leaves the test function when the condition does not hold. */
#define REQUIRE(condition) \
    do { if (!(condition)) { test_fail(__FILE__, __LINE__, #condition); return; } } while (0)
/* Leaves the test function and counts it as skipped. */
#define SKIP(reason) do { test_skip_reason = (reason); return; } while (0)

static inline void test_check_int(const char *file, int line, const char *text, long long got,
                           long long want) {
    if (got != want) test_fail_int(file, line, text, got, want);
}

static inline void test_run(const char *name, void (*function)(void)) {
    test_errors = 0;
    test_skip_reason = NULL;
    function();
    if (test_errors > 0) {
        test_failed_count++;
        printf("FAILED %s (%d checks)\n", name, test_errors);
    } else if (test_skip_reason != NULL) {
        test_skipped_count++;
        printf("skipped %s: %s\n", name, test_skip_reason);
    } else {
        test_passed_count++;
    }
    fflush(stdout);
}

#define TEST_RUN(function) test_run(#function, function)

/* Prints the closing line; the result is main's. */
static inline int test_done(const char *name) {
    if (test_skipped_count > 0) {
        printf("%s: %d passed, %d failed, %d skipped\n", name, test_passed_count,
               test_failed_count, test_skipped_count);
    } else {
        printf("%s: %d passed, %d failed\n", name, test_passed_count, test_failed_count);
    }
    return test_failed_count > 0 ? 1 : 0;
}

/* The seed of this run: TEST_SEED from the environment, or the given default. Printed. */
static inline uint64_t test_seed(uint64_t preset) {
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : preset;
    printf("seed %llu\n", (unsigned long long)seed);
    return seed;
}

/* How often: `quick` in `make test`; TEST_SCALE times `full`, at least once, in `make check`. */
static inline uint64_t test_rounds(uint64_t quick, uint64_t full) {
    const char *text = getenv("TEST_SCALE");
    double scaled;
    if (text == NULL || text[0] == '\0') return quick;
    scaled = strtod(text, NULL) * (double)full;
    return scaled < 1.0 ? 1 : (uint64_t)scaled;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t test_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Uniform in [0, bound); bound 0 gives 0. */
static inline uint64_t test_below(uint64_t *state, uint64_t bound) {
    return bound == 0 ? 0 : test_random(state) % bound;
}

/* Where the real recordings are: TEST_DATA, or the folder beside the project. */
static inline const char *test_data(void) {
    const char *path = getenv("TEST_DATA");
    return path != NULL ? path : "../shared/data";
}

#endif
