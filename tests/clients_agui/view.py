"""What a page is expected to show."""

from __future__ import annotations

from typing import Any

from tests.clients_agui.browser import View

Message = dict[str, Any]


def shown(
    *messages: Message,
    state: Any = None,
    errors: list[dict[str, Any]] | None = None,
    interrupts: list[dict[str, Any]] | None = None,
    running: bool = False,
) -> View:
    """A page with these messages."""
    return {
        "messages": list(messages),
        "state": {} if state is None else state,
        "interrupts": interrupts or [],
        "running": running,
        "errors": errors or [],
    }


def user(content: Any, id: str = "u1") -> Message:
    return {"id": id, "role": "user", "content": content}


def assistant(content: str, id: str = "m1") -> Message:
    return {"id": id, "role": "assistant", "content": content}


def calls(id: str, *tool_calls: tuple[str, str, str]) -> Message:
    """An assistant message that calls tools: the id, the name and the arguments of each call."""
    return {
        "id": id,
        "role": "assistant",
        "toolCalls": [
            {"id": call, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call, name, arguments in tool_calls
        ],
    }


def result(content: str, call: str, id: str) -> Message:
    return {"id": id, "role": "tool", "toolCallId": call, "content": content}


def error(message: str, code: str = "agent_run_error_event") -> dict[str, Any]:
    return {"code": code, "message": message}
