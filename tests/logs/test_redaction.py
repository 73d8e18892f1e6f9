"""What is hidden in a text, and what is not."""

from __future__ import annotations

import pytest

from copilotkit_runtime_py.logs.redaction import is_secret_name, redact, secrets_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Incorrect API key provided: sk-proj-Ab3dEf6hIjKl.", "Incorrect API key provided: sk-***."),
        ("Incorrect API key provided: sk-ab***********wxyz", "Incorrect API key provided: sk-***"),
        (
            "no -----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAA==\n-----END RSA PRIVATE KEY-----\nfor TLS",
            "no -----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nfor TLS",
        ),
        (
            r'{"key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----"}',
            '{"key": "-----BEGIN OPENSSH PRIVATE KEY-----***-----END OPENSSH PRIVATE KEY-----"}',
        ),
        ("cut off: -----BEGIN PRIVATE KEY-----\nMIIEvQ", "cut off: -----BEGIN PRIVATE KEY-----***"),
        ("key sk-ant-api03-Ab3dEf6hIjKl-_x rejected", "key sk-*** rejected"),
        ("ck_pub_0123456789abcdef", "ck_***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        (
            "{'authorization': 'Bearer abcdef', 'x-page': '1'}",
            "{'authorization': 'Bearer ***', 'x-page': '1'}",
        ),
        ("(b'Authorization', b'Basic YW5uOnNlc2FtZQ==')", "(b'Authorization', b'Basic ***')"),
        ("sent Bearer abc123def to the agent", "sent Bearer *** to the agent"),
        ("Cookie: session=abc; theme=dark\nHost: x", "Cookie: ***\nHost: x"),
        ("'set-cookie': 'session=abc; Path=/'", "'set-cookie': '***'"),
        ("x-api-key=abcdefgh&page=2", "x-api-key=***&page=2"),
        ('{"api_key": "abcdefgh", "model": "m"}', '{"api_key": "***", "model": "m"}'),
        ("GET /?access_token=abcdefgh&page=2", "GET /?access_token=***&page=2"),
        (
            "could not connect to postgresql://ann:sesame@db/threads",
            "could not connect to postgresql://ann:***@db/threads",
        ),
        ("redis://:sesame@cache:6379/0", "redis://:***@cache:6379/0"),
        ("host=db user=ann password=sesame", "host=db user=ann password=***"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA***"),
        ("ghp_0123456789abcdefghij", "ghp_***"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "eyJ***"),
    ],
)
def test_what_has_the_form_of_a_credential_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 4096 tokens: 5000 tokens are too many.",
        "max_tokens=4096",
        "The author is authorized. The basic idea, and the bearer of news.",
        "Connect to http://127.0.0.1:8000/api/copilotkit?page=2",
        "mail ann@example.com: see https://example.com/a:b",
        "a risk-averse task-based sk-learn-pipeline",
        "thread 0f8fad5b-d9cb-469f-a165-70867728950e is busy",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_value_that_is_known_to_be_secret_is_hidden_wherever_it_stands() -> None:
    assert redact("no user opensesame at opensesame.example", ["opensesame"]) == "no user *** at ***.example"


def test_a_value_too_short_to_be_secret_is_not_looked_for() -> None:
    assert redact("page 1 of 12", ["1"]) == "page 1 of 12"


def test_names_tell_which_values_are_secret() -> None:
    names = [
        "authorization",
        "Cookie",
        "x-api-key",
        "accessToken",
        "csrf_token",
        "dbPassword",
        "client_secret",
    ]
    assert [name for name in names if not is_secret_name(name)] == []
    others = ["x-page", "model", "max_tokens", "author", "keyboard", "x-request-id"]
    assert [name for name in others if is_secret_name(name)] == []


def test_secrets_are_found_in_nested_properties() -> None:
    properties = {"user": {"name": "Ann", "vault": {"apiKey": "k-1"}}, "authorization": "Bearer t-1", "n": 1}
    assert sorted(filter(None, secrets_in(properties))) == ["Bearer t-1", "k-1", "t-1"]


def test_a_long_text_is_searched_in_linear_time() -> None:
    # Each of these takes hours where a pattern goes back to every earlier place.
    for piece in (
        "a-",
        "a.",
        "cookie ",
        "eyJaaaaa.",
        "sk-",
        "a://b:",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
    ):
        redact(piece * 200_000)
