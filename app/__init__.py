"""A service for text classification: one model from the store, behind HTTP."""
