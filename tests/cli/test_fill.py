"""lacuna fill: bytes outside the holes, places, reports, in-place writing, examples."""

import json
import os
import stat
import unittest

from lacuna_process import MARKER, ROOT, LacunaTest, lacuna


def fill_report(*args, **kwargs):
    return json.loads(lacuna("fill", "--json", *args, **kwargs).stdout)


class LengthsOfHoles(LacunaTest):
    """--length, --max-tokens, --single-line and the parallel samplers."""

    def report(self, *options):
        path = self.write("area.py", b"def area(width, height):\n    return %s\n" % MARKER)
        return fill_report(path, "--no-syntax", *options)

    def test_every_mode_ends_within_its_bound(self):
        for mode in ("fixed", "probe", "elastic"):
            with self.subTest(mode=mode):
                report = self.report("--length", mode, "--max-tokens", 20, "--tokens", 6)
                self.assertEqual(report["options"]["length"], mode)
                self.assertLessEqual(report["holes"][0]["tokens"], 6 if mode == "fixed" else 20)
                self.assertEqual(report["holes"][0]["masks_left"], 0)

    def test_a_length_is_found_unless_one_is_asked_for(self):
        for options, mode in (((), "probe"), (("--max-tokens", 5), "probe"), (("--tokens", 6), "fixed"),
                              (("--exact",), "fixed"), (("--profile", "exact"), "fixed"),
                              (("--exact", "--length", "probe"), "probe"),
                              (("--tokens", 6, "--length", "probe"), "probe")):
            with self.subTest(options=options):
                self.assertEqual(self.report(*options)["options"]["length"], mode)
        path = self.write("area.py", b"def area(width, height):\n    return width\n")
        rewrite = json.loads(lacuna("rewrite", "--json", path, "--node", "area").stdout)
        self.assertEqual(rewrite["options"]["length"], "fixed")

    def test_what_the_grammar_knows_of_a_hole_makes_it_shorter_or_longer(self):
        text = "import os\n\n\ndef area(width, height):\n    return width.⟦?⟧(height)\n\n\ndef f(x):\n    ⟦?⟧\n"
        report = fill_report(self.write("a.py", text.encode()), "--seed", 1)
        name, body = (hole["tokens"] for hole in report["holes"])
        self.assertLess(name, 8)
        self.assertGreater(body, name)

    def test_a_single_line_has_no_line_end(self):
        report = self.report("--single-line", "--tokens", 40)
        self.assertNotIn("\n", report["holes"][0]["text"])

    def test_parallel_rules_take_fewer_passes(self):
        plain = self.report("--tokens", 24, "--tokens-per-step", 1)
        self.assertEqual(plain["totals"]["forward_passes"], 24)
        for options in (("--tokens-per-step", 4), ("--entropy-budget", 3), ("--factor", 20),
                        ("--threshold", 0.01)):
            with self.subTest(options=options):
                report = self.report("--tokens", 24, *options)
                self.assertLess(report["totals"]["forward_passes"], 24)

    def test_verify_never_changes_the_fill(self):
        plain = self.report("--tokens", 24, "--tokens-per-step", 1)
        verified = self.report("--tokens", 24, "--tokens-per-step", 1, "--verify", 4)
        self.assertEqual(plain["holes"], verified["holes"])
        self.assertLessEqual(verified["totals"]["forward_passes"],
                             plain["totals"]["forward_passes"])

    def order_and_passes(self, *options):
        report = self.report("--tokens", 12, "--tokens-per-step", 1, "--seed", 3, *options)
        order = [commit["offset"] for step in report["steps"] for commit in step["commits"]]
        self.assertEqual(sorted(order), list(range(12)))
        return order, report["totals"]["forward_passes"]

    def test_looking_ahead_commits_in_another_order_than_the_surest_first(self):
        plain, passes = self.order_and_passes()
        self.assertEqual(passes, 12)
        # A single set leaves nothing to choose, so that nothing is looked at.
        self.assertEqual(self.order_and_passes("--info-gain", 1), (plain, 12))
        # Sets this far apart: all twelve steps would have to find the surest token the best.
        far = ("--info-gain", 16, "--position-temperature", 50)
        looking, passes = self.order_and_passes(*far)
        self.assertNotEqual(looking, plain)
        self.assertEqual(self.order_and_passes(*far, "--threads", 1), (looking, passes))

    def test_a_pass_that_looked_serves_the_next_step_where_it_may(self):
        far = ("--info-gain", 16, "--position-temperature", 50)
        order, passes = self.order_and_passes(*far, "--refresh", 1)
        self.assertIn(passes, range(12, 24))
        # What a look has foreseen says nothing of the attention, so each step has its own pass.
        same, more = self.order_and_passes(*far, "--refresh", 1000, "--refresh-drift", 0.0001)
        self.assertEqual(sorted(same), sorted(order))
        self.assertIn(more, range(13, 24))

    def test_every_cache_that_refreshes_each_time_gives_the_same(self):
        fills = [self.report("--tokens", 12, "--cache", cache, "--refresh", 1)["holes"]
                 for cache in ("holes", "dual", "prefix")]
        self.assertEqual(fills[0], fills[1])
        self.assertEqual(fills[0], fills[2])
        whole = self.report("--tokens", 12, "--refresh", 100, "--look-around", 4096)["holes"]
        self.assertEqual(whole, fills[0])
        options = self.report("--cache", "dual", "--refresh-share", 0.5)["options"]
        self.assertEqual(options["cache"], "dual")
        self.assertEqual(options["refresh_share"], 0.5)

    def test_a_drift_that_everything_falls_below_is_a_pass_over_everything_each_time(self):
        exact = self.report("--tokens", 12, "--tokens-per-step", 1, "--refresh", 1)
        drifting = self.report("--tokens", 12, "--tokens-per-step", 1, "--refresh", 1000,
                               "--refresh-drift", 1.5)
        self.assertEqual(drifting["holes"], exact["holes"])
        self.assertEqual(drifting["totals"]["forward_passes"], 23)
        never = self.report("--tokens", 12, "--tokens-per-step", 1, "--refresh", 1000,
                            "--refresh-drift", 0.0001)
        self.assertEqual(never["totals"]["forward_passes"], 12)
        self.assertEqual(never["options"]["refresh_drift"], 0.0001)

    def test_profiles(self):
        passes = [self.report("--tokens", 24, "--profile", name)["totals"]["forward_passes"]
                  for name in ("fast", "balanced", "quality", "exact")]
        self.assertLessEqual(passes[0], passes[1])
        self.assertLessEqual(passes[1], passes[2])
        self.assertEqual(passes[2:], [24, 24])
        options = self.report("--profile", "fast", "--threshold", 0.5, "--refresh", 3)["options"]
        self.assertEqual(options["refresh"], 3)
        self.assertEqual(options["threshold"], 0.5)
        self.assertIsNone(options["entropy_budget"])
        path = self.write("a.py", MARKER)
        self.run_failing("fill", path, "--profile", "best", code=2, says="there is no profile")

    def test_options_that_do_not_go_together(self):
        path = self.write("a.py", MARKER)
        self.run_failing("fill", path, "--threshold", 0.5, "--factor", 1, code=2, says="only one of")
        self.run_failing("fill", path, "--length", "best", code=2, says="none of fixed, probe, elastic")
        self.run_failing("fill", path, "--cache", "best", code=2, says="none of holes, dual, prefix")
        self.run_failing("fill", path, "--info-gain", 4, "--threshold", 0.5, code=2,
                         says="info_gain needs")
        self.run_failing("fill", path, "--verify", 2, "--threshold", 0.5, code=2, says="verify needs")
        self.run_failing("fill", path, "--verify", 2, "--tokens-per-step", 1, "--refresh-drift", 0.5,
                         code=1, says="refresh_drift cannot be used with verify")


