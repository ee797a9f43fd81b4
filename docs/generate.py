"""Writes the pages that are made from the code: `uv run python docs/generate.py`, or `--check` to see if one is stale.

To add one, write a function that returns the text of a page and put it into GENERATORS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from landline.config.display import literal
from landline.config.keys import FLAGS, Key, known_keys, table_descriptions
from landline.config.schema import settings_schema
from landline.config.trust import RESTRICTED, is_restricted

DOCS = Path(__file__).resolve().parent

SETTINGS_HEAD = """\
# Settings

<!-- Written by docs/generate.py from src/landline/config/; do not edit. -->

Settings come from these places; a later one wins, key by key (a list or a table of names is replaced whole):

1. the defaults below;
2. your own file: `landline.toml` in the platform's configuration folder (`landline config path` names it).
   `--config FILE` or `LANDLINE_CONFIG=FILE` reads another file in its place;
3. the project's file: the nearest `landline.toml` from the current folder up to the root of its git repository, or
   up to your home folder. Outside of both, only the current folder counts;
4. the environment: `LANDLINE_<TABLE>_<KEY>`. Lists are written `a,b`, tables `name=value,name=value`;
5. flags.

`landline config show` prints every value in force and where it came from, with secrets masked. An unknown key, a
wrong type and a broken file stop the program with the file, the line and what was expected. The JSON schema of the
file, for editors, is [landline.schema.json](landline.schema.json); `landline config schema` prints the same.

## What a project's file may not decide alone

{restricted}

These tables and keys are ignored in a project's file, with a notice, until you ran `landline trust` there. It shows
what they are set to and asks. The trust is for the file as it is: when the file changes, landline asks again.
`landline trust --revoke` takes it back, `landline trust --list` shows what is trusted. In the tables below these keys
say "after `landline trust`".
"""


def settings_page() -> str:
    """One section per table, one row per key."""
    restricted = "\n".join(f"- `{name}`" for name in RESTRICTED)
    parts = [SETTINGS_HEAD.format(restricted=restricted)]
    for table, description in table_descriptions().items():
        keys = [key for key in known_keys().values() if key.table == table]
        rows = "\n".join(_settings_row(key) for key in keys)
        parts.append(
            f"## `[{table}]`\n\n{description}\n\n"
            f"| Key | Default | What it is for | Must be | Variable | Flag | In a project's file |\n"
            f"|---|---|---|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(parts)


def _settings_row(key: Key) -> str:
    flag = f"`{FLAGS[key.dotted]}`" if key.dotted in FLAGS else ""
    project = "after `landline trust`" if is_restricted((key.table, key.name)) else "yes"
    cells = [
        f"`{key.name}`",
        f"`{literal(key.default)}`",
        key.description,
        key.expected,
        f"`{key.variable}`",
        flag,
        project,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def schema_file() -> str:
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


# Path below docs/ -> what writes it.
GENERATORS: Mapping[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/landline.schema.json": schema_file,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write the pages that are made from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name what is stale")
    parser.add_argument("--into", type=Path, default=DOCS, help="the folder to write to or check (default: docs)")
    options = parser.parse_args(arguments)
    stale = 0
    for name, generate in GENERATORS.items():
        page, text = options.into / name, generate()
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if options.check:
            sys.stderr.write(f"{name} is stale; run `uv run python docs/generate.py`\n")
            continue
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
