#!/bin/sh
# lint.sh - the rules of the house that a compiler does not check. Every finding is a line
# `file:line: what is wrong`; notices are only to be read. Ends non-zero when there was a finding.
#
# From the environment: BUILD, CC.
set -u
LC_ALL=C
export LC_ALL
BUILD=${BUILD:-build}
CC=${CC:-cc}
header=streamstore.h
out=$BUILD/lint
findings=$out/findings

# Functions of more than 120 lines, with the reason beside them in the header.
long_allowed=" "

# The top level, and nothing else.
top_allowed=" streamstore.h tests examples tools Makefile README.md build "

# Sections that may ask for the operating system: besides the layers themselves the feature-test
# macros at the top, and the run-time choice of the processor's CRC instruction.
os_allowed=" options os-posix os-windows os-none hash "

tidy_checks='-*,bugprone-*,clang-analyzer-*'
# Habits of another language, reports about every memcpy, and about arrays of pointers.
for check in bugprone-easily-swappable-parameters bugprone-reserved-identifier \
        bugprone-implicit-widening-of-multiplication-result bugprone-assignment-in-if-condition \
        bugprone-sizeof-expression \
        clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling \
        clang-analyzer-optin.performance.Padding; do
    tidy_checks="$tidy_checks,-$check"
done
# selfAssignment: what a macro that swaps bytes comes to where there is nothing to swap.
# What the analyzer cannot know, function:check. ssti_block_write: a stream has a time column and a
# value column. sst_sample: no stream has a type of no size.
tidy_accepted="ssti_block_write:core.CallAndMessage sst_sample:core.DivideZero"
tidy_accepted="$tidy_accepted ssti_block_write:core.UndefinedBinaryOperatorResult"
cppcheck_suppress='missingIncludeSystem unmatchedSuppression selfAssignment'

rm -rf "$out"
mkdir -p "$out"
: > "$findings"

have() { command -v "${1%% *}" > /dev/null 2>&1; }
finding() { echo "$1" | tee -a "$findings"; }
# findings from stdin, one per line
collect() { tee -a "$findings"; }

# ---- the slow tools, in the background

if have clang-tidy; then
    # The header itself is compiled: the analyzer looks at nothing that is included.
    (clang-tidy --quiet --checks="$tidy_checks" --warnings-as-errors='*' $header -- \
        -x c -std=gnu99 -DSTREAMSTORE_IMPLEMENTATION \
        > "$out/tidy.txt" 2> "$out/tidy.err"; echo $? > "$out/tidy.status") &
else
    echo "notice: clang-tidy is not installed"
fi
if have cppcheck; then
    suppress=
    for name in $cppcheck_suppress; do suppress="$suppress --suppress=$name"; done
    # shellcheck disable=SC2086
    (cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr $suppress \
        --std=c99 --max-configs=1 -DSTREAMSTORE_IMPLEMENTATION -D__GNUC__=12 -D__linux__ \
        -D__x86_64__ -DUINTPTR_MAX=0xFFFFFFFFFFFFFFFF \
        --template='{file}:{line}: {message} [{id}]' tests/compile/impl.c -I. \
        > "$out/cppcheck.txt" 2>&1; echo $? > "$out/cppcheck.status") &
else
    echo "notice: cppcheck is not installed"
fi

# ---- characters and line lengths

awk -v file=$header '
    length($0) > 100 { print file ":" NR ": " length($0) " columns" }
    /\t/ { print file ":" NR ": tab" }
    /\r/ { print file ":" NR ": carriage return" }
    /[ ]$/ { print file ":" NR ": trailing blank" }
    /[^ -~\t\r]/ { print file ":" NR ": not ASCII" }' $header | collect
find examples tests -type f \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.sh' \) |
    sort > "$out/sources"
if [ -d tools ]; then find tools -type f -name '*.[ch]' | sort >> "$out/sources"; fi
while read -r file; do
    awk -v file="$file" '
        length($0) > 100 { print file ":" NR ": " length($0) " columns" }
        /\t/ { print file ":" NR ": tab" }
        /\r/ { print file ":" NR ": carriage return" }
        /[ ]$/ { print file ":" NR ": trailing blank" }' "$file"
done < "$out/sources" | collect
unfinished='(^|[^A-Za-z])(TODO|FIXME|XX[X])([^A-Za-z]|$)'
# shellcheck disable=SC2046
grep -nE "$unfinished" $header $(grep -v 'tests/lint.sh' "$out/sources") |
    sed 's/$/   [unfinished]/' | collect