class Alternatives(LacunaTest):
    """--alternatives: different fills of the same holes, each of which its seed gives alone."""

    TEXT = ("def area(width, height):\n    return ⟦?6⟧\n\n\nprint(area(⟦?3⟧, 3))\n").encode()

    def report(self, *options, text=TEXT):
        return fill_report(self.write("area.py", text), "--alternatives", *options)

    def test_as_many_as_wanted_and_no_two_alike(self):
        report = self.report(5, "--no-syntax", "--seed", 3)
        texts = [tuple(hole["text"] for hole in it["holes"]) for it in report["alternatives"]]
        self.assertEqual(report["wanted"], 5)
        self.assertEqual(len(texts), 5)
        self.assertEqual(len(set(texts)), 5)
        self.assertEqual(report["left_out"], [])
        self.assertEqual(report["alternatives"][0]["temperature"], 0)
        for it in report["alternatives"][1:]:
            self.assertAlmostEqual(it["temperature"], 0.7)
            self.assertGreater(it["seed"], 3)

    def test_each_is_the_fill_of_its_seed(self):
        for numbers in ("f32", "auto"):
            with self.subTest(numbers=numbers):
                options = ("--no-syntax", "--dtype", numbers)
                for it in self.report(3, *options)["alternatives"]:
                    alone = fill_report(self.write("area.py", self.TEXT), "--seed", it["seed"],
                                        "--temperature", it["temperature"], *options)
                    self.assertEqual([hole["text"] for hole in alone["holes"]],
                                     [hole["text"] for hole in it["holes"]])
                    self.assertEqual([hole["mean_probability"] for hole in alone["holes"]],
                                     [hole["mean_probability"] for hole in it["holes"]])

    def test_what_is_shown_parses(self):
        report = self.report(6, "--tokens", 10, text=Syntax.TEXT.encode())
        self.assertTrue(report["alternatives"])
        for it in report["alternatives"]:
            self.assertEqual(it["syntax"], "parses")
            compile(Syntax.TEXT.replace("⟦?⟧", it["holes"][0]["text"]), "a.py", "exec")
        for it in report["left_out"]:
            self.assertTrue(it["reason"])

    def test_each_is_checked_and_repaired_as_the_fill_of_its_seed(self):
        text = Syntax.TEXT.encode()
        for it in self.report(4, "--tokens", 10, text=text)["alternatives"]:
            alone = fill_report(self.write("area.py", text), "--tokens", 10, "--seed", it["seed"],
                                "--temperature", it["temperature"])
            self.assertEqual(alone["holes"], it["holes"])

    def test_as_text_each_hole_stands_behind_its_place(self):
        report = self.report(2, "--no-syntax")
        expected = ""
        for number, it in enumerate(report["alternatives"], 1):
            expected += "\n" if expected else ""
            expected += f"alternative {number} of 2, seed {it['seed']}\n"
            for place, hole in zip(("2:12", "5:12"), it["holes"]):
                expected += f"{place}: {hole['text']}\n"
        path = self.write("area.py", self.TEXT)
        output = self.run_ok("fill", path, "--alternatives", 2, "--no-syntax")
        self.assertEqual(output.stdout.decode(), expected)
        self.assertEqual(path.read_bytes(), self.TEXT)

    def test_one_alternative_is_the_plain_fill(self):
        plain = fill_report(self.write("area.py", self.TEXT), "--no-syntax")
        one = self.report(1, "--no-syntax")["alternatives"]
        self.assertEqual(len(one), 1)
        self.assertEqual([hole["text"] for hole in one[0]["holes"]],
                         [hole["text"] for hole in plain["holes"]])

    def test_wrong_usage(self):
        path = self.write("area.py", self.TEXT)
        self.run_failing("fill", path, "--alternatives", 3, "--write", code=2,
                         says="--write takes one fill")
        self.run_failing("fill", path, "--alternatives", 0, code=2, says="--alternatives")
        self.run_failing("fill", path, "--alternatives", 65, code=2, says="--alternatives")


