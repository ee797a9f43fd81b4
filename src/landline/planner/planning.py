"""From a model, cards and a wish to a plan, a refusal, or the list of what could be run. The planner's front door."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from landline.errors import ErrorKind, LandlineError
from landline.families.rows import Family
from landline.planner.candidates import Candidate, Machine, vllm_candidates
from landline.planner.catalogue import GGUF, Card, Catalogue, Engine, Model, Precision
from landline.planner.decision import GOOD_TOKENS, LEAST_TOKENS, Choice, Refusal, Wish, choose
from landline.planner.llama_line import llama_candidates, llama_plan
from landline.planner.memory import KvType
from landline.planner.numbers import GIB
from landline.planner.outcome import Choosable, ListDocument, Plan
from landline.planner.shape import Shape
from landline.planner.vllm_line import vllm_plan

MOST_OTHERS = 3
FamilyOf = Callable[[str], Family | None]


def plan(model: Model, family: Family | None, machine: Machine, wish: Wish, *, engine: Engine) -> Plan | Refusal:
    """Raises LandlineError for a wish that makes no sense, and for a model whose shape is not known."""
    shape = _shape_of(model)
    if engine == "vllm" and machine.card.engine != "vllm":
        raise LandlineError(
            ErrorKind.INVALID_REQUEST,
            f"vLLM does not run on {machine.card.name}.",
            hint=f"Plan for --engine {machine.card.engine}, or for ollama.",
        )
    choice = choose(model, machine, wish, _candidates(model, family, shape, engine))
    if isinstance(choice, Refusal):
        return choice
    if engine == "vllm":
        alone = machine.count > 1 and _fits_alone(model, family, shape, machine, wish)
        return vllm_plan(model, family, machine, wish, choice, fits_alone=alone)
    return llama_plan(model, family, machine, wish, choice, engine=engine)


def choosable(
    catalogue: Catalogue, machine: Machine, wish: Wish, *, engine: Engine, family_of: FamilyOf
) -> ListDocument:
    """Every model of the table that these cards hold, the largest first."""
    rows = [row for model in catalogue.models for row in _row(model, machine, wish, engine, family_of)]
    rows.sort(key=lambda row: -row.parameters_b)
    unknown = tuple(model.id for model in catalogue.models if model.shape is None)
    return ListDocument(machine=machine.shown, models=tuple(rows), unknown_shapes=unknown)


def others(catalogue: Catalogue, machine: Machine, wish: Wish, *, engine: Engine, family_of: FamilyOf) -> str:
    """What the same cards hold instead, in words; empty where nothing does."""
    found = choosable(catalogue, machine, wish, engine=engine, family_of=family_of).models[:MOST_OTHERS]
    named = [f"{row.model} ({row.precision}, {row.context_tokens:,} tokens)" for row in found]
    return f"another model: {', '.join(named)}" if named else ""


def _shape_of(model: Model) -> Shape:
    if model.shape is None:
        raise LandlineError(
            ErrorKind.NOT_FOUND,
            f"The layers of {model.id} are not in landline's table, so its cache cannot be computed.",
            hint="Give its config.json or the folder with its weights as MODEL, or let it be read from the Hugging "
            "Face hub (without --offline).",
        )
    return model.shape


def _candidates(
    model: Model, family: Family | None, shape: Shape, engine: Engine
) -> Callable[[Wish, Machine], Iterable[Candidate]]:
    if engine != "vllm":
        ollama = engine == "ollama"
        return lambda wish, machine: llama_candidates(model, shape, machine, precision=wish.precision, ollama=ollama)
    kv = _wanted_kv(family)
    return lambda wish, machine: vllm_candidates(model, shape, machine, precision=wish.precision, kv=kv)


def _fits_alone(model: Model, family: Family | None, shape: Shape, machine: Machine, wish: Wish) -> bool:
    one, single = Machine(card=machine.card), Wish(context=wish.context, precision=wish.precision)
    choice = choose(model, one, single, _candidates(model, family, shape, "vllm"))
    return isinstance(choice, Choice) and choice.context >= (wish.context or GOOD_TOKENS)


def _wanted_kv(family: Family | None) -> KvType | None:
    """Where the family's recipe leaves no choice."""
    words = family.vllm_args.always if family else ()
    return KvType.FP8 if "--kv-cache-dtype" in words else None


def _row(model: Model, machine: Machine, wish: Wish, engine: Engine, family_of: FamilyOf) -> Iterator[Choosable]:
    if model.shape is None or model.context < max(wish.context, LEAST_TOKENS):
        return
    if wish.precision and engine == "vllm" and wish.precision not in {one.precision for one in model.checkpoints}:
        return
    if wish.precision and engine != "vllm" and wish.precision not in (*GGUF, Precision.MXFP4):
        return
    choice = choose(model, machine, wish, _candidates(model, family_of(model.id), model.shape, engine))
    if isinstance(choice, Choice):
        yield _choosable(model, choice)


def _choosable(model: Model, choice: Choice) -> Choosable:
    taken = choice.candidate
    return Choosable(
        model=model.id,
        checkpoint=taken.checkpoint.id,
        parameters_b=model.parameters_b,
        active_b=model.active_b or model.parameters_b,
        precision=taken.checkpoint.precision.value,
        kv_type=taken.terms.kv.value,
        context_tokens=choice.context,
        sessions=round(taken.sessions(choice.context), 1),
        weights_gib=round(taken.room.weights * taken.terms.cards / GIB, 1),
        exact=taken.shape.status.is_exact and taken.weights.exact,
    )


def given_card(gib: float) -> Machine:
    """A card of which only the memory is known: it is taken for one of NVIDIA's that computes fp8."""
    card = Card(name="card", gib=gib, capability=8.9, status="given", source="--vram")
    return Machine(card=card)
