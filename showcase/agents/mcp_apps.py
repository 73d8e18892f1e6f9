"""MCP Apps: a tool of an MCP server brings a user interface, which the page shows in a frame.

The server is `cinema.py`, the frame `cinema.html`. It is registered with
`mcp_servers=[MCPServer("cinema", url=..., agents=["mcp_apps"], apps=True)]`.
"""

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Call, Turn, call, scripted


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if turn.results:
        return "Choose your seats above, then press Reserve."
    if seats := turn.find(r"I have reserved (.+)\."):
        return f"Enjoy the film from {seats}!"
    return call("show_seats", film="Metropolis")


agent = ChatProvider(scripted(answer))
