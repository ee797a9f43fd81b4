"""The user's own file of families: read with the care of a settings file, and a clear error when it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from landline.config.settings import Models, Settings
from landline.errors import SettingsError
from landline.server.app import build_app
from landline.server.line import known_backends
from landline.upstream.families import known_families

HOUSE = '[[family]]\nname = "house"\nmatch = ["house-*"]\nlike = "qwen3.8"\nreasoning_parser = ""\n'


def test_rows_of_ones_own_come_first_and_may_be_like_ours(tmp_path: Path) -> None:
    file = tmp_path / "families.toml"
    file.write_text(HOUSE, encoding="utf-8")
    [backend] = known_backends(Settings(models=Models(families=str(file))))
    match = backend.match("acme/house-coder")
    assert match is not None
    assert (match.overlay, match.family.tool_parser, match.family.reasoning_parser) == (True, "qwen3_coder", "")
    assert match.family.keep_thinking == {"preserve_thinking": True}
    assert known_families().match("acme/house-coder") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "There is no settings file"),
        (b"\xff", "is not UTF-8"),
        (b"[family", "is not valid TOML"),
        (b"x" * 2_000_000, "larger than 1 MiB"),
        (HOUSE.replace("like", "quirks").encode(), "row 1 (house), field quirks: Expected `array`, got `str`."),
        (HOUSE.replace("qwen3.8", "\x1b").encode("unicode_escape").replace(b"\\n", b"\n"), ""),
    ],
)
def test_a_broken_file_ends_the_start_with_its_name_row_and_field(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    file = tmp_path / "families.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        build_app(Settings(models=Models(families=str(file))))
    assert str(file) in caught.value.message
    assert "models.families" in caught.value.message
    assert told in caught.value.message
    assert caught.value.message.isprintable()
