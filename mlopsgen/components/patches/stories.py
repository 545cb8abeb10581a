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
    "E252": story(
        "a patch that CloudFormation does not take",
        """A patched resource is held against its type's schema in CloudFormation's registry: unknown properties,
        those that AWS alone sets, types, choices, forms, lengths, and what must, or cannot, stand together.
        `Type`, `DependsOn` and `DeletionPolicy` are no properties, and stay as they are.""",
        """
        spec:
          patches:
            - name: strategy
              stack: serving-api
              resource: Service
              path: DeploymentConfiguration.Strategy
              value: BLUEGREEN
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
    "E253": story(
        "a patch refers to what is not there, or to the wrong thing",
        """`Ref` and `Fn::GetAtt` give an id, a name, an ARN or a list, as the type of the resource says. A patch
        that takes one for the other, an attribute that the type does not have, a function that the template
        cannot use, or a circle of resources that wait for each other would stop a deployment, or worse.""",
        """
        spec:
          patches:
            - name: role
              stack: serving-api
              resource: TaskDefinition
              path: ExecutionRoleArn
              value: {Ref: ExecutionRole}
              reason: As it was before
        """,
        """
        spec:
          patches:
            - name: role
              stack: serving-api
              resource: TaskDefinition
              path: ExecutionRoleArn
              value: {Fn::GetAtt: [ExecutionRole, Arn]}
              reason: As it was before
        """,
    ),
    "E254": story(
        "a policy that IAM does not take, or that does nothing",
        """A policy that a patch writes is held against IAM's grammar and AWS's service authorization reference:
        actions that do not exist, actions on resources that they cannot act on, condition keys that no request
        carries, and wildcards that give everything.""",
        """
        spec:
          patches:
            - name: topic
              stack: foundation
              resource: DataBucketPolicy
              path: PolicyDocument
              value:
                Version: "2012-10-17"
                Statement: [{Effect: Allow, Principal: {AWS: "*"}, Action: s3:GetObjects, Resource: "*"}]
              reason: As it was before
        """,
        """
        spec:
          buckets: [{name: data, prefixes: [{name: raw}]}]
        """,
    ),
    "E255": story(
        "a right that the boundary does not have",
        """The roles of an environment that a workflow deploys carry a boundary. A right that it lacks is no right,
        whatever a patch writes into a role, and a role without it cannot be made. What the spec says of a
        workload gives rights with their line in the boundary.""",
        """
        spec:
          delivery: {github: {repository: example/demo}}
          patches:
            - name: boundary
              stack: serving-api
              resource: TaskRole
              path: PermissionsBoundary
              value: null
              reason: As it was before
        """,
        """
        spec:
          delivery: {github: {repository: example/demo}}
        """,
    ),
    "E256": story(
        "a patch takes what a task cannot start without",
        """A list is replaced as a whole, so that a patch of a role's `Policies` takes away every statement that
        it does not say itself. What ECS, EventBridge and EventBridge Scheduler do for tasks needs them all.""",
        """
        spec:
          patches:
            - name: policies
              stack: serving-api
              resource: ExecutionRole
              path: Policies
              value: null
              reason: As it was before
        """,
        """
        spec:
          patches:
            - name: session
              stack: serving-api
              resource: ExecutionRole
              path: MaxSessionDuration
              value: 3600
              reason: As it was before
        """,
    ),
    "W210": story(
        "a shell that does not open",
        """ECS Exec starts an agent in each task. It needs four actions of `ssmmessages` in the task's role, and
        writes to the container's root file system: without them the service is deployed, and no shell opens.""",
        """
        spec:
          patches:
            - name: shell
              stack: serving-api
              resource: Service
              path: EnableExecuteCommand
              value: true
              reason: To look into a task
        """,
        """
        spec:
          patches:
            - name: shell
              stack: serving-api
              resource: Service
              path: EnableExecuteCommand
              value: false
              reason: To look into a task
        """,
    ),
    "W256": story(
        "a patch takes a right, or a denial, away",
        """A list is replaced as a whole. What a workload reads, writes and loads needs the statements that were
        there; a denial in a bucket's policy holds others out.""",
        """
        spec:
          patches:
            - name: policies
              stack: serving-api
              resource: TaskRole
              path: Policies
              value: null
              reason: As it was before
        """,
        """
        spec:
          patches:
            - name: session
              stack: serving-api
              resource: TaskRole
              path: MaxSessionDuration
              value: 3600
              reason: As it was before
        """,
    ),
}
