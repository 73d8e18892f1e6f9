"""A response of server-sent events is read as the AG-UI client reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilotkit_runtime_py.agui.sse import EventStreamParser
from tests.clients_agui.oracles import Oracles
from tests.examples import examples

pytestmark = pytest.mark.clients

TEXT = st.text(st.sampled_from('a :é😀"\\{}[],\u2028\u0000\t'), max_size=6)
PAYLOAD = st.dictionaries(TEXT, TEXT | st.integers(-9, 9) | st.none(), max_size=3)
# Fields that carry no data. `data` without a colon is left out: the client ignores it, against the standard.
OTHER = st.sampled_from(
    [":", ": keep-alive", "event: x", "id: 7", "retry: 5", "datas: 1", " data: 2", "junk"]
)


@st.composite
def an_event(draw: st.DrawFn) -> str:
    """The lines of one event, and the blank line after it."""
    indent, ascii = draw(st.sampled_from([None, 1])), draw(st.booleans())
    payload = json.dumps(draw(PAYLOAD), indent=indent, ensure_ascii=ascii)
    if draw(st.integers(0, 15)) == 0:
        payload = payload[:-1]  # not JSON any more
    lines = [f"data:{draw(st.sampled_from(['', ' ']))}{line}" for line in payload.split("\n")]
    for other in draw(st.lists(OTHER, max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), other)
    return "\n".join(lines) + draw(st.sampled_from(["\n\n", "\n\n", "\n\n\n", "\n\n\n\n"]))


@st.composite
def a_body(draw: st.DrawFn) -> str:
    """A response: events and comments, cut off anywhere in one of two cases."""
    start = draw(st.sampled_from(["", "\ufeff", ": hello\n\n", "\n"]))
    body = start + "".join(draw(st.lists(an_event(), max_size=5)))
    if draw(st.booleans()):
        body = body[: draw(st.integers(0, len(body)))]
    return f"{body}:" if body.endswith("data") else body


@st.composite
def in_pieces(draw: st.DrawFn, body: bytes) -> list[bytes]:
    """The bytes as they may come over a network."""
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def read(pieces: list[bytes]) -> dict[str, Any]:
    """What the runtime reads, up to the first event that is not JSON."""
    parser = EventStreamParser(1 << 20)
    data = [event for piece in pieces for event in parser.feed(piece)] + list(parser.finish())
    events: list[Any] = []
    for each in data:
        try:
            events.append(json.loads(each))
        except ValueError:
            return {"events": events, "failed": True}
    return {"events": events, "failed": False}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("version", ["1.0.0", "0.0.59"])
@settings(
    max_examples=examples(50),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), bodies=st.lists(a_body(), min_size=5, max_size=20))
def test_a_body_is_read_as_in_the_client_whatever_its_line_ends_and_pieces(
    oracles: Oracles, version: str, data: st.DataObject, bodies: list[str]
) -> None:
    pieces = [data.draw(in_pieces(body.encode())) for body in bodies]
    for body, sent, answer in zip(bodies, pieces, oracles.frames(version, pieces), strict=True):
        assert read(sent) == answer, body
        for line_end in ("\r\n", "\r"):
            other = data.draw(in_pieces(body.replace("\n", line_end).encode()))
            assert read(other) == answer, (body, line_end)
