#!/bin/sh
# build.sh - builds programs: writes a makefile with one rule per source, since POSIX make has no
# rule that fits them all, and runs make on it.
#
#     sh tests/build.sh target...
#
# Targets: tests, examples, tools, bench, or the path of a program. From the environment, all
# optional: BUILD (where to), MAKE, CC, CXX, CFLAGS, CXXFLAGS, JOBS, and what is used instead of
# CFLAGS and CXXFLAGS where it is given:
#     RACE_CFLAGS     of the tests of threads and processes, where the optimiser matters
#     LONG_CFLAGS     of those that run for longer than they compile
#     TEST_CFLAGS     of the other tests, the examples and the tools
#     TEST_CXXFLAGS   of those in C++
set -u
BUILD=${BUILD:-build}
CC=${CC:-cc}
CXX=${CXX:-c++}
CFLAGS=${CFLAGS--O2 -g}
CXXFLAGS=${CXXFLAGS--O2 -g}
RACE_CFLAGS=${RACE_CFLAGS-$CFLAGS}
LONG_CFLAGS=${LONG_CFLAGS-$CFLAGS}
TEST_CFLAGS=${TEST_CFLAGS-$CFLAGS}
TEST_CXXFLAGS=${TEST_CXXFLAGS-$CXXFLAGS}
rules=$BUILD/rules.mk

# The header and the examples have to pass all of these. Tests count and compare freely, so they
# are spared the conversions.
warn='-Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror'
strict="$warn -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual"
# gcc takes a sixth of its time for the indentation.
relaxed="$warn -Wstrict-prototypes -Wno-unused-function -Wno-misleading-indentation"
relaxed="$relaxed -DSSTI_IMPOSSIBLE=__builtin_trap"

headers=streamstore.h
for file in tests/*.h tests/bench/*.h tests/fuzz/*.h examples/*.h tools/*.h; do
    [ -f "$file" ] && headers="$headers $file"
done

# rule group folder compiler flags source [libraries]: a program and its place in the group.
rule() {
    name=${5##*/}
    program=$BUILD/$2/${name%.*}
    printf '%s: %s %s tests/build.sh\n' "$program" "$5" "$headers"
    printf '\t@echo "cc %s"; rm -f %s; mkdir -p %s\n' "$program" "$program" "$BUILD/$2"
    printf '\t@%s %s -I. -o %s %s %s -pthread -lm\n' "$3" "$4" "$program" "$5" "${6-}"
    printf '%s: %s\n' "$1" "$program"
}

mkdir -p "$BUILD"
{
    echo "# Written by tests/build.sh."
    echo ".PHONY: tests examples tools bench"
    echo "tests examples tools bench:"
    # Every program compiles the whole header, which with -O0 takes a second, with -O1 three, with
    # -O2 six, and under a sanitizer two and seventeen: what is optimised has to be worth it. What
    # takes longest comes first.
    race="tests/test_kill.c tests/test_live.c tests/test_threads.c tests/test_retain.c"
    long="tests/test_damage.c tests/test_fault.c tests/test_fault_ragged.c tests/test_crash.c"
    for file in $race; do
        [ -f "$file" ] && rule tests tests "$CC -std=gnu99 $relaxed" "$RACE_CFLAGS" "$file"
    done
    for file in $long; do
        [ -f "$file" ] && rule tests tests "$CC -std=gnu99 $relaxed" "$LONG_CFLAGS" "$file"
    done
    for file in tests/test_*.c tests/fuzz/fuzz_seeds.c; do
        case " $race $long " in *" $file "*) continue ;; esac
        [ -f "$file" ] && rule tests tests "$CC -std=gnu99 $relaxed" "$TEST_CFLAGS" "$file"
    done
    for file in examples/*.c; do
        [ -f "$file" ] && rule examples examples "$CC -std=gnu99 -Wstrict-prototypes $strict" \
            "$TEST_CFLAGS" "$file"
    done
    for file in examples/*.cpp; do
        [ -f "$file" ] || continue
        if command -v "${CXX%% *}" > /dev/null; then
            rule examples examples "$CXX -std=c++11 $strict" "$TEST_CXXFLAGS" "$file"
        fi
    done
    for file in tools/*.c; do
        [ -f "$file" ] && rule tools tools "$CC -std=gnu99 -Wstrict-prototypes $strict" \
            "$TEST_CFLAGS" "$file"
    done
    for file in tests/bench/*.c; do
        [ -f "$file" ] && rule bench bench "$CC -std=gnu99 $relaxed" "$CFLAGS" "$file" \
            "\$\$(BUILD='$BUILD' CC='$CC' sh tests/bench/peers.sh $file)"
    done
    for file in tests/bench/*.cpp; do
        [ -f "$file" ] || continue
        if command -v "${CXX%% *}" > /dev/null; then
            rule bench bench "$CXX -std=c++11 $warn -Wno-unused-function" "$CXXFLAGS" "$file"
        fi
    done
} > "$rules.new.$$"
# Rewritten only when it changed, and in one step: several of us may be running.
if cmp -s "$rules.new.$$" "$rules"; then rm -f "$rules.new.$$"; else mv "$rules.new.$$" "$rules"; fi

# As many jobs as there are processors, whatever the flags of the make that called us.
unset MAKEFLAGS MFLAGS
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
exec "${MAKE:-make}" -k -s -j "$JOBS" -f "$rules" "$@"
