"""Speech to text, for a frontend's microphone button."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that a frontend sent.

    Attributes:
        data: the audio file.
        filename: the frontend's name for it, without directories.
        media_type: such as `audio/webm;codecs=opus`.
    """

    data: bytes
    filename: str
    media_type: str


class TranscriptionService(Protocol):
    """Transcribes recordings, for example by a speech model's API."""

    async def transcribe(self, recording: Recording) -> str:
        """Returns what is said in a recording.

        Raises:
            TranscriptionError: the client gets the problem. Any other exception is masked.
        """


class TranscriptionProblem(enum.StrEnum):
    """The errors that CopilotKit's frontends know (`TranscriptionErrorCode` of `@copilotkit/shared`)."""

    SERVICE_NOT_CONFIGURED = "service_not_configured"
    INVALID_REQUEST = "invalid_request"
    INVALID_AUDIO_FORMAT = "invalid_audio_format"
    AUDIO_TOO_LONG = "audio_too_long"
    AUDIO_TOO_SHORT = "audio_too_short"
    RATE_LIMITED = "rate_limited"
    AUTH_FAILED = "auth_failed"
    NETWORK_ERROR = "network_error"
    PROVIDER_ERROR = "provider_error"


class TranscriptionError(Exception):
    """A recording was not transcribed.

    Attributes:
        problem: the kind of failure.
        message: the text for the user.
    """

    def __init__(self, problem: TranscriptionProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem
        self.message = message
