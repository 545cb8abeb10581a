"""What goes wrong with patches."""

from mlopsgen.diagnostics.finding import Story, story

STORIES: dict[str, Story] = {
    "E250": story(
        "a patch without its target",
        """A patch names a stack, a resource by its logical id, for a task definition perhaps a container, and
        a path below `Properties`. If one of them is gone, the patch would do nothing in silence.""",
        """
        spec:
          patches:
            - name: platform
              stack: serving-api
              resource: Servise
              path: PlatformVersion
              value: 1.4.0
              reason: As it was before
        """,
        """
        spec:
          patches:
            - name: platform
              stack: serving-api
              resource: Service
              path: PlatformVersion
              value: 1.4.0
              reason: As it was before
        """,
    ),
    "E251": story(
        "a patch breaks the resource",
        """What a patch changes is looked at again for faults that AWS reports late or never: references to
        nothing, a launch type beside capacity providers, a port that the container does not open, an alarm
        on a metric that does not exist, and the like.""",
        """
        spec:
          patches:
            - name: launch-type
              stack: serving-api
              resource: Service
              path: LaunchType
              value: FARGATE
              reason: As it was before
        """,
        """
        spec:
          patches:
            - name: platform
              stack: serving-api
              resource: Service
              path: PlatformVersion
              value: 1.4.0
              reason: As it was before
        """,
    ),
}
