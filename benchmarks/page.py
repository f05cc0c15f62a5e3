"""The page: one table a part, the target beside each ratio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import KEPT, LEAN, settings
from passion_monai.data.availability.files import read_availability
from passion_monai.data.availability.published import published_table_path

NOTES = Path(__file__).with_name("notes.md")
BACKBONES = {"rfnet": "RFNet", "mmformer": "mmFormer", "m2ftrans": "M2FTrans"}
TABLE = "brats2020/t1-2_t1ce-4_flair-6_t2-8"


def render(results: dict[str, Any]) -> str:
    """Markdown from the parts that are there."""
    sections = [*_machine(results), *_steps(results), *_memory(results), *_evaluations(results)]
    once = {
        "d": _terms,
        "e": _distances,
        "fgh": _cases,
        "scaling": _scaling,
        "allocation": _allocation,
        "layers": _layers,
        "tried": _tried,
    }
    for name, section in once.items():
        if name in results:
            sections += section(results[name])
    sections += [*_profiles(results), *_gpus(results)]
    return NOTES.read_text() + "\n" + "\n".join(sections)


def _machine(results: dict[str, Any]) -> list[str]:
    if "machine" not in results:
        return []
    found = results["machine"]
    number = "and bfloat16 instructions" if found["bf16"] else "no bfloat16 instructions: bf16 is emulated and left out"
    return [
        "## Numbers",
        "",
        f"{found['processor']}, {found['cores']} cores, {found['instructions']}, {number}; torch {found['torch']}, "
        f"Python {found['python']}.",
        "",
    ]


def shares() -> dict[int, float]:
    """Share of the training cases of the published (.2, .4, .6, .8) table with so many modalities."""
    rows = [sum(row) for row in _rows()]
    return {count: rows.count(count) / len(rows) for count in (1, 2, 3, 4)}


def _rows() -> list[list[bool]]:
    table = read_availability(published_table_path(TABLE), ("flair", "t1ce", "t1", "t2"))
    return [[bool(cell) for cell in row] for row in table.values()]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""]


def _judged(ratio: float, target: float) -> str:
    return f"{ratio:.1f} x | {target} x, {'met' if ratio >= target else '**missed**'}"


def _below(share: float, target: float) -> str:
    return f"{100 * share:.1f} % | {100 * target:.0f} %, {'met' if share <= target else '**missed**'}"


def _of(results: dict[str, Any], part: str) -> Iterator[tuple[str, Any]]:
    for backbone, name in BACKBONES.items():
        if f"{part}_{backbone}" in results:
            yield name, results[f"{part}_{backbone}"]


def _steps(results: dict[str, Any]) -> list[str]:
    rows, mixed, parts, exact = [], shares(), [], []
    targets = {("fp32", 4): 2.2, ("bf16", 4): 4, ("fp32", 2): 4, ("bf16", 2): 8}
    for name, part in _of(results, "a"):
        cpu = {call: time["cpu"] for call, time in part["times"].items()}
        rows.append([name, "straightforward, any", f"{cpu['plain']:.1f}", "", ""])
        for precision in list(dict.fromkeys(call.split()[0] for call in cpu if call != "plain")):
            for count in (4, 3, 2, 1):
                ratio = cpu["plain"] / cpu[f"{precision} {count}"]
                target = targets.get((precision, count))
                judged = _judged(ratio, target) if target else f"{ratio:.1f} x | "
                rows.append([name, f"{precision}, {count} of 4", f"{cpu[f'{precision} {count}']:.2f}", judged])
            mean = sum(share * cpu[f"{precision} {count}"] for count, share in mixed.items())
            judged = _judged(cpu["plain"] / mean, 5 if precision == "fp32" else 10)
            rows.append([name, f"{precision}, mix of the table", f"{mean:.2f}", judged])
        parts += [[name, setting, *(f"{t:.2f}" for t in split.values())] for setting, split in part["split"].items()]
        exact += [[name, f"{n} of 4", f"{e['loss']:.1e}", f"{e['gradient']:.1e}"] for n, e in part["errors"].items()]
    if not rows:
        return []
    names = list(next(_of(results, "a"))[1]["split"]["fp32 4"])
    rounded = [
        [name, f"{n} of 4", *(f"{found[key]:.1e}" for key in ("float64", "ours", "straightforward", "adamw"))]
        for name, part in _of(results, "exact")
        for n, found in part.items()
    ]
    head = ["backbone", "present", "float64, both sides", "our float32", "straightforward float32", "AdamW step"]
    return [
        "### a. Training step",
        "",
        *_table(["backbone", "step", "CPU s", "faster", "target"], rows),
        "Where our step goes, CPU s (one step each; the last two in one precision):",
        "",
        *_table(["backbone", "setting", *names], parts),
        "Relative difference of loss and gradient (norm of all) in float32:",
        "",
        *_table(["backbone", "present", "loss", "gradient"], exact),
        "The same of the gradient at 32^3: between both sides in float64, and of each side's float32 from float64; and "
        "the largest difference of a weight, those of skipped encoders included, after a step of AdamW in float64:",
        "",
        *_table(head, rounded),
    ]


def _memory(results: dict[str, Any]) -> list[str]:
    rows = []
    for name, part in _of(results, "b"):
        plain = part["plain"]["peak_mib"]
        rows.append([name, "straightforward, any", f"{plain:.0f}", "", "", f"{part['plain']['cpu']:.1f}"])
        for setting, found in part.items():
            if setting != "plain":
                share, cell = found["peak_mib"] / plain, setting.split()
                target = {"fp32": 0.15, "bf16": 0.07}[cell[1]]
                judged = _below(share, target) if cell[2] == "2" else f"{100 * share:.1f} % | "
                label = f"{cell[0]}, {cell[1]}, {cell[2]} of 4"
                rows.append([name, label, f"{found['peak_mib']:.0f}", judged, f"{found['cpu']:.1f}"])
    if not rows:
        return []
    head = ["backbone", "step", "peak MiB", "of straightforward", "target", "CPU s"]
    return [
        "### b. Peak memory of a step",
        "",
        "The process with all its libraries (about 600 MiB before the step). `lean`: `TrainingView(checkpoint=True)` "
        f"and `{settings(LEAN)}`.",
        "",
        *_table(head, rows),
    ]


def _evaluations(results: dict[str, Any]) -> list[str]:
    rows = []
    for name, part in _of(results, "c"):
        count, cpu = part["windows"]["0.5"], {call: time["cpu"] for call, time in part["window"].items()}
        rows.append([name, f"straightforward, {count} windows", f"{count * cpu['plain']:.0f}", "", "", "", ""])
        for precision, same in part["same_label"].items():
            target, agree = {"fp32": 3.5, "bf16": 6}[precision], f"{100 * same:.2f} %"
            for overlap, windows in part["windows"].items():
                ratio = count * cpu["plain"] / (windows * cpu[precision])
                judged = _judged(ratio, target) if overlap == "0.5" else f"{ratio:.1f} x | other overlap"
                label = f"{precision}, {windows} windows"
                rows.append([name, label, f"{windows * cpu[precision]:.0f}", judged, agree, ""])
        for precision, whole in part["whole"].items():
            judged = _judged(count * cpu["plain"] / whole["cpu"], 16)
            extra = f"{whole['peak_mib'] - whole['before_mib']:.0f}"
            rows.append([name, f"{precision}, whole volume", f"{whole['cpu']:.0f}", judged, "", extra])
    if not rows:
        return []
    head = ["backbone", "15 subsets of 140x180x140", "CPU s", "faster", "target", "same label", "extra MiB"]
    return [
        "### c. Evaluation of 15 subsets",
        "",
        "Seconds of one 80^3 window times the number of windows; the whole volume is run. `same label`: share of a "
        "window's voxels with the straightforward label, random weights. Subsets with shared encodings were bit-equal "
        f"to single passes: {all(part['bit_equal_with_shared_encoding'] for _, part in _of(results, 'c'))}.",
        "",
        *_table(head, rows),
    ]


def _terms(part: dict[str, Any]) -> list[str]:
    rows = [
        ["straightforward", f"{part['times']['plain']['cpu']:.2f}", "", "", f"{part['kept_mib']['plain']:.0f}", "", ""]
    ]
    for count, target in (("4", 5), ("2", 8)):
        ratio = part["times"]["plain"]["cpu"] / part["times"][count]["cpu"]
        kept = part["kept_mib"][count]
        share = _below(kept / part["kept_mib"]["plain"], 0.2)
        rows.append(
            [f"{count} of 4", f"{part['times'][count]['cpu']:.2f}", _judged(ratio, target), f"{kept:.0f}", share]
        )
    head = ["present", "CPU s", "faster", "target", "kept MiB", "of straightforward", "target"]
    return ["### d. Loss terms, forward and backward", "", *_table(head, rows)]


def _distances(part: dict[str, Any]) -> list[str]:
    rows = []
    for quality in ("good", "poor"):
        cpu = {name: time["cpu"] for name, time in part[quality]["times"].items()}
        for name, target in (("medpy", 60), ("monai", 6)):
            judged = _judged(cpu[name] / cpu["ours"], target)
            gap = f"{part[quality]['gaps'][name]:.0e}"
            rows.append([quality, name, f"{cpu[name]:.2f}", f"{cpu['ours']:.3f}", judged, gap])
    head = ["prediction", "beside", "CPU s", "ours", "faster", "target", "largest difference"]
    note = (
        ""
        if part["medpy_installed"]
        else "medpy was not installed: its definition with scipy on whole volumes instead.\n"
    )
    return ["### e. Dice and HD95 of three regions, 240x240x155", "", *([note] if note else []), *_table(head, rows)]


def _cases(part: dict[str, Any]) -> list[str]:
    rows = []
    compared = [
        ("f. first preprocessing of a case", "MONAI's transforms", part["first"], "plain", 3),
        ("g. crop and augmentation of a held case", "MONAI's transforms", part["augmented"], "plain", 4),
        ("g. the same", "the authors' way, NumPy and SciPy", part["augmented"], "authors", 9),
        ("h. a cached case with crop", "MONAI's transforms", part["cached"], "plain", 20),
    ]
    for name, beside, times, side, target in compared:
        plain, ours = (1000 * times[which]["cpu"] for which in (side, "ours"))
        rows.append([name, beside, f"{plain:.1f}", f"{ours:.1f}", _judged(plain / ours, target)])
    shares = zip(part["waiting"].items(), part["waiting_bare"].values(), strict=True)
    waits = [[workers, f"{100 * share:.1f} %", f"{100 * bare:.1f} %"] for (workers, share), bare in shares]
    return [
        "### f, g, h. Cases",
        "",
        *_table(["what", "beside", "CPU ms", "ours", "faster", "target"], rows),
        "Share of the time that a network of .2 s a step waits for the loader:",
        "",
        *_table(["workers", "waiting", "waiting, tensors without metadata"], waits),
    ]


def _scaling(part: dict[str, Any]) -> list[str]:
    side = part["side"]
    grown = [[M, *(f"{s:.2f}" for s in found.values())] for M, found in part["modalities"].items()]
    first = next(iter(part["crops"].items()))
    crops = [
        [
            f"{n}^3",
            *(f"{s:.2f}" for s in found.values()),
            *(f"{found[p] / first[1][p] * (int(first[0]) / int(n)) ** 3:.2f}" for p in found),
        ]
        for n, found in part["crops"].items()
    ]
    return [
        "### Growth",
        "",
        f"RFNet's step, CPU s. All of M modalities present at {side}^3:",
        "",
        *_table(["M", *first[1]], grown),
        "2 of 4 present; the last columns are the cost a voxel relative to the smallest crop:",
        "",
        *_table(["crop", *first[1], *(f"{precision} a voxel" for precision in first[1])], crops),
        "![Seconds by modalities, by crop, and waiting by loader workers](performance_growth.png)",
        "",
    ]


def _allocation(part: dict[str, Any]) -> list[str]:
    rows = []
    for name, found in part.items():
        default, kept = found["default"], found["kept"]
        seconds = [f"{one['cpu']:.1f}" for one in (default, kept)]
        peaks = [f"{one['peak_mib']:.0f}" for one in (default, kept)]
        rows.append([name, *seconds, f"{default['cpu'] / kept['cpu']:.1f} x", *peaks])
    head = ["RFNet, fp32", "CPU s", "CPU s, blocks kept", "faster", "peak MiB", "peak MiB, blocks kept"]
    return [
        "### Large blocks of memory",
        "",
        "glibc keeps blocks of up to 32 MiB for the next tensor; larger ones go back to the system and are mapped and "
        "zeroed anew. Blocks kept: "
        f"`{settings(KEPT)}` in the environment.",
        "",
        *_table(head, rows),
    ]


def _layers(part: dict[str, Any]) -> list[str]:
    rows, precisions = [], [name for name in next(iter(part.values())) if name != "straightforward"]
    for name, cpu in part.items():
        plain = cpu["straightforward"]
        each = [text for p in precisions for text in (f"{1000 * cpu[p]:.1f}", f"{plain / cpu[p]:.1f} x")]
        rows.append([name, f"{1000 * plain:.1f}", *each])
    head = ["block", "straightforward, CPU ms", *(text for p in precisions for text in (p, "faster"))]
    note = "Convolution, instance norm and leaky ReLU, forward and backward, batch of one:"
    return ["### Blocks", "", note, "", *_table(head, rows)]


def _tried(part: dict[str, Any]) -> list[str]:
    rows = []
    for name, cpu in part.items():
        remark = f"{cpu['compiling']:.0f} s to compile" if "compiling" in cpu else ""
        ratio = f"{cpu['done'] / cpu['tried']:.2f} x"
        rows.append([name, f"{1000 * cpu['done']:.0f}", f"{1000 * cpu['tried']:.0f}", ratio, remark])
    head = ["tried", "what is done, CPU ms", "what was tried", "faster", ""]
    return ["### What did not help", "", *_table(head, rows)]


def _profiles(results: dict[str, Any]) -> list[str]:
    rows, kinds = [], []
    for name, part in _of(results, "profile"):
        for step, seconds in part.items():
            kinds = list(seconds)
            rows.append([name, step, f"{sum(seconds.values()):.2f}", *(f"{s:.2f}" for s in seconds.values())])
    if not rows:
        return []
    note = "Seconds of one step by kind of operation (PyTorch's profiler, which costs time itself):"
    return ["### Profile", "", note, "", *_table(["backbone", "step", "all", *kinds], rows)]


def _gpus(results: dict[str, Any]) -> list[str]:
    counts, times = [], []
    for name, part in _of(results, "gpu"):
        for present, found in part["counts"].items():
            kept = f"{found['kept_mib']:.0f}" if "kept_mib" in found else ""
            flops, moved = f"{found['gflop']:.0f}", f"{found['gb_moved']:.0f}"
            counts.append([name, present, flops, moved, found["operations"], kept])
        for gpu, precisions in part["gpus"].items():
            for precision, found in precisions.items():
                step = [f"{1000 * found['step'][present]:.0f}" for present in ("4", "2", "1")]
                times.append([name, gpu, precision, *step, f"{found['one']:.1f}", f"{found['eight']:.1f}"])
    if not counts:
        return []
    return [
        "### 300 epochs of BraTS2020 on GPUs, on paper",
        "",
        "No GPU was measured. Counted: one float32 step at 80^3, batch of one. `benchmarks/estimate.py` holds the "
        "assumptions: 219 cases with the published (.2, .4, .6, .8) table, an operation takes the longest of its "
        "arithmetic at 30 % of the data sheet's peak, its bytes (half in bf16) at the memory's bandwidth, and 8 µs of "
        "launch; eight GPUs wait for the one with the most modalities and reduce gradients at 12 GB/s. Evaluation, the "
        "first preprocessing and whatever else runs on the machine are left out.",
        "",
        *_table(["backbone", "present", "GFLOP", "GB moved", "operations", "kept for backward, MiB"], counts),
        *_table(["backbone", "GPU", "precision", "ms, 4", "ms, 2", "ms, 1", "hours, 1 GPU", "hours, 8 GPUs"], times),
    ]
