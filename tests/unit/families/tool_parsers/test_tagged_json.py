"""JSON behind a tag: the families' examples, and what models make of them."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers import tagged_json
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said
from landline.families.tool_parsers.text import Openers, TextReader
from tests.fakes.tool_calls import JSON, call, read, read_in_every_cut, toolbox

OBJECT = f'{{"name": "write", "arguments": {JSON}}}'
SYNTAXES = tagged_json.SYNTAXES
EXAMPLES = {
    "hermes": f"<tool_call>\n{OBJECT}\n</tool_call>",
    "longcat": f"<longcat_tool_call>\n{OBJECT}\n</longcat_tool_call>",
    "granite 3.0": f"<|tool_call|>[{OBJECT}]",
    "granite 3.1": f"<tool_call>[{OBJECT}]",
    "granite-20b": f"<function_call> {OBJECT}",
    "internlm": f'<|action_start|><|plugin|>{{"name": "write", "parameters": {JSON}}}<|action_end|>',
    "gigachat3": f"<|function_call|>{OBJECT}",
    "gigachat3 in words": f"function call<|role_sep|>\n{OBJECT}",
    "jamba": f"<tool_calls>[{OBJECT}]</tool_calls>",
    "phi4": f"functools[{OBJECT}]",
    "cohere": '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "write", "parameters": '
    + JSON
    + "}\n]<|END_ACTION|>",
    "apertus": f'<|tools_prefix|>[{{"write": {JSON}}}]<|tools_suffix|>',
    "dots": f"<dots_function_call>{OBJECT}</dots_function_call>",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples(name: str) -> None:
    assert read_in_every_cut(EXAMPLES[name], SYNTAXES) == call()
    around = read_in_every_cut(f"I will.\n{EXAMPLES[name]}\nDone.", SYNTAXES)
    assert around == [Said("I will.\n"), *call(), Said("\nDone.")]


@pytest.mark.parametrize(
    ("inside", "arguments"),
    [
        ('{"arguments": {"n": 1}, "name": "write"}', '{"n": 1}'),
        ('{"name": "write", "parameters": {"n": 1}}', '{"n": 1}'),
        ('{"name": "write", "args": {"n": 1}}', '{"n": 1}'),
        ('{"id": 7, "name": "write", "why": {"a": [1]}, "arguments": {"n": 1}, "x": "}"}', '{"n": 1}'),
        ('{"type": "function", "function": {"name": "write", "arguments": {"n": 1}}}', '{"n": 1}'),
        ('{"name": "write", "arguments": "{\\"text\\": \\"a\\\\nb\\", \\"n\\": 1}"}', '{"text": "a\\nb", "n": 1}'),
        ('{"name": "write", "arguments": "{\\"text\\": \\"\\u00e9\\ud83d\\ude00\\ud83d\\"}"}', '{"text": "é😀�"}'),
        ('{"name": "write", "arguments": null}', "{}"),
        ('{"name": "write", "arguments": ""}', "{}"),
        ('{"name": "write", "arguments": {}}', "{}"),
        ('{"name": "write"}', "{}"),
        ('{"na\\u006de": "wr\\u0069te", "arguments": {"n": 1}}', '{"n": 1}'),
        ("{'name': 'write', 'arguments': {'n': True}}", "{'n': True}"),
        ('{"name": "write", "arguments": {"n": 1}', '{"n": 1}'),
        ('{"name": "write", "arguments": {"n": 1}}}', '{"n": 1}'),
        ('{"name": "functions.Write", "arguments": {"n": 1}}', '{"n": 1}'),
    ],
)
def test_forms_of_one_object(inside: str, arguments: str) -> None:
    assert read_in_every_cut(f"<tool_call>{inside}</tool_call>.", SYNTAXES) == [*call(arguments=arguments), Said(".")]


@pytest.mark.parametrize(
    "inside",
    [
        '{"name": "write", "arguments": {"n": 1}}{"name": "read", "arguments": {"file": "x"}}',
        '{"name": "write", "arguments": {"n": 1}},\n{"name": "read", "arguments": {"file": "x"}}',
        '[{"name": "write", "arguments": {"n": 1}}, {"name": "read", "arguments": {"file": "x"}}]',
        '{"name": "write", "arguments": {"n": 1}}</tool_call>\n<tool_call>{"name": "read", "arguments": {"file": "x"}}',
        '{"name": "write", "arguments": {"n": 1}}<tool_call>{"name": "read", "arguments": {"file": "x"}}',
    ],
)
def test_several_calls(inside: str) -> None:
    found = read_in_every_cut(f"<tool_call>{inside}</tool_call>", SYNTAXES)
    assert found == [*call(arguments='{"n": 1}'), *call("read", '{"file": "x"}')]


def test_identical_calls_are_both_kept() -> None:
    assert read(f"<tool_call>{OBJECT}</tool_call>" * 2, SYNTAXES) == [*call(), *call()]


@pytest.mark.parametrize(
    "arguments",
    [
        '{"text": "</tool_call> <tool_call>{\\"name\\": \\"read\\"}"}',
        '{"text": "say "hi", and left"}',
        '{"text": "5" pipe"}',
        '{"text": "a\nb\tc"}',
        '{"text": "x", "n": 1,}',
        "{'text': 'it\\'s', 'n': None}",
        "{'text': 'it's', 'n': True}",
        '{"text": "x" "n": 1}',
        '{"n": [1, 2}',
        '{"n": <b>1</b>}',
    ],
)
def test_broken_json_passes_as_it_stands(arguments: str) -> None:
    """Rows 4.39, 4.40, 4.42 and 4.44: another part mends it."""
    text = f'<tool_call>{{"name": "write", "arguments": {arguments}}}</tool_call>'
    assert read_in_every_cut(text, SYNTAXES) == call(arguments=arguments)


def test_a_closing_tag_ends_json_that_lacks_a_bracket() -> None:
    found = read_in_every_cut('<tool_call>{"name": "write", "arguments": {"n": {"a": 1}</tool_call> x', SYNTAXES)
    assert found == [*call(arguments='{"n": {"a": 1}'), Said(" x")]


@pytest.mark.parametrize("end", ["", "}", "}\n", "}</tool", "}\n</tool_call"])
def test_row_4_12_the_closing_tag_may_be_missing(end: str) -> None:
    text = '<tool_call>{"name": "write", "arguments": {"n": 1}' + end
    assert read_in_every_cut(text, SYNTAXES) == call(arguments='{"n": 1}')


@pytest.mark.parametrize(
    "arguments", ["{", '{"n"', '{"n": 1', '{"text": "x', '{"text": "x\\', '{"text": "x"', '"{\\"n\\": 1}']
)
def test_row_4_12_cut_arguments_are_never_completed(arguments: str) -> None:
    found = read_in_every_cut('<tool_call>{"name": "write", "arguments": ' + arguments, SYNTAXES)
    assert isinstance(found[0], Called)
    assert found[-1] == Ended(whole=False)
    given = arguments.strip('"').replace("\\", "") if arguments[0] == '"' else arguments
    assert found[1] == Argued(given)


@pytest.mark.parametrize(
    "inside", ["", "{", '{"name"', '{"name": "wri', '{"name": "write", ', '{"arguments": {"n": 1}']
)
def test_what_is_cut_before_it_is_a_call_is_text(inside: str) -> None:
    assert read_in_every_cut(f"a <tool_call>{inside}", SYNTAXES) == [Said(f"a <tool_call>{inside}")]


@pytest.mark.parametrize(
    "text",
    [
        "The tag `<tool_call>` begins a call.",
        "The tag <tool_call> begins a call, </tool_call> ends it.",
        f"```\n<tool_call>{OBJECT}</tool_call>\n```\n",
        '<tool_call>{"name": "nobody", "arguments": {}}</tool_call>',
        '<tool_call>{"arguments": {}, "name": "nobody"}</tool_call>',
        '<tool_call>{"arguments": {}}</tool_call>',
        "<tool_call>{}</tool_call>",
        "<tool_call>[]</tool_call>",
        "<tool_call>\n<function=write>\n",
        "<tool_call>write\n<arg_key>",
        "<tool_calls><tool_call>write",
        '<tool_call>{name: "write"}',
    ],
)
def test_what_only_looks_like_a_call_is_text(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]


@pytest.mark.parametrize("text", ["<tool_call>\n<", "<tool_call>w", '<tool_call>{"name": "nobody"', "<tool_calls>\n<"])
def test_it_is_refused_early(text: str) -> None:
    reader = TextReader(Openers(SYNTAXES), toolbox(), alone=True)
    assert reader.feed(text[:-1]) == []
    assert reader.feed(text[-1]) != []


def test_arguments_stream_as_they_grow() -> None:
    reader = TextReader(Openers(SYNTAXES), toolbox(), alone=True)
    assert reader.feed('<tool_call>{"name": "write", "arguments": {"te') == [Called("write"), Argued('{"te')]
    assert reader.feed('xt": "abc') == [Argued('xt": "abc')]
    assert reader.feed('"}') == [Argued('"}')]
    assert reader.feed("}") == [Ended(whole=True)]


def test_what_follows_a_call_and_is_none_is_text() -> None:
    text = f'<tool_call>{OBJECT}\n{{"name": "nobody", "arguments": {{}}}}</tool_call>'
    found = read_in_every_cut(text, SYNTAXES)
    assert found == [*call(), Said('\n{"name": "nobody", "arguments": {}}</tool_call>')]


@pytest.mark.parametrize("word", ['"hello"', "'hello'", '"hello" '])
@pytest.mark.parametrize("behind", ["said he", "}", "<b>"])
def test_a_quoted_word_behind_the_arguments_is_text(word: str, behind: str) -> None:
    found = read_in_every_cut(f'<tool_call>{{"name": "write", "arguments": {{}}{word}{behind}', SYNTAXES)
    assert found == [*call(arguments="{}"), Said(word + behind)]


@pytest.mark.parametrize("mark", ['"', "'"])
@pytest.mark.parametrize("between", ["", ", \n"])
def test_a_key_that_goes_on_too_long_is_text_from_its_first_character_on(mark: str, between: str) -> None:
    long = f"{mark}{'x' * 300}, and more"
    found = read_in_every_cut(f'<tool_call>{{"name": "write", "arguments": {{"n": 1}}{between}{long}', SYNTAXES)
    assert found == [*call(arguments='{"n": 1}'), Said(long)]


def test_arguments_that_come_first_are_held_up_to_a_limit() -> None:
    long = '<tool_call>{"arguments": {"text": "' + "x" * 70_000 + '"}, "name": "write"}</tool_call>'
    assert read(long, SYNTAXES) == read(long, SYNTAXES, cuts=1000) == [Said(long)]


@pytest.mark.parametrize("inside", ['{"name": "write"%s}', '{"name": "write", "arguments":%s{"n": 1}}'])
@pytest.mark.parametrize("spaces", [65_400, 65_600])
def test_the_limit_is_where_it_is_wherever_the_text_is_cut(inside: str, spaces: int) -> None:
    text = f"<tool_call>{inside % (' ' * spaces)}</tool_call>"
    whole = read(text, SYNTAXES)
    assert all(read(text, SYNTAXES, cuts=cuts) == whole for cuts in (1000, [spaces], [65_590]))
    assert (whole == [Said(text)]) == (spaces > 65_536)
