"""What is watched, and who hears of it."""
