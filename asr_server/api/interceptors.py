"""Around every call: tells the observer when it began and how it truly ended, and turns exceptions into statuses.

Health, reflection and admin calls pass by unobserved: somebody looks, nobody speaks.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc

from asr_server.watch.observer import CallObserver, NullCallObserver, Observer

logger = logging.getLogger(__name__)

StatusOf = Callable[[BaseException], tuple[grpc.StatusCode, str] | None]
Context = grpc.aio.ServicerContext[Any, Any]
Requests = AsyncIterator[Any]

current_call: ContextVar[CallObserver] = ContextVar("current_call", default=NullCallObserver())  # noqa: B039 - it has no state
"""The observer of the call that runs in this context: for the handler, and the tasks it starts. Nobody listens outside a call."""

UNOBSERVED = ("/grpc.health.v1.", "/grpc.reflection.", "/asr.v1.Admin/")

INTERNAL_MESSAGE = "internal error; the server's log says more"
"""All a client learns of an exception that is not one of ours."""

# A call that the client cancels looks half-closed to the handler for a moment: the pending read ends first, the cancellation is delivered
# some event-loop turns later. A handler that returns at once on half-close would be taken for one that ended well.
_CANCELLATION_GRACE_S = 0.002

# The client's deadline reaches the server as a duration rounded up to three digits, and the client's cancellation may arrive
# before the server's own timer fires.
_DEADLINE_ROUNDING = 0.01
_DEADLINE_SLACK_S = 0.05


@dataclass(frozen=True, slots=True)
class _Status:
    code: grpc.StatusCode
    message: str = ""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Observes unary-unary and stream-stream calls with async handlers; others pass through.

    Put it first among the interceptors. `status_of` gives code and message for the exceptions that are part of the contract; any other
    one is logged and answered INTERNAL.
    """

    def __init__(self, observer: Observer, status_of: StatusOf, now: Callable[[], float] = time.monotonic) -> None:
        self._observer = observer
        self._status_of = status_of
        self._now = now
        self._open = 0
        self._all_closed = asyncio.Event()
        self._all_closed.set()

    async def all_closed(self) -> None:
        """Wait until no observed call is open. A server's `stop` returns before the last handlers have unwound; their reports come here."""
        await self._all_closed.wait()

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:  # noqa: ANN401 - a handler of whatever messages, or None where there is no such method
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(UNOBSERVED):
            return handler
        arrived_s = self._now()
        metadata = _text_metadata(handler_call_details.invocation_metadata)

        if inspect.iscoroutinefunction(handler.unary_unary):

            async def unary(request: object, context: Context) -> object:
                call = self._observer.call(method, metadata, arrived_s)
                return await self._observed(call, method, context, lambda: handler.unary_unary(request, context))

            return grpc.unary_unary_rpc_method_handler(unary, handler.request_deserializer, handler.response_serializer)

        if run := _stream_runner(handler.stream_stream):

            async def stream(requests: Requests, context: Context) -> None:
                call = self._observer.call(method, metadata, arrived_s)
                await self._observed(call, method, context, lambda: _settled(run(requests, context)))

            return grpc.stream_stream_rpc_method_handler(stream, handler.request_deserializer, handler.response_serializer)

        return handler

    async def _observed(self, call: CallObserver, method: str, context: Context, run: Callable[[], Awaitable[object]]) -> object:
        """Run the handler with `call` as the current one, and close it with the status that the client gets, or would have got."""
        self._open += 1
        self._all_closed.clear()
        allowed_s = context.time_remaining()
        token = current_call.set(call)
        status = _Status(grpc.StatusCode.UNKNOWN)
        try:
            response = await run()
            ended = _Status(context.code() or grpc.StatusCode.OK, context.details())
            status = _ended_early(context, allowed_s) if _was_cancelled() else ended
        except asyncio.CancelledError:
            status = _ended_early(context, allowed_s)
            raise
        except grpc.aio.AbortError:
            status = _Status(context.code(), context.details())
            raise
        except Exception as error:
            if isinstance(error, grpc.aio.BaseError) and not isinstance(error, grpc.aio.UsageError):
                # The transport refused a read or a write: the client has gone, or the server stopped. There is nobody to answer.
                status = _ended_early(context, allowed_s)
                raise
            status = self._failed(error, method)
            await context.abort(status.code, status.message)
        else:
            return response
        finally:
            current_call.reset(token)
            call.close(status.code.name, status.message, self._now())
            self._open -= 1
            if not self._open:
                self._all_closed.set()

    def _failed(self, error: Exception, method: str) -> _Status:
        known = self._status_of(error)
        if known is not None:
            return _Status(*known)
        logger.error("%s failed", method, exc_info=error)
        return _Status(grpc.StatusCode.INTERNAL, INTERNAL_MESSAGE)


async def _settled(handling: Awaitable[None]) -> None:
    """Ends as `handling` does, unless a cancellation that was already on its way says otherwise."""
    try:
        await handling
    except grpc.aio.AbortError:
        raise
    except Exception:
        await asyncio.sleep(_CANCELLATION_GRACE_S)
        raise
    await asyncio.sleep(_CANCELLATION_GRACE_S)


def _was_cancelled() -> bool:
    """Also when the handler caught the cancellation and returned as if nothing had been."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _stream_runner(behaviour: Callable[..., Any] | None) -> Callable[[Requests, Context], Awaitable[None]] | None:
    """A streaming handler of either kind as a coroutine function: one that writes, or an async generator. None: it is not async."""
    if inspect.iscoroutinefunction(behaviour):
        return behaviour
    if not inspect.isasyncgenfunction(behaviour):
        return None

    async def run(requests: Requests, context: Context) -> None:
        # Closed here, not when it is collected: its clean-up belongs to the call.
        async with aclosing(behaviour(requests, context)) as responses:
            async for response in responses:
                await context.write(response)

    return run


def _ended_early(context: Context, allowed_s: float | None) -> _Status:
    """Why a call was cut off: its deadline passed, or somebody cancelled it. gRPC reports both as a cancelled task."""
    remaining_s = context.time_remaining()
    if allowed_s is None or remaining_s is None or remaining_s > _DEADLINE_SLACK_S + allowed_s * _DEADLINE_ROUNDING:
        return _Status(grpc.StatusCode.CANCELLED)
    return _Status(grpc.StatusCode.DEADLINE_EXCEEDED)


def _text_metadata(pairs: tuple[tuple[str, str | bytes], ...]) -> Mapping[str, str]:
    """Keys are lower case already. Repeated ones are joined as HTTP does; binary ones are for others."""
    metadata: dict[str, str] = {}
    for key, value in pairs:
        if isinstance(value, str):
            metadata[key] = f"{metadata[key]},{value}" if key in metadata else value
    return metadata
