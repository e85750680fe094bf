"""lacuna eval: benchmarks in, figures out."""

import copy
import ctypes
import json
import os
import platform
import re
import signal
import subprocess
import unittest

from eval_tasks import HUMAN_EVAL, INFILLING, MBPP, compressed, json_lines
from lacuna_process import EXECUTABLE, LacunaTest
from terminal_emulator import run_on_terminal

QUICK = ("--length", "fixed:4,oracle", "--timeout", 30)


class Eval(LacunaTest):
    def setUp(self):
        super().setUp()
        self.infilling = self.write("infilling.jsonl", json_lines(INFILLING))

    def report(self, *arguments, **kwargs):
        return json.loads(self.run_ok("eval", *arguments, "--json", **kwargs).stdout)


class References(Eval):
    """The harness measures itself: with the references in place of a model everything passes."""

    def test_pass_all_tests(self):
        for task, tasks in (("infilling", INFILLING), ("humaneval", HUMAN_EVAL), ("mbpp", MBPP)):
            for content in (json_lines(tasks), compressed(tasks)):
                with self.subTest(task=task):
                    path = self.write("tasks", content)
                    report = self.report(task, path, "--gold", "--timeout", 30)
                    (regime,) = report["regimes"]
                    self.assertEqual(regime["length"], "gold")
                    summary = regime["summary"]
                    self.assertEqual(summary["cases"], len(tasks))
                    self.assertEqual(summary["pass_at"], {"1": 1.0})
                    self.assertEqual(summary["parses"], 1.0)
                    self.assertIsNone(report["model"])

    def test_fail_when_they_are_wrong(self):
        tasks = copy.deepcopy(INFILLING)
        tasks[0]["canonical_solution"] = "    for price in prices[1:]:\n"
        tasks[1]["canonical_solution"] = "        return (\n"
        tasks[3]["canonical_solution"] = "exit(0)"
        path = self.write("wrong.jsonl", json_lines(tasks))
        report = self.report("infilling", path, "--gold", "--timeout", 30)
        results = report["regimes"][0]["results"]
        verdicts = [result["samples"][0]["verdict"] for result in results]
        self.assertEqual(verdicts, ["failed", "failed", "passed", "failed", "passed"])
        self.assertEqual(report["regimes"][0]["summary"]["parses"], 0.8)

    def test_time_out(self):
        task = dict(INFILLING[0], canonical_solution="    while True: pass\n    for p in prices:\n")
        path = self.write("slow.jsonl", json_lines([task]))
        report = self.report("infilling", path, "--gold", "--timeout", 1)
        sample = report["regimes"][0]["results"][0]["samples"][0]
        self.assertEqual(sample["verdict"], "timed out")
        self.assertIs(sample["parses"], True)

    def test_table(self):
        text = self.run_ok("eval", "infilling", self.infilling, "--gold").stdout.decode()
        self.assertIn("5 of 5 cases", text)
        self.assertRegex(text, r"(?m)^gold +100\.0 % +100\.0 % +100\.0 %$")


