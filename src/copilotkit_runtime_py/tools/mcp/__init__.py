"""Tools of MCP servers: those that the operator names, and those that a page names.

`servers` and `client_servers` are the sources of tools, `session` is one connection, `results` turns
answers into text, `public_http` keeps connections to public addresses.
"""
