"""A language client for tests: frames, requests, answers. Knows nothing of Lacuna."""

import json
import os
import queue
import signal
import subprocess
import threading

# Far more than anything here takes; only a hang reaches it.
DEADLINE = 60


def frame(body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"Content-Length: %d\r\n\r\n" % len(data) + data


class Frames:
    """Bodies of a stream of bytes, checked as strictly as an editor would."""

    def __init__(self):
        self.buffer = b""

    def feed(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            header, rest = self.buffer.split(b"\r\n\r\n", 1)
            fields = dict(line.split(b": ", 1) for line in header.split(b"\r\n"))
            size = int(fields[b"Content-Length"])
            if len(rest) < size:
                return
            self.buffer = rest[size:]
            yield json.loads(rest[:size])


class Client:
    """A process that speaks LSP. `received` holds every message in the order of its coming."""

    def __init__(self, command, env=None, read=True):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
        self.messages = queue.Queue()
        self.received = []
        self.errors = []
        self.last_id = 0
        self.answers = {}
        self.readers = [threading.Thread(target=self._read_errors, daemon=True)]
        if read:
            self.readers.append(threading.Thread(target=self._read, daemon=True))
        for reader in self.readers:
            reader.start()

    def _read(self):
        frames = Frames()
        try:
            while data := os.read(self.process.stdout.fileno(), 1 << 16):
                for message in frames.feed(data):
                    self.messages.put(message)
        except (OSError, ValueError):
            pass  # closed by the test
        self.messages.put(None)

    def _read_errors(self):
        try:
            for line in self.process.stderr:
                self.errors.append(line.decode(errors="replace"))
        except (OSError, ValueError):
            pass  # closed by the test

    def send_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message):
        self.send_bytes(frame({"jsonrpc": "2.0", **message}))

    def notify(self, method, params=None):
        self.send({"method": method, "params": params if params is not None else {}})

    def request(self, method, params=None):
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params})
        return self.last_id

    def next(self):
        """The next message; None at the end of the stream."""
        message = self.messages.get(timeout=DEADLINE)
        if message is not None:
            self.received.append(message)
            if "method" not in message:
                self.answers.setdefault(json.dumps(message.get("id")), []).append(message)
        return message

    def answer(self, request_id):
        """Waits for the answer to a request."""
        key = json.dumps(request_id)
        while key not in self.answers:
            if self.next() is None:
                code = self.process.wait(DEADLINE)
                raise EOFError(f"no answer to {key}, exit code {code}: {''.join(self.errors)}")
        return self.answers[key][-1]

    def call(self, method, params=None):
        return self.answer(self.request(method, params))

    def initialize(self, **extra):
        params = {"processId": None, "rootUri": None, "capabilities": {}, **extra}
        answer = self.call("initialize", params)
        self.notify("initialized")
        return answer

    def open(self, uri, text, language="python", version=1):
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def complete(self, uri, line, character, kind=2):
        return self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": kind},
            },
        )

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    def wait(self):
        return self.process.wait(timeout=DEADLINE)

    def close(self):
        self._close(self.process.stdin)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        # A thread that still reads could read from whoever gets the number of a closed descriptor.
        for reader in self.readers:
            reader.join(DEADLINE)
        self._close(self.process.stdout)
        self._close(self.process.stderr)

    @staticmethod
    def _close(stream):
        try:
            stream.close()
        except OSError:
            pass
