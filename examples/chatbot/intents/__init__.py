"""Tells what a customer wants."""
