from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("copilotkit_runtime_py.providers.crewai", exc_type=ImportError)

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, FlowState, listen, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from crewai.flow.persistence import SQLiteFlowPersistence, persist
from pydantic import Field

from copilotkit_runtime_py.context import RequestContext
from copilotkit_runtime_py.errors import AgentError, ConfigurationError
from copilotkit_runtime_py.providers.crewai import CopilotKitState, CrewAIProvider
from tests.providers.emitted import collect, interrupts, messages, of_type, snapshots, text_of

from .scripted import MARKS, ScriptedLLM, request, says, user

pytestmark = MARKS


class Draft(FlowState):
    messages: list[Any] = Field(default_factory=list)
    copilotkit: dict[str, Any] = Field(default_factory=dict)
    draft: str = ""
    verdicts: list[str] = Field(default_factory=list)


class Review(Flow[Draft]):
    """Writes a draft and asks what the user thinks of it."""

    @start()
    @human_feedback(message="Publish it?")
    def write(self) -> str:
        self.state.draft = "A draft"
        return "A draft"

    @listen(write)
    def publish(self, review: HumanFeedbackResult) -> None:
        self.state.verdicts.append(review.feedback)
        self.state.messages.append({"role": "assistant", "content": f"You said {review.feedback}"})


def resume(payload: Any, asked: list[dict[str, Any]], status: str = "resolved") -> dict[str, Any]:
    (interrupt,) = interrupts(asked)
    return {"resume": [{"interruptId": interrupt["id"], "status": status, "payload": payload}]}


async def test_feedback_is_an_interrupt_with_what_it_is_about() -> None:
    events = await collect(CrewAIProvider(Review), request(user("write")))

    announced, finished = events[-2:]
    id = finished["outcome"]["interrupts"][0]["id"]
    assert announced == {"type": "CUSTOM", "name": "on_interrupt", "value": "Publish it?"}
    assert finished == {
        "type": "RUN_FINISHED",
        "threadId": "t",
        "runId": "r",
        "outcome": {
            "type": "interrupt",
            "interrupts": [
                {
                    "id": id,
                    "reason": "crewai:human_feedback",
                    "message": "Publish it?",
                    "metadata": {"crewai": {"methodName": "write", "output": "A draft", "emit": []}},
                }
            ],
        },
    }
    assert text_of(events) == "A draft"
    assert [m["content"] for m in messages(events)] == ["write", "A draft"]
    assert snapshots(events)[-1] == {"draft": "A draft", "verdicts": []}
    assert [e["stepName"] for e in of_type(events, "STEP_STARTED", "STEP_FINISHED")] == ["write", "write"]


async def test_what_the_model_has_just_said_is_not_said_again_for_review() -> None:
    model = says("A ", "draft")

    class Writes(Flow[CopilotKitState]):
        @start()
        @human_feedback(message="Good?")
        async def write(self) -> str:
            return str(await model.acall("write"))

    events = await collect(CrewAIProvider(Writes), request(user("write")))

    assert text_of(events) == "A draft"


async def test_the_answer_resumes_the_flow() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")))

    events = await collect(CrewAIProvider(Review), request(*messages(asked), **resume("fine", asked)))

    assert text_of(events) == "You said fine"
    assert snapshots(events)[-1] == {"draft": "A draft", "verdicts": ["fine"]}
    assert [m["content"] for m in messages(events)] == ["write", "A draft", "You said fine"]
    assert messages(events)[:2] == messages(asked)
    assert interrupts(events) == []


async def test_an_old_clients_answer_resumes_the_flow() -> None:
    await collect(CrewAIProvider(Review), request(user("write")))

    events = await collect(CrewAIProvider(Review), request(forwardedProps={"command": {"resume": "fine"}}))

    assert text_of(events) == "You said fine"


async def test_an_object_is_answered_as_json_text() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")))

    events = await collect(CrewAIProvider(Review), request(**resume({"ok": True}, asked)))

    assert text_of(events) == 'You said {"ok":true}'


async def test_a_cancelled_question_is_an_empty_answer() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")))

    events = await collect(CrewAIProvider(Review), request(**resume(None, asked, "cancelled")))

    assert snapshots(events)[-1]["verdicts"] == [""]


async def test_a_word_of_the_user_beside_the_answer_joins_the_conversation() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")))

    events = await collect(
        CrewAIProvider(Review), request(*messages(asked), user("thanks", "u2"), **resume("ok", asked))
    )

    assert [m["content"] for m in messages(events)] == ["write", "A draft", "thanks", "You said ok"]


async def test_a_plain_message_starts_anew_and_the_question_lapses() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")))

    again = await collect(CrewAIProvider(Review), request(*messages(asked), user("rather not", "u2")))

    assert interrupts(again)[0]["id"] != interrupts(asked)[0]["id"]
    with pytest.raises(AgentError, match="no open question"):
        await collect(CrewAIProvider(Review), request(**resume("late", asked)))


