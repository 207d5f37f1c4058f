"""DIB-R (Chen et al., NeurIPS 2019): interpolated foreground, distance-aggregated background."""

from .renderer import DIBR
from .silhouette import soft_mask

__all__ = ["DIBR", "soft_mask"]
