#!/bin/sh
# fuzz/run.sh - builds and runs the fuzzers fuzz_*.c, each for 60 seconds times SCALE (at least
# 5), with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.
#
# What a fuzzer learns is kept in build/fuzz/<name>/, what it must never forget is committed in
# tests/fuzz/corpus/<name>/. fuzz_seeds.c, where there is one, writes valid images for fuzz_open.
# An input that fails is left in build/fuzz/<name>-*.
set -u
BUILD=${BUILD:-build}
SCALE=${SCALE:-1}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
folder=$BUILD/fuzz
passed=0 failed=0 skipped=0
seconds=$(awk -v scale="$SCALE" 'BEGIN { s = int(60 * scale); print s < 5 ? 5 : s }')
flags='-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -std=gnu99'
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

names=
for file in tests/fuzz/fuzz_*.c; do
    name=${file##*/fuzz_}
    name=${name%.c}
    [ -f "$file" ] && [ "$name" != seeds ] && names="$names $name"
done
[ -n "$names" ] || { echo "no fuzzers in tests/fuzz"; finish; }

printf '#include <stddef.h>\n#include <stdint.h>\n%s\n%s\n' \
    'int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);' \
    'int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { (void)d; (void)n; return 0; }' \
    > "$folder/probe.c"
# shellcheck disable=SC2086
if ! clang $flags -o "$folder/probe" "$folder/probe.c" > /dev/null 2>&1; then
    echo "skipped fuzzing: no clang with libFuzzer"
    for name in $names; do skipped=$((skipped + 1)); done
    finish
fi

if [ -f tests/fuzz/fuzz_seeds.c ]; then
    mkdir -p "$folder/open"
    if ! sh tests/build.sh "$BUILD/tests/fuzz_seeds" ||
            ! "$BUILD/tests/fuzz_seeds" "$folder/open" > "$folder/seeds.log" 2>&1; then
        echo "FAILED fuzz_seeds"
        cat "$folder/seeds.log"
        failed=$((failed + 1))
    fi
fi

# one name: the whole life of one fuzzer; what it prints goes to its log.
one() {
    # shellcheck disable=SC2086
    clang $flags -I. -o "$folder/fuzz_$1" "tests/fuzz/fuzz_$1.c" || return 1
    mkdir -p "$folder/$1"
    set -- "$1" "$folder/$1"
    [ -d "tests/fuzz/corpus/$1" ] && set -- "$1" "$2" "tests/fuzz/corpus/$1"
    fuzz_name=$1
    shift
    ASAN_OPTIONS=allocator_may_return_null=1 "$folder/fuzz_$fuzz_name" \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 \
        -artifact_prefix="$folder/$fuzz_name-" "$@"
}

# As many at a time as there are processors.
# shellcheck disable=SC2086
set -- $names
while [ $# -gt 0 ]; do
    batch=
    while [ $# -gt 0 ] && [ "$(echo "$batch" | wc -w)" -lt "$JOBS" ]; do
        batch="$batch $1"
        (one "$1" > "$folder/$1.log" 2>&1; echo $? > "$folder/$1.status") &
        shift
    done
    wait
    for name in $batch; do
        executions=$(awk '/^stat::number_of_executed_units/ { print $2 }' "$folder/$name.log")
        if [ "$(cat "$folder/$name.status")" = 0 ]; then
            passed=$((passed + 1))
            echo "note fuzz_$name: $executions executions in $seconds seconds"
        else
            failed=$((failed + 1))
            echo "FAILED fuzz_$name"
            tail -n 60 "$folder/$name.log"
        fi
    done
done
finish
