"""Requests to run an agent, as protocols make them."""

from __future__ import annotations

from typing import Any

from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import CopilotRuntime, RequestContext
from copilotkit_runtime_py.agui.run_input import RunInput
from copilotkit_runtime_py.runs.request import RunRequest


async def run_request(
    runtime: CopilotRuntime,
    agent_name: str | None,
    input: RunAgentInput,
    context: RequestContext,
    **options: Any,
) -> RunRequest:
    agent = await runtime.agents_for(context).resolve(agent_name)
    return RunRequest(agent=agent, input=RunInput.of(input), context=context, **options)
