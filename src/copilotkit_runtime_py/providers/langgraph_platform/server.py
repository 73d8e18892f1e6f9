"""Calls to a LangGraph server: their headers, retries and errors."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

import httpx
import orjson
from langgraph_sdk.client import LangGraphClient

from ... import telemetry
from ...backoff import pause_after
from ...context import RequestContext
from ...errors import AgentError
from ...logs.records import get_logger
from ...logs.redaction import redact, secrets_in
from ..address import checked_address

logger = get_logger(__name__)

T = TypeVar("T")

FAULT: Final = "INCOMPLETE_STREAM"
"""The code of every fault of the server, which CopilotKit's own runtime uses for a failing agent."""

ATTEMPTS: Final = 4
"""How often a call is made that fails because the server is unavailable or overloaded."""

_RETRIED: Final = frozenset({429, 502, 503, 504})
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
_MAX_DETAIL: Final = 2048
_KEY_HEADER: Final = "x-api-key"
# As `langgraph-sdk` looks for it.
_KEY_VARIABLES: Final = ("LANGGRAPH_API_KEY", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")

# Below the 5 seconds after which uvicorn and Node close an idle connection.
_KEEP_ALIVE_SECONDS: Final = 4.0
_IDLE_CONNECTIONS: Final = 20
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 30.0


class Server:
    """A LangGraph server.

    No cookie is stored or sent, no redirect followed, and no proxy or `.netrc` taken from the environment:
    one user's credentials never reach another host or another user's run.

    Args:
        url: its base URL.
        api_key: sent as `x-api-key`. None: the key in `LANGGRAPH_API_KEY`, `LANGSMITH_API_KEY` or
            `LANGCHAIN_API_KEY`, if there is one.
        headers: sent with every request. They win over those of the caller.
        client: the client to use, instead of all this.

    Raises:
        ValueError: the URL is not http(s), or holds credentials.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        headers: Mapping[str, str],
        client: LangGraphClient | None = None,
    ) -> None:
        self.url = str(checked_address(url)).rstrip("/")
        key = api_key if api_key is not None else _key_in_environment()
        self._headers = {name.lower(): value for name, value in headers.items()}
        if key:
            self._headers.setdefault(_KEY_HEADER, key)
        self._given = client
        if client is not None:
            client.http.client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, LangGraphClient] = WeakKeyDictionary()

    @property
    def client(self) -> LangGraphClient:
        """The SDK's client for the running loop."""
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = LangGraphClient(self._http_client())
        return client

    @property
    def http(self) -> httpx.AsyncClient:
        """The HTTP client of the SDK's."""
        return self.client.http.client

    def headers(self, context: RequestContext) -> dict[str, str]:
        """Returns the headers that the caller's request passes on. The API key is never the caller's."""
        own = self._headers.keys() | {_KEY_HEADER}
        headers = {name: value for name, value in context.headers.items() if name not in own}
        telemetry.inject(headers)
        return headers

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Makes a call that may be repeated, until it succeeds.

        Raises:
            AgentError: the server refuses, or cannot be reached.
        """
        for attempt in range(ATTEMPTS):
            try:
                return await call()
            except httpx.HTTPError as error:
                if attempt + 1 == ATTEMPTS or not is_passing(error):
                    raise self.fault(error) from error
                await asyncio.sleep(pause_before_retry(error, attempt))
        raise AssertionError

    def fault(self, error: httpx.HTTPError) -> AgentError:
        """Returns an error of a call as the client may see it."""
        if isinstance(error, httpx.HTTPStatusError):
            status = error.response.status_code
            words = f"HTTP {status}: {redact(_detail(error.response), secrets_in(self._headers))}"
            logger.warning("the LangGraph server %s answered %s", self.url, words)
            return AgentError(words, FAULT, status_code=status)
        logger.warning("the LangGraph server %s cannot be reached: %r", self.url, error)
        return AgentError("The LangGraph server cannot be reached.", FAULT, status_code=502)

    async def aclose(self) -> None:
        """Closes the connections of the running loop. The next call connects anew."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _http_client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(
            max_connections=None,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
        )
        client = httpx.AsyncClient(
            base_url=self.url,
            headers={"user-agent": "copilotkit-runtime-py", **self._headers},
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            limits=limits,
            trust_env=False,
            verify=_ssl_context() if self.url.startswith("https:") else True,
        )
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client


def is_passing(error: httpx.HTTPError) -> bool:
    """Whether a call that failed may succeed a moment later."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _RETRIED
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def may_have_arrived(error: httpx.HTTPError) -> bool:
    """Whether the server may have acted on a call that failed."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def pause_before_retry(error: httpx.HTTPError, attempt: int) -> float:
    """Returns how many seconds to wait, which the server may name, before a call is repeated.

    Args:
        error: why it failed.
        attempt: how often it had failed before.
    """
    pause = pause_after(attempt, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
    if isinstance(error, httpx.HTTPStatusError):
        asked = error.response.headers.get("retry-after", "")
        if asked.isdecimal():
            return min(max(pause, float(asked)), _LONGEST_PAUSE)
    return pause


def _detail(response: httpx.Response) -> str:
    """Returns the error text of a response: LangGraph's servers have it in `detail`."""
    text = response.text[:_MAX_DETAIL]
    with contextlib.suppress(orjson.JSONDecodeError):
        body = orjson.loads(response.content)
        found = (body.get(key) for key in ("detail", "message", "error")) if isinstance(body, dict) else ()
        text = next((each for each in found if isinstance(each, str)), text)[:_MAX_DETAIL]
    return text or response.reason_phrase


def _key_in_environment() -> str | None:
    values = (os.environ.get(name, "").strip().strip("'\"") for name in _KEY_VARIABLES)
    return next((value for value in values if value), None)


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
