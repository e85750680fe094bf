"""Two editors type at random against one daemon, and what must hold always is checked.

Every request is answered exactly once; what is shown fits the text; nobody gets an error, unless he
has cancelled; at most one order runs.
"""

import os
import pathlib
import random
import shutil
import signal
import tempfile
import unittest

from lsp_client import Client

PROGRAM = os.environ["SCRIPTED_LACUNA"]
FILL = "value_of_the_thing"
SEED = int(os.environ.get("KEYSTROKES_SEED", "20261127"))
KEYS = 400


class Typist:
    """Types mostly what is suggested, as people do, and sometimes something else."""

    def __init__(self, client, uri, rng, steps):
        self.client, self.uri, self.rng = client, uri, rng
        self.head = f"# script: fill={FILL} steps={steps}\n"
        self.line = "x = "
        self.version = 1
        self.asked = {}  # id: the line before the cursor when it was asked
        self.cancelled = set()
        self.wanted = FILL
        client.open(uri, self.head + self.line + "\n")

    def change(self, start, end, text):
        self.version += 1
        edit = {
            "range": {
                "start": {"line": 1, "character": start},
                "end": {"line": 1, "character": end},
            },
            "text": text,
        }
        self.client.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self.version},
                "contentChanges": [edit],
            },
        )
        self.line = self.line[:start] + text + self.line[end:]

    def key(self):
        at = len(self.line)
        what = self.rng.random()
        if what < 0.6:
            self.change(at, at, self.wanted[:1] or "\t")
            self.wanted = self.wanted[1:] or FILL
        elif what < 0.75 and at > 4:
            self.change(at - 1, at, "")
        elif what < 0.85:
            self.change(at, at, self.rng.choice("(+ \u00e9\u6f22"))
            self.wanted = FILL
        elif what < 0.9:
            self.change(4, at, "")
            self.wanted = FILL
        request = self.client.complete(self.uri, 1, len(self.line), self.rng.choice([1, 2, 2, 2]))
        self.asked[request] = self.line
        if self.rng.random() < 0.2:
            victim = self.rng.choice(list(self.asked))
            self.client.notify("$/cancelRequest", {"id": victim})
            self.cancelled.add(victim)
        if self.rng.random() < 0.3:
            self.client.answer(request)  # waits, as somebody who reads


class Keystrokes(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lacuna_keys_"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def client(self):
        command = [PROGRAM, "lsp", "--socket", str(self.folder / "d.sock")]
        client = Client(command, env={"HOME": str(self.folder)})
        self.addCleanup(client.close)
        client.initialize()
        return client

    def check(self, typist):
        for request, line in typist.asked.items():
            typist.client.answer(request)
        for request, line in typist.asked.items():
            answers = typist.client.answers[str(request)]
            self.assertEqual(len(answers), 1, f"request {request} has {len(answers)} answers")
            answer = answers[0]
            if "error" in answer:
                self.assertEqual(answer["error"]["code"], -32800)
                self.assertIn(request, typist.cancelled)
                continue
            for item in (answer["result"] or {"items": []})["items"]:
                self.assertEqual(item["range"]["start"]["character"], len(line))
                self.assertEqual(item["range"]["start"], item["range"]["end"])
                self.assertTrue((line + item["insertText"]).endswith(FILL), (line, item))
                self.assertTrue(FILL.endswith(item["insertText"]), (line, item))

    def test_what_must_hold_always_holds(self):
        print("seed", SEED)
        rng = random.Random(SEED)
        clients = [self.client(), self.client()]
        daemon = clients[0].call("lacuna/status")["result"]["processId"]
        self.addCleanup(os.kill, daemon, signal.SIGKILL)
        typists = [
            Typist(client, f"file:///w/{i}.py", rng, steps)
            for i, (client, steps) in enumerate(zip(clients * 2, [1, 3, 30, 2]))
        ]
        for key in range(KEYS):
            rng.choice(typists).key()
            if key % 50 == 0:
                queue = clients[0].call("lacuna/status")["result"]["queue"]
                self.assertLessEqual(queue["running"], 1)
                self.assertLessEqual(queue["waiting"], 8)
        for typist in typists:
            self.check(typist)
        counters = clients[0].call("lacuna/status")["result"]["counters"]
        self.assertEqual(counters["failed"], 0)


if __name__ == "__main__":
    unittest.main()
