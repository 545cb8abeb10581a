"""The topic that alarms speak to."""

from mlopsgen.model.values import Published

TOPIC_ARN = Published("foundation", "foundation/topic-arn", "String", "Who hears of alarms")
