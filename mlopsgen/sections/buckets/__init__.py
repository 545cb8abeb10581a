"""Object storage: buckets and their prefixes."""
