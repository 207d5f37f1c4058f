"""Networks that learn 3D from pictures: data, predictors, losses, training."""
