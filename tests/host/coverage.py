#!/usr/bin/python3
"""tests/host/coverage.py BUILD EXCUSED - line and branch coverage of vm/ from the counters that a run of the host tests left in BUILD.

gcov tells for each object how often each line ran and each branch was taken.  The same source is in many objects (one a machine, inline
functions in every object that calls them): their counts are added up.  Branches of assertions are not counted, since the other way ends the run.

A line that never ran is printed.  It may be excused by a line of EXCUSED: file, a piece of the line's own text or the name of its function with (),
and why, with ' :: ' between them.  Excuses do not count as covered: they only say that each line has been looked at.  Status 1: below
95 % of lines, a line without an excuse, or an excuse for nothing.
"""
import collections
import json
import pathlib
import subprocess
import sys
import time

REQUIRED = 95.0


def gcov(build):
    """For each counter file, what gcov says of the sources under vm/."""
    for counters in sorted(pathlib.Path(build).glob("*/**/*.gcda")):
        said = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", str(counters)],
                              check=True, capture_output=True, text=True).stdout
        for document in said.splitlines():
            for source in json.loads(document)["files"]:
                if source["file"].startswith("vm/"):
                    yield source


class Source:
    def __init__(self, name):
        self.text = pathlib.Path(name).read_text().splitlines()
        self.lines = collections.Counter()
        self.functions = {}
        self.branches = {}

    def add(self, report):
        for line in report["lines"]:
            number = line["line_number"]
            self.lines[number] += line["count"]
            self.functions[number] = line.get("function_name", "")
            if "assert(" not in self.text[number - 1]:
                for way, branch in enumerate(line["branches"]):
                    key = number, way
                    self.branches[key] = self.branches.get(key, 0) + branch["count"]

    def missed(self):
        return sorted(number for number in self.lines if not self.lines[number])


def read_excuses(name):
    excuses = []
    for line in pathlib.Path(name).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            file, what, why = (part.strip() for part in line.split(" :: "))
            excuses.append((file, what, why))
    return excuses


def excuse_for(excuses, file, function, text):
    for excuse in excuses:
        if excuse[0] == file and (excuse[1] == function + "()" or excuse[1] in text):
            return excuse
    return None


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def heading():
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    print(f"# command: make coverage\n# commit: {commit}\n# date: {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}\n")


def main(build, excused):
    heading()
    sources = {}
    for report in gcov(build):
        sources.setdefault(report["file"], Source(report["file"])).add(report)
    excuses, used, bare = read_excuses(excused), set(), 0
    total = [0, 0, 0, 0]
    print(f"{'file':<18}{'lines':>7}{'run':>7}{'%':>8}{'branches':>11}{'taken':>7}{'%':>8}")
    for name, source in sorted(sources.items()):
        row = [len(source.lines), sum(map(bool, source.lines.values())), len(source.branches), sum(map(bool, source.branches.values()))]
        total = [a + b for a, b in zip(total, row)]
        print(f"{name:<18}{row[0]:>7}{row[1]:>7}{percent(row[1], row[0]):>8.1f}{row[2]:>11}{row[3]:>7}{percent(row[3], row[2]):>8.1f}")
    print(f"{'vm/':<18}{total[0]:>7}{total[1]:>7}{percent(total[1], total[0]):>8.1f}{total[2]:>11}{total[3]:>7}{percent(total[3], total[2]):>8.1f}")

    print("\nlines that never ran:")
    for name, source in sorted(sources.items()):
        for number in source.missed():
            text = source.text[number - 1].strip()
            excuse = excuse_for(excuses, name, source.functions[number], text)
            used.add(excuse)
            bare += not excuse
            print(f"  {name}:{number}: {source.functions[number]}: {text}\n      {excuse[2] if excuse else 'NO REASON GIVEN'}")
    idle = [e for e in excuses if e not in used]
    for file, what, _ in idle:
        print(f"  an excuse for nothing: {file} :: {what}")
    covered = percent(total[1], total[0])
    print(f"\n{covered:.1f} % of {total[0]} lines ran ({REQUIRED:.0f} % are asked for), {bare} lines without a reason, {len(idle)} reasons without a line")
    return covered < REQUIRED or bare > 0 or bool(idle)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
