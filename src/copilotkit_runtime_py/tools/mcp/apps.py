"""MCP Apps: tools of MCP servers that bring a user interface, shown in a frame of the page.

The frame asks its server for tools and resources through the runtime: as a run whose `forwardedProps` hold
`__proxiedMCPRequest`, and whose `RUN_FINISHED.result` is the answer (`@ag-ui/mcp-apps-middleware` 0.1.1).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Protocol

from mcp import McpError, types
from pydantic import AnyUrl

from ...agui.events import encode
from ...logs.records import get_logger
from .isolation import UI_SCHEME, isolated
from .session import ConnectionLostError

logger = get_logger(__name__)

ACTIVITY: Final = "mcp-apps"
EXTENSION: Final = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
"""The client capability by which a server offers tools with a user interface."""

_MAX_SHOWN: Final = 200
# A user interface is one document with all its scripts.
_MAX_BYTES: Final = 16 * 1024 * 1024
_FAILED: Final = {"error": "MCP request failed"}


class AppServer(Protocol):
    """A server with tools that may bring a user interface."""

    name: str
    hash: str | None

    async def app_tools(self) -> Collection[types.Tool]:
        """Returns the tools that frames may call."""

    async def call_raw(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Calls a tool and returns the whole result."""

    async def read_resource(self, uri: AnyUrl) -> types.ReadResourceResult:
        """Reads a resource."""

    async def ping(self) -> None:
        """Asks whether the server is there."""


def server_hash(transport: str, url: str) -> str:
    """Returns the name by which frames know a server without its URL.

    It is the MD5 hash of the configuration as `JSON.stringify` writes it, headers excluded.
    """
    text = json.dumps({"type": transport, "url": url}, separators=(",", ":"), ensure_ascii=False)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def resource_uri(tool: types.Tool) -> str | None:
    """Returns the URI of a tool's user interface, if it brings one. Its scheme has to be `ui`."""
    meta = tool.meta or {}
    ui = meta.get("ui")
    uri = ui.get("resourceUri") if isinstance(ui, Mapping) else None
    uri = uri or meta.get("ui/resourceUri")
    return uri if isinstance(uri, str) and uri.startswith(UI_SCHEME) else None


def is_visible_to(tool: types.Tool, audience: str) -> bool:
    """Whether a tool is for `model` or `app`. Without `_meta.ui.visibility` it is for both."""
    ui = (tool.meta or {}).get("ui")
    visibility = ui.get("visibility") if isinstance(ui, Mapping) else None
    return audience in visibility if isinstance(visibility, list) else True


def activity_content(
    server: AppServer, uri: str, arguments: dict[str, Any], result: types.CallToolResult
) -> dict[str, Any]:
    """Returns the content of the activity that shows a tool's user interface."""
    content: dict[str, Any] = {
        "result": _json(result),
        "resourceUri": uri,
        "serverId": server.name,
        "toolInput": arguments,
    }
    if server.hash is not None:
        content["serverHash"] = server.hash
    return content


async def answer(servers: Iterable[AppServer], request: Mapping[str, Any]) -> Any:
    """Answers the request of a frame. A failure is an answer too: `{"error": message}`.

    Args:
        servers: the servers that the frame may ask.
        request: `{"serverHash", "serverId"?, "method", "params"?}`, as the page sent it.
    """
    server = _server_of(list(servers), request)
    if server is None:
        return {"error": f"Unknown server: {_shown(request.get('serverId') or request.get('serverHash'))}"}
    method, params = request.get("method"), request.get("params")
    params = params if isinstance(params, dict) else {}
    try:
        if method == "tools/call":
            return await _call_tool(server, params)
        if method == "resources/read":
            uri = AnyUrl(str(params.get("uri")))
            return await asyncio.to_thread(_document, await server.read_resource(uri), str(uri))
        if method == "ping":
            await server.ping()
            return {}
    except (McpError, ConnectionLostError, ValueError) as error:
        logger.warning("the MCP server %s did not answer %s of a frame: %r", server.name, method, error)
        return _FAILED
    if method == "notifications/message":
        logger.debug("a frame of the MCP server %s logged: %s", server.name, params.get("data"))
        return {"success": True}
    return {"error": f"MCP method not allowed for UI proxy: {_shown(method)}"}


async def _call_tool(server: AppServer, params: Mapping[str, Any]) -> Any:
    name, arguments = params.get("name"), params.get("arguments")
    if not any(tool.name == name for tool in await server.app_tools()):
        return {"error": f"Unknown tool: {_shown(name)}"}
    result = await server.call_raw(str(name), arguments if isinstance(arguments, dict) else {})
    return await asyncio.to_thread(lambda: _bounded(_json(result)))


def _document(resource: types.ReadResourceResult, uri: str) -> Any:
    return _bounded(isolated(_json(resource), uri))


def _bounded(result: Any) -> Any:
    if len(encode(result)) > _MAX_BYTES:
        return {"error": f"The server's answer exceeds {_MAX_BYTES // 2**20} MiB."}
    return result


def _shown(value: Any) -> str:
    """Returns what a page sent, as an error repeats it."""
    return str(value)[:_MAX_SHOWN]


def _server_of(servers: list[AppServer], request: Mapping[str, Any]) -> AppServer | None:
    id, hash = request.get("serverId"), request.get("serverHash")
    by_id = next((server for server in servers if id and server.name == id), None)
    by_hash = next((server for server in servers if hash and server.hash == hash), None)
    return by_id or by_hash


def _json(result: types.CallToolResult | types.ReadResourceResult) -> Any:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)
