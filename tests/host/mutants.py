#!/usr/bin/python3
"""tests/host/mutants.py - do the host tests notice when vm/ is wrong?

Every place where an operator of mutant_sites.py applies is a mutant.  A seeded sample of them, drawn from the operators in turn, is tried: each
is put into a copy of the tree, built (what it changes only) and tested, the test of its own file and a short model run first, until something fails.
A mutant that does not compile, or compiles to the same code as the original, is drawn again.

A survivor is either equivalent (tests/host/mutants.equivalent says why in one line) or shows that a test is missing.

    make mutants [N=200] [SEED=1] [JOBS=2]      the log: tests/logs/mutants.txt; what has been tried is kept in build/mutants until a source changes
    make mutants ONLY=vm/object.c               those of the sample whose line contains this; no log
    make mutants RETRY=1                        kills of earlier versions of the tests are believed, survivors tried again; no log

Status 1: fewer than 90 % killed, or a survivor without a line.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import mutant_sites

REQUIRED = 90.0
MACHINES = ["3x5", "4x4", "x86"]
HOST = "build/host"
EQUIVALENT = pathlib.Path("tests/host/mutants.equivalent")
LOG = pathlib.Path("tests/logs/mutants.txt")
STATE = pathlib.Path("build/mutants")
SHORT, LONG = 6000, 60000               # steps of the model: soon, and at the end
OUTPUT_LIMIT = 1 << 20


# ---- the sample ----------------------------------------------------------------------------------------------------------------

def all_mutants():
    texts = {str(path): path.read_text() for path in sorted(pathlib.Path("vm").glob("*.[ch]"))}
    by_operator = collections.defaultdict(list)
    for file, text in texts.items():
        for mutant in mutant_sites.find(file, text):
            by_operator[mutant.operator].append(mutant)
    return texts, by_operator


class Compiler:
    """Says of a mutant whether it compiles, and whether to other code."""

    def __init__(self, command, texts):
        keep = [word for word in command.split() if not word.startswith(("-fsanitize", "-fno-sanitize", "-W", "-O")) and word != "-g"]
        self.command = keep + ["-O2", "-g0", "-w", "-S", "-o", "-"]
        self.texts = texts
        self.original = {}
        self.lock = threading.Lock()

    def assembly(self, unit, header="", text=""):
        """The code of a file of vm/, of this text; or as it is, but with this text for a header.  None: does not compile."""
        folder = STATE / f"compile-{threading.get_ident()}"
        (folder / "vm").mkdir(parents=True, exist_ok=True)
        path = folder / (header or unit)
        if text:
            path.write_text(text)
        try:
            made = subprocess.run([self.command[0], f"-I{folder}", *self.command[1:], unit if header or not text else str(path)],
                                  capture_output=True, text=True)
        finally:
            path.unlink(missing_ok=True)
        return None if made.returncode else re.sub(r"^\s*\.(file|ident).*", "", made.stdout.replace(f"{folder}/", ""), flags=re.M)

    def original_of(self, unit):
        with self.lock:
            if unit not in self.original:
                self.original[unit] = self.assembly(unit)
            return self.original[unit]

    def fault_of(self, mutant):
        """Why this is no mutant; '' if it is one.  An inline function is in the code of whoever calls it."""
        text = mutant.apply(self.texts[mutant.file])
        if mutant.file.endswith(".c"):
            made = self.assembly(mutant.file, text=text)
            return "does not compile" if made is None else "same code" if made == self.original_of(mutant.file) else ""
        for unit in [name for name in self.texts if name.endswith(".c")]:
            made = self.assembly(unit, mutant.file, text)
            if made is None:
                return "does not compile"
            if made != self.original_of(unit):
                return ""
        return "same code"


def draw(by_operator, wanted, seed, compiler, jobs):
    """`wanted` mutants, from the operators in turn; and how many were thrown away, by reason."""
    decks = {}
    for operator, mutants in sorted(by_operator.items()):
        decks[operator] = list(mutants)
        random.Random(f"{seed} {operator}").shuffle(decks[operator])
    sample, thrown = [], collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        while len(sample) < wanted and any(decks.values()):
            hand, missing = [], wanted - len(sample)
            while len(hand) < missing and any(decks.values()):
                hand += [deck.pop() for deck in decks.values() if deck]
            for extra in hand[missing:][::-1]:
                decks[extra.operator].append(extra)
            for mutant, why in zip(hand[:missing], pool.map(compiler.fault_of, hand[:missing])):
                if why:
                    thrown[why] += 1
                else:
                    sample.append(mutant)
    return sample, thrown


# ---- building and testing ------------------------------------------------------------------------------------------------------

class Test:
    def __init__(self, machine, program, arguments=()):
        self.machine, self.program, self.arguments = machine, program, [str(a) for a in arguments]
        self.name = " ".join([f"{machine}/{program}", *self.arguments])
        self.seconds = 0.0              # of processor time, on the unchanged source


def plan_for(file, tests):
    """The order that kills soonest: the test of the file itself, a short model run, all other unit tests, cheap ones first, the long model runs."""
    stem = pathlib.Path(file).stem

    def rank(test):
        if test.program == f"test_{stem}":
            group = 0 if test.machine == MACHINES[0] else 3
        elif test.program in ("model", "smp"):
            group = 1 if test.arguments[1] == str(SHORT) else 5
        elif test.program in ("test_fault", "test_mmap", "test_object"):
            group = 2 if test.machine == MACHINES[0] else 3
        else:
            group = 4
        return group, MACHINES.index(test.machine) if group < 4 else 0, test.seconds
    return sorted(tests, key=rank)


def find_tests():
    said = subprocess.run(["make", "-s", "--no-print-directory", "host-programs"], check=True, capture_output=True, text=True,
                          env={**os.environ, "FAULTLINE_SETUP": "done"}).stdout.split()
    tests = []
    for path in said:
        machine, program = path.split("/")[-2:]
        if program == "smp":
            tests += [Test(machine, program, [seed, steps]) for seed, steps in ((1, SHORT), (2, LONG))]
        elif program == "model":
            tests.append(Test(machine, program, [1, SHORT, "brief"]))
            tests += [Test(machine, program, [seed, LONG, "brief"]) for seed in (2, 4)]
        else:
            tests.append(Test(machine, program))
    return tests


class Tree:
    """A copy of the sources and of what was built from them; one mutant at a time is in it."""

    ORIGINAL = STATE / "original"       # what is copied, so that the working tree may change meanwhile

    @classmethod
    def copy_original(cls):
        shutil.rmtree(cls.ORIGINAL, ignore_errors=True)
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True, capture_output=True, text=True).stdout.split("\n")
        for name in listed:
            if name and pathlib.Path(name).is_file():
                (cls.ORIGINAL / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(name, cls.ORIGINAL / name)
        for machine in MACHINES:
            shutil.copytree(f"{HOST}/{machine}", cls.ORIGINAL / HOST / machine)

    def __init__(self, number):
        self.root = STATE / f"tree-{number}"
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.ORIGINAL, self.root)

    def restore(self, file):
        """The source, and all that was built from the mutant, as they were."""
        shutil.copy2(self.ORIGINAL / file, self.root / file)
        for path in (self.root / HOST).rglob("*"):
            was = self.ORIGINAL / path.relative_to(self.root)
            if path.is_file() and not was.exists():
                path.unlink()
            elif path.is_file() and path.stat().st_mtime_ns != was.stat().st_mtime_ns:
                path.unlink()           # not written over: a process that was ended may still be leaving it
                shutil.copy2(was, path)

    def build(self, test):
        return subprocess.run(["make", "-s", "--no-print-directory", f"{HOST}/{test.machine}/{test.program}"], cwd=self.root,
                              capture_output=True, text=True, env={**os.environ, "FAULTLINE_SETUP": "done"}).returncode == 0

    def run(self, test):
        """None: passed; else what failed."""
        seconds = int(4 * test.seconds) + 5

        def limit():
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        child = subprocess.Popen([f"{HOST}/{test.machine}/{test.program}", *test.arguments], cwd=self.root, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, preexec_fn=limit)
        alarm = threading.Timer(10 * seconds, self.end, [child])
        alarm.start()
        failed, read, where = None, 0, ""
        for line in child.stdout:
            read += len(line)
            if b" fails at step " in line or line.startswith(b"# smp program"):         # which program, or which regression
                where = ": " + line.decode(errors="replace").strip("# \n")
            if line.startswith(b"not ok") or read > OUTPUT_LIMIT:
                failed = line.decode(errors="replace").strip().split(" - ", 1)[-1] + where
                break
        if failed:
            self.end(child)
        status = child.wait()
        child.stdout.close()
        alarm.cancel()
        if failed:
            return f"{test.machine} {failed}"
        if status == -signal.SIGXCPU or status == -signal.SIGKILL:
            return f"{test.name}: hang"
        return f"{test.name}: status {status}" if status else None

    @staticmethod
    def end(child):
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def judge(self, mutant, text, tests):
        """'killed', by what; or 'survived'; or 'unbuilt'."""
        (self.root / mutant.file).write_text(mutant.apply(text))
        try:
            for test in plan_for(mutant.file, tests):
                if not self.build(test):
                    return "unbuilt", ""
                failed = self.run(test)
                if failed:
                    return "killed", failed
            return "survived", ""
        finally:
            self.restore(mutant.file)


def measure(tree, tests):
    """The unchanged source passes, and how long that takes."""
    for test in tests:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        test.seconds = 100.0
        failed = tree.run(test)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        test.seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        if failed:
            sys.exit(f"mutants: {failed}: fails without a mutant")


# ---- what has been tried ---------------------------------------------------------------------------------------------------------

def digest(paths):
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(str(path).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def sources(*patterns):
    return [path for pattern in patterns for path in pathlib.Path().glob(pattern) if path.is_file()]


class Results:
    """Verdicts by mutant, kept on disk as long as vm/ and the tests stay as they are."""

    def __init__(self, retry):
        self.vm = digest(sources("vm/*.[ch]"))
        self.tests = digest(sources("tests/host/**/*.[ch]", "tests/host/*.mk", "lib/*", "arch/x86_64/*mmu*", "arch/x86_64/tlb.c"))
        self.path = STATE / "verdicts"
        self.known = {}
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                vm, tests, key, verdict, by = json.loads(line)
                if vm == self.vm and (tests == self.tests or (retry and verdict == "killed")):
                    self.known[key] = verdict, by
        self.lock = threading.Lock()

    def add(self, key, verdict, by):
        with self.lock, self.path.open("a") as out:
            self.known[key] = verdict, by
            out.write(json.dumps([self.vm, self.tests, key, verdict, by]) + "\n")


def try_all(sample, keys, texts, tests, results, jobs):
    """Judges what is not known yet, on `jobs` trees, saying how it goes."""
    todo = [(m, k) for m, k in zip(sample, keys) if k not in results.known]
    if not todo:
        return
    trees, began, done, lock = queue.Queue(), time.time(), 0, threading.Lock()
    Tree.copy_original()
    for number in range(jobs):
        tree = Tree(number)
        if number == 0:
            measure(tree, tests)
        trees.put(tree)

    def one(work):
        nonlocal done
        mutant, key = work
        tree = trees.get()
        try:
            verdict, by = tree.judge(mutant, texts[mutant.file], tests)
        finally:
            trees.put(tree)
        results.add(key, verdict, by)
        with lock:
            done += 1
            left = (time.time() - began) / done * (len(todo) - done)
            print(f"{done:4}/{len(todo)} {left / 60:5.1f} min left  {mutant.file}:{mutant.line} {mutant.operator}: {verdict} {by}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, todo))


# ---- the report ------------------------------------------------------------------------------------------------------------------

def read_equivalent():
    """key -> reason.  A line: FILE FUNCTION OPERATOR :: OLD => NEW :: reason"""
    reasons = {}
    for line in EQUIVALENT.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            key, why = line.rsplit(" :: ", 1)
            reasons[" ".join(key.split())] = why.strip()
    return reasons


def report(sample, keys, results, by_operator, thrown, out):
    """Prints the tables; whether the run is good enough."""
    verdicts = [results.known[k] for k in keys]
    killed = sum(v == "killed" for v, _ in verdicts)
    print(f"{'operator':<16}{'places':>8}{'tried':>8}{'killed':>8}", file=out)
    for operator, mutants in sorted(by_operator.items()):
        mine = [v for m, (v, _) in zip(sample, verdicts) if m.operator == operator]
        print(f"{operator:<16}{len(mutants):>8}{len(mine):>8}{mine.count('killed'):>8}", file=out)
    print(f"{'all':<16}{sum(map(len, by_operator.values())):>8}{len(sample):>8}{killed:>8}", file=out)
    print("drawn again: " + (", ".join(f"{n} {why}" for why, n in sorted(thrown.items())) or "none"), file=out)

    print("\nkilled by:", file=out)
    for by, n in collections.Counter(by for v, by in verdicts if v == "killed").most_common():
        print(f"{n:5}  {by}", file=out)
    print("\neach mutant and what killed it:", file=out)
    for mutant, (verdict, by) in sorted(zip(sample, verdicts), key=lambda pair: (pair[0].file, pair[0].line)):
        print(f"  {mutant.file}:{mutant.line}: {mutant.function}: {mutant.operator}: {by or verdict}", file=out)

    reasons, bare = read_equivalent(), 0
    print("\nsurvivors:", file=out)
    for mutant, (verdict, _) in zip(sample, verdicts):
        if verdict == "survived":
            why = reasons.get(" ".join(mutant.key().split()))
            bare += not why
            print(f"  {mutant.file}:{mutant.line}: {mutant.function}: {mutant.operator}\n    - {mutant.old}\n    + {mutant.new}\n    "
                  f"{'equivalent: ' + why if why else 'NO REASON GIVEN'}", file=out)
    share = 100.0 * killed / len(sample)
    print(f"\n{killed} of {len(sample)} killed: {share:.1f} % ({REQUIRED:.0f} % are asked for); {len(sample) - killed} survive, {bare} of them without a reason",
          file=out)
    return share >= REQUIRED and not bare


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="")
    parser.add_argument("--retry", default="")
    parser.add_argument("--compile", required=True)
    args = parser.parse_args()
    began = time.time()
    STATE.mkdir(parents=True, exist_ok=True)
    texts, by_operator = all_mutants()
    sample, thrown = draw(by_operator, args.number, args.seed, Compiler(args.compile, texts), args.jobs)
    if args.only:
        sample = [m for m in sample if args.only in f"{m.file}:{m.line} {m.key()}"]
    seen = collections.Counter()
    keys = []
    for mutant in sample:               # the same change may be possible twice in one function
        keys.append(f"{mutant.key()} #{seen[mutant.key()]}")
        seen[mutant.key()] += 1
    results = Results(args.retry)
    try_all(sample, keys, texts, find_tests(), results, args.jobs)
    built = [(m, k) for m, k in zip(sample, keys) if results.known[k][0] != "unbuilt"]
    if len(built) < len(sample):
        thrown["not linked"] += len(sample) - len(built)
        sample, keys = [m for m, _ in built], [k for _, k in built]
    if args.only or args.retry:
        return not report(sample, keys, results, by_operator, thrown, sys.stdout)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    with LOG.open("w") as out:
        print(f"# command: make mutants N={args.number} SEED={args.seed}\n# commit: {commit}\n# date: {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}\n"
              f"# duration: {(time.time() - began) / 60:.0f} min on {args.jobs} jobs\n", file=out)
        good = report(sample, keys, results, by_operator, thrown, out)
    print(LOG.read_text())
    return not good


if __name__ == "__main__":
    sys.exit(main())
