"""The wire contracts: each turns HTTP requests into calls on the runtime, and events into bytes.

`graphql/` is the contract of CopilotKit 1.8 to 1.10, `agui/` that of newer clients, `stream` the response
both stream with, `responses` the plain answers. A protocol runs no provider itself. Imports
`runtime` and everything below it; `app` imports it.
"""
