"""Hooks: functions of the application that observe requests, and may refuse them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from .context import RequestContext
from .errors import PROCESS_EXITS
from .logs.records import get_logger

logger = get_logger(__name__)

E = TypeVar("E")
Hook: TypeAlias = Callable[[E], Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeRequest:
    """A run is about to start, or a run that makes suggestions. Raising refuses it.

    Attributes:
        thread_id: the thread of the run.
        run_id: the run's id.
        agent_name: the agent that will run.
        input_messages: the conversation so far, as AG-UI messages in JSON form.
        context: what else the request says.
    """

    thread_id: str
    run_id: str
    agent_name: str
    input_messages: list[dict[str, Any]]
    context: RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterRequest:
    """A run ended well.

    Attributes:
        request: what the run was asked.
        output_messages: what the run added to the conversation: whole AG-UI messages in JSON form.
        usage: the tokens that models used, one AG-UI 1.0 `TokenUsage` in JSON form for each provider and
            model; empty where none was reported.
    """

    request: BeforeRequest
    output_messages: list[dict[str, Any]]
    usage: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopGeneration:
    """A run was stopped. Sent once per run.

    Attributes:
        request: what the run was asked.
        usage: the tokens that models had used; see `AfterRequest`.
    """

    request: BeforeRequest
    usage: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed:
    """A request failed.

    Attributes:
        error: the exception.
        thread_id: the thread of the run, if the request got so far.
        run_id: the run's id, if the request got so far.
        agent_name: the agent, if the request got so far.
        context: what else the request says.
        usage: the tokens that models had used; see `AfterRequest`.
    """

    error: BaseException
    thread_id: str | None = None
    run_id: str | None = None
    agent_name: str | None = None
    context: RequestContext = field(default_factory=RequestContext)
    usage: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hooks:
    """A team's hooks, each a plain or an async function of one argument."""

    on_before_request: Hook[BeforeRequest] | None = None
    on_after_request: Hook[AfterRequest] | None = None
    on_stop_generation: Hook[StopGeneration] | None = None
    on_error: Hook[RequestFailed] | None = None


async def call_hook(hook: Hook[E] | None, event: E) -> None:
    """Calls a hook, if there is one. What it raises passes through."""
    if hook is not None:
        result = hook(event)
        if inspect.isawaitable(result):
            await result


async def tell_hook(hook: Hook[E] | None, event: E) -> None:
    """Calls a notification hook. What it raises is logged."""
    try:
        await call_hook(hook, event)
    except (Exception, *PROCESS_EXITS):
        logger.exception("the hook for %s failed", type(event).__name__)
