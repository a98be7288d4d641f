"""Whisper on CTranslate2, given only the audio there is. The only importer, beside `reordered` and `weights`, of ctranslate2 and
faster_whisper.

faster-whisper always encodes 30 s. The encoder takes less, and then costs less: this engine encodes the speech and a margin of silence,
appends a silence anchor (`anchor`), watches for text that was not said (`guard`, `no_speech`), and goes on from what was told already
(`context`).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from ctranslate2 import DataType, StorageView, get_cuda_device_count, get_supported_compute_types
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from asr_server.engine import guard
from asr_server.engine.anchor import SILENCE_LEVEL, SilenceAnchor, States
from asr_server.engine.calibrate import calibrate
from asr_server.engine.context import WINDOW_SAMPLES, Heard, Listener
from asr_server.engine.cost import CostModel
from asr_server.engine.cues import find_cues
from asr_server.engine.engine import DecodeOptions, Decoding, Release
from asr_server.engine.options import EngineOptions
from asr_server.engine.placing import FRAME_SAMPLES, RATE_HZ, STATE_SAMPLES, PlacedWord, from_stream, place, to_word
from asr_server.engine.reading import MAX_TOKENS, Encoded, Reader, Reading, Task
from asr_server.engine.reordered import ReorderedWhisper
from asr_server.engine.spans import SpanClock
from asr_server.engine.tokens import Tokens
from asr_server.engine.weights import ModelFiles
from asr_server.errors import EngineFailed, SetupError
from asr_server.transcript import Alternative, Hypothesis
from audio_norm import Normalized, Samples

__all__ = ["MAX_AUDIO_S", "EngineOptions", "WhisperEngine"]

MAX_AUDIO_S = 29.0  # leaves room for the longest margin
Features = NDArray[np.float32]
_FOREIGN = (RuntimeError, ValueError, MemoryError)  # what the exceptions of C++ become


class _Network:
    """The model's four steps. Immutable; thread-safe, as CTranslate2 is."""

    def __init__(self, model: ReorderedWhisper, tokens: Tokens, anchor_states: int) -> None:
        self._model = model
        self.tokens = tokens
        self.languages = tuple(tokens.languages) or ("en",)
        self._mel = FeatureExtractor(feature_size=model.n_mels)
        silence = np.full((1, model.n_mels, WINDOW_SAMPLES // FRAME_SAMPLES), SILENCE_LEVEL, np.float32)
        self._anchor = SilenceAnchor(self._states(silence), anchor_states)

    def encode(self, samples: Samples, margin_samples: int, clock: SpanClock) -> Encoded:
        """See `Model.encode`."""
        length = min(math.ceil((len(samples) + margin_samples) / STATE_SAMPLES) * STATE_SAMPLES, WINDOW_SAMPLES)
        with clock.span("features"):
            padded = np.zeros(length, np.float32)
            padded[: len(samples)] = samples
            features = np.ascontiguousarray(self._mel(padded, padding=0)[None])
        with clock.span("encode"):
            states = self._anchor.append(self._states(features))
        return Encoded(StorageView.from_array(states), features.shape[2], samples)

    def _states(self, features: Features) -> States:
        """Encoder output, in single precision whatever the model computes in: numpy knows no bfloat16."""
        return np.array(self._model.encode(StorageView.from_array(features), to_cpu=True).to(DataType.float32))

    def detect(self, encoded: Encoded) -> list[tuple[str, float]]:
        """All languages with their probabilities."""
        return [(token.strip("<|>"), probability) for token, probability in self._model.detect_language(encoded.states)[0]]

    def generate(self, encoded: Encoded, task: Task, limit: int, suppress: Sequence[int] = ()) -> tuple[list[Reading], float]:
        """Readings of at most `limit` tokens, best first, and the probability of no speech. `suppress`: tokens not to be generated.

        A text to go on from is read in one pass. Now and then the model then tells it over again, or does not stop: it is stepped through
        instead, which takes longer and does not fail so.
        """
        prompt = self.tokens.prompt(task.language, task.phrases)
        if not task.begun:
            return self._generate(encoded, task, prompt, (), limit=limit, suppress=suppress)
        at_once = self.tokens.prompt_with(task.begun, task.language, task.phrases)
        readings, no_speech_probability = self._generate(encoded, task, at_once, (), limit=limit - len(task.begun), suppress=suppress)
        words = [word.text for word in readings[0].words]
        told = readings[0].told_words
        if len(readings[0].tokens) < limit and not guard.starts_over(words[:told], words[told:]):
            return readings, no_speech_probability
        return self._generate(encoded, task, prompt, task.begun, limit=limit, suppress=suppress)

    def _generate(
        self, encoded: Encoded, task: Task, prompt: Sequence[int], stepped: Sequence[int], *, limit: int, suppress: Sequence[int]
    ) -> tuple[list[Reading], float]:
        """`stepped`: tokens that are given and stepped through, and count in `limit`."""
        result = self._model.generate(
            encoded.states,
            [[*prompt, *stepped]],
            beam_size=task.beam_size,
            num_hypotheses=max(1, min(task.max_alternatives, task.beam_size)),
            # CTranslate2 stops after the lesser of half of this and of this without the prompt.
            max_length=min(max(2 * limit, limit + len(prompt), 2), 2 * MAX_TOKENS),
            suppress_tokens=[-1, *suppress],
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        readings = []
        for tokens, score in zip(result.sequences_ids, result.scores, strict=True):
            new = tokens[len(stepped) :]
            text = [*task.begun, *new]
            # Its score is a sum of log probabilities by the number of all tokens; the sum has the end in it, the number has not. Tokens
            # that were stepped through count nothing in the sum.
            log_probability = score * len(tokens) / (len(new) + 1)
            readings.append(Reading(text, self.tokens.words(text, task.language), log_probability, told=len(task.begun)))
        return readings, float(result.no_speech_prob)

    def place(self, encoded: Encoded, reading: Reading, language: str, clock: SpanClock) -> tuple[PlacedWord, ...]:
        """Where the words of a reading are."""
        if not reading.tokens:
            return ()
        with clock.span("align"):
            found = self._model.align(encoded.states, self.tokens.task(language), [reading.tokens], encoded.frames)[0]
        return place(reading.words, found.alignments, found.text_token_probs)


class _Rehearsal:
    """The steps on noise, with as many tokens as wanted: what `calibrate` measures."""

    def __init__(self, network: _Network) -> None:
        self._network = network
        self._task = Task(network.languages[0], beam_size=1)
        self._noise = np.random.default_rng(0).normal(0, 0.01, WINDOW_SAMPLES).astype(np.float32)

    def warm_up(self, beam_size: int) -> None:
        """Run every step once: the first time each allocates and packs."""
        encoded = self.encode_frames(100)
        for size in {1, beam_size}:
            self.force_tokens(encoded, 2, size)
        self.align_tokens(encoded, 2)

    def encode_frames(self, frames: int) -> Encoded:
        return self._network.encode(self._noise[: frames * FRAME_SAMPLES], 0, SpanClock())

    def force_tokens(self, encoded: Encoded, tokens: int, beam_size: int) -> None:
        self._network.generate(encoded, replace(self._task, beam_size=beam_size), tokens, suppress=[self._network.tokens.end])

    def align_tokens(self, encoded: Encoded, tokens: int) -> None:
        text = list(range(1000, 1000 + tokens))  # any will do
        self._network.place(encoded, Reading(text, (), 0.0), self._task.language, SpanClock())


class WhisperEngine:
    """A loaded model. Immutable; `decode` may be called from as many threads as there are workers, further ones wait."""

    def __init__(self, files: ModelFiles, options: EngineOptions, network: _Network, cost: CostModel) -> None:
        """Use `load`."""
        self._options = options
        self._network = network
        margin_samples = WINDOW_SAMPLES if options.full_context else options.margin_ms * RATE_HZ // 1000
        self._listener = Listener(network, Reader(network, options.no_speech), margin_samples)
        self._languages = network.languages
        self._release = Release(files.name, files.sha256, options.described())
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
            network = _Network(model, tokens, options.anchor_states)
            rehearsal = _Rehearsal(network)
            rehearsal.warm_up(options.beam_size)
            return cls(files, options, network, calibrate(rehearsal))
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
        if audio.rejected or not len(audio.samples):
            return Decoding(Hypothesis(rejected=audio.rejected or "no_speech"))
        if audio.rate_hz != RATE_HZ:
            raise EngineFailed(f"the engine wants {RATE_HZ} Hz, got {audio.rate_hz}")
        if audio.duration_s > MAX_AUDIO_S:
            raise EngineFailed(f"the engine takes up to {MAX_AUDIO_S:g} s at once, got {audio.duration_s:.1f} s")
        if options.language != "auto" and options.language not in self._languages:
            spoken = ", ".join(("auto", *self._languages))
            raise EngineFailed(f"language {options.language!r} is not spoken by {self._release.model}; accepted: {spoken}")
        try:
            return self._decode(audio, options)
        except _FOREIGN as error:
            raise EngineFailed(f"recognition failed on {audio.duration_s:.1f} s of audio: {error}") from error

    def _decode(self, audio: Normalized, options: DecodeOptions) -> Decoding:
        said = options.said
        new_sample = from_stream(said.until_sample, audio) if said else 0
        if new_sample >= len(audio.samples):
            return Decoding(Hypothesis(rejected="no_speech"))
        clock = SpanClock()
        encoded = self._listener.encode(audio, clock)
        language, language_probability = self._language(encoded, options.language, clock)
        tokens = self._network.tokens
        phrases = tokens.fitting(options.phrases)
        task = Task(language, max(1, min(options.beam_size, self._options.beam_size)), options.max_alternatives, phrases)
        if said is None:
            heard = self._listener.hear(audio, encoded, task, clock)
        else:
            task = replace(task, begun=tokens.said(said.words, language), begun_s=new_sample / RATE_HZ)
            heard = self._listener.hear_new(audio, encoded, task, clock)
        placed, end_probability = self._words(heard, options, language, clock)
        hypothesis = Hypothesis(
            alternatives=() if heard.no_speech else self._alternatives(heard.read.readings),
            words=tuple(to_word(word, heard.audio) for word in placed),
            language=language,
            language_probability=language_probability,
            no_speech_probability=heard.read.no_speech_probability,
            log_probability=heard.best.log_probability,
            end_probability=end_probability,
            rejected="no_speech" if heard.no_speech else "",
        )
        new_tokens = len(heard.best.new_tokens)
        return Decoding(hypothesis, clock.spans, heard.encoded.frames, new_tokens, task.beam_size, heard.read.guard, len(phrases))

    def _words(self, heard: Heard, options: DecodeOptions, language: str, clock: SpanClock) -> tuple[tuple[PlacedWord, ...], float | None]:
        """The new words and the probability that a sentence ends with them, as far as they were asked for."""
        best = heard.best
        if heard.no_speech or not best.new_words:
            return (), None
        if options.cues:
            closed = self._network.tokens.closed(best.tokens, best.words[-1].first_token + 1, language)
            cues = find_cues(self._network, heard.encoded, best, closed, language=language, clock=clock)
            return cues.words, cues.end_probability
        if options.word_times:
            placed = best.placed or self._network.place(heard.encoded, best, language, clock)
            return placed[best.told_words :], None
        return (), None

    def _language(self, encoded: Encoded, wanted: str, clock: SpanClock) -> tuple[str, float]:
        """The language to transcribe and its probability among those it was chosen from."""
        if wanted != "auto":
            return wanted, 1.0
        if len(self._languages) == 1:
            return self._languages[0], 1.0
        with clock.span("language"):
            heard = self._network.detect(encoded)
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
