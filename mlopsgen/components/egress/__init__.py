"""Ways out of a workload: databases, caches, the internet."""
