"""Whether a browser lets a page of another origin use the runtime (Fetch standard, section 3.2 "CORS")."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from ...app.hosts import is_loopback
from .findings import Check
from .graphql import CLIENT_VERSION
from .probe import Failure, Probe, Skipped

_ALLOW = "access-control-allow-origin"
_CLIENT_VERSION = "x-copilotkit-runtime-client-gql-version"


def mixed_content(probe: Probe) -> str:
    """The page may call this scheme."""
    page, url = urlsplit(_origin(probe)), urlsplit(probe.url)
    if page.scheme == "https" and url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise Failure(
            "a page that came by https may not call http (mixed content)", "Serve the runtime by https."
        )
    return f"{page.scheme} may call {url.scheme}"


def preflight(probe: Probe) -> str:
    """The browser's question before a chat message is answered with yes."""
    names = ["content-type", _CLIENT_VERSION, *(name.lower() for name, _ in probe.headers)]
    _ask(probe, "", "POST", names)
    return f"{_origin(probe)} may POST with {', '.join(names)}"


def thread_preflight(probe: Probe) -> str:
    """The browser's questions before threads are renamed and deleted are answered with yes."""
    for method in ("PATCH", "DELETE"):
        _ask(probe, "/threads/doctor", method, ["content-type"])
    return f"{_origin(probe)} may PATCH and DELETE"


def answer(probe: Probe) -> str:
    """The browser shows the answer to the page."""
    response = probe.post({"query": "{ hello }"}, origin=_origin(probe), **{_CLIENT_VERSION: CLIENT_VERSION})
    _check_origin(response, probe)
    allowed = response.headers.get("access-control-allow-credentials") == "true"
    return f"the page sees it, {'with' if allowed else 'without'} cookies"


CHECKS = (
    Check("mixed content", mixed_content),
    Check("preflight", preflight),
    Check("answer", answer),
)
REST_CHECKS = (Check("preflight of /threads", thread_preflight),)


def _origin(probe: Probe) -> str:
    if probe.origin is None:
        raise Skipped("which page asks? Name its origin with --origin https://app.example.com")
    own = urlsplit(probe.url)
    if probe.origin == f"{own.scheme}://{own.netloc.rpartition('@')[2]}":
        raise Skipped("the page is of the server's own origin, and needs no leave")
    return probe.origin


def _ask(probe: Probe, path: str, method: str, names: list[str]) -> None:
    origin = _origin(probe)
    response = probe.options(
        path,
        origin=origin,
        access_control_request_method=method,
        access_control_request_headers=",".join(names),
    )
    if response.status_code in (401, 403) and _ALLOW not in response.headers:
        raise Failure(
            f"the preflight is asked for credentials ({response.status_code}), which browsers leave out",
            "Let OPTIONS through before authentication: CORS middleware goes outside of it.",
        )
    if response.is_redirect:
        raise Failure(
            f"the preflight is redirected to {response.headers.get('location')}",
            "Give that URL to the page: browsers follow no redirect of a preflight.",
        )
    _check_origin(response, probe)
    if not response.is_success:
        raise Failure(f"the preflight is refused ({response.status_code})", "Answer OPTIONS with 200 or 204.")
    _check_method(response, method)
    _check_names(response, names)


def _check_origin(response: httpx.Response, probe: Probe) -> None:
    origin = _origin(probe)
    allowed = response.headers.get_list(_ALLOW, split_commas=True)
    if not allowed:
        raise Failure(
            f"pages of {origin} are not let in: there is no {_ALLOW} header",
            f"Start the server with --cors {origin}, or add CORSMiddleware to your app. If it is there "
            "already, a proxy drops the header.",
        )
    if len(allowed) > 1:
        raise Failure(
            f"{_ALLOW} is there {len(allowed)} times, and browsers accept one",
            "Both the server and a proxy add it: leave it to one of them.",
        )
    if allowed[0] not in ("*", origin):
        raise Failure(
            f"pages of {allowed[0]} are let in, not those of {origin}",
            f"Start the server with --cors {origin}.",
        )


def _check_method(response: httpx.Response, method: str) -> None:
    allowed = response.headers.get_list("access-control-allow-methods", split_commas=True)
    if method not in ("GET", "POST") and method not in allowed and "*" not in allowed:
        raise Failure(f"{method} is not among the methods allowed", f"Add {method} to allow_methods.")


def _check_names(response: httpx.Response, names: list[str]) -> None:
    allowed = {
        name.lower() for name in response.headers.get_list("access-control-allow-headers", split_commas=True)
    }
    # The wildcard does not stand for Authorization.
    missing = [
        name for name in names if name not in allowed and ("*" not in allowed or name == "authorization")
    ]
    if missing:
        raise Failure(
            f"the page may not send the headers {', '.join(missing)}", "Add them to allow_headers by name."
        )
