import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from unrender.errors import InputError
from unrender.io import colmap
from unrender.io.views import Views, load_views, save_views
from unrender.render.camera import Camera

WIDTH, HEIGHT = 12, 8


def make_views(count=4, *, width=WIDTH, height=HEIGHT):
    """Views of random 8-bit pictures under an orbit of off-centre cameras with different focal lengths."""
    pixels = torch.randint(0, 256, (count, height, width, 4)).float() / 255
    pose = Camera.orbit(
        3.0, 20.0, torch.linspace(0, 250, count), fov_y=40.0, width=1, height=1
    ).world_to_camera
    k = torch.tensor([[15.3, 0.0, 6.7], [0.0, 14.1, 3.9], [0.0, 0.0, 1.0]])
    cameras = Camera(pose, k, width, height)
    return Views(pixels[..., :3], pixels[..., 3], cameras, [f"view {i}" for i in range(count)])


def write_picture(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def picture(seed, channels=4, width=WIDTH, height=HEIGHT):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def assert_picture(views, index, rgb, alpha):
    np.testing.assert_allclose(views.pictures[index], rgb / 255.0, atol=1e-7)
    np.testing.assert_allclose(views.masks[index], alpha / 255.0, atol=1e-7)


# --- the class ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.5, 3])
def test_other_sizes_keep_the_background_out_of_the_object(factor):
    views = make_views(2)
    masks = torch.zeros(2, HEIGHT, WIDTH)
    masks[:, 1:6, 3:8] = 1
    masks[:, 1] = masks[:, 1] / 2  # a rim
    inside = torch.tensor([0.9, 0.5, 0.1])
    pictures = torch.where(masks[..., None] > 0, inside, torch.tensor([0.0, 0.2, 1.0]))
    views = Views(pictures, masks, views.cameras, views.names)
    width, height = round(factor * WIDTH), round(factor * HEIGHT)
    other = views.resized(width, height)
    covered = other.masks > 0
    torch.testing.assert_close(other.pictures[covered], inside.expand(int(covered.sum()), 3))
    assert float(other.pictures[~covered][:, 2].min()) > 0.99
    # shares of pixels are kept: those of one view against Pillow's filters of the same name
    kind = Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR
    expected = np.asarray(Image.fromarray(masks[0].numpy()).resize((width, height), kind))
    np.testing.assert_allclose(other.masks[0], expected, atol=1e-5)


def test_indexing_and_splitting():
    views = make_views(7)
    assert len(views) == 7
    assert views[[4, 1]].names == ["view 4", "view 1"]
    torch.testing.assert_close(views[[4, 1]].cameras.world_to_camera[1], views.cameras.world_to_camera[1])
    torch.testing.assert_close(views[2:5].pictures, views.pictures[2:5])
    assert views[-1].names == ["view 6"]
    assert [view.names[0] for view in views] == views.names
    assert views[torch.tensor([True] + [False] * 6)].masks.shape == (1, HEIGHT, WIDTH)
    train, held_out = views.split(3)
    assert held_out.names == ["view 2", "view 5"]
    assert train.names == ["view 0", "view 1", "view 3", "view 4", "view 6"]
    assert views.split([5, -7])[1].names == ["view 0", "view 5"]


def test_to_moves_everything(device):
    views = make_views().to(device).to(torch.float64)
    for tensor in (views.pictures, views.masks, views.cameras.intrinsics, views[[0]].cameras.world_to_camera):
        assert tensor.dtype == torch.float64
        assert tensor.device.type == device.type


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        (1, "from 2 to 4, that of views, got 1"),
        (5, "got 5"),
        ([4], "index 4 views"),
        ([], "both sides"),
        (range(4), "both sides, got 4 of 4"),
    ],
)
def test_split_refuses_empty_parts(held_out, message):
    with pytest.raises(InputError, match=message):
        make_views(4).split(held_out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"pictures": torch.zeros(4, 3, 8, 12)},
            r"pictures must have shape \(N, H, W, 3\), got \(4, 3, 8, 12\)",
        ),
        ({"masks": torch.zeros(4, 8, 11)}, r"masks must have shape \(4, 8, 12\), got \(4, 8, 11\)"),
        ({"pictures": torch.full((4, 8, 12, 3), 200.0)}, "got values from 200 to 200"),
        ({"masks": torch.full((4, 8, 12), torch.nan)}, "got values from nan"),
        ({"pictures": torch.zeros(4, 8, 12, 3, dtype=torch.uint8)}, "floating point in .* got torch.uint8"),
        ({"cameras": make_views(3).cameras}, r"cameras must have batch shape \(4,\), got \(3,\)"),
        ({"cameras": make_views().cameras.resized(8, 12)}, "8 x 12 .* got pictures of 12 x 8"),
        ({"names": ["a"]}, "one entry a view, 4, got 1"),
    ],
)
def test_fields_that_do_not_fit_are_refused(change, message):
    views = make_views()
    fields = {
        "pictures": views.pictures,
        "masks": views.masks,
        "cameras": views.cameras,
        "names": views.names,
    }
    with pytest.raises(InputError, match=message):
        Views(**{**fields, **change})


