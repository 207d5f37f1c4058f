import math
import subprocess
import sys
import typing
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unrender import cli
from unrender.cli import main
from unrender.cli.render import Render
from unrender.errors import InputError
from unrender.geometry import Mesh, cube, icosphere
from unrender.io import save_mesh
from unrender.render.texture import Filter


@pytest.fixture(scope="module")
def ball(tmp_path_factory) -> Path:
    """A red sphere of radius 2 about (10, 0, 0)."""
    path = tmp_path_factory.mktemp("mesh") / "ball.glb"
    mesh = icosphere(4, radius=2.0)
    red = torch.tensor([1.0, 0.0, 0.0]).expand(mesh.num_vertices, 3)
    save_mesh(Mesh(mesh.vertices + torch.tensor([10.0, 0.0, 0.0]), mesh.faces, vertex_colors=red), path)
    return path


@pytest.fixture
def draw(ball, tmp_path, device):
    """Render ``ball`` to a named file of 64 x 64 pixels with more options; gives its path."""

    def run(name: str, *options: str, mesh: Path = ball) -> Path:
        out = tmp_path / name
        size = () if "--size" in options else ("--size", "64", "64")
        assert main(["render", f"{mesh}", "-o", f"{out}", *size, "--device", device.type, *options]) == 0
        return out

    return run


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image, np.float64) / 255


