"""The triggers: waits and the watcher of registrations, in the triggerer."""