# --- bounds ------------------------------------------------------------------------------------------------


def views_of(cameras):
    count = cameras.batch_shape[0]
    shape = (count, cameras.height, cameras.width)
    return Views(torch.zeros(*shape, 3), torch.zeros(shape), cameras, [str(i) for i in range(count)])


@pytest.mark.parametrize("orthographic", [False, True])
def test_bounds_of_an_orbit_are_its_target_and_the_ball_in_the_tightest_picture(device, orthographic):
    target = torch.tensor([0.5, -2.0, 7.0])
    distance = torch.tensor([3.0, 4, 5, 6, 7, 8])
    elevation = torch.tensor([10.0, -20, 30, 0, 60, 5])
    options = {"target": target, "fov_y": 40.0, "orthographic": orthographic}
    cameras = Camera.orbit(distance, elevation, torch.linspace(0, 300, 6), width=30, height=20, **options)
    centre, radius = views_of(cameras).to(device).bounds()
    torch.testing.assert_close(centre, target.to(device), rtol=0, atol=1e-4)
    half = np.radians(20)
    # The ball touches the cone that the nearest camera sees, or fills half the height of its parallel view.
    assert radius == pytest.approx(3 * (np.tan(half) if orthographic else np.sin(half)), rel=1e-4)
    # The same cameras with pictures a third as wide are tightest at their sides.
    k = cameras.intrinsics - torch.tensor([[0, 0, 10.0], [0, 0, 0], [0, 0, 0]])
    half = np.arctan(np.tan(half) / 2)
    found = views_of(cameras.replace(intrinsics=k, width=10)).bounds()[1]
    assert found == pytest.approx(3 * (np.tan(half) if orthographic else np.sin(half)), rel=1e-4)


def test_bounds_use_the_middle_of_a_cropped_picture():
    # Cameras with parallel optical axes; each picture is cropped to where it shows the point (0, 0, 0).
    eyes = torch.tensor([[0.0, 0, 4], [2, 0, 4], [0, 2, 4]])
    full = Camera.look_at(eyes, eyes - torch.tensor([0.0, 0, 1]), fov_y=90.0, width=400, height=400)
    corner = full.project(torch.zeros(1, 3))[:, 0, :2] - 10
    k = full.intrinsics.clone()
    k[:, :2, 2] -= corner
    centre, radius = views_of(Camera(full.world_to_camera, k, 20, 20)).bounds()
    torch.testing.assert_close(centre, torch.zeros(3), rtol=0, atol=1e-5)
    # 10 pixels of 1/200 at distance 4, measured across a line of sight of slope 110 / 200.
    assert radius == pytest.approx(0.2 / np.hypot(1, 0.55), rel=1e-4)


