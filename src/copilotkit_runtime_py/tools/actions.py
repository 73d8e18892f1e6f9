"""Backend actions: functions of the server that agents may call as tools."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NotRequired, TypeAlias, get_type_hints

import anyio.to_thread
import docstring_parser
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, from_json, to_jsonable_python
from typing_extensions import TypedDict

from ..agui.events import as_text, well_formed
from ..context import RequestContext
from ..errors import PROCESS_EXITS, ActionError, masked
from ..logs.records import get_logger
from ..telemetry import tool_span

logger = get_logger(__name__)

Handler: TypeAlias = Callable[[dict[str, Any], RequestContext], Awaitable[Any]]
"""Runs an action with the arguments that the model gave, a JSON object."""

_NO_PARAMETERS: Final = {"type": "object", "properties": {}, "required": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A function of the server that agents may call as a tool.

    Attributes:
        name: what models call it.
        description: the description for models.
        parameters: the JSON schema of its arguments.
        handler: what runs it. Model and client read the message of an `ActionError`; of any other exception
            they learn an error id only.
        timeout: seconds that a call may take, or None for the bound of `Limits.action_seconds`.
        agents: the names of the agents that may call it, or None for all.
        inside_tools: it is run, too, when a model inside one of the agent's own tools calls it. Otherwise the
            agent's tool has to run it.
        approval: a call is run only after the user has approved it.
        message: what the user is asked then, or None for a question with the name of the action.
        source: the name of the MCP server or other source that offers it, or None.
    """

    name: str
    handler: Handler
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: _NO_PARAMETERS)
    timeout: float | None = None
    agents: Collection[str] | None = None
    inside_tools: bool = True
    approval: bool = False
    message: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source offers for one run.

    Attributes:
        actions: the actions.
        unreachable: there may be more, but the source, or a part of it, could not be reached.
    """

    actions: Sequence[Action]
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class WithActivity:
    """What an action returns that the page shows as an activity, besides its result.

    Attributes:
        result: the result.
        activity_type: the type of the activity.
        content: the activity's content, a JSON object.
    """

    result: Any
    activity_type: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTool:
    """An agent that other agents may hand the conversation over to, as a tool without arguments.

    The call is answered with `"<name> agent started"`, the agent runs within the same run, and the run ends
    when it does (an agent as a tool of CopilotRuntime 1.10.6).

    Attributes:
        name: the agent's registered name, and the tool's.
        description: the description for models, or None for the agent's own description.
        agents: the names of the agents that may hand over to it, or None for all but itself.
    """

    name: str
    description: str | None = None
    agents: Collection[str] | None = None


Tool: TypeAlias = Action | AgentTool
"""What the server offers to agents."""


def action_from(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    agents: Collection[str] | None = None,
    approval: bool = False,
    message: str | None = None,
) -> Action:
    """Returns the action that calls a typed function, plain or async.

    The parameters' schema comes from the signature, their descriptions from the docstring (Google, NumPy or
    reST style) or from `pydantic.Field`. A parameter annotated `RequestContext` gets the context of the
    request and is not part of the schema. Arguments are validated before the function is called. A plain
    function runs in a thread, which continues after a timeout or a stop, its result ignored:
    Python cannot end it.

    Args:
        function: the function. Its result is sent as JSON: a string as it is, and an empty string for None.
        name: the tool's name, if not the function's.
        description: the description for models, if not the docstring's text.
        timeout: seconds that a call may take, or None for the bound of `Limits.action_seconds`.
        agents: the names of the agents that may call it, or None for all.
        approval: a call is run only after the user has approved it.
        message: what the user is asked then, or None for a question with the name of the action.

    Raises:
        TypeError: the function takes `*args`, `**kwargs` or positional-only arguments, which a schema
            cannot describe, or a parameter's type has no JSON schema.
    """
    tool = name or _name_of(function)
    docstring = docstring_parser.parse(inspect.getdoc(function) or "")
    context_names, members = _parameters(function, {p.arg_name: p.description for p in docstring.params})
    arguments: TypeAdapter[dict[str, Any]] = TypeAdapter(TypedDict(tool, members))  # type: ignore[operator]
    try:
        schema = arguments.json_schema(schema_generator=_WithoutTitles)
    except Exception as error:
        raise TypeError(f"the parameters of the action '{tool}' have no JSON schema: {error}") from error
    schema.pop("title", None)
    return Action(
        name=tool,
        description=_text_of(docstring) if description is None else description,
        parameters={"properties": {}, "required": [], **schema},
        handler=_handler(function, arguments, context_names),
        timeout=timeout,
        agents=agents,
        approval=approval,
        message=message,
    )


def _handler(
    function: Callable[..., Any], arguments: TypeAdapter[dict[str, Any]], context_names: Collection[str]
) -> Handler:
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object with an async `__call__`
    )

    async def handler(given: dict[str, Any], context: RequestContext) -> Any:
        try:
            values = arguments.validate_python(given)
        except ValidationError as error:
            raise ActionError(_problems(error), "INVALID_ARGUMENTS") from error
        call = functools.partial(function, **values, **dict.fromkeys(context_names, context))
        if is_async:
            return await call()
        result = await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
        return await result if inspect.isawaitable(result) else result

    return handler


async def call_action(
    action: Action,
    arguments: str,
    context: RequestContext,
    *,
    call_id: str,
    default_timeout: float | None,
    development: bool = False,
    on_activity: Callable[[WithActivity], None] | None = None,
) -> str:
    """Calls an action and returns its result as a string: JSON, or the string that it returned.

    A failure is a result, too: `{"error": {"code", "message"}, "result": ""}`, as CopilotRuntime 1.10.6 and
    its clients have it (`ResultMessage.encodeResult`).

    Args:
        action: the action.
        arguments: the JSON text that the model wrote. No text is an empty object.
        context: who asks.
        call_id: the id of the tool call.
        default_timeout: seconds that the call may take if the action sets no bound of its own.
        development: the message of an unexpected exception is shown.
        on_activity: called with what the page is to show as an activity, if the action returns that.
    """
    timeout = default_timeout if action.timeout is None else action.timeout
    try:
        given = _decoded(arguments)
        with tool_span(action.name, call_id):
            async with asyncio.timeout(timeout):
                result = await _result(action, given, context)
        if isinstance(result, WithActivity):
            if on_activity is not None:
                on_activity(result)
            result = result.result
        return _encoded(result)
    except TimeoutError:
        logger.warning("the action %s took more than %s seconds", action.name, timeout)
        return error_result("TIMEOUT", f"The action took more than {timeout:g} seconds.")
    except ActionError as error:
        return error_result(error.action_code, error.message)
    except Exception as error:
        return error_result("HANDLER_ERROR", _masked(action, error, development))


async def _result(action: Action, given: dict[str, Any], context: RequestContext) -> Any:
    """Runs an action. A timeout, a cancellation or an exit of its own is a failure like any other."""
    try:
        return await action.handler(given, context)
    except (TimeoutError, *PROCESS_EXITS) as error:
        raise _Failed from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _Failed from error


def error_result(code: str, message: str) -> str:
    """Returns the result of a call that failed, for model and client."""
    return as_text({"error": {"code": code, "message": message}, "result": ""})


class _Failed(Exception):
    """Carries what an action raised as its cause."""


class _WithoutTitles(GenerateJsonSchema):
    """A model reads the names of the parameters; titles made of them would only cost tokens."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _parameters(
    function: Callable[..., Any], descriptions: Mapping[str, str | None]
) -> tuple[list[str], dict[str, Any]]:
    """Returns the names of the parameters that get the context, and the other parameters' types."""
    target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    hints = get_type_hints(getattr(target, "func", target), include_extras=True)
    context_names: list[str] = []
    members: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        name, hint = parameter.name, hints.get(parameter.name, Any)
        if hint is RequestContext or hint == RequestContext | None:
            context_names.append(name)
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{_name_of(function)}: the parameter '{parameter}' cannot be part of a schema")
        details: dict[str, Any] = {}
        if description := descriptions.get(name):
            details["description"] = description
        if parameter.default is not parameter.empty:
            details["json_schema_extra"] = _default(parameter.default)
            hint = NotRequired[_annotated(hint, details)]
        else:
            hint = _annotated(hint, details)
        members[name] = hint
    return context_names, members


