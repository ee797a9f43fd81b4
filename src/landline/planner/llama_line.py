"""llama.cpp's and Ollama's lines, for cards and Macs that vLLM does not serve. GGUF files, slots instead of blocks."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from landline.families.rows import Family
from landline.planner.candidates import Candidate, Machine, weights_of
from landline.planner.catalogue import GGUF, Checkpoint, Engine, Model, Precision
from landline.planner.decision import Choice, Wish
from landline.planner.figures import figures
from landline.planner.memory import CacheTerms, KvType, Room
from landline.planner.notes import family_notes, size_notes
from landline.planner.numbers import GIB
from landline.planner.outcome import Flag, Plan, Variable
from landline.planner.shape import Shape

LLAMA_RELEASE = "builds of October 2026"
OLLAMA_RELEASE = "2026-08"
UTILIZATION = 0.95
COMPUTE_GIB = 1.0  # buffers of one batch; assumed
LEAST_SLOTS = 3  # the turn, a title or a search, a subagent: with fewer they push the long prompt out of its slot
PORT = 8080
OLLAMA_PORT = 11434


def llama_candidates(
    model: Model, shape: Shape, machine: Machine, *, precision: Precision | None, ollama: bool
) -> Iterator[Candidate]:
    """GGUF files of each size, the best first, with the cache in f16 before q8_0."""
    for checkpoint in _files(model, precision, ollama=ollama):
        weights = weights_of(model, checkpoint, checkpoint.precision)
        for kv in (KvType.F16, KvType.Q8_0):
            yield Candidate(
                checkpoint=checkpoint,
                shape=shape,
                terms=CacheTerms(kv=kv, aligned=False, whole_windows=True),
                room=Room(
                    total=machine.total_gib * GIB,
                    utilization=UTILIZATION,
                    weights=weights.gib * GIB,
                    activations=COMPUTE_GIB * GIB,
                    graphs=0,
                ),
                weights=weights,
                batched_tokens=0,
            )


def _files(model: Model, precision: Precision | None, *, ollama: bool) -> tuple[Checkpoint, ...]:
    """A model that is published in MXFP4 alone has GGUF files of that kind, and no better ones. Ollama's short tags
    mean q4_k_m."""
    native = model.checkpoints[0]
    if len(model.checkpoints) == 1 and native.precision is Precision.MXFP4:
        return (native,) if precision in (None, Precision.MXFP4) else ()
    wanted = precision or (Precision.Q4_K_M if ollama else None)
    return tuple(Checkpoint(precision=one, id=model.id) for one in GGUF if wanted in (None, one))


def llama_plan(
    model: Model, family: Family | None, machine: Machine, wish: Wish, choice: Choice, *, engine: Engine
) -> Plan:
    taken = choice.candidate
    limit = model.context or choice.context
    ollama = engine == "ollama"
    slots = max(LEAST_SLOTS, wish.least_sessions + LEAST_SLOTS - 1)
    whole = msgspec.structs.replace(machine, card=msgspec.structs.replace(machine.card, gib=machine.total_gib))
    return Plan(
        model=model.id,
        checkpoint=model.ollama if ollama and model.ollama else f"{model.id.rpartition('/')[2]}-{_file(taken)}",
        engine=engine,
        release=OLLAMA_RELEASE if ollama else LLAMA_RELEASE,
        family=family.name if family else "",
        precision=taken.checkpoint.precision.value,
        kv_type=taken.terms.kv.value,
        machine=machine.shown,
        cards=machine.count,
        idle_cards=0,
        context_tokens=choice.context,
        longest_tokens=taken.longest(sessions=1, limit=limit),
        sessions=taken.sessions(choice.context),
        numbers=figures(taken, whole, choice.context),
        flags=() if ollama else tuple(_flags(wish, choice, slots)),
        environment=tuple(_ollama_environment(wish, choice)) if ollama else (),
        notes=tuple(_notes(model, family, machine, choice, ollama=ollama)),
    )


def _file(taken: Candidate) -> str:
    return f"{taken.checkpoint.precision.value.upper()}.gguf"


def _flags(wish: Wish, choice: Choice, slots: int) -> Iterator[Flag]:
    taken, kv = choice.candidate, choice.candidate.terms.kv
    yield Flag(name="--host", value="127.0.0.1", why="this machine alone")
    yield Flag(name="--port", value=str(PORT), why=f"for landline: --backend http://127.0.0.1:{PORT}")
    yield Flag(name="--jinja", why="the model's own chat template; without it there are no tools")
    yield Flag(name="--n-gpu-layers", value="999", why="all layers on the card")
    context = str(choice.context * wish.least_sessions)
    yield Flag(name="--ctx-size", value=context, why="tokens of all sessions together")
    why = "a title, a search or a subagent gets a slot of its own instead of that of the long prompt"
    yield Flag(name="--parallel", value=str(slots), why=why)
    yield Flag(name="--kv-unified", why="slots share the context; else each has its part of it alone")
    yield Flag(name="--cache-reuse", value="256", why="pieces of a prompt that moved are not read again")
    if kv is KvType.Q8_0:
        yield Flag(name="--flash-attn", value="on", why="a smaller cache needs it")
        yield Flag(name="--cache-type-k", value=kv.value, why="about half the memory of f16")
        yield Flag(name="--cache-type-v", value=kv.value, why="about half the memory of f16")
    if taken.shape.has_window:
        yield Flag(name="--swa-full", why="keeps whole windows: else each turn is read from its beginning")
    yield Flag(name="--metrics", why="landline reads what came from the cache")


def _ollama_environment(wish: Wish, choice: Choice) -> Iterator[Variable]:
    why = "its defaults cut prompts in silence"
    yield Variable(name="OLLAMA_CONTEXT_LENGTH", value=str(choice.context), why=why)
    why = "requests at once; each has a whole context of its own"
    yield Variable(name="OLLAMA_NUM_PARALLEL", value=str(wish.least_sessions), why=why)
    yield Variable(name="OLLAMA_KEEP_ALIVE", value="-1", why="the model stays loaded, and its cache with it")
    yield Variable(name="OLLAMA_FLASH_ATTENTION", value="1", why="needed for a smaller cache")
    kind = choice.candidate.terms.kv.value
    yield Variable(name="OLLAMA_KV_CACHE_TYPE", value=kind, why="type of the cache")


def _notes(model: Model, family: Family | None, machine: Machine, choice: Choice, *, ollama: bool) -> Iterator[str]:
    yield from size_notes(machine, choice)
    yield from family_notes(model, family)
    if ollama:
        yield "the tag says which quantisation Ollama fetches: ollama show must name the one planned here"
        if not model.ollama:
            yield f"the tag of {model.id} in Ollama's library is not known here: put it in the place of the file name"
        if choice.candidate.shape.has_window:
            yield "Ollama has no switch that keeps whole windows: side calls may cost the main prompt its cache"
    else:
        yield "the file name is an example: give the path of your GGUF file"
    if choice.candidate.shape.has_state:
        yield "states cannot be cut back: a prompt that changes in its middle is read again from its beginning"
