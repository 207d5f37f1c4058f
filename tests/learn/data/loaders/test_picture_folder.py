"""Plain folders of pictures and of view sets."""

import numpy as np
import pytest
import torch
from PIL import Image

from unrender.errors import InputError
from unrender.io import Views, save_views
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.loaders.picture_folder import PictureFolder
from unrender.learn.data.tree_writer import write_object
from unrender.render import Camera, render


def save(file, pixels):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


@pytest.fixture
def pixels():
    rgba = np.random.default_rng(0).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    rgba[:2, :, 3] = 0
    return rgba


def expected(rgba):
    return torch.from_numpy(rgba * (rgba[..., 3:] > 0))[None]


def test_masks_beside_in_a_folder_or_as_alpha(tmp_path, pixels):
    rgb, alpha = pixels[..., :3], pixels[..., 3]
    save(tmp_path / "alpha.png", pixels)
    save(tmp_path / "beside.png", rgb)
    save(tmp_path / "beside.mask.png", alpha)
    save(tmp_path / "folder.bmp", rgb)
    save(tmp_path / "mask" / "folder.png", alpha)
    save(tmp_path / "both.png", np.dstack([rgb, 255 - alpha]))  # the file goes before alpha
    save(tmp_path / "both.mask.png", alpha)
    save(tmp_path / "labels.png", rgb)
    save(tmp_path / "labels.mask.png", (alpha > 0).astype(np.uint8))
    objects = open_dataset(tmp_path)
    assert objects.names == ["alpha", "beside", "both", "folder", "labels"]
    assert objects.categories == ["object"] * 5
    for item in objects:
        assert item.cameras is None
        truth = pixels.copy()
        if item.name == "labels":
            truth[..., 3] = np.where(alpha > 0, 255, 0)
        assert torch.equal(item.pictures, expected(truth)), item.name


def test_a_picture_without_a_mask_is_named(tmp_path, pixels):
    save(tmp_path / "bare.png", pixels[..., :3])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    save(tmp_path / "other_size.png", pixels[..., :3])
    save(tmp_path / "other_size.mask.png", pixels[:3, :, 3])
    objects = PictureFolder(tmp_path)
    for i, name in enumerate((r"bare\.png has no alpha", r"broken\.png", r"other_size\.mask\.png")):
        with pytest.raises(InputError, match=name):
            objects[i]


def test_categories_and_view_sets(tmp_path, pixels, captured):
    save(tmp_path / "one.png", pixels)
    save(tmp_path / "car" / "two.png", pixels)
    save(tmp_path / "car" / "mask" / "two.png", pixels[..., 3])
    write_object(captured, tmp_path / "car" / "seen")
    write_object(captured, tmp_path / "around")
    objects = open_dataset(tmp_path)
    assert list(zip(objects.categories, objects.names, strict=True)) == [
        ("object", "around"),
        ("object", "one"),
        ("car", "seen"),
        ("car", "two"),
    ]
    assert open_dataset(tmp_path, "train", ["car"]).names == ["seen", "two"]
    alone = open_dataset(tmp_path / "around")
    assert (alone.names, alone.categories) == (["around"], ["object"])
    assert torch.equal(alone[0].pictures, objects[0].pictures)


def test_cameras_of_n3mr_stay(tmp_path, captured, loader_tools):
    write_object(captured, tmp_path)
    (views,) = open_dataset(tmp_path)
    loader_tools.same_pictures(views.pictures, captured.pictures)
    assert loader_tools.camera_distance(views.cameras, captured.cameras) < 1e-2
    loader_tools.fit(views, captured.voxels)


def test_worlds_of_any_place_and_scale_become_the_unit_cube(tmp_path, chiral, captured, loader_tools):
    place, scale = torch.tensor([3.0, -2.0, 5.0]), 40.0
    angles = torch.arange(12) * 30.0
    cameras = Camera.orbit(
        2.732 * scale, 20 + angles / 12, angles, target=place, fov_y=30, width=64, height=64
    )
    picture = render(chiral.replace(vertices=chiral.vertices * scale + place), cameras)
    names = [f"{i:02d}" for i in range(12)]
    save_views(Views(picture.rgb, picture.mask.float(), cameras, names), tmp_path / "thing" / "scan")
    (views,) = open_dataset(tmp_path)
    assert (views.name, views.category) == ("scan", "thing")
    ours = Camera.orbit(2.732, 20 + angles / 12, angles, fov_y=30, width=64, height=64)
    assert loader_tools.camera_distance(loader_tools.known(views.cameras), ours) < 1e-2
    loader_tools.fit(views, captured.voxels)


def test_lists_say_what_is_in_a_split(tmp_path, pixels):
    for name in ("a.png", "car/b.png", "car/c.png"):
        save(tmp_path / name, pixels)
    with pytest.raises(InputError, match="without lists, all of it is the split train"):
        open_dataset(tmp_path, "val")
    (tmp_path / "train.lst").write_text("a\ncar/c\n")
    (tmp_path / "val.lst").write_text("car/b\ncar/gone\n")
    train, val = open_dataset(tmp_path), open_dataset(tmp_path, "val")
    assert (train.names, train.categories) == (["a", "c"], ["object", "car"])
    assert (val.names, val.categories) == (["b", "gone"], ["car", "car"])
    assert torch.equal(val[0].pictures, expected(pixels))
    with pytest.raises(InputError, match=r"car.gone does not exist"):
        val[1]
    with pytest.raises(InputError, match=r"has no test\.lst; it has train, val"):
        open_dataset(tmp_path, "test")
