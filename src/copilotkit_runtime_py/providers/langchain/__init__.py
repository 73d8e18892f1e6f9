"""What LangGraph graphs and plain chat models share: messages of `langchain-core`."""
