#!/bin/sh
# Refreshes an external collection and has its job watched:
#   CLUSTER_ENDPOINT=… CLUSTER_TOKEN=… JOB_QUEUE_URL=… refresh.sh COLLECTION
# Needs curl, the AWS CLI, and a role with the stack's EnqueuePolicyArn.
set -eu
: "${1:?usage: refresh.sh COLLECTION}" "${JOB_QUEUE_URL:?must be the output of the stack}" \
  "${CLUSTER_ENDPOINT:?must be the URL of the cluster}" "${CLUSTER_TOKEN:?must be an API key or user:password}"

# The token goes through standard input: a command line can be read by others.
response=$(printf 'Authorization: Bearer %s\n' "$CLUSTER_TOKEN" |
  curl --fail --silent --show-error --header @- --header 'Content-Type: application/json' \
    --data "{\"collectionName\": \"$1\"}" "$CLUSTER_ENDPOINT/v2/vectordb/jobs/external_collection/refresh")

# A refusal comes with HTTP status 200 too, and has no job.
case $response in
*'"jobId"'*) ;;
*) echo "refresh.sh: no job was submitted: $response" >&2; exit 1 ;;
esac

# The response is a message as it is. Nothing parses it here, so nothing can round the id.
printf %s "$response" | aws sqs send-message --queue-url "$JOB_QUEUE_URL" --message-body file:///dev/stdin
