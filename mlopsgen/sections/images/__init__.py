"""The images that are built here, and their repositories."""
