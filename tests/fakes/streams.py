"""The catalogue of upstream chat streams: what backends send, well and badly formed, and what the client must get.

Each case is data. `row` is its id in the failure catalogue. Tests run every case whole, cut and byte by byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.fakes.anthropic_events import Folded
from tests.fakes.chat_stream import DONE, call_delta, chunk, sse, usage_chunk, usage_object
from tests.fakes.stream_invariant import FAILED

TOOLS = ("Bash", "Read")
STOP_STRINGS = ("###",)
USAGE = (100, 20, 80)
ROLE = {"role": "assistant", "content": ""}
LS = '{"command":"ls"}'
READ = '{"file_path":"a"}'

Block = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`blocks` are the expected blocks without ids and signatures; None: not laid down. A tool's `input` as str is a
    cut call: the client may get a beginning of it, or no block. `usage` is (prompt, completion, cached), None when
    the backend gave none. With `error` the stream must end with one error event (`blocks` is what came before it).
    """

    upstream: bytes
    finish: str = "stop"
    blocks: tuple[Block, ...] | None = ()
    stop_reason: str | None = "end_turn"
    stop_sequence: str | None = None
    usage: tuple[int, int, int] | None = USAGE
    tools: tuple[str, ...] = TOOLS
    error: bool = False
    row: str = ""

    @property
    def ends_with_done(self) -> bool:
        return self.upstream.rstrip().endswith(b"[DONE]")


def text(value: str) -> Block:
    return {"type": "text", "text": value}


def thinking(value: str) -> Block:
    return {"type": "thinking", "thinking": value}


def tool(name: str, arguments: str) -> Block:
    """Arguments that are no JSON object stand for a cut call."""
    try:
        return {"type": "tool_use", "name": name, "input": json.loads(arguments)}
    except ValueError:
        return {"type": "tool_use", "name": name, "input": arguments}


def stream(*deltas: dict[str, Any], finish: str = "stop", role: bool = True) -> bytes:
    """A well-formed stream around the deltas: role, deltas, finish, usage, [DONE]."""
    opening = [chunk(ROLE)] if role else []
    return sse(*opening, *map(chunk, deltas), chunk({}, finish), usage_chunk(*USAGE), DONE)


def called(*deltas: dict[str, Any], finish: str = "tool_calls", blocks: tuple[Block, ...], row: str = "") -> Case:
    """A case whose turn ends in tool calls."""
    return Case(stream(*deltas, finish=finish), finish, blocks, "tool_use", row=row)


def failed(upstream: bytes, *blocks: Block, row: str) -> Case:
    return Case(upstream, FAILED, blocks, None, usage=None, error=True, row=row)


HI = {"content": "Hello"}
WORLD = {"content": " world"}
HELLO = (text("Hello world"),)
BASH = call_delta(0, "", name="Bash", id="c0")
BASH_LS = (BASH, call_delta(0, '{"comm'), call_delta(0, 'and":"ls"}'))
READ_A = (call_delta(1, "", name="Read", id="c1"), call_delta(1, READ))
ONE_CALL = (tool("Bash", LS),)
TWO_CALLS = (tool("Bash", LS), tool("Read", READ))
EMPTY_CALL = (tool("Bash", "{}"),)
TWICE = (tool("Bash", LS), tool("Bash", LS))
PLAIN = stream(HI, WORLD)
WIDE = "naïve 北京 🚀👩‍💻"


