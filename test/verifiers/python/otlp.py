"""Decodes ExportTraceServiceRequest messages with the official protobuf classes: base64 lines in, one list of spans as JSON a line out.
A message with a field that the classes do not know is refused."""
import base64
import json
import sys

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def known(message):
    assert not len(UnknownFieldSet(message)), f"unknown fields in {message.DESCRIPTOR.full_name}"
    for field, value in message.ListFields():
        if field.message_type:
            for one in value if hasattr(value, "__len__") else [value]:
                known(one)


def values(attributes):
    names = [a.key for a in attributes]
    assert len(names) == len(set(names)), f"an attribute is given twice: {names}"
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def spans(request):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for s in scope.spans:
                yield {"resource": values(resource.resource.attributes), "scope": scope.scope.name, "name": s.name,
                       "trace": s.trace_id.hex(), "id": s.span_id.hex(), "parent": s.parent_span_id.hex(),
                       "state": s.trace_state, "kind": s.kind, "begin": s.start_time_unix_nano, "end": s.end_time_unix_nano,
                       "links": [{"trace": link.trace_id.hex(), "id": link.span_id.hex()} for link in s.links],
                       "status": s.status.code, "why": s.status.message, "attributes": values(s.attributes)}


for line in sys.stdin:
    request = ExportTraceServiceRequest()
    body = base64.b64decode(line)
    assert request.ParseFromString(body) == len(body)
    known(request)
    print(json.dumps(list(spans(request))), flush=True)
