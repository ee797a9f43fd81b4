"""What to do with a request that a client has sent before, without saying so.

Claude Code repeats a request that it has given up: at once and not streamed when its stream broke (2.1.197 leaves
`stream` out, 2.1.329 sends false and may halve `max_tokens`), streamed after 300 s of silence. It marks nothing: there
is no idempotency key and `X-Stainless-Retry-Count` is always 0. So a repeat is told by its key, session, agent and
body. Without a session nothing is ever a repeat, nor across keys.

Knows nothing of connections; times are passed in.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec
from msgspec import Struct

# Of two equal requests whose clients both wait (subagents of clients that name no agents), the second is held back
# until the first has said a word: it then finds the prompt in the cache. No longer than this: the first may read for
# minutes, and whoever still holds its connection has not given it up.
PATIENCE_S = 10.0

_END = b'],"stream":'  # of the messages, in a chat request
# What a client changes when it repeats a request, and what the gateway chooses itself. Its limit is compared as asked.
_ASIDE = re.compile(rb',"(max_tokens|id_slot)":\d+|,"stream_options":\{[^{}]*\}|"stream":(true|false)')


class Shape(Struct, frozen=True):
    """What is quickly compared of two requests. `size` of the prompt in bytes.

    `most`: the tokens that the client asked for at most; None where it named no limit.
    """

    keys: tuple[str, ...]
    session: str
    agent: str
    size: int
    rest: bytes
    most: int | None = None


class Sameness:
    """Two requests are the same when their shapes and their prompts are. A key for dictionaries.

    The prompt is known by a keyed 64-bit hash, of use in one process. To make it takes 25 us for 100 KB (blake2b takes
    150): it is made for the first request of the same shape, or by `let_go`, which may wait until the request is sent.
    """

    __slots__ = ("_prompt", "_request", "shape")

    def __init__(self, shape: Shape, request: bytes) -> None:
        self.shape = shape
        self._request = request
        self._prompt: int | None = None

    def __hash__(self) -> int:
        return hash(self.shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sameness) or self.shape != other.shape:
            return False
        return self.let_go() == other.let_go()

    @property
    def before_halving(self) -> Sameness:
        """The request that 2.1.329 repeats with half its `max_tokens`."""
        most = self.shape.most
        before = Sameness(msgspec.structs.replace(self.shape, most=None if most is None else most * 2), self._request)
        before._prompt = self._prompt
        return before

    def let_go(self) -> int:
        """The hash of the prompt; from now on, the request itself is not held."""
        if self._prompt is None:
            self._prompt, self._request = hash(self._request[: self.shape.size]), b""
        return self._prompt


def sameness(request: bytes, *, most: int | None, keys: tuple[str, ...], session: str, agent: str) -> Sameness | None:
    """Of an encoded chat request; None without a session.

    `most` is what the client asked for: the limit in `request` may have been cut to what the window leaves.
    """
    if not session:
        return None
    end = request.rfind(_END)
    return Sameness(Shape(keys, session, agent, end, _ASIDE.sub(b"", request[end:]), most), request)


class Earlier(Struct, frozen=True):
    """The last call with the same request. `age_s` since it came; `spoke`: its client has had an event of the answer.

    `left`: its client hung up. `whole`: the answer is kept, as far as there is one. `over`: nothing runs any more.
    """

    stream: bool
    over: bool = False
    spoke: bool = False
    left: bool = False
    whole: bool = False
    age_s: float = 0.0


class Course(StrEnum):
    RUN = "run"  # a request of its own
    WAIT = "wait"  # until the earlier call says something or is over; its client is still there
    JOIN = "join"  # the running answer is for the repeat
    TAKE = "take"  # the finished answer is for the repeat
    REPLACE = "replace"  # the earlier call is ended first


def course(earlier: Earlier, *, stream: bool) -> Course:
    """`stream`: how the repeat wants its answer. Nothing is ended that somebody still reads or waits for."""
    fell_back = earlier.stream and not stream
    if earlier.over:
        return Course.TAKE if not stream and earlier.whole and (fell_back or earlier.left) else Course.RUN
    if fell_back or earlier.left:
        return Course.JOIN if not stream and earlier.whole else Course.REPLACE
    return Course.RUN if earlier.spoke or earlier.age_s >= PATIENCE_S else Course.WAIT
