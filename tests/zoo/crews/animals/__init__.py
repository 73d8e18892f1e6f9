"""One animal each: see `tests.zoo`."""
