"""The predictors of meshes: what they give, and that their losses teach them."""

import dataclasses

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, cube
from unrender.learn.data.capture import CaptureOptions, capture
from unrender.learn.data.light_record import LightRecord
from unrender.learn.data.packed_views import PackedViews, pack
from unrender.learn.methods import mesh_predictor
from unrender.learn.methods.dibr import DIBRConfig, DIBRPredictor
from unrender.learn.methods.nmr import NMRConfig
from unrender.learn.methods.softras import SoftRasConfig, SoftRasPredictor
from unrender.learn.metrics import sphere_irradiance
from unrender.learn.networks.camera_head import ViewDirections, view_angles
from unrender.learn.networks.resnet import ResNet
from unrender.learn.registry import METHODS, load_predictor, make_predictor, read_card, save_predictor
from unrender.render import render

SMALL = {"size": 32, "channels": (8, 16, 16), "hidden": 32, "features": 32, "subdivisions": 1}


@pytest.fixture(scope="module")
def boxes() -> PackedViews:
    """Two boxes: a high green one and a flat red one."""
    options = CaptureOptions(size=32, views=6, points=10, voxels=8)
    packed = []
    for name, sides, color in (
        ("high", (0.3, 1.0, 0.3), (0.1, 0.8, 0.1)),
        ("flat", (1.0, 0.3, 0.6), (0.8, 0.1, 0.1)),
    ):
        box = cube()
        mesh = Mesh(
            box.vertices * torch.tensor(sides), box.faces, vertex_colors=torch.tensor(color).expand(8, 3)
        )
        packed.append(pack(capture(mesh, name, "box", options)))
    return PackedViews.join(packed)


CONFIGS = {
    "dibr": DIBRConfig(**SMALL, texture_size=8, camera=True, crop=True),
    "softras": SoftRasConfig(**SMALL, color_weight=1.0),
    "nmr": NMRConfig(**SMALL),
}


