#!/usr/bin/env bash
# Deploys imdb-sentiment to dev, stack by stack. Compiled by mlopsgen. Edit the pipeline, not this file.
#
#   ./deploy.sh                       every stack, in order
#   ./deploy.sh network cluster       only these
#   ./deploy.sh --until training       the first ones, before images are pushed
#   ./deploy.sh --from training-sentiment-trainer the others, once they are
#   ./deploy.sh --dry-run             what would change, as tables; nothing is left behind
#   ./deploy.sh --prune               delete the stacks that the pipeline no longer has, then go on
#   ./deploy.sh --destroy             delete all stacks but those that hold data
#   --yes                             do not ask before deleting
#   --train                           start the job that trains a model which has no version yet, and wait for it
#   --without-models                  leave out the services that wait for a first version
#   --models-are-there                do not look whether models have a version
#
# Images are named by digest. For a stack that is not yet there, give one of
#   SENTIMENT_API_DIGEST=sha256:…
#   SENTIMENT_TRAINER_DIGEST=sha256:…
#   IMAGE_TAG=…                       the tag under which all images were pushed
#
# CLOUDFORMATION_ROLE_ARN=… lets CloudFormation work with a role of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

PREFIX=imdb-sentiment-dev
REGION=ap-southeast-1
STACKS=(foundation access network cluster registry-sentiment-api registry-sentiment-trainer serving training training-sentiment-trainer serving-sentiment-api observability-sentiment-api)
TAGS='[{"Key": "mlopsgen:environment", "Value": "dev"}, {"Key": "mlopsgen:pipeline", "Value": "imdb-sentiment"}, {"Key": "team", "Value": "time-series"}]'
OURS=$'mlopsgen:environment\tdev\nmlopsgen:pipeline\timdb-sentiment'
GUARDED='AWS::EC2::Subnet AWS::EC2::VPC AWS::ECR::Repository AWS::EFS::FileSystem AWS::KMS::Key AWS::S3::Bucket'
POLL_SECONDS=${POLL_SECONDS:-5}

# A parameter of the template, and the SSM parameter that it takes its value from.
reads() {
  parameters+=("ParameterKey=$1,ParameterValue=$2")
}

# What is known of a stack: its parameters, the capability that CloudFormation asks for, whether it has something
# that a change must not replace or take away.
facts() {
  parameters=() capability='' image='' repository='' protected='' routes='' models=''
  case $1 in
    foundation)
      protected=yes
      ;;
    access)
      reads FoundationKeyArn /imdb-sentiment-dev/foundation/key-arn
      capability=CAPABILITY_NAMED_IAM
      ;;
    network)
      reads FoundationKeyArn /imdb-sentiment-dev/foundation/key-arn
      capability=CAPABILITY_IAM
      protected=yes
      ;;
    cluster)
      reads NetworkVpcId /imdb-sentiment-dev/network/vpc-id
      reads NetworkPrivateSubnetIds /imdb-sentiment-dev/network/private-subnet-ids
      reads EcsGpuImageId /aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id
      capability=CAPABILITY_IAM
      ;;
    registry-sentiment-api)
      reads FoundationKeyArn /imdb-sentiment-dev/foundation/key-arn
      protected=yes
      ;;
    registry-sentiment-trainer)
      reads FoundationKeyArn /imdb-sentiment-dev/foundation/key-arn
      protected=yes
      ;;
    serving)
      reads NetworkVpcId /imdb-sentiment-dev/network/vpc-id
      reads NetworkPublicSubnetIds /imdb-sentiment-dev/network/public-subnet-ids
      ;;
    training)
      reads FoundationKeyArn /imdb-sentiment-dev/foundation/key-arn
      reads FoundationTopicArn /imdb-sentiment-dev/foundation/topic-arn
      ;;
    training-sentiment-trainer)
      reads FoundationKeyArn /imdb-sentiment-dev/foundation/key-arn
      reads NetworkVpcId /imdb-sentiment-dev/network/vpc-id
      reads TrainingDeadLetterArn /imdb-sentiment-dev/training/dead-letter-arn
      reads NetworkPrivateSubnetIds /imdb-sentiment-dev/network/private-subnet-ids
      reads FoundationTopicArn /imdb-sentiment-dev/foundation/topic-arn
      capability=CAPABILITY_IAM
      image=SENTIMENT_TRAINER_DIGEST repository=imdb-sentiment-dev/sentiment-trainer
      ;;
    serving-sentiment-api)
      reads FoundationKeyArn /imdb-sentiment-dev/foundation/key-arn
      reads NetworkVpcId /imdb-sentiment-dev/network/vpc-id
      reads ServingPublicListenerArn /imdb-sentiment-dev/serving/public-listener-arn
      reads ServingPublicSecurityGroupId /imdb-sentiment-dev/serving/public-security-group-id
      reads NetworkPrivateSubnetIds /imdb-sentiment-dev/network/private-subnet-ids
      reads ServingPublicLoadBalancerFullName /imdb-sentiment-dev/serving/public-load-balancer-full-name
      reads FoundationTopicArn /imdb-sentiment-dev/foundation/topic-arn
      capability=CAPABILITY_IAM
      image=SENTIMENT_API_DIGEST repository=imdb-sentiment-dev/sentiment-api
      routes=WebListenerRule:WebPublicTargetGroup:
      models=sentiment
      ;;
    observability-sentiment-api)
      reads FoundationTopicArn /imdb-sentiment-dev/foundation/topic-arn
      reads ServingPublicLoadBalancerFullName /imdb-sentiment-dev/serving/public-load-balancer-full-name
      reads ServingSentimentApiWebTargetGroup /imdb-sentiment-dev/serving/sentiment-api/web-target-group
      models=sentiment
      ;;
  esac
}

