"""Ollama: reasoning beside the content, whole calls without an index, no id of the vendor's."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk, new_id


def thought(text: str) -> Any:
    return chunk(additional_kwargs={"reasoning_content": text})


def calls() -> Chunks:
    arguments = '{"city": "Rome"}'
    return [
        thought("I look "),
        thought("it up."),
        chunk(call=("weather", arguments, new_id(""), None)),
        chunk(call=("population", arguments, new_id(""), None)),
        chunk(response_metadata={"done": True}),
    ]


def answer() -> Chunks:
    return [chunk("It is "), chunk("sunny."), chunk(response_metadata={"done": True})]


def agent() -> Any:
    return agent_of(calls, answer)


chat = [say("Rome?", shows="It is sunny."), say("Again?", shows="It is sunny.")]
