"""Readers of raw formats: each a callable from files on disk to the variables of a cube."""

from collections.abc import Mapping
from types import MappingProxyType

from sigcube.readers.clusters import ClusterCuts
from sigcube.readers.contract import Cuts, NoCuts, Reader, ReaderEntry
from sigcube.readers.dynpop import PopulationCuts, read_dynpop
from sigcube.readers.formats import Column, Table
from sigcube.readers.galactocentric import GalacticFrame
from sigcube.readers.galaxy import GalaxyCuts
from sigcube.readers.generic import (
    TableStarCuts,
    read_cluster_table,
    read_galaxy_table,
    read_star_table,
    table_reader,
)
from sigcube.readers.landmarks import read_landmarks
from sigcube.readers.milky_way_curve import read_milky_way_curve
from sigcube.readers.sparc import read_sparc
from sigcube.readers.stars import Orientation, StarCuts, read_stars, read_velocities

__all__ = ["READERS", "Column", "Cuts", "Reader", "ReaderEntry", "Table"]

#: Every reader, by the name that recipes use.
READERS: Mapping[str, ReaderEntry] = MappingProxyType(
    {
        "cluster_table": ReaderEntry(read=read_cluster_table, cuts=ClusterCuts, kind="cluster"),
        "dynpop": ReaderEntry(read=read_dynpop, cuts=PopulationCuts, kind="population"),
        "galaxy_table": ReaderEntry(read=read_galaxy_table, cuts=GalaxyCuts, kind="galaxy"),
        "halo_table": ReaderEntry(read=table_reader("halo", {"chi2_red": "no_chi2"}), cuts=NoCuts, kind="halo"),
        "landmark_table": ReaderEntry(
            read=table_reader("landmark", {"observed": "not_observed"}), cuts=NoCuts, kind="landmark"
        ),
        "landmarks": ReaderEntry(read=read_landmarks, cuts=NoCuts, kind="landmark"),
        "milky_way_curve": ReaderEntry(read=read_milky_way_curve, cuts=GalaxyCuts, kind="galaxy"),
        "population_table": ReaderEntry(
            read=table_reader("population", {"f_dm": "unmodelled"}), cuts=NoCuts, kind="population"
        ),
        "sparc": ReaderEntry(read=read_sparc, cuts=GalaxyCuts, kind="galaxy"),
        "star_table": ReaderEntry(read=read_star_table, cuts=TableStarCuts, kind="star"),
        "star_velocities": ReaderEntry(read=read_velocities, cuts=StarCuts, kind="star", frame=Orientation),
        "stars": ReaderEntry(read=read_stars, cuts=StarCuts, kind="star", frame=GalacticFrame),
    }
)
