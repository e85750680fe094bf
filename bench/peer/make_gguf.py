#!/usr/bin/env python3
"""Writes a GGUF file in the shape of Qwen2 0.5B with random weights.

usage: make_gguf.py FILE f32|bf16|q8_0

Only the time of a forward pass is of interest, so the vocabulary consists of invented words and
all matrices are cut from one block of noise. The architecture is qwen2 and not dream, which has
the same layers: for dream, llama.cpp computes the logits of all rows whatever was asked.

The format: a header, key/value pairs, descriptions of the tensors, then their data; numbers are
little-endian, texts are preceded by their length.
"""
import array
import random
import struct
import sys

LAYERS, WIDTH, FFN, HEADS, KV_HEADS, HEAD, VOCAB = 24, 896, 4864, 14, 2, 64, 151936
MASK, END = VOCAB - 1, VOCAB - 2
ALIGNMENT = 32
# ggml's number of each tensor type, and bytes for how many weights
TYPES = {"f32": (0, 4, 1), "bf16": (30, 2, 1), "q8_0": (8, 34, 32)}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def u32(value):
    return struct.pack("<II", 4, value)


def f32(value):
    return struct.pack("<If", 6, value)


def boolean(value):
    return struct.pack("<IB", 7, value)


def string(value):
    return struct.pack("<I", 8) + text(value)


def strings(values):
    return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))


def integers(values):
    return struct.pack("<IIQ", 9, 5, len(values)) + array.array("i", values).tobytes()


def metadata():
    control = [3 if token >= END else 1 for token in range(VOCAB)]
    return {
        "general.architecture": string("qwen2"),
        "general.name": string("random-0.5b"),
        "qwen2.block_count": u32(LAYERS),
        "qwen2.context_length": u32(4096),
        "qwen2.embedding_length": u32(WIDTH),
        "qwen2.feed_forward_length": u32(FFN),
        "qwen2.attention.head_count": u32(HEADS),
        "qwen2.attention.head_count_kv": u32(KV_HEADS),
        "qwen2.vocab_size": u32(VOCAB),
        "qwen2.attention.layer_norm_rms_epsilon": f32(1e-6),
        "qwen2.rope.freq_base": f32(1e6),
        "tokenizer.ggml.model": string("gpt2"),
        "tokenizer.ggml.pre": string("qwen2"),
        "tokenizer.ggml.tokens": strings([f"w{token}" for token in range(VOCAB)]),
        "tokenizer.ggml.token_type": integers(control),
        "tokenizer.ggml.merges": strings(["a b"]),
        "tokenizer.ggml.bos_token_id": u32(END),
        "tokenizer.ggml.eos_token_id": u32(END),
        "tokenizer.ggml.mask_token_id": u32(MASK),
        "tokenizer.ggml.add_bos_token": boolean(False),
    }


def tensors():
    """(name, dimensions with the fastest first); the head of the network is the embedding."""
    yield "token_embd.weight", [WIDTH, VOCAB]
    yield "output_norm.weight", [WIDTH]
    for layer in range(LAYERS):
        for name, dims in [
            ("attn_norm.weight", [WIDTH]),
            ("attn_q.weight", [WIDTH, HEADS * HEAD]),
            ("attn_q.bias", [HEADS * HEAD]),
            ("attn_k.weight", [WIDTH, KV_HEADS * HEAD]),
            ("attn_k.bias", [KV_HEADS * HEAD]),
            ("attn_v.weight", [WIDTH, KV_HEADS * HEAD]),
            ("attn_v.bias", [KV_HEADS * HEAD]),
            ("attn_output.weight", [HEADS * HEAD, WIDTH]),
            ("ffn_norm.weight", [WIDTH]),
            ("ffn_gate.weight", [WIDTH, FFN]),
            ("ffn_up.weight", [WIDTH, FFN]),
            ("ffn_down.weight", [FFN, WIDTH]),
        ]:
            yield f"blk.{layer}.{name}", dims


def count(dims):
    return dims[0] * (dims[1] if len(dims) == 2 else 1)


def noise(kind):
    if kind == "q8_0":  # blocks of a half-precision scale and 32 signed bytes
        scale = struct.pack("<e", 0.05 / 127)
        return b"".join(
            scale + bytes((random.randint(-127, 127) & 255) for _ in range(32))
            for _ in range(1 << 15)
        )
    values = array.array("f", (random.uniform(-0.05, 0.05) for _ in range(1 << 20)))
    if kind == "f32":
        return values.tobytes()
    halves = array.array("H", values.tobytes())
    return halves[1::2].tobytes()  # the upper halves of the floats


def size_of(dims, kind):
    _, size, weights = TYPES[kind if len(dims) == 2 else "f32"]
    return count(dims) // weights * size


def write_data(out, dims, block, kind):
    if len(dims) == 1:  # norms and biases are float in every GGUF
        out.write(array.array("f", [1.0] * dims[0]).tobytes())
        return
    left = size_of(dims, kind)
    while left > 0:
        out.write(block[:left])
        left -= len(block)


def main():
    path, kind = sys.argv[1:]
    random.seed(7)
    block, pairs = noise(kind), metadata()
    info, offset, all_tensors = b"", 0, list(tensors())
    for name, dims in all_tensors:
        matrix_type = TYPES[kind if len(dims) == 2 else "f32"][0]
        info += text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        info += struct.pack("<IQ", matrix_type, offset)
        offset += -(-size_of(dims, kind) // ALIGNMENT) * ALIGNMENT
    with open(path, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(all_tensors), len(pairs)))
        for key, value in pairs.items():
            out.write(text(key) + value)
        out.write(info)
        for _, dims in all_tensors:  # every tensor, the first one too, starts aligned
            out.write(b"\0" * (-out.tell() % ALIGNMENT))
            write_data(out, dims, block, kind)
        out.write(b"\0" * (-out.tell() % ALIGNMENT))


main()