def test_bounds_need_views_from_different_sides():
    with pytest.raises(InputError, match="look in one direction"):
        make_views()[[2]].bounds()
    away = Camera.look_at(
        torch.tensor([[0.0, 0, 3], [3, 0, 0], [0, 0, 5]]),
        torch.tensor([[0.0, 0, 0], [0, 0, 0], [0.1, 0, 9]]),
        **{"fov_y": 40.0, "width": 8, "height": 8},
    )
    with pytest.raises(InputError, match="view 2 does not show"):
        views_of(away).bounds()


# --- NeRF and Blender --------------------------------------------------------------------------------------


def test_saved_views_come_back(tmp_path):
    views = make_views()
    save_views(views, tmp_path / "set")
    again = load_views(tmp_path / "set")
    assert again.names == views.names
    assert torch.equal(again.pictures, views.pictures)
    assert torch.equal(again.masks, views.masks)
    assert torch.equal(again.cameras.intrinsics, views.cameras.intrinsics)
    torch.testing.assert_close(
        again.cameras.world_to_camera, views.cameras.world_to_camera, rtol=0, atol=1e-14
    )


def test_transforms_json_as_blender_writes_it(tmp_path):
    # NeRF's synthetic scenes: no suffix, one angle for all, square pixels, z up, in transforms_train.json.
    rgba = picture(0)
    write_picture(tmp_path / "train" / "r_0.png", rgba)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [60, 10, 130], degrees=True).as_matrix()
    pose[:3, 3] = [2.0, 1.0, 2.5]
    frame = {"file_path": "./train/r_0", "rotation": 0.1, "transform_matrix": pose.tolist()}
    (tmp_path / "transforms_train.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": [frame]}))
    views = load_views(tmp_path)
    assert views.names == ["r_0"]
    assert_picture(views, 0, rgba[..., :3], rgba[..., 3])
    blender = np.array([[0.3, 0.2, -0.1], [0.0, 0.5, 0.4]])
    x, y, z, _ = np.linalg.inv(pose) @ np.vstack((blender.T, np.ones(2)))
    focal = 0.5 * WIDTH / np.tan(0.5 * 0.7)
    expected = np.stack((WIDTH / 2 + focal * x / -z, HEIGHT / 2 - focal * y / -z), axis=-1)
    ours = torch.tensor(np.stack((blender[:, 0], blender[:, 2], -blender[:, 1]), axis=-1)).float()
    np.testing.assert_allclose(views.cameras.project(ours)[0, :, :2], expected, atol=1e-4)
    torch.testing.assert_close(views.cameras.center[0], torch.tensor([2.0, 2.5, -1.0]), rtol=0, atol=1e-5)
    assert load_views(tmp_path / "transforms_train.json").names == ["r_0"]


def test_transforms_json_of_a_capture_with_masks_and_pixel_intrinsics(tmp_path):
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[2:5, 3:7] = 1  # labels 0 and 1
    for name in ("a.jpg", "b.jpg"):
        write_picture(tmp_path / "images" / name, picture(1, 3))
    write_picture(tmp_path / "m" / "a.png", mask)
    common = {
        "camera_model": "OPENCV",
        "k1": 0.0,
        "fl_x": 20,
        "fl_y": 21,
        "cx": 5.5,
        "cy": 4.5,
        "w": WIDTH,
        "h": HEIGHT,
    }
    frames = [
        {"file_path": "images/a.jpg", "mask_path": "m/a.png", "transform_matrix": np.eye(4).tolist()},
        {
            "file_path": "images/b.jpg",
            "mask_path": "m/a.png",
            "transform_matrix": np.eye(4).tolist(),
            "fl_x": 30,
        },
    ]
    (tmp_path / "transforms.json").write_text(json.dumps({**common, "frames": frames}))
    views = load_views(tmp_path)
    assert views.cameras.intrinsics[0].tolist() == [[20, 0, 5.5], [0, 21, 4.5], [0, 0, 1]]
    assert views.cameras.intrinsics[1, 0, 0] == 30
    np.testing.assert_array_equal(views.masks[1], mask)


