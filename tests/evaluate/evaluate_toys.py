"""Data sets and predictors that know what they say."""

from collections.abc import Callable

from torch import Tensor

from unrender.errors import InputError
from unrender.learn.data import ObjectViews
from unrender.learn.prediction import Prediction
from unrender.learn.predictor import Batch, Predictor


class Objects:
    """A data set in memory; an error in the place of an object is raised when it is read."""

    def __init__(self, *items: ObjectViews | InputError) -> None:
        self.items = items
        self.names = [item.name if isinstance(item, ObjectViews) else "broken" for item in items]
        self.categories = [item.category if isinstance(item, ObjectViews) else "broken" for item in items]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> ObjectViews:
        item = self.items[index]
        if isinstance(item, InputError):
            raise item
        return item


class Toy(Predictor):
    """Predicts what a function says, and remembers the pictures that it was given."""

    method = "toy"

    def __init__(self, predict: Callable[[Tensor], Prediction]) -> None:
        super().__init__()
        self.config = None
        self.predict = predict
        self.seen: list[Tensor] = []

    def forward(self, pictures: Tensor) -> Prediction:
        assert not self.training
        self.seen.append(pictures)
        return self.predict(pictures)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        raise NotImplementedError
