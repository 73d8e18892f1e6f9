"""A flow that runs a tool itself and leaves another one to the page."""

import json
from typing import Any

from crewai.flow.flow import Flow, start

from copilotkit_runtime_py.providers.crewai import CopilotKitState

from ...animal import say
from ...models import words
from ..models import Messages, call, model


def script(messages: Messages) -> Any:
    last = messages[-1]
    if last["role"] == "user":
        return [*words("Let me look. "), *call("look_up", city="Rome")]
    if "sunny" in last["content"]:
        return call("paint", colour="yellow")
    return words("Painted and done.")


llm = model(script)


class Works(Flow[CopilotKitState]):
    @start()
    async def work(self) -> None:
        while True:
            said = await llm.acall(self.state.messages)
            if isinstance(said, str):
                self.state.messages.append({"role": "assistant", "content": said})
                return
            self.state.messages.append({"role": "assistant", "content": "", "tool_calls": said})
            called = said[0]
            if called["function"]["name"] != "look_up":
                return
            city = json.loads(called["function"]["arguments"])["city"]
            result = {"role": "tool", "tool_call_id": called["id"], "content": f"sunny in {city}"}
            self.state.messages.append(result)


def agent() -> Any:
    return Works


tools = {"paint": lambda arguments: f"painted {arguments['colour']}"}
chat = [say("Rome?", shows="Painted and done.")]
