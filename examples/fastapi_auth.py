"""A FastAPI app whose users sign in with a token: everyone has their own threads, and one agent is for staff.

    uv run --no-dev uvicorn examples.fastapi_auth:app

Ask it as Ada, who is staff, and as Bob, who is not:

    curl http://127.0.0.1:8000/api/copilotkit/info -H 'authorization: Bearer ada-secret'
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from ag_ui.core import RunAgentInput
from fastapi import Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from copilotkit_runtime_py import CopilotRuntime, RequestContext, create_router, drain_on_signal


@dataclass(frozen=True)
class User:
    id: str
    name: str
    staff: bool


# Stands for your users' database, and the tokens for those of your identity provider.
USERS = {"ada-secret": User("u1", "Ada", staff=True), "bob-secret": User("u2", "Bob", staff=False)}


def current_user(sent: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> User:
    for token, user in USERS.items():
        if secrets.compare_digest(sent.credentials.encode(), token.encode()):
            return user
    raise HTTPException(401, "Please sign in.", {"www-authenticate": "Bearer"})


async def greeter(input: RunAgentInput, context: RequestContext) -> AsyncIterator[dict[str, Any]]:
    text = f"Hello {context.user.name}, this is message {len(input.messages)} of our conversation."
    yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": f"{input.run_id}-answer", "delta": text}


async def payroll(input: RunAgentInput) -> AsyncIterator[dict[str, Any]]:
    yield {"type": "TEXT_MESSAGE_CHUNK", "messageId": f"{input.run_id}-answer", "delta": "All were paid."}


def may_use(context: RequestContext, agent_name: str) -> bool:
    return agent_name != "payroll" or context.user.staff


runtime = CopilotRuntime(
    agents={"greeter": greeter, "payroll": payroll}, default_agent="greeter", authorize=may_use
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    with drain_on_signal(runtime, seconds=10):
        yield
    await runtime.aclose()


app = FastAPI(lifespan=lifespan)
app.add_middleware(
    CORSMiddleware,
    allow_origins=["http://localhost:5173"],
    allow_methods=["GET", "POST", "PATCH", "DELETE"],
    allow_headers=["*"],
)
app.include_router(create_router(runtime, identify=current_user))
