"""`landline config` and `landline trust` as a user sees them: output, errors in two lines, secrets masked, speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema
import msgspec
import pytest
from click.testing import CliRunner, Result

from landline.cli.main import cli
from landline.cli.output import emit, fail, notice, reports_errors, table
from landline.config.display import literal, masked, printable, shown_entry
from landline.config.settings import Settings
from landline.errors import ErrorKind, LandlineError, SettingsError

CANARY = "sk-canary-0123456789-tail"
SHORT = "s3cr3t-key"


class Shell:
    """Runs `landline` in a project below a home of its own."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.file = project / "landline.toml"
        self.outputs: list[str] = []

    def run(self, *arguments: str, answer: str = "", **variables: str) -> Result:
        result = CliRunner().invoke(cli, arguments, input=answer, env=variables)
        self.outputs += [result.stdout, result.stderr]
        return result

    def rows(self, *arguments: str, **variables: str) -> dict[str, dict[str, Any]]:
        result = self.run("config", "show", "--json", *arguments, **variables)
        assert result.exit_code == 0, result.stderr
        return {row["key"]: row for row in json.loads(result.stdout)["settings"]}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    home = tmp_path.resolve() / "home"
    project = home / "project"
    project.mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith("LANDLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.chdir(project)
    return Shell(project)


# --- config show


def test_show_says_where_each_value_came_from(shell: Shell) -> None:
    shell.file.write_text("[gateway]\nworkers = 2\n")
    result = shell.run("config", "show", LANDLINE_GATEWAY_PORT="5000")
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert lines["key"].split() == ["key", "value", "from"]
    assert lines["gateway.port"].split() == ["gateway.port", "5000", "environment", "LANDLINE_GATEWAY_PORT"]
    assert lines["gateway.workers"].split(maxsplit=2) == ["gateway.workers", "2", f"project file {shell.file}:2"]
    assert lines["log.format"].split() == ["log.format", '"auto"', "default"]
    assert lines["gateway.drain_s"].split()[1] == "60"
    assert result.stderr == ""


def test_show_json(shell: Shell) -> None:
    other = shell.project / "other.toml"
    other.write_text('[models]\naliases = { a = "b" }\n')
    rows = shell.rows("--config", "other.toml")
    assert rows["models.aliases"] == {
        "key": "models.aliases",
        "value": {"a": "b"},
        "source": "config file",
        "detail": f"{other}:2",
    }
    assert rows["gateway.hosts"]["value"] == []


def test_show_tells_what_was_ignored(shell: Shell) -> None:
    shell.file.write_text(f'[backend]\nkey = "{CANARY}"\n')
    result = shell.run("config", "show")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"landline: {shell.file} is not trusted: ignored backend.key. Run `landline trust`")
    assert len(result.stderr.splitlines()) == 1


def test_secrets_are_masked_everywhere(shell: Shell) -> None:
    text = (
        f'[backend]\nkey = "{CANARY}"\nurl = "http://me:{CANARY}@model/v1"\n[gateway]\nkeys = ["{CANARY}", "{SHORT}"]\n'
    )
    shell.file.write_text(text)
    shell.run("config", "show")
    shell.run("trust", answer="y\n")
    rows = shell.rows()
    assert rows["backend.key"]["value"] == "set (…tail)"
    assert rows["gateway.keys"]["value"] == ["set (…tail)", "set"]
    assert rows["backend.url"]["value"] == "http://…@model/v1"
    shell.run("config", "show")
    assert "set (…tail), set" in shell.outputs[-2]
    for arguments in (("config", "path"), ("trust",), ("trust", "--list"), ("trust", "--revoke")):
        shell.run(*arguments)
    shell.run("config", "show", LANDLINE_BACKEND_KEY=CANARY, LANDLINE_GATEWAY_KEYS=CANARY, LANDLINE_GATEWAY_PORT=CANARY)
    assert len(shell.outputs) == 18
    for output in shell.outputs:
        assert CANARY not in output
        assert SHORT not in output


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("", "not set"), ("x", "set"), ("a" * 11, "set"), ("a" * 8 + "tail", "set (…tail)")],
)
def test_masking(secret: str, shown: str) -> None:
    assert masked(secret) == shown


