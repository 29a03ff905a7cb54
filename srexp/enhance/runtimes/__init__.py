"""A network in Keras, ONNX Runtime, OpenVINO or LiteRT, and the choice among them.

What is handed to others as files is in `enhance.export`.
"""
