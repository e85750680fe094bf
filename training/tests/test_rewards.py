import os
import tempfile
import unittest
from pathlib import Path

from training import rewards
from training.prompts import Prompt
from training.rewards import Scorer, code_rewards, fenced_code, format_reward
from training.sandbox import Sandbox
from training.tasks import Question

ROOT = Path(__file__).parents[2]
LACUNA = Path(os.environ.get("LACUNA_EXECUTABLE", ROOT / "build" / "cpu-release" / "lacuna"))

HOLE = Prompt(Question("python", "def double(x):\n    return ", "2 * x", "\n"), 4, ("assert double(2) == 4", "assert double(0) == 0"))
CHAT = Prompt(Question("python", "Write double.", "", ""), 40, HOLE.tests, fenced=True)
ANSWER = "Here it is:\n```python\ndef double(x):\n    return 2 * x\n```\n"


class FormatTest(unittest.TestCase):
    """The published rule: prose, one fenced block of Python, nothing more."""

    def test_a_block_that_parses_has_all_of_it_and_one_that_does_not_has_half(self):
        self.assertEqual(format_reward(CHAT, ANSWER), 1.0)
        self.assertEqual(format_reward(CHAT, ANSWER.replace("def ", "def def ")), 0.5)
        self.assertEqual(fenced_code(ANSWER), "def double(x):\n    return 2 * x\n")

    def test_anything_else_has_nothing(self):
        for text in ("", "double = 2", ANSWER + "Done.", ANSWER[:-1], ANSWER + "\n", ANSWER + ANSWER,
                     ANSWER.replace("```python", "```"), "```\n" + ANSWER, ANSWER.replace("python\n", "python ")):
            self.assertEqual(format_reward(CHAT, text), 0.0, text)

    def test_prose_may_be_missing(self):
        self.assertEqual(format_reward(CHAT, "```python\nx = 1\n```\n"), 1.0)


class SimpleRewardTest(unittest.TestCase):
    def test_each_judges_what_its_name_says(self):
        for text, exact, parse in (("2 * x", 1, 1), ("x * 2", 0, 1), ("x * * 2", 0, 0), ("2 * x ", 0, 1), ("\0", 0, 0)):
            self.assertEqual(rewards.exact_reward(HOLE, text), exact)
            self.assertEqual(rewards.parse_reward(HOLE, text), parse)
        self.assertEqual(rewards.similar_reward(HOLE, "2 * x"), 1)
        self.assertEqual(rewards.similar_reward(HOLE, "abc"), 0)

    def test_scores_are_weighed_and_reported_apart(self):
        scores = Scorer({"exact": 1.0, "parse": 0.3}).score([HOLE] * 2, ["2 * x", "x * 2"])
        self.assertAlmostEqual(scores.total.tolist()[0], 1.3, places=5)
        self.assertAlmostEqual(scores.total.tolist()[1], 0.3, places=5)
        self.assertEqual(scores.parts, {"exact": 0.5, "parse": 1.0})

    def test_weights_are_read_and_wrong_ones_refused(self):
        self.assertEqual(rewards.parse_weights("code=2,format=0.5"), {"code": 2.0, "format": 0.5})
        for text in ("", "code", "code=x", "style=1"):
            with self.assertRaises(SystemExit):
                rewards.parse_weights(text)

    def test_what_cannot_pass_is_not_run(self):
        nowhere = Sandbox(Path("/nowhere/lacuna"))
        self.assertEqual(code_rewards([HOLE, CHAT], ["x * *", "no fence"], nowhere), [0.0, 0.0])

    def test_a_missing_executable_is_one_clear_error(self):
        with self.assertRaises(SystemExit):
            code_rewards([HOLE], ["2 * x"], Sandbox(Path("/nowhere/lacuna")))


@unittest.skipUnless(LACUNA.exists(), "lacuna is not built")
class CodeTest(unittest.TestCase):
    def test_reward_is_the_share_of_tests_that_pass(self):
        sandbox = Sandbox(LACUNA, seconds=1)
        texts = ["2 * x", "x * x", "0", "1 / 0"]
        self.assertEqual(code_rewards([HOLE] * 4, texts, sandbox), [1.0, 1.0, 0.5, 0.0])
        self.assertEqual(code_rewards([CHAT], [ANSWER], sandbox), [1.0])

    def test_a_program_that_exits_or_hangs_has_passed_nothing(self):
        sandbox = Sandbox(LACUNA, seconds=1)
        for body in ("import os\nos._exit(0)\n", "while True: pass\n"):
            self.assertEqual(code_rewards([CHAT], [f"```python\n{body}```\n"], sandbox), [0.0])

    def test_a_program_can_write_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "written"
            code_rewards([CHAT], [f"```python\nopen({str(target)!r}, 'w').write('x')\n```\n"], Sandbox(LACUNA, 1))
            self.assertFalse(target.exists())


if __name__ == "__main__":
    unittest.main()
