"""Suggestions: the page asks the agent what the user may want to say next."""

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Call, Turn, call, scripted

TOPICS = {
    "Kyoto": ["When do the cherries bloom?", "Which temples are quiet?"],
    "Iceland": ["When can I see the aurora?", "Do I need a jeep?"],
}


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    said = " ".join(message.text for message in turn.messages)
    place = next((place for place in TOPICS if place in said), None)
    if "copilotkitSuggest" in turn.tools:
        questions = TOPICS[place] if place else [f"Tell me about {each}" for each in TOPICS]
        return call(
            "copilotkitSuggest",
            suggestions=[{"title": question, "message": question} for question in questions],
        )
    if place is None:
        return "Where do you want to go?"
    return f"{place} is a good choice. Ask me anything." if place in turn.asked else "Late March, most years."


agent = ChatProvider(scripted(answer))
