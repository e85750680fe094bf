"""Draws the reward curve of a coupled-GRPO run as an SVG.

    python3 -m training.plot_rewards RUN FILE.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.common import fail
from training.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Point, label, line, read_columns

REWARD, PARSE = "#1f5fa8", "#b3541e"
BATCHES_SMOOTHED = 8


def smoothed(points: list[Point]) -> list[Point]:
    """The mean over the last batches, which have different prompts each."""
    result = []
    for i in range(len(points)):
        near = points[max(0, i + 1 - BATCHES_SMOOTHED) : i + 1]
        result.append((points[i][0], sum(y for _, y in near) / len(near)))
    return result


def dots(points: list[Point], x_range: Point, y_range: Point, colour: str) -> str:
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    places = [
        (LEFT + (x - x_range[0]) / (x_range[1] - x_range[0]) * width, HEIGHT - BOTTOM - (y - y_range[0]) / y_range[1] * height)
        for x, y in points
    ]
    return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}" fill-opacity="0.35"/>' for x, y in places)


def chart(reward: list[Point], parse: list[Point]) -> str:
    """Mean reward and share that parses of each batch (dots) and smoothed (lines)."""
    top = max(1.0, max(y for _, y in reward))
    x_range, y_range, bottom = (reward[0][0], reward[-1][0]), (0.0, top), HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for tenths in range(0, 11, 2):
        y = bottom - tenths / 10 * (bottom - TOP)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        parts.append(label(LEFT - 8, y + 4, f"{top * tenths / 10:.2g}", "end"))
    every = max(1, round((x_range[1] - x_range[0]) / 8))
    for value in range(int(x_range[0]), int(x_range[1]) + 1, every):
        x = LEFT + (value - x_range[0]) / (x_range[1] - x_range[0]) * (WIDTH - LEFT - RIGHT)
        parts.append(label(x, bottom + 18, str(value)))
    for points, colour in ((reward, REWARD), (parse, PARSE)):
        parts += [dots(points, x_range, y_range, colour), line(smoothed(points), x_range, y_range, colour)]
    parts += [
        label(LEFT, 20, "mean reward of a batch", "start", REWARD),
        label(WIDTH - RIGHT, 20, "share that parses", "end", PARSE),
        label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, f"batch (lines: mean of the last {BATCHES_SMOOTHED})"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    log = arguments.run / "log.csv"
    reward, parse = read_columns(log, "batch", "reward"), read_columns(log, "batch", "parse")
    if len(reward) < 2:
        fail(f"{log}: too short to draw")
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.write_text(chart(reward, parse))


if __name__ == "__main__":
    main()
