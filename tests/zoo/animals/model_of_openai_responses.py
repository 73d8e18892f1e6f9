"""OpenAI's responses: content blocks with ids of their own, a summary of the reasoning, calls as blocks."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk, new_id


def reasoning(text: str, **fields: Any) -> Any:
    summary = [{"type": "summary_text", "text": text, "index": 0}] if text else []
    return [{"type": "reasoning", "summary": summary, "index": 0, **fields}]


def function(index: int, arguments: str, **fields: Any) -> Any:
    return [{"type": "function_call", "arguments": arguments, "index": index, **fields}]


def calls() -> Chunks:
    first, second = new_id("call_"), new_id("call_")
    return [
        chunk(id=new_id("resp_")),
        chunk(reasoning("", id=new_id("rs_"))),
        chunk(reasoning("I look ")),
        chunk(reasoning("it up.")),
        chunk(
            function(1, "", name="weather", call_id=first, id=new_id("fc_")), call=("weather", "", first, 1)
        ),
        chunk(function(1, '{"city":"Rome"}'), call=(None, '{"city":"Rome"}', None, 1)),
        chunk(
            function(2, "", name="population", call_id=second, id=new_id("fc_")),
            call=("population", "", second, 2),
        ),
        chunk(function(2, '{"city":"Rome"}'), call=(None, '{"city":"Rome"}', None, 2)),
    ]


def answer() -> Chunks:
    texts: Any = [[{"type": "text", "text": text, "index": 0}] for text in ("It is ", "sunny.")]
    end: Any = [{"type": "text", "annotations": [], "index": 0, "id": new_id("msg_")}]
    return [chunk(id=new_id("resp_")), *map(chunk, texts), chunk(end)]


def agent() -> Any:
    return agent_of(calls, answer)


chat = [say("Rome?", shows="It is sunny."), say("Again?", shows="It is sunny.")]
