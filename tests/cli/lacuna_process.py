"""Runs the lacuna executable for the black-box tests. LACUNA_EXECUTABLE names it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ["LACUNA_EXECUTABLE"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "lacuna-small"

MARKER = "⟦?⟧".encode()


def lacuna(*args, stdin=b"", env=None, timeout=300):
    """Runs `lacuna ARGS`; the result has returncode, stdout and stderr, both bytes."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LACUNA_MODEL")}
    environment.update(env or {})
    return subprocess.run(
        [EXECUTABLE, *map(str, args)],
        input=stdin,
        capture_output=True,
        env=environment,
        timeout=timeout,
    )


def json_lines(output):
    return [json.loads(line) for line in output.splitlines()]


class LacunaTest(unittest.TestCase):
    """Has a temporary folder and checks of what every command promises."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lacuna_cli_"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def run_ok(self, *args, **kwargs):
        result = lacuna(*args, **kwargs)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result

    def run_failing(self, *args, code=1, says="", **kwargs):
        """Wants an exit code, one line on standard error that says something, and no output."""
        result = lacuna(*args, **kwargs)
        message = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, code, message)
        self.assertEqual(result.stdout, b"")
        self.assertRegex(message, r"\Alacuna: [^\n]+\n\Z")
        self.assertIn(says, message)
        return message
