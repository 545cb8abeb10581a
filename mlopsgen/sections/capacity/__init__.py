"""What tasks run on: pools of Fargate and of instances."""
