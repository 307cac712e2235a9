"""The page to try what is served, built on gradio and mounted at `/ui`.

The page knows kinds of answers by `answer_page.AnswerPage` alone, and is given one for
each kind. Any other model has a form.
"""
