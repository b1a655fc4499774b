#!/bin/sh
# check.sh - the tests under AddressSanitizer, UndefinedBehaviorSanitizer, ThreadSanitizer and
# valgrind, the fuzzers, and what `make test` compiles without the optimiser, with it.
#
# SCALE (default 1) is how long: TEST_SCALE of the random tests, and 60 seconds times SCALE per
# fuzzer. What is not installed is skipped and said so. The last line is
# `N passed, N failed[, N skipped]` over everything.
set -u
BUILD=${BUILD:-build}
CC=${CC:-cc}
SCALE=${SCALE:-1}
export CC
TOP=$BUILD
lines=$TOP/check.lines
seconds=$(awk -v scale="$SCALE" 'BEGIN { printf "%d", 900 + 3600 * scale }')
mkdir -p "$TOP"
: > "$lines"

# Programs that valgrind would take minutes for, or that live from threads and processes that run
# side by side. The slowest of the others are left out of short runs.
valgrind_skip=" test_threads test_kill test_live test_retain test_file test_model_file "
valgrind_skip="$valgrind_skip test_session test_crash test_branches_io test_tool test_damage "
valgrind_skip="$valgrind_skip test_replay "
# Those that are worth optimising for it. The others are what `make test` has built.
valgrind_long=" test_model test_model_pieces test_ragged test_search test_fault "
valgrind_long="$valgrind_long test_fault_ragged test_fields test_query test_alloc test_stream "
valgrind_long="$valgrind_long test_compact test_branches_ragged test_branches_search "
if awk -v scale="$SCALE" 'BEGIN { exit !(scale < 1) }'; then
    valgrind_skip="$valgrind_skip test_fault test_fault_ragged test_model_pieces "
    valgrind_skip="$valgrind_skip test_ragged "
fi

have() { command -v "$1" > /dev/null; }

# note_skip what why
note_skip() {
    echo "skipped $1: $2"
    echo "$1: 0 passed, 0 failed, 1 skipped" >> "$lines"
}

# phase name command...: runs it, keeps its closing line; without one it has failed.
phase() {
    phase_name=$1
    shift
    echo "---- $phase_name"
    "$@" 2>&1 | tee "$TOP/check.log"
    tail -n 1 "$TOP/check.log" |
        grep -E "^$phase_name: [0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?\$" >> "$lines" ||
        echo "$phase_name: 0 passed, 1 failed" | tee -a "$lines"
}

# works compiler flags...: builds and runs an empty program, so that a sanitizer whose library is
# missing, or that this kernel does not run, is found out before the tests.
works() {
    printf 'int main(void) { return 0; }\n' > "$TOP/probe.c"
    "$@" -o "$TOP/probe" "$TOP/probe.c" > /dev/null 2>&1 && $wrapper "$TOP/probe" > /dev/null 2>&1
}

# programs: every test program, in $BUILD.
programs() {
    for file in tests/test_*.c; do
        name=${file##*/}
        name=${name%.c}
        [ -f "$file" ] || continue
        case $1 in *" $name "*) continue ;; esac
        echo "$BUILD/tests/$name"
    done
}

# ---- AddressSanitizer and UndefinedBehaviorSanitizer. clang finds more, any compiler will do.

wrapper=
flags='-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all'
compiler=
for candidate in clang "$CC" gcc; do
    # shellcheck disable=SC2086
    if have "$candidate" && works "$candidate" $flags; then compiler=$candidate; break; fi
done
if [ -n "$compiler" ]; then
    # shellcheck disable=SC2086
    works "$compiler" $flags -fsanitize=float-cast-overflow &&
        flags="$flags -fsanitize=float-cast-overflow -fno-sanitize-recover=all"
    case $compiler in clang) cxx=clang++ ;; gcc) cxx=g++ ;; *) cxx=${CXX:-c++} ;; esac
    echo "sanitizers: $compiler $flags"
    # What does not run for long is not optimised: that would take most of the time there is.
    level=$(awk -v scale="$SCALE" 'BEGIN { print scale < 0.3 ? "-O0" : "-O1" }')
    BUILD=$TOP/asan CC=$compiler CXX=$cxx LONG_CFLAGS=$flags RACE_CFLAGS="$flags $level" \
        TEST_CFLAGS="$flags $level" TEST_CXXFLAGS="$flags $level" \
        sh tests/build.sh tests examples tools
    ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=1
    UBSAN_OPTIONS=print_stacktrace=1
    export ASAN_OPTIONS UBSAN_OPTIONS
    BUILD=$TOP/asan
    set --
    for file in tests/test_*.sh; do
        [ -f "$file" ] && set -- "$@" "$file"
    done
    export TEST_SCALE="$SCALE" CXX="$cxx"
    # shellcheck disable=SC2046
    phase asan env BUILD="$BUILD" sh tests/run.sh -n asan -o "$TOP/asan/run" -t "$seconds" \
        $(programs ' ') tests/run_examples.sh "$@"
    unset ASAN_OPTIONS TEST_SCALE
else
    note_skip asan "no compiler with a working AddressSanitizer"
fi

# ---- ThreadSanitizer. Kernels that randomise addresses more than it expects need setarch -R.

if [ -f tests/test_threads.c ]; then
    flags='-g -O1 -fsanitize=thread'
    compiler=
    for candidate in "$CC" clang gcc; do
        for wrapper in '' "setarch $(uname -m) -R"; do
            # shellcheck disable=SC2086
            if have "$candidate" && works "$candidate" $flags; then
                compiler=$candidate
                break 2
            fi
        done
    done
    if [ -n "$compiler" ]; then
        set -- "$TOP/tsan/tests/test_threads" "$TOP/tsan/tests/test_live" \
            "$TOP/tsan/tests/test_kill" "$TOP/tsan/tests/test_retain"
        BUILD=$TOP/tsan CC=$compiler RACE_CFLAGS=$flags sh tests/build.sh "$@"
        TSAN_OPTIONS=halt_on_error=1 phase tsan sh tests/run.sh -n tsan \
            -o "$TOP/tsan/run" -t "$seconds" -w "$wrapper" "$@"
    else
        note_skip tsan "no compiler with a working ThreadSanitizer"
    fi
fi

# ---- valgrind, with the quick rounds of `make test`.

if have valgrind; then
    BUILD=$TOP sh tests/build.sh tests
    set --
    for name in $valgrind_long; do
        case $valgrind_skip in *" $name "*) continue ;; esac
        set -- "$@" "$TOP/valgrind/tests/$name"
    done
    BUILD=$TOP/valgrind TEST_CFLAGS=${LONG_CFLAGS--O1} sh tests/build.sh "$@"
    BUILD=$TOP
    # shellcheck disable=SC2046
    phase valgrind sh tests/run.sh -n valgrind -o "$TOP/run-valgrind" -t 1800 \
        -w "valgrind -q --error-exitcode=9 --leak-check=full" \
        "$@" $(programs "$valgrind_skip$valgrind_long")
else
    note_skip valgrind "not installed"
fi

# ---- Fuzzing.

phase fuzz env BUILD="$TOP" sh tests/fuzz/run.sh

# ---- The optimiser.

phase compile env BUILD="$TOP" OPTIMISED=1 sh tests/compile/run.sh

awk '{ passed += $2; failed += $4; if (NF > 5) skipped += $6 }
     END {
         printf "%d passed, %d failed", passed, failed
         if (skipped > 0) printf ", %d skipped", skipped
         printf "\n"
         exit failed > 0
     }' "$lines"
