"""What several components are made of: finished resources, roles, tasks, scaling, metrics, the network's values."""
