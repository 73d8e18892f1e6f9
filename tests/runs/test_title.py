"""The titles of threads."""

from typing import Any

import pytest

from copilotkit_runtime_py.runs.title import title_of


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("hello", "hello"),
        ("  two\nlines\t\x1b[31m\u202e ", "two lines [31m"),
        ("word " * 30, f"{'word ' * 10}word…"),
        ("x" * 60, "x" * 60),
        ("x" * 61, f"{'x' * 59}…"),
        ("今日は" * 30, f"{'今日は' * 19}今日…"),
        ("a " + "x" * 100, f"a {'x' * 57}…"),
        ("\n" * 5000 + "late", "late"),
        ([{"type": "text", "text": "see"}, {"type": "image"}, {"type": "text", "text": "this"}], "see this"),
        ([{"type": "image"}], "later"),
        (" \n", "later"),
        (None, "later"),
    ],
)
def test_a_title_is_the_beginning_of_the_first_message_that_the_user_writes(content: Any, title: str) -> None:
    messages = [
        {"id": "s", "role": "system", "content": "Be brief."},
        {"id": "1", "role": "user", "content": content},
        {"id": "2", "role": "user", "content": "later"},
    ]

    assert title_of(messages) == title
    assert len(title) <= 60


def test_without_a_message_of_the_user_there_is_no_title() -> None:
    assert title_of([]) is None
    assert title_of([{"id": "1", "role": "assistant", "content": "Welcome!"}]) is None
