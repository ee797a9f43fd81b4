"""Laws 2 and 3: a decoder obeys the grammar and loses nothing; what the encoder writes, the real SDK reads back."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
from hypothesis import given

from landline.core.exchange import Notes
from landline.core.fold import Fold
from landline.core.grammar import Grammar
from landline.core.model import Block, Text, Thinking, ToolUse
from landline.protocols.anthropic_messages.stream import SIGNATURE, MessageHead, encode_message
from tests.fakes.anthropic_events import Folded
from tests.fakes.stream_invariant import MARKUP, check_stream, same_events, same_message
from tests.golden.translate import ASKED_MODEL, PROMPT_TOKENS, decoded, translate
from tests.property.chat_answers import TOOLS, Streamed, streams


class SdkReader:
    """The real SDK, given the bytes of one answer instead of a connection."""

    def __init__(self) -> None:
        self._raw = b""
        transport = httpx2.MockTransport(self._answer)
        self._client = anthropic.Anthropic(
            api_key="x", base_url="http://gateway", http_client=httpx2.Client(transport=transport), max_retries=0
        )

    def read(self, raw: bytes) -> dict[str, Any]:
        """The message that the SDK's accumulator makes of a stream."""
        self._raw = raw
        question: Any = [{"role": "user", "content": "x"}]
        with self._client.messages.stream(model=ASKED_MODEL, max_tokens=5, messages=question) as stream:
            return stream.get_final_message().to_dict()

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self._raw)


SDK = SdkReader()


def plain(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"type": "text", "text": block.text}
        case Thinking():
            return {"type": "thinking", "thinking": block.text}
        case ToolUse():
            return {"type": "tool_use", "name": block.name, "input": json.loads(block.arguments or "{}")}
        case _:
            raise AssertionError(block)


def bare(block: dict[str, Any]) -> dict[str, Any]:
    """A block as the client holds it, without what is minted, and without fields that say nothing."""
    return {key: value for key, value in block.items() if key not in {"id", "signature"} and value is not None}


@given(streams())
def test_law_2_the_grammar_is_obeyed_and_nothing_is_lost(streamed: Streamed) -> None:
    grammar, fold, notes = Grammar(), Fold(), Notes()
    for events in decoded(streamed.raw, cuts=streamed.cuts, notes=notes):
        grammar.check(events)
        fold.push(events)
    assert grammar.over
    assert fold.answer is not None, fold.error
    assert [plain(block) for block in fold.answer.blocks] == streamed.blocks
    assert fold.answer.stop_reason == streamed.stop_reason
    usage = fold.answer.usage
    if streamed.usage is None:
        assert (usage.prompt, usage.exact) == (PROMPT_TOKENS, False)
    else:
        assert (usage.prompt, usage.output, usage.cached) == streamed.usage
    assert notes.dropped == []


@given(streams())
def test_law_1_any_cut_of_a_random_stream(streamed: Streamed) -> None:
    assert same_events(translate(streamed.raw), translate(streamed.raw, cuts=streamed.cuts))


@given(streams())
def test_law_3_the_sdk_rebuilds_the_same_message(streamed: Streamed) -> None:
    raw = translate(streamed.raw, cuts=streamed.cuts)
    # hypothesis draws words from the source as well, so that any markup may be what the model quotes.
    folded = check_stream(raw, asked_model=ASKED_MODEL, tools=TOOLS, backend_finish=streamed.finish, quoted=MARKUP)
    message = SDK.read(raw)
    for content in (folded.content, message["content"]):
        assert [bare(block) for block in content] == streamed.blocks
        assert all(block["signature"] == SIGNATURE for block in content if block["type"] == "thinking")
    assert (message["stop_reason"], message["model"]) == (streamed.stop_reason, ASKED_MODEL)
    check_usage(message["usage"], streamed)
    check_whole(streamed, folded)


def check_usage(usage: dict[str, Any], streamed: Streamed) -> None:
    if streamed.usage is not None:
        prompt, output, cached = streamed.usage
        assert usage["input_tokens"] == prompt - cached
        assert (usage["cache_read_input_tokens"], usage["output_tokens"]) == (cached, output)


def check_whole(streamed: Streamed, folded: Folded) -> None:
    """The answer that leaves whole is what its stream adds up to."""
    fold = Fold()
    for events in decoded(streamed.raw):
        fold.push(events)
    assert fold.answer is not None
    whole = json.loads(encode_message(fold.answer, MessageHead("msg_golden", ASKED_MODEL, PROMPT_TOKENS)))
    assert same_message(folded, whole)
