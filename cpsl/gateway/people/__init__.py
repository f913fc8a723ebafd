"""The people of each app: for whoever operates it, and as they come in from other places."""
