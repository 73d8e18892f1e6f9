"""The `CopilotResponse` of one run: message changes applied to live GraphQL objects."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, TypeVar

from ...agui.events import as_text
from ...errors import CopilotKitError, GuardrailsDeniedError
from ...runs.run import Run
from .client import Client
from .executor.live import LiveList
from .projection import (
    ACTION,
    TEXT,
    AddCopilotKitInterrupt,
    AddInterrupt,
    AddResult,
    AddState,
    End,
    Fail,
    Finish,
    Grow,
    MessageChange,
    StartAction,
    StartText,
)
from .scalars import JSON
from .types import (
    ActionExecutionMessageOutput,
    AgentStateMessageOutput,
    BaseMessageOutput,
    CopilotKitLangGraphInterruptEvent,
    CopilotKitLangGraphInterruptEventData,
    CopilotResponse,
    FailedMessageStatus,
    FailedResponseStatus,
    FailedResponseStatusReason,
    LangGraphInterruptEvent,
    MessageRole,
    ResultMessageOutput,
    SuccessMessageStatus,
    SuccessResponseStatus,
    TextMessageOutput,
)

M = TypeVar("M", bound=BaseMessageOutput)


class ResponseBuilder:
    """Grows the `CopilotResponse` of a run.

    Its `runId` is null, as CopilotRuntime 1.10.6 sends it for agents: the state messages carry the run's id.

    Args:
        run: the run.
        client: the client that shows the response.
    """

    def __init__(self, run: Run, client: Client) -> None:
        self._client = client
        self.response = CopilotResponse(thread_id=run.thread_id)
        self._run = run
        self._open: dict[tuple[str, str], TextMessageOutput | ActionExecutionMessageOutput] = {}

    def apply(self, changes: Iterable[MessageChange]) -> None:
        """Applies changes in order."""
        for change in changes:
            if isinstance(change, Grow):
                message = self._open[change.kind, change.id]
                content = message.content if isinstance(message, TextMessageOutput) else message.arguments
                content.append(change.delta)
            elif isinstance(change, StartText):
                self._start(TEXT, TextMessageOutput(id=change.id, role=MessageRole.assistant))
            elif isinstance(change, StartAction):
                self._start(
                    ACTION,
                    ActionExecutionMessageOutput(
                        id=change.id, name=change.name, parent_message_id=change.parent_id
                    ),
                )
            elif isinstance(change, End):
                self._end(change)
            else:
                self._apply_rare(change)

    def _start(self, kind: str, message: TextMessageOutput | ActionExecutionMessageOutput) -> None:
        self._open[kind, message.id] = message
        self.response.messages.append(message)

    def _end(self, change: End) -> None:
        message = self._open.pop((change.kind, change.id))
        content = message.content if isinstance(message, TextMessageOutput) else message.arguments
        content.close()
        if change.reason is None:
            message.status.set(SuccessMessageStatus())
        else:
            message.status.set(FailedMessageStatus(reason=change.reason))

    def _apply_rare(self, change: MessageChange) -> None:
        response = self.response
        if isinstance(change, AddState):
            response.messages.append(self._state_message(change))
        elif isinstance(change, AddResult):
            response.messages.append(
                _complete(
                    ResultMessageOutput(
                        id=f"result-{change.call_id}",
                        action_execution_id=change.call_id,
                        action_name=change.action_name,
                        result=change.result,
                    )
                )
            )
        elif isinstance(change, AddInterrupt):
            response.meta_events.append(LangGraphInterruptEvent(value=change.value))
        elif isinstance(change, AddCopilotKitInterrupt):
            messages = [message for flat in change.messages for message in messages_from_flat(flat)]
            data = CopilotKitLangGraphInterruptEventData(value=change.value, messages=messages)
            response.meta_events.append(CopilotKitLangGraphInterruptEvent(data=data))
        elif isinstance(change, Fail):
            self._fail(change)
        elif isinstance(change, Finish):
            self._close(SuccessResponseStatus())

    def _state_message(self, change: AddState) -> AgentStateMessageOutput:
        return _complete(
            AgentStateMessageOutput(
                id=f"ck-{uuid.uuid4()}",
                thread_id=self.response.thread_id,
                agent_name=self._run.agent_name,
                node_name=change.node_name,
                run_id=self._run.id,
                active=change.active,
                role=MessageRole.assistant,
                state=change.state,
                running=change.running,
            )
        )

    def _fail(self, change: Fail) -> None:
        if not self._client.shows_failures:
            content = LiveList([change.message], closed=True)
            message = TextMessageOutput(id=f"ck-{uuid.uuid4()}", role=MessageRole.assistant, content=content)
            self.response.messages.append(_complete(message))
        self._close(self._failure(change))

    def _failure(self, change: Fail) -> FailedResponseStatus:
        if change.code == GuardrailsDeniedError.code:
            return denied_status(change.message)
        error = self._run.error
        status_code = error.status_code if isinstance(error, CopilotKitError) else 500
        return failed_status(change.message, change.code, status_code)

    def _close(self, status: SuccessResponseStatus | FailedResponseStatus) -> None:
        self.response.messages.close()
        self.response.meta_events.close()
        self.response.status.set(status)


def failed_status(message: str, code: str | None = None, status_code: int = 500) -> FailedResponseStatus:
    """Returns the status of a response whose agent failed.

    `details` has the shape from which `@copilotkit/react-core` 1.10 takes the text (`description`) and the
    kind of banner (`originalError`); it knows no code of an agent, which stands in `extensions`.
    """
    extensions = CopilotKitError(message).extensions() | {"statusCode": status_code}
    original = {name: extensions[name] for name in ("code", "statusCode", "severity", "visibility")}
    if code is not None:
        extensions["code"] = code
    extensions["originalError"] = {"message": message}
    details = {"description": message, "originalError": {**original, "extensions": extensions}}
    return FailedResponseStatus(reason=FailedResponseStatusReason.UNKNOWN_ERROR, details=JSON(details))


def denied_status(reason: str) -> FailedResponseStatus:
    """Returns the status of a response to a message that guardrails deny.

    `@copilotkit/react-core` 1.10 shows the reason as the answer.
    """
    return FailedResponseStatus(
        reason=FailedResponseStatusReason.GUARDRAILS_VALIDATION_FAILED,
        details=JSON({"guardrailsReason": reason}),
    )


def messages_from_flat(flat: dict[str, Any]) -> Iterable[BaseMessageOutput]:
    """Returns the messages that one message in AG-UI's or in the flat form amounts to, each complete.

    A role that this contract does not have (`reasoning`) amounts to none.
    """
    id = str(flat.get("id") or f"ck-{uuid.uuid4()}")
    if "result" in flat or flat.get("role") == "tool":
        call_id = str(flat.get("actionExecutionId", flat.get("toolCallId", "")))
        yield _complete(
            ResultMessageOutput(
                id=id,
                action_execution_id=call_id,
                action_name=str(flat.get("actionName", "unknown")),
                result=as_text(flat.get("result", flat.get("content", ""))),
            )
        )
    elif "arguments" in flat:
        parent_id = flat.get("parentMessageId")
        parent_id = parent_id if isinstance(parent_id, str) else None
        yield _action(id, str(flat.get("name", "")), as_text(flat["arguments"]), parent_id)
    elif str(flat.get("role", "assistant")) in MessageRole.__members__:
        content = as_text(flat.get("content") or "")
        if content:
            yield _complete(
                TextMessageOutput(
                    id=id,
                    role=MessageRole(flat.get("role", "assistant")),
                    content=LiveList([content], closed=True),
                )
            )
        calls = flat.get("toolCalls")
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                yield _action(
                    str(call.get("id", "")),
                    str(function.get("name", "")),
                    as_text(function.get("arguments", "{}")),
                    id,
                )


def _action(id: str, name: str, arguments: str, parent_id: str | None) -> ActionExecutionMessageOutput:
    return _complete(
        ActionExecutionMessageOutput(
            id=id, name=name, arguments=LiveList([arguments], closed=True), parent_message_id=parent_id
        )
    )


def _complete(message: M) -> M:
    message.status.set(SuccessMessageStatus())
    return message
