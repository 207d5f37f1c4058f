import pytest
import torch
from toy_training import write_boxes

from unrender import InputError
from unrender.learn.data.augment import AugmentOptions
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.light_record import LightRecord
from unrender.learn.data.packed_views import PackedViews
from unrender.learn.methods.dibr import DIBRConfig
from unrender.learn.methods.dvr import DVRConfig
from unrender.learn.metrics import sphere_irradiance
from unrender.learn.training import TrainOptions
from unrender.learn.training.batches import StepBatches, TimedLoader
from unrender.learn.training.lazy_views import LazyViews
from unrender.learn.training.sampler import draw_step, mixed_seed, rows_of
from unrender.learn.training.sources import training_views


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_boxes(tmp_path_factory.mktemp("data"), train=5, val=0)


@pytest.fixture(scope="module")
def packed(folder):
    return PackedViews.load(open_dataset(folder))


def options(**changes):
    values = {"method": "nmr", "data": ("data",), "out": "out", "batch_size": 4, "seed": 3, **changes}
    return TrainOptions(**values)


def draw(step, seed=0, **changes):
    sizes = {"objects": 7, "views": 5, "batch_size": 4, "views_each": 2, **changes}
    return draw_step(seed, step, **sizes)


def test_every_object_comes_once_in_each_round():
    drawn = torch.cat([draw(step)[0] for step in range(14)])  # 56 draws are 8 rounds of 7
    for one in drawn.split(7):
        assert sorted(one.tolist()) == list(range(7))
    assert len({tuple(one.tolist()) for one in drawn.split(7)}) > 1


def test_a_batch_may_be_larger_than_the_data_set():
    objects, _ = draw(0, batch_size=20)
    assert sorted(torch.bincount(objects).tolist()) == [2, 3, 3, 3, 3, 3, 3]


def test_views_of_an_object_differ_and_all_occur():
    views = torch.cat([draw(step)[1] for step in range(40)])
    assert views.shape == (160, 2)
    assert bool((views[:, 0] != views[:, 1]).all())
    counts = torch.bincount(views.flatten(), minlength=5)
    assert counts.sum() == 320
    assert counts.min() > 35  # 64 each on average


def test_a_step_depends_on_seed_and_step_alone():
    torch.manual_seed(1)
    first = draw(9)
    torch.manual_seed(2)
    draw(3)
    again = draw(9)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], draw(10)[1])
    assert not torch.equal(first[1], draw(9, seed=1)[1])


def test_seeds_of_different_parts_differ():
    parts = [(0, "views", 11), (0, "views", 1, 1), (1, "views", 1), ("0views", 11), (0, "round", 11)]
    assert len({mixed_seed(*part) for part in parts}) == len(parts)


def test_processes_take_disjoint_rows():
    rows = [list(rows_of(12, rank, 3)) for rank in range(3)]
    assert [*rows[0], *rows[1], *rows[2]] == list(range(12))
    with pytest.raises(InputError, match="multiple of 5, the number of processes, got 12"):
        rows_of(12, 0, 5)


def test_more_views_than_there_are(packed):
    with pytest.raises(InputError, match="views must be at most 6, the pictures that an object has, got 7"):
        StepBatches(packed, options(views=7))


@pytest.mark.parametrize("augmentation", [None, AugmentOptions(flip=True, color=0.3)])
def test_processes_see_the_rows_of_the_whole_batch(packed, augmentation):
    settings = options(augment=augmentation)
    whole = StepBatches(packed, settings)[5]
    parts = [StepBatches(packed, settings, rank=rank, processes=2)[5] for rank in range(2)]
    assert torch.equal(whole.index, torch.cat([part.index for part in parts]))
    assert torch.equal(whole.pictures, torch.cat([part.pictures for part in parts]))
    poses = torch.cat([part.cameras.world_to_camera for part in parts])
    assert torch.equal(whole.cameras.world_to_camera, poses)
    assert whole.lights is not None
    lights = LightRecord.join([part.lights for part in parts if part.lights is not None])
    assert lights.kind == whole.lights.kind == "lambert"
    assert torch.equal(sphere_irradiance(lights.reshape(-1)), sphere_irradiance(whole.lights.reshape(-1)))


