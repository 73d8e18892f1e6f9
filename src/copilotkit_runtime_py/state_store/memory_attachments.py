"""Files that users attach to messages, in the memory of one process."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from .attachments import AttachmentQuota, AttachmentRecord

# Files that belong to no thread may use this fraction (1/n) of a store's bytes, so that they cannot crowd
# out threads.
_UNSENT_SHARE: Final = 4


class _File:
    __slots__ = ("complete", "parts", "record", "thread_id")

    def __init__(self, record: AttachmentRecord) -> None:
        self.record = record
        self.thread_id: str | None = None
        self.parts: dict[int, bytes] = {}
        self.complete = False


class MemoryAttachments:
    """The files of a `MemoryStateStore`; see `AttachmentStore` for the methods.

    Args:
        max_bytes: how many bytes the store keeps; None for no bound.

    Attributes:
        key: the secret.
    """

    def __init__(self, max_bytes: int | None) -> None:
        self.key = secrets.token_bytes(32)
        self._max_unsent = None if max_bytes is None else max_bytes // _UNSENT_SHARE
        self._files: dict[str, _File] = {}
        # In the order in which their uploads began.
        self._unsent: dict[str, _File] = {}
        self._of_thread: dict[str, list[str]] = {}

    def begin(self, record: AttachmentRecord, quota: AttachmentQuota, unsent_since: datetime) -> bool:
        """Creates a file, and returns whether the quota allows it."""
        for file in list(self._unsent.values()):
            if file.record.created_at < unsent_since:
                self.discard(file.record.id)
        sizes = [file.record.size for file in self._files.values() if file.record.owner == record.owner]
        if quota.files is not None and len(sizes) >= quota.files:
            return False
        if quota.bytes is not None and sum(sizes) + record.size > quota.bytes:
            return False
        self._files[record.id] = self._unsent[record.id] = _File(record)
        size = sum(file.record.size for file in self._unsent.values())
        while self._max_unsent is not None and size > self._max_unsent:
            # An upload in progress stays.
            oldest = next((file.record for file in self._unsent.values() if file.complete), record)
            self.discard(oldest.id)
            size -= oldest.size
            if oldest is record:
                return False
        return True

    def write(self, id: str, place: int, part: bytes) -> None:
        """Writes a part."""
        if id in self._files:
            self._files[id].parts[place] = part

    def finish(self, id: str) -> None:
        """Makes a file available."""
        if id in self._files:
            self._files[id].complete = True

    def discard(self, id: str) -> None:
        """Deletes a file."""
        self._files.pop(id, None)
        self._unsent.pop(id, None)

    def find(self, ids: Iterable[str]) -> list[AttachmentRecord]:
        """Returns the records of complete files."""
        found = (self._files[id] for id in dict.fromkeys(ids) if id in self._files)
        return [file.record for file in found if file.complete]

    def read(self, id: str, place: int) -> bytes | None:
        """Returns a part."""
        return self._files[id].parts.get(place) if id in self._files else None

    def send(self, owner: str, thread_id: str, ids: Sequence[str]) -> int:
        """Assigns files to a thread of the owner, and returns their bytes."""
        grown = 0
        for id in ids:
            file = self._unsent.get(id)
            if file is not None and file.record.owner == owner:
                file.thread_id = thread_id
                del self._unsent[id]
                self._of_thread.setdefault(thread_id, []).append(id)
                grown += file.record.size
        return grown

    def forget_thread(self, thread_id: str) -> None:
        """Deletes the files of a thread."""
        for id in self._of_thread.pop(thread_id, ()):
            self.discard(id)
