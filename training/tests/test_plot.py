import contextlib
import io
import re
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from training import plot
from training.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Curve


class PlotTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.run_folder = Path(temporary.name)

    def write(self, name: str, text: str) -> Path:
        path = self.run_folder / name
        path.write_text(text)
        return path

    def lines(self, svg: str) -> list[list[tuple[float, float]]]:
        ElementTree.fromstring(svg)  # well-formed
        found = re.findall(r'points="([^"]*)"', svg)
        return [[tuple(map(float, p.split(","))) for p in points.split()] for points in found]

    def test_of_steps_that_a_resumed_run_repeats_the_later_line_counts(self):
        path = self.write("log.csv", "tokens,loss\n1,5\n2,4\n3,9\n2,4.5\n3,3.5\n")
        self.assertEqual(plot.read_columns(path, "tokens", "loss"), [(1, 5), (2, 4.5), (3, 3.5)])

    def test_scales_have_whole_steps_and_hold_all_values(self):
        for low, high, begin in ((3.31, 8.7, None), (0.2, 61.3, 0), (0.338, 0.343, None), (5, 5, None), (0, 18.5, 0)):
            axis = plot.axis([low, high], 6, begin)
            self.assertLessEqual(axis.low, min(low, high if begin is None else begin) + 1e-9)
            self.assertGreaterEqual(axis.high, high - 1e-9)
            self.assertLessEqual(axis.count, 8)
            self.assertEqual(len(axis.ticks()), axis.count + 1)

    def test_each_curve_fills_the_frame_by_its_own_scale(self):
        svg = plot.chart(Curve("a", [(0, 10), (4, 0)]), Curve("b", [(0, 0), (4, 0.5)], begin=0), "x")
        corners = {"left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM}
        falling, rising = self.lines(svg)
        self.assertEqual(falling, [(corners["left"], corners["top"]), (corners["right"], corners["bottom"])])
        self.assertEqual(rising, [(corners["left"], corners["bottom"]), (corners["right"], corners["top"])])

    def test_a_training_run_shows_loss_and_held_out_tokens(self):
        self.write("log.csv", "step,tokens,loss\n1,1000000,8\n2,3000000,5\n")
        self.write("held_out.csv", "step,tokens,token_right\n1,1000000,0.2\n2,3000000,0.61\n")
        svg = plot.chart_of(self.run_folder)
        self.assertIn("held-out single tokens right", svg)
        self.assertIn(">60 %<", svg)
        self.assertEqual([len(line) for line in self.lines(svg)], [2, 2])

    def test_a_run_with_rewards_shows_them_smoothed_and_each(self):
        rows = "".join(f"{n},{0.3 + (n % 2) / 10},0.7\n" for n in range(1, 21))
        self.write("log.csv", "batch,reward,parse\n" + rows)
        svg = plot.chart_of(self.run_folder)
        self.assertIn("mean reward of a batch", svg)
        self.assertEqual(svg.count("<circle"), 40)
        heights = [y for _, y in self.lines(svg)[0]]
        self.assertAlmostEqual(min(heights[8:]), max(heights[8:]), delta=0.2)

    def test_what_cannot_be_drawn_is_one_line(self):
        contents = {"log.csv": "step,tokens,loss\n1,1000000,8\n", "held_out.csv": "step,tokens,token_right\n"}
        with contextlib.redirect_stderr(io.StringIO()) as said:
            with self.assertRaises(SystemExit):
                plot.chart_of(self.run_folder)
            for name, text in contents.items():
                self.write(name, text)
            with self.assertRaises(SystemExit):
                plot.chart_of(self.run_folder)
        self.assertEqual(len(said.getvalue().splitlines()), 2)


if __name__ == "__main__":
    unittest.main()
