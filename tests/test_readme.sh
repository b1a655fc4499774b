#!/bin/sh
# test_readme.sh - compiles the programs in README.md as they stand there, in a folder that holds
# a copy of the header and nothing else, runs them, and compares what they print with the output
# that README.md shows (the next ```text block).
#
# From the environment: CC, CXX, BUILD (default cc, c++, build).
set -u
CC=${CC:-cc}
CXX=${CXX:-c++}
BUILD=${BUILD:-build}
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
folder=$BUILD/readme
rm -rf "$folder"
mkdir -p "$folder" || exit 1

# N.c or N.cpp is the N-th program, N.want the output behind it.
awk -v folder="$folder" '
    /^```/ {
        if (file != "") { close(file); file = ""; next }
        kind = substr($0, 4)
        if (kind == "c" || kind == "cpp") file = folder "/" (++count) "." kind
        else if (kind == "text") file = folder "/" count ".want"
        else file = "/dev/null"
        printf "" > file
        next
    }
    file != "" { print > file }' README.md

strict="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
passed=0 failed=0 skipped=0

# fails number why log
fails() {
    failed=$((failed + 1))
    echo "FAILED program $1 of README.md: $2"
    [ ! -f "$3" ] || head -n 30 "$3"
}

for source in "$folder"/*.c "$folder"/*.cpp; do
    [ -f "$source" ] || continue
    file=${source##*/}
    number=${file%.*}
    case $file in
        *.c) compiler="$CC -std=c99" ;;
        *) compiler="$CXX -std=c++11" ;;
    esac
    if ! command -v "${compiler%% *}" > /dev/null; then
        echo "skipped program $number of README.md: no ${compiler%% *}"
        skipped=$((skipped + 1))
        continue
    fi
    alone=$folder/$number
    mkdir -p "$alone"
    cp streamstore.h "$alone/"
    cp "$source" "$alone/main.${file##*.}"
    # shellcheck disable=SC2086
    (cd "$alone" && $compiler $strict "main.${file##*.}" -o program > log 2>&1)
    if [ ! -f "$folder/$number.want" ]; then
        fails "$number" "no output is shown" ""
    elif [ ! -x "$alone/program" ]; then
        fails "$number" "does not compile" "$alone/log"
    elif ! (cd "$alone" && ./program > got 2>&1 < /dev/null); then
        fails "$number" "does not run" "$alone/got"
    elif ! diff "$folder/$number.want" "$alone/got" > "$alone/log"; then
        fails "$number" "prints something else" "$alone/log"
    else
        passed=$((passed + 1))
    fi
done
[ $((passed + failed + skipped)) -ge 2 ] || fails 0 "the programs were not found" ""

if [ "$skipped" -gt 0 ]; then
    echo "readme: $passed passed, $failed failed, $skipped skipped"
else
    echo "readme: $passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
