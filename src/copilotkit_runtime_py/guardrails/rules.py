"""Words and patterns as guardrails."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from .base import GuardrailInput, Verdict

_WORD: Final = re.compile(r"[^\W_]+")
# Characters that nobody sees: controls, and what Unicode calls default ignorable, such as joiners, marks of
# direction, selectors of a variation, and tags.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Strokes and dots that make no letter of their own of the one before them.
_MARKS: Final = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")


class RuleValidator:
    """Looks for words and patterns. It asks nobody, so it costs no time, and it understands nothing.

    A topic counts as one that the message is about where its words stand in the message, whole and in this
    order; case, punctuation, invisible characters and how a character is composed make no difference. Letters
    of another script that look alike are other letters. Languages that put no spaces between words need
    patterns.

    Args:
        allow: a message must match one of these, if there are any, besides naming one of the allowed topics.
        deny: a message must match none of these, neither as it is nor in common characters (NFKC), besides
            naming no denied topic.
        reason: what the user reads of a denial.
    """

    def __init__(
        self,
        *,
        allow: Iterable[re.Pattern[str]] = (),
        deny: Iterable[re.Pattern[str]] = (),
        reason: str = "This topic is not allowed here.",
    ) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._denied = Verdict(allowed=False, reason=reason)

    async def validate(self, input: GuardrailInput) -> Verdict:
        """Returns the verdict."""
        text, words = _INVISIBLE.sub("", input.text), _words(input.text)
        forms = (text, _plain(text))
        if any(_is_in(topic, words) for topic in input.deny):
            return self._denied
        if any(pattern.search(form) for pattern in self._deny for form in forms):
            return self._denied
        if input.allow and not any(_is_in(topic, words) for topic in input.allow):
            return self._denied
        if self._allow and not any(pattern.search(text) for pattern in self._allow):
            return self._denied
        return Verdict(allowed=True)


def _is_in(topic: str, words: str) -> bool:
    named = _words(topic)
    return bool(named.strip()) and named in words


def _words(text: str) -> str:
    """Returns the words of a text in one form, with a space around each."""
    return f" {' '.join(_WORD.findall(_plain(text).casefold()))} "


def _plain(text: str) -> str:
    """Returns a text without what is there to be overlooked, its characters in their common form."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))
