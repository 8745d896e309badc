"""From what a data set ships to the layout that the data set classes read."""
