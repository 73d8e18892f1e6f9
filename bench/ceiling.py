"""The ceiling: a bare ASGI application that sends frames of the size of ours, and does nothing else.

The path says how many; each frame is one `send`, with a turn of the event loop before it.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

FRAME = b"x" * 206


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    frames = int(scope["path"].strip("/"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(frames):
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": FRAME, "more_body": True})
    await send({"type": "http.response.body", "body": b'"hasNext":false', "more_body": False})
