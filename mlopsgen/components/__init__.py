"""A folder for each thing that can be declared; its presence is its registration.

A folder may hold `spec.py` (its part of the language), `resources.py` with `declare(site, bindings)` (what it
becomes), `binding.py` with `bind(site, workload)` (what a workload gets that names it) and `rules.py`.
"""
