"""lacuna generate."""

import json
import unittest

from lacuna_process import LacunaTest, lacuna

QUICK = ("--max-new-tokens", 12, "--steps", 12, "--alg", "entropy")


class Generate(LacunaTest):
    def test_prompts_from_everywhere_are_the_same(self):
        text = "def add(a, b):\n"
        path = self.write("prompt.txt", text)
        outputs = {
            self.run_ok("generate", "--prompt", text, *QUICK).stdout,
            self.run_ok("generate", "--prompt-file", path, *QUICK).stdout,
            self.run_ok("generate", *QUICK, stdin=text.encode()).stdout,
            self.run_ok("generate", "--prompt-file", "-", *QUICK, stdin=text.encode()).stdout,
        }
        self.assertEqual(len(outputs), 1)
        self.assertTrue(outputs.pop().endswith(b"\n"))

    def test_report(self):
        result = self.run_ok("generate", "--prompt", "x = ", "--json", "--seed", 5, *QUICK)
        report = json.loads(result.stdout)
        self.assertEqual(
            set(report),
            {"text", "prompt_tokens", "sequence", "steps", "totals", "timings", "model", "seed",
             "options"},
        )
        self.assertEqual(len(report["sequence"]), report["prompt_tokens"] + 12)
        commits = [c for step in report["steps"] for c in step["commits"]]
        self.assertEqual(len(commits), 12)
        for commit in commits:
            self.assertEqual(report["sequence"][commit["position"]], commit["token"])
        self.assertEqual(report["seed"], 5)
        self.assertEqual(report["options"]["steps"], 12)

    def test_seeds(self):
        options = ("--prompt", "x = ", *QUICK, "--temperature", 1.2, "--top-p", 0.95)
        first, second, other = (
            self.run_ok("generate", *options, "--seed", seed).stdout for seed in (1, 1, 2)
        )
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)

    def test_exact_and_watched(self):
        result = self.run_ok("generate", "--prompt", "x = ", "--exact", "--watch", *QUICK)
        self.assertIn(b"step 1/12: ", result.stderr)

    def test_chat_needs_a_model_made_for_it(self):
        self.run_failing("generate", "--prompt", "hello", "--chat", *QUICK, says="chat")

    def test_wrong_prompts(self):
        self.run_failing("generate", "--prompt-file", self.folder / "missing", says="missing")
        self.run_failing("generate", stdin=b"a\0b", says="NUL")
        self.run_failing("generate", "--prompt", "x", "--max-new-tokens", 1 << 20, says="positions")


if __name__ == "__main__":
    unittest.main()
