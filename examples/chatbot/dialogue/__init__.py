"""Talks with customers."""
