"""Files that users attach to messages: writing, reading and deleting them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from ..attachments import AttachmentQuota, AttachmentRecord
from .statement import Statement, Steps, escape, unescape

_KEY_NAME: Final = "attachments"
_KEY_BYTES: Final = 32
# The largest number of both databases.
_UNBOUNDED: Final = 2**62

_MAKE_KEY = Statement("INSERT INTO copilotkit_keys (name, data) VALUES (:name, :key) ON CONFLICT DO NOTHING")
_KEY = Statement("SELECT data FROM copilotkit_keys WHERE name = :name")


def key() -> Steps[bytes]:
    """See `AttachmentStore.attachment_key`."""
    yield _MAKE_KEY, {"name": _KEY_NAME, "key": secrets.token_bytes(_KEY_BYTES)}
    ((data,),) = yield _KEY, {"name": _KEY_NAME}
    return bytes(data)


# One upload deletes a bounded amount, since others wait meanwhile.
_EXPIRE = Statement("""
    DELETE FROM copilotkit_attachments WHERE id IN (
        SELECT id FROM copilotkit_attachments WHERE thread_id IS NULL AND created_at < :since LIMIT 100
    )
""")
# Uploads of one owner take turns, so that each counts the others.
_TAKE_TURNS = Statement("SELECT {lock_name}")
_BEGIN = Statement("""
    INSERT INTO copilotkit_attachments (id, owner, media_type, filename, bytes, created_at, complete)
    SELECT :id, :owner, :media_type, :filename, :bytes, :at, false
    FROM (
        SELECT count(*) AS files, coalesce(sum(bytes), 0) AS total
        FROM copilotkit_attachments WHERE owner = :owner
    ) AS stored
    WHERE files < :max_files AND total <= :max_bytes
    RETURNING id
""")


def begin(attachment: AttachmentRecord, quota: AttachmentQuota, unsent_since: datetime) -> Steps[bool]:
    """See `AttachmentStore.begin_attachment`."""
    yield _EXPIRE, {"since": unsent_since.timestamp()}
    owner = escape(attachment.owner)
    yield _TAKE_TURNS, {"name": owner}
    rows = yield (
        _BEGIN,
        {
            "id": attachment.id,
            "owner": owner,
            "media_type": escape(attachment.media_type),
            "filename": None if attachment.filename is None else escape(attachment.filename),
            "bytes": attachment.size,
            "at": attachment.created_at.timestamp(),
            "max_files": _UNBOUNDED if quota.files is None else quota.files,
            "max_bytes": (_UNBOUNDED if quota.bytes is None else quota.bytes) - attachment.size,
        },
    )
    return bool(rows)


_WRITE = Statement("""
    INSERT INTO copilotkit_attachment_parts (attachment_id, place, data)
    SELECT id, :place, :part FROM copilotkit_attachments WHERE id = :id
    ON CONFLICT (attachment_id, place) DO UPDATE SET data = excluded.data
""")
_FINISH = Statement("UPDATE copilotkit_attachments SET complete = true WHERE id = :id")
_DISCARD = Statement("DELETE FROM copilotkit_attachments WHERE id = :id")


def write(id: str, place: int, part: bytes) -> Steps[None]:
    """See `AttachmentStore.write_attachment`."""
    yield _WRITE, {"id": id, "place": place, "part": part}


def finish(id: str) -> Steps[None]:
    """See `AttachmentStore.finish_attachment`."""
    yield _FINISH, {"id": id}


def discard(id: str) -> Steps[None]:
    """See `AttachmentStore.discard_attachment`."""
    yield _DISCARD, {"id": id}


_FIND = Statement("""
    SELECT id, owner, media_type, filename, bytes, created_at FROM copilotkit_attachments
    WHERE complete AND id IN {strings:ids}
""")
_READ = Statement("SELECT data FROM copilotkit_attachment_parts WHERE attachment_id = :id AND place = :place")


def find(ids: Sequence[str]) -> Steps[list[AttachmentRecord]]:
    """See `AttachmentStore.find_attachments`."""
    rows = yield _FIND, {"ids": json.dumps([escape(id) for id in ids])}
    return [
        AttachmentRecord(
            id=id,
            owner=unescape(owner),
            media_type=unescape(media_type),
            filename=None if filename is None else unescape(filename),
            size=size,
            created_at=datetime.fromtimestamp(created_at, UTC),
        )
        for id, owner, media_type, filename, size, created_at in rows
    ]


def read(id: str, place: int) -> Steps[bytes | None]:
    """See `AttachmentStore.read_attachment`."""
    rows = yield _READ, {"id": escape(id), "place": place}
    return bytes(rows[0][0]) if rows else None


_SEND = Statement("""
    UPDATE copilotkit_attachments SET thread_id = :thread
    WHERE id IN {strings:ids} AND owner = :owner AND thread_id IS NULL
        AND EXISTS (SELECT 1 FROM copilotkit_threads WHERE id = :thread AND owner = :owner)
    RETURNING bytes
""")
_GROW = Statement("UPDATE copilotkit_threads SET bytes = bytes + :bytes WHERE id = :thread")


def send(owner: str, thread_id: str, ids: Sequence[str]) -> Steps[None]:
    """See `AttachmentStore.send_attachments`."""
    named = json.dumps([escape(id) for id in ids])
    rows = yield _SEND, {"owner": escape(owner), "thread": escape(thread_id), "ids": named}
    if rows:
        yield _GROW, {"thread": escape(thread_id), "bytes": sum(size for (size,) in rows)}
