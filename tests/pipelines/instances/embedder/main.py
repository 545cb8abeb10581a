"""Started by its name."""
