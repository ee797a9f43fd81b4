"""Keys of a TOML document changed in its text."""

from __future__ import annotations

import tomllib

import pytest

from landline.clients.toml_text import with_settings

BEFORE = """\
# my own notes
model = "gpt-9"  # the best
notify = ["a",
  "b"]

# about tools
[tools]
web_search = false

[[skills]]
path = "x"

[analytics]   # theirs
enabled = true
"""


def changed(text: str) -> str:
    wanted = {"": {"model": "mine", "window": 5}, "analytics": {"enabled": False}, "a.landline": {"url": "u"}}
    written = {"model": '"mine"', "window": "5", "analytics.enabled": "false", "a.landline.url": '"u"'}
    return with_settings(text, wanted, written=written)


def test_comments_order_and_layout_stay() -> None:
    expected = BEFORE.replace('"gpt-9"', '"mine"').replace('  "b"]\n', '  "b"]\nwindow = 5\n')
    expected = expected.replace("enabled = true", "enabled = false") + '\n[a.landline]\nurl = "u"\n'
    assert changed(BEFORE) == expected
    assert changed(expected) == expected  # once more changes nothing


def test_an_empty_document_and_one_without_a_last_line_end() -> None:
    assert tomllib.loads(changed("")) == {
        "model": "mine",
        "window": 5,
        "analytics": {"enabled": False},
        "a": {"landline": {"url": "u"}},
    }
    assert changed('x = "y"').startswith('x = "y"\nmodel = "mine"\n')


def test_line_ends_of_windows_stay() -> None:
    edited = changed(BEFORE.replace("\n", "\r\n"))
    assert edited == changed(BEFORE).replace("\n", "\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "analytics = { enabled = true }\n",  # a table in a line
        "model = '''\nx\n'''\n",
        "[a]\nlandline = 3\n",
        "not toml",
    ],
)
def test_what_cannot_be_changed_is_refused_and_never_guessed(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        changed(text)


def test_a_header_within_a_text_is_no_table() -> None:
    text = 'x = """\n[analytics]\nenabled = true\n"""\n'
    with pytest.raises(ValueError, match="not foreseen"):
        changed(text)
