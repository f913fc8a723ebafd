"""Sessions, turns and prompts: where a message becomes an answer, and nothing of it is lost."""
