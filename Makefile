# Everything builds .venv first, from pyproject.toml and the exact versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS ?=
# idle threads sleep instead of spinning, which on a busy machine takes the time of those that work
export OMP_WAIT_POLICY ?= passive

.PHONY: demo demo-fit train test check bench docs clean
.DEFAULT_GOAL := test

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[mesh,video,train,eval,masks,dev]'
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(INSTALL) -e '.[docs]'
	touch $@

demo: $(VENV)/.installed  ## one picture to a textured mesh, in seconds: out/demo/picture/sheet.png shows it
	$(VENV)/bin/unrender predict examples/picture.png -o out/demo --refine 60

demo-fit: $(VENV)/.installed  ## fit the view set kept in examples/: a GLB, a turntable and metrics in out/demo-fit
	$(VENV)/bin/unrender fit examples/demo_views -o out/demo-fit/object.glb --views-held-out 5

train: $(VENV)/.installed  ## make a training set and train on it for five minutes
	$(VENV)/bin/unrender data render procedural:660 -o out/generated
	rm -rf out/train
	$(VENV)/bin/unrender train --data out/generated -o out/train --steps 400 $(ARGS)

test: $(VENV)/.installed  ## the whole suite; for instance make test ARGS='--slow --device cuda'
	$(VENV)/bin/pytest $(ARGS)

check: $(VENV)/.installed  ## style and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/pyright

bench: $(VENV)/.installed  ## time the rasterisers and the casting of rays on fields
	$(VENV)/bin/python benchmarks/rasterize.py $(ARGS)
	$(VENV)/bin/python benchmarks/field.py

docs: $(VENV)/.installed-docs  ## HTML in docs/_build
	$(VENV)/bin/sphinx-build -W --keep-going -b html docs docs/_build

clean:
	rm -rf out docs/_build dist .pytest_cache .ruff_cache .hypothesis
