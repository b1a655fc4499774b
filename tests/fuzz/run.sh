#!/bin/sh
# fuzz/run.sh - builds and runs the fuzzers fuzz_*.c with clang's libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer, or with AFL++.
#
# From the environment, all optional:
#     BUILD, JOBS     where to build; processors to use
#     SCALE           each fuzzer runs for 60 seconds times SCALE (at least 10), on one processor
#     FUZZ_SECONDS    instead: each runs for so long, on all processors; then its corpus is
#                     minimised, and how much of the header it reaches is measured with gcov
#     FUZZ            only this fuzzer (open, live, recover, api)
#     AFL             1: with AFL++, for FUZZ_SECONDS or 60 seconds times SCALE
#
# What a fuzzer learns is kept in build/fuzz/<name>/, what it must never forget is committed in
# tests/fuzz/corpus/<name>/. fuzz_seeds.c writes valid inputs into build/fuzz/seeds/<name>/. An
# input that fails is left in build/fuzz/<name>-*, or in build/fuzz/afl/<name>/*/crashes.
set -u
BUILD=${BUILD:-build}
SCALE=${SCALE:-1}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
FUZZ=${FUZZ:-}
FUZZ_SECONDS=${FUZZ_SECONDS:-}
AFL=${AFL:-}
folder=$BUILD/fuzz
passed=0 failed=0 skipped=0
seconds=$(awk -v scale="$SCALE" 'BEGIN { s = int(60 * scale); print s < 10 ? 10 : s }')
[ -n "$FUZZ_SECONDS" ] && seconds=$FUZZ_SECONDS
# Optimising takes 25 seconds, which is lost on who runs for less.
level=-O2
[ "$seconds" -lt 30 ] && level=-O0
# The mutators know the numbers of the format; tracing every comparison would only take time.
flags="-g $level -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -std=gnu99
    -fno-sanitize-coverage=trace-cmp"
ASAN_OPTIONS=allocator_may_return_null=1:malloc_context_size=5:quarantine_size_mb=16
export ASAN_OPTIONS
mkdir -p "$folder"

finish() {
    if [ "$skipped" -gt 0 ]; then
        echo "fuzz: $passed passed, $failed failed, $skipped skipped"
    else
        echo "fuzz: $passed passed, $failed failed"
    fi
    [ "$failed" -eq 0 ]
    exit
}

skip_all() {
    echo "skipped fuzzing: $1"
    for name in $names; do skipped=$((skipped + 1)); done
    finish
}

