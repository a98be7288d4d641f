from pathlib import Path

import pytest

from asr_server.api.results import DefinitionView, ModelView, ServerInfo
from asr_server.engine.weights import ModelFiles
from asr_server.errors import WeightsNotFound
from audio_norm import load_definition
from bench.twin import twin_of

HERE = {"small": "1" * 64, "base": "2" * 64}
V1 = load_definition("v1")


def find(model: str) -> ModelFiles:
    """What is here: HERE."""
    if model not in HERE:
        raise WeightsNotFound(f"no weights for model {model!r}")
    return ModelFiles(model, Path(model), HERE[model])


def info(model: str = "small", sha256: str = HERE["small"], definition: str = "v1", digest: str = V1.digest) -> ServerInfo:
    models = (
        ModelView("other", "9" * 64, ("en",), is_default=False, options={}),
        ModelView(model, sha256, ("en",), is_default=True, options={}),
    )
    return ServerInfo(
        version="1.0",
        models=models,
        data_definitions=(DefinitionView(definition, digest, is_default=True),),
        limits={},
        endpointing_ms={},
        budget=(),
        presets=(),
        encodings=(),
        active_sessions=0,
        longest_loop_stall_ms=0.0,
    )


def test_what_the_server_runs_is_taken() -> None:
    twin = twin_of(info(), None, find, HERE)
    assert (twin.model, twin.definition.digest, twin.notes) == ("small", V1.digest, ())


def test_a_model_that_is_wanted_and_is_the_servers_own_needs_no_note() -> None:
    """Weights tell, not names: the server may have it by another."""
    assert twin_of(info(model="weights"), "small", find).notes == ()


def test_a_model_that_is_not_here_is_replaced_with_a_note() -> None:
    twin = twin_of(info(model="large"), None, find, {*HERE, "large"})
    assert (twin.model, twin.notes) == (
        "base",
        ("alone base was measured: the server's model, large, is not here; --model says where it is",),
    )


def test_a_name_that_is_not_a_published_one_is_not_looked_for() -> None:
    """It may be anything, and looking for it may fetch it."""

    def refuse(model: str) -> ModelFiles:
        raise AssertionError(f"{model} was looked for")

    assert twin_of(info(model="somebody/large"), None, refuse).model == "base"


@pytest.mark.parametrize(("wanted", "chosen"), [("base", "base"), (None, "small")])
def test_other_weights_than_the_servers_are_told(wanted: str | None, chosen: str) -> None:
    twin = twin_of(info(sha256="3" * 64), wanted, find, HERE)
    assert (twin.model, twin.notes) == (chosen, (f"alone {chosen} was measured: the server runs small with weights 333333333333",))


def test_a_model_that_is_wanted_and_not_here_is_an_error() -> None:
    with pytest.raises(WeightsNotFound):
        twin_of(info(), "large", find)


def test_a_definition_that_is_not_here_is_replaced_with_a_note() -> None:
    twin = twin_of(info(definition="v9"), None, find, HERE)
    assert (twin.definition.digest, twin.notes) == (
        V1.digest,
        ("alone data definition v1 was used: the server's, v9, is not here",),
    )


def test_other_rules_under_the_same_name_are_told() -> None:
    (note,) = twin_of(info(digest="abc"), None, find, HERE).notes
    assert note == f"alone data definition v1 {V1.digest} was used: the server's is abc"
