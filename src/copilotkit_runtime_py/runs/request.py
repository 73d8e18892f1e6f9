"""A request to run an agent, as a protocol hands it to the runtime."""

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
    """A request to run an agent. It was parsed and checked, and its caller may use the agent.

    Attributes:
        agent: the agent.
        input: what the agent is asked to do.
        context: who asks, and what the request says besides.
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
        """Refuses a request that brings too much.

        Raises:
            InvalidRequestError: it does.
        """
        if len(self.input.messages) > limits.messages_per_request:
            raise InvalidRequestError(f"A request may bring {limits.messages_per_request} messages at most.")
        if len(self.input.json.get("tools", ())) > limits.tools_per_request:
            raise InvalidRequestError(f"A request may bring {limits.tools_per_request} tools at most.")

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
        """Returns what the hooks get before the run starts."""
        return BeforeRequest(
            thread_id=self.thread_id,
            run_id=self.input.run_id,
            agent_name=self.agent.name,
            input_messages=self.input.messages,
            context=self.context,
        )

    def failed(self, error: BaseException, *, usage: Sequence[dict[str, Any]] = ()) -> RequestFailed:
        """Returns what the hooks get if the request fails.

        Args:
            error: what it fails with.
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
