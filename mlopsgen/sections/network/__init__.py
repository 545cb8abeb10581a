"""Where tasks and load balancers get their addresses."""