class FillsKeepEveryOtherByte(LacunaTest):
    """Each text is filled and compared with the report's fills put in by hand."""

    def check(self, content, *options, name="file.py"):
        path = self.write(name, content)
        options = ("--no-syntax", *options)
        output = self.run_ok("fill", path, *options).stdout
        holes = fill_report(path, *options)["holes"]
        expected, at = b"", 0
        for hole in holes:
            expected += content[at : hole["begin"]["byte"]] + hole["text"].encode()
            at = hole["end"]["byte"]
        self.assertEqual(output, expected + content[at:])
        self.assertEqual(path.read_bytes(), content)
        return holes

    def test_line_ends_and_final_newline(self):
        for text in (
            b"a = %s\nb = 2\n",
            b"a = %s\r\nb = 2\r\n",
            b"a = 1\r\nb = 2\nc = %s\r\nd",
            b"a = %s",
            b"\n\n\n%s\n\n\n",
        ):
            with self.subTest(text=text):
                self.check(text % MARKER, "--tokens", 4)

    def test_windows_line_ends_get_windows_fills(self):
        holes = self.check(b"def f(x):\r\n    %s\r\n\r\nf(1)\r\n" % MARKER, "--tokens", 24)
        self.assertNotIn("\n", holes[0]["text"].replace("\r\n", ""))

    def test_byte_order_mark(self):
        holes = self.check(b"\xef\xbb\xbfx = %s\n" % MARKER, "--tokens", 2)
        self.assertEqual(holes[0]["begin"], {"byte": 7, "line": 1, "column": 5})

    def test_bytes_that_are_no_utf8(self):
        self.check(b"# caf\xe9 \xff\nname = %s  # \xe9\n" % MARKER, "--tokens", 2)

    def test_markers_at_both_ends_and_side_by_side(self):
        holes = self.check(b"%s + b\nc = %s%s\n%s" % ((MARKER,) * 4), "--tokens", 2)
        self.assertEqual(len(holes), 4)

    def test_hints_and_lengths(self):
        holes = self.check("x = ⟦?3⟧\ny = ⟦?: the sum⟧\nz = ⟦?2: a number⟧\n".encode(), "--length", "fixed")
        self.assertEqual([hole["tokens"] for hole in holes], [3, 16, 2])
        self.assertEqual([hole["hint"] for hole in holes], ["", "the sum", "a number"])

    def test_places_instead_of_markers(self):
        text = "def größe(a):\n\treturn a * a\n# ⟦?⟧\n".encode()
        holes = self.check(text, "--at", "1:10", "--span", "2:9-2:14", "--tokens", 3)
        self.assertEqual([hole["begin"]["byte"] for hole in holes], [11, 24])
        self.assertEqual(holes[1]["end"], {"byte": 29, "line": 2, "column": 14})

    def test_insertion_at_the_end_of_the_file(self):
        self.check(b"x = 1\n", "--at", "2:1", "--tokens", 2)

    def test_file_without_extension_and_unknown_language(self):
        self.check(b"x = %s\n" % MARKER, "--tokens", 2, name="notes")
        self.check(b"x = %s\n" % MARKER, "--tokens", 2, "--lang", "haskell", name="notes")


