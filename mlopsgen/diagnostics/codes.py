"""The catalogue of codes: what each means, an example, and how to mend it.

`wrong` and `right` are parts of a pipeline, laid over a small one by the tests, which see that the one gets
the code and the other does not. Where a whole file is at fault, they are whole files.
"""

from __future__ import annotations

from textwrap import dedent
from typing import NamedTuple


class Story(NamedTuple):
    """What one code means."""

    title: str
    text: str
    wrong: str = ""
    right: str = ""


def titles() -> dict[str, str]:
    """Each code's title."""
    return {code: story.title for code, story in CODES.items()}


def _story(title: str, text: str, wrong: str = "", right: str = "") -> Story:
    return Story(title, " ".join(text.split()), dedent(wrong).strip("\n"), dedent(right).strip("\n"))


CODES: dict[str, Story] = {
    # Reading
    "E001": _story(
        "the file is not YAML in UTF-8",
        """The text cannot be read: a byte that is not UTF-8, a control character, or something that YAML's
        grammar does not allow at that place. Most often a quote or a bracket is not closed, a tab stands
        where spaces indent, or a value that starts with `@`, `*`, `%` or holds `: ` needs quotes.""",
        "metadata: {name: demo",
        "metadata: {name: demo}",
    ),
    "E002": _story(
        "the file is too large",
        """A pipeline is at most 4 MiB of text. That is room for more than ten thousand services; a larger
        file is most likely not a pipeline at all. Split it in several pipelines.""",
    ),
    "E003": _story(
        "nested too deeply, or too large once aliases are followed",
        """A file may be 64 levels deep and hold a million values, where every alias counts as what it stands
        for. This keeps a few lines from growing into gigabytes.""",
    ),
    "E004": _story(
        "more than one document",
        "A file holds one pipeline: a second `---` would begin another. Put it into a file of its own.",
        """
        metadata: {name: demo}
        ---
        metadata: {name: second}
        """,
        "metadata: {name: demo}",
    ),
    "E005": _story(
        "an alias without its anchor",
        "`*name` repeats what was marked with `&name` earlier in the file, and nothing is.",
        """
        metadata: {name: demo, labels: *common}
        """,
        """
        metadata: {name: demo, labels: {team: time-series}}
        """,
    ),
    "E006": _story(
        "a tag of YAML",
        """Tags such as `!Ref` or `!!python/object` mean nothing in a pipeline. CloudFormation's functions
        can be given in a patch in their long form, `{"Fn::GetAtt": [Key, Arn]}`.""",
        "metadata: {name: !Ref Name}",
        "metadata: {name: demo}",
    ),
    "E007": _story(
        "a key that is no string",
        "A list or a map cannot be a key.",
        "metadata: {[a, b]: c}",
        "metadata: {name: demo}",
    ),
    "E008": _story(
        "a merge key",
        """`<<` was an extension of YAML 1.1 and is not part of the language. Write the values out, or say once
        in the base what environments share: an environment lists only what differs.""",
        """
        metadata: {<<: {name: demo}}
        """,
        "metadata: {name: demo}",
    ),
    "E009": _story(
        "a key given twice",
        """Of two equal keys in one map most readers of YAML keep the last without a word. Here it is an
        error, since one of the two values is not what its author thinks.""",
        "metadata: {name: demo, name: other}",
        "metadata: {name: demo}",
    ),
    "E010": _story(
        "the file cannot be read",
        """There is no such file, it is a folder, or it may not be read. Commands read `pipeline.yaml` in the
        current folder; `-f FILE` names another, and `mlopsgen init NAME` starts a new project.""",
    ),
    # Shape
    "E101": _story(
        "an unknown key",
        """The language has no such key at this place. Keys are written in camelCase. `mlopsgen explain
        spec.services` lists the keys of a section.""",
        "spec: {services: [{name: api, healtCheck: {path: /health}}]}",
        "spec: {services: [{name: api, healthCheck: {path: /health}}]}",
    ),
    "E102": _story(
        "a key is missing",
        "Something without which the rest makes no sense is not given. All else has a default.",
        "spec: {models: [{promotion: {policy: manual}}]}",
        "spec: {models: [{name: sentiment, promotion: {policy: manual}}]}",
    ),
    "E103": _story(
        "a value of another type",
        """A field has one type, and nothing is converted: a string is not a number, and a single value is not
        a list. A name made of digits needs quotes to be a string.""",
        'spec: {services: [{name: api, port: "8080"}]}',
        "spec: {services: [{name: api, port: 8080}]}",
    ),
    "E104": _story(
        "a value that does not have the form asked for",
        """The value is of the right type and has the wrong form, such as a name with capitals or an account
        with eleven digits. The help says what the field holds.""",
        "spec: {models: [{name: Sentiment_Model}]}",
        "spec: {models: [{name: sentiment-model}]}",
    ),
    "E105": _story(
        "a value out of range",
        "The number is too small or too large, or the list or text too short or too long, for its field.",
        "spec: {services: [{name: api, port: 80}]}",
        "spec: {services: [{name: api, port: 8080}]}",
    ),
    "E106": _story(
        "a word that is none of the choices",
        "The field takes one of a few words, spelled as the message lists them.",
        "spec: {network: {vpc: {natGateways: one}}}",
        "spec: {network: {vpc: {natGateways: single}}}",
    ),
    "E107": _story(
        "a quantity or a duration that cannot be read",
        """Quantities are written as Kubernetes writes them: CPU as `"1"` or `500m`, memory as `512Mi` or
        `2Gi`, durations as `30s`, `15m`, `6h` or `90d`, each with one unit.""",
        "spec: {services: [{name: api, resources: {memory: 2GB}}]}",
        "spec: {services: [{name: api, resources: {memory: 2Gi}}]}",
    ),
    # References
    "E201": _story(
        "an unknown prefix",
        """`reads` and `writes` name folders of the data bucket, declared in `spec.storage.prefixes`. `models`
        is always there. The permissions of a task are derived from them, so that a misspelled name would
        give it nothing to read.""",
        "spec: {trainers: [{name: trainer, reads: [raww]}]}",
        "spec: {trainers: [{name: trainer, reads: [raw]}]}",
    ),
    "E202": _story(
        "an unknown model",
        "`produces` and `serves` name a model of `spec.models`.",
        "spec: {services: [{name: api, serves: sentimant}]}",
        "spec: {services: [{name: api, serves: sentiment}]}",
    ),
    "E203": _story(
        "a role names what is not declared",
        """A role for people is given by images, services and trainers of this pipeline. A list that is left
        out means the role's usual extent, an empty list nothing.""",
        """
        spec:
          access:
            roles:
              - {name: developer, principals: ["arn:aws:iam::123456789012:root"], services: [apo]}
        """,
        """
        spec:
          access:
            roles:
              - {name: developer, principals: ["arn:aws:iam::123456789012:root"], services: [api]}
        """,
    ),
    "E204": _story(
        "a name given twice",
        """Trainers and services have one name each, among them all: it names their stacks, log groups,
        containers and metrics. Prefixes, models, roles and a service's schedules have one name each among
        themselves, also within one environment's list.""",
        "spec: {services: [{name: trainer, image: {build: {context: app}}}]}",
        "spec: {services: [{name: second, image: {build: {context: app}}}]}",
    ),
    "E205": _story(
        "two of two alternatives, or none",
        """A network is new (`vpc`) or existing, an image is built or named by `uri`, a task runs on Fargate or
        on EC2. Where neither compute is named, it is Fargate. An environment that goes over to the other
        alternative deletes the first with `null`.""",
        "spec: {services: [{name: api, compute: {fargate: {}, ec2: {instanceType: g4dn.xlarge}}}]}",
        "spec: {services: [{name: api, compute: {fargate: {}}}]}",
    ),
    "E206": _story(
        "one image built in two ways",
        """Components whose images have the same name share one image, one repository and one Dockerfile, so
        they must agree in how it is built and in the user that runs it.""",
        """
        spec:
          services:
            - {name: second, image: {name: api, build: {context: train}}}
        """,
        """
        spec:
          services:
            - {name: second, image: {name: second, build: {context: train}}}
        """,
    ),
    "E207": _story(
        "an environment variable that is taken",
        """Each variable is set once. Those of docs/contracts.md are set by mlopsgen, those that start with
        `AWS_` or `ECS_` by AWS.""",
        "spec: {services: [{name: api, env: {MODEL_URI: /models}}]}",
        "spec: {services: [{name: api, env: {MODEL_CACHE: /tmp/models}}]}",
    ),
    "E208": _story(
        "a prefix whose variable means something else",
        """A task that uses prefix `raw` finds its place in RAW_URI. The prefixes `model` and `checkpoint`
        would take the variables in which a model's own place stands.""",
        "spec: {storage: {prefixes: [{name: checkpoint}]}}",
        "spec: {storage: {prefixes: [{name: snapshots}]}}",
    ),
    "E209": _story(
        "two services for the same requests",
        """Services with the same scheme share a load balancer, which tells their requests apart by host and
        path. With the same host and path the second would never get any.""",
        """
        spec:
          services:
            - {name: api, ingress: {path: /v1}}
            - {name: second, image: {build: {context: app}}, ingress: {path: /v1/}}
        """,
        """
        spec:
          services:
            - {name: api, ingress: {path: /v1}}
            - {name: second, image: {build: {context: app}}, ingress: {path: /v2}}
        """,
    ),
    "E210": _story(
        "services that share a load balancer want it different",
        """A load balancer has one list of callers that may connect, one idle timeout, and speaks HTTPS or not.
        If services could differ, whoever may call the one could call the other too.""",
        """
        spec:
          services:
            - {name: api, ingress: {path: /a}}
            - {name: second, image: {build: {context: app}}, ingress: {path: /b, allowFrom: [10.1.0.0/16]}}
        """,
        """
        spec:
          services:
            - {name: api, ingress: {path: /a, allowFrom: [10.1.0.0/16]}}
            - {name: second, image: {build: {context: app}}, ingress: {path: /b, allowFrom: [10.1.0.0/16]}}
        """,
    ),
    "E211": _story(
        "traffic cannot be shifted without a load balancer",
        "`blueGreen`, `canary` and `linear` move requests from the old version to the new at a load balancer.",
        "spec: {services: [{name: api, deployment: {strategy: canary}}]}",
        "spec: {services: [{name: api, deployment: {strategy: canary}, ingress: {}}]}",
    ),
    "E212": _story(
        "a measure of a load balancer that is not there",
        "`requestsPerTarget` and `latency` are measured where requests pass: at the load balancer.",
        "spec: {services: [{name: api, replicas: {min: 1, max: 4}, autoscaling: [{metric: latency, target: 200}]}]}",
        "spec: {services: [{name: api, replicas: {min: 1, max: 4}, autoscaling: [{metric: cpu, target: 70}]}]}",
    ),
    "E213": _story(
        "a measure with two targets",
        "A service is scaled to hold each measure near one value.",
        """
        spec:
          services:
            - name: api
              replicas: {min: 1, max: 4}
              autoscaling: [{metric: cpu, target: 70}, {metric: cpu, target: 50}]
        """,
        """
        spec:
          services:
            - name: api
              replicas: {min: 1, max: 4}
              autoscaling: [{metric: cpu, target: 70}, {metric: memory, target: 50}]
        """,
    ),
    "E220": _story(
        "the workflow names an unknown environment",
        """`delivery.github.environments` lists environments of this pipeline in the order in which the
        workflow deploys them, each once. A pipeline without environments has one, `default`.""",
        "spec: {delivery: {github: {repository: example/demo, environments: [prdo]}}, environments: {prod: {}}}",
        "spec: {delivery: {github: {repository: example/demo, environments: [prod]}}, environments: {prod: {}}}",
    ),
    "E221": _story(
        "half of a repository's identity",
        """Repositories created or renamed since 15 July 2026 send the numbers of their owner and of
        themselves in each token. AWS compares both at once, so both are given or none.""",
        "spec: {delivery: {github: {repository: example/demo, ownerId: 583231}}}",
        "spec: {delivery: {github: {repository: example/demo, ownerId: 583231, repositoryId: 1296269}}}",
    ),
    "E222": _story(
        "two environments create one account's provider",
        """An AWS account has one OpenID Connect provider for GitHub. One environment of the account can create
        it, all others use the existing one. Environments in different accounts say so in `aws.account`.""",
        """
        spec:
          delivery: {github: {repository: example/demo, oidcProvider: create}}
          environments: {dev: {}, prod: {}}
        """,
        """
        spec:
          delivery: {github: {repository: example/demo}}
          environments:
            dev: {delivery: {github: {oidcProvider: create}}}
            prod: {}
        """,
    ),
    "E224": _story(
        "an image that differs between environments",
        """An image is built once and goes from environment to environment, with one Dockerfile. What has to
        differ belongs into variables; an image of another name can differ.""",
        """
        spec:
          environments:
            dev: {services: [{name: api, image: {build: {python: "3.12"}}}]}
            prod: {}
        """,
        """
        spec:
          environments:
            dev: {services: [{name: api, env: {LOG_LEVEL: debug}}]}
            prod: {}
        """,
    ),
    "E230": _story(
        "the build context is not there",
        """An image is built from a folder beside the pipeline's file that holds the program. Without it the
        build would only fail once the first stacks are deployed.""",
        "spec: {services: [{name: api, image: {build: {context: ap}}}]}",
        "spec: {services: [{name: api, image: {build: {context: app}}}]}",
    ),
    "E231": _story(
        "a build context that leads out of the folder",
        """A context lies below the pipeline's folder, and what it is built with lies in the context: no `..`,
        and no symbolic link that leads out. So an image can hold nothing but what is in the repository.""",
        "spec: {services: [{name: api, image: {build: {context: app/../..}}}]}",
        "spec: {services: [{name: api, image: {build: {context: app}}}]}",
    ),
    "E232": _story(
        "a file of the build is missing",
        """The generated Dockerfile installs the dependencies that `requirements` locks, by default
        `requirements.txt` in the context; with `dockerfile` that file is used instead.""",
        "spec: {services: [{name: api, image: {build: {requirements: lock.txt}}}]}",
        "spec: {services: [{name: api, image: {build: {requirements: requirements.txt}}}]}",
    ),
    "E233": _story(
        "a build context that is no package",
        """The context is copied into the image under its own name and started as `python -m NAME`. The name
        is made of letters, digits, `_` and `-`; the pipeline's own folder (`.`) would be all of it.""",
        "spec: {services: [{name: api, image: {build: {context: .}}}]}",
        "spec: {services: [{name: api, image: {build: {context: app}}}]}",
    ),
    "E240": _story(
        "an ARN that is no secret",
        """`valueFrom` is the whole ARN of a secret in Secrets Manager, with the six characters that AWS ends
        it with, or of a parameter in SSM. The task may read exactly this ARN; a shortened one would be
        refused when it starts. One key of a JSON secret is named in `key`.""",
        """
        spec:
          services:
            - name: api
              secrets: [{name: API_KEY, valueFrom: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key"}]
        """,
        """
        spec:
          services:
            - name: api
              secrets: [{name: API_KEY, valueFrom: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf"}]
        """,
    ),
    "E241": _story(
        "an ARN of another kind, or out of reach",
        """A certificate is one of ACM (or IAM) in the load balancer's own region and account, a permissions
        boundary a managed policy, and a principal an IAM role, user or account.""",
        """
        spec:
          services:
            - name: api
              ingress: {certificate: "arn:aws:acm:us-east-1:123456789012:certificate/7f3c2b1a"}
        """,
        """
        spec:
          services:
            - name: api
              ingress: {certificate: "arn:aws:acm:eu-west-1:123456789012:certificate/7f3c2b1a"}
        """,
    ),
    "E242": _story(
        "an ARN of another partition",
        """AWS has partitions that know nothing of each other: `aws`, `aws-cn` in China and `aws-us-gov`. What a
        pipeline names by ARN lies in the partition of its region.""",
        """
        spec:
          services:
            - name: api
              secrets: [{name: API_KEY, valueFrom: "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/key"}]
        """,
        """
        spec:
          services:
            - name: api
              secrets: [{name: API_KEY, valueFrom: "arn:aws:ssm:eu-west-1:123456789012:parameter/key"}]
        """,
    ),
    "E250": _story(
        "a patch without its target",
        """A patch names a stack, a resource by its logical id, for a task definition perhaps a container, and
        a path below `Properties`. If one of them is gone, the patch would do nothing in silence.""",
        """
        spec:
          patches:
            - {stack: serving-api, resource: Servise, path: EnableExecuteCommand, value: true, reason: For debugging}
        """,
        """
        spec:
          patches:
            - {stack: serving-api, resource: Service, path: EnableExecuteCommand, value: true, reason: For debugging}
        """,
    ),
    "E251": _story(
        "a patch breaks the resource",
        """What a patch changes is looked at again for faults that AWS reports late or never: references to
        nothing, a launch type beside capacity providers, a port that the container does not open, an alarm
        on a metric that does not exist, and the like.""",
        """
        spec:
          patches:
            - {stack: serving-api, resource: Service, path: LaunchType, value: FARGATE, reason: As it was before}
        """,
        """
        spec:
          patches:
            - {stack: serving-api, resource: Service, path: PlatformVersion, value: 1.4.0, reason: As it was before}
        """,
    ),
    "W201": _story(
        "a model that nothing uses",
        "No trainer produces it and no service serves it, so nothing comes of it.",
        "spec: {models: [{name: churn}]}",
        "spec: {models: [{name: churn}], services: [{name: api, serves: churn}]}",
    ),
    "W202": _story(
        "what looks like a secret stands in the file",
        """`env` is written into Git and into the task definition, where everybody who may look at the service
        can read it. Keep the value in Secrets Manager and name its ARN in `secrets`.""",
        "spec: {services: [{name: api, env: {DB_PASSWORD: hunter2}}]}",
        "spec: {services: [{name: api, env: {DB_PASSWORD_FILE: /run/password}}]}",
    ),
    "W203": _story(
        "promoted without a gate",
        "With `policy: automatic` and no `minimum`, a run that went wrong is served as soon as it ends.",
        "spec: {models: [{name: sentiment, promotion: {policy: automatic}}]}",
        "spec: {models: [{name: sentiment, promotion: {policy: automatic, minimum: {accuracy: 0.9}}}]}",
    ),
    # Limits
    "E301": _story(
        "a template that must be uploaded",
        """`aws cloudformation deploy` takes templates up to 51,200 bytes by itself. Each component has a
        stack of its own, so this comes from one component that says very much, such as hundreds of
        environment variables.""",
    ),
    "E302": _story(
        "too much for one stack",
        "CloudFormation takes 500 resources, 200 parameters and 200 outputs in a stack.",
    ),
    "E303": _story(
        "a policy or task definition that is too large",
        """IAM takes 10,240 characters of inline policy in a role and 6,144 in a managed policy; ECS takes
        64 KiB for a task definition. The component reads, writes or says too much: split it in two.""",
    ),
    "E304": _story(
        "two resources of one name",
        """Names become logical ids without their hyphens: `a-1` and `a1` are both `A1`. In a stack that they
        share one would take the other's place.""",
        """
        spec:
          services:
            - {name: api-1, image: {build: {context: app}}}
            - {name: api1, image: {build: {context: app}}}
        """,
        """
        spec:
          services:
            - {name: api-one, image: {build: {context: app}}}
            - {name: api-two, image: {build: {context: app}}}
        """,
    ),
    "E310": _story(
        "a GPU on Fargate",
        "Fargate has no GPUs. Run the task on instances that have them.",
        "spec: {trainers: [{name: trainer, resources: {gpu: 1}}]}",
        """
        spec:
          trainers:
            - name: trainer
              compute: {ec2: {instanceType: g4dn.xlarge}}
              resources: {cpu: "4", memory: 14Gi, gpu: 1}
        """,
    ),
    "E311": _story(
        "a size that Fargate does not offer",
        """Fargate offers CPU and memory in certain pairs: from 0.25 vCPU with 512 MiB to 2 GiB, up to 16 vCPU
        with 32 to 120 GiB. The help names the next larger pair.""",
        'spec: {services: [{name: api, resources: {cpu: "1", memory: 1Gi}}]}',
        'spec: {services: [{name: api, resources: {cpu: "1", memory: 2Gi}}]}',
    ),
    "E312": _story(
        "disk space that Fargate does not offer",
        "A task on Fargate has 20 GiB of disk without asking, and can ask for 21 to 200 GiB.",
        "spec: {services: [{name: api, compute: {fargate: {ephemeralStorage: 10Gi}}}]}",
        "spec: {services: [{name: api, compute: {fargate: {ephemeralStorage: 50Gi}}}]}",
    ),
    "E313": _story(
        "an instance type that the region does not offer",
        "Regions differ in the types of instance that they offer. The help names the nearest that exists.",
        "spec: {trainers: [{name: trainer, compute: {ec2: {instanceType: g4dn.huge}}}]}",
        "spec: {trainers: [{name: trainer, compute: {ec2: {instanceType: g4dn.xlarge}}, resources: {gpu: 1}}]}",
    ),
    "E314": _story(
        "a task larger than its instance",
        """The instance type has less CPU, memory or GPUs than one task asks for, or has them only before the
        system and the ECS agent take their part. Such a task would wait for ever.""",
        """
        spec:
          trainers:
            - {name: trainer, compute: {ec2: {instanceType: g4dn.xlarge}}, resources: {memory: 16Gi, gpu: 1}}
        """,
        """
        spec:
          trainers:
            - {name: trainer, compute: {ec2: {instanceType: g4dn.xlarge}}, resources: {memory: 14Gi, gpu: 1}}
        """,
    ),
    "E315": _story(
        "instances out of bounds",
        "The fewest instances are more than the most, or their volume is too small for the ECS-optimised image.",
        """
        spec:
          services:
            - {name: api, compute: {ec2: {instanceType: m5.large, minInstances: 3, maxInstances: 2}}}
        """,
        """
        spec:
          services:
            - {name: api, compute: {ec2: {instanceType: m5.large, minInstances: 2, maxInstances: 3}}}
        """,
    ),
    "E316": _story(
        "a stop timeout out of range",
        "Between SIGTERM and SIGKILL ECS waits two minutes at most, and two seconds at least.",
        "spec: {services: [{name: api, stopTimeout: 5m}]}",
        "spec: {services: [{name: api, stopTimeout: 120s}]}",
    ),
    "E317": _story(
        "an image for two processors",
        "Components that share an image run it on the same kind of processor, for which it is built.",
        """
        spec:
          services:
            - {name: api, image: {name: app}}
            - name: second
              image: {name: app, build: {context: app}}
              compute: {fargate: {architecture: arm64}}
        """,
        """
        spec:
          services:
            - {name: api, image: {name: app}}
            - name: second
              image: {name: app-arm, build: {context: app}}
              compute: {fargate: {architecture: arm64}}
        """,
    ),
    "E318": _story(
        "a task that asks for too little",
        "On instances ECS takes tasks of an eighth of a CPU (125m) and 6 MiB of memory, and larger ones.",
        "spec: {services: [{name: api, compute: {ec2: {instanceType: m5.large, maxInstances: 2}}, resources: {cpu: 100m}}]}",
        "spec: {services: [{name: api, compute: {ec2: {instanceType: m5.large, maxInstances: 2}}, resources: {cpu: 125m}}]}",
    ),
    "E320": _story(
        "an unknown region",
        "The region is named as AWS names it, such as `eu-west-1`.",
        "spec: {aws: {region: eu-west-9}}",
        "spec: {aws: {region: eu-west-2}}",
    ),
    "E321": _story(
        "more zones than the region has",
        "Most regions give an account three availability zones, few give two, four or six.",
        "spec: {network: {vpc: {availabilityZones: 4}}}",
        "spec: {network: {vpc: {availabilityZones: 3}}}",
    ),
    "E322": _story(
        "no range of addresses, or one that a VPC cannot have",
        """A range such as `10.20.0.0/16` starts with its first address. A VPC is a /16 to a /23 here: it is
        divided into private and public subnets for four zones, each of a /28 at least.""",
        "spec: {network: {vpc: {cidr: 10.20.0.0/26}}}",
        "spec: {network: {vpc: {cidr: 10.20.0.0/20}}}",
    ),
    "E323": _story(
        "subnets of an existing network that do not do",
        """Tasks and load balancers need two subnets each, in two zones, and a subnet is public or private. An
        internet-facing load balancer needs two public ones.""",
        """
        spec:
          network:
            existing:
              vpcId: vpc-0123456789abcdef0
              cidr: 10.0.0.0/16
              privateSubnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef0]
        """,
        """
        spec:
          network:
            existing:
              vpcId: vpc-0123456789abcdef0
              cidr: 10.0.0.0/16
              privateSubnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
        """,
    ),
    "E325": _story(
        "a retention that CloudWatch Logs does not offer",
        "CloudWatch Logs keeps logs for one of twenty-two numbers of days, from 1 to 3653.",
        "spec: {monitoring: {logRetention: 45d}}",
        "spec: {monitoring: {logRetention: 60d}}",
    ),
    "E330": _story(
        "no whole number of days",
        "S3 counts the age of objects in whole days, and deletes none before it is one day old.",
        "spec: {storage: {prefixes: [{name: logs, expireAfter: 12h}]}}",
        "spec: {storage: {prefixes: [{name: logs, expireAfter: 1d}]}}",
    ),
    "E331": _story(
        "infrequent access before 30 days",
        "S3 moves objects to STANDARD_IA and ONEZONE_IA once they are 30 days old.",
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 7d, storageClass: STANDARD_IA}]}]
        """,
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 30d, storageClass: STANDARD_IA}]}]
        """,
    ),
    "E332": _story(
        "transitions out of order",
        """Objects move to ever colder classes, and stay in STANDARD_IA and ONEZONE_IA for 30 days before they
        move on.""",
        """
        spec:
          storage:
            prefixes:
              - name: raw
                transitions: [{after: 30d, storageClass: GLACIER_IR}, {after: 90d, storageClass: STANDARD_IA}]
        """,
        """
        spec:
          storage:
            prefixes:
              - name: raw
                transitions: [{after: 30d, storageClass: STANDARD_IA}, {after: 90d, storageClass: GLACIER_IR}]
        """,
    ),
    "E333": _story(
        "deleted before they move",
        "S3 refuses a rule that would move objects on or after the day it deletes them.",
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER_IR}], expireAfter: 60d}]
        """,
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER_IR}], expireAfter: 365d}]
        """,
    ),
    "E340": _story(
        "the fewest replicas are above the most",
        "`replicas.min` is at most `replicas.max`; in an environment too, where one may come from the base.",
        "spec: {services: [{name: api, replicas: {min: 4, max: 2}}]}",
        "spec: {services: [{name: api, replicas: {min: 2, max: 4}}]}",
    ),
    "E341": _story(
        "a target that is never reached",
        "CPU and memory are measured in percent of what the task reserved.",
        "spec: {services: [{name: api, replicas: {min: 1, max: 4}, autoscaling: [{metric: cpu, target: 700}]}]}",
        "spec: {services: [{name: api, replicas: {min: 1, max: 4}, autoscaling: [{metric: cpu, target: 70}]}]}",
    ),
    "E342": _story(
        "a health check out of range",
        """Load balancers ask every 5 to 300 seconds and wait 2 to 120 seconds for an answer, which must come
        before the next question. A new task has up to 300 seconds to start.""",
        "spec: {services: [{name: api, healthCheck: {interval: 5s, timeout: 10s}}]}",
        "spec: {services: [{name: api, healthCheck: {interval: 15s, timeout: 10s}}]}",
    ),
    "E343": _story(
        "an idle timeout out of range",
        "A load balancer closes a connection on which nothing was sent for 1 to 4000 seconds.",
        "spec: {services: [{name: api, ingress: {idleTimeout: 2h}}]}",
        "spec: {services: [{name: api, ingress: {idleTimeout: 1h}}]}",
    ),
    "E344": _story(
        "a deployment step out of range",
        """ECS watches a step, and keeps the old version, for whole minutes and a day at most. The steps of
        `linear` are of 3 percent or more.""",
        "spec: {services: [{name: api, ingress: {}, deployment: {strategy: canary, stepTime: 90s}}]}",
        "spec: {services: [{name: api, ingress: {}, deployment: {strategy: canary, stepTime: 2m}}]}",
    ),
    "E345": _story(
        "a load balancer that is full",
        """A load balancer takes 100 target groups and 25 certificates. A service has one target group, or two
        if its deployments shift traffic.""",
    ),
    "E346": _story(
        "more tasks than the instances hold",
        "The tasks that always run need more CPU, memory or GPUs than `maxInstances` instances have.",
        """
        spec:
          services:
            - name: api
              compute: {ec2: {instanceType: g4dn.xlarge, maxInstances: 2}}
              resources: {cpu: "3", memory: 12Gi, gpu: 1}
              replicas: {min: 3}
        """,
        """
        spec:
          services:
            - name: api
              compute: {ec2: {instanceType: g4dn.xlarge, maxInstances: 3}}
              resources: {cpu: "3", memory: 12Gi, gpu: 1}
              replicas: {min: 3}
        """,
    ),
    "E347": _story(
        "more capacity providers than a cluster takes",
        """Each trainer or service on instances has a capacity provider of its own. A cluster takes 20 of them,
        of which Fargate has two; trainers and services have a cluster each.""",
    ),
    "E348": _story(
        "no room for two versions",
        """`blueGreen`, `canary` and `linear` start all tasks of the new version before the first of the old one
        stops. The instances hold one version alone, so the deployment would wait until it is given up.""",
        """
        spec:
          services:
            - name: api
              compute: {ec2: {instanceType: g4dn.xlarge, maxInstances: 3}}
              resources: {cpu: "3", memory: 12Gi, gpu: 1}
              replicas: {min: 2}
              ingress: {}
              deployment: {strategy: blueGreen}
        """,
        """
        spec:
          services:
            - name: api
              compute: {ec2: {instanceType: g4dn.xlarge, maxInstances: 4}}
              resources: {cpu: "3", memory: 12Gi, gpu: 1}
              replicas: {min: 2}
              ingress: {}
              deployment: {strategy: blueGreen}
        """,
    ),
    "E350": _story(
        "times that crontab or AWS cannot express",
        """`cron` has crontab's five fields: minute, hour, day of month, month, day of week. AWS takes the day
        of month or the day of week, not both, and has no way to say crontab's `@daily`.""",
        'spec: {trainers: [{name: trainer, schedule: {cron: "0 25 * * *"}}]}',
        'spec: {trainers: [{name: trainer, schedule: {cron: "0 3 * * *"}}]}',
    ),
    "E351": _story(
        "an unknown time zone",
        "Time zones are named as in the IANA database, by continent and city, so that summer time is known.",
        'spec: {trainers: [{name: trainer, schedule: {cron: "0 3 * * *", timezone: Asia/Saigon_City}}]}',
        'spec: {trainers: [{name: trainer, schedule: {cron: "0 3 * * *", timezone: Asia/Ho_Chi_Minh}}]}',
    ),
    "E352": _story(
        "no time to run",
        "`timeout` is the longest that one run may take, a minute or more.",
        "spec: {trainers: [{name: trainer, timeout: 0s}]}",
        "spec: {trainers: [{name: trainer, timeout: 6h}]}",
    ),
    "E360": _story(
        "a name that leaves no room",
        """Physical names are made of the pipeline's name, the environment's and what the thing is. S3 takes
        63 characters for a bucket, of which `-data-` and the account are 18; IAM takes 64 for a role.""",
        """
        metadata: {name: sentiment-of-moving-pictures}
        spec: {environments: {acceptance-test-europe: {}}}
        """,
        """
        metadata: {name: sentiment-of-moving-pictures}
        spec: {environments: {acceptance: {}}}
        """,
    ),
    "E361": _story(
        "a name that is taken",
        """AWS keeps names that start with `aws`, `ssm`, `ecs`, `fargate` or few others for itself: capacity
        providers, parameters and buckets are refused. `vpc-flow-logs` is a log group of mlopsgen's own, and
        `ci` and `images` are folders of its output that no environment can be called after.""",
        "metadata: {name: aws-sentiment}",
        "metadata: {name: sentiment}",
    ),
    "E362": _story(
        "a label that cannot be a tag",
        """Labels become tags. Tags that start with `aws:` belong to AWS and those with `mlopsgen:` to the
        compiler, IAM does not tell capitals from small letters, and on a command line the key ends
        at the first `=`.""",
        "metadata: {labels: {Team: time-series, team: time-series}}",
        "metadata: {labels: {team: time-series}}",
    ),
    "E370": _story(
        "a minimum that is never met",
        """Accuracy, precision, recall, F1, AUC, Dice and the like lie between 0 and 1. With a minimum above,
        no version would ever be promoted.""",
        "spec: {models: [{name: sentiment, promotion: {minimum: {accuracy: 88}}}]}",
        "spec: {models: [{name: sentiment, promotion: {minimum: {accuracy: 0.88}}}]}",
    ),
    "W230": _story(
        "a version of Python without an image",
        """The generated Dockerfile starts from `python:VERSION-slim-bookworm`, which exists for few versions.
        With a `dockerfile` of your own the version means nothing.""",
        'spec: {services: [{name: api, image: {build: {python: "3.99"}}}]}',
        'spec: {trainers: [{name: trainer, image: {build: {python: "3.12"}}}]}',
    ),
    "W310": _story(
        "a GPU that nobody asks for",
        "The instance has a GPU, which is most of its price, and the task does not ask for it.",
        """
        spec:
          trainers:
            - {name: trainer, compute: {ec2: {instanceType: g4dn.xlarge}}}
        """,
        """
        spec:
          trainers:
            - {name: trainer, compute: {ec2: {instanceType: g4dn.xlarge}}, resources: {gpu: 1}}
        """,
    ),
    "W320": _story(
        "addresses that are not private",
        """A network of its own uses addresses that the internet does not (RFC 1918, RFC 6598): whoever has
        them there cannot be reached from inside. On instances, Docker's own range is in the way too.""",
        "spec: {network: {vpc: {cidr: 52.20.0.0/16}}}",
        "spec: {network: {vpc: {cidr: 10.20.0.0/16}}}",
    ),
    "W330": _story(
        "models that expire",
        "Models lie in the prefix `models`. What expires there is gone even if a service still needs it.",
        "spec: {storage: {prefixes: [{name: models, expireAfter: 90d}]}}",
        "spec: {storage: {prefixes: [{name: models}]}}",
    ),
    "W331": _story(
        "paid for longer than kept",
        """Colder classes charge for a least time: STANDARD_IA and ONEZONE_IA for 30 days, GLACIER_IR and
        GLACIER for 90, DEEP_ARCHIVE for 180. Objects that go sooner are paid for all the same.""",
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 60d, storageClass: GLACIER_IR}], expireAfter: 90d}]
        """,
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 60d, storageClass: GLACIER_IR}], expireAfter: 365d}]
        """,
    ),
    "W332": _story(
        "archived objects that are to be read",
        """Objects in GLACIER and DEEP_ARCHIVE cannot be read until somebody restores them, which takes
        hours; a program that lists the prefix and reads what it finds fails at the first of them.""",
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER}]}]
          trainers: [{name: trainer, reads: [raw]}]
        """,
        """
        spec:
          storage:
            prefixes: [{name: raw, transitions: [{after: 90d, storageClass: GLACIER_IR}]}]
          trainers: [{name: trainer, reads: [raw]}]
        """,
    ),
    "W340": _story(
        "nothing to scale",
        """Without a `max` above `min` scaling has no room. With `min: 0` it can stop the last task, and then
        no task is there whose load would bring it back.""",
        "spec: {services: [{name: api, autoscaling: [{metric: cpu, target: 70}]}]}",
        "spec: {services: [{name: api, replicas: {min: 2, max: 8}, autoscaling: [{metric: cpu, target: 70}]}]}",
    ),
    "W341": _story(
        "scaling beyond the instances",
        "Scaling may ask for more tasks than `maxInstances` instances hold; those would wait for room.",
        """
        spec:
          services:
            - name: api
              compute: {ec2: {instanceType: g4dn.xlarge, maxInstances: 2}}
              resources: {cpu: "3", memory: 12Gi, gpu: 1}
              replicas: {min: 1, max: 4}
              autoscaling: [{metric: cpu, target: 70}]
        """,
        """
        spec:
          services:
            - name: api
              compute: {ec2: {instanceType: g4dn.xlarge, maxInstances: 4}}
              resources: {cpu: "3", memory: 12Gi, gpu: 1}
              replicas: {min: 1, max: 4}
              autoscaling: [{metric: cpu, target: 70}]
        """,
    ),
    "W342": _story(
        "an alarm without its measure",
        """How many tasks are wanted and how many run is measured by Container Insights. Without it the alarm
        on missing tasks is left out.""",
        "spec: {monitoring: {containerInsights: disabled}}",
        "spec: {monitoring: {containerInsights: disabled, alarms: {missingTasks: false}}}",
    ),
    "W343": _story(
        "plain HTTP to the internet",
        """Without a certificate the load balancer speaks HTTP, which anybody on the way can read and change.
        Request a certificate in ACM, in the same region, and name it; HTTP is then redirected.""",
        "spec: {services: [{name: api, ingress: {scheme: internet-facing}}]}",
        """
        spec:
          services:
            - name: api
              ingress:
                scheme: internet-facing
                certificate: arn:aws:acm:eu-west-1:123456789012:certificate/7f3c2b1a
        """,
    ),
    "W344": _story(
        "more rules than a load balancer takes by default",
        "A load balancer takes 100 rules, one for each service here, until AWS raises the account's quota.",
    ),
    "W345": _story(
        "more rules than a security group takes by default",
        """A security group takes 60 rules inwards and 60 outwards until AWS raises the quota. The load
        balancer's has one inwards for each range of `allowFrom` and port, and one outwards for each
        service.""",
    ),
    "W346": _story(
        "bounds, and nothing that scales",
        """`replicas.max` is how far scaling may go. Without `autoscaling` or `scheduledScaling` the number of
        tasks stays at `min`.""",
        "spec: {services: [{name: api, replicas: {min: 2, max: 8}}]}",
        "spec: {services: [{name: api, replicas: {min: 2, max: 8}, autoscaling: [{metric: cpu, target: 70}]}]}",
    ),
    "W350": _story(
        "runs that overlap",
        """A run may last longer than the time to the next start. Two runs then train at once, pay twice, and
        write the same checkpoints.""",
        'spec: {trainers: [{name: trainer, schedule: {cron: "0 * * * *"}, timeout: 6h}]}',
        'spec: {trainers: [{name: trainer, schedule: {cron: "0 3 * * *"}, timeout: 6h}]}',
    ),
}


_KINDS = {
    "E0": "Reading the file",
    "E1": "The shape of the document",
    "E2": "Between components",
    "E3": "What AWS takes",
    "W": "Warnings",
}


def reference() -> str:
    """The whole catalogue as Markdown."""
    parts = [
        "# Codes",
        "Every fault that mlopsgen finds has a code. `mlopsgen explain CODE` prints what stands here. Codes "
        "that start with E reject the pipeline; those that start with W are warnings, and nothing is rejected "
        "for them. The examples are parts of a pipeline, laid over a sound one. This page is written from "
        "`mlopsgen/diagnostics/codes.py`.",
    ]
    for prefix, kind in _KINDS.items():
        parts.append(f"## {kind}")
        parts += [_section(code, story) for code, story in CODES.items() if code.startswith(prefix)]
    return "\n\n".join(parts) + "\n"


def _section(code: str, story: Story) -> str:
    parts = [f"### {code}: {story.title}", story.text]
    for word in ("wrong", "right"):
        example = getattr(story, word)
        if example:
            parts += [f"{word.capitalize()}:", f"```yaml\n{example}\n```"]
    return "\n\n".join(parts)
