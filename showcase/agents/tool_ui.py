"""Tool-based generative UI: the model calls a tool of the page, whose arguments become a component.

A plain chat model is enough for that; there is no graph.
"""

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Call, Turn, call, scripted

SALES = {"Jan": 31, "Feb": 28, "Mar": 42, "Apr": 47, "May": 58, "Jun": 66}


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if turn.results:
        return "The second quarter sold **70 % more** than the first."
    bars = [{"label": month, "value": value} for month, value in SALES.items()]
    return call("show_chart", title="Sales of the first half-year", unit="k€", bars=bars)


agent = ChatProvider(scripted(answer), instructions="You analyse the shop's sales.")
