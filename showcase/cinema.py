"""A small MCP server with a user interface: the seats of a cinema."""

from __future__ import annotations

from pathlib import Path

from mcp.server.fastmcp import FastMCP

FRAME = "ui://cinema/seats.html"


def make_server() -> FastMCP:
    """Returns the server, with seats of its own."""
    server = FastMCP("cinema", stateless_http=True, log_level="WARNING")
    taken = {"A2", "A3", "B5", "C1"}

    @server.tool(meta={"ui": {"resourceUri": FRAME}})
    def show_seats(film: str) -> dict[str, object]:
        """Show the seats for a film, from which the user chooses."""
        return {"film": film, "taken": sorted(taken)}

    # The frame may call this tool, the model may not.
    @server.tool(meta={"ui": {"visibility": ["app"]}})
    def reserve(seats: list[str]) -> dict[str, object]:
        """Reserve seats."""
        if already := sorted(taken.intersection(seats)):
            raise ValueError(f"already taken: {', '.join(already)}")
        taken.update(seats)
        return {"reserved": seats}

    @server.resource(FRAME, mime_type="text/html;profile=mcp-app")
    def frame() -> str:
        return Path(__file__).with_name("cinema.html").read_text(encoding="utf-8")

    return server
