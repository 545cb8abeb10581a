"""What a pipeline means before anything is made of it: names, workloads, references, and the plan."""
