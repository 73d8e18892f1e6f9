"""The HTTP application: the one URL, identity, headers, health, settings and the playground.

`endpoint` hands each request to the protocol that it speaks. Imports `protocols` and everything below it;
only `cli` imports it.
"""
