"""`landline plan`: whether a model fits on cards, how, for how many, and the line that starts its server."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from landline.cli.output import emit, notice, reports_errors, table

if TYPE_CHECKING:
    from landline.families.registry import Registry
    from landline.planner.candidates import Machine
    from landline.planner.catalogue import Catalogue, Engine
    from landline.planner.decision import Refusal, Wish
    from landline.planner.outcome import ListDocument

EXIT_DOES_NOT_FIT = 1
FORMATS = ("command", "compose", "systemd", "kubernetes", "json")
ENGINES = ("vllm", "llama.cpp", "ollama")


@click.command(
    epilog="\b\nExamples:\n  landline plan Qwen/Qwen3.6-27B --gpu RTX5090\n"
    "  landline plan MiniMaxAI/MiniMax-M2.5 --gpu H100x4 --sessions 8 --format compose > compose.yaml\n"
    "  landline plan ./my-model --vram 24 --context 65536 --explain\n"
    "  landline plan --list --vram 24\n"
    "  landline plan openai/gpt-oss-20b --gpu apple-36gb\n"
    "  landline plan Qwen/Qwen3.6-27B --gpu H200 --json | jq -r '.command | @sh'\n\n"
    "\b\nWhat the numbers mean, and how sure they are: docs/plan.md"
)
@click.argument("model", required=False)
@click.option("--gpu", metavar="NAME[xN]", help="Card, and how many: RTX4090, H100x8, apple-64gb.")
@click.option(
    "--vram", type=click.FloatRange(1, 100_000), metavar="GIB", help="Memory of a card that is not known by name."
)
@click.option("--context", type=click.IntRange(1, 100_000_000), metavar="N", help="Tokens that a session must hold.")
@click.option("--sessions", type=click.IntRange(1, 10_000), metavar="N", help="Sessions of that length at once.")
@click.option("--quantization", metavar="Q", help="Of the weights: bf16, fp8, nvfp4, mxfp4, int4, q4_k_m, ...")
@click.option("--engine", type=click.Choice(ENGINES), help="Server.  [default: vllm, llama.cpp where vLLM has none]")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="command", show_default=True, help="What to print."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--explain", is_flag=True, help="Show the formula of each number.")
@click.option("--list", "list_all", is_flag=True, help="Show every model that fits instead of planning one.")
@click.option("--offline", is_flag=True, help="Never ask the Hugging Face hub.")
@reports_errors
def plan(
    *,
    model: str | None,
    gpu: str | None,
    vram: float | None,
    context: int | None,
    sessions: int | None,
    quantization: str | None,
    engine: Engine | None,
    form: str,
    as_json: bool,
    explain: bool,
    list_all: bool,
    offline: bool,
) -> None:
    """Whether MODEL fits, how, for how many, and the line that starts its server.

    MODEL is a name from the table, a folder with weights, a config.json, or ORG/NAME on the Hugging Face hub. What is
    printed is whole: a script, a compose file, a unit or manifests, with the numbers and a reason for each flag as
    comments. Ends with 1 where nothing fits, and says what would.
    """
    from landline.upstream.model_sources import shipped_catalogue

    catalogue = shipped_catalogue()
    machine = _machine(catalogue, gpu, vram)
    wish = _wish(context, sessions, quantization)
    chosen: Engine = engine or machine.card.engine
    form = "json" if as_json else form
    if list_all:
        _list(model, catalogue, machine, wish, chosen, form)
        return
    _plan(_named(model), catalogue, machine, wish, chosen, form, explain=explain, offline=offline)


def _plan(
    name: str,
    catalogue: Catalogue,
    machine: Machine,
    wish: Wish,
    engine: Engine,
    form: str,
    *,
    explain: bool,
    offline: bool,
) -> None:
    import os

    from landline.planner.decision import Refusal
    from landline.planner.planning import plan as planned
    from landline.planner.render import Format, render
    from landline.upstream.model_sources import ModelSources

    model = ModelSources(catalogue, environ=os.environ, offline=offline, report=notice).find(name)
    families = _families()
    match = families.match(model.id, template=model.template)
    outcome = planned(model, match.family if match else None, machine, wish, engine=engine)
    if isinstance(outcome, Refusal):
        _refuse(outcome, catalogue, machine, wish, engine, form, families)
    click.echo(render(outcome, Format(form), explain=explain))


def _refuse(
    refusal: Refusal,
    catalogue: Catalogue,
    machine: Machine,
    wish: Wish,
    engine: Engine,
    form: str,
    families: Registry,
) -> NoReturn:
    import msgspec

    from landline.planner.planning import others
    from landline.planner.render import refusal_json
    from landline.planner.text import refused

    other = others(catalogue, machine, wish, engine=engine, family_of=families.family)
    if other:
        refusal = msgspec.structs.replace(refusal, offers=(*refusal.offers, other))
    if form == "json":
        click.echo(refusal_json(refusal))
    else:
        click.echo("\n".join(refused(refusal)), err=True)
    sys.exit(EXIT_DOES_NOT_FIT)


def _list(model: str | None, catalogue: Catalogue, machine: Machine, wish: Wish, engine: Engine, form: str) -> None:
    import msgspec

    from landline.errors import SettingsError
    from landline.planner.planning import choosable

    if model is not None:
        raise SettingsError("--list shows every model.", hint="Leave MODEL out, or leave out --list.")
    if form not in ("command", "json"):
        raise SettingsError(f"There is no {form} of a list.", hint="Give --format for one MODEL.")
    found = choosable(catalogue, machine, wish, engine=engine, family_of=_families().family)
    if form == "json":
        emit(msgspec.to_builtins(found), as_json=True)
    else:
        click.echo(_shown(found))
    if not found.models:
        sys.exit(EXIT_DOES_NOT_FIT)


def _shown(found: ListDocument) -> str:
    if not found.models:
        return (
            f"No model of the table fits on {found.machine}.\n"
            "Name more or larger cards, ask for less (--context, --sessions), or plan a smaller model that the table\n"
            "does not have: by its config.json, its folder, or as ORG/NAME on the Hugging Face hub."
        )
    rows = [
        {
            "model": row.model,
            "weights": f"{row.precision} {row.weights_gib:,.1f} GiB",
            "active": f"{row.active_b:g}B",
            "cache": row.kv_type,
            "context": f"{row.context_tokens:,}",
            "sessions": f"{row.sessions:,.1f}",
        }
        for row in found.models
    ]
    return (
        f"{found.machine}, the largest model first. Sessions: how many of that context fit at once (estimated).\n\n"
        f"{table(rows)}\n\n"
        f"{len(found.unknown_shapes)} more are in the table whose cache is not known; plan one with its config.json.\n"
        "Then: landline plan MODEL with the same card, and landline check on the served model."
    )


def _machine(catalogue: Catalogue, gpu: str | None, vram: float | None) -> Machine:
    from landline.errors import SettingsError
    from landline.planner.candidates import Machine
    from landline.planner.catalogue import split_count
    from landline.planner.planning import given_card

    if (gpu is None) == (vram is None):
        raise SettingsError(
            "A plan is for a card." if gpu is None else "--gpu and --vram do not go together.",
            hint="Give --gpu NAME[xN] or, for a card that is not known, --vram GIB.",
        )
    if vram is not None:
        if not math.isfinite(vram):
            raise SettingsError("--vram must be a number of GiB.", hint="For example --vram 24.")
        return given_card(vram)
    name, count = split_count(gpu or "")
    return Machine(card=catalogue.card(name), count=count)


def _wish(context: int | None, sessions: int | None, quantization: str | None) -> Wish:
    from landline.errors import SettingsError
    from landline.planner.catalogue import Precision
    from landline.planner.decision import Wish

    precision = None
    if quantization is not None:
        wanted = quantization.lower().replace("-", "_")
        if wanted not in set(Precision):
            known = ", ".join(Precision)
            raise SettingsError(f"No quantisation is called {quantization[:40]}.", hint=f"There are: {known}.")
        precision = Precision(wanted)
    return Wish(context=context or 0, sessions=sessions or 0, precision=precision)


def _named(model: str | None) -> str:
    from landline.errors import SettingsError

    if not model or not model.isprintable():
        raise SettingsError(
            "Which model?" if not model else "A model's name has no control characters.",
            hint="landline plan MODEL --gpu NAME, or landline plan --list --vram GIB for what fits.",
        )
    return model


def _families() -> Registry:
    """Ours and the user's, as the settings name them."""
    import os
    from pathlib import Path

    from landline.config.sources import load_settings
    from landline.upstream.families import known_families

    loaded = load_settings(flags={}, environ=os.environ, cwd=Path.cwd())
    for text in loaded.notices:
        notice(text)
    return known_families(loaded.settings.models.families)
