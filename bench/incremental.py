"""What a chunk costs between the run and the socket: append, flush and encode, in µs of CPU.

Usage: python bench/incremental.py [chunks]
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copilotkit_runtime_py.protocols.graphql as graphql
from copilotkit_runtime_py.protocols.graphql.executor.document import DocumentCache
from copilotkit_runtime_py.protocols.graphql.executor.incremental import IncrementalExecution
from copilotkit_runtime_py.protocols.graphql.executor.live import LiveList
from copilotkit_runtime_py.protocols.graphql.inputs import GenerateCopilotResponseInput, LoadAgentStateInput
from copilotkit_runtime_py.protocols.graphql.multipart import MultipartEncoder
from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA
from copilotkit_runtime_py.protocols.graphql.types import (
    AgentsResponse,
    CopilotResponse,
    LoadAgentStateResponse,
    MessageRole,
    SuccessMessageStatus,
    TextMessageOutput,
)

OPERATIONS = (Path(graphql.__path__[0]) / "contract" / "operations.graphql").read_text()
ENCODER = MultipartEncoder()
VARIABLES = {"data": {"frontend": {"actions": []}, "messages": [], "metadata": {"requestType": "Chat"}}}


class OneResponse:
    """Answers with a response that the benchmark fills."""

    def __init__(self) -> None:
        self.response = CopilotResponse(thread_id="t1")

    async def hello(self) -> str:
        return "Hello World"

    async def available_agents(self) -> AgentsResponse:
        return AgentsResponse(agents=[])

    async def load_agent_state(self, data: LoadAgentStateInput) -> LoadAgentStateResponse:
        return LoadAgentStateResponse(
            thread_id=data.thread_id, thread_exists=False, state="{}", messages="[]"
        )

    async def generate_copilot_response(
        self, data: GenerateCopilotResponseInput, properties: dict[str, Any] | None
    ) -> CopilotResponse:
        return self.response


def start(documents: DocumentCache) -> tuple[IncrementalExecution, CopilotResponse]:
    operation = documents.document(OPERATIONS).operation("generateCopilotResponse", VARIABLES)
    resolvers = OneResponse()
    execution = IncrementalExecution(operation, resolvers)
    asyncio.run(_start(execution))
    return execution, resolvers.response


async def _start(execution: IncrementalExecution) -> None:
    await execution.start()


def write(execution: IncrementalExecution) -> int:
    entries = execution.flush()
    return len(ENCODER.part({"incremental": entries, "hasNext": not execution.done}))


def chunks(execution: IncrementalExecution, content: LiveList[str], count: int, burst: int) -> float:
    """Sends `count` chunks, `burst` of them at a time; returns µs of CPU for each."""
    began = time.process_time()
    for _ in range(count // burst):
        for _ in range(burst):
            content.append("a few words ")
        write(execution)
    return (time.process_time() - began) / count * 1e6


def messages(execution: IncrementalExecution, response: CopilotResponse, count: int) -> float:
    """Sends `count` messages of one chunk, each in a part of its own; returns µs of CPU for each."""
    began = time.process_time()
    for number in range(count):
        message = TextMessageOutput(id=f"m{number}", role=MessageRole.assistant)
        response.messages.append(message)
        message.content.append("a few words ")
        message.content.close()
        message.status.set(SuccessMessageStatus())
        write(execution)
    return (time.process_time() - began) / count * 1e6


def best(measure: Callable[[], float], repetitions: int = 5) -> float:
    return min(measure() for _ in range(repetitions))


def main(count: int = 20_000) -> None:
    documents = DocumentCache(SCHEMA)
    for burst in (1, 32):

        def measure(burst: int = burst) -> float:
            execution, response = start(documents)
            message = TextMessageOutput(id="m1", role=MessageRole.assistant)
            response.messages.append(message)
            write(execution)
            return chunks(execution, message.content, count, burst)

        print(f"chunks,          {burst:2} at a time: {best(measure):7.2f} µs/chunk")
    cost = best(lambda: messages(*start(documents), count // 20))
    print(f"messages,         one at a time: {cost:7.2f} µs/message")
    began = time.process_time()
    for _ in range(200):
        start(documents)
    print(f"first payload: {(time.process_time() - began) / 200 * 1e6:7.2f} µs")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
