"""What a run says to an A2A agent, and which of its tasks it continues."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from a2a.types import Message, Part, Role
from ag_ui.core import RunAgentInput, UserMessage

from ...agui.events import as_text
from ...errors import AgentError

_QUESTION: Final = "a2a-question/"


@dataclass(frozen=True, slots=True)
class Request:
    """What a run says.

    Attributes:
        parts: the content of the message.
        task_id: the task whose question it may answer.
        cancelled: the question is dismissed instead.
    """

    parts: list[Part]
    task_id: str | None = None
    cancelled: bool = False

    def message(self, input: RunAgentInput, owner: str, task_id: str | None) -> Message:
        """Returns the message to send.

        The agent remembers the conversation by its context. Its id is derived from owner and thread, so that
        no user can reach the context of another one's thread, and nothing has to be stored here.
        """
        context = uuid.uuid5(uuid.NAMESPACE_URL, f"{quote(owner, safe='')}/{input.thread_id}")
        message = Message(
            message_id=str(uuid.uuid4()),
            role=Role.ROLE_USER,
            context_id=str(context),
            task_id=task_id or "",
            parts=self.parts,
        )
        message.metadata.update(
            {
                "agui": {
                    "threadId": input.thread_id,
                    "runId": input.run_id,
                    "context": [each.model_dump(mode="json", by_alias=True) for each in input.context or ()],
                }
            }
        )
        return message


def question_id(task_id: str, run_id: str) -> str:
    """Returns the id of a task's question, by which its answer finds the task."""
    return f"{_QUESTION}{quote(task_id, safe='')}/{run_id}"


def request_of(input: RunAgentInput) -> Request:
    """Returns what a run says: an answer to an interrupt, or what the user has written since the last answer.

    Frontends that know no interrupts answer a question with a plain message. The question is then the last
    message of the agent, and its id names the task.

    Raises:
        AgentError: it says nothing.
    """
    for entry in input.resume or ():
        task_id = _task_of(entry.interrupt_id)
        if task_id is None:
            raise AgentError("The answer is to a question that the agent did not ask")
        return Request([Part(text=_text(entry.payload))], task_id, entry.status == "cancelled")
    said: list[UserMessage] = []
    asked: str | None = None
    for message in reversed(input.messages):
        if isinstance(message, UserMessage):
            said.insert(0, message)
        elif message.role == "assistant":
            asked = _task_of(message.id)
            break
    command = input.forwarded_props.get("command") if isinstance(input.forwarded_props, Mapping) else None
    answer = command.get("resume") if isinstance(command, Mapping) else None
    if answer is not None:
        return Request([Part(text=_text(answer))], asked)
    parts = [part for message in said for part in _parts(message.content)]
    if not parts:
        raise AgentError("There is no message for the agent")
    return Request(parts, asked)


def _task_of(id: str) -> str | None:
    task_id, slash, _ = id.removeprefix(_QUESTION).partition("/")
    return unquote(task_id) if id.startswith(_QUESTION) and slash else None


def _text(answer: Any) -> str:
    return "" if answer is None else as_text(answer)


def _parts(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        if content:
            yield Part(text=content)
        return
    for part in content:
        if part.type == "text":
            yield Part(text=part.text)
        elif part.source.type == "file":
            raise AgentError("The agent cannot read files that another provider stores")
        else:
            media_type = part.source.mime_type or ""
            filename = str(part.metadata.get("filename", "")) if isinstance(part.metadata, Mapping) else ""
            if part.source.type == "url":
                yield Part(url=part.source.value, media_type=media_type, filename=filename)
            else:
                yield Part(raw=_bytes(part.source.value), media_type=media_type, filename=filename)


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        raise AgentError("An attachment is not valid base64") from None
