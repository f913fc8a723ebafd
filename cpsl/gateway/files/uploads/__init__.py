"""Uploads that can be taken up again."""
