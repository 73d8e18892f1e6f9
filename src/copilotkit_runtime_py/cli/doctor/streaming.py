"""Whether an answer arrives piece by piece, or is held back by something in between."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from urllib.parse import quote

import httpx

from .agui import agent_of, connect_path, run_input
from .faults import check_refusals
from .findings import Check
from .graphql import chat
from .probe import Failure, Probe, Skipped

OPEN_SECONDS = 5.0
RUN_SECONDS = 60.0
SHORT_SECONDS = 0.3
_NOT_MEASURED = "not measured: --run 'Hello' has the agent answer, with its model"
_CURE = (
    "Have the proxy pass streams on as they come. nginx: proxy_buffering off (it obeys the server's "
    "X-Accel-Buffering: no unless proxy_ignore_headers says otherwise); Apache: flushpackets=on; others: "
    "switch off response buffering, caching and virus scanning for this path."
)
_UNPACKED = (
    "Do not compress text/event-stream and multipart/mixed: leave them out of nginx's gzip_types, set "
    "compress: false in Next.js and in development proxies."
)


def compression(probe: Probe) -> str:
    """Streams are not compressed."""
    with probe.stream("POST", connect_path(probe), run_input()) as response:
        check_refusals(response, credentials=bool(probe.headers))
        if not _is_stream(response):
            raise Skipped("there is no stream to look at")
        encoding = response.headers.get("content-encoding", "identity")
        if encoding not in ("identity", "none"):  # the latter from CopilotKit's own runtime
            raise Failure(f"streams are compressed ({encoding}), which can hold pieces back", _UNPACKED)
        if "no-transform" not in response.headers.get("cache-control", ""):
            return "not compressed"
    return "not compressed, and marked not to be transformed"


def events(probe: Probe) -> str:
    """What the server sends arrives while the stream is open."""
    if probe.message is not None:
        return _of_a_run(probe, probe.message)
    try:
        with probe.stream("GET", "/cpk-debug-events", seconds=OPEN_SECONDS) as response:
            if not _is_stream(response):
                raise Skipped(_NOT_MEASURED)
            next(response.iter_raw())
    except httpx.ReadTimeout:
        raise Failure(f"nothing of an open stream arrived in {OPEN_SECONDS:.0f} s", _CURE) from None
    except StopIteration:
        raise Skipped("not measured: the server's stream of events ended at once") from None
    return "the first piece of an open stream arrived"


def parts(probe: Probe) -> str:
    """The parts of a GraphQL answer arrive while the agent answers."""
    if probe.message is None:
        raise Skipped(_NOT_MEASURED)
    body = chat(probe, probe.message, run=True)
    return _measured(
        probe.stream("POST", "", body, accept="multipart/mixed", seconds=_patience(probe)), probe
    )


GRAPHQL_CHECKS = (Check("parts", parts),)
REST_CHECKS = (Check("compression", compression), Check("events", events))


def _of_a_run(probe: Probe, message: str) -> str:
    path = f"/agent/{quote(agent_of(probe), safe='')}/run"
    return _measured(probe.stream("POST", path, run_input(message), seconds=_patience(probe)), probe)


def _is_stream(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "")
    return response.status_code == 200 and kind.startswith("text/event-stream")


def _patience(probe: Probe) -> float:
    return max(probe.seconds, RUN_SECONDS)


def _measured(stream: AbstractContextManager[httpx.Response], probe: Probe) -> str:
    began = time.monotonic()
    with stream as response:
        check_refusals(response, credentials=bool(probe.headers))
        if response.status_code != 200:
            raise Failure(f"the agent's run is refused ({response.status_code})", "See the server's log.")
        if "content-length" in response.headers:
            raise Failure("a stream comes with a content-length: a proxy collects it first", _CURE)
        times = [time.monotonic() - began for _ in response.iter_raw()]
    if not times:
        raise Failure("the answer to a run is empty", "See the server's log.")
    first, last = times[0], times[-1]
    # The runtime answers at once that a run has started, however long the agent thinks.
    if last >= SHORT_SECONDS and first > 0.9 * last:
        raise Failure(f"the whole answer arrived at once, after {last:.1f} s", _CURE)
    if last < SHORT_SECONDS and len(times) == 1:
        raise Skipped(f"the agent answered too fast to measure: in {last * 1000:.0f} ms")
    return f"{len(times)} pieces, the first after {first * 1000:.0f} ms, the last after {last:.1f} s"
