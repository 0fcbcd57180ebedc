"""Views of cubes and results: pages that open in a browser without a server and without a network."""

from sigcube.explore.cube_page import cube_page, folder_pages, index_page
from sigcube.explore.map_page import Mark, map_page
from sigcube.explore.page import Card, CardTable, write_page

__all__ = ["Card", "CardTable", "Mark", "cube_page", "folder_pages", "index_page", "map_page", "write_page"]
