"""Enqueues refresh jobs: JOB_QUEUE_URL=… python3 enqueue.py PIPELINE JOB_ID…

Needs boto3, and a role with the stack's EnqueuePolicyArn.
"""

import json
import os
import re
import sys
import time

import boto3

BATCH = 10  # the most that SendMessageBatch takes
ATTEMPTS = 5
MAX_JOB_ID = 2**63 - 1


def send(sqs, queue_url, bodies):
    """Sends up to BATCH messages and returns {body: why} of those that SQS did not take."""
    left = dict(enumerate(bodies))
    for attempt in range(ATTEMPTS):
        time.sleep(attempt)  # none before the first
        response = sqs.send_message_batch(
            QueueUrl=queue_url, Entries=[{"Id": str(i), "MessageBody": body} for i, body in left.items()]
        )
        # An answer without an error can still hold failed entries. Only those are sent again.
        failed = response.get("Failed", [])
        left = {int(f["Id"]): left[int(f["Id"])] for f in failed}
        if all(f["SenderFault"] for f in failed):  # or there are none
            break
    return {left[int(f["Id"])]: f.get("Message", f["Code"]) for f in failed}


def main():
    queue_url = os.environ.get("JOB_QUEUE_URL")
    if len(sys.argv) < 3 or not queue_url:
        sys.exit("usage: JOB_QUEUE_URL=… python3 enqueue.py PIPELINE JOB_ID…")
    context, jobs = {"pipeline": sys.argv[1]}, sys.argv[2:]
    for job in jobs:
        if not re.fullmatch("[1-9][0-9]{0,18}", job) or int(job) > MAX_JOB_ID:
            sys.exit(f"{job!r} is no job id: it must be digits, from 1 to {MAX_JOB_ID}, without a leading zero")
    # Python's int holds any id, and json writes all of its digits.
    bodies = [json.dumps({"jobId": int(job), "context": context}) for job in jobs]
    sqs = boto3.client("sqs")
    refused = {}
    for i in range(0, len(bodies), BATCH):
        refused |= send(sqs, queue_url, bodies[i : i + BATCH])
    for body, why in refused.items():
        print(f"not enqueued: {body}: {why}", file=sys.stderr)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
