"""Waits: the poll schedule, and one waiter for each thing that is waited for."""
