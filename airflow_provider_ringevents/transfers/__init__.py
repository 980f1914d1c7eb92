"""Transfers between the API and object storage, as operators."""
