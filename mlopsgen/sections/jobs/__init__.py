"""Containers that run to an end."""
