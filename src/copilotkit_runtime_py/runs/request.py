"""A request to run an agent, as a protocol passes it to the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..agui.run_input import RunInput
from ..agui.versions import SentMessage
from ..context import RequestContext
from ..errors import InvalidRequestError
from ..hooks import BeforeRequest, RequestFailed
from ..limits import Limits
from ..providers.directory import ResolvedAgent
from ..state_store.base import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A request to run an agent. It is parsed and checked, and its caller may use the agent.

    Attributes:
        agent: the agent.
        input: the agent's input.
        context: the caller, and other facts of the HTTP request.
        sent: the messages, by id, that the client sent in another form than the input has. Readers see them
            as they were sent.
        recorded: the thread is stored. Otherwise, which is for a thread of this run alone, neither the store
            nor the agent knows it afterwards.
        replaces_results: the client shows results of its own for calls that the server answers now.
    """

    agent: ResolvedAgent
    input: RunInput
    context: RequestContext
    sent: Mapping[str, SentMessage] = field(default_factory=dict)
    recorded: bool = True
    replaces_results: bool = False

    def check_size(self, limits: Limits) -> None:
        """Refuses a request that exceeds the limits.

        Raises:
            InvalidRequestError: it exceeds one.
        """
        if len(self.input.messages) > limits.messages_per_request:
            raise InvalidRequestError(f"A request may have at most {limits.messages_per_request} messages.")
        if len(self.input.json.get("tools", ())) > limits.tools_per_request:
            raise InvalidRequestError(f"A request may have at most {limits.tools_per_request} tools.")

    def record(self, title: str | None = None) -> RunRecord:
        """Returns the run as a store knows it, before it has a number.

        Args:
            title: the name for a thread that has none.
        """
        return RunRecord(
            id=self.input.run_id,
            thread_id=self.thread_id,
            agent_name=self.agent.name,
            owner=self.owner,
            title=title,
        )

    def before(self) -> BeforeRequest:
        """Returns the hooks' argument before the run starts."""
        return BeforeRequest(
            thread_id=self.thread_id,
            run_id=self.input.run_id,
            agent_name=self.agent.name,
            input_messages=self.input.messages,
            context=self.context,
        )

    def failed(self, error: BaseException, *, usage: Sequence[dict[str, Any]] = ()) -> RequestFailed:
        """Returns the hooks' argument if the request fails.

        Args:
            error: the exception.
            usage: the tokens that models had used.
        """
        return RequestFailed(
            error=error,
            thread_id=self.thread_id,
            run_id=self.input.run_id,
            agent_name=self.agent.name,
            context=self.context,
            usage=list(usage),
        )

    @property
    def owner(self) -> str:
        """The owner of the thread."""
        return self.context.owner

    @property
    def thread_id(self) -> str:
        """The thread of the run."""
        return self.input.thread_id
