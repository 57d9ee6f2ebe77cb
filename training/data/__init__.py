"""Photos and boxes to train on: read, augmented, mixed, batched."""
