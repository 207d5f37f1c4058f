"""DVR from one picture: its rays, what it learns from pictures, and its surfaces."""

import dataclasses
import json
import math

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from unrender import predict
from unrender.errors import InputError
from unrender.geometry import Mesh, icosphere, voxel_iou
from unrender.implicit import cast
from unrender.learn.data.capture import CaptureOptions, capture
from unrender.learn.data.packed_views import PackedViews, pack
from unrender.learn.methods import dvr
from unrender.learn.methods.dvr import DVRConfig, DVRPredictor, hull_values
from unrender.learn.networks.camera_head import ViewDirections, view_angles
from unrender.learn.prediction import Prediction
from unrender.learn.registry import load_predictor, save_predictor
from unrender.predict import predict_each
from unrender.render import render
from unrender.render.rays import Rays, pixel_rays

SMALL = DVRConfig(
    size=32,
    encoder="conv",
    batch_norm=False,  # of two pictures, its averages say little
    channels=(8, 16),
    hidden=32,
    features=16,
    width=64,
    blocks=3,
    rays=192,
    samples=(16, 32),
    samples_at=(0.5,),
    normal_weight=0.0,
    voxels=16,
    resolution=32,
    hull_share=0.5,
    points=256,
)


def ellipsoid(sides, color) -> Mesh:
    ball = icosphere(2)
    colors = torch.tensor(color).expand(ball.num_vertices, 3)
    return ball.replace(vertices=ball.vertices * torch.tensor(sides), vertex_colors=colors)


@pytest.fixture(scope="module")
def views() -> PackedViews:
    """A tall red object and a flat blue one."""
    options = CaptureOptions(size=32, views=8, points=10, voxels=16, light="none", cameras="random")
    tall = capture(ellipsoid([0.25, 0.5, 0.25], [0.9, 0.1, 0.1]), "tall", "a", options)
    flat = capture(ellipsoid([0.5, 0.15, 0.5], [0.1, 0.2, 0.9]), "flat", "a", options)
    return PackedViews.join([pack(tall), pack(flat)])


def test_rays_go_where_their_pixels_look(views):
    batch = views.batch(torch.tensor([0, 1]), torch.arange(4).expand(2, 4))
    torch.manual_seed(0)
    predictor = DVRPredictor(DVRConfig(**{**SMALL.__dict__, "rays": 2000}))
    drawn, said = predictor.draw(batch)
    for i, (sides, color) in enumerate((([0.25, 0.5, 0.25], 0.9), ([0.5, 0.15, 0.5], 0.1))):
        rays = Rays(drawn.origins[i], drawn.directions[i])
        targets = said[i]
        a, b = rays.directions / torch.tensor(sides), rays.origins / torch.tensor(sides)
        closest = (b - (a * b).sum(-1, keepdim=True) / a.square().sum(-1, keepdim=True) * a).norm(dim=-1)
        sure = (closest - 1).abs() > 0.25  # but for rims: pictures have 32 pixels, and the mesh is coarse
        assert torch.equal((closest < 1)[sure], targets.inside[sure])
        assert 0.05 < float(targets.inside.float().mean()) < 0.6
        red = targets.colors[targets.inside & sure, 0]
        torch.testing.assert_close(red, torch.full_like(red, color), rtol=0, atol=0.02)
        # points that are likely filled: all inside rays have one, in the hull of four pictures
        assert targets.solid is not None
        assert bool((targets.solid[~targets.inside] == 0).all())
        assert float((targets.solid[targets.inside] > 0).float().mean()) > 0.95
        points = rays.at(targets.solid)[targets.solid > 0] / torch.tensor(sides)
        assert float((points.norm(dim=-1) < 1.6).float().mean()) > 0.9


