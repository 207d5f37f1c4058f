"""Cameras of other programs, to and from ours.

Each converter is exact to the half pixel: a point that the other program puts at the centre of a pixel, we
put at the centre of the same pixel. Our convention is that of :class:`~unrender.render.camera.Camera`: OpenCV
axes (x right, y down, z forward), pixel positions from 0 to width, pixel centres at + 0.5. A picture position
in [-1, 1] means that -1 and 1 are the outer borders of the picture, not the centres of its outermost pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from .camera import Camera, Floats
from .quaternion import quaternion_from_rotation, rotation_from_quaternion

# Parameters of the COLMAP models without fisheye, and which of them are fx, fy, cx, cy; the others distort.
_COLMAP_MODELS = {
    "SIMPLE_PINHOLE": (3, (0, 0, 1, 2)),
    "PINHOLE": (4, (0, 1, 2, 3)),
    "SIMPLE_RADIAL": (4, (0, 0, 1, 2)),
    "RADIAL": (5, (0, 0, 1, 2)),
    "OPENCV": (8, (0, 1, 2, 3)),
    "FULL_OPENCV": (12, (0, 1, 2, 3)),
}


def from_opengl(
    camera_to_world: Tensor, intrinsics: Tensor, *, width: int, height: int, orthographic: bool = False
) -> Camera:
    """Camera from an OpenGL, Blender or NeRF pose: x right, y up, looking along -z.

    The world stays as it is. Blender and NeRF worlds have +Z up where ours has +Y up; the reader of
    ``transforms.json`` turns them, this function does not. The inverse of Kaolin's
    ``Camera.view_matrix()`` and of an OpenGL view matrix are such poses too.

    Args:
        camera_to_world: rigid pose, shape (..., 4, 4).
        intrinsics: [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in our pixels, shape (..., 3, 3).
        width: columns of the picture.
        height: rows of the picture.
        orthographic: parallel projection.

    Raises:
        InputError: ``camera_to_world`` is not a rigid (..., 4, 4) transform.
    """
    _require_rigid(camera_to_world, "camera_to_world")
    world_to_camera = _flip_camera_axes(torch.linalg.inv(camera_to_world), 1, -1, -1)
    return Camera(world_to_camera, intrinsics, width, height, orthographic)


def to_opengl(camera: Camera) -> Tensor:
    """OpenGL, Blender or NeRF pose of a camera, camera to world, shape (..., 4, 4); see :func:`from_opengl`.

    ``camera.intrinsics`` hold in that convention as they are.
    """
    return torch.linalg.inv(_flip_camera_axes(camera.world_to_camera, 1, -1, -1))


def from_colmap(
    quaternion: Tensor,
    translation: Tensor,
    params: Tensor,
    *,
    width: int,
    height: int,
    model: str = "PINHOLE",
) -> Camera:
    """Camera from COLMAP's world-to-camera quaternion and translation and its intrinsic parameters.

    COLMAP has our axes and our pixel positions (centre of the upper left pixel at (0.5, 0.5)).

    Args:
        quaternion: (w, x, y, z), of any length but 0, shape (..., 4).
        translation: shape (..., 3).
        params: in COLMAP's order for ``model``, shape (..., number of parameters) [pixels].
        model: COLMAP's name; the distortion parameters of models beyond the pinhole must be 0.
        width: columns of the picture.
        height: rows of the picture.

    Raises:
        InputError: a shape is wrong, or the model distorts.
    """
    _require_shape(quaternion, (4,), "quaternion")
    _require_shape(translation, (3,), "translation")
    if model not in _COLMAP_MODELS:
        raise InputError(
            f"camera model must be one of {', '.join(_COLMAP_MODELS)}, got {model}; "
            "run COLMAP's image_undistorter first"
        )
    count, places = _COLMAP_MODELS[model]
    _require_shape(params, (count,), f"params of {model}")
    distortion = [i for i in range(count) if i not in places]
    if distortion and bool((params[..., distortion] != 0).any()):
        raise InputError(f"{model} camera has lens distortion; run COLMAP's image_undistorter first")
    pose = _affine(rotation_from_quaternion(quaternion), translation)
    fx, fy, cx, cy = params[..., list(places)].unbind(dim=-1)
    return Camera(pose, _intrinsics(fx, fy, cx, cy), width, height)


def to_colmap(camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Quaternion (..., 4), translation (..., 3) and PINHOLE parameters (..., 4); see :func:`from_colmap`.

    Raises:
        InputError: the camera is orthographic or has skew.
    """
    _require_pinhole(camera, "COLMAP")
    params = torch.stack(_without_skew(camera), dim=-1)
    pose = camera.world_to_camera
    return quaternion_from_rotation(pose[..., :3, :3]), pose[..., :3, 3], params


def from_pytorch3d(
    R: Tensor,
    T: Tensor,
    focal_length: float | Tensor,
    principal_point: Floats = (0.0, 0.0),
    *,
    width: int,
    height: int,
    in_ndc: bool = True,
    orthographic: bool = False,
) -> Camera:
    """Camera from PyTorch3D's ``PerspectiveCameras`` or ``OrthographicCameras``.

    PyTorch3D multiplies row vectors, ``x_camera = x_world R + T``, and has +x left, +y up, +z forward. Its
    NDC has the same +x left and +y up; the shorter side of the picture spans [-1, 1]. In screen space the
    focal length and principal point are those of our pixels. A ``FoVPerspectiveCameras`` of a square picture
    has ``focal_length = 1 / tan(fov / 2)``.

    Args:
        R: shape (..., 3, 3).
        T: shape (..., 3).
        focal_length: a number, or shape (..., 1) or (..., 2) for x and y.
        principal_point: shape (..., 2).
        width: columns of the picture.
        height: rows of the picture.
        in_ndc: focal length and principal point are given in NDC, else in pixels.
        orthographic: parallel projection.

    Raises:
        InputError: a shape is wrong, or ``R`` is not a rotation.
    """
    _require_shape(R, (3, 3), "R")
    _require_shape(T, (3,), "T")
    pose = _affine(R.mT, T)
    _require_rigid(pose, "R")
    focal = torch.as_tensor(focal_length, dtype=R.dtype, device=R.device)
    if focal.ndim and focal.shape[-1] not in (1, 2):
        raise InputError(
            f"focal_length must be a number or have shape (..., 1 or 2), got {tuple(focal.shape)}"
        )
    focal = focal.expand(*focal.shape[:-1], 2)
    point = torch.as_tensor(principal_point, dtype=R.dtype, device=R.device)
    if in_ndc:
        scale = min(width, height) / 2
        focal, point = focal * scale, point.new_tensor([width / 2, height / 2]) - point * scale
    intrinsics = _intrinsics(*focal.unbind(dim=-1), *point.unbind(dim=-1))
    return Camera(_flip_camera_axes(pose, -1, -1, 1), intrinsics, width, height, orthographic)


def to_pytorch3d(camera: Camera) -> dict[str, Tensor]:
    """Arguments of PyTorch3D's ``PerspectiveCameras`` or ``OrthographicCameras``, in NDC.

    The other direction is :func:`from_pytorch3d`.

    Returns:
        R (..., 3, 3), T (..., 3), focal_length (..., 2) and principal_point (..., 2), by name.

    Raises:
        InputError: the camera has skew.
    """
    fx, fy, cx, cy = _without_skew(camera)
    pose = _flip_camera_axes(camera.world_to_camera, -1, -1, 1)
    scale = min(camera.width, camera.height) / 2
    return {
        "R": pose[..., :3, :3].mT,
        "T": pose[..., :3, 3],
        "focal_length": torch.stack((fx, fy), dim=-1) / scale,
        "principal_point": torch.stack((camera.width / 2 - cx, camera.height / 2 - cy), dim=-1) / scale,
    }


def from_kaolin(camera_transform: Tensor, camera_proj: Tensor, *, width: int, height: int) -> Camera:
    """Camera from the transform and projection vector of Kaolin's ``kaolin.render.camera`` functions.

    Kaolin's DIB-R camera has x right, y up and looks along -z; row vectors, ``x_camera = (x_world, 1) M``;
    the picture spans [-1, 1] in both directions, y up.

    Args:
        camera_transform: M of ``generate_transformation_matrix``, shape (..., 4, 3).
        camera_proj: (1 / (ratio tan(fov_y / 2)), 1 / tan(fov_y / 2), -1) of
            ``generate_perspective_projection``, shape (..., 3, 1).
        width: columns of the picture.
        height: rows of the picture.

    Raises:
        InputError: a shape is wrong, or the transform is not rigid.
    """
    _require_shape(camera_transform, (4, 3), "camera_transform")
    _require_shape(camera_proj, (3, 1), "camera_proj")
    pose = _affine(camera_transform[..., :3, :].mT, camera_transform[..., 3, :])
    _require_rigid(pose, "camera_transform")
    x, y, z = camera_proj.to(pose).squeeze(-1).unbind(dim=-1)
    half_width, half_height = torch.full_like(x, width / 2), torch.full_like(y, height / 2)
    intrinsics = _intrinsics(-x / z * half_width, -y / z * half_height, half_width, half_height)
    return Camera(_flip_camera_axes(pose, 1, -1, -1), intrinsics, width, height)


def to_kaolin(camera: Camera) -> tuple[Tensor, Tensor]:
    """Kaolin's camera_transform (..., 4, 3) and camera_proj (..., 3, 1); see :func:`from_kaolin`.

    Raises:
        InputError: the camera is orthographic, has skew, or its principal point is not the picture's centre.
    """
    _require_pinhole(camera, "Kaolin's DIB-R")
    fx, fy = _focal_of_centred(camera, "Kaolin")
    pose = _flip_camera_axes(camera.world_to_camera, 1, -1, -1)
    projection = torch.stack(
        (fx / (camera.width / 2), fy / (camera.height / 2), -torch.ones_like(fx)), dim=-1
    )
    return pose[..., :3, :].mT, projection[..., None]


def from_softras(
    distance: Floats, elevation: Floats, azimuth: Floats, *, half_fov: float | Tensor, size: int
) -> Camera:
    """Camera from the angles of Soft Rasterizer and Neural 3D Mesh Renderer (``get_points_from_angles``).

    Their camera stands at (d cos(e) sin(a), d sin(e), -d cos(e) cos(a)) and looks at the origin with x
    right, y up and z into the picture: a left-handed frame, so their pictures show a right-handed world
    mirrored. We keep the pictures and mirror the world: **their z axis is our -z axis**. A point (x, y, z) of
    theirs is our (x, y, -z), and faces turn round with it; :func:`flip_handedness` does both, in either
    direction. In our world azimuth 0 then looks from +Z and 90 from +X, as in :meth:`Camera.orbit`.

    Args:
        distance: to the origin, shape (...).
        elevation: between -90 and 90 [degrees], shape (...).
        azimuth: [degrees], shape (...).
        half_fov: HALF of the angle of view [degrees] (their ``viewing_angle``: 30 by default, 15 in their
            data sets), shape (...).
        size: rows and columns of the square picture.

    Raises:
        InputError: as :meth:`Camera.orbit`.
    """
    return Camera.orbit(distance, elevation, azimuth, fov_y=2 * half_fov, width=size, height=size)


def to_softras(camera: Camera) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distance, elevation, azimuth and half field of view [degrees], each (...); see :func:`from_softras`.

    The picture is that of the mesh after :func:`flip_handedness`.

    Raises:
        InputError: the camera is not one that these four numbers can describe: pinhole, square picture,
            square pixels, centred, upright, looking at the origin.
    """
    _require_pinhole(camera, "SoftRas")
    fx, fy = _focal_of_centred(camera, "SoftRas")
    if camera.width != camera.height or not torch.allclose(fx, fy, rtol=1e-4):
        raise InputError("a SoftRas camera has a square picture and square pixels")
    rotation, translation = camera.world_to_camera[..., :3, :3], camera.world_to_camera[..., :3, 3]
    distance = translation[..., 2]
    sideways = torch.linalg.vector_norm(translation[..., :2], dim=-1)
    if bool((distance <= 0).any()) or bool((sideways > 1e-4 * distance).any()):
        raise InputError("a SoftRas camera looks at the origin")
    if bool((rotation[..., 0, 1].abs() > 1e-4).any()) or bool((rotation[..., 1, 1] > 1e-4).any()):
        raise InputError("a SoftRas camera stands upright: its x axis is horizontal, its y axis points down")
    elevation = torch.rad2deg(torch.atan2(-rotation[..., 2, 1], -rotation[..., 1, 1]))
    azimuth = torch.rad2deg(torch.atan2(-rotation[..., 0, 2], rotation[..., 0, 0]))
    return distance, elevation, azimuth, torch.rad2deg(torch.atan(camera.width / 2 / fx))


def flip_handedness(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror a mesh between SoftRas's or N3MR's left-handed world and ours; its own inverse.

    Args:
        vertices: shape (..., V, 3).
        faces: shape (F, 3); give ``uv_faces`` the same treatment.

    Returns:
        Vertices with z negated, and faces with their last two corners exchanged, so that the outside stays
        outside.
    """
    return vertices * vertices.new_tensor([1.0, 1.0, -1.0]), faces[..., [0, 2, 1]]


def from_dvr(
    world_mat: Tensor, camera_mat: Tensor, scale_mat: Tensor | None = None, *, width: int, height: int
) -> Camera:
    """Camera from the matrices of Differentiable Volumetric Rendering, in the frame of the normalised object.

    DVR projects ``p = camera_mat @ world_mat @ scale_mat @ (x, 1)`` to the picture position
    ``(p_0, p_1) / p_2`` in [-1, 1], (-1, -1) at the upper left. ``scale_mat`` takes the normalised object
    (unit cube about the origin) to the world of ``world_mat``; our world is the normalised one. Where the
    product of the two has a scale, it is divided out: the picture stays, depth is in normalised units. Where
    it mirrors (negative determinant) our world is theirs with z negated, as in :func:`from_softras`.

    Args:
        world_mat: world to camera, x right, y down, z forward, shape (..., 4, 4) or (..., 3, 4).
        camera_mat: [[fx, s, cx, 0], [0, fy, cy, 0], [0, 0, 1, 0], [0, 0, 0, 1]] in units of [-1, 1], shape
            (..., 4, 4).
        scale_mat: normalised to world, shape (..., 4, 4); identity when None.
        width: columns of the picture.
        height: rows of the picture.

    Raises:
        InputError: a shape is wrong, ``world_mat @ scale_mat`` is not a similarity, only some of the cameras
            mirror, or ``camera_mat`` is not of the form above.
    """
    if world_mat.ndim < 2 or tuple(world_mat.shape[-2:]) not in ((4, 4), (3, 4)):
        raise InputError(
            f"world_mat must have shape (..., 4, 4) or (..., 3, 4), got {tuple(world_mat.shape)}"
        )
    _require_shape(camera_mat, (4, 4), "camera_mat")
    if bool((camera_mat[..., :3, 3] != 0).any()) or not torch.allclose(
        camera_mat[..., 2, :3], camera_mat.new_tensor([0.0, 0.0, 1.0])
    ):
        raise InputError("camera_mat must have the third row (0, 0, 1, 0) and no translation")
    similarity = _affine(world_mat[..., :3, :3], world_mat[..., :3, 3])
    if scale_mat is not None:
        _require_shape(scale_mat, (4, 4), "scale_mat")
        similarity = similarity @ scale_mat
    determinant = torch.linalg.det(similarity[..., :3, :3])
    mirrored = determinant < 0
    if bool(mirrored.any()):
        if not bool(mirrored.all()):
            raise InputError("all cameras must have one handedness, but only some have det(world_mat) < 0")
        similarity = similarity * similarity.new_tensor([1.0, 1.0, -1.0, 1.0])
    scale = determinant.abs()[..., None, None] ** (1 / 3)
    pose = _affine(similarity[..., :3, :3] / scale, similarity[..., :3, 3] / scale.squeeze(-1))
    _require_rigid(pose, "world_mat @ scale_mat, up to its scale,")
    factor, offset = _viewport(pose, width, height)
    return Camera(pose, camera_mat[..., :3, :3] * factor + offset, width, height)


def to_dvr(camera: Camera) -> tuple[Tensor, Tensor]:
    """DVR's world_mat and camera_mat, each (..., 4, 4), for an identity scale_mat; see :func:`from_dvr`.

    Raises:
        InputError: the camera is orthographic.
    """
    _require_pinhole(camera, "DVR")
    factor, offset = _viewport(camera.intrinsics, camera.width, camera.height)
    camera_mat = (camera.intrinsics - offset) / factor
    return camera.world_to_camera, _affine(camera_mat, torch.zeros_like(camera_mat[..., 0]))


def _flip_camera_axes(world_to_camera: Tensor, x: int, y: int, z: int) -> Tensor:
    return world_to_camera * world_to_camera.new_tensor([[x], [y], [z], [1]])


def _affine(linear: Tensor, translation: Tensor) -> Tensor:
    """Matrix (..., 4, 4) of a linear part (..., 3, 3) and a translation (..., 3)."""
    batch = torch.broadcast_shapes(linear.shape[:-2], translation.shape[:-1])
    top = torch.cat((linear.expand(*batch, 3, 3), translation.expand(*batch, 3)[..., None]), dim=-1)
    return torch.cat((top, top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*batch, 1, 4)), dim=-2)


