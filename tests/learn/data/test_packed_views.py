"""Pictures in memory: what is kept, what is left out, and augmentation checked by rendering."""

import dataclasses

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, point_to_mesh_distance
from unrender.learn.data.augment import AugmentOptions, augment
from unrender.learn.data.capture import CaptureOptions, capture, to_unit_cube
from unrender.learn.data.packed_views import PackedViews, pack
from unrender.render import render
from unrender.render.rays import pixel_rays

OPTIONS = CaptureOptions(size=32, views=3, points=10, voxels=8, light="none")


def lopsided() -> Mesh:
    """A shape without mirror symmetry: two boxes."""
    a, b = cube(), cube()
    vertices = torch.cat(
        [a.vertices * torch.tensor([0.2, 1.0, 0.2]), b.vertices * 0.3 + torch.tensor([0.35, 0.1, 0.2])]
    )
    colors = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.3, 0.8]]).repeat_interleave(8, 0)
    return Mesh(vertices, torch.cat([a.faces, b.faces + 8]), vertex_colors=colors)


class Shelf:
    """A data set in which some objects are broken."""

    def __init__(self, items):
        self.items = items
        self.names = [f"item {i}" for i in range(len(items))]
        self.categories = ["box"] * len(items)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        if isinstance(self.items[index], str):
            raise InputError(self.items[index])
        return self.items[index]


def test_broken_objects_are_named_and_left_out():
    item = capture(lopsided(), "a", "box", OPTIONS)
    calls = []
    packed = PackedViews.load(
        Shelf([item, "b.png is broken", item]), progress=lambda i, n: calls.append((i, n))
    )
    assert len(packed) == 2
    assert packed.skipped == ["b.png is broken"]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(InputError, match="no object of the data set can be read: gone"):
        PackedViews.load(Shelf(["gone"]))


def test_different_sizes_are_refused():
    a = capture(lopsided(), "a", "box", OPTIONS)
    b = capture(lopsided(), "b", "box", dataclasses.replace(OPTIONS, size=16))
    with pytest.raises(InputError, match="one number and size"):
        PackedViews.load(Shelf([a, b]))


def test_batches_hold_premultiplied_colors_and_cameras():
    item = capture(lopsided(), "a", "box", OPTIONS)
    batch = pack(item).batch(torch.tensor([0]), torch.tensor([[2, 0]]))
    for k, view in enumerate((2, 0)):
        straight = item.pictures[view].float() / 255
        expected = torch.cat([straight[..., :3] * straight[..., 3:], straight[..., 3:]], -1)
        assert torch.allclose(batch.pictures[0, k], expected, atol=0.6 / 255)
        assert item.cameras is not None
        assert torch.equal(batch.cameras[0, k].world_to_camera, item.cameras.world_to_camera[view])


def mask_of(mesh, camera):
    return render(mesh, camera).mask.float()


def test_some_objects_of_a_set():
    items = [
        capture(lopsided(), f"object {i}", "box", dataclasses.replace(OPTIONS, seed=i)) for i in range(3)
    ]
    views = PackedViews.load(Shelf(items))
    some = views[[2, 0]]
    assert some.names == [views.names[2], views.names[0]]
    places, every = torch.tensor([0, 1]), torch.arange(3).expand(2, 3)
    found, wanted = some.batch(places, every), views.batch(torch.tensor([2, 0]), every)
    assert torch.equal(found.pictures, wanted.pictures)
    assert torch.equal(found.cameras.world_to_camera, wanted.cameras.world_to_camera)
    assert some.voxels is not None
    assert views.voxels is not None
    assert torch.equal(some.voxels, views.voxels[[2, 0]])


