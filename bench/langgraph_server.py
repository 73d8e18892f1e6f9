"""The graph behind upstream's own adapter on FastAPI, as the Node runtime needs it. Prints its port."""

from __future__ import annotations

import socket

import uvicorn
from ag_ui_langgraph import LangGraphAgent, add_langgraph_fastapi_endpoint
from fastapi import FastAPI

from bench.langgraph_agent import graph

if __name__ == "__main__":
    app = FastAPI()
    add_langgraph_fastapi_endpoint(app, LangGraphAgent(name="bench", graph=graph), "/agent/bench")
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listener])
