"""Views of cubes and results: pages that open in a browser without a server and without a network."""

from sigcube.explore.cubes import cube_page, folder_pages, index_page
from sigcube.explore.maps import Mark, map_page
from sigcube.explore.page import Card, Rows, write_page

__all__ = ["Card", "Mark", "Rows", "cube_page", "folder_pages", "index_page", "map_page", "write_page"]
