"""What several components are made of: resources, roles, tasks, scaling, metrics, values of the network."""
