"""Shapes of the planner's table, read anew from models' own config.json: `uv run python -m tests.golden.shapes`.

    uv run python -m tests.golden.shapes                                    lists the shapes that no config was read for
    uv run python -m tests.golden.shapes openai/gpt-oss-20b=gpt/config.json ...     writes them, prints the difference

A shape that is written so is `stated`, and its source names the file by its digest. Rows that were inferred from it are
named: they may have to change too. Then come the plans: `uv run python -m tests.golden.plans`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from importlib import resources
from pathlib import Path

import msgspec

from landline.errors import LandlineError
from landline.planner.catalogue import Model, read_catalogue
from landline.planner.model_config import model_of_config
from landline.planner.shape import Layers, Shape
from landline.upstream.model_sources import shipped_catalogue
from tests.golden.update import difference

TABLE = Path(str(resources.files("landline.planner").joinpath("models.toml")))
HEAD = "[[model]]\n"
READ = "its config.json (sha256 "
OLD = re.compile(
    r"^attention_heads = .*\n|^layers = \[\n(?:  .*\n)*\]\n|^status = .*\n|^shape_source = .*\n", re.MULTILINE
)
CHECKPOINTS_END = re.compile(r"^checkpoints = \[\n(?:  .*\n)*\]\n", re.MULTILINE)


def with_shape(table: str, name: str, config: bytes) -> str:
    """The table with that model's shape as its config says. Raises LandlineError, SystemExit for an unknown name."""
    start, *rows = table.split(HEAD)
    found = [number for number, row in enumerate(rows) if f'\nid = "{name}"\n' in "\n" + row]
    if not found:
        raise SystemExit(f"{name} has no row in {TABLE.name}: write one with its checkpoints first.")
    shape = model_of_config(config, name=name).shape
    assert shape is not None
    bare = OLD.sub("", rows[found[0]])
    digest = hashlib.sha256(config).hexdigest()[:12]
    at = CHECKPOINTS_END.search(bare)
    assert at is not None
    rows[found[0]] = bare[: at.end()] + written(shape, f"{READ}{digest})") + bare[at.end() :]
    after = HEAD.join([start, *rows])
    read = read_catalogue(resources.files("landline.planner").joinpath("hardware.toml").read_bytes(), after.encode())
    again = read.model(name)
    assert again is not None
    assert again.shape is not None
    assert (again.shape.attention_heads, again.shape.layers) == (shape.attention_heads, shape.layers)
    return after


def written(shape: Shape, source: str) -> str:
    rows = "".join(f"  {_inline(layers)},\n" for layers in shape.layers)
    head = f"attention_heads = {shape.attention_heads}\nlayers = [\n{rows}]\n"
    return head + f'status = "stated"\nshape_source = "{source}"\n'


def _inline(layers: Layers) -> str:
    """Without what is as it would be anyway; a kernel is always told."""
    plain = {field.name: field.default for field in msgspec.structs.fields(layers) if field.name != "kernel"}
    told = [
        (name, value)
        for name, value in msgspec.to_builtins(layers).items()
        if name not in plain or value != plain[name]
    ]
    pairs = ", ".join(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in told)
    return f"{{ {pairs} }}"


def not_read(models: tuple[Model, ...]) -> list[str]:
    """Rows whose shape, if they have one, comes from elsewhere than the model's config."""
    told: list[str] = []
    for model in models:
        if model.shape is None:
            told.append(f"{'none':10} {model.id}")
        elif not model.shape.source.startswith(READ):
            told.append(f"{model.shape.status.value:10} {model.id}: {model.shape.source}")
    return sorted(told)


def inferred_from(models: tuple[Model, ...], name: str) -> list[str]:
    short = name.rpartition("/")[2]
    return [
        model.id
        for model in models
        if model.shape and re.search(rf"\bas {re.escape(short)}\b(?!-)", model.shape.source)
    ]


def main(arguments: list[str], table: Path = TABLE) -> None:
    if not arguments:
        print("\n".join(not_read(shipped_catalogue().models)))
        return
    before = after = table.read_text(encoding="utf-8")
    for argument in arguments:
        name, equals, file = argument.partition("=")
        if not equals:
            raise SystemExit(f"{argument}: write ORG/NAME=path/to/config.json")
        try:
            after = with_shape(after, name, Path(file).read_bytes())
        except LandlineError as error:
            raise SystemExit(f"{name}: {error.text}") from None
        except OSError as error:
            raise SystemExit(f"{file} cannot be read: {error.strerror}.") from None
        if others := inferred_from(shipped_catalogue().models, name):
            print(f"{name}: look at {', '.join(others)} too, which were inferred from it")
    print(difference(table.name, before.encode(), after.encode()) or "nothing changed")
    table.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
