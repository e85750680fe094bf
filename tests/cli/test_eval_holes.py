"""lacuna eval holes: files whose text is known in, shares of exact fills out."""

import gzip
import json
import os
import re
import signal
import subprocess
import unittest

from lacuna_process import EXECUTABLE, ROOT, LacunaTest, lacuna
from terminal_emulator import run_on_terminal

KINDS = ["token", "identifier", "expression", "line", "lines"]
QUICK = ("--limit", 1, "--length", "oracle")


def python_file(i):
    """Repeats itself, so that there is something to copy."""
    lines = [f"def measure_{i}(window, margin):"]
    for n in range(8):
        lines += [f"    height_{n} = compute_height(window, margin)", f"    check(height_{n}, margin)"]
    return "\n".join(lines) + "\n"


def go_file(i):
    lines = [f"func measure{i}(window int, margin int) int {{"]
    for n in range(8):
        lines += [f"\theight{n} := computeHeight(window, margin)", f"\tcheck(height{n}, margin)"]
    return "\n".join(lines + ["\treturn 0", "}"]) + "\n"


def corpus(n=6):
    rows = [["python", "one", f"src/a{i}.py", python_file(i)] for i in range(n)]
    rows += [["go", "two", f"src/b{i}.go", go_file(i)] for i in range(n)]
    return "".join(json.dumps(row) + "\n" for row in rows)


class EvalHoles(LacunaTest):
    def setUp(self):
        super().setUp()
        self.corpus = self.write("held_out.jsonl", corpus())

    def report(self, *arguments):
        return json.loads(self.run_ok("eval", "holes", *arguments, "--json").stdout)

    def table(self, *arguments):
        return self.run_ok("eval", "holes", *arguments).stdout.decode()


