"""The parts of streamed tool calls, put together: which part belongs to which call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(slots=True, eq=False)
class StreamedCall:
    """A tool call that is being streamed.

    Attributes:
        index: the call's place in the model's answer, None if the model gives none.
        model_id: the id that the model gave, None until it does.
        name: the tool, empty until the model names it.
        args: the arguments so far, as pieces of JSON.
        id: the id that events have, empty until the call has started.
        sent: how many of the pieces were sent.
    """

    index: int | str | None
    model_id: str | None = None
    name: str = ""
    args: list[str] = field(default_factory=list)
    id: str = ""
    sent: int = 0

    def arguments(self) -> Any:
        """Returns the arguments, None as long as they are not complete."""
        try:
            return orjson.loads("".join(self.args))
        except orjson.JSONDecodeError:
            return None


class StreamedCalls:
    """The tool calls of one message, in order.

    Integrations agree on little. OpenAI and Anthropic give id and name with the first part and an index with
    each. Gemini and Ollama send each call whole, without an index. Some servers of OpenAI's protocol number
    all calls 0, repeat id or name with each part, give a new id with each part, or send the name last. So a
    part belongs to the last call that it does not contradict.
    """

    def __init__(self) -> None:
        self._calls: list[StreamedCall] = []

    def __iter__(self) -> Iterator[StreamedCall]:
        return iter(self._calls)

    def add(self, part: Mapping[str, Any]) -> StreamedCall:
        """Adds a part to its call, and returns the call.

        Args:
            part: what is there of `id`, `index`, `name`, and `args` as text (a `ToolCallChunk` of LangChain).
        """
        id, name, index = part.get("id") or None, part.get("name") or "", part.get("index")
        call = self._continued(id, name, index)
        if call is None:
            call = StreamedCall(index)
            self._calls.append(call)
        call.model_id = call.model_id or id
        call.name = call.name or name
        if args := part.get("args"):
            call.args.append(args)
        return call

    def close(self) -> None:
        """Joins parts that never got a name to the call before them, and drops those that have none."""
        named: list[StreamedCall] = []
        for call in self._calls:
            if call.name:
                named.append(call)
            elif named and named[-1].index == call.index and named[-1].arguments() is None:
                named[-1].args += call.args
        self._calls = named

    def _continued(self, id: str | None, name: str, index: int | str | None) -> StreamedCall | None:
        there = [call for call in self._calls if index is None or call.index in (None, index)]
        if not there:
            return None
        last = there[-1]
        if id is not None and last.model_id is not None:
            return next((call for call in reversed(there) if call.model_id == id), None)
        if name and last.name and (name != last.name or last.arguments() is not None):
            return None
        return last
