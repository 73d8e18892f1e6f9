"""Flows and crews with models that count their tool calls anew in each answer, over both contracts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, listen, start
from crewai.flow.persistence import SQLiteFlowPersistence, persist
from crewai.tools import tool

from copilotkit_runtime_py import CopilotRuntime
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.protocols.agui.served import Served
from tests.providers.parity.contracts import CONTRACTS, Chat
from tests.providers.test_repeated_calls import CONFIRM, ID, check_thread

from .scripted import MARKS, Part, ScriptedLLM, calling

pytestmark = MARKS
contracts = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


def script(messages: list[dict[str, Any]]) -> list[Part]:
    last = messages[-1]
    if last["role"] == "tool":
        return [f"I heard {last['content']}"]
    return [calling(ID, "confirm", json.dumps({"q": last["content"]}))]


def asks() -> type[Flow[CopilotKitState]]:
    class Asks(Flow[CopilotKitState]):
        @start()
        async def answer(self) -> None:
            model = ScriptedLLM(model="s", script=script)
            said = await model.acall(self.state.messages, tools=self.state.copilotkit["actions"])
            key = "content" if isinstance(said, str) else "tool_calls"
            self.state.messages.append({"role": "assistant", "content": "", key: said})

    return Asks


def runs_itself() -> type[Flow[CopilotKitState]]:
    class RunsItself(Flow[CopilotKitState]):
        @start()
        async def question(self) -> None:
            said = await ScriptedLLM(model="s", script=script).acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": "", "tool_calls": said})

        @listen(question)
        def confirm(self) -> None:
            call = self.state.messages[-1]["tool_calls"][0]
            content = f"{json.loads(call['function']['arguments'])['q']} yes"
            self.state.messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})

        @listen(confirm)
        async def answer(self) -> None:
            said = await ScriptedLLM(model="s", script=script).acall(self.state.messages)
            self.state.messages.append({"role": "assistant", "content": said})

    return RunsItself


def remembering(flow: type[Flow[Any]], folder: Path) -> Any:
    return persist(SQLiteFlowPersistence(str(folder / "flows.db")))(flow)


remembers = pytest.mark.parametrize("remembers", [False, True])


@contracts
@remembers
async def test_the_user_answers_each_call_of_a_frontend_tool(
    contract: type[Chat], remembers: bool, tmp_path: Path
) -> None:
    flow = remembering(asks(), tmp_path) if remembers else asks()
    served = Served(CopilotRuntime({"agent": CrewAIProvider(flow)}))
    chat = contract(served, "agent", tools=[CONFIRM])
    for question, answer in [("one?", "yes"), ("two?", "no")]:
        (call,) = (await chat.say(question)).calls
        chat.add_result(call, answer)
        assert (await chat.run()).texts == [f"I heard {answer}"]
    await check_thread(served, [("one?", "yes"), ("two?", "no")])


@contracts
@remembers
async def test_the_results_of_a_flows_own_tools_come_live_and_stay(
    contract: type[Chat], remembers: bool, tmp_path: Path
) -> None:
    flow = remembering(runs_itself(), tmp_path) if remembers else runs_itself()
    served = Served(CopilotRuntime({"agent": CrewAIProvider(flow)}))
    chat = contract(served, "agent")
    for question in ("one?", "two?", "three?"):
        answer = await chat.say(question)
        assert answer.results == [(answer.calls[0][0], f"{question} yes")]
        assert answer.texts == [f"I heard {question} yes"]
    await check_thread(served, [(q, f"{q} yes") for q in ("one?", "two?", "three?")])


@contracts
async def test_the_server_answers_each_call_of_a_backend_action(contract: type[Chat]) -> None:
    runtime = CopilotRuntime({"agent": CrewAIProvider(asks())})
    runtime.action(name="confirm")(lambda q: f"{q} yes")
    served = Served(runtime)
    chat = contract(served, "agent")
    for question in ("one?", "two?"):
        answer = await chat.say(question)
        assert answer.results == [(answer.calls[0][0], f"{question} yes")]
        assert answer.texts == [f"I heard {question} yes"]
    await check_thread(served, [("one?", "one? yes"), ("two?", "two? yes")])


@contracts
async def test_the_tools_of_a_crews_agents_have_their_results(contract: type[Chat]) -> None:
    @tool("confirm")
    def confirm(q: str) -> str:
        """Confirms a question."""
        return f"{q} yes"

    def crew_script(messages: list[dict[str, Any]]) -> list[Part]:
        if messages[-1]["role"] == "tool":
            return [f"I heard {messages[-1]['content']}"]
        question = messages[-1]["content"].rpartition("User: ")[2].partition("\n")[0]
        return [calling(ID, "confirm", json.dumps({"q": question.strip()}))]

    model = ScriptedLLM(model="s", script=crew_script)
    agent = Agent(role="Clerk", goal="g", backstory="b", llm=model, tools=[confirm])
    crew = Crew(agents=[agent], tasks=[Task(description="Answer.", expected_output="Text.", agent=agent)])
    served = Served(CopilotRuntime({"agent": CrewAIProvider(crew)}))
    chat = contract(served, "agent")
    for question in ("one?", "two?"):
        answer = await chat.say(question)
        assert answer.results == [(answer.calls[0][0], f"{question} yes")]
    await check_thread(served, [("one?", "one? yes"), ("two?", "two? yes")])
