"""`spec.encryption`: the key of everything that is stored."""
