"""Plays tests/transcripts/*.test, see transcript.py. Each file is one behaviour."""

import unittest

import transcript


class Transcripts(unittest.TestCase):
    pass


def add(path):
    name = "test_" + path.stem.replace("-", "_")
    setattr(Transcripts, name, lambda self: transcript.play(path))


for one in sorted(transcript.FOLDER.glob("*.test")):
    add(one)

if __name__ == "__main__":
    unittest.main()
