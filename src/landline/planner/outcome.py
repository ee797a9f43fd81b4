"""A plan, whatever server it is for: what is started with which flags, why, and the numbers behind it."""

from __future__ import annotations

from msgspec import Struct

from landline.planner.catalogue import Engine
from landline.planner.numbers import Number
from landline.planner.templates import Template

VLLM_RELEASE = "0.33.0"  # the release whose flags, defaults and formulae this planner knows


class Flag(Struct, frozen=True, kw_only=True):
    """`value` is None for a switch."""

    name: str
    value: str | None = None
    why: str

    @property
    def words(self) -> tuple[str, ...]:
        return (self.name,) if self.value is None else (self.name, self.value)


class Variable(Struct, frozen=True, kw_only=True):
    name: str
    value: str
    why: str


class Plan(Struct, frozen=True, kw_only=True):
    model: str
    checkpoint: str
    engine: Engine
    release: str
    family: str
    precision: str
    kv_type: str
    machine: str
    cards: int
    idle_cards: int
    context_tokens: int
    longest_tokens: int
    sessions: float
    numbers: tuple[Number, ...]
    flags: tuple[Flag, ...]
    environment: tuple[Variable, ...] = ()
    template: Template | None = None
    notes: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(word for flag in self.flags for word in flag.words)


class PlanDocument(Struct, frozen=True, kw_only=True):
    """What `landline plan --json` prints: a plan, or why there is none and what would fit."""

    fits: bool
    plan: Plan | None = None
    command: tuple[str, ...] = ()
    why: str = ""
    offers: tuple[str, ...] = ()


class Choosable(Struct, frozen=True, kw_only=True):
    """A row of `landline plan --list`."""

    model: str
    checkpoint: str
    parameters_b: float
    active_b: float
    precision: str
    kv_type: str
    context_tokens: int
    sessions: float
    weights_gib: float
    exact: bool


class ListDocument(Struct, frozen=True, kw_only=True):
    """What `landline plan --list --json` prints. `unknown_shapes` are models whose cache cannot be computed."""

    machine: str
    models: tuple[Choosable, ...]
    unknown_shapes: tuple[str, ...]
