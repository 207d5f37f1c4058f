import dataclasses
import types

import numpy as np
import pytest
import torch
from evaluate_toys import Objects, Toy
from skimage.metrics import peak_signal_noise_ratio

from unrender.errors import InputError
from unrender.evaluate import EvaluateOptions, evaluate, training_means
from unrender.evaluate.protocol import input_views, object_seed
from unrender.geometry import cube, face_areas, subdivide, voxelize
from unrender.learn.data.light_record import LightRecord
from unrender.learn.data.packed_views import pack
from unrender.learn.metrics import sphere_irradiance
from unrender.learn.prediction import Prediction
from unrender.render import render

SMALL = EvaluateOptions(points=3000, thresholds=(0.02, 0.05))


def premultiplied(item):
    pictures = item.pictures.float() / 255
    return torch.cat([pictures[..., :3] * pictures[..., 3:], pictures[..., 3:]], -1)


def oracle(item, mesh):
    """A predictor that knows an object, and finds the light of a picture by looking the picture up."""
    known = premultiplied(item).flatten(1)

    def predict(pictures):
        distances = torch.cdist(pictures.flatten(1), known)
        assert float(distances.amin(-1).max()) < 1e-4
        batch = mesh.replace(vertices=mesh.vertices.expand(len(pictures), -1, -1))
        return Prediction(batch, item.lights[distances.argmin(-1)])

    return Toy(predict)


def constant(mesh):
    return Toy(
        lambda pictures: Prediction(mesh.replace(vertices=mesh.vertices.expand(len(pictures), -1, -1)))
    )


def solid(occupancy):
    return Toy(lambda pictures: Prediction(occupancy=occupancy.expand(len(pictures), -1, -1, -1)))


def test_a_perfect_prediction(egg, ellipsoid):
    means = training_means([pack(egg)])
    report = evaluate(oracle(egg, ellipsoid), Objects(egg), SMALL, means=means)
    scores = report.mean()
    assert scores["iou"] == 1
    # other points of the same surface: the nearest of N on an area A is sqrt(A / N) / 2 away on average
    area = float(face_areas(ellipsoid.vertices, ellipsoid.faces).sum())
    assert scores["chamfer_l1"] == pytest.approx((area / 3000) ** 0.5 / 2, rel=0.05)
    assert scores["chamfer_l1_x10"] == pytest.approx(10 * scores["chamfer_l1"])
    assert scores["chamfer_l2"] < 4 * scores["chamfer_l1"] ** 2
    assert scores["f_score@0.05"] == 1
    assert scores["normal_consistency"] > 0.99
    assert scores["mask_iou"] == 1
    assert scores["psnr_true_light"] > 60
    assert scores["ssim_true_light"] > 0.999
    # where the shape is right, both cover every pixel
    assert scores["psnr_both_true_light"] == pytest.approx(scores["psnr_true_light"], abs=0.1)
    assert scores["psnr_both_training_color"] < scores["psnr_both"]
    # lights change from view to view, so that of the input explains the others worse
    assert scores["psnr_mean_color"] < scores["psnr"] < scores["psnr_true_light"]
    assert scores["light_angle"] < 0.1
    assert scores["irradiance_error"] < 1e-4
    assert scores["irradiance_shape_error"] < 1e-3
    assert scores["light_angle_of_mean"] > 5
    assert scores["irradiance_error_of_mean"] > scores["irradiance_shape_error_of_mean"] > 0.02


def test_iou_and_means_of_a_constant_prediction(make_object, egg):
    """Two categories of one and two objects, against voxels counted here."""
    box = subdivide(cube(), 2)
    tall = make_object("tall", "box", box.replace(vertices=box.vertices * torch.tensor([0.4, 1.0, 0.4])))
    flat = make_object("flat", "box", box.replace(vertices=box.vertices * torch.tensor([1.0, 0.3, 1.0])))
    guess = box.replace(vertices=box.vertices * 0.7)
    found = evaluate(constant(guess), Objects(tall, egg, flat), SMALL)

    cells = voxelize((guess.vertices * (15 / 16) + 0.5)[guess.faces], 16).numpy()

    def iou(item):
        return (cells & item.voxels.numpy()).sum() / (cells | item.voxels.numpy()).sum()

    categories = found.categories()
    assert categories["food"]["iou"] == pytest.approx(iou(egg))
    assert categories["box"]["iou"] == pytest.approx((iou(tall) + iou(flat)) / 2)
    assert found.mean()["iou"] == pytest.approx((categories["food"]["iou"] + categories["box"]["iou"]) / 2)
    assert [(item.name, item.category) for item in found.objects] == [
        ("tall", "box"), ("egg", "food"), ("flat", "box"),
    ]  # fmt: skip
    # a shape without colours has no colours to measure, and no light
    assert {"psnr", "ssim", "psnr_true_light", "light_angle"}.isdisjoint(found.mean())
    assert {"mask_iou", "psnr_mean_color"} <= set(found.mean())


