"""The GraphQL contract of CopilotRuntime 1.10.6, frozen.

`http` reads requests and negotiates the answer's form, `schema`, `types` and `inputs` are the contract,
`resolvers` call the runtime, `projection` and `response` turn events into GraphQL objects that grow,
`executor/` delivers them incrementally.
"""