async def test_an_answer_to_no_question_is_refused() -> None:
    entry = {"interruptId": "x", "status": "resolved", "payload": "yes"}
    with pytest.raises(AgentError, match="no open question"):
        await collect(CrewAIProvider(Review), request(resume=[entry]))


async def test_nobody_answers_anothers_question() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")), RequestContext(owner="ada"))

    for context, thread in [(RequestContext(owner="eve"), "t"), (RequestContext(owner="ada"), "t2")]:
        with pytest.raises(AgentError, match="no open question"):
            await collect(CrewAIProvider(Review), request(thread=thread, **resume("ok", asked)), context)


async def test_a_pending_question_is_in_the_snapshot() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")))

    snapshot = await CrewAIProvider(Review).snapshot("t", RequestContext())

    assert snapshot is not None
    assert (snapshot.state, snapshot.messages, snapshot.interrupts) == (
        {"draft": "A draft", "verdicts": []},
        messages(asked),
        interrupts(asked),
    )


async def test_an_answered_question_is_not_in_the_snapshot() -> None:
    asked = await collect(CrewAIProvider(Review), request(user("write")))
    await collect(CrewAIProvider(Review), request(**resume("ok", asked)))

    assert await CrewAIProvider(Review).snapshot("t", RequestContext()) is None


async def test_outcomes_are_offered_and_the_models_reading_of_the_answer_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = says("approved")
    monkeypatch.setattr("crewai.flow.runtime._resolve_llm_instance", lambda llm: judge)

    class Judged(Flow[CopilotKitState]):
        @start()
        @human_feedback(message="Publish?", emit=["approved", "rejected"], llm="named/model")
        def write(self) -> str:
            return "A draft"

        @listen("approved")
        def publish(self) -> None:
            self.state.messages.append({"role": "assistant", "content": "Published."})

    asked = await collect(CrewAIProvider(Judged), request(user("write")))
    events = await collect(CrewAIProvider(Judged), request(**resume("go ahead", asked)))

    assert interrupts(asked)[0]["responseSchema"] == {"type": "string", "enum": ["approved", "rejected"]}
    assert len(judge.calls) == 1
    assert text_of(events) == "Published."


async def test_a_flow_may_ask_twice() -> None:
    class Twice(Flow[Draft]):
        @start()
        @human_feedback(message="First?")
        def first(self) -> str:
            return "one"

        @listen(first)
        @human_feedback(message="Second?")
        def second(self, review: HumanFeedbackResult) -> str:
            self.state.verdicts.append(review.feedback)
            return "two"

        @listen(second)
        def end(self, review: HumanFeedbackResult) -> None:
            self.state.verdicts.append(review.feedback)

    first = await collect(CrewAIProvider(Twice), request(user("go")))
    second = await collect(CrewAIProvider(Twice), request(**resume("a", first)))
    events = await collect(CrewAIProvider(Twice), request(**resume("b", second)))

    assert [event["value"] for event in of_type([*first, *second], "CUSTOM")] == ["First?", "Second?"]
    assert snapshots(events)[-1]["verdicts"] == ["a", "b"]


async def test_a_flow_with_persistence_and_arguments_is_resumed(tmp_path: Path) -> None:
    @persist(SQLiteFlowPersistence(str(tmp_path / "flows.db")))
    class Signed(Flow[Draft]):
        def __init__(self, author: str, **fields: Any) -> None:
            super().__init__(**fields)
            self.author = author

        @start()
        @human_feedback(message="Publish it?")
        def write(self) -> str:
            return f"A draft by {self.author}"

        @listen(write)
        def publish(self, review: HumanFeedbackResult) -> None:
            self.state.messages.append({"role": "assistant", "content": f"Signed, {self.author}"})

    provider = CrewAIProvider(Signed("Ada"))
    asked = await collect(provider, request(user("write")))
    events = await collect(provider, request(**resume("ok", asked)))
    snapshot = await provider.snapshot("t", RequestContext())

    assert text_of(asked) == "A draft by Ada"
    assert text_of(events) == "Signed, Ada"
    assert snapshot is not None
    assert snapshot.messages == messages(events)


async def test_a_flow_that_asks_on_the_console_is_refused() -> None:
    class Greets(Flow[CopilotKitState]):
        @start()
        def greet(self) -> str:
            return self.ask("Your name?") or "nobody"

    with pytest.raises(ConfigurationError, match=r"Flow\.ask\(\) asks on the console"):
        await collect(CrewAIProvider(Greets), request(user("hi")))


async def test_a_task_that_asks_on_the_console_is_refused() -> None:
    model: ScriptedLLM = says("An answer")
    agent = Agent(role="Writer", goal="Write", backstory="You write.", llm=model)
    task = Task(description="{user_message}", expected_output="text", agent=agent, human_input=True)

    with pytest.raises(ConfigurationError, match="human_input=True"):
        await collect(CrewAIProvider(Crew(agents=[agent], tasks=[task])), request(user("hi")))

    assert len(model.calls) == 1
