"""Messages for workers."""
