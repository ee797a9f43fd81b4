"""Without these, servers are started with flags that break agents, and nobody says which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from landline.planner import llama_line, vllm_line
from landline.planner.outcome import Flag
from landline.upstream.dialects import BackendKind
from tests.failure_modes.ablation import Ablation

_tools, _cache, _slots, _spread = (
    vllm_line._tool_flags,
    vllm_line._cache_flags,
    llama_line._flags,
    vllm_line._size_flags,
)


def _copied_parsers(family: Any) -> Iterator[Flag]:
    yield Flag(name="--tool-call-parser", value="glm45_air", why="copied")
    yield from (flag for flag in _tools(family) if "parser" not in flag.name)


def _no_states(taken: Any) -> Iterator[Flag]:
    yield from (flag for flag in _cache(taken) if flag.name != "--mamba-cache-mode")


def _one_slot(wish: Any, choice: Any, slots: int) -> Iterator[Flag]:
    yield from _slots(wish, choice, 1)


def _cut_windows(wish: Any, choice: Any, slots: int) -> Iterator[Flag]:
    yield from (flag for flag in _slots(wish, choice, slots) if flag.name != "--swa-full")


def _not_spread(wish: Any, choice: Any) -> Iterator[Flag]:
    yield from (flag for flag in _spread(wish, choice) if flag.name != "--tensor-parallel-size")


def _nothing(*args: Any, **kwargs: Any) -> tuple[()]:
    return ()


def _none(*args: Any, **kwargs: Any) -> None:
    return None


async def _plain(backend: Any, client: Any, rows: Any) -> BackendKind:
    return BackendKind.PLAIN


ABLATIONS = (
    Ablation(
        "family_parsers", "plans have the family's parsers", "landline.planner.vllm_line:_tool_flags", _copied_parsers
    ),
    Ablation("plan_notes", "plans warn", "landline.planner.notes:vllm_notes", _nothing),
    Ablation("least_window", "no plan for too small a window", "landline.planner.decision:LEAST_TOKENS", 1),
    Ablation("aligned_states", "states at aligned blocks", "landline.planner.vllm_line:_cache_flags", _no_states),
    Ablation("planned_slots", "slots for side calls", "landline.planner.llama_line:_flags", _one_slot),
    Ablation("whole_windows", "whole windows are kept", "landline.planner.llama_line:_flags", _cut_windows),
    Ablation(
        "spread_layers", "layers are spread over the cards", "landline.planner.vllm_line:_size_flags", _not_spread
    ),
    Ablation("known_templates", "templates by hash", "landline.planner.templates:template_of", _none),
    Ablation("markup_seen", "markup in the text is seen", "landline.clients.checking.markup:call_markup", _none),
    Ablation("kinds_of_servers", "servers are told apart", "landline.upstream.probe:_kind", _plain),
    Ablation("failed_starts", "vLLM's last words are known", "landline.clients.doctor.server_log:ENDINGS", ()),
)
