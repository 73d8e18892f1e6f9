"""Links to files: who has one can read the file until the link expires."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from typing import Any, Final, NamedTuple

_ID: Final = r"[A-Za-z0-9_-]{32}"
_PATTERN: Final = rf"attachments/({_ID})\?expires=([0-9]{{1,12}})&signature=([A-Za-z0-9_-]{{43}})"
_AT_END: Final = re.compile(rf"(?:^|/){_PATTERN}\Z")
_IN_JSON: Final = re.compile(rf"(?<=/){_PATTERN}(?![A-Za-z0-9_-])".encode())
MARK: Final = b"&signature="
"""What every link has in it."""


class Link(NamedTuple):
    """A link, which may be forged.

    Attributes:
        id: the file.
        expires: when the link ceases to be valid, in seconds since 1970.
        signature: proves that the runtime made the link for the file's owner.
    """

    id: str
    expires: int
    signature: str

    @classmethod
    def parse(cls, url: object) -> Link | None:
        """Returns the link that a URL of any host ends with, or None. Nothing is fetched."""
        found = _AT_END.search(url) if isinstance(url, str) and "&signature=" in url else None
        return cls(found[1], int(found[2]), found[3]) if found else None


class Signer:
    """Makes links, checks and renews them.

    A new link is valid for at least `seconds`, and at most for half as long again: links that are made soon
    after one another are the same, so that browsers need not load a file again.

    Args:
        key: the secret of all workers.
        seconds: how long a link is valid.
    """

    def __init__(self, key: bytes, seconds: float) -> None:
        self._key = key
        self._seconds = seconds

    def link(self, id: str, owner: str) -> str:
        """Returns the link to a file, relative to the endpoint's URL."""
        step = max(int(self._seconds / 2), 1)
        expires = (int(time.time() + self._seconds) // step + 1) * step
        return f"attachments/{id}?expires={expires}&signature={self._signature(id, owner, expires)}"

    def is_valid(self, link: Link, owner: str) -> bool:
        """Whether the runtime made a link for the owner of the file, be it expired or not."""
        return hmac.compare_digest(link.signature, self._signature(link.id, owner, link.expires))

    def renewed(self, data: bytes, owner: str) -> bytes:
        """Returns JSON with new links in the place of those that were made for the owner."""
        return _IN_JSON.sub(lambda found: self._renewed(found, owner), data) if MARK in data else data

    def _renewed(self, found: re.Match[bytes], owner: str) -> bytes:
        link = Link(found[1].decode(), int(found[2]), found[3].decode())
        return self.link(link.id, owner).encode() if self.is_valid(link, owner) else found[0]

    def _signature(self, id: str, owner: str, expires: int) -> str:
        signed = f"{id}\n{expires}\n{owner}".encode(errors="surrogatepass")
        digest = hmac.digest(self._key, signed, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def holds_link(message: dict[str, Any]) -> bool:
    """Whether a message, in JSON form, has a part that is a link to a file."""
    content = message.get("content")
    return isinstance(content, list) and any(link_of(part) is not None for part in content)


def link_of(part: object) -> Link | None:
    """Returns the link that a content part in JSON form has as its source, or None."""
    source = part.get("source") if isinstance(part, dict) else None
    is_url = isinstance(source, dict) and source.get("type") == "url"
    return Link.parse(source["value"]) if is_url and isinstance(source, dict) and "value" in source else None