def test_augmentation_changes_pictures_and_differs_between_steps(packed):
    settings = options(augment=AugmentOptions(flip=False, color=0.5), batch_size=5)
    plain = StepBatches(packed, options(batch_size=5))
    changed = StepBatches(packed, settings)
    ratios = []
    for step in range(2):
        before, after = plain[step], changed[step]
        assert torch.equal(before.pictures[..., 3], after.pictures[..., 3])
        order = before.index.argsort()
        sums = [b.pictures[order][..., :3].sum((1, 2, 3)) for b in (after, before)]
        ratios.append(sums[0] / sums[1])
    assert not torch.allclose(ratios[0], ratios[1], atol=1e-2)


def test_lazy_views_give_the_batches_of_packed_ones(folder, packed):
    lazy = LazyViews(open_dataset(folder))
    objects, views = torch.tensor([3, 0, 3]), torch.tensor([[1, 2], [0, 5], [4, 3]])
    ours, theirs = lazy.batch(objects, views), packed.batch(objects, views)
    assert (len(lazy), lazy.views) == (len(packed), packed.views)
    assert torch.equal(ours.pictures, theirs.pictures)
    assert torch.equal(ours.index, theirs.index)
    assert torch.equal(ours.cameras.world_to_camera, theirs.cameras.world_to_camera)
    assert torch.equal(ours.cameras.intrinsics, theirs.cameras.intrinsics)


def test_depth_is_in_the_batches_of_methods_that_learn_from_it(folder):
    config = DVRConfig(size=32, depth_weight=10.0)
    for lazy in (False, True):
        chosen = options(method="dvr", config=config, data=(folder,), lazy=lazy)
        source = training_views(chosen)
        depth = StepBatches(source, chosen)[0].depth
        assert depth is not None
        assert depth.shape == (chosen.batch_size, chosen.views, 32, 32)
        assert 0.01 < float((depth > 0).float().mean()) < 0.9
    chosen = options(method="dvr", config=DVRConfig(size=32), data=(folder,))
    assert StepBatches(training_views(chosen), chosen)[0].depth is None


def test_objects_without_recorded_light_are_left_out_where_it_teaches(tmp_path):
    write_boxes(tmp_path)
    (tmp_path / "box" / "box2" / "lights.npz").unlink()
    config = DIBRConfig(size=32, light_weight=1.0)
    source = training_views(options(method="dibr", config=config, data=(tmp_path,)))
    plain = training_views(options(method="dibr", config=DIBRConfig(size=32), data=(tmp_path,)))
    assert set(plain.names) - set(source.names) == {"box2"}
    lazy = training_views(options(method="dibr", config=config, data=(tmp_path,), lazy=True))
    with pytest.warns(UserWarning, match="box2 has no recorded light"):
        assert lazy.batch(torch.tensor([2]), torch.tensor([[0, 1]])).index.tolist() == [3]
    assert "has no recorded light, which light_weight asks for" in source.skipped[0]


def test_lazy_views_replace_what_cannot_be_read(tmp_path):
    folder = write_boxes(tmp_path, train=3, val=0)
    lazy = LazyViews(open_dataset(folder))
    (folder / "box" / "box2" / "mask" / "0001.png").write_bytes(b"no picture")
    asked = torch.tensor([1, 2])
    with pytest.warns(UserWarning, match=r"left out: .*box2"):
        batch = lazy.batch(asked, torch.zeros(2, 1, dtype=torch.long))
    assert batch.index.tolist() == [1, 0]
    lazy.note_replaced(asked, batch.index)
    assert lazy.skipped == ["box2 cannot be read"]


def test_lazy_views_of_nothing_readable(tmp_path):
    folder = write_boxes(tmp_path, train=1, val=0)
    (folder / "box" / "box0" / "cameras.npz").write_bytes(b"no cameras")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(InputError, match=r"no object of the data set can be read: .*box0"),
    ):
        LazyViews(open_dataset(folder))


def test_loader_goes_on_from_a_step(packed):
    batches = StepBatches(packed, options(steps=5))
    loader = TimedLoader(batches, start=3, workers=0)
    got = list(loader)
    assert len(loader) == len(got) == loader.count == 2
    assert torch.equal(got[1].pictures, batches[4].pictures)
    assert loader.waited > 0


@pytest.mark.slow
@pytest.mark.parametrize("lazy", [False, True])
def test_workers_give_the_same_batches(folder, packed, lazy):
    settings = options(steps=3, augment=AugmentOptions(color=0.2))
    batches = StepBatches(LazyViews(open_dataset(folder)) if lazy else packed, settings)
    for step, batch in enumerate(TimedLoader(batches, start=0, workers=2)):
        assert torch.equal(batch.pictures, batches[step].pictures)
