"""A2UI: surfaces of declared components that an agent draws in the page.

`A2UI` is the operator's configuration, `prepare` adds to a run's input what agents need to know, and
`surfaces.Surfaces` turns what they emit into activities. Wire facts: `@ag-ui/a2ui-middleware` 0.0.10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from ag_ui_a2ui_toolkit import (
    A2UI_SCHEMA_CONTEXT_DESCRIPTION,
    BASIC_CATALOG_ID,
    DEFAULT_GENERATION_GUIDELINES,
    MAX_A2UI_ATTEMPTS,
    RENDER_A2UI_TOOL_DEF,
    validate_a2ui_components,
)

from ..agui.events import as_text
from ..agui.run_input import RunInput
from ..context import RequestContext
from ..tools.actions import Action
from .bounds import excess

RENDER_TOOL: Final = "render_a2ui"
LOG_TOOL: Final = "log_a2ui_event"
RECOVERY_EXHAUSTED: Final = "a2ui_recovery_exhausted"

_CATALOG_AVAILABLE: Final = "a2uiCatalogAvailable"
# Neither a model nor a page needs a thousand examples of what is wrong.
_MAX_ERRORS: Final = 20
_MAX_ERROR_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What happens when an agent draws an invalid surface.

    Attributes:
        max_attempts: how often an agent may try.
        show_progress_tokens: the page shows how many tokens of a surface have arrived.
        debug_exposure: how much of a failure the page shows, or None for its own default.
    """

    max_attempts: int = MAX_A2UI_ATTEMPTS
    show_progress_tokens: bool = True
    debug_exposure: Literal["hidden", "collapsed", "verbose"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class A2UI:
    """Configures A2UI surfaces.

    Attributes:
        agents: the names of the agents that may draw surfaces, or None for all.
        inject_tool: offer agents the tool `render_a2ui`: True, False, or the name to offer it under. None
            offers it where the page brings a component catalog.
        schema: the components that surfaces may use, as `{"catalogId": ..., "components": {...}}` or a list
            of components. It replaces the page's own, and surfaces are validated against it.
        default_catalog_id: the catalog that surfaces use. Without it, that is the page's catalog, or A2UI's
            basic one.
        recovery: what happens when a surface is invalid.
    """

    agents: Collection[str] | None = None
    inject_tool: bool | str | None = None
    schema: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    default_catalog_id: str | None = None
    recovery: Recovery = field(default_factory=Recovery)

    @property
    def catalog(self) -> dict[str, Any] | None:
        """The schemas of the components, if the operator gave some to validate against."""
        if not isinstance(self.schema, Mapping) or not self.schema.get("components"):
            return None
        return {"components": dict(self.schema["components"])}

    def serves(self, agent_name: str) -> bool:
        """Whether the agent may draw surfaces."""
        return self.agents is None or agent_name in self.agents

    def tool_name(self, properties: Any) -> str | None:
        """Returns the name under which agents are offered the render tool, or None if they are not.

        Args:
            properties: the request's `forwardedProps`.
        """
        inject = page_has_catalog(properties) if self.inject_tool is None else self.inject_tool
        if not inject:
            return None
        return inject if isinstance(inject, str) else RENDER_TOOL

    def catalog_id(self, body: Mapping[str, Any]) -> str:
        """Returns the id of the catalog that surfaces of a run use.

        Args:
            body: the run's input as the client sent it.
        """
        return self.default_catalog_id or _catalog_id_of_page(body) or BASIC_CATALOG_ID


def page_has_catalog(properties: Any) -> bool:
    """Whether the page says in its `forwardedProps` that it brings a component catalog."""
    return isinstance(properties, dict) and properties.get(_CATALOG_AVAILABLE) is True


def prepare(a2ui: A2UI, input: RunInput) -> RunInput:
    """Returns a run's input with what an agent needs to know to draw surfaces.

    These are the user's action on a surface as a tool call and its result, the component schema and a guide
    as context, and the flag by which `CopilotKitMiddleware` offers `generate_a2ui`. The render tool itself is
    a backend action.

    Args:
        a2ui: the configuration.
        input: the run's input.
    """
    messages = input.messages
    properties = input.json.get("forwardedProps")
    if (action := _user_action(properties)) is not None:
        messages = [*messages, *_action_messages(action, input.run_id)]
    context = list(input.json.get("context") or ())
    if a2ui.schema:
        context = _replaced(context, A2UI_SCHEMA_CONTEXT_DESCRIPTION, as_text(_json(a2ui.schema)))
    if (tool := a2ui.tool_name(properties)) is not None:
        guide = DEFAULT_GENERATION_GUIDELINES.replace(RENDER_TOOL, tool)
        context = _replaced(
            context, f"A2UI render tool usage guide — how to call {tool} with valid arguments.", guide
        )
        flag = tool if isinstance(a2ui.inject_tool, str) else True
        given = properties if isinstance(properties, dict) else {}
        properties = {**given, "injectA2UITool": flag}
    return input.replace(messages=messages, context=context, forwardedProps=properties)


def render_action(a2ui: A2UI, name: str) -> Action:
    """Returns the render tool of one run.

    Its result says whether the surface is valid. An agent that draws an invalid one can draw it again, so
    often as the configuration allows.

    Args:
        a2ui: the configuration.
        name: the tool's name.
    """
    definition = RENDER_A2UI_TOOL_DEF["function"]
    attempts: list[dict[str, Any]] = []

    async def render(arguments: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        # A model may write megabytes.
        errors = await asyncio.to_thread(validation_errors, arguments, a2ui.catalog)
        if not errors:
            return {"status": "rendered"}
        attempts.append({"attempt": len(attempts) + 1, "ok": False, "errors": errors})
        if len(attempts) < a2ui.recovery.max_attempts:
            return {"error": "The surface is invalid. Mend it and call the tool again.", "errors": errors}
        failed = f"The surface was invalid in {len(attempts)} attempts."
        return {"error": failed, "code": RECOVERY_EXHAUSTED, "attempts": list(attempts)}

    return Action(
        name=name,
        description=definition["description"],
        parameters=definition["parameters"],
        handler=render,
        inside_tools=False,
    )


def validation_errors(arguments: Mapping[str, Any], catalog: dict[str, Any] | None) -> list[dict[str, str]]:
    """Returns what is wrong with the arguments of a render call, as `{"code", "path", "message"}`."""
    if not isinstance(arguments.get("surfaceId"), str) or not arguments["surfaceId"]:
        return [{"code": "missing_surface_id", "path": "surfaceId", "message": "A surface needs a surfaceId"}]
    data = arguments.get("data")
    return component_errors(
        arguments.get("components"), catalog, data=data if isinstance(data, dict) else {}, bindings=True
    )


def component_errors(
    components: Any,
    catalog: dict[str, Any] | None,
    *,
    data: dict[str, Any] | None = None,
    bindings: bool = False,
) -> list[dict[str, str]]:
    """Returns what is wrong with the components of a surface, at most 20 errors.

    Args:
        components: the components, as a model wrote them.
        catalog: the schemas of the components, or None to check the structure alone.
        data: the data of the surface.
        bindings: check that the paths of components lead to data.
    """
    if (problem := excess(components, data)) is not None:
        return [{"code": "too_large", "path": "components", "message": problem}]
    try:
        result = validate_a2ui_components(
            components=components, data=data, catalog=catalog, validate_bindings=bindings
        )
    except (RecursionError, TypeError, AttributeError):
        # The validator follows whatever a model wrote.
        return [{"code": "malformed", "path": "components", "message": "The components are malformed"}]
    return [
        {name: text[:_MAX_ERROR_CHARACTERS] for name, text in error.items()}
        for error in result["errors"][:_MAX_ERRORS]
    ]


def _catalog_id_of_page(body: Mapping[str, Any]) -> str | None:
    for entry in body.get("context") or ():
        if entry.get("description") == A2UI_SCHEMA_CONTEXT_DESCRIPTION:
            try:
                schema = orjson.loads(entry.get("value") or "")
            except (ValueError, TypeError):
                return None
            found = schema.get("catalogId") if isinstance(schema, dict) else None
            return found if isinstance(found, str) and found else None
    return None


def _user_action(properties: Any) -> dict[str, Any] | None:
    action = properties.get("a2uiAction") if isinstance(properties, dict) else None
    user_action = action.get("userAction") if isinstance(action, dict) else None
    return user_action if isinstance(user_action, dict) else None


def _action_messages(action: Mapping[str, Any], run_id: str) -> list[dict[str, Any]]:
    """Returns the messages that show an agent what the user did. A repeated request repeats their ids."""
    call_id = f"a2ui-action-{run_id}"
    call = {
        "id": call_id,
        "type": "function",
        "function": {"name": LOG_TOOL, "arguments": as_text(dict(action))},
    }
    assistant = {"id": f"{call_id}-call", "role": "assistant", "content": "", "toolCalls": [call]}
    result = {
        "id": f"{call_id}-result",
        "role": "tool",
        "toolCallId": call_id,
        "content": _described(action),
    }
    return [assistant, result]


def _described(action: Mapping[str, Any]) -> str:
    name = action.get("name") or "unknown_action"
    surface = action.get("surfaceId") or "unknown_surface"
    component = action.get("sourceComponentId")
    where = f" (component: {component})" if component else ""
    context = as_text(action.get("context") or {})
    return f'User performed action "{name}" on surface "{surface}"{where}. Context: {context}'


def _replaced(context: list[dict[str, Any]], description: str, value: str) -> list[dict[str, Any]]:
    others = [entry for entry in context if entry.get("description") != description]
    return [*others, {"description": description, "value": value}]


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_json(each) for each in value]
    return value
