"""What services and trainers are both made of: task definitions and the capacity that runs them."""
