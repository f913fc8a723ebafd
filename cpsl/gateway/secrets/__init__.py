"""Secrets of a workspace: write-only over HTTP, opened for the runtimes of the apps that name them."""
