"""One agent for each feature."""
