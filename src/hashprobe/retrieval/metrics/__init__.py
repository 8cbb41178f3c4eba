"""What is made of rankings: average precision, curves, chance levels, intervals."""
