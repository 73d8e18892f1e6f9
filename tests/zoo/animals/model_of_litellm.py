"""LiteLLM before Gemini: parallel calls with one index, and a signature in ids of a thousand characters."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk, new_id


def long_id() -> str:
    return new_id("call_") + "__thought__" + "CiQB4" * 250


def calls() -> Chunks:
    arguments = '{"city": "Rome"}'
    return [
        chunk(call=("weather", arguments, long_id(), 0)),
        chunk(call=("population", arguments, long_id(), 0)),
        chunk(additional_kwargs={"provider_specific_fields": None}),
    ]


def answer() -> Chunks:
    return [chunk("It is "), chunk([{"type": "text", "text": None}]), chunk("sunny.")]


def agent() -> Any:
    return agent_of(calls, answer)


chat = [say("Rome?", shows="It is sunny."), say("Again?", shows="Many people in Rome.")]
