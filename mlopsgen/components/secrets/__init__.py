"""`secrets` of a container: values that ECS reads when it starts a task, and that no file holds."""
