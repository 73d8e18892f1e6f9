"""What a file is: what its first bytes say, compared with what the browser says."""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Final

from ..errors import AttachmentRefusedError

ATTACHMENT_TYPES: Final = (
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/heic"),
    *("audio/mpeg", "audio/wav", "audio/ogg", "audio/webm", "audio/mp4", "audio/aac", "audio/flac"),
    *("video/mp4", "video/webm", "video/ogg", "video/quicktime"),
    *("application/pdf", "text/plain", "text/csv", "text/markdown", "application/json"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
)
"""The media types of files that pages may upload, unless the application says otherwise."""

HEAD_BYTES: Final = 512
"""How many bytes of a file tell what it is."""

# Two tokens of RFC 9110: what a header can hold.
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,127}/[a-z0-9!#$%&'*+.^_`|~-]{1,127}")
_UNKNOWN: Final = ("", "application/octet-stream")
_TEXT: Final = ("text/plain", "text/csv", "text/markdown", "application/json")
_SAME: Final = {
    "image/jpg": "image/jpeg",
    "image/heif": "image/heic",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-flac": "audio/flac",
    "audio/x-aac": "audio/aac",
    "application/x-pdf": "application/pdf",
    "text/x-markdown": "text/markdown",
}
_OFFICE: Final = tuple(name for name in ATTACHMENT_TYPES if "officedocument" in name)
# The place and the bytes of a signature, and the types that it may stand for, the likeliest first.
_SIGNATURES: Final[tuple[tuple[int, bytes, tuple[str, ...]], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", ("image/png",)),
    (0, b"\xff\xd8\xff", ("image/jpeg",)),
    (0, b"GIF87a", ("image/gif",)),
    (0, b"GIF89a", ("image/gif",)),
    (8, b"WEBP", ("image/webp",)),
    (8, b"WAVE", ("audio/wav",)),
    (4, b"ftypavif", ("image/avif",)),
    (4, b"ftypavis", ("image/avif",)),
    (4, b"ftyphei", ("image/heic",)),
    (4, b"ftypmif1", ("image/heic", "image/avif")),
    (4, b"ftypM4A", ("audio/mp4",)),
    (4, b"ftypqt", ("video/quicktime",)),
    (4, b"ftyp", ("video/mp4", "audio/mp4", "video/quicktime")),
    (0, b"\x1aE\xdf\xa3", ("video/webm", "audio/webm")),
    (0, b"OggS", ("audio/ogg", "video/ogg")),
    (0, b"ID3", ("audio/mpeg",)),
    (0, b"\xff\xfb", ("audio/mpeg",)),
    (0, b"\xff\xf3", ("audio/mpeg",)),
    (0, b"\xff\xf2", ("audio/mpeg",)),
    (0, b"\xff\xf1", ("audio/aac",)),
    (0, b"\xff\xf9", ("audio/aac",)),
    (0, b"fLaC", ("audio/flac",)),
    (0, b"%PDF-", ("application/pdf",)),
    (0, b"PK\x03\x04", _OFFICE),
)
_SIGNED: Final = {name for _, _, names in _SIGNATURES for name in names}
_INLINE: Final = (
    *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/heic", "application/pdf"),
    *_TEXT,
)


def media_type_of(head: bytes, declared: str, allowed: Collection[str]) -> str:
    """Returns what a file is.

    Args:
        head: its first `HEAD_BYTES` bytes.
        declared: what the browser says, which may be wrong or empty.
        allowed: the types that may be uploaded; `*` stands for any characters.

    Raises:
        AttachmentRefusedError: the content is not what the browser says, or not of an allowed type.
    """
    name = declared.partition(";")[0].strip().lower()
    name = _SAME.get(name, name)
    found = _signed_types(head)
    if name in found:
        known, honest = name, True
    elif found and found is not _OFFICE:
        # An unknown type, or an image of another format than its name says, is an honest mistake.
        known = found[0]
        honest = name in _UNKNOWN or name.partition("/")[0] == known.partition("/")[0]
    else:
        # Nothing is known of the content, or that it is a ZIP archive, which may be anything.
        known = "text/plain" if name in _UNKNOWN else name
        honest = _is_text(head) if known in _TEXT else name not in _SIGNED
        honest = honest and _MEDIA_TYPE.fullmatch(known) is not None
    if not honest:
        raise AttachmentRefusedError(f"The file's content is not {_shown(name)}.", 415)
    if not any(fnmatchcase(known, pattern) for pattern in allowed):
        raise AttachmentRefusedError(
            f"Files of the type {_shown(known)} cannot be attached. Allowed are: {', '.join(allowed)}.", 415
        )
    return known


def is_shown_inline(media_type: str) -> bool:
    """Whether a browser may show a file of this type in the place of a page. It runs no script."""
    return media_type in _INLINE or media_type.startswith(("audio/", "video/"))


def served_type(media_type: str) -> str:
    """Returns the content type under which a file is served: all texts are plain text to a browser."""
    return "text/plain; charset=utf-8" if media_type in _TEXT else media_type


def _signed_types(head: bytes) -> tuple[str, ...]:
    for place, signature, names in _SIGNATURES:
        if head.startswith(signature, place) and (place != 8 or head.startswith(b"RIFF")):
            return names
    return ()


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut.
        if len(head) - error.start > 3 or error.reason != "unexpected end of data":
            return False
        text = head[: error.start].decode("utf-8")
    return "\0" not in text


def _shown(media_type: str) -> str:
    plain = "".join(character for character in media_type if character.isprintable())[:80]
    return plain or "known"
