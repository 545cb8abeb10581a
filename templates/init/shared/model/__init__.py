"""The model: how it is trained, kept and served."""
