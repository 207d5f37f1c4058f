import dataclasses

import numpy as np
import pytest
import torch
from toy_training import Toy, ToyConfig

from unrender.geometry import Mesh, cube, icosphere
from unrender.learn.data import CaptureOptions, LightRecord, capture
from unrender.learn.data.capture import to_unit_cube
from unrender.learn.data.packed_views import PackedViews
from unrender.learn.prediction import Prediction
from unrender.learn.training.pictures import TURN, draw_prediction, progress_sheet
from unrender.learn.training.sources import ChosenObjects
from unrender.learn.training.validation import (
    Scores,
    scores_of,
    silhouettes,
    solid,
    validation_choice,
    validation_sums,
)
from unrender.render import render

CPU = torch.device("cpu")
OPTIONS = CaptureOptions(size=32, views=6, light="none", points=5, samples=1, voxels=32)


class Objects:
    """Objects in memory as a data set."""

    def __init__(self, objects):
        self.objects = list(objects)
        self.names = [one.name for one in self.objects]
        self.categories = [one.category for one in self.objects]

    def __len__(self):
        return len(self.objects)

    def __getitem__(self, index):
        return self.objects[index]


@pytest.fixture(scope="module")
def meshes():
    shapes = [icosphere(2), cube(size=1.0), icosphere(2)]
    sides = torch.tensor([[1.0, 0.6, 0.4], [0.5, 1.0, 0.8], [0.3, 0.3, 1.0]])
    return [
        to_unit_cube(Mesh(one.vertices * side, one.faces)) for one, side in zip(shapes, sides, strict=True)
    ]


@pytest.fixture(scope="module")
def packed(meshes):
    return PackedViews.load(Objects(capture(mesh, f"{i}", "x", OPTIONS) for i, mesh in enumerate(meshes)))


class Oracle(Toy):
    """Knows the answers, which it gives in the order of the questions, one at a time."""

    def __init__(self, answers):
        super().__init__(ToyConfig())
        self.answers = iter(answers)

    def forward(self, pictures):
        return next(self.answers)


def one_at_a_time(monkeypatch):
    monkeypatch.setattr("unrender.learn.training.validation.AT_ONCE", 1)


def batched(mesh):
    return Prediction(mesh.replace(vertices=mesh.vertices[None]))


def test_the_truth_scores_one(meshes, packed, monkeypatch):
    one_at_a_time(monkeypatch)
    sums = validation_sums(Oracle(map(batched, meshes)), packed, device=CPU)
    assert scores_of(sums, packed) == Scores(1.0, 1.0)


def test_true_solids_score_one_and_nearly_cover_the_masks(packed, monkeypatch):
    one_at_a_time(monkeypatch)
    answers = (Prediction(occupancy=voxels.float()[None]) for voxels in packed.voxels)
    scores = scores_of(validation_sums(Oracle(answers), packed, device=CPU), packed)
    assert scores.voxel_iou == 1
    assert 0.75 < scores.mask_iou < 1  # cells reach up to one cell beyond the surface


def test_mask_iou_is_the_mean_over_unseen_views(meshes, packed, monkeypatch):
    one_at_a_time(monkeypatch)
    small = [mesh.replace(vertices=0.7 * mesh.vertices) for mesh in meshes]
    scores = scores_of(validation_sums(Oracle(map(batched, small)), packed, device=CPU), packed)
    expected = []
    for i, mesh in enumerate(small):
        for view in validation_choice(3, 6)[i, 1:].tolist():
            camera = packed.batch(torch.tensor([i]), torch.tensor([[view]])).cameras[0, 0]
            drawn = render(mesh, camera).mask.numpy()
            target = packed.pictures[i, view, ..., 3].numpy() > 127
            expected.append(np.logical_and(drawn, target).sum() / np.logical_or(drawn, target).sum())
    assert scores.mask_iou == pytest.approx(np.mean(expected), rel=1e-6)
    assert scores.voxel_iou is not None
    assert scores.voxel_iou < 0.7


def test_the_view_that_is_predicted_from_is_not_compared(packed):
    choice = validation_choice(50, 6)
    assert choice.shape == (50, 5)
    assert all(len(set(row)) == 5 for row in choice.tolist())
    assert len(set(choice[:, 0].tolist())) == 6
    assert torch.equal(choice, validation_choice(50, 6))


