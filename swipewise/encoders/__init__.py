"""Encoders turn one modality of a clip into a vector."""
