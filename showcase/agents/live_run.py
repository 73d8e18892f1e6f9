"""A long answer: time to stop it, to reload the page, and to open the thread in a second browser.

There is nothing to do for that in the agent. A run belongs to the runtime and not to a connection.
"""

from langchain.agents import create_agent

from ..scripted import Turn, scripted


def answer(turn: Turn) -> str:
    """What a real model would come up with by itself."""
    floors = (f"Floor {number} of 60, {4 * number} metres up." for number in range(1, 61))
    return "I take the stairs.\n\n" + "\n\n".join(floors) + "\n\nOut of breath, but here."


agent = create_agent(scripted(answer, delay=0.05))