def test_hull_values_are_those_of_the_worst_picture(views):
    batch = views.batch(torch.tensor([0, 1]), torch.arange(8).expand(2, 8))
    points = torch.rand(2, 400, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    values = hull_values(points, batch)
    for i, sides in enumerate(([0.25, 0.5, 0.25], [0.5, 0.15, 0.5])):
        inside = torch.ones(400, dtype=torch.bool)
        for view in range(8):
            at = batch.cameras[i, view].project(points[i])[:, :2].floor().long()
            seen = ((at >= 0) & (at < 32)).all(-1)
            column, row = at.clamp(0, 31).unbind(-1)
            inside &= ~seen | (batch.pictures[i, view, row, column, 3] > 0.5)
        assert 20 < int(inside.sum()) < 200
        assert int(((values[i] > 0.5) != inside).sum()) < 20  # at rims, between two pixels
        assert bool((values[i][(points[i] / torch.tensor(sides)).norm(dim=-1) < 0.8] > 0.5).all())
    # what no picture shows, as a place behind the only camera, is not ruled out
    alone = views.batch(torch.tensor([0, 1]), torch.zeros(2, 1, dtype=torch.long))
    behind = 1.1 * alone.cameras.center
    assert bool((hull_values(behind, alone) == 1).all())
    assert bool((hull_values(behind, alone, unseen=0.0) == 0).all())  # but beside a crop there is nothing


def test_beside_a_crop_there_is_nothing(views):
    batch = views.batch(torch.tensor([0, 1]), torch.tensor([[0, 1]]).expand(2, 2))
    aside = batch.cameras.intrinsics.clone()
    aside[:, 1, 0, 2] += 1000.0  # the second camera sees none of the object any more
    batch = dataclasses.replace(batch, cameras=batch.cameras.replace(intrinsics=aside))
    for crop in (False, True):
        _, targets = DVRPredictor(dataclasses.replace(SMALL, crop=crop)).draw(batch)
        for one in targets:
            assert one.solid is not None
            assert bool((one.solid > 0).any()) == (not crop)


def test_shapes_and_colours_are_learned_from_pictures(views, tmp_path):
    torch.manual_seed(0)
    predictor = DVRPredictor(SMALL)
    optimizer = torch.optim.Adam(predictor.parameters(), 1e-3)
    both, first = torch.tensor([0, 1]), []
    steps = 200
    for step in range(steps):
        chosen = torch.rand(2, 8).argsort(1)[:, :6]
        terms = predictor.loss(views.batch(both, chosen), step / steps)
        early = step < 100
        assert set(terms) == ({"hull", "color"} if early else {"color", "freespace", "occupancy"})
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first.append(float(loss.detach()))
    for start, end in ((0, 100), (100, 200)):
        assert sum(first[end - 10 : end]) < 0.8 * sum(first[start : start + 10])

    save_predictor(predictor, tmp_path / "dvr.safetensors")
    predictor = load_predictor(tmp_path / "dvr.safetensors")
    batch = views.batch(both, torch.tensor([[0], [0]]))
    with torch.no_grad():
        prediction = predictor(batch.pictures[:, 0])
    assert prediction.occupancy is not None
    assert views.voxels is not None
    ious = voxel_iou(prediction.occupancy > 0.5, views.voxels)
    swapped = voxel_iou(prediction.occupancy > 0.5, views.voxels.flip(0))
    # a ball has 0.61 and 0.44
    assert float(ious[0]) > 0.68
    assert float(ious[1]) > 0.55
    assert float(swapped.max()) < float(ious.min())
    assert prediction.surfaces is not None
    for i, channel in enumerate((0, 2)):
        mesh = prediction.surfaces(i)
        assert mesh is not None
        extent = mesh.vertices.amax(0) - mesh.vertices.amin(0)
        assert (extent[1] > extent[0]) == (i == 0)
        assert mesh.vertex_colors is not None
        assert int(mesh.vertex_colors.mean(0).argmax()) == channel


SIDES = torch.tensor([[0.25, 0.5, 0.25], [0.5, 0.15, 0.5]])


def painted(points: torch.Tensor) -> torch.Tensor:
    """Colours that tell where they are."""
    return (0.5 + 0.8 * points).clamp(0, 1)


def test_the_hull_teaches_shape_and_colours():
    """The true field has next to no loss; one of other colours, or another size, has more."""
    options = CaptureOptions(size=64, views=8, points=10, voxels=16, light="none", cameras="random")
    balls = [ellipsoid(sides.tolist(), [0.0, 0.0, 0.0]) for sides in SIDES]
    objects = [ball.replace(vertex_colors=painted(ball.vertices)) for ball in balls]
    packed = PackedViews.join([pack(capture(one, "ball", "a", options)) for one in objects])
    batch = packed.batch(torch.tensor([0, 1]), torch.arange(8).expand(2, 8))
    predictor = DVRPredictor(dataclasses.replace(SMALL, size=64, points=2000, rays=1000))
    asked = []

    def loss(scale: float, mirrored: float) -> dict[str, float]:
        def field(points):
            asked.append(points)
            logits = 40 * (1 - (points / (scale * SIDES[:, None])).norm(dim=-1))
            return logits, painted(mirrored * points)

        predictor.field = lambda code: field
        torch.manual_seed(0)
        return {name: float(term) for name, term in predictor.loss(batch, 0.0).items()}

    true, larger, smaller = (loss(scale, 1.0) for scale in (1.0, 1.3, 0.7))
    assert true["hull"] < 0.5 * min(larger["hull"], smaller["hull"])
    assert true["color"] < 0.1 * loss(1.0, -1.0)["color"]

    # points from all of the cube, then points near where rays enter, or from the cube, then those themselves
    radius = (asked[0] / SIDES[:, None]).norm(dim=-1)
    anywhere, near, entries = ((part - 1).abs() for part in radius.split([2000, 1000, 1000], 1))
    inside = entries < 0.5  # of the others there is no entry
    assert 0.2 < float(inside.float().mean()) < 0.7
    assert float(entries[inside].mean()) < 0.1
    assert float(near[inside].mean()) < 0.5 * float(anywhere.mean())
    assert float(near[inside].mean()) > float(entries[inside].mean())
    assert float(near[~inside].mean()) > 0.8 * float(anywhere.mean())


def test_colours_vary_about_the_mean_colour_of_the_picture(views):
    torch.manual_seed(0)
    predictor = DVRPredictor(dataclasses.replace(SMALL, mean_color=True)).eval()
    pictures = views.batch(torch.tensor([0, 1]), torch.zeros(2, 1, dtype=torch.long)).pictures[:, 0]
    points = torch.rand(2, 50, 3) - 0.5
    _, colors = predictor.field(predictor.encode(pictures))(points)
    prediction = predictor(pictures)
    assert prediction.surfaces is not None
    for i, wanted in enumerate(([0.9, 0.1, 0.1], [0.1, 0.2, 0.9])):  # before any training
        torch.testing.assert_close(colors[i], torch.tensor(wanted).expand(50, 3), rtol=0, atol=0.05)
        mesh = prediction.surfaces(i)
        assert mesh is not None
        assert mesh.vertex_colors is not None
        torch.testing.assert_close(mesh.vertex_colors.mean(0), torch.tensor(wanted), rtol=0, atol=0.05)


def test_cameras_are_taught_and_used(views, tmp_path):
    torch.manual_seed(0)
    crops = views.cropped(32)
    predictor = DVRPredictor(dataclasses.replace(SMALL, crop=True, camera=True, camera_weight=2.0)).eval()
    head = predictor.camera_head
    assert head is not None
    batch = crops.batch(torch.tensor([0, 1]), torch.tensor([[2, 4], [5, 1]]))
    azimuth, elevation = view_angles(batch.cameras[:, 0])
    place = azimuth * (head.bins / (2 * torch.pi))
    bins = place.round()
    scores = torch.full((2, head.bins), -50.0)
    scores[[0, 1], bins.long() % head.bins] = 50.0
    sure = ViewDirections(
        scores, (place - bins)[:, None].expand_as(scores), elevation[:, None].expand_as(scores)
    )
    wrong = sure._replace(elevations=sure.elevations + 0.3)
    losses = []
    for one in (sure, wrong):
        head.forward = lambda features, one=one: one
        losses.append(float(predictor.loss(batch, 0.0)["camera"]))
    assert losses == [pytest.approx(0, abs=1e-4), pytest.approx(0.6, abs=1e-4)]

    # where those of pictures are said to be, predict puts the cameras
    head.forward = lambda features: ViewDirections(*(value[:1] for value in sure))
    camera = predict(views.pictures[0, 2].float() / 255, predictor=predictor).camera
    assert camera is not None
    torch.testing.assert_close(camera.center[0], batch.cameras.center[0, 0], rtol=0, atol=1e-3)

    # the head is part of the file
    del head.forward
    save_predictor(predictor, tmp_path / "dvr.safetensors")
    loaded = load_predictor(tmp_path / "dvr.safetensors").eval()
    assert isinstance(loaded, DVRPredictor)
    ball = ellipsoid([0.3, 0.3, 0.3], [0.5, 0.5, 0.5])
    balls = Prediction(Mesh(ball.vertices.expand(2, -1, -1), ball.faces))
    found, again = (one.cameras(batch.pictures[:, 0], balls, count=3) for one in (predictor, loaded))
    assert found[0].batch_shape == (2, 3)
    torch.testing.assert_close(found[0].center, again[0].center)
    assert bool((found[1][:, 0] >= found[1][:, 1]).all())

    with pytest.raises(InputError, match="camera=True needs crop=True"):
        DVRConfig(camera=True)
    with pytest.raises(InputError, match="cameras need a predictor with a camera head"):
        DVRPredictor(SMALL).cameras(torch.zeros(1, 32, 32, 4), Prediction(), count=1)


def test_the_network_of_the_paper_learns(views):
    """ResNet-18 and the published loss."""
    torch.manual_seed(0)
    config = DVRConfig(size=32, rays=64)
    assert (config.encoder, config.features, config.width, config.normal_weight) == (
        "resnet18",
        256,
        128,
        0.05,
    )
    predictor = DVRPredictor(config)
    optimizer = torch.optim.Adam(predictor.parameters(), 1e-4)
    batch = views.batch(torch.tensor([0, 1]), torch.tensor([[0, 3], [2, 5]]))
    losses = []
    for step in range(8):
        torch.manual_seed(1)
        terms = predictor.loss(batch, 0.0)
        assert set(terms) == {"color", "freespace", "occupancy", "normal"}
        loss = torch.stack(list(terms.values())).sum()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        if not step:
            assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in predictor.parameters())
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]


