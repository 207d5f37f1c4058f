"""Readers of data sets, one file a format; :func:`unrender.learn.data.dataset.open_dataset` opens any."""
