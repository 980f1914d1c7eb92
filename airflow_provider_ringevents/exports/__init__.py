"""Whole lists of the API as rows of a file: which lists there are, how they are read, how they are written."""
