"""Deploys stacks of a packaged template into the emulator, as `sam deploy` would.

Reads {"template": path, "stacks": {name: {parameter: value}}} and writes {name:
{"outputs": …, "function": …, "mapping": …, "resumer": …}}: what the stack's
outputs, its poller, its event source mapping and, where there is one, its resumer
are once they are created.

All that moto leaves out or does otherwise than AWS is dealt with in fit_to_moto
and as_lambda_has_it; nothing else knows that this is not AWS.
"""

import json
import re
import subprocess
import sys

import boto3
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

BUCKET = "artifacts"

# Types that moto's CloudFormation does not know. It skips them with a warning;
# they are taken out, so that any other that it skips is noticed.
UNKNOWN_TO_MOTO = (
    "AWS::CloudWatch::Alarm", "AWS::EventSchemas::Registry", "AWS::EventSchemas::Schema",
    "AWS::Lambda::EventInvokeConfig", "AWS::Logs::QueryDefinition", "AWS::SQS::QueuePolicy")


class NoManagedPolicies:
    """The template names no managed policy, so there is none to look up."""

    def load(self):
        return {}


def upload(path):
    """Uploads what the template names, and returns it with the URIs in the places of the files."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    package = subprocess.run(
        ["aws", "cloudformation", "package", "--template-file", path, "--s3-bucket", BUCKET],
        check=True, stdout=subprocess.PIPE, text=True)
    return package.stdout


def translate(text, parameters):
    """Returns the template as AWS's own translator leaves it to CloudFormation."""
    return transform(yaml_parse(text), parameters, NoManagedPolicies())


def without_gaps(items):
    """Returns a list with its choices outside: moto keeps an AWS::NoValue that is in one."""
    for i, item in enumerate(items):
        if isinstance(item, dict) and "Fn::If" in item and item["Fn::If"][2] == {"Ref": "AWS::NoValue"}:
            condition, value, _ = item["Fn::If"]
            return {"Fn::If": [
                condition, without_gaps([*items[:i], value, *items[i + 1:]]), without_gaps(items[:i] + items[i + 1:])]}
    return items


def fit_to_moto(template):
    """Changes what moto's CloudFormation can't take as it stands."""
    resources = template["Resources"]
    for name in [n for n, r in resources.items() if r["Type"] in UNKNOWN_TO_MOTO]:
        del resources[name]
    # The dashboard shows the alarms' states; moto takes no reference to what is not there.
    body = resources["Dashboard"]["Properties"]["DashboardBody"]
    text, variables = body["Fn::Sub"]
    del variables["AlarmOfResumes"]
    body["Fn::Sub"] = [re.sub(r"\$\{(\w+Alarm)\.Arn\}", r"\1", text).replace("${AlarmOfResumes}", ""), variables]
    # moto's rules have no function for a target. The tests hand over what comes into this queue.
    resources["ResumeDeliveries"] = {"Type": "AWS::SQS::Queue", "Condition": "ResumesWorkflows", "Properties": {}}
    resources["ResumeRule"]["Properties"]["Targets"][0]["Arn"] = {"Fn::GetAtt": ["ResumeDeliveries", "Arn"]}
    template["Outputs"]["ResumeDeliveriesUrl"] = {"Condition": "ResumesWorkflows", "Value": {"Ref": "ResumeDeliveries"}}
    for resource in resources.values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            # moto serves a mapping itself, within SendMessage, by running the
            # function in Docker. Disabled, it only keeps its configuration.
            properties["Enabled"] = False
        if resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
            document = properties["PolicyDocument"]
            document["Statement"] = without_gaps(document["Statement"])
            if "Roles" in properties:
                properties["Roles"] = without_gaps(properties["Roles"])
        if resource["Type"] == "AWS::Events::Archive":
            # CloudFormation has an object here, moto wants its text.
            properties["EventPattern"] = {"Fn::ToJsonString": properties["EventPattern"]}


def as_lambda_has_it(name, function, template):
    """Returns the function's configuration, with what moto drops or mistypes."""
    properties = template["Resources"][name]["Properties"]
    iam, role = boto3.client("iam"), function["Role"].rpartition("/")[2]
    return {
        "FunctionArn": function["FunctionArn"],
        "CodeSha256": function["CodeSha256"],
        "Handler": function["Handler"],
        "MemorySize": function["MemorySize"],
        "Timeout": function["Timeout"],
        # A parameter of type Number stays a number in moto. CloudFormation makes
        # it a string, which is all that an environment can hold.
        "Environment": {k: str(v) for k, v in function["Environment"]["Variables"].items()},
        # moto forgets it.
        "LogFormat": properties["LoggingConfig"]["LogFormat"],
        "LogLevel": properties["LoggingConfig"]["ApplicationLogLevel"],
        "VpcConfig": function.get("VpcConfig"),
        "Role": iam.get_role(RoleName=role)["Role"],
        "Policies": iam.list_role_policies(RoleName=role)["PolicyNames"],
    }


def create(cloudformation, name, template, parameters):
    """Creates a stack with all its resources, and returns its outputs."""
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    created = {r.get("LogicalResourceId") for r in cloudformation.describe_stack_resources(StackName=name)["StackResources"]}
    wanted = {
        None: True,
        "ResumesWorkflows": parameters.get("ResumeWorkflows") == "true",
        "InVpc": parameters.get("VpcSubnetIds"),
        "ArchiveEvents": parameters.get("EventArchiveDays"),
    }
    missing = {n for n, r in template["Resources"].items() if wanted.get(r.get("Condition"))} - created
    if stack["StackStatus"] != "CREATE_COMPLETE" or missing:
        sys.exit(f"{name} is {stack['StackStatus']}, without {sorted(missing)}")
    return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def deploy(name, template, parameters):
    outputs, functions = create(boto3.client("cloudformation"), name, template, parameters), boto3.client("lambda")

    def configuration(name):
        function = functions.get_function_configuration(FunctionName=outputs[f"{name}Name"])
        return as_lambda_has_it(name, function, template)

    mappings = functions.list_event_source_mappings(EventSourceArn=outputs["JobQueueArn"])["EventSourceMappings"]
    return {
        "outputs": outputs,
        "function": configuration("PollerFunction"),
        "resumer": configuration("ResumeFunction") if "ResumeFunctionName" in outputs else None,
        "mapping": {k: mappings[0].get(k) for k in (
            "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig")},
    }


def main():
    order = json.load(sys.stdin)
    text = upload(order["template"])
    result = {}
    for name, parameters in order["stacks"].items():
        template = translate(text, parameters)
        fit_to_moto(template)
        result[name] = deploy(name, template, parameters)
    json.dump(result, sys.stdout, default=str)


if __name__ == "__main__":
    main()
