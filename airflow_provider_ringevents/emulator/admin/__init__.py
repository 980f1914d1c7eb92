"""The control API of the emulator and its dashboard."""
