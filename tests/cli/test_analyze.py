"""lacuna analyze: decoding order, sureness, temperature."""

import html.parser
import json
import re
import unittest

from eval_tasks import HUMAN_EVAL, INFILLING, MBPP, compressed, json_lines
from lacuna_process import LacunaTest

TEXT = "def add(a, b):\n    total = ⟦?6⟧\n    return ⟦?3⟧\n\n\nprint(add(1, 2))\n"


def local_ar_ness(order, k):
    """The definition, written down once more."""
    hits = sum(
        all(order[t - i] == order[t] - i for i in range(1, k + 1)) for t in range(k, len(order))
    )
    return hits / len(order), hits / (len(order) - k)


def global_ar_ness(order, k):
    return sum(p in sorted(order[t:])[:k] for t, p in enumerate(order)) / len(order)


class Page(html.parser.HTMLParser):
    """Checks that tags are closed and nothing is loaded, and gathers the coloured tokens."""

    def __init__(self, text):
        super().__init__()
        self.open, self.count, self.tokens = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.count[tag] = self.count.get(tag, 0) + 1
        assert tag not in ("script", "link", "img", "iframe"), tag
        assert not {"src", "href", "onclick"} & set(attributes), attributes
        if attributes.get("class") == "t":
            self.tokens.append(attributes["style"])
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


class Analyze(LacunaTest):
    def report(self, *arguments):
        return json.loads(self.run_ok("analyze", *arguments, "--json").stdout)


class OfAText(Analyze):
    def test_follows_every_token(self):
        path = self.write("a.py", TEXT)
        report = self.report(path)
        (decoded,) = report["inputs"]
        self.assertEqual(decoded["name"], str(path))
        tokens = decoded["tokens"]
        self.assertEqual([t["order"] for t in tokens], list(range(9)))
        places = {(t["hole"], t["offset"]) for t in tokens}
        self.assertEqual(places, {(0, i) for i in range(6)} | {(1, i) for i in range(3)})
        steps = [t["step"] for t in tokens]
        self.assertEqual(steps, sorted(steps))
        fill = json.loads(self.run_ok("fill", path, "--json", "--no-syntax").stdout)
        commits = [(s["step"], c) for s in fill["steps"] for c in s["commits"]]
        self.assertEqual(
            [(t["step"], t["hole"], t["offset"], t["probability"]) for t in tokens],
            [(step, c["hole"], c["offset"], c["probability"]) for step, c in commits],
        )

    def test_measures_what_the_definition_says(self):
        path = self.write("a.py", "x = ⟦?12⟧\n")
        report = self.report(path)
        order = [t["offset"] for t in report["inputs"][0]["tokens"]]
        local, over_all = report["ar_ness"]["local"], report["ar_ness"]["global"]
        self.assertEqual([it["k"] for it in local], list(range(1, 10)))
        self.assertEqual([it["k"] for it in over_all], [1, 2, 3, 4])
        for it in local:
            over_tokens, over_windows = local_ar_ness(order, it["k"])
            self.assertAlmostEqual(it["over_tokens"], over_tokens)
            self.assertAlmostEqual(it["over_windows"], over_windows)
        for it in over_all:
            self.assertAlmostEqual(it["value"], global_ar_ness(order, it["k"]))

    def test_shows_one_example_step_by_step(self):
        report = self.report(self.write("a.py", TEXT))
        steps = report["example"]["steps"]
        self.assertEqual(len(steps[0]), 9)
        self.assertEqual(sum(cell["decided"] for step in steps for cell in step), 9)
        open_cells = [len(step) for step in steps]
        self.assertEqual(open_cells, sorted(open_cells, reverse=True))
        first = {it["distance"]: it for it in report["first_step"]}
        self.assertEqual([first[d]["count"] for d in range(6)], [2, 2, 2, 1, 1, 1])
        mean = (steps[0][0]["probability"] + steps[0][6]["probability"]) / 2
        self.assertAlmostEqual(first[0]["probability"], mean, places=5)

    def test_takes_several_canvases(self):
        filler = "".join(f"value_{i} = {i}\n" for i in range(600))
        path = self.write("long.py", "a = ⟦?3⟧\n" + filler + "b = ⟦?3⟧\n")
        report = self.report(path)
        self.assertEqual(report["canvases"], 2)
        self.assertEqual([t["order"] for t in report["inputs"][0]["tokens"]], list(range(6)))

    def test_table(self):
        text = self.run_ok("analyze", self.write("a.py", TEXT)).stdout.decode()
        self.assertRegex(text, r"(?m)^local, over T - k( +\d\.\d{3}){9}$")
        self.assertRegex(text, r"(?m)^global( +\d\.\d{3}){4}$")
        self.assertEqual(len(re.findall(r"(?m)^ +\d+ +\d+ +[12] +\d+ +[01]\.\d{3}  \"", text)), 9)


