"""Tool calls that come as text, in every way in which models and servers leave them there."""

from __future__ import annotations

import json

import pytest

from landline.transforms import tool_calls
from tests.failure_modes.recovered import got

LS = ("Bash", {"command": "ls"})
QWEN = "<tool_call>\n<function=Bash>\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>"
GREP = "<tool_call>\n<function=GrepTool>\n<parameter=pattern>\na.*b\n</parameter>\n</function>\n</tool_call>"
KIMI = '<|tool_call_begin|>functions.Bash:0<|tool_call_argument_begin|>{"command": "ls"}<|tool_call_end|>'
EVERY_MARK = (
    "</tool_call> <tool_call> </function> <|tool_call_end|> <|tool_calls_section_end|> </arg_value> </invoke> "
    "[TOOL_CALLS] <|call|> <｜tool▁call▁end｜> </minimax:tool_call> ```"
)


@pytest.mark.row("4.01")
def test_row_4_01_qwen_xml_in_the_content() -> None:
    answer = got(f"I look.\n\n{QWEN}\n{GREP}\nDone.", parser="qwen3_coder")
    assert answer.said == ["I look.\n\n", LS, ("Grep", {"pattern": "a.*b"}), "\nDone."]
    assert answer.stop == "tool_use"
    assert tool_calls.RECOVERED in answer.notes.repairs
    assert "qwen3_coder" in answer.notes.alerts[0]


@pytest.mark.row("4.02")
def test_row_4_02_a_bare_function_tag() -> None:
    bare = "<function=Bash>\n<parameter=command>\nls\n</parameter>\n</function>"
    assert got(bare, parser="qwen3_coder").calls == [LS]
    assert got(bare + "\n</tool_call>", parser="qwen3_coder").calls == [LS]
    assert got("<function=Unknown>\n<parameter=a>\nb\n</parameter>\n</function>", parser="qwen3_coder").calls == []


@pytest.mark.row("4.04")
@pytest.mark.parametrize(
    "parameter",
    [
        "<parameter=\ncommand>\nls\n</parameter>",
        "<parameter=command\nls\n</parameter>",
        "<parameter==command>\nls\n</parameter>",
    ],
)
def test_row_4_04_a_malformed_parameter_tag(parameter: str) -> None:
    assert got(f"<tool_call>\n<function=Bash>\n{parameter}\n</function>\n</tool_call>", parser="qwen3_coder").calls == [
        LS
    ]


@pytest.mark.row("4.05")
def test_row_4_05_a_call_at_the_end_of_the_thinking() -> None:
    answer = got(thinking=f"I should look.\n{QWEN}\n", parser="qwen3_coder")
    assert answer.calls == [LS]
    assert answer.stop == "tool_use"
    said_more = got(thinking=f"I should look.\n{QWEN}\n", text="All is well.", parser="qwen3_coder")
    assert said_more.calls == []


@pytest.mark.row("4.06")
def test_row_4_06_thinking_about_calls_is_no_call() -> None:
    answer = got(thinking=f"They write {QWEN} and then wait for the result.", parser="qwen3_coder")
    assert answer.calls == []
    assert answer.stop == "end_turn"
    assert got(thinking="Write <tool_call> and", parser="qwen3_coder").calls == []


@pytest.mark.row("4.11")
@pytest.mark.parametrize("reasoning", ["minimax_m3", "qwen3"])
def test_row_4_11_marks_that_come_in_several_tokens(reasoning: str) -> None:
    mark = {"minimax_m3": "mm:think", "qwen3": "think"}[reasoning]
    answer = got(f"<{mark}>I think</{mark}>\n\nI say", reasoning=reasoning)  # every size of pieces cuts the marks
    assert (answer.thinking, answer.text) == ("I think", "I say")


@pytest.mark.row("4.12")
def test_row_4_12_a_call_that_is_cut_or_not_closed() -> None:
    whole = got('<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}', parser="hermes")
    assert (whole.calls, whole.stop) == ([LS], "tool_use")
    for finish in ("stop", "tool_calls", "length"):
        cut = got('<tool_call>\n{"name": "Bash", "arguments": {"command": "l', parser="hermes", finish=finish)
        assert cut.stop == "max_tokens"
        assert all(isinstance(arguments, str) for _, arguments in cut.calls)


