#!/usr/bin/python3
"""An interactive session as a person would have it, through ./run.sh; TAP on stdout.

    tests/run/interactive_test.py [OPTION of run.sh]...
"""
import sys
import time

import pexpect

from terminal import BACKSPACE, CTRL_A, CTRL_C, CTRL_D, CTRL_U, CTRL_Z, ESC, LEFT, TAB, UP, Session, case, run_cases, same


@case
def prompt_and_echo(s):
    same(s.run("echo hello; echo $((6*7))"), "hello\n42")


@case
def the_terminal_is_one(s):
    assert s.run("tty").startswith("/dev/"), "tty"
    same(s.run("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all"), "all")


@case
def backspace_and_kill_line(s):
    s.type("echo abx" + BACKSPACE + "c\r")
    assert "\nabc\n" in s.prompt()
    s.type("echo never" + CTRL_U + "echo instead\r")
    assert s.prompt().split("\n")[-2] == "instead"


@case
def cursor_keys(s):
    s.type("echo ac" + LEFT + "b\r")
    assert s.prompt().split("\n")[-2] == "abc"


@case
def history(s):
    s.run("echo first")
    s.run("echo second")
    s.type(UP + UP + "\r")
    assert s.prompt().split("\n")[-2] == "first"


@case
def completion(s):
    s.type("ls /bin/busyb" + TAB + "\r")
    assert "/bin/busybox" in s.prompt().split("\n")[-2]


@case
def ctrl_c_ends_a_command(s):
    s.type("sleep 100\r")
    time.sleep(0.5)
    s.type(CTRL_C)
    s.prompt()
    same(s.run("echo $?"), "130")


@case
def ctrl_c_ends_a_pipeline(s):
    s.type("yes | cat > /dev/null\r")
    time.sleep(0.5)
    s.type(CTRL_C)
    s.prompt()
    same(s.run("echo alive"), "alive")


@case
def ctrl_c_clears_the_line(s):
    s.type("echo not this" + CTRL_C)
    s.prompt()
    same(s.run("echo but this"), "but this")


@case
def ctrl_c_under_faults(s):
    s.type("faults sleep 100\r")
    time.sleep(0.5)
    s.type(CTRL_C)
    assert "terminated by signal 2" in s.prompt()
    same(s.run("echo $?"), "130")


@case
def ctrl_z_bg_fg(s):
    s.type("sleep 3\r")
    time.sleep(0.5)
    s.type(CTRL_Z)
    assert "Stopped" in s.prompt()
    assert "Stopped" in s.run("jobs")
    s.run("bg")
    assert "Running" in s.run("jobs")
    s.type("fg\r")
    s.prompt()
    same(s.run("jobs"), "")


@case
def ctrl_z_of_a_busy_program(s):
    s.type("while :; do :; done\r")
    time.sleep(0.3)
    s.type(CTRL_C)
    s.prompt()
    s.type("yes > /dev/null\r")
    time.sleep(0.5)
    s.type(CTRL_Z)
    assert "Stopped" in s.prompt()
    s.run("kill -9 %1")
    time.sleep(0.2)
    s.run("")


@case
def ctrl_d_is_end_of_file(s):
    s.type("cat\r")
    time.sleep(0.3)
    s.type("typed\r" + CTRL_D)
    assert s.prompt().count("typed") == 2


@case
def lines_are_edited_by_the_terminal(s):
    s.type("cat\r")
    time.sleep(0.3)
    s.type("wrnog" + BACKSPACE * 3 + "ong\r" + CTRL_D)
    assert s.prompt().split("\n")[-2] == "wrong"


@case
def background_job(s):
    s.run("(sleep 0.3; echo done > /tmp/done) &")
    time.sleep(0.8)
    assert "done" in s.run("cat /tmp/done").split("\n")


@case
def stty_and_size(s):
    assert "speed" in s.run("stty -a") or "intr" in s.run("stty -a")
    s.run("stty -echo")
    s.run("stty echo")
    same(s.run("echo back"), "back")


@case
def vi_saves(s):
    s.type("vi /tmp/note\r")
    time.sleep(1)
    s.type("ihello from vi" + ESC)
    time.sleep(0.3)
    s.type("osecond line" + ESC)
    time.sleep(0.3)
    s.type(":wq\r")
    s.prompt()
    same(s.run("cat /tmp/note"), "hello from vi\nsecond line")


@case
def vi_edits_what_is_there(s):
    s.type("vi /tmp/note\r")
    time.sleep(1)
    s.type("ddx:s/econd/nd/\r")
    time.sleep(0.3)
    s.type(":x\r")
    s.prompt()
    same(s.run("cat /tmp/note"), "nd line")


@case
def less_and_top_quit(s):
    s.type("seq 100 | less\r")
    time.sleep(0.7)
    s.type("q")
    s.prompt()
    s.type("top\r")
    time.sleep(1.5)
    s.type("q")
    s.prompt()
    same(s.run("echo alive"), "alive")


@case
def a_crash_is_reported(s):
    assert "Segmentation fault" in s.run("sh -c 'kill -SEGV $$'")


@case
def exit_ends_the_machine(s):
    s.type("exit\r")
    s.child.expect(pexpect.EOF, timeout=20)
    s.child.close()
    same(s.child.exitstatus, 0)


run_cases("interactive: ", lambda: Session(sys.argv[1:]))
