import re
from pathlib import Path

import pytest
import soundfile

import audio_norm
from tests.audio_norm.samples import RATE_HZ, speech

README = (Path(audio_norm.__file__).parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_an_example_of_the_readme_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "speech.wav", speech(), RATE_HZ)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
