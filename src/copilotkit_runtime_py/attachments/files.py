"""The files of a runtime: stored for their owners, and read by links."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from ..agui.events import decode, encode
from ..errors import AttachmentRefusedError
from ..limits import Limits, size_text
from ..state_store.attachments import (
    PART_BYTES,
    AttachmentQuota,
    AttachmentRecord,
    AttachmentStore,
    attachment_store,
)
from ..state_store.base import AgentState, RunLog, StateStore
from .links import MARK, Link, Signer, holds_link
from .media_types import HEAD_BYTES, media_type_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was received.

    Attributes:
        filename: what the browser calls it, or None.
        media_type: what the browser says it is; may be empty.
        size: its length in bytes.
        read: returns the next bytes, at most as many as it is asked for; none at the end.
    """

    filename: str | None
    media_type: str
    size: int
    read: Callable[[int], Awaitable[bytes]]


class Attachments:
    """Stores files, and reads them for whoever has a link.

    Args:
        store: where threads are stored, and files too if it can.
        limits: how large files may be, how many an owner may have, and how long links are valid.
        media_types: what may be uploaded; `*` stands for any characters.
    """

    def __init__(self, store: StateStore, limits: Limits, media_types: Collection[str]) -> None:
        self._store = attachment_store(store)
        self._limits = limits
        self._media_types = tuple(media_types)
        self._known_signer: Signer | None = None

    async def add(self, upload: Upload, owner: str) -> tuple[AttachmentRecord, str]:
        """Stores a file. Returns it, and a link to it relative to the endpoint's URL.

        Raises:
            AttachmentRefusedError: the file is too large, of a type that is not allowed or not what it says;
                or the owner has as many files as they may.
            StoreUnavailableError: the store cannot be reached.
        """
        store = self._file_store()
        self.check_size(upload.size)
        part = await upload.read(PART_BYTES)
        record = AttachmentRecord(
            id=secrets.token_urlsafe(24),
            owner=owner,
            media_type=media_type_of(part[:HEAD_BYTES], upload.media_type, self._media_types),
            filename=upload.filename,
            size=upload.size,
            created_at=datetime.now(UTC),
        )
        signer = await self._signer()
        await self._begin(store, record)
        try:
            place = 0
            while part:
                await store.write_attachment(record.id, place, part)
                place += 1
                part = await upload.read(PART_BYTES)
            await store.finish_attachment(record.id)
        except BaseException:
            with suppress(Exception):  # it expires, like any file that is not sent
                await store.discard_attachment(record.id)
            raise
        return record, signer.link(record.id, owner)

    def check_size(self, size: int) -> None:
        """Refuses a file that is too large, or empty.

        Raises:
            AttachmentRefusedError: it is.
        """
        if size == 0:
            raise AttachmentRefusedError("The file is empty.", 400)
        if size > self._limits.attachment_bytes:
            raise AttachmentRefusedError(too_large(self._limits), 413)

    async def _begin(self, store: AttachmentStore, record: AttachmentRecord) -> None:
        limits = self._limits
        quota = AttachmentQuota(files=limits.attachments_per_owner, bytes=limits.attachment_bytes_per_owner)
        unsent_since = record.created_at - timedelta(seconds=limits.attachment_seconds)
        if not await store.begin_attachment(record, quota=quota, unsent_since=unsent_since):
            raise AttachmentRefusedError(
                "You have stored as many files as you may. Delete conversations with attachments to make "
                "room. The server's limits attachments_per_owner and attachment_bytes_per_owner set this.",
                413,
            )

    async def open(self, link: Link) -> AttachmentRecord | None:
        """Returns the file of a link, or None if there is none, or the link is forged or expired."""
        if self._store is None or link.expires < time.time():
            return None
        found = await self._store.find_attachments([link.id])
        signer = await self._signer()
        return next((record for record in found if signer.is_valid(link, record.owner)), None)

    async def owned(self, links: Sequence[Link], owner: str) -> dict[str, AttachmentRecord]:
        """Returns the owner's files among those of links, by their ids. Expired links will do."""
        if self._store is None or not links:
            return {}
        signer = await self._signer()
        ids = [link.id for link in links if signer.is_valid(link, owner)]
        return {
            record.id: record for record in await self._store.find_attachments(ids) if record.owner == owner
        }

    async def send(self, owner: str, thread_id: str, ids: Sequence[str]) -> None:
        """Has an owner's files belong to a thread, with which they are deleted."""
        if ids:
            await self._file_store().send_attachments(owner, thread_id, ids)

    async def read(self, record: AttachmentRecord, start: int = 0) -> AsyncIterator[bytes]:
        """Yields a file's bytes from a place on, in pieces of at most `PART_BYTES`."""
        store = self._file_store()
        for place in range(start // PART_BYTES, -(-record.size // PART_BYTES)):
            part = await store.read_attachment(record.id, place)
            if part is None:
                return  # it was deleted meanwhile
            yield part[max(start - place * PART_BYTES, 0) :]

    async def renewed_logs(self, logs: list[RunLog], owner: str) -> list[RunLog]:
        """Returns the logs of an owner's thread with links that are valid now."""
        if not any(MARK in line for log in logs for line in log.events):
            return logs
        signer = await self._signer()
        return [
            dataclasses.replace(log, events=[signer.renewed(line, owner) for line in log.events])
            for log in logs
        ]

    async def renewed_state(self, state: AgentState | None, owner: str) -> AgentState | None:
        """Returns what is stored of an agent with links that are valid now."""
        if state is None or not any(map(holds_link, state.messages)):
            return state
        signer = await self._signer()
        messages: list[dict[str, Any]] = [
            decode(signer.renewed(encode(message), owner)) if holds_link(message) else message
            for message in state.messages
        ]
        return dataclasses.replace(state, messages=messages)

    def _file_store(self) -> AttachmentStore:
        if self._store is None:
            raise AttachmentRefusedError("This server's state store stores no files.", 501)
        return self._store

    async def _signer(self) -> Signer:
        if self._known_signer is None:
            key = await self._file_store().attachment_key()
            self._known_signer = Signer(key, self._limits.attachment_seconds)
        return self._known_signer


def too_large(limits: Limits) -> str:
    """Returns the message for a file that is too large."""
    setting = "--limit attachment_bytes=N (Limits.attachment_bytes)"
    return f"The file exceeds {size_text(limits.attachment_bytes)}. The server's {setting} sets this."
