"""Speech to text for a frontend's microphone button."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.responses import Response

from ...errors import CopilotKitError, InvalidRequestError, RateLimitError, masked
from ...logs.records import get_logger, hide
from ...transcription import Recording, TranscriptionError, TranscriptionProblem, TranscriptionService
from ..form import is_form, read_form
from ..responses import json_response
from .call import Call

logger = get_logger(__name__)

_STATUS: Final = {
    TranscriptionProblem.SERVICE_NOT_CONFIGURED: 503,
    TranscriptionProblem.INVALID_REQUEST: 400,
    TranscriptionProblem.INVALID_AUDIO_FORMAT: 400,
    TranscriptionProblem.AUDIO_TOO_LONG: 400,
    TranscriptionProblem.AUDIO_TOO_SHORT: 400,
    TranscriptionProblem.RATE_LIMITED: 429,
    TranscriptionProblem.AUTH_FAILED: 401,
    TranscriptionProblem.NETWORK_ERROR: 502,
    TranscriptionProblem.PROVIDER_ERROR: 500,
}
_RETRYABLE: Final = {TranscriptionProblem.RATE_LIMITED, TranscriptionProblem.NETWORK_ERROR}
_MEDIA_TYPES: Final = tuple(
    f"audio/{format}" for format in ("mpeg", "mp3", "mp4", "wav", "webm", "ogg", "flac", "aac")
)
_UNKNOWN_MEDIA_TYPES: Final = ("", "application/octet-stream")
_DEFAULT_MEDIA_TYPE: Final = "audio/webm"
_DEFAULT_FILENAME: Final = "recording.webm"
_MAX_FILENAME: Final = 255
# A multiple of four, as base64 has it.
_PIECE: Final = 256 * 1024


async def transcribe(call: Call, service: TranscriptionService | None) -> Response:
    """Answers with the transcript of the recording in a request, which is a form or JSON."""
    try:
        if service is None:
            raise TranscriptionError(
                TranscriptionProblem.SERVICE_NOT_CONFIGURED, "Transcription service is not configured"
            )
        recording = await _recording(call)
        text = await _transcribe(service, recording)
    except TranscriptionError as error:
        body = {
            "error": error.problem,
            "message": hide(error.message),
            "retryable": error.problem in _RETRYABLE,
        }
        return json_response(body, _STATUS[error.problem])
    return json_response({"text": text, "size": len(recording.data), "type": recording.media_type})


def refused_transcription(error: CopilotKitError) -> Response:
    """Answers a caller that is refused, or asks too often."""
    often = isinstance(error, RateLimitError)
    problem = TranscriptionProblem.RATE_LIMITED if often else TranscriptionProblem.AUTH_FAILED
    body = {"error": problem, "message": error.message, "retryable": problem in _RETRYABLE}
    return json_response(body, error.status_code, error.headers)


async def _transcribe(service: TranscriptionService, recording: Recording) -> str:
    try:
        return await service.transcribe(recording)
    except TranscriptionError:
        raise
    except (TimeoutError, ConnectionError) as error:
        logger.warning("the transcription service cannot be reached", exc_info=error)
        raise TranscriptionError(
            TranscriptionProblem.NETWORK_ERROR, "Network error during transcription. Please try again."
        ) from None
    except Exception as error:
        problem = TranscriptionProblem.PROVIDER_ERROR
        raise TranscriptionError(problem, masked(error, "the transcription service").message) from None


async def _recording(call: Call) -> Recording:
    content_type = call.request.headers.get("content-type", "")
    if is_form(content_type):
        return await _from_form(content_type, call.body.data)
    if "application/json" in content_type.lower():
        try:
            return await _from_json(call.body.json())
        except InvalidRequestError as error:
            raise _invalid(error.message) from None
        except ValueError:
            raise _invalid("Request body must be valid JSON") from None
    raise _invalid("Request must be multipart/form-data or application/json with base64 audio")


async def _from_form(content_type: str, body: bytes | bytearray) -> Recording:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), _PIECE):
            yield bytes(body[start : start + _PIECE])
            await asyncio.sleep(0)

    try:
        # The body is in memory already: a temporary file would only delay the event loop.
        form = await read_form(content_type, stream(), spool_bytes=len(body) + 1)
    except MultiPartException as error:
        raise _invalid(error.message) from None
    try:
        audio = form.get("audio")
        if not isinstance(audio, UploadFile):
            raise _invalid("No audio file found in form data. Please include an 'audio' field.")
        media_type = _checked_media_type(audio.content_type or "")
        return Recording(data=await audio.read(), filename=_bare_name(audio.filename), media_type=media_type)
    finally:
        await form.close()


async def _from_json(body: Any) -> Recording:
    fields = body if isinstance(body, dict) else {}
    audio, media_type, filename = fields.get("audio"), fields.get("mimeType"), fields.get("filename")
    if not isinstance(audio, str) or not audio:
        raise _invalid("Request must include 'audio' field with base64-encoded audio data")
    if not isinstance(media_type, str) or not media_type:
        raise _invalid("Request must include 'mimeType' field (e.g., 'audio/webm')")
    media_type = _checked_media_type(media_type)
    try:
        # A data URL has the data after its comma.
        data = await _decoded(audio, audio.rfind(",") + 1)
    except (binascii.Error, ValueError):
        raise _invalid("Failed to decode base64 audio data") from None
    return Recording(data=data, filename=_bare_name(filename), media_type=media_type)


async def _decoded(text: str, start: int) -> bytes:
    """Returns the bytes of base64. Decoding holds the interpreter lock, so it is done in pieces.

    Raises:
        ValueError: the text is not base64.
    """
    data = bytearray()
    for place in range(start, len(text), _PIECE):
        piece = text[place : place + _PIECE]
        data += base64.b64decode(piece, validate=True)
        if piece.endswith("=") and place + _PIECE < len(text):
            raise ValueError("padding inside base64")
        await asyncio.sleep(0)
    return bytes(data)


def _bare_name(filename: Any) -> str:
    """Returns the last part of a file name, or a default name if no file could have that name."""
    name = re.split(r"[/\\]", filename)[-1] if isinstance(filename, str) else ""
    plain = "".join(char for char in name if char.isprintable()).strip(". ")
    return plain[-_MAX_FILENAME:] or _DEFAULT_FILENAME


def _checked_media_type(media_type: str) -> str:
    kind = media_type.partition(";")[0].strip().lower()
    if kind in _UNKNOWN_MEDIA_TYPES:
        return _DEFAULT_MEDIA_TYPE
    if kind not in _MEDIA_TYPES:
        raise TranscriptionError(
            TranscriptionProblem.INVALID_AUDIO_FORMAT,
            f"Unsupported audio format: {media_type[:80]}. Supported: {', '.join(_MEDIA_TYPES)}",
        )
    return media_type


def _invalid(message: str) -> TranscriptionError:
    return TranscriptionError(TranscriptionProblem.INVALID_REQUEST, message)
