"""Small agents in the shape of what people run, each tried in every way on both contracts.

An animal is one file in `animals/`. It is found by its name and has

- `agent()`: returns what a user would register, made anew for each visit;
- `chat`: what the user does, a list of `say(...)`, `answer(...)` and `edit(...)`;
- `tools`, optional: the tools of the page, as functions from their arguments to a result;
- `hidden`, optional: texts that nobody must see;
- `once`, optional: texts that must not show more than once for a message of the user;
- `removed`, optional: texts that the agent takes back on purpose;
- `silent`, optional: the agent may have nothing to say;
- `marks`, optional: pytest's marks, such as `pytest.mark.redis`;
- `fixture`, optional: the name of a fixture whose value `agent()` gets, such as the URL of a server;
- `graph()` and `options`, optional: the graph and the provider's options, where `agent()` returns a provider;
- `chat_on_a_server`, optional: the chat where the graph is on LangGraph's own server, if that differs.

`visit.py` says what is done with each of them, `laws.py` what must hold. Those of CrewAI are in
`crews/animals`: they have a process of their own.
"""
