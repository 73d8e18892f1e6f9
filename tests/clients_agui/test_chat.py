"""A plain chat model as the default agent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.clients.conftest import Serve
from tests.clients_agui.browser import CORE_CLIENTS, only
from tests.clients_agui.conftest import Visit
from tests.clients_agui.view import assistant, shown, user
from tests.providers.chat.scripted import ScriptedModel, calls

pytestmark = pytest.mark.clients

WANTED = {"instructions": "Be brief.", "minSuggestions": 1, "maxSuggestions": 2, "available": "always"}
TOLD = [{"title": "Hi", "message": "Say hi"}, {"title": "Bye", "message": "Say bye"}]
SUGGEST = "copilotkitSuggest"


def greet_or_suggest(options: dict[str, Any]) -> Sequence[Any]:
    if options.get("tool_choice") == SUGGEST:
        text = json.dumps({"suggestions": TOLD})
        return calls("s1", SUGGEST, text[:20], text[20:])
    return ["Hel", "lo"]


def test_a_model_answers_and_remembers_what_the_page_has(serve: Serve, visit: Visit) -> None:
    model = ScriptedModel(chunks=greet_or_suggest)
    page = visit(serve({"default": model}))
    page.send("hi", thread="t1")
    view = page.send("again", id="u2", thread="t1")
    first, second = (message["id"] for message in view["messages"][1::2])
    assert first != second
    assert view == shown(
        user("hi"), assistant("Hello", first), user("again", "u2"), assistant("Hello", second)
    )
    assert model.asked == [
        [HumanMessage("hi")],
        [HumanMessage("hi"), AIMessage("Hello"), HumanMessage("again")],
    ]


@only(*CORE_CLIENTS)
def test_a_model_suggests_what_to_say(serve: Serve, visit: Visit) -> None:
    page = visit(serve({"default": ScriptedModel(chunks=greet_or_suggest)}), suggestions=WANTED)
    before = page.send("hi", thread="t1")
    assert page.do("suggestions") == [{**suggestion, "isLoading": False} for suggestion in TOLD]
    assert page.view() == before
