"""What crosses the gap: a delta, from which an archive becomes the next one, and a set, which holds many archives once.

`apply_delta` takes files out of both and needs nothing but Python 3.9, since hosts have no more. docs/delta.md is the
format.
"""
