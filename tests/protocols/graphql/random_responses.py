"""Random responses, as scripts: what is done to a `CopilotResponse`, step by step, until it is complete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from hypothesis import strategies as st

from copilotkit_runtime_py.protocols.graphql.executor.live import Deferred, LiveList
from copilotkit_runtime_py.protocols.graphql.scalars import JSON
from copilotkit_runtime_py.protocols.graphql.types import (
    ActionExecutionMessageOutput,
    AgentStateMessageOutput,
    BaseMessageOutput,
    BaseMetaEvent,
    CopilotKitLangGraphInterruptEvent,
    CopilotKitLangGraphInterruptEventData,
    CopilotResponse,
    ExtensionsResponse,
    FailedMessageStatus,
    FailedResponseStatus,
    FailedResponseStatusReason,
    LangGraphInterruptEvent,
    MessageRole,
    OpenAIApiAssistantAPIResponse,
    ResultMessageOutput,
    SuccessMessageStatus,
    SuccessResponseStatus,
    TextMessageOutput,
)

T = TypeVar("T")
Step = Callable[[], None]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Script:
    """Draws the steps of one response. Each step may be made when those that it needs were."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._messages = 0
        self.objects: list[object] = []
        extensions = ExtensionsResponse(openai_assistant_api=OpenAIApiAssistantAPIResponse(run_id="r"))
        self.response = CopilotResponse(
            thread_id="t", extensions=draw(st.sampled_from([None, ExtensionsResponse(), extensions]))
        )

    def steps(self) -> list[Step]:
        """All steps in an order that is possible."""
        response = self.response
        threads = [self._list_steps(response.messages, [self._message() for _ in range(self._count(4))])]
        events = [self._event() for _ in range(self._count(2))]
        threads.append(self._list_steps(response.meta_events, events))
        status = SuccessResponseStatus() if self._draw(st.booleans()) else _failed()
        threads.append([(lambda: response.status.set(status))])
        self.objects += [response, status]
        return self._interleaved([thread for thread in threads if thread])

    def _count(self, most: int) -> int:
        return self._draw(st.integers(0, most))

    def _interleaved(self, threads: list[list[Step]]) -> list[Step]:
        order = self._draw(st.permutations([i for i, thread in enumerate(threads) for _ in thread]))
        iterators = [iter(thread) for thread in threads]
        return [next(iterators[i]) for i in order]

    def _list_steps(self, target: LiveList[T], items: Sequence[tuple[T, list[Step]]]) -> list[Step]:
        appends: list[Step] = [partial(target.append, item) for item, _ in items]
        inner = [steps for _, steps in items if steps]
        return self._interleaved([[*appends, target.close], *inner])

    def _message(self) -> tuple[BaseMessageOutput, list[Step]]:
        self._messages += 1
        id_ = f"m{self._messages}"
        kind = self._count(3)
        message: BaseMessageOutput
        content: LiveList[str] | None = None
        if kind == 0:
            content = LiveList()
            message = TextMessageOutput(
                id=id_, created_at=NOON, role=MessageRole.assistant, content=content, parent_message_id="p"
            )
        elif kind == 1:
            content = LiveList()
            message = ActionExecutionMessageOutput(id=id_, created_at=NOON, name="act", arguments=content)
        elif kind == 2:
            message = ResultMessageOutput(
                id=id_, created_at=NOON, action_execution_id="a", action_name="act", result="1"
            )
        else:
            message = AgentStateMessageOutput(
                id=id_,
                created_at=NOON,
                thread_id="t",
                agent_name="g",
                node_name="n",
                run_id="r",
                active=True,
                role=MessageRole.assistant,
                state="{}",
                running=False,
            )
        status = SuccessMessageStatus() if self._draw(st.booleans()) else FailedMessageStatus(reason="why")
        threads: list[list[Step]] = [[lambda: message.status.set(status)]]
        self.objects += [message, status]
        if content is not None:
            threads.append(self._list_steps(content, [(f"c{i} ", []) for i in range(self._count(4))]))
        return message, self._interleaved(threads)

    def _event(self) -> tuple[BaseMetaEvent, list[Step]]:
        if self._draw(st.booleans()):
            return LangGraphInterruptEvent(value="v"), []
        made = [self._message() for _ in range(self._count(2))]
        data = CopilotKitLangGraphInterruptEventData(value="v", messages=[message for message, _ in made])
        return CopilotKitLangGraphInterruptEvent(data=data), [step for _, steps in made for step in steps]


def _is_leaf(name: str, value: object) -> bool:
    return name != "extensions" and not isinstance(value, (LiveList, Deferred))


def _failed() -> FailedResponseStatus:
    return FailedResponseStatus(
        reason=FailedResponseStatusReason.UNKNOWN_ERROR, details=JSON({"description": "d"})
    )


@st.composite
def scripts(draw: st.DrawFn) -> tuple[CopilotResponse, list[Step]]:
    """A response and the steps that complete it."""
    script = Script(draw)
    steps = script.steps()
    return script.response, steps


@st.composite
def broken_scripts(draw: st.DrawFn) -> tuple[CopilotResponse, list[Step]]:
    """A response with values that its types do not allow, and the steps that complete it."""
    script = Script(draw)
    steps = script.steps()
    for _ in range(draw(st.integers(1, 4))):
        target = draw(st.sampled_from(script.objects))
        names = [name for name, value in vars(target).items() if _is_leaf(name, value)]
        setattr(target, draw(st.sampled_from(names)), draw(st.sampled_from([None, {}, "x", 5])))
    return script.response, steps
