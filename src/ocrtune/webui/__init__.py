"""The web page: the whole loop for people who do not use a terminal (Gradio)."""
