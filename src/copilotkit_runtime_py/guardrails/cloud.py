"""Guardrails by CopilotKit Cloud's protocol."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

import httpx
import orjson

from ..agui.events import encode
from .base import GuardrailInput, Verdict

CLOUD_URL: Final = "https://api.cloud.copilotkit.ai"
_MAX_ANSWER_BYTES: Final = 64 * 1024
# Below the 5 seconds after which uvicorn and Node close an idle connection.
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=4.0)


class CloudValidator:
    """Asks a server that speaks CopilotKit Cloud's protocol: `POST <base_url>/guardrails/validate`.

    The key goes to that server and nowhere else: no redirect is followed, no proxy taken from the
    environment. A key that a frontend sends is not used.

    Args:
        api_key: the public key, sent as `X-CopilotCloud-Public-API-Key`.
        base_url: where the server is.

    Raises:
        ValueError: the URL is not http(s), or holds credentials, or the key cannot stand in a header.
    """

    def __init__(self, api_key: str, *, base_url: str = CLOUD_URL) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise ValueError(f"'{url.copy_with(userinfo=b'')}' must be an http(s) URL without credentials")
        if not api_key.isascii() or not api_key.isprintable():
            raise ValueError("the key has characters that cannot stand in a header")
        self._url = f"{base_url.rstrip('/')}/guardrails/validate"
        self._headers = {
            "content-type": "application/json",
            "x-copilotcloud-public-api-key": api_key,
            "accept-encoding": "identity",
            "user-agent": "copilotkit-runtime-py",
        }
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def validate(self, input: GuardrailInput) -> Verdict:
        """Returns the server's verdict.

        Raises:
            httpx.HTTPError: the server cannot be reached.
            ValueError: its answer is none.
        """
        body = {
            "input": input.text,
            "validTopics": input.allow,
            "invalidTopics": input.deny,
            "messages": [{"role": each.role, "content": each.content} for each in input.history],
        }
        async with self._client().stream(
            "POST", self._url, content=encode(body), headers=self._headers
        ) as response:
            if response.status_code != 200:
                raise ValueError(f"the guardrails server answered with HTTP {response.status_code}")
            return _verdict(await _read(response))

    async def aclose(self) -> None:
        """Closes the connections. The validator can still be used, and connects anew."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        """The client of the running loop, since connections cannot change loops."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            # `Guardrails` bounds the whole of a verdict.
            client = httpx.AsyncClient(limits=_LIMITS, timeout=None, follow_redirects=False, trust_env=False)
            self._clients[loop] = client
        return client


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MAX_ANSWER_BYTES:
            raise ValueError(f"the guardrails server answered with more than {_MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _verdict(body: bytes) -> Verdict:
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("the guardrails server answered with no JSON") from None
    status = answer.get("status") if isinstance(answer, dict) else None
    if status not in ("allowed", "denied"):
        raise ValueError("the guardrails server answered with no verdict")
    reason = answer.get("reason")
    return Verdict(allowed=status == "allowed", reason=reason if isinstance(reason, str) else "")
