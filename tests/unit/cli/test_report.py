"""`landline report`: what a bug report needs is in it; words, keys, logins and the user's name are not."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from landline.cli.main import cli
from tests.fakes.gateway_client import gateway_to, request_body
from tests.fakes.model_server import ModelServer

PROMPT, KEY, TOKEN, FOREIGN = "the secret plan of the moon", "gateway-key-1234", "sk-token-5678", "backend-pass-9"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose files and variables hold keys, with a settings file that cannot be read."""
    home = tmp_path / "astrid"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1/v1",')
    monkeypatch.chdir(home)
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "LANDLINE_GATEWAY_KEYS": KEY,
        "LANDLINE_BACKEND_URL": f"http://astrid:{FOREIGN}@127.0.0.1:1",
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:1/{TOKEN}",
    }.items():
        monkeypatch.setenv(name, value)
    return home


def report(*args: str) -> Result:
    return CliRunner().invoke(cli, ["report", *args])


def no_secret_in(text: str, home: Path) -> None:
    for secret in (PROMPT, KEY, TOKEN, FOREIGN, str(home)):
        assert secret not in text


async def test_the_last_requests_are_in_it_and_no_word_of_them(home: Path) -> None:
    async with ModelServer() as server, gateway_to(server.url, keys=(KEY,)) as client:
        await client.messages(request_body(PROMPT), headers={"authorization": f"Bearer {KEY}"})
        await client.settled()
        told = await asyncio.to_thread(report, "--gateway", client.url, "--backend", server.url)
    assert told.exit_code == 0
    no_secret_in(told.stdout, home)
    document = json.loads(told.stdout)
    assert document["problems"] == []
    (request,) = document["gateway"]["finished"]
    assert (request["status"], request["outcome"], request["model_served"]) == (200, "completed", "served")
    assert document["settings"]["gateway.keys"] == {"value": "[key]", "from": "environment"}
    assert document["versions"]["landline"]
    assert {one["id"] for one in document["doctor"]["checks"]} >= {"base_url", "gateway", "backend"}
    broken = next(one for one in document["doctor"]["checks"] if one["id"] == "settings_file")
    assert (broken["severity"], broken["source"]["file"]) == ("error", "~/.claude/settings.json")


def test_without_a_gateway_it_says_what_is_missing(home: Path) -> None:
    told = report("--gateway", "http://127.0.0.1:1")
    assert told.exit_code == 0
    document: dict[str, Any] = json.loads(told.stdout)
    no_secret_in(told.stdout, home)
    assert document["gateway"] is None
    assert "http://127.0.0.1:1" in document["problems"][0]


def test_the_file_is_the_users_own_and_never_written_over(home: Path) -> None:
    told = report("--gateway", "http://127.0.0.1:1", "-o", "report.json")
    assert told.exit_code == 0
    assert told.stdout == ""
    assert stat.S_IMODE((home / "report.json").stat().st_mode) == 0o600
    assert json.loads((home / "report.json").read_text())["doctor"]["checks"]
    again = report("-o", "report.json")
    assert again.exit_code == 2
    assert "report.json cannot be written: File exists." in again.stderr
    nowhere = report("-o", "no/such/folder/report.json")
    assert nowhere.exit_code == 2
    assert "No such file" in nowhere.stderr


def test_a_report_that_cannot_be_made_leaves_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDLINE_GATEWAY_PORT", "a port")
    told = report("-o", "report.json")
    assert told.exit_code == 2
    assert "LANDLINE_GATEWAY_PORT" in told.stderr
    assert not (home / "report.json").exists()
