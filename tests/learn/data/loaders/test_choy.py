"""Renderings and voxels of 3D-R2N2, made here by the steps of its Blender script."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from unrender.errors import InputError
from unrender.geometry import winding_number
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.loaders.binvox import read_binvox
from unrender.learn.data.loaders.choy import ChoyRenderings
from unrender.render import render
from unrender.render.conventions import from_opengl

SIZE = 137
SIDE, MIDDLE = 0.6, torch.tensor([0.05, -0.02, 0.03])  # of the mesh in ShapeNet's frame
TURNS = ((10, 0), (75, 0), (200, 20), (290, -35))  # azimuth, in-plane rotation
METADATA = [(azimuth, 25 + azimuth / 60, roll, 0.7 + azimuth / 1500, 25) for azimuth, roll in TURNS]


def to_shapenet(points):
    """Our +Z, the front, is ShapeNet's +X; up stays."""
    x, y, z = points.unbind(-1)
    return torch.stack([z, y, -x], -1) * SIDE + MIDDLE


def blender_camera(azimuth, elevation, roll, distance, _):
    """The pose that ``blender_renderer.py`` gives its camera, in Blender's world, to OpenGL's axes."""
    parent = Rotation.from_euler("xyz", [-roll, -elevation, -azimuth], degrees=True).as_matrix()
    own = Rotation.from_euler("zxy", [90, 0, 90], degrees=True).as_matrix()  # Blender's order ZXY
    pose = np.eye(4)
    pose[:3, :3] = parent @ own
    pose[:3, 3] = parent @ [1.75 * distance, 0, 0]
    focal = 35 / 32 * SIZE
    intrinsics = torch.tensor([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1]])
    return from_opengl(torch.from_numpy(pose).float(), intrinsics, width=SIZE, height=SIZE)


def binvox_bytes(grid, translate, scale):
    """``grid`` is indexed x, y, z; the file runs over y, then z, then x."""
    cells = np.concatenate([grid.transpose(0, 2, 1).reshape(-1), [2]])
    header = f"#binvox 1\ndim {' '.join(map(str, grid.shape))}\n"
    header += f"translate {' '.join(map(str, translate))}\nscale {scale}\ndata\n"
    runs, start = [], 0
    for end in range(1, len(cells)):
        if cells[end] != cells[start] or end - start == 255:
            runs += [int(cells[start]), end - start]
            start = end
    return header.encode() + bytes(runs)


def shapenet_solid(mesh, size=32):
    """Cells of the box round the mesh in ShapeNet's frame whose middle is inside."""
    cells = torch.cartesian_prod(*[(torch.arange(size) + 0.5) / size - 0.5] * 3)
    middles = cells * SIDE + MIDDLE
    number = winding_number(middles, to_shapenet(mesh.vertices), mesh.faces)
    return (number > 0.5).reshape(size, size, size).numpy()


@pytest.fixture(scope="module")
def choy(tmp_path_factory, chiral):
    """One object of which everything is there, and four without files."""
    root = tmp_path_factory.mktemp("choy")
    for name in "abcde":
        (root / "ShapeNetRendering" / "02691156" / name / "rendering").mkdir(parents=True)
    folder = root / "ShapeNetRendering" / "02691156" / "a" / "rendering"
    x, y, z = to_shapenet(chiral.vertices).unbind(-1)
    mesh = chiral.replace(vertices=torch.stack([x, -z, y], -1))  # as Blender imports .obj
    for i, row in enumerate(METADATA):
        picture = render(mesh, blender_camera(*row))
        rgba = torch.cat([picture.rgb, picture.mask[..., None].float()], -1)
        Image.fromarray((rgba * 255).round().byte().numpy()).save(folder / f"{i:02d}.png")
    text = "".join(" ".join(map(str, row)) + "\n" for row in METADATA)
    (folder / "rendering_metadata.txt").write_text(text)
    voxels = root / "ShapeNetVox32" / "02691156" / "a" / "model.binvox"
    voxels.parent.mkdir(parents=True)
    translate = (MIDDLE - SIDE / 2).tolist()
    voxels.write_bytes(binvox_bytes(shapenet_solid(chiral), translate, SIDE))
    return root


