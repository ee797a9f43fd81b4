"""Tool calls: one, several at once, nested arguments, text that must come through unchanged, none without need."""

from __future__ import annotations

from typing import Any

from landline.clients.checking.asking import Answer, Call
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed
from landline.clients.checking.causes import Cause, call_fault, problem_fault, quote

NO_THINKING: dict[str, str] = {"type": "disabled"}
ROOM_FOR_TEXT = 640


def tool(name: str, description: str, required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required or properties)}
    return {"name": name, "description": description, "input_schema": schema}


_TEXT = {"type": "string"}
WEATHER = tool("get_weather", "Tells the weather of a city now.", city=_TEXT)
READ = tool("read_file", "Gives the text of a file.", path=_TEXT)
WRITE = tool("write_file", "Writes a text into a file, whole.", path=_TEXT, content=_TEXT)
PLAN = tool(
    "save_plan",
    "Saves a plan of work.",
    title=_TEXT,
    steps={
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "file": _TEXT,
                "lines": {"type": "array", "items": {"type": "integer"}},
                "done": {"type": "boolean"},
            },
            "required": ["file", "lines", "done"],
        },
    },
)

SINGLE = "What is the weather in Bergen right now? Look it up."
PARALLEL = (
    "Read the three files a.txt, b.txt and c.txt. They do not depend on each other: call the tool three times at once."
)
NESTED = (
    "Save this plan with the tool. Its title is: Tidy up. First step: file main.py, lines 3 and 14, done. "
    "Second step: file test.py, line 7, not done."
)
NESTED_STEPS = [
    {"file": "main.py", "lines": [3, 14], "done": True},
    {"file": "test.py", "lines": [7], "done": False},
]
UNNEEDED = "What is 17 plus 25? You know it without a tool: answer with the number only."

CODE = '''def greet(name: str, mark='!') -> str:
    """Says "hello" to somebody."""
    pattern = r"\\d+\\t{name}"
    if name == "" or name is None:
        return 'nobody' + "\\n"
    return f"Hello, {name}{mark} <b>&amp;</b> {{literal}} $HOME `date`"
'''
UNICODE = "Grüße aus Åre — naïve café, 東京タワー, Здравствуй, שלום, ½ × ¾ ≠ 1, 🚲👩‍🔧🇳🇴, “quoted” ‘text’ …"
_ASK_TO_WRITE = (
    "Write the text between the two lines of equals signs into the file {path}, exactly as it is, every character and "
    "line break. Do not correct or explain it.\n==========\n{text}\n=========="
)


def to_write(path: str, text: str) -> str:
    return _ASK_TO_WRITE.format(path=path, text=text.rstrip("\n"))


async def single(bench: Bench) -> Finding:
    """The one probe that leaves thinking as agents find it: as the model has it."""
    answer = await bench.asker.ask(SINGLE, tools=[WEATHER])
    if fault := call_fault(answer, [WEATHER["name"]], bench.server.kind):
        return failed(fault)
    city = (answer.calls[0].value or {}).get("city")
    if not isinstance(city, str) or "bergen" not in city.lower():
        return _wrong(answer.calls[0], "city should be Bergen")
    if answer.stop_reason != "tool_use":
        return fails(Cause.REFUSED, f"the call is there, but the answer ends with {answer.stop_reason}")
    return passed(_written(answer.calls[0]))


async def parallel(bench: Bench) -> Finding:
    answer = await bench.asker.ask(PARALLEL, tools=[READ], thinking=NO_THINKING)
    if fault := call_fault(answer, [READ["name"]], bench.server.kind):
        return failed(fault)
    paths = [str((call.value or {}).get("path")).removeprefix("./") for call in answer.calls]
    if len(paths) == 1:
        return fails(Cause.ONE_CALL_AT_A_TIME, "one call where three were asked for")
    if sorted(paths) != ["a.txt", "b.txt", "c.txt"]:
        return fails(Cause.WRONG_ARGUMENTS, f"it read {quote(', '.join(paths))}")
    if len({call.id for call in answer.calls}) != len(paths):
        return fails(Cause.WRONG_TOOL_PARSER, "two calls have the same id")
    return passed("three calls in one answer")


async def nested(bench: Bench) -> Finding:
    answer = await bench.asker.ask(NESTED, tools=[PLAN], thinking=NO_THINKING)
    if fault := call_fault(answer, [PLAN["name"]], bench.server.kind):
        return failed(fault)
    steps = (answer.calls[0].value or {}).get("steps")
    if steps != NESTED_STEPS:
        return _wrong(answer.calls[0], "the steps are not what was asked")
    return passed("objects in a list, with numbers and booleans")


async def verbatim_code(bench: Bench) -> Finding:
    return await _verbatim(bench, "greet.py", CODE)


async def verbatim_unicode(bench: Bench) -> Finding:
    return await _verbatim(bench, "notes.txt", UNICODE)


async def _verbatim(bench: Bench, path: str, text: str) -> Finding:
    answer = await bench.asker.ask(to_write(path, text), room=ROOM_FOR_TEXT, tools=[WRITE], thinking=NO_THINKING)
    if fault := call_fault(answer, [WRITE["name"]], bench.server.kind):
        return failed(fault)
    content = (answer.calls[0].value or {}).get("content")
    if not isinstance(content, str):
        return _wrong(answer.calls[0], "content is no text")
    # A line break at an end is the prompt's as much as the text's.
    wanted, got = text.strip("\n"), content.strip("\n")
    if got == wanted:
        return passed(f"{len(wanted)} characters came through unchanged")
    return fails(Cause.WRONG_ARGUMENTS, difference(wanted, got))


def difference(wanted: str, got: str) -> str:
    """Where two texts part, in words."""
    at = next((at for at, (one, other) in enumerate(zip(wanted, got, strict=False)) if one != other), -1)
    at = min(len(wanted), len(got)) if at < 0 else at
    here, there = wanted[at : at + 16] or "the end", got[at : at + 16] or "the end"
    return f"the text differs at character {at}: {quote(there)} instead of {quote(here)}"


async def unneeded(bench: Bench) -> Finding:
    answer = await bench.asker.ask(UNNEEDED, tools=[WEATHER, WRITE], thinking=NO_THINKING)
    if answer.problem:
        return failed(problem_fault(answer.problem))
    if answer.calls:
        return fails(Cause.NEEDLESS_CALL, f"it called {answer.calls[0].name} to add two numbers")
    if not answer.text.strip():
        return fails(Cause.NO_CALL, "the answer is empty")
    return passed(quote(answer.text))


def _wrong(call: Call, why: str) -> Finding:
    return fails(Cause.WRONG_ARGUMENTS, f"{why}: {_written(call)}")


def _written(call: Call) -> str:
    return f"{call.name} {quote(call.arguments)}"


def called(answer: Answer) -> str:
    return ", ".join(call.name for call in answer.calls) or "nothing"


PROBES = (
    Probe("single_call", "One tool call", single),
    Probe("parallel_calls", "Calls at once", parallel),
    Probe("nested_arguments", "Objects in lists as arguments", nested),
    Probe("verbatim_code", "Code as an argument, unchanged", verbatim_code),
    Probe("verbatim_unicode", "Unicode as an argument, unchanged", verbatim_unicode),
    Probe("no_needless_call", "No call where none is needed", unneeded),
)
