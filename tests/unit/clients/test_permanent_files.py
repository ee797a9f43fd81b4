"""What `landline settings write` makes of the files of Codex, OpenCode and Qwen Code, and the way back."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from landline.clients.doctor.commented_json import decoded
from landline.clients.doctor.fixes import Change, apply, backups, difference, restore, restoring
from landline.clients.launching import Target
from landline.clients.permanent_files import Places, codex_changes, opencode_changes, qwen_changes
from landline.errors import SettingsError

TARGET = Target(base_url="http://127.0.0.1:4000", token="", model="org/m-1", window=32_768)
WITH_KEY = Target(base_url="http://127.0.0.1:4000", token="k1-secret", model="org/m-1", window=32_768)
CONFIG = """\
# mine
model = "gpt-9"
[mcp_servers.x]
command = "y"
env = { GITHUB_TOKEN = "ghp-canary" }
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for folder in ("home", "project"):
        (tmp_path / folder).mkdir()
    return Places(tmp_path / "home", tmp_path / "project", {})


def there(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def round_trip(changes: tuple[Change, ...], folder: Path, client: str) -> None:
    """Written, and put back: every byte as it was."""
    apply(changes, folder, client=client)
    assert backups(folder, client="other") == []
    (kept,) = backups(folder, client=client)
    back, changed_since = restoring(kept)
    assert changed_since == ()
    restore(kept, back)
    for change in changes:
        assert (change.file.read_bytes() if change.file.exists() else None) == change.before


def test_codex_gets_a_provider_a_window_and_a_catalogue(places: Places, tmp_path: Path) -> None:
    file = there(places.home / ".codex" / "config.toml", CONFIG)
    changes = codex_changes(TARGET, places, instructions="You are Codex.")
    config, catalogue = (change.after.decode() for change in changes)
    read = tomllib.loads(config)
    assert config.startswith('# mine\nmodel = "org/m-1"\n')
    assert read["mcp_servers"]["x"]["env"] == {"GITHUB_TOKEN": "ghp-canary"}
    assert read["model_providers"]["landline"] == {
        "name": "landline",
        "base_url": "http://127.0.0.1:4000/v1",
        "wire_api": "responses",
    }
    assert (read["model_context_window"], read["model_auto_compact_token_limit"]) == (32_768, 24_576)
    assert read["model_catalog_json"] == str(file.with_name("landline-models.json"))
    (entry,) = json.loads(catalogue)["models"]
    assert (entry["slug"], entry["context_window"], entry["base_instructions"]) == ("org/m-1", 32_768, "You are Codex.")
    shown = "\n".join(difference(changes[0].before, changes[0].after, str(file)))
    assert "canary" not in shown
    assert 'model_provider = "landline"' in shown
    round_trip(changes, tmp_path / "backups", "codex")


def test_codex_written_once_more_takes_the_larger_window_of_another_model(places: Places, tmp_path: Path) -> None:
    for change in codex_changes(TARGET, places, instructions=""):
        there(change.file, change.after.decode())
    larger = Target(base_url=TARGET.base_url, token="", model="big", window=131_072)
    (change,) = codex_changes(larger, places, instructions="")
    assert tomllib.loads(change.after.decode())["model_context_window"] == 131_072
    there(change.file, change.after.decode())
    assert codex_changes(larger, places, instructions="") == ()


def test_no_file_holds_the_gateways_key(places: Places) -> None:
    changes = codex_changes(WITH_KEY, places, instructions="x")
    changes += opencode_changes(WITH_KEY, places, project=False) + qwen_changes(WITH_KEY, places, project=False)
    assert len(changes) == 4
    for change in changes:
        assert b"k1-secret" not in change.after
    named = [change.file.name for change in changes if b"LANDLINE_KEY" in change.after]
    assert named == ["config.toml", "opencode.json", "settings.json"]


def test_a_config_that_cannot_be_edited_names_the_lines(places: Places) -> None:
    there(places.home / ".codex" / "config.toml", "analytics = { enabled = true }\n")
    with pytest.raises(SettingsError, match="not foreseen") as caught:
        codex_changes(TARGET, places, instructions="")
    assert 'model_provider = "landline"' in caught.value.hint


def test_opencode_keeps_comments_and_other_providers(places: Places, tmp_path: Path) -> None:
    text = '{\n  // mine\n  "model": "x/y",\n  "provider": {\n    "x": {"npm": "z"}, // his\n  },\n}\n'
    file = there(places.home / ".config" / "opencode" / "opencode.jsonc", text)
    (change,) = changes = opencode_changes(TARGET, places, project=False)
    assert change.file == file
    read = decoded(change.after.decode())
    assert (read["model"], read["small_model"]) == ("landline/org/m-1", "landline/org/m-1")
    assert read["provider"]["x"] == {"npm": "z"}
    assert read["provider"]["landline"]["models"]["org/m-1"]["limit"] == {"context": 32_768, "output": 8_192}
    assert b"// mine" in change.after
    assert b"// his" in change.after
    round_trip(changes, tmp_path / "backups", "opencode")
    (project,) = opencode_changes(TARGET, places, project=True)
    assert project.file == places.cwd / "opencode.json"


def test_qwen_code_keeps_other_models(places: Places, tmp_path: Path) -> None:
    own = {
        "$version": 4,
        "security": {"auth": {"apiKey": "k-canary", "selectedType": "anthropic"}, "folderTrust": {"enabled": True}},
        "modelProviders": {"openai": [{"id": "his", "baseUrl": "http://h"}, {"id": "org/m-1", "baseUrl": "http://h"}]},
    }
    file = there(places.home / ".qwen" / "settings.json", json.dumps(own, indent=2))
    (change,) = changes = qwen_changes(TARGET, places, project=False)
    read = json.loads(change.after)
    assert read["security"] == {
        "auth": {"apiKey": "k-canary", "selectedType": "openai"},
        "folderTrust": {"enabled": True},
    }
    ours, his = read["modelProviders"]["openai"]
    assert his == {"id": "his", "baseUrl": "http://h"}
    assert (ours["baseUrl"], ours["generationConfig"]) == ("http://127.0.0.1:4000/v1", {"contextWindowSize": 32_768})
    assert read["env"] == {"LANDLINE_KEY": "landline"}
    assert read["privacy"] == {"usageStatisticsEnabled": False}
    assert "canary" not in "\n".join(difference(change.before, change.after, str(file)))
    round_trip(changes, tmp_path / "backups", "qwen")


@pytest.mark.parametrize("text", ["[1]", "{", '{"provider": {"landline": 1}'])
def test_a_broken_file_is_left_alone(places: Places, text: str) -> None:
    there(places.home / ".config" / "opencode" / "opencode.json", text)
    with pytest.raises(SettingsError, match="no JSON object"):
        opencode_changes(TARGET, places, project=False)