class Infilling(Eval):
    def test_report(self):
        report = self.report("infilling", self.infilling, *QUICK, "--seed", 3)
        self.assertEqual(report["task"], "infilling")
        self.assertEqual(report["cases_in_files"], 5)
        self.assertEqual(report["seed"], 3)
        self.assertEqual(report["model"]["name"], "lacuna-small")
        self.assertEqual(report["options"]["alg"], "entropy")
        self.assertEqual([r["length"] for r in report["regimes"]], ["fixed:4", "oracle"])
        for regime in report["regimes"]:
            summary = regime["summary"]
            samples = [result["samples"][0] for result in regime["results"]]
            self.assertEqual(summary["cases"], 5)
            self.assertEqual([r["id"] for r in regime["results"]], [t["task_id"] for t in INFILLING])
            passes = sum(s["forward_passes"] for s in samples)
            self.assertAlmostEqual(summary["forward_passes"], passes / 5)
            self.assertEqual(summary["tokens_per_forward"], 1)
            errors = [abs(s["length_error"]) for s in samples]
            self.assertAlmostEqual(summary["length_error"], sum(errors) / 5)
            passed = sum(s["verdict"] == "passed" for s in samples)
            self.assertAlmostEqual(summary["pass_at"]["1"], passed / 5)
            for sample, task in zip(samples, INFILLING):
                self.assertEqual(sample["exact"], sample["completion"] == task["canonical_solution"])
        fixed, oracle = report["regimes"]
        self.assertTrue(all(r["samples"][0]["canvas_tokens"] == 4 for r in fixed["results"]))
        for result in oracle["results"]:
            sample = result["samples"][0]
            reference = sample["tokens"] - sample["length_error"]
            self.assertEqual(sample["canvas_tokens"], reference)

    def test_fills_as_lacuna_fill_does(self):
        report = self.report("infilling", self.infilling, "--length", "fixed:6")
        for task, result in zip(INFILLING, report["regimes"][0]["results"]):
            text = task["prompt"] + "⟦?6⟧" + task["suffix"]
            filled = self.run_ok(
                "fill", "-", "--lang", "python", "--no-syntax", stdin=text.encode()
            ).stdout.decode()
            completion = result["samples"][0]["completion"]
            self.assertEqual(filled, task["prompt"] + completion + task["suffix"])

    def test_samples_and_seeds(self):
        options = (self.infilling, "--length", "fixed:4", "--temperature", 1.0, "--samples", 3)
        first = self.report("infilling", *options, "--seed", 7)
        self.assertEqual(list(first["regimes"][0]["summary"]["pass_at"]), ["1", "3"])
        later = self.report("infilling", *options, "--seed", 8)

        def completions(report):
            return [[s["completion"] for s in r["samples"]] for r in report["regimes"][0]["results"]]

        self.assertEqual([c[1:] for c in completions(first)], [c[:2] for c in completions(later)])
        self.assertTrue(any(len(set(c)) > 1 for c in completions(first)))

    def test_several_tokens_a_pass(self):
        report = self.report("infilling", self.infilling, "--length", "fixed:8", "--steps", 2)
        summary = report["regimes"][0]["summary"]
        self.assertEqual((summary["forward_passes"], summary["tokens_per_forward"]), (2, 4))

    def test_what_does_not_fit_counts_as_wrong(self):
        long = dict(INFILLING[0], canonical_solution="x = 1\n" * 2000)
        path = self.write("long.jsonl", json_lines([long, INFILLING[1]]))
        report = self.report("infilling", path, "--length", "oracle")
        self.assertEqual(report["regimes"][0]["summary"]["did_not_fit"], 1)
        self.assertIn("error", report["regimes"][0]["results"][0]["samples"][0])
        text = self.run_ok("eval", "infilling", path, "--length", "oracle").stdout.decode()
        self.assertIn("oracle: 1 did not fit", text)

    def test_limit_takes_a_fixed_sample(self):
        def ids(limit):
            report = self.report("infilling", self.infilling, "--gold", "--limit", limit)
            return [result["id"] for result in report["regimes"][0]["results"]]

        self.assertEqual(len(ids(3)), 3)
        self.assertEqual(ids(3), ids(3))
        self.assertLess(set(ids(2)), set(ids(3)))
        self.assertEqual(len(ids(100)), 5)

    def test_several_files_are_one_set(self):
        more = self.write("more.jsonl.gz", compressed(INFILLING[:2]))
        report = self.report("infilling", self.infilling, more, "--gold")
        self.assertEqual(report["cases_in_files"], 7)


class Completions(Eval):
    def test_are_appended_to_the_prompt(self):
        for task, tasks in (("humaneval", HUMAN_EVAL), ("mbpp", MBPP)):
            with self.subTest(task=task):
                path = self.write("tasks.jsonl", json_lines(tasks))
                report = self.report(task, path, "--length", "fixed:12", "--timeout", 30)
                summary = report["regimes"][0]["summary"]
                self.assertEqual(summary["cases"], 2)
                self.assertEqual(summary["forward_passes"], 12)
                for result in report["regimes"][0]["results"]:
                    self.assertIn("verdict", result["samples"][0])


