"""What CloudFormation does with two sets of templates: its steps in order, and those that fail.

`stacks.py` says what a set is, and `reading.py` reads one from the texts of `generated/ENVIRONMENT`.
`replay.forecast(old, new)` answers with a `Forecast`; `replay.deploy` goes on from any account, for lives of
several deployments. Rules stand in `rules/`, one file for each service, and are found by their presence.

Nothing here knows of pipelines: templates are all that is read, so those that another version made, too.
"""
