"""A flow's state: as JSON for a client, and from a client into the flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ag_ui.core import RunAgentInput
from crewai.flow.flow import FlowState
from pydantic import BaseModel, Field
from pydantic_core import to_jsonable_python

PLUMBING = frozenset({"id", "messages", "copilotkit"})
"""Parts of the state that carry the conversation and the frontend's tools: a client sees them elsewhere."""


class CopilotKitState(FlowState):
    """A flow's state with the conversation in it, and what the frontend offers.

    Attributes:
        messages: the conversation, as chat models take it. A flow adds what it answers.
        copilotkit: the frontend's tools as `actions`, in OpenAI's format, and its readable `context`.
    """

    messages: list[Any] = Field(default_factory=list)
    copilotkit: dict[str, Any] = Field(default_factory=dict)


def visible_state(state: Any) -> dict[str, Any]:
    """Returns what a client may see of a flow's state, as plain JSON data."""
    if isinstance(state, BaseModel):
        state = state.model_dump()
    if not isinstance(state, Mapping):
        return {}
    return {name: _to_json(value) for name, value in state.items() if _is_visible(name)}


def _to_json(value: Any) -> Any:
    return to_jsonable_python(value, bytes_mode="base64", inf_nan_mode="null", serialize_unknown=True)


def _is_visible(name: Any) -> bool:
    return isinstance(name, str) and name not in PLUMBING and not name.startswith("_")


def inputs_for(state: Any, input: RunAgentInput, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the values that a request puts into a flow's state, without its id.

    Args:
        state: the flow's state, which declares its fields. A dict takes every field.
        input: the request. Its state counts as far as a client sees that part of the state.
        messages: the conversation.
    """
    sent = input.state if isinstance(input.state, Mapping) else {}
    values = {name: value for name, value in sent.items() if _is_visible(name)}
    values["messages"] = messages
    values["copilotkit"] = {"actions": _actions(input), "context": _context(input)}
    if isinstance(state, BaseModel) and state.model_config.get("extra") != "allow":
        fields = type(state).model_fields
        return {name: value for name, value in values.items() if name in fields and not fields[name].exclude}
    return values


def write(state: Any, values: Mapping[str, Any]) -> None:
    """Puts values into a flow's state.

    Raises:
        pydantic.ValidationError: the state's model rejects them.
    """
    if isinstance(state, BaseModel):
        valid = type(state).model_validate({**state.model_dump(), **values})
        for name in values:
            setattr(state, name, getattr(valid, name))
    else:
        state.update(values)


def conversation_of(state: Any) -> list[Any] | None:
    """Returns the messages that a flow keeps in its state, None if it keeps none."""
    messages = getattr(state, "messages", None) if isinstance(state, BaseModel) else None
    if isinstance(state, Mapping):
        messages = state.get("messages")
    return messages if isinstance(messages, list) else None


def _actions(input: RunAgentInput) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters or {"type": "object", "properties": {}},
            },
        }
        for tool in input.tools or []
    ]


def _context(input: RunAgentInput) -> list[dict[str, Any]]:
    return [item.model_dump(by_alias=True, exclude_none=True) for item in input.context or []]
