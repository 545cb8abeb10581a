"""What AWS refuses, interrupts and loses: a file for each service, found by its presence."""
