"""What agents may call on the server: backend actions, other agents, and the tools of MCP servers.

`actions` defines a tool, `registry` holds a runtime's tools, `loop` runs the calls of one run and lets the
agent go on with their results, `turn` is what the agent does in between, `mcp/` talks to MCP servers. May
import `agui`, `logs` and `providers`; is imported by `generative_ui`, `runs` and `runtime`.
"""
