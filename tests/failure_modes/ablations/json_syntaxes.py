"""Without these, calls in JSON or Python that a backend leaves in the text are lost, cut, or made up."""

from __future__ import annotations

import ast
from typing import Any

from landline.core.partial_json import _In
from tests.failure_modes.ablation import Ablation


def _always_whole(self: Any, at: int, out: list[Any], *, whole: bool = True) -> None:
    from landline.families.tool_parsers.syntax import Ended

    out.append(Ended(whole=True))
    self._open = False
    self._commit(at)


def _whatever_follows(self: Any, behind: str) -> None:
    return None


def _no_more(self: Any, text: str, at: int, out: list[Any]) -> int:
    return self._done(at)


def _evaluated(node: ast.expr) -> Any:
    return ast.unparse(node)


def _refused(self: Any, text: str, at: int, out: list[Any]) -> int:
    self._give_up(text)
    return at


def _never_a_mark(self: Any, text: str, at: int, out: list[Any]) -> int:
    self._arguments.resume()
    self._step = self._read_arguments
    return at


def _none_fits(self: Any, arguments: Any) -> None:
    return None


def _no_strings(self: Any, text: str, at: int) -> int:
    self._in = _In.STRUCTURE
    return at


P = "landline.families.tool_parsers."
ABLATIONS = (
    Ablation("cut_calls", "cut calls are never whole", f"{P}stepwise:StepReader._end_call", _always_whole),
    Ablation("sole_calls", "bare JSON counts alone", f"{P}sole:SoleReader._judge", _whatever_follows),
    Ablation("more_objects", "several objects are several calls", f"{P}json_calls:JsonCalls._between", _no_more),
    Ablation("literals", "Python's notation is literals only", f"{P}python_calls:_value", _evaluated),
    Ablation("marked_heads", "names between marks are read", f"{P}marked:MarkedCalls._head", _refused),
    Ablation("closing_marks", "marks end broken arguments", f"{P}stepwise:StepReader._read_mark", _never_a_mark),
    Ablation("harmony_headers", "headers of Harmony are read", f"{P}harmony:Harmony._header", _refused),
    Ablation("fitting_tools", "the one tool that fits", f"{P}toolbox:RequestTools.fitting", _none_fits),
    Ablation("json_strings", "strings hide marks", "landline.core.partial_json:ValueEnd._string", _no_strings),
)
