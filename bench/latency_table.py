"""A result of `python -m bench latency` for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def times(result: Mapping[str, Any]) -> Table:
    """Quantiles in ms, a row each; fits 80 columns."""
    setup = result["setup"]
    table = Table("ms", "p50", "p95", "p99", "max", "planned")
    rows = {
        "time to final text": result["ttfs_ms"],
        **({} if setup["end"] == "silence" else {f"answer to {setup['end'].replace('_', '-')}": result["answer_ms"]}),
        "of it, VAD stop": result["endpoint_wait_ms"],
        "response": result["response_ms"],
        **{f"  {name}": spent for name, spent in result["slices_ms"].items()},
        "recognition in all": result["asr_ms"],
        "  of it, in the silence": result["speculated_ms"],
        **({} if result["eager"] is None else {"eager text": result["eager"]["ms"]}),
        "first words shown": result["first_partial_ms"],
        "between partials": result["partial_cadence_ms"],
        "partial behind its audio": result["partial_lag_ms"],
        "floor: engine alone": result["floor_ms"],
        "baseline: faster-whisper": result["baseline_ms"],
        "bench woke late": result["bench"]["own_lag_ms"],
        "chunk taken late": result["bench"]["taken_late_ms"],
    }
    for name, row in rows.items():
        planned = row.get("planned", {}).get("p50")
        table.add_row(name, *(_ms(row[share]) for share in ("p50", "p95", "p99", "max")), "" if planned is None else _ms(planned))
    return table


def lines(result: Mapping[str, Any]) -> list[str]:
    """Counts and circumstances; last, what has to be known, and why the run is not valid."""
    counts = ", ".join(f"{result[name]} {name}" for name in ("late", "degraded", "lost", "early", "refused"))
    full, revised, on, server, bench = (result[name] for name in ("full_context", "revised_words", "machine", "server", "bench"))
    setup = result["setup"]
    stop_ms = setup["stop_ms"]
    told = [
        f"preset {setup['preset'] or 'not known'}: segments are closed after {stop_ms['shortest']} to {stop_ms['longest']} ms of silence",
        f"{result['streams']} streams, {result['clips']} clips, {result['segments']} segments: {counts}, {len(result['failed'])} failed",
        f"WER {_percent(result['wer'])} of {result['words']} words, with full context {_percent(full['wer'])}",
        f"{result['lost_words']} of {result['lost_words_of']} words that full context heard were lost in the stream",
    ]
    if revised["revised"] is not None:
        told.append(f"{revised['revised']} shown words revised, {_percent(revised['rate'])} of {revised['final_words']} final words")
    if (eager := result["eager"]) is not None:
        told.append(f"{eager['stood']} of {eager['told']} eager texts stood")
    if result["answer_by_baseline"] is not None:
        told.append(f"answer, p50: {result['answer_by_baseline']:.2f} times the baseline")
    used = "process not known, "
    if server is not None:
        resident_mb = server["resident_mb"]
        used = (
            f"{server['cpu_percent']:.0f} % of a core, {resident_mb['before']:.0f} MB before, at most {resident_mb['max']:.0f},"
            f" {server['threads']['max']} threads, "
        )
    no_baseline = "" if setup["baseline"] else "; no baseline was measured"
    told += [
        f"server: {used}longest loop stall {result['longest_loop_stall_ms']:.0f} ms",
        f"bench: {_ms(bench['cpu_percent'])} % of a core, longest loop stall {bench['longest_loop_stall_ms']:.0f} ms",
        f"{result['warm_up']['clips']} clips were spoken before to warm up and are in no figure{no_baseline}",
        f"on {on['cpu']}, {on['cores']} cores {' '.join(on['flags'])}, load {on['load_average']} before; ctranslate2 {on['ctranslate2']}",
    ]
    return [*told, *(f"note: {note}" for note in result["notes"]), *(f"INVALID: {reason}" for reason in result["invalid_because"])]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate * 100:.2f} %"
