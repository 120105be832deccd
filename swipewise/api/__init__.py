"""The Python API; its names are public at the top of the package: ``from swipewise import Workspace``.

Everything heavy is imported where it is needed, so that ``import swipewise`` stays quick.
"""
