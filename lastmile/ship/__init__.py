"""Putting a finished model to work."""
