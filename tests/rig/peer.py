"""The other side of the wire: Python's own protobuf and gRPC, built from `proto/`.

Started by the Rust tests. Reads one JSON command a line, writes one JSON answer a line.

{"do": "read", "message": name, "text": JSON}
    Parses the text as this message's canonical JSON, prints it again, and compares. {} or {"error": why}.
{"do": "call", "target": host:port, "method": name, "request": {...}, "requests": [...] or "bytes": hex, "timeout": seconds}
    {"code", "detail", "reason", "path", "responses": [...]} of the service that has the method. Responses that came before a
    stream failed are there too.
{"do": "stall", "target": host:port, "request": {...}, "times": n}
    {"taken": n}: PushChanges of this request, numbered on, without reading answers, until nothing moves any more.
{"do": "health", "target": host:port, "service": name}
    {"status": name} or {"code": name}.
"""
import importlib
import json
import pathlib
import sys
import tempfile
import time

import grpc
import grpc_tools
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / 'proto'


def generate(folder):
    "the Python code of proto/, made by protoc"
    files = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob('*.proto'))
    well_known = pathlib.Path(grpc_tools.__file__).parent / '_proto'
    failed = protoc.main(['protoc', f'-I{PROTO}', f'-I{well_known}', f'--python_out={folder}',
        f'--grpc_python_out={folder}', *files])
    assert not failed, 'protoc refuses proto/'
    sys.path.insert(0, folder)
    modules = ['comptoir.v1.offers_pb2', 'comptoir.v1.prices_pb2', 'comptoir.v1.stock_pb2']
    return [importlib.import_module(module + kind) for kind in ('', '_grpc') for module in modules]


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f'a name is given twice among {names}'
    return dict(pairs)


def read(command):
    message = next(getattr(module, command['message']) for module in (offers, prices, stock)
        if hasattr(module, command['message']))()
    try:
        ours = json.loads(command['text'], object_pairs_hook=no_duplicates)
        json_format.Parse(command['text'], message)
        theirs = json.loads(json_format.MessageToJson(message))
    except (AssertionError, ValueError, json_format.ParseError) as why:
        return {'error': str(why)}
    if ours != theirs:
        return {'error': f'it comes back otherwise: {json.dumps(theirs)}'}
    return {}


def channel(target):
    if target not in channels:
        channels[target] = grpc.insecure_channel(target)
    return channels[target]


def call(command):
    method = command['method']
    if method in STOCK:
        return call_stock(command, *STOCK[method])
    if method == 'InvalidatePrices':
        stub = prices_grpc.PriceServiceStub(channel(command['target']))
        kind_of_request = prices.InvalidatePricesRequest
    else:
        stub = offers_grpc.OfferServiceStub(channel(command['target']))
        kind_of_request = offers.GetOffersRequest
    if 'bytes' in command:
        kind = channel(command['target']).unary_unary
        invoke = kind(f'/comptoir.v1.OfferService/{method}',
            response_deserializer=offers.GetOffersResponse.FromString)
        request = bytes.fromhex(command['bytes'])
    else:
        invoke = getattr(stub, method)
        request = json_format.ParseDict(command['request'], kind_of_request())
    try:
        answer = invoke(request, timeout=command.get('timeout', 120))
        responses = list(answer) if method == 'StreamOffers' else [answer]
    except grpc.RpcError as error:
        return {'code': error.code().name, 'detail': error.details(), **details(error)}
    return {'code': 'OK', 'responses': [json_format.MessageToDict(response) for response in responses]}


STOCK = {
    'PushChanges': ('PushChangesRequest', True, True),
    'PutSnapshot': ('PutSnapshotRequest', True, False),
    'GetSource': ('GetSourceRequest', False, False),
    'ListSources': ('ListSourcesRequest', False, False),
    'SkipGap': ('SkipGapRequest', False, False),
    'GetLevels': ('GetLevelsRequest', False, False),
}


def call_stock(command, message, asks_in_stream, answers_in_stream):
    invoke = getattr(stock_grpc.StockServiceStub(channel(command['target'])), command['method'])
    given = command.get('requests', [command.get('request')])
    requests = [json_format.ParseDict(request, getattr(stock, message)()) for request in given]
    responses = []
    try:
        answer = invoke(iter(requests) if asks_in_stream else requests[0], timeout=command.get('timeout', 120))
        for response in (answer if answers_in_stream else [answer]):
            responses.append(json_format.MessageToDict(response))
    except grpc.RpcError as error:
        return {'code': error.code().name, 'detail': error.details(), 'responses': responses, **details(error)}
    return {'code': 'OK', 'responses': responses}


def details(error):
    found = {}
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            found['reason'] = info.reason
        elif detail.Unpack(bad):
            found['path'] = bad.field_violations[0].field
    return found


def stall(command):
    taken = [0]

    def requests():
        first = json_format.ParseDict(command['request'], stock.PushChangesRequest())
        many = len(first.changes)
        for index in range(command['times']):
            for change in first.changes:
                change.sequence += many * bool(index)
            taken[0] += 1
            yield stock.PushChangesRequest.FromString(first.SerializeToString())

    stalled.append(stock_grpc.StockServiceStub(channel(command['target'])).PushChanges(requests()))
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 2:
        if taken[0] != seen:
            seen, since = taken[0], time.monotonic()
        time.sleep(0.05)
    return {'taken': seen}


def health(command):
    stub = health_pb2_grpc.HealthStub(channel(command['target']))
    try:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=command['service']), timeout=120)
    except grpc.RpcError as error:
        return {'code': error.code().name}
    return {'status': health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}


channels = {}
stalled = []
commands = {'read': read, 'call': call, 'stall': stall, 'health': health}

with tempfile.TemporaryDirectory() as folder:
    offers, prices, stock, offers_grpc, prices_grpc, stock_grpc = generate(folder)
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(commands[command['do']](command)), flush=True)