class Report(EvalHoles):
    def test_has_a_row_for_each_language_copy_mode_and_length(self):
        report = self.report(
            self.corpus, "--limit", 2, "--copy", "off,auto", "--length", "fixed:4,oracle"
        )
        rows = [(r["language"], r["copy"], r["length"]) for r in report["rows"]]
        settings = [(c, n) for c in ("off", "auto") for n in ("fixed:4", "oracle")]
        self.assertEqual(rows, [(g, *s) for g in (None, "go", "python") for s in settings])
        for row in report["rows"]:
            self.assertEqual(list(row["kinds"]), KINDS)
            for kind in row["kinds"].values():
                self.assertEqual(kind["holes"], 2 if row["language"] else 4)

    def test_counts_what_the_cases_say(self):
        report = self.report(self.corpus, "--limit", 2, "--copy", "off,auto", "--length", "oracle")
        self.assertEqual(len(report["cases"]), 2 * len(KINDS) * 2)
        texts = {f"{p}/{path}": text for _, p, path, text in map(json.loads, corpus().splitlines())}
        for case in report["cases"]:
            text = texts[case["file"]].encode()
            self.assertEqual(text[case["begin"]:case["end"]].decode(), case["answer"])
            self.assertEqual([f["copy"] for f in case["fills"]], ["off", "auto"])
            self.assertEqual(len(case["bits"]), 2)
            for fill in case["fills"]:
                self.assertEqual(fill["exact"], fill["completion"] == case["answer"])
                self.assertEqual(fill["canvas_tokens"], case["answer_tokens"])
        for row in report["rows"][:2]:
            at = ["off", "auto"].index(row["copy"])
            for name, kind in row["kinds"].items():
                cases = [c for c in report["cases"] if c["kind"] == name]
                self.assertEqual(kind["exact"], sum(c["fills"][at]["exact"] for c in cases))
                self.assertLessEqual(kind["low"], kind["exact"] / kind["holes"])
                self.assertGreaterEqual(kind["high"], kind["exact"] / kind["holes"])
                bits = sum(c["bits"][at] for c in cases) / sum(c["answer_tokens"] for c in cases)
                self.assertAlmostEqual(kind["bits_per_token"], bits)

    def test_says_whether_a_file_that_parses_still_does(self):
        broken = [["go", "three", f"c{i}.go", "func (}\n" + go_file(i)] for i in range(6)]
        path = self.write("mixed.jsonl", corpus() + "".join(json.dumps(r) + "\n" for r in broken))
        report = self.report(path, "--limit", 8, "--length", "fixed:16,oracle", "--kinds", "line,lines")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        texts = {f"{package}/{name}": text for _, package, name, text in rows}
        judged = [case for case in report["cases"] if not case["file"].startswith("three/")]
        self.assertLess(len(judged), len(report["cases"]))
        seen = set()
        for case in report["cases"]:
            text = texts[case["file"]].encode()
            for fill in case["fills"]:
                self.assertEqual(fill["parses"] is None, case not in judged)
                if case["language"] != "go" or fill["parses"] is None:
                    continue
                filled = text[: case["begin"]] + fill["completion"].encode() + text[case["end"]:]
                answer = self.run_ok("debug", "holes", "--lang", "go", stdin=filled).stdout
                self.assertEqual(fill["parses"], json.loads(answer)["errors"] == [], filled.decode())
                seen.add(fill["parses"])
        self.assertEqual(seen, {True, False})
        for at, row in enumerate(report["rows"][:2]):
            for name, kind in row["kinds"].items():
                cases = [c for c in judged if c["kind"] == name]
                self.assertEqual(kind["judged"], len(cases))
                self.assertEqual(kind["parses"], sum(c["fills"][at]["parses"] for c in cases))

    def test_python_that_no_compiler_takes_does_not_parse_whatever_tree_sitter_says(self):
        odd = python_file(0) + "def f():\n        first = 1\n    second = 2\n"
        answer = self.run_ok("debug", "holes", "--lang", "python", stdin=odd.encode()).stdout
        self.assertEqual(json.loads(answer)["errors"], [])
        rows = [["python", "odd", f"{i}.py", odd] for i in range(6)]
        path = self.write("odd.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
        cases = self.report(path, *QUICK, "--kinds", "identifier")["cases"]
        self.assertEqual([f["parses"] for c in cases for f in c["fills"]], [None])

    def test_one_token_holes_have_one_token(self):
        report = self.report(self.corpus, "--limit", 3, "--length", "oracle", "--kinds", "token")
        self.assertEqual({c["kind"] for c in report["cases"]}, {"token"})
        self.assertEqual({c["answer_tokens"] for c in report["cases"]}, {1})

    def test_is_the_same_for_the_same_seed_on_any_number_of_threads(self):
        def fills(*options):
            report = self.report(self.corpus, *QUICK, *options)
            return [(c["file"], c["begin"], c["fills"][0]["completion"]) for c in report["cases"]]

        self.assertEqual(fills("--threads", 1), fills("--threads", 2))
        self.assertNotEqual(fills(), fills("--seed", 1))

    def test_copies_alone_find_what_the_file_repeats(self):
        report = self.report(
            self.corpus, "--limit", 4, "--copy", "off,only", "--length", "oracle",
            "--kinds", "identifier",
        )
        off, only = report["rows"][:2]
        self.assertGreater(
            only["kinds"]["identifier"]["exact"], off["kinds"]["identifier"]["exact"]
        )

    def test_fills_as_lacuna_fill_does(self):
        report = self.report(self.corpus, "--limit", 1, "--length", "fixed:6", "--kinds", "line")
        texts = {f"{p}/{path}": text for _, p, path, text in map(json.loads, corpus().splitlines())}
        for case in report["cases"]:
            text = texts[case["file"]].encode()
            marked = text[: case["begin"]] + "⟦?6⟧".encode() + text[case["end"]:]
            filled = self.run_ok(
                "fill", "-", "--lang", case["language"], "--no-syntax", stdin=marked
            ).stdout
            completion = case["fills"][0]["completion"].encode()
            self.assertEqual(filled, text[: case["begin"]] + completion + text[case["end"]:])

    def test_measures_lengths_that_the_model_can_do_unless_told(self):
        report = self.report(self.corpus, "--limit", 1, "--kinds", "token")
        lengths = [r["length"] for r in report["rows"] if r["language"] is None]
        self.assertEqual(lengths, ["fixed:16", "probe", "elastic", "oracle"])


class Files(EvalHoles):
    def test_of_a_folder_are_those_of_a_corpus_file(self):
        for i in range(6):
            (self.folder / "one" / "src").mkdir(parents=True, exist_ok=True)
            self.write(f"one/src/a{i}.py", python_file(i))
        folder = self.report(self.folder / "one", *QUICK)
        self.assertTrue(all(c["file"].startswith("src/a") for c in folder["cases"]))
        self.assertEqual({c["language"] for c in folder["cases"]}, {"python"})

    def test_a_quarter_of_which_calibrates_are_never_measured(self):
        many = self.write("many.jsonl", corpus(40))
        report = self.report(many, "--limit", 40, "--length", "oracle", "--kinds", "identifier")
        measured = {c["file"] for c in report["cases"]}
        self.assertLess(len(measured), 80)
        self.assertGreater(len(measured), 40)

    def test_may_be_compressed(self):
        packed = self.write("held_out.jsonl.gz", gzip.compress(corpus().encode()))
        plain = self.report(self.corpus, *QUICK)
        self.assertEqual(
            [c["answer"] for c in self.report(packed, *QUICK)["cases"]],
            [c["answer"] for c in plain["cases"]],
        )


class Table(EvalHoles):
    def test_is_markdown_with_intervals_over_all_languages(self):
        text = self.table(self.corpus, "--limit", 2, "--length", "oracle")
        head, rows = text.split("\n\n")
        self.assertRegex(head, r"^token 4, identifier 4, expression 4, line 4, lines 4 in \d+ files, "
                               r"20 of the holes in files that parse; "
                               r"lacuna-small in .*, seed 0$")
        rows = rows.splitlines()
        self.assertRegex(rows[0], r"^\| language \| copies \| length \| +bits \| +token \|")
        self.assertRegex(rows[1], r"^\|-+\|-+\|-+\|-+:\|")
        self.assertRegex(rows[2], r"^\| all +\| auto +\| oracle +\| +\d+\.\d\d \| +\d+\.\d % \(\d+–\d+\) \|")
        self.assertRegex(rows[0], r"lines \| +parses \| passes \| seconds \|$")
        self.assertRegex(rows[2], r" \d+\.\d % \(\d+–\d+\) \| +\d+\.\d \| +\d+\.\d{3} \|$")
        self.assertEqual([r.split("|")[1].strip() for r in rows[2:]], ["all", "go", "python"])
        self.assertEqual(len({r.count("|") for r in rows}), 1)

    def test_says_what_did_not_fit(self):
        text = self.table(self.corpus, "--limit", 1, "--length", "fixed:4000", "--kinds", "token")
        self.assertIn("copies auto, length fixed:4000: 2 did not fit", text)


class Page(EvalHoles):
    def test_shows_random_fills_whatever_became_of_them(self):
        options = (self.corpus, "--limit", 3, "--copy", "off,auto", "--length", "oracle")
        page = self.table(*options, "--show", 7)
        self.assertTrue(page.startswith("# Fills of lacuna-small\n"))
        self.assertEqual(len(re.findall(r"(?m)^### \d+\. ", page)), 7)
        self.assertEqual(len(re.findall(r"(?m)^- copies (off|auto), length oracle, ", page)), 14)
        cases = self.report(*options)["cases"]
        for kind, name in re.findall(r"(?m)^### \d+\. (\w+), `(.*):\d+`$", page):
            self.assertTrue(any(c["kind"] == kind and c["file"] == name for c in cases))
        answers = {c["answer"] for c in cases}
        for answer in re.findall(r"⟦(.+?)⟧", page.split("###", 1)[1], re.S):
            self.assertIn(answer, answers)

    def test_text_of_a_file_cannot_end_its_block(self):
        text = "\n".join(f"value_{n} = render('```', alpha, margin)" for n in range(20)) + "\n"
        rows = [["python", "p", f"a`\n{i}.py", text] for i in range(4)]
        path = self.write("ticks.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
        page = self.table(path, *QUICK, "--show", 1)
        self.assertIn("````python\n", page)
        self.assertEqual(len(re.findall(r"(?m)^### ", page)), 1)
        self.assertIn(", `p/a??", page, "a name cannot leave its line")


class Progress(EvalHoles):
    def test_is_shown_on_a_terminal_and_goes(self):
        seen = []
        code, output, screen = run_on_terminal(
            [EXECUTABLE, "eval", "holes", str(self.corpus), "--limit", "5"],
            on_output=lambda process, text: seen.append(re.search(rb"filling \d+ of", text)),
        )
        self.assertEqual((code, screen.rows), (0, [""]))
        self.assertTrue(any(seen))
        self.assertIn(b"| all", output)

    def test_an_interrupt_ends_it_without_a_result(self):
        many = self.write("many.jsonl", corpus(60))
        process = subprocess.Popen(
            [EXECUTABLE, "eval", "holes", str(many), "--limit", "1000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        # Signals are blocked for a thread of ours once it has begun.
        while not self.blocks_interrupts(process.pid):
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        output, message = process.communicate(timeout=300)
        self.assertEqual((process.returncode, output, message), (130, b"", b""))

    @staticmethod
    def blocks_interrupts(pid):
        with open(f"/proc/{pid}/status") as status:
            mask = re.search(r"SigBlk:\s*([0-9a-f]+)", status.read())
        return mask is not None and int(mask[1], 16) >> (signal.SIGINT - 1) & 1


class Calibration(EvalHoles):
    def test_takes_the_quarter_that_is_never_measured(self):
        model = self.folder / "model"
        source = ROOT / "models" / "lacuna-small"
        model.mkdir()
        for file in source.iterdir():
            os.symlink(file, model / file.name)
        for name in ("length_calibration.json", "copy_mixing.json"):
            (model / name).unlink()
        many = self.write("many.jsonl", corpus(40))
        self.run_ok("model", "calibrate", many, "--model", f"{model}/", "--samples", 40)
        self.assertTrue((model / "length_calibration.json").exists())
        self.assertTrue((model / "copy_mixing.json").exists())


class WrongInput(EvalHoles):
    def refuses(self, content, says, name="bad.jsonl"):
        self.run_failing("eval", "holes", self.write(name, content), says=says)

    def test_broken_lines(self):
        self.refuses(corpus() + '{"a": 1}\n', "bad.jsonl:13: the line is not [")
        self.refuses(corpus() + '["python", "p"]\n', "bad.jsonl:13:")
        self.refuses("garbage\n", "bad.jsonl:1: the line is not JSON")
        self.refuses('["klingon", "p", "a", "x"]\n', "there is no language 'klingon'")
        self.refuses("", "no line")
        self.refuses(gzip.compress(corpus().encode())[:-9], "cannot read", name="bad.jsonl.gz")

    def test_no_file(self):
        self.run_failing("eval", "holes", self.folder / "gone.jsonl", says="gone.jsonl")
        self.run_failing("eval", "holes", self.folder / "gone", says="neither a folder nor")
        (self.folder / "empty").mkdir()
        self.run_failing("eval", "holes", self.folder / "empty", says="no source file")

    def test_no_hole(self):
        short = "".join(json.dumps(["go", "p", f"{i}.go", "x := 1\n"]) + "\n" for i in range(9))
        self.refuses(short, "there is no hole")

    def test_no_model(self):
        self.run_failing("eval", "holes", self.corpus, "--model", "nowhere", says="nowhere")

    def test_usage(self):
        for options in (
            ["--limit", "0"], ["--kinds", "word"], ["--length", "long"], ["--copy", "some"],
            ["--show", "0"], ["--show", "3", "--json"], ["--temperature", "-1"],
        ):
            with self.subTest(options=options):
                self.run_failing("eval", "holes", self.corpus, *options, code=2)
        self.run_failing("eval", "holes", code=2, says="PATH")
        self.run_failing("eval", code=2)
        for task in ("holes", "infilling", "humaneval", "mbpp"):
            self.assertIn(task, lacuna("eval", "--help").stdout.decode())


if __name__ == "__main__":
    unittest.main()
