"""Whisper on CTranslate2, given only the audio there is.

faster-whisper always encodes 30 s. The encoder takes less, and then costs less: this engine encodes the speech and a margin of silence,
appends a silence anchor (`anchor`), watches for text that was not said (`guard`, `no_speech`), and goes on from what was told already
(`context`). A decode asks for what the model has to do (`steps`); `network` does it, for one decode or for several at once.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from ctranslate2 import get_cuda_device_count, get_supported_compute_types

from asr_server.engine.calibrate import calibrate
from asr_server.engine.context import WINDOW_SAMPLES, Heard, Listener
from asr_server.engine.cost import CostModel
from asr_server.engine.engine import DecodeOptions, Decoding, Release
from asr_server.engine.lockstep import Lockstep, Unwanted
from asr_server.engine.network import WhisperNetwork
from asr_server.engine.options import EngineOptions
from asr_server.engine.placing import RATE_HZ, PlacedWord, from_stream, to_word
from asr_server.engine.reading import Reader
from asr_server.engine.rehearsal import Rehearsal
from asr_server.engine.reordered import ReorderedWhisper
from asr_server.engine.spans import SpanClock
from asr_server.engine.steps import Encoded, Reading, Steps, Task, detect, find_words, tell
from asr_server.engine.tokens import Tokens
from asr_server.engine.weights import ModelFiles
from asr_server.errors import EngineFailed, SetupError
from asr_server.events import WordPlaces
from asr_server.transcript import Alternative, Hypothesis
from audio_norm import Normalized

__all__ = ["MAX_AUDIO_S", "EngineOptions", "WhisperEngine"]

MAX_AUDIO_S = 29.0  # leaves room for the longest margin
_FOREIGN = (RuntimeError, ValueError, MemoryError)  # what the exceptions of C++ become


class WhisperEngine:
    """A loaded model. Immutable; `decode` may be called from as many threads as there are workers, further ones wait."""

    def __init__(self, files: ModelFiles, options: EngineOptions, network: WhisperNetwork, cost: CostModel) -> None:
        """Use `load`."""
        self._options = options
        self._network = network
        margin_samples = WINDOW_SAMPLES if options.full_context else options.margin_ms * RATE_HZ // 1000
        self._listener = Listener(Reader(options.no_speech), margin_samples)
        self._languages = network.languages
        self._release = Release(files.name, files.sha256, options.described(network.languages))
        self._cost = cost

    @classmethod
    def load(cls, files: ModelFiles, options: EngineOptions) -> "WhisperEngine":
        """Load, warm up and calibrate; takes a few seconds. Raises `SetupError` if the files are no model, or none that runs here so."""
        _check_device(options)
        try:
            model = ReorderedWhisper(
                files.path,
                device=options.device,
                compute_type=options.compute_type,
                inter_threads=options.workers,
                intra_threads=options.threads_per_worker,
            )
            tokens = Tokens.load(files.path / "tokenizer.json", multilingual=model.is_multilingual)
            network = WhisperNetwork(model, tokens, options.anchor_states)
            rehearsal = Rehearsal(network)
            rehearsal.warm_up(options.beam_size)
            return cls(files, options, network, calibrate(rehearsal, options.max_batch))
        except _FOREIGN as error:
            raise SetupError(f"model {files.name} in {files.path} cannot be used: {error}") from error

    @property
    def release(self) -> Release:
        return self._release

    @property
    def languages(self) -> tuple[str, ...]:
        return self._languages

    @property
    def cost(self) -> CostModel:
        return self._cost

    @property
    def options(self) -> EngineOptions:
        """How it was built."""
        return self._options

    def decode(self, audio: Normalized, options: DecodeOptions) -> Decoding:
        """See `Engine.decode`. Takes up to 29 s at 16 kHz, "auto" or one of `languages`, and refuses anything else with `EngineFailed`."""
        outcomes: list[Decoding | EngineFailed] = []
        self.decode_together([(audio, options)], lambda _, outcome: outcomes.append(outcome))
        (outcome,) = outcomes
        if isinstance(outcome, EngineFailed):
            raise outcome
        return outcome

    def decode_together(
        self,
        jobs: Sequence[tuple[Normalized, DecodeOptions]],
        done: Callable[[int, Decoding | EngineFailed], None],
        told: Callable[[int, Decoding], None] = lambda _, __: None,
        wanted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """See `BatchingEngine.decode_together`; takes and refuses what `decode` does."""

        def has_told(number: int, decoding: Decoding) -> None:
            told(number, replace(decoding, batch=len(jobs)))

        def has_ended(number: int, outcome: Decoding | Exception) -> None:
            if isinstance(outcome, Decoding):
                done(number, replace(outcome, batch=len(jobs)))
            else:
                done(number, _failed(outcome, jobs[number][0]))

        clocks = [SpanClock() for _ in jobs]
        decodes = [(self._decode(audio, options, clock), clock) for (audio, options), clock in zip(jobs, clocks, strict=True)]
        Lockstep(self._network, has_ended, has_told, wanted).run(decodes)

    def shape(self, options: DecodeOptions) -> Hashable:
        """See `BatchingEngine.shape`."""
        language = options.language if options.language in self._languages else self._languages[0]
        return self._network.shape_of(self._task(options, language, new_sample=0))

    def _check(self, audio: Normalized, options: DecodeOptions) -> None:
        if audio.rate_hz != RATE_HZ:
            raise EngineFailed(f"the engine wants {RATE_HZ} Hz, got {audio.rate_hz}")
        if audio.duration_s > MAX_AUDIO_S:
            raise EngineFailed(f"the engine takes up to {MAX_AUDIO_S:g} s at once, got {audio.duration_s:.1f} s")
        if options.language != "auto" and options.language not in self._languages:
            spoken = ", ".join(("auto", *self._languages))
            raise EngineFailed(f"language {options.language!r} is not spoken by {self._release.model}; accepted: {spoken}")

    def _decode(self, audio: Normalized, options: DecodeOptions, clock: SpanClock) -> Steps[Decoding]:
        """`clock` has the spans of all steps that were answered."""
        if audio.rejected or not len(audio.samples):
            return Decoding(Hypothesis(rejected=audio.rejected or "no_speech"))
        self._check(audio, options)
        new_sample = from_stream(options.said.until_sample, audio) if options.said else 0
        if new_sample >= len(audio.samples):
            return Decoding(Hypothesis(rejected="no_speech"))
        encoded = yield from self._listener.encode(audio)
        language, language_probability = yield from self._language(encoded, options.language)
        task = self._task(options, language, new_sample)
        hear = self._listener.hear if options.said is None else self._listener.hear_new
        heard = yield from hear(audio, encoded, task)
        best = heard.best
        wanted = bool(best.new_words) and not heard.no_speech and (options.has_words_with_text or options.word_places is WordPlaces.AFTER)
        placed: tuple[PlacedWord, ...] = ()
        if wanted and (options.has_words_with_text or best.placed is not None):
            placed = yield from self._new_words(heard, language)
        hypothesis = Hypothesis(
            alternatives=() if heard.no_speech else self._alternatives(heard.read.readings),
            words=tuple(to_word(word, heard.audio) for word in placed),
            language=language,
            language_probability=language_probability,
            no_speech_probability=heard.read.no_speech_probability,
            log_probability=best.log_probability,
            rejected="no_speech" if heard.no_speech else "",
        )
        decoding = Decoding(
            hypothesis,
            clock.spans,
            heard.encoded.frames,
            len(best.new_tokens),
            task.beam_size,
            heard.read.guard,
            len(task.phrases),
        )
        if wanted and not placed:
            yield from tell(decoding)
            placed = yield from self._new_words(heard, language)
            words = tuple(to_word(word, heard.audio) for word in placed)
            return replace(decoding, hypothesis=replace(hypothesis, words=words), spans=clock.spans)
        return decoding

    def _task(self, options: DecodeOptions, language: str, new_sample: int) -> Task:
        """`new_sample`: of the audio, where what was not told already begins."""
        tokens = self._network.tokens
        return Task(
            language,
            max(1, min(options.beam_size, self._options.beam_size)),
            options.max_alternatives,
            tokens.fitting(options.phrases),
            begun=tokens.said(options.said.words, language) if options.said else (),
            begun_s=new_sample / RATE_HZ,
        )

    @staticmethod
    def _new_words(heard: Heard, language: str) -> Steps[tuple[PlacedWord, ...]]:
        """Not aligned again where the guard has seen where they are."""
        best = heard.best
        placed = best.placed or (yield from find_words(heard.encoded, best, language))
        return placed[best.told_words :]

    def _language(self, encoded: Encoded, wanted: str) -> Steps[tuple[str, float]]:
        """The language to transcribe and its probability among those it was chosen from."""
        if wanted != "auto":
            return wanted, 1.0
        if len(self._languages) == 1:
            return self._languages[0], 1.0
        heard = yield from detect(encoded)
        among = [one for one in heard if one[0] in self._options.auto_languages] or heard
        language, probability = max(among, key=lambda one: one[1])
        return language, probability / sum(one[1] for one in among)

    def _alternatives(self, readings: Sequence[Reading]) -> tuple[Alternative, ...]:
        """The different texts, best first."""
        found: dict[str, Alternative] = {}
        for reading in readings:
            text = self._network.tokens.text(reading.new_tokens)
            if text and text not in found:
                found[text] = Alternative(text, math.exp(min(reading.log_probability, 0.0)))
        return tuple(found.values())


def _failed(error: Exception, audio: Normalized) -> EngineFailed:
    if isinstance(error, EngineFailed):
        return error
    if isinstance(error, Unwanted):
        return EngineFailed("broken off: nobody waits for it any more")
    kind = "" if isinstance(error, _FOREIGN) else f"{type(error).__name__}: "
    failed = EngineFailed(f"recognition failed on {audio.duration_s:.1f} s of audio: {kind}{error}")
    failed.__cause__ = error
    return failed


def _check_device(options: EngineOptions) -> None:
    """Raises `SetupError` if this machine lacks what `options` ask for."""
    gpus = get_cuda_device_count()
    if options.device == "cuda" and not gpus:
        raise SetupError("engine.device is 'cuda', but there is no NVIDIA GPU with a working driver here; accepted here: device: cpu")
    device = "cuda" if options.device == "cuda" or (options.device == "auto" and gpus) else "cpu"
    accepted = {*get_supported_compute_types(device), "auto", "default"}
    if options.compute_type not in accepted:
        raise SetupError(
            f"engine.compute_type is {options.compute_type!r}, which {device} cannot do here; accepted here: {', '.join(sorted(accepted))}"
        )
