"""Gemini: whole calls in one chunk, a thought with a signature, a last chunk without content."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk, new_id


def calls() -> Chunks:
    thought: Any = [{"type": "thinking", "thinking": "I look it up.", "signature": "Z2VtaW5p"}]
    arguments = '{"city": "Rome"}'
    return [
        chunk(thought),
        chunk(call=("weather", arguments, new_id(""), None)),
        chunk(call=("population", arguments, new_id(""), None)),
        chunk(response_metadata={"finish_reason": "STOP"}),
    ]


def answer() -> Chunks:
    signed: Any = [{"type": "text", "text": "sunny.", "extras": {"signature": "Z2VtaW5p"}}]
    return [chunk("It is "), chunk(signed), chunk([])]


def agent() -> Any:
    return agent_of(calls, answer)


hidden = ["Z2VtaW5p"]
chat = [say("Rome?", shows="It is sunny."), say("Again?", shows="It is sunny.")]
