"""Where models come from: folders, the hub's cache, a hub on loopback; and what strangers' folders may hold."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landline.errors import LandlineError
from landline.planner.catalogue import Precision
from landline.upstream.model_sources import ModelSources, shipped_catalogue
from tests.fakes.upstream import Request, Step, ThreadedUpstream, Upstream, json_answer
from tests.unit.planner.test_model_config import LLAMA, QWEN

CATALOGUE = shipped_catalogue()
HEADER = b'{"w":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}'


def sources(told: list[str] | None = None, *, offline: bool = True, **environ: str) -> ModelSources:
    report: Callable[[str], None] = (told if told is not None else []).append
    return ModelSources(CATALOGUE, environ=environ, offline=offline, report=report)


def weights(folder: Path, name: str, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(len(HEADER).to_bytes(8, "little") + HEADER + bytes(size))


def config(folder: Path, content: dict[str, Any] = LLAMA) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_folder_counts_its_weights(tmp_path: Path) -> None:
    folder = config(tmp_path / "m")
    weights(folder, "model-00001-of-00002.safetensors", 5000)
    weights(folder, "model-00002-of-00002.safetensors", 3000)
    found = sources().find(str(folder))
    assert found.id == str(folder)
    assert found.checkpoints[0].weights_bytes == 8000
    assert sources().find(str(folder / "config.json")) == found


def test_weights_whose_header_lies_count_nothing(tmp_path: Path) -> None:
    folder = config(tmp_path / "m")
    (folder / "a.safetensors").write_bytes(b"\xff" * 8)
    (folder / "b.safetensors").write_bytes(b"")
    assert sources().find(str(folder)).checkpoints[0].weights_bytes == 0


def test_the_table_is_asked_before_any_hub() -> None:
    told: list[str] = []
    assert sources(told, offline=False).find("openai/gpt-oss-20b").parameters_b == 21
    assert told == []


def test_the_cache_of_the_hub_is_read(tmp_path: Path) -> None:
    snapshots = tmp_path / "hub" / "models--me--mine" / "snapshots"
    config(snapshots / "old", LLAMA | {"num_hidden_layers": 1})
    os.utime(snapshots / "old", (1, 1))
    weights(config(snapshots / "new"), "model.safetensors", 100)
    found = sources(HF_HOME=str(tmp_path)).find("me/mine")
    assert found.shape is not None
    assert found.shape.layers[0].layers == 32
    assert found.checkpoints[0].weights_bytes == 100
    assert sources(HF_HUB_CACHE=str(tmp_path / "hub")).find("me/mine") == found


def test_a_model_of_the_table_gets_its_layers_from_a_config(tmp_path: Path) -> None:
    config(tmp_path / "hub" / "models--Qwen--Qwen3.8-27B" / "snapshots" / "one", QWEN)
    found = sources(HF_HOME=str(tmp_path)).find("Qwen/Qwen3.8-27B")
    assert [one.precision for one in found.checkpoints] == [Precision.BF16, Precision.FP8, Precision.NVFP4]
    assert found.shape is not None
    assert found.shape.status.is_exact


def test_checkpoints_that_are_in_the_cache_are_weighed(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--Qwen--Qwen3.6-27B-FP8" / "snapshots" / "one"
    weights(config(snapshot), "model.safetensors", 700)
    found = sources(HF_HOME=str(tmp_path)).find("Qwen/Qwen3.6-27B")
    assert [one.weights_bytes for one in found.checkpoints] == [0, 700, 0]


@pytest.mark.parametrize(
    ("name", "content"),
    [("chat_template.jinja", b"{{ x }}"), ("tokenizer_config.json", b'{"chat_template": "{{ x }}"}')],
)
def test_the_template_beside_the_weights_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    (config(tmp_path / "m") / name).write_bytes(content)
    assert sources().find(str(tmp_path / "m")).template == "{{ x }}"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"chat_template": [{"name": "default"}]}', b"[" * 99_999])
def test_a_template_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (config(tmp_path / "m") / "tokenizer_config.json").write_bytes(content)
    assert sources().find(str(tmp_path / "m")).template == ""


class Hub:
    """Answers as the hub does, and keeps what was asked."""

    def __init__(self, files: dict[str, Any]) -> None:
        self.files = files
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> list[Step]:
        self.asked.append(request)
        name = request.path.rpartition("/")[2]
        return json_answer(200, self.files[name]) if name in self.files else json_answer(404, {})


def test_the_hub_is_asked_for_two_small_files_without_a_key(tmp_path: Path) -> None:
    hub = Hub({"config.json": LLAMA, "model.safetensors.index.json": {"metadata": {"total_size": 16_000}}})
    told: list[str] = []
    with ThreadedUpstream(Upstream(hub)) as server:
        environ = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": server.url, "HF_TOKEN": "hf_canary"}
        found = sources(told, offline=False, **environ).find("me/mine")
    assert found.checkpoints[0].weights_bytes == 16_000
    assert [one.path for one in hub.asked] == [
        "/me/mine/resolve/main/config.json",
        "/me/mine/resolve/main/model.safetensors.index.json",
    ]
    assert "hf_canary" not in str([one.headers for one in hub.asked])
    assert len(told) == 2
    assert all(server.url in text for text in told)


@pytest.mark.parametrize(
    "index", [[], {"metadata": {"total_size": -1}}, {"metadata": 1}, {"metadata": {"total_size": "1"}}]
)
def test_an_index_that_is_none_leaves_the_weights_to_an_estimate(tmp_path: Path, index: Any) -> None:
    hub = Hub({"config.json": LLAMA, "model.safetensors.index.json": index})
    with ThreadedUpstream(Upstream(hub)) as server:
        found = sources(offline=False, HF_HOME=str(tmp_path), HF_ENDPOINT=server.url).find("me/mine")
    assert found.checkpoints[0].weights_bytes == 0


def test_a_hub_that_does_not_know_it_or_is_not_there(tmp_path: Path) -> None:
    with ThreadedUpstream(Upstream(Hub({}))) as server:
        unknown = sources(offline=False, HF_HOME=str(tmp_path), HF_ENDPOINT=server.url)
        with pytest.raises(LandlineError, match="the hub did not tell"):
            unknown.find("me/mine")
    gone = sources(offline=False, HF_HOME=str(tmp_path), HF_ENDPOINT=server.url)
    with pytest.raises(LandlineError, match="the hub did not tell"):
        gone.find("me/mine")


@pytest.mark.parametrize("environ", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_offline_nobody_is_asked(tmp_path: Path, environ: dict[str, str]) -> None:
    told: list[str] = []
    with pytest.raises(LandlineError, match="the hub was not asked") as caught:
        sources(told, offline=not environ, HF_HOME=str(tmp_path), **environ).find("me/mine")
    assert "config.json" in caught.value.hint
    assert told == []


@pytest.mark.parametrize("endpoint", ["file:///etc", "ftp://x", "nonsense"])
def test_only_the_web_is_asked(tmp_path: Path, endpoint: str) -> None:
    told: list[str] = []
    with pytest.raises(LandlineError):
        sources(told, offline=False, HF_HOME=str(tmp_path), HF_ENDPOINT=endpoint).find("me/mine")
    assert told == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b/c", "a/b?x=1", "a b/c", "me/../mine", "x" * 5000, "~nobody/x"]
)
def test_what_is_no_name_reaches_no_hub(tmp_path: Path, name: str) -> None:
    told: list[str] = []
    with pytest.raises(LandlineError) as caught:
        sources(told, offline=False, HF_HOME=str(tmp_path)).find(name)
    assert told == []
    assert len(caught.value.message) < 300


def test_a_pipe_in_the_place_of_a_config_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(LandlineError):
        sources().find(str(tmp_path / "config.json"))
    with pytest.raises(LandlineError, match="cannot be read"):
        sources().find(str(tmp_path))


def test_a_folder_without_a_config_and_a_gguf_file_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LandlineError, match="cannot be read: No such file"):
        sources().find(str(tmp_path / "empty"))
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(LandlineError, match="is a GGUF file") as caught:
        sources().find(str(tmp_path / "m.gguf"))
    assert "--engine llama.cpp" in caught.value.hint


def test_a_huge_config_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(LandlineError, match="larger than 4 MiB"):
        sources().find(str(tmp_path))
