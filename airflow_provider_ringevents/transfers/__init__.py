"""The operators that export to object storage."""
