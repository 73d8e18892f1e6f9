import asyncio
import logging
from typing import Any

import pytest

from copilotkit_runtime_py import RequestContext
from copilotkit_runtime_py.errors import ConfigurationError, InvalidRequestError
from copilotkit_runtime_py.guardrails import GuardrailInput, GuardrailMessage, Guardrails, Verdict
from copilotkit_runtime_py.guardrails.policy import Rules

pytestmark = pytest.mark.anyio


class Answers:
    """A validator that gives the answer it was made with, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[GuardrailInput] = []

    async def validate(self, input: GuardrailInput) -> Verdict:
        self.asked.append(input)
        if isinstance(self.answer, Exception):
            raise self.answer
        verdict: Verdict = self.answer(input) if callable(self.answer) else self.answer
        return verdict


async def test_the_rules_of_server_and_client_are_judged_apart() -> None:
    validator = Answers(Verdict(allowed=True))
    guardrails = Guardrails(validator, allow=["cats"], deny=["politics"])
    await guardrails.judge("hi", (), Rules(allow=("politics",), deny=("dogs",)))
    assert [(asked.allow, asked.deny) for asked in validator.asked] == [
        (("cats",), ("politics",)),
        (("politics",), ("dogs",)),
    ]


@pytest.mark.parametrize("asked", [None, Rules()])
async def test_without_rules_the_validators_own_apply(asked: Rules | None) -> None:
    validator = Answers(Verdict(allowed=True))
    assert await Guardrails(validator).judge("hi", (), asked) == Verdict(allowed=True)
    assert validator.asked == [GuardrailInput(text="hi")]


@pytest.mark.parametrize("denying", ["server", "client"])
async def test_one_denial_is_enough(denying: str) -> None:
    validator = Answers(
        lambda input: Verdict(allowed=denying not in input.allow, reason=f"says the {denying}")
    )
    guardrails = Guardrails(validator, allow=["server"])
    verdict = await guardrails.judge("hi", (), Rules(allow=("client",)))
    assert verdict == Verdict(allowed=False, reason=f"says the {denying}")


@pytest.mark.parametrize("answer", [RuntimeError("sk-secret-1"), None, True, {"allowed": True}])
@pytest.mark.parametrize(("on_outage", "verdict"), [("deny", None), ("allow", Verdict(allowed=True))])
async def test_without_a_verdict_the_outage_policy_decides(
    answer: Any, on_outage: Any, verdict: Verdict | None, caplog: pytest.LogCaptureFixture
) -> None:
    guardrails = Guardrails(Answers(answer), on_outage=on_outage)
    assert await guardrails.judge("what the user said", ()) == verdict
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "what the user said" not in caplog.text


async def test_a_verdict_that_does_not_come_is_an_outage() -> None:
    class Silent:
        async def validate(self, input: GuardrailInput) -> Verdict:
            await asyncio.Event().wait()
            raise AssertionError

    assert await Guardrails(Silent(), timeout=0.01).judge("hi", ()) is None


async def test_a_denial_counts_also_where_the_other_verdict_cannot_be_had() -> None:
    def answer(input: GuardrailInput) -> Verdict:
        if "broken" in input.allow:
            raise RuntimeError
        return Verdict(allowed=False, reason="no")

    guardrails = Guardrails(Answers(answer), allow=["broken"])
    assert await guardrails.judge("hi", (), Rules(allow=("fine",))) == Verdict(allowed=False, reason="no")


async def test_only_earlier_verdicts_on_the_same_conversation_are_remembered() -> None:
    validator = Answers(Verdict(allowed=True))
    guardrails = Guardrails(validator)
    history = [GuardrailMessage(role="assistant", content="Hello")]
    await guardrails.judge("hi", history)
    await guardrails.judge("hi", history, remembered=True)
    assert len(validator.asked) == 1
    await guardrails.judge("hi", (), remembered=True)
    await guardrails.judge("hi", history)
    assert len(validator.asked) == 3


async def test_an_outage_is_not_remembered() -> None:
    validator = Answers(RuntimeError())
    guardrails = Guardrails(validator)
    assert await guardrails.judge("hi", ()) is None
    validator.answer = Verdict(allowed=True)
    assert await guardrails.judge("hi", (), remembered=True) == Verdict(allowed=True)


def test_a_clients_rules_are_bounded() -> None:
    def rules(**asked: Any) -> Rules | None:
        return Rules.of_client(RequestContext(guardrails=asked))

    assert Rules.of_client(RequestContext()) is None
    assert rules() == Rules()
    assert rules(allow_list=["a"], deny_list=["b"]) == Rules(("a",), ("b",))
    assert rules(allow_list=["a" * 200] * 50, deny_list=["b"] * 50) is not None
    for asked in ({"allow_list": ["a"] * 51, "deny_list": ["b"] * 50}, {"deny_list": ["a" * 201]}):
        with pytest.raises(InvalidRequestError):
            rules(**asked)


@pytest.mark.parametrize("options", [{"on_outage": "ignore"}, {"allow": "cats"}, {"deny": "cats"}])
def test_a_wrong_set_up_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Guardrails(Answers(None), **options)


async def test_a_validator_that_holds_connections_is_closed() -> None:
    closed = []

    class Connected(Answers):
        async def aclose(self) -> None:
            closed.append(True)

    await Guardrails(Connected(None)).aclose()
    await Guardrails(Answers(None)).aclose()
    assert closed == [True]
