import ast
import types
from pathlib import Path

import audio_norm


def test_the_public_list_names_every_public_object_and_nothing_else() -> None:
    public = {name for name, value in vars(audio_norm).items() if not name.startswith("_") and not isinstance(value, types.ModuleType)}
    assert set(audio_norm.__all__) == public


def test_the_public_list_is_sorted_without_doubles() -> None:
    assert list(audio_norm.__all__) == sorted(set(audio_norm.__all__))


def test_importing_the_package_runs_nothing_but_imports() -> None:
    source = Path(audio_norm.__file__).read_text(encoding="utf-8")
    kinds = {type(node) for node in ast.parse(source).body}
    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}
