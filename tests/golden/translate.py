"""The one place where the golden and cutting tests meet the converter under test.

To fill in: feed the pieces of `upstream` (see `pieces`) to the chat decoder, transforms and Messages encoder, then
close, and return every byte that the client would get. The request is the same for all cases: model ASKED_MODEL,
tools TOOLS, prompt of PROMPT_TOKENS tokens. Ids and times must be fixed values (message id, tool ids counted up), so
that the same upstream bytes always give the same answer.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from tests.fakes.streams import TOOLS

__all__ = ["ASKED_MODEL", "PROMPT_TOKENS", "TOOLS", "pieces", "translate"]

ASKED_MODEL = "claude-golden-4"
PROMPT_TOKENS = 100


def pieces(upstream: bytes, cuts: Collection[int]) -> list[bytes]:
    """The bytes cut at the given offsets; offsets outside are ignored."""
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(upstream)}), len(upstream)]
    return [upstream[begin:end] for begin, end in pairwise(places)]


def translate(upstream: bytes, *, cuts: Collection[int] = ()) -> bytes:
    """The gateway's Messages stream for one chat stream that arrives cut at the offsets `cuts`."""
    raise NotImplementedError("connect the converter here")