@pytest.mark.row("4.14")
def test_row_4_14_json_alone_is_a_call_and_behind_prose_it_is_text() -> None:
    bare = '{"name": "Bash", "arguments": {"command": "ls"}}'
    for alone in (bare, f"```json\n{bare}\n```", f"\n{bare}\n"):
        answer = got(alone, parser="hermes")
        assert (answer.calls, answer.stop) == ([LS], "tool_use")
    for text in (f"For example:\n```json\n{bare}\n```", f"{bare}\nis how a call looks", '{"name": "Nobody"}', "{}"):
        answer = got(text, parser="hermes")
        assert (answer.calls, answer.text) == ([], text)


@pytest.mark.row("4.15")
def test_row_4_15_llama_json() -> None:
    one, other = '{"name": "Bash", "parameters": {"command": "ls"}}', '{"name": "Status", "parameters": {}}'
    assert got(one, parser="llama3_json").calls == [LS]
    assert got(f"{one}; {other}", parser="llama3_json").calls == [LS, ("Status", {})]
    assert got(f"<|python_tag|>{one}", parser="llama3_json").calls == [LS]


@pytest.mark.row("4.16")
def test_row_4_16_pythonic_calls_are_literals_only() -> None:
    answer = got('[Bash(command="ls", timeout=5), Status()]', parser="pythonic")
    assert answer.calls == [("Bash", {"command": "ls", "timeout": 5}), ("Status", {})]
    text = '[Bash(command=open("x").read())]'
    assert got(text, parser="pythonic").said == [text]


@pytest.mark.row("4.17")
@pytest.mark.parametrize(
    "written",
    [
        '[TOOL_CALLS]Bash[ARGS]{"command": "ls"}',
        '[TOOL_CALLS]Bash{"command": "ls"}',
        '[TOOL_CALLS] [{"name": "Bash", "arguments": {"command": "ls"}}]',
    ],
)
def test_row_4_17_mistral_marks(written: str) -> None:
    assert got(written, parser="mistral").calls == [LS]
    assert got(f"I look. {written}", parser="mistral").said == ["I look. ", LS]


def dsml(bar: str, outer: str) -> str:
    return (
        f'<{bar}DSML{bar}{outer}>\n<{bar}DSML{bar}invoke name="Bash">\n<{bar}DSML{bar}parameter name="command" '
        f'string="true">ls</{bar}DSML{bar}parameter>\n</{bar}DSML{bar}invoke>\n</{bar}DSML{bar}{outer}>'
    )


@pytest.mark.row("4.18")
@pytest.mark.parametrize(
    "written",
    [dsml("｜", "function_calls"), dsml("｜", "tool_calls"), dsml("||", "tool_calls"), dsml(" | ", "tool_use")],
)
def test_row_4_18_dsml_in_every_wrapper(written: str) -> None:
    assert got(written, parser="deepseek_v4").calls == [LS]


@pytest.mark.row("4.20")
@pytest.mark.parametrize(
    "written",
    [
        f"<|tool_calls_section_begin|>{KIMI}<|tool_calls_section_end|>",
        f"<|tool_call_section_begin|>{KIMI}<|tool_call_section_end|>",
        KIMI,
    ],
)
def test_row_4_20_kimi_marks_in_text_and_thinking(written: str) -> None:
    assert got(written, parser="kimi_k2").calls == [LS]
    assert got(f"I look.{written}", parser="kimi_k2").said == ["I look.", LS]
    assert got(thinking=f"I look.{written}", parser="kimi_k2").calls == [LS]


@pytest.mark.row("4.21")
def test_row_4_21_long_kimi_calls_are_whole() -> None:
    arguments = {"file_path": "a.py", "content": "x = 1\n" * 4_000}
    call = f"<|tool_call_begin|>functions.Write:1\n<|tool_call_argument_begin|>{json.dumps(arguments)}<|tool_call_end|>"
    written = f"Before.<|tool_calls_section_begin|>{call}<|tool_calls_section_end|>"
    assert got(written, parser="kimi_k2", sizes=(5, 1000)).said == ["Before.", ("Write", arguments)]


