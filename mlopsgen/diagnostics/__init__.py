"""What mlopsgen says: diagnostics, their codes, and how they are shown."""