def _intrinsics(fx: Tensor, fy: Tensor, cx: Tensor, cy: Tensor) -> Tensor:
    fx, fy, cx, cy = torch.broadcast_tensors(fx, fy, cx, cy)
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = ((fx, zero, cx), (zero, fy, cy), (zero, zero, one))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _viewport(like: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Factor and offset that turn intrinsics in [-1, 1], y down, into intrinsics in pixels."""
    factor = like.new_tensor([[width / 2], [height / 2], [1.0]])
    offset = like.new_tensor([[0.0, 0.0, width / 2], [0.0, 0.0, height / 2], [0.0, 0.0, 0.0]])
    return factor, offset


def _require_shape(tensor: Tensor, last: tuple[int, ...], name: str) -> None:
    if tensor.ndim < len(last) or tuple(tensor.shape[-len(last) :]) != last:
        sizes = ", ".join(map(str, last))
        raise InputError(f"{name} must have shape (..., {sizes}), got {tuple(tensor.shape)}")


def _require_rigid(matrix: Tensor, name: str) -> None:
    """A rotation and a translation, to the precision that text files are written with."""
    _require_shape(matrix, (4, 4), name)
    rotation = matrix[..., :3, :3].detach()
    products = (rotation[..., :, None, :] * rotation[..., None, :, :]).sum(dim=-1)
    error = float((products - torch.eye(3, dtype=matrix.dtype, device=matrix.device)).abs().max())
    if not error < 1e-3 or bool((torch.linalg.det(rotation) < 0).any()):
        raise InputError(f"{name} must be a rotation with a translation, but it scales, shears or mirrors")


def _require_pinhole(camera: Camera, program: str) -> None:
    if camera.orthographic:
        raise InputError(f"a {program} camera is a pinhole camera, got an orthographic one")


def _without_skew(camera: Camera) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """fx, fy, cx, cy, each (...)."""
    k = camera.intrinsics
    if bool((k[..., 0, 1] != 0).any()):
        raise InputError("the target convention has no skew, but intrinsics[0, 1] is not 0")
    return k[..., 0, 0], k[..., 1, 1], k[..., 0, 2], k[..., 1, 2]


def _focal_of_centred(camera: Camera, program: str) -> tuple[Tensor, Tensor]:
    fx, fy, cx, cy = _without_skew(camera)
    cx, cy = cx.detach(), cy.detach()
    off = torch.maximum((cx - camera.width / 2).abs().max(), (cy - camera.height / 2).abs().max())
    if float(off) > 1e-3:
        raise InputError(
            f"a {program} camera is centred, but cx, cy are {float(off):.4g} pixels off the centre"
        )
    return fx, fy
