"""The API, described once, as plain data: every other room takes its attributes, enumerations and paths from here.

``openapi.json`` is the description; ``scripts/generate_contract.py`` writes the generated modules from it.
"""
