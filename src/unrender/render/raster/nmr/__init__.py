"""Neural 3D Mesh Renderer (Kato et al., CVPR 2018): a hard picture with a hand-made gradient of its edges."""

from .renderer import NeuralMesh
from .scan import scan_edges

__all__ = ["NeuralMesh", "scan_edges"]