FRAME = {"file_path": "a.png", "transform_matrix": np.eye(4).tolist()}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"camera_angle_x": 0.7, "frames": []},
            r"transforms\.json must hold an object with a list of frames",
        ),
        ({"frames": [FRAME]}, "frame 0 has neither fl_x nor camera_angle_x"),
        ({"frames": [{"file_path": "a.png"}]}, "frame 0 has no transform_matrix"),
        ({"camera_angle_x": 0.7, "frames": [{**FRAME, "file_path": "b"}]}, "b does not exist"),
        ({"camera_angle_x": 0.7, "k1": 0.1, "frames": [FRAME]}, "without distortion, got PINHOLE with k1"),
        ({"fl_x": 9, "camera_model": "OPENCV_FISHEYE", "frames": [FRAME]}, "got OPENCV_FISHEYE"),
        ({"fl_x": 9, "w": 24, "h": 16, "frames": [FRAME]}, "24 x 16 pixels .* but a.png has 12 x 8"),
        (
            {"fl_x": 9, "frames": [{**FRAME, "transform_matrix": (2 * np.eye(4)).tolist()}]},
            r"transforms\.json: transform_matrix: camera_to_world must be a rotation",
        ),
        (
            {"fl_x": 9, "frames": [{**FRAME, "transform_matrix": [[1], 2]}]},
            r"transforms\.json: transform_matrix",
        ),
    ],
)
def test_broken_transforms_are_refused(tmp_path, data, message):
    write_picture(tmp_path / "a.png", picture(0))
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=message):
        load_views(tmp_path)


def test_broken_pictures_are_refused(tmp_path):
    def load(*names):
        frames = [{**FRAME, "file_path": name} for name in names]
        (tmp_path / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
        return load_views(tmp_path)

    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name, picture(0))
    write_picture(tmp_path / "odd.png", picture(0, width=9))
    write_picture(tmp_path / "rgb.png", picture(0, 3))
    write_picture(tmp_path / "deep.png", np.zeros((HEIGHT, WIDTH), dtype=np.uint16))
    (tmp_path / "text.png").write_text("no picture")
    assert len(load("a.png", "b.png")) == 2
    with pytest.raises(InputError, match=r"most are 12 x 8, but .*odd\.png is 9 x 8"):
        load("a.png", "odd.png", "b.png")
    with pytest.raises(InputError, match=r"rgb\.png has no alpha channel and no mask: save it as RGBA"):
        load("rgb.png")
    with pytest.raises(InputError, match=r"deep\.png must have 8 bits a channel"):
        load("deep.png")
    with pytest.raises(InputError, match=r"text\.png is not a readable picture"):
        load("text.png")


