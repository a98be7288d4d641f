"""A recogniser that has been told what to hear."""

from collections.abc import Mapping

from asr_server.accuracy.manifest import Clip
from asr_server.engine.engine import Release
from eval.recognisers import Failed, Heard, HeardSegment, Skipped, System


class FakeRecogniser:
    """Hears `texts[clip.id]`; an exception among them is raised."""

    system = System("1.0", "v1", Release("fake", "0" * 64, {"beam_size": "1"}))

    def __init__(self, texts: Mapping[str, str | Skipped | Failed]) -> None:
        self._texts = texts

    async def hear(self, clip: Clip) -> Heard:
        text = self._texts[clip.id]
        if isinstance(text, Exception):
            raise text
        return Heard((HeardSegment(text, 0.0, 1.0, 0.9),)) if text else Heard()
