"""Answers which items a user may like."""