@pytest.mark.parametrize("names", [["a", "a", "b", "c"], ["../a", "b", "c", "d"], ["/a", "b", "c", "d"]])
def test_names_that_cannot_be_files_are_not_written(tmp_path, names):
    views = make_views()
    with pytest.raises(InputError, match="distinct relative paths"):
        save_views(Views(views.pictures, views.masks, views.cameras, names), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_orthographic_cameras_are_not_written(tmp_path):
    views = make_views()
    cameras = views.cameras.replace(orthographic=True)
    with pytest.raises(InputError, match="pinhole"):
        save_views(Views(views.pictures, views.masks, cameras, views.names), tmp_path)


# --- COLMAP ------------------------------------------------------------------------------------------------

COLMAP_IMAGES = [  # name, camera, quaternion wxyz, translation
    ("left/b 1.png", 1, (0.8, -0.3, 0.4, 0.33166247903554), (0.1, -0.2, 3.0)),
    ("a.png", 2, (1.0, 0.0, 0.0, 0.0), (0.0, 0.5, 4.0)),
]
COLMAP_CAMERAS = {1: ("SIMPLE_PINHOLE", 0, (20.0, 6.5, 3.5)), 2: ("PINHOLE", 1, (21.0, 22.0, 5.5, 4.25))}
COLMAP_POINTS = [((1.0, 2.0, 3.0), (255, 0, 51)), ((-1.0, 0.5, 0.25), (0, 102, 255))]


def write_colmap_text(folder):
    folder.mkdir(parents=True)
    lines = ["# Camera list"]
    lines += [f"{i} {m} {WIDTH} {HEIGHT} {' '.join(map(str, p))}" for i, (m, _, p) in COLMAP_CAMERAS.items()]
    (folder / "cameras.txt").write_text("\n".join(lines))
    lines = ["# Image list with two lines of data per image:"]
    for number, (name, camera, q, t) in enumerate(COLMAP_IMAGES):
        lines += [
            f"{number} {' '.join(map(str, q + t))} {camera} {name}",
            "1.5 2.5 -1 3 4 7" if number else "",
        ]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    lines = [f"{i} {' '.join(map(str, p + c))} 0.5 1 0 2 1" for i, (p, c) in enumerate(COLMAP_POINTS)]
    (folder / "points3D.txt").write_text("\n".join(lines))


def write_colmap_binary(folder):
    folder.mkdir(parents=True)
    data = struct.pack("<Q", len(COLMAP_CAMERAS))
    for number, (_, model, params) in COLMAP_CAMERAS.items():
        data += struct.pack(f"<iiQQ{len(params)}d", number, model, WIDTH, HEIGHT, *params)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(COLMAP_IMAGES))
    for number, (name, camera, q, t) in enumerate(COLMAP_IMAGES):
        data += struct.pack("<i7di", number, *q, *t, camera) + name.encode() + b"\0"
        data += struct.pack("<Q", number * 2) + struct.pack("<ddq", 1.5, 2.5, -1) * (number * 2)
    (folder / "images.bin").write_bytes(data)
    data = struct.pack("<Q", len(COLMAP_POINTS))
    for number, (position, color) in enumerate(COLMAP_POINTS):
        data += struct.pack("<Q3d3BdQ", number, *position, *color, 0.5, 2) + struct.pack("<4i", 0, 1, 2, 3)
    (folder / "points3D.bin").write_bytes(data)


def write_colmap_pictures(root):
    for seed, (name, *_) in enumerate(COLMAP_IMAGES):
        write_picture(root / "images" / name, picture(seed, 3))
    write_picture(root / "masks" / "left" / "b 1.png.png", picture(10, 1)[..., 0])  # COLMAP's naming
    write_picture(root / "masks" / "a.png", picture(11, 1)[..., 0])


@pytest.mark.parametrize("write", [write_colmap_text, write_colmap_binary])
@pytest.mark.parametrize("place", ["sparse/0", "sparse"])
def test_colmap(tmp_path, write, place):
    write(tmp_path / place)
    write_colmap_pictures(tmp_path)
    views = load_views(tmp_path)
    assert views.names == ["a", "left/b 1"]
    assert_picture(views, 0, picture(1, 3), picture(11, 1)[..., 0])
    assert_picture(views, 1, picture(0, 3), picture(10, 1)[..., 0])
    points = np.array([[0.3, -0.2, 0.1], [-0.4, 0.5, 0.2]])
    for index, (fx, fy, cx, cy) in ((0, (21.0, 22.0, 5.5, 4.25)), (1, (20.0, 20.0, 6.5, 3.5))):
        _, _, q, t = COLMAP_IMAGES[1 - index]
        x, y, z = (Rotation.from_quat(np.roll(q, -1)).apply(points) + t).T
        expected = np.stack((fx * x / z + cx, fy * y / z + cy, z), axis=-1)
        found = views.cameras[index].project(torch.from_numpy(points).float())
        np.testing.assert_allclose(found, expected, atol=1e-4)
    positions, colors = colmap.read_points(tmp_path)
    np.testing.assert_allclose(positions, [p for p, _ in COLMAP_POINTS])
    np.testing.assert_allclose(colors, np.array([c for _, c in COLMAP_POINTS]) / 255, atol=1e-7)


