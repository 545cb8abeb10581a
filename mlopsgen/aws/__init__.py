"""Facts of AWS as data, each with its source."""
