"""The request that starts a run on the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ag_ui.core import RunAgentInput
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Overwrite

from ..langgraph.config import USER_KEY, forwarded_props
from ..langgraph.plan import Plan
from ..langgraph.state import to_json
from .message_ids import MessageIds
from .parts import STREAM_MODES

# The server has these from the path of the request and from its own authentication.
_SERVERS_OWN: Final = frozenset({"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", USER_KEY})


def run_request(plan: Plan, assistant_id: str, input: RunAgentInput, ids: MessageIds) -> dict[str, Any]:
    """Returns the body of the request that runs a plan.

    Args:
        plan: what to run.
        assistant_id: with which assistant.
        input: what the client sent.
        ids: the ids by which clients know the thread's messages.
    """
    body: dict[str, Any] = {
        "assistant_id": assistant_id,
        "config": _config(plan.config, ids),
        "metadata": {"copilotkit_run_id": input.run_id},
        "stream_mode": STREAM_MODES,
        "stream_subgraphs": forwarded_props(input).get("streamSubgraphs") is not False,
        "stream_resumable": True,
        "on_disconnect": "continue",
        "multitask_strategy": "reject",
    }
    if isinstance(plan.input, Command):
        update: Any = plan.input.update
        body["command"] = {
            "resume": to_server(plan.input.resume, ids),
            "update": _channels(update, ids) if isinstance(update, Mapping) else None,
        }
    else:
        body["input"] = _channels(plan.input, ids) if plan.input is not None else None
    if checkpoint_id := plan.config.get("configurable", {}).get("checkpoint_id"):
        body["checkpoint_id"] = checkpoint_id
    return body


def to_server(value: Any, ids: MessageIds) -> Any:
    """Returns a value as the JSON that LangGraph's server and graphs read."""
    if isinstance(value, BaseMessage):
        return _message(value, ids)
    if isinstance(value, Overwrite):
        return {"__overwrite__": to_server(value.value, ids)}
    if isinstance(value, Mapping):
        return {str(name): to_server(each, ids) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_server(each, ids) for each in value]
    return to_json(value)


def _channels(values: Mapping[str, Any], ids: MessageIds) -> dict[str, Any]:
    """Returns an input, with the frontend's tools in the form of upstream's client for such servers."""
    found = {name: to_server(value, ids) for name, value in values.items()}
    for name, key in (("copilotkit", "actions"), ("ag-ui", "tools")):
        if isinstance(channel := found.get(name), dict) and key in channel:
            channel[key] = [_tool(tool) for tool in channel[key]]
    if isinstance(tools := found.get("tools"), list):
        found["tools"] = [_tool(tool) for tool in tools]
    return found


def _tool(tool: Any) -> Any:
    """Returns a tool as `@ag-ui/langgraph` sends it (0.0.43, `langGraphDefaultMergeState`)."""
    if not isinstance(tool, Mapping) or "type" in tool or "name" not in tool:
        return tool
    function = {name: tool[name] for name in ("name", "description", "parameters") if name in tool}
    return {"type": "function", "name": tool["name"], "function": function}


def _config(config: RunnableConfig, ids: MessageIds) -> dict[str, Any]:
    configurable = {k: v for k, v in config.get("configurable", {}).items() if k not in _SERVERS_OWN}
    if isinstance(payload := configurable.get("copilotkit"), Mapping):
        configurable["copilotkit"] = {**payload, "actions": [_tool(each) for each in payload["actions"]]}
    sent: dict[str, Any] = {"configurable": to_server(configurable, ids)}
    for name in ("recursion_limit", "tags", "metadata"):
        if name in config:
            sent[name] = to_server(config[name], ids)
    return sent


def _message(message: BaseMessage, ids: MessageIds) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": message.type,
        "content": message.content,
        "id": ids.inside(message.id),
        "name": message.name,
        "additional_kwargs": message.additional_kwargs,
        "response_metadata": message.response_metadata,
    }
    if isinstance(message, AIMessage):
        fields["tool_calls"] = message.tool_calls
    elif isinstance(message, ToolMessage):
        fields |= {"tool_call_id": message.tool_call_id, "status": message.status}
    required = ("type", "content", "id")
    return {name: to_json(value) for name, value in fields.items() if value or name in required}
