"""WGAN-GP against critics whose gradient is known, and a generator of one number."""

import pytest
import torch
from torch import nn

from unrender.errors import InputError
from unrender.learn.adversarial import Critic, adversarial_loss, critic_loss


class Linear(nn.Module):
    """D(x) = w x."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, pictures):
        return (pictures * self.weights).sum((1, 2, 3))


def test_a_linear_critic_is_held_to_slope_one(device):
    weights = torch.randn(4, 4, 4, device=device)
    real, fake = torch.rand(2, 3, 4, 4, 4, device=device)
    critic = Linear(weights)
    terms = critic_loss(critic, real, fake, penalty=7.0)
    length = weights.norm()
    torch.testing.assert_close(terms["penalty"].detach(), 7 * (length - 1) ** 2)
    torch.testing.assert_close(
        terms["critic"].detach(), ((fake - real) * weights).sum((1, 2, 3)).mean(), rtol=1e-4, atol=1e-5
    )
    (gradient,) = torch.autograd.grad(terms["penalty"], critic.weights)
    torch.testing.assert_close(gradient, 14 * (length - 1) * weights / length)


def test_the_slope_is_taken_on_the_lines_between_the_pictures():
    real, fake = torch.ones(500, 1, 1, 4), torch.zeros(500, 1, 1, 4)
    terms = critic_loss(lambda x: x.square().sum((1, 2, 3)) / 2, real, fake, penalty=1.0)
    # the slope at share t is 2 t long, so the mean of (2 t - 1)^2 over t in [0, 1] is 1/3
    assert terms["penalty"].item() == pytest.approx(1 / 3, abs=0.05)


def test_no_gradient_flows_to_the_pictures_of_the_critics_step():
    fake = torch.rand(2, 8, 8, 4, requires_grad=True)
    critic = Critic(8, width=4)
    sum(critic_loss(critic, torch.rand(2, 8, 8, 4), fake).values(), torch.zeros(())).backward()
    assert fake.grad is None
    for name, weight in critic.named_parameters():
        # the last bias cancels out
        assert weight.grad is not None, name
        assert bool(torch.isfinite(weight.grad).all()), name
    assert all(bool((w.grad != 0).any()) for n, w in critic.named_parameters() if "weight" in n)


def test_a_flat_critic_has_finite_gradients():
    critic = Linear(torch.zeros(8, 8, 4))
    critic_loss(critic, *torch.rand(2, 2, 8, 8, 4))["penalty"].backward()
    assert critic.weights.grad is not None
    assert bool(torch.isfinite(critic.weights.grad).all())


def test_the_same_generator_gives_the_same_loss():
    critic, (real, fake) = Critic(8, width=4), torch.rand(2, 3, 8, 8, 4)
    first, second, third = (
        critic_loss(critic, real, fake, generator=torch.Generator().manual_seed(seed))["penalty"].item()
        for seed in (5, 5, 6)
    )
    assert first == second != third


def test_the_critic_learns_to_tell_pictures_apart(device):
    critic = Critic(16, width=8).to(device)
    real = 0.5 + 0.5 * torch.rand(8, 16, 16, 4, device=device)
    fake = 0.5 * torch.rand(8, 16, 16, 4, device=device)
    optimizer = torch.optim.Adam(critic.parameters(), 1e-3, betas=(0.5, 0.9))
    losses = []
    for _ in range(60):
        loss = sum(critic_loss(critic, real, fake).values(), torch.zeros((), device=device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 5
    assert bool((critic(real).min() > critic(fake).max()).all())


def test_a_generator_of_colours_moves_to_the_real_ones(device):
    wanted = torch.tensor([0.8, 0.3, 0.6, 1.0], device=device)
    colour = torch.full((4,), 0.5, device=device, requires_grad=True)
    critic = Critic(8, width=8).to(device)
    teacher = torch.optim.Adam(critic.parameters(), 2e-3, betas=(0.0, 0.9))
    student = torch.optim.Adam([colour], 2e-2, betas=(0.0, 0.9))
    for _ in range(60):
        for _ in range(3):
            noise = 0.05 * torch.randn(2, 8, 8, 8, 4, device=device)
            terms = critic_loss(critic, wanted + noise[0], colour + noise[1])
            teacher.zero_grad()
            sum(terms.values(), torch.zeros((), device=device)).backward()
            teacher.step()
        student.zero_grad()
        adversarial_loss(critic, colour.expand(8, 8, 8, 4)).backward()
        assert colour.grad is not None
        assert bool(torch.isfinite(colour.grad).all())
        student.step()
    start = (wanted - 0.5).abs()
    assert float((wanted - colour.detach()).abs().max()) < 0.4 * float(start.max())


def test_refuses_other_sizes():
    with pytest.raises(InputError, match=r"size must be 8, 16, 32, 64 .* got 48"):
        Critic(48)
    with pytest.raises(InputError, match=r"size must be 8, 16, .* got 4"):
        Critic(4)
    with pytest.raises(InputError, match=r"pictures must have shape \(B, 8, 8, 4\), got \(1, 16, 16, 4\)"):
        Critic(8)(torch.rand(1, 16, 16, 4))
    with pytest.raises(InputError, match="real and fake must have one shape"):
        critic_loss(Critic(8), torch.rand(1, 8, 8, 4), torch.rand(2, 8, 8, 4))
