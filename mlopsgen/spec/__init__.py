"""The language of `pipeline.yaml`: one file per section, closed and frozen.

The docstring under each field is the reference documentation: `mlopsgen explain` and the JSON Schema
print it.
"""
