"""Files that users attach to messages."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from ...state_store.attachments import PART_BYTES, AttachmentQuota, AttachmentRecord, AttachmentStore
from ...state_store.attachments import attachment_store as _stores_files
from ...state_store.base import Retention, StateStore
from .steps import OpenStore, begin, end, thread_ids, whole_run

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NO_QUOTA: Final = AttachmentQuota(files=None, bytes=None)


def _files(store: StateStore) -> AttachmentStore:
    files = _stores_files(store)
    assert files is not None, "the store has no methods for files"
    return files


def _record(
    id: str = "f1",
    *,
    owner: str = "ann",
    size: int = 5,
    name: str | None = "a.png",
    created_at: datetime | None = None,
) -> AttachmentRecord:
    return AttachmentRecord(
        id=id,
        owner=owner,
        media_type="image/png",
        filename=name,
        size=size,
        created_at=created_at or datetime.now(UTC),
    )


async def _upload(store: StateStore, record: AttachmentRecord, *parts: bytes) -> bool:
    files = _files(store)
    begun = await files.begin_attachment(record, quota=_NO_QUOTA, unsent_since=_LONG_AGO)
    for place, part in enumerate(parts):
        await files.write_attachment(record.id, place, part)
    await files.finish_attachment(record.id)
    return begun


async def _ids(store: StateStore, *ids: str) -> list[str]:
    return sorted(record.id for record in await _files(store).find_attachments(ids))


async def the_key_is_the_same_for_every_worker(open_store: OpenStore) -> None:
    stores = [_files(open_store()) for _ in range(4)]
    keys = set(await asyncio.gather(*(store.attachment_key() for store in stores)))
    assert len(keys) == 1
    (key,) = keys
    assert len(key) == 32
    assert await _files(open_store()).attachment_key() == key


async def a_file_comes_back_byte_for_byte(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    parts = [bytes(range(256)) * (PART_BYTES // 256), b"\x00\xff\n"]
    record = _record(size=PART_BYTES + 3, name="Plan 🌍\\\x00.png")
    assert await _upload(store, record, *parts)
    (found,) = await _files(other).find_attachments(["f1"])
    assert abs(found.created_at - record.created_at) < timedelta(milliseconds=1)
    assert (found.id, found.owner, found.media_type, found.filename, found.size) == (
        ("f1", "ann", "image/png", record.filename, record.size)
    )
    assert [await _files(other).read_attachment("f1", place) for place in (0, 1, 2)] == [*parts, None]


async def a_file_may_have_no_name(open_store: OpenStore) -> None:
    store = open_store()
    await _upload(store, _record(name=None))
    (found,) = await _files(store).find_attachments(["f1"])
    assert found.filename is None


async def a_part_that_is_written_again_is_there_once(open_store: OpenStore) -> None:
    store = open_store()
    await _upload(store, _record(), b"first", b"more")
    await _files(store).write_attachment("f1", 0, b"again")
    assert [await _files(store).read_attachment("f1", place) for place in (0, 1)] == [b"again", b"more"]


async def files_are_found_by_their_ids(open_store: OpenStore) -> None:
    store = open_store()
    for id in ("f1", "f2", "f3"):
        await _upload(store, _record(id))
    assert await _ids(store, "f3", "f1", "missing", "f1") == ["f1", "f3"]
    assert await _ids(store) == []


async def a_file_is_not_found_before_it_is_complete(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    files = _files(store)
    assert await files.begin_attachment(_record(), quota=_NO_QUOTA, unsent_since=_LONG_AGO)
    await files.write_attachment("f1", 0, b"12345")
    assert await _ids(other, "f1") == []
    await files.finish_attachment("f1")
    assert await _ids(other, "f1") == ["f1"]


async def a_discarded_file_is_gone(open_store: OpenStore) -> None:
    store = open_store()
    await _upload(store, _record(), b"12345")
    files = _files(store)
    for _ in range(2):
        await files.discard_attachment("f1")
        await files.write_attachment("f1", 0, b"late")
        await files.finish_attachment("f1")
        assert await _ids(store, "f1") == []
        assert await files.read_attachment("f1", 0) is None


async def the_files_of_a_deleted_thread_are_gone(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    for id in ("f1", "f2", "f3"):
        await _upload(store, _record(id), b"12345")
    await whole_run(store, "t1")
    await whole_run(store, "t2")
    await _files(store).send_attachments("ann", "t1", ["f1", "f2"])
    await _files(store).send_attachments("ann", "t2", ["f2"])
    await store.delete_thread("ann", "t2")
    assert await _ids(other, "f1", "f2", "f3") == ["f1", "f2", "f3"], "a file is that of its first thread"
    await store.delete_thread("ann", "t1")
    assert await _ids(other, "f1", "f2", "f3") == ["f3"]
    assert await _files(other).read_attachment("f1", 0) is None


async def a_file_can_be_sent_while_the_first_run_goes_on(open_store: OpenStore) -> None:
    store = open_store()
    await _upload(store, _record())
    run = await begin(store)
    await _files(store).send_attachments("ann", "t1", ["f1"])
    await end(store, run, b"1")
    assert await _ids(store, "f1") == ["f1"]
    await store.delete_thread("ann", "t1")
    assert await _ids(store, "f1") == []


async def files_and_threads_of_others_stay_as_they_are(open_store: OpenStore) -> None:
    store = open_store()
    await _upload(store, _record("f1", owner="ann"))
    await _upload(store, _record("f2", owner="bob"))
    await whole_run(store, "t1", owner="ann")
    await whole_run(store, "t2", owner="bob")
    files = _files(store)
    await files.send_attachments("bob", "t2", ["f1", "missing"])
    await files.send_attachments("bob", "t1", ["f2"])
    await files.send_attachments("ann", "missing", ["f1"])
    await store.delete_thread("bob", "t2")
    await store.delete_thread("ann", "t1")
    assert await _ids(store, "f1", "f2") == ["f1", "f2"]


async def files_that_were_never_sent_expire(open_store: OpenStore) -> None:
    store = open_store()
    now = datetime.now(UTC)
    for id, age, owner in (("old", 2, "ann"), ("theirs", 2, "bob"), ("sent", 2, "ann"), ("new", 0, "ann")):
        await _upload(store, _record(id, owner=owner, created_at=now - timedelta(hours=age)), b"12345")
    files = _files(store)
    # One whose worker died in the middle of it.
    broken = _record("broken", created_at=now - timedelta(hours=2))
    await files.begin_attachment(broken, quota=_NO_QUOTA, unsent_since=_LONG_AGO)
    await whole_run(store, "t1")
    await files.send_attachments("ann", "t1", ["sent"])
    quota = AttachmentQuota(files=3, bytes=15)
    begun = await files.begin_attachment(_record("f1"), quota=quota, unsent_since=now - timedelta(hours=1))
    assert begun, "what has expired does not count"
    assert await _ids(store, "old", "theirs", "broken", "sent", "new") == ["new", "sent"]


async def an_owner_has_a_quota(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()

    async def begins(id: str, size: int, owner: str = "ann", **bounds: int | None) -> bool:
        quota = AttachmentQuota(**{"files": None, "bytes": None, **bounds})
        record = _record(id, size=size, owner=owner)
        return await _files(other).begin_attachment(record, quota=quota, unsent_since=_LONG_AGO)

    await _upload(store, _record("f1", size=40))
    await whole_run(store, "t1")
    await _files(store).send_attachments("ann", "t1", ["f1"])
    assert await begins("f2", 60, files=2, bytes=100)
    assert not await begins("f3", 1, files=3, bytes=100)
    assert not await begins("f3", 0, files=2, bytes=1000)
    assert await begins("f3", 1, owner="bob", files=1, bytes=1)
    await store.delete_thread("ann", "t1")
    assert await begins("f4", 40, files=2, bytes=100)
    await _files(store).discard_attachment("f2")
    assert await begins("f5", 60, files=2, bytes=100)


async def uploads_at_the_same_time_do_not_exceed_the_quota(open_store: OpenStore) -> None:
    stores = [_files(open_store()) for _ in range(3)]
    quota = AttachmentQuota(files=4, bytes=None)
    begun = await asyncio.gather(
        *(
            stores[place % 3].begin_attachment(_record(f"f{place}"), quota=quota, unsent_since=_LONG_AGO)
            for place in range(12)
        )
    )
    assert sum(begun) == 4


async def files_count_as_data_of_their_threads(open_store: OpenStore) -> None:
    store = open_store(retention=Retention(max_bytes=100_000))
    await whole_run(store, "t1")
    sent = [f"f{place}" for place in range(6)]
    for id in sent:
        assert await _upload(store, _record(id, size=15_000), b"x" * 15_000)
        await _files(store).send_attachments("ann", "t1", [id])
    await whole_run(store, "t2", b"1")
    assert await thread_ids(store) == ["t2", "t1"]
    assert await _upload(store, _record("last", size=12_000), b"x" * 12_000)
    await _files(store).send_attachments("ann", "t2", ["last"])
    await whole_run(store, "t2", b"2")
    assert await thread_ids(store) == ["t2"]
    assert await _ids(store, "last", *sent) == ["last"]
