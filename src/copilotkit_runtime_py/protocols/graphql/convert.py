"""GraphQL input to AG-UI, and AG-UI messages to the flat form that old clients load."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import dropwhile
from typing import Any

from pydantic import ValidationError

from ...agui.events import as_text, interrupt_text, is_approval, shown_approval
from ...agui.input_checks import check_input
from ...agui.json_input import RequestJSON, parse_json
from ...agui.run_input import RunInput
from ...errors import InvalidRequestError
from ...limits import Limits
from ..off_loop import off_loop_if_long
from .inputs import (
    ActionInput,
    ActionInputAvailability,
    AgentStateInput,
    CopilotRequestType,
    GenerateCopilotResponseInput,
    MessageInput,
    MetaEventInput,
)

Json = dict[str, Any]


async def run_input(
    data: GenerateCopilotResponseInput,
    *,
    agent_name: str,
    properties: Mapping[str, Any],
    limits: Limits,
    interrupts: Sequence[Json] = (),
) -> RunInput:
    """Returns the agent's input.

    The run id is always the server's own. Image messages of the user become content parts, agent-state
    messages are left out, and an action that the client sent twice counts once, the first time (what
    reaches an agent: CopilotRuntime 1.10.6).

    Args:
        data: the request.
        agent_name: the agent that will run.
        properties: the frontend's properties, with the server's own on top.
        limits: bounds of the request.
        interrupts: the AG-UI interrupts that wait for an answer on the thread, if any are known.

    Raises:
        InvalidRequestError: an action's parameters are not a JSON schema, or something exceeds a limit.
    """
    session = data.agent_session or None
    thread_id = data.thread_id or (session.thread_id if session else None) or f"ck-{uuid.uuid4()}"
    texts = RequestJSON(limits)
    state, config = await _state_and_config(data, agent_name, texts)
    meta_events = data.meta_events or []
    forwarded: Json = {"config": {k: v for k, v in config.items() if k != "streamSubgraphs"}}
    if meta_events:
        response = meta_events[0].response
        forwarded["command"] = {"resume": response} if isinstance(response, str) else {}
    forwarded["threadMetadata"] = {}
    if session and session.node_name:
        forwarded["nodeName"] = session.node_name
    if "streamSubgraphs" in config:
        forwarded["streamSubgraphs"] = config["streamSubgraphs"]
    forwarded |= properties
    body: Json = {
        "threadId": thread_id,
        "runId": str(uuid.uuid4()),
        "messages": await off_loop_if_long(len(data.messages), _asked, data),
        "tools": await _tools(data.frontend.actions, texts),
        "context": [{"description": c.description, "value": c.value} for c in data.context or ()],
        "forwardedProps": forwarded,
        "state": state,
    }
    resume = await _resume(meta_events, interrupts, texts)
    if resume:
        body["resume"] = resume
    await check_input(body, limits)
    try:
        return await off_loop_if_long(len(body["messages"]), RunInput.parse, body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequestError(f"The request cannot be served: {where}: {first['msg']}") from error


def _asked(data: GenerateCopilotResponseInput) -> list[Json]:
    """Returns the conversation, in which instructions of a task that come alone are what the user asks.

    `CopilotTask` of `@copilotkit/react-core` 1.10 sends nothing else, and agents leave out a frontend's
    instructions.
    """
    messages = messages_from_input(data.messages)
    is_task = data.metadata.request_type is CopilotRequestType.Task
    if is_task and messages and all(message["role"] == "system" for message in messages):
        messages[-1] = {**messages[-1], "role": "user"}
    return messages


def messages_from_input(messages: Iterable[MessageInput]) -> list[Json]:
    """Returns the conversation as AG-UI messages in JSON form.

    A message with several kinds counts as the first of text, image, action execution, result. An action
    execution joins the message that its parent id names, if there is one before it.
    """
    result: list[Json] = []
    by_id: dict[str, Json] = {}

    def add(message: Json) -> Json:
        result.append(message)
        return by_id.setdefault(message["id"], message)

    for message in messages:
        if text := message.text_message:
            unaddressed = {"toolCallId": ""} if text.role.value == "tool" else {}
            add({"id": message.id, "role": text.role.value, "content": text.content, **unaddressed})
        elif image := message.image_message:
            if image.role.value == "user":
                add({"id": message.id, "role": "user", "content": [_image_part(image.format, image.bytes)]})
        elif action := message.action_execution_message:
            parent_id = action.parent_message_id or message.id
            parent = by_id.get(parent_id)
            if parent is None or parent["role"] != "assistant":
                parent = add({"id": parent_id if parent is None else message.id, "role": "assistant"})
            call = {"name": action.name, "arguments": action.arguments}
            parent.setdefault("toolCalls", []).append(
                {"id": message.id, "type": "function", "function": call}
            )
        elif answer := message.result_message:
            add(
                {
                    "id": message.id,
                    "role": "tool",
                    "content": answer.result,
                    "toolCallId": answer.action_execution_id,
                }
            )
    return result


def flat_messages(messages: Iterable[Json]) -> list[Json]:
    """Returns AG-UI messages in the flat form of `loadAgentState` and of state messages.

    One kind per message: `{id, role, content}`, `{id, role, format, bytes}`, `{id, name, arguments,
    parentMessageId}` or `{id, result, actionExecutionId, actionName}` (`loadMessagesFromJsonRepresentation`
    of `@copilotkit/runtime-client-gql`). Reasoning and activity messages have no such form.
    """
    flat: list[Json] = []
    names: dict[str, str] = {}
    for message in messages:
        id, role, content = message.get("id"), message.get("role"), message.get("content")
        if role == "tool":
            call_id = message.get("toolCallId", "")
            flat.append(
                {
                    "id": id,
                    "result": as_text(content),
                    "actionExecutionId": call_id,
                    "actionName": message.get("toolName") or names.get(call_id, "unknown"),
                }
            )
        elif role in ("user", "assistant", "system", "developer"):
            flat.extend(_flat_content(id, role, content))
            for call in message.get("toolCalls") or ():
                function = call["function"]
                names[call["id"]] = function["name"]
                arguments = _arguments(function.get("arguments"))
                flat.append(
                    {
                        "id": call["id"],
                        "name": function["name"],
                        "arguments": arguments,
                        "parentMessageId": id,
                    }
                )
    return flat


def without_instructions(messages: Iterable[Json]) -> Iterable[Json]:
    """Returns the messages without the system messages at the start.

    `@copilotkit/react-core` writes its instructions anew before every request, so a page that got them back
    with the conversation would send them twice, and once more after every reload.
    """
    return dropwhile(lambda message: message.get("role") == "system", messages)


def _arguments(text: str | None) -> Any:
    """Returns the arguments of an agent's call; an empty object if they are not JSON."""
    try:
        return parse_json(text or "")
    except ValueError:
        return {}


