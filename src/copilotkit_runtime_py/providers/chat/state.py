"""The shared state in a chat model's hands: the state in its prompt, and tools that change it.

The tools have the names that CopilotKit's `BuiltInAgent` gives them (`@copilotkit/runtime` 1.75).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ...agui import events
from ...agui.events import Event
from ...agui.json_patch import Patched

_SNAPSHOT: Final = "AGUISendStateSnapshot"
_DELTA: Final = "AGUISendStateDelta"

_OPERATION: Final = {
    "type": "object",
    "properties": {
        "op": {"type": "string", "enum": ["add", "replace", "remove"]},
        "path": {"type": "string", "description": "JSON Pointer, such as /items/0/name or /items/-."},
        "value": {"description": "The new value; not for remove."},
    },
    "required": ["op", "path"],
}


def _tool(name: str, description: str, argument: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {argument: schema}, "required": [argument]}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


STATE_TOOLS: Final = (
    _tool(
        _SNAPSHOT,
        "Replaces the application's whole state.",
        "snapshot",
        {"type": "object", "description": "The whole new state."},
    ),
    _tool(
        _DELTA,
        "Changes parts of the application's state by JSON Patch operations (RFC 6902).",
        "delta",
        {"type": "array", "items": _OPERATION},
    ),
)
"""The tools that change the state, in OpenAI's form."""

STATE_TOOL_NAMES: Final = frozenset({_SNAPSHOT, _DELTA})


class SharedState:
    """The state of one run.

    Args:
        value: the state that the client sent.
    """

    def __init__(self, value: Any) -> None:
        self._state = Patched({} if value is None else value)

    def prompt(self) -> str:
        """Returns the part of the prompt that describes the state."""
        state = orjson.dumps(self._state.value).decode()
        return (
            f"The state that you share with the application, as JSON. {_SNAPSHOT} replaces it, {_DELTA} "
            f"changes parts of it:\n\n{state}"
        )

    def call(self, name: str, arguments: Any) -> tuple[Event | None, str]:
        """Runs one of the tools.

        Args:
            name: the tool.
            arguments: what the model gave, None if that was not JSON.

        Returns:
            What readers of the state are to get, and the result for the model.
        """
        given = arguments if isinstance(arguments, Mapping) else {}
        if name == _SNAPSHOT:
            snapshot = given.get("snapshot")
            if not isinstance(snapshot, dict):
                return None, _failed("`snapshot` must be a JSON object.")
            self._state.replace(snapshot)
            return events.state_snapshot(snapshot), _DONE
        delta = given.get("delta")
        if not isinstance(delta, list) or not all(isinstance(operation, dict) for operation in delta):
            return None, _failed("`delta` must be a list of JSON Patch operations.")
        if not self._state.apply(delta):
            return None, _failed("The patch does not apply to the state.")
        return {"type": "STATE_DELTA", "delta": delta}, _DONE


_DONE: Final = orjson.dumps({"success": True}).decode()


def _failed(problem: str) -> str:
    return orjson.dumps({"success": False, "error": problem}).decode()
