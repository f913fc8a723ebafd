"""What each app user has connected: credentials, sealed, for that user's runtimes only."""