def test_broken_colmap_models_are_refused(tmp_path):
    write_colmap_binary(tmp_path / "sparse")
    write_colmap_pictures(tmp_path)
    file = tmp_path / "sparse" / "images.bin"
    whole = file.read_bytes()
    file.write_bytes(whole[:-60])
    with pytest.raises(InputError, match=r"images\.bin is damaged"):
        load_views(tmp_path)
    file.write_bytes(whole)
    (tmp_path / "masks" / "a.png").unlink()
    with pytest.raises(
        InputError, match=r"a\.png has no alpha channel and no mask: put its mask into .*masks"
    ):
        load_views(tmp_path)
    (tmp_path / "sparse" / "points3D.bin").unlink()
    with pytest.raises(InputError, match="neither points3D"):
        colmap.read_points(tmp_path)
    with pytest.raises(InputError, match="holds no COLMAP model"):
        colmap.read_points(tmp_path / "images")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "cameras.txt",
            "2 PINHOLE 12 8 21.0",
            "2 SIMPLE_RADIAL 12 8 0.1",
            "camera 2: SIMPLE_RADIAL .* distortion",
        ),
        (
            "cameras.txt",
            "2 PINHOLE 12 8",
            "2 PINHOLE 24 16",
            r"camera 2 is for a picture of 24 x 16 .*a\.png has 12 x 8",
        ),
        ("cameras.txt", "2 PINHOLE 12 8 21.0", "2 PINHOLE 12 eight", r"cameras\.txt is damaged"),
        ("cameras.txt", "2 PINHOLE", "3 PINHOLE", r"a\.png names camera 2"),
        ("images.txt", "1.5 2.5 -1 3 4 7", "1.5 2.5", r"images\.txt is damaged .*keypoints after a\.png"),
        ("images.txt", " 2 a.png", " 2 c.png", r"c\.png does not exist"),
    ],
)
def test_broken_colmap_texts_are_refused(tmp_path, file, old, new, message):
    write_colmap_text(tmp_path / "sparse" / "0")
    write_colmap_pictures(tmp_path)
    write_picture(tmp_path / "masks" / "c.png", picture(0, 1)[..., 0])
    path = tmp_path / "sparse" / "0" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        load_views(tmp_path)


# --- DVR ---------------------------------------------------------------------------------------------------


def write_dvr(root, *, scales=(2.0, 2.0)):
    """Two views; pixel positions that DVR gives to two points of the normalised object."""
    points = np.array([[0.3, -0.2, 0.1, 1], [-0.4, 0.5, 0.2, 1]])
    matrices, expected = {}, []
    for i, scale in enumerate(scales):
        write_picture(root / "image" / f"{i:04d}.png", picture(i, 3))
        write_picture(root / "mask" / f"{i:04d}.png", (picture(i, 1)[..., 0] > 128).astype(np.uint8))
        world = np.eye(4)
        world[:3, :3] = Rotation.from_euler("xyz", [10, 130 * i, -40], degrees=True).as_matrix()
        world[:3, 3] = [0.1, -0.2, 6.0]
        camera = np.diag([3.7, 3.2, 1, 1])
        camera[0, 2] = 0.1
        matrices |= {
            f"world_mat_{i}": world,
            f"world_mat_inv_{i}": np.linalg.inv(world),
            f"camera_mat_{i}": camera,
        }
        matrices[f"scale_mat_{i}"] = np.diag([scale, scale, scale, 1])
        p = camera @ world @ matrices[f"scale_mat_{i}"] @ points.T
        expected.append(np.stack(((p[0] / p[2] + 1) * WIDTH / 2, (p[1] / p[2] + 1) * HEIGHT / 2), axis=-1))
    np.savez(root / "cameras.npz", **matrices)
    return torch.from_numpy(points[:, :3]).float(), np.stack(expected)


def test_dvr(tmp_path):
    points, expected = write_dvr(tmp_path)
    views = load_views(tmp_path)
    assert views.names == ["0000", "0001"]
    np.testing.assert_allclose(views.cameras.project(points)[..., :2], expected, atol=1e-4)
    assert_picture(views, 1, picture(1, 3), (picture(1, 1)[..., 0] > 128) * 255)


