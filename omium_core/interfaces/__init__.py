"""The Protocols that plugins implement; nothing deeper is imported by a plugin or an adapter."""