class OfASet(Analyze):
    def test_takes_every_kind_of_line(self):
        for tasks in (INFILLING, HUMAN_EVAL, MBPP, [{"prompt": "def add(a, b):\n"}]):
            for name, content in (("a.jsonl", json_lines(tasks)), ("a.jsonl.gz", compressed(tasks))):
                report = self.report(self.write(name, content), "--length", "fixed:4")
                self.assertEqual(report["canvases"], len(tasks))
                self.assertTrue(all(len(it["tokens"]) == 4 for it in report["inputs"]))
                self.assertEqual(report["sweep"], [])

    def test_oracle_lengths(self):
        report = self.report(self.write("a.jsonl", json_lines(INFILLING)), "--length", "oracle")
        lengths = [len(it["tokens"]) for it in report["inputs"]]
        self.assertGreater(len(set(lengths)), 1)
        self.run_failing(
            "analyze", self.write("a.py", TEXT), "--length", "oracle", says="a.py has none"
        )

    def test_leaves_out_what_does_not_fit(self):
        long = dict(INFILLING[1], canonical_solution="x = 1\n" * 2000)
        path = self.write("a.jsonl", json_lines([INFILLING[0], long]))
        self.assertEqual(self.report(path, "--length", "oracle")["left_out"], ["Own/1"])
        self.run_failing("analyze", path, "--length", "oracle", "--example", 2, says="Own/1")

    def test_temperature_sweep(self):
        path = self.write("a.jsonl", json_lines(INFILLING + [{"prompt": "x = 1\n"}]))
        options = (path, "--length", "fixed:6", "--temperatures", "0,0.8", "--timeout", 30)
        report = self.report(*options, "--samples", 2)
        self.assertEqual([point["temperature"] for point in report["sweep"]], [0, 0.8])
        for point in report["sweep"]:
            self.assertEqual(point["tested"], 5)  # the mere prompt has no tests
            self.assertEqual(list(point["pass_at"]), ["1", "2"])
            self.assertEqual(point["ar_ness"]["local"][0]["canvases"], 12)
        cold = self.report(*options)["sweep"][0]
        self.assertEqual(cold["ar_ness"], report["ar_ness"])
        text = self.run_ok("analyze", *options).stdout.decode()
        self.assertRegex(text, r"(?m)^0\.80 +\d\.\d{3} +\d\.\d{3} +\d+\.\d %$")

    def test_without_tests_needs_no_python(self):
        path = self.write("a.jsonl", json_lines([{"prompt": "x = 1\n"}]))
        options = ("--length", "fixed:4", "--temperatures", "0.5")
        environment = {"PATH": str(self.folder)}
        self.run_ok("analyze", path, *options, env=environment)
        tested = self.write("b.jsonl", json_lines(INFILLING))
        self.run_failing("analyze", tested, *options, says="python3", env=environment)


class Pages(Analyze):
    def page_of(self, *arguments):
        path = self.folder / "page.html"
        self.run_ok("analyze", *arguments, "--html", path)
        text = path.read_text()
        page = Page(text)
        self.assertEqual(page.open, [])
        self.assertNotRegex(text.replace("http://www.w3.org/2000/svg", ""), "https?:|url\\(|@import")
        self.assertIn("prefers-color-scheme:dark", text)
        return text, page

    def test_has_all_plots_and_nothing_from_elsewhere(self):
        _, page = self.page_of(self.write("a.py", TEXT))
        self.assertEqual(page.count["svg"], 3)  # map, AR-ness, first step
        self.assertEqual(len(page.tokens), 9)
        self.assertIn("--h:0", page.tokens)  # red
        self.assertIn("--h:285", page.tokens)  # purple

    def test_has_the_sweep_where_there_is_one(self):
        path = self.write("a.jsonl", json_lines(INFILLING))
        text, page = self.page_of(path, "--length", "fixed:4", "--temperatures", "0,1")
        self.assertEqual(page.count["svg"], 4)
        self.assertIn("pass@1", text)

    def test_shows_hostile_text_as_text(self):
        name = "<script>alert('x')</script>.py"
        (self.folder / name.replace("/", "_")).write_text("a = '</pre><script>' # & ⟦?2⟧\n")
        text, page = self.page_of(self.folder / name.replace("/", "_"))
        self.assertNotIn("script", page.count)
        self.assertIn("&lt;/pre&gt;&lt;script&gt;", text)

    def test_needs_a_place_to_write(self):
        path = self.write("a.py", TEXT)
        self.run_failing("analyze", path, "--html", self.folder / "no" / "page.html", says="page.html")


class WrongInput(Analyze):
    def test_is_named(self):
        self.run_failing("analyze", self.folder / "gone.py", says="gone.py")
        self.run_failing("analyze", self.write("a.py", "x = 1\n"), says="a.py: there is no hole")
        self.run_failing("analyze", self.write("b.jsonl", "{"), says="b.jsonl:1")
        self.run_failing("analyze", self.write("c.jsonl", '{"text": "x"}'), says="c.jsonl:1")
        broken = self.write("d.jsonl", json_lines([INFILLING[0], {"suffix": ""}]))
        self.run_failing("analyze", broken, says="d.jsonl:2: the field")
        self.run_failing("analyze", self.write("e.py", TEXT), "--example", 2, says="only 1 inputs")

    def test_usage(self):
        path = self.write("a.py", TEXT)
        for options in (
            ["--length", "long"], ["--length", "auto"], ["--temperatures", "x"], ["--example", "0"],
            ["--temperatures", "0,-1"], ["--samples", "2"], ["--limit", "0"], ["--alg", "best"],
        ):
            with self.subTest(options=options):
                self.run_failing("analyze", path, *options, code=2)
        self.run_failing("analyze", code=2, says="FILE")


if __name__ == "__main__":
    unittest.main()
