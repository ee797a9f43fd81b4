"""The planner's bytes are those of vLLM's own cache specs, for every shape of the table, type of cache and spread.

No server and no model: `uv run pytest -m vllm -k planner`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landline.planner.memory import CacheTerms, KvType, block_tokens, growing_bytes, request_bytes, state_bytes
from landline.planner.shape import AttentionLayers, Known, Layers, MambaLayers, Shape, StateLayers
from tests.unit.planner.models import CATALOGUE
from tests.vllm.installed import vllm_python

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

TOKENS, IN_FLIGHT = 131_072, 8192
NEMOTRON = Shape(
    attention_heads=32,
    layers=(
        MambaLayers(layers=23, heads=64, head_dim=64, groups=8, state=128, kernel=4),
        AttentionLayers(layers=6, kv_heads=2, head_dim=128),
    ),
    status=Known.UNCHECKED,
    source="for its kind of layer",
)
# The spec of sparse latent attention is written by a backend that needs a GPU.
SHAPES = {one.id: one.shape for one in CATALOGUE.models if one.shape is not None and not one.shape.is_sparse} | {
    "a Nemotron": NEMOTRON
}


def cases() -> Iterator[tuple[str, Shape, CacheTerms]]:
    for (name, shape), kv, cards in product(SHAPES.items(), (KvType.AUTO, KvType.FP8), (1, 2, 4, 8)):
        if shape.divides(cards):
            yield name, shape, CacheTerms(kv=kv, cards=cards, in_flight_tokens=IN_FLIGHT)


def asked(shape: Shape, terms: CacheTerms) -> dict[str, Any]:
    return {
        "block": block_tokens(shape, terms),
        "tokens": TOKENS,
        "in_flight": terms.in_flight_tokens,
        "fp8": terms.kv is KvType.FP8,
        "cards": terms.cards,
        "layers": [_layer(one) for one in shape.layers],
    }


def _layer(one: Layers) -> dict[str, Any]:
    """With its defaults, which msgspec keeps."""
    return msgspec.to_builtins(one)


@pytest.fixture(scope="module")
def answered() -> list[list[dict[str, int]]]:
    script = Path(__file__).parent / "cache_specs.py"
    done = subprocess.run(
        [str(vllm_python()), str(script)],
        input=json.dumps([asked(shape, terms) for _, shape, terms in cases()]),
        env={**os.environ, "VLLM_TARGET_DEVICE": "cpu", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    print(f"vLLM {told['version']}: {len(told['answers'])} cases of {len(SHAPES)} shapes")
    return told["answers"]


def test_a_request_holds_what_vllm_says(answered: list[list[dict[str, int]]]) -> None:
    for (name, shape, terms), told in zip(cases(), answered, strict=True):
        theirs = sum(one.layers * answer["request"] for one, answer in zip(shape.layers, told, strict=True))
        assert request_bytes(shape, terms, TOKENS) == theirs, (name, terms)


def test_a_token_and_a_state_take_what_vllm_says(answered: list[list[dict[str, int]]]) -> None:
    for (name, shape, terms), told in zip(cases(), answered, strict=True):
        block = block_tokens(shape, terms)
        growing = 0
        for one, answer in zip(shape.layers, told, strict=True):
            if isinstance(one, StateLayers):
                assert state_bytes(one, terms.cards) == answer["state"], (name, terms)
            elif not (isinstance(one, AttentionLayers) and one.window):
                growing += one.layers * answer["page"]
        assert growing_bytes(shape, terms) * block == growing, (name, terms)


def test_a_block_is_the_smallest_whose_page_holds_a_state(answered: list[list[dict[str, int]]]) -> None:
    seen = 0
    for (name, shape, terms), told in zip(cases(), answered, strict=True):
        states = [answer["state"] for answer in told if answer["state"]]
        if not states:
            continue
        seen += 1
        block = block_tokens(shape, terms)
        page = min(answer["page"] for one, answer in zip(shape.layers, told, strict=True) if not answer["state"])
        assert page >= max(states) > page // block * (block - 16), (name, terms)
    assert seen > 0
