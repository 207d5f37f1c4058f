import json

import pytest
from small_meshes import box, write_meshes

from unrender.errors import InputError
from unrender.io import save_mesh
from unrender.learn.data.sources import MeshFile, find_meshes


def labels(places, split="all") -> list[str]:
    return [f"{source.split}:{source.label}" for source in find_meshes(places, split)]


def write_shapenet(root, *, version: int) -> None:
    for synset, models in {"02958343": ("aaa", "bbb", "ccc"), "12345678": ("ddd",)}.items():
        for model in models:
            folder = root / synset / model
            folder.mkdir(parents=True)
            if version == 2:
                (folder / "models").mkdir()
            file = folder / ("models/model_normalized.obj" if version == 2 else "model.obj")
            save_mesh(box((1.0, 0.5, 0.2)), file)


def test_a_folder(tmp_path):
    root = write_meshes(tmp_path / "meshes", broken=False)
    save_mesh(box((1.0, 1.0, 1.0)), root / "top.glb")
    save_mesh(box((1.0, 1.0, 1.0)), root / "lamp" / "tall one" / "model.obj")
    (root / "notes.txt").write_text("not a mesh")
    assert labels([root]) == [
        "train:chair/chair0",
        "train:chair/chair1",
        "train:chair/chair2",
        "train:lamp/lamp0",
        "train:lamp/lamp1",
        "train:lamp/tall_one-model",
        "train:object/top",
    ]
    assert find_meshes([root])[0].load().num_faces == 12


def test_a_file(tmp_path):
    save_mesh(box((1.0, 1.0, 1.0)), tmp_path / "thing.glb")
    assert labels([tmp_path / "thing.glb"]) == ["train:object/thing"]


def test_the_manifest_of_home(shared_data):
    file = shared_data / "home" / "manifest.json"
    content = json.loads(file.read_text())
    train, val = find_meshes([file], "train"), find_meshes([shared_data / "home"], "val")
    assert (len(train), len(val)) == (len(content["train"]), len(content["val"]))
    assert len(find_meshes([file])) == len(train) + len(val)
    entry = content["val"][0]
    source = next(source for source in val if entry["file"].endswith(f"{source.name}.glb"))
    assert isinstance(source, MeshFile)
    assert source.category == entry["category"]
    assert source.credits == {
        "title": entry["name"],
        "creator": entry["creator"],
        "license": entry["license"],
    }
    assert source.load().num_faces == pytest.approx(entry["faces"], rel=0.05)


@pytest.mark.parametrize("version", [1, 2])
def test_shapenet_without_lists(tmp_path, version):
    write_shapenet(tmp_path, version=version)
    assert labels([tmp_path]) == [
        "train:12345678/ddd",
        "train:car/aaa",
        "train:car/bbb",
        "train:car/ccc",
    ]
    assert find_meshes([tmp_path])[1].load().num_vertices == 8


def test_shapenet_with_a_table(tmp_path):
    write_shapenet(tmp_path, version=2)
    (tmp_path / "all.csv").write_text(
        "id,synsetId,subSynsetId,modelId,split\n"
        "000001,02958343,02958343,aaa,val\n"
        "000002,02958343,02958343,bbb,train\n"
        "000003,12345678,12345678,ddd,test\n"
    )
    assert labels([tmp_path]) == ["train:car/bbb", "val:car/aaa", "test:12345678/ddd"]
    assert labels([tmp_path], "val") == ["val:car/aaa"]


def test_shapenet_tables_of_numbers(tmp_path):
    """Spreadsheets drop the leading zero of synsets."""
    write_shapenet(tmp_path, version=1)
    (tmp_path / "all.csv").write_text("id,synsetId,modelId,split\n1,2958343,aaa,val\n")
    assert labels([tmp_path]) == ["val:car/aaa"]


def test_shapenet_with_lists(tmp_path):
    write_shapenet(tmp_path, version=1)
    (tmp_path / "02958343" / "train.lst").write_text("ccc\naaa\n")
    (tmp_path / "02958343" / "test.lst").write_text("bbb")
    assert labels([tmp_path]) == ["train:car/aaa", "train:car/ccc", "test:car/bbb"]


def test_a_model_without_its_file_is_listed(tmp_path):
    write_shapenet(tmp_path, version=1)
    (tmp_path / "02958343" / "bbb" / "model.obj").unlink()
    missing = next(source for source in find_meshes([tmp_path]) if source.name == "bbb")
    with pytest.raises(InputError, match=r"bbb.model.obj does not exist"):
        missing.load()


def test_several_places(tmp_path):
    root = write_meshes(tmp_path / "meshes", broken=False)
    write_shapenet(tmp_path / "shapenet", version=1)
    assert len(find_meshes([root, tmp_path / "shapenet"])) == 5 + 4


def test_generated_objects():
    sources = find_meshes(["procedural:9:5"])
    assert len({source.label for source in sources}) == 9
    # a longer set begins with the same objects
    assert {source.label for source in sources} < {s.label for s in find_meshes(["procedural:20:5"])}
    mesh, again = sources[0].load(), find_meshes(["procedural:9:5"])[0].load()
    assert (mesh.vertices == again.vertices).all()
    other = next(s for s in find_meshes(["procedural:9:6"]) if s.category == sources[0].category).load()
    assert mesh.vertices.shape != other.vertices.shape or not (mesh.vertices == other.vertices).all()


def test_every_eleventh_generated_object_is_for_validation():
    held_out = find_meshes(["procedural:220"], "val")
    assert len(held_out) == 20
    assert len({source.category for source in held_out}) == 20
    assert len(find_meshes(["procedural:220"], "train")) == 200


@pytest.mark.parametrize("number", ["", "0", "x", "1:2:3", "-1"])
def test_wrong_numbers_of_generated_objects(number):
    with pytest.raises(InputError, match="procedural:N or procedural:N:SEED"):
        find_meshes([f"procedural:{number}"])


def test_wrong_places(tmp_path):
    with pytest.raises(InputError, match=r"nowhere does not exist"):
        find_meshes([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"holds no mesh; meshes end in .obj, .glb, .ply"):
        find_meshes([tmp_path])
    root = write_meshes(tmp_path / "meshes", broken=False)
    with pytest.raises(InputError, match="none of the 5 meshes is in split val"):
        find_meshes([root], "val")
    with pytest.raises(InputError, match=r"chair0.ply and .*chair0.ply would both be chair/chair0"):
        find_meshes([root, root])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{", "not readable JSON"),
        ("[]", "must be an object of lists"),
        ('{"training": []}', "must be an object of lists"),
        ('{"train": [{"file": "a.glb"}]}', "must have file and category, got .* in train"),
        ('{"train": []}', "holds no mesh"),
    ],
)
def test_wrong_manifests(tmp_path, text, rule):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=rule):
        find_meshes([tmp_path])


@pytest.mark.parametrize(
    ("text", "rule"),
    [("a,b\n1,2\n", "must have the columns"), ("synsetId,modelId,split\n02958343,aaa,dev\n", "got 'dev'")],
)
def test_wrong_tables(tmp_path, text, rule):
    write_shapenet(tmp_path, version=1)
    (tmp_path / "all.csv").write_text(text)
    with pytest.raises(InputError, match=rule):
        find_meshes([tmp_path])