def _texts_and_thinking() -> dict[str, Case]:
    hm, both = {"reasoning": "hm"}, (thinking("hm"), *HELLO)
    first = {"reasoning": "hm", "content": "Hello"}
    last = {"reasoning": "!", "content": "Hello"}
    return {
        "text": Case(PLAIN, blocks=HELLO),
        "reasoning_only": Case(stream(hm, {"reasoning": "m"}), blocks=None, row="4.07"),
        "reasoning": Case(stream(hm, HI, WORLD), blocks=both, row="3.04"),
        "reasoning_content": Case(stream({"reasoning_content": "hm"}, HI, WORLD), blocks=both, row="3.03"),
        "reasoning_and_text_in_one_chunk": Case(stream(first, WORLD), blocks=both, row="3.05"),
        "reasoning_then_both_then_text": Case(stream(hm, last, WORLD), blocks=(thinking("hm!"), *HELLO), row="3.05"),
        "reasoning_then_call": called(hm, *BASH_LS, blocks=(thinking("hm"), *ONE_CALL)),
        "nulls_beside_content": Case(
            stream({"content": "Hello", "reasoning": None, "tool_calls": None}, WORLD), blocks=HELLO
        ),
        "role_only_first_chunk": Case(stream({"role": "assistant"}, HI, WORLD, role=False), blocks=HELLO, row="3.26"),
        "no_role_chunk": Case(stream(HI, WORLD, role=False), blocks=HELLO),
        "wide_characters": Case(stream(*({"content": one} for one in WIDE)), blocks=(text(WIDE),), row="3.29"),
        "nothing_said": Case(stream(), blocks=(), row="3.26"),
        "finish_length_in_text": Case(stream(HI, finish="length"), "length", (text("Hello"),), "max_tokens"),
        "stop_string": Case(_stop_string(), blocks=(text("Hello"),), stop_reason="stop_sequence", stop_sequence="###"),
        "content_after_finish": Case(
            sse(chunk(ROLE), chunk(HI), chunk({}, "stop"), chunk(WORLD), usage_chunk(*USAGE), DONE),
            blocks=(text("Hello"),),
            row="3.28",
        ),
    }


def _stop_string() -> bytes:
    """vLLM names the stop string that matched in `stop_reason` beside `finish_reason`."""
    last = chunk({}, "stop")
    last["choices"][0]["stop_reason"] = "###"
    return sse(chunk(ROLE), chunk(HI), last, usage_chunk(*USAGE), DONE)


def _calls() -> dict[str, Case]:
    whole = call_delta(0, LS, name="Bash", id="c0")
    second = call_delta(1, READ, name="Read", id="c1")
    together = {"tool_calls": whole["tool_calls"] + second["tool_calls"]}
    return {
        "tool_only": called(*BASH_LS, blocks=ONE_CALL, row="3.02"),
        "text_then_call": called(HI, *BASH_LS, blocks=(text("Hello"), *ONE_CALL)),
        "two_parallel_tools": called(*BASH_LS, *READ_A, blocks=TWO_CALLS),
        "two_calls_in_one_chunk": called(together, blocks=TWO_CALLS),
        "interleaved_calls": called(
            *(BASH, READ_A[0], call_delta(0, '{"command'), call_delta(1, '{"file_path'), call_delta(0, '":"ls"}')),
            call_delta(1, '":"a"}'),
            blocks=TWO_CALLS,
            row="3.09",
        ),
        "whole_call_in_first_chunk": called(whole, blocks=ONE_CALL, row="3.08"),
        "empty_arguments": called(BASH, blocks=EMPTY_CALL, row="3.07"),
        "empty_object": called(BASH, call_delta(0, "{}"), blocks=EMPTY_CALL, row="3.07"),
        "arguments_as_object": called(
            call_delta(0, {"command": "ls"}, name="Bash", id="c0"), blocks=ONE_CALL, row="3.16"
        ),
        "arguments_as_empty_object": called(call_delta(0, {}, name="Bash", id="c0"), blocks=EMPTY_CALL, row="3.16"),
        "empty_tool_calls_beside_content": Case(
            stream({"content": "Hello", "tool_calls": []}, WORLD), blocks=HELLO, row="3.06"
        ),
        "name_null_later": called(BASH, _named_null(LS), blocks=ONE_CALL, row="3.12"),
        "name_empty_first": called(
            call_delta(0, "", name="", id="c0"),
            call_delta(0, "", name="Bash"),
            call_delta(0, LS),
            blocks=ONE_CALL,
            row="3.13",
        ),
        "name_null_text_first": called(
            call_delta(0, "", name="null", id="c0"), call_delta(0, LS, name="Bash"), blocks=ONE_CALL, row="3.14"
        ),
        "name_in_pieces": called(
            call_delta(0, name="Ba", id="c0"), call_delta(0, name="sh"), call_delta(0, LS), blocks=ONE_CALL, row="3.15"
        ),
        "index_missing": called(
            call_delta(None, LS, name="Bash", id="c0"),
            call_delta(None, READ, name="Read", id="c1"),
            blocks=TWO_CALLS,
            row="3.11",
        ),
        "index_always_0": called(
            whole,
            call_delta(0, '{"file', name="Read", id="c1"),
            call_delta(0, '_path":"a"}'),
            blocks=TWO_CALLS,
            row="3.11",
        ),
        "id_repeated": called(
            BASH, call_delta(0, LS[:5], id="c0"), call_delta(0, LS[5:], id="c0"), blocks=ONE_CALL, row="3.10"
        ),
        "id_changing": called(
            BASH, call_delta(0, LS[:5], id="c7"), call_delta(0, LS[5:], id="c8"), blocks=ONE_CALL, row="3.10"
        ),
        "id_missing": called(call_delta(0, LS, name="Bash"), blocks=ONE_CALL),
        "id_shared_by_two_calls": called(whole, call_delta(1, LS, name="Bash", id="c0"), blocks=TWICE),
        "finish_stop_with_calls": called(*BASH_LS, finish="stop", blocks=ONE_CALL, row="3.17"),
        "finish_length_in_a_call": Case(
            stream(BASH, call_delta(0, '{"comm'), finish="length"),
            "length",
            (tool("Bash", '{"comm'),),
            "max_tokens",
            row="4.41",
        ),
        "finish_tool_calls_without_call": Case(stream(HI, finish="tool_calls"), "tool_calls", None, row="3.18"),
        "text_after_call": called(*BASH_LS, {"content": "\n"}, {"content": "done"}, blocks=None, row="3.27"),
        "white_space_between_calls": called(*BASH_LS, {"content": "\n"}, *READ_A, blocks=TWO_CALLS, row="3.01"),
    }


