"""Text to a tree of nodes that know where they were written."""
