"""A deep agent with a subagent that appears in the chat."""

from ..animal import say
from .deep_agent import graph

agent = graph
chat = [say("Research", shows="write_file"), say("More", shows="I have researched it.")]
