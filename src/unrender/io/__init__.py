"""Files: meshes, pictures, view sets."""

from .meshes import load_mesh, save_mesh
from .pictures import contact_sheet, load_picture, save_animation, save_picture
from .unwrap import unwrap
from .views import Views, load_views, save_views

__all__ = [
    "Views",
    "contact_sheet",
    "load_mesh",
    "load_picture",
    "load_views",
    "save_animation",
    "save_mesh",
    "save_picture",
    "save_views",
    "unwrap",
]
