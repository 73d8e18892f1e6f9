"""A stream that is resumed shows every event once."""

from hypothesis import given
from hypothesis import strategies as st

from copilotkit_runtime_py.providers.langgraph_platform.cursor import Cursor


def events_of(counts: list[int]) -> list[tuple[bytes, bytes]]:
    """Events in the order in which they happen: so many in each millisecond."""
    return [(b"%d-0" % ms, b"%d.%d" % (ms, n)) for ms, count in enumerate(counts, 8) for n in range(count)]


@given(
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=20),
    cuts=st.lists(st.integers(0, 12), max_size=6),
    overlaps=st.lists(st.integers(0, 5), min_size=6, max_size=6),
)
def test_each_event_passes_once_however_often_the_stream_breaks(
    counts: list[int], cuts: list[int], overlaps: list[int]
) -> None:
    everything, cursor, seen = events_of(counts), Cursor(), list[bytes]()
    start = 0
    for cut, overlap in zip([*cuts, len(everything)], [0, *overlaps], strict=False):
        # What happened while the stream was opened comes from the store, and again as it happens.
        live = min(max(start, len(seen)) + cut, len(everything))
        again = everything[max(start, live - overlap) : live]
        if again and again[0][0] == again[-1][0]:
            del again[:-1]  # of a whole millisecond that is repeated nobody can tell
        stream = [*everything[start:live], *again, *everything[live : live + cut]]
        seen += [data for id, data in stream if cursor.passes(id, data)]
        asked = cursor.rewind().encode()
        # The server compares ids, of which each stands for all events of a millisecond.
        start = next((i for i, (id, _) in enumerate(everything) if order(id) > order(asked)), len(everything))
    seen += [data for id, data in everything[start:] if cursor.passes(id, data)]

    assert seen == [data for _, data in everything]


def order(id: bytes) -> int:
    return -1 if id == b"-1" else int(id.partition(b"-")[0])


def test_events_without_ids_all_pass_and_the_stream_goes_on_with_the_next() -> None:
    cursor = Cursor()

    assert [cursor.passes(b"", b"same") for _ in range(3)] == [True] * 3
    assert cursor.rewind() == "-1"


def test_ids_of_another_form_are_told_apart_by_being_equal() -> None:
    cursor = Cursor()
    passed = [cursor.passes(id, id) for id in (b"abc", b"aaa", b"zzz")]

    assert passed == [True] * 3
    assert cursor.rewind() == "aaa"
    assert [cursor.passes(id, id) for id in (b"zzz", b"more")] == [False, True]
