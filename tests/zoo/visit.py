"""What is done with an animal on one contract."""

from __future__ import annotations

from copilotkit_runtime_py import CopilotRuntime
from tests.protocols.agui.served import Served

from .animal import Animal, Turn, say
from .judge import Judge
from .laws import Laws
from .models import brake
from .page import AGENT, CONTRACTS, Page, opened


async def take(page: Page, laws: Laws, turn: Turn) -> None:
    """Takes a turn of a chat, and checks the laws and what the page shows."""
    await page.play(turn)
    if turn.edits is not None:
        laws.forget()
    laws.hold()
    texts = [str(each.content) for each in page.shown()] + [str(page.question)]
    assert turn.shows in "\n".join(texts)


async def follow_up(page: Page, laws: Laws) -> None:
    for text in ("One more thing.", "And another."):
        before = len(page.shown())
        await page.play(say(text))
        laws.hold()
        if not page.animal.silent:
            laws.answers(before)


async def visit(animal: Animal, contract: str, judge: Judge) -> None:
    """Checks the laws in an animal's chat, two more messages, a reload, and a stop in the middle."""
    brake.release()
    runtime = CopilotRuntime({AGENT: animal.agent()})
    served = Served(runtime)
    try:
        with opened(CONTRACTS[contract](judge, served, animal, "t1")) as page:
            laws = Laws(page)
            chunks = []
            for turn in animal.chat:
                await take(page, laws, turn)
                chunks.append(brake.passed)
            await follow_up(page, laws)
            await laws.hold_after_reload()
        with opened(CONTRACTS[contract](judge, served, animal, "t0")) as page:
            laws = Laws(page)
            for _ in range(2):
                await page.play(animal.chat[0])
                laws.hold()
            await page.regenerate()
            laws.forget()
            laws.hold()
            await follow_up(page, laws)
        for thread, after in (("t2", 1), ("t3", chunks[0] - 1)):
            with opened(CONTRACTS[contract](judge, served, animal, thread)) as page:
                laws = Laws(page)
                if await page.stopped(animal.chat[0].text or "", after):
                    laws.hold()
                    await laws.hold_after_reload()
                    await follow_up(page, laws)
                    await laws.hold_after_reload()
    finally:
        brake.release()
        await runtime.aclose()
