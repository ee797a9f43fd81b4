"""What a token costs between the backend's bytes and the client's, and how much of it is the search for calls.

uv run python bench/per_chunk.py      64 answers side by side, one token per read, microseconds of CPU per token
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable

import msgspec

from landline.core.exchange import Notes
from landline.core.model import Conversation, Message, Role, Text, Tool, Tools
from landline.core.stream import Pipeline, Transform
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from landline.transforms.identifiers import MintIds
from landline.transforms.recovering import recovery
from landline.transforms.sequence import outbound
from landline.transforms.usage import FillUsage
from landline.upstream.dialects import DIALECTS, BackendKind

ANSWERS, TOKENS, ROUNDS = 64, 300, 7
WORDS = {
    "ordinary words": [f" word{at % 97}" for at in range(TOKENS)],
    "every eighth ends in <": [f" word{at % 97}{'<' if at % 8 == 7 else ''}" for at in range(TOKENS)],
}
ASKED = Conversation(
    model="m",
    messages=(Message(Role.USER, (Text("hello"),)),),
    tools=Tools([Tool("Bash", msgspec.Raw(b'"Runs"'), msgspec.Raw(b'{"type":"object"}'))]),
)
DIALECT = DIALECTS[BackendKind.VLLM]

Made = Callable[[Notes], tuple[Transform, ...]]


def nothing(notes: Notes) -> tuple[Transform, ...]:
    return ()


def only_recovery(notes: Notes) -> tuple[Transform, ...]:
    return (recovery(ASKED, DIALECT, notes),)


def everything(notes: Notes) -> tuple[Transform, ...]:
    return outbound(ASKED, DIALECT, notes).restoring


def chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def answer(made: Made) -> tuple[Pipeline, MessagesEncoder]:
    notes = Notes()
    pipeline = Pipeline(ChatStreamDecoder(notes=notes), (*made(notes), MintIds("0" * 16), FillUsage(100)))
    return pipeline, MessagesEncoder(MessageHead("msg_1", "m", 100))


def cost_us(made: Made, chunks: list[bytes]) -> float:
    answers = [answer(made) for _ in range(ANSWERS)]
    began = time.process_time()
    for data in chunks:
        for pipeline, encoder in answers:
            if events := pipeline.feed(data):
                encoder.encode(events)
    return (time.process_time() - began) / (ANSWERS * len(chunks)) * 1e6


def main() -> None:
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    for name, words in WORDS.items():
        chunks = list(map(chunk, words))
        made = (nothing, only_recovery, everything)
        rounds = [[cost_us(one, chunks) for one in made] for _ in range(ROUNDS)]
        bare, recovering, whole = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"{name}: {bare:.2f} us per token without transforms; the search for calls and thinking costs "
            f"{recovering - bare:.2f} us, all transforms {whole - bare:.2f} us"
        )


if __name__ == "__main__":
    main()
