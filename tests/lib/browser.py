"""A headless chromium, driven by its developer protocol over a pipe: fd 3 in, fd 4 out, messages ended by NUL."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Browser:
    """with Browser() as page: page.ask(...) speaks to one blank page. At the end it removes the browser and its
    files."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
               "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"]

    def __enter__(self):
        to_r, self.to = os.pipe()
        from_r, from_w = os.pipe()
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # The program wants its pipe on 3 and 4, whatever numbers the pipes have here.
        script = f'exec "$@" 3<&{to_r} 4>&{from_w}'
        self.process = subprocess.Popen(["sh", "-c", script, "sh", *self.command, "--user-data-dir=" + self.profile.name],
                                        pass_fds=(to_r, from_w), stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(to_r)
        os.close(from_w)
        self.answers, self.buffer, self.number, self.session = os.fdopen(from_r, "rb"), b"", 0, None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        return self

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.buffer:
                more = os.read(self.answers.fileno(), 65536)
                if not more:
                    sys.exit("chromium ended")
                self.buffer += more
            one, self.buffer = self.buffer.split(b"\0", 1)
            answer = json.loads(one)
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"chromium: {answer['error']}")
                return answer["result"]

    def value(self, expression):
        """Returns the value of a JavaScript expression in the page. It must be a plain value."""
        return self.ask("Runtime.evaluate", expression=expression)["result"].get("value")

    def until(self, expression, seconds=10):
        """Waits until an expression is true. If it never is, the failure shows the page."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            if time.monotonic() > end:
                sys.exit(f"never true: {expression}\n{self.value('location.href')}\n{self.value('document.body.innerText')}")
            time.sleep(0.05)

    def go(self, url):
        self.ask("Page.navigate", url=url)
        self.until("location.href != 'about:blank' && document.readyState == 'complete'")

    def __exit__(self, *unused):
        os.close(self.to)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.answers.close()
        # (the browser's helpers may still write to the profile)
        end = time.monotonic() + 10
        while os.path.exists(self.profile.name) and time.monotonic() < end:
            shutil.rmtree(self.profile.name, ignore_errors=True)
            time.sleep(0.02)
        self.profile.cleanup()
