#!/bin/sh
# compile/run.sh - the header with every compiler that is installed, in every standard, with every
# switch of >>options, alone and in several files; on other machines where an emulator is there.
#
# Each combination is a job: a small script that compiles without a warning, links without a -l,
# and runs what came out. The roundtrip prints what its image is, and that has to be the same
# everywhere. One line and the compiler's output for each job that fails; the closing line is
# `compile: N passed, N failed[, N skipped]`.
#
# Jobs expand $o themselves:
# shellcheck disable=SC2016
set -u
BUILD=${BUILD:-build}
CC=${CC:-cc}
CXX=${CXX:-c++}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)}
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

# app name compiler [program prefix]: compiles app.c with these flags and runs it.
app() { job "$1" "$2 -I. -o \$o/app $here/app.c" "same \$o/app"; }

# ---- the compilers: gcc and clang where installed, otherwise whatever CC is

compilers=
have gcc && compilers="$compilers gcc"
have clang && compilers="$compilers clang"
case " gcc clang $compilers " in
    *" $CC "*) ;;
    *) [ "$CC" = cc ] && [ -n "$compilers" ] || compilers="$compilers $CC" ;;
esac
for name in gcc clang; do have "$name" || skip "$name" "not installed"; done

for cc in $compilers; do
    n=${cc##*/}
    case $cc in
        gcc) cxx=g++ ;;
        clang) cxx=clang++ ;;
        *) cxx=$CXX ;;
    esac
    have "$cxx" || { skip "C++ beside $n" "$cxx is not installed"; cxx=; }

    # Every switch alone, and all that take something away together: not optimised and optimised,
    # where there are two compilers each by one of them, gcc being the one whose warnings depend
    # on it.
    case "$cc $compilers" in
        gcc*clang*) levels=2 ;;
        clang*gcc*) levels=0 ;;
        *) levels='0 2' ;;
    esac
    app "$n-plain-o0" "$cc -std=c99 -O0 $strict"
    app "$n-plain-o2" "$cc -std=c99 -O2 $strict"
    for level in $levels; do
        c="$cc -std=c99 -O$level $strict"
        for switch in NO_OS NO_MALLOC NO_THREADS NO_READ NO_FLOAT NO_TEXT STATIC; do
            app "$n-o$level-$switch" "$c -DSTREAMSTORE_$switch"
        done
        app "$n-o$level-PREFIX" "$c -DSTREAMSTORE_PREFIX=foo_"
        app "$n-o$level-all" "$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_MALLOC \
            -DSTREAMSTORE_NO_THREADS -DSTREAMSTORE_NO_READ -DSTREAMSTORE_NO_FLOAT \
            -DSTREAMSTORE_NO_TEXT"
        job "$n-o$level-API" \
            "$c -fPIC -shared -fvisibility=hidden \
                -DSTREAMSTORE_API='__attribute__((visibility(\"default\")))' \
                -I. -o \$o/libsst.so $here/impl.c" \
            "$c -I. -o \$o/app $here/use.c \$o/libsst.so -Wl,-rpath,\$o" \
            "same \$o/app"
    done

    # The switches do what they say: what is not there is not asked of the linker either.
    c="$cc -std=c99 -O0 $strict -fno-stack-protector -U_FORTIFY_SOURCE -I. -c $here/impl.c"
    job "$n-symbols-NO_MALLOC" "$c -DSTREAMSTORE_NO_MALLOC -o \$o/impl.o" \
        'refuse "$(wants $o/impl.o)" "malloc|calloc|realloc|free"'
    job "$n-symbols-NO_THREADS" "$c -DSTREAMSTORE_NO_THREADS -o \$o/impl.o" \
        'refuse "$(wants $o/impl.o)" "pthread_.*|sched_.*"'
    job "$n-symbols-NO_OS" "$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_MALLOC -o \$o/impl.o" \
        'allow "$(wants $o/impl.o)" "mem(cpy|move|set|cmp)|bcmp|str(len|cmp)"'
    job "$n-symbols-NO_READ" "$c -DSTREAMSTORE_NO_READ -o \$o/impl.o" \
        'refuse "$(gives $o/impl.o)" "sst_(open.*|verify|window.*|at|sample|gather|slice|locate.*)"'

    # Every standard.
    for std in c11 c17 gnu99 gnu11 gnu17; do
        app "$n-$std" "$cc -std=$std -O0 $strict"
    done
    app "$n-default" "$cc"

    # In several files, in one file several times, after system headers.
    c="$cc -std=c99 -O0 $strict -I."
    job "$n-declarations" "$c -c -o \$o/declarations.o $here/declarations.c" \
        '[ -z "$(wants $o/declarations.o)" ]' \
        '[ "$(gives $o/declarations.o)" = declarations_alone ]'
    job "$n-two-files" "$c -o \$o/app $here/use.c $here/impl.c" 'same $o/app'
    job "$n-static" "$c -o \$o/app $here/static_a.c $here/static_b.c" 'same $o/app'
    job "$n-prefix" "$c -o \$o/app $here/prefix_a.c $here/prefix_b.c" 'limit $o/app'
    for file in twice late stdio_first; do
        job "$n-$file-gnu99" "$cc -std=gnu99 -O0 $strict -I. -o \$o/app $here/$file.c" \
            'same $o/app'
        job "$n-$file-c99" \
            "works_or_says_why $c -o \$o/app $here/$file.c" \
            '[ ! -x $o/app ] || same $o/app'
    done

    # C++, and C and C++ mixed.
    [ -n "$cxx" ] || continue
    for std in c++11 c++17 c++20; do
        app "$n-$std" "$cxx -x c++ -std=$std -O0 $cxx_strict"
    done
    app "$n-c++11-o2" "$cxx -x c++ -std=c++11 -O2 $cxx_strict"
    p="$cxx -x c++ -std=c++11 -O0 $cxx_strict -I."
    job "$n-c++-static" "$p -o \$o/app $here/static_a.c $here/static_b.c" 'same $o/app'
    job "$n-c++-twice" "$p -o \$o/app $here/twice.c" 'same $o/app'
    job "$n-c++-all" "$p -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_MALLOC -DSTREAMSTORE_NO_READ \
        -DSTREAMSTORE_NO_FLOAT -DSTREAMSTORE_NO_TEXT -o \$o/app $here/app.c" 'same $o/app'
    job "$n-c++-late" "$p -o \$o/app $here/late.c" 'same $o/app'
    job "$n-c++-stdio_first" "$cxx -x c++ -std=gnu++11 -O0 $cxx_strict -I. -o \$o/app \
        $here/stdio_first.c" 'same $o/app'
    job "$n-c++-declarations" "$p -c -o \$o/declarations.o $here/declarations.c"
    job "$n-c-from-c++" "$c -c -o \$o/impl.o $here/impl.c" "$p -c -o \$o/use.o $here/use.c" \
        "$cxx -o \$o/app \$o/use.o \$o/impl.o" 'same $o/app'
    job "$n-c++-from-c" "$p -c -o \$o/impl.o $here/impl.c" "$c -c -o \$o/use.o $here/use.c" \
        "$cxx -o \$o/app \$o/use.o \$o/impl.o" 'same $o/app'
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
        job "$1" "$2 -O2 -I. -o \$o/app $here/app.c"
        skip "running $1" "$3 is not installed"
    else
        job "$1" "$2 -O2 -I. -o \$o/app $here/app.c" "same $3 \$o/app"
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
other tcc "tcc" ''

