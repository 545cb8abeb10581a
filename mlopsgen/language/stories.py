"""The stories of the codes that reading a document can end in, beyond those of its shape.

Each has a title, a text, and two parts of a pipeline: one that is wrong, and the same put right.
"""

from __future__ import annotations

STORIES: dict[str, dict[str, str]] = {
    "E108": {
        "title": "a word that is not built yet",
        "text": """The language has reserved the key or the word, so that what is written today keeps its
            meaning when a later version brings it. Until then leave it out.""",
        "wrong": "spec: {services: [{name: api, calls: [embeddings]}]}",
        "right": 'spec: {services: [{name: api, env: {EMBEDDINGS_URL: "http://embeddings.example.com"}}]}',
    },
    "E109": {
        "title": "a null that takes nothing away",
        "text": """`null`, or nothing behind a key, stands in environments alone, and takes away there what
            the base says, so that the default holds again. In the base leave the key out; what is
            there by default is turned off by `enabled: false`. A key without a default cannot be
            taken away, and where the base says nothing there is nothing to take. Inside `parameters`
            and the `value` of a patch `null` is data.""",
        "wrong": "spec: {services: [{name: api, healthCheck: null}]}",
        "right": "spec: {services: [{name: api, healthCheck: {enabled: false}}]}",
    },
    "E110": {
        "title": "an environment changes what the base does not have",
        "text": """An environment changes things and adds none: a name that the base does not have is most
            often misspelled. What one environment alone has stands in the base all the same, and says
            so with `environments: [dev]`.""",
        "wrong": "spec: {environments: {dev: {services: [{name: aip, replicas: {min: 1}}]}}}",
        "right": "spec: {environments: {dev: {services: [{name: api, replicas: {min: 1}}]}}}",
    },
    "E111": {
        "title": "an environment changes what it does not have",
        "text": """The base says by `environments` that other environments have the thing, and not this one.
            What the environment says of it would have no effect.""",
        "wrong": """
            spec:
              services: [{name: api, environments: [dev]}]
              environments: {dev: {}, prod: {services: [{name: api, replicas: {min: 3}}]}}
            """,
        "right": """
            spec:
              services: [{name: api, environments: [dev, prod]}]
              environments: {dev: {}, prod: {services: [{name: api, replicas: {min: 3}}]}}
            """,
    },
    "E112": {
        "title": "which environments have a thing",
        "text": """Every named thing can say in the base which environments have it: at least one, each of
            them declared in `spec.environments`. Without that all have it. In an environment's own
            part the key means nothing.""",
        "wrong": """
            spec:
              services: [{name: api, environments: [stage]}]
              environments: {staging: {}, prod: {}}
            """,
        "right": """
            spec:
              services: [{name: api, environments: [staging]}]
              environments: {staging: {}, prod: {}}
            """,
    },
    "E113": {
        "title": "two of several choices, or none",
        "text": """Where something can be one of several things, exactly one of their keys stands: a pool is
            `fargate` or `ec2`, a network `vpc` or `existing`. An environment that says another one
            than the base replaces it.""",
        "wrong": "spec: {capacity: [{name: gpu, fargate: {}, ec2: {instanceTypes: [g4dn.xlarge]}}]}",
        "right": "spec: {capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]}",
    },
    "E114": {
        "title": "an environment changes what is the same in all",
        "text": """Images are built once, and one workflow delivers them from environment to environment:
            `images`, `registry` and `delivery` are said in the base alone. Only `delivery.firstModel`
            and `delivery.github.oidcProvider` may differ.""",
        "wrong": "spec: {environments: {dev: {images: [{name: app, context: app-dev}]}}}",
        "right": 'spec: {environments: {dev: {services: [{name: api, env: {DEBUG: "1"}}]}}}',
    },
    "E115": {
        "title": "a name that stands twice in one list",
        "text": """A name tells the things of a list apart: environments change them by it, and other things
            refer to it. What differs between environments stands in `spec.environments`, and not in a
            second thing of that name.""",
        "wrong": "spec: {capacity: [{name: spot, fargate: {}}, {name: spot, fargate: {spot: {}}}]}",
        "right": "spec: {capacity: [{name: calm, fargate: {}}, {name: spot, fargate: {spot: {}}}]}",
    },
    "E116": {
        "title": "a ${…} that cannot be filled in",
        "text": """In texts `${environment}`, `${account}`, `${region}`, `${pipeline}` and the keys of
            `spec.variables` are filled in when compiling. `$${HOME}` stands for the characters
            `${HOME}`, and a `$` without a brace for itself. `${account}` needs `aws.account`. Values
            of variables name no other variables.""",
        "wrong": 'spec: {services: [{name: api, env: {CACHE: "${HOME}/cache"}}]}',
        "right": 'spec: {services: [{name: api, env: {CACHE: "$${HOME}/cache"}}]}',
    },
    "E117": {
        "title": "a variable with a name that is taken",
        "text": """`environment`, `account`, `region` and `pipeline` are filled in by themselves, and names
            that begin with `calls` or `exports` are kept for a later version.""",
        "wrong": "spec: {variables: {region: eu-west-1}}",
        "right": "spec: {variables: {home: eu-west-1}}",
    },
    "E118": {
        "title": "a reference of CloudFormation's in a value",
        "text": """CloudFormation fills `{{resolve:…}}` in when it deploys, and the secret would stand in the
            open in task definitions and stacks. A task reads its secrets itself when it starts:
            `secrets` names them.""",
        "wrong": 'spec: {services: [{name: api, env: {KEY: "{{resolve:secretsmanager:team/key}}"}}]}',
        "right": "spec: {services: [{name: api, secrets: {KEY: {secret: team/key}}}]}",
    },
}
