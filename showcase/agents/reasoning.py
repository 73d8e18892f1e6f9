"""Reasoning: the model thinks before it answers."""

from langchain.agents import create_agent

from ..scripted import Thought, Turn, scripted


def answer(turn: Turn) -> list[str | Thought]:
    """What a real model would come up with by itself."""
    return [
        Thought(
            "The tempting answer is ten cents. But then the bat costs 1.10 and both together 1.20. "
            "Let the ball cost x. Then x + (x + 1.00) = 1.10, so 2x = 0.10."
        ),
        "The ball costs **five cents**. The bat costs 1.05, which is one more, and together they are 1.10.",
    ]


# With a real model: `init_chat_model("anthropic:claude-sonnet-4-5", thinking={...})`.
agent = create_agent(scripted(answer))
