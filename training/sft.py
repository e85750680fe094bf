"""Instruction tuning: answers to instructions, and rewrites of a piece of a file.

    python3 -m training.sft EXAMPLES RUN --start MODEL --steps 2000

EXAMPLES is a folder with train.jsonl and, to measure on, held_out.jsonl: an object a line,

    {"language": "python", "instruction": "...", "before": "...", "old": "...", "answer": "...", "after": "..."}

of which only `language` and `answer` must be there. What the model is given is never noised; the answer
is, with a uniform probability. An example is laid out as the engine lays out a hole, with what is to be
done in front (the marks are reserved pieces of the vocabulary):

    <bof> <lang_x> <reserved_0> instruction <reserved_1> old <reserved_2> before [answer <pad>...] after <eof>

`<pad>` fills a canvas that is longer than the answer, as in pretraining, so the length of an answer is
learnt as well (arXiv:2506.20639 trains a padding token for it). All else is training/pretrain.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from training import masks
from training.common import fail, guarded
from training.masks import NOTHING, Row
from training.settings import Run
from training.tokenizer import BOF, EOF, FIRST_TEXT_ID, LANGUAGE_ID, MASK, PAD, RESERVED
from training.tokenizer import load as load_tokenizer

INSTRUCTION, OLD, BEFORE = range(FIRST_TEXT_ID - RESERVED, FIRST_TEXT_ID - RESERVED + 3)
TEXTS = ("language", "instruction", "before", "old", "answer", "after")


@dataclass(frozen=True)
class Example:
    head: np.ndarray  # up to the answer, never noised
    answer: np.ndarray
    tail: np.ndarray

    def __len__(self) -> int:
        return len(self.head) + len(self.answer) + len(self.tail)


def lay_out(fields: dict[str, str], tokenizer: sentencepiece.SentencePieceProcessor) -> Example:
    head = [BOF, LANGUAGE_ID[fields["language"]]]
    for mark, name in ((INSTRUCTION, "instruction"), (OLD, "old")):
        head += [mark, *tokenizer.encode(fields[name])] if name in fields else []
    head += [BEFORE, *tokenizer.encode(fields.get("before", ""))]
    tail = [*tokenizer.encode(fields.get("after", "")), EOF]
    return Example(*(np.array(ids, np.int64) for ids in (head, tokenizer.encode(fields["answer"]), tail)))


def read_examples(path: Path, tokenizer: sentencepiece.SentencePieceProcessor, longest: int) -> list[Example]:
    """Those that fit a row; how many do not is said."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: no examples ({error})")
    examples = []
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            if unknown := set(fields) - set(TEXTS):
                raise ValueError(f"unknown {min(unknown)}")
            if not all(isinstance(value, str) for value in fields.values()) or not fields["answer"]:
                raise ValueError("values must be texts, and the answer not empty")
            examples.append(lay_out(fields, tokenizer))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fail(f"{path}, line {number}: not an example ({error})")
    fitting = [e for e in examples if len(e) <= longest]
    if not fitting:
        fail(f"{path}: none of {len(examples)} examples fits a window of {longest} tokens")
    if len(fitting) < len(examples):
        print(f"{path}: {len(examples) - len(fitting)} of {len(examples)} examples are longer than {longest} tokens, left out")
    return fitting


def answer_row(example: Example, room: int, rng: np.random.Generator, share: float | None = None) -> Row:
    """`share` of the answer is masked, uniformly drawn if it is None; spare positions always are."""
    spare = masks.spare_positions(len(example.answer), room - len(example), rng)
    canvas = np.concatenate([example.answer, np.full(spare, PAD, np.int64)])
    masked = (rng.random(len(canvas)) < (rng.uniform(masks.SMALLEST_SHARE, 1.0) if share is None else share)) | (canvas == PAD)
    weights = masked.astype(np.float32)
    if spare:
        weights[len(example.answer) :] = 1 / spare
    nothing = [np.full(len(x), NOTHING) for x in (example.head, example.tail)]
    return Row(
        np.concatenate([example.head, np.where(masked, MASK, canvas), example.tail]),
        np.concatenate([nothing[0], np.where(masked, canvas, NOTHING), nothing[1]]),
        np.concatenate([np.zeros(len(example.head)), weights, np.zeros(len(example.tail))]).astype(np.float32),
    )


@dataclass(frozen=True)
class AnswerSource:
    examples: list[Example]

    def draw(self, rng: np.random.Generator, room: int, twin_room: int, progress: float) -> list[Row]:
        example = self.examples[int(rng.integers(len(self.examples)))]
        return [answer_row(example, room, rng)] if len(example) <= room else []


def open_source(run: Run) -> AnswerSource:
    tokenizer = load_tokenizer(run.tokenizer_path())
    return AnswerSource(read_examples(run.corpus / "train.jsonl", tokenizer, run.stage.window))


def main() -> None:
    import argparse

    from training import pretrain

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("examples", type=Path, help="folder with train.jsonl and perhaps held_out.jsonl")
    pretrain.add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.start is None:
        fail("--start: instruction tuning goes on from a trained model")
    pretrain.carry_out(pretrain.run_of(arguments, arguments.examples, "sft"), arguments.workers)


if __name__ == "__main__":
    guarded(main)
