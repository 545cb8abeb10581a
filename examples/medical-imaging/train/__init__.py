"""Trains a U-Net that marks lesions in CT slices."""
