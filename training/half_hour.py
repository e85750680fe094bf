"""Everything from an encoded corpus to a measured model, with one command and a limit of time.

    python3 -m training.half_hour CORPUS RUN --minutes 25 --device cuda --loaders 12 --lacuna LACUNA
    python3 -m training.half_hour --dry-run RUN --lacuna LACUNA     on a processor, with a corpus of these sources

  check      shards against their checksums, the vocabulary, the held-out text
  train      to the end of the time: constant rate, cool-down, and its end with rounded weights (pretrain.py)
  store      RUN/stored: 4 or 8 bits, as the stage says, by `lacuna model quantise`
  parity     the engine's logits against PyTorch's on real text
  evaluate   what the model can without the engine, for RUN/export on CORPUS/held_out.jsonl: RUN/evaluation.md
             and .json
  calibrate  how the engine chooses lengths and mixes in copies, on a quarter of the held-out files, kept in RUN/stored
  holes      the table of the model card on the other three quarters, by `lacuna eval holes`: RUN/holes.md

Every step can be stopped, and the same command goes on with it; what is done is not done again
(RUN/steps.json). While training, RUN/export and RUN/best are renewed every --save-seconds and
--probe-seconds, so a machine that goes away early leaves a model. Steps that need the executable or
held-out text that is not there are left out and said; they are made up for when the command is given
again with them, on any machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from training import parity, pretrain, quantise, shards, tokenizer
from training.common import fail, guarded
from training.corpus import Document, read_documents, write_documents
from training.data import Corpus
from training.settings import Run
from training.tokenizer import assert_round_trip
from training.tokenizer import load as load_tokenizer

ROOT = Path(__file__).parents[1]
STAGE = "pretrain-38m"
# A dry run: seconds, not quality.
DRY_STAGE = {"shape": "tiny", "rows": 8, "row": 128, "window": 128, "warm_up": 2, "bits_from": 0.8}
DRY_STEPS = 12
DRY_QUESTIONS = ["--windows", "2", "--identifiers", "2", "--lines", "1", "--workers", "1"]
SAMPLES, LIMIT = 400, 20  # of `lacuna model calibrate` and `lacuna eval holes`
DRY_SAMPLES, DRY_LIMIT = 20, 1
PARITY_FILES = 3


class Steps:
    """Which steps are done, and what they found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.done: dict = json.loads(path.read_text()) if path.exists() else {}
        except ValueError as error:
            fail(f"{path}: damaged ({error}); remove it to do all steps again")

    def do(self, name: str, work: Callable[[], dict | None]) -> None:
        """`work` returns what it found, or None if it had to be left out (and has said so)."""
        if name in self.done:
            print(f"== {name}: done before", flush=True)
            return
        print(f"== {name}", flush=True)
        found = work()
        if found is not None:
            self.done[name] = found
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self.done, indent=1) + "\n")
            temporary.replace(self.path)


def check(run: Run) -> dict:
    """What would otherwise be found out when the time is over."""
    shards.unpack_all(run.corpus)
    counts = {name: len(Corpus(run.corpus, name, run.stage.window).ids) for name in shards.NAMES}
    processor = load_tokenizer(run.corpus / "tokenizer.model")
    texts = run.corpus / "held_out.jsonl"
    if texts.exists():
        assert_round_trip(processor, list(read_documents(texts))[:50])
    else:
        print(f"there is no {texts}: evaluation will be left out")
    found = {"tokens": counts, "pieces": processor.vocab_size()}
    print(json.dumps(found))
    return found


def train(run: Run, workers: int) -> dict:
    pretrain.carry_out(run, workers)
    return {"stage": run.stage.shape}


def store(run: Run, lacuna: Path | None) -> dict | None:
    if not run.stage.bits:
        return {"bits": 16}
    if lacuna is None:
        print("left out: give the executable with --lacuna")
        return None
    quantise.store(lacuna, run.folder / "export", run.folder / "stored", run.stage.bits)
    return {"bits": run.stage.bits}


def compare(run: Run, lacuna: Path | None) -> dict | None:
    if lacuna is None:
        print("left out: give the executable with --lacuna")
        return None
    files = sorted(Path(__file__).parent.glob("*.py"))[:PARITY_FILES]
    result = parity.compare(lacuna, run.folder / "export", [f.read_text() for f in files], 256)
    print(f"logits differ by at most {result.largest:.2g}; the same best token at {100 * result.same_token:.1f} % of {result.positions}")
    if result.same_token < 0.99:
        fail("engine and trainer disagree; see training/parity.py")
    return {"largest": result.largest, "same_token": result.same_token, "positions": result.positions}


