import json

import pytest

from copilotkit_runtime_py.agui.events import encode
from copilotkit_runtime_py.protocols.graphql.multipart import Encoder, MultipartEncoder, SSEEncoder


def encoded(encoder: Encoder, *payloads: object) -> bytes:
    return b"".join([encoder.start(), *map(encoder.part, payloads), encoder.end()])


def test_multipart_is_what_graphql_yoga_sends() -> None:
    first = {"data": {"generateCopilotResponse": {"messages": []}}, "hasNext": True}

    assert MultipartEncoder().media_type == 'multipart/mixed; boundary="-"'
    assert encoded(MultipartEncoder(), first, {"hasNext": False}) == (
        b"\r\n---"
        b"\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 67\r\n\r\n"
        b'{"data":{"generateCopilotResponse":{"messages":[]}},"hasNext":true}\r\n---'
        b"\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 17\r\n\r\n"
        b'{"hasNext":false}\r\n-----\r\n'
    )


def test_each_part_carries_the_delimiter_that_ends_it() -> None:
    assert MultipartEncoder().part({}).endswith(b"{}\r\n---")


def test_the_content_length_counts_bytes() -> None:
    assert b"Content-Length: 6\r\n" in MultipartEncoder().part("äö")


def test_a_heartbeat_is_a_part_that_says_nothing() -> None:
    assert MultipartEncoder().heartbeat() == MultipartEncoder().part({"hasNext": True})


def test_server_sent_events_are_what_graphql_yoga_sends() -> None:
    assert SSEEncoder().media_type == "text/event-stream"
    assert encoded(SSEEncoder(), {"data": {"hello": "Hello\r\nWorld"}}) == (
        b':\n\nevent: next\ndata: {"data":{"hello":"Hello\\r\\nWorld"}}\n\nevent: complete\ndata:\n\n'
    )
    assert SSEEncoder().heartbeat() == b":\n\n"


@pytest.mark.parametrize("value", ["\ud83d", {"text": ["a\udc00", "ä"]}, 2**70, {"n": -(2**64)}, {1: "one"}])
def test_what_a_strict_encoder_refuses_is_encoded_as_javascript_would(value: object) -> None:
    assert json.loads(encode(value)) == json.loads(json.dumps(value))
