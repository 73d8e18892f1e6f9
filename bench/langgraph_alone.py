"""The graph alone, without any server: `python -m bench.langgraph_alone <runs> <at once> <order>`.

Prints the CPU of a reply in milliseconds and how many replies a second it makes.
"""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import MessagesState

from bench.langgraph_agent import graph


async def reply(thread: int, order: str) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": f"t{thread}"}}
    input: MessagesState = {"messages": [HumanMessage(order)]}
    async for _ in graph.astream(input, config, stream_mode=["messages", "updates", "values", "custom"]):
        pass


async def main(runs: int, at_once: int, order: str) -> None:
    await reply(-1, order)
    cpu, began = time.process_time(), time.perf_counter()
    for first in range(0, runs, at_once):
        await asyncio.gather(*(reply(thread, order) for thread in range(first, first + at_once)))
    spent, wall = time.process_time() - cpu, time.perf_counter() - began
    print(spent / runs * 1e3, runs / wall)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
