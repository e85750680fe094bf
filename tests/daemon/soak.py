"""Editors come, type, fill, cancel, are killed and go, for some minutes against the real daemon.

    soak.py PROGRAM MINUTES [SEED]

Checked: every request is answered exactly once and without an error that nobody asked for, at the end
nothing runs or waits, no session is left, no descriptor and no thread more is open than after the first
round, memory is where it was then, and no fill failed for another reason than the time limit of
suggestions, which a busy machine does not always keep. Prints figures as JSON, with the reasons of the
fills that failed; exit code 1 says what was wrong.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lsp_client import DEADLINE, Client  # noqa: E402

EDITORS = 6
KEYS = 25
# What an allocator may keep beside what is used, of what the first round has left.
SLACK_SHARE = 0.1
SLACK_BYTES = 16 << 20
ALLOWED = {-32800, -32801}  # cancelled, changed meanwhile
# A suggestion has 20 seconds from its request on.
TOO_LATE = {"the fill took longer than its time limit", "the fill waited longer than its time limit"}

SOURCE = """import math


class Circle:
    def __init__(self, radius):
        self.radius = radius

    def area(self):
        return math.pi * self.radius ** 2


def total(shapes):
    result = 0
    for shape in shapes:
        result += shape.area()
    return result
"""


def process_state(pid):
    """Resident bytes, open descriptors, threads."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return {
        "memory": int(fields["VmRSS"].split()[0]) * 1024,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(fields["Threads"]),
    }


class Soak:
    def __init__(self, program, seed):
        self.rng = random.Random(seed)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lacuna_soak_"))
        self.socket = self.folder / "d.sock"
        self.program = program
        self.env = {"HOME": str(self.folder), "PATH": os.environ.get("PATH", "")}
        self.daemon = subprocess.Popen(
            [program, "serve", "--socket", str(self.socket)],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(self.folder / "log", "wb"),
        )
        end = time.monotonic() + DEADLINE
        while not self.socket.exists():
            assert self.daemon.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, "the daemon does not listen"
            time.sleep(0.01)
        self.counts = {"sessions": 0, "requests": 0, "suggestions": 0, "killed": 0, "rounds": 0}
        self.peak = 0

    def editor(self):
        client = Client([self.program, "lsp", "--socket", str(self.socket)], env=self.env)
        client.initialize(capabilities={"workspace": {"applyEdit": False}})
        self.counts["sessions"] += 1
        return client

    def type_in(self, client, uri):
        """A burst of keys, each with its request, some of them cancelled."""
        lines = SOURCE.splitlines()
        line = self.rng.randrange(len(lines))
        at = len(lines[line])
        version = 1
        asked, cancelled = [], set()
        for _ in range(KEYS):
            version += 1
            place = {"line": line, "character": at}
            text = self.rng.choice("abc(x, \u00e9\u6f22")
            client.notify(
                "textDocument/didChange",
                {
                    "textDocument": {"uri": uri, "version": version},
                    "contentChanges": [{"range": {"start": place, "end": place}, "text": text}],
                },
            )
            at += 1
            asked.append(client.complete(uri, line, at, self.rng.choice([1, 2, 2, 2])))
            if self.rng.random() < 0.2:
                client.notify("$/cancelRequest", {"id": asked[-1]})
                cancelled.add(asked[-1])
            if self.rng.random() < 0.2:
                client.answer(asked[-1])
        fill = client.request(
            "lacuna/fill",
            {
                "textDocument": {"uri": uri},
                "ranges": [{"start": {"line": 8, "character": 15}, "end": {"line": 8, "character": 15}}],
                "maxTokens": 16,
                "partialResultToken": "steps",
            },
        )
        if self.rng.random() < 0.3:
            client.notify("$/cancelRequest", {"id": fill})
        return [*asked, fill], cancelled

    def check_answers(self, client, asked, cancelled):
        for request in asked:
            client.answer(request)
        client.call("lacuna/status")  # whatever came twice has come now
        for request in asked:
            answers = client.answers[json.dumps(request)]
            assert len(answers) == 1, f"{len(answers)} answers to one request"
            error = answers[0].get("error")
            if request == asked[-1]:
                assert error is None or error["code"] in ALLOWED, error
            else:
                assert error is None or request in cancelled, error
                self.counts["suggestions"] += 1 if error is None and answers[0]["result"] else 0
        self.counts["requests"] += len(asked)

    def round(self):
        """Everything that happens, from no session to no session."""
        editors = [self.editor() for _ in range(EDITORS)]
        open_requests = []
        for i, client in enumerate(editors):
            uri = f"file:///w/{i}.py"
            client.open(uri, SOURCE)
            for k in range(10):
                client.open(f"file:///w/{i}_{k}.py", SOURCE * self.rng.randrange(1, 60))
            open_requests.append(self.type_in(client, uri))
        self.peak = max(self.peak, process_state(self.daemon.pid)["memory"])
        killed = self.rng.randrange(EDITORS)
        for i, client in enumerate(editors):
            if i == killed:
                client.kill()
                self.counts["killed"] += 1
            else:
                self.check_answers(client, *open_requests[i])
                client.call("shutdown")
                client.notify("exit")
                assert client.wait() == 0
            client.close()
        self.counts["rounds"] += 1

    def settle(self):
        """With no session but one, and the model unloaded."""
        client = self.editor()
        end = time.monotonic() + DEADLINE
        while True:
            status = client.call("lacuna/status")["result"]
            idle = status["queue"] == {"waiting": 0, "running": 0} and status["sessions"] == 1
            if idle and status["model"]["phase"] == "unloaded":
                break
            if idle:
                client.call("workspace/executeCommand", {"command": "lacuna.unloadModel"})
            assert time.monotonic() < end, f"something is left: {status}"
            time.sleep(0.01)
        state = process_state(self.daemon.pid)
        client.call("shutdown")
        client.notify("exit")
        client.wait()
        client.close()
        return state, status

    def run(self, minutes):
        self.round()
        before, _ = self.settle()
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            self.round()
        after, status = self.settle()
        return {
            **self.counts,
            "minutes": minutes,
            "engine": status["counters"],
            "failures": status["failures"],
            "memory_after_first_round": before["memory"],
            "memory_peak": self.peak,
            "memory_at_end": after["memory"],
            "descriptors": [before["descriptors"], after["descriptors"]],
            "threads": [before["threads"], after["threads"]],
        }

    def close(self):
        self.daemon.terminate()
        self.daemon.wait(DEADLINE)
        shutil.rmtree(self.folder, True)


def problems_of(figures):
    allowed = figures["memory_after_first_round"] * (1 + SLACK_SHARE) + SLACK_BYTES
    if figures["memory_at_end"] > allowed:
        yield "memory did not return to where it was"
    for what in ("descriptors", "threads"):
        if figures[what][1] > figures[what][0]:
            yield f"{what} were left open"
    for why, count in figures["failures"].items():
        if why not in TOO_LATE:
            yield f"{count} fills failed: {why}"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    seed = int(sys.argv[3]) if len(sys.argv) == 4 else random.randrange(1 << 30)
    print(f"seed {seed}", file=sys.stderr)
    soak = Soak(sys.argv[1], seed)
    try:
        figures = soak.run(float(sys.argv[2]))
    finally:
        soak.close()
    print(json.dumps(figures, indent=1))
    problems = list(problems_of(figures))
    for problem in problems:
        print(f"soak: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