# ---- sections and the table of contents

awk -v file=$header -v allowed="$os_allowed" '
    function report(line, text) { print file ":" line ": " text }
    { text[NR] = $0 }
    /^ \* >>[a-z0-9-]+  [^ ]/ { banner[++banners] = substr($0, 4); at[banners] = NR }
    # The table of contents is in the first section.
    banners <= 1 && /^ \*     >>/ {
        entry = substr($0, 8)
        name = entry
        sub(/ .*/, "", name)
        sub(/^>>[a-z0-9-]+ +/, "", entry)
        contents[++entries] = name "  " entry
        line[entries] = NR
    }
    END {
        for (i = 1; i <= banners; i++) {
            if (text[at[i] - 1] !~ /^\/\* =========================/ ||
                text[at[i] + 1] !~ /^ \* =========================/) {
                report(at[i], "no rule above or below the banner")
            }
        }
        for (i = 1; i <= banners || i <= entries; i++) {
            if (banner[i] == contents[i]) continue
            report(i <= banners ? at[i] : line[i], "the banner \"" banner[i] \
                   "\" is \"" contents[i] "\" in the table of contents")
            break
        }
        section = ""
        next_banner = 1
        for (n = 1; n <= NR; n++) {
            if (n == at[next_banner]) {
                section = banner[next_banner++]
                sub(/^>>/, "", section)
                sub(/ .*/, "", section)
            }
            if (text[n] ~ /^ *# *(if|elif|ifdef|ifndef)/ &&
                text[n] ~ /__linux__|__APPLE__|_WIN32|__unix|__[A-Za-z]*BSD__/ &&
                index(allowed, " " section " ") == 0) {
                report(n, ">>" section " asks which operating system it is on")
            }
        }
    }' $header | collect

# ---- versions

awk -v file=$header '
    function report(line, text) { print file ":" line ": " text }
    NR == 1 && match($0, /v[0-9]+\.[0-9]+\.[0-9]+/) { first = substr($0, RSTART + 1, RLENGTH - 1) }
    $1 == "#define" && $2 ~ /^SST_VERSION_(MAJOR|MINOR|PATCH)$/ {
        number = number (number == "" ? "" : ".") $3
    }
    $1 == "#define" && $2 == "SST_VERSION" { text = $3; gsub(/"/, "", text); line = NR }
    /^ \* >>history  / { history = NR }
    history && newest == "" && match($0, /[0-9]+\.[0-9]+\.[0-9]+/) {
        newest = substr($0, RSTART, RLENGTH)
        newest_line = NR
    }
    END {
        if (first != text) report(1, "version " first ", but SST_VERSION is " text)
        if (number != text) report(line, "SST_VERSION is " text ", its parts say " number)
        if (!history) report(NR, "no section >>history")
        else if (newest != text)
            report(newest_line, "the newest entry of >>history is " newest ", not " text)
    }' $header | collect

# ---- public functions: declared with a comment, defined, and in the list of STREAMSTORE_PREFIX

awk '/^SST_DECL / && match($0, /sst_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1) }' \
    $header | sort > "$out/declared"
awk '/^SST_API / && match($0, /sst_[a-z0-9_]+\(/) { print substr($0, RSTART, RLENGTH - 1) }' \
    $header | sort -u > "$out/defined"
awk '/^#define sst_[a-z0-9_]+ SST_JOIN\(/ {
         if ($0 != "#define " $2 " SST_JOIN(STREAMSTORE_PREFIX, " $2 ")") print "wrong:" $0
         print $2
     }' $header | sort > "$out/prefixed"

# differ a b text: what is in a and not in b.
differ() {
    comm -23 "$out/$1" "$out/$2" | sed "s/^/$header:1: /; s/\$/ $3/" | collect
}
differ declared prefixed "is declared, but not in the list of STREAMSTORE_PREFIX"
differ prefixed declared "is in the list of STREAMSTORE_PREFIX, but not declared"
differ declared defined "is declared, but has no definition that begins with SST_API"
differ defined declared "is defined with SST_API, but not declared"
# One function may have two definitions, of which a switch chooses.
for list in declared prefixed; do
    uniq -d "$out/$list" | sed "s/^/$header:1: /; s/\$/ is $list twice/"
done | collect

awk -v file=$header '
    /^SST_DECL / && before !~ /\*\/$/ && before !~ /;$/ {
        print file ":" NR ": a public function without a comment"
    }
    !/^#/ { before = $0 }' $header | collect

# ---- long functions

# Every definition of the implementation half: first line, last line, name. It begins at column 0
# with its name, and ends with a brace there or on the same line.
awk '
    /^#if defined\(STREAMSTORE_IMPLEMENTATION\) && !defined\(STREAMSTORE_IMPLEMENTED\)/ { on = 1 }
    !on { next }
    start == 0 && /^[A-Za-z].*\(/ && !/;$/ && !/^(typedef|struct|enum|union) / && !/= *\{/ {
        start = NR
        name = $0
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        body = 0
    }
    start != 0 && !body {
        if (/;$/) start = 0
        else if (/[{}]$/) body = 1
    }
    start != 0 && (/^}/ || (start == NR && /}$/)) {
        print start, NR, name
        start = 0
    }' $header > "$out/functions"
awk -v file=$header -v allowed="$long_allowed" '{
        lines = $2 - $1 + 1
        if (lines > 120 && index(allowed, " " $3 " ") == 0)
            print file ":" $1 ": " $3 " has " lines " lines"
        else if (lines > 60)
            print "notice: " file ":" $1 ": " $3 " has " lines " lines"
    }' "$out/functions" > "$out/long"
