"""What services, workers and jobs have in common."""
