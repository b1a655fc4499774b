#!/bin/sh
# compile/run.sh - the header with every compiler that is installed, in every standard, with every
# switch of >>options, alone and in several files; on other machines where an emulator is there.
#
# Each combination is a job: a small script that compiles without a warning, links without a -l,
# and runs what came out. The roundtrip prints what its image is, and that has to be the same
# everywhere. One line and the compiler's output for each job that fails; the closing line is
# `compile: N passed, N failed[, N skipped]`.
#
# The optimiser takes five times as long as all the rest, so `make test` calls it once for each
# compiler, for what it warns of and for how it reads the whole header. OPTIMISED=1, as `make check`
# sets it, compiles with -O2 what is else compiled with -O0: every switch, C++, other machines.
#
# Jobs expand $o themselves:
# shellcheck disable=SC2016
set -u
BUILD=${BUILD:-build}
CC=${CC:-cc}
CXX=${CXX:-c++}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
OPTIMISED=${OPTIMISED:-}
level=-O0 firmware_level=-O0
if [ -n "$OPTIMISED" ]; then level=-O2 firmware_level=-Os; fi
out=$BUILD/compile
here=tests/compile
rm -rf "$out"
mkdir -p "$out"
: > "$out/jobs"
skipped=0

cxx_strict='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef'
cxx_strict="$cxx_strict -Wcast-align -Wcast-qual -Werror"
strict="$cxx_strict -Wstrict-prototypes"

have() { command -v "${1%% *}" > /dev/null 2>&1; }

skip() {
    echo "skipped $1: $2"
    skipped=$((skipped + 1))
}

# job name command...: every command is a line of the job's script.
job() {
    name=$1
    shift
    {
        printf 'set -eu\n'
        printf 'o=%s/%s\n' "$out" "$name"
        printf 'mkdir -p $o\n'
        printf '. %s/functions.sh\n' "$here"
        printf '%s\n' "$@"
    } > "$out/$name.sh"
    echo "$name" >> "$out/jobs"
}
# A job that OPTIMISED=1 has no other flags for.
once() { [ -n "$OPTIMISED" ] || job "$@"; }

# app name compiler: compiles app.c with these flags and runs it.
app() { job "$1" "$2 -I. -o \$o/app $here/app.c" "same \$o/app"; }

# checked name compiler check: the same, and looks at the names in the object in between.
checked() {
    job "$1" "$2 -fno-stack-protector -U_FORTIFY_SOURCE -I. -c -o \$o/app.o $here/app.c" "$3" \
        "$2 -o \$o/app \$o/app.o" "same \$o/app"
}

# syntax name compiler file: only reads it, which finds what depends on the standard or on the
# order of what is included; what is made of it is the same as that of a job beside this one.
syntax() { once "$1" "$2 -fsyntax-only -I. $here/$3"; }

# ---- the compilers: gcc and clang where installed, otherwise whatever CC is

compilers=
have gcc && compilers="$compilers gcc"
have clang && compilers="$compilers clang"
case " gcc clang $compilers " in
    *" $CC "*) ;;
    *) [ "$CC" = cc ] && [ -n "$compilers" ] || compilers="$compilers $CC" ;;
