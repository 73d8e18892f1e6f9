"""Forms that pages send with a file (`multipart/form-data`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser

FIELD_BYTES: Final = 64 * 1024
"""What a field may have that is not the file."""

_MAX_FIELDS: Final = 10
# What RFC 2046 allows, except a space.
_BOUNDARY: Final = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,70}")


def is_form(content_type: str) -> bool:
    """Whether a body of this content type is a form."""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


async def read_form(
    content_type: str, body: AsyncIterator[bytes], *, spool_bytes: int | None = None
) -> FormData:
    """Returns the fields of a form, one of which may be a file. The caller closes it.

    Args:
        content_type: the content type of the body.
        body: the body, of a bounded size.
        spool_bytes: up to which size the file stays in memory; Starlette's default if not set.

    Raises:
        MultiPartException: the form is malformed.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise MultiPartException("Missing or invalid boundary in multipart.")
    # Without its `charset`, which no browser sends. Python knows encodings, such as Punycode, that fail in
    # ways of their own or take quadratic time.
    headers = Headers(raw=[(b"content-type", b'multipart/form-data; boundary="%b"' % boundary)])
    parser = MultiPartParser(
        headers,
        body,  # type: ignore[arg-type] # any async iterator will do
        max_files=1,
        max_fields=_MAX_FIELDS,
        max_part_size=FIELD_BYTES,
    )
    if spool_bytes is not None:
        parser.spool_max_size = spool_bytes
    return await parser.parse()
