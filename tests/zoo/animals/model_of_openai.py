"""OpenAI's chat completions: the vendor's id in every chunk, null texts, calls by index, usage at the end."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk, new_id

USAGE: Any = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def calls() -> Chunks:
    id = new_id("chatcmpl-")
    return [
        chunk(id=id),
        chunk(id=id, call=("weather", "", new_id("call_"), 0)),
        chunk(id=id, call=(None, '{"city"', None, 0)),
        chunk(id=id, call=(None, ':"Rome"}', None, 0)),
        chunk(id=id, call=("population", "", new_id("call_"), 1)),
        chunk(id=id, call=(None, '{"city":"Rome"}', None, 1)),
        chunk(id=id, response_metadata={"finish_reason": "tool_calls"}),
        chunk(id=id, usage_metadata=USAGE),
    ]


def answer() -> Chunks:
    id = new_id("chatcmpl-")
    return [chunk(text, id=id) for text in ("", "It is ", "sunny.", "")]


def agent() -> Any:
    return agent_of(calls, answer)


chat = [say("Rome?", shows="It is sunny."), say("Again?", shows="Many people in Rome.")]