# A model's pointer, in the bucket of this account.
pointer() {
  case $1 in
    sentiment) printf '%s' "s3://imdb-sentiment-dev-data-$account/models/sentiment/current.json" ;;
  esac
}

# Starts a job that trains the model, and prints the task's ARN; nothing if no job does.
start_training() {
  case $1 in
    sentiment)
      aws ecs run-task \
        --region ap-southeast-1 \
        --cluster imdb-sentiment-dev \
        --task-definition imdb-sentiment-dev-sentiment-trainer \
        --capacity-provider-strategy capacityProvider=imdb-sentiment-dev-gpu,weight=1 \
        --network-configuration "$(aws ssm get-parameter --region ap-southeast-1 --name /imdb-sentiment-dev/training/sentiment-trainer/network --query Parameter.Value --output text)" \
        --enable-ecs-managed-tags --propagate-tags TASK_DEFINITION \
        --query 'tasks[0].taskArn' --output text
      ;;
  esac
}

fail() {
  printf 'deploy.sh: %s\n' "$*" >&2
  exit 1
}

note() {
  printf 'deploy.sh: %s\n' "$*" >&2
}

known() {
  local each
  for each in "${STACKS[@]}"; do
    [ "$each" = "$1" ] && return
  done
  fail "there is no stack $1; there are: ${STACKS[*]}"
}

cloudformation() {
  aws cloudformation "$@" --region "$REGION"
}

# A stack's status, or `none`. Whatever else AWS answers ends the script: a stack that cannot be seen may be there.
status_of() {
  local said
  if ! cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>"$errors"; then
    said=$(cat "$errors")
    if [[ $said == *'does not exist'* ]]; then
      printf none
    else
      printf '%s\n' "$said" >&2
      return 1
    fi
  fi
}

# Waits, however long it takes, until nothing is going on in a stack; then `status` says how it ended.
settled() {
  local name=$1 said=''
  while true; do
    status=$(status_of "$name") || fail "the state of $name cannot be read"
    case $status in
      REVIEW_IN_PROGRESS) return ;;
      *_IN_PROGRESS) ;;
      *) return ;;
    esac
    if [ -z "$said" ] && [ $# -gt 1 ]; then
      note "$name is $status: waiting until that has ended"
      said=yes
    fi
    sleep "$POLL_SECONDS"
  done
}

# Deletes a stack and waits; what is left of a first creation that failed holds nothing.
delete() {
  local name=$1
  cloudformation delete-stack --stack-name "$name" ${CLOUDFORMATION_ROLE_ARN:+--role-arn "$CLOUDFORMATION_ROLE_ARN"}
  settled "$name"
  [ "$status" = none ] || [ "$status" = DELETE_COMPLETE ] || {
    reasons "$name" ''
    fail "$name could not be deleted: it is $status. What the table names has to go first; then run this again"
  }
}

