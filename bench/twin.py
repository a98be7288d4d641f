"""The model and the data definition of a server, as they are found here: what is measured alone is to be compared with what the server
does, so it has to be made of the same."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from asr_server.api.results import ServerInfo, SystemView
from asr_server.engine.weights import PUBLISHED_SHA256, ModelFiles, resolve
from asr_server.errors import WeightsMismatch, WeightsNotFound
from audio_norm import DataDefinition, DefinitionError, load_definition

MODEL, DEFINITION = "base", "v1"
"""Where the server's are not here."""


@dataclass(frozen=True, slots=True)
class Twin:
    model: str
    """Name or directory."""
    definition: DataDefinition
    notes: tuple[str, ...]
    """In what it is not the server's; empty when it is."""


def twin_of(
    info: ServerInfo, model: str | None, find: Callable[[str], ModelFiles] = resolve, published: Collection[str] = PUBLISHED_SHA256
) -> Twin:
    """`model`: wanted whatever the server has; None: the server's own if it is a published one, else MODEL: a name that a server gives is
    not fetched from anywhere. Raises SetupError when the one that was wanted is not here either."""
    server = info.system()
    may_find = model is not None or server.model in published
    chosen, not_the_model = _model(server, model, find) if may_find else (MODEL, _not_here(server))
    definition, not_the_definition = _definition(server)
    return Twin(chosen, definition, tuple(note for note in (not_the_model, not_the_definition) if note))


def _model(server: SystemView, wanted: str | None, find: Callable[[str], ModelFiles]) -> tuple[str, str]:
    """With in what it is not the server's."""
    if wanted is None:
        try:
            found = find(server.model)
        except (WeightsNotFound, WeightsMismatch):
            return MODEL, _not_here(server)
    else:
        found = find(wanted)
    chosen = wanted or server.model
    if found.sha256 == server.weights_sha256:
        return chosen, ""
    return chosen, f"alone {chosen} was measured: the server runs {server.model} with weights {server.weights_sha256[:12]}"


def _not_here(server: SystemView) -> str:
    return f"alone {MODEL} was measured: the server's model, {server.model}, is not here; --model says where it is"


def _definition(server: SystemView) -> tuple[DataDefinition, str]:
    try:
        found = load_definition(server.data_definition)
    except DefinitionError:
        return load_definition(
            DEFINITION
        ), f"alone data definition {DEFINITION} was used: the server's, {server.data_definition}, is not here"
    if found.digest == server.data_definition_digest:
        return found, ""
    return found, f"alone data definition {found.version} {found.digest} was used: the server's is {server.data_definition_digest}"
