"""The first ids of every vocabulary."""

PADDING, UNKNOWN, BOS, EOS = 0, 1, 2, 3
