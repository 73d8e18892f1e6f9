"""The agent of the benchmark: `python -m bench.agent` prints its port and says what it is told to say.

The last user message is the order: `<chunks> <milliseconds between chunks>`. Every chunk carries the time it
was made, on the machine's monotonic clock.
"""

from __future__ import annotations

from typing import Any

import uvloop

from tests.scripted_agent import ScriptedAgent, Step, run, text

CHUNK = "@{{now}}@ word "
NAME = "bench"


def obey(run_input: dict[str, Any]) -> list[Step]:
    chunks, pause = (int(word) for word in run_input["messages"][-1]["content"].split())
    return run(*text("m1", *[CHUNK] * chunks, delay=pause or None))


async def main() -> None:
    agent = ScriptedAgent({NAME: obey})
    server = await agent.listen()
    print(agent.port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
