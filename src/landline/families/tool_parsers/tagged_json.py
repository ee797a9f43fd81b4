"""Calls in JSON behind a tag of the family's own: Hermes and Qwen, Granite, InternLM, Jamba, Cohere and many more.

One reader serves them all. The tag may hold one object, several, or a list; a closing tag may be missing, and counts
only outside of JSON strings. What does not begin with a bracket is another syntax's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from landline.families.tool_parsers.json_calls import Form, call_list, call_object, encoded, json_calls
from landline.families.tool_parsers.syntax import Syntax, WrittenCall

Write = Callable[[Sequence[WrittenCall]], str]


def _each(before: str, after: str, arguments: str = "arguments", between: str = "\n") -> Write:
    return lambda calls: between.join(before + call_object(call, arguments) + after for call in calls)


def _listed(before: str, after: str, arguments: str = "arguments") -> Write:
    return lambda calls: before + call_list(calls, arguments) + after if calls else ""


def _apertus(calls: Sequence[WrittenCall]) -> str:
    objects = ", ".join(f"{{{encoded(call.name)}: {call.arguments}}}" for call in calls)
    return f"<|tools_prefix|>[{objects}]<|tools_suffix|>" if calls else ""


def _cohere(calls: Sequence[WrittenCall]) -> str:
    objects = ",\n".join(
        f'    {{"tool_call_id": "{number}", "tool_name": {encoded(call.name)}, "parameters": {call.arguments}}}'
        for number, call in enumerate(calls)
    )
    return f"<|START_ACTION|>[\n{objects}\n]<|END_ACTION|>" if calls else ""


def _syntax(
    name: str,
    parsers: Sequence[str],
    openers: Sequence[str],
    closers: Sequence[str],
    write: Write,
    *,
    keyed: bool = False,
) -> Syntax:
    reader = json_calls(Form(closers=tuple(closers), keyed=keyed))
    return Syntax(name=name, parsers=tuple(parsers), openers=tuple(openers), reader=reader, write=write)


HERMES = _syntax(
    "hermes",
    ("hermes", "qwen3_json", "granite4", "ernie45"),
    ("<tool_call>",),
    ("</tool_call>",),
    _each("<tool_call>\n", "\n</tool_call>"),
)
LONGCAT = _syntax(
    "longcat",
    ("longcat",),
    ("<longcat_tool_call>",),
    ("</longcat_tool_call>",),
    _each("<longcat_tool_call>\n", "\n</longcat_tool_call>"),
)
# 3.0 writes a token, 3.1 the text `<tool_call>`, which hermes reads too.
GRANITE = _syntax("granite", ("granite",), ("<|tool_call|>",), (), _listed("<|tool_call|>", ""))
GRANITE_20B = _syntax(
    "granite-20b-fc",
    ("granite-20b-fc",),
    ("<function_call>",),
    ("</function_call>",),
    _each("<function_call> ", "", between=" "),
)
INTERNLM = _syntax(
    "internlm",
    ("internlm",),
    ("<|action_start|><|plugin|>", "<|action_start|> <|plugin|>", "<|action_start|>\n<|plugin|>"),
    ("<|action_end|>",),
    _each("<|action_start|><|plugin|>\n", "<|action_end|>", "parameters"),
)
GIGACHAT3 = _syntax(
    "gigachat3",
    ("gigachat3",),
    ("<|function_call|>", "function call<|role_sep|>", "<|message_sep|>\n\nfunction call<|role_sep|>"),
    (),
    _each("<|function_call|>", ""),
)
TOOL_CALLS = _syntax(
    "tool_calls",
    ("jamba", "hunyuan_a13b"),
    ("<tool_calls>",),
    ("</tool_calls>",),
    _listed("<tool_calls>", "</tool_calls>"),
)
PHI4_MINI = _syntax("phi4_mini_json", ("phi4_mini_json",), ("functools[",), (), _listed("functools", ""))
COHERE = _syntax("cohere", ("cohere_command3", "cohere_command4"), ("<|START_ACTION|>",), ("<|END_ACTION|>",), _cohere)
APERTUS = _syntax("apertus", ("apertus",), ("<|tools_prefix|>",), ("<|tools_suffix|>",), _apertus, keyed=True)
DOTS_JSON = _syntax(
    "dots_json",
    ("dots",),
    ("<dots_function_call>",),
    ("</dots_function_call>",),
    _each("<dots_function_call>\n", "\n</dots_function_call>"),
)

SYNTAXES = (
    HERMES,
    LONGCAT,
    GRANITE,
    GRANITE_20B,
    INTERNLM,
    GIGACHAT3,
    TOOL_CALLS,
    PHI4_MINI,
    COHERE,
    APERTUS,
    DOTS_JSON,
)
BY_WORDS = tuple(syntax for syntax in SYNTAXES if any(opener[0].isalpha() for opener in syntax.openers))
