"""How a call really ended. `grpc.aio` overwrites the server's status with INTERNAL when a write fails because the call has ended
(grpc/grpc#36066, open in grpcio 1.85), which every stream that the server ends while audio is being sent may run into."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc

_Value = TypeVar("_Value")

_WRITE_FAILED = "Internal error from Core"
"""What grpc.aio says when it made the status up."""

_STATUS_WAIT_S = 1.0
"""The failed write may be noticed before the status that explains it; both are then in this process already."""


class TrueStatus:
    """Watches one call from its beginning."""

    def __init__(self, call: grpc.aio.Call) -> None:
        self._call = call
        self._error: grpc.aio.AioRpcError | None = None
        self._known = asyncio.Event()
        call.add_done_callback(self._note)

    def _note(self, _: object) -> None:
        """Called inside the setting of a status, the only moment at which it cannot have been overwritten yet."""
        code = _completed(self._call.code())
        details = _completed(self._call.details())
        if code is grpc.StatusCode.INTERNAL and (details or "").startswith(_WRITE_FAILED):
            return
        if not self._known.is_set():
            self._known.set()
            if code is not grpc.StatusCode.OK:
                self._error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), _completed(self._call.trailing_metadata()), details)

    async def of(self, seen: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError | None:
        """What `seen`, raised by the call, should have been; None when the call ended with OK."""
        if not (seen.code() is grpc.StatusCode.INTERNAL and (seen.details() or "").startswith(_WRITE_FAILED)):
            return seen
        try:
            async with asyncio.timeout(_STATUS_WAIT_S):
                await self._known.wait()
        except TimeoutError:
            return seen
        return self._error


def _completed(answer: Coroutine[Any, Any, _Value]) -> _Value:
    """The value of a coroutine that has nothing to wait for: a call's status once it is set."""
    try:
        answer.send(None)
    except StopIteration as done:
        value: _Value = done.value
        return value
    answer.close()
    raise AssertionError("a call that is done has a status")
