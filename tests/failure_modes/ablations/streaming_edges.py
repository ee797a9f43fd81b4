"""Without these, the numbers, names and headers around a stream are wrong, and silence makes the client give up."""

from __future__ import annotations

from typing import Any

from landline.core.model import Usage
from landline.protocols.anthropic_messages.stream import MessagesEncoder, usage_object
from landline.protocols.openai_chat.dialect import Dialect
from landline.protocols.openai_chat.stream import _usage
from landline.protocols.openai_chat.wire import ChunkUsage
from landline.server.delivery import Delivery
from landline.server.inbound import _head
from landline.server.opening import Opening
from landline.upstream.client import _IDENTITY
from landline.upstream.failures import Refusal
from tests.failure_modes.ablation import Ablation

ENCODER = "landline.protocols.anthropic_messages.stream"


def _no_count(encoder: MessagesEncoder, prompt_tokens: int) -> None:
    encoder._prompt = 1


def _as_it_is(fill: object, events: list[Any]) -> list[Any]:
    return events


def _without_cached(told: ChunkUsage, known: Usage) -> Usage:
    return _usage(ChunkUsage(told.prompt_tokens, told.completion_tokens), known)


def _all_of_the_prompt(usage: Usage) -> int:
    return usage.prompt


def _two_counts(usage: Usage, *scale: float, **options: bool) -> dict[str, object]:
    told = usage_object(usage, *scale, **options)
    return {name: told[name] for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")}


def _ping(encoder: MessagesEncoder) -> bytes:
    out: list[bytes] = []
    if not encoder._started:
        encoder._start(None, out)
    return b"".join(out) + b'event: ping\ndata: {"type":"ping"}\n\n'


def _no_timer(delivery: Delivery) -> None:
    return None


async def _not_mended(opening: Opening, refusal: Refusal) -> bool:
    return False


def _one_id(exchange: Any, opening: Opening) -> Any:
    exchange.id = "req_0000000000000000"
    return _head(exchange, opening)


def _name_of_the_backend(exchange: Any, opening: Opening) -> Any:
    exchange.model_asked = exchange.model_served
    return _head(exchange, opening)


def _no_wish(dialect: Dialect) -> None:
    return None


ABLATIONS = (
    Ablation(
        "stream_prompt_counted",
        "the prompt is counted before an early start",
        f"{ENCODER}:MessagesEncoder.counted",
        _no_count,
    ),
    Ablation(
        "stream_usage_filled",
        "usage that no backend told is estimated",
        "landline.transforms.usage:FillUsage.push",
        _as_it_is,
    ),
    Ablation(
        "stream_usage_asked",
        "usage is asked for",
        "landline.protocols.openai_chat.request:_stream_options",
        _no_wish,
    ),
    Ablation(
        "stream_options_mended",
        "stream_options are left out where they are refused",
        "landline.server.opening:Opening._mended",
        _not_mended,
    ),
    Ablation(
        "stream_cached_tokens",
        "cached tokens are read",
        "landline.protocols.openai_chat.stream:_usage",
        _without_cached,
    ),
    Ablation(
        "stream_cached_once",
        "cached tokens are no input tokens",
        "landline.core.model:Usage.fresh",
        _all_of_the_prompt,
    ),
    Ablation("stream_usage_whole", "usage has all its fields", f"{ENCODER}:usage_object", _two_counts),
    Ablation(
        "stream_identity",
        "the backend is asked not to compress",
        "landline.upstream.client:_IDENTITY",
        _IDENTITY | {"accept-encoding": "gzip, br, zstd"},
    ),
    Ablation("stream_own_ids", "each answer has an id of its own", "landline.server.inbound:_head", _one_id),
    Ablation(
        "stream_asked_model",
        "the answer names the model asked for",
        "landline.server.inbound:_head",
        _name_of_the_backend,
    ),
    Ablation(
        "stream_counted_heartbeats",
        "heartbeats are events that clients count",
        f"{ENCODER}:MessagesEncoder.heartbeat",
        _ping,
    ),
    Ablation("stream_heartbeats", "silence is filled", "landline.server.delivery:Delivery._look", _no_timer),
    Ablation(
        "stream_headers",
        "proxies are told not to buffer",
        "landline.server.answer:_STREAM",
        ((b"content-type", b"text/event-stream; charset=utf-8"),),
    ),
)
