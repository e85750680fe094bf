"""lacuna rewrite: what of a function becomes holes, what stays, instructions, wrong usage."""

import json
import unittest

from lacuna_process import LacunaTest, lacuna

TEXT = b'''def area(width, height):
    """The area."""
    # of a rectangle
    result = width * height
    zqx = wvut(result, 17)
    return result


def other():
    return 1
'''
BODY = (TEXT.index(b"# of"), TEXT.index(b"\n\n\ndef other"))


class Rewrite(LacunaTest):
    def holes(self, *options, text=TEXT, name="area.py"):
        """The holes of the report; checks that the file keeps everything else."""
        path = self.write(name, text)
        options = ("--no-syntax", "--node", "area", *options)
        output = self.run_ok("rewrite", path, *options).stdout
        report = json.loads(lacuna("rewrite", "--json", path, *options).stdout)
        expected, at = b"", 0
        for hole in report["holes"]:
            expected += text[at : hole["begin"]["byte"]] + hole["text"].encode()
            at = hole["end"]["byte"]
        self.assertEqual(output, expected + text[at:])
        self.assertEqual(path.read_bytes(), text)
        return [(hole["begin"]["byte"], hole["end"]["byte"]) for hole in report["holes"]]

    def test_all_of_the_body_without_its_docstring(self):
        self.assertEqual(self.holes(), [BODY])

    def test_by_line(self):
        path = self.write("area.py", TEXT)
        report = json.loads(
            self.run_ok("rewrite", path, "--no-syntax", "--json", "--node", "10").stdout)
        hole = report["holes"][0]
        self.assertEqual(TEXT[hole["begin"]["byte"] : hole["end"]["byte"]], b"return 1")

    def test_below_one_the_least_certain_part(self):
        for strength in (0, 0.4):
            with self.subTest(strength=strength):
                holes = self.holes("--strength", strength)
                masked = [TEXT[begin:end] for begin, end in holes]
                self.assertTrue(any(b"zqx" in part or b"wvut" in part or b"17" in part
                                    for part in masked), masked)
                self.assertFalse(any(b"rectangle" in part for part in masked), masked)
                self.assertLess(sum(map(len, masked)), (BODY[1] - BODY[0]) * 0.6)

    def test_more_strength_masks_more(self):
        sizes = [sum(end - begin for begin, end in self.holes("--strength", strength))
                 for strength in (0.2, 0.6, 1)]
        self.assertEqual(sizes, sorted(sizes))
        self.assertLess(sizes[0], sizes[-1])

    def test_windows_line_ends_stay(self):
        text = TEXT.replace(b"\n", b"\r\n")
        for strength in (0.4, 1):
            self.holes("--strength", strength, text=text)

    def test_the_instruction_reaches_the_model_and_not_the_file(self):
        path = self.write("area.py", TEXT)
        options = ("--no-syntax", "--node", "area", "--strength", 0.5)
        plain = self.run_ok("rewrite", path, *options).stdout
        told = self.run_ok("rewrite", path, *options, "--instruct", "print nothing\nat all").stdout
        self.assertNotIn(b"print nothing", told)
        report = json.loads(self.run_ok("rewrite", path, *options, "--json", "--instruct",
                                        "print nothing\nat all").stdout)
        self.assertEqual(report["holes"][0]["hint"], "print nothing at all")
        self.assertTrue(all(hole["hint"] == "" for hole in report["holes"][1:]))
        self.assertTrue(plain.startswith(TEXT[: BODY[0]]))

    def test_a_file_too_long_for_one_canvas(self):
        lines = b"".join(b"    x%d = x%d + %d\n" % (i + 1, i, i) for i in range(40))
        text = b"def area(x0):\n" + lines + b"    return x40\n"
        self.assertGreater(len(self.holes("--strength", 0.05, "--context", 192, text=text)), 0)

    def test_checked_as_fill_does(self):
        path = self.write("area.py", TEXT)
        result = lacuna("rewrite", path, "--json", "--node", "area", "--strength", 0.5)
        report = json.loads(result.stdout)
        for hole in report["holes"]:
            self.assertIn(hole["syntax"]["state"], ("parses", "withheld"))
        self.assertEqual(result.returncode,
                         int(any(h["syntax"]["state"] == "withheld" for h in report["holes"])))

    def test_write_changes_the_file(self):
        path = self.write("area.py", TEXT)
        options = ("--no-syntax", "--node", "area", "--strength", 0.3)
        expected = self.run_ok("rewrite", path, *options).stdout
        self.assertEqual(self.run_ok("rewrite", path, *options, "--write").stdout, b"")
        self.assertEqual(path.read_bytes(), expected)


class Errors(LacunaTest):
    def test_failures_say_what_to_do(self):
        path = self.write("area.py", TEXT)
        notes = self.write("notes", b"text\n")
        for arguments, says in (
            ((path, "--node", "volume"), "volume"),
            ((path, "--node", "99"), "99"),
            ((path, "--node", "area", "--node", "1"), "overlap"),
            ((notes, "--node", "area"), "--lang"),
            ((self.folder / "missing.py", "--node", "area"), "missing.py"),
        ):
            with self.subTest(says=says):
                self.run_failing("rewrite", *arguments, says=says)
        self.assertEqual(path.read_bytes(), TEXT)

    def test_wrong_usage(self):
        path = self.write("area.py", TEXT)
        for options in ([], ["--node", "area", "--strength", "2"],
                        ["--node", "area", "--strength", "nan"],
                        ["--node", "area", "--strength", "-0.1"],
                        ["--node", "area", "--lang", "klingon"],
                        ["--node", "area", "--steps", "0"], ["--node", "area", "--at", "1:1"]):
            with self.subTest(options=options):
                self.run_failing("rewrite", path, *options, code=2)
        self.run_failing("rewrite", "-", "--node", "area", "--write", code=2, says="--write",
                         stdin=TEXT)


if __name__ == "__main__":
    unittest.main()
