"""Runs programs that a model wrote, shut in by `lacuna debug program` (see cli/eval/sandbox.h).

There is one sandbox in this project; nothing a model wrote is ever run by Python itself.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from training.common import fail


def ask(lacuna: Path, command: list[str], requests: list[dict]) -> list[dict]:
    """Answers of `lacuna debug COMMAND` to one request a line. Any error ends the program with its message."""
    if not requests:
        return []
    lines = "".join(json.dumps(r) + "\n" for r in requests)
    try:
        result = subprocess.run([lacuna, "debug", *command], input=lines, capture_output=True, text=True)
    except OSError as error:
        fail(f"{lacuna}: cannot be run ({error.strerror}); build it, and name it with --lacuna")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    errors = [a["error"] for a in answers if "error" in a]
    if errors or len(answers) != len(requests):
        fail(f"lacuna debug {command[0]}: {errors[0] if errors else result.stderr.strip()}")
    return answers


@dataclass(frozen=True)
class Sandbox:
    lacuna: Path
    seconds: int = 5  # for one test

    def passes(self, programs: list[tuple[str, str]]) -> list[bool]:
        """For (solution, tests): whether they ran to their last line in time."""
        requests = [{"solution": solution, "tests": tests} for solution, tests in programs]
        answers = ask(self.lacuna, ["program", "--timeout", str(self.seconds)], requests)
        return [answer["verdict"] == "passed" for answer in answers]
