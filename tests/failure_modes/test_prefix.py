"""Group 6, and what of groups 2 and 5 is about the prompt's prefix: it holds, or it is said where and why it moved."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from importlib import resources
from itertools import pairwise
from typing import Any

import pytest

from landline.clients.claude_code import environment_of, launch_environment, settings_overlay
from landline.core.events import BlockDelta, BlockKind, BlockStart, BlockStop, Event
from landline.core.exchange import Exchange, Notes
from landline.core.model import Usage
from landline.core.prefix import Moved, PrefixReport
from landline.families.registry import read_families, with_family
from landline.protocols.anthropic_messages.request import decode_request
from landline.server.journal import json_line, summary, text_line
from landline.server.prefixes import Prefixes, Strand
from landline.server.prompt_caches import NO_SALT, salts
from landline.transforms.prefix_report import compare, prompt_head
from landline.transforms.sequence import outbound
from landline.transforms.tool_search import LISTED, TOLD
from landline.upstream.backend import DIALECTS, BackendKind
from landline.upstream.caching import NOT_REPORTED, CacheWatch, cache_metrics
from tests.fakes.chat_stream import Answer
from tests.fakes.gateway_client import GatewayClient, gateway_to, request_body
from tests.fakes.model_server import ModelServer, count_tokens
from tests.fakes.upstream import Request, Step, json_answer
from tests.property.requests import chat_of, chat_request_of, written

VLLM = DIALECTS[BackendKind.VLLM]
FAMILIES = read_families(resources.files("landline.families").joinpath("families.toml").read_bytes())


def tool(name: str, **fields: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"delay": {"type": "integer"}, "note": {"type": "string"}}}
    return {"name": name, "description": f"Does {name}.", "input_schema": schema} | fields


def called(ident: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": ident, "name": name, "input": arguments}],
    }


def found(ident: str, *names: str) -> dict[str, Any]:
    references = [{"type": "tool_reference", "tool_name": name} for name in names]
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": ident, "content": references}]}


def result(ident: str, text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": ident, "content": text}]}


# ------------------------------------------------------------------------------------------------ tool search

PLACEHOLDER = tool("DeferredToolPlaceholder", defer_loading=True)
FIRST = [tool("Bash"), tool("ToolSearch"), PLACEHOLDER, tool("Write")]
HEAD: list[dict[str, Any]] = [
    {"role": "user", "content": "watch the log"},
    {"role": "system", "content": "Deferred tools: CronCreate, Monitor, TaskStop"},
]


def searching() -> list[dict[str, Any]]:
    """The turns of a session with tool search as Claude Code 2.1.329 sends it: found tools in alphabetical places."""
    one = [called("t1", "ToolSearch", query="monitor"), found("t1", "Monitor")]
    two = [called("t2", "Monitor", delay=1), result("t2", "seen")]
    three = [called("t3", "ToolSearch", query="cron"), found("t3", "CronCreate", "Monitor")]
    monitor, cron = tool("Monitor", defer_loading=True), tool("CronCreate", defer_loading=True)
    with_one = [*FIRST[:2], PLACEHOLDER, monitor, FIRST[3]]
    with_two = [FIRST[0], cron, FIRST[1], PLACEHOLDER, monitor, FIRST[3]]
    return [
        {"messages": HEAD, "tools": FIRST},
        {"messages": [*HEAD, *one], "tools": with_one},
        {"messages": [*HEAD, *one, *two], "tools": with_one},
        {"messages": [*HEAD, *one, *two, *three], "tools": with_two},
        {"messages": [*HEAD, *one, *two, *three, called("t4", "CronCreate"), result("t4", "ok")], "tools": with_two},
    ]


def names_of(chat: dict[str, Any]) -> list[str]:
    return [one["function"]["name"] for one in chat["tools"]]


@pytest.mark.row("2.20")
def test_row_2_20_deferred_tools_and_references_reach_no_backend():
    for turn in searching():
        sent = chat_request_of(written(turn), Notes(), dialect=VLLM)
        assert not [word for word in (b"defer_loading", b"tool_reference", b"DeferredToolPlaceholder") if word in sent]
    last = chat_of(searching()[-1], dialect=VLLM)
    told = [message["content"] for message in last["messages"] if message["role"] == "tool"]
    assert json.loads(told[0].partition("\n")[2]) == {
        "name": "Monitor",
        "description": "Does Monitor.",
        "parameters": tool("x")["input_schema"],
    }
    assert told[2].startswith("Tool found: CronCreate. You can call it now")
    assert told[2].endswith("\nTool found: Monitor. You can call it now.")  # described once, where it was found first


@pytest.mark.row("2.20")
def test_row_2_20_deferred_tools_of_a_client_without_search_are_ordinary_tools():
    notes = Notes()
    chat = chat_of({"messages": HEAD[:1], "tools": [tool("A", defer_loading=True), tool("B")]}, notes=notes)
    assert names_of(chat) == ["A", "B"]
    assert notes == Notes()


@pytest.mark.row("2.20")
def test_row_2_20_a_reference_to_a_tool_that_is_gone_is_said_so():
    history = [*HEAD, called("t1", "ToolSearch"), found("t1", "Gone")]
    for tools, more in ((FIRST, ""), ([*FIRST, tool("Other", defer_loading=True)], " It is not available any more.")):
        chat = chat_of({"messages": history, "tools": tools}, dialect=VLLM)
        assert chat["messages"][-1]["content"] == f"Tool found: Gone.{more}"


@pytest.mark.row("2.20")
def test_row_2_20_calls_of_found_tools_have_the_types_of_their_schema():
    """vLLM's parsers of XML syntaxes leave every argument of a tool that is not in the list a string."""
    _, conversation = decode_request(written(searching()[1]), Notes())
    restoring = outbound(conversation, VLLM, Notes()).restoring

    def pushed(*events: Event) -> str:
        batch = list(events)
        for transform in restoring:
            batch = transform.push(batch) if batch else batch
        return "".join(event.text for event in batch if isinstance(event, BlockDelta))

    given = pushed(BlockStart(0, BlockKind.TOOL_USE, "c", "Monitor"), BlockDelta(0, '{"delay": "5", "no'))
    given += pushed(BlockDelta(0, 'te": "5"}'), BlockStop(0))
    assert given == '{"delay": 5, "note": "5"}'
    others = '{"note": "5"}'
    assert pushed(BlockStart(1, BlockKind.TOOL_USE, "d", "Bash"), BlockDelta(1, others), BlockStop(1)) == others