def test_samples_follow_their_schedule(views, monkeypatch):
    seen = []

    def spy(field, rays, options):
        seen.append(options.samples)
        return cast(field, rays, options)

    monkeypatch.setattr(dvr, "cast", spy)
    batch = views.batch(torch.tensor([0, 1]), torch.zeros(2, 1, dtype=torch.long))[:1]
    changes = {"hull_share": 0.5, "samples": (4, 6, 20), "samples_at": (0.2, 0.6)}
    predictor = DVRPredictor(dataclasses.replace(SMALL, **changes))
    for progress in (0.5, 0.59, 0.61, 0.79, 0.81, 1.0):
        predictor.loss(batch, progress)
    assert seen == [4, 4, 6, 6, 20, 20]
    assert DVRConfig().samples == (16, 32, 64, 128)


def test_a_file_of_other_settings_is_refused_by_name(tmp_path):
    file = tmp_path / "old.safetensors"
    save_predictor(DVRPredictor(SMALL), file)
    with safe_open(file, "pt") as stored:
        metadata = stored.metadata()
    config = json.loads(metadata["config"])
    del config["samples_at"]  # then two numbers of samples meet three starts
    save_file(load_file(file), file, metadata | {"config": json.dumps(config)})
    with pytest.raises(InputError, match=r"old.safetensors does not fit this version .* samples_at must be"):
        load_predictor(file)


