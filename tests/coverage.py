"""coverage.py - unites the coverage of all test programs by place in streamstore.h.

    python3 tests/coverage.py streamstore.h folder

Reads folder/json/*.json, which are of `llvm-cov-19 export --skip-expansions`, and build.log; writes
lines.txt, branches.txt and mcdc.txt, what no program covered; prints the figures. With
COVERAGE_STRICT=1 it ends with 1 below 100 % of the branches or 90 % of the conditions.

What counts:
- A place is counted when a program compiled it, covered when any program did. So is a condition of
  MC/DC: the two runs that show that it alone decides have to be those of one program.
- A branch inside a macro belongs to where the macro is used, once for each use: `SSTI_TRY(f())` is
  a branch of its line, which is covered when f() failed there and when it did not. Where macros
  are nested it is the outermost use.
- SSTI_BROKEN() is 0 but where a test breaks a rule to see that it is noticed: not counted.
- Conditions which the compiler folds to constants are not there. The header's marks (SSTI_NEVER()
  and its kin, see MARK) are constants under STREAMSTORE_COVERAGE. Lines that only such a condition
  leads to are left out too.
- clang 19 has no MC/DC for a decision with another one inside a condition (`a && f(b && c)`).
"""
import glob
import json
import os
import re
import sys

CODE, EXPANSION, BRANCH, DECISION_BRANCH = 0, 1, 4, 6   # kinds of regions
HEADER = "streamstore.h"
MARK = re.compile(r"\bSSTI_(NEVER|NEVER_64|ALWAYS|RACE|HUGE)\(")


def is_header(name):
    return os.path.basename(name) == HEADER


def line_counts(segments):
    """The counts of lines, as llvm-cov has them (LineCoverageStats): {line: count}."""
    by_line = {}
    for segment in segments:
        by_line.setdefault(segment[0], []).append(segment)
    counts, wrapped = {}, None
    last = max(by_line) if by_line else 0
    for line in range(min(by_line, default=1), last + 1):
        here = by_line.get(line, [])
        starts = [s for s in here if s[3] and s[4] and not s[5]]
        skipped = here and not here[0][3] and here[0][4]
        mapped = not skipped and ((wrapped is not None and wrapped[3]) or starts)
        if mapped:
            count = wrapped[2] if wrapped is not None else 0
            counts[line] = max([count] + [s[2] for s in starts])
        if here:
            wrapped = here[-1]
    return counts


class Places:
    """Where the files of one function's mapping are: the inside of a macro is a file of its own. Of
    a macro that a test made (`#define close faulty_close`) only the place of its use counts."""

    def __init__(self, function):
        self.parent = {}
        self.foreign = {i for i, name in enumerate(function["filenames"]) if not is_header(name)}
        for region in function["regions"]:
            if region[7] == EXPANSION:
                self.parent[region[6]] = (region[5], region[0], region[1])

    def of(self, file, line, column):
        """The chain of positions, outermost first."""
        chain = [(line, column)]
        while file in self.parent:
            if file in self.foreign:
                chain.pop(0)
            file, line, column = self.parent[file]
            chain.insert(0, (line, column))
        return tuple(chain)


class Union:
    def __init__(self, text):
        self.text = text
        self.lines = {}         # line: covered
        self.never = set()      # lines behind a mark
        self.branches = {}      # place: [true seen, false seen]
        self.conditions = {}    # place: covered
        self.function = {}      # place: name

    def add(self, data):
        for file in data["files"]:
            if is_header(file["filename"]):
                for line, count in line_counts(file["segments"]).items():
                    self.lines[line] = self.lines.get(line, False) or count > 0
                folded = {tuple(b[:4]) for b in file["branches"] if b[4] == 0 and b[5] == 0}
                for function in data["functions"]:
                    if is_header(function["filenames"][0]):
                        self.add_function(function, folded)

    def add_function(self, function, folded):
        places = Places(function)
        name = function["name"].rsplit(":", 1)[-1]
        seen = {}
        shown = set()
        for b in function["branches"]:
            chain = places.of(b[6], b[0], b[1])
            if self.is_broken_rule(chain[0]):
                continue
            number = seen[chain] = seen.get(chain, -1) + 1
            place = (chain, number)
            self.function[place] = name
            sides = self.branches.setdefault(place, [False, False])
            sides[0] |= b[4] > 0
            sides[1] |= b[5] > 0
            shown.add(tuple(b[:4]))
        used = {}
        for record in function["mcdc_records"]:
            self.add_decision(function, places, record, folded - shown, used, name)
        for region in function["regions"]:
            if region[7] == CODE and region[4] == 0 and region[5] not in places.parent:
                self.add_never(region)

    def add_decision(self, function, places, record, folded, used, name):
        """A record does not say of which macro's use it is: the n-th at one position is of the
        n-th use."""
        span, covered = tuple(record[:4]), record[6]

        def inside(b):
            return span[:2] <= tuple(b[:2]) and tuple(b[2:4]) <= span[2:]

        found = [b for b in function["branches"] if b[8] == DECISION_BRANCH and inside(b)]
        files = sorted({b[6] for b in found})
        if not files:
            return                              # all of it is constant
        number = used[span] = used.get(span, -1) + 1
        file = files[min(number, len(files) - 1)]
        chain = places.of(file, span[0], span[1])
        found = sorted({tuple(b[:2]) for b in found if b[6] == file})
        constant = sorted({b[:2] for b in folded if inside(b)})
        positions = sorted(found + constant)
        for i, is_covered in enumerate(covered):
            where = positions[i] if len(positions) == len(covered) else span[:2]
            if where in constant and where not in found or self.is_broken_rule(where):
                continue
            place = (chain, i, where)
            self.function[place] = name
            self.conditions[place] = self.conditions.get(place, False) or is_covered

    def is_broken_rule(self, place):
        return self.text[place[0] - 1][place[1] - 1:].lstrip("!(").startswith("SSTI_BROKEN(")

    def add_never(self, region):
        """Lines of a region that did not run, where a mark stands before it."""
        first, column, last = region[:3]
        before = self.text[first - 1][:column - 1]
        if not before.strip(" {(") and first > 1:
            before = self.text[first - 2]
        if MARK.search(before):
            alone = self.text[first - 1][:column - 1].strip() == ""
            self.never.update(range(first if alone else first + 1, last + 1))


