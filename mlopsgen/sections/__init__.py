"""The sections of the language: each folder is one, and its `spec.py` is what the file may say of it."""