def test_flipped_batches_show_the_mirrored_object():
    mesh = to_unit_cube(lopsided())
    batch = pack(capture(mesh, "a", "box", OPTIONS)).batch(
        torch.tensor([0, 0, 0, 0]), torch.tensor([[0, 1]] * 4)
    )
    changed = augment(batch, AugmentOptions(flip=True), torch.Generator().manual_seed(1))
    same = torch.tensor([torch.equal(a, b) for a, b in zip(changed.pictures, batch.pictures, strict=True)])
    assert same.any()
    assert not same.all()
    mirrored = Mesh(mesh.vertices * torch.tensor([-1.0, 1.0, 1.0]), mesh.faces.flip(-1))
    for i in range(4):
        shown = mesh if same[i] else mirrored
        for k in range(2):
            mask = mask_of(shown, changed.cameras[i, k])
            assert (mask - changed.pictures[i, k, ..., 3]).abs().mean() < 0.02
            assert torch.linalg.det(changed.cameras[i, k].world_to_camera[:3, :3]).item() == pytest.approx(
                1, abs=1e-5
            )


@pytest.mark.parametrize("change", [{"flip": True}, {"flip": False, "scale": 0.3}], ids=["flip", "scale"])
def test_depth_changes_with_its_picture(change):
    """Points that the changed depth shows lie on the object, or on its mirror image."""
    mesh = to_unit_cube(lopsided())
    packed = pack(capture(mesh, "a", "box", OPTIONS), depth=True)
    batch = packed.batch(torch.tensor([0] * 6), torch.tensor([[0, 1]] * 6))
    changed = augment(batch, AugmentOptions(**change), torch.Generator().manual_seed(1))
    assert changed.depth is not None
    assert changed.mirrored is None or 0 < int(changed.mirrored.sum()) < 6
    rays = pixel_rays(changed.cameras)
    points = rays.at(changed.depth)
    for i in range(6):
        side = -1.0 if changed.mirrored is not None and changed.mirrored[i] else 1.0
        seen = points[i][changed.depth[i] > 0] * torch.tensor([side, 1.0, 1.0])
        assert len(seen) > 50
        distance = point_to_mesh_distance(seen, mesh.vertices, mesh.faces).squared_distances.sqrt()
        assert float(distance.quantile(0.9)) < 0.03  # float16, and half a pixel of shift


def test_depth_is_there_when_asked_for():
    item = capture(to_unit_cube(lopsided()), "a", "box", OPTIONS)
    assert item.depth is not None
    packed = pack(item, depth=True)
    both = PackedViews.join([packed, packed])
    assert packed.depth is not None
    assert both.depth is not None
    torch.testing.assert_close(packed.depth[0].float(), item.depth, rtol=1e-3, atol=1e-3)
    assert both[[1]].depth is not None
    assert pack(item).depth is None
    assert pack(item).batch(torch.tensor([0]), torch.tensor([[0]])).depth is None
    with pytest.raises(InputError, match="a has no depth, which depth_weight asks for"):
        pack(dataclasses.replace(item, depth=None), depth=True)
    with pytest.raises(InputError, match="depth is not cut round objects"):
        pack(item, depth=True, crop=16)


def test_colors_stay_below_alpha_and_agree_between_views():
    batch = pack(capture(lopsided(), "a", "box", OPTIONS)).batch(
        torch.tensor([0, 0]), torch.tensor([[0, 1]] * 2)
    )
    changed = augment(batch, AugmentOptions(flip=False, color=0.3), torch.Generator().manual_seed(0))
    colors, alpha = changed.pictures[..., :3], changed.pictures[..., 3:]
    assert torch.equal(alpha, batch.pictures[..., 3:])
    assert bool((colors <= alpha).all())
    assert not torch.allclose(colors[0], colors[1])
    again = augment(batch, AugmentOptions(flip=False, color=0.3), torch.Generator().manual_seed(0))
    assert torch.equal(again.pictures, changed.pictures)
    with pytest.raises(InputError, match="color"):
        AugmentOptions(color=1.0)


