"""Calls on a real server on loopback: what their observer is told, and what their client is."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from asr_server.api.interceptors import INTERNAL_MESSAGE, CallInterceptor, current_call
from asr_server.errors import NotServing, OutOfLimits
from asr_server.watch.observer import NullCallObserver, Observer, SegmentRecord, Stage
from asr_server.watch.telemetry import TelemetryOptions, open_telemetry
from tests.fake_observer import FakeCall, FakeObserver
from tests.watch.otlp_receiver import otlp_grpc

Context = grpc.aio.ServicerContext[Any, Any]
Requests = AsyncIterator[bytes]
STREAM, UNARY = "/test.Echo/Stream", "/test.Echo/Unary"


def status_of(error: BaseException) -> tuple[grpc.StatusCode, str] | None:
    if isinstance(error, OutOfLimits):
        return grpc.StatusCode.OUT_OF_RANGE, str(error)
    if isinstance(error, NotServing):
        return grpc.StatusCode.UNAVAILABLE, str(error)
    return None


@asynccontextmanager
async def serving(
    observer: Observer, *, stream: Callable[..., Any] | None = None, unary: Callable[..., Any] | None = None
) -> AsyncIterator[Any]:
    """A channel to a server with these handlers. On leaving, every call that was observed has been closed."""
    handlers: dict[str, Any] = {}
    if stream:
        handlers["Stream"] = grpc.stream_stream_rpc_method_handler(stream)
    if unary:
        handlers["Unary"] = grpc.unary_unary_rpc_method_handler(unary)
    interceptor = CallInterceptor(observer, status_of)
    server = grpc.aio.server(interceptors=[interceptor])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(grace=0)
        async with asyncio.timeout(5):
            await interceptor.all_closed()


async def echo_by_writing(requests: Requests, context: Context) -> None:
    async for request in requests:
        await context.write(request.upper())


async def echo_by_yielding(requests: Requests, context: Context) -> Requests:
    async for request in requests:
        yield request.upper()


async def echo_by_reading(requests: Requests, context: Context) -> None:
    request: Any
    while (request := await context.read()) is not grpc.aio.EOF:
        await context.write(request.upper())


async def outcome(ending: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Status and message as the client gets them from a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ending
    return caught.value.code(), caught.value.details() or ""


async def read_all(call: Any) -> list[bytes]:
    return [response async for response in call]


# ------------------------------------------------------------------------------------------------------------ ends well


@pytest.mark.parametrize("handler", [echo_by_writing, echo_by_yielding, echo_by_reading])
async def test_a_stream_of_any_style_works_and_is_closed_ok(handler: Any) -> None:
    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)(
            iter([b"a", b"b"]), metadata=(("traceparent", "00-x"), ("x-bin", b"\xff"), ("k", "1"), ("k", "2"))
        )
        assert await read_all(call) == [b"A", b"B"]
        assert await observer.only.status() == ("OK", "")
    assert observer.only.method == STREAM
    assert observer.only.metadata["traceparent"] == "00-x"
    assert observer.only.metadata["k"] == "1,2"
    assert "x-bin" not in observer.only.metadata
    assert observer.only.began_s <= observer.only.closes[0][2]


async def test_a_unary_call_works_and_is_closed_ok() -> None:
    async def unary(request: bytes, context: Context) -> bytes:
        return request.upper()

    observer = FakeObserver()
    async with serving(observer, unary=unary) as channel:
        assert await channel.unary_unary(UNARY)(b"a") == b"A"
        assert await observer.only.status() == ("OK", "")


@pytest.mark.parametrize("style", ["writing", "yielding"])
async def test_the_handler_and_its_tasks_find_the_observer_of_their_own_call(style: str) -> None:
    """Many streams at a time, each reporting its own first message from the handler and from a task it starts."""

    async def report(where: str, request: bytes) -> None:
        current_call.get().event(where, {"said": request.decode()}, 0.0)

    async def handle(requests: Requests) -> Requests:
        async for request in requests:
            await report("handler", request)
            await asyncio.create_task(report("task", request))
            yield request

    async def by_writing(requests: Requests, context: Context) -> None:
        async for response in handle(requests):
            await context.write(response)

    async def by_yielding(requests: Requests, context: Context) -> Requests:
        async for response in handle(requests):
            yield response

    observer = FakeObserver()
    async with serving(observer, stream=by_writing if style == "writing" else by_yielding) as channel:
        calls = [channel.stream_stream(STREAM)(metadata=(("who", str(who)),)) for who in range(8)]
        for _ in range(3):
            for who, call in enumerate(calls):
                await call.write(str(who).encode())
            assert [await call.read() for call in calls] == [str(who).encode() for who in range(8)]
        for call in calls:
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
        for seen in observer.calls:
            assert await seen.status() == ("OK", "")
    assert len(observer.calls) == 8
    for seen in observer.calls:
        assert [event[:2] for event in seen.events] == [
            ("handler", {"said": seen.metadata["who"]}),
            ("task", {"said": seen.metadata["who"]}),
        ] * 3


def test_outside_a_call_nobody_listens() -> None:
    assert isinstance(current_call.get(), NullCallObserver)


async def test_health_checks_are_not_observed() -> None:
    observer = FakeObserver()
    async with serving(observer) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert observer.calls == []


async def test_a_method_that_does_not_exist_is_not_observed() -> None:
    observer = FakeObserver()
    async with serving(observer) as channel:
        code, _ = await outcome(channel.unary_unary("/test.Echo/Nothing")(b""))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert observer.calls == []


async def test_handlers_that_are_not_async_pass_through() -> None:
    def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
        return request.upper()

    observer = FakeObserver()
    async with serving(observer, unary=unary) as channel:
        assert await channel.unary_unary(UNARY)(b"a") == b"A"
    assert observer.calls == []


# ------------------------------------------------------------------------------------------------------------- ends badly


async def test_abort_is_seen_by_both_sides_as_it_was_said() -> None:
    async def handler(requests: Requests, context: Context) -> None:
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too long", (("detail", "kept"),))

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)()
        assert await outcome(read_all(call)) == (grpc.StatusCode.OUT_OF_RANGE, "too long")
        assert ("detail", "kept") in tuple(await call.trailing_metadata())
        assert await observer.only.status() == ("OUT_OF_RANGE", "too long")


async def test_abort_in_an_async_generator_ends_it_with_that_status() -> None:
    async def handler(requests: Requests, context: Context) -> Requests:
        yield b"first"
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)()
        assert await call.read() == b"first"
        assert await outcome(call.read()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        assert await observer.only.status() == ("RESOURCE_EXHAUSTED", "full")


async def test_a_code_that_was_set_is_the_status() -> None:
    async def unary(request: bytes, context: Context) -> bytes:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("no such thing")
        return b""

    observer = FakeObserver()
    async with serving(observer, unary=unary) as channel:
        assert await outcome(channel.unary_unary(UNARY)(b"")) == (grpc.StatusCode.NOT_FOUND, "no such thing")
        assert await observer.only.status() == ("NOT_FOUND", "no such thing")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfLimits("too much"), grpc.StatusCode.OUT_OF_RANGE),
        (NotServing("draining"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_an_exception_of_the_contract_becomes_its_status(
    error: Exception, code: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(requests: Requests, context: Context) -> None:
        raise error

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        assert await outcome(read_all(channel.stream_stream(STREAM)())) == (code, str(error))
        assert await observer.only.status() == (code.name, str(error))
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("kind", ["stream", "unary"])
async def test_any_other_exception_is_logged_here_and_tells_the_client_nothing(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: Any, context: Context) -> None:
        raise ZeroDivisionError("a secret of the server")

    observer = FakeObserver()
    if kind == "stream":
        async with serving(observer, stream=handler) as channel:
            told = await outcome(read_all(channel.stream_stream(STREAM)()))
    else:
        async with serving(observer, unary=handler) as channel:
            told = await outcome(channel.unary_unary(UNARY)(b""))
    assert told == (grpc.StatusCode.INTERNAL, INTERNAL_MESSAGE)
    assert await observer.only.status() == ("INTERNAL", INTERNAL_MESSAGE)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


# -------------------------------------------------------------------------------------------------------- ends too early


async def test_a_client_that_cancels_while_the_handler_works_is_seen_as_cancelled() -> None:
    started, cleaned_up = asyncio.Event(), asyncio.Event()

    async def handler(requests: Requests, context: Context) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)(timeout=60)
        await started.wait()
        call.cancel()
        assert await observer.only.status() == ("CANCELLED", "")
        assert cleaned_up.is_set()


@pytest.mark.parametrize("handler", [echo_by_writing, echo_by_yielding, echo_by_reading])
async def test_a_cancelled_stream_is_not_taken_for_one_that_was_half_closed(handler: Any) -> None:
    """The handler's read ends as if the client were done, before the cancellation arrives. Repeated, because it is a race."""
    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        for _ in range(20):
            call = channel.stream_stream(STREAM)()
            await call.write(b"a")
            assert await call.read() == b"A"
            call.cancel()
            assert await observer.calls[-1].status() == ("CANCELLED", "")


