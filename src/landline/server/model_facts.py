"""What is known of a served model and how: for `landline models`, asked of a backend here or of a running gateway.

The struct is also read from what answers as a gateway: every field has a default, and its texts are foreign.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from landline.config.settings import Sampling as OwnSampling
from landline.families.registry import Family, Match
from landline.families.rows import QUIRKS_IN_WORDS
from landline.server.sampling import in_force
from landline.upstream.backend import Backend
from landline.upstream.dialects import BackendKind

NO_FAMILY = (
    "no family is known for this model: its template and its calls are taken as any model's. "
    "A row of your own (models.families) tells which one it is like"
)
_VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?")


class ModelFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`window` in tokens, 0: not known. `found_by` is what the server told, `pattern` what fitted it."""

    id: str = ""
    window: int = 0
    root: str = ""
    architecture: str = ""
    family: str = ""
    found_by: str = ""
    found_in: str = ""
    pattern: str = ""
    overlay: bool = False  # a row of the user's own file
    tool_parser: str = ""
    reasoning_parser: str = ""
    min_version: str = ""
    sampling: dict[str, float] = {}
    sampling_from: str = ""
    quirks: list[str] = []
    findings: list[str] = []


def model_facts(backend: Backend, model: str, own: OwnSampling) -> ModelFacts:
    match = backend.match(model)
    family = match.family if match else None
    told = next((known for known in backend.models if known.id == model), None)
    sampling = in_force(own, family, backend.dialect(model))
    values = (("temperature", sampling.sampling.temperature), ("top_p", sampling.sampling.top_p))
    facts = ModelFacts(
        id=model,
        window=backend.window(model),
        root=told.root if told else "",
        architecture=told.architecture if told else "",
        sampling={name: value for name, value in (*values, ("top_k", sampling.sampling.top_k)) if value is not None},
        sampling_from=sampling.source,
        findings=_findings(backend, family),
    )
    return facts if match is None else _with_family(facts, match)


def _with_family(facts: ModelFacts, match: Match) -> ModelFacts:
    family = match.family
    return replace(
        facts,
        family=family.name,
        found_by=match.on.value,
        found_in=match.value,
        pattern=match.pattern,
        overlay=match.overlay,
        tool_parser=family.tool_parser,
        reasoning_parser=family.reasoning_parser,
        min_version=family.min_version,
        quirks=quirks_in_words(family),
    )


def quirks_in_words(family: Family) -> list[str]:
    words = [QUIRKS_IN_WORDS[quirk] for quirk in family.quirks]
    if family.keep_thinking:
        switches = ", ".join(f"{name} = {str(value).lower()}" for name, value in family.keep_thinking.items())
        words.append(f"the template keeps the thinking of earlier turns with {switches}")
    if family.drops_thinking:
        words.append("the template leaves out the thinking of earlier turns")
    if family.efforts:
        words.append(f"efforts of thinking: {', '.join(family.efforts)}")
    return words


def _findings(backend: Backend, family: Family | None) -> list[str]:
    if backend.native:
        return []
    if family is None:
        return [NO_FAMILY]
    if backend.kind is BackendKind.VLLM and older(backend.version, family.min_version):
        return [f"vLLM {backend.version} is older than {family.min_version}, which {family.name} needs"]
    return []


def older(version: str, least: str) -> bool:
    """Whether it surely is: versions that are no numbers are not compared."""
    one, other = _VERSION.match(version), _VERSION.match(least)
    if one is None or other is None:
        return False
    return [int(part or 0) for part in one.groups()] < [int(part or 0) for part in other.groups()]
