"""The tables of cards and of models, decoded, and how a name finds its row. Reads bytes, not files."""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from landline.errors import ErrorKind, LandlineError
from landline.planner.shape import Count, Known, Layers, Shape, Tokens

MOST_CARDS = 64
SHOWN = 8  # names in a message
Text = Annotated[str, Meta(min_length=1, max_length=500)]
Size = Annotated[float, Meta(gt=0, le=100_000)]


class Precision(StrEnum):
    """Of the weights. The first that fits is taken: fp8 is half of bf16 and as good in the recipes' own tests."""

    FP8 = "fp8"
    MXFP8 = "mxfp8"
    BF16 = "bf16"
    INT8 = "int8"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    INT4 = "int4"
    Q8_0 = "q8_0"  # from here on GGUF, for llama.cpp and Ollama
    Q6_K = "q6_k"
    Q5_K_M = "q5_k_m"
    Q4_K_M = "q4_k_m"


BYTES_PER_PARAMETER: dict[Precision, float] = {
    Precision.BF16: 2,
    Precision.FP8: 1,
    Precision.MXFP8: 1.03,
    Precision.INT8: 1,
    Precision.NVFP4: 0.5625,  # 4 bits, and a scale of 8 for 16 values
    Precision.MXFP4: 0.53125,  # 4 bits, and a scale of 8 for 32 values
    Precision.INT4: 0.53125,
    Precision.Q8_0: 1.0625,
    Precision.Q6_K: 0.82,
    Precision.Q5_K_M: 0.711,
    Precision.Q4_K_M: 0.606,
}
GGUF = (Precision.Q8_0, Precision.Q6_K, Precision.Q5_K_M, Precision.Q4_K_M)
Engine = Literal["vllm", "llama.cpp", "ollama"]


class Card(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Text
    match: tuple[Text, ...] = ()
    gib: Size
    capability: float = 0
    engine: Literal["vllm", "llama.cpp"] = "vllm"
    status: Literal["stated", "nominal", "given"]
    source: Text

    @property
    def computes_fp8(self) -> bool:
        return self.capability >= 8.9

    @property
    def computes_fp4(self) -> bool:
        return self.capability >= 10


class Checkpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    precision: Precision
    id: Text
    recipe_gb: float = 0
    weights_gib: float = 0  # of its files, where a source says it
    args: tuple[str, ...] = ()
    weights_bytes: int = 0  # as its files here say; 0: not known


class Model(Struct, frozen=True, kw_only=True):
    """A model to plan for: a row of the table, or what a config.json says."""

    id: str
    parameters_b: float
    context: int
    checkpoints: tuple[Checkpoint, ...]
    shape: Shape | None
    active_b: float = 0
    ollama: str = ""
    counted: bool = False  # the parameters were counted from a config.json
    template: str = ""  # the chat template beside it: tells the family where the name does not


class _Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Text
    parameters_b: Size
    active_b: float = 0
    context: Tokens
    checkpoints: Annotated[tuple[Checkpoint, ...], Meta(min_length=1)]
    attention_heads: Count | None = None
    layers: tuple[Layers, ...] = ()
    status: Known | None = None
    shape_source: str = ""
    ollama: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        told = (self.attention_heads is not None, bool(self.layers), self.status is not None, bool(self.shape_source))
        if len(set(told)) > 1:
            raise ValueError("attention_heads, layers, status and shape_source go together")

    @property
    def model(self) -> Model:
        shape = None
        if self.attention_heads is not None and self.status is not None:
            heads, source = self.attention_heads, self.shape_source
            shape = Shape(attention_heads=heads, layers=self.layers, status=self.status, source=source)
        return Model(
            id=self.id,
            parameters_b=self.parameters_b,
            active_b=self.active_b,
            context=self.context,
            checkpoints=self.checkpoints,
            shape=shape,
            ollama=self.ollama,
        )


class Catalogue(Struct, frozen=True, kw_only=True):
    cards: tuple[Card, ...]
    models: tuple[Model, ...]

    def card(self, name: str) -> Card:
        """By any of its names, without regard to case and spaces."""
        wanted = _plain(name)
        for card in self.cards:
            if wanted in {_plain(one) for one in (card.name, *card.match)}:
                return card
        near = [card.name for card in self.cards if wanted and wanted in _plain(card.name)]
        raise LandlineError(
            ErrorKind.NOT_FOUND,
            f"No card is known as {name[:60]}." + (f" There are {', '.join(near)}." if near else ""),
            hint=f"Give its memory, as --vram GIB, or one of: {', '.join(card.name for card in self.cards)}.",
        )

    def model(self, name: str) -> Model | None:
        """By its id or the last part of it, by a checkpoint's id (that one alone), or by a part that only one has."""
        wanted = name.lower().rstrip("/")
        for model in self.models:
            if wanted in (model.id.lower(), _last(model.id)):
                return model
        for model in self.models:
            for one in model.checkpoints:
                if wanted in (one.id.lower(), _last(one.id)):
                    return msgspec.structs.replace(model, checkpoints=(one,))
        return self._by_part(name, wanted)

    def _by_part(self, name: str, wanted: str) -> Model | None:
        found = [model for model in self.models if wanted in model.id.lower()]
        if len(found) > 1:
            names = ", ".join(model.id for model in found[:SHOWN])
            raise LandlineError(
                ErrorKind.INVALID_REQUEST,
                f"{name[:60]} fits {len(found)} models: {names}{', ...' if len(found) > SHOWN else ''}.",
                hint="Give the whole name of one.",
            )
        return found[0] if found else None


def read_catalogue(cards: bytes, models: bytes) -> Catalogue:
    """Raises ValueError (msgspec.ValidationError, TOMLDecodeError) for tables that are none."""
    hardware = msgspec.convert(_table(cards).get("card", []), tuple[Card, ...])
    rows = msgspec.convert(_table(models).get("model", []), tuple[_Row, ...])
    return Catalogue(cards=hardware, models=tuple(row.model for row in rows))


def split_count(text: str) -> tuple[str, int]:
    """NAME or NAMExN, as in H100x8. No count has four digits: RTX4090 is a name."""
    named = re.fullmatch(r"(.+?)\s*[x*×]\s*(\d{1,3})", text.strip(), re.IGNORECASE)
    name, count = (named[1], int(named[2])) if named else (text.strip(), 1)
    if not name or not 1 <= count <= MOST_CARDS:
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"{text[:60]} is no number of cards.",
            hint=f"Write NAME or NAMExN, with N from 1 to {MOST_CARDS}: --gpu H100x8.",
        )
    return name, count


def _table(content: bytes) -> dict[str, Any]:
    return tomllib.loads(content.decode())


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]|nvidia|geforce", "", name.lower())


def _last(model_id: str) -> str:
    return model_id.lower().rpartition("/")[2]
