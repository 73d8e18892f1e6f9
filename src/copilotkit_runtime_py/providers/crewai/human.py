"""Questions that CrewAI would ask on the console, which a server does not have."""

from __future__ import annotations

import uuid
from typing import Any

from crewai.core.providers.human_input import SyncHumanInputProvider
from crewai.flow.async_feedback import ConsoleProvider, HumanFeedbackPending, PendingFeedbackContext
from crewai.flow.flow_config import flow_config
from pydantic_core import to_json

from ...agui import events
from ...errors import ConfigurationError
from .current import RUN, emit
from .feed import Unanswerable
from .state import conversation_of


class FrontendFeedback:
    """Asks for the feedback of `@human_feedback` in the frontend: the flow pauses, and the run ends.

    Outside of a run it asks on the console, as CrewAI does.
    """

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
        """Pauses the flow, after showing what the feedback is asked for.

        Raises:
            HumanFeedbackPending: always, within a run.
        """
        if RUN.get() is None:
            return ConsoleProvider().request_feedback(context, flow)
        _show(context.method_output, flow)
        raise HumanFeedbackPending(context=context)


def _show(output: Any, flow: Any) -> None:
    """Says the method's output, unless a model or the flow has said just this already."""
    run = RUN.get()
    text = output if isinstance(output, str) else to_json(output, serialize_unknown=True).decode()
    messages = conversation_of(flow.state)
    said = [answer.text for answer in run.answers.so_far()] if run is not None else []
    said += [str(message.get("content")) for message in messages or [] if isinstance(message, dict)]
    if output is None or text.strip() in [words.strip() for words in said]:
        return
    id = str(uuid.uuid4())
    for event in (events.text_start(id), events.text_content(id, text), events.text_end(id)):
        emit(event)
    if messages is not None:
        messages.append({"id": id, "role": "assistant", "content": text})


class NoConsole(SyncHumanInputProvider):
    """Refuses what would wait for somebody at the console: `Flow.ask()` and `Task(human_input=True)`."""

    def request_input(self, message: str, flow: Any, metadata: dict[str, Any] | None = None) -> str | None:
        """Refuses to answer `Flow.ask()`."""
        if RUN.get() is None:
            return ConsoleProvider().request_input(message, flow, metadata)
        raise _refusal("Flow.ask()")

    def handle_feedback(self, formatted_answer: Any, context: Any) -> Any:
        """Refuses to answer a task."""
        raise _refusal("Task(human_input=True)")

    async def handle_feedback_async(self, formatted_answer: Any, context: Any) -> Any:
        """Refuses to answer a task."""
        raise _refusal("Task(human_input=True)")


def _refusal(what: str) -> Unanswerable:
    error = f"{what} asks on the console, which a server does not have. Use @human_feedback instead."
    return Unanswerable(ConfigurationError(error))


def answer_from_frontend() -> None:
    """Has CrewAI ask frontends instead of the console, within runs and where the user configured nothing."""
    if flow_config.hitl_provider is None:
        flow_config.hitl_provider = FrontendFeedback()
    if flow_config.input_provider is None:
        flow_config.input_provider = NoConsole()
