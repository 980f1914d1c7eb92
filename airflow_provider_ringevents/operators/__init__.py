"""The operators: one public module for each topic."""
