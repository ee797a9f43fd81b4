"""An agent's loop: five turns on real files in a temporary folder, with tools that reach nothing else."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from landline.clients.checking.asking import Answer, Call
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed
from landline.clients.checking.calls import READ, WRITE
from landline.clients.checking.causes import Cause, call_fault, problem_fault, quote

MOST_TURNS = 9
LARGEST_FILE = 64 * 1024  # characters that the model may write
ROOM = 768
LIST: dict[str, Any] = {
    "name": "list_files",
    "description": "Lists the files of the folder.",
    "input_schema": {"type": "object", "properties": {}},
}
TOOLS = [LIST, READ, WRITE]
NAMES = [str(tool["name"]) for tool in TOOLS]

SECRET = "kittiwake"  # noqa: S105 - a word in a file
FILES = {
    "start.txt": "The word is not here. It is in the file named harbour.txt.\n",
    "harbour.txt": f"The word that is looked for: {SECRET}\n",
    "other.txt": "Nothing of interest.\n",
}
TARGET, WANTED = "answer.txt", SECRET.upper()
TASK = (
    "There is a word hidden in the files of this folder. List the files, read start.txt, and follow what it says, one "
    f"step at a time. Then write the word in capital letters, and nothing else, into {TARGET}. When it is written, say "
    "that you are done."
)


class Folder:
    """The tools on one folder. What they say is for the model; nothing outside is read or written."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def use(self, call: Call) -> tuple[str, bool]:
        """What the tool says, and whether it failed."""
        given = call.value or {}
        try:
            match call.name:
                case "list_files":
                    return "\n".join(sorted(path.name for path in self.root.iterdir())), False
                case "read_file":
                    return self._path(given.get("path")).read_text(encoding="utf-8")[:LARGEST_FILE], False
                case "write_file":
                    return self._write(given.get("path"), given.get("content")), False
                case _:
                    return f"There is no tool {call.name}.", True
        except (OSError, ValueError) as error:
            return f"Error: {error}"[:300].replace(str(self.root), "."), True

    def _write(self, path: object, content: object) -> str:
        if not isinstance(content, str) or len(content) > LARGEST_FILE:
            raise ValueError("content must be a text, and not a long one")
        self._path(path).write_text(content, encoding="utf-8")
        return "written"

    def _path(self, path: object) -> Path:
        """A file directly in the folder. The model may write any path: links and ways out are refused."""
        if not isinstance(path, str) or not path.strip() or "\0" in path:
            raise ValueError("path must be the name of a file in this folder")
        found = self.root / path
        if found.is_symlink() or found.resolve().parent != self.root:
            raise ValueError("path must be the name of a file in this folder")
        return found

    @property
    def done(self) -> bool:
        target = self.root / TARGET
        return target.is_file() and target.read_text(encoding="utf-8").strip() == WANTED


async def loop(bench: Bench) -> Finding:
    with tempfile.TemporaryDirectory(prefix="landline-check-") as name:
        folder = Folder(Path(name))
        for file, text in FILES.items():
            (folder.root / file).write_text(text, encoding="utf-8")
        return await _work(bench, folder)


async def _work(bench: Bench, folder: Folder) -> Finding:
    messages: list[dict[str, Any]] = [{"role": "user", "content": TASK}]
    for turn in range(1, MOST_TURNS + 1):
        answer = await bench.asker.ask(messages, room=ROOM, tools=TOOLS)
        if answer.problem:
            return failed(problem_fault(answer.problem))
        if not answer.calls or any(call.value is None for call in answer.calls):
            return _ended(bench, folder, answer, turn)
        results = [await _result(folder, call) for call in answer.calls]
        messages += [{"role": "assistant", "content": list(answer.content)}, {"role": "user", "content": results}]
    if folder.done:
        return fails(Cause.LOST_THE_LOOP, f"the file is right, but after {MOST_TURNS} turns it does not end")
    return fails(Cause.LOST_THE_LOOP, f"not finished after {MOST_TURNS} turns")


async def _result(folder: Folder, call: Call) -> dict[str, Any]:
    said, is_error = await asyncio.to_thread(folder.use, call)
    return {"type": "tool_result", "tool_use_id": call.id, "content": said, "is_error": is_error}


def _ended(bench: Bench, folder: Folder, answer: Answer, turn: int) -> Finding:
    """It stopped calling. A call that came as text, or cut, is the server's fault; the rest is the model's."""
    if folder.done and not answer.calls:
        return passed(f"the file is right after {turn} turns")
    fault = call_fault(answer, NAMES, bench.server.kind)
    if fault is not None and fault.cause is not Cause.NO_CALL:
        return failed(fault)
    written = (folder.root / TARGET).is_file()
    state = f"{TARGET} is wrong" if written else f"{TARGET} was never written"
    return fails(Cause.LOST_THE_LOOP, f"it stopped in turn {turn}, and {state}: {quote(answer.text)}")


PROBES = (Probe("loop", "A task of five turns on files", loop, patience=2),)
