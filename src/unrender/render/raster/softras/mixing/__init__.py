"""The Soft Rasterizer's mixtures of colours."""
