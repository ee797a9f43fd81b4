"""vLLM's arguments for what was decided, each with its reason. The order is that of the printed line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from landline.families.rows import Family
from landline.planner.candidates import Candidate, Machine
from landline.planner.catalogue import Model, Precision
from landline.planner.decision import Choice, Wish
from landline.planner.figures import figures
from landline.planner.memory import KvType, block_tokens
from landline.planner.notes import vllm_notes
from landline.planner.outcome import VLLM_RELEASE, Flag, Plan, Variable
from landline.planner.templates import Template, template_of

PORT = 8000
LEAST_SEQUENCES, MOST_SEQUENCES = 4, 256
CALLS_PER_SESSION = 2  # the turn itself, and a title, a search or a subagent beside it
LARGE_WEIGHTS_GIB = 100
_READY_TIMEOUT = "VLLM_ENGINE_READY_TIMEOUT_S"
_TEMPLATE = "--chat-template"
_KNOWN_WHY = {
    "--trust-remote-code": "the recipe wants it: Python code of the model's repository is run; look at it first",
    _TEMPLATE: "the template that the recipe wants for tool calls",
    "--language-model-only": "leaves the vision part out",
    "--tokenizer-mode": "this model's own tokenizer code: it has no Jinja template",
    "--config-format": "Mistral's own files",
    "--load-format": "Mistral's own files",
    "--block-size": "that of the model's sparse attention",
    "--enable-expert-parallel": "experts lie whole on one card each",
    "--generation-config": "where the sampling defaults come from",
    "--moe-backend": "the kernel that the recipe names for these weights",
    "--chat-template-content-format": "the template wants text, not lists of parts",
    "--default-chat-template-kwargs": "switches of the chat template",
    "--reasoning-config": "the marks of the thinking, for its budget",
    "--quantization": "what these weights are",
}


def vllm_plan(
    model: Model, family: Family | None, machine: Machine, wish: Wish, choice: Choice, *, fits_alone: bool = False
) -> Plan:
    """`fits_alone`: one of the cards holds it too."""
    taken = choice.candidate
    limit = model.context or choice.context
    template = _template(family)
    return Plan(
        model=model.id,
        checkpoint=taken.checkpoint.id,
        engine="vllm",
        release=VLLM_RELEASE,
        family=family.name if family else "",
        precision=(Precision.FP8 if taken.online else taken.checkpoint.precision).value,
        kv_type=taken.terms.kv.value,
        machine=machine.shown,
        cards=taken.terms.cards,
        idle_cards=machine.count - taken.terms.cards,
        context_tokens=choice.context,
        longest_tokens=taken.longest(sessions=1, limit=limit),
        sessions=taken.sessions(choice.context),
        numbers=figures(taken, machine, choice.context),
        flags=tuple(_flags(family, wish, choice)),
        environment=tuple(_environment(family, taken)),
        template=template,
        notes=tuple(vllm_notes(model, family, machine, choice, fits_alone=fits_alone)),
    )


def sequences(taken: Candidate, context: int, wish: Wish) -> int:
    """Requests that run at once: short ones fit beside each other even where two long ones would not."""
    sessions = max(int(taken.sessions(context)), wish.least_sessions)
    return min(max(LEAST_SEQUENCES, CALLS_PER_SESSION * sessions), MOST_SEQUENCES)


def _flags(family: Family | None, wish: Wish, choice: Choice) -> Iterator[Flag]:
    own = [*_server_flags(), *_size_flags(wish, choice), *_cache_flags(choice.candidate), *_tool_flags(family)]
    own += _sharing_flags(wish)
    names = {flag.name for flag in own}
    yield from own
    for flag in _recipe_flags(family, choice.candidate):
        if flag.name not in names:
            names.add(flag.name)
            yield flag


def _server_flags() -> Iterator[Flag]:
    yield Flag(
        name="--host", value="127.0.0.1", why="this machine alone; vLLM's default is every interface, without a key"
    )
    yield Flag(name="--port", value=str(PORT), why="for landline: --backend http://127.0.0.1:8000")


def _size_flags(wish: Wish, choice: Choice) -> Iterator[Flag]:
    taken = choice.candidate
    if taken.online:
        yield Flag(name="--quantization", value="fp8", why="makes the bf16 weights smaller while they are loaded")
    if taken.terms.cards > 1:
        cards = str(taken.terms.cards)
        yield Flag(name="--tensor-parallel-size", value=cards, why="each layer is spread over so many cards")
    yield Flag(name="--max-model-len", value=str(choice.context), why="the window; landline tells it to the client")
    count = sequences(taken, choice.context, wish)
    yield Flag(
        name="--max-num-seqs", value=str(count), why="requests at once, side calls of agents among them; others wait"
    )
    batched = max(taken.batched_tokens, block_tokens(taken.shape, taken.terms))
    yield Flag(
        name="--max-num-batched-tokens", value=str(batched), why="tokens of one step: more makes long prompts quicker"
    )
    yield Flag(
        name="--gpu-memory-utilization", value=f"{taken.room.utilization:g}", why="share of the card that vLLM may fill"
    )


def _cache_flags(taken: Candidate) -> Iterator[Flag]:
    kind = taken.terms.kv
    why = "half the memory of bf16 for each token" if kind is KvType.FP8 else "as the weights compute (bf16)"
    yield Flag(name="--kv-cache-dtype", value=kind.value, why=why)
    yield Flag(name="--enable-prefix-caching", why="a turn costs its new tokens only")
    if taken.shape.has_state:
        block = block_tokens(taken.shape, taken.terms)
        why = f"states are kept at block boundaries: what is cached is reused in steps of {block:,} tokens"
        yield Flag(name="--mamba-cache-mode", value="align", why=why)
    yield Flag(name="--enable-chunked-prefill", why="a long prompt does not hold up the others' answers")


def _tool_flags(family: Family | None) -> Iterator[Flag]:
    if family is not None and family.tool_parser:
        yield Flag(name="--enable-auto-tool-choice", why="the model may call tools; without it calls arrive as text")
        yield Flag(name="--tool-call-parser", value=family.tool_parser, why=f"how family {family.name} writes calls")
    if family is not None and family.reasoning_parser:
        why = "keeps the thinking apart from the answer"
        yield Flag(name="--reasoning-parser", value=family.reasoning_parser, why=why)
    yield Flag(name="--enable-prompt-tokens-details", why="tells how much of each prompt came from the cache")


def _sharing_flags(wish: Wish) -> Iterator[Flag]:
    yield Flag(
        name="--sse-keep-alive-interval", value="15", why="a comment in silent streams, so that no proxy cuts them"
    )
    if wish.least_sessions > 1:
        why = "several share it: a request may say how urgent it is"
        yield Flag(name="--scheduling-policy", value="priority", why=why)


def _recipe_flags(family: Family | None, taken: Candidate) -> Iterator[Flag]:
    if family is not None:
        told = family.vllm_args
        parser = told.reasoning if family.reasoning_parser else ()
        yield from _as_flags((*told.always, *told.tools, *parser), whose="the family's recipe names it")
    yield from _as_flags(taken.checkpoint.args, whose="the recipe names it for these weights")


def _as_flags(words: Sequence[str], *, whose: str) -> Iterator[Flag]:
    """Words of a command line. Underscores are dashes to vLLM, and --name=value is two words."""
    at = 0
    while at < len(words):
        name, _, value = words[at].partition("=")
        at += 1
        if not value and at < len(words) and not words[at].startswith("--"):
            value = words[at]
            at += 1
        name = name.replace("_", "-") if "." not in name else name
        if name == _TEMPLATE and (template := template_of(value)):
            value = template.name
        yield Flag(name=name, value=value or None, why=_KNOWN_WHY.get(name, whose))


def _template(family: Family | None) -> Template | None:
    words = family.vllm_args.tools if family else ()
    found = (template_of(value) for name, value in pairwise(words) if name == _TEMPLATE)
    return next((one for one in found if one is not None), None)


def _environment(family: Family | None, taken: Candidate) -> Iterator[Variable]:
    yield Variable(name="VLLM_NO_USAGE_STATS", value="1", why="vLLM reports nothing about you")
    told = family.vllm_args.env if family else {}
    if taken.weights.gib > LARGE_WEIGHTS_GIB and _READY_TIMEOUT not in told:
        yield Variable(name=_READY_TIMEOUT, value="3600", why="such weights load for longer than vLLM waits (600 s)")
    for name, value in told.items():
        yield Variable(name=name, value=value, why="the family's recipe sets it")