def test_broken_dvr_folders_are_refused(tmp_path):
    write_dvr(tmp_path, scales=(2.0, 3.0))
    with pytest.raises(InputError, match="one scale_mat for all views"):
        load_views(tmp_path)
    write_picture(tmp_path / "image" / "0002.png", picture(0, 3))
    with pytest.raises(InputError, match="a mask for each of 3 pictures, got 2"):
        load_views(tmp_path)
    write_picture(tmp_path / "mask" / "0002.png", picture(0, 1)[..., 0])
    with pytest.raises(InputError, match=r"cameras\.npz must hold world_mat_i for each of 3 pictures, got 2"):
        load_views(tmp_path)
    (tmp_path / "image" / "0002.png").unlink()
    (tmp_path / "mask" / "0002.png").unlink()
    np.savez(tmp_path / "cameras.npz", world_mat_0=np.eye(4), world_mat_1=np.eye(4), camera_mat_0=np.eye(4))
    with pytest.raises(InputError, match=r"cameras\.npz has no camera_mat_1"):
        load_views(tmp_path)
    (tmp_path / "cameras.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable NumPy archive"):
        load_views(tmp_path)


# --- SoftRas -----------------------------------------------------------------------------------------------


def test_softras_pair(tmp_path):
    source = picture(0, 2 * 4 * 16, 1, 16).reshape(2, 4, 16, 16)
    np.save(tmp_path / "source.npy", source)
    np.save(tmp_path / "camera.npy", np.array([[2.5, 30.0, 0.0], [3.0, 0.0, 90.0]]))
    views = load_views(tmp_path)
    assert_picture(views, 1, source[1, :3].transpose(1, 2, 0), source[1, 3])
    assert views.names == ["0000", "0001"]
    # Their camera at azimuth 90 stands at x = d, and that at azimuth 0 at z = -d, our z = d.
    eyes = torch.tensor([[0, 1.25, 2.5 * np.cos(np.pi / 6)], [3, 0, 0]], dtype=torch.float32)
    torch.testing.assert_close(views.cameras.center, eyes, rtol=0, atol=1e-6)
    assert views.cameras.intrinsics[0, 0, 0].item() == pytest.approx(8 / np.tan(np.radians(15)))
    np.save(tmp_path / "camera.npy", np.zeros((3, 3)))
    with pytest.raises(InputError, match=r"camera\.npy must have shape \(2, 3\), got \(3, 3\)"):
        load_views(tmp_path)
    np.save(tmp_path / "source.npy", source.astype(np.float32))
    with pytest.raises(InputError, match="bytes of shape"):
        load_views(tmp_path)


def test_airplane_masks_agree_on_a_visual_hull(shared_data):
    """What all silhouettes leave of a grid of points fills each silhouette again."""
    views = load_views(shared_data / "airplane")
    assert views.pictures.shape == (120, 64, 64, 3)
    centre, radius = views.bounds()
    assert centre.abs().max() < 1e-5
    assert radius == pytest.approx(2.732 * np.sin(np.radians(15)), rel=1e-4)
    views = views[::3]
    axis = torch.linspace(-0.55, 0.55, 72)
    points = torch.cartesian_prod(axis, axis, axis)
    for index in range(len(views)):
        column, row = views.cameras[index].project(points)[:, :2].floor().long().unbind(dim=-1)
        inside = (column >= 0) & (column < 64) & (row >= 0) & (row < 64)
        mask = views.masks[index][row.clamp(0, 63), column.clamp(0, 63)]
        points = points[inside & (mask > 0.2)]  # edges are antialiased
    overlap = []
    for index in range(len(views)):
        column, row = views.cameras[index].project(points)[:, :2].floor().long().unbind(dim=-1)
        hull, mask = torch.zeros(64, 64, dtype=torch.bool), views.masks[index] > 0.5
        hull[row, column] = True
        overlap.append(float((hull & mask).sum() / (hull | mask).sum()))
    # Wings a pixel thick cost a coarse grid some; with azimuth or elevation negated it is 0.23.
    assert np.mean(overlap) > 0.75


def test_unknown_places_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_views(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not a view set: expected transforms"):
        load_views(tmp_path)
