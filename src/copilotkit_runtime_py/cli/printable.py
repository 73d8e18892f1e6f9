"""Text of others on a terminal, which obeys control characters."""

from __future__ import annotations


def printable(text: str) -> str:
    """Returns a string with terminal control characters replaced, but for line ends."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


def in_a_line(text: str) -> str:
    """Returns a string as one line, with terminal control characters replaced."""
    return printable(" ".join(text.split()))
