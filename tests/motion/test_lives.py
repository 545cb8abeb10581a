"""Lives of an account: what is made, changed, changed back, removed and made again."""

from __future__ import annotations

from mlopsgen.motion.live import Account
from mlopsgen.motion.outcome import Change
from mlopsgen.motion.replay import deploy, forecast, settled
from mlopsgen.motion.stacks import Delivery, TemplateSet
from tests.motion.small import published, reads, ref, resource, said, stacks

VALUE = {"Id": reads("String", "/shop/id")}
KEPT = {"_DeletionPolicy": "RetainExceptOnCreate", "_UpdateReplacePolicy": "Retain"}


def both(image: str, **user: object) -> TemplateSet:
    """A stack that publishes the identity of what `image` replaces, and one that uses it."""
    definition = resource(
        "ECS::TaskDefinition", Family="a", ContainerDefinitions=[{"Name": "a", "Image": image}]
    )
    return stacks(
        {"user": VALUE},
        maker={"Task": definition, "Id": published("/shop/id", ref("Task"))},
        user={"Service": resource("ECS::Service", TaskDefinition=ref("Id"), **user)},
    )


def logs(**more: str) -> dict[str, dict[str, object]]:
    return {"Logs": resource("Logs::LogGroup", LogGroupName="/shop/api", **{**KEPT, **more})}


BUCKET = {"Bucket": resource("S3::Bucket", BucketName="shop")}


def test_a_value_from_another_stack_changes_what_reads_it():
    """What replaces a resource in one stack updates its users in the next, by the value in SSM."""
    found = forecast(both("one"), both("two"))
    assert [(each.stack, each.logical_id, each.action) for each in found.steps] == [
        ("maker", "Task", "replace"),
        ("maker", "Id", "update"),
        ("user", "Service", "update"),
    ]
    assert found.steps[-1].changes == (
        Change("TaskDefinition", "${shop-prod-maker/Task#1}", "${shop-prod-maker/Task#2}"),
    )


def test_there_and_back_is_another_resource():
    """Changed back, what was replaced is a third one: its users are updated again."""
    there = deploy(settled(Account(), both("one")), both("two"))
    back = deploy(there.account, both("one"))
    assert back.steps[0].action == "replace"
    assert back.steps[-1].changes[0].after == "${shop-prod-maker/Task#3}"


def test_a_finding_says_where_it_comes_from():
    """It names stack, resource, property and both values, and the path that the template says it is from."""
    origin = {"mlopsgen": {"from": "spec.monitoring.logs"}}
    before, after = (
        stacks(a={"Logs": resource("Logs::LogGroup", RetentionInDays=days, _Metadata=origin)})
        for days in (30, 7)
    )
    (found,) = forecast(before, after).findings
    assert (found.rule, found.kind, found.stack, found.logical_id, found.type) == (
        "logs-expire-sooner", "loses", "a", "Logs", "AWS::Logs::LogGroup",
    )  # fmt: skip
    assert (found.change, found.origin) == (Change("RetentionInDays", "30", "7"), "spec.monitoring.logs")


def test_no_change_is_no_step():
    """The same set again, or only other comments and metadata, changes nothing."""
    noted = both("one")
    resources = noted.stacks[0].template["Resources"]
    assert isinstance(resources, dict)
    task = resources["Task"]
    assert isinstance(task, dict)
    task["Metadata"] = {"mlopsgen": {"from": "spec.jobs.a"}}
    found = forecast(both("one"), noted)
    assert (found.steps, found.findings, found.stopped_at) == ((), (), None)


def test_numbers_and_texts_are_the_same():
    """CloudFormation takes `80`, `"80"`, `true` and `"true"` for the same."""
    one = stacks(a={"Rule": resource("EC2::SecurityGroup", GroupDescription="1", Port=80, On=True)})
    other = stacks(a={"Rule": resource("EC2::SecurityGroup", GroupDescription=1, Port="80", On="true")})
    assert forecast(one, other).steps == ()


def test_functions_are_carried_out():
    """A reference, a substitution and a join of the same value are the same."""
    queue = resource("SQS::Queue", QueueName="work")

    def written(value: object) -> TemplateSet:
        return stacks(a={"Queue": queue, "Alarm": resource("CloudWatch::Alarm", Namespace=value)})

    joined = {"Fn::Join": ["", ["work"]]}
    forms = [
        {"Fn::Sub": "${Queue.QueueName}"},
        joined,
        {"Fn::Select": [1, {"Fn::Split": [",", "a,work"]}]},
        "work",
    ]
    assert [forecast(written(forms[0]), written(form)).steps for form in forms] == [()] * 4


