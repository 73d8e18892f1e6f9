"""What is the matter where no answer comes, or one that is not a runtime's."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from .probe import Failure

_REFUSED = (
    "Pass them to this command with --header 'Authorization: Bearer …', and in the page with "
    "<CopilotKit headers={{ Authorization: … }}>."
)


def fault_of(error: httpx.HTTPError, url: str) -> Failure:
    """Returns why no answer came."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Failure(
                f"the TLS certificate of {place} is not trusted: {cause.verify_message}",
                "Browsers refuse it too: serve one for this host name with its whole chain. For an authority "
                "of your own, set SSL_CERT_FILE here and install it in the browser.",
            )
        if isinstance(cause, ssl.SSLError):
            return Failure(
                f"no TLS connection with {place}: {cause.reason or cause}",
                "If the server speaks plain HTTP, as in development, write http:// in the URL.",
            )
        if isinstance(cause, socket.gaierror):
            return Failure(
                f"there is no host {parts.hostname}", "Check the spelling, the DNS record, or the VPN."
            )
        if isinstance(cause, ConnectionRefusedError):
            return Failure(
                f"nothing listens at {place}",
                "Start the server, or correct the port. In a container it has to listen on 0.0.0.0, with the "
                "port published.",
            )
    if isinstance(error, httpx.ConnectTimeout):
        return Failure(
            f"{place} does not take the connection", "A firewall may drop it, or the host is down."
        )
    if isinstance(error, httpx.TimeoutException):
        return Failure(
            f"{place} took the request and sent no answer in time",
            "The server may be blocked by an agent's synchronous code, or a proxy holds the answer back.",
        )
    if isinstance(error, httpx.RemoteProtocolError):
        return Failure(
            f"{place} does not answer in HTTP: {error}",
            "If it speaks TLS, write https:// in the URL. Else another program listens there.",
        )
    return Failure(f"no answer from {place}: {error or type(error).__name__}", "Check the address.")


def check_refusals(response: httpx.Response, *, credentials: bool) -> None:
    """Passes what a runtime may have answered.

    Args:
        response: the answer.
        credentials: the request had some.

    Raises:
        Failure: something before the runtime has answered, or the runtime refuses all callers.
    """
    status = response.status_code
    if response.is_redirect:
        raise Failure(
            f"the URL redirects to {response.headers.get('location')}",
            "Give that URL to the page: a browser follows no redirect of a preflight, and a redirected POST "
            "may lose its body.",
        )
    if status in (401, 403, 407):
        raise Failure(
            f"the server {'refuses the credentials' if credentials else 'asks for credentials'} ({status})",
            "Check that they are valid and of this server." if credentials else _REFUSED,
        )
    if status == 421:
        raise Failure(
            "the server is not to be addressed by this host name (421)",
            f"Start it with --allowed-host {response.request.url.host}.",
        )
    if status == 413:
        raise Failure("the request is too large for a proxy (413)", "nginx: client_max_body_size.")
    if status == 429:
        raise Failure("the server has had too many requests (429)", "Wait, or raise the proxy's limit.")
    if status in (502, 503, 504):
        raise Failure(
            f"a proxy answers, and the server behind it does not ({status})",
            "Start the server, and check the address that the proxy passes requests to.",
        )


def json_of(response: httpx.Response, *, credentials: bool = False) -> Any:
    """Returns the JSON of an answer.

    Raises:
        Failure: it has none; or see `check_refusals`.
    """
    check_refusals(response, credentials=credentials)
    kind = response.headers.get("content-type", "")
    if "html" in kind:
        raise Failure(
            f"a web page comes instead of an answer ({response.status_code})",
            "A development server or a proxy answers for the runtime: route the URL's path, and all below "
            "it, to the runtime.",
        )
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise Failure(
            f"the answer is not JSON ({response.status_code}, {kind or 'no content type'})",
            "Something else than a runtime is at this URL.",
        ) from None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
