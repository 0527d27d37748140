"""Gives moto's EventBridge the targets that it lacks.

moto raises for a topic and for a state machine, from within PutEvents, and an
event that goes on to another account's bus becomes one of that account. Here
they are as the EventBridge User Guide has them.
"""

import copy
import json
import re
import uuid
from datetime import datetime, timezone

from moto.events.models import Rule, events_backends
from moto.sns import sns_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.utilities.arns import parse_arn

deliver_as_moto_does = Rule.send_to_targets


def as_target_sees_it(event):
    time = event["time"]
    if not isinstance(time, str):
        time = datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {k: v for k, v in event.items() if k != "ingestion-time"} | {"time": time}


def text(transformer, event):
    """Fills a template in: within quotes nothing is escaped, elsewhere a value is JSON, and what the event lacks is empty."""

    def value(name):
        found = event
        for key in transformer["InputPathsMap"][name].removeprefix("$.").split("."):
            found = found.get(key, "")
        return found

    def raw(match):
        found = value(match[1])
        return found if isinstance(found, str) else json.dumps(found)

    def piece(match):
        if match[1]:
            found = value(match[1])
            return "" if found == "" else json.dumps(found)
        return re.sub(r"<([\w-]+)>", raw, match[0])

    return re.sub(r'"[^"]*"|<([\w-]+)>', piece, transformer["InputTemplate"])


def deliver(rule, event, transform_input=True):
    if not rule.event_pattern.matches_event(event):
        return
    left = copy.copy(rule)
    left.targets = []
    for target in rule.targets:
        arn, seen = parse_arn(target["Arn"]), as_target_sees_it(event)
        if arn.service == "sns":
            sns_backends[arn.account][arn.region].publish(text(target["InputTransformer"], seen), arn=target["Arn"])
        elif arn.service == "states":
            stepfunctions_parser_backends[arn.account][arn.region].start_execution(target["Arn"], str(uuid.uuid4()), json.dumps(seen))
        elif arn.service == "events" and arn.resource_type == "event-bus":
            bus = events_backends[arn.account][arn.region].describe_event_bus(arn.resource_id)
            for further in bus.rules.values():
                further.send_to_targets(copy.deepcopy(event))
        else:
            left.targets.append(target)
    deliver_as_moto_does(left, event, transform_input)


Rule.send_to_targets = deliver
