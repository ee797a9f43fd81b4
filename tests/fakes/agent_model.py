"""A scripted model that does what `landline check` asks of it, by rule, and backends that spoil it on purpose.

Each rule looks at the last message alone, as a model would; what it is asked is recognised by its words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from landline.clients.checking import caches, calls, choices, context, loop, outputs, thinking
from tests.fakes.chat_stream import Answer
from tests.fakes.model_server import ModelServer, Reply
from tests.fakes.server_kinds import bad_request
from tests.fakes.upstream import Request, Step, json_answer

Calls = tuple[tuple[str, dict[str, Any]], ...]
NO_PARSER = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


@dataclass
class AgentModel:
    """`spoil` makes of each good answer what a broken server would hand out. Ids are counted, so none comes twice."""

    spoil: Callable[[Answer], Answer] = lambda answer: answer
    numbers: list[int] = field(default_factory=lambda: [0])

    def __call__(self, body: Any) -> Reply:
        return self.spoil(self.good(body))

    def good(self, body: Any) -> Answer:
        prompt = text_of(body["messages"][-1])
        offered = [tool["function"]["name"] for tool in body.get("tools") or []]
        choice = body.get("tool_choice")
        if not offered or choice == "none":
            return plain(body, prompt)
        if choice not in (None, "auto"):
            name = choice["function"]["name"] if isinstance(choice, dict) else offered[0]
            return self.calling(((name, {"city": "Bergen"} if name == "get_weather" else {"path": "a.txt"}),))
        if set(offered) == set(loop.NAMES):
            return self.looping(body["messages"])
        return self.asked(prompt) or plain(body, prompt)

    def asked(self, prompt: str) -> Answer | None:
        if written := re.search(r"into the file (\S+), exactly.*?={10}\n(.*)\n={10}", prompt, re.DOTALL):
            return self.calling((("write_file", {"path": written[1], "content": written[2]}),))
        rules: dict[str, Calls] = {
            calls.SINGLE: (("get_weather", {"city": "Bergen"}),),
            calls.PARALLEL: tuple(("read_file", {"path": f"{name}.txt"}) for name in "abc"),
            calls.NESTED: (("save_plan", {"title": "Tidy up", "steps": calls.NESTED_STEPS}),),
        }
        return self.calling(rules[prompt]) if prompt in rules else None

    def looping(self, messages: list[Any]) -> Answer:
        """The next turn, by how many results there are."""
        done = sum(message["role"] == "tool" for message in messages)
        turns: tuple[Calls, ...] = (
            (("list_files", {}),),
            (("read_file", {"path": "start.txt"}),),
            (("read_file", {"path": "harbour.txt"}),),
            (("write_file", {"path": loop.TARGET, "content": loop.WANTED}),),
        )
        return self.calling(turns[done]) if done < len(turns) else Answer(text="I am done.")

    def calling(self, wanted: Calls) -> Answer:
        made: list[tuple[str, dict[str, Any] | str, str]] = []
        for name, arguments in wanted:
            self.numbers[0] += 1
            made.append((name, arguments, f"call_{self.numbers[0]}"))
        return Answer(tool_calls=tuple(made))


def plain(body: Any, prompt: str) -> Answer:
    """Answers in words."""
    thinks = (body.get("chat_template_kwargs") or {}).get("enable_thinking") or body.get("reasoning_effort")
    if prompt == thinking.PUZZLE:
        thoughts = "3 and 14 are 17; 4 times 17 is 68." if thinks not in (None, False, "none") else ""
        return Answer(thinking=thoughts, text="68")
    if prompt == outputs.COUNT:
        stopped = (body.get("stop") or [""])[0] == outputs.STOP
        return Answer(text="one two three four five " + ("" if stopped else "six seven eight"))
    if prompt == outputs.DESCRIBE:
        return Answer(text=json.dumps({"name": "Bergen", "depth": 11, "free_of_ice": True}))
    if prompt.endswith(context.QUESTION):
        return Answer(text=context.CODE if context.NEEDLE in prompt else "I cannot find it.")
    if prompt in (calls.UNNEEDED, choices.GREETING):
        return Answer(text="42" if prompt == calls.UNNEEDED else "Fine, thank you.")
    if prompt == caches.NEXT:
        return Answer(text="Entry")
    return Answer(text="Once upon a time a boat went out to sea, and it came home again with the tide.")


def text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def server(
    spoil: Callable[[Answer], Answer] = lambda answer: answer, *, prefix_cache: bool = True, **options: Any
) -> ModelServer:
    """A server of a model that can do all; `options` and `spoil` break it."""
    settings: dict[str, Any] = {"models": ("Qwen3.6-27B",), "window": 65_536} | options
    return ModelServer(AgentModel(spoil), prefix_cache=prefix_cache, piece=200, **settings)


# ------------------------------------------------------------------------------------------------ what breaks it


def qwen_markup(answer: Answer) -> Answer:
    """Calls as the model writes them, for want of a parser."""
    if not answer.tool_calls:
        return answer
    written = "\n".join(_qwen_call(name, arguments) for name, arguments, _ in answer.tool_calls)
    return Answer(text=f"I will do that.\n{written}", thinking=answer.thinking)


def half_parsed(answer: Answer) -> Answer:
    """What a parser of another syntax makes of them: no calls, and what it did not know stands in the text."""
    if not answer.tool_calls:
        return answer
    return Answer(text=qwen_markup(answer).text.replace("<tool_call>", ""), finish="tool_calls")


def cut_arguments(answer: Answer) -> Answer:
    """Arguments that end in the middle, as if they were whole."""
    cut = [(name, json.dumps(arguments)[:18], call_id) for name, arguments, call_id in answer.tool_calls]
    return Answer(answer.text, answer.thinking, tuple(cut), finish="tool_calls" if cut else None)


def refuses_tools(request: Request) -> list[Step] | None:
    """vLLM without a parser."""
    if request.path == "/v1/chat/completions" and request.json.get("tools"):
        return bad_request(NO_PARSER, None)
    return None


def smaller_window(true: int) -> Callable[[Request], list[Step] | None]:
    """A proxy's list, or an old file, told another window than the server has."""

    def override(request: Request) -> list[Step] | None:
        if request.path != "/v1/chat/completions":
            return None
        prompt = len(request.body) // 4
        if prompt <= true:
            return None
        return bad_request(
            f"This model's maximum context length is {true} tokens. However, your prompt contains at least {true + 1} "
            "input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the "
            f"input prompt. (parameter=input_tokens, value={true + 1})",
            "input_tokens",
        )

    return override


def cache_metrics(*, enabled: bool, hits: float = 0) -> Callable[[Request], list[Step] | None]:
    """vLLM's page of metrics; the hits grow with each look."""
    looks = [0]

    def override(request: Request) -> list[Step] | None:
        if request.path != "/metrics":
            return None
        looks[0] += 1
        page = (
            f'vllm:cache_config_info{{block_size="16",enable_prefix_caching="{enabled}"}} 1.0\n'
            f"vllm:prefix_cache_queries_total {1000.0 * looks[0]}\nvllm:prefix_cache_hits_total {hits * looks[0]}\n"
        )
        return json_answer(200, page.encode(), {"content-type": "text/plain"})

    return override


def _qwen_call(name: str, arguments: dict[str, Any] | str) -> str:
    given = json.loads(arguments) if isinstance(arguments, str) else arguments
    parameters = "\n".join(
        f"<parameter={key}>\n{value if isinstance(value, str) else json.dumps(value)}\n</parameter>"
        for key, value in given.items()
    )
    return f"<tool_call>\n<function={name}>\n{parameters}\n</function>\n</tool_call>"
