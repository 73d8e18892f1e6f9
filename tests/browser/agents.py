"""Agents beside the demo agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ag_ui.core import RunAgentInput

from copilotkit_runtime_py import RequestContext
from copilotkit_runtime_py.demo.agent import graph
from copilotkit_runtime_py.providers.langgraph import LangGraphProvider

# The demo agent, which tells its interrupts as AG-UI 1.0 does.
asking = LangGraphProvider(graph, emit_interrupt_outcome=True)


async def faulty(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    """Fails in the middle of its answer where it is asked to."""
    message = f"answer-of-{input.run_id}"
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": "I am on it."}
    if input.messages[-1].content == "Fail":
        raise RuntimeError("what only the operator may see")
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": " It is done."}


async def echo(input: RunAgentInput, context: RequestContext) -> AsyncIterator[dict[str, Any]]:
    """Tells what reached it besides the conversation."""
    message = f"answer-of-{input.run_id}"
    known = {**context.headers, **context.properties}
    text = ", ".join(f"{name} is {known.get(name)}" for name in ("authorization", "x-tenant", "plan"))
    yield {"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": text}
