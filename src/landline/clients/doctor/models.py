"""Which models the client asks for, in its main request and by tier, held against the names that are served."""

from __future__ import annotations

import msgspec

from landline.clients.claude_code import TIER_VARIABLES
from landline.clients.doctor.edits import MANAGED_NOTE, in_user_file, set_where_it_stands
from landline.clients.doctor.finding import Edit, Outcome, Passed, Problem, Severity, Skipped
from landline.clients.doctor.settings_in_force import Origin, Value
from landline.clients.doctor.state import ALIASES, LONG_CONTEXT, State, default_model, sent_model

MODEL, KEY, PICKER = "ANTHROPIC_MODEL", "model", "ANTHROPIC_CUSTOM_MODEL_OPTION"
FURTHER = ("ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL")
NEEDED_TIERS = ("opus", "sonnet", "haiku")
NO_NAMES = "nothing tells which names are served"
MAPPED = "; landline answers it with {model}"
NAMES_SHOWN = 4


def model_unset(state: State) -> Outcome:
    sent = sent_model(state.settings, state.client)
    if sent.value is not None or state.settings.value(PICKER) is not None:
        return Passed(sent.name)
    if state.settings.value(TIER_VARIABLES["opus"]) is not None:
        return Passed(sent.name)
    return [_unset(state, f"no model is set, so {default_model(state.client)} is asked for")]


def picker_option(state: State) -> Outcome:
    option = state.settings.value(PICKER)
    sent = sent_model(state.settings, state.client)
    if option is None or sent.value is not None:
        return Passed("another setting names the model" if option else "not set")
    if state.settings.value(TIER_VARIABLES["opus"]) is not None:
        return Passed("a tier's variable names the model")
    problem = _unset(state, f"{PICKER} is all that names a model, so {default_model(state.client)} is asked for")
    edits = _model_edits(state, option.text if option.text in state.served else "")
    return [msgspec.structs.replace(problem, source=option.source, edits=edits)]


def _unset(state: State, finding: str) -> Problem:
    wanted = _wanted(state)
    return Problem(
        finding=finding + _mapped(state, wanted),
        fix=f"set {MODEL} to {wanted or 'the name that your server has for its model'}",
        source=set_where_it_stands(state.settings, MODEL, "").source,
        severity=Severity.WARNING if _works(state) else None,
        edits=_model_edits(state, ""),
    )


def model_name(state: State) -> Outcome:
    """Every name that settings give, but for the client's own words and [1m]: these are other checks."""
    if not state.served:
        return Skipped(NO_NAMES)
    sent = sent_model(state.settings, state.client)
    names: dict[str, tuple[str, Value]] = {}
    if sent.value is not None:
        names[sent.variable] = (sent.name, sent.value)
    for variable in (*TIER_VARIABLES.values(), *FURTHER):
        if (value := state.settings.value(variable)) is not None:
            names.setdefault(variable, (value.text, value))
    found = [_misnamed(state, variable, name, value) for variable, (name, value) in names.items()]
    problems = _joined([problem for problem in found if problem is not None])
    return problems or Passed(f"{sent.name} is served" if sent.value else "no name is set")


def _misnamed(state: State, variable: str, name: str, value: Value) -> Problem | None:
    plain = without_long_context(name)
    if plain in state.served or plain in ALIASES or plain == "default" or not plain or is_vendors(plain):
        return None
    near, how = nearest(plain, state.served)
    wanted = near or _wanted(state)
    shown = ", ".join(state.served[:NAMES_SHOWN])
    finding = (
        f"{variable} is {plain}, the server has {near}: {how}" if near else f"{variable} is {plain}, served: {shown}"
    )
    if value.origin is Origin.MANAGED:
        edits: tuple[Edit, ...] = ()
    elif variable == KEY and value.path is not None:
        edits = (Edit(value.path, (KEY,), wanted),)
    else:
        edits = set_where_it_stands(state.settings, variable, wanted).edits
    return Problem(
        finding=finding + _mapped(state, near),
        fix=f"write {wanted}" + ("" if edits else f": {MANAGED_NOTE}"),
        source=value.source,
        severity=Severity.WARNING if _works(state) else None,
        edits=edits,
    )


def _joined(problems: list[Problem]) -> list[Problem]:
    """One line for several variables with the same wrong name; the first has the edits of all."""
    by_name: dict[str, list[Problem]] = {}
    for problem in problems:
        by_name.setdefault(problem.finding.partition(" is ")[2], []).append(problem)
    joined: list[Problem] = []
    for text, same in by_name.items():
        variables = ", ".join(one.finding.partition(" is ")[0] for one in same)
        joined.append(
            Problem(
                finding=f"{variables} is {text}",
                fix=same[0].fix,
                source=same[0].source,
                severity=same[0].severity,
                edits=tuple(edit for one in same for edit in one.edits),
            )
        )
    return joined


