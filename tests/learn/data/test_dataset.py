"""Opening a data set by what its folder holds."""

import pytest
import torch
import trimesh

from unrender.errors import InputError
from unrender.learn.data import CaptureOptions, ObjectViews
from unrender.learn.data.dataset import ObjectDataset, OfCategories, open_dataset
from unrender.learn.data.rendering import render_dataset
from unrender.learn.data.sources import find_meshes


class Three:
    def __init__(self):
        self.names = ["a", "b", "c"]
        self.categories = ["x", "y", "x"]

    def __len__(self):
        return 3

    def __getitem__(self, index):
        pictures = torch.zeros(1, 2, 2, 4, dtype=torch.uint8)
        return ObjectViews(self.names[index], self.categories[index], pictures)


def test_objects_of_some_categories():
    whole: ObjectDataset = Three()
    some = OfCategories(whole, ["x"])
    assert (some.names, some.categories, len(some)) == (["a", "c"], ["x", "x"], 2)
    assert [item.name for item in some] == ["a", "c"]
    assert OfCategories(whole, ["y", "x"]).names == ["a", "b", "c"]
    with pytest.raises(InputError, match=r"\['x', 'y'\], got 'z'"):
        OfCategories(whole, ["x", "z"])


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        open_dataset(tmp_path / "gone")
    (tmp_path / "notes.txt").write_text("nothing here")
    (tmp_path / "sub").mkdir()
    with pytest.raises(InputError, match="is not a data set: expected shards") as caught:
        open_dataset(tmp_path)
    for hint in ("_images.npz", "cachedir/cub", "cachedir/p3d", "ShapeNetRendering", "softras_", "pictures"):
        assert hint in str(caught.value)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The same meshes in the three formats of ``unrender data render``."""
    root = tmp_path_factory.mktemp("rendered")
    for category, extents in (("flat", (1, 0.2, 0.6)), ("tall", (0.3, 1, 0.5)), ("long", (0.2, 0.3, 1))):
        (root / "meshes" / category).mkdir(parents=True)
        trimesh.creation.box(extents).export(root / "meshes" / category / f"a_{category}_box.obj")
    options = CaptureOptions(size=16, samples=1, points=50, light="none")
    for form in ("tree", "npz", "shards"):
        render_dataset(find_meshes([root / "meshes"]), root / form, options, format=form)
    return root


def test_what_is_rendered_is_read_in_every_format(rendered):
    tree, npz, shards = (open_dataset(rendered / form) for form in ("tree", "npz", "shards"))
    for other in (npz, shards):
        assert sorted(zip(tree.categories, tree.names, strict=True)) == sorted(
            zip(other.categories, other.names, strict=True)
        )
    for i, name in enumerate(tree.names):
        first = tree[i]
        for other in (npz[npz.names.index(name)], shards[shards.names.index(name)]):
            assert (first.name, first.category) == (other.name, other.category)
            assert torch.equal(first.pictures[..., 3], other.pictures[..., 3])
            opaque = first.pictures[..., 3] == 255
            assert torch.equal(first.pictures[opaque], other.pictures[opaque])
            assert first.voxels is not None
            assert other.voxels is not None
            assert torch.equal(first.voxels, other.voxels)
            ours, theirs = first.cameras, other.cameras
            assert ours is not None
            assert theirs is not None
            assert torch.allclose(ours.world_to_camera, theirs.world_to_camera, atol=1e-5)
            assert torch.allclose(ours.intrinsics, theirs.intrinsics, atol=1e-3)


@pytest.mark.parametrize("form", ["tree", "npz", "shards"])
def test_categories_in_every_format(rendered, form):
    (item,) = open_dataset(rendered / form, "train", ["tall"])
    assert item.category == "tall"
    assert item.voxels is not None
    filled = item.voxels.nonzero()
    assert (filled.amax(0) - filled.amin(0)).argmax() == 1
