"""Drives vLLM's own tool parsers, without a server or weights. Runs in vLLM's interpreter, imports no landline.

`PYTHON parser_engine.py CASES.json ANSWERS.json`. Each case, {"parser", "text", "tools", "atoms"}, goes through the
objects and calls of vLLM's chat serving, once as a whole and once token by token, as an OpenAI client would get it.
The tokenizer is a small one, with the parser's markers as tokens of their own where the real one has them.
"""

import json
import logging
import sys
from pathlib import Path

import openai_harmony
import vllm
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.parser import ParserManager
from vllm.tool_parsers import ToolParserManager

END = "<|eos|>"
CHATML = ["<|im_start|>", "<|im_end|>"]
CALL = ["<tool_call>", "</tool_call>"]
PAIRS = ["<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"]
DEEPSEEK = [f"<｜tool▁{name}｜>" for name in ("calls▁begin", "calls▁end", "call▁begin", "call▁end", "sep")]
STEP3 = [f"<｜tool_{name}｜>" for name in ("calls_begin", "calls_end", "call_begin", "call_end", "sep")]
KIMI = [f"<|tool_{name}|>" for name in ("calls_section_begin", "calls_section_end", "call_begin", "call_end")]
IFM = ("tool_calls", "tool_call", "arg_key", "arg_type", "arg_value")
COHERE = ("THINKING", "RESPONSE", "ACTION", "TEXT")
QWEN, GLM, DSML = [*CALL, *CHATML], [*CALL, *PAIRS], ["｜DSML｜"]
HY = [*CALL, *PAIRS, "<tool_calls>", "</tool_calls>", "<tool_sep>"]
INKLING = ("message_model", "content_text", "content_thinking", "content_invoke_tool_json", "content_invoke_tool_text")
ATOMS: dict[str, list[str]] = {
    **dict.fromkeys(("qwen3_coder", "mimo", "hermes"), QWEN),
    **dict.fromkeys(("glm45", "glm47"), GLM),
    **dict.fromkeys(("hy_v3", "hy_v4"), HY),
    **dict.fromkeys(("deepseek_v3", "deepseek_v31"), DEEPSEEK),
    **dict.fromkeys(("deepseek_v32", "deepseek_v4", "deepseek_v41"), DSML),
    "longcat": ["<longcat_tool_call>", "</longcat_tool_call>"],
    "seed_oss": ["<seed:tool_call>", "</seed:tool_call>"],
    "minimax_m2": ["<minimax:tool_call>", "</minimax:tool_call>"],
    "minimax_m3": ["]<]minimax[>["],
    "kimi_k2": [*KIMI, "<|tool_call_argument_begin|>"],
    "kimi_k3": ["<|open|>", "<|close|>", "<|sep|>"],
    "k2_horizon": [f"<{slash}ifm|{name}>" for name in IFM for slash in ("", "/")],
    "mistral": ["[TOOL_CALLS]", "[ARGS]", "[THINK]", "[/THINK]"],
    "gemma4": ["<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>', "<|turn>", "<|tool_response>"],
    "functiongemma": ["<start_function_call>", "<end_function_call>", "<escape>"],
    "step3": STEP3,
    "granite": ["<|tool_call|>"],
    "granite-20b-fc": ["<function_call>"],
    "llama3_json": ["<|python_tag|>"],
    "llama4_pythonic": ["<|python_start|>", "<|python_end|>"],
    "lfm2": ["<|tool_call_start|>", "<|tool_call_end|>"],
    "cohere_command3": [f"<|{word}_{name}|>" for name in COHERE for word in ("START", "END")],
    "internlm": ["<|action_start|>", "<|action_end|>", "<|plugin|>"],
    "jamba": ["<tool_calls>", "</tool_calls>"],
    "plamo3": ["<|plamo:begin_", "<|plamo:end_", ":plamo|>", "<|plamo:constrain|>", "<|plamo:msg|>", "<|plamo:tag|>"],
    "muse_glimmer": ["<|start|>", "<|message|>", "<|eom|>", "<|eot|>"],
    "inkling": [
        f"<|{name}|>" for name in (*INKLING, "content_tool_error", "content_model_end_sampling", "end_message")
    ],
    "gigachat3": ["<|function_call|>", "<|message_sep|>", "<|role_sep|>"],
    "apertus": ["<|tools_prefix|>", "<|tools_suffix|>"],
    "dots": ["<dots_function_call>", "</dots_function_call>"],
}  # the others look at text only
PROMPT_END = {"inkling": "<|message_model|>", "muse_glimmer": "<|start|>assistant"}  # parsers that look at it


def trained() -> str:
    """Trained on the sources of vLLM's parsers, so that its pieces look like a real one's and cross borders of tags."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    sources = sorted(Path(vllm.__file__).parent.glob("tool_parsers/*.py"))
    made.train(
        list(map(str, sources)), trainers.BpeTrainer(vocab_size=6000, show_progress=False, initial_alphabet=alphabet)
    )
    return made.to_str()


class Words:
    """A tokenizer with these markers as tokens."""

    def __init__(self, base: str, atoms: list[str]) -> None:
        self.backend = Tokenizer.from_str(base)
        self.backend.add_special_tokens([AddedToken(END, special=True)])
        self.backend.add_tokens([AddedToken(atom, normalized=False) for atom in atoms])
        self.fast = PreTrainedTokenizerFast(tokenizer_object=self.backend, eos_token=END)

    def ids(self, text: str) -> list[int]:
        return self.backend.encode(text, add_special_tokens=False).ids

    def tokens(self, text: str) -> list[tuple[int, str]]:
        """Each id and the text it adds: none while a character is incomplete."""
        stream = decoders.DecodeStream(skip_special_tokens=False)
        return [(one, stream.step(self.backend, one) or "") for one in self.ids(text)]


class HarmonyWords:
    """The encoding of gpt-oss, and what vLLM's parsers ask of a tokenizer."""

    def __init__(self) -> None:
        self.encoding = openai_harmony.load_harmony_encoding(openai_harmony.HarmonyEncodingName.HARMONY_GPT_OSS)
        self.fast = self
        self.init_kwargs: dict = {}
        (self.eos_token_id,) = self.ids("<|return|>")

    def get_vocab(self) -> dict[str, int]:
        return {}

    def decode(self, ids, **_) -> str:
        return self.encoding.decode(list(ids))

    def ids(self, text: str) -> list[int]:
        return self.encoding.encode(text, allowed_special="all")

    def tokens(self, text: str) -> list[tuple[int, str]]:
        found, sent, ids = [], 0, self.ids(text)
        for size, one in enumerate(ids, 1):
            said = self.encoding.decode(ids[:size]).rstrip("\ufffd")
            found.append((one, said[sent:]))
            sent = max(sent, len(said))
        return found


class Driver:
    def __init__(self, case: dict, words: Words | HarmonyWords) -> None:
        self.case = case
        self.words = words
        self.harmony = isinstance(words, HarmonyWords)
        self.prompt = [words.fast.eos_token_id, *words.ids(PROMPT_END.get(case["parser"], ""))]

    def answers(self) -> dict:
        return {"whole": self._guarded(self._whole), "streamed": self._guarded(self._streamed)}

    def _guarded(self, half) -> dict:
        try:
            return half()
        except Exception as error:  # noqa: BLE001 - what a parser lets out is its answer
            return {"content": f"{type(error).__name__}: {error}", "calls": [], "failed": True}

    def _made(self):
        made = ParserManager.get_parser(
            tool_parser_name=self.case["parser"], enable_auto_tools=True, is_harmony=self.harmony
        )
        tools = [
            {"type": "function", "function": {"name": name, "description": "d", "parameters": schema}}
            for name, schema in self.case["tools"].items()
        ]
        messages = [{"role": "user", "content": "x"}]
        request = ChatCompletionRequest(model="m", messages=messages, tools=tools, tool_choice="auto")
        parser = made(self.words.fast, request.tools, chat_template_kwargs={}, model_config=None)
        return parser, parser.adjust_request(request)

    def _whole(self) -> dict:
        parser, request = self._made()
        if hasattr(parser, "set_prompt_token_ids"):
            parser.set_prompt_token_ids(self.prompt)
        text = self.case["text"]
        _, content, calls = parser.parse(
            text, request, enable_auto_tools=True, model_output_token_ids=self.words.ids(text)
        )
        return {"content": content or "", "calls": [[call.name, call.arguments] for call in calls or []]}

    def _streamed(self) -> dict:
        parser, request = self._made()
        content, calls = "", []
        steps = [(text, [one], False) for one, text in self.words.tokens(self.case["text"])]
        if self.harmony:  # the mark at the end of its messages is the last token
            steps[-1] = (*steps[-1][:2], True)
        else:
            steps.append(("", [self.words.fast.eos_token_id], True))
        for text, ids, finished in steps:
            delta = parser.parse_delta(text, ids, request, self.prompt, finished=finished)
            if delta is not None:
                content += delta.content or ""
                self._add(calls, delta.tool_calls or [])
        return {"content": content, "calls": calls}

    def _add(self, calls: list[list[str]], deltas) -> None:
        for delta in deltas:
            while len(calls) <= delta.index:
                calls.append(["", ""])
            if delta.function is not None:
                calls[delta.index][0] += delta.function.name or ""
                calls[delta.index][1] += delta.function.arguments or ""


def main(cases: Path, answers: Path) -> None:
    logging.disable(logging.CRITICAL)
    base = trained()
    given = json.loads(cases.read_text(encoding="utf-8"))
    made: dict[str, Words | HarmonyWords] = {}
    found = []
    for case in given:
        atoms = ATOMS.get(case["parser"], []) if case["atoms"] is None else case["atoms"]
        key = "openai" if case["parser"] == "openai" else " ".join(atoms)
        if key not in made:
            made[key] = HarmonyWords() if case["parser"] == "openai" else Words(base, atoms)
        found.append(Driver(case, made[key]).answers())
    classes = {name: ToolParserManager.get_tool_parser(name).__name__ for name in {case["parser"] for case in given}}
    told = {"version": vllm.__version__, "classes": classes, "answers": found}
    answers.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
