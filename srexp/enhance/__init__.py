"""Use of a trained model on images of any size."""
