"""gRPC's errors as ours, by one table: the client's counterpart of `status.py`."""

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from asr_server.errors import CallFailed, CallTimedOut, RequestRefused, ServerBusy, ServerUnreachable, SpeechError

_KINDS: dict[grpc.StatusCode, type[SpeechError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: RequestRefused,
    grpc.StatusCode.OUT_OF_RANGE: RequestRefused,
    grpc.StatusCode.FAILED_PRECONDITION: RequestRefused,
    grpc.StatusCode.NOT_FOUND: RequestRefused,
    grpc.StatusCode.PERMISSION_DENIED: RequestRefused,
    grpc.StatusCode.UNAUTHENTICATED: RequestRefused,
    grpc.StatusCode.UNIMPLEMENTED: RequestRefused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ServerBusy,
    grpc.StatusCode.UNAVAILABLE: ServerUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: CallTimedOut,
}


_TOO_LARGE = "larger than max"
"""gRPC's own refusal of a message has the status of a full server, and no details; it will be too large next time as well."""


def speech_error(error: grpc.aio.AioRpcError, target: str) -> SpeechError:
    """The error of ours for one of gRPC's, with what the server at `target` said in `google.rpc` details."""
    kind = _KINDS.get(error.code(), CallFailed)
    violations: list[tuple[str, str]] = []
    retry_after_s: float | None = None
    for detail in _details(error):
        if detail.Is(BadRequest.DESCRIPTOR):
            bad = BadRequest.FromString(detail.value)
            violations += [(violation.field, violation.description) for violation in bad.field_violations]
        elif detail.Is(RetryInfo.DESCRIPTOR):
            retry_after_s = RetryInfo.FromString(detail.value).retry_delay.ToTimedelta().total_seconds()
    said = error.details() or ""
    if kind is ServerBusy and _TOO_LARGE in said:
        kind = RequestRefused
    # What gRPC itself says of a failed connection does not always name the server.
    message = f"server {target}: {said or 'is not available'}" if kind is ServerUnreachable else said
    return kind(error.code().name, message, tuple(violations), retry_after_s)


def _details(error: grpc.aio.AioRpcError) -> list[Any]:
    try:
        status: Status | None = rpc_status.from_call(error)
    except (ValueError, DecodeError):  # details that contradict the status, or are not a Status, say nothing more than the status does
        return []
    return list(status.details) if status else []
