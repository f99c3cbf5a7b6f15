"""The engine: events in, commands out. It does no I/O, reads no clock and draws no random number."""
