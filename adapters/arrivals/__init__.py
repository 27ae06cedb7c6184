"""Ways for files to arrive in a source's directory: put there, SFTP, NHS MESH."""

from adapters.arrivals.arriving import arriving
from adapters.arrivals.settings import ArrivalSettings, Directory, Mesh, Sftp, taking
from adapters.arrivals.state import ArrivalState

__all__ = [
    "ArrivalSettings",
    "ArrivalState",
    "Directory",
    "Mesh",
    "Sftp",
    "arriving",
    "taking",
]
