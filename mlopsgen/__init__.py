"""mlopsgen compiles one `pipeline.yaml` into what a machine-learning service needs on AWS ECS."""

__version__ = "0.1.0"
