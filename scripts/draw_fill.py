#!/usr/bin/env python3
"""Draws a fill as a filmstrip: the text around the holes after some of its steps, as an SVG.

    scripts/draw_fill.py build/cpu-release/lacuna FILE OUT.svg [--frames 4]

Masks are grey blocks; committed tokens are coloured from red (unsure) to green (sure), as
`lacuna fill --watch` does in a terminal.
"""

import argparse
import html
import json
import pathlib
import subprocess
import sys

CHAR_WIDTH, LINE_HEIGHT, MARGIN, TITLE = 7.8, 18, 14, 26
MASK = "\u2591"


def run_fill(lacuna: str, path: pathlib.Path) -> dict:
    done = subprocess.run([lacuna, "fill", str(path), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)


def colour(probability: float) -> str:
    return f"hsl({round(120 * probability)}, 65%, 35%)"


def frame(text: bytes, report: dict, steps: int) -> list[list[tuple[str, str, str]]]:
    """The lines of the text after `steps` steps, each a list of (text, colour, background)."""
    cells = [[(MASK, "#999", "#eee")] * hole["tokens"] for hole in report["holes"]]
    for step in report["steps"][:steps]:
        for commit in step["commits"]:
            made = (commit["text"], colour(commit["probability"]), "#f4f8f2")
            cells[commit["hole"]][commit["offset"]] = made
    pieces: list[tuple[str, str, str]] = []
    at = 0
    for hole, made in zip(report["holes"], cells):
        pieces.append((text[at : hole["begin"]["byte"]].decode(errors="replace"), "#333", ""))
        pieces += made
        at = hole["end"]["byte"]
    pieces.append((text[at:].decode(errors="replace"), "#333", ""))
    lines: list[list[tuple[str, str, str]]] = [[]]
    for piece, fill, background in pieces:
        for i, part in enumerate(piece.split("\n")):
            if i > 0:
                lines.append([])
            if part:
                lines[-1].append((part.expandtabs(4), fill, background))
    return lines


def draw(lines: list[list[tuple[str, str, str]]], title: str, x: float, y: float) -> str:
    out = [f'<text x="{x}" y="{y}" class="title">{html.escape(title)}</text>']
    for row, line in enumerate(lines):
        column = 0
        top = y + 8 + row * LINE_HEIGHT
        for text, fill, background in line:
            left = x + column * CHAR_WIDTH
            width = len(text) * CHAR_WIDTH
            if background:
                out.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{LINE_HEIGHT}" fill="{background}"/>')
            shown = html.escape(text)
            out.append(f'<text x="{left:.1f}" y="{top + 13}" fill="{fill}" textLength="{width:.1f}">{shown}</text>')
            column += len(text)
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lacuna")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=4)
    arguments = parser.parse_args()

    report = run_fill(arguments.lacuna, arguments.file)
    total = len(report["steps"])
    text = arguments.file.read_bytes()
    shown = [round(i * total / (arguments.frames - 1)) for i in range(arguments.frames)]
    frames = [frame(text, report, steps) for steps in shown]
    columns = max(sum(len(t) for t, _, _ in line) for lines in frames for line in lines)
    width = columns * CHAR_WIDTH + 2 * MARGIN
    body, y = [], float(TITLE)
    for steps, lines in zip(shown, frames):
        body.append(draw(lines, f"step {steps} of {total}", MARGIN, y))
        y += len(lines) * LINE_HEIGHT + TITLE
    arguments.out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:.0f} {y:.0f}" width="{width:.0f}">\n'
        "<style>text{font:13px ui-monospace,Menlo,Consolas,monospace}"
        ".title{font:600 12px system-ui,sans-serif;fill:#777}</style>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
