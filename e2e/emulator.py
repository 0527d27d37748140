"""Runs the AWS emulator, moto's server, on a free port of loopback.

Prints the port and serves until its input ends, so that it never outlives the
test that started it, however that ends.
"""

import functools
import logging
import sys

import jsonpath_ng.ext
from moto.server import ThreadedMotoServer

# moto builds a parser for each field of each event that a rule matches, which
# takes so long that the SDK gives a PutEvents of ten events up and repeats it.
jsonpath_ng.ext.parse = functools.cache(jsonpath_ng.ext.parse)
logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each call

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
