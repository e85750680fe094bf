"""Completions by a running server instead of the model in this process: llama.cpp's `POST /infill`.

The server must hold the weights that are trained, or the ratios of the loss mean little: export and
reload after every batch, or accept rollouts that lag behind (the clip bounds what that costs).
Texts come back, not tokens, so they are tokenised again; the order of decoding is not known.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

import sentencepiece

from training.common import fail
from training.prompts import Prompt
from training.rollouts import Completion, SamplerSettings

SECONDS = 300  # for one completion


@dataclass(frozen=True)
class InfillServer:
    address: str  # http://127.0.0.1:8012
    tokenizer: sentencepiece.SentencePieceProcessor
    settings: SamplerSettings

    def complete(self, prompts: list[Prompt], seed: int) -> list[Completion]:
        """As Sampler.complete; texts longer than the prompt's length are cut there."""
        return [self._complete(prompt, (seed + i) % 2**31) for i, prompt in enumerate(prompts)]

    def _complete(self, prompt: Prompt, seed: int) -> Completion:
        text = self._ask(
            {
                "input_prefix": prompt.question.before,
                "input_suffix": prompt.question.after,
                "n_predict": prompt.length,
                "temperature": self.settings.temperature,
                "top_p": self.settings.top_p,
                "seed": seed,
                "stream": False,
            }
        )
        tokens = self.tokenizer.encode(text)
        if len(tokens) > prompt.length:
            tokens = tokens[: prompt.length]
            text = self.tokenizer.decode(tokens)
        return Completion(tokens, text, [])

    def _ask(self, request: dict) -> str:
        url = self.address.rstrip("/") + "/infill"
        body = json.dumps(request).encode()
        try:
            call = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(call, timeout=SECONDS) as answer:
                content = json.load(answer)["content"]
        except urllib.error.HTTPError as error:
            fail(f"{url}: {error.code} {error.read(300).decode(errors='replace')}")
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            fail(f"{url}: no usable answer ({error!r}); is the server running?")
        if not isinstance(content, str):
            fail(f"{url}: the answer's content is not a text")
        return content
