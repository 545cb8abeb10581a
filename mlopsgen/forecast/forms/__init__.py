"""How a forecast is written down: one file for each form."""