def _annotated(hint: Any, details: dict[str, Any]) -> Any:
    metadata = getattr(hint, "__metadata__", ())
    if any(getattr(each, "description", None) for each in metadata):
        details.pop("description", None)
    return Annotated[hint, Field(**details)] if details else hint


def _default(value: Any) -> dict[str, Any]:
    try:
        return {"default": to_jsonable_python(value)}
    except PydanticSerializationError:
        return {}


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", None) or type(function).__name__


def _text_of(docstring: docstring_parser.Docstring) -> str:
    texts = (docstring.short_description, docstring.long_description)
    return "\n\n".join(text for text in texts if text)


def _decoded(arguments: str) -> dict[str, Any]:
    try:
        given = from_json(arguments) if arguments else {}
    except ValueError as error:
        raise ActionError("Failed to parse action arguments", "INVALID_ARGUMENTS") from error
    if not isinstance(given, dict):
        raise ActionError("The arguments must be a JSON object", "INVALID_ARGUMENTS")
    return given


def _problems(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems)


def _encoded(result: Any) -> str:
    if result is None:
        return ""
    return well_formed(as_text(to_jsonable_python(result, by_alias=True)))


def _masked(action: Action, error: Exception, development: bool) -> str:
    cause = error.__cause__ if isinstance(error, _Failed) and error.__cause__ is not None else error
    return masked(cause, f"the action {action.name}", development=development).message
