"""Kimi on vLLM: ids that are counted anew in each answer, and repeated with each piece of the arguments."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk


def use(index: int, name: str) -> Chunks:
    id = f"functions.{name}:{index}"
    return [
        chunk(call=(name, "", id, index)),
        chunk(call=(None, '{"city": ', id, index)),
        chunk(call=("", '"Rome"}', "", index)),
    ]


def calls() -> Chunks:
    reasoning = chunk(additional_kwargs={"reasoning_content": "I look it up."})
    return [reasoning, *use(0, "weather"), *use(1, "population"), chunk()]


def answer() -> Chunks:
    return [chunk(""), chunk("It is "), chunk("sunny.")]


def agent() -> Any:
    return agent_of(calls, answer)


chat = [say("Rome?", shows="It is sunny."), say("Again?", shows="It is sunny.")]
