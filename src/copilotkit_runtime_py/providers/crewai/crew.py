"""What a request makes of a crew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ag_ui.core import RunAgentInput
from crewai import BaseLLM, Crew
from crewai.crews.utils import enable_agent_streaming
from crewai.tools import BaseTool

from ...errors import AgentError
from .messages import text_of, transcript

_PLACEHOLDER = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_CONVERSATION = "\n\nThe conversation with the user so far:\n{conversation}"


def prepare_crew(crew: Crew, messages: list[dict[str, Any]], tools: list[BaseTool]) -> None:
    """Has a crew stream what its models say, hear the user, and use the frontend's tools.

    The conversation goes into the first task's description, unless a task or agent mentions `{user_message}`
    or `{conversation}`.
    """
    crew.stream = False
    agents = [*crew.agents, *([crew.manager_agent] if crew.manager_agent else [])]
    enable_agent_streaming(agents)
    if isinstance(crew.manager_llm, BaseLLM):
        crew.manager_llm.stream = True
    for agent in crew.agents if tools else ():
        agent.tools = [*(agent.tools or ()), *tools]
    for task in crew.tasks if tools else ():
        task.tools = [*task.tools, *tools] if task.tools else task.tools
    if messages and crew.tasks and not {"user_message", "conversation"} & _placeholders(crew):
        crew.tasks[0].description += _CONVERSATION


def crew_inputs(crew: Crew, input: RunAgentInput, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the inputs of a crew: the frontend's state, and the user's words.

    Raises:
        AgentError: the crew needs more than that.
    """
    state = input.state if isinstance(input.state, Mapping) else {}
    said = [text_of(message) for message in messages if message["role"] == "user"]
    inputs = {**state, "user_message": said[-1] if said else "", "conversation": transcript(messages)}
    missing = sorted(_placeholders(crew) - inputs.keys())
    if missing:
        raise AgentError(
            f"The crew needs to know: {', '.join(missing)}. Set it in the agent's shared state.",
            "MISSING_CREW_INPUTS",
        )
    return inputs


def _placeholders(crew: Crew) -> set[str]:
    return {name for name in crew.fetch_inputs() if _PLACEHOLDER.fullmatch(name)}
