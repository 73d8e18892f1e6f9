"""Files that users attach to messages, in a store: the interface, which is optional for a store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, cast

from .base import StateStore

PART_BYTES: Final = 384 * 1024
"""How many bytes each part of a file has, except the last. A multiple of three, as base64 needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentRecord:
    """A file's record in a store.

    Attributes:
        id: the file's id, which cannot be guessed.
        owner: the user who uploaded it.
        media_type: what the file is, such as `image/png`.
        filename: what the user calls it, or None.
        size: its length in bytes.
        created_at: when the upload began, in UTC.
    """

    id: str
    owner: str
    media_type: str
    filename: str | None
    size: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentQuota:
    """How much one owner may store; None stands for no bound.

    Attributes:
        files: the most files.
        bytes: the most bytes.
    """

    files: int | None
    bytes: int | None


class AttachmentStore(StateStore, Protocol):
    """A store that also stores files. This is optional: without it, pages cannot upload.

    A file is written part by part, belongs to a thread from the first message with it on, and is
    deleted with that thread. Reading needs the id alone: the runtime checks the owner.
    """

    async def attachment_key(self) -> bytes:
        """Returns 32 secret bytes, which are the same in every process and never change."""

    async def begin_attachment(
        self, attachment: AttachmentRecord, *, quota: AttachmentQuota, unsent_since: datetime
    ) -> bool:
        """Creates a file. It cannot be found before `finish_attachment`.

        Files that belong to no thread and are older than `unsent_since` are deleted first, of all owners: at
        least a hundred of them, if there are so many.

        Returns:
            Whether the owner's files, with this one, are within the quota. If not, nothing is stored.
        """

    async def write_attachment(self, id: str, place: int, part: bytes) -> None:
        """Writes one part of a file that has begun.

        Args:
            id: the file.
            place: the number of the part, from 0.
            part: `PART_BYTES` bytes; the last part of a file may have fewer.
        """

    async def finish_attachment(self, id: str) -> None:
        """Makes a file available, after all its parts were written."""

    async def discard_attachment(self, id: str) -> None:
        """Deletes a file, which may be incomplete or missing."""

    async def find_attachments(self, ids: Iterable[str]) -> list[AttachmentRecord]:
        """Returns the records of those files that are complete, in any order."""

    async def read_attachment(self, id: str, place: int) -> bytes | None:
        """Returns one part of a file, or None if there is no such part."""

    async def send_attachments(self, owner: str, thread_id: str, ids: Sequence[str]) -> None:
        """Assigns an owner's files to one of the owner's threads, unless they belong to one already.

        They count as data of the thread in `Retention.max_bytes`. Files and threads of other owners, and
        missing ones, do not change.
        """


def attachment_store(store: StateStore) -> AttachmentStore | None:
    """Returns the store if it stores files, too."""
    return cast(AttachmentStore, store) if hasattr(store, "begin_attachment") else None
