"""Whisper's steps on CTranslate2, given only the audio there is; equal steps of several decodes in one call. With `reordered`, `whisper`
and `weights` the only importer of ctranslate2 and faster_whisper.

A step of generating reads all weights, whether for one text or for several: those are generated together. On a processor nothing else
gains by it, and is done one after the other; on a GPU everything does.
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from ctranslate2 import DataType, StorageView
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from asr_server.engine import guard
from asr_server.engine.anchor import SILENCE_LEVEL, SilenceAnchor, States
from asr_server.engine.context import WINDOW_SAMPLES
from asr_server.engine.placing import FRAME_SAMPLES, STATE_SAMPLES, PlacedWord, place
from asr_server.engine.reading import MAX_TOKENS
from asr_server.engine.reordered import ReorderedWhisper
from asr_server.engine.spans import SpanClock, spent_on
from asr_server.engine.steps import Answer, Detect, Encode, Encoded, Generate, Languages, Place, Reading, Readings, Step, Task
from asr_server.engine.tokens import Tokens
from audio_norm import Samples

Features = NDArray[np.float32]

_FRAMES_A_STATE = STATE_SAMPLES // FRAME_SAMPLES


class WhisperNetwork:
    """See `lockstep.Network`. Immutable; thread-safe, as CTranslate2 is."""

    def __init__(self, model: ReorderedWhisper, tokens: Tokens, anchor_states: int) -> None:
        self._model = model
        self._on_gpu = model.device == "cuda"
        self.tokens = tokens
        self.languages = tuple(tokens.languages) or ("en",)
        self._mel = FeatureExtractor(feature_size=model.n_mels)
        silence = np.full((1, model.n_mels, WINDOW_SAMPLES // FRAME_SAMPLES), SILENCE_LEVEL, np.float32)
        self._anchor = SilenceAnchor(self._states(silence), anchor_states)

    def shape(self, step: Step) -> Hashable:
        match step:
            case Generate(task=task, suppress=suppress):
                return Generate, self._search_shape(task), suppress
            case Place(language=language):
                return (Place, language) if self._on_gpu else None
            case Encode() | Detect():
                return (type(step),) if self._on_gpu else None

    def shape_of(self, task: Task) -> Hashable:
        """Decodes of equal shape are likely to have steps of equal shape."""
        return None if self._on_gpu else self._search_shape(task)

    def _search_shape(self, task: Task) -> Hashable:
        """CTranslate2 wants all prompts of a batch to be of one length, with the start of the transcript at one place."""
        prompt = self._prompt(task)
        return task.beam_size, task.readings, len(prompt), self.tokens.start_of(prompt)

    def answer(self, steps: Sequence[Step], clocks: Sequence[SpanClock]) -> Sequence[Answer]:
        match steps[0]:
            case Encode():
                return self._encode([step for step in steps if isinstance(step, Encode)], clocks)
            case Detect():
                with spent_on("language", clocks):
                    return self._detect([step for step in steps if isinstance(step, Detect)])
            case Generate():
                with spent_on("decode", clocks):
                    return self._generate([step for step in steps if isinstance(step, Generate)])
            case Place():
                with spent_on("align", clocks):
                    return self._place([step for step in steps if isinstance(step, Place)])

    def _encode(self, steps: Sequence[Encode], clocks: Sequence[SpanClock]) -> list[Encoded]:
        """Shorter audio is encoded with as much silence as makes it as long as the longest; of its states its own are kept."""
        states = [_states_of(step) for step in steps]
        with spent_on("features", clocks):
            length = max(states) * STATE_SAMPLES
            features = np.ascontiguousarray(np.stack([self._features(step.samples, length) for step in steps]))
        with spent_on("encode", clocks):
            encoded = self._states(features)
            anchored = [self._anchor.append(encoded[row : row + 1, :count]) for row, count in enumerate(states)]
        return [
            Encoded(StorageView.from_array(np.ascontiguousarray(one)), count * _FRAMES_A_STATE, step.samples)
            for one, count, step in zip(anchored, states, steps, strict=True)
        ]

    def _features(self, samples: Samples, length: int) -> Features:
        padded = np.zeros(length, np.float32)
        padded[: len(samples)] = samples
        return np.asarray(self._mel(padded, padding=0), np.float32)

    def _states(self, features: Features) -> States:
        """Encoder output, in single precision whatever the model computes in: numpy knows no bfloat16."""
        return np.array(self._model.encode(StorageView.from_array(features), to_cpu=True).to(DataType.float32))

    def _together(self, encoded: Sequence[Encoded]) -> object:
        """The states of all, as one batch: those of shorter audio with more states of silence after them."""
        if len(encoded) == 1:
            return encoded[0].states
        states: list[States] = [np.array(one.states) for one in encoded]
        length = max(one.shape[1] for one in states)
        # The audio's own states first: those of silence are spread anew, from its end to that of the window.
        own = [one[:, : part.frames // _FRAMES_A_STATE] for one, part in zip(states, encoded, strict=True)]
        filled = [one if one.shape[1] == length else self._anchor.fill(audio, length) for one, audio in zip(states, own, strict=True)]
        return StorageView.from_array(np.ascontiguousarray(np.concatenate(filled)))

    def _detect(self, steps: Sequence[Detect]) -> list[Languages]:
        found = self._model.detect_language(self._together([step.encoded for step in steps]))
        return [[(token.strip("<|>"), probability) for token, probability in one] for one in found]

    def _generate(self, steps: Sequence[Generate]) -> list[Readings]:
        """Where a text to go on from is told over again, or one does not stop, nothing is new: what follows has to be heard alone."""
        limits = [step.limit - len(step.task.begun) for step in steps]
        limit = max(limits)
        prompts = [self._prompt(step.task) for step in steps]
        first = steps[0]
        found = self._model.generate(
            self._together([step.encoded for step in steps]),
            prompts,
            beam_size=first.task.beam_size,
            num_hypotheses=first.task.readings,
            # CTranslate2 stops after the lesser of half of this and of this without the prompt.
            max_length=min(max(2 * limit, limit + len(prompts[0]), 2), 2 * MAX_TOKENS),
            suppress_tokens=[-1, *first.suppress],
            return_scores=True,
            return_no_speech_prob=True,
        )
        answers = []
        for step, own_limit, one in zip(steps, limits, found, strict=True):
            readings = []
            for tokens, score in zip(one.sequences_ids, one.scores, strict=True):
                # A score is a sum of log probabilities by the number of tokens; the sum has the end of text in it, the number has not.
                log_probability = score * len(tokens) / (len(tokens) + 1)
                # In company of one with a higher limit a text is broken off where it would have been alone.
                new = tokens if own_limit == limit else tokens[:own_limit]
                readings.append(self._reading(step.task, new, log_probability))
            if _has_failed(readings[0], step):
                readings = [self._reading(step.task, (), readings[0].log_probability)]
            answers.append((readings, one.no_speech_prob))
        return answers

    def _prompt(self, task: Task) -> list[int]:
        if task.begun:
            return self.tokens.prompt_with(task.begun, task.language, task.phrases)
        return self.tokens.prompt(task.language, task.phrases)

    def _reading(self, task: Task, new: Sequence[int], log_probability: float) -> Reading:
        text = [*task.begun, *new]
        return Reading(text, self.tokens.words(text, task.language), log_probability, told=len(task.begun))

    def _place(self, steps: Sequence[Place]) -> list[tuple[PlacedWord, ...]]:
        found = self._model.align(
            self._together([step.encoded for step in steps]),
            self.tokens.task(steps[0].language),
            [step.reading.tokens for step in steps],
            [step.encoded.frames for step in steps],
        )
        return [place(step.reading.words, one.alignments, one.text_token_probs) for step, one in zip(steps, found, strict=True)]


def _states_of(step: Encode) -> int:
    """How many states the audio and its margin make."""
    samples = len(step.samples) + step.margin_samples
    return min(math.ceil(samples / STATE_SAMPLES), WINDOW_SAMPLES // STATE_SAMPLES)


def _has_failed(best: Reading, step: Generate) -> bool:
    """Whether a text that was to go on from one read in one pass does not stop, or tells that one again."""
    if not step.task.begun:
        return False
    words = [word.text for word in best.words]
    return len(best.tokens) >= step.limit or guard.starts_over(words[: best.told_words], words[best.told_words :])
