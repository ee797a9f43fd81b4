"""Without these, calls and thinking that a backend leaves in the text stay there, or words are taken for them."""

from __future__ import annotations

from typing import Any

from tests.failure_modes.ablation import Ablation

RECOVERING = "landline.transforms.recovering"
CALLS = "landline.transforms.tool_calls:RecoverCalls"
THINKING = "landline.transforms.reasoning:SplitThinking"
TEXT = "landline.families.tool_parsers.text:TextReader"


def _nothing(*_: Any) -> tuple[()]:
    return ()


def _no_reading(self: Any) -> None:
    return None


def _every_call(self: Any) -> None:
    """Calls anywhere in the thinking."""
    from landline.families.tool_parsers.syntax import Said
    from landline.families.tool_parsers.text import TextReader

    reader = TextReader(self._openers, self._toolbox, alone=False)
    pieces = reader.feed("".join(self._tail)) + reader.close()
    self._take([piece for piece in pieces if not isinstance(piece, Said)], "read")


def _never_guessed(self: Any, event: Any) -> None:
    self._sink.out.append(event)


ABLATIONS = (
    Ablation("recovered_calls", "calls stay text", f"{RECOVERING}:recovered_calls", _nothing),
    Ablation("split_thinking", "thinking stays text", f"{RECOVERING}:split_thinking", _nothing),
    Ablation("calls_in_thinking", "calls in the thinking stay there", f"{CALLS}._read_thinking", _no_reading),
    Ablation("thinking_about_calls", "calls in the thinking always count", f"{CALLS}._read_thinking", _every_call),
    Ablation("said_again", "an answer that was all thinking stays it", f"{THINKING}._end", _never_guessed),
)