def test_mean_color_is_that_of_the_input_inside_its_mask(egg, ellipsoid):
    predictor = constant(ellipsoid.replace(vertex_colors=None, vertices=0.8 * ellipsoid.vertices))
    report = evaluate(predictor, Objects(egg), SMALL)
    (found,) = report.objects
    pictures = egg.pictures.numpy() / 255
    source = pictures[found.view]
    color = source[source[..., 3] > 0.5][:, :3].mean(0)
    psnrs = []
    for view in range(len(egg)):
        if view != found.view:
            camera = egg.cameras[view].resized(64, 64)
            shape = ellipsoid.replace(vertex_colors=None, vertices=0.8 * ellipsoid.vertices)
            mask = render(shape, camera).mask
            covered = mask.view(32, 2, 32, 2).any(3).any(1).numpy()
            inside = pictures[view][..., 3] > 0.5
            drawn = np.where(covered[..., None], color, 0.0)[inside]
            psnrs.append(peak_signal_noise_ratio(pictures[view][..., :3][inside], drawn, data_range=1))
    assert found.scores["psnr_mean_color"] == pytest.approx(np.mean(psnrs), abs=1e-3)


def test_the_network_sees_premultiplied_pictures_of_the_stated_views(egg, ellipsoid):
    predictor = constant(ellipsoid)
    report = evaluate(predictor, Objects(egg), EvaluateOptions(points=100, views=2))
    many, one = predictor.seen
    torch.testing.assert_close(many, premultiplied(egg)[[0, 2]])
    torch.testing.assert_close(one, premultiplied(egg)[[report.objects[0].view]])


def test_views_are_spread_evenly_and_seeds_belong_to_objects():
    assert input_views(24, EvaluateOptions()).tolist() == list(range(24))
    assert input_views(24, EvaluateOptions(views=4)).tolist() == [0, 6, 12, 18]
    assert input_views(3, EvaluateOptions(views=10)).tolist() == [0, 1, 2]
    seeds = {
        object_seed(category, name, EvaluateOptions(seed=seed))
        for category in "ab" for name in "ab" for seed in (0, 1)
    }  # fmt: skip
    assert len(seeds) == 8


def test_the_same_seed_gives_the_same_numbers(egg, ellipsoid):
    first, again = (evaluate(constant(ellipsoid), Objects(egg), SMALL).mean() for _ in range(2))
    other = evaluate(constant(ellipsoid), Objects(egg), dataclasses.replace(SMALL, seed=1)).mean()
    assert first == again
    assert other["chamfer_l1"] != first["chamfer_l1"]


def test_a_solid_prediction(egg):
    report = evaluate(solid(0.8 * egg.voxels.float()), Objects(egg), SMALL)
    scores = report.mean()
    assert scores["iou"] == 1
    cell = 1 / 15
    assert 0.2 * cell < scores["chamfer_l1"] < 1.0 * cell  # half a cell outside, about
    assert scores["normal_consistency"] > 0.85
    assert scores["mask_iou"] > 0.75
    assert "psnr" not in scores
    empty = evaluate(solid(0.8 * egg.voxels.float()), Objects(egg), EvaluateOptions(points=100, level=0.9))
    black = empty.mean()["psnr_mean_color"]  # whatever the colour
    assert empty.mean() == pytest.approx(
        {
            "iou": 0, "f_score@0.01": 0, "f_score@0.02": 0, "f_score@0.05": 0, "chamfer_l1": 3**0.5,
            "chamfer_l1_x10": 10 * 3**0.5, "chamfer_l2": 6, "normal_consistency": 0, "mask_iou": 0,
            "psnr_mean_color": black, "psnr_best_color": black, "psnr_true_colors": black,
        }
    )  # fmt: skip


def test_a_solid_on_another_grid_is_refused(egg):
    with pytest.raises(
        InputError, match=r"must have the \(16, 16, 16\) cells of the data set's, got \(8, 8, 8\)"
    ):
        evaluate(solid(torch.ones(8, 8, 8)), Objects(egg), SMALL)


def test_what_a_data_set_lacks_is_left_out(egg, ellipsoid):
    bare = dataclasses.replace(egg, voxels=None, points=None, point_normals=None, lights=None, cameras=None)
    assert evaluate(constant(ellipsoid), Objects(bare), SMALL).mean() == {}
    no_normals = dataclasses.replace(bare, points=egg.points)
    names = set(evaluate(constant(ellipsoid), Objects(no_normals), SMALL).mean())
    assert names == {"f_score@0.02", "f_score@0.05", "chamfer_l1", "chamfer_l1_x10", "chamfer_l2"}


def test_pictures_without_light(make_object, ellipsoid):
    item = make_object(light="none")
    scores = evaluate(constant(ellipsoid), Objects(item), SMALL).mean()
    assert scores["psnr"] == scores["psnr_true_light"] > 50
    assert "light_angle" not in scores


def test_colours_that_hold_the_shading_are_not_lit_again(egg, ellipsoid):
    scores = evaluate(constant(ellipsoid), Objects(egg), SMALL).mean()
    assert "psnr" in scores
    assert "psnr_true_light" not in scores