def test_what_was_kept_is_taken_back():
    """A kept log group blocks its name, unless the change set imports what exists."""
    with_logs, without = stacks(a={**BUCKET, **logs()}), stacks(a=BUCKET)
    gone = deploy(settled(Account(), with_logs), without)
    assert [each.action for each in gone.steps] == ["retain"]
    blocked = deploy(gone.account, with_logs)
    assert (said(blocked), blocked.stopped_at) == ([("name-taken", "a", "Logs")], "a")
    assert "it was kept" in blocked.failures[0].reason
    back = deploy(gone.account, with_logs, Delivery(imports=True))
    assert ([each.action for each in back.steps], back.stopped_at) == (["import"], None)
    assert back.account.kept == ()


def test_what_is_taken_back_stays_as_it_was():
    """An import changes nothing: what the template says otherwise is told, and does not come true."""
    gone = deploy(settled(Account(), stacks(a={**BUCKET, **logs(RetentionInDays="7")})), stacks(a=BUCKET))
    back = deploy(gone.account, stacks(a={**BUCKET, **logs(RetentionInDays="30")}), Delivery(imports=True))
    assert said(back) == [("taken-as-it-is", "a", "Logs")]
    assert back.findings[0].change == Change("RetentionInDays", "7", "30")


def test_foreign_templates_are_read_too():
    """Types, functions and references that nobody knows are no fault of the model's."""
    strange = {
        "Custom": {"Type": "Custom::Thing", "Properties": {"Service": {"Fn::ImportValue": "x"}}},
        "Here": {
            "Type": "AWS::SQS::Queue",
            "DependsOn": ["There"],
            "Properties": {"QueueName": ref("There")},
        },
        "There": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::GetAtt": "Here.Arn"}}},
        "Lost": {
            "Type": "AWS::SNS::Topic",
            "DependsOn": "Nobody",
            "Properties": {"TopicName": ref("Nobody")},
        },
        "Made": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"Fn::Transform": {"Name": "Macro", "Parameters": {}}},
        },
    }
    found = forecast(stacks(a=BUCKET), stacks(a={**BUCKET, **strange}))
    assert [each.logical_id for each in found.steps] == ["Custom", "There", "Here", "Lost", "Made"]
    assert found.stopped_at is None


def test_what_is_deleted_leaves_its_name():
    """A log group that is not kept is made again without a word of its name."""
    with_logs = stacks(a={**BUCKET, **logs(_DeletionPolicy="Delete")})
    gone = deploy(settled(Account(), with_logs), stacks(a=BUCKET))
    again = deploy(gone.account, with_logs)
    assert ([each.action for each in again.steps], again.stopped_at) == (["create"], None)


def test_a_stack_that_fails_stays_as_it_was():
    """What came before it is done, it is rolled back, and nothing after it is reached."""
    old = stacks(a=BUCKET, b=logs(), c={})
    clash = {"Other": resource("Logs::LogGroup", LogGroupName="/shop/api")}
    new = stacks(a={}, b={**logs(), **clash}, c={"Queue": resource("SQS::Queue")})
    found = forecast(old, new)
    assert (found.stopped_at, found.not_reached) == ("b", ("c",))
    assert [(each.stack, each.action) for each in found.steps] == [("a", "delete")]
    held = {name: [*stack.resources] for (_, name), stack in found.account.stacks.items()}
    assert held == {"shop-prod-a": [], "shop-prod-b": ["Logs"], "shop-prod-c": []}


def test_stacks_that_are_left_run_on_or_are_pruned():
    """Left alone, a stack keeps what it has; pruned, what it holds is deleted or kept, the last first."""
    old, new = stacks(a=BUCKET, b={**logs(), "Queue": resource("SQS::Queue")}), stacks(a=BUCKET)
    left = forecast(old, new)
    assert [(each.logical_id, each.action) for each in left.steps] == [
        ("Logs", "orphan"),
        ("Queue", "orphan"),
    ]
    pruned = forecast(old, new, Delivery(prunes="first"))
    assert [(each.logical_id, each.action) for each in pruned.steps] == [
        ("Queue", "delete"),
        ("Logs", "retain"),
    ]
    assert [name for _, name in pruned.account.stacks] == ["shop-prod-a"]


def test_a_used_stack_is_pruned_last():
    """What another stack still uses goes once that stack has let it go; what uses others goes first."""
    old = both("one")
    alone = stacks(user={"Service": resource("ECS::Service", TaskDefinition="a:1")})
    found = forecast(old, alone, Delivery(prunes="around"))
    assert [(each.stack, each.action) for each in found.steps] == [
        ("user", "update"),
        ("maker", "delete"),
        ("maker", "delete"),
    ]


