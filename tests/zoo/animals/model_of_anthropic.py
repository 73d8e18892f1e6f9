"""Anthropic: thinking with a signature, a text before the calls, calls as blocks whose arguments are JSON."""

from typing import Any

from ..animal import say
from ..vendor_agent import Chunks, agent_of, chunk, new_id


def use(index: int, name: str) -> Chunks:
    id = new_id("toolu_")
    block: Any = [{"type": "tool_use", "id": id, "name": name, "input": {}, "index": index}]
    deltas = ["", '{"ci', 'ty": "Rome"}']
    grown: Any = [[{"type": "input_json_delta", "partial_json": each, "index": index}] for each in deltas]
    return [
        chunk(block, call=(name, "", id, index)),
        *(
            chunk(content, call=(None, text, None, index))
            for content, text in zip(grown, deltas, strict=True)
        ),
    ]


def calls() -> Chunks:
    thought: Any = [
        [{"type": "thinking", "thinking": "I look ", "index": 0}],
        [{"type": "thinking", "thinking": "it up.", "index": 0}],
        [{"type": "thinking", "signature": "c2ln", "index": 0}],
        [{"type": "text", "text": "One moment.", "index": 1}],
    ]
    return [chunk([], id=new_id("msg_")), *map(chunk, thought), *use(2, "weather"), *use(3, "population")]


def answer() -> Chunks:
    texts: Any = [[{"type": "text", "text": text, "index": 0}] for text in ("It is ", "sunny.")]
    hidden: Any = [{"type": "redacted_thinking", "data": "c2VjcmV0", "index": 1}]
    return [chunk([], id=new_id("msg_")), chunk(hidden), *map(chunk, texts)]


def agent() -> Any:
    return agent_of(calls, answer)


hidden = ["c2ln", "c2VjcmV0"]
chat = [say("Rome?", shows="One moment."), say("Again?", shows="It is sunny.")]
