"""Everything that can go wrong, as one tree. `api` maps it to gRPC status codes by one table; nobody else knows those.

AsrError
+-- ClientFault                 the caller sent something wrong; repeating it unchanged is no use
|   +-- InvalidRequest          fields have values that are not accepted          INVALID_ARGUMENT + BadRequest
|   +-- OutOfLimits             more than the server takes                        OUT_OF_RANGE
|   +-- WrongOrder              what does not belong here, or not yet              FAILED_PRECONDITION
|   +-- Unknown                 something that this server does not know          NOT_FOUND
|   +-- IdleTooLong             nothing came for too long                         DEADLINE_EXCEEDED
+-- ServerFault                 ours; the same call may succeed later or elsewhere
|   +-- Overloaded              no room at present                                RESOURCE_EXHAUSTED + RetryInfo
|   +-- NotServing              loading or draining                               UNAVAILABLE
|   +-- NotKept                 what was to be kept cannot be stored              UNAVAILABLE
|   +-- EngineFailed            the recogniser failed on this audio               INTERNAL
+-- SetupError                  the server cannot start; one line on stderr, exit code 2
|   +-- WeightsNotFound
|   +-- WeightsMismatch
|   +-- BadSettings
+-- WrongCall                   a command was called wrongly; one line on stderr, exit code 2
+-- SpeechError                 what a client of ours is told; carries the gRPC status name
    +-- RequestRefused          the request was wrong; repeating it unchanged is no use
    +-- ServerBusy              no room; try again after `retry_after_s`
    +-- ServerUnreachable       no connection, or the server is starting or stopping
    +-- CallTimedOut            too long: the deadline, or nothing was sent for too long
    +-- CallFailed              anything else
"""


class AsrError(Exception):
    """Base of all our errors. The message is for the user."""


class ClientFault(AsrError):
    pass


class InvalidRequest(ClientFault, ValueError):
    """Fields that were wrong: each with its dotted path in the request and what is accepted."""

    def __init__(self, *violations: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {description}" for field, description in violations))
        self.violations = violations


class OutOfLimits(ClientFault):
    pass


class WrongOrder(ClientFault):
    pass


class Unknown(ClientFault):
    pass


class IdleTooLong(ClientFault):
    pass


class ServerFault(AsrError):
    pass


class Overloaded(ServerFault):
    """No room; worth trying again after `retry_after_s`."""

    def __init__(self, what: str, retry_after_s: float) -> None:
        super().__init__(f"{what}; try again in {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class NotServing(ServerFault):
    pass


class NotKept(ServerFault):
    pass


class EngineFailed(ServerFault):
    pass


class SetupError(AsrError):
    pass


class WeightsNotFound(SetupError):
    pass


class WeightsMismatch(SetupError):
    """The weights on disk are not the published ones."""

    def __init__(self, path: str, expected_sha256: str, actual_sha256: str) -> None:
        super().__init__(
            f"{path}: sha256 is {actual_sha256}, expected {expected_sha256}; delete the file and set up again, "
            "or name a directory to use weights of your own"
        )


class BadSettings(SetupError):
    pass


class WrongCall(AsrError):
    pass


class SpeechError(AsrError):
    """A call that ended with `status`, a gRPC status name such as "UNAVAILABLE"."""

    def __init__(self, status: str, message: str, violations: tuple[tuple[str, str], ...] = (), retry_after_s: float | None = None) -> None:
        super().__init__(message or status)
        self.status = status
        self.violations = violations
        """Fields that were refused: each with its dotted path in the request and what is accepted."""
        self.retry_after_s = retry_after_s
        """What the server asked to wait before the next attempt; None when it did not say."""


class RequestRefused(SpeechError):
    pass


class ServerBusy(SpeechError):
    pass


class ServerUnreachable(SpeechError):
    pass


class CallTimedOut(SpeechError):
    pass


class CallFailed(SpeechError):
    pass
