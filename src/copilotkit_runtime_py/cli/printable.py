"""Text of others on a terminal, which obeys control characters."""

from __future__ import annotations


def printable(text: str) -> str:
    """Returns a text of any number of lines with what a terminal would obey replaced."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


def in_a_line(text: str) -> str:
    """Returns a text as one line, with what a terminal would obey replaced."""
    return printable(" ".join(text.split()))
