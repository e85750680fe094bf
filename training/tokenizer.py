"""The vocabulary: trains it, turns the corpus into token ids, and checks that nothing is lost.

    python3 -m training.tokenizer train FOLDER     tokenizer.model from train.jsonl
    python3 -m training.tokenizer encode FOLDER    train.u16, held_out.u16 and their language tables

SentencePiece BPE of 8,192 pieces (16,384 for the 38M model: --vocabulary 16384). The settings make two promises: a text comes back byte for byte
(identity normalisation, byte fallback, no dummy prefix, white space kept), and lines and indentation
are token boundaries (newlines, tab runs and indentation of two or more levels are pieces of their own), so
a hole that starts at a line or at an indent starts at a token.
Documents are stored as `<bof> <lang_x> tokens <eof>`, one after the other, uint16.
"""

from __future__ import annotations

import argparse
import collections
import json
import shutil
import tempfile
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import sentencepiece

from training.common import Progress, fail, guarded
from training.corpus import Document, read_documents

VOCABULARY = 8192
LANGUAGES = ("python", "c", "cpp", "javascript", "typescript", "go", "rust", "java")
UNK, MASK, PAD, EOF, EXPAND, BOF, LANG_ANY = range(7)
RESERVED = 5
CONTROL_SYMBOLS = ["<mask>", "<pad>", "<eof>", "<expand>", "<bof>", "<lang_any>"]
CONTROL_SYMBOLS += [f"<lang_{name}>" for name in LANGUAGES]
CONTROL_SYMBOLS += [f"<reserved_{i}>" for i in range(RESERVED)]
LANGUAGE_ID = {name: LANG_ANY + 1 + i for i, name in enumerate(LANGUAGES)}
# First id that stands for text.
FIRST_TEXT_ID = LANG_ANY + 1 + len(LANGUAGES) + RESERVED

# SentencePiece writes a space as U+2581; pieces are matched after that replacement.
SPACE = "\u2581"
INDENTS = [SPACE * n for n in (*range(2, 17), 20, 24, 28, 32)]
TABS = ["\t" * n for n in range(1, 9)]
SAMPLE_BYTES = 40_000_000


def train(texts: list[str], model_prefix: Path, vocabulary: int = VOCABULARY) -> None:
    """Writes model_prefix.model. Lines are the training units because a newline is a piece anyway."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as sample:
        for text in texts:
            sample.writelines(line + "\n" for line in text.split("\n") if line.strip() and len(line) < 400)
        sample.flush()
        sentencepiece.SentencePieceTrainer.train(
            input=sample.name,
            model_prefix=str(model_prefix),
            model_type="bpe",
            vocab_size=vocabulary,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            byte_fallback=True,
            character_coverage=0.9999,
            max_sentence_length=2000,
            max_sentencepiece_length=24,
            num_threads=2,
            unk_id=UNK,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            control_symbols=CONTROL_SYMBOLS,
            user_defined_symbols=["\n", *TABS, *INDENTS],
            minloglevel=2,
        )


def load(path: Path) -> sentencepiece.SentencePieceProcessor:
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        fail(f"{path}: not a SentencePiece model ({error})")


def balanced_sample(documents: list[Document]) -> list[str]:
    """Text for the vocabulary, in the proportions of the corpus."""
    total = sum(len(d.text) for d in documents)
    every = max(1, total // SAMPLE_BYTES)
    return [d.text for d in documents[::every]]


@dataclass
class Encoder:
    """Picklable, so that worker processes can hold one."""

    model: Path
    processor: sentencepiece.SentencePieceProcessor | None = None

    def __call__(self, document: Document) -> np.ndarray:
        if self.processor is None:
            self.processor = load(self.model)
        ids = self.processor.encode(document.text)
        return np.array([BOF, LANGUAGE_ID[document.language], *ids, EOF], np.uint16)


_encoder: Encoder


def _start_worker(model: Path) -> None:
    global _encoder
    _encoder = Encoder(model)


def _encode(document: Document) -> np.ndarray:
    return _encoder(document)


def encode_file(folder: Path, name: str) -> None:
    """NAME.jsonl -> NAME.u16 (ids) and NAME.offsets.npy (start of each document, and the end)."""
    documents = list(read_documents(folder / f"{name}.jsonl"))
    progress = Progress(f"encoded {name}", len(documents))
    # Places in the ids that are replaced.
    (folder / f"{name}.spans.npy").unlink(missing_ok=True)
    shutil.rmtree(folder / f"{name}.spans.parts", ignore_errors=True)
    offsets = [0]
    with Pool(2, _start_worker, (folder / "tokenizer.model",)) as pool, (folder / f"{name}.u16").open("wb") as out:
        for ids in pool.imap(_encode, documents, chunksize=64):
            out.write(ids.tobytes())
            offsets.append(offsets[-1] + len(ids))
            progress.step()
    np.save(folder / f"{name}.offsets.npy", np.array(offsets, np.int64))
    size = sum(len(d.text.encode()) for d in documents)
    print(f"{name}: {len(documents)} documents, {offsets[-1]} tokens, {size / offsets[-1]:.2f} bytes per token")


def assert_round_trip(processor: sentencepiece.SentencePieceProcessor, documents: list[Document]) -> None:
    for document in documents:
        if processor.decode(processor.encode(document.text)) != document.text:
            fail(f"tokenizer does not give back {document.package}/{document.path}")


def report(processor: sentencepiece.SentencePieceProcessor, documents: list[Document]) -> None:
    size: collections.Counter = collections.Counter()
    tokens: collections.Counter = collections.Counter()
    for d in documents:
        size[d.language] += len(d.text.encode())
        tokens[d.language] += len(processor.encode(d.text))
    print("bytes per token, held out:", json.dumps({k: round(size[k] / tokens[k], 2) for k in sorted(size)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=("train", "encode"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vocabulary", type=int, default=VOCABULARY, help="pieces, at most 65536: ids are 16 bits")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if not 512 <= arguments.vocabulary <= 1 << 16:
        fail(f"--vocabulary {arguments.vocabulary}: expected 512 to 65536 pieces")
    if arguments.command == "train":
        train(balanced_sample(list(read_documents(folder / "train.jsonl"))), folder / "tokenizer", arguments.vocabulary)
        processor = load(folder / "tokenizer.model")
        held_out = list(read_documents(folder / "held_out.jsonl"))
        assert_round_trip(processor, held_out)
        report(processor, held_out)
    else:
        load(folder / "tokenizer.model")  # fails here, in one line, rather than in every worker
        encode_file(folder, "held_out")
        encode_file(folder, "train")


if __name__ == "__main__":
    guarded(main)
