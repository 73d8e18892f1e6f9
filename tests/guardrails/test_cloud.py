"""A server that speaks CopilotKit Cloud's protocol, on this machine."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from copilotkit_runtime_py.guardrails import (
    CloudValidator,
    GuardrailInput,
    GuardrailMessage,
    Guardrails,
    Verdict,
)
from tests.scripted_agent import ScriptedAgent, Step

pytestmark = pytest.mark.anyio

KEY = "ck_pub_planted_4d2f81"
PATH = "guardrails/validate"


def says(body: Any, status: int = 200, **headers: str) -> list[Step]:
    text = body if isinstance(body, str) else json.dumps(body)
    return [{"http": {"status": status, "body": text, "headers": headers}}]


@pytest.fixture
def cloud() -> Iterator[ScriptedAgent]:
    with ScriptedAgent() as server:
        yield server


@asynccontextmanager
async def asking(cloud: ScriptedAgent, **options: Any) -> AsyncIterator[Guardrails]:
    guardrails = Guardrails(CloudValidator(KEY, base_url=cloud.base_url), **options)
    yield guardrails
    await guardrails.aclose()


async def test_the_server_is_asked_in_the_clouds_words(cloud: ScriptedAgent) -> None:
    cloud.play(PATH, says({"status": "allowed"}))
    history = [
        GuardrailMessage(role="user", content="hello"),
        GuardrailMessage(role="assistant", content="Hi!"),
    ]
    async with asking(cloud, allow=["cats"], deny=["politics"]) as guardrails:
        assert await guardrails.judge("Who won?", history) == Verdict(allowed=True)
    (call,) = cloud.calls
    assert call.input == {
        "input": "Who won?",
        "validTopics": ["cats"],
        "invalidTopics": ["politics"],
        "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "Hi!"}],
    }
    assert call.headers["x-copilotcloud-public-api-key"] == KEY
    assert call.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"status": "allowed", "reason": "fine"}, Verdict(allowed=True, reason="fine")),
        ({"status": "denied", "reason": "no cars"}, Verdict(allowed=False, reason="no cars")),
        ({"status": "denied"}, Verdict(allowed=False)),
        ({"status": "denied", "reason": {"a": 1}}, Verdict(allowed=False)),
    ],
)
async def test_the_answer_is_the_verdict(answer: Any, verdict: Verdict, cloud: ScriptedAgent) -> None:
    cloud.play(PATH, says(answer))
    validator = CloudValidator(KEY, base_url=cloud.base_url)
    assert await validator.validate(GuardrailInput(text="cars")) == verdict
    await validator.aclose()


@pytest.mark.parametrize(
    "script",
    [
        says({"error": KEY}, 500),
        says({"status": "allowed"}, 401),
        says({"status": "allowed"}, 204),
        says("<html>" + KEY),
        says("[]"),
        says({"status": "maybe", "key": KEY}),
        says({"status": "allowed", "reason": "x" * 70_000}),
        [{"drop": True}],
        [{"raw": '{"status": '}, {"destroy": True}],
        [{"hang": True}],
    ],
    ids=["500", "401", "204", "html", "list", "unknown", "flood", "dropped", "cut", "silent"],
)
@pytest.mark.parametrize(("on_outage", "verdict"), [("deny", None), ("allow", Verdict(allowed=True))])
async def test_any_other_answer_is_an_outage_and_tells_no_key(
    script: list[Step],
    on_outage: Any,
    verdict: Verdict | None,
    cloud: ScriptedAgent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    cloud.play(PATH, script)
    silent = {"hang": True} in script
    async with asking(cloud, on_outage=on_outage, timeout=0.2 if silent else 10) as guardrails:
        assert await guardrails.judge("hi", ()) == verdict
    assert "could not be checked" in caplog.text
    assert KEY not in caplog.text


async def test_a_server_that_cannot_be_reached_is_an_outage(cloud: ScriptedAgent) -> None:
    validator = CloudValidator(KEY, base_url="http://127.0.0.1:1")
    assert await Guardrails(validator).judge("hi", ()) is None
    with pytest.raises(httpx.ConnectError):
        await validator.validate(GuardrailInput(text="hi"))
    await validator.aclose()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_follows_no_redirect(status: int, cloud: ScriptedAgent) -> None:
    with ScriptedAgent({PATH: says({"status": "allowed"})}) as elsewhere:
        cloud.play(PATH, says("", status, location=elsewhere.url(PATH)))
        async with asking(cloud) as guardrails:
            assert await guardrails.judge("hi", ()) is None
        assert elsewhere.calls == []


async def test_the_key_passes_no_proxy_of_the_environment(
    cloud: ScriptedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.play(PATH, says({"status": "allowed"}))
    with ScriptedAgent() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with asking(cloud) as guardrails:
            assert await guardrails.judge("hi", ()) == Verdict(allowed=True)
        assert proxy.calls == []


async def test_a_closed_validator_connects_anew(cloud: ScriptedAgent) -> None:
    cloud.play(PATH, says({"status": "allowed"}))
    async with asking(cloud) as guardrails:
        await guardrails.aclose()
        assert await guardrails.judge("hi", ()) == Verdict(allowed=True)


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(CloudValidator(KEY))
    with pytest.raises(ValueError, match="key has characters") as raised:
        CloudValidator(f"{KEY}\n")
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", "http://me:hunter2@127.0.0.1"])
def test_a_wrong_url_is_refused_without_its_credentials(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be an http\(s\) URL") as raised:
        CloudValidator(KEY, base_url=url)
    assert "hunter2" not in str(raised.value)