def test_depth_is_held_against_depth_maps(views):
    pictures = views.batch(torch.tensor([0, 1]), torch.arange(4).expand(2, 4))
    torch.manual_seed(0)
    predictor = DVRPredictor(dataclasses.replace(SMALL, depth_weight=10.0, hull_share=0.0))
    assert "depth" not in predictor.loss(pictures, 0.0)
    # depth that tells which pixel it is of: beyond 2 where the mask says inside
    alpha = pictures.pictures[..., 3]
    batch = dataclasses.replace(pictures, depth=1.5 + alpha)
    _, targets = predictor.draw(batch)
    for one in targets:
        assert one.depth is not None
        assert torch.equal(one.depth > 2, one.inside)
    # against the depth that the field has itself there is no loss; twice the weight gives twice the loss
    code = predictor.encode(pictures.pictures[:, 0])
    field = [predictor.field(code[i]) for i in range(2)]
    rays = pixel_rays(pictures.cameras)
    own = torch.stack([cast(f, Rays(o, d)).depth for f, o, d in zip(field, *rays, strict=True)])
    found = []
    for depth, weight in ((own, 10.0), (own + 0.1, 10.0), (own + 0.1, 20.0)):
        predictor.config = dataclasses.replace(predictor.config, depth_weight=weight, samples=(64, 64))
        torch.manual_seed(1)
        terms = predictor.loss(dataclasses.replace(pictures, depth=depth), 0.0)
        found.append(float(terms["depth"].detach()))
    assert found[0] < 1e-2 * found[1]
    assert found[2] == pytest.approx(2 * found[1])


