import pytest
import torch
from soups import Soup, make_soup


@pytest.fixture(params=["pixels", "kaolin"])
def soup(request, device) -> Soup:
    """Three pictures of 37 x 21 pixels, the middle one empty; float32."""
    return make_soup(device, kaolin=request.param == "kaolin")


@pytest.fixture(params=["pixels", "kaolin"])
def small_soup(request, device) -> Soup:
    """Two pictures of 7 x 5 pixels; float64, for gradients by finite differences and slow loops."""
    soup = make_soup(device, (3, 2), height=5, width=7, kaolin=request.param == "kaolin", largest=5.0)
    return soup.to(torch.float64)