# Why this run's change failed: by the change set where the AWS CLI knows how, or by the stack's own events.
reasons() {
  local name=$1 change=$2 found=''
  if [ -n "$change" ]; then
    found=$(cloudformation describe-events --change-set-name "$change" --filters FailedEvents=true --output table --query \
      'OperationEvents[].[LogicalResourceId, ResourceStatus || ValidationStatus || EventType, ResourceStatusReason || ValidationStatusReason]' \
      2>/dev/null) || found=''
  fi
  if [ -z "$found" ]; then
    # shellcheck disable=SC2016 # the backticks are JMESPath's
    found=$(cloudformation describe-stack-events --stack-name "$name" --output table --query \
      "StackEvents[?contains(ResourceStatus, \`FAILED\`)${change:+ && ClientRequestToken == \`$token\`}].[LogicalResourceId, ResourceStatus, ResourceStatusReason]" \
      2>/dev/null) || found=''
  fi
  [ -z "$found" ] || printf '%s\n' "$found" >&2
}

# The digest to deploy: given, or looked up by tag. Without either, a stack that is there keeps its own.
image_parameter() {
  local stack=$1 digest
  if [ -n "${!image:-}" ]; then
    digest=${!image}
  elif [ -n "${IMAGE_TAG:-}" ]; then
    digest=$(aws ecr describe-images --region "$REGION" --repository-name "$repository" \
      --image-ids "imageTag=$IMAGE_TAG" --query 'imageDetails[0].imageDigest' --output text) ||
      fail "no image with tag $IMAGE_TAG in $repository"
  elif [ "$kind" = UPDATE ]; then
    parameters+=("ParameterKey=ImageDigest,UsePreviousValue=true")
    return
  elif [ -n "$dry_run" ]; then
    # To look at what is new: nothing is made with it.
    digest=sha256:$(printf '%064d' 0)
  else
    fail "$stack needs an image: push it to $repository, then set $image=sha256:… or IMAGE_TAG"
  fi
  [[ $digest =~ ^sha256:[a-f0-9]{64}$ ]] || fail "$image: \`$digest\` is no digest: sha256: and 64 hexadecimal digits"
  parameters+=("ParameterKey=ImageDigest,ParameterValue=$digest")
}

# A load balancer whose deletion protection is on would stay, and cost, when its stack lets go of it.
balancers_may_go() {
  local arn on
  # shellcheck disable=SC2016 # the backticks are JMESPath's
  for arn in $(cloudformation describe-change-set --change-set-name "$1" --output text --query \
    'Changes[].ResourceChange | [?ResourceType==`AWS::ElasticLoadBalancingV2::LoadBalancer` && (Action==`Remove` || Replacement==`True`)].PhysicalResourceId'); do
    [ "$arn" != None ] || continue
    # shellcheck disable=SC2016 # the backticks are JMESPath's
    on=$(aws elbv2 describe-load-balancer-attributes --region "$REGION" --load-balancer-arn "$arn" --output text \
      --query 'Attributes[?Key==`deletion_protection.enabled`].Value') || return 1
    [ "$on" != true ] || return 1
  done
}

