#!/bin/sh
# run_examples.sh - runs the examples, in a folder of their own. One that exits 0 passes.
#
# Examples that need arguments have a test of their own and are only looked for here. A recording
# that one leaves behind under its own name is read by the tool.
set -u
BUILD=${BUILD:-build}
CXX=${CXX:-c++}
with_arguments=" import_csv "

limit=
command -v timeout > /dev/null && limit="timeout -k 5 60"
root=$(pwd)
folder=$BUILD/examples/run
rm -rf "$folder"
mkdir -p "$folder"
passed=0 failed=0 skipped=0

for file in examples/*.c examples/*.cpp; do
    [ -f "$file" ] || continue
    name=${file##*/}
    name=${name%.*}
    case $file in *.cpp)
        if ! command -v "${CXX%% *}" > /dev/null; then
            echo "skipped $file: no C++ compiler"
            skipped=$((skipped + 1))
            continue
        fi ;;
    esac
    case $BUILD in /*) program=$BUILD ;; *) program=$root/$BUILD ;; esac
    program=$program/examples/$name
    status=0
    if [ ! -x "$program" ]; then
        echo "$file was not built"
        status=127
    else
        case $with_arguments in *" $name "*) continue ;; esac
        # shellcheck disable=SC2086
        (cd "$folder" && DEMO_SECONDS=2 $limit "$program" > "$name.log" 2>&1 < /dev/null) ||
            status=$?
        if [ "$status" -eq 0 ] && [ -f "$folder/$name.sstore" ]; then
            for what in verify info; do
                # shellcheck disable=SC2086
                $limit "$BUILD/tools/sstore" $what "$folder/$name.sstore" >> "$folder/$name.log" \
                    2>&1 || status=$?
            done
        fi
    fi
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $file (status $status)"
        [ -f "$folder/$name.log" ] && tail -n 50 "$folder/$name.log"
    fi
done

if [ "$skipped" -gt 0 ]; then
    echo "examples: $passed passed, $failed failed, $skipped skipped"
else
    echo "examples: $passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
