"""What the command line and the page do with each kind of answer."""
