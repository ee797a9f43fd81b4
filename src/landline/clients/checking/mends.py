"""What to change for each cause, by kind of server: the exact flag or setting.

Pure. Flags of vLLM and llama.cpp were seen in their programs; those of SGLang, Ollama and LM Studio are from their
documentation. The parsers that a family needs stand in its row.
"""

from __future__ import annotations

from msgspec import Struct

from landline.clients.checking.causes import Cause, Fault
from landline.families.rows import Family
from landline.upstream.dialects import GOOD_WINDOW, BackendKind


class Parsers(Struct, frozen=True):
    """vLLM's names; empty: not known, or none needed."""

    tool: str = ""
    reasoning: str = ""


def family_parsers(family: Family | None) -> Parsers:
    """What a model of a family needs."""
    return Parsers(family.tool_parser, family.reasoning_parser) if family else Parsers()


# SGLang has names of its own; what is not here is not known to be called the same.
_SGLANG_TOOLS = {
    "qwen3_coder": "qwen3_coder",
    "hermes": "qwen",
    "glm45": "glm45",
    "glm47": "glm47",
    "kimi_k2": "kimi_k2",
    "minimax_m2": "minimax-m2",
    "openai": "gpt-oss",
    "mistral": "mistral",
    "deepseek_v3": "deepseekv3",
    "deepseek_v31": "deepseekv31",
    "deepseek_v32": "deepseekv32",
}
_SGLANG_REASONING = {
    "qwen3": "qwen3",
    "glm45": "glm45",
    "openai_gptoss": "gpt-oss",
    "deepseek_r1": "deepseek-r1",
    "deepseek_v3": "deepseek-v3",
}

_BETTER_MODEL = "serve a model that is trained for tool calls, or a larger one of its family"
_ANY = ""  # the row for every kind that has none