# A pool goes once nothing runs on it: ECS keeps a capacity provider that is used (Amazon ECS API reference,
# PutClusterCapacityProviders), and instances that run tasks keep their Auto Scaling group.
pools_may_go() {
  local pool each there users='' gone=() container_instances=() at
  there=$(status_of "$PREFIX-cluster") || fail "the state of $PREFIX-cluster cannot be read"
  [ "$there" != none ] || return 0
  # shellcheck disable=SC2016 # the backticks are JMESPath's
  there=$(cloudformation list-stack-resources --stack-name "$PREFIX-cluster" --output text --query \
    'StackResourceSummaries[?ResourceType==`AWS::ECS::CapacityProvider` && ResourceStatus!=`DELETE_COMPLETE`].PhysicalResourceId')
  for pool in $there; do
    case $pool in
      None | imdb-sentiment-dev-gpu) ;;
      *) gone+=("$pool") ;;
    esac
  done
  [ -n "${gone[*]:-}" ] || return 0
  there=$(aws ecs list-services --region "$REGION" --cluster "$PREFIX" --output text --query 'serviceArns[]')
  for each in $there; do
    [ "$each" != None ] || continue
    at=$(aws ecs describe-services --region "$REGION" --cluster "$PREFIX" --services "$each" --output text --query \
      'services[].[capacityProviderStrategy, deployments[].capacityProviderStrategy[]][][].capacityProvider')
    for pool in "${gone[@]}"; do
      [[ $'\t'$at$'\t' != *$'\t'"$pool"$'\t'* ]] || users+=", ${each##*/} on $pool"
    done
  done
  there=$(aws ecs list-container-instances --region "$REGION" --cluster "$PREFIX" --output text \
    --query 'containerInstanceArns[]')
  for each in $there; do
    [ "$each" = None ] || container_instances+=("$each")
  done
  for ((at = 0; at < ${#container_instances[@]}; at += 100)); do
    there=$(aws ecs describe-container-instances --region "$REGION" --cluster "$PREFIX" --output text \
      --container-instances "${container_instances[@]:at:100}" --query 'containerInstances[].capacityProviderName')
    for pool in "${gone[@]}"; do
      [[ $'\t'$there$'\t' != *$'\t'"$pool"$'\t'* ]] || users+=", instances of $pool"
    done
  done
  [ -n "$users" ] || return 0
  note "the pipeline no longer has ${gone[*]}, and there still are ${users#, }. First deploy the pipeline with the pool and with nothing on it (--prune deletes services that the pipeline no longer has); a quarter of an hour later, when its instances have gone, deploy this one"
  return 1
}

# A resource of a stack, of those in `there`, as AWS names it.
physical() {
  local logical id
  while read -r logical id; do
    [ "$logical" != "$1" ] || printf '%s' "$id"
  done <<<"$there"
}

# ECS moves traffic between two target groups at each deployment, by the weights of a rule. The weights that live
# are passed: an update of the stack would put others in their place, and traffic where nobody is.
weights() {
  local stack=$1 name=$PREFIX-$1 there='' route rule first second other arn live group weight one two
  [ -n "$routes" ] || return 0
  if [ "$kind" = UPDATE ]; then
    # shellcheck disable=SC2016 # the backticks are JMESPath's
    there=$(cloudformation list-stack-resources --stack-name "$name" --output text --query \
      'StackResourceSummaries[?starts_with(ResourceType, `AWS::ElasticLoadBalancingV2::`) && ResourceStatus!=`DELETE_COMPLETE`].[LogicalResourceId, PhysicalResourceId]')
  fi
  for route in $routes; do
    IFS=: read -r rule first second <<<"$route"
    arn=$(physical "$rule") other=$(physical "${first%TargetGroup}AlternateTargetGroup")
    one='' two=''
    if [ -n "$arn" ] && [ -n "$other" ]; then
      live=$(aws elbv2 describe-rules --region "$REGION" --rule-arns "$arn" --output text \
        --query 'Rules[0].Actions[].ForwardConfig.TargetGroups[].[TargetGroupArn, Weight]') ||
        fail "the weights of $rule in $name cannot be read"
      while read -r group weight; do
        [ "$group" != "$(physical "$first")" ] || one=$weight
        [ "$group" != "$other" ] || two=$weight
      done <<<"$live"
    fi
    if [ -n "$second" ]; then
      [ -n "$one" ] && [ -n "$two" ] || { one=100 two=0; }
      parameters+=("ParameterKey=${first}Weight,ParameterValue=$one" "ParameterKey=${second}Weight,ParameterValue=$two")
    elif [ "$one" = 0 ]; then
      fail "the traffic of $stack is at its second target group, which this change takes away. First move it back: \`aws ecs update-service --region $REGION --cluster $PREFIX --service ${stack#serving-} --force-new-deployment\`; once that deployment has ended, run this again"
    fi
  done
}

# Sets `taken` to what a change replaces or takes away of the network and of what holds data.
guarded() {
  local type id
  taken=''
  # shellcheck disable=SC2016 # the backticks are JMESPath's
  while read -r type id; do
    [[ " $GUARDED " != *" $type "* ]] || taken+="${taken:+, }$id ($type)"
  done <<<"$(cloudformation describe-change-set --change-set-name "$1" --output text --query \
    'Changes[].ResourceChange | [?Action==`Remove` || Replacement==`True`].[ResourceType, LogicalResourceId]')"
}

# What keeps data and network from being replaced or deleted by a change, and the stack from being deleted.
protect() {
  local each types='' policy='{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}'
  [ -n "$protected" ] || return 0
  for each in $GUARDED; do
    types+="${types:+,}\"$each\""
  done
  policy+=',{"Effect":"Deny","Action":["Update:Replace","Update:Delete"],"Principal":"*","Resource":"*",'
  policy+="\"Condition\":{\"StringEquals\":{\"ResourceType\":[$types]}}}"
  cloudformation set-stack-policy --stack-name "$1" --stack-policy-body "{\"Statement\":[$policy]}"
  cloudformation update-termination-protection --stack-name "$1" >/dev/null \
    --enable-termination-protection
}

# Delivery cannot change its own rights: it only says that an administrator has to.
left_to_an_administrator() {
  [ "$1" = access ] && [ -n "${CLOUDFORMATION_ROLE_ARN:-}" ] || return 1
  local there
  there=$(cloudformation get-template --stack-name "$PREFIX-access" --query TemplateBody --output text 2>/dev/null) || there=''
  if [ "$there" = "$(cat stacks/access.yaml)" ]; then
    printf 'access ... unchanged\n'
  else
    printf 'access ... left out\n'
    note "access has changed: an administrator runs \`deploy.sh foundation access\` without CLOUDFORMATION_ROLE_ARN"
  fi
}

deploy() {
  local stack=$1 name=$PREFIX-$1 started=$SECONDS kind=UPDATE change answer taken
  left_to_an_administrator "$stack" && return
  facts "$stack"
  settled "$name" aloud
  case $status in
    none | REVIEW_IN_PROGRESS | DELETE_COMPLETE) kind=CREATE ;;
    ROLLBACK_COMPLETE | ROLLBACK_FAILED | CREATE_FAILED)
      if [ -n "$dry_run" ]; then
        note "$name is $status: a deployment deletes it first"
        return
      fi
      note "$name is $status: its first creation failed, so it is deleted and made anew"
      delete "$name"
      kind=CREATE
      ;;
    DELETE_FAILED)
      reasons "$name" ''
      fail "$name is DELETE_FAILED: delete what the table names, then run \`aws cloudformation delete-stack --region $REGION --stack-name $name\`"
      ;;
    UPDATE_ROLLBACK_FAILED)
      reasons "$name" ''
      fail "$name is UPDATE_ROLLBACK_FAILED: mend what the table names, then run \`aws cloudformation continue-update-rollback --region $REGION --stack-name $name\`, and this again"
      ;;
  esac
  first_models "$stack" || return 0
  printf '%s ... ' "$stack"
  # Every parameter is passed: CloudFormation would keep the path of yesterday's template for one that is not.
  [ -z "$image" ] || image_parameter "$stack"
  weights "$stack"
  token=mlopsgen-$(date -u +%Y%m%dT%H%M%SZ)-$$-$RANDOM
  local options=(--stack-name "$name" --change-set-name "$token" --change-set-type "$kind"
    --template-body "file://stacks/$stack.yaml" --tags "$TAGS" --query Id --output text)
  [ -z "${parameters[*]:-}" ] || options+=(--parameters "${parameters[@]}")
  [ -z "$capability" ] || options+=(--capabilities "$capability")
  [ -z "${CLOUDFORMATION_ROLE_ARN:-}" ] || options+=(--role-arn "$CLOUDFORMATION_ROLE_ARN")
  # What an earlier stack of this name kept is taken back by its name.
  [ "$kind" = UPDATE ] || options+=(--import-existing-resources)
  if ! change=$(cloudformation create-change-set "${options[@]}" 2>"$errors"); then
    answer=$(cat "$errors")
    if [ -n "$dry_run" ] && [ "$kind" = CREATE ] && [[ $answer == *[Pp]arameter* ]]; then
      printf 'new; it waits for what the stacks before it publish\n'
      tidy "$name"
      return
    fi
    printf 'failed\n%s\n' "$answer" >&2
    [ "$kind" = UPDATE ] || tidy "$name"
    exit 1
  fi
  while true; do
    answer=$(cloudformation describe-change-set --change-set-name "$change" --query '[Status, StatusReason]' --output text)
    case $answer in
      *_PENDING* | *_IN_PROGRESS*) sleep "$POLL_SECONDS" ;;
      *) break ;;
    esac
  done
  case $answer in
    CREATE_COMPLETE*) ;;
    *"didn't contain changes"* | *'No updates are to be performed'*)
      cloudformation delete-change-set --change-set-name "$change" >/dev/null
      [ -n "$dry_run" ] || protect "$name"
      printf 'unchanged\n'
      return
      ;;
    *[Pp]arameter*)
      if [ -n "$dry_run" ] && [ "$kind" = CREATE ]; then
        printf 'new; it waits for what the stacks before it publish\n'
        cloudformation delete-change-set --change-set-name "$change" >/dev/null
        tidy "$name"
        return
      fi
      printf 'failed\n%s\n' "$answer" >&2
      [ "$kind" = UPDATE ] || tidy "$name"
      exit 1
      ;;
    *)
      printf 'failed\n%s\n' "$answer" >&2
      reasons "$name" "$change"
      cloudformation delete-change-set --change-set-name "$change" >/dev/null 2>&1 || true
      [ "$kind" = UPDATE ] || tidy "$name"
      exit 1
      ;;
  esac
  if [ -n "$dry_run" ]; then
    [ "$kind" = CREATE ] && printf 'new\n' || printf 'would change\n'
    cloudformation describe-change-set --change-set-name "$change" --output table --query \
      'Changes[].ResourceChange.{"1 action": Action, "2 replaced": Replacement, "3 resource": LogicalResourceId, "4 type": ResourceType}'
    cloudformation delete-change-set --change-set-name "$change" >/dev/null
    [ "$kind" = UPDATE ] || tidy "$name"
    return
  fi
  if [ "$kind" = UPDATE ]; then
    if ! balancers_may_go "$change"; then
      printf 'failed\n' >&2
      cloudformation delete-change-set --change-set-name "$change" >/dev/null
      fail "the pipeline no longer has a load balancer of $name as it is, and its deletion protection is on. First deploy the pipeline as it was with \`protection: {loadBalancers: false}\`, then this one"
    fi
    guarded "$change"
    if [ -n "$taken" ]; then
      printf 'failed\n' >&2
      cloudformation delete-change-set --change-set-name "$change" >/dev/null
      fail "$name would replace or let go of $taken, which \`protection\` forbids. If it is meant, deploy once with \`protection: {stacks: false}\`: data is kept, beside the stack. A VPC or a subnet cannot go while anything stands in it: make another environment in its place"
    fi
    protect "$name"
  fi
  cloudformation execute-change-set --change-set-name "$change" --client-request-token "$token"
  waiting=$name
  settled "$name"
  while [ "$status" = REVIEW_IN_PROGRESS ]; do
    sleep "$POLL_SECONDS"
    settled "$name"
  done
  waiting=''
  case $status in
    CREATE_COMPLETE | UPDATE_COMPLETE | IMPORT_COMPLETE)
      [ "$kind" = UPDATE ] || protect "$name"
      printf 'done in %s s\n' $((SECONDS - started))
      ;;
    *)
      printf 'failed: %s\n' "$status" >&2
      reasons "$name" "$change"
      exit 1
      ;;
  esac
}

