import asyncio

import pytest

from copilotkit_runtime_py.protocols.graphql.live import Deferred, LiveList


@pytest.mark.anyio
async def test_every_reader_of_a_list_sees_every_item() -> None:
    numbers = LiveList([1])

    async def read() -> list[int]:
        return [number async for number in numbers]

    early = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.sleep(0)
    numbers.append(2)
    await asyncio.sleep(0)
    numbers.append(3)
    numbers.close()

    assert [await reader for reader in early] == [[1, 2, 3], [1, 2, 3]]
    assert await read() == [1, 2, 3]


@pytest.mark.anyio
async def test_a_reader_that_leaves_is_forgotten() -> None:
    numbers = LiveList([1])
    reader = numbers.__aiter__()
    assert await anext(reader) == 1

    await reader.aclose()  # type: ignore[attr-defined]

    assert numbers._watchers == []


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


@pytest.mark.anyio
async def test_only_the_first_value_of_a_deferred_counts() -> None:
    deferred: Deferred[int] = Deferred()
    seen: list[int] = []
    deferred.watch(lambda: seen.append(deferred.value))

    async def read() -> int:
        return await deferred

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.sleep(0)
    deferred.set(1)
    deferred.set(2)

    assert [await reader for reader in readers] == [1, 1]
    assert await Deferred.of(3) == 3
    assert seen == [1]


def test_a_deferred_without_a_value_has_none_to_read() -> None:
    with pytest.raises(RuntimeError, match="not set"):
        _ = Deferred[int]().value
