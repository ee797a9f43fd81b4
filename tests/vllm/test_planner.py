"""The planner's bytes are those of vLLM's own cache specs, for every shape of the table, type of cache and spread, and
its lines are read by vLLM's own parser.

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

from landline.planner.candidates import Machine
from landline.planner.decision import Wish
from landline.planner.memory import CacheTerms, KvType, block_tokens, growing_bytes, request_bytes, state_bytes
from landline.planner.outcome import Plan
from landline.planner.planning import plan
from landline.planner.shape import AttentionLayers, Layers, Shape, StateLayers
from tests.golden.plans import MODELS, outcomes
from tests.unit.planner.models import CATALOGUE, FAMILIES
from tests.vllm.installed import vllm_python

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]

TOKENS, IN_FLIGHT = 131_072, 8192
POOL_BYTES = 64 * 1024**3
# The spec of sparse latent attention is written by a backend that needs a GPU.
SHAPES = {one.id: one.shape for one in CATALOGUE.models if one.shape is not None and not one.shape.is_sparse}


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
        "pool": POOL_BYTES,
        "layers": [_layer(one) for one in shape.layers],
    }


def _layer(one: Layers) -> dict[str, Any]:
    """With its defaults, which msgspec keeps."""
    return msgspec.to_builtins(one)


def vllm_says(script: str, wanted: object) -> dict[str, Any]:
    done = subprocess.run(
        [str(vllm_python()), str(Path(__file__).parent / script)],
        input=json.dumps(wanted),
        env={**os.environ, "VLLM_TARGET_DEVICE": "cpu", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"\nvLLM {told['version']}, {script}: {len(told.get('answers') or told.get('complaints'))} cases")
    return told


@pytest.fixture(scope="module")
def answered() -> list[dict[str, Any]]:
    return vllm_says("cache_specs.py", [asked(shape, terms) for _, shape, terms in cases()])["answers"]


def test_its_parser_takes_every_line() -> None:
    """Those of the golden files, and one for each other model of the table."""
    plans = [one for name in MODELS for one in outcomes(name).values() if isinstance(one, Plan)]
    machine = Machine(card=CATALOGUE.card("B200"), count=16)
    for model in CATALOGUE.models:
        if model.shape is not None:
            found = plan(model, FAMILIES.family(model.id), machine, Wish(sessions=2), engine="vllm")
            assert isinstance(found, Plan)
            plans.append(found)
    wrong = ["who/knows", "--no-such-flag"]
    complaints = vllm_says("launch_lines.py", [[one.checkpoint, *one.arguments] for one in plans] + [wrong])[
        "complaints"
    ]
    assert complaints[-1], "a wrong flag must be seen"
    found_wrong = {one.checkpoint: text for one, text in zip(plans, complaints[:-1], strict=True) if text}
    assert found_wrong == {}


def test_a_request_holds_what_vllm_says(answered: list[dict[str, Any]]) -> None:
    for (name, shape, terms), told in zip(cases(), answered, strict=True):
        theirs = sum(one.layers * answer["request"] for one, answer in zip(shape.layers, told["layers"], strict=True))
        assert request_bytes(shape, terms, TOKENS) == theirs, (name, terms)


def test_a_token_and_a_state_take_what_vllm_says(answered: list[dict[str, Any]]) -> None:
    for (name, shape, terms), told in zip(cases(), answered, strict=True):
        block = block_tokens(shape, terms)
        growing = 0
        for one, answer in zip(shape.layers, told["layers"], strict=True):
            if isinstance(one, StateLayers):
                assert state_bytes(one, terms.cards) == answer["state"], (name, terms)
            elif not (isinstance(one, AttentionLayers) and one.window):
                growing += one.layers * answer["page"]
        assert growing_bytes(shape, terms) * block == growing, (name, terms)


def test_a_block_is_the_smallest_whose_page_holds_a_state(answered: list[dict[str, Any]]) -> None:
    seen = 0
    for (name, shape, terms), told in zip(cases(), answered, strict=True):
        states = [answer["state"] for answer in told["layers"] if answer["state"]]
        if not states:
            continue
        seen += 1
        block = block_tokens(shape, terms)
        page = min(
            answer["page"] for one, answer in zip(shape.layers, told["layers"], strict=True) if not answer["state"]
        )
        assert page >= max(states) > page // block * (block - 16), (name, terms)
    assert seen > 0


def test_a_pool_holds_as_many_requests_as_vllm_says(answered: list[dict[str, Any]]) -> None:
    """Within one in a hundred: vLLM's groups of layers are filled up (Nemotron: 23 to 24), and its blocks are whole."""
    for (name, shape, terms), told in zip(cases(), answered, strict=True):
        ours = POOL_BYTES / request_bytes(shape, terms, TOKENS)
        assert ours == pytest.approx(told["requests"], rel=0.01), (name, terms)
