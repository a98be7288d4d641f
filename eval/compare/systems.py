"""What made the texts of two runs, and on which data: where they differ. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from eval.result import RunResult
from eval.via import HOW


@dataclass(frozen=True, slots=True)
class SystemDifference:
    """One thing that is not the same; "" where a run does not have it."""

    what: str
    before: str
    after: str


def system_differences(before: RunResult, after: RunResult) -> list[SystemDifference]:
    """Code, data definition, model, weights, options, and how the clips were heard."""
    one, two = _described(before), _described(after)
    return [SystemDifference(what, one.get(what, ""), two.get(what, "")) for what in {**one, **two} if one.get(what) != two.get(what)]


def notes(before: RunResult, after: RunResult) -> list[str]:
    """What makes the comparison less than it seems."""
    one, two = (run.fields["data"].get("sha256") for run in (before, after))
    return [f"other manifests: {before.manifest.name} ({one}), {after.manifest.name} ({two})"] if one != two else []


def _described(run: RunResult) -> Mapping[str, str]:
    release = run.system.release
    return {
        "code": run.system.code,
        "data definition": run.system.data_definition,
        "model": release.model,
        "weights": release.weights_sha256,
        **release.options,
        **{name: str(run.fields[name]) for name in HOW if name in run.fields},
    }
