"""How the numbers of a report come about, in code where it is a choice and in words for the reader."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from .options import EvaluateOptions


class Metric(NamedTuple):
    """One column of the tables.

    ``label`` is its heading, ``digits`` those after the point, ``better`` says which way is good.
    """

    label: str
    digits: int
    better: str


def metrics(options: EvaluateOptions) -> dict[str, Metric]:
    """The metrics by their names in JSON, in the order of the tables."""
    return {
        "iou": Metric("3D IoU", 3, "higher"),
        **{f"f_score@{t:g}": Metric(f"F@{t:g}", 3, "higher") for t in options.thresholds},
        "chamfer_l1": Metric("Chamfer-L1", 4, "lower"),
        "chamfer_l1_x10": Metric("Chamfer-L1 x10", 3, "lower"),
        "chamfer_l2": Metric("Chamfer-L2", 5, "lower"),
        "normal_consistency": Metric("Normals", 3, "higher"),
        "mask_iou": Metric("Mask IoU", 3, "higher"),
        "psnr": Metric("PSNR", 2, "higher"),
        "ssim": Metric("SSIM", 3, "higher"),
        "psnr_true_light": Metric("PSNR, true light", 2, "higher"),
        "ssim_true_light": Metric("SSIM, true light", 3, "higher"),
        "psnr_mean_color": Metric("PSNR of mean colour", 2, "higher"),
        "psnr_training_color": Metric("PSNR of training colour", 2, "higher"),
        "psnr_best_color": Metric("PSNR of best colour", 2, "higher"),
        "psnr_true_colors": Metric("PSNR of true colours", 2, "higher"),
        "psnr_both": Metric("PSNR of both", 2, "higher"),
        "psnr_both_true_light": Metric("PSNR of both, true light", 2, "higher"),
        "psnr_both_mean_color": Metric("PSNR of both, mean colour", 2, "higher"),
        "psnr_both_training_color": Metric("PSNR of both, training colour", 2, "higher"),
        "psnr_both_best_color": Metric("PSNR of both, best colour", 2, "higher"),
        "light_angle": Metric("Light angle", 1, "lower"),
        "light_angle_of_mean": Metric("Light angle of mean light", 1, "lower"),
        "irradiance_error": Metric("Irradiance error", 3, "lower"),
        "irradiance_error_of_mean": Metric("Irradiance error of mean light", 3, "lower"),
        "irradiance_shape_error": Metric("Irradiance error up to brightness", 3, "lower"),
        "irradiance_shape_error_of_mean": Metric("the same of mean light", 3, "lower"),
    }


def definitions(options: EvaluateOptions) -> dict[str, str]:
    """What the metrics mean, in words."""
    views = "every view" if options.views is None else f"{options.views} views, spread evenly,"
    return {
        "mean": (
            "means over the views of an object, then over the objects of a category, then over the "
            "categories without weights"
        ),
        "scale": "the longest side of an object's bounding box is 1, and its middle the origin",
        "3D IoU": (
            "the protocol of N3MR and SoftRas: meshes scaled by (S - 1) / S, voxelised by their rule on the "
            f"grid of the truth (S = 32 in the papers), from {views} of each object; predicted solids are "
            f"filled where their occupancy exceeds {options.level:g}"
        ),
        "surface": (
            f"from one view an object, drawn by seed {options.seed}: {options.points} points uniform over "
            "the area of the prediction against at most as many of the truth; predicted solids are meshed by "
            f"marching cubes at {options.level:g}, half a cell outside of the object as their "
            "cells are; where nothing is predicted, every distance is the diagonal of the unit cube"
        ),
        "F@t": "harmonic mean of the shares of points nearer than t to the other surface, both ways",
        "Chamfer-L1": "(mean distance there + back) / 2, as in DVR, whose tables hold ten times this (x10)",
        "Chamfer-L2": "mean squared distance there + back",
        "Normals": "mean absolute cosine of the normals of nearest points, both ways averaged, as in DVR",
        "pictures": (
            "from the same view, the object drawn in all other views of it with "
            f"{options.samples} x {options.samples} samples a pixel; the network has not seen them"
        ),
        "Mask IoU": "of the pixels with alpha above 1/2",
        "PSNR": (
            "of colours inside the true mask (alpha above 1/2), in dB, where pixels that the prediction "
            "leaves empty are black; under the light that was predicted from the input"
        ),
        "SSIM": "of whole pictures over white, Gaussian windows of 11 x 11 pixels, sigma 1.5",
        "true light": "drawn under the recorded light of each view; not for methods that predict no light",
        "mean colour": (
            "the predicted shape painted with the mean colour of the input inside its mask, without light"
        ),
        "training colour": "painted with the mean colour of the training set's objects, without light",
        "best colour": "painted with the one colour that suits the object best, to know what one could reach",
        "true colours": "painted with the true ones, to know what the shape costs",
        "of both": "of the pixels that truth and prediction both cover: of colours, whatever the shape",
        "Light angle": (
            "between the true and the predicted main direction of light, in degrees, from the views of 3D IoU"
        ),
        "Irradiance error": (
            "root mean square difference of what white matt surfaces facing every way would show, relative "
            "to the truth; up to brightness: after the best factor on the prediction"
        ),
        "mean light": "the errors of predicting the mean irradiance of the training set for every picture",
    }


def input_views(count: int, options: EvaluateOptions) -> Tensor:
    """The views that 3D IoU is measured from: all ``count``, or ``options.views`` in even steps."""
    wanted = count if options.views is None else min(options.views, count)
    return torch.arange(wanted) * count // wanted


def object_seed(category: str, name: str, options: EvaluateOptions) -> int:
    """A seed for all that is random about an object, whatever else is in its data set.

    It differs from the one that drew the true points: the same draws on a nearly true surface would pair each
    point with itself.
    """
    digest = hashlib.sha256(f"evaluate/{options.seed}/{category}/{name}".encode()).digest()
    return int.from_bytes(digest[:7], "little")
