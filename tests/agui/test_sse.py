import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py.agui.sse import KEEP_ALIVE, EventStreamParser, EventTooLargeError, encode

LIMIT = 1 << 20


def parse(*chunks: bytes, limit: int = LIMIT) -> list[bytes]:
    parser = EventStreamParser(limit)
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + list(parser.finish())


def at_every_split(stream: bytes) -> list[list[bytes]]:
    """What is parsed of the stream byte by byte, and in two pieces cut at every place."""
    pieces = [stream[i : i + 1] for i in range(len(stream))]
    return [parse(*pieces), *(parse(stream[:i], stream[i:]) for i in range(len(stream) + 1))]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_separates_events_however_the_stream_is_cut(line_end: bytes) -> None:
    stream = line_end.join([b"data: one", b"", b"data: two", b"", b""])
    for parsed in at_every_split(stream):
        assert parsed == [b"one", b"two"]


def test_line_ends_may_be_mixed() -> None:
    for parsed in at_every_split(b"data: one\r\n\rdata: two\n\r\ndata: three\r\r"):
        assert parsed == [b"one", b"two", b"three"]


def test_the_lines_of_one_event_are_joined_with_lf() -> None:
    for parsed in at_every_split(b'data: {"a":\r\ndata:  1\r\ndata:}\r\n\r\n'):
        assert parsed == [b'{"a":\n 1\n}']


def test_comments_and_other_fields_are_passed_over() -> None:
    stream = (
        b": ping\nevent: x\nid: 1\nretry: 5\ndata: one\n: in between\nunknown\n\n:\n\nid: 2\n\ndata: two\n\n"
    )
    assert parse(stream) == [b"one", b"two"]


def test_only_one_space_after_the_colon_belongs_to_the_format() -> None:
    assert parse(b"data:none\n\ndata:  two\n\ndata:\n\ndata\n\n") == [b"none", b" two", b"", b""]


def test_a_byte_order_mark_is_no_part_of_the_first_line_and_of_no_other() -> None:
    for parsed in at_every_split(b"\xef\xbb\xbfdata: one\n\n\xef\xbb\xbfdata: two\n\ndata: \xef\xbb\xbf\n\n"):
        assert parsed == [b"one", b"\xef\xbb\xbf"]


def test_the_last_event_needs_no_blank_line() -> None:
    for parsed in at_every_split(b"data: one\n\ndata: two"):
        assert parsed == [b"one", b"two"]
    assert parse(b"data: one\n") == [b"one"]
    assert parse() == []


def test_an_event_is_out_as_soon_as_its_blank_line_is_in() -> None:
    parser = EventStreamParser(LIMIT)
    assert list(parser.feed(b"data: one\r\n\r")) == [b"one"]
    assert list(parser.feed(b"\ndata: two\n")) == []
    assert list(parser.feed(b"\n")) == [b"two"]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 101 + b"\n\n",
        b"data: " + b"x" * 60 + b"\ndata: " + b"x" * 60 + b"\n\n",
        b"data\n" * 101,
        b": " + b"x" * 120,
    ],
    ids=["one line", "two lines", "empty lines", "unfinished comment"],
)
def test_an_event_beyond_the_limit_is_refused_after_those_before_it(stream: bytes) -> None:
    parser = EventStreamParser(100)
    events = parser.feed(b"data: " + b"y" * 99 + b"\n\n" + stream)
    assert next(events) == b"y" * 99
    with pytest.raises(EventTooLargeError):
        list(events)


def test_a_long_line_in_many_pieces_is_refused_at_the_limit() -> None:
    parser = EventStreamParser(100)
    for _ in range(100):
        assert list(parser.feed(b"x")) == []
    with pytest.raises(EventTooLargeError):
        list(parser.feed(b"x"))


def test_comments_do_not_count_towards_the_limit() -> None:
    assert parse(b"data: one\n" + b": ping\n" * 100 + b"\n", limit=10) == [b"one"]


@given(payloads=st.lists(st.text(alphabet=st.characters(codec="utf-8")), max_size=5), data=st.data())
def test_what_is_encoded_is_parsed_again(payloads: list[str], data: st.DataObject) -> None:
    stream = b"".join(encode(payload.encode()) + KEEP_ALIVE for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    lines = [payload.replace("\r\n", "\n").replace("\r", "\n").encode() for payload in payloads]
    assert parse(*chunks) == lines


def test_a_frame_carries_name_id_and_every_line_of_the_payload() -> None:
    assert encode(b'{"a":1}') == b'data: {"a":1}\n\n'
    assert encode(b"a\r\nb\rc\nd", event="next", id="7") == (
        b"event: next\nid: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
    )
    assert encode("\u2028\0".encode()) == b"data: \xe2\x80\xa8\0\n\n"


@pytest.mark.parametrize("value", ["1\n", "1\r", "1\0", "1\ndata: forged"])
def test_a_name_or_id_cannot_carry_a_line_end(value: str) -> None:
    with pytest.raises(ValueError, match="server-sent event"):
        encode(b"{}", id=value)
    with pytest.raises(ValueError, match="server-sent event"):
        encode(b"{}", event=value)


def test_the_parser_has_the_name_and_the_id_of_the_event_that_it_yields() -> None:
    stream = b"event: first\r\ndata: 1\r\nid: 5-0\r\n\r\ndata: 2\n\nevent:third\nid:5-1\ndata: 3\n\n"
    for size in range(1, len(stream) + 1):
        parser = EventStreamParser(LIMIT)
        chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
        found = [(data, parser.name, parser.id) for chunk in chunks for data in parser.feed(chunk)]

        assert found == [(b"1", b"first", b"5-0"), (b"2", b"", b"5-0"), (b"3", b"third", b"5-1")]