def evaluate(run: Run, questions: list[str]) -> dict | None:
    texts = run.corpus / "held_out.jsonl"
    if not texts.exists():
        print(f"left out: there is no {texts}")
        return None
    target = run.folder / "evaluation.json"
    command = [sys.executable, "-m", "training.evaluate", run.folder / "export", texts, "--json", target, *questions]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        fail("evaluation failed; the message is above")
    (run.folder / "evaluation.md").write_text(made.stdout)
    print(made.stdout, end="")
    return json.loads(target.read_text())["mean"]


def ask_engine(lacuna: Path, *arguments: object) -> str:
    try:
        made = subprocess.run([lacuna, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    except OSError as error:
        fail(f"{lacuna}: cannot be run ({error.strerror}); build it, and name it with --lacuna")
    if made.returncode:
        fail(f"lacuna {arguments[0]} {arguments[1]} failed; the message is above")
    return made.stdout


def can_measure(run: Run, lacuna: Path | None) -> bool:
    texts = run.corpus / "held_out.jsonl"
    if lacuna is None or not texts.exists():
        print("left out: give the executable with --lacuna" if texts.exists() else f"left out: there is no {texts}")
        return False
    return True


def shipped(run: Run) -> Path:
    return (run.folder / ("stored" if run.stage.bits else "export")).resolve()


def calibrate(run: Run, lacuna: Path | None, samples: int) -> dict | None:
    if not can_measure(run, lacuna):
        return None
    texts = run.corpus / "held_out.jsonl"
    print(ask_engine(lacuna, "model", "calibrate", texts, "--model", f"{shipped(run)}/", "--samples", samples), end="")
    return {"samples": samples}


def measure_holes(run: Run, lacuna: Path | None, limit: int) -> dict | None:
    if not can_measure(run, lacuna):
        return None
    texts = run.corpus / "held_out.jsonl"
    table = ask_engine(lacuna, "eval", "holes", texts, "--model", f"{shipped(run)}/", "--limit", limit)
    (run.folder / "holes.md").write_text(table)
    print(table, end="")
    return {"limit": limit}


def dry_corpus(folder: Path) -> Path:
    """This folder's own sources as a corpus with the vocabulary of the model in models/, every other file held out."""
    if (folder / "train.offsets.npy").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "models" / "lacuna-small" / "tokenizer.model", folder / "tokenizer.model")
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    documents = [Document("python", "training", str(p.relative_to(ROOT)), p.read_text()) for p in sources if p.stat().st_size > 400]
    for name, part in (("train", documents[::2]), ("held_out", documents[1::2])):
        write_documents(folder / f"{name}.jsonl", part)
    for name in ("held_out", "train"):
        tokenizer.encode_file(folder, name)
    return folder


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dry-run", action="store_true", help="no CORPUS: a tiny model, a few steps, all that comes after")
    parser.add_argument("--lacuna", type=Path, help="the executable")
    if "--dry-run" not in sys.argv:
        parser.add_argument("corpus", type=Path, help="folder of token ids, or of shards")
    pretrain.add_arguments(parser, ending="--dry-run" not in sys.argv)
    return parser.parse_args()


def main() -> None:
    arguments = read_arguments()
    questions: list[str] = []
    if arguments.dry_run:
        arguments.corpus, questions = dry_corpus(arguments.run / "corpus"), DRY_QUESTIONS
        arguments.until, arguments.minutes, arguments.steps = None, None, DRY_STEPS
        arguments.set = [f"{name}={json.dumps(value)}" for name, value in DRY_STAGE.items()] + arguments.set
    run = pretrain.run_of(arguments, arguments.corpus, STAGE)
    run.folder.mkdir(parents=True, exist_ok=True)
    lacuna = arguments.lacuna and arguments.lacuna.resolve()
    steps = Steps(run.folder / "steps.json")
    steps.do("check", lambda: check(run))
    steps.do("train", lambda: train(run, arguments.workers))
    steps.do("store", lambda: store(run, lacuna))
    steps.do("parity", lambda: compare(run, lacuna))
    steps.do("evaluate", lambda: evaluate(run, questions))
    steps.do("calibrate", lambda: calibrate(run, lacuna, DRY_SAMPLES if arguments.dry_run else SAMPLES))
    steps.do("holes", lambda: measure_holes(run, lacuna, DRY_LIMIT if arguments.dry_run else LIMIT))


if __name__ == "__main__":
    guarded(main)
