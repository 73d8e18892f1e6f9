"""What must hold of every animal, whatever it does."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .page import GraphQLPage, Page, Shown


class Laws:
    """Watches a page, run by run.

    1. What was streamed stays: with the same id and text, in the same place, live and after a reload.
    2. Nothing internal shows.
    3. Every call has its one result, behind it, and the page has heard of it when it was there.
    4. The next message always works.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self._streamed: dict[tuple[str, str], Any] = {}
        self._results: set[str] = set()
        self._seen = 0

    def hold(self) -> None:
        """Checks what happened since the last time."""
        shown = self.page.shown()
        for run in self.page.runs[self._seen :]:
            assert run.error is None, f"law 4: {run.error}"
            self._hides(run.raw)
            for event in run.events:
                self._note(event)
        self._seen = len(self.page.runs)
        if isinstance(self.page, GraphQLPage):
            for each in (each for each in shown if each.kind != "user"):
                self._streamed[each.kind, each.id] = (
                    each.content.name if each.kind == "call" else each.content
                )
        self._stays(shown, "live")
        self._check_once(shown)
        _check_results(shown, "live")
        if not isinstance(self.page, GraphQLPage):
            sent = self._results_sent()
            unheard = [
                each.id for each in shown if each.kind == "result" and each.id not in self._results | sent
            ]
            assert not unheard, f"law 3: results without an event: {unheard}"

    async def hold_after_reload(self) -> None:
        """Checks that a page that is loaded again shows the same."""
        live, reloaded = self.page.shown(), await self.page.reloaded()
        self._stays(reloaded, "after a reload")
        _check_results(reloaded, "after a reload")
        if self.page.left:
            return  # what was on its way then is there now
        before, after = self._outline(live), self._outline(reloaded)
        gone, new = (
            [each for each in before if each not in after],
            [each for each in after if each not in before],
        )
        assert after == before, f"law 1: after a reload, {gone} became {new}"

    def forget(self) -> None:
        """The page has gone back to the user's last message."""
        kept = {(each.kind, each.id) for each in self.page.shown()}
        self._streamed = {key: value for key, value in self._streamed.items() if key in kept}

    def answers(self, shown_before: int) -> None:
        """Checks that the agent had something to say."""
        said = self.page.shown()[shown_before:]
        assert self.page.question is not None or any(each.kind != "user" for each in said), "law 4: no answer"

    def _results_sent(self) -> set[str]:
        return {
            each.id for each in self.page.shown() if each.kind == "result" and each.content in self._own()
        }

    def _own(self) -> set[Any]:
        calls = [each.content for each in self.page.shown() if each.kind == "call"]
        tools = self.page.animal.tools
        return {
            tools[call.name](call.arguments)
            for call in calls
            if call.name in tools and isinstance(call.arguments, dict)
        }

    def _note(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT":
                kind = "text" if event["type"].startswith("TEXT") else "reasoning"
                key = (kind, event["messageId"])
                self._streamed[key] = self._streamed.get(key, "") + event["delta"]
            case "TOOL_CALL_START":
                self._streamed["call", event["toolCallId"]] = event["toolCallName"]
            case "TOOL_CALL_RESULT":
                call = event["toolCallId"]
                assert call not in self._results, f"law 3: a second result of {call}"
                self._results.add(call)
                self._streamed["result", call] = event["content"]

    def _hides(self, raw: bytes) -> None:
        for text in self.page.animal.hidden:
            assert text.encode() not in raw, f"law 2: {text!r} shows"

    def _check_once(self, shown: list[Shown]) -> None:
        asked = sum(each.kind == "user" for each in shown)
        for text in self.page.animal.once:
            said = sum(each.kind == "text" and each.content == text for each in shown)
            assert said <= asked, f"law 1: {text!r} shows {said} times: {shown}"

    def _stays(self, shown: list[Shown], when: str) -> None:
        removed = self.page.animal.removed
        places = {(each.kind, each.id): place for place, each in enumerate(shown)}
        assert len(places) == len(shown), f"law 1: something is there twice {when}: {shown}"
        streamed = {
            key: value for key, value in self._streamed.items() if not any(t in str(value) for t in removed)
        }
        gone = {key: value for key, value in streamed.items() if key not in places}
        assert not gone, f"law 1: {gone} {'are' if len(gone) > 1 else 'is'} gone {when}: {shown}"
        for key, value in streamed.items():
            content = shown[places[key]].content
            content = content.name if key[0] == "call" else content
            assert content == value or (self.page.left and content.startswith(value)), (
                f"law 1: {key} changed {when}"
            )
        spoken = [places[key] for key in streamed if key[0] in ("text", "call")]
        assert spoken == sorted(spoken), f"law 1: another order {when}: {shown}"

    def _outline(self, shown: list[Shown]) -> list[tuple[str, str, str]]:
        """Returns what a page shows, the results last: they come in any order, late ones behind a message.

        A page of CopilotKit 1.x does not see that the agent takes something back, or changes the user's
        words.
        """
        parts = [(each.kind, each.id, str(each.content)) for each in shown]
        parts = [part for part in parts if not any(text in part[2] for text in self.page.animal.removed)]
        if isinstance(self.page, GraphQLPage):
            parts = [(kind, id, "" if kind == "user" else content) for kind, id, content in parts]
        results = sorted(part for part in parts if part[0] == "result")
        return [part for part in parts if part[0] != "result"] + results


def _check_results(shown: list[Shown], when: str) -> None:
    results = Counter(each.id for each in shown if each.kind == "result")
    assert all(count == 1 for count in results.values()), f"law 3: several results {when}: {results}"
    calls: set[str] = set()
    for each in shown:
        if each.kind == "call":
            calls.add(each.id)
        elif each.kind == "result":
            assert each.id in calls, f"law 3: a result before its call {when}"
