"""Words and patterns as guardrails."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from .base import GuardrailInput, Verdict

_WORD: Final = re.compile(r"[^\W_]+")
# Invisible characters: controls, and what Unicode calls default ignorable, such as joiners, marks of
# direction, selectors of a variation, and tags.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Unicode normalization sorts each run of combining marks, in a time that grows with the square of its length.
# No script stacks so many (Unicode Standard Annex #15, "Stream-Safe Text Format").
_MAX_MARKS: Final = 30
_LONG_RUN: Final = re.compile(rf"[^\w\s\x00-\x7f]{{{_MAX_MARKS + 1},}}")
# A part of a message that does not end inside a word, if possible. Normalization holds the interpreter
# lock, and makes up to 18 characters of one.
_PART: Final = re.compile(
    r"(?s).{1,4096}(?<=[\s!-/:-@\[-`{-~\u2000-\u206f\u3000-\u303f])|.{1,4096}",
)
# A text of more characters is judged in a thread.
_LONG: Final = 2_000
# Strokes and dots that make no letter of their own of the one before them.
_MARKS: Final = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")


class RuleValidator:
    """Looks for words and patterns. It calls no model, so it is fast, and it does not understand meaning.

    A topic counts as one that the message is about where its words stand in the message, whole and in this
    order; case, punctuation, invisible characters and how a character is composed make no difference. Letters
    of another script that look alike are other letters. Languages that put no spaces between words need
    patterns.

    Args:
        allow: a message must match one of these, if there are any, besides naming one of the allowed topics.
        deny: a message must match none of these, neither as it is nor in common characters (NFKC), besides
            naming no denied topic.
        reason: what the user reads of a denial.
        max_characters: a longer message is denied.
    """

    def __init__(
        self,
        *,
        allow: Iterable[re.Pattern[str]] = (),
        deny: Iterable[re.Pattern[str]] = (),
        reason: str = "This topic is not allowed here.",
        max_characters: int = 100_000,
    ) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._max_characters = max_characters
        self._denied = Verdict(allowed=False, reason=reason)

    async def validate(self, input: GuardrailInput) -> Verdict:
        """Returns the verdict."""
        if len(input.text) > self._max_characters:
            return Verdict(allowed=False, reason="This message is too long.")
        if len(input.text) > _LONG:
            return await asyncio.to_thread(self._judge, input)
        return self._judge(input)

    def _judge(self, input: GuardrailInput) -> Verdict:
        text = _visible(input.text)
        plain = _plain(text)
        words = _words(plain)
        if any(_is_in(topic, words) for topic in input.deny):
            return self._denied
        if any(pattern.search(form) for pattern in self._deny for form in (text, plain)):
            return self._denied
        if input.allow and not any(_is_in(topic, words) for topic in input.allow):
            return self._denied
        if self._allow and not any(pattern.search(text) for pattern in self._allow):
            return self._denied
        return Verdict(allowed=True)


def _is_in(topic: str, words: str) -> bool:
    named = _words(_plain(_visible(topic)))
    return bool(named.strip()) and named in words


def _visible(text: str) -> str:
    """Returns a message without invisible characters."""
    return _LONG_RUN.sub(_with_few_marks, _INVISIBLE.sub("", text))


def _with_few_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for char in run[0]:
        marks = marks + 1 if unicodedata.category(char).startswith("M") else 0
        if marks <= _MAX_MARKS:
            kept.append(char)
    return "".join(kept)


def _plain(text: str) -> str:
    """Returns a message in common characters (NFKC), without marks."""
    return "".join(_MARKS.sub("", unicodedata.normalize("NFKC", part)) for part in _PART.findall(text))


def _words(text: str) -> str:
    """Returns the words of a message in one form, with a space around each."""
    return f" {' '.join(word[0] for word in _WORD.finditer(text.casefold()))} "
