"""Draws the curves of a run as an SVG, without any plotting library: of training, its loss and the held-out
single tokens that are right; of coupled-GRPO, reward and share that parses.

    python3 -m training.plot RUN FILE.svg
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from training.common import fail, guarded

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 60, 34, 44
FIRST_COLOUR, SECOND_COLOUR, TEXT, LINES = "#1f5fa8", "#b3541e", "#444", "#e4e4e4"
ROWS, COLUMNS = 6, 8  # about as many lines and labels
BATCHES_SMOOTHED = 8
Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """Begins and ends at whole steps around its values."""

    low: float
    step: float
    count: int  # of steps

    @property
    def high(self) -> float:
        return self.low + self.count * self.step

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        return [self.low + i * self.step for i in range(self.count + 1)]


def axis(values: list[float], about: int, begin: float | None = None) -> Axis:
    low = min(values) if begin is None else begin
    rough = max(max(values) - low, 1e-9) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough * 0.999)
    first = math.floor(low / step)
    return Axis(first * step, step, max(1, math.ceil(max(values) / step - 1e-9) - first))


@dataclass(frozen=True)
class Curve:
    """Drawn against the left scale, or against the right one if it is the second."""

    name: str
    points: list[Point]
    dots: list[Point] = field(default_factory=list)  # beside the line
    unit: str = ""
    begin: float | None = None  # where the scale begins, if not at the least value


def read_columns(path: Path, x: str, y: str) -> list[Point]:
    """Points in order of x. A resumed run repeats the steps since its checkpoint: the later line counts."""
    try:
        with path.open() as lines:
            return sorted({float(row[x]): float(row[y]) for row in csv.DictReader(lines)}.items())
    except (OSError, KeyError, ValueError) as error:
        fail(f"{path}: no columns {x} and {y} ({error})")


def label(x: float, y: float, text: str, anchor: str = "middle", colour: str = TEXT) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def place_on(x_axis: Axis, y_axis: Axis) -> Callable[[Point], tuple[str, str]]:
    def place(point: Point) -> tuple[str, str]:
        x = LEFT + x_axis.share(point[0]) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - y_axis.share(point[1]) * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f}", f"{y:.1f}"

    return place


def drawn(curve: Curve, place: Callable[[Point], tuple[str, str]], colour: str) -> list[str]:
    points = " ".join(",".join(place(p)) for p in curve.points)
    parts = [f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{points}"/>']
    for x, y in map(place, curve.dots):
        parts.append(f'<circle cx="{x}" cy="{y}" r="2.2" fill="{colour}" fill-opacity="0.5"/>')
    return parts


def chart(first: Curve, second: Curve, x_label: str, x_begin: float | None = None) -> str:
    """Two curves over the same steps, each with a scale of its own colour."""
    x_axis = axis([x for c in (first, second) for x, _ in c.points], COLUMNS, x_begin)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    sides = ((first, LEFT - 8, "end", FIRST_COLOUR), (second, WIDTH - RIGHT + 8, "start", SECOND_COLOUR))
    for curve, x, anchor, colour in sides:
        y_axis = axis([y for _, y in curve.points + curve.dots], ROWS, curve.begin)
        place = place_on(x_axis, y_axis)
        for value in y_axis.ticks():
            y = float(place((x_axis.low, value))[1])
            if curve is first:
                parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{LINES}"/>')
            parts.append(label(x, y + 4, f"{value:.6g}{curve.unit}", anchor, colour))
        parts += drawn(curve, place, colour)
    for value in x_axis.ticks():
        parts.append(label(float(place((value, 0))[0]), HEIGHT - BOTTOM + 18, f"{value:.6g}"))
    parts += [
        label(LEFT, 20, first.name, "start", FIRST_COLOUR),
        label(WIDTH - RIGHT, 20, second.name, "end", SECOND_COLOUR),
        label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def smoothed(points: list[Point]) -> list[Point]:
    """The mean over the last batches, which have different prompts each."""
    result = []
    for i in range(len(points)):
        near = points[max(0, i + 1 - BATCHES_SMOOTHED) : i + 1]
        result.append((points[i][0], sum(y for _, y in near) / len(near)))
    return result


def training_chart(run: Path) -> str:
    loss = [(x / 1e6, y) for x, y in read_columns(run / "log.csv", "tokens", "loss")]
    right = [(x / 1e6, 100 * y) for x, y in read_columns(run / "held_out.csv", "tokens", "token_right")]
    if len(loss) < 2 or not right:
        fail(f"{run}: too short to draw")
    return chart(
        Curve("training loss (nats per masked token, smoothed)", loss),
        Curve("held-out single tokens right", right, dots=right, unit=" %", begin=0),
        "million tokens seen",
        x_begin=0,
    )


def reward_chart(run: Path) -> str:
    reward, parse = (read_columns(run / "log.csv", "batch", column) for column in ("reward", "parse"))
    if len(reward) < 2:
        fail(f"{run}/log.csv: too short to draw")
    return chart(
        Curve("mean reward of a batch", smoothed(reward), dots=reward, begin=0),
        Curve("share that parses", smoothed(parse), dots=parse, begin=0),
        f"batch (lines: mean of the last {BATCHES_SMOOTHED})",
    )


def chart_of(run: Path) -> str:
    try:
        with (run / "log.csv").open() as lines:
            columns = lines.readline()
    except OSError as error:
        fail(f"{run}/log.csv: {error.strerror}")
    return reward_chart(run) if "reward" in columns else training_chart(run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    drawing = chart_of(arguments.run)
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.write_text(drawing)


if __name__ == "__main__":
    guarded(main)