esac
for name in gcc clang; do have "$name" || skip "$name" "not installed"; done
first=${compilers# }
first=${first%% *}

# What every other image is compared with; where these fail, every job says so.
for switch in '' -DSTREAMSTORE_NO_READ; do
    # shellcheck disable=SC2086
    "$first" $switch -I. -o "$out/probe" $here/app.c > "$out/probe.log" 2>&1 && "$out/probe"
done > "$out/image.txt"

for cc in $compilers; do
    n=${cc##*/}
    case $cc in
        gcc) cxx=g++ ;;
        clang) cxx=clang++ ;;
        *) cxx=$CXX ;;
    esac
    have "$cxx" || { skip "C++ beside $n" "$cxx is not installed"; cxx=; }

    # Every switch alone, and all that take something away together. They do what they say: what
    # is not there is not asked of the linker either.
    if [ -z "$OPTIMISED" ]; then
        [ "$cc" = "$first" ] || app "$n-default" "$cc"      # else it is the reference
        app "$n-plain" "$cc -std=c99 -O0 $strict"
        app "$n-plain-o2" "$cc -std=c99 -O2 $strict"
    fi
    # Of the two gcc is the one whose warnings depend on the optimiser.
    case "$OPTIMISED $cc $compilers" in
        '1 clang '*gcc*) ;;
        *)
            c="$cc -std=c99 $level $strict"
            for switch in NO_OS NO_FLOAT NO_TEXT STATIC; do
                app "$n-$switch" "$c -DSTREAMSTORE_$switch"
            done
            checked "$n-NO_MALLOC" "$c -DSTREAMSTORE_NO_MALLOC" \
                'refuse "$(wants $o/app.o)" "malloc|calloc|realloc|free"'
            checked "$n-NO_THREADS" "$c -DSTREAMSTORE_NO_THREADS" \
                'refuse "$(wants $o/app.o)" "pthread_.*|sched_.*"'
            reading='sst_(open.*|verify|window.*|at|sample|gather|slice|locate.*)'
            checked "$n-NO_READ" "$c -DSTREAMSTORE_NO_READ" \
                "refuse \"\$(gives \$o/app.o)\" '$reading'"
            app "$n-PREFIX" "$c -DSTREAMSTORE_PREFIX=foo_"
            app "$n-all" "$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_MALLOC \
                -DSTREAMSTORE_NO_THREADS -DSTREAMSTORE_NO_READ -DSTREAMSTORE_NO_FLOAT \
                -DSTREAMSTORE_NO_TEXT"
            job "$n-API" \
                "$c -fPIC -shared -fvisibility=hidden \
                    -DSTREAMSTORE_API='__attribute__((visibility(\"default\")))' \
                    -I. -o \$o/libsst.so $here/impl.c" \
                "$c -I. -o \$o/app $here/use.c \$o/libsst.so -Wl,-rpath,\$o" \
                "same \$o/app"
            # In two files, since main asks for printf.
            c="$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_MALLOC -I."
            job "$n-freestanding" \
                "$c -fno-stack-protector -U_FORTIFY_SOURCE -c -o \$o/impl.o $here/impl.c" \
                'allow "$(wants $o/impl.o)" "mem(cpy|move|set|cmp)|bcmp|str(len|cmp)"' \
                "$c -o \$o/app $here/use.c \$o/impl.o" 'same $o/app' ;;
    esac

    # Every standard. C99 and C17 are run, gnu99 is what all tests are compiled with.
    once "$n-c17" "$cc -std=c17 -O0 $strict -I. -o \$o/app $here/app.c" 'same $o/app'
    for std in c11 gnu99 gnu11 gnu17; do
        syntax "$n-$std" "$cc -std=$std $strict" app.c
    done

    # In several files, in one file several times, after system headers. Objects of C and C++ go
    # together. The one declaration before the implementation of late.c is two in twice.c.
    c="$cc -std=c99 -O0 $strict -I."
    p="$cxx -x c++ -std=c++11 -O0 $cxx_strict -I."
    once "$n-declarations" "$c -c -o \$o/declarations.o $here/declarations.c" \
        '[ -z "$(wants $o/declarations.o)" ]' \
        '[ "$(gives $o/declarations.o)" = declarations_alone ]'
    set -- "$c -c -o \$o/impl.o $here/impl.c" "$c -c -o \$o/use.o $here/use.c" \
        "$cc -o \$o/app \$o/use.o \$o/impl.o" 'same $o/app'
    if [ -n "$cxx" ]; then
        set -- "$@" "$p -c -o \$o/impl++.o $here/impl.c" "$p -c -o \$o/use++.o $here/use.c" \
            "$cxx -o \$o/c-from-c++ \$o/use++.o \$o/impl.o" 'same $o/c-from-c++' \
            "$cxx -o \$o/c++-from-c \$o/use.o \$o/impl++.o" 'same $o/c++-from-c' \
            "$cxx -o \$o/c++ \$o/use++.o \$o/impl++.o" 'same $o/c++'
    fi
    once "$n-two-files" "$@"
    once "$n-static" "$c -o \$o/app $here/static_a.c $here/static_b.c" 'same $o/app'
    once "$n-prefix" "$c -o \$o/app $here/prefix_a.c $here/prefix_b.c" 'limit $o/app'
    once "$n-record-only" "$c -o \$o/app $here/record_only.c $here/read_back.c" 'limit $o/app'
    syntax "$n-late-gnu99" "$cc -std=gnu99 $strict" late.c
    for file in twice stdio_first; do
        once "$n-$file-gnu99" "$cc -std=gnu99 -O0 $strict -I. -o \$o/app $here/$file.c" \
            'same $o/app'
    done
    for file in twice late stdio_first; do
        once "$n-$file-c99" \
            "works_or_says_why $c -o \$o/app $here/$file.c" \
            '[ ! -x $o/app ] || same $o/app'
    done

    # C++.
    [ -n "$cxx" ] || continue
    app "$n-c++11" "$cxx -x c++ -std=c++11 $level $cxx_strict"
    syntax "$n-c++17" "$cxx -x c++ -std=c++17 $cxx_strict" app.c
    once "$n-c++20" "$cxx -x c++ -std=c++20 -O0 $cxx_strict -I. -o \$o/app $here/app.c" \
        'same $o/app'
    once "$n-c++-static" "$p -o \$o/app $here/static_a.c $here/static_b.c" 'same $o/app'
    once "$n-c++-twice" "$p -o \$o/app $here/twice.c" 'same $o/app'
    once "$n-c++-all" "$p -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_MALLOC -DSTREAMSTORE_NO_READ \
        -DSTREAMSTORE_NO_FLOAT -DSTREAMSTORE_NO_TEXT -o \$o/app $here/app.c" 'same $o/app'
    syntax "$n-c++-late" "$cxx -x c++ -std=c++11 $cxx_strict" late.c
    once "$n-c++-stdio_first" "$cxx -x c++ -std=gnu++11 -O0 $cxx_strict -I. -o \$o/app \
        $here/stdio_first.c" 'same $o/app'
    once "$n-c++-declarations" "$p -c -o \$o/declarations.o $here/declarations.c"
