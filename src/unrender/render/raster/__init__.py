"""Rasterization: from screen triangles to pixels, with gradients back."""