class FillOptions(LacunaTest):
    TEXT = b"def mean(values):\n    return %s\n\nprint(mean([1, 2, 3]))\n" % MARKER

    def test_reads_standard_input(self):
        path = self.write("a.py", self.TEXT)
        by_name = self.run_ok("fill", path, "--no-syntax", "--tokens", 8)
        by_input = self.run_ok("fill", "-", "--no-syntax", "--lang", "python", "--tokens", 8, stdin=self.TEXT)
        self.assertEqual(by_name.stdout, by_input.stdout)
        self.assertEqual(by_input.stderr, b"")

    def test_same_seed_same_text_on_any_number_of_threads(self):
        options = ("--tokens", 12, "--temperature", 1.5, "--alg-temp", 0.5, "--lang", "python",
                   "--no-syntax")
        outputs = {
            self.run_ok("fill", "-", *options, "--seed", 7, "--threads", n, stdin=self.TEXT).stdout
            for n in (1, 1, 2, 3)
        }
        self.assertEqual(len(outputs), 1)
        other = self.run_ok("fill", "-", *options, "--seed", 8, stdin=self.TEXT).stdout
        self.assertNotIn(other, outputs)

    def test_a_refresh_of_one_is_exact(self):
        options = ("--tokens", 12, "--lang", "python", "--dtype", "f32", "--copy", "off",
                   "--no-syntax")
        cached = self.run_ok("fill", "-", *options, "--refresh", 1, stdin=self.TEXT).stdout
        report = fill_report("-", *options, "--exact", stdin=self.TEXT)
        # --exact may also take tokens that a fill never takes; then there is nothing to compare.
        if all(not hole["masks_left"] for hole in report["holes"]):
            exact = report["holes"][0]["text"].encode()
            self.assertIn(exact, cached)

    def test_every_algorithm_and_threshold(self):
        for alg in ("origin", "maskgit_plus", "topk_margin", "entropy"):
            with self.subTest(alg=alg):
                self.run_ok("fill", "-", "--alg", alg, "--steps", 6, "--tokens", 6, stdin=self.TEXT)
        report = fill_report("-", "--threshold", 0.01, "--tokens", 12, stdin=self.TEXT)
        self.assertLess(report["totals"]["forward_passes"], 12)

    def test_report(self):
        path = self.write("a.py", self.TEXT)
        report = fill_report(path, "--no-syntax", "--tokens", 8, "--seed", 3, "--threads", 2)
        self.assertEqual(
            set(report),
            {"file", "language", "written", "holes", "steps", "syntax", "totals", "timings", "model",
             "device", "seed", "options"},
        )
        self.assertEqual(report["file"], str(path))
        self.assertEqual(report["language"], "python")
        self.assertIs(report["written"], False)
        self.assertEqual(report["seed"], 3)
        self.assertEqual(report["device"]["threads"], 2)
        self.assertEqual(report["model"]["name"], "lacuna-small")
        self.assertEqual(report["options"]["alg"], "entropy")
        self.assertIsNone(report["options"]["steps"])
        commits = [c for step in report["steps"] for c in step["commits"]]
        self.assertEqual(len(commits), 8)
        self.assertEqual(report["totals"]["tokens"], 8)
        self.assertEqual({c["offset"] for c in commits}, set(range(8)))
        for commit in commits:
            self.assertEqual(commit["hole"], 0)
            self.assertTrue(0 < commit["probability"] <= 1)
        text = "".join(c["text"] for c in sorted(commits, key=lambda c: c["offset"]))
        self.assertEqual(text, report["holes"][0]["text"])
        for seconds in report["timings"].values():
            self.assertGreaterEqual(seconds, 0)

    def test_a_file_larger_than_the_context(self):
        line = b"value_%d = %d\n"
        head = b"".join(line % (i, i) for i in range(400))
        tail = b"".join(line % (i, i) for i in range(400, 800))
        text = b"a = %s\n" % MARKER + head + b"b = %s\n" % MARKER + tail + b"c = %s\n" % MARKER
        report = fill_report("-", "--tokens", 4, "--context", 128, stdin=text)
        self.assertEqual(len(report["holes"]), 3)
        self.assertEqual(report["totals"]["canvases"], 3)
        self.assertEqual({step["canvas"] for step in report["steps"]}, {0, 1, 2})
        output = self.run_ok("fill", "-", "--tokens", 4, "--context", 128, stdin=text).stdout
        self.assertIn(head, output)
        self.assertIn(tail, output)

    def test_watching_a_pipe_logs_steps(self):
        result = self.run_ok("fill", "-", "--tokens", 4, "--watch", stdin=self.TEXT)
        lines = result.stderr.decode().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[0], r"^step 1/4: \d of 4 tokens")
        self.assertNotIn("\x1b", result.stderr.decode())


