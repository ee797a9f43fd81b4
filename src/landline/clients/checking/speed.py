"""Speed at 1, 4 and 16 streams: time to the first token, tokens a second of each and of all together."""

from __future__ import annotations

import asyncio
import time

from landline.clients.checking.asking import Answer
from landline.clients.checking.bench import Bench, Finding, Probe, failed, fails, passed
from landline.clients.checking.calls import NO_THINKING
from landline.clients.checking.causes import Cause, problem_fault

ROOM = 64  # tokens of each answer
LEAST_RATE = 5.0  # tokens a second of one stream; below, a file takes minutes
BURST = 0.1  # of an answer's time; what streams in less came in one piece
LONGEST_WAIT_S = 20.0  # for the first token of a short prompt


def speed_probe(streams: int) -> Probe:
    async def run(bench: Bench) -> Finding:
        return await _speed(bench, streams)

    title = "Speed of one stream" if streams == 1 else f"Speed of {streams} streams at once"
    return Probe(f"speed_{streams}", title, run, patience=2 if streams > 1 else 1, heavy=streams > 1)


async def _speed(bench: Bench, streams: int) -> Finding:
    began = time.monotonic()
    # Each prompt is another: the gateway answers the same one, asked twice at a time, once.
    prompts = [f"Write a story about boat number {streams}{number:02}." for number in range(streams)]
    answers = await asyncio.gather(
        *(bench.asker.ask_once(prompt, room=ROOM, thinking=NO_THINKING) for prompt in prompts)
    )
    finding, figures = judge(answers, time.monotonic() - began)
    bench.figures.update({f"speed_{streams}.{name}": figure for name, figure in figures.items()})
    return finding


def judge(answers: list[Answer], took_s: float) -> tuple[Finding, dict[str, float]]:
    """`took_s`: from the first request to the end of the last answer."""
    broken = [answer for answer in answers if answer.problem]
    if broken:
        fault = problem_fault(broken[0].problem)
        return failed(fault), {"failed": len(broken)}
    waits = sorted(answer.first_s for answer in answers)
    rates = [_rate(answer) for answer in answers if answer.output > 1]
    wait, rate = waits[len(waits) // 2], sum(rates) / len(rates) if rates else 0.0
    together = sum(answer.output for answer in answers) / max(took_s, 1e-3)
    figures = {
        "first_token_s": round(wait, 3),
        "tokens_per_s": round(rate, 1),
        "tokens_per_s_together": round(together, 1),
    }
    said = f"first token after {wait:.2f} s, {rate:.0f} tokens/s"
    if len(answers) > 1:
        said += f" each, {together:.0f} tokens/s together"
    if wait > LONGEST_WAIT_S or 0 < rate < LEAST_RATE:
        return fails(Cause.SLOW, said), figures
    return passed(said), figures


def _rate(answer: Answer) -> float:
    """Tokens a second behind the first; of an answer that came in one piece, over all of its time."""
    streamed = answer.total_s - answer.first_s
    if streamed < BURST * answer.total_s:
        return answer.output / max(answer.total_s, 1e-3)
    return (answer.output - 1) / streamed


PROBES = (speed_probe(1), speed_probe(4), speed_probe(16))
