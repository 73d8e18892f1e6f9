"""Files that pages upload and show: `POST attachments` and `GET attachments/ID` below the endpoint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..attachments.files import Attachments, Upload
from ..attachments.links import Link
from ..attachments.media_types import is_shown_inline, served_type
from ..context import RequestContext
from ..errors import CopilotKitError
from ..hooks import RequestFailed
from ..logs.records import get_logger
from ..runtime import CopilotRuntime
from ..state_store.attachments import AttachmentRecord
from .form import FIELD_BYTES, is_form, read_form
from .responses import HTTPError, error_body, invalid_request, json_response, not_found

logger = get_logger(__name__)

FORM_BYTES: Final = FIELD_BYTES
"""What a form may have besides its file."""

_MAX_FILENAME: Final = 255
_RANGE: Final = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class AttachmentEndpoint:
    """Serves the files of one runtime.

    Args:
        runtime: the runtime.
    """

    def __init__(self, runtime: CopilotRuntime) -> None:
        self._runtime = runtime

    async def upload(self, request: Request, body: AsyncIterator[bytes], context: RequestContext) -> Response:
        """Stores the file in the field `file` of a form, and answers with a source for a message's part.

        Args:
            request: the request.
            body: its body, of a bounded size.
            context: the caller.
        """
        try:
            if _is_unasked(request):
                raise invalid_request("A page of another origin has to send X-Requested-With.", 403)
            self._runtime.count_start(context)
            return json_response(await self._stored(request, body, context), 201)
        except HTTPError as error:
            response = error.response()
        except (CopilotKitError, OSError) as error:
            await self._runtime.report(RequestFailed(error=error, context=context))
            response = _refusal(self._runtime.masked(error))
        return await _received(body, response)

    async def refuse(self, body: AsyncIterator[bytes], error: CopilotKitError) -> Response:
        """Answers a refused upload."""
        return await _received(body, _refusal(error))

    async def download(self, request: Request, id: str) -> Response:
        """Answers with a file, or a part of it, to whoever has a valid link."""
        query = request.query_params
        expires, signature = query.get("expires"), query.get("signature")
        link = Link.parse(f"attachments/{id}?expires={expires}&signature={signature}")
        try:
            record = await self._runtime.attachments.open(link) if link is not None else None
        except CopilotKitError as error:
            return _refusal(error)
        if record is None:
            return not_found("There is no such file, or its link has expired.").response()
        return _FileResponse(request, self._runtime.attachments, record, self._runtime.limits.reader_seconds)

    async def _stored(
        self, request: Request, body: AsyncIterator[bytes], context: RequestContext
    ) -> dict[str, str]:
        content_type = request.headers.get("content-type", "")
        if not is_form(content_type):
            raise invalid_request("Send the file as the field 'file' of a form (multipart/form-data).", 415)
        try:
            form = await read_form(content_type, body)
        except MultiPartException as error:
            raise invalid_request(f"The form is malformed: {error.message}") from None
        try:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise invalid_request("The form has no file in the field 'file'.")
            upload = Upload(
                filename=_bare_name(file.filename),
                media_type=file.content_type or "",
                size=file.size or 0,
                read=file.read,
            )
            record, link = await self._runtime.attachments.add(upload, context.owner)
        finally:
            await form.close()
        return {"type": "url", "value": link, "mimeType": record.media_type}


class _FileResponse(Response):
    """Sends a file in pieces, so that memory does not grow with it.

    The file is a user's, and must not harm whoever opens it: a browser treats it as the type that the
    runtime states, runs no script in it, and shows only types without scripts.
    """

    def __init__(
        self, request: Request, files: Attachments, record: AttachmentRecord, reader_seconds: float
    ) -> None:
        self._files = files
        self._record = record
        self._reader_seconds = reader_seconds
        asked = request.headers.get("range", "") if request.method == "GET" else ""
        self._start, self._stop, self.status_code = _range(asked, record.size)
        self._has_body = request.method != "HEAD"
        self.background = None
        kind = "inline" if is_shown_inline(record.media_type) else "attachment"
        name = f"; filename*=UTF-8''{quote(record.filename, safe='')}" if record.filename else ""
        # The PDF viewer of Chrome shows nothing in a sandbox, and has one of its own.
        sandbox = "" if record.media_type == "application/pdf" else "; sandbox"
        headers = {
            "content-type": served_type(record.media_type),
            "content-length": str(self._stop - self._start),
            "content-disposition": f"{kind}{name}",
            "content-security-policy": f"default-src 'none'; style-src 'unsafe-inline'{sandbox}",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "cross-origin",
            "accept-ranges": "bytes",
            "cache-control": "private, max-age=3600, immutable",
            # A browser's cached response for an <img> has no CORS headers, so a fetch cannot use it.
            "vary": "Origin",
        }
        if self.status_code == 206:
            headers["content-range"] = f"bytes {self._start}-{self._stop - 1}/{record.size}"
        elif self.status_code == 416:
            headers["content-range"] = f"bytes */{record.size}"
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer."""
        try:
            async with asyncio.timeout(self._reader_seconds) as deadline:
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                if self._has_body and not await self._sent_file(send, deadline):
                    logger.warning("stopped sending a file that was deleted meanwhile")
                    return  # the server closes the connection, which marks the response as incomplete
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except CopilotKitError as error:
            logger.warning("stopped sending a file: %s", error)
        except OSError:
            if deadline.expired():
                logger.warning("disconnected a client that read nothing for %g seconds", self._reader_seconds)
            else:
                logger.debug("the client left")

    async def _sent_file(self, send: Send, deadline: asyncio.Timeout) -> bool:
        """Sends the bytes that were asked for, and returns whether all of them were there."""
        time = asyncio.get_running_loop().time
        left = self._stop - self._start
        if left == 0:
            return True
        async for part in self._files.read(self._record, self._start):
            await send({"type": "http.response.body", "body": part[:left], "more_body": True})
            deadline.reschedule(time() + self._reader_seconds)
            left -= len(part)
            if left <= 0:
                return True
        return False


def _refusal(error: CopilotKitError) -> Response:
    return json_response(error_body(error), error.status_code, error.headers)


async def _received(body: AsyncIterator[bytes], response: Response) -> Response:
    """Receives the rest of a body: a browser may not read a response while it is still sending."""
    async for _ in body:
        pass
    return response


def _range(header: str, size: int) -> tuple[int, int, int]:
    """Returns the first byte to send, the byte after the last one, and the status. Several ranges are all."""
    found = _RANGE.fullmatch(header.strip())
    first, last = found.groups() if found is not None else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        return 0, size, 200
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= size:
        return 0, 0, 416
    return start, stop, 206


def _is_unasked(request: Request) -> bool:
    """Whether a page of another origin may have sent this form, with cookies and without a preflight.

    Before a page sends one of these two headers to another origin, the browser asks the server. Other
    credentials than bearer tokens, such as those of HTTP Basic, a browser adds by itself.
    """
    origin, authorization = request.headers.get("origin"), request.headers.get("authorization", "")
    if origin is None or "x-requested-with" in request.headers or authorization.lower().startswith("bearer "):
        return False
    return origin.partition("://")[2] != request.headers.get("host")


def _bare_name(filename: str | None) -> str | None:
    """Returns the last part of a file name, or None if no file could have that name."""
    name = re.split(r"[/\\]", filename)[-1] if filename else ""
    plain = "".join(char for char in name if char.isprintable()).strip(". ")
    return plain[-_MAX_FILENAME:] or None
