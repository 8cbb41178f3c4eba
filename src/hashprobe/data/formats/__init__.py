"""The list formats of the field: which one a path is in, what its lists say, and the data loaded from it."""
