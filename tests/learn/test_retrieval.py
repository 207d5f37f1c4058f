"""Retrieval and mean shape, against plain loops over the objects."""

import dataclasses

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import voxel_iou
from unrender.learn.data.capture import n3mr_cameras
from unrender.learn.data.packed_views import PackedViews
from unrender.learn.methods.retrieval import MeanShape, Retrieval, RetrievalConfig, mean_solid
from unrender.learn.methods.softras import SoftRasConfig, SoftRasPredictor
from unrender.learn.methods.voxel import VoxelConfig, VoxelPredictor
from unrender.learn.registry import load_predictor, make_predictor, save_predictor


@pytest.fixture
def views() -> PackedViews:
    """Five objects of noise, of three pictures each."""
    cameras = n3mr_cameras(3, 16)
    return PackedViews(
        names=list("abcde"),
        categories=["object"] * 5,
        pictures=torch.randint(0, 256, (5, 3, 16, 16, 4), dtype=torch.uint8),
        world_to_camera=cameras.world_to_camera.expand(5, 3, 4, 4),
        intrinsics=cameras.intrinsics.expand(5, 3, 3, 3),
        voxels=torch.rand(5, 8, 8, 8) < torch.rand(5, 1, 1, 1),
        lights=[None] * 5,
    )


def source() -> VoxelPredictor:
    """An encoder with statistics, so that training and evaluation differ."""
    network = VoxelPredictor(VoxelConfig(size=16, voxels=8, width=1))
    network.encoder(torch.rand(9, 16, 16, 4))
    return network


def occupancy_of(predictor, pictures) -> torch.Tensor:
    with torch.no_grad():
        occupancy = predictor(pictures).occupancy
    assert occupancy is not None
    return occupancy


def test_finds_each_object_from_each_of_its_pictures(device, views):
    retrieval = Retrieval.build(source().to(device), views)
    pictures = (views.pictures[[3, 0, 4, 3], [0, 2, 1, 2]] / 255).to(device)
    assert retrieval.nearest(pictures).tolist() == [3, 0, 4, 3]
    expected = views.voxels[[3, 0, 4, 3]].float()  # pyright: ignore[reportOptionalSubscript]
    torch.testing.assert_close(occupancy_of(retrieval, pictures).cpu(), expected, rtol=0, atol=0)


def test_the_nearest_has_the_largest_cosine(views):
    network = source()
    retrieval = Retrieval.build(network, views)
    assert network.training  # as it was
    network.eval()
    for picture in torch.rand(6, 1, 16, 16, 4):
        with torch.no_grad():
            wanted, best = network.encoder(picture)[0], (-2.0, -1)
            for place in range(5):
                for view in range(3):
                    stored = network.encoder(views.pictures[place, view][None] / 255)[0]
                    cosine = float(wanted @ stored / (wanted.norm() * stored.norm()))
                    best = max(best, (cosine, place))
            assert retrieval.nearest(picture).tolist() == [best[1]]


def test_takes_the_encoder_of_any_method(views):
    config = SoftRasConfig(size=16, channels=(8, 16), hidden=32, features=24, subdivisions=1)
    retrieval = Retrieval.build(SoftRasPredictor(config), views)
    assert retrieval.bank.shape == (15, 24)
    pictures = views.pictures[:, 1] / 255
    assert torch.equal(occupancy_of(retrieval, pictures) > 0.5, views.voxels)


def test_survives_saving(tmp_path, views):
    pictures = torch.rand(4, 16, 16, 4)
    for predictor in (
        Retrieval.build(SoftRasPredictor(SoftRasConfig(size=16, subdivisions=1)), views),
        MeanShape.build(views),
    ):
        file = tmp_path / f"{predictor.method}.safetensors"
        save_predictor(predictor, file)
        again = load_predictor(file)
        assert type(again) is type(predictor)
        assert torch.equal(occupancy_of(again, pictures), occupancy_of(predictor, pictures))


def test_mean_solid_is_the_best_level_of_the_mean():
    voxels = torch.rand(9, 6, 6, 6) < torch.rand(9, 1, 1, 1) * torch.rand(6, 6, 6)
    mean = voxels.float().mean(0)
    best = max(float(voxel_iou(mean >= level, voxels).mean()) for level in mean[mean > 0].unique())
    solid = mean_solid(voxels)
    assert float(voxel_iou(solid, voxels).mean()) == pytest.approx(best)
    assert bool((mean[solid].min() > mean[~solid].max()).all())  # a level set


def test_mean_shape_says_the_same_of_every_picture(device, views):
    shape = MeanShape.build(views).to(device)
    occupancy = occupancy_of(shape, torch.rand(3, 16, 16, 4, device=device))
    assert views.voxels is not None
    assert torch.equal(occupancy.cpu() > 0.5, mean_solid(views.voxels).expand(3, 8, 8, 8))


@pytest.mark.parametrize("method", ["retrieval", "mean-shape"])
def test_says_that_it_is_not_trained_but_built(method, views):
    predictor = make_predictor(method)
    batch = views.batch(torch.arange(2), torch.zeros(2, 1, dtype=torch.long))
    with pytest.raises(InputError, match=r"not trained: make it with \w+\.build"):
        predictor.loss(batch, 0.0)
    with pytest.raises(InputError, match=r"empty: make .* with \w+\.build"):
        predictor(torch.rand(1, 64, 64, 4))


def test_needs_voxels_and_an_encoder(views):
    without = dataclasses.replace(views, voxels=None)
    with pytest.raises(InputError, match="each object must have voxels"):
        MeanShape.build(without)
    with pytest.raises(InputError, match="each object must have voxels"):
        Retrieval.build(source(), without)
    with pytest.raises(InputError, match="needs a predictor with an encoder, got mean-shape"):
        Retrieval.build(MeanShape.build(views), views)
    with pytest.raises(InputError, match="voxels must be even, got 7"):
        RetrievalConfig(voxels=7)
