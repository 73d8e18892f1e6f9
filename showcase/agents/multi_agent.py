"""Several agents on one page: each has a name, by which the page asks for it, and threads of its own."""

from copilotkit_runtime_py.providers.chat import ChatProvider

from ..scripted import Turn, scripted


def draft(turn: Turn) -> str:
    """What a real model would come up with by itself."""
    return "Our new kettle is very unique. It boils water quickly and it is also very quiet in its operation."


def edit(turn: Turn) -> str:
    """What a real model would come up with by itself."""
    return (
        "*Unique* has no degrees, and *very* does no work here. I would say: "
        "**Our new kettle boils fast and makes no noise about it.**"
    )


agents = {
    "writer": ChatProvider(scripted(draft), description="Writes first drafts."),
    "editor": ChatProvider(scripted(edit), description="Makes them shorter."),
}