async def test_a_handler_that_swallows_the_cancellation_does_not_make_it_ok() -> None:
    started = asyncio.Event()

    async def handler(requests: Requests, context: Context) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)()
        await started.wait()
        call.cancel()
        assert await observer.only.status() == ("CANCELLED", "")


async def test_an_error_that_only_the_cancellation_caused_is_not_the_status() -> None:
    async def handler(requests: Requests, context: Context) -> None:
        async for request in requests:
            await context.write(request)
        raise OutOfLimits("too much")

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)()
        await call.write(b"a")
        await call.read()
        call.cancel()
        assert await observer.only.status() == ("CANCELLED", "")


@pytest.mark.parametrize("kind", ["stream", "unary"])
async def test_a_deadline_that_passes_is_told_from_a_cancellation(kind: str) -> None:
    async def handler(request: Any, context: Context) -> None:
        await asyncio.Event().wait()

    observer = FakeObserver()
    if kind == "stream":
        async with serving(observer, stream=handler) as channel:
            code, _ = await outcome(read_all(channel.stream_stream(STREAM)(timeout=0.2)))
            assert await observer.only.status() == ("DEADLINE_EXCEEDED", "")
    else:
        async with serving(observer, unary=handler) as channel:
            code, _ = await outcome(channel.unary_unary(UNARY)(b"", timeout=0.2))
            assert await observer.only.status() == ("DEADLINE_EXCEEDED", "")
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_async_generator_is_closed_with_its_call() -> None:
    closed = asyncio.Event()

    async def handler(requests: Requests, context: Context) -> Requests:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)()
        await call.read()
        call.cancel()
        assert await observer.only.status() == ("CANCELLED", "")
        assert closed.is_set()