class WritingInPlace(LacunaTest):
    TEXT = b"a = %s\n" % MARKER

    def test_changes_the_file_and_keeps_its_permissions(self):
        path = self.write("a.py", self.TEXT)
        path.chmod(0o640)
        printed = self.run_ok("fill", path, "--no-syntax", "--tokens", 2).stdout
        result = self.run_ok("fill", path, "--no-syntax", "--tokens", 2, "--write")
        self.assertEqual(result.stdout, b"")
        self.assertEqual(path.read_bytes(), printed)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)
        self.assertEqual(os.listdir(self.folder), ["a.py"])

    def test_follows_symbolic_links(self):
        target = self.write("target.py", self.TEXT)
        link = self.folder / "link.py"
        link.symlink_to("target.py")
        self.run_ok("fill", link, "--no-syntax", "--tokens", 2, "--write")
        self.assertTrue(link.is_symlink())
        self.assertNotEqual(target.read_bytes(), self.TEXT)

    def test_reports_what_it_wrote(self):
        path = self.write("a.py", self.TEXT)
        report = fill_report(path, "--no-syntax", "--tokens", 2, "--write")
        self.assertIs(report["written"], True)
        self.assertEqual(path.read_text(), "a = " + report["holes"][0]["text"] + "\n")

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_leaves_read_only_files_alone(self):
        path = self.write("a.py", self.TEXT)
        path.chmod(0o444)
        self.run_failing("fill", path, "--no-syntax", "--tokens", 2, "--write", says="cannot write")
        self.assertEqual(path.read_bytes(), self.TEXT)