def fails(capsys, *arguments: str) -> str:
    """Run and expect exit code 2 and one line on stderr; gives the line."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("unrender: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_still_is_framed_and_lit(draw, capsys):
    picture = pixels(draw("ball.png", "--size", "96", "64"))
    assert picture.shape == (64, 96, 3)
    coverage = 1 - picture[..., 1]  # red on white
    assert coverage.sum() == pytest.approx(math.pi * (0.9 * 32) ** 2, rel=1e-2)
    rows, columns = np.nonzero(coverage > 0.5)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx((32, 48), abs=0.05)
    red = picture[..., 0][coverage > 0.99]
    assert 0.4 < red.min() < 0.7
    assert 0.9 < red.max() < 1
    assert capsys.readouterr() == ("", "")


def test_without_light_the_colour_is_the_surfaces(draw):
    picture = pixels(draw("ball.png", "--light", "none", "--background", "0,0,1"))
    np.testing.assert_array_equal(picture[32, 32], [1, 0, 0])
    np.testing.assert_array_equal(picture[0, 0], [0, 0, 1])


def test_transparent_background_is_straight_alpha(draw):
    picture = pixels(draw("ball.png", "--light", "none", "--background", "transparent"))
    assert picture.shape == (64, 64, 4)
    alpha = picture[..., 3]
    assert alpha.sum() == pytest.approx(math.pi * (0.9 * 32) ** 2, rel=1e-2)
    edge = (alpha > 0) & (alpha < 1)
    assert edge.any()
    np.testing.assert_array_equal(picture[edge][:, :3], np.broadcast_to([1.0, 0.0, 0.0], (edge.sum(), 3)))


def test_jpeg(draw):
    picture = pixels(draw("ball.jpg"))
    assert picture.shape == (64, 64, 3)
    assert picture[32, 32, 0] > 0.6
    assert picture[32, 32, 1] < 0.1


@pytest.mark.parametrize("projection", [(), ("--orthographic",)])
def test_distance_and_raw_depth(draw, tmp_path, projection):
    # At 10 units, 60 degrees: the picture is 2 * 10 * tan(30) units high at the middle of the ball.
    draw(
        "ball.png",
        "--distance",
        "10",
        "--fov",
        "60",
        *projection,
        "--save-depth",
        f"{tmp_path / 'depth.npy'}",
    )
    depth = np.load(tmp_path / "depth.npy")
    assert depth.shape == (64, 64)
    assert depth.dtype == np.float32
    assert depth[32, 32] == pytest.approx(8.0, abs=0.01)
    assert depth[0, 0] == 0
    focal = 32 / math.tan(math.radians(30))
    radius = focal * (2 / 10 if projection else 2 / math.sqrt(10**2 - 2**2))
    assert (depth > 0).sum() == pytest.approx(math.pi * radius**2, rel=0.03)


def test_several_outputs(draw, tmp_path):
    view = ("--elevation", "0", "--azimuth", "90")
    draw("ball.png", *view, "--output", "rgb", "depth", "normals", "world-normals", "alpha")
    names = ["ball", "ball-alpha", "ball-depth", "ball-normals", "ball-world-normals"]
    assert sorted(path.stem for path in tmp_path.iterdir()) == names
    alpha, depth, normals, world = (pixels(tmp_path / f"{name}.png") for name in names[1:])
    assert alpha.sum() / 3 == pytest.approx(math.pi * (0.9 * 32) ** 2, rel=1e-2)
    assert depth[32, 32, 0] == pytest.approx(1, abs=0.01)
    # The ray through (5.5, 32.5) leaves the axis by this slope, and meets the ball at depth z.
    slope = 26.5 / (32 / math.tan(math.radians(17.5)))
    distance = 2 / math.sin(math.atan(0.9 * math.tan(math.radians(17.5))))
    root = math.sqrt(distance**2 - (1 + slope**2) * (distance**2 - 4))
    z = (distance - root) / (1 + slope**2)
    assert depth[32, 5, 0] == pytest.approx(1 - 0.8 * (z - (distance - 2)) / 4, abs=0.01)
    assert depth[0, 0, 0] == 0
    np.testing.assert_allclose(normals[32, 32], [0.5, 0.5, 1], atol=0.02)
    assert normals[32, 58, 0] > 0.9
    assert normals[5, 32, 1] > 0.9
    np.testing.assert_allclose(world[32, 32], [1, 0.5, 0.5], atol=0.02)  # seen from +X
    assert world[32, 58, 2] < 0.1  # right of it lies -Z


def test_the_first_output_takes_the_name(draw, tmp_path):
    draw("ball.png", "--output", "alpha", "rgb")
    assert pixels(tmp_path / "ball.png")[32, 32].tolist() == [1, 1, 1]
    assert pixels(tmp_path / "ball-rgb.png")[32, 32, 1] == 0


def test_texture_is_upright_and_uv_is_drawn(draw, tmp_path):
    mesh = cube()
    texture = torch.zeros(60, 60, 3)
    texture[:30, :, 0] = 1  # the sides of the upper row, +Y among them, are red
    texture[30:, :, 1] = 1
    save_mesh(mesh.replace(texture=texture), tmp_path / "box.obj")
    view = ("--elevation", "45", "--azimuth", "0", "--light", "none", "--output", "rgb", "uv")
    picture = pixels(draw("box.png", *view, mesh=tmp_path / "box.obj"))
    np.testing.assert_allclose(picture[22, 32], [1, 0, 0], atol=0.02)  # +Y
    np.testing.assert_allclose(picture[42, 32], [0, 1, 0], atol=0.02)  # +Z
    uv = pixels(tmp_path / "box-uv.png")
    assert uv[22, 32, 1] > 0.5 > uv[42, 32, 1]
    assert uv[42, 32, 2] == 0


@pytest.mark.parametrize(("suffix", "frames"), [(".gif", 7), (".webp", 5)])
def test_turntable(draw, tmp_path, suffix, frames):
    shape = cube()
    save_mesh(
        shape.replace(uvs=None, uv_faces=None, vertex_colors=shape.vertices + 0.5), tmp_path / "box.ply"
    )
    depth = tmp_path / "depth.npy"
    out = draw(
        f"box{suffix}", "--frames", f"{frames}", "--fps", "10", "--save-depth", f"{depth}",
        mesh=tmp_path / "box.ply",
    )  # fmt: skip
    with Image.open(out) as image:
        assert image.n_frames == frames  # type: ignore[attr-defined]
        assert image.size == (64, 64)
        first = np.asarray(image.convert("RGB"), np.float64)
        image.seek(2)
        third = np.asarray(image.convert("RGB"), np.float64)
        assert image.info["duration"] == 100
    assert np.abs(third - first).mean() > 5
    stack = np.load(depth)
    assert stack.shape == (frames, 64, 64)
    assert (stack[1] != stack[0]).any()


def test_mp4(draw):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    out = draw("ball.mp4", "--frames", "4", "--fps", "8")
    assert ffmpeg.count_frames_and_secs(f"{out}")[0] == 4


def test_the_mesh_file_is_missing(capsys, tmp_path):
    line = fails(capsys, "render", f"{tmp_path / 'no.glb'}", "-o", f"{tmp_path / 'x.png'}")
    assert "no.glb does not exist" in line


def test_a_mesh_with_nan(capsys, tmp_path):
    path = tmp_path / "nan.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 nan 0\nf 1 2 3\n")
    assert "finite" in fails(capsys, "render", f"{path}", "-o", f"{tmp_path / 'x.png'}")


def test_a_broken_mesh(capsys, tmp_path):
    path = tmp_path / "broken.glb"
    path.write_bytes(b"glTF and then\nnothing")
    assert "broken.glb is not a readable .glb file" in fails(
        capsys, "render", f"{path}", "-o", f"{tmp_path / 'x.png'}"
    )


def test_a_camera_inside_the_object(capsys, ball, tmp_path):
    out = tmp_path / "x.png"
    line = fails(capsys, "render", f"{ball}", "-o", f"{out}", "--distance", "1.5")
    assert (
        "--distance must put the camera outside the object, which reaches 2 from its middle, got 1.5" in line
    )
    assert not out.exists()


def test_a_camera_within_the_ball_but_outside_the_object_is_fine(draw, tmp_path):
    thin = cube()
    stretch = torch.tensor([4.0, 1.0, 1.0])
    save_mesh(Mesh(thin.vertices * stretch, thin.faces), tmp_path / "beam.ply")
    view = ("--azimuth", "0", "--elevation", "0", "--distance", "1", "--fov", "90")
    picture = pixels(
        draw("beam.png", *view, "--light", "none", "--background", "black", mesh=tmp_path / "beam.ply")
    )
    assert picture[:, 0].mean() > 0.9  # its near side, half a unit away, reaches over the whole width


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "x.txt"), "--out must end in .png, .jpg, .jpeg for a picture or .gif, .webp, .mp4 for a"),
        (("-o", "x.png", "--size", "0", "5"), "--size must be at least 1 x 1, got 0 x 5"),
        (("-o", "x.png", "--fov", "180"), "--fov must lie between 0 and 180 degrees, got 180"),
        (("-o", "x.png", "--distance", "-1"), "--distance must be positive and finite, got -1"),
        (("-o", "x.png", "--azimuth", "nan"), "--azimuth must be finite, got nan"),
        (("-o", "x.png", "--samples", "0"), "--samples must be at least 1, got 0"),
        (("-o", "x.gif", "--frames", "0"), "--frames must be at least 1, got 0"),
        (("-o", "x.gif", "--fps", "0"), "--fps must be positive and finite, got 0"),
        (("-o", "x.png", "--background", "1,2,3"), "three numbers from 0 to 1 such as 0.9,0.9,1, got 1,2,3"),
        (("-o", "x.png", "--background", "beige"), "--background must be white, black, transparent"),
        (("-o", "x.gif", "--background", "transparent"), "transparent needs a .png file, got x.gif"),
        (("-o", "x.png", "--save-depth", "d.exr"), "--save-depth must end in .npy, got d.exr"),
        (("-o", "x.png", "--output"), "--output needs at least one name"),
        (("-o", "x.png", "--output", "uv"), "--output uv needs a mesh with texture coordinates"),
        (("-o", "x.png", "--device", "cuda:99"), "--device must name one of"),
        (("-o", "x.png", "--device", "tpu"), "--device must be auto, cpu, cuda or cuda:NUMBER, got tpu"),
    ],
)  # fmt: skip
def test_impossible_options(capsys, ball, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    assert message in fails(capsys, "render", f"{ball}", *options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(capsys, ball, tmp_path):
    (tmp_path / "file").write_text("")
    line = fails(capsys, "render", f"{ball}", "-o", f"{tmp_path / 'file' / 'x.png'}", "--size", "8", "8")
    assert f"{tmp_path / 'file'}" in line


@pytest.mark.parametrize(
    "arguments", [(), ("draw",), ("render",), ("render", "a.glb", "-o", "x.png", "--size", "5")]
)
def test_usage_errors_exit_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def command_that(monkeypatch, error: BaseException | None = None, warning: str | None = None):
    def run(self):
        if warning is not None:
            warnings.warn(warning, UserWarning, stacklevel=1)
        if error is not None:
            raise error

    monkeypatch.setattr(Render, "run", run)
    return ["render", "a.glb", "-o", "x.png"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("vertices must be\n  finite"), "vertices must be finite"),
        (FileNotFoundError(2, "No such file", "a.glb"), "No such file: a.glb"),
        (OSError("disk on fire"), "disk on fire"),
        (
            ImportError("needs xatlas: pip install 'unrender[mesh]'"),
            "needs xatlas: pip install 'unrender[mesh]'",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, monkeypatch, error, message):
    assert main(command_that(monkeypatch, error)) == 2
    assert capsys.readouterr().err == f"unrender: error: {message}\n"


@pytest.mark.parametrize("error", [ValueError("bug"), ModuleNotFoundError("No module named 'x'", name="x")])
def test_bugs_keep_their_traceback(monkeypatch, error):
    with pytest.raises(type(error)):
        main(command_that(monkeypatch, error))


def test_stopping_is_quiet(capsys, monkeypatch):
    assert main(command_that(monkeypatch, KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "")


def test_warnings_are_one_line(capsys, monkeypatch):
    assert main(command_that(monkeypatch, warning="one view\nonly")) == 0
    assert capsys.readouterr() == ("", "unrender: warning: one view only\n")


def test_texture_filters_are_those_of_the_renderer():
    offered = typing.get_args(typing.get_type_hints(Render)["texture_filter"])
    assert offered == typing.get_args(Filter)


def test_help_loads_neither_torch_nor_warp():
    code = (
        "import sys\nfrom unrender.cli import main\n"
        "try:\n    main(['render', '--help'])\nexcept SystemExit as stopped:\n    assert stopped.code == 0\n"
        "assert not {'torch', 'warp', 'trimesh', 'numpy'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "--orthographic" in result.stdout


def test_the_installed_script(ball, tmp_path):
    script = Path(sys.executable).with_name("unrender")
    if not script.exists():
        pytest.skip("the package is not installed")
    command = [f"{script}", "render", f"{ball}", "-o", f"{tmp_path / 'x.png'}", "--size", "16", "16"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")
    assert pixels(tmp_path / "x.png").shape == (16, 16, 3)
    result = subprocess.run([*command, "--fov", "200"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "unrender: error: --fov must lie between 0 and 180 degrees, got 200.0\n"


def test_every_command_can_run():
    for command in cli.COMMANDS.values():
        assert callable(command.run)
