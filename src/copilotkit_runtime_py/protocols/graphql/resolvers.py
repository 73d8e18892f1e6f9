"""Resolvers of the root fields of one GraphQL request: the bridge to the runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from strawberry import UNSET

from ...agui.events import encode
from ...agui.input_checks import check_id
from ...agui.run_input import RunInput
from ...context import RequestContext
from ...errors import MissingApiKeyError
from ...guardrails.policy import Rules
from ...hooks import RequestFailed
from ...providers.directory import ResolvedAgent
from ...runs.request import RunRequest
from ...runs.run import Run
from ...runtime import CopilotRuntime
from .client import Client
from .convert import flat_messages, run_input, without_instructions
from .inputs import (
    ActionInputAvailability,
    CopilotRequestType,
    GenerateCopilotResponseInput,
    LoadAgentStateInput,
)
from .projection import Projection
from .response import ResponseBuilder
from .types import Agent, AgentsResponse, CopilotResponse, LoadAgentStateResponse


class RunResponse:
    """The response that grows with a run.

    Args:
        run: the run.
        input: the client's input.
        client: the client.
        wake: called when the run may have news.
    """

    def __init__(self, run: Run, input: RunInput, client: Client, wake: Callable[[], None]) -> None:
        self.run = run
        self.builder = ResponseBuilder(run, client)
        self._projection = Projection(input.state, input.messages)
        self._subscription = run.subscribe(wake)

    def advance(self) -> None:
        """Applies what the run emitted since the last call."""
        entries = self._subscription.take()
        if entries:
            self.builder.apply(self._projection.project(entries))

    def close(self, *, stop: bool) -> None:
        """Leaves the run, and stops it if asked to."""
        self._subscription.close()
        if stop:
            self.run.stop()


class RequestResolvers:
    """Answers the root fields of one request.

    Args:
        runtime: the runtime.
        context: what the HTTP request contains.
        client: the client.
        wake: called when a response may have grown; call `advance` then.
    """

    def __init__(
        self,
        runtime: CopilotRuntime,
        context: RequestContext,
        client: Client,
        *,
        wake: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._context = context
        self._agents = runtime.agents_for(context)
        self._client = client
        self._wake = wake
        self._responses: list[RunResponse] = []

    def advance(self) -> None:
        """Updates the responses from their runs."""
        for response in self._responses:
            response.advance()

    def close(self, *, stop: bool) -> None:
        """Leaves the runs, and stops them if asked to."""
        for response in self._responses:
            response.close(stop=stop)

    async def hello(self) -> str:
        """Says that the server is available."""
        return "Hello World"

    async def available_agents(self) -> AgentsResponse:
        """Lists the agents that the caller may use. The name is the id."""
        agents = await self._agents.all()
        return AgentsResponse(
            agents=[
                Agent(id=name, name=name, description=provider.description)
                for name, provider in agents.items()
            ]
        )

    async def load_agent_state(self, data: LoadAgentStateInput) -> LoadAgentStateResponse:
        """Returns the agent's state and messages on a thread.

        Raises:
            AgentNotFoundError: the caller has no agent of that name.
            InvalidRequestError: no thread or agent can have that name.
        """
        self._check_ids(agentName=data.agent_name, threadId=data.thread_id)
        agent = await self._agents.resolve(data.agent_name)
        loaded = await self._runtime.load_agent_state(agent, data.thread_id, self._context)
        messages = flat_messages(without_instructions(loaded.messages)) if loaded else []
        return LoadAgentStateResponse(
            thread_id=data.thread_id,
            thread_exists=loaded is not None,
            state=encode(loaded.state).decode() if loaded else "{}",
            messages=encode(messages).decode(),
        )

    async def generate_copilot_response(
        self, data: GenerateCopilotResponseInput, properties: dict[str, Any] | None
    ) -> CopilotResponse:
        """Starts a run and returns the response that grows with it.

        Raises:
            CopilotKitError: the request was refused.
        """
        runtime = self._runtime
        context = self._request_context(data, {**(properties or {}), **runtime.properties})
        try:
            if data.cloud and not self._client.has_api_key:
                raise MissingApiKeyError("X-CopilotCloud-Public-API-Key header is required")
            requested = data.agent_session.agent_name if data.agent_session else None
            self._check_ids(agentName=requested)
            Rules.of_client(context)  # too many are refused before a run starts
            agent = await runtime.agents_for(context).resolve(requested)
            input = await self._run_input(data, agent, context)
        except Exception as error:
            await runtime.report(RequestFailed(error=error, context=context))
            raise
        request = RunRequest(agent=agent, input=input, context=context, recorded=_is_conversation(data))
        run = await runtime.start_run(request)
        response = RunResponse(run, input, self._client, self._wake)
        self._responses.append(response)
        return response.builder.response

    async def _run_input(
        self, data: GenerateCopilotResponseInput, agent: ResolvedAgent, context: RequestContext
    ) -> RunInput:
        interrupts: list[dict[str, Any]] = []
        thread_id = data.thread_id or (data.agent_session.thread_id if data.agent_session else None)
        self._check_ids(threadId=thread_id)
        if data.meta_events and thread_id:
            loaded = await self._runtime.load_agent_state(agent, thread_id, context)
            interrupts = loaded.interrupts if loaded else []
        return await run_input(
            data,
            agent_name=agent.name,
            properties=context.properties,
            limits=self._runtime.limits,
            interrupts=interrupts,
        )

    def _check_ids(self, **ids: str | None) -> None:
        for name, id in ids.items():
            check_id(name, id, self._runtime.limits)

    def _request_context(
        self, data: GenerateCopilotResponseInput, properties: dict[str, Any]
    ) -> RequestContext:
        request_type = data.metadata.request_type
        guardrails = data.cloud.guardrails if data.cloud else None
        return dataclasses.replace(
            self._context,
            properties=properties,
            url=data.frontend.url or None,
            request_type=request_type.value if request_type else None,
            node_name=(data.agent_session.node_name or None) if data.agent_session else None,
            frontend_context=data.frontend.to_deprecate_full_context or None,
            forwarded_parameters=_given(data.forwarded_parameters),
            agent_tools=_agent_tools(data),
            extensions=_given(data.extensions),
            guardrails=_given(guardrails.input_validation_rules) if guardrails else None,
        )


def _is_conversation(data: GenerateCopilotResponseInput) -> bool:
    """Whether other requests may follow on the thread. Tasks and suggestions name no thread."""
    session = data.agent_session
    if data.thread_id or (session and session.thread_id):
        return True
    return data.metadata.request_type in (None, UNSET, CopilotRequestType.Chat)


def _agent_tools(data: GenerateCopilotResponseInput) -> frozenset[str]:
    """Returns the actions that are not for a plain model: `remote` ones, if the request names no agent."""
    if data.agent_session:
        return frozenset()
    remote = ActionInputAvailability.remote
    return frozenset(action.name for action in data.frontend.actions if action.available is remote)


def _given(value: Any) -> dict[str, Any]:
    """Returns the fields of an input object that the client gave, in snake case, nested ones included."""
    if not value:
        return {}
    given: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if item is not UNSET and item is not None:
            given[field.name] = _given(item) if dataclasses.is_dataclass(item) else item
    return given
