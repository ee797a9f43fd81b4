"""Calls that a model wrote badly: what is sure is mended, what is cut is not completed, all else stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from landline.core.exchange import LONGEST_NOTE, WHOLE_CALL, Exchange, Notes
from landline.core.stream import Pipeline
from landline.protocols.anthropic_messages.request import decode_request
from landline.protocols.anthropic_messages.stream import MessageHead, MessagesEncoder
from landline.protocols.openai_chat.dialect import STANDARD
from landline.protocols.openai_chat.stream import ChatStreamDecoder
from landline.server.journal import json_line, text_line
from landline.transforms.identifiers import MintIds
from landline.transforms.sequence import outbound
from landline.transforms.tool_repair import NULL_REQUIRED
from landline.transforms.usage import FillUsage
from tests.fakes.anthropic_events import Folded
from tests.fakes.chat_stream import DONE, call_delta, chunk, sse, usage_chunk
from tests.fakes.stream_invariant import check_stream
from tests.property.requests import written

TODO = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "done": {"type": "boolean", "default": False}},
    "required": ["text", "done"],
}
TOOLS: dict[str, dict[str, Any]] = {
    "Bash": {"command": {"type": "string"}, "timeout": {"type": "number"}, "background": {"type": "boolean"}},
    "Grep": {"pattern": {"type": "string"}, "glob": {"type": "string"}, "before": {"type": ["integer", "null"]}},
    "TodoWrite": {"todos": {"type": "array", "items": TODO}},
    "Ask": {"questions": {"type": "array", "items": {"type": "object"}}, "names": {"type": "array", "items": {}}},
    "Write": {"file_path": {"type": "string"}, "content": {"type": "string"}},
    "Loose": {
        "value": {"anyOf": [{"type": "string"}, {"type": "array"}]},
        "mode": {"enum": ["a", "b"], "default": "a"},
    },
}
REQUIRED = {
    "Bash": ["command"],
    "Grep": ["pattern"],
    "TodoWrite": ["todos"],
    "Write": ["file_path", "content"],
    "Loose": ["mode"],
    "Ask": [],
}


def schema_of(name: str) -> dict[str, Any]:
    properties = TOOLS[name]
    return {
        "type": "object",
        "properties": properties,
        "required": REQUIRED[name],
        "additionalProperties": False,
    }


REQUEST = {
    "messages": [{"role": "user", "content": "x"}],
    "tools": [{"name": name, "description": "d", "input_schema": schema_of(name)} for name in TOOLS],
}


def answered(*calls: tuple[str, str], finish: str = "tool_calls", notes: Notes | None = None, size: int = 0) -> Folded:
    """What the client gets when the backend sends these calls, each with its arguments in pieces of `size`."""
    deltas: list[dict[str, Any]] = []
    for at, (name, arguments) in enumerate(calls):
        deltas.append(call_delta(at, "", name=name, id=f"c{at}"))
        step = size or len(arguments) or 1
        deltas += [call_delta(at, arguments[begin : begin + step]) for begin in range(0, len(arguments), step)]
    upstream = sse(*[chunk(delta) for delta in deltas], chunk({}, finish), usage_chunk(9, 9), DONE)
    notes = Notes() if notes is None else notes
    conversation = decode_request(written(REQUEST), Notes())[1]
    restoring = outbound(conversation, STANDARD, notes).restoring
    pipeline = Pipeline(ChatStreamDecoder(notes=notes), (*restoring, MintIds("x"), FillUsage(9)))
    encoder = MessagesEncoder(MessageHead("msg_1", "m", 9))
    raw = b"".join(encoder.encode(events) for events in (pipeline.feed(upstream), pipeline.close()) if events)
    return check_stream(raw, asked_model="m", tools=[*TOOLS, "Nothing", "Real"])


def given(name: str, arguments: str, *, notes: Notes | None = None) -> Any:
    """The input of one call, which is the same however its arguments are cut."""
    whole = answered((name, arguments), notes=notes).content[0]["input"]
    assert answered((name, arguments), size=1).content[0]["input"] == whole
    assert answered((name, arguments), size=7).content[0]["input"] == whole
    return whole


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.row("4.28")
@pytest.mark.parametrize(
    "name", ["bash<|channel|>commentary", "Bash<|constrain|>json", "functions.Bash<|channel|>json"]
)
def test_row_4_28_a_channel_behind_a_name_is_cut(name: str) -> None:
    notes = Notes()
    call = answered((name, '{"command":"ls"}'), notes=notes).content[0]
    assert (call["name"], call["input"]) == ("Bash", {"command": "ls"})
    assert (notes.calls[0].before, notes.calls[0].after) == (name, "Bash")
    assert not any("<|" in repair for repair in notes.repairs)


@pytest.mark.row("4.28")
def test_row_4_28_a_name_that_is_all_channel_is_the_only_tool_that_takes_the_arguments() -> None:
    assert answered(("<|constrain|>json", '{"command":"ls"}')).content[0]["name"] == "Bash"
    assert answered(("Nothing", '{"command":"ls"}')).content[0]["name"] == "Nothing"


@pytest.mark.row("4.37")
@pytest.mark.parametrize(
    ("written_name", "name"),
    [
        ("bash", "Bash"),
        ("GrepTool", "Grep"),
        ("functions.Grep", "Grep"),
        ("todo_write", "TodoWrite"),
        ("TodoWrte", "TodoWrite"),
        ("functions.Bash:0", "Bash"),
    ],
)
def test_row_4_37_a_name_written_a_little_wrong_is_the_tools(written_name: str, name: str) -> None:
    assert answered((written_name, "{}")).content[0]["name"] == name


@pytest.mark.row("4.37")
def test_row_4_37_a_name_that_nothing_or_too_much_is_like_stays() -> None:
    assert answered(("Real", "{}")).content[0]["name"] == "Real"
    REQUEST["tools"] += [{"name": name, "input_schema": {"type": "object"}} for name in ("Rea1", "ReaI")]
    try:
        assert answered(("Real", "{}")).content[0]["name"] == "Real"  # one slip from both
    finally:
        del REQUEST["tools"][-2:]


@pytest.mark.row("4.38")
def test_row_4_38_a_call_of_nothing_that_repeats_a_schema_is_text() -> None:
    schema = json.dumps({"type": "function", "parameters": schema_of("Bash")})
    folded = answered(("unknown", schema))
    assert [block["type"] for block in folded.content] == ["text"]
    assert folded.content[0]["text"] == schema
    assert folded.stop_reason == "end_turn"
    both = answered(("unknown", schema), ("Bash", '{"command":"ls"}'))
    assert [block["type"] for block in both.content] == ["text", "tool_use"]
    assert both.stop_reason == "tool_use"


# ------------------------------------------------------------------------------------------------ broken JSON


@pytest.mark.row("4.03")
def test_row_4_03_the_first_brace_is_added() -> None:
    assert given("Bash", '"command": "echo hi"}') == {"command": "echo hi"}
    assert given("Bash", '"command": "a", "timeout": 5}') == {"command": "a", "timeout": 5}


@pytest.mark.row("4.39")
@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("a\nb\tc", "a\nb\tc"),
        (r"grep \d \x1b", r"grep \d \x1b"),
        (r"it\'s", "it's"),
        (r"half \ud83d of it", "half \ufffd of it"),
        (r"\ud83d\ude00 whole \u00e9", "😀 whole é"),
        ("\x01", "\x01"),
    ],
)
def test_row_4_39_odd_texts_are_written_as_json(text: str, command: str) -> None:
    assert given("Bash", f'{{"command": "{text}"}}') == {"command": command}
    assert given("Bash", f'{{"timeout": "5", "command": "{text}"}}') == {"command": command, "timeout": 5}
    assert given("TodoWrite", f'{{"todos": [{{"text": "{text}", "done": true}}]}}')["todos"][0]["text"] == command


@pytest.mark.row("4.40")
@pytest.mark.parametrize(
    "code",
    [
        'print("hi")',
        'sed "s/a/b/" x',
        'd = {"a": "x", "b": "y"}',
        'echo "a", "b": c',
        'if x == "": pass',
        'f("a", "b")',
        '"quoted"',
    ],
)
def test_row_4_40_quotation_marks_of_code_belong_to_it(code: str) -> None:
    assert given("Bash", f'{{"command": "{code}"}}') == {"command": code}
    assert given("Bash", f'{{"command": "{code}", "timeout": 5}}') == {"command": code, "timeout": 5}
    assert given("Write", f'{{"file_path": "a", "content": "{code}"}}') == {"file_path": "a", "content": code}


@pytest.mark.row("4.42")
def test_row_4_42_python_is_read_as_what_it_says() -> None:
    assert given("Bash", "{'command': 'it\\'s \"so\"', 'background': True}") == {
        "command": 'it\'s "so"',
        "background": True,
    }
    assert given("Bash", "{\"command\": \"it's\", 'timeout': 5, 'background': False}") == {
        "command": "it's",
        "timeout": 5,
        "background": False,
    }
    assert given("TodoWrite", "{'todos': [{'text': 'a', 'done': True,},]}") == {"todos": [{"text": "a", "done": True}]}


@pytest.mark.row("4.40")
def test_row_4_40_what_the_own_rules_do_not_read_the_general_repair_may() -> None:
    assert given("Bash", '{"command": "a" "timeout": 5}') == {"command": "a", "timeout": 5}


@pytest.mark.row("4.41")
@pytest.mark.parametrize("finish", ["length", "tool_calls", "stop"])
@pytest.mark.parametrize(
    "arguments",
    [
        '{"file_path": "a", "content": "x = {',
        '{"file_path": "a", "content": "x"',
        '{"file_path": "a", "content": "{\\"a\\": {\\"b\\": 1}',
        '{"todos": "[{',
        "{'file_path': 'a', 'content': 'x",
        '{"file_path": "a',
    ],
)
def test_row_4_41_half_a_call_is_told_to_be_cut_and_not_completed(arguments: str, finish: str) -> None:
    folded = answered(("Write", arguments), finish=finish)
    assert folded.stop_reason == "max_tokens"
    assert folded.content[0]["input"] == arguments


# ------------------------------------------------------------------------------------------------ values


@pytest.mark.row("4.32")
def test_row_4_32_json_in_a_text_is_read_where_no_text_may_stand() -> None:
    todos = [{"text": "a", "done": True}]
    assert given("TodoWrite", json.dumps({"todos": json.dumps(todos)})) == {"todos": todos}
    assert given("TodoWrite", json.dumps({"todos": [json.dumps(todos[0])]})) == {"todos": todos}
    assert given("TodoWrite", json.dumps({"todos": str(todos)})) == {"todos": todos}
    for name, arguments in (("Bash", {"command": json.dumps(todos)}), ("Loose", {"value": "[1]", "mode": "a"})):
        notes = Notes()
        assert given(name, json.dumps(arguments), notes=notes) == arguments
        assert notes == Notes()


@pytest.mark.row("4.25")
@pytest.mark.row("4.33")
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Bash", {"command": "c", "timeout": "5000"}, {"command": "c", "timeout": 5000}),
        ("Bash", {"command": "c", "timeout": "0.5"}, {"command": "c", "timeout": 0.5}),
        ("Bash", {"command": "c", "background": "false"}, {"command": "c", "background": False}),
        ("Bash", {"command": "c", "background": "True"}, {"command": "c", "background": True}),
        ("Bash", {"command": "c", "timeout": "null"}, {"command": "c"}),
        ("Grep", {"pattern": "5", "before": "3"}, {"pattern": "5", "before": 3}),
        ("Grep", {"pattern": "true", "glob": "5"}, {"pattern": "true", "glob": "5"}),
        ("Bash", {"command": "c", "background": "yes"}, {"command": "c", "background": "yes"}),
        ("Bash", {"command": "c", "timeout": "soon"}, {"command": "c", "timeout": "soon"}),
        ("Loose", {"value": "true", "mode": "b"}, {"value": "true", "mode": "b"}),
    ],
)
def test_row_4_25_and_4_33_words_become_values_only_where_no_text_may_stand(
    name: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert given(name, json.dumps(before)) == after


@pytest.mark.row("4.34")
@pytest.mark.parametrize("nothing", ["null", "None", None])
def test_row_4_34_an_optional_argument_that_says_nothing_is_left_out(nothing: str | None) -> None:
    assert given("Grep", json.dumps({"glob": nothing, "pattern": "x"})) == {"pattern": "x"}
    assert given("Grep", json.dumps({"pattern": "x", "glob": nothing})) == {"pattern": "x"}
    assert given("Bash", json.dumps({"command": nothing, "timeout": 5})) == {"command": nothing, "timeout": 5}
    assert given("Grep", json.dumps({"pattern": "x", "glob": "nullable"})) == {"pattern": "x", "glob": "nullable"}


@pytest.mark.row("4.27")
def test_row_4_27_null_for_a_required_text_is_explained() -> None:
    notes = Notes()
    assert given("Bash", '{"command": null}', notes=notes) == {"command": None}
    assert notes.alerts == [NULL_REQUIRED.format("Bash")]
    assert notes.calls == []


@pytest.mark.row("4.35")
def test_row_4_35_a_known_other_name_of_a_missing_argument_is_read_as_it() -> None:
    assert given("Bash", '{"cmd": "ls", "timeout": 5}') == {"command": "ls", "timeout": 5}
    assert given("Write", '{"path": "a", "content": "b"}') == {"file_path": "a", "content": "b"}
    assert given("Write", '{"filePath": "a", "content": "b"}') == {"file_path": "a", "content": "b"}
    for name, arguments in (
        ("TodoWrite", {"text": []}),  # no other name of it
        ("Write", {"path": "a", "filename": "b", "content": "c"}),  # which of them?
        ("Bash", {"cmd": ["a", "b"]}),  # does not fit
        ("Bash", {"command": "a", "cmd": "b"}),
        ("Bash", {"cmd": "b", "command": "a"}),
    ):
        assert given(name, json.dumps(arguments)) == arguments


@pytest.mark.row("4.35")
def test_row_4_35_a_missing_argument_gets_the_default_of_its_schema_only() -> None:
    assert given("Loose", "{}") == {"mode": "a"}
    assert given("Loose", '{"value": "x"}') == {"value": "x", "mode": "a"}
    assert given("TodoWrite", '{"todos": [{"text": "a"}]}') == {"todos": [{"text": "a", "done": False}]}
    assert given("Bash", '{"timeout": 5}') == {"timeout": 5}


@pytest.mark.row("4.36")
def test_row_4_36_a_single_value_where_a_list_is_asked_is_wrapped() -> None:
    assert given("Ask", '{"questions": {"q": 1}}') == {"questions": [{"q": 1}]}
    assert given("Ask", '{"names": "solo"}') == {"names": ["solo"]}
    assert given("TodoWrite", '{"todos": {"text": "a", "done": "true"}}') == {"todos": [{"text": "a", "done": True}]}
    assert given("TodoWrite", '{"todos": "buy milk"}') == {"todos": "buy milk"}


# ------------------------------------------------------------------------------------------------ what stays


@pytest.mark.row("4.43")
def test_row_4_43_two_calls_alike_are_two_and_the_last_of_two_keys_counts() -> None:
    call = ("Bash", '{"command":"ls"}')
    folded = answered(call, call)
    assert [block["input"] for block in folded.content] == [{"command": "ls"}] * 2
    assert len({block["id"] for block in folded.content}) == 2
    assert given("Bash", '{"command":"a","command":"b"}') == {"command": "b"}


@pytest.mark.row("4.25")
def test_row_4_25_what_fits_passes_as_it_came() -> None:
    notes = Notes()
    arguments = '{ "todos" : [ {"text":"a \\u00e9 \\"b\\"", "done":true} ,\n{"done": false,"text":""}] }'
    assert given("TodoWrite", arguments, notes=notes) == json.loads(arguments)
    assert notes == Notes()


@pytest.mark.row("9.01")
def test_row_9_01_the_record_has_what_came_what_left_and_what_was_changed() -> None:
    exchange = Exchange(id="req_1", path="/v1/messages")
    before = '{"todos":"[{\\"text\\":\\"secret\\",\\"done\\":\\"true\\"}]"}'
    given("TodoWrite", before, notes=exchange.notes)
    change, whole = exchange.notes.calls
    assert (whole.tool, whole.what, whole.before) == ("TodoWrite", WHOLE_CALL, before)
    assert whole.after == '{"todos":[{"text":"secret","done":true}]}'
    assert change.before == before[1:-1]
    assert change.after == whole.after[1:-1]
    for line in (json_line(exchange), text_line(exchange)):
        assert change.what in line
        assert "TodoWrite" in line
        assert "secret" not in line


@pytest.mark.row("9.01")
def test_row_9_01_the_record_is_bounded() -> None:
    notes = Notes()
    long = "x" * 10_000
    calls = [("Bash", json.dumps({"command": long, "timeout": "5", "background": "true"}))] * 50
    answered(*calls, notes=notes)
    assert 0 < len(notes.calls) <= 16
    assert all(len(call.before) <= LONGEST_NOTE and len(call.after) <= LONGEST_NOTE for call in notes.calls)
    whole = next(call for call in notes.calls if call.what == WHOLE_CALL)
    assert '"timeout": "5"' in whole.before  # around the first difference, however far in
    assert '"timeout": 5' in whole.after