grep '^notice' "$out/long"
grep -v '^notice' "$out/long" | collect

# ---- the top level

for name in * .[!.]*; do
    [ -e "$name" ] || continue
    case $name in .*) continue ;; esac
    case $top_allowed in *" $name "*) ;; *) finding "$name:1: not a name of the top level" ;; esac
done

# ---- exported symbols

# exported prefix flags...: all of them begin with prefix, and they are the declared functions.
exported() {
    prefix=$1
    shift
    if ! "$CC" -std=gnu99 -Wundef -Werror -I. "$@" -c -o "$out/impl.o" tests/compile/impl.c \
            > "$out/impl.txt" 2>&1; then
        finding "$header:1: does not compile: $(head -n 1 "$out/impl.txt")"
        return
    fi
    # Apple's names have an underscore more.
    nm -g -P "$out/impl.o" | awk '$2 != "U" { sub(/^_/, "", $1); print $1 }' | sort \
        > "$out/symbols"
    sed "s/^/$prefix/" "$out/declared" > "$out/expected"
    differ symbols expected "is exported"
    differ expected symbols "is not exported"
}
exported ''
exported foo_ -DSTREAMSTORE_PREFIX=foo_

# ---- shell scripts

if have shellcheck; then
    # shellcheck disable=SC2046
    shellcheck -f gcc $(grep '\.sh$' "$out/sources") | collect
else
    echo "notice: shellcheck is not installed"
fi

# ---- what the slow tools found

wait
root=$(pwd)
if [ -f "$out/tidy.status" ]; then
    sed "s|^$root/||" "$out/tidy.txt" | grep -E '(error|warning):' | sort -u > "$out/tidy.found"
    awk -v accepted="$tidy_accepted" '
        FILENAME ~ /functions$/ { start[++n] = $1; end[n] = $2; name[n] = $3; next }
        {
            split($0, place, ":")
            check = $0
            sub(/.*\[clang-analyzer-/, "", check)
            sub(/[],].*/, "", check)
            for (i = 1; i <= n; i++)
                if (start[i] <= place[2] + 0 && place[2] + 0 <= end[i])
                    if (index(" " accepted " ", " " name[i] ":" check " ")) next
            print
        }' "$out/functions" "$out/tidy.found" | collect
    [ "$(cat "$out/tidy.status")" = 0 ] || [ -s "$out/tidy.found" ] ||
        finding "$header:1: clang-tidy failed: $(head -n 1 "$out/tidy.err")"
fi
if [ -f "$out/cppcheck.status" ]; then
    grep -E '^[^ ]+:[0-9]+: ' "$out/cppcheck.txt" | sort -u | collect
    [ "$(cat "$out/cppcheck.status")" = 0 ] || grep -qE '^[^ ]+:[0-9]+: ' "$out/cppcheck.txt" ||
        finding "$header:1: cppcheck failed: $(head -n 1 "$out/cppcheck.txt")"
fi

count=$(wc -l < "$findings")
echo "lint: $((count)) finding(s)"
[ "$count" -eq 0 ]
