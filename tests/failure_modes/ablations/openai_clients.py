"""Without these, clients of OpenAI's protocols lose tools, results and thinking, or repeat what cannot go well."""

from __future__ import annotations

from typing import Any

from landline.core.exchange import Notes
from landline.core.model import Text
from landline.errors import ErrorKind, LandlineError
from landline.protocols.openai_responses.stream import ResponsesEncoder
from tests.failure_modes.ablation import Ablation


def _functions_only(found: Any, tool: Any, place: str, namespace: str = "") -> None:
    if tool.type == "function":
        found.function(tool.name, tool.description, tool.parameters, place=place)


def _texts_only(content: Any, place: str, notes: Notes) -> tuple[Text, ...]:
    return (Text(content),) if isinstance(content, str) else ()


def _nothing_in_it(content: str | None) -> str:
    return ""


_say = ResponsesEncoder._say


def _always_first(encoder: ResponsesEncoder, event: str, out: list[bytes], **fields: Any) -> None:
    _say(encoder, event, out, **fields | ({"output_index": 0} if "output_index" in fields else {}))


def _as_http(error: LandlineError, client: str) -> bool:
    return False


def _as_written(written: object, notes: Notes) -> str:
    return str(written)


def _lost(item: Any) -> str:
    return ""


async def _no_responses(self: Any, *_: Any) -> Any:
    raise LandlineError(ErrorKind.NOT_FOUND, "landline serves no POST /v1/responses.")


P = "landline.protocols."
R = f"{P}openai_responses."
ABLATIONS = (
    Ablation("openai_tools", "tools are functions only", f"{R}tools:_take", _functions_only),
    Ablation("openai_lists", "contents are texts only", f"{R}request:_parts", _texts_only),
    Ablation("openai_search", "a search is run", f"{R}tools:is_search", lambda kind: False),
    Ablation("openai_found", "what was found comes back", f"{R}request:read_back", _lost),
    Ablation(
        "openai_responses",
        "Responses are answered",
        "landline.server.responses_inbound:ResponsesInbound.understood",
        _no_responses,
    ),
    Ablation("openai_sealed_thinking", "thinking does not come back", f"{R}reasoning:_unsealed", _nothing_in_it),
    Ablation("openai_indices", "every item is the first", f"{R}stream:ResponsesEncoder._say", _always_first),
    Ablation("openai_codex_errors", "Codex gets HTTP errors", f"{R}errors:told_in_stream", _as_http),
    Ablation("openai_arguments", "arguments as written", f"{P}openai_client.reading:arguments_of", _as_written),
)
