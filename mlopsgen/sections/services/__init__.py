"""Containers that answer requests."""
