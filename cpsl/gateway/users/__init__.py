"""App users: the people of each app, and how a request shows which of them asks."""
