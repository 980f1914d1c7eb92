"""Resumable downloads and their checksums."""
