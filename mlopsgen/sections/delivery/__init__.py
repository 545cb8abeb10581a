"""How a change in Git reaches AWS."""
