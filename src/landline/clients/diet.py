"""Which parts of a client's first request cost how many tokens, and which switches of its make it smaller. Pure.

A part is counted by leaving it out: what the whole then has less is what it costs, in any template and tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from msgspec import Struct

from landline.clients.claude_lean import DENIED_TOOLS, EVERYTHING, SWITCHES

MCP_PREFIX = "mcp__"
BYTES_PER_TOKEN = 4.1  # of Claude Code's requests; measured
SMALLER = 0.95  # of a part's bytes: below, a switch has taken something out of it
LARGER = 1.05
NAME_LENGTH = 60
REMINDER = "<system-reminder>"
TOO_SMALL = 4  # tokens: what a part needs to be worth a line

Body = Mapping[str, Any]
Counted = Callable[[Body], int]


class Part(Struct, frozen=True):
    """`tokens` is what the request has less without it. The lists are names of switches, each set alone.

    `larger_with`: 2.1.329 writes the manual of Workflow into that tool where its skill is switched off.
    """

    name: str
    bytes: int
    tokens: int
    dropped_by: list[str]
    smaller_with: list[str]
    larger_with: list[str]


class Switch(Struct, frozen=True):
    """One way to a smaller request. `set` is what to set; `drops` names the parts that go."""

    name: str
    set: str
    saves: int
    tokens: int
    drops: list[str]


class Diet(Struct, frozen=True, kw_only=True):
    """What `landline diet --json` prints. `counted`: exact (by the backend's tokenizer), or estimated from bytes."""

    client: str
    version: str
    model: str
    counted: str
    backend: str
    tokens: int
    bytes: int
    lean_tokens: int
    parts: list[Part]
    switches: list[Switch]


class Variant(Struct, frozen=True):
    """A way to start the client: variables, and tools that are denied to it."""

    name: str
    env: dict[str, str] = {}
    denied: tuple[str, ...] = ()

    @property
    def set(self) -> str:
        denied = [f"permissions.deny {', '.join(self.denied)}"] if self.denied else []
        return " ".join([*(f"{name}={value}" for name, value in self.env.items()), *denied])


AS_IT_COMES = Variant("as it comes")
LEAN = Variant("--lean", dict.fromkeys(SWITCHES, "1"), DENIED_TOOLS)
VARIANTS = (
    *(Variant(name, {name: "1"}) for name in SWITCHES),
    *(Variant(f"deny {tool}", denied=(tool,)) for tool in DENIED_TOOLS),
    LEAN,
    Variant(EVERYTHING, {EVERYTHING: "1"}),
)


def estimated(body: Body) -> int:
    return round(size_of(body) / BYTES_PER_TOKEN)


def size_of(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def parts_of(body: Body) -> dict[str, Callable[[], Body]]:
    """The name of each part, and what makes the request without it. The tools of one MCP server are one part."""
    parts: dict[str, Callable[[], Body]] = {}
    for name in dict.fromkeys(_tool_part(tool) for tool in _list(body, "tools")):
        parts[name] = partial(_without_tools, body, name)
    for at, block in enumerate(_list(body, "system")):
        name = f"system text {at + 1}"
        parts[name] = partial(_without, body, "system", block)
    for at, message in enumerate(_list(body, "messages")):
        if message.get("role") == "system":
            name = f"system message {at + 1} (agents, skills, tools to search for)"
            parts[name] = partial(_without, body, "messages", message)
        else:
            parts |= _reminders(body, message)
    return parts


def diet(
    *, bodies: Mapping[str, Body], counted: Counted, exact: bool, about: Mapping[str, str], variants: Sequence[Variant]
) -> Diet:
    """`bodies` has a request for the name of each variant that was tried, and for AS_IT_COMES."""
    base = bodies[AS_IT_COMES.name]
    whole, sizes = counted(base), _sizes(base)
    other = {variant.name: _sizes(bodies[variant.name]) for variant in variants if variant.name in bodies}
    singly = {name: found for name, found in other.items() if name not in {LEAN.name, EVERYTHING}}
    parts = [
        Part(
            name,
            sizes[name],
            whole - counted(without()),
            [switch for switch, found in singly.items() if name not in found],
            [switch for switch, found in singly.items() if 0 < found.get(name, 0) < SMALLER * sizes[name]],
            [switch for switch, found in singly.items() if found.get(name, 0) > LARGER * sizes[name]],
        )
        for name, without in parts_of(base).items()
    ]
    switches = [
        _switch(variant, whole, counted(bodies[variant.name]), sorted(set(sizes) - set(other[variant.name])))
        for variant in variants
        if variant.name in bodies
    ]
    return Diet(
        client=about["client"],
        version=about["version"],
        model=about["model"],
        backend=about["backend"],
        counted="exact" if exact else "estimated",
        tokens=whole,
        bytes=size_of(base),
        lean_tokens=next((switch.tokens for switch in switches if switch.name == LEAN.name), whole),
        parts=sorted((part for part in parts if part.tokens >= TOO_SMALL), key=lambda part: -part.tokens),
        switches=switches,
    )


def _switch(variant: Variant, whole: int, tokens: int, drops: list[str]) -> Switch:
    return Switch(variant.name, variant.set, whole - tokens, tokens, drops)


def _sizes(body: Body) -> dict[str, int]:
    whole = size_of(body)
    return {name: whole - size_of(without()) for name, without in parts_of(body).items()}


def _tool_part(tool: Body) -> str:
    name = str(tool.get("name", ""))
    if name.startswith(MCP_PREFIX):
        return f"MCP server {name.removeprefix(MCP_PREFIX).partition('__')[0][:NAME_LENGTH]}"
    return f"tool {name[:NAME_LENGTH]}"


def _reminders(body: Body, message: Body) -> dict[str, Callable[[], Body]]:
    """Blocks that the client put before the user's own words: files of instructions, hints, the date."""
    blocks = message.get("content")
    rows = cast("list[Body]", blocks) if isinstance(blocks, list) else []
    found = [block for block in rows if str(block.get("text", "")).startswith(REMINDER)]

    def without(block: Body) -> Body:
        kept = {**message, "content": [one for one in rows if one is not block]}
        return {**body, "messages": [kept if one is message else one for one in _list(body, "messages")]}

    return {f"reminder {at}": partial(without, block) for at, block in enumerate(found, 1)}


def _without_tools(body: Body, part: str) -> Body:
    return {**body, "tools": [tool for tool in _list(body, "tools") if _tool_part(tool) != part]}


def _without(body: Body, name: str, row: Body) -> Body:
    return {**body, name: [one for one in _list(body, name) if one is not row]}


def _list(body: Body, name: str) -> list[Body]:
    rows = body.get(name)
    if not isinstance(rows, list):
        return []
    return [cast("Body", row) for row in cast("list[object]", rows) if isinstance(row, dict)]
