"""Views of results: pages that open in a browser without a server and without a network."""

from sigcube.explore.maps import Mark, map_page
from sigcube.explore.page import Card, write_page

__all__ = ["Card", "Mark", "map_page", "write_page"]
