"""Attachments: what the user attaches reaches the model as content blocks of LangChain.

The page uploads each file once, and the thread holds a link to it. The runtime gives the agent the content.
"""

import base64
from typing import Any

from langchain.agents import create_agent

from ..scripted import Turn, scripted


def answer(turn: Turn) -> str:
    """What a real model would see by itself: this one looks at the bytes."""
    blocks: list[Any] = [block for block in turn.messages[-1].content_blocks if block["type"] != "text"]
    if not blocks:
        return "Attach a picture or a text file, and I'll say what I received."
    return "\n".join(
        f"- {describe(block['mime_type'], base64.b64decode(block['base64']))}" for block in blocks
    )


def describe(media_type: str, data: bytes) -> str:
    if media_type == "image/png":
        width, height = (int.from_bytes(data[start : start + 4], "big") for start in (16, 20))
        return f"A PNG picture of **{width} by {height}** pixels, {len(data)} bytes"
    if media_type.startswith("text/"):
        return (
            f"A text of **{len(data.decode().splitlines())} lines** that begins with “{data[:30].decode()}”"
        )
    return f"A file of type {media_type}, {len(data)} bytes"


agent = create_agent(scripted(answer))
