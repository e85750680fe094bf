#!/usr/bin/env python3
"""Draws what a terminal shows, with its colours, as an SVG.

    tmux capture-pane -e -p | scripts/draw_terminal.py OUT.svg [--columns N] [--seconds S]

Several screens, divided by form feeds, become a filmstrip, one below the other; with --seconds a moving picture,
where each stands that long, and one that comes again and again accordingly longer.
"""

import argparse
import html
import pathlib
import re
import sys
import unicodedata

CHAR_WIDTH, LINE_HEIGHT, MARGIN = 7.8, 18, 12
FOREGROUND, BACKGROUND = "#d0d0d0", "#1b1d22"
NAMED = ["#1b1d22", "#f85149", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#d0d0d0"]
BRIGHT = ["#6e7681", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff"]


def indexed(number: int) -> str:
    if number < 16:
        return (NAMED + BRIGHT)[number]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    levels = [0, 95, 135, 175, 215, 255]
    number -= 16
    return "#" + "".join(f"{levels[number // part % 6]:02x}" for part in (36, 6, 1))


class Pen:
    def __init__(self) -> None:
        self.fore, self.back, self.swap = FOREGROUND, BACKGROUND, False

    def apply(self, codes: list[int]) -> None:
        """Takes the numbers of one SGR sequence."""
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (7, 27):
                self.swap = code == 7
            elif code in (38, 48) and codes:
                kind = codes.pop(0)
                if kind == 5:
                    colour = indexed(codes.pop(0))
                else:
                    colour = "#" + "".join(f"{codes.pop(0):02x}" for _ in range(3))
                self.set(code == 38, colour)
            elif code in (39, 49):
                self.set(code == 39, FOREGROUND if code == 39 else BACKGROUND)
            elif 30 <= code <= 37 or 40 <= code <= 47:
                self.set(code < 40, NAMED[code % 10])
            elif 90 <= code <= 97 or 100 <= code <= 107:
                self.set(code < 100, BRIGHT[code % 10])

    def set(self, foreground: bool, colour: str) -> None:
        if foreground:
            self.fore = colour
        else:
            self.back = colour

    def colours(self) -> tuple[str, str]:
        return (self.back, self.fore) if self.swap else (self.fore, self.back)


def draw_line(line: str, top: float, pen: Pen) -> list[str]:
    column, parts = 0, []
    for piece in re.split(r"(\x1b\[[0-9;:]*m)", line):
        if piece.startswith("\x1b["):
            pen.apply([int(code or 0) for code in re.split("[;:]", piece[2:-1])])
            continue
        width = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in piece)
        fore, back = pen.colours()
        left = MARGIN + column * CHAR_WIDTH
        if back != BACKGROUND and width:
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{width * CHAR_WIDTH:.1f}"'
                f' height="{LINE_HEIGHT}" fill="{back}"/>'
            )
        if piece.strip():
            parts.append(
                f'<text x="{left:.1f}" y="{top + 13:.1f}" fill="{fore}"'
                f' textLength="{width * CHAR_WIDTH:.1f}" xml:space="preserve">{html.escape(piece)}</text>'
            )
        column += width
    return parts


def draw_screen(screen: str, top: float) -> list[list[str]]:
    """What stands in each line."""
    pen = Pen()
    return [
        draw_line(line.replace("\x0f", ""), top + row * LINE_HEIGHT, pen)
        for row, line in enumerate(screen.strip("\n").split("\n"))
    ]


def filmstrip(screens: list[str]) -> tuple[list[str], float]:
    """The parts of the picture, and how high it is."""
    parts, top = [], float(MARGIN)
    for number, screen in enumerate(screens):
        if number:
            parts.append(
                f'<line x1="0" x2="100%" y1="{top + 6}" y2="{top + 6}" stroke="#6e7681" stroke-dasharray="4"/>'
            )
            top += MARGIN
        lines = draw_screen(screen, top)
        parts += [part for line in lines for part in line]
        top += len(lines) * LINE_HEIGHT
    return parts, top + MARGIN


def moving(screens: list[str], seconds: float) -> tuple[list[str], float]:
    """The same for a moving picture. What never changes is drawn once; where nothing moves, the last screen is seen."""
    drawn = [draw_screen(screen, MARGIN) for screen in screens]
    height = max(len(lines) for lines in drawn)
    drawn = [lines + [[]] * (height - len(lines)) for lines in drawn]
    still = [all(lines[row] == drawn[0][row] for lines in drawn) for row in range(height)]
    parts = [part for row in range(height) if still[row] for part in drawn[0][row]]
    style, frames = [], []
    for number, lines in enumerate(drawn):
        if number and lines == drawn[number - 1]:
            continue
        end = number
        while end < len(drawn) and drawn[end] == lines:
            end += 1
        begin, until = 100 * number / len(drawn), 100 * end / len(drawn)
        hidden = "" if number == 0 else "0%{visibility:hidden}"
        style.append(
            f"@keyframes f{number}{{{hidden}{begin:.2f}%{{visibility:visible}}"
            + ("" if end == len(drawn) else f"{until:.2f}%{{visibility:hidden}}")
            + f"}}.f{number}{{animation:f{number} {seconds * len(drawn):g}s step-end infinite}}"
        )
        visibility = "" if end == len(drawn) else ' visibility="hidden"'
        frames += [f'<g class="f{number}"{visibility}>']
        frames += [part for row in range(height) if not still[row] for part in lines[row]]
        frames += ["</g>"]
    quiet = "@media (prefers-reduced-motion:reduce){g{animation:none!important}}"
    return ["<style>" + "".join(style) + quiet + "</style>", *parts, *frames], height * LINE_HEIGHT + 2 * MARGIN


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("--columns", type=int, default=80)
    options.add_argument("--seconds", type=float, help="a moving picture, of screens that stand so long")
    arguments = options.parse_args()
    screens = [screen for screen in sys.stdin.read().split("\f") if screen.strip()]
    parts, height = moving(screens, arguments.seconds) if arguments.seconds else filmstrip(screens)
    width = 2 * MARGIN + arguments.columns * CHAR_WIDTH
    arguments.out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">\n'
        f'<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
