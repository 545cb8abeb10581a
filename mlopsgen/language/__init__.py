"""What every section of the language is made of: base types, values, reading with environments, reference."""
