"""Runs tests/transcripts/*.test: what a client sends, and what must come back.

A transcript is made of blocks, separated by lines `---`. Lines that begin with `#` are comments.
A block begins with
  ->        a message of the client (`jsonrpc` is added)
  -> raw    bytes as they are, as a JSON string
  <-        the next message of the server: equal, but that "*" stands for anything, and that an
            object with the member "...": "..." may have more members
  exit N    the process ends with this code, and nothing more comes
"""

import json
import os
import pathlib
import unittest

from lsp_client import Client

PROGRAM = os.environ["SCRIPTED_LACUNA"]
FOLDER = pathlib.Path(__file__).resolve().parents[1] / "transcripts"


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
    return None if expected == found else f"{path} is {found!r}, not {expected!r}"


def blocks_of(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for block in "\n".join(lines).split("\n---"):
        if block.strip():
            yield block.strip()


class Transcripts(unittest.TestCase):
    def play(self, path):
        client = Client([PROGRAM, "lsp", "--no-daemon"], env={"HOME": "/nonexistent"})
        self.addCleanup(client.close)
        for number, block in enumerate(blocks_of(path.read_text()), 1):
            where = f"{path.name}, block {number}"
            head, _, rest = block.partition(" ")
            if head == "exit":
                self.assertEqual(client.wait(), int(rest), where)
                self.assertIsNone(client.next(), where)
            elif head == "<-":
                found = client.next()
                self.assertIsNotNone(found, f"{where}: the stream has ended")
                self.assertEqual(found.pop("jsonrpc"), "2.0")
                if problem := differs(json.loads(rest), found):
                    self.fail(f"{where}: {problem}\n{json.dumps(found, indent=1)}")
            elif rest.startswith("raw "):
                client.send_bytes(json.loads(rest[4:]).encode("latin-1"))
            else:
                client.send(json.loads(rest))


def add(path):
    name = "test_" + path.stem.replace("-", "_")
    setattr(Transcripts, name, lambda self: self.play(path))


for transcript in sorted(FOLDER.glob("*.test")):
    add(transcript)

if __name__ == "__main__":
    unittest.main()
