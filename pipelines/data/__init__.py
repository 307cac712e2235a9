"""Data of users: files, and the texts and series that they hold."""
