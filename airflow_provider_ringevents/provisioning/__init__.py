"""Idempotent creation of events."""
