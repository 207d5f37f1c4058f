import dataclasses

import pytest
import torch

from unrender.geometry import Mesh, icosphere, spherical_uvs
from unrender.learn.data import LightRecord
from unrender.learn.methods.dibr import DIBRConfig, DIBRPredictor
from unrender.learn.prediction import Prediction
from unrender.learn.predictor import Predictor
from unrender.render import Camera
from unrender.render.turntable import render_antialiased


@dataclasses.dataclass(frozen=True)
class KnownConfig:
    size: int = 48
    crop: bool = True


class KnownPredictor(Predictor):
    """Always says the same object, in white light, and nothing of the camera."""

    method = "known"

    def __init__(self, mesh: Mesh):
        super().__init__()
        self.config = KnownConfig()
        self.mesh = mesh
        self.seen: list[torch.Tensor] = []

    def forward(self, pictures):
        self.seen.append(pictures)
        count = len(pictures)
        mesh = self.mesh.replace(
            vertices=self.mesh.vertices.expand(count, -1, -1),
            texture=None if self.mesh.texture is None else self.mesh.texture.expand(count, -1, -1, -1),
        )
        light = torch.zeros(count, 9, 3)
        light[:, 0] = 2 * torch.pi**0.5
        return Prediction(mesh, LightRecord("harmonics", coefficients=light))

    def loss(self, batch, progress):
        raise NotImplementedError


def wedge() -> Mesh:
    """A long object that looks different from every side, textured."""
    ball = spherical_uvs(icosphere(3, radius=0.5))
    x, y, z = ball.vertices.unbind(-1)
    vertices = torch.stack([0.5 * x * (1.3 - y), 0.6 * y + 0.3 * (z > 0.2) * (z - 0.2), z], -1)
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 16), torch.linspace(0, 1, 32), indexing="ij")
    texture = torch.stack([rows, columns, 1 - rows], -1)
    return ball.replace(vertices=vertices, texture=texture)


def picture_of(mesh: Mesh, camera: Camera) -> torch.Tensor:
    """Straight colours and alpha (H, W, 4)."""
    return render_antialiased(mesh, camera, samples=3).clamp(0, 1)


@pytest.fixture(scope="session")
def object_() -> Mesh:
    return wedge()


@pytest.fixture
def known(object_) -> KnownPredictor:
    return KnownPredictor(object_)


@pytest.fixture(scope="session")
def network() -> DIBRPredictor:
    """A small untrained network with a camera head."""
    torch.manual_seed(0)
    config = DIBRConfig(
        size=32,
        channels=(4, 8),
        hidden=16,
        features=16,
        subdivisions=2,
        texture_size=16,
        camera=True,
        crop=True,
    )
    return DIBRPredictor(config).eval()


@pytest.fixture(scope="session")
def take():
    return picture_of


@pytest.fixture(scope="session")
def far_camera() -> Camera:
    """Not in the middle, not square, from a direction that the search tries too."""
    camera = Camera.orbit(2.732, 10.0, 60.0, fov_y=45.0, width=150, height=110, near=0.1)
    k = camera.intrinsics.clone()
    k[0, 2] += 25
    k[1, 2] -= 12
    return camera.replace(intrinsics=k)
