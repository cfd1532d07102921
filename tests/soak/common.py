"""What the parts of the soak share: it starts programs as a user, with a deadline, and reports broken promises. It must not
hide a failure: a program that does not end in time is a violation like any other."""
import os
import signal
import subprocess

TOP = os.environ["CES_TOP"]
IMAGE = "open.tre.test/epcced/"
SLOWER = int(os.environ.get("CES_PATIENCE", "100")) / 100  # than this machine: an emulated one
DEADLINE = 60 * SLOWER  # seconds of any one operation


class Violation(Exception):
    """A promise that was broken."""


class Outcome:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return f"status {self.status}, output {self.out[-200:]!r}, errors {self.err[-300:]!r}"


def must(condition, text):
    if not condition:
        raise Violation(text)


def as_user(user, words):
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--reset-env", "env", "-C", f"/home/{user}", *words]


def start(words, stdin=subprocess.DEVNULL):
    return subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def finish(process, words, seconds=DEADLINE):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise Violation(f"did not end in {seconds} s: {' '.join(words)}: {err[-300:]!r}") from None
    return Outcome(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def call(words, seconds=DEADLINE):
    return finish(start(words), words, seconds)


def shell(text, seconds=DEADLINE):
    """Runs commands with the lab's own functions."""
    return call(["bash", "-c", f"cd {TOP}; . tests/lib/lab/services.sh; {text}"], seconds)
