"""File systems that outlive tasks."""
