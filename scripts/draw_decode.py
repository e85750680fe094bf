#!/usr/bin/env python3
"""Draws what `lacuna bench decode --json` measured: time against agreement with the exact sampler.
Times are shares of the first setting's, so that a busy machine does not matter.

    lacuna bench decode FILE --json > decode.json
    scripts/draw_decode.py decode.json OUT.svg

Points on the line are those that no other one beats in both.
"""

import argparse
import html
import json
import math
import pathlib

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 64, 24, 36, 52
KINDS = [  # first words of the setting, colour
    ("one token", "#222222"),
    ("cache", "#1f77b4"),
    ("dual cache", "#1f77b4"),
    ("prefix cache", "#1f77b4"),
    ("threshold", "#2ca02c"),
    ("factor", "#d62728"),
    ("entropy", "#9467bd"),
    ("info gain", "#e377c2"),
    ("profile", "#ff7f0e"),
    ("", "#8c6d31"),
]


def colour_of(setting: str) -> str:
    return next(colour for start, colour in KINDS if setting.startswith(start))


def frontier(rows: list[dict]) -> list[dict]:
    best, kept = -1.0, []
    for row in sorted(rows, key=lambda r: (r["median_ms"], -r["same_as_first"])):
        if row["same_as_first"] > best:
            best = row["same_as_first"]
            kept.append(row)
    return kept


def draw(result: dict) -> str:
    first = result["settings"][0]["median_ms"]
    rows = [dict(row, percent=100 * row["median_ms"] / first) for row in result["settings"]]
    low = math.log(min(row["percent"] for row in rows) * 0.9)
    high = math.log(max(row["percent"] for row in rows) * 1.15)

    def x(row: dict) -> float:
        share = (math.log(row["percent"]) - low) / (high - low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{html.escape(result["model"])}, '
        f'{html.escape(result["numbers"])}, {result["threads"]} threads, '
        f'{result["cases"]} holes</text>',
    ]
    for tick in range(0, 101, 20):
        at = y(tick / 100)
        out.append(f'<line x1="{LEFT}" y1="{at}" x2="{WIDTH - RIGHT}" y2="{at}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{tick} %</text>')
    for tick in (5, 10, 20, 30, 50, 70, 100, 200, 500, 1000):
        if not low <= math.log(tick) <= high:
            continue
        at = x({"percent": tick})
        out.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick} %</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
               "median time of a fill, as a share of the first setting\'s</text>")
    out.append(f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
               "same text as the first</text>")
    line = " ".join(f'{x(row):.1f},{y(row["same_as_first"]):.1f}' for row in frontier(rows))
    out.append(f'<polyline points="{line}" fill="none" stroke="#bbb" stroke-width="2"/>')
    on_line = {row["setting"] for row in frontier(rows)}
    labels: list[tuple[float, float]] = []
    for row in rows:
        name = html.escape(row["setting"])
        at_x, at_y = x(row), y(row["same_as_first"])
        out.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="4" '
                   f'fill="{colour_of(row["setting"])}"><title>{name}</title></circle>')
        free = all(abs(at_y - other_y) > 14 or abs(at_x - other_x) > 150 for other_x, other_y in labels)
        if row["setting"] in on_line and free:
            labels.append((at_x, at_y))
            near_right = at_x > WIDTH - 180
            out.append(f'<text x="{at_x + (-8 if near_right else 8):.1f}" y="{at_y - 7:.1f}" '
                       f'text-anchor="{"end" if near_right else "start"}">{name}</text>')
    return "\n".join(out) + "\n</svg>\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json", type=pathlib.Path)
    parser.add_argument("svg", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.svg.write_text(draw(json.loads(arguments.json.read_text())))


if __name__ == "__main__":
    main()
