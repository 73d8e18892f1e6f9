"""What the demo agents say: answers by keyword. It needs no framework."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WELCOME = (
    "Hello! I am the demo agent. I follow a script, so no API key is needed. Try one of these:\n\n"
    "- **weather in Paris**: I call a tool on the server\n"
    "- **make the page green**: I call a tool in your page\n"
    "- **add milk to my list**: I change the state that we share\n"
    "- **book a table for two**: I ask you before I act\n"
    "- **tell me a long story**: time enough to press stop"
)

STORY = (
    "Once upon a time there was a small server at the edge of a large network. All day long it carried "
    "words from one side to the other, and it took great care never to drop one. At night, when the cables "
    "were quiet, it counted the words it had carried and wondered where they went. One evening a message "
    "came that had no end. It arrived one word at a time, patient as rain, and the server passed each word "
    "on as soon as it had it. The people on the other side leaned in to read. Some laughed, some waited, and "
    "one of them raised a hand as if to say: enough. The server saw the hand, stopped in the middle of a "
    "sentence, and was ready for the next question. From then on it knew that carrying words well also "
    "means to know when to stop."
)

SUGGESTIONS = (
    ("Weather in Paris", "What is the weather in Paris?"),
    ("Add milk to my list", "Please add milk to my list"),
    ("Book a table", "Book a table for two"),
)

_SUGGEST = "copilotkitSuggest"
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool to call instead of an answer.

    Attributes:
        name: the tool's name.
        args: its arguments.
    """

    name: str
    args: dict[str, Any]


def reply(asked: str, tools: Sequence[Mapping[str, Any]]) -> str | ToolCall:
    """Returns the answer to a message, or the tool to call.

    Args:
        asked: the message.
        tools: the tools that can be called, each with its `name` and the JSON schema of its `parameters`.
    """
    if any(tool["name"] == _SUGGEST for tool in tools):
        suggestions = [{"title": title, "message": message} for title, message in SUGGESTIONS]
        return ToolCall(_SUGGEST, {"suggestions": suggestions})
    asked = asked.lower()
    if "weather" in asked:
        place = re.search(r"\bin ([\w\s'-]+)", asked)
        return ToolCall("get_weather", {"location": (place[1] if place else "Paris").strip().title()})
    if item := re.search(r"\badd (.+?) to (?:my|the|our) (?:shopping )?list", asked):
        return ToolCall("add_item", {"item": item[1]})
    if re.search(r"\bbook\b.*\btable\b|\breserve\b", asked):
        return ToolCall("book_table", {"people": _count(asked)})
    if (colour := re.search(r"(?:make|turn|paint|set)\b.*\b(\w+)\W*$", asked)) and "list" not in asked:
        return _page_call(colour[1], tools)
    return STORY if "story" in asked else WELCOME


def weather(location: str) -> str:
    """Returns the weather in a place."""
    return f"It is 21 °C and sunny in {location}."


def added(item: str, items: list[str]) -> str:
    """Returns what to say once an item is on the list."""
    return f"I have put {item} on your list. It has {len(items)} item{'s' if len(items) > 1 else ''} now."


def after_page_tool(result: str) -> str:
    """Returns what to say after a tool of the page has run."""
    return f"Done. Your page answered: {result}" if result else "Done."


def _page_call(colour: str, tools: Sequence[Mapping[str, Any]]) -> str | ToolCall:
    """Calls the page's tool that has to do with colour, with the colour as its first argument."""
    for tool in tools:
        if re.search("colou?r|background|theme", tool["name"], re.IGNORECASE):
            parameters = tool.get("parameters") or {}
            return ToolCall(tool["name"], {next(iter(parameters.get("properties", {})), "color"): colour})
    return "Your page has given me no tool to change its colour."


def _count(asked: str) -> int:
    number = re.search(r"\d+", asked)
    return int(number[0]) if number else next((n for word, n in _NUMBERS.items() if word in asked), 2)
