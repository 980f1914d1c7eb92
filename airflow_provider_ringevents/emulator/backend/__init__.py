"""The data of the emulator."""
