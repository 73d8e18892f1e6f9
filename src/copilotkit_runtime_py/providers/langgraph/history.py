"""What a request's messages add to the conversation that a graph remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from ..langchain.content import text_of

_NO_RESULT = "This call was interrupted; there is no result."


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request adds to a conversation.

    Attributes:
        messages: the new messages.
        fork_before: the id of the remembered message to go back to: it and all after it are replaced.
    """

    messages: list[BaseMessage] = field(default_factory=list)
    fork_before: str | None = None


def next_turn(sent: Sequence[BaseMessage], remembered: Sequence[BaseMessage]) -> Turn:
    """Compares the history that a client sent with the one that the graph remembers.

    A client sends the conversation as it knows it with every request. The rules:

    - Leading system messages are the frontend's own instructions, made anew for every request: left out.
    - A message is known by its id, a tool result by its call, an assistant message also by its calls.
    - The user's last message was edited if it is remembered with another text, and nothing that followed it
      is sent. A known user message at the end of the history that is not the last one remembered is to be
      answered again. In both cases the conversation forks there. Another message may differ because the
      graph has changed it, and its client does not know.
    - Otherwise what stands after the last known message is new. Unknown messages before it are not: the
      graph has dropped them, or never stored them. New tool results count wherever they stand.
    - Where a conversation is remembered but no message is known, what stands after the last answer is new.
    """
    sent = _without_instructions(sent)
    if not remembered:
        return Turn(list(sent))
    memory = _Memory(remembered)
    return _fork(sent, memory) or Turn(_new_messages(sent, memory))


def new_user_messages(sent: Sequence[BaseMessage], remembered: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Returns the user's messages that arrived together with the answer to an interrupt.

    The interrupted node runs again and repeats what it had said, so nothing else is taken over.
    """
    return [message for message in new_messages(sent, remembered) if isinstance(message, HumanMessage)]


def new_messages(sent: Sequence[BaseMessage], remembered: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Returns what is new in the history that a client sent; the conversation forks nowhere."""
    return _new_messages(_without_instructions(sent), _Memory(remembered))


def continued(remembered: Sequence[BaseMessage], new: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Returns the conversation with new messages, such that a model provider accepts it.

    Every tool call is followed by one result before any other message comes. A new result goes to its call,
    wherever that is, and a call that was never answered gets a result that says so. A late result takes
    the place of such a stand-in, and a result without a call is left out. The calls of the last message
    stay open as long as none of them is answered: the graph may do it.
    """
    if not new:
        return list(remembered)
    whole = list(remembered)
    places = {id: place for place, message in enumerate(whole) for id in _call_ids(message)}
    results: dict[int, list[ToolMessage]] = {}
    for message in new:
        if not isinstance(message, ToolMessage):
            places.update(dict.fromkeys(_call_ids(message), len(whole)))
            whole.append(message)
        elif (place := places.get(message.tool_call_id)) is not None:
            results.setdefault(place, []).append(message)
    complete: list[BaseMessage] = []
    place = 0
    while place < len(whole):
        end = _end_of_results(whole, place)
        block = [message for message in whole[place + 1 : end] if isinstance(message, ToolMessage)]
        complete.append(whole[place])
        complete += _answered(whole[place], block, results.get(place, ()), is_last=end == len(whole))
        place = end
    return complete


def said_since(sent: Sequence[BaseMessage], remembered: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Returns what the assistant said after the last message that is the user's or remembered."""
    memory = _Memory(remembered)
    found: list[BaseMessage] = []
    for message in reversed(sent):
        if isinstance(message, HumanMessage) or memory.knows(message):
            break
        if isinstance(message, AIMessage) and not message.tool_calls and message.content:
            found.append(message)
    return found[::-1]


def open_calls(messages: Sequence[BaseMessage]) -> set[str]:
    """Returns the ids of the tool calls that have no result."""
    calls = {id for message in messages for id in _call_ids(message)}
    return calls - {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}


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
            return result is not None and (is_stand_in(message) or not is_stand_in(result))
        if message.id in self.by_id:
            return True
        ids = _call_ids(message)
        return bool(ids) and self.calls.issuperset(ids)

    def edited(self, message: BaseMessage) -> bool:
        known = self.by_id.get(message.id or "")
        if not isinstance(message, HumanMessage) or not isinstance(known, HumanMessage):
            return False
        return text_of(known.content) != text_of(message.content)


def _fork(sent: Sequence[BaseMessage], memory: _Memory) -> Turn | None:
    said = [index for index, message in enumerate(sent) if isinstance(message, HumanMessage)]
    if not said:
        return None
    last = sent[said[-1]]
    later = sent[said[-1] + 1 :]
    if memory.edited(last) and not any(map(memory.knows, later)):
        return Turn([last, *later], fork_before=last.id)
    if not later and last.id in memory.by_id and last.id != memory.last_id:
        return Turn([last], fork_before=last.id)
    return None


def _new_messages(sent: Sequence[BaseMessage], memory: _Memory) -> list[BaseMessage]:
    known = [index for index, message in enumerate(sent) if memory.knows(message)]
    start = known[-1] + 1 if known else _after_last_answer(sent)
    early = [m for m in sent[:start] if isinstance(m, ToolMessage) and not memory.knows(m)]
    return [*early, *sent[start:]]


def _after_last_answer(sent: Sequence[BaseMessage]) -> int:
    answers = [index for index, message in enumerate(sent) if isinstance(message, AIMessage)]
    if not answers:
        return 0
    start = answers[-1] + 1
    return start - 1 if start < len(sent) and isinstance(sent[start], ToolMessage) else start


def _answered(
    message: BaseMessage, known: list[ToolMessage], new: Sequence[ToolMessage], *, is_last: bool
) -> list[ToolMessage]:
    """Returns the results that follow a message, in the order of its calls if any result is added."""
    calls = _call_ids(message)
    results = {result.tool_call_id: result for result in reversed(known)}
    added = False
    for result in new:
        there = results.get(result.tool_call_id)
        if there is None:
            results[result.tool_call_id], added = result, True
        elif is_stand_in(there) and not is_stand_in(result):
            results[result.tool_call_id] = result.model_copy(update={"id": there.id})
            added = True
    missing = [id for id in calls if id not in results] if results or not is_last else []
    if not added and not missing:
        return known
    results.update((id, _stand_in(id)) for id in missing)
    foreign = [result for result in known if result.tool_call_id not in calls]
    return [*(results[id] for id in calls), *foreign]


def _end_of_results(messages: Sequence[BaseMessage], call: int) -> int:
    end = call + 1
    while end < len(messages) and isinstance(messages[end], ToolMessage):
        end += 1
    return end


def _call_ids(message: BaseMessage) -> list[str]:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return [call["id"] for call in calls if call["id"] is not None]


def _stand_in(call_id: str) -> ToolMessage:
    return ToolMessage(_NO_RESULT, id=f"{call_id}-unanswered", tool_call_id=call_id, status="error")


def is_stand_in(message: ToolMessage) -> bool:
    """Whether a result says that there is none. Its text tells, for ids get lost on the way."""
    return message.content == _NO_RESULT
