"""Words and patterns as guardrails."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from .base import GuardrailInput, Verdict

_WORD: Final = re.compile(r"\w+")
# Characters that nobody sees: soft hyphens, joiners, marks of direction, byte order marks.
_INVISIBLE: Final = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


class RuleValidator:
    """Looks for words and patterns. It asks nobody, so it costs no time, and it understands nothing.

    A topic counts as one that the message is about where its words stand in the message, whole and in this
    order; case, punctuation, and how a character is composed make no difference. Languages that put no
    spaces between words need patterns.

    Args:
        allow: a message must match one of these, if there are any, besides naming one of the allowed topics.
        deny: a message must match none of these, besides naming no denied topic.
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
        if any(_is_in(topic, words) for topic in input.deny) or any(p.search(text) for p in self._deny):
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
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return f" {' '.join(_WORD.findall(plain))} "
