"""Plays tests/transcripts/*.test: what a client sends, and what must come back.

A transcript is made of blocks, separated by lines `---`. Lines that begin with `#` are comments.
A block begins with
  env N=V   before all messages: an environment variable of the process
  daemon    before all messages: the session is one of a daemon, through a shim
  ->        a message of the client (`jsonrpc` is added); as the id of an answer "*" is that of the
            last request of the server
  -> raw    bytes as they are, as a JSON string
  <-        the next message of the server: equal, but that "*" stands for anything, and that an
            object with the member "...": "..." may have more members
  load      the model, whose loading SCRIPTED_LOAD=held holds up, is loaded
  exit N    the process ends with this code, and nothing more comes
"""

import json
import os
import pathlib
import signal
import tempfile

from lsp_client import Client

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "transcripts"
PROGRAM = os.environ["SCRIPTED_LACUNA"]


def differs(expected, found, path="$"):
    """Where two values differ, or None."""
    if expected == "*":
        return None
    if isinstance(expected, dict) and isinstance(found, dict):
        open_ended = "..." in expected
        for key in expected.keys() - {"..."}:
            if key not in found:
                return f"{path}.{key} is missing"
            if problem := differs(expected[key], found[key], f"{path}.{key}"):
                return problem
        extra = found.keys() - expected.keys()
        return f"{path} has {sorted(extra)}, too" if extra and not open_ended else None
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{path} has {len(found)} items, not {len(expected)}"
        for i, (a, b) in enumerate(zip(expected, found)):
            if problem := differs(a, b, f"{path}[{i}]"):
                return problem
        return None
    same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
    return None if same else f"{path} is {found!r}, not {expected!r}"


def blocks_of(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for block in ("\n" + "\n".join(lines)).split("\n---"):
        if block.strip():
            yield block.strip()


class Mismatch(Exception):
    """The server said something else than the transcript."""


def play(path):
    """Everything that was said, in order: ("->" or "<-", message)."""
    with tempfile.TemporaryDirectory() as folder:
        return _Player(path, folder).play()


class _Player:
    def __init__(self, path, folder):
        self.path = path
        self.environment = {"HOME": "/nonexistent"}
        self.command = [PROGRAM, "lsp", "--no-daemon"]
        self.socket = folder + "/socket"
        self.client = None
        self.said = []
        self.last_asked = None

    def play(self):
        try:
            for number, block in enumerate(blocks_of(self.path.read_text()), 1):
                try:
                    self.block(*block.partition(" ")[::2])
                except Exception as error:
                    raise Mismatch(f"{self.path.name}, block {number}: {error}") from error
        finally:
            if self.client is not None:
                self.client.close()
        return self.said

    def block(self, head, rest):
        if head == "env":
            name, _, value = rest.partition("=")
            self.environment[name] = value
            return
        if head == "daemon":
            self.command = [PROGRAM, "lsp", "--socket", self.socket]
            return
        if self.client is None:
            self.client = Client(self.command, env=self.environment)
        if head == "exit":
            code = self.client.wait()
            if code != int(rest) or self.client.next() is not None:
                raise Mismatch(f"the exit code is {code}, or something came before it")
        elif head == "load":
            self.client.process.send_signal(signal.SIGUSR1)
        elif head == "<-":
            self.receive(json.loads(rest))
        elif head != "->":
            raise Mismatch(f"what is {head}?")
        elif rest.startswith("raw "):
            self.client.send_bytes(json.loads(rest[4:]).encode("latin-1"))
        else:
            self.send(json.loads(rest))

    def send(self, message):
        if message.get("id") == "*":
            message["id"] = self.last_asked
        self.said.append(("->", message))
        self.client.send(message)

    def receive(self, expected):
        found = self.client.next()
        if found is None:
            raise Mismatch("the stream has ended")
        if found.pop("jsonrpc") != "2.0":
            raise Mismatch("it is no JSON-RPC 2.0")
        self.said.append(("<-", found))
        if "method" in found and "id" in found:
            self.last_asked = found["id"]
        if problem := differs(expected, found):
            raise Mismatch(f"{problem}\n{json.dumps(found, indent=1)}")
