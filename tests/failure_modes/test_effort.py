"""How much the model is to think: the client's wishes in its own words, and what is said when it was too much."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

from landline.core.exchange import Notes
from landline.families.registry import read_families, with_family
from landline.protocols.openai_chat.dialect import STANDARD, Dialect
from landline.upstream.dialects import DIALECTS, BackendKind
from tests.fakes.chat_stream import DONE, Answer, sse
from tests.fakes.gateway_client import ASKED, gateway_to, request_body
from tests.fakes.model_server import ModelServer
from tests.fakes.stream_invariant import check_stream
from tests.fakes.upstream import Request, Send, Status, Step, json_answer
from tests.property.requests import chat_of

HI = [{"role": "user", "content": "hi"}]
EFFORTS = Dialect(efforts=("low", "medium", "high"))
QWEN = Dialect(template_arguments=True)
BUDGET = Dialect(template_arguments=True, thinking_budget=True)
SWITCHES = ("reasoning_effort", "thinking_token_budget", "chat_template_kwargs")


def switches(dialect: Dialect, notes: Notes | None = None, **fields: Any) -> dict[str, Any]:
    """What a request says about thinking, as the backend reads it."""
    chat = chat_of({"messages": HI} | fields, dialect=dialect, notes=notes)
    return {name: chat[name] for name in SWITCHES if name in chat}


@pytest.mark.row("2.18")
def test_row_2_18_every_shape_of_thinking_becomes_the_models_own_switch() -> None:
    adaptive, off = {"type": "adaptive", "display": "omitted"}, {"type": "disabled"}
    budget = {"type": "enabled", "budget_tokens": 31_999}
    for dialect in (STANDARD, QWEN, EFFORTS, BUDGET):
        assert switches(dialect, thinking=adaptive) == {}
    assert switches(QWEN, thinking=off) == {"chat_template_kwargs": {"enable_thinking": False}}
    assert switches(EFFORTS, thinking=off) == {"reasoning_effort": "low"}
    assert switches(EFFORTS, thinking=budget) == {"reasoning_effort": "high"}
    assert switches(EFFORTS, thinking=budget | {"budget_tokens": 2_000}) == {"reasoning_effort": "low"}
    assert switches(BUDGET, thinking=budget, max_tokens=64_000) == {"thinking_token_budget": 31_999}
    for shape, text in ((off, "thinking: disabled"), (budget, "thinking.budget_tokens")):
        notes = Notes()
        assert switches(STANDARD, notes, thinking=shape, max_tokens=64_000) == {}
        assert notes.dropped == [text]


@pytest.mark.row("2.18")
def test_row_2_18_what_claude_code_sends_by_default_is_not_worth_a_note() -> None:
    """2.1.197 and 2.1.329 with the name claude-sonnet-4-5: all of the answer, which is no limit."""
    notes = Notes()
    asked = {"thinking": {"type": "enabled", "budget_tokens": 31_999}, "max_tokens": 32_000}
    assert switches(STANDARD, notes, **asked) == {}
    assert notes == Notes()


@pytest.mark.row("2.18")
def test_row_2_18_a_budget_leaves_room_for_words() -> None:
    """Qwen Code asks for more thinking than output; servers refuse that."""
    notes = Notes()
    asked = {"thinking": {"type": "enabled", "budget_tokens": 32_000}, "max_tokens": 8_000}
    assert switches(BUDGET, notes, **asked) == {"thinking_token_budget": 7_999}
    assert notes.repairs == ["thinking budget clamped below max_tokens"]


@pytest.mark.row("5.16")
@pytest.mark.parametrize(
    ("effort", "efforts", "sent"),
    [
        *((one, ("low", "medium", "high"), one) for one in ("low", "medium", "high")),
        ("max", ("low", "medium", "high"), "high"),
        ("none", ("low", "medium", "high"), "low"),
        ("none", ("none", "high"), "none"),
        ("low", ("none", "high"), "high"),
        ("medium", ("low", "high", "max"), "high"),
        ("high", ("low", "medium", "xhigh"), "xhigh"),
    ],
)
def test_row_5_16_effort_becomes_the_models_own(effort: str, efforts: tuple[str, ...], sent: str) -> None:
    asked = {"output_config": {"effort": effort}}
    assert switches(Dialect(efforts=efforts), **asked) == {"reasoning_effort": sent}
    in_template = Dialect(efforts=efforts, effort_argument="reasoning_effort")
    assert switches(in_template, **asked) == {"chat_template_kwargs": {"reasoning_effort": sent}}


@pytest.mark.row("5.16")
def test_row_5_16_without_a_switch_only_another_wish_than_the_default_is_told() -> None:
    """Claude Code sends its default with every request: no field, no note. No effort is: no thinking."""
    for effort, dropped in (("high", 0), ("medium", 0), ("low", 1), ("max", 1), ("extreme", 1)):
        notes = Notes()
        assert switches(QWEN, notes, output_config={"effort": effort}) == {}
        assert len(notes.dropped) == dropped, effort
    none = {"chat_template_kwargs": {"enable_thinking": False}}
    assert switches(QWEN, output_config={"effort": "none"}) == none
    assert switches(EFFORTS, output_config={"effort": "extreme"}) == {}


@pytest.mark.row("5.15")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(thinking="hm " * 20, finish="length"), True),
        (Answer(finish="length"), True),
        (Answer(thinking="hm", text="cut", finish="length"), False),
        (Answer(thinking="hm", tool_calls=(("Bash", '{"command": "l', "c1"),), finish="length"), False),
        (Answer(thinking="hm"), False),
    ],
)
async def test_row_5_15_an_answer_that_was_all_thinking_says_so(answer: Answer, *, told: bool) -> None:
    tools = [{"name": "Bash", "input_schema": {"type": "object"}}]
    async with ModelServer(lambda _: answer) as server, gateway_to(server.url) as client:
        reply = await client.stream(request_body(tools=tools))
        folded = check_stream(reply.body, asked_model=ASKED, tools=["Bash"], backend_finish=answer.finish_reason)
        alerts = (await client.settled()).notes.alerts
        assert any("the whole answer was thinking" in alert for alert in alerts) is told
        if told:
            assert folded.stop_reason == "max_tokens"
            assert "CLAUDE_CODE_MAX_OUTPUT_TOKENS" in alerts[0]


@pytest.mark.row("2.18")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("behind_200", [True, False])  # vLLM 0.32.0 refuses so what is streamed
async def test_row_2_18_a_server_without_a_budget_is_asked_without_it_and_remembered(
    *, behind_200: bool, stream: bool
) -> None:
    refusal = "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser."
    told = {"error": {"message": refusal, "type": "BadRequestError", "code": 400}}

    def override(request: Request) -> list[Step] | None:
        if b"thinking_token_budget" not in request.body:
            return None
        return [Status(), Send(sse(told, DONE))] if behind_200 else json_answer(400, told)

    body = request_body(thinking={"type": "enabled", "budget_tokens": 2_000}, max_tokens=8_000, stream=stream)
    async with ModelServer(override=override, gap_s=0.002) as server, gateway_to(server.url) as client:
        replies = [await client.messages(body) for _ in range(2)]
        assert [reply.status for reply in replies] == [200, 200]
        assert not any(b'"error"' in reply.body for reply in replies)
        assert ["thinking_token_budget" in chat.json for chat in server.chats] == [True, False, False]


@pytest.mark.row("2.18")
async def test_row_2_18_a_tokenizer_without_a_template_is_asked_without_its_arguments_and_remembered() -> None:
    """vLLM with Mistral's tokenizer refuses every chat_template_kwargs; Claude Code's title call turns thinking off."""
    refusal = "chat_template is not supported for Mistral tokenizers. (parameter=chat_template)"

    def override(request: Request) -> list[Step] | None:
        if b"chat_template_kwargs" not in request.body:
            return None
        return json_answer(400, {"error": {"message": refusal, "type": "BadRequestError", "code": 400}})

    body = request_body(thinking={"type": "disabled"})
    async with ModelServer(override=override) as server, gateway_to(server.url) as client:
        assert [(await client.messages(body)).status for _ in range(2)] == [200, 200]
        assert ["chat_template_kwargs" in chat.json for chat in server.chats] == [True, False, False]


FAMILY_TABLE = read_families(resources.files("landline.families").joinpath("families.toml").read_bytes())
FAMILIES = [
    ("openai/gpt-oss-120b", BackendKind.VLLM, {"reasoning_effort": "high"}),
    ("gpt-oss-20b", BackendKind.LLAMACPP, {"chat_template_kwargs": {"reasoning_effort": "high"}}),
    ("gpt-oss:20b", BackendKind.OLLAMA, {"reasoning_effort": "high"}),
    ("gpt-oss-20b", BackendKind.PLAIN, {}),
    ("Qwen/Qwen3.8-27B", BackendKind.VLLM, {"chat_template_kwargs": {"reasoning_effort": "xhigh"}}),
    ("Qwen/Qwen3.8-27B", BackendKind.OLLAMA, {}),
    ("Qwen/Qwen3-Coder-30B", BackendKind.VLLM, {}),
]


@pytest.mark.row("5.16")
@pytest.mark.parametrize(("model", "kind", "sent"), FAMILIES)
def test_row_5_16_each_family_by_the_way_its_server_has(model: str, kind: BackendKind, sent: dict[str, Any]) -> None:
    """What Claude Code sends with every request; a word that a template does not know would make it fail."""
    dialect = with_family(DIALECTS[kind], FAMILY_TABLE.family(model))
    got = switches(dialect, output_config={"effort": "high"})
    keep = dict(dialect.keep_thinking)
    arguments = {name: value for name, value in got.pop("chat_template_kwargs", {}).items() if name not in keep}
    assert got | ({"chat_template_kwargs": arguments} if arguments else {}) == sent