done

# ---- other machines and other compilers

printf '#include <errno.h>\nint main(void) { return errno; }\n' > "$out/probe.c"

# other name compiler emulator: big-endian, 32 bits, other C libraries.
other() {
    if ! have "$2"; then
        skip "$1" "${2%% *} is not installed"
    elif ! $2 -o "$out/probe" "$out/probe.c" > "$out/probe.log" 2>&1; then
        skip "$1" "$2 does not link"
    elif [ -n "$3" ] && ! have "$3"; then
        job "$1" "$2 $level -I. -o \$o/app $here/app.c"
        skip "running $1" "$3 is not installed"
    else
        job "$1" "$2 $level -I. -o \$o/app $here/app.c" "same $3 \$o/app"
    fi
}
emulator() {
    for name in "qemu-$1" "qemu-$1-static"; do
        have "$name" && break
    done
    echo "$name"
}
# Where cross compilers keep gcc-multilib away, <asm/...> is only in the folder of 64 bits.
m32='-m32'
if have gcc && ! gcc $m32 -c -o "$out/probe.o" "$out/probe.c" 2> /dev/null; then
    m32="-m32 -idirafter /usr/include/$(gcc -print-multiarch)"
fi
other m32 "gcc $m32 -std=c99 $strict" ''
other m32-NO_THREADS "gcc $m32 -std=c99 $strict -DSTREAMSTORE_NO_THREADS" ''
other m32-c++ "g++ $m32 -x c++ -std=c++11 $cxx_strict" ''
other s390x "s390x-linux-gnu-gcc -static -std=c99 $strict" "$(emulator s390x)"
other s390x-NO_THREADS "s390x-linux-gnu-gcc -static -std=c99 $strict -DSTREAMSTORE_NO_THREADS" \
    "$(emulator s390x)"
other aarch64 "aarch64-linux-gnu-gcc -static -std=c99 $strict" "$(emulator aarch64)"
other musl "musl-gcc -std=gnu99 $strict" ''
other musl-static "musl-gcc -static -std=c99 $strict" ''
[ -n "$OPTIMISED" ] || other tcc "tcc" ''             # has no optimiser

# Firmware: it compiles, needs nothing but memcpy and its like, and this is how large it is.
arm="arm-none-eabi-gcc"
if have $arm; then
    c="$arm -mcpu=cortex-m0 -mthumb -std=c99 $firmware_level -ffunction-sections $strict -I."
    c="$c -c $here/impl.c"
    how_large=size_note
    [ -n "$OPTIMISED" ] || how_large=:
    core='mem(cpy|move|set|cmp)|str(len|cmp)|__aeabi_[a-z0-9]*|__gnu_thumb.*|__(clz|ctz)[sd]i2'
    job cortex-m0 "$c -DSTREAMSTORE_NO_OS -o \$o/impl.o" \
        "allow \"\$(wants \$o/impl.o)\" '$core|malloc|realloc|free'" \
        "$how_large 'with NO_OS' \$o/impl.o"
    job cortex-m0-record "$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_READ -DSTREAMSTORE_NO_TEXT \
            -DSTREAMSTORE_NO_FLOAT -DSTREAMSTORE_NO_MALLOC -o \$o/impl.o" \
        "allow \"\$(wants \$o/impl.o)\" '$core'" \
        'refuse "$(wants $o/impl.o)" "__aeabi_(c?[df].*|[a-z]+2[df])"' \
        "$how_large 'with NO_OS, NO_READ, NO_TEXT, NO_FLOAT, NO_MALLOC' \$o/impl.o"
    job cortex-m0-NO_FLOAT "$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_FLOAT -o \$o/impl.o" \
        'refuse "$(wants $o/impl.o)" "__aeabi_(c?[df].*|[a-z]+2[df])"'
else
    skip cortex-m0 "$arm is not installed"
fi

# ---- run them

if echo x | xargs -P 2 -n 1 true 2> /dev/null; then
    parallel="-P $JOBS"
else
    parallel=
fi
# shellcheck disable=SC2086
(cd "$out" && pwd) > /dev/null && export out &&
    xargs $parallel -n 1 sh -c 'sh "$out/$0.sh" > "$out/$0.log" 2>&1 && : > "$out/$0.ok"
        exit 0' < "$out/jobs"

passed=0 failed=0
while read -r name; do
    if [ -f "$out/$name.ok" ]; then
        passed=$((passed + 1))
        grep '^note' "$out/$name.log"
    else
        failed=$((failed + 1))
        echo "FAILED compile: $name"
        head -n 40 "$out/$name.log"
    fi
done < "$out/jobs"
if [ "$skipped" -gt 0 ]; then
    echo "compile: $passed passed, $failed failed, $skipped skipped"
else
    echo "compile: $passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