def _named_null(arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": None, "function": {"name": None, "arguments": arguments}}]}


def _usage_and_framing() -> dict[str, Case]:
    said = (chunk(ROLE), chunk(HI), chunk(WORLD))
    end = chunk({}, "stop")
    no_choices = {key: value for key, value in usage_chunk(*USAGE).items() if key != "choices"}
    each = [one | {"usage": usage_object(100, number)} for number, one in enumerate(said)]
    commented = PLAIN.replace(b"data: ", b": still here\n\nevent: ping\ndata: {}\n\n: x\ndata: ", 2)
    return {
        "usage_after_finish": Case(PLAIN, blocks=HELLO, row="3.22"),
        "usage_with_finish": Case(sse(*said, end | {"usage": usage_object(*USAGE)}, DONE), blocks=HELLO),
        "usage_in_every_chunk": Case(sse(*each, end, usage_chunk(*USAGE), DONE), blocks=HELLO),
        "usage_null_until_the_end": Case(
            sse(*(one | {"usage": None} for one in (*said, end)), usage_chunk(*USAGE), DONE), blocks=HELLO
        ),
        "usage_never": Case(sse(*said, end, DONE), blocks=HELLO, usage=None),
        "choices_missing": Case(sse(*said, end, no_choices, DONE), blocks=HELLO, row="3.21"),
        "crlf": Case(PLAIN.replace(b"\n", b"\r\n"), blocks=HELLO, row="3.31"),
        "data_without_space": Case(PLAIN.replace(b"data: ", b"data:"), blocks=HELLO, row="3.31"),
        "comments_and_pings": Case(commented, blocks=HELLO, row="3.31"),
        "several_data_lines": Case(PLAIN.replace(b',"choices"', b'\ndata: ,"choices"'), blocks=HELLO, row="3.31"),
        "finish_empty_until_the_end": Case(
            sse(
                *(one | {"choices": [one["choices"][0] | {"finish_reason": ""}]} for one in said),
                end,
                usage_chunk(*USAGE),
            ),
            blocks=HELLO,
        ),
        "half_a_character": Case(
            PLAIN.replace(b'"Hello"', b'"Hello\\ud83d"').replace(b" world", b" \xf0\x9fworld"),
            blocks=(text("Hello\ufffd \ufffdworld"),),
            row="3.30",
        ),
        "byte_order_mark": Case(b"\xef\xbb\xbf" + stream(HI, WORLD, role=False), blocks=HELLO, row="3.31"),
        "done_missing": Case(PLAIN.removesuffix(DONE), blocks=HELLO, row="3.20"),
        "done_without_blank_line": Case(PLAIN.removesuffix(b"\n"), blocks=HELLO, row="3.20"),
    }


def _failures() -> dict[str, Case]:
    said = sse(chunk(ROLE), chunk(HI))
    hello = text("Hello")
    error = sse({"error": {"message": "CUDA out of memory", "type": "InternalServerError", "code": 500}})
    call = sse(chunk(ROLE), *map(chunk, BASH_LS))
    return {
        "error_in_the_middle": failed(said + error, hello, row="3.33"),
        "error_and_done": failed(said + error + DONE, hello, row="3.36"),
        "error_and_then_a_finish": failed(
            said + error + sse(chunk({}, "stop"), usage_chunk(*USAGE), DONE), hello, row="3.33"
        ),
        "error_first": failed(error, row="3.33"),
        "error_by_its_event": failed(
            said + b'event: error\ndata: {"message":"CUDA out of memory"}\n\n' + DONE, hello, row="3.33"
        ),
        "error_as_text": failed(said + sse({"error": "CUDA out of memory"}), hello, row="3.33"),
        "no_finish": failed(said, hello, row="3.19"),
        "no_finish_but_done": failed(said + DONE, hello, row="3.19"),
        "no_finish_after_a_call": failed(call, *ONE_CALL, row="3.19"),
        "no_finish_in_a_call": failed(sse(chunk(ROLE), *map(chunk, BASH_LS[:2])), tool("Bash", '{"comm'), row="3.19"),
        "no_finish_after_reasoning": failed(sse(chunk(ROLE), chunk({"reasoning": "hm"})), thinking("hm"), row="3.19"),
        "ends_after_role": failed(sse(chunk(ROLE)), row="3.37"),
        "nothing_at_all": failed(b"", row="3.37"),
        "a_web_page": failed(b"<html>\n<body>502 Bad Gateway</body>\n</html>\n", row="3.37"),
        "broken_json": failed(said + b'data: {"choices":[{"delta":\n\n' + sse(chunk(WORLD)), row="3.37"),
    }


CASES: dict[str, Case] = {**_texts_and_thinking(), **_calls(), **_usage_and_framing(), **_failures()}
# Broken frames may be an error at once or only at the end; how much text came before is not laid down.
CASES["broken_json"] = Case(CASES["broken_json"].upstream, FAILED, None, None, usage=None, error=True)


def differences(case: Case, folded: Folded) -> list[str]:
    """What the client got that the case does not say; empty when all is right."""
    found = []
    if case.error != (folded.error is not None):
        found.append(f"error: expected {case.error}, got {folded.error}")
    if not case.error and (folded.stop_reason, folded.stop_sequence) != (case.stop_reason, case.stop_sequence):
        found.append(f"stop: {folded.stop_reason!r} {folded.stop_sequence!r}, not {case.stop_reason!r}")
    if case.blocks is not None and not _fits(case, [_bare(block) for block in folded.content]):
        found.append(f"blocks: expected {list(case.blocks)}, got {folded.content}")
    if case.usage is not None:
        prompt, completion, cached = case.usage
        wanted = {"input_tokens": prompt - cached, "cache_read_input_tokens": cached, "output_tokens": completion}
        got = {name: folded.usage.get(name, 0) for name in wanted}
        found += [f"usage: expected {wanted}, got {got}"] if got != wanted else []
    return found


def _bare(block: Block) -> Block:
    return {key: value for key, value in block.items() if key not in {"id", "signature"}}


def _fits(case: Case, blocks: list[Block]) -> bool:
    """Before an error held-back blocks may be missing: what is there must be a beginning of what was sent."""
    wanted = list(case.blocks or ())
    if case.error:
        return len(blocks) <= len(wanted) and all(map(_begins, wanted, blocks))
    if wanted and isinstance(wanted[-1].get("input"), str):
        cut = wanted.pop()
        begun = blocks[len(wanted) :]
        return blocks[: len(wanted)] == wanted and len(begun) <= 1 and all(_begins(cut, block) for block in begun)
    return blocks == wanted


def _begins(wanted: Block, block: Block) -> bool:
    for key, value in wanted.items():
        got = block.get(key)
        if isinstance(value, str) and isinstance(got, str):
            if not value.startswith(got):
                return False
        elif got not in (value, "", {}):
            return key == "input" and isinstance(got, str)
    return True
