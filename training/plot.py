"""Draws the loss curve of a run as an SVG, without any plotting library.

    python3 -m training.plot RUN FILE.svg
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from training.common import fail

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 60, 34, 44
Point = tuple[float, float]


def read_columns(path: Path, x: str, y: str) -> list[Point]:
    """Points in order of x. A resumed run repeats the steps since its checkpoint: the later line counts."""
    try:
        with path.open() as lines:
            return sorted({float(row[x]): float(row[y]) for row in csv.DictReader(lines)}.items())
    except (OSError, KeyError, ValueError) as error:
        fail(f"{path}: no columns {x} and {y} ({error})")


def line(points: list[Point], x_range: Point, y_range: Point, colour: str, dots: bool = False) -> str:
    def place(point: Point) -> str:
        x = LEFT + (point[0] - x_range[0]) / (x_range[1] - x_range[0]) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (point[1] - y_range[0]) / (y_range[1] - y_range[0]) * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    places = [place(p) for p in points]
    shape = f'<polyline fill="none" stroke="{colour}" stroke-width="1.8" points="{" ".join(places)}"/>'
    if dots:
        for p in places:
            x, y = p.split(",")
            shape += f'<circle cx="{x}" cy="{y}" r="2.6" fill="{colour}"/>'
    return shape


def ticks(low: float, high: float, step: float) -> list[float]:
    first = int(low / step + 0.999)
    return [i * step for i in range(first, int(high / step) + 1)]


def label(x: float, y: float, text: str, anchor: str = "middle", colour: str = "#444") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def chart(loss: list[Point], right: list[Point]) -> str:
    """Loss (left scale) and held-out single tokens right in per cent (right scale) over millions of tokens."""
    end = max(x for x, _ in loss)
    x_range, y_range, r_range = (0.0, end), (3.0, 9.0), (0.0, 60.0)
    bottom = HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for value in ticks(*y_range, 1):
        y = bottom - (value - y_range[0]) / (y_range[1] - y_range[0]) * (bottom - TOP)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        parts.append(label(LEFT - 8, y + 4, f"{value:g}", "end", "#1f5fa8"))
        parts.append(label(WIDTH - RIGHT + 8, y + 4, f"{(value - 3) * 10:g} %", "start", "#b3541e"))
    for value in ticks(0, end, 2 if end < 24 else 5):
        x = LEFT + value / end * (WIDTH - LEFT - RIGHT)
        parts.append(label(x, bottom + 18, f"{value:g}"))
    parts += [
        line(loss, x_range, y_range, "#1f5fa8"),
        line(right, x_range, r_range, "#b3541e", dots=True),
        label(LEFT, 20, "training loss (nats per masked token, smoothed)", "start", "#1f5fa8"),
        label(WIDTH - RIGHT, 20, "held-out single tokens right", "end", "#b3541e"),
        label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "million tokens seen"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    loss = [(x / 1e6, y) for x, y in read_columns(arguments.run / "log.csv", "tokens", "loss")]
    held_out = read_columns(arguments.run / "held_out.csv", "tokens", "token_right")
    if len(loss) < 2:
        fail(f"{arguments.run}/log.csv: too short to draw")
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.write_text(chart(loss, [(x / 1e6, 100 * y) for x, y in held_out]))


if __name__ == "__main__":
    main()
