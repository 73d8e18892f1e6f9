"""Bedrock's Converse: blocks by index, reasoning in a block of its own, empty chunks around everything."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk, new_id


def reasoning(**fields: Any) -> Any:
    return [{"type": "reasoning_content", "reasoning_content": fields, "index": 0}]


def use(index: int, name: str) -> Chunks:
    id = new_id("tooluse_")
    block: Any = [{"type": "tool_use", "id": id, "name": name, "index": index}]
    grown: Any = [{"type": "tool_use", "input": '{"city": "Rome"}', "index": index}]
    return [
        chunk(block, call=(name, None, id, index)),
        chunk(grown, call=(None, '{"city": "Rome"}', None, index)),
        chunk([{"index": index}]),
    ]


def calls() -> Chunks:
    return [
        chunk([]),
        chunk(reasoning(type="text", text="I look ")),
        chunk(reasoning(type="text", text="it up.")),
        chunk(reasoning(type="text", signature="YmVkcm9jaw==")),
        chunk([{"index": 0}]),
        *use(1, "weather"),
        *use(2, "population"),
        chunk([], response_metadata={"stopReason": "tool_use"}),
    ]


def answer() -> Chunks:
    texts: Any = [[{"type": "text", "text": text, "index": 0}] for text in ("It is ", "sunny.")]
    return [chunk([]), *map(chunk, texts), chunk([{"index": 0}])]


def agent() -> Any:
    return agent_of(calls, answer)


hidden = ["YmVkcm9jaw"]
chat = [say("Rome?", shows="It is sunny."), say("Again?", shows="It is sunny.")]
