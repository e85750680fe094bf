"""What the mask maker must know about the vocabulary: lines, indentation, words, and where a piece can be cut.

Holes are chosen in token ids, without decoding. A cursor can stand inside a piece, though: the text
before it and after it is then tokenised apart. `Pieces.splits` lists for a piece the pairs of pieces
that spell it, so that a hole may begin or end inside one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import sentencepiece

from training.tokenizer import FIRST_TEXT_ID, SPACE

_WORD = re.compile(rf"{SPACE}?[A-Za-z0-9_]+")


@dataclass
class Pieces:
    newline: int
    indent: np.ndarray  # columns a piece of white space is wide (a tab counts 4), else 0
    word: np.ndarray  # piece is part of an identifier or number
    leads: np.ndarray  # piece starts with a space
    splits: dict[int, list[tuple[int, int]]] = field(repr=False)


def read_pieces(processor: sentencepiece.SentencePieceProcessor) -> Pieces:
    text = [processor.id_to_piece(i) for i in range(processor.vocab_size())]
    plain = range(FIRST_TEXT_ID, len(text))
    id_of = {text[i]: i for i in plain if not processor.is_byte(i)}
    white = re.compile(rf"[\t{SPACE}]+")
    splits = {}
    for piece, i in id_of.items():
        if len(piece) < 2 or white.fullmatch(piece):
            continue
        cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        pairs = [(id_of[a], id_of[b]) for a, b in cuts if a in id_of and b in id_of]
        if pairs:
            splits[i] = pairs
    return Pieces(
        newline=id_of["\n"],
        indent=np.array([len(p.replace("\t", " " * 4)) if white.fullmatch(p) else 0 for p in text]),
        word=np.array([i >= FIRST_TEXT_ID and bool(_WORD.fullmatch(p)) for i, p in enumerate(text)]),
        leads=np.array([i >= FIRST_TEXT_ID and p.startswith(SPACE) for i, p in enumerate(text)]),
        splits=splits,
    )
