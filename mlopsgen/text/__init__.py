"""How text of each format is written: YAML, templates, and the escapes that keep a value in its place."""
