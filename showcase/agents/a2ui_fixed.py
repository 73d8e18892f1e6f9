"""A2UI with a fixed layout: the components are written once, and a tool fills them with data."""

import json
from typing import Any

from ag_ui_a2ui_toolkit import (
    A2UI_OPERATIONS_KEY,
    BASIC_CATALOG_ID,
    create_surface,
    update_components,
    update_data_model,
)
from langchain.agents import create_agent
from langchain_core.tools import tool

from ..scripted import Call, Turn, call, scripted

BOOK = {"event": {"name": "book", "context": {"concert": {"path": "/title"}}}}
LAYOUT: list[dict[str, Any]] = [
    {"id": "root", "component": "Card", "child": "column"},
    {"id": "column", "component": "Column", "children": ["title", "place", "divider", "row"]},
    {"id": "title", "component": "Text", "variant": "h3", "text": {"path": "/title"}},
    {"id": "place", "component": "Text", "text": {"path": "/place"}},
    {"id": "divider", "component": "Divider"},
    {
        "id": "row",
        "component": "Row",
        "justify": "spaceBetween",
        "align": "center",
        "children": ["price", "book"],
    },
    {"id": "price", "component": "Text", "variant": "h4", "text": {"path": "/price"}},
    {"id": "book", "component": "Button", "variant": "primary", "child": "label", "action": BOOK},
    {"id": "label", "component": "Text", "text": "Book a seat"},
]


@tool
def show_concert(title: str, place: str, price: str) -> str:
    """Show a concert that the user can book."""
    operations = [
        create_surface("concert", BASIC_CATALOG_ID),
        update_components("concert", LAYOUT),
        update_data_model("concert", {"title": title, "place": place, "price": price}),
    ]
    return json.dumps({A2UI_OPERATIONS_KEY: operations})


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if not turn.results:
        return call(
            "show_concert", title="Bach by candlelight", place="St Nicholas, Friday 20:00", price="24 €"
        )
    # What the user does on a surface comes as the result of a call.
    if turn.results[-1].text.startswith('User performed action "book"'):
        return "Your seat at *Bach by candlelight* is booked."
    return "There is one on Friday."


agent = create_agent(scripted(answer), [show_concert])
