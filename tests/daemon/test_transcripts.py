"""Plays tests/transcripts/*.test, see transcript.py. Each file is one behaviour."""

import unittest

import transcript


class Transcripts(unittest.TestCase):
    pass


def add(path):
    name = "test_" + path.stem.replace("-", "_")

    def test(self):
        transcript.play(path)

    setattr(Transcripts, name, test)


for one in sorted(transcript.FOLDER.glob("*.test")):
    add(one)

if __name__ == "__main__":
    unittest.main()
