"""The key of everything that is stored."""
