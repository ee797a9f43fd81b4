"""Shapes and cards of the tests: those of the table, and a way to plan in one line."""

from __future__ import annotations

from landline.families.registry import Registry
from landline.families.rows import Family
from landline.planner.candidates import Machine
from landline.planner.catalogue import Catalogue, Engine, Model, split_count
from landline.planner.decision import Refusal, Wish
from landline.planner.outcome import Plan
from landline.planner.planning import plan
from landline.planner.shape import Shape
from landline.upstream.families import known_families
from landline.upstream.model_sources import shipped_catalogue

CATALOGUE: Catalogue = shipped_catalogue()
FAMILIES: Registry = known_families()


def model(name: str) -> Model:
    found = CATALOGUE.model(name)
    assert found is not None
    return found


def shape(name: str) -> Shape:
    found = model(name).shape
    assert found is not None
    return found


def cards(text: str) -> Machine:
    name, count = split_count(text)
    return Machine(card=CATALOGUE.card(name), count=count)


def family(name: str) -> Family | None:
    return FAMILIES.family(name)


def outcome(name: str | Model, gpu: str, wish: Wish | None = None, *, engine: Engine = "vllm") -> Plan | Refusal:
    one = model(name) if isinstance(name, str) else name
    return plan(one, family(one.id), cards(gpu), wish or Wish(), engine=engine)


def planned(name: str | Model, gpu: str, wish: Wish | None = None, *, engine: Engine = "vllm") -> Plan:
    found = outcome(name, gpu, wish, engine=engine)
    assert isinstance(found, Plan), found
    return found


def value(plan: Plan, flag: str) -> str | None:
    """Of a flag that must be there; None for a switch."""
    (found,) = (one.value for one in plan.flags if one.name == flag)
    return found


def has(plan: Plan, flag: str) -> bool:
    return any(one.name == flag for one in plan.flags)