@pytest.mark.row("4.22")
def test_row_4_22_glm_with_and_without_arguments() -> None:
    pair = "<arg_key>command</arg_key>\n<arg_value>ls</arg_value>\n"
    assert got(f"<tool_call>Bash\n{pair}</tool_call>", parser="glm47").calls == [LS]
    assert got("<tool_call>Status</tool_call>", parser="glm47").calls == [("Status", {})]


@pytest.mark.row("4.23")
def test_row_4_23_glm_without_its_first_key_tag() -> None:
    written = "<tool_call>Greppattern</arg_key><arg_value>a.*b</arg_value></tool_call>"
    assert got(written, parser="glm47").calls == [("Grep", {"pattern": "a.*b"})]


@pytest.mark.row("4.24")
def test_row_4_24_glm_without_the_value_tag() -> None:
    written = "<tool_call>Bash\n<arg_key>command</arg_key>\nls</arg_value>\n</tool_call>"
    assert got(written, parser="glm47").calls == [LS]


@pytest.mark.row("4.26")
@pytest.mark.parametrize("parser", ["minimax_m2", "minimax_m3"])
def test_row_4_26_minimax(parser: str) -> None:
    n = "]<]minimax[>["
    written = {
        "minimax_m2": '<minimax:tool_call>\n<invoke name="Bash">\n<parameter name="command">ls</parameter>\n</invoke>\n'
        "</minimax:tool_call>",
        "minimax_m3": f'{n}<tool_call>{n}<invoke name="Bash">{n}<command>ls{n}</command>{n}</invoke>{n}</tool_call>',
    }[parser]
    assert got(written, parser=parser).calls == [LS]


@pytest.mark.row("4.30")
def test_row_4_30_harmony_in_the_content() -> None:
    body = '<|message|>{"pattern": "a"}<|end|>'
    assert got(f"<|channel|>commentary to=functions.Grep{body}", parser="openai").calls == [("Grep", {"pattern": "a"})]
    assert got(f"<|channel|>commentary{body}", parser="openai").calls == [("Grep", {"pattern": "a"})]
    nobody = got('<|channel|>commentary<|message|>{"nothing": "of the kind"}<|end|>', parser="openai")
    assert (nobody.calls, nobody.text) == ([], '{"nothing": "of the kind"}')


@pytest.mark.row("4.43")
def test_row_4_43_two_calls_alike_are_two_and_the_last_key_wins() -> None:
    assert got(QWEN + "\n" + QWEN, parser="qwen3_coder").calls == [LS, LS]
    twice = "<parameter=command>\na\n</parameter>\n<parameter=command>\nls\n</parameter>"
    assert got(f"<tool_call>\n<function=Bash>\n{twice}\n</function>\n</tool_call>", parser="qwen3_coder").calls == [LS]


IN_JSON = '{"file_path": "a", "content": '
IN_QWEN = "<function=Write>\n<parameter=file_path>\na\n</parameter>\n<parameter=content>\n"
IN_GLM = "<tool_call>Write\n<arg_key>file_path</arg_key><arg_value>a</arg_value><arg_key>content</arg_key><arg_value>"
WRITTEN = {  # what stands before and behind the content
    "hermes": ('<tool_call>\n{"name": "Write", "arguments": ' + IN_JSON, "}}\n</tool_call>"),
    "kimi_k2": ("<|tool_call_begin|>functions.Write:0<|tool_call_argument_begin|>" + IN_JSON, "}<|tool_call_end|>"),
    "mistral": ("[TOOL_CALLS]Write[ARGS]" + IN_JSON, "}"),
    "qwen3_coder": ("<tool_call>\n" + IN_QWEN, "\n</parameter>\n</function>\n</tool_call>"),
    "glm47": (IN_GLM, "</arg_value></tool_call>"),
}


@pytest.mark.row("4.44")
@pytest.mark.parametrize("parser", WRITTEN)
def test_row_4_44_marks_inside_an_argument(parser: str) -> None:
    before, behind = WRITTEN[parser]
    content = f"x {EVERY_MARK} y"
    written = content if parser in ("qwen3_coder", "glm47") else json.dumps(content)
    answer = got(before + written + behind, parser=parser)
    assert answer.said == [("Write", {"file_path": "a", "content": content})]
