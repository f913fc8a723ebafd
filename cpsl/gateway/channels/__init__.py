"""Channels: messenger accounts that apps can answer on. Kept and listed here; their transports come later."""
