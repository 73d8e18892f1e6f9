"""What a request's messages add to the conversation that a graph remembers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from .content import text_of

_NO_RESULT = "This call was interrupted; there is no result."


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request adds to a conversation.

    Attributes:
        messages: the messages to append.
        fork_before: the id of the remembered message to go back to: it and all after it are replaced.
    """

    messages: list[BaseMessage] = field(default_factory=list)
    fork_before: str | None = None


def next_turn(
    sent: Sequence[BaseMessage], remembered: Sequence[BaseMessage], answered: Iterable[str] = ()
) -> Turn:
    """Compares the history that a client sent with the one that the graph remembers.

    A client sends the conversation as it knows it with every request. The rules:

    - Leading system messages are the frontend's own instructions, made anew for every request: left out.
    - A message is known by its id, a tool result by its call, an assistant message also by its calls.
    - A remembered user message with another text was edited, and a known user message at the end of the
      history that is not the last one remembered is to be answered again: the conversation forks there.
    - Otherwise what stands after the last known message is new. Unknown messages before it are not: the
      graph has dropped them, or never kept them. New tool results count wherever they stand.
    - Where a conversation is remembered but no message is known, what stands after the last answer is new.
    - Every tool call gets a result before another message follows, if need be one that says there is none.

    Args:
        sent: the client's messages.
        remembered: the graph's messages; empty where it remembers none.
        answered: calls whose results the graph holds but has not yet added to its messages.
    """
    sent = _without_instructions(sent)
    if not remembered:
        return Turn(_with_results([], sent, ()))
    memory = _Memory(remembered)
    if fork := _fork(sent, memory):
        return fork
    new = _new_messages(sent, memory)
    return Turn(_with_results(_open_calls(remembered, answered), new, memory.calls))


def new_user_messages(sent: Sequence[BaseMessage], remembered: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Returns the user's messages that arrived together with the answer to an interrupt.

    The interrupted node runs again and repeats what it had said, so nothing else is taken over.
    """
    sent = _without_instructions(sent)
    return [m for m in _new_messages(sent, _Memory(remembered)) if isinstance(m, HumanMessage)]


def _without_instructions(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    for index, message in enumerate(messages):
        if not isinstance(message, SystemMessage):
            return messages[index:]
    return ()


class _Memory:
    """The remembered conversation, addressable."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self.last_id = messages[-1].id if messages else None
        self.by_id = {message.id: message for message in messages if message.id is not None}
        self.calls = {id for message in messages for id in _call_ids(message)}
        self.results = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}

    def knows(self, message: BaseMessage) -> bool:
        if isinstance(message, ToolMessage):
            result = self.results.get(message.tool_call_id)
            return result is not None and (_is_stand_in(message) or not _is_stand_in(result))
        if message.id in self.by_id:
            return True
        ids = _call_ids(message)
        return bool(ids) and self.calls.issuperset(ids)

    def edited(self, message: BaseMessage) -> bool:
        known = self.by_id.get(message.id or "")
        if not isinstance(message, HumanMessage) or not isinstance(known, HumanMessage):
            return False
        return text_of(known.content) != text_of(message.content)

    def adopt(self, message: BaseMessage) -> BaseMessage:
        """Lets a late result take the place of its stand-in."""
        if isinstance(message, ToolMessage) and (stand_in := self.results.get(message.tool_call_id)):
            return message.model_copy(update={"id": stand_in.id})
        return message


def _fork(sent: Sequence[BaseMessage], memory: _Memory) -> Turn | None:
    for index, message in enumerate(sent):
        if memory.edited(message):
            later = [m for m in sent[index + 1 :] if not memory.knows(m)]
            return Turn(_with_results([], [message, *later], ()), fork_before=message.id)
    last = sent[-1] if sent else None
    if isinstance(last, HumanMessage) and last.id in memory.by_id and last.id != memory.last_id:
        return Turn([last], fork_before=last.id)
    return None


def _new_messages(sent: Sequence[BaseMessage], memory: _Memory) -> list[BaseMessage]:
    known = [index for index, message in enumerate(sent) if memory.knows(message)]
    start = known[-1] + 1 if known else _after_last_answer(sent)
    early = [m for m in sent[:start] if isinstance(m, ToolMessage) and not memory.knows(m)]
    early = [m for m in early if m.tool_call_id in memory.calls]
    return [memory.adopt(message) for message in (*early, *sent[start:])]


def _after_last_answer(sent: Sequence[BaseMessage]) -> int:
    answers = [index for index, message in enumerate(sent) if isinstance(message, AIMessage)]
    if not answers:
        return 0
    start = answers[-1] + 1
    return start - 1 if start < len(sent) and isinstance(sent[start], ToolMessage) else start


def _open_calls(messages: Sequence[BaseMessage], answered: Iterable[str]) -> list[str]:
    """Returns the calls of the last message that wait for a result."""
    done = set(answered)
    for message in reversed(messages):
        if not isinstance(message, ToolMessage):
            return [id for id in _call_ids(message) if id not in done]
        done.add(message.tool_call_id)
    return []


def _with_results(
    waiting: Sequence[str], messages: Sequence[BaseMessage], calls: Iterable[str]
) -> list[BaseMessage]:
    """Returns the messages such that every call is followed by one result, and every result has its call.

    The calls of the last message stay open when none of them has a result: the graph may answer them.

    Args:
        waiting: calls before these messages that have no result yet.
        messages: the messages to complete.
        calls: all calls that were made before these messages.
    """
    if not messages:
        return []
    results: dict[str, ToolMessage] = {}
    for message in messages:
        if isinstance(message, ToolMessage) and not (
            _is_stand_in(message) and message.tool_call_id in results
        ):
            results[message.tool_call_id] = message
    completed: list[BaseMessage] = [results[id] for id in results if id in {*calls, *waiting}]
    completed += [_stand_in(id) for id in waiting if id not in results]
    others = [message for message in messages if not isinstance(message, ToolMessage)]
    for message in others:
        completed.append(message)
        ids = _call_ids(message)
        if message is not others[-1] or results.keys() & set(ids):
            completed += [results.get(id) or _stand_in(id) for id in ids]
    return completed


def _call_ids(message: BaseMessage) -> list[str]:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return [call["id"] for call in calls if call["id"] is not None]


def _stand_in(call_id: str) -> ToolMessage:
    return ToolMessage(_NO_RESULT, id=f"{call_id}-unanswered", tool_call_id=call_id, status="error")


def _is_stand_in(message: ToolMessage) -> bool:
    """Whether a result says that there is none. Its text tells, for ids get lost on the way."""
    return message.content == _NO_RESULT