def test_processes_share_the_objects(packed):
    toy = Toy(ToyConfig()).train()
    whole = validation_sums(toy, packed, device=CPU)
    parts = [validation_sums(toy, packed, device=CPU, rank=rank, processes=2) for rank in range(2)]
    torch.testing.assert_close(whole, parts[0] + parts[1])
    assert [int(part[2]) for part in parts] == [2, 1]
    assert toy.training


def test_data_without_solids(packed):
    flat = dataclasses.replace(packed, voxels=None)
    scores = scores_of(validation_sums(Toy(ToyConfig()), flat, device=CPU), flat)
    assert scores.voxel_iou is None
    assert scores.best_by == scores.mask_iou
    assert Scores(0.9, 0.3).best_by == 0.9  # pictures alone decide


def test_solids_are_what_is_likelier_than_not():
    occupancy = torch.tensor([0.4, 0.6]).repeat(4).view(1, 2, 2, 2)
    assert torch.equal(solid(Prediction(occupancy=occupancy), 2), occupancy > 0.5)


def test_silhouettes_of_a_full_cube():
    """S cells of the protocol's grid span S / (S - 1), and the cube fills all of them."""
    batch = PackedViews.load(Objects([capture(cube(size=1.0), "a", "a", OPTIONS)]))
    cameras = batch.batch(torch.tensor([0]), torch.tensor([[0, 1]])).cameras
    full = Prediction(occupancy=torch.ones(1, 16, 16, 16))
    same = Prediction(Mesh(cube(size=16 / 15).vertices[None], cube().faces))
    a, b = silhouettes(full, cameras), silhouettes(same, cameras)
    assert a.shape == (1, 2, 32, 32)
    assert float((a != b).float().mean()) < 0.035  # a cube of side 1 would differ by 0.06


def test_sheet_shows_input_target_render_and_turn(packed):
    toy = Toy(ToyConfig()).train()
    sheet = progress_sheet(toy, packed, device=CPU, objects=2)
    cell = 32 + 4  # and the padding
    assert sheet.shape == (2 * cell + 4, (3 + TURN) * cell + 4, 3)
    picture = packed.pictures[1, 0].float() / 255
    shown = sheet[4 + cell : 4 + cell + 32, 4 : 4 + 32]
    torch.testing.assert_close(shown, picture[..., :3] + 1 - picture[..., 3:])
    assert toy.training
    few = progress_sheet(toy, packed, device=CPU, objects=9)
    assert few.shape[0] == 3 * cell + 4


def test_predicted_light_is_drawn():
    ball = icosphere(3, radius=0.4)
    mesh = Mesh(ball.vertices[None], ball.faces, vertex_colors=torch.ones(1, ball.num_vertices, 3))
    half = torch.full((1,), 0.5)
    light = LightRecord("lambert", torch.tensor([[0.0, 1.0, 0.0]]), half, half)
    batch = PackedViews.load(Objects([capture(ball, "a", "a", OPTIONS)]))
    cameras = batch.batch(torch.tensor([0]), torch.tensor([[0, 3]])).cameras
    lit = draw_prediction(Prediction(mesh, light), cameras)
    unlit = draw_prediction(Prediction(mesh), cameras)
    assert lit.shape == (1, 2, 32, 32, 3)
    torch.testing.assert_close(unlit, torch.ones_like(unlit))  # white on white
    low, high = lit[0, :, 22, 16, 0], lit[0, :, 9, 16, 0]
    assert bool((low < 0.6).all())
    assert bool((high > 0.85).all())


def test_chosen_objects_are_those_of_the_sets(meshes):
    first = Objects([capture(meshes[0], "a", "x", OPTIONS)])
    second = Objects([capture(meshes[1], "b", "y", OPTIONS), capture(meshes[2], "c", "y", OPTIONS)])
    every = ChosenObjects.all_of([first, second])
    assert (every.names, every.categories, len(every)) == (["a", "b", "c"], ["x", "y", "y"], 3)
    some = ChosenObjects([every.items[2], every.items[0]])
    assert [some[i].name for i in range(2)] == ["c", "a"]
