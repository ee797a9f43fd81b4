"""Without these, calls that a model wrote badly reach the client as they are, or half, or again and again."""

from __future__ import annotations

from typing import Any

from landline.core.lenient_json import UNREAD, read_json
from landline.protocols.openai_chat.calls import Call, CallTable
from tests.failure_modes.ablation import Ablation

LENIENT = "landline.core.lenient_json"
FITTER = "landline.core.schema_fit:Fitter"
T = "landline.transforms."


def _only_itself(written: str, names: Any) -> str | None:
    return written if written in names else None


def _first_alike(written: str, names: Any) -> str | None:
    return next((name for name in names if name[:3].lower() == written[:3].lower()), None)


def _named(name: str) -> bool:
    return False


def _strictly(text: str, keys: Any = ()) -> object:
    return read_json(text)


def _over(text: str) -> bool:
    return True


def _as_it_is(text: str, at: int, *, last: bool = False) -> tuple[str, int]:
    return text[at], at + 1


def _no_guess(raw: str, schema: Any, fitter: Any) -> object:
    return UNREAD


def _first_mark_ends(reader: Any, behind: int, place: Any, doubtful: bool) -> bool:
    return True


def _says_something(fitter: Any, value: object, schema: object, *, required: bool) -> bool:
    return False


def _no_names(fitter: Any, name: str, told: Any) -> list[str]:
    return []


def _no_defaults(fitter: Any, present: Any, told: Any) -> dict[str, object]:
    return {}


def _unexplained(schema: Any, arguments: str) -> bool:
    return False


def _by_name(table: CallTable, index: int | None, ident: str, name: str) -> Call:
    last = table._last
    return last if last is not None and name in ("", last.name) else table._new(index)


def _without_texts(notes: Any, tool: str, what: str, *, before: str, after: str) -> None:
    notes.repaired(f"{what}: {tool}")


def _log_them_all(notes: Any, tool: str, what: str, *, before: str, after: str) -> None:
    notes.repaired(f"{what}: {tool}: {before}")


def _no_loop(messages: Any) -> Any:
    from landline.transforms.loop_guard import Loop

    return Loop(0)


def _any_results(one: Any, other: Any) -> bool:
    return one.call.name == other.call.name


def _no_unit(text: str) -> int:
    return 0


def _a_line_again(text: str) -> int:
    lines = text.split("\n")
    return len(lines[-2]) if len(lines) > 2 and lines[-2][:3] == lines[-3][:3] else 0


def _unnoticed(conversation: Any, notes: Any) -> tuple[()]:
    return ()


def _always_noticed(conversation: Any, notes: Any) -> tuple[Any, ...]:
    from landline.transforms.claimed_work import NoticeClaims

    return (NoticeClaims(notes),)


ABLATIONS = (
    Ablation("meant_names", "names are the tools' letter by letter", "landline.core.near_names:meant", _only_itself),
    Ablation("unique_names", "the first like name is taken", "landline.core.near_names:meant", _first_alike),
    Ablation("nameless_calls", "a name that says nothing is a name", f"{T}unusable_calls:is_nameless", _named),
    Ablation("lenient_json", "JSON is read strictly", f"{LENIENT}:read_lenient", _strictly),
    Ablation("marks_of_code", "the first quotation mark ends a text", f"{LENIENT}:_Reader._ends", _first_mark_ends),
    Ablation("half_calls", "every call is over", f"{LENIENT}:is_over", _over),
    Ablation("odd_texts", "raw and odd characters stay", "landline.core.json_strings:mended", _as_it_is),
    Ablation("guessed_json", "no general repair of JSON", f"{T}whole_arguments:_guessed", _no_guess),
    Ablation("nothing_said", "null and None are values", f"{FITTER}.says_nothing", _says_something),
    Ablation("other_names", "arguments have one name", f"{FITTER}.wanted", _no_names),
    Ablation("default_values", "defaults are not looked at", f"{FITTER}.defaults", _no_defaults),
    Ablation("null_explained", "null is not explained", f"{T}unusable_calls:null_required", _unexplained),
    Ablation(
        "two_calls_alike",
        "calls are told apart by their names",
        "landline.protocols.openai_chat.calls:CallTable._find",
        _by_name,
    ),
    Ablation("kept_repairs", "texts are not kept", "landline.core.exchange:Notes.mended", _without_texts),
    Ablation("quiet_repairs", "texts go to the log", "landline.core.exchange:Notes.mended", _log_them_all),
    Ablation("loop_guard", "no loop is seen", f"{T}loop_guard:loop_of", _no_loop),
    Ablation("loop_results", "any call of one tool is the same", f"{T}loop_guard:_same", _any_results),
    Ablation("repetition", "repetition goes on", f"{T}repetition:unit_of", _no_unit),
    Ablation("exact_repetition", "like lines are repetition", f"{T}repetition:unit_of", _a_line_again),
    Ablation("claims", "claims are not looked for", f"{T}claimed_work:claims_noticed", _unnoticed),
    Ablation("true_claims", "claims are never true", f"{T}claimed_work:claims_noticed", _always_noticed),
)
