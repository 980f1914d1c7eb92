"""The sensors: waits for reports and for events."""
