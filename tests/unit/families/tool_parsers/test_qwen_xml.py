from __future__ import annotations

import pytest

from landline.families.tool_parsers.qwen_xml import MIMO, QWEN_XML, SEED_OSS
from landline.families.tool_parsers.syntax import Argued, Called, Ended, Said
from landline.families.tool_parsers.text import Openers, TextReader
from tests.fakes.tag_calls import ARGUMENTS, calls, read, said, toolbox, written

EXAMPLE = """I will write it.
<tool_call>
<function=write>
<parameter=path>
a.txt
</parameter>
<parameter=text>
say "hi"
bye
</parameter>
<parameter=n>
3
</parameter>
</function>
</tool_call>"""


def of(text: str, syntax: object = QWEN_XML) -> list[tuple[str, object]]:
    """The calls of the text, which must be the same byte by byte."""
    pieces = read(syntax, [text])
    assert read(syntax, list(text)) == pieces
    return calls(pieces)


def call(inner: str) -> str:
    return f"<tool_call>\n<function=write>\n{inner}\n</function>\n</tool_call>"


def test_the_example_of_the_grammar_text_kept_around_it() -> None:
    pieces = read(QWEN_XML, [EXAMPLE + "\n\nDone."])

    assert calls(pieces) == [("write", ARGUMENTS)]
    assert pieces[0] == Said("I will write it.\n")
    assert pieces[-1] == Said("\n\nDone.")


def test_seed_oss_and_mimo() -> None:
    assert of(EXAMPLE.replace("tool_call>", "seed:tool_call>"), SEED_OSS) == [("write", ARGUMENTS)]
    assert of(MIMO.write(written(("write", ARGUMENTS))), MIMO) == [("write", ARGUMENTS)]
    assert of(call("<parameter=path>\na\n</parameter>"), MIMO) == [("write", {"path": "\na\n"})]


def test_it_is_written_as_the_template_does() -> None:
    assert QWEN_XML.write(written(("write", ARGUMENTS))) == EXAMPLE.partition("\n")[2]


def test_a_string_leaves_as_it_grows_and_a_number_when_it_is_complete() -> None:
    reader = TextReader(Openers([QWEN_XML]), toolbox(), alone=True)

    assert reader.feed("<tool_call>\n<function=write>\n") == []
    assert reader.feed("<parameter=text>\nab") == [Called("write"), Argued('{"text":"ab')]
    assert reader.feed("c\n") == [Argued("c")]
    assert reader.feed("d</para") == [Argued("\\nd")]
    assert reader.feed("graph>") == [Argued("</paragraph>")]
    assert reader.feed("</parameter>\n<parameter=n>1") == [Argued('","n":')]
    assert reader.feed("2</parameter>\n</function>") == []
    assert reader.feed("\n</tool_call>") == []
    assert reader.feed("!") == [Argued("12}"), Ended(True), Said("!")]


@pytest.mark.parametrize(
    ("value", "meant"),
    [("\nx\n", "x"), ("\n\nx\n\n", "\nx\n"), (" x ", " x "), ("\n", ""), ("\n\n", ""), ("", ""), ("a\r\n", "a\r")],
)
def test_one_newline_at_each_end_is_layout(value: str, meant: str) -> None:
    assert of(call(f"<parameter=path>{value}</parameter>")) == [("write", {"path": meant})]


def test_several_calls_and_missing_closing_tags() -> None:
    one, two = call("<parameter=path>\na\n</parameter>"), call("<parameter=path>\nb\n</parameter>")
    both = [("write", {"path": "a"}), ("write", {"path": "b"})]

    assert of(f"{one}\n{two}") == both
    assert of(one.removesuffix("\n</tool_call>") + "\n" + two.removeprefix("<tool_call>\n")) == both
    assert of(one.removesuffix("\n</tool_call>") + "\n" + two) == both
    assert of(one.replace("</function>\n", "")) == both[:1]
    assert of(one.replace("</parameter>\n", "")) == both[:1]
    assert of(one + one) == both[:1] * 2


def test_a_value_without_closing_tag_ends_at_the_next_parameter() -> None:
    assert of(call("<parameter=path>\na\n<parameter=text>\nb\n</parameter>")) == [("write", {"path": "a", "text": "b"})]


