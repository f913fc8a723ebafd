"""Talking to an app in a terminal: one turn, its prompts, and the conversation made of turns."""