def test_predictors_of_cameras_get_crops(egg, ellipsoid):
    predictor = constant(ellipsoid)
    predictor.config = types.SimpleNamespace(camera=True, crop=True, size=24)
    report = evaluate(predictor, Objects(egg), SMALL)
    assert [tuple(p.shape) for p in predictor.seen] == [(5, 24, 24, 4), (1, 24, 24, 4)]
    assert report.notes["input"] == "crops round the object"


def test_broken_objects_are_named_and_the_mode_is_restored(egg, ellipsoid):
    predictor, counts = constant(ellipsoid), []
    dataset = Objects(InputError("a.npz is broken"), egg)
    report = evaluate(predictor, dataset, SMALL, name="mine", progress=lambda *count: counts.append(count))
    assert report.skipped == ["a.npz is broken"]
    assert [item.name for item in report.objects] == ["egg"]
    assert (report.name, report.method) == ("mine", "toy")
    assert counts == [(1, 2), (2, 2)]
    assert predictor.training
    with pytest.raises(InputError, match=r"no object of the data set can be measured: a\.npz is broken"):
        evaluate(predictor, Objects(InputError("a.npz is broken")), SMALL)


def test_the_package_is_callable():
    import unrender.evaluate as package

    with pytest.raises(InputError, match="it is empty"):
        package(constant(cube()), Objects(), SMALL)  # pyright: ignore[reportCallIssue]


def test_means_of_a_training_set(egg):
    def ambient(*levels):
        values = torch.tensor(levels)
        up = torch.tensor([[0.0, 1.0, 0.0]]).expand(len(levels), 3)
        return LightRecord("lambert", up, values, torch.zeros_like(values))

    lights = [ambient(0.2), None, LightRecord("none"), ambient(0.5, 0.8)]
    sets = [dataclasses.replace(pack(egg), lights=[light]) for light in lights]
    means = training_means(sets)
    assert means.irradiance is not None
    assert means.irradiance.shape == sphere_irradiance(ambient(1.0)).shape[1:]
    torch.testing.assert_close(means.irradiance, torch.full_like(means.irradiance, 0.5))
    assert training_means(sets[1:3]).irradiance is None
    with pytest.raises(InputError, match="need an object that can be read, got none"):
        training_means([])
    # objects count alike, pixels of an object by their alpha
    blue = torch.zeros_like(sets[0].pictures)
    blue[0, 0, 3, 4] = torch.tensor([0, 0, 255, 255])
    blue[0, 1, :2, :2] = torch.tensor([0, 0, 40, 80])
    both = training_means([sets[0], dataclasses.replace(sets[0], pictures=blue)])
    pictures = egg.pictures.double() / 255
    weights = pictures[..., 3:]
    own = (pictures[..., :3] * weights).sum((0, 1, 2)) / weights.sum()
    other = (255 + 4 * 40) / (255 + 4 * 80)
    torch.testing.assert_close(
        both.color, ((own + torch.tensor([0, 0, other])) / 2).float(), atol=2e-3, rtol=0
    )


def test_colours_are_also_compared_where_both_are(egg, ellipsoid):
    """A smaller ball of the right colours loses by its rim, and not where it is."""
    small = ellipsoid.replace(vertices=0.6 * ellipsoid.vertices)
    scores = evaluate(oracle(egg, small), Objects(egg), SMALL).mean()
    assert scores["psnr_both_true_light"] > scores["psnr_true_light"] + 5
    assert scores["psnr_both_mean_color"] > scores["psnr_mean_color"] + 1
    assert "psnr_both_training_color" not in scores
    assert scores["psnr_mean_color"] <= scores["psnr_best_color"] < scores["psnr_true_colors"] < 40
    assert scores["psnr_both_mean_color"] <= scores["psnr_both_best_color"]
    # only what the ball leaves empty, which is black, is wrong in true colours
    (found,) = evaluate(oracle(egg, small), Objects(egg), SMALL).objects
    psnrs = []
    for view in range(len(egg)):
        if view != found.view:
            truth = egg.pictures[view].numpy() / 255
            mask = render(small, egg.cameras[view].resized(64, 64)).mask
            missed = ~mask.view(32, 2, 32, 2).any(3).any(1).numpy()
            inside = truth[..., 3] > 0.5
            drawn = np.where(missed[..., None], 0.0, truth[..., :3])[inside]
            psnrs.append(peak_signal_noise_ratio(truth[..., :3][inside], drawn, data_range=1))
    assert scores["psnr_true_colors"] == pytest.approx(np.mean(psnrs), abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 0}, "views must be at least 1, got 0"),
        ({"points": 0}, "points must be at least 1, got 0"),
        ({"thresholds": ()}, "thresholds must be positive"),
        ({"thresholds": (0.1, -1.0)}, "thresholds must be positive"),
        ({"level": 1.0}, "level must lie between 0 and 1, got 1.0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        EvaluateOptions(**options)
