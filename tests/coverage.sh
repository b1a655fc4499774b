#!/bin/sh
# coverage.sh - how much of streamstore.h the tests run: lines, branches and MC/DC (of every
# condition of a decision: does it alone decide?), at the scale of `make test`.
#
# Needs clang 19 and LLVM 19 (Debian: clang-19 llvm-19 libclang-rt-19-dev) and python3, which
# Debian's clang-19 recommends. Without them it says `skipped` and ends with 0. The lists of what
# was not covered are in $BUILD/coverage: lines.txt, branches.txt, mcdc.txt. COVERAGE_STRICT=1: ends
# non-zero unless every branch and 90 % of the conditions are covered.
#
# Every test program includes the implementation, so each has functions of its own, compiled under
# macros of its own. tests/coverage.py unites what llvm-cov says of each, by place in the header.
set -u
BUILD=${BUILD:-build}
out=$BUILD/coverage

# One program under tests/run.sh: its counters go to files of its own.
if [ "${1:-}" = --run ]; then
    shift
    LLVM_PROFILE_FILE=$COVERAGE_RAW/${1##*/}-%p.profraw
    export LLVM_PROFILE_FILE
    exec "$@"
fi

skip() { echo "skipped coverage: $1"; exit 0; }
# tool name: what it is called here, version 19.
tool() {
    for candidate in "$1-19" "$1"; do
        if "$candidate" --version 2> /dev/null | grep -q 'version 19\.'; then
            echo "$candidate"
            return
        fi
    done
}
CC=$(tool clang)
CXX=$(tool clang++)
cov=$(tool llvm-cov)
profdata=$(tool llvm-profdata)
[ -n "$CC" ] || skip "clang 19 is not installed"
[ -n "$CXX" ] || CXX=no-c++-compiler
[ -n "$cov" ] || skip "llvm 19 is not installed"
[ -n "$profdata" ] || skip "llvm 19 is not installed"
python3 -c 'import json' 2> /dev/null || skip "python3 is not installed"

rm -rf "$out/raw" "$out/json"
mkdir -p "$out/raw" "$out/json" "$out/examples"
COVERAGE_RAW=$(cd "$out/raw" && pwd)
export CC CXX COVERAGE_RAW
unset TEST_SCALE
flags='-fprofile-instr-generate -fcoverage-mapping'
printf 'int main(void) { return 0; }\n' > "$out/probe.c"
# shellcheck disable=SC2086
"$CC" $flags -o "$out/probe" "$out/probe.c" 2> /dev/null ||
    skip "the profiling library of clang 19 (libclang-rt-19-dev) is not installed"
"$CC" -O1 -c -o "$out/coverage.o" tests/coverage.c || exit 1

# Everything of one state: a copy, since all programs have to see the same lines. What the tests
# find beside the project they have to find from there.
out=$(cd "$out" && pwd)
tree=$out/tree
: "${TEST_DATA:=$(cd .. && pwd)/shared/data}"
export TEST_DATA
rm -rf "$tree"
mkdir -p "$tree"
cp -Rp streamstore.h tests examples "$tree"
cd "$tree" || exit 1

# What only a marked condition uses is unused then.
flags="-O1 -g $flags -fcoverage-mcdc -DSTREAMSTORE_COVERAGE=1 -Wno-error -Wno-unused"
linked="$out/coverage.o -Wl,--wrap=fork -Wl,--wrap=kill -Wl,--wrap=_exit"
if ! BUILD=$out CFLAGS="$flags $linked" CXXFLAGS="$flags $linked" \
        sh tests/build.sh tests examples > "$out/build.log" 2>&1; then
    grep -E 'error:|Error' "$out/build.log"
fi
set --
for file in tests/test_*.c; do
    name=${file##*/}
    [ -f "$file" ] && set -- "$@" "$out/tests/${name%.c}"
done
status=0
# What fails here does not count: marked races are taken for impossible, and then they happen.
BUILD=$out sh tests/run.sh -n tests -o "$out/run" -t 600 -w "sh tests/coverage.sh --run" "$@"
limit=
command -v timeout > /dev/null && limit="timeout -k 5 60"
for file in examples/*.c examples/*.cpp; do
    name=${file##*/}
    name=${name%.*}
    program=$out/examples/$name
    [ -x "$program" ] || continue
    # Those that need arguments fail: they are run by a test.
    # shellcheck disable=SC2086
    (cd "$out/examples" && LLVM_PROFILE_FILE=$COVERAGE_RAW/$name-%p.profraw $limit "$program" \
        > "$name.log" 2>&1 < /dev/null)
    set -- "$@" "$program"
done

# unite program name: its runs become one file of coverage.
unite() {
    "$profdata" merge --failure-mode=all -o "$out/raw/$2.profdata" "$out/raw/$2"-*.profraw \
        2>> "$out/build.log" &&
        "$cov" export "$1" -instr-profile="$out/raw/$2.profdata" --skip-expansions \
            "$tree/streamstore.h" > "$out/json/$2.json" 2>> "$out/build.log"
}

for program in "$@"; do
    name=${program##*/}
    set -- "$out/raw/$name"-*.profraw
    [ -f "$1" ] || continue
    unite "$program" "$name" && continue
    # A process that was killed while it wrote has left half a file: once more.
    rm -f "$@"
    sh tests/coverage.sh --run "$program" > /dev/null 2>&1 < /dev/null
    unite "$program" "$name" || echo "note: no coverage of $name"
done
python3 tests/coverage.py streamstore.h "$out" || status=1
exit $status
