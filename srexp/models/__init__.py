"""Networks, one file per architecture: degraded image in, restored image out.

Every file has `build(scale, channels, *, name, ...) -> keras.Model`. The network takes `(n, h, w, c)` and gives
`(n, h * scale, w * scale, c)`, float32 both, for any h and w. It consists of built-in layers and operations of Keras
only, so that a saved network loads where srexp isn't installed. One file a network makes the folder larger than others.
"""
