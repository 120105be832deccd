"""The catalogue: videos and a column of vectors per encoder, in Lance."""
