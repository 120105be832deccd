"""The network, in torch alone: fusion, behaviour, sequence, profile."""