class Syntax(LacunaTest):
    """What a grammar adds: what is shown parses, what is withheld stays as it is and is said."""

    TEXT = "def mean(values):\n    total = 0\n    ⟦?⟧\n    return total\n"

    def test_what_is_shown_parses(self):
        shown = 0
        exact_checks = 0
        for seed in range(4):
            path = self.write("a.py", self.TEXT)
            result = lacuna("fill", path, "--json", "--tokens", 10, "--temperature", 1, "--seed", seed)
            report = json.loads(result.stdout)
            hole = report["holes"][0]
            state = hole["syntax"]["state"]
            exact_checks += report["syntax"]["exact_checks"]
            self.assertIn(state, ("parses", "withheld"))
            if state == "parses":
                self.assertEqual(result.returncode, 0)
                compile(self.TEXT.replace("⟦?⟧", hole["text"]), "a.py", "exec")
                shown += 1
            else:
                self.assertEqual(result.returncode, 1)
                self.assertEqual(hole["text"], "⟦?⟧")
                self.assertIn(b"3:5", result.stderr)
        self.assertGreater(shown, 0)
        self.assertGreater(exact_checks, 0)

    def test_without_it_whatever_comes_is_taken(self):
        path = self.write("a.py", self.TEXT)
        for options in (("--no-syntax",), ("--lang", "none"), ("--lang", "haskell")):
            report = fill_report(path, "--tokens", 6, *options)
            self.assertEqual(report["holes"][0]["syntax"]["state"], "unchecked")
            self.assertNotEqual(report["syntax"]["constraint_off"], "")

    def test_a_file_that_is_broken_elsewhere_is_filled(self):
        text = "def broken(:\n    pass\n\n\n" + self.TEXT
        report = json.loads(lacuna("fill", self.write("a.py", text), "--json", "--tokens", 6).stdout)
        self.assertIn(report["holes"][0]["syntax"]["state"], ("parses", "no worse", "withheld"))

    def test_a_function_by_its_name(self):
        text = "def f(x):\n    return x\n\n\ndef g(x):\n    return f(x)\n"
        path = self.write("a.py", text)
        report = fill_report(path, "--node", "g", "--tokens", 6, "--no-syntax")
        self.assertEqual(report["holes"][0]["begin"], {"byte": 39, "line": 6, "column": 5})
        self.assertEqual(report["holes"][0]["end"]["byte"], len(text) - 1)
        self.run_failing("fill", path, "--node", "h", says="named 'h'")
        self.run_failing("fill", path, "--node", "g", "--lang", "none", says="grammar")

    def test_stubs(self):
        path = self.write("a.py", "def f():\n    pass\n\n\ndef g():\n    return 1\n")
        report = fill_report(path, "--stubs", "--tokens", 4, "--no-syntax")
        self.assertEqual([hole["begin"]["line"] for hole in report["holes"]], [2])
        path = self.write("b.py", "x = 1\n")
        self.run_failing("fill", path, "--stubs", says="still to be written")


class Examples(LacunaTest):
    def test_are_filled(self):
        names = ["inventory.py", "ring_buffer.cpp", "debounce.ts", "lru.go", "matrix.rs"]
        languages = ["python", "cpp", "typescript", "go", "rust"]
        for name, language in zip(names, languages):
            with self.subTest(name=name):
                path = ROOT / "examples" / name
                report = fill_report(path)
                self.assertEqual(report["language"], language)
                self.assertGreaterEqual(len(report["holes"]), 4)
                output = self.run_ok("fill", path, "--no-syntax").stdout.decode()
                self.assertNotIn("⟦?", output)


if __name__ == "__main__":
    unittest.main()
