"""A2UI with a layout that the model invents, of the components in the page's catalog.

The runtime offers `render_a2ui` to the model because the page brings a catalog. The surface grows on the
page while the model writes it.
"""

from typing import Any

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Call, Turn, call, scripted

COMPONENTS: list[dict[str, Any]] = [
    {"id": "root", "component": "Column", "children": ["title", "figures", "load"]},
    {"id": "title", "component": "Text", "variant": "h3", "text": "The shop today"},
    {"id": "figures", "component": "Row", "children": {"componentId": "figure", "path": "/figures"}},
    {
        "id": "figure",
        "component": "Metric",
        "label": {"path": "label"},
        "value": {"path": "value"},
        "trend": {"path": "trend"},
    },
    {"id": "load", "component": "Meter", "label": "Orders of the plan", "percent": 72},
]
DATA = {
    "figures": [
        {"label": "Revenue", "value": "12.4 k€", "trend": "up"},
        {"label": "Orders", "value": "318", "trend": "up"},
        {"label": "Returns", "value": "9", "trend": "down"},
    ]
}


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if turn.results:
        return "Revenue and orders are up; fewer customers send things back."
    return call("render_a2ui", surfaceId="dashboard", components=COMPONENTS, data=DATA)


agent = ChatProvider(scripted(answer, delay=0.02))
