"""Runs the AWS emulator, moto's server, on a free port of loopback.

Prints the port and serves until its input ends, so that it never outlives the
test that started it, however that ends.
"""

import copy
import functools
import logging
import sys
import time

import jsonpath_ng.ext
import targets  # noqa: F401, its import gives moto the targets that it lacks
from moto.cloudformation.parsing import ResourceMap
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer
from moto.sqs import models as sqs
from moto.stepfunctions import models as stepfunctions
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

# moto builds a parser for each field of each event that a rule matches, which
# takes so long that the SDK gives a PutEvents of ten events up and repeats it.
jsonpath_ng.ext.parse = functools.cache(jsonpath_ng.ext.parse)
# With hundreds of messages in a queue moto takes up to a second to receive ten: for each it works out all of the
# queue's attributes, to know how long the queue keeps messages (days), and makes dates of its times.
sqs.SQSBackend.is_message_valid_based_on_retention_period = lambda *_: True
sqs.unix_time_millis = lambda: time.time() * 1000
# In the place of a resource whose condition is false moto has None, and trips over it in DescribeStackResource.
values_and_gaps = ResourceMap.values
ResourceMap.values = lambda self: [resource for resource in values_and_gaps(self) if resource]
# By default moto only pretends to execute state machines. Their own calls go to MOTO_PORT, which is the proxy's.
default_user_config["stepfunctions"]["execute_state_machine"] = True
# CloudFormation would create them where they are not executed.
stepfunctions.stepfunctions_backends = stepfunctions_parser_backends
# For each execution moto copies its state machine with all else that runs, which fails as soon as something does.
stepfunctions.StateMachine.__deepcopy__ = lambda self, memo: copy.copy(self)
logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each call

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
