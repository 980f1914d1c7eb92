"""The faults that the emulator injects on request."""
