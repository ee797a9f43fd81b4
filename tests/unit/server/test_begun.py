"""Work that runs to its first wait at once, and is awaited later by the same task."""

from __future__ import annotations

import asyncio

import pytest

from landline.server.begun import Begun


async def test_it_runs_at_once_and_is_awaited_later() -> None:
    seen: list[str] = []
    ready = asyncio.get_running_loop().create_future()

    async def work() -> str:
        seen.append("begun")
        seen.append(await ready)
        await asyncio.sleep(0)
        return "done"

    begun = Begun(work())
    assert seen == ["begun"]
    ready.set_result("waited")
    assert await begun == "done"
    assert seen == ["begun", "waited"]


async def test_what_never_waits_is_done_at_once() -> None:
    async def work() -> int:
        return 3

    assert await Begun(work()) == 3


@pytest.mark.parametrize("waits", [False, True])
async def test_an_error_is_raised_where_it_is_awaited(waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise KeyError("it")

    begun = Begun(work())
    with pytest.raises(KeyError):
        await begun


async def test_cancelling_reaches_the_work() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("work")

    async def task() -> None:
        begun = Begun(work())
        ended.append("begun")
        await begun

    running = asyncio.create_task(task())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["begun", "work"]


async def test_a_time_limit_inside_holds() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            return "in time"
        return "never"

    assert await Begun(work()) == "in time"


async def test_what_is_never_awaited_is_ended() -> None:
    ended: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    begun = Begun(work())
    del begun
    assert ended == [True]
