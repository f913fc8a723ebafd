"""Accounts, tokens, and the ways to log in."""
