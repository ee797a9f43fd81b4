"""What whoever starts the server should know beside the flags. One sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from landline.families.rows import Family
from landline.planner.candidates import Candidate, Machine
from landline.planner.catalogue import Card, Model, Precision
from landline.planner.decision import GOOD_TOKENS, Choice

_FOUR_BITS = (Precision.NVFP4, Precision.MXFP4)
_EIGHT_BITS = (Precision.FP8, Precision.MXFP8)


def vllm_notes(
    model: Model, family: Family | None, machine: Machine, choice: Choice, *, fits_alone: bool
) -> Iterator[str]:
    yield from size_notes(machine, choice)
    if fits_alone:
        yield (
            f"one {machine.card.name} holds it too: a server on each of them, all named to landline, serves more "
            "people than one over all"
        )
    yield from _precision_notes(machine.card, choice.candidate)
    if choice.candidate.shape.has_state:
        yield (
            "prefix caching of states is experimental in vLLM (vllm#51198): its /metrics must show hits after the "
            "second turn; landline watch says where there are none"
        )
    yield from family_notes(model, family)
    if family is not None and family.min_version == "nightly":
        yield "the recipe asks for a nightly build of vLLM, at its date (2026-08)"
    elif family is not None and family.min_version:
        yield (
            f"vLLM {family.min_version} or newer: an older one ends at its start with an unknown parser, or reads "
            f"{family.name} wrongly"
        )
    if family is not None and family.vllm_args.text_only:
        yield f"without pictures, {' '.join(family.vllm_args.text_only)} frees the memory of the vision part"
    if not model.context:
        yield "the config.json names no window (max_position_embeddings): vLLM may refuse --max-model-len"


def size_notes(machine: Machine, choice: Choice) -> Iterator[str]:
    used = choice.candidate.terms.cards
    if choice.context < GOOD_TOKENS:
        yield f"{choice.context:,} tokens are few: an agent forgets its task soon; {GOOD_TOKENS:,} are better"
    if machine.count > used:
        idle = machine.count - used
        yield f"{idle} of {machine.count} cards stay idle: its heads cannot be spread over more than {used}"


def family_notes(model: Model, family: Family | None) -> Iterator[str]:
    if family is None:
        yield f"no family is known for {model.id}: a row of your own names its parsers (docs/models.md)"
    elif not family.tool_parser:
        yield f"family {family.name} is not known to call tools"


def _precision_notes(card: Card, taken: Candidate) -> Iterator[str]:
    precision = taken.checkpoint.precision
    if not card.capability:
        return
    slower = "weights are unpacked as they are used, and long prompts are slower for it"
    if precision in _FOUR_BITS and not card.computes_fp4:
        yield f"{card.name} does not compute in 4 bits: {slower}"
    if precision in _EIGHT_BITS and not card.computes_fp8:
        yield f"{card.name} does not compute in fp8: {slower}"
