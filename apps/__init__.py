"""What a person or another machine uses: the command line."""
