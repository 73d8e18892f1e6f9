"""Speech to text."""

from __future__ import annotations

from typing import Any

import pytest

from copilotkit_runtime_py import Limits, Recording, TranscriptionError, TranscriptionProblem
from tests.protocols.agui.served import Served, serve

pytestmark = pytest.mark.anyio


class Listener:
    """Says what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.heard: list[Recording] = []

    async def transcribe(self, recording: Recording) -> str:
        self.heard.append(recording)
        if self.error is not None:
            raise self.error
        return "hello"


def form(*parts: tuple[str, bytes], boundary: str = "frontier") -> tuple[bytes, dict[str, str]]:
    """A multipart form and its content type."""
    lines = [
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (boundary.encode(), head.encode(), data)
        for head, data in parts
    ]
    body = b"".join(lines) + b"--%b--\r\n" % boundary.encode()
    return body, {"content-type": f"multipart/form-data; boundary={boundary}"}


def audio(
    data: bytes, media_type: str = "audio/webm;codecs=opus", filename: str = "a.webm"
) -> tuple[str, bytes]:
    return f'name="audio"; filename="{filename}"\r\nContent-Type: {media_type}', data


async def post(served: Served, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    return await served.json(served.request("POST", "/transcribe", body, headers))


async def test_a_recording_comes_as_a_form_as_frontends_on_rest_paths_send_it() -> None:
    listener = Listener()
    async with serve({}, transcription_service=listener) as served:
        answer = await post(served, *form(audio(b"sound")))
    assert answer == (200, {"text": "hello", "size": 5, "type": "audio/webm;codecs=opus"})
    assert listener.heard == [
        Recording(data=b"sound", filename="a.webm", media_type="audio/webm;codecs=opus")
    ]


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("data", ["c291bmQ=", "data:audio/wav;base64,c291bmQ="])
async def test_a_recording_comes_as_json(single: bool, data: str) -> None:
    listener = Listener()
    body = {"audio": data, "mimeType": "audio/wav"}
    async with serve({}, transcription_service=listener) as served:
        answer = (
            await served.json(served.envelope("transcribe", body=body))
            if single
            else await post(served, body)
        )
    assert answer == (200, {"text": "hello", "size": 5, "type": "audio/wav"})
    assert listener.heard == [Recording(data=b"sound", filename="recording.webm", media_type="audio/wav")]


@pytest.mark.parametrize("media_type", ["", "application/octet-stream"])
async def test_a_recording_of_an_unknown_type_is_taken_for_what_browsers_record(media_type: str) -> None:
    async with serve({}, transcription_service=Listener()) as served:
        status, answer = await post(served, *form(audio(b"sound", media_type)))
    assert (status, answer["type"]) == (200, "audio/webm")


async def test_without_a_service_the_answer_says_so() -> None:
    async with serve({}) as served:
        assert await post(served, {"audio": "c291bmQ=", "mimeType": "audio/wav"}) == (
            503,
            {
                "error": "service_not_configured",
                "message": "Transcription service is not configured",
                "retryable": False,
            },
        )


@pytest.mark.parametrize(
    ("problem", "status", "retryable"),
    [
        (TranscriptionProblem.INVALID_AUDIO_FORMAT, 400, False),
        (TranscriptionProblem.AUDIO_TOO_LONG, 400, False),
        (TranscriptionProblem.AUDIO_TOO_SHORT, 400, False),
        (TranscriptionProblem.RATE_LIMITED, 429, True),
        (TranscriptionProblem.AUTH_FAILED, 401, False),
        (TranscriptionProblem.NETWORK_ERROR, 502, True),
        (TranscriptionProblem.PROVIDER_ERROR, 500, False),
    ],
)
async def test_what_a_service_reports_reaches_the_frontend(
    problem: TranscriptionProblem, status: int, retryable: bool
) -> None:
    service = Listener(TranscriptionError(problem, "Sorry."))
    async with serve({}, transcription_service=service) as served:
        answer = await post(served, *form(audio(b"sound")))
    assert answer == (status, {"error": problem.value, "message": "Sorry.", "retryable": retryable})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("sk-secret"), 500, "provider_error"),
        (ConnectionError("sk-secret"), 502, "network_error"),
    ],
)
async def test_an_exception_of_a_service_says_nothing(error: Exception, status: int, code: str) -> None:
    async with serve({}, transcription_service=Listener(error)) as served:
        answered, answer = await post(served, *form(audio(b"sound")))
    assert (answered, answer["error"]) == (status, code)
    assert "sk-secret" not in answer["message"]


BROKEN_FORM = (b"--frontier\r\nbroken", {"content-type": "multipart/form-data; boundary=frontier"})


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (({"mimeType": "audio/wav"},), "invalid_request"),
        (({"audio": "c291bmQ="},), "invalid_request"),
        (({"audio": "no base64!", "mimeType": "audio/wav"},), "invalid_request"),
        (({"audio": "c291bmQ=", "mimeType": "video/mp4"},), "invalid_audio_format"),
        ((["audio"],), "invalid_request"),
        ((b"{bad",), "invalid_request"),
        ((b"x", {"content-type": "text/plain"}), "invalid_request"),
        ((b"x", {"content-type": "multipart/form-data"}), "invalid_request"),
        (BROKEN_FORM, "invalid_request"),
        (form(('name="audio"', b"a text")), "invalid_request"),
        (form(('name="other"; filename="a"', b"x")), "invalid_request"),
        (form(audio(b"x", "video/mp4")), "invalid_audio_format"),
        (form(*[audio(b"x")] * 2), "invalid_request"),
        (form(*[(f'name="f{number}"', b"x") for number in range(10_000)]), "invalid_request"),
        (form(('name="field"', b"x" * 1_000_000)), "invalid_request"),
    ],
)
async def test_what_is_no_recording_is_refused(request_: tuple[Any, ...], code: str) -> None:
    listener = Listener()
    async with serve({}, transcription_service=listener) as served:
        status, answer = await post(served, *request_)
    assert (status, answer["error"], answer["retryable"]) == (400, code, False)
    assert listener.heard == []


async def test_a_recording_beyond_the_limit_is_refused() -> None:
    body, headers = form(audio(b"x" * 2000))
    limits = Limits(request_bytes=1000)
    async with (
        serve({}, transcription_service=Listener(), limits=limits) as served,
        served.request("POST", "/transcribe", body, headers) as exchange,
    ):
        assert exchange.status == 413


@pytest.mark.attack(57)
@pytest.mark.parametrize(
    ("filename", "bare"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\autoexec.bat", "autoexec.bat"),
        ("..", "recording.webm"),
        ("a\u202egpj.webm", "agpj.webm"),
        ("x" * 300 + ".webm", "x" * 250 + ".webm"),
    ],
)
async def test_a_service_gets_no_path_but_a_name(filename: str, bare: str) -> None:
    listener = Listener()
    async with serve({}, transcription_service=listener) as served:
        await post(served, {"audio": "eA==", "mimeType": "audio/webm", "filename": filename})
        name = filename.encode().decode("latin-1")
        await post(served, *form(audio(b"x", filename=name.replace("\\", "\\\\"))))
    assert [recording.filename for recording in listener.heard][:1] == [bare]
    assert not any(set(recording.filename) & set("/\\") for recording in listener.heard)
