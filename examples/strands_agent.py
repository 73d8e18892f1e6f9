r"""A Strands agent, in its AG-UI adapter. No API key is needed: its model follows a script.

    uv run --no-dev --with ag-ui-strands \
        copilotkit-runtime-py serve --agent echo=examples/strands_agent.py:echo
"""

from collections.abc import AsyncIterator
from typing import Any, NoReturn

from ag_ui_strands import StrandsAgent
from strands import Agent
from strands.models import Model


class Script(Model):
    """Repeats the last message, word by word."""

    async def stream(self, messages: list[Any], *_: Any, **__: Any) -> AsyncIterator[Any]:
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": {}}}
        for word in messages[-1]["content"][-1]["text"].split():
            yield {"contentBlockDelta": {"delta": {"text": f"{word} "}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn"}}

    def get_config(self) -> dict[str, Any]:
        return {}

    def update_config(self, **_: Any) -> None:
        pass

    def structured_output(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError


# For a real model, leave it out (Bedrock), or take one of strands.models.
echo = StrandsAgent(agent=Agent(model=Script(), callback_handler=None), name="echo")
