#!/bin/sh
# run.sh - runs test programs and adds up what they say.
#
#     sh tests/run.sh [-n name] [-o folder] [-t seconds] [-w wrapper] [program...]
#
# Without programs: every test of `make test`. A test program prints one closing line,
# `name: N passed, N failed[, N skipped]`; one that crashes, hangs or does not print it counts as
# a failure. Lines that begin with `skipped`, `seed` or `note` are shown, and all of a failing
# program's output. The last line is `N passed, N failed[, N skipped]`, with `name: ` before it
# when a name is given. -o: where output is kept; -w: a command to put before each program.
# From the environment: BUILD, CC, JOBS (programs at a time; one more than there are processors,
# since there is always one that waits for the disk).
set -u
BUILD=${BUILD:-build}
CC=${CC:-cc}
export BUILD CC

# closing file: passed, failed and skipped of the last closing line, or nothing.
closing() {
    awk '/^[^ ]+: [0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
             passed = $2; failed = $4; skipped = NF > 5 ? $6 : 0; found = 1
         }
         END { if (found) print passed, failed + 0, skipped + 0 }' "$1"
}

# One program, in a process of its own: leaves its counts in a file and prints its report in one
# piece, so that two that run at the same time do not mix.
if [ "${1:-}" = --one ]; then
    program=$2
    name=${program##*/}
    case $program in */compile/run.sh) name=compile ;; esac
    log=$RUN_FOLDER/$name.log
    status=0
    start=$(date +%s)
    if [ ! -x "$program" ]; then
        echo "$program is not there: it was not built, or is not executable" > "$log"
        status=127
    else
        case $program in */*) ;; *) program=./$program ;; esac
        # shellcheck disable=SC2086
        $RUN_LIMIT $RUN_WRAPPER "$program" > "$log" 2>&1 < /dev/null || status=$?
    fi
    # shellcheck disable=SC2046
    set -- $(closing "$log")
    passed=${1:-0} failed=${2:-1} skipped=${3:-0}
    [ "$status" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
    echo "$passed $failed $skipped" > "$RUN_FOLDER/$name.count"
    duration="$(($(date +%s) - start)) s"
    {
        if [ "$failed" -ne 0 ]; then
            echo "==== $name failed (status $status) ===="
            # A runaway program must not bury the others.
            if [ "$(wc -c < "$log")" -gt 100000 ]; then
                head -c 50000 "$log"; echo; echo "[...]"; tail -c 50000 "$log"
            else
                cat "$log"
            fi
            echo "===="
        else
            grep -E '^(skipped|seed|note)' "$log" | sed "s/^/$name: /"
        fi
        if [ "$skipped" -gt 0 ]; then
            echo "$name: $passed passed, $failed failed, $skipped skipped ($duration)"
        else
            echo "$name: $passed passed, $failed failed ($duration)"
        fi
    } > "$RUN_FOLDER/$name.report"
    cat "$RUN_FOLDER/$name.report"
    exit 0
fi

RUN_NAME='' RUN_FOLDER=$BUILD/run RUN_WRAPPER=''
seconds=600
while getopts n:o:t:w: option; do
    case $option in
        n) RUN_NAME=$OPTARG ;;
        o) RUN_FOLDER=$OPTARG ;;
        t) seconds=$OPTARG ;;
        w) RUN_WRAPPER=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
if [ $# -eq 0 ]; then
    for file in tests/test_*.c; do
        name=${file##*/}
        [ -f "$file" ] && set -- "$@" "$BUILD/tests/${name%.c}"
    done
    set -- "$@" tests/compile/run.sh tests/run_examples.sh
    for file in tests/test_*.sh; do
        [ -f "$file" ] && set -- "$@" "$file"
    done
fi
# timeout(1) is not POSIX: without it a hanging program hangs the run.
RUN_LIMIT=
command -v timeout > /dev/null && RUN_LIMIT="timeout -k 10 $seconds"
export RUN_FOLDER RUN_WRAPPER RUN_LIMIT

rm -rf "$RUN_FOLDER"
mkdir -p "$RUN_FOLDER"
JOBS=${JOBS:-$(($(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2) + 1))}
# What takes longest comes first, so that at the end no processor is without work.
longest="compile/run.sh test_damage test_fault_ragged test_fault test_live test_model test_search"
longest="$longest test_model_pieces test_crash test_file"
printf '%s\n' "$@" | awk -v longest="$longest" '
    {
        n = split(longest, name, " ")
        for (i = 1; i <= n; i++)
            if (substr($0, length($0) - length(name[i])) == "/" name[i]) break
        print i, NR, $0
    }' | sort -n -k 1,1 -k 2,2 | sed 's/^[0-9]* [0-9]* //' > "$RUN_FOLDER/programs"
# -P is in every xargs but not in POSIX.
if echo x | xargs -P 2 -n 1 true 2> /dev/null; then
    xargs -P "$JOBS" -n 1 sh "$0" --one < "$RUN_FOLDER/programs"
else
    while read -r program; do sh "$0" --one "$program"; done < "$RUN_FOLDER/programs"
fi

cat "$RUN_FOLDER"/*.count 2> /dev/null | awk -v name="$RUN_NAME" -v programs=$# '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        failed += programs - NR             # no count: the runner itself was killed
        if (name != "") printf "%s: ", name
        printf "%d passed, %d failed", passed, failed
        if (skipped > 0) printf ", %d skipped", skipped
        printf "\n"
        exit failed > 0
    }'