def test_pictures_cameras_and_voxels_agree(choy, chiral, loader_tools):
    views = ChoyRenderings(choy)[0]
    assert views.pictures.shape == (len(METADATA), SIZE, SIZE, 4)
    loader_tools.fit(views)
    # the object's own mesh, under the cameras that were read, gives the pictures that were read
    picture = render(chiral, loader_tools.known(views.cameras))
    mask = views.pictures[..., 3] > 127
    assert float((picture.mask != mask).float().mean()) < 1e-3
    both = mask & picture.mask
    assert float((picture.rgb * 255 - views.pictures[..., :3])[both].abs().median()) < 1


def test_cameras_are_orbits_of_the_front(choy, loader_tools):
    cameras = loader_tools.known(ChoyRenderings(choy)[0].cameras)
    eye = cameras.center[0] * SIDE  # in ShapeNet's units, its origin elsewhere
    azimuth, elevation, _, distance, _ = METADATA[0]
    a, e = np.radians(-azimuth), np.radians(elevation)
    expected = 1.75 * distance * np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
    x, y, z = MIDDLE.tolist()
    assert np.allclose(eye.numpy() + np.array([-z, y, x]), expected, atol=1e-5)


def test_first_four_fifths_are_train(choy):
    train, test = open_dataset(choy), open_dataset(choy, "test")
    assert (train.names, test.names) == (list("abcd"), ["e"])
    assert train.categories == ["02691156"] * 4
    with pytest.raises(InputError, match="val"):
        open_dataset(choy, "val")


def test_missing_and_broken_files_are_named(choy):
    objects = ChoyRenderings(choy)
    with pytest.raises(InputError, match=r"b.model\.binvox"):
        objects[1]
    folder = choy / "ShapeNetRendering" / "02691156" / "a" / "rendering"
    table = (folder / "rendering_metadata.txt").read_text()
    try:
        (folder / "rendering_metadata.txt").write_text(table + "1 2 3 4 5\n")
        with pytest.raises(InputError, match=r"04\.png does not exist"):
            objects[0]
        for wrong in ("1 2 3\n", "1 2 3 4 five\n"):
            (folder / "rendering_metadata.txt").write_text(wrong)
            with pytest.raises(InputError, match=r"rendering_metadata\.txt"):
                objects[0]
    finally:
        (folder / "rendering_metadata.txt").write_text(table)


def test_binvox(tmp_path):
    grid = np.random.default_rng(0).random((7, 7, 7)) > 0.4
    grid[3:5] = True  # a run longer than 255 needs two pairs in larger grids
    file = tmp_path / "model.binvox"
    file.write_bytes(binvox_bytes(grid, (1.0, 2.0, -3.0), 0.25))
    found = read_binvox(file)
    assert np.array_equal(found.filled, grid)
    assert found.translate.tolist() == [1, 2, -3]
    assert found.scale == 0.25
    full = np.ones((8, 8, 8), bool)
    file.write_bytes(binvox_bytes(full, (0, 0, 0), 1))
    assert read_binvox(file).filled.all()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-2],
        lambda data: data[:-1],
        lambda data: data.replace(b"#binvox", b"binvox"),
        lambda data: data.replace(b"data", b"date"),
        lambda data: data.replace(b"scale 1", b"scale 0"),
        lambda data: data.replace(b"scale 1\n", b""),
        lambda data: data.replace(b"dim 4 4 4", b"dim 4 4 8"),
    ],
)
def test_broken_binvox_is_named(tmp_path, change):
    file = tmp_path / "model.binvox"
    data = binvox_bytes(np.eye(4, dtype=bool)[:, :, None].repeat(4, 2), (0, 0, 0), 1)
    file.write_bytes(change(data))
    with pytest.raises(InputError, match=r"model\.binvox"):
        read_binvox(file)
