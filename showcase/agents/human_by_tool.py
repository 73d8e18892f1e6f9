"""Human in the loop by a tool: the model calls a tool of the page, and the user's answer is its result."""

import json

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Call, Turn, call, scripted

STEPS = ["Back up the database", "Stop the old workers", "Migrate the tables", "Start the new workers"]


def answer(turn: Turn) -> str | Call:
    """What a real model would come up with by itself."""
    if not turn.results:
        return call("review_steps", title="Upgrade to version 2", steps=STEPS)
    steps = json.loads(turn.results[-1].text)["approved"]
    if not steps:
        return "Then I change nothing."
    return "I go ahead:\n\n" + "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


agent = ChatProvider(scripted(answer), instructions="Have the user review what you are going to do.")
