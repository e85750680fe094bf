"""The encoded corpus in pieces that can be carried one at a time.

    python3 -m training.shards write CORPUS SHARDS [--mb 8] [--total-mb 55]
    python3 -m training.shards read SHARDS       checks every piece and unpacks them there

SHARDS gets NAME.000.xz, NAME.001.xz ... for NAME in train and held_out, NAME.shards.json and the
tokenizer.model. A shard is the uint16 ids of whole documents, little endian, xz-compressed with the
literal coder set to 16-bit data; the list has for each its number of ids and the SHA-256 of the
compressed bytes. Documents need no table: each begins with <bof>, which stands nowhere else.
Where the corpus has the grammar's spans (syntax.py), each shard of ids has one of spans beside it,
NAME.000.spans.xz: uint32, from each span's begin to the next, then their lengths, then their cuts.
They are in the order of a hash, so the first shards are a fair sample of the whole.

After `read` the folder is an encoded corpus, as `pretrain` expects one. Already unpacked ids count as such only while they fit the list.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import shutil
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from training.common import Progress, fail, guarded
from training.data import NO_SPANS, read_spans, spans_between
from training.tokenizer import BOF

NAMES = ("train", "held_out")
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 1, "pb": 1}]
# What a shard of ids is expected to shrink to, to choose how many ids go into one.
BYTES_PER_ID = 0.8


def compress(ids: np.ndarray) -> bytes:
    return lzma.compress(ids.astype("<u2").tobytes(), format=lzma.FORMAT_XZ, filters=FILTERS)


def compress_spans(spans: np.ndarray) -> bytes:
    """`spans` count from the first id of their shard."""
    columns = np.stack([np.diff(spans[0], prepend=0), spans[1] - spans[0], spans[2]])
    return lzma.compress(columns.astype("<u4").tobytes())


def expand_spans(raw: bytes) -> np.ndarray:
    steps, lengths, cuts = np.frombuffer(raw, "<u4").astype(np.int64).reshape(3, -1)
    starts = np.cumsum(steps)
    return np.stack([starts, starts + lengths, cuts])


def cut(offsets: np.ndarray, ids_per_shard: int) -> list[tuple[int, int]]:
    """Ranges of ids, each whole documents and at least `ids_per_shard` long but for the last."""
    ranges, first = [], 0
    while first < offsets[-1]:
        end = int(offsets[min(np.searchsorted(offsets, first + ids_per_shard), len(offsets) - 1)])
        ranges.append((first, end))
        first = end
    return ranges


def write(corpus: Path, name: str, target: Path, shard_bytes: int, total_bytes: int | None) -> int:
    """Returns the bytes written. With a limit, the shards that would exceed it are left out."""
    try:
        ids = np.memmap(corpus / f"{name}.u16", np.uint16, "r")
        offsets = np.load(corpus / f"{name}.offsets.npy")
    except (OSError, ValueError) as error:
        fail(f"{corpus}: no encoded corpus called {name} ({error})")
    spans = read_spans(corpus / f"{name}.spans.npy", len(ids))
    ranges = cut(offsets, int(shard_bytes / BYTES_PER_ID))
    progress, entries, size = Progress(f"shards of {name}", len(ranges)), [], 0
    with Pool(min(2, os.cpu_count() or 1)) as pool:
        for (first, end), packed in zip(ranges, pool.imap(compress, (ids[a:b] for a, b in ranges))):
            packed_spans = compress_spans(spans_between(spans, first, end)) if spans.size else b""
            if total_bytes is not None and size + len(packed) + len(packed_spans) > total_bytes:
                break
            entry = store(target / f"{name}.{len(entries):03}.xz", packed) | {"ids": end - first}
            if spans.size:
                entry["spans"] = store(target / f"{name}.{len(entries):03}.spans.xz", packed_spans)
            entries.append(entry)
            size += len(packed) + len(packed_spans)
            progress.step()
    if not entries:
        fail(f"{target}: not even one shard of {name} fits; use a smaller --mb or a larger --total-mb")
    count = sum(e["ids"] for e in entries)
    (target / f"{name}.shards.json").write_text(json.dumps({"ids": count, "shards": entries}, indent=1) + "\n")
    print(f"{name}: {len(entries)} shards, {count} ids, {size / 1e6:.1f} MB, {count / size:.2f} ids per byte")
    return size


def store(path: Path, packed: bytes) -> dict:
    path.write_bytes(packed)
    return {"file": path.name, "sha256": hashlib.sha256(packed).hexdigest()}


def read_list(folder: Path, name: str) -> dict:
    path = folder / f"{name}.shards.json"
    try:
        listed = json.loads(path.read_text())
        assert listed["ids"] == sum(entry["ids"] for entry in listed["shards"])
        return listed
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        fail(f"{path}: not a list of shards ({error or 'the numbers of ids do not add up'})")


def read_packed(folder: Path, entry: dict) -> bytes:
    path = folder / entry["file"]
    try:
        packed = path.read_bytes()
    except OSError as error:
        fail(f"{path}: shard is missing ({error.strerror}); carry it again")
    if hashlib.sha256(packed).hexdigest() != entry["sha256"]:
        fail(f"{path}: shard is damaged (checksum differs); carry it again")
    return lzma.decompress(packed)


def read_shard(folder: Path, entry: dict) -> np.ndarray:
    ids = np.frombuffer(read_packed(folder, entry), "<u2")
    if len(ids) != entry["ids"]:
        fail(f"{folder / entry['file']}: shard holds {len(ids)} ids, the list says {entry['ids']}; write the shards again")
    return ids


def unpack(folder: Path, name: str) -> None:
    """Shards -> NAME.u16, NAME.offsets.npy and the spans in the same folder, unless they are there already."""
    listed = read_list(folder, name)
    ids_path, offsets_path = folder / f"{name}.u16", folder / f"{name}.offsets.npy"
    spans_path = folder / f"{name}.spans.npy"
    with_spans = all("spans" in entry for entry in listed["shards"])
    there = ids_path.exists() and offsets_path.exists() and (spans_path.exists() or not with_spans)
    if there and ids_path.stat().st_size == 2 * listed["ids"]:
        return
    starts, spans, count = [], [NO_SPANS], 0
    temporary = ids_path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as out:
            for entry in listed["shards"]:
                ids = read_shard(folder, entry)
                starts.append(np.flatnonzero(ids == BOF) + count)
                if with_spans:
                    spans.append(expand_spans(read_packed(folder, entry["spans"])) + [[count], [count], [0]])
                count += len(ids)
                out.write(ids.tobytes())
        # The ids come last under their name: whoever sees them finds the rest.
        spans_path.unlink(missing_ok=True)
        if with_spans:
            np.save(spans_path, np.concatenate(spans, axis=1).astype(np.uint32))
        np.save(offsets_path, np.concatenate([*starts, [count]]).astype(np.int64))
        temporary.replace(ids_path)
    finally:
        temporary.unlink(missing_ok=True)


def unpack_all(folder: Path) -> None:
    """Does nothing for a folder that has no shards."""
    for name in NAMES:
        if (folder / f"{name}.shards.json").exists():
            unpack(folder, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="an encoded corpus into shards")
    writing.add_argument("corpus", type=Path)
    writing.add_argument("shards", type=Path)
    writing.add_argument("--mb", type=float, default=8, help="size of a shard")
    writing.add_argument("--total-mb", type=float, help="leave out shards beyond this size, all together")
    reading = commands.add_parser("read", help="check the shards and unpack them")
    reading.add_argument("shards", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "read":
        for name in NAMES:
            unpack(arguments.shards, name)
        return
    arguments.shards.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(arguments.corpus / "tokenizer.model", arguments.shards / "tokenizer.model")
    limit = int(arguments.total_mb * 1e6) if arguments.total_mb else None
    held_out = write(arguments.corpus, "held_out", arguments.shards, int(arguments.mb * 1e6), limit)
    write(arguments.corpus, "train", arguments.shards, int(arguments.mb * 1e6), limit and limit - held_out)


if __name__ == "__main__":
    guarded(main)
