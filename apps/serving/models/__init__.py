"""Models: which versions there are, how they are loaded, warmed up and run.

Arrays go in and come out. How clients write them is the protocols' concern.
"""