@pytest.mark.parametrize("method", CONFIGS)
def test_a_few_steps_fit_two_boxes(method, boxes, device):
    torch.manual_seed(0)
    predictor = make_predictor(method, CONFIGS[method]).to(device)
    optimizer = torch.optim.Adam(predictor.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(0)
    history = []
    for step in range(60):
        views = torch.randint(6, (2, 2), generator=generator)
        batch = boxes.batch(torch.arange(2), views).to(device)
        terms = predictor.loss(batch, step / 60)
        total = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        total.backward()
        grads = [p.grad for p in predictor.parameters() if p.grad is not None]
        assert all(bool(torch.isfinite(g).all()) for g in grads)
        optimizer.step()
        history.append(float(terms["silhouette"].detach()))
    assert sum(history[-5:]) < 0.7 * sum(history[:5])


def test_the_loss_draws_every_mesh_into_every_view(boxes):
    """The silhouette term is the mean over all pairs of an input and a view, counted one by one."""
    torch.manual_seed(0)
    predictor = make_predictor("softras", SoftRasConfig(**SMALL)).eval()
    batch = boxes.batch(torch.arange(2), torch.tensor([[0, 2], [1, 5]]))
    with torch.no_grad():
        term = predictor.loss(batch, 0.0)["silhouette"].item()
        losses = []
        for o in range(2):
            for i in range(2):
                mesh = predictor(batch.pictures[o, i][None]).mesh
                assert mesh is not None
                for j in range(2):
                    assert isinstance(predictor, SoftRasPredictor)
                    alpha = render(mesh[0], batch.cameras[o, j], renderer=predictor.renderer(0.0)).alpha
                    target = batch.pictures[o, j, ..., 3]
                    both, total = (alpha * target).sum(), (alpha + target - alpha * target).sum()
                    losses.append(1 - (both / total).item())
    assert term == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_light_belongs_to_the_picture_that_is_drawn(boxes):
    """Swapping the lights of the two pictures changes the colour term by as much as rendering says."""
    torch.manual_seed(0)
    predictor = DIBRPredictor(DIBRConfig(**SMALL, texture_size=8, light="lambert")).eval()
    batch = boxes.batch(torch.tensor([0]), torch.tensor([[0, 3]]))
    with torch.no_grad():
        term = predictor.loss(batch, 0.0)["color"].item()
        prediction = predictor(batch.pictures[0])
        assert prediction.mesh is not None
        assert prediction.light is not None
        expected = []
        for i in range(2):
            for j in range(2):
                light = prediction.light[j]
                rgb = render(
                    prediction.mesh[i], batch.cameras[0, j], light.lights(), material=light.material()
                ).rgb
                expected.append((rgb - batch.pictures[0, j, ..., :3]).abs().sum(-1).mean().item())
    assert term == pytest.approx(sum(expected) / 4, rel=1e-4)


def test_recorded_light_teaches_the_head_and_lights_the_pictures(boxes):
    torch.manual_seed(0)
    config = DIBRConfig(**SMALL, texture_size=8, light_weight=2.0)
    predictor = DIBRPredictor(config)
    batch = boxes.batch(torch.tensor([0, 1]), torch.tensor([[0, 3], [2, 5]]))
    terms = predictor.loss(batch, 0.0)
    with torch.no_grad():
        prediction = predictor(batch.pictures.flatten(0, 1))
        assert prediction.light is not None
        assert batch.lights is not None
        found, truth = sphere_irradiance(prediction.light), sphere_irradiance(batch.lights.reshape(4))
        assert terms["light"].item() == pytest.approx(2 * (found - truth).square().mean().item(), rel=1e-4)
        assert prediction.mesh is not None
        expected = []
        for i in range(4):  # each mesh in both pictures of its object, each under the light recorded for it
            for j in range(2):
                light = batch.lights[i // 2][j]
                rgb = render(prediction.mesh[i], batch.cameras[i // 2, j], light.lights()).rgb
                expected.append((rgb - batch.pictures[i // 2, j, ..., :3]).abs().sum(-1).mean().item())
    assert terms["color"].item() == pytest.approx(sum(expected) / 8, rel=1e-3)
    terms["color"].backward(retain_graph=True)
    head = predictor.light_head
    assert head is not None
    assert all(p.grad is None for p in head.parameters())  # pictures alone do not move it
    terms["light"].backward()
    assert all(p.grad is not None for p in head.parameters())


def test_light_is_found_in_the_frames_of_likely_cameras_by_an_encoder_of_its_own(boxes):
    torch.manual_seed(0)
    config = DIBRConfig(**SMALL, texture_size=8, camera=True, crop=True, light_weight=1.0, light_encoder=True)
    predictor = DIBRPredictor(config).eval()
    head, camera_head = predictor.light_head, predictor.camera_head
    assert head is not None
    assert camera_head is not None
    batch = boxes.batch(torch.tensor([0]), torch.tensor([[0, 3, 5]]))
    pictures, cameras = batch.pictures[0], batch.cameras[0]
    azimuth, elevation = view_angles(cameras)
    position = azimuth * (camera_head.bins / (2 * torch.pi)) % camera_head.bins
    nearest = position.round() % camera_head.bins
    scores = torch.full((3, camera_head.bins), -50.0).scatter(1, nearest.long()[:, None], 50.0)
    offset = (position - nearest + camera_head.bins / 2) % camera_head.bins - camera_head.bins / 2
    sure = ViewDirections(scores, offset[:, None].expand_as(scores), elevation[:, None].expand_as(scores))
    with torch.no_grad():
        head.layers[-1].weight.normal_()  # pyright: ignore[reportCallIssue]
        features = predictor.encoder(pictures)
        known = predictor.light(features, pictures, cameras)
        believed = predictor.light(features, pictures)
        camera_head.forward = lambda features: sure
        right = predictor.light(features, pictures)
    assert known is not None
    assert believed is not None
    assert right is not None
    torch.testing.assert_close(sphere_irradiance(right), sphere_irradiance(known), atol=1e-3, rtol=1e-3)
    assert float((sphere_irradiance(believed) - sphere_irradiance(known)).abs().max()) > 0.1
    del camera_head.forward
    predictor.loss(batch, 0.0)["light"].backward()
    assert all(p.grad is None for p in predictor.encoder.parameters())
    assert predictor.light_encoder is not None
    assert all(p.grad is not None for p in predictor.light_encoder.parameters())
    with pytest.raises(InputError, match="light_encoder=True needs a light to predict"):
        DIBRConfig(light="none", light_encoder=True)


def test_recorded_light_that_is_not_there_is_asked_for(boxes):
    predictor = DIBRPredictor(DIBRConfig(**SMALL, texture_size=8, light_weight=1.0))
    rows, views = torch.tensor([0, 1]), torch.tensor([[0, 3], [2, 5]])
    for lights in ([None, boxes.lights[1]], [LightRecord("none")] * 2):
        batch = dataclasses.replace(boxes, lights=lights).batch(rows, views)
        with pytest.raises(InputError, match="light_weight needs a data set that records the light"):
            predictor.loss(batch, 0.0)
    for kind in ("none", "phong"):
        with pytest.raises(InputError, match=f"needs light harmonics or lambert, got {kind}"):
            DIBRConfig(light=kind, light_weight=1.0)


def test_colors_of_softras_leave_the_shape_alone(boxes):
    predictor = make_predictor("softras", CONFIGS["softras"])
    predictor.loss(boxes.batch(torch.arange(2), torch.tensor([[0, 1], [2, 3]])), 0.0)["color"].backward()
    encoder = [p.grad for name, p in predictor.named_parameters() if name.startswith(("encoder", "shape"))]
    assert all(g is None or not g.any() for g in encoder)


def test_a_camera_places_the_prediction_on_the_mask(boxes):
    torch.manual_seed(0)
    predictor = make_predictor("dibr", CONFIGS["dibr"]).eval()
    crops = boxes.cropped(32)
    batch = crops.batch(torch.arange(2), torch.tensor([[0], [1]]))
    with torch.no_grad():
        prediction = predictor(batch.pictures[:, 0])
        assert prediction.camera is not None
        assert prediction.mesh is not None
        mask = render(prediction.mesh, prediction.camera).mask
    for drawn, alpha in zip(mask, batch.pictures[:, 0, ..., 3], strict=True):
        a, b = drawn.nonzero().float(), (alpha > 0.5).nonzero().float()
        assert (a.mean(0) - b.mean(0)).norm() < 6
        middle = [(p.amin(0) + p.amax(0)) / 2 for p in (a, b)]
        assert (middle[0] - middle[1]).abs().max() <= 1.5
    plain = DIBRPredictor(DIBRConfig(**SMALL))
    with pytest.raises(InputError, match="camera head"):
        plain.cameras(batch.pictures[:, 0], prediction, count=1)


@pytest.mark.parametrize("method", CONFIGS)
@pytest.mark.parametrize("half", [False, True])
def test_files_give_the_predictor_back(method, half, tmp_path, boxes):
    predictor = make_predictor(method, CONFIGS[method]).eval()
    file = tmp_path / "p.safetensors"
    save_predictor(predictor, file, card={"data": "boxes"}, half=half)
    again = load_predictor(file)
    assert again.config == predictor.config
    assert read_card(file) == {"data": "boxes"}
    pictures = boxes.batch(torch.arange(2), torch.tensor([[0], [1]])).pictures[:, 0]
    with torch.no_grad():
        before, after = predictor(pictures).mesh, again(pictures).mesh
    assert before is not None
    assert after is not None
    assert torch.allclose(before.vertices, after.vertices, atol=5e-3 if half else 0)
    assert half or torch.equal(before.vertices, after.vertices)


def test_bad_files_and_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="method must be one of dibr"):
        make_predictor("pix2mesh")
    with pytest.raises(InputError, match="DIBRConfig"):
        make_predictor("dibr", NMRConfig())
    with pytest.raises(InputError, match="does not exist"):
        load_predictor(tmp_path / "no.safetensors")
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"123")
    with pytest.raises(InputError, match="readable"):
        load_predictor(bad)
    predictor = make_predictor("nmr", CONFIGS["nmr"])
    with torch.no_grad():
        next(predictor.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        save_predictor(predictor, tmp_path / "nan.safetensors")


def test_every_method_can_be_found():
    for method in METHODS:
        if method not in ("retrieval", "mean-shape"):  # built from data, see test_retrieval.py
            assert make_predictor(method).method == method


@pytest.mark.parametrize("method", CONFIGS)
def test_renders_stay_in_single_precision_under_autocast(method, boxes, device, monkeypatch):
    torch.manual_seed(0)
    predictor = make_predictor(method, CONFIGS[method]).to(device).eval()
    batch = boxes.batch(torch.arange(2), torch.tensor([[0, 1], [2, 4]])).to(device)
    exact = predictor.loss(batch, 0.0)
    seen = []

    def spy(mesh, camera, light=None, **options):
        seen.append((mesh.vertices.dtype, torch.is_autocast_enabled(device.type)))
        return render(mesh, camera, light, **options)

    monkeypatch.setattr(mesh_predictor, "render", spy)
    with torch.autocast(device.type, torch.bfloat16):
        assert predictor.get_submodule("encoder")(batch.pictures[:, 0]).dtype == torch.bfloat16
        rough = predictor.loss(batch, 0.0)
    assert seen == [(torch.float32, False)]
    for name, value in exact.items():
        assert rough[name].dtype == torch.float32 or name == "camera"
        torch.testing.assert_close(rough[name].float(), value, rtol=0.1, atol=0.05)


def test_encoders_start_from_weights_in_a_file(tmp_path):
    source = ResNet(18, in_channels=3)
    file = tmp_path / "resnet18.pth"
    torch.save({**source.state_dict(), "fc.weight": torch.zeros(1000, 512)}, file)
    small = {**SMALL, "encoder": "resnet18", "encoder_file": str(file)}
    predictor = make_predictor("nmr", NMRConfig(**small))
    predictor.prepare_training()
    weights = dict(predictor.named_parameters())
    assert torch.equal(weights["encoder.0.conv1.weight"][:, :3], source.conv1.weight)
    with pytest.raises(InputError, match="encoder_file needs a residual network"):
        NMRConfig(encoder_file=str(file))


def test_critic_and_perceptual_distance_teach(boxes, tmp_path, device):
    torch.manual_seed(0)
    file = tmp_path / "seen.safetensors"
    save_predictor(make_predictor("dibr", CONFIGS["dibr"]), file)
    config = DIBRConfig(
        **SMALL, texture_size=8, adversarial_weight=0.1, perceptual_weight=0.5, perceptual_file=str(file)
    )
    predictor = DIBRPredictor(config).to(device)
    batch = boxes.batch(torch.arange(2), torch.tensor([[0, 1], [2, 4]])).to(device)
    plain = set(predictor.loss(batch, 0.0))
    predictor.prepare_training()
    predictor.to(device)
    terms = predictor.loss(batch, 0.0)
    assert set(terms) - plain == {"perceptual", "adversarial", "critic", "penalty"}

    critic, decoder = list(predictor.aids["critic"].parameters()), list(predictor.colors.parameters())
    for name, taught in (("adversarial", decoder), ("perceptual", decoder), ("critic", critic)):
        others = critic if taught is decoder else decoder
        grads = torch.autograd.grad(terms[name], [*taught, *others], retain_graph=True, allow_unused=True)
        assert any(bool((g != 0).any()) for g in grads[: len(taught)] if g is not None), name
        assert all(g is None or not bool(g.any()) for g in grads[len(taught) :]), name

    save_predictor(predictor, tmp_path / "taught.safetensors")
    again = load_predictor(tmp_path / "taught.safetensors")
    assert not again.aids
    with pytest.raises(InputError, match="perceptual_weight needs perceptual_file"):
        DIBRConfig(perceptual_weight=1.0)
