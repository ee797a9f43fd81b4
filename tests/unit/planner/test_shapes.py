"""The command that reads shapes of the table anew, and that shapes from memory make no exact number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landline.planner.catalogue import read_catalogue
from landline.planner.shape import Known, Shape
from tests.golden.shapes import OLD, TABLE, inferred_from, main, not_read, with_shape
from tests.unit.planner.models import CATALOGUE, shape
from tests.unit.planner.test_model_config import DEEPSEEK, QWEN

HARDWARE = TABLE.with_name("hardware.toml").read_bytes()


def test_what_is_from_memory_or_from_a_relative_is_marked() -> None:
    for model in CATALOGUE.models:
        if model.shape is None:
            continue
        if "from memory" in model.shape.source:
            assert model.shape.status is Known.UNCHECKED, model.id
        if model.shape.source.startswith("as "):
            assert not model.shape.status.is_exact, model.id


def test_every_shape_that_was_not_read_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines == not_read(CATALOGUE.models)
    assert [line for line in lines if line.startswith("unchecked") and " openai/gpt-oss-20b: " in line]
    assert "Qwen/Qwen3.5-27B" in inferred_from(CATALOGUE.models, "Qwen/Qwen3.6-27B")


def sizes(known: Shape) -> list[dict[str, Any]]:
    """Layers in one order; a value's width is that of a key where nothing is told."""
    told: list[dict[str, Any]] = [msgspec.to_builtins(layers) for layers in known.layers]
    widths = [{**layers, "value_dim": layers.get("value_dim") or layers.get("head_dim")} for layers in told]
    return sorted(widths, key=lambda layers: str(layers["kind"]))


@pytest.mark.parametrize(
    ("name", "config"),
    [("Qwen/Qwen3.6-27B", QWEN), ("deepseek-ai/DeepSeek-V3.1", DEEPSEEK), ("Qwen/Qwen3.8-27B", QWEN)],
)
def test_a_config_replaces_the_shape_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, config: dict[str, Any]
) -> None:
    """Also of a model that had none."""
    table, file = tmp_path / "models.toml", tmp_path / "config.json"
    table.write_bytes(TABLE.read_bytes())
    file.write_text(json.dumps(config))
    main([f"{name}={file}"], table)
    assert 'shape_source = "its config.json (sha256 ' in capsys.readouterr().out
    after = read_catalogue(HARDWARE, table.read_bytes())
    assert [model for model in after.models if model.id != name] == [
        model for model in CATALOGUE.models if model.id != name
    ]
    found = after.model(name)
    assert found is not None
    assert found.shape is not None
    assert found.shape.status is Known.STATED
    if name != "Qwen/Qwen3.8-27B":
        assert sizes(found.shape) == sizes(shape(name))  # the table had it right
    assert OLD.sub("", table.read_text()) == OLD.sub("", TABLE.read_text())  # comments, checkpoints, order
    main([f"{name}={file}"], table)
    assert "nothing changed" in capsys.readouterr().out


def test_what_cannot_be_written_is_told_and_changes_nothing(tmp_path: Path) -> None:
    table, file = tmp_path / "models.toml", tmp_path / "config.json"
    table.write_bytes(TABLE.read_bytes())
    file.write_text("{}")
    for arguments, words in (
        ([f"no/such={file}"], "has no row"),
        ([f"Qwen/Qwen3.6-27B={file}"], "cannot be planned with"),
        (["Qwen/Qwen3.6-27B"], "write ORG/NAME="),
        ([f"Qwen/Qwen3.6-27B={tmp_path / 'gone'}"], "cannot be read"),
    ):
        with pytest.raises(SystemExit, match=words):
            main(arguments, table)
    assert table.read_bytes() == TABLE.read_bytes()
    with pytest.raises(SystemExit):
        with_shape("", "a/b", b"{}")
