"""Write the tables of measured numbers into README.md and docs/benchmarks.md: ``python docs/tables.py``.

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->`` and is made from the files in
benchmarks/results. Where a file is missing, ``@@FILE@@`` stands in the table's place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = tuple(
    ROOT / page
    for page in ("README.md", "docs/benchmarks.md", "docs/pose.md", "docs/learning.md", "docs/prediction.md")
)
BLOCK = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
NAMES = {"warp": "Warp", "torch": "PyTorch reference", "pytorch3d": "PyTorch3D"}

Rows = list[list[str]]


def fit_table(report: dict[str, Any]) -> str:
    """Every object of benchmarks/fit.py."""
    head = [
        "object",
        "views",
        "pixels",
        "held out",
        "mask IoU (worst)",
        "PSNR in dB (worst)",
        "faces",
        "seconds",
    ]
    rows = [
        [
            r["object"],
            f"{r['views']}",
            f"{r['size']}²",
            f"{r['held_out']}",
            f"{r['mask_iou']:.3f} ({r['mask_iou_min']:.3f})",
            f"{r['psnr']:.1f} ({r['psnr_min']:.1f})",
            f"{r['faces']}",
            f"{r['seconds']:.0f}",
        ]
        for r in report["rows"]
    ]
    machine = report["machine"]
    threads = plural(machine["threads"], "thread")
    return f"{markdown([head, *rows])}\n\nOn {machine['processor']}, {threads} of PyTorch.\n"


def field_fit_table(report: dict[str, Any]) -> str:
    """Every object of benchmarks/fit.py by every renderer, with distances to the true surface."""
    head = [
        "object",
        "views",
        "pixels",
        "by",
        "Chamfer-L1",
        "to surface [1/1000]",
        "mask IoU (worst)",
        "PSNR in dB (worst)",
        "seconds",
    ]
    rows = [
        [
            r["object"],
            f"{r['views']}",
            f"{r['size']}²",
            f"`{r['renderer']}`" + (f", effort {r['effort']:g}" if r.get("effort", 1.0) != 1.0 else ""),
            f"{r['chamfer_l1']:.4f}" if "chamfer_l1" in r else "–",
            f"{1000 * r['surface_distance']:.2f}" if "surface_distance" in r else "–",
            f"{r['mask_iou']:.3f} ({r['mask_iou_min']:.3f})",
            f"{r['psnr']:.1f} ({r['psnr_min']:.1f})",
            f"{r['seconds']:.0f}",
        ]
        for r in report["rows"]
    ]
    threads = plural(report["machine"]["threads"], "thread")
    return f"{markdown([head, *rows])}\n\n{threads} of PyTorch for each fit.\n"


def field_table(report: dict[str, Any]) -> str:
    """Rays a second on the fields of benchmarks/field.py, and the memory of a step."""
    names = {"plain": "plain (5 residual blocks)", "grid": "grids of features"}
    head = [
        "field",
        "empty space",
        "rays/s cast",
        "rays/s learned from",
        "evaluations a ray",
        "finding empty space [s]",
        "hits that differ",
    ]
    rows = [
        [
            names[r["field"]],
            "skipped" if r["skips"] else "sampled",
            f"{r['forward_rays_per_second']:,.0f}",
            f"{r['learning_rays_per_second']:,.0f}",
            f"{r['evaluations_per_ray']:.1f}",
            f"{r['refresh_seconds']:.2f}" if r["skips"] else "–",
            f"{r['other_hits']}",
        ]
        for r in report["rows"]
    ]
    settings = report["settings"]
    memory = ", ".join(f"{samples}: {mib:.0f}" for samples, mib in report["memory_mib"].items())
    return (
        f"{markdown([head, *rows])}\n\n{settings['samples']} samples a ray, the plain field "
        f"{settings['hidden']} wide; {plural(report['threads'], 'thread')}. What a step of learning takes of "
        f"memory [MiB], by samples a ray: {memory}.\n"
    )


def rasterize_table(report: dict[str, Any]) -> str:
    """Every case of benchmarks/rasterize.py, forward + backward of all passes."""
    names = [n for n in NAMES if any("skipped" not in case["results"][n] for case in report["cases"])]
    rows = [["picture", "faces", "batch", "pass", *(NAMES[n] for n in names), "peak MB", "same bits again"]]
    for case in report["cases"]:
        results = [case["results"][n] for n in names]
        memory = [f"{r['peak_mb']:.0f}" if "peak_mb" in r else "–" for r in results]
        rows.append(
            [f"{case['size']}²", f"{case['faces']}", f"{case['batch']}", case["pass"]]
            + [milliseconds(result) for result in results]
            + [", ".join(memory) if set(memory) != {"–"} else ""]
            + [", ".join({True: "yes", False: "no"}.get(r.get("gradients_repeat"), "–") for r in results)]
        )
    return f"{markdown(rows)}\n\n{where(report)}\n"


def summary_table(fitted: dict[str, Any], timed: dict[str, Any]) -> str:
    """The few numbers of the README."""
    rows = [["what", "measured"]]
    for wanted in ("airplane", "spot"):
        for r in fitted["rows"]:
            if r["object"] == wanted:
                what = f"`fit`: {wanted}, {r['views']} views of {r['size']} x {r['size']}"
                quality = f"mask IoU {r['mask_iou']:.3f}, PSNR {r['psnr']:.1f} dB"
                rows.append([what, f"{quality} on {r['held_out']} held-out views, in {r['seconds']:.0f} s"])
    names = {"dibr": "DIB-R", "softras colour": "SoftRas, colours", "nmr": "Neural 3D Mesh Renderer"}
    for case in timed["cases"]:
        if case["pass"] in names and case["batch"] == 8 and case["faces"] == 1280:
            warp, torch = (case["results"][n] for n in ("warp", "torch"))
            size = f"{case['size']} x {case['size']}"
            what = f"{names[case['pass']]}: forward + backward of {size}, {case['faces']} faces, batch 8"
            times = f"{warp['total_ms']:.1f} ms an image"
            if "skipped" not in torch:
                times += f"; the PyTorch reference takes {torch['times_warp']:.0f} times as long"
            rows.append([what, times])
    return f"{markdown(rows)}\n\n{where(timed)}\n"


def pose_table(report: dict[str, Any]) -> str:
    """Errors of benchmarks/pose.py, and the objects it fails on."""
    rows = [["experiment", "method", "mean", "median", "below 10", "runs"]]
    for group, methods in report["summary"].items():
        for method, of in methods.items():
            numbers = [f"{of['mean']:.1f}°", f"{of['median']:.1f}°", f"{of['below_10']:.0%}"]
            rows.append([group, method, *numbers, f"{of['count']}"])
    failures = [["object", "error", "modulo symmetry", "mask IoU", "why"]]
    for run in report["results"]["home"]:
        row = run["many"]["softras"]
        if "why" in row:
            angles = [f"{row[key]:.0f}°" for key in ("error", "error_modulo_symmetry")]
            failures.append([f"{run['what']} ({run['name']})", *angles, f"{row['mask_iou']:.2f}", row["why"]])
    seconds = sum(run["many"]["softras"]["seconds"] for run in report["results"]["home"])
    seconds /= max(1, len(report["results"]["home"]))
    return (
        f"{markdown(rows)}\n\nObjects that `estimate_pose` with SoftRas turns by ten degrees or more:\n\n"
        f"{markdown(failures)}\n\nIt took {seconds:.0f} s an object on one thread.\n"
    )


# name in benchmarks/learning.py: name in the table, and the mean 3D IoU on 13 classes of ShapeNet that the
# Soft Rasterizer paper (SR) and the DIB-R paper (DR; other pictures, voxels and views) give
LEARNED = {
    "mean-shape": ("mean shape", "–"),
    "retrieval": ("retrieval", "SR 0.477"),
    "voxel": ("voxels (PTN)", "SR 0.574"),
    "nmr": ("N3MR", "SR 0.602, DR 0.570"),
    "softras-silhouette": ("SoftRas, silhouettes", "SR 0.623"),
    "softras": ("SoftRas, with colours", "SR 0.646, DR 0.593"),
    "dibr": ("DIB-R", "DR 0.612"),
    "dibr-flow": ("DIB-R, texture flow", "–"),
    "dvr": ("DVR", "–"),
    "dvr-depth": ("DVR, with depth maps", "–"),
    "dvr-resnet18": ("DVR, ResNet-18", "–"),
}
LEARNED_COLUMNS = {
    "iou": ("3D IoU", 3),
    "f_score@0.02": ("F@0.02", 3),
    "chamfer_l1_x10": ("Chamfer-L1 x10", 3),
    "normal_consistency": ("normals", 3),
    "mask_iou": ("mask IoU", 3),
    "psnr": ("PSNR", 1),
    "psnr_mean_color": ("PSNR of mean colour", 1),
}


def learning_table(report: dict[str, Any]) -> str:
    """Every row of benchmarks/learning.py, and what the papers report on their data."""
    rows = [
        ["method", *(label for label, _ in LEARNED_COLUMNS.values()), "3D IoU by seed", "published, ShapeNet"]
    ]
    for row in report["rows"]:
        name, published = LEARNED[row["name"]]
        means = row["mean"]
        cells = [f"{means[k]:.{d}f}" if k in means else "–" for k, (_, d) in LEARNED_COLUMNS.items()]
        rows.append([name, *cells, ", ".join(f"{value:.3f}" for value in row["iou_by_seed"]), published])
    budget, objects = report["budget"], report["objects"]
    usual = report["views"]["dibr"]
    others = [LEARNED[name][0] for name, views in report["views"].items() if views != usual]
    most = max(report["views"].values())
    return (
        f"{markdown(rows)}\n\n{objects['train']} objects to learn from and {objects['val']} to measure on; "
        f"{budget['steps']} steps of {budget['batch_size']} objects with {usual} views each"
        + "".join(f", {LEARNED[name][0]} {share:.0%} of that" for name, share in budget["shares"].items())
        + f"; {most} views for {'; '.join(others)}.\n"
    )


def train_table(report: dict[str, Any]) -> str:
    """How validation rose in a training, and where the time of a step went."""
    rows = [["after step", "IoU of silhouettes", "3D IoU"]]
    rows += [[f"{r['step']}", f"{r['mask_iou']:.3f}", f"{r['voxel_iou']:.3f}"] for r in report["scores"]]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in report["shares"].items())
    minutes = report["seconds"] / 60
    return (
        f"{markdown(rows)}\n\n{minutes:.1f} minutes on {plural(report['cores'], 'core')}; a step takes "
        f"{report['step_seconds']:.2f} s: {shares} (render is forward alone, with losses; backward that "
        f"of both).\n"
    )


def light_table(report: dict[str, Any]) -> str:
    """Errors of predicted light in benchmarks/learning.py, beside those of the mean light."""
    labels = {
        "light_angle": "main direction [degrees]",
        "irradiance_error": "irradiance",
        "irradiance_shape_error": "irradiance up to brightness",
    }
    rows = [["error of", "DIB-R", "mean light of the training set"]]
    means = next(row["mean"] for row in report["rows"] if row["name"] == "dibr")
    for key, label in labels.items():
        rows.append([label, f"{means[key]:.3g}", f"{means[f'{key}_of_mean']:.3g}"])
    return f"{markdown(rows)}\n"


def predict_table(dibr: dict[str, Any], dvr: dict[str, Any]) -> str:
    """Every part of benchmarks/predict.py, for both predictors."""
    rows = [["part", "DIB-R, median [ms]", "slowest", "DVR, median [ms]", "slowest"]]
    for name in dibr["milliseconds"]:
        both = [report["milliseconds"][name] for report in (dibr, dvr)]
        rows.append([name, *(f"{of[key]:.0f}" for of in both for key in ("median", "slowest"))])
    _, height, width, _ = dibr["picture"]
    return f"{markdown(rows)}\n\nA picture of {width} x {height}, {plural(dibr['threads'], 'thread')}.\n"


OF_LIGHT = {
    "psnr_true_light",
    "psnr_both_true_light",
    "light_angle",
    "irradiance_error",
    "irradiance_shape_error",
}


def card_table(report: dict[str, Any]) -> str:
    """Numbers of a predictor in the package."""
    rows = [["on split val", "predictor", "mean of the training set", "better is"]]
    labels = {
        "iou": ("3D IoU", 3, "higher"),
        "f_score@0.02": ("F@0.02", 3, "higher"),
        "chamfer_l1_x10": ("Chamfer-L1 x10", 3, "lower"),
        "mask_iou": ("mask IoU, unseen views", 3, "higher"),
        "psnr": ("PSNR inside the mask, unseen views [dB]", 1, "higher"),
        "psnr_true_light": ("the same, under the light of each view", 1, "higher"),
        "psnr_mean_color": ("the same, painted with the input's mean colour", 1, "higher"),
        "psnr_best_color": ("the same, in the best single colour of each object", 1, "higher"),
        "psnr_true_colors": ("the same, in the true colours: the rest is shape", 1, "higher"),
        "psnr_both": ("PSNR of the pixels that prediction and truth both cover [dB]", 1, "higher"),
        "psnr_both_true_light": ("the same, under the light of each view", 1, "higher"),
        "psnr_both_mean_color": ("the same, painted with the input's mean colour", 1, "higher"),
        "psnr_both_best_color": ("the same, in the best single colour of each object", 1, "higher"),
        "light_angle": ("main direction of light [degrees]", 1, "lower"),
        "irradiance_error": ("irradiance, relative", 3, "lower"),
        "irradiance_shape_error": ("irradiance up to brightness", 3, "lower"),
    }
    means, floor = report["mean"], report["mean_shape"]
    constants = {key: floor[key] for key in ("iou", "f_score@0.02", "chamfer_l1_x10", "mask_iou")}
    constants |= {key: means[f"{key}_training_color"] for key in ("psnr", "psnr_both")}
    for key, (label, digits, better) in labels.items():
        if key in OF_LIGHT and "light_angle" not in means:
            continue
        other = means.get(f"{key}_of_mean", constants.get(key.removesuffix("_true_light")))
        rows.append(
            [label, f"{means[key]:.{digits}f}", "–" if other is None else f"{other:.{digits}f}", better]
        )
    settings, data = report["settings"], report["data"]
    return (
        f"{markdown(rows)}\n\n{data['home, val']} objects that it has not learned from. It was trained with "
        f"{data['home, train']} real ones and `{data['generated']}`, for {settings['steps']} steps of "
        f"{settings['batch_size']} objects with {settings['views']} pictures each.\n"
    )


def creators_text(report: dict[str, Any]) -> str:
    """Who made the objects that the predictors in the package have learned from."""
    return "; ".join(f"{name} ({licenses})" for name, licenses in report["creators"].items()) + ".\n"


def photos_table(report: list[dict[str, Any]]) -> str:
    """What ``unrender predict`` reached on the photos, with and without refinement."""
    rows = [["photo", "its mask", "mask IoU", "after refinement", "seconds"]]
    for photo in report:
        seconds = f"{photo['seconds']:.0f}"
        ious = [f"{photo[key]:.2f}" for key in ("mask_iou", "mask_iou_refined")]
        rows.append([photo["name"], photo["mask"], *ious, seconds])
    return f"{markdown(rows)}\n"


def milliseconds(result: dict[str, Any]) -> str:
    """Forward + backward = total, and how many times that of Warp."""
    if "skipped" in result:
        return result["skipped"]
    split = f"{result['forward_ms']:.2f} + {result['backward_ms']:.2f} = {result['total_ms']:.2f}"
    return split if result["times_warp"] == 1 else f"{split} ({result['times_warp']:.1f}x)"


def where(report: dict[str, Any]) -> str:
    """The machine of a run of benchmarks/rasterize.py."""
    machine = report["machine"]
    device = "" if machine["device"] == "cpu" else f"{machine['device']}, "
    threads = plural(machine["threads"], "thread")
    return (
        f"{device}{machine['cpu']}, {plural(machine['cores'], 'core')}, {threads}, "
        f"PyTorch {machine['torch']}, Warp {machine['warp']}, {machine['date'][:10]}."
    )


def plural(count: int, word: str) -> str:
    """``1 core``, ``2 cores``."""
    return f"{count} {word}{'s' * (count != 1)}"


def markdown(rows: Rows) -> str:
    """A table whose first row is its head."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "summary": (summary_table, ("fit-cpu.json", "rasterize-cpu.json")),
    "fit": (fit_table, ("fit-cpu.json",)),
    "pose": (pose_table, ("pose-cpu.json",)),
    "learning": (learning_table, ("learning-cpu.json",)),
    "light": (light_table, ("learning-cpu.json",)),
    "photos-dibr": (photos_table, ("photos-dibr-cpu.json",)),
    "photos-dvr": (photos_table, ("photos-dvr-cpu.json",)),
    "predict": (predict_table, ("predict-dibr-cpu.json", "predict-dvr-cpu.json")),
    "train": (train_table, ("train-cpu.json",)),
    "dvr-curve": (train_table, ("dvr-curve-cpu.json",)),
    "field-fit": (field_fit_table, ("field-fit-cpu.json",)),
    "field": (field_table, ("field-cpu.json",)),
    "card-dibr": (card_table, ("default-predictor-dibr.json",)),
    "card-dvr": (card_table, ("default-predictor-dvr.json",)),
    "creators": (creators_text, ("default-predictor-dibr.json",)),
    "rasterize": (rasterize_table, ("rasterize-cpu.json",)),
    "rasterize-cuda": (rasterize_table, ("rasterize-cuda.json",)),
}


def fill(page: str, results: Path = RESULTS) -> str:
    """A page with its tables made anew."""

    def table(match: re.Match[str]) -> str:
        make, names = TABLES[match[2]]
        missing = [name for name in names if not (results / name).is_file()]
        if missing:
            text = "".join(f"@@{name}@@\n" for name in missing)
        else:
            text = make(*(json.loads((results / name).read_text()) for name in names))
        return match[1] + text + match[3]

    return BLOCK.sub(table, page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(fill(path.read_text()))
