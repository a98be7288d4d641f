"""The version of this code, as installed."""

from importlib.metadata import PackageNotFoundError, version


def code_version() -> str:
    try:
        return version("asr-server")
    except PackageNotFoundError:
        return "0+unknown"
