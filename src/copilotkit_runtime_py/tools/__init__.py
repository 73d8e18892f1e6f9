"""Server tools that agents may call: backend actions, other agents, and the tools of MCP servers.

`actions` defines a tool, `registry` holds a runtime's tools, `loop` runs the calls of one run and lets the
agent continue with their results, `turn` is what the agent does in between, `mcp/` talks to MCP servers.
Imports `agui`, `logs` and `providers`; `generative_ui`, `runs` and `runtime` import it.
"""
