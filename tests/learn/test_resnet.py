"""Residual networks against torchvision's names, shapes and counts, and a plain functional forward pass."""

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from unrender.errors import InputError
from unrender.learn.networks.resnet import ResNet

# parameters of torchvision's networks as its documentation gives them, with fc
PARAMETERS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032}
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def torchvision_shapes(depth: int, *, fc: bool = True) -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's state dict, written out."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["conv1.weight"] = (64, 3, 7, 7)
    norm("bn1", 64)
    before = 64
    for stage, (count, width) in enumerate(zip(BLOCKS[depth], (64, 128, 256, 512), strict=True), start=1):
        after = 4 * width if depth == 50 else width
        for i in range(count):
            name = f"layer{stage}.{i}"
            if depth == 50:
                shapes[f"{name}.conv1.weight"] = (width, before, 1, 1)
                shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
                shapes[f"{name}.conv3.weight"] = (after, width, 1, 1)
                norm(f"{name}.bn3", after)
            else:
                shapes[f"{name}.conv1.weight"] = (width, before, 3, 3)
                shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norm(f"{name}.bn1", width)
            norm(f"{name}.bn2", width)
            if i == 0 and (stage > 1 or depth == 50):
                shapes[f"{name}.downsample.0.weight"] = (after, before, 1, 1)
                norm(f"{name}.downsample.1", after)
            before = after
    if fc:
        shapes["fc.weight"], shapes["fc.bias"] = (1000, before), (1000,)
    return shapes


def torchvision_state(depth: int) -> dict[str, torch.Tensor]:
    """Random weights in torchvision's layout, such that no map dies or explodes."""
    state = {}
    for name, shape in torchvision_shapes(depth).items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif len(shape) == 4:
            state[name] = torch.randn(shape) * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        elif name.endswith("bias") or name.endswith("mean"):
            state[name] = 0.1 * torch.randn(shape)
        else:
            state[name] = 0.5 + torch.rand(shape)
    return state


def plain_forward(state: dict[str, torch.Tensor], depth: int, rgb: torch.Tensor) -> torch.Tensor:
    """Features of RGB (B, H, W, 3) by functions alone."""

    def norm(x, name):
        mean, variance, weight, bias = (
            state[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def conv(x, name, stride=1, padding=0):
        return functional.conv2d(x, state[f"{name}.weight"], stride=stride, padding=padding)

    x = (rgb - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    x = norm(conv(x.permute(0, 3, 1, 2), "conv1", 2, 3), "bn1").clamp(min=0)
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, count in enumerate(BLOCKS[depth], start=1):
        for i in range(count):
            name, stride = f"layer{stage}.{i}", 2 if i == 0 and stage > 1 else 1
            if depth == 50:
                y = norm(conv(x, f"{name}.conv1"), f"{name}.bn1").clamp(min=0)
                y = norm(conv(y, f"{name}.conv2", stride, 1), f"{name}.bn2").clamp(min=0)
                y = norm(conv(y, f"{name}.conv3"), f"{name}.bn3")
            else:
                y = norm(conv(x, f"{name}.conv1", stride, 1), f"{name}.bn1").clamp(min=0)
                y = norm(conv(y, f"{name}.conv2", 1, 1), f"{name}.bn2")
            if f"{name}.downsample.0.weight" in state:
                x = norm(conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
            x = (x + y).clamp(min=0)
    return x.flatten(2).mean(-1)


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_has_the_names_and_shapes_of_torchvision(depth):
    network = ResNet(depth, in_channels=3)
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert found == torchvision_shapes(depth, fc=False)
    assert network.features == (2048 if depth == 50 else 512)
    count = sum(weight.numel() for weight in network.parameters())
    assert count + 1000 * (network.features + 1) == PARAMETERS[depth]


@pytest.mark.parametrize("depth", [18, 50])
def test_says_what_the_plain_network_says(tmp_path, device, depth):
    state = torchvision_state(depth)
    torch.save(state, tmp_path / "weights.pth")
    network = ResNet(depth, in_channels=3).eval()
    network.load_imagenet(tmp_path / "weights.pth")
    rgb = torch.rand(2, 39, 32, 3).double()  # in single precision 50 layers differ by processor
    with torch.no_grad():
        said = network.to(device, torch.float64)(rgb.to(device)).cpu()
    state = {name: value.double() for name, value in state.items()}
    torch.testing.assert_close(said, plain_forward(state, depth, rgb), rtol=1e-6, atol=1e-6)


def test_alpha_changes_nothing_until_it_is_trained(tmp_path):
    state = torchvision_state(18)
    save_file(state, tmp_path / "weights.safetensors")
    network = ResNet(18).eval()
    network.load_imagenet(tmp_path / "weights.safetensors")
    rgba = torch.rand(2, 32, 32, 4)
    features = network(rgba)
    torch.testing.assert_close(features, plain_forward(state, 18, rgba[..., :3]), rtol=1e-3, atol=1e-4)
    features.sum().backward()
    assert network.conv1.weight.grad is not None
    assert bool((network.conv1.weight.grad[:, 3].flatten(1).abs().amax(1) > 0).any())


def test_reads_files_without_batch_counts(tmp_path):
    state = {n: v for n, v in torchvision_state(18).items() if not n.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "weights.pth")
    network = ResNet(18, in_channels=3)
    network.load_imagenet(tmp_path / "weights.pth")
    name = "layer3.1.bn2.running_var"
    assert torch.equal(network.state_dict()[name], state[name])


def test_learns_two_pictures(device):
    torch.manual_seed(0)
    network = ResNet(18).to(device)
    head = torch.nn.Linear(network.features, 1).to(device)
    pictures = torch.rand(2, 32, 32, 4, device=device)
    target = torch.tensor([[1.0], [-1.0]], device=device)
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], 2e-4)
    losses = []
    for _ in range(30):
        loss = (head(network(pictures)) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        for weight in network.parameters():
            assert weight.grad is not None
            assert bool(torch.isfinite(weight.grad).all())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_refuses_what_is_no_such_network(tmp_path):
    network = ResNet(18)
    file = tmp_path / "weights.pth"
    with pytest.raises(InputError, match=r"weights\.pth does not exist"):
        network.load_imagenet(file)
    file.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"weights\.pth is not a readable weights file"):
        network.load_imagenet(file)
    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"weights\.safetensors is not a readable weights file"):
        network.load_imagenet(tmp_path / "weights.safetensors")
    torch.save([1, 2], file)
    with pytest.raises(InputError, match="must hold a state dict, tensors by name, got list"):
        network.load_imagenet(file)
    state = torchvision_state(18)
    torch.save({n: v for n, v in state.items() if n != "layer2.0.conv2.weight"}, file)
    with pytest.raises(InputError, match=r"torchvision's resnet18; .* shape: layer2\.0\.conv2\.weight$"):
        network.load_imagenet(file)
    torch.save(state | {"layer1.0.bn1.bias": torch.zeros(3)}, file)
    with pytest.raises(InputError, match=r"shape: layer1\.0\.bn1\.bias$"):
        network.load_imagenet(file)
    torch.save(torchvision_state(34), file)
    with pytest.raises(InputError, match=r"layer1\.2"):
        network.load_imagenet(file)
    with pytest.raises(InputError, match="depth must be one of 18, 34, 50, got 101"):
        ResNet(101)
    with pytest.raises(InputError, match="in_channels must be 3 or 4, got 1"):
        ResNet(18, in_channels=1)
    with pytest.raises(InputError, match=r"pictures must have shape \(B, H, W, 4\), got \(1, 32, 32, 3\)"):
        network(torch.rand(1, 32, 32, 3))
