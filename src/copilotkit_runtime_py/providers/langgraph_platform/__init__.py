"""Graphs on a server of LangGraph's API: LangGraph Platform, `langgraph dev`, Aegra.

`provider` runs them and needs the `langgraph-platform` extra. `recognition` and `address` need nothing.
"""
