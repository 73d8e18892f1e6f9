"""The chat features of the showcase in Chromium, live and after a reload."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import FilePayload, expect

from .conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_the_agent_paints_the_page_and_sees_its_colour(open_tab: Open) -> None:
    tab = open_tab("chat")
    tab.press("Paint the page")
    expect(tab.get("canvas")).to_have_css("background-color", "rgb(230, 230, 250)")
    expect(tab.answers.last).to_contain_text("Done.")
    tab.say("Which colour has the page?")
    expect(tab.answers.last).to_contain_text("As far as I can see: lavender.")
    tab.picture("chat")
    tab.reload()
    expect(tab.answers.last).to_contain_text("As far as I can see: lavender.")
    # A reload repeats no call of a tool.
    expect(tab.get("canvas")).not_to_have_css("background-color", "rgb(230, 230, 250)")


def test_thoughts_stand_above_the_answer_and_can_be_read_again(open_tab: Open) -> None:
    tab = open_tab("reasoning")
    tab.press("A riddle")
    thoughts = tab.page.get_by_role("button", name="Thought for")
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("and together they are 1.10.")
        thoughts.click()
        expect(tab.page.get_by_text("The tempting answer is ten cents.")).to_be_visible()
        tab.picture("reasoning")
        tab.reload()


def test_what_subagents_say_stands_below_the_call_that_asked_them(open_tab: Open) -> None:
    tab = open_tab("subagents")
    tab.press("A panel about bees")
    for _ in range(2):
        expect(tab.answers.last).to_contain_text("There you are: one fact, one picture")
        expect(tab.page.locator("[data-testid=task][data-done=true] b")).to_have_text(
            ["Researcher", "Writer"]
        )
        shown = tab.get("copilot-message-list").inner_text()
        order = [
            "Researcher",
            "Bees see ultraviolet light.",
            "Writer",
            "A meadow is an airport",
            "There you are",
        ]
        places = [shown.index(words) for words in order]
        assert places == sorted(places)
        tab.picture("subagents")
        tab.reload()


def test_the_page_carries_a_draft_from_one_agent_to_the_other(open_tab: Open) -> None:
    tab = open_tab("multi_agent")
    tab.press("Advertise the kettle")
    writer, editor = (tab.page.get_by_role("region", name=name) for name in ("Writer", "Editor"))
    expect(writer.get_by_test_id("copilot-assistant-message")).to_contain_text("very unique")
    tab.press("Hand the draft over")
    for _ in range(2):
        expect(editor.get_by_test_id("copilot-user-message")).to_contain_text(
            "Please edit this: Our new kettle"
        )
        expect(editor.get_by_test_id("copilot-assistant-message")).to_contain_text("boils fast")
        expect(writer.get_by_test_id("copilot-user-message")).to_have_text(
            "Write a line about our new kettle"
        )
        tab.picture("multi_agent")
        tab.reload()


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAEElEQVR4nGM4EWADRww4OQA9jg/xmaHWXgAAAABJRU5ErkJggg=="
)


def test_files_are_uploaded_once_and_the_agent_gets_their_content(open_tab: Open) -> None:
    tab = open_tab("attachments")
    files: list[FilePayload] = [
        {"name": "dot.png", "mimeType": "image/png", "buffer": PNG},
        {"name": "poem.txt", "mimeType": "text/plain", "buffer": b"Roses are red,\nviolets are blue.\n"},
    ]
    tab.page.locator("input[type=file]").set_input_files(files)
    expect(tab.page.get_by_text("poem.txt")).to_be_visible()
    with tab.page.expect_request("**/agent/attachments/run") as sent:
        tab.say("What is this?")
    assert b"base64" not in (sent.value.post_data_buffer or b"")
    for _ in range(2):
        expect(tab.answers.last.get_by_role("listitem")).to_have_text(
            [
                f"A PNG picture of 4 by 3 pixels, {len(PNG)} bytes",
                "A text of 2 lines that begins with “Roses are red, violets are blu”",
            ]
        )
        picture = tab.asked.last.get_by_role("img").first
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") == 4
        tab.picture("attachments")
        tab.reload()


def test_a_recording_becomes_text_in_the_input(open_tab: Open) -> None:
    tab = open_tab("voice", permissions=["microphone"])
    tab.page.get_by_test_id("copilot-start-transcribe-button").click()
    expect(tab.page.get_by_test_id("copilot-finish-transcribe-button")).to_be_visible()
    tab.page.wait_for_timeout(1000)  # of a recording
    tab.picture("voice")
    tab.page.get_by_test_id("copilot-finish-transcribe-button").click()
    box = tab.page.get_by_placeholder("Type a message...")
    expect(box).to_have_value("How far is the moon?")
    box.press("Enter")
    for _ in range(2):
        expect(tab.asked.last).to_have_text("How far is the moon?")
        expect(tab.answers.last).to_contain_text("About 384,000 km")
        tab.reload()


def test_the_agent_suggests_what_to_ask_next(open_tab: Open) -> None:
    tab = open_tab("suggestions")
    tab.press("Tell me about Kyoto")
    suggestions = tab.page.get_by_test_id("copilot-suggestions").get_by_role("button")
    expect(suggestions).to_have_text(["When do the cherries bloom?", "Which temples are quiet?"])
    tab.picture("suggestions")
    tab.press("When do the cherries bloom?")
    for _ in range(2):
        expect(tab.asked).to_have_text(["Tell me about Kyoto", "When do the cherries bloom?"])
        expect(tab.answers.last).to_contain_text("Late March, most years.")
        tab.reload()
