"""Views of cubes and results: pages that open in a browser without a server and without a network."""

from sigcube.explore.cube_page import cube_page, folder_pages, index_page
from sigcube.explore.curve_page import curve_page
from sigcube.explore.fit_page import fit_page
from sigcube.explore.map_plots import Mark
from sigcube.explore.page import Card, CardTable, write_page
from sigcube.explore.posterior_page import comparison_page, posterior_page
from sigcube.explore.preferences_page import preferences_page
from sigcube.explore.result_page import result_page
from sigcube.explore.store_page import store_page
from sigcube.explore.trends_page import trends_page

__all__ = [
    "Card",
    "CardTable",
    "Mark",
    "comparison_page",
    "cube_page",
    "curve_page",
    "fit_page",
    "folder_pages",
    "index_page",
    "posterior_page",
    "preferences_page",
    "result_page",
    "store_page",
    "trends_page",
    "write_page",
]
