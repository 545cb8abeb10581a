"""What is trained and served."""
