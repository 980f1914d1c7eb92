"""The HTTP server of the emulator."""
