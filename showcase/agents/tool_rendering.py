"""Tool rendering: the tool runs on the server, and its call and its result reach the page."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool

from ..scripted import Call, Turn, call, scripted

WEATHER = {"lisbon": ("sun", 24, 12), "oslo": ("rain", 9, 31), "cairo": ("sun", 33, 8)}


@tool
def get_weather(place: str) -> dict[str, Any]:
    """Look up the weather in a place."""
    sky, degrees, wind = WEATHER.get(place.lower(), ("cloud", 17, 20))
    return {"place": place, "sky": sky, "degrees": degrees, "wind": wind}


def answer(turn: Turn) -> str | list[Call]:
    """What a real model would come up with by itself."""
    if turn.results:
        return "It is warmer in the south today." if len(turn.results) > 1 else "Enjoy it while it lasts."
    places = [place for place in WEATHER if place in turn.asked.lower()]
    return [call("get_weather", place=place.title()) for place in places or ["Bremen"]]


agent = create_agent(scripted(answer), [get_weather])
