#!/usr/bin/env python3
"""The HTTP side of the real `lacuna serve`, with the model that ships with Lacuna."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
from lacuna_process import EXECUTABLE, LacunaTest  # noqa: E402

DEADLINE = 120  # seconds; machines are slow at times


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ServeTest(LacunaTest):
    def start(self, *options):
        self.port = free_port()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LACUNA_")}
        for name in ("RUNTIME_DIR", "STATE_HOME", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME"):
            folder = self.folder / name
            folder.mkdir(mode=0o700, exist_ok=True)
            environment[f"XDG_{name}"] = str(folder)
        environment["HOME"] = str(self.folder)
        self.log = open(self.folder / "log", "w+b")
        self.server = subprocess.Popen(
            [EXECUTABLE, "serve", "--http", f"127.0.0.1:{self.port}", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log, env=environment)
        self.addCleanup(self.stop)
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                self.assertEqual(self.get("/health")["status"], "ok")
                return
            except ConnectionRefusedError:
                self.assertIsNone(self.server.poll(), self.log_text())
                self.assertLess(time.monotonic(), deadline, "the server does not listen")
                time.sleep(0.05)

    def stop(self):
        self.server.terminate()
        self.server.wait(DEADLINE)
        self.log.close()

    def log_text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        self.addCleanup(connection.close)
        return connection

    def get(self, path):
        connection = self.connect()
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())

    def post(self, path, body):
        connection = self.connect()
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return connection.getresponse()

    def test_infill_streams_and_cancellation_with_the_real_model(self):
        self.start()
        with self.subTest("a fill between two texts"):
            answer = self.post("/infill", {"input_prefix": "def add(a, b):\n", "prompt": "    return ",
                                           "input_suffix": "\n\nprint(add(1, 2))\n", "n_predict": 24})
            body = json.loads(answer.read())
            self.assertEqual(answer.status, 200, body)
            self.assertIn("a", body["content"])
            self.assertGreater(body["tokens_predicted"], 0)
            self.assertGreater(body["timings"]["predicted_ms"], 0)
            self.assertEqual(body["model"], "lacuna-small")

        with self.subTest("every step of three holes"):
            text = "def f(a, b):\n    c = ⟦?⟧\n    d = ⟦?⟧\n    return ⟦?⟧\n"
            answer = self.post("/lacuna/fill", {"text": text, "language": "python",
                                                "max_tokens": 8})
            self.assertEqual(answer.status, 200)
            events = [event.split("\n") for event in answer.read().decode().split("\n\n") if event]
            names = [lines[0].removeprefix("event: ") for lines in events]
            self.assertEqual((names[0], names[-1]), ("start", "done"))
            self.assertGreater(names.count("step"), 0)
            done = json.loads(events[-1][1].removeprefix("data: "))
            self.assertEqual(len(done["holes"]), 3)
            # So small a model may find nothing that parses; such a hole keeps its marker.
            withheld = [hole for hole in done["holes"] if hole["syntax"] == "withheld"]
            self.assertEqual(done["text"].count("⟦"), len(withheld))
            for hole in withheld:
                self.assertNotEqual(hole["reason"], "")
            self.assertTrue(done["text"].startswith("def f(a, b):\n    c = "))
            self.assertGreaterEqual(done["forward_passes"], 1)

        with self.subTest("without the grammar every hole is filled"):
            answer = self.post("/lacuna/fill", {"text": text, "language": "python",
                                                "max_tokens": 8, "syntax": False})
            last = answer.read().decode().split("\n\n")[-2].split("\n")[1]
            done = json.loads(last.removeprefix("data: "))
            self.assertNotIn("⟦", done["text"])
            self.assertEqual({hole["syntax"] for hole in done["holes"]}, {"unchecked"})

        with self.subTest("a stream of a completion"):
            answer = self.post("/v1/completions", {
                "prompt": "<fim_prefix>x = [1, 2, <fim_suffix>]\n<fim_middle>", "max_tokens": 8,
                "stream": True})
            data = [line[6:] for line in answer.read().decode().split("\n") if line]
            self.assertEqual(data[-1], "[DONE]")
            for line in data[:-1]:
                self.assertEqual(json.loads(line)["object"], "text_completion")

        with self.subTest("a client that leaves stops the work"):
            # With the slowest way to decode there is time to leave.
            body = json.dumps({"text": "def f(x):\n" + "    x = ⟦?64⟧\n" * 8, "profile": "exact"})
            client = socket.create_connection(("127.0.0.1", self.port))
            client.sendall(f"POST /lacuna/fill HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                           f"{len(body.encode())}\r\n\r\n{body}".encode())
            received = b""
            while b"event: start" not in received:
                part = client.recv(65536)
                self.assertNotEqual(part, b"", received)
                received += part
            client.close()
            self.assertTrue(self.wait_for_metric("lacuna_http_clients_gone_total", 1))
            self.assertTrue(self.wait_for_metric("lacuna_fills_running", 0))
            self.assertTrue(self.wait_for_metric('lacuna_fills_total{end="cancelled"}', 1))

        with self.subTest("no source text in the log"):
            self.assertNotIn("print(add", self.log_text())

    def wait_for_metric(self, name, value):
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            connection = self.connect()
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            if f"\n{name} {value}\n" in text:
                return True
            time.sleep(0.05)
        return False


if __name__ == "__main__":
    unittest.main()