def test_row_4_01_calls_in_a_row_and_text_on_either_side() -> None:
    text = f"First.\n\n{call('<parameter=path>a</parameter>')}\n{call('')}\nLast."
    pieces = read(QWEN_XML, [text])

    assert calls(pieces) == [("write", {"path": "a"}), ("write", {})]
    assert said(pieces) == "First.\n\n\nLast."


def test_row_4_02_no_opener_of_the_block() -> None:
    bare = "<function=write>\n<parameter=path>\na\n</parameter>\n</function>"

    assert of(bare) == of(f"{bare}\n</tool_call>") == [("write", {"path": "a"})]
    assert said(read(QWEN_XML, [f"{bare}\n</tool_call>\nEnd"])) == "\nEnd"


@pytest.mark.parametrize(
    "tag",
    [
        *("<parameter=\npath>", "<parameter=path\n>", "<parameter==path>", "<parameter=path=>", '<parameter="path">'),
        *("< parameter = path >", '<parameter name="path">', "<parameter=path\n"),
    ],
)
def test_row_4_04_a_parameter_whose_tag_is_written_wrongly(tag: str) -> None:
    inner = f"{tag}\na b\n</parameter>\n<parameter=n>\n7\n</parameter>"
    after = f"<parameter=n>\n7\n</parameter>\n{tag}\na b\n</parameter>"

    assert of(call(inner)) == of(call(after)) == [("write", {"path": "a b", "n": 7})]


@pytest.mark.parametrize("tag", ["<parameter=\necho hi\n</parameter>", "<parameter=>\nx</parameter>"])
def test_row_4_04_a_parameter_without_a_name_makes_the_call_one_that_must_not_run(tag: str) -> None:
    found = of(call(f"<parameter=path>\na\n</parameter>\n{tag}\n<parameter=n>\n1\n</parameter>"))

    assert found == [("write", '{"path":"a","n":1')]


@pytest.mark.parametrize(
    "end", range(len(call("<parameter=path>\nabc\n</parameter>")) - len("</function>\n</tool_call>"))
)
def test_row_4_41_a_call_that_is_cut_is_never_whole(end: int) -> None:
    pieces = read(QWEN_XML, [call("<parameter=path>\nabc\n</parameter>")[:end]])

    assert Ended(True) not in pieces
    assert (Called("write") in pieces) == (Ended(False) in pieces)


@pytest.mark.parametrize(
    "text",
    [
        "Use <tool_call> to call.",
        "<tool_call>\n</tool_call>",
        "<tool_call>\n<function=nothing_like_it>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>",
        "The tag <function=write> begins a call.",
        "```\n" + call("<parameter=path>a</parameter>") + "\n```",
        "`<function=write></function>` is a call",
        "<tool_call>\n<function=",
    ],
)
def test_what_only_looks_like_a_call_stays_text(text: str) -> None:
    pieces = read(QWEN_XML, list(text))

    assert pieces == [Said(text)]


@pytest.mark.parametrize(
    "value",
    [
        "a </parameter> b",
        "</parameter>",
        "</function>\n</tool_call> are tags",
        "<tool_call>\n{}\n</tool_call>\n<tool_call>",
        call("<parameter=q>\n1\n</parameter>\n<parameter=z>\n1\n</parameter>"),
        "Example:\n" + call("<parameter=path>\n1\n</parameter>") + "\nThat was it.",
        call("<parameter=path>\n1\n</parameter>"),
        "the unclosed <parameter=x> and <tool_call>, and <function=f>",
    ],
)
def test_row_4_44_tags_inside_a_value(value: str) -> None:
    arguments = {"path": "a.md", "text": value, "n": 1}

    assert of(QWEN_XML.write(written(("write", arguments))) + "\nDone.") == [("write", arguments)]


def test_row_4_43_a_repeated_parameter_the_last_one_wins() -> None:
    assert of(call("<parameter=path>a</parameter>\n<parameter=path>b</parameter>")) == [("write", {"path": "b"})]


def test_near_names_are_found_and_the_tools_own_name_is_used() -> None:
    assert of(call("<parameter=path>a</parameter>").replace("=write", "=Write")) == [("write", {"path": "a"})]
