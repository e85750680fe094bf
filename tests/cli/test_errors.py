"""Wrong files, wrong options, closed pipes, signals: one line, an exit code, nothing written."""

import os
import signal
import subprocess
import unittest

from lacuna_process import EXECUTABLE, MARKER, LacunaTest, lacuna

GOOD = b"a = %s\n" % MARKER


class WrongFiles(LacunaTest):
    def refuses(self, content, says, name="file.py"):
        path = self.write(name, content)
        self.run_failing("fill", path, says=says)
        self.run_failing("fill", path, "--write", says=says)
        self.assertEqual(path.read_bytes(), content)

    def test_binary_files(self):
        self.refuses(b"\x7fELF\0\0" + GOOD, "NUL")
        self.refuses(GOOD * 2000 + b"\0", "NUL")
        self.refuses("a = ⟦?⟧".encode("utf-16"), "UTF-16")

    def test_files_without_a_hole(self):
        self.refuses(b"", "no hole")
        self.refuses(b"x = 1\n", "--at")

    def test_markers_that_are_wrong(self):
        self.refuses("a\nb = ⟦?: never closed\n".encode(), "2:5")
        self.refuses("⟦?0⟧".encode(), "1:1")
        self.refuses("⟦?99999999⟧".encode(), "1:1")

    def test_a_hole_larger_than_the_context(self):
        self.refuses("⟦?4096⟧".encode(), "")

    def test_long_lines_and_large_files(self):
        self.refuses(b"x" * (1 << 20) + b"\n" + GOOD, "line 1")
        path = self.write("sparse.py", b"")
        os.truncate(path, 100_000_000)
        self.run_failing("fill", path, says="16.0 MiB")
        self.run_failing("fill", "-", stdin=b"x\n" * (9 << 20), says="standard input")

    def test_what_is_no_file(self):
        self.run_failing("fill", self.folder, says="folder")
        self.run_failing("fill", self.folder / "missing.py", says="missing.py")
        self.run_failing("fill", "/dev/zero", says="regular file")
        self.run_failing("fill", self.write("a.py", GOOD) / "b.py", says="cannot open")
        self.run_failing("fill", "new\nline.py", says="new line.py")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_files_that_may_not_be_read(self):
        path = self.write("a.py", GOOD)
        path.chmod(0)
        self.run_failing("fill", path, says="cannot open")

    def test_places_outside_the_text(self):
        path = self.write("a.py", b"one\ntwo\n")
        self.run_failing("fill", path, "--at", "9:1", says="line 9")
        self.run_failing("fill", path, "--at", "1:5", says="column 5")
        self.run_failing("fill", path, "--span", "1:1-2:9", says="column 9")
        self.run_failing("fill", path, "--span", "2:1-1:1", says="before its begin")
        self.run_failing("fill", path, "--at", "1:2", "--span", "1:1-1:4", says="overlap")
        self.run_failing("fill", path, "--at", "1:2", "--at", "1:2", says="overlap")
        self.assertEqual(path.read_bytes(), b"one\ntwo\n")


