"""Deploys the examples' templates into the emulator, each as a stack of its own.

Reads {name: {"account": id, "parameters": {…}}}, where a parameter may be
{"of": name, "output": key} of an example before it, and writes {name:
{"outputs": …, "credentials": …}}: the stack's outputs, and who can see it.
"""

import json
import re
import sys

import boto3
from deploy import NoManagedPolicies, create
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# Types that moto's CloudFormation does not know, as in deploy.py. What they
# allow and refuse is tested in internal/tests/stack.
UNKNOWN_TO_MOTO = (
    "AWS::Chatbot::SlackChannelConfiguration", "AWS::Events::EventBusPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule")


def fit_to_moto(template):
    """Changes what moto's CloudFormation can't take as it stands."""
    resources = template["Resources"]
    for unknown in [n for n, r in resources.items() if r["Type"] in UNKNOWN_TO_MOTO]:
        del resources[unknown]
    for name in [n for n, r in resources.items() if r["Type"] == "AWS::Events::Connection"]:
        # moto knows connections, but not in a template. Whoever refers to one gets a text.
        del resources[name]
        template = json.loads(re.sub(rf'{{"Fn::GetAtt": \["{name}", "(\w+)"\]}}', rf'"{name}-\1"', json.dumps(template)))
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        if "DefinitionSubstitutions" in properties:
            definition = json.loads("".join(properties["DefinitionString"]["Fn::Join"][1]))
            if "StartRefresh" in definition["States"]:
                # moto makes no HTTP calls: an execution's input brings the answer.
                definition["States"]["StartRefresh"] = {"Type": "Pass", "Next": definition["States"]["StartRefresh"]["Next"]}
            # It does not substitute either, and its Fn::Sub makes $ of $$.
            substitutions = properties.pop("DefinitionSubstitutions")
            pieces = re.split(r"\$\{(\w+)\}", json.dumps(definition))
            pieces[1::2] = [substitutions[name] for name in pieces[1::2]]
            properties["DefinitionString"] = {"Fn::Join": ["", pieces]}
    return template


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
            template = fit_to_moto(transform(yaml_parse(f), parameters, NoManagedPolicies()))
        session = session_of(order["account"])
        credentials = session.get_credentials()
        result[name] = {
            "outputs": create(session.client("cloudformation"), name, template, parameters),
            "credentials": {
                "AccessKeyId": credentials.access_key, "SecretAccessKey": credentials.secret_key, "SessionToken": credentials.token},
        }
    json.dump(result, sys.stdout)


main()
