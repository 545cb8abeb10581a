"""Containers that run for ever and have no way in."""
