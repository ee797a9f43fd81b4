"""Why vLLM ended at its start, from the lines of its log, and what to change.

Pure. The words are those of vLLM 0.32.0, where nothing else stands. Of a log no line is repeated, only the numbers and
names that the patterns catch: it may hold prompts.
"""

from __future__ import annotations

import re

from msgspec import Struct

from landline.clients.doctor.finding import Outcome, Passed, Problem, Skipped, Source
from landline.clients.doctor.state import ServerLog, State
from landline.upstream.dialects import LEAST_WINDOW

BEGIN = "vLLM API server version"  # what each start says first
UP = "Application startup complete"
_NAME = r"[\w.-]{1,60}"


class Ending(Struct, frozen=True):
    """`{0}` in the texts is what the pattern caught."""

    pattern: re.Pattern[str]
    finding: str
    fix: str


def _ending(pattern: str, finding: str, fix: str) -> Ending:
    return Ending(re.compile(pattern), finding, fix)


# The first that is found counts: what stands higher is the cause of what stands below it.
ENDINGS = (
    _ending(
        r"ReasoningConfig: failed to tokenize reasoning strings",  # QwenLM/Qwen3.8#150
        "the tokenizer does not know the marks of thinking",
        "see that the model's folder has its tokenizer files (tokenizer.json, tokenizer_config.json); if it has, give "
        "it the --reasoning-parser of its family (`landline plan MODEL` names it), and leave out --reasoning-config",
    ),
    _ending(
        rf"(?:invalid tool call parser: |Tool parser ')({_NAME})|tool-call-parser: invalid choice: '({_NAME})'",
        "this vLLM has no tool parser {0}",
        "`landline plan MODEL` names the parser and the version that it needs: correct --tool-call-parser, or update "
        "vLLM",
    ),
    _ending(
        rf"(?:invalid reasoning parser: |Reasoning parser ')({_NAME})|reasoning-parser: invalid choice: '({_NAME})'",
        "this vLLM has no reasoning parser {0}",
        "`landline plan MODEL` names the parser and the version that it needs: correct --reasoning-parser, or update "
        "vLLM",
    ),
    _ending(
        r"--enable-auto-tool-choice requires",
        "--enable-auto-tool-choice stands without a parser",
        "add --tool-call-parser with the parser of the model's family: `landline plan MODEL` names it",
    ),
    _ending(
        rf"unrecognized arguments: (--{_NAME})",
        "this vLLM does not know {0}",
        "leave {0} out, or update vLLM: `landline plan` prints the flags of one release, which it names",
    ),
    _ending(
        r"estimated maximum model length is (\d{1,9})",
        "the cache holds no prompt of the wished length; {0} tokens would fit",
        "start it with --max-model-len {0}, or let `landline plan` look for weights or a cache that leave more room",
    ),
    _ending(
        r"No available memory for the cache blocks",
        "the weights leave no memory for the cache",
        "raise --gpu-memory-utilization, or let `landline plan --vram GB --list` say which models fit",
    ),
    _ending(
        r"less than desired GPU memory utilization \(([\d.]{1,8})",
        "something else holds memory of the card, so that a share of {0} is not free",
        "end what else runs on the card (nvidia-smi lists it), or lower --gpu-memory-utilization",
    ),
    _ending(
        r"must be divisible by tensor parallel size \((\d{1,5})\)",
        "the model's heads cannot be spread over {0} cards",
        "lower --tensor-parallel-size to a number that divides the heads: `landline plan MODEL --gpu CARDxN` finds it",
    ),
    _ending(
        r"CUDA out of memory|torch\.OutOfMemoryError",
        "the card's memory ran out",
        "lower --gpu-memory-utilization by 0.03, or --max-num-seqs and --max-num-batched-tokens",
    ),
    _ending(
        r"[Pp]lease pass the argument .trust_remote_code=True",
        "the model brings Python code of its own",
        "look at that code, then add --trust-remote-code",
    ),
    _ending(
        r"[Aa]ddress already in use",
        "its port is taken",
        "end the server that holds the port, or give this one another --port",
    ),
)


def server_log(state: State) -> Outcome:
    if state.log is None:
        up = state.server.answers if state.server is not None else state.behind_landline and not state.target.not_ready
        return Passed("the model server is up") if up else Skipped("no log was given: --server-log FILE")
    begin = max(state.log.text.rfind(BEGIN), 0)  # of the last start
    if UP in state.log.text[begin:]:
        return Passed("it came up")
    for ending in ENDINGS:
        if (match := ending.pattern.search(state.log.text, begin)) is not None:
            before = state.log.text.count("\n", 0, match.start())
            return [_problem(ending, match, state.log, before + state.log.first_line if state.log.first_line else 0)]
    return Passed("nothing in it is known to end a server")


def _problem(ending: Ending, match: re.Match[str], log: ServerLog, line: int) -> Problem:
    caught = next((group for group in match.groups() if group), "")
    fix = ending.fix
    if "estimated maximum" in ending.pattern.pattern and int(caught) < LEAST_WINDOW:
        fix = (
            f"{caught} tokens do not hold an agent's prompt: let `landline plan --list --vram GB` say what fits instead"
        )
    return Problem(finding=ending.finding.format(caught), fix=fix.format(caught), source=Source(log.file, line))
