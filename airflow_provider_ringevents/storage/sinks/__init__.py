"""The ways to publish an object, one for each kind of store."""