def test_scaled_objects_are_what_the_scaled_cameras_see():
    mesh = to_unit_cube(lopsided())
    batch = pack(capture(mesh, "a", "box", OPTIONS)).batch(torch.tensor([0] * 4), torch.tensor([[0, 1]] * 4))
    changed = augment(batch, AugmentOptions(flip=False, scale=0.3), torch.Generator().manual_seed(2))
    shares = changed.pictures[..., 3].mean((1, 2, 3)) / batch.pictures[..., 3].mean((1, 2, 3))
    assert float(shares.min()) < 0.8
    assert float(shares.max()) > 1.2
    for i in range(4):
        zoom = float(changed.cameras.intrinsics[i, 0, 0, 0] / batch.cameras.intrinsics[i, 0, 0, 0])
        assert float(shares[i]) == pytest.approx(zoom**2, rel=0.05)
        for k in range(2):
            drawn = mask_of(mesh, changed.cameras[i, k]) > 0
            assert (drawn != (changed.pictures[i, k, ..., 3] > 0.5)).float().mean() < 0.02
    with pytest.raises(InputError, match="scale"):
        AugmentOptions(scale=-0.1)


def test_crops_fill_the_picture_and_keep_the_geometry():
    mesh = to_unit_cube(lopsided())
    packed = pack(capture(mesh, "a", "box", OPTIONS), crop=24)
    batch = packed.batch(torch.tensor([0]), torch.tensor([[0, 1, 2]]))
    for k in range(3):
        alpha = batch.pictures[0, k, ..., 3]
        rows, columns = (alpha > 0.5).any(-1).sum(), (alpha > 0.5).any(-2).sum()
        assert abs(max(int(rows), int(columns)) - 20) <= 1
        drawn, shown = mask_of(mesh, batch.cameras[0, k]) > 0, alpha > 0.5
        assert (drawn & shown).sum() > 0.85 * (drawn | shown).sum()


def test_kinds_of_cameras_and_voxels():
    item = capture(lopsided(), "a", "box", OPTIONS)
    assert item.cameras is not None
    flat = dataclasses.replace(item, cameras=item.cameras.replace(orthographic=True))
    batch = pack(flat).batch(torch.tensor([0]), torch.tensor([[0, 1]]))
    assert batch.cameras.orthographic
    assert not pack(item).batch(torch.tensor([0]), torch.tensor([[0, 1]])).cameras.orthographic
    with pytest.raises(InputError, match="perspective cameras, or all orthographic"):
        PackedViews.load(Shelf([item, flat]))
    with pytest.warns(UserWarning, match="1 objects have no voxels"):
        packed = PackedViews.load(Shelf([item, dataclasses.replace(item, voxels=None)]))
    assert packed.voxels is None
    other = dataclasses.replace(item, voxels=torch.zeros(4, 4, 4, dtype=torch.bool))
    with pytest.raises(InputError, match="voxels of one number a side, got"):
        PackedViews.load(Shelf([item, other]))


def test_objects_that_cannot_be_cut_out_are_named():
    item = capture(lopsided(), "a", "box", OPTIONS)
    pictures = item.pictures.clone()
    pictures[1] = 0
    empty = dataclasses.replace(item, name="thin", pictures=pictures)
    packed = PackedViews.load(Shelf([item, empty]), crop=24)
    assert packed.names == ["a"]
    assert packed.pictures.shape[-2] == 24
    assert len(packed.skipped) == 1
    assert "thin: a picture must show an object" in packed.skipped[0]
    assert len(PackedViews.load(Shelf([item, empty]))) == 2


def test_a_batch_of_no_objects():
    packed = pack(
        capture(lopsided(), "thing", "things", CaptureOptions(size=16, views=2, points=10, voxels=8))
    )
    empty = packed.batch(torch.zeros(0, dtype=torch.long), torch.zeros(0, 2, dtype=torch.long))
    assert empty.pictures.shape == (0, 2, 16, 16, 4)
    assert empty.lights is None
