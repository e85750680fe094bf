"""The daemon and its shims as processes: started, shared, killed, abused."""

import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from lsp_client import DEADLINE, Client, Frames, frame

PROGRAM = os.environ["SCRIPTED_LACUNA"]
URI = "file:///w/a.py"


def wait_until(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(condition)
        time.sleep(0.01)  # between looks, not instead of one


class Processes(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lacuna_daemon_"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.socket = self.folder / "d.sock"
        self.env = {"HOME": str(self.folder)}
        self.addCleanup(self.end_daemon)

    def end_daemon(self):
        pid = self.daemon_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def daemon_pid(self):
        """Of the process that listens at the socket; None when nobody does."""
        try:
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(self.socket))
                data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                return int.from_bytes(data[:4], "little")
        except OSError:
            return None

    def shim(self, **extra):
        client = Client([PROGRAM, "lsp", "--socket", str(self.socket)], env=self.env)
        self.addCleanup(client.close)
        client.initialize(**extra)
        return client

    def raw(self):
        """A client of the socket without a shim."""
        peer = socket.socket(socket.AF_UNIX)
        self.addCleanup(peer.close)
        peer.settimeout(DEADLINE)
        peer.connect(str(self.socket))
        return peer

    def status(self, client):
        return client.call("lacuna/status")["result"]

    def check_works(self, client, text="# script: fill=works\nx = \n"):
        client.open(URI, text)
        answer = client.answer(client.complete(URI, 1, 4))
        self.assertEqual(answer["result"]["items"][0]["insertText"], "works")

    def test_the_first_shim_starts_the_daemon_and_others_share_it(self):
        first = self.shim()
        second = self.shim()
        self.assertEqual(self.status(first)["processId"], self.status(second)["processId"])
        self.assertEqual(self.status(first)["sessions"], 2)
        self.check_works(first)
        self.check_works(second)
        self.assertEqual(self.status(first)["counters"]["loads"], 1)

    def test_many_shims_at_once_start_one_daemon(self):
        command = [PROGRAM, "lsp", "--socket", str(self.socket)]
        clients = [Client(command, env=self.env) for _ in range(8)]
        for client in clients:
            self.addCleanup(client.close)
        for client in clients:
            client.initialize()
        self.assertEqual(len({self.status(client)["processId"] for client in clients}), 1)

    def test_only_the_user_may_connect(self):
        self.shim()
        self.assertEqual(stat.S_IMODE(self.socket.stat().st_mode), 0o600)

    def test_a_shim_ends_with_its_editor_and_the_daemon_stays(self):
        stays, goes = self.shim(), self.shim()
        goes.process.stdin.close()
        self.assertEqual(goes.wait(), 1)
        wait_until(lambda: self.status(stays)["sessions"] == 1)
        self.check_works(stays)

    def test_the_daemon_holds_no_pipe_of_the_editor(self):
        client = self.shim()
        pid = self.status(client)["processId"]
        pipes = {os.readlink(f"/proc/{client.process.pid}/fd/{fd}") for fd in (0, 1)}
        held = {os.readlink(path) for path in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
        self.assertFalse(pipes & held)

    def test_a_shim_that_has_ended_the_daemon_starts_none_until_it_needs_one(self):
        client = self.shim()
        client.open(URI, "# script: fill=before\nx = \n")
        client.call("workspace/executeCommand", {"command": "lacuna.shutdownDaemon"})
        wait_until(lambda: not self.socket.exists())
        start = {"line": 0, "character": 15}
        end = {"line": 0, "character": 21}
        change = {"range": {"start": start, "end": end}, "text": "after"}
        document = {"uri": URI, "version": 2}
        client.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )
        other = self.shim()
        other.call("workspace/executeCommand", {"command": "lacuna.shutdownDaemon"})
        wait_until(lambda: not self.socket.exists())
        self.assertEqual(other.call("shutdown").get("result", "none"), None)
        other.notify("exit")
        self.assertEqual(other.wait(), 0)
        self.assertIsNone(self.daemon_pid())
        answer = client.answer(client.complete(URI, 1, 4))
        self.assertEqual(answer["result"]["items"][0]["insertText"], "after")
        self.assertIsNotNone(self.daemon_pid())

    def test_a_daemon_waits_for_the_one_that_ends(self):
        """An ending daemon has closed its socket, but holds its lock until its last step is done."""
        log = self.folder / "d.sock.log"
        with open(f"{self.socket}.lock", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            client = Client([PROGRAM, "lsp", "--socket", str(self.socket)], env=self.env)
            self.addCleanup(client.close)
            params = {"processId": None, "rootUri": None, "capabilities": {}}
            request = client.request("initialize", params)
            wait_until(log.exists)  # made when the daemon is started
            time.sleep(0.3)  # in which one that does not wait has given up
        self.assertIn("capabilities", client.answer(request)["result"])

    def test_exit_ends_the_shim_with_the_code_of_the_specification(self):
        client = self.shim()
        client.call("shutdown")
        client.notify("exit")
        self.assertEqual(client.wait(), 0)

    def test_a_shim_ends_when_the_process_of_the_editor_is_gone(self):
        editor = subprocess.Popen(["sleep", "600"])
        self.addCleanup(editor.kill)
        client = self.shim(processId=editor.pid)
        editor.kill()
        editor.wait()
        self.assertEqual(client.wait(), 1)

    def test_a_killed_shim_frees_its_session(self):
        stays, killed = self.shim(), self.shim()
        killed.open(URI, "# script: until_stopped\nx = \n")
        killed.complete(URI, 1, 4)
        wait_until(lambda: self.status(stays)["queue"]["running"] == 1)
        killed.kill()
        wait_until(lambda: self.status(stays)["queue"]["running"] == 0)
        wait_until(lambda: self.status(stays)["sessions"] == 1)
        self.check_works(stays)

    def test_a_killed_daemon_comes_back_with_the_documents_as_they_are(self):
        client = self.shim()
        client.open(URI, "# script: fill=works\n\n")
        at = {"line": 1, "character": 0}
        client.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": URI, "version": 2},
                "contentChanges": [{"range": {"start": at, "end": at}, "text": "y = "}],
            },
        )
        before = self.status(client)["processId"]
        os.kill(before, signal.SIGKILL)
        answer = client.answer(client.complete(URI, 1, 4))
        self.assertEqual(answer["result"]["items"][0]["insertText"], "works")
        self.assertNotEqual(self.status(client)["processId"], before)
        told = [m for m in client.received if m.get("method") == "window/logMessage"]
        self.assertEqual(len(told), 1)
        self.assertEqual(len(client.answers["1"]), 1)

    def test_a_request_that_kills_no_second_daemon_is_answered_by_it(self):
        client = self.shim()
        client.open(URI, "# script: until_stopped\nx = \n")
        waits = client.complete(URI, 1, 4)
        wait_until(lambda: self.status(client)["queue"]["running"] == 1)
        os.kill(self.status(client)["processId"], signal.SIGKILL)
        wait_until(lambda: self.status(client)["queue"]["running"] == 1)
        os.kill(self.status(client)["processId"], signal.SIGKILL)
        self.assertIsNone(client.answer(waits)["result"])

    def test_a_daemon_that_dies_again_and_again_is_given_up(self):
        client = self.shim()
        kills = 0
        while client.process.poll() is None:
            pid = self.daemon_pid()
            if pid is None:
                time.sleep(0.01)
                continue
            # Heard of by the shim: a daemon that never said a word is not counted as a death.
            try:
                self.status(client)
                os.kill(pid, signal.SIGKILL)
                kills += 1
            except (EOFError, BrokenPipeError, ProcessLookupError):
                pass
            wait_until(lambda: client.process.poll() is not None or self.daemon_pid() != pid)
        self.assertEqual(client.wait(), 1)
        self.assertEqual(kills, 6)
        wait_until(lambda: "again and again" in "".join(client.errors))

    def test_a_daemon_without_sessions_ends_after_its_idle_time(self):
        self.env.update(SCRIPTED_MINUTE="0.5", LACUNA_IDLE_EXIT_MINUTES="1")
        client = self.shim()
        first = self.status(client)["processId"]
        self.check_works(client)
        wait_until(lambda: self.status(client)["idleSeconds"] > 1)  # twice the idle time
        self.assertEqual(self.status(client)["processId"], first)
        client.notify("exit")
        client.wait()
        wait_until(lambda: not self.socket.exists())
        later = self.shim()
        self.assertNotEqual(self.status(later)["processId"], first)
        self.check_works(later)

    def test_an_idle_model_is_unloaded_and_the_next_request_is_served(self):
        self.env.update(SCRIPTED_MINUTE="0.2", LACUNA_IDLE_UNLOAD_MINUTES="1")
        client = self.shim()
        self.check_works(client)
        wait_until(lambda: self.status(client)["model"]["phase"] == "unloaded")
        self.check_works(client, "# script: fill=works\ny = \n")
        counters = self.status(client)["counters"]
        self.assertEqual(counters["failed"], 0)
        self.assertGreaterEqual(counters["loads"], 2)
        self.assertGreaterEqual(counters["unloads"], 1)

    def test_a_daemon_of_another_version_serves_and_the_editor_is_told(self):
        self.env["SCRIPTED_VERSION"] = "old"
        old = self.shim()
        self.env["SCRIPTED_VERSION"] = "new"
        new = self.shim()
        self.check_works(new)
        self.assertEqual(self.status(new)["version"], "old")
        told = [m["params"] for m in new.received if m.get("method") == "window/logMessage"]
        self.assertEqual([message["type"] for message in told], [2])
        self.assertIn("the daemon is version old, this is new", told[0]["message"])
        self.assertFalse([m for m in old.received if m.get("method") == "window/logMessage"])

    def test_a_daemon_that_is_asked_to_end_takes_its_socket_along(self):
        self.shim().close()
        os.kill(self.daemon_pid(), signal.SIGTERM)
        wait_until(lambda: not self.socket.exists())

    def test_a_stale_socket_is_replaced_and_a_second_daemon_refused(self):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(self.socket))
        self.check_works(self.shim())
        command = [PROGRAM, "serve", str(self.socket)]
        command.insert(2, "--socket")
        second = subprocess.run(command, env=self.env, capture_output=True, timeout=DEADLINE)
        self.assertEqual(second.returncode, 1)
        self.assertIn(b"already", second.stderr)

    def test_hostile_bytes_end_their_own_session_only(self):
        client = self.shim()
        random.seed(5)
        for stream in [
            b"Content-Length: 2147483648\r\n\r\n",
            b"\xff" * 10000,
            b"Content-Length: -1\r\n\r\n{}",
            frame(b"[" * 100000) + b"\r\n\r\n",
            random.randbytes(20000) + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ]:
            peer = self.raw()
            try:
                peer.sendall(stream)
                while peer.recv(1 << 16):
                    pass
            except ConnectionError:
                pass
            peer.close()
        wait_until(lambda: self.status(client)["sessions"] == 1)
        self.check_works(client)

    def test_ten_thousand_spoiled_messages_end_no_other_session(self):
        """Messages of a real session, each with some of its bytes changed, in frames that are right."""
        client = self.shim()
        rng = random.Random(11)
        place = {"textDocument": {"uri": URI, "version": 2}, "position": {"line": 1, "character": 4}}
        spot = {"line": 0, "character": 3}
        change = {"range": {"start": spot, "end": spot}, "text": "\u6f22"}
        text = "# script: fill=a|b\nx = \u27e6?\u27e7\n"
        item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        sources = [
            {"method": "textDocument/didOpen", "params": {"textDocument": item}},
            {"method": "textDocument/didChange", "params": {**place, "contentChanges": [change]}},
            {"id": 7, "method": "textDocument/inlineCompletion",
             "params": {**place, "context": {"triggerKind": 1}}},
            {"id": 8, "method": "lacuna/fill",
             "params": {**place, "what": "all", "partialResultToken": "t", "range": change["range"]}},
            {"id": 9, "method": "textDocument/codeAction",
             "params": {**place, "range": change["range"], "context": {"diagnostics": []}}},
            {"id": 10, "method": "workspace/executeCommand",
             "params": {"command": "lacuna.fillHoles", "arguments": [{"what": "all", "uri": URI}]}},
            {"method": "workspace/didChangeConfiguration", "params": {"settings": {"lacuna": {"enable": True}}}},
            {"method": "$/cancelRequest", "params": {"id": 7}},
        ]  # fmt: skip
        bodies = [json.dumps({"jsonrpc": "2.0", **source}).encode() for source in sources]
        for _ in range(20):
            peer = self.raw()
            answers = threading.Thread(target=self.drain, args=[peer])
            answers.start()
            try:
                peer.sendall(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}))
                peer.sendall(frame({"jsonrpc": "2.0", "method": "initialized", "params": {}}))
                for _ in range(500):
                    body = bytearray(rng.choice(bodies))
                    for _ in range(rng.randrange(1, 4)):
                        at = rng.randrange(len(body))
                        body[at : at + rng.randrange(3)] = rng.choice(
                            [b"", b"\xff", b"\0", b"}", b'"', b"-", b"9" * 30, b"null", rng.randbytes(4)]
                        )
                    peer.sendall(frame(bytes(body)))
            finally:
                peer.shutdown(socket.SHUT_RDWR)
                answers.join(DEADLINE)
                peer.close()
        wait_until(lambda: self.status(client)["sessions"] == 1)
        wait_until(lambda: self.status(client)["queue"] == {"waiting": 0, "running": 0})
        self.check_works(client)

    @staticmethod
    def drain(peer):
        try:
            while peer.recv(1 << 16):
                pass
        except OSError:
            pass  # closed by the test

    def test_a_half_closed_socket_ends_its_session(self):
        client = self.shim()
        peer = self.raw()
        peer.sendall(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})[:50])
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(peer.recv(100), b"")
        wait_until(lambda: self.status(client)["sessions"] == 1)

    def test_a_client_that_never_reads_blocks_nobody(self):
        client = self.shim()
        peer = self.raw()
        peer.sendall(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}))
        peer.setblocking(False)
        status = frame({"jsonrpc": "2.0", "id": 2, "method": "lacuna/status"})
        sent = 0
        try:
            for _ in range(200000):
                sent += peer.send(status)
        except BlockingIOError:
            pass  # the daemon has stopped to read: that is the back-pressure
        self.assertLess(sent, 200000 * len(status))
        self.check_works(client)
        peer.close()
        wait_until(lambda: self.status(client)["sessions"] == 1)

    def test_a_document_of_ten_megabytes_is_kept_and_refused_politely(self):
        client = self.shim()
        client.open("file:///w/big.py", "x = 1\n" * 1750000)
        self.assertIsNone(client.answer(client.complete("file:///w/big.py", 5, 5))["result"])
        why = client.call("workspace/executeCommand", {"command": "lacuna.explainLast"})
        self.assertIn("4 MiB", why["result"]["outcome"])
        self.check_works(client)

    def test_a_thousand_documents_and_many_sessions(self):
        first = self.shim()
        for i in range(1000):
            first.open(f"file:///w/{i}.py", f"value_{i} = {i}\n" * 20)
        self.assertEqual(self.status(first)["session"]["documents"], 1000)
        self.check_works(first)
        peers = [self.raw() for _ in range(200)]
        for peer in peers:
            peer.sendall(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}))
        for peer in peers:
            frames, answers = Frames(), []
            while not answers:
                answers += frames.feed(peer.recv(1 << 16))
            self.assertIn("capabilities", json.dumps(answers[0]))
        self.assertEqual(self.status(first)["sessions"], 201)
        for peer in peers:
            peer.close()
        wait_until(lambda: self.status(first)["sessions"] == 1)
        self.check_works(first)


if __name__ == "__main__":
    unittest.main()
