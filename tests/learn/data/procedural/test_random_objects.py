"""The generator of objects: what it promises about each, and that its numbers decide everything."""

import collections

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, sample_surface
from unrender.learn.data.procedural import CATEGORIES, object_category, random_object
from unrender.learn.data.procedural.objects import _FAMILIES

EACH = 3  # objects of a category


@pytest.fixture(scope="module")
def objects():
    return {c: [random_object(i, 7, category=c) for i in range(EACH)] for c in CATEGORIES}


def corners(mesh: Mesh) -> torch.Tensor:
    return mesh.vertices[mesh.faces]


@pytest.mark.parametrize("category", CATEGORIES)
def test_objects_fill_the_cube_and_have_colours(objects, category):
    for made in objects[category]:
        mesh = made.mesh
        assert made.category == category
        assert bool(mesh.vertices.isfinite().all())
        used = mesh.vertices[mesh.faces.reshape(-1)]
        low, high = used.amin(0), used.amax(0)
        assert torch.allclose(low + high, torch.zeros(3), atol=1e-5)
        assert float((high - low).max()) == pytest.approx(1, abs=1e-5)
        a, b, c = corners(mesh).unbind(1)
        area = torch.linalg.cross(b - a, c - a).norm(dim=-1)
        assert float((area > 0).float().mean()) > 0.99
        assert mesh.texture is not None
        assert mesh.uvs is not None
        assert 0 <= float(mesh.texture.min()) <= float(mesh.texture.max()) <= 1
        assert mesh.num_faces < 100_000


def test_objects_differ(objects):
    shapes = {tuple(o.mesh.vertices[:5].flatten().tolist()) for of in objects.values() for o in of}
    assert len(shapes) == EACH * len(CATEGORIES)
    assert len({o.name for o in objects["chair"]}) == EACH


def test_the_numbers_decide_everything():
    torch.manual_seed(0)
    one = random_object(17, 3)
    torch.manual_seed(1)
    again = random_object(17, 3)
    assert (one.name, one.category) == (again.name, again.category)
    assert torch.equal(one.mesh.vertices, again.mesh.vertices)
    assert one.mesh.texture is not None
    assert again.mesh.texture is not None
    assert torch.equal(one.mesh.texture, again.mesh.texture)
    assert random_object(17, 4).name != one.name
    assert object_category(17, 3) == one.category


def test_categories_come_in_their_shares():
    drawn = collections.Counter(object_category(i) for i in range(4000))
    total = sum(share for share, _ in _FAMILIES.values())
    for category, (share, _) in _FAMILIES.items():
        expected = share / total
        # within four standard deviations
        assert abs(drawn[category] / 4000 - expected) < 4 * (expected * (1 - expected) / 4000) ** 0.5


@pytest.mark.parametrize("category", ["car", "bed", "airplane"])
def test_some_categories_are_their_own_mirror_images(category):
    """Across x = 0, since fronts face +Z; across z = 0 few are."""
    distances = torch.zeros(3)
    for i in range(3):
        mesh = random_object(i, 1, category=category).mesh
        points, other = (
            sample_surface(mesh, 1500, generator=torch.Generator().manual_seed(k)).points for k in range(2)
        )
        for k, signs in enumerate(([1.0, 1.0, 1.0], [-1.0, 1.0, 1.0], [1.0, 1.0, -1.0])):
            distances[k] += torch.cdist(points * torch.tensor(signs), other).amin(1).mean()
    same, mirrored, turned = distances.tolist()
    assert mirrored < 1.1 * same
    assert turned > 1.15 * same


def test_wrong_numbers():
    with pytest.raises(InputError, match="at least 0, got -1 and 0"):
        random_object(-1)
    with pytest.raises(InputError, match=r"category must be one of .*, got 'spaceship'"):
        random_object(0, category="spaceship")
