#!/bin/sh
# bench.sh - builds the benchmarks of tests/bench and runs them, one at a time.
#
#     sh tests/bench.sh
#
# From the environment: BUILD, CC, CXX, CFLAGS, CXXFLAGS; BENCH=name: only bench_name; what each
# benchmark reads (BENCH_ROWS, BENCH_ROUNDS, BENCH_DIR, ...), see there. Libraries to compare with
# are used where they are installed (tests/bench/peers.sh); the benchmarks name those that are not.
set -u
BUILD=${BUILD:-build}
CXX=${CXX:-c++}
BENCH=${BENCH:-}
found=0 status=0

# A python3 that has numpy; the system's may be another than the first in PATH.
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import numpy' 2> /dev/null; then
        BENCH_PYTHON=${BENCH_PYTHON:-$python}
        export BENCH_PYTHON
    fi
done

for file in tests/bench/bench_*.c tests/bench/bench_*.cpp; do
    [ -f "$file" ] || continue
    name=${file##*/}
    name=${name%.*}
    [ -z "$BENCH" ] || [ "$name" = "bench_${BENCH#bench_}" ] || continue
    found=1
    if [ "${file##*.}" = cpp ] && ! command -v "${CXX%% *}" > /dev/null; then
        printf '\n== %s is left out: there is no C++ compiler\n' "$name"
        continue
    fi
    # Always anew: a library may have come or gone since.
    rm -f "$BUILD/bench/$name"
    if sh tests/build.sh "$BUILD/bench/$name"; then
        "$BUILD/bench/$name" || status=1
    else
        status=1
    fi
done
if [ "$found" -eq 0 ]; then
    echo "no benchmark ${BENCH:+named $BENCH }in tests/bench"
    status=1
fi
exit "$status"
