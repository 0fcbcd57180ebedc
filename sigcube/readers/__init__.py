"""Readers of raw formats: each a callable from files on disk to the variables of a cube."""

from collections.abc import Mapping
from types import MappingProxyType

from sigcube.readers.galactocentric import Frame
from sigcube.readers.galaxy import GalaxyCuts
from sigcube.readers.landmarks import LandmarkCuts, read_landmarks
from sigcube.readers.milky_way_curve import read_milky_way_curve
from sigcube.readers.populations import PopulationCuts, read_dynpop
from sigcube.readers.sparc import read_sparc
from sigcube.readers.stars import Orientation, StarCuts, read_stars, read_velocities
from sigcube.readers.typing import Column, Cuts, Reader, ReaderEntry, Table

__all__ = ["READERS", "Column", "Cuts", "Reader", "ReaderEntry", "Table"]

#: Every reader, by the name that recipes use.
READERS: Mapping[str, ReaderEntry] = MappingProxyType(
    {
        "dynpop": ReaderEntry(read=read_dynpop, cuts=PopulationCuts, kind="population"),
        "landmarks": ReaderEntry(read=read_landmarks, cuts=LandmarkCuts, kind="landmark"),
        "milky_way_curve": ReaderEntry(read=read_milky_way_curve, cuts=GalaxyCuts, kind="galaxy"),
        "sparc": ReaderEntry(read=read_sparc, cuts=GalaxyCuts, kind="galaxy"),
        "star_velocities": ReaderEntry(read=read_velocities, cuts=StarCuts, kind="star", frame=Orientation),
        "stars": ReaderEntry(read=read_stars, cuts=StarCuts, kind="star", frame=Frame),
    }
)
