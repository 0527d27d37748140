#!/bin/sh
# Refreshes an external collection and has its job watched:
#   CLUSTER_ENDPOINT=… CLUSTER_TOKEN=… JOB_QUEUE_URL=… refresh.sh COLLECTION
# Needs curl, the AWS CLI, and a role with the stack's EnqueuePolicyArn.
set -eu
: "${1:?usage: refresh.sh COLLECTION}" "${JOB_QUEUE_URL:?must be the output of the stack}" \
  "${CLUSTER_ENDPOINT:?must be the URL of the cluster}" "${CLUSTER_TOKEN:?must be an API key or user:password}"

fail() {
  printf 'refresh.sh: %s: %s\n' "$1" "$2" >&2
  exit 1
}

# With any other character the body below might say something else. In some locales A-Z holds an é.
letters=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz
case $1 in
*[!"$letters"0123456789_]*) fail "the name of a collection must be letters, digits and underscores" "$1" ;;
esac

# The token goes through standard input: a command line can be read by others.
response=$(printf 'Authorization: Bearer %s\n' "$CLUSTER_TOKEN" |
  curl --fail --silent --show-error --header @- --header 'Content-Type: application/json' \
    --data "{\"collectionName\": \"$1\"}" "$CLUSTER_ENDPOINT/v2/vectordb/jobs/external_collection/refresh")

# A refusal comes with HTTP status 200 too. A job comes with the code 0, or "0", and with no other.
compact=$(printf %s "$response" | tr -d '[:space:]')
others=$(printf '%s\n' "$compact" | sed 's/"code":0\([,}]\)/\1/g; s/"code":"0"\([,}]\)/\1/g')
case $others in
"$compact" | *'"code":'*) fail "no job was submitted" "$response" ;;
*'"jobId":'[\"123456789]*) ;;
*) fail "no job was submitted" "$response" ;;
esac

# The response is a message as it is. Nothing parses it here, so nothing can round the id.
printf %s "$response" | aws sqs send-message --queue-url "$JOB_QUEUE_URL" --message-body file:///dev/stdin ||
  fail "the job was submitted but not enqueued" "$response"
