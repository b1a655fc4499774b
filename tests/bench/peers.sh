#!/bin/sh
# peers.sh - prints the compiler flags of one benchmark: for each line of it that names a library,
#
#     /* bench-peer NAME header.h package libraries */
#
# either -DBENCH_NAME=1 and what compiling and linking with it needs, or, where a program with this
# header does not compile, -DBENCH_NAME=0.
#
#     sh tests/bench/peers.sh source
#
# From the environment: BUILD, CC.
set -u
BUILD=${BUILD:-build}
CC=${CC:-cc}
probe=$BUILD/bench/probe.$$

mkdir -p "$BUILD/bench"
sed -n 's|^/\* bench-peer \(.*\) \*/$|\1|p' "$1" |
while read -r name header package libraries; do
    # As a system header, so that its warnings are not ours.
    flags="$(pkg-config --cflags --libs "$package" 2> /dev/null | sed 's/-I */-isystem /g')"
    flags="$flags $libraries"
    printf '#include <stddef.h>\n#include <%s>\nint main(void) { return 0; }\n' "$header" \
        > "$probe.c"
    # shellcheck disable=SC2086
    if $CC -o "$probe" "$probe.c" $flags 2> /dev/null; then
        echo "-DBENCH_$name=1 $flags"
    else
        echo "-DBENCH_$name=0"
    fi
    rm -f "$probe" "$probe.c"
done