def test_an_empty_field_has_no_surface(views):
    torch.manual_seed(0)
    predictor = DVRPredictor(SMALL)
    predictor.decoder.radius = -1.0  # nowhere inside
    pictures = views.batch(torch.tensor([0, 1]), torch.tensor([[0], [0]])).pictures[:, 0]
    prediction = predictor(pictures)
    assert prediction.surfaces is not None
    assert prediction.surfaces(1) is None
    picture = torch.cat([pictures[0][..., :3], (pictures[0][..., 3:] > 0.5).float()], -1)
    with pytest.raises(InputError, match="the predictor finds no object in picture 0"):
        predict(picture, predictor=predictor)


def test_a_lower_level_is_a_larger_object(views):
    torch.manual_seed(0)
    pictures = views.batch(torch.tensor([0, 1]), torch.tensor([[0], [0]])).pictures[:, 0]
    predictor = DVRPredictor(SMALL).eval()
    radii, volumes = [], []
    for level in (0.4, 0.5):
        predictor.config = dataclasses.replace(SMALL, level=level)
        prediction = predictor(pictures)
        assert prediction.surfaces is not None
        assert prediction.occupancy is not None
        mesh = prediction.surfaces(0)
        assert mesh is not None
        radii.append(float(mesh.vertices.norm(dim=-1).mean()))
        volumes.append(float((prediction.occupancy > 0.5).float().sum()))
    # an untrained field is about 2 (0.3 - r), which is log(2/3) at the level of 0.4
    assert radii == [pytest.approx(0.3 + math.log(1.5) / 2, abs=0.02), pytest.approx(0.3, abs=0.02)]
    assert volumes[0] > 2 * volumes[1]


def test_predict_gives_the_mesh_of_the_field(views, device):
    torch.manual_seed(0)
    predictor = DVRPredictor(SMALL).to(device)
    pictures = [views.pictures[i, 0].float() / 255 for i in range(2)]
    found = predict_each(pictures, predictor=predictor)
    for one, picture in zip(found, pictures, strict=True):
        assert one.mesh is not None
        assert one.camera is not None
        assert one.mesh.vertices.shape[0] == 1
        assert one.mesh.device.type == torch.device(device).type
        assert one.mesh.vertex_colors is not None
        drawn, inside = render(one.mesh[0], one.camera[0]).mask.cpu(), picture[..., 3] > 0.5
        assert float((drawn & inside).sum() / (drawn | inside).sum()) > 0.4  # a ball in the object's box


def test_bad_values():
    with pytest.raises(InputError, match=r"samples must be numbers from 2 on, got \(16, 1\)"):
        DVRConfig(samples=(16, 1))
    for shares in ((0.5,), (0.5, 0.2, 0.7), (0.5, 100.0, 200.0)):
        with pytest.raises(
            InputError, match=r"samples_at must be 3 rising shares from 0 to 1, .*, got \(0\.5"
        ):
            DVRConfig(samples_at=shares)
    with pytest.raises(InputError, match=r"hull_share must be in \[0, 1\), got 1"):
        DVRConfig(hull_share=1.0)
    with pytest.raises(InputError, match="depth must not be negative, got -1"):
        DVRConfig(depth_weight=-1.0)
    with pytest.raises(InputError, match="camera_weight must not be negative, got -1"):
        DVRConfig(camera_weight=-1.0)
    with pytest.raises(InputError, match=r"level must be in \(0, 1\), got 1"):
        DVRConfig(level=1.0)
    with pytest.raises(InputError, match="rays must be at least 1, got 0"):
        DVRConfig(rays=0)
    with pytest.raises(InputError, match="resolution must be 32 times a power of two, got 100"):
        DVRConfig(resolution=100)
