"""What a first request costs: parts by leaving each out, and switches by what is gone or changed with them."""

from __future__ import annotations

import json
from typing import Any

from landline.clients.diet import AS_IT_COMES, LEAN, Variant, diet, estimated, parts_of, size_of

REMINDER = {"type": "text", "text": "<system-reminder>be careful</system-reminder>"}
ABOUT = {"client": "claude", "version": "1", "model": "m", "backend": ""}


def tool(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "description": "x" * size, "input_schema": {"type": "object"}}


def request(*tools: dict[str, Any], system: str = "y" * 400) -> dict[str, Any]:
    return {
        "model": "m",
        "tools": list(tools),
        "system": [{"type": "text", "text": "who"}, {"type": "text", "text": system}],
        "messages": [
            {"role": "user", "content": [REMINDER, {"type": "text", "text": "say hi"}]},
            {"role": "system", "content": "agents: many"},
        ],
    }


BASE = request(tool("Big", 4000), tool("mcp__web__a", 300), tool("mcp__web__b", 300), tool("Small", 10))


def test_the_parts_cover_the_request_and_each_is_left_out_alone():
    parts = parts_of(BASE)
    assert list(parts) == [
        *("tool Big", "MCP server web", "tool Small", "system text 1", "system text 2", "reminder 1"),
        "system message 2 (agents, skills, tools to search for)",
    ]
    assert [one["name"] for one in parts["MCP server web"]()["tools"]] == ["Big", "Small"]
    assert len(parts["reminder 1"]()["messages"][0]["content"]) == 1
    before = json.dumps(BASE)
    for without in parts.values():
        assert size_of(without()) < size_of(BASE)
    assert json.dumps(BASE) == before
    assert json.dumps(BASE["messages"][0]["content"][1]) in json.dumps(parts["reminder 1"]())


def test_each_switch_is_told_by_what_it_did():
    ways = [
        Variant("DROP", {"DROP": "1"}),
        Variant("GROW", {"GROW": "1"}),
        Variant("deny Small", denied=("Small",)),
        LEAN,
    ]
    bodies = {
        AS_IT_COMES.name: BASE,
        "DROP": request(*BASE["tools"][1:], system="y" * 100),
        "GROW": request(tool("Big", 9000), *BASE["tools"][1:]),
        "deny Small": request(*BASE["tools"][:-1]),
        LEAN.name: request(tool("Small", 10)),
    }
    found = diet(bodies=bodies, counted=estimated, exact=False, about=ABOUT, variants=ways)
    parts = {part.name: part for part in found.parts}
    assert found.parts[0].name == "tool Big"
    assert (parts["tool Big"].dropped_by, parts["tool Big"].larger_with) == (["DROP"], ["GROW"])
    assert parts["system text 2"].smaller_with == ["DROP"]
    assert parts["tool Small"].dropped_by == ["deny Small"]
    assert "--lean" not in str(found.parts)  # a switch is what somebody may set by itself
    saves = {switch.name: switch.saves for switch in found.switches}
    assert saves["GROW"] < 0 < saves["deny Small"] < saves["DROP"] < saves["--lean"]
    assert found.lean_tokens == found.tokens - saves["--lean"]
    assert {switch.name: switch.set for switch in found.switches}["deny Small"] == "permissions.deny Small"
    assert found.counted == "estimated"


def test_tokens_are_those_of_whoever_counts():
    found = diet(
        bodies={AS_IT_COMES.name: BASE},
        counted=lambda body: 100 * len(body["tools"]),
        exact=True,
        about=ABOUT,
        variants=[],
    )
    tokens = {part.name: part.tokens for part in found.parts}
    assert (found.tokens, found.counted) == (400, "exact")
    assert tokens == {"MCP server web": 200, "tool Big": 100, "tool Small": 100}
