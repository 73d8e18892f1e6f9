"""Adapters from agent frameworks to AG-UI events: one module or package for each framework.

`base` is the interface, `resolve` recognises what a user registers, `directory` finds agents by name,
`target` loads an agent that a command line names. A provider knows no HTTP, no protocol and no thread of
the store; LangGraph's only asks `state_store` for the address of a database. A framework is imported only by
its own provider, when that is used. Imports `agui`, `logs` and `state_store`.
"""
