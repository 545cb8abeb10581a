"""Properties of resources that the language has no word for."""
