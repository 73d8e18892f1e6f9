"""The demo agent once more, as a CrewAI flow with a scripted model: chat, tools, shared state and a question.

copilotkit-runtime-py serve --agent demo=copilotkit_runtime_py.demo.crew:DemoFlow
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ..providers.crewai import CopilotKitState  # first: it keeps CrewAI from calling home

# isort: split
from crewai import BaseLLM
from crewai.events.types.llm_events import LLMCallType
from crewai.flow.flow import Flow, listen, router, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from crewai.llms.base_llm import llm_call_context
from pydantic import Field

WELCOME = (
    "Hello! I am a CrewAI flow that follows a script, so I need no key. Ask me for the weather in a city, to "
    "add something to your list, to paint your page, or to book a table."
)


class ScriptedLLM(BaseLLM):
    """Answers by keyword, and calls the tools that it is offered.

    Attributes:
        delay: seconds between two tokens.
    """

    delay: float = 0.03

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Answers at once."""
        return asyncio.run(self.acall(*args, **kwargs))

    async def acall(
        self,
        messages: Any,
        tools: Any = None,
        callbacks: Any = None,
        available_functions: Any = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        """Streams an answer: text, or the calls of tools."""
        with llm_call_context():
            self._emit_call_started_event(messages, tools, from_task=from_task, from_agent=from_agent)
            answer = _reply(messages, [tool["function"] for tool in tools or ()])
            for text in re.findall(r"\S+\s*", answer) if isinstance(answer, str) else ():
                await asyncio.sleep(self.delay)
                self._emit_stream_chunk_event(text, from_task, from_agent)
            kind = LLMCallType.LLM_CALL if isinstance(answer, str) else LLMCallType.TOOL_CALL
            self._emit_call_completed_event(answer, kind, from_task, from_agent)
            return answer


def _reply(messages: list[Mapping[str, Any]], tools: list[Mapping[str, Any]]) -> str | list[dict[str, Any]]:
    last = messages[-1]
    text = str(last.get("content") or "")
    if last["role"] == "tool":
        return text or "Done."
    asked = text.lower()
    if "weather" in asked:
        place = re.search(r"\bin ([\w\s'-]+)", asked)
        return _call("get_weather", location=(place[1] if place else "Paris").strip().title())
    if item := re.search(r"\badd (.+?) to (?:my|the|our) (?:shopping )?list", asked):
        return _call("add_item", item=item[1])
    if re.search(r"\bbook\b.*\btable\b", asked):
        people = re.search(r"\d+", asked)
        return _call("book_table", people=int(people[0]) if people else 2)
    if colour := re.search(r"(?:make|turn|paint|set)\b.*\b(\w+)\W*$", asked):
        for tool in tools:
            if re.search("colou?r|background|theme", tool["name"], re.IGNORECASE):
                argument = next(iter(tool["parameters"].get("properties", {})), "color")
                return _call(tool["name"], **{argument: colour[1]})
        return "Your page has given me no tool to change its colour."
    return WELCOME


def _call(name: str, **arguments: Any) -> list[dict[str, Any]]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return [{"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": function}]


class DemoState(CopilotKitState):
    """The conversation, the list that the flow shares with the page, and how many the table is for."""

    items: list[str] = Field(default_factory=list)
    people: int = 0


model = ScriptedLLM(model="scripted")


class DemoFlow(Flow[DemoState]):
    """Chats, uses tools here and in the page, and asks before it books."""

    @start()
    async def talk(self) -> str:
        """Lets the model answer and runs the tools that it calls; a call of a page's tool ends the run."""
        tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in self._tools()]
        while True:
            answer = await model.acall(self.state.messages, [*tools, *self.state.copilotkit["actions"]])
            if isinstance(answer, str):
                self.state.messages.append({"role": "assistant", "content": answer})
                return "answered"
            self.state.messages.append({"role": "assistant", "content": "", "tool_calls": answer})
            called = answer[0]["function"]
            if called["name"] not in self._tools():
                return "handed over"
            result = self._tools()[called["name"]](**json.loads(called["arguments"]))
            self.state.messages.append({"role": "tool", "tool_call_id": answer[0]["id"], "content": result})
            if called["name"] == "book_table":
                return "found a table"

    @router(talk)
    def decide(self, outcome: str) -> str:
        """Goes on where there is something to book."""
        return outcome

    @listen("found a table")
    @human_feedback(message="Shall I book it? (yes or no)")
    def propose(self) -> str:
        """Asks before it books."""
        return f"I have found a table for {self.state.people}."

    @listen(propose)
    def book(self, answer: HumanFeedbackResult) -> None:
        """Books, or does not."""
        agreed = answer.feedback.strip().lower() in ("yes", "y", "true", "ok", "confirm")
        text = "It is booked. Enjoy your meal!" if agreed else "All right, I have not booked anything."
        self.state.messages.append({"role": "assistant", "content": text})

    def _tools(self) -> dict[str, Callable[..., str]]:
        return {"get_weather": self._weather, "add_item": self._add, "book_table": self._look_for_table}

    def _weather(self, location: str) -> str:
        return f"It is 21 °C and sunny in {location}."

    def _add(self, item: str) -> str:
        self.state.items.append(item)
        count = len(self.state.items)
        return f"I have put {item} on your list. It has {count} item{'s' if count > 1 else ''} now."

    def _look_for_table(self, people: int) -> str:
        self.state.people = people
        return "There is one. Now the user has to confirm."
