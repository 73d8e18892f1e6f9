"""Threads: the runtime stores them, and the page lists, names, archives and deletes them."""

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Turn, scripted


def answer(turn: Turn) -> str:
    """What a real model would come up with by itself."""
    asked = sum(message.type == "human" for message in turn.messages)
    return f"Noted. This is message {asked} of our conversation."


agent = ChatProvider(scripted(answer))