class Progress(Eval):
    def test_is_shown_on_a_terminal_and_goes(self):
        tasks = self.write("many.jsonl", json_lines(INFILLING * 30))
        seen = []
        code, output, screen = run_on_terminal(
            [EXECUTABLE, "eval", "infilling", str(tasks), "--length", "fixed:16"],
            on_output=lambda process, text: seen.append(re.search(rb"decoding \d+ of 150", text)),
        )
        self.assertEqual((code, screen.rows), (0, [""]))
        self.assertTrue(any(seen))
        self.assertIn(b"pass@1", output)

    def test_is_not_shown_elsewhere(self):
        result = self.run_ok("eval", "infilling", self.infilling, *QUICK)
        self.assertEqual(result.stderr, b"")

    def test_an_interrupt_ends_it(self):
        tasks = self.write("many.jsonl", json_lines(INFILLING * 2000))
        process = subprocess.Popen(
            [EXECUTABLE, "eval", "infilling", str(tasks), "--gold"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, TMPDIR=str(self.folder)),
        )
        while not any(name.startswith("lacuna-eval-") for name in os.listdir(self.folder)):
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        output, message = process.communicate(timeout=300)
        self.assertEqual((process.returncode, output, message), (130, b"", b""))


def forbid_seccomp():
    """For a child process: prctl(PR_SET_SECCOMP) fails from here on, as in some containers."""

    class Instruction(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte),
                    ("k", ctypes.c_uint)]

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction))]

    load, jump_if_equal, give = 0x20, 0x15, 0x06
    code = (Instruction * 6)(
        Instruction(load, 0, 0, 0), Instruction(jump_if_equal, 0, 3, 157),  # prctl
        Instruction(load, 0, 0, 16), Instruction(jump_if_equal, 0, 1, 22),  # PR_SET_SECCOMP
        Instruction(give, 0, 0, 0x00050001), Instruction(give, 0, 0, 0x7FFF0000),
    )
    libc = ctypes.CDLL(None)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    libc.prctl(22, 2, ctypes.byref(Program(len(code), code)), 0, 0)


class WithoutAFilter(Eval):
    @unittest.skipIf(platform.machine() != "x86_64", "the numbers are those of x86-64")
    def test_nothing_is_run(self):
        task = dict(INFILLING[0], canonical_solution="    open('ran', 'w')\n    for p in prices:\n")
        path = self.write("tasks.jsonl", json_lines([task]))
        result = subprocess.run(
            [EXECUTABLE, "eval", "infilling", str(path), "--gold"],
            capture_output=True, cwd=self.folder, preexec_fn=forbid_seccomp, timeout=300,
        )
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertRegex(result.stderr.decode(), r"\Alacuna: [^\n]*seccomp filter[^\n]*none is run[^\n]*\n\Z")


class WrongInput(Eval):
    def refuses(self, content, says, task="infilling"):
        path = self.write("bad.jsonl", content)
        self.run_failing("eval", task, path, says=says)

    def test_broken_lines(self):
        good = json_lines(INFILLING)
        self.refuses(good + b'{"task_id": \n', "bad.jsonl:6: the line is not a JSON object")
        self.refuses(good + b"[]\n", "bad.jsonl:6:")
        self.refuses(b"", "no line")
        self.refuses(compressed(INFILLING)[:-9], "cannot read")

    def test_missing_fields(self):
        for field in INFILLING[0]:
            task = {key: value for key, value in INFILLING[0].items() if key != field}
            says = f"bad.jsonl:2: the field '{field}' is missing"
            self.refuses(json_lines([INFILLING[1], task]), says)
        self.refuses(json_lines(INFILLING), "'test_list' is missing", task="mbpp")
        self.refuses(json_lines(HUMAN_EVAL), "'suffix' is missing")

    def test_missing_files(self):
        self.run_failing("eval", "infilling", self.folder / "gone.jsonl", says="gone.jsonl")
        self.run_failing("eval", "infilling", self.folder, says="not a regular file")

    def test_no_python(self):
        self.run_failing(
            "eval", "infilling", self.infilling, says="python3", env={"PATH": str(self.folder)}
        )

    def test_no_model(self):
        self.run_failing("eval", "infilling", self.infilling, "--model", "nowhere", says="nowhere")

    def test_usage(self):
        for options in (
            ["--length", "16"], ["--length", "fixed:0"], ["--length", "auto"], ["--limit", "0"],
            ["--samples", "0"], ["--samples", "2"], ["--timeout", "0"], ["--temperature", "-1"],
            ["--alg", "best"],
        ):
            with self.subTest(options=options):
                self.run_failing("eval", "infilling", self.infilling, *options, code=2)
        self.run_failing("eval", "infilling", code=2, says="FILE")
        self.run_failing("eval", "reasoning", self.infilling, code=2, says="infilling")
        self.run_failing("eval", "infilling", self.infilling, "--length", "auto", code=2, says="auto")


if __name__ == "__main__":
    unittest.main()
