#!/bin/sh
# build.sh - builds programs: writes a makefile with one rule per source, since POSIX make has no
# rule that fits them all, and runs make on it.
#
#     sh tests/build.sh target...
#
# Targets: tests, examples, tools, bench, or the path of a program. From the environment, all
# optional: BUILD (where to), MAKE, CC, CXX, CFLAGS, CXXFLAGS, JOBS, TEST_CFLAGS and TEST_CXXFLAGS
# (of all but those tests where the optimiser matters; the same if not given), SHORT_CFLAGS (of
# those that run for a moment only) and EXAMPLE_CFLAGS (of examples and tools; both TEST_CFLAGS if
# not given).
set -u
BUILD=${BUILD:-build}
CC=${CC:-cc}
CXX=${CXX:-c++}
CFLAGS=${CFLAGS--O2 -g}
TEST_CFLAGS=${TEST_CFLAGS-$CFLAGS}
SHORT_CFLAGS=${SHORT_CFLAGS-$TEST_CFLAGS}
EXAMPLE_CFLAGS=${EXAMPLE_CFLAGS-$TEST_CFLAGS}
CXXFLAGS=${CXXFLAGS--O2 -g}
rules=$BUILD/rules.mk

# The header and the examples have to pass all of these. Tests count and compare freely, so they
# are spared the conversions.
warn='-Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror'
strict="$warn -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual"
relaxed="$warn -Wstrict-prototypes -Wno-unused-function -DSSTI_IMPOSSIBLE=__builtin_trap"

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
    for file in tests/test_*.c tests/fuzz/fuzz_seeds.c; do
        [ -f "$file" ] || continue
        # Every program compiles the whole header.
        case $file in
            */test_kill.c | */test_threads.c | */test_live.c) flags=$CFLAGS ;;
            */test_branches*.c | */test_buf*.c | */test_compact.c | \
                */test_fields.c | */test_import.c | */test_ragged.c | */test_session.c | \
                */test_store.c | */test_stream.c | */test_tool.c) flags=$SHORT_CFLAGS ;;
            *) flags=$TEST_CFLAGS ;;
        esac
        rule tests tests "$CC -std=gnu99 $relaxed" "$flags" "$file"
    done
    for file in examples/*.c; do
        [ -f "$file" ] && rule examples examples "$CC -std=gnu99 -Wstrict-prototypes $strict" \
            "$EXAMPLE_CFLAGS" "$file"
    done
    for file in examples/*.cpp; do
        [ -f "$file" ] || continue
        if command -v "${CXX%% *}" > /dev/null; then
            rule examples examples "$CXX -std=c++11 $strict" "${TEST_CXXFLAGS-$CXXFLAGS}" "$file"
        fi
    done
    for file in tools/*.c; do
        [ -f "$file" ] && rule tools tools "$CC -std=gnu99 -Wstrict-prototypes $strict" \
            "$EXAMPLE_CFLAGS" "$file"
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