def test_other_pipelines_are_left_alone():
    """Stacks of another environment are neither pruned nor told of."""
    here = stacks(a=BUCKET)
    other = here._replace(
        prefix="shop-dev", tags=(("mlopsgen:environment", "dev"), ("mlopsgen:pipeline", "shop"))
    )
    found = deploy(settled(Account(), stacks(a=logs())), other, Delivery(prunes="first"))
    assert [each.action for each in found.steps] == ["create"]


def test_two_resources_do_not_swap_what_only_one_can_have():
    """Two rules of one stack that trade their priorities fail, for either is changed first."""

    def rules(first: int, second: int) -> TemplateSet:
        return stacks(a={
            name: resource("ElasticLoadBalancingV2::ListenerRule", ListenerArn="arn:1", Priority=number)
            for name, number in (("One", first), ("Two", second))
        })  # fmt: skip

    assert forecast(rules(1, 2), rules(2, 1)).stopped_at == "a"
    assert [each.rule for each in forecast(rules(1, 2), rules(3, 1)).failures] == ["priority-in-use"]
    assert forecast(rules(1, 2), rules(3, 4)).stopped_at is None


def test_what_waits_may_take_what_was_let_go():
    """A rule that depends on the one that leaves a priority can take it."""
    one = resource("ElasticLoadBalancingV2::ListenerRule", ListenerArn="arn:1", Priority=1)
    two = resource("ElasticLoadBalancingV2::ListenerRule", ListenerArn="arn:1", Priority=2, _DependsOn="One")
    moved = {"One": {**one, "Properties": {"ListenerArn": "arn:1", "Priority": 3}}}
    follows = {"Two": {**two, "Properties": {"ListenerArn": "arn:1", "Priority": 1}}}
    assert forecast(stacks(a={"One": one, "Two": two}), stacks(a=moved | follows)).stopped_at is None


def test_tags_of_the_stack_reach_what_takes_tags():
    """Other tags in `deploy.sh` change every resource that takes tags, whatever its template says."""
    old = stacks(a={**BUCKET, "Policy": resource("S3::BucketPolicy", Bucket="shop", PolicyDocument={})})
    new = old._replace(tags=(*old.tags, ("team", "search")))
    assert [(each.logical_id, each.action) for each in forecast(old, new).steps] == [("Bucket", "update")]


def test_a_stack_may_come_twice():
    """A shared stack that grows first and shrinks last lets its users leave in between."""
    pool = {"Pool": resource("ECS::CapacityProvider", Name="pool")}
    wide, narrow = (
        resource("ECS::ClusterCapacityProviderAssociations", Cluster="c", CapacityProviders=names)
        for names in ([ref("Pool")], ["FARGATE"])
    )

    def users(provider: str) -> TemplateSet:
        strategy = [{"CapacityProvider": provider}]
        return stacks(
            web={"Service": resource("ECS::Service", Cluster="c", CapacityProviderStrategy=strategy)}
        )

    before = stacks(cluster={**pool, "All": wide})
    after = stacks(cluster={"All": narrow})
    old = before._replace(stacks=(*before.stacks, *users("pool").stacks))
    at_once = after._replace(stacks=(*after.stacks, *users("FARGATE").stacks))
    in_turn = before._replace(stacks=(*before.stacks, *users("FARGATE").stacks, *after.stacks))
    assert forecast(old, at_once).stopped_at == "cluster"
    assert forecast(old, in_turn).stopped_at is None


def test_regions_share_only_names_that_are_global():
    """Another region is another place, but for buckets, roles and dashboards."""
    old = stacks(a={**logs(), "Role": resource("IAM::Role", RoleName="shop")})
    found = forecast(old, old._replace(region="us-east-1"))
    assert [(each.rule, each.logical_id) for each in found.failures] == [("name-taken", "Role")]


def test_conditions_and_mappings_are_read():
    """A resource whose condition does not hold is not there; values are looked up in mappings."""
    found = stacks(a=BUCKET)
    more = {
        "Mappings": {"Names": {"eu-west-1": {"bucket": "shop"}}},
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}, "Always": {"Fn::Not": [{"Condition": "Never"}]}},
        "Resources": {
            "Bucket": resource(
                "S3::Bucket", BucketName={"Fn::FindInMap": ["Names", ref("AWS::Region"), "bucket"]}
            ),
            "Queue": resource("SQS::Queue", _Condition="Never"),
        },
    }
    assert forecast(found, found._replace(stacks=(found.stacks[0]._replace(template=more),))).steps == ()
