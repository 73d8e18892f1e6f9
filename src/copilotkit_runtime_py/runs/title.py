"""The title of a thread that its owner has not named."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

_LENGTH: Final = 60
# A message may be long. No more of it is looked at.
_READ: Final = 2000


def title_of(messages: Iterable[Mapping[str, Any]]) -> str | None:
    """Returns the beginning of the first message in which the user writes something, in one line.

    Args:
        messages: a conversation, as AG-UI messages in JSON form.

    Returns:
        At most 60 characters, or None if the user has written nothing.
    """
    for message in messages:
        if message["role"] == "user" and (line := _line(message.get("content"))):
            return line if len(line) <= _LENGTH else f"{_whole_words(line[: _LENGTH - 1])}…"
    return None


def _line(content: Any) -> str:
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part["text"].lstrip()[:_READ] for part in parts if isinstance(part.get("text"), str)]
    shown = "".join(each for each in " ".join(texts)[:_READ] if each.isspace() or not _is_control(each))
    return " ".join(shown.split())


def _is_control(character: str) -> bool:
    """Whether a character has no place in a line: a control character, or one that turns its direction."""
    return (
        unicodedata.category(character) == "Cc"
        or "\u202a" <= character <= "\u202e"
        or ("\u2066" <= character <= "\u2069")
    )


def _whole_words(line: str) -> str:
    """Returns a line without the word that was cut, unless that is most of the line."""
    words = line.rpartition(" ")[0]
    return words if len(words) > _LENGTH // 2 else line.rstrip()
