"""Images over HTTP: who may ask, within which limits, and in which order images are computed.

Here belongs what uvicorn and Starlette, which carry the server, leave open. Images and models are passed in as
functions.
"""