names=
for file in tests/fuzz/fuzz_*.c; do
    name=${file##*/fuzz_}
    name=${name%.c}
    if [ "$name" = seeds ] || [ ! -f "$file" ]; then continue; fi
    if [ -z "$FUZZ" ] || [ "$FUZZ" = "$name" ]; then names="$names $name"; fi
done
[ -n "$names" ] || { echo "no such fuzzer in tests/fuzz"; finish; }

# works compiler flags...: is there one that can build fuzzers?
works() {
    printf '#include <stddef.h>\n#include <stdint.h>\n%s\n%s\n' \
        'int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);' \
        'int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { (void)d; (void)n; return 0; }' \
        > "$folder/probe.c"
    "$@" -o "$folder/probe" "$folder/probe.c" > /dev/null 2>&1
}

# Valid inputs, and what was found once, for every fuzzer.
seeds() {
    rm -rf "$folder/seeds"
    if ! sh tests/build.sh "$BUILD/tests/fuzz_seeds" ||
            ! "$BUILD/tests/fuzz_seeds" "$folder/seeds" > "$folder/seeds.log" 2>&1; then
        echo "FAILED fuzz_seeds"
        [ -f "$folder/seeds.log" ] && cat "$folder/seeds.log"
        failed=$((failed + 1))
    fi
    for name in $names; do
        mkdir -p "$folder/seeds/$name"
        [ -d "tests/fuzz/corpus/$name" ] || continue
        cp "tests/fuzz/corpus/$name"/* "$folder/seeds/$name/"
    done
}

# longest name: bytes of an input that are worth trying
longest() {
    case $1 in api) echo 188 ;; open) echo 16384 ;; *) echo 32768 ;; esac
}

# ---- libFuzzer

# build name
build() {
    # shellcheck disable=SC2086
    clang $flags -I. -o "$folder/fuzz_$1" "tests/fuzz/fuzz_$1.c" > "$folder/$1.log" 2>&1
}

# one name number: the life of a process; what it prints goes to its log. Those of one fuzzer
# share what they find.
one() {
    mkdir -p "$folder/$1"
    "$folder/fuzz_$1" -max_total_time="$seconds" -max_len="$(longest "$1")" -entropic=0 \
        -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$folder/$1-" \
        "$folder/$1" "$folder/seeds/$1" > "$folder/$1.log$2" 2>&1
    echo $? > "$folder/$1.status$2"
}

# report name: what came of it, from the logs of its processes.
report() {
    cat "$folder/$1".log[0-9]* >> "$folder/$1.log" 2> /dev/null
    status=$(cat "$folder/$1".status[0-9]* 2> /dev/null | sort -rn | head -n 1)
    executions=$(awk '/^stat::number_of_executed_units/ { n += $2 } END { print n + 0 }' \
        "$folder/$1.log")
    edges=$(awk '/^#[0-9]+[ \t]/ { for (i = 1; i < NF; i++) if ($i == "cov:" && $(i + 1) > n)
                                        n = $(i + 1) }
                 END { print n + 0 }' "$folder/$1.log")
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        echo "note fuzz_$1: $executions executions in $seconds seconds," \
            "$((executions / seconds)) per second, $edges edges"
    else
        failed=$((failed + 1))
        echo "FAILED fuzz_$1"
        grep -aE '^artifact_prefix|ERROR|does not hold|divergence' "$folder/$1.log"
        tail -n 60 "$folder/$1.log"
    fi
}

# lines name: how many of the header's lines the corpus runs.
lines() {
    command -v gcc > /dev/null && command -v gcov > /dev/null || return
    rm -rf "$folder/lines"
    mkdir -p "$folder/lines"
    gcc -std=gnu99 -O0 --coverage -DFUZZ_MAIN -I. -c -o "$folder/lines/fuzz.o" \
        "tests/fuzz/fuzz_$1.c" &&
        gcc --coverage -o "$folder/lines/fuzz" "$folder/lines/fuzz.o" || return
    find "$folder/$1" "$folder/seeds/$1" -type f -exec "$folder/lines/fuzz" {} + \
        > "$folder/lines/log" 2>&1
    gcov -n -o "$folder/lines" "$folder/lines/fuzz.gcda" 2> /dev/null |
        awk -v name="$1" '/^File .*streamstore\.h/ { on = 1; next }
            on && /^Lines executed/ { sub(/^Lines executed:/, ""); print "note fuzz_" name \
                " runs " $0 " lines of streamstore.h"; exit }'
}

# minimise name: keeps what adds something.
minimise() {
    rm -rf "$folder/$1.new"
    mkdir -p "$folder/$1.new"
    if "$folder/fuzz_$1" -merge=1 -timeout=20 -rss_limit_mb=3000 "$folder/$1.new" "$folder/$1" \
            "$folder/seeds/$1" > "$folder/$1.merge.log" 2>&1; then
        rm -rf "${folder:?}/$1"
        mv "$folder/$1.new" "$folder/$1"
        echo "note fuzz_$1: $(find "$folder/$1" -type f | wc -l) inputs are kept"
    fi
}

# As many fuzzers at a time as there are processors.
libfuzzer_short() {
    # shellcheck disable=SC2086
    set -- $names
    while [ $# -gt 0 ]; do
        batch=
        while [ $# -gt 0 ] && [ "$(echo "$batch" | wc -w)" -lt "$JOBS" ]; do
            batch="$batch $1"
            rm -f "$folder/$1".log* "$folder/$1".status*
            (build "$1" && one "$1" 1) &
            shift
        done
        wait
        for name in $batch; do report "$name"; done
    done
}

# One after the other, each on all processors.
libfuzzer_long() {
    for name in $names; do
        rm -f "$folder/$name".log* "$folder/$name".status*
        if build "$name"; then
            processor=1
            while [ "$processor" -le "$JOBS" ]; do
                one "$name" "$processor" &
                processor=$((processor + 1))
            done
            wait
        fi
        report "$name"
        [ "$status" = 0 ] && minimise "$name" && lines "$name"
    done
}

# ---- AFL++

# afl_one name: the program, its mutator, and a fuzzer on each processor.
afl_one() {
    out=$folder/afl/$1
    rm -rf "$out"
    mkdir -p "$out"
    AFL_USE_ASAN=1 afl-clang-fast -g -O2 -std=gnu99 -fsanitize=fuzzer -I. \
        -o "$out/fuzz" "tests/fuzz/fuzz_$1.c" || return 1
    "${CC:-cc}" -g -O2 -std=gnu99 -DFUZZ_AFL -shared -fPIC -I. -o "$out/mutate.so" \
        "tests/fuzz/fuzz_$1.c" || return 1
    AFL_CUSTOM_MUTATOR_LIBRARY=$(cd "$out" && pwd)/mutate.so
    AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1
    export AFL_CUSTOM_MUTATOR_LIBRARY AFL_SKIP_CPUFREQ AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES
    export AFL_NO_UI AFL_NO_AFFINITY
    unset ASAN_OPTIONS                          # afl-fuzz has its own
    processor=1 role=-M
    while [ "$processor" -le "$JOBS" ]; do
        timeout $((seconds + 120)) afl-fuzz $role "fuzz$processor" -i "$folder/seeds/$1" \
            -o "$out" -t 20000 -G "$(longest "$1")" -V "$seconds" -- "$out/fuzz" \
            > "$out/log$processor" 2>&1 &
        processor=$((processor + 1)) role=-S
    done
    wait
    cat "$out"/fuzz*/fuzzer_stats > "$out/stats"
}

afl() {
    for name in $names; do
        if ! (afl_one "$name") > "$folder/afl.log" 2>&1; then
            failed=$((failed + 1))
            echo "FAILED fuzz_$name with AFL++"
            tail -n 30 "$folder/afl.log" "$folder/afl/$name"/log*
            continue
        fi
        found=$(awk '/^saved_(crashes|hangs) / { n += $3 } END { print n + 0 }' \
            "$folder/afl/$name/stats")
        if [ "$found" = 0 ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAILED fuzz_$name with AFL++: $found inputs in $folder/afl/$name"
        fi
        awk -v name="$name" -v seconds="$seconds" '
            /^execs_done / { n += $3 }
            /^edges_found / && $3 > edges { edges = $3 }
            END { printf "note fuzz_%s with AFL++: %d executions in %d seconds, %d per second, " \
                         "%d edges\n", name, n, seconds, n / seconds, edges }' \
            "$folder/afl/$name/stats"
    done
}

if [ "$AFL" = 1 ]; then
    if ! command -v afl-fuzz > /dev/null || ! works afl-clang-fast -fsanitize=fuzzer; then
        skip_all "no AFL++ with afl-clang-fast"
    fi
    seeds
    afl
else
    # shellcheck disable=SC2086
    works clang $flags || skip_all "no clang with libFuzzer"
    seeds
    if [ -n "$FUZZ_SECONDS" ]; then libfuzzer_long; else libfuzzer_short; fi
fi
finish
