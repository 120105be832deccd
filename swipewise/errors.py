"""Every error a user can meet.

::

    SwipewiseError
    ├── ConfigError            swipewise.toml: an unknown key, a wrong type, a value out of range
    ├── WorkspaceError         no workspace here, one made by a newer version, one in use
    ├── MissingExtraError      an optional dependency is not installed
    ├── InputFileError         a file handed to an import that cannot be read as what it claims to be
    ├── MediaError             a clip that cannot be decoded
    ├── StoreError             a store that cannot be read or written
    ├── ArtifactError          a model or index on disk that is missing, damaged or does not fit
    ├── ClusterError           processes that work together have lost one another
    ├── DataError              too little or contradictory data for what was asked
    └── UnknownIdError         a video, viewer or run that does not exist

Each message names the value received and the way out.
"""


class SwipewiseError(Exception):
    """Base of all errors that a user can cause and mend."""


class ConfigError(SwipewiseError):
    """The configuration holds an unknown key, a wrong type or a value out of range."""


class WorkspaceError(SwipewiseError):
    """There is no usable workspace at the given place."""


class MissingExtraError(SwipewiseError):
    """An optional dependency is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional dependency: pip install 'swipewise[{extra}]'")


class InputFileError(SwipewiseError):
    """A file handed to an import cannot be read as what it claims to be."""


class MediaError(SwipewiseError):
    """A clip cannot be decoded; the message is the reason shown beside the rejected file."""


class StoreError(SwipewiseError):
    """A store cannot be read or written."""


class ArtifactError(SwipewiseError):
    """A model or index on disk is missing, damaged or does not fit its counterpart."""


class ClusterError(SwipewiseError):
    """Processes that work together cannot reach one another."""


class DataError(SwipewiseError):
    """The data is too little or contradicts itself for what was asked."""


class UnknownIdError(SwipewiseError):
    """A video, viewer or run with this id does not exist."""
