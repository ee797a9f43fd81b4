"""`landline settings write|restore` and `landline clients` with the real Codex, OpenCode and Qwen Code."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from landline.config.settings import Backend, Gateway, Settings
from landline.server.run import running_gateway
from tests.clients.test_launch_others import CASES, Launcher
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer
from tests.fixtures_real import client_program

OUTPUT = {"opencode": 8_192, "qwen": 8_000}  # of Qwen Code's own: no settings file sets it without the sampling
pytestmark = [pytest.mark.clients, pytest.mark.every_client, pytest.mark.timeout(200)]


@pytest.fixture(params=CASES)
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Launcher:
    return Launcher(CASES[request.param], tmp_path)


async def landline(launcher: Launcher, *args: str) -> tuple[int, str, str]:
    return await launcher.ran(sys.executable, "-m", "landline", *args)


def files_of(home: Path) -> dict[str, bytes]:
    """The settings files of the three, as they stand."""
    names = (".codex/config.toml", ".codex/landline-models.json", ".config/opencode/opencode.json")
    return {name: (home / name).read_bytes() for name in (*names, ".qwen/settings.json") if (home / name).exists()}


async def test_written_for_good_the_bare_client_uses_the_gateway_and_restore_undoes_it(launcher: Launcher):
    case = launcher.case
    before = files_of(launcher.home)
    server = ModelServer(lambda body: Answer(text="served by us"), models=["served"], window=32_768)
    async with (
        server,
        running_gateway(Settings(gateway=Gateway(drain_s=2), backend=Backend(url=server.url))) as gateway,
    ):
        code, _, err = await landline(launcher, "settings", "write", case.known.name, "--gateway", gateway.url)
        assert (code, files_of(launcher.home)) == (1, before)  # nobody could be asked
        assert "--yes" in err
        code, _, err = await landline(launcher, "settings", "write", case.known.name, "--gateway", gateway.url, "--yes")
        assert code == 0, err
        assert f"landline settings restore {case.known.name}" in err
        written = files_of(launcher.home)
        assert written
        _, out, said = await launcher.ran(str(launcher.home / "bin" / case.known.command), *case.args)
        assert "served by us" in out, out + said
        assert "metadata" not in out + said
        asked = [request.json for request in server.chats if request.json.get("tools")]
        assert {body.get("max_tokens") for body in asked} == {case.max_tokens and OUTPUT[case.known.name]}
    assert files_of(launcher.home) == written  # the client itself finds nothing to correct
    code, _, err = await landline(launcher, "settings", "restore", case.known.name, "--yes")
    assert (code, files_of(launcher.home)) == (0, before), err


@pytest.mark.parametrize("case", [CASES["codex"]], ids=["all"])
async def test_the_list_of_clients_says_where_each_points(case: Any, tmp_path: Path):
    launcher = Launcher(case, tmp_path)
    code, out, _ = await landline(launcher, "clients", "--json")
    listed = {one["client"]: one for one in json.loads(out)}
    assert code == 0
    assert list(listed) == ["claude", "codex", "opencode", "qwen"]
    codex = listed["codex"]
    assert (codex["version"], codex["works"], codex["state"]) == (case.known.newest, True, "its own")
    assert codex["path"] == str(tmp_path / "bin" / "codex")
    assert "landline launch codex" in codex["next"]
    assert (listed["qwen"]["version"], listed["qwen"]["works"]) == ("", None)
    assert "offers to install" in listed["qwen"]["next"]
    (tmp_path / ".codex").mkdir()
    config = '[model_providers.x]\nbase_url = "http://u:secret@{}/v1"\n'
    for host, state in (("127.0.0.1:4000", "landline"), ("example.invalid", "elsewhere")):
        (tmp_path / ".codex" / "config.toml").write_text('model_provider = "x"\n' + config.format(host))
        _, out, _ = await landline(launcher, "clients", "--json")
        codex = json.loads(out)[1]
        assert codex["state"] == state
        assert host in codex["points_at"]
        assert "secret" not in out
    (tmp_path / ".codex" / "config.toml").write_text("broken")
    _, out, _ = await landline(launcher, "clients")
    assert "unknown" in next(line for line in out.splitlines() if line.startswith("codex"))
    assert os.environ.get("HOME") != str(tmp_path)


def test_versions_that_are_called_tested_are_those_the_tests_run():
    for case in CASES.values():
        assert client_program(case.known).version == case.known.newest
