"""The page to try what is served, built on gradio and mounted at `/ui`.

Like the rest of the server it knows SavedModels and their cards alone.
"""