@pytest.mark.row("6.08")
def test_row_6_08_found_tools_do_not_move_the_prefix():
    turns = [chat_request_of(written(turn), Notes(), dialect=VLLM) for turn in searching()]
    for before, now in pairwise(turns):
        assert now.startswith(before[: before.index(b'],"stream":')] + b",")


@pytest.mark.row("6.08")
def test_row_6_08_after_compaction_the_tools_stay_as_they_were():
    """The references are gone with the history, and the client still lists what it had found."""
    turns = searching()
    summary = {"role": "user", "content": "This session is being continued. Summary: ..."}
    notes = Notes()
    chat = chat_of({"messages": [summary], "tools": turns[-1]["tools"]}, notes=notes, dialect=VLLM)
    assert names_of(chat) == ["Bash", "ToolSearch", "Write"]
    text = chat["messages"][0]["content"]
    assert text.startswith(summary["content"])
    assert '"name":"Monitor"' in text
    assert '"name":"CronCreate"' in text
    history = [summary, called("t9", "Monitor"), result("t9", "x")]
    later = chat_of({"messages": history, "tools": turns[-1]["tools"]}, dialect=VLLM)
    assert later["messages"][0] == chat["messages"][0]
    assert TOLD in notes.repairs


@pytest.mark.row("6.08")
@pytest.mark.parametrize(
    ("dialect", "choice"),
    [
        *[(DIALECTS[kind], {"type": "auto"}) for kind in BackendKind if kind is not BackendKind.VLLM],
        (with_family(VLLM, FAMILIES.family("zai-org/GLM-4.7-Air")), {"type": "auto"}),
        (VLLM, {"type": "any"}),
        (VLLM, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_row_6_08_where_only_listed_tools_can_be_called_they_stand_behind_all_others(dialect: Any, choice: Any):
    notes = Notes()
    turns = [chat_of(turn | {"tool_choice": choice}, notes=notes, dialect=dialect) for turn in searching()]
    assert [names_of(turn)[3:] for turn in turns] == [[], *[["Monitor"]] * 2, *[["Monitor", "CronCreate"]] * 2]
    assert notes.repairs.count(LISTED) == 1


@pytest.mark.row("2.21")
@pytest.mark.parametrize(("chosen", "value"), [(None, "true"), ("false", "false")])
def test_row_2_21_launch_switches_tool_search_on(chosen: str | None, value: str):
    """The sizes of the first request with the real client: tests/clients/test_tool_search.py."""
    his = {"ENABLE_TOOL_SEARCH": chosen} if chosen else {}
    env = launch_environment(
        base_url="http://127.0.0.1:1", token="t", model="m", window=0, max_output=0, inherited={}, configured=his
    )
    told = environment_of(settings_overlay(env))
    assert env["ENABLE_TOOL_SEARCH"] == told["ENABLE_TOOL_SEARCH"] == value


# ------------------------------------------------------------------------------------------------ the report


def turn(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    system = "You are an agent. " * 40 + "Working directory: /home/a. " * 3
    return {"system": system, "tools": [tool("Bash"), tool("Write")], "messages": list(messages)} | fields


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def reported(*bodies: dict[str, Any], agents: tuple[str, ...] = ()) -> list[PrefixReport | None]:
    """The reports of requests of one session, in order; four bytes a token."""
    prefixes = Prefixes()
    requests = [chat_request_of(written(body), Notes(), dialect=VLLM) for body in bodies]
    names = agents or ("",) * len(bodies)
    return [
        prefixes.report(Strand("s", agent, "m"), request, bytes_per_token=4)
        for agent, request in zip(names, requests, strict=True)
    ]


LOOP = [user("fix it"), called("t1", "Bash", note="ls"), result("t1", "a.py " * 200), called("t2", "Bash", note="pwd")]


@pytest.mark.row("2.03")
def test_row_2_03_turns_that_extend_each_other_are_reported_as_held():
    marked: dict[str, Any] = user("")
    marked["content"] = [{"type": "text", "text": "fix it", "cache_control": {"type": "ephemeral"}}]
    first, second, third = reported(
        turn(marked),
        turn(*LOOP[:3]),
        turn(*LOOP, result("t2", "/"), {"role": "system", "content": "A reminder in the middle."}),
    )
    assert first is None
    for report, before in ((second, turn(marked)), (third, turn(*LOOP[:3]))):
        assert report is not None
        assert report.held
        sent = chat_request_of(written(before), Notes(), dialect=VLLM)
        assert report.shared_bytes == sent.rindex(b'],"stream"')
        assert report.lost_tokens == 0


@pytest.mark.row("2.03")
@pytest.mark.parametrize(
    ("changed", "part", "why", "lost"),
    [
        ({"tools": [tool("Bash"), tool("Grep"), tool("Write")]}, "tools", Moved.TOOLS_ADDED, (540, 780)),
        ({"tools": [tool("Write"), tool("Bash")]}, "tools", Moved.TOOLS_REORDERED, (560, 800)),
        ({"tools": [tool("Bash")]}, "tools", Moved.TOOLS_REMOVED, (480, 700)),
        ({"tools": [tool("Bash", description="Other."), tool("Write")]}, "tools", Moved.TOOL_CHANGED, (560, 800)),
        ({"system": "You are an agent. " * 40 + "Mode: plan."}, "system", Moved.SYSTEM, (280, 420)),
    ],
    ids=["inserted", "reordered", "removed", "changed", "system"],
)
def test_row_2_03_a_move_is_reported_with_place_reason_and_cost(
    changed: dict[str, Any], part: str, why: Moved, lost: tuple[int, int]
):
    report = reported(turn(*LOOP), turn(*LOOP, result("t2", "/"), **changed))[1]
    assert report is not None
    assert (report.part, report.why) == (part, why)
    assert lost[0] <= report.lost_tokens <= lost[1]


@pytest.mark.row("2.03")
def test_row_2_03_what_the_client_itself_changed_in_its_history():
    long = [*LOOP, result("t2", "/"), called("t3", "Bash"), result("t3", "x"), called("t4", "Bash"), result("t4", "y")]
    compacted = reported(turn(*long), turn(user("Summary of the session: ...")))[1]
    edited = reported(turn(*long), turn(*long[:2], result("t1", "cleared"), *long[3:], user("go on")))[1]
    shorter = reported(turn(*long), turn(*long[:-2]))[1]
    assert compacted is not None
    assert edited is not None
    assert shorter is not None
    assert [(one.part, one.why) for one in (compacted, edited, shorter)] == [
        ("message 0", Moved.COMPACTION),
        ("message 2", Moved.HISTORY),
        ("message 7", Moved.SHORTENED),
    ]
    assert compacted.lost_tokens < 10  # a summary is new: it costs what it is long, and nothing is read twice
    assert edited.lost_tokens > 100
    assert shorter.lost_tokens == 0


@pytest.mark.row("2.03")
def test_row_2_03_subagents_are_other_conversations():
    agent = turn(user("look for it"), system="You search. " * 30)
    reports = reported(turn(LOOP[0]), agent, turn(*LOOP[:3]), turn(*LOOP[:3]), agents=("", "a1", "", "a1"))
    assert [report and report.held for report in reports] == [None, None, True, None]
    unnamed = reported(turn(LOOP[0]), agent, turn(*LOOP[:3]))  # clients that do not say which agent asks
    assert [report and report.held for report in unnamed] == [None, None, True]


@pytest.mark.row("6.02")
def test_row_6_02_volatile_text_is_shown_where_two_sessions_differ():
    """The date of two recorded sessions: offset in the request, and a snippet of both sides."""
    texts = [f"Ünder way. Today's date is 2026-11-{day}. Go." for day in (20, 21)]
    one, two = (chat_request_of(written(turn(user(text))), Notes(), dialect=VLLM) for text in texts)
    report = compare(prompt_head(one), prompt_head(two), bytes_per_token=4)
    assert report is not None
    assert report.shared_bytes == one.index(b"2026-11-20") + len("2026-11-2")
    assert (report.part, report.why) == ("message 0", Moved.HISTORY)
    assert "date is 2026-11-20. Go." in report.snippet_before
    assert "date is 2026-11-21. Go." in report.snippet_now
    assert len(report.snippet_now) <= 60


@pytest.mark.row("2.03")
def test_row_2_03_the_memory_of_prefixes_is_bounded():
    prefixes = Prefixes(limit_bytes=3_000)
    request = chat_request_of(written(turn(user("x"))), Notes(), dialect=VLLM)
    for at in range(10):
        assert prefixes.report(Strand(f"s{at}", "", "m"), request, bytes_per_token=4) is None
    assert prefixes.held_bytes <= 3_000
    assert prefixes.report(Strand("s9", "", "m"), request, bytes_per_token=4) is not None
    assert prefixes.report(Strand("s0", "", "m"), request, bytes_per_token=4) is None


@pytest.mark.row("6.01")
def test_row_6_01_the_billing_line_is_taken_from_the_system_text_only():
    line = "x-anthropic-billing-header: cc_version=2.1.{}; cc_entrypoint=cli;"
    spelt = "x-ahthropic-billing-header: cc_version=2.1.{}; cch=0{};"
    bodies = [
        turn(user(f"{line.format(1)} stays"), system=[{"type": "text", "text": text}, {"type": "text", "text": "You."}])
        for text in (line.format(197), line.format(329), spelt.format(100, "a1b2"))
    ]
    sent = {chat_request_of(written(body), Notes(), dialect=VLLM) for body in bodies}
    assert len(sent) == 1
    (only,) = sent
    assert b"cc_version=2.1.1; cc_entrypoint=cli; stays" in only
    assert only.count(b"billing-header") == 1


# ------------------------------------------------------------------------------------------------ through the gateway

SESSION = {"x-claude-code-session-id": "session-1"}


@contextlib.asynccontextmanager
async def line_to(server: ModelServer, **options: Any) -> AsyncIterator[GatewayClient]:
    async with server, gateway_to(server.url, **options) as client:
        yield client


async def say(client: GatewayClient, *messages: dict[str, Any], headers: Any = SESSION, **fields: Any) -> Exchange:
    """One whole call; the record it left."""
    body = turn(*messages) | fields
    reply = await client.messages(request_body() | body, headers=headers)
    assert reply.status == 200
    return client.exchanges[-1]


@pytest.mark.row("6.02")
async def test_row_6_02_a_move_is_in_the_log_line_without_a_word_of_the_prompt():
    out = io.StringIO()
    async with line_to(ModelServer()) as client:
        await say(client, *LOOP[:1])
        held = await say(client, *LOOP[:3])
        moved = await say(client, *LOOP[:3], system="SECRET WORDS " * 30)
        stranger = await say(client, *LOOP[:3], headers={})
        out.write(json_line(moved) + text_line(moved))
    assert held.prefix is not None
    assert held.prefix.held
    assert stranger.prefix is None  # nobody says what it could extend
    line = json.loads(out.getvalue().partition("\n")[0])
    assert (line["prefix_moved"], line["prefix_why"]) == ("system", "system text changed")
    assert line["lost_tokens"] > 0
    assert "prefix moved at system" in out.getvalue()
    assert "SECRET" not in out.getvalue()
    assert moved.prefix is not None
    assert "SECRET WORDS" in moved.prefix.snippet_now


def metrics_page(*, queries: int, hits: int, **labels: str) -> bytes:
    told = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return (
        f"# HELP vllm:prefix_cache_queries_total x\nvllm:cache_config_info{{{told}}} 1.0\n"
        f'vllm:prefix_cache_queries_total{{engine="0"}} {queries}.0\n'
        f'vllm:prefix_cache_hits_total{{engine="0"}} {hits}\n'
    ).encode()


async def loop_of(server: ModelServer, *, turns: int = 5, metrics: bytes = b"") -> list[Exchange]:
    """A loop of so many turns; the backend's /metrics are read before it."""

    def override(request: Request) -> list[Step] | None:
        return json_answer(200, metrics) if request.path == "/metrics" else None

    server.override = override
    history: list[dict[str, Any]] = []
    async with line_to(server) as client:
        await client.gateway.line.look()
        await client.gateway.line.caches.look(client.gateway.line.backend, client.gateway.line.client)
        for at in range(turns):
            history += [user("go")] if not at else [called(f"t{at}", "Bash"), result(f"t{at}", f"{at} " * 40)]
            await say(client, *history)
        return client.exchanges


def alerts(exchanges: list[Exchange]) -> list[str]:
    return [text for exchange in exchanges for text in exchange.notes.alerts]


def never_hits(*, told: bool) -> Any:
    return lambda body: Answer(text="ok", usage=(count_tokens(body), 2, 0 if told else None))


@pytest.mark.row("6.03")
@pytest.mark.parametrize(
    ("told", "labels", "advice"),
    [
        (True, {"block_size": "16", "enable_prefix_caching": "True"}, "--enable-prefix-caching"),
        (False, {"block_size": "16", "enable_prefix_caching": "True"}, "--enable-prefix-caching"),
        (False, {"block_size": "528", "enable_prefix_caching": "True"}, None),
        (False, {"block_size": "16", "enable_prefix_caching": "False"}, "switched off"),
    ],
    ids=["told", "from metrics", "shorter than its block", "switched off"],
)
async def test_row_6_03_a_backend_whose_cache_cannot_hit(told: bool, labels: dict[str, str], advice: str | None):
    page = metrics_page(queries=9000, hits=0, **labels)
    found = alerts(await loop_of(ModelServer(never_hits(told=told)), metrics=page))
    assert len(found) == (advice is not None)
    assert advice is None or advice in found[0]


@pytest.mark.row("6.03")
def test_row_6_03_a_hybrid_model_is_told_its_own_switch():
    watch = CacheWatch()
    watch.metrics = cache_metrics(metrics_page(queries=1, hits=0, block_size="528"))
    miss = Usage(prompt=9000, cached_told=True)
    verdicts = [watch.judge(BackendKind.VLLM, miss, shared_tokens=8000) for _ in range(4)]
    assert [bool(verdict.alert) for verdict in verdicts] == [False, False, True, False]  # told once
    assert "--mamba-cache-mode align (blocks have 528 tokens)" in verdicts[2].alert


@pytest.mark.row("6.03")
async def test_row_6_03_a_cache_that_hits_raises_nothing():
    exchanges = await loop_of(ModelServer(prefix_cache=True), metrics=metrics_page(queries=9, hits=0, block_size="16"))
    assert alerts(exchanges) == []
    assert [exchange.cache for exchange in exchanges] == ["", *["hit"] * 4]


@pytest.mark.row("6.04")
async def test_row_6_04_what_is_shorter_than_a_block_cannot_hit_and_is_no_fault():
    page = metrics_page(queries=9000, hits=0, block_size="2096")
    exchanges = await loop_of(ModelServer(never_hits(told=True)), metrics=page)
    assert {exchange.cache for exchange in exchanges[1:]} == {"shorter than a block of 2096 tokens"}
    assert alerts(exchanges) == []


@pytest.mark.row("6.05")
async def test_row_6_05_unreported_hits_are_estimated_and_labelled():
    exchanges = await loop_of(ModelServer(never_hits(told=False)))
    assert alerts(exchanges) == [NOT_REPORTED]
    assert exchanges[0].cache == ""
    for exchange in exchanges[1:]:
        assert exchange.prefix is not None
        assert exchange.cache.startswith("not reported, about ")
        assert summary(exchange)["cache"] == exchange.cache
        assert exchange.usage is not None
        assert exchange.usage.cached == 0  # an estimate is not passed off as the backend's figure


@pytest.mark.row("6.13")
async def test_row_6_13_cache_marks_change_nothing_and_hits_are_told_to_the_client():
    mark = {"cache_control": {"type": "ephemeral"}}
    server = ModelServer(prefix_cache=True)
    async with line_to(server) as client:
        for marked in (LOOP[:1], [*LOOP[:2], result("t1", "x")]):
            blocks = [{"type": "text", "text": "be brief"} | mark]
            tools = [tool("Bash") | mark, tool("Write")]
            body = request_body() | turn(*marked, system=blocks, tools=tools)
            reply = await client.messages(body, headers=SESSION)
    assert not [chat for chat in server.chats if b"cache_control" in chat.body]
    usage = reply.json["usage"]
    assert usage["cache_read_input_tokens"] > 50
    assert usage["cache_read_input_tokens"] + usage["input_tokens"] == count_tokens(server.chats[1].json)
    assert client.exchanges[-1].cache == "hit"


@pytest.mark.row("5.10")
@pytest.mark.parametrize(("share", "alarmed"), [(0.4, True), (0.65, True), (0.9, False)])
async def test_row_5_10_a_prompt_that_the_backend_cut_is_noticed(share: float, alarmed: bool):
    server = ModelServer(
        lambda body: Answer(text="ok", usage=(round(count_tokens(body) * share), 2, None)), kind="plain"
    )
    async with line_to(server) as client:
        long = await say(client, user("word " * 4000))
        again = await say(client, user("word " * 4000))  # what was cut teaches no wrong measure
        short = await say(client, user("word"))
    for exchange in (long, again):
        assert bool(exchange.notes.alerts) is alarmed
        assert all("num_ctx" in text for text in exchange.notes.alerts)
    assert short.notes.alerts == []


# ------------------------------------------------------------------------------------------------ slots and salts


def llamacpp(slots: int, **options: Any) -> ModelServer:
    def override(request: Request) -> list[Step] | None:
        if request.path != "/props":
            return None
        return json_answer(200, {"default_generation_settings": {"n_ctx": 32768}, "total_slots": slots})

    return ModelServer(kind="llamacpp", override=override, **options)


def session(name: str) -> dict[str, str]:
    return {"x-claude-code-session-id": name}


TAKING_TURNS = [("a", LOOP[:1]), ("b", LOOP[:1]), ("a", None), ("a", LOOP[:3]), ("b", None), ("b", LOOP[:3])]


@pytest.mark.row("6.09")
@pytest.mark.parametrize(
    ("slots", "sessions", "given"),
    [
        (3, "ab", [0, 1, 2, 0, 2, 1]),
        (2, "a", [0, 1, 0]),
        (2, "ab", [0, 1, 0, 0, 1, 1]),  # too few: what was not used for longest makes room
        (1, "ab", [None] * 6),
    ],
)
async def test_row_6_09_sessions_keep_their_slots_and_side_calls_have_another(
    slots: int, sessions: str, given: list[int | None]
):
    """Sessions take turns, with title calls between: each finds the prompt of its turn before in its slot."""
    server = llamacpp(slots)
    async with line_to(server) as client:
        for name, messages in TAKING_TURNS:
            if name in sessions and messages is None:
                await say(client, user("a title"), headers=session(name), tools=[], system="Write a title.")
            elif name in sessions:
                await say(client, *(messages or ()), headers=session(name))
    assert [chat.json.get("id_slot") for chat in server.chats] == given


@pytest.mark.row("6.09")
async def test_row_6_09_a_slot_in_use_is_not_waited_for():
    server = llamacpp(2, prefill_s=0.05)
    async with line_to(server) as client:
        await asyncio.gather(say(client, *LOOP[:1]), say(client, *LOOP[:1]))
    assert sorted(str(chat.json.get("id_slot")) for chat in server.chats) == ["0", "None"]


@pytest.mark.row("6.09")
def test_row_6_09_one_slot_is_said_to_be_too_few():
    watch = CacheWatch()
    miss = Usage(prompt=9000, cached_told=True)
    verdicts = [watch.judge(BackendKind.LLAMACPP, miss, shared_tokens=8000, slots=1) for _ in range(3)]
    assert "-np 3 and --cache-reuse 256" in verdicts[-1].alert


@pytest.mark.row("6.10")
def test_row_6_10_sliding_window_models_are_told_their_switch():
    watch = CacheWatch()
    miss = Usage(prompt=9000, cached_told=True)
    verdicts = [watch.judge(BackendKind.LLAMACPP, miss, shared_tokens=8000, slots=4) for _ in range(3)]
    assert "--swa-full" in verdicts[-1].alert
    assert verdicts[0].alert == ""


@pytest.mark.row("6.14")
async def test_row_6_14_each_key_has_a_cache_of_its_own():
    server = ModelServer()
    options: dict[str, Any] = {"backend": {"cache_salt": "per_key"}, "keys": ("key-of-a", "key-of-b")}
    async with line_to(server, **options) as client:
        for key in options["keys"]:
            await say(client, user("x"), headers={"x-api-key": key})
    sent = [chat.json["cache_salt"] for chat in server.chats]
    assert sent == list(salts(options["keys"]).values())  # the same after a restart, and in every process
    assert len({*sent}) == 2
    assert all(len(salt) == 32 and "key" not in salt for salt in sent)


@pytest.mark.row("6.14")
@pytest.mark.parametrize(("kind", "setting"), [("vllm", "off"), ("llamacpp", "per_key")])
async def test_row_6_14_no_salt_unless_asked_for_and_understood(kind: Any, setting: str):
    server = ModelServer(kind=kind)
    async with line_to(server, backend={"cache_salt": setting}, keys=("key-of-a",)) as client:
        exchange = await say(client, user("x"), headers={"x-api-key": "key-of-a"})
    assert "cache_salt" not in server.chats[0].json
    assert (exchange.notes.alerts == [NO_SALT]) is (setting == "per_key")
