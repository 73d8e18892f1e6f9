"""A chat over each of the two contracts, as a frontend has it, through the ASGI application."""

from __future__ import annotations

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from copilotkit_runtime_py.agui.reducer import Transcript
from tests.clients.driver import chat as graphql_variables
from tests.clients.exchange import DOCUMENTS
from tests.clients.wire import ROOT, check_stream, merge, multipart
from tests.protocols.agui.exchange import Exchange
from tests.protocols.agui.served import Served, run_body
from tests.well_formed import check_models
from tests.well_formed import check_stream as check_events

Message = dict[str, Any]


@dataclass
class Answer:
    """What a frontend got in one run.

    Attributes:
        texts: the assistant's messages.
        calls: the tool calls: id, name and arguments.
        results: the results of tools on the server: id of the call and content.
        steps: the names of the steps that the frontend was told of, each once.
        state: the agent's state at the end, None if it was not told.
        question: what the agent wants to know before it goes on.
        failure: what is told of a failure.
    """

    texts: list[str] = field(default_factory=list)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    results: list[tuple[str, str]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    state: Any = None
    question: str | None = None
    failure: str | None = None


class Chat(ABC):
    """One chat with one agent on a thread, which keeps the conversation as frontends do."""

    def __init__(
        self, served: Served, agent: str, thread: str = "t1", *, tools: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.served = served
        self.agent = agent
        self.thread = thread
        self.tools = tools
        self.state: Any = {}
        self.context: list[dict[str, str]] = []
        self.properties: dict[str, Any] = {}
        self.conversation: list[Message] = []
        self._runs = itertools.count(1)

    async def say(self, text: str) -> Answer:
        """Sends a message."""
        self._add_words(text)
        return await self.run()

    async def say_until(self, text: str, heard: str) -> None:
        """Sends a message, and presses stop as soon as something was heard."""
        self._add_words(text)
        async with self.exchange() as exchange:
            body = b""
            async for chunk in exchange.chunks():
                body += chunk
                if heard.encode() in body:
                    break
            await self.press_stop()

    @abstractmethod
    async def run(self, answer: Any = None) -> Answer:
        """Runs the agent, if given with the answer to its question."""

    @abstractmethod
    def exchange(self, answer: Any = None) -> Exchange:
        """The request that `run` makes."""

    @abstractmethod
    async def press_stop(self) -> None:
        """Stops the run whose answer is being read."""

    @abstractmethod
    def add_result(self, call: tuple[str, str, Any], content: str) -> None:
        """Adds the result of a tool of the frontend."""

    @abstractmethod
    def _add_words(self, text: str) -> None: ...

    async def query(self, name: str, **variables: Any) -> Any:
        body = {"operationName": name, "query": DOCUMENTS[name], "variables": variables}
        status, answer = await self.served.json(
            self.served.request("POST", "", body, {"accept": "application/json"})
        )
        assert (status, answer.get("errors")) == (200, None)
        return answer["data"][name]

    async def loaded(self) -> tuple[list[tuple[str, str]], Any]:
        """What a page that is loaded again gets: role and text of the messages, and the state."""
        loaded = await self.query("loadAgentState", data={"threadId": self.thread, "agentName": self.agent})
        messages = [(m["role"], m.get("content") or "") for m in json.loads(loaded["messages"])]
        return messages, json.loads(loaded["state"])


class AGUIChat(Chat):
    """A chat of `@ag-ui/client`."""

    def _add_words(self, text: str) -> None:
        self.conversation.append({"id": f"u{len(self.conversation)}", "role": "user", "content": text})

    def add_result(self, call: tuple[str, str, Any], content: str) -> None:
        id, _, _ = call
        self.conversation.append({"id": f"{id}-result", "role": "tool", "toolCallId": id, "content": content})

    def exchange(self, answer: Any = None) -> Exchange:
        command = {} if answer is None else {"command": {"resume": answer}}
        body = run_body(self.thread, f"r{next(self._runs)}", self.conversation)
        more = {"tools": list(self.tools), "context": self.context, "state": self.state}
        props = {"forwardedProps": {**self.properties, **command}}
        return self.served.agent("run", self.agent, {**body, **more, **props})

    async def run(self, answer: Any = None) -> Answer:
        events = await self.served.events(self.exchange(answer))
        check_events(events)
        check_models(events)
        transcript = Transcript(self.conversation, self.state)
        for event in events:
            transcript.add(event)
        self.conversation = transcript.result().messages
        heard = _heard(events)
        if any(event["type"] == "STATE_DELTA" for event in events):
            heard.state = transcript.result().state
        self.state = self.state if heard.state is None else heard.state
        return heard

    async def press_stop(self) -> None:
        status, answer = await self.served.json(self.served.stop(self.agent, self.thread))
        assert (status, answer["stopped"]) == (200, True)


def _heard(events: list[dict[str, Any]]) -> Answer:
    heard = Answer()
    arguments: dict[str, str] = {}
    names: dict[str, str] = {}
    for event in events:
        match event["type"]:
            case "TEXT_MESSAGE_START":
                heard.texts.append("")
            case "TEXT_MESSAGE_CONTENT":
                heard.texts[-1] += event["delta"]
            case "TOOL_CALL_START":
                names[event["toolCallId"]] = event["toolCallName"]
            case "TOOL_CALL_ARGS":
                arguments[event["toolCallId"]] = arguments.get(event["toolCallId"], "") + event["delta"]
            case "TOOL_CALL_RESULT":
                heard.results.append((event["toolCallId"], event["content"]))
            case "STEP_STARTED":
                heard.steps.append(event["stepName"])
            case "STATE_SNAPSHOT":
                heard.state = event["snapshot"]
            case "CUSTOM" if event["name"] == "on_interrupt":
                heard.question = event["value"]
            case "RUN_FINISHED" if interrupts := event.get("outcome", {}).get("interrupts"):
                heard.question = interrupts[0]["message"]
            case "RUN_ERROR":
                heard.failure = event["message"]
    heard.calls = [(id, name, json.loads(arguments[id])) for id, name in names.items()]
    heard.steps = list(dict.fromkeys(heard.steps))
    return heard


class GraphQLChat(Chat):
    """A chat of CopilotKit's own client, before AG-UI."""

    question: str | None = None

    def _add(self, id: str, **kind: Any) -> None:
        self.conversation.append({"id": id, "createdAt": "2026-01-01T00:00:00.000Z", **kind})

    def _add_words(self, text: str) -> None:
        self._add(f"u{len(self.conversation)}", textMessage={"content": text, "role": "user"})

    def add_result(self, call: tuple[str, str, Any], content: str) -> None:
        id, name, _ = call
        result = {"actionExecutionId": id, "actionName": name, "result": content}
        self._add(f"{id}-result", resultMessage=result)

    def exchange(self, answer: Any = None) -> Exchange:
        events = []
        if answer is not None:
            events = [{"name": "LangGraphInterruptEvent", "value": self.question, "response": answer}]
        actions = [
            {"name": t["name"], "description": t["description"], "jsonSchema": json.dumps(t["parameters"])}
            for t in self.tools
        ]
        variables = graphql_variables(self.agent, thread=self.thread)
        data = {
            "messages": self.conversation,
            "metaEvents": events,
            "frontend": {"actions": actions, "url": "http://localhost/"},
            "agentStates": [{"agentName": self.agent, "state": json.dumps(self.state)}],
            "context": self.context,
        }
        variables = {"data": {**variables["data"], **data}, "properties": self.properties}
        body = {"operationName": ROOT, "query": DOCUMENTS[ROOT], "variables": variables}
        return self.served.request("POST", "", body, {"accept": "multipart/mixed"})

    async def run(self, answer: Any = None) -> Answer:
        async with self.exchange(answer) as exchange:
            parts = multipart((await exchange.body()).decode())
        check_stream(parts)
        response = merge(parts)[ROOT]
        heard = Answer()
        for message in response["messages"]:
            self._hear(message, heard)
        if response["metaEvents"]:
            heard.question = self.question = response["metaEvents"][0]["value"]
        if response["status"]["code"] == "Failed":
            heard.failure = response["status"]["details"]["description"]
        heard.steps = list(dict.fromkeys(heard.steps))
        self.state = self.state if heard.state is None else heard.state
        return heard

    def _hear(self, message: dict[str, Any], heard: Answer) -> None:
        """Takes a message of the answer into the conversation, as the client does."""
        id = message["id"]
        match message["__typename"]:
            case "TextMessageOutput":
                text = "".join(message["content"])
                heard.texts.append(text)
                self._add(id, textMessage={"content": text, "role": message["role"]})
            case "ActionExecutionMessageOutput":
                arguments = "".join(message["arguments"])
                heard.calls.append((id, message["name"], json.loads(arguments)))
                self._add(id, actionExecutionMessage={"name": message["name"], "arguments": arguments})
            case "ResultMessageOutput":
                heard.results.append((message["actionExecutionId"], message["result"]))
                self.add_result((message["actionExecutionId"], message["actionName"], {}), message["result"])
            case "AgentStateMessageOutput":
                heard.steps += [message["nodeName"]] if message["nodeName"] else []
                heard.state = {
                    name: value
                    for name, value in json.loads(message["state"]).items()
                    if name not in ("messages", "copilotkit")
                }

    async def press_stop(self) -> None:
        """Does nothing: leaving is how this client stops a run."""


CONTRACTS: dict[str, type[Chat]] = {"agui": AGUIChat, "graphql": GraphQLChat}
