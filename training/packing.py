"""Several documents in one row: which positions belong together, and where each stands in its document.

A row of a batch holds windows of documents one behind the other. A position attends to the positions
of its own document only, and rotary positions restart with every document, so that a packed document
gets the logits that it would get alone. What is left of a row is filler: a document of its own that
nothing is asked of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

FILLER = -1


@dataclass(frozen=True)
class Packing:
    documents: Tensor  # [rows, length]: the number of the document at each position; neighbours differ
    # [rows, length, length] bool: query and key pairs that count within a document; None: all of them.
    visible: Tensor | None = None
    kernel: str = "plain"  # of attention.py

    @cached_property
    def starts(self) -> Tensor:
        """[rows, length] bool: the first position of each document, and of filler."""
        first = torch.ones_like(self.documents[:, :1], dtype=torch.bool)
        return torch.cat([first, self.documents[:, 1:] != self.documents[:, :-1]], 1)

    @cached_property
    def places(self) -> Tensor:
        """[rows, length]: the position within the document."""
        along = torch.arange(self.documents.shape[1], device=self.documents.device).expand_as(self.documents)
        return along - torch.where(self.starts, along, torch.zeros_like(along)).cummax(1).values

    @cached_property
    def hidden(self) -> Tensor:
        """[rows, length, length] bool: pairs of query and key that must not meet."""
        apart = self.documents[:, :, None] != self.documents[:, None, :]
        return apart if self.visible is None else apart | ~self.visible

    @cached_property
    def bounds(self) -> Tensor:
        """[documents + 1] int32: where each document of the flattened batch starts, and the end of the last."""
        first = self.starts.flatten().nonzero()[:, 0]
        end = torch.full_like(first[:1], self.documents.numel())
        return torch.cat([first, end]).to(torch.int32)

    @cached_property
    def block_mask(self):
        """FlexAttention's table of the blocks that hold a visible pair."""
        from torch.nn.attention.flex_attention import create_block_mask

        rows, length = self.documents.shape
        documents = self.documents

        def together(row, head, query, key):
            return documents[row, query] == documents[row, key]

        return create_block_mask(together, rows, None, length, length, device=documents.device.type)

    def prepared(self) -> Packing:
        """Computes what its kernel reads, so that compiled code finds tensors and computes none of it."""
        _ = self.places
        wanted = {"plain": "hidden", "sdpa": "hidden", "flex": "block_mask", "varlen": "bounds"}
        getattr(self, wanted[self.kernel])
        return self


def of_lengths(lengths: list[int], width: int) -> Tensor:
    """[rows, width] for rows of one document each, with filler behind it."""
    documents = torch.full((len(lengths), width), FILLER)
    for row, length in enumerate(lengths):
        documents[row, :length] = 0
    return documents
