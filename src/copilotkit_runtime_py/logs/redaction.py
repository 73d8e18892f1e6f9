"""Removes credentials from logs, traces and error responses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

HIDDEN: Final = "***"

# Shorter values would blot out ordinary words.
_SHORTEST: Final = 6
# How deep to look into nested properties.
_DEPTH: Final = 4

_SECRET_NAME: Final = re.compile(
    r"authorization|cookie|passw|secret|credential|(?:api|access|private|cloud)[-_]?key|token$"
    r"|(?:^|[-_])(?:jwt|auth|pwd)$",
    re.IGNORECASE,
)

# What has the form of a credential. Of each match the named group stays, and the rest is hidden.
_FORMS: Final = re.compile(
    "|".join(
        (
            # scheme://user:password@host
            r"(?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,200}:)[^\s/@]{1,500}(?=@)",
            # PEM, with line ends or with `\\n` as in JSON, and also without its end
            r"(?P<pem>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)[\s\S]*?(?=-----END |\Z)",
            # Cookie: a=b; c=d
            r"(?P<cookie>cookie[\"']?\s*[:=,]\s*(?:b?[\"'])?)[^\"'\r\n]+",
            # Authorization: Bearer abc, "api_key": "abc", password=abc, (b'x-api-key', b'abc')
            r"(?P<name>(?:authorization|passw(?:or)?d|secret|credentials?|(?:api|access|private)[-_]?key|token)"
            r"(?:[\"']\s*[:,]|\s*[:=])\s*(?:b?[\"'])?(?:(?:bearer|basic|token)\s+)?)[^\s\"',;&)}\]]{4,}",
            r"(?P<scheme>\b(?:bearer|basic)\s+)(?=\S*[0-9._=+/~-])[\w.~+/=-]{6,}",
            # keys of OpenAI, Anthropic, CopilotKit, Stripe, LangSmith, GitHub, GitLab, Slack, Hugging Face
            r"(?P<key>\b(?:sk|pk|rk|ck|ck_pub|lsv2|gh[a-z]|github_pat|glpat|xox[a-z]|hf)[-_])"
            r"(?=[\w*-]{0,200}[0-9*])[\w*-]{8,}",
            # keys of AWS and Google
            r"(?P<id>\b(?:AKIA|ASIA|AIza))[\w-]{12,}",
            # a JSON web token
            r"(?P<jwt>\beyJ)[\w-]{5,}\.[\w-]{5,}\.[\w-]*",
        )
    ),
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether what bears this name, such as a header or a property, is a credential."""
    return _SECRET_NAME.search(name) is not None


def secrets_in(values: Mapping[Any, Any], depth: int = _DEPTH) -> Iterator[str]:
    """Yields the credentials among headers or properties, by their names, nested ones included."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            if depth:
                yield from secrets_in(value, depth - 1)
        elif isinstance(value, str) and is_secret_name(str(name)):
            yield value
            yield value.partition(" ")[2]  # of `Bearer abc` the abc alone


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Returns a string without credentials.

    Args:
        text: any text, such as the message of an exception.
        secrets: what to hide besides whatever has the form of a credential.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    return _FORMS.sub(_hidden, text)


def redact_json(value: Any, *, keep: Collection[str] = ()) -> Any:
    """Returns a JSON value without credentials: those in its strings, and those that its names announce.

    Args:
        value: the value, which is not changed.
        keep: the names of members to leave as they are, such as ids.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redact_json(item, keep=keep) for item in value]
    if isinstance(value, dict):
        return {
            name: item
            if name in keep
            else HIDDEN
            if isinstance(item, str) and is_secret_name(name)
            else redact_json(item, keep=keep)
            for name, item in value.items()
        }
    return value


def _hidden(match: re.Match[str]) -> str:
    return match[match.lastgroup or 0] + HIDDEN
