"""A person at the terminal of ./run.sh: what the interactive tests share; TAP on stdout."""
import os
import re
import time

import pexpect

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROMPT = r":[^ \r\n]*[#$] (?:\x1b\[6n)?$"		# the shell asks where the cursor is; nobody answers
# QEMU takes Ctrl-A for itself: twice, it is one for the guest.
CTRL_A, CTRL_C, CTRL_D, CTRL_O, CTRL_R, CTRL_U, CTRL_X, CTRL_Z, ESC = "\x01", "\x03", "\x04", "\x0f", "\x12", "\x15", "\x18", "\x1a", "\x1b"
UP, LEFT, DOWN, BACKSPACE, TAB = ESC + "[A", ESC + "[D", ESC + "[B", "\x7f", "\t"
ESCAPES = re.compile(r"\x1b(?:\[[0-9;?>]*[ -/]*[@-~]|[()][A-Z0-9]|[=>])")

cases = []


def plain(text):
    """What is left of the terminal's output without escape sequences and carriage returns."""
    return ESCAPES.sub("", text).replace("\r", "")


class Session:
    """Boots, and waits for the shell's prompt; patience: seconds for all that comes after."""

    def __init__(self, options, patience=8, boots_within=90, **environment):
        self.child = pexpect.spawn("./run.sh", options, cwd=TOP, encoding="latin-1", timeout=patience, dimensions=(24, 80), env=dict(os.environ, **environment))
        self.child.delaybeforesend = 0.02
        self.child.expect(PROMPT, timeout=boots_within)

    def type(self, text, wait=0.0):
        # A person does not type faster than this, and a terminal that answers slowly is not what is tested.
        for part in re.findall(r"\x1b\[.|.", text, re.S):
            self.child.send(part)
        time.sleep(wait)

    def prompt(self):
        """Waits for the prompt; what was printed before it."""
        self.child.expect(PROMPT)
        return plain(self.child.before)

    def run(self, command):
        """Types a line; what it printed, without the line itself."""
        self.type(command + "\r")
        return "\n".join(self.prompt().split("\n")[1:-1])


def case(function):
    cases.append(function)
    return function


def same(got, wanted):
    assert got == wanted, f"got {got!r}, not {wanted!r}"


def run_cases(prefix, begin):
    """All cases in one session, made by begin(); in a new one after each that fails."""
    print(f"1..{len(cases)}")
    session = None
    for number, test in enumerate(cases, 1):
        name = prefix + test.__name__.replace("_", " ")
        try:
            session = session or begin()
            test(session)
            print(f"ok {number} - {name}", flush=True)
        except (AssertionError, IndexError, pexpect.ExceptionPexpect) as why:
            seen = session.child.before if session and isinstance(session.child.before, str) else ""
            print("# %s; the terminal's last: %r" % (str(why).split("\n")[0], seen[-300:]))
            print(f"not ok {number} - {name}", flush=True)
            if session:
                session.child.close(force=True)
            session = None
