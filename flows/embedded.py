"""Run a flow in this process, on Prefect's embedded server, without losing what it recorded."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from finescale.errors import FinescaleError


def run(flow: Callable[..., Any], *arguments: object) -> int:
    """Run a flow and give the exit code: 0, or 2 with one line for what went wrong."""
    try:
        state = flow(*arguments, return_state=True)
        asyncio.run(drain(state.state_details.flow_run_id))
        message = str(state.message) if state.is_failed() or state.is_crashed() else ""
    except FinescaleError as error:
        message = str(error)
    for line in message.splitlines():
        sys.stderr.write(f"error: {line}\n")
    return 2 if message else 0


async def drain(run_id: UUID) -> None:
    """Wait until the embedded server has recorded the end of every task: their states travel as events."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    before = -1
    async with get_client() as client:
        for _ in range(60):
            runs = await client.read_task_runs(flow_run_filter=wanted)
            final = [r for r in runs if r.state is not None and r.state.is_final()]
            if len(final) == len(runs) == before:
                return
            before = len(runs)
            await asyncio.sleep(0.5)