# Firmware: it compiles, needs nothing but memcpy and its like, and this is how large it is.
arm="arm-none-eabi-gcc"
if have $arm; then
    c="$arm -mcpu=cortex-m0 -mthumb -std=c99 -Os -ffunction-sections $strict -I. -c $here/impl.c"
    core='mem(cpy|move|set|cmp)|str(len|cmp)|__aeabi_[a-z0-9]*|__gnu_thumb.*|__(clz|ctz)[sd]i2'
    job cortex-m0 "$c -DSTREAMSTORE_NO_OS -o \$o/impl.o" \
        "allow \"\$(wants \$o/impl.o)\" '$core|malloc|realloc|free'" \
        'size_note "with NO_OS" $o/impl.o'
    job cortex-m0-record "$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_READ -DSTREAMSTORE_NO_TEXT \
            -DSTREAMSTORE_NO_FLOAT -DSTREAMSTORE_NO_MALLOC -o \$o/impl.o" \
        "allow \"\$(wants \$o/impl.o)\" '$core'" \
        'refuse "$(wants $o/impl.o)" "__aeabi_(c?[df].*|[a-z]+2[df])"' \
        'size_note "with NO_OS, NO_READ, NO_TEXT, NO_FLOAT, NO_MALLOC" $o/impl.o'
    job cortex-m0-NO_FLOAT "$c -DSTREAMSTORE_NO_OS -DSTREAMSTORE_NO_FLOAT -o \$o/impl.o" \
        'refuse "$(wants $o/impl.o)" "__aeabi_(c?[df].*|[a-z]+2[df])"'
else
    skip cortex-m0 "$arm is not installed"
fi

# ---- run them

# What every other image is compared with; where these fail, every job says so.
first=${compilers# }
first=${first%% *}
for switch in '' -DSTREAMSTORE_NO_READ; do
    # shellcheck disable=SC2086
    "$first" $switch -I. -o "$out/probe" $here/app.c > "$out/probe.log" 2>&1 && "$out/probe"
done > "$out/image.txt"

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
