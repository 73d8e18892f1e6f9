"""What a request asks of the model: which one, how it samples, which tools it may or must call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ag_ui.core import AssistantMessage, Message, RunAgentInput, Tool

from ...context import RequestContext
from ...errors import AgentError


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterBounds:
    """What a client may ask for. Anything beyond is refused, never changed in silence.

    Attributes:
        max_tokens: the longest answer, or None for whatever the model allows.
        temperature: the lowest and the highest temperature.
    """

    max_tokens: int | None
    temperature: tuple[float, float]


def call_options(context: RequestContext, bounds: ParameterBounds) -> dict[str, Any]:
    """Returns the keyword arguments of the model call, under the names that LangChain's chat models share.

    Raises:
        AgentError: a parameter is out of bounds.
    """
    asked, options = context.forwarded_parameters, dict[str, Any]()
    if (temperature := asked.get("temperature")) is not None:
        low, high = bounds.temperature
        options["temperature"] = _within("temperature", temperature, low, high)
    if (max_tokens := asked.get("max_tokens")) is not None:
        high = math.inf if bounds.max_tokens is None else bounds.max_tokens
        options["max_tokens"] = int(_within("maxTokens", max_tokens, 1, high))
    if stop := asked.get("stop"):
        options["stop"] = list(stop)
    return options


def _within(name: str, value: Any, low: float, high: float) -> float:
    number = float(value)
    if not math.isfinite(number) or not low <= number <= high:
        allowed = f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
        raise refused(f"{name} is {number:g}; this server allows {allowed}.")
    return number


def offered_tools(input: RunAgentInput, context: RequestContext) -> list[dict[str, Any]]:
    """Returns the tools for the model in OpenAI's form, which every LangChain integration reads.

    Of two tools with one name the first counts. Tools that the frontend offers to agents only are left out.
    """
    offered: dict[str, dict[str, Any]] = {}
    for tool in input.tools or ():
        if tool.name not in context.agent_tools:
            offered.setdefault(tool.name, _function(tool))
    return list(offered.values())


def _function(tool: Tool) -> dict[str, Any]:
    parameters = tool.parameters if isinstance(tool.parameters, Mapping) else {}
    schema = {"type": "object", "properties": {}, **parameters}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": schema},
    }


def tool_choice(input: RunAgentInput, context: RequestContext) -> str | None:
    """Returns what is asked of the model: `none`, `any`, a tool's name, or None to leave it the choice.

    Old clients say it in their forwarded parameters, newer ones in `forwardedProps.toolChoice`, as
    `SuggestionEngine` of `@copilotkit/core` does. A call is asked for once: with its result, the model is
    free to end what would otherwise not end.

    Raises:
        AgentError: the choice is of an unknown form.
    """
    choice = _asked_choice(input, context)
    if choice in (None, "none"):
        return choice
    answered = _just_answered(input.messages)
    return None if answered and choice in ("any", *answered) else choice


def _asked_choice(input: RunAgentInput, context: RequestContext) -> str | None:
    props = input.forwarded_props if isinstance(input.forwarded_props, Mapping) else {}
    forwarded = context.forwarded_parameters
    match forwarded.get("tool_choice") or props.get("toolChoice"):
        case None | "auto":
            return None
        case "none":
            return "none"
        case "required" | "any":
            return "any"
        case "function" if name := forwarded.get("tool_choice_function_name"):
            return str(name)
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case _:
            raise refused("The toolChoice of the request is of no known form.")


def _just_answered(messages: Sequence[Message]) -> list[str]:
    """Returns the names of the tools whose results end the conversation."""
    end = len(messages)
    while end and messages[end - 1].role == "tool":
        end -= 1
    caller = messages[end - 1] if 0 < end < len(messages) else None
    calls = caller.tool_calls or () if isinstance(caller, AssistantMessage) else ()
    return [call.function.name for call in calls]


def refused(problem: str) -> AgentError:
    """The error for what a client may not ask."""
    return AgentError(problem, "BAD_REQUEST", status_code=400)
