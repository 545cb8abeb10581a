"""Load balancers: the ways in."""
