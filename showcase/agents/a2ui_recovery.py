"""A2UI recovery: the model's first surface is invalid, is not shown, and is written anew."""

from typing import Any

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Call, Turn, call, scripted

GOOD: list[dict[str, Any]] = [
    {"id": "root", "component": "Column", "children": ["title", "text"]},
    {"id": "title", "component": "Text", "variant": "h3", "text": "Opening hours"},
    {"id": "text", "component": "Text", "text": "Monday to Friday, 9:00 to 18:00"},
]
BAD: list[dict[str, Any]] = [{**GOOD[0], "children": ["title", "hours"]}, *GOOD[1:]]  # there are no "hours"


def answer(turn: Turn) -> str | Call:
    """A real model would find this by itself from the error that the runtime sends it."""
    match len(turn.results):
        case 0:
            return call("render_a2ui", surfaceId="hours", components=BAD)
        case 1:
            return call("render_a2ui", surfaceId="hours", components=GOOD)
        case _:
            return "We are open on weekdays."


agent = ChatProvider(scripted(answer, delay=0.06))