def test_errors_are_two_lines_and_exit_code_2(shell: Shell) -> None:
    shell.file.write_text("[gateway]\nprot = 1\n")
    result = shell.run("config", "show")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"landline: {shell.file}:2: unknown key gateway.prot.\n  Did you mean gateway.port?\n"


def test_a_missing_config_file_is_named(shell: Shell) -> None:
    result = shell.run("config", "show", "--config", "gone.toml")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == f"landline: There is no settings file {shell.project / 'gone.toml'}."


# --- config schema


def test_the_schema_accepts_the_defaults_and_refuses_what_the_loader_refuses(shell: Shell) -> None:
    schema = json.loads(shell.run("config", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(json.loads(msgspec.json.encode(Settings())))
    assert validator.is_valid({})
    for wrong in ({"gateway": {"prot": 1}}, {"gateway": {"port": "1"}}, {"log": {"format": "xml"}}, {"a": 1}):
        assert not validator.is_valid(wrong)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "landline.toml"
    properties = schema["$defs"]["Gateway"]["properties"]
    assert properties["port"]["default"] == 4000
    assert properties["port"]["description"]
    assert properties["keys"]["writeOnly"] is True


# --- config path


def test_path_names_the_files(shell: Shell) -> None:
    facts = json.loads(shell.run("config", "path", "--json").stdout)
    assert [fact["file"] for fact in facts] == ["user file", "project file"]
    assert facts[0]["state"] == "missing"
    assert Path(facts[0]["path"]).name == "landline.toml"
    assert facts[1]["state"].startswith("none here or above")
    user = Path(facts[0]["path"])
    user.parent.mkdir(parents=True)
    user.write_text("")
    shell.file.write_text("[backend]\n")
    assert [fact["state"] for fact in json.loads(shell.run("config", "path", "--json").stdout)] == ["read", "read"]
    shell.file.write_text("backend.window = 1\n")
    assert "read, not trusted" in shell.run("config", "path").stdout
    shell.file.write_text("[")
    broken = shell.run("config", "path", "--config", "x.toml")
    assert (broken.exit_code, "is not valid TOML" in broken.stdout, "config file" in broken.stdout) == (0, True, True)


# --- trust


def test_trust_shows_asks_and_records(shell: Shell) -> None:
    shell.file.write_text(
        '[backend]\nurl = "http://model"\n[gateway]\nport = 1\nkeys = ["k"]\n[commands.x]\nargv = ["a"]\n'
    )
    refused = shell.run("trust", answer="n\n")
    assert refused.exit_code == 1
    assert 'backend.url = "http://model"' in refused.stdout
    assert "gateway.keys = set\n" in refused.stdout
    assert 'commands.x = { argv = ["a"] }' in refused.stdout
    assert "gateway.port" not in refused.stdout
    assert "Not trusted" in refused.stdout
    assert "No project's file is trusted." in shell.run("trust", "--list").stdout
    shell.file.write_text('[backend]\nurl = "http://model"\n')
    accepted = shell.run("trust", answer="y\n")
    assert (accepted.exit_code, f"Trusted {shell.file} as it is now." in accepted.stdout) == (0, True)
    assert shell.rows()["backend.url"]["source"] == "project file"
    assert "is trusted already" in shell.run("trust").stdout


def test_trust_list_and_revoke(shell: Shell) -> None:
    shell.file.write_text("backend.window = 1\n")
    assert shell.run("trust", "--yes").exit_code == 0
    assert shell.run("trust", "--list").stdout.splitlines()[1].split() == [str(shell.file), "trusted"]
    shell.file.write_text("backend.window = 2\n")
    assert "changed since it was trusted" in shell.run("trust", "--list").stdout
    shell.file.unlink()
    assert shell.run("trust", "--list").stdout.splitlines()[1].split() == [str(shell.file), "missing"]
    assert "is no longer trusted" in shell.run("trust", "--revoke").stdout
    assert "was not trusted" in shell.run("trust", "--revoke").stdout


def test_trust_without_an_answer_says_how(shell: Shell) -> None:
    shell.file.write_text("backend.window = 1\n")
    result = shell.run("trust")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-2:] == [
        "landline: Not trusted: there was no answer.",
        "  Use --yes where nobody can answer.",
    ]


def test_trust_where_there_is_nothing_to_trust(shell: Shell) -> None:
    missing = shell.run("trust")
    assert (missing.exit_code, "There is no landline.toml here or above" in missing.stderr) == (2, True)
    shell.file.write_text("gateway.port = 1\n")
    assert "sets nothing that needs trust" in shell.run("trust", "--yes").stdout
    assert shell.run("trust", "--list", "--revoke").exit_code == 2


def test_what_trust_shows_cannot_hide_anything(shell: Shell) -> None:
    shell.file.write_text('[backend]\nurl = "http://evil\\u001b[2K\\r\\u202ehttp://good"\n')
    result = shell.run("trust", answer="n\n")
    assert 'backend.url = "http://evil\\u001b[2K\\u000d\\u202ehttp://good"' in result.stdout
    assert "\x1b" not in result.stdout


def test_entries_of_any_shape_are_shown_masked() -> None:
    assert shown_entry(("backend", "key"), {"a": CANARY}) == "set"
    assert shown_entry(("gateway", "keys"), [CANARY, 1]) == "set (…tail), set"
    assert shown_entry(("gateway", "keys"), []) == "not set"
    assert shown_entry(("backend",), {"key": CANARY}) == "key = set (…tail)"
    assert shown_entry(("egress",), ["http://u:p@h"]) == '["http://…@h"]'
    assert shown_entry(("egress", "x"), {"a": "http://u@h", "n": True}) == '{ a = "http://…@h", n = true }'


def test_literals() -> None:
    assert literal({"a b": 1.5, "c": (1, "x\n")}) == '{ "a b" = 1.5, c = [1, "x\\u000a"] }'
    assert literal({}) == "{}"
    assert printable("a\x07\U000e0001") == "a\\u0007\\U000e0001"


# --- output


def test_tables_align_and_cut_nothing() -> None:
    assert table([{"a": "xxxx", "b": 1}, {"a": "y", "b": None}]) == "a     b\nxxxx  1\ny     None"
    assert table([]) == ""


def test_emit_and_notice(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"ä": 1}, as_json=True, rows=[{"a": 1}])
    emit("plain", as_json=False)
    emit(None, as_json=False, rows=[{"a": 1}])
    notice("two\nlines")
    captured = capsys.readouterr()
    assert captured.out == '{\n  "ä": 1\n}\nplain\na\n1\n'
    assert captured.err == "landline: two lines\n"


def test_reports_errors_on_any_command() -> None:
    @click.command()
    @click.option("--kind")
    @reports_errors
    def verb(kind: str | None) -> None:
        raise LandlineError(ErrorKind(kind), "down\nnow", hint="Start it.") if kind else SettingsError("no")

    result = CliRunner().invoke(verb, ["--kind", "backend_unavailable"])
    assert (result.exit_code, result.stderr) == (2, "landline: down now\n  Start it.\n")
    assert CliRunner().invoke(verb, []).stderr == "landline: no\n"
    with pytest.raises(SystemExit) as ended:
        fail(SettingsError("x"))
    assert ended.value.code == 2


# --- speed


@pytest.mark.parametrize("arguments", [["--help"], ["config", "--help"], ["trust", "--help"], ["config", "show", "-h"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys\nfrom landline.cli.main import cli\ncli({arguments!r}, standalone_mode=False)\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {
        "msgspec",
        "platformdirs",
        "asyncio",
        "aiohttp",
        "starlette",
        "uvicorn",
        "landline.config.keys",
    }
    assert "Examples:" in done.stdout