def percent(part, whole):
    """Rounded down, so that 100.0 is all of them."""
    return "%.1f" % ((1000 * part // whole) / 10 if whole else 100)


def unsupported(log):
    """Decisions that have no MC/DC: `line:column`s."""
    pattern = re.compile(r"\b" + re.escape(HEADER) + r":(\d+):(\d+): warning: unsupported MC/DC")
    with open(log, encoding="utf-8", errors="replace") as file:
        return sorted({(int(a), int(b)) for a, b in pattern.findall(file.read())})


def main():
    header, folder = sys.argv[1:3]
    with open(header, encoding="utf-8") as file:
        text = file.read().split("\n")
    union = Union(text)
    for name in sorted(glob.glob(os.path.join(folder, "json", "*.json"))):
        with open(name, encoding="utf-8") as file:
            data = file.read()
        if data:
            union.add(json.loads(data)["data"][0])

    if not union.lines:
        print("coverage: no program was measured")
        return 1

    def where(place):
        outer, inner = place[0][0], place[0][-1]
        note = " [in the macro of line %d]" % inner[0] if inner != outer else ""
        head = "%s:%d:%d: %s" % (HEADER, outer[0], outer[1], union.function[place])
        return head, text[outer[0] - 1].strip() + note

    def write(name, rows):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.writelines(row + "\n" for row in rows)

    def source(line):
        return text[line - 1].strip()

    lines = {line: hit for line, hit in union.lines.items() if hit or line not in union.never}
    write("lines.txt", ["%s:%d: %s" % (HEADER, line, source(line))
                        for line in sorted(lines) if not lines[line]])
    rows = []
    for place in sorted(union.branches):
        sides = union.branches[place]
        if not all(sides):
            missing = "never reached" if not any(sides) else \
                "never true" if sides[1] else "never false"
            head, line = where(place)
            rows.append("%s: %s: %s" % (head, missing, line))
    write("branches.txt", rows)
    rows = []
    for place in sorted(union.conditions):
        if not union.conditions[place]:
            head, line = where(place)
            rows.append("%s: condition %d (%d:%d): %s" % (
                (head, place[1] + 1) + place[2] + (line,)))
    for line, column in unsupported(os.path.join(folder, "build.log")):
        rows.append("%s:%d:%d: not measured: %s" % (HEADER, line, column, source(line)))
    write("mcdc.txt", rows)

    sides = [side for place in union.branches.values() for side in place]
    conditions = list(union.conditions.values())
    hit = [flag for flag in lines.values() if flag]
    print("coverage of %s: lines %s %% (%d of %d), branches %s %% (%d of %d), "
          "MC/DC %s %% (%d of %d)" % (
              HEADER, percent(len(hit), len(lines)), len(hit), len(lines),
              percent(sum(sides), len(sides)), sum(sides), len(sides),
              percent(sum(conditions), len(conditions)), sum(conditions), len(conditions)))
    if os.environ.get("COVERAGE_STRICT") == "1":
        if sum(sides) < len(sides) or 10 * sum(conditions) < 9 * len(conditions):
            print("coverage: not enough: every branch, and 90 % of MC/DC (see %s)" % folder)
            return 1
    return 0


sys.exit(main())
