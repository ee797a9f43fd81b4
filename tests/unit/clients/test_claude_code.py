"""The facts of Claude Code as functions: what reaches the client's process and its `--settings` file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landline.clients import claude_code
from landline.clients.claude_code import (
    DEFEATING,
    compaction_point,
    declared_window,
    launch_environment,
    managed_settings_conflicts,
    merged_settings,
    output_limit,
    settings_overlay,
    split_settings_argument,
    user_settings_conflicts,
)

OURS = "http://127.0.0.1:4000"
MANAGED = Path("managed-settings.json")


def environment(
    inherited: dict[str, str] | None = None,
    *,
    configured: dict[str, str] | None = None,
    base_url: str = OURS,
    window: int = 131_072,
    tiers: dict[str, str] | None = None,
) -> dict[str, str]:
    return launch_environment(
        base_url=base_url,
        token="local",
        model="Qwen3.5-27B",
        window=window,
        max_output=output_limit(window),
        inherited=inherited or {},
        configured=configured,
        tiers=tiers,
    )


def overlay_env(env: dict[str, str]) -> dict[str, str]:
    return claude_code.environment_of(settings_overlay(env))


@pytest.mark.parametrize("name", DEFEATING)
def test_what_would_send_the_client_elsewhere_leaves_the_environment_and_is_emptied_in_the_overlay(name: str):
    env = environment({name: "1", "PATH": "/bin"})
    assert name not in env
    assert env["PATH"] == "/bin"
    assert overlay_env(env)[name] == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTHROPIC_BASE_URL", "http://elsewhere"),
        ("ANTHROPIC_AUTH_TOKEN", "theirs"),
        ("ANTHROPIC_MODEL", "claude-opus"),
        ("ANTHROPIC_DEFAULT_HAIKU_MODEL", "claude-haiku"),
        ("ANTHROPIC_SMALL_FAST_MODEL", "claude-haiku"),
        ("CLAUDE_CODE_SUBAGENT_MODEL", "claude-sonnet"),
        ("CLAUDE_CODE_ATTRIBUTION_HEADER", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", ""),
    ],
)
def test_what_launch_chooses_beats_the_shell_and_the_settings_files(name: str, value: str):
    env = environment({name: value}, configured={name: value})
    assert env[name] != value
    assert overlay_env(env)[name] == env[name]


@pytest.mark.parametrize(
    "name",
    [
        "IS_SANDBOX",
        "CLAUDE_CODE_SIMPLE",
        "CLAUDE_CODE_EXTRA_BODY",
        "ANTHROPIC_CUSTOM_HEADERS",
        "HTTPS_PROXY",
        "AWS_REGION",
    ],
)
def test_the_users_other_variables_stay_as_they_are_and_are_never_added(name: str):
    assert environment({name: "his"})[name] == "his"
    assert name not in environment()
    assert name not in overlay_env(environment({name: "his"}))


@pytest.mark.row("2.21")
def test_tool_search_is_on_unless_the_user_switched_it_off():
    assert overlay_env(environment())["ENABLE_TOOL_SEARCH"] == "true"
    assert overlay_env(environment(configured={"ENABLE_TOOL_SEARCH": "false"}))["ENABLE_TOOL_SEARCH"] == "false"


def test_a_tier_that_the_gateway_maps_keeps_its_own_model_and_subagents_may_ask_for_it():
    env = environment(tiers={"haiku": "small"})
    assert env["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == env["ANTHROPIC_SMALL_FAST_MODEL"] == "small"
    assert env["ANTHROPIC_DEFAULT_OPUS_MODEL"] == "Qwen3.5-27B"
    assert "CLAUDE_CODE_SUBAGENT_MODEL" not in env


@pytest.mark.parametrize(
    ("inherited", "configured", "expected"),
    [
        ({}, {}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "corp"}, {}, "corp,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "corp", "no_proxy": "lan"}, {}, "corp,lan,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "corp"}, {"NO_PROXY": "files"}, "files,127.0.0.1,localhost,::1"),
        ({"no_proxy": "localhost, corp"}, {}, "localhost,corp,127.0.0.1,::1"),
    ],
)
def test_both_spellings_of_no_proxy_spare_loopback_and_keep_the_users_own(
    inherited: dict[str, str], configured: dict[str, str], expected: str
):
    env = environment(inherited, configured=configured)
    assert env["NO_PROXY"] == env["no_proxy"] == expected
    assert overlay_env(env)["no_proxy"] == expected


def test_a_gateway_on_another_machine_leaves_the_proxy_settings_alone():
    env = environment({"NO_PROXY": "corp"}, base_url="http://gpu-box:4000")
    assert env["NO_PROXY"] == "corp"
    assert "no_proxy" not in env


def test_the_users_own_lower_limits_are_kept_and_higher_or_broken_ones_are_not():
    names = ("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW")
    lower = environment({names[0]: "8000"}, configured={names[1]: "100000"})
    assert [lower[name] for name in names] == ["8000", "100000"]
    for value in ("999999999", "many", "-5", "0", ""):
        env = environment(dict.fromkeys(names, value))
        assert [env[name] for name in names] == ["32000", "131072"]


def test_an_unknown_window_sets_no_limit():
    env = environment(window=0)
    assert not [name for name in env if "CONTEXT" in name or "WINDOW" in name or "OUTPUT" in name]


@pytest.mark.parametrize("window", [4096, 8192, 16_384, 32_768, 65_536, 104_000, 131_072, 262_144, 1_000_000])
def test_the_client_compacts_inside_the_true_window_with_room_for_its_answer(window: int):
    output = output_limit(window)
    point = compaction_point(declared_window(window), output)
    assert window // 2 <= point
    assert point + min(output, 20_000) < window
    assert declared_window(window) >= window
    assert (declared_window(window) == window) is (window >= 104_000)
    assert claude_code.compaction_point_of(environment(window=window)) == point


@pytest.mark.parametrize(("window", "word"), [(0, ""), (8192, "CLAUDE_CODE_SIMPLE"), (32_768, "compact"), (64_000, "")])
def test_small_windows_are_spoken_of(window: int, word: str):
    advice = claude_code.small_window_advice(window)
    assert word in advice
    assert bool(advice) is bool(word)


def test_the_overlay_is_valid_json_with_text_only_and_holds_nothing_of_the_shell():
    overlay = settings_overlay(environment({"SECRET_OF_SHELL": "x"}))
    assert "SECRET_OF_SHELL" not in json.dumps(overlay)
    assert all(isinstance(value, str) for value in overlay["env"].values())  # type: ignore[attr-defined]
    assert overlay["apiKeyHelper"] == ""
    assert set(overlay) == {"env", "apiKeyHelper"}


def test_a_model_list_of_the_user_is_widened_by_ours_and_none_is_made_where_he_has_none():
    env = environment(tiers={"haiku": "small"})
    assert settings_overlay(env, restricts_models=True)["availableModels"] == ["Qwen3.5-27B", "small"]
    assert "availableModels" not in settings_overlay(env)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({}, None),
        ({"permissions": {"deny": ["WebFetch"]}, "hooks": {}}, None),
        ({"model": "opus"}, None),  # ANTHROPIC_MODEL beats it
        ({"env": {"ANTHROPIC_BASE_URL": "http://corp"}}, "env.ANTHROPIC_BASE_URL"),
        ({"env": {"ANTHROPIC_BASE_URL": OURS}}, None),
        ({"env": {"ANTHROPIC_AUTH_TOKEN": "corp"}}, "env.ANTHROPIC_AUTH_TOKEN"),
        ({"env": {"ANTHROPIC_API_KEY": "corp"}}, "env.ANTHROPIC_API_KEY"),
        ({"env": {"ANTHROPIC_MODEL": "opus"}}, "env.ANTHROPIC_MODEL"),
        ({"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}, "env.CLAUDE_CODE_USE_BEDROCK"),
        ({"env": {"CLAUDE_CODE_USE_BEDROCK": 1}}, "env.CLAUDE_CODE_USE_BEDROCK"),
        ({"env": {"CLAUDE_CODE_USE_BEDROCK": "0"}}, None),
        ({"env": {"no_proxy": "corp"}}, "env.no_proxy"),
        ({"env": {"no_proxy": "corp, 127.0.0.1"}}, None),
        ({"env": {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "9", "OTEL_EXPORTER": "x"}}, None),
        ({"env": "broken"}, None),
        ({"apiKeyHelper": "get-key"}, "apiKeyHelper"),
        ({"availableModels": ["opus"]}, "availableModels"),
        ({"availableModels": ["opus", "Qwen3.5-27B"]}, None),
        ({"forceLoginMethod": "claudeai"}, "forceLoginMethod"),
        ({"forceLoginOrgUUID": "an-id"}, "forceLoginOrgUUID"),
    ],
)
def test_managed_settings_that_win_are_named_by_file_and_key_without_their_value(
    document: dict[str, object], found: str | None
):
    conflicts = managed_settings_conflicts([(MANAGED, document)], settings_overlay(environment()))
    assert len(conflicts) == (found is not None)
    if found is not None:
        assert conflicts[0].startswith(f"{MANAGED}: {found}")
        assert "corp" not in conflicts[0]


@pytest.mark.parametrize(
    ("version", "stops"),
    [("2.1.197", True), (None, True), ("2.1.329", False), ("2.2.0", False), ("2.1.329-beta.1", False)],
)
def test_a_socket_in_the_users_settings_stops_the_versions_that_obey_it(version: str | None, stops: bool):
    documents = [(Path("settings.json"), {"env": {"ANTHROPIC_UNIX_SOCKET": "/run/other.sock"}})]
    assert bool(user_settings_conflicts(documents, version)) is stops
    assert user_settings_conflicts([(Path("settings.json"), {})], version) == []


@pytest.mark.parametrize(
    ("args", "rest", "value"),
    [
        ([], [], None),
        (["-p", "hi", "--model", "x"], ["-p", "hi", "--model", "x"], None),
        (["--settings", "a.json", "-p", "hi"], ["-p", "hi"], "a.json"),
        (["-p", "--settings=a.json", "hi"], ["-p", "hi"], "a.json"),
        (["--settings", "a.json", "--settings={}"], [], "{}"),
        (["-p", "--", "--settings", "a.json"], ["-p", "--", "--settings", "a.json"], None),
        (["--setting-sources", "user"], ["--setting-sources", "user"], None),
        (["--settings"], ["--settings"], None),
    ],
)
def test_only_the_settings_argument_is_taken_out(args: list[str], rest: list[str], value: str | None):
    assert split_settings_argument(args) == (rest, value)


def test_the_users_own_settings_argument_lies_under_ours_and_keeps_the_rest():
    theirs = {
        "env": {"ANTHROPIC_BASE_URL": "http://elsewhere", "HIS": "1"},
        "permissions": {"allow": ["Read"]},
        "apiKeyHelper": "get-key",
        "availableModels": ["opus"],
    }
    ours = settings_overlay(environment(), restricts_models=True)
    merged = merged_settings(theirs, ours)
    env = claude_code.environment_of(merged)
    assert (env["ANTHROPIC_BASE_URL"], env["HIS"]) == (OURS, "1")
    assert merged["permissions"] == {"allow": ["Read"]}
    assert merged["apiKeyHelper"] == ""
    assert merged["availableModels"] == ["opus", "Qwen3.5-27B"]


def test_what_was_set_aside_is_named():
    assert claude_code.switched_off({"ANTHROPIC_API_KEY": "x", "CLAUDE_CODE_USE_VERTEX": "", "A": "1"}) == [
        "ANTHROPIC_API_KEY"
    ]


def test_denied_tools_of_both_settings_hold_and_his_other_rules_stay():
    theirs = {"permissions": {"allow": ["Bash(ls)"], "deny": ["Read"]}}
    merged = merged_settings(theirs, {"permissions": {"deny": ["Agent"]}})
    assert merged["permissions"] == {"allow": ["Bash(ls)"], "deny": ["Read", "Agent"]}
    assert merged_settings(theirs, {"env": {}})["permissions"] == theirs["permissions"]
    assert merged_settings({}, {"permissions": {"deny": ["Agent"]}})["permissions"] == {"deny": ["Agent"]}
