"""docs/protocol.md against the server: its examples are what was said, and no message is missing.

An example is a code block after a line <!-- NAME.test -->: messages of that transcript, in their
order, with others between them left out. In an example
  ...       stands for what was left out: a value, the other members, the other items
  0.9       is a number that is rounded
  lacuna-1  begins an identifier that the server makes; it has the number of a process in it
"""

import functools
import json
import re
import unittest

import transcript

ROOT = transcript.FOLDER.parents[1]
DOCUMENT = (ROOT / "docs/protocol.md").read_text()
EXAMPLE = re.compile(r"^<!-- (\S+)\.test -->\n```\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[{}\[\],:]|[^"\s{}\[\],:.]+(?:\.\d+)?|\s+')


def as_json(text):
    """An example's message, with "..." for what was left out."""
    out, open_brackets, last = [], [], ""
    for token in TOKEN.findall(text):
        if token == "..." and open_brackets[-1] == "{" and last in "{,":
            token = '"...": "..."'
        elif token == "...":
            token = '"..."'
        if token in "{[":
            open_brackets.append(token)
        elif token in "}]":
            open_brackets.pop()
        out.append(token)
        last = last if token.isspace() else token
    return json.loads("".join(out))


def differs(expected, found):
    if expected == "...":
        return False
    if isinstance(expected, dict) and isinstance(found, dict):
        shown = expected.keys() - {"..."}
        if any(key not in found or differs(expected[key], found[key]) for key in shown):
            return True
        return "..." not in expected and len(found) > len(shown)
    if isinstance(expected, list) and isinstance(found, list):
        if expected and expected[-1] == "...":
            expected, found = expected[:-1], found[: len(expected) - 1]
        return len(expected) != len(found) or any(map(differs, expected, found))
    if isinstance(expected, float) and isinstance(found, float):
        return abs(expected - found) > 0.005
    return expected != found or isinstance(expected, bool) != isinstance(found, bool)


def normalised(message):
    return json.loads(re.sub(r'"lacuna-(load-)?\d+-', r'"lacuna-\g<1>1-', json.dumps(message)))


@functools.cache
def said(name):
    messages = transcript.play(transcript.FOLDER / f"{name}.test")
    return [(direction, normalised(message)) for direction, message in messages]


def examples():
    """(name of the transcript, [(direction, message)])"""
    for name, block in EXAMPLE.findall(DOCUMENT):
        lines = [line.partition(" ") for line in block.splitlines()]
        yield name, [(direction, as_json(rest)) for direction, _, rest in lines]


def sources():
    return "".join(path.read_text() for path in sorted((ROOT / "daemon").glob("session*.cpp")))


class ProtocolDocument(unittest.TestCase):
    def test_every_example_is_what_was_said(self):
        for name, messages in examples():
            rest = iter(said(name))
            for direction, message in messages:
                with self.subTest(transcript=name, message=json.dumps(message)):
                    match = (it for it in rest if it[0] == direction and not differs(message, it[1]))
                    found = next(match, None)
                    self.assertIsNotNone(found, f"was not said, or not there: {said(name)}")

    def test_every_block_is_an_example(self):
        self.assertEqual(DOCUMENT.count("```"), 2 * len(EXAMPLE.findall(DOCUMENT)))

    def test_no_message_is_missing(self):
        text = sources()
        wanted = {("->", name) for name in re.findall(r'\{"([^"]+)", &Impl::on_', text)}
        wanted |= {("<-", name) for name in re.findall(r'\b(?:notify|ask)\(\s*"([^"]+)"', text)}
        wanted |= {("->", "exit")}
        self.assertGreater(len(wanted), 25)
        shown = {(d, m["method"]) for _, messages in examples() for d, m in messages if "method" in m}
        self.assertEqual(wanted - shown, set())

    def test_requests_are_shown_with_their_answers(self):
        answered = set()
        for _, messages in examples():
            asked = {}
            for direction, message in messages:
                if "method" in message and "id" in message:
                    asked[json.dumps(message["id"])] = (direction, message["method"])
                elif "id" in message:
                    answered.add(asked.get(json.dumps(message["id"])))
        text = sources()
        table = text[text.index("handle_request(") : text.index("handle_notification(")]
        for name in re.findall(r'\{"([^"]+)", &Impl::on_', table):
            self.assertIn(("->", name), answered)
        for name in re.findall(r'\bask\(\s*"([^"]+)"', text):
            self.assertIn(("<-", name), answered)

    def test_no_command_and_no_error_is_missing(self):
        initialized = said("initialize-sequence")[1][1]["result"]["capabilities"]
        commands = set(initialized["executeCommandProvider"]["commands"])
        shown = [m for _, messages in examples() for _, m in messages]
        ran = {m["params"]["command"] for m in shown if m.get("method") == "workspace/executeCommand"}
        self.assertEqual(commands - ran, set())
        errors = {m["error"]["code"] for m in shown if "error" in m}
        header = (ROOT / "lsp/json_rpc.h").read_text()
        known = set(map(int, re.findall(r"= (-32\d+),", header)))
        self.assertGreater(len(known), 5)
        self.assertEqual(known - errors, {-32603})  # an internal error is a bug

    def test_every_kind_of_progress_is_shown(self):
        values = [
            m["params"]["value"]
            for _, messages in examples()
            for _, m in messages
            if m.get("method") == "$/progress"
        ]
        self.assertEqual({v.get("kind", "step") for v in values}, {"begin", "report", "end", "step"})


if __name__ == "__main__":
    unittest.main()
