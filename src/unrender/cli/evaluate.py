"""``unrender evaluate``: the numbers of predictors on a data set."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ..errors import InputError
from .device import pick_device
from .progress import Count, counting

if TYPE_CHECKING:
    from ..evaluate import EvaluateOptions, Report, TrainingMeans
    from ..learn.data.packed_views import PackedViews
    from ..learn.predictor import Predictor

MEAN_SHAPE = "mean-shape"
RETRIEVAL = "retrieval:"
MEAN_OBJECTS = 200  # training objects that give the mean light and the mean colour


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure predictors on a data set, with the protocols of the papers.

    Writes OUT: 3D IoU, F-score, Chamfer distances and normal consistency, mask IoU, PSNR and SSIM in views
    that the predictor did not see, and errors of light, for each object, each category and on average, with
    the protocol beside them.

    Attributes:
        predictors: files that 'unrender train' wrote; mean-shape, the mean of the training objects;
            retrieval:FILE, the training object whose picture looks most alike to that predictor's encoder.
        data: folder of the data set.
        out: JSON file to write.
        markdown: write tables, too.
        split: objects to measure on.
        categories: measure on these alone.
        views: views of each object that 3D IoU and light are measured from; all when not given.
        points: drawn from each surface.
        thresholds: of the F-score; an object's longest side is 1.
        seed: of the view that surface and pictures are measured from, and of the points.
        device: auto, cpu, cuda or cuda:NUMBER.
    """

    predictors: tyro.conf.Positional[tuple[str, ...]]
    data: Path
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    markdown: Path | None = None
    split: str = "val"
    categories: tuple[str, ...] = ()
    views: int | None = None
    points: int = 100_000
    thresholds: tuple[float, ...] = (0.01, 0.02, 0.05)
    seed: int = 0
    device: str = "auto"

    def run(self) -> None:
        """Read, measure, write.

        Raises:
            InputError: an option, a predictor or the data set breaks a rule.
        """
        if not self.predictors:
            raise InputError("give at least one predictor: a .safetensors file, retrieval:FILE or mean-shape")
        if self.out.suffix.lower() != ".json":
            raise InputError(f"--out must end in .json, got {self.out}")
        device = pick_device(self.device)

        from ..evaluate import EvaluateOptions, evaluate, markdown, save_json
        from ..io.files import write_file
        from ..learn.data.dataset import open_dataset
        from ..learn.registry import load_predictor

        options = EvaluateOptions(
            views=self.views, points=self.points, thresholds=self.thresholds, seed=self.seed
        )
        categories = self.categories or None
        dataset = open_dataset(self.data, self.split, categories)
        files = [p for p in self.predictors if p != MEAN_SHAPE]
        loaded: dict[str, Predictor] = {
            path: load_predictor(path.removeprefix(RETRIEVAL), device=device) for path in files
        }

        reports = []
        with counting() as count:
            for path in self.predictors:
                if path == MEAN_SHAPE or path.startswith(RETRIEVAL):
                    loaded[path] = self._built(loaded.get(path), count("training set"))
            means = self._means(count("training means"))
            for path, name in zip(self.predictors, short_names(self.predictors), strict=True):
                report = evaluate(
                    loaded[path], dataset, options, name=name, means=means, progress=count(name)
                )
                reports.append(self._noted(report))
        save_json(reports, self.out)
        written = [self.out]
        if self.markdown is not None:
            write_file(self.markdown, markdown(reports).encode())
            written.append(self.markdown)
        for report in reports:
            if report.skipped:
                sys.stderr.write(
                    f"unrender: {len(report.skipped)} objects could not be read; see {self.out}\n"
                )
                break
        for what, value in [*describe_reports(reports, options), *(("wrote", f"{p}") for p in written)]:
            sys.stdout.write(f"{what:12}  {value}\n")

    def _built(self, source: Predictor | None, count: Count) -> Predictor:
        """Retrieval by the encoder of a predictor, or the mean shape without one."""
        from ..learn.data.dataset import open_dataset
        from ..learn.data.packed_views import PackedViews
        from ..learn.methods.retrieval import MeanShape, Retrieval

        dataset = open_dataset(self.data, "train", self.categories or None)
        crop = source.config.size if source is not None and source.crops else None
        training = PackedViews.load(dataset, crop=crop, progress=count)
        if training.skipped:
            reasons = "; ".join(training.skipped)
            sys.stderr.write(f"unrender: {len(training.skipped)} training objects left out: {reasons}\n")
        return MeanShape.build(training) if source is None else Retrieval.build(source, training)

    def _means(self, count: Count) -> TrainingMeans | None:
        """Means of a sample of the training set; none, and a word about it, where there is no such set."""
        from ..evaluate import training_means
        from ..learn.data.dataset import open_dataset
        from ..learn.data.packed_views import pack

        skipped: list[str] = []

        def sample() -> Iterator[PackedViews]:
            dataset = open_dataset(self.data, "train", self.categories or None)
            chosen = range(0, len(dataset), max(1, len(dataset) // MEAN_OBJECTS))
            for done, i in enumerate(chosen, 1):
                try:
                    yield pack(dataset[i])
                except InputError as error:
                    skipped.append(str(error))
                count(done, len(chosen))

        try:
            means = training_means(sample())
        except InputError as error:
            reason = skipped[0] if skipped else error
            sys.stderr.write(f"unrender: light and colours are not compared with means: {reason}\n")
            return None
        if skipped:
            sys.stderr.write(
                f"unrender: {len(skipped)} objects left out of the training set's means, the first because "
                f"{skipped[0]}\n"
            )
        return means

    def _noted(self, report: Report) -> Report:
        notes = {"data": f"{self.data}", "split": self.split}
        if self.categories:
            notes["categories"] = ", ".join(self.categories)
        return dataclasses.replace(report, notes={**notes, **report.notes})


def short_names(paths: Sequence[str]) -> list[str]:
    """File names without suffix, or the whole paths if those are not unique."""
    names = [RETRIEVAL * path.startswith(RETRIEVAL) + Path(path).stem for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def describe_reports(reports: Sequence[Report], options: EvaluateOptions) -> list[tuple[str, str]]:
    """Rows of the table that an evaluation ends with."""
    from ..evaluate.protocol import metrics

    columns = metrics(options)
    rows = [("objects", f"{len(reports[0].objects)} in {len(reports[0].categories())} categories")]
    for report in reports:
        means = report.mean()
        found = [f"{m.label} {means[key]:.{m.digits}f}" for key, m in columns.items() if key in means]
        rows += [
            (report.name if i == 0 else "", ", ".join(found[i : i + 4])) for i in range(0, len(found), 4)
        ]
    return rows