# A stack that holds nothing but a change set that was only looked at.
tidy() {
  settled "$1"
  [ "$status" != REVIEW_IN_PROGRESS ] || cloudformation delete-stack --stack-name "$1"
}

has_version() {
  local uri answer
  uri=$(pointer "$1")
  uri=${uri#s3://}
  answer=$(aws s3api list-objects-v2 --region "$REGION" --bucket "${uri%%/*}" --prefix "${uri#*/}" --max-items 1 \
    --query 'Contents[0].Key' --output text 2>"$errors") ||
    fail "whether $1 has a version cannot be read: $(cat "$errors")"
  [[ $answer == "${uri#*/}"* ]]
}

# Whether every model that the stack follows has a version: without one its tasks cannot start.
first_models() {
  local stack=$1 model
  [ -n "$models" ] && [ "$kind" = CREATE ] && [ -z "$dry_run$unasked" ] || return 0
  for model in $models; do
    has_version "$model" && continue
    if [ -n "$train" ]; then
      train "$model"
      has_version "$model" && continue
      fail "$model is trained, and no version is current: a person promotes one ($(readme 'Promote a version of' "$model")), then run this again"
    fi
    if [ -n "$without_models" ]; then
      printf '%s ... left out\n' "$stack"
      note "$stack waits for a first version of $model: train and promote one ($(readme 'By hand' "$model")), then deploy it"
      return 1
    fi
    fail "$stack waits for a first version of $model, which is not there yet. Start its training with --train, or as the README says under \"By hand\"; promote the version; then run this again. --without-models leaves the stack out"
  done
}

readme() {
  printf 'README.md, "%s", %s' "$1" "$2"
}

# Starts a training and waits for its end, however long it takes.
train() {
  local model=$1 task cluster state='' last='' code
  task=$(start_training "$model")
  [ -n "$task" ] && [ "$task" != None ] || fail "no training of $model could be started"
  cluster=${task#*:task/}
  cluster=${cluster%%/*}
  printf '%s ... training, %s\n' "$model" "$task"
  while true; do
    state=$(aws ecs describe-tasks --region "$REGION" --cluster "$cluster" --tasks "$task" \
      --query 'tasks[0].lastStatus' --output text) || fail "the training of $model cannot be seen: $task"
    if [ "$state" != "$last" ]; then
      printf '%s ... %s\n' "$model" "$state"
      last=$state
    fi
    [ "$state" != STOPPED ] || break
    sleep "$POLL_SECONDS"
  done
  # A container that never started has no exit code.
  # shellcheck disable=SC2016 # the backticks are JMESPath's
  code=$(aws ecs describe-tasks --region "$REGION" --cluster "$cluster" --tasks "$task" \
    --query 'tasks[0].[join(`,`, containers[].to_string(exitCode)), stoppedReason]' --output text) || code=unknown
  [[ $code =~ ^0(,0)*[[:space:]] ]] || fail "the training of $model ended with $code: its log says why"
}

# Sets `names` to the stacks of this environment that the pipeline no longer has, those that others build on last.
# Tags tell whose a stack is: the name of another environment may begin alike.
stray() {
  local found name each ours tags
  names=()
  # shellcheck disable=SC2016 # the backticks are JMESPath's
  found=$(cloudformation list-stacks --output text --query \
    "StackSummaries[?starts_with(StackName, \`$PREFIX-\`) && StackStatus!=\`DELETE_COMPLETE\`].[CreationTime, StackName]" \
    2>"$errors") || return 1
  while read -r _ name; do
    [ -n "$name" ] || continue
    ours=''
    for each in "${STACKS[@]}"; do
      [ "$PREFIX-$each" != "$name" ] || ours=yes
    done
    [ -z "$ours" ] || continue
    # shellcheck disable=SC2016 # the backticks are JMESPath's
    tags=$(cloudformation describe-stacks --stack-name "$name" --output text --query \
      'Stacks[0].Tags[?Key==`mlopsgen:pipeline` || Key==`mlopsgen:environment`].[Key, Value]' 2>"$errors") || return 1
    [ "$(printf '%s\n' "$tags" | sort)" != "$OURS" ] || names+=("$name")
  done <<<"$(printf '%s\n' "$found" | sort -r)"
}

agreed() {
  local answer=''
  [ -z "$yes" ] || return 0
  printf '%s\nGo on? Type %s: ' "$1" "$PREFIX" >&2
  read -r answer || true
  [ "$answer" = "$PREFIX" ] || fail "nothing was deleted"
}

# What keeps a stack and its load balancers from being deleted is taken away, now that somebody agreed.
release() {
  local name=$1 arn
  cloudformation update-termination-protection --stack-name "$name" --no-enable-termination-protection >/dev/null
  # shellcheck disable=SC2016 # the backticks are JMESPath's
  for arn in $(cloudformation describe-stack-resources --stack-name "$name" --output text --query \
    'StackResources[?ResourceType==`AWS::ElasticLoadBalancingV2::LoadBalancer`].PhysicalResourceId'); do
    [ "$arn" = None ] || aws elbv2 modify-load-balancer-attributes --region "$REGION" --load-balancer-arn "$arn" \
      --attributes Key=deletion_protection.enabled,Value=false >/dev/null
  done
}

remove() {
  local name
  for name in "$@"; do
    printf '%s ... ' "${name#"$PREFIX"-}"
    release "$name"
    delete "$name"
    printf 'deleted\n'
  done
}

# Whether a stack of the pipeline still takes something of one that it no longer has, as it is now.
used() {
  local short=${1#"$PREFIX"-}
  case $short in access | registry-*) return 0 ;; esac
  # What serving-api publishes lies below serving/api/.
  [[ $taken == *"/$PREFIX/$short/"* || $taken == *"/$PREFIX/${short/-//}/"* ]]
}

# Deletes what the pipeline no longer has and nobody uses; sets `later` to what others use until they are deployed.
prune() {
  local names=() each taken=''
  if ! stray; then
    [ -z "$prune" ] || fail "stacks that the pipeline no longer has cannot be found: $(cat "$errors")"
    note "whether there are stacks that the pipeline no longer has cannot be seen"
    return
  fi
  [ -n "${names[*]:-}" ] || return 0
  if [ -z "$prune" ]; then
    note "the pipeline no longer has ${names[*]}: they run on, and cost. \`deploy.sh --prune\` deletes them"
    return
  fi
  if [ -n "$dry_run" ]; then
    printf 'would be deleted: %s\n' "${names[*]}"
    return
  fi
  agreed "These stacks are no longer in the pipeline, and will be deleted: ${names[*]}"
  for each in "${STACKS[@]}"; do
    taken+=$(cloudformation describe-stacks --stack-name "$PREFIX-$each" --output text \
      --query 'Stacks[0].Parameters[].ParameterValue' 2>/dev/null) || continue
    taken+=$'\n'
  done
  for each in "${names[@]}"; do
    if used "$each"; then
      later+=("$each")
    else
      remove "$each"
    fi
  done
}

destroy() {
  local names=() index
  [ -z "${CLOUDFORMATION_ROLE_ARN:-}" ] || fail "--destroy deletes the role that CLOUDFORMATION_ROLE_ARN names: an administrator runs it without"
  stray || fail "the stacks cannot be listed: $(cat "$errors")"
  for ((index = 10; index >= 0; index--)); do
    case ${STACKS[index]} in
      foundation) continue ;;
    esac
    status=$(status_of "$PREFIX-${STACKS[index]}")
    [ "$status" = none ] || names+=("$PREFIX-${STACKS[index]}")
  done
  cat <<'KEPT'
Data stays: images, which cost their storage; keys, which AWS charges for by the month; logs, which cost their storage until they expire; buckets, which cost their storage.
With it stay the stacks imdb-sentiment-dev-foundation: what they hold could not be found again without them.
deploy.sh takes all of it back when it deploys again. README.md says how to delete it for good.
KEPT
  if [ -z "${names[*]:-}" ]; then
    printf 'nothing to delete\n'
    return
  fi
  if [ -n "$dry_run" ]; then
    printf 'would be deleted: %s\n' "${names[*]}"
    return
  fi
  agreed "These stacks will be deleted: ${names[*]}"
  remove "${names[@]}"
}

dry_run='' from='' until='' prune='' destroy='' yes='' train='' without_models='' unasked='' waiting='' token='' chosen=() later=()
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=yes ;;
    --prune) prune=yes ;;
    --destroy) destroy=yes ;;
    --yes) yes=yes ;;
    --train) train=yes ;;
    --without-models) without_models=yes ;;
    --models-are-there) unasked=yes ;;
    --from | --until)
      [ $# -gt 1 ] || fail "$1 needs the name of a stack"
      known "$2"
      [ "$1" = --from ] && from=$2 || until=$2
      shift
      ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
      exit
      ;;
    -*) fail "unknown option $1 (see --help)" ;;
    *)
      known "$1"
      chosen+=("$1")
      ;;
  esac
  shift
done

command -v aws >/dev/null || fail "the AWS command line client is missing: install it first"
account=$(aws sts get-caller-identity --query Account --output text)
errors=$(mktemp)
trap 'rm -f "$errors"; [ -z "$waiting" ] || note "AWS goes on with $waiting: run this again to wait for it"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -n "$destroy" ]; then
  destroy
  exit 0
fi
[ -n "${chosen[*]:-}" ] || prune

[ -z "$from" ] && active=yes || active=''
running=()
for stack in "${STACKS[@]}"; do
  [ "$stack" = "$from" ] && active=yes
  run=$active
  if [ -n "${chosen[*]:-}" ]; then
    run=''
    for each in "${chosen[@]}"; do
      [ "$each" = "$stack" ] && run=yes
    done
  fi
  [ -z "$run" ] || running+=("$stack")
  [ "$stack" = "$until" ] && active=''
done
if [[ " ${running[*]:-} " == *' cluster '* ]] && ! pools_may_go; then
  [ -n "$dry_run" ] || fail "no stack was changed"
fi
for stack in ${running[@]+"${running[@]}"}; do
  deploy "$stack"
done
if [ -n "${later[*]:-}" ]; then
  if [ -n "$until" ]; then
    note "${later[*]}: a run with --prune that deploys all stacks deletes what others use now"
  else
    remove "${later[@]}"
  fi
fi
exit 0
