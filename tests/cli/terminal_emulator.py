"""Just enough of a terminal to see what `--watch` leaves on the screen."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import unicodedata

SEQUENCE = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])")


def cells(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """A grid with scrollback. Fails on everything that it does not know."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.rows = [""]
        self.row = self.column = 0
        self.cursor_visible = self.wraps = True
        self.colours = set()  # the SGR parameters seen

    def feed(self, text):
        at = 0
        while at < len(text):
            character = text[at]
            if character == "\x1b":
                match = SEQUENCE.match(text, at)
                assert match, f"unknown sequence {text[at:at + 12]!r}"
                self.control(*match.groups())
                at = match.end()
                continue
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.row += 1
                if self.row == len(self.rows):
                    self.rows.append("")
            else:
                self.put(character)
            at += 1

    def control(self, private, parameters, final):
        if private:
            if parameters == "25":
                self.cursor_visible = final == "h"
            elif parameters == "7":
                self.wraps = final == "h"
            else:
                assert parameters == "2026", parameters
        elif final == "A":
            self.row -= int(parameters)
            assert self.row >= 0, "the cursor left the screen"
            # What has scrolled away cannot be reached again.
            assert len(self.rows) - self.row <= self.height, "the frame is taller than the screen"
        elif final == "K":
            self.rows[self.row] = self.rows[self.row][: self.column]
        elif final == "J":
            self.rows[self.row] = self.rows[self.row][: self.column]
            del self.rows[self.row + 1 :]
        else:
            assert final == "m", final
            self.colours.add(parameters)

    def put(self, character):
        # Good enough for narrow text: one string index is one cell.
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
        self.column += 1
        # Frames are drawn without wrapping and must fit; an error line may be longer.
        fits = sum(map(cells, self.rows[self.row])) < self.width
        assert fits or self.wraps, "a row is too wide"


def run_on_terminal(command, width=80, height=24, environment=None, on_output=None, stdout=None):
    """Runs a command whose standard error is a terminal. Gives (exit code, stdout, Screen)."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    attributes = termios.tcgetattr(side)
    attributes[1] &= ~termios.OPOST  # "\n" stays "\n", as the command wrote it
    termios.tcsetattr(side, termios.TCSANOW, attributes)
    env = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=side, env=env)
    os.close(side)
    seen, output = b"", b""
    streams = {main, process.stdout.fileno()}
    while streams:
        for fd in select.select(list(streams), [], [], 300)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:  # the other side of the terminal is closed
                data = b""
            if not data:
                streams.discard(fd)
            elif fd == main:
                seen += data
                if on_output:
                    on_output(process, seen)
            else:
                output += data
    os.close(main)
    process.stdout.close()
    screen = Screen(width, height)
    screen.feed(seen.decode())
    return process.wait(), output, screen
