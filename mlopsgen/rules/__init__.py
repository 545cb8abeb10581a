"""Rules between components, on AWS's limits and on finished templates; one registry for all."""
