from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamingRecognizeRequest(_message.Message):
    __slots__ = ("config", "audio_content", "finalize", "keep_alive")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CONTENT_FIELD_NUMBER: _ClassVar[int]
    FINALIZE_FIELD_NUMBER: _ClassVar[int]
    KEEP_ALIVE_FIELD_NUMBER: _ClassVar[int]
    config: StreamingRecognitionConfig
    audio_content: bytes
    finalize: Finalize
    keep_alive: KeepAlive
    def __init__(self, config: _Optional[_Union[StreamingRecognitionConfig, _Mapping]] = ..., audio_content: _Optional[bytes] = ..., finalize: _Optional[_Union[Finalize, _Mapping]] = ..., keep_alive: _Optional[_Union[KeepAlive, _Mapping]] = ...) -> None: ...

class Finalize(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class KeepAlive(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamingRecognitionConfig(_message.Message):
    __slots__ = ("config", "interim_results", "enable_voice_activity_events", "endpointing", "latency_budget_ms", "preset", "eager_results")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    INTERIM_RESULTS_FIELD_NUMBER: _ClassVar[int]
    ENABLE_VOICE_ACTIVITY_EVENTS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTING_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    EAGER_RESULTS_FIELD_NUMBER: _ClassVar[int]
    config: RecognitionConfig
    interim_results: bool
    enable_voice_activity_events: bool
    endpointing: EndpointingConfig
    latency_budget_ms: int
    preset: str
    eager_results: bool
    def __init__(self, config: _Optional[_Union[RecognitionConfig, _Mapping]] = ..., interim_results: bool = ..., enable_voice_activity_events: bool = ..., endpointing: _Optional[_Union[EndpointingConfig, _Mapping]] = ..., latency_budget_ms: _Optional[int] = ..., preset: _Optional[str] = ..., eager_results: bool = ...) -> None: ...

class RecognitionConfig(_message.Message):
    __slots__ = ("encoding", "sample_rate_hertz", "language_code", "max_alternatives", "speech_contexts", "audio_channel_count", "enable_word_time_offsets", "model", "audio_channel")
    class AudioEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENCODING_UNSPECIFIED: _ClassVar[RecognitionConfig.AudioEncoding]
        LINEAR16: _ClassVar[RecognitionConfig.AudioEncoding]
        FLAC: _ClassVar[RecognitionConfig.AudioEncoding]
        MULAW: _ClassVar[RecognitionConfig.AudioEncoding]
        OGG_OPUS: _ClassVar[RecognitionConfig.AudioEncoding]
        WEBM_OPUS: _ClassVar[RecognitionConfig.AudioEncoding]
        ALAW: _ClassVar[RecognitionConfig.AudioEncoding]
        FLOAT32: _ClassVar[RecognitionConfig.AudioEncoding]
    ENCODING_UNSPECIFIED: RecognitionConfig.AudioEncoding
    LINEAR16: RecognitionConfig.AudioEncoding
    FLAC: RecognitionConfig.AudioEncoding
    MULAW: RecognitionConfig.AudioEncoding
    OGG_OPUS: RecognitionConfig.AudioEncoding
    WEBM_OPUS: RecognitionConfig.AudioEncoding
    ALAW: RecognitionConfig.AudioEncoding
    FLOAT32: RecognitionConfig.AudioEncoding
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    MAX_ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    SPEECH_CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENABLE_WORD_TIME_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    encoding: RecognitionConfig.AudioEncoding
    sample_rate_hertz: int
    language_code: str
    max_alternatives: int
    speech_contexts: _containers.RepeatedCompositeFieldContainer[SpeechContext]
    audio_channel_count: int
    enable_word_time_offsets: bool
    model: str
    audio_channel: int
    def __init__(self, encoding: _Optional[_Union[RecognitionConfig.AudioEncoding, str]] = ..., sample_rate_hertz: _Optional[int] = ..., language_code: _Optional[str] = ..., max_alternatives: _Optional[int] = ..., speech_contexts: _Optional[_Iterable[_Union[SpeechContext, _Mapping]]] = ..., audio_channel_count: _Optional[int] = ..., enable_word_time_offsets: bool = ..., model: _Optional[str] = ..., audio_channel: _Optional[int] = ...) -> None: ...

class SpeechContext(_message.Message):
    __slots__ = ("phrases",)
    PHRASES_FIELD_NUMBER: _ClassVar[int]
    phrases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, phrases: _Optional[_Iterable[str]] = ...) -> None: ...

class EndpointingConfig(_message.Message):
    __slots__ = ("vad_stop_ms", "end_of_utterance_ms", "start_timeout_ms", "max_segment_ms")
    VAD_STOP_MS_FIELD_NUMBER: _ClassVar[int]
    END_OF_UTTERANCE_MS_FIELD_NUMBER: _ClassVar[int]
    START_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_SEGMENT_MS_FIELD_NUMBER: _ClassVar[int]
    vad_stop_ms: int
    end_of_utterance_ms: int
    start_timeout_ms: int
    max_segment_ms: int
    def __init__(self, vad_stop_ms: _Optional[int] = ..., end_of_utterance_ms: _Optional[int] = ..., start_timeout_ms: _Optional[int] = ..., max_segment_ms: _Optional[int] = ...) -> None: ...

class RecognizeRequest(_message.Message):
    __slots__ = ("config", "audio", "latency_budget_ms", "endpointing", "preset")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTING_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    config: RecognitionConfig
    audio: bytes
    latency_budget_ms: int
    endpointing: EndpointingConfig
    preset: str
    def __init__(self, config: _Optional[_Union[RecognitionConfig, _Mapping]] = ..., audio: _Optional[bytes] = ..., latency_budget_ms: _Optional[int] = ..., endpointing: _Optional[_Union[EndpointingConfig, _Mapping]] = ..., preset: _Optional[str] = ...) -> None: ...

class StreamingRecognizeResponse(_message.Message):
    __slots__ = ("results", "speech_event_type", "speech_event_offset")
    class SpeechEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SPEECH_EVENT_UNSPECIFIED: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
        SPEECH_ACTIVITY_BEGIN: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
        SPEECH_ACTIVITY_END: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
        END_OF_UTTERANCE: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
        START_TIMEOUT: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
        FINALIZED: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
        EAGER_STOOD: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
        EAGER_WITHDRAWN: _ClassVar[StreamingRecognizeResponse.SpeechEventType]
    SPEECH_EVENT_UNSPECIFIED: StreamingRecognizeResponse.SpeechEventType
    SPEECH_ACTIVITY_BEGIN: StreamingRecognizeResponse.SpeechEventType
    SPEECH_ACTIVITY_END: StreamingRecognizeResponse.SpeechEventType
    END_OF_UTTERANCE: StreamingRecognizeResponse.SpeechEventType
    START_TIMEOUT: StreamingRecognizeResponse.SpeechEventType
    FINALIZED: StreamingRecognizeResponse.SpeechEventType
    EAGER_STOOD: StreamingRecognizeResponse.SpeechEventType
    EAGER_WITHDRAWN: StreamingRecognizeResponse.SpeechEventType
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    SPEECH_EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SPEECH_EVENT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[StreamingRecognitionResult]
    speech_event_type: StreamingRecognizeResponse.SpeechEventType
    speech_event_offset: _duration_pb2.Duration
    def __init__(self, results: _Optional[_Iterable[_Union[StreamingRecognitionResult, _Mapping]]] = ..., speech_event_type: _Optional[_Union[StreamingRecognizeResponse.SpeechEventType, str]] = ..., speech_event_offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamingRecognitionResult(_message.Message):
    __slots__ = ("alternatives", "is_final", "stability", "result_end_offset", "channel_tag", "language_code", "result_start_offset", "segment", "ledger", "system", "trace_id", "segment_id")
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    RESULT_END_OFFSET_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_TAG_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_CODE_FIELD_NUMBER: _ClassVar[int]
    RESULT_START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    alternatives: _containers.RepeatedCompositeFieldContainer[SpeechRecognitionAlternative]
    is_final: bool
    stability: float
    result_end_offset: _duration_pb2.Duration
    channel_tag: int
    language_code: str
    result_start_offset: _duration_pb2.Duration
    segment: int
    ledger: Ledger
    system: SystemVersion
    trace_id: str
    segment_id: str
    def __init__(self, alternatives: _Optional[_Iterable[_Union[SpeechRecognitionAlternative, _Mapping]]] = ..., is_final: bool = ..., stability: _Optional[float] = ..., result_end_offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., channel_tag: _Optional[int] = ..., language_code: _Optional[str] = ..., result_start_offset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., segment: _Optional[int] = ..., ledger: _Optional[_Union[Ledger, _Mapping]] = ..., system: _Optional[_Union[SystemVersion, _Mapping]] = ..., trace_id: _Optional[str] = ..., segment_id: _Optional[str] = ...) -> None: ...

class SpeechRecognitionAlternative(_message.Message):
    __slots__ = ("transcript", "confidence", "words")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    transcript: str
    confidence: float
    words: _containers.RepeatedCompositeFieldContainer[WordInfo]
    def __init__(self, transcript: _Optional[str] = ..., confidence: _Optional[float] = ..., words: _Optional[_Iterable[_Union[WordInfo, _Mapping]]] = ...) -> None: ...

class WordInfo(_message.Message):
    __slots__ = ("start_time", "end_time", "word", "confidence")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    WORD_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    start_time: _duration_pb2.Duration
    end_time: _duration_pb2.Duration
    word: str
    confidence: float
    def __init__(self, start_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., end_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., word: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class Ledger(_message.Message):
    __slots__ = ("budget_ms", "response_ms", "slices", "late", "degraded", "endpoint_wait_ms", "asr_predicted_ms", "beam_size", "guard", "audio_ms", "phrases_used", "speculated_ms")
    BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_MS_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    ASR_PREDICTED_MS_FIELD_NUMBER: _ClassVar[int]
    BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    GUARD_FIELD_NUMBER: _ClassVar[int]
    AUDIO_MS_FIELD_NUMBER: _ClassVar[int]
    PHRASES_USED_FIELD_NUMBER: _ClassVar[int]
    SPECULATED_MS_FIELD_NUMBER: _ClassVar[int]
    budget_ms: int
    response_ms: float
    slices: _containers.RepeatedCompositeFieldContainer[LedgerSlice]
    late: bool
    degraded: _containers.RepeatedScalarFieldContainer[str]
    endpoint_wait_ms: float
    asr_predicted_ms: float
    beam_size: int
    guard: str
    audio_ms: int
    phrases_used: int
    speculated_ms: float
    def __init__(self, budget_ms: _Optional[int] = ..., response_ms: _Optional[float] = ..., slices: _Optional[_Iterable[_Union[LedgerSlice, _Mapping]]] = ..., late: bool = ..., degraded: _Optional[_Iterable[str]] = ..., endpoint_wait_ms: _Optional[float] = ..., asr_predicted_ms: _Optional[float] = ..., beam_size: _Optional[int] = ..., guard: _Optional[str] = ..., audio_ms: _Optional[int] = ..., phrases_used: _Optional[int] = ..., speculated_ms: _Optional[float] = ...) -> None: ...

class LedgerSlice(_message.Message):
    __slots__ = ("name", "planned_ms", "spent_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLANNED_MS_FIELD_NUMBER: _ClassVar[int]
    SPENT_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    planned_ms: float
    spent_ms: float
    def __init__(self, name: _Optional[str] = ..., planned_ms: _Optional[float] = ..., spent_ms: _Optional[float] = ...) -> None: ...

class SystemVersion(_message.Message):
    __slots__ = ("code", "data_definition", "data_definition_digest", "model", "weights_sha256", "options")
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    DATA_DEFINITION_FIELD_NUMBER: _ClassVar[int]
    DATA_DEFINITION_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    code: str
    data_definition: str
    data_definition_digest: str
    model: str
    weights_sha256: str
    options: _containers.ScalarMap[str, str]
    def __init__(self, code: _Optional[str] = ..., data_definition: _Optional[str] = ..., data_definition_digest: _Optional[str] = ..., model: _Optional[str] = ..., weights_sha256: _Optional[str] = ..., options: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RecognizeResponse(_message.Message):
    __slots__ = ("results", "total_billed_time")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BILLED_TIME_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[StreamingRecognitionResult]
    total_billed_time: _duration_pb2.Duration
    def __init__(self, results: _Optional[_Iterable[_Union[StreamingRecognitionResult, _Mapping]]] = ..., total_billed_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SubmitFeedbackRequest(_message.Message):
    __slots__ = ("segment_id", "corrected_transcript", "verdict", "shown_transcript")
    class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VERDICT_UNSPECIFIED: _ClassVar[SubmitFeedbackRequest.Verdict]
        ACCEPTED: _ClassVar[SubmitFeedbackRequest.Verdict]
        REJECTED: _ClassVar[SubmitFeedbackRequest.Verdict]
        REPEATED: _ClassVar[SubmitFeedbackRequest.Verdict]
        SWITCHED_TO_TYPING: _ClassVar[SubmitFeedbackRequest.Verdict]
    VERDICT_UNSPECIFIED: SubmitFeedbackRequest.Verdict
    ACCEPTED: SubmitFeedbackRequest.Verdict
    REJECTED: SubmitFeedbackRequest.Verdict
    REPEATED: SubmitFeedbackRequest.Verdict
    SWITCHED_TO_TYPING: SubmitFeedbackRequest.Verdict
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SHOWN_TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    segment_id: str
    corrected_transcript: str
    verdict: SubmitFeedbackRequest.Verdict
    shown_transcript: str
    def __init__(self, segment_id: _Optional[str] = ..., corrected_transcript: _Optional[str] = ..., verdict: _Optional[_Union[SubmitFeedbackRequest.Verdict, str]] = ..., shown_transcript: _Optional[str] = ...) -> None: ...

class SubmitFeedbackResponse(_message.Message):
    __slots__ = ("words", "substitutions", "deletions", "insertions")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    SUBSTITUTIONS_FIELD_NUMBER: _ClassVar[int]
    DELETIONS_FIELD_NUMBER: _ClassVar[int]
    INSERTIONS_FIELD_NUMBER: _ClassVar[int]
    words: int
    substitutions: int
    deletions: int
    insertions: int
    def __init__(self, words: _Optional[int] = ..., substitutions: _Optional[int] = ..., deletions: _Optional[int] = ..., insertions: _Optional[int] = ...) -> None: ...

class GetDriftReportRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDriftReportResponse(_message.Message):
    __slots__ = ("is_watching", "reference", "reference_segments", "data_drift", "concept_drift", "system_drift", "drifting", "changes")
    IS_WATCHING_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    DATA_DRIFT_FIELD_NUMBER: _ClassVar[int]
    CONCEPT_DRIFT_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_DRIFT_FIELD_NUMBER: _ClassVar[int]
    DRIFTING_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    is_watching: bool
    reference: str
    reference_segments: int
    data_drift: bool
    concept_drift: bool
    system_drift: bool
    drifting: _containers.RepeatedCompositeFieldContainer[DriftingFeature]
    changes: _containers.RepeatedCompositeFieldContainer[DriftChange]
    def __init__(self, is_watching: bool = ..., reference: _Optional[str] = ..., reference_segments: _Optional[int] = ..., data_drift: bool = ..., concept_drift: bool = ..., system_drift: bool = ..., drifting: _Optional[_Iterable[_Union[DriftingFeature, _Mapping]]] = ..., changes: _Optional[_Iterable[_Union[DriftChange, _Mapping]]] = ...) -> None: ...

class DriftingFeature(_message.Message):
    __slots__ = ("feature", "kind", "unit", "meaning", "label", "value")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MEANING_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    feature: str
    kind: str
    unit: str
    meaning: str
    label: str
    value: str
    def __init__(self, feature: _Optional[str] = ..., kind: _Optional[str] = ..., unit: _Optional[str] = ..., meaning: _Optional[str] = ..., label: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class DriftChange(_message.Message):
    __slots__ = ("feature", "label", "value", "is_back", "at", "since", "change", "severity", "shift", "psi", "before", "after", "trace_id")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    IS_BACK_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SHIFT_FIELD_NUMBER: _ClassVar[int]
    PSI_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    feature: str
    label: str
    value: str
    is_back: bool
    at: _timestamp_pb2.Timestamp
    since: _timestamp_pb2.Timestamp
    change: str
    severity: str
    shift: float
    psi: float
    before: _containers.RepeatedScalarFieldContainer[float]
    after: _containers.RepeatedScalarFieldContainer[float]
    trace_id: str
    def __init__(self, feature: _Optional[str] = ..., label: _Optional[str] = ..., value: _Optional[str] = ..., is_back: bool = ..., at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., change: _Optional[str] = ..., severity: _Optional[str] = ..., shift: _Optional[float] = ..., psi: _Optional[float] = ..., before: _Optional[_Iterable[float]] = ..., after: _Optional[_Iterable[float]] = ..., trace_id: _Optional[str] = ...) -> None: ...

class GetSloRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSloResponse(_message.Message):
    __slots__ = ("objectives",)
    OBJECTIVES_FIELD_NUMBER: _ClassVar[int]
    objectives: _containers.RepeatedCompositeFieldContainer[ObjectiveState]
    def __init__(self, objectives: _Optional[_Iterable[_Union[ObjectiveState, _Mapping]]] = ...) -> None: ...

class ObjectiveState(_message.Message):
    __slots__ = ("name", "share", "windows", "firing")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    FIRING_FIELD_NUMBER: _ClassVar[int]
    name: str
    share: float
    windows: _containers.RepeatedCompositeFieldContainer[ObjectiveWindow]
    firing: str
    def __init__(self, name: _Optional[str] = ..., share: _Optional[float] = ..., windows: _Optional[_Iterable[_Union[ObjectiveWindow, _Mapping]]] = ..., firing: _Optional[str] = ...) -> None: ...

class ObjectiveWindow(_message.Message):
    __slots__ = ("length", "events", "bad", "burn_rate")
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BAD_FIELD_NUMBER: _ClassVar[int]
    BURN_RATE_FIELD_NUMBER: _ClassVar[int]
    length: _duration_pb2.Duration
    events: int
    bad: int
    burn_rate: float
    def __init__(self, length: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., events: _Optional[int] = ..., bad: _Optional[int] = ..., burn_rate: _Optional[float] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("is_serving", "active_sessions", "queue_depth", "running", "threads", "memory_bytes", "prediction_error", "longest_loop_stall_ms", "segments", "late", "empty", "failed", "degraded", "latency", "probe_wer", "probe_wer_change", "probe_ttfs_ms", "labelled_words", "labelled_errors")
    IS_SERVING_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_ERROR_FIELD_NUMBER: _ClassVar[int]
    LONGEST_LOOP_STALL_MS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    EMPTY_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    PROBE_WER_FIELD_NUMBER: _ClassVar[int]
    PROBE_WER_CHANGE_FIELD_NUMBER: _ClassVar[int]
    PROBE_TTFS_MS_FIELD_NUMBER: _ClassVar[int]
    LABELLED_WORDS_FIELD_NUMBER: _ClassVar[int]
    LABELLED_ERRORS_FIELD_NUMBER: _ClassVar[int]
    is_serving: bool
    active_sessions: int
    queue_depth: int
    running: int
    threads: int
    memory_bytes: int
    prediction_error: float
    longest_loop_stall_ms: float
    segments: int
    late: int
    empty: int
    failed: int
    degraded: int
    latency: _containers.RepeatedCompositeFieldContainer[LatencyQuantiles]
    probe_wer: float
    probe_wer_change: float
    probe_ttfs_ms: float
    labelled_words: int
    labelled_errors: int
    def __init__(self, is_serving: bool = ..., active_sessions: _Optional[int] = ..., queue_depth: _Optional[int] = ..., running: _Optional[int] = ..., threads: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., prediction_error: _Optional[float] = ..., longest_loop_stall_ms: _Optional[float] = ..., segments: _Optional[int] = ..., late: _Optional[int] = ..., empty: _Optional[int] = ..., failed: _Optional[int] = ..., degraded: _Optional[int] = ..., latency: _Optional[_Iterable[_Union[LatencyQuantiles, _Mapping]]] = ..., probe_wer: _Optional[float] = ..., probe_wer_change: _Optional[float] = ..., probe_ttfs_ms: _Optional[float] = ..., labelled_words: _Optional[int] = ..., labelled_errors: _Optional[int] = ...) -> None: ...

class LatencyQuantiles(_message.Message):
    __slots__ = ("name", "planned_ms", "p50_ms", "p95_ms", "p99_ms")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PLANNED_MS_FIELD_NUMBER: _ClassVar[int]
    P50_MS_FIELD_NUMBER: _ClassVar[int]
    P95_MS_FIELD_NUMBER: _ClassVar[int]
    P99_MS_FIELD_NUMBER: _ClassVar[int]
    name: str
    planned_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    def __init__(self, name: _Optional[str] = ..., planned_ms: _Optional[float] = ..., p50_ms: _Optional[float] = ..., p95_ms: _Optional[float] = ..., p99_ms: _Optional[float] = ...) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "models", "data_definitions", "limits", "budget", "endpointing", "encodings", "active_sessions", "longest_loop_stall_ms", "presets", "prediction_error")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    DATA_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTING_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_LOOP_STALL_MS_FIELD_NUMBER: _ClassVar[int]
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_ERROR_FIELD_NUMBER: _ClassVar[int]
    version: str
    models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    data_definitions: _containers.RepeatedCompositeFieldContainer[DataDefinitionInfo]
    limits: Limits
    budget: _containers.RepeatedCompositeFieldContainer[LedgerSlice]
    endpointing: EndpointingConfig
    encodings: _containers.RepeatedScalarFieldContainer[RecognitionConfig.AudioEncoding]
    active_sessions: int
    longest_loop_stall_ms: float
    presets: _containers.RepeatedCompositeFieldContainer[PresetInfo]
    prediction_error: float
    def __init__(self, version: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ..., data_definitions: _Optional[_Iterable[_Union[DataDefinitionInfo, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., budget: _Optional[_Iterable[_Union[LedgerSlice, _Mapping]]] = ..., endpointing: _Optional[_Union[EndpointingConfig, _Mapping]] = ..., encodings: _Optional[_Iterable[_Union[RecognitionConfig.AudioEncoding, str]]] = ..., active_sessions: _Optional[int] = ..., longest_loop_stall_ms: _Optional[float] = ..., presets: _Optional[_Iterable[_Union[PresetInfo, _Mapping]]] = ..., prediction_error: _Optional[float] = ...) -> None: ...

class PresetInfo(_message.Message):
    __slots__ = ("name", "shortest_stop_ms", "longest_stop_ms", "beam_size", "context_ms", "model")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHORTEST_STOP_MS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_STOP_MS_FIELD_NUMBER: _ClassVar[int]
    BEAM_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_MS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    name: str
    shortest_stop_ms: int
    longest_stop_ms: int
    beam_size: int
    context_ms: int
    model: str
    def __init__(self, name: _Optional[str] = ..., shortest_stop_ms: _Optional[int] = ..., longest_stop_ms: _Optional[int] = ..., beam_size: _Optional[int] = ..., context_ms: _Optional[int] = ..., model: _Optional[str] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("name", "weights_sha256", "languages", "is_default", "options")
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    weights_sha256: str
    languages: _containers.RepeatedScalarFieldContainer[str]
    is_default: bool
    options: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., weights_sha256: _Optional[str] = ..., languages: _Optional[_Iterable[str]] = ..., is_default: bool = ..., options: _Optional[_Mapping[str, str]] = ...) -> None: ...

class DataDefinitionInfo(_message.Message):
    __slots__ = ("name", "digest", "is_default")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    is_default: bool
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., is_default: bool = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_sessions", "max_chunk_bytes", "max_stream_audio", "max_unary_bytes", "max_unary_audio", "idle_timeout", "latency_budget_min_ms", "latency_budget_max_ms", "sample_rate_min_hertz", "sample_rate_max_hertz", "max_channels", "max_alternatives", "max_phrases", "max_phrase_chars", "max_files")
    MAX_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_CHUNK_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_STREAM_AUDIO_FIELD_NUMBER: _ClassVar[int]
    MAX_UNARY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_UNARY_AUDIO_FIELD_NUMBER: _ClassVar[int]
    IDLE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BUDGET_MIN_MS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BUDGET_MAX_MS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_MIN_HERTZ_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_MAX_HERTZ_FIELD_NUMBER: _ClassVar[int]
    MAX_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    MAX_ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    MAX_PHRASES_FIELD_NUMBER: _ClassVar[int]
    MAX_PHRASE_CHARS_FIELD_NUMBER: _ClassVar[int]
    MAX_FILES_FIELD_NUMBER: _ClassVar[int]
    max_sessions: int
    max_chunk_bytes: int
    max_stream_audio: _duration_pb2.Duration
    max_unary_bytes: int
    max_unary_audio: _duration_pb2.Duration
    idle_timeout: _duration_pb2.Duration
    latency_budget_min_ms: int
    latency_budget_max_ms: int
    sample_rate_min_hertz: int
    sample_rate_max_hertz: int
    max_channels: int
    max_alternatives: int
    max_phrases: int
    max_phrase_chars: int
    max_files: int
    def __init__(self, max_sessions: _Optional[int] = ..., max_chunk_bytes: _Optional[int] = ..., max_stream_audio: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_unary_bytes: _Optional[int] = ..., max_unary_audio: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., idle_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., latency_budget_min_ms: _Optional[int] = ..., latency_budget_max_ms: _Optional[int] = ..., sample_rate_min_hertz: _Optional[int] = ..., sample_rate_max_hertz: _Optional[int] = ..., max_channels: _Optional[int] = ..., max_alternatives: _Optional[int] = ..., max_phrases: _Optional[int] = ..., max_phrase_chars: _Optional[int] = ..., max_files: _Optional[int] = ...) -> None: ...