class WrongUsage(LacunaTest):
    def test_of_fill(self):
        path = self.write("a.py", GOOD)
        for options in (
            ["--at", "x"], ["--at", "0:1"], ["--span", "1:1"], ["--tokens", "0"], ["--tokens", "x"],
            ["--tokens", "99999"], ["--steps", "0"], ["--steps", "-1"], ["--steps", "1.5"],
            ["--alg", "best"], ["--temperature", "-1"], ["--temperature", "nan"],
            ["--temperature", "inf"], ["--top-p", "0"], ["--top-p", "1.1"], ["--top-k", "0"],
            ["--alg-temp", "-1"], ["--eps", "2"], ["--threshold", "x"], ["--refresh", "0"],
            ["--seed", "-1"], ["--seed", "x"], ["--context", "1"], ["--threads", "0"],
            ["--device", "gpu"], ["--device", "cuda:x"], ["--dtype", "f64"], ["--lang", "klingon"],
            ["--unknown"], ["--at"], ["second_file"],
        ):
            with self.subTest(options=options):
                self.run_failing("fill", path, *options, code=2)
        self.run_failing("fill", code=2, says="FILE")
        self.run_failing("fill", "-", "--write", code=2, says="--write", stdin=GOOD)
        self.assertEqual(path.read_bytes(), GOOD)

    def test_of_the_others(self):
        for arguments in (
            ["frobnicate"], ["--frobnicate"], ["generate", "--steps", "0", "--prompt", "x"],
            ["generate", "--prompt", "x", "--prompt-file", "y"], ["debug"], ["debug", "nothing"],
            ["generate", "--prompt", "x", "--no-chat", "--system", "y"], ["model"],
            ["model", "show", "a", "b"], ["debug", "logits", "--rows", "x"],
            ["debug", "logits", "--rows=-1"], ["debug", "program", "--timeout", "0"],
            ["bench", "--tokens", "0"], ["bench", "--dtype", "f8"],
            ["bench", "--random", "gpt"], ["doctor", "--device", "tpu"],
        ):
            with self.subTest(arguments=arguments):
                self.run_failing(*arguments, code=2)

    def test_help_and_version(self):
        self.assertIn(b"fill", self.run_ok().stdout)
        for arguments in (
            [], ["fill"], ["generate"], ["debug"], ["debug", "logits"], ["debug", "sample"],
            ["debug", "tokens"], ["debug", "program"], ["model"], ["model", "list"],
            ["model", "show"], ["model", "path"], ["doctor"], ["bench"], ["eval"], ["analyze"],
        ):
            with self.subTest(arguments=arguments):
                result = self.run_ok(*arguments, "--help")
                self.assertIn(b"--help", result.stdout)
                self.assertEqual(result.stderr, b"")
        self.assertRegex(self.run_ok("--version").stdout.decode(), r"^lacuna \d+\.\d+\.\d+\n$")


class WrongModels(LacunaTest):
    def test_are_named(self):
        path = self.write("a.py", GOOD)
        self.run_failing("fill", path, "--model", "nowhere", says="nowhere")
        self.run_failing("fill", path, "--model", "./nowhere", says="nowhere")
        self.run_failing("fill", path, env={"LACUNA_MODEL": "gone"}, says="gone")
        self.run_failing("fill", path, "--model", self.folder, says="config.json")
        self.write("config.json", b"{")
        self.run_failing("fill", path, "--model", self.folder, says="config.json")

    def test_cuda_where_there_is_none(self):
        path = self.write("a.py", GOOD)
        self.run_failing("fill", path, "--device", "cuda:99", says="cuda")


class ClosedOutputs(LacunaTest):
    def start(self, stdout, *arguments):
        return subprocess.Popen(
            [EXECUTABLE, *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE
        )

    def ends_with_one_line(self, process):
        message = process.communicate(timeout=300)[1].decode()
        self.assertEqual(process.returncode, 1, message)
        self.assertRegex(message, r"\Alacuna: [^\n]*standard output[^\n]*\n\Z")

    def test_a_closed_pipe_is_no_crash(self):
        path = self.write("a.py", GOOD)
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = self.start(write_end, "fill", path, "--tokens", 2)
        os.close(write_end)
        self.ends_with_one_line(process)

    def test_a_full_disk_is_no_crash(self):
        path = self.write("a.py", GOOD)
        with open("/dev/full", "wb") as full:
            self.ends_with_one_line(self.start(full, "fill", path, "--tokens", 2))
            self.ends_with_one_line(self.start(full, "--help"))


class Signals(LacunaTest):
    def interrupted(self, *options, number=signal.SIGINT):
        # Many steps with nothing to do yet: time enough to interrupt them.
        path = self.write("a.py", b"# text\n" * 50 + GOOD)
        process = subprocess.Popen(
            [EXECUTABLE, "fill", str(path), "--steps", "1000000", "--tokens", "4", "--watch", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.assertIn(b"step 1/", process.stderr.readline())
        process.send_signal(number)
        output, _ = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 128 + number)
        self.assertEqual(output, b"")
        self.assertEqual(path.read_bytes(), b"# text\n" * 50 + GOOD)
        self.assertEqual(os.listdir(self.folder), ["a.py"])

    def test_end_a_fill_between_steps(self):
        self.interrupted()
        self.interrupted("--write")
        self.interrupted("--json", number=signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
