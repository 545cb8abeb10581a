"""What a merge will do: `mlopsgen diff`."""
