"""The perceptual distance against loops over layers and places, and what a distance should do."""

import numpy as np
import pytest
import torch
from torch import nn

from unrender.errors import InputError
from unrender.learn.methods.nmr import NMRConfig, NMRPredictor
from unrender.learn.networks.conv_encoder import ConvEncoder
from unrender.learn.networks.resnet import ResNet
from unrender.learn.perceptual import PerceptualDistance
from unrender.learn.registry import make_predictor, save_predictor


def encoder(batch_norm: bool = True) -> ConvEncoder:
    network = ConvEncoder(channels=(8, 12), hidden=4, features=4, size=16, batch_norm=batch_norm)
    network(torch.rand(5, 16, 16, 4))  # statistics that are not the initial ones
    return network


def by_loops(network: ConvEncoder, a: torch.Tensor, b: torch.Tensor) -> float:
    """The distance of two pictures (H, W, 4), place by place."""
    total, network = 0.0, network.eval()
    one, other = (p.permute(2, 0, 1)[None] for p in (a, b))
    with torch.no_grad():
        for layer in network.convolutions:
            one, other = layer(one), layer(other)
            if not isinstance(layer, nn.ReLU):
                continue
            _, _, height, width = one.shape
            for r in range(height):
                for c in range(width):
                    u, v = (m[0, :, r, c].double().numpy() for m in (one, other))
                    u, v = (x / np.linalg.norm(x) if x.any() else x for x in (u, v))
                    total += ((u - v) ** 2).sum() / (height * width)
    return total


@pytest.mark.parametrize("batch_norm", [False, True])
def test_is_the_sum_over_layers_of_the_mean_over_places(device, batch_norm):
    network = encoder(batch_norm)
    distance = PerceptualDistance(network).to(device)
    a, b = torch.rand(2, 3, 16, 16, 4)
    said = distance(a.to(device), b.to(device)).cpu()
    expected = torch.tensor([by_loops(network, *pair) for pair in zip(a, b, strict=True)])
    torch.testing.assert_close(said.double(), expected.double(), rtol=1e-4, atol=1e-5)


def test_is_a_distance_and_broadcasts():
    distance = PerceptualDistance(ResNet(18))
    a, b = torch.rand(2, 1, 32, 32, 4), torch.rand(3, 32, 32, 4)
    said = distance(a, b)
    assert said.shape == (2, 3)
    assert bool((said > 0).all())
    torch.testing.assert_close(said, distance(b, a))
    torch.testing.assert_close(distance(b, b), torch.zeros(3))


def test_resnet_layers_are_its_maps():
    network = ResNet(18).eval()
    distance = PerceptualDistance(network)
    a, b = torch.rand(2, 1, 32, 32, 4)
    expected = torch.zeros(())
    with torch.no_grad():
        for one, other in zip(network.maps(a), network.maps(b), strict=True):
            # |u - v|^2 = 2 - 2 cos of the angle, where neither is zero
            cosine = torch.cosine_similarity(one, other, dim=1)
            expected = expected + (2 - 2 * cosine).mean()
        torch.testing.assert_close(distance(a, b)[0], expected, rtol=1e-3, atol=1e-4)


def test_leaves_the_encoder_alone_and_itself_in_evaluation():
    network = encoder()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    distance = PerceptualDistance(network)
    distance.train()
    first = distance(torch.zeros(2, 16, 16, 4), torch.ones(2, 16, 16, 4))
    second = distance(torch.zeros(1, 16, 16, 4), torch.ones(1, 16, 16, 4))
    torch.testing.assert_close(first[:1], second)  # no batch statistics
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_pictures_descend_to_the_target(device):
    distance = PerceptualDistance(encoder()).to(device)
    target = torch.rand(1, 16, 16, 4, device=device)
    picture = torch.zeros(
        1, 16, 16, 4, device=device, requires_grad=True
    )  # empty, as renders are around objects
    optimizer = torch.optim.Adam([picture], 0.05)
    losses = []
    for _ in range(60):
        loss = distance(picture, target).sum()
        optimizer.zero_grad()
        loss.backward()
        assert picture.grad is not None
        assert bool(torch.isfinite(picture.grad).all())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("kind", ["conv", "resnet18"])
def test_takes_the_encoder_of_a_file(tmp_path, kind):
    config = NMRConfig(encoder=kind, channels=(8, 12), hidden=8, features=8, size=32, subdivisions=1)
    predictor = make_predictor("nmr", config)
    file = tmp_path / "predictor.safetensors"
    save_predictor(predictor, file)
    distance = PerceptualDistance.of_predictor(file)
    assert isinstance(predictor, NMRPredictor)
    inner = predictor.encoder[0] if isinstance(predictor.encoder, nn.Sequential) else predictor.encoder
    expected = PerceptualDistance(inner)
    a, b = torch.rand(2, 2, 32, 32, 4)
    assert torch.equal(distance(a, b), expected(a, b))
    assert not any(weight.requires_grad for weight in distance.parameters())


def test_refuses_what_it_cannot_use(tmp_path):
    with pytest.raises(InputError, match="encoder must be a ConvEncoder or a ResNet, got Linear"):
        PerceptualDistance(nn.Linear(2, 2))
    distance = PerceptualDistance(encoder())
    with pytest.raises(InputError, match=r"must have one shape \(\.\.\., H, W, C\)"):
        distance(torch.rand(1, 16, 16, 4), torch.rand(1, 32, 32, 4))
    file = tmp_path / "mean.safetensors"
    save_predictor(make_predictor("mean-shape"), file)
    with pytest.raises(InputError, match="holds a predictor without an encoder, mean-shape"):
        PerceptualDistance.of_predictor(file)
