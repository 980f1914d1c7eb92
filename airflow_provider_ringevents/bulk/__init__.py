"""Rows of a file as writes: each person once, with a result for each row."""