def model_long_context(state: State) -> Outcome:
    found: list[Problem] = []
    for variable in (MODEL, *TIER_VARIABLES.values(), *FURTHER):
        value = state.settings.value(variable)
        if value is not None and value.text.lower().endswith(LONG_CONTEXT):
            plain = without_long_context(value.text)
            edits = set_where_it_stands(state.settings, variable, plain).edits
            found.append(_long(state, variable, value, plain, edits))
    value = state.settings.key(KEY)
    if value is not None and value.path is not None and value.text.lower().endswith(LONG_CONTEXT):
        plain = without_long_context(value.text)
        edits = () if value.origin is Origin.MANAGED else (Edit(value.path, (KEY,), plain),)
        found.append(_long(state, KEY, value, plain, edits))
    return found or Passed("none")


def _long(state: State, variable: str, value: Value, plain: str, edits: tuple[Edit, ...]) -> Problem:
    return Problem(
        finding=f"{variable} is {value.text}",
        fix=f"write {plain}" + ("" if edits else f": {MANAGED_NOTE}"),
        source=value.source,
        severity=Severity.ERROR if _fails(state) else None,
        edits=edits,
    )


def model_tiers(state: State) -> Outcome:
    values = {tier: state.settings.value(TIER_VARIABLES[tier]) for tier in TIER_VARIABLES}
    missing = [tier for tier in NEEDED_TIERS if values[tier] is None]
    if not missing:
        return Passed("opus, sonnet and haiku")
    wanted = _wanted(state)
    variables = [TIER_VARIABLES[tier] for tier in TIER_VARIABLES if values[tier] is None]
    edits = [edit for name in variables for edit in set_where_it_stands(state.settings, name, wanted).edits]
    mapped = [tier for tier in NEEDED_TIERS if tier not in missing]
    finding = f"only {' and '.join(mapped)} is mapped" if mapped else "no tier is mapped"
    # Measured: only 197's Explore subagent uses a tier by itself; other calls do where somebody asks for one.
    fails = state.target.answers and not state.behind_landline and state.client.version < (2, 1, 329)
    return [
        Problem(
            finding=f"{finding}; not {', '.join(missing)}" + _mapped(state, wanted),
            fix=f"set {', '.join(TIER_VARIABLES[tier] for tier in missing)} to {wanted or 'your model'}",
            source=next(
                (value.source for value in values.values() if value),
                set_where_it_stands(state.settings, TIER_VARIABLES["opus"], "").source,
            ),
            severity=None if fails else Severity.WARNING,
            edits=tuple(edits) if wanted else (),
        )
    ]


def model_list(state: State) -> Outcome:
    value = state.settings.key("availableModels")
    if value is None:
        return Passed("no list")
    lists = state.settings.keys["availableModels"]
    managed = [one for one in lists if one.origin is Origin.MANAGED]
    allowed = {name for one in (managed or lists) for name in one.text.split("\n")}
    if state.model in allowed:
        return Passed("it has the model")
    last = (managed or lists)[-1]
    edits: tuple[Edit, ...] = ()
    if last.path is not None and last.origin is not Origin.MANAGED:
        names = [name for name in last.text.split("\n") if name]
        edits = (Edit(last.path, ("availableModels",), [*names, state.model]),)
    return [
        Problem(
            finding=f"availableModels does not name {state.model}",
            fix=f"add {state.model} to the list" + ("" if edits else f": {MANAGED_NOTE}"),
            source=last.source,
            edits=edits,
        )
    ]


# ------------------------------------------------------------------------------------------------ names


def nearest(asked: str, served: tuple[str, ...]) -> tuple[str, str]:
    """The served name that was meant, and in what they differ; empty where none is near."""
    base = asked.rpartition("/")[2]
    for name in served:
        if name.lower() == asked.lower():
            return name, "they differ in case"
    for name in served:
        if name.rpartition("/")[2].lower() == base.lower():
            return name, "they differ in what stands before the slash"
    for name in served:
        one, other = sorted((base.lower(), name.rpartition("/")[2].lower()), key=len)
        rest = other[len(one) :]
        if len(one) >= 4 and other.startswith(one) and not rest[:1].isalnum():
            return name, f"they differ in the suffix {rest}"
    return "", ""


def without_long_context(name: str) -> str:
    while name.lower().endswith(LONG_CONTEXT):
        name = name[: -len(LONG_CONTEXT)]
    return name


def is_vendors(name: str) -> bool:
    """An id of the client's own vendor: `model_unset` and the tiers tell of those."""
    return name.lower().startswith(("claude-", "anthropic."))


def _wanted(state: State) -> str:
    """The served name to write: the one that is set where it is served, else the first."""
    plain = without_long_context(state.model)
    if plain in state.served:
        return plain
    return nearest(plain, state.served)[0] or next(iter(state.served), "")


def _works(state: State) -> bool:
    """Whether a name that is not served is answered all the same: landline maps any, or a request has just shown it."""
    return state.behind_landline or state.asked.status == 200


def _fails(state: State) -> bool:
    """Whether a request has just shown that it does not work."""
    return not state.behind_landline and state.asked.telling and state.asked.status not in {0, 200}


def _mapped(state: State, model: str) -> str:
    return MAPPED.format(model=model) if state.behind_landline and model else ""


def _model_edits(state: State, model: str) -> tuple[Edit, ...]:
    wanted = model or _wanted(state)
    return in_user_file(state.settings, ("env", MODEL), wanted) if wanted else ()
