"""What an A2A agent sends in one run, as AG-UI events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from a2a.types import Artifact, Message, Part, StreamResponse, Task, TaskState, TaskStatus
from ag_ui.core import RunAgentInput
from google.protobuf.json_format import MessageToDict

from ...agui import events
from ...agui.events import Event
from ...errors import AgentError
from .request import question_id

_UNDER_WAY: Final = (
    TaskState.TASK_STATE_UNSPECIFIED,
    TaskState.TASK_STATE_SUBMITTED,
    TaskState.TASK_STATE_WORKING,
)

# The reasons of interrupts.
_ASKS: Final[dict[int, str]] = {
    TaskState.TASK_STATE_INPUT_REQUIRED: "a2a:input_required",
    TaskState.TASK_STATE_AUTH_REQUIRED: "a2a:auth_required",
}
_FAILURES: Final[dict[int, str]] = {
    TaskState.TASK_STATE_FAILED: "The agent failed",
    TaskState.TASK_STATE_REJECTED: "The agent rejected the request",
    TaskState.TASK_STATE_CANCELED: "The agent cancelled the task",
}


class TaskEvents:
    """Translates the messages, artifacts and status updates of one run.

    An artifact is a message of the assistant, which grows as the artifact does. The messages of a task under
    way are progress, so they become reasoning: many agents send the same text as an artifact in the end. The
    message of a completed task is the assistant's. Parts that are not text become activities.

    Args:
        input: the run's input.
        continued: the task that the run continues, with artifacts that are known.

    Attributes:
        task_id: the task, once the agent has named it.
        state: its state, or None where the agent answers with a message.
    """

    def __init__(self, input: RunAgentInput, continued: Task | None) -> None:
        self._thread_id = input.thread_id
        self._run_id = input.run_id
        self._texts: dict[str, str] = {}  # by artifact
        self._open: dict[str, str] = {}  # artifact -> message
        self._count = 0
        self._progress = ""
        self._closing: Message | None = None
        self._answered = False
        self.task_id: str | None = None
        self.state: int | None = None
        if continued is not None:
            self.task_id, self.state = continued.id, continued.status.state
            self._texts = {each.artifact_id: _text(each.parts, "") for each in continued.artifacts}

    @property
    def under_way(self) -> bool:
        """Whether the agent works on the task, as far as it has said."""
        return self.state in _UNDER_WAY

    def task_to_cancel(self, dismissed: bool) -> str | None:
        """Returns the task to cancel if the run ends here.

        Args:
            dismissed: the user does not answer the task's question.
        """
        return self.task_id if dismissed or self.under_way else None

    def translate(self, response: StreamResponse) -> Iterator[Event]:
        """Yields the events of one item of the agent's stream."""
        kind = response.WhichOneof("payload")
        if kind == "message":
            self.state = None
            yield from self._say(response.message.parts)
            yield from self._show("a2a-message", response.message.parts, response.message)
        elif kind == "task":
            yield from self.translate_task(response.task)
        elif kind == "status_update":
            self.task_id = response.status_update.task_id
            yield from self._status(response.status_update.status)
        elif kind == "artifact_update":
            update = response.artifact_update
            self.task_id = update.task_id
            if not self.under_way:
                self.state = TaskState.TASK_STATE_WORKING
            yield from self._artifact(update.artifact, append=update.append, last=update.last_chunk)

    def translate_task(self, task: Task) -> Iterator[Event]:
        """Yields what is new in a task."""
        self.task_id = task.id
        for artifact in task.artifacts:
            yield from self._artifact(artifact, append=False, last=False)
        yield from self._status(task.status)

    def finish(self) -> Iterator[Event]:
        """Yields what the end of the stream completes.

        Raises:
            AgentError: the task failed, was rejected or cancelled.
        """
        for message_id in self._open.values():
            yield events.text_end(message_id)
        self._open.clear()
        parts = self._closing.parts if self._closing is not None else []
        text = _text(parts)
        if self.state is not None and self.state in _FAILURES:
            raise AgentError(text or _FAILURES[self.state], "A2A_TASK")
        if self.state is not None and self.state in _ASKS and self.task_id is not None:
            yield from self._ask(self.task_id, text, _ASKS[self.state])
            return
        if text and text.strip() not in map(str.strip, self._texts.values()):
            yield from self._say(parts)
        elif not self._answered and self._progress:
            yield from self._say([Part(text=self._progress)])
        if self._closing is not None:
            yield from self._show("a2a-message", parts, self._closing)

    def _status(self, status: TaskStatus) -> Iterator[Event]:
        self.state = status.state
        message = status.message if status.HasField("message") else None
        if status.state not in _UNDER_WAY:
            self._closing = message
        elif message is not None and (text := _text(message.parts)) and text != self._progress:
            self._progress = text
            id = self._next_id()
            yield {"type": "REASONING_START", "messageId": id}
            yield {"type": "REASONING_MESSAGE_START", "messageId": id, "role": "reasoning"}
            yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": id, "delta": text}
            yield {"type": "REASONING_MESSAGE_END", "messageId": id}
            yield {"type": "REASONING_END", "messageId": id}

    def _artifact(self, artifact: Artifact, *, append: bool, last: bool) -> Iterator[Event]:
        id, text = artifact.artifact_id, _text(artifact.parts, "")  # a part of it may be a chunk
        known = self._texts.get(id, "")
        if not append and not text.startswith(known):
            # A message that is shown cannot be replaced.
            if id in self._open:
                yield events.text_end(self._open.pop(id))
            known = ""
        delta = text if append else text.removeprefix(known)
        self._texts[id] = known + delta
        if delta:
            if id not in self._open:
                self._open[id] = self._next_id()
                self._answered = True
                yield events.text_start(self._open[id])
            yield events.text_content(self._open[id], delta)
        if last and id in self._open:
            yield events.text_end(self._open.pop(id))
        yield from self._show("a2a-artifact", artifact.parts, artifact)

    def _ask(self, task_id: str, text: str, reason: str) -> Iterator[Event]:
        id = question_id(task_id, self._run_id)
        if text:
            yield events.text_start(id)
            yield events.text_content(id, text)
            yield events.text_end(id)
        interrupt = {"id": id, "reason": reason, "message": text or "The agent asks for input."}
        yield events.run_finished(self._thread_id, self._run_id, [interrupt])

    def _say(self, parts: Iterable[Part]) -> Iterator[Event]:
        if text := _text(parts):
            self._answered = True
            id = self._next_id()
            yield events.text_start(id)
            yield events.text_content(id, text)
            yield events.text_end(id)

    def _show(self, kind: str, parts: Iterable[Part], whole: Any) -> Iterator[Event]:
        if any(part.WhichOneof("content") in ("data", "raw") for part in parts):
            self._answered = True
            yield events.activity_snapshot(self._next_id(), kind, MessageToDict(whole))

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._run_id}-a2a-{self._count}"


def _text(parts: Iterable[Part], separator: str = "\n") -> str:
    """Returns the text of parts. A URL becomes a link."""
    texts = []
    for part in parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            texts.append(part.text)
        elif kind == "url":
            mark = "!" if part.media_type.startswith("image/") else ""
            texts.append(f"{mark}[{part.filename or part.url}]({part.url})")
    return separator.join(texts)
