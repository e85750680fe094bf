"""A plain sampler for measurements: the most certain positions first, <pad> deletes, <expand> doubles.

The daemon's engine is the real thing; this one is short, exact (every step is a full pass) and
follows DreamOn's rules (arXiv:2602.01326): a position that says <pad> is removed, one that says
<expand> becomes two masks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import torch

from training import export
from training.common import fail
from training.model import Model
from training.tasks import Question
from training.tokenizer import load as load_tokenizer

CONTEXT_CHARACTERS = 6000  # more than any window holds
BEFORE_SHARE = 0.6  # of the context goes to the text before the hole
# How older vocabularies call a language.
SHORT_NAMES = {"python": "py", "javascript": "js", "typescript": "ts", "rust": "rs"}


@dataclass
class Filler:
    model: Model
    tokenizer: sentencepiece.SentencePieceProcessor
    ids: dict[str, int]  # mask, pad, expand, begin, end
    languages: dict[str, int]
    context: int

    @classmethod
    def load(cls, folder: Path, context: int | None) -> Filler:
        settings = json.loads((folder / "config.json").read_text()) if (folder / "config.json").exists() else None
        if settings is None:
            fail(f"{folder}: no config.json")
        tokenizer = load_tokenizer(folder / "tokenizer.model")
        names = {"mask": "mask", "pad": "pad", "expand": "expand", "begin": "bos", "end": "eos"}
        ids = {ours: settings[f"{theirs}_token_id"] for ours, theirs in names.items()}
        languages = settings.get("document_format", {}).get("languages") or guess_languages(tokenizer)
        return cls(export.load(folder).freeze(), tokenizer, ids, languages, context or settings["max_position_embeddings"])

    def canvas(self, question: Question, count: int) -> tuple[list[int], int]:
        """Ids with `count` masks, and where the masks start."""
        before = self.tokenizer.encode(question.before[-CONTEXT_CHARACTERS:])
        after = self.tokenizer.encode(question.after[:CONTEXT_CHARACTERS])
        room = self.context - count - 3
        take_after = min(len(after), max(int(room * (1 - BEFORE_SHARE)), room - len(before)))
        take_before = min(len(before), room - take_after)
        head = [self.ids["begin"]] if take_before == len(before) else []
        head += [self.languages[question.language], *before[len(before) - take_before :]]
        tail = after[:take_after] + ([self.ids["end"]] if take_after == len(after) else [])
        return head + [self.ids["mask"]] * count + tail, len(head)

    @torch.no_grad()
    def predict(self, ids: list[int], positions: list[int]) -> torch.Tensor:
        """Probabilities [positions, vocabulary]."""
        logits = self.model(torch.tensor([ids]), torch.tensor(positions)).float()
        return torch.softmax(logits, -1)

    def fill(self, question: Question, count: int, grow: bool, steps: int = 8) -> str:
        """The text for `count` masks. Without `grow` the length stays, otherwise <pad> and <expand> may change it."""
        ids, start = self.canvas(question, count)
        end, budget = start + count, count if grow else 0
        mask, per_step = self.ids["mask"], -(-count // steps)
        while masked := [p for p in range(start, end) if ids[p] == mask]:
            certain, choice = self.choose(ids, masked, grow, budget > 0)
            order = certain.argsort(descending=True)[:per_step].tolist()
            # From the right, so that a change of length leaves the positions to its left alone.
            for i in sorted(order, reverse=True):
                p, token = masked[i], int(choice[i])
                if token == self.ids["pad"]:
                    ids[p : p + 1] = []
                    end -= 1
                elif token == self.ids["expand"]:
                    ids[p : p + 1] = [mask, mask]
                    end, budget = end + 1, budget - 1
                else:
                    ids[p] = token
        return self.tokenizer.decode(ids[start:end])

    def choose(self, ids: list[int], masked: list[int], pad: bool, expand: bool) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.predict(ids, masked)
        allowed = torch.ones(scores.shape[1])
        allowed[[i for i in range(len(allowed)) if self.tokenizer.is_control(i)]] = 0
        allowed[self.ids["pad"]] = float(pad)
        allowed[self.ids["expand"]] = float(expand)
        return (scores * allowed).max(-1)


def guess_languages(tokenizer: sentencepiece.SentencePieceProcessor) -> dict[str, int]:
    found = {}
    for name in ("python", "c", "cpp", "javascript", "typescript", "go", "rust", "java"):
        for label in (name, SHORT_NAMES.get(name, name)):
            piece = tokenizer.piece_to_id(f"<lang_{label}>")
            if piece != tokenizer.unk_id():
                found[name] = piece
    return found
