"""numpy's side of bench_gather.c, which starts it and says what it is to gather.

    python3 bench_gather.py width rows file

Answers every line `indices-file calls rows-in-each-call` with the nanoseconds of a[idx],
np.take(out=) and the same with mode="clip" in memory, then from the mapped file (which it writes),
and a sum of what was gathered. Every way has indices of its own: none finds rows that another one
has just brought into the cache. The first call of each is not counted, here and there: it finds
caches full of what others did.
"""
import sys
import time

try:
    import numpy as np
except ImportError:
    sys.exit(1)


def checked(rows):
    """The sum of the first words, modulo 2**64."""
    return int(rows.view(np.uint64)[:, 0].sum(dtype=np.uint64))


def main():
    width, rows = int(sys.argv[1]), int(sys.argv[2])
    array = np.arange(rows * (width // 8), dtype=np.uint64).view(np.uint8).reshape(rows, width)
    array.tofile(sys.argv[3])
    mapped = np.memmap(sys.argv[3], dtype=np.uint8, mode="r", shape=(rows, width)).view(np.ndarray)
    print("numpy", np.__version__, flush=True)
    ways = (
        lambda a, idx: a[idx],
        lambda a, idx: np.take(a, idx, axis=0, out=out),
        lambda a, idx: np.take(a, idx, axis=0, out=out, mode="clip"),
    )
    for line in sys.stdin:
        path, calls, count = line.rsplit(" ", 2)
        indices = np.fromfile(path, dtype=np.int64).reshape(-1, int(calls), int(count))
        out = np.zeros((int(count), width), dtype=np.uint8)
        total, figures = 0, []
        for a in (array, mapped):
            for way in ways:
                ns = 0
                for i, idx in enumerate(indices[len(figures)]):
                    begin = time.perf_counter_ns()
                    result = way(a, idx)
                    ns += time.perf_counter_ns() - begin if i > 0 else 0
                    total += checked(result)
                figures.append(ns)
        print(*figures, total % 2**64, flush=True)


main()
