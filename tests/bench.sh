#!/bin/sh
# bench.sh - builds and runs every benchmark of tests/bench, one at a time.
set -u
BUILD=${BUILD:-build}
found=0 status=0
for file in tests/bench/*.c; do
    [ -f "$file" ] || continue
    found=1
    name=${file##*/}
    name=${name%.c}
    if sh tests/build.sh "$BUILD/bench/$name"; then
        "$BUILD/bench/$name" || status=1
    else
        status=1
    fi
done
[ "$found" -eq 1 ] || echo "no benchmarks in tests/bench"
exit "$status"
