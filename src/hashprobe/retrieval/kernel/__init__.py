"""The loops over query-item pairs, compiled, and the pass over the database that they are called in.

docs/counting-kernel.md explains them; :mod:`~hashprobe.retrieval.kernel.plain` is what they must equal.
"""
