#!/usr/bin/env bash
# Deploys imdb-sentiment to dev, stack by stack. Compiled by mlopsgen. Edit the pipeline, not this file.
#
#   ./deploy.sh                       every stack, in order
#   ./deploy.sh network cluster       only these
#   ./deploy.sh --until training       the first ones, before images are pushed
#   ./deploy.sh --from training-sentiment-trainer the others, once they are
#   ./deploy.sh --dry-run             change sets to look at, nothing changed
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
TAGS=(mlopsgen:environment=dev mlopsgen:pipeline=imdb-sentiment team=time-series)

fail() {
  printf 'deploy.sh: %s\n' "$*" >&2
  exit 1
}

known() {
  local each
  for each in "${STACKS[@]}"; do
    [ "$each" = "$1" ] && return
  done
  fail "there is no stack $1; there are: ${STACKS[*]}"
}

exists() {
  local status
  status=$(aws cloudformation describe-stacks --region "$REGION" --stack-name "$1" \
    --query 'Stacks[0].StackStatus' --output text 2>/dev/null) || return 1
  [ "$status" != REVIEW_IN_PROGRESS ] && [ "$status" != ROLLBACK_COMPLETE ]
}

# The digest to deploy: given, or looked up by tag. Without either, a stack that is there keeps its own.
image_digest() {
  local stack=$1 variable=$2 repository=$3
  if [ -n "${!variable:-}" ]; then
    printf '%s' "${!variable}"
  elif [ -n "${IMAGE_TAG:-}" ]; then
    aws ecr describe-images --region "$REGION" --repository-name "$repository" \
      --image-ids "imageTag=$IMAGE_TAG" --query 'imageDetails[0].imageDigest' --output text ||
      fail "no image with tag $IMAGE_TAG in $repository"
  elif ! exists "$PREFIX-$stack"; then
    fail "$stack needs an image: push it to $repository, then set $variable=sha256:… or IMAGE_TAG"
  fi
}

deploy() {
  local stack=$1 started=$SECONDS
  shift
  printf '%s ... ' "$stack"
  local options=(--region "$REGION" --stack-name "$PREFIX-$stack" --template-file "stacks/$stack.yaml"
    --no-fail-on-empty-changeset --tags "${TAGS[@]}" "$@")
  [ -n "${CLOUDFORMATION_ROLE_ARN:-}" ] && options+=(--role-arn "$CLOUDFORMATION_ROLE_ARN")
  [ -n "$dry_run" ] && options+=(--no-execute-changeset)
  local output
  if output=$(aws cloudformation deploy "${options[@]}" 2>&1); then
    case $output in
      *'No changes to deploy'*) printf 'unchanged\n' ;;
      *) [ -n "$dry_run" ] && printf 'to review:\n%s\n' "$output" || printf 'done in %s s\n' $((SECONDS - started)) ;;
    esac
    return
  fi
  printf 'failed\n%s\n' "$output" >&2
  # shellcheck disable=SC2016 # the backticks are JMESPath's
  aws cloudformation describe-stack-events --region "$REGION" --stack-name "$PREFIX-$stack" --output table --query \
    'StackEvents[?contains(ResourceStatus, `FAILED`)].[LogicalResourceId, ResourceStatus, ResourceStatusReason]' >&2 || true
  exit 1
}

dry_run='' from='' until='' chosen=()
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=yes ;;
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

[ -z "$from" ] && active=yes || active=''
for stack in "${STACKS[@]}"; do
  [ "$stack" = "$from" ] && active=yes
  run=$active
  if [ -n "${chosen[*]:-}" ]; then
    run=''
    for each in "${chosen[@]}"; do
      [ "$each" = "$stack" ] && run=yes
    done
  fi
  if [ -n "$run" ]; then
    parameters=() capabilities=()
    case $stack in
      foundation)
        ;;
      access)
        capabilities=(--capabilities CAPABILITY_NAMED_IAM)
        ;;
      network)
        capabilities=(--capabilities CAPABILITY_IAM)
        ;;
      cluster)
        capabilities=(--capabilities CAPABILITY_IAM)
        ;;
      registry-sentiment-api)
        ;;
      registry-sentiment-trainer)
        ;;
      serving)
        ;;
      training)
        ;;
      training-sentiment-trainer)
        capabilities=(--capabilities CAPABILITY_IAM)
        digest=$(image_digest training-sentiment-trainer SENTIMENT_TRAINER_DIGEST imdb-sentiment-dev/sentiment-trainer)
        [ -n "$digest" ] && parameters+=("ImageDigest=$digest")
        ;;
      serving-sentiment-api)
        capabilities=(--capabilities CAPABILITY_IAM)
        digest=$(image_digest serving-sentiment-api SENTIMENT_API_DIGEST imdb-sentiment-dev/sentiment-api)
        [ -n "$digest" ] && parameters+=("ImageDigest=$digest")
        ;;
      observability-sentiment-api)
        ;;
    esac
    [ -n "${parameters[*]:-}" ] && parameters=(--parameter-overrides "${parameters[@]}")
    # bash before 4.4, which macOS has, takes an empty list for an unset one.
    deploy "$stack" ${capabilities[@]+"${capabilities[@]}"} ${parameters[@]+"${parameters[@]}"}
  fi
  [ "$stack" = "$until" ] && active=''
done
exit 0
