#!/usr/bin/python3
"""Debian's programs at the terminal, as a person uses them, through ./run.sh; TAP on stdout.

    tests/programs/interactive.py [OPTION of run.sh]...
"""
import os
import sys
import time

import pexpect

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "run"))
from terminal import CTRL_A, CTRL_C, CTRL_D, CTRL_O, CTRL_R, CTRL_U, CTRL_X, CTRL_Z, ESC, LEFT, Session, TAB, UP, case, plain, run_cases, same

PACKAGES = "bash,coreutils,procps,less,vim-tiny,nano,python3-minimal,lua5.4,sqlite3,libc-bin"
READY = r"\nready\[(\d+)\][#$] $"


class Bash(Session):
    def __init__(self, options):
        super().__init__(["--debian", PACKAGES, "--timeout", "400"] + options, patience=20, boots_within=300, TERM="vt100")
        self.child.send("cd /tmp; PS1='\\nready[$?]\\$ ' exec bash --norc\r")
        self.prompt()
        self.run("bind 'set enable-bracketed-paste off'; stty rows 24 columns 80; export PAGER=less HOME=/tmp")

    def prompt(self):
        """Waits for bash's prompt; what was printed before it.  self.status is that of the last command."""
        self.child.expect(READY)
        self.status = int(self.child.match.group(1))
        return plain(self.child.before)

    def run(self, command):
        self.type(command + "\r")
        return "\n".join(self.prompt().split("\n")[1:]).strip("\n")


@case
def bash_is_a_shell(s):
    same(s.run("echo $BASH $((6*7))"), "/bin/bash 42")
    assert s.run("tty").startswith("/dev/"), "tty"
    same(s.run("false"), "")
    same(s.status, 1)


@case
def bash_edits_lines(s):
    s.type("echo ac" + LEFT + "b" + CTRL_A * 2 + "\r")
    assert "\nabc" in s.prompt()
    s.type("echo never" + CTRL_U + "echo instead\r")
    assert "\ninstead" in s.prompt()
    s.type(UP + UP + "\r")
    assert "\nabc" in s.prompt()
    s.type(CTRL_R + "inst\r")
    assert "\ninstead" in s.prompt()


@case
def bash_completes(s):
    s.type("echo /usr/bin/bashb" + TAB + "\r")
    assert "\n/usr/bin/bashbug" in s.prompt()


@case
def bash_job_control(s):
    s.type("sleep 100\r", 0.5)
    s.type(CTRL_Z)
    assert "Stopped" in s.prompt()
    s.run("sleep 200 &")
    jobs = s.run("jobs")
    assert "Stopped" in jobs and "Running" in jobs
    assert "sleep 100 &" in s.run("bg %1")
    s.type("fg %2\r", 0.5)
    s.type(CTRL_C)
    s.prompt()
    same(s.status, 130)
    s.run("kill %1; wait")
    same(s.run("jobs"), "")
    s.type("cat\r", 0.3)
    s.type("typed\r" + CTRL_D)
    assert s.prompt().count("typed") == 2


@case
def bash_stops_who_reads_in_the_background(s):
    s.run("cat &")
    time.sleep(0.5)
    assert "Stopped" in s.run("jobs")
    s.run("kill -9 %1; wait")


@case
def bash_here_document(s):
    s.type("cat <<EOF\rfirst $((1+1))\rsecond\rEOF\r")
    assert "\nfirst 2\nsecond" in s.prompt()


@case
def ctrl_c_ends_a_loop(s):
    s.type("while :; do sleep 0.05; done\r", 0.5)
    s.type(CTRL_C)
    s.prompt()
    same(s.status, 130)


@case
def less_moves_and_searches(s):
    s.run("seq 1000 > lines")
    s.type("less lines\r", 1)
    s.type(" ", 0.5)
    s.type("/777\r", 0.5)
    s.type("G", 0.5)
    s.type("g", 0.5)
    s.type("q")
    seen = s.prompt()
    assert "\n24" in seen or "24\n" in seen, "second page"
    assert "777" in seen and "1000" in seen, "search and end"
    same(s.run("echo alive"), "alive")


@case
def vim_writes_and_edits(s):
    s.type("vim.tiny -u NONE note\r", 1.5)
    s.type("ihello from vim" + ESC, 0.5)
    s.type("osecond line" + ESC, 0.5)
    s.type("yyp:s/second/third/\r", 0.5)
    s.type(":wq\r")
    s.prompt()
    same(s.run("cat note"), "hello from vim\nsecond line\nthird line")
    s.type("vi note\r", 1.5)
    s.type("ddu:%s/line/LINE/g\r", 0.5)
    s.type(":!echo from the shell\r", 1)
    s.type("\r", 0.5)
    s.type("ZZ")
    assert "from the shell" in s.prompt()
    same(s.run("cat note"), "hello from vim\nsecond LINE\nthird LINE")


@case
def vim_suspends(s):
    s.type("vi note\r", 1.5)
    s.type(CTRL_Z)
    assert "Stopped" in s.prompt()
    s.type("fg\r", 0.7)
    s.type(":q!\r")
    s.prompt()
    same(s.run("jobs"), "")


@case
def nano_writes(s):
    s.type("nano memo\r", 1.5)
    s.type("typed in nano\rand more", 0.5)
    s.type(CTRL_O, 0.5)
    s.type("\r", 0.5)
    s.type(CTRL_X)
    s.prompt()
    same(s.run("cat memo"), "typed in nano\nand more")


@case
def top_shows_and_quits(s):
    s.type("top -d 0.5\r", 2)
    s.type("q")
    seen = s.prompt()
    assert "load average" in seen and "PID" in seen and "%CPU" in seen
    same(s.run("echo alive"), "alive")


@case
def watch_repeats(s):
    s.type("watch -n 0.5 'echo watched'\r", 1.5)
    s.type(CTRL_C)
    assert "watched" in s.prompt()


@case
def python_repl(s):
    s.type("python3\r")
    s.child.expect(">>> $")
    s.type("6 * 7\r")
    s.child.expect(r"42\r+\n>>> $")
    s.type("for i in range(2):\r    print('i', i)\r\r")
    s.child.expect(r"i 1\r+\n>>> $")
    s.type("while True: pass\r", 0.5)
    s.type(CTRL_C)
    s.child.expect(r"KeyboardInterrupt\r+\n>>> $")
    s.type(CTRL_D)
    s.prompt()


@case
def lua_and_sqlite_prompts(s):
    s.type("lua5.4\r")
    s.child.expect("> $")
    s.type("= 6 * 7\r")
    s.child.expect(r"42\r+\n[^\n]*> $")
    s.type(CTRL_D)
    s.prompt()
    s.type("sqlite3\r")
    s.child.expect("sqlite> $")
    s.type("select 6 * 7;\r")
    s.child.expect(r"42\r+\n[^\n]*sqlite> $")
    s.type(".quit\r")
    s.prompt()


@case
def exit_ends_the_machine(s):
    s.type("exit\r")
    s.child.expect(pexpect.EOF, timeout=30)
    s.child.close()
    same(s.child.exitstatus, 0)


run_cases("interactive: ", lambda: Bash(sys.argv[1:]))
