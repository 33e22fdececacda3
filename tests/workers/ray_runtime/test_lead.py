"""The first of several servers, where another is lost; messages are made here. Real ones: `test_ray_lead`."""

import asyncio
from typing import Any

from millrace.workers.ray_runtime.lead import LeadActor


def test_a_move_that_waited_while_a_server_was_lost_takes_nothing_that_was_given() -> None:
    """Its parts are cancelled by then: to wait for them would raise CancelledError in whoever contributed last."""

    async def run() -> list[Any]:
        lead: Any = object.__new__(LeadActor)
        lead._moving, lead._incarnation = asyncio.Lock(), "first"
        cancelled = asyncio.get_running_loop().create_future()
        cancelled.cancel()
        lead._given = [cancelled]
        async with lead._moving:  # as a snapshot has it
            moving = asyncio.ensure_future(lead._move(None, None, "first"))
            await asyncio.sleep(0)
            lead._incarnation = "second"
        await moving
        return list(lead._given)

    assert len(asyncio.run(run())) == 1
