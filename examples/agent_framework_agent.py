r"""An agent of Microsoft's Agent Framework, in a server of its own. No API key is needed.

    uv run --no-project --with agent-framework-ag-ui --with uvicorn \
        uvicorn --app-dir examples agent_framework_agent:app

Then register its URL:

    copilotkit-runtime-py serve --agent echo=http://127.0.0.1:8000/

Its AG-UI package needs an older `ag-ui-protocol` than this runtime does: each has its own environment.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from agent_framework import Agent, BaseChatClient, ChatResponse, ChatResponseUpdate, Message, ResponseStream
from agent_framework.ag_ui import add_agent_framework_fastapi_endpoint
from fastapi import FastAPI


class Script(BaseChatClient):
    """Repeats the last message, word by word."""

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, **_: Any
    ) -> ResponseStream[ChatResponseUpdate, ChatResponse]:
        async def updates() -> AsyncIterator[ChatResponseUpdate]:
            for word in messages[-1].text.split():
                yield ChatResponseUpdate(role="assistant", contents=[{"type": "text", "text": f"{word} "}])

        return ResponseStream(updates(), finalizer=ChatResponse.from_updates)


# For a real model, put its client in the place of the script: OpenAIChatClient(...).
agent = Agent(client=Script(), name="echo")

app = FastAPI()
# With several users, pass an authorization_scope_resolver: the runtime forwards the page's headers.
add_agent_framework_fastapi_endpoint(app, agent, "/", single_user=True)