def _flat_content(id: Any, role: str, content: Any) -> Iterable[Json]:
    if isinstance(content, str):
        if content:
            yield {"id": id, "role": role, "content": content}
        return
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    text = "".join(as_text(part.get("text", "")) for part in parts if part.get("type") == "text")
    if text:
        yield {"id": id, "role": role, "content": text}
    for part in parts:
        match part:
            case {
                "type": "image",
                "source": {"type": "data", "mimeType": str(mime_type), "value": str(value)},
            }:
                format = mime_type.removeprefix("image/")
                yield {"id": id, "role": role, "format": format, "bytes": value}


def _image_part(format: str, data: str) -> Json:
    mime_type = format if "/" in format else f"image/{format}"
    return {"type": "image", "source": {"type": "data", "value": data, "mimeType": mime_type}}


async def _tools(actions: Iterable[ActionInput], texts: RequestJSON) -> list[Json]:
    tools: dict[str, Json] = {}
    for action in actions:
        if action.available is ActionInputAvailability.disabled or action.name in tools:
            continue
        parameters = await _read(texts, action.json_schema, None)
        if not isinstance(parameters, dict):
            raise InvalidRequestError(f"The jsonSchema of action '{action.name}' must be a JSON object.")
        tools[action.name] = {
            "name": action.name,
            "description": action.description,
            "parameters": parameters,
        }
    return list(tools.values())


async def _state_and_config(
    data: GenerateCopilotResponseInput, agent_name: str, texts: RequestJSON
) -> tuple[Any, Json]:
    candidates: list[AgentStateInput] = list(data.agent_states or ())
    if data.agent_state:
        candidates.append(data.agent_state)
    for entry in candidates:
        if entry.agent_name == agent_name:
            config = await _read(texts, entry.config or "", {})
            return await _read(texts, entry.state, {}), config if isinstance(config, dict) else {}
    return {}, {}


async def _resume(
    meta_events: Sequence[MetaEventInput], interrupts: Sequence[Json], texts: RequestJSON
) -> list[Json]:
    """Addresses answers to the interrupts that they answer: by their value, else in order.

    What shows the question for an approval answers no other one, also where it is not open any more.
    """
    waiting = [each for each in interrupts if not is_approval(each)]
    resume: list[Json] = []
    for event in meta_events:
        if not isinstance(event.response, str):
            continue
        id = shown_approval(await _read(texts, event.value, None)) if event.value else None
        if id is None:
            if not waiting:
                continue
            match = next((i for i in waiting if interrupt_text(i) == event.value), waiting[0])
            waiting.remove(match)
            id = match["id"]
        resume.append(
            {
                "interruptId": id,
                "status": "resolved",
                "payload": await _read(texts, event.response, event.response),
            }
        )
    return resume


async def _read(texts: RequestJSON, text: str, default: Any) -> Any:
    """Returns the value of a JSON string that the client sent, or `default` if it is not JSON."""
    try:
        return await texts.read(text.encode())
    except ValueError:
        return default