async def test_a_server_that_stops_closes_its_calls() -> None:
    started = asyncio.Event()

    async def handler(requests: Requests, context: Context) -> None:
        started.set()
        await asyncio.Event().wait()

    observer = FakeObserver()
    async with serving(observer, stream=handler) as channel:
        call = channel.stream_stream(STREAM)()
        await started.wait()
    assert [status for status, _, _ in observer.only.closes] == ["CANCELLED"]
    assert call.done()


# ---------------------------------------------------------------------------------------------------------------- traced


async def test_a_call_over_the_wire_becomes_one_trace_below_its_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Client, server and collector are real: three connections on loopback."""
    trace_id, caller_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

    async def handler(requests: Requests, context: Context) -> None:
        call = current_call.get()
        async for request in requests:
            call.event("partial", {}, 1.0)
            call.segment(SegmentRecord(0, 1.0, 2.0, (Stage("asr", 1.0, 2.0),), {}, text=request.decode()))
            await context.write(request)
        await context.abort(grpc.StatusCode.INTERNAL, "broke at the end")

    for variable in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(variable)
    with otlp_grpc() as received:
        telemetry = open_telemetry(TelemetryOptions(version="1"), {"OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint})
        async with serving(telemetry, stream=handler) as channel:
            call = channel.stream_stream(STREAM)(iter([b"words"]), metadata=(("traceparent", f"00-{trace_id}-{caller_id}-01"),))
            code, _ = await outcome(read_all(call))
        assert await asyncio.to_thread(telemetry.shutdown)

        assert code is grpc.StatusCode.INTERNAL
        root = received.one("test.Echo/Stream")
        assert (root.trace_id, root.parent_id, root.kind) == (trace_id, caller_id, "SERVER")
        assert (root.status, root.message) == ("ERROR", "broke at the end")
        assert root.attributes["rpc.response.status_code"] == "INTERNAL"
        assert [event.name for event in root.events] == ["partial"]
        assert received.tree(root) == ("test.Echo/Stream", [("asr.segment", [("asr", [])])])


def test_the_fake_keeps_the_contract_of_an_observer() -> None:
    observer: Observer = FakeObserver()
    assert isinstance(observer.call(STREAM, {}, 0.0), FakeCall)