# {tool}, {reasoning}: the parsers; {sglang_tool}, {sglang_reasoning}: SGLang's; {window}: the true one; {good}: enough.
_MENDS: dict[Cause, dict[BackendKind | str, str]] = {
    Cause.NO_TOOL_PARSER: {
        BackendKind.VLLM: "start vLLM with --enable-auto-tool-choice --tool-call-parser {tool}",
        BackendKind.SGLANG: "start SGLang with --tool-call-parser {sglang_tool}",
        BackendKind.LLAMACPP: "start llama-server with --jinja and without --skip-chat-parsing; if it does not know "
        "the model's template, with --chat-template-file",
        BackendKind.OLLAMA: "pull a build of the model whose page lists tools: its template has a place for them",
        BackendKind.LMSTUDIO: "load a build of the model that LM Studio marks as trained for tool use",
        _ANY: "switch on the server's tool-call parser for this model (vLLM: --enable-auto-tool-choice "
        "--tool-call-parser {tool})",
    },
    Cause.WRONG_TOOL_PARSER: {
        BackendKind.VLLM: "its tool-call parser is not the model's: start vLLM with --enable-auto-tool-choice "
        "--tool-call-parser {tool}",
        BackendKind.SGLANG: "its parser is not the model's: start SGLang with --tool-call-parser {sglang_tool}",
        BackendKind.LLAMACPP: "its template is not the model's: start llama-server with --jinja and the "
        "--chat-template-file of this model",
        BackendKind.OLLAMA: "pull another build of the model: the template of this one does not fit it",
        _ANY: "give the server the tool-call parser of this model (vLLM's is called {tool})",
    },
    Cause.CALL_IN_THINKING: {
        BackendKind.VLLM: "start vLLM with --reasoning-parser {reasoning} --enable-auto-tool-choice --tool-call-parser "
        "{tool}: the parser for thinking takes the call for a thought",
        BackendKind.SGLANG: "start SGLang with --reasoning-parser {sglang_reasoning} --tool-call-parser {sglang_tool}",
        _ANY: "the server's parser for thinking takes the call for a thought: give it the parsers of this model",
    },
    Cause.CUT_ARGUMENTS: {
        BackendKind.VLLM: "update vLLM (0.33 and later do not hide a cut), and leave out --speculative-config, with "
        "which older parsers lose arguments; the model's own parser is --tool-call-parser {tool}, and "
        "--tool-strict-level parameter holds arguments to their schema",
        BackendKind.SGLANG: "update SGLang, leave out speculative decoding, and use --tool-call-parser {sglang_tool}",
        BackendKind.LLAMACPP: "update llama-server, and start it without a limit of output (-n -1)",
        BackendKind.OLLAMA: "remove PARAMETER num_predict from the Modelfile (or set it to -1)",
        _ANY: "look for a limit of output in the server's settings, and update it: its parser loses arguments",
    },
    Cause.OUTPUT_CAP: {
        BackendKind.VLLM: "start vLLM with --generation-config vllm, and without max_new_tokens in "
        "--override-generation-config",
        BackendKind.LLAMACPP: "start llama-server with -n -1",
        BackendKind.OLLAMA: "remove PARAMETER num_predict from the Modelfile (or set it to -1)",
        _ANY: "raise the server's own limit of output tokens",
    },
    Cause.TOOLS_NOT_IN_TEMPLATE: {
        BackendKind.VLLM: "start vLLM with a --chat-template that has a place for tools",
        BackendKind.LLAMACPP: "if the model is trained for tools, start llama-server with --jinja and a "
        "--chat-template-file that has a place for them; else serve another model",
        BackendKind.OLLAMA: "pull a build of the model whose page lists tools",
        _ANY: "give the server a chat template that has a place for tools",
    },
    Cause.THINKING_IN_TEXT: {
        BackendKind.VLLM: "start vLLM with --reasoning-parser {reasoning}",
        BackendKind.SGLANG: "start SGLang with --reasoning-parser {sglang_reasoning}",
        BackendKind.LLAMACPP: "start llama-server with --jinja --reasoning-format deepseek",
        BackendKind.LMSTUDIO: "switch on “separate reasoning content” in LM Studio's developer settings",
        _ANY: "switch on the server's parser for thinking (vLLM: --reasoning-parser {reasoning})",
    },
    Cause.WINDOW_SMALLER_THAN_SAID: {
        BackendKind.VLLM: "set backend.window = {window} in landline.toml, or start vLLM with --max-model-len {good}",
        BackendKind.SGLANG: "set backend.window = {window} in landline.toml, or start SGLang with "
        "--context-length {good}",
        BackendKind.LLAMACPP: "set backend.window = {window} in landline.toml, or start llama-server with -c {good} "
        "for each of its slots (-np)",
        _ANY: "set backend.window = {window} in landline.toml, or give the server a window of {good}",
    },
    Cause.PROMPTS_CUT: {
        BackendKind.OLLAMA: "start Ollama with OLLAMA_CONTEXT_LENGTH={good}, and set backend.window = {window} in "
        "landline.toml until then",
        BackendKind.LMSTUDIO: "load the model with a context length of {good} or more, and “stop at limit” in place "
        "of a rolling window",
        _ANY: "give the server a window of {good} or more, or set backend.window = {window} in landline.toml: it cuts "
        "longer prompts without a word",
    },
    Cause.WINDOW_UNKNOWN: {_ANY: "set backend.window in landline.toml to the tokens that the server was started with"},
    Cause.CACHE_OFF: {
        BackendKind.VLLM: "start vLLM with --enable-prefix-caching (a hybrid model: and --mamba-cache-mode align)",
        BackendKind.SGLANG: "start SGLang without --disable-radix-cache",
        BackendKind.LLAMACPP: "start llama-server without --no-cache-prompt, with --cache-reuse 256 and -np 3 (a "
        "model with sliding-window attention: and --swa-full)",
        _ANY: "switch on the server's prefix cache, or give it more memory for it",
    },
    Cause.CACHE_NOT_REPORTED: {
        BackendKind.VLLM: "start vLLM with --enable-prompt-tokens-details",
        BackendKind.SGLANG: "start SGLang with --enable-cache-report",
        _ANY: "let the server report cached tokens (usage.prompt_tokens_details.cached_tokens)",
    },
    Cause.CHOICE_IGNORED: {
        BackendKind.VLLM: "start vLLM with --tool-strict-level function, and --tool-call-parser {tool}",
        BackendKind.OLLAMA: "Ollama has no tool_choice: agents that force a tool need another server",
        BackendKind.LLAMACPP: "update llama-server and start it with --jinja; builds of October 2026 ignore "
        "tool_choice",
        _ANY: "use a server that holds tool_choice by a grammar (vLLM, SGLang)",
    },
    Cause.SCHEMA_IGNORED: {_ANY: "use a server that holds json_schema by a grammar (vLLM, SGLang, llama.cpp)"},
    Cause.STOP_IGNORED: {_ANY: "update the server: it does not end at stop sequences"},
    Cause.THINKING_STAYS_ON: {
        BackendKind.VLLM: "nothing need be done if the wait is bearable; else start vLLM with "
        "--default-chat-template-kwargs '{{\"enable_thinking\": false}}', or serve a model without thinking",
        _ANY: "nothing need be done if the wait is bearable; else serve a model without thinking",
    },
    Cause.NO_CALL: {_ANY: _BETTER_MODEL},
    Cause.ONE_CALL_AT_A_TIME: {_ANY: "nothing need be done: agents work, with more turns"},
    Cause.NEEDLESS_CALL: {_ANY: _BETTER_MODEL},
    Cause.WRONG_ARGUMENTS: {
        BackendKind.VLLM: _BETTER_MODEL + "; --tool-strict-level parameter holds arguments to their schema",
        _ANY: _BETTER_MODEL,
    },
    Cause.TALKS_ON: {
        _ANY: _BETTER_MODEL + "; if it thinks without end, lower its effort",
    },
    Cause.LOST_THE_LOOP: {_ANY: _BETTER_MODEL},
    Cause.LOST_IN_CONTEXT: {
        _ANY: "set backend.window in landline.toml to what the model still remembers; where that is too little, serve "
        "a larger model",
    },
    Cause.DOES_NOT_SEE: {
        BackendKind.LLAMACPP: "start llama-server with the --mmproj file of this model",
        _ANY: "serve a model with eyes if pictures matter; landline tells others in words that there was one",
    },
    Cause.SLOW: {_ANY: "give the model more or faster GPUs, a smaller quantisation, or fewer sessions at once"},
    Cause.TIMED_OUT: {_ANY: "is the server overloaded or still loading? --timeout gives each probe more seconds"},
    Cause.REFUSED: {_ANY: "see the server's log"},
}
_LARGER = {
    BackendKind.VLLM: "start vLLM with --max-model-len {good} or more",
    BackendKind.SGLANG: "start SGLang with --context-length {good} or more",
    BackendKind.LLAMACPP: "start llama-server with -c {good} or more for each of its slots (-np)",
    BackendKind.OLLAMA: "start Ollama with OLLAMA_CONTEXT_LENGTH={good}",
    BackendKind.LMSTUDIO: "load the model in LM Studio with a context length of {good} or more",
    _ANY: "start the server with a window of {good} or more",
}
_MENDS[Cause.WINDOW_TOO_SMALL] = _MENDS[Cause.WINDOW_NARROW] = _LARGER


def mend(fault: Fault, kind: BackendKind, parsers: Parsers) -> str:
    """What to change. The family's own parser counts before the one that reads the markup that was seen."""
    rows = _MENDS[fault.cause]
    tool = parsers.tool or fault.parser
    return rows.get(kind, rows[_ANY]).format(
        tool=tool or "<the parser of your model's family>",
        reasoning=parsers.reasoning or "<the parser of your model's family>",
        sglang_tool=_SGLANG_TOOLS.get(tool, "<the parser of your model's family>"),
        sglang_reasoning=_SGLANG_REASONING.get(parsers.reasoning, "<the parser of your model's family>"),
        window=fault.window or "<the tokens that it was started with>",
        good=GOOD_WINDOW,
    )
