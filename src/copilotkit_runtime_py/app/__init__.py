"""The HTTP application: the one URL, identity, headers, health, settings and the playground.

`endpoint` hands each request to the protocol that it speaks. May import `protocols`, `runtime` and everything
below them; is imported by `cli` alone.
"""
