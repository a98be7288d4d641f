"""Telemetry must not hurt what it looks at."""

import logging
from types import TracebackType

logger = logging.getLogger(__name__)


class Guard:
    """Lets no exception through, and logs the first."""

    __slots__ = ("_logged",)

    def __init__(self) -> None:
        self._logged = False

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._logged:
            self._logged = True
            logger.error("telemetry failed; spans or metrics may be missing from now on, further failures are not logged", exc_info=error)
        return True
