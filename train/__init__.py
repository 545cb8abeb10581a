"""Train, evaluate and publish a text classifier, as docs/contracts.md asks of an image that trains."""

__version__ = "0.1.0"
