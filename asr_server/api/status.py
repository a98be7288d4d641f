"""Our errors as gRPC statuses, by one table."""

from typing import Any, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from asr_server.api.interceptors import INTERNAL_MESSAGE
from asr_server.errors import (
    AsrError,
    EngineFailed,
    IdleTooLong,
    InvalidRequest,
    NotKept,
    NotServing,
    OutOfLimits,
    Overloaded,
    Unknown,
    WrongOrder,
)
from audio_norm import AudioError, TooLong, UnsupportedAudio

Context = grpc.aio.ServicerContext[Any, Any]

_CODES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (OutOfLimits, grpc.StatusCode.OUT_OF_RANGE),
    (WrongOrder, grpc.StatusCode.FAILED_PRECONDITION),
    (IdleTooLong, grpc.StatusCode.DEADLINE_EXCEEDED),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unknown, grpc.StatusCode.NOT_FOUND),
    (NotServing, grpc.StatusCode.UNAVAILABLE),
    (NotKept, grpc.StatusCode.UNAVAILABLE),
    (EngineFailed, grpc.StatusCode.INTERNAL),
    (TooLong, grpc.StatusCode.OUT_OF_RANGE),
    (AudioError, grpc.StatusCode.INVALID_ARGUMENT),
)


def status_of(error: BaseException) -> tuple[grpc.StatusCode, str] | None:
    """Code and message for one of our errors; None for a stranger."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code, str(error)
    return None


async def abort(context: Context, error: AsrError | AudioError) -> NoReturn:
    """End the call with the error's status and its `google.rpc` details."""
    known = status_of(error)
    assert known is not None, error
    code, message = known
    if isinstance(error, EngineFailed) and error.__cause__ is not None:
        message = INTERNAL_MESSAGE  # the cause is for the log
    status = Status(code=code.value[0], message=message)
    for detail in _details(error):
        status.details.add().Pack(detail)
    metadata = (("grpc-status-details-bin", status.SerializeToString()),) if status.details else ()
    await context.abort(code, message, metadata)
    raise AssertionError("abort returned")


def _details(error: AsrError | AudioError) -> list[BadRequest | RetryInfo]:
    if isinstance(error, InvalidRequest):
        return [_bad_request(error.violations)]
    if isinstance(error, UnsupportedAudio):
        return [_bad_request(((error.field if error.field == "audio_content" else f"config.{error.field}", str(error)),))]
    if isinstance(error, TooLong):
        return []
    if isinstance(error, AudioError):
        return [_bad_request((("audio_content", str(error)),))]
    if isinstance(error, Overloaded):
        retry = Duration()
        retry.FromMilliseconds(round(error.retry_after_s * 1000))
        return [RetryInfo(retry_delay=retry)]
    return []


def _bad_request(violations: tuple[tuple[str, str], ...]) -> BadRequest:
    return BadRequest(field_violations=[BadRequest.FieldViolation(field=field, description=text) for field, text in violations])
