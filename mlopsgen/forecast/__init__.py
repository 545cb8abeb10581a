"""What a merge will do: what was reviewed before, beside what the pipeline compiles to now.

`reviewed.py` reads the side before, from Git or a folder; `edits.py` says what was edited in the pipeline;
`outlook.py` replays the deployment of each environment and gives every verdict the edits that caused it
(`causes.py`); `rights.py`, `reach.py` and `cost.py` compare the two accounts. `forms/` writes it down.
"""
