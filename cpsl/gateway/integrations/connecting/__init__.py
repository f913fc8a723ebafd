"""The pages on which people connect an integration, and the way back from its provider."""
