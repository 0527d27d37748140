"""Deploys the examples' templates into the emulator, each as a stack of its own.

Reads {name: {"account": id, "parameters": {…}}}, where a parameter may be
{"of": name, "output": key} of an example before it, and writes {name:
{"outputs": …, "credentials": …}}: the stack's outputs, and who can see it.
"""

import json
import sys

import boto3
from deploy import NoManagedPolicies, create
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# Types that moto's CloudFormation does not know, as in deploy.py. What they
# allow and refuse is tested in internal/stack.
UNKNOWN_TO_MOTO = ("AWS::Events::EventBusPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")


def session_of(account):
    """Returns a session of another account's administrator, as moto lets anyone be."""
    role = f"arn:aws:iam::{account}:role/administrator"
    credentials = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="examples")["Credentials"]
    return boto3.Session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])


def main():
    result = {}
    for name, order in json.load(sys.stdin).items():
        parameters = {
            k: v if isinstance(v, str) else result[v["of"]]["outputs"][v["output"]] for k, v in order["parameters"].items()
        }
        with open(f"../examples/{name}/template.yaml", encoding="utf-8") as f:
            template = transform(yaml_parse(f), parameters, NoManagedPolicies())
        for unknown in [n for n, r in template["Resources"].items() if r["Type"] in UNKNOWN_TO_MOTO]:
            del template["Resources"][unknown]
        session = session_of(order["account"])
        credentials = session.get_credentials()
        result[name] = {
            "outputs": create(session.client("cloudformation"), name, template, parameters),
            "credentials": {
                "AccessKeyId": credentials.access_key, "SecretAccessKey": credentials.secret_key, "SessionToken": credentials.token},
        }
    json.dump(result, sys.stdout)


main()
