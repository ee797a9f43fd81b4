"""Codex, OpenCode and Qwen Code as facts: what is set for a launch, and what of the user's own stays in force."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from landline.clients import codex, opencode, qwen_code
from landline.clients.codex_launch import Codex
from landline.clients.install import ClientProgram
from landline.clients.inventory import State, next_step, state_of
from landline.clients.known import CLIENTS, QWEN
from landline.clients.launching import Launch, Request, Target, Wishes
from landline.clients.permanent_files import Places
from landline.errors import SettingsError

TARGET = Target(base_url="http://127.0.0.1:4000", token="t", model="org/m", window=131_072)
UNKNOWN = Target(base_url="http://127.0.0.1:4000", token="t", model="m")


def request(tmp_path: Path, environ: dict[str, str] | None = None, args: tuple[str, ...] = ()) -> Request:
    for name in ("home", "project", "folder"):
        (tmp_path / name).mkdir(exist_ok=True)
    return Request(
        args=args, environ=environ or {}, home=tmp_path / "home", cwd=tmp_path / "project", folder=tmp_path / "folder"
    )


def program(name: str) -> ClientProgram:
    return ClientProgram(Path(f"/nowhere/{name}"), CLIENTS[name].newest, "PATH")


@pytest.mark.parametrize(
    ("window", "point"), [(131_072, 111_072), (262_144, 235_930), (32_768, 24_576), (8_192, 6_144)]
)
def test_codex_leaves_room_for_an_answer(window: int, point: int) -> None:
    assert codex.compaction_point(window) == point


def test_codex_overrides_are_toml_and_keep_what_is_lower() -> None:
    chosen = codex.overrides(TARGET, {"model_context_window": 50_000, "model_auto_compact_token_limit": 20_000})
    arguments = codex.arguments(chosen)
    assert arguments[::2] == ("-c",) * len(chosen)
    read: dict[str, Any] = {}
    for text in arguments[1::2]:
        read |= {text.partition("=")[0]: tomllib.loads(f"x={text.partition('=')[2]}")["x"]}
    assert (read["model_context_window"], read["model_auto_compact_token_limit"]) == (50_000, 20_000)
    assert read["model_providers.landline"]["env_key"] == "LANDLINE_KEY"
    assert read["features.plugins"] is False
    assert "model_context_window" not in codex.overrides(UNKNOWN, {})
    with_plugins = codex.overrides(TARGET, {"plugins": {"a": {"enabled": True}}})
    assert "features.plugins" not in with_plugins


@pytest.mark.parametrize("text", ['a "quoted" \\ name', "\x7f\x00ü\n", ""])
def test_any_text_is_written_as_toml(text: str) -> None:
    assert tomllib.loads(f"x = {codex.toml_value(text)}") == {"x": text}


def test_codex_own_words_are_found_in_a_request_or_not_at_all() -> None:
    item = {"role": "developer", "content": [{"text": "You are"}]}
    assert codex.instructions_of({"input": [item]}) == "You are"
    assert codex.instructions_of({"instructions": "You", "input": [item]}) == "You"
    for body in ({}, {"input": []}, {"input": [{"role": "user", "content": [{"text": "x"}]}]}, {"input": [3]}):
        assert codex.instructions_of(body) == ""


def test_codex_starts_without_a_catalogue_where_it_does_not_say_its_words(tmp_path: Path) -> None:
    launch = Codex().prepare(TARGET, program("codex"), request(tmp_path))
    assert not [part for part in launch.argv if "model_catalog_json" in part]
    assert "harmless" in dict(launch.receipt)["note"]


def test_a_codex_config_that_is_broken_is_told_before_anything_starts(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    (wanted.home / ".codex").mkdir()
    (wanted.home / ".codex" / "config.toml").write_text('key = "canary')
    with pytest.raises(SettingsError, match="is not TOML") as caught:
        Codex().check(TARGET, program("codex"), wanted)
    assert "canary" not in str(caught.value)


def test_options_of_claude_are_refused() -> None:
    for wishes in (Wishes(lean=True), Wishes(status_line=True), Wishes(replace_status_line=True)):
        with pytest.raises(SettingsError, match="is not for Codex"):
            wishes.refuse("Codex")


def opencode_launch(tmp_path: Path, environ: dict[str, str] | None = None, own: str = "") -> tuple[Launch, Any]:
    wanted = request(tmp_path, environ)
    (wanted.cwd / "opencode.jsonc").write_text(own or "{}")
    launch = opencode.OpenCode().prepare(TARGET, program("opencode"), wanted)
    return launch, json.loads(launch.env[opencode.CONTENT])


def test_opencode_gets_the_window_and_keeps_what_is_in_force(tmp_path: Path) -> None:
    own = '{"agent": {"plan": {"model": "x/y"}}, "enabled_providers": ["x"], // mine\n "model": "x/y"}'
    environ = {opencode.CONTENT: '{"theme": "dark", "provider": {"x": {}}}', "OPENCODE_DISABLE_AUTOUPDATE": "0"}
    launch, content = opencode_launch(tmp_path, environ, own)
    assert content["provider"]["landline"]["models"]["org/m"]["limit"] == {"context": 131_072, "output": 32_000}
    assert (content["theme"], content["provider"]["x"]) == ("dark", {})
    assert content["enabled_providers"] == ["x", "landline"]
    assert launch.env["OPENCODE_DISABLE_AUTOUPDATE"] == "0"
    assert launch.env["LANDLINE_KEY"] == "t"
    assert '"t"' not in launch.env[opencode.CONTENT]
    receipt = dict(launch.receipt)
    assert "agents plan have a model of their own" in receipt["left"]
    assert "model" in receipt["set aside"]
    assert receipt["window"] == "131,072 tokens; compacts at about 99,072; answers up to 32,000"


def test_opencode_own_content_that_is_broken_is_an_error(tmp_path: Path) -> None:
    wanted = request(tmp_path, {opencode.CONTENT: "{"})
    with pytest.raises(SettingsError, match="not a JSON object"):
        opencode.OpenCode().check(TARGET, program("opencode"), wanted)


def test_qwen_code_has_the_machines_own_settings_under_ours(tmp_path: Path) -> None:
    system = tmp_path / "etc" / "qwen-code" / "settings.json"
    system.parent.mkdir(parents=True)
    system.write_text('{"tools": {"exclude": ["x"]}, "model": {"name": "other", "maxSessionTurns": 5}}')
    environ = {"HTTPS_PROXY": "http://p", "QWEN_CODE_MAX_OUTPUT_TOKENS": "1000"}
    launch = qwen_code.QwenCode(tmp_path).prepare(TARGET, program("qwen"), request(tmp_path, environ))
    file = Path(launch.env[qwen_code.SYSTEM_FILE])
    told = json.loads(file.read_text())
    assert told["tools"] == {"exclude": ["x"]}
    assert told["model"] == {"name": "org/m", "maxSessionTurns": 5}
    assert told["modelProviders"]["openai"][0]["generationConfig"] == {"contextWindowSize": 131_072}
    assert told["proxy"] == ""
    assert launch.env[qwen_code.SYSTEM_DEFAULTS] == str(system.with_name("system-defaults.json"))
    assert launch.env["QWEN_CODE_MAX_OUTPUT_TOKENS"] == "1000"
    assert "HTTPS_PROXY" not in launch.env
    assert dict(launch.receipt)["set aside"].startswith("HTTPS_PROXY")
    assert file.stat().st_mode & 0o777 == 0o600


def test_qwen_code_keeps_a_proxy_for_a_gateway_elsewhere(tmp_path: Path) -> None:
    far = Target(base_url="http://gpu-box:4000", token="t", model="m", window=65_536)
    environ = {"HTTPS_PROXY": "http://p"}
    launch = qwen_code.QwenCode(tmp_path).prepare(far, program("qwen"), request(tmp_path, environ))
    assert launch.env["HTTPS_PROXY"] == "http://p"
    assert "set aside" not in dict(launch.receipt)


@pytest.mark.parametrize("name", ["codex", "opencode", "qwen"])
def test_a_small_or_unknown_window_is_told(tmp_path: Path, name: str) -> None:
    client: Any = {"codex": Codex, "opencode": opencode.OpenCode, "qwen": qwen_code.QwenCode}[name]()
    small = Target(base_url="http://127.0.0.1:1", token="t", model="m", window=16_384)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    told = client.prepare(small, program(name), request(tmp_path / "a")).receipt
    assert ("note", f"the client's own prompt and tools take about {prompt_of(name):,} of 16,384") in told
    assert dict(client.prepare(UNKNOWN, program(name), request(tmp_path / "b")).receipt)["window"].startswith(
        "not known"
    )


def prompt_of(name: str) -> int:
    return {"codex": codex, "opencode": opencode, "qwen": qwen_code}[name].FIRST_REQUEST


def test_where_a_client_points_is_read_from_its_own_files(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path, {})
    own = "http://127.0.0.1:4000"
    for name in CLIENTS:
        assert state_of(name, places, own_address=own) == (State.OWN, "")
    (tmp_path / ".qwen").mkdir()
    listed = {
        "model": {"name": "m"},
        "modelProviders": {"openai": [{"id": "m", "baseUrl": "http://localhost:4000/v1"}]},
    }
    (tmp_path / ".qwen" / "settings.json").write_text(json.dumps(listed))
    assert state_of("qwen", places, own_address=own) == (State.LANDLINE, "http://localhost:4000/v1")
    provider = {"x": {"options": {"baseURL": "http://127.0.0.1:4001/v1"}}}
    (tmp_path / "opencode.json").write_text(json.dumps({"model": "x/y", "provider": provider}))
    assert state_of("opencode", places, own_address=own) == (State.ELSEWHERE, "http://127.0.0.1:4001/v1")
    (tmp_path / "opencode.json").write_text("{")
    assert state_of("opencode", places, own_address=own) == (State.UNKNOWN, "")
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000"}}')
    assert state_of("claude", places, own_address=own)[0] is State.LANDLINE
    assert "offers to install" in next_step(QWEN, "", State.OWN)
    assert "by hand" in next_step(QWEN, "0.15.10", State.UNKNOWN)
