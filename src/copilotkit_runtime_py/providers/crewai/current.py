"""What a flow, an agent or a tool can ask of the run it works in."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ag_ui.core import RunAgentInput, Tool
from crewai.tools import BaseTool
from crewai.utilities.string_utils import sanitize_tool_name
from pydantic import BaseModel, ConfigDict

from ...context import RequestContext
from .answers import Answers
from .feed import Feed, HandedOver
from .internal import InternalWork


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """The run that the code at hand works in.

    Attributes:
        input: what the client sent.
        context: the request.
        feed: where events go.
        flow: the flow that runs, None for a crew.
        answers: what chat models have answered so far.
        internal: what CrewAI does for its own purposes.
    """

    input: RunAgentInput
    context: RequestContext
    feed: Feed
    flow: Any = None
    answers: Answers = field(default_factory=Answers)
    internal: InternalWork = field(default_factory=InternalWork)


RUN: ContextVar[CurrentRun | None] = ContextVar("copilotkit_crewai_run", default=None)


def current_run() -> CurrentRun:
    """Returns the run that the calling code works in.

    Raises:
        RuntimeError: it works in none.
    """
    run = RUN.get()
    if run is None:
        raise RuntimeError("There is no CopilotKit run here. Call this within a flow, an agent or a tool.")
    return run


def request_context() -> RequestContext:
    """Returns the request that the current run answers: the caller, and the frontend's properties.

    Raises:
        RuntimeError: the caller is not part of a run.
    """
    return current_run().context


def frontend_tools() -> list[BaseTool]:
    """Returns the frontend's tools for an agent of CrewAI: `Agent(tools=[*mine, *frontend_tools()])`.

    The run ends when an agent calls one. The frontend runs the tool and sends the result with its next
    request. A flow that calls a model itself finds the tools in `state["copilotkit"]["actions"]`.

    Raises:
        RuntimeError: the caller is not part of a run.
    """
    return tools_of(current_run().input)


def tools_of(input: RunAgentInput) -> list[BaseTool]:
    """Returns the frontend's tools in a request, for agents of CrewAI."""
    return [_frontend_tool(tool) for tool in input.tools or []]


def emit(event: Mapping[str, Any]) -> None:
    """Sends an AG-UI event in JSON form to the frontend, in order with what the models say.

    Raises:
        RuntimeError: the caller is not part of a run.
    """
    current_run().feed(None, dict(event))


class FrontendTool(BaseTool):
    """A tool that the frontend runs."""

    def _run(self, **arguments: Any) -> Any:
        raise HandedOver


def _frontend_tool(tool: Tool) -> BaseTool:
    schema = tool.parameters if isinstance(tool.parameters, dict) else {}
    return FrontendTool(
        name=tool.name, description=tool.description or tool.name, args_schema=_schema(schema)
    )


def _schema(schema: dict[str, Any]) -> type[BaseModel]:
    """Returns a model with this JSON schema that accepts all arguments: the frontend checks them."""

    class Arguments(BaseModel):
        model_config = ConfigDict(extra="allow")

        @classmethod
        def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return {"type": "object", "properties": {}, **copy.deepcopy(schema)}

    return Arguments


def tool_names(input: RunAgentInput) -> dict[str, str]:
    """Returns the names of the frontend's tools by the names that CrewAI gives to models."""
    return {sanitize_tool_name(tool.name): tool.name for tool in input.tools or []}
