"""lacuna fill --watch on a terminal: what it leaves there, in any size, also when interrupted."""

import re
import signal
import unittest

from lacuna_process import EXECUTABLE, ROOT, LacunaTest
from terminal_emulator import run_on_terminal

INVENTORY = ROOT / "examples" / "inventory.py"


class WatchOnATerminal(LacunaTest):
    def watch(self, *options, **terminal):
        arguments = ["fill", "--no-syntax", *map(str, options)]
        return run_on_terminal([EXECUTABLE, *arguments], **terminal)

    def test_leaves_the_filled_lines_and_the_cursor(self):
        text = "def f(a, b):\n    return ⟦?6⟧\n\nprint(f(1, 2))\n"
        path = self.write("a.py", text)
        code, output, screen = self.watch(path, "--watch")
        self.assertEqual(code, 0)
        self.assertTrue(screen.cursor_visible)
        self.assertTrue(screen.wraps)
        filled = output.decode().splitlines()
        self.assertEqual(screen.rows[0], "1 │ " + filled[0])
        self.assertEqual(screen.rows[1].rstrip(), ("2 ▌ " + filled[1]).rstrip())
        self.assertIn("0 tokens left", screen.rows[-2])
        self.assertEqual(screen.rows[-1], "")  # where the cursor stands

    def test_fits_every_size(self):
        for width, height in ((80, 24), (40, 8), (20, 4), (12, 3), (200, 60)):
            with self.subTest(width=width, height=height):
                code, _, screen = self.watch(INVENTORY, "--watch", width=width, height=height)
                self.assertEqual(code, 0)
                self.assertLessEqual(len(screen.rows), height)

    def test_colours_respect_the_environment(self):
        path = self.write("a.py", "x = ⟦?3⟧\n")
        for environment, expected in (
            ({"COLORTERM": "truecolor"}, "38;2;"),
            ({"COLORTERM": ""}, "38;5;"),
        ):
            _, _, screen = self.watch(path, "--watch", environment=environment)
            self.assertTrue(any(expected in colour for colour in screen.colours))
        _, _, screen = self.watch(path, "--watch", environment={"NO_COLOR": "1"})
        self.assertEqual(screen.colours, set())

    def test_a_dumb_terminal_gets_a_log(self):
        path = self.write("a.py", "x = ⟦?3⟧\n")
        _, _, screen = self.watch(path, "--watch", environment={"TERM": "dumb"})
        self.assertTrue(screen.rows[0].startswith("step 1/3: "))

    def test_without_watch_nothing_stays(self):
        path = self.write("a.py", "x = ⟦?3⟧\n")
        code, output, screen = self.watch(path)
        self.assertEqual((code, screen.rows), (0, [""]))
        self.assertTrue(screen.cursor_visible)
        self.assertTrue(output.startswith(b"x = "))

    def test_an_interrupt_restores_the_terminal(self):
        path = self.write("a.py", "x = ⟦?3⟧\n")
        sent = []

        def interrupt(process, seen):
            if not sent and re.search(rb"step [1-9]", seen[-4096:]):
                sent.append(process.send_signal(signal.SIGINT))

        for options in (["--watch"], ["--watch", "--write"]):
            sent.clear()
            code, output, screen = self.watch(
                path, "--steps", 1000000, *options, on_output=interrupt
            )
            self.assertEqual((code, output), (130, b""))
            self.assertTrue(screen.cursor_visible)
            self.assertTrue(screen.wraps)
            self.assertEqual(path.read_text(), "x = ⟦?3⟧\n")

    def test_errors_restore_the_terminal(self):
        path = self.write("a.py", "x = ⟦?4000⟧\n")
        code, output, screen = self.watch(path, "--watch", "--context", 64)
        self.assertEqual((code, output), (1, b""))
        self.assertTrue(screen.cursor_visible)
        self.assertTrue(any(row.startswith("lacuna: ") for row in screen.rows))


if __name__ == "__main__":
    unittest.main()
