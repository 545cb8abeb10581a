"""Marks lesions in CT slices."""
