# functions.sh - what the jobs of run.sh have in common; read by each of them.
# shellcheck shell=sh disable=SC2154

# limit command...: no program may hang.
if command -v timeout > /dev/null; then
    limit() { timeout -k 5 120 "$@"; }
else
    limit() { "$@"; }
fi

# same program...: runs it; its image must be that of the reference.
same() {
    limit "$@" > "$o/output.txt" || { cat "$o/output.txt"; return 1; }
    grep -qxF "$(cat "$o/output.txt")" "$out/image.txt" && return 0
    echo "expected one of:"
    cat "$out/image.txt"
    echo "got:"
    cat "$o/output.txt"
    return 1
}

# wants object, gives object: the names it leaves to the linker, and those it offers.
wants() { nm -u "$1" | awk '{ print $NF }' | grep -v '^_GLOBAL_OFFSET_TABLE_$' || true; }
gives() { nm -g "$1" | awk 'NF == 3 { print $3 }'; }

# refuse names pattern: none of them may match; allow names pattern: all of them must.
refuse() {
    if echo "$1" | grep -xE "$2"; then echo "^ these should not be there"; return 1; fi
}
allow() {
    if echo "$1" | grep . | grep -vxE "$2"; then echo "^ these should not be needed"; return 1; fi
}

# size_note what object
size_note() {
    arm-none-eabi-size "$2" |
        awk -v what="$1" 'NR == 2 { printf "note cortex-m0 %s: text %d data %d bss %d bytes\n",
                                    what, $1, $2, $3 }'
}

# works_or_says_why compiler...: either it compiles, or the first thing it says is an #error that
# tells what to do. (Behind it compilers go on, and complain about what follows from it.)
works_or_says_why() {
    "$@" > "$o/why.txt" 2>&1 && return 0
    grep 'error:' "$o/why.txt" | head -n 1 | grep -i 'streamstore.*gnu99' > /dev/null && return 0
    cat "$o/why.txt"
    return 1
}
