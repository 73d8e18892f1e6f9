"""Copies of flows and crews, so that no two runs meet on one."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar, cast

from crewai import Crew, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.flow.flow import Flow
from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

_OF_A_RUN = frozenset(
    {
        "id",
        "human_feedback_history",
        "last_human_feedback",
        "execution_context",
        "agent_executor",
        "cache_handler",
        "crew",
        "delegations",
        "output",
        "processed_by_agents",
        "prompt_context",
        "tools_errors",
        "tools_handler",
        "used_tools",
        "usage_metrics",
    }
)


def copy_of(flow: Flow[Any]) -> Flow[Any]:
    """Returns a flow that is set up like another one and has not run.

    What the class's own `__init__` did is taken over, not repeated: it may need arguments.
    """
    kind: Any = type(flow)
    fields = _fields(flow)
    if kind is Flow and getattr(flow, "_definition", None) is not None:
        return cast("Flow[Any]", Flow.from_declaration(contents=flow._definition, **fields))
    made: Flow[Any] = kind.__new__(kind)
    Flow.__init__(made, **fields)
    for name, value in vars(flow).items():
        if name not in vars(made):
            object.__setattr__(made, name, value)
    return made


def copy_of_crew(crew: Crew) -> Crew:
    """Returns a crew that is set up like another one and has not run.

    `Crew.copy` makes its copy of plain data: models, memories, embedders and schemas do not survive that. And
    it reads the sources of the crew's knowledge anew; here the copies share the knowledge.
    """
    copies: dict[int, BaseAgent] = {}

    def agent_of(agent: BaseAgent | None) -> BaseAgent | None:
        if agent is not None and id(agent) not in copies:
            copies[id(agent)] = _copy_of_agent(agent)
        return None if agent is None else copies[id(agent)]

    agents = [agent_of(agent) for agent in crew.agents]
    fields: dict[str, Any] = {"agents": agents, "tasks": _copies_of_tasks(crew.tasks, agent_of)}
    if crew.manager_agent is not None:
        fields["manager_agent"] = agent_of(crew.manager_agent)
    if crew.manager_llm is not None:
        fields["manager_llm"] = copy(crew.manager_llm)
    if getattr(crew, "_memory", None):
        fields["memory"] = crew._memory
    if crew.knowledge is not None:
        fields |= {"knowledge": crew.knowledge, "knowledge_sources": None}
    return _like(crew, **fields)


def _copy_of_agent(agent: BaseAgent) -> BaseAgent:
    # A copy of the model, since a run lets it stream.
    return _like(agent, llm=copy(agent._llm_for_copy()))


def _copies_of_tasks(
    tasks: list[Task], agent_of: Callable[[BaseAgent | None], BaseAgent | None]
) -> list[Task]:
    copies: dict[int, Task] = {}
    for task in tasks:
        fields: dict[str, Any] = {"agent": agent_of(task.agent), "tools": list(task.tools or ())}
        if isinstance(task.context, list):
            fields["context"] = [copies.get(id(other), other) for other in task.context]
        copies[id(task)] = _like(task, **fields)
    return list(copies.values())


def _like(model: M, **fields: Any) -> M:
    return type(model)(**{**_fields(model), **fields})


def _fields(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.model_fields_set - _OF_A_RUN}
