"""Trains a recommender from who bought what: implicit-feedback matrix factorisation."""
