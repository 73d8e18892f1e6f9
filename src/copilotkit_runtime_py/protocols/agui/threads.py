"""Threads as frontends list and manage them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeAlias

from starlette.responses import Response

from ...agui.input_checks import check_id
from ...errors import AgentNotFoundError, CopilotKitError, ThreadNotFoundError
from ...runs.replay import replay
from ...runtime import CopilotRuntime
from ...state_store.base import AgentState, RunLog, ThreadRecord
from ..responses import HTTPError, json_response
from .call import Call

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]

_NEEDS_INTELLIGENCE: Final = (
    "Missing CopilotKitIntelligence configuration. This operation is a part of CopilotKit's paid platform, "
    "which this runtime does not use."
)
_FLAT: Final = ("id", "role", "content", "toolCallId")


class ThreadOperations:
    """Answers requests about threads. Callers see their own threads only.

    Args:
        runtime: the runtime.
    """

    def __init__(self, runtime: CopilotRuntime) -> None:
        self._runtime = runtime
        self.handlers: dict[str, Handler] = {
            "threads/list": self._list,
            "threads/messages": self._messages,
            "threads/events": self._events,
            "threads/state": self._state,
            "threads/update": self._update,
            "threads/archive": self._archive,
            "threads/delete": self._delete,
            "threads/clear": self._clear,
            "threads/subscribe": _refuse,
            "annotate": _refuse,
        }

    async def _list(self, call: Call) -> Response:
        agents = self._runtime.agents_for(call.context)
        agent_name = call.query.get("agentId") or None
        if agent_name is not None:
            with suppress(CopilotKitError):
                agent_name = (await agents.resolve(agent_name)).name
        limit = _positive(call.query.get("limit", ""))
        records = await self._runtime.state_store.list_threads(
            call.context.owner,
            agent_name,
            include_archived=call.query.get("includeArchived") == "true",
            limit=None if limit is None else limit + 1,
            after=call.query.get("cursor") or None,
        )
        page = records[:limit]
        await agents.all()  # a rule that fails must not look like an empty list
        return json_response(
            {
                "threads": [_row(record) for record in page if await agents.may_read(record.agent_name)],
                "nextCursor": page[-1].id if len(page) < len(records) else None,
            }
        )

    async def _messages(self, call: Call) -> Response:
        state = await self._load(call)
        return json_response({"messages": [_flat(message) for message in state.messages] if state else []})

    async def _state(self, call: Call) -> Response:
        state = await self._load(call)
        return json_response({"state": state.state if state else None})

    async def _events(self, call: Call) -> Response:
        agents = self._runtime.agents_for(call.context)
        logs: list[RunLog] = []
        last = await self._runtime.last_agent(call.thread_id, call.context)
        if last is not None and await agents.may_read(last):
            runs = await self._runtime.state_store.read_runs(call.context.owner, call.thread_id)
            logs = [log for log in runs if log.ended and await agents.may_read(log.run.agent_name)]
            logs = await self._runtime.attachments.renewed_logs(logs, call.context.owner)
        return json_response({"events": replay(logs)})

    async def _load(self, call: Call) -> AgentState | None:
        """Returns the thread's state of the agent of the last run, if the caller may use that agent."""
        name = await self._runtime.last_agent(call.thread_id, call.context)
        if name is None:
            return None
        with suppress(AgentNotFoundError):
            agent = await self._runtime.agents_for(call.context).resolve(name)
            return await self._runtime.load_agent_state(agent, call.thread_id, call.context)
        return None

    async def _update(self, call: Call) -> Response:
        body = _object(call)
        name, archived = body.get("name"), body.get("archived")
        if not isinstance(name, str | None) or not isinstance(archived, bool | None):
            raise HTTPError(400, {"error": "Invalid request body"})
        check_id("name", name, self._runtime.limits)
        return json_response(_row(await self._change(call, name=name, archived=archived)))

    async def _archive(self, call: Call) -> Response:
        await self._change(call, archived=True)
        return json_response({"threadId": call.thread_id, "archived": True})

    async def _change(
        self, call: Call, *, name: str | None = None, archived: bool | None = None
    ) -> ThreadRecord:
        return await self._runtime.state_store.update_thread(
            call.context.owner, call.thread_id, name=name, archived=archived
        )

    async def _delete(self, call: Call) -> Response:
        await self._runtime.delete_thread(call.thread_id, call.context)
        return json_response({"threadId": call.thread_id, "deleted": True})

    async def _clear(self, call: Call) -> Response:
        for record in await self._runtime.state_store.list_threads(call.context.owner, include_archived=True):
            with suppress(ThreadNotFoundError):
                await self._runtime.delete_thread(record.id, call.context)
        return Response(status_code=204)


async def _refuse(call: Call) -> Response:
    raise HTTPError(422, {"error": _NEEDS_INTELLIGENCE})


def _positive(text: str) -> int | None:
    """Returns a number above 0 that fits a database's integers, or None for any other text."""
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    return number or None


def _object(call: Call) -> Mapping[str, Any]:
    body = call.json()
    if not isinstance(body, dict):
        raise HTTPError(400, {"error": "Invalid request body"})
    return body


def _row(record: ThreadRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "agentId": record.agent_name,
        "organizationId": "",
        "createdById": "",
        "archived": record.archived,
        "createdAt": _timestamp(record.created_at),
        "updatedAt": _timestamp(record.updated_at),
        "lastRunAt": _timestamp(record.last_run_at),
    }


def _timestamp(time: datetime) -> str:
    """Returns a time as JavaScript writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """Returns a message as the inspector reads it: a tool call has only id, name and arguments."""
    flat: dict[str, Any] = {
        name: message[name]
        for name in ("id", "role", "activityType", "content", "toolCallId")
        if name in message
    }
    calls = message.get("toolCalls")
    if calls:
        flat["toolCalls"] = [
            {"id": call["id"], "name": call["function"]["name"], "args": call["function"]["arguments"]}
            for call in calls
        ]
    return flat
