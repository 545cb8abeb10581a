"""What the codes of a document's shape mean: its keys, its values, its environments."""

from __future__ import annotations

from mlopsgen.diagnostics.finding import Story, story

STORIES: dict[str, Story] = {
    "E101": story(
        "an unknown key",
        """The language has no such key at this place. Keys are written in camelCase. `mlopsgen explain
        spec.services` lists the keys of a section.""",
        "spec: {services: [{name: api, healtCheck: {path: /health}}]}",
        "spec: {services: [{name: api, healthCheck: {path: /health}}]}",
    ),
    "E102": story(
        "a key is missing",
        "Something without which the rest makes no sense is not given. All else has a default.",
        "spec: {models: [{promotion: {policy: manual}}]}",
        "spec: {models: [{name: sentiment, promotion: {policy: manual}}]}",
    ),
    "E103": story(
        "a value of another type",
        """A field has one type, and nothing is converted: a string is not a number, and a single value is
        not a list. A name made of digits needs quotes to be a string.""",
        'spec: {services: [{name: api, replicas: {min: "2"}}]}',
        "spec: {services: [{name: api, replicas: {min: 2}}]}",
    ),
    "E104": story(
        "a value that does not have the form asked for",
        """The value is of the right type and has the wrong form, such as a name with capitals or an account
        with eleven digits. The help says what the field holds.""",
        "spec: {models: [{name: Sentiment_Model}]}",
        "spec: {models: [{name: sentiment-model}]}",
    ),
    "E105": story(
        "a value out of range",
        "The number is too small or too large, or the list or text too short or too long, for its field.",
        "spec: {services: [{name: api, ports: [{name: http, port: 80800}]}]}",
        "spec: {services: [{name: api, ports: [{name: http, port: 8080}]}]}",
    ),
    "E106": story(
        "a word that is none of the choices",
        "The field takes one of a few words, spelled as the message lists them.",
        "spec: {network: {vpc: {natGateways: one}}}",
        "spec: {network: {vpc: {natGateways: single}}}",
    ),
    "E107": story(
        "a quantity or a duration that cannot be read",
        """Quantities are written as Kubernetes writes them: CPU as `"1"` or `500m`, memory as `512Mi` or
        `2Gi`, durations as `30s`, `15m`, `6h` or `90d`, each with one unit.""",
        "spec: {services: [{name: api, resources: {memory: 2GB}}]}",
        "spec: {services: [{name: api, resources: {memory: 2Gi}}]}",
    ),
    "E108": story(
        "a word that is not built yet",
        """The language has reserved the key or the word, so that what is written today keeps its meaning
        when a later version brings it. Until then leave it out.""",
        "spec: {services: [{name: api, calls: [embeddings]}]}",
        'spec: {services: [{name: api, env: {EMBEDDINGS_URL: "http://embeddings.example.com"}}]}',
    ),
    "E109": story(
        "a null that takes nothing away",
        """`null`, or nothing behind a key, stands in environments alone, and takes away there what the base
        says, so that the default holds again. In the base leave the key out; what is there by default is
        turned off by `enabled: false`. A key without a default cannot be taken away, and where the base
        says nothing there is nothing to take. Inside `parameters` and the `value` of a patch `null` is
        data.""",
        "spec: {services: [{name: api, healthCheck: null}]}",
        "spec: {services: [{name: api, healthCheck: {enabled: false}}]}",
    ),
    "E110": story(
        "an environment changes what the base does not have",
        """An environment changes things and adds none: a name that the base does not have is most often
        misspelled. What one environment alone has stands in the base all the same, and says so with
        `environments: [dev]`.""",
        "spec: {environments: {dev: {services: [{name: aip, replicas: {min: 1}}]}}}",
        "spec: {environments: {dev: {services: [{name: api, replicas: {min: 1}}]}}}",
    ),
    "E111": story(
        "an environment changes what it does not have",
        """The base says by `environments` that other environments have the thing, and not this one. What the
        environment says of it would have no effect.""",
        """
        spec:
          services: [{name: api, environments: [dev]}]
          environments: {dev: {}, prod: {services: [{name: api, replicas: {min: 3}}]}}
        """,
        """
        spec:
          services: [{name: api, environments: [dev, prod]}]
          environments: {dev: {}, prod: {services: [{name: api, replicas: {min: 3}}]}}
        """,
    ),
    "E112": story(
        "which environments have a thing",
        """Every named thing can say in the base which environments have it: at least one, each of them
        declared in `spec.environments`. Without that all have it. In an environment's own part the key
        means nothing.""",
        """
        spec:
          services: [{name: api, environments: [stage]}]
          environments: {staging: {}, prod: {}}
        """,
        """
        spec:
          services: [{name: api, environments: [staging]}]
          environments: {staging: {}, prod: {}}
        """,
    ),
    "E113": story(
        "two of several choices, or none",
        """Where something can be one of several things, exactly one of their keys stands: a pool is
        `fargate` or `ec2`, a network `vpc` or `existing`. An environment that says another one than the
        base replaces it.""",
        "spec: {capacity: [{name: gpu, fargate: {}, ec2: {instanceTypes: [g4dn.xlarge]}}]}",
        "spec: {capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]}",
    ),
    "E114": story(
        "an environment changes what is the same in all",
        """Images are built once, and one workflow delivers them from environment to environment: `images`,
        `registry` and `delivery` are said in the base alone. Only `delivery.firstModel` and
        `delivery.github.oidcProvider` may differ.""",
        "spec: {environments: {dev: {images: [{name: app, context: app-dev}]}}}",
        'spec: {environments: {dev: {services: [{name: api, env: {DEBUG: "1"}}]}}}',
    ),
    "E115": story(
        "a name that stands twice in one list",
        """A name tells the things of a list apart: environments change them by it, and other things refer to
        it. What differs between environments stands in `spec.environments`, and not in a second thing of
        that name.""",
        "spec: {capacity: [{name: spot, fargate: {}}, {name: spot, fargate: {spot: {}}}]}",
        "spec: {capacity: [{name: calm, fargate: {}}, {name: spot, fargate: {spot: {}}}]}",
    ),
    "E116": story(
        "a ${…} that cannot be filled in",
        """In texts `${environment}`, `${account}`, `${region}`, `${pipeline}` and the keys of
        `spec.variables` are filled in when compiling. `$${HOME}` stands for the characters `${HOME}`, and
        a `$` without a brace for itself. `${account}` needs `aws.account`. Values of variables name no
        other variables.""",
        'spec: {services: [{name: api, env: {CACHE: "${HOME}/cache"}}]}',
        'spec: {services: [{name: api, env: {CACHE: "$${HOME}/cache"}}]}',
    ),
    "E117": story(
        "a variable with a name that is taken",
        """`environment`, `account`, `region` and `pipeline` are filled in by themselves, and names that
        begin with `calls` or `exports` are kept for a later version.""",
        "spec: {variables: {region: eu-west-1}}",
        "spec: {variables: {home: eu-west-1}}",
    ),
    "E118": story(
        "a reference of CloudFormation's in a value",
        """CloudFormation fills `{{resolve:…}}` in when it deploys, and the secret would stand in the open in
        task definitions and stacks. A task reads its secrets itself when it starts: `secrets` names them.""",
        'spec: {services: [{name: api, env: {KEY: "{{resolve:secretsmanager:team/key}}"}}]}',
        "spec: {services: [{name: api, secrets: {KEY: {secret: team/key}}}]}",
    ),
}
