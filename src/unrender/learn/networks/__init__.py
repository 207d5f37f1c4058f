"""Encoders of pictures and decoders of shape, colour, light and camera."""
