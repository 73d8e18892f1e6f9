import pytest

from copilotkit_runtime_py.protocols.graphql.executor.live import Deferred, LiveList


def test_a_closed_list_takes_no_more_items() -> None:
    numbers = LiveList([1], closed=True)

    with pytest.raises(RuntimeError, match="closed"):
        numbers.append(2)


def test_a_watcher_is_told_of_each_change_and_of_nothing_else() -> None:
    numbers: LiveList[int] = LiveList([1])
    seen: list[tuple[list[int], bool]] = []
    numbers.watch(lambda: seen.append((list(numbers.items), numbers.closed)))

    numbers.append(2)
    numbers.close()
    numbers.close()

    assert seen == [([1, 2], False), ([1, 2], True)]


def test_only_the_first_value_of_a_deferred_counts() -> None:
    deferred: Deferred[int] = Deferred()
    seen: list[int] = []
    deferred.watch(lambda: seen.append(deferred.value))

    deferred.set(1)
    deferred.set(2)

    assert (seen, deferred.value, deferred.done) == ([1], 1, True)
    assert Deferred.of(3).value == 3


def test_every_watcher_is_told() -> None:
    numbers: LiveList[int] = LiveList()
    seen: list[str] = []
    for name in "ab":
        numbers.watch(lambda name=name: seen.append(name))  # type: ignore[misc]

    numbers.append(1)

    assert seen == ["a", "b"]


def test_a_deferred_without_a_value_has_none_to_read() -> None:
    with pytest.raises(RuntimeError, match="not set"):
        _ = Deferred[int]().value
