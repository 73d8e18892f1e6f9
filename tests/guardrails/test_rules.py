import re
import threading
import unicodedata
from typing import Any

import pytest

from copilotkit_runtime_py.guardrails import GuardrailInput, RuleValidator, Verdict

pytestmark = pytest.mark.anyio

ALLOWED = Verdict(allowed=True)
DENIED = Verdict(allowed=False, reason="This topic is not allowed here.")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("What do you think of politics?", DENIED),
        ("POLITICS!", DENIED),
        ("poli\u200btics", DENIED),
        ("\uff50\uff4f\uff4c\uff49\uff54\uff49\uff43\uff53", DENIED),  # full-width letters
        ("poli\u2066t\u2069ics", DENIED),  # marks of direction
        ("poli\ufe0ftics", DENIED),  # a selector of a variation
        ("poli\U000e0074tics", DENIED),  # a tag
        ("poli\u3164tics", DENIED),  # a filler
        ("p\u0336o\u0336l\u0336itics", DENIED),  # struck through
        ("poli\x00tics", DENIED),
        ("a *credit*\ncard, please", DENIED),
        ("a _credit_ __card__", DENIED),
        ("geopolitics", ALLOWED),
        ("credit for the card", ALLOWED),
        ("", ALLOWED),
    ],
)
async def test_a_denied_topic_is_found_as_whole_words(text: str, verdict: Verdict) -> None:
    asked = GuardrailInput(text=text, deny=("Politics", "credit card"))
    assert await RuleValidator().validate(asked) == verdict


async def test_a_message_names_one_of_the_allowed_topics_and_none_of_the_denied() -> None:
    validator = RuleValidator()

    async def judged(text: str) -> bool:
        return (
            await validator.validate(GuardrailInput(text=text, allow=("cats", "dogs"), deny=("wolves",)))
        ).allowed

    assert await judged("Do dogs dream?")
    assert not await judged("Are dogs wolves?")
    assert not await judged("hello")


async def test_a_topic_without_words_is_about_nothing() -> None:
    validator = RuleValidator()
    assert await validator.validate(GuardrailInput(text="hello ???", deny=("???", ""))) == ALLOWED
    assert not (await validator.validate(GuardrailInput(text="hello ???", allow=("???",)))).allowed


async def test_patterns_hold_besides_the_topics() -> None:
    validator = RuleValidator(
        allow=[re.compile(r"\d")], deny=[re.compile(r"\b\d{16}\b")], reason="No numbers."
    )

    async def judged(text: str, *allow: str) -> Verdict:
        return await validator.validate(GuardrailInput(text=text, allow=allow))

    assert await judged("order 42") == ALLOWED
    assert await judged("my order") == Verdict(allowed=False, reason="No numbers.")
    assert not (await judged("4111\u200b111111111111")).allowed
    assert not (await judged("order 42", "refund")).allowed
    assert not (await judged("refund", "refund")).allowed
    assert (await judged("refund 42", "refund")).allowed


@pytest.mark.parametrize("text", ["sk-1", "\uff53\uff4b-1", "s\u2060k-1", "s\u0336k-1"])
async def test_a_denied_pattern_is_found_however_its_characters_are_written(text: str) -> None:
    validator = RuleValidator(deny=[re.compile(r"sk-\d")])
    assert await validator.validate(GuardrailInput(text=f"my key is {text}")) == DENIED


async def test_a_pattern_of_the_client_is_only_words() -> None:
    asked = GuardrailInput(text="aaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", deny=("(a+)+$", ".*"))
    assert await RuleValidator().validate(asked) == ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0316" * 40_000,
        "a" + "\u0591\u05b0" * 40_000,  # Hebrew accents and points
        "a" + "\u0f73" * 40_000,  # of class 0, and made of marks
        "\ufdfa" * 40_000,  # 18 letters each
        "a" * 80_000,
        "word " * 16_000,
    ],
    ids=["marks", "hebrew", "tibetan", "ligatures", "one word", "words"],
)
async def test_a_long_text_is_normalized_in_a_thread_and_in_short_parts(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[str] = []
    threads: set[threading.Thread] = set()
    normalize = unicodedata.normalize

    def spy(form: Any, part: str) -> str:
        if len(part) > 20:  # the topics are shorter
            parts.append(part)
            threads.add(threading.current_thread())
        return normalize(form, part)

    monkeypatch.setattr("unicodedata.normalize", spy)
    validator = RuleValidator()

    assert await validator.validate(GuardrailInput(text=text, deny=("politics",))) == ALLOWED
    assert await validator.validate(GuardrailInput(text=f"{text} politics", deny=("politics",))) == DENIED

    assert max(map(len, parts)) <= 4096
    assert not any(re.search(r"[^\w\s\x00-\x7f]{31}", part) for part in parts)
    assert threading.current_thread() not in threads


async def test_parts_of_a_long_text_end_where_words_do() -> None:
    validator = RuleValidator()
    for before in range(4_000, 4_200):
        text = "-" * before + " credit-card" + "." * 100
        assert await validator.validate(GuardrailInput(text=text, deny=("credit card",))) == DENIED


async def test_a_letter_hidden_under_marks_is_still_that_letter() -> None:
    asked = GuardrailInput(text="poli" + "\u0336" * 5_000 + "tics", deny=("politics",))
    assert await RuleValidator().validate(asked) == DENIED


async def test_a_message_that_is_too_long_to_be_judged_is_denied() -> None:
    too_long = Verdict(allowed=False, reason="This message is too long.")
    assert await RuleValidator().validate(GuardrailInput(text="a" * 100_001)) == too_long
    assert await RuleValidator(max_characters=3).validate(GuardrailInput(text="long")) == too_long
    assert await RuleValidator(max_characters=4).validate(GuardrailInput(text="long")) == ALLOWED
