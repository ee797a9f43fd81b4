"""Mistral: row 4.17."""

from __future__ import annotations

import pytest

from landline.families.tool_parsers.mistral import SYNTAXES
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said
from tests.fakes.tool_calls import JSON, call, read_in_every_cut

OBJECT = f'{{"name": "write", "arguments": {JSON}}}'


@pytest.mark.parametrize(
    "text",
    [
        f"[TOOL_CALLS]write[ARGS]{JSON}",
        f"[TOOL_CALLS]write{JSON}",
        f"[TOOL_CALLS] write [ARGS] {JSON}",
        f"[TOOL_CALLS] [{OBJECT}]",
        f"[TOOL_CALLS][{OBJECT}]",
        f"[TOOL_CALLS]{OBJECT}",
    ],
)
def test_row_4_17_both_generations(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == call()
    assert read_in_every_cut(f"So.\n{text}\nBye.", SYNTAXES) == [Said("So.\n"), *call(), Said("\nBye.")]


def test_ids_and_several_calls() -> None:
    text = f"[TOOL_CALLS]write[CALL_ID]abcdefghi[ARGS]{JSON}[TOOL_CALLS]read[ARGS]{{}}"
    assert read_in_every_cut(text, SYNTAXES) == [*call(ident="abcdefghi"), *call("read", "{}")]
    text = f'[TOOL_CALLS] [{OBJECT}, {{"name": "read", "arguments": {{}}, "id": "abcdefghi"}}]'
    assert read_in_every_cut(text, SYNTAXES) == [*call(), *call("read", "{}")]


def test_arguments_may_be_called_name_and_arguments() -> None:
    arguments = '{"name": "x", "arguments": {"a": "[TOOL_CALLS]read{}"}}'
    assert read_in_every_cut(f"[TOOL_CALLS]write[ARGS]{arguments}", SYNTAXES) == call(arguments=arguments)


def test_row_4_17_cut_text_is_no_whole_call() -> None:
    cut = read_in_every_cut('[TOOL_CALLS]write[ARGS]{"path": "a', SYNTAXES)
    assert cut == [Called("write"), Argued('{"path": "a'), Ended(whole=False)]
    assert read_in_every_cut("[TOOL_CALLS]wri", SYNTAXES) == [Said("[TOOL_CALLS]wri")]


@pytest.mark.parametrize(
    "text", ["[TOOL_CALLS]", "[TOOL_CALLS] is a mark {", "[TOOL_CALLS]nobody[ARGS]{}", "[TOOL_CALLS] [1]"]
)
def test_what_is_no_call_is_text(text: str) -> None:
    assert read_in_every_cut(text, SYNTAXES) == [Said(text)]
